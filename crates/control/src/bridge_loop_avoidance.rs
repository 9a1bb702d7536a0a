//! Bridge loop avoidance: several nodes bridged into one LAN agree which of them serves which client of the mesh
//! (06-bridge-loop-avoidance.md).
//!
//! [`table`] keeps backbones and claims, [`patience`] how long they may hold us up, [`frames`] judges what other gateways say on the LAN, [`periodic`] does what time
//! brings. The data plane decides about frames, claims and gives up clients by itself ([`BridgeNews`]), and reads the rest
//! in the FIB.
//!
//! Where this node differs from the reference:
//! * It works only while the mesh interface is a port of a bridge. Without a LAN there is nobody to talk to, and nothing
//!   to wait for.
//! * It announces itself on the untagged LAN at once, before the first frame passes, and on VLANs of the mesh interface
//!   only (BLA-42). The gate is one for each VLAN.
//! * It takes over the clients of a gateway that the mesh does not hear any more, and gives up its own when it does not
//!   hear the mesh ([`periodic`]).
//! * Gateways of this kind know each other by a mark in the padding of their announcements, and agree who claims a new
//!   client; to others it is left (BLA-N1).
//! * After two gateways have claimed a client at once, one of them claims it again (BLA-98): the next announcement would
//!   be too late for 10 s of broadcasts.

mod frames;
mod patience;
mod periodic;
mod table;
#[cfg(test)]
mod tests;

use crate::rhythm::Rhythm;
use crate::{Context, Event, Output, Routing};
use core::time::Duration;
use noctule_fib::{BridgeNews, BridgedLan, Rival, VidSet, VlanSet};
use noctule_wire::checksum::crc16_arc;
use noctule_wire::{Claim, Client, Instant, Mac, Vid};
use patience::Patience;
use periodic::{LOOK, LOOP_DETECT_PERIODS, PERIOD};
use std::collections::BTreeMap;
use std::sync::Arc;
use table::{Sync, Table, Taken};

/// Periods in which group frames are held back on a VLAN that we are new to (BLA-17).
const WAIT_PERIODS: u8 = 3;
/// How long a client that was left to another gateway waits for it.
const YIELD: Duration = Duration::from_millis(60);
/// Clients that may wait to be claimed.
const RECLAIMS_MAX: usize = 256;
/// So long after it was heard first a gateway without our mark is sure to let broadcasts pass: it was new then.
const READY: Duration = PERIOD.saturating_mul(WAIT_PERIODS as u32);
/// When somebody claims a client so soon after us, both did it without knowing of the other.
const CONFLICT_WINDOW: Duration = Duration::from_millis(50);

/// A client and the gateway that serves it (BLA-96).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ClaimRow {
    /// Who is served.
    pub client: Client,
    /// By which originator.
    pub backbone: Mac,
    /// Whether that is this node.
    pub own: bool,
    /// CRC over all claims of that gateway.
    pub crc: u16,
}

/// A gateway of the LAN (BLA-96).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BackboneRow {
    /// Its originator address.
    pub backbone: Mac,
    /// On which VLAN.
    pub vid: Vid,
    /// Whether it is this node.
    pub own: bool,
    /// CRC over its claims.
    pub crc: u16,
    /// Since it was heard.
    pub last_seen: Duration,
    /// Ours, while it is new: how long broadcasts of this VLAN are still held back (BLA-17).
    pub waits: Option<Duration>,
}

/// The round of loop detection that is under way, or was last.
#[derive(Clone, Copy, Debug)]
struct LoopDetect {
    random: [u8; 4],
    until: Instant,
}

/// A client that is to be claimed later, unless somebody else does.
#[derive(Clone, Copy, Debug)]
struct Reclaim {
    client: Client,
    due: Instant,
    /// When we claimed it, if others did so at the same moment (BLA-N3).
    contested: Option<Instant>,
}

