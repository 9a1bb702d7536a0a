//! The two clocks of a node: the monotonic one that everything inside is timed by, and the wall clock from which sequence
//! numbers start (IV-112, FWD-161).

use noctule_wire::{Instant, SeqNo};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The monotonic clock, counted from the start of the process. All threads carry copies of one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: std::time::Instant,
}

impl Clock {
    /// A clock that shows [`Instant::ZERO`].
    pub(crate) fn start() -> Self {
        Self { origin: std::time::Instant::now() }
    }

    /// The time.
    pub(crate) fn now(&self) -> Instant {
        Instant::from_micros(u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX))
    }
}

/// Milliseconds to wait from `now` to `deadline` in a poll call: rounded up, so that the deadline has come when the call
/// returns; -1 for a deadline that never comes.
pub(crate) fn poll_timeout_ms(now: Instant, deadline: Instant) -> i32 {
    if deadline == Instant::NEVER {
        return -1;
    }
    i32::try_from(deadline.since(now).as_micros().div_ceil(1000)).unwrap_or(i32::MAX)
}

/// The wall clock; zero if it is set to before 1970.
pub(crate) fn wall_clock() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// First OGM sequence number of an interface that joins at `wall` (IV-112): larger than any that the node can have used
/// before, at up to 32 OGMs a second.
pub(crate) fn ogm_seqno(wall: Duration) -> u32 {
    (wall.as_secs() as u32).wrapping_mul(32)
}

/// First broadcast sequence number of a node that starts at `wall` (FWD-161): larger than any used before, at up to 64
/// broadcasts a second on average.
pub(crate) fn broadcast_seqno(wall: Duration) -> SeqNo {
    SeqNo((wall.as_secs() as u32).wrapping_mul(64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iv_112_ogm_numbers_start_from_the_clock() {
        assert_eq!(ogm_seqno(Duration::from_millis(10_999)), 320);
        assert_eq!(ogm_seqno(Duration::from_secs(1 << 27)), 0, "modulo 2^32");
    }

    #[test]
    fn fwd_161_broadcast_numbers_start_from_the_clock() {
        assert_eq!(broadcast_seqno(Duration::from_secs(10)), SeqNo(640));
    }

    #[test]
    fn a_deadline_has_come_when_the_wait_is_over() {
        let now = Instant::from_micros(1_000_001);
        assert_eq!(poll_timeout_ms(now, Instant::NEVER), -1);
        assert_eq!(poll_timeout_ms(now, Instant::ZERO), 0);
        assert_eq!(poll_timeout_ms(now, now), 0);
        assert_eq!(poll_timeout_ms(now, Instant::from_micros(1_000_002)), 1);
        assert_eq!(poll_timeout_ms(now, Instant::from_micros(1_001_001)), 1);
        assert_eq!(poll_timeout_ms(now, Instant::from_micros(1_001_002)), 2);
    }
}
