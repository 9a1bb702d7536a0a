//! The receive ring: which slot is whose, and what is in it.
//!
//! The ring is memory that this process and the kernel share, cut into slots. The status word at the start of a slot says
//! who owns the rest of it, and only the owner touches it: whoever gives a slot away writes the status last (release),
//! whoever takes it reads the status first (acquire). Nothing here makes a system call, so the tests play the kernel's
//! part on ordinary memory and can run under Miri.
#![expect(unsafe_code, reason = "slots live in memory that is shared with the kernel")]

mod receive;
#[cfg(test)]
mod tests;

pub(super) use receive::{Lent, RxRing};

use super::frame::{PACKET_TYPE_OFFSET, SlotHeader};
use super::layout::{Cursor, RingLayout};
use std::any::Any;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

/// The slots of a ring in shared memory.
#[derive(Debug)]
pub(super) struct Slots {
    base: NonNull<u8>,
    layout: RingLayout,
    /// Whatever keeps the memory.
    _memory: Arc<dyn Any + Send + Sync>,
}

// SAFETY: `base` points to memory that belongs to no thread in particular; by the contract of `Slots::new` this value is
// the only one in the process that reaches it, so moving the value to another thread moves the only access.
unsafe impl Send for Slots {}

impl Slots {
    /// # Safety
    /// * `base` is aligned to 16 and valid for reads and writes of `layout.byte_len()` initialised bytes for as long as
    ///   `memory` lives.
    /// * Nothing else in this process reads or writes that memory.
    /// * The other side (the kernel) keeps to the protocol of TPACKET_V2 rings: it touches a slot only while the slot's
    ///   status word says that the slot is the other side's, and changes the status word only as a whole.
    pub(super) unsafe fn new(
        base: NonNull<u8>,
        layout: RingLayout,
        memory: Arc<dyn Any + Send + Sync>,
    ) -> Self {
        Self { base, layout, _memory: memory }
    }

    fn layout(&self) -> &RingLayout {
        &self.layout
    }

    fn slot(&self, at: Cursor) -> NonNull<u8> {
        // SAFETY: a `Cursor` only ever names slots of the layout it walks, and `RingLayout::plan` and `new`'s contract
        // put all of them inside the memory at `base`.
        unsafe { self.base.add(at.offset(&self.layout)) }
    }

    fn header(&self, at: Cursor) -> NonNull<libc::tpacket2_hdr> {
        self.slot(at).cast()
    }

    /// The word that says whose the slot is.
    fn status(&self, at: Cursor) -> &AtomicU32 {
        // SAFETY: the slot is in bounds (see `slot`), a multiple of 16 from an aligned base, and lives as long as `self`
        // (`_memory`). The field is only ever accessed atomically: here, and as a whole by the kernel.
        unsafe { AtomicU32::from_ptr(&raw mut (*self.header(at).as_ptr()).tp_status) }
    }

    /// What the header of a receive slot says; `status` is its status word as read before.
    ///
    /// # Safety
    /// The slot belongs to this side.
    unsafe fn read_header(&self, at: Cursor, status: u32) -> SlotHeader {
        let header = self.header(at).as_ptr();
        // SAFETY: in bounds and aligned as in `status`; the caller vouches that the kernel does not write meanwhile. A
        // slot is longer than its header and the address behind it, because every layout has room for a frame beyond.
        unsafe {
            SlotHeader {
                status,
                len: (*header).tp_len,
                captured: (*header).tp_snaplen,
                offset: (*header).tp_mac,
                packet_type: self.slot(at).add(PACKET_TYPE_OFFSET).read(),
            }
        }
    }

    /// `len` bytes from `start` in the slot.
    ///
    /// # Safety
    /// The slot belongs to this side while the slice lives, `start + len` is at most the slot's length, and no slice of
    /// the slot that can be written to is alive.
    unsafe fn bytes(&self, at: Cursor, start: usize, len: usize) -> &[u8] {
        // SAFETY: in bounds and not written to by the caller's promise; the rest as in `bytes_mut`.
        unsafe { std::slice::from_raw_parts(self.slot(at).add(start).as_ptr(), len) }
    }

    /// The same, to be written to.
    ///
    /// # Safety
    /// As for `bytes`, and no other slice of the slot is alive.
    #[expect(clippy::mut_from_ref, reason = "the caller vouches for exclusive access to the slot")]
    unsafe fn bytes_mut(&self, at: Cursor, start: usize, len: usize) -> &mut [u8] {
        // SAFETY: in bounds and exclusive by the caller's promise, initialised by `new`'s contract; the memory lives as
        // long as `self`, which the slice borrows.
        unsafe { std::slice::from_raw_parts_mut(self.slot(at).add(start).as_ptr(), len) }
    }
}
