//! The traffic generator: frames of our own making, sent by an AF_PACKET socket in batches of one system call.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, MultiHeaders, SockFlag, SockType, bind, sendmmsg, socket,
};
use nix::unistd::Pid;
use noctule_wire::{Mac, Ttvn, Unicast};

use crate::lab::Namespace;

/// Frames for each system call.
const BATCH: usize = 64;
/// How often a paced run wakes at most: what is due is sent in one batch.
const PACE: Duration = Duration::from_millis(1);
/// The processor that the generator keeps to; the node under test may use all.
const PROCESSOR: usize = 0;
/// Ethertype of mesh frames.
const MESH: [u8; 2] = [0x43, 0x05];
/// Ethertype of the inner frames: for local experiments.
const EXPERIMENT: [u8; 2] = [0x88, 0xb5];
/// Hops that the frames may go.
pub(super) const TTL: u8 = 50;
/// Bytes 2 to 4 of the inner destination: by them the sink knows the frames.
pub(super) const MARK: [u8; 3] = [0xbe, 0xbe, 0xbe];
/// Where the inner destination stands in a mesh frame.
const INNER: usize = 14 + Unicast::HEADER_LEN;
/// How many flows "many flows" are.
pub(super) const FLOWS: u8 = 64;

/// Whose frames, and to whom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Path {
    /// Destination of the outer Ethernet header.
    pub(super) next_hop: [u8; 6],
    /// Its source.
    pub(super) sender: [u8; 6],
    /// Originator that the unicast packet is for.
    pub(super) originator: [u8; 6],
    /// That originator's translation-table version, as the node under test knows it.
    pub(super) ttvn: u8,
}

/// A unicast mesh frame of `length` bytes, Ethernet header included, that belongs to flow `flow`.
pub(super) fn frame(path: &Path, flow: u8, length: usize) -> Vec<u8> {
    let mut inner = vec![0x02, 0x00];
    inner.extend(MARK);
    inner.extend([flow, 0x02, 0x00, 0xbe, 0xbe, 0xbf, flow]);
    inner.extend(EXPERIMENT);
    let unicast = Unicast {
        ttl: TTL,
        ttvn: Ttvn(path.ttvn),
        destination: Mac(path.originator),
        inner: &inner,
    };
    let mut frame = [&path.next_hop[..], &path.sender, &MESH, &unicast.header(), &inner].concat();
    frame.resize(length.max(frame.len()), 0xa5);
    frame
}

/// Whether a frame is one of the generator's.
pub(super) fn is_ours(frame: &[u8]) -> bool {
    frame.get(INNER + 2..INNER + 5) == Some(&MARK[..])
}

/// What a run has sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    /// Frames that the interface took.
    pub(super) frames: u64,
    /// How long that took.
    pub(super) took: Duration,
}

/// A socket that sends on one interface.
pub(super) struct Generator(OwnedFd);

impl Generator {
    /// Opens it; the socket receives nothing.
    pub(super) fn open(namespace: &Namespace, link: &str) -> Result<Self> {
        let socket = namespace.with(|| -> Result<OwnedFd> {
            let address = getifaddrs()?
                .filter(|address| address.interface_name == link)
                .find_map(|address| address.address?.as_link_addr().copied())
                .with_context(|| format!("no link {link}"))?;
            // Protocol 0: the kernel hands it no frame.
            let socket =
                socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None)?;
            bind(socket.as_raw_fd(), &address)?;
            Ok(socket)
        });
        socket.with_context(|| format!("cannot open {link} of {}", namespace.name())).map(Self)
    }

    /// Sends the frames in turn for `time`: `pace` of them a second, or as many as go.
    ///
    /// # Errors
    /// If the interface refuses for another reason than a full queue.
    pub(super) fn run(
        &self,
        frames: &[Vec<u8>],
        pace: Option<f64>,
        time: Duration,
    ) -> Result<Sent> {
        let run = || -> Result<Sent> {
            let mut one = CpuSet::new();
            one.set(PROCESSOR)?;
            sched_setaffinity(Pid::from_raw(0), &one)?;
            self.send_for(frames, pace, time)
        };
        // A thread of its own, as only that one is bound to a processor.
        std::thread::scope(|scope| scope.spawn(run).join())
            .map_err(|_| anyhow::anyhow!("the generator panicked"))?
    }

    fn send_for(&self, frames: &[Vec<u8>], pace: Option<f64>, time: Duration) -> Result<Sent> {
        if frames.is_empty() {
            bail!("no frames to send");
        }
        let mut headers = MultiHeaders::<LinkAddr>::preallocate(BATCH, None);
        let slices: Vec<[io::IoSlice<'_>; 1]> =
            frames.iter().cycle().take(BATCH).map(|frame| [io::IoSlice::new(frame)]).collect();
        let addresses = [None; BATCH];
        let begun = Instant::now();
        let mut sent = 0_u64;
        loop {
            let elapsed = begun.elapsed();
            if elapsed >= time {
                return Ok(Sent { frames: sent, took: elapsed });
            }
            let due = match pace {
                None => BATCH,
                Some(pace) => ((elapsed.as_secs_f64() * pace) as u64).saturating_sub(sent) as usize,
            };
            if due == 0 {
                let next = pace.map_or(PACE, |pace| Duration::from_secs_f64(1.0 / pace));
                sleep(next.max(PACE));
                continue;
            }
            let count = due.min(BATCH);
            let result = sendmmsg(
                self.0.as_raw_fd(),
                &mut headers,
                &slices[..count],
                &addresses[..count],
                [],
                MsgFlags::empty(),
            );
            match result {
                Ok(done) => sent += done.count() as u64,
                Err(Errno::ENOBUFS | Errno::EAGAIN | Errno::EINTR) => {}
                Err(errno) => return Err(errno).context("the generator cannot send"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use noctule_wire::COMPAT_VERSION;

    const PATH: Path = Path { next_hop: [1; 6], sender: [2; 6], originator: [3; 6], ttvn: 7 };

    #[test]
    fn a_frame_is_a_unicast_packet_of_the_length_asked_for() {
        for length in [64, 512, 1400] {
            let frame = frame(&PATH, 5, length);
            assert_eq!(frame.len(), length);
            assert_eq!(&frame[..14], [1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 0x43, 0x05]);
            let unicast = Unicast::parse(&frame[14..]).unwrap();
            assert_eq!((frame[14], frame[15]), (0x40, COMPAT_VERSION));
            assert_eq!((unicast.ttl, unicast.ttvn), (TTL, Ttvn(7)));
            assert_eq!(unicast.destination, Mac([3; 6]));
            assert!(is_ours(&frame));
        }
    }

    #[test]
    fn other_frames_are_not_ours() {
        assert!(!is_ours(&[0; 64]) && !is_ours(&[0xbe; 20]));
    }

    #[test]
    fn flows_differ_in_both_inner_addresses() {
        let (one, other) = (frame(&PATH, 1, 64), frame(&PATH, 2, 64));
        assert_ne!(one[INNER..INNER + 6], other[INNER..INNER + 6]);
        assert_ne!(one[INNER + 6..INNER + 12], other[INNER + 6..INNER + 12]);
    }
}
