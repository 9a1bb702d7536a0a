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
    counters: TransmitCounters,
}

impl Transmitter {
    /// With room for `frames` frames of up to `frame_len` bytes.
    pub(super) fn new(frames: usize, frame_len: usize, shared: Arc<Shared>) -> Self {
        let frame_len_max = ETHERNET_HEADER_LEN + shared.mtu_max as usize;
        let counters = TransmitCounters::default();
        Self { batch: Batch::new(frames, frame_len), shared, frame_len_max, counters }
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
    ///
    /// # Errors
    /// [`PushError`]; the frame is not sent, and the caller counts it.
    pub fn push(&mut self, parts: &[&[u8]]) -> Result<(), PushError> {
        let len = parts.iter().map(|part| part.len()).sum();
        if len > self.frame_len_max {
            return Err(PushError::TooLong { len, max: self.frame_len_max });
        }
        if len < ETHERNET_HEADER_LEN {
            return Err(PushError::TooShort { len });
        }
        self.batch.push(parts, len)
    }

    /// Sends all that waits, with one system call for up to 64 frames. Afterwards nothing waits:
    /// what could not go is lost and counted. Without waiting frames it does nothing.
    ///
    /// # Errors
    /// The interface is down or gone, and all that waited is lost (counted in [`Self::counters`]).
    pub fn flush(&mut self) -> Result<Flushed, LinkError> {
        let socket = &self.shared.socket;
        let send =
            |frames: &[IoSlice<'_>]| retried(|| socket.send_many(frames)).map_err(Refusal::from);
        let Handed { sent, refused, failed } = self.batch.flush(send);
        self.counters.sent += u64::from(sent);
        self.counters.refused += u64::from(refused);
        match failed {
            None => Ok(Flushed { sent, refused }),
            Some(_) => Err(link_error(socket, self.shared.ifindex)),
        }
    }

    /// What was counted so far.
    pub fn counters(&self) -> TransmitCounters {
        self.counters
    }
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
