//! For how long other gateways can hold back the broadcasts of a VLAN.
//!
//! Between a sum that does not match and the answer to the question that follows pass milliseconds (BLA-33). Whoever forges
//! announcements, with ever new senders or in turn with matching ones, would keep the gate closed for ever (BLA-42).

use core::time::Duration;
use noctule_wire::{Instant, Vid};
use std::collections::BTreeMap;

/// So long a VLAN's gate may be closed for the claims of others, all together, in each [`WINDOW`].
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
const WINDOW: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug)]
struct Held {
    /// When all is forgiven.
    end: Instant,
    spent: Duration,
    /// Since when claims are asked for, up to now.
    since: Option<Instant>,
}

/// For each VLAN on which there were questions lately.
#[derive(Debug, Default)]
pub(super) struct Patience(BTreeMap<Vid, Held>);

impl Patience {
    /// From `now` on claims are asked for on this VLAN, or are not. Says whether the patience has just come to its end.
    pub(super) fn note(&mut self, now: Instant, vid: Vid, is_asking: bool) -> bool {
        let over = self.0.get(&vid).is_some_and(|held| held.end <= now);
        if over {
            self.0.remove(&vid);
        }
        if !is_asking && !self.0.contains_key(&vid) {
            return false;
        }
        let new = Held { end: now + WINDOW, spent: Duration::ZERO, since: None };
        let held = self.0.entry(vid).or_insert(new);
        let before = held.spent;
        held.spent += held.since.map_or(Duration::ZERO, |since| now.since(since));
        held.since = is_asking.then_some(now);
        before < PATIENCE && held.spent >= PATIENCE
    }

    /// Whether broadcasts pass on this VLAN, whatever is asked for.
    pub(super) fn is_spent(&self, vid: Vid) -> bool {
        self.0.get(&vid).is_some_and(|held| held.spent >= PATIENCE)
    }

    /// The VLANs that time changes something for.
    pub(super) fn vids(&self) -> Vec<Vid> {
        self.0.keys().copied().collect()
    }
}
