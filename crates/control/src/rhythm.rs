//! How regularly a node is heard, and since when it has been silent for too long.

use core::time::Duration;
use noctule_wire::Instant;

/// Silence that is no reason for doubt, beside twice the longest silence that was seen lately.
const GRACE: Duration = Duration::from_millis(800);
/// With each OGM the longest silence that is remembered loses its 32nd part: in a lossy mesh the last minute counts.
const FORGETTING: u32 = 32;
/// How many of our own OGM intervals a node may be silent whose own interval is not known yet.
const FIRST_INTERVALS: u32 = 5;

/// The rhythm of one node's OGMs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rhythm {
    /// When a new OGM of it was heard last.
    heard: Instant,
    /// The longest silence lately; `None` until there was one.
    pause: Option<Duration>,
    /// The same until then.
    first_pause: Duration,
}

impl Rhythm {
    /// Of a node that was just heard, while our own OGM interval is `interval`.
    pub(crate) const fn new(now: Instant, interval: Duration) -> Self {
        let first_pause = interval.saturating_mul(FIRST_INTERVALS);
        Self { heard: now, pause: None, first_pause }
    }

    /// A new OGM came.
    pub(crate) fn heard(&mut self, now: Instant) {
        let gap = now.since(self.heard);
        let known = self.pause.unwrap_or_default();
        self.pause = Some(gap.max(known - known / FORGETTING));
        self.heard = now;
    }

    /// A new OGM came after a silence that says nothing.
    pub(crate) fn resume(&mut self, now: Instant) {
        self.heard = now;
    }

    /// When it has been silent for so long that it may be dead.
    pub(crate) fn silent_at(&self) -> Instant {
        self.heard + self.pause.unwrap_or(self.first_pause).saturating_mul(2) + GRACE
    }
}
