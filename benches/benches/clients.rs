//! Whom the data plane learns and looks up, beside plain tables that do the same.
//!
//! The peer is what one would write first: `std::collections::HashMap` with its own hash, behind a `Mutex` because a second
//! thread changes it. It reads frames with the same parsers.

use criterion::{Criterion, criterion_group, criterion_main};
use noctule_benches::beside;
use noctule_control::{Engine, Input, Settings};
use noctule_dataplane::pipeline::PipelineSettings;
use noctule_dataplane::{Hint, Outlet, Pipeline};
use noctule_fib::{
    Announcers, DatRing, GlobalClient, HashKey, Iface, IfaceEntry, Neighbours, NextHop, Node, View,
    Writer,
};
use noctule_wire::ethernet::{Frame, mesh_header};
use noctule_wire::payload::arp::{Arp, Operation};
use noctule_wire::tvlv::translation_table::ClientFlags;
use noctule_wire::unicast::Subtype;
use noctule_wire::{Client, Discard, Instant, Mac, SeqNo, Ttvn, Unicast4Addr, Vid};
use std::collections::HashMap;
use std::hint::black_box;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const KEY: HashKey = HashKey([0x1234_5678_9abc_def0, 0x0fed_cba9_8765_4321]);
const CLIENTS: u32 = 10_000;
/// New clients that a node gets before it is made anew: well below what a node can announce.
const BATCH: u32 = 1000;
const OWN: Mac = Mac([2, 1, 0, 0, 0, 1]);
const OTHER: Mac = Mac([2, 2, 0, 0, 0, 1]);
/// Frames to it are learned from and go nowhere (FWD-32).
const NEVER_FORWARDED: Mac = Mac([0x01, 0x80, 0xc2, 0, 0, 0]);
const PEER: &str = "Mutex<HashMap>";

fn now() -> Instant {
    Instant::from_millis(5_000)
}

fn mac(kind: u8, number: u32) -> Mac {
    let [_, a, b, c] = number.to_be_bytes();
    Mac([2, kind, 0, a, b, c])
}

/// The numbers below `CLIENTS` in an order that no cache foresees.
fn scattered(number: &mut u32) -> u32 {
    *number = (*number + 7919) % CLIENTS;
    *number
}

/// Keeps the last hint; everything else is over when it leaves.
#[derive(Default)]
struct Sink {
    hint: Option<Hint>,
    sent: u64,
}

impl Outlet for Sink {
    fn transmit(&mut self, _: Iface, _: u8, parts: &[&[u8]]) -> Result<(), Discard> {
        black_box(parts);
        self.sent += 1;
        Ok(())
    }

    fn deliver(&mut self, parts: &[&[u8]]) -> Result<(), Discard> {
        black_box(parts);
        Ok(())
    }

    fn punt(&mut self, _: Iface, _: &[u8]) -> Result<(), Discard> {
        Ok(())
    }

    fn hint(&mut self, hint: Hint) -> Result<(), Discard> {
        self.hint = Some(hint);
        Ok(())
    }
}

fn timed(count: u64, mut job: impl FnMut()) -> Duration {
    let begun = std::time::Instant::now();
    for _ in 0..count {
        job();
    }
    begun.elapsed()
}

/// A frame of a host; its source is to be filled in.
fn host_frame() -> Vec<u8> {
    let mut frame = [NEVER_FORWARDED.0.as_slice(), &[0; 6], &[0x00, 0x26]].concat();
    frame.resize(64, 0);
    frame
}

/// The peer's learning: parse, look whether the client is known, note when it was seen.
fn learn_plainly(table: &Mutex<HashMap<Client, Instant>>, frame: &[u8]) {
    let frame = Frame::parse(frame).expect("a frame");
    table.lock().expect("no panic").insert(frame.source_client(), now());
}

