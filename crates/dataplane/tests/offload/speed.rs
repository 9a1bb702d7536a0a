//! How fast the program is: figures, never a pass or a failure.
//!
//! `cargo test --release -p noctule-dataplane --test offload -- --ignored --nocapture speed`

use super::links::{NEXT, US, fill, load, packet};
use super::netns::{isolated, link};
use super::test_run;
use noctule_dataplane::offload::{Hook, Tables};
use noctule_dataplane::packet::{self, PacketSettings, Transmitter};
use noctule_wire::Mac;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

const ROUNDS: usize = 5;
const SECOND: Duration = Duration::from_secs(1);
const BATCH: usize = 64;

/// Nanoseconds of this processor for each frame that is sent into a veth, with all that becomes of it: veth hands a frame over
/// on the processor that sends it.
fn nanoseconds(source: &mut Transmitter, frame: &[u8]) -> f64 {
    let (start, mut sent) = (Instant::now(), 0);
    while start.elapsed() < SECOND {
        for _ in 0..BATCH {
            source.push(0, &[frame]).unwrap();
        }
        sent += source.flush().unwrap().sent;
    }
    start.elapsed().as_nanos() as f64 / f64::from(sent)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[test]
#[ignore = "a measurement"]
fn transit() {
    isolated("speed::transit", || {
        link::veth("near", "in");
        link::veth("out", "far");
        link::set_mac("in", US);
        link::add("bridge", "bridge").unwrap();
        link::set_up("bridge", true);
        let Some(mut transit) = load(Hook::Best) else { return };
        fill(&mut transit, "in", "out", NEXT);
        let index = link::index("in");
        let settings = PacketSettings::default();
        let (_, mut source) = packet::open(link::index("near"), 1500, &settings).unwrap();
        let mut frame = packet();
        let program = transit.program().unwrap().try_clone_to_owned().unwrap();
        // To ourselves, so that each run finds what the last one left, until the TTL is spent.
        fill(&mut transit, "in", "out", Mac(US));
        frame[16] = 255;
        let alone: Vec<f64> = (0..ROUNDS * 200)
            .map(|_| test_run::nanoseconds(program.as_fd(), index, 250, &frame).unwrap())
            .map(f64::from)
            .collect();
        println!("the program alone: {:.0} ns", median(alone));
        fill(&mut transit, "in", "out", NEXT);
        frame[16] = 50;
        for len in [64, 512, 1400] {
            frame.resize(len, 0x5a);
            let [mut alone, mut offloaded, mut bridged] = [const { Vec::new() }; 3];
            for _ in 0..ROUNDS {
                alone.push(nanoseconds(&mut source, &frame));
                transit.attach(index, "in").unwrap();
                offloaded.push(nanoseconds(&mut source, &frame));
                transit.detach(index);
                link::set_master("in", Some("bridge"));
                link::set_master("out", Some("bridge"));
                bridged.push(nanoseconds(&mut source, &frame_for_a_bridge(&frame)));
                link::set_master("in", None);
                link::set_master("out", None);
            }
            let [alone, offloaded, bridged] = [alone, offloaded, bridged].map(median);
            println!(
                "{len} bytes: sender alone {alone:.0} ns, through the program {offloaded:.0} ns, through a bridge {bridged:.0} ns: {:.2} times the bridge's frames",
                (bridged - alone) / (offloaded - alone)
            );
        }
        transit.set_arrival(index, None).unwrap();
        transit.remove();
    });
}

/// The same, for somebody behind the bridge whom it does not know: out of the other port.
fn frame_for_a_bridge(frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    frame[..6].copy_from_slice(&NEXT.0);
    frame
}
