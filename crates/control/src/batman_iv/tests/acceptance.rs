//! Which records are used, what for, and what they make known (6.4).

use super::node::Node;
use super::{Mac, Ogm, OgmFlags, SeqNo, View, at, hop, iface, mac, ms, ogm, repeated};
use crate::routing::RoutingEvent;
use noctule_wire::Discard;

const ME: Mac = mac(1, 1);
const MY_SECOND: Mac = mac(1, 2);
const PEER: Mac = mac(2, 1);
const FAR: Mac = mac(3, 1);

/// IV-50: nothing else of a protected record is used.
#[test]
fn iv_50_a_protected_record_is_dropped() {
    let mut node = Node::with_interfaces(&[ME]);
    for seqno in 0..5 {
        node.beat(&[(0, PEER)], 0x8000_0000 + seqno);
    }
    node.forget_queued();
    node.hear(0, PEER, Ogm { tvlvs: &[4, 1, 0, 0], ..ogm(PEER, 5) });
    assert_eq!(node.discarded(Discard::Protected), 1);
    assert!(node.events().is_empty() && node.repeats().is_empty());
}

/// IV-52, IV-105: only its own OGMs refresh a neighbour.
#[test]
fn iv_52_direct_ogms_refresh_the_neighbour() {
    let mut node = Node::with_interfaces(&[ME]);
    node.warm(&[(0, PEER)], 100);
    node.now = at(5000);
    node.hear(0, PEER, repeated(FAR, 1, FAR, 225));
    assert_eq!(node.iv.neighbour_rows(node.now)[0].last_seen.as_millis(), 4000);
    node.hear(0, PEER, ogm(PEER, 101));
    assert_eq!(node.iv.neighbour_rows(node.now)[0].last_seen.as_millis(), 0);
}

/// IV-54: a record that went through my own next hop, which I reach directly, is dropped; it is used when one of the
/// conditions does not hold.
#[test]
fn iv_54_loop_guard() {
    let (b, d) = (mac(2, 1), mac(4, 1));
    let mut node = Node::with_interfaces(&[ME]);
    node.warm(&[(0, b), (0, d)], 100);
    for seqno in 1..5 {
        node.hear(0, b, repeated(FAR, seqno, FAR, 225));
    }
    assert_eq!(node.router(FAR, View::Default), Some(hop(0, b)));
    node.hear(0, d, repeated(FAR, 4, b, 198));
    assert_eq!(node.average(FAR, View::Default, hop(0, d)), None, "came through b, my next hop");
    node.hear(0, d, repeated(FAR, 4, mac(5, 1), 198));
    assert_eq!(node.average(FAR, View::Default, hop(0, d)), Some(198), "came another way");
    // Towards b itself: originator and last sender are the same, a copy by d is welcome.
    node.hear(0, d, repeated(b, 101, b, 225));
    node.hear(0, d, repeated(b, 100, b, 225));
    assert!(node.average(b, View::Default, hop(0, d)).is_some());
    // b is my next hop, but I reach b by d: then a record through b is not one that I could have had myself.
    let mut node = Node::with_interfaces(&[ME]);
    node.warm(&[(0, b), (0, d)], 100);
    for seqno in 1..5 {
        node.hear(0, b, repeated(FAR, seqno, FAR, 225));
    }
    for seqno in 101..110 {
        node.hear(0, d, repeated(b, seqno, mac(6, 1), 225));
        node.hear(0, b, Ogm { tq: 1, ..ogm(b, seqno) });
    }
    assert_eq!(node.router(b, View::Default), Some(hop(0, d)));
    assert_eq!(node.router(FAR, View::Default), Some(hop(0, b)));
    node.hear(0, d, repeated(FAR, 4, b, 198));
    assert_eq!(node.average(FAR, View::Default, hop(0, d)), Some(198));
}

/// The TVLV events so far, as (originator, had a router, area).
fn tvlv_events(node: &mut Node) -> Vec<(Mac, bool, Vec<u8>)> {
    node.events()
        .into_iter()
        .filter_map(|event| match event {
            RoutingEvent::Tvlvs { originator, had_router, area } => {
                Some((originator, had_router, area))
            }
            _ => None,
        })
        .collect()
}

