//! A point in time, as it is handed into everything that must not read a clock.

use core::ops::{Add, AddAssign, Sub};
use core::time::Duration;

/// Microseconds since an origin that only the caller knows (start of the process, of the simulation).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Instant(u64);

impl Instant {
    /// The origin.
    pub const ZERO: Self = Self(0);
    /// A moment that never comes.
    pub const NEVER: Self = Self(u64::MAX);

    /// `micros` microseconds after the origin.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// `millis` milliseconds after the origin.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1000))
    }

    /// Microseconds since the origin.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the origin.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1000
    }

    /// How long after `earlier` this is; zero if it is not.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// Whether strictly more than `timeout` has passed since `self` when it is `now` (FWD-150).
    pub fn timed_out(self, now: Self, timeout: Duration) -> bool {
        now.since(self) > timeout
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fwd_150_timed_out_is_strictly_later() {
        let start = Instant::from_millis(5);
        let timeout = Duration::from_millis(10);
        assert!(!start.timed_out(Instant::from_millis(15), timeout));
        assert!(start.timed_out(Instant::from_micros(15_001), timeout));
        assert!(!start.timed_out(Instant::ZERO, timeout), "the clock of another thread may lag");
    }
}
