//! How fast the backend is: figures for `docs/performance.md`, never a pass or a failure.
//!
//! `cargo test --release -p noctule-dataplane --test packet_ring -- --ignored --nocapture speed`

use crate::netns::{isolated, link};
use crate::support::{HEADER, veth};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::time::TimeValLike;
use nix::time::{ClockId, clock_gettime};
use noctule_dataplane::packet::{self, PacketSettings};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Frames taken before they are sent on.
const BATCH: usize = 64;

/// Nanoseconds of processor time that this thread has used, the kernel's work for it included.
fn cpu_ns() -> i64 {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().num_nanoseconds()
}

fn frame_of(len: usize) -> Vec<u8> {
    let mut frame: Vec<u8> = HEADER.into();
    frame.resize(len, 0x5a);
    frame
}

/// One thread receives on one veth and sends by another; a second floods it.
#[test]
#[ignore = "a measurement"]
fn relay() {
    isolated("speed::relay", || {
        veth("pa", "pb");
        veth("pc", "pd");
        for len in [100, 1514] {
            relay_of(len);
        }
    });
}

fn relay_of(len: usize) {
    let (mut receiver, _) =
        packet::open(link::index("pb"), 1500, &PacketSettings::default()).unwrap();
    let (_, mut out) = packet::open(link::index("pc"), 1500, &PacketSettings::default()).unwrap();
    let (_, mut source) =
        packet::open(link::index("pa"), 1500, &PacketSettings::default()).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let bytes = frame_of(len);
            while !stop.load(Ordering::Relaxed) {
                for _ in 0..BATCH {
                    source.push(0, &[&bytes]).unwrap();
                }
                source.flush().unwrap();
            }
        });
        let (start, cpu_start) = (Instant::now(), cpu_ns());
        let mut sent = 0_u64;
        while start.elapsed() < Duration::from_secs(3) {
            let mut fds = [PollFd::new(receiver.as_fd(), PollFlags::POLLIN)];
            poll(&mut fds, PollTimeout::from(100_u8)).unwrap();
            for _ in 0..BATCH {
                let Some(mut bytes) = receiver.next_frame() else { break };
                bytes[5] ^= 1;
                out.push(0, &[&bytes]).unwrap();
            }
            sent += u64::from(out.flush().unwrap().sent);
        }
        let seconds = start.elapsed().as_secs_f64();
        stop.store(true, Ordering::Relaxed);
        println!(
            "relay, {len} bytes: {:.0} frames/s, {:.0} ns of CPU per frame",
            sent as f64 / seconds,
            (cpu_ns() - cpu_start) as f64 / sent as f64,
        );
    });
}

/// One thread sends into a veth whose other end throws the frames away, and one takes what was put there before.
#[test]
#[ignore = "a measurement"]
fn one_way() {
    isolated("speed::one_way", || {
        veth("pa", "pb");
        for len in [100, 1514] {
            for batch in [1, 8, 64] {
                sending(len, batch);
            }
            receiving(len);
        }
    });
}

fn sending(len: usize, batch: usize) {
    let (_, mut out) = packet::open(link::index("pa"), 1500, &PacketSettings::default()).unwrap();
    let bytes = frame_of(len);
    let rounds = 500_000 / batch;
    let start = cpu_ns();
    for _ in 0..rounds {
        for _ in 0..batch {
            out.push(0, &[&bytes]).unwrap();
        }
        out.flush().unwrap();
    }
    let ns = (cpu_ns() - start) as f64 / (rounds * batch) as f64;
    println!("sending, {len} bytes, batches of {batch}: {ns:.0} ns a frame");
}

fn receiving(len: usize) {
    let settings = PacketSettings { rx_frames: 4096, ..PacketSettings::default() };
    let (mut receiver, _) = packet::open(link::index("pb"), 1500, &settings).unwrap();
    let (_, mut source) = packet::open(link::index("pa"), 1500, &settings).unwrap();
    let bytes = frame_of(len);
    let (mut taken, mut spent, mut sum) = (0_u32, 0_i64, 0_u64);
    for _ in 0..100 {
        for _ in 0..4096 / BATCH {
            for _ in 0..BATCH {
                source.push(0, &[&bytes]).unwrap();
            }
            source.flush().unwrap();
        }
        let start = cpu_ns();
        while let Some(frame) = receiver.next_frame() {
            sum += u64::from(frame[13]);
            taken += 1;
        }
        spent += cpu_ns() - start;
    }
    assert_eq!(sum, 5 * u64::from(taken));
    let ns = spent as f64 / f64::from(taken);
    println!("taking from the ring, {len} bytes: {ns:.1} ns a frame ({taken} frames)");
}

/// From just before a frame is sent by one thread until another, asleep in poll(2), has it.
#[test]
#[ignore = "a measurement"]
fn latency() {
    isolated("speed::latency", || {
        veth("pa", "pb");
        let (mut receiver, _) =
            packet::open(link::index("pb"), 1500, &PacketSettings::default()).unwrap();
        let (_, mut out) =
            packet::open(link::index("pa"), 1500, &PacketSettings::default()).unwrap();
        let start = Instant::now();
        let count = 3000;
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for _ in 0..count {
                    std::thread::sleep(Duration::from_micros(1000));
                    let sent_at = start.elapsed().as_nanos() as u64;
                    out.push(0, &[&HEADER, &sent_at.to_be_bytes()]).unwrap();
                    out.flush().unwrap();
                }
            });
            let mut waits = Vec::with_capacity(count);
            while waits.len() < count {
                let mut fds = [PollFd::new(receiver.as_fd(), PollFlags::POLLIN)];
                poll(&mut fds, PollTimeout::from(5000_u16)).unwrap();
                while let Some(frame) = receiver.next_frame() {
                    let now = start.elapsed().as_nanos() as u64;
                    let stamp = frame[14..].first_chunk().unwrap();
                    waits.push(now - u64::from_be_bytes(*stamp));
                }
            }
            waits.sort_unstable();
            let us = |per_mille: usize| waits[(count - 1) * per_mille / 1000] / 1000;
            println!("latency: p50 {} µs, p99 {} µs, p99.9 {} µs", us(500), us(990), us(999));
        });
    });
}
