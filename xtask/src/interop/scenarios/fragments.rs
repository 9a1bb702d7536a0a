//! Frames of 1,500 bytes over links with an MTU of 1,500, and over one with less.

use anyhow::Result;

use super::super::scene::{Scene, secs};
use super::super::stage::Stage;
use super::super::tables::Statistics;
use crate::lab::Set;

pub(super) const ABOUT: &str = "frames that do not fit: cut, passed on in parts, and put together";

pub(super) fn play(stage: &mut Stage) -> Result<()> {
    let mut scene = stage.mesh(&[(1, 2), (2, 3)])?;
    scene.start_all()?;
    scene.wait_for_routes(&[1, 2, 3], secs(30))?;
    for (from, to) in [(1, 2), (2, 1), (1, 3), (3, 1), (2, 3)] {
        scene.wait_for_ping(from, to, secs(30))?;
    }
    // An IP packet of 1476 bytes fits: 1500 less 10 for the unicast header and 14 for the inner
    // Ethernet header. ICMP and IP headers take 28 of it.
    exchange(&mut scene, "WIRE-53 FWD-113 fits", 1, 2, 1448, Parts::None)?;
    exchange(&mut scene, "WIRE-53 FWD-113 FWD-114 is one byte too long", 1, 2, 1449, Parts::Both)?;
    exchange(
        &mut scene,
        "FWD-114 FWD-117 FWD-119 fills the mesh interface",
        1,
        2,
        1472,
        Parts::Both,
    )?;
    exchange(
        &mut scene,
        "FWD-114 FWD-117 FWD-119 fills the mesh interface",
        2,
        1,
        1472,
        Parts::Both,
    )?;
    scene.expect_pings("FWD-117 IP fragments:", 1, 2, 4000, 5)?;
    relay_passes_parts_on(&mut scene)?;
    relay_with_a_smaller_link(&mut scene)?;
    scene.close()
}

/// Who has to send parts.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Parts {
    /// Nobody.
    None,
    /// Both ends: the request and the answer are too long.
    Both,
}

/// Ten pings between neighbours, and the counters of both.
fn exchange(
    scene: &mut Scene<'_>,
    rules: &str,
    from: u8,
    to: u8,
    payload: usize,
    parts: Parts,
) -> Result<()> {
    let before = [scene.node(from).statistics()?, scene.node(to).statistics()?];
    scene.expect_pings(&format!("{rules}:"), from, to, payload, 10)?;
    let after = [scene.node(from).statistics()?, scene.node(to).statistics()?];
    // Each frame goes as two parts.
    let expected = if parts == Parts::Both { 20 } else { 0 };
    for (number, (before, after)) in [from, to].into_iter().zip(before.iter().zip(&after)) {
        let sent = grown(before, after, "frag_tx");
        let received = grown(before, after, "frag_rx");
        let what = format!("{rules}: {} counts {expected} parts each way", scene.title(number));
        let passed = sent == expected && received == expected;
        scene.record.check(what, passed, format!("sent {sent}, received {received}"));
    }
    Ok(())
}

/// What is too long for the next link too is passed on as it is.
fn relay_passes_parts_on(scene: &mut Scene<'_>) -> Result<()> {
    let before = scene.node(2).statistics()?;
    scene.expect_pings("FWD-116 by the relay:", 1, 3, 1472, 10)?;
    let after = scene.node(2).statistics()?;
    let passed_on = grown(&before, &after, "frag_fwd");
    let merged = grown(&before, &after, "frag_rx");
    let what = format!("FWD-116 {} passes 40 parts on and merges none", scene.title(2));
    let seen = format!("passed on {passed_on}, merged {merged}");
    scene.record.check(what, passed_on == 40 && merged == 0, seen);
    Ok(())
}

/// The link between n2 and n3 carries 1,000 bytes only.
fn relay_with_a_smaller_link(scene: &mut Scene<'_>) -> Result<()> {
    scene.record.step("the MTU of the link n2-n3 becomes 1000 while it is used");
    for (node, interface) in [(2, 2), (3, 1)] {
        let name = scene.node(node).interface(interface);
        scene.node(node).space().set_link(&name, &[Set::Mtu(1000)])?;
    }
    // A node may notice the change a little later.
    scene.wait("no frame of 1,200 bytes passes the smaller link", secs(20), |scene| {
        Ok(scene.node(1).ping(scene.node(3), 1200)?.is_some())
    })?;
    let before = scene.node(2).statistics()?;
    scene.expect_pings("FWD-113 FWD-116 1,000 byte link:", 1, 3, 1200, 10)?;
    let after = scene.node(2).statistics()?;
    let sent = grown(&before, &after, "frag_tx");
    let merged = grown(&before, &after, "frag_rx");
    let what = format!(
        "FWD-113 FWD-116 FWD-119 {} cuts what is too long for the smaller link, and merges what fits \
         the wider one",
        scene.title(2)
    );
    let seen = format!("cut into {sent} parts, merged {merged} parts");
    scene.record.check(what, sent == 20 && merged == 20, seen);
    scene.expect_pings("FWD-116 1,000 byte link:", 1, 3, 1472, 10)?;
    scene.expect_pings("FWD-113 1,000 byte link:", 2, 3, 1472, 10)
}

fn grown(before: &Statistics, after: &Statistics, name: &str) -> u64 {
    after.get(name).unwrap_or(&0) - before.get(name).unwrap_or(&0)
}
