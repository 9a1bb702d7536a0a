//! A received frame, record by record and view by view (sections 6, 7 and 9).

use super::originator::{Duplicate, Slot, Tracked};
use super::queue::Rebroadcast;
use super::{BatmanIv, emission, tq};
use crate::interfaces::Interfaces;
use crate::routing::RoutingEvent;
use crate::{Context, Event};
use noctule_fib::{Counter, Iface, NextHop, View};
use noctule_wire::ogm::OgmFlags;
use noctule_wire::{COMPAT_VERSION, Discard, ETHERNET_HEADER_LEN, Mac, Ogm, Ogms, TTL_FULL};

/// One record and how it came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Received<'a> {
    pub(super) ogm: Ogm<'a>,
    /// The neighbour that sent the frame, and the interface that it came in by.
    pub(super) from: NextHop,
    /// Came from its originator itself (IV-52).
    pub(super) direct: bool,
    /// Whether an answer is due if it came directly.
    answered: bool,
    /// Penalty of the interface it came in by.
    penalty: u8,
    /// Whether that one is wireless.
    wifi: bool,
}

/// What a view makes of a record that it does not drop.
#[derive(Clone, Copy, Debug)]
struct Judged {
    tq: u8,
    best: bool,
    duplicate: Duplicate,
}

impl BatmanIv {
    /// One received frame whose type byte is 0x00; `bytes` is what follows the outer header (IV-35, IV-36).
    pub(crate) fn on_frame(
        &mut self,
        ctx: &mut Context<'_>,
        interfaces: &Interfaces,
        iface: Iface,
        destination: Mac,
        from: Mac,
        bytes: &[u8],
    ) {
        let interface = match check_frame(interfaces, iface, destination, from, bytes) {
            Ok(interface) => interface,
            Err(reason) => return ctx.discard(reason),
        };
        let len = bytes.len() + ETHERNET_HEADER_LEN;
        ctx.counters.add_packet(Counter::MgmtRx, Counter::MgmtRxBytes, len);
        if interfaces.is_mine(from) {
            return ctx.discard(Discard::Own);
        }
        let from = NextHop { iface, mac: from };
        if let Some(neighbour) = self.neighbours.get_mut(from) {
            neighbour.heard = ctx.now;
        }
        // One draw for all of them: what came together leaves together (IV-26).
        self.forward_delay = emission::forward_delay(ctx);
        // A neighbour's own OGM is in a frame once. More of them, each answered in a frame of its own (IV-29), would make a
        // flood of one frame.
        let mut spoken = false;
        for record in Ogms::new(bytes) {
            let outcome = record.and_then(|ogm| {
                let direct = from.mac == ogm.originator;
                let answered = direct && !spoken;
                spoken |= direct;
                let received = Received {
                    ogm,
                    from,
                    direct,
                    answered,
                    penalty: interface.settings.hop_penalty,
                    wifi: interface.link.wifi,
                };
                self.on_record(ctx, interfaces, &received)
            });
            if let Err(reason) = outcome {
                ctx.discard(reason);
            }
        }
    }

    /// The filter of IV-37 behind the checks that concern the whole frame, then every view (IV-09).
    fn on_record(
        &mut self,
        ctx: &mut Context<'_>,
        interfaces: &Interfaces,
        received: &Received<'_>,
    ) -> Result<(), Discard> {
        let Received { ogm, from, .. } = received;
        if !ogm.originator.is_station() || !ogm.previous_sender.is_station() {
            return Err(Discard::Malformed);
        }
        if interfaces.is_mine(ogm.originator) {
            self.on_echo(interfaces, received);
            return Err(Discard::Own);
        }
        if interfaces.is_mine(ogm.previous_sender) {
            return Err(Discard::Own);
        }
        if ogm.flags.contains(OgmFlags::NOT_BEST) {
            return Err(Discard::NotBest);
        }
        let slot = self.originator(ctx, received).ok_or(Discard::TableFull)?;
        let sender = if received.direct { Some(slot) } else { self.originators.slot(from.mac) };
        let outcome = self.judge(ctx, received, slot, sender, View::Default).map(|_| ());
        for index in 0..self.active.len() {
            let outgoing = self.active[index];
            let view = View::Arrival(outgoing);
            if let Ok(judged) = self.judge(ctx, received, slot, sender, view)
                && let Some(ogm) = forwarded(ctx, received, judged, outgoing)
            {
                let Received { direct, from: NextHop { iface: incoming, .. }, .. } = *received;
                self.rebroadcast(ctx, interfaces, &Rebroadcast { ogm, direct, incoming, outgoing });
            }
        }
        // Nobody passes one on with its TTL whole (IV-70), so it came from the node itself.
        if ogm.ttl == TTL_FULL
            && let Some(neighbour) = self.neighbours.get_mut(*from)
        {
            neighbour.node = Some(ogm.originator);
        }
        outcome
    }

