//! A node of the mesh, and the way to it.

use crate::{IFACES_MAX, Iface};
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use noctule_wire::{Mac, Ttvn};
use portable_atomic::AtomicU64;

/// The neighbour to hand a packet to.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct NextHop {
    /// The interface it is reached by.
    pub iface: Iface,
    /// Its interface's MAC.
    pub mac: Mac,
}

/// Which routing table: the default one, or the one for packets that arrived on an interface (IV-08, IV-95).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum View {
    /// For traffic that starts here, and for reports.
    Default,
    /// For payload that arrived on this interface.
    Arrival(Iface),
}

impl View {
    /// How many views there can be.
    pub const COUNT: usize = 1 + IFACES_MAX;

    /// 0 for the default view, 1 + number of the interface for the others.
    pub const fn index(self) -> usize {
        match self {
            Self::Default => 0,
            Self::Arrival(iface) => 1 + iface.index(),
        }
    }
}

impl From<Option<Iface>> for View {
    fn from(incoming: Option<Iface>) -> Self {
        incoming.map_or(Self::Default, Self::Arrival)
    }
}

/// An originator that the engine knows. Each field is read and written on its own.
#[derive(Debug)]
pub struct Originator {
    mac: Mac,
    birth: u64,
    routers: [AtomicU64; View::COUNT],
    metric: AtomicU32,
    doubtful: AtomicBool,
    ttvn: AtomicU8,
}

/// Set in a packed router; a word without it means "no router".
const PRESENT: u64 = 1 << 63;

impl Originator {
    pub(crate) fn new(mac: Mac, birth: u64) -> Self {
        Self {
            mac,
            birth,
            routers: [const { AtomicU64::new(0) }; View::COUNT],
            metric: AtomicU32::new(0),
            doubtful: AtomicBool::new(false),
            ttvn: AtomicU8::new(0),
        }
    }

    /// Its originator address.
    pub const fn mac(&self) -> Mac {
        self.mac
    }

    /// Tells this life of the originator from an earlier one that the engine has forgotten: what the data plane
    /// remembers of an originator (broadcast window, fragments) ends with its life (FWD-96, FWD-118).
    pub const fn birth(&self) -> u64 {
        self.birth
    }

    /// The next hop in this view. There is no fallback from one view to another (IV-95).
    pub fn router(&self, view: View) -> Option<NextHop> {
        let word = self.routers[view.index()].load(Ordering::Acquire);
        if word & PRESENT == 0 {
            return None;
        }
        let [_, iface, mac @ ..] = word.to_be_bytes();
        Some(NextHop { iface: Iface::new(usize::from(iface))?, mac: Mac(mac) })
    }

    /// Says whether that is another one than before.
    pub(crate) fn set_router(&self, view: View, router: Option<NextHop>) -> bool {
        let word = router.map_or(0, |hop| {
            let [a, b, c, d, e, f] = hop.mac.0;
            u64::from_be_bytes([0, hop.iface.index() as u8, a, b, c, d, e, f]) | PRESENT
        });
        self.routers[view.index()].swap(word, Ordering::AcqRel) != word
    }

    /// How good the default route is: TQ 0 to 255 with IV, throughput with V. Larger is better.
    pub fn metric(&self) -> u32 {
        self.metric.load(Ordering::Relaxed)
    }

    pub(crate) fn set_metric(&self, metric: u32) {
        self.metric.store(metric, Ordering::Relaxed);
    }

    /// Whether its next hop has been silent for so long that anybody else who serves the same client is better.
    pub fn is_doubtful(&self) -> bool {
        self.doubtful.load(Ordering::Relaxed)
    }

    pub(crate) fn set_doubtful(&self, doubtful: bool) {
        self.doubtful.store(doubtful, Ordering::Relaxed);
    }

    /// The last version of its client table that we have seen.
    pub fn ttvn(&self) -> Ttvn {
        Ttvn(self.ttvn.load(Ordering::Acquire))
    }

    /// Says whether that is another one than before.
    pub(crate) fn set_ttvn(&self, ttvn: Ttvn) -> bool {
        self.ttvn.swap(ttvn.0, Ordering::AcqRel) != ttvn.0
    }
}
