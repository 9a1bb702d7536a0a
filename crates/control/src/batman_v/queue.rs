//! OGM2s that wait to leave by one interface, packed into as few frames as possible (section 8).

use crate::Context;
use core::time::Duration;
use noctule_wire::{Instant, Ogm2};

/// Longest aggregate (AGGR_BYTES), bytes.
const AGGREGATE_BYTES: usize = 512;
/// Shortest time between two flushes (AGGR_TIME), ms.
const FLUSH_MIN_MS: u32 = 90;
/// They are up to this much longer, ms.
const FLUSH_JITTER_MS: u32 = 20;

/// The queue of one interface. It holds one aggregate at most, so a peer cannot make it grow (V-H4).
#[derive(Debug)]
pub(super) struct Queue {
    records: Vec<u8>,
    /// The timer runs whether something is queued or not (V-43).
    flush_at: Instant,
}

impl Queue {
    pub(super) fn new(ctx: &mut Context<'_>) -> Self {
        Self { records: Vec::new(), flush_at: next_flush(ctx) }
    }

    /// Queues a record for a link that carries `mtu` bytes. Returns what has to leave now to make room (V-42).
    pub(super) fn push(&mut self, ctx: &mut Context<'_>, ogm: &Ogm2<'_>, mtu: u32) -> Vec<u8> {
        let limit = AGGREGATE_BYTES.min(mtu as usize);
        let full = self.records.len() + ogm.wire_len() > limit;
        let leaves = if full { core::mem::take(&mut self.records) } else { Vec::new() };
        if self.records.is_empty() && self.flush_at <= ctx.now {
            // It went on while nobody looked: anything below a period is as likely.
            self.flush_at = ctx.now + ctx.rng.millis_below(FLUSH_MIN_MS + FLUSH_JITTER_MS);
        }
        let start = self.records.len();
        self.records.resize(start + ogm.wire_len(), 0);
        ogm.emit(&mut self.records[start..]);
        leaves
    }

    /// When [`Self::take_due`] has something to give.
    pub(super) fn next_deadline(&self) -> Instant {
        if self.records.is_empty() { Instant::NEVER } else { self.flush_at }
    }

    /// What leaves now by the timer, if anything does.
    pub(super) fn take_due(&mut self, ctx: &mut Context<'_>) -> Option<Vec<u8>> {
        if self.next_deadline() > ctx.now {
            return None;
        }
        self.flush_at = next_flush(ctx);
        Some(core::mem::take(&mut self.records))
    }

    /// Everything, at once.
    pub(super) fn take(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.records)
    }

    /// Drops what waits (V-44).
    pub(super) fn discard(&mut self) {
        self.records.clear();
    }
}

fn next_flush(ctx: &mut Context<'_>) -> Instant {
    ctx.now + Duration::from_millis(u64::from(FLUSH_MIN_MS)) + ctx.rng.millis_below(FLUSH_JITTER_MS)
}
