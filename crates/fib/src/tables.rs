//! The tables together: what a reader pins, and what the one writer changes.

use crate::changes::Log;
use crate::map::{Exclusive, Map};
use crate::{
    ClaimEntry, Gateway, GlobalClient, HashKey, LocalClient, Multicast, NextHop, Node, Originator,
    View, Watch,
};
use core::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use crossbeam_epoch::{Atomic, Owned, unprotected};
use noctule_wire::tvlv::translation_table::ClientFlags;
use noctule_wire::{Client, Instant, Mac, SeqNo, Ttvn, Vid};
use portable_atomic::AtomicU64;
use std::sync::Arc;

#[derive(Debug)]
struct Tables {
    node: Atomic<Node>,
    multicast: Atomic<Multicast>,
    originators: Map<Mac, Arc<Originator>>,
    global: Map<Client, GlobalClient>,
    local: Map<Client, Arc<LocalClient>>,
    claims: Map<Client, Arc<ClaimEntry>>,
    /// Originator and VLAN.
    backbones: Map<Client, ()>,
    own_ttvn: AtomicU8,
    /// [`Gateway::to_bits`].
    gateway: AtomicU64,
    /// How many packets each lane has cut, and where the numbers of all begin.
    fragmented: [AtomicU32; Lane::COUNT_MAX],
    fragment_seqno: u16,
    broadcast_seqno: AtomicU32,
    /// How many frames left to each wireless neighbour, by [`unicast_slot`].
    unicasts: [AtomicU32; UNICAST_SLOTS],
}

/// More than the wireless neighbours of a node; two that share a slot look busy both.
const UNICAST_SLOTS: usize = 256;

fn unicast_slot(hop: NextHop) -> usize {
    let [.., last_but_one, last] = hop.mac.0;
    let mixed = last ^ last_but_one.rotate_left(3) ^ (hop.iface.index() as u8).rotate_left(4);
    usize::from(mixed)
}

/// A reader's handle; cheap to clone, one for each thread.
#[derive(Clone, Debug)]
pub struct Fib {
    tables: Arc<Tables>,
    lane: Lane,
}

impl Fib {
    /// Pins the tables: what is read through the guard stays valid until it is dropped. Once per batch.
    pub fn pin(&self) -> Guard<'_> {
        Guard { tables: &self.tables, lane: self.lane, epoch: crossbeam_epoch::pin() }
    }

    /// The same tables, for the `index`th of `count` threads that cut packets at the same time.
    #[must_use]
    pub fn in_lane(&self, index: usize, count: usize) -> Self {
        Self { tables: Arc::clone(&self.tables), lane: Lane::new(index, count) }
    }
}

/// Which numbers a thread gives the packets that it cuts (FWD-114).
///
/// A receiver puts a packet together in the bucket of its number modulo 8 (FWD-117), and a second packet in the same bucket
/// throws the first one out. Parts that several threads send at once cross on the wire, so each thread has buckets of its
/// own there.
#[derive(Clone, Copy, Debug)]
struct Lane {
    index: u8,
    /// A power of two.
    count: u8,
}

impl Lane {
    /// Buckets of a receiver (FWD-117). More threads than that share them.
    const COUNT_MAX: usize = 8;
    const ONLY: Self = Self { index: 0, count: 1 };

    fn new(index: usize, count: usize) -> Self {
        let count = count.clamp(1, Self::COUNT_MAX).next_power_of_two();
        Self { index: (index % count) as u8, count: count as u8 }
    }
}

/// The tables, as a reader sees them: whatever it has looked up stays as it is and stays valid.
///
/// The writer goes on meanwhile, so two lookups may find the states before and after a change, and two tables need not
/// tell the same story for a moment: an announcer of a client may be gone from the originators already. Every reader
/// treats that as a miss. (What is about one thing is one entry: a snapshot of the node, one word for a next hop.)
#[derive(Debug)]
pub struct Guard<'f> {
    tables: &'f Tables,
    lane: Lane,
    epoch: crossbeam_epoch::Guard,
}

