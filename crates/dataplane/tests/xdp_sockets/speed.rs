//! How fast the backends are beside each other: figures for `docs/performance.md`, never a pass or a failure.
//!
//! `cargo test --release -p noctule-dataplane --test xdp_sockets -- --ignored --nocapture speed`

use crate::ends::{GENERIC, Link, NATIVE, RING, open, veth};
use crate::netns::{isolated, link};
use crate::support::HEADER;
use nix::sys::time::TimeValLike;
use nix::time::{ClockId, clock_gettime};
use noctule_dataplane::packet::PacketSettings;
use noctule_dataplane::xdp::XdpSettings;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Frames taken before they are sent on.
const BATCH: usize = 64;
const ROUNDS: usize = 3;
const TIME: Duration = Duration::from_secs(1);

/// Nanoseconds of processor time that this thread has used, the kernel's work for it included.
fn cpu_ns() -> i64 {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().num_nanoseconds()
}

fn opened(name: &str, asked: Option<XdpSettings>) -> Link {
    let link = open(link::index(name), 1500, &PacketSettings::default(), asked).unwrap();
    assert_eq!(link.because, None);
    link
}

/// One thread receives on one veth and sends by another; a second floods it.
#[test]
#[ignore = "a measurement"]
fn relay() {
    isolated("speed::relay", || {
        veth("pa", "pb");
        veth("pc", "pd");
        for name in ["pa", "pb", "pc", "pd"] {
            crate::ends::take_tags(name, false);
        }
        for len in [64, 1400] {
            for _ in 0..ROUNDS {
                for (way, asked) in [
                    ("packet", None),
                    ("native", Some(NATIVE)),
                    ("native, transmit ring", Some(RING)),
                    ("generic", Some(GENERIC)),
                ] {
                    relay_of(len, way, asked);
                }
            }
        }
    });
}

fn relay_of(len: usize, way: &str, asked: Option<XdpSettings>) {
    let mut from = opened("pb", asked);
    let mut to = opened("pc", asked);
    let mut source = opened("pa", None);
    let stop = AtomicBool::new(false);
    let mut bytes: Vec<u8> = HEADER.into();
    bytes.resize(len, 0x5a);
    std::thread::scope(|scope| {
        let stop = &stop;
        let flood = scope.spawn(move || {
            let (mut sent, start) = (0_u64, Instant::now());
            while !stop.load(Ordering::Relaxed) {
                for _ in 0..BATCH {
                    source.transmitter.push(0, &[&bytes]).unwrap();
                }
                sent += u64::from(source.transmitter.flush().unwrap().sent);
            }
            sent as f64 / start.elapsed().as_secs_f64()
        });
        let (start, cpu_start) = (Instant::now(), cpu_ns());
        let mut taken = 0_u64;
        while start.elapsed() < TIME {
            let mut more = false;
            for _ in 0..BATCH {
                let Some(frame) = from.receiver.next_frame() else { break };
                if to.transmitter.push(0, &[&frame]).is_err() {
                    drop(frame);
                    break;
                }
                more = true;
                taken += 1;
            }
            let _ = to.transmitter.flush();
            if !more {
                crate::ends::wait_within(&from.receiver, Duration::from_millis(100));
            }
        }
        let cpu = cpu_ns() - cpu_start;
        let seconds = start.elapsed().as_secs_f64();
        stop.store(true, Ordering::Relaxed);
        let offered = flood.join().unwrap();
        let sent = to.transmitter.counters().sent;
        println!(
            "{way:22} {len:5} B: {:8.0} frames/s relayed ({offered:8.0} offered, {:8.0} taken), {:5.0} ns of this thread a frame",
            sent as f64 / seconds,
            taken as f64 / seconds,
            cpu as f64 / sent.max(1) as f64,
        );
    });
}
