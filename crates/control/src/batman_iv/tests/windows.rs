//! Sequence numbers: windows, duplicates, resets (6.3).

use super::node::Node;
use super::{Mac, Ogm, SeqNo, View, at, hop, iface, mac, ogm, repeated};
use crate::Event;
use crate::batman_iv::originator::{Duplicate, Originators, Tracked};
use crate::batman_iv::window::{Step, Window};
use noctule_wire::Discard;

const PEER: Mac = mac(2, 1);
const OTHER: Mac = mac(3, 1);

#[test]
fn iv_44_where_a_number_lies() {
    #[rustfmt::skip]
    let rows = [
        (0, Step::Inside(0)), (-1, Step::Inside(1)), (-63, Step::Inside(63)), (-64, Step::Restart), (i32::MIN, Step::Restart),
        (1, Step::Ahead(1)), (63, Step::Ahead(63)), (64, Step::Jump), (65_535, Step::Jump), (65_536, Step::Restart),
        (i32::MAX, Step::Restart),
    ];
    for (ahead, step) in rows {
        assert_eq!(Step::of(ahead), step, "{ahead}");
        assert_eq!(step.moves(), !(-63..=0).contains(&ahead), "{ahead}");
    }
}

#[test]
fn a_window_keeps_64_numbers() {
    let mut window = Window::default();
    window.mark(0);
    window.slide(63);
    assert!(window.contains(63) && window.count() == 1);
    window.mark(64);
    window.mark(-1);
    assert_eq!(window.count(), 1, "nothing outside");
    assert!(!window.contains(64) && !window.contains(-1));
    window.slide(1);
    assert_eq!(window.count(), 0, "fell out");
    window.mark(3);
    window.slide(64);
    assert_eq!(window.count(), 0);
}

/// One originator with two candidates in the default view, both of which delivered some numbers up to 100.
struct Track {
    originators: Originators,
    now: u64,
}

impl Track {
    fn new() -> Self {
        let mut originators = Originators::default();
        let slot = originators.insert(PEER, at(0));
        let originator = originators.get_mut(slot);
        for (index, mac) in [(0, PEER), (1, OTHER)] {
            let candidate =
                super::super::originator::Candidate { hop: hop(index, mac), last_seen: at(0) };
            originator.candidates.push(candidate);
        }
        let mut track = Self { originators, now: 100_000 };
        for seqno in 98..=100 {
            track.take(0, seqno);
        }
        track.take(1, 100);
        track.now += 31_000;
        track
    }

    fn take(&mut self, candidate: usize, seqno: u32) -> Tracked {
        let slot = self.originators.slot(PEER).unwrap();
        let originator = self.originators.get_mut(slot);
        let hop = originator.candidates[candidate].hop;
        originator.track(View::Default, hop, SeqNo(seqno), at(self.now))
    }

    /// How many numbers each of the candidates delivered.
    fn counts(&self) -> [u32; 2] {
        let originator = self.originators.find(PEER).unwrap();
        let view = originator.view(View::Default).unwrap();
        [0, 1].map(|index| view.delivery(index).unwrap().received.count())
    }
}

fn counted(duplicate: Duplicate) -> Tracked {
    Tracked::Counted { duplicate, reset: false, restarted: false }
}

/// IV-43, IV-44, IV-45: each branch, for the sender and for the other candidate.
#[test]
fn iv_43_iv_44_iv_45_each_branch_of_the_window() {
    #[rustfmt::skip]
    let rows = [
        // sender, number => duplicate, counts after, because
        (0,    100, Duplicate::Neighbour,  [3, 1], "again"),
        (1,     99, Duplicate::Originator, [3, 2], "seen from the other: marked, not moved"),
        (0,     90, Duplicate::No,         [4, 1], "old, but seen from nobody"),
        (0,     37, Duplicate::No,         [4, 1], "63 behind is the last inside"),
        (0,    101, Duplicate::No,         [4, 1], "the next one: all slide, the sender is marked"),
        (1,    162, Duplicate::No,         [2, 2], "62 ahead: 98 falls out of both windows"),
        (1,    163, Duplicate::No,         [1, 2], "63 ahead: only 100 is left"),
        (1,    164, Duplicate::No,         [0, 1], "64 ahead: everything is gone"),
        (0, 65_635, Duplicate::No,         [1, 0], "the longest jump that is none"),
    ];
    for (sender, seqno, duplicate, counts, because) in rows {
        let mut track = Track::new();
        assert_eq!(track.take(sender, seqno), counted(duplicate), "{because}");
        assert_eq!(track.counts(), counts, "{because}");
        // IV-45: the newest number moved only if a window did.
        let newest = seqno.max(100);
        assert_eq!(track.take(0, newest + 1), counted(Duplicate::No), "{because}");
        assert_eq!(track.take(1, newest + 1), counted(Duplicate::Originator), "{because}");
    }
}

