//! Recorded lives: our table takes the place of a kernel node, hears what that node heard, and must ask the same
//! questions, give the same answers, and end with the same table.
//!
//! `d-iv-tt.tables` has the tables that the kernel module itself showed at the end of each part.

use super::*;
use noctule_wire::ethernet::Frame;
use noctule_wire::{MESH_ETHERTYPE, Ogms};

const ROAMING: &[u8] = include_bytes!("../../../tests/captures/d-iv-tt.pcapng");
const LATE: &[u8] = include_bytes!("../../../tests/captures/d-iv-tt-late.pcapng");
const MISSED: &[u8] = include_bytes!("../../../tests/captures/d-iv-tt-missed.pcapng");
const TABLES: &str = include_str!("../../../tests/captures/d-iv-tt.tables");

const N1: Mac = Mac([2, 0xba, 0, 0, 1, 1]);
const N2: Mac = Mac([2, 0xba, 0, 0, 2, 1]);
const N3: Mac = Mac([2, 0xba, 0, 0, 3, 1]);
const N4: Mac = Mac([2, 0xba, 0, 0, 4, 1]);

/// The mesh frames seen on one interface, in order, with the time since the first frame of the file.
fn frames<'a>(mut file: &'a [u8], link: &str) -> Vec<(Duration, Frame<'a>)> {
    let word = |bytes: &[u8], at: usize| -> u64 {
        u64::from(u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()))
    };
    let (mut links, mut frames, mut start) = (0, Vec::new(), None);
    let mut wanted = None;
    while !file.is_empty() {
        let len = usize::try_from(word(file, 4)).unwrap();
        let (block, rest) = file.split_at(len);
        file = rest;
        match word(block, 0) {
            1 => {
                if block.windows(link.len()).any(|name| name == link.as_bytes()) {
                    wanted = Some(links);
                }
                links += 1;
            }
            6 => {
                let nanos = word(block, 12) << 32 | word(block, 16);
                let at = Duration::from_nanos(nanos - *start.get_or_insert(nanos));
                let kept = usize::try_from(word(block, 20)).unwrap();
                let frame = Frame::parse(&block[28..28 + kept]).unwrap();
                if Some(word(block, 8)) == wanted && frame.ethertype == MESH_ETHERTYPE {
                    frames.push((at, frame));
                }
            }
            _ => {}
        }
    }
    assert!(!frames.is_empty());
    frames
}

type Row = (Mac, Client, Ttvn, Ttvn, u32, ClientFlags, bool);

/// A node's global table as the kernel module showed it.
fn shown(snapshot: &str, node: &str) -> Vec<Row> {
    let mut rows: Vec<Row> = TABLES
        .lines()
        .map(|line| line.split(';').collect::<Vec<_>>())
        .filter(|row| row[0] == snapshot && row.get(1) == Some(&node))
        .map(|row| {
            let hex = |text| u32::from_str_radix(text, 16).unwrap();
            let vid = Vid(u16::try_from(hex(row[4])).unwrap());
            (
                row[2].parse().unwrap(),
                Client::new(row[3].parse().unwrap(), vid),
                Ttvn(row[5].parse().unwrap()),
                Ttvn(row[6].parse().unwrap()),
                hex(row[7]),
                ClientFlags(u16::try_from(hex(row[8])).unwrap()),
                row[9] == "1",
            )
        })
        .collect();
    assert!(rows.len() > 5);
    rows.sort_by_key(|row| (row.1, row.0));
    rows
}

fn ours(node: &Node) -> Vec<Row> {
    let rows = node.table.global_rows(&node.routing);
    let mut rows: Vec<Row> = rows
        .iter()
        .map(|row| {
            (row.originator, row.client, row.ttvn, row.last_ttvn, row.crc, row.flags, row.best)
        })
        .collect();
    rows.sort_by_key(|row| (row.1, row.0));
    rows
}

/// A node in the place of one with the kernel module.
struct Life {
    node: Node,
    begun: Instant,
    seqnos: BTreeMap<Mac, SeqNo>,
    /// The last TT value of each originator.
    heard: BTreeMap<Mac, Vec<u8>>,
}

impl Life {
    fn new(mac: Mac, routes: &[(Mac, u32)]) -> Self {
        let mut node = Node::new(mac);
        node.routing = FakeRouting::default();
        for (originator, metric) in routes {
            node.route(*originator, Some(*metric));
        }
        let begun = node.now;
        Self { node, begun, seqnos: BTreeMap::new(), heard: BTreeMap::new() }
    }

