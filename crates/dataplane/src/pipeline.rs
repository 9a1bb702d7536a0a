//! What becomes of a frame: the pure middle of the data plane. No I/O, no clock, no lock, and no allocation on the
//! forward path.
//!
//! Each frame is judged first, which changes nothing and gives one [`Verdict`]; then one function carries it out. Daemon,
//! simulator, fuzzers and benches call the same. What leaves goes into an [`Outlet`], which a batch can share.
//!
//! The rules are those of `docs/protocol/05-forwarding.md` (FWD-nn) and section 14 of the translation table (TT-111 to
//! TT-120). Group frames follow 09-multicast.md, ARP and neighbour discovery 07-distributed-arp-table.md; gateways
//! 08-gateway.md; a LAN behind the mesh interface 06-bridge-loop-avoidance.md.

mod bridged_lan;
mod broadcast;
mod buffers;
mod cache;
mod carry_out;
mod dat;
pub mod egress;
mod fairness;
mod gateway;
mod hash;
mod host;
mod isolation;
mod judge;
mod lan_duplicates;
mod learn;
mod mss;
mod multicast;
mod neighbours;
mod reassembly;
mod recent;
mod settings;
pub mod steering;
mod ttvn;
mod verdict;
mod window;

pub use multicast::FanOut;
pub use neighbours::Neighbour;
pub use settings::PipelineSettings;
pub use verdict::{Carrier, Delivery, Forward, Transit, Verdict};

use crate::Outlet;
use broadcast::Repetitions;
use hash::Keyed;
use lan_duplicates::LanDuplicates;
use noctule_fib::{Counters, Fib, Guard, Iface};
use noctule_wire::{Instant, Mac, Vid};
use reassembly::Reassembly;
use recent::RecentClients;
use std::sync::Arc;
use steering::Steer;
use window::Windows;

/// The data plane of one node, or one worker's share of it. Owned by that worker; the tables that it reads belong to the
/// engine.
///
/// Hand in every frame with [`Self::receive`] and [`Self::send`], or a batch of them by a [`Session`], and call
/// [`Self::on_deadline`] when the instant of [`Self::next_deadline`] has come. Ask for that instant anew after each batch.
#[derive(Debug)]
pub struct Pipeline {
    fib: Fib,
    counters: Arc<Counters>,
    state: State,
}

/// One worker of several.
#[derive(Clone, Copy, Debug)]
struct Place {
    index: usize,
    count: usize,
}

/// What is known of clients whose entries the engine has yet to publish. All workers of a node share it.
#[derive(Debug)]
struct Recent {
    /// Clients of ours that the engine has been told about.
    local: RecentClients,
    /// Clients of others that the engine has been told about.
    remote: RecentClients,
    /// Which gateway serves clients whose claims the engine has yet to publish; the zero address: none.
    claims: RecentClients,
    /// Clients that another gateway was left to claim.
    yielded: RecentClients,
}

/// What the worker itself remembers. Everything in it is bounded by [`PipelineSettings`].
#[derive(Debug)]
struct State {
    place: Place,
    recent: Arc<Recent>,
    windows: Windows,
    reassembly: Reassembly,
    repetitions: Repetitions,
    dat: dat::Cache,
    neighbours: neighbours::Cache,
    lan_duplicates: LanDuplicates,
    /// Here a merged packet is put together.
    merged: Vec<u8>,
    /// Destinations of the multicast packet at hand.
    destinations: Vec<multicast::Destination>,
    /// Those of them that one copy names.
    tracked: Vec<Mac>,
    /// Here a host frame gets its header when it must be cut into fragments.
    cut: Vec<u8>,
    /// Here a handshake is put whose segment size is lowered.
    clamped: Vec<u8>,
}

impl Pipeline {
    /// A data plane that reads `fib` and counts into `counters`, which no other thread may add to.
    pub fn new(fib: Fib, counters: Arc<Counters>, settings: PipelineSettings) -> Self {
        let recent = Arc::new(Recent::new(&settings));
        Self::in_place(fib, counters, settings, Place { index: 0, count: 1 }, recent)
    }

    /// The shares of as many workers as there are `counters`, one for each; see [`steering`] for who does what.
    pub fn for_workers(
        fib: &Fib,
        counters: &[Arc<Counters>],
        settings: PipelineSettings,
    ) -> Vec<Self> {
        let recent = Arc::new(Recent::new(&settings));
        let count = counters.len();
        let share = |(index, counters): (usize, &Arc<Counters>)| {
            // Strangers fill it, so all workers together have no more than one had.
            let reassemblies = settings.reassemblies.div_ceil(count);
            let settings = PipelineSettings { reassemblies, ..settings };
            let place = Place { index, count };
            let fib = fib.in_lane(index, count);
            Self::in_place(fib, Arc::clone(counters), settings, place, Arc::clone(&recent))
        };
        counters.iter().enumerate().map(share).collect()
    }

