//! Backbones and claims (sections 4 and 8): primitives that keep CRCs, the gate and the FIB in step.

use crate::Context;
use noctule_fib::VidSet;
use noctule_wire::checksum::crc16_arc;
use noctule_wire::{Client, Discard, Instant, Mac, Vid};
use std::collections::{BTreeMap, BTreeSet};

/// Whether a backbone's claims are known in full.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sync {
    /// They are.
    Synced,
    /// Its claims were asked for (BLA-33).
    Asked,
    /// Ours: so many periods are left in which the others have time to tell theirs (BLA-17).
    Waiting(u8),
}

/// A gateway of the LAN on one VLAN, this node among them (BLA-02).
#[derive(Clone, Debug)]
pub(super) struct Backbone {
    pub(super) since: Instant,
    pub(super) heard: Instant,
    /// XOR over its claims (BLA-04).
    pub(super) crc: u16,
    pub(super) sync: Sync,
    /// When its claims were asked for last (BLA-28).
    pub(super) asked: Option<Instant>,
    /// They are to be asked for once more, as soon as that may be.
    pub(super) ask_again: bool,
    /// Whether its announcements have the mark (BLA-N1).
    pub(super) yields: bool,
    /// Whether it lets broadcasts pass: it says so, or had clients already when it was heard first (BLA-17). Ours: what the
    /// others were told.
    pub(super) serves: bool,
    /// Some of its claims had no place, so its sum cannot match (BLA-07).
    pub(super) partial: bool,
    /// Whom it serves.
    pub(super) clients: BTreeSet<Mac>,
}

/// What became of a claim.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Taken {
    /// It stood there already.
    Known,
    New,
    /// There is no place for it (BLA-07).
    Full,
}

/// Who serves a client (BLA-03).
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub(super) owner: Mac,
    /// Since when.
    pub(super) since: Instant,
    /// Whether it was claimed again after a contest (BLA-N3). There is no second one.
    pub(super) again: bool,
}

/// Both tables.
#[derive(Debug, Default)]
pub(super) struct Table {
    backbones: BTreeMap<(Mac, Vid), Backbone>,
    claims: BTreeMap<Client, Claim>,
    /// Foreign backbones that have come or gone: who else wants to know it is told after the input.
    changes: Vec<(Mac, Vid, bool)>,
}

impl Table {
    pub(super) fn backbone(&self, originator: Mac, vid: Vid) -> Option<&Backbone> {
        self.backbones.get(&(originator, vid))
    }

    pub(super) fn backbone_mut(&mut self, originator: Mac, vid: Vid) -> Option<&mut Backbone> {
        self.backbones.get_mut(&(originator, vid))
    }

    pub(super) fn backbones(&self) -> impl Iterator<Item = (Mac, Vid, &Backbone)> {
        self.backbones.iter().map(|((mac, vid), backbone)| (*mac, *vid, backbone))
    }

    /// The backbones of one originator.
    pub(super) fn of(&self, originator: Mac) -> impl Iterator<Item = (Vid, &Backbone)> {
        let all = (originator, Vid(0))..=(originator, Vid(u16::MAX));
        self.backbones.range(all).map(|((_, vid), backbone)| (*vid, backbone))
    }

    pub(super) fn claim(&self, client: Client) -> Option<Claim> {
        self.claims.get(&client).copied()
    }

    pub(super) fn claims(&self) -> impl Iterator<Item = (Client, Claim)> {
        self.claims.iter().map(|(client, claim)| (*client, *claim))
    }

    /// Makes a backbone, unless there is one or no room (BLA-07). Says whether there is one now.
    pub(super) fn ensure(&mut self, ctx: &mut Context<'_>, own: Mac, key: (Mac, Vid)) -> bool {
        if self.backbones.contains_key(&key) {
            return true;
        }
        // Room for our own is always there: the VLANs of the mesh interface bound them.
        if key.0 != own {
            if self.backbones.len() >= ctx.settings.limits.backbones {
                ctx.discard(Discard::BridgeTableFull);
                return false;
            }
            ctx.fib.set_backbone(key.0, key.1, true);
            self.changes.push((key.0, key.1, true));
        }
        let backbone = Backbone {
            since: ctx.now,
            heard: ctx.now,
            crc: 0,
            sync: Sync::Synced,
            asked: None,
            ask_again: false,
            yields: false,
            serves: false,
            partial: false,
            clients: BTreeSet::new(),
        };
        self.backbones.insert(key, backbone);
        true
    }

    /// Forgets a backbone with its claims (BLA-72).
    pub(super) fn remove_backbone(&mut self, ctx: &mut Context<'_>, key: (Mac, Vid)) {
        self.drop_claims(ctx, key);
        if self.backbones.remove(&key).is_some() {
            ctx.fib.set_backbone(key.0, key.1, false);
            self.changes.push((key.0, key.1, false));
        }
    }

