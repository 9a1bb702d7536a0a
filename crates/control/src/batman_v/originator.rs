//! What is remembered of each originator: its candidates and, view by view, its numbers and its router (V-07, V-08).

use crate::decisions::Decisions;
use core::time::Duration;
use noctule_fib::{NextHop, View};
use noctule_wire::ogm2::Throughput;
use noctule_wire::{Instant, Mac, SeqNo};

/// As far behind a number is a restart (OGM_MAX_AGE).
const WINDOW: i32 = 64;
/// As far ahead, too (SEQ_RANGE).
const SEQ_RANGE: i32 = 65_536;
/// No second restart inside this time (RESET_PROT).
const RESET_PROTECTION: Duration = Duration::from_secs(30);

/// What one view knows of the way by one candidate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Path {
    /// Penalties of this view included (V-65).
    pub(super) throughput: Throughput,
    /// Number of its last record that counted.
    pub(super) last_seq: SeqNo,
}

/// A neighbour that delivers OGM2s of an originator, or is one of its interfaces: a possible next hop.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) hop: NextHop,
    /// Last ELP, or last record that counted (V-82).
    pub(super) last_seen: Instant,
    /// By [`View::index`]; `None` or missing at the end where a view knows nothing.
    paths: Vec<Option<Path>>,
}

impl Candidate {
    pub(super) fn path(&self, view: View) -> Option<&Path> {
        self.paths.get(view.index())?.as_ref()
    }

    pub(super) fn set_path(&mut self, view: View, path: Path) {
        let index = view.index();
        if self.paths.len() <= index {
            self.paths.resize(index + 1, None);
        }
        self.paths[index] = Some(path);
    }
}

/// One routing table's knowledge of an originator.
#[derive(Clone, Debug, Default)]
pub(super) struct Route {
    pub(super) router: Option<NextHop>,
    /// Starts at 0, which decides how a first number is taken (V-60).
    last_seq: SeqNo,
    /// Whether a number was taken already: from 0 to the first one is no restart worth telling.
    started: bool,
    /// Number of the record that was last sent on.
    pub(super) last_forwarded: SeqNo,
    reset_at: Option<Instant>,
}

/// What the sequence number of a record means to one view (V-54 to V-57).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tracked {
    /// Too far from the last one, too soon after the last restart.
    Protected,
    /// Older than the newest.
    Old,
    /// It counts.
    Counted {
        /// The first copy of this number.
        fresh: bool,
        /// The originator counts differently from before, as far as this view knows.
        restarted: bool,
    },
}

impl Route {
    /// Takes a sequence number in.
    pub(super) fn track(&mut self, seqno: SeqNo, now: Instant) -> Tracked {
        let ahead = seqno.ahead_of(self.last_seq);
        let restart = ahead <= -WINDOW || ahead >= SEQ_RANGE;
        if restart {
            if self.reset_at.is_some_and(|at| !at.timed_out(now, RESET_PROTECTION)) {
                return Tracked::Protected;
            }
            self.reset_at = Some(now);
        } else if ahead < 0 {
            return Tracked::Old;
        }
        let restarted = restart && self.started;
        self.started = true;
        self.last_seq = seqno;
        Tracked::Counted { fresh: ahead > 0 || restart, restarted }
    }
}

/// A node of the mesh, by the address of its primary interface.
#[derive(Clone, Debug)]
pub(super) struct Originator {
    pub(super) mac: Mac,
    /// Creation, then OGM2s that counted (V-82).
    pub(super) last_seen: Instant,
    /// Oldest first. The protocol's list order is newest first.
    pub(super) candidates: Vec<Candidate>,
    /// By [`View::index`]; `None` or missing at the end where a view was never computed (V-78).
    views: Vec<Option<Route>>,
    /// The metric readers see.
    pub(super) metric: u32,
    /// Whether the neighbour that leads there is in doubt, as last published.
    pub(super) doubtful: bool,
    /// Why the default route is the way it is.
    pub(super) decisions: Decisions,
}

impl Originator {
    pub(super) fn new(mac: Mac, now: Instant) -> Self {
        Self {
            mac,
            last_seen: now,
            candidates: Vec::new(),
            views: Vec::new(),
            metric: 0,
            doubtful: false,
            decisions: Decisions::default(),
        }
    }

    /// One view, if it exists.
    pub(super) fn view(&self, view: View) -> Option<&Route> {
        self.views.get(view.index())?.as_ref()
    }

    /// One view, made if missing.
    pub(super) fn view_mut(&mut self, view: View) -> &mut Route {
        let index = view.index();
        if self.views.len() <= index {
            self.views.resize(index + 1, None);
        }
        self.views[index].get_or_insert_default()
    }

    /// Forgets a view, whatever its candidates delivered to it included. Whether it was there.
    pub(super) fn remove_view(&mut self, view: View) -> bool {
        for candidate in &mut self.candidates {
            if let Some(path) = candidate.paths.get_mut(view.index()) {
                *path = None;
            }
        }
        self.views.get_mut(view.index()).is_some_and(|route| route.take().is_some())
    }

    /// The router in one view.
    pub(super) fn router(&self, view: View) -> Option<NextHop> {
        self.view(view)?.router
    }

    /// Whether some view has a router.
    pub(super) fn has_router(&self) -> bool {
        self.views.iter().flatten().any(|route| route.router.is_some())
    }

    /// The candidate with this next hop.
    pub(super) fn candidate(&self, hop: NextHop) -> Option<&Candidate> {
        self.candidates.iter().find(|candidate| candidate.hop == hop)
    }

    /// The same, to change it.
    pub(super) fn candidate_mut(&mut self, hop: NextHop) -> Option<&mut Candidate> {
        self.candidates.iter_mut().find(|candidate| candidate.hop == hop)
    }

    /// Adds a candidate that is not there yet.
    pub(super) fn add_candidate(&mut self, hop: NextHop, now: Instant) {
        self.candidates.push(Candidate { hop, last_seen: now, paths: Vec::new() });
    }

    /// What one view knows of the way by a candidate.
    pub(super) fn path(&self, hop: NextHop, view: View) -> Option<&Path> {
        self.candidate(hop)?.path(view)
    }
}
