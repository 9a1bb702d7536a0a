//! What is known of who has which address: IPv4 (DAT-06 to DAT-10) and IPv6 (ND-09), each in a cache of its own.

use crate::pipeline::hash::Keyed;
use core::hash::Hash;
use core::time::Duration;
use hashbrown::HashMap;
use noctule_wire::Instant;
use std::collections::VecDeque;

/// From the last word of an entry until it is forgotten (ENTRY_TIMEOUT).
const TIMEOUT: Duration = Duration::from_secs(300);
/// How often what is too old is looked for.
const PURGE_PERIOD: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug)]
struct Entry<V> {
    value: V,
    updated: Instant,
    /// Somebody here asked for the address, and this was no answer: the next word about it is news (DAT-44).
    doubted: bool,
}

/// A bounded cache; when it is full, who was not heard of for longest makes room (DAT-09).
#[derive(Debug)]
pub(crate) struct Cache<K, V> {
    entries: HashMap<K, Entry<V>, Keyed>,
    /// Every key once, with a time at or before its last word, oldest first.
    order: VecDeque<(K, Instant)>,
    limit: usize,
    next_purge: Instant,
}

impl<K: Copy + Eq + Hash, V: Copy> Cache<K, V> {
    pub(crate) fn new(limit: usize, hash: Keyed) -> Self {
        let entries = HashMap::with_hasher(hash);
        Self { entries, order: VecDeque::new(), limit: limit.max(1), next_purge: Instant::ZERO }
    }

    /// The last writer wins (DAT-07). Says how many entries made room.
    pub(crate) fn learn(&mut self, now: Instant, key: K, value: V) -> u64 {
        let entry = Entry { value, updated: now, doubted: false };
        if let Some(known) = self.entries.get_mut(&key) {
            *known = entry;
            return 0;
        }
        if self.entries.is_empty() {
            self.next_purge = now + PURGE_PERIOD;
        }
        let mut evicted = 0;
        while self.entries.len() >= self.limit && self.drop_oldest() {
            evicted += 1;
        }
        self.entries.insert(key, entry);
        self.order.push_back((key, now));
        evicted
    }

    /// Age does not matter (DAT-08).
    pub(crate) fn get(&self, key: K) -> Option<V> {
        self.entries.get(&key).map(|entry| entry.value)
    }

    /// Changes what is known, without a new word of it.
    pub(crate) fn change(&mut self, key: K, change: impl FnOnce(&mut V)) {
        if let Some(entry) = self.entries.get_mut(&key) {
            change(&mut entry.value);
        }
    }

    /// The same, but not what is doubted.
    pub(crate) fn get_undoubted(&self, key: K) -> Option<V> {
        self.entries.get(&key).filter(|entry| !entry.doubted).map(|entry| entry.value)
    }

