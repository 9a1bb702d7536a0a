//! What the rest of the engine may ask of a routing algorithm.

use crate::ChangeRow;
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

    /// As a plain number; larger is better.
    pub const fn value(self) -> u32 {
        match self {
            Self::Tq(tq) => tq as u32,
            Self::Throughput(Throughput(units)) => units,
        }
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

/// All that decides about the default route to an originator.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteReport {
    /// Towards whom.
    pub originator: Mac,
    /// How long ago it was heard of.
    pub last_seen: Duration,
    /// Its possible next hops, newest first.
    pub candidates: Vec<CandidateRow>,
    /// After how long without any OGM frame another next hop is looked for; `None` with B.A.T.M.A.N. V, which goes by the
    /// numbers of OGMs (V-67).
    pub silent_after: Option<Duration>,
    /// The last changes of the route, newest first.
    pub changes: Vec<ChangeRow>,
}

/// Why the default route is what it is, as of now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Nobody delivers its OGMs.
    NobodyDelivers,
    /// Its OGMs arrive, but no neighbour that delivers them has sent back an OGM of ours: nobody knows whether we are
    /// heard (IV-61, IV-65), or no OGM2 came at all.
    NotBidirectional,
    /// Nothing is heard of the next hop, and there is no other: the route stays (IV-77).
    SilentButAlone,
    /// There is no other next hop that is any good.
    Only,
    /// The next hop is better than all others.
    Best,
    /// Another one is as good, but not better: that never switches (IV-73, V-67).
    Equal,
    /// Another one is better by now, and takes over with its next OGM that counts (IV-71, V-66).
    Overtaken,
}

impl RouteReport {
    /// The next hop.
    pub fn chosen(&self) -> Option<&CandidateRow> {
        self.candidates.iter().find(|row| row.chosen)
    }

    /// The best of the others, if one is any good.
    pub fn rival(&self) -> Option<&CandidateRow> {
        let others = self.candidates.iter().filter(|row| !row.chosen && row.metric.value() > 0);
        others.max_by_key(|row| row.metric)
    }

    /// Why the route is what it is, as of now.
    pub fn verdict(&self) -> Verdict {
        let Some(chosen) = self.chosen() else {
            let none = self.candidates.is_empty();
            return if none { Verdict::NobodyDelivers } else { Verdict::NotBidirectional };
        };
        match self.rival() {
            None if self.is_silent(chosen) => Verdict::SilentButAlone,
            None => Verdict::Only,
            Some(rival) if rival.metric < chosen.metric => Verdict::Best,
            Some(rival) if rival.metric == chosen.metric => Verdict::Equal,
            Some(_) => Verdict::Overtaken,
        }
    }

    /// Whether a candidate counts as silent (B.A.T.M.A.N. IV).
    pub fn is_silent(&self, row: &CandidateRow) -> bool {
        self.silent_after.zip(row.heard).is_some_and(|(limit, heard)| heard > limit)
    }
}

/// A possible next hop, with all that decides whether it is the one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CandidateRow {
    /// Which.
    pub hop: NextHop,
    /// How good the way is.
    pub metric: Metric,
    /// Whether it is the next hop.
    pub chosen: bool,
    /// How long ago a record of the originator that came by it counted.
    pub last_seen: Duration,
    /// How long ago the neighbour itself was heard.
    pub heard: Option<Duration>,
    /// What the metric is made of.
    pub seen: Seen,
}

/// What was seen of a candidate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Seen {
    /// B.A.T.M.A.N. IV.
    Windows {
        /// How many of the last 64 OGMs of the originator it delivered (IV-07).
        received: u32,
        /// How many of our own last 64 OGMs the neighbour sent back (IV-06).
        echoed: u32,
    },
    /// B.A.T.M.A.N. V.
    Link {
        /// Smoothed speed of the link to the neighbour.
        throughput: Option<Throughput>,
        /// How many OGMs it is ahead of the next hop that is used; negative: behind.
        ahead: i32,
        /// Whether an OGM of the originator came by it at all; if not, it is only known from ELP.
        delivers: bool,
    },
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
