//! A relay as the worker is one: received here, rewritten in place, sent there.

use crate::ends::{NATIVE, RING, by_lanes, frame, open_on, receive, veth, wait_within};
use crate::netns::isolated;
use crate::support::{PATIENCE, Peer, await_carrier};
use noctule_dataplane::packet::PacketSettings;
use noctule_dataplane::xdp::XdpSettings;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Counts what the current thread allocates.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: all work is the system allocator's; counting touches a thread-local number that needs no allocation itself.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A relay by AF_XDP on both sides, without one allocation.
fn relay(asked: XdpSettings) {
    let [near, in_, out, far] = ["pa", "pb", "pc", "pd"];
    veth(in_, near);
    veth(out, far);
    let settings = PacketSettings::default();
    let mut from = open_on(in_, &settings, asked);
    let mut to = open_on(out, &settings, asked);
    crate::ends::take_tags(far, false);
    let mut sink = open_on(far, &settings, NATIVE);
    await_carrier(near, in_);
    await_carrier(out, far);
    let mut source = Peer::on(near);
    let mut forwarded = 0;
    for round in 0..40 {
        for nth in 0..100 {
            source.send(&frame(round * 100 + nth, 60 + nth as usize * 14));
        }
        while forwarded < (round + 1) * 100 {
            wait_within(&from.receiver, PATIENCE);
            let before = ALLOCATIONS.with(Cell::get);
            for _ in 0..64 {
                let Some(mut bytes) = from.receiver.next_frame() else { break };
                bytes[11] = 77;
                let (header, rest) = bytes.split_at(14);
                to.transmitter.push(0, &[header, rest]).unwrap();
            }
            forwarded += to.transmitter.flush().unwrap().sent;
            assert_eq!(ALLOCATIONS.with(Cell::get), before);
        }
        for nth in 0..100 {
            let mut expected = frame(round * 100 + nth, 60 + nth as usize * 14);
            expected[11] = 77;
            assert_eq!(receive(&mut sink.receiver), Some(expected));
        }
    }
    assert_eq!((forwarded, by_lanes(&from.receiver), by_lanes(&sink.receiver)), (4000, 4000, 4000));
}

#[test]
fn fwd_72_a_relay_forwards_every_frame_without_allocating() {
    isolated("relay::fwd_72_a_relay_forwards_every_frame_without_allocating", || relay(NATIVE));
}

#[test]
fn fwd_72_a_relay_by_the_transmit_ring_allocates_nothing() {
    isolated("relay::fwd_72_a_relay_by_the_transmit_ring_allocates_nothing", || relay(RING));
}
