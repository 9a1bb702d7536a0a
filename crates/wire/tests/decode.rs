//! An independent opinion: Wireshark's dissector reads what this crate builds, without a complaint and to the same values.
//!
//! Two packets are left out. OGM2: the dissector calls every one malformed ("dissector bug"), those of the kernel
//! module too, because it has no known bit in its flags. The multicast packet type (0x05): it does not know it.

mod hex;

use etherparse::PacketBuilder;
use hex::{A, B, C, CLIENT, OTHER_CLIENT};
use noctule_wire::coded::CodedHalf;
use noctule_wire::icmp::Message;
use noctule_wire::icmp::throughput_meter::{MeterType, ThroughputMeter};
use noctule_wire::ogm::OgmFlags;
use noctule_wire::tvlv::gateway::Gateway;
use noctule_wire::tvlv::multicast::MulticastFlags;
use noctule_wire::tvlv::roaming::Roaming;
use noctule_wire::tvlv::translation_table::{
    Change, ClientFlags, TranslationTable, TtFlags, VlanBlock, client_crc,
};
use noctule_wire::tvlv::{Kind, append};
use noctule_wire::unicast::Subtype;
use noctule_wire::{
    Broadcast, Claim, Client, Coded, Elp, Fragment, Icmp, Mac, MeshFrame, Ogm, Packet, SeqNo, Ttvn,
    Unicast, Unicast4Addr, UnicastTvlv, Vid, fragment,
};
use std::io::{ErrorKind, Write};
use std::process::{Command, Stdio};

/// What must be empty in a frame that the dissector is content with.
const COMPLAINTS: [&str; 5] = [
    "_ws.malformed",
    "_ws.malformed.dissector_bug",
    "_ws.expert.message",
    "batadv.tvlv_tt_crc_bad",
    "batadv.tvlv_tt_vlan_empty",
];

/// A frame and what the dissector must find in it.
struct Case {
    what: &'static str,
    frame: Vec<u8>,
    fields: Vec<(&'static str, String)>,
}

impl Case {
    fn new(what: &'static str, frame: Vec<u8>, fields: &[(&'static str, &dyn ToString)]) -> Self {
        let fields = fields.iter().map(|(name, value)| (*name, value.to_string())).collect();
        Self { what, frame, fields }
    }

    fn mesh(
        what: &'static str,
        destination: Mac,
        packet: Packet<'_>,
        fields: &[(&'static str, &dyn ToString)],
    ) -> Self {
        let frame = MeshFrame { destination, source: A, packet, padding: &[] };
        let mut bytes = vec![0xa5; frame.wire_len()];
        frame.emit(&mut bytes);
        Self::new(what, bytes, fields)
    }
}

/// A classic pcap file of Ethernet frames.
fn pcap(cases: &[Case]) -> Vec<u8> {
    let mut file = Vec::new();
    file.extend(0xa1b2_c3d4_u32.to_le_bytes());
    file.extend([2, 0, 4, 0]);
    file.extend([0, 0, 65_535, 1].map(u32::to_le_bytes).concat());
    for (at, case) in cases.iter().enumerate() {
        let (seconds, len) = (u32::try_from(at).unwrap(), u32::try_from(case.frame.len()).unwrap());
        file.extend([seconds, 0, len, len].map(u32::to_le_bytes).concat());
        file.extend(&case.frame);
    }
    file
}

/// One row of fields for each frame, or `None` where tshark is not installed.
fn tshark(file: &[u8], fields: &[&str]) -> Option<Vec<Vec<String>>> {
    let mut command = Command::new("tshark");
    command.args(["-r", "-", "-n", "-T", "fields"]);
    command.args(["-E", "separator=/t", "-E", "occurrence=a", "-E", "aggregator=,"]);
    command.args(fields.iter().flat_map(|field| ["-e", *field]));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(error) => panic!("tshark: {error}"),
    };
    child.stdin.take().unwrap().write_all(file).unwrap();
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tshark: {errors}");
    let rows = String::from_utf8(output.stdout).unwrap();
    Some(rows.lines().map(|row| row.split('\t').map(str::to_owned).collect()).collect())
}

