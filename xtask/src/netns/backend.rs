//! Data comes by AF_XDP where it is asked for, and by AF_PACKET, with the reason, where it cannot.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{LIMIT, QUICK, chain, nodes};
use crate::lab::{Set, Skipped, wait_for};
use crate::node::Node;

const XDP: [&str; 2] = ["--backend", "xdp"];

fn quick(more: &[&'static str]) -> Vec<&'static str> {
    [&QUICK[..], more].concat()
}

/// By what data comes on the interface of this number, and why it is not another way.
pub(super) fn backend(node: &Node, index: usize) -> Result<(String, Option<String>)> {
    let rows = node.table("interfaces")?;
    let row = rows.get(index).context("no such interface")?;
    let text = |key: &str| row[key].as_str().map(str::to_owned);
    Ok((text("backend").context("no backend")?, text("backend_because")))
}

/// Skips the case where the kernel, or this user's rights, allow none.
pub(super) fn needs_xdp(node: &Node) -> Result<()> {
    match backend(node, 0)? {
        (name, None) if name.starts_with("xdp") => Ok(()),
        (name, because) => {
            let because = because.unwrap_or_default();
            let known = ["not permitted", "the kernel has no"];
            ensure!(known.iter().any(|known| because.starts_with(known)), "{name}: {because}");
            Err(Skipped::because(format!("no AF_XDP here: {because}")))
        }
    }
}

/// How often the program of a link is there.
fn programs(node: &Node, link: &str) -> Result<usize> {
    let output = node.namespace.run(&["ip", "-details", "link", "show", link], LIMIT)?.success()?;
    Ok(output.lines().filter(|line| line.contains("prog/xdp")).count())
}

pub(super) fn data_crosses_a_chain_by_af_xdp() -> Result<()> {
    let (lab, mut nodes) = nodes(&["anna", "ben", "cara"])?;
    for first in 1..nodes.len() {
        let [one, other] = nodes.get_disjoint_mut([first - 1, first])?;
        one.link(other, &lab, 1500)?;
    }
    for node in &mut nodes {
        node.start(&quick(&XDP))?;
    }
    needs_xdp(&nodes[1])?;
    ensure!(backend(&nodes[1], 0)?.0 == "xdp, native", "{:?}", backend(&nodes[1], 0)?);
    let text = nodes[1].ask(&["interfaces", "-v"])?;
    ensure!(text.lines().all(|line| line.ends_with(", by xdp, native")), "{text}");
    nodes[0].wait_for_ping(nodes[2].address(), LIMIT)?;
    nodes[0].transfer(&nodes[2], 4 << 20)?;
    // Broadcasts (ARP for whoever was not asked for yet) and fragments cross, too.
    let before = nodes[1].counter("forward")?;
    nodes[2].transfer(&nodes[0], 1 << 20)?;
    let after = nodes[1].counter("forward")?;
    ensure!(after - before > 600, "{} frames by the daemon", after - before);
    let offload: Value = serde_json::from_str(&nodes[1].ask(&["status", "--json"])?)?;
    ensure!(offload["offload"]["how"] == "off", "{offload}");
    // A link goes down and comes back.
    for up in [Set::Down, Set::Up] {
        nodes[1].namespace.set_link("e1", &[up])?;
    }
    nodes[0].wait_for_ping(nodes[2].address(), LIMIT)?;
    ensure!(backend(&nodes[1], 0)?.0.starts_with("xdp"), "{:?}", backend(&nodes[1], 0)?);
    Ok(())
}

pub(super) fn a_restarted_or_killed_node_leaves_no_program() -> Result<()> {
    let (lab, mut nodes) = nodes(&["anna", "ben"])?;
    let [one, other] = nodes.get_disjoint_mut([0, 1])?;
    one.link(other, &lab, 1500)?;
    for node in &mut nodes {
        node.start(&quick(&XDP))?;
    }
    needs_xdp(&nodes[0])?;
    for killed in [false, true] {
        nodes[0].wait_for_ping(nodes[1].address(), LIMIT)?;
        ensure!(programs(&nodes[1], "e1")? == 1, "no program");
        if killed {
            nodes[1].kill()?
        } else {
            nodes[1].stop()?
        };
        wait_for(LIMIT, "the program is gone", || {
            ensure!(programs(&nodes[1], "e1")? == 0, "it is there");
            Ok(())
        })?;
        nodes[1].start(&quick(&XDP))?;
        ensure!(backend(&nodes[1], 0)?.0.starts_with("xdp"), "{:?}", backend(&nodes[1], 0)?);
    }
    nodes[0].wait_for_ping(nodes[1].address(), LIMIT)?;
    Ok(())
}

pub(super) fn interfaces_that_cannot_have_af_xdp_say_why_and_carry_the_mesh() -> Result<()> {
    let (lab, mut nodes) = nodes(&["anna", "ben"])?;
    let [one, other] = nodes.get_disjoint_mut([0, 1])?;
    one.link(other, &lab, 1500)?;
    nodes[0].start(&quick(&["--backend", "packet"]))?;
    ensure!(backend(&nodes[0], 0)? == ("packet".into(), None), "nobody asked for more");
    nodes[1].start(&quick(&XDP))?;
    needs_xdp(&nodes[1])?;
    // Its driver begins to take tags out, and the interface is added anew.
    nodes[1].namespace.run(&["ethtool", "-K", "e1", "rxvlan", "on"], LIMIT)?.success()?;
    nodes[1].ask(&["interface", "del", "e1"])?;
    nodes[1].ask(&["interface", "add", "e1"])?;
    let (name, because) = backend(&nodes[1], 0)?;
    let because = because.context("no reason")?;
    ensure!(name == "packet" && because.contains("ethtool -K e1 rxvlan off"), "{name}: {because}");
    wait_for(LIMIT, "the log says so", || {
        let log = nodes[1].daemon()?.log();
        let said = log.lines().any(|line| line.contains(" WARN ") && line.contains(&because));
        ensure!(said, "not in {log:?}");
        Ok(())
    })?;
    nodes[0].wait_for_ping(nodes[1].address(), LIMIT)?;
    // The reason goes away, and the next that comes is the MTU.
    nodes[1].leave_tags("e1")?;
    nodes[1].ask(&["interface", "del", "e1"])?;
    nodes[1].ask(&["interface", "add", "e1"])?;
    needs_xdp(&nodes[1])?;
    Ok(())
}

pub(super) fn backend_and_offload_make_room_for_each_other() -> Result<()> {
    let (_lab, mut nodes) = chain(&["anna", "ben"])?;
    for (words, offload, expected) in [
        (&["--backend", "auto", "--offload", "off"][..], "off", "its driver cannot do without"),
        (&["--backend", "auto", "--offload", "tc"], "tc", "the kernel forwards by itself"),
        (&["--backend", "xdp", "--offload", "tc"], "tc", "the kernel forwards by itself"),
        (&["--offload", "auto", "--backend", "xdp"], "off", ""),
    ] {
        nodes[1].stop()?;
        nodes[1].leave_tags("e1")?;
        nodes[1].start(&quick(words))?;
        let status: Value = serde_json::from_str(&nodes[1].ask(&["status", "--json"])?)?;
        if status["offload"]["how"] != offload {
            let because = &status["offload"]["because"];
            return Err(Skipped::because(format!("no offload here: {because}")));
        }
        let (name, because) = backend(&nodes[1], 0)?;
        if expected.is_empty() {
            ensure!(name == "xdp, native" && because.is_none(), "{name}: {because:?}");
            let because = status["offload"]["because"].as_str();
            ensure!(because.is_some_and(|text| text.starts_with("the xdp backend")), "{status}");
        } else {
            let because = because.context("no reason")?;
            ensure!(name == "packet" && because.starts_with(expected), "{words:?}: {because}");
        }
        nodes[0].wait_for_ping(nodes[1].address(), LIMIT)?;
    }
    Ok(())
}
