//! Rules of docs/protocol/01-wire.md about frames and packets, one by one, with the cases that neither the page's
//! examples nor the captures have.

mod hex;

use hex::{A, B, C, CLIENT, hex, rebuild};
use noctule_wire::claim::{Recognised, recognise};
use noctule_wire::icmp::record_route;
use noctule_wire::ogm::{OgmFlags, set_direct_link};
use noctule_wire::packet::{check_addresses, inner_offset, packet_type, set_ttl, unicast_style};
use noctule_wire::tvlv::multicast::MulticastFlags;
use noctule_wire::tvlv::multicast_tracker::MulticastTracker;
use noctule_wire::tvlv::translation_table::TranslationTable;
use noctule_wire::tvlv::{Kind, append};
use noctule_wire::unicast::{Subtype, redirect};
use noctule_wire::{
    Broadcast, COMPAT_VERSION, Claim, Client, Discard, ETHERNET_HEADER_LEN, Elp, Fragment, Icmp,
    Mac, MeshFrame, Multicast, Ogm, Ogm2, Ogm2s, Ogms, Packet, PacketType, SeqNo, Throughput, Ttvn,
    Unicast, Unicast4Addr, UnicastTvlv, Vid,
};

/// The smallest packet of each type that has a parser, all fields zero that may be.
fn smallest_packets() -> Vec<(PacketType, Vec<u8>)> {
    [
        (PacketType::Ogm, 24),
        (PacketType::Broadcast, 14),
        (PacketType::Coded, 46),
        (PacketType::Elp, 16),
        (PacketType::Ogm2, 20),
        (PacketType::Multicast, 6),
        (PacketType::Unicast, 24),
        (PacketType::Fragment, 20),
        (PacketType::Unicast4Addr, 32),
        (PacketType::Icmp, 20),
        (PacketType::UnicastTvlv, 20),
        (PacketType::UnknownUnicast(0x4f), 10),
    ]
    .into_iter()
    .map(|(packet_type, len)| {
        let mut bytes = vec![0; len];
        bytes[..2].copy_from_slice(&[packet_type.into(), COMPAT_VERSION]);
        (packet_type, bytes)
    })
    .collect()
}

fn ogm(originator: Mac, tvlvs: &[u8]) -> Vec<u8> {
    let (flags, seqno) = (OgmFlags(0), SeqNo(1));
    let previous_sender = originator;
    let ogm =
        Ogm { ttl: 50, flags, seqno, originator, previous_sender, reserved: 0, tq: 255, tvlvs };
    let mut bytes = vec![0xa5; ogm.wire_len()];
    ogm.emit(&mut bytes);
    bytes
}

fn ogm2(originator: Mac, tvlvs: &[u8]) -> Vec<u8> {
    let (seqno, throughput) = (SeqNo(1), Throughput::MAX);
    let ogm = Ogm2 { ttl: 50, flags: 0, seqno, originator, throughput, tvlvs };
    let mut bytes = vec![0xa5; ogm.wire_len()];
    ogm.emit(&mut bytes);
    bytes
}

/// Who is in an aggregate, and how the walk ended.
fn walk(bytes: &[u8]) -> Vec<Result<Mac, Discard>> {
    Ogms::new(bytes).map(|ogm| ogm.map(|ogm| ogm.originator)).collect()
}

fn walk2(bytes: &[u8]) -> Vec<Result<Mac, Discard>> {
    Ogm2s::new(bytes).map(|ogm| ogm.map(|ogm| ogm.originator)).collect()
}

#[test]
fn wire_02_wire_03_type_and_version_come_first() {
    for (packet_type_, mut bytes) in smallest_packets() {
        assert_eq!(packet_type(&bytes), Ok(packet_type_));
        assert_eq!(Packet::parse(&bytes).unwrap().0.packet_type(), packet_type_);
        let shorter = &bytes[..bytes.len() - 1];
        assert_eq!(Packet::parse(shorter), Err(Discard::Truncated), "{packet_type_:?}");
        for version in [0, 14, 16, 255] {
            bytes[1] = version;
            assert_eq!(Packet::parse(&bytes), Err(Discard::Version), "{packet_type_:?}");
        }
    }
    assert_eq!(packet_type(&[]), Err(Discard::Truncated));
    assert_eq!(packet_type(&[0x40]), Err(Discard::Truncated));
    assert_eq!(packet_type(&[0xff, 14]), Err(Discard::Version), "before the type");
}