fn learning(c: &mut Criterion) {
    let mut fib = Writer::new(KEY, 0, SeqNo(0));
    fib.set_node(Node { primary: Some(OWN), ..Node::default() });
    let plain = Mutex::new(HashMap::new());
    for number in 0..CLIENTS {
        let client = Client::untagged(mac(3, number));
        fib.set_local(client, ClientFlags::NONE, now());
        plain.lock().expect("no panic").insert(client, now());
    }
    let mut pipeline = Pipeline::new(fib.reader(), Arc::default(), PipelineSettings::new(KEY));
    let (mut frame, mut sink, mut number) = (host_frame(), Sink::default(), 0);
    beside(
        c,
        "learn from a host frame, client known",
        |count| {
            let mut session = pipeline.session(now());
            timed(count, || {
                frame[6..12].copy_from_slice(&mac(3, scattered(&mut number)).0);
                session.send(black_box(&frame), &mut sink);
            })
        },
        PEER,
        |count| {
            let (mut frame, mut number) = (host_frame(), 0);
            timed(count, || {
                frame[6..12].copy_from_slice(&mac(3, scattered(&mut number)).0);
                learn_plainly(&plain, black_box(&frame));
            })
        },
    );
    assert_eq!(sink.hint, None, "all of them were known");
    beside(c, "learn from a host frame, client new", learn_new, PEER, |count| {
        let mut frame = host_frame();
        in_batches(count, |part| {
            let plain = Mutex::new(HashMap::new());
            let mut number = 0;
            timed(part, || {
                number += 1;
                frame[6..12].copy_from_slice(&mac(4, number).0);
                learn_plainly(&plain, black_box(&frame));
            })
        })
    });
}

fn in_batches(count: u64, mut batch: impl FnMut(u64) -> Duration) -> Duration {
    let mut left = count;
    let mut took = Duration::ZERO;
    while left > 0 {
        let part = left.min(BATCH.into());
        took += batch(part);
        left -= part;
    }
    took
}

/// From the frame until every table, that of the data plane included, has the client.
fn learn_new(count: u64) -> Duration {
    let (mut frame, mut sink) = (host_frame(), Sink::default());
    in_batches(count, |part| {
        let fib = Writer::new(KEY, 0, SeqNo(0));
        let reader = fib.reader();
        let settings = PipelineSettings::new(KEY);
        let mut pipeline = Pipeline::new(reader.clone(), Arc::default(), settings);
        let mut engine = Engine::new(now(), Settings::default(), fib, Arc::default(), 1);
        let mut number = 0;
        let took = timed(part, || {
            number += 1;
            frame[6..12].copy_from_slice(&mac(4, number).0);
            pipeline.session(now()).send(black_box(&frame), &mut sink);
            if let Some(Hint::Local(client)) = sink.hint.take() {
                let learned = Input::LearnLocal { client, wifi: false, isolated: false };
                engine.handle(now(), learned);
                while let Some(output) = engine.poll_output() {
                    black_box(output);
                }
            }
        });
        let guard = reader.pin();
        let known = (1..=number).filter(|n| guard.local(Client::untagged(mac(4, *n))).is_some());
        assert_eq!(known.count(), number as usize, "all of them are known now");
        took
    })
}

fn address(number: u32) -> Ipv4Addr {
    Ipv4Addr::from(0x0a00_0000 + number)
}

/// The question of a host of [`OTHER`] for an address.
fn question() -> Arp {
    Arp {
        operation: Operation::Request,
        sender_mac: mac(5, 0),
        sender_ip: address(0x00ff_0000),
        target_mac: Mac::ZERO,
        target_ip: address(0),
    }
}

/// A packet of [`OTHER`] for this node.
fn packet(subtype: Subtype, inner: &[u8]) -> Unicast4Addr<'_> {
    let (ttl, ttvn) = (50, Ttvn(0));
    Unicast4Addr { ttl, ttvn, destination: OWN, source: OTHER, subtype, reserved: 0, inner }
}

