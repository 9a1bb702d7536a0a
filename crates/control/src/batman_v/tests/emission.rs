//! Sections 7 and 8: own OGM2s, the queue.

use super::node::{Node, Sent, payload};
use super::*;
use crate::{IfaceSettings, Link};
use noctule_fib::Counter;
use noctule_wire::Discard;

/// Own OGM2s: when, where, number.
fn own(sent: &[Sent]) -> Vec<(Instant, usize, u32)> {
    sent.iter()
        .flat_map(|s| s.records().into_iter().map(|ogm| (s.at, s.index, ogm)).collect::<Vec<_>>())
        .filter(|(.., ogm)| ogm.originator == ME)
        .map(|(at, index, ogm)| (at, index, ogm.seqno.0))
        .collect()
}

#[test]
fn v_05_v_37_v_38_v_40_one_ogm2_a_period_wherever_somebody_listens() {
    let mut node = Node::with_interfaces(&[ME, mac(1, 2), mac(1, 3)]);
    node.tvlvs = Some(vec![4, 1, 0, 0]);
    node.meet(0, PEER, PEER);
    node.meet(1, OTHER, OTHER);
    let sent = node.run(60_000);
    let all = own(&sent);
    assert!(all.iter().all(|(_, index, _)| *index != 2), "V-40: nobody is there");
    let numbers = |of| all.iter().filter(|o| o.1 == of).map(|o| o.2).collect::<Vec<_>>();
    assert_eq!(numbers(0), numbers(1), "the same by every interface");
    let first: Vec<_> = numbers(0);
    assert_eq!(first[0], 1000);
    assert!(first.windows(2).all(|two| two[1] == two[0] + 1));
    assert!((58..=61).contains(&first.len()), "{}", first.len());
    let frame = sent.iter().find(|sent| !sent.records().is_empty()).unwrap();
    let ogm = frame.records()[0];
    assert_eq!((ogm.ttl, ogm.flags, ogm.throughput), (50, 0, Throughput::MAX));
    assert_eq!(ogm.tvlvs, [4, 1, 0, 0]);
    assert_eq!(frame.parsed().destination, Mac::BROADCAST);
    assert_eq!(node.counted(Counter::MgmtTx), all.len() as u64, "V-17");
}

#[test]
fn v_39_without_tvlvs_nothing_is_sent_and_the_number_stays() {
    let mut node = Node::with_interfaces(&[ME]);
    node.meet(0, PEER, PEER);
    node.tvlvs = None;
    assert_eq!(own(&node.run(5000)), []);
    node.tvlvs = Some(vec![0; 70_000]);
    assert_eq!(own(&node.run(5000)), []);
    assert!(node.discarded(Discard::TooLong) > 0);
    node.tvlvs = Some(Vec::new());
    assert_eq!(own(&node.run(1200))[0].2, 1000);
}

/// A node between a crowd and one neighbour, to whom it passes on.
fn relay() -> Node {
    let mut node = Node::with_interfaces(&[ME, mac(1, 2)]);
    node.befriend(0, PEER, 1000);
    node.befriend(1, OTHER, 1000);
    node
}

#[test]
fn v_41_v_42_v_43_records_leave_together_in_frames_of_512_bytes() {
    let mut node = relay();
    node.v.next_ogm = None;
    let records: Vec<_> =
        (0..30).map(|n| Ogm2 { tvlvs: &[0; 12], ..ogm(mac(100 + n, 1), 70_000, 500) }).collect();
    node.drain();
    let before = node.now;
    node.ogm_bytes(0, PEER, &payload(&records)).unwrap();
    let at_once: Vec<_> = node.drain().into_iter().filter(|s| !s.records().is_empty()).collect();
    assert_eq!(at_once.len(), 1, "V-42: full, so it leaves first");
    assert_eq!(at_once[0].records().len(), 16);
    let later: Vec<_> = node.run(110).into_iter().filter(|s| !s.records().is_empty()).collect();
    assert_eq!(later.len(), 1);
    assert!(later[0].at <= before + ms(109), "V-43");
    let mut order: Vec<Mac> = Vec::new();
    for sent in at_once.iter().chain(&later) {
        assert_eq!(sent.index, 1);
        order.extend(sent.records().iter().map(|ogm| ogm.originator));
    }
    assert!(order.iter().eq(records.iter().map(|ogm| &ogm.originator)), "first in, first out");
}

#[test]
fn v_42_a_record_above_the_limit_leaves_alone() {
    let mut node = relay();
    node.v.next_ogm = None;
    let small = ogm(mac(100, 1), 70_000, 500);
    let large = Ogm2 { tvlvs: &[0; 600], ..ogm(FAR, 70_000, 500) };
    node.ogm_bytes(0, PEER, &payload(&[small, large, Ogm2 { originator: mac(101, 1), ..small }]))
        .unwrap();
    let sent = node.run(110);
    let counts: Vec<_> = sent.iter().map(|s| s.records().len()).filter(|n| *n > 0).collect();
    assert_eq!(counts, [1, 1, 1]);
}

#[test]
fn v_42_a_narrow_link_gets_shorter_frames() {
    let mut node = relay();
    node.v.next_ogm = None;
    node.change(1, |link| link.mtu = 100);
    let records: Vec<_> = (0..6).map(|n| ogm(mac(100 + n, 1), 70_000, 500)).collect();
    node.ogm_bytes(0, PEER, &payload(&records)).unwrap();
    let sent = node.run(110);
    let counts: Vec<_> = sent.iter().map(|s| s.records().len()).filter(|n| *n > 0).collect();
    assert_eq!(counts, [5, 1]);
}

#[test]
fn v_41_without_aggregation_every_record_leaves_at_once() {
    let mut node = relay();
    node.settings.aggregation = false;
    node.drain();
    let records: Vec<_> = (0..5).map(|n| ogm(mac(100 + n, 1), 70_000, 500)).collect();
    node.ogm_bytes(0, PEER, &payload(&records)).unwrap();
    let sent = node.drain();
    assert_eq!(sent.iter().filter(|s| s.records().len() == 1).count(), 5);
}

#[test]
fn v_43_an_idle_timer_is_as_likely_anywhere() {
    let mut waits = Vec::new();
    let mut node = relay();
    for seqno in 0..60 {
        node.v.next_ogm = None;
        node.run(10_000);
        node.meet(0, PEER, PEER);
        node.meet(1, OTHER, OTHER);
        let start = node.now;
        node.hear(0, PEER, ogm(FAR, 70_000 + seqno, 500));
        let sent = node.run(200);
        let sent = sent.iter().find(|s| s.records().iter().any(|ogm| ogm.originator == FAR));
        waits.push(sent.unwrap().at.since(start).as_millis());
    }
    assert!(waits.iter().all(|wait| *wait <= 109), "{waits:?}");
    assert!(waits.iter().any(|wait| *wait < 40) && waits.iter().any(|wait| *wait > 70));
}

#[test]
fn v_44_what_waits_for_a_link_that_goes_down_is_lost() {
    let mut node = relay();
    node.hear(0, PEER, ogm(FAR, 70_000, 500));
    node.change(1, |link| link.up = false);
    assert_eq!(node.repeats(), []);
    node.change(1, |link| link.up = true);
    assert_eq!(node.repeats(), []);
    node.befriend(1, OTHER, 1000);
    node.hear(0, PEER, ogm(FAR, 70_001, 500));
    node.detach(1);
    node.attach(1, Link { ..Node::link(mac(1, 2)) }, IfaceSettings::default());
    assert_eq!(node.repeats(), []);
}
