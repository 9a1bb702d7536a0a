//! Two links between two nodes: secondary interfaces, and the way out when one link falls silent.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::super::scene::{Scene, seconds, secs};
use super::super::stage::Stage;

pub(super) const ABOUT: &str = "two links between two nodes, one of which falls silent";

pub(super) fn play(stage: &mut Stage) -> Result<()> {
    // n3 shows which originators are passed on.
    let kinds = format!("{}-K", stage.kinds);
    let mut scene = stage.mesh_of(&kinds, &[(1, 2), (1, 2), (2, 3)])?;
    scene.start_all()?;
    scene.wait_for_routes(&[1, 2, 3], secs(30))?;
    scene.wait_for_ping(1, 3, secs(30))?;
    secondary_interfaces(&mut scene)?;
    scene.expect_same_clients("TT-83", &[1, 2, 3], secs(30))?;
    scene.expect_tq("IV-13 IV-109", &[(1, 2), (2, 1)], 251..=255, secs(60))?;
    scene.expect_pings("FWD-110", 1, 2, 56, 10)?;
    for (from, to) in [(1, [2, 3]), (2, [1, 3]), (3, [1, 2])] {
        scene.expect_broadcasts("FWD-85 FWD-96 two ways:", from, &to)?;
    }
    for interface in [1, 2] {
        silence(&mut scene, interface)?;
    }
    scene.close()
}

/// Both interfaces of the other node are neighbours and originators; beyond, only the primary is.
fn secondary_interfaces(scene: &mut Scene<'_>) -> Result<()> {
    for (at, of) in [(1, 2), (2, 1)] {
        let addresses = BTreeSet::from([1, 2].map(|index| scene.node(of).address(index)));
        scene.wait("a secondary interface is no neighbour", secs(20), |scene| {
            let neighbors: BTreeSet<_> =
                scene.node(at).neighbors()?.into_iter().map(|row| row.neigh_address).collect();
            let originators: BTreeSet<_> =
                scene.node(at).originators()?.into_iter().map(|row| row.orig_address).collect();
            Ok(neighbors.is_superset(&addresses) && originators.is_superset(&addresses))
        })?;
        let what = format!(
            "IV-11 IV-78 IV-92 {} lists both interfaces of {} as neighbours and originators",
            scene.title(at),
            scene.title(of)
        );
        scene.record.check(what, true, "");
    }
    let secondary = scene.node(1).address(2);
    let rows = scene.node(3).originators()?;
    let strangers: Vec<_> = rows.iter().filter(|row| row.orig_address == secondary).collect();
    let what = format!(
        "IV-11 IV-78 {} never hears of the secondary interface of {}: its OGMs have TTL 2",
        scene.title(3),
        scene.title(1)
    );
    scene.record.check(what, strangers.is_empty(), "");
    Ok(())
}

/// Cuts one of the links, and looks how long traffic stands still.
fn silence(scene: &mut Scene<'_>, interface: u8) -> Result<()> {
    scene.wait("both ways are not known well", secs(60), |scene| {
        let primary = scene.node(2).originator();
        let rows = scene.node(1).originators()?;
        Ok(rows.iter().filter(|row| row.orig_address == primary && row.tq >= 240).count() >= 2)
    })?;
    let pings = scene.node(1).echo(scene.node(2))?.stream(Duration::from_millis(50));
    sleep(secs(1));
    let ends = [(1, interface), (2, interface)];
    let cut = Instant::now();
    scene.cut(&ends)?;
    scene.wait("somebody still uses the dead link", secs(30), |scene| {
        let other = 3 - interface;
        for (at, of) in [(1, 2), (2, 1)] {
            let route = scene.node(at).route_to(scene.node(of))?;
            if route.is_none_or(|route| route.hard_ifname != scene.node(at).interface(other)) {
                return Ok(false);
            }
        }
        Ok(true)
    })?;
    sleep(secs(1));
    let log = pings.stop()?;
    let took = log.recovery(cut, 10).context("pings never came back")?;
    let what = format!("IV-76 traffic leaves the dead link {interface} within about five OGMs");
    scene.record.check(what, took < secs(10), seconds(took));
    scene.mend(&ends)
}
