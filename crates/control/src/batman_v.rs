//! B.A.T.M.A.N. V: neighbours by ELP, throughput of links, OGM2 flooding and routes (03-batman-v.md), without bonding.
//!
//! Each concern has its file: `throughput` computes, `originator` and `neighbour` remember, `elp` finds neighbours and has
//! their links measured, `emission` and `queue` send, `reception` judges what arrives, `ranking` chooses, `purge` forgets,
//! `eviction` makes room, `report` shows.
//!
//! How fast a link is the engine does not know: with each ELP it asks ([`crate::Output::Measure`]), and whoever owns it
//! answers when it can ([`crate::Input::Measured`]).
//!
//! Where this node differs from the reference, peers cannot tell, except that it goes on where the reference stops:
//! * While the primary interface is down, the node goes on announcing its address by the others.
//! * What used an interface that went down is forgotten at once, not with the next tick (V-81).
//! * A wired link is measured once for all who are on it (V-95).
//! * What a frame can make us remember is bounded, also in its rate (V-H2).

mod elp;
mod emission;
mod eviction;
mod neighbour;
mod originator;
mod purge;
mod queue;
mod ranking;
mod reception;
mod report;
mod throughput;

pub use throughput::Measured;

use crate::interfaces::Interfaces;
use crate::routing::RoutingEvent;
use crate::{Context, Routing};
use elp::LinkState;
use neighbour::Neighbours;
use noctule_fib::{IFACES_MAX, Iface, NextHop, View};
use noctule_wire::{Instant, Mac, SeqNo};
use originator::Originator;
use std::collections::{BTreeMap, VecDeque};

/// The routing algorithm B.A.T.M.A.N. V.
#[derive(Debug, Default)]
pub(crate) struct BatmanV {
    originators: BTreeMap<Mac, Originator>,
    neighbours: Neighbours,
    /// By [`Iface::index`]; attached interfaces have one, also while they are down.
    links: [Option<LinkState>; IFACES_MAX],
    /// Active interfaces in attachment order: the views besides the default one, in the order of V-52.
    active: Vec<Iface>,
    /// Number of the next own OGM2.
    seqno: SeqNo,
    /// When it leaves; `None` until the first interface is attached.
    next_ogm: Option<Instant>,
    next_purge: Option<Instant>,
    /// No look for an originator that may make room before this.
    eviction_pause: Option<Instant>,
    events: VecDeque<RoutingEvent>,
}

impl BatmanV {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// An interface joined; `interfaces` has it already. Its ELPs are numbered from `seqno`, and so are the OGM2s of a
    /// node whose first interface it is (V-05).
    pub(crate) fn attach(
        &mut self,
        ctx: &mut Context<'_>,
        interfaces: &Interfaces,
        iface: Iface,
        seqno: u32,
    ) {
        let Some(interface) = interfaces.get(iface) else { return };
        self.links[iface.index()] = Some(LinkState::new(ctx, interface, SeqNo(seqno)));
        if self.next_ogm.is_none() {
            self.seqno = SeqNo(seqno);
            self.next_ogm = Some(emission::next_emission(ctx));
        }
        self.next_purge.get_or_insert(ctx.now + purge::TICK);
        self.refresh_active(interfaces);
        self.forget_own(ctx, interfaces);
    }

    /// The link, the address, the MTU or the role of an interface changed; `interfaces` has it already. Addresses are
    /// read when something is sent (V-18).
    pub(crate) fn changed(&mut self, ctx: &mut Context<'_>, interfaces: &Interfaces, iface: Iface) {
        self.refresh_active(interfaces);
        if let (Some(link), Some(interface)) =
            (&mut self.links[iface.index()], interfaces.get(iface))
        {
            link.changed(interface);
        }
        if interfaces.active(iface).is_none() {
            self.discard_queued(iface);
            self.purge(ctx, interfaces);
        }
        self.forget_own(ctx, interfaces);
    }

