//! Recorded lives: what a node with the kernel module heard is fed to ours, which takes its place, and what ours repeats
//! is compared with what the module repeated then: every record, with all its fields, and where it left.

use super::node::Node;
use super::{Iface, Instant, Mac, Ogm, SeqNo, iface, mac};
use noctule_wire::ethernet::Frame;
use noctule_wire::{MESH_ETHERTYPE, Ogms};
use std::collections::{BTreeMap, BTreeSet};

const TWO_NODES: &[u8] = include_bytes!("../../../tests/captures/a-iv-2nodes.pcapng");
const CHAIN_BOOT: &[u8] = include_bytes!("../../../tests/captures/b-iv-chain-boot.pcapng");

/// One captured frame.
struct Captured<'a> {
    /// Microseconds since the first one.
    at: u64,
    /// Name of the interface it was captured at.
    link: String,
    frame: &'a [u8],
}

fn word(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

/// Reads a little-endian pcapng file with time stamps in nanoseconds.
fn read(mut file: &[u8]) -> Vec<Captured<'_>> {
    let mut links = Vec::new();
    let mut frames = Vec::new();
    let mut start = None;
    while !file.is_empty() {
        let (block, rest) = file.split_at(word(file, 4));
        file = rest;
        match word(block, 0) {
            1 => links.push(interface_name(&block[16..])),
            6 => {
                let nanos = (word(block, 12) as u64) << 32 | word(block, 16) as u64;
                let at = (nanos - *start.get_or_insert(nanos)) / 1000;
                let frame = &block[28..28 + word(block, 20)];
                frames.push(Captured { at, link: links[word(block, 8)].clone(), frame });
            }
            _ => {}
        }
    }
    frames
}

/// Option 2 of an interface description.
fn interface_name(mut options: &[u8]) -> String {
    loop {
        let [code, _, l0, l1] = *options.first_chunk().unwrap();
        let len = usize::from(u16::from_le_bytes([l0, l1]));
        if code == 2 {
            return String::from_utf8(options[4..4 + len].to_vec()).unwrap();
        }
        options = &options[4 + len.next_multiple_of(4)..];
    }
}

/// Where a repeated record left, and what it says.
type Repeated = (usize, String);

/// What a node repeated, with times in milliseconds.
type Life = Vec<(u64, Repeated)>;