/// IV-43: the own duplicate wins, whatever the order of the candidates.
#[test]
fn iv_43_neighbour_duplicate_wins_regardless_of_order() {
    for sender in [0, 1] {
        let mut track = Track::new();
        assert_eq!(track.take(sender, 100), counted(Duplicate::Neighbour));
    }
}

/// IV-42, IV-44: both directions of a reset, and the 30 s behind it; to the microsecond, protection ends after them.
#[test]
fn iv_42_reset_and_protection() {
    for seqno in [36, 65_636, 100_u32.wrapping_sub(1 << 31)] {
        let mut track = Track::new();
        let reset = Tracked::Counted { duplicate: Duplicate::No, reset: true, restarted: true };
        assert_eq!(track.take(1, seqno), reset);
        assert_eq!(track.counts(), [0, 1], "both cleared, the sender marked");
        track.now += 30_000;
        assert_eq!(track.take(0, seqno.wrapping_sub(1000)), Tracked::Protected);
        assert_eq!(track.counts(), [0, 1], "nothing changed");
        assert_eq!(
            track.take(0, seqno.wrapping_add(1)),
            counted(Duplicate::No),
            "its own numbers go on"
        );
        track.now += 1;
        assert_eq!(track.take(0, seqno.wrapping_sub(1000)), reset);
    }
}

/// IV-06: before anything was counted, the newest number is 0, and no protection runs.
#[test]
fn iv_06_the_first_reset_is_free_and_no_restart() {
    let mut originators = Originators::default();
    let slot = originators.insert(PEER, at(0));
    let originator = originators.get_mut(slot);
    assert_eq!(
        originator.track(View::Default, hop(0, PEER), SeqNo(900_000), at(0)),
        counted(Duplicate::No)
    );
    let candidate = super::super::originator::Candidate { hop: hop(0, PEER), last_seen: at(0) };
    originator.candidates.push(candidate);
    let first = originator.track(View::Default, hop(0, PEER), SeqNo(900_001), at(0));
    let reset = Tracked::Counted { duplicate: Duplicate::No, reset: true, restarted: false };
    assert_eq!(first, reset);
    assert!(originator.view(View::Default).unwrap().is_newest(SeqNo(900_001), 0), "last TTL is 0");
}

/// IV-46, IV-47: the first record makes the candidate and is not counted, but the interface view, which comes later,
/// finds the candidate and counts it.
#[test]
fn iv_46_iv_47_the_default_view_lags_by_one() {
    let mut node = Node::with_interfaces(&[mac(1, 1)]);
    for (index, seqno) in (5000..5004).enumerate() {
        node.hear(0, PEER, ogm(PEER, seqno));
        let counts = [View::Default, View::Arrival(iface(0))]
            .map(|view| node.received(PEER, view, hop(0, PEER)).unwrap());
        assert_eq!(counts, [index as u32, index as u32 + 1]);
    }
}

