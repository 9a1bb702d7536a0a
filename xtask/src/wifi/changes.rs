//! What happens to radios while a mesh runs.

use anyhow::Result;

use super::air::CHANNELS;
use super::cell::{Cell, Network};
use crate::interop::node::{Algorithm, hard_address};
use crate::lab::Set;

/// Whether the node's tool calls its radio active.
fn is_active(cell: &Cell, number: usize) -> Result<bool> {
    let node = cell.node(number);
    let text = node.tool(&["interface"])?.success()?;
    let start = format!("{}: active", node.interface(1));
    Ok(text.lines().any(|line| line.trim().starts_with(&start)))
}

/// A radio leaves the network and comes back; then all move to another channel.
fn leave_and_join(network: Network) -> Result<()> {
    let mut cell = Cell::build("N-K", network)?;
    cell.start()?;
    cell.wait_for_ping(1, 2)?;
    let name = |number: usize| cell.node(number).interface(1);
    cell.network.leave(cell.radio(1), &name(1))?;
    cell.wait("a radio that has left is not used", |cell| Ok(!is_active(cell, 1)?))?;
    network.join(cell.radio(1), &name(1), CHANNELS[0])?;
    cell.wait("a radio that is back is used", |cell| is_active(cell, 1))?;
    cell.wait_for_ping(1, 2)?;
    for number in 1..=2 {
        network.leave(cell.radio(number), &name(number))?;
        network.join(cell.radio(number), &name(number), CHANNELS[1])?;
    }
    cell.wait_for_ping(1, 2)?;
    cell.wait_for_ping(2, 1)?;
    cell.stop()
}

pub(super) fn a_radio_leaves_an_ibss_comes_back_and_changes_its_channel() -> Result<()> {
    leave_and_join(Network::Ibss)
}

pub(super) fn a_radio_leaves_an_802_11s_mesh_comes_back_and_changes_its_channel() -> Result<()> {
    leave_and_join(Network::Mesh)
}

/// The interface of a radio is deleted and made anew, again and again, while its stations are asked for.
pub(super) fn v_21_a_radio_that_vanishes_while_it_is_asked_harms_nobody() -> Result<()> {
    let mut cell = Cell::build("N-N", Network::Ibss)?;
    cell.set_algorithm(Algorithm::BatmanV);
    cell.start()?;
    cell.wait_for_ping(1, 2)?;
    let name = cell.node(1).interface(1);
    for _ in 0..3 {
        cell.radio(1).iw(&["dev", &name, "del"])?;
        cell.wait("a deleted radio is not used", |cell| Ok(!is_active(cell, 1)?))?;
        cell.radio(1).add_interface(&name, &["ibss"], hard_address(1, 1))?;
        cell.node(1).space().set_link(&name, &[Set::Up])?;
        cell.network.join(cell.radio(1), &name, CHANNELS[0])?;
        cell.wait_for_ping(1, 2)?;
        cell.nobody_died()?;
    }
    // The other end forgets the station; what it is asked about is not there any more.
    let station = cell.node(1).address(1);
    for _ in 0..5 {
        // It may be gone already, and comes back with the next frame.
        let _ = cell.radio(2).iw(&["dev", &cell.node(2).interface(1), "station", "del", &station]);
        cell.wait_for_ping(2, 1)?;
    }
    cell.stop()
}