/// The part of the engine.
#[derive(Debug)]
pub(crate) struct BridgeLoopAvoidance {
    /// Whether there is a LAN.
    bridged: bool,
    /// Our originator address, while it works.
    own: Option<Mac>,
    /// BLA-01.
    group: u16,
    table: Table,
    /// Periods until the next round of loop detection.
    countdown: u8,
    loop_detect: Option<LoopDetect>,
    next_period: Instant,
    next_look: Instant,
    /// Answers of the last second (BLA-28).
    answers: Vec<(Instant, Mac, Vid)>,
    reclaims: Vec<Reclaim>,
    /// How regularly other gateways of the LAN are heard by the mesh.
    rhythms: BTreeMap<Mac, Rhythm>,
    /// Those that are not heard any more, and when their clients are ours.
    doubts: BTreeMap<Mac, Instant>,
    /// Since when no originator can be reached.
    mesh_lost: Option<Instant>,
    patience: Patience,
    /// As the data plane has it.
    published: Option<Arc<BridgedLan>>,
    stale: bool,
}

impl BridgeLoopAvoidance {
    /// No LAN yet.
    pub(crate) fn new() -> Self {
        Self {
            bridged: false,
            own: None,
            group: 0,
            table: Table::default(),
            countdown: LOOP_DETECT_PERIODS,
            loop_detect: None,
            next_period: Instant::NEVER,
            next_look: Instant::NEVER,
            answers: Vec::new(),
            reclaims: Vec::new(),
            rhythms: BTreeMap::new(),
            doubts: BTreeMap::new(),
            mesh_lost: None,
            patience: Patience::default(),
            published: None,
            stale: false,
        }
    }

    /// The mesh interface is a port of a bridge, or not (any more).
    pub(crate) fn set_bridged(&mut self, ctx: &mut Context<'_>, bridged: bool) {
        if self.bridged && !bridged && ctx.primary.is_some() && ctx.primary == self.own {
            // BLA-83, also for a bridge that lost its port.
            self.give_up(ctx);
        }
        self.bridged = bridged;
    }

    /// Starts, stops, or goes on under another address, as interfaces and settings demand (BLA-80 to BLA-82). After each
    /// input.
    pub(crate) fn reconcile(&mut self, ctx: &mut Context<'_>) {
        let wanted = self.bridged && ctx.settings.bridge_loop_avoidance;
        match (self.own, ctx.primary.filter(|_| wanted)) {
            (None, None) => {}
            (Some(old), Some(own)) if old == own => {}
            (None, Some(own)) => {
                self.own = Some(own);
                self.group = crc16_arc(&own.0);
                self.countdown = LOOP_DETECT_PERIODS;
                self.next_period = ctx.now + PERIOD;
                self.next_look = ctx.now + LOOK;
                self.ensure_own(ctx, Vid::UNTAGGED);
                self.stale = true;
            }
            (Some(old), Some(own)) => {
                self.own = Some(own);
                self.group = crc16_arc(&own.0);
                self.table.rename(ctx, old, own);
                let vids: Vec<Vid> = self.table.of(own).map(|(vid, _)| vid).collect();
                for vid in vids {
                    self.announce(ctx, own, vid);
                }
                self.stale = true;
            }
            (Some(_), None) => {
                self.table.clear(ctx);
                let table = core::mem::take(&mut self.table);
                *self = Self { bridged: self.bridged, table, stale: true, ..Self::new() };
            }
        }
    }

    /// These VLANs are on the mesh interface, and no others.
    pub(crate) fn set_vlans(&mut self, ctx: &mut Context<'_>, vlans: &VlanSet) {
        self.reclaims.retain(|reclaim| vlans.contains(reclaim.client.vid));
        let gone: Vec<_> = self
            .table
            .backbones()
            .filter(|(_, vid, _)| !vlans.contains(*vid))
            .map(|(mac, vid, _)| (mac, vid))
            .collect();
        for key in gone {
            self.table.remove_backbone(ctx, key);
            self.stale = true;
        }
    }

