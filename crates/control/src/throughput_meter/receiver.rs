//! The receiving end of a test: what has arrived, and until when somebody sends (10-icmp-tpmeter.md section 7).

use core::time::Duration;
use noctule_wire::icmp::throughput_meter::ThroughputMeter;
use noctule_wire::{Instant, Mac, SeqNo};

/// Silence after which a session ends.
const SILENCE: Duration = Duration::from_millis(1000);
/// Ranges that wait for what is missing before them (TP-31).
const RANGES_MAX: usize = 100;

/// One session.
#[derive(Debug)]
pub(super) struct Receiver {
    pub(super) peer: Mac,
    pub(super) session: [u8; 2],
    /// The next byte.
    expected: SeqNo,
    /// What has arrived behind a gap: first byte and the one behind the last, ascending from `expected`, with gaps between.
    ranges: Vec<(SeqNo, SeqNo)>,
    activity: Instant,
    /// When to look whether it is still active (TP-28).
    pub(super) look_at: Instant,
}

impl Receiver {
    pub(super) fn new(now: Instant, peer: Mac, session: [u8; 2]) -> Self {
        Self {
            peer,
            session,
            expected: ThroughputMeter::FIRST_SEQNO,
            ranges: Vec::new(),
            activity: now,
            look_at: now + SILENCE,
        }
    }

    /// Takes a segment of `len` bytes of sequence space; tells what is expected next (TP-29 to TP-32).
    pub(super) fn take(&mut self, now: Instant, seqno: SeqNo, len: u32) -> SeqNo {
        self.activity = now;
        let end = SeqNo(seqno.0.wrapping_add(len));
        if end.is_before(self.expected) {
            // A duplicate, which is only acknowledged.
        } else if self.expected.is_before(seqno) {
            self.keep(seqno, end);
        } else {
            self.expected = end;
            self.absorb();
        }
        self.expected
    }

    /// Puts a range among the others, in order and merged with those it touches (TP-31).
    fn keep(&mut self, start: SeqNo, end: SeqNo) {
        let (mut start, mut end) = (start, end);
        let first = self.ranges.partition_point(|(_, other_end)| other_end.is_before(start));
        let mut last = first;
        while let Some((other_start, other_end)) = self.ranges.get(last)
            && !end.is_before(*other_start)
        {
            start = if other_start.is_before(start) { *other_start } else { start };
            end = if end.is_before(*other_end) { *other_end } else { end };
            last += 1;
        }
        self.ranges.splice(first..last, [(start, end)]);
        self.ranges.truncate(RANGES_MAX);
    }

    /// Takes what the last segment has closed the gap to.
    fn absorb(&mut self) {
        let reached = |(start, _): &(SeqNo, SeqNo), to: SeqNo| !to.is_before(*start);
        let mut taken = 0;
        while let Some(range) = self.ranges.get(taken)
            && reached(range, self.expected)
        {
            if self.expected.is_before(range.1) {
                self.expected = range.1;
            }
            taken += 1;
        }
        self.ranges.drain(..taken);
    }

    /// Whether it is over: looked at when [`Self::look_at`] has come (TP-28).
    pub(super) fn is_over(&mut self, now: Instant) -> bool {
        if self.activity.timed_out(now, SILENCE) {
            return true;
        }
        self.look_at = now + SILENCE;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: SeqNo = ThroughputMeter::FIRST_SEQNO;
    const MSS: u32 = 1476;

    fn receiver() -> Receiver {
        Receiver::new(Instant::ZERO, Mac([2; 6]), [1, 2])
    }

    /// The acknowledgements of messages, in units of a message from the first one.
    fn acknowledged(messages: &[u32]) -> Vec<u32> {
        let mut receiver = receiver();
        let take = |number: &u32| {
            let seqno = SeqNo(FIRST.0.wrapping_add((number - 1) * MSS));
            let expected = receiver.take(Instant::ZERO, seqno, MSS);
            expected.0.wrapping_sub(FIRST.0) / MSS
        };
        messages.iter().map(take).collect()
    }

    #[test]
    fn tp_30_tp_32_each_message_is_answered_with_what_is_expected() {
        let mut receiver = receiver();
        assert_eq!(receiver.take(Instant::ZERO, FIRST, MSS), SeqNo(0xffff_fdf3));
        assert_eq!(acknowledged(&[1, 2, 3]), [1, 2, 3]);
        assert_eq!(acknowledged(&[1, 3, 4, 2]), [1, 1, 1, 4]);
        assert_eq!(acknowledged(&[1, 2, 1, 2, 3]), [1, 2, 2, 2, 3]);
        assert_eq!(acknowledged(&[1, 5, 3, 2, 4]), [1, 1, 1, 3, 5]);
        assert_eq!(acknowledged(&[1, 3, 3, 3, 2]), [1, 1, 1, 1, 3]);
    }

    #[test]
    fn tp_30_an_overlap_advances() {
        let mut receiver = receiver();
        receiver.take(Instant::ZERO, FIRST, MSS);
        let half = SeqNo(FIRST.0.wrapping_add(MSS / 2));
        let expected = receiver.take(Instant::ZERO, half, MSS);
        assert_eq!(expected.0.wrapping_sub(FIRST.0), MSS / 2 + MSS);
    }

    #[test]
    fn tp_31_ranges_are_merged_and_bounded() {
        let mut receiver = receiver();
        let at = |offset: u32| SeqNo(FIRST.0.wrapping_add(offset));
        for number in (0..5000_u32).rev() {
            receiver.take(Instant::ZERO, at(10_000 + number * 200), 100);
            assert!(receiver.ranges.len() <= RANGES_MAX);
        }
        assert_eq!(receiver.ranges.len(), RANGES_MAX);
        assert_eq!(receiver.ranges[0], (at(10_000), at(10_100)), "the highest ones are dropped");
        receiver.take(Instant::ZERO, at(10_100), 100);
        assert_eq!(receiver.ranges[0], (at(10_000), at(10_300)), "adjacent on both sides");
        receiver.take(Instant::ZERO, at(5_000), 100_000);
        assert_eq!(receiver.ranges, [(at(5_000), at(105_000))], "overlaps everything");
        receiver.take(Instant::ZERO, FIRST, 5_000);
        assert_eq!((receiver.expected, receiver.ranges.len()), (at(105_000), 0));
    }

    /// Numbers from anywhere, also half the number space away.
    #[test]
    fn tp_31_hostile_numbers_stay_bounded() {
        let mut receiver = receiver();
        let mut rng = crate::Rng::new(7);
        for _ in 0..20_000 {
            receiver.take(Instant::ZERO, SeqNo(rng.next_u64() as u32), 18 + rng.below(60_000));
            assert!(receiver.ranges.len() <= RANGES_MAX);
        }
    }

    #[test]
    fn tp_28_silence_ends_a_session_within_two_seconds() {
        let mut receiver = receiver();
        let at = Instant::from_millis;
        assert_eq!(receiver.look_at, at(1000));
        receiver.take(at(900), FIRST, MSS);
        assert!(!receiver.is_over(at(1000)));
        assert_eq!(receiver.look_at, at(2000));
        assert!(receiver.is_over(at(2000)));
    }
}
