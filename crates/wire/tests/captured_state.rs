//! What the real kernel module says of itself in its frames, of Linux 6.1 and 7.2: containers, translation tables with
//! their CRCs, claims.

mod pcapng;

use noctule_wire::claim::{Claim, ClaimType, Recognised, recognise};
use noctule_wire::tvlv::gateway::Gateway;
use noctule_wire::tvlv::multicast::MulticastFlags;
use noctule_wire::tvlv::translation_table::{
    ClientFlags, TranslationTable, TtKind, VlanBlock, client_crc,
};
use noctule_wire::tvlv::{Containers, Kind};
use noctule_wire::{Client, Mac, MeshFrame, Packet, Throughput, Ttvn, Vid, checksum};
use pcapng::{FOLDERS, MALFORMED, captures, for_each_frame, for_each_ogm};
use std::collections::{BTreeMap, BTreeSet};

/// The TT value in a TVLV area, if there is one.
fn translation_table(area: &[u8]) -> Option<TranslationTable<'_>> {
    Containers::new(area)
        .map(|container| container.expect("the kernel's containers are whole"))
        .find(|container| container.kind == Kind::TRANSLATION_TABLE)
        .map(|container| TranslationTable::parse(container.value).expect("a whole table"))
}

/// Every container of the kernel's OGMs is of the catalogue, with the length it says.
#[test]
fn wire_80_wire_90_wire_91_wire_92_wire_93_catalogue() {
    for folder in FOLDERS {
        let (mut gateways, mut flags) = (BTreeSet::new(), BTreeSet::new());
        for_each_ogm(folder, |at, _, ogm| {
            let mut sum = 0;
            for container in Containers::new(ogm.tvlvs) {
                let container = container.expect("the kernel's containers are whole");
                sum += 4 + container.value.len();
                match container.kind {
                    Kind::GATEWAY => {
                        assert_eq!(container.value.len(), Gateway::LEN, "{at}");
                        let gateway = Gateway::parse(container.value).expect("a gateway");
                        assert_eq!(gateway.to_bytes(), container.value, "{at}");
                        gateways.insert((gateway.down, gateway.up));
                    }
                    Kind::DISTRIBUTED_ARP_TABLE => assert!(container.value.is_empty(), "{at}"),
                    Kind::MULTICAST => {
                        let [sent, 0, 0, 0] = *container.value else { panic!("{at}") };
                        let taken = MulticastFlags::parse(container.value);
                        assert!(taken.contains(MulticastFlags(sent)), "{at}");
                        assert_eq!(MulticastFlags(sent).to_bytes(), container.value, "{at}");
                        flags.insert(sent);
                    }
                    Kind::TRANSLATION_TABLE => {
                        let table = TranslationTable::parse(container.value).unwrap();
                        assert_eq!(table.flags.0, 0x01, "{at}");
                    }
                    kind => panic!("{at}: {kind:?}"),
                }
            }
            assert_eq!(sum, ogm.tvlvs.len(), "{at}");
        });
        // 20/5 and 100/20 Mbit/s, as scenario h sets them.
        let expected = [(200, 50), (1000, 200)].map(|(d, u)| (Throughput(d), Throughput(u)));
        assert_eq!(gateways, BTreeSet::from(expected), "{folder}");
        assert!(flags.len() > 2, "{folder}: {flags:?}");
        let can_packets = flags.iter().any(|flags| flags & MulticastFlags::HAVE_PACKETS.0 != 0);
        assert_eq!(can_packets, folder == "7.2", "{folder}: packets since 2024.0 (WIRE-64)");
    }
}

type Table = BTreeMap<Client, ClientFlags>;

/// The CRC of each VLAN of a table, as its owner must announce it.
fn vlans(table: &Table) -> BTreeMap<Vid, u32> {
    let mut vlans = BTreeMap::new();
    for (client, flags) in table {
        *vlans.entry(client.vid).or_default() ^= client_crc(*client, *flags);
    }
    vlans
}

fn announced(blocks: impl Iterator<Item = VlanBlock>) -> BTreeMap<Vid, u32> {
    blocks.map(|block| (block.vid, block.crc)).collect()
}

fn apply(table: &mut Table, tt: &TranslationTable<'_>) {
    for change in tt.changes() {
        if change.flags.contains(ClientFlags::DEL) {
            table.remove(&change.client);
        } else {
            table.insert(change.client, change.flags);
        }
    }
}

