//! What the host says: its memberships, its bridge, its routers; and what follows from that (sections 3.1 and 4).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use noctule_wire::Mac;
use noctule_wire::tvlv::multicast::MulticastFlags;
use std::collections::BTreeSet;

/// The host side of multicast, as last seen.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HostMulticast {
    /// Groups that the host itself has joined on the mesh interface, or on the bridge above it.
    pub memberships: Vec<IpAddr>,
    /// An IPv4 multicast router is here or behind the bridge (MCAST-06).
    pub router_ipv4: bool,
    /// The same for IPv6 (MCAST-07).
    pub router_ipv6: bool,
    /// The bridge that the mesh interface is a port of, directly or not.
    pub bridge: Option<BridgeMulticast>,
}

/// What a bridge knows.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct BridgeMulticast {
    /// Groups that hosts behind the other ports have joined (MCAST-21).
    pub groups: Vec<IpAddr>,
    /// Who asks for IPv4 memberships.
    pub querier_ipv4: Querier,
    /// Who asks for IPv6 memberships.
    pub querier_ipv6: Querier,
}

/// A querier (MCAST-12). The default is none, which is also what to assume when nothing can be found out (MCAST-25).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Querier {
    /// There is one, and long enough for all reports to have come in.
    pub exists: bool,
    /// It is behind one of the bridge's other ports: the reports that it calls for do not reach the mesh.
    pub shadowing: bool,
}

impl Querier {
    /// Whether the bridge knows its listeners, and the listeners beyond the mesh hear of it.
    const fn serves(self) -> bool {
        self.exists && !self.shadowing
    }
}

/// Whether somebody has joined so many groups, of IPv4 and of IPv6, that they are not announced one by one: all groups of that
/// version are wanted instead, as without a querier (MCAST-17 `[DEV]`).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Crowded {
    pub(super) ipv4: bool,
    pub(super) ipv6: bool,
}

impl HostMulticast {
    /// The flags of the own container (MCAST-06 to MCAST-11).
    pub(super) fn flags(&self, have_packets: bool, crowded: Crowded) -> MulticastFlags {
        let set = |flags: MulticastFlags, on: bool, flag: MulticastFlags| {
            if on { flags.or(flag) } else { flags }
        };
        let mut flags = MulticastFlags::NONE;
        flags = set(flags, have_packets, MulticastFlags::HAVE_PACKETS);
        flags = set(flags, !self.router_ipv4, MulticastFlags::NO_ROUTER_IPV4);
        flags = set(flags, !self.router_ipv6, MulticastFlags::NO_ROUTER_IPV6);
        flags = set(flags, self.bridge.is_some(), MulticastFlags::WANT_UNSNOOPABLE);
        let bridge = self.bridge.as_ref();
        if crowded.ipv4 || bridge.is_some_and(|bridge| !bridge.querier_ipv4.serves()) {
            flags = flags.or(MulticastFlags::WANT_IPV4).without(MulticastFlags::NO_ROUTER_IPV4);
        }
        if crowded.ipv6 || bridge.is_some_and(|bridge| !bridge.querier_ipv6.serves()) {
            flags = flags.or(MulticastFlags::WANT_IPV6).without(MulticastFlags::NO_ROUTER_IPV6);
        }
        flags
    }

    /// How many groups of IPv4 and of IPv6 would be announced.
    pub(super) fn group_counts(&self) -> (usize, usize) {
        let listeners = self.listeners(Crowded::default());
        let ipv6 = listeners.iter().filter(|mac| mac.0[0] == 0x33).count();
        (listeners.len() - ipv6, ipv6)
    }

    /// The addresses to announce as clients (MCAST-13 to MCAST-16, MCAST-19).
    pub(super) fn listeners(&self, crowded: Crowded) -> BTreeSet<Mac> {
        let flags = self.flags(false, crowded);
        let own = self.memberships.iter().filter(|group| !is_interface_local(**group));
        let behind = self.bridge.iter().flat_map(|bridge| &bridge.groups);
        own.chain(behind)
            .filter(|group| is_announced(**group, flags))
            .map(|group| group_mac(*group))
            .collect()
    }
}

/// The lower half of the second byte.
const fn scope(group: Ipv6Addr) -> u8 {
    group.octets()[1] & 0x0f
}

/// Groups of a single host, which no frame ever goes to.
const fn is_interface_local(group: IpAddr) -> bool {
    match group {
        IpAddr::V4(_) => false,
        IpAddr::V6(group) => scope(group) < 2,
    }
}

/// Whether the flags leave something to be said about this group.
fn is_announced(group: IpAddr, flags: MulticastFlags) -> bool {
    let unsnoopable = flags.contains(MulticastFlags::WANT_UNSNOOPABLE);
    match group {
        IpAddr::V4(group) => {
            let link_local = group.octets()[..3] == [224, 0, 0];
            group.is_multicast()
                && !flags.contains(MulticastFlags::WANT_IPV4)
                && !(link_local && unsnoopable)
                && (link_local || flags.contains(MulticastFlags::NO_ROUTER_IPV4))
        }
        IpAddr::V6(group) => {
            let all_nodes = group == Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
            group.is_multicast()
                && !flags.contains(MulticastFlags::WANT_IPV6)
                && !(all_nodes && unsnoopable)
                && (scope(group) <= 2 || flags.contains(MulticastFlags::NO_ROUTER_IPV6))
        }
    }
}

/// The Ethernet address of a group (MCAST-13).
pub(super) fn group_mac(group: IpAddr) -> Mac {
    match group {
        IpAddr::V4(group) => {
            let [_, b, c, d] = Ipv4Addr::octets(&group);
            Mac([0x01, 0x00, 0x5e, b & 0x7f, c, d])
        }
        IpAddr::V6(group) => {
            let [.., a, b, c, d] = group.octets();
            Mac([0x33, 0x33, a, b, c, d])
        }
    }
}
