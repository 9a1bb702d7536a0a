//! Frames to groups: who gets them, and in which form (09-multicast.md sections 6 to 8).

use super::carry_out::{Arrival, priority_of};
use super::{Carrier, Delivery, Session, Verdict};
use crate::Outlet;
use noctule_fib::{Counter, Guard, NextHop, View};
use noctule_wire::ethernet::Frame;
use noctule_wire::payload::IpVersion;
use noctule_wire::payload::multicast::{Audience, Group, audience};
use noctule_wire::tvlv::{Containers, Kind, multicast_tracker::MulticastTracker};
use noctule_wire::{Client, Discard, ETHERNET_HEADER_LEN, Mac, Multicast, TTL_FULL, Vid, packet};

/// In which form a host frame goes to those who listen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FanOut {
    /// One multicast packet that names them all.
    Packet,
    /// A unicast packet for each.
    Unicasts,
}

/// One destination of a multicast packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Destination {
    mac: Mac,
    /// `None` once it is served, and where no way leads.
    hop: Option<NextHop>,
}

impl Session<'_> {
    /// What becomes of a host frame to a group (MCAST-31 to MCAST-39).
    pub(super) fn judge_group(&self, destination: Mac, frame: &[u8]) -> Verdict {
        let known = self.guard.multicast();
        if known.flood || destination == Mac::BROADCAST {
            return Verdict::Flood;
        }
        let group = match audience(frame) {
            Err(reason) => return Verdict::Drop(reason),
            Ok(Audience::Everybody) => return Verdict::Flood,
            Ok(Audience::Listeners(group)) => group,
        };
        let wanting = match group.version {
            IpVersion::V4 => &known.want_ipv4,
            IpVersion::V6 => &known.want_ipv6,
        };
        let unsnoopable = if group.unsnoopable { known.want_unsnoopable } else { 0 };
        let announcing = announcers(&self.guard, destination).len();
        let routers = routers(&self.guard, group).len();
        match announcing + wanting.len() + unsnoopable + routers {
            // A host that has just got an address listens before the mesh knows it (MCAST-36 `[DEV]`).
            0 if group.neighbour_discovery => Verdict::Flood,
            0 => Verdict::Drop(Discard::NoListener),
            _ if unsnoopable > 0 => Verdict::Flood,
            total => {
                let len = frame.len().saturating_add(Multicast::header_len(total));
                if known.packets && len <= Multicast::SIZE_MAX {
                    Verdict::Fan { group, form: FanOut::Packet }
                } else if total <= known.fanout as usize {
                    Verdict::Fan { group, form: FanOut::Unicasts }
                } else {
                    Verdict::Flood
                }
            }
        }
    }

    /// Sends a host frame to everybody who wants it, once each (MCAST-41, MCAST-43, MCAST-44).
    pub(super) fn fan_out(
        &mut self,
        group: Group,
        form: FanOut,
        frame: &[u8],
        out: &mut impl Outlet,
    ) -> Result<(), Discard> {
        let mut destinations = core::mem::take(&mut self.state.destinations);
        self.collect(group, frame, &mut destinations);
        let sent = match form {
            _ if destinations.is_empty() => Ok(()),
            FanOut::Packet => self.originate_multicast(&mut destinations, frame, out),
            FanOut::Unicasts => self.unicast_to_all(&destinations, frame, out),
        };
        self.state.destinations = destinations;
        sent
    }

    fn collect(&self, group: Group, frame: &[u8], destinations: &mut Vec<Destination>) {
        let known = self.guard.multicast();
        let wanting = match group.version {
            IpVersion::V4 => &known.want_ipv4,
            IpVersion::V6 => &known.want_ipv6,
        };
        let target = Mac::from_prefix(frame).unwrap_or(Mac::ZERO);
        let everybody = announcers(&self.guard, target)
            .iter()
            .chain(wanting.iter())
            .chain(routers(&self.guard, group));
        destinations.clear();
        let vid = Frame::parse(frame).map_or(Vid::UNTAGGED, |frame| frame.vid());
        // Who is bridged to the same LAN has it from there (MCAST-42).
        for mac in everybody.filter(|mac| !self.guard.is_backbone(**mac, vid)) {
            destinations.push(Destination { mac: *mac, hop: router(&self.guard, *mac) });
        }
        // Who is in two sets gets one copy.
        destinations.sort_unstable_by_key(|destination| destination.mac);
        destinations.dedup_by_key(|destination| destination.mac);
    }

    fn unicast_to_all(
        &mut self,
        destinations: &[Destination],
        frame: &[u8],
        out: &mut impl Outlet,
    ) -> Result<(), Discard> {
        let mut served = false;
        let mut failed = None;
        for destination in destinations {
            let sent = match self.guard.originator(destination.mac) {
                Some(originator) => {
                    let ttvn = originator.ttvn();
                    self.enter(destination.mac, ttvn, frame, out)
                }
                None => Err(Discard::UnknownOriginator),
            };
            match sent {
                Ok(()) => served = true,
                Err(reason) => {
                    failed.replace(reason).into_iter().for_each(|r| self.counters.discard(r))
                }
            }
        }
        match failed {
            // The caller counts the last one.
            Some(reason) if !served => Err(reason),
            Some(reason) => {
                self.counters.discard(reason);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// One packet for each next hop, with the destinations that lie behind it (MCAST-44 to MCAST-47).
    fn originate_multicast(
        &mut self,
        destinations: &mut [Destination],
        frame: &[u8],
        out: &mut impl Outlet,
    ) -> Result<(), Discard> {
        let Session { guard, counters, state, .. } = self;
        let mut copies = 0;
        for first in 0..destinations.len() {
            let Some(hop) = destinations[first].hop else { continue };
            let same = |destination: &&mut Destination| {
                destination.hop.is_some_and(|other| other.mac == hop.mac)
            };
            state.tracked.clear();
            for destination in destinations[first..].iter_mut().filter(same) {
                destination.hop = None;
                state.tracked.push(destination.mac);
            }
            write_header(&mut state.cut, &state.tracked);
            let sent = transmit(guard, hop, priority_of(frame), &[&state.cut, frame], out);
            match sent {
                Ok(len) => {
                    counters.add_packet(Counter::McastTx, Counter::McastTxBytes, len);
                    copies += 1;
                }
                Err(reason) => counters.discard(reason),
            }
        }
        if copies > 0 {
            counters.add_packet(Counter::McastTxLocal, Counter::McastTxLocalBytes, frame.len());
        } else {
            counters.discard(Discard::NoRoute);
        }
        // Accepted, like a broadcast that no interface took (MCAST-45).
        Ok(())
    }

    /// What becomes of a received multicast packet (MCAST-48 to MCAST-53).
    pub(super) fn judge_multicast(bytes: &[u8]) -> Result<Verdict, Discard> {
        let packet = Multicast::parse(bytes)?;
        if packet.ttl < 2 {
            return Err(Discard::TtlSpent);
        }
        packet.tracker().ok_or(Discard::UnknownTvlv)??;
        Ok(Verdict::Spread)
    }

    /// Passes a multicast packet on to each next hop that its destinations need, and to the host if it is for us, too
    /// (MCAST-54 to MCAST-61).
    pub(super) fn spread(
        &mut self,
        arrival: Arrival<'_>,
        out: &mut impl Outlet,
    ) -> Result<(), Discard> {
        let frame = arrival.frame;
        let len = frame.len();
        let bytes = frame.get_mut(ETHERNET_HEADER_LEN..).ok_or(Discard::Truncated)?;
        let ttl = bytes.get(2).copied().unwrap_or(0);
        packet::set_ttl(bytes, ttl.saturating_sub(1));
        let packet = Multicast::parse(bytes)?;
        let mut destinations = core::mem::take(&mut self.state.destinations);
        let mut copy = core::mem::take(&mut self.state.cut);
        let spread = self.spread_copies(&packet, &mut destinations, &mut copy, out);
        self.state.destinations = destinations;
        self.state.cut = copy;
        let Spread { for_me, copies } = spread?;
        let counters = self.counters;
        counters.add_packet(Counter::McastRx, Counter::McastRxBytes, len);
        if copies > 0 {
            counters.add_packet(Counter::McastFwd, Counter::McastFwdBytes, len);
        }
        if !for_me {
            return Ok(());
        }
        if packet.inner.len() < ETHERNET_HEADER_LEN {
            return Err(Discard::Truncated);
        }
        let inner = packet.inner.len();
        counters.add_packet(Counter::McastRxLocal, Counter::McastRxLocalBytes, inner);
        let offset = Multicast::HEADER_LEN + packet.tvlvs.len();
        self.deliver(Delivery { offset, teacher: None, carrier: Carrier::Multicast }, frame, out)
    }

    fn spread_copies(
        &mut self,
        packet: &Multicast<'_>,
        destinations: &mut Vec<Destination>,
        copy: &mut Vec<u8>,
        out: &mut impl Outlet,
    ) -> Result<Spread, Discard> {
        let Session { guard, counters, .. } = self;
        let node = guard.node();
        let mut spread = Spread { for_me: false, copies: 0 };
        destinations.clear();
        // In the order in which `shrink` asks: one look-up for each (MCAST-57).
        for container in Containers::new(packet.tvlvs).map_while(Result::ok) {
            if container.kind != Kind::MULTICAST_TRACKER {
                continue;
            }
            for mac in MulticastTracker::parse(container.value)?.destinations() {
                let mine = node.is_mine(mac);
                spread.for_me |= mine;
                let hop = if mine { None } else { router(guard, mac) };
                if !mine && hop.is_none() {
                    counters.discard(Discard::NoRoute);
                }
                destinations.push(Destination { mac, hop });
            }
        }
        for first in 0..destinations.len() {
            let Some(hop) = destinations[first].hop else { continue };
            copy.clear();
            copy.resize(packet.wire_len(), 0);
            let mut asked = 0;
            let len = packet.shrink(copy, |_| {
                let slot = destinations.get_mut(asked);
                asked += 1;
                slot.is_some_and(|slot| {
                    let keep = slot.hop.is_some_and(|other| other.mac == hop.mac);
                    if keep {
                        slot.hop = None;
                    }
                    keep
                })
            })?;
            let pieces = [copy.get(..len).unwrap_or_default(), &[]];
            let sent = transmit(guard, hop, priority_of(packet.inner), &pieces, out);
            match sent {
                Ok(len) => {
                    counters.add_packet(Counter::McastTx, Counter::McastTxBytes, len);
                    spread.copies += 1;
                }
                // The others get theirs (MCAST-58).
                Err(reason) => counters.discard(reason),
            }
        }
        Ok(spread)
    }
}

/// What came of a received multicast packet.
struct Spread {
    for_me: bool,
    copies: u32,
}

/// The originators that announce a group. Listeners are announced without a VLAN only (MCAST-20).
fn announcers<'g>(guard: &'g Guard<'_>, group: Mac) -> &'g [Mac] {
    guard.global(Client::untagged(group)).map_or(&[], |entry| entry.announcers.as_slice())
}

/// The originators that pass this group's frames on.
fn routers<'g>(guard: &'g Guard<'_>, group: Group) -> &'g [Mac] {
    let known = guard.multicast();
    match group.version {
        _ if !group.routable => &[],
        IpVersion::V4 => &known.routers_ipv4,
        IpVersion::V6 => &known.routers_ipv6,
    }
}

fn router(guard: &Guard<'_>, mac: Mac) -> Option<NextHop> {
    guard.originator(mac)?.router(View::Default)
}

/// Everything in front of the inner frame, for these destinations.
fn write_header(header: &mut Vec<u8>, destinations: &[Mac]) {
    let value_len = MulticastTracker::value_len(destinations.len());
    let tvlv_len = Multicast::header_len(destinations.len()) - Multicast::HEADER_LEN;
    // The decision has limited the packet to 1280 bytes.
    let [t0, t1] = u16::try_from(tvlv_len).unwrap_or(0).to_be_bytes();
    let [v0, v1] = u16::try_from(value_len).unwrap_or(0).to_be_bytes();
    let Kind { container_type, version } = Kind::MULTICAST_TRACKER;
    header.clear();
    header.extend([0x05, noctule_wire::COMPAT_VERSION, TTL_FULL, 0, t0, t1]);
    header.extend([container_type, version, v0, v1]);
    MulticastTracker::emit(header, destinations);
}

/// Sends a multicast packet, in two pieces, to one neighbour: never cut (MCAST-46). Returns the frame's length.
fn transmit(
    guard: &Guard<'_>,
    hop: NextHop,
    priority: u8,
    [head, tail]: &[&[u8]; 2],
    out: &mut impl Outlet,
) -> Result<usize, Discard> {
    let node = guard.node();
    let link = node.active(hop.iface).ok_or(Discard::Inactive)?;
    let len = head.len() + tail.len();
    if node.carries(hop).is_none_or(|carries| len > carries as usize) {
        return Err(Discard::TooLong);
    }
    let outer = noctule_wire::ethernet::mesh_header(hop.mac, link.mac);
    out.transmit(hop.iface, priority, &[&outer, head, tail])?;
    Ok(ETHERNET_HEADER_LEN + len)
}