/// Follows every originator's table through its OGMs and full answers, as a neighbour does: after each step the CRCs
/// over the entries are those that the kernel announced.
#[test]
fn wire_94_wire_96_wire_97_wire_98_wire_111_table_crcs() {
    for folder in FOLDERS {
        let (mut steps, mut steady, mut answers, mut agreed) = (0, 0, 0, 0);
        let mut vids = BTreeSet::new();
        for (name, frames) in captures(folder).iter().filter(|(name, _)| name != MALFORMED) {
            let mut tables: BTreeMap<Mac, (Ttvn, Table)> = BTreeMap::new();
            for captured in frames.iter().filter(|captured| captured.is_mesh()) {
                let at = format!("{folder}/{name}, frame {}", captured.number);
                let frame = MeshFrame::parse(&captured.bytes).unwrap();
                for ogm in frame.packet.ogms().flatten() {
                    let Some(tt) = translation_table(ogm.tvlvs) else { continue };
                    let claimed = announced(tt.vlans());
                    assert!(claimed.keys().all(|vid| vid.is_valid()), "{at}");
                    vids.extend(claimed.keys().copied());
                    match tables.get_mut(&ogm.originator) {
                        Some((ttvn, table)) if tt.ttvn == *ttvn => {
                            assert_eq!(vlans(table), claimed, "{at}");
                            steady += 1;
                        }
                        Some((ttvn, table)) if tt.ttvn == ttvn.next() && tt.changes().len() > 0 => {
                            apply(table, &tt);
                            *ttvn = tt.ttvn;
                            assert_eq!(vlans(table), claimed, "{at}");
                            steps += 1;
                        }
                        Some((ttvn, _)) if tt.ttvn.is_before(*ttvn) => {}
                        _ => {
                            let mut table = Table::new();
                            apply(&mut table, &tt);
                            tables.remove(&ogm.originator);
                            if vlans(&table) == claimed {
                                tables.insert(ogm.originator, (tt.ttvn, table));
                            }
                        }
                    }
                }
                let Packet::UnicastTvlv(packet) = frame.packet else { continue };
                let Some(tt) = translation_table(packet.tvlvs) else { continue };
                if tt.flags.kind() != TtKind::Response || !tt.flags.is_full() {
                    continue;
                }
                let mut table = Table::new();
                apply(&mut table, &tt);
                assert_eq!(vlans(&table), announced(tt.vlans()), "{at}: a full answer");
                answers += 1;
                match tables.get(&packet.source) {
                    Some((ttvn, known)) if *ttvn == tt.ttvn => {
                        assert_eq!(&table, known, "{at}: a full answer and the changes agree");
                        agreed += 1;
                    }
                    Some((ttvn, _)) if tt.ttvn.is_before(*ttvn) => {}
                    _ => {
                        tables.insert(packet.source, (tt.ttvn, table));
                    }
                }
            }
        }
        assert!(steps >= 15 && steady > 1400, "{folder}: {steps} {steady}");
        assert!(answers > 20 && agreed > 15, "{folder}: {answers} {agreed}");
        assert!(vids.is_superset(&BTreeSet::from([Vid(0), Vid(0x8001), Vid(0x800a)])), "{vids:?}");
        // Linux 6.1 announces the VLAN of priority tags (WIRE-99).
        assert_eq!(vids.contains(&Vid(0x8000)), folder == "6.1", "{folder}: {vids:?}");
    }
}

/// The LAN side of scenario f: claim frames are recognised, everything else is not, and they rebuild to the same bytes.
#[test]
fn wire_105_wire_107_claim_frames() {
    for folder in FOLDERS {
        let mut seen: BTreeMap<u8, usize> = BTreeMap::new();
        let mut others = 0;
        for (name, frames) in captures(folder) {
            for captured in frames.iter().filter(|captured| !captured.is_mesh()) {
                let at = format!("{folder}/{name}, frame {}", captured.number);
                let claim = match recognise(&captured.bytes) {
                    Recognised::Claim(claim) => claim,
                    Recognised::No => {
                        others += 1;
                        continue;
                    }
                    Recognised::Nested => panic!("{at}"),
                };
                let mut bytes = vec![0xa5; claim.wire_len()];
                claim.emit(&mut bytes);
                assert_eq!(bytes, captured.bytes, "{at}");
                *seen.entry(claim.claim_type.into()).or_default() += 1;
                let backbones = [Mac([2, 0xba, 0, 0, 1, 1]), Mac([2, 0xba, 0, 0, 2, 1])];
                let groups = backbones.map(|mac| checksum::crc16_arc(&mac.0));
                assert!(groups.contains(&claim.group), "{at}: {:04x} {groups:04x?}", claim.group);
                let (vid, group) = (claim.vid, claim.group);
                let again = match claim.claim_type {
                    ClaimType::Claim => Claim::claiming(claim.sender, claim.source, vid, group),
                    ClaimType::Announce => {
                        let crc = claim.announced_crc().expect("an announcement has a CRC");
                        Claim::announcing(claim.source, crc, vid, group)
                    }
                    ClaimType::Request => {
                        Claim::requesting(claim.source, claim.destination, vid, group)
                    }
                    ClaimType::LoopDetect => {
                        let [0xba, 0xbe, random @ ..] = claim.source.0 else { panic!("{at}") };
                        Claim::loop_detecting(claim.sender, random, vid, group)
                    }
                    other => panic!("{at}: {other:?}"),
                };
                assert_eq!(again, claim, "{at}");
            }
        }
        let types: Vec<u8> = seen.keys().copied().collect();
        assert_eq!(types, [0, 2, 3, 4], "{folder}: all types but UNCLAIM");
        assert!(others > 50, "{folder}: {others} ordinary frames");
    }
}

#[test]
fn wire_108_loop_detection_frames_go_into_the_mesh() {
    for folder in FOLDERS {
        let mut seen = 0;
        for_each_frame(folder, |at, _, frame| {
            if let Some(Recognised::Claim(claim)) = frame.packet.inner().map(recognise) {
                assert_eq!(claim.claim_type, ClaimType::LoopDetect, "{at}");
                assert!(claim.source.is_loop_detect(), "{at}");
                seen += 1;
            }
        });
        assert!(seen > 10, "{folder}: {seen}");
    }
}