/// IV-55, TVLV-20, TVLV-22: TVLVs are taken before anything is known of the link, once for each OGM, whatever copy
/// brings them; none is nothing at all; a reset counts as newer.
#[test]
fn iv_55_tvlvs_are_handed_on_once_for_each_ogm() {
    const A: &[u8] = &[4, 1, 0, 0];
    const B: &[u8] = &[4, 1, 0, 2, 7, 7];
    const NONE: &[u8] = &[];
    let mut node = Node::with_interfaces(&[ME, MY_SECOND]);
    let stranger = mac(7, 1);
    #[rustfmt::skip]
    let rows = [
        (    0, stranger, 100, A,   true,  "by a neighbour of whom nothing is known"),
        (    1, PEER,     100, A,   false, "the same OGM"),
        (    2, PEER,     101, NONE, false, "without any"),
        (    3, PEER,     103, B,   true,  "newer"),
        (    4, PEER,     102, A,   false, "older"),
        (    5, PEER,     104, B,   true,  "newer, with the same content"),
        (40000, PEER,      30, A,   true,  "starts over (74 back)"),
        (40001, PEER,     105, B,   true,  "a late copy of its former life: 75 ahead"),
        (40002, PEER,      29, A,   false, "protected: no second reset so soon"),
        (40003, PEER,     106, B,   true,  "newer"),
        (40004, PEER,     106, B,   false, "again"),
    ];
    for (time, from, seqno, area, expected, because) in rows {
        node.now = at(time);
        node.hear(
            0,
            from,
            Ogm { tvlvs: area, ttl: 49, previous_sender: mac(8, 1), ..ogm(PEER, seqno) },
        );
        let events = tvlv_events(&mut node);
        let expected = if expected { vec![(PEER, false, area.to_vec())] } else { Vec::new() };
        assert_eq!(events, expected, "{because}");
    }
}

/// TVLV-22: an originator that counts anew is newer, whether the windows notice (more than 63 behind the last number,
/// though that OGM had no TVLVs) or nobody delivers it so that there are none.
#[test]
fn iv_55_tvlvs_of_an_originator_that_counts_anew() {
    const AREA: &[u8] = &[4, 1, 0, 0];
    let mut node = Node::with_interfaces(&[ME]);
    for (seqno, tvlvs) in [(139, AREA), (140, AREA), (200, &[]), (201, &[])] {
        node.hear(0, PEER, Ogm { tvlvs, ..ogm(PEER, seqno) });
    }
    node.events();
    node.now = at(40_000);
    node.hear(0, PEER, Ogm { tvlvs: AREA, ..ogm(PEER, 130) });
    assert_eq!(
        tvlv_events(&mut node).len(),
        1,
        "71 behind the last number, 10 behind the last TVLVs"
    );
    let stranger = mac(7, 1);
    for (seqno, taken) in [(100, true), (37, false), (36, true)] {
        node.hear(0, stranger, Ogm { tvlvs: AREA, ..repeated(FAR, seqno, mac(8, 1), 225) });
        assert_eq!(tvlv_events(&mut node).len(), usize::from(taken), "{seqno}");
    }
}

/// TT-84: the event tells whether there was a default route before the very record.
#[test]
fn iv_55_tt_84_had_router_is_as_of_before_the_record() {
    let mut node = Node::with_interfaces(&[ME]);
    let mut had = Vec::new();
    for seqno in 1..=4 {
        node.prepare(0);
        node.hear_echo(0, PEER, 0);
        node.hear(0, PEER, Ogm { tvlvs: &[4, 1, 0, 0], ..ogm(PEER, seqno) });
        had.extend(tvlv_events(&mut node).into_iter().map(|(_, had, _)| had));
        assert_eq!(node.router(PEER, View::Default).is_some(), seqno >= 2);
    }
    assert_eq!(had, [false, false, true, true]);
}

