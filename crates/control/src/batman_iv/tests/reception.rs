//! What is taken from a frame, what from a record, and what an echo counts (6.1, 6.2, 6.4).

use super::node::{Node, payload};
use super::{IvEvent, Mac, Ogm, OgmFlags, SeqNo, View, at, hop, iface, mac, ogm, repeated};
use crate::Link;
use noctule_fib::Counter;
use noctule_wire::Discard;

const ME: Mac = mac(1, 1);
const MY_SECOND: Mac = mac(1, 2);
const PEER: Mac = mac(2, 1);
const FAR: Mac = mac(3, 1);

/// IV-35: each row is refused for its reason, uncounted, and leaves no trace; then the same frame, untouched, counts.
#[test]
fn iv_35_frame_checks() {
    let good = payload(&[ogm(PEER, 1)]);
    let with = |index: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[index] = byte;
        bytes
    };
    #[rustfmt::skip]
    let rows: [(Mac, Mac, Vec<u8>, usize, Discard); 9] = [
        (Mac::BROADCAST,             PEER,                     good[..23].to_vec(), 0, Discard::Truncated),
        (Mac::BROADCAST,             PEER,                     Vec::new(),          0, Discard::Truncated),
        (Mac::BROADCAST,             PEER,                     with(0, 1),          0, Discard::Type),
        (Mac::BROADCAST,             PEER,                     with(1, 14),         0, Discard::Version),
        (ME,                         PEER,                     good.clone(),        0, Discard::Address),
        (Mac([1, 0, 0x5e, 0, 0, 1]), PEER,                     good.clone(),        0, Discard::Address),
        (Mac::BROADCAST,             Mac([3, 0, 0, 0, 0, 1]),  good.clone(),        0, Discard::Address),
        (Mac::BROADCAST,             Mac::ZERO,                good.clone(),        0, Discard::Address),
        (Mac::BROADCAST,             PEER,                     good.clone(),        1, Discard::Inactive),
    ];
    let mut node = Node::with_interfaces(&[ME]);
    node.attach(1, Link { up: false, ..Node::link(MY_SECOND) }, 1);
    for (destination, source, bytes, index, reason) in rows {
        let before = node.discarded(reason);
        node.receive_bytes(index, destination, source, &bytes);
        assert_eq!(node.discarded(reason), before + 1, "{reason:?}");
        assert_eq!((node.iv.len(), node.counters.get(Counter::MgmtRx)), (0, 0), "{reason:?}");
    }
    node.receive_bytes(0, Mac::BROADCAST, PEER, &good);
    assert_eq!(node.iv.len(), 1);
    assert_eq!(node.counters.get(Counter::MgmtRx), 1);
    assert_eq!(node.counters.get(Counter::MgmtRxBytes), 24 + 14);
}

/// IV-03, IV-36: records follow each other, any of them with TVLVs; what does not fit ends the walk, what came before
/// counts. A frame may be longer than 512 bytes.
#[test]
fn iv_03_iv_36_walking_the_records() {
    let tvlvs = [9, 9, 0, 2, 1, 2];
    let three = [
        ogm(PEER, 1),
        Ogm { tvlvs: &tvlvs, ..repeated(FAR, 1, mac(4, 1), 200) },
        repeated(mac(5, 1), 1, mac(4, 1), 200),
    ];
    let good = payload(&three);
    let known = |bytes: &[u8]| {
        let mut node = Node::with_interfaces(&[ME]);
        node.receive_bytes(0, Mac::BROADCAST, PEER, bytes);
        node.iv.len()
    };
    assert_eq!(known(&good), 3);
    for len in 24..good.len() {
        let whole = [24, 24 + 30, 24 + 30 + 24].iter().filter(|end| **end <= len).count();
        assert_eq!(known(&good[..len]), whole, "{len} bytes");
    }
    let mut odd = good.clone();
    odd[24 + 23] = 5;
    assert_eq!(known(&odd), 1, "an odd length ends it");
    let mut beyond = good.clone();
    beyond[24 + 22] = 0xff;
    beyond[24 + 23] = 0xfe;
    assert_eq!(known(&beyond), 1);
    let many: Vec<_> = (0..60).map(|index| repeated(mac(9, index), 1, mac(4, 1), 200)).collect();
    assert_eq!(known(&payload(&many)), 60, "1440 bytes");
}

