//! When the kernel is asked for frames that found no room in a ring.

use noctule_wire::Instant;
use std::time::Duration;

/// How often, while there is traffic. It is a system call for each ring.
const EVERY: Duration = Duration::from_secs(1);

/// Asks once in [`EVERY`], and once more after the last frame: nobody else may wake the worker for a long time then, and till
/// somebody did the statistics would lack what was lost.
#[derive(Debug)]
pub(super) struct DropsDue {
    next: Instant,
    /// Whether frames have come since.
    open: bool,
}

impl DropsDue {
    pub(super) const fn new() -> Self {
        Self { next: Instant::ZERO, open: false }
    }

    /// A frame was taken out of a ring.
    pub(super) const fn frame_taken(&mut self) {
        self.open = true;
    }

    /// Whether to ask now.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        if now < self.next {
            return false;
        }
        *self = Self { next: now + EVERY, open: false };
        true
    }

    /// Until when a thread that waits must wake to ask.
    pub(super) const fn deadline(&self) -> Instant {
        if self.open { self.next } else { Instant::NEVER }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_lost_is_asked_for_though_no_frame_follows() {
        let start = Instant::ZERO + EVERY;
        let mut due = DropsDue::new();
        due.frame_taken();
        assert!(due.is_due(start));
        assert_eq!(due.deadline(), Instant::NEVER, "an idle node sleeps");
        due.frame_taken();
        assert!(!due.is_due(start));
        assert_eq!(due.deadline(), start + EVERY);
        assert!(due.is_due(due.deadline()));
        assert_eq!(due.deadline(), Instant::NEVER);
    }
}
