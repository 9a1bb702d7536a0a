//! A node's first interface goes down while a second link is up.
//!
//! A kernel node falls silent then: its primary interface is gone, it sends no OGM that carries its
//! name any more, and its neighbours keep sending to the dead path. A Noctule node goes on by its
//! other link.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::super::scene::{seconds, secs};
use super::super::stage::Stage;
use crate::lab::Set;

pub(super) const ABOUT: &str = "a node's first interface goes down: the kernel falls silent, Noctule goes on by its second link";

/// How long traffic is watched after the interface went down.
const WATCHED: Duration = secs(12);
/// What a Noctule node may need: some OGM intervals of 200 ms.
const ENOUGH: Duration = secs(6);

pub(super) fn play(stage: &mut Stage) -> Result<()> {
    for kinds in ["K-K", "N-N", "N-K"] {
        let outcome = one(stage, kinds)?;
        let what = format!("{kinds}: n1's first interface goes down; pings to n2 flow again after");
        let shown = outcome.recovery.map_or("never".to_owned(), seconds);
        let lost = format!("{shown} ({} of {} lost)", outcome.lost.0, outcome.lost.1);
        stage.record.figure(what, &lost);
        if kinds.contains('N') {
            stage.record.check(
                format!("{kinds}: a Noctule node goes on by its second interface"),
                outcome.recovery.is_some_and(|took| took < ENOUGH),
                lost,
            );
        }
    }
    Ok(())
}

struct Outcome {
    recovery: Option<Duration>,
    lost: (usize, usize),
}

fn one(stage: &mut Stage, kinds: &str) -> Result<Outcome> {
    let mut scene = stage.mesh_of(kinds, &[(1, 2), (1, 2)])?;
    scene.start_all()?;
    scene.wait_for_routes(&[1, 2], secs(30))?;
    for (at, of) in [(1, 2), (2, 1)] {
        scene.wait("both ways are not known well", secs(60), |scene| {
            let primary = scene.node(of).originator();
            let rows = scene.node(at).originators()?;
            Ok(rows.iter().filter(|row| row.orig_address == primary && row.tq >= 200).count() >= 2)
        })?;
    }
    scene.wait_for_ping(1, 2, secs(30))?;
    let pings = scene.node(1).echo(scene.node(2))?.stream(Duration::from_millis(100));
    sleep(secs(1));
    let name = scene.node(1).interface(1);
    scene.record.step(format!("{kinds}: {name} goes down"));
    let down = Instant::now();
    scene.node(1).space().set_link(&name, &[Set::Down])?;
    sleep(WATCHED);
    scene.nobody_died()?;
    scene.show_tables();
    let log = pings.stop()?;
    let outcome =
        Outcome { recovery: log.recovery(down, 10), lost: log.lost(down, down + WATCHED) };
    scene.record.step(format!("{kinds}: {name} comes up again"));
    scene.node(1).space().set_link(&name, &[Set::Up])?;
    scene.wait_for_ping(1, 2, secs(60))?;
    scene.close()?;
    Ok(outcome)
}
