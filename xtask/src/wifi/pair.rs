//! Two nodes on one channel.

use anyhow::Result;

use super::beside;
use super::cell::{Cell, Network};

/// Two nodes that get to know each other, and their tables.
fn pair(kinds: &str, network: Network) -> Result<()> {
    let mut cell = Cell::build(kinds, network)?;
    cell.start()?;
    cell.wait_for_ping(1, 2)?;
    cell.wait_for_ping(2, 1)?;
    beside::show(&[cell.node(1), cell.node(2)])?;
    cell.stop()
}

pub(super) fn two_nodes_of_ours_ping_in_an_ibss() -> Result<()> {
    pair("N-N", Network::Ibss)
}

pub(super) fn a_kernel_node_and_ours_ping_in_an_ibss() -> Result<()> {
    pair("K-N", Network::Ibss)
}

pub(super) fn two_nodes_of_ours_ping_in_an_802_11s_mesh() -> Result<()> {
    pair("N-N", Network::Mesh)
}

pub(super) fn a_kernel_node_and_ours_ping_in_an_802_11s_mesh() -> Result<()> {
    pair("K-N", Network::Mesh)
}
