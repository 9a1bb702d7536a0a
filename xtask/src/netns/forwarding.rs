//! Traffic, and what happens to it when nodes come and go.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{LIMIT, QUICK, chain, nodes};
use crate::lab::wait_for;

const PATIENCE: Duration = Duration::from_secs(1);
/// OGM intervals until the first ping between two new neighbours passes, at most.
const INTERVALS_MAX: u64 = 10;
/// Shorter than the 30 s for which a jump of sequence numbers silences a node that comes back with wrong ones.
const BEFORE_PROTECTION_ENDS: Duration = Duration::from_secs(20);

pub(super) fn two_neighbours_ping_each_other() -> Result<()> {
    let (lab, mut nodes) = nodes(&["anna", "ben"])?;
    let [anna, ben] = nodes.get_disjoint_mut([0, 1])?;
    anna.link(ben, &lab, 1500)?;
    anna.start(&[])?;
    ben.start(&[])?;
    let took = anna.wait_for_ping(ben.address(), LIMIT)?;
    // Counted in messages, not in seconds, so that a slow machine is no defect: each interval brings an OGM of ben's and
    // our own back.
    let heard = anna.counter("mgmt_rx")?;
    println!("        {:.1} s with an OGM each second, {heard} OGM frames", took.as_secs_f64());
    ensure!(heard <= 2 * INTERVALS_MAX, "{heard} OGM frames were heard until a ping passed");
    let [row] = &nodes[0].table("originators")?[..] else {
        anyhow::bail!("one originator expected");
    };
    ensure!(row["orig_address"] == *nodes[1].originator() && row["best"] == true, "{row}");
    ensure!(row["hard_ifname"] == "e1", "{row}");
    let neighbours = nodes[1].table("neighbors")?;
    ensure!(neighbours.len() == 1 && neighbours[0]["neigh_address"] == *nodes[0].originator());
    Ok(())
}

pub(super) fn tcp_crosses_three_hops() -> Result<()> {
    let (_lab, nodes) = chain(&["anna", "ben", "cara", "dora"])?;
    nodes[0].wait_for_ping(nodes[3].address(), LIMIT)?;
    nodes[0].transfer(&nodes[3], 4 << 20)?;
    nodes[3].transfer(&nodes[0], 4 << 20)?;
    let text = nodes[0].ask(&["traceroute", &nodes[3].originator()])?;
    ensure!(text.lines().count() == 4, "three hops and a heading:\n{text}");
    Ok(())
}

pub(super) fn a_silent_relay_is_replaced() -> Result<()> {
    let (lab, mut nodes) = nodes(&["anna", "ben", "cara", "dora"])?;
    for (a, b) in [(0, 1), (0, 2), (1, 3), (2, 3)] {
        let [one, other] = nodes.get_disjoint_mut([a, b])?;
        one.link(other, &lab, 1500)?;
    }
    for node in &mut nodes {
        node.start(&QUICK)?;
    }
    let target = nodes[3].address();
    nodes[0].wait_for_ping(target, LIMIT)?;
    let (_, hop) = nodes[0].route(&nodes[3])?.context("no route")?;
    let relay = if hop == nodes[1].originator() { 1 } else { 2 };
    nodes[relay].kill()?;
    let mut echo = nodes[0].echo(target)?;
    wait_for(LIMIT, "the other relay is found", || {
        let (_, now) = nodes[0].route(&nodes[3])?.context("no route")?;
        ensure!(now != hop, "still by the dead one");
        echo.ping(56, PATIENCE)?.context("lost")
    })?;
    Ok(())
}

pub(super) fn a_restarted_node_is_back_soon() -> Result<()> {
    let (_lab, mut nodes) = chain(&["anna", "ben", "cara"])?;
    let target = nodes[2].address();
    nodes[0].wait_for_ping(target, LIMIT)?;
    for kill in [true, false, true] {
        if kill {
            nodes[2].kill()?;
            // The kernel takes the TAP away with its last descriptor.
            wait_for(LIMIT, "the dead node's bat0 is gone", || {
                ensure!(nodes[2].namespace.find_link("bat0")?.is_none(), "still there");
                Ok(())
            })?;
        } else {
            nodes[2].stop()?;
        }
        nodes[2].start(&QUICK)?;
        let took = nodes[0].wait_for_ping(target, BEFORE_PROTECTION_ENDS)?;
        println!(
            "        back {:.1} s after {}",
            took.as_secs_f64(),
            if kill { "SIGKILL" } else { "SIGTERM" }
        );
    }
    Ok(())
}
