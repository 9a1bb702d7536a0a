//! What time alone changes: every five seconds (TT-28, TT-72, TT-86, TT-107).

use super::TranslationTable;
use super::limits::{
    ANSWER_WAIT, HOUSEKEEPING_PERIOD, LOCAL_TIMEOUT, ROAM_TIMEOUT, TEMPORARY_TIMEOUT,
};
use crate::{Context, Routing};
use noctule_wire::Instant;

impl TranslationTable {
    /// When [`Self::on_deadline`] has something to do.
    pub(crate) const fn next_deadline(&self) -> Instant {
        self.next_housekeeping
    }

    /// Does what is due.
    pub(crate) fn on_deadline(&mut self, ctx: &mut Context<'_>, _routing: &dyn Routing) {
        let now = ctx.now;
        if now < self.next_housekeeping {
            return;
        }
        self.next_housekeeping = now + HOUSEKEEPING_PERIOD;
        self.local.age(now, ctx.fib, LOCAL_TIMEOUT);
        self.expire_global(now);
        for peer in self.global.peers_mut() {
            if peer.request.is_some_and(|sent| sent.at.timed_out(now, ANSWER_WAIT)) {
                peer.request = None;
            }
        }
        self.roams_sent.expire(now);
        self.roams_accepted.expire(now);
        self.answers.expire(now);
        self.publish(ctx);
    }

    /// TT-72: who roamed away and was never announced elsewhere, and who was never announced at all.
    fn expire_global(&mut self, now: Instant) {
        for client in self.global.expired(now, ROAM_TIMEOUT, TEMPORARY_TIMEOUT) {
            self.global.forget(client);
        }
    }
}
