//! The sending end of a test (10-icmp-tpmeter.md section 6).

use super::window::{MSS, Timer, Window};
use super::{MeterOutcome, MeterRequest};
use core::time::Duration;
use noctule_wire::icmp::throughput_meter::ThroughputMeter;
use noctule_wire::{Discard, Instant, Mac, SeqNo};

/// Messages that leave at once; then others have their turn.
const BURST: usize = 64;
/// The least time between two bursts, and how long a full queue is given: 64 messages are 7 Gbit/s.
const BURST_PAUSE: Duration = Duration::from_micros(100);
const REFUSED_PAUSE: Duration = Duration::from_millis(1);
/// How long nobody at all may answer. The reference goes on for 63 s, or as long as the test was to last.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// One test that runs.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) request: MeterRequest,
    pub(super) uid: u8,
    pub(super) session: [u8; 2],
    pub(super) started: Instant,
    ends: Instant,
    last_sent: SeqNo,
    last_acked: SeqNo,
    /// No acknowledgement can be for more than this.
    highest_sent: SeqNo,
    recover: SeqNo,
    window: Window,
    timer: Timer,
    expires: Instant,
    /// Not before this the next burst.
    next_burst: Instant,
    /// Bytes that have arrived.
    pub(super) acked: u64,
    /// Another node than the destination that answered in this session (TP-12).
    pub(super) answered_by: Option<Mac>,
}

impl Sender {
    pub(super) fn new(now: Instant, request: MeterRequest, uid: u8, session: [u8; 2]) -> Self {
        let first = ThroughputMeter::FIRST_SEQNO;
        let timer = Timer::new();
        Self {
            request,
            uid,
            session,
            started: now,
            ends: now + request.duration,
            last_sent: first,
            last_acked: first,
            highest_sent: first,
            recover: first,
            window: Window::new(),
            timer,
            expires: now + timer.timeout(),
            next_burst: now,
            acked: 0,
            answered_by: None,
        }
    }

    /// TP-02.
    pub(super) fn cookie(&self) -> u32 {
        u32::from(self.uid) << 16 | u32::from(u16::from_be_bytes(self.session))
    }

    /// How many bytes may leave now (TP-08).
    fn room(&self) -> u32 {
        let limit = SeqNo(self.last_acked.0.wrapping_add(self.window.size));
        if self.last_sent.is_before(limit) { limit.0.wrapping_sub(self.last_sent.0) } else { 0 }
    }

    /// The messages that may leave now, by their numbers (TP-07).
    pub(super) fn burst(&mut self, now: Instant, mut send: impl FnMut(&Self, SeqNo)) {
        if now < self.next_burst {
            return;
        }
        for _ in 0..BURST {
            if self.room() < MSS {
                return;
            }
            let seqno = self.last_sent;
            send(self, seqno);
            self.last_sent = SeqNo(seqno.0.wrapping_add(MSS));
            if self.highest_sent.is_before(self.last_sent) {
                self.highest_sent = self.last_sent;
            }
        }
        self.next_burst = now + BURST_PAUSE;
    }

    /// This message, and those that followed it in the same burst, did not leave: they are tried again (TP-09).
    pub(super) fn refused(&mut self, now: Instant, seqno: SeqNo) {
        if seqno.is_before(self.last_sent) && !seqno.is_before(self.last_acked) {
            self.last_sent = seqno;
        }
        self.next_burst = now + REFUSED_PAUSE;
    }

    /// An acknowledgement of this session (TP-13 to TP-17). What is to be sent again leaves with the next [`Self::burst`].
    pub(super) fn acknowledged(
        &mut self,
        now: Instant,
        seqno: SeqNo,
        timestamp: u32,
    ) -> Result<(), Discard> {
        if seqno.is_before(self.last_acked) {
            return Err(Discard::Duplicate);
        }
        if self.highest_sent.is_before(seqno) {
            return Err(Discard::Malformed);
        }
        let took_ms = clock_ms(now).wrapping_sub(timestamp);
        // More than the whole test is not our own clock's reading.
        let plausible = u128::from(took_ms) <= now.since(self.started).as_millis() + 1;
        if timestamp != 0 && took_ms != 0 && plausible {
            self.timer.sample(took_ms);
        }
        self.expires = now + self.timer.timeout();
        if seqno == self.last_acked {
            if self.window.is_third_duplicate() && self.recover.is_before(seqno) {
                self.window.enter_fast_recovery();
                self.go_back();
            }
            return Ok(());
        }
        let bytes = seqno.0.wrapping_sub(self.last_acked.0);
        self.window.advance(bytes, seqno.is_before(self.recover));
        self.acked += u64::from(bytes);
        self.last_acked = seqno;
        if self.last_sent.is_before(seqno) {
            // What was to be sent again had arrived.
            self.last_sent = seqno;
        }
        Ok(())
    }

