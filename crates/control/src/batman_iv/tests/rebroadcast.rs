//! What is repeated, where, with which fields (section 9).

use super::node::Node;
use super::{Mac, Ogm, OgmFlags, SeqNo, View, hop, iface, mac, ogm, repeated};
use crate::{IfaceSettings, Link};

const ME: Mac = mac(1, 1);
const MY_SECOND: Mac = mac(1, 2);
const PEER: Mac = mac(2, 1);
const OTHER: Mac = mac(4, 1);
const FAR: Mac = mac(3, 1);

/// A node with two interfaces and a perfect neighbour on each: PEER on 0, OTHER on 1.
fn warm_node() -> Node {
    let mut node = Node::with_interfaces(&[ME, MY_SECOND]);
    node.warm(&[(0, PEER), (1, OTHER)], 100);
    node
}

/// What is repeated of one record, as (interface, TTL, flags, TQ, previous sender).
fn repeats_of(
    node: &mut Node,
    index: usize,
    from: Mac,
    ogm: Ogm<'_>,
) -> Vec<(usize, u8, u8, u8, Mac)> {
    node.hear(index, from, ogm);
    let mut repeats: Vec<_> = node
        .repeats()
        .into_iter()
        .map(|(index, ogm)| (index, ogm.ttl, ogm.flags.0, ogm.tq, ogm.previous_sender))
        .collect();
    repeats.sort_unstable();
    repeats
}

/// IV-83, IV-84, IV-30: the fields of a repeated record; the direct-link flag only where it came from.
#[test]
fn iv_83_iv_84_fields_of_a_direct_record() {
    let mut node = warm_node();
    let tvlvs = [4, 1, 0, 2, 5, 5];
    node.hear(0, PEER, Ogm { tvlvs: &tvlvs, reserved: 7, ..ogm(PEER, 101) });
    node.mute();
    let sent = node.run(300);
    let mut outgoing = Vec::new();
    for sent in &sent {
        let records = sent.records();
        assert_eq!(records.len(), 1);
        let direct_link = if sent.iface == iface(0) { OgmFlags::DIRECT_LINK } else { OgmFlags(0) };
        let expected = Ogm {
            ttl: 49,
            flags: direct_link,
            seqno: SeqNo(101),
            originator: PEER,
            previous_sender: PEER,
            reserved: 7,
            tq: 225,
            tvlvs: &tvlvs,
        };
        assert_eq!(records[0], expected);
        outgoing.push(sent.iface);
    }
    outgoing.sort();
    assert_eq!(outgoing, [iface(0), iface(1)]);
}

/// IV-78: OGMs of secondary interfaces are answered only where they were heard.
#[test]
fn iv_78_ttl_2_is_answered_only_where_it_was_heard() {
    let mut node = warm_node();
    let answers = repeats_of(&mut node, 0, PEER, Ogm { ttl: 2, ..ogm(PEER, 101) });
    assert_eq!(answers, [(0, 1, 4, 225, PEER)]);
    let answers = repeats_of(&mut node, 0, PEER, Ogm { ttl: 3, ..ogm(PEER, 102) });
    assert_eq!(answers, [(0, 2, 4, 225, PEER), (1, 2, 0, 225, PEER)]);
}

/// IV-79, IV-82, IV-85: a direct record is answered whatever the link is worth: TQ 0, duplicate, not the best.
#[test]
fn iv_79_iv_82_iv_85_direct_records_are_always_answered() {
    let mut node = Node::with_interfaces(&[ME]);
    let answers = repeats_of(&mut node, 0, PEER, ogm(PEER, 101));
    assert_eq!(answers, [(0, 49, 5, 0, PEER)], "nothing measured yet: TQ 0, not best");
    let mut node = warm_node();
    for _ in 0..2 {
        let answers = repeats_of(&mut node, 0, PEER, ogm(PEER, 101));
        assert_eq!(answers, [(0, 49, 4, 225, PEER), (1, 49, 0, 225, PEER)], "duplicates too");
    }
}

/// The second vector of section 2: the first answer to a secondary interface.
#[test]
fn iv_01_the_answer_to_a_secondary_interface_is_the_vector() {
    let mut node = Node::with_interfaces(&[mac(3, 1)]);
    let second = mac(2, 2);
    node.mute();
    node.hear(0, second, Ogm { ttl: 2, ..ogm(second, 0x811f_d035) });
    let sent = node.run(200);
    let hex: String = sent[0].frame.iter().map(|byte| format!("{byte:02x}")).collect();
    let vector = "ffffffffffff02ba000003014305000f0105811fd03502ba0000020202ba00000202000000"
        .to_owned()
        + "00";
    assert_eq!(hex, vector);
}

