//! Recorded lives: our table takes the place of a kernel node, hears what that node heard, and must ask the same
//! questions, give the same answers, and end with the same table. With the module of Linux 6.1 and with that of 7.2.
//!
//! `d-iv-tt-*.tables` has the tables that the kernel module itself showed at the end of each part.

use super::*;
use noctule_wire::ethernet::Frame;
use noctule_wire::{MESH_ETHERTYPE, Ogms};

/// What one release of the module did.
struct Release {
    name: &'static str,
    roaming: &'static [u8],
    late: &'static [u8],
    missed: &'static [u8],
    other_address: &'static [u8],
    tables: &'static str,
    /// Where the own addresses of n1 and n2 are when the recording begins. (6.1 announces the VLAN of priority tags.)
    n1_vids: &'static [Vid],
    n2_vids: &'static [Vid],
    /// Versions of n1's table that n3 sees: until the client has roamed, and after the OGMs that it missed.
    versions: &'static [u8],
    missed_version: u8,
}

macro_rules! capture {
    ($release:literal, $name:literal) => {
        include_bytes!(concat!("../../../../wire/tests/captures/", $release, "/", $name, ".pcapng"))
    };
}

const RELEASES: [Release; 2] = [
    Release {
        name: "6.1",
        roaming: capture!("6.1", "d-iv-tt"),
        late: capture!("6.1", "d-iv-tt-late"),
        missed: capture!("6.1", "d-iv-tt-missed"),
        other_address: capture!("6.1", "d-iv-tt-leave"),
        tables: include_str!("../../../tests/captures/d-iv-tt-6.1.tables"),
        n1_vids: &[Vid(0), Vid(0x8000), Vid(0x8001)],
        n2_vids: &[Vid(0), Vid(0x8000)],
        versions: &[4, 5, 6, 7, 8, 9, 10],
        missed_version: 12,
    },
    Release {
        name: "7.2",
        roaming: capture!("7.2", "d-iv-tt"),
        late: capture!("7.2", "d-iv-tt-late"),
        missed: capture!("7.2", "d-iv-tt-missed"),
        other_address: capture!("7.2", "d-iv-tt-leave"),
        tables: include_str!("../../../tests/captures/d-iv-tt-7.2.tables"),
        n1_vids: &[Vid(0), Vid(0x8001)],
        n2_vids: &[Vid(0)],
        versions: &[2, 3, 4, 5, 6, 7],
        missed_version: 9,
    },
];

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
fn shown(release: &Release, snapshot: &str, node: &str) -> Vec<Row> {
    let mut rows: Vec<Row> = release
        .tables
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

    /// The same with what some node's kernel showed of it.
    fn had_what(&mut self, shown: &[Row], originator: Mac) {
        let known = shown.iter().filter(|row| row.0 == originator);
        let ttvn = known.clone().next().unwrap().3;
        self.had(originator, ttvn.0, &known.map(|row| row.1).collect::<Vec<_>>());
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

    /// The kernel node got this request and sent that answer: so do we, byte for byte but for the order of records.
    fn answers(&mut self, at: Duration, request: &Frame<'_>, answer: &Frame<'_>) {
        self.node.now = self.begun + at;
        let len = UnicastTvlv::parse(request.payload).unwrap().wire_len();
        assert_eq!(self.node.receive(&request.payload[..len]), Disposition::Consumed);
        let len = UnicastTvlv::parse(answer.payload).unwrap().wire_len();
        assert_eq!(in_order(&self.node.sent_one(), 24), in_order(&answer.payload[..len], 24));
    }

    /// Gives the node clients of its own, committed in version `ttvn`.
    fn owns(&mut self, ttvn: u8, clients: &[Client]) {
        self.node.run(|table, ctx, _| {
            for client in clients {
                table.local.configure(client.vid);
                table.local.insert(ctx.now, *client, NONE);
            }
            table.announced.ttvn = Ttvn(ttvn - 1);
            table.publish(ctx);
            ctx.fib.set_own_ttvn(table.announced.ttvn);
        });
        self.node.ogm();
        self.node.table.announced.last_diff = None;
    }
}

/// All bytes of a packet whose TT value is at `start`, with VLAN and change records in an order of their own: the kernel
/// writes them in that of its lists and hash tables.
fn in_order(packet: &[u8], start: usize) -> [Vec<u8>; 3] {
    let (head, records) = packet.split_at(start + TtValue::HEADER_LEN);
    let vlans = usize::from(u16::from_be_bytes([head[start + 2], head[start + 3]]));
    let (vlans, changes) = records.split_at(VlanBlock::LEN * vlans);
    let mut vlans = vlans.as_chunks::<{ VlanBlock::LEN }>().0.to_vec();
    let mut changes = changes.as_chunks::<{ Change::LEN }>().0.to_vec();
    vlans.sort();
    changes.sort();
    [head.to_vec(), vlans.concat(), changes.concat()]
}

fn untagged(mac: [u8; 6]) -> Client {
    Client::untagged(Mac(mac))
}

/// Clients in an answer of the kernel's.
fn clients_in(frame: &Frame<'_>) -> Vec<Client> {
    let packet = UnicastTvlv::parse(frame.payload).unwrap();
    let value = container(&frame.payload[..packet.wire_len()]);
    let (_, _, changes) = parts(&value);
    assert!(changes.iter().all(|(flags, _)| *flags == 0));
    changes.into_iter().map(|(_, client)| client).collect()
}

/// Unicast TVLV packets seen on a link, each request with the answer that follows.
fn exchanges<'a>(file: &'a [u8], link: &str) -> Vec<(Duration, Frame<'a>, Frame<'a>)> {
    let mut packets = frames(file, link);
    packets.retain(|(_, frame)| frame.payload[0] == 0x44);
    let pairs = packets.as_chunks::<2>().0.iter();
    pairs.map(|[(at, request), (_, answer)]| (*at, *request, *answer)).collect()
}