/// The originator to send a client's frame to (TT-74).
#[derive(Clone, Copy, Debug)]
pub struct BestAnnouncer<'g> {
    /// The originator.
    pub originator: &'g Originator,
    /// Its next hop in the default view.
    pub router: NextHop,
    /// The flags of the client's global entry.
    pub flags: ClientFlags,
}

impl Guard<'_> {
    /// This node.
    #[expect(unsafe_code, reason = "dereference of an epoch-protected pointer")]
    pub fn node(&self) -> &Node {
        // SAFETY: never null, and what `set_node` replaces is freed only after this guard is gone.
        unsafe { self.tables.node.load(Ordering::Acquire, &self.epoch).deref() }
    }

    /// Who wants which multicast frames.
    #[expect(unsafe_code, reason = "dereference of an epoch-protected pointer")]
    pub fn multicast(&self) -> &Multicast {
        // SAFETY: never null, and what `set_multicast` replaces is freed only after this guard is gone.
        unsafe { self.tables.multicast.load(Ordering::Acquire, &self.epoch).deref() }
    }

    /// What becomes of DHCP.
    pub fn gateway(&self) -> Gateway {
        Gateway::from_bits(self.tables.gateway.load(Ordering::Acquire))
    }

    /// The version of our own client table.
    pub fn own_ttvn(&self) -> Ttvn {
        Ttvn(self.tables.own_ttvn.load(Ordering::Acquire))
    }

    /// The originator with this address (that of any of its hard interfaces, with IV), if known.
    pub fn originator(&self, mac: Mac) -> Option<&Originator> {
        self.tables.originators.get(mac, &self.epoch).map(AsRef::as_ref)
    }

    /// A client that others announce.
    pub fn global(&self, client: Client) -> Option<&GlobalClient> {
        self.tables.global.get(client, &self.epoch)
    }

    /// A client of ours.
    pub fn local(&self, client: Client) -> Option<&LocalClient> {
        self.tables.local.get(client, &self.epoch).map(AsRef::as_ref)
    }

    /// Which gateway serves this client into the LAN behind us, if one does.
    pub fn claim(&self, client: Client) -> Option<&ClaimEntry> {
        self.tables.claims.get(client, &self.epoch).map(AsRef::as_ref)
    }

    /// Whether this originator is a gateway of the LAN behind us, too.
    pub fn is_backbone(&self, originator: Mac, vid: Vid) -> bool {
        self.tables.backbones.get(Client::new(originator, vid), &self.epoch).is_some()
    }

    /// Among those who announce `client` and have a default route, the one with the best metric; of equals the one that
    /// announced last (TT-74). One whose next hop has fallen silent comes behind all others `[DEV]`.
    pub fn best_announcer(&self, client: Client) -> Option<BestAnnouncer<'_>> {
        let entry = self.global(client)?;
        let mut best: Option<((bool, u32), BestAnnouncer<'_>)> = None;
        for mac in entry.announcers.as_slice() {
            let Some(originator) = self.originator(*mac) else { continue };
            let Some(router) = originator.router(View::Default) else { continue };
            let metric = (!originator.is_doubtful(), originator.metric());
            if best.as_ref().is_none_or(|(best_metric, _)| metric > *best_metric) {
                best = Some((metric, BestAnnouncer { originator, router, flags: entry.flags }));
            }
        }
        best.map(|(_, announcer)| announcer)
    }

    /// Takes the next sequence number for a packet sent in fragments (FWD-114).
    pub fn next_fragment_seqno(&self) -> u16 {
        let Lane { index, count } = self.lane;
        let cut = self.tables.fragmented.get(usize::from(index));
        let cut = cut.map_or(0, |cut| cut.fetch_add(1, Ordering::Relaxed)) as u16;
        let number = cut.wrapping_mul(u16::from(count)).wrapping_add(u16::from(index));
        self.tables.fragment_seqno.wrapping_add(number)
    }

    /// Notes that a frame leaves to a wireless neighbour (V-85).
    pub fn count_unicast(&self, hop: NextHop) {
        self.tables.unicasts[unicast_slot(hop)].fetch_add(1, Ordering::Relaxed);
    }

    /// Takes the next sequence number for a broadcast of our own (FWD-38).
    pub fn next_broadcast_seqno(&self) -> SeqNo {
        SeqNo(self.tables.broadcast_seqno.fetch_add(1, Ordering::Relaxed))
    }
}

