//! Carrying out a verdict: the only place where frames are rewritten, counted and handed on.

use super::broadcast::{Flooded, Source, flood};
use super::dat::{HostArp, Key};
use super::egress::Route;
use super::reassembly::{Added, Part};
use super::steering::Steer;
use super::{Carrier, Delivery, Forward, Session, Transit, Verdict};
use crate::Outlet;
use noctule_fib::{Counter, Counters, Iface, View};
use noctule_wire::ethernet::Frame;
use noctule_wire::icmp::record_route;
use noctule_wire::packet::{inner_offset, set_ttl};
use noctule_wire::unicast::redirect;
use noctule_wire::{
    Broadcast, Discard, ETHERNET_HEADER_LEN, Fragment, Mac, PacketType, SeqNo, TTL_FULL, Ttvn,
    Unicast,
};

/// What a verdict is about.
pub(super) enum Subject<'f> {
    /// A frame of the host.
    Host(&'f [u8]),
    /// A frame from a hard interface.
    Mesh(Arrival<'f>),
}

/// A frame from a hard interface.
pub(super) struct Arrival<'f> {
    iface: Iface,
    /// Outer Ethernet header first.
    pub(super) frame: &'f mut [u8],
    /// Of the fragments that it was merged from: it stands, whatever the inner frame says (FWD-43, FWD-44).
    priority: Option<u8>,
}

