//! B.A.T.M.A.N. V: a pair, a chain, and a diamond whose way is moved by overrides while traffic flows.

use anyhow::Result;

use super::super::node::{Algorithm, Kind};
use super::super::scene::{Scene, secs};
use super::super::stage::Stage;
use super::pair::mesh_ping;

pub(super) const ABOUT: &str =
    "BATMAN_V: throughput ladder, payload by a relay, overrides move the way";

/// What a veth says of its speed, as tables show it: kbit/s.
const VETH: u32 = 10_000_000;
/// The same behind a relay with a hop penalty of 30 (03-batman-v.md section 18.1).
const VETH_BY_RELAY: u32 = 8_823_500;

pub(super) fn play(stage: &mut Stage) -> Result<()> {
    match stage.kinds.matches('-').count() {
        1 => pair(stage),
        2 => chain(stage),
        _ => diamond(stage),
    }
}

fn pair(stage: &mut Stage) -> Result<()> {
    let mut scene = started(stage, &[(1, 2)])?;
    scene.wait_for_routes(&[1, 2], secs(30))?;
    expect_throughput(&mut scene, "V-22 V-50 V-62 V-91", &[(1, 2), (2, 1)], VETH)?;
    for (from, to) in [(1, 2), (2, 1)] {
        scene.wait_for_ping(from, to, secs(30))?;
        scene.expect_pings("FWD-71", from, to, 56, 20)?;
        scene.expect_pings("FWD-71", from, to, 1400, 20)?;
        mesh_ping(&mut scene, from, to)?;
        scene.expect_broadcasts("FWD-93", from, &[to])?;
        neighbours(&mut scene, from, to)?;
    }
    scene.expect_same_clients("TT-62 TT-79 TT-83", &[1, 2], secs(30))?;
    scene.close()
}

fn chain(stage: &mut Stage) -> Result<()> {
    let mut scene = started(stage, &[(1, 2), (2, 3)])?;
    scene.wait_for_routes(&[1, 2, 3], secs(30))?;
    let direct = [(1, 2), (2, 1), (2, 3), (3, 2)];
    expect_throughput(&mut scene, "V-22 V-50 V-62 V-91", &direct, VETH)?;
    let relayed = [(1, 3), (3, 1)];
    expect_throughput(&mut scene, "V-64 V-65 V-75 V-77", &relayed, VETH_BY_RELAY)?;
    for (from, to) in relayed {
        scene.wait_for_ping(from, to, secs(30))?;
        scene.expect_pings("FWD-71 FWD-72", from, to, 1000, 20)?;
        mesh_ping(&mut scene, from, to)?;
    }
    scene.expect_same_clients("TT-62 TT-79 TT-83", &[1, 2, 3], secs(30))?;
    for (from, to) in [(1, [2, 3]), (2, [1, 3]), (3, [1, 2])] {
        scene.expect_broadcasts("FWD-93 FWD-96 FWD-97", from, &to)?;
    }
    scene.close()
}

/// ```text
///      n2
///    /    \
///  n1      n4
///    \    /
///      n3
/// ```
fn diamond(stage: &mut Stage) -> Result<()> {
    let mut scene = started(stage, &[(1, 2), (1, 3), (2, 4), (3, 4)])?;
    scene.wait_for_routes(&[1, 4], secs(30))?;
    // The way by n2 is slow from now on, then the way by n3 still slower.
    for (relay, other, speed) in [(2, 3, "100mbit"), (3, 2, "10mbit")] {
        let interface = if relay == 2 { 1 } else { 2 };
        for (node, interface) in [(relay, 1), (relay, 2), (1, interface), (4, interface)] {
            set_override(&scene, node, interface, speed)?;
        }
        for (from, to) in [(1, 4), (4, 1)] {
            let waited = scene.wait("the way stays", secs(60), |scene| by(scene, from, to, other));
            let what = format!(
                "V-19 V-30 V-67 {} goes by {} after {} became slow",
                scene.title(from),
                scene.title(other),
                scene.title(relay)
            );
            let seen = waited.as_ref().map_or_else(|e| format!("{e:#}"), |t| format!("{t:?}"));
            scene.record.check(what, waited.is_ok(), seen);
        }
        scene.wait_for_ping(1, 4, secs(30))?;
        scene.expect_pings("FWD-71 FWD-72 V-84", 1, 4, 500, 20)?;
    }
    scene.close()
}

fn started<'s>(stage: &'s mut Stage, links: &[(u8, u8)]) -> Result<Scene<'s>> {
    let mut scene = stage.mesh(links)?;
    scene.set_algorithm(Algorithm::BatmanV);
    scene.start_all()?;
    Ok(scene)
}

/// Whether a node's way to another leads by a relay of the diamond.
fn by(scene: &Scene<'_>, from: u8, to: u8, relay: u8) -> Result<bool> {
    let interface = scene.node(from).interface(if relay == 2 { 1 } else { 2 });
    let route = scene.node(from).route_to(scene.node(to))?;
    Ok(route.is_some_and(|route| route.hard_ifname == interface))
}

/// Waits until tables show exactly this, in kbit/s.
fn expect_throughput(
    scene: &mut Scene<'_>,
    rules: &str,
    pairs: &[(u8, u8)],
    expected: u32,
) -> Result<()> {
    for &(from, to) in pairs {
        let shown = |scene: &Scene<'_>| -> Result<u32> {
            Ok(scene.node(from).route_to(scene.node(to))?.map_or(0, |route| route.throughput))
        };
        let _ = scene.wait("another throughput", secs(30), |scene| Ok(shown(scene)? == expected));
        let seen = shown(scene)?;
        let what =
            format!("{rules} {} reaches {} at {expected}", scene.title(from), scene.title(to));
        scene.record.check(what, seen == expected, format!("{seen} kbit/s"));
    }
    Ok(())
}

fn neighbours(scene: &mut Scene<'_>, from: u8, to: u8) -> Result<()> {
    let address = scene.node(to).address(1);
    let rows = scene.node(from).neighbors()?;
    let row = rows.iter().find(|row| row.neigh_address == address);
    let what = format!("V-32 V-92 {} shows the link to {}", scene.title(from), scene.title(to));
    let passed = row.is_some_and(|row| row.throughput == VETH);
    scene.record.check(what, passed, format!("{row:?}"));
    Ok(())
}

fn set_override(scene: &Scene<'_>, number: u8, interface: u8, speed: &str) -> Result<()> {
    let node = scene.node(number);
    let interface = node.interface(interface);
    match node.kind {
        Kind::Kernel => node.bare_tool(&["hardif", &interface, "throughput_override", speed])?,
        Kind::Noctule => {
            node.tool(&["set", "throughput_override", speed, "--interface", &interface])?
        }
    }
    .success()?;
    Ok(())
}
