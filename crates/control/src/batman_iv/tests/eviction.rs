//! Tables that strangers fill (IV-H2, IV-H3).

use super::node::Node;
use super::{Invented, Mac, View, hop, mac, ms, ogm, repeated};
use crate::Routing;
use noctule_fib::Counter;
use noctule_wire::Discard;

const ME: Mac = mac(1, 1);
const PEER: Mac = mac(2, 1);
const OTHER: Mac = mac(3, 1);
const LIAR: Mac = mac(7, 7);
const NEWCOMER: Mac = mac(4, 1);
const FAR: Mac = mac(9, 1);

fn evicted(node: &Node) -> u64 {
    node.counters.get(Counter::TableEvicted)
}

/// IV-H3, IV-79: a neighbour whose OGM as many others brought as an originator may have candidates is answered all the
/// same, and becomes its own router; who brings nothing better later takes no place.
#[test]
fn iv_h3_the_own_link_always_finds_a_place() {
    let mut node = Node::with_interfaces(&[ME]);
    node.settings.limits.candidates = 4;
    let others: Vec<_> = (0..5).map(|index| mac(20, index)).collect();
    let links: Vec<_> = others.iter().map(|other| (0, *other)).collect();
    node.warm(&links, 100);
    for other in &others[..4] {
        node.hear(0, *other, repeated(PEER, 1, mac(8, 1), 200));
    }
    node.hear(0, others[4], repeated(PEER, 1, mac(8, 1), 200));
    assert_eq!(node.discarded(Discard::TableFull), 1, "no better than those that are there");
    node.forget_queued();
    for seqno in 2..80 {
        node.beat(&[(0, PEER)], seqno);
        let answers = node.repeats();
        assert!(answers.iter().any(|(_, ogm)| ogm.originator == PEER), "{seqno}");
        for other in &others {
            node.hear(0, *other, repeated(PEER, seqno, mac(8, 1), 200));
        }
    }
    assert_eq!(node.router(PEER, View::Default), Some(hop(0, PEER)));
    assert_eq!(node.iv.originators.find(PEER).unwrap().candidates.len(), 4);
}

/// IV-H3: the own link finds its place also if all others are routers, which are chosen anew.
#[test]
fn iv_h3_the_own_link_takes_the_place_of_a_router() {
    let mut node = Node::with_interfaces(&[ME]);
    node.settings.limits.candidates = 1;
    node.warm(&[(0, OTHER)], 100);
    node.hear(0, OTHER, repeated(PEER, 1, mac(8, 1), 200));
    assert_eq!(node.router(PEER, View::Default), Some(hop(0, OTHER)));
    for seqno in 2..4 {
        node.beat(&[(0, PEER)], seqno);
    }
    assert_eq!(node.router(PEER, View::Default), Some(hop(0, PEER)));
    let report = node.iv.route_report(node.now, node.settings.orig_interval, PEER).unwrap();
    assert!(report.changes.iter().any(|change| change.reason == crate::Reason::Displaced));
    assert_eq!(evicted(&node), 1);
}

/// IV-H3: a better way takes the place of the worst that is in no use, and the router keeps its role.
#[test]
fn iv_h3_a_better_candidate_takes_the_place_of_a_worse_one() {
    let mut node = Node::with_interfaces(&[ME]);
    node.settings.limits.candidates = 2;
    node.warm(&[(0, PEER), (0, OTHER), (0, NEWCOMER)], 100);
    node.hear(0, PEER, repeated(FAR, 1, mac(8, 1), 225));
    node.hear(0, OTHER, repeated(FAR, 1, mac(8, 2), 100));
    node.hear(0, NEWCOMER, repeated(FAR, 1, mac(8, 3), 100));
    assert_eq!(node.average(FAR, View::Default, hop(0, NEWCOMER)), None, "no better");
    node.hear(0, NEWCOMER, repeated(FAR, 1, mac(8, 3), 150));
    assert_eq!(node.average(FAR, View::Default, hop(0, NEWCOMER)), Some(150));
    assert_eq!(node.average(FAR, View::Default, hop(0, OTHER)), None);
    assert_eq!(node.router(FAR, View::Default), Some(hop(0, PEER)));
    // No better, but what it would displace was not heard for long.
    node.warm(&[(0, PEER), (0, OTHER)], 101);
    node.now += ms(31_000);
    node.hear(0, PEER, repeated(FAR, 2, mac(8, 1), 225));
    node.hear(0, OTHER, repeated(FAR, 2, mac(8, 2), 1));
    assert!(node.average(FAR, View::Default, hop(0, OTHER)).is_some());
    assert_eq!(node.router(FAR, View::Default), Some(hop(0, PEER)));
}

