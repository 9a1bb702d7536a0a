//! What passes a node is forwarded inside the kernel, with a daemon and for a while without.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{LIMIT, QUICK, nodes};
use crate::lab::{Lab, Skipped, wait_for};
use crate::node::Node;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long packets must pass a node whose daemon was killed.
const WITHOUT_DAEMON: Duration = Duration::from_secs(10);
/// Pings in between.
const EVERY: Duration = Duration::from_millis(20);

/// Three nodes in a row, whose middle one forwards in the kernel if it can.
fn row(how: &[&str]) -> Result<(Lab, Vec<Node>)> {
    let (lab, mut nodes) = nodes(&["anna", "ben", "cara"])?;
    for first in 1..nodes.len() {
        let [one, other] = nodes.get_disjoint_mut([first - 1, first])?;
        one.link(other, &lab, 1500)?;
    }
    for node in &mut nodes {
        node.start(&[&QUICK, how].concat())?;
    }
    nodes[0].wait_for_ping(nodes[2].address(), LIMIT)?;
    Ok((lab, nodes))
}

/// What `noctule status` says of the offload.
fn status(node: &Node) -> Result<Value> {
    let text = node.ask(&["status", "--json"])?;
    let mut status: Value = serde_json::from_str(&text)?;
    Ok(status["offload"].take())
}

fn frames(node: &Node) -> Result<u64> {
    status(node)?["frames"].as_u64().context("no frames")
}

/// Skips the case where the kernel, or this user's rights, allow no program.
fn needs_offload(node: &Node) -> Result<()> {
    let offload = status(node)?;
    if offload["how"] == "off" {
        return Err(Skipped::because(format!("no offload here: {}", offload["because"])));
    }
    Ok(())
}

/// Pings that all must be answered.
fn all_pass(from: &Node, to: &Node, count: u32) -> Result<()> {
    let mut echo = from.echo(to.address())?;
    for number in 0..count {
        echo.ping(56, PATIENCE)?.with_context(|| format!("ping {number} of {count} was lost"))?;
    }
    Ok(())
}

pub(super) fn fwd_72_packets_in_transit_stay_in_the_kernel() -> Result<()> {
    let (_lab, nodes) = row(&["--offload", "tc"])?;
    let [anna, ben, cara] = &nodes[..] else { anyhow::bail!("three nodes") };
    needs_offload(ben)?;
    let (before, forwarded) = (frames(ben)?, ben.counter("forward")?);
    all_pass(anna, cara, 200)?;
    anna.transfer(cara, 1 << 20)?;
    let after = frames(ben)?;
    // Each ping is a frame there and one back, and ten are enough for what the FIB was slow to know.
    ensure!(after - before > 390 + 600, "{} frames in the kernel", after - before);
    wait_for(LIMIT, "the statistics have them, too", || {
        let counted = ben.counter("forward")? + ben.counter("frag_fwd")? - forwarded;
        ensure!(counted >= after - before, "{counted} forwarded, {} in the kernel", after - before);
        Ok(())
    })?;
    let arrived: Vec<u64> =
        ben.table("interfaces")?.iter().filter_map(|row| row["offload_frames"].as_u64()).collect();
    ensure!(arrived.len() == 2 && arrived.iter().all(|frames| *frames > 200), "{arrived:?}");
    ensure!(frames(anna)? == 0 && frames(cara)? == 0, "nothing passes the ends");
    // ICMP of the mesh is a matter of the daemon: each hop must answer, and writes its address.
    let route = anna.ask(&["traceroute", &cara.originator()])?;
    ensure!(route.lines().count() == 3, "two hops and a heading:\n{route}");
    Ok(())
}

pub(super) fn packets_in_transit_survive_the_daemon_and_the_next_one_adopts_them() -> Result<()> {
    let (_lab, mut nodes) = row(&["--offload", "tc"])?;
    needs_offload(&nodes[1])?;
    if status(&nodes[1])?["pinned"] != true {
        return Err(Skipped::because("no BPF file system here"));
    }
    all_pass(&nodes[0], &nodes[2], 20)?;
    nodes[1].kill()?;
    let pings = u32::try_from(WITHOUT_DAEMON.as_millis() / EVERY.as_millis())?;
    let mut echo = nodes[0].echo(nodes[2].address())?;
    for number in 0..pings {
        echo.ping(56, PATIENCE)?.with_context(|| format!("ping {number} was lost"))?;
        std::thread::sleep(EVERY);
    }
    // While the next one starts, too.
    let start = Instant::now();
    let stream = nodes[0].ping_stream(nodes[2].address(), EVERY)?;
    nodes[1].start(&[&QUICK[..], &["--offload", "tc"]].concat())?;
    let offload = status(&nodes[1])?;
    ensure!(offload["adopted"].as_u64() >= Some(2), "{offload}");
    wait_for(LIMIT, "the new daemon has routes of its own", || {
        let offload = status(&nodes[1])?;
        ensure!(offload["routes"].as_u64() >= Some(2), "{offload}");
        Ok(())
    })?;
    let end = Instant::now();
    let (lost, sent) = stream.stop()?.lost(start, end);
    ensure!(
        sent > 0 && lost == 0,
        "{lost} of {sent} pings were lost while the next daemon started"
    );
    let before = frames(&nodes[1])?;
    all_pass(&nodes[0], &nodes[2], 50)?;
    ensure!(frames(&nodes[1])? - before >= 90, "the new daemon's kernel forwards");
    Ok(())
}
