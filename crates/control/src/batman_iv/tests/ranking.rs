//! Which neighbour becomes the router (section 8), and what the data plane sees of it (IV-95).

use super::node::Node;
use super::{Mac, Ogm, View, hop, iface, mac, ogm, repeated};
use crate::routing::RoutingEvent;
use crate::{Event, Reason, Routing};

const ME: Mac = mac(1, 1);
const B1: Mac = mac(2, 1);
const B2: Mac = mac(3, 1);
const FAR: Mac = mac(9, 1);

/// Two perfect neighbours on one interface, and an originator behind both.
fn between_two() -> Node {
    let mut node = Node::with_interfaces(&[ME]);
    node.warm(&[(0, B1), (0, B2)], 100);
    node
}

fn by(node: &mut Node, neighbour: Mac, seqno: u32, tq: u8) {
    node.hear(0, neighbour, repeated(FAR, seqno, mac(8, neighbour.0[4]), tq));
}

fn average(node: &Node, neighbour: Mac) -> u8 {
    node.average(FAR, View::Default, hop(0, neighbour)).unwrap_or(0)
}

fn router(node: &Node) -> Mac {
    node.router(FAR, View::Default).unwrap().mac
}

/// IV-67, IV-68: a fresh number pushes a zero to the others, a duplicate does not.
#[test]
fn iv_67_iv_68_zeros_are_pushed_by_fresh_numbers_only() {
    let mut node = between_two();
    for seqno in 1..=4 {
        by(&mut node, B1, seqno, 225);
        by(&mut node, B2, seqno, 200);
    }
    assert_eq!((average(&node, B1), average(&node, B2)), (225, 200));
    // A fifth fresh number by B1 alone leaves B2 with 200, 0, 200, 0 … of which one more drops out each time.
    for seqno in 5..=9 {
        assert_eq!(average(&node, B2), 200, "{seqno}");
        by(&mut node, B1, seqno, 225);
    }
    assert_eq!(average(&node, B2), 0);
    // Duplicates of B2's late copies: B1 keeps its ring.
    for _ in 0..6 {
        by(&mut node, B2, 9, 100);
    }
    assert_eq!((average(&node, B1), average(&node, B2)), (225, 100));
}

/// IV-70: the TTL of the first copy is what later ones are measured by (IV-58).
#[test]
fn iv_70_last_ttl_is_that_of_the_fresh_copy() {
    let mut node = between_two();
    let far = |seqno, ttl| Ogm { ttl, ..repeated(FAR, seqno, mac(8, 1), 225) };
    node.hear(0, B1, far(1, 30));
    node.hear(0, B1, far(2, 30));
    node.hear(0, B1, far(2, 50));
    node.hear(0, B2, far(2, 27));
    assert_eq!(
        average(&node, B2),
        225,
        "27 >= 30 - 3: the duplicate with 50 did not count as last"
    );
}

/// IV-71: the router keeps its role when it becomes worse, until another one's record shows a better average.
#[test]
fn iv_71_iv_72_iv_74_others_take_over_with_their_own_records() {
    let mut node = between_two();
    for seqno in 1..=5 {
        by(&mut node, B1, seqno, 225);
        by(&mut node, B2, seqno, 200);
    }
    assert_eq!(router(&node), B1, "IV-72: 225 > 200");
    assert_eq!(node.reason(FAR), Some(Reason::First));
    for seqno in 6..=10 {
        by(&mut node, B1, seqno, 100);
    }
    assert_eq!((router(&node), average(&node, B1)), (B1, 100));
    by(&mut node, B2, 10, 101);
    assert_eq!(router(&node), B2, "IV-74: strictly better, no hysteresis");
    assert_eq!(node.reason(FAR), Some(Reason::BetterTq));
    node.drain();
    let changes: Vec<_> = node
        .told
        .iter()
        .filter_map(|event| match event {
            Event::RouteChanged { originator: FAR, router } => Some(router.unwrap().mac),
            _ => None,
        })
        .collect();
    assert_eq!(changes, [B1, B2]);
}

/// IV-73: of equal averages the neighbour that sent back strictly more of our OGMs.
#[test]
fn iv_73_ties_are_decided_by_echoes() {
    #[rustfmt::skip]
    let rows = [
        // who missed one echo, what B2 announces next => router, because
        (None,     225, B1, "as many echoes"),
        (Some(B1), 225, B2, "one more echo"),
        (Some(B2), 229, B1, "one echo less: 229 * 251 / 255 is 225, too"),
    ];
    for (missed_by, tq, expected, because) in rows {
        let mut node = between_two();
        for seqno in 1..=5 {
            by(&mut node, B1, seqno, 225);
            by(&mut node, B2, seqno, 225);
        }
        node.prepare(0);
        for neighbour in [B1, B2].into_iter().filter(|neighbour| Some(*neighbour) != missed_by) {
            node.hear_echo(0, neighbour, 0);
        }
        assert_eq!(router(&node), B1);
        by(&mut node, B2, 6, tq);
        assert_eq!((average(&node, B1), average(&node, B2)), (225, 225));
        assert_eq!(router(&node), expected, "{because}");
        let reason = if expected == B2 { Reason::MoreEchoes } else { Reason::First };
        assert_eq!(node.reason(FAR), Some(reason), "{because}");
    }
}

