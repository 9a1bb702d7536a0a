//! Broadcasts on their way out: who gets a copy, and the repetitions (FWD-85 to FWD-89).

use super::buffers::Buffers;
use super::dat::Key;
use crate::Outlet;
use core::time::Duration;
use noctule_fib::{Counters, Guard, Iface, Neighbours};
use noctule_wire::ethernet::mesh_header;
use noctule_wire::{Discard, Instant, Mac};
use std::collections::VecDeque;

/// Between two copies of a broadcast on one interface (FWD-88).
const REPETITION_INTERVAL: Duration = Duration::from_millis(5);
/// Repetitions behind the first copy on Wi-Fi, where nobody acknowledges a broadcast; none elsewhere (FWD-11).
const WIFI_REPETITIONS: u8 = 2;
/// How long an ARP request waits for an answer before it is flooded (DAT-36).
const FALLBACK_DELAY: Duration = Duration::from_millis(250);
/// Bytes in buffers that wait for the next broadcast: a full queue of usual frames, or 58 jumbo frames.
const KEPT_BUFFERS: usize = 512 * 1024;

/// Whether flooding on a link with these neighbours is a waste: nobody there, or only the one node that sent the packet
/// into the mesh, or the one that we have it from (FWD-86). `from` is the outer source of a received packet.
pub(crate) fn is_suppressed(neighbours: Neighbours, originator: Mac, from: Option<Mac>) -> bool {
    match neighbours {
        Neighbours::None => true,
        Neighbours::One { address, originator: neighbour } => {
            neighbour == originator || from == Some(address)
        }
        Neighbours::Many => false,
    }
}

/// Where a broadcast comes from, as far as flooding must know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source {
    /// The node that sent it into the mesh.
    pub(crate) originator: Mac,
    /// For a received one: the neighbour that it came from (outer source), and by which interface.
    pub(crate) arrival: Option<(Iface, Mac)>,
    /// Of the inner frame (FWD-44).
    pub(crate) priority: u8,
    /// Sent later, and only if nobody has said by then who has this address (DAT-36, DAT-37).
    pub(crate) unless_known: Option<Key>,
}

/// What a flood came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Flooded {
    /// Every interface was served.
    Done,
    /// There is nobody to send it to.
    NoNeighbour,
    /// The queue of repetitions is full: interfaces that were not yet served get nothing (FWD-89).
    Busy,
}

/// Sends a broadcast packet, given as header and inner frame, by every interface where somebody needs it, and queues its
/// repetitions (FWD-85). What a single interface does not take is counted and no reason to stop.
pub(crate) fn flood(
    now: Instant,
    guard: &Guard<'_>,
    counters: &Counters,
    repetitions: &mut Repetitions,
    source: Source,
    [header, inner]: [&[u8]; 2],
    out: &mut impl Outlet,
) -> Flooded {
    let from = source.arrival.map(|(_, mac)| mac);
    let mut flooded = Flooded::NoNeighbour;
    for (iface, link) in guard.node().attached() {
        if !link.active || is_suppressed(link.neighbours, source.originator, from) {
            continue;
        }
        flooded = Flooded::Done;
        // Broadcasts are never cut (FWD-19).
        if header.len() + inner.len() > link.mtu as usize {
            counters.discard(Discard::TooLong);
            continue;
        }
        let pieces = [&mesh_header(Mac::BROADCAST, link.mac), header, inner];
        let mut copies = if link.wifi { WIFI_REPETITIONS } else { 0 };
        if source.unless_known.is_some() {
            copies += 1;
        } else if let Err(reason) = out.transmit(iface, source.priority, &pieces) {
            counters.discard(reason);
        }
        if let Err(reason) = repetitions.push(now, iface, source, copies, &pieces) {
            counters.discard(reason);
            return Flooded::Busy;
        }
    }
    flooded
}

#[derive(Debug)]
struct Copy {
    due: Instant,
    iface: Iface,
    /// Where the packet came in; it is forgotten together with that interface (FWD-10).
    arrival: Option<Iface>,
    left: u8,
    priority: u8,
    /// Of a first copy that is sent later (DAT-37).
    unless_known: Option<Key>,
    frame: Vec<u8>,
}