impl Session<'_> {
    /// Takes one frame from a hard interface: as [`Pipeline::receive`](super::Pipeline::receive).
    pub fn receive(&mut self, iface: Iface, frame: &mut [u8], out: &mut impl Outlet) {
        let arrival = Arrival { iface, frame, priority: None };
        self.take(arrival, out);
    }

    /// A packet that was put together comes here, too: what is in it may be another worker's.
    fn take(&mut self, arrival: Arrival<'_>, out: &mut impl Outlet) {
        let packet = arrival.frame.get(ETHERNET_HEADER_LEN..).unwrap_or_default();
        if let Some(worker) = self.state.place.other(|| Steer::packet(packet)) {
            if let Err(reason) = out.pass_on(worker, Some(arrival.iface), arrival.frame) {
                self.counters.discard(reason);
            }
            return;
        }
        let verdict = self.judge(arrival.iface, arrival.frame);
        if let Err(reason) = self.carry_out(verdict, Subject::Mesh(arrival), out) {
            self.counters.discard(reason);
        }
    }

    /// Does what the verdict says.
    pub(super) fn carry_out(
        &mut self,
        verdict: Verdict,
        subject: Subject<'_>,
        out: &mut impl Outlet,
    ) -> Result<(), Discard> {
        match (verdict, subject) {
            // Before the receiver is looked up, the reference looks into ARP (FWD-39): a host that asks a station which is
            // gone is answered, or others are asked, all the same.
            (
                Verdict::Drop(reason @ (Discard::UnknownClient | Discard::NoRoute)),
                Subject::Host(frame),
            ) => self.host_arp(frame, out).and(Err(reason)),
            (Verdict::Drop(reason), _) => Err(reason),
            (Verdict::Enter { originator, ttvn }, Subject::Host(frame)) => {
                self.host_arp(frame, out)?;
                self.enter(originator, ttvn, frame, out)
            }
            (Verdict::ToGateway { originator, ttvn }, Subject::Host(frame)) => {
                self.enter_gateway(originator, ttvn, frame, out)
            }
            (Verdict::Fan { group, form }, Subject::Host(frame)) => {
                self.fan_out(group, form, frame, out)
            }
            (Verdict::Spread, Subject::Mesh(arrival)) => self.spread(arrival, out),
            (Verdict::Flood, Subject::Host(frame)) => match self.host_arp(frame, out)? {
                HostArp::Ordinary => self.originate(frame, None, out),
                HostArp::Later(address) => self.originate(frame, Some(address), out),
            },
            (Verdict::Forward(forward), Subject::Mesh(arrival)) => {
                self.forward(forward, arrival, out)
            }
            (Verdict::Deliver(delivery), Subject::Mesh(arrival)) => {
                let last_hop = Frame::parse(arrival.frame)?.source;
                let inner = arrival.frame.get(ETHERNET_HEADER_LEN + delivery.offset..);
                if self.is_sent_from_our_lan(last_hop, inner.unwrap_or_default()) {
                    return Err(Discard::SameLan);
                }
                if let Some(inner) = arrival.frame.get_mut(ETHERNET_HEADER_LEN + delivery.offset..)
                {
                    self.clamp_in_place(inner);
                }
                self.deliver(delivery, arrival.frame, out)
            }
            (Verdict::Rebroadcast { originator, seqno }, Subject::Mesh(arrival)) => {
                self.rebroadcast(originator, seqno, arrival, out)
            }
            (Verdict::Buffer, Subject::Mesh(arrival)) => self.buffer(arrival, out),
            (Verdict::Punt { record_route: record }, Subject::Mesh(arrival)) => {
                if record {
                    record_route_in(arrival.frame)?;
                }
                out.punt(arrival.iface, arrival.frame)
            }
            // `judge` and `judge_host` do not give these.
            (
                Verdict::Forward(_)
                | Verdict::Deliver(_)
                | Verdict::Rebroadcast { .. }
                | Verdict::Spread
                | Verdict::Buffer
                | Verdict::Punt { .. },
                Subject::Host(_),
            )
            | (
                Verdict::Enter { .. }
                | Verdict::ToGateway { .. }
                | Verdict::Fan { .. }
                | Verdict::Flood,
                Subject::Mesh(_),
            ) => {
                debug_assert!(false, "a verdict over the other side's frame");
                Err(Discard::Type)
            }
        }
    }

    /// Sends a host frame to one originator (FWD-48, FWD-49).
    pub(super) fn enter(
        &mut self,
        originator: Mac,
        ttvn: Ttvn,
        frame: &[u8],
        out: &mut impl Outlet,
    ) -> Result<(), Discard> {
        let packet = Unicast { ttl: TTL_FULL, ttvn, destination: originator, inner: frame };
        self.send_behind(&packet.header(), originator, frame, out)
    }

    /// Sends a host frame behind this header to an originator, in fragments where it must.
    pub(super) fn send_behind(
        &mut self,
        header: &[u8],
        originator: Mac,
        frame: &[u8],
        out: &mut impl Outlet,
    ) -> Result<(), Discard> {
        let Session { guard, counters, state, .. } = self;
        let route = Route::find(guard, originator, View::Default)?;
        let priority = priority_of(frame);
        if !route.must_fragment(guard, header.len() + frame.len()) {
            let pieces: [&[u8]; 3] = [&route.header(), header, frame];
            return out.transmit(route.hop.iface, priority, &pieces);
        }
        state.cut.clear();
        state.cut.extend_from_slice(header);
        state.cut.extend_from_slice(frame);
        route.send_fragments(guard, counters, priority, &state.cut, out)
    }

    /// Floods a host frame (FWD-38), at once or, if the address is still unknown then, later. It counts as sent even if no
    /// interface took it (FWD-40).
    fn originate(
        &mut self,
        frame: &[u8],
        unless_known: Option<Key>,
        out: &mut impl Outlet,
    ) -> Result<(), Discard> {
        let Session { now, guard, counters, state, .. } = self;
        let originator = guard.node().primary.ok_or(Discard::NoPrimary)?;
        let packet = Broadcast {
            ttl: Broadcast::TTL,
            reserved: 0,
            seqno: guard.next_broadcast_seqno(),
            originator,
            inner: frame,
        };
        let unless_known = unless_known.filter(|_| state.repetitions.has_room_for_later());
        let priority = priority_of(frame);
        let source = Source { originator, arrival: None, priority, unless_known };
        let pieces = [&packet.header(), frame];
        let flooded = flood(*now, guard, counters, &mut state.repetitions, source, pieces, out);
        if flooded == Flooded::NoNeighbour {
            counters.discard(Discard::NoNeighbour);
        }
        Ok(())
    }

    /// Rewrites a packet in transit in place and sends it on (FWD-72, FWD-80, FWD-82, FWD-116).
    fn forward(
        &mut self,
        forward: Forward,
        arrival: Arrival<'_>,
        out: &mut impl Outlet,
    ) -> Result<(), Discard> {
        let Session { guard, counters, .. } = self;
        let Arrival { iface, frame, priority, .. } = arrival;
        let len = frame.len();
        let route = Route::find(guard, forward.destination, View::Arrival(iface))?;
        if forward.kind == Transit::Icmp {
            record_route_in(frame)?;
        }
        let (outer, packet) =
            frame.split_first_chunk_mut::<ETHERNET_HEADER_LEN>().ok_or(Discard::Truncated)?;
        if let Some(ttvn) = forward.redirect {
            redirect(packet, forward.destination, ttvn);
        }
        let ttl = packet.get(2).copied().unwrap_or(0);
        set_ttl(packet, ttl.saturating_sub(1));
        let priority = match (forward.kind, priority) {
            (Transit::Fragment, _) => Fragment::parse(packet)?.priority,
            (_, Some(priority)) => priority,
            (Transit::Payload, None) => {
                inner_offset(packet).and_then(|offset| packet.get(offset..)).map_or(0, priority_of)
            }
            (Transit::Unknown | Transit::Icmp, None) => 0,
        };
        if forward.kind == Transit::Fragment {
            counters.add_packet(Counter::FragFwd, Counter::FragFwdBytes, len);
        } else if route.must_fragment(guard, packet.len()) {
            route.send_fragments(guard, counters, priority, packet, out)?;
            count_forwarded(counters, forward.kind, len);
            return Ok(());
        }
        *outer = route.header();
        out.transmit(route.hop.iface, priority, &[frame])?;
        count_forwarded(counters, forward.kind, len);
        Ok(())
    }

    /// Marks a broadcast as seen, repeats it and delivers it (FWD-94 to FWD-99).
    fn rebroadcast(
        &mut self,
        originator: Mac,
        seqno: SeqNo,
        arrival: Arrival<'_>,
        out: &mut impl Outlet,
    ) -> Result<(), Discard> {
        let Session { now, guard, counters, state, .. } = self;
        let Arrival { iface, frame, .. } = arrival;
        let known = guard.originator(originator).ok_or(Discard::UnknownOriginator)?;
        state.windows.accept(*now, guard, known, seqno)?;
        guard.node().primary.ok_or(Discard::NoPrimary)?;
        let inner = frame.get(ETHERNET_HEADER_LEN + Broadcast::HEADER_LEN..).unwrap_or_default();
        if state.lan_duplicates.check(*now, Some(originator), inner) {
            return Err(Discard::LanDuplicate);
        }
        let from = Frame::parse(frame)?.source;
        let packet = frame.get_mut(ETHERNET_HEADER_LEN..).ok_or(Discard::Truncated)?;
        let ttl = packet.get(2).copied().unwrap_or(0);
        set_ttl(packet, ttl.saturating_sub(1));
        let (header, inner) =
            packet.split_at_checked(Broadcast::HEADER_LEN).ok_or(Discard::Truncated)?;
        let arrival = Some((iface, from));
        let priority = priority_of(inner);
        let source = Source { originator, arrival, priority, unless_known: None };
        let pieces = [header, inner];
        match flood(*now, guard, counters, &mut state.repetitions, source, pieces, out) {
            // Counted by `flood`, which is all that there is to count: the packet is not delivered either (FWD-97).
            Flooded::Busy => Ok(()),
            Flooded::Done | Flooded::NoNeighbour => {
                let offset = Broadcast::HEADER_LEN;
                let inner = frame.get(ETHERNET_HEADER_LEN + offset..).unwrap_or_default();
                if self.is_of_our_lan(originator, inner) {
                    return Err(Discard::SameLan);
                }
                // The copies have left or are queued: what is changed now only the host sees.
                if let Some(inner) = frame.get_mut(ETHERNET_HEADER_LEN + offset..) {
                    self.clamp_in_place(inner);
                }
                let carrier = Carrier::Broadcast;
                self.deliver(Delivery { offset, teacher: Some(originator), carrier }, frame, out)
            }
        }
    }

    /// Hands the inner frame to the host (FWD-120 to FWD-123, FWD-126), unless it is another gateway's to bring into the LAN.
    pub(super) fn deliver(
        &mut self,
        delivery: Delivery,
        frame: &[u8],
        out: &mut impl Outlet,
    ) -> Result<(), Discard> {
        let inner = frame.get(ETHERNET_HEADER_LEN + delivery.offset..).ok_or(Discard::Truncated)?;
        let ethernet = Frame::parse(inner)?;
        if ethernet.has_broken_tag() {
            return Err(Discard::Truncated);
        }
        if ethernet.is_mesh() {
            return Err(Discard::MeshInMesh);
        }
        if !self.mesh_arp(delivery.carrier, &ethernet, inner, out) {
            return Err(Discard::ArpAnswered);
        }
        self.mesh_neighbour(&ethernet, inner);
        self.counters.add_packet(Counter::Rx, Counter::RxBytes, inner.len());
        self.mesh_to_lan(delivery.carrier, &ethernet, inner, out)?;
        if let Some(originator) = delivery.teacher {
            self.learn_remote(ethernet.source_client(), originator, out);
        }
        if self.are_kept_apart_there(&ethernet) {
            return Err(Discard::Isolated);
        }
        out.deliver(&[inner])
    }

    /// Keeps a fragment, and takes the packet that it completes as if it had just arrived (FWD-115 to FWD-119).
    fn buffer(&mut self, arrival: Arrival<'_>, out: &mut impl Outlet) -> Result<(), Discard> {
        let Session { now, guard, counters, state, .. } = self;
        let (outer, packet) =
            arrival.frame.split_first_chunk::<ETHERNET_HEADER_LEN>().ok_or(Discard::Truncated)?;
        let fragment = Fragment::parse(packet)?;
        let originator = guard.originator(fragment.originator).ok_or(Discard::UnknownOriginator)?;
        counters.add_packet(Counter::FragRx, Counter::FragRxBytes, packet.len());
        let mut merged = core::mem::take(&mut state.merged);
        let part = Part { originator, iface: arrival.iface, outer: *outer, fragment };
        let added = state
            .reassembly
            .add(*now, guard, &part, &mut merged, |reason| counters.discard(reason));
        if let Ok(Added::Complete(priority)) = added {
            // A fragment of a fragment would let one packet call for unlimited work (FWD-119).
            if merged.get(ETHERNET_HEADER_LEN) == Some(&u8::from(PacketType::Fragment)) {
                counters.discard(Discard::Fragment);
            } else {
                let iface = arrival.iface;
                let whole = Arrival { iface, frame: &mut merged, priority: Some(priority) };
                self.take(whole, out);
            }
        }
        self.state.merged = merged;
        added.map(|_| ())
    }
}

fn count_forwarded(counters: &Counters, kind: Transit, len: usize) {
    match kind {
        Transit::Payload | Transit::Unknown => {
            counters.add_packet(Counter::Forward, Counter::ForwardBytes, len);
        }
        Transit::Icmp | Transit::Fragment => {}
    }
}

/// Writes the receiving interface, which is the outer destination, into the route record of an ICMP frame (FWD-80).
fn record_route_in(frame: &mut [u8]) -> Result<(), Discard> {
    let receiver = Mac::from_prefix(frame).ok_or(Discard::Truncated)?;
    let packet = frame.get_mut(ETHERNET_HEADER_LEN..).ok_or(Discard::Truncated)?;
    record_route(packet, receiver)
}

/// The priority of a client's frame (FWD-43), 0 if it shows none.
pub(super) fn priority_of(inner: &[u8]) -> u8 {
    Frame::parse(inner).ok().and_then(|frame| frame.priority()).unwrap_or(0)
}