/// IV-56: multi-hop records by a neighbour to whom there is no route in that view are not used.
#[test]
fn iv_56_unknown_neighbours_lead_nowhere() {
    let mut node = Node::with_interfaces(&[ME]);
    node.hear(0, PEER, repeated(FAR, 1, mac(8, 1), 225));
    assert_eq!(node.discarded(Discard::UnknownNeighbour), 1);
    assert_eq!(node.rows(), []);
    assert!(node.repeats().is_empty());
    node.warm(&[(0, PEER)], 100);
    node.hear(0, PEER, repeated(FAR, 2, mac(8, 1), 225));
    assert_eq!(node.router(FAR, View::Default), Some(hop(0, PEER)));
}

/// IV-57, IV-60: sides of a measurement: the originator is seen also if the link is not usable, its neighbour only by
/// its own OGMs.
#[test]
fn iv_60_what_a_measurement_refreshes() {
    let mut node = Node::with_interfaces(&[ME]);
    node.warm(&[(0, PEER)], 100);
    for _ in 0..64 {
        node.prepare(0);
    }
    assert_eq!(node.echoes(PEER, 0), 0, "the link is not usable");
    node.now = at(9000);
    node.hear(0, PEER, repeated(FAR, 1, mac(8, 1), 225));
    let seen =
        |node: &Node, originator: Mac| node.iv.originators.find(originator).unwrap().last_seen;
    assert_eq!((seen(&node, FAR), seen(&node, PEER)), (at(9000), at(1000)));
    assert_eq!(node.average(FAR, View::Default, hop(0, PEER)), None, "not ranked");
    let link = |node: &Node| node.iv.originators.find(PEER).unwrap().candidates[0].last_seen;
    assert_eq!(link(&node), at(1000));
    node.hear(0, PEER, ogm(PEER, 101));
    assert_eq!((link(&node), seen(&node, PEER)), (at(9000), at(9000)));
}

/// IV-58: which copies count: fresh ones, and others with the newest number and a TTL not more than 3 below that of the
/// first copy.
#[test]
fn iv_58_which_copies_count() {
    let other = mac(4, 1);
    #[rustfmt::skip]
    let rows = [
        // number, TTL, counts, because
        (201, 20, true,  "fresh, whatever its TTL"),
        (200, 45, true,  "newest, same TTL"),
        (200, 42, true,  "newest, 3 less"),
        (200, 41, false, "newest, 4 less: came a long way round"),
        (200, 50, true,  "newest, more"),
        (199, 45, false, "not the newest any more"),
    ];
    for (seqno, ttl, counts, because) in rows {
        let mut node = Node::with_interfaces(&[ME]);
        node.warm(&[(0, PEER), (0, other)], 100);
        for seqno in 190..=200 {
            node.hear(0, PEER, Ogm { ttl: 45, ..repeated(FAR, seqno, mac(8, 1), 225) });
        }
        node.hear(0, other, Ogm { ttl, ..repeated(FAR, seqno, mac(9, 1), 225) });
        assert_eq!(node.average(FAR, View::Default, hop(0, other)).is_some(), counts, "{because}");
    }
    // IV-58: the very same neighbour again, with the newest number: counts once more.
    let mut node = Node::with_interfaces(&[ME]);
    node.warm(&[(0, PEER)], 100);
    node.hear(0, PEER, Ogm { tq: 100, ..ogm(PEER, 100) });
    assert_eq!(node.average(PEER, View::Default, hop(0, PEER)), Some(224), "(4 * 255 + 100) / 5");
}

