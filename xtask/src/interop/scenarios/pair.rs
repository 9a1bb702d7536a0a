//! Two neighbours: routes, clients, payload, mesh ICMP and counters agree on both sides.

use std::thread::sleep;

use anyhow::Result;

use super::super::scene::{Scene, secs};
use super::super::stage::Stage;

pub(super) const ABOUT: &str = "two neighbours see each other's routes, clients and counters";

pub(super) fn play(stage: &mut Stage) -> Result<()> {
    let mut scene = stage.mesh(&[(1, 2)])?;
    scene.start_all()?;
    scene.wait_for_routes(&[1, 2], secs(20))?;
    let took = scene.wait_for_ping(1, 2, secs(20))?;
    scene.record.figure("first ping after the routes", super::super::scene::seconds(took));
    scene.expect_pings("FWD-39 FWD-121", 1, 2, 56, 20)?;
    scene.expect_pings("FWD-39 FWD-121", 2, 1, 1400, 20)?;
    for (from, to) in [(1, 2), (2, 1)] {
        let address = scene.node(to).ip();
        scene.expect_tcp("FWD-48 FWD-114", from, to, address);
    }
    scene.expect_same_clients("TT-56 TT-79 TT-83", &[1, 2], secs(20))?;
    neighbours(&mut scene)?;
    payload_counters(&mut scene)?;
    control_counters(&mut scene)?;
    mesh_ping(&mut scene, 1, 2)?;
    mesh_ping(&mut scene, 2, 1)?;
    scene.expect_tq("IV-64 IV-109", &[(1, 2), (2, 1)], 251..=255, secs(60))?;
    scene.close()
}

/// Each lists exactly the other's interface.
fn neighbours(scene: &mut Scene<'_>) -> Result<()> {
    for (at, of) in [(1, 2), (2, 1)] {
        let rows = scene.node(at).neighbors()?;
        let expected = [(scene.node(at).interface(1), scene.node(of).address(1))];
        let seen: Vec<_> =
            rows.iter().map(|row| (row.hard_ifname.clone(), row.neigh_address.clone())).collect();
        let age = rows.iter().map(|row| row.last_seen_msecs).max().unwrap_or(u64::MAX);
        let what = format!("IV-105 {} lists the neighbour {}", scene.title(at), scene.title(of));
        scene.record.check(what, seen == expected && age < 5000, format!("{age} ms ago"));
    }
    Ok(())
}

/// Twenty pings move the payload counters of both nodes by twenty frames and their bytes.
fn payload_counters(scene: &mut Scene<'_>) -> Result<()> {
    let before = [scene.node(1).statistics()?, scene.node(2).statistics()?];
    scene.expect_pings("FWD-140", 1, 2, 100, 20)?;
    let after = [scene.node(1).statistics()?, scene.node(2).statistics()?];
    for (number, (before, after)) in (1..).zip(before.iter().zip(&after)) {
        let grown = |name: &str| after.get(name).unwrap_or(&0) - before.get(name).unwrap_or(&0);
        // 20 frames of 142 bytes, and perhaps an ARP exchange (42 bytes a frame).
        let frames =
            grown("tx") >= 20 && grown("tx") <= 24 && grown("rx") >= 20 && grown("rx") <= 24;
        let bytes = grown("tx_bytes") == 20 * 142 + (grown("tx") - 20) * 42
            && grown("rx_bytes") == 20 * 142 + (grown("rx") - 20) * 42;
        let seen = format!(
            "tx {} rx {} tx_bytes {} rx_bytes {}",
            grown("tx"),
            grown("rx"),
            grown("tx_bytes"),
            grown("rx_bytes")
        );
        let what = format!("FWD-40 FWD-121 {} counts the payload", scene.title(number));
        scene.record.check(what, frames && bytes, seen);
    }
    Ok(())
}

/// On a link without loss every frame of OGMs that one node counts as sent, the other counts as
/// received.
fn control_counters(scene: &mut Scene<'_>) -> Result<()> {
    for (from, to) in [(1, 2), (2, 1)] {
        // The two counters cannot be read at the same instant: the receiver's is read before and
        // after the sender's.
        let read = |scene: &Scene<'_>| -> Result<[u64; 3]> {
            let received = |scene: &Scene<'_>| scene.node(to).counter("mgmt_rx");
            let earlier = received(scene)?;
            Ok([earlier, scene.node(from).counter("mgmt_tx")?, received(scene)?])
        };
        let before = read(scene)?;
        sleep(secs(2));
        let after = read(scene)?;
        let sent = after[1] - before[1];
        let least = after[0].saturating_sub(before[2]);
        let most = after[2] - before[0];
        let what = format!(
            "IV-34 IV-35 what {} counts as OGM frames sent, {} counts as received",
            scene.title(from),
            scene.title(to)
        );
        // A frame may be under way at either end.
        let passed = sent >= 8 && sent + 2 >= least && sent <= most + 2;
        let seen = format!("{sent} sent, {least} to {most} received");
        scene.record.check(what, passed, seen);
    }
    Ok(())
}

/// `batctl ping` or `noctule ping`.
pub(super) fn mesh_ping(scene: &mut Scene<'_>, from: u8, to: u8) -> Result<()> {
    let target = scene.node(to).originator();
    let printed = scene.node(from).tool(&["ping", "-c", "3", &target])?;
    let answered = printed.text.lines().find(|line| line.contains("packets transmitted"));
    let passed = printed.status == Some(0)
        && answered.is_some_and(|line| line.contains("3 received, 0% packet loss"));
    let what = format!(
        "ICMP-10 ICMP-25 `{} ping` from {} is answered by {}",
        scene.node(from).tool_name(),
        scene.title(from),
        scene.title(to)
    );
    let seen = answered.map_or_else(|| format!("{printed:?}"), str::to_owned);
    scene.record.check(what, passed, seen);
    Ok(())
}