    /// From what is missing on everything is sent again. That brings duplicates, and they are no sign of a further loss:
    /// not before all that was ever sent until now has arrived (RFC 6582; the reference takes the place it went back from,
    /// and starts over again and again).
    fn go_back(&mut self) {
        self.recover = self.highest_sent;
        self.last_sent = self.last_acked;
    }

    /// Looks at the clocks; the outcome if the test is over (TP-20, TP-22).
    pub(super) fn look(&mut self, now: Instant) -> Option<MeterOutcome> {
        if self.acked == 0 && now >= self.ends.min(self.started + ANSWER_WITHIN) {
            return Some(MeterOutcome::NoAnswer { answered_by: self.answered_by });
        }
        if now >= self.ends {
            return Some(MeterOutcome::Complete);
        }
        if now >= self.expires {
            if !self.timer.back_off() {
                return Some(MeterOutcome::Unreachable);
            }
            self.window.timed_out();
            self.go_back();
            self.expires = now + self.timer.timeout();
        }
        None
    }

    /// When to come back.
    pub(super) fn next_deadline(&self) -> Instant {
        let answer = if self.acked == 0 { self.started + ANSWER_WITHIN } else { Instant::NEVER };
        let burst = if self.room() < MSS { Instant::NEVER } else { self.next_burst };
        self.ends.min(self.expires).min(answer).min(burst)
    }
}

