//! Who makes room when a table is full (IV-H2, IV-H3): what strangers invent must shut nobody out, and what is in use
//! must stay.
//!
//! The table of originators holds two kinds. Three quarters of it may be taken by originators that are reached by way of
//! a neighbour; each of them is *charged* to the neighbour that its default route leads by. So a neighbour that invents
//! originators, and gives way to others, pays by what it has brought itself. The last quarter is left for neighbours:
//! one that appears has no route before its second OGM, and must be remembered until then.
//!
//! No bound on memory holds off somebody who keeps up as many neighbours as the table is long: each of them is as good as
//! a real one. It costs him two frames each and every interval, though, and those who were there before stay.

use super::BatmanIv;
use super::originator::{Originator, Slot};
use super::reception::Received;
use crate::Context;
use crate::decisions::Reason;
use core::time::Duration;
use noctule_fib::{Counter, NextHop, View};
use noctule_wire::{Discard, Instant, Mac};

/// Most originators that make room at once, so that a flood of invented ones does not cost a look at the whole table
/// for each.
const EVICTED_MAX: usize = 64;
/// While a look at the whole table yields no more than this, the next one is not before [`PAUSE`].
const EVICTED_FEW: usize = 8;
/// Time between two looks at the whole table that are not worth it.
const PAUSE: Duration = Duration::from_millis(10);
/// An originator that nobody delivered for so long may make room, though a route leads to it.
const SILENT: Duration = Duration::from_secs(30);
/// How many of its last 64 OGMs must have come from a neighbour before it is more than a stranger.
const STRANGER: u32 = 8;
/// What a neighbour leads to is not taken from it up to this part of the table.
const SHARE_MIN: usize = 64;

/// How little would be lost with an originator; the first goes first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Worth {
    /// Heard of once, or only by neighbours to whom no route leads.
    Rumour,
    /// Has answered us, or has come again, but no route leads there.
    Heard,
    /// A route leads there, but of no quality, or a very new one, or nobody delivered it for long.
    Doubtful,
}

/// What spares looks at the whole table that would find nothing.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    worthless: Option<Instant>,
    share: Option<Instant>,
}

impl BatmanIv {
    /// Makes room for an originator of which a record speaks, if it has none. `false`: there is no place for it.
    pub(super) fn make_room(&mut self, ctx: &mut Context<'_>, received: &Received<'_>) -> bool {
        let limit = ctx.settings.limits.originators;
        let full = self.originators.len() >= limit;
        if received.direct {
            return !full || self.evict_worthless(ctx) || self.displace(ctx, None);
        }
        if !self.leads(ctx, received) {
            return !full;
        }
        if self.neighbours.led_by_all() >= limit - limit / 4 {
            return self.displace(ctx, Some(received.from));
        }
        !full || self.evict_worthless(ctx) || self.displace(ctx, Some(received.from))
    }

    /// Whether a new originator gets a route by the record of a neighbour (IV-56, IV-65), and so is charged to it.
    fn leads(&self, ctx: &Context<'_>, received: &Received<'_>) -> bool {
        let Some(sender) = self.originators.slot(received.from.mac) else { return false };
        self.originators.get(sender).router(View::Default).is_some()
            && self.quality(ctx, received, sender, View::Default) > 0
    }

    /// Forgets some of those that are worth least, the longest silent first.
    fn evict_worthless(&mut self, ctx: &mut Context<'_>) -> bool {
        let now = ctx.now;
        if self.pauses.worthless.is_some_and(|until| now < until) {
            return false;
        }
        let mut worthless: Vec<_> = self
            .originators
            .iter()
            .filter_map(|originator| {
                Some((worth(originator, now)?, originator.last_seen, originator.mac))
            })
            .collect();
        worthless.sort_unstable();
        let least = worthless.first().map(|(worth, ..)| *worth);
        let alike = worthless.iter().take_while(|(worth, ..)| Some(*worth) == least).count();
        // Not many of a few: who came just now must have time to come again.
        let count = (alike / 8).clamp(1, EVICTED_MAX).min(alike);
        if count <= EVICTED_FEW {
            self.pauses.worthless = Some(now + PAUSE);
        }
        for (.., mac) in worthless.iter().take(count) {
            self.evict(ctx, *mac);
        }
        count > 0
    }

