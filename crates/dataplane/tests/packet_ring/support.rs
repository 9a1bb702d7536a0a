//! Links, the independent other end, and waiting.

use crate::netns::link;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use noctule_dataplane::packet::{self, PacketSettings, Receiver, Transmitter};
use pnet::datalink::{self, Channel, DataLinkReceiver, DataLinkSender};
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// How long to wait for what must come, on the slowest machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait for what must not come.
pub(super) const SILENCE: Duration = Duration::from_millis(150);
/// The header of every frame that a test sends: from a station that does not exist, ethertype 0x4305.
pub(super) const HEADER: [u8; 14] = [255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 0x43, 0x05];

/// A mesh frame of `len` bytes that can be told from others.
pub(super) fn frame(nth: u32, len: usize) -> Vec<u8> {
    let mut frame: Vec<u8> = HEADER.into();
    frame.extend(nth.to_be_bytes());
    frame.extend((0..len).map(|at| (at as u32 ^ nth) as u8));
    frame.truncate(len);
    frame
}

/// The independent other end of a link.
pub(super) struct Peer {
    sender: Box<dyn DataLinkSender>,
    receiver: Box<dyn DataLinkReceiver>,
}

impl Peer {
    pub(super) fn on(name: &str) -> Self {
        let interface = datalink::interfaces().into_iter().find(|each| each.name == name).unwrap();
        let config = datalink::Config {
            read_timeout: Some(Duration::from_millis(10)),
            read_buffer_size: 70_000,
            write_buffer_size: 70_000,
            ..Default::default()
        };
        match datalink::channel(&interface, config).unwrap() {
            Channel::Ethernet(sender, receiver) => Self { sender, receiver },
            _ => panic!("not Ethernet"),
        }
    }

    pub(super) fn send(&mut self, frame: &[u8]) {
        self.sender.send_to(frame, None).unwrap().unwrap();
    }

    /// The next mesh frame from the link.
    pub(super) fn receive(&mut self) -> Option<Vec<u8>> {
        self.receive_within(PATIENCE)
    }

    /// Whether no mesh frame comes any more.
    pub(super) fn is_silent(&mut self) -> bool {
        self.receive_within(SILENCE).is_none()
    }

    pub(super) fn receive_within(&mut self, limit: Duration) -> Option<Vec<u8>> {
        let start = Instant::now();
        loop {
            match self.receiver.next() {
                Ok(bytes) if bytes.get(12..14) == Some(&[0x43, 0x05]) => {
                    return Some(bytes.to_vec());
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    if start.elapsed() > limit {
                        return None;
                    }
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// Makes the pair `a` and `b`, both up and carrying frames.
pub(super) fn veth(a: &str, b: &str) {
    link::veth(a, b);
    await_carrier(a, b);
}

/// Waits until frames cross the link both ways. For a moment after an interface is up, even when its flags say that it is
/// running, the kernel loses what is sent.
pub(super) fn await_carrier(a: &str, b: &str) {
    for (from, to) in [(a, b), (b, a)] {
        let (mut from, mut to) = (Peer::on(from), Peer::on(to));
        let mut probe = HEADER;
        probe[12..].copy_from_slice(&[0x88, 0xb5]);
        let crossed = (0..1000).any(|_| {
            from.send(&probe);
            to.receiver.next().is_ok_and(|bytes| bytes.starts_with(&probe))
        });
        assert!(crossed, "{a} and {b} do not come up");
    }
}

/// Waits for `POLLIN` (or an error).
pub(super) fn wait(receiver: &Receiver) -> PollFlags {
    wait_within(receiver, PATIENCE)
}

pub(super) fn wait_within(receiver: &Receiver, limit: Duration) -> PollFlags {
    let mut fds = [PollFd::new(receiver.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::try_from(limit).unwrap()).unwrap();
    fds[0].revents().unwrap()
}

/// The next frame.
pub(super) fn receive(receiver: &mut Receiver) -> Option<Vec<u8>> {
    receive_within(receiver, PATIENCE)
}

/// Whether no frame comes any more.
pub(super) fn is_silent(receiver: &mut Receiver) -> bool {
    receive_within(receiver, SILENCE).is_none()
}

pub(super) fn receive_within(receiver: &mut Receiver, limit: Duration) -> Option<Vec<u8>> {
    // Twice: what woke us up may have been a frame that is dropped.
    for _ in 0..2 {
        if let Some(frame) = receiver.next_frame() {
            return Some(frame.to_vec());
        }
        wait_within(receiver, limit);
    }
    None
}

/// A link with a data path on one end and a peer on the other.
pub(super) fn linked() -> (Receiver, Transmitter, Peer) {
    veth("pa", "pb");
    let (receiver, transmitter) =
        packet::open(link::index("pa"), 1500, &PacketSettings::default()).unwrap();
    (receiver, transmitter, Peer::on("pb"))
}
