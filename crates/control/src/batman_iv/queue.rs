//! Rebroadcasts waiting to leave, several in one frame (IV-24 to IV-33).

use core::time::Duration;
use noctule_fib::Iface;
use noctule_wire::{ETHERNET_HEADER_LEN, Instant, Mac, Ogm, ethernet};
use std::collections::BTreeMap;

/// How long a rebroadcast waits for others to join it (AGGR_HOLD), and how far ahead it may join another (IV-26).
pub(super) const HOLD: Duration = Duration::from_millis(100);
/// Largest aggregate, without the Ethernet header (AGGR_BYTES).
pub(super) const AGGREGATE_BYTES: usize = 512;
/// Most records of one aggregate (AGGR_COUNT).
const AGGREGATE_RECORDS: usize = 32;
/// Most rebroadcast aggregates waiting at once (QUEUE); more are dropped.
const QUEUE_MAX: usize = 256;

/// A record on its way out by one interface.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rebroadcast<'a> {
    /// What to send. The direct-link flag is set here (IV-30), not by the caller.
    pub(super) ogm: Ogm<'a>,
    /// Whether it came from its originator itself.
    pub(super) direct: bool,
    /// Where it came in.
    pub(super) incoming: Iface,
    /// Where it goes out.
    pub(super) outgoing: Iface,
}

/// What decides who may join an aggregate (IV-27, IV-28).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Class {
    /// Starts with a record that came directly, on this interface.
    DirectLink(Iface),
    /// Starts with a record that goes no further, and did not come directly.
    LastHop,
    /// Starts with any other record.
    Flooding,
    /// Our own OGM of a secondary interface, this one.
    OwnSecondary(Iface),
    /// Our own OGM of the primary interface.
    OwnPrimary,
}

impl Class {
    /// Of the aggregate that a record opens.
    const fn opened_by(record: &Rebroadcast<'_>) -> Self {
        match (record.direct, record.ogm.ttl) {
            (true, _) => Self::DirectLink(record.incoming),
            (false, 0 | 1) => Self::LastHop,
            (false, _) => Self::Flooding,
        }
    }

    /// Whether a record may join.
    pub(super) fn admits(self, record: &Rebroadcast<'_>) -> bool {
        match self {
            Self::Flooding | Self::OwnPrimary => !record.direct,
            Self::DirectLink(iface) | Self::OwnSecondary(iface) => {
                record.direct && record.ogm.ttl == 1 && record.incoming == iface
            }
            // The reference lets nobody join. One frame with many of them must not become many frames.
            Self::LastHop => !record.direct && record.ogm.ttl <= 1,
        }
    }
}

/// Several records in one frame.
#[derive(Clone, Debug)]
pub(super) struct Aggregate {
    /// The frame, with an outer header that [`Self::into_frame`] fills.
    frame: Vec<u8>,
    /// Where each record came in.
    incoming: Vec<Iface>,
}

impl Default for Aggregate {
    fn default() -> Self {
        let mut frame = Vec::with_capacity(ETHERNET_HEADER_LEN + AGGREGATE_BYTES);
        frame.resize(ETHERNET_HEADER_LEN, 0);
        Self { frame, incoming: Vec::with_capacity(4) }
    }
}

impl Aggregate {
    /// Bytes of the records.
    pub(super) fn len(&self) -> usize {
        self.frame.len() - ETHERNET_HEADER_LEN
    }

    /// The records as they go out.
    pub(super) fn records(&self) -> &[u8] {
        &self.frame[ETHERNET_HEADER_LEN..]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.incoming.is_empty()
    }

    /// Whether `record` fits behind `before` bytes and `records` records that precede this aggregate in its frame.
    pub(super) fn has_room(
        &self,
        record: &Rebroadcast<'_>,
        mtu: u32,
        (before, records): (usize, usize),
    ) -> bool {
        let len_max = AGGREGATE_BYTES.min(mtu as usize);
        before + self.len() + record.ogm.wire_len() <= len_max
            && records + self.incoming.len() < AGGREGATE_RECORDS
    }

    /// Appends a record. The outgoing interface of an aggregate never changes, so the direct-link flag is what it will
    /// be at transmission (IV-30).
    pub(super) fn append(&mut self, record: &Rebroadcast<'_>) {
        let direct_link = record.direct && record.incoming == record.outgoing;
        let flags = record.ogm.flags.with(noctule_wire::ogm::OgmFlags::DIRECT_LINK, direct_link);
        let start = self.frame.len();
        self.frame.resize(start + record.ogm.wire_len(), 0);
        Ogm { flags, ..record.ogm }.emit(&mut self.frame[start..]);
        self.incoming.push(record.incoming);
    }

