//! Own OGMs, and everything else that leaves (IV-11 to IV-25, IV-30 to IV-34).
//!
//! An OGM is *prepared* (sequence number taken, echo windows moved) right after the one before it has left, one interval
//! ahead: the count of echoes at the neighbours' side depends on it (IV-16, IV-38). Its TVLVs are attached when it
//! leaves (TT-49 `[DEV]`): what is learned reaches the wire an interval earlier.

use super::queue::{AGGREGATE_BYTES, Aggregate, HOLD, Rebroadcast, Riders};
use super::{BatmanIv, queue};
use crate::interfaces::Interfaces;
use crate::{Context, Output};
use core::time::Duration;
use noctule_fib::{Counter, Iface, View};
use noctule_wire::ogm::OgmFlags;
use noctule_wire::{Discard, ETHERNET_HEADER_LEN, Instant, Mac, Ogm, SeqNo, TTL_FULL, ethernet};

/// TTL of the OGMs of secondary interfaces (TTL_LINK): the neighbour answers, nobody else hears of them.
const TTL_LINK: u8 = 2;
/// Half width of the emission jitter (JITTER).
const JITTER_MS: u32 = 20;
/// Bound of the random delay before a rebroadcast (FWD_DELAY): 0 to 9 ms.
const FORWARD_DELAY_MS: u32 = 10;

/// The cycle of one interface's own OGMs (IV-05).
#[derive(Debug)]
pub(super) struct Cycle {
    /// Number of the OGM that is prepared.
    pub(super) prepared: SeqNo,
    /// When it leaves.
    pub(super) due: Instant,
    /// Whether the interface was active when last looked at.
    pub(super) active: bool,
    /// Bytes of TVLVs that the last OGM carried: what the next one will roughly take.
    tvlv_len: usize,
    /// Rebroadcasts that leave in the same frames.
    pub(super) riders: Riders,
}

impl Cycle {
    /// The cycle of an interface whose first OGM has this number and leaves at `due`.
    pub(super) fn new(seqno: SeqNo, due: Instant, active: bool) -> Self {
        Self { prepared: seqno, due, active, tvlv_len: 0, riders: Riders::default() }
    }

    /// How far the OGM with this number lies behind the one sent last (IV-38): 0 for that one, -1 for the prepared one.
    pub(super) const fn age(&self, seqno: SeqNo) -> i32 {
        self.prepared.ahead_of(seqno) - 1
    }

    /// The first OGM after an interface came up leaves at once, so that neighbours need not wait an interval: at most
    /// 20 ms later, because after a power cut all nodes come up together.
    pub(super) fn hasten(&mut self, ctx: &mut Context<'_>) {
        self.due = self.due.min(ctx.now + ctx.rng.millis_below(JITTER_MS + 1));
    }
}

/// When the next own OGM leaves after one that leaves now (IV-15).
pub(super) fn next_emission(ctx: &mut Context<'_>) -> Instant {
    let jitter = ctx.rng.millis_below(2 * JITTER_MS);
    ctx.now
        + ctx.settings.orig_interval.saturating_sub(Duration::from_millis(u64::from(JITTER_MS)))
        + jitter
}

/// The random delay before a rebroadcast.
pub(super) fn forward_delay(ctx: &mut Context<'_>) -> Duration {
    ctx.rng.millis_below(FORWARD_DELAY_MS)
}

impl BatmanIv {
    /// Takes the next number for the OGM after this one, and moves the windows in which its echoes count (IV-18).
    pub(super) fn prepare(&mut self, iface: Iface, due: Instant) {
        let Some(cycle) = &mut self.cycles[iface.index()] else { return };
        cycle.prepared = cycle.prepared.next();
        cycle.due = due;
        self.slide_echo_windows(iface);
    }

