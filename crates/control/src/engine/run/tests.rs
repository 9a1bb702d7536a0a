//! Whole engines: frames in, frames out.

mod algorithm;
mod amplification;
mod dat;
mod gateway;
mod interfaces;
mod link_mtu;
mod settings;
mod throughput_meter;
mod vlans;

use super::*;
use crate::{IfaceSettings, Link, Probe};
use core::time::Duration;
use noctule_fib::HashKey;
use noctule_wire::ethernet::mesh_header;
use noctule_wire::icmp::Message;
use noctule_wire::{Icmp, Mac, Ogm, SeqNo, Ttvn};

const WIRE: &str = "one wire joins the first interfaces of all";

/// Nodes whose first interface hangs on one wire.
struct Segment {
    now: Instant,
    nodes: Vec<Engine>,
    answers: Vec<crate::ProbeAnswer>,
    to_originator: Vec<(usize, Mac, Vec<u8>)>,
    /// Messages of the throughput meter, which are not carried by themselves.
    metered: Vec<(usize, Vec<u8>)>,
    results: Vec<(usize, crate::MeterResult)>,
    transmitted: usize,
    /// Whether echo requests are kept instead of carried.
    keep_probes: bool,
    asked: Vec<Vec<u8>>,
}

fn iface() -> Iface {
    Iface::new(0).unwrap()
}

fn mac(node: usize) -> Mac {
    Mac([2, 0xba, 0, 0, node as u8, 1])
}

fn mesh_mac(node: usize) -> Mac {
    Mac([2, 0xba, 0, 0, node as u8, 0xba])
}

impl Segment {
    fn of(count: usize) -> Self {
        let now = Instant::from_millis(1);
        let mut segment = Self {
            now,
            nodes: vec![],
            answers: vec![],
            to_originator: vec![],
            metered: vec![],
            results: vec![],
            transmitted: 0,
            keep_probes: false,
            asked: vec![],
        };
        for node in 0..count {
            let fib = Writer::new(HashKey([1, 2]), 0, SeqNo(0));
            let mut engine =
                Engine::new(now, Settings::default(), fib, Arc::default(), node as u64);
            engine.handle(now, Input::MeshInterface { mac: mesh_mac(node), mtu: 1500 });
            let link = Link { mac: mac(node), mtu: 1500, wifi: false, up: true };
            let settings = IfaceSettings::default();
            engine.handle(now, Input::Attach { iface: iface(), link, settings, seqno: 1000 });
            segment.nodes.push(engine);
        }
        segment
    }

    /// Carries frames until nobody has anything to say; routes unicast control packets straight to their originator.
    fn settle(&mut self) {
        loop {
            let mut frames = Vec::new();
            for (node, engine) in self.nodes.iter_mut().enumerate() {
                while let Some(output) = engine.poll_output() {
                    match output {
                        Output::Transmit { frame, .. } if self.keep_probes && frame[14] == 0x43 => {
                            self.asked.extend((node == 0).then(|| frame[14..].to_vec()));
                        }
                        Output::Transmit { frame, .. } => frames.push((node, frame)),
                        Output::ToOriginator { destination, packet, .. } => {
                            self.to_originator.push((node, destination, packet.clone()));
                            let mut frame = mesh_header(destination, mac(node)).to_vec();
                            frame.extend(packet);
                            frames.push((node, frame));
                        }
                        Output::MeterMessage { packet, .. } => self.metered.push((node, packet)),
                        Output::MeterResult(result) => self.results.push((node, result)),
                        Output::Answer(answer) => self.answers.push(answer),
                        Output::ToHost { .. } | Output::Event(_) | Output::Measure { .. } => {}
                    }
                }
            }
            if frames.is_empty() {
                return;
            }
            self.transmitted += frames.len();
            for (from, frame) in frames {
                for (node, engine) in self.nodes.iter_mut().enumerate() {
                    if node != from {
                        engine.handle(self.now, Input::Frame { iface: iface(), bytes: &frame });
                    }
                }
            }
        }
    }

    fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        self.settle();
        loop {
            let next = self.nodes.iter().map(Engine::next_deadline).min().unwrap();
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            for engine in &mut self.nodes {
                if engine.next_deadline() <= self.now {
                    engine.handle(self.now, Input::Deadline);
                }
            }
            self.settle();
        }
        self.now = end;
    }

    fn hand(&mut self, node: usize, from: Mac, to: Mac, packet: &[u8]) {
        let mut frame = mesh_header(to, from).to_vec();
        frame.extend(packet);
        self.nodes[node].handle(self.now, Input::Frame { iface: iface(), bytes: &frame });
    }

    fn outputs(&mut self, node: usize) -> Vec<Output> {
        core::iter::from_fn(|| self.nodes[node].poll_output())
            .filter(|output| !matches!(output, Output::Event(_)))
            .collect()
    }
}

