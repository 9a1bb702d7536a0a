//! Multicast optimisation: what this node wants, and what the others want (09-multicast.md).
//!
//! Whoever owns the engine looks at the host and hands in a [`HostMulticast`]; from it come the flags of the MCAST
//! container and the groups that are announced as clients. What other originators say is kept per originator and
//! published as the sets that the transmit decision needs.

mod host;
#[cfg(test)]
mod tests;

use host::Crowded;
pub use host::{BridgeMulticast, HostMulticast, Querier};

use crate::interfaces::Interfaces;
use crate::{Context, Routing};
use noctule_fib::{Counter, Counters};
use noctule_wire::tvlv::multicast::MulticastFlags;
use noctule_wire::tvlv::{Containers, Kind};
use noctule_wire::{Mac, Multicast as Packet};
use std::collections::{BTreeMap, BTreeSet};

/// What an originator said last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Peer {
    flags: MulticastFlags,
    /// Whether its last OGM with containers had this one.
    announces: bool,
}

/// What is known of one originator's wishes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MulticastRow {
    /// The originator.
    pub originator: Mac,
    /// Its flags; `None` if it does not announce any.
    pub flags: Option<MulticastFlags>,
}

/// What this node wants.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OwnMulticast {
    /// The flags that are announced.
    pub flags: MulticastFlags,
    /// The queriers for IPv4 and IPv6 on the bridge above the mesh interface; `None` without a bridge.
    pub queriers: Option<[Querier; 2]>,
}

/// The part of the engine.
#[derive(Debug)]
pub(crate) struct Multicast {
    host: Option<HostMulticast>,
    /// How many groups of IPv4 and IPv6 it has joined.
    group_counts: (usize, usize),
    crowded: Crowded,
    /// Own flags; `None` until the host has been looked at (MCAST-01).
    own: Option<MulticastFlags>,
    /// Originators whose containers were evaluated; the others are [`MulticastFlags::INITIAL`] (MCAST-26).
    peers: BTreeMap<Mac, Peer>,
    published: noctule_fib::Multicast,
    /// Whether all `peers` understood multicast packets when they were published.
    all_have_packets: bool,
    /// Whether `peers` have changed since they were published.
    stale: bool,
}

impl Multicast {
    /// Nothing is known, and nothing is published yet.
    pub(crate) fn new() -> Self {
        Self {
            host: None,
            group_counts: (0, 0),
            crowded: Crowded::default(),
            own: None,
            peers: BTreeMap::new(),
            published: noctule_fib::Multicast::default(),
            all_have_packets: true,
            stale: true,
        }
    }

    /// The host looks like this. Returns the groups to announce, computed with the new flags (MCAST-03): at most `groups_max`
    /// of IPv4 and as many of IPv6, so that who joins ever more groups leaves the clients their places (MCAST-17 `[DEV]`).
    pub(crate) fn set_host(
        &mut self,
        counters: &Counters,
        interfaces: &Interfaces,
        host: &HostMulticast,
        groups_max: usize,
    ) -> BTreeSet<Mac> {
        if self.host.as_ref() != Some(host) {
            self.host = Some(host.clone());
            self.group_counts = host.group_counts();
        }
        let (ipv4, ipv6) = self.group_counts;
        for (crowded, count) in [(&mut self.crowded.ipv4, ipv4), (&mut self.crowded.ipv6, ipv6)] {
            // Not back and forth at the limit.
            let limit = if *crowded { groups_max / 4 * 3 } else { groups_max };
            let now = count > limit;
            counters.add(Counter::McastGroupsFull, u64::from(now && !*crowded));
            *crowded = now;
        }
        self.own = Some(host.flags(has_capability(interfaces), self.crowded));
        host.listeners(self.crowded)
    }

    /// The value of the own container; `None` if there is nothing to announce yet.
    pub(crate) fn own_value(&self) -> Option<[u8; MulticastFlags::LEN]> {
        self.own.map(MulticastFlags::to_bytes)
    }

