//! A hash map with one writer and any number of readers that never wait.
//!
//! Chains of immutable nodes hang on an array of atomic heads. To change an entry, the writer swings the one link that led
//! to it to a new node with the same successor, so a reader on its way along the chain meets the old node or the new one
//! wherever it stands; a new key goes to the front. To grow, the writer builds a second array and swaps it in. What is
//! unlinked is freed when no reader can hold it any more (`crossbeam-epoch`).
//!
//! Keys come from the air, so the hash is keyed with a secret from start-up: nobody can aim at one bucket.

#![expect(unsafe_code, reason = "lock-free readers: raw pointers, kept alive by the epoch")]

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use crossbeam_epoch::{Atomic, Guard, Owned, Shared, unprotected};
use noctule_wire::{Client, Mac};

/// The secret that decides which key lies in which bucket.
#[derive(Clone, Copy, Debug)]
pub struct HashKey(pub [u64; 2]);

/// What can be a key: anything that 64 bits tell apart.
pub trait MapKey: Copy + Eq {
    /// The key as a number; equal keys, and only they, give equal numbers.
    fn number(self) -> u64;
}

impl MapKey for Mac {
    fn number(self) -> u64 {
        let [a, b, c, d, e, f] = self.0;
        u64::from_be_bytes([0, 0, a, b, c, d, e, f])
    }
}

impl MapKey for Client {
    fn number(self) -> u64 {
        let [a, b, c, d, e, f] = self.mac.0;
        let [v, w] = self.vid.0.to_be_bytes();
        u64::from_be_bytes([a, b, c, d, e, f, v, w])
    }
}

struct Node<K, V> {
    key: K,
    value: V,
    next: Atomic<Node<K, V>>,
}

struct Table<K, V> {
    /// A power of two.
    heads: Box<[Atomic<Node<K, V>>]>,
}

impl<K: MapKey, V> Table<K, V> {
    fn new(buckets: usize) -> Self {
        Self { heads: (0..buckets).map(|_| Atomic::null()).collect() }
    }

    fn head(&self, hash: u64) -> &Atomic<Node<K, V>> {
        // The upper bits of a product are the well mixed ones.
        let index = (hash >> 32) as usize & (self.heads.len() - 1);
        &self.heads[index]
    }
}

/// The map. Readers use [`Map::get`] from any thread; everything that takes `&mut Exclusive` is for the one writer.
///
/// Not public: nothing here stops a caller from changing one map by the right to another, and two writers at a time
/// would free what the other still follows. [`Writer`](crate::Writer) owns each map's right beside the map.
pub(crate) struct Map<K, V> {
    table: Atomic<Table<K, V>>,
    hash_key: HashKey,
}

// SAFETY: readers only get `&V` (hence `V: Sync`), and values are dropped on whatever thread collects garbage (hence
// `V: Send`); keys are `Copy` data.
unsafe impl<K: Send + Sync, V: Send + Sync> Send for Map<K, V> {}
// SAFETY: as above; mutation goes through `Exclusive`, of which the owner makes sure there is one.
unsafe impl<K: Send + Sync, V: Send + Sync> Sync for Map<K, V> {}

/// The right to change one [`Map`], and how many entries it has. Whoever owns it is the one writer.
#[derive(Debug)]
pub(crate) struct Exclusive {
    len: usize,
}

const BUCKETS_MIN: usize = 64;

impl<K: MapKey + Send + Sync + 'static, V: Clone + Send + Sync + 'static> Map<K, V> {
    /// An empty map, and the right to change it.
    pub(crate) fn new(hash_key: HashKey) -> (Self, Exclusive) {
        (Self { table: Atomic::new(Table::new(BUCKETS_MIN)), hash_key }, Exclusive { len: 0 })
    }

    fn hash(&self, key: K) -> u64 {
        let [k0, k1] = self.hash_key.0;
        let fold = |a: u64, b: u64| {
            let product = u128::from(a) * u128::from(b);
            (product as u64) ^ (product >> 64) as u64
        };
        fold(fold(key.number() ^ k0, k1 | 1) ^ k1, k0 | 1)
    }

