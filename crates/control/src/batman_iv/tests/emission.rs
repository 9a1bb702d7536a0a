//! Own OGMs: when, where, with what (section 4).

use super::node::{Node, Sent};
use super::{Instant, Mac, OgmFlags, SeqNo, View, at, hop, iface, mac, ms, ogm};
use crate::Link;
use noctule_fib::Counter;
use noctule_wire::ethernet::Frame;
use noctule_wire::{Discard, MESH_ETHERTYPE};

const FIRST: Mac = mac(1, 1);
const SECOND: Mac = mac(1, 2);
const PEER: Mac = mac(2, 1);

/// Own OGMs as (ms, interface, originator, number, TTL, bytes of TVLVs).
fn own(sent: &[Sent]) -> Vec<(u64, usize, Mac, u32, u8, usize)> {
    sent.iter()
        .map(|sent| {
            let ogm = sent.records()[0];
            let (originator, seqno) = (ogm.originator, ogm.seqno.0);
            (sent.at.as_millis(), sent.iface.index(), originator, seqno, ogm.ttl, ogm.tvlvs.len())
        })
        .collect()
}

fn without_times(sent: &[Sent]) -> Vec<(usize, Mac, u32, u8, usize)> {
    own(sent)
        .into_iter()
        .map(|(_, iface, mac, seqno, ttl, len)| (iface, mac, seqno, ttl, len))
        .collect()
}

/// IV-02, IV-05, IV-11, IV-12, IV-13: the primary's OGM with TTL 50 and TVLVs by every interface, the secondary's with
/// TTL 2 and without by its own; each its own numbers; source is the outgoing interface.
#[test]
fn iv_02_iv_05_iv_11_iv_12_iv_13_what_leaves_where() {
    let mut node = Node::with_interfaces(&[FIRST, SECOND]);
    node.tvlvs = Some(vec![4, 1, 0, 2, 0, 0]);
    let mut sent = node.run(500);
    sent.sort_by_key(|sent| (sent.records()[0].seqno.0, sent.iface));
    assert_eq!(
        without_times(&sent),
        [(0, FIRST, 1000, 50, 6), (1, FIRST, 1000, 50, 6), (1, SECOND, 2000, 2, 0)]
    );
    assert_eq!(sent[0].at, sent[1].at, "the copies leave together");
    for (sent, source) in sent.iter().zip([FIRST, SECOND, SECOND]) {
        let frame = Frame::parse(&sent.frame).unwrap();
        assert_eq!((frame.destination, frame.source), (Mac::BROADCAST, source));
        assert_eq!(frame.ethertype, MESH_ETHERTYPE);
        assert_eq!(sent.records()[0].previous_sender, sent.records()[0].originator);
    }
}

/// IV-04 and the first vector of section 2, byte for byte.
#[test]
fn iv_04_own_ogm_of_a_secondary_interface_is_the_vector() {
    let mut node = Node::new(1);
    node.attach(0, Node::link(mac(2, 1)), 7);
    node.attach(1, Node::link(mac(2, 2)), 0x811f_d035);
    let sent = node.run(100);
    let vector =
        ["ffffffffffff02ba000002024305", "000f0200811fd03502ba0000020202ba0000020200ff0000"]
            .concat();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert!(sent.iter().any(|sent| hex(&sent.frame) == vector));
}

/// IV-14, IV-15: numbers go up by one and wrap, 980 to 1019 ms after the one before; all of that range is used.
#[test]
fn iv_14_iv_15_the_next_number_after_a_jittered_interval() {
    let mut node = Node::new(3);
    node.attach(0, Node::link(FIRST), u32::MAX - 1);
    let sent = own(&node.run(1_000_000));
    let gaps: Vec<_> = sent.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!(gaps.iter().all(|gap| (980..=1019).contains(gap)), "{gaps:?}");
    assert!(gaps.contains(&980) && gaps.contains(&1019));
    let numbers: Vec<_> = sent.iter().map(|row| row.3).take(4).collect();
    assert_eq!(numbers, [u32::MAX - 1, u32::MAX, 0, 1]);
    let distinct: std::collections::BTreeSet<_> = sent.iter().map(|row| row.0 % 1000).collect();
    assert!(distinct.len() > 500, "no absolute schedule");
}

/// IV-15: the interval is the node's setting, from its next OGM on.
#[test]
fn iv_15_the_interval_is_a_setting() {
    let mut node = Node::with_interfaces(&[FIRST]);
    node.settings.orig_interval = ms(40);
    let sent = own(&node.run(2000));
    let gaps: Vec<_> = sent.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!(gaps.iter().all(|gap| (20..60).contains(gap)), "{gaps:?}");
}

