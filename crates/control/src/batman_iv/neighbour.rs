//! Who is on each link: the MACs that candidates refer to (IV-92).

use core::ops::RangeInclusive;
use core::time::Duration;
use noctule_fib::{Iface, NextHop};
use noctule_wire::{Instant, Mac};
use std::collections::BTreeMap;

/// A neighbour that missed this many of our OGM intervals, and a half, is silent. It answers each of our OGMs that it
/// hears (IV-79) whatever its own interval is, so one that is alive and hears us is not silent that long by chance: with
/// half of all frames lost in each direction and one OGM of its own for each of ours, once in 200.
const SILENT_AFTER_INTERVALS: u32 = 5;
/// Lower bound of the time until a neighbour counts as silent: answers are held back for up to 110 ms, and with short
/// intervals a burst of interference would do.
const SILENT_AFTER_MIN: Duration = Duration::from_secs(3);

/// The same until it is in doubt.
const DOUBTFUL_AFTER_MIN: Duration = Duration::from_secs(2);

/// After how long without any OGM frame a neighbour counts as silent.
pub(super) fn silent_after(orig_interval: Duration) -> Duration {
    let intervals = orig_interval.saturating_mul(SILENT_AFTER_INTERVALS) + orig_interval / 2;
    intervals.max(SILENT_AFTER_MIN)
}

/// After how long a neighbour is in doubt: whoever else serves the same client is better. To be wrong costs nothing.
pub(super) fn doubtful_after(orig_interval: Duration) -> Duration {
    (orig_interval.saturating_mul(2) + orig_interval / 2).max(DOUBTFUL_AFTER_MIN)
}

/// One neighbour on one of our interfaces.
#[derive(Clone, Copy, Debug)]
pub(super) struct Neighbour {
    /// When its own OGM last came from it (IV-52).
    pub(super) last_seen: Instant,
    /// When any OGM frame last came from it.
    pub(super) heard: Instant,
    /// The originator whose OGMs it sends with their full TTL: the node that it belongs to.
    pub(super) node: Option<Mac>,
    /// How many candidates refer to it; it lives as long as one does.
    candidates: usize,
    /// How many originators are charged to it: by way of it the default route leads there, and they are not itself.
    led: usize,
}

/// All neighbours on all interfaces.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    entries: BTreeMap<NextHop, Neighbour>,
    /// Sum of [`Neighbour::led`].
    led: usize,
    /// No less than the largest of them.
    most_led: usize,
}

impl Neighbours {
    /// A candidate refers to it from here on. Whether it is new.
    pub(super) fn acquire(&mut self, hop: NextHop, now: Instant) -> bool {
        let entry = self.entries.entry(hop).or_insert(Neighbour {
            last_seen: now,
            heard: now,
            node: None,
            candidates: 0,
            led: 0,
        });
        entry.candidates += 1;
        entry.candidates == 1
    }

    /// A candidate refers to it no more. Whether it is gone.
    pub(super) fn release(&mut self, hop: NextHop) -> bool {
        let Some(entry) = self.entries.get_mut(&hop) else { return false };
        entry.candidates -= 1;
        let gone = entry.candidates == 0;
        if gone {
            self.led -= entry.led;
            self.entries.remove(&hop);
        }
        gone
    }

    /// An originator is charged to another neighbour than before; either may be `None`.
    pub(super) fn charge(&mut self, before: Option<NextHop>, after: Option<NextHop>) {
        if let Some(entry) = before.and_then(|hop| self.entries.get_mut(&hop)) {
            let less = entry.led.min(1);
            entry.led -= less;
            self.led -= less;
        }
        if let Some(entry) = after.and_then(|hop| self.entries.get_mut(&hop)) {
            entry.led += 1;
            self.led += 1;
            self.most_led = self.most_led.max(entry.led);
        }
    }

    /// How many originators are charged to a neighbour.
    pub(super) fn led_by(&self, hop: NextHop) -> usize {
        self.entries.get(&hop).map_or(0, |entry| entry.led)
    }

    /// How many originators are charged to anybody.
    pub(super) const fn led_by_all(&self) -> usize {
        self.led
    }

    /// No less than the most that are charged to one neighbour.
    pub(super) const fn most_led(&self) -> usize {
        self.most_led
    }

    pub(super) fn recount_most_led(&mut self) {
        self.most_led = self.entries.values().map(|entry| entry.led).max().unwrap_or(0);
    }

    pub(super) fn get(&self, hop: NextHop) -> Option<&Neighbour> {
        self.entries.get(&hop)
    }

    pub(super) fn get_mut(&mut self, hop: NextHop) -> Option<&mut Neighbour> {
        self.entries.get_mut(&hop)
    }

    /// Whether the neighbour speaks by this originator address, as far as its OGMs tell.
    pub(super) fn speaks_as(&self, hop: NextHop, originator: Mac) -> bool {
        hop.mac == originator
            || self.entries.get(&hop).is_some_and(|entry| entry.node == Some(originator))
    }

    /// All of them, by interface and address.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&NextHop, &Neighbour)> {
        self.entries.iter()
    }

    /// Who is on one link (FWD-86).
    pub(super) fn on(&self, iface: Iface) -> noctule_fib::Neighbours {
        let range: RangeInclusive<NextHop> =
            NextHop { iface, mac: Mac::ZERO }..=NextHop { iface, mac: Mac::BROADCAST };
        let mut here = self.entries.range(range).map(|(hop, _)| hop.mac);
        match (here.next(), here.next()) {
            (None, _) => noctule_fib::Neighbours::None,
            // The algorithm tells interfaces, not nodes: the interface is its own originator (FWD-87).
            (Some(mac), None) => noctule_fib::Neighbours::One { address: mac, originator: mac },
            (Some(_), Some(_)) => noctule_fib::Neighbours::Many,
        }
    }
}
