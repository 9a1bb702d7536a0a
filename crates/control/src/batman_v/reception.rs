//! A received frame of OGM2s, record by record and view by view (sections 9, 10 and 12).

use super::BatmanV;
use super::originator::{Path, Tracked};
use super::throughput::{Onward, after_penalties};
use crate::interfaces::Interfaces;
use crate::routing::RoutingEvent;
use crate::{Context, Event};
use noctule_fib::{Counter, Iface, NextHop, View};
use noctule_wire::ogm2::{Ogm2s, Throughput};
use noctule_wire::{COMPAT_VERSION, Discard, ETHERNET_HEADER_LEN, Mac, Ogm2};

/// One record and how it came.
#[derive(Clone, Copy, Debug)]
struct Received<'a> {
    ogm: Ogm2<'a>,
    /// The neighbour that sent the frame, and the interface that it came in by.
    from: NextHop,
    /// The node that this neighbour belongs to.
    sender: Mac,
    /// Of the way, the last link included (V-50).
    throughput: Throughput,
    /// Penalty of the interface it came in by.
    penalty: u8,
    /// Whether that one sends and receives at once.
    full_duplex: bool,
}

impl BatmanV {
    /// One received frame of OGM2s; `bytes` is what follows the outer header, whose addresses were checked (V-101).
    ///
    /// # Errors
    /// Why the whole frame is not used.
    pub(crate) fn on_frame(
        &mut self,
        ctx: &mut Context<'_>,
        interfaces: &Interfaces,
        iface: Iface,
        from: Mac,
        bytes: &[u8],
    ) -> Result<(), Discard> {
        interfaces.active(iface).ok_or(Discard::Inactive)?;
        if bytes.len() < Ogm2::HEADER_LEN {
            return Err(Discard::Truncated);
        }
        if bytes.get(1) != Some(&COMPAT_VERSION) {
            return Err(Discard::Version);
        }
        if interfaces.is_mine(from) {
            return Err(Discard::Own);
        }
        let len = bytes.len() + ETHERNET_HEADER_LEN;
        ctx.counters.add_packet(Counter::MgmtRx, Counter::MgmtRxBytes, len);
        let from = NextHop { iface, mac: from };
        for record in Ogm2s::new(bytes) {
            let outcome = record.and_then(|ogm| self.on_record(ctx, interfaces, from, ogm));
            if let Err(reason) = outcome {
                ctx.discard(reason);
            }
        }
        Ok(())
    }

    /// The checks of V-46 to V-50, then every view (V-52).
    fn on_record(
        &mut self,
        ctx: &mut Context<'_>,
        interfaces: &Interfaces,
        from: NextHop,
        ogm: Ogm2<'_>,
    ) -> Result<(), Discard> {
        if !ogm.originator.is_station() {
            return Err(Discard::Malformed);
        }
        if interfaces.is_mine(ogm.originator) {
            return Err(Discard::Own);
        }
        if ogm.throughput.0 == 0 {
            return Err(Discard::ZeroThroughput);
        }
        let neighbour = self.neighbours.get(from).ok_or(Discard::UnknownNeighbour)?;
        let interface = interfaces.active(from.iface).ok_or(Discard::Inactive)?;
        let link = self.links[from.iface.index()].as_ref().ok_or(Discard::Inactive)?;
        let received = Received {
            ogm,
            from,
            sender: neighbour.originator,
            throughput: neighbour.throughput.get().min(ogm.throughput),
            penalty: interface.settings.hop_penalty,
            full_duplex: link.full_duplex,
        };
        self.originator(ctx, ogm.originator, false)?;
        self.candidate(ctx, ogm.originator, from)?;
        let outcome = self.judge(ctx, &received, View::Default);
        for index in 0..self.active.len() {
            let outgoing = self.active[index];
            if self.suppresses(outgoing, &received) {
                continue;
            }
            if self.judge(ctx, &received, View::Arrival(outgoing)).is_ok() {
                self.forward(ctx, interfaces, &received, outgoing);
            }
        }
        outcome
    }

    /// Whether nobody who is reached by `outgoing` needs the record (V-77): with one neighbour there it is for a node that
    /// made it or has sent it to us, by whichever of its interfaces (V-79).
    fn suppresses(&self, outgoing: Iface, received: &Received<'_>) -> bool {
        let mut there = self.neighbours.of(outgoing);
        match (there.next(), there.next()) {
            (None, _) => true,
            (Some((_, only)), None) => {
                only.originator == received.ogm.originator || only.originator == received.sender
            }
            (Some(_), Some(_)) => false,
        }
    }

    /// What one view learns from a record (9.1, sections 10 and 11).
    fn judge(
        &mut self,
        ctx: &mut Context<'_>,
        received: &Received<'_>,
        view: View,
    ) -> Result<(), Discard> {
        let &Received { ogm, from, .. } = received;
        let Some(originator) = self.originators.get_mut(&ogm.originator) else {
            return Err(Discard::UnknownOriginator);
        };
        let fresh = match originator.view_mut(view).track(ogm.seqno, ctx.now) {
            Tracked::Protected => return Err(Discard::Protected),
            Tracked::Old => return Err(Discard::Duplicate),
            Tracked::Counted { fresh, restarted } => {
                if restarted && view == View::Default {
                    ctx.event(Event::SequenceReset(ogm.originator));
                }
                fresh
            }
        };
        let onward = match view {
            View::Default => Onward::Default,
            View::Arrival(iface) if iface == from.iface && !received.full_duplex => {
                Onward::SharedMedium
            }
            View::Arrival(_) => Onward::Other,
        };
        let throughput = after_penalties(
            received.throughput,
            onward,
            received.penalty,
            ctx.settings.hop_penalty,
        );
        originator.last_seen = ctx.now;
        if let Some(candidate) = originator.candidate_mut(from) {
            candidate.last_seen = ctx.now;
            candidate.set_path(view, Path { throughput, last_seq: ogm.seqno });
        }
        if view == View::Default && fresh {
            let had_router = originator.router(view).is_some();
            let area = ogm.tvlvs.to_vec();
            let originator = ogm.originator;
            self.events.push_back(RoutingEvent::Tvlvs { originator, had_router, area });
        }
        self.rank(ctx, ogm.originator, view, from);
        Ok(())
    }

    /// Sends a record on that came by the router (V-72 to V-76).
    fn forward(
        &mut self,
        ctx: &mut Context<'_>,
        interfaces: &Interfaces,
        received: &Received<'_>,
        outgoing: Iface,
    ) {
        let &Received { ogm, from, .. } = received;
        let view = View::Arrival(outgoing);
        let Some(originator) = self.originators.get_mut(&ogm.originator) else { return };
        if originator.router(view) != Some(from) {
            return;
        }
        let route = originator.view_mut(view);
        if route.last_forwarded == ogm.seqno {
            return;
        }
        route.last_forwarded = ogm.seqno;
        if ogm.ttl <= 1 {
            return ctx.discard(Discard::TtlSpent);
        }
        let Some(path) = originator.path(from, view) else { return };
        let onward = Ogm2 { ttl: ogm.ttl - 1, throughput: path.throughput, ..ogm };
        self.queue_record(ctx, interfaces, outgoing, &onward);
    }
}
