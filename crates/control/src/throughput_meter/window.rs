//! How much a sender may have under way, in the manner of TCP NewReno (10-icmp-tpmeter.md section 6): congestion window
//! and retransmission timer. Pure arithmetic.

use core::time::Duration;

/// Sequence space of one message, bytes.
pub(super) const MSS: u32 = 1476;
/// Upper bound of the window, and its first threshold.
const ADVERTISED: u32 = 0x2000_0000;
/// A segment size above this would overflow the product of congestion avoidance (TP-18).
const MSS_IN_PRODUCT: u32 = 16_383;
/// Before the first sample.
const RTO_FIRST_MS: u64 = 1000;
/// No shorter, as with TCP on Linux: the two ends are programs that may have to wait for a processor (TP-14).
const RTO_MIN_MS: u64 = 200;
/// A timer that is this long already does not start again (TP-20).
const RTO_LIMIT_MS: u64 = 30_000;

/// TP-19.
const fn clamp(window: u32) -> u32 {
    if window < MSS {
        MSS
    } else if window > ADVERTISED {
        ADVERTISED
    } else {
        window
    }
}

/// The congestion window.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Window {
    pub(super) size: u32,
    pub(super) threshold: u32,
    /// Set from the third duplicate until all that was under way then has arrived.
    pub(super) fast_recovery: bool,
    duplicates: u8,
    accumulator: u32,
}

impl Window {
    pub(super) const fn new() -> Self {
        Self {
            size: 3 * MSS,
            threshold: ADVERTISED,
            fast_recovery: false,
            duplicates: 0,
            accumulator: 0,
        }
    }

    /// Counts a duplicate; says whether it is the third (TP-16).
    pub(super) fn is_third_duplicate(&mut self) -> bool {
        self.duplicates = (self.duplicates + 1).min(4);
        self.duplicates == 3
    }

    /// A segment is taken for lost (TP-16).
    pub(super) fn enter_fast_recovery(&mut self) {
        self.fast_recovery = true;
        self.threshold = self.size / 2;
        self.size = clamp(self.threshold.saturating_add(3 * MSS));
        self.accumulator = 0;
    }

    /// So many bytes have newly arrived; `partial` says that in fast recovery some that were under way have not (TP-17).
    pub(super) fn advance(&mut self, bytes: u32, partial: bool) {
        self.duplicates = 0;
        if self.fast_recovery && partial {
            self.size = clamp(self.size.saturating_add(MSS));
        } else if self.fast_recovery {
            self.fast_recovery = false;
            self.size = clamp(self.threshold);
        } else if bytes >= MSS {
            self.grow();
        }
    }

    /// TP-18.
    fn grow(&mut self) {
        if self.size > self.threshold {
            let mss = MSS.min(MSS_IN_PRODUCT);
            self.accumulator = self.accumulator.saturating_add((mss * mss * 8 / self.size).max(8));
            if self.accumulator < 8 * MSS {
                return;
            }
        }
        self.size = clamp(self.size.saturating_add(MSS));
        self.accumulator = 0;
    }

    /// Nothing arrived for too long (TP-20).
    pub(super) fn timed_out(&mut self) {
        self.threshold = (self.size / 2).max(2 * MSS);
        self.size = 3 * MSS;
        self.fast_recovery = false;
    }
}

/// How long to wait for an acknowledgement.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Timer {
    /// Smoothed round trip, eighths of a millisecond.
    smoothed8: i64,
    /// Its variation, quarters of a millisecond.
    variation4: i64,
    rto_ms: u64,
}

impl Timer {
    pub(super) const fn new() -> Self {
        Self { smoothed8: 0, variation4: 0, rto_ms: RTO_FIRST_MS }
    }

    /// A round trip took so long, more than 0 milliseconds (TP-14).
    pub(super) fn sample(&mut self, took_ms: u32) {
        let took = i64::from(took_ms);
        if self.smoothed8 == 0 {
            (self.smoothed8, self.variation4) = (took * 8, took * 2);
        } else {
            let error = took - (self.smoothed8 >> 3);
            self.smoothed8 += error;
            self.variation4 += error.abs() - (self.variation4 >> 2);
        }
        self.rto_ms = self.computed_ms().max(RTO_MIN_MS);
    }