fn echo(
    destination: Mac,
    originator: Mac,
    ttl: u8,
    message: Message,
    rest: &[u8],
    aux: u8,
) -> Vec<u8> {
    let icmp = Icmp { ttl, message, destination, originator, uid: 7, aux, seqno: 9, rest };
    let mut packet = vec![0; icmp.wire_len()];
    icmp.emit(&mut packet);
    packet
}

#[test]
fn neighbours_find_each_other_and_each_others_clients() {
    let mut segment = Segment::of(3);
    segment.run(Duration::from_secs(10));
    for node in 0..3 {
        let engine = &segment.nodes[node];
        assert_eq!(engine.overview().primary, Some(mac(node)), "{WIRE}");
        let best: Vec<_> =
            engine.originator_rows(segment.now).into_iter().filter(|row| row.best).collect();
        assert_eq!(best.len(), 2);
        let reader = engine.fib.reader();
        let guard = reader.pin();
        for other in (0..3).filter(|other| *other != node) {
            let client = noctule_wire::Client::untagged(mesh_mac(other));
            let announcer = guard.best_announcer(client).expect("its client is known");
            assert_eq!(announcer.originator.mac(), mac(other));
            assert_eq!(announcer.originator.ttvn(), Ttvn(1));
        }
    }
}

/// Also FWD-81.
#[test]
fn icmp_10_an_echo_request_is_answered_with_its_own_length_and_marks() {
    let mut segment = Segment::of(2);
    segment.run(Duration::from_secs(5));
    let extra = [0xee; 33];
    // ICMP-06, ICMP-16: the TTL of what has arrived is not examined. ICMP-02, ICMP-03, ICMP-11: the rest comes back.
    let request = echo(mac(0), mac(1), 1, Message::EchoRequest, &extra, 0);
    segment.hand(0, mac(1), mac(0), &request);
    let expected = echo(mac(1), mac(0), 50, Message::EchoReply, &extra, 0);
    assert_eq!(
        segment.outputs(0),
        [Output::ToOriginator { destination: mac(1), view: View::Default, packet: expected }]
    );
    let stranger = echo(mac(0), mac(77), 50, Message::EchoRequest, &[], 0);
    segment.hand(0, mac(1), mac(0), &stranger);
    assert_eq!(segment.outputs(0), [], "an answer to nobody");
    for message in [Message::ThroughputMeter, Message::Unknown(99)] {
        segment.hand(0, mac(1), mac(0), &echo(mac(0), mac(1), 50, message, &extra, 0));
        assert_eq!(segment.outputs(0), [], "{message:?} is dropped by the node itself");
    }
}

#[test]
fn icmp_14_only_a_request_whose_ttl_is_spent_is_answered() {
    let mut segment = Segment::of(2);
    segment.run(Duration::from_secs(5));
    let spent = |message| echo(mac(50), mac(1), 1, message, &[], 0);
    segment.hand(0, mac(1), mac(0), &spent(Message::EchoRequest));
    let expected = echo(mac(1), mac(0), 50, Message::TtlExceeded, &[], 0);
    assert_eq!(
        segment.outputs(0),
        [Output::ToOriginator { destination: mac(1), view: View::Default, packet: expected }]
    );
    for message in
        [Message::EchoReply, Message::TtlExceeded, Message::ThroughputMeter, Message::Unknown(99)]
    {
        segment.hand(0, mac(1), mac(0), &spent(message));
        assert_eq!(segment.outputs(0), [], "{message:?}");
    }
}

#[test]
fn icmp_04_frames_for_others_are_not_answered() {
    let mut segment = Segment::of(2);
    segment.run(Duration::from_secs(5));
    let request = echo(mac(0), mac(1), 50, Message::EchoRequest, &[], 0);
    for (from, to, because) in [
        (mac(1), mac(9), "for another station"),
        (mac(1), Mac::BROADCAST, "for everybody"),
        (mac(1), Mac::ZERO, "for nobody"),
        (Mac([1, 0, 0, 0, 0, 1]), mac(0), "from a group"),
    ] {
        segment.hand(0, from, to, &request);
        assert_eq!(segment.outputs(0), [], "{because}");
    }
    segment.hand(0, mac(1), mac(0), &request[..19]);
    assert_eq!(segment.outputs(0), [], "ICMP-01: shorter than 20 bytes");
}

