//! What is remembered of each originator: its windows, its candidates and its routers, view by view (IV-06 to IV-10).

use super::tq::TqRing;
use super::window::{Step, Window};
use crate::decisions::Decisions;
use core::time::Duration;
use noctule_fib::{Iface, NextHop, View};
use noctule_wire::{Instant, Mac, SeqNo};
use std::collections::BTreeMap;

/// No second sequence reset inside this time (RESET_PROT, IV-42).
const RESET_PROTECTION: Duration = Duration::from_secs(30);

/// A neighbour that delivers OGMs of an originator: a possible next hop (IV-07).
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) hop: NextHop,
    /// Last time a record of it counted (IV-91).
    pub(super) last_seen: Instant,
}

/// What one view knows of one candidate.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Delivery {
    pub(super) ring: TqRing,
    /// Which sequence numbers it delivered.
    pub(super) received: Window,
}

/// One routing table's knowledge of an originator.
#[derive(Clone, Debug, Default)]
pub(super) struct Route {
    /// Index of the selected candidate.
    pub(super) router: Option<usize>,
    last_seq: SeqNo,
    /// Whether `last_seq` was ever set: from 0 to the first number is no restart worth telling.
    started: bool,
    last_ttl: u8,
    reset_at: Option<Instant>,
    /// Views of real interfaces: which of our own OGMs this originator, as a neighbour, sent back there.
    pub(super) echo: Window,
    /// Parallel to the originator's candidates, `None` or missing at the end where this view has no state yet.
    deliveries: Vec<Option<Delivery>>,
}

impl Route {
    /// The view's state of one candidate.
    pub(super) fn delivery(&self, candidate: usize) -> Option<&Delivery> {
        self.deliveries.get(candidate)?.as_ref()
    }

    /// The view's state of one candidate, made if missing.
    pub(super) fn delivery_mut(&mut self, candidate: usize) -> &mut Delivery {
        if self.deliveries.len() <= candidate {
            self.deliveries.resize(candidate + 1, None);
        }
        self.deliveries[candidate].get_or_insert_default()
    }

    /// Average quality by one candidate; 0 without state.
    pub(super) fn average(&self, candidate: usize) -> u8 {
        self.delivery(candidate).map_or(0, |delivery| delivery.ring.average())
    }

    /// Average quality by the router; 0 without one.
    pub(super) fn router_average(&self) -> u8 {
        self.router.map_or(0, |router| self.average(router))
    }

    /// Whether a record with this number and TTL may still count after the first copy of it (IV-58).
    pub(super) fn is_newest(&self, seqno: SeqNo, ttl: u8) -> bool {
        self.last_seq == seqno && i16::from(self.last_ttl) - 3 <= i16::from(ttl)
    }

    /// A new sequence number by one candidate: the others fall behind (IV-67), and the TTL is remembered (IV-70).
    pub(super) fn age_others(&mut self, candidate: Option<usize>, ttl: u8) {
        self.last_ttl = ttl;
        for (index, delivery) in self.deliveries.iter_mut().enumerate() {
            if let Some(delivery) = delivery.as_mut().filter(|_| Some(index) != candidate) {
                delivery.ring.push(0);
            }
        }
    }
}

/// Whether a sequence number was seen before (IV-43).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Duplicate {
    /// By nobody.
    No,
    /// By another candidate.
    Originator,
    /// By this very neighbour on this very interface.
    Neighbour,
}

/// What the sequence number of a record means to one view (IV-42 to IV-45).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tracked {
    /// Too far from the last one, too soon after the last reset: the record does not count.
    Protected,
    /// It counts.
    Counted {
        duplicate: Duplicate,
        /// The originator counts anew.
        reset: bool,
        /// It counted differently before, as far as this view knows.
        restarted: bool,
    },
}

