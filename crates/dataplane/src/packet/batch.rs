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

/// Frames that wait for the next flush. Every flush empties it, so the same few lines of memory are used again and again.
#[derive(Debug)]
pub(super) struct Batch {
    memory: Box<[u8]>,
    slot_len: usize,
    /// The length of each frame that waits.
    lens: Vec<usize>,
    frames_max: usize,
}

impl Batch {
    /// Room for `frames` frames of up to `frame_len` bytes.
    pub(super) fn new(frames: usize, frame_len: usize) -> Self {
        let slot_len = frame_len.next_multiple_of(FRAME_ALIGN);
        let memory = vec![0; frames * slot_len].into_boxed_slice();
        Self { memory, slot_len, lens: Vec::with_capacity(frames), frames_max: frames }
    }

    /// Frames that were pushed since the last flush.
    pub(super) fn waiting(&self) -> u32 {
        u32::try_from(self.lens.len()).expect("bounded by the settings")
    }

    /// Takes one frame of `len` bytes, the sum of `parts`.
    pub(super) fn push(&mut self, parts: &[&[u8]], len: usize) -> Result<(), PushError> {
        if len > self.slot_len {
            return Err(PushError::TooLong { len, max: self.slot_len });
        }
        if self.lens.len() == self.frames_max {
            return Err(PushError::Full);
        }
        let start = self.lens.len() * self.slot_len;
        let mut rest = &mut self.memory[start..start + len];
        for part in parts {
            let (to, behind) = rest.split_at_mut(part.len());
            to.copy_from_slice(part);
            rest = behind;
        }
        self.lens.push(len);
        Ok(())
    }

    /// Sends all that waits. `send` is the system call: it takes up to [`SEND_MANY_MAX`] frames and returns how many went,
    /// or why the first did not. Whatever cannot go now is lost, as it would be in a full queue of the interface.
    pub(super) fn flush(
        &mut self,
        mut send: impl FnMut(&[IoSlice<'_>]) -> Result<usize, Refusal>,
    ) -> Handed {
        let mut handed = Handed::default();
        let (mut one_refused, mut stale_seen) = (false, false);
        let mut next = 0;
        while next < self.lens.len() {
            let mut frames = [IoSlice::new(&[]); SEND_MANY_MAX];
            let mut count = 0;
            let slots = self.memory.chunks_exact(self.slot_len).zip(&self.lens).skip(next);
            for (frame, (slot, len)) in frames.iter_mut().zip(slots) {
                *frame = IoSlice::new(&slot[..*len]);
                count += 1;
            }
            match send(&frames[..count]) {
                Ok(sent) => {
                    next += sent;
                    handed.sent += u32::try_from(sent).expect("bounded by the settings");
                }
                // The error may stem from a time before the interface came up again; it is told once.
                Err(Refusal::Down) if !stale_seen => stale_seen = true,
                Err(failed @ (Refusal::Down | Refusal::Vanished)) => {
                    handed.failed = Some(failed);
                    break;
                }
                // A queue that refuses two in a row is full: the rest of the batch would fare no better.
                Err(Refusal::Frame) if !one_refused => {
                    one_refused = true;
                    handed.refused += 1;
                    next += 1;
                }
                Err(Refusal::Frame | Refusal::Busy) => break,
            }
        }
        handed.refused += u32::try_from(self.lens.len() - next).expect("bounded by the settings");
        self.lens.clear();
        handed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch_of(count: u8) -> Batch {
        let mut batch = Batch::new(usize::from(count), 100);
        for nth in 0..count {
            batch.push(&[&[nth; 14], &[nth; 6]], 20).unwrap();
        }
        batch
    }

    #[test]
    fn frames_leave_whole_and_in_order() {
        let mut batch = batch_of(150);
        assert_eq!(batch.push(&[&[0; 14]], 14), Err(PushError::Full));
        assert_eq!(batch.waiting(), 150);
        let mut seen = Vec::new();
        let handed = batch.flush(|frames| {
            assert!(frames.len() <= SEND_MANY_MAX);
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
        use Refusal::{Busy, Down, Frame, Vanished};
        #[rustfmt::skip]
        let rows: [(&[Result<usize, Refusal>], _, _); 7] = [
            (&[Ok(3), Err(Frame), Ok(6)], Handed { sent: 9, refused: 1, failed: None }, "one bad frame"),
            (&[Ok(3), Err(Frame), Ok(2), Err(Frame)], Handed { sent: 5, refused: 5, failed: None }, "a full queue"),
            (&[Ok(3), Err(Busy)], Handed { sent: 3, refused: 7, failed: None }, "send buffer full"),
            (&[Err(Down), Ok(10)], Handed { sent: 10, refused: 0, failed: None }, "an old error"),
            (&[Err(Down), Err(Down)], Handed { sent: 0, refused: 10, failed: Some(Down) }, "down"),
            (&[Ok(1), Err(Vanished)], Handed { sent: 1, refused: 9, failed: Some(Vanished) }, "gone"),
            (&[Ok(10)], Handed { sent: 10, refused: 0, failed: None }, "all well"),
        ];
        for (answers, expected, because) in rows {
            let mut batch = batch_of(10);
            let mut answers = answers.iter();
            assert_eq!(batch.flush(|_| *answers.next().unwrap()), expected, "{because}");
            assert_eq!(answers.next(), None, "{because}");
            assert_eq!(batch.waiting(), 0, "{because}");
        }
    }
}
