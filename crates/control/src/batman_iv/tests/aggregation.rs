//! Which records share a frame, and when it leaves (section 5).

use super::node::{Node, Sent};
use super::{Instant, Mac, Ogm, OgmFlags, View, at, hop, iface, mac, ms, ogm, repeated};
use crate::batman_iv::emission::joinable_own;
use crate::batman_iv::queue::{Class, Queue, Rebroadcast};
use noctule_wire::Discard;

const ME: Mac = mac(1, 1);
const MY_SECOND: Mac = mac(1, 2);
const PEER: Mac = mac(2, 1);

fn record(direct: bool, ttl: u8, incoming: usize, outgoing: usize) -> Rebroadcast<'static> {
    Rebroadcast {
        ogm: Ogm { ttl, ..ogm(PEER, 1) },
        direct,
        incoming: iface(incoming),
        outgoing: iface(outgoing),
    }
}

/// IV-27, IV-28, IV-29: who may join whom, every pair of classes.
#[test]
fn iv_27_iv_28_iv_29_classes() {
    let flooding = record(false, 40, 0, 0);
    let last_hop = record(false, 1, 0, 0);
    let answer_primary = record(true, 49, 0, 0);
    let answer_secondary = record(true, 1, 0, 0);
    let answer_elsewhere = record(true, 1, 1, 0);
    let all = [flooding, last_hop, answer_primary, answer_secondary, answer_elsewhere];
    #[rustfmt::skip]
    let rows: [(&str, Class, [bool; 5]); 6] = [
        ("opened by a flooding record",           opened(&flooding),              [true,  true,  false, false, false]),
        ("opened by a record with TTL 1",         opened(&last_hop),              [false, true,  false, false, false]),
        ("opened by an answer to a primary",      opened(&answer_primary),        [false, false, false, true,  false]),
        ("opened by an answer to a secondary",    opened(&answer_secondary),      [false, false, false, true,  false]),
        ("own OGM of the primary",                Class::OwnPrimary,              [true,  true,  false, false, false]),
        ("own OGM of a secondary",                Class::OwnSecondary(iface(0)),  [false, false, false, true,  false]),
    ];
    for (name, class, expected) in rows {
        assert_eq!(all.map(|record| class.admits(&record)), expected, "{name}");
    }
}

/// The class of the aggregate that a record opens, as the queue sees it.
fn opened(record: &Rebroadcast<'_>) -> Class {
    let mut queue = Queue::default();
    assert!(queue.open(at(1), record));
    queue.pop_due(at(1)).unwrap().class
}

/// IV-26: an aggregate takes a record iff it leaves after the record's own time, by at most 100 ms, by the same
/// interface; the one that leaves first.
#[test]
fn iv_26_the_time_window() {
    let flooding = record(false, 40, 0, 0);
    for (leaves, takes) in [(1000, false), (1001, true), (1100, true), (1101, false)] {
        let mut queue = Queue::default();
        assert!(queue.open(at(leaves), &flooding));
        assert_eq!(queue.joinable(at(1000), &flooding, 1500).is_some(), takes, "{leaves}");
        assert!(
            queue.joinable(at(1000), &record(false, 40, 0, 1), 1500).is_none(),
            "another interface"
        );
    }
    let mut queue = Queue::default();
    for leaves in [1090, 1050, 1070] {
        queue.open(at(leaves), &flooding);
    }
    assert_eq!(queue.joinable(at(1060), &flooding, 1500).unwrap().0, at(1070));
}

