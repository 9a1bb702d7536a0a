//! The books: what was sent, what arrived, and what became of the rest.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Result, ensure};

/// Reasons for which a unicast frame in transit can be dropped. Others are of control packets and of broadcasts.
pub(super) const REASONS: [&str; 12] = [
    "drop_queue_full",
    "drop_transmit_failed",
    "drop_inactive",
    "drop_no_route",
    "drop_unknown_originator",
    "drop_not_for_us",
    "drop_outdated_ttvn",
    "drop_unknown_client",
    "drop_too_long",
    "drop_truncated",
    "drop_ttl_spent",
    "drop_fragment",
];
/// Frames of the nodes themselves that may be dropped for the same reasons while links and routes change.
pub(super) const OF_NODES: u64 = 200;

/// Where all counters stand at a moment.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Books {
    /// Frames of the generator that the sinks have seen.
    pub(super) arrived: u64,
    /// What was dropped: by node or link, and reason.
    pub(super) dropped: BTreeMap<(String, String), u64>,
}

/// What happened to the frames of a round.
#[derive(Debug)]
pub(super) struct Balance {
    pub(super) sent: u64,
    pub(super) arrived: u64,
    /// What was dropped meanwhile, and where.
    pub(super) dropped: BTreeMap<(String, String), u64>,
}

impl Balance {
    /// Between two moments.
    pub(super) fn between(before: &Books, after: &Books, sent: u64) -> Self {
        let since = |(key, now): (&(String, String), &u64)| {
            let then = before.dropped.get(key).copied().unwrap_or_default();
            // A node that was started anew, or a link that was made anew, counts from zero.
            let more = if *now >= then { now - then } else { *now };
            (more > 0).then(|| (key.clone(), more))
        };
        let dropped = after.dropped.iter().filter_map(since).collect();
        Self { sent, arrived: after.arrived - before.arrived, dropped }
    }

    /// Frames that are in a counter of what was dropped.
    pub(super) fn counted(&self) -> u64 {
        self.dropped.values().sum()
    }

    /// Frames that are nowhere; below zero: that are there twice.
    pub(super) fn missing(&self) -> i64 {
        self.sent.cast_signed() - self.arrived.cast_signed() - self.counted().cast_signed()
    }

    /// Whether the books are right: exactly, or so that only what a link or a daemon took with it is missing, and no more than
    /// `twice` frames are there twice.
    pub(super) fn check(&self, exact: bool, twice: u64) -> Result<()> {
        let missing = self.missing();
        ensure!(self.arrived <= self.sent, "more arrived than was sent: {self}");
        if exact {
            ensure!(missing == 0, "the books do not balance: {self}");
        } else {
            ensure!(missing >= -twice.cast_signed(), "frames are counted twice: {self}");
        }
        Ok(())
    }
}

impl fmt::Display for Balance {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} sent, {} arrived", self.sent, self.arrived)?;
        for ((place, reason), count) in &self.dropped {
            write!(out, ", {count} {place} {reason}")?;
        }
        write!(out, ", {} missing", self.missing())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn books(arrived: u64, dropped: &[(&str, &str, u64)]) -> Books {
        let key = |(place, reason, count): &(&str, &str, u64)| {
            ((place.to_string(), reason.to_string()), *count)
        };
        Books { arrived, dropped: dropped.iter().map(key).collect() }
    }

    #[test]
    fn each_frame_has_arrived_or_is_in_a_counter() {
        let before = books(10, &[("n2", "a", 5)]);
        let after = books(90, &[("n2", "a", 15), ("n3", "b", 10)]);
        let balance = Balance::between(&before, &after, 100);
        assert_eq!((balance.counted(), balance.missing()), (20, 0));
        assert!(balance.check(true, 0).is_ok());
        let lost = Balance::between(&before, &after, 101);
        assert!(lost.check(true, 0).is_err() && lost.check(false, 0).is_ok());
        let twice = Balance::between(&before, &after, 79);
        assert!(twice.check(false, 0).is_err(), "more arrived than was sent");
        let noise = Balance::between(&before, &after, 98);
        assert!(noise.check(false, 1).is_err() && noise.check(false, 2).is_ok());
    }

    #[test]
    fn who_is_started_anew_counts_from_zero() {
        let balance =
            Balance::between(&books(0, &[("n2", "a", 50)]), &books(0, &[("n2", "a", 7)]), 7);
        assert_eq!(balance.missing(), 0);
    }
}