    /// The value of `key`; what it returns stays valid while `guard` lives. It never waits for the writer, and what the
    /// writer does meanwhile cannot lead it in circles: links only ever point towards a chain's end.
    ///
    /// A key that is in the map throughout the call is found. A node that is unlinked keeps its link, to a node that was
    /// linked at that moment or was itself unlinked in this way; so what lay behind it then, each in the version of then
    /// or a later one, lies behind it as long as a reader stands there. New keys come in at the front, where they are
    /// nobody's successor.
    pub(crate) fn get<'g>(&self, key: K, guard: &'g Guard) -> Option<&'g V> {
        // SAFETY: the table is never null, and neither it nor a node is freed while `guard` is pinned.
        let table = unsafe { self.table.load(Acquire, guard).deref() };
        let mut node = table.head(self.hash(key)).load(Acquire, guard);
        loop {
            // SAFETY: nodes are initialised before a `Release` store links them, and freed only after all guards that
            // could reach them are gone.
            let entry = unsafe { node.as_ref() }?;
            if entry.key == key {
                return Some(&entry.value);
            }
            node = entry.next.load(Acquire, guard);
        }
    }

    /// Sets the value of `key`; a reader finds the old or the new one, never neither.
    pub(crate) fn insert(&self, exclusive: &mut Exclusive, key: K, value: V, guard: &Guard) {
        self.grow_if_full(exclusive, guard);
        // SAFETY: as in `get`.
        let table = unsafe { self.table.load(Acquire, guard).deref() };
        let head = table.head(self.hash(key));
        let found = find(head, key, guard);
        // In its predecessor's place, not in front: a reader that has passed the front and not yet reached the old node
        // would find neither.
        let (link, next) = match &found {
            Some(found) => (found.link, found.next),
            None => (head, head.load(Acquire, guard)),
        };
        link.store(Owned::new(Node { key, value, next: Atomic::from(next) }), Release);
        match found {
            // SAFETY: unlinked, so readers that pin from here on cannot reach it; those that hold it are waited for.
            Some(found) => unsafe { guard.defer_destroy(found.node) },
            None => exclusive.len += 1,
        }
    }

    /// Removes `key`; tells whether it was there.
    pub(crate) fn remove(&self, exclusive: &mut Exclusive, key: K, guard: &Guard) -> bool {
        // SAFETY: as in `get`.
        let table = unsafe { self.table.load(Acquire, guard).deref() };
        let Some(found) = find(table.head(self.hash(key)), key, guard) else { return false };
        found.link.store(found.next, Release);
        // SAFETY: as in `insert`.
        unsafe { guard.defer_destroy(found.node) };
        exclusive.len -= 1;
        true
    }

    fn grow_if_full(&self, exclusive: &Exclusive, guard: &Guard) {
        let old = self.table.load(Acquire, guard);
        // SAFETY: as in `get`.
        let table = unsafe { old.deref() };
        if exclusive.len < table.heads.len() {
            return;
        }
        let larger = Table::new(table.heads.len() * 2);
        for head in &table.heads {
            let mut node = head.load(Acquire, guard);
            // SAFETY: as in `get`.
            while let Some(entry) = unsafe { node.as_ref() } {
                let bucket = larger.head(self.hash(entry.key));
                let next = Atomic::from(bucket.load(Relaxed, guard));
                bucket.store(
                    Owned::new(Node { key: entry.key, value: entry.value.clone(), next }),
                    Relaxed,
                );
                node = entry.next.load(Acquire, guard);
            }
        }
        self.table.store(Owned::new(larger), Release);
        for head in &table.heads {
            let mut node = head.load(Acquire, guard);
            // SAFETY: as in `get`.
            while let Some(entry) = unsafe { node.as_ref() } {
                let next = entry.next.load(Acquire, guard);
                // SAFETY: the array that leads to it is no longer reachable for readers that pin from here on.
                unsafe { guard.defer_destroy(node) };
                node = next;
            }
        }
        // SAFETY: it has been replaced above, so no reader that pins from here on can load it.
        unsafe { guard.defer_destroy(old) };
    }
}

