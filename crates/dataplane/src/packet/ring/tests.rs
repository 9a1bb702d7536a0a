//! The tests play the kernel's part on ordinary memory, so that Miri can look on:
//! `cargo +nightly miri test -p noctule-dataplane --lib packet::ring`.

use super::*;
use crate::packet::error::{PushError, Refusal};
use crate::packet::frame::{RX_DATA_OFFSET, Skip, TX_DATA_OFFSET};
use crate::packet::transmitter::Kicked;
use proptest::prelude::*;
use std::alloc;
use std::collections::VecDeque;
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
    (slots(), Kernel { slots: slots(), at: Cursor::default(), in_flight: VecDeque::new() })
}

/// The other side of a ring.
struct Kernel {
    slots: Slots,
    at: Cursor,
    in_flight: VecDeque<Cursor>,
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

    /// Walks the transmit ring as tpacket_snd does with `PACKET_LOSS`: takes frames until none is left or `decide`
    /// refuses one, which then stays where it is. Frames below an Ethernet header are skipped.
    fn walk(
        &mut self,
        mut decide: impl FnMut(&[u8]) -> Result<(), Refusal>,
        taken: &mut Vec<Vec<u8>>,
    ) -> Result<(), Refusal> {
        loop {
            if self.slots.status(self.at).load(Ordering::Acquire) != libc::TP_STATUS_SEND_REQUEST {
                return Ok(());
            }
            // SAFETY: the status gives the slot to the kernel.
            let frame = unsafe {
                let len = (*self.slots.header(self.at).as_ptr()).tp_len as usize;
                self.slots.bytes(self.at, TX_DATA_OFFSET, len)
            };
            if frame.len() < 14 {
                self.slots.status(self.at).store(libc::TP_STATUS_AVAILABLE, Ordering::Release);
            } else {
                decide(frame)?;
                taken.push(frame.to_vec());
                self.slots.status(self.at).store(libc::TP_STATUS_SENDING, Ordering::Release);
                self.in_flight.push_back(self.at);
            }
            self.at = self.at.next(&LAYOUT);
        }
    }

