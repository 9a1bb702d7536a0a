//! Settings that change while the node runs.

use super::*;
use noctule_fib::Isolation;
use noctule_wire::tvlv::translation_table::ClientFlags;
use noctule_wire::{Client, Vid};

fn change(segment: &mut Segment, node: usize, change: impl FnOnce(&mut Settings)) {
    let mut settings = segment.nodes[node].settings().clone();
    change(&mut settings);
    let now = segment.now;
    segment.nodes[node].handle(now, Input::Settings(&settings));
}

#[test]
fn tt_121_fwd_113_what_the_data_plane_must_know_is_published_at_once() {
    let mut segment = Segment::of(2);
    let reader = segment.nodes[0].fib.reader();
    change(&mut segment, 0, |settings| {
        settings.fragmentation = false;
        let isolation: &mut Isolation = std::sync::Arc::make_mut(&mut settings.ap_isolation);
        isolation.set(Vid::UNTAGGED, true);
    });
    let node = reader.pin().node().clone();
    assert!(!node.fragmentation && node.isolation.contains(Vid::UNTAGGED));
    assert!(!node.isolation.contains(Vid::from_tci(1)));
}

#[test]
fn iv_63_the_penalty_of_an_interface_counts_from_the_next_ogm_on() {
    let mut segment = Segment::of(2);
    segment.run(Duration::from_secs(70));
    let tq = |segment: &Segment| {
        let rows = segment.nodes[0].originator_rows(segment.now);
        rows.iter().find(|row| row.originator == mac(1) && row.best).and_then(|row| row.metric.tq())
    };
    // Two nodes that send at the same moment count one echo less now and then.
    assert!(tq(&segment) >= Some(250), "{:?}", tq(&segment));
    let [iface, unknown] = [0, 5].map(|index| Iface::new(index).unwrap());
    let settings = IfaceSettings { hop_penalty: 128, ..IfaceSettings::default() };
    let now = segment.now;
    segment.nodes[0].handle(now, Input::InterfaceSettings { iface, settings });
    segment.nodes[0].handle(now, Input::InterfaceSettings { iface: unknown, settings });
    assert_eq!(segment.nodes[0].interface_rows()[0].hop_penalty, 128);
    segment.run(Duration::from_secs(70));
    assert!(tq(&segment).is_some_and(|tq| tq < 140), "{:?}", tq(&segment));
}

/// What was found out is forgotten together with the wish to find it out; and nothing is due for ever.
#[test]
fn without_probing_nothing_of_it_is_left() {
    let mut segment = Segment::of(2);
    // In the middle of a round of requests.
    segment.run(Duration::from_millis(3300));
    change(&mut segment, 0, |settings| settings.mtu_probing = false);
    let now = segment.now + Duration::from_secs(1);
    segment.nodes[0].handle(now, Input::Deadline);
    assert!(segment.nodes[0].next_deadline() > now);
}

#[test]
fn tt_21_another_port_changes_the_flags_and_nothing_else() {
    let mut segment = Segment::of(2);
    segment.run(Duration::from_secs(3));
    let client = Client::untagged(Mac([2, 0xc1, 0, 0, 0, 1]));
    let stranger = Client::untagged(Mac([2, 0xc1, 0, 0, 0, 2]));
    let now = segment.now;
    segment.nodes[0].handle(now, Input::LearnLocal { client, wifi: false, isolated: false });
    segment.run(Duration::from_secs(3));
    let now = segment.now;
    let attributes = |client, wifi, isolated| Input::LocalAttributes { client, wifi, isolated };
    segment.nodes[0].handle(now, attributes(client, true, true));
    segment.nodes[0].handle(now, attributes(stranger, true, true));
    let rows = segment.nodes[0].local_rows(now);
    let row = rows.iter().find(|row| row.client == client).unwrap();
    assert!(row.flags.contains(ClientFlags::WIFI.or(ClientFlags::ISOLATED)));
    assert!(row.last_seen.is_some_and(|age| age >= Duration::from_secs(3)), "it was silent");
    assert!(rows.iter().all(|row| row.client != stranger), "nobody is learned by it");
    segment.run(Duration::from_secs(4));
    let announced = |segment: &Segment| {
        let rows = segment.nodes[1].global_rows();
        rows.iter().find(|row| row.client == client).map(|row| row.flags)
    };
    assert_eq!(announced(&segment), Some(ClientFlags::WIFI.or(ClientFlags::ISOLATED)));
    let now = segment.now;
    segment.nodes[0].handle(now, attributes(client, false, true));
    segment.run(Duration::from_secs(4));
    assert_eq!(announced(&segment), Some(ClientFlags::ISOLATED));
}