/// IV-H2, IV-H3: the tables have bounds, and what is in them goes on.
#[test]
fn tables_are_bounded() {
    let mut node = Node::with_interfaces(&[ME]);
    node.settings.limits.originators = 3;
    node.settings.limits.candidates = 2;
    let neighbours = [mac(2, 1), mac(3, 1), mac(4, 1)];
    node.warm(&neighbours.map(|mac| (0, mac)), 100);
    node.hear(0, PEER, repeated(mac(9, 1), 1, mac(8, 1), 225));
    assert_eq!(node.iv.len(), 3);
    assert_eq!(node.discarded(Discard::TableFull), 1);
    let fib = node.fib.reader();
    assert!(fib.pin().originator(mac(9, 1)).is_none());
    for from in [mac(3, 1), mac(4, 1)] {
        node.hear(0, from, repeated(PEER, 101, mac(8, 1), 225));
    }
    assert_eq!(node.iv.originators.find(PEER).unwrap().candidates.len(), 2);
    node.beat(&[(0, PEER)], 102);
    assert_eq!(node.router(PEER, View::Default), Some(hop(0, PEER)));
    assert_eq!(node.iv.originators.find(PEER).unwrap().last_seen, node.now);
}

/// IV-H2: invented originators make room for each other and for real ones; those with a route stay, however many come.
#[test]
fn a_flood_of_invented_originators_shuts_nobody_out() {
    let mut node = Node::with_interfaces(&[ME]);
    node.settings.limits.originators = 200;
    node.warm(&[(0, PEER)], 100);
    let liar = mac(7, 7);
    for number in 0..1000_u32 {
        let [.., high, low] = number.to_be_bytes();
        node.hear(0, liar, repeated(Mac([2, 0xee, 0, 0, high, low]), 1, mac(8, 1), 225));
        node.now += ms(5);
    }
    assert!(node.iv.len() <= 200);
    // A real neighbour appears meanwhile: three rounds, with eighty inventions in each.
    let newcomer = mac(3, 1);
    for round in 101..104 {
        node.beat(&[(0, PEER), (0, newcomer)], round);
        for number in 0..80_u32 {
            let [.., low] = number.to_be_bytes();
            let invented = Mac([2, 0xdd, 0, 0, round as u8, low]);
            node.hear(0, liar, repeated(invented, 1, mac(8, 1), 225));
        }
    }
    assert_eq!(node.router(PEER, View::Default), Some(hop(0, PEER)));
    assert_eq!(node.router(newcomer, View::Default), Some(hop(0, newcomer)));
}

/// IV-08: a view comes to be with the first record that it judges, and there is one for each active interface.
#[test]
fn iv_08_views_are_made_lazily() {
    let mut node = Node::with_interfaces(&[ME]);
    node.hear(0, PEER, ogm(PEER, 1));
    let views = |node: &Node| {
        let entry = node.iv.originators.find(PEER).unwrap();
        [View::Default, View::Arrival(iface(0)), View::Arrival(iface(1))]
            .map(|view| entry.view(view).is_some())
    };
    assert_eq!(views(&node), [true, true, false]);
    node.attach(1, Node::link(MY_SECOND), 1);
    assert_eq!(views(&node), [true, true, false]);
    node.hear(0, PEER, ogm(PEER, 2));
    assert_eq!(views(&node), [true, true, true]);
}

/// IV-07: one neighbour on two of our interfaces is two candidates.
#[test]
fn iv_07_candidates_differ_by_interface() {
    let mut node = Node::with_interfaces(&[ME, MY_SECOND]);
    node.warm(&[(0, PEER), (1, PEER)], 100);
    let entry = node.iv.originators.find(PEER).unwrap();
    let hops: Vec<_> = entry.candidates.iter().map(|candidate| candidate.hop).collect();
    assert_eq!(hops, [hop(0, PEER), hop(1, PEER)]);
}

/// IV-01: unknown flags pass unchanged, and do not matter.
#[test]
fn iv_01_other_flags_are_forwarded_unchanged() {
    let mut node = Node::with_interfaces(&[ME]);
    node.warm(&[(0, PEER)], 100);
    node.hear(0, PEER, Ogm { flags: OgmFlags(0x02 | 0xf0), reserved: 0x5a, ..ogm(PEER, 101) });
    let [(0, answer)] = node.repeats()[..] else { panic!("one answer") };
    assert_eq!((answer.flags, answer.reserved), (OgmFlags(0x02 | 0xf0 | 0x04), 0x5a));
    assert_eq!(answer.seqno, SeqNo(101));
}
