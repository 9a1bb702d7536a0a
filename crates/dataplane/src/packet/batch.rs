//! The way out: frames are gathered in memory of our own and handed over together, by `sendmmsg`.

use super::error::{PushError, Refusal};
use super::socket::SEND_MANY_MAX;
use std::io::IoSlice;

/// Each frame starts at a multiple of this: a line of the processor's cache.
const FRAME_ALIGN: usize = 64;

/// What came of handing over all that waited.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Handed {
    /// Frames that the kernel took.
    pub(super) sent: u32,
    /// Frames that it refused; they are lost.
    pub(super) refused: u32,
    /// Why nothing could be sent at all, if so. Frames that waited are counted in `refused`.
    pub(super) failed: Option<Refusal>,
}

/// 802.1d priorities.
const PRIORITIES: u8 = 8;

/// A frame that waits.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    len: usize,
    priority: u8,
}

/// Frames that wait for the next flush. Every flush empties it, so the same few lines of memory are used again and again.
#[derive(Debug)]
pub(super) struct Batch {
    memory: Box<[u8]>,
    slot_len: usize,
    /// One for each slot that is used, in the order of the slots.
    waiting: Vec<Waiting>,
    frames_max: usize,
}

impl Batch {
    /// Room for `frames` frames of up to `frame_len` bytes.
    pub(super) fn new(frames: usize, frame_len: usize) -> Self {
        let slot_len = frame_len.next_multiple_of(FRAME_ALIGN);
        let memory = vec![0; frames * slot_len].into_boxed_slice();
        Self { memory, slot_len, waiting: Vec::with_capacity(frames), frames_max: frames }
    }

    /// Frames that were pushed since the last flush.
    pub(super) fn waiting(&self) -> u32 {
        u32::try_from(self.waiting.len()).expect("bounded by the settings")
    }

    /// Takes one frame of `len` bytes, the sum of `parts`. Above 7 there is no priority: that counts as 7.
    pub(super) fn push(
        &mut self,
        priority: u8,
        parts: &[&[u8]],
        len: usize,
    ) -> Result<(), PushError> {
        if len > self.slot_len {
            return Err(PushError::TooLong { len, max: self.slot_len });
        }
        if self.waiting.len() == self.frames_max {
            return Err(PushError::Full);
        }
        let start = self.waiting.len() * self.slot_len;
        let mut rest = &mut self.memory[start..start + len];
        for part in parts {
            let (to, behind) = rest.split_at_mut(part.len());
            to.copy_from_slice(part);
            rest = behind;
        }
        self.waiting.push(Waiting { len, priority: priority.min(PRIORITIES - 1) });
        Ok(())
    }

