//! Clients that were seen a moment ago, while the engine has yet to publish them.
//!
//! A hint travels to the engine by a queue and comes back as a table entry. Meanwhile a burst of frames must not send the
//! same hint again and again, and the answer to a first broadcast (ARP) must find its way although the table does not
//! know it yet (TT-103: "usable at once").
//!
//! All workers of a node look into the same cache: a client may be heard by one and asked for by another. A place is read
//! without waiting, and written by whoever is first: a second one at the same instant leaves it as it is.

mod place;

use super::hash::Keyed;
use core::hash::BuildHasher;
use core::time::Duration;
use noctule_fib::MapKey;
use noctule_wire::{Client, Instant, Mac};
use place::{Entry, Place};

/// A hint is repeated at the earliest after this time, if the tables still do not know the client.
const RETRY: Duration = Duration::from_millis(100);
/// For this long a hint stands in for the table entry that it asks for.
const VALID: Duration = Duration::from_secs(2);
/// For this long it is known that another one was given the chance.
const REMEMBERED: Duration = Duration::from_secs(60);
/// Places that one key can lie in: as many as share a cache line or two.
const WAYS: usize = 4;

/// A cache of fixed size: each key has four places, and a new one takes the place that was hinted longest ago.
#[derive(Debug)]
pub(crate) struct RecentClients {
    sets: Box<[[Place; WAYS]]>,
    hash: Keyed,
}

impl RecentClients {
    /// Room for `capacity` clients, rounded up to a power of two.
    pub(crate) fn new(capacity: usize, hash: Keyed) -> Self {
        let sets = capacity.div_ceil(WAYS).next_power_of_two();
        Self { sets: (0..sets).map(|_| Default::default()).collect(), hash }
    }

    fn set_of(&self, client: u64) -> &[Place; WAYS] {
        let hash = self.hash.hash_one(client);
        &self.sets[(hash >> 32) as usize & (self.sets.len() - 1)]
    }

    fn find(&self, client: Client) -> Option<Entry> {
        let number = client.number();
        let mut entries = self.set_of(number).iter().filter_map(|place| place.read().entry);
        entries.find(|entry| entry.client == number)
    }

    /// Whether a hint about `client` behind `originator` is due, and if so notes that it goes out at `now`.
    pub(crate) fn note(&self, now: Instant, client: Client, originator: Mac) -> bool {
        self.put(Entry { client: client.number(), originator, hinted: now }, |known| {
            known.originator == originator && now.since(known.hinted) < RETRY
        })
    }

    /// Notes at `now` where `client` is, whatever was noted before.
    pub(crate) fn set(&self, now: Instant, client: Client, originator: Mac) {
        self.put(Entry { client: client.number(), originator, hinted: now }, |_| false);
    }

    /// Puts it where its client is, unless that entry is to be `kept`, or in the place of the oldest.
    fn put(&self, entry: Entry, kept: impl Fn(&Entry) -> bool) -> bool {
        let set = self.set_of(entry.client);
        let mut oldest = None;
        for place in set {
            let seen = place.read();
            if let Some(known) = seen.entry.filter(|known| known.client == entry.client) {
                return !kept(&known) && place.write(seen.version, Some(entry));
            }
            let age = seen.entry.map(|known| known.hinted);
            if oldest.is_none_or(|(_, _, oldest_age)| age < oldest_age) {
                oldest = Some((place, seen.version, age));
            }
        }
        oldest.is_some_and(|(place, version, _)| place.write(version, Some(entry)))
    }

    /// Nothing is known of `client` any more.
    pub(crate) fn forget(&self, client: Client) {
        let number = client.number();
        for place in self.set_of(number) {
            let seen = place.read();
            if seen.entry.is_some_and(|entry| entry.client == number) {
                place.write(seen.version, None);
            }
        }
    }

    /// How long ago `client` was noted, if that was in the last minute.
    pub(crate) fn age(&self, now: Instant, client: Client) -> Option<Duration> {
        self.find(client).map(|entry| now.since(entry.hinted)).filter(|age| *age < REMEMBERED)
    }

    /// Where `client` was noted so lately that the engine has hardly heard of it.
    pub(crate) fn fresh(&self, now: Instant, client: Client) -> Option<Mac> {
        self.find(client)
            .filter(|entry| now.since(entry.hinted) < RETRY)
            .map(|entry| entry.originator)
    }

    /// Behind which originator `client` was seen within the last 2 s.
    pub(crate) fn originator(&self, now: Instant, client: Client) -> Option<Mac> {
        self.find(client)
            .filter(|entry| now.since(entry.hinted) < VALID)
            .map(|entry| entry.originator)
    }

    /// Whether a hint about `client` is so fresh that the engine has hardly seen it.
    pub(crate) fn is_in_flight(&self, now: Instant, client: Client) -> bool {
        self.find(client).is_some_and(|entry| now.since(entry.hinted) < RETRY)
    }
}
