//! The hot path without I/O: parsing, lookup, forwarding.

use criterion::{Criterion, criterion_group, criterion_main};
use noctule_dataplane::pipeline::PipelineSettings;
use noctule_dataplane::{Hint, Outlet, Pipeline};
use noctule_fib::{
    Announcers, GlobalClient, HashKey, Iface, IfaceEntry, Neighbours, NextHop, Node, View, Writer,
};
use noctule_wire::ethernet::mesh_header;
use noctule_wire::tvlv::translation_table::ClientFlags;
use noctule_wire::{Client, Discard, Instant, Mac, SeqNo, Ttvn, Unicast, packet};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const KEY: HashKey = HashKey([0x1234_5678_9abc_def0, 0x0fed_cba9_8765_4321]);

struct Nowhere;

impl Outlet for Nowhere {
    fn transmit(&mut self, _: Iface, _: u8, parts: &[&[u8]]) -> Result<(), Discard> {
        black_box(parts);
        Ok(())
    }

    fn deliver(&mut self, parts: &[&[u8]]) -> Result<(), Discard> {
        black_box(parts);
        Ok(())
    }

    fn punt(&mut self, _: Iface, _: &[u8]) -> Result<(), Discard> {
        Ok(())
    }

    fn hint(&mut self, _: Hint) -> Result<(), Discard> {
        Ok(())
    }
}

fn mac(kind: u8, number: u32) -> Mac {
    let [_, a, b, c] = number.to_be_bytes();
    Mac([2, kind, 0, a, b, c])
}

fn iface(index: usize) -> Iface {
    Iface::new(index).expect("few interfaces")
}

/// A node with two links, 200 originators behind the second one, and 10,000 clients behind them.
fn tables() -> Writer {
    let mut fib = Writer::new(KEY, 0, SeqNo(0));
    let mut node = Node { primary: Some(mac(1, 1)), fragmentation: true, ..Node::default() };
    for index in 0..2 {
        node.ifaces[index] = Some(IfaceEntry {
            mac: mac(1, 1 + index as u32),
            mtu: 1500,
            active: true,
            wifi: false,
            neighbours: Neighbours::Many,
        });
    }
    fib.set_node(node);
    for number in 0..200 {
        let originator = mac(2, number);
        let router = Some(NextHop { iface: iface(1), mac: mac(2, 0) });
        fib.add_originator(originator);
        fib.set_router(originator, View::Default, router);
        fib.set_router(originator, View::Arrival(iface(0)), router);
        fib.set_metric(originator, 200);
    }
    for number in 0..10_000 {
        let announcers = Announcers::One(mac(2, number % 200));
        let entry = GlobalClient { flags: ClientFlags::NONE, announcers };
        fib.set_global(Client::untagged(mac(3, number)), entry);
    }
    fib
}

fn transit_frame() -> Vec<u8> {
    let mut inner = Vec::new();
    inner.extend(mac(3, 77).0);
    inner.extend(mac(3, 78).0);
    inner.extend([0x08, 0x00]);
    inner.resize(512, 0);
    let unicast = Unicast { ttl: 50, ttvn: Ttvn(0), destination: mac(2, 77), inner: &inner };
    let mut frame = mesh_header(mac(1, 1), mac(9, 9)).to_vec();
    let start = frame.len();
    frame.resize(start + unicast.wire_len(), 0);
    unicast.emit(&mut frame[start..]);
    frame
}

fn hot(c: &mut Criterion) {
    let frame = transit_frame();
    c.bench_function("parse and classify a unicast frame", |b| {
        b.iter(|| {
            (packet::packet_type(black_box(&frame[14..])), Unicast::parse(black_box(&frame[14..])))
        });
    });
    let mut fib = tables();
    let reader = fib.reader();
    c.bench_function("look up a client among 10,000", |b| {
        let guard = reader.pin();
        let mut number = 0;
        b.iter(|| {
            number = (number + 7919) % 10_000;
            guard
                .best_announcer(black_box(Client::untagged(mac(3, number))))
                .map(|best| best.router)
        });
    });
    under_churn(c, &mut fib);
    let mut pipeline = Pipeline::new(reader, Arc::default(), PipelineSettings::new(KEY));
    c.bench_function("the whole verdict over a unicast frame", |b| {
        let session = pipeline.session(Instant::from_millis(5));
        b.iter(|| session.judge(iface(0), black_box(&frame)));
    });
    c.bench_function("forward one frame through the pipeline", |b| {
        let mut session = frame.clone();
        b.iter(|| {
            session[..12].copy_from_slice(&frame[..12]);
            packet::set_ttl(&mut session[14..], 50);
            pipeline.receive(
                Instant::from_millis(5),
                iface(0),
                black_box(&mut session),
                &mut Nowhere,
            );
        });
    });
}

/// The same look-up while a writer replaces a hundred entries each millisecond, many times what a large mesh does.
fn under_churn(c: &mut Criterion, fib: &mut Writer) {
    let reader = fib.reader();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0;
            while !done.load(Ordering::Relaxed) {
                for _ in 0..100 {
                    number = (number + 6007) % 10_000;
                    let announcers = Announcers::One(mac(2, number % 200));
                    let entry = GlobalClient { flags: ClientFlags::NONE, announcers };
                    fib.set_global(Client::untagged(mac(3, number)), entry);
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        c.bench_function("look up a client among 10,000 that change", |b| {
            let mut number = 0;
            b.iter(|| {
                number = (number + 7919) % 10_000;
                let guard = reader.pin();
                guard
                    .best_announcer(black_box(Client::untagged(mac(3, number))))
                    .map(|best| best.router)
            });
        });
        done.store(true, Ordering::Relaxed);
    });
}

criterion_group!(benches, hot);
criterion_main!(benches);
