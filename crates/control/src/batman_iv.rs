//! B.A.T.M.A.N. IV: link quality, OGM flooding and routes (02-batman-iv.md), without gateway selection and bonding.
//!
//! Each concern has its file: `window` and `tq` compute, `originator` and `neighbour` remember, `reception` judges what
//! arrives, `ranking` chooses, `queue` and `emission` send, `purge` forgets, `eviction` makes room, `report` shows.
//!
//! Where this node differs from the reference, peers cannot tell, except that it goes on where the reference stops:
//! * The first OGM of an interface leaves as soon as the interface is up, not an interval later (IV-19).
//! * While the primary interface is down, its OGM goes on leaving by the others: the node stays known by its address.
//! * What used an interface that went down is forgotten at once, not with the next tick (IV-89).
//! * TVLVs are attached when an OGM leaves (TT-49), and handed on once for each OGM (TVLV-22).
//! * Routes by neighbours that fell silent are passed over (`purge`).

mod emission;
mod eviction;
mod neighbour;
mod originator;
mod purge;
mod queue;
mod ranking;
mod reception;
mod report;
mod tq;
mod window;

use crate::interfaces::Interfaces;
use crate::routing::RoutingEvent;
use crate::{Context, Routing};
use core::time::Duration;
use emission::Cycle;
use neighbour::Neighbours;
use noctule_fib::{IFACES_MAX, Iface, NextHop, View};
use noctule_wire::{Instant, Mac, SeqNo};
use originator::Originators;
use queue::Queue;
use std::collections::VecDeque;

/// The routing algorithm B.A.T.M.A.N. IV.
#[derive(Debug, Default)]
pub(crate) struct BatmanIv {
    originators: Originators,
    neighbours: Neighbours,
    /// By [`Iface::index`]; attached interfaces have one, also while they are down.
    cycles: [Option<Cycle>; IFACES_MAX],
    /// Active interfaces in attachment order: the views besides the default one, in the order of IV-09.
    active: Vec<Iface>,
    queue: Queue,
    /// How long the records of the frame at hand wait at least before they are repeated (FWD_DELAY).
    forward_delay: Duration,
    pauses: eviction::Pauses,
    events: VecDeque<RoutingEvent>,
    /// `None` until the first interface is attached.
    next_purge: Option<Instant>,
}

impl BatmanIv {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// An interface joined; `interfaces` has it already. Its first OGM gets the number `seqno` (IV-14, IV-112).
    pub(crate) fn attach(
        &mut self,
        ctx: &mut Context<'_>,
        interfaces: &Interfaces,
        iface: Iface,
        seqno: u32,
    ) {
        let active = interfaces.active(iface).is_some();
        let mut cycle = Cycle::new(SeqNo(seqno), emission::next_emission(ctx), active);
        if active {
            cycle.hasten(ctx);
        }
        self.cycles[iface.index()] = Some(cycle);
        self.next_purge.get_or_insert(ctx.now + purge::TICK);
        self.refresh_active(interfaces);
        self.forget_own(ctx, interfaces);
    }

    /// The link, the address, the MTU or the role of an interface changed; `interfaces` has it already.
    ///
    /// Addresses and roles are read when something is sent, so the sequence goes on (IV-22, IV-23).
    pub(crate) fn changed(&mut self, ctx: &mut Context<'_>, interfaces: &Interfaces, iface: Iface) {
        self.refresh_active(interfaces);
        let active = interfaces.active(iface).is_some();
        let Some(cycle) = &mut self.cycles[iface.index()] else { return };
        let was_active = core::mem::replace(&mut cycle.active, active);
        if active && !was_active {
            cycle.hasten(ctx);
        } else if was_active && !active {
            self.discard_queued(iface);
            self.purge(ctx, interfaces);
        }
        self.forget_own(ctx, interfaces);
    }

    /// An interface left; `interfaces` no longer has it (IV-94).
    pub(crate) fn detach(&mut self, ctx: &mut Context<'_>, interfaces: &Interfaces, iface: Iface) {
        self.cycles[iface.index()] = None;
        self.refresh_active(interfaces);
        self.discard_queued(iface);
        self.purge(ctx, interfaces);
    }

