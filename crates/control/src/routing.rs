//! What the rest of the engine may ask of a routing algorithm.

use core::time::Duration;
use noctule_fib::{Iface, NextHop, View};
use noctule_wire::Mac;

/// A routing algorithm, as the other parts see it.
pub trait Routing {
    /// Whether this originator is known (heard of within the last 400 s).
    fn knows(&self, originator: Mac) -> bool;

    /// The next hop towards it in one view.
    fn router(&self, originator: Mac, view: View) -> Option<NextHop>;

    /// How good the default route is; larger is better, `None` without one.
    fn metric(&self, originator: Mac) -> Option<u32>;

    /// All known originators, in order of their addresses.
    fn originators(&self) -> Vec<Mac>;
}

/// One row of the originator table: a possible next hop towards an originator (IV-103).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OriginatorRow {
    /// Towards whom.
    pub originator: Mac,
    /// The neighbour that leads there.
    pub neighbour: Mac,
    /// By which interface.
    pub iface: Iface,
    /// Average quality by this neighbour, 0 to 255.
    pub tq: u8,
    /// How long ago the originator was heard of.
    pub last_seen: Duration,
    /// Whether this neighbour is the next hop.
    pub best: bool,
}

/// One row of the neighbour table (IV-105).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NeighbourRow {
    /// The neighbour's interface.
    pub neighbour: Mac,
    /// Our interface on that link.
    pub iface: Iface,
    /// How long ago it was heard directly.
    pub last_seen: Duration,
}
