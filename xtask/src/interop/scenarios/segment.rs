//! Three nodes on one Ethernet: everybody hears everybody.

use anyhow::Result;

use super::super::scene::secs;
use super::super::stage::Stage;

pub(super) const ABOUT: &str = "three nodes on one Ethernet: direct routes, every broadcast once";

pub(super) fn play(stage: &mut Stage) -> Result<()> {
    let mut scene = stage.segment()?;
    scene.start_all()?;
    scene.wait_for_routes(&[1, 2, 3], secs(30))?;
    let pairs = [(1, 2), (2, 1), (1, 3), (3, 1), (2, 3), (3, 2)];
    for (from, to) in pairs {
        scene.wait_for_ping(from, to, secs(30))?;
        scene.expect_pings("FWD-39", from, to, 56, 10)?;
    }
    for (from, to) in [(1, [2, 3]), (2, [1, 3]), (3, [1, 2])] {
        scene.expect_broadcasts("FWD-86 FWD-96 FWD-97", from, &to)?;
    }
    scene.expect_same_clients("TT-79 TT-83", &[1, 2, 3], secs(30))?;
    scene.expect_tq("IV-64 IV-109", &pairs, 251..=255, secs(60))?;
    for (from, to) in pairs {
        let route = scene.node(from).route_to(scene.node(to))?;
        let next_hop = route.map(|route| route.neigh_address).unwrap_or_default();
        let what = format!("IV-74 {} reaches {} directly", scene.title(from), scene.title(to));
        scene.record.check(what, next_hop == scene.node(to).address(1), next_hop);
    }
    scene.close()
}