    /// What is known of this address did not do as an answer. It is doubted until somebody speaks of it again.
    pub(crate) fn doubt(&mut self, key: K) {
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.doubted = true;
        }
    }

    /// When [`Self::purge`] has something to do; `None` while there is nothing.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        (!self.entries.is_empty()).then_some(self.next_purge)
    }

    /// Forgets what is too old (DAT-08).
    pub(crate) fn purge(&mut self, now: Instant) {
        if self.entries.is_empty() || now < self.next_purge {
            return;
        }
        self.next_purge = now + PURGE_PERIOD;
        // All are looked at: `order` says how long ago at least somebody spoke of an entry, not when last, so what is
        // too old may stand behind what is not.
        self.entries.retain(|_, entry| now.since(entry.updated) <= TIMEOUT);
        let entries = &self.entries;
        self.order.retain(|(key, _)| entries.contains_key(key));
        if self.entries.is_empty() {
            self.entries = HashMap::with_hasher(*self.entries.hasher());
            self.order = VecDeque::new();
        }
    }

    /// All entries, with the time since the last word of each (DAT-81).
    pub(crate) fn rows(&self, now: Instant) -> impl Iterator<Item = (K, V, Duration)> + '_ {
        self.entries.iter().map(move |(key, entry)| (*key, entry.value, now.since(entry.updated)))
    }

    /// Forgets the entry that nobody spoke of for longest. `false`: there is none.
    fn drop_oldest(&mut self) -> bool {
        while let Some((key, noted)) = self.order.front().copied() {
            let updated = self.entries.get(&key).map_or(noted, |entry| entry.updated);
            self.order.pop_front();
            if updated > noted {
                // Somebody spoke of it meanwhile: it takes its place by that. At most once around.
                self.order.push_back((key, updated));
            } else {
                self.entries.remove(&key);
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;
    use noctule_fib::HashKey;
    use noctule_wire::{Mac, Vid};

    type Key = (Ipv4Addr, Vid);
    type Cache = super::Cache<Key, Mac>;

    fn cache(limit: usize) -> Cache {
        Cache::new(limit, Keyed(HashKey([1, 2])))
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(1_000_000 + seconds * 1000)
    }

    fn key(last: u8) -> Key {
        (Ipv4Addr::new(10, 0, 0, last), Vid::UNTAGGED)
    }

    fn mac(last: u8) -> Mac {
        Mac([2, 0, 0, 0, 0, last])
    }

    #[test]
    fn dat_06_dat_07_by_address_and_vlan_and_the_last_writer_wins() {
        let mut cache = cache(10);
        cache.learn(at(0), key(1), mac(1));
        let tagged = (key(1).0, Vid::from_tci(7));
        assert_eq!(cache.get(tagged), None);
        cache.learn(at(0), tagged, mac(2));
        cache.learn(at(1), key(1), mac(3));
        assert_eq!((cache.get(key(1)), cache.get(tagged)), (Some(mac(3)), Some(mac(2))));
    }

    #[test]
    fn dat_08_forgotten_300_s_after_the_last_word() {
        let mut cache = cache(10);
        assert_eq!(cache.next_deadline(), None);
        cache.learn(at(0), key(1), mac(1));
        cache.learn(at(0), key(2), mac(2));
        cache.learn(at(100), key(1), mac(1));
        for seconds in (10..=300).step_by(10) {
            assert!(cache.next_deadline().is_some_and(|due| due <= at(seconds)));
            cache.purge(at(seconds));
            assert!(cache.get(key(2)).is_some(), "{seconds}");
        }
        cache.purge(at(310));
        assert_eq!((cache.get(key(1)), cache.get(key(2))), (Some(mac(1)), None));
        cache.purge(at(400));
        assert!(cache.get(key(1)).is_some());
        cache.purge(at(410));
        assert_eq!((cache.get(key(1)), cache.next_deadline()), (None, None));
    }

    /// A refreshed entry does not outlive its time behind one that was learned later.
    #[test]
    fn dat_08_refreshed_entries_are_not_kept_by_newer_ones() {
        let mut cache = cache(10);
        cache.learn(at(0), key(1), mac(1));
        cache.learn(at(2), key(1), mac(1));
        cache.learn(at(299), key(2), mac(2));
        cache.purge(at(310));
        assert_eq!((cache.get(key(1)), cache.get(key(2))), (None, Some(mac(2))));
        assert_eq!(cache.order.len(), 1);
    }

    #[test]
    fn dat_09_a_full_cache_forgets_who_was_silent_longest() {
        let mut cache = cache(3);
        for last in 1..=3 {
            assert_eq!(cache.learn(at(last.into()), key(last), mac(last)), 0);
        }
        assert_eq!(cache.learn(at(10), key(1), mac(1)), 0);
        assert_eq!(cache.learn(at(11), key(4), mac(4)), 1);
        let known = |cache: &Cache| -> Vec<u8> {
            (1..=9).filter(|last| cache.get(key(*last)).is_some()).collect()
        };
        assert_eq!(known(&cache), [1, 3, 4]);
        cache.learn(at(12), key(5), mac(5));
        cache.learn(at(13), key(6), mac(6));
        assert_eq!(known(&cache), [4, 5, 6]);
        assert!(cache.order.len() <= 3);
    }
}