    /// Sends all that waits: the highest priority first, and each priority in its order. `send` is the system call: it
    /// takes up to [`SEND_MANY_MAX`] frames of one priority and returns how many went, or why the first did not. Whatever
    /// cannot go now is lost, as it would be in a full queue of the interface.
    pub(super) fn flush(
        &mut self,
        mut send: impl FnMut(u8, &[IoSlice<'_>]) -> Result<usize, Refusal>,
    ) -> Handed {
        let mut handed = Handed::default();
        let (mut full_seen, mut stale_seen) = (false, false);
        let present = self.waiting.iter().fold(0u8, |set, frame| set | 1 << frame.priority);
        'all: for priority in (0..PRIORITIES).rev().filter(|priority| present & 1 << priority != 0)
        {
            let mut next = 0;
            loop {
                let mut frames = [IoSlice::new(&[]); SEND_MANY_MAX];
                let mut places = [0; SEND_MANY_MAX];
                let mut count = 0;
                let same =
                    (next..).zip(&self.waiting[next..]).filter(|(_, w)| w.priority == priority);
                for ((place, waiting), (frame, at)) in same.zip(frames.iter_mut().zip(&mut places))
                {
                    let start = place * self.slot_len;
                    *frame = IoSlice::new(&self.memory[start..start + waiting.len]);
                    *at = place;
                    count += 1;
                }
                if count == 0 {
                    break;
                }
                match send(priority, &frames[..count]) {
                    Ok(0) | Err(Refusal::Busy) => break 'all,
                    Ok(sent) => {
                        next = places[sent - 1] + 1;
                        handed.sent += u32::try_from(sent).expect("bounded by the settings");
                    }
                    // The error may stem from a time before the interface came up again; it is told once.
                    Err(Refusal::Down) if !stale_seen => stale_seen = true,
                    Err(failed @ (Refusal::Down | Refusal::Vanished)) => {
                        handed.failed = Some(failed);
                        break 'all;
                    }
                    Err(Refusal::Frame) => next = places[0] + 1,
                    // A queue that refuses a second one is full: the rest of the batch would fare no better.
                    Err(Refusal::Full) if full_seen => break 'all,
                    Err(Refusal::Full) => {
                        full_seen = true;
                        next = places[0] + 1;
                    }
                }
            }
        }
        handed.refused = self.waiting() - handed.sent;
        self.waiting.clear();
        handed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch_of(count: u8) -> Batch {
        let mut batch = Batch::new(usize::from(count), 100);
        for nth in 0..count {
            batch.push(0, &[&[nth; 14], &[nth; 6]], 20).unwrap();
        }
        batch
    }

    #[test]
    fn frames_leave_whole_and_in_order() {
        let mut batch = batch_of(150);
        assert_eq!(batch.push(0, &[&[0; 14]], 14), Err(PushError::Full));
        assert_eq!(batch.waiting(), 150);
        let mut seen = Vec::new();
        let handed = batch.flush(|priority, frames| {
            assert!(priority == 0 && frames.len() <= SEND_MANY_MAX);
            // The kernel may take fewer than it was offered.
            let taken = frames.len().min(40);
            seen.extend(frames[..taken].iter().map(|frame| frame.to_vec()));
            Ok(taken)
        });
        assert_eq!(handed, Handed { sent: 150, refused: 0, failed: None });
        assert_eq!(seen, (0..150).map(|nth| vec![nth; 20]).collect::<Vec<_>>());
        assert_eq!(batch.waiting(), 0);
    }

    #[test]
    fn frames_that_cannot_go_are_lost_and_counted() {
        use Refusal::{Busy, Down, Frame, Full, Vanished};
        #[rustfmt::skip]
        let rows: [(&[Result<usize, Refusal>], _, _); 9] = [
            (&[Ok(3), Err(Frame), Ok(6)], Handed { sent: 9, refused: 1, failed: None }, "one bad frame"),
            (&[Err(Frame), Ok(1), Err(Frame), Err(Frame), Ok(6)], Handed { sent: 7, refused: 3, failed: None }, "bad frames cost only themselves"),
            (&[Ok(3), Err(Full), Ok(6)], Handed { sent: 9, refused: 1, failed: None }, "a queue that was full for a moment"),
            (&[Ok(3), Err(Full), Ok(2), Err(Full)], Handed { sent: 5, refused: 5, failed: None }, "a full queue"),
            (&[Ok(3), Err(Busy)], Handed { sent: 3, refused: 7, failed: None }, "send buffer full"),
            (&[Err(Down), Ok(10)], Handed { sent: 10, refused: 0, failed: None }, "an old error"),
            (&[Err(Down), Err(Down)], Handed { sent: 0, refused: 10, failed: Some(Down) }, "down"),
            (&[Ok(1), Err(Vanished)], Handed { sent: 1, refused: 9, failed: Some(Vanished) }, "gone"),
            (&[Ok(10)], Handed { sent: 10, refused: 0, failed: None }, "all well"),
        ];
        for (answers, expected, because) in rows {
            let mut batch = batch_of(10);
            let mut answers = answers.iter();
            assert_eq!(batch.flush(|_, _| *answers.next().unwrap()), expected, "{because}");
            assert_eq!(answers.next(), None, "{because}");
            assert_eq!(batch.waiting(), 0, "{because}");
        }
    }

    /// FWD-44: the priority goes with each frame, and frames of one priority stay in order.
    #[test]
    fn fwd_44_the_highest_priority_leaves_first_and_each_in_its_order() {
        let mut batch = Batch::new(200, 100);
        let given: Vec<(u8, u8)> =
            (0..200).map(|nth| ([0, 5, 0, 7, 1, 200][usize::from(nth) % 6], nth)).collect();
        for (priority, nth) in &given {
            batch.push(*priority, &[&[*nth; 20]], 20).unwrap();
        }
        let (mut seen, mut calls) = (Vec::new(), 0);
        let handed = batch.flush(|priority, frames| {
            calls += 1;
            let taken = frames.len().min(30);
            seen.extend(frames[..taken].iter().map(|frame| (priority, frame[0])));
            Ok(taken)
        });
        let mut expected: Vec<_> =
            given.iter().map(|(priority, nth)| (*priority.min(&7), *nth)).collect();
        expected.sort_by_key(|(priority, _)| core::cmp::Reverse(*priority));
        assert_eq!(seen, expected, "nothing twice, nothing lost");
        assert_eq!((handed.sent, handed.refused, calls), (200, 0, 3 + 2 + 2 + 3));
    }
}