/// IV-80: multi-hop records need a usable link, and are repeated once for each neighbour that delivers them; a duplicate
/// of another's is acceptable.
#[test]
fn iv_80_multi_hop_records() {
    let mut node = warm_node();
    for seqno in 1..3 {
        repeats_of(&mut node, 0, PEER, repeated(FAR, seqno, mac(8, 1), 225));
    }
    let once = repeats_of(&mut node, 0, PEER, repeated(FAR, 3, mac(8, 1), 225));
    assert_eq!(once, [(0, 48, 0, 198, PEER), (1, 48, 0, 198, PEER)]);
    assert_eq!(repeats_of(&mut node, 0, PEER, repeated(FAR, 3, mac(8, 1), 225)), [], "NEIGH_DUP");
    assert_eq!(repeats_of(&mut node, 1, OTHER, repeated(FAR, 4, mac(9, 1), 225)), [], "not best");
    let late = repeats_of(&mut node, 0, PEER, repeated(FAR, 4, mac(8, 1), 225));
    assert_eq!(late, [(0, 48, 0, 198, PEER), (1, 48, 0, 198, PEER)], "ORIG_DUP from the best");
    // IV-65: TQ 1 makes a link bidirectional; what is forwarded of it may be 0.
    let tiny = repeats_of(&mut node, 0, PEER, repeated(FAR, 5, mac(8, 1), 1));
    assert_eq!(tiny, [(0, 48, 0, 0, PEER), (1, 48, 0, 0, PEER)], "TQ 1 is usable and becomes 0");
    for _ in 0..64 {
        node.prepare(0);
    }
    assert_eq!(
        repeats_of(&mut node, 0, PEER, repeated(FAR, 6, mac(8, 1), 225)),
        [],
        "no echo any more"
    );
    assert_eq!(node.received(FAR, View::Default, hop(0, PEER)), Some(5), "but received");
}

/// IV-81: the TTL ends the way, of direct records too.
#[test]
fn iv_81_ttl() {
    let mut node = warm_node();
    for (seqno, ttl) in [(101, 1), (102, 0)] {
        assert_eq!(repeats_of(&mut node, 0, PEER, Ogm { ttl, ..ogm(PEER, seqno) }), []);
    }
    for seqno in 1..3 {
        repeats_of(&mut node, 0, PEER, repeated(FAR, seqno, mac(8, 1), 225));
    }
    for (seqno, ttl) in [(3, 1), (4, 0)] {
        let record = Ogm { ttl, ..repeated(FAR, seqno, mac(8, 1), 225) };
        assert_eq!(repeats_of(&mut node, 0, PEER, record), []);
    }
    let last = repeats_of(&mut node, 0, PEER, Ogm { ttl: 2, ..repeated(FAR, 5, mac(8, 1), 225) });
    assert_eq!(last, [(0, 1, 0, 198, PEER), (1, 1, 0, 198, PEER)]);
}

/// IV-53, IV-86: what counts is the router before the record: the one that brings the route is not forwarded.
#[test]
fn iv_53_iv_86_forwarding_starts_with_the_next_number() {
    let mut node = warm_node();
    assert_eq!(repeats_of(&mut node, 0, PEER, repeated(FAR, 1, mac(8, 1), 225)), []);
    assert_eq!(node.router(FAR, View::Arrival(iface(1))), Some(hop(0, PEER)));
    assert_eq!(repeats_of(&mut node, 0, PEER, repeated(FAR, 2, mac(8, 1), 225)).len(), 2);
    // IV-53 compares the neighbour, not the interface: the same one, heard on the other interface.
    node.beat(&[(0, PEER), (1, PEER)], 101);
    node.beat(&[(0, PEER), (1, PEER)], 102);
    node.repeats();
    assert_eq!(repeats_of(&mut node, 1, PEER, repeated(FAR, 3, mac(8, 1), 225)).len(), 2);
}

/// IV-82: a direct record of a neighbour whose best way is another one says so.
#[test]
fn iv_82_not_best_flag() {
    let mut node = warm_node();
    for seqno in 101..104 {
        node.hear(1, OTHER, repeated(PEER, seqno, mac(9, 1), 255));
        node.hear(0, PEER, Ogm { tq: 50, ..ogm(PEER, seqno) });
    }
    for seqno in 104..110 {
        node.hear(1, OTHER, repeated(PEER, seqno, mac(9, 1), 255));
        node.hear(0, PEER, Ogm { tq: 50, ..ogm(PEER, seqno) });
    }
    assert_eq!(node.router(PEER, View::Default), Some(hop(1, OTHER)));
    node.repeats();
    let answers = repeats_of(&mut node, 0, PEER, ogm(PEER, 110));
    assert_eq!(answers, [(0, 49, 5, 225, PEER), (1, 49, 1, 225, PEER)]);
}