    /// An OGM of an originator carries these containers (MCAST-26 to MCAST-29). One without any says nothing.
    pub(crate) fn on_ogm(&mut self, routing: &dyn Routing, originator: Mac, area: &[u8]) {
        if area.is_empty() || !routing.knows(originator) {
            return;
        }
        let said = Containers::new(area)
            .map_while(Result::ok)
            .filter(|container| container.kind == Kind::MULTICAST)
            .last();
        let peer = match said {
            Some(container) => {
                Peer { flags: MulticastFlags::parse(container.value), announces: true }
            }
            None => Peer { flags: MulticastFlags::ABSENT, announces: false },
        };
        self.stale |= self.peers.insert(originator, peer) != Some(peer);
    }

    /// An originator is forgotten, and with it all that it wanted (MCAST-30).
    pub(crate) fn originator_gone(&mut self, originator: Mac) {
        self.stale |= self.peers.remove(&originator).is_some();
    }

    /// Ends every call: the data plane learns what has changed.
    pub(crate) fn publish(&mut self, ctx: &mut Context<'_>, interfaces: &Interfaces) {
        // The links may have changed since the host was looked at.
        if let Some(host) = &self.host {
            self.own = Some(host.flags(has_capability(interfaces), self.crowded));
        }
        let able = self.own.is_some_and(|own| own.contains(MulticastFlags::HAVE_PACKETS));
        if !self.stale {
            let settings = ctx.settings;
            let packets = able && self.all_have_packets;
            let now = &self.published;
            if now.flood == settings.multicast_forceflood
                && now.fanout == settings.multicast_fanout
                && now.packets == packets
            {
                return;
            }
        }
        self.stale = false;
        // MCAST-37: one that does not understand multicast packets is enough.
        self.all_have_packets =
            self.peers.values().all(|peer| peer.flags.contains(MulticastFlags::HAVE_PACKETS));
        let who = |wants: &dyn Fn(MulticastFlags) -> bool| -> Box<[Mac]> {
            let wanting = self.peers.iter().filter(|(_, peer)| wants(peer.flags));
            wanting.map(|(mac, _)| *mac).collect()
        };
        let with = |flag: MulticastFlags| who(&move |flags| flags.contains(flag));
        let without = |flag: MulticastFlags| who(&move |flags| !flags.contains(flag));
        self.published = noctule_fib::Multicast {
            flood: ctx.settings.multicast_forceflood,
            fanout: ctx.settings.multicast_fanout,
            packets: able && self.all_have_packets,
            want_unsnoopable: with(MulticastFlags::WANT_UNSNOOPABLE).len(),
            want_ipv4: with(MulticastFlags::WANT_IPV4),
            want_ipv6: with(MulticastFlags::WANT_IPV6),
            routers_ipv4: without(MulticastFlags::NO_ROUTER_IPV4),
            routers_ipv6: without(MulticastFlags::NO_ROUTER_IPV6),
        };
        ctx.fib.set_multicast(self.published.clone());
    }

    /// What this node wants; `None` until the host has been looked at.
    pub(crate) fn own(&self) -> Option<OwnMulticast> {
        let bridge = self.host.as_ref()?.bridge.as_ref();
        let queriers = bridge.map(|bridge| [bridge.querier_ipv4, bridge.querier_ipv6]);
        Some(OwnMulticast { flags: self.own?, queriers })
    }

    /// The originators whose wishes are known, by address.
    pub(crate) fn rows(&self) -> Vec<MulticastRow> {
        let row = |(mac, peer): (&Mac, &Peer)| MulticastRow {
            originator: *mac,
            flags: peer.announces.then_some(peer.flags),
        };
        self.peers.iter().map(row).collect()
    }
}

/// Whether multicast packets fit every active hard interface (MCAST-08).
fn has_capability(interfaces: &Interfaces) -> bool {
    interfaces.mtu_min().is_none_or(|mtu| mtu as usize >= Packet::SIZE_MAX)
}
