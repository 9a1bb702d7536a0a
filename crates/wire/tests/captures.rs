//! Frames that the real kernel module sent, of Linux 6.1 and 7.2: each parses and is rebuilt to the same bytes, and what
//! the frames say of each other (lengths, repeated fields) is as docs/protocol/01-wire.md says.

mod pcapng;

use noctule_wire::icmp::throughput_meter::{MeterType, ThroughputMeter};
use noctule_wire::tvlv::Containers;
use noctule_wire::{
    Broadcast, Discard, Elp, Fragment, Mac, MeshFrame, Multicast, Packet, PacketType, Throughput,
    fragment, packet,
};
use pcapng::{FOLDERS, MALFORMED, captures, for_each_frame, for_each_ogm};
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn wire_01_every_mesh_frame_rebuilds_to_the_same_bytes() {
    for folder in FOLDERS {
        let (mut seen, mut refused) = (0, 0);
        for (name, frames) in captures(folder) {
            for captured in frames.iter().filter(|captured| captured.is_mesh()) {
                let at = format!("{folder}/{name}, frame {}", captured.number);
                match MeshFrame::parse(&captured.bytes) {
                    Ok(frame) => {
                        let mut bytes = vec![0xa5; frame.wire_len()];
                        frame.emit(&mut bytes);
                        assert_eq!(bytes, captured.bytes, "{at}: {frame:?}");
                        seen += 1;
                    }
                    Err(discard) => {
                        assert_eq!(name, MALFORMED, "{at}: {discard:?} {:02x?}", captured.bytes);
                        refused += 1;
                    }
                }
            }
        }
        assert_eq!(refused, 28, "{folder}");
        assert!(seen > 11_000, "{folder}: {seen} frames");
    }
}

/// What scenario o sent wrong on purpose and a parser must refuse; the rest of its frames are wrong in what they mean,
/// not in how they are built. A frame that crossed two captured interfaces counts twice.
#[test]
fn wire_03_wire_25_malformed_frames_are_refused_for_the_right_reason() {
    #[rustfmt::skip]
    let expected: [(&[u8], Discard, usize); 15] = [
        (&[],           Discard::Truncated, 2), // an empty and a one-byte packet
        (&[0x00, 0x0f], Discard::Truncated, 6), // OGMs of 10 and 23 bytes, TVLVs beyond the frame
        (&[0x01, 0x0f], Discard::Truncated, 1), // a broadcast of 10 bytes
        (&[0x05, 0x0f], Discard::Truncated, 1), // a multicast packet with TVLVs beyond the frame
        (&[0x40, 0x0f], Discard::Truncated, 4), // no, half, or almost a whole inner Ethernet header
        (&[0x41, 0x0f], Discard::Truncated, 1),
        (&[0x42, 0x0f], Discard::Truncated, 1),
        (&[0x43, 0x0f], Discard::Truncated, 2), // 12 and 19 bytes
        (&[0x44, 0x0f], Discard::Truncated, 1), // TVLVs beyond the frame
        (&[0x0f, 0x0f], Discard::Type, 1),
        (&[0x00, 0x09], Discard::Version, 2), // passed on by the kernel alone, having been second in an aggregate
        (&[0x00, 0x0e], Discard::Version, 2),
        (&[0x00, 0x10], Discard::Version, 2),
        (&[0x01, 0x63], Discard::Version, 1),
        (&[0x40, 0x0e], Discard::Version, 1),
    ];
    let expected: BTreeMap<(Vec<u8>, Discard), usize> = expected
        .into_iter()
        .map(|(start, discard, count)| ((start.to_vec(), discard), count))
        .collect();
    for folder in FOLDERS {
        let mut refused: BTreeMap<(Vec<u8>, Discard), usize> = BTreeMap::new();
        let (_, frames) = captures(folder).into_iter().find(|(name, _)| name == MALFORMED).unwrap();
        for captured in frames.iter().filter(|captured| captured.is_mesh()) {
            if let Err(discard) = MeshFrame::parse(&captured.bytes) {
                let start = captured.bytes.get(14..16).unwrap_or_default().to_vec();
                *refused.entry((start, discard)).or_default() += 1;
            }
        }
        assert_eq!(refused, expected, "{folder}");
    }
}

