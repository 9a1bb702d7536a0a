//! Every example of docs/protocol/01-wire.md: read field by field, and built from the fields to the same bytes.

mod hex;

use hex::{A, B, C, CLIENT, OTHER_CLIENT, hex, rebuild};
use noctule_wire::claim::{ClaimType, Recognised, recognise};
use noctule_wire::icmp::Message;
use noctule_wire::icmp::throughput_meter::{MeterType, ThroughputMeter};
use noctule_wire::ogm::OgmFlags;
use noctule_wire::payload::arp::{Arp, Operation};
use noctule_wire::tvlv::gateway::Gateway;
use noctule_wire::tvlv::multicast::MulticastFlags;
use noctule_wire::tvlv::multicast_tracker::MulticastTracker;
use noctule_wire::tvlv::roaming::Roaming;
use noctule_wire::tvlv::translation_table::{
    Change, ClientFlags, TranslationTable, TtFlags, TtKind, VlanBlock,
};
use noctule_wire::tvlv::{Container, Containers, Kind, append};
use noctule_wire::unicast::Subtype;
use noctule_wire::{
    Broadcast, Claim, Client, Elp, Fragment, Icmp, Mac, MeshFrame, Multicast, Ogm, Ogm2, Packet,
    SeqNo, Throughput, Ttvn, Unicast, Unicast4Addr, UnicastTvlv, Vid, fragment,
};

const OUTER_BROADCAST: &str = "ff ff ff ff ff ff 02 aa 00 00 00 01 43 05 ";
const OUTER_UNICAST: &str = "02 cc 00 00 00 01 02 aa 00 00 00 01 43 05 ";
const ARP_REPLY: &str = "02 22 22 22 22 22 02 11 11 11 11 11 08 06
    00 01 08 00 06 04 00 02 02 11 11 11 11 11 0a 00 00 01 02 22 22 22 22 22 0a 00 00 02";
const ARP_REQUEST: &str = "ff ff ff ff ff ff 02 11 11 11 11 11 08 06
    00 01 08 00 06 04 00 01 02 11 11 11 11 11 0a 00 00 01 00 00 00 00 00 00 0a 00 00 02";