#[test]
fn icmp_20_a_probe_without_a_route_is_told_at_once() {
    let mut segment = Segment::of(1);
    let probe = Probe { destination: mac(5), uid: 3, seqno: 4, ttl: 50, record_route: false };
    segment.nodes[0].handle(segment.now, Input::Probe(probe));
    let [Output::Answer(answer)] = &segment.outputs(0)[..] else { panic!("one answer") };
    assert_eq!((answer.message, answer.uid, answer.seqno), (Message::DestinationUnreachable, 3, 4));
}

#[test]
fn icmp_19_a_probe_with_route_record_starts_with_its_own_exit() {
    let mut segment = Segment::of(2);
    segment.run(Duration::from_secs(5));
    let probe = Probe { destination: mac(1), uid: 3, seqno: 4, ttl: 50, record_route: true };
    segment.nodes[0].handle(segment.now, Input::Probe(probe));
    let [Output::ToOriginator { packet, .. }] = &segment.outputs(0)[..] else {
        panic!("one packet")
    };
    let icmp = Icmp::parse(packet).unwrap();
    assert_eq!(packet.len(), 116);
    assert_eq!(icmp.route_record().unwrap().collect::<Vec<_>>(), [mac(0)]);
    let answer =
        Icmp { message: Message::EchoReply, destination: mac(0), originator: mac(1), ..icmp };
    let mut packet = vec![0; answer.wire_len()];
    answer.emit(&mut packet);
    // The data plane of either end adds the receiving interface (ICMP-05).
    noctule_wire::icmp::record_route(&mut packet, mac(1)).unwrap();
    noctule_wire::icmp::record_route(&mut packet, mac(0)).unwrap();
    segment.hand(0, mac(1), mac(0), &packet);
    let [Output::Answer(answer)] = &segment.outputs(0)[..] else { panic!("one answer") };
    assert_eq!(answer.len, 116);
    assert_eq!(answer.route, [mac(0), mac(1), mac(0)], "ICMP-22: there and back");
}

/// A unicast TVLV packet of TTL 2 for another node, with one container.
fn in_transit(kind: (u8, u8), value: &[u8]) -> Vec<u8> {
    let mut area = vec![kind.0, kind.1];
    area.extend((value.len() as u16).to_be_bytes());
    area.extend(value);
    let packet = UnicastTvlv { ttl: 2, destination: mac(2), source: mac(1), tvlvs: &area };
    let mut bytes = vec![0; packet.wire_len()];
    packet.emit(&mut bytes);
    bytes
}

/// Also FWD-77 and FWD-78: what no handler asks to forward, the first receiver consumes.
#[test]
fn tvlv_27_and_28_what_travels_on_and_what_is_consumed() {
    let mut segment = Segment::of(3);
    segment.run(Duration::from_secs(6));
    let roam = [2, 0xcc, 0, 0, 0, 1, 0, 0];
    segment.hand(0, mac(1), mac(0), &in_transit((5, 1), &roam));
    let mut expected = in_transit((5, 1), &roam);
    expected[2] = 1;
    assert_eq!(
        segment.outputs(0),
        [Output::ToOriginator {
            destination: mac(2),
            view: View::Arrival(iface()),
            packet: expected
        }],
        "TVLV-29: TTL one less, the rest unchanged"
    );
    for (kind, value, because) in [
        ((5, 2), &roam[..], "TVLV-01: another version is another container"),
        ((9, 1), &roam[..], "unknown type"),
        ((4, 1), &[0x12, 1, 0xff, 0xff][..], "TT-03: more VLANs than bytes"),
        ((4, 1), &[0x06, 1, 0, 0][..], "TT-06: neither request nor response"),
        ((4, 1), &[0x01, 1, 0, 0][..], "TT-06: what only OGMs carry"),
    ] {
        segment.hand(0, mac(1), mac(0), &in_transit(kind, value));
        assert_eq!(segment.outputs(0), [], "{because}");
    }
    let counted = |segment: &Segment, reason| segment.nodes[0].counters.discarded(reason);
    assert_eq!(counted(&segment, Discard::UnknownTvlv), 2);
    let empty = UnicastTvlv { ttl: 2, destination: mac(2), source: mac(1), tvlvs: &[] };
    let mut bytes = vec![0; empty.wire_len()];
    empty.emit(&mut bytes);
    segment.hand(0, mac(1), mac(0), &bytes);
    assert_eq!(segment.outputs(0), [], "no container");
    let mut spent = in_transit((5, 1), &roam);
    spent[2] = 1;
    segment.hand(0, mac(1), mac(0), &spent);
    assert_eq!(segment.outputs(0), [], "TVLV-29: TTL spent");
    assert_eq!(counted(&segment, Discard::TtlSpent), 1);
    let mut unknown = in_transit((5, 1), &roam);
    unknown[4..10].copy_from_slice(&mac(77).0);
    segment.hand(0, mac(1), mac(0), &unknown);
    assert_eq!(segment.outputs(0), [], "TVLV-29: the destination must be known");
    assert_eq!(counted(&segment, Discard::UnknownOriginator), 1);
    let mut padded = in_transit((5, 1), &roam);
    padded.extend([0; 14]);
    segment.hand(0, mac(1), mac(0), &padded);
    let [Output::ToOriginator { packet, .. }] = &segment.outputs(0)[..] else {
        panic!("passed on")
    };
    assert_eq!(packet.len(), padded.len() - 14, "TVLV-25: padding is no part of it");
    for (len, reason) in [(19, Discard::Truncated), (31, Discard::Truncated)] {
        let before = counted(&segment, reason);
        segment.hand(0, mac(1), mac(0), &padded[..len]);
        assert_eq!((segment.outputs(0), counted(&segment, reason)), (vec![], before + 1), "{len}");
    }
}

