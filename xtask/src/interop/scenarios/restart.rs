//! A node restarts: its sequence numbers jump, its tables are empty.
//!
//! The node in the middle restarts, so that both ends see the same restart at the same time.

use std::thread::sleep;
use std::time::Instant;

use anyhow::Result;

use super::super::node::Kind;
use super::super::scene::{Scene, seconds, secs};
use super::super::stage::Stage;

pub(super) const ABOUT: &str =
    "the middle node of a chain restarts: the time until it is reached again";

/// The protection of IV-42 lasts 30 s from the first sequence number heard; beyond it everybody
/// accepts the restarted node.
const LATEST: u64 = 45;
/// With a start value from the clock (IV-112) no neighbour protects itself.
const WITH_CLOCK: u64 = 12;

pub(super) fn play(stage: &mut Stage) -> Result<()> {
    let mut scene = stage.mesh(&[(1, 2), (2, 3)])?;
    scene.start_all()?;
    let started = Instant::now();
    scene.wait_for_routes(&[1, 2, 3], secs(30))?;
    for end in [1, 3] {
        scene.wait_for_ping(end, 2, secs(30))?;
    }
    scene.wait("the chain has not been up for 10 s", secs(20), |_| {
        Ok(started.elapsed() >= secs(10))
    })?;

    let middle = scene.title(2);
    scene.record.step(format!("{middle} restarts {} after its start", seconds(started.elapsed())));
    scene.node_mut(2).stop()?;
    sleep(secs(1));
    let restarted = Instant::now();
    // The new host behind it knows no addresses: its first broadcasts must pass (FWD-161).
    scene.start(2)?;
    let mut reached = [None; 2];
    scene.wait("a node does not reach the restarted one", secs(LATEST + 20), |scene| {
        for (at, end) in [1, 3].into_iter().enumerate() {
            if reached[at].is_none() && scene.node(end).ping(scene.node(2), 56)?.is_some() {
                reached[at] = Some(restarted.elapsed());
            }
        }
        Ok(reached.iter().all(Option::is_some))
    })?;
    for (at, end) in [1, 3].into_iter().enumerate() {
        let took = reached[at].unwrap_or_default();
        let what = format!("{} pings the restarted {middle} after", scene.title(end));
        scene.record.figure(what, seconds(took));
    }
    verdict(&mut scene, reached.map(Option::unwrap_or_default).map(|took| took.as_secs_f64()));
    scene.wait_for_ping(1, 3, secs(30))?;
    scene.expect_pings("IV-42 FWD-72 after the restart:", 1, 3, 56, 10)?;
    scene.expect_same_clients("TT-83", &[1, 2, 3], secs(30))?;
    scene.close()
}

fn verdict(scene: &mut Scene<'_>, took: [f64; 2]) {
    let seen = format!("{:.2} s and {:.2} s", took[0], took[1]);
    let slowest = took[0].max(took[1]);
    if scene.node(2).kind == Kind::Noctule {
        let what = "IV-112 FWD-161 a restarted Noctule node is accepted at once, not after 30 s";
        scene.record.check(what, slowest < WITH_CLOCK as f64, seen);
    } else {
        let what = "IV-42 IV-48 a restarted kernel node is accepted when the protection has ended";
        scene.record.check(what, slowest < LATEST as f64, &seen);
        if scene.node(1).kind != scene.node(3).kind {
            let what = "IV-42 Noctule accepts the restarted node no later than the kernel does";
            scene.record.check(what, took[0] <= took[1] + 3.0, seen);
        }
    }
}
