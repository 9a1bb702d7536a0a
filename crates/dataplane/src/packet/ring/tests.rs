//! The tests play the kernel's part on ordinary memory, so that Miri can look on:
//! `cargo +nightly miri test -p noctule-dataplane --lib packet::ring`.

use super::*;
use crate::packet::frame::{RX_DATA_OFFSET, Skip};
use std::alloc;
use std::sync::atomic::Ordering;

/// Two blocks of three slots: small enough to see every edge.
const LAYOUT: RingLayout =
    RingLayout { slot_len: 160, slots_per_block: 3, block_len: 512, blocks: 2 };
const SLOTS: usize = 6;

struct Memory {
    base: NonNull<u8>,
}

// SAFETY: only an address and the duty to free it.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

fn memory_layout() -> alloc::Layout {
    alloc::Layout::from_size_align(LAYOUT.byte_len(), 16).unwrap()
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: allocated by `ring` with this layout, freed once.
        unsafe { alloc::dealloc(self.base.as_ptr(), memory_layout()) };
    }
}

/// Both sides of a ring: ours, and one for the fake kernel.
fn ring() -> (Slots, Kernel) {
    // SAFETY: the layout has a size.
    let base = NonNull::new(unsafe { alloc::alloc_zeroed(memory_layout()) }).unwrap();
    let memory = Arc::new(Memory { base });
    // SAFETY: both sides keep to the protocol; that is what is tested.
    let slots = || unsafe { Slots::new(base, LAYOUT, memory.clone()) };
    (slots(), Kernel { slots: slots(), at: Cursor::default() })
}

/// The other side of a ring.
struct Kernel {
    slots: Slots,
    at: Cursor,
}

impl Kernel {
    /// Puts a frame into the next slot, as the kernel does; says whether one was free.
    fn deliver(&mut self, frame: &[u8], status: u32, packet_type: u8) -> bool {
        if self.slots.status(self.at).load(Ordering::Acquire) != libc::TP_STATUS_KERNEL {
            return false;
        }
        let captured = frame.len().min(LAYOUT.slot_len - RX_DATA_OFFSET);
        let header = self.slots.header(self.at).as_ptr();
        // SAFETY: the slot is the kernel's: its status says so.
        unsafe {
            (*header).tp_len = frame.len() as u32;
            (*header).tp_snaplen = captured as u32;
            (*header).tp_mac = RX_DATA_OFFSET as u16;
            self.slots.bytes_mut(self.at, PACKET_TYPE_OFFSET, 1)[0] = packet_type;
            self.slots
                .bytes_mut(self.at, RX_DATA_OFFSET, captured)
                .copy_from_slice(&frame[..captured]);
        }
        self.slots.status(self.at).store(libc::TP_STATUS_USER | status, Ordering::Release);
        self.at = self.at.next(&LAYOUT);
        true
    }
}

/// A frame that can be told from others.
fn frame(nth: u32) -> Vec<u8> {
    let mut frame = vec![nth as u8; 14 + nth as usize % 40];
    frame[..4].copy_from_slice(&nth.to_be_bytes());
    frame
}

#[test]
fn received_frames_come_in_order_round_and_round() {
    let (slots, mut kernel) = ring();
    let mut ring = RxRing::new(slots);
    assert!(ring.take().is_none());
    for nth in 0..100 {
        // Two in flight, so that the reader is behind the writer by a slot that moves over every edge.
        assert!(kernel.deliver(&frame(2 * nth), 0, libc::PACKET_HOST));
        assert!(kernel.deliver(&frame(2 * nth + 1), 0, libc::PACKET_BROADCAST));
        for each in [2 * nth, 2 * nth + 1] {
            ring.take().unwrap().unwrap();
            assert_eq!(ring.lent(), frame(each));
            ring.lent_mut().fill(0xee);
            ring.give_back();
            assert_eq!(ring.lent(), []);
        }
        assert!(ring.take().is_none());
    }
}

#[test]
fn a_slot_is_the_readers_until_it_is_given_back() {
    let (slots, mut kernel) = ring();
    let mut ring = RxRing::new(slots);
    for nth in 0..SLOTS as u32 {
        assert!(kernel.deliver(&frame(nth), 0, libc::PACKET_HOST));
    }
    assert!(!kernel.deliver(&frame(99), 0, libc::PACKET_HOST), "the ring is full");
    ring.take().unwrap().unwrap();
    assert!(!kernel.deliver(&frame(99), 0, libc::PACKET_HOST), "lent, so not free");
    ring.give_back();
    ring.give_back();
    assert!(kernel.deliver(&frame(6), 0, libc::PACKET_HOST), "one slot is free");
    assert!(!kernel.deliver(&frame(99), 0, libc::PACKET_HOST), "and only one");
    // Who forgets to give back does so with the next `take`, once.
    for nth in 1..=6 {
        ring.take().unwrap().unwrap();
        assert_eq!(ring.lent(), frame(nth));
    }
    assert!(ring.take().is_none());
}

#[test]
fn iv_35_frames_that_are_not_plain_give_their_slot_back_at_once() {
    let (slots, mut kernel) = ring();
    let mut ring = RxRing::new(slots);
    let long = vec![7; LAYOUT.slot_len];
    #[rustfmt::skip]
    let rows: [(&[u8], u32, u8, Skip); 5] = [
        (&frame(1), libc::TP_STATUS_VLAN_VALID, libc::PACKET_BROADCAST, Skip::Tagged),
        (&frame(1), 0, libc::PACKET_OTHERHOST, Skip::OtherHost),
        (&frame(1), 0, libc::PACKET_OUTGOING, Skip::Outgoing),
        (&long, 0, libc::PACKET_HOST, Skip::Truncated),
        (&[1; 13], 0, libc::PACKET_HOST, Skip::Malformed),
    ];
    for _ in 0..5 {
        for (bytes, status, packet_type, skip) in rows {
            assert!(kernel.deliver(bytes, status, packet_type));
            assert_eq!(ring.take().unwrap().unwrap_err(), skip);
            assert_eq!(ring.lent(), []);
        }
    }
    assert!(kernel.deliver(&frame(2), libc::TP_STATUS_CSUMNOTREADY, libc::PACKET_HOST));
    assert!(ring.take().unwrap().unwrap().checksum_not_ready);
    assert_eq!(ring.lent(), frame(2));
}

/// The kernel fills slots on another CPU while this one reads: what Miri and the sanitizers are for.
#[test]
fn a_frame_is_never_seen_half_written() {
    let count = if cfg!(miri) { 100 } else { 50_000 };
    let (slots, mut kernel) = ring();
    let mut ring = RxRing::new(slots);
    let writer = std::thread::spawn(move || {
        for nth in 0..count {
            while !kernel.deliver(&frame(nth), 0, libc::PACKET_HOST) {
                std::thread::yield_now();
            }
        }
    });
    for nth in 0..count {
        while ring.take().is_none() {
            std::thread::yield_now();
        }
        assert_eq!(ring.lent(), frame(nth));
        ring.lent_mut().reverse();
    }
    writer.join().unwrap();
}
