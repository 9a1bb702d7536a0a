//! Every packet and every TVLV value: what is emitted over a dirty buffer parses to the same value, every shorter prefix
//! is refused or read as the shorter thing it is, and any bytes at all are either refused or rebuilt as they were.

mod hex;

use hex::rebuild;
use noctule_wire::claim::{ClaimType, Recognised, recognise};
use noctule_wire::icmp::Message;
use noctule_wire::icmp::throughput_meter::ThroughputMeter;
use noctule_wire::mesh_frame::UnknownUnicast;
use noctule_wire::ogm::OgmFlags;
use noctule_wire::payload::arp::Arp;
use noctule_wire::payload::dhcp::Dhcp;
use noctule_wire::payload::{Udp, checksum};
use noctule_wire::tvlv::gateway::Gateway;
use noctule_wire::tvlv::multicast::MulticastFlags;
use noctule_wire::tvlv::multicast_tracker::MulticastTracker;
use noctule_wire::tvlv::roaming::Roaming;
use noctule_wire::tvlv::translation_table::{
    Change, ClientFlags, TranslationTable, TtFlags, VlanBlock,
};
use noctule_wire::tvlv::{Container, Containers, Kind, append};
use noctule_wire::{
    Broadcast, Claim, Client, Coded, Discard, Elp, Fragment, Icmp, Mac, MeshFrame, Multicast, Ogm,
    Ogm2, Packet, PacketType, SeqNo, Throughput, Ttvn, Unicast, Unicast4Addr, UnicastTvlv, Vid,
    coded::CodedHalf, fragment,
};
use proptest::collection::vec;
use proptest::prelude::*;

fn mac() -> impl Strategy<Value = Mac> {
    any::<[u8; 6]>().prop_map(Mac)
}

fn even_bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<[u8; 2]>(), 0..=max / 2).prop_map(|pairs| pairs.concat())
}

/// The same value from its own bytes; of every shorter prefix at least that it does not panic. Returns the shortest
/// prefix that parses.
fn round_trip(packet: Packet<'_>) -> usize {
    let mut bytes = vec![0xa5; packet.wire_len()];
    packet.emit(&mut bytes);
    assert_eq!(Packet::parse(&bytes), Ok((packet, &[][..])));
    let shortest = (0..=bytes.len()).find(|len| Packet::parse(&bytes[..*len]).is_ok()).unwrap();
    for len in shortest..bytes.len() {
        let (shorter, padding) = Packet::parse(&bytes[..len]).expect("longer than the shortest");
        assert_eq!(shorter.packet_type(), packet.packet_type());
        assert_eq!(shorter.wire_len() + padding.len(), len);
    }
    shortest
}

