//! What the rest of the engine may ask of a routing algorithm.

use core::time::Duration;
use noctule_fib::{Iface, NextHop, View};
use noctule_wire::Mac;
use noctule_wire::ogm2::Throughput;

/// What a routing algorithm tells the rest of the engine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum RoutingEvent {
    /// TVLVs of an OGM of `originator` that is newer than the last one whose TVLVs were used (IV-55, TVLV-22, V-58).
    Tvlvs {
        originator: Mac,
        /// Whether it had a default route before this record (TT-84).
        had_router: bool,
        area: Vec<u8>,
    },
    /// The last router of `originator` in some view is gone (IV-75, TT-73).
    RouteLost(Mac),
    /// The originator is forgotten (IV-88).
    Gone(Mac),
    /// The neighbours of some interface may have changed (IV-92).
    NeighboursChanged,
}

/// How good a way is, in the measure of the algorithm that found it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Metric {
    /// B.A.T.M.A.N. IV: average quality, 0 to 255.
    Tq(u8),
    /// B.A.T.M.A.N. V: the slowest link on the way, less penalties.
    Throughput(Throughput),
}

impl Metric {
    /// The quality, if it is one.
    pub const fn tq(self) -> Option<u8> {
        if let Self::Tq(tq) = self { Some(tq) } else { None }
    }

    /// The throughput, if it is one.
    pub const fn throughput(self) -> Option<Throughput> {
        if let Self::Throughput(throughput) = self { Some(throughput) } else { None }
    }
}

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
    /// How good the way by this neighbour is.
    pub metric: Metric,
    /// How long ago the originator was heard of.
    pub last_seen: Duration,
    /// Whether this neighbour is the next hop.
    pub best: bool,
}

/// One row of the neighbour table (IV-105, V-92).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NeighbourRow {
    /// The neighbour's interface.
    pub neighbour: Mac,
    /// Our interface on that link.
    pub iface: Iface,
    /// How long ago it was heard directly.
    pub last_seen: Duration,
    /// Smoothed speed of the link; `None` with B.A.T.M.A.N. IV.
    pub throughput: Option<Throughput>,
}
