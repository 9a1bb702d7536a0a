//! Frames of every sort, each given to whichever of several workers, who passes on what belongs to another one.

use super::{ALLOCATIONS, Every, GROUP, Sink, every, renumber};
use crate::support::*;
use noctule_dataplane::pipeline::PipelineSettings;
use noctule_dataplane::{Hint, Outlet, Pipeline};
use noctule_fib::{Counter, Counters, Iface, Multicast, Neighbours};
use noctule_wire::tvlv::translation_table::ClientFlags;
use noctule_wire::{Discard, Instant};
use std::sync::Arc;

const WORKERS: usize = 4;
/// Longer than any frame here.
const ROOM: usize = 70_000;

/// What all workers send, and the one frame that is on its way between two.
struct Exit {
    sink: Sink,
    passed: u64,
    to: Option<(usize, Option<Iface>)>,
    frame: Vec<u8>,
}

impl Outlet for Exit {
    fn transmit(&mut self, iface: Iface, priority: u8, parts: &[&[u8]]) -> Result<(), Discard> {
        self.sink.transmit(iface, priority, parts)
    }

    fn deliver(&mut self, parts: &[&[u8]]) -> Result<(), Discard> {
        self.sink.deliver(parts)
    }

    fn punt(&mut self, iface: Iface, frame: &[u8]) -> Result<(), Discard> {
        self.sink.punt(iface, frame)
    }

    fn hint(&mut self, hint: Hint) -> Result<(), Discard> {
        self.sink.hint(hint)
    }

    fn pass_on(
        &mut self,
        worker: usize,
        iface: Option<Iface>,
        frame: &[u8],
    ) -> Result<(), Discard> {
        assert_eq!(self.to.replace((worker, iface)), None, "one at a time");
        self.passed += 1;
        self.frame.clear();
        self.frame.extend_from_slice(frame);
        Ok(())
    }
}

struct Team {
    pipelines: Vec<Pipeline>,
    exit: Exit,
    scratch: Vec<u8>,
    given: usize,
}

impl Team {
    /// Gives a frame to the next worker, and what that passes on to whom it belongs.
    fn give(&mut self, now: Instant, iface: Option<Iface>, frame: &[u8]) {
        let Self { pipelines, exit, scratch, given } = self;
        *given += 1;
        scratch.clear();
        scratch.extend_from_slice(frame);
        let mut to = Some((*given % WORKERS, iface));
        while let Some((worker, iface)) = to {
            match iface {
                Some(iface) => pipelines[worker].receive(now, iface, scratch, exit),
                None => pipelines[worker].send(now, scratch, exit),
            }
            to = exit.to.take();
            core::mem::swap(scratch, &mut exit.frame);
        }
    }

    /// Everything once.
    fn all(&mut self, every: &mut Every, round: u32) {
        for step in 0..4 {
            for pipeline in &mut self.pipelines {
                pipeline.on_deadline(ms(u64::from(round) * 20 + step * 5), &mut self.exit);
            }
        }
        let now = ms(u64::from(round) * 20);
        for (iface, frame, number) in &mut every.air {
            renumber(frame, *number, round);
            self.give(now, Some(link(*iface)), frame);
        }
        for frame in &every.host {
            self.give(now, None, frame);
        }
        // Each frame comes to another worker in the next round.
        self.given += usize::from((every.air.len() + every.host.len()).is_multiple_of(WORKERS));
    }
}

#[test]
fn fwd_60_frames_of_every_sort_pass_between_workers_and_allocate_nothing() {
    const ROUNDS: u32 = 5000;
    let mut ben = Ben::with(PipelineSettings::new(KEY));
    for number in [0, 1] {
        ben.change_link(number, |link| (link.wifi, link.neighbours) = (true, Neighbours::Many));
        ben.change_link(number, |link| link.mtu = 9000);
    }
    ben.narrow_for_cara(1000);
    ben.announce(GROUP, ClientFlags::NONE, &[CARA, ANNA]);
    ben.writer.set_multicast(Multicast {
        flood: false,
        fanout: 16,
        packets: true,
        ..Multicast::default()
    });
    let counters: Vec<Arc<Counters>> = (0..WORKERS).map(|_| Arc::default()).collect();
    let room = || Vec::with_capacity(ROOM);
    let mut team = Team {
        pipelines: Pipeline::for_workers(
            &ben.writer.reader(),
            &counters,
            PipelineSettings::new(KEY),
        ),
        exit: Exit { sink: Sink::default(), passed: 0, to: None, frame: room() },
        scratch: room(),
        given: 0,
    };
    let mut every = every();
    for round in 0..1000 {
        team.all(&mut every, round);
    }
    let sum = |counter| -> u64 { counters.iter().map(|one| one.get(counter)).sum() };
    let moving = [Counter::FragFwd, Counter::FragRx, Counter::FragTx, Counter::McastFwd];
    let before = (team.exit.sink.punted, team.exit.sink.delivered, team.exit.passed);
    let (earlier, allocations) = (moving.map(sum), ALLOCATIONS.get());
    for round in 1000..1000 + ROUNDS {
        team.all(&mut every, round);
    }
    let allocations = ALLOCATIONS.get() - allocations;
    let frames = ROUNDS as usize * (every.air.len() + every.host.len());
    assert_eq!(allocations, 0, "in {frames} frames");

    // They went where one worker sends them, and the statistics are the sums.
    let rounds = u64::from(ROUNDS);
    assert_eq!(team.exit.sink.punted - before.0, rounds * 4);
    assert_eq!(team.exit.sink.delivered - before.1, rounds * 5);
    let passed = team.exit.passed - before.2;
    assert!(passed > rounds * 10, "{passed} passed on");
    let moved: Vec<u64> =
        moving.map(sum).iter().zip(earlier).map(|(now, then)| now - then).collect();
    assert!(moved.iter().all(|moved| *moved >= rounds * 2), "{moved:?}");
    let lost: u64 = counters.iter().map(|one| one.discarded(Discard::QueueFull)).sum();
    assert_eq!(lost, 0);
}