/// ELP has no TTL (WIRE-41): byte 2 of it is the originator's first.
#[test]
fn wire_04_wire_41_the_ttl_is_byte_2_except_in_elp() {
    for (packet_type, bytes) in smallest_packets() {
        let mut aged = bytes.clone();
        set_ttl(&mut aged, 0x2a);
        let ttl = match Packet::parse(&aged).unwrap().0 {
            packet @ Packet::Ogms(_) => packet.ogms().next().unwrap().unwrap().ttl,
            packet @ Packet::Ogm2s(_) => packet.ogm2s().next().unwrap().unwrap().ttl,
            Packet::Broadcast(packet) => packet.ttl,
            Packet::Coded(packet) => packet.first.ttl,
            Packet::Multicast(packet) => packet.ttl,
            Packet::Unicast(packet) => packet.ttl,
            Packet::Fragment(packet) => packet.ttl,
            Packet::Unicast4Addr(packet) => packet.ttl,
            Packet::Icmp(packet) => packet.ttl,
            Packet::UnicastTvlv(packet) => packet.ttl,
            Packet::Unknown(packet) => packet.ttl,
            Packet::Elp(elp) => {
                assert_eq!(elp.originator, Mac([0x2a, 0, 0, 0, 0, 0]));
                continue;
            }
        };
        assert_eq!(ttl, 0x2a, "{packet_type:?}");
    }
    set_ttl(&mut [0x40, 15], 1);
}

/// Multi-byte numbers are big-endian; reserved and alignment bytes are sent as zero and never looked at.
#[test]
fn wire_05_wire_06_byte_order_and_reserved_bytes() {
    let elp = Elp { originator: A, seqno: SeqNo(0x0102_0304), interval_ms: 0x0506_0708 };
    assert_eq!(elp.to_bytes()[8..], [1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0]);
    assert_eq!(ogm(A, &[0; 0x0102])[22..24], [0x01, 0x02]);

    let packet = UnicastTvlv::new(B, A, &[]);
    let mut bytes = vec![0xa5; packet.wire_len()];
    packet.emit(&mut bytes);
    assert_eq!((bytes[3], &bytes[18..20]), (0, &[0, 0][..]));
    (bytes[3], bytes[18], bytes[19]) = (1, 2, 3);
    assert_eq!(UnicastTvlv::parse(&bytes), Ok(packet));

    assert_eq!(MulticastFlags(0x20).to_bytes(), [0x20, 0, 0, 0]);
    assert_eq!(MulticastFlags::parse(&[0x20, 1, 2, 3]), MulticastFlags(0x20));

    let value = hex("01 07 00 01 43 2f 77 57 00 00 de ad 01 de ad ff 02 11 11 11 11 11 00 00");
    let table = TranslationTable::parse(&value).unwrap();
    assert_eq!(table.vlans().next().unwrap().vid, Vid::UNTAGGED);
    assert_eq!(table.changes().next().unwrap().client, Client::untagged(CLIENT));
    let mut sent = Vec::new();
    let vlans: Vec<_> = table.vlans().collect();
    TranslationTable::emit(&mut sent, table.flags, table.ttvn, &vlans, table.changes());
    let clean = hex("01 07 00 01 43 2f 77 57 00 00 00 00 01 00 00 00 02 11 11 11 11 11 00 00");
    assert_eq!(sent, clean);
}

#[test]
fn wire_08_unknown_unicast_types_have_a_ttl_and_a_destination() {
    for packet_type in 0x40..0x80 {
        let mut bytes = vec![packet_type, 15, 7, 0];
        bytes.extend(B.0);
        assert_eq!(unicast_style(&bytes), Ok((7, B)));
        assert_eq!(unicast_style(&bytes[..9]), Err(Discard::Truncated));
    }
}

#[test]
fn wire_09_headers_before_inner_frames_keep_ip_aligned() {
    let headers = [Unicast::HEADER_LEN, Unicast4Addr::HEADER_LEN, Broadcast::HEADER_LEN];
    assert_eq!(headers, [10, 18, 14]);
    let multicast = (0..200).map(Multicast::header_len);
    assert!(headers.into_iter().chain(multicast).all(|len| len % 4 == 2));
    assert_eq!(Unicast4Addr::HEADER_LEN + ETHERNET_HEADER_LEN, 32, "WIRE-120");
}

