//! Broadcasts that two gateways of one LAN have both brought into the mesh (06-bridge-loop-avoidance.md section 12).

use super::hash::Keyed;
use core::hash::{BuildHasher, Hasher};
use core::time::Duration;
use noctule_wire::{Instant, Mac};

/// How many are remembered.
const PLACES: usize = 16;
/// For how long one counts.
const WINDOW: Duration = Duration::from_millis(500);

#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: u64,
    at: Instant,
    /// Who brought it, if its packet said so.
    originator: Option<Mac>,
}

/// A ring of the latest ones.
#[derive(Debug)]
pub(crate) struct LanDuplicates {
    /// Newest at `newest`, older ones before it.
    ring: [Option<Entry>; PLACES],
    newest: usize,
    hash: Keyed,
}

impl LanDuplicates {
    pub(crate) const fn new(hash: Keyed) -> Self {
        Self { ring: [None; PLACES], newest: 0, hash }
    }

    /// Whether somebody else brought the same frame a moment ago; if not, it is remembered (BLA-62). The same frame of the
    /// same originator is a repetition that a host has sent: copies of one packet are known by their number.
    pub(crate) fn check(&mut self, now: Instant, originator: Option<Mac>, inner: &[u8]) -> bool {
        let mut hasher = self.hash.build_hasher();
        hasher.write(inner);
        // Frames that differ in zeroes at their end only are different.
        hasher.write_u64(inner.len() as u64);
        let hash = hasher.finish();
        for back in 0..PLACES {
            let place = (self.newest + PLACES - back) % PLACES;
            let Some(entry) = self.ring[place].filter(|e| !e.at.timed_out(now, WINDOW)) else {
                break;
            };
            let same_sender = originator.is_some() && originator == entry.originator;
            if entry.hash == hash && !same_sender {
                return true;
            }
        }
        self.newest = (self.newest + 1) % PLACES;
        self.ring[self.newest] = Some(Entry { hash, at: now, originator });
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use noctule_fib::HashKey;

    const ANNA: Option<Mac> = Some(Mac([2, 0, 0, 0, 0, 1]));
    const CARA: Option<Mac> = Some(Mac([2, 0, 0, 0, 0, 3]));

    fn list() -> LanDuplicates {
        LanDuplicates::new(Keyed(HashKey([7, 9])))
    }

    fn ms(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn bla_60_an_entry_counts_for_500_ms_and_a_hit_does_not_refresh_it() {
        let mut list = list();
        assert!(!list.check(ms(0), ANNA, b"frame"));
        assert!(list.check(ms(400), CARA, b"frame"));
        assert!(list.check(ms(500), CARA, b"frame"));
        assert!(!list.check(ms(501), CARA, b"frame"));
        assert!(!list.check(ms(502), CARA, b"another"));
    }

    #[test]
    fn bla_60_sixteen_are_remembered() {
        let mut list = list();
        for number in 0..=16u8 {
            assert!(!list.check(ms(0), ANNA, &[number]));
        }
        assert!(list.check(ms(1), CARA, &[1]));
        assert!(!list.check(ms(1), CARA, &[0]), "overwritten");
    }

    #[test]
    fn bla_62_bla_63_who_matches_whom() {
        let rows = [
            (ANNA, ANNA, false, "a host repeats itself"),
            (ANNA, CARA, true, "two gateways"),
            (None, ANNA, true, "anonymous first"),
            (ANNA, None, true, "anonymous later"),
            (None, None, true, "both anonymous"),
        ];
        for (first, second, duplicate, because) in rows {
            let mut list = list();
            assert!(!list.check(ms(0), first, b"frame"));
            assert_eq!(list.check(ms(1), second, b"frame"), duplicate, "{because}");
            assert!(!list.check(ms(1), second, b"frame\0"), "{because}: padded");
        }
    }
}