fn from_other(subtype: Subtype, inner: &[u8]) -> Vec<u8> {
    let packet = packet(subtype, inner);
    let mut frame = mesh_header(OWN, OTHER).to_vec();
    let start = frame.len();
    frame.resize(start + packet.wire_len(), 0);
    packet.emit(&mut frame[start..]);
    frame
}

/// Where the address that is asked for lies in an ARP packet, behind the headers before it.
const TARGET_IP: usize = 14 + 24;

/// A node that keeps 10,000 addresses of the distributed ARP table, all of clients behind [`OTHER`].
fn keeper() -> (Writer, Pipeline) {
    let mut fib = Writer::new(KEY, 0, SeqNo(0));
    let mut node = Node { primary: Some(OWN), ..Node::default() };
    node.ifaces[0] = Some(IfaceEntry {
        mac: OWN,
        mtu: 1500,
        active: true,
        wifi: false,
        neighbours: Neighbours::Many,
    });
    node.dat = Some(Arc::new(DatRing::new([OTHER])));
    fib.set_node(node);
    let iface = Iface::new(0).expect("there is a first interface");
    fib.add_originator(OTHER);
    fib.set_router(OTHER, View::Default, Some(NextHop { iface, mac: OTHER }));
    fib.set_metric(OTHER, 200);
    for client in (0..CLIENTS).map(|number| mac(3, number)).chain([mac(5, 0)]) {
        let announcers = Announcers::One(OTHER);
        let entry = GlobalClient { flags: ClientFlags::NONE, announcers };
        fib.set_global(Client::untagged(client), entry);
    }
    let mut pipeline = Pipeline::new(fib.reader(), Arc::default(), PipelineSettings::new(KEY));
    let mut sink = Sink::default();
    for number in 0..CLIENTS {
        let entry = Arp {
            operation: Operation::Reply,
            sender_mac: mac(3, number),
            sender_ip: address(number),
            ..question()
        };
        let entry = Arp { target_mac: mac(5, 0), target_ip: address(0x00ff_0000), ..entry };
        let (bytes, len) = entry.reply_frame(Vid::UNTAGGED);
        let mut frame = from_other(Subtype::DatPut, &bytes[..len]);
        pipeline.receive(now(), iface, &mut frame, &mut sink);
    }
    assert_eq!(pipeline.arp_rows(now()).count(), CLIENTS as usize + 1);
    (fib, pipeline)
}

fn distributed_arp_table(c: &mut Criterion) {
    let (_fib, mut pipeline) = keeper();
    let plain: HashMap<(Ipv4Addr, Vid), (Mac, Instant)> = (0..CLIENTS)
        .map(|number| ((address(number), Vid::UNTAGGED), (mac(3, number), now())))
        .collect();
    let plain = Mutex::new(plain);
    let (bytes, len) = question().reply_frame(Vid::UNTAGGED);
    let mut asked = bytes[..len].to_vec();
    asked[20..22].copy_from_slice(&[0, 1]);
    let iface = Iface::new(0).expect("there is a first interface");
    for (what, first) in [("known", 0), ("unknown", CLIENTS)] {
        let question = from_other(Subtype::DatGet, &asked);
        let target = question.len() - asked.len() + TARGET_IP;
        let (mut sink, mut frame, mut number) = (Sink::default(), question.clone(), 0);
        let mut lookups = 0;
        beside(
            c,
            &format!("a question to the ARP table, address {what}"),
            |count| {
                let mut session = pipeline.session(now());
                lookups += count;
                timed(count, || {
                    frame.copy_from_slice(&question);
                    let wanted = address(first + scattered(&mut number));
                    frame[target..target + 4].copy_from_slice(&wanted.octets());
                    session.receive(iface, black_box(&mut frame), &mut sink);
                })
            },
            PEER,
            |count| {
                let (mut asked, mut number) = (asked.clone(), 0);
                timed(count, || {
                    let wanted = address(first + scattered(&mut number));
                    asked[TARGET_IP..TARGET_IP + 4].copy_from_slice(&wanted.octets());
                    answer_plainly(&plain, black_box(&asked));
                })
            },
        );
        assert_eq!(sink.sent, if first == 0 { lookups } else { 0 }, "one answer for each");
    }
}