/// IV-16, IV-38: right after the number n has left, n + 1 is prepared; n is 0 behind the one sent last.
#[test]
fn iv_16_one_ogm_is_prepared_ahead() {
    let mut node = Node::with_interfaces(&[FIRST]);
    let before = node.iv.cycles[0].as_ref().unwrap();
    assert_eq!(before.age(SeqNo(1000)), -1, "prepared, not sent");
    let sent = node.run(30);
    assert_eq!(own(&sent)[0].3, 1000);
    let after = node.iv.cycles[0].as_ref().unwrap();
    assert_eq!([999, 1000, 1001].map(|seqno| after.age(SeqNo(seqno))), [1, 0, -1]);
}

/// IV-17, TT-49: what is to be announced is asked for when the OGM leaves, and is in that OGM; only the primary asks.
#[test]
fn iv_17_tvlvs_are_those_of_the_moment_of_sending() {
    let mut node = Node::with_interfaces(&[FIRST, SECOND]);
    node.run(100);
    assert_eq!(
        node.asked,
        (1, 1500 - 24),
        "once for both copies, with the room that the link gives"
    );
    node.now = at(1500);
    node.tvlvs = Some(vec![4, 1, 0, 4, 9, 9, 9, 9]);
    let sent = node.run(700);
    assert!(sent.iter().any(|sent| sent.records()[0].tvlvs == [4, 1, 0, 4, 9, 9, 9, 9]));
    node.change(1, |link| link.mtu = 600);
    node.run(1100);
    assert_eq!(node.asked.1, 600 - 24, "the smallest link counts: OGMs are not fragmented");
}

/// IV-18: an own OGM of an interface moves that interface's windows, and no other.
#[test]
fn iv_18_only_the_view_of_the_interface_slides() {
    let mut node = Node::with_interfaces(&[FIRST, SECOND]);
    node.warm(&[(0, PEER), (1, mac(2, 2))], 5000);
    assert_eq!((node.echoes(PEER, 0), node.echoes(mac(2, 2), 1)), (64, 64));
    for expected in [63, 62, 61] {
        node.prepare(0);
        assert_eq!((node.echoes(PEER, 0), node.echoes(mac(2, 2), 1)), (expected, 64));
    }
}

/// IV-19: the first OGM leaves within 20 ms after the interface is up. While it is down its numbers go on, unheard.
#[test]
fn iv_19_first_ogm_and_the_cycle_of_an_interface_that_is_down() {
    for seed in 0..50 {
        let mut node = Node::new(seed);
        node.attach(0, Node::link(FIRST), 1000);
        node.attach(1, Link { up: false, ..Node::link(SECOND) }, 2000);
        let sent = node.run(20);
        assert_eq!(without_times(&sent), [(0, FIRST, 1000, 50, 0)], "and nothing by the other");
        let sent = node.run(4980);
        assert!(sent.iter().all(|sent| sent.iface == iface(0)));
        node.change(1, |link| link.up = true);
        let sent = node.run(20);
        let second: Vec<_> = sent.iter().filter(|sent| sent.iface == iface(1)).collect();
        let ogm = second.iter().map(|sent| sent.records()[0]).find(|ogm| ogm.originator == SECOND);
        assert!((2004..=2006).contains(&ogm.unwrap().seqno.0), "{ogm:?}");
        node.change(0, |link| link.up = false);
        node.change(1, |link| link.up = false);
        assert!(node.run(3000).is_empty());
    }
}

/// IV-20, IV-21: an OGM whose TVLVs cannot be made is left out; the cycle goes on, with the same number.
#[test]
fn iv_20_iv_21_a_failure_costs_one_interval() {
    let mut node = Node::with_interfaces(&[FIRST, SECOND]);
    node.tvlvs = None;
    let sent = node.run(2500);
    assert!(
        sent.iter().all(|sent| sent.records()[0].originator == SECOND),
        "the secondary goes on"
    );
    assert_eq!(node.asked.0, 3);
    node.tvlvs = Some(vec![0; 65_536]);
    node.run(1000);
    assert_eq!(node.discarded(Discard::TooLong), 1, "more than the length field can say");
    node.tvlvs = Some(vec![0; 6]);
    let sent = node.run(1000);
    let numbers: Vec<_> =
        own(&sent).iter().filter(|row| row.2 == FIRST).map(|row| (row.1, row.3)).collect();
    assert_eq!(numbers, [(0, 1000), (1, 1000)]);
}

/// IV-22: another address, the same sequence.
#[test]
fn iv_22_a_new_address_keeps_the_numbers() {
    let mut node = Node::with_interfaces(&[FIRST]);
    node.run(1500);
    node.change(0, |link| link.mac = mac(9, 9));
    let sent = node.run(1000);
    assert_eq!(without_times(&sent), [(0, mac(9, 9), 1002, 50, 0)]);
    assert_eq!(sent[0].records()[0].previous_sender, mac(9, 9));
    assert_eq!(Frame::parse(&sent[0].frame).unwrap().source, mac(9, 9));
}