fn check(cases: &[Case]) {
    let mut fields = COMPLAINTS.to_vec();
    for (name, _) in cases.iter().flat_map(|case| &case.fields) {
        if !fields.contains(name) {
            fields.push(name);
        }
    }
    let Some(rows) = tshark(&pcap(cases), &fields) else {
        println!("SKIPPED: tshark is not installed");
        return;
    };
    assert_eq!(rows.len(), cases.len());
    for (case, row) in cases.iter().zip(rows) {
        let value = |name| &row[fields.iter().position(|field| *field == name).unwrap()];
        for complaint in COMPLAINTS {
            assert_eq!(value(complaint), "", "{}: {complaint}", case.what);
        }
        for (name, expected) in &case.fields {
            assert_eq!(value(*name), expected, "{}: {name}", case.what);
        }
    }
}

fn inner_frame(data_len: usize) -> Vec<u8> {
    let mut frame = Vec::new();
    PacketBuilder::ethernet2(CLIENT.0, OTHER_CLIENT.0)
        .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
        .udp(1000, 40_000)
        .write(&mut frame, &vec![0x77; data_len])
        .unwrap();
    frame
}

fn clients() -> Vec<Change> {
    let change = |flags, mac, vid| Change { flags, client: Client::new(mac, Vid(vid)) };
    vec![
        change(ClientFlags::NONE, CLIENT, 0),
        change(ClientFlags::WIFI, CLIENT, 0x8005),
        change(ClientFlags::ISOLATED, OTHER_CLIENT, 0),
    ]
}

/// The VLAN blocks of a table.
fn blocks(clients: &[Change]) -> Vec<VlanBlock> {
    let crc = |vid| {
        let of_vlan = clients.iter().filter(|change| change.client.vid == vid);
        of_vlan.fold(0, |crc, change| crc ^ client_crc(change.client, change.flags))
    };
    [Vid::UNTAGGED, Vid(0x8005)].map(|vid| VlanBlock { crc: crc(vid), vid }).to_vec()
}

fn container(kind: Kind, value: &[u8]) -> Vec<u8> {
    let mut area = Vec::new();
    append(&mut area, kind, value).unwrap();
    area
}

fn table(flags: TtFlags, vlans: &[VlanBlock], changes: &[Change]) -> Vec<u8> {
    let mut value = Vec::new();
    TranslationTable::emit(&mut value, flags, Ttvn(3), vlans, changes.iter().copied());
    container(Kind::TRANSLATION_TABLE, &value)
}

#[test]
fn ogms_with_all_their_containers_decode() {
    let clients = clients();
    let blocks = blocks(&clients);
    let gone = Change { flags: ClientFlags::DEL.or(ClientFlags::ROAM), ..clients[0] };
    let tvlvs = [
        container(Kind::MULTICAST, &MulticastFlags(0x1b).to_bytes()),
        table(TtFlags::OGM, &blocks, &[gone, clients[1]]),
        container(Kind::GATEWAY, &Gateway::DEFAULT.to_bytes()),
        container(Kind::DISTRIBUTED_ARP_TABLE, &[]),
    ]
    .concat();
    let first = Ogm {
        ttl: 50,
        flags: OgmFlags(0),
        seqno: SeqNo(0x0102_0304),
        originator: A,
        previous_sender: A,
        reserved: 0,
        tq: 255,
        tvlvs: &tvlvs,
    };
    let (flags, previous_sender) = (OgmFlags::DIRECT_LINK, C);
    let second =
        Ogm { ttl: 1, flags, originator: B, previous_sender, tq: 225, tvlvs: &[], ..first };
    let mut records = vec![0xa5; first.wire_len() + second.wire_len()];
    first.emit(&mut records[..first.wire_len()]);
    second.emit(&mut records[first.wire_len()..]);
    check(&[Case::mesh(
        "an aggregate of two OGMs",
        Mac::BROADCAST,
        Packet::Ogms(&records),
        &[
            ("batadv.iv_ogm.version", &"15,15"),
            ("batadv.iv_ogm.ttl", &"50,1"),
            ("batadv.iv_ogm.flags", &"0x00,0x04"),
            ("batadv.iv_ogm.seq", &"16909060,16909060"),
            ("batadv.iv_ogm.orig", &format!("{A},{B}")),
            ("batadv.iv_ogm.prev_sender", &format!("{A},{C}")),
            ("batadv.iv_ogm.tq", &"255,225"),
            ("batadv.iv_ogm.tvlv_len", &format!("{},0", tvlvs.len())),
            ("batadv.tvlv.mcast.flags", &"0x1b"),
            ("batadv.tvlv.gw.dl_speed", &Gateway::DEFAULT.down.0),
            ("batadv.tvlv.gw.ul_speed", &Gateway::DEFAULT.up.0),
            ("batadv.tvlv.len", &"4,44,8,0"),
            ("batadv.tvlv.tt.flags", &"0x01"),
            ("batadv.tvlv.tt.ttvn", &"3"),
            ("batadv.tvlv.tt.num_vlan", &"2"),
            (
                "batadv.tvlv.tt.vlan.crc",
                &format!("{:#010x},{:#010x}", blocks[0].crc, blocks[1].crc),
            ),
            ("batadv.tvlv.tt.vlan.vid", &"0x0000,0x8005"),
            ("batadv.tvlv.tt.change.flags", &"0x03,0x10"),
            ("batadv.tvlv.tt.change.addr", &format!("{CLIENT},{CLIENT}")),
            ("batadv.tvlv.tt.change.vid", &"0x0000,0x8005"),
        ],
    )]);
}