/// The interfaces of a node: the link in the capture, and the address.
type Places<'a> = &'a [(&'a str, Mac)];

fn describe(outgoing: usize, ogm: &Ogm<'_>) -> Repeated {
    let Ogm { ttl, flags, seqno, originator, previous_sender, reserved, tq, tvlvs } = ogm;
    let text = format!(
        "{originator} seqno {:08x} by {previous_sender}: ttl {ttl} flags {} tq {tq} reserved {reserved} tvlvs {tvlvs:02x?}",
        seqno.0, flags.0
    );
    (outgoing, text)
}

/// Puts ours in the place of the node with these interfaces, each seen in the capture at the link of that name.
/// Returns what ours and what the module repeated. `look` sees ours after each frame.
fn relive(
    frames: &[Captured<'_>],
    places: Places<'_>,
    mut look: impl FnMut(u64, &Node),
) -> (Life, Life) {
    let index_of = |link: &str| places.iter().position(|(name, _)| *name == link);
    let mine: Vec<Mac> = places.iter().map(|(_, mac)| *mac).collect();
    let mut node = Node::new(5);
    node.now = Instant::from_micros(0);
    for (index, mac) in mine.iter().enumerate() {
        let first = frames
            .iter()
            .flat_map(|captured| ogms(captured.frame))
            .find(|(_, ogm)| ogm.originator == *mac);
        node.attach(index, Node::link(*mac), first.unwrap().1.seqno.0);
    }
    node.mute();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut emitted: BTreeSet<(Mac, u32)> = BTreeSet::new();
    for captured in frames {
        let Some(index) = index_of(&captured.link) else { continue };
        for sent in node.run_until(Instant::from_micros(captured.at)) {
            for ogm in sent.records() {
                ours.push((sent.at.as_millis(), describe(sent.iface.index(), &ogm)));
            }
        }
        let header = Frame::parse(captured.frame).unwrap();
        if header.ethertype != MESH_ETHERTYPE || header.payload[0] != 0 {
            continue;
        }
        if !mine.contains(&header.source) {
            node.receive_bytes(index, header.destination, header.source, header.payload);
            look(captured.at / 1000, &node);
            continue;
        }
        for (_, ogm) in ogms(captured.frame) {
            let Some(own) = mine.iter().position(|mac| *mac == ogm.originator) else {
                theirs.push((captured.at / 1000, describe(index, &ogm)));
                continue;
            };
            if emitted.insert((ogm.originator, ogm.seqno.0)) {
                emit(&mut node, iface(own), ogm.seqno);
            }
        }
    }
    (ours, theirs)
}

/// The module sent an own OGM: so does ours.
fn emit(node: &mut Node, own: Iface, seqno: SeqNo) {
    let cycle = node.iv.cycles[own.index()].as_mut().unwrap();
    assert_eq!(cycle.prepared, seqno, "own numbers without a gap");
    cycle.due = node.now;
    node.deadline();
    node.mute();
    let sent = node.drain();
    assert!(sent.iter().flat_map(|sent| sent.records()).any(|ogm| ogm.seqno == seqno));
}

fn ogms(frame: &[u8]) -> Vec<(Mac, Ogm<'_>)> {
    let header = Frame::parse(frame).unwrap();
    if header.ethertype != MESH_ETHERTYPE || header.payload[0] != 0 {
        return Vec::new();
    }
    Ogms::new(header.payload).map(|ogm| (header.source, ogm.unwrap())).collect()
}

/// Both did the same, what was on its way at the end aside.
fn assert_same(name: &str, frames: &[Captured<'_>], places: Places<'_>, from: u64) -> usize {
    let (mut ours, mut theirs) = relive(frames, places, |_, _| ());
    ours.retain(|(at, _)| *at >= from);
    theirs.retain(|(at, _)| *at >= from);
    let end = frames.last().unwrap().at / 1000 - 300;
    let count = |list: &Life| {
        let mut counts: BTreeMap<Repeated, (u64, i32)> = BTreeMap::new();
        for (at, repeated) in list {
            counts.entry(repeated.clone()).or_insert((*at, 0)).1 += 1;
        }
        counts
    };
    let (ours, theirs) = (count(&ours), count(&theirs));
    let mut differences = Vec::new();
    for (a, b, who) in [(&ours, &theirs, "only ours"), (&theirs, &ours, "only the module")] {
        for (repeated, (at, times)) in a {
            if *at < end && b.get(repeated).is_none_or(|(_, others)| others < times) {
                differences.push((*at, who, repeated));
            }
        }
    }
    differences.sort();
    let shown: Vec<_> = differences
        .iter()
        .map(|(at, who, (outgoing, text))| format!("{at} ms, {who}: by {outgoing}: {text}"))
        .collect();
    assert!(
        differences.is_empty(),
        "{name}: {} of {}\n{}",
        shown.len(),
        theirs.len(),
        shown.join("\n")
    );
    theirs.len()
}

/// Forty seconds from the first OGM on: IV-61, IV-62, IV-64, IV-83, and the echo windows of IV-38.
#[test]
fn two_nodes_repeat_like_the_module() {
    let frames = read(TWO_NODES);
    let repeated = assert_same("n1", &frames, &[("n1e1", mac(1, 1))], 0);
    assert!(repeated > 35, "{repeated}");
    let repeated = assert_same("n2", &frames, &[("n1e1", mac(2, 1))], 0);
    assert!(repeated > 35, "{repeated}");
}

/// What the module's originator table showed meanwhile (IV-103): the log of the same run, in milliseconds of a clock that
/// started a little earlier than the capture. One start fits all samples of both nodes.
#[test]
fn iv_103_two_nodes_show_what_the_module_shows() {
    #[rustfmt::skip]
    let samples = [
        // at ms, n1 of n2, n2 of n1
        ( 3689,  12,  18), ( 5345,  23,  23), ( 7431,  34,  34), ( 9349,  55,  55), (11044,  65,  75), (12754,  84,  93),
        (14627, 102, 102), (16850, 118, 118), (19897, 138, 140), (21936, 148, 154), (24144, 157, 166), (25957, 168, 177),
    ];
    let frames = read(TWO_NODES);
    let shown = |me: Mac, other: Mac| {
        let mut shown = BTreeMap::from([(0, 0)]);
        relive(&frames, &[("n1e1", me)], |at, node| {
            let hop = super::hop(0, other);
            shown.insert(at, node.average(other, super::View::Default, hop).unwrap_or(0));
        });
        shown
    };
    let ours = [shown(mac(1, 1), mac(2, 1)), shown(mac(2, 1), mac(1, 1))];
    // A sample was taken in the half second before it was logged: two commands ran for it, one after the other.
    let fits = |start: u64| {
        samples.iter().all(|(logged, n1, n2)| {
            [*n1, *n2].iter().zip(&ours).all(|(expected, ours)| {
                (0..500_u64).step_by(50).any(|before| {
                    let at = u64::saturating_sub(*logged, before + start);
                    ours.range(..=at).next_back().is_some_and(|(_, tq)| tq == expected)
                })
            })
        })
    };
    let starts: Vec<_> = (0..4000).step_by(50).filter(|start| fits(*start)).collect();
    assert!(!starts.is_empty(), "{ours:?}");
}

/// A chain of four, the two in the middle with two interfaces each.
#[test]
fn a_chain_of_four_starts_like_the_module() {
    let frames = read(CHAIN_BOOT);
    #[rustfmt::skip]
    let nodes: [(&str, Places<'_>); 4] = [
        ("n1", &[("n1e1", mac(1, 1))]),
        ("n2", &[("n1e1", mac(2, 1)), ("n2e2", mac(2, 2))]),
        ("n3", &[("n2e2", mac(3, 1)), ("n3e2", mac(3, 2))]),
        ("n4", &[("n3e2", mac(4, 1))]),
    ];
    for (name, places) in nodes {
        let repeated = assert_same(name, &frames, places, 0);
        assert!(repeated > 20, "{name}: {repeated}");
    }
}

const LOSSY: [(&str, &[u8]); 2] = [
    ("6.1", include_bytes!("../../../tests/captures/q-lossy.pcapng")),
    ("7.2", include_bytes!("../../../tests/captures/7.2/q-lossy.pcapng")),
];

/// Eighty seconds from nothing between links that lose frames, n1 by two of them:
///
/// * n2e1 - n1e1: of what n1 sends 30 % are lost, of what n2 sends 20 %
/// * n2e2 - n3e1: 10 % and 10 %
/// * n2e3 - n1e2: nothing, and 50 %
///
/// Every quality, and which way is the best at each moment, follows from which frames got lost (IV-44, IV-61, IV-62, IV-67).
#[test]
fn lossy_links_are_judged_like_the_module_judges_them() {
    let places = [("n2e1", mac(2, 1)), ("n2e2", mac(2, 2)), ("n2e3", mac(2, 3))];
    for (release, file) in LOSSY {
        let repeated = assert_same(release, &read(file), &places, 0);
        assert!(repeated > 300, "{release}: {repeated}");
    }
}

const TWO_LINKS: &[u8] = include_bytes!("../../../tests/captures/c-iv-2ifs.pcapng");

/// A capture that begins long after the nodes did, with a past before it: the frames from `start` on for one `period`
/// (both in microseconds), `rounds` times, with lower sequence numbers. `keep` says of each whether it was heard then.
fn with_past<'a>(
    frames: &'a [Captured<'a>],
    start: u64,
    period: u64,
    rounds: u32,
    keep: impl Fn(u32, &Captured<'_>) -> bool,
) -> Vec<(u64, String, Vec<u8>)> {
    let mut all = Vec::new();
    for back in (1..=rounds).rev() {
        for captured in frames.iter().filter(|c| (start..start + period).contains(&c.at)) {
            if !ogms(captured.frame).is_empty() && keep(back, captured) {
                let at = captured.at - start + u64::from(rounds - back) * period;
                all.push((at, captured.link.clone(), earlier(captured.frame, back)));
            }
        }
    }
    for captured in frames.iter().filter(|captured| captured.at >= start) {
        let at = captured.at - start + u64::from(rounds) * period;
        all.push((at, captured.link.clone(), captured.frame.to_vec()));
    }
    all
}

/// The same frame with sequence numbers `back` lower.
fn earlier(frame: &[u8], back: u32) -> Vec<u8> {
    let header = Frame::parse(frame).unwrap();
    let records: Vec<_> = ogms(frame)
        .into_iter()
        .map(|(_, ogm)| Ogm { seqno: SeqNo(ogm.seqno.0.wrapping_sub(back)), ..ogm })
        .collect();
    let mut bytes = noctule_wire::ethernet::mesh_header(header.destination, header.source).to_vec();
    bytes.extend(super::node::payload(&records));
    bytes
}

/// Two nodes with two links between them, a third behind one of them: per-interface views, direct-link flags, own OGMs
/// of secondary interfaces. Both ways are equally good, so which one a node uses tells of a past that is not in the
/// capture; n2 is given one in which that link (`older`) came up ten seconds before the other. Before 3.25 s the module
/// was still changing its mind.
#[test]
fn two_links_are_used_like_the_module_does() {
    let frames = read(TWO_LINKS);
    #[rustfmt::skip]
    let nodes: [(&str, &str, Places<'_>); 3] = [
        ("n1", "", &[("n1e1", mac(1, 1)), ("n1e2", mac(1, 2))]),
        ("n2", "n1e1", &[("n1e1", mac(2, 1)), ("n1e2", mac(2, 2)), ("n2e3", mac(2, 3))]),
        ("n3", "", &[("n2e3", mac(3, 1))]),
    ];
    let mut repeated = 0;
    for (name, older, places) in nodes {
        let keep = |back: u32, captured: &Captured<'_>| {
            back <= 70 || older.is_empty() || captured.link == older || captured.link == "n2e3"
        };
        let all = with_past(&frames, 3_250_000, 1_040_000, 80, keep);
        let all: Vec<_> = all
            .iter()
            .map(|(at, link, frame)| Captured { at: *at, link: link.clone(), frame })
            .collect();
        repeated += assert_same(name, &all, places, 80 * 1040);
    }
    assert!(repeated > 45, "{repeated}");
}
