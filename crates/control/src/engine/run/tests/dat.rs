//! Who takes part in the distributed ARP table.

use super::*;
use noctule_wire::Vid;

/// The members of the ring that a node has published, of those in the segment.
fn members(segment: &Segment, node: usize) -> Option<Vec<Mac>> {
    let fib = segment.nodes[node].fib.reader();
    let guard = fib.pin();
    let ring = guard.node().dat.as_ref()?;
    // Three of the ring are shown for each address: with few members that is all of them.
    let mut members: Vec<_> = ring.candidates([10, 0, 0, 1], Vid::UNTAGGED).collect();
    members.sort_unstable();
    Some(members)
}

fn switch(segment: &mut Segment, node: usize, on: bool) {
    let settings = Settings { distributed_arp_table: on, ..segment.nodes[node].settings().clone() };
    segment.nodes[node].handle(segment.now, Input::Settings(&settings));
}

/// DAT-20, DAT-21: who announces the container is a member as long as it does; we are none for ourselves (DAT-13).
#[test]
fn dat_13_dat_20_dat_21_members_are_those_who_say_so() {
    let mut segment = Segment::of(3);
    segment.run(Duration::from_secs(10));
    assert_eq!(members(&segment, 0), Some(vec![mac(1), mac(2)]));
    switch(&mut segment, 1, false);
    segment.run(Duration::from_secs(5));
    assert_eq!(members(&segment, 0), Some(vec![mac(2)]));
    assert_eq!(members(&segment, 1), None, "takes no part itself");
    switch(&mut segment, 1, true);
    segment.run(Duration::from_secs(5));
    assert_eq!(members(&segment, 0), Some(vec![mac(1), mac(2)]));
    assert_eq!(members(&segment, 1), Some(vec![mac(0), mac(2)]));
}

/// DAT-22: an OGM without any container says nothing.
#[test]
fn dat_22_an_empty_ogm_changes_nothing() {
    let mut segment = Segment::of(2);
    segment.run(Duration::from_secs(10));
    let before = members(&segment, 0);
    let ogm = Ogm {
        ttl: 50,
        flags: Default::default(),
        seqno: SeqNo(5000),
        originator: mac(1),
        previous_sender: mac(1),
        reserved: 0,
        tq: 255,
        tvlvs: &[],
    };
    let mut packet = vec![0; ogm.wire_len()];
    ogm.emit(&mut packet);
    segment.hand(0, mac(1), Mac::BROADCAST, &packet);
    segment.run(Duration::from_millis(10));
    assert_eq!(members(&segment, 0), before);
}

/// A member that is forgotten leaves the ring.
#[test]
fn dat_13_who_is_gone_keeps_nothing() {
    let mut segment = Segment::of(3);
    segment.run(Duration::from_secs(10));
    segment.nodes.truncate(2);
    segment.run(Duration::from_secs(900));
    assert_eq!(members(&segment, 0), Some(vec![mac(1)]));
}