    /// The timer without a lower bound, as the page computes it.
    fn computed_ms(&self) -> u64 {
        u64::try_from((self.smoothed8 >> 3) + self.variation4).unwrap_or(0)
    }

    pub(super) const fn timeout(&self) -> Duration {
        Duration::from_millis(self.rto_ms)
    }

    /// The time is over: twice as long next time; `false` if it has been long enough (TP-20).
    pub(super) fn back_off(&mut self) -> bool {
        if self.rto_ms >= RTO_LIMIT_MS {
            return false;
        }
        self.rto_ms *= 2;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of section 11.
    #[test]
    fn tp_14_round_trips_make_the_timer() {
        let mut timer = Timer::new();
        assert_eq!(timer.timeout(), Duration::from_secs(1));
        timer.sample(20);
        assert_eq!((timer.smoothed8, timer.variation4, timer.computed_ms()), (160, 40, 60));
        timer.sample(40);
        assert_eq!((timer.smoothed8, timer.variation4, timer.computed_ms()), (180, 50, 72));
        assert_eq!(timer.timeout(), Duration::from_millis(RTO_MIN_MS), "no shorter");
        timer.sample(u32::MAX);
        timer.sample(1);
        timer.sample(u32::MAX);
        assert!(timer.timeout() >= Duration::from_millis(RTO_MIN_MS), "whatever it is told");
    }

    #[test]
    fn tp_20_tp_21_the_timer_gives_up_after_63_s() {
        let mut timer = Timer::new();
        let mut at = timer.timeout();
        let mut expiries = vec![at.as_secs()];
        while timer.back_off() {
            at += timer.timeout();
            expiries.push(at.as_secs());
        }
        assert_eq!(expiries, [1, 3, 7, 15, 31, 63]);
    }

    #[test]
    fn tp_17_tp_18_tp_20_the_window_grows_and_shrinks() {
        let mut window = Window::new();
        for _ in 0..3 {
            window.advance(MSS, false);
        }
        assert_eq!(window.size, 8856, "slow start");
        window.timed_out();
        assert_eq!((window.threshold, window.size), (4428, 4428));
        window.advance(MSS, false);
        assert_eq!(window.size, 5904, "at the threshold it is slow start still");
        let mut acknowledgements = 0;
        while window.size == 5904 {
            window.advance(MSS, false);
            acknowledgements += 1;
        }
        assert_eq!((acknowledgements, window.size), (4, 7380), "one segment for each window");
        window.advance(MSS - 1, false);
        assert_eq!(
            (window.size, window.accumulator),
            (7380, 0),
            "less than a segment counts nothing"
        );
    }

    #[test]
    fn tp_16_tp_19_fast_recovery() {
        let mut window = Window { size: 14_760, ..Window::new() };
        assert!(!window.is_third_duplicate() && !window.is_third_duplicate());
        assert!(window.is_third_duplicate());
        window.enter_fast_recovery();
        assert_eq!((window.threshold, window.size), (7380, 11_808));
        assert!((0..1000).all(|_| !window.is_third_duplicate()), "counted up to four");
        window.advance(MSS, true);
        assert_eq!((window.size, window.fast_recovery), (13_284, true));
        window.advance(MSS, false);
        assert_eq!((window.size, window.fast_recovery), (7380, false));
        let mut window = Window { size: ADVERTISED - 1, ..Window::new() };
        window.advance(MSS, false);
        assert_eq!(window.size, ADVERTISED);
        window.advance(MSS, false);
        assert_eq!(window.size, ADVERTISED, "TP-18: the least step, eight, is far from a segment");
        window.size = u32::MAX;
        window.enter_fast_recovery();
        assert_eq!(window.size, ADVERTISED);
    }
}
