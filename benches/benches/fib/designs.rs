//! The tables that are compared: the same clients, the same hash, the same values.

use super::{CLIENTS, LOT};
use arc_swap::ArcSwap;
use dashmap::DashMap;
use noctule_fib::{Announcers, Fib, GlobalClient, HashKey, Writer};
use noctule_wire::tvlv::translation_table::ClientFlags;
use noctule_wire::{Client, Mac, SeqNo};
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, PoisonError, RwLock};

const KEY: [u64; 2] = [0x1234_5678_9abc_def0, 0x0fed_cba9_8765_4321];

/// A table with its writer.
pub(crate) trait Design: Send + Sized {
    const NAME: &'static str;
    type Reader: Reader;

    /// With all clients in it.
    fn filled() -> Self;
    fn reader(&self) -> Self::Reader;
    /// Replaces the entries of these clients. When it returns, readers see that.
    fn publish(&mut self, numbers: &[u32]);
}

/// What one thread reads a table by.
pub(crate) trait Reader: Send {
    /// Looks up a lot of clients, as the pipeline does with a batch of frames; how many were found.
    fn look_up(&self, numbers: &[u32; LOT]) -> usize;
}

fn client(number: u32) -> Client {
    let [_, a, b, c] = number.to_be_bytes();
    Client::untagged(Mac([2, 3, 0, a, b, c]))
}

/// The FIB's key, for tables with any key.
fn key(number: u32) -> u64 {
    let Client { mac: Mac([a, b, c, d, e, f]), vid } = client(number);
    let [v, w] = vid.0.to_be_bytes();
    u64::from_be_bytes([a, b, c, d, e, f, v, w])
}

fn entry(number: u32) -> GlobalClient {
    let [_, a, b, c] = (number % 200).to_be_bytes();
    GlobalClient { flags: ClientFlags::NONE, announcers: Announcers::One(Mac([2, 2, 0, a, b, c])) }
}

/// Looks into the value, as a reader does.
fn is_announced(entry: &GlobalClient) -> bool {
    entry.announcers.as_slice().first().is_some_and(|mac| mac.0[0] == 2)
}

/// The FIB's hash.
#[derive(Clone, Copy, Default)]
pub(crate) struct Keyed;

impl BuildHasher for Keyed {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded(0)
    }
}

pub(crate) struct Folded(u64);

impl Hasher for Folded {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("keys are numbers");
    }

    fn write_u64(&mut self, number: u64) {
        let fold = |a: u64, b: u64| {
            let product = u128::from(a) * u128::from(b);
            (product as u64) ^ (product >> 64) as u64
        };
        let [k0, k1] = KEY;
        self.0 = fold(fold(number ^ k0, k1 | 1) ^ k1, k0 | 1);
    }
}

impl Design for Writer {
    const NAME: &'static str = "FIB";
    type Reader = Fib;

    fn filled() -> Self {
        let mut writer = Self::new(HashKey(KEY), 0, SeqNo(0));
        for number in 0..CLIENTS {
            writer.set_global(client(number), entry(number));
        }
        writer
    }

    fn reader(&self) -> Fib {
        Self::reader(self)
    }

    fn publish(&mut self, numbers: &[u32]) {
        for number in numbers {
            self.set_global(client(*number), entry(*number));
        }
    }
}

impl Reader for Fib {
    fn look_up(&self, numbers: &[u32; LOT]) -> usize {
        let guard = self.pin();
        let found = |number: &&u32| guard.global(client(**number)).is_some_and(is_announced);
        numbers.iter().filter(found).count()
    }
}

type Plain = HashMap<u64, GlobalClient, Keyed>;

fn plain() -> Plain {
    (0..CLIENTS).map(|number| (key(number), entry(number))).collect()
}

fn look_up_plain(map: &Plain, numbers: &[u32; LOT]) -> usize {
    let found = |number: &&u32| map.get(&key(**number)).is_some_and(is_announced);
    numbers.iter().filter(found).count()
}

