//! What the kernel must know to carry frames between hosts here and the mesh: the plainest cases only.
//!
//! Not kept for the next daemon: without one there is no mesh interface.

use super::super::layout::{HostEntry, REMOTES_MAX, Route};
use super::way;
use noctule_fib::{Announcers, Changes, Guard, IFACES_MAX, LocalClient, View};
use noctule_wire::tvlv::translation_table::ClientFlags;
use noctule_wire::{Client, Mac, Vid};
use std::collections::{HashMap, HashSet};
use std::io;

/// Where this part of the mirror writes.
///
/// # Errors
/// Each method fails where the kernel refuses: a full map, no memory.
pub trait HostTables {
    /// Replaces what is known of the mesh interface.
    fn set_host(&mut self, host: HostEntry) -> io::Result<()>;
    /// Adds or removes a client here.
    fn set_local(&mut self, client: Client, here: bool) -> io::Result<()>;
    /// Sets or removes the originator that has a client elsewhere.
    fn set_remote(&mut self, client: Client, originator: Option<Mac>) -> io::Result<()>;
    /// Sets or removes the way to an originator.
    fn set_way(&mut self, originator: Mac, way: Option<Route>) -> io::Result<()>;
}

#[derive(Debug)]
pub(super) struct HostMirror {
    /// The mesh interface's index, if a program is on it.
    ifindex: Option<u32>,
    entry: HostEntry,
    locals: HashSet<Client>,
    remotes: HashMap<Client, Mac>,
    ways: HashMap<Mac, Route>,
    /// Originators of the FIB.
    originators: HashSet<Mac>,
}

impl Default for HostMirror {
    fn default() -> Self {
        Self {
            ifindex: None,
            entry: HostEntry::NONE,
            locals: HashSet::new(),
            remotes: HashMap::new(),
            ways: HashMap::new(),
            originators: HashSet::new(),
        }
    }
}

impl HostMirror {
    pub(super) fn attach(&mut self, ifindex: u32) {
        self.ifindex = Some(ifindex);
    }

    pub(super) fn is_on(&self) -> bool {
        self.entry != HostEntry::NONE
    }

    pub(super) fn follow(
        &mut self,
        guard: &Guard<'_>,
        changes: &Changes,
        moved: bool,
        ifindexes: &[Option<u32>; IFACES_MAX],
        tables: &mut impl HostTables,
    ) {
        // First what is withdrawn.
        let entry = self.entry(guard);
        if entry != self.entry && tables.set_host(entry).is_ok() {
            self.entry = entry;
        }
        for client in changes.clients.iter().filter(|client| client.vid == Vid::UNTAGGED) {
            self.follow_local(guard, *client, tables);
            self.follow_remote(guard, *client, tables);
        }
        for mac in &changes.originators {
            if guard.originator(*mac).is_some() {
                self.originators.insert(*mac);
            } else {
                self.originators.remove(mac);
            }
        }
        let whose = if changes.node || moved {
            self.originators.iter().chain(self.ways.keys()).copied().collect()
        } else {
            changes.originators.clone()
        };
        for originator in whose {
            let wanted = way(guard, ifindexes, originator, View::Default);
            if self.ways.get(&originator) == wanted.as_ref() {
                continue;
            }
            match wanted {
                Some(way) if tables.set_way(originator, wanted).is_ok() => {
                    self.ways.insert(originator, way);
                }
                // Better none than one that leads elsewhere.
                _ => {
                    self.ways.remove(&originator);
                    let _ = tables.set_way(originator, None);
                }
            }
        }
    }

    /// Everything that looks into frames, or changes them, is the pipeline's.
    fn entry(&self, guard: &Guard<'_>) -> HostEntry {
        let node = guard.node();
        let is_plain = node.lan.is_none()
            && node.clamp_to.is_none()
            && !node.isolation.contains(Vid::UNTAGGED);
        match (self.ifindex, node.primary) {
            (Some(ifindex), Some(originator)) if is_plain => {
                HostEntry { ifindex, originator, ttvn: guard.own_ttvn() }
            }
            _ => HostEntry::NONE,
        }
    }

    fn follow_local(&mut self, guard: &Guard<'_>, client: Client, tables: &mut impl HostTables) {
        let here = guard.local(client).is_some_and(LocalClient::is_mine)
            && client.mac.is_station()
            && !client.mac.is_loop_detect();
        if here == self.locals.contains(&client) {
            return;
        }
        if here && tables.set_local(client, true).is_ok() {
            self.locals.insert(client);
        } else if !here {
            self.locals.remove(&client);
            let _ = tables.set_local(client, false);
        }
    }

    /// Only if there is nothing to choose, and nothing in doubt.
    fn follow_remote(&mut self, guard: &Guard<'_>, client: Client, tables: &mut impl HostTables) {
        let wanted = guard.global(client).and_then(|entry| match entry.announcers {
            Announcers::One(mac) if !entry.flags.contains(ClientFlags::ROAM) => Some(mac),
            _ => None,
        });
        let has = self.remotes.get(&client).copied();
        if has == wanted || has.is_none() && self.remotes.len() >= REMOTES_MAX {
            return;
        }
        match wanted {
            Some(mac) if tables.set_remote(client, wanted).is_ok() => {
                self.remotes.insert(client, mac);
            }
            _ => {
                self.remotes.remove(&client);
                let _ = tables.set_remote(client, None);
            }
        }
    }
}