    /// Forgets the originator that came last of those that are charged to neighbours with more than their share: more than
    /// the one which brings the newcomer (`None`: it brings itself), and more than a minimum.
    fn displace(&mut self, ctx: &mut Context<'_>, by: Option<NextHop>) -> bool {
        let own = by.map_or(0, |by| self.neighbours.led_by(by));
        let share = own.max(ctx.settings.limits.originators / SHARE_MIN);
        if self.neighbours.most_led() <= share
            || self.pauses.share.is_some_and(|until| ctx.now < until)
        {
            return false;
        }
        self.pauses.share = Some(ctx.now + PAUSE);
        let last = self
            .originators
            .iter()
            .filter(|originator| {
                let led = originator.charged.map_or(0, |by| self.neighbours.led_by(by));
                led > share && !is_neighbour(originator)
            })
            .max_by_key(|originator| originator.since)
            .map(|originator| originator.mac);
        if let Some(mac) = last {
            self.evict(ctx, mac);
        }
        self.neighbours.recount_most_led();
        last.is_some()
    }

    fn evict(&mut self, ctx: &mut Context<'_>, mac: Mac) {
        ctx.counters.add(Counter::TableEvicted, 1);
        self.forget(ctx, mac);
    }

    /// Makes room for the candidate `hop` of an originator that has as many as it may. The link to the originator itself
    /// always finds a place: what is known of it decides about everything behind (section 7). Others, of quality `tq`,
    /// take the place of a worse one that is not a router.
    ///
    /// # Errors
    /// [`Discard::TableFull`] if all others are better.
    pub(super) fn displace_candidate(
        &mut self,
        ctx: &mut Context<'_>,
        slot: Slot,
        hop: NextHop,
        tq: u8,
    ) -> Result<(), Discard> {
        let originator = self.originators.get(slot);
        let own_link = hop.mac == originator.mac;
        let views: Vec<_> = self.views().collect();
        let worst = originator
            .candidates
            .iter()
            .enumerate()
            .filter(|(_, candidate)| candidate.hop.mac != originator.mac)
            .map(|(index, candidate)| {
                let of = |view: &View| originator.view(*view).map_or(0, |v| v.average(index));
                let is_router = views.iter().any(|v| originator.router(*v) == Some(candidate.hop));
                let average = views.iter().map(of).max().unwrap_or(0);
                (is_router, average, candidate.last_seen, candidate.hop)
            })
            .min();
        let Some((is_router, average, last_seen, worst)) = worst else {
            return Err(Discard::TableFull);
        };
        let worse = average < tq || last_seen.timed_out(ctx.now, SILENT);
        if !own_link && (is_router || !worse) {
            return Err(Discard::TableFull);
        }
        ctx.counters.add(Counter::TableEvicted, 1);
        self.drop_candidates(ctx, slot, false, Reason::Displaced, |candidate| {
            candidate.hop == worst
        });
        Ok(())
    }
}

/// What would be lost with an originator; `None` if it is in use.
fn worth(originator: &Originator, now: Instant) -> Option<Worth> {
    if !originator.has_router() {
        let proven = originator.has_echoed() || heard(originator) > 0;
        return Some(if proven { Worth::Heard } else { Worth::Rumour });
    }
    let router = originator.router(View::Default);
    let stranger =
        router.is_some_and(|hop| hop.mac == originator.mac) && heard(originator) < STRANGER;
    let doubtful = originator.metric == 0 || originator.last_seen.timed_out(now, SILENT);
    (stranger || doubtful).then_some(Worth::Doubtful)
}

/// How many of its last 64 OGMs came from the originator itself, on the link where most did. The first one ever does not
/// count (IV-46).
fn heard(originator: &Originator) -> u32 {
    let Some(route) = originator.view(View::Default) else { return 0 };
    own_links(originator)
        .filter_map(|index| route.delivery(index))
        .map(|delivery| delivery.received.count())
        .max()
        .unwrap_or(0)
}

/// Whether it is heard directly and hears us.
fn is_neighbour(originator: &Originator) -> bool {
    let Some(route) = originator.view(View::Default) else { return false };
    own_links(originator).any(|index| route.average(index) > 0)
}

fn own_links(originator: &Originator) -> impl Iterator<Item = usize> + '_ {
    let own = |candidate: &super::originator::Candidate| candidate.hop.mac == originator.mac;
    (0..originator.candidates.len()).filter(move |index| own(&originator.candidates[*index]))
}
