//! Bad frames in, frames out: never more than one for one (TT-87, TT-98).

use super::*;
use noctule_wire::tvlv::{self, translation_table as tt};
use noctule_wire::{Client, Ogms};

/// A segment of four in which everybody has everybody's table, and a forger of node 1's frames.
struct Attack {
    segment: Segment,
    rng: Rng,
    /// Of whom there was a forged OGM.
    seqnos: std::collections::BTreeMap<Mac, u32>,
    sent: Vec<Vec<u8>>,
}

fn invented(number: u32) -> Mac {
    let [_, _, a, b] = number.to_be_bytes();
    Mac([2, 0xee, 0, 0, a, b])
}

fn packet(destination: Mac, source: Mac, area: &[u8]) -> Vec<u8> {
    let packet = UnicastTvlv::new(destination, source, area);
    let mut bytes = vec![0; packet.wire_len()];
    packet.emit(&mut bytes);
    bytes
}

impl Attack {
    fn new(seed: u64) -> Self {
        let mut segment = Segment::of(4);
        segment.run(Duration::from_secs(10));
        segment.to_originator.clear();
        Self { segment, rng: Rng::new(seed), seqnos: [].into(), sent: vec![] }
    }

    fn any<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.rng.below(of.len() as u32) as usize]
    }

    fn table(&mut self, flags: &[u8]) -> Vec<u8> {
        let flags = tt::TtFlags(self.any(flags));
        let ttvn = Ttvn(self.any(&[0, 1, 2, 3, 77, 255]));
        // Node 1 and node 2 really have these CRCs, the others not.
        let crcs = [1, 2]
            .map(|node| tt::client_crc(Client::untagged(mesh_mac(node)), tt::ClientFlags::NONE));
        let crc = self.any(&[crcs[0], crcs[1], 0xdead_beef]);
        let vlans = vec![
            tt::VlanBlock { crc, vid: noctule_wire::Vid::UNTAGGED };
            self.rng.below(3) as usize
        ];
        let changes: Vec<_> = (0..self.rng.below(4))
            .map(|number| tt::Change {
                flags: tt::ClientFlags::from_wire(self.rng.next_u64() as u8),
                client: Client::untagged(invented(number)),
            })
            .collect();
        let mut value = Vec::new();
        tt::TranslationTable::emit(&mut value, flags, ttvn, &vlans, changes);
        value
    }

    /// TVLV containers, of the kind that OGMs or unicast packets carry, one or several.
    fn area(&mut self, flags: &[u8]) -> Vec<u8> {
        let mut area = Vec::new();
        for _ in 0..self.any(&[1, 1, 1, 2, 5]) {
            if self.rng.below(6) == 0 {
                tvlv::append(&mut area, Kind::ROAMING, &[2, 0xcc, 0, 0, 0, 1, 0, 0]).unwrap();
            } else {
                let value = self.table(flags);
                tvlv::append(&mut area, Kind::TRANSLATION_TABLE, &value).unwrap();
            }
        }
        area
    }

    /// A frame with OGMs of `originators`, from themselves or from further away.
    fn ogms(&mut self, originators: &[Mac]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for originator in originators {
            let seqno = self.seqnos.entry(*originator).or_insert(1100);
            *seqno += 1;
            let seqno = SeqNo(*seqno);
            let area = self.area(&[0x01, 0x01, 0x12, 0x04]);
            let previous_sender = self.any(&[mac(1), *originator, mac(9)]);
            let ogm = Ogm {
                ttl: self.any(&[1, 2, 50, 255]),
                flags: Default::default(),
                seqno,
                originator: *originator,
                previous_sender,
                reserved: 0,
                tq: self.any(&[1, 200, 255]),
                tvlvs: &area,
            };
            let start = bytes.len();
            bytes.resize(start + ogm.wire_len(), 0);
            ogm.emit(&mut bytes[start..]);
        }
        bytes
    }

    /// A request, a response or something odd, for us or in transit.
    fn unicast(&mut self) -> Vec<u8> {
        let area = self.area(&[0x02, 0x12, 0x02, 0x12, 0x04, 0x14, 0x01, 0x06]);
        let all = [mac(0), mac(1), mac(2), mac(3), mac(77), invented(1)];
        let (to, from) = (self.any(&all), self.any(&all));
        packet(to, from, &area)
    }

    /// Hands a frame of node 1's to node 0 and returns how many packets that makes.
    fn hand(&mut self, bytes: &[u8]) -> usize {
        let to = if bytes[0] == 0 { Mac::BROADCAST } else { mac(0) };
        self.segment.hand(0, mac(1), to, bytes);
        self.sent.push(bytes.to_vec());
        let unicast = |output: &&Output| matches!(output, Output::ToOriginator { .. });
        self.segment.outputs(0).iter().filter(unicast).count()
    }
}

