//! What nl80211 says of a station, as `iw`, the kernel module and ours read it (V-21).

use anyhow::{Context, Result};

use super::beside;
use super::cell::{Cell, Network};
use crate::interop::node::{Algorithm, Kind};

/// Lets the radios send with one rate only. What is expected of it still moves by a few hundredths.
pub(super) fn fix_rates(cell: &Cell) -> Result<()> {
    for (radio, node) in cell.radios.iter().zip(&cell.nodes) {
        radio.iw(&["dev", &node.interface(1), "set", "bitrates", "ht-mcs-2.4", "5"])?;
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
    // Behind the point are kbit/s without leading zeros: 30.29 is 30029.
    let (mbit, kbit) = number.split_once('.').context("no point")?;
    Ok(mbit.parse::<u32>()? * 1000 + kbit.parse::<u32>()?)
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
        // Tables show the average of the last samples (V-27), iw what is expected now.
        let settled = cell.wait("the table shows what iw does", |cell| {
            let iw = by_iw(cell)?;
            Ok(iw > 0 && by_node(cell)?.iter().all(|shown| shown.abs_diff(iw) <= iw / 20))
        });
        beside::show(&[cell.node(1), cell.node(2)])?;
        println!("    iw: {} kbit/s", by_iw(&cell)?);
        settled?;
    }
    cell.stop()
}
