//! One frame of each kind, and bytes that are none.

use super::*;
use noctule_wire::ethernet::mesh_header;
use noctule_wire::icmp::Message;
use noctule_wire::icmp::throughput_meter::{MeterType, ThroughputMeter};
use noctule_wire::ogm::OgmFlags;
use noctule_wire::tvlv::gateway::Gateway;
use noctule_wire::tvlv::{Kind, append};
use noctule_wire::unicast::Subtype;
use noctule_wire::{
    Broadcast, Elp, Fragment, Icmp, MESH_ETHERTYPE, Ogm, SeqNo, Ttvn, Unicast, Unicast4Addr,
    UnicastTvlv,
};

const A: Mac = Mac([2, 0, 0x5e, 0x10, 0, 1]);
const B: Mac = Mac([2, 0, 0x5e, 0x20, 0, 2]);

fn shown(frame: &[u8]) -> Vec<String> {
    describe(frame, &Filter::default(), &|mac| mac.to_string())
}

fn mesh(packet: &[u8]) -> Vec<u8> {
    [&mesh_header(B, A)[..], packet].concat()
}

/// One line about a packet from A to B.
fn line(packet: &[u8]) -> String {
    let records = shown(&mesh(packet));
    assert_eq!(records.len(), 1, "{records:?}");
    records.into_iter().next().unwrap()
}

/// A ping of a host, inside its Ethernet frame.
fn echo() -> Vec<u8> {
    let mut frame = mesh_header(B, A).to_vec();
    frame[12..].copy_from_slice(&[8, 0]);
    frame.extend([0x45, 0, 0, 28, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    frame.extend([8, 0, 0, 0, 0, 7, 0, 3]);
    frame
}

const ECHO: &str = "IP 10.0.0.1 > 10.0.0.2: ICMP echo request, id 7, seq 3, length 8";

#[test]
fn mgmt_42_an_ogm_as_batctl_shows_it() {
    let mut tvlvs = Vec::new();
    append(&mut tvlvs, Kind::GATEWAY, &Gateway::DEFAULT.to_bytes()).unwrap();
    append(&mut tvlvs, Kind::DISTRIBUTED_ARP_TABLE, &[]).unwrap();
    let ogm = Ogm {
        ttl: 50,
        flags: OgmFlags(0x08),
        seqno: SeqNo(1234),
        originator: A,
        previous_sender: A,
        reserved: 0,
        tq: 255,
        tvlvs: &tvlvs,
    };
    let mut packet = vec![0; ogm.wire_len()];
    ogm.emit(&mut packet);
    let mut frame = mesh_header(Mac::BROADCAST, B).to_vec();
    frame.extend([&packet[..], &packet[..]].concat());
    let records = shown(&frame);
    assert_eq!(records.len(), 2, "one record for each OGM of a frame");
    assert_eq!(
        records[0],
        "BAT 02:00:5e:10:00:01: OGM IV via neigh 02:00:5e:20:00:02, seq 1234, tq 255, ttl 50, v 15, flags [..F], \
         length 40, tvlv_len 16\n\tTVLV GWv1: down 10.0 / up 2.0 MBit\n\tTVLV DATv1: enabled"
    );
}

#[test]
fn mgmt_43_icmp_and_the_throughput_meter() {
    let icmp = Icmp {
        ttl: 50,
        message: Message::EchoRequest,
        destination: B,
        originator: A,
        uid: 7,
        aux: 0,
        seqno: 1,
        rest: &[],
    };
    let bytes = |icmp: &Icmp<'_>| {
        let mut packet = vec![0; icmp.wire_len()];
        icmp.emit(&mut packet);
        packet
    };
    let start = "BAT 02:00:5e:10:00:01 > 02:00:5e:20:00:02: ICMP";
    assert_eq!(
        line(&bytes(&icmp)),
        format!("{start} echo request, id 7, seq 1, ttl 50, v 15, length 20")
    );
    let record = [&A.0[..], &B.0[..], &[0; 84]].concat();
    let recorded = line(&bytes(&Icmp { aux: 2, rest: &record, ..icmp }));
    assert!(recorded.ends_with(&format!("length 116\n\tRR: {A} {B}")), "{recorded}");
    let meter = ThroughputMeter {
        meter_type: MeterType::Message,
        session: [0x12, 0x34],
        seqno: ThroughputMeter::FIRST_SEQNO,
        timestamp: 5,
    };
    assert_eq!(
        line(&bytes(&meter.icmp(B, A, 86, &meter.rest()))),
        format!(
            "{start} TP type MSG (0), id 86, session 0x1234, seq 4294965295, timestamp 5, ttl 50, v 15, length 28"
        )
    );
}

#[test]
fn mgmt_43_frames_of_hosts_stand_behind_what_carries_them() {
    let inner = echo();
    let unicast = Unicast { ttl: 50, ttvn: Ttvn(3), destination: B, inner: &inner };
    let mut packet = vec![0; unicast.wire_len()];
    unicast.emit(&mut packet);
    assert_eq!(line(&packet), format!("BAT {A} > {B}: UCAST, ttvn 3, ttl 50, {ECHO}"));
    let unicast = Unicast4Addr {
        ttl: 50,
        ttvn: Ttvn(3),
        destination: B,
        source: A,
        subtype: Subtype::DatPut,
        reserved: 0,
        inner: &inner,
    };
    let mut packet = vec![0; unicast.wire_len()];
    unicast.emit(&mut packet);
    let expected =
        format!("BAT {A} > {B}: UCAST4, orig {A}, subtype dht_put, ttvn 3, ttl 50, {ECHO}");
    assert_eq!(line(&packet), expected);
    let broadcast =
        Broadcast { ttl: 49, reserved: 0, seqno: SeqNo(9), originator: A, inner: &inner };
    let mut packet = vec![0; broadcast.wire_len()];
    broadcast.emit(&mut packet);
    assert_eq!(line(&packet), format!("BAT {A} > {B}: BCAST, orig {A}, seq 9, ttl 49, {ECHO}"));
    // The same frame by itself, and with a tag.
    assert_eq!(shown(&inner), [ECHO]);
    let mut tagged = inner[..12].to_vec();
    tagged.extend([0x81, 0, 0, 10]);
    tagged.extend(&inner[12..]);
    assert_eq!(shown(&tagged), [format!("vlan 10, {ECHO}")]);
}

#[test]
fn mgmt_43_the_others() {
    let elp = Elp { originator: A, seqno: SeqNo(4), interval_ms: 500 }.to_bytes();
    assert_eq!(
        line(&elp),
        format!("BAT {A}: ELP via neigh {A}, seq 4, interval 500ms, v 15, length 20")
    );
    let fragment = Fragment {
        ttl: 50,
        number: 1,
        priority: 0,
        reserved: false,
        destination: B,
        originator: A,
        seqno: 8,
        total_size: 1524,
        data: &[0; 100],
    };
    let mut packet = vec![0; fragment.wire_len()];
    fragment.emit(&mut packet);
    let expected = "FRAG, seq 8, no 1, prio 0, total size 1524, ttl 50, length 120";
    assert_eq!(line(&packet), format!("BAT {A} > {B}: {expected}"));
    // A full table with one VLAN and one client that is isolated.
    let table = [
        &[2 | 0x10, 5, 0, 1, 0xde, 0xad, 0xbe, 0xef, 0x80, 10, 0, 0][..],
        &[0x20, 0, 0, 0],
        &B.0,
        &[0x80, 10],
    ]
    .concat();
    let mut area = Vec::new();
    append(&mut area, Kind::TRANSLATION_TABLE, &table).unwrap();
    append(&mut area, Kind { container_type: 99, version: 1 }, &[1, 2]).unwrap();
    append(&mut area, Kind::ROAMING, &[1, 2]).unwrap();
    let tvlv = UnicastTvlv::new(B, A, &area);
    let mut packet = vec![0; tvlv.wire_len()];
    tvlv.emit(&mut packet);
    let text = line(&packet);
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with(&format!("BAT {A} > {B}: TVLV, ttl 50, length ")), "{text}");
    assert!(
        lines[1].starts_with("\tTVLV TTv1: ") && lines[1].contains("ttvn=5 vlan_num=1 entry_num=1")
    );
    assert_eq!(lines[2], "\t\tVLAN ID 10, crc 0xdeadbeef");
    assert_eq!(lines[3], format!("\t\t+ {B} VLAN ID 10, flags [..I]"));
    assert_eq!(
        lines[4..],
        ["\tTVLV type 99 v1, length 2", "\tTVLV ROAMv1: cannot be read, length 2"]
    );
}