/// IV-26: the same window for own OGMs, and the room that they leave.
#[test]
fn iv_26_the_time_window_of_own_ogms() {
    let mut node = Node::with_interfaces(&[ME]);
    node.tvlvs = Some(vec![0; 400]);
    node.run(100);
    let flooding = record(false, 40, 0, 0);
    let mut joins = |leaves: u64, target: u64| {
        node.iv.cycles[0].as_mut().unwrap().due = at(leaves);
        let (cycles, interfaces) = (&mut node.iv.cycles, &node.interfaces);
        let (at, riders) = joinable_own(cycles, interfaces, at(target), &flooding, 1500)?;
        riders.append(&flooding);
        Some(at)
    };
    for (leaves, takes) in [(2000, false), (2001, true), (2100, true), (2101, false)] {
        assert_eq!(joins(leaves, 2000), takes.then_some(at(leaves)), "{leaves}");
    }
    assert_eq!(joins(2100, 2000), Some(at(2100)), "424 + 3 * 24 = 496 bytes");
    assert_eq!(joins(2100, 2000), None, "no room for a fourth");
}

/// IV-26: 512 bytes, the MTU and 32 records are the bounds; IV-33: a longer record travels alone.
#[test]
fn iv_26_bytes_and_records() {
    let joins = |first: usize, second: usize, mtu: u32| {
        let area = vec![0; 600];
        let of = |len: usize| {
            let base = record(false, 40, 0, 0);
            Rebroadcast { ogm: Ogm { tvlvs: &area[..len - 24], ..base.ogm }, ..base }
        };
        let mut queue = Queue::default();
        queue.open(at(50), &of(first));
        queue.joinable(at(0), &of(second), mtu).is_some()
    };
    assert!(joins(256, 256, 1500));
    assert!(!joins(256, 258, 1500), "514 bytes");
    assert!(!joins(256, 256, 511), "more than the MTU");
    assert!(joins(256, 256, 512));
    assert!(!joins(620, 24, 1500), "nobody joins a long one");
    let mut queue = Queue::default();
    let small = record(false, 40, 0, 0);
    queue.open(at(50), &small);
    let mut records = 1;
    while let Some((_, aggregate)) = queue.joinable(at(0), &small, 9000) {
        aggregate.append(&small);
        records += 1;
    }
    assert_eq!(records, 21, "512 / 24: with records of 24 bytes the bytes are what counts");
    assert_eq!(queue.pop_due(at(50)).unwrap().aggregate.len(), 21 * 24);
}

/// A node with neighbours that each can deliver the OGMs of many originators.
fn relay() -> Node {
    let mut node = Node::with_interfaces(&[ME]);
    node.warm(&[(0, PEER)], 100);
    for seqno in 1..3 {
        for far in 1..=40 {
            node.hear(0, PEER, repeated(mac(100, far), seqno, mac(8, 1), 225));
        }
    }
    node.mute();
    node.repeats();
    node.forget_queued();
    node
}

fn shape(sent: &[Sent]) -> Vec<(u64, usize)> {
    sent.iter().map(|sent| (sent.at.as_millis(), sent.records().len())).collect()
}

/// IV-25: alone, a rebroadcast leaves 100 to 109 ms after it came; with aggregation off 0 to 9 ms after.
#[test]
fn iv_25_delay_of_a_rebroadcast() {
    for (aggregation, from, to) in [(true, 100, 109), (false, 0, 9)] {
        let mut node = relay();
        node.settings.aggregation = aggregation;
        let mut delays = std::collections::BTreeSet::new();
        for seqno in 3..103 {
            let before = node.now;
            node.hear(0, PEER, repeated(mac(100, 1), seqno, mac(8, 1), 225));
            let sent = node.run(200);
            assert_eq!(sent.len(), 1);
            delays.insert(sent[0].at.since(before).as_millis() as u64);
        }
        assert_eq!(delays, (from..=to).collect(), "whole milliseconds, all of them");
    }
}

/// IV-25, IV-26: with aggregation on, what comes within 90 ms shares a frame, up to the bounds.
#[test]
fn iv_25_rebroadcasts_share_frames() {
    let mut node = relay();
    for far in 1..=40 {
        node.hear(0, PEER, repeated(mac(100, far), 3, mac(8, 1), 225));
        node.run(1);
    }
    let sent = node.run(300);
    let records: Vec<_> = sent.iter().map(|sent| sent.records().len()).collect();
    assert_eq!(records, [21, 19]);
    assert!(sent.iter().all(|sent| sent.payload().len() <= 512));
    let mut node = relay();
    node.settings.aggregation = false;
    for far in 1..=40 {
        node.hear(0, PEER, repeated(mac(100, far), 3, mac(8, 1), 225));
    }
    assert_eq!(node.run(300).len(), 40);
}