proptest! {
    #[test]
    fn ogm(
        (ttl, flags, tq, reserved) in any::<(u8, u8, u8, u8)>(),
        seqno in any::<u32>(),
        (originator, previous_sender) in (mac(), mac()),
        tvlvs in even_bytes(64),
        second in even_bytes(16),
    ) {
        let (flags, seqno) = (OgmFlags(flags), SeqNo(seqno));
        let ogm = Ogm { ttl, flags, seqno, originator, previous_sender, reserved, tq, tvlvs: &tvlvs };
        let next = Ogm { tvlvs: &second, seqno: seqno.next(), ..ogm };
        let mut bytes = vec![0xa5; ogm.wire_len() + next.wire_len()];
        ogm.emit(&mut bytes[..ogm.wire_len()]);
        next.emit(&mut bytes[ogm.wire_len()..]);
        let (packet, padding) = Packet::parse(&bytes).unwrap();
        prop_assert_eq!(padding, &[][..]);
        prop_assert_eq!(packet.ogms().collect::<Vec<_>>(), [Ok(ogm), Ok(next)]);
        prop_assert_eq!(round_trip(packet), ogm.wire_len(), "WIRE-25: nothing shorter is an OGM");
    }

    #[test]
    fn ogm2(
        (ttl, flags) in any::<(u8, u8)>(),
        (seqno, throughput) in any::<(u32, u32)>(),
        originator in mac(),
        tvlvs in even_bytes(64),
        second in even_bytes(16),
    ) {
        let (throughput, seqno) = (Throughput(throughput), SeqNo(seqno));
        let ogm = Ogm2 { ttl, flags, seqno, originator, throughput, tvlvs: &tvlvs };
        let next = Ogm2 { tvlvs: &second, seqno: seqno.next(), ..ogm };
        let mut bytes = vec![0xa5; ogm.wire_len() + next.wire_len()];
        ogm.emit(&mut bytes[..ogm.wire_len()]);
        next.emit(&mut bytes[ogm.wire_len()..]);
        let (packet, padding) = Packet::parse(&bytes).unwrap();
        prop_assert_eq!(padding, &[][..]);
        prop_assert_eq!(packet.ogm2s().collect::<Vec<_>>(), [Ok(ogm), Ok(next)]);
        prop_assert_eq!(round_trip(packet), ogm.wire_len(), "WIRE-35: nothing shorter is an OGM2");
    }

    #[test]
    fn elp(originator in mac(), (seqno, interval_ms) in any::<(u32, u32)>()) {
        let elp = Elp { originator, seqno: SeqNo(seqno), interval_ms };
        prop_assert_eq!(round_trip(Packet::Elp(elp)), Elp::HEADER_LEN);
        prop_assert_eq!(Elp::parse(&elp.to_bytes()), Ok(elp));
    }

    #[test]
    fn unicast(
        (ttl, ttvn, subtype, reserved) in any::<(u8, u8, u8, u8)>(),
        (destination, source) in (mac(), mac()),
        inner in vec(any::<u8>(), 14..80),
    ) {
        let ttvn = Ttvn(ttvn);
        let packet = Unicast { ttl, ttvn, destination, inner: &inner };
        prop_assert_eq!(round_trip(Packet::Unicast(packet)), 24);
        let subtype = subtype.into();
        let packet =
            Unicast4Addr { ttl, ttvn, destination, source, subtype, reserved, inner: &inner };
        prop_assert_eq!(round_trip(Packet::Unicast4Addr(packet)), 32);
    }

    #[test]
    fn broadcast(
        (ttl, reserved) in any::<(u8, u8)>(),
        seqno in any::<u32>(),
        originator in mac(),
        inner in vec(any::<u8>(), 0..80),
    ) {
        let seqno = SeqNo(seqno);
        let packet = Broadcast { ttl, reserved, seqno, originator, inner: &inner };
        prop_assert_eq!(round_trip(Packet::Broadcast(packet)), 14);
    }

    #[test]
    fn multicast(
        (ttl, reserved) in any::<(u8, u8)>(),
        tvlvs in even_bytes(64),
        inner in vec(any::<u8>(), 0..80),
    ) {
        let packet = Multicast { ttl, reserved, tvlvs: &tvlvs, inner: &inner };
        prop_assert_eq!(round_trip(Packet::Multicast(packet)), 6 + tvlvs.len(), "WIRE-60");
    }

    #[test]
    fn fragment_part(
        (ttl, number, priority, reserved) in (any::<u8>(), 0..16u8, 0..8u8, any::<bool>()),
        (destination, originator) in (mac(), mac()),
        (seqno, total_size) in any::<(u16, u16)>(),
        data in vec(any::<u8>(), 0..80),
    ) {
        let packet = Fragment {
            ttl, number, priority, reserved, destination, originator, seqno, total_size, data: &data,
        };
        prop_assert_eq!(round_trip(Packet::Fragment(packet)), 20, "WIRE-55");
    }

    #[test]
    fn wire_53_split_parts_fit_and_merge(
        packet in vec(any::<u8>(), 1..20_161),
        mtu in 576..9000usize,
    ) {
        let capacity = mtu.min(1280) - 20;
        let Ok(split) = fragment::Split::new(&packet, mtu) else {
            prop_assert!(packet.len() > 16 * capacity, "only too long a packet is refused");
            return Ok(());
        };
        let parts: Vec<_> = split.collect();
        let count = (packet.len() - 1) / capacity + 1;
        prop_assert!(parts.len() <= count && count <= Fragment::PARTS_MAX);
        prop_assert!(parts.iter().enumerate().all(|(at, (number, _))| at == usize::from(*number)));
        let (_, but_head) = parts.split_last().unwrap();
        prop_assert!(but_head.iter().all(|(_, part)| part.len() == (packet.len() - 1) / count + 1));
        prop_assert!(parts.iter().all(|(_, part)| (1..=capacity).contains(&part.len())));
        for (number, data) in &parts {
            let any = Mac([2; 6]);
            let total_size = packet.len() as u16;
            let part = Fragment {
                ttl: 50, number: *number, priority: 0, reserved: false, destination: any, originator: any, seqno: 1,
                total_size, data,
            };
            prop_assert_eq!(part.longest_len(), 20 + parts[0].1.len(), "each part tells it, the head too");
        }
        let merged: Vec<u8> = parts.iter().rev().flat_map(|(_, part)| *part).copied().collect();
        prop_assert_eq!(merged, packet, "WIRE-52: the highest number is the head");
    }

    #[test]
    fn icmp(
        (ttl, message, uid, aux) in any::<(u8, u8, u8, u8)>(),
        (destination, originator) in (mac(), mac()),
        seqno in any::<u16>(),
        rest in vec(any::<u8>(), 0..120),
    ) {
        let message = Message::from(message);
        let icmp = Icmp { ttl, message, destination, originator, uid, aux, seqno, rest: &rest };
        prop_assert_eq!(round_trip(Packet::Icmp(icmp)), 20);
        let meter = Icmp { message: Message::ThroughputMeter, ..icmp };
        match ThroughputMeter::parse(&meter) {
            Ok(header) => {
                prop_assert_eq!(&header.rest(), &rest[..8]);
                let again = header.icmp(destination, originator, uid, &rest);
                prop_assert_eq!(again, Icmp { ttl: 50, ..meter });
            }
            Err(discard) => {
                prop_assert!(meter.wire_len() < 28 && discard == Discard::Truncated, "WIRE-69");
            }
        }
    }

    #[test]
    fn unicast_tvlv(ttl in any::<u8>(), (destination, source) in (mac(), mac()), tvlvs in even_bytes(64)) {
        let packet = UnicastTvlv { ttl, destination, source, tvlvs: &tvlvs };
        prop_assert_eq!(round_trip(Packet::UnicastTvlv(packet)), 20 + tvlvs.len(), "WIRE-74");
    }

    #[test]
    fn unknown_unicast(
        packet_type in 0x45..0x80u8,
        (ttl, byte_3) in any::<(u8, u8)>(),
        destination in mac(),
        rest in vec(any::<u8>(), 0..40),
    ) {
        let packet = UnknownUnicast { packet_type, ttl, byte_3, destination, rest: &rest };
        prop_assert_eq!(round_trip(Packet::Unknown(packet)), 10, "WIRE-08");
    }

    #[test]
    fn coded(
        macs in any::<[[u8; 6]; 5]>(),
        (first_ttl, second_ttl, first_ttvn, second_ttvn) in any::<(u8, u8, u8, u8)>(),
        (first_id, second_id, coded_len) in any::<(u32, u32, u16)>(),
        data in vec(any::<u8>(), 0..40),
    ) {
        let [a, b, c, d, e] = macs.map(Mac);
        let half = |ttl, ttvn, source, destination, id| CodedHalf {
            ttl, ttvn: Ttvn(ttvn), source, destination, id,
        };
        let first = half(first_ttl, first_ttvn, a, b, first_id);
        let second = half(second_ttl, second_ttvn, c, d, second_id);
        let packet = Coded { first, second, second_receiver: e, coded_len, data: &data };
        prop_assert_eq!(round_trip(Packet::Coded(packet)), 46, "WIRE-76");
    }

    #[test]
    fn claim_frame(
        (destination, source, sender) in (mac(), mac(), mac()),
        vid in prop_oneof![Just(0u16), 0x8001..0x9000u16],
        (claim_type, group, mark) in any::<(u8, u16, Option<bool>)>(),
    ) {
        let claim_type = ClaimType::from(claim_type);
        let vid = Vid(vid);
        let claim = Claim { destination, source, vid, claim_type, sender, group, mark };
        let mut bytes = vec![0xa5; claim.wire_len()];
        claim.emit(&mut bytes);
        prop_assert_eq!(recognise(&bytes), Recognised::Claim(claim));
        let unmarked = Claim { mark: None, ..claim }.wire_len();
        for len in 0..unmarked {
            prop_assert_eq!(recognise(&bytes[..len]), Recognised::No, "WIRE-105: all 28 ARP bytes");
        }
    }

    #[test]
    fn containers(values in vec((any::<(u8, u8)>(), even_bytes(20)), 0..6)) {
        let mut area = Vec::new();
        let mut expected = Vec::new();
        for ((container_type, version), value) in &values {
            let kind = Kind { container_type: *container_type, version: *version };
            append(&mut area, kind, value).unwrap();
            expected.push(Ok(Container { kind, value }));
        }
        prop_assert_eq!(Containers::new(&area).collect::<Vec<_>>(), &expected[..]);
        for len in 0..area.len() {
            let shorter: Vec<_> = Containers::new(&area[..len]).collect();
            let whole = shorter.iter().filter(|container| container.is_ok()).count();
            prop_assert_eq!(&shorter[..whole], &expected[..whole], "WIRE-81: those before count");
            prop_assert!(shorter.len() <= whole + 1);
        }
    }

    #[test]
    fn translation_table_value(
        (flags, ttvn) in any::<(u8, u8)>(),
        vlans in vec(any::<(u32, u16)>(), 0..5),
        changes in vec((any::<u8>(), mac(), any::<u16>()), 0..8),
        rest in vec(any::<u8>(), 0..12),
    ) {
        let vlans: Vec<_> =
            vlans.into_iter().map(|(crc, vid)| VlanBlock { crc, vid: Vid(vid) }).collect();
        let changes: Vec<_> = changes
            .into_iter()
            .map(|(flags, mac, vid)| Change {
                flags: ClientFlags::from_wire(flags),
                client: Client::new(mac, Vid(vid)),
            })
            .collect();
        let mut value = Vec::new();
        let (flags, ttvn) = (TtFlags(flags), Ttvn(ttvn));
        TranslationTable::emit(&mut value, flags, ttvn, &vlans, changes.iter().copied());
        prop_assert_eq!(value.len(), 4 + 8 * vlans.len() + 12 * changes.len());
        for len in 0..4 + 8 * vlans.len() {
            prop_assert_eq!(TranslationTable::parse(&value[..len]), Err(Discard::Truncated), "WIRE-100");
        }
        value.extend(rest); // fewer than 12 bytes: not an entry
        let table = TranslationTable::parse(&value).unwrap();
        prop_assert_eq!((table.flags, table.ttvn), (flags, ttvn));
        prop_assert_eq!(table.vlans().collect::<Vec<_>>(), vlans);
        prop_assert_eq!(table.changes().collect::<Vec<_>>(), changes);
    }

    #[test]
    fn small_values(
        (down, up) in (1..=u32::MAX, 1..=u32::MAX),
        flags in any::<u8>(),
        (client, vid) in (mac(), any::<u16>()),
        rest in vec(any::<u8>(), 0..8),
    ) {
        let gateway = Gateway { down: Throughput(down), up: Throughput(up) };
        let value = [&gateway.to_bytes()[..], &rest].concat();
        prop_assert_eq!(Gateway::parse(&value), Some(gateway));
        prop_assert!((0..8).all(|len| Gateway::parse(&value[..len]).is_none()), "WIRE-90");

        let roaming = Roaming { client: Client::new(client, Vid(vid)) };
        let value = [&roaming.to_bytes()[..], &rest].concat();
        prop_assert_eq!(Roaming::parse(&value), Ok(roaming));
        prop_assert!((0..8).all(|len| Roaming::parse(&value[..len]).is_err()), "WIRE-101");

        let flags = MulticastFlags(flags);
        let taken = MulticastFlags::parse(&flags.to_bytes());
        prop_assert!(taken.contains(flags) && taken.0 & !flags.0 & !0x18 == 0);
        prop_assert_eq!(MulticastFlags::parse(&taken.to_bytes()), taken);
    }

    #[test]
    fn multicast_tracker_value(destinations in vec(mac(), 0..12)) {
        let mut value = Vec::new();
        MulticastTracker::emit(&mut value, &destinations);
        prop_assert_eq!(value.len(), MulticastTracker::value_len(destinations.len()));
        let tracker = MulticastTracker::parse(&value).unwrap();
        prop_assert_eq!(tracker.slots().collect::<Vec<_>>(), &destinations[..]);
        for len in 0..2 + 6 * destinations.len() {
            prop_assert_eq!(MulticastTracker::parse(&value[..len]), Err(Discard::Truncated), "WIRE-102");
        }
    }

    /// A copy for some destinations obeys WIRE-62 and WIRE-63 whatever was in the packet.
    #[test]
    fn wire_63_shrink(
        destinations in vec((mac(), any::<bool>()), 0..12),
        surplus in 0..3usize,
        others in vec(even_bytes(10), 0..3),
        stub in prop_oneof![Just(&[][..]), Just(&[0xee, 0xef][..])],
        inner in vec(any::<u8>(), 0..40),
    ) {
        let (macs, keep): (Vec<_>, Vec<_>) = destinations.into_iter().unzip();
        let kept: Vec<Mac> = macs.iter().zip(&keep).filter_map(|(mac, keep)| keep.then_some(*mac)).collect();
        let (mut tvlvs, mut value) = (Vec::new(), Vec::new());
        let other = Kind { container_type: 200, version: 1 };
        MulticastTracker::emit(&mut value, &macs);
        value.resize(value.len() + 2 * surplus, 0);
        append(&mut tvlvs, Kind::MULTICAST_TRACKER, &value).unwrap();
        for value in &others {
            append(&mut tvlvs, other, value).unwrap();
        }
        tvlvs.extend(stub); // too short to be a container
        let packet = Multicast { ttl: 49, reserved: 0, tvlvs: &tvlvs, inner: &inner };
        let mut out = vec![0xa5; packet.wire_len()];
        let len = packet.shrink(&mut out, |mac| kept.contains(&mac)).unwrap();
        let copy = Multicast::parse(&out[..len]).unwrap();
        prop_assert_eq!((copy.ttl, copy.inner), (49, &inner[..]));
        let tracker = copy.tracker().unwrap().unwrap();
        let stations: Vec<Mac> = kept.iter().copied().filter(|mac| mac.is_station()).collect();
        if stations.len() < macs.len() {
            prop_assert_eq!(tracker.slots().collect::<Vec<_>>(), &stations[..]);
        }
        let regular = MulticastTracker::padding_len(tracker.slot_count());
        prop_assert_eq!(tracker.padding, vec![0; regular + 2 * surplus]);
        let kept_others: Vec<_> = Containers::new(copy.tvlvs).skip(1).collect();
        let expected: Vec<_> =
            others.iter().map(|value| Ok(Container { kind: other, value: &value[..] })).collect();
        prop_assert_eq!(kept_others, expected);
        prop_assert!(copy.tvlvs.ends_with(stub));
        let containers = 4 + 4 * others.len() + others.iter().map(Vec::len).sum::<usize>();
        let value_len = 2 + 6 * tracker.slot_count() + tracker.padding.len();
        prop_assert_eq!(copy.tvlvs.len(), containers + value_len + stub.len());
    }

    /// Any bytes behind a right version: refused, or rebuilt to what they were, but for reserved bytes that are always
    /// sent as zero.
    #[test]
    fn any_frame(
        packet_type in prop_oneof![0..6u8, 0x40..0x50u8, any::<u8>()],
        mut rest in vec(any::<u8>(), 0..160),
        plausible_len in any::<bool>(),
    ) {
        let mut bytes = vec![0; 12];
        bytes.extend([0x43, 0x05, packet_type, 15]);
        if plausible_len {
            // High bytes of the length fields: else nearly all packets with TVLVs are refused.
            for at in [2, 12, 14, 20] {
                rest.get_mut(at).into_iter().for_each(|byte| *byte = 0);
            }
        }
        bytes.extend(rest);
        if let Ok(frame) = MeshFrame::parse(&bytes) {
            let rebuilt = rebuild(&frame);
            if packet_type == 0x44 {
                for at in [3, 18, 19] {
                    bytes[14 + at] = 0;
                }
            }
            prop_assert_eq!(rebuilt, bytes);
        }
    }

    /// Any bytes as the payload and as TVLV areas: nothing panics, and a filled checksum stays as it is.
    #[test]
    fn any_payload(ethertype in prop_oneof![Just(0x0800u16), Just(0x86dd), Just(0x0806), Just(0x8100), any::<u16>()], rest in vec(any::<u8>(), 0..120)) {
        let mut bytes = vec![2; 12];
        bytes.extend(ethertype.to_be_bytes());
        bytes.extend(&rest);
        let _ = (Arp::find(&bytes), Udp::find(&bytes), Dhcp::classify(&bytes), recognise(&bytes));
        let len = bytes.len();
        if checksum::fill(&mut bytes) {
            let filled = bytes.clone();
            prop_assert!(checksum::fill(&mut bytes));
            prop_assert_eq!(&filled, &bytes);
        }
        prop_assert_eq!(bytes.len(), len);
        for container in Containers::new(&rest).flatten() {
            let _ = TranslationTable::parse(container.value);
            let _ = MulticastTracker::parse(container.value);
        }
    }
}

#[test]
fn wire_07_unassigned_types_are_refused() {
    for packet_type in (0x06..0x40).chain(0x80..=0xff) {
        assert_eq!(PacketType::from(packet_type), PacketType::Unassigned(packet_type));
        let bytes = [&[packet_type, 15][..], &[0; 60]].concat();
        assert_eq!(Packet::parse(&bytes), Err(Discard::Type));
    }
}