    /// The data plane has seen or done something.
    pub(crate) fn on_news(
        &mut self,
        ctx: &mut Context<'_>,
        routing: &dyn Routing,
        vlans: &VlanSet,
        news: BridgeNews,
    ) {
        let Some(own) = self.own else { return };
        match news {
            BridgeNews::Frame(claim) => self.on_frame(ctx, routing, vlans, claim),
            BridgeNews::Claimed(client)
                if client.mac.is_station() && vlans.contains(client.vid) =>
            {
                self.ensure_own(ctx, client.vid);
                self.reclaims.retain(|reclaim| reclaim.client != client);
                if self.table.set_claim(ctx, own, client, own) == Taken::Full {
                    // The data plane has claimed it. Others that have room shall, and our sum must not be wrong to them.
                    self.emit(ctx, Claim::unclaiming(own, client.mac, client.vid, self.group));
                }
            }
            BridgeNews::Claimed(_) => {}
            BridgeNews::Unclaimed(client) => {
                self.reclaims.retain(|reclaim| reclaim.client != client);
                if self.table.claim(client).is_some_and(|claim| claim.owner == own) {
                    self.table.remove_claim(ctx, client);
                }
            }
            BridgeNews::Yielded(client)
                if vlans.contains(client.vid)
                    && self.table.claim(client).is_none()
                    && self.reclaims.iter().all(|reclaim| reclaim.client != client)
                    && self.reclaims.len() < RECLAIMS_MAX =>
            {
                self.reclaims.push(Reclaim { client, due: ctx.now + YIELD, contested: None });
            }
            BridgeNews::Yielded(_) => {}
            BridgeNews::Traffic(vid) if vlans.contains(vid) => self.ensure_own(ctx, vid),
            BridgeNews::Traffic(_) => {}
            BridgeNews::Loop(vid) => ctx.event(Event::Loop(vid)),
        }
    }

    /// When [`Self::on_deadline`] has something to do.
    pub(crate) fn next_deadline(&self) -> Instant {
        let reclaim = self.reclaims.iter().map(|reclaim| reclaim.due).min();
        self.next_period.min(self.next_look).min(reclaim.unwrap_or(Instant::NEVER))
    }

    /// Does what is due.
    pub(crate) fn on_deadline(&mut self, ctx: &mut Context<'_>, routing: &dyn Routing) {
        let Some(own) = self.own else { return };
        if self.next_period <= ctx.now {
            self.next_period = ctx.now + PERIOD;
            self.period(ctx);
        }
        if self.next_look <= ctx.now {
            self.next_look = ctx.now + LOOK;
            self.look(ctx, routing);
        }
        let (due, later) = self.reclaims.iter().partition(|reclaim| reclaim.due <= ctx.now);
        self.reclaims = later;
        for Reclaim { client, contested, .. } in Vec::<Reclaim>::from_iter::<Vec<_>>(due) {
            self.claim(ctx, own, client);
            if contested.is_some() {
                self.table.settle(client);
            }
        }
    }

    /// Backbones of our LAN that have come or gone.
    pub(crate) fn take_changes(&mut self) -> Vec<(Mac, Vid, bool)> {
        self.table.take_changes()
    }

    /// What the data plane must know.
    pub(crate) fn lan(&mut self, now: Instant) -> Option<Arc<BridgedLan>> {
        if core::mem::take(&mut self.stale) {
            self.published = self.own.map(|own| {
                let mut announced = VidSet::default();
                self.table.of(own).for_each(|(vid, _)| announced.set(vid, true));
                let loop_detect = self.loop_detect.map(|LoopDetect { random, until }| {
                    (Claim::loop_detecting(own, random, Vid::UNTAGGED, 0).source, until)
                });
                let gate = self.gate();
                let rivals = self
                    .table
                    .backbones()
                    .filter(|(mac, _, backbone)| {
                        let waited = !backbone.yields && now.since(backbone.since) >= READY;
                        *mac != own && (backbone.serves || waited) && self.is_well(*mac)
                    })
                    .map(|(gateway, vid, backbone)| Rival { gateway, vid, yields: backbone.yields })
                    .collect();
                Arc::new(BridgedLan { group: self.group, announced, rivals, gate, loop_detect })
            });
        }
        self.published.clone()
    }