/// IV-24, IV-27: an own OGM leaves at its own time, in a frame of its own that rebroadcasts may join.
#[test]
fn iv_24_iv_27_rebroadcasts_join_own_ogms() {
    let mut node = relay();
    node.tvlvs = Some(vec![4, 1, 0, 2, 0, 0]);
    node.iv.cycles[0].as_mut().unwrap().due = node.now + ms(60);
    node.hear(0, PEER, repeated(mac(100, 1), 3, mac(8, 1), 225));
    node.hear(0, PEER, ogm(PEER, 101));
    let start = node.now;
    let sent = node.run(300);
    assert_eq!(shape(&sent)[0], ((start + ms(60)).as_millis(), 2), "own first, exactly in time");
    let records = sent[0].records();
    assert_eq!((records[0].originator, records[0].tvlvs.len()), (ME, 6));
    assert_eq!(records[1].originator, mac(100, 1));
    assert_eq!(sent[1].records()[0].originator, PEER, "IV-29: the direct record opens its own");
    assert_eq!(sent.len(), 2);
}

/// IV-25: of an own OGM and an aggregate that both take it, a rebroadcast joins the one that leaves first.
#[test]
fn iv_25_the_frame_that_leaves_first_is_joined() {
    for (waiting, with_own) in [(80, true), (40, false)] {
        let mut node = relay();
        node.iv.cycles[0].as_mut().unwrap().due = node.now + ms(60);
        assert!(node.iv.queue.open(node.now + ms(waiting), &record(false, 40, 0, 0)));
        node.hear(0, PEER, repeated(mac(100, 1), 3, mac(8, 1), 225));
        let sent = node.run(100);
        let joined = sent.iter().find(|sent| sent.records().len() == 2).unwrap();
        assert_eq!(joined.records()[0].originator == ME, with_own);
        assert_eq!(sent.len(), 2);
    }
}

/// TVLVs that grew since the frame was planned: the own OGM leaves alone, what would have joined it right behind.
#[test]
fn iv_26_an_own_ogm_that_grew_keeps_the_bounds() {
    let mut node = relay();
    node.iv.cycles[0].as_mut().unwrap().due = node.now + ms(60);
    for far in 1..=10 {
        node.hear(0, PEER, repeated(mac(100, far), 3, mac(8, 1), 225));
    }
    node.tvlvs = Some(vec![0; 400]);
    let sent = node.run(100);
    assert_eq!(sent.iter().map(|sent| sent.records().len()).collect::<Vec<_>>(), [1, 10]);
    assert_eq!(sent[0].at, sent[1].at);
    // IV-20: if it cannot be made, what would have joined it leaves all the same.
    let mut node = relay();
    node.iv.cycles[0].as_mut().unwrap().due = node.now + ms(60);
    node.hear(0, PEER, repeated(mac(100, 1), 3, mac(8, 1), 225));
    node.tvlvs = None;
    assert_eq!(node.run(100).iter().map(|sent| sent.records().len()).collect::<Vec<_>>(), [1]);
}

