//! Fragments on their way back to being packets (FWD-115 to FWD-119).
//!
//! Each originator that fragments has eight buckets, a packet's number modulo 8 tells which. A bucket remembers its last
//! number for ever, so that a late duplicate starts nothing; the bytes lie in an [`Assembly`], of which there is a
//! bounded number for all originators together. Who gets one when all are taken is told by [`Holders`].

use super::buffers::Buffers;
use super::fairness::{Holder, Holders};
use super::hash::Keyed;
use core::cmp::Reverse;
use core::time::Duration;
use hashbrown::HashMap;
use noctule_fib::{Guard, Iface, MapKey, Originator};
use noctule_wire::{Discard, ETHERNET_HEADER_LEN, Fragment, Instant, Mac};

/// Buckets of each fragmenting originator (FWD-117).
const BUCKETS: usize = 8;
/// After the last accepted part (FWD-118).
const TIMEOUT: Duration = Duration::from_secs(10);
/// As for broadcast windows: the table of buckets is searched for forgotten originators at most this often.
const PURGE_INTERVAL: Duration = Duration::from_secs(1);
/// Bytes in buffers that wait for the next packet: 128 of a usual link, or 13 of the greatest length.
const KEPT_BUFFERS: usize = 256 * 1024;

/// A packet in its parts.
#[derive(Debug)]
struct Assembly {
    /// Which bucket it belongs to; `None`: free.
    owner: Option<(Mac, u8)>,
    /// On whose account it is.
    holder: Holder,
    total_size: u16,
    /// Number and length of each part, in the order of arrival, as their bytes lie in `data`.
    parts: [(u8, u16); Fragment::PARTS_MAX],
    count: u8,
    data: Vec<u8>,
    /// Of the part with the highest number so far: its outer Ethernet header and priority (FWD-119).
    outer: [u8; ETHERNET_HEADER_LEN],
    priority: u8,
    updated: Instant,
    /// When it was started, as a count: a batch of frames shares one instant.
    turn: u64,
}

impl Assembly {
    const fn free() -> Self {
        Self {
            owner: None,
            holder: Holder::NOBODY,
            total_size: 0,
            parts: [(0, 0); Fragment::PARTS_MAX],
            count: 0,
            data: Vec::new(),
            outer: [0; ETHERNET_HEADER_LEN],
            priority: 0,
            updated: Instant::ZERO,
            turn: 0,
        }
    }

    fn parts(&self) -> &[(u8, u16)] {
        &self.parts[..usize::from(self.count)]
    }

    fn add(&mut self, now: Instant, outer: [u8; ETHERNET_HEADER_LEN], fragment: &Fragment<'_>) {
        if self.parts().iter().all(|(number, _)| *number < fragment.number) {
            self.outer = outer;
            self.priority = fragment.priority;
        }
        self.parts[usize::from(self.count)] = (fragment.number, fragment.data.len() as u16);
        self.count += 1;
        self.data.extend_from_slice(fragment.data);
        self.updated = now;
    }

    /// Writes outer header and packet, the highest number first (FWD-119).
    fn merge(&self, frame: &mut Vec<u8>) {
        frame.clear();
        frame.extend_from_slice(&self.outer);
        for number in (0..Fragment::PARTS_MAX as u8).rev() {
            let mut start = 0;
            for (part, len) in self.parts() {
                let end = start + usize::from(*len);
                if *part == number {
                    frame.extend_from_slice(&self.data[start..end]);
                }
                start = end;
            }
        }
    }
}

/// Index of an [`Assembly`], of which there are at most 65535.
type Place = u16;

#[derive(Clone, Copy, Debug)]
enum Bucket {
    /// Never used: any number may start here, also 0.
    New,
    /// Parts of this number are being collected.
    Filling(u16, Place),
    /// This number is done with: completed, discarded or timed out.
    Spent(u16),
}

#[derive(Clone, Copy, Debug)]
struct Buckets {
    birth: u64,
    buckets: [Bucket; BUCKETS],
}

/// All that is being reassembled.
#[derive(Debug)]
pub(crate) struct Reassembly {
    originators: HashMap<u64, Buckets, Keyed>,
    limit: usize,
    purged: Option<Instant>,
    assemblies: Vec<Assembly>,
    free: Vec<Place>,
    assemblies_max: usize,
    /// Assemblies started so far.
    turn: u64,
    holders: Holders,
    buffers: Buffers,
    /// Not later than the first time-out; exact after [`Self::expire`].
    deadline: Option<Instant>,
}

