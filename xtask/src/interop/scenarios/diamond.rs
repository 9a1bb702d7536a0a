//! A relay dies without a word, and traffic finds the other way.
//!
//! ```text
//!      n2
//!    /    \
//!  n1      n4      the way by n3 is the worse one: its hop penalty is 60
//!    \    /
//!      n3
//! ```

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::super::scene::{Scene, median, seconds, secs, spread};
use super::super::stage::Stage;

pub(super) const ABOUT: &str = "a relay of a diamond dies: the time until traffic flows again";

const LINKS: [(u8, u8); 4] = [(1, 2), (1, 3), (2, 4), (3, 4)];
/// Everything that has to be cut to silence n2: (node, interface).
const AROUND_N2: [(u8, u8); 4] = [(2, 1), (2, 2), (1, 1), (4, 1)];
/// How often the relay dies in each diamond of a test.
const DEATHS: u32 = 2;
/// Own OGMs of all nodes: IV-76 counts the time in these.
const INTERVAL: Duration = Duration::from_millis(200);

pub(super) fn play(stage: &mut Stage) -> Result<()> {
    let kinds = ["K-K-K-K", "N-N-N-N", stage.kinds];
    let mut times = Vec::new();
    for kinds in kinds {
        times.push(one(stage, kinds)?);
    }
    for (kinds, times) in kinds.into_iter().zip(&times) {
        stage.record.figure(format!("{kinds}: rerouted after"), spread(times));
    }
    // The phase of the OGMs at the death alone moves the time by an interval or two.
    let slack = 3 * INTERVAL;
    let kernel = median(&times[0]);
    for (kinds, times) in kinds.into_iter().zip(&times).skip(1) {
        stage.record.check(
            format!("IV-76 {kinds} reroutes no slower than K-K-K-K"),
            median(times) <= kernel + slack,
            format!("medians: {}, the kernel's {}", seconds(median(times)), seconds(kernel)),
        );
    }
    Ok(())
}

/// Builds a diamond and lets n2 die in it; the time of each reroute.
fn one(stage: &mut Stage, kinds: &str) -> Result<Vec<Duration>> {
    let deaths = stage.rounds(DEATHS);
    let mut scene = stage.mesh_of(kinds, &LINKS)?;
    scene.record.step(format!("a diamond of {kinds}"));
    scene.set_interval(INTERVAL.as_millis() as u32);
    scene.node_mut(3).settings.hop_penalty = 60;
    scene.start_all()?;
    scene.wait_for_routes(&[1, 4], secs(30))?;
    let mut times = Vec::new();
    for _ in 0..deaths {
        times.push(death(&mut scene)?);
    }
    scene.close()?;
    Ok(times)
}

fn death(scene: &mut Scene<'_>) -> Result<Duration> {
    let by = |scene: &Scene<'_>, from: u8, to: u8, relay: u8| -> Result<bool> {
        let interface = scene.node(from).interface(if relay == 2 { 1 } else { 2 });
        let route = scene.node(from).route_to(scene.node(to))?;
        Ok(route.is_some_and(|route| route.hard_ifname == interface && route.tq >= 150))
    };
    scene.wait("n1 and n4 do not use n2", secs(60), |scene| {
        Ok(by(scene, 1, 4, 2)? && by(scene, 4, 1, 2)? && windows_full(scene)?)
    })?;
    scene.wait_for_ping(1, 4, secs(30))?;
    let pings = scene.node(1).echo(scene.node(4))?.stream(Duration::from_millis(50));
    sleep(secs(1));
    let died = Instant::now();
    scene.cut(&AROUND_N2)?;
    scene.wait("n1 and n4 do not use n3", secs(30), |scene| {
        Ok(by(scene, 1, 4, 3)? && by(scene, 4, 1, 3)?)
    })?;
    sleep(secs(2));
    let log = pings.stop()?;
    let took = log.recovery(died, 10).context("pings never came back")?;
    let (lost, _) = log.lost(died, died + secs(20));
    scene
        .record
        .figure("traffic flows again after", format!("{}, {lost} pings lost", seconds(took)));
    let rules = "IV-67 IV-76";
    let what = format!("{rules} the reroute takes about five OGMs, not the time-out of 200 s");
    scene.record.check(what, took < secs(10), seconds(took));
    scene.mend(&AROUND_N2)?;
    Ok(took)
}

/// Both ways are known with full windows, so that a death finds the same state each time.
fn windows_full(scene: &Scene<'_>) -> Result<bool> {
    for (from, to) in [(1, 4), (4, 1)] {
        let address = scene.node(to).originator();
        let rows = scene.node(from).originators()?;
        let mut qualities: Vec<_> =
            rows.iter().filter(|row| row.orig_address == address).map(|row| row.tq).collect();
        qualities.sort_unstable();
        if qualities.len() < 2 || qualities[0] < 175 || qualities[1] < 210 {
            return Ok(false);
        }
    }
    Ok(true)
}
