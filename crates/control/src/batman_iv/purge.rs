//! What has not been heard of for long is forgotten (section 10), and what has fallen silent is passed over.

use super::BatmanIv;
use super::neighbour::{doubtful_after, silent_after};
use super::originator::{Candidate, Originator, Slot};
use crate::decisions::{Decided, Reason};
use crate::interfaces::Interfaces;
use crate::routing::RoutingEvent;
use crate::{Context, Event};
use core::time::Duration;
use noctule_fib::{Iface, NextHop, View};
use noctule_wire::{Instant, Mac};
use std::collections::BTreeSet;

/// A candidate that delivered nothing for longer is forgotten (PURGE).
const CANDIDATE_TIMEOUT: Duration = Duration::from_secs(200);
/// An originator nobody delivered for longer is forgotten.
const ORIGINATOR_TIMEOUT: Duration = Duration::from_secs(400);
/// Period of the purge (PURGE_TICK).
pub(super) const TICK: Duration = Duration::from_secs(1);

impl BatmanIv {
    /// The tick of every second.
    pub(super) fn housekeep(&mut self, ctx: &mut Context<'_>, interfaces: &Interfaces) {
        self.purge(ctx, interfaces);
        self.doubt(ctx);
        self.pass_over_silent(ctx);
    }

    /// Says of each originator whether the neighbour that leads there has been silent for some time.
    fn doubt(&mut self, ctx: &mut Context<'_>) {
        let limit = doubtful_after(ctx.settings.orig_interval);
        let silent: BTreeSet<NextHop> = self
            .neighbours
            .iter()
            .filter(|(_, neighbour)| neighbour.heard.timed_out(ctx.now, limit))
            .map(|(hop, _)| *hop)
            .collect();
        let slots: Vec<_> = self.originators.in_order().collect();
        for slot in slots {
            let originator = self.originators.get_mut(slot);
            let doubtful = !silent.is_empty()
                && originator.router(View::Default).is_some_and(|hop| silent.contains(&hop));
            if core::mem::replace(&mut originator.doubtful, doubtful) != doubtful {
                ctx.fib.set_doubtful(originator.mac, doubtful);
            }
        }
    }

    /// Removes what timed out or uses an interface that is not active, and chooses routers anew where something was
    /// removed (IV-88 to IV-90).
    pub(super) fn purge(&mut self, ctx: &mut Context<'_>, interfaces: &Interfaces) {
        let now = ctx.now;
        self.remove(
            ctx,
            interfaces,
            |originator| originator.last_seen.timed_out(now, ORIGINATOR_TIMEOUT),
            |candidate| {
                interfaces.active(candidate.hop.iface).is_none()
                    || candidate.last_seen.timed_out(now, CANDIDATE_TIMEOUT)
            },
            Reason::TimedOut,
        );
    }

    /// Removes what was remembered of an address that is ours by now: of a device that came here from another node.
    pub(super) fn forget_own(&mut self, ctx: &mut Context<'_>, interfaces: &Interfaces) {
        self.remove(
            ctx,
            interfaces,
            |originator| interfaces.is_mine(originator.mac),
            |candidate| interfaces.is_mine(candidate.hop.mac),
            Reason::OurAddress,
        );
    }

    fn remove(
        &mut self,
        ctx: &mut Context<'_>,
        interfaces: &Interfaces,
        is_gone: impl Fn(&Originator) -> bool,
        goes: impl Fn(&Candidate) -> bool,
        reason: Reason,
    ) {
        let gone: Vec<_> = self.originators.iter().filter(|o| is_gone(o)).map(|o| o.mac).collect();
        for mac in gone {
            self.forget(ctx, mac);
        }
        let slots: Vec<_> = self.originators.in_order().collect();
        for slot in slots {
            self.remove_candidates(ctx, interfaces, slot, reason, &goes);
        }
    }

    /// Forgets an originator, whatever is known of it.
    pub(super) fn forget(&mut self, ctx: &mut Context<'_>, mac: Mac) {
        let Some(originator) = self.originators.remove(mac) else { return };
        self.neighbours.charge(originator.charged, None);
        for candidate in originator.candidates {
            self.release(ctx, candidate.hop);
        }
        ctx.fib.remove_originator(mac);
        ctx.event(Event::OriginatorGone(mac));
        self.events.push_back(RoutingEvent::Gone(mac));
    }

    /// Views of interfaces that are not active go, too (IV-89).
    fn remove_candidates(
        &mut self,
        ctx: &mut Context<'_>,
        interfaces: &Interfaces,
        slot: Slot,
        reason: Reason,
        goes: &impl Fn(&Candidate) -> bool,
    ) {
        let originator = self.originators.get_mut(slot);
        let mut changed = false;
        for iface in Iface::all().filter(|iface| interfaces.active(*iface).is_none()) {
            let view = View::Arrival(iface);
            if originator.remove_view(view).is_some() {
                ctx.fib.set_router(originator.mac, view, None);
                changed = true;
            }
        }
        if !changed && !originator.candidates.iter().any(goes) {
            return;
        }
        let router = self.originators.get(slot).router(View::Default);
        let down = router.is_some_and(|hop| interfaces.active(hop.iface).is_none());
        let reason = if down { Reason::InterfaceDown } else { reason };
        self.drop_candidates(ctx, slot, true, reason, goes);
    }