/// IV-15: only coming up hastens an OGM; other changes of an interface do not.
#[test]
fn a_change_of_the_mtu_sends_nothing() {
    let mut node = Node::with_interfaces(&[FIRST]);
    node.run(500);
    for mtu in [1400, 1500] {
        node.change(0, |link| link.mtu = mtu);
        assert!(node.run(50).is_empty());
    }
}

/// IV-23: the first interface that is active has the role; only detaching moves it, and who comes back is secondary.
#[test]
fn iv_23_the_role_of_the_primary() {
    let mut node = Node::new(1);
    node.attach(0, Link { up: false, ..Node::link(FIRST) }, 1000);
    node.attach(1, Node::link(SECOND), 2000);
    let ttls = |node: &mut Node| {
        let sent = node.run(1100);
        sent.iter()
            .map(|sent| (sent.records()[0].originator, sent.records()[0].ttl))
            .collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(ttls(&mut node), [(SECOND, 50)].into());
    node.change(0, |link| link.up = true);
    assert_eq!(ttls(&mut node), [(FIRST, 2), (SECOND, 50)].into());
    node.detach(1);
    assert_eq!(ttls(&mut node), [(FIRST, 50)].into());
    node.attach(1, Node::link(SECOND), 3000);
    assert_eq!(ttls(&mut node), [(FIRST, 50), (SECOND, 2)].into());
}

/// FWD-06, and where we go on while the reference falls silent: the primary keeps its role while its link is down, and
/// its OGM goes on leaving by the others, with the same numbers.
#[test]
fn the_primarys_ogm_goes_on_while_its_link_is_down() {
    let mut node = Node::with_interfaces(&[FIRST, SECOND]);
    node.tvlvs = Some(vec![4, 1, 0, 2, 0, 0]);
    node.run(1500);
    node.change(0, |link| link.up = false);
    let sent = node.run(1000);
    let rows = without_times(&sent);
    assert!(
        rows.contains(&(1, FIRST, 1002, 50, 6)) && rows.contains(&(1, SECOND, 2002, 2, 0)),
        "{rows:?}"
    );
    assert_eq!(rows.len(), 2);
    assert!(sent.iter().all(|sent| Frame::parse(&sent.frame).unwrap().source == SECOND));
    node.change(0, |link| link.up = true);
    let rows = without_times(&node.run(20));
    assert!(rows.contains(&(0, FIRST, 1003, 50, 6)), "at once, with the next number: {rows:?}");
}

/// IV-34: every frame counts once, with its outer header.
#[test]
fn iv_34_counters_of_what_is_sent() {
    let mut node = Node::with_interfaces(&[FIRST, SECOND]);
    let sent = node.run(10_000);
    assert_eq!(node.counters.get(Counter::MgmtTx), sent.len() as u64);
    let bytes: usize = sent.iter().map(|sent| sent.frame.len()).sum();
    assert_eq!(node.counters.get(Counter::MgmtTxBytes), bytes as u64);
}

/// Own OGMs that were missed (a suspended machine) are not made up for.
#[test]
fn a_clock_that_jumps_makes_no_burst() {
    let mut node = Node::with_interfaces(&[FIRST]);
    node.run(100);
    node.now = at(100_000);
    node.deadline();
    assert_eq!(node.drain().len(), 1);
    assert!(node.iv.next_deadline() > Instant::from_millis(100_900));
}

/// IV-04, IV-30: flags of own OGMs are 0, also where neighbours repeat them with flags.
#[test]
fn iv_04_own_flags_are_0() {
    let mut node = Node::with_interfaces(&[FIRST, SECOND]);
    for seqno in 0..5 {
        node.hear_echo(0, PEER, 0);
        node.hear(0, PEER, ogm(PEER, seqno));
        for sent in node.run(1000) {
            for ogm in sent.records().iter().filter(|ogm| ogm.originator.0[4] == 1) {
                assert_eq!((ogm.flags, ogm.tq, ogm.reserved), (OgmFlags(0), 255, 0));
            }
        }
    }
    assert!(node.router(PEER, View::Default).is_some_and(|router| router == hop(0, PEER)));
}

/// IV-15: a shorter interval counts from the moment it is set, a longer one after the next OGM.
#[test]
fn iv_15_a_shorter_interval_counts_at_once() {
    for (before, after, first) in [(600_000, 1000, 1020), (1000, 600_000, 1020)] {
        let mut node = Node::with_interfaces(&[FIRST]);
        node.settings.orig_interval = ms(before);
        node.run(100);
        node.settings.orig_interval = ms(after);
        node.with(|iv, ctx, _| iv.settings_changed(ctx));
        assert_eq!(node.run(first).len(), 1, "{before} to {after}");
        assert_eq!(node.run(5000).len() > 1, after == 1000, "{before} to {after}");
    }
}
