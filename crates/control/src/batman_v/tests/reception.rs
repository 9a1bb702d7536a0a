//! Section 9: what a record must be to count.

use super::node::{Node, payload};
use super::*;
use crate::{Event, Routing};
use noctule_wire::Discard;

fn node() -> Node {
    let mut node = Node::with_interfaces(&[ME, mac(1, 2)]);
    node.befriend(0, PEER, 1000);
    node.befriend(1, OTHER, 500);
    node.v.next_ogm = None;
    node
}

#[test]
fn v_101_which_frames_count() {
    let mut node = node();
    let bytes = payload(&[ogm(FAR, 70_000, 500)]);
    assert_eq!(node.ogm_bytes(0, PEER, &bytes[..19]), Err(Discard::Truncated));
    let mut version = bytes.clone();
    version[1] = 14;
    assert_eq!(node.ogm_bytes(0, PEER, &version), Err(Discard::Version));
    assert_eq!(node.ogm_bytes(0, mac(1, 2), &bytes), Err(Discard::Own));
    assert_eq!(node.ogm_bytes(3, PEER, &bytes), Err(Discard::Inactive));
    assert!(!node.v.knows(FAR));
    assert_eq!(node.counted(noctule_fib::Counter::MgmtRx), 0);
    assert_eq!(node.ogm_bytes(0, PEER, &bytes), Ok(()));
    assert_eq!(node.counted(noctule_fib::Counter::MgmtRx), 1);
}

#[test]
fn v_46_v_47_v_48_v_51_v_h1_v_h3_records_that_leave_no_trace() {
    let mut node = node();
    let known = node.v.len();
    let zero = ogm(FAR, 70_000, 0);
    for (record, reason) in [
        (ogm(ME, 70_000, 500), Discard::Own),
        (ogm(mac(1, 2), 70_000, 500), Discard::Own),
        (zero, Discard::ZeroThroughput),
        (ogm(Mac::ZERO, 70_000, 500), Discard::Malformed),
        (ogm(Mac::BROADCAST, 70_000, 500), Discard::Malformed),
    ] {
        let before = node.discarded(reason);
        node.hear(0, PEER, record);
        assert_eq!(node.discarded(reason), before + 1, "{record:?}");
    }
    node.hear(0, FAR, ogm(FAR, 70_000, 500));
    assert_eq!(node.discarded(Discard::UnknownNeighbour), 1, "V-48");
    let mut inner = payload(&[ogm(PEER, 70_000, 500), ogm(FAR, 70_000, 500)]);
    inner[20] = 3;
    node.ogm_bytes(0, PEER, &inner).unwrap();
    assert!(node.discarded(Discard::Type) == 1, "V-H3");
    let mut padded = payload(&[ogm(PEER, 70_001, 500)]);
    padded.resize(46, 0);
    node.ogm_bytes(0, PEER, &padded).unwrap();
    let mut odd = payload(&[ogm(FAR, 70_000, 500)]);
    odd[15] = 3;
    odd.extend([0; 3]);
    node.ogm_bytes(0, PEER, &odd).unwrap();
    assert_eq!(node.discarded(Discard::OddLength), 1);
    assert_eq!(node.v.len(), known, "no state was made");
    assert!(node.router(PEER, View::Default).is_some());
}

#[test]
fn v_49_v_50_the_slower_of_path_and_link_counts() {
    let mut node = node();
    node.hear(0, PEER, ogm(FAR, 70_000, 5000));
    assert_eq!(node.stored(FAR, View::Default, hop(0, PEER)), Some(1000));
    node.hear(0, PEER, ogm(FAR, 70_001, 700));
    assert_eq!(node.stored(FAR, View::Default, hop(0, PEER)), Some(700));
    assert_eq!(node.stored(FAR, arrival(1), hop(0, PEER)), Some(617), "penalty included");
    node.hear(0, PEER, ogm(PEER, 70_000, u32::MAX));
    assert_eq!(node.v.metric(PEER), Some(1000), "what a node says of itself is a number, too");
}

#[test]
fn v_50_v_68_a_link_that_was_not_measured_yet_carries_0_and_the_record_counts() {
    let mut node = Node::with_interfaces(&[ME]);
    node.meet(0, PEER, PEER);
    node.hear(0, PEER, ogm(PEER, 70_000, 500));
    assert_eq!(node.router(PEER, View::Default), Some(hop(0, PEER)));
    assert_eq!(node.v.metric(PEER), Some(0));
}

#[test]
fn v_54_v_55_v_57_v_59_sequence_numbers() {
    let mut node = node();
    let stored = |node: &Node| node.stored(FAR, View::Default, hop(0, PEER)).unwrap();
    let mut value = 100;
    // (number, seconds since the last, whether it counts, whether its TVLVs do)
    for (seqno, wait, counts, fresh) in [
        (70_000, 0, true, true),
        (70_000, 1, true, false),
        (69_999, 0, false, false),
        (70_001, 0, true, true),
        (70_001 - 63, 0, false, false),
        (70_001 - 64, 0, false, false),
        (70_001 + 65_535, 0, true, true),
        (70_001 + 131_071, 0, false, false),
        (70_001 + 131_071, 30, true, true),
        (5, 0, false, false),
        (5, 30, false, false),
        (5, 1, true, true),
        (6, 0, true, true),
    ] {
        node.now += ms(wait * 1000);
        value += 1;
        node.events();
        node.hear(0, PEER, ogm(FAR, seqno, value));
        assert_eq!(stored(&node) == value, counts, "{seqno}");
        assert_eq!(node.tvlvs_of() == [FAR], fresh, "V-58: {seqno}");
    }
    assert!(node.discarded(Discard::Protected) >= 3);
    node.drain();
    let resets = node.told.iter().filter(|event| **event == Event::SequenceReset(FAR)).count();
    assert_eq!(resets, 2, "V-H5: the first number of all is none");
}

#[test]
fn v_60_the_first_number_is_measured_from_0() {
    for (first, counts) in [(0, true), (1, true), (u32::MAX, false), (u32::MAX - 62, false)]
        .into_iter()
        .chain([(u32::MAX - 63, true), (0x8000_0000, true)])
    {
        let mut node = node();
        node.hear(0, PEER, ogm(FAR, first, 500));
        assert_eq!(node.router(FAR, View::Default).is_some(), counts, "{first}");
        assert_eq!(node.repeats().is_empty(), !counts || first == 0, "{first}");
    }
}

#[test]
fn v_58_tvlvs_count_once_and_their_absence_too() {
    let mut node = node();
    node.events();
    let with = Ogm2 { tvlvs: &[4, 1, 0, 0], ..ogm(FAR, 70_000, 500) };
    node.hear(0, PEER, with);
    node.hear(1, OTHER, with);
    assert_eq!(node.tvlvs_of(), [FAR]);
    node.hear(0, PEER, ogm(FAR, 70_001, 500));
    assert_eq!(node.tvlvs_of(), [FAR], "with none at all");
}

#[test]
fn v_56_v_82_what_a_record_refreshes() {
    let mut node = node();
    node.hear(0, PEER, ogm(FAR, 70_000, 500));
    node.now += ms(5000);
    assert_eq!(node.rows()[0].last_seen, ms(5000));
    node.hear(0, PEER, ogm(FAR, 69_000, 500));
    assert_eq!(node.rows()[0].last_seen, ms(5000), "one that does not count");
    node.hear(0, PEER, ogm(FAR, 70_001, 500));
    assert_eq!(node.rows()[0].last_seen, ms(0));
}