/// The dissector computes the CRC of a full table itself (`batadv.tvlv_tt_crc_bad`): WIRE-111.
#[test]
fn wire_111_table_questions_and_answers_decode() {
    let clients = clients();
    let blocks = blocks(&clients);
    let packet = |destination, source, tvlvs| {
        Packet::UnicastTvlv(UnicastTvlv::new(destination, source, tvlvs))
    };
    let request = table(TtFlags::request(true), &blocks, &[]);
    let response = table(TtFlags::response(true), &blocks, &clients);
    let advertised = Roaming { client: Client::untagged(CLIENT) };
    let roaming = container(Kind::ROAMING, &advertised.to_bytes());
    check(&[
        Case::mesh(
            "a request",
            C,
            packet(B, A, &request),
            &[
                ("batadv.unicast_tvlv.ttl", &50),
                ("batadv.unicast_tvlv.dst", &B),
                ("batadv.unicast_tvlv.src", &A),
                ("batadv.unicast_tvlv.len", &request.len()),
                ("batadv.tvlv.tt.flags", &"0x12"),
            ],
        ),
        Case::mesh(
            "a full answer",
            C,
            packet(A, B, &response),
            &[
                ("batadv.unicast_tvlv.len", &response.len()),
                ("batadv.tvlv.tt.flags", &"0x14"),
                ("batadv.tvlv.tt.vlan.crc.status", &"1,1"),
                ("batadv.tvlv.tt.change.flags", &"0x00,0x10,0x20"),
                ("batadv.tvlv.tt.change.addr", &format!("{CLIENT},{CLIENT},{OTHER_CLIENT}")),
            ],
        ),
        Case::mesh(
            "a roaming advertisement",
            C,
            packet(B, A, &roaming),
            &[("batadv.unicast_tvlv.len", &12), ("batadv.tvlv.roam.vid", &"0x0000")],
        ),
    ]);
}

#[test]
fn elp_decodes() {
    let elp = Elp { originator: A, seqno: SeqNo(100), interval_ms: 500 };
    let packet = Packet::Elp(elp);
    let frame = MeshFrame { destination: Mac::BROADCAST, source: A, packet, padding: &[0; 4] };
    let mut bytes = vec![0xa5; frame.wire_len()];
    frame.emit(&mut bytes);
    assert_eq!(bytes[14..], elp.to_bytes());
    let fields: &[(_, &dyn ToString)] = &[
        ("batadv.elp.version", &15),
        ("batadv.elp.orig", &A),
        ("batadv.elp.seq", &100),
        ("batadv.elp.interval", &500),
    ];
    check(&[Case::new("ELP", bytes, fields)]);
}

