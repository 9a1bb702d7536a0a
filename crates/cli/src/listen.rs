//! Listening to interfaces of this machine, for commands that show or keep frames.

use crate::failure::{Failure, Outcome};
use crate::interrupt::Interrupt;
use noctule_daemon::netlink;
use noctule_dataplane::packet::{LinkError, Listener, OpenError};
use noctule_decode::capture_file::Epoch;
use std::os::fd::AsFd;
use std::time::SystemTime;

/// The longest frame that is kept whole.
const FRAME_LEN_MAX: usize = 1 << 16;
/// Frames of one interface before the others have their turn.
const BATCH: usize = 64;

/// Some interfaces that are listened to.
#[derive(Debug)]
pub(crate) struct Ears(Vec<(String, Listener)>);

impl Ears {
    /// Listens to these interfaces.
    ///
    /// # Errors
    /// One sentence: there is no such interface, or no right to listen.
    pub(crate) fn open(names: &[String]) -> Outcome<Self> {
        let links = netlink::list().map_err(|error| {
            Failure::trouble(format!("cannot list the network interfaces: {error}"))
        })?;
        let open = |name: &String| {
            let link = links.named(name).ok_or_else(|| {
                Failure::trouble(format!("{name}: there is no such interface: see \"ip link\""))
            })?;
            let listener = Listener::open(link.index).map_err(|error| match error {
                OpenError::NotPermitted => Failure::trouble(
                    "not permitted to listen to interfaces: run it with sudo, or grant CAP_NET_RAW",
                ),
                other => Failure::trouble(format!("{name}: cannot listen: {other}")),
            })?;
            Ok((name.clone(), listener))
        };
        names.iter().map(open).collect::<Outcome<_>>().map(Self)
    }

    /// Hands over frames with the place of their interface in the list, until `take` has enough or a signal comes.
    /// `idle` is called when none waits.
    ///
    /// # Errors
    /// An interface is gone; what `take` and `idle` say.
    pub(crate) fn hear(
        &self,
        interrupt: &Interrupt,
        mut take: impl FnMut(usize, Epoch, &[u8]) -> Outcome<bool>,
        mut idle: impl FnMut() -> Outcome<()>,
    ) -> Outcome<()> {
        let mut buffer = vec![0; FRAME_LEN_MAX];
        loop {
            idle()?;
            if interrupt.came_before_any(self.0.iter().map(|(_, ear)| ear.as_fd())) {
                return Ok(());
            }
            for (place, (name, ear)) in self.0.iter().enumerate() {
                for _ in 0..BATCH {
                    let frame = match ear.next_frame(&mut buffer) {
                        Ok(Some(len)) => buffer.get(..len).unwrap_or_default(),
                        Ok(None) | Err(LinkError::Down) => break,
                        Err(LinkError::Vanished) => {
                            return Err(Failure::trouble(format!("{name}: the interface is gone")));
                        }
                    };
                    let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
                    if !take(place, at.unwrap_or_default(), frame)? {
                        return Ok(());
                    }
                }
            }
        }
    }
}
