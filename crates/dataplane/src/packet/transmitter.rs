//! The sending half of an interface's data path.

use super::batch::{Batch, Handed};
use super::error::{LinkError, PushError, Refusal};
use super::socket::PacketSocket;
use super::{ETHERNET_HEADER_LEN, Shared};
use nix::errno::Errno;
use std::io::IoSlice;
use std::sync::Arc;

/// What became of the frames of one [`Transmitter::flush`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Flushed {
    /// Frames that the interface's queue took.
    pub sent: u32,
    /// Frames that the interface's queue or driver refused; they are lost, as in a full queue.
    pub refused: u32,
}

/// What a [`Transmitter`] has counted since it was opened.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct TransmitCounters {
    /// Frames that the interface's queue took.
    pub sent: u64,
    /// Frames that it refused, those included that were lost because the interface was down or gone.
    pub refused: u64,
}

/// Sends mesh frames by one interface: [`Self::push`] any number of times, then [`Self::flush`] once.
///
/// May be used by another thread than its [`Receiver`](super::Receiver).
#[derive(Debug)]
pub struct Transmitter {
    batch: Batch,
    shared: Arc<Shared>,
    frame_len_max: usize,
    /// The 802.1d priority that the socket is set to.
    priority: u8,
    counters: TransmitCounters,
}

impl Transmitter {
    /// With room for `frames` frames of up to `frame_len` bytes.
    pub(super) fn new(frames: usize, frame_len: usize, shared: Arc<Shared>) -> Self {
        let frame_len_max = ETHERNET_HEADER_LEN + shared.mtu_max as usize;
        let counters = TransmitCounters::default();
        Self { batch: Batch::new(frames, frame_len), shared, frame_len_max, priority: 0, counters }
    }

    /// The index of the interface.
    pub fn ifindex(&self) -> u32 {
        self.shared.ifindex
    }

    /// Sets the interface's MTU, bytes; one beyond that of [`open`](super::open) is not used until the data path is
    /// opened afresh. Longer frames are refused by [`Self::push`].
    pub fn set_mtu(&mut self, mtu: u32) {
        self.frame_len_max = ETHERNET_HEADER_LEN + mtu.min(self.shared.mtu_max) as usize;
    }

    /// How many frames wait for the next [`Self::flush`].
    pub fn waiting(&self) -> u32 {
        self.batch.waiting()
    }

    /// Takes one frame, given in pieces that start with the outer Ethernet header. The bytes are copied; no system call.
    /// `priority` is the 802.1d priority, 0 to 7: see the module's text.
    ///
    /// # Errors
    /// [`PushError`]; the frame is not sent, and the caller counts it.
    pub fn push(&mut self, priority: u8, parts: &[&[u8]]) -> Result<(), PushError> {
        let len = parts.iter().map(|part| part.len()).sum();
        if len > self.frame_len_max {
            return Err(PushError::TooLong { len, max: self.frame_len_max });
        }
        if len < ETHERNET_HEADER_LEN {
            return Err(PushError::TooShort { len });
        }
        self.batch.push(priority, parts, len)
    }

    /// Sends all that waits, the highest priority first, with one system call for up to 64 frames of the same priority and
    /// one for each change of it. Afterwards nothing waits: what could not go is lost and counted. Without waiting frames
    /// it does nothing.
    ///
    /// # Errors
    /// The interface is down or gone, and all that waited is lost (counted in [`Self::counters`]).
    pub fn flush(&mut self) -> Result<Flushed, LinkError> {
        let socket = &self.shared.socket;
        let current = &mut self.priority;
        let send = |priority: u8, frames: &[IoSlice<'_>]| {
            // Without the right to a priority (CAP_NET_ADMIN) frames leave with that of before, which then is none.
            if *current != priority && socket.set_priority(socket_priority(priority)).is_ok() {
                *current = priority;
            }
            retried(|| socket.send_many(frames)).map_err(Refusal::from)
        };
        let Handed { sent, refused, failed } = self.batch.flush(send);
        self.counters.sent += u64::from(sent);
        self.counters.refused += u64::from(refused);
        match failed {
            None => Ok(Flushed { sent, refused }),
            Some(_) => Err(link_error(socket, self.shared.ifindex)),
        }
    }

    /// What has become of an interface that carries nothing.
    pub(crate) fn link_error(&self) -> LinkError {
        link_error(&self.shared.socket, self.shared.ifindex)
    }

    /// What was counted so far.
    pub fn counters(&self) -> TransmitCounters {
        self.counters
    }
}

/// What a frame of this 802.1d priority carries inside Linux: 256 and more are what Wi-Fi looks at to choose among its
/// four queues (WMM). Best effort is 0 either way, so frames that show it and frames that show nothing share a call.
const fn socket_priority(priority: u8) -> libc::c_int {
    if priority == 0 { 0 } else { 256 + priority as libc::c_int }
}

/// Repeats a call that a signal interrupted.
pub(super) fn retried<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            outcome => return outcome,
        }
    }
}

/// Which of both it is, once the interface is known to carry nothing: the kernel unbinds the socket of an interface that
/// goes, and tells only "down" in both cases.
pub(super) fn link_error(socket: &PacketSocket, ifindex: u32) -> LinkError {
    if socket.bound_to() == Some(ifindex) { LinkError::Down } else { LinkError::Vanished }
}
