//! Packets of every size, and links of other sizes than 1500 (FWD-114 and what belongs to it).

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{LIMIT, QUICK, chain, nodes};
use crate::interop::echo::Echo;
use crate::lab::{Lab, Set, wait_for};
use crate::node::{Node, by_xdp};

const PATIENCE: Duration = Duration::from_secs(2);
/// IPv4 and ICMP header.
const HEADERS: usize = 28;

/// An echo request in an IP packet of each of these sizes, and its answer.
pub(super) fn every_size(echo: &mut Echo, sizes: impl Iterator<Item = usize>) -> Result<()> {
    for size in sizes {
        echo.ping(size - HEADERS, PATIENCE)?
            .with_context(|| format!("a packet of {size} bytes got lost"))?;
    }
    Ok(())
}

/// Waits until packets of this size pass.
fn wait_for_size(node: &Node, to: Ipv4Addr, size: usize) -> Result<()> {
    let mut echo = node.echo(to)?;
    let attempt = || echo.ping(size - HEADERS, PATIENCE)?.context("lost");
    wait_for(LIMIT, &format!("packets of {size} bytes pass"), attempt).map(|_| ())
}

/// Nodes in a chain whose links have these MTUs, running.
pub(super) fn chain_of(mtus: &[u32], extra: &[&str]) -> Result<(Lab, Vec<Node>)> {
    let names = &["anna", "ben", "cara", "dora"][..=mtus.len()];
    let (lab, mut nodes) = nodes(names)?;
    for (first, mtu) in mtus.iter().enumerate() {
        let [one, other] = nodes.get_disjoint_mut([first, first + 1])?;
        one.link(other, &lab, *mtu)?;
    }
    for node in &mut nodes {
        node.start(&[&QUICK[..], extra].concat())?;
    }
    nodes[0].wait_for_ping(nodes[mtus.len()].address(), LIMIT)?;
    Ok((lab, nodes))
}

pub(super) fn fwd_114_packets_of_every_size_cross_two_hops() -> Result<()> {
    let (_lab, nodes) = chain(&["anna", "ben", "cara"])?;
    let target = nodes[2].address();
    nodes[0].wait_for_ping(target, LIMIT)?;
    let mtu = nodes[0].namespace.link("bat0")?.mtu;
    ensure!(mtu == 1500, "bat0 has an MTU of {mtu}");
    every_size(&mut nodes[0].echo(target)?, 1400..=1500)?;
    ensure!(nodes[0].counter("frag_tx")? > 0, "nothing was cut");
    ensure!(nodes[1].counter("frag_fwd")? > 0, "the relay passed no fragment on");
    ensure!(nodes[2].counter("frag_rx")? > 0, "nothing was joined");
    Ok(())
}

pub(super) fn a_link_with_a_small_mtu_in_the_middle_is_crossed() -> Result<()> {
    let (_lab, nodes) = chain_of(&[1500, 1000, 1500], &[])?;
    let mut echo = nodes[0].echo(nodes[3].address())?;
    every_size(&mut echo, (930..=1010).chain((1011..=1500).step_by(7)).chain([1499, 1500]))?;
    ensure!(nodes[1].counter("frag_tx")? > 0, "the node before the small link cut nothing");
    Ok(())
}

/// Parts that are themselves too long for a later link are merged before it, and cut anew.
pub(super) fn fwd_116_each_link_is_smaller_than_the_one_before() -> Result<()> {
    for (mtus, anew) in [([1500, 1280, 1000], false), ([1500, 1280, 600], true)] {
        let (_lab, nodes) = chain_of(&mtus, &[])?;
        let mut echo = nodes[0].echo(nodes[3].address())?;
        every_size(&mut echo, [500, 900, 1000, 1200, 1299, 1450, 1499, 1500].into_iter())?;
        ensure!(
            !anew || nodes[2].counter("frag_rx")? > 0,
            "nothing was merged before the link of 600"
        );
    }
    Ok(())
}

pub(super) fn a_large_mesh_mtu_is_carried_in_many_fragments() -> Result<()> {
    let (_lab, nodes) = chain_of(&[1500, 1280], &["--mtu", "9000"])?;
    let mtu = nodes[0].namespace.link("bat0")?.mtu;
    ensure!(mtu == 9000, "bat0 has an MTU of {mtu}");
    let mut echo = nodes[0].echo(nodes[2].address())?;
    every_size(&mut echo, [1500, 2800, 4000, 8999, 9000].into_iter())
}