/// IV-48: a neighbour that counts anew within 30 s of its first appearance is not listened to until they are over.
#[test]
fn iv_48_a_quick_restart_with_a_random_start_is_ignored() {
    let mut node = Node::with_interfaces(&[mac(1, 1)]);
    for seqno in 0..8 {
        node.hear(0, PEER, ogm(PEER, 0x8000_0000 + seqno));
    }
    node.mute();
    assert_eq!(node.repeats().len(), 8);
    let mut answers = Vec::new();
    for second in 0..35 {
        node.hear(0, PEER, ogm(PEER, 0x4000_0000 + second));
        answers.push(node.repeats().len());
        node.run(700);
    }
    let answered = answers.iter().position(|answers| *answers > 0).unwrap();
    assert_eq!(answered, 30, "not one answer before: {answers:?}");
    assert!(answers[answered..].iter().all(|answers| *answers == 1));
    assert_eq!(node.discarded(Discard::Protected), 30);
    assert_eq!(
        node.told.iter().filter(|event| **event == Event::SequenceReset(PEER)).count(),
        1,
        "told once, and not for the first appearance (IV-H5)"
    );
}

/// IV-112: a start from the clock is at most 65535 ahead of the former life: accepted at once, though TQ starts again.
#[test]
fn iv_112_a_restart_that_starts_from_the_clock_is_accepted_at_once() {
    let mut node = Node::with_interfaces(&[mac(1, 1)]);
    for second in 0..8 {
        node.beat(&[(0, PEER)], 32 * 1000 + second);
    }
    assert!(node.average(PEER, View::Default, hop(0, PEER)).unwrap() > 30);
    node.repeats();
    node.hear(0, PEER, ogm(PEER, 32 * 1010));
    assert_eq!(node.repeats().len(), 1, "answered at once");
    assert_eq!(node.received(PEER, View::Default, hop(0, PEER)), Some(1), "the ramp starts again");
    assert_eq!(node.discarded(Discard::Protected), 0);
    assert!(!node.told.contains(&Event::SequenceReset(PEER)));
}

/// IV-49, IV-51: a record with TQ 0 is dropped, but received.
#[test]
fn iv_49_iv_51_tq_0_counts_as_received_only() {
    let mut node = Node::with_interfaces(&[mac(1, 1)]);
    node.warm(&[(0, PEER)], 5000);
    let before = node.average(PEER, View::Default, hop(0, PEER));
    node.hear(0, PEER, Ogm { tq: 0, ..ogm(PEER, 5004) });
    assert_eq!(node.average(PEER, View::Default, hop(0, PEER)), before);
    assert_eq!(node.discarded(Discard::ZeroTq), 1);
    assert!(node.repeats().is_empty(), "not even answered");
    assert_eq!(
        node.received(PEER, View::Default, hop(0, PEER)),
        Some(61),
        "60 of the full window, and this one"
    );
}

/// IV-43: windows and duplicates are kept for each view: each has its own protection.
#[test]
fn iv_42_protection_is_per_view() {
    let mut node = Node::with_interfaces(&[mac(1, 1)]);
    node.hear(0, PEER, ogm(PEER, 0x8000_0000));
    node.now = at(11_000);
    node.attach(1, Node::link(mac(1, 2)), 1);
    node.hear(0, PEER, ogm(PEER, 0x8000_0001));
    // Interface 0 reset with the first record, the default view (IV-46) and interface 1 with the second, 10 s later.
    node.now = at(31_500);
    node.hear(0, PEER, ogm(PEER, 0x4000_0000));
    let views = [View::Default, View::Arrival(iface(0)), View::Arrival(iface(1))];
    let counts = views.map(|view| node.received(PEER, view, hop(0, PEER)).unwrap());
    assert_eq!(counts, [1, 1, 1]);
    node.now = at(31_600);
    node.hear(0, PEER, ogm(PEER, 0x4000_0001));
    let counts = views.map(|view| node.received(PEER, view, hop(0, PEER)).unwrap());
    assert_eq!(counts, [1, 2, 1], "only interface 0 listens to the new numbers yet");
}

/// IV-39: numbers of originators wrap, and so do their windows.
#[test]
fn numbers_wrap() {
    let mut node = Node::with_interfaces(&[mac(1, 1)]);
    node.warm(&[(0, PEER)], u32::MAX);
    node.hear(0, PEER, ogm(PEER, 1));
    node.hear(0, OTHER, repeated(PEER, 0, PEER, 225));
    assert_eq!(node.received(PEER, View::Default, hop(0, PEER)), Some(63));
    assert_eq!(node.discarded(Discard::Protected), 0);
}
