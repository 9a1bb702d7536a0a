//! Is our copy of an originator's table in step with what its OGM says (section 10)?

use super::TranslationTable;
use super::limits::{CACHED_CHANGES_MAX, STRAYED_TIMEOUT};
use crate::{Context, Event, Learned, Routing};
use noctule_wire::tvlv::translation_table::{Change, TranslationTable as TtValue};
use noctule_wire::{Discard, Instant, Mac, Ttvn};

impl TranslationTable {
    /// The TT container of an OGM. `may_request`: the originator had a router before this OGM was ranked (TT-84).
    pub(crate) fn on_ogm(
        &mut self,
        ctx: &mut Context<'_>,
        routing: &dyn Routing,
        originator: Mac,
        may_request: bool,
        value: &[u8],
    ) {
        let value = match TtValue::parse(value) {
            Ok(value) => value,
            Err(reason) => return ctx.discard(reason),
        };
        if ctx.primary == Some(originator) {
            return ctx.discard(Discard::Own);
        }
        if !routing.knows(originator) {
            return ctx.discard(Discard::UnknownOriginator);
        }
        let peer = self.global.peer_or_new(originator);
        let one_step = is_one_step(peer.initialized, peer.ttvn, value.ttvn);
        let wanted = if one_step && value.changes().len() == 0 {
            Some(false)
        } else if one_step {
            self.apply_diff(ctx, originator, value.ttvn, value.changes());
            self.out_of_step(originator, &value).then_some(true)
        } else {
            let stale = !peer.initialized || peer.ttvn != value.ttvn;
            let wrong = stale || self.out_of_step(originator, &value);
            (wrong || self.strayed(ctx.now, originator)).then_some(true)
        };
        match wanted {
            Some(full) if may_request => self.request(ctx, routing, originator, &value, full),
            Some(_) => {}
            None => self.in_step(ctx, originator),
        }
    }

    fn out_of_step(&self, originator: Mac, value: &TtValue<'_>) -> bool {
        let here = |vid| self.backbones.contains(&(originator, vid));
        self.global.peer(originator).is_none_or(|peer| peer.mismatch(value.vlans(), here))
    }

    /// Whether the list of an originator in step has for long not been what its CRCs say. The word of others changes it
    /// for the moment between a client's departure and its withdrawal (TT-61), which is soon over, unless the
    /// withdrawal never comes: because the originator has restarted with the version that it had, or because
    /// others were wrong.
    fn strayed(&mut self, now: Instant, originator: Mac) -> bool {
        let Some(peer) = self.global.peer_mut(originator) else { return false };
        if peer.is_faithful() {
            peer.unfaithful_since = None;
            return false;
        }
        peer.unfaithful_since.get_or_insert(now).timed_out(now, STRAYED_TIMEOUT)
    }

    fn in_step(&mut self, ctx: &mut Context<'_>, originator: Mac) {
        let Some(peer) = self.global.peer_mut(originator) else { return };
        (peer.fruitless, peer.unanswered, peer.confirmed) = (0, 0, true);
        // Also when nothing has changed: the data plane may have got to know the originator only now.
        ctx.fib.set_ttvn(originator, peer.ttvn);
        if core::mem::take(&mut peer.unconfirmed) {
            ctx.event(Event::TableFetched(originator));
        }
    }

    /// Applies a diff that leads to version `ttvn`, and keeps it to answer on the originator's behalf (TT-77, TT-78).
    pub(super) fn apply_diff(
        &mut self,
        ctx: &mut Context<'_>,
        originator: Mac,
        ttvn: Ttvn,
        changes: impl ExactSizeIterator<Item = Change> + Clone,
    ) {
        self.apply(ctx, originator, ttvn, changes.clone(), Learned::Diff);
        if let Some(peer) = self.global.peer_mut(originator) {
            // One that is too long to keep must not leave that of an older version behind.
            peer.last_diff = (changes.len() <= CACHED_CHANGES_MAX).then(|| changes.collect());
        }
        self.publish_version(ctx, originator);
    }

    /// Publishes clients first, then the version: a frame may be marked older than it is, and be looked up once more on
    /// its way, but never newer.
    pub(super) fn publish_version(&mut self, ctx: &mut Context<'_>, originator: Mac) {
        self.publish(ctx);
        if let Some(peer) = self.global.peer(originator) {
            ctx.fib.set_ttvn(originator, peer.ttvn);
        }
    }
}

/// Whether the changes that lead to `new` are all that is missing (TT-75; TT-76 `[DEV]`: 255 to 0 is one step).
pub(super) fn is_one_step(initialized: bool, known: Ttvn, new: Ttvn) -> bool {
    new == known.next() || (!initialized && new == Ttvn(1))
}
