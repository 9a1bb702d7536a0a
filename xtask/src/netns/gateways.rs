//! Several nodes that are bridged to one LAN.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::bridge::bridge;
use super::nodes;
use crate::lab::{End, FrameSocket, Set, wait_for};
use crate::node::wait_for_ping;

/// Until broadcasts pass and all gateways know each other: three periods of 10 s, and one more.
const READY: Duration = Duration::from_secs(75);
const HOST: [u8; 6] = [0x06, 0xc1, 0, 0, 0, 1];
const BROADCASTS: u8 = 50;
const MARK: &[u8] = b"\x88\xb5noctule-gateways";

fn broadcast(from: [u8; 6], number: u8) -> Vec<u8> {
    let mut frame = [&[0xff; 6][..], &from, MARK, &[number]].concat();
    frame.resize(64, 0);
    frame
}

/// How often each number has arrived.
fn arrived(socket: &mut FrameSocket) -> Result<BTreeMap<u8, u32>> {
    let mut counts = BTreeMap::new();
    while let Some(frame) = socket.try_receive()? {
        let at = 12 + MARK.len();
        if frame.get(12..at) == Some(MARK) {
            *counts.entry(frame[at]).or_default() += 1;
        }
    }
    Ok(counts)
}

/// BLA-50, BLA-107, BLA-108, BLA-118: anna, ben and cara are bridged to one LAN and dora is not. What one end sends to all arrives
/// at the other end once, and nothing comes back; and when the gateway that serves is gone, another one serves.
pub(super) fn bla_107_bla_118_three_gateways_on_one_lan() -> Result<()> {
    let (lab, mut nodes) = nodes(&["anna", "ben", "cara", "dora"])?;
    for gateway in 0..3 {
        let [one, other] = nodes.get_disjoint_mut([gateway, 3])?;
        one.link(other, &lab, 1500)?;
    }
    let [switch, host] = [lab.namespace("switch")?, lab.namespace("host")?];
    switch.add_bridge("sw")?;
    switch.set_link("sw", &[Set::Up])?;
    let host_end = End { name: "eth0", mac: HOST };
    lab.veth(&host, &host_end, &switch, &End { name: "p0", mac: [6, 0xc2, 0, 0, 1, 0] }, 1500)?;
    switch.set_link("p0", &[Set::Master("sw")])?;
    host.add_address("eth0", "10.99.0.100/24")?;
    for (node, number) in nodes.iter_mut().zip(1..) {
        node.start(&["--orig-interval", "500"])?;
        if number == 4 {
            continue;
        }
        bridge(node)?;
        let (port, end) =
            (format!("p{number}"), End { name: "lan", mac: [6, 0xc2, 0, 0, 2, number] });
        let there = End { name: &port, mac: [6, 0xc2, 0, 0, 1, number] };
        lab.veth(&node.namespace, &end, &switch, &there, 1500)?;
        node.namespace.set_link("lan", &[Set::Master("br0")])?;
        switch.set_link(&port, &[Set::Master("sw")])?;
    }
    // Bridged a moment ago: the operator is told why broadcasts do not pass.
    let text = nodes[2].ask(&["status"])?;
    ensure!(text.contains("its broadcasts pass in "), "{text}");
    let output = nodes[2].output(&["backbonetable"])?;
    ensure!(
        output.stderr.contains("this node is new to the LAN: broadcasts pass in"),
        "{output:?}"
    );
    wait_for(READY, "each gateway knows the other two, and lets broadcasts pass", || {
        for node in &nodes[..3] {
            let rows = node.table("backbonetable")?;
            let others = rows.iter().filter(|row| row["bla_own"] != true).count();
            ensure!(others == 2, "{}: {rows:?}", node.name());
        }
        Ok(())
    })?;
    let dora = nodes[3].address();
    // No station but her mesh interface is there yet; the others are groups (33:33:...).
    let text = nodes[3].ask(&["status"])?;
    ensure!(text.contains(" 1 client here, "), "{text}");
    let rows = nodes[3].table("translocal")?;
    let is_station = |row: &&Value| {
        let first = row["tt_address"].as_str().and_then(|mac| mac.get(..2));
        first.and_then(|hex| u8::from_str_radix(hex, 16).ok()).is_some_and(|first| first & 1 == 0)
    };
    let own = rows.iter().find(is_station).context("dora has no mesh interface")?;
    let own = own["tt_address"].clone();
    wait_for_ping(&host, dora, READY)?;
    let mut in_lan = FrameSocket::open(&host, "eth0")?;
    let mut in_mesh = FrameSocket::open(&nodes[3].namespace, "bat0")?;
    let sources = |base: u8, number: u8| [6, 0xc3, 0, 0, base, number % 10];
    // The gates of all three may open within a second of each other.
    sleep(Duration::from_secs(11));
    let text = nodes[2].ask(&["status"])?;
    ensure!(text.contains("bridged, 2 other gateways, its broadcasts pass\n"), "{text}");
    arrived(&mut in_lan)?;
    arrived(&mut in_mesh)?;
    for way in ["LAN", "mesh"] {
        let (from, to) = match way {
            "LAN" => (&mut in_lan, &mut in_mesh),
            _ => (&mut in_mesh, &mut in_lan),
        };
        for number in 0..BROADCASTS {
            from.send(&broadcast(sources(way.len() as u8, number), number))?;
            sleep(Duration::from_millis(20));
        }
        sleep(Duration::from_millis(500));
        let counts = arrived(to)?;
        let once =
            counts.len() == usize::from(BROADCASTS) && counts.values().all(|count| *count == 1);
        ensure!(once, "from the {way}: {counts:?}");
        let back = arrived(from)?;
        ensure!(back.is_empty(), "came back to the {way}: {back:?}");
    }
    // Who serves dora's own station goes.
    let serving = wait_for(READY, "somebody serves dora", || {
        for (index, node) in nodes[..3].iter().enumerate() {
            let rows = node.table("claimtable")?;
            let is = |row: &&Value| row["bla_own"] == true && row["bla_address"] == own;
            if rows.iter().any(|row| is(&row)) {
                return Ok(index);
            }
        }
        anyhow::bail!("nobody")
    })?;
    nodes[serving].kill()?;
    let took = wait_for_ping(&host, dora, Duration::from_secs(20))?;
    println!("        reachable {:.1} s after its gateway was gone", took.as_secs_f64());
    wait_for(Duration::from_secs(20), "a broadcast arrives again, and once", || {
        arrived(&mut in_lan)?;
        in_mesh.send(&broadcast(sources(9, 1), 200))?;
        sleep(Duration::from_millis(300));
        let counts = arrived(&mut in_lan)?;
        let count = counts.get(&200).copied().context("not yet")?;
        ensure!(count == 1, "{count} times");
        Ok(())
    })
}