/// TT-53, TT-75, TT-106, TT-69: n3 hears clients join, VLANs appear and a client roam to it, without ever asking.
#[test]
fn tt_75_a_recorded_life_with_diffs() {
    for release in &RELEASES {
        let mut n3 = Life::new(N3, &[(N1, 220), (N2, 255)]);
        let at = |mac, vids: &[Vid]| vids.iter().map(|vid| Client::new(Mac(mac), *vid)).collect();
        let of_n1: Vec<_> = at([2, 0xba, 0, 0, 1, 0xba], release.n1_vids);
        n3.had(N1, release.versions[0], &of_n1);
        let mut of_n2: Vec<_> = at([2, 0xba, 0, 0, 2, 0xba], release.n2_vids);
        of_n2.extend([untagged([1, 0, 0x5e, 0, 0, 1]), untagged([0x33, 0x33, 0, 0, 0, 1])]);
        n3.had(N2, 2, &of_n2);
        let roaming = untagged([2, 0xc1, 0, 0, 1, 2]);
        let (mut versions, mut advertised) = (Vec::new(), 0);
        for (at, frame) in frames(release.roaming, "n2e2") {
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
                assert_eq!(n3.node.sent(), [] as [Vec<u8>; 0], "{} at {at:?}", release.name);
                versions.push(n3.node.last_ttvn(N1).0);
            }
        }
        versions.dedup();
        assert_eq!((&versions[..], advertised), (release.versions, 1));
        assert_eq!(ours(&n3.node), shown(release, "after roaming", "n3"));
    }
}