/// The one writer. Every method is visible to readers when it returns.
#[derive(Debug)]
pub struct Writer {
    tables: Arc<Tables>,
    originators: Exclusive,
    global: Exclusive,
    local: Exclusive,
    claims: Exclusive,
    backbones: Exclusive,
    births: u64,
    log: Log,
}

impl Writer {
    /// Empty tables. `hash_key` must be a secret of this run; the sequence counters should start from the clock, so that
    /// a restarted node is not taken for its former self (FWD-161).
    pub fn new(hash_key: HashKey, fragment_seqno: u16, broadcast_seqno: SeqNo) -> Self {
        let (originators, originators_exclusive) = Map::new(hash_key);
        let (global, global_exclusive) = Map::new(hash_key);
        let (local, local_exclusive) = Map::new(hash_key);
        let (claims, claims_exclusive) = Map::new(hash_key);
        let (backbones, backbones_exclusive) = Map::new(hash_key);
        let tables = Tables {
            node: Atomic::new(Node::default()),
            multicast: Atomic::new(Multicast::default()),
            originators,
            global,
            local,
            claims,
            backbones,
            own_ttvn: AtomicU8::new(0),
            gateway: AtomicU64::new(Gateway::Off.to_bits()),
            fragmented: [const { AtomicU32::new(0) }; Lane::COUNT_MAX],
            fragment_seqno,
            broadcast_seqno: AtomicU32::new(broadcast_seqno.0),
            unicasts: [const { AtomicU32::new(0) }; UNICAST_SLOTS],
        };
        Self {
            tables: Arc::new(tables),
            originators: originators_exclusive,
            global: global_exclusive,
            local: local_exclusive,
            claims: claims_exclusive,
            backbones: backbones_exclusive,
            births: 0,
            log: Log::default(),
        }
    }

    /// A handle for a reader.
    pub fn reader(&self) -> Fib {
        Fib { tables: Arc::clone(&self.tables), lane: Lane::ONLY }
    }

    /// Collects what changes from now on, for one watcher: the last one that asked.
    pub fn watch(&mut self) -> Watch {
        self.log.watch()
    }

    /// Replaces the snapshot of this node.
    #[expect(unsafe_code, reason = "deferred destruction of the former snapshot")]
    pub fn set_node(&mut self, node: Node) {
        let guard = crossbeam_epoch::pin();
        let old = self.tables.node.swap(Owned::new(node), Ordering::AcqRel, &guard);
        // SAFETY: swapped out, so no reader that pins from here on can load it.
        unsafe { guard.defer_destroy(old) };
        self.log.note(|changes| changes.node = true);
    }

    /// Replaces what is known of multicast.
    #[expect(unsafe_code, reason = "deferred destruction of the former snapshot")]
    pub fn set_multicast(&mut self, multicast: Multicast) {
        let guard = crossbeam_epoch::pin();
        let old = self.tables.multicast.swap(Owned::new(multicast), Ordering::AcqRel, &guard);
        // SAFETY: swapped out, so no reader that pins from here on can load it.
        unsafe { guard.defer_destroy(old) };
    }

    /// Sets what becomes of DHCP.
    pub fn set_gateway(&mut self, gateway: Gateway) {
        self.tables.gateway.store(gateway.to_bits(), Ordering::Release);
    }

