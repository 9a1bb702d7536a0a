//! Section 21: what strangers can do.

use super::node::{Node, payload};
use super::*;
use crate::Routing;
use noctule_wire::Discard;

fn stranger(number: u32) -> Mac {
    let [a, b, c, d] = number.to_be_bytes();
    Mac([0x06, 1, a, b, c, d])
}

#[test]
fn v_h2_neighbours_are_bounded_in_rate_and_number() {
    let mut node = Node::with_interfaces(&[ME]);
    let taken = |node: &mut Node, from: u32| {
        let said = |n| node.hear_elp(0, stranger(n), stranger(n), 1).is_ok();
        (from..from + 200).map(said).filter(|taken| *taken).count()
    };
    assert_eq!(taken(&mut node, 0), 64);
    assert!(node.discarded(Discard::RateLimited) == 0, "the caller counts");
    for round in 1..20 {
        node.now += ms(1001);
        taken(&mut node, round * 1000);
    }
    assert_eq!(node.v.neighbour_rows(node.now).len(), 512);
}

#[test]
fn v_h2_invented_originators_do_not_push_out_who_is_in_use() {
    let mut node = Node::with_interfaces(&[ME]);
    node.settings.limits.originators = 64;
    node.befriend(0, PEER, 500);
    node.hear(0, PEER, ogm(FAR, 70_000, 5000));
    let flood = |node: &mut Node, from: u32| {
        for number in from..from + 300 {
            node.hear(0, PEER, ogm(stranger(number), 70_000, 5000));
        }
    };
    flood(&mut node, 0);
    assert_eq!(node.v.len(), 48, "a quarter is left for neighbours");
    node.befriend(0, OTHER, 500);
    assert!(node.v.knows(OTHER));
    for round in 1..30 {
        node.run(500);
        node.hear(0, PEER, ogm(FAR, 70_000 + round, 5000));
        node.meet(0, PEER, PEER);
        flood(&mut node, round * 1000);
    }
    assert!(node.v.knows(FAR) && node.router(FAR, View::Default).is_some());
    assert!(node.v.len() <= 64);
}

#[test]
fn v_h2_candidates_of_one_originator_are_bounded() {
    let mut node = Node::with_interfaces(&[ME]);
    node.settings.limits.candidates = 4;
    for number in 0..10 {
        node.befriend(0, stranger(number), 500);
        node.hear(0, stranger(number), ogm(FAR, 70_000, 100 + number));
    }
    assert_eq!(node.v.originators[&FAR].candidates.len(), 4);
    let router = node.router(FAR, View::Default);
    node.now += ms(11_000);
    node.befriend(0, PEER, 500);
    node.hear(0, PEER, ogm(FAR, 70_001, 1));
    assert!(node.v.originators[&FAR].candidate(hop(0, PEER)).is_some(), "in place of a silent one");
    assert_eq!(node.router(FAR, View::Default), router);
}

#[test]
fn v_45_v_h4_a_frame_full_of_records_leaves_at_most_one_frame_waiting() {
    let mut node = Node::with_interfaces(&[ME, mac(1, 2)]);
    node.befriend(0, PEER, 500);
    node.befriend(1, OTHER, 500);
    node.v.next_ogm = None;
    for round in 0..40 {
        let records: Vec<_> =
            (0..70).map(|n| ogm(stranger(round * 100 + n), 70_000, 5000)).collect();
        node.ogm_bytes(0, PEER, &payload(&records)).unwrap();
    }
    node.drain();
    let waiting: usize = node.run(110).iter().map(|sent| sent.records().len()).sum();
    assert!(waiting <= 25, "{waiting}");
}
