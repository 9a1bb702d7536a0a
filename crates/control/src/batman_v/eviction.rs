//! Who makes room when a table is full (V-H2): what strangers invent must shut nobody out, and what is in use must stay.

use super::BatmanV;
use crate::Context;
use core::time::Duration;
use noctule_fib::Counter;
use noctule_wire::{Discard, Instant, Mac};

/// An originator of which no OGM2 came for so long may make room.
const SILENT: Duration = Duration::from_secs(10);
/// One to which no route leads may make room after this: its first OGM2 has had time to come.
const UNPROVEN: Duration = Duration::from_secs(2);
/// Time between two looks at the whole table.
const PAUSE: Duration = Duration::from_millis(10);

impl BatmanV {
    /// Whether there is a place for one more originator. The last quarter of the table is left for neighbours.
    pub(super) fn make_room(&mut self, ctx: &mut Context<'_>, neighbour: bool) -> bool {
        let limit = ctx.settings.limits.originators;
        let limit = if neighbour { limit } else { limit - limit / 4 };
        if self.originators.len() < limit {
            return true;
        }
        if self.eviction_pause.is_some_and(|until| ctx.now < until) {
            return false;
        }
        self.eviction_pause = Some(ctx.now + PAUSE);
        let now: Instant = ctx.now;
        let least = self
            .originators
            .values()
            .filter(|o| {
                let patience = if o.has_router() { SILENT } else { UNPROVEN };
                o.last_seen.timed_out(now, patience)
            })
            .min_by_key(|o| (o.has_router(), o.last_seen))
            .map(|o| o.mac);
        let Some(mac) = least else { return false };
        ctx.counters.add(Counter::TableEvicted, 1);
        self.forget(ctx, mac);
        true
    }

    /// Makes room for a candidate of an originator that has as many as it may: the one that was silent longest goes,
    /// unless it is a router or was heard lately.
    ///
    /// # Errors
    /// [`Discard::TableFull`] if all of them are in use.
    pub(super) fn displace_candidate(
        &mut self,
        ctx: &mut Context<'_>,
        mac: Mac,
    ) -> Result<(), Discard> {
        let views: Vec<_> = self.views().collect();
        let originator = self.originators.get_mut(&mac).ok_or(Discard::UnknownOriginator)?;
        let routers: Vec<_> = views.iter().filter_map(|view| originator.router(*view)).collect();
        let oldest = originator
            .candidates
            .iter()
            .enumerate()
            .filter(|(_, candidate)| {
                candidate.last_seen.timed_out(ctx.now, SILENT) && !routers.contains(&candidate.hop)
            })
            .min_by_key(|(_, candidate)| candidate.last_seen)
            .map(|(index, _)| index)
            .ok_or(Discard::TableFull)?;
        let gone = originator.candidates.remove(oldest);
        ctx.counters.add(Counter::TableEvicted, 1);
        self.release(ctx, gone.hop);
        Ok(())
    }
}
