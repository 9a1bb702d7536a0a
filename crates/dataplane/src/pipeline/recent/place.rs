//! One place of the cache: three words that are read together without waiting.

use core::sync::atomic::{AtomicU32, Ordering, fence};
use noctule_fib::MapKey;
use noctule_wire::{Instant, Mac};
use portable_atomic::AtomicU64;

/// How often a place is read anew that is being written. A write takes three stores; whoever is interrupted in between
/// keeps others waiting no longer than this.
const ATTEMPTS: usize = 16;
/// Set beside an originator, so that an empty place is all zeroes.
const PRESENT: u64 = 1 << 63;

/// What is known of one client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Entry {
    /// The client as a number ([`MapKey`]).
    pub(super) client: u64,
    /// Who it was seen behind; ourselves are [`Mac::ZERO`].
    pub(super) originator: Mac,
    pub(super) hinted: Instant,
}

/// What was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// Of the place when it was read; `None`: somebody is writing.
    pub(super) version: Option<u32>,
    pub(super) entry: Option<Entry>,
}

/// The words of an entry, and a version that is odd while they are written.
#[derive(Debug, Default)]
pub(super) struct Place {
    version: AtomicU32,
    client: AtomicU64,
    originator: AtomicU64,
    hinted: AtomicU64,
}

impl Place {
    pub(super) fn read(&self) -> Seen {
        for _ in 0..ATTEMPTS {
            let version = self.version.load(Ordering::Acquire);
            let client = self.client.load(Ordering::Relaxed);
            let originator = self.originator.load(Ordering::Relaxed);
            let hinted = self.hinted.load(Ordering::Relaxed);
            // The words are read before the version is read again.
            fence(Ordering::Acquire);
            if version.is_multiple_of(2) && self.version.load(Ordering::Relaxed) == version {
                let [_, _, mac @ ..] = originator.to_be_bytes();
                let hinted = Instant::from_micros(hinted);
                let entry = Entry { client, originator: Mac(mac), hinted };
                let entry = (originator & PRESENT != 0).then_some(entry);
                return Seen { version: Some(version), entry };
            }
            core::hint::spin_loop();
        }
        Seen { version: None, entry: None }
    }

    /// Writes an entry, if the place still is as it was when `version` was read. Says whether it did.
    pub(super) fn write(&self, version: Option<u32>, entry: Option<Entry>) -> bool {
        let Some(version) = version else { return false };
        let odd = version.wrapping_add(1);
        if self
            .version
            .compare_exchange(version, odd, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
        {
            return false;
        }
        // Who sees one of the words sees the odd version, too.
        fence(Ordering::Release);
        let (client, originator, hinted) = entry.map_or((0, 0, 0), |entry| {
            (entry.client, entry.originator.number() | PRESENT, entry.hinted.as_micros())
        });
        self.client.store(client, Ordering::Relaxed);
        self.originator.store(originator, Ordering::Relaxed);
        self.hinted.store(hinted, Ordering::Relaxed);
        self.version.store(version.wrapping_add(2), Ordering::Release);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    fn entry(number: u64) -> Entry {
        let [.., a, b] = number.to_be_bytes();
        Entry {
            client: number,
            originator: Mac([2, 0, 0, 0, a, b]),
            hinted: Instant::from_micros(number),
        }
    }

    #[test]
    fn of_two_who_saw_the_same_one_writes() {
        let place = Place::default();
        let seen = place.read();
        assert!(seen.entry.is_none());
        assert!(place.write(seen.version, Some(entry(1))));
        assert!(!place.write(seen.version, Some(entry(2))));
        assert_eq!(place.read().entry, Some(entry(1)));
        assert!(place.write(place.read().version, None));
        assert_eq!(place.read().entry, None);
    }

    #[test]
    fn nobody_reads_words_of_two_entries() {
        let place = Place::default();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for first in [1, 30_000] {
                let (place, done) = (&place, &done);
                scope.spawn(move || {
                    for number in first..first + 20_000 {
                        place.write(place.read().version, Some(entry(number)));
                    }
                    done.store(true, Ordering::Relaxed);
                });
            }
            while !done.load(Ordering::Relaxed) {
                if let Some(seen) = place.read().entry {
                    assert_eq!(seen, entry(seen.client));
                }
            }
        });
    }
}