    /// The settings changed: with a shorter interval the next OGM does not wait for the end of the old one.
    pub(crate) fn settings_changed(&mut self, ctx: &mut Context<'_>) {
        for cycle in self.cycles.iter_mut().flatten() {
            cycle.due = cycle.due.min(emission::next_emission(ctx));
        }
    }

    /// The next thing the rest of the engine has to know, oldest first.
    pub(crate) fn poll_event(&mut self) -> Option<RoutingEvent> {
        self.events.pop_front()
    }

    /// Does everything that is due: own OGMs, rebroadcasts, the purge.
    ///
    /// `containers` commits what the next OGM of the primary is to announce and returns its TVLV area, which may take
    /// as many bytes as it is told; `None`: this OGM is left out (IV-20).
    pub(crate) fn on_deadline(
        &mut self,
        ctx: &mut Context<'_>,
        interfaces: &Interfaces,
        containers: &mut dyn FnMut(&mut Context<'_>, usize) -> Option<Vec<u8>>,
    ) {
        for (iface, _) in interfaces.iter() {
            let due = self.cycles[iface.index()].as_ref().is_some_and(|cycle| cycle.due <= ctx.now);
            if due {
                self.emit_own(ctx, interfaces, iface, containers);
            }
        }
        self.emit_queued(ctx, interfaces);
        if self.next_purge.is_some_and(|at| at <= ctx.now) {
            self.next_purge = Some(ctx.now + purge::TICK);
            self.housekeep(ctx, interfaces);
        }
    }

    /// When [`Self::on_deadline`] has something to do.
    pub(crate) fn next_deadline(&self) -> Instant {
        let own = self.cycles.iter().flatten().map(|cycle| cycle.due);
        own.chain(self.next_purge).fold(self.queue.next_deadline(), Instant::min)
    }

    /// Who is on one link (FWD-86, FWD-87, IV-92).
    pub(crate) fn neighbours(&self, iface: Iface) -> noctule_fib::Neighbours {
        self.neighbours.on(iface)
    }

    /// How many originators are known.
    pub(crate) fn len(&self) -> usize {
        self.originators.len()
    }

    /// Whether a neighbour is an interface of the node with this originator address, as far as its OGMs tell.
    pub(crate) fn speaks_as(&self, hop: NextHop, originator: Mac) -> bool {
        self.neighbours.speaks_as(hop, originator)
    }

    /// Whether a neighbour has sent back an OGM of ours lately: then it has a way to us (TT-84).
    pub(crate) fn has_echoed(&self, neighbour: Mac) -> bool {
        self.originators
            .find(neighbour)
            .is_some_and(|entry| self.active.iter().any(|iface| entry.echoes(*iface) > 0))
    }

    /// All views there may be, the default one first (IV-09).
    fn views(&self) -> impl Iterator<Item = View> + '_ {
        core::iter::once(View::Default).chain(self.active.iter().copied().map(View::Arrival))
    }

    fn refresh_active(&mut self, interfaces: &Interfaces) {
        self.active.clear();
        self.active.extend(interfaces.iter_active().map(|(iface, _)| iface));
    }

    /// Drops what came in by an interface or would leave by it (IV-31, IV-94).
    fn discard_queued(&mut self, iface: Iface) {
        self.queue.discard(iface);
        for cycle in self.cycles.iter_mut().flatten() {
            cycle.riders.discard(iface);
        }
    }
}

impl Routing for BatmanIv {
    fn knows(&self, originator: Mac) -> bool {
        self.originators.slot(originator).is_some()
    }

    fn router(&self, originator: Mac, view: View) -> Option<NextHop> {
        self.originators.find(originator)?.router(view)
    }

    fn metric(&self, originator: Mac) -> Option<u32> {
        let entry = self.originators.find(originator)?;
        entry.router(View::Default).map(|_| u32::from(entry.metric))
    }

    fn originators(&self) -> Vec<Mac> {
        self.originators.iter().map(|originator| originator.mac).collect()
    }
}

#[cfg(test)]
mod tests;