/// In scenario o, a second OGM of version 9 (WIRE-26), a TVLV that is longer than its area (WIRE-81), and garbage behind
/// the last OGM spoil what they are, not what stands before them.
#[test]
fn wire_26_wire_81_what_stands_before_the_malformed_part_counts() {
    for folder in FOLDERS {
        let (mut later_version, mut behind_bad_container, mut garbage) = (0, 0, 0);
        let (_, frames) = captures(folder).into_iter().find(|(name, _)| name == MALFORMED).unwrap();
        for captured in frames.iter().filter(|captured| captured.is_mesh()) {
            let Ok(frame) = MeshFrame::parse(&captured.bytes) else { continue };
            let ogms: Vec<_> = frame.packet.ogms().collect();
            if ogms.contains(&Err(Discard::Version)) {
                assert!(ogms[0].is_ok());
                later_version += 1;
            }
            for ogm in ogms.into_iter().flatten() {
                behind_bad_container +=
                    Containers::new(ogm.tvlvs).filter(|c| *c == Err(Discard::Truncated)).count();
            }
            let is_ogm = frame.packet.packet_type() == PacketType::Ogm;
            garbage += usize::from(is_ogm && frame.padding.starts_with(&[0xde, 0xad]));
        }
        assert_eq!((later_version, behind_bad_container, garbage), (2, 4, 2), "{folder}");
    }
}

#[test]
fn wire_10_wire_11_wire_12_the_kernels_frames_have_the_addresses_they_must_have() {
    for folder in FOLDERS {
        for_each_frame(folder, |at, _, frame| {
            let packet_type = frame.packet.packet_type();
            let checked =
                packet::check_addresses(packet_type, frame.destination, frame.source, |_| true);
            assert_eq!(checked, Ok(()), "{at}");
        });
    }
}

#[test]
fn wire_13_packets_without_a_length_take_the_frame_to_its_end() {
    for folder in FOLDERS {
        for_each_frame(folder, |at, _, frame| {
            // On a veth nobody pads; ELP's filler is not part of its header.
            let filler = if frame.packet.packet_type() == PacketType::Elp { 4 } else { 0 };
            assert_eq!(frame.padding, &[0; 4][..filler], "{at}");
        });
    }
}

/// Own OGMs: of the primary interface with TTL 50 (WIRE-20), of others with TTL 2 and without TVLVs (WIRE-21).
#[test]
fn wire_20_wire_21_own_ogms() {
    for folder in FOLDERS {
        let (mut primary, mut secondary) = (0, 0);
        let mut seqnos: BTreeMap<(String, Mac), u32> = BTreeMap::new();
        for_each_ogm(folder, |at, frame, ogm| {
            let is_own = ogm.originator == frame.source && ogm.previous_sender == frame.source;
            if !is_own {
                return;
            }
            assert_eq!((ogm.tq, ogm.flags.0, ogm.reserved), (255, 0, 0), "{at}");
            match ogm.ttl {
                50 => primary += 1,
                2 => {
                    assert!(ogm.tvlvs.is_empty(), "{at}");
                    secondary += 1;
                }
                ttl => panic!("{at}: own OGM with TTL {ttl}"),
            }
            let file = at.split(',').next().unwrap().to_owned();
            if let Some(before) = seqnos.insert((file, ogm.originator), ogm.seqno.0) {
                let step = ogm.seqno.0.wrapping_sub(before);
                assert!(step <= 1 || at.contains("fail"), "{at}: {step} OGMs at once");
            }
        });
        assert!(primary > 1000 && secondary > 50, "{folder}: {primary} {secondary}");
    }
}