    /// Whether another gateway hears the mesh, as far as we can tell: it is heard there.
    fn is_well(&self, gateway: Mac) -> bool {
        self.rhythms.contains_key(&gateway) && !self.doubts.contains_key(&gateway)
    }

    /// Names the LAN in claim frames; `None` while there is none.
    pub(crate) fn group(&self) -> Option<u16> {
        self.own.map(|_| self.group)
    }

    pub(crate) fn claim_rows(&self) -> Vec<ClaimRow> {
        let row = |(client, claim): (Client, table::Claim)| ClaimRow {
            client,
            backbone: claim.owner,
            own: self.own == Some(claim.owner),
            crc: self.table.backbone(claim.owner, client.vid).map_or(0, |backbone| backbone.crc),
        };
        self.table.claims().map(row).collect()
    }

    pub(crate) fn backbone_rows(&self, now: Instant) -> Vec<BackboneRow> {
        let row = |(mac, vid, backbone): (Mac, Vid, &table::Backbone)| BackboneRow {
            backbone: mac,
            vid,
            own: self.own == Some(mac),
            crc: backbone.crc,
            last_seen: now.since(backbone.heard),
            waits: match backbone.sync {
                Sync::Waiting(left) => {
                    Some(self.next_period.since(now) + PERIOD * u32::from(left.saturating_sub(1)))
                }
                _ => None,
            },
        };
        self.table.backbones().map(row).collect()
    }

    /// We are a gateway on this VLAN, and the others are to know it (BLA-17).
    fn ensure_own(&mut self, ctx: &mut Context<'_>, vid: Vid) {
        let Some(own) = self.own.filter(|own| self.table.backbone(*own, vid).is_none()) else {
            return;
        };
        self.table.ensure(ctx, own, (own, vid));
        if let Some(backbone) = self.table.backbone_mut(own, vid) {
            backbone.sync = Sync::Waiting(WAIT_PERIODS);
        }
        self.announce(ctx, own, vid);
        self.stale = true;
    }

    /// The VLANs on which group frames are held back.
    fn gate(&self) -> VidSet {
        self.table.gate(|vid| self.patience.is_spent(vid))
    }

    fn announce(&mut self, ctx: &mut Context<'_>, own: Mac, vid: Vid) {
        let passes = !self.gate().contains(vid);
        let mut crc = 0;
        if let Some(backbone) = self.table.backbone_mut(own, vid) {
            crc = backbone.crc;
            backbone.serves = passes;
        }
        self.emit(ctx, Claim::announcing(own, crc, vid, self.group).marked(passes));
    }

    /// Serves a client from here on, and says so.
    fn claim(&mut self, ctx: &mut Context<'_>, own: Mac, client: Client) {
        self.ensure_own(ctx, client.vid);
        if self.table.set_claim(ctx, own, client, own) == Taken::New {
            self.emit(ctx, Claim::claiming(own, client.mac, client.vid, self.group));
        }
    }

    /// Does not serve a client any more, and says so.
    fn unclaim(&mut self, ctx: &mut Context<'_>, own: Mac, client: Client) {
        if self.table.remove_claim(ctx, client) {
            self.emit(ctx, Claim::unclaiming(own, client.mac, client.vid, self.group));
        }
    }

    fn give_up(&mut self, ctx: &mut Context<'_>) {
        let Some(own) = self.own else { return };
        for (vid, mac) in self.own_clients(own) {
            self.unclaim(ctx, own, Client::new(mac, vid));
        }
    }

    /// Hands a claim frame to the LAN (BLA-10).
    fn emit(&self, ctx: &mut Context<'_>, claim: Claim) {
        let mut frame = vec![0; claim.wire_len()];
        claim.emit(&mut frame);
        ctx.output(Output::ToHost { frame });
    }
}