    /// Gives the node a table that it had before the recording began, as its kernel showed it.
    fn had(&mut self, originator: Mac, ttvn: u8, clients: &[Client]) {
        let table: Vec<_> = clients.iter().map(|client| (*client, NONE)).collect();
        self.node.hear(originator, &ogm(ttvn, &table, &[]));
        self.node.sent_one();
        let full = value(TtFlags::response(true), ttvn, &table, &rows(&table));
        self.node.receive(&tt_packet(self.node.mac, originator, &full));
    }

    /// All that came from one neighbour's interface: OGMs that are newer than the last (TVLV-22), and unicast packets.
    fn hear(&mut self, at: Duration, frame: &Frame<'_>) {
        self.node.now = self.begun + at;
        match frame.payload[0] {
            0x00 => {
                for record in Ogms::new(frame.payload) {
                    let record = record.unwrap();
                    let last = self.seqnos.get(&record.originator).copied();
                    if last.is_some_and(|last| record.seqno.ahead_of(last) <= 0) {
                        continue;
                    }
                    self.seqnos.insert(record.originator, record.seqno);
                    for container in Containers::new(record.tvlvs) {
                        let container = container.unwrap();
                        if container.kind == Kind::TRANSLATION_TABLE {
                            self.ogm(record.originator, container.value);
                        }
                    }
                }
            }
            0x44 => {
                let len = UnicastTvlv::parse(frame.payload).unwrap().wire_len();
                self.node.receive(&frame.payload[..len]);
            }
            _ => {}
        }
    }

    /// An OGM applies at once, but asks for nothing before the kernel node did.
    fn ogm(&mut self, originator: Mac, value: &[u8]) {
        self.heard.insert(originator, value.to_vec());
        let may_request = false;
        self.node.run(|table, ctx, routing| {
            table.on_ogm(ctx, routing, originator, may_request, value);
        });
    }

    /// The kernel node sent this request: so do we.
    fn asks(&mut self, at: Duration, frame: &Frame<'_>) {
        self.node.now = self.begun + at;
        let sent = UnicastTvlv::parse(frame.payload).unwrap();
        let last = self.heard[&sent.destination].clone();
        self.node.hear(sent.destination, &last);
        assert_eq!(self.node.sent_one(), frame.payload[..sent.wire_len()]);
    }
}

fn untagged(mac: [u8; 6]) -> Client {
    Client::untagged(Mac(mac))
}

/// TT-53, TT-75, TT-106, TT-69: n3 hears clients join, VLANs appear and a client roam to it, without ever asking.
#[test]
fn tt_75_a_recorded_life_with_diffs() {
    let vids = [Vid(0), Vid(0x8000), Vid(0x8001)];
    let mut n3 = Life::new(N3, &[(N1, 220), (N2, 255)]);
    n3.had(N1, 4, &vids.map(|vid| Client::new(Mac([2, 0xba, 0, 0, 1, 0xba]), vid)));
    let n2_own = Mac([2, 0xba, 0, 0, 2, 0xba]);
    n3.had(
        N2,
        2,
        &[
            Client::untagged(n2_own),
            Client::new(n2_own, Vid(0x8000)),
            untagged([1, 0, 0x5e, 0, 0, 1]),
            untagged([0x33, 0x33, 0, 0, 0, 1]),
        ],
    );
    let roaming = untagged([2, 0xc1, 0, 0, 1, 2]);
    let (mut versions, mut advertised) = (Vec::new(), 0);
    for (at, frame) in frames(ROAMING, "n2e2") {
        if frame.source == N3 && frame.payload[0] == 0x44 {
            // n3's kernel node found the client on its bridge and told n1.
            assert!(n3.node.learn(roaming));
            let len = UnicastTvlv::parse(frame.payload).unwrap().wire_len();
            assert_eq!(n3.node.sent_one(), frame.payload[..len]);
            advertised += 1;
            assert_eq!(n3.node.global_flags(roaming), Some(ROAM));
        }
        if frame.source != N3 {
            n3.hear(at, &frame);
            // Whatever is out of step would be asked for: repeat the last OGM with leave to do so.
            for (originator, value) in n3.heard.clone() {
                n3.node.hear(originator, &value);
            }
            assert_eq!(n3.node.sent(), [] as [Vec<u8>; 0], "at {at:?}");
            versions.push(n3.node.last_ttvn(N1).0);
        }
    }
    versions.dedup();
    assert_eq!((versions, advertised), (vec![4, 5, 6, 7, 8, 9, 10], 1));
    assert_eq!(ours(&n3.node), shown("after roaming", "n3"));
}