/// A repeated OGM has the originator's TVLVs, whatever the repeater thinks of them.
#[test]
fn wire_22_forwarded_ogms_keep_their_tvlvs() {
    for folder in FOLDERS {
        let mut sent: BTreeMap<(String, Mac, u32), Vec<u8>> = BTreeMap::new();
        let mut repeated = 0;
        for_each_ogm(folder, |at, frame, ogm| {
            let file = at.split(',').next().unwrap().to_owned();
            let key = (file, ogm.originator, ogm.seqno.0);
            if ogm.originator == frame.source {
                sent.insert(key, ogm.tvlvs.to_vec());
            } else if let Some(tvlvs) = sent.get(&key) {
                assert_eq!(ogm.tvlvs, &tvlvs[..], "{at}");
                assert!(ogm.ttl < 50, "{at}");
                repeated += 1;
            }
        });
        assert!(repeated > 1000, "{folder}: {repeated}");
    }
}

#[test]
fn wire_24_wire_27_aggregates_are_within_the_senders_limits() {
    for folder in FOLDERS {
        let (mut aggregates, mut most) = (0, 0);
        for_each_frame(folder, |at, captured, frame| {
            let count = frame.packet.ogms().count();
            if count > 1 {
                assert!(frame.packet.wire_len() <= 512 && count <= 32, "{at}");
                assert_eq!(captured.bytes.len(), 14 + frame.packet.wire_len(), "{at}");
                aggregates += 1;
                most = most.max(count);
            }
        });
        assert!(aggregates > 50 && most > 1, "{folder}: {aggregates} {most}");
    }
}

/// One stream of OGM2s for each node, of its primary MAC, sent by all its interfaces (WIRE-34); the padding and the
/// ELP lengths as the page says (WIRE-40).
#[test]
fn wire_34_wire_40_algorithm_v() {
    for folder in FOLDERS {
        let (mut ogm2s, mut own, mut elps) = (0, 0, 0);
        for_each_frame(folder, |at, captured, frame| {
            for ogm in frame.packet.ogm2s() {
                let ogm = ogm.expect("all of them are whole");
                assert!(ogm.originator.to_string().ends_with(":01"), "{at}: {}", ogm.originator);
                assert_eq!(ogm.flags, 0, "{at}");
                if ogm.ttl == 50 {
                    assert_eq!(ogm.throughput, Throughput::MAX, "{at}");
                    own += 1;
                }
                ogm2s += 1;
            }
            if let Packet::Elp(elp) = frame.packet {
                assert_eq!(captured.bytes.len(), 14 + Elp::SENT_LEN, "{at}");
                assert_eq!(captured.bytes[14..], elp.to_bytes(), "{at}");
                assert_eq!(elp.interval_ms, Elp::INTERVAL_MS, "{at}");
                assert!(elp.originator.to_string().ends_with(":01"), "{at}: {}", elp.originator);
                elps += 1;
            }
        });
        assert!(ogm2s > 250 && own > 100 && elps > 300, "{folder}: {ogm2s} {own} {elps}");
    }
}

/// All parts of one packet: the sizes are those that [`fragment::Split`] makes, and merged they are a packet.
#[test]
fn wire_52_wire_53_fragments_merge_and_split_as_the_kernel_does() {
    for folder in FOLDERS {
        let mut parts: BTreeMap<(String, Mac, u16), BTreeMap<u8, Vec<u8>>> = BTreeMap::new();
        let mut totals = BTreeMap::new();
        for (name, frames) in captures(folder).iter().filter(|(name, _)| name.starts_with("j-")) {
            for captured in frames.iter().filter(|captured| captured.is_mesh()) {
                let frame = MeshFrame::parse(&captured.bytes).unwrap();
                let Packet::Fragment(part) = frame.packet else { continue };
                let key = (name.clone(), part.originator, part.seqno);
                totals.insert(key.clone(), usize::from(part.total_size));
                parts.entry(key).or_default().insert(part.number, part.data.to_vec());
            }
        }
        assert!(totals.len() > 10, "{folder}: {}", totals.len());
        for (key, parts) in parts {
            let packet: Vec<u8> = parts.values().rev().flatten().copied().collect();
            assert_eq!(packet.len(), totals[&key], "{key:?}");
            let (inner, padding) = Packet::parse(&packet).expect("a whole packet");
            assert_eq!((inner.packet_type(), padding), (PacketType::Unicast, &[][..]), "{key:?}");
            let mtu = parts[&0].len() + Fragment::HEADER_LEN;
            let again: Vec<(u8, Vec<u8>)> = fragment::Split::new(&packet, mtu)
                .unwrap()
                .map(|(number, data)| (number, data.to_vec()))
                .collect();
            assert_eq!(again, parts.into_iter().collect::<Vec<_>>(), "{key:?}");
        }
    }
}