/// IV-37, rows 1 to 6, and IV-H1, IV-H4: one record each behind a good one.
#[test]
fn iv_37_record_filter() {
    let mine = Ogm { ttl: 49, flags: OgmFlags::DIRECT_LINK, previous_sender: ME, ..ogm(ME, 1) };
    #[rustfmt::skip]
    let rows: [(&str, Ogm<'_>, bool, Discard); 8] = [
        ("3: my own OGM",              mine,                                                       false, Discard::Own),
        ("4: my own rebroadcast",      repeated(FAR, 1, ME, 200),                                  false, Discard::Own),
        ("4: of my other interface",   repeated(FAR, 1, MY_SECOND, 200),                           false, Discard::Own),
        ("5: not by its best",         Ogm { flags: OgmFlags::NOT_BEST, ..repeated(FAR, 1, mac(4, 1), 200) }, false, Discard::NotBest),
        ("6: entry made",              repeated(FAR, 1, mac(4, 1), 200),                           true,  Discard::UnknownNeighbour),
        ("H1: group originator",       repeated(Mac([3, 0, 0, 0, 0, 1]), 1, mac(4, 1), 200),       false, Discard::Malformed),
        ("H1: nobody as originator",   repeated(Mac::ZERO, 1, mac(4, 1), 200),                     false, Discard::Malformed),
        ("H1: nobody as last sender",  repeated(FAR, 1, Mac::ZERO, 200),                           false, Discard::Malformed),
    ];
    for (name, record, made, reason) in rows {
        let mut node = Node::with_interfaces(&[ME, MY_SECOND]);
        node.hear(0, PEER, record);
        assert_eq!(node.iv.len() == 1, made, "{name}");
        assert_eq!(node.discarded(reason), 1, "{name}");
    }
    // 1 and H4: other types and versions are skipped by their length, the walk goes on.
    for (index, byte, reason) in [(0, 1, Discard::Type), (1, 9, Discard::Version)] {
        let mut node = Node::with_interfaces(&[ME]);
        let mut bytes = payload(&[
            ogm(PEER, 1),
            Ogm { tvlvs: &[1, 1, 0, 0], ..ogm(FAR, 1) },
            ogm(mac(4, 1), 1),
        ]);
        bytes[24 + index] = byte;
        node.receive_bytes(0, Mac::BROADCAST, PEER, &bytes);
        assert_eq!((node.iv.len(), node.discarded(reason)), (2, 1));
        assert!(!crate::Routing::knows(&node.iv, FAR));
    }
    // 2: from myself, by whichever interface, also by the primary's address while its link is down.
    let mut node = Node::with_interfaces(&[ME, MY_SECOND]);
    node.hear(0, MY_SECOND, ogm(PEER, 1));
    node.change(0, |link| link.up = false);
    node.hear(1, ME, ogm(PEER, 1));
    assert_eq!((node.iv.len(), node.discarded(Discard::Own)), (0, 2));
}

/// Zero padding looks like a type 0 record of version 0: skipped.
#[test]
fn zero_padding_is_no_record() {
    let mut node = Node::with_interfaces(&[ME]);
    let mut bytes = payload(&[ogm(PEER, 1)]);
    bytes.resize(24 + 48, 0);
    node.receive_bytes(0, Mac::BROADCAST, PEER, &bytes);
    assert_eq!(node.iv.len(), 1);
}

/// An echo of the own OGM `seqno` from the peer.
fn echo(seqno: u32) -> Ogm<'static> {
    Ogm { ttl: 49, flags: OgmFlags(5), tq: 0, ..ogm(ME, seqno) }
}

/// A node that sent 1000..=1069, and a peer it heard once.
fn echo_node() -> Node {
    let mut node = Node::with_interfaces(&[ME, MY_SECOND]);
    node.hear(0, PEER, ogm(PEER, 1));
    for _ in 0..70 {
        node.prepare(0);
    }
    node
}