    /// Sets the version of our own client table.
    pub fn set_own_ttvn(&mut self, ttvn: Ttvn) {
        let before = self.tables.own_ttvn.swap(ttvn.0, Ordering::AcqRel);
        if before != ttvn.0 {
            self.log.note(|changes| changes.own_ttvn = true);
        }
    }

    /// Makes an originator known, without a route. Nothing happens if it is known already.
    pub fn add_originator(&mut self, mac: Mac) {
        let guard = crossbeam_epoch::pin();
        if self.tables.originators.get(mac, &guard).is_none() {
            self.births += 1;
            let originator = Arc::new(Originator::new(mac, self.births));
            self.tables.originators.insert(&mut self.originators, mac, originator, &guard);
            self.note_originator(mac);
        }
    }

    /// Forgets an originator.
    pub fn remove_originator(&mut self, mac: Mac) {
        let guard = crossbeam_epoch::pin();
        if self.tables.originators.remove(&mut self.originators, mac, &guard) {
            self.note_originator(mac);
        }
    }

    /// Sets the next hop of a known originator in one view; nothing happens if it is unknown.
    pub fn set_router(&mut self, mac: Mac, view: View, router: Option<NextHop>) {
        if self.with_originator(mac, |originator| originator.set_router(view, router)) {
            self.note_originator(mac);
        }
    }

    /// Sets the metric of a known originator's default route.
    pub fn set_metric(&mut self, mac: Mac, metric: u32) {
        self.with_originator(mac, |originator| originator.set_metric(metric));
    }

    /// Sets whether the way to a known originator is in doubt.
    pub fn set_doubtful(&mut self, mac: Mac, doubtful: bool) {
        self.with_originator(mac, |originator| originator.set_doubtful(doubtful));
    }

    /// Sets the last table version seen of a known originator.
    pub fn set_ttvn(&mut self, mac: Mac, ttvn: Ttvn) {
        if self.with_originator(mac, |originator| originator.set_ttvn(ttvn)) {
            self.note_originator(mac);
        }
    }

    fn with_originator<T: Default>(
        &mut self,
        mac: Mac,
        change: impl FnOnce(&Originator) -> T,
    ) -> T {
        let guard = crossbeam_epoch::pin();
        self.tables
            .originators
            .get(mac, &guard)
            .map(|originator| change(originator))
            .unwrap_or_default()
    }

    fn note_originator(&self, mac: Mac) {
        self.log.note(|changes| {
            changes.originators.insert(mac);
        });
    }

    /// Notes that whether this client of ours has roamed away may be another matter now.
    fn note_departed(&self, client: Client, before: bool, after: bool) {
        if before != after {
            self.log.note(|changes| {
                changes.departed.insert(client);
            });
        }
    }

    fn note_client(&self, client: Client) {
        self.log.note(|changes| {
            changes.clients.insert(client);
        });
    }

    /// Sets the entry of a client that others announce.
    pub fn set_global(&mut self, client: Client, entry: GlobalClient) {
        let guard = crossbeam_epoch::pin();
        let same = self.tables.global.get(client, &guard).is_some_and(|old| *old == entry);
        self.tables.global.insert(&mut self.global, client, entry, &guard);
        if !same {
            self.note_client(client);
        }
    }

    /// Forgets a client that others announced.
    pub fn remove_global(&mut self, client: Client) {
        let guard = crossbeam_epoch::pin();
        self.tables.global.remove(&mut self.global, client, &guard);
        self.note_client(client);
    }

    /// Sets the entry of a client of ours, seen at `now` or, if the data plane has seen it later, then. (A frame at this
    /// very moment may stamp the entry that is being replaced; the next one stamps the new.)
    pub fn set_local(&mut self, client: Client, flags: ClientFlags, now: Instant) {
        let guard = crossbeam_epoch::pin();
        let old = self.tables.local.get(client, &guard);
        let last_seen = old.map_or(now, |old| old.last_seen().max(now));
        let departed = old.is_some_and(|old| old.has_departed());
        let entry = Arc::new(LocalClient::new(flags, last_seen));
        let departs = entry.has_departed();
        let same = old.is_some_and(|old| old.flags == flags);
        self.tables.local.insert(&mut self.local, client, entry, &guard);
        if !same {
            self.note_client(client);
        }
        self.note_departed(client, departed, departs);
    }