    /// One own OGM of `iface` is prepared: its echo is awaited (IV-18).
    pub(super) fn slide_echo_windows(&mut self, iface: Iface) {
        for originator in self.originators.iter_mut() {
            if let Some(route) = originator.view_if_any(View::Arrival(iface)) {
                route.echo.slide(1);
            }
        }
    }

    /// The own OGM of `iface` is due: sends it, and prepares the next one.
    pub(super) fn emit_own(
        &mut self,
        ctx: &mut Context<'_>,
        interfaces: &Interfaces,
        iface: Iface,
        containers: &mut dyn FnMut(&mut Context<'_>, usize) -> Option<Vec<u8>>,
    ) {
        let due = next_emission(ctx);
        let Some(interface) = interfaces.get(iface) else { return };
        let mac = interface.link.mac;
        let is_primary = interfaces.primary() == Some(iface);
        let area =
            if is_primary { own_tvlvs(ctx, interfaces, containers) } else { Some(Vec::new()) };
        let Some(cycle) = &mut self.cycles[iface.index()] else { return };
        let mut riders = core::mem::take(&mut cycle.riders);
        if let Some(area) = &area {
            cycle.tvlv_len = area.len();
        }
        let seqno = cycle.prepared;
        for (outgoing, out) in interfaces.iter_active() {
            let riding = riders.take(outgoing);
            // The primary's OGM leaves by every interface, also while its own is down (IV-12); a secondary's by its own.
            let Some(area) = area.as_ref().filter(|_| is_primary || outgoing == iface) else {
                self.transmit_riders(ctx, interfaces, outgoing, riding);
                continue;
            };
            let ogm = Ogm {
                ttl: if is_primary { TTL_FULL } else { TTL_LINK },
                flags: OgmFlags::default(),
                seqno,
                originator: mac,
                previous_sender: mac,
                reserved: 0,
                tq: u8::MAX,
                tvlvs: area,
            };
            let riding_len = riding.as_ref().map_or(0, Aggregate::len);
            let joins = ogm.wire_len() + riding_len <= AGGREGATE_BYTES.min(out.carries() as usize);
            let mut frame = Vec::with_capacity(ETHERNET_HEADER_LEN + ogm.wire_len() + riding_len);
            frame.extend(ethernet::mesh_header(Mac::BROADCAST, out.link.mac));
            frame.resize(ETHERNET_HEADER_LEN + ogm.wire_len(), 0);
            ogm.emit(&mut frame[ETHERNET_HEADER_LEN..]);
            match riding {
                Some(riding) if joins => {
                    frame.extend_from_slice(riding.records());
                    transmit(ctx, interfaces, outgoing, frame);
                }
                riding => {
                    transmit(ctx, interfaces, outgoing, frame);
                    self.transmit_riders(ctx, interfaces, outgoing, riding);
                }
            }
        }
        if area.is_some() {
            self.prepare(iface, due);
        } else if let Some(cycle) = &mut self.cycles[iface.index()] {
            // Nothing left with this number: it is the next one's (IV-20).
            cycle.due = due;
        }
    }

    fn transmit_riders(
        &self,
        ctx: &mut Context<'_>,
        interfaces: &Interfaces,
        outgoing: Iface,
        riders: Option<Aggregate>,
    ) {
        if let (Some(riders), Some(out)) = (riders, interfaces.active(outgoing)) {
            transmit(ctx, interfaces, outgoing, riders.into_frame(out.link.mac));
        }
    }

    /// Sends the rebroadcasts that are due.
    pub(super) fn emit_queued(&mut self, ctx: &mut Context<'_>, interfaces: &Interfaces) {
        while let Some(queue::Waiting { outgoing, aggregate, .. }) = self.queue.pop_due(ctx.now) {
            self.transmit_riders(ctx, interfaces, outgoing, Some(aggregate));
        }
    }

    /// Queues a rebroadcast: with the frame that leaves first of those that take it, else in one of its own (IV-25).
    pub(super) fn rebroadcast(
        &mut self,
        ctx: &mut Context<'_>,
        interfaces: &Interfaces,
        record: &Rebroadcast<'_>,
    ) {
        let target = ctx.now + self.forward_delay;
        if !ctx.settings.aggregation {
            if !self.queue.open(target, record) {
                ctx.discard(Discard::QueueFull);
            }
            return;
        }
        let Some(mtu) = interfaces.active(record.outgoing).map(|out| out.carries()) else { return };
        let own = joinable_own(&mut self.cycles, interfaces, target, record, mtu);
        match (own, self.queue.joinable(target, record, mtu)) {
            (Some((own_at, riders)), Some((at, _))) if own_at <= at => riders.append(record),
            (_, Some((_, aggregate))) => aggregate.append(record),
            (Some((_, riders)), None) => riders.append(record),
            (None, None) => {
                if let Some(aggregate) = self.queue.joinable_when_full(record, mtu) {
                    aggregate.append(record);
                } else if !self.queue.open(target + HOLD, record) {
                    ctx.discard(Discard::QueueFull);
                }
            }
        }
    }
}

/// The own OGM that leaves first of those that take a rebroadcast whose own time is `target` (IV-26 to IV-28).
pub(super) fn joinable_own<'c>(
    cycles: &'c mut [Option<Cycle>],
    interfaces: &Interfaces,
    target: Instant,
    record: &Rebroadcast<'_>,
    mtu: u32,
) -> Option<(Instant, &'c mut Aggregate)> {
    let mut best: Option<(Instant, &'c mut Aggregate)> = None;
    for (iface, cycle) in Iface::all().zip(cycles) {
        let Some(cycle) = cycle else { continue };
        let class = if interfaces.primary() == Some(iface) {
            queue::Class::OwnPrimary
        } else if iface == record.outgoing {
            queue::Class::OwnSecondary(iface)
        } else {
            continue;
        };
        let in_time = target < cycle.due && cycle.due <= target + HOLD;
        let earlier = best.as_ref().is_none_or(|(at, _)| cycle.due < *at);
        if !in_time || !earlier || !class.admits(record) {
            continue;
        }
        let before = (Ogm::HEADER_LEN + cycle.tvlv_len, 1);
        let riders = cycle.riders.on(record.outgoing);
        if riders.has_room(record, mtu, before) {
            best = Some((cycle.due, riders));
        }
    }
    best
}

/// The TVLVs of the primary's OGM that leaves now. `None`: they do not fit, or could not be made (IV-20).
fn own_tvlvs(
    ctx: &mut Context<'_>,
    interfaces: &Interfaces,
    containers: &mut dyn FnMut(&mut Context<'_>, usize) -> Option<Vec<u8>>,
) -> Option<Vec<u8>> {
    let Some(mtu) = interfaces.mtu_min() else {
        // Nobody to tell: the numbers go on (IV-19), what is to be announced stays uncommitted.
        return Some(Vec::new());
    };
    let room = (mtu as usize).saturating_sub(Ogm::HEADER_LEN).min(usize::from(u16::MAX));
    let area = containers(ctx, room)?;
    if area.len() > room || area.len() % 2 != 0 {
        ctx.discard(Discard::TooLong);
        return None;
    }
    Some(area)
}

/// Hands out one frame (IV-34).
fn transmit(ctx: &mut Context<'_>, interfaces: &Interfaces, iface: Iface, frame: Vec<u8>) {
    let Some(interface) = interfaces.active(iface) else { return };
    if frame.len() - ETHERNET_HEADER_LEN > interface.carries() as usize {
        // No driver takes it, and OGMs are never fragmented (IV-33).
        ctx.discard(Discard::TooLong);
        return;
    }
    ctx.counters.add_packet(Counter::MgmtTx, Counter::MgmtTxBytes, frame.len());
    ctx.output(Output::Transmit { iface, frame });
}
