//! The sending half where the driver can send from our memory: frames are gathered in chunks and handed over by the transmit
//! ring of the first queue.

use super::MTU_MAX;
use super::chunks::{CHUNK_LEN, Chunks};
use super::ring::{Consumer, Producer};
use super::socket::XdpSocket;
use crate::packet::{self, Flushed, LinkError, PushError, TransmitCounters};
use nix::errno::Errno;
use noctule_wire::ETHERNET_HEADER_LEN;
use std::sync::Arc;

/// 802.1d priorities.
const PRIORITIES: u8 = 8;
/// What one system call sends without zero-copy, frames.
const SENT_TOGETHER: u32 = 32;

/// A frame that was pushed and is not in the ring.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    chunk: u64,
    len: u32,
    priority: u8,
}

/// Sends mesh frames by one interface, past its queueing discipline; like [`packet::Transmitter`], whose counters mean the
/// same.
///
/// What the driver has no room for stays in the ring and leaves as soon as there is room; meanwhile [`Self::push`] refuses what
/// finds no chunk. Nothing is lost without being counted.
#[derive(Debug)]
pub struct Transmitter {
    socket: Arc<XdpSocket>,
    ring: Producer<libc::xdp_desc>,
    completed: Consumer<u64>,
    chunks: Chunks,
    /// Chunks that nothing lies in.
    free: Vec<u64>,
    /// Chunks that wait, in the order of the pushes.
    waiting: Vec<Waiting>,
    /// Frames that the kernel had not taken out of the ring when that was last looked at.
    in_ring: u32,
    zero_copy: bool,
    frame_len_max: usize,
    counters: TransmitCounters,
    /// Knows what has become of the interface.
    packet: packet::Transmitter,
}

impl Transmitter {
    /// Sends from `chunks`; the rings have a place for each of them.
    pub(super) fn new(
        (socket, zero_copy): (Arc<XdpSocket>, bool),
        (ring, completed): (Producer<libc::xdp_desc>, Consumer<u64>),
        chunks: Chunks,
        mtu: u32,
        packet: packet::Transmitter,
    ) -> Self {
        let free: Vec<u64> = chunks.starts().collect();
        let waiting = Vec::with_capacity(free.len());
        let counters = TransmitCounters::default();
        let mut transmitter = Self {
            socket,
            ring,
            completed,
            chunks,
            free,
            waiting,
            in_ring: 0,
            zero_copy,
            frame_len_max: 0,
            counters,
            packet,
        };
        transmitter.set_mtu(mtu);
        transmitter
    }

    /// The index of the interface.
    pub fn ifindex(&self) -> u32 {
        self.packet.ifindex()
    }

    /// Sets the interface's MTU, bytes. Longer frames are refused by [`Self::push`].
    pub fn set_mtu(&mut self, mtu: u32) {
        self.frame_len_max = ETHERNET_HEADER_LEN + mtu.min(MTU_MAX) as usize;
    }

    /// How many frames the kernel has not taken.
    pub fn waiting(&self) -> u32 {
        self.in_ring + u32::try_from(self.waiting.len()).unwrap_or(u32::MAX)
    }

    /// Takes one frame, given in pieces that start with the outer Ethernet header. The bytes are copied into a chunk; no
    /// system call.
    ///
    /// # Errors
    /// [`PushError`]; the frame is not sent, and the caller counts it.
    pub fn push(&mut self, priority: u8, parts: &[&[u8]]) -> Result<(), PushError> {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        if len > self.frame_len_max {
            return Err(PushError::TooLong { len, max: self.frame_len_max });
        }
        if len < ETHERNET_HEADER_LEN {
            return Err(PushError::TooShort { len });
        }
        if self.free.is_empty() {
            self.reap();
        }
        let Some(chunk) = self.free.pop() else { return Err(PushError::Full) };
        let too_long = PushError::TooLong { len, max: CHUNK_LEN };
        let len = u32::try_from(len).map_err(|_| too_long)?;
        let Some(place) = self.chunks.place(chunk, len) else {
            self.free.push(chunk);
            return Err(too_long);
        };
        #[expect(unsafe_code, reason = "frames lie in memory that is shared with the kernel")]
        // SAFETY: `place` checked it; a chunk from `free` is ours: it never was the kernel's, or came back by the completion
        // ring.
        let mut rest = unsafe { self.chunks.bytes_mut(place) };
        for part in parts {
            let (to, behind) = rest.split_at_mut(part.len());
            to.copy_from_slice(part);
            rest = behind;
        }
        self.waiting.push(Waiting { chunk, len, priority: priority.min(PRIORITIES - 1) });
        Ok(())
    }

    /// Hands all that waits to the driver, the highest priority first.
    ///
    /// # Errors
    /// The interface is down or gone. While it is down, what is in the ring stays there.
    pub fn flush(&mut self) -> Result<Flushed, LinkError> {
        let before = self.ring.pending();
        let handed = self.hand_over();
        let outcome = if self.zero_copy { self.wake() } else { self.send() };
        self.in_ring = self.ring.pending();
        self.reap();
        let refused = outcome?;
        let left = before.saturating_add(handed).saturating_sub(self.in_ring);
        let sent = left.saturating_sub(refused);
        self.counters.sent += u64::from(sent);
        self.counters.refused += u64::from(refused);
        Ok(Flushed { sent, refused })
    }

    /// What was counted so far.
    pub fn counters(&self) -> TransmitCounters {
        self.counters
    }

    /// Puts what waits into the ring, and says how much that is.
    fn hand_over(&mut self) -> u32 {
        let Self { ring, waiting, .. } = self;
        let present = waiting.iter().fold(0u8, |set, frame| set | 1 << frame.priority);
        let mut handed = 0;
        for priority in (0..PRIORITIES).rev().filter(|priority| present & 1 << priority != 0) {
            for frame in waiting.iter().filter(|frame| frame.priority == priority) {
                // There is a place for every chunk.
                ring.put(libc::xdp_desc { addr: frame.chunk, len: frame.len, options: 0 });
                handed += 1;
            }
        }
        waiting.clear();
        ring.publish();
        handed
    }

    /// The driver sends by itself, and says when it must be told.
    fn wake(&mut self) -> Result<u32, LinkError> {
        if !self.ring.needs_wakeup() {
            return Ok(0);
        }
        match self.socket.kick_transmit() {
            Err(Errno::ENETDOWN | Errno::ENXIO | Errno::ENODEV) => Err(self.packet.link_error()),
            // It is at it, or will be.
            _ => Ok(0),
        }
    }

    /// The system call sends; says how many frames the driver refused.
    fn send(&mut self) -> Result<u32, LinkError> {
        let mut refused = 0;
        // Kernels before 6.17 move their counter only when they are through.
        let calls = self.ring.pending().div_ceil(SENT_TOGETHER) + 1;
        for _ in 0..calls {
            if self.ring.pending() == 0 {
                break;
            }
            match self.socket.kick_transmit() {
                Err(Errno::ENETDOWN | Errno::ENXIO | Errno::ENODEV) => {
                    return Err(self.packet.link_error());
                }
                // The queue behind the driver was full, and the frame is lost.
                Err(Errno::EBUSY) => refused += 1,
                _ => {}
            }
        }
        Ok(refused)
    }

    /// Takes back the chunks that the kernel is done with.
    fn reap(&mut self) {
        while let Some(chunk) = self.completed.take() {
            self.free.push(chunk);
        }
        self.completed.release();
    }
}
