//! Several workers: whoever of them gets a frame, the same comes of it as with one.

use crate::support::*;
use noctule_dataplane::Pipeline;
use noctule_dataplane::pipeline::PipelineSettings;
use noctule_dataplane::pipeline::steering::Steer;
use noctule_fib::{Counter, Counters};
use noctule_wire::tvlv::translation_table::ClientFlags;
use noctule_wire::unicast::Subtype;
use noctule_wire::{Discard, Mac};
use std::collections::VecDeque;
use std::sync::Arc;

const WORKERS: usize = 4;
const ALL: [u8; 6] = [0xff; 6];

/// Ben with several workers.
struct Team {
    ben: Ben,
    pipelines: Vec<Pipeline>,
    counters: Vec<Arc<Counters>>,
}

impl Team {
    fn new() -> Self {
        let ben = Ben::default();
        let counters: Vec<Arc<Counters>> = (0..WORKERS).map(|_| Arc::default()).collect();
        let settings = PipelineSettings::new(KEY);
        let pipelines = Pipeline::for_workers(&ben.writer.reader(), &counters, settings);
        Self { ben, pipelines, counters }
    }

    /// Hands a frame to one of them, `None` for the host's, and what is passed on to the others. Says what came out, and
    /// how often a frame was passed on.
    fn give(&mut self, worker: usize, iface: Option<usize>, frame: &[u8]) -> (Outcome, usize) {
        let mut queue = VecDeque::from([(worker, iface, frame.to_vec())]);
        let mut passed = 0;
        self.ben.out.outcome = Outcome::default();
        while let Some((worker, iface, mut frame)) = queue.pop_front() {
            let (pipeline, out) = (&mut self.pipelines[worker], &mut self.ben.out);
            match iface {
                Some(iface) => pipeline.receive(ms(0), link(iface), &mut frame, out),
                None => pipeline.send(ms(0), &frame, out),
            }
            passed += out.outcome.passed.len();
            queue.extend(out.outcome.passed.drain(..));
        }
        (core::mem::take(&mut self.ben.out.outcome), passed)
    }

    fn sums(&self) -> (Vec<u64>, Vec<u64>) {
        let sum = |of: &dyn Fn(&Counters) -> u64| self.counters.iter().map(|one| of(one)).sum();
        (
            Counter::ALL.iter().map(|counter| sum(&|one| one.get(*counter))).collect(),
            Discard::ALL.iter().map(|reason| sum(&|one| one.discarded(*reason))).collect(),
        )
    }
}

fn group(number: u8) -> Mac {
    Mac([3, 0, 0, 0, 0, number])
}

fn arp(operation: u8, sender: Mac, target: Mac, number: u8) -> Vec<u8> {
    let head = [0, 1, 8, 0, 6, 4, 0, operation];
    let body = [&head[..], &sender.0, &[10, 0, 0, number], &target.0, &[10, 0, 0, 200]].concat();
    ethernet(if operation == 1 { Mac(ALL) } else { target }, sender, 0x0806, &body)
}

/// Frames of all kinds: from where they come (`None`: the host), and what they are.
fn traffic() -> Vec<(Option<usize>, Vec<u8>)> {
    let mut frames = Vec::new();
    for number in 0..24u8 {
        let seqno = u32::from(number) + 1;
        let mine = |inner: &[u8]| on_air(BEN_0, ANNA, &unicast(50, 20, BEN_0, inner));
        let payload = vec![number; 1400];
        let whole = unicast(50, 20, BEN_0, &ethernet(BENS, ANNAS, 0x88b5, &payload));
        let (head, tail) = whole.split_at(700);
        let part = |which: u8, data: &[u8]| {
            let packet = fragment(BEN_0, ANNA, number.into(), which, whole.len(), data);
            (Some(0), on_air(BEN_0, ANNA, &packet))
        };
        let through = fragment(CARA, ANNA, number.into(), 0, 1800, &[number; 900]);
        let bc = broadcast(50, seqno, ANNA, &hello(Mac(ALL), ANNAS));
        frames.extend([
            part(0, tail),
            (Some(0), on_air(BEN_0, ANNA, &unicast(50, 30, CARA, &ipv4(CARAS, ANNAS, number)))),
            (Some(0), mine(&ipv4(BENS, ANNAS, 0))),
            (Some(0), mine(&hello(BENS, Mac([2, 0xc1, 0, 0, 1, number])))),
            (Some(0), mine(&hello(group(number), ANNAS))),
            part(1, head),
            // The same from both neighbours, and once more.
            (Some(0), on_air(Mac(ALL), ANNA, &bc)),
            (Some(1), on_air(Mac(ALL), CARA, &bc)),
            (Some(0), on_air(Mac(ALL), ANNA, &bc)),
            (Some(0), on_air(BEN_0, ANNA, &through)),
            (Some(0), mine(&arp(2, ANNAS, BENS, number))),
            (
                Some(1),
                on_air(
                    BEN_1,
                    CARA,
                    &unicast_4addr(BEN_0, CARA, Subtype::DatPut, &arp(2, CARAS, BENS, number)),
                ),
            ),
            (Some(0), on_air(BEN_0, ANNA, &icmp(8, 50, CARA, ANNA, &[]))),
            (Some(0), on_air(BEN_0, ANNA, &[number, 15, 50, 0, 1, 2, 3])),
            (None, hello(CARAS, BENS)),
            (None, ipv4(ANNAS, BENS, number)),
            (None, hello(Mac(ALL), Mac([2, 0xc1, 0, 0, 2, number]))),
            (None, arp(1, BENS, Mac::ZERO, number)),
            (None, hello(STRANGER, BENS)),
        ]);
    }
    frames
}

