//! Requests for tables: sending them (section 11.1), and answering those of others (11.2, 11.3).

use super::limits::{Errand, Passage, REQUEST_WAIT};
use super::peer::Request;
use super::response::pause_after;
use super::{Disposition, TranslationTable, send};
use crate::{Context, Routing};
use noctule_fib::{Counter, View};
use noctule_wire::tvlv::translation_table::{
    Change, TranslationTable as TtValue, TtFlags, TtKind, VlanBlock,
};
use noctule_wire::tvlv::{CONTAINER_HEADER_LEN, Kind};
use noctule_wire::{Discard, Mac, Ttvn, UnicastTvlv};

impl TranslationTable {
    /// Asks an originator for its last changes or its full table, with the version and the CRCs of its OGM (TT-85), if
    /// now is the time (TT-86, TT-87).
    pub(super) fn request(
        &mut self,
        ctx: &mut Context<'_>,
        routing: &dyn Routing,
        originator: Mac,
        announced: &TtValue<'_>,
        full: bool,
    ) {
        let Some(primary) = ctx.primary else { return };
        if routing.router(originator, View::Default).is_none() {
            return;
        }
        let Some(peer) = self.global.peer_mut(originator) else { return };
        let now = ctx.now;
        let outstanding = peer.request.is_some_and(|sent| !sent.at.timed_out(now, REQUEST_WAIT));
        if outstanding || now < peer.held_until {
            return;
        }
        if !self.requests.take(now, peer.initialized) {
            return ctx.discard(Discard::RateLimited);
        }
        let vlans: Vec<VlanBlock> = announced.vlans().collect();
        let mut value = Vec::with_capacity(TtValue::HEADER_LEN + VlanBlock::LEN * vlans.len());
        TtValue::emit(&mut value, TtFlags::request(full), announced.ttvn, &vlans, []);
        if send(ctx, originator, primary, Kind::TRANSLATION_TABLE, &value) {
            ctx.counters.add(Counter::TtRequestTx, 1);
            peer.request = Some(Request { at: now, full });
            peer.unanswered = peer.unanswered.saturating_add(1);
            // Whoever was in step once has a table; the links may be bad. An invented originator never answers.
            if !peer.confirmed
                && let Some(pause) = pause_after(peer.unanswered)
            {
                peer.held_until = peer.held_until.max(now + pause);
            }
        }
    }

    /// The TT container of a unicast TVLV packet, at every hop. `for_me`: its destination is ours (TVLV-26).
    pub(crate) fn on_unicast(
        &mut self,
        ctx: &mut Context<'_>,
        routing: &dyn Routing,
        for_me: bool,
        packet: &UnicastTvlv<'_>,
        value: &[u8],
    ) -> Disposition {
        let value = match TtValue::parse(value) {
            Ok(value) => value,
            Err(reason) => {
                ctx.discard(reason);
                return Disposition::Consumed;
            }
        };
        match value.flags.kind() {
            TtKind::Request => {
                ctx.counters.add(Counter::TtRequestRx, 1);
                self.on_request(ctx, routing, for_me, packet, &value)
            }
            TtKind::Response => {
                ctx.counters.add(Counter::TtResponseRx, 1);
                if !for_me {
                    let (requester, described) = (packet.destination, packet.source);
                    let passage = Passage::Response;
                    return self
                        .pass_on(ctx, Errand { passage, requester, described, ttvn: value.ttvn });
                }
                self.on_response(ctx, routing, packet.source, &value);
                Disposition::Consumed
            }
            TtKind::OgmDiff | TtKind::Unknown(_) => {
                ctx.discard(Discard::Malformed);
                Disposition::Consumed
            }
        }
    }

    fn on_request(
        &mut self,
        ctx: &mut Context<'_>,
        routing: &dyn Routing,
        for_me: bool,
        packet: &UnicastTvlv<'_>,
        request: &TtValue<'_>,
    ) -> Disposition {
        let (requester, described) = (packet.source, packet.destination);
        if for_me {
            self.answer_own(ctx, routing, requester, request);
            return Disposition::Consumed;
        }
        let in_step = routing.knows(described)
            && routing.router(requester, View::Default).is_some()
            && self.global.peer(described).is_some_and(|peer| {
                peer.initialized
                    && peer.ttvn == request.ttvn
                    && !peer.mismatch(request.vlans(), |_| false)
            });
        if in_step && let Some(answer) = self.answer_for(packet, request) {
            self.send_answer(ctx, answer);
            return Disposition::Consumed;
        }
        let passage = Passage::Request;
        self.pass_on(ctx, Errand { passage, requester, described, ttvn: request.ttvn })
    }

