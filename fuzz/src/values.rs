//! Targets for what is inside packets: TVLV values, claim frames, clients' frames.

use noctule_wire::claim::{Recognised, recognise};
use noctule_wire::ethernet::Frame;
use noctule_wire::payload::arp::Arp;
use noctule_wire::payload::dhcp::Dhcp;
use noctule_wire::payload::neighbour::Neighbour;
use noctule_wire::payload::{Udp, checksum, layer_3};
use noctule_wire::tvlv::gateway::Gateway;
use noctule_wire::tvlv::multicast::MulticastFlags;
use noctule_wire::tvlv::multicast_tracker::MulticastTracker;
use noctule_wire::tvlv::roaming::Roaming;
use noctule_wire::tvlv::translation_table::TranslationTable;
use noctule_wire::tvlv::{Containers, append};

/// A TVLV area: the walk, and every parser of values on every value, whatever its type.
///
/// # Panics
/// If the walk skips a byte, or a value is not the same after being sent again.
pub fn fuzz_tvlv(data: &[u8]) {
    let walked: Vec<_> = Containers::new(data).collect();
    let bad = walked.iter().position(Result::is_err);
    assert!(bad.is_none_or(|at| at + 1 == walked.len()), "nothing behind a bad one counts");
    let mut area = Vec::new();
    for container in walked.iter().flatten() {
        append(&mut area, container.kind, container.value).expect("what was read can be sent");
        value(container.value);
    }
    assert_eq!(area, data[..area.len()]);
    assert!(bad.is_some() || data.len() - area.len() < 4, "only a stub is left over");
    value(data);
}

fn value(bytes: &[u8]) {
    if let Some(gateway) = Gateway::parse(bytes) {
        assert_eq!(gateway.to_bytes(), bytes[..8]);
    }
    if let Ok(roaming) = Roaming::parse(bytes) {
        assert_eq!(roaming.to_bytes(), bytes[..8]);
    }
    let flags = MulticastFlags::parse(bytes);
    assert_eq!(MulticastFlags::parse(&flags.to_bytes()), flags);
    if let Ok(table) = TranslationTable::parse(bytes) {
        let (vlans, changes): (Vec<_>, Vec<_>) =
            (table.vlans().collect(), table.changes().collect());
        let mut again = Vec::new();
        let sent = changes.iter().copied();
        TranslationTable::emit(&mut again, table.flags, table.ttvn, &vlans, sent);
        assert!(again.len() <= bytes.len() && bytes.len() - again.len() < 12);
        let table = TranslationTable::parse(&again).expect("what was read can be sent");
        assert_eq!(table.vlans().collect::<Vec<_>>(), vlans);
        assert_eq!(table.changes().collect::<Vec<_>>(), changes);
    }
    if let Ok(tracker) = MulticastTracker::parse(bytes) {
        let slots: Vec<_> = tracker.slots().collect();
        let mut again = Vec::new();
        MulticastTracker::emit(&mut again, &slots);
        let shared = 2 + 6 * slots.len();
        assert_eq!(again[..shared], bytes[..shared]);
        assert!(tracker.destinations().count() <= slots.len());
    }
}

/// A claim frame of bridge loop avoidance.
///
/// # Panics
/// If one is not recognised again after being sent.
pub fn fuzz_claim(data: &[u8]) {
    let Recognised::Claim(claim) = recognise(data) else { return };
    let mut bytes = vec![0xa5; claim.wire_len()];
    claim.emit(&mut bytes);
    assert_eq!(recognise(&bytes), Recognised::Claim(claim));
    assert!(data.len() >= 42);
}

/// A client's frame.
///
/// # Panics
/// If two ways of reading it disagree, or a filled checksum is not right.
pub fn fuzz_payload(data: &[u8]) {
    let Ok(frame) = Frame::parse(data) else {
        assert!(data.len() < 14 && layer_3(data).is_err());
        return;
    };
    assert_eq!(frame.source_client().vid, frame.vid());
    assert!(frame.vid().is_valid());
    assert!(frame.priority().is_none_or(|priority| priority < 8));
    assert_eq!(frame.has_broken_tag(), layer_3(data).is_err());
    assert!(!frame.is_mesh() || Arp::find(data).is_none());
    assert!(!frame.is_mesh() || Neighbour::find(data).is_none());
    let udp = Udp::find(data);
    assert!(udp.is_some() || Dhcp::classify(data).is_none());
    let mut filled = data.to_vec();
    if checksum::fill(&mut filled) {
        let once = filled.clone();
        assert!(checksum::fill(&mut filled));
        assert_eq!(filled, once);
    }
    assert!(filled.len() == data.len() && filled[..14] == data[..14]);
    let changed = filled.iter().zip(data).filter(|(a, b)| a != b).count();
    assert!(changed <= 4, "one checksum of IPv4 and one of the transport");
    let (start, offset) = (usize::from(data[0]), usize::from(data[1]));
    let fits = start + offset + 2 <= data.len();
    assert_eq!(checksum::complete(&mut filled, start, offset), fits);
}