    /// Forgets a client of ours.
    pub fn remove_local(&mut self, client: Client) {
        let guard = crossbeam_epoch::pin();
        let departed = self.tables.local.get(client, &guard).is_some_and(|old| old.has_departed());
        self.tables.local.remove(&mut self.local, client, &guard);
        self.note_client(client);
        self.note_departed(client, departed, false);
    }

    /// Says which gateway serves a client into the LAN, as of `now`.
    pub fn set_claim(&mut self, client: Client, owner: Mac, now: Instant) {
        let guard = crossbeam_epoch::pin();
        let entry = Arc::new(ClaimEntry::new(owner, now));
        self.tables.claims.insert(&mut self.claims, client, entry, &guard);
    }

    /// Nobody serves it any more.
    pub fn remove_claim(&mut self, client: Client) {
        let guard = crossbeam_epoch::pin();
        self.tables.claims.remove(&mut self.claims, client, &guard);
    }

    /// When the mesh last brought a frame of a client that has been claimed.
    pub fn claim_used(&self, client: Client) -> Option<Instant> {
        let guard = crossbeam_epoch::pin();
        self.tables.claims.get(client, &guard).map(|entry| entry.used())
    }

    /// Says whether an originator is a gateway of the LAN behind us.
    pub fn set_backbone(&mut self, originator: Mac, vid: Vid, is_one: bool) {
        let guard = crossbeam_epoch::pin();
        let key = Client::new(originator, vid);
        if is_one {
            self.tables.backbones.insert(&mut self.backbones, key, (), &guard);
        } else {
            self.tables.backbones.remove(&mut self.backbones, key, &guard);
        }
    }

    /// Differs from what it was before if frames have left to this wireless neighbour since.
    pub fn unicasts(&self, hop: NextHop) -> u32 {
        self.tables.unicasts[unicast_slot(hop)].load(Ordering::Relaxed)
    }

    /// When the data plane last saw a frame of this client of ours, rounded down to 100 ms.
    pub fn local_last_seen(&self, client: Client) -> Option<Instant> {
        let guard = crossbeam_epoch::pin();
        self.tables.local.get(client, &guard).map(|entry| entry.last_seen())
    }
}

impl Drop for Tables {
    #[expect(unsafe_code, reason = "the last owner frees the snapshots at once")]
    fn drop(&mut self) {
        // SAFETY: `&mut self`: no reader is left, and the snapshots are never null.
        unsafe {
            drop(self.node.load(Ordering::Relaxed, unprotected()).into_owned());
            drop(self.multicast.load(Ordering::Relaxed, unprotected()).into_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// FWD-117: what threads cut at the same time must not meet in one bucket of the receiver.
    #[test]
    fn fwd_114_threads_that_cut_packets_at_once_use_different_buckets() {
        for count in 1..=8 {
            let fib = Writer::new(HashKey([1, 2]), 65_530, SeqNo(0)).reader();
            let mut seen = BTreeSet::new();
            let mut buckets: Vec<BTreeSet<u16>> = Vec::new();
            for index in 0..count {
                let guard_of = fib.in_lane(index, count);
                let numbers: Vec<u16> =
                    (0..64).map(|_| guard_of.pin().next_fragment_seqno()).collect();
                assert!(numbers.iter().all(|number| seen.insert(*number)), "each number once");
                buckets.push(numbers.iter().map(|number| number % 8).collect());
            }
            for (nth, of_one) in buckets.iter().enumerate() {
                assert!(buckets[nth + 1..].iter().all(|other| other.is_disjoint(of_one)));
                assert_eq!(of_one.len(), 8 / count.next_power_of_two());
            }
        }
    }
}