/// Somebody who emits OGMs: one hard interface of one node (IV-10).
#[derive(Clone, Debug)]
pub(super) struct Originator {
    pub(super) mac: Mac,
    /// When it appeared.
    pub(super) since: Instant,
    pub(super) last_seen: Instant,
    /// The neighbour that it is charged to, if its default route leads by another node (`eviction`).
    pub(super) charged: Option<NextHop>,
    /// Oldest first. The protocol's list order is newest first (IV-90).
    pub(super) candidates: Vec<Candidate>,
    /// By [`View::index`]; `None` or missing at the end where a view was never needed (IV-08).
    views: Vec<Option<Route>>,
    /// Sequence number of the last OGM whose TVLVs were used (TVLV-22).
    tvlv_seq: Option<SeqNo>,
    /// The metric readers see.
    pub(super) metric: u8,
    /// Whether the neighbour that leads there is in doubt, as last published.
    pub(super) doubtful: bool,
    /// Why the default route is the way it is.
    pub(super) decisions: Decisions,
}

impl Originator {
    fn new(mac: Mac, now: Instant) -> Self {
        Self {
            mac,
            since: now,
            last_seen: now,
            charged: None,
            candidates: Vec::new(),
            views: vec![Some(Route::default())],
            tvlv_seq: None,
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

    /// One view, only if it exists.
    pub(super) fn view_if_any(&mut self, view: View) -> Option<&mut Route> {
        self.views.get_mut(view.index())?.as_mut()
    }

    /// Forgets a view; the default one is never asked for (IV-89).
    pub(super) fn remove_view(&mut self, view: View) -> Option<Route> {
        self.views.get_mut(view.index())?.take()
    }

    /// The router in one view.
    pub(super) fn router(&self, view: View) -> Option<NextHop> {
        self.view(view)?.router.and_then(|router| self.candidates.get(router)).map(|c| c.hop)
    }

    /// Whether some view has a router.
    pub(super) fn has_router(&self) -> bool {
        self.views.iter().flatten().any(|route| route.router.is_some())
    }

    /// Number of the candidate with this next hop.
    pub(super) fn candidate(&self, hop: NextHop) -> Option<usize> {
        self.candidates.iter().position(|candidate| candidate.hop == hop)
    }

    /// Average quality by the router in one view.
    pub(super) fn router_average(&self, view: View) -> u8 {
        self.view(view).map_or(0, Route::router_average)
    }

    /// How many of our OGMs of an interface it sent back there.
    pub(super) fn echoes(&self, iface: Iface) -> u32 {
        self.view(View::Arrival(iface)).map_or(0, |route| route.echo.count())
    }

    /// Whether it sent back one of our OGMs, on any link.
    pub(super) fn has_echoed(&self) -> bool {
        self.views.iter().flatten().any(|route| route.echo.count() > 0)
    }

    /// Takes the sequence number of a record that `hop` delivered into one view's windows.
    pub(super) fn track(
        &mut self,
        view: View,
        hop: NextHop,
        seqno: SeqNo,
        now: Instant,
    ) -> Tracked {
        let from = self.candidate(hop);
        let candidates = self.candidates.len();
        let route = self.view_mut(view);
        if candidates == 0 {
            // Nobody's window could move, so the number is not remembered either (IV-46).
            return Tracked::Counted { duplicate: Duplicate::No, reset: false, restarted: false };
        }
        let ahead = seqno.ahead_of(route.last_seq);
        let step = Step::of(ahead);
        let reset = step == Step::Restart;
        if reset {
            if route.reset_at.is_some_and(|at| !at.timed_out(now, RESET_PROTECTION)) {
                return Tracked::Protected;
            }
            route.reset_at = Some(now);
        }
        let restarted = reset && route.started;
        let mut duplicate = Duplicate::No;
        for index in 0..candidates {
            let received = &mut route.delivery_mut(index).received;
            let is_sender = from == Some(index);
            if ahead <= 0 && received.contains(ahead.wrapping_neg()) {
                if is_sender {
                    duplicate = Duplicate::Neighbour;
                } else if duplicate == Duplicate::No {
                    duplicate = Duplicate::Originator;
                }
            }
            let age = match step {
                Step::Inside(age) => age,
                Step::Ahead(steps) => {
                    received.slide(steps);
                    0
                }
                Step::Jump | Step::Restart => {
                    *received = Window::default();
                    0
                }
            };
            if is_sender {
                received.mark(age);
            }
        }
        if step.moves() {
            route.last_seq = seqno;
            route.started = true;
        }
        Tracked::Counted { duplicate, reset, restarted }
    }

    /// Whether the TVLVs of an OGM with this number are to be used, and if so remembers it (TVLV-22). `reset`: the
    /// default view started over with it.
    pub(super) fn takes_tvlvs(&mut self, seqno: SeqNo, reset: bool) -> bool {
        let newer = reset
            || self.tvlv_seq.is_none_or(|last| {
                let ahead = seqno.ahead_of(last);
                ahead > 0 || ahead <= -Window::LEN
            });
        if newer {
            self.tvlv_seq = Some(seqno);
        }
        newer
    }

    /// Removes the candidates that `goes` chooses, in every view, and returns them. Routers are to be chosen again then.
    pub(super) fn remove_candidates(
        &mut self,
        goes: impl Fn(&Candidate) -> bool,
    ) -> Vec<Candidate> {
        let mut removed = Vec::new();
        for index in (0..self.candidates.len()).rev() {
            if goes(&self.candidates[index]) {
                removed.push(self.candidates.remove(index));
                for route in self.views.iter_mut().flatten() {
                    if index < route.deliveries.len() {
                        route.deliveries.remove(index);
                    }
                }
            }
        }
        removed
    }
}

/// A place in the table of originators, good until something is removed from it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Slot(usize);

/// All originators. Records touch the same few several times, so they are found by address once and by place then.
#[derive(Debug, Default)]
pub(super) struct Originators {
    index: BTreeMap<Mac, Slot>,
    slots: Vec<Option<Originator>>,
    free: Vec<Slot>,
}

impl Originators {
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    pub(super) fn slot(&self, mac: Mac) -> Option<Slot> {
        self.index.get(&mac).copied()
    }

    pub(super) fn find(&self, mac: Mac) -> Option<&Originator> {
        self.slot(mac).map(|slot| self.get(slot))
    }

    pub(super) fn get(&self, slot: Slot) -> &Originator {
        self.slots[slot.0].as_ref().expect("a slot is not kept across a removal")
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> &mut Originator {
        self.slots[slot.0].as_mut().expect("a slot is not kept across a removal")
    }

    /// Adds an originator that is not there yet.
    pub(super) fn insert(&mut self, mac: Mac, now: Instant) -> Slot {
        let originator = Some(Originator::new(mac, now));
        let slot = if let Some(slot) = self.free.pop() {
            self.slots[slot.0] = originator;
            slot
        } else {
            self.slots.push(originator);
            Slot(self.slots.len() - 1)
        };
        self.index.insert(mac, slot);
        slot
    }

    pub(super) fn remove(&mut self, mac: Mac) -> Option<Originator> {
        let slot = self.index.remove(&mac)?;
        self.free.push(slot);
        self.slots[slot.0].take()
    }

    /// Places of all originators, in order of their addresses.
    pub(super) fn in_order(&self) -> impl Iterator<Item = Slot> + '_ {
        self.index.values().copied()
    }

    /// All originators, in order of their addresses.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Originator> {
        self.in_order().map(|slot| self.get(slot))
    }

    /// All originators, in no particular order: for changes that do not depend on it.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Originator> {
        self.slots.iter_mut().flatten()
    }

    /// How many places there are, taken or free.
    #[cfg(test)]
    pub(super) fn places(&self) -> usize {
        self.slots.len()
    }
}