/// IV-H2: neighbours that come once and never again make room for each other; one that comes again, or answers, outlives
/// them, and nobody in use goes.
#[test]
fn iv_h2_strangers_make_room_before_those_who_come_again() {
    let mut node = Node::with_interfaces(&[ME]);
    node.settings.limits.originators = 200;
    node.warm(&[(0, PEER)], 100);
    for far in 0..20 {
        node.hear(0, PEER, repeated(mac(30, far), 1, mac(8, 1), 225));
    }
    node.mute();
    let mut strangers = Invented::default();
    for round in 0..6 {
        node.beat(&[(0, PEER), (0, NEWCOMER)], 101 + round);
        node.mute();
        for _ in 0..150 {
            let stranger = strangers.next();
            node.hear(0, stranger, ogm(stranger, 1));
            node.run(6);
        }
    }
    assert_eq!(node.router(NEWCOMER, View::Default), Some(hop(0, NEWCOMER)));
    assert_eq!(node.discarded(Discard::TableFull), 0);
    assert_eq!(node.iv.originators().iter().filter(|mac| mac.0[4] == 30).count(), 20);
    assert!(node.iv.len() <= 200);
    assert!(evicted(&node) > 600);
    // Those who were heard twice outlive all who were heard once.
    let twice = mac(5, 1);
    node.hear(0, twice, ogm(twice, 1));
    node.hear(0, twice, ogm(twice, 2));
    for _ in 0..1000 {
        let stranger = strangers.next();
        node.hear(0, stranger, ogm(stranger, 1));
        node.now += ms(10);
    }
    assert!(node.iv.knows(twice));
}

/// IV-H2: strangers that went as far as to have a route, and then fell silent, make room, too.
#[test]
fn iv_h2_strangers_with_a_fresh_route_make_room() {
    let mut node = Node::with_interfaces(&[ME]);
    node.settings.limits.originators = 100;
    node.warm(&[(0, PEER)], 100);
    node.mute();
    let mut strangers = Invented::default();
    for _ in 0..300 {
        let stranger = strangers.next();
        node.beat(&[(0, stranger)], 1);
        node.beat(&[(0, stranger)], 2);
        assert!(node.router(stranger, View::Default).is_some());
        node.mute();
        node.run(10);
    }
    assert_eq!(node.discarded(Discard::TableFull), 0);
    assert!(node.router(PEER, View::Default).is_some());
}

/// IV-H2: a neighbour that has a route and invents what is behind it gets three quarters of the table; a neighbour that
/// appears finds a place, and so does what others lead to, at the liar's expense. What was there before stays.
#[test]
fn iv_h2_a_neighbour_pays_by_what_it_invented() {
    let mut node = Node::with_interfaces(&[ME]);
    node.settings.limits.originators = 200;
    node.warm(&[(0, PEER), (0, LIAR)], 100);
    for far in 0..40 {
        node.hear(0, PEER, repeated(mac(30, far), 1, mac(8, 1), 225));
    }
    node.now += ms(1000);
    let mut invented = Invented::default();
    for _ in 0..1000 {
        node.hear(0, LIAR, repeated(invented.next(), 1, mac(8, 2), 255));
    }
    assert_eq!(node.iv.len(), 152, "a quarter is left for neighbours");
    for round in 0..3 {
        node.beat(&[(0, PEER), (0, LIAR), (0, NEWCOMER)], 101 + round);
        for _ in 0..1000 {
            node.hear(0, LIAR, repeated(invented.next(), 1, mac(8, 2), 255));
            node.now += ms(1);
        }
    }
    assert_eq!(node.router(NEWCOMER, View::Default), Some(hop(0, NEWCOMER)));
    let before = evicted(&node);
    for far in 0..10 {
        node.now += ms(20);
        node.hear(0, LIAR, repeated(invented.next(), 1, mac(8, 2), 255));
        node.hear(0, NEWCOMER, repeated(mac(31, far), 1, mac(8, 3), 225));
        assert_eq!(node.router(mac(31, far), View::Default), Some(hop(0, NEWCOMER)));
    }
    assert_eq!(evicted(&node) - before, 10);
    let of = |net: u8| node.iv.originators().iter().filter(|mac| mac.0[4] == net).count();
    assert_eq!((of(30), of(31)), (40, 10), "nobody but the liar paid");
    for kept in [PEER, LIAR] {
        assert!(node.iv.knows(kept));
    }
}

/// IV-H2: with a full table, what a neighbour without a route tells of is not remembered.
#[test]
fn iv_h2_hearsay_takes_no_place_in_a_full_table() {
    let mut node = Node::with_interfaces(&[ME]);
    node.settings.limits.originators = 50;
    let mut invented = Invented::default();
    for _ in 0..100 {
        node.hear(0, LIAR, repeated(invented.next(), 1, mac(8, 2), 255));
    }
    assert_eq!((node.iv.len(), evicted(&node)), (50, 0));
    assert_eq!(node.discarded(Discard::TableFull), 50);
    // A neighbour that has a route, but no longer answers us, leads nowhere either; nor does a record of no quality.
    let mut node = Node::with_interfaces(&[ME]);
    node.settings.limits.originators = 50;
    node.warm(&[(0, LIAR)], 100);
    for number in 0..100 {
        if number == 50 {
            (0..64).for_each(|_| node.prepare(0));
        }
        let tq = if number < 50 { 0 } else { 255 };
        node.hear(0, LIAR, repeated(invented.next(), 1, mac(8, 2), tq));
    }
    assert_eq!((node.iv.len(), evicted(&node)), (50, 0));
}
