//! No allocation on the forward path: a million mixed frames through the pipeline, under an allocator that counts
//! (section "Numbers" of the goals; FWD-40, FWD-72, FWD-97 and FWD-121 tell that the frames went where they should).

#![expect(unsafe_code, reason = "an allocator that counts must implement GlobalAlloc")]

#[allow(dead_code, reason = "shared with the other tests; this one needs a part")]
#[path = "pipeline/support.rs"]
mod support;

use core::time::Duration;
use noctule_dataplane::pipeline::PipelineSettings;
use noctule_dataplane::{Hint, Outlet};
use noctule_fib::{Counter, Iface, Neighbours};
use noctule_wire::{Discard, Mac};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use support::*;

struct Counting;

thread_local! {
    /// Of this thread: the test harness allocates on others whenever it likes.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count_one() {
    // Not while a thread ends: then there is nothing left to count in, and nothing to measure.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: every call goes to the system allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count_one();
        // SAFETY: the caller keeps `alloc`'s contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `System` by the functions here.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count_one();
        // SAFETY: `pointer` came from `System`, and the caller keeps `realloc`'s contract.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Takes everything and counts it.
#[derive(Default)]
struct Sink {
    sent: u64,
    delivered: u64,
}

impl Outlet for Sink {
    fn transmit(&mut self, _: Iface, _: u8, _: &[&[u8]]) -> Result<(), Discard> {
        self.sent += 1;
        Ok(())
    }

    fn deliver(&mut self, _: &[&[u8]]) -> Result<(), Discard> {
        self.delivered += 1;
        Ok(())
    }

    fn punt(&mut self, _: Iface, _: &[u8]) -> Result<(), Discard> {
        Ok(())
    }

    fn hint(&mut self, _: Hint) -> Result<(), Discard> {
        Ok(())
    }
}

/// Seven kinds of frames in turn, broadcasts with their repetitions and packets in fragments among them.
fn rounds(ben: &mut Ben, frames: &mut Frames, out: &mut Sink, count: u32, first: u32) {
    for round in first..first + count {
        let now = ms(u64::from(round));
        let mut session = ben.pipeline.session(now);
        for (frame, original) in frames.transit.iter_mut().zip(&frames.originals) {
            frame.copy_from_slice(original);
            session.receive(link(0), frame, out);
        }
        frames.broadcast[18..22].copy_from_slice(&round.to_be_bytes());
        frames.broadcast[16] = 50;
        session.receive(link(0), &mut frames.broadcast, out);
        session.send(&frames.host_unicast, out);
        session.send(&frames.host_broadcast, out);
        for part in &mut frames.fragments {
            part[30..32].copy_from_slice(&(round as u16).to_be_bytes());
            session.receive(link(0), part, out);
        }
        drop(session);
        if ben.pipeline.next_deadline().is_some_and(|due| due <= now) {
            ben.pipeline.on_deadline(now, out);
        }
    }
}

struct Frames {
    originals: Vec<Vec<u8>>,
    transit: Vec<Vec<u8>>,
    broadcast: Vec<u8>,
    host_unicast: Vec<u8>,
    host_broadcast: Vec<u8>,
    fragments: Vec<Vec<u8>>,
}

#[test]
fn fwd_72_a_million_mixed_frames_allocate_nothing() {
    const ROUNDS: u32 = 125_000;
    let mut ben = Ben::with(PipelineSettings::new(KEY));
    ben.change_link(1, |link| (link.wifi, link.neighbours) = (true, Neighbours::Many));
    let inner = ethernet(CARAS, ANNAS, 0x88b5, &[7; 1400]);
    let for_ben = unicast(50, 20, BEN_0, &ethernet(BENS, ANNAS, 0x88b5, &[7; 1400]));
    let (head, tail) = for_ben.split_at(700);
    let part =
        |number, data| on_air(BEN_0, ANNA, &fragment(BEN_0, ANNA, 0, number, for_ben.len(), data));
    let originals = vec![
        on_air(BEN_0, ANNA, &unicast(50, 30, CARA, &inner)),
        on_air(BEN_0, ANNA, &unicast(50, 19, BEN_0, &inner)),
        on_air(BEN_0, ANNA, &for_ben),
    ];
    let everybody = ethernet(Mac::BROADCAST, ANNAS, 0x0806, &[1; 46]);
    let mut frames = Frames {
        transit: originals.clone(),
        originals,
        broadcast: on_air(Mac::BROADCAST, ANNA, &broadcast(50, 0, ANNA, &everybody)),
        host_unicast: ethernet(CARAS, BENS, 0x88b5, &[7; 1400]),
        host_broadcast: ethernet(Mac::BROADCAST, BENS, 0x0806, &[1; 46]),
        fragments: vec![part(0, tail), part(1, head)],
    };
    let mut out = Sink::default();

    // Until every buffer that is kept for re-use is there.
    rounds(&mut ben, &mut frames, &mut out, 1000, 0);
    let before = (ALLOCATIONS.get(), out.sent, out.delivered);
    rounds(&mut ben, &mut frames, &mut out, ROUNDS, 1000);
    let allocations = ALLOCATIONS.get() - before.0;
    assert_eq!(allocations, 0, "in {} frames", ROUNDS * 8);

    // Each round: two in transit, one of them redirected; one unicast from the host; two broadcasts that leave by link 1
    // three times, and that of the host also by link 0. Copies still queued at both ends even out.
    let rounds = u64::from(ROUNDS);
    assert_eq!(out.sent - before.1, rounds * (2 + 1 + 3 + 3 + 1));
    assert_eq!(out.delivered - before.2, rounds * 3, "one whole, one merged, one broadcast");
    assert_eq!(ben.counters.get(Counter::Forward), (rounds + 1000) * 2);
    assert_eq!(
        ben.pipeline.next_deadline().map(|due| due.since(ms(0)) < Duration::from_secs(200)),
        Some(true)
    );
}
