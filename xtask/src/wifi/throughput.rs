//! What nl80211 says of a station, as `iw`, the kernel module and ours read it (V-21).

use anyhow::{Context, Result};

use super::PATIENCE;
use super::air::CHANNELS;
use super::beside;
use super::cell::{Cell, LEGACY_RATE, Network};
use crate::interop::node::{Algorithm, Kind};
use crate::lab::wait_for;

/// Lets the radios of an IBSS send with one old rate only: what is expected of that does not depend on how many frames go
/// at a time.
pub(super) fn fix_rates(cell: &Cell) -> Result<()> {
    for (radio, node) in cell.radios.iter().zip(&cell.nodes) {
        let name = node.interface(1);
        cell.network.leave(radio, &name)?;
        Network::LegacyIbss.join(radio, &name, CHANNELS[0])?;
        // Refused before the radio has found its way into the new network.
        let set = || radio.iw(&["dev", &name, "set", "bitrates", "legacy-2.4", LEGACY_RATE]);
        wait_for(PATIENCE, "the rate is set", set)?;
    }
    Ok(())
}

/// What `iw` shows of the other node's station, in kbit/s.
fn by_iw(cell: &Cell) -> Result<u32> {
    let station = cell.node(2).address(1);
    let dump =
        cell.radio(1).iw(&["dev", &cell.node(1).interface(1), "station", "get", &station])?;
    let line = dump.lines().find_map(|line| line.trim().strip_prefix("expected throughput:"));
    let number = line.context("no expected throughput")?.trim().trim_end_matches("Mbps");
    let whole: f64 = number.trim().parse().with_context(|| format!("odd number {number}"))?;
    Ok((whole * 1000.0) as u32)
}

/// What the node's own table shows of its neighbour and of the route to it, in kbit/s.
fn by_node(cell: &Cell) -> Result<[u32; 2]> {
    let (node, other) = (cell.node(1), cell.node(2));
    let rows = node.neighbors()?;
    let row = rows.iter().find(|row| row.neigh_address == other.address(1));
    let route = node.route_to(other)?.context("no route")?;
    Ok([row.context("no neighbour")?.throughput, route.throughput])
}

/// One radio, first under the kernel module, then under ours: both show what `iw` does.
pub(super) fn v_21_throughput_of_a_station_is_what_the_kernel_module_reads() -> Result<()> {
    let mut cell = Cell::build("K-K", Network::Ibss)?;
    cell.set_algorithm(Algorithm::BatmanV);
    fix_rates(&cell)?;
    cell.start()?;
    for kind in [Kind::Kernel, Kind::Noctule] {
        let first = cell.node_mut(1);
        if first.kind != kind {
            first.stop()?;
            first.kind = kind;
            first.start()?;
        }
        cell.wait_for_ping(1, 2)?;
        // Both count in steps of 100 kbit/s, and an average that rises stops one step short (V-29).
        let settled = cell.wait("the table shows what iw does", |cell| {
            let iw = by_iw(cell)?;
            Ok(iw > 0 && by_node(cell)?.iter().all(|shown| shown.abs_diff(iw) <= 200))
        });
        beside::show(&[cell.node(1), cell.node(2)])?;
        println!("    iw: {} kbit/s", by_iw(&cell)?);
        settled?;
    }
    cell.stop()
}