    /// Our own OGM came back: a neighbour hears us (IV-38 to IV-41).
    ///
    /// The reference also makes an originator entry for a sender that has none. It would have no view in which an echo
    /// could count, so nobody could tell, and strangers could fill the table.
    fn on_echo(&mut self, interfaces: &Interfaces, received: &Received<'_>) {
        let Received { ogm, from, .. } = received;
        let ours = interfaces.get(from.iface).map(|interface| interface.link.mac);
        if !ogm.flags.contains(OgmFlags::DIRECT_LINK) || ours != Some(ogm.originator) {
            return;
        }
        let Some(cycle) = &self.cycles[from.iface.index()] else { return };
        let age = cycle.age(ogm.seqno);
        if let Some(slot) = self.originators.slot(from.mac)
            && let Some(route) =
                self.originators.get_mut(slot).view_if_any(View::Arrival(from.iface))
        {
            route.echo.mark(age);
        }
    }

    /// The entry of an originator, made if missing; `None` when there is no place for it (IV-H2).
    fn originator(&mut self, ctx: &mut Context<'_>, received: &Received<'_>) -> Option<Slot> {
        let mac = received.ogm.originator;
        if let Some(slot) = self.originators.slot(mac) {
            return Some(slot);
        }
        if !self.make_room(ctx, received) {
            return None;
        }
        ctx.fib.add_originator(mac);
        ctx.event(Event::OriginatorAppeared(mac));
        Some(self.originators.insert(mac, ctx.now))
    }

    /// What one view learns from a record, and what it makes of it (6.3, 6.4).
    fn judge(
        &mut self,
        ctx: &mut Context<'_>,
        received: &Received<'_>,
        slot: Slot,
        sender: Option<Slot>,
        view: View,
    ) -> Result<Judged, Discard> {
        let &Received { ogm, from, direct, .. } = received;
        let tracked = self.originators.get_mut(slot).track(view, from, ogm.seqno, ctx.now);
        let Tracked::Counted { duplicate, reset, restarted } = tracked else {
            return Err(Discard::Protected);
        };
        if restarted && view == View::Default {
            ctx.event(Event::SequenceReset(ogm.originator));
        }
        if ogm.tq == 0 {
            return Err(Discard::ZeroTq);
        }
        if direct && let Some(neighbour) = self.neighbours.get_mut(from) {
            neighbour.last_seen = ctx.now;
        }
        let originator = self.originators.get(slot);
        let router = originator.router(view);
        let best = router.is_some_and(|router| router.mac == from.mac)
            && originator.router_average(view) != 0;
        if ogm.originator != ogm.previous_sender
            && router.is_some_and(|router| self.is_through(router, ogm.previous_sender, view))
        {
            return Err(Discard::NotBest);
        }
        if view == View::Default && !ogm.tvlvs.is_empty() {
            self.take_tvlvs(slot, received, router.is_some(), reset);
        }
        let sender = sender
            .filter(|sender| direct || self.originators.get(*sender).router(view).is_some())
            .ok_or(Discard::UnknownNeighbour)?;
        let tq = self.measure(ctx, received, slot, sender, view)?;
        let fresh = duplicate == Duplicate::No;
        if tq != 0 {
            let route = self.originators.get_mut(slot).view_mut(view);
            if fresh || route.is_newest(ogm.seqno, ogm.ttl) {
                self.rank(ctx, received, slot, view, tq, fresh)?;
            }
        }
        Ok(Judged { tq, best, duplicate })
    }

