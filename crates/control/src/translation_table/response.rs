//! Answers to our requests (section 11.4).

use super::TranslationTable;
use super::consistency::is_one_step;
use super::limits::{ANSWER_WAIT, FRUITLESS_MAX, FRUITLESS_PAUSE_MAX, REQUEST_WAIT};
use crate::{Context, Learned, Routing};
use core::time::Duration;
use noctule_wire::tvlv::translation_table::TranslationTable as TtValue;
use noctule_wire::{Discard, Instant, Mac};

impl TranslationTable {
    /// Takes over what was asked for, and nothing else (TT-96, TT-97). The VLAN records are not looked at: the next OGM
    /// tells whether the table is in step.
    pub(super) fn on_response(
        &mut self,
        ctx: &mut Context<'_>,
        routing: &dyn Routing,
        originator: Mac,
        response: &TtValue<'_>,
    ) {
        let now = ctx.now;
        let peer = match self.global.peer_mut(originator) {
            Some(peer) if routing.knows(originator) => peer,
            _ => return ctx.discard(Discard::UnknownOriginator),
        };
        let Some(request) = peer.request.filter(|sent| !sent.at.timed_out(now, ANSWER_WAIT)) else {
            return ctx.discard(Discard::Unsolicited);
        };
        if response.flags.is_full() {
            (peer.request, peer.unanswered) = (None, 0);
            peer.last_diff = None;
            peer.fruitless = peer.fruitless.saturating_add(1);
            peer.unconfirmed = true;
            peer.held_until =
                pause_after(peer.fruitless).map_or(Instant::ZERO, |pause| now + pause);
            self.global.remove_originator(originator);
            self.apply(ctx, originator, response.ttvn, response.changes(), Learned::FullTable);
            self.publish_version(ctx, originator);
        } else {
            let usable = is_one_step(peer.initialized, peer.ttvn, response.ttvn)
                && response.changes().len() > 0;
            if request.full || !usable {
                return ctx.discard(Discard::Unsolicited);
            }
            (peer.request, peer.unanswered, peer.held_until) = (None, 0, Instant::ZERO);
            peer.unconfirmed = true;
            self.apply_diff(ctx, originator, response.ttvn, response.changes());
        }
    }
}

/// How long not to ask again after so many requests in a row that led to nothing: no answer, or one that was not what the
/// OGMs said.
pub(super) fn pause_after(fruitless: u8) -> Option<Duration> {
    let doublings = u32::from(fruitless.checked_sub(FRUITLESS_MAX)?);
    let pause = REQUEST_WAIT.saturating_mul(1 << doublings.min(8));
    Some(pause.min(FRUITLESS_PAUSE_MAX))
}
