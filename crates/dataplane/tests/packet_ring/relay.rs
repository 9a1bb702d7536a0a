//! A relay as the worker is one: received here, rewritten in place, sent there.

use crate::netns::{isolated, link};
use crate::support::{Peer, frame, receive, veth, wait};
use nix::poll::PollFlags;
use noctule_dataplane::packet::{self, PacketSettings};
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

/// A relay: received here, rewritten in place, sent there, without one allocation.
#[test]
fn a_relay_forwards_every_frame_without_allocating() {
    isolated("relay::a_relay_forwards_every_frame_without_allocating", || {
        let [near, in_, out, far] = ["pa", "pb", "pc", "pd"];
        veth(near, in_);
        veth(out, far);
        let (mut receiver, _) =
            packet::open(link::index(in_), 1500, &PacketSettings::default()).unwrap();
        let (_, mut transmitter) =
            packet::open(link::index(out), 1500, &PacketSettings::default()).unwrap();
        let (mut sink, _) =
            packet::open(link::index(far), 1500, &PacketSettings::default()).unwrap();
        let mut source = Peer::on(near);
        let mut forwarded = 0;
        for round in 0..40 {
            for nth in 0..100 {
                source.send(&frame(round * 100 + nth, 60 + nth as usize * 14));
            }
            let before = ALLOCATIONS.with(Cell::get);
            while wait(&receiver).contains(PollFlags::POLLIN) {
                for _ in 0..64 {
                    let Some(mut bytes) = receiver.next_frame() else { break };
                    bytes[11] = 77;
                    let (header, rest) = bytes.split_at(14);
                    transmitter.push(0, &[header, rest]).unwrap();
                }
                forwarded += transmitter.flush().unwrap().sent;
                if forwarded == (round + 1) * 100 {
                    break;
                }
            }
            assert_eq!(ALLOCATIONS.with(Cell::get), before);
            for nth in 0..100 {
                let mut expected = frame(round * 100 + nth, 60 + nth as usize * 14);
                expected[11] = 77;
                assert_eq!(receive(&mut sink), Some(expected));
            }
        }
        assert_eq!(forwarded, 4000);
    });
}
