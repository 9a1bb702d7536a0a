//! What time alone changes: the periodic job (sections 13 and 14), and other gateways that have lost the mesh.

use super::table::Sync;
use super::{BridgeLoopAvoidance, LoopDetect};
use crate::rhythm::Rhythm;
use crate::{Context, Routing};
use core::time::Duration;
use noctule_wire::{Claim, Client, Instant, Mac, Vid};
use std::collections::{BTreeMap, BTreeSet};

/// Period of the job.
pub(super) const PERIOD: Duration = Duration::from_secs(10);
/// A gateway that was not heard for longer is forgotten.
const BACKBONE_TIMEOUT: Duration = Duration::from_secs(60);
/// A client of ours whose frames the mesh did not bring for longer is not ours any more.
const CLAIM_TIMEOUT: Duration = Duration::from_secs(100);
/// Periods between two rounds of loop detection.
pub(super) const LOOP_DETECT_PERIODS: u8 = 6;
/// For how long a loop detection frame that comes back is one of this round.
const LOOP_DETECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How often it is looked whether other gateways, and we, still have a mesh.
pub(super) const LOOK: Duration = Duration::from_millis(500);
/// Several gateways do not all take over at the same moment.
const TAKE_OVER_JITTER_MS: u32 = 400;
/// Clients that are taken over at one look.
const TAKE_OVER_MAX: usize = 512;
/// A gateway without a mesh keeps its claims for so long: others who know our way of taking over do it meanwhile, and
/// their CLAIMs turn the switches of the LAN. Then it gives them up for those who do not.
const MESH_LOST_TIMEOUT: Duration = Duration::from_secs(6);

impl BridgeLoopAvoidance {
    /// The job of every 10 s.
    pub(super) fn period(&mut self, ctx: &mut Context<'_>) {
        let Some(own) = self.own else { return };
        let now = ctx.now;
        for (vid, mac) in self.own_clients(own) {
            let client = Client::new(mac, vid);
            let used = ctx.fib.claim_used(client).unwrap_or(Instant::ZERO);
            if used.timed_out(now, CLAIM_TIMEOUT) {
                self.unclaim(ctx, own, client);
            }
        }
        let silent = |heard: Instant| heard.timed_out(now, BACKBONE_TIMEOUT);
        let gone: Vec<_> = self
            .table
            .backbones()
            .filter(|(mac, _, backbone)| *mac != own && silent(backbone.heard))
            .map(|(mac, vid, _)| (mac, vid))
            .collect();
        for key in gone {
            self.table.remove_backbone(ctx, key);
        }
        self.countdown -= 1;
        let round = self.countdown == 0;
        if round {
            self.countdown = LOOP_DETECT_PERIODS;
            let [random @ .., _, _, _, _] = ctx.rng.next_u64().to_be_bytes();
            self.loop_detect = Some(LoopDetect { random, until: now + LOOP_DETECT_TIMEOUT });
        }
        let vids: Vec<Vid> = self.table.of(own).map(|(vid, _)| vid).collect();
        for vid in vids {
            if let Some(backbone) = self.table.backbone_mut(own, vid) {
                backbone.heard = now;
                backbone.sync = match backbone.sync {
                    Sync::Waiting(left @ 2..) => Sync::Waiting(left - 1),
                    _ => Sync::Synced,
                };
            }
            self.announce(ctx, own, vid);
            if round && let Some(LoopDetect { random, .. }) = self.loop_detect {
                self.emit(ctx, Claim::loop_detecting(own, random, vid, self.group));
            }
        }
        self.stale = true;
    }

    /// A new OGM of an originator.
    pub(crate) fn on_ogm(&mut self, ctx: &Context<'_>, originator: Mac) {
        if self.own.is_none() || self.table.of(originator).next().is_none() {
            return;
        }
        let rhythm = Rhythm::new(ctx.now, ctx.settings.orig_interval);
        // Whoever was silent for too long has come back, or we have: that is no rhythm.
        let again = |rhythm: &mut Rhythm| {
            if rhythm.silent_at() > ctx.now {
                rhythm.heard(ctx.now)
            } else {
                rhythm.resume(ctx.now)
            }
        };
        self.stale |= !self.rhythms.contains_key(&originator);
        self.rhythms.entry(originator).and_modify(again).or_insert(rhythm);
    }

    /// Takes over the clients of gateways that the mesh does not hear any more, and gives up our own when we do not hear
    /// it: the reference leaves both to their claims, for 60 s or for ever.
    pub(super) fn look(&mut self, ctx: &mut Context<'_>, routing: &dyn Routing) {
        let Some(own) = self.own else { return };
        let now = ctx.now;
        self.ask_again(ctx, own);
        for vid in self.patience.vids() {
            let was_spent = self.patience.is_spent(vid);
            self.bear(ctx, vid);
            self.stale |= was_spent != self.patience.is_spent(vid);
            self.tell_open(ctx, own, vid);
        }
        let foreign: BTreeSet<Mac> =
            self.table.backbones().map(|(mac, ..)| mac).filter(|mac| *mac != own).collect();
        self.rhythms.retain(|mac, _| foreign.contains(mac));
        let mut doubts = BTreeMap::new();
        for gateway in foreign {
            let Some(rhythm) = self.rhythms.get(&gateway) else { continue };
            let reached = routing.metric(gateway).is_some_and(|metric| metric > 0);
            if reached && rhythm.silent_at() > now {
                continue;
            }
            let jitter = || now + ctx.rng.millis_below(TAKE_OVER_JITTER_MS);
            let due = self.doubts.get(&gateway).copied().unwrap_or_else(jitter);
            doubts.insert(gateway, due);
            if due <= now {
                self.take_over(ctx, own, gateway);
            }
        }
        self.stale |= !self.doubts.keys().eq(doubts.keys());
        self.doubts = doubts;
        let has_mesh = |mac: &Mac| routing.metric(*mac).is_some_and(|metric| metric > 0);
        if routing.originators().iter().any(has_mesh) {
            self.mesh_lost = None;
        } else if self.mesh_lost.get_or_insert(now).timed_out(now, MESH_LOST_TIMEOUT) {
            for (vid, mac) in self.own_clients(own) {
                self.unclaim(ctx, own, Client::new(mac, vid));
            }
        }
    }

    /// The clients of a gateway that somebody outside of the LAN announces are in the mesh: we can serve them.
    fn take_over(&mut self, ctx: &mut Context<'_>, own: Mac, gateway: Mac) {
        let fib = ctx.fib.reader();
        let guard = fib.pin();
        let clients = self.table.of(gateway).flat_map(|(vid, backbone)| {
            backbone.clients.iter().map(move |mac| Client::new(*mac, vid))
        });
        let in_the_mesh = |client: &Client| {
            guard.best_announcer(*client).is_some_and(|best| {
                best.originator.metric() > 0
                    && self.table.backbone(best.originator.mac(), client.vid).is_none()
            })
        };
        let clients: Vec<_> = clients.filter(in_the_mesh).take(TAKE_OVER_MAX).collect();
        drop(guard);
        for client in clients {
            self.claim(ctx, own, client);
        }
    }

    /// Whom we serve.
    pub(super) fn own_clients(&self, own: Mac) -> Vec<(Vid, Mac)> {
        let of = |(vid, backbone): (Vid, &super::table::Backbone)| {
            backbone.clients.iter().map(move |mac| (vid, *mac)).collect::<Vec<_>>()
        };
        self.table.of(own).flat_map(of).collect()
    }
}
