//! Which candidate becomes the router of an originator in one view, and telling the data plane (section 11).

use super::BatmanV;
use super::originator::Originator;
use crate::decisions::{Decided, Reason};
use crate::routing::RoutingEvent;
use crate::{Context, Event};
use noctule_fib::{NextHop, View};
use noctule_wire::{Discard, Mac};

/// A router that lags this many numbers behind is replaced by whoever does not (ORIG_DIFF).
const LAG_MAX: i32 = 5;

impl BatmanV {
    /// Makes sure that an originator has an entry. `neighbour`: it is one.
    ///
    /// # Errors
    /// [`Discard::TableFull`] if there is no place for it (V-H2).
    pub(super) fn originator(
        &mut self,
        ctx: &mut Context<'_>,
        mac: Mac,
        neighbour: bool,
    ) -> Result<(), Discard> {
        if self.originators.contains_key(&mac) {
            return Ok(());
        }
        if !self.make_room(ctx, neighbour) {
            return Err(Discard::TableFull);
        }
        self.originators.insert(mac, Originator::new(mac, ctx.now));
        ctx.fib.add_originator(mac);
        ctx.event(Event::OriginatorAppeared(mac));
        Ok(())
    }

    /// Makes sure that a neighbour is a candidate of an originator.
    ///
    /// # Errors
    /// [`Discard::TableFull`] if the originator has too many (V-H2).
    pub(super) fn candidate(
        &mut self,
        ctx: &mut Context<'_>,
        originator: Mac,
        hop: NextHop,
    ) -> Result<(), Discard> {
        let Some(entry) = self.originators.get(&originator) else {
            return Err(Discard::UnknownOriginator);
        };
        if entry.candidate(hop).is_some() {
            return Ok(());
        }
        if entry.candidates.len() >= ctx.settings.limits.candidates {
            self.displace_candidate(ctx, originator)?;
        }
        if let Some(entry) = self.originators.get_mut(&originator) {
            entry.add_candidate(hop, ctx.now);
            self.neighbours.acquire(hop);
        }
        Ok(())
    }

    /// A record of a candidate was counted: it may become the router (V-66 to V-68).
    pub(super) fn rank(&mut self, ctx: &mut Context<'_>, mac: Mac, view: View, hop: NextHop) {
        let Some(originator) = self.originators.get(&mac) else { return };
        if let Some(decided) = takes_over(originator, view, hop) {
            self.set_router(ctx, mac, view, Some(hop), decided);
        }
        if view == View::Default {
            self.publish_metric(ctx, mac);
        }
    }

    /// Sets the router of one view, tells the others, and remembers why.
    pub(super) fn set_router(
        &mut self,
        ctx: &mut Context<'_>,
        mac: Mac,
        view: View,
        router: Option<NextHop>,
        decided: Decided,
    ) {
        let Some(originator) = self.originators.get_mut(&mac) else { return };
        let before = core::mem::replace(&mut originator.view_mut(view).router, router);
        ctx.fib.set_router(mac, view, router);
        if before.is_some() && router.is_none() {
            self.events.push_back(RoutingEvent::RouteLost(mac));
        }
        if view == View::Default {
            let path = router.and_then(|router| originator.path(router, view));
            let metric = path.map_or(0, |path| path.throughput.0);
            originator.decisions.push(ctx.now, router, metric, decided);
            ctx.event(Event::RouteChanged { originator: mac, router });
        }
    }

    /// Publishes how good the default route is, if that changed.
    pub(super) fn publish_metric(&mut self, ctx: &mut Context<'_>, mac: Mac) {
        let Some(originator) = self.originators.get_mut(&mac) else { return };
        let path = originator
            .router(View::Default)
            .and_then(|router| originator.path(router, View::Default));
        let metric = path.map_or(0, |path| path.throughput.0);
        if core::mem::replace(&mut originator.metric, metric) != metric {
            ctx.fib.set_metric(mac, metric);
        }
    }
}

/// Whether a candidate is to replace the router, and why (V-66 to V-68).
fn takes_over(originator: &Originator, view: View, hop: NextHop) -> Option<Decided> {
    let Some(router) = originator.router(view) else { return Some(Decided::new(Reason::First, 0)) };
    if router == hop {
        return None;
    }
    let new = originator.path(hop, view)?;
    let Some(old) = originator.path(router, view) else {
        return Some(Decided::new(Reason::First, 0));
    };
    let reason = if old.throughput < new.throughput {
        Reason::Faster
    } else if new.last_seq.ahead_of(old.last_seq) >= LAG_MAX {
        Reason::Lagging
    } else {
        return None;
    };
    Some(Decided::new(reason, old.throughput.0))
}
