//! The way out for every packet that is for one originator: next hop, and fragments where the link is too narrow
//! (FWD-110 to FWD-114, FWD-49, FWD-72).

use crate::Outlet;
use noctule_fib::{Counter, Counters, Guard, IfaceEntry, NextHop, Originator, View};
use noctule_wire::ethernet::mesh_header;
use noctule_wire::fragment::Split;
use noctule_wire::{Discard, ETHERNET_HEADER_LEN, Fragment, Mac, TTL_FULL};

/// Sends a unicast style packet (its type byte first, no outer header) towards `destination`, an originator, by the
/// router of `view`: the default view for what starts here, that of the arrival interface for what is passing by
/// (FWD-110). `priority` is the 802.1d priority, 0 to 7, of which on the wire only a fragment header tells (FWD-44).
///
/// # Errors
/// [`Discard::UnknownOriginator`], [`Discard::NoRoute`], [`Discard::Inactive`] (the router's interface went down);
/// [`Discard::Fragment`] and [`Discard::NoPrimary`] where it cannot be cut (FWD-114); what the outlet says. Nothing is
/// counted as discarded here: that is for the caller, who knows whose packet it was.
pub fn send_to_originator(
    guard: &Guard<'_>,
    counters: &Counters,
    destination: Mac,
    view: View,
    priority: u8,
    packet: &[u8],
    out: &mut impl Outlet,
) -> Result<(), Discard> {
    let route = Route::find(guard, destination, view)?;
    if route.must_fragment(guard, packet.len()) {
        return route.send_fragments(guard, counters, priority, packet, out);
    }
    out.transmit(route.hop.iface, priority, &[&route.header(), packet])
}

/// The neighbour that a packet leaves to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route<'g> {
    pub(crate) originator: &'g Originator,
    pub(crate) hop: NextHop,
    pub(crate) link: &'g IfaceEntry,
    /// The longest packet that the neighbour gets.
    pub(crate) carries: u32,
}

impl<'g> Route<'g> {
    /// The router for `destination` in `view`, without any fallback to another view (FWD-110).
    pub(crate) fn find(
        guard: &'g Guard<'_>,
        destination: Mac,
        view: View,
    ) -> Result<Self, Discard> {
        let originator = guard.originator(destination).ok_or(Discard::UnknownOriginator)?;
        let hop = originator.router(view).ok_or(Discard::NoRoute)?;
        let node = guard.node();
        let link = node.active(hop.iface).ok_or(Discard::Inactive)?;
        let carries = node.carries(hop).ok_or(Discard::Inactive)?;
        if link.wifi {
            guard.count_unicast(hop);
        }
        Ok(Self { originator, hop, link, carries })
    }

    /// The outer Ethernet header (FWD-112).
    pub(crate) fn header(&self) -> [u8; ETHERNET_HEADER_LEN] {
        mesh_header(self.hop.mac, self.link.mac)
    }

    /// Whether a packet of `len` bytes, outer header not included, is too long for the neighbour and may be cut (FWD-113).
    pub(crate) fn must_fragment(&self, guard: &Guard<'_>, len: usize) -> bool {
        guard.node().fragmentation && len > self.carries as usize
    }

    /// Cuts `packet` and sends all parts the same way, the tail first (FWD-114).
    pub(crate) fn send_fragments(
        &self,
        guard: &Guard<'_>,
        counters: &Counters,
        priority: u8,
        packet: &[u8],
        out: &mut impl Outlet,
    ) -> Result<(), Discard> {
        let parts = Split::new(packet, self.carries as usize)?;
        let primary = guard.node().primary.ok_or(Discard::NoPrimary)?;
        let total_size = u16::try_from(packet.len()).map_err(|_| Discard::Fragment)?;
        let seqno = guard.next_fragment_seqno();
        let outer = self.header();
        for (number, data) in parts {
            let fragment = Fragment {
                ttl: TTL_FULL,
                number,
                priority,
                reserved: false,
                destination: self.originator.mac(),
                originator: primary,
                seqno,
                total_size,
                data,
            };
            let len = ETHERNET_HEADER_LEN + fragment.wire_len();
            counters.add_packet(Counter::FragTx, Counter::FragTxBytes, len);
            out.transmit(self.hop.iface, priority, &[&outer, &fragment.header(), data])?;
        }
        Ok(())
    }
}
