//! Clients that were seen a moment ago, while the engine has yet to publish them.
//!
//! A hint travels to the engine by a queue and comes back as a table entry. Meanwhile a burst of frames must not send the
//! same hint again and again, and the answer to a first broadcast (ARP) must find its way although the table does not
//! know it yet (TT-103: "usable at once").

use super::hash::Keyed;
use core::hash::BuildHasher;
use core::time::Duration;
use noctule_fib::MapKey;
use noctule_wire::{Client, Instant, Mac};

/// A hint is repeated at the earliest after this time, if the tables still do not know the client.
const RETRY: Duration = Duration::from_millis(100);
/// For this long a hint stands in for the table entry that it asks for.
const VALID: Duration = Duration::from_secs(2);
/// For this long it is known that another one was given the chance.
const REMEMBERED: Duration = Duration::from_secs(60);
/// Places that one key can lie in: as many as share a cache line or two.
const WAYS: usize = 4;

#[derive(Clone, Copy, Debug)]
struct Entry {
    client: Client,
    /// Who it was seen behind; ourselves are [`Mac::ZERO`].
    originator: Mac,
    hinted: Instant,
}

/// A cache of fixed size: each key has four places, and a new one takes the place that was hinted longest ago.
#[derive(Debug)]
pub(crate) struct RecentClients {
    sets: Box<[[Option<Entry>; WAYS]]>,
    hash: Keyed,
}

impl RecentClients {
    /// Room for `capacity` clients, rounded up to a power of two.
    pub(crate) fn new(capacity: usize, hash: Keyed) -> Self {
        let sets = capacity.div_ceil(WAYS).next_power_of_two();
        Self { sets: vec![[None; WAYS]; sets].into_boxed_slice(), hash }
    }

    fn set_of(&self, client: Client) -> usize {
        let hash = self.hash.hash_one(client.number());
        (hash >> 32) as usize & (self.sets.len() - 1)
    }

    fn find(&self, client: Client) -> Option<&Entry> {
        self.sets[self.set_of(client)].iter().flatten().find(|entry| entry.client == client)
    }

    /// Whether a hint about `client` behind `originator` is due, and if so notes that it goes out at `now`.
    pub(crate) fn note(&mut self, now: Instant, client: Client, originator: Mac) -> bool {
        let set = self.set_of(client);
        let set = &mut self.sets[set];
        let place = match set.iter().position(|entry| entry.is_some_and(|e| e.client == client)) {
            Some(place) => {
                let known = set[place].is_some_and(|entry| {
                    entry.originator == originator && now.since(entry.hinted) < RETRY
                });
                if known {
                    return false;
                }
                place
            }
            None => {
                let age = |place: &usize| set[*place].map(|entry| entry.hinted);
                (0..WAYS).min_by_key(age).unwrap_or(0)
            }
        };
        set[place] = Some(Entry { client, originator, hinted: now });
        true
    }

    /// Notes at `now` where `client` is, whatever was noted before.
    pub(crate) fn set(&mut self, now: Instant, client: Client, originator: Mac) {
        let set = self.set_of(client);
        let set = &mut self.sets[set];
        let same = set.iter().position(|entry| entry.is_some_and(|e| e.client == client));
        let age = |place: &usize| set[*place].map(|entry| entry.hinted);
        let place = same.or_else(|| (0..WAYS).min_by_key(age)).unwrap_or(0);
        set[place] = Some(Entry { client, originator, hinted: now });
    }

    /// Nothing is known of `client` any more.
    pub(crate) fn forget(&mut self, client: Client) {
        let set = self.set_of(client);
        let is_it = |entry: &mut Entry| entry.client == client;
        for place in &mut self.sets[set] {
            place.take_if(is_it);
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