/// Forged versions and CRCs, aggregated or not, requests, responses, several containers in a packet, replays: in any order,
/// one packet out for one frame in at most, as long as nobody is invented.
#[test]
fn tt_87_tt_98_one_packet_for_one_bad_frame() {
    for seed in 0..6 {
        let mut attack = Attack::new(seed);
        let (mut out, count) = (0, 3000);
        for number in 0..count {
            let bytes = match attack.rng.below(8) {
                0 => {
                    let one = attack.any(&[mac(1), mac(2), mac(3)]);
                    attack.ogms(&[one])
                }
                1 => attack.ogms(&[mac(1), mac(2), mac(3)]),
                2 => attack.ogms(&[mac(3), mac(3), mac(2), mac(1), mac(1)]),
                3 if !attack.sent.is_empty() => {
                    let index = attack.rng.below(attack.sent.len() as u32) as usize;
                    attack.sent[index].clone()
                }
                _ => attack.unicast(),
            };
            let packets = attack.hand(&bytes);
            assert!(packets <= 1, "seed {seed}, frame {number}: {packets} out for {bytes:02x?}");
            out += packets;
            attack.segment.now += Duration::from_millis(u64::from(attack.rng.below(40)));
        }
        assert!(out > 100, "some are answered: {out}");
        let counters = &attack.segment.nodes[0].counters;
        assert!(counters.discarded(Discard::RateLimited) > 0);
        assert!(counters.discarded(Discard::Unsolicited) > 0);
    }
}

/// Frames full of OGMs of originators that do not exist cost, after the requests that a node may save up for its first
/// minute in a large mesh, not more packets than frames.
#[test]
fn tt_87_invented_originators_cost_no_more_than_their_frames() {
    let mut attack = Attack::new(7);
    let (mut out, mut frames) = (0, 0);
    for round in 0..400_u32 {
        let names: Vec<_> = (0..30).map(|number| invented(round % 20 * 30 + number)).collect();
        let bytes = attack.ogms(&names);
        assert_eq!(Ogms::new(&bytes).count(), 30);
        out += attack.hand(&bytes);
        frames += 1;
        attack.segment.now += Duration::from_millis(200);
    }
    assert!(out <= 128 + frames, "{out} packets for {frames} frames");
    assert!(out > 128, "the flood comes as far as the limit: {out}");
    assert!(attack.segment.nodes[0].counters.discarded(Discard::RateLimited) > 1000);
}

/// A storm ends with its cause: what a forger has upset is in step again, and nobody asks for anything.
#[test]
fn tt_83_forged_tables_heal() {
    let mut attack = Attack::new(8);
    for _ in 0..200 {
        let bytes = attack.ogms(&[mac(1), mac(2), mac(3)]);
        attack.hand(&bytes);
        attack.segment.run(Duration::from_millis(50));
    }
    // The true numbers catch up with the forged ones, and the longest pause between requests ends.
    attack.segment.run(Duration::from_secs(400));
    attack.segment.to_originator.clear();
    attack.segment.run(Duration::from_secs(60));
    assert_eq!(attack.segment.to_originator, []);
    let rows = attack.segment.nodes[0].global_rows();
    let found: Vec<_> = rows.iter().map(|row| (row.client, row.originator)).collect();
    let expected: Vec<_> =
        (1..4).map(|node| (Client::untagged(mesh_mac(node)), mac(node))).collect();
    assert_eq!(found, expected);
}
