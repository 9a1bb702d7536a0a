//! The transmit ring: frames in the order in which they were pushed; one kick makes the kernel walk it.

use super::Slots;
use crate::packet::error::{PushError, Refusal};
use crate::packet::frame::TX_DATA_OFFSET;
use crate::packet::layout::Cursor;
use crate::packet::transmitter::Kicked;
use std::sync::atomic::Ordering;

/// The slot is free.
const AVAILABLE: u32 = libc::TP_STATUS_AVAILABLE;
/// The slot has a frame that the kernel has not looked at.
const SEND_REQUEST: u32 = libc::TP_STATUS_SEND_REQUEST;

/// Our side of a transmit ring.
///
/// The kernel walks the ring in order and stops at a frame that it cannot send at the moment; it would send that frame
/// whenever it is kicked next, even minutes later. A frame that was refused is therefore *cancelled*: its length is set
/// to 0, which the kernel (told so by `PACKET_LOSS`) skips on its next walk.
#[derive(Debug)]
pub(in crate::packet) struct TxRing {
    slots: Slots,
    /// The slot for the next push.
    head: Cursor,
    /// The oldest slot that the kernel has not yet looked at, if `outstanding > 0`.
    oldest: Cursor,
    /// Slots from `oldest` to `head`.
    outstanding: u32,
    /// How many of the oldest of them are cancelled.
    cancelled: u32,
}

impl TxRing {
    /// A ring that nobody has walked yet.
    pub(in crate::packet) fn new(slots: Slots) -> Self {
        let start = Cursor::default();
        Self { slots, head: start, oldest: start, outstanding: 0, cancelled: 0 }
    }

    /// Frames that were pushed and not yet kicked out.
    pub(in crate::packet) fn waiting(&self) -> u32 {
        self.outstanding - self.cancelled
    }

    /// Writes one frame of `len` bytes, the sum of `parts`, into the next slot.
    pub(in crate::packet) fn push(&mut self, parts: &[&[u8]], len: usize) -> Result<(), PushError> {
        let room = self.slots.layout().slot_len - TX_DATA_OFFSET;
        if len > room {
            return Err(PushError::TooLong { len, max: room });
        }
        if self.slots.status(self.head).load(Ordering::Acquire) != AVAILABLE {
            return Err(PushError::Full);
        }
        // SAFETY: the status word says that the slot is ours, `&mut self` makes the slice the only one, and the length
        // was just compared with the slot's.
        let out = unsafe { self.slots.bytes_mut(self.head, TX_DATA_OFFSET, len) };
        let mut rest = out;
        for part in parts {
            let (to, behind) = rest.split_at_mut(part.len());
            to.copy_from_slice(part);
            rest = behind;
        }
        self.set_len(self.head, u32::try_from(len).expect("a slot is small"));
        self.slots.status(self.head).store(SEND_REQUEST, Ordering::Release);
        self.head = self.head.next(self.slots.layout());
        self.outstanding += 1;
        Ok(())
    }

    /// Makes the kernel send all that waits. `kick` is the system call: it returns once the kernel has walked the ring as
    /// far as it could. Whatever cannot go now is lost: afterwards nothing waits.
    pub(in crate::packet) fn flush(
        &mut self,
        mut kick: impl FnMut() -> Result<(), Refusal>,
    ) -> Kicked {
        let mut kicked = Kicked::default();
        let (mut one_refused, mut stale_seen) = (false, false);
        while self.outstanding > 0 {
            let outcome = kick();
            kicked.sent += self.settle();
            match outcome {
                // The kernel stops without an error when the send buffer fills up half way.
                Ok(()) => kicked.refused += self.cancel(u32::MAX),
                // The error may stem from a time before the interface came up again; it is told once.
                Err(Refusal::Down) if !stale_seen => {
                    stale_seen = true;
                    continue;
                }
                Err(failed @ (Refusal::Down | Refusal::Vanished)) => {
                    kicked.refused += self.cancel(u32::MAX);
                    kicked.failed = Some(failed);
                }
                // A queue that refuses two in a row is full: the rest of the batch would fare no better.
                Err(Refusal::Frame) if !one_refused => {
                    one_refused = true;
                    kicked.refused += self.cancel(1);
                    continue;
                }
                Err(Refusal::Frame | Refusal::Busy) => kicked.refused += self.cancel(u32::MAX),
            }
            break;
        }
        kicked
    }

    /// Finds out how far the kernel got, and returns how many frames it took.
    fn settle(&mut self) -> u32 {
        let mut sent = 0;
        while self.outstanding > 0
            && self.slots.status(self.oldest).load(Ordering::Acquire) != SEND_REQUEST
        {
            self.oldest = self.oldest.next(self.slots.layout());
            self.outstanding -= 1;
            if self.cancelled > 0 {
                self.cancelled -= 1;
            } else {
                sent += 1;
            }
        }
        sent
    }

    /// Cancels up to `count` of the oldest frames that wait, and returns how many.
    fn cancel(&mut self, count: u32) -> u32 {
        let count = count.min(self.waiting());
        let mut at = self.oldest;
        for nth in 0..self.cancelled + count {
            if nth >= self.cancelled {
                self.set_len(at, 0);
            }
            at = at.next(self.slots.layout());
        }
        self.cancelled += count;
        count
    }

    /// Writes the length field of a slot that the kernel does not look at.
    fn set_len(&mut self, at: Cursor, len: u32) {
        let header = self.slots.header(at).as_ptr();
        // SAFETY: in bounds and aligned, as `Slots::status` argues. The slot is ours, or it is one that the kernel reads
        // only inside a kick: that is a call of this thread, made by `flush` on `&mut self`, and over by now.
        unsafe { (*header).tp_len = len };
    }
}