/// A packet with two containers is answered or travels on, never both.
#[test]
fn tvlv_23_only_the_first_container_of_a_packet_counts() {
    let mut segment = Segment::of(3);
    segment.run(Duration::from_secs(6));
    let roam = [5, 1, 0, 8, 2, 0xcc, 0, 0, 0, 1, 0, 0];
    // A request for node 2's full table, which node 0 can answer: it has it.
    let reader = segment.nodes[0].fib.reader();
    let ttvn = reader.pin().originator(mac(2)).unwrap().ttvn();
    let crc =
        segment.nodes[0].global_rows().iter().find(|row| row.originator == mac(2)).unwrap().crc;
    let mut request = vec![4, 1, 0, 12, 0x12, ttvn.0, 0, 1];
    request.extend(crc.to_be_bytes());
    request.extend([0, 0, 0, 0]);
    for area in [[&request[..], &roam].concat(), [&roam[..], &request].concat()] {
        let packet = UnicastTvlv::new(mac(2), mac(1), &area);
        let mut bytes = vec![0; packet.wire_len()];
        packet.emit(&mut bytes);
        segment.hand(0, mac(1), mac(0), &bytes);
        let outputs = segment.outputs(0);
        assert_eq!(outputs.len(), 1, "{outputs:?}");
    }
}

