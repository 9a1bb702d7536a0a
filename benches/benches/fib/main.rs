//! Reads under churn: the FIB's table of clients beside other designs, `cargo bench -p noctule-benches --bench fib`.
//!
//! Criterion has the means. Then a table of what single look-ups take, p50 and p99.9: lots of 16 are timed by the
//! monotonic clock, and each counts as a sixteenth of its time. So what hits one look-up of a lot shows as a sixteenth of
//! it, for all designs alike; what an empty lot takes is printed, too.

mod designs;

use criterion::Criterion;
use designs::{Copied, Design, Locked, Papaya, Reader, Sharded};
use noctule_fib::Writer;
use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// In the table.
const CLIENTS: u32 = 10_000;
/// Look-ups that are timed together.
const LOT: usize = 16;
/// Changes a second.
const RATES: [u32; 3] = [0, 1000, 100_000];
/// The writer makes a thousandth of its changes at once, as an engine does with what an OGM brings.
const PACE: Duration = Duration::from_millis(1);
/// All designs take turns; the median of these counts.
const ROUNDS: usize = 7;
/// How long each is read in a round.
const TURN: Duration = Duration::from_millis(250);

/// Numbers of clients in an order that no cache likes.
struct Walk(u32);

impl Walk {
    fn lot(&mut self) -> [u32; LOT] {
        std::array::from_fn(|_| {
            self.0 = (self.0 + 7919) % CLIENTS;
            self.0
        })
    }
}

/// Makes its changes until it is told to end; returns how many.
fn churn(design: &mut impl Design, rate: u32, done: &AtomicBool) -> u64 {
    let mut lot = vec![0; (rate / 1000) as usize];
    let (mut number, mut changes) = (0, 0);
    let mut due = Instant::now();
    while !done.load(Ordering::Relaxed) {
        if rate != 0 {
            for place in &mut lot {
                number = (number + 6007) % CLIENTS;
                *place = number;
            }
            design.publish(&lot);
            changes += lot.len() as u64;
        }
        due += PACE;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    changes
}

/// Reads until the time is over; nanoseconds of each lot.
fn read(reader: &impl Reader, start: u32, time: Duration) -> Vec<u64> {
    let (mut walk, begun) = (Walk(start), Instant::now());
    let mut samples = Vec::with_capacity(1 << 20);
    while begun.elapsed() < time {
        for _ in 0..64 {
            let lot = walk.lot();
            let before = Instant::now();
            let found = reader.look_up(black_box(&lot));
            let took = before.elapsed();
            assert_eq!(found, LOT, "nobody is ever missing");
            samples.push(took.as_nanos() as u64);
        }
    }
    samples
}

/// What one turn showed: p50 and p99.9 of a look-up in ns, and changes a second.
type Turn = [f64; 3];

fn turn<D: Design>(readers: u32, rate: u32) -> Turn {
    let mut design = D::filled();
    let handles: Vec<_> = (0..readers).map(|_| design.reader()).collect();
    let (done, ready) = (AtomicBool::new(false), Barrier::new(readers as usize + 1));
    thread::scope(|scope| {
        let (done, ready) = (&done, &ready);
        let writer = scope.spawn(move || {
            ready.wait();
            let begun = Instant::now();
            churn(&mut design, rate, done) as f64 / begun.elapsed().as_secs_f64()
        });
        let threads: Vec<_> = handles
            .into_iter()
            .zip(0..)
            .map(|(reader, number)| {
                scope.spawn(move || {
                    ready.wait();
                    read(&reader, number * 5000, TURN)
                })
            })
            .collect();
        let read: Vec<_> = threads.into_iter().map(|thread| thread.join()).collect();
        done.store(true, Ordering::Relaxed);
        let changes = writer.join().expect("the writer does not fail");
        let mut samples: Vec<u64> =
            read.into_iter().flat_map(|samples| samples.expect("no reader fails")).collect();
        let at = |samples: &[u64], share| percentile(samples, share) / LOT as f64;
        samples.sort_unstable();
        [at(&samples, 0.5), at(&samples, 0.999), changes]
    })
}

/// Of sorted samples.
fn percentile(samples: &[u64], share: f64) -> f64 {
    let index = (samples.len() as f64 * share).ceil() as usize;
    samples[index.clamp(1, samples.len()) - 1] as f64
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// A design's name and how it is read.
type Named = (&'static str, fn(u32, u32) -> Turn);

const DESIGNS: [Named; 5] = [
    (Writer::NAME, turn::<Writer>),
    (Locked::NAME, turn::<Locked>),
    (Copied::NAME, turn::<Copied>),
    (Sharded::NAME, turn::<Sharded>),
    (Papaya::NAME, turn::<Papaya>),
];

fn table() {
    let mut empty: Vec<u64> = (0..100_000)
        .map(|_| {
            let before = Instant::now();
            black_box([0_u32; LOT]);
            before.elapsed().as_nanos() as u64
        })
        .collect();
    empty.sort_unstable();
    println!(
        "\nan empty lot takes {:.0} ns, {:.1} ns for each of {LOT} look-ups: that is in all figures",
        percentile(&empty, 0.5),
        percentile(&empty, 0.5) / LOT as f64
    );
    println!("| ns for each look-up | readers | changes a second: wanted, made | p50 | p99.9 |");
    println!("| --- | --- | --- | --- | --- |");
    for readers in [1, 2] {
        for rate in RATES {
            let mut turns = DESIGNS.map(|_| Vec::new());
            for _ in 0..ROUNDS {
                for ((_, turn), turns) in DESIGNS.iter().zip(&mut turns) {
                    turns.push(turn(readers, rate));
                }
            }
            for ((name, _), turns) in DESIGNS.iter().zip(turns) {
                let [p50, p999, changes] =
                    [0, 1, 2].map(|which| median(turns.iter().map(|turn| turn[which]).collect()));
                println!("| {name} | {readers} | {rate}, {changes:.0} | {p50:.0} | {p999:.0} |");
            }
        }
    }
}

fn mean<D: Design>(c: &mut Criterion) {
    let mut group = c.benchmark_group(D::NAME);
    group.sample_size(20).warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_millis(700));
    for rate in RATES {
        let mut design = D::filled();
        let reader = design.reader();
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| churn(&mut design, rate, &done));
            let mut walk = Walk(0);
            group.bench_function(format!("{LOT} look-ups, {rate} changes a second"), |b| {
                b.iter(|| reader.look_up(&walk.lot()));
            });
            done.store(true, Ordering::Relaxed);
        });
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    mean::<Writer>(&mut criterion);
    mean::<Locked>(&mut criterion);
    mean::<Copied>(&mut criterion);
    mean::<Sharded>(&mut criterion);
    mean::<Papaya>(&mut criterion);
    // Without `--bench` benches run once and measure nothing.
    if std::env::args().any(|argument| argument == "--bench") {
        table();
    }
    criterion.final_summary();
}