    /// An interface left; `interfaces` no longer has it.
    pub(crate) fn detach(&mut self, ctx: &mut Context<'_>, interfaces: &Interfaces, iface: Iface) {
        self.links[iface.index()] = None;
        self.refresh_active(interfaces);
        self.purge(ctx, interfaces);
    }

    /// The settings changed: with a shorter interval nothing waits for the end of the old one.
    pub(crate) fn settings_changed(&mut self, ctx: &mut Context<'_>, interfaces: &Interfaces) {
        let next = emission::next_emission(ctx);
        self.next_ogm = self.next_ogm.map(|at| at.min(next));
        for (iface, interface) in interfaces.iter() {
            let next = elp::next_elp(ctx, interface.settings.elp_interval);
            if let Some(link) = &mut self.links[iface.index()] {
                link.next_elp = link.next_elp.min(next);
            }
        }
    }

    /// The next thing the rest of the engine has to know, oldest first.
    pub(crate) fn poll_event(&mut self) -> Option<RoutingEvent> {
        self.events.pop_front()
    }

    /// Does everything that is due: ELPs, the own OGM2, what is queued, the purge.
    ///
    /// `containers` commits what the next OGM2 is to announce and returns its TVLV area, which may take as many bytes as
    /// it is told; `None`: this OGM2 is left out (V-39).
    pub(crate) fn on_deadline(
        &mut self,
        ctx: &mut Context<'_>,
        interfaces: &Interfaces,
        containers: &mut dyn FnMut(&mut Context<'_>, usize) -> Option<Vec<u8>>,
    ) {
        for (iface, interface) in interfaces.iter() {
            self.tick_elp(ctx, iface, interface);
        }
        if self.next_ogm.is_some_and(|at| at <= ctx.now) {
            self.next_ogm = Some(emission::next_emission(ctx));
            self.emit_own(ctx, interfaces, containers);
        }
        self.flush_due(ctx, interfaces);
        if self.next_purge.is_some_and(|at| at <= ctx.now) {
            self.next_purge = Some(ctx.now + purge::TICK);
            self.purge(ctx, interfaces);
            self.doubt(ctx);
        }
    }

    /// When [`Self::on_deadline`] has something to do.
    pub(crate) fn next_deadline(&self) -> Instant {
        let links = self.links.iter().flatten().map(LinkState::next_deadline);
        links.chain(self.next_ogm).chain(self.next_purge).fold(Instant::NEVER, Instant::min)
    }

    /// Who is on one link (FWD-86).
    pub(crate) fn neighbours(&self, iface: Iface) -> noctule_fib::Neighbours {
        self.neighbours.on(iface)
    }

    /// How many originators are known.
    pub(crate) fn len(&self) -> usize {
        self.originators.len()
    }

    /// Whether a neighbour is an interface of the node with this originator address, as its ELP told.
    pub(crate) fn speaks_as(&self, hop: NextHop, originator: Mac) -> bool {
        self.neighbours.get(hop).is_some_and(|neighbour| neighbour.originator == originator)
    }

    /// All views there may be, the default one first (V-52).
    fn views(&self) -> impl Iterator<Item = View> + '_ {
        core::iter::once(View::Default).chain(self.active.iter().copied().map(View::Arrival))
    }

    fn refresh_active(&mut self, interfaces: &Interfaces) {
        self.active.clear();
        self.active.extend(interfaces.iter_active().map(|(iface, _)| iface));
    }

    /// Drops what would leave by an interface (V-44).
    fn discard_queued(&mut self, iface: Iface) {
        if let Some(link) = &mut self.links[iface.index()] {
            link.queue.discard();
        }
    }
}

impl Routing for BatmanV {
    fn knows(&self, originator: Mac) -> bool {
        self.originators.contains_key(&originator)
    }

    fn router(&self, originator: Mac, view: View) -> Option<NextHop> {
        self.originators.get(&originator)?.router(view)
    }

    fn metric(&self, originator: Mac) -> Option<u32> {
        let entry = self.originators.get(&originator)?;
        entry.router(View::Default).map(|_| entry.metric)
    }

    fn originators(&self) -> Vec<Mac> {
        self.originators.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests;