    /// Removes candidates of an originator, and chooses routers anew: in all views, or only where they lost theirs, for
    /// `reason`.
    pub(super) fn drop_candidates(
        &mut self,
        ctx: &mut Context<'_>,
        slot: Slot,
        all: bool,
        reason: Reason,
        goes: impl Fn(&Candidate) -> bool,
    ) {
        let originator = self.originators.get(slot);
        let of = |view| (view, originator.router(view), originator.router_average(view));
        let before: Vec<_> = self.views().map(of).collect();
        for candidate in self.originators.get_mut(slot).remove_candidates(&goes) {
            self.release(ctx, candidate.hop);
        }
        let mut lost = false;
        for (view, old, average) in before {
            let originator = self.originators.get_mut(slot);
            if originator.view(view).is_none() {
                continue;
            }
            let kept = old.filter(|_| !all).and_then(|old| originator.candidate(old));
            let router = kept.or_else(|| best_candidate(originator, view, |_| true));
            if router.map(|router| originator.candidates[router].hop) == old {
                // The same neighbour, perhaps by another number.
                originator.view_mut(view).router = router;
                continue;
            }
            let stays = old.is_some_and(|old| originator.candidate(old).is_some());
            let reason = if stays { Reason::ChosenAnew } else { reason };
            lost |= router.is_none();
            self.set_router(ctx, slot, view, router, Decided::new(reason, average.into()));
        }
        if lost {
            self.events.push_back(RoutingEvent::RouteLost(self.originators.get(slot).mac));
        }
        self.publish_metric(ctx, slot);
    }

    /// A candidate that refers to a neighbour is gone (IV-92).
    fn release(&mut self, ctx: &mut Context<'_>, hop: NextHop) {
        if self.neighbours.release(hop) {
            ctx.event(Event::NeighbourGone(hop));
            self.events.push_back(RoutingEvent::NeighboursChanged);
        }
    }

    /// Deals with routers whose neighbour has fallen silent, where the reference waits for records of the originator
    /// (IV-76: up to five, however rare they are or however many of them get lost) or for the timeout of 200 s (IV-77).
    /// Nothing of it shows on the wire.
    ///
    /// * A candidate that delivered the originator *after* the silence began takes over. Older knowledge is not enough:
    ///   two nodes that each lost their own way would send to each other.
    /// * If there is none, the route stays, but at metric 0: a client that another originator announces too is reached
    ///   by that one. It has its metric back with its next record.
    fn pass_over_silent(&mut self, ctx: &mut Context<'_>) {
        let limit = silent_after(ctx.settings.orig_interval);
        let silent: Vec<(NextHop, Instant)> = self
            .neighbours
            .iter()
            .filter(|(_, neighbour)| neighbour.heard.timed_out(ctx.now, limit))
            .map(|(hop, neighbour)| (*hop, neighbour.heard))
            .collect();
        if silent.is_empty() {
            return;
        }
        let fell_silent = |hop: NextHop| -> Option<Instant> {
            silent.binary_search_by_key(&hop, |(hop, _)| *hop).ok().map(|index| silent[index].1)
        };
        let slots: Vec<_> = self.originators.in_order().collect();
        for slot in slots {
            for view in self.views().collect::<Vec<_>>() {
                let originator = self.originators.get(slot);
                let Some(since) = originator.router(view).and_then(fell_silent) else { continue };
                // What it sent last may come by another neighbour a little later.
                let proof = since + ctx.settings.orig_interval.max(TICK);
                let alive = |index: usize| {
                    let candidate = &originator.candidates[index];
                    candidate.last_seen > proof && fell_silent(candidate.hop).is_none()
                };
                let better = best_candidate(originator, view, alive)
                    .filter(|index| originator.view(view).is_some_and(|v| v.average(*index) != 0));
                if better.is_some() {
                    let before = originator.router_average(view).into();
                    let decided = Decided::new(Reason::Silent, before);
                    self.set_router(ctx, slot, view, better, decided);
                    if view == View::Default {
                        self.publish_metric(ctx, slot);
                    }
                } else if view == View::Default {
                    self.set_metric(ctx, slot, 0);
                }
            }
        }
    }
}

/// The candidate with the highest average; of equals the newest (IV-90).
fn best_candidate(
    originator: &Originator,
    view: View,
    usable: impl Fn(usize) -> bool,
) -> Option<usize> {
    let route = originator.view(view)?;
    let mut best: Option<(u8, usize)> = None;
    for index in (0..originator.candidates.len()).rev().filter(|index| usable(*index)) {
        let average = route.average(index);
        if best.is_none_or(|(highest, _)| average > highest) {
            best = Some((average, index));
        }
    }
    best.map(|(_, index)| index)
}