/// One lock for each lot of look-ups, and for each change.
pub(crate) struct Locked(Arc<RwLock<Plain>>);

impl Design for Locked {
    const NAME: &'static str = "RwLock<HashMap>";
    type Reader = Arc<RwLock<Plain>>;

    fn filled() -> Self {
        Self(Arc::new(RwLock::new(plain())))
    }

    fn reader(&self) -> Self::Reader {
        Arc::clone(&self.0)
    }

    fn publish(&mut self, numbers: &[u32]) {
        for number in numbers {
            let mut map = self.0.write().unwrap_or_else(PoisonError::into_inner);
            map.insert(key(*number), entry(*number));
        }
    }
}

impl Reader for Arc<RwLock<Plain>> {
    fn look_up(&self, numbers: &[u32; LOT]) -> usize {
        look_up_plain(&self.read().unwrap_or_else(PoisonError::into_inner), numbers)
    }
}

/// A whole copy for each lot of changes: one for each change is more than a processor can do at 100,000 a second.
pub(crate) struct Copied(Arc<ArcSwap<Plain>>);

impl Design for Copied {
    const NAME: &'static str = "ArcSwap<HashMap>";
    type Reader = Arc<ArcSwap<Plain>>;

    fn filled() -> Self {
        Self(Arc::new(ArcSwap::from_pointee(plain())))
    }

    fn reader(&self) -> Self::Reader {
        Arc::clone(&self.0)
    }

    fn publish(&mut self, numbers: &[u32]) {
        let mut copy = Plain::clone(&self.0.load());
        for number in numbers {
            copy.insert(key(*number), entry(*number));
        }
        self.0.store(Arc::new(copy));
    }
}

impl Reader for Arc<ArcSwap<Plain>> {
    fn look_up(&self, numbers: &[u32; LOT]) -> usize {
        look_up_plain(&self.load(), numbers)
    }
}

/// Locks for parts of the table.
pub(crate) struct Sharded(Arc<DashMap<u64, GlobalClient, Keyed>>);

impl Design for Sharded {
    const NAME: &'static str = "dashmap";
    type Reader = Arc<DashMap<u64, GlobalClient, Keyed>>;

    fn filled() -> Self {
        Self(Arc::new((0..CLIENTS).map(|number| (key(number), entry(number))).collect()))
    }

    fn reader(&self) -> Self::Reader {
        Arc::clone(&self.0)
    }

    fn publish(&mut self, numbers: &[u32]) {
        for number in numbers {
            self.0.insert(key(*number), entry(*number));
        }
    }
}

impl Reader for Arc<DashMap<u64, GlobalClient, Keyed>> {
    fn look_up(&self, numbers: &[u32; LOT]) -> usize {
        let found = |number: &&u32| self.get(&key(**number)).is_some_and(|it| is_announced(&it));
        numbers.iter().filter(found).count()
    }
}

/// Lock-free, open addressing, any number of writers.
pub(crate) struct Papaya(Arc<papaya::HashMap<u64, GlobalClient, Keyed>>);

impl Design for Papaya {
    const NAME: &'static str = "papaya";
    type Reader = Arc<papaya::HashMap<u64, GlobalClient, Keyed>>;

    fn filled() -> Self {
        let map = papaya::HashMap::with_hasher(Keyed);
        for number in 0..CLIENTS {
            map.pin().insert(key(number), entry(number));
        }
        Self(Arc::new(map))
    }

    fn reader(&self) -> Self::Reader {
        Arc::clone(&self.0)
    }

    fn publish(&mut self, numbers: &[u32]) {
        for number in numbers {
            self.0.pin().insert(key(*number), entry(*number));
        }
    }
}

impl Reader for Arc<papaya::HashMap<u64, GlobalClient, Keyed>> {
    fn look_up(&self, numbers: &[u32; LOT]) -> usize {
        let map = self.pin();
        let found = |number: &&u32| map.get(&key(**number)).is_some_and(is_announced);
        numbers.iter().filter(found).count()
    }
}
