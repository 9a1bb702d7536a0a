//! Gateways of one LAN: claim frames in, claim frames out.

mod claims;
mod contest;
mod failover;
mod gate;
mod hostile;

use super::*;
use crate::{Limits, Rng, Settings};
use noctule_fib::{Announcers, Counters, GlobalClient, HashKey, Iface, NextHop, View, Writer};
use noctule_wire::claim::{ClaimType, Recognised, recognise};
use noctule_wire::tvlv::translation_table::ClientFlags;
use noctule_wire::{Discard, SeqNo};
use std::collections::VecDeque;

/// The gateways of section 5, and two clients of the mesh.
const A: Mac = Mac([2, 0, 0, 0, 0, 1]);
const B: Mac = Mac([2, 0, 0, 0, 0, 2]);
const C1: Mac = Mac([2, 0xaa, 0, 0, 0, 0x10]);
const C2: Mac = Mac([2, 0xaa, 0, 0, 0, 0x11]);
/// The node of the mesh that the clients are behind, and a node of another mesh.
const NODE: Mac = Mac([2, 0, 0, 0, 0, 9]);
const STRANGER: Mac = Mac([2, 0, 0, 0, 0, 0x77]);
const UNTAGGED: Vid = Vid::UNTAGGED;

/// What the mesh knows, with qualities.
#[derive(Debug, Default)]
struct Mesh(BTreeMap<Mac, u32>);

impl Routing for Mesh {
    fn knows(&self, originator: Mac) -> bool {
        self.0.contains_key(&originator)
    }

    fn router(&self, originator: Mac, _: View) -> Option<NextHop> {
        self.metric(originator)?;
        Some(NextHop { iface: Iface::new(0)?, mac: originator })
    }

    fn metric(&self, originator: Mac) -> Option<u32> {
        self.0.get(&originator).copied()
    }

    fn originators(&self) -> Vec<Mac> {
        self.0.keys().copied().collect()
    }
}

/// A gateway.
struct Gateway {
    bla: BridgeLoopAvoidance,
    fib: Writer,
    settings: Settings,
    counters: Counters,
    outputs: VecDeque<Output>,
    rng: Rng,
    own: Option<Mac>,
    mesh: Mesh,
    vlans: VlanSet,
    changes: Vec<(Mac, Vid, bool)>,
}

impl Gateway {
    fn new(own: Mac) -> Self {
        let everybody = [A, B, NODE].into_iter().filter(|mac| *mac != own);
        Self {
            bla: BridgeLoopAvoidance::new(),
            fib: Writer::new(HashKey([1, 2]), 0, SeqNo(0)),
            settings: Settings::default(),
            counters: Counters::default(),
            outputs: VecDeque::new(),
            rng: Rng::new(u64::from(own.0[5])),
            own: Some(own),
            mesh: Mesh(everybody.map(|mac| (mac, 200)).collect()),
            vlans: [10].into_iter().collect(),
            changes: Vec::new(),
        }
    }

