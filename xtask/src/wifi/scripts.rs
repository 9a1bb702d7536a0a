//! `scripts/wifi.sh`, as a person runs it.

use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::beside;
use super::cell::{Cell, NETWORK, Network};
use crate::interop::node::{Node, hard_address};
use crate::paths;

/// How long the script may take: keys are made slowly in an emulated machine.
const LIMIT: Duration = Duration::from_secs(300);
/// Where the password is, for the radios of both nodes.
const PASSWORD: &str = "/run/wifi-password";

/// Runs the script beside a node.
fn script(node: &Node, words: &[&str]) -> Result<String> {
    let path = paths::project().join("scripts/wifi.sh").display().to_string();
    node.space().run(&[&["sh", &path], words].concat(), LIMIT)?.success()
}

/// Two nodes whose radios the script brings into a network.
fn by_script(words: &[&str]) -> Result<Cell> {
    let mut cell = Cell::unconnected("K-N", Network::Mesh, 0)?;
    for (index, node) in cell.nodes.iter().enumerate() {
        let radio = cell.air.give(index, node.space())?;
        radio.add_interface(&node.interface(1), &["managed"], hard_address(node.number, 1))?;
        cell.radios.push(radio);
        let name = node.interface(1);
        let [network, more @ ..] = words else { unreachable!("words start with the network") };
        script(node, &[&[network, name.as_str()], more].concat())?;
        ensure!(node.space().link(&name)?.mtu == 1532, "the MTU is not what the mesh wants");
    }
    cell.start()?;
    cell.wait_for_ping(1, 2)?;
    cell.wait_for_ping(2, 1)?;
    beside::show(&[cell.node(1), cell.node(2)])?;
    Ok(cell)
}

pub(super) fn the_script_makes_an_encrypted_802_11s_mesh() -> Result<()> {
    fs::write(PASSWORD, "a village without wires\n")?;
    let cell = by_script(&["mesh", "6", NETWORK, "DE", PASSWORD])?;
    for (radio, node) in cell.radios.iter().zip(&cell.nodes) {
        let name = node.interface(1);
        let stations = radio.iw(&["dev", &name, "station", "dump"])?;
        // Open networks do not protect management frames.
        let is_protected = |line: &str| {
            line.trim().strip_prefix("MFP:").is_some_and(|answer| answer.trim() == "yes")
        };
        ensure!(stations.lines().any(is_protected), "not encrypted: {stations}");
        let forwards = radio.iw(&["dev", &name, "get", "mesh_param", "mesh_fwding"])?;
        ensure!(forwards.trim() == "0", "802.11s forwards: {forwards}");
    }
    take_down(cell)
}

/// Takes both radios out of the network again.
fn take_down(cell: Cell) -> Result<()> {
    for number in 1..=2 {
        let node = cell.node(number);
        script(node, &["down", &node.interface(1)])?;
        let info = cell.radio(number).iw(&["dev", &node.interface(1), "info"])?;
        ensure!(info.contains("type managed"), "not as before: {info}");
        ensure!(!node.space().link(&node.interface(1))?.up, "the radio is still on");
    }
    cell.stop()
}

pub(super) fn the_script_makes_an_ibss_and_takes_it_down() -> Result<()> {
    let cell = by_script(&["ibss", "6", NETWORK, "DE"])?;
    take_down(cell)
}