/// A switch between two nodes whose ports take less than the nodes' interfaces: what is longer vanishes without a word.
pub(super) fn fwd_113_a_switch_that_drops_long_frames_is_found_out() -> Result<()> {
    const CARRIED: u32 = 1400;
    let (lab, mut nodes) = nodes(&["anna", "switch", "ben"])?;
    for (first, second) in [(0, 1), (1, 2)] {
        let [one, other] = nodes.get_disjoint_mut([first, second])?;
        one.link(other, &lab, 1500)?;
    }
    let switch = &nodes[1].namespace;
    switch.add_bridge("br0")?;
    for port in ["e1", "e2"] {
        switch.set_link(port, &[Set::Mtu(CARRIED), Set::Master("br0"), Set::Up])?;
    }
    switch.set_link("br0", &[Set::Up])?;
    for node in [0, 2] {
        nodes[node].start(&QUICK)?;
    }
    let target = nodes[2].address();
    nodes[0].wait_for_ping(target, LIMIT)?;
    // In one piece it is too long for the ports, cut it would pass.
    let lost = nodes[0].echo(target)?.ping(1450 - HEADERS, PATIENCE)?.is_none();
    wait_for(LIMIT, "the limit is found", || {
        for node in [0, 2] {
            let rows = nodes[node].table("interfaces")?;
            let carries = rows[0]["carries"].as_u64().context("no carries")?;
            // A port lets frames pass that have room for a VLAN tag, too.
            ensure!((CARRIED.into()..=u64::from(CARRIED) + 4).contains(&carries), "{carries}");
        }
        Ok(())
    })?;
    let told = nodes[0].ask(&["interfaces", "-v"])?;
    ensure!(told.starts_with("e1: active, MTU 1500, carries 140"), "{told}");
    ensure!(lost || nodes[0].counter("frag_tx")? > 0, "the switch lets everything pass");
    every_size(&mut nodes[0].echo(target)?, 1300..=1500)
}

pub(super) fn clamped_tcp_is_never_cut() -> Result<()> {
    const BYTES: u64 = 4 << 20;
    let cut = |extra: &[&str]| -> Result<u64> {
        let (_lab, nodes) = chain_of(&[1500, 1500], extra)?;
        nodes[0].transfer(&nodes[2], BYTES as usize)?;
        Ok(nodes[0].counter("frag_tx")? + nodes[1].counter("frag_tx")?)
    };
    ensure!(cut(&["--no-tap-offload"])? > 1000, "without the setting TCP is cut");
    let clamped = cut(&["--no-tap-offload", "--clamp-mss"])?;
    ensure!(clamped == 0, "{clamped} fragments");
    // Segments that the node cuts itself, it cuts short enough; what the host sends in one piece stays.
    let fitted = cut(&[])?;
    ensure!(fitted < 1000, "{fitted} fragments");
    Ok(())
}

pub(super) fn the_mtu_of_a_link_changes_while_the_node_runs() -> Result<()> {
    let (_lab, nodes) = chain_of(&[1500], &[])?;
    let target = nodes[1].address();
    let set = |mtu| -> Result<()> {
        for node in &nodes {
            node.namespace.set_link("e1", &[Set::Mtu(mtu)])?;
        }
        Ok(())
    };
    let cut = || nodes[0].counter("frag_tx");

    set(1000)?;
    wait_for_size(&nodes[0], target, 1500)?;
    let before = cut()?;
    every_size(&mut nodes[0].echo(target)?, (960..=1500).step_by(9))?;
    ensure!(cut()? > before, "packets of 1500 bytes crossed a link of 1000 in one piece");

    // Larger than the rings were made for; veth allows no more than 3506 beside an XDP program.
    set(if by_xdp() { 3000 } else { 4000 })?;
    wait_for(LIMIT, "nothing is cut on a larger link", || {
        let before = cut()?;
        every_size(&mut nodes[0].echo(target)?, 1490..=1500)?;
        ensure!(cut()? == before, "still cut");
        Ok(())
    })?;

    // FWD-01: too small for a hard interface.
    set(90)?;
    wait_for(LIMIT, "the interface is given up", || {
        let text = nodes[0].ask(&["interfaces"])?;
        ensure!(text.contains("e1: inactive"), "{text}");
        Ok(())
    })?;
    set(1500)?;
    wait_for_size(&nodes[0], target, 1500)?;
    nodes[1].wait_for_ping(nodes[0].address(), LIMIT)?;
    Ok(())
}