/// The sender's clock as messages carry it (TP-10).
pub(super) fn clock_ms(now: Instant) -> u32 {
    now.as_millis() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: SeqNo = ThroughputMeter::FIRST_SEQNO;

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    fn number(segments: u32) -> SeqNo {
        SeqNo(FIRST.0.wrapping_add(segments * MSS))
    }

    fn sender() -> Sender {
        let request =
            MeterRequest { tool: 1, destination: Mac([2; 6]), duration: Duration::from_secs(10) };
        Sender::new(at(0), request, 0x56, [0x12, 0x34])
    }

    fn burst(sender: &mut Sender, now: Instant) -> Vec<SeqNo> {
        let mut sent = Vec::new();
        sender.burst(now, |_, seqno| sent.push(seqno));
        sent
    }

    #[test]
    fn tp_02_tp_07_tp_08_the_first_messages() {
        let mut sender = sender();
        assert_eq!(sender.cookie(), 0x0056_1234);
        let sent = burst(&mut sender, at(0));
        assert_eq!(sent, [SeqNo(0xffff_f82f), SeqNo(0xffff_fdf3), SeqNo(0x0000_03b7)]);
        assert_eq!(burst(&mut sender, at(1)), [], "the window is full");
        sender.last_sent = number(10);
        assert_eq!(sender.room(), 0, "a window that shrank below what is under way");
    }

    #[test]
    fn tp_12_acknowledgements_that_cannot_be_true_count_nothing() {
        let mut sender = sender();
        burst(&mut sender, at(0));
        assert_eq!(sender.acknowledged(at(5), number(2), 1), Ok(()));
        assert_eq!(sender.acknowledged(at(6), number(1), 1), Err(Discard::Duplicate));
        assert_eq!(sender.acknowledged(at(6), number(4), 1), Err(Discard::Malformed));
        assert_eq!(sender.acknowledged(at(6), number(1_000_000), 1), Err(Discard::Malformed));
        assert_eq!(sender.acked, u64::from(2 * MSS));
    }

    #[test]
    fn tp_13_only_real_round_trips_are_samples() {
        let mut sender = sender();
        burst(&mut sender, at(0));
        for timestamp in [0, 5, 77_000, u32::MAX / 2] {
            sender.acknowledged(at(5), number(0), timestamp).unwrap();
            assert_eq!(sender.timer, Timer::new(), "{timestamp}");
        }
        sender.acknowledged(at(5), number(1), 2).unwrap();
        assert_ne!(sender.timer, Timer::new());
    }

    #[test]
    fn tp_16_tp_17_the_third_duplicate_sends_again_from_there() {
        let mut sender = sender();
        burst(&mut sender, at(0));
        for segment in 1..=3 {
            sender.acknowledged(at(10), number(segment), 5).unwrap();
        }
        assert_eq!(burst(&mut sender, at(10)).len(), 6);
        for duplicates in 1..=3 {
            assert!(!sender.window.fast_recovery);
            sender.acknowledged(at(20), number(3), 5).unwrap();
            assert_eq!(sender.window.fast_recovery, duplicates == 3);
        }
        let again = burst(&mut sender, at(20));
        assert_eq!(again[..2], [number(3), number(4)]);
        // A partial acknowledgement goes on, the last ends the recovery.
        sender.acknowledged(at(30), number(6), 15).unwrap();
        assert!(sender.window.fast_recovery);
        // What was sent twice brings duplicates, which are no loss.
        let size = sender.window.size;
        for _ in 0..10 {
            sender.acknowledged(at(30), number(6), 15).unwrap();
        }
        assert_eq!(sender.window.size, size);
        let all = sender.highest_sent;
        sender.acknowledged(at(31), all, 15).unwrap();
        assert!(!sender.window.fast_recovery);
        for _ in 0..10 {
            sender.acknowledged(at(32), all, 15).unwrap();
        }
        assert_eq!((sender.last_acked, sender.last_sent), (all, all), "not gone back once more");
    }

    #[test]
    fn tp_17_what_has_arrived_is_not_sent_again() {
        let mut sender = sender();
        burst(&mut sender, at(0));
        sender.look(at(1000));
        assert_eq!(sender.last_sent, FIRST, "TP-20: back to the start");
        sender.acknowledged(at(1001), number(3), 0).unwrap();
        assert_eq!(burst(&mut sender, at(1001))[0], number(3));
    }

    #[test]
    fn tp_09_what_did_not_leave_is_tried_again_after_a_pause() {
        let mut sender = sender();
        burst(&mut sender, at(0));
        sender.refused(at(0), number(1));
        assert_eq!(burst(&mut sender, at(0)), []);
        assert_eq!(sender.next_deadline(), at(1));
        assert_eq!(burst(&mut sender, at(1)), [number(1), number(2)]);
        sender.acknowledged(at(2), number(3), 0).unwrap();
        sender.refused(at(2), number(1));
        assert_eq!(sender.last_sent, number(3), "it has arrived all the same");
    }

    #[test]
    fn tp_21_tp_22_the_ends() {
        let mut silent = sender();
        burst(&mut silent, at(0));
        for ms in [1000, 3000, 7000] {
            assert_eq!(silent.next_deadline(), at(ms));
            assert_eq!(silent.look(at(ms)), None);
            burst(&mut silent, at(ms));
        }
        silent.answered_by = Some(Mac([9; 6]));
        assert_eq!(silent.next_deadline(), at(10_000));
        let nobody = MeterOutcome::NoAnswer { answered_by: Some(Mac([9; 6])) };
        assert_eq!(silent.look(at(10_000)), Some(nobody));

        let mut answered = sender();
        burst(&mut answered, at(0));
        answered.acknowledged(at(1), number(1), 0).unwrap();
        assert_eq!(answered.look(at(9_999)), None);
        assert_eq!(answered.look(at(10_000)), Some(MeterOutcome::Complete));

        // The peer dies in a long test.
        let mut dead = sender();
        dead.ends = at(1_000_000);
        burst(&mut dead, at(0));
        dead.acknowledged(at(1), number(1), 0).unwrap();
        let mut outcome = None;
        for _ in 0..10 {
            let now = dead.next_deadline();
            outcome = dead.look(now);
            if outcome.is_some() {
                assert_eq!(now, at(63_001));
                break;
            }
            burst(&mut dead, now);
        }
        assert_eq!(outcome, Some(MeterOutcome::Unreachable));
    }
}