/// IV-87: once from the primary's address, and once from the secondary's that is the router.
#[test]
fn iv_87_one_copy_for_each_way_that_counts() {
    let second = mac(2, 2);
    let mut node = Node::with_interfaces(&[ME, MY_SECOND]);
    for seqno in 100..104 {
        node.prepare(0);
        node.prepare(1);
        node.hear_echo(0, PEER, 0);
        node.hear_echo(1, second, 0);
        node.hear(1, second, Ogm { ttl: 2, ..ogm(second, seqno) });
        node.hear(1, second, ogm(PEER, seqno));
    }
    assert_eq!(node.router(PEER, View::Arrival(iface(0))), Some(hop(1, second)));
    node.repeats();
    node.prepare(1);
    node.hear_echo(1, second, 0);
    let by_router = repeats_of(&mut node, 1, second, ogm(PEER, 104));
    assert_eq!(by_router.len(), 2);
    assert!(
        by_router.iter().all(|row| row.1 == 49 && row.2 == 0 && row.4 == second),
        "{by_router:?}"
    );
    let direct = repeats_of(&mut node, 0, PEER, ogm(PEER, 104));
    let flags: Vec<_> = direct.iter().map(|row| (row.0, row.2, row.4)).collect();
    assert_eq!(flags, [(0, 5, PEER), (1, 1, PEER)]);
}

/// IV-09, IV-63, IV-111: each view works on a copy of its own: the half-duplex penalty of a wireless interface shows in
/// what leaves by that interface, and nowhere else; that of an interface shows everywhere.
#[test]
fn iv_09_iv_63_iv_111_private_copies_and_penalties() {
    let wifi = |mac| Link { wifi: true, ..Node::link(mac) };
    let mut node = Node::new(1);
    node.attach(0, wifi(ME), 1000);
    node.attach(1, Node::link(MY_SECOND), 2000);
    node.attach(2, wifi(mac(1, 3)), 3000);
    node.warm(&[(0, PEER)], 100);
    let answers = repeats_of(&mut node, 0, PEER, ogm(PEER, 101));
    assert_eq!(
        answers,
        [(0, 49, 4, 198, PEER), (1, 49, 0, 225, PEER), (2, 49, 0, 225, PEER)],
        "225 * 225 / 255 where it came from; another wireless interface is another radio"
    );
    assert_eq!(node.average(PEER, View::Default, hop(0, PEER)), Some(255));
    assert_eq!(node.average(PEER, View::Arrival(iface(0)), hop(0, PEER)), Some(225));
    assert_eq!(node.average(PEER, View::Arrival(iface(1)), hop(0, PEER)), Some(255));

    let mut node = Node::new(1);
    node.attach_with(
        0,
        wifi(ME),
        IfaceSettings { hop_penalty: 55, ..IfaceSettings::default() },
        1000,
    );
    node.attach(1, Node::link(MY_SECOND), 2000);
    node.warm(&[(0, PEER)], 100);
    let answers = repeats_of(&mut node, 0, PEER, ogm(PEER, 101));
    assert_eq!(
        answers,
        [(0, 49, 4, 155, PEER), (1, 49, 0, 176, PEER)],
        "176 * 225 / 255, 200 * 225 / 255"
    );
    assert_eq!(node.average(PEER, View::Default, hop(0, PEER)), Some(200));
}

/// FWD-130, FWD-131: the node's hop penalty is a setting, applied to what is forwarded only.
#[test]
fn fwd_131_hop_penalty_setting() {
    let mut node = warm_node();
    for (seqno, penalty, tq) in [(101, 0, 255), (102, 120, 135), (103, 255, 0)] {
        node.settings.hop_penalty = penalty;
        let answers = repeats_of(&mut node, 0, PEER, ogm(PEER, seqno));
        assert!(answers.iter().all(|row| row.3 == tq), "{penalty}: {answers:?}");
    }
    assert_eq!(node.average(PEER, View::Default, hop(0, PEER)), Some(255));
}

/// IV-59: the default view decides nothing about repeating; without any other view there is nothing to repeat.
#[test]
fn iv_59_views_of_interfaces_decide_what_leaves() {
    let mut node = warm_node();
    for seqno in 1..4 {
        node.hear(0, PEER, repeated(FAR, seqno, mac(8, 1), 225));
    }
    node.repeats();
    // In the view of interface 1 the router is lost, in the others not.
    let slot = node.iv.originators.slot(FAR).unwrap();
    let lost = crate::decisions::Decided::new(crate::decisions::Reason::TimedOut, 0);
    node.with(|iv, ctx, _| iv.set_router(ctx, slot, View::Arrival(iface(1)), None, lost));
    let sent = repeats_of(&mut node, 0, PEER, repeated(FAR, 4, mac(8, 1), 225));
    assert_eq!(sent, [(0, 48, 0, 198, PEER)]);
}