    fn in_place(
        fib: Fib,
        counters: Arc<Counters>,
        settings: PipelineSettings,
        place: Place,
        recent: Arc<Recent>,
    ) -> Self {
        let hash = Keyed(settings.hash_key);
        let state = State {
            place,
            recent,
            windows: Windows::new(settings.originators, hash),
            reassembly: Reassembly::new(settings.originators, settings.reassemblies, hash),
            repetitions: Repetitions::new(settings.broadcast_queue),
            dat: dat::Cache::new(settings.arp_entries, hash),
            neighbours: neighbours::Cache::new(settings.neighbour_entries, hash),
            lan_duplicates: LanDuplicates::new(hash),
            merged: Vec::new(),
            destinations: Vec::new(),
            tracked: Vec::new(),
            cut: Vec::new(),
            clamped: Vec::new(),
        };
        Self { fib, counters, state }
    }

    /// Pins the tables for a batch of frames at `now`.
    pub fn session(&mut self, now: Instant) -> Session<'_> {
        let Self { fib, counters, state } = self;
        Session { now, guard: fib.pin(), counters, state }
    }

    /// Takes one frame from a hard interface, starting with the outer Ethernet header. It may be rewritten in place.
    pub fn receive(&mut self, now: Instant, iface: Iface, frame: &mut [u8], out: &mut impl Outlet) {
        self.session(now).receive(iface, frame, out);
    }

    /// Takes one frame that the host sends by the mesh interface, starting with its only Ethernet header.
    pub fn send(&mut self, now: Instant, frame: &[u8], out: &mut impl Outlet) {
        self.session(now).send(frame, out);
    }

    /// When to call [`Self::on_deadline`]; `None` while nothing waits.
    pub fn next_deadline(&self) -> Option<Instant> {
        let State { repetitions, reassembly, dat, neighbours, .. } = &self.state;
        let caches = [dat.next_deadline(), neighbours.next_deadline()];
        [repetitions.next_deadline(), reassembly.next_deadline()]
            .into_iter()
            .chain(caches)
            .flatten()
            .min()
    }

    /// Sends the broadcast repetitions that are due, and gives up packets whose fragments did not come. Calling it early
    /// or late does no harm.
    pub fn on_deadline(&mut self, now: Instant, out: &mut impl Outlet) {
        let Session { guard, counters, state, .. } = self.session(now);
        state.repetitions.run(
            now,
            &guard,
            |address| {
                guard.node().dat.is_some() && dat::answerable(&guard, &state.dat, address).is_some()
            },
            |iface, priority, frame| out.transmit(iface, priority, &[frame]),
            |reason| counters.discard(reason),
        );
        state.reassembly.expire(now, |reason| counters.discard(reason));
        state.dat.purge(now);
        state.neighbours.purge(now);
    }
}

impl Pipeline {
    /// The cache of the distributed ARP table (DAT-81): address, VLAN, MAC, and how long ago somebody spoke of it.
    pub fn arp_rows(
        &self,
        now: Instant,
    ) -> impl Iterator<Item = (core::net::Ipv4Addr, Vid, Mac, core::time::Duration)> + '_ {
        self.state.dat.rows(now).map(|((ip, vid), mac, age)| (ip, vid, mac, age))
    }

    /// The cache of IPv6 neighbours: address, VLAN, what is known, and how long ago it was confirmed.
    pub fn neighbour_rows(
        &self,
        now: Instant,
    ) -> impl Iterator<Item = (core::net::Ipv6Addr, Vid, Neighbour, core::time::Duration)> + '_
    {
        self.state.neighbours.rows(now).map(|((ip, vid), known, age)| (ip, vid, known, age))
    }
}

impl Recent {
    fn new(settings: &PipelineSettings) -> Self {
        let clients = || RecentClients::new(settings.recent_clients, Keyed(settings.hash_key));
        Self { local: clients(), remote: clients(), claims: clients(), yielded: clients() }
    }
}

impl Place {
    /// Which other worker a frame belongs to, if it is not for this one.
    fn other(self, steer: impl FnOnce() -> Steer) -> Option<usize> {
        if self.count == 1 {
            return None;
        }
        match steer() {
            Steer::Flow(_) => None,
            steer => Some(steer.worker(self.count)).filter(|worker| *worker != self.index),
        }
    }
}

/// A batch: the tables are pinned once for all frames in it, and all are judged by the same time.
#[derive(Debug)]
pub struct Session<'p> {
    now: Instant,
    guard: Guard<'p>,
    counters: &'p Counters,
    state: &'p mut State,
}