#[test]
fn wire_10_wire_11_wire_12_outer_addresses() {
    use PacketType::{
        Broadcast, Coded, Elp, Fragment, Icmp, Multicast, Ogm, Ogm2, Unassigned, Unicast,
        Unicast4Addr, UnicastTvlv, UnknownUnicast,
    };
    let (all, group) = (Mac::BROADCAST, Mac([0x03, 0, 0, 0, 0, 1]));
    #[rustfmt::skip]
    let flooded = [
        (all,       A,         Ok(()),                Ok(())),
        (all,       Mac::ZERO, Err(Discard::Address), Ok(())), // WIRE-12 says nothing about zero
        (all,       group,     Err(Discard::Address), Err(Discard::Address)),
        (all,       all,       Err(Discard::Address), Err(Discard::Address)),
        (B,         A,         Err(Discard::Address), Err(Discard::Address)),
        (group,     A,         Err(Discard::Address), Err(Discard::Address)),
        (Mac::ZERO, A,         Err(Discard::Address), Err(Discard::Address)),
    ];
    for (destination, source, link_local, broadcast) in flooded {
        for packet_type in [Ogm, Ogm2, Elp] {
            let checked = check_addresses(packet_type, destination, source, |mac| mac == B);
            assert_eq!(checked, link_local, "{packet_type:?} to {destination} from {source}");
        }
        let checked = check_addresses(Broadcast, destination, source, |mac| mac == B);
        assert_eq!(checked, broadcast, "to {destination} from {source}");
    }
    #[rustfmt::skip]
    let directed = [
        (B,         A,         Ok(())),
        (B,         Mac::ZERO, Ok(())), // not rejected here
        (B,         group,     Err(Discard::Address)),
        (B,         all,       Err(Discard::Address)),
        (C,         A,         Err(Discard::NotForUs)),
        (all,       A,         Err(Discard::Address)),
        (group,     A,         Err(Discard::Address)),
        (Mac::ZERO, A,         Err(Discard::Address)),
    ];
    let types =
        [Multicast, Unicast, Fragment, Unicast4Addr, Icmp, UnicastTvlv, UnknownUnicast(0x7f)];
    for (destination, source, expected) in directed {
        for packet_type in types {
            let is_own = |mac: Mac| mac != C;
            let checked = check_addresses(packet_type, destination, source, is_own);
            assert_eq!(checked, expected, "{packet_type:?} to {destination} from {source}");
        }
    }
    for packet_type in [Coded, Unassigned(0x0f), Unassigned(0x80)] {
        assert_eq!(check_addresses(packet_type, B, A, |_| true), Err(Discard::Type));
    }
}

#[test]
fn wire_13_padding_is_payload_unless_the_packet_says_how_long_it_is() {
    let pad = |packet: &[u8]| {
        let mut bytes = noctule_wire::ethernet::mesh_header(B, A).to_vec();
        bytes.extend(packet);
        bytes.resize(60, 0);
        bytes
    };
    for (packet_type, bytes) in smallest_packets() {
        let padded = pad(&bytes);
        let frame = MeshFrame::parse(&padded).unwrap();
        assert_eq!(rebuild(&frame), padded);
        let has_length = matches!(
            packet_type,
            PacketType::Ogm | PacketType::Ogm2 | PacketType::Elp | PacketType::UnicastTvlv
        );
        let padding = if has_length { 46 - bytes.len() } else { 0 };
        assert_eq!(frame.padding.len(), padding, "{packet_type:?}");
    }
}

#[test]
fn wire_23_direct_link_is_set_at_transmit_time() {
    let mut bytes = ogm(A, &[]);
    bytes[3] = 0x03;
    set_direct_link(&mut bytes, true);
    assert_eq!(bytes[3], 0x07, "other bits stay, IV-01");
    let flags = Ogms::new(&bytes).next().unwrap().unwrap().flags;
    assert!(flags.contains(OgmFlags::DIRECT_LINK) && flags.contains(OgmFlags::NOT_BEST));
    set_direct_link(&mut bytes, false);
    assert_eq!(bytes[3], 0x03);
    set_direct_link(&mut [], true);
}

#[test]
fn wire_24_wire_25_tvlv_10_the_walk_over_ogms_ends_at_the_first_bad_length() {
    let both = [ogm(A, &[1; 4]), ogm(B, &[])].concat();
    assert_eq!(walk(&both), [Ok(A), Ok(B)]);
    assert_eq!(walk(&both[..both.len() - 1]), [Ok(A)], "too short to be an OGM");

    let mut odd = [ogm(A, &[1; 4]), ogm(B, &[1; 6]), ogm(C, &[])].concat();
    odd[28 + 23] = 5;
    assert_eq!(walk(&odd), [Ok(A), Err(Discard::OddLength)]);
    odd[28 + 22] = 0xff;
    odd[28 + 23] = 0xfe;
    assert_eq!(walk(&odd), [Ok(A), Err(Discard::Truncated)]);
    odd[23] = 3;
    assert_eq!(walk(&odd), [Err(Discard::OddLength)]);
    assert_eq!(Packet::parse(&odd), Err(Discard::OddLength));
}

