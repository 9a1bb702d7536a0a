//! This node itself: its hard interfaces and what counts as its own address.

use crate::{BridgedLan, DatRing, Isolation, NextHop, VlanSet};
use noctule_wire::Mac;
use std::sync::Arc;

/// How many hard interfaces a mesh can have. Routers have two or three; the bound keeps each originator's routing views
/// in a fixed array.
pub const IFACES_MAX: usize = 16;

/// A hard interface, numbered in attachment order by the engine's owner.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Iface(u8);

impl Iface {
    /// The `index`th interface; `None` from [`IFACES_MAX`] on.
    pub const fn new(index: usize) -> Option<Self> {
        if index < IFACES_MAX { Some(Self(index as u8)) } else { None }
    }

    /// Its number, below [`IFACES_MAX`].
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// All numbers there can be.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..IFACES_MAX).filter_map(Self::new)
    }
}

/// Who hears what leaves by an interface, as far as flooding must know (FWD-86).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Neighbours {
    /// Nobody: flooding there is a waste.
    #[default]
    None,
    /// Exactly one.
    One {
        /// MAC of its interface on this link.
        address: Mac,
        /// Its originator address as far as the algorithm tells; with IV the interface MAC again (FWD-87).
        originator: Mac,
    },
    /// Several.
    Many,
}

/// One hard interface, as the data plane needs it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct IfaceEntry {
    /// Its MAC address.
    pub mac: Mac,
    /// Its MTU in bytes, Ethernet header not included.
    pub mtu: u32,
    /// Frames are received and sent only while it is active (FWD-04).
    pub active: bool,
    /// Broadcasts are sent three times on Wi-Fi (FWD-11).
    pub wifi: bool,
    /// Who is on that link.
    pub neighbours: Neighbours,
}

/// A snapshot of this node, replaced as a whole.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Node {
    /// The originator address: MAC of the primary interface, also while that interface is down. `None` until an
    /// interface has been active.
    pub primary: Option<Mac>,
    /// The hard interfaces, indexed by [`Iface::index`].
    pub ifaces: [Option<IfaceEntry>; IFACES_MAX],
    /// Neighbours that get less than the MTU of the interface says, in order, and the longest packet that they get.
    pub narrow: Arc<[(NextHop, u32)]>,
    /// Whether packets too long for the way to a neighbour are cut into fragments.
    pub fragmentation: bool,
    /// TCP segments are kept so short that no IP packet gets longer than this, bytes; `None`: as the hosts want it.
    pub clamp_to: Option<u16>,
    /// Who keeps the distributed ARP table; `None`: this node takes no part.
    pub dat: Option<Arc<DatRing>>,
    /// IPv6 neighbour solicitations are answered from what was heard.
    pub neighbour_discovery: bool,
    /// The local table takes no further client: frames of unknown sources are dropped (TT-17).
    pub local_full: bool,
    /// The VLANs of the mesh interface.
    pub vlans: Arc<VlanSet>,
    /// Where isolated clients are kept apart.
    pub isolation: Arc<Isolation>,
    /// Bridge loop avoidance; `None`: there is no LAN behind the mesh interface, or nobody wants it.
    pub lan: Option<Arc<BridgedLan>>,
}

impl Node {
    /// The interface, if attached.
    pub fn iface(&self, iface: Iface) -> Option<&IfaceEntry> {
        self.ifaces[iface.index()].as_ref()
    }

    /// The interface, if attached and active (FWD-04).
    pub fn active(&self, iface: Iface) -> Option<&IfaceEntry> {
        self.iface(iface).filter(|entry| entry.active)
    }

    /// The longest packet that a neighbour gets, bytes; longer ones are cut (FWD-113). `None` unless the interface is
    /// active.
    pub fn carries(&self, hop: NextHop) -> Option<u32> {
        let mtu = self.active(hop.iface)?.mtu;
        let limit = self.narrow.binary_search_by_key(&hop, |(narrow, _)| *narrow).ok();
        Some(limit.map_or(mtu, |place| mtu.min(self.narrow[place].1)))
    }

    /// Whether `mac` is one of ours: that of an active interface (FWD-05), or the originator address.
    ///
    /// The reference disowns its originator address while the primary interface is down and so loses everything that
    /// is sent to it; it stays ours, because the other interfaces go on announcing it.
    pub fn is_mine(&self, mac: Mac) -> bool {
        self.primary == Some(mac)
            || self.ifaces.iter().flatten().any(|entry| entry.active && entry.mac == mac)
    }

    /// The attached interfaces with their numbers, in order.
    pub fn attached(&self) -> impl Iterator<Item = (Iface, &IfaceEntry)> {
        Iface::all().zip(&self.ifaces).filter_map(|(iface, entry)| Some((iface, entry.as_ref()?)))
    }
}