/// FWD-94, FWD-117 and all others: nothing twice, nothing lost, and the statistics of all workers together are those of one.
#[test]
fn fwd_94_fwd_117_several_workers_do_what_one_does() {
    let (mut team, mut one) = (Team::new(), Ben::default());
    let mut passed = 0;
    for (nth, (iface, frame)) in traffic().iter().enumerate() {
        let expected = match iface {
            Some(iface) => one.receive(ms(0), *iface, frame),
            None => one.send(ms(0), frame),
        };
        // Each time another one, whatever the rule says.
        let (outcome, times) = team.give(nth * 7 % WORKERS, *iface, frame);
        passed += times;
        assert_eq!(outcome.sent, expected.sent, "frame {nth}");
        assert_eq!(outcome.delivered, expected.delivered, "frame {nth}");
        assert_eq!(outcome.punted, expected.punted, "frame {nth}");
        assert_eq!(outcome.hints, expected.hints, "frame {nth}");
    }
    let count = |counter| one.counters.get(counter);
    let counted = [Counter::FragRx, Counter::FragFwd, Counter::Rx, Counter::Forward].map(count);
    assert!(counted.iter().all(|count| *count >= 24), "{counted:?}");
    assert!(passed > 100, "{passed}: otherwise this proves nothing");
    let counts: Vec<u64> = Counter::ALL.iter().map(|it| one.counters.get(*it)).collect();
    let reasons: Vec<u64> = Discard::ALL.iter().map(|it| one.counters.discarded(*it)).collect();
    assert_eq!(team.sums(), (counts, reasons));
}

/// A frame that comes to the worker that the rule names is never passed on, except for what is put together there.
#[test]
fn whoever_the_rule_names_keeps_the_frame() {
    let mut team = Team::new();
    for (iface, frame) in traffic() {
        let steer = match iface {
            Some(_) => Steer::packet(&frame[14..]),
            None => Steer::frame(&frame),
        };
        assert_eq!(team.give(steer.worker(WORKERS), iface, &frame).1, 0);
    }
}

/// A packet that was put together by one worker and is another one's goes there.
#[test]
fn what_is_put_together_goes_to_the_worker_that_it_belongs_to() {
    let mut from_elsewhere = 0;
    for last in 0..16 {
        let mut team = Team::new();
        let sender = Mac([2, 0xba, 0, 0, 7, last]);
        team.ben.writer.add_originator(sender);
        let whole = unicast(50, 20, BEN_0, &ethernet(group(1), ANNAS, 0x88b5, &[last; 1400]));
        let (head, tail) = whole.split_at(700);
        let mut delivered = Vec::new();
        for (number, data) in [(0, tail), (1, head)] {
            let packet = fragment(BEN_0, sender, 5, number, whole.len(), data);
            let owner = Steer::packet(&packet).worker(WORKERS);
            let (outcome, passed) = team.give(owner, Some(0), &on_air(BEN_0, ANNA, &packet));
            from_elsewhere += passed;
            delivered.extend(outcome.delivered);
        }
        assert_eq!(delivered, [whole[10..].to_vec()]);
    }
    assert!(from_elsewhere > 5, "{from_elsewhere}");
}

/// TT-103: what one worker has heard a moment ago, all know.
#[test]
fn tt_103_a_client_that_one_worker_heard_is_found_by_all() {
    for from in 0..WORKERS {
        let mut team = Team::new();
        let frame = on_air(BEN_0, CARA, &unicast(50, 20, BEN_0, &hello(BENS, STRANGER)));
        assert_eq!(team.give(from, Some(1), &frame).0.hints.len(), 0, "plain unicast names nobody");
        let told = unicast_4addr(BEN_0, CARA, Subtype::Data, &hello(BENS, STRANGER));
        let (outcome, _) = team.give(from, Some(1), &on_air(BEN_0, CARA, &told));
        assert_eq!(outcome.hints.len(), 1);
        for worker in 0..WORKERS {
            let again = team.give(worker, Some(1), &on_air(BEN_0, CARA, &told)).0;
            assert_eq!(again.hints, [], "one hint is enough");
            let answer = team.give(worker, None, &hello(STRANGER, BENS)).0;
            assert_eq!(answer.sent.len(), 1, "worker {worker} knows what {from} heard");
        }
    }
}

/// FWD-114: parts that workers cut at the same time do not meet in one bucket of the receiver.
#[test]
fn fwd_114_workers_number_what_they_cut_apart() {
    let mut team = Team::new();
    team.ben.change_link(1, |link| link.mtu = 1400);
    team.ben.announce(CARAS, ClientFlags::NONE, &[CARA]);
    let frame =
        on_air(BEN_0, ANNA, &unicast(50, 30, CARA, &ethernet(CARAS, ANNAS, 0x88b5, &[7; 1480])));
    let mut buckets = vec![Vec::new(); WORKERS];
    for worker in (0..WORKERS).cycle().take(64) {
        let (outcome, _) = team.give(worker, Some(0), &frame);
        assert_eq!(outcome.sent.len(), 2);
        let seqno = u16::from_be_bytes([outcome.sent[0].1[30], outcome.sent[0].1[31]]);
        buckets[worker].push(seqno % 8);
    }
    for (worker, of_one) in buckets.iter().enumerate() {
        let others = buckets.iter().enumerate().filter(|(other, _)| *other != worker);
        assert!(others.flat_map(|(_, of)| of).all(|bucket| !of_one.contains(bucket)));
    }
}
