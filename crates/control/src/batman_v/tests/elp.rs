//! Sections 4 and 6: ELP.

use super::node::Node;
use super::*;
use crate::{Event, IfaceSettings, Link, Routing};
use noctule_fib::{Counter, Neighbours};
use noctule_wire::{Discard, Elp};

fn elps(sent: &[super::node::Sent]) -> Vec<(u64, usize, Elp)> {
    sent.iter()
        .filter(|sent| sent.parsed().destination == Mac::BROADCAST)
        .filter_map(|sent| Some((sent.at.as_millis(), sent.index, sent.elp()?)))
        .collect()
}

#[test]
fn v_01_v_02_v_10_v_11_v_12_v_17_elp_of_each_interface_by_its_own_clock() {
    let mut node = Node::with_interfaces(&[ME]);
    let slow = IfaceSettings { elp_interval: ms(1000), ..IfaceSettings::default() };
    node.attach(1, Node::link(mac(1, 2)), slow);
    let sent = node.run(60_000);
    for (index, interval) in [(0, 500), (1, 1000)] {
        let of: Vec<_> = elps(&sent).into_iter().filter(|(_, of, _)| *of == index).collect();
        assert!((60_000 / interval - 2..=60_000 / interval + 2).contains(&(of.len() as u64)));
        let first = of[0].0 - 1000;
        assert!((interval - 20..interval + 20).contains(&first), "one interval after attaching");
        for (number, (_, _, elp)) in of.iter().enumerate() {
            assert_eq!(elp.originator, ME, "V-02: also of the second interface");
            assert_eq!(elp.seqno, SeqNo(1000 * (index as u32 + 1) + number as u32));
            assert_eq!(u64::from(elp.interval_ms), interval);
        }
        let gaps: Vec<_> = of.windows(2).map(|two| two[1].0 - two[0].0).collect();
        assert!(gaps.iter().all(|gap| (interval - 20..interval + 20).contains(gap)), "{gaps:?}");
        assert!(gaps.iter().min() != gaps.iter().max(), "jitter");
    }
    for sent in &sent {
        let own = [ME, mac(1, 2)][sent.index];
        assert_eq!(sent.parsed().source, own);
        assert_eq!(sent.frame.len(), 34, "V-01: header and 20 bytes");
    }
    assert_eq!(node.counted(Counter::MgmtTx), 0, "V-17");
}

#[test]
fn v_11_v_18_a_tick_of_an_interface_that_is_down_does_nothing() {
    let mut node = Node::with_interfaces(&[ME, mac(1, 2)]);
    node.change(1, |link| link.up = false);
    let sent = node.run(5000);
    assert!(elps(&sent).iter().all(|(_, index, _)| *index == 0));
    node.change(1, |link| link.up = true);
    assert!(elps(&node.run(530)).iter().any(|(_, index, _)| *index == 1), "but it goes on");
    node.detach(0);
    let sent = node.run(600);
    assert!(!sent.is_empty());
    for (_, index, elp) in elps(&sent) {
        assert_eq!((index, elp.originator), (1, mac(1, 2)), "V-18: the new primary");
    }
}

#[test]
fn v_13_samples_come_with_own_elps_only() {
    let mut node = Node::new();
    let slow = IfaceSettings { elp_interval: ms(60_000), ..IfaceSettings::default() };
    node.attach(0, Node::link(ME), slow);
    for seqno in 1..100 {
        node.hear_elp(0, PEER, PEER, seqno).unwrap();
        node.run(500);
    }
    assert_eq!(node.speed(0, PEER), Some(0), "18.6");
    node.run(20_000);
    assert_eq!(node.speed(0, PEER), Some(10_000));
}

fn wireless() -> Node {
    let mut node = Node::new();
    node.attach(0, Link { wifi: true, ..Node::link(ME) }, IfaceSettings::default());
    node.meet(0, PEER, PEER);
    node.meet(0, OTHER, OTHER);
    node
}

/// How many probes each neighbour got.
fn probes(sent: &[super::node::Sent]) -> [usize; 2] {
    [PEER, OTHER].map(|to| sent.iter().filter(|s| s.parsed().destination == to).count())
}

#[test]
fn v_14_v_15_two_probes_for_each_idle_wireless_neighbour() {
    let mut node = wireless();
    let sent = node.run(530);
    assert_eq!(probes(&sent), [2, 2]);
    for probe in sent.iter().filter(|sent| sent.parsed().destination != Mac::BROADCAST) {
        assert_eq!(probe.frame.len(), 214, "V-15");
        let elp = probe.elp().unwrap();
        assert_eq!((elp.seqno, elp.interval_ms, elp.originator), (SeqNo(0), 0, ME));
        assert!(probe.frame[30..].iter().all(|byte| *byte == 0));
    }
    assert_eq!(probes(&node.run(500)), [2, 2], "probes are no traffic themselves");
    let mut wired = Node::with_interfaces(&[ME]);
    wired.meet(0, PEER, PEER);
    assert_eq!(probes(&wired.run(2000)), [0, 0]);
}

