//! Targets for frames and packets: what parses is rebuilt, and parses to the same again.

use noctule_wire::icmp::record_route;
use noctule_wire::icmp::throughput_meter::ThroughputMeter;
use noctule_wire::packet::{check_addresses, inner_offset, packet_type, set_ttl, unicast_style};
use noctule_wire::tvlv::multicast_tracker::MulticastTracker;
use noctule_wire::{
    Discard, Fragment, Icmp, Mac, MeshFrame, Multicast, Ogm, Ogm2, Ogm2s, Ogms, Packet, PacketType,
    fragment,
};

/// A whole frame, outer Ethernet header first.
///
/// # Panics
/// If a frame is not rebuilt to the same bytes (reserved bytes of a unicast TVLV packet are sent as zero), or if two ways
/// of reading it disagree.
pub fn fuzz_packet(data: &[u8]) {
    let Ok(frame) = MeshFrame::parse(data) else { return };
    let mut rebuilt = vec![0xa5; frame.wire_len()];
    frame.emit(&mut rebuilt);
    assert_eq!(MeshFrame::parse(&rebuilt), Ok(frame));
    let mut expected = data.to_vec();
    if let Packet::UnicastTvlv(_) = frame.packet {
        for reserved in [3, 18, 19] {
            expected[14 + reserved] = 0;
        }
    }
    assert_eq!(rebuilt, expected);

    let bytes = &data[14..];
    assert_eq!(packet_type(bytes), Ok(frame.packet.packet_type()));
    let inner = inner_offset(bytes).map(|offset| &bytes[offset..]);
    assert_eq!(inner, frame.packet.inner());
    let is_unicast = u8::from(frame.packet.packet_type()) & 0xc0 == 0x40;
    let checked =
        check_addresses(frame.packet.packet_type(), frame.destination, frame.source, |_| false);
    assert!(!is_unicast || checked.is_err(), "nothing is for us");
    assert!(!is_unicast || unicast_style(bytes).is_ok());

    let mut aged = bytes.to_vec();
    set_ttl(&mut aged, 1);
    assert!(Packet::parse(&aged).is_ok(), "the TTL decides nothing about the form");
}

/// An aggregate of OGMs.
///
/// # Panics
/// If the walk does not end, or an OGM is not rebuilt to what it was.
pub fn fuzz_ogm(data: &[u8]) {
    let walked: Vec<_> = Ogms::new(data).collect();
    assert!(walked.len() <= data.len() / Ogm::HEADER_LEN);
    for ogm in walked.into_iter().flatten() {
        let mut bytes = vec![0xa5; ogm.wire_len()];
        ogm.emit(&mut bytes);
        assert_eq!(Ogms::new(&bytes).collect::<Vec<_>>(), [Ok(ogm)]);
        assert!(ogm.tvlvs.len() % 2 == 0);
    }
}

/// An aggregate of OGM2s.
///
/// # Panics
/// If the walk does not end, or an OGM2 is not rebuilt to what it was.
pub fn fuzz_ogm2(data: &[u8]) {
    let walked: Vec<_> = Ogm2s::new(data).collect();
    assert!(walked.len() <= data.len() / Ogm2::HEADER_LEN);
    let bad = walked.iter().position(Result::is_err);
    assert!(bad.is_none_or(|at| at + 1 == walked.len()), "nothing behind a bad one counts");
    for ogm in walked.into_iter().flatten() {
        let mut bytes = vec![0xa5; ogm.wire_len()];
        ogm.emit(&mut bytes);
        assert_eq!(Ogm2::parse(&bytes), Ok((ogm, &[][..])));
    }
}

