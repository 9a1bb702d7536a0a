//! Own OGM2s, and everything else that leaves (sections 7 and 8).

use super::BatmanV;
use super::elp::JITTER_MS;
use crate::interfaces::Interfaces;
use crate::{Context, Output};
use core::time::Duration;
use noctule_fib::{Counter, Iface};
use noctule_wire::ogm2::Throughput;
use noctule_wire::{Discard, Instant, Mac, Ogm2, TTL_FULL, ethernet};

/// When the next own OGM2 leaves after one that leaves now (V-37).
pub(super) fn next_emission(ctx: &mut Context<'_>) -> Instant {
    let jitter = ctx.rng.millis_below(2 * JITTER_MS);
    ctx.now
        + ctx.settings.orig_interval.saturating_sub(Duration::from_millis(u64::from(JITTER_MS)))
        + jitter
}

impl BatmanV {
    /// Queues the own OGM2 wherever somebody listens (V-38 to V-40).
    pub(super) fn emit_own(
        &mut self,
        ctx: &mut Context<'_>,
        interfaces: &Interfaces,
        containers: &mut dyn FnMut(&mut Context<'_>, usize) -> Option<Vec<u8>>,
    ) {
        let (Some(originator), Some(mtu)) = (ctx.primary, interfaces.mtu_min()) else { return };
        let room = (mtu as usize).saturating_sub(Ogm2::HEADER_LEN).min(usize::from(u16::MAX));
        let Some(area) = containers(ctx, room) else { return };
        if area.len() > room || area.len() % 2 != 0 {
            return ctx.discard(Discard::TooLong);
        }
        let ogm = Ogm2 {
            ttl: TTL_FULL,
            flags: 0,
            seqno: self.seqno,
            originator,
            throughput: Throughput::MAX,
            tvlvs: &area,
        };
        self.seqno = self.seqno.next();
        for (iface, _) in interfaces.iter_active() {
            if self.neighbours.of(iface).next().is_some() {
                self.queue_record(ctx, interfaces, iface, &ogm);
            }
        }
    }

    /// A record is to leave by an interface.
    pub(super) fn queue_record(
        &mut self,
        ctx: &mut Context<'_>,
        interfaces: &Interfaces,
        iface: Iface,
        ogm: &Ogm2<'_>,
    ) {
        let Some(mtu) = interfaces.active(iface).map(|interface| interface.carries()) else {
            return;
        };
        let Some(link) = &mut self.links[iface.index()] else { return };
        let mut leaving = vec![link.queue.push(ctx, ogm, mtu)];
        if !ctx.settings.aggregation {
            leaving.push(link.queue.take());
        }
        for records in leaving {
            transmit(ctx, interfaces, iface, &records);
        }
    }

    /// Sends what has waited long enough.
    pub(super) fn flush_due(&mut self, ctx: &mut Context<'_>, interfaces: &Interfaces) {
        for (iface, link) in Iface::all().zip(&mut self.links) {
            if let Some(records) = link.as_mut().and_then(|link| link.queue.take_due(ctx)) {
                transmit(ctx, interfaces, iface, &records);
            }
        }
    }
}

/// Hands out one frame with these records; nothing without any (V-43).
fn transmit(ctx: &mut Context<'_>, interfaces: &Interfaces, iface: Iface, records: &[u8]) {
    let Some(interface) = interfaces.active(iface).filter(|_| !records.is_empty()) else { return };
    if records.len() > interface.carries() as usize {
        // No driver takes it, and OGM2s are never fragmented.
        return ctx.discard(Discard::TooLong);
    }
    let frame = [&ethernet::mesh_header(Mac::BROADCAST, interface.link.mac)[..], records].concat();
    ctx.counters.add_packet(Counter::MgmtTx, Counter::MgmtTxBytes, frame.len());
    ctx.output(Output::Transmit { iface, frame });
}
