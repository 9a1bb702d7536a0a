//! Who announces an uplink, and when it is overdue (section 4).

use core::time::Duration;
use noctule_wire::tvlv::gateway::Gateway;
use noctule_wire::{Instant, Mac};
use std::collections::BTreeMap;

/// Silence that is no reason for doubt, beside twice the longest silence that was seen lately.
const GRACE: Duration = Duration::from_millis(800);
/// With each OGM the longest silence that is remembered loses its 32nd part: in a lossy mesh the last minute counts.
const FORGETTING: u32 = 32;
/// How many of our own OGM intervals a gateway may be silent whose own interval is not known yet.
const FIRST_INTERVALS: u32 = 5;

/// One gateway.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// What it announces.
    pub(super) bandwidth: Gateway,
    /// Orders the table: the last one to come is the first of the list (GW-10).
    birth: u64,
    /// When a new OGM of it was heard last.
    heard: Instant,
    /// The longest silence lately; `None` until there was one.
    pause: Option<Duration>,
    /// The same until then.
    first_pause: Duration,
}

impl Entry {
    /// When it has been silent for so long that it may be dead.
    pub(super) fn silent_at(&self) -> Instant {
        self.heard + self.pause.unwrap_or(self.first_pause).saturating_mul(2) + GRACE
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
        let Some(entry) = self.entries.get_mut(&originator) else { return };
        let gap = now.since(entry.heard);
        let known = entry.pause.unwrap_or_default();
        entry.pause = Some(gap.max(known - known / FORGETTING));
        entry.heard = now;
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
        let new = Entry {
            bandwidth,
            birth,
            heard: now,
            pause: None,
            first_pause: interval.saturating_mul(FIRST_INTERVALS),
        };
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