/// A fragment that arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'a> {
    /// Who cut the packet.
    pub(crate) originator: &'a Originator,
    /// Where it came in.
    pub(crate) iface: Iface,
    /// Its outer Ethernet header.
    pub(crate) outer: [u8; ETHERNET_HEADER_LEN],
    pub(crate) fragment: Fragment<'a>,
}

/// What [`Reassembly::add`] found out about a part that is not lost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Added {
    /// Others are missing.
    Waiting,
    /// It was the last: the packet is in the caller's buffer, and has this priority.
    Complete(u8),
}

impl Reassembly {
    pub(crate) fn new(originators: usize, assemblies: usize, hash: Keyed) -> Self {
        Self {
            originators: HashMap::with_hasher(hash),
            limit: originators,
            purged: None,
            assemblies: Vec::new(),
            free: Vec::new(),
            assemblies_max: assemblies.clamp(1, usize::from(Place::MAX)),
            turn: 0,
            holders: Holders::default(),
            buffers: Buffers::new(KEPT_BUFFERS),
            deadline: None,
        }
    }

    /// When [`Self::expire`] may have something to do.
    pub(crate) const fn next_deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Takes one part (FWD-117). When it completes its packet, `frame` holds the packet behind the outer header of its
    /// head. `lost` is called for each other packet that had to be given up.
    ///
    /// # Errors
    /// Why the part is dropped, or that its whole packet is given up.
    pub(crate) fn add(
        &mut self,
        now: Instant,
        guard: &Guard<'_>,
        part: &Part<'_>,
        frame: &mut Vec<u8>,
        mut lost: impl FnMut(Discard),
    ) -> Result<Added, Discard> {
        let Part { originator, outer, fragment, .. } = part;
        let owner = (originator.mac(), (fragment.seqno % BUCKETS as u16) as u8);
        self.make_known(now, guard, originator, &mut lost)?;
        let place = match self.bucket(owner) {
            Some(Bucket::Filling(seqno, place)) if *seqno == fragment.seqno => *place,
            Some(Bucket::Spent(seqno)) if *seqno == fragment.seqno => {
                return Err(Discard::Duplicate);
            }
            Some(Bucket::Filling(_, place)) => {
                let place = *place;
                lost(Discard::Fragment);
                self.give_up(place);
                self.start(now, owner, part, &mut lost)?
            }
            _ => self.start(now, owner, part, &mut lost)?,
        };
        let assembly = &mut self.assemblies[usize::from(place)];
        if assembly.parts().iter().any(|(number, _)| *number == fragment.number) {
            return Err(Discard::Duplicate);
        }
        // A sum above the packet's size can only grow: such a packet never completes, so its bytes need not be kept.
        let sum = assembly.data.len() + fragment.data.len();
        if fragment.total_size != assembly.total_size || sum > usize::from(assembly.total_size) {
            self.give_up(place);
            return Err(Discard::Fragment);
        }
        assembly.add(now, *outer, fragment);
        if sum < usize::from(assembly.total_size) {
            let timeout = now + TIMEOUT;
            self.deadline.get_or_insert(timeout + Duration::from_micros(1));
            return Ok(Added::Waiting);
        }
        assembly.merge(frame);
        let priority = assembly.priority;
        self.give_up(place);
        Ok(Added::Complete(priority))
    }

