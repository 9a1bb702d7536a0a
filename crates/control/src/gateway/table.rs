//! Who announces an uplink, and when it is overdue (section 4).

use crate::rhythm::Rhythm;
use core::time::Duration;
use noctule_wire::tvlv::gateway::Gateway;
use noctule_wire::{Instant, Mac};
use std::collections::BTreeMap;

/// One gateway.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// What it announces.
    pub(super) bandwidth: Gateway,
    /// Orders the table: the last one to come is the first of the list (GW-10).
    birth: u64,
    rhythm: Rhythm,
}

impl Entry {
    /// When it has been silent for so long that it may be dead.
    pub(super) fn silent_at(&self) -> Instant {
        self.rhythm.silent_at()
    }
}

/// All gateways. There are at most as many as originators are known: only those are taken in, and the originator takes
/// its entry with it (GW-14).
#[derive(Debug, Default)]
pub(super) struct Table {
    entries: BTreeMap<Mac, Entry>,
    births: u64,
}

impl Table {
    pub(super) fn get(&self, originator: Mac) -> Option<&Entry> {
        self.entries.get(&originator)
    }

    /// A new OGM came, whatever is in it.
    pub(super) fn heard(&mut self, originator: Mac, now: Instant) {
        if let Some(entry) = self.entries.get_mut(&originator) {
            entry.rhythm.heard(now);
        }
    }

    /// It says that it is a gateway (GW-10, GW-11).
    pub(super) fn announce(
        &mut self,
        originator: Mac,
        bandwidth: Gateway,
        now: Instant,
        interval: Duration,
    ) {
        self.births += 1;
        let birth = self.births;
        let new = Entry { bandwidth, birth, rhythm: Rhythm::new(now, interval) };
        self.entries.entry(originator).or_insert(new).bandwidth = bandwidth;
    }

    /// Whether there was one.
    pub(super) fn remove(&mut self, originator: Mac) -> bool {
        self.entries.remove(&originator).is_some()
    }

    /// When a gateway has been silent for so long that it may be dead.
    pub(super) fn silent_at(&self, originator: Mac) -> Option<Instant> {
        self.get(originator).map(Entry::silent_at)
    }

    /// In the order of the list.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = (Mac, &Entry)> {
        let mut rows: Vec<_> = self.entries.iter().map(|(mac, entry)| (*mac, entry)).collect();
        rows.sort_unstable_by_key(|(_, entry)| core::cmp::Reverse(entry.birth));
        rows.into_iter()
    }
}