/// TT-85, TT-96: n4 joins late and asks for all tables.
#[test]
fn tt_85_a_recorded_life_of_a_late_joiner() {
    for release in &RELEASES {
        let mut n4 = Life::new(N4, &[(N1, 190), (N2, 221), (N3, 254)]);
        let mut asked = 0;
        for (at, frame) in frames(release.late, "n3e2") {
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
        assert_eq!(ours(&n4.node), shown(release, "n4 joined late", "n4"), "{}", release.name);
    }
}

/// TT-89, TT-91, TT-93: n3 answers n4's requests, for its own table and on behalf of n1 and n2, as its kernel node did.
#[test]
fn tt_93_a_recorded_life_of_a_transit_node() {
    for release in &RELEASES {
        let mut n3 = Life::new(N3, &[(N1, 220), (N2, 255), (N4, 255)]);
        for originator in [N1, N2] {
            n3.had_what(&shown(release, "after roaming", "n3"), originator);
        }
        let exchanges = exchanges(release.late, "n3e2");
        assert_eq!(exchanges.len(), 3);
        let mut answered = Vec::new();
        for (at, request, answer) in &exchanges {
            let packet = UnicastTvlv::parse(request.payload).unwrap();
            if packet.destination == N3 {
                let value = TtValue::parse(&packet.tvlvs[4..]).unwrap();
                n3.owns(value.ttvn.0, &clients_in(answer));
            }
            n3.answers(*at, request, answer);
            answered.push(packet.destination);
        }
        answered.sort();
        assert_eq!(answered, [N1, N2, N3]);
    }
}

/// TT-86, TT-96: n3 misses versions of n1's table and fetches it from n2.
#[test]
fn tt_96_a_recorded_life_with_missed_versions() {
    for release in &RELEASES {
        let mut n3 = Life::new(N3, &[(N1, 220), (N2, 255), (N4, 254)]);
        let before = shown(release, "n4 joined late", "n3");
        for originator in [N1, N2, N4] {
            n3.had_what(&before, originator);
        }
        let mut asked = 0;
        for (at, frame) in frames(release.missed, "n2e2") {
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
        assert_eq!(n3.node.last_ttvn(N1), Ttvn(release.missed_version));
        // What was given to start with says the last version for all clients; the kernel remembered older ones.
        assert_eq!(
            of_version(ours(&n3.node), &[N1]),
            of_version(shown(release, "after missed versions", "n3"), &[N1]),
            "{}",
            release.name
        );
    }
}

/// Rows without the version of the announcement, but for those of some originators.
fn of_version(rows: Vec<Row>, kept: &[Mac]) -> Vec<Row> {
    let row = |row: Row| {
        let version = if kept.contains(&row.0) { row.2 } else { Ttvn(0) };
        (row.0, row.1, version, row.3, row.4, row.5, row.6)
    };
    rows.into_iter().map(row).collect()
}

/// TT-85, TT-89, TT-91, TT-92: the same moment at n2 and n1: n2 asks n1, n1 answers, and n2 answers n3 on its behalf.
#[test]
fn tt_92_a_recorded_life_of_who_answers() {
    for release in &RELEASES {
        let mut n2 = Life::new(N2, &[(N1, 255), (N3, 255), (N4, 221)]);
        n2.had_what(&shown(release, "n4 joined late", "n3"), N1);
        let asked = exchanges(release.missed, "n1e1");
        let [(_, to_n1, from_n1)] = asked[..] else { panic!("one question") };
        for (at, frame) in frames(release.missed, "n1e1") {
            if frame.source == N1 {
                n2.hear(at, &frame);
            } else if frame.payload[0] == 0x44 {
                n2.asks(at, &frame);
            }
        }
        assert_eq!(n2.node.last_ttvn(N1), Ttvn(release.missed_version));
        let passed_on = exchanges(release.missed, "n2e2");
        let [(at, to_n2, from_n2)] = passed_on[..] else { panic!("one question") };
        n2.answers(at, &to_n2, &from_n2);

        let mut n1 = Life::new(N1, &[(N2, 255), (N3, 220), (N4, 190)]);
        n1.owns(release.missed_version, &clients_in(&from_n1));
        n1.answers(at, &to_n1, &from_n1);
    }
}

/// TT-32, TT-44, TT-77: n1's mesh interface gets another address: one step that withdraws and adds, on every VLAN, and n2
/// follows without a question.
#[test]
fn tt_32_a_recorded_change_of_the_mesh_address() {
    for release in &RELEASES {
        let before = shown(release, "after missed versions", "n2");
        let mut n1 = Life::new(N1, &[(N2, 255)]);
        let mut n2 = Life::new(N2, &[(N1, 255), (N3, 254), (N4, 221)]);
        for originator in [N1, N3, N4] {
            n2.had_what(&before, originator);
        }
        let (old, new) = (Mac([2, 0xba, 0, 0, 1, 0xba]), Mac([2, 0xba, 0, 0, 1, 0xbc]));
        let clients: Vec<_> = before.iter().filter(|row| row.0 == N1).map(|row| row.1).collect();
        n1.owns(release.missed_version, &clients);
        n1.node.table.mesh_mac = Some(old);
        let mut steps = Vec::new();
        for (at, frame) in frames(release.other_address, "n1e1") {
            if frame.source != N1 {
                continue;
            }
            n2.hear(at, &frame);
            for (originator, value) in n2.heard.clone() {
                n2.node.hear(originator, &value);
            }
            assert_eq!(n2.node.sent(), [] as [Vec<u8>; 0], "{} at {at:?}", release.name);
            if let Some(value) = n2.heard.get(&N1)
                && steps.last() != Some(value)
            {
                steps.push(value.clone());
            }
        }
        let [quiet, changed] = &steps[..] else { panic!("one step, not {}", steps.len()) };
        assert_eq!(in_order(&n1.node.ogm().unwrap(), 0), in_order(quiet, 0));
        n1.node.run(|table, ctx, routing| table.set_mesh_interface(ctx, routing, new, 1500));
        let ours_changed = n1.node.ogm().unwrap();
        assert_eq!(in_order(&ours_changed, 0), in_order(changed, 0));
        // On each VLAN the old address goes before the new one comes.
        for value in [&ours_changed, changed] {
            let (_, vlans, changes) = parts(value);
            assert_eq!(changes.len(), 2 * vlans.len());
            for [gone, come] in changes.as_chunks::<2>().0 {
                assert_eq!(*gone, (1, Client::new(old, come.1.vid)));
                assert_eq!(*come, (0, Client::new(new, gone.1.vid)));
            }
        }
        let shown = shown(release, "after another address", "n2");
        assert_eq!(of_version(ours(&n2.node), &[]), of_version(shown, &[]), "{}", release.name);
    }
}