    /// The device is done with up to `count` frames.
    fn complete(&mut self, count: usize) {
        for _ in 0..count {
            let Some(at) = self.in_flight.pop_front() else { return };
            self.slots.status(at).store(libc::TP_STATUS_AVAILABLE, Ordering::Release);
        }
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

#[test]
fn frames_are_gathered_sent_in_order_and_slots_used_again() {
    let (slots, mut kernel) = ring();
    let mut ring = TxRing::new(slots);
    let mut taken = Vec::new();
    for round in 0..20 {
        let nth = 4 * round;
        for each in nth..nth + 4 {
            let bytes = frame(each);
            let (a, b) = bytes.split_at(3);
            ring.push(&[a, &[], b], bytes.len()).unwrap();
        }
        assert_eq!(ring.waiting(), 4);
        let kicked = ring.flush(|| kernel.walk(|_| Ok(()), &mut taken));
        assert_eq!(kicked, Kicked { sent: 4, refused: 0, failed: None });
        assert_eq!(ring.waiting(), 0);
        // The device has not finished: these slots stay busy.
        for each in 0..2 {
            ring.push(&[&frame(100 + each)], frame(100 + each).len()).unwrap();
        }
        assert_eq!(ring.push(&[&[0; 20]], 20), Err(PushError::Full));
        assert_eq!(ring.flush(|| kernel.walk(|_| Ok(()), &mut Vec::new())).sent, 2);
        kernel.complete(SLOTS);
    }
    assert_eq!(taken, (0..80).map(frame).collect::<Vec<_>>());
    let room = LAYOUT.slot_len - TX_DATA_OFFSET;
    assert_eq!(ring.push(&[&[0; 200]], 200), Err(PushError::TooLong { len: 200, max: room }));
}

/// A frame that the queue refused must not leave when the queue has room again: it would be old by then.
#[test]
fn a_refused_frame_is_lost_and_the_next_goes() {
    let (slots, mut kernel) = ring();
    let mut ring = TxRing::new(slots);
    let mut taken = Vec::new();
    let push = |ring: &mut TxRing, nths: std::ops::Range<u32>| {
        for nth in nths {
            ring.push(&[&frame(nth)], frame(nth).len()).unwrap();
        }
    };
    push(&mut ring, 0..4);
    let refuse_1 = |bytes: &[u8]| if bytes == frame(1) { Err(Refusal::Frame) } else { Ok(()) };
    let kicked = ring.flush(|| kernel.walk(refuse_1, &mut taken));
    assert_eq!(kicked, Kicked { sent: 3, refused: 1, failed: None });
    assert_eq!(taken, [frame(0), frame(2), frame(3)]);
    kernel.complete(SLOTS);
    taken.clear();

    push(&mut ring, 4..8);
    let kicked = ring.flush(|| kernel.walk(|_| Err(Refusal::Frame), &mut taken));
    assert_eq!(kicked, Kicked { sent: 0, refused: 4, failed: None }, "a full queue");
    push(&mut ring, 8..10);
    let kicked = ring.flush(|| kernel.walk(|_| Ok(()), &mut taken));
    assert_eq!(kicked, Kicked { sent: 2, refused: 0, failed: None });
    assert_eq!(taken, [frame(8), frame(9)], "and none of the four that were refused");
}

#[test]
fn a_ring_outlives_an_interface_that_goes_down_and_comes_back() {
    let (slots, mut kernel) = ring();
    let mut ring = TxRing::new(slots);
    for round in 0..10 {
        for nth in 0..2 {
            ring.push(&[&frame(nth)], frame(nth).len()).unwrap();
        }
        // While it is down the kernel does not even look at the ring, so that fills with what was lost.
        let expected = Kicked { sent: 0, refused: 2, failed: Some(Refusal::Down) };
        assert_eq!(ring.flush(|| Err(Refusal::Down)), expected);
        assert_eq!(ring.waiting(), 0);
        if round % 3 == 2 {
            assert_eq!(ring.push(&[&frame(9)], 23), Err(PushError::Full));
            // Up again: one flush clears the ring of all that is old.
            let mut taken = Vec::new();
            let cleared = ring.flush(|| kernel.walk(|_| Ok(()), &mut taken));
            assert_eq!((cleared, taken), (Kicked::default(), vec![]));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 512 }, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the kernel answers: every frame is sent once or lost once, in order, and nothing waits after a flush.
    #[test]
    fn every_pushed_frame_is_sent_once_or_lost_once(
        steps in prop::collection::vec((0_u32..7, 0_usize..7, prop::collection::vec(0_u8..8, 0..8)), 1..30)
    ) {
        let (slots, mut kernel) = ring();
        let mut ring = TxRing::new(slots);
        let mut next = 0;
        for (pushes, completions, answers) in steps {
            kernel.complete(completions);
            let mut pushed = Vec::new();
            for _ in 0..pushes {
                match ring.push(&[&frame(next)], frame(next).len()) {
                    Ok(()) => pushed.push(frame(next)),
                    Err(PushError::Full) => break,
                    Err(other) => prop_assert!(false, "{other}"),
                }
                next += 1;
            }
            let mut answers = answers.into_iter();
            let mut taken = Vec::new();
            let kicked = ring.flush(|| match answers.next().unwrap_or(0) {
                5 => Err(Refusal::Down),
                6 => Err(Refusal::Vanished),
                other => kernel.walk(
                    |_| match answers.next().unwrap_or(other) {
                        3 => Err(Refusal::Frame),
                        4 => Err(Refusal::Busy),
                        _ => Ok(()),
                    },
                    &mut taken,
                ),
            });
            prop_assert_eq!(ring.waiting(), 0);
            prop_assert_eq!(kicked.sent as usize, taken.len());
            prop_assert_eq!((kicked.sent + kicked.refused) as usize, pushed.len());
            let mut rest = pushed.iter();
            for frame in &taken {
                prop_assert!(rest.any(|each| each == frame), "out of order, or not of this batch");
            }
        }
    }
}