    /// Whether a record whose hop before the sender was `previous_sender` came through our own next hop, which we reach
    /// directly (IV-54). The plain router of the view counts, never a rotation over several (IV-97).
    fn is_through(&self, router: NextHop, previous_sender: Mac, view: View) -> bool {
        router.mac == previous_sender
            && self
                .originators
                .find(router.mac)
                .and_then(|originator| originator.router(view))
                .is_some_and(|next| next.mac == router.mac)
    }

    /// Hands on the TVLVs, once for each OGM (IV-55, TVLV-22).
    fn take_tvlvs(&mut self, slot: Slot, received: &Received<'_>, had_router: bool, reset: bool) {
        let Received { ogm, .. } = received;
        if self.originators.get_mut(slot).takes_tvlvs(ogm.seqno, reset) {
            let (originator, area) = (ogm.originator, ogm.tvlvs.to_vec());
            self.events.push_back(RoutingEvent::Tvlvs { originator, had_router, area });
        }
    }

    /// Quality of the way a record stands for, as far as one view can tell (section 7).
    fn measure(
        &mut self,
        ctx: &mut Context<'_>,
        received: &Received<'_>,
        slot: Slot,
        sender: Slot,
        view: View,
    ) -> Result<u8, Discard> {
        let &Received { from, direct, .. } = received;
        let link = self.candidate(ctx, sender, from, u8::MAX)?;
        let neighbour = self.originators.get_mut(sender);
        if direct {
            neighbour.candidates[link].last_seen = ctx.now;
        }
        neighbour.view_mut(view).delivery_mut(link);
        self.originators.get_mut(slot).last_seen = ctx.now;
        Ok(self.quality(ctx, received, sender, view))
    }

    /// The arithmetic of it, with what is known of the link.
    pub(super) fn quality(
        &self,
        ctx: &Context<'_>,
        received: &Received<'_>,
        sender: Slot,
        view: View,
    ) -> u8 {
        let &Received { ogm, from, penalty, wifi, .. } = received;
        let neighbour = self.originators.get(sender);
        let echoed = neighbour.echoes(from.iface);
        let delivery =
            neighbour.candidate(from).and_then(|link| neighbour.view(view)?.delivery(link));
        let heard = delivery.map_or(0, |delivery| delivery.received.count());
        let half_duplex = wifi && view == View::Arrival(from.iface);
        let hop_penalty = half_duplex.then_some(ctx.settings.hop_penalty);
        tq::record_quality(
            ogm.tq,
            tq::own_quality(echoed, heard),
            tq::asymmetry(heard),
            tq::interface_quality(penalty, hop_penalty),
        )
    }
}

/// What concerns the whole frame (IV-35).
fn check_frame<'i>(
    interfaces: &'i Interfaces,
    iface: Iface,
    destination: Mac,
    from: Mac,
    bytes: &[u8],
) -> Result<&'i crate::interfaces::Interface, Discard> {
    let interface = interfaces.active(iface).ok_or(Discard::Inactive)?;
    let [packet_type, version, ..] = *bytes else { return Err(Discard::Truncated) };
    if bytes.len() < Ogm::HEADER_LEN {
        return Err(Discard::Truncated);
    }
    if packet_type != 0x00 {
        return Err(Discard::Type);
    }
    if version != COMPAT_VERSION {
        return Err(Discard::Version);
    }
    if destination != Mac::BROADCAST || !from.is_station() {
        return Err(Discard::Address);
    }
    Ok(interface)
}

/// What is to be repeated by one interface (section 9), the direct-link flag aside.
fn forwarded<'a>(
    ctx: &Context<'_>,
    received: &Received<'a>,
    judged: Judged,
    outgoing: Iface,
) -> Option<Ogm<'a>> {
    let &Received { ogm, from, direct, answered, .. } = received;
    let wanted = if direct {
        // The neighbour measures by our answer, so it gets one whatever we think of the record (IV-79). Its secondary
        // interfaces concern this link only (IV-78).
        answered && (ogm.ttl > 2 || outgoing == from.iface)
    } else {
        judged.best && judged.tq != 0 && judged.duplicate != Duplicate::Neighbour
    };
    (wanted && ogm.ttl > 1).then(|| Ogm {
        ttl: ogm.ttl - 1,
        flags: ogm.flags.with(OgmFlags::NOT_BEST, !judged.best),
        previous_sender: from.mac,
        tq: tq::after_hop(judged.tq, ctx.settings.hop_penalty),
        ..ogm
    })
}