/// A fragment; and the same bytes as a packet that is cut and merged. The first two bytes choose the MTU.
///
/// # Panics
/// If a fragment is not rebuilt, or the merged parts are not the packet.
pub fn fuzz_fragment(data: &[u8]) {
    if let Ok(part) = Fragment::parse(data) {
        let mut bytes = vec![0xa5; part.wire_len()];
        part.emit(&mut bytes);
        assert_eq!(bytes, data);
    }
    let Some((mtu, packet)) = data.split_first_chunk::<2>() else { return };
    let mtu = usize::from(u16::from_be_bytes(*mtu));
    match fragment::Split::new(packet, mtu) {
        Ok(split) => {
            let parts: Vec<_> = split.collect();
            assert!(parts.len() <= Fragment::PARTS_MAX);
            let longest = parts.iter().map(|(_, part)| part.len()).max().unwrap_or(0);
            assert!(longest + Fragment::HEADER_LEN <= mtu.min(Fragment::SIZE_MAX));
            let numbers = parts.iter().map(|(number, _)| usize::from(*number));
            assert!(numbers.eq(0..parts.len()));
            let merged: Vec<u8> = parts.iter().rev().flat_map(|(_, part)| *part).copied().collect();
            assert_eq!(merged, packet);
        }
        Err(discard) => {
            assert_eq!(discard, Discard::Fragment);
            let capacity = mtu.min(Fragment::SIZE_MAX).saturating_sub(Fragment::HEADER_LEN);
            assert!(packet.is_empty() || packet.len() > capacity * Fragment::PARTS_MAX);
        }
    }
}

/// A mesh ICMP packet, its route record and its throughput meter header.
///
/// # Panics
/// If it is not rebuilt, or recording a route changes anything but one slot and the count of slots.
pub fn fuzz_icmp(data: &[u8]) {
    let Ok(icmp) = Icmp::parse(data) else { return };
    let mut bytes = vec![0xa5; icmp.wire_len()];
    icmp.emit(&mut bytes);
    assert_eq!(bytes, data);
    if let Ok(meter) = ThroughputMeter::parse(&icmp) {
        assert_eq!(meter.rest(), icmp.rest[..8]);
        let again = meter.icmp(icmp.destination, icmp.originator, icmp.uid, icmp.rest);
        assert_eq!(again, Icmp { ttl: again.ttl, ..icmp });
        assert_eq!(ThroughputMeter::parse(&again), Ok(meter));
        assert!(ThroughputMeter::accounted_len(&icmp) >= 18);
    }
    let receiver = Mac([2, 0, 0, 0, 0, 1]);
    match record_route(&mut bytes, receiver) {
        Ok(()) if bytes == data => {
            assert!(data.len() < Icmp::RECORD_LEN || ![0, 8].contains(&data[3]))
        }
        Ok(()) => {
            let recorded = Icmp::parse(&bytes).expect("still ICMP");
            assert_eq!(recorded.aux, icmp.aux + 1);
            let record = recorded.route_record().expect("a record");
            assert_eq!(record.last(), Some(receiver));
            let slot = 20 + 6 * usize::from(icmp.aux);
            assert_eq!((&bytes[..17], &bytes[18..slot]), (&data[..17], &data[18..slot]));
            assert_eq!(bytes[slot + 6..], data[slot + 6..]);
        }
        Err(discard) => {
            assert_eq!(discard, Discard::RouteRecordFull);
            assert_eq!(bytes, data);
        }
    }
}

/// A multicast packet; a copy of it goes to those destinations whose last byte is odd.
///
/// # Panics
/// If it is not rebuilt, or the copy is not what it should be.
pub fn fuzz_multicast(data: &[u8]) {
    let Ok(packet) = Multicast::parse(data) else { return };
    let mut bytes = vec![0xa5; packet.wire_len()];
    packet.emit(&mut bytes);
    assert_eq!(bytes, data);

    let keep = |mac: Mac| mac.0[5] % 2 == 1;
    let mut out = vec![0xa5; packet.wire_len()];
    let Ok(len) = packet.shrink(&mut out, keep) else { return };
    let copy = Multicast::parse(&out[..len]).expect("a copy is a packet");
    assert_eq!((copy.ttl, copy.inner), (packet.ttl, packet.inner));
    let (Some(Ok(before)), Some(Ok(after))) = (packet.tracker(), copy.tracker()) else { return };
    let expected: Vec<Mac> = before.destinations().filter(|mac| keep(*mac)).collect();
    assert_eq!(after.slots().collect::<Vec<_>>(), expected);
    let count = before.slot_count();
    let is_padded = before.padding.len() == MulticastTracker::padding_len(count);
    if is_padded && Multicast::header_len(count) == Multicast::HEADER_LEN + packet.tvlvs.len() {
        assert_eq!((len - copy.inner.len()) % 4, 2, "the inner frame stays aligned");
    }
    assert_eq!(Packet::parse(&out[..len]).unwrap().0.packet_type(), PacketType::Multicast);
}