#[test]
fn packets_with_inner_frames_decode() {
    let inner = &inner_frame(64)[..];
    let (ttl, ttvn, destination) = (50, Ttvn(7), B);
    let (source, subtype, reserved) = (A, Subtype::DatPut, 0);
    let (seqno, originator) = (SeqNo(0x1234), A);
    check(&[
        Case::mesh(
            "unicast",
            C,
            Packet::Unicast(Unicast { ttl, ttvn, destination, inner }),
            &[
                ("batadv.unicast.ttl", &50),
                ("batadv.unicast.ttvn", &7),
                ("batadv.unicast.dst", &B),
                ("udp.dstport", &40_000),
                ("udp.length", &72),
            ],
        ),
        Case::mesh(
            "unicast, 4 addresses",
            C,
            Packet::Unicast4Addr(Unicast4Addr {
                ttl,
                ttvn,
                destination,
                source,
                subtype,
                reserved,
                inner,
            }),
            &[
                ("batadv.unicast_4addr.ttl", &50),
                ("batadv.unicast_4addr.ttvn", &7),
                ("batadv.unicast_4addr.dst", &B),
                ("batadv.unicast_4addr.src", &A),
                ("batadv.unicast_4addr.subtype", &3),
                ("udp.dstport", &40_000),
            ],
        ),
        Case::mesh(
            "broadcast",
            Mac::BROADCAST,
            Packet::Broadcast(Broadcast { ttl: 49, reserved, seqno, originator, inner }),
            &[
                ("batadv.bcast.ttl", &49),
                ("batadv.bcast.orig", &A),
                ("batadv.bcast.seq", &0x1234),
                ("udp.dstport", &40_000),
            ],
        ),
    ]);
}

/// The parts of a unicast packet with a datagram of `data_len` bytes, cut for an MTU of 1500.
fn fragments(data_len: usize, seqno: u16) -> Vec<Case> {
    let inner = inner_frame(data_len);
    let packet = Unicast { ttl: 50, ttvn: Ttvn(7), destination: B, inner: &inner };
    let mut bytes = vec![0xa5; packet.wire_len()];
    packet.emit(&mut bytes);
    let total_size = u16::try_from(bytes.len()).unwrap();
    let part = |(number, data)| Fragment {
        ttl: 50,
        number,
        priority: 5,
        reserved: false,
        destination: B,
        originator: A,
        seqno,
        total_size,
        data,
    };
    let parts = fragment::Split::new(&bytes, 1500).unwrap().map(part);
    let case = |part: Fragment<'_>| {
        let fields: &[(_, &dyn ToString)] = &[
            ("batadv.unicast_frag.ttl", &50),
            ("batadv.unicast_frag.no", &part.number),
            ("batadv.unicast_frag.priority", &5),
            ("batadv.unicast_frag.dst", &B),
            ("batadv.unicast_frag.orig", &A),
            ("batadv.unicast_frag.seq", &seqno),
            ("batadv.unicast_frag.total_size", &total_size),
        ];
        Case::mesh("a fragment", C, Packet::Fragment(part), fields)
    };
    parts.map(case).collect()
}

/// The dissector merges two parts and finds the packet again (three it leaves as they are): WIRE-52, WIRE-53.
#[test]
fn wire_52_wire_53_fragments_are_merged_by_the_dissector() {
    let three = fragments(3000, 0x1233);
    let mut two = fragments(1601, 0x1234);
    assert_eq!((three.len(), two.len()), (3, 2));
    two[1].fields.extend([
        ("batadv.msg.reassembled.length", (10 + 14 + 28 + 1601).to_string()),
        ("batadv.unicast.dst", B.to_string()),
        ("batadv.unicast.ttvn", "7".to_owned()),
        ("udp.length", (8 + 1601).to_string()),
    ]);
    check(&[three, two].into_iter().flatten().collect::<Vec<_>>());
}

