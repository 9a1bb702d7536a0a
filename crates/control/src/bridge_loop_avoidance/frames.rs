//! Claim frames of other gateways (section 7).

use super::table::{Sync, Taken};
use super::{BridgeLoopAvoidance, CONFLICT_WINDOW, RECLAIMS_MAX, Reclaim};
use crate::{Context, Routing};
use core::time::Duration;
use noctule_fib::VlanSet;
use noctule_wire::claim::ClaimType;
use noctule_wire::{Claim, Client, Discard, Instant, Mac, Vid};

/// Between two requests to one backbone, and two answers to one requester (BLA-28).
const SPACING: Duration = Duration::from_secs(1);
/// Who has more claims than find a place is asked for them so rarely.
const PARTIAL_SPACING: Duration = Duration::from_secs(60);
/// Answers within that time, whoever asks.
const ANSWERS_MAX: usize = 16;
/// After two gateways have claimed one client at the same moment, the one with the lower address claims it again after
/// this time, and the other one only if that did not happen.
const RECLAIM_LOWER: Duration = Duration::from_millis(120);
const RECLAIM_HIGHER: Duration = Duration::from_millis(400);

impl BridgeLoopAvoidance {
    pub(super) fn on_frame(
        &mut self,
        ctx: &mut Context<'_>,
        routing: &dyn Routing,
        vlans: &VlanSet,
        claim: Claim,
    ) {
        let Some(own) = self.own else { return };
        let Some(sender) = claim.gateway().filter(|sender| *sender != own) else { return };
        // A VLAN that the mesh interface does not have is nobody's concern here (BLA-42 `[REC]`).
        if !claim.is_plausible() || !vlans.contains(claim.vid) {
            return ctx.discard(Discard::ClaimFrame);
        }
        if claim.group != self.group {
            if !routing.knows(sender) {
                // Another mesh on the same LAN (BLA-25).
                return ctx.discard(Discard::ClaimFrame);
            }
            if claim.group > self.group {
                self.group = claim.group;
                self.stale = true;
            }
        }
        let vid = claim.vid;
        self.ensure_own(ctx, vid);
        match claim.claim_type {
            ClaimType::Claim => self.on_claim(ctx, sender, Client::new(claim.source, vid)),
            ClaimType::Unclaim => {
                let client = Client::new(claim.sender, vid);
                self.reclaims.retain(|reclaim| reclaim.client != client);
                if self.table.claim(client).is_some_and(|claim| claim.owner != sender) {
                    ctx.counters.add(noctule_fib::Counter::BlaStrangeUnclaim, 1);
                }
                self.table.remove_claim(ctx, client);
            }
            ClaimType::Announce => self.on_announce(ctx, sender, vid, &claim),
            ClaimType::Request => self.on_request(ctx, sender, &claim),
            ClaimType::LoopDetect | ClaimType::Unknown(_) => {}
        }
        self.bear(ctx, vid);
        self.stale = true;
    }

    /// The latest claim wins, also against our own (BLA-30).
    fn on_claim(&mut self, ctx: &mut Context<'_>, sender: Mac, client: Client) {
        let Some(own) = self.own else { return };
        let new = self.table.backbone(sender, client.vid).is_none();
        if !self.table.ensure(ctx, own, (sender, client.vid)) {
            return;
        }
        self.contest(ctx, own, sender, client);
        let taken = self.table.set_claim(ctx, own, client, sender);
        if taken != Taken::Known
            && let Some(backbone) = self.table.backbone_mut(sender, client.vid)
        {
            backbone.heard = ctx.now;
            // One that waits has announced itself first (BLA-39, BLA-47).
            backbone.serves |= new;
        }
    }

    /// If another gateway claims a client as lately as we did, or a third one does, it is to be claimed again later (BLA-N3).
    fn contest(&mut self, ctx: &Context<'_>, own: Mac, sender: Mac, client: Client) {
        let is_new = |at: &Instant| !at.timed_out(ctx.now, CONFLICT_WINDOW);
        let ours = self.table.claim(client).filter(|claim| claim.owner == own && !claim.again);
        let waiting = self.reclaims.iter().find(|reclaim| reclaim.client == client).copied();
        self.reclaims.retain(|reclaim| reclaim.client != client);
        let since = ours.map(|claim| claim.since).or(waiting.and_then(|w| w.contested));
        let Some(since) = since.filter(is_new) else { return };
        if self.reclaims.len() < RECLAIMS_MAX {
            let delay = if own < sender { RECLAIM_LOWER } else { RECLAIM_HIGHER };
            // The lowest address among them all is to be the first.
            let due = waiting.map_or(Instant::ZERO, |waiting| waiting.due).max(ctx.now + delay);
            self.reclaims.push(Reclaim { client, due, contested: Some(since) });
        }
    }