#[test]
fn wire_58_only_the_ttl_of_a_broadcast_changes() {
    for folder in FOLDERS {
        let mut sent: BTreeMap<(String, Mac, u32), Vec<u8>> = BTreeMap::new();
        let (mut repeated, mut at_source) = (0, 0);
        for_each_frame(folder, |at, _, frame| {
            let Packet::Broadcast(packet) = frame.packet else { return };
            let file = at.split(',').next().unwrap().to_owned();
            let mut bytes = vec![0; packet.wire_len()];
            Broadcast { ttl: 0, ..packet }.emit(&mut bytes);
            at_source += usize::from(packet.ttl == Broadcast::TTL);
            match sent.get(&(file.clone(), packet.originator, packet.seqno.0)) {
                Some(before) => {
                    assert_eq!(&bytes, before, "{at}");
                    repeated += 1;
                }
                None => {
                    sent.insert((file, packet.originator, packet.seqno.0), bytes);
                }
            }
        });
        assert!(repeated > 500 && at_source > 70, "{folder}: {repeated} {at_source}");
    }
}

/// The 7.2 captures have packets of type 0x05, each with one destination, since every destination was its own next hop:
/// no padding.
#[test]
fn wire_61_wire_62_multicast_trackers() {
    let mut seen = 0;
    for_each_frame("7.2", |at, _, frame| {
        let Packet::Multicast(packet) = frame.packet else { return };
        let tracker = packet.tracker().expect("a tracker").expect("a whole one");
        let header_len = Multicast::HEADER_LEN + packet.tvlvs.len();
        assert_eq!(header_len, Multicast::header_len(tracker.slot_count()), "{at}");
        assert_eq!((tracker.slot_count(), tracker.padding), (1, &[][..]), "{at}");
        assert_eq!(header_len % 4, 2, "{at}");
        assert!(packet.wire_len() <= Multicast::SIZE_MAX, "{at}");
        seen += 1;
    });
    assert!(seen > 50, "{seen}");
}

#[test]
fn wire_66_wire_67_wire_69_wire_70_icmp() {
    for folder in FOLDERS {
        let (mut plain, mut records, mut messages, mut acknowledgements) = (0, 0, 0, 0);
        let mut first = BTreeSet::new();
        for_each_frame(folder, |at, captured, frame| {
            let Packet::Icmp(icmp) = frame.packet else { return };
            let len = captured.len - 14;
            if let Ok(meter) = ThroughputMeter::parse(&icmp) {
                match meter.meter_type {
                    MeterType::Message => {
                        assert_eq!(len, ThroughputMeter::MESSAGE_LEN, "{at}");
                        first.insert(meter.seqno.0);
                        messages += 1;
                    }
                    MeterType::Acknowledgement => {
                        assert_eq!(len, 28, "{at}");
                        // Each acknowledges a whole number of messages of 1476 counted bytes.
                        let bytes = meter.seqno.0.wrapping_sub(ThroughputMeter::FIRST_SEQNO.0);
                        assert_eq!(bytes % 1476, 0, "{at}");
                        acknowledgements += 1;
                    }
                    MeterType::Unknown(_) => panic!("{at}: {meter:?}"),
                }
                assert_eq!(&meter.rest(), &icmp.rest[..8], "{at}");
            } else if len == 20 {
                assert_eq!(icmp.aux, 0, "{at}");
                plain += 1;
            } else {
                assert_eq!(len, 116, "{at}");
                let record = icmp.route_record().expect("a route record");
                assert_eq!(record.count(), usize::from(icmp.aux), "{at}");
                records += 1;
            }
        });
        assert!(first.contains(&ThroughputMeter::FIRST_SEQNO.0), "{folder}");
        assert!(plain > 20 && records > 10, "{folder}: {plain} {records}");
        assert!(messages > 100 && acknowledgements > 100, "{folder}: {messages}");
    }
}