    /// Gives a client to a backbone that there is (BLA-05). `own` is this node: its claims and those of all others have as
    /// many places each, so that nobody on the LAN can take ours (BLA-07).
    pub(super) fn set_claim(
        &mut self,
        ctx: &mut Context<'_>,
        own: Mac,
        client: Client,
        owner: Mac,
    ) -> Taken {
        let before = self.claim(client).map(|claim| claim.owner);
        if before == Some(owner) {
            return Taken::Known;
        }
        let foreign = |mac: Option<Mac>| mac.is_some_and(|mac| mac != own);
        let is_one_more = owner == own || !foreign(before);
        if is_one_more && self.places(own, owner, ctx.settings.limits.claims) == 0 {
            ctx.discard(Discard::BridgeTableFull);
            // The latest claim wins (BLA-30), also if nobody remembers it.
            self.remove_claim(ctx, client);
            if let Some(backbone) = self.backbones.get_mut(&(owner, client.vid)) {
                backbone.partial = owner != own;
            }
            return Taken::Full;
        }
        self.toggle(client);
        self.claims.insert(client, Claim { owner, since: ctx.now, again: false });
        self.toggle(client);
        ctx.fib.set_claim(client, owner, ctx.now);
        Taken::New
    }

    /// How many claims more find a place, of those of `owner`'s side.
    fn places(&self, own: Mac, owner: Mac, limit: usize) -> usize {
        let ours: usize = self.of(own).map(|(_, backbone)| backbone.clients.len()).sum();
        limit.saturating_sub(if owner == own { ours } else { self.claims.len() - ours })
    }

    /// The client was claimed again: whoever claims it now has a reason.
    pub(super) fn settle(&mut self, client: Client) {
        if let Some(claim) = self.claims.get_mut(&client) {
            claim.again = true;
        }
    }

    /// Nobody serves the client any more. Says whether somebody did.
    pub(super) fn remove_claim(&mut self, ctx: &mut Context<'_>, client: Client) -> bool {
        if !self.claims.contains_key(&client) {
            return false;
        }
        self.toggle(client);
        self.claims.remove(&client);
        ctx.fib.remove_claim(client);
        true
    }

    /// Forgets all claims of a backbone: its CRC is 0 then.
    pub(super) fn drop_claims(&mut self, ctx: &mut Context<'_>, key: (Mac, Vid)) {
        let Some(backbone) = self.backbones.get(&key) else { return };
        for mac in backbone.clients.clone() {
            self.remove_claim(ctx, Client::new(mac, key.1));
        }
    }

    /// An originator's entries are another one's from here on (BLA-80). Only for ourselves.
    pub(super) fn rename(&mut self, ctx: &mut Context<'_>, old: Mac, new: Mac) {
        // Somebody else may have spoken under the new address, on any VLAN: none of that is ours.
        let strange: Vec<Vid> = self.of(new).map(|(vid, _)| vid).collect();
        for vid in strange {
            self.remove_backbone(ctx, (new, vid));
        }
        let vids: Vec<Vid> = self.of(old).map(|(vid, _)| vid).collect();
        for vid in vids {
            let Some(backbone) = self.backbones.remove(&(old, vid)) else { continue };
            for mac in &backbone.clients {
                let client = Client::new(*mac, vid);
                let used = ctx.fib.claim_used(client).unwrap_or(ctx.now);
                ctx.fib.set_claim(client, new, used);
                self.claims.insert(client, Claim { owner: new, since: ctx.now, again: false });
            }
            self.backbones.insert((new, vid), backbone);
        }
    }

    pub(super) fn clear(&mut self, ctx: &mut Context<'_>) {
        let keys: Vec<_> = self.backbones.keys().copied().collect();
        for key in keys {
            self.remove_backbone(ctx, key);
        }
    }

    /// Whether claims of another gateway of this VLAN are asked for (BLA-33).
    pub(super) fn is_asking(&self, vid: Vid) -> bool {
        self.backbones().any(|(_, v, backbone)| v == vid && backbone.sync == Sync::Asked)
    }

    /// The VLANs with a backbone whose claims are not all known (BLA-06); those of other gateways are not waited for on a
    /// VLAN on which the patience with them `is_spent`.
    pub(super) fn gate(&self, is_spent: impl Fn(Vid) -> bool) -> VidSet {
        let mut gate = VidSet::default();
        for (_, vid, backbone) in self.backbones() {
            let closes = match backbone.sync {
                Sync::Synced => false,
                Sync::Asked => !is_spent(vid),
                Sync::Waiting(_) => true,
            };
            if closes {
                gate.set(vid, true);
            }
        }
        gate
    }

    pub(super) fn take_changes(&mut self) -> Vec<(Mac, Vid, bool)> {
        core::mem::take(&mut self.changes)
    }

    /// Flips the client in the books of its owner.
    fn toggle(&mut self, client: Client) {
        let Some(claim) = self.claims.get(&client) else { return };
        let Some(backbone) = self.backbones.get_mut(&(claim.owner, client.vid)) else { return };
        backbone.crc ^= crc16_arc(&client.mac.0);
        if !backbone.clients.remove(&client.mac) {
            backbone.clients.insert(client.mac);
        }
    }

    /// Recomputes what is kept step by step, and compares.
    #[cfg(test)]
    pub(super) fn check(&self) {
        for ((mac, vid), backbone) in &self.backbones {
            let own = self.claims.iter().filter(|(c, claim)| (claim.owner, c.vid) == (*mac, *vid));
            let clients: BTreeSet<_> = own.map(|(client, _)| client.mac).collect();
            let crc = clients.iter().fold(0, |crc, mac| crc ^ crc16_arc(&mac.0));
            assert_eq!((&clients, crc), (&backbone.clients, backbone.crc), "{mac} {vid:?}");
        }
        for (client, claim) in &self.claims {
            assert!(self.backbone(claim.owner, client.vid).is_some(), "{client:?}");
        }
    }
}