/// Where a node hangs in its chain.
struct Found<'g, K, V> {
    /// The link that leads to it.
    link: &'g Atomic<Node<K, V>>,
    node: Shared<'g, Node<K, V>>,
    next: Shared<'g, Node<K, V>>,
}

/// Looks for `key` in the chain that starts at `link`. For the writer: what it finds stays linked until the writer acts.
fn find<'g, K: MapKey, V>(
    mut link: &'g Atomic<Node<K, V>>,
    key: K,
    guard: &'g Guard,
) -> Option<Found<'g, K, V>> {
    loop {
        let node = link.load(Acquire, guard);
        // SAFETY: as in `Map::get`; only the caller unlinks.
        let entry = unsafe { node.as_ref() }?;
        if entry.key == key {
            return Some(Found { link, node, next: entry.next.load(Acquire, guard) });
        }
        link = &entry.next;
    }
}

impl<K, V> Drop for Map<K, V> {
    fn drop(&mut self) {
        // SAFETY: `&mut self`: no reader and no writer is left.
        let guard = unsafe { unprotected() };
        let table = self.table.load(Relaxed, guard);
        // SAFETY: the table is never null and owned by the map; so is every node that hangs on it.
        let table = unsafe { table.into_owned() };
        for head in &table.heads {
            let mut node = head.load(Relaxed, guard);
            while !node.is_null() {
                // SAFETY: not null, linked once, and nobody else holds it.
                let entry = unsafe { node.into_owned() };
                node = entry.next.load(Relaxed, guard);
            }
        }
    }
}