/// Copies that wait for their time: one place for each packet and interface (FWD-89).
#[derive(Debug)]
pub(crate) struct Repetitions {
    queue: VecDeque<Copy>,
    spare: Buffers,
    /// Of the queue, first copies that wait for an answer.
    later: usize,
    limit: usize,
}

impl Repetitions {
    pub(crate) const fn new(limit: usize) -> Self {
        Self { queue: VecDeque::new(), spare: Buffers::new(KEPT_BUFFERS), later: 0, limit }
    }

    /// Whether another ARP request can wait. A host that asks for everybody must not keep the broadcasts of others out.
    pub(crate) const fn has_room_for_later(&self) -> bool {
        self.later < self.limit / 2
    }

    /// When the next copy is due.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.queue.front().map(|copy| copy.due)
    }

    /// Queues `count` copies of a frame, given in pieces, of which the first was sent at `now`.
    ///
    /// # Errors
    /// [`Discard::QueueFull`] if all places are taken.
    pub(crate) fn push(
        &mut self,
        now: Instant,
        iface: Iface,
        source: Source,
        count: u8,
        pieces: &[&[u8]],
    ) -> Result<(), Discard> {
        if count == 0 {
            return Ok(());
        }
        if self.queue.len() >= self.limit {
            return Err(Discard::QueueFull);
        }
        let mut frame = self.spare.take(pieces.iter().map(|piece| piece.len()).sum());
        for piece in pieces {
            frame.extend_from_slice(piece);
        }
        let arrival = source.arrival.map(|(iface, _)| iface);
        let priority = source.priority;
        let unless_known = source.unless_known;
        let delay = if unless_known.is_some() { FALLBACK_DELAY } else { REPETITION_INTERVAL };
        self.later += usize::from(unless_known.is_some());
        let due = now + delay;
        self.queue(Copy { due, iface, arrival, left: count, priority, unless_known, frame });
        Ok(())
    }

    /// Keeps the queue in order of time also for a caller whose clock is handed in out of order.
    fn queue(&mut self, copy: Copy) {
        let behind = self.queue.iter().rposition(|other| other.due <= copy.due);
        self.queue.insert(behind.map_or(0, |index| index + 1), copy);
    }

    /// Hands out each copy that is due to `send`, and puts those back that are to be sent again. A copy whose interface,
    /// or that of its arrival, has gone is dropped (FWD-10).
    pub(crate) fn run(
        &mut self,
        now: Instant,
        guard: &Guard<'_>,
        is_known: impl Fn(Key) -> bool,
        mut send: impl FnMut(Iface, u8, &[u8]) -> Result<(), Discard>,
        mut lost: impl FnMut(Discard),
    ) {
        // At most one round: a copy that is put back is due later than `now`.
        for _ in 0..self.queue.len() {
            if self.next_deadline().is_none_or(|due| due > now) {
                break;
            }
            let Some(mut copy) = self.queue.pop_front() else { break };
            let address = copy.unless_known.take();
            self.later -= usize::from(address.is_some());
            let answered = address.is_some_and(&is_known);
            let node = guard.node();
            let sent_as = copy.frame.get(6..).and_then(Mac::from_prefix);
            let leaves = node.active(copy.iface).is_some_and(|link| Some(link.mac) == sent_as);
            let arrived = copy.arrival.is_none_or(|iface| node.iface(iface).is_some());
            if !leaves || !arrived {
                lost(Discard::Inactive);
                copy.left = 0;
            } else if answered {
                copy.left = 0;
            } else {
                if let Err(reason) = send(copy.iface, copy.priority, &copy.frame) {
                    lost(reason);
                }
                copy.left -= 1;
            }
            if copy.left > 0 {
                copy.due = now + REPETITION_INTERVAL;
                self.queue(copy);
            } else {
                self.spare.put(copy.frame);
            }
        }
    }
}