/// Parses a frame without padding, checks its outer addresses and that it is rebuilt, and hands on its packet.
fn check(destination: Mac, bytes: &[u8], see: impl FnOnce(Packet<'_>)) {
    let frame = MeshFrame::parse(bytes).unwrap();
    assert_eq!((frame.destination, frame.padding), (destination, &[][..]));
    assert_eq!(rebuild(&frame), bytes);
    see(frame.packet);
}

fn check_arp(frame: &[u8], operation: Operation, target_mac: Mac) {
    let (sender_ip, target_ip) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
    let sender_mac = CLIENT;
    let arp = Arp { operation, sender_mac, sender_ip, target_mac, target_ip };
    assert_eq!(Arp::find(frame), Some(arp));
}

#[test]
fn wire_20_wire_94_own_ogm_with_tvlvs() {
    let bytes = hex(&format!(
        "{OUTER_BROADCAST} 00 0f 32 00 01 02 03 04 02 aa 00 00 00 01 02 aa 00 00 00 01 00 ff 00 28
         06 02 00 04 38 00 00 00
         04 01 00 18 01 01 00 01 43 2f 77 57 00 00 00 00 00 00 00 00 02 11 11 11 11 11 00 00
         02 01 00 00"
    ));
    let mut tvlvs = Vec::new();
    let vlan = VlanBlock { crc: 0x432f_7757, vid: Vid::UNTAGGED };
    let change = Change { flags: ClientFlags::NONE, client: Client::untagged(CLIENT) };
    let mut table = Vec::new();
    TranslationTable::emit(&mut table, TtFlags::OGM, Ttvn(1), &[vlan], [change]);
    append(&mut tvlvs, Kind::MULTICAST, &MulticastFlags(0x38).to_bytes()).unwrap();
    append(&mut tvlvs, Kind::TRANSLATION_TABLE, &table).unwrap();
    append(&mut tvlvs, Kind::DISTRIBUTED_ARP_TABLE, &[]).unwrap();

    let table = TranslationTable::parse(&table).unwrap();
    assert_eq!((table.flags.kind(), table.flags.is_full()), (TtKind::OgmDiff, false));
    assert_eq!(table.vlans().collect::<Vec<_>>(), [vlan]);
    assert_eq!(table.changes().collect::<Vec<_>>(), [change]);
    let expected = Ogm {
        ttl: 50,
        flags: OgmFlags(0),
        seqno: SeqNo(0x0102_0304),
        originator: A,
        previous_sender: A,
        reserved: 0,
        tq: 255,
        tvlvs: &tvlvs,
    };
    check(Mac::BROADCAST, &bytes, |packet| {
        assert_eq!(packet.ogms().collect::<Vec<_>>(), [Ok(expected)]);
    });
}

#[test]
fn wire_21_wire_23_forwarded_ogm_of_a_secondary_interface() {
    let bytes = hex("ff ff ff ff ff ff 02 bb 00 00 00 01 43 05
         00 0f 01 04 00 00 00 07 02 aa 00 00 00 02 02 aa 00 00 00 02 00 e1 00 00");
    let secondary = Mac([0x02, 0xaa, 0, 0, 0, 2]);
    let expected = Ogm {
        ttl: 1,
        flags: OgmFlags::DIRECT_LINK,
        seqno: SeqNo(7),
        originator: secondary,
        previous_sender: secondary,
        reserved: 0,
        tq: 225,
        tvlvs: &[],
    };
    check(Mac::BROADCAST, &bytes, |packet| {
        assert_eq!(packet.ogms().collect::<Vec<_>>(), [Ok(expected)]);
    });
}

#[test]
fn wire_34_ogm2() {
    let bytes = hex(&format!(
        "{OUTER_BROADCAST} 04 0f 32 00 0a 0b 0c 0d 02 aa 00 00 00 01 00 18 ff ff ff ff
         06 02 00 04 38 00 00 00 01 01 00 08 00 00 00 64 00 00 00 14 02 01 00 00"
    ));
    let mut tvlvs = Vec::new();
    append(&mut tvlvs, Kind::MULTICAST, &MulticastFlags(0x38).to_bytes()).unwrap();
    append(&mut tvlvs, Kind::GATEWAY, &Gateway::DEFAULT.to_bytes()).unwrap();
    append(&mut tvlvs, Kind::DISTRIBUTED_ARP_TABLE, &[]).unwrap();
    let expected = Ogm2 {
        ttl: 50,
        flags: 0,
        seqno: SeqNo(0x0a0b_0c0d),
        originator: A,
        throughput: Throughput::MAX,
        tvlvs: &tvlvs,
    };
    check(Mac::BROADCAST, &bytes, |packet| {
        assert_eq!(packet.ogm2s().collect::<Vec<_>>(), [Ok(expected)]);
    });
}

#[test]
fn wire_40_elp() {
    let bytes = hex(&format!(
        "{OUTER_BROADCAST} 03 0f 02 aa 00 00 00 01 00 00 00 64 00 00 01 f4 00 00 00 00"
    ));
    let elp = Elp { originator: A, seqno: SeqNo(100), interval_ms: 500 };
    let frame = MeshFrame::parse(&bytes).unwrap();
    assert_eq!((frame.packet, frame.padding), (Packet::Elp(elp), &[0; 4][..]));
    assert_eq!(rebuild(&frame), bytes);
    assert_eq!(elp.to_bytes(), bytes[14..], "sent with its filler");
}

#[test]
fn wire_45_unicast_and_4_address_packets() {
    let bytes = hex(&format!("{OUTER_UNICAST} 40 0f 32 07 02 bb 00 00 00 01 {ARP_REPLY}"));
    let inner = &hex(ARP_REPLY)[..];
    check_arp(inner, Operation::Reply, OTHER_CLIENT);
    check(C, &bytes, |packet| {
        let expected = Unicast { ttl: 50, ttvn: Ttvn(7), destination: B, inner };
        assert_eq!(packet, Packet::Unicast(expected));
    });

    let bytes = hex(&format!(
        "{OUTER_UNICAST} 42 0f 32 07 02 bb 00 00 00 01 02 aa 00 00 00 01 02 00 {ARP_REQUEST}"
    ));
    let inner = &hex(ARP_REQUEST)[..];
    check_arp(inner, Operation::Request, Mac::ZERO);
    check(C, &bytes, |packet| {
        let expected = Unicast4Addr {
            ttl: 50,
            ttvn: Ttvn(7),
            destination: B,
            source: A,
            subtype: Subtype::DatGet,
            reserved: 0,
            inner,
        };
        assert_eq!(packet, Packet::Unicast4Addr(expected));
    });
}

#[test]
fn wire_51_wire_52_wire_53_fragments() {
    let header = "41 0f 32 0a 02 bb 00 00 00 01 02 aa 00 00 00 01 12 34 00 34";
    let tail = "08 00 06 04 00 02 02 11 11 11 11 11 0a 00 00 01 02 22 22 22 22 22 0a 00 00 02";
    let head = "40 0f 32 07 02 bb 00 00 00 01 02 22 22 22 22 22 02 11 11 11 11 11 08 06 00 01";
    let tail_bytes = hex(&format!("{OUTER_UNICAST} {header} {tail}"));
    let head_bytes =
        hex(&format!("{OUTER_UNICAST} {} {head}", header.replacen("32 0a", "32 1a", 1)));
    let (tail, head) = (hex(tail), hex(head));
    let part = |number, data| Fragment {
        ttl: 50,
        number,
        priority: 5,
        reserved: false,
        destination: B,
        originator: A,
        seqno: 0x1234,
        total_size: 52,
        data,
    };
    check(C, &tail_bytes, |packet| assert_eq!(packet, Packet::Fragment(part(0, &tail))));
    check(C, &head_bytes, |packet| assert_eq!(packet, Packet::Fragment(part(1, &head))));

    let whole = hex(&format!("40 0f 32 07 02 bb 00 00 00 01 {ARP_REPLY}"));
    assert_eq!([&head[..], &tail[..]].concat(), whole, "from the highest number down");
    let parts: Vec<_> = fragment::Split::new(&whole, 20 + 30).unwrap().collect();
    assert_eq!(parts, [(0, &tail[..]), (1, &head[..])], "ascending, and equal in size");
}

#[test]
fn wire_58_broadcast() {
    let bytes =
        hex(&format!("{OUTER_BROADCAST} 01 0f 31 00 00 00 00 02 02 aa 00 00 00 01 {ARP_REQUEST}"));
    let inner = &hex(ARP_REQUEST)[..];
    check(Mac::BROADCAST, &bytes, |packet| {
        let (ttl, seqno, originator) = (Broadcast::TTL, SeqNo(2), A);
        let expected = Broadcast { ttl, reserved: 0, seqno, originator, inner };
        assert_eq!(packet, Packet::Broadcast(expected));
    });
}

#[test]
fn wire_62_wire_102_multicast() {
    let inner = "01 00 5e 01 02 03 02 11 11 11 11 11 08 00 45 00 00 1c 00 00 00 00 01 11 00 00
        0a 00 00 01 ef 01 02 03 13 88 13 88 00 08 00 00";
    let bytes = hex(&format!(
        "{OUTER_UNICAST} 05 0f 32 00 00 0c 07 01 00 08 00 01 02 bb 00 00 00 01 {inner}"
    ));
    let tracker_area = |destinations: &[Mac]| {
        let (mut value, mut area) = (Vec::new(), Vec::new());
        MulticastTracker::emit(&mut value, destinations);
        append(&mut area, Kind::MULTICAST_TRACKER, &value).unwrap();
        area
    };
    let (tvlvs, inner) = (tracker_area(&[B]), hex(inner));
    check(C, &bytes, |packet| {
        let expected = Multicast { ttl: 50, reserved: 0, tvlvs: &tvlvs, inner: &inner };
        assert_eq!(packet, Packet::Multicast(expected));
    });

    let two = hex("05 0f 32 00 00 14 07 01 00 10 00 02 02 bb 00 00 00 01 02 dd 00 00 00 01 00 00");
    let dora = Mac([0x02, 0xdd, 0, 0, 0, 1]);
    let packet = Multicast::parse(&two).unwrap();
    assert_eq!(packet.tvlvs, tracker_area(&[B, dora]));
    let tracker = packet.tracker().unwrap().unwrap();
    assert_eq!(tracker.destinations().collect::<Vec<_>>(), [B, dora]);
    assert_eq!(tracker.padding, [0, 0]);
    let mut rebuilt = vec![0xa5; packet.wire_len()];
    packet.emit(&mut rebuilt);
    assert_eq!(rebuilt, two);
}

#[test]
fn wire_66_wire_67_echo_with_and_without_route_record() {
    let bytes = hex(&format!(
        "{OUTER_UNICAST} 43 0f 32 08 02 bb 00 00 00 01 02 aa 00 00 00 01 01 00 00 01"
    ));
    let plain = Icmp {
        ttl: 50,
        message: Message::EchoRequest,
        destination: B,
        originator: A,
        uid: 1,
        aux: 0,
        seqno: 1,
        rest: &[],
    };
    check(C, &bytes, |packet| assert_eq!(packet, Packet::Icmp(plain)));
    assert!(plain.route_record().is_none());

    let mut bytes = hex(&format!(
        "{OUTER_UNICAST} 43 0f 32 08 02 bb 00 00 00 01 02 aa 00 00 00 01 01 01 00 01 02 aa 00 00 00 01"
    ));
    bytes.extend([0; 90]);
    let mut record = A.0.to_vec();
    record.extend([0; 90]);
    let recorded = Icmp { aux: 1, rest: &record, ..plain };
    check(C, &bytes, |packet| assert_eq!(packet, Packet::Icmp(recorded)));
    assert_eq!(recorded.wire_len(), Icmp::RECORD_LEN);
    assert_eq!(recorded.route_record().unwrap().collect::<Vec<_>>(), [A]);
}

#[test]
fn wire_69_wire_70_throughput_meter() {
    let mut bytes = hex(&format!(
        "{OUTER_UNICAST} 43 0f 32 0f 02 bb 00 00 00 01 02 aa 00 00 00 01 5a 00 be ef ff ff f8 2f
         00 01 23 45"
    ));
    bytes.resize(14 + ThroughputMeter::MESSAGE_LEN, 0xa7);
    let message = ThroughputMeter {
        meter_type: MeterType::Message,
        session: [0xbe, 0xef],
        seqno: ThroughputMeter::FIRST_SEQNO,
        timestamp: 0x0001_2345,
    };
    check(C, &bytes, |packet| {
        let Packet::Icmp(icmp) = packet else { panic!("{packet:?}") };
        assert_eq!(ThroughputMeter::parse(&icmp), Ok(message));
        assert_eq!(message.icmp(B, A, 0x5a, icmp.rest), icmp);
        assert_eq!(ThroughputMeter::accounted_len(&icmp), 1476);
    });
    let bytes = hex("43 0f 32 0f 02 aa 00 00 00 01 02 bb 00 00 00 01 5a 01 be ef ff ff fd f3
        00 01 23 45");
    let acknowledgement = ThroughputMeter {
        meter_type: MeterType::Acknowledgement,
        seqno: SeqNo(message.seqno.0 + 1476),
        ..message
    };
    let rest = acknowledgement.rest();
    let icmp = acknowledgement.icmp(A, B, 0x5a, &rest);
    assert_eq!(Icmp::parse(&bytes), Ok(icmp));
    let mut rebuilt = vec![0xa5; icmp.wire_len()];
    icmp.emit(&mut rebuilt);
    assert_eq!(rebuilt, bytes);
}

#[test]
fn wire_74_wire_95_wire_96_wire_97_wire_101_unicast_tvlv() {
    let vlans = [
        VlanBlock { crc: 0x432f_7757, vid: Vid::UNTAGGED },
        VlanBlock { crc: 0x113d_7750, vid: Vid(0x8005) },
    ];
    let entries = [
        Change { flags: ClientFlags::NONE, client: Client::untagged(CLIENT) },
        Change { flags: ClientFlags::WIFI, client: Client::new(CLIENT, Vid(0x8005)) },
    ];
    let check = |bytes: &str, destination, source, kind, value: &[u8]| {
        let bytes = hex(bytes);
        let mut tvlvs = Vec::new();
        append(&mut tvlvs, kind, value).unwrap();
        let packet = UnicastTvlv::new(destination, source, &tvlvs);
        assert_eq!(UnicastTvlv::parse(&bytes), Ok(packet));
        let mut rebuilt = vec![0xa5; packet.wire_len()];
        packet.emit(&mut rebuilt);
        assert_eq!(rebuilt, bytes);
        let containers: Vec<_> = Containers::new(packet.tvlvs).collect();
        assert_eq!(containers, [Ok(Container { kind, value })]);
    };
    let mut value = Vec::new();
    TranslationTable::emit(&mut value, TtFlags::request(true), Ttvn(3), &vlans, []);
    check(
        "44 0f 32 00 02 bb 00 00 00 01 02 aa 00 00 00 01 00 18 00 00
         04 01 00 14 12 03 00 02 43 2f 77 57 00 00 00 00 11 3d 77 50 80 05 00 00",
        B,
        A,
        Kind::TRANSLATION_TABLE,
        &value,
    );
    value.clear();
    TranslationTable::emit(&mut value, TtFlags::response(true), Ttvn(3), &vlans, entries);
    check(
        "44 0f 32 00 02 aa 00 00 00 01 02 bb 00 00 00 01 00 30 00 00
         04 01 00 2c 14 03 00 02 43 2f 77 57 00 00 00 00 11 3d 77 50 80 05 00 00
         00 00 00 00 02 11 11 11 11 11 00 00 10 00 00 00 02 11 11 11 11 11 80 05",
        A,
        B,
        Kind::TRANSLATION_TABLE,
        &value,
    );
    let table = TranslationTable::parse(&value).unwrap();
    assert_eq!((table.flags.kind(), table.flags.is_full()), (TtKind::Response, true));
    assert_eq!(table.vlan_count(), 2);
    assert_eq!(table.vlans().collect::<Vec<_>>(), vlans);
    assert_eq!(table.changes().collect::<Vec<_>>(), entries);
    let roaming = Roaming { client: Client::untagged(CLIENT) };
    check(
        "44 0f 32 00 02 bb 00 00 00 01 02 aa 00 00 00 01 00 0c 00 00
         05 01 00 08 02 11 11 11 11 11 00 00",
        B,
        A,
        Kind::ROAMING,
        &roaming.to_bytes(),
    );
}

#[test]
fn wire_105_claim_frames() {
    let group = noctule_wire::checksum::crc16_arc(&A.0);
    let vid = Vid::UNTAGGED;
    #[rustfmt::skip]
    let rows = [
        ("ff ff ff ff ff ff 02 11 11 11 11 11 08 06 00 01 08 00 06 04 00 02 02 aa 00 00 00 01 00 00 00 00 ff 43 05 00 3a d8 00 00 00 00",
         Claim::claiming(A, CLIENT, vid, group), ClaimType::Claim),
        ("ff ff ff ff ff ff 02 aa 00 00 00 01 08 06 00 01 08 00 06 04 00 02 02 11 11 11 11 11 00 00 00 00 ff 43 05 01 3a d8 00 00 00 00",
         Claim::unclaiming(A, CLIENT, vid, group), ClaimType::Unclaim),
        ("ff ff ff ff ff ff 02 aa 00 00 00 01 08 06 00 01 08 00 06 04 00 02 43 05 43 05 84 64 00 00 00 00 ff 43 05 02 3a d8 00 00 00 00",
         Claim::announcing(A, 0x8464, vid, group), ClaimType::Announce),
        ("02 bb 00 00 00 01 02 aa 00 00 00 01 08 06 00 01 08 00 06 04 00 02 02 bb 00 00 00 01 00 00 00 00 ff 43 05 03 3a d8 00 00 00 00",
         Claim::requesting(A, B, vid, group), ClaimType::Request),
        ("ff ff ff ff ff ff ba be 12 34 56 78 81 00 00 05 08 06 00 01 08 00 06 04 00 02 02 aa 00 00 00 01 00 00 00 00 ff 43 05 04 3a d8 00 00 00 00",
         Claim::loop_detecting(A, [0x12, 0x34, 0x56, 0x78], Vid(0x8005), group), ClaimType::LoopDetect),
    ];
    for (text, claim, claim_type) in rows {
        let bytes = hex(text);
        assert_eq!(claim.claim_type, claim_type);
        assert_eq!(recognise(&bytes), Recognised::Claim(claim));
        let mut rebuilt = vec![0xa5; claim.wire_len()];
        claim.emit(&mut rebuilt);
        assert_eq!(rebuilt, bytes, "{claim_type:?}");
    }
    assert_eq!(rows[2].1.announced_crc(), Some(0x8464));
    assert_eq!(rows[0].1.announced_crc(), None);
}
