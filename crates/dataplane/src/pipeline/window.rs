//! Which broadcasts were seen before: a window of 64 numbers for each originator (FWD-96).

use super::hash::Keyed;
use core::time::Duration;
use hashbrown::HashMap;
use noctule_fib::{Guard, MapKey, Originator};
use noctule_wire::{Discard, Instant, Mac, SeqNo};

/// Numbers that a window spans.
const WINDOW: i32 = 64;
/// A jump ahead of this much or more counts as a restart.
const JUMP: i32 = 65_536;
/// Between two accepted restarts of one originator.
const RESET_PROTECTION: Duration = Duration::from_secs(30);
/// Forgotten originators are looked for at most this often: one pass costs as much as the table is long.
const PURGE_INTERVAL: Duration = Duration::from_secs(1);

/// What is remembered of one originator's broadcasts.
#[derive(Clone, Copy, Debug)]
struct Window {
    /// Which life of the originator this is about.
    birth: u64,
    last: SeqNo,
    /// Bit n: `last - n` was seen.
    seen: u64,
    reset: Option<Instant>,
}

/// What a number means for a window.
enum Judgement {
    /// Inside it, and new: sets this bit.
    Late(u32),
    /// Ahead by this much, below the window's length.
    Ahead(u32),
    /// Far ahead, or a restart: the window starts over.
    StartOver { reset: bool },
}

impl Window {
    const fn new(birth: u64) -> Self {
        Self { birth, last: SeqNo(0), seen: 0, reset: None }
    }

    fn judge(&self, now: Instant, seqno: SeqNo) -> Result<Judgement, Discard> {
        let ahead = seqno.ahead_of(self.last);
        match ahead {
            1..WINDOW => Ok(Judgement::Ahead(ahead.unsigned_abs())),
            WINDOW..JUMP => Ok(Judgement::StartOver { reset: false }),
            _ if ahead <= 0 && ahead > -WINDOW => {
                let bit = ahead.unsigned_abs();
                if self.seen & 1 << bit != 0 {
                    Err(Discard::Duplicate)
                } else {
                    Ok(Judgement::Late(bit))
                }
            }
            _ => match self.reset {
                Some(reset) if !reset.timed_out(now, RESET_PROTECTION) => Err(Discard::Protected),
                _ => Ok(Judgement::StartOver { reset: true }),
            },
        }
    }

    fn mark(&mut self, now: Instant, seqno: SeqNo, judgement: Judgement) {
        match judgement {
            Judgement::Late(bit) => self.seen |= 1 << bit,
            Judgement::Ahead(distance) => {
                self.seen = self.seen << distance | 1;
                self.last = seqno;
            }
            Judgement::StartOver { reset } => {
                if reset {
                    self.reset = Some(now);
                }
                self.seen = 1;
                self.last = seqno;
            }
        }
    }
}

/// The windows of all originators that were heard.
#[derive(Debug)]
pub(crate) struct Windows {
    windows: HashMap<u64, Window, Keyed>,
    limit: usize,
    purged: Option<Instant>,
}

impl Windows {
    pub(crate) fn new(limit: usize, hash: Keyed) -> Self {
        Self { windows: HashMap::with_hasher(hash), limit, purged: None }
    }

    /// Whether this broadcast would be taken; changes nothing.
    pub(crate) fn check(
        &self,
        now: Instant,
        originator: &Originator,
        seqno: SeqNo,
    ) -> Result<(), Discard> {
        let fresh = Window::new(originator.birth());
        self.windows
            .get(&originator.mac().number())
            .filter(|window| window.birth == originator.birth())
            .unwrap_or(&fresh)
            .judge(now, seqno)
            .map(|_| ())
    }

    /// Takes a broadcast: the same number is a duplicate from here on.
    pub(crate) fn accept(
        &mut self,
        now: Instant,
        guard: &Guard<'_>,
        originator: &Originator,
        seqno: SeqNo,
    ) -> Result<(), Discard> {
        let key = originator.mac().number();
        if self.windows.len() >= self.limit && !self.windows.contains_key(&key) {
            self.purge(now, guard)?;
        }
        let window = self.windows.entry(key).or_insert(Window::new(originator.birth()));
        if window.birth != originator.birth() {
            *window = Window::new(originator.birth());
        }
        let judgement = window.judge(now, seqno)?;
        window.mark(now, seqno, judgement);
        Ok(())
    }

    /// Makes room by dropping what belongs to originators that the engine has forgotten.
    fn purge(&mut self, now: Instant, guard: &Guard<'_>) -> Result<(), Discard> {
        if self.purged.is_some_and(|purged| now.since(purged) < PURGE_INTERVAL) {
            return Err(Discard::TableFull);
        }
        self.purged = Some(now);
        self.windows.retain(|key, window| {
            let [_, _, mac @ ..] = key.to_be_bytes();
            guard.originator(Mac(mac)).is_some_and(|alive| alive.birth() == window.birth)
        });
        if self.windows.len() < self.limit { Ok(()) } else { Err(Discard::TableFull) }
    }
}

#[cfg(test)]
mod tests;