/// IV-38, IV-39, IV-41: position 0 is the OGM sent last, 63 the oldest that counts; the prepared one and inventions do
/// not; a repetition has no effect. TQ 0 and the not-best flag do not matter.
#[test]
fn iv_38_iv_39_iv_41_echo_positions() {
    #[rustfmt::skip]
    let rows = [
        (1069, 1, "sent last"),
        (1006, 1, "63 before"),
        (1005, 0, "64 before"),
        (1070, 0, "prepared, not sent"),
        (1071, 0, "invented"),
        (1069_u32.wrapping_add(1 << 31), 0, "invented, far"),
    ];
    for (seqno, expected, because) in rows {
        let mut node = echo_node();
        node.hear(0, PEER, echo(seqno));
        assert_eq!(node.echoes(PEER, 0), expected, "{because}");
        node.hear(0, PEER, echo(seqno));
        assert_eq!(node.echoes(PEER, 0), expected, "{because}, again");
    }
    let mut node = echo_node();
    for seqno in 1006..=1069 {
        node.hear(0, PEER, echo(seqno));
    }
    assert_eq!(node.echoes(PEER, 0), 64);
    node.prepare(0);
    assert_eq!(node.echoes(PEER, 0), 63, "until the new echo arrives");
    node.hear(0, PEER, echo(1070));
    assert_eq!(node.echoes(PEER, 0), 64);
}

/// IV-38: what is no echo: without the direct-link flag, of another interface's OGM, heard on another interface.
#[test]
fn iv_38_only_echoes_of_the_receiving_interface_count() {
    let mut node = echo_node();
    node.hear(1, PEER, ogm(PEER, 2));
    node.hear(0, PEER, Ogm { flags: OgmFlags::NOT_BEST, ..echo(1069) });
    node.hear(1, PEER, echo(1069));
    node.hear(0, PEER, Ogm { originator: MY_SECOND, previous_sender: MY_SECOND, ..echo(1999) });
    assert_eq!((node.echoes(PEER, 0), node.echoes(PEER, 1)), (0, 0));
    assert!(!node.iv.has_echoed(PEER));
    node.hear(0, PEER, echo(1069));
    assert_eq!(
        (node.echoes(PEER, 0), node.echoes(PEER, 1)),
        (1, 0),
        "for the link it was heard on"
    );
    assert!(node.iv.has_echoed(PEER), "TT-84");
    node.prepare(0);
    assert_eq!(node.echoes(PEER, 0), 1);
}

/// IV-38: the echo is accounted to the source of the frame, not to the node behind it.
#[test]
fn iv_38_iv_10_the_echo_belongs_to_the_neighbours_interface() {
    let mut node = Node::with_interfaces(&[ME]);
    let second = mac(2, 2);
    node.hear(0, second, Ogm { ttl: 2, ..ogm(second, 1) });
    node.hear(0, second, Ogm { ttl: 50, ..ogm(PEER, 1) });
    node.prepare(0);
    node.hear(0, second, echo(1000));
    assert_eq!((node.echoes(second, 0), node.echoes(PEER, 0)), (1, 0));
}

/// IV-40: before an OGM of the neighbour there is nowhere to count, and no entry is made for who only echoes.
#[test]
fn iv_40_first_echoes_are_lost() {
    let mut node = Node::with_interfaces(&[ME]);
    node.prepare(0);
    node.hear(0, PEER, echo(1000));
    assert_eq!(node.iv.len(), 0);
    node.hear(0, PEER, ogm(PEER, 1));
    assert_eq!(node.echoes(PEER, 0), 0);
    node.hear(0, PEER, echo(1000));
    assert_eq!(node.echoes(PEER, 0), 1);
}

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
    node.warm(&[(0, d)], 100);
    for seqno in 1..5 {
        node.hear(0, d, repeated(b, seqno, b, 225));
        node.hear(0, b, Ogm { tq: 1, ..ogm(b, seqno) });
    }
    assert_eq!(node.router(b, View::Default), Some(hop(0, d)));
}

/// The TVLV events so far, as (originator, had a router, area).
fn tvlv_events(node: &mut Node) -> Vec<(Mac, bool, Vec<u8>)> {
    node.events()
        .into_iter()
        .filter_map(|event| match event {
            IvEvent::Tvlvs { originator, had_router, area } => Some((originator, had_router, area)),
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