/// IV-28: the answer to a secondary interface joins our own OGM of a secondary interface on that link.
#[test]
fn iv_28_answers_join_own_secondary_ogms() {
    let mut node = Node::with_interfaces(&[ME, MY_SECOND]);
    let second = mac(2, 2);
    node.warm(&[(1, second)], 100);
    node.mute();
    node.iv.cycles[1].as_mut().unwrap().due = node.now + ms(60);
    node.iv.cycles[0].as_mut().unwrap().due = node.now + ms(50);
    node.hear(1, second, Ogm { ttl: 2, ..ogm(second, 101) });
    let sent = node.run(90);
    let of_secondary: Vec<_> = sent
        .iter()
        .filter(|sent| sent.iface == iface(1))
        .map(|sent| {
            sent.records()
                .iter()
                .map(|ogm| (ogm.originator, ogm.ttl, ogm.flags))
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(
        of_secondary,
        [
            vec![(ME, 50, OgmFlags(0))],
            vec![(MY_SECOND, 2, OgmFlags(0)), (second, 1, OgmFlags::DIRECT_LINK)]
        ]
    );
}

/// IV-30: the direct-link flag is set in the copy for the link that the record came from, and cleared in the others,
/// whatever it carried when it came.
#[test]
fn iv_30_direct_link_flag_at_transmission() {
    let mut node = Node::with_interfaces(&[ME, MY_SECOND]);
    node.warm(&[(0, PEER)], 100);
    node.hear(0, PEER, Ogm { flags: OgmFlags::DIRECT_LINK, ..ogm(PEER, 101) });
    let mut flags: Vec<_> =
        node.repeats().iter().map(|(index, ogm)| (*index, ogm.flags.0)).collect();
    flags.sort_unstable();
    assert_eq!(flags, [(0, 4), (1, 0)]);
    let far = mac(9, 1);
    for seqno in 1..3 {
        node.hear(
            0,
            PEER,
            Ogm { flags: OgmFlags::DIRECT_LINK, ..repeated(far, seqno, mac(8, 1), 225) },
        );
    }
    assert!(node.repeats().iter().all(|(_, ogm)| ogm.flags == OgmFlags(0)), "not direct: never");
}

/// IV-31: what came in by, or would leave by, an interface that went down meanwhile is not sent.
#[test]
fn iv_31_iv_94_an_interface_that_goes_takes_its_frames_along() {
    for detach in [false, true] {
        for gone in [0, 1] {
            let mut node = Node::with_interfaces(&[ME, MY_SECOND, mac(1, 3)]);
            let other = mac(3, 1);
            node.warm(&[(0, PEER), (1, other)], 100);
            for (index, from, far) in [(0, PEER, mac(9, 1)), (1, other, mac(9, 2))] {
                for seqno in 1..3 {
                    node.hear(index, from, repeated(far, seqno, mac(8, 1), 225));
                }
            }
            node.run(1);
            if detach {
                node.detach(gone);
            } else {
                node.change(gone, |link| link.up = false);
            }
            let mut sent: Vec<_> =
                node.repeats().iter().map(|(index, ogm)| (*index, ogm.originator)).collect();
            sent.sort_unstable();
            let (kept, far) = if gone == 0 { (1, mac(9, 2)) } else { (0, mac(9, 1)) };
            assert_eq!(sent, [(kept, far), (2, far)]);
            assert!(node.router(far, View::Default).is_some());
        }
    }
}

/// IV-32: 256 aggregates wait at most; own OGMs are not concerned.
#[test]
fn iv_32_the_queue_is_bounded() {
    let mut node = relay();
    node.settings.aggregation = false;
    node.settings.limits.originators = 1000;
    for far in 0..300_u32 {
        let far = Mac([2, 0, 0, 0, (far >> 8) as u8, far as u8]);
        for seqno in 1..3 {
            node.hear(0, PEER, repeated(far, seqno, mac(8, 1), 225));
        }
    }
    assert_eq!(node.discarded(Discard::QueueFull), 300 - 256);
    node.iv.cycles[0].as_mut().unwrap().due = node.now;
    let sent = node.run(20);
    assert_eq!(sent.len(), 257);
    assert_eq!(sent[0].records()[0].originator, ME);
    node.hear(0, PEER, repeated(mac(100, 1), 9, mac(8, 1), 225));
    assert_eq!(node.run(20).len(), 1, "there is room again");
}

/// IV-32, IV-H6: with aggregation, a full queue still takes what finds room in the frames that wait anyway, whatever its class: a
/// flood of strangers, each of whom gets an answer in a frame of its own (IV-29), costs no neighbour its answer.
#[test]
fn iv_32_iv_h6_a_full_queue_is_shared() {
    let mut node = relay();
    for stranger in 0..600_u32 {
        let stranger = Mac([2, 0, 0, 1, (stranger >> 8) as u8, stranger as u8]);
        node.hear(0, stranger, ogm(stranger, 1));
    }
    node.hear(0, PEER, ogm(PEER, 101));
    assert_eq!(node.discarded(Discard::QueueFull), 0);
    node.mute();
    let sent = node.run(300);
    assert_eq!(sent.len(), 256);
    assert!(sent.iter().all(|sent| sent.payload().len() <= 512));
    let answers: Vec<_> = sent.iter().flat_map(Sent::records).collect();
    assert_eq!(answers.len(), 601);
    assert!(answers.iter().all(|ogm| ogm.flags.contains(OgmFlags::DIRECT_LINK)));
    assert_eq!(answers.iter().filter(|ogm| ogm.originator == PEER).count(), 1);
}

/// IV-H6: one frame full of records becomes no more frames than its bytes need, by each interface, whatever the records are.
#[test]
fn iv_h6_one_frame_is_not_many() {
    for ttl in [50, 3, 2] {
        // As many records as fit a frame of 1500 bytes: of originators that PEER leads to, or of PEER itself.
        for direct in [false, true] {
            let mut node = relay();
            let records = |seqno: u32| -> Vec<_> {
                let far = |number: u32| repeated(mac(100, number as u8), seqno, mac(8, 1), 225);
                let own = |number: u32| ogm(PEER, 100 + seqno * 62 + number);
                (0..62)
                    .map(|number| Ogm { ttl, ..if direct { own(number) } else { far(number) } })
                    .collect()
            };
            node.receive(0, PEER, &records(3));
            node.repeats();
            node.receive(0, PEER, &records(4));
            let sent = node.run(300);
            let repeated: usize = sent.iter().map(|sent| sent.records().len()).sum();
            let (count, frames) = if direct { (1, 1) } else { (62, 3) };
            assert_eq!((repeated, sent.len()), (count, frames), "TTL {ttl}, direct: {direct}");
        }
    }
}

/// IV-33: a record above 512 bytes is repeated as it is, alone; one above the MTU of a link leaves by the others only.
#[test]
fn iv_33_long_records() {
    let mut node = Node::with_interfaces(&[ME, MY_SECOND]);
    node.change(1, |link| link.mtu = 700);
    node.warm(&[(0, PEER)], 100);
    for (seqno, len, outgoing) in
        [(101, 600, vec![0, 1]), (102, 700, vec![0]), (103, 1400, vec![0])]
    {
        node.hear(0, PEER, Ogm { tvlvs: &vec![7; len], ..ogm(PEER, seqno) });
        node.mute();
        let mut sent = node.run(300);
        sent.sort_by_key(|sent| sent.iface);
        let seen: Vec<_> = sent.iter().map(|sent| sent.iface.index()).collect();
        assert_eq!(seen, outgoing, "{len}");
        assert!(sent.iter().all(|sent| sent.records()[0].tvlvs == vec![7; len]));
    }
    assert_eq!(node.discarded(Discard::TooLong), 2);
}

/// Toggling aggregation does not lose or enlarge anything that waits.
#[test]
fn aggregation_can_be_switched_at_any_time() {
    let mut node = relay();
    for far in 1..=40 {
        node.settings.aggregation = far % 2 == 0;
        node.hear(0, PEER, repeated(mac(100, far), 3, mac(8, 1), 225));
        node.run(1);
        node.now = node.now.max(Instant::ZERO);
    }
    let later = node.run(300);
    assert!(later.iter().all(|sent| sent.payload().len() <= 512));
    let rows = node.rows().len();
    assert!(rows >= 40 && node.router(mac(100, 1), View::Default) == Some(hop(0, PEER)));
}
