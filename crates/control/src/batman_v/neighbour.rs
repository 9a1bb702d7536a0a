//! Who is on each link, by ELP (V-06).

use super::throughput::Average;
use core::ops::RangeInclusive;
use core::time::Duration;
use noctule_fib::{Iface, NextHop};
use noctule_wire::{Instant, Mac, SeqNo};
use std::collections::BTreeMap;

/// Lower bound of the silence after which a neighbour is in doubt.
const DOUBTFUL_AFTER_MIN: Duration = Duration::from_secs(2);
/// The same in ELP intervals that it has announced itself.
const DOUBTFUL_INTERVALS: u32 = 4;

/// One neighbour on one of our interfaces.
#[derive(Clone, Copy, Debug)]
pub(super) struct Neighbour {
    /// The node that it belongs to, as the ELP said that made it known.
    pub(super) originator: Mac,
    /// When its ELP last counted.
    pub(super) last_seen: Instant,
    /// Speed of the link to it.
    pub(super) throughput: Average,
    /// Number of its last ELP.
    pub(super) latest: SeqNo,
    /// How often it says ELP, as far as it says.
    pub(super) interval: Duration,
    /// What the data plane had counted of frames to it when that was last looked at (V-14).
    pub(super) unicasts: u32,
    /// How many candidates refer to it; it lives as long as one does (V-35).
    candidates: usize,
}

impl Neighbour {
    /// Whether it has been silent for so long that anybody else is better.
    pub(super) fn is_doubtful(&self, now: Instant) -> bool {
        let limit = self.interval.saturating_mul(DOUBTFUL_INTERVALS).max(DOUBTFUL_AFTER_MIN);
        self.last_seen.timed_out(now, limit)
    }
}

/// All neighbours on all interfaces.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    entries: BTreeMap<NextHop, Neighbour>,
}

impl Neighbours {
    /// A neighbour says ELP for the first time. No candidate refers to it yet.
    pub(super) fn insert(&mut self, hop: NextHop, originator: Mac, unicasts: u32, now: Instant) {
        self.entries.insert(
            hop,
            Neighbour {
                originator,
                last_seen: now,
                throughput: Average::default(),
                latest: SeqNo(0),
                interval: Duration::ZERO,
                unicasts,
                candidates: 0,
            },
        );
    }

    /// A candidate refers to it from here on.
    pub(super) fn acquire(&mut self, hop: NextHop) {
        if let Some(entry) = self.entries.get_mut(&hop) {
            entry.candidates += 1;
        }
    }

    /// A candidate refers to it no more. Whether it is gone.
    pub(super) fn release(&mut self, hop: NextHop) -> bool {
        let Some(entry) = self.entries.get_mut(&hop) else { return false };
        entry.candidates = entry.candidates.saturating_sub(1);
        let gone = entry.candidates == 0;
        if gone {
            self.entries.remove(&hop);
        }
        gone
    }

    pub(super) fn get(&self, hop: NextHop) -> Option<&Neighbour> {
        self.entries.get(&hop)
    }

    pub(super) fn get_mut(&mut self, hop: NextHop) -> Option<&mut Neighbour> {
        self.entries.get_mut(&hop)
    }

    /// All of them, by interface and address.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&NextHop, &Neighbour)> {
        self.entries.iter()
    }

    /// Those on one link, by address.
    pub(super) fn of(&self, iface: Iface) -> impl Iterator<Item = (Mac, &Neighbour)> {
        self.entries.range(span(iface)).map(|(hop, neighbour)| (hop.mac, neighbour))
    }

    /// The same, to change them.
    pub(super) fn of_mut(&mut self, iface: Iface) -> impl Iterator<Item = (Mac, &mut Neighbour)> {
        self.entries.range_mut(span(iface)).map(|(hop, neighbour)| (hop.mac, neighbour))
    }

    /// Who is on one link, as flooding must know it (FWD-86).
    pub(super) fn on(&self, iface: Iface) -> noctule_fib::Neighbours {
        let mut here = self.of(iface);
        match (here.next(), here.next()) {
            (None, _) => noctule_fib::Neighbours::None,
            (Some((address, neighbour)), None) => {
                noctule_fib::Neighbours::One { address, originator: neighbour.originator }
            }
            (Some(_), Some(_)) => noctule_fib::Neighbours::Many,
        }
    }
}

fn span(iface: Iface) -> RangeInclusive<NextHop> {
    NextHop { iface, mac: Mac::ZERO }..=NextHop { iface, mac: Mac::BROADCAST }
}