#[test]
fn v_06_v_14_v_85_no_probes_where_payload_went_within_100_ms() {
    let mut node = wireless();
    let tick = elps(&node.run(530))[0].0;
    let next = node.link_state(0).next_elp;
    assert!(next > at(tick));
    let fib = node.fib.reader();
    // Too early, then just in time.
    node.now = next - ms(150);
    fib.pin().count_unicast(hop(0, PEER));
    node.run(60);
    fib.pin().count_unicast(hop(0, OTHER));
    assert_eq!(probes(&node.run(100)), [2, 0]);
}

#[test]
fn v_32_v_34_elp_makes_a_neighbour_known_and_no_route() {
    let mut node = Node::with_interfaces(&[ME]);
    node.meet(0, mac(2, 7), PEER);
    assert!(node.v.knows(PEER) && !node.v.knows(mac(2, 7)));
    assert_eq!(node.router(PEER, View::Default), None);
    assert_eq!(node.v.metric(PEER), None);
    assert_eq!(node.rows(), []);
    let one = Neighbours::One { address: mac(2, 7), originator: PEER };
    assert_eq!(node.v.neighbours(iface(0)), one);
    assert!(node.v.speaks_as(hop(0, mac(2, 7)), PEER));
    assert!(!node.v.speaks_as(hop(0, mac(2, 7)), mac(2, 7)));
    node.drain();
    assert!(node.told.contains(&Event::NeighbourAppeared(hop(0, mac(2, 7)))));
    node.meet(0, OTHER, OTHER);
    assert_eq!(node.v.neighbours(iface(0)), Neighbours::Many);
}

#[test]
fn v_06_the_originator_of_a_neighbour_is_learned_once() {
    let mut node = Node::with_interfaces(&[ME]);
    node.meet(0, mac(2, 7), PEER);
    node.meet(0, mac(2, 7), OTHER);
    assert!(node.v.speaks_as(hop(0, mac(2, 7)), PEER));
}

#[test]
fn v_03_v_31_v_h1_which_elps_count() {
    let mut node = Node::with_interfaces(&[ME, mac(1, 2)]);
    let elp = Elp { originator: PEER, seqno: SeqNo(5), interval_ms: 500 };
    let header = elp.header();
    assert_eq!(node.elp_bytes(0, PEER, &header[..15]), Err(Discard::Truncated));
    let mut version = elp.to_bytes();
    version[1] = 14;
    assert_eq!(node.elp_bytes(0, PEER, &version), Err(Discard::Version));
    assert_eq!(node.hear_elp(0, mac(1, 2), PEER, 5), Err(Discard::Own));
    for originator in [Mac::ZERO, Mac::BROADCAST, Mac([0x33, 0x33, 0, 0, 0, 1])] {
        assert_eq!(node.hear_elp(0, PEER, originator, 5), Err(Discard::Malformed));
    }
    assert_eq!(node.hear_elp(0, PEER, ME, 5), Err(Discard::Own));
    assert_eq!(node.hear_elp(3, PEER, PEER, 5), Err(Discard::Inactive));
    assert!(!node.v.knows(PEER));
    assert_eq!(node.elp_bytes(0, PEER, &header), Ok(()), "V-03: 16 bytes are enough");
    let mut without = Node::new();
    without.attach(0, Link { up: false, ..Node::link(ME) }, IfaceSettings::default());
    without.change(0, |link| link.up = true);
    assert_eq!(without.hear_elp(0, PEER, PEER, 5), Ok(()));
}

#[test]
fn v_33_v_35_v_36_sequence_numbers_of_elp() {
    let mut node = Node::with_interfaces(&[ME]);
    let rows: &[(u32, bool)] = &[
        (100, true),
        (100, false),
        (37, false),
        (36, true),
        (37, true),
        (0x8000_0000, true),
        (0x7fff_ffff, false),
    ];
    for (seqno, counts) in rows {
        node.now += ms(10);
        let outcome = node.hear_elp(0, PEER, PEER, *seqno);
        assert_eq!(outcome.is_ok(), *counts, "{seqno}");
        let heard = node.v.neighbour_rows(node.now)[0].last_seen;
        assert_eq!(heard == ms(0), *counts, "{seqno}");
    }
    // A first number that is old: known, though it never counted.
    assert_eq!(node.hear_elp(0, OTHER, OTHER, u32::MAX), Err(Discard::Duplicate));
    assert!(node.v.knows(OTHER));
    node.run(199_000);
    assert_eq!(node.v.neighbours(iface(0)), Neighbours::Many, "V-35: there is no ELP timeout");
    node.run(3000);
    assert_eq!(node.v.neighbours(iface(0)), Neighbours::None);
}

#[test]
fn a_neighbour_that_falls_silent_is_in_doubt() {
    let mut node = Node::with_interfaces(&[ME]);
    node.befriend(0, PEER, 100);
    node.hear(0, PEER, ogm(PEER, 70_000, u32::MAX));
    let fib = node.fib.reader();
    let doubtful = || fib.pin().originator(PEER).unwrap().is_doubtful();
    node.run(1500);
    assert!(!doubtful());
    node.run(3000);
    assert!(doubtful());
    node.meet(0, PEER, PEER);
    node.run(1100);
    assert!(!doubtful());
}