#[test]
fn mgmt_33_the_version_and_the_types_are_filtered() {
    let other = mesh(&[0x43, 14, 50, 8]);
    let text = &shown(&other)[0];
    assert!(text.ends_with("type 0x43, v 14, length 4, not of version 15"), "{text}");
    let own = Filter { own_version_only: true, ..Filter::default() };
    let bare = |mac: Mac| mac.to_string();
    assert!(describe(&other, &own, &bare).is_empty());
    let only_ogms = Filter { types: 1, own_version_only: false };
    assert!(describe(&other, &only_ogms, &bare).is_empty());
    assert!(describe(&echo(), &only_ogms, &bare).is_empty());
    assert!(describe(&[], &only_ogms, &bare).is_empty());
    assert_eq!(describe(&other, &Filter { types: 8, ..only_ogms }, &bare).len(), 1);
}

#[test]
fn mgmt_43_whatever_comes_is_shown_or_left_out() {
    assert_eq!(shown(&[1, 2, 3]), ["too short for an Ethernet frame, length 3"]);
    assert_eq!(shown(&mesh(&[])), ["too short for an Ethernet frame, length 14"]);
    assert!(line(&[0x43, 15, 50]).contains("cannot be read: truncated"));
    let unknown = line(&[0x77, 15, 50, 0, 2, 0, 0x5e, 0x20, 0, 2, 9]);
    assert!(unknown.contains("unknown unicast type 0x77, for 02:00:5e:20:00:02"), "{unknown}");
    let mut strange = mesh_header(B, A).to_vec();
    assert_eq!(u16::from_be_bytes([strange[12], strange[13]]), MESH_ETHERTYPE);
    strange[12] = 0x99;
    let expected = format!("{A} > {B}, ethertype 0x9905, length 14");
    assert_eq!(shown(&strange), [expected]);
}
