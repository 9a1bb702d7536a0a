//! Busy polling: whether a worker that has nothing left looks again for a moment before it sleeps. Being woken takes longer
//! than looking, and in a busy mesh the next frame is often here by then.

use crate::settings::BusyPoll;
use noctule_wire::Instant;
use std::time::Duration;

/// With `auto`, a worker never looks longer than this: about what it costs to sleep and be woken, several times over.
const AUTO_MAX: Duration = Duration::from_micros(100);
/// With `auto`, it begins with this.
const AUTO_MIN: Duration = Duration::from_micros(10);

/// What one worker has found out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Linger {
    adapts: bool,
    /// For how long it looks behind the last frame.
    window: Duration,
    until: Instant,
}

impl Linger {
    pub(crate) const fn new(busy_poll: BusyPoll) -> Self {
        let (adapts, window) = match busy_poll {
            BusyPoll::Off => (false, Duration::ZERO),
            BusyPoll::Auto => (true, Duration::ZERO),
            BusyPoll::For(window) => (false, window),
        };
        Self { adapts, window, until: Instant::ZERO }
    }

    /// Whether to look again, `now` that there is nothing left; `busy`: there was something in this round.
    pub(crate) fn stays(&mut self, now: Instant, busy: bool) -> bool {
        if busy {
            self.until = now + self.window;
        }
        now < self.until
    }

    /// The worker has slept since `slept`. Had it been for a moment only, looking would have found what came, and looking
    /// longer pays next time; if not, it does not.
    pub(crate) fn woke(&mut self, slept: Instant, now: impl FnOnce() -> Instant) {
        if self.adapts {
            self.window = if now().since(slept) <= AUTO_MAX {
                (self.window * 2).clamp(AUTO_MIN, AUTO_MAX)
            } else {
                Duration::ZERO
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Instant {
        Instant::from_micros(1_000_000 + micros)
    }

    #[test]
    fn off_never_looks_again() {
        let mut linger = Linger::new(BusyPoll::Off);
        assert!(!linger.stays(at(0), true));
        linger.woke(at(0), || panic!("the clock is not asked"));
        assert!(!linger.stays(at(1), true));
    }

    #[test]
    fn a_fixed_time_runs_from_the_last_frame() {
        let mut linger = Linger::new(BusyPoll::For(Duration::from_micros(50)));
        assert!(!linger.stays(at(0), false), "not before there was one");
        assert!(linger.stays(at(0), true));
        assert!(linger.stays(at(49), false));
        assert!(!linger.stays(at(50), false));
        assert!(linger.stays(at(60), true) && linger.stays(at(109), false));
    }

    #[test]
    fn auto_looks_while_it_pays_and_never_when_idle() {
        let mut linger = Linger::new(BusyPoll::Auto);
        assert!(!linger.stays(at(0), true));
        for round in 0..5 {
            linger.woke(at(100 * round), || at(100 * round + 20));
        }
        assert!(linger.stays(at(1000), true) && linger.stays(at(1099), false));
        assert!(!linger.stays(at(1100), false), "no longer than that");
        // It slept for a second: a lonely frame is not waited behind.
        linger.woke(at(2000), || at(1_002_000));
        assert!(!linger.stays(at(1_002_001), true));
    }
}
