//! Which candidate becomes the router of an originator in one view, and telling the data plane (section 8).

use super::BatmanIv;
use super::originator::Slot;
use super::reception::Received;
use crate::decisions::{Decided, Reason};
use crate::routing::RoutingEvent;
use crate::{Context, Event};
use core::cmp::Ordering;
use noctule_fib::{NextHop, View};
use noctule_wire::Discard;

use super::originator::Candidate;

impl BatmanIv {
    /// Number of a candidate, made if missing for a record of quality `tq`; with its first candidate a neighbour comes to be (IV-92).
    ///
    /// # Errors
    /// [`Discard::TableFull`] if the originator has too many better ones (IV-H3).
    pub(super) fn candidate(
        &mut self,
        ctx: &mut Context<'_>,
        slot: Slot,
        hop: NextHop,
        tq: u8,
    ) -> Result<usize, Discard> {
        let originator = self.originators.get_mut(slot);
        if let Some(index) = originator.candidate(hop) {
            return Ok(index);
        }
        if originator.candidates.len() >= ctx.settings.limits.candidates {
            self.displace_candidate(ctx, slot, hop, tq)?;
        }
        let originator = self.originators.get_mut(slot);
        originator.candidates.push(Candidate { hop, last_seen: ctx.now });
        let index = originator.candidates.len() - 1;
        if self.neighbours.acquire(hop, ctx.now) {
            ctx.event(Event::NeighbourAppeared(hop));
            self.events.push_back(RoutingEvent::NeighboursChanged);
        }
        Ok(index)
    }

    /// A usable record of quality `tq` counts for its candidate, which may become the router (IV-67 to IV-74).
    pub(super) fn rank(
        &mut self,
        ctx: &mut Context<'_>,
        received: &Received<'_>,
        slot: Slot,
        view: View,
        tq: u8,
        fresh: bool,
    ) -> Result<(), Discard> {
        let hop = received.from;
        let originator = self.originators.get_mut(slot);
        if fresh {
            let known = originator.candidate(hop);
            originator.view_mut(view).age_others(known, received.ogm.ttl);
        }
        let index = self.candidate(ctx, slot, hop, tq)?;
        let originator = self.originators.get_mut(slot);
        originator.candidates[index].last_seen = ctx.now;
        originator.view_mut(view).delivery_mut(index).ring.push(tq);
        if let Some(decided) = self.takes_over(slot, view, index) {
            self.set_router(ctx, slot, view, Some(index), decided);
        }
        if view == View::Default {
            self.publish_metric(ctx, slot);
        }
        Ok(())
    }

    /// Whether a candidate, whose record was just counted, is to replace the router, and why (IV-71 to IV-74). No
    /// hysteresis.
    fn takes_over(&self, slot: Slot, view: View, index: usize) -> Option<Decided> {
        let originator = self.originators.get(slot);
        let route = originator.view(view)?;
        let Some(router) = route.router else { return Some(Decided::new(Reason::First, 0)) };
        if router == index {
            return None;
        }
        let before = route.delivery(router)?.ring.average();
        let reason = match route.average(index).cmp(&before) {
            Ordering::Less => return None,
            Ordering::Greater => Reason::BetterTq,
            Ordering::Equal => {
                let echoes = |index: usize| self.echoes_of(originator.candidates[index].hop);
                (echoes(index) > echoes(router)).then_some(Reason::MoreEchoes)?
            }
        };
        Some(Decided::new(reason, before.into()))
    }

    /// How many of our OGMs a neighbour sent back, on the link by which it is a candidate (IV-73).
    pub(super) fn echoes_of(&self, hop: NextHop) -> u32 {
        self.originators.find(hop.mac).map_or(0, |neighbour| neighbour.echoes(hop.iface))
    }

    /// Sets the router of one view, tells readers and operators, and remembers why.
    pub(super) fn set_router(
        &mut self,
        ctx: &mut Context<'_>,
        slot: Slot,
        view: View,
        router: Option<usize>,
        decided: Decided,
    ) {
        let originator = self.originators.get_mut(slot);
        originator.view_mut(view).router = router;
        let (mac, router) = (originator.mac, originator.router(view));
        ctx.fib.set_router(mac, view, router);
        if view == View::Default {
            let by = router.filter(|router| router.mac != mac);
            let metric = originator.router_average(view).into();
            originator.decisions.push(ctx.now, router, metric, decided);
            let before = core::mem::replace(&mut originator.charged, by);
            self.neighbours.charge(before, by);
            ctx.event(Event::RouteChanged { originator: mac, router });
        }
    }

    /// Publishes how good the default route is, if that changed.
    pub(super) fn publish_metric(&mut self, ctx: &mut Context<'_>, slot: Slot) {
        let metric = self.originators.get(slot).router_average(View::Default);
        self.set_metric(ctx, slot, metric);
    }

    pub(super) fn set_metric(&mut self, ctx: &mut Context<'_>, slot: Slot, metric: u8) {
        let originator = self.originators.get_mut(slot);
        if originator.metric != metric {
            originator.metric = metric;
            ctx.fib.set_metric(originator.mac, u32::from(metric));
        }
    }
}
