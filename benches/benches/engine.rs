//! The warm path: one OGM in a mesh of 200 originators.

use criterion::{Criterion, criterion_group, criterion_main};
use noctule_control::{Engine, IfaceSettings, Input, Link, Output, Settings};
use noctule_fib::{Counter, Counters, HashKey, Iface, Writer};
use noctule_wire::ethernet::mesh_header;
use noctule_wire::ogm::OgmFlags;
use noctule_wire::{Instant, Mac, Ogm, Ogms, SeqNo};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

const KEY: HashKey = HashKey([0x1234_5678_9abc_def0, 0x0fed_cba9_8765_4321]);
const ORIGINATORS: u32 = 200;
/// Each OGM of the others arrives by one of them.
const NEIGHBOURS: u32 = 8;
const OWN: Mac = Mac([2, 1, 0, 0, 0, 1]);
const INTERVAL: Duration = Duration::from_secs(1);
/// Rounds until all windows are full.
const WARM_UP: u32 = 70;

fn other(number: u32) -> Mac {
    let [_, a, b, c] = number.to_be_bytes();
    Mac([2, 2, 0, a, b, c])
}

fn frame(source: Mac, ogm: &Ogm<'_>) -> Vec<u8> {
    let mut frame = mesh_header(Mac::BROADCAST, source).to_vec();
    let start = frame.len();
    frame.resize(start + ogm.wire_len(), 0);
    ogm.emit(&mut frame[start..]);
    frame
}

/// A node on a link with eight neighbours that hear it well.
struct Mesh {
    engine: Engine,
    iface: Iface,
    now: Instant,
    round: u32,
}

impl Mesh {
    fn new(counters: &Arc<Counters>) -> Self {
        let now = Instant::from_millis(1);
        let fib = Writer::new(KEY, 0, SeqNo(0));
        let mut engine = Engine::new(now, Settings::default(), fib, Arc::clone(counters), 1);
        let link = Link { mac: OWN, mtu: 1500, wifi: false, up: true };
        let iface = Iface::new(0).expect("there is a first interface");
        let settings = IfaceSettings::default();
        engine.handle(now, Input::Attach { iface, link, settings, seqno: 0 });
        Self { engine, iface, now, round: 0 }
    }

    /// An interval passes: what is due leaves, and the neighbours send our OGMs back. Returns what they will say next.
    fn interval(&mut self) -> Vec<Vec<u8>> {
        let until = self.now + INTERVAL;
        while self.engine.next_deadline() <= until {
            self.now = self.now.max(self.engine.next_deadline());
            self.engine.handle(self.now, Input::Deadline);
            while let Some(output) = self.engine.poll_output() {
                if let Output::Transmit { frame: sent, .. } = output {
                    self.echo(&sent);
                }
            }
        }
        self.now = until;
        self.round += 1;
        let heard = |number: u32| {
            let neighbour = other(number % NEIGHBOURS);
            let direct = number < NEIGHBOURS;
            let ogm = Ogm {
                ttl: if direct { 50 } else { 49 },
                flags: OgmFlags::default(),
                seqno: SeqNo(self.round),
                originator: other(number),
                previous_sender: other(number),
                reserved: 0,
                tq: if direct { 255 } else { 250 },
                tvlvs: &[],
            };
            frame(neighbour, &ogm)
        };
        (0..ORIGINATORS).map(heard).collect()
    }

    fn echo(&mut self, sent: &[u8]) {
        for own in Ogms::new(&sent[14..]).filter_map(Result::ok).filter(|ogm| ogm.originator == OWN)
        {
            for number in 0..NEIGHBOURS {
                let flags = OgmFlags::DIRECT_LINK.with(OgmFlags::NOT_BEST, true);
                let repeated = Ogm { flags, ttl: 49, tvlvs: &[], ..own };
                let bytes = frame(other(number), &repeated);
                self.engine.handle(self.now, Input::Frame { iface: self.iface, bytes: &bytes });
            }
        }
    }

    fn hear(&mut self, frames: &[Vec<u8>]) {
        for frame in frames {
            let bytes = black_box(frame.as_slice());
            self.engine.handle(self.now, Input::Frame { iface: self.iface, bytes });
            while let Some(output) = self.engine.poll_output() {
                black_box(output);
            }
        }
    }
}

fn ogm(c: &mut Criterion) {
    let counters = Arc::<Counters>::default();
    let mut mesh = Mesh::new(&counters);
    for _ in 0..WARM_UP {
        let frames = mesh.interval();
        mesh.hear(&frames);
    }
    let routes = mesh.engine.originator_rows(mesh.now).iter().filter(|row| row.best).count();
    assert_eq!(routes, ORIGINATORS as usize, "every OGM is used, ranked and repeated");
    c.bench_function("process one OGM at 200 originators", |b| {
        b.iter_custom(|count| {
            let (mut took, mut done) = (Duration::ZERO, 0);
            while done < count {
                let frames = mesh.interval();
                let part = &frames[..frames.len().min((count - done) as usize)];
                let begun = std::time::Instant::now();
                mesh.hear(part);
                took += begun.elapsed();
                done += part.len() as u64;
            }
            took
        });
    });
    assert!(counters.get(Counter::MgmtTx) > u64::from(WARM_UP), "OGMs were repeated");
}

criterion_group!(benches, ogm);
criterion_main!(benches);