    /// Takes out what came in by an interface that is not used any more (IV-31, IV-94).
    fn discard(&mut self, iface: Iface) {
        if !self.incoming.contains(&iface) {
            return;
        }
        let mut kept = Self::default();
        let mut rest = self.records();
        for &incoming in &self.incoming {
            let Some(Ok(ogm)) = noctule_wire::Ogms::new(rest).next() else { break };
            let (record, behind) = rest.split_at(ogm.wire_len());
            if incoming != iface {
                kept.frame.extend_from_slice(record);
                kept.incoming.push(incoming);
            }
            rest = behind;
        }
        *self = kept;
    }

    /// The frame, from the outgoing interface's address to everybody (IV-02).
    pub(super) fn into_frame(mut self, source: Mac) -> Vec<u8> {
        self.frame[..ETHERNET_HEADER_LEN]
            .copy_from_slice(&ethernet::mesh_header(Mac::BROADCAST, source));
        self.frame
    }
}

/// An aggregate and where it leaves.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) outgoing: Iface,
    pub(super) class: Class,
    pub(super) aggregate: Aggregate,
}

/// Rebroadcasts by the time they leave; of the same time, in the order in which they were opened.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: BTreeMap<(Instant, u64), Waiting>,
    opened: u64,
}

impl Queue {
    /// When the first one leaves.
    pub(super) fn next_deadline(&self) -> Instant {
        self.waiting.keys().next().map_or(Instant::NEVER, |(at, _)| *at)
    }

    /// Takes what is to leave at `now`.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Waiting> {
        self.waiting.first_entry().filter(|entry| entry.key().0 <= now).map(|entry| entry.remove())
    }

    /// The aggregate that leaves first of those that take a record whose own time is `target` (IV-26).
    pub(super) fn joinable(
        &mut self,
        target: Instant,
        record: &Rebroadcast<'_>,
        mtu: u32,
    ) -> Option<(Instant, &mut Aggregate)> {
        self.waiting
            .range_mut((target, u64::MAX)..=(target + HOLD, u64::MAX))
            .find(|(_, waiting)| {
                waiting.outgoing == record.outgoing
                    && waiting.class.admits(record)
                    && waiting.aggregate.has_room(record, mtu, (0, 0))
            })
            .map(|((at, _), waiting)| (*at, &mut waiting.aggregate))
    }

    /// The aggregate that leaves first of those that have room for a record, if the queue is full. Who may join whom is
    /// up to the sender (IV-29), and answers that are lost make links look worse than they are.
    pub(super) fn joinable_when_full(
        &mut self,
        record: &Rebroadcast<'_>,
        mtu: u32,
    ) -> Option<&mut Aggregate> {
        if self.waiting.len() < QUEUE_MAX {
            return None;
        }
        self.waiting
            .values_mut()
            .filter(|waiting| waiting.outgoing == record.outgoing)
            .map(|waiting| &mut waiting.aggregate)
            .find(|aggregate| aggregate.has_room(record, mtu, (0, 0)))
    }

    /// Opens an aggregate with `record`. `false`: there are too many (IV-32).
    pub(super) fn open(&mut self, at: Instant, record: &Rebroadcast<'_>) -> bool {
        if self.waiting.len() >= QUEUE_MAX {
            return false;
        }
        let mut aggregate = Aggregate::default();
        aggregate.append(record);
        let class = Class::opened_by(record);
        let waiting = Waiting { outgoing: record.outgoing, class, aggregate };
        self.opened += 1;
        self.waiting.insert((at, self.opened), waiting);
        true
    }

    /// Drops what came in by, or would leave by, an interface that is not used any more (IV-31, IV-94).
    pub(super) fn discard(&mut self, iface: Iface) {
        self.waiting.retain(|_, waiting| {
            waiting.aggregate.discard(iface);
            waiting.outgoing != iface && !waiting.aggregate.is_empty()
        });
    }
}

/// What joined our own OGM of one interface, by the interface it leaves by.
#[derive(Debug, Default)]
pub(super) struct Riders {
    entries: Vec<(Iface, Aggregate)>,
}

impl Riders {
    /// Those that leave by `outgoing`, made if there are none.
    pub(super) fn on(&mut self, outgoing: Iface) -> &mut Aggregate {
        let index = self.entries.iter().position(|(iface, _)| *iface == outgoing);
        let index = index.unwrap_or_else(|| {
            self.entries.push((outgoing, Aggregate::default()));
            self.entries.len() - 1
        });
        &mut self.entries[index].1
    }

    /// Takes those that leave by `outgoing`.
    pub(super) fn take(&mut self, outgoing: Iface) -> Option<Aggregate> {
        let index = self.entries.iter().position(|(iface, _)| *iface == outgoing)?;
        Some(self.entries.remove(index).1).filter(|aggregate| !aggregate.is_empty())
    }

    /// Drops what came in by, or would leave by, an interface that is not used any more.
    pub(super) fn discard(&mut self, iface: Iface) {
        self.entries.retain_mut(|(outgoing, aggregate)| {
            aggregate.discard(iface);
            *outgoing != iface
        });
    }
}