impl<K, V> core::fmt::Debug for Map<K, V> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Map").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    const KEY: HashKey = HashKey([0x1234_5678_9abc_def0, 0x0fed_cba9_8765_4321]);

    /// Miri looks at each access, which takes it a thousand times as long; but it needs no luck to see a bad one.
    const fn times(plain: u32, miri: u32) -> u32 {
        if cfg!(miri) { miri } else { plain }
    }

    fn mac(number: u32) -> Mac {
        let [a, b, c, d] = number.to_be_bytes();
        Mac([2, 0, a, b, c, d])
    }

    #[test]
    fn behaves_like_a_map() {
        const KEYS: u32 = times(700, 150);
        let (map, mut exclusive) = Map::new(KEY);
        let mut model = BTreeMap::new();
        let guard = crossbeam_epoch::pin();
        let mut state = 7u32;
        for step in 0..times(20_000, 500) {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let key = mac((state >> 8) % KEYS);
            if state.is_multiple_of(3) {
                assert_eq!(map.remove(&mut exclusive, key, &guard), model.remove(&key).is_some());
            } else {
                map.insert(&mut exclusive, key, step, &guard);
                model.insert(key, step);
            }
            assert_eq!(exclusive.len, model.len());
        }
        assert!(model.len() > BUCKETS_MIN, "it has grown");
        for number in 0..KEYS {
            assert_eq!(map.get(mac(number), &guard), model.get(&mac(number)));
        }
    }

    /// A reader stands at a node while what comes behind it is replaced, and the one it stands at too.
    #[test]
    fn a_reader_on_its_way_along_a_chain_misses_nothing() {
        let (map, mut exclusive) = Map::new(KEY);
        let guard = crossbeam_epoch::pin();
        // Three keys of one bucket; the last one inserted stands in front.
        let bucket = |key| (map.hash(key) >> 32) as usize & (BUCKETS_MIN - 1);
        let chain: Vec<Mac> = (0..).map(mac).filter(|key| bucket(*key) == 5).take(3).collect();
        let &[last, middle, first] = chain.as_slice() else { panic!("three keys") };
        for key in [last, middle, first] {
            map.insert(&mut exclusive, key, 1, &guard);
        }
        // SAFETY: `guard` is pinned, and both are linked.
        let table = unsafe { map.table.load(Acquire, &guard).deref() };
        let stands_at = |key| find(table.head(map.hash(key)), key, &guard).map(|found| found.node);
        let (front, between) = (stands_at(first), stands_at(middle));
        let rest_of_the_way = |from: Option<Shared<'_, Node<Mac, u32>>>| {
            let mut seen = Vec::new();
            // SAFETY: `guard` is pinned since before the node was unlinked.
            let mut node = unsafe { from.and_then(|node| node.as_ref()) };
            while let Some(entry) = node {
                seen.push((entry.key, entry.value));
                // SAFETY: as above.
                node = unsafe { entry.next.load(Acquire, &guard).as_ref() };
            }
            seen
        };

        map.insert(&mut exclusive, last, 2, &guard);
        assert_eq!(rest_of_the_way(front), [(first, 1), (middle, 1), (last, 2)]);
        map.insert(&mut exclusive, middle, 2, &guard);
        assert_eq!(rest_of_the_way(front), [(first, 1), (middle, 2), (last, 2)]);
        assert_eq!(rest_of_the_way(between), [(middle, 1), (last, 2)]);
        map.remove(&mut exclusive, middle, &guard);
        map.insert(&mut exclusive, last, 3, &guard);
        assert_eq!(rest_of_the_way(front), [(first, 1), (last, 3)]);
        let left_behind = rest_of_the_way(between);
        assert!(left_behind.iter().any(|(key, _)| *key == last), "{left_behind:?}");
    }

    /// Readers look while the writer replaces, removes and grows. A value that was freed would fail its own check.
    #[test]
    fn readers_never_see_a_torn_or_freed_value() {
        /// More than the first array of buckets is for.
        const KEYS: u32 = times(300, 80);
        #[derive(Clone)]
        struct Checked(Box<[u32; 2]>, Arc<AtomicUsize>);
        impl Drop for Checked {
            fn drop(&mut self) {
                *self.0 = [1, 1];
                self.1.fetch_add(1, Ordering::Relaxed);
            }
        }
        let drops = Arc::new(AtomicUsize::new(0));
        let (map, mut exclusive) = Map::new(KEY);
        let value = Checked(Box::new([0, !0]), Arc::clone(&drops));
        map.insert(&mut exclusive, mac(0), value, &crossbeam_epoch::pin());
        let done = AtomicBool::new(false);
        let passes = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        let guard = crossbeam_epoch::pin();
                        for number in 0..KEYS {
                            let value: Option<&Checked> = map.get(mac(number), &guard);
                            if let Some(value) = value {
                                assert_eq!(value.0[0], !value.0[1], "read a freed value");
                            }
                            // Entry 0 is replaced again and again, but never missing once it is there.
                            assert!(number != 0 || value.is_some());
                        }
                        passes.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            // As long as it takes until the readers have looked often, on however many cores. A reader that fails leaves
            // its count behind, so the rounds are bounded too.
            let often = || passes.load(Ordering::Relaxed) >= times(20_000, 4) as usize;
            let rounds_min = times(60_000, 240);
            for round in (0..20_000_000u32).take_while(|round| *round < rounds_min || !often()) {
                let guard = crossbeam_epoch::pin();
                let value = Checked(Box::new([round, !round]), Arc::clone(&drops));
                let key = mac(round % KEYS);
                if round.is_multiple_of(5) && !round.is_multiple_of(KEYS) {
                    map.remove(&mut exclusive, key, &guard);
                } else {
                    map.insert(&mut exclusive, key, value, &guard);
                }
            }
            done.store(true, Ordering::Relaxed);
        });
        drop(map);
        assert!(drops.load(Ordering::Relaxed) > 0);
    }
}