    /// Lets a request or an answer travel on, unless it has come round in a circle (TT-98).
    fn pass_on(&mut self, ctx: &mut Context<'_>, errand: Errand) -> Disposition {
        if self.answers.take(ctx.now, errand, 0) {
            return Disposition::PassOn;
        }
        ctx.discard(Discard::RateLimited);
        Disposition::Consumed
    }

    /// Answers for our own table (TT-91, TT-92).
    fn answer_own(
        &mut self,
        ctx: &mut Context<'_>,
        routing: &dyn Routing,
        requester: Mac,
        request: &TtValue<'_>,
    ) {
        let Some(primary) = ctx.primary else { return ctx.discard(Discard::NoPrimary) };
        if !routing.knows(requester) {
            return ctx.discard(Discard::UnknownOriginator);
        }
        let ttvn = self.announced.ttvn;
        let asked_for_less = !request.flags.is_full() && request.ttvn == ttvn;
        let diff = self.announced.last_diff.as_deref().filter(|_| asked_for_less);
        let (full, changes) = match diff {
            Some(changes) => (false, changes.to_vec()),
            None => (true, self.local.full_table()),
        };
        let vlans = self.local.vlan_blocks();
        let answer = Answer { requester, described: primary, full, ttvn, vlans, changes };
        if answer.is_sendable(self.packet_limit) {
            self.send_answer(ctx, answer);
        }
    }

    /// The answer for another originator, whose table we hold in exactly the version that is asked for (TT-89, TT-93).
    fn answer_for(&self, packet: &UnicastTvlv<'_>, request: &TtValue<'_>) -> Option<Answer> {
        let described = packet.destination;
        let peer = self.global.peer(described)?;
        let diff = peer.last_diff.as_deref().filter(|_| !request.flags.is_full());
        let (full, changes) = match diff {
            Some(changes) => (false, changes.to_vec()),
            None if peer.is_faithful() => (true, self.global.full_table(described)),
            // Somebody else's word, a roam for instance, has changed the list: it is not what the CRCs describe.
            None => return None,
        };
        let vlans = peer.vlan_blocks();
        let (requester, ttvn) = (packet.source, request.ttvn);
        let answer = Answer { requester, described, full, ttvn, vlans, changes };
        answer.is_sendable(self.packet_limit).then_some(answer)
    }

    /// Sends an answer unless there were too many (TT-98).
    fn send_answer(&mut self, ctx: &mut Context<'_>, answer: Answer) {
        let Answer { requester, described, ttvn, .. } = answer;
        let errand = Errand { passage: Passage::Request, requester, described, ttvn };
        if !self.answers.take(ctx.now, errand, answer.packet_len()) {
            return ctx.discard(Discard::RateLimited);
        }
        let mut value = Vec::with_capacity(answer.value_len());
        let flags = TtFlags::response(answer.full);
        TtValue::emit(&mut value, flags, ttvn, &answer.vlans, answer.changes);
        // TT-93: whoever answers, the source is the originator that is described.
        if send(ctx, requester, described, Kind::TRANSLATION_TABLE, &value) {
            ctx.counters.add(Counter::TtResponseTx, 1);
        }
    }
}

/// An answer that may be sent.
struct Answer {
    requester: Mac,
    described: Mac,
    full: bool,
    ttvn: Ttvn,
    vlans: Vec<VlanBlock>,
    changes: Vec<Change>,
}

impl Answer {
    fn value_len(&self) -> usize {
        TtValue::HEADER_LEN + VlanBlock::LEN * self.vlans.len() + Change::LEN * self.changes.len()
    }

    fn packet_len(&self) -> usize {
        UnicastTvlv::HEADER_LEN + CONTAINER_HEADER_LEN + self.value_len()
    }

    /// Whether it says anything (TT-94) and fits into what can be sent (TT-95).
    fn is_sendable(&self, packet_limit: usize) -> bool {
        !self.changes.is_empty()
            && self.packet_len() <= packet_limit
            && self.value_len() <= usize::from(u16::MAX)
    }
}
