//! Three nodes on one channel, of which the outer two do not hear each other: the one between relays on the radio that it
//! hears with.

use anyhow::{Result, ensure};

use super::beside;
use super::cell::{Cell, Network};
use super::throughput::fix_rates;
use crate::interop::node::Algorithm;

/// What the end of a chain shows for its other end once the windows are full (IV-111), and what IV-109 allows below it.
const RELAYED: std::ops::RangeInclusive<u8> = 186..=198;

/// A chain with B.A.T.M.A.N. IV: traffic crosses it, and the ends see the penalty of a relay that hears and sends with one radio.
fn quality(kinds: &str, network: Network) -> Result<()> {
    let mut cell = Cell::build(kinds, network)?;
    cell.make_chain()?;
    cell.start()?;
    cell.wait_for_ping(1, 3)?;
    let relayed = |cell: &Cell, from: usize, to: usize| -> Result<bool> {
        let route = cell.node(from).route_to(cell.node(to))?;
        Ok(route.is_some_and(|route| {
            RELAYED.contains(&route.tq) && route.neigh_address == cell.node(2).originator()
        }))
    };
    let settled = cell.wait("both ends see each other with the quality of IV-111", |cell| {
        Ok(relayed(cell, 1, 3)? && relayed(cell, 3, 1)?)
    });
    beside::show(&[cell.node(1), cell.node(2), cell.node(3)])?;
    settled?;
    cell.stop()
}

pub(super) fn iv_111_ours_relays_between_kernel_nodes_on_one_radio() -> Result<()> {
    quality("K-N-K", Network::Ibss)
}

pub(super) fn iv_111_the_kernel_relays_between_ours_on_one_radio() -> Result<()> {
    quality("N-K-N", Network::Ibss)
}

pub(super) fn iv_111_a_chain_in_an_802_11s_mesh() -> Result<()> {
    quality("N-N-K", Network::Mesh)
}

/// A chain with B.A.T.M.A.N. V: half the throughput is left behind such a relay (V-63).
fn throughput(kinds: &str) -> Result<()> {
    let mut cell = Cell::build(kinds, Network::Ibss)?;
    cell.make_chain()?;
    cell.set_algorithm(Algorithm::BatmanV);
    fix_rates(&cell)?;
    cell.start()?;
    cell.wait_for_ping(1, 3)?;
    let seen = |cell: &Cell, to: usize| -> Result<u32> {
        let route = cell.node(1).route_to(cell.node(to))?;
        Ok(route.map_or(0, |route| route.throughput))
    };
    let halved = cell.wait("the far node has half the throughput of the near one", |cell| {
        let (near, far) = (seen(cell, 2)?, seen(cell, 3)?);
        // All links are as fast, up to what an average moves.
        Ok(near > 2000 && (near / 2).abs_diff(far) <= near / 20)
    });
    beside::show(&[cell.node(1), cell.node(2), cell.node(3)])?;
    halved?;
    ensure!(seen(&cell, 3)? > 0, "the far node vanished");
    cell.stop()
}

pub(super) fn v_63_ours_relays_on_one_radio_at_half_the_throughput() -> Result<()> {
    throughput("K-N-K")
}

pub(super) fn v_63_the_kernel_relays_on_one_radio_at_half_the_throughput() -> Result<()> {
    throughput("N-K-N")
}
