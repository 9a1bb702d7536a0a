//! Traffic, and what happens to it when links and nodes come and go.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::{LIMIT, QUICK, chain, nodes};
use crate::lab::{End, FrameSocket, Set, wait_for};

const PATIENCE: Duration = Duration::from_secs(1);

pub(super) fn two_neighbours_ping_each_other() -> Result<()> {
    let (_lab, nodes) = chain(&["anna", "ben"])?;
    nodes[0].wait_for_ping(nodes[1].address(), LIMIT)?;
    let [row] = &nodes[0].table("originators")?[..] else {
        anyhow::bail!("one originator expected");
    };
    ensure!(row["orig_address"] == *nodes[1].originator() && row["best"] == true, "{row}");
    ensure!(row["hard_ifname"] == "e1", "{row}");
    let neighbours = nodes[1].table("neighbors")?;
    ensure!(neighbours.len() == 1 && neighbours[0]["neigh_address"] == *nodes[0].originator());
    nodes[0].ask(&["ping", "-c", "2", &nodes[1].originator()])?;
    let lost = nodes[0].output(&["ping", "-c", "1", "02:00:00:00:00:77"])?;
    ensure!(lost.status.code() == Some(2), "ICMP-25: {:?} without an answer", lost.status);
    Ok(())
}

pub(super) fn fwd_114_packets_of_every_size_cross_two_hops() -> Result<()> {
    let (_lab, nodes) = chain(&["anna", "ben", "cara"])?;
    nodes[0].wait_for_ping(nodes[2].address(), LIMIT)?;
    let mut echo = nodes[0].echo(nodes[2].address())?;
    for payload in (1380..=1472).step_by(2) {
        echo.ping(payload, PATIENCE)?.with_context(|| format!("{payload} bytes got lost"))?;
    }
    ensure!(nodes[0].counter("frag_tx")? > 0, "nothing was cut");
    ensure!(nodes[1].counter("frag_fwd")? > 0, "the relay passed no fragment on");
    ensure!(nodes[2].counter("frag_rx")? > 0, "nothing was joined");
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

pub(super) fn a_primary_interface_that_goes_down_does_not_silence_the_node() -> Result<()> {
    let (lab, mut nodes) = nodes(&["anna", "ben"])?;
    {
        let [one, other] = nodes.get_disjoint_mut([0, 1])?;
        one.link(other, &lab, 1500)?;
        one.link(other, &lab, 1500)?;
    }
    for node in &mut nodes {
        node.start(&QUICK)?;
    }
    let target = nodes[1].address();
    nodes[0].wait_for_ping(target, LIMIT)?;
    nodes[0].namespace.set_link("e1", &[Set::Down])?;
    nodes[0].wait_for_ping(target, LIMIT)?;
    let rows = nodes[1].table("originators")?;
    let primary = nodes[0].originator();
    ensure!(
        rows.iter().any(|row| row["orig_address"] == *primary && row["hard_ifname"] == "e2"),
        "ben does not see anna's originator address by the second link: {rows:?}"
    );
    nodes[0].namespace.set_link("e1", &[Set::Up])?;
    wait_for(LIMIT, "the first link is used again", || {
        let rows = nodes[0].table("neighbors")?;
        ensure!(rows.iter().any(|row| row["hard_ifname"] == "e1"), "{rows:?}");
        Ok(())
    })
}

pub(super) fn a_vanished_interface_is_used_again_when_it_is_back() -> Result<()> {
    let (lab, nodes) = chain(&["anna", "ben"])?;
    let target = nodes[1].address();
    nodes[0].wait_for_ping(target, LIMIT)?;
    nodes[0].namespace.delete_link("e1")?;
    wait_for(LIMIT, "the node notices", || {
        let text = nodes[0].ask(&["interfaces"])?;
        ensure!(!text.contains("e1: active"), "{text}");
        Ok(())
    })?;
    let here = End { name: "e1", mac: nodes[0].mac(9) };
    let there = End { name: "e1", mac: nodes[1].mac(9) };
    lab.veth(&nodes[0].namespace, &here, &nodes[1].namespace, &there, 1400)?;
    nodes[0].wait_for_ping(target, LIMIT)?;
    Ok(())
}

pub(super) fn a_killed_node_is_back_soon() -> Result<()> {
    let (_lab, mut nodes) = chain(&["anna", "ben", "cara"])?;
    let target = nodes[2].address();
    nodes[0].wait_for_ping(target, LIMIT)?;
    nodes[2].kill()?;
    // The kernel takes the TAP away with its last descriptor.
    wait_for(LIMIT, "the dead node's bat0 is gone", || {
        ensure!(nodes[2].namespace.find_link("bat0")?.is_none(), "still there");
        Ok(())
    })?;
    nodes[2].start(&QUICK)?;
    nodes[0].wait_for_ping(target, LIMIT)?;
    Ok(())
}

pub(super) fn rubbish_on_a_link_changes_nothing() -> Result<()> {
    let (_lab, mut nodes) = chain(&["anna", "ben", "cara"])?;
    let target = nodes[2].address();
    nodes[0].wait_for_ping(target, LIMIT)?;
    let before = nodes[1].daemon()?.resident_bytes()?;
    let socket = FrameSocket::open(&nodes[0].namespace, "e1")?;
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for round in 0..10_000u32 {
        let mut frame = if round % 2 == 0 { vec![0xff; 6] } else { nodes[1].mac(1).to_vec() };
        frame.extend([2, 0xee, 0, 0, 0, 1, 0x43, 0x05]);
        let length = (random() % 200) as usize;
        frame.extend((0..length).map(|_| random() as u8));
        if let [packet_type, version, ..] = &mut frame[14..]
            && random() % 2 == 0
        {
            *packet_type = [0, 1, 5, 0x40, 0x41, 0x42, 0x43, 0x44][(random() % 8) as usize];
            *version = 15;
        }
        // A full queue of this sender is no fault of the receiver.
        let _ = socket.send(&frame);
    }
    nodes[0].wait_for_ping(target, LIMIT)?;
    let start = Instant::now();
    let after = nodes[1].daemon()?.resident_bytes()?;
    ensure!(
        after < 16 << 20,
        "{after} bytes resident, {before} before, after {:?}",
        start.elapsed()
    );
    ensure!(nodes[1].counter("drop_version")? > 0, "nothing was counted");
    Ok(())
}
