//! From nothing: how soon the first ping and the first broadcast pass.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::super::scene::{median, seconds, secs, spread};
use super::super::stage::Stage;

pub(super) const ABOUT: &str = "two neighbours start: the time until the first ping passes";
pub(super) const ABOUT_BROADCAST: &str =
    "two neighbours start with the kernel's defaults: how long broadcast is held back";

/// How often each pair is started in a test.
const ROUNDS: u32 = 3;
/// The kernel's default, which is Noctule's too.
const DEFAULT_INTERVAL_MS: u32 = 1000;
/// What a busy machine may add to one of the times.
const SLACK: Duration = Duration::from_millis(500);
/// How often the host asks for an address that nobody has told it, in milliseconds. With the usual second the time would
/// be that of ARP: a request that comes a moment too early costs a second.
const ARP_RETRANSMISSION: &str = "100";

pub(super) fn play(stage: &mut Stage) -> Result<()> {
    let kinds = ["K-K", "N-N", "K-N"];
    let mut times = [const { Vec::new() }; 3];
    // By turns, so that whatever else the machine does meets all of them.
    for _ in 0..stage.rounds(ROUNDS) {
        for (kinds, times) in kinds.into_iter().zip(&mut times) {
            times.push(first_ping(stage, kinds)?);
        }
    }
    for (kinds, times) in kinds.into_iter().zip(&mut times) {
        stage.record.figure(format!("{kinds}: first ping after"), spread(times));
    }
    let [kernel, noctule, _] = times.map(|times| median(&times));
    stage.record.check(
        "the first ping between two Noctule nodes passes no later than between two kernel nodes",
        noctule <= kernel + SLACK,
        format!("medians: N-N {}, K-K {}", seconds(noctule), seconds(kernel)),
    );
    Ok(())
}

fn first_ping(stage: &mut Stage, kinds: &str) -> Result<Duration> {
    let mut scene = stage.mesh_of(kinds, &[(1, 2)])?;
    scene.set_interval(DEFAULT_INTERVAL_MS);
    let begun = Instant::now();
    scene.start_all()?;
    for number in [1, 2] {
        let setting = "net.ipv4.neigh.bat0.retrans_time_ms";
        scene.node(number).space().set_sysctl(setting, ARP_RETRANSMISSION)?;
    }
    let took = scene
        .node(1)
        .first_ping(scene.node(2), begun, secs(60))?
        .with_context(|| format!("{kinds}: no ping passed within 60 s"))?;
    scene.close()?;
    Ok(took)
}

/// Broadcasts from the first moment on, at three pairs at the same time: two kernel nodes with their
/// defaults (bridge loop avoidance on), two Noctule nodes, and one of each.
pub(super) fn first_broadcast(stage: &mut Stage) -> Result<()> {
    let pairs = [("K-K", 1), ("N-N", 3), ("K-N", 5)];
    let mut scene = stage.mesh_of("K-K-N-N-K-N", &[(1, 2), (3, 4), (5, 6)])?;
    scene.set_interval(DEFAULT_INTERVAL_MS);
    for number in [1, 2, 5] {
        scene.node_mut(number).settings.bridge_loop_avoidance = true;
    }
    scene.start_all()?;
    for (_, first) in pairs {
        scene.wait_for_routes(&[first, first + 1], secs(30))?;
    }
    let end = Arc::new(AtomicBool::new(false));
    let mut senders = Vec::new();
    let mut listeners = Vec::new();
    for (_, first) in pairs {
        listeners.push(listen(scene.udp(first + 1, PORT)?, end.clone()));
        senders.push(scene.udp(first, PORT)?);
    }
    let begun = Instant::now();
    while begun.elapsed() < WATCHED {
        for sender in &senders {
            // A host that refuses the broadcast shows as a gap.
            let _ = sender.send_to(b"noctule", ("10.99.0.255", PORT));
        }
        sleep(Duration::from_millis(100));
    }
    let ended = Instant::now();
    end.store(true, Ordering::Relaxed);
    let mut gaps = Vec::new();
    for ((kinds, _), listener) in pairs.into_iter().zip(listeners) {
        let times = listener.join().map_err(|_| anyhow::anyhow!("the listener panicked"))?;
        let gap = longest_gap(begun, &times, ended);
        let what = format!("{kinds}: longest time without a broadcast");
        scene.record.figure(what, format!("{} ({} arrived)", seconds(gap), times.len()));
        gaps.push(gap);
    }
    scene.record.check(
        "FWD-38 two Noctule nodes hold no broadcast back; two kernel nodes do for about 30 s",
        gaps[1] < secs(5),
        format!("N-N {}, K-K {}", seconds(gaps[1]), seconds(gaps[0])),
    );
    scene.close()
}

/// How long broadcasts are watched: the kernel's silence ends about 32 s after it begins.
const WATCHED: Duration = secs(45);
const PORT: u16 = 9000;

/// The longest time without an arrival between two instants.
fn longest_gap(begun: Instant, arrivals: &[Instant], ended: Instant) -> Duration {
    let mut last = begun;
    let mut longest = Duration::ZERO;
    for &arrival in arrivals.iter().chain([&ended]) {
        longest = longest.max(arrival.saturating_duration_since(last));
        last = arrival;
    }
    longest
}

/// Notes when datagrams arrive.
fn listen(socket: UdpSocket, end: Arc<AtomicBool>) -> thread::JoinHandle<Vec<Instant>> {
    thread::spawn(move || {
        let mut times = Vec::new();
        let mut buffer = [0; 64];
        let _ = socket.set_read_timeout(Some(Duration::from_millis(100)));
        while !end.load(Ordering::Relaxed) {
            if socket.recv(&mut buffer).is_ok() {
                times.push(Instant::now());
            }
        }
        times
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_may_lie_at_either_end() {
        let begun = Instant::now();
        let at = |ms| begun + Duration::from_millis(ms);
        assert_eq!(longest_gap(begun, &[at(700), at(800)], at(900)), Duration::from_millis(700));
        assert_eq!(longest_gap(begun, &[at(100), at(200)], at(900)), Duration::from_millis(700));
        assert_eq!(longest_gap(begun, &[], at(900)), Duration::from_millis(900));
    }
}
