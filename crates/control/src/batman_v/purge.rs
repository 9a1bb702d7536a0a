//! What has not been heard of for long is forgotten (section 13).

use super::BatmanV;
use super::originator::{Candidate, Originator};
use crate::decisions::{Decided, Reason};
use crate::interfaces::Interfaces;
use crate::routing::RoutingEvent;
use crate::{Context, Event};
use core::time::Duration;
use noctule_fib::{Iface, NextHop, View};
use noctule_wire::Mac;
use std::collections::BTreeSet;

/// A candidate that delivered nothing for longer is forgotten (PURGE).
const CANDIDATE_TIMEOUT: Duration = Duration::from_secs(200);
/// An originator nobody delivered for longer is forgotten.
const ORIGINATOR_TIMEOUT: Duration = Duration::from_secs(400);
/// Period of the purge.
pub(super) const TICK: Duration = Duration::from_secs(1);

impl BatmanV {
    /// Removes what timed out or uses an interface that is not active, and chooses routers anew where something was
    /// removed (V-81).
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

    /// Says of each originator whether the neighbour that leads there has been silent for some time.
    pub(super) fn doubt(&mut self, ctx: &mut Context<'_>) {
        let silent: BTreeSet<NextHop> = self
            .neighbours
            .iter()
            .filter(|(_, neighbour)| neighbour.is_doubtful(ctx.now))
            .map(|(hop, _)| *hop)
            .collect();
        for originator in self.originators.values_mut() {
            let router = originator.router(View::Default);
            let doubtful = router.is_some_and(|router| silent.contains(&router));
            if core::mem::replace(&mut originator.doubtful, doubtful) != doubtful {
                ctx.fib.set_doubtful(originator.mac, doubtful);
            }
        }
    }

    fn remove(
        &mut self,
        ctx: &mut Context<'_>,
        interfaces: &Interfaces,
        is_gone: impl Fn(&Originator) -> bool,
        goes: impl Fn(&Candidate) -> bool,
        reason: Reason,
    ) {
        let gone: Vec<_> =
            self.originators.values().filter(|o| is_gone(o)).map(|o| o.mac).collect();
        for mac in gone {
            self.forget(ctx, mac);
        }
        let down: Vec<_> = Iface::all()
            .filter(|iface| interfaces.active(*iface).is_none())
            .map(View::Arrival)
            .collect();
        let macs: Vec<_> = self.originators.keys().copied().collect();
        for mac in macs {
            let Some(originator) = self.originators.get_mut(&mac) else { continue };
            let mut changed = originator.candidates.iter().any(&goes);
            for view in &down {
                if originator.remove_view(*view) {
                    ctx.fib.set_router(mac, *view, None);
                    changed = true;
                }
            }
            if changed {
                let router = originator.router(View::Default);
                let down = router.is_some_and(|hop| interfaces.active(hop.iface).is_none());
                let reason = if down { Reason::InterfaceDown } else { reason };
                self.drop_candidates(ctx, mac, reason, &goes);
            }
        }
    }

    /// Forgets an originator, whatever is known of it.
    pub(super) fn forget(&mut self, ctx: &mut Context<'_>, mac: Mac) {
        let Some(originator) = self.originators.remove(&mac) else { return };
        for candidate in originator.candidates {
            self.release(ctx, candidate.hop);
        }
        ctx.fib.remove_originator(mac);
        ctx.event(Event::OriginatorGone(mac));
        self.events.push_back(RoutingEvent::Gone(mac));
    }

    /// Removes candidates of an originator, and chooses the router anew in every view (V-81).
    fn drop_candidates(
        &mut self,
        ctx: &mut Context<'_>,
        mac: Mac,
        reason: Reason,
        goes: impl Fn(&Candidate) -> bool,
    ) {
        let Some(originator) = self.originators.get_mut(&mac) else { return };
        let path = |view| originator.path(originator.router(view)?, view);
        let before = path(View::Default).map_or(0, |path| path.throughput.0);
        let going: Vec<_> = originator.candidates.extract_if(.., |c| goes(c)).collect();
        for candidate in going {
            self.release(ctx, candidate.hop);
        }
        let views: Vec<_> = self.views().collect();
        for view in views {
            let Some(originator) = self.originators.get(&mac) else { return };
            if originator.view(view).is_none() {
                continue;
            }
            let best = best_candidate(originator, view);
            let old = originator.router(view);
            if best != old {
                let stays = old.is_some_and(|old| originator.candidate(old).is_some());
                let reason = if stays { Reason::ChosenAnew } else { reason };
                self.set_router(ctx, mac, view, best, Decided::new(reason, before));
            }
        }
        self.publish_metric(ctx, mac);
    }

    /// A candidate that refers to a neighbour is gone.
    pub(super) fn release(&mut self, ctx: &mut Context<'_>, hop: NextHop) {
        if self.neighbours.release(hop) {
            ctx.event(Event::NeighbourGone(hop));
            self.events.push_back(RoutingEvent::NeighboursChanged);
        }
    }
}

/// The candidate with the highest throughput, by the signed difference; of equals the newest.
fn best_candidate(originator: &Originator, view: View) -> Option<NextHop> {
    let mut best: Option<(u32, NextHop)> = None;
    for candidate in originator.candidates.iter().rev() {
        let Some(path) = candidate.path(view) else { continue };
        let throughput = path.throughput.0;
        if best.is_none_or(|(highest, _)| throughput.wrapping_sub(highest).cast_signed() > 0) {
            best = Some((throughput, candidate.hop));
        }
    }
    best.map(|(_, hop)| hop)
}