#[test]
fn icmp_decodes() {
    let record = [&C.0[..], &B.0, &[0; 84]].concat();
    let plain = Icmp {
        ttl: 50,
        message: Message::EchoRequest,
        destination: B,
        originator: A,
        uid: 1,
        aux: 0,
        seqno: 7,
        rest: &[],
    };
    let recorded = Icmp { message: Message::EchoReply, aux: 2, rest: &record, ..plain };
    let exceeded = Icmp { message: Message::TtlExceeded, ..plain };
    let meter = ThroughputMeter {
        meter_type: MeterType::Acknowledgement,
        session: [0xbe, 0xef],
        seqno: ThroughputMeter::FIRST_SEQNO,
        timestamp: 0x12345,
    };
    let rest = meter.rest();
    let meter = meter.icmp(B, A, 0x5a, &rest);
    let message = |icmp, message| {
        let fields: &[(_, &dyn ToString)] = &[
            ("batadv.icmp.msg_type", &message),
            ("batadv.icmp.ttl", &50),
            ("batadv.icmp.dst", &B),
            ("batadv.icmp.orig", &A),
            ("batadv.icmp.seq", &7),
            ("batadv.icmp.uid", &1),
        ];
        Case::mesh("ICMP", C, Packet::Icmp(icmp), fields)
    };
    let mut with_record = message(recorded, 0);
    with_record.fields.push(("batadv.icmp.rr_pointer", "2".to_owned()));
    check(&[
        message(plain, 8),
        with_record,
        message(exceeded, 11),
        Case::mesh(
            "throughput meter",
            C,
            Packet::Icmp(meter),
            &[
                ("batadv.icmp.msg_type", &15),
                ("batadv.icmp.tp.subtype", &1),
                ("batadv.icmp.tp.session", &0xbeef),
                ("batadv.icmp.tp.seqno", &0xffff_f82f_u32),
                ("batadv.icmp.tp.timestamp", &0x12345),
            ],
        ),
    ]);
}

#[test]
fn wire_76_coded_packets_decode() {
    let half =
        |ttl, source, destination, id| CodedHalf { ttl, ttvn: Ttvn(ttl), source, destination, id };
    let coded = Coded {
        first: half(50, A, B, 0x0102_0304),
        second: half(49, B, A, 0x0506_0708),
        second_receiver: OTHER_CLIENT,
        coded_len: 20,
        data: &[0; 20],
    };
    check(&[Case::mesh(
        "network coding",
        C,
        Packet::Coded(coded),
        &[
            ("batadv.coded.ttl", &50),
            ("batadv.coded.first_ttvn", &50),
            ("batadv.coded.first_src", &A),
            ("batadv.coded.first_orig_dst", &B),
            ("batadv.coded.first_crc", &"0x01020304"),
            ("batadv.coded.second_ttl", &49),
            ("batadv.coded.second_ttvn", &49),
            ("batadv.coded.second_dst", &OTHER_CLIENT),
            ("batadv.coded.second_src", &B),
            ("batadv.coded.second_orig_dst", &A),
            ("batadv.coded.second_crc", &"0x05060708"),
            ("batadv.coded.length", &20),
        ],
    )]);
}

/// To a dissector, and to every host, a claim frame is an ARP reply.
#[test]
fn wire_105_claim_frames_are_arp_replies() {
    let cases: Vec<Case> = [
        Claim::claiming(A, CLIENT, Vid::UNTAGGED, 0x3ad8),
        Claim::announcing(A, 0x8464, Vid(0x8005), 0x3ad8),
    ]
    .iter()
    .map(|claim| {
        let mut bytes = vec![0xa5; claim.wire_len()];
        claim.emit(&mut bytes);
        let target = format!("ff:43:05:{:02x}:3a:d8", u8::from(claim.claim_type));
        let fields: &[(_, &dyn ToString)] = &[
            ("arp.opcode", &2),
            ("arp.src.hw_mac", &claim.sender),
            ("arp.dst.hw_mac", &target),
            ("vlan.id", &claim.vid.id().map_or_else(String::new, |id| id.to_string())),
        ];
        Case::new("a claim", bytes, fields)
    })
    .collect();
    check(&cases);
}

/// The check itself: a broken frame is not passed over.
#[test]
fn the_dissector_does_complain() {
    let elp = Elp { originator: A, seqno: SeqNo(1), interval_ms: 500 };
    let mut frame = noctule_wire::ethernet::mesh_header(Mac::BROADCAST, A).to_vec();
    frame.extend(&elp.to_bytes()[..9]);
    let case = Case::new("a broken ELP", frame, &[]);
    let Some(rows) = tshark(&pcap(&[case]), &["_ws.malformed", "_ws.expert.message"]) else {
        println!("SKIPPED: tshark is not installed");
        return;
    };
    assert!(rows[0].iter().any(|complaint| !complaint.is_empty()), "{rows:?}");
}