/// TT-85, TT-96: n4 joins late and asks for all tables.
#[test]
fn tt_85_a_recorded_life_of_a_late_joiner() {
    let mut n4 = Life::new(N4, &[(N1, 190), (N2, 221), (N3, 254)]);
    let mut asked = 0;
    for (at, frame) in frames(LATE, "n3e2") {
        match (frame.source == N4, frame.payload[0]) {
            (true, 0x44) => {
                n4.asks(at, &frame);
                asked += 1;
            }
            (true, _) => {}
            (false, _) => n4.hear(at, &frame),
        }
    }
    assert_eq!(asked, 3);
    assert_eq!(n4.node.counted(Counter::TtResponseRx), 3);
    assert_eq!(ours(&n4.node), shown("n4 joined late", "n4"));
}

/// TT-89, TT-93: n3 answers n4's requests on behalf of n1 and n2, as its kernel node did.
#[test]
fn tt_93_a_recorded_life_of_a_transit_node() {
    let mut n3 = Life::new(N3, &[(N1, 220), (N2, 255), (N4, 255)]);
    for originator in [N1, N2] {
        let known = shown("after roaming", "n3");
        let known = known.iter().filter(|row| row.0 == originator);
        let clients: Vec<_> = known.clone().map(|row| row.1).collect();
        n3.had(originator, known.map(|row| row.3).next().unwrap().0, &clients);
    }
    let mut answered = 0;
    let mut kernel_answers = frames(LATE, "n3e2")
        .into_iter()
        .filter(|(_, frame)| frame.source != N4 && frame.payload[0] == 0x44);
    for (at, frame) in frames(LATE, "n3e2") {
        if frame.source != N4 || frame.payload[0] != 0x44 {
            continue;
        }
        let (_, expected) = kernel_answers.next().unwrap();
        if UnicastTvlv::parse(frame.payload).unwrap().destination == N3 {
            continue; // its own table, which this recording does not have
        }
        n3.node.now = n3.begun + at;
        let request = UnicastTvlv::parse(frame.payload).unwrap();
        assert_eq!(n3.node.receive(&frame.payload[..request.wire_len()]), Disposition::Consumed);
        let ours = n3.node.sent_one();
        assert_eq!(ours[..20], expected.payload[..20], "TTL, destination, source, length");
        // The kernel writes VLANs and clients in the order of its hash table.
        let normal = |packet: &[u8]| {
            let value = container(packet);
            let (ttvn, mut vlans, mut changes) = parts(&value);
            vlans.sort_by_key(|vlan| vlan.vid);
            changes.sort_by_key(|(_, client)| *client);
            (value[0], ttvn, vlans, changes)
        };
        assert_eq!(normal(&ours), normal(expected.payload));
        answered += 1;
    }
    assert_eq!(answered, 2);
}

/// TT-86, TT-96: n3 misses two versions of n1's table and fetches it from n2.
#[test]
fn tt_96_a_recorded_life_with_missed_versions() {
    let mut n3 = Life::new(N3, &[(N1, 220), (N2, 255), (N4, 254)]);
    let before = shown("n4 joined late", "n3");
    for (originator, ttvn) in [(N1, 10), (N2, 2), (N4, 2)] {
        let known = before.iter().filter(|row| row.0 == originator);
        let clients: Vec<_> = known.map(|row| row.1).collect();
        n3.had(originator, ttvn, &clients);
    }
    let mut asked = 0;
    for (at, frame) in frames(MISSED, "n2e2") {
        match (frame.source == N3, frame.payload[0]) {
            (true, 0x44) => {
                n3.asks(at, &frame);
                asked += 1;
            }
            (true, _) => {}
            (false, _) => n3.hear(at, &frame),
        }
    }
    assert_eq!(asked, 1);
    assert_eq!(n3.node.last_ttvn(N1), Ttvn(12));
    // What was given to start with says the last version for all clients; the kernel remembered older ones.
    let without_version = |rows: Vec<Row>| -> Vec<_> {
        rows.into_iter()
            .map(|row| {
                let version = if row.0 == N1 { row.2 } else { Ttvn(0) };
                (row.0, row.1, version, row.3, row.4, row.5, row.6)
            })
            .collect()
    };
    assert_eq!(
        without_version(ours(&n3.node)),
        without_version(shown("after missed versions", "n3"))
    );
}