/// The peer's answer: parse, learn who asks, look up, build the answer and a packet around it.
fn answer_plainly(table: &Mutex<HashMap<(Ipv4Addr, Vid), (Mac, Instant)>>, asked: &[u8]) {
    let Some(arp) = Arp::find(asked).filter(Arp::is_usable) else { return };
    let vid = Frame::parse(asked).expect("a frame").vid();
    let mut table = table.lock().expect("no panic");
    table.insert((arp.sender_ip, vid), (arp.sender_mac, now()));
    let Some((mac, _)) = table.get(&(arp.target_ip, vid)) else { return };
    let answer = Arp {
        operation: Operation::Reply,
        sender_mac: *mac,
        sender_ip: arp.target_ip,
        target_mac: arp.sender_mac,
        target_ip: arp.sender_ip,
    };
    let (bytes, len) = answer.reply_frame(vid);
    let packet = packet(Subtype::DatCachedReply, &bytes[..len]);
    black_box((mesh_header(OWN, OTHER), packet.header(), packet.inner));
}

/// The look-up alone, as for each frame: who has this client, and which way.
fn looking_up(c: &mut Criterion) {
    let (fib, _pipeline) = keeper();
    let reader = fib.reader();
    let iface = Iface::new(0).expect("there is a first interface");
    let hop = NextHop { iface, mac: OTHER };
    let announcers: HashMap<Client, Mac> =
        (0..CLIENTS).map(|number| (Client::untagged(mac(3, number)), OTHER)).collect();
    let plain = Mutex::new((announcers, HashMap::from([(OTHER, hop)])));
    let mut number = 0;
    beside(
        c,
        "look up client and next hop",
        |count| {
            timed(count, || {
                let guard = reader.pin();
                let client = Client::untagged(mac(3, scattered(&mut number)));
                black_box(guard.best_announcer(black_box(client)).map(|best| best.router));
            })
        },
        PEER,
        |count| {
            let mut number = 0;
            timed(count, || {
                let tables = plain.lock().expect("no panic");
                let client = Client::untagged(mac(3, scattered(&mut number)));
                let announcer = tables.0.get(black_box(&client));
                black_box(announcer.and_then(|announcer| tables.1.get(announcer)));
            })
        },
    );
}

/// Whether a broadcast of the mesh may enter the LAN: who serves its source, and when that was heard last.
fn claims(c: &mut Criterion) {
    let mut fib = Writer::new(KEY, 0, SeqNo(0));
    let plain: HashMap<Client, (Mac, Instant)> =
        (0..CLIENTS).map(|number| (Client::untagged(mac(3, number)), (OWN, now()))).collect();
    for client in plain.keys() {
        fib.set_claim(*client, OWN, now());
    }
    let plain = Mutex::new(plain);
    let reader = fib.reader();
    for (what, kind) in [("served by us", 3), ("served by nobody", 4)] {
        let mut number = 0;
        beside(
            c,
            &format!("claim check, client {what}"),
            |count| {
                timed(count, || {
                    let guard = reader.pin();
                    let client = Client::untagged(mac(kind, scattered(&mut number)));
                    if let Some(claim) = guard.claim(black_box(client)) {
                        claim.use_at(now());
                        black_box(claim.owner);
                    }
                })
            },
            PEER,
            |count| {
                let mut number = 0;
                timed(count, || {
                    let client = Client::untagged(mac(kind, scattered(&mut number)));
                    let mut plain = plain.lock().expect("no panic");
                    if let Some((owner, used)) = plain.get_mut(black_box(&client)) {
                        *used = now();
                        black_box(*owner);
                    }
                })
            },
        );
    }
}

criterion_group!(benches, learning, distributed_arp_table, looking_up, claims);
criterion_main!(benches);