#[test]
fn wire_26_records_of_another_type_are_skipped_by_their_length() {
    let mut bytes = [ogm(A, &[1; 4]), ogm(B, &[1; 6]), ogm(C, &[])].concat();
    bytes[28] = 0x07;
    assert_eq!(walk(&bytes), [Ok(A), Err(Discard::Type), Ok(C)]);
    let (packet, padding) = Packet::parse(&bytes).unwrap();
    let mut rebuilt = vec![0xa5; packet.wire_len()];
    packet.emit(&mut rebuilt);
    assert_eq!((&rebuilt, padding), (&bytes, &[][..]));
}

#[test]
fn wire_28_padding_behind_a_lone_ogm_is_no_ogm() {
    let mut bytes = ogm(A, &[]);
    bytes.resize(46, 0);
    assert_eq!(walk(&bytes), [Ok(A)]);
}

#[test]
fn wire_35_the_walk_over_ogm2s_ends_at_another_type_version_or_a_bad_length() {
    let both = [ogm2(A, &[1; 4]), ogm2(B, &[])].concat();
    assert_eq!(walk2(&both), [Ok(A), Ok(B)]);
    let spoil = |at: usize, byte: u8| {
        let mut bytes = [both.clone(), ogm2(C, &[])].concat();
        bytes[at] = byte;
        walk2(&bytes)
    };
    assert_eq!(spoil(24, 0x05), [Ok(A), Err(Discard::Type)]);
    assert_eq!(spoil(25, 14), [Ok(A), Err(Discard::Version)]);
    assert_eq!(spoil(24 + 15, 1), [Ok(A), Err(Discard::OddLength)]);
    assert_eq!(spoil(24 + 14, 1), [Ok(A), Err(Discard::Truncated)]);
}

#[test]
fn wire_36_zero_padding_behind_a_lone_ogm2_is_no_ogm2() {
    let mut bytes = ogm2(A, &[]);
    bytes.resize(46, 0);
    assert_eq!(walk2(&bytes), [Ok(A)]);
}

#[test]
fn wire_40_elp_is_accepted_from_16_bytes() {
    let elp = Elp { originator: A, seqno: SeqNo(1), interval_ms: 500 };
    let mut bytes = elp.to_bytes().to_vec();
    assert_eq!(Elp::parse(&bytes[..16]), Ok(elp));
    assert_eq!(Elp::parse(&bytes[..15]), Err(Discard::Truncated));
    bytes[16..].fill(0xff);
    assert_eq!(Elp::parse(&bytes), Ok(elp), "bytes from 16 on are ignored");
}

/// A probe has the outer address of the neighbour, and so no receiver takes it.
#[test]
fn wire_42_elp_probes() {
    let probe = Elp::probe(A);
    let (header, filler) = probe.split_at(16);
    assert_eq!(probe.len(), 200);
    assert_eq!(Elp::parse(header), Ok(Elp { originator: A, seqno: SeqNo(0), interval_ms: 0 }));
    assert!(filler.iter().all(|byte| *byte == 0));
    assert_eq!(check_addresses(PacketType::Elp, B, A, |_| true), Err(Discard::Address));
}

#[test]
fn wire_46_unknown_4_address_subtypes_survive() {
    let inner = &[0; 14];
    for byte in 0..=255 {
        let subtype = Subtype::from(byte);
        let (ttvn, reserved) = (Ttvn(1), 0);
        let packet =
            Unicast4Addr { ttl: 50, ttvn, destination: B, source: A, subtype, reserved, inner };
        let mut bytes = vec![0xa5; packet.wire_len()];
        packet.emit(&mut bytes);
        assert_eq!((bytes[16], Unicast4Addr::parse(&bytes)), (byte, Ok(packet)));
        assert_eq!(matches!(subtype, Subtype::Unknown(_)), !(1..=4).contains(&byte));
    }
}