    fn on_announce(&mut self, ctx: &mut Context<'_>, sender: Mac, vid: Vid, claim: &Claim) {
        let (Some(own), Some(crc)) = (self.own, claim.announced_crc()) else { return };
        let key = (sender, vid);
        let new = self.table.backbone(sender, vid).is_none();
        if !self.table.ensure(ctx, own, key) {
            return;
        }
        let now = ctx.now;
        let Some(backbone) = self.table.backbone_mut(sender, vid) else { return };
        backbone.heard = now;
        backbone.yields = claim.mark.is_some();
        backbone.serves = claim.mark.unwrap_or(backbone.serves || (new && crc != 0));
        let age = |spacing| backbone.asked.is_none_or(|asked| asked.timed_out(now, spacing));
        if backbone.crc == crc || (backbone.partial && !age(PARTIAL_SPACING)) {
            backbone.sync = Sync::Synced;
            backbone.ask_again = false;
            return self.tell_open(ctx, own, vid);
        }
        let due = age(SPACING);
        backbone.sync = Sync::Asked;
        backbone.partial = false;
        backbone.ask_again = !due;
        if due {
            backbone.asked = Some(now);
        }
        self.table.drop_claims(ctx, key);
        if due {
            self.emit(ctx, Claim::requesting(own, sender, vid, self.group));
        } else {
            ctx.discard(Discard::RateLimited);
        }
    }

    /// Asks those again whose answer has not told all (BLA-28): their next announcement is up to 10 s away.
    pub(super) fn ask_again(&mut self, ctx: &mut Context<'_>, own: Mac) {
        let now = ctx.now;
        let is_due = |asked: Option<Instant>| asked.is_none_or(|at| at.timed_out(now, SPACING));
        let due: Vec<_> = self
            .table
            .backbones()
            .filter(|(_, _, backbone)| backbone.ask_again && is_due(backbone.asked))
            .map(|(mac, vid, _)| (mac, vid))
            .collect();
        for (mac, vid) in due {
            if let Some(backbone) = self.table.backbone_mut(mac, vid) {
                backbone.asked = Some(now);
                backbone.ask_again = false;
            }
            self.emit(ctx, Claim::requesting(own, mac, vid, self.group));
        }
    }

    /// Others can hold back the broadcasts of a VLAN for so long (BLA-42 `[DEV]`).
    pub(super) fn bear(&mut self, ctx: &mut Context<'_>, vid: Vid) {
        if self.patience.note(ctx.now, vid, self.table.is_asking(vid)) {
            ctx.counters.add(noctule_fib::Counter::BlaGateForced, 1);
            self.stale = true;
        }
    }

    /// Those who were told that our gate is closed are to know it when it opens: they leave nothing to us (BLA-N1).
    pub(super) fn tell_open(&mut self, ctx: &mut Context<'_>, own: Mac, vid: Vid) {
        let told = self.table.backbone(own, vid).is_none_or(|backbone| backbone.serves);
        if !told && !self.gate().contains(vid) {
            self.announce(ctx, own, vid);
        }
    }

    /// Tells all that we serve, and then the sum of it (BLA-36).
    fn on_request(&mut self, ctx: &mut Context<'_>, sender: Mac, claim: &Claim) {
        let Some(own) = self.own else { return };
        if claim.sender != claim.destination || claim.destination != own {
            return;
        }
        let (now, vid) = (ctx.now, claim.vid);
        self.answers.retain(|(at, ..)| !at.timed_out(now, SPACING));
        let asked_before = self.answers.iter().any(|(_, mac, v)| (*mac, *v) == (sender, vid));
        if asked_before || self.answers.len() >= ANSWERS_MAX {
            return ctx.discard(Discard::RateLimited);
        }
        self.answers.push((now, sender, vid));
        let Some(backbone) = self.table.backbone(own, vid) else { return };
        for mac in &backbone.clients {
            self.emit(ctx, Claim::claiming(own, *mac, vid, self.group));
        }
        self.announce(ctx, own, vid);
    }
}
