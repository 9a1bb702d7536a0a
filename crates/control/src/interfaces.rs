//! The hard interfaces of this node and which of them is the primary (FWD-01 to FWD-10, IV-23).

use crate::{IfaceSettings, Link};
use noctule_fib::{IFACES_MAX, Iface};
use noctule_wire::Mac;

/// One attached hard interface.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interface {
    pub(crate) link: Link,
    pub(crate) settings: IfaceSettings,
    /// What was found to pass to every neighbour, if that is less than the MTU.
    pub(crate) limit: Option<u32>,
    /// Attachment order: the lower number was attached first (IV-09).
    pub(crate) order: u64,
}

impl Interface {
    /// Whether frames are sent and received (FWD-04).
    pub(crate) const fn active(&self) -> bool {
        self.link.up
    }

    /// The longest packet that reaches every neighbour, bytes: the MTU, or what was found to pass.
    pub(crate) fn carries(&self) -> u32 {
        self.limit.map_or(self.link.mtu, |limit| limit.min(self.link.mtu))
    }
}

/// All attached hard interfaces.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interfaces {
    entries: [Option<Interface>; IFACES_MAX],
    attached: u64,
    primary: Option<Iface>,
}

impl Interfaces {
    pub(crate) fn get(&self, iface: Iface) -> Option<&Interface> {
        self.entries[iface.index()].as_ref()
    }

    /// The interface, if attached and active.
    pub(crate) fn active(&self, iface: Iface) -> Option<&Interface> {
        self.get(iface).filter(|interface| interface.active())
    }

    /// Attached interfaces, in attachment order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Iface, &Interface)> {
        let mut attached: Vec<_> =
            Iface::all().filter_map(|iface| Some((iface, self.get(iface)?))).collect();
        attached.sort_by_key(|(_, interface)| interface.order);
        attached.into_iter()
    }

    /// Active interfaces, in attachment order.
    pub(crate) fn iter_active(&self) -> impl Iterator<Item = (Iface, &Interface)> {
        self.iter().filter(|(_, interface)| interface.active())
    }

    /// The interface whose address is the originator address, also while it is down.
    pub(crate) const fn primary(&self) -> Option<Iface> {
        self.primary
    }

    /// The originator address.
    pub(crate) fn primary_mac(&self) -> Option<Mac> {
        self.primary.and_then(|iface| self.get(iface)).map(|interface| interface.link.mac)
    }

    /// Whether `mac` is one of ours: of an active interface, or the originator address. The latter also while its
    /// interface is down, since the others go on announcing it.
    pub(crate) fn is_mine(&self, mac: Mac) -> bool {
        self.primary_mac() == Some(mac)
            || self.entries.iter().flatten().any(|entry| entry.active() && entry.link.mac == mac)
    }

    pub(crate) fn attach(&mut self, iface: Iface, link: Link, settings: IfaceSettings) {
        self.attached += 1;
        self.entries[iface.index()] =
            Some(Interface { link, settings, limit: None, order: self.attached });
        self.elect_primary();
    }

    /// Takes over how the interface looks. Nothing happens to one that is not attached.
    pub(crate) fn change(&mut self, iface: Iface, link: Link) {
        if let Some(entry) = &mut self.entries[iface.index()] {
            entry.link = link;
            self.elect_primary();
        }
    }

    /// Takes over settings. Nothing happens to one that is not attached.
    pub(crate) fn set_settings(&mut self, iface: Iface, settings: IfaceSettings) {
        if let Some(entry) = &mut self.entries[iface.index()] {
            entry.settings = settings;
        }
    }

    pub(crate) fn detach(&mut self, iface: Iface) {
        self.entries[iface.index()] = None;
        if self.primary == Some(iface) {
            self.primary = None;
        }
        self.elect_primary();
    }

    /// The first that becomes active while there is none; link-down does not move the role (IV-23, FWD-06).
    fn elect_primary(&mut self) {
        if self.primary.is_none() {
            let first = self.iter_active().map(|(iface, _)| iface).next();
            self.primary = first;
        }
    }

    /// Takes over what was found to pass. Says whether that is news.
    pub(crate) fn set_limit(&mut self, iface: Iface, limit: Option<u32>) -> bool {
        let Some(entry) = &mut self.entries[iface.index()] else { return false };
        core::mem::replace(&mut entry.limit, limit) != limit
    }

    /// Smallest MTU of the active interfaces (FWD-15), as far as it is carried.
    pub(crate) fn mtu_min(&self) -> Option<u32> {
        self.iter_active().map(|(_, interface)| interface.carries()).min()
    }
}