#[test]
fn wire_50_wire_54_number_and_priority_share_a_byte() {
    let (number, priority, reserved) = (10, 5, true);
    let part = Fragment {
        ttl: 50,
        number,
        priority,
        reserved,
        destination: B,
        originator: A,
        seqno: 0,
        total_size: 2,
        data: &[],
    };
    assert_eq!(part.header()[3], 0xab);
    assert_eq!(Fragment::parse(&part.header()), Ok(part));
    for priority in 0..8 {
        let part = Fragment { priority, number: 15, reserved: false, ..part };
        assert_eq!(Fragment::parse(&part.header()), Ok(part));
    }
}

#[test]
fn wire_60_multicast_lengths() {
    let packet = hex("05 0f 32 00 00 0c 07 01 00 08 00 01 02 bb 00 00 00 01");
    assert!(Multicast::parse(&packet).is_ok());
    let with_len = |len: u8| [&packet[..5], &[len], &packet[6..]].concat();
    assert_eq!(Multicast::parse(&with_len(14)), Err(Discard::Truncated));
    assert_eq!(Multicast::parse(&with_len(11)), Err(Discard::OddLength));
    assert_eq!(Multicast::parse(&packet[..5]), Err(Discard::Truncated));
}

/// Three destinations, two, one, none: the worked numbers of MCAST-55.
#[test]
fn wire_62_wire_63_removing_destinations_keeps_the_padding_rule() {
    let (inner, macs) = ([7; 20], [A, B, C]);
    let (mut value, mut tvlvs) = (Vec::new(), Vec::new());
    MulticastTracker::emit(&mut value, &macs);
    append(&mut tvlvs, Kind::MULTICAST_TRACKER, &value).unwrap();
    let packet = Multicast { ttl: 50, reserved: 0, tvlvs: &tvlvs, inner: &inner };
    let copy = |keep: &[Mac]| {
        let mut out = vec![0xa5; packet.wire_len()];
        let len = packet.shrink(&mut out, |mac| keep.contains(&mac)).unwrap();
        out.truncate(len);
        out
    };
    let full = copy(&macs).len();
    assert_eq!(full - copy(&[A, C]).len(), 4, "6 less, 2 more");
    assert_eq!(copy(&[A, C]).len() - copy(&[B]).len(), 8, "6 and 2 less");
    assert_eq!(copy(&[B]).len() - copy(&[]).len(), 4, "6 less, 2 more");
    let expected = "05 0f 32 00 00 14 07 01 00 10 00 02 02 aa 00 00 00 01 02 cc 00 00 00 01 00 00";
    assert_eq!(copy(&[A, C])[..26], hex(expected));
    assert_eq!(copy(&[A, C])[26..], inner);

    let mut spoiled = tvlvs.clone();
    spoiled[5] = 4; // a list longer than its container
    let packet = Multicast { tvlvs: &spoiled, ..packet };
    assert_eq!(packet.shrink(&mut [0; 60], |_| true), Err(Discard::Truncated));
    assert_eq!(packet.tracker(), Some(Err(Discard::Truncated)));
}

#[test]
fn wire_67_wire_68_the_route_record_is_never_written_past_its_end() {
    let mut packet = hex("43 0f 32 08 02 bb 00 00 00 01 02 aa 00 00 00 01 01 00 00 01");
    let plain = packet.clone();
    assert_eq!(record_route(&mut packet, A), Ok(()));
    assert_eq!(packet, plain, "no record in 20 bytes");
    packet.resize(115, 0);
    assert_eq!(record_route(&mut packet, A), Ok(()));
    assert_eq!(packet[17], 0, "nor in 115");
    packet.resize(120, 0);
    for slot in 0..16 {
        let receiver = Mac([2, 0, 0, 0, 0, slot]);
        assert_eq!(record_route(&mut packet, receiver), Ok(()));
        let icmp = Icmp::parse(&packet).unwrap();
        assert_eq!(icmp.route_record().unwrap().last(), Some(receiver));
    }
    let full = packet.clone();
    assert_eq!(record_route(&mut packet, A), Err(Discard::RouteRecordFull));
    packet[17] = 255;
    assert_eq!(record_route(&mut packet, A), Err(Discard::RouteRecordFull));
    assert_eq!(packet[18..], full[18..]);
    assert_eq!(Icmp::parse(&packet).unwrap().route_record().unwrap().count(), 16);
    (packet[3], packet[17]) = (11, 0);
    assert_eq!(record_route(&mut packet, A), Ok(()));
    assert_eq!(packet[17], 0, "only echoes record");
}