/// 14.5, first half: B2's ring alternates, its average is equal, the router stays.
#[test]
fn iv_73_two_equal_ways_stay_with_the_first() {
    let mut node = between_two();
    for seqno in 1..=20 {
        by(&mut node, B1, seqno, 225);
        by(&mut node, B2, seqno, 225);
    }
    assert_eq!((average(&node, B1), average(&node, B2), router(&node)), (225, 225, B1));
    let repeats = node.repeats();
    let by_b1 =
        repeats.iter().filter(|(_, ogm)| ogm.previous_sender == B1 && ogm.originator == FAR);
    assert_eq!(by_b1.count(), 19, "each number once, from B1, the first excepted (IV-86)");
    assert!(!repeats.iter().any(|(_, ogm)| ogm.previous_sender == B2 && ogm.originator == FAR));
}

/// IV-76 and 14.5, second half: five further numbers by the other way, then forwarding goes on with the next but one:
/// last good s, next forwarded s + 6.
#[test]
fn iv_76_failover_takes_five_ogms() {
    let mut node = between_two();
    for seqno in 1..=20 {
        by(&mut node, B1, seqno, 225);
        by(&mut node, B2, seqno, 225);
    }
    node.repeats();
    let mut forwarded = Vec::new();
    for seqno in 21..=30 {
        by(&mut node, B2, seqno, 225);
        let repeats = node.repeats();
        forwarded.extend(
            repeats.iter().filter(|(_, ogm)| ogm.originator == FAR).map(|(_, ogm)| ogm.seqno.0),
        );
        assert_eq!(router(&node), if seqno < 25 { B1 } else { B2 }, "{seqno}");
        assert_eq!(average(&node, B1), if seqno < 25 { 225 } else { 0 });
    }
    assert_eq!(forwarded, [26, 27, 28, 29, 30]);
}

/// IV-77: without another way nothing ages the route.
#[test]
fn iv_77_without_another_way_the_average_stays() {
    let mut node = between_two();
    for seqno in 1..=5 {
        by(&mut node, B1, seqno, 225);
    }
    node.run(150_000);
    assert_eq!((average(&node, B1), router(&node)), (225, B1));
}

/// IV-75: a change of router leaves the translation table, so nobody is told that a route was lost.
#[test]
fn iv_75_changing_a_router_is_no_loss() {
    let mut node = between_two();
    for seqno in 1..=10 {
        by(&mut node, if seqno < 5 { B1 } else { B2 }, seqno, 225);
    }
    assert_eq!(router(&node), B2);
    assert!(!node.events().iter().any(|event| matches!(event, RoutingEvent::RouteLost(_))));
}

/// IV-95: each view has its router or none; none is not made up for by the default one. Readers see the same, and the
/// metric is the average of the default router.
#[test]
fn iv_95_views_have_routers_of_their_own() {
    let mut node = between_two();
    for seqno in 1..=5 {
        by(&mut node, B1, seqno, 225);
    }
    node.attach(1, Node::link(mac(1, 2)), 1);
    assert_eq!(node.router(FAR, View::Default), Some(hop(0, B1)));
    assert_eq!(node.router(FAR, View::Arrival(iface(0))), Some(hop(0, B1)));
    assert_eq!(node.router(FAR, View::Arrival(iface(1))), None, "no record since it is there");
    assert_eq!(node.iv.metric(FAR), Some(225));
    let fib = node.fib.reader();
    assert_eq!(fib.pin().originator(FAR).unwrap().metric(), 225);
    node.with(|iv, _, _| assert_eq!(iv.originators(), [B1, B2, FAR], "in order of addresses"));
    by(&mut node, B2, 6, 100);
    assert_eq!(
        fib.pin().originator(FAR).unwrap().metric(),
        225,
        "the router's, though it got a zero"
    );
    for seqno in 7..=10 {
        by(&mut node, B2, seqno, 100);
    }
    assert_eq!(fib.pin().originator(FAR).unwrap().metric(), 100);
}

/// The first route: known before, without a router.
#[test]
fn an_originator_is_known_before_it_is_reachable() {
    let mut node = Node::with_interfaces(&[ME]);
    node.hear(0, B1, ogm(B1, 1));
    node.drain();
    assert!(node.iv.knows(B1));
    assert_eq!((node.router(B1, View::Default), node.iv.metric(B1)), (None, None));
    assert_eq!(node.told, [Event::OriginatorAppeared(B1), Event::NeighbourAppeared(hop(0, B1))]);
    assert!(node.fib.reader().pin().originator(B1).is_some());
}