    /// Gives up what has waited for too long (FWD-118); `lost` is called once for each packet.
    pub(crate) fn expire(&mut self, now: Instant, mut lost: impl FnMut(Discard)) {
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return;
        }
        self.deadline = None;
        for place in 0..self.assemblies.len() {
            let assembly = &self.assemblies[place];
            if assembly.owner.is_none() {
                continue;
            }
            if assembly.updated.timed_out(now, TIMEOUT) {
                lost(Discard::FragmentTimeout);
                self.give_up(place as Place);
            } else {
                let due = assembly.updated + TIMEOUT + Duration::from_micros(1);
                self.deadline = Some(self.deadline.map_or(due, |first| first.min(due)));
            }
        }
    }

    fn bucket(&mut self, (originator, bucket): (Mac, u8)) -> Option<&mut Bucket> {
        let buckets = self.originators.get_mut(&originator.number())?;
        buckets.buckets.get_mut(usize::from(bucket))
    }

    /// Makes sure that the originator has buckets, and that they are of its present life.
    fn make_known(
        &mut self,
        now: Instant,
        guard: &Guard<'_>,
        originator: &Originator,
        lost: &mut impl FnMut(Discard),
    ) -> Result<(), Discard> {
        let key = originator.mac().number();
        match self.originators.get(&key) {
            Some(buckets) if buckets.birth == originator.birth() => return Ok(()),
            Some(buckets) => {
                let old = *buckets;
                self.give_up_all(&old, lost);
            }
            None if self.originators.len() >= self.limit => self.purge(now, guard, lost)?,
            None => {}
        }
        let fresh = Buckets { birth: originator.birth(), buckets: [Bucket::New; BUCKETS] };
        self.originators.insert(key, fresh);
        Ok(())
    }

    /// Makes room by dropping the buckets of originators that the engine has forgotten.
    fn purge(
        &mut self,
        now: Instant,
        guard: &Guard<'_>,
        lost: &mut impl FnMut(Discard),
    ) -> Result<(), Discard> {
        if self.purged.is_some_and(|purged| now.since(purged) < PURGE_INTERVAL) {
            return Err(Discard::TableFull);
        }
        self.purged = Some(now);
        for place in 0..self.assemblies.len() {
            let Some((owner, _)) = self.assemblies[place].owner else { continue };
            let birth = self.originators.get(&owner.number()).map(|buckets| buckets.birth);
            if guard.originator(owner).map(Originator::birth) != birth {
                lost(Discard::Fragment);
                self.give_up(place as Place);
            }
        }
        self.originators.retain(|key, buckets| {
            let [_, _, mac @ ..] = key.to_be_bytes();
            guard.originator(Mac(mac)).is_some_and(|alive| alive.birth() == buckets.birth)
        });
        if self.originators.len() < self.limit { Ok(()) } else { Err(Discard::TableFull) }
    }

    fn give_up_all(&mut self, buckets: &Buckets, lost: &mut impl FnMut(Discard)) {
        for bucket in buckets.buckets {
            if let Bucket::Filling(_, place) = bucket {
                lost(Discard::Fragment);
                self.give_up(place);
            }
        }
    }

    /// Starts a packet in its bucket. A packet that is too long spends its number at once.
    fn start(
        &mut self,
        now: Instant,
        owner: (Mac, u8),
        Part { iface, outer, fragment, .. }: &Part<'_>,
        lost: &mut impl FnMut(Discard),
    ) -> Result<Place, Discard> {
        let Fragment { seqno, total_size, .. } = *fragment;
        let bucket = self.bucket(owner).ok_or(Discard::Fragment)?;
        *bucket = Bucket::Spent(seqno);
        if usize::from(total_size) > Fragment::TOTAL_MAX {
            return Err(Discard::Fragment);
        }
        let [_, _, _, _, _, _, from @ .., _, _] = *outer;
        // The newcomer counts, so that of two equals it is not the other who makes room.
        let holder = self.holders.enter((*iface, Mac(from)), owner.0);
        let place = self.take_place(lost);
        let data = self.buffers.take(usize::from(total_size));
        self.turn += 1;
        let assembly = &mut self.assemblies[usize::from(place)];
        *assembly = Assembly {
            owner: Some(owner),
            holder,
            total_size,
            data,
            updated: now,
            turn: self.turn,
            ..Assembly::free()
        };
        if let Some(bucket) = self.bucket(owner) {
            *bucket = Bucket::Filling(seqno, place);
        }
        Ok(place)
    }

    /// A free place. If there is none, whoever holds most loses what waited longest.
    fn take_place(&mut self, lost: &mut impl FnMut(Discard)) -> Place {
        if self.free.is_empty() && self.assemblies.len() >= self.assemblies_max {
            let victim = (0..self.assemblies.len()).max_by_key(|place| {
                let assembly = &self.assemblies[*place];
                (self.holders.share(assembly.holder), Reverse(assembly.turn))
            });
            lost(Discard::QueueFull);
            self.give_up(victim.unwrap_or(0) as Place);
        }
        self.free.pop().unwrap_or_else(|| {
            self.assemblies.push(Assembly::free());
            (self.assemblies.len() - 1) as Place
        })
    }

    /// Frees a place; its bucket remembers the number.
    fn give_up(&mut self, place: Place) {
        let assembly = &mut self.assemblies[usize::from(place)];
        let Some(owner) = assembly.owner.take() else { return };
        self.buffers.put(core::mem::take(&mut assembly.data));
        self.holders.leave(assembly.holder);
        self.free.push(place);
        if let Some(bucket) = self.bucket(owner)
            && let Bucket::Filling(seqno, _) = *bucket
        {
            *bucket = Bucket::Spent(seqno);
        }
    }
}