    fn with(
        &mut self,
        now: Instant,
        act: impl FnOnce(&mut BridgeLoopAvoidance, &mut Context<'_>, &Mesh, &VlanSet),
    ) {
        let mut ctx = Context {
            now,
            settings: &self.settings,
            primary: self.own,
            fib: &mut self.fib,
            counters: &self.counters,
            outputs: &mut self.outputs,
            rng: &mut self.rng,
        };
        act(&mut self.bla, &mut ctx, &self.mesh, &self.vlans);
        self.bla.reconcile(&mut ctx);
        self.bla.table.check();
        self.changes.extend(self.bla.take_changes());
        let published = self.bla.lan(now);
        assert_eq!(published.map(|lan| lan.gate.clone()), self.bla.own.map(|_| self.bla.gate()));
    }

    fn start(&mut self, now: Instant) {
        self.with(now, |bla, ctx, _, _| bla.set_bridged(ctx, true));
    }

    fn news(&mut self, now: Instant, news: BridgeNews) {
        self.with(now, |bla, ctx, mesh, vlans| bla.on_news(ctx, mesh, vlans, news));
    }

    fn frame(&mut self, now: Instant, claim: Claim) {
        self.news(now, BridgeNews::Frame(claim));
    }

    fn claimed(&mut self, now: Instant, client: Mac) {
        self.news(now, BridgeNews::Claimed(Client::untagged(client)));
    }

    /// The mesh has this client behind [`NODE`].
    fn announced(&mut self, client: Mac) {
        self.fib.add_originator(NODE);
        self.fib.set_metric(NODE, 200);
        let hop = NextHop { iface: Iface::new(0).unwrap(), mac: NODE };
        self.fib.set_router(NODE, View::Default, Some(hop));
        let announcers = Announcers::One(NODE);
        let entry = GlobalClient { flags: ClientFlags::NONE, announcers };
        self.fib.set_global(Client::untagged(client), entry);
    }

    /// The claim frames that it has sent; the mark left out, which has a test of its own.
    fn said(&mut self) -> Vec<Claim> {
        self.sent().into_iter().map(|claim| Claim { mark: None, ..claim }).collect()
    }

    fn sent(&mut self) -> Vec<Claim> {
        let frames = core::mem::take(&mut self.outputs).into_iter().filter_map(|output| {
            let Output::ToHost { frame } = output else { return None };
            let Recognised::Claim(claim) = recognise(&frame) else { panic!("{frame:x?}") };
            assert_eq!(claim.mark.is_some(), claim.claim_type == ClaimType::Announce, "{claim:?}");
            Some(claim)
        });
        frames.collect()
    }

    fn kinds(&mut self) -> Vec<(ClaimType, Vid)> {
        self.said().iter().map(|claim| (claim.claim_type, claim.vid)).collect()
    }

    /// Who serves this client, as the data plane sees it.
    fn owner(&self, client: Mac) -> Option<Mac> {
        let reader = self.fib.reader();
        let guard = reader.pin();
        let owner = guard.claim(Client::untagged(client)).map(|entry| entry.owner);
        assert_eq!(owner, self.bla.table.claim(Client::untagged(client)).map(|claim| claim.owner));
        owner
    }

    fn is_gate_closed(&mut self, vid: Vid) -> bool {
        self.bla.lan(Instant::ZERO).is_some_and(|lan| lan.gate.contains(vid))
    }

    fn crc(&self, of: Mac, vid: Vid) -> Option<u16> {
        self.bla.table.backbone(of, vid).map(|backbone| backbone.crc)
    }

    fn discarded(&self, reason: Discard) -> u64 {
        self.counters.discarded(reason)
    }

    /// Lets time pass, alone.
    fn run_to(&mut self, end: Instant) {
        while self.bla.next_deadline() <= end {
            let now = self.bla.next_deadline();
            self.with(now, |bla, ctx, mesh, _| bla.on_deadline(ctx, mesh));
        }
    }
}

/// Gateways on one LAN: whatever one says, the others hear.
struct Lan {
    now: Instant,
    gateways: Vec<Gateway>,
    heard: Vec<Claim>,
}

impl Lan {
    fn of(macs: &[Mac]) -> Self {
        let gateways = macs.iter().map(|mac| Gateway::new(*mac)).collect();
        Self { now: s(1), gateways, heard: Vec::new() }
    }

    fn settle(&mut self) {
        for _ in 0..100 {
            let mut any = false;
            for from in 0..self.gateways.len() {
                for claim in self.gateways[from].sent() {
                    any = true;
                    self.heard.push(Claim { mark: None, ..claim });
                    for (to, gateway) in self.gateways.iter_mut().enumerate() {
                        if to != from {
                            gateway.frame(self.now, claim);
                        }
                    }
                }
            }
            if !any {
                return;
            }
        }
        panic!("the gateways never stop talking");
    }

    /// Lets time pass; while it does the gateways of `heard_by_mesh` send OGMs every second.
    fn run(&mut self, duration: Duration, heard_by_mesh: &[Mac]) {
        let end = self.now + duration;
        let mut next_ogm = self.now + Duration::from_millis(1000);
        self.settle();
        loop {
            let next = self.gateways.iter().map(|gateway| gateway.bla.next_deadline());
            let next = next.min().unwrap().min(next_ogm);
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            if next_ogm <= self.now {
                next_ogm += Duration::from_millis(1000);
                for gateway in &mut self.gateways {
                    for mac in heard_by_mesh {
                        gateway.with(self.now, |bla, ctx, _, _| bla.on_ogm(ctx, *mac));
                    }
                }
            }
            let now = self.now;
            for gateway in &mut self.gateways {
                if gateway.bla.next_deadline() <= now {
                    gateway.with(now, |bla, ctx, mesh, _| bla.on_deadline(ctx, mesh));
                }
            }
            self.settle();
        }
        self.now = end;
    }

    /// All gateways see the same owner.
    fn owner(&self, client: Mac) -> Option<Mac> {
        let owners: Vec<_> = self.gateways.iter().map(|gateway| gateway.owner(client)).collect();
        assert!(owners.iter().all(|owner| *owner == owners[0]), "{owners:?}");
        owners[0]
    }
}

fn s(seconds: u64) -> Instant {
    Instant::from_millis(seconds * 1000)
}

fn ms(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

/// Two gateways that have found each other, 35 s later.
fn two() -> Lan {
    let mut lan = Lan::of(&[A, B]);
    for gateway in &mut lan.gateways {
        gateway.start(s(1));
        gateway.announced(C1);
        gateway.announced(C2);
    }
    lan.run(Duration::from_secs(35), &[A, B, NODE]);
    lan
}
