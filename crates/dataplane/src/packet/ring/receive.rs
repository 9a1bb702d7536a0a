//! The receive ring: frames in the order in which the kernel took slots for them.

use super::Slots;
use crate::packet::frame::Skip;
use crate::packet::layout::Cursor;
use std::sync::atomic::Ordering;

/// Where a frame lies in the slot that is lent out, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lent {
    start: usize,
    /// Bytes of the frame.
    pub(in crate::packet) len: usize,
    /// `TP_STATUS_CSUMNOTREADY`.
    pub(crate) checksum_not_ready: bool,
}

/// Our side of a receive ring.
///
/// At most one slot is lent out at a time. [`Self::give_back`] returns it; if that was forgotten, [`Self::take`] does.
#[derive(Debug)]
pub(in crate::packet) struct RxRing {
    slots: Slots,
    /// The slot that is lent out, or else the one that the kernel fills next.
    at: Cursor,
    lent: Option<Lent>,
}

impl RxRing {
    /// A ring that nobody has walked yet.
    pub(in crate::packet) fn new(slots: Slots) -> Self {
        Self { slots, at: Cursor::default(), lent: None }
    }

    /// How many slots the ring has.
    pub(in crate::packet) fn len(&self) -> u32 {
        self.slots.layout().slots()
    }

    /// Lends out the next frame: `None` if the kernel has none, `Err` for one that was given back at once.
    pub(in crate::packet) fn take(&mut self) -> Option<Result<Lent, Skip>> {
        self.give_back();
        let status = self.slots.status(self.at).load(Ordering::Acquire);
        if status & libc::TP_STATUS_USER == 0 {
            return None;
        }
        // SAFETY: the status word says that the slot is ours.
        let header = unsafe { self.slots.read_header(self.at, status) };
        match header.frame(self.slots.layout().slot_len) {
            Ok(range) => {
                let lent = Lent {
                    start: range.start,
                    len: range.len(),
                    checksum_not_ready: header.checksum_not_ready(),
                };
                self.lent = Some(lent);
                Some(Ok(lent))
            }
            Err(skip) => {
                self.release();
                Some(Err(skip))
            }
        }
    }

    /// The bytes of the frame that is lent out; empty if none is.
    pub(in crate::packet) fn lent(&self) -> &[u8] {
        match self.lent {
            // SAFETY: the slot is ours and the range in bounds, as in `lent_mut`; the slice borrows `self`, and who
            // would change the bytes or give them back needs `&mut self`.
            Some(lent) => unsafe { self.slots.bytes(self.at, lent.start, lent.len) },
            None => &[],
        }
    }

    /// The same, to be changed in place.
    pub(in crate::packet) fn lent_mut(&mut self) -> &mut [u8] {
        match self.lent {
            // SAFETY: while `lent` is set the slot at `at` is ours (its status was read as such, and only `release`
            // gives it away, which needs `&mut self`); the range was checked against the slot's length by `take`; the
            // slice borrows `self` exclusively, so it is the only one.
            Some(lent) => unsafe { self.slots.bytes_mut(self.at, lent.start, lent.len) },
            None => &mut [],
        }
    }

    /// Gives the lent slot back to the kernel. Does nothing if none is lent out.
    pub(in crate::packet) fn give_back(&mut self) {
        if self.lent.take().is_some() {
            self.release();
        }
    }

    fn release(&mut self) {
        self.slots.status(self.at).store(libc::TP_STATUS_KERNEL, Ordering::Release);
        self.at = self.at.next(self.slots.layout());
    }
}