/// What an OGM's containers do: each kind goes to its handler, whatever stands around it.
#[test]
fn tvlv_11_to_14_and_19_containers_of_an_ogm() {
    use noctule_wire::tvlv::translation_table as tt;
    let mut segment = Segment::of(2);
    segment.run(Duration::from_secs(6));
    let client = |last| noctule_wire::Client::untagged(Mac([2, 0xcc, 0, 0, 0, last]));
    let own = noctule_wire::Client::untagged(mesh_mac(1));
    // Versions 2, 3, ... of node 1's table each add one client; the last in the list is new.
    let container = |ttvn: u8, clients: &[u8]| {
        let all = clients.iter().map(|last| client(*last)).chain([own]);
        let crc = all.fold(0, |crc, client| crc ^ tt::client_crc(client, tt::ClientFlags::NONE));
        let vlans = [tt::VlanBlock { crc, vid: noctule_wire::Vid::UNTAGGED }];
        let new = clients
            .last()
            .map(|last| tt::Change { flags: tt::ClientFlags::NONE, client: client(*last) });
        let (mut value, mut area) = (Vec::new(), Vec::new());
        tt::TranslationTable::emit(&mut value, tt::TtFlags::OGM, Ttvn(ttvn), &vlans, new);
        noctule_wire::tvlv::append(&mut area, Kind::TRANSLATION_TABLE, &value).unwrap();
        area
    };
    let mut other_version = container(5, &[1, 2, 3, 9]);
    other_version[1] = 2;
    let unknown = [77, 1, 0, 2, 0xaa, 0xbb];
    let multicast = [6, 2, 0, 4, 0, 0, 0, 0];
    let (odd, too_long) = ([9, 1, 0, 1, 0xaa, 0], [9, 1, 0, 8, 0xaa, 0]);
    #[rustfmt::skip]
    let steps: [(&str, Vec<u8>, &[u8], Option<Discard>); 7] = [
        ("TVLV-13: unknown ones are skipped", [&unknown[..], &container(2, &[1]), &multicast].concat(), &[1], None),
        ("TVLV-14: twice, in order", [container(3, &[1, 2]), container(4, &[1, 2, 3])].concat(), &[1, 2, 3], None),
        ("TVLV-01: another version", other_version, &[1, 2, 3], None),
        ("TVLV-19: without one nothing changes", multicast.to_vec(), &[1, 2, 3], None),
        ("TVLV-12: what stands before an odd length counts", [&container(5, &[1, 2, 3, 4])[..], &odd].concat(), &[1, 2, 3, 4], Some(Discard::OddLength)),
        ("TVLV-12: what stands behind it does not", [&odd[..], &container(6, &[1, 2, 3, 4, 5])].concat(), &[1, 2, 3, 4], Some(Discard::OddLength)),
        ("TVLV-11: longer than the rest", [&container(6, &[1, 2, 3, 4, 5])[..], &too_long].concat(), &[1, 2, 3, 4, 5], Some(Discard::Truncated)),
    ];
    for (number, (what, area, known, reason)) in (2000..).zip(steps) {
        let counters = Arc::clone(&segment.nodes[0].counters);
        let before = reason.map(|reason| counters.discarded(reason));
        let ogm = Ogm {
            ttl: 50,
            flags: Default::default(),
            seqno: SeqNo(number),
            originator: mac(1),
            previous_sender: mac(1),
            reserved: 0,
            tq: 255,
            tvlvs: &area,
        };
        let mut packet = vec![0; ogm.wire_len()];
        ogm.emit(&mut packet);
        segment.hand(0, mac(1), Mac::BROADCAST, &packet);
        let outputs = segment.outputs(0);
        let asked = outputs.iter().any(|output| matches!(output, Output::ToOriginator { .. }));
        assert!(!asked, "{what}");
        let rows = segment.nodes[0].global_rows();
        let mut found: Vec<_> = rows.iter().map(|row| row.client).collect();
        found.retain(|client| *client != own);
        assert_eq!(found, known.iter().map(|last| client(*last)).collect::<Vec<_>>(), "{what}");
        if let Some(reason) = reason {
            assert_eq!(Some(counters.discarded(reason)), before.map(|before| before + 1), "{what}");
        }
    }
}

#[test]
fn tvlv_05_a_node_without_a_table_still_sends_ogms() {
    let fib = Writer::new(HashKey([1, 2]), 0, SeqNo(0));
    let now = Instant::from_millis(1);
    let mut engine = Engine::new(now, Settings::default(), fib, Arc::default(), 1);
    let link = Link { mac: mac(0), mtu: 1500, wifi: false, up: true };
    let settings = IfaceSettings::default();
    engine.handle(now, Input::Attach { iface: iface(), link, settings, seqno: 5 });
    let mut sent = 0;
    while engine.next_deadline() < Instant::from_millis(3000) {
        engine.handle(engine.next_deadline().max(now), Input::Deadline);
        sent += core::iter::from_fn(|| engine.poll_output())
            .filter(|output| matches!(output, Output::Transmit { .. }))
            .count();
    }
    assert!(sent >= 2, "{sent} OGMs in 3 s");
}

#[test]
fn a_vanished_primary_hands_its_role_on_and_a_down_one_keeps_it() {
    let mut segment = Segment::of(1);
    let engine = &mut segment.nodes[0];
    let second = Iface::new(1).unwrap();
    let link = Link { mac: mac(9), mtu: 1400, wifi: true, up: true };
    let settings = IfaceSettings { hop_penalty: 20, ..IfaceSettings::default() };
    engine.handle(segment.now, Input::Attach { iface: second, link, settings, seqno: 5 });
    let down = Link { mac: mac(0), mtu: 1500, wifi: false, up: false };
    engine.handle(segment.now, Input::Changed { iface: iface(), link: down });
    assert_eq!(engine.overview().primary, Some(mac(0)), "FWD-06: link-down does not move the role");
    let reader = engine.fib.reader();
    assert!(reader.pin().node().is_mine(mac(0)), "and its address stays ours");
    engine.handle(segment.now, Input::Detach { iface: iface() });
    assert_eq!(engine.overview().primary, Some(mac(9)), "IV-23: the first active one takes over");
    assert_eq!(engine.mesh_mtu_max(), Some(1260 * 16 - 32), "FWD-16");
    let [row] = engine.interface_rows()[..] else { panic!("one interface") };
    assert_eq!((row.mac, row.primary, row.wifi, row.hop_penalty), (mac(9), true, true, 20));
}