/// A claim frame, changed in one place: what still is one (WIRE-105), and what two tags make of it (WIRE-106).
#[test]
fn wire_105_wire_106_bla_20_bla_21_recognition() {
    let claim = Claim::claiming(A, CLIENT, Vid::UNTAGGED, 0x3ad8);
    let mut bytes = vec![0; claim.wire_len()];
    claim.emit(&mut bytes);
    let changed = |at: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = byte;
        recognise(&bytes)
    };
    #[rustfmt::skip]
    let rows = [
        (13, false, "ethertype"),       (15, false, "hardware type"),  (16, false, "protocol"),
        (18, false, "hardware length"), (19, false, "address length"), (21, true,  "opcode"),
        (28, true,  "sender IP"),       (32, false, "magic"),          (33, false, "magic"),
        (34, false, "magic"),           (38, true,  "target IP"),
    ];
    for (at, still, because) in rows {
        let recognised = changed(at, 0x77);
        assert_eq!(recognised == Recognised::Claim(claim), still, "{because}");
        assert_eq!(recognised == Recognised::No, !still, "{because}");
    }
    assert_eq!(recognise(&bytes[..41]), Recognised::No, "all 28 ARP bytes");
    let padded = [&bytes[..], &[0; 18]].concat();
    assert_eq!(recognise(&padded), Recognised::Claim(claim));
    // BLA-N1: the mark lies where others see padding.
    for passes in [false, true] {
        let marked = [&bytes[..], b"Noc", &[u8::from(passes)], &[0; 14]].concat();
        assert_eq!(recognise(&marked), Recognised::Claim(claim.marked(passes)));
    }

    let tagged = |tags: &[u8]| [&bytes[..12], tags, &bytes[12..]].concat();
    let on_vlan = Claim { vid: Vid(0x8005), ..claim };
    assert_eq!(recognise(&tagged(&[0x81, 0, 0, 5])), Recognised::Claim(on_vlan));
    assert_eq!(recognise(&tagged(&[0x81, 0, 0, 5, 0x81, 0, 0, 6])), Recognised::Nested);
    assert_eq!(recognise(&tagged(&[0x81, 0, 0, 5, 0x88, 0xa8, 0, 6])), Recognised::No);
    assert_eq!(recognise(&tagged(&[0x81, 0, 0, 5].repeat(300))), Recognised::Nested);
    // BLA-20: a tag that has no VLAN is not looked through.
    assert_eq!(recognise(&tagged(&[0x81, 0, 0xe0, 0])), Recognised::No);
    assert_eq!(recognise(&tagged(&[0x81, 0, 0, 0, 0x81, 0, 0, 5])), Recognised::No);
}

/// All that a header says is in its own fields: no byte of it depends on the payload or on the other fields.
#[test]
fn wire_116_no_header_has_a_checksum() {
    let packet = Unicast { ttl: 50, ttvn: Ttvn(7), destination: B, inner: &[0; 14] };
    let other = Unicast { inner: &[0xff; 200], ..packet };
    assert_eq!(packet.header(), other.header());
    let aged = Unicast { ttl: 49, ..packet }.header();
    let differing = packet.header().iter().zip(&aged).filter(|(a, b)| a != b).count();
    assert_eq!(differing, 1);
}

#[test]
fn fwd_67_tt_117_redirecting_changes_ttvn_and_destination_only() {
    let packet = Unicast { ttl: 9, ttvn: Ttvn(7), destination: B, inner: &[3; 20] };
    let mut bytes = vec![0; packet.wire_len()];
    packet.emit(&mut bytes);
    redirect(&mut bytes, C, Ttvn(8));
    let expected = Unicast { destination: C, ttvn: Ttvn(8), ..packet };
    assert_eq!(Unicast::parse(&bytes), Ok(expected));
    redirect(&mut bytes[..9], A, Ttvn(1));
    assert_eq!(Unicast::parse(&bytes), Ok(expected), "too short to have a destination");
}

#[test]
fn inner_frames_begin_where_the_parsers_say() {
    let tracker = hex("05 0f 32 00 00 0c 07 01 00 08 00 01 02 bb 00 00 00 01 02");
    let packets = smallest_packets().into_iter().map(|(_, bytes)| bytes).chain([tracker]);
    for bytes in packets {
        let (packet, _) = Packet::parse(&bytes).unwrap();
        let inner = inner_offset(&bytes).map(|offset| &bytes[offset..]);
        assert_eq!(inner, packet.inner(), "{packet:?}");
    }
    assert_eq!(inner_offset(&hex("05 0f 32 00 00 0c")), None);
    assert_eq!(inner_offset(&[0x40, 0x0f]), None);
}
