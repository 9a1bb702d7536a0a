//! Whether, and how, the kernel forwards unicast in transit by itself: chosen once at the start, said in one line, and kept
//! in step with the FIB by the engine's thread.

mod account;
mod pins;

pub(crate) use account::Account;

use crate::api;
use crate::settings::OffloadChoice;
use noctule_dataplane::offload::{Inherited, Mirror, OpenError, RouteCounts, Transit};
use noctule_fib::{Fib, Iface, Watch};
use noctule_wire::{Instant, Mac};
use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};

/// How long the maps hold after they were last renewed: as long as a neighbour remembers a node that has fallen silent
/// (FWD section 16). After that nobody would send anything here.
const LEASE: Duration = Duration::from_secs(200);
/// How often they are renewed.
const RENEW_EVERY: Duration = Duration::from_secs(20);
/// How long what a dead daemon left may stand in for what this one does not know yet.
const INHERITED_FOR: Duration = Duration::from_secs(60);
/// The offload of a node.
#[derive(Debug)]
pub(crate) struct Offload {
    active: Option<Box<Active>>,
    /// Why there is none, if somebody wanted it.
    because: Option<String>,
    keep: bool,
}

#[derive(Debug)]
struct Active {
    transit: Transit,
    mirror: Mirror,
    account: Arc<Account>,
    renew_at: Instant,
    inherited_until: Option<Instant>,
    adopted: usize,
}

impl Offload {
    /// Loads the program, unless nobody wants it. `fib` is what it goes by, of which `watch` tells the changes.
    pub(crate) fn start(
        choice: OffloadChoice,
        keep: bool,
        mesh: &str,
        (fib, watch): (Fib, Watch),
        now: Instant,
    ) -> Self {
        let place = pins::place(mesh);
        if choice == OffloadChoice::Off {
            if let Ok(place) = &place {
                pins::clear(place);
            }
            return Self { active: None, because: None, keep };
        }
        match Transit::open(place.as_deref().ok()) {
            Ok((transit, inherited)) => {
                let adopted = inherited.routes.len();
                match &place {
                    Ok(_) => info!(adopted, "packets in transit are forwarded inside the kernel"),
                    Err(reason) => info!(
                        "packets in transit are forwarded inside the kernel, but only while this process lives: {reason}"
                    ),
                }
                let active = Active::new(transit, inherited, fib, watch, now);
                Self { active: Some(Box::new(active)), because: None, keep }
            }
            Err(error) => Self::without(choice, keep, &error),
        }
    }

    /// None, for this reason.
    pub(crate) fn none(keep: bool, mesh: &str, because: &str) -> Self {
        if let Ok(place) = pins::place(mesh) {
            pins::clear(&place);
        }
        info!("packets in transit are forwarded by this process: {because}");
        Self { active: None, because: Some(because.into()), keep }
    }

    /// Whether there is a program.
    pub(crate) fn is_active(&self) -> bool {
        self.active.is_some()
    }

    fn without(choice: OffloadChoice, keep: bool, error: &OpenError) -> Self {
        let because = error.to_string();
        if choice == OffloadChoice::Auto {
            info!("packets in transit are forwarded by this process: {because}");
        } else {
            warn!("packets in transit are forwarded by this process: {because}");
        }
        Self { active: None, because: Some(because), keep }
    }

    /// The mesh interface, given by index and name: frames of hosts pass inside the kernel, too, where they can.
    pub(crate) fn attach_host(&mut self, ifindex: u32, name: &str) {
        let Some(active) = &mut self.active else { return };
        match active.transit.attach_host(name) {
            Ok(()) => active.mirror.attach_host(ifindex),
            Err(problem) => {
                warn!(interface = name, %problem, "frames of hosts are not carried inside the kernel");
            }
        }
    }

    /// An interface has joined: its number in the mesh, its index in the kernel, its name.
    pub(crate) fn attach(&mut self, iface: Iface, ifindex: u32, name: &str) {
        let Some(active) = &mut self.active else { return };
        match active.transit.attach(ifindex, name) {
            Ok(was_there) => {
                active.mirror.attach(iface, ifindex, was_there, &mut active.transit);
            }
            Err(problem) => {
                warn!(interface = name, %problem, "what arrives here is not forwarded inside the kernel");
            }
        }
    }

    /// An interface has left.
    pub(crate) fn detach(&mut self, iface: Iface, ifindex: u32) {
        let Some(active) = &mut self.active else { return };
        active.mirror.detach(iface);
        active.transit.detach(ifindex);
    }

    /// All interfaces of the configuration that exist have joined: programs on others are of no use any more.
    pub(crate) fn attached_all(&mut self, ifindexes: &[u32]) {
        let Some(active) = &mut self.active else { return };
        for ifindex in active.transit.pinned_links() {
            if !ifindexes.contains(&ifindex) {
                active.transit.detach(ifindex);
            }
        }
        active.mirror.attached_all(&mut active.transit);
    }

    /// Copies what has changed in the FIB into the kernel. After each turn of the engine.
    pub(crate) fn follow(&mut self, now: Instant) {
        if let Some(active) = &mut self.active {
            active.follow(now);
        }
    }

    /// What is to be brought up to date before the statistics are read.
    pub(crate) fn account(&self) -> Arc<Account> {
        self.active.as_ref().map(|active| Arc::clone(&active.account)).unwrap_or_default()
    }

    /// For `noctule status`.
    pub(crate) fn row(&self) -> api::Offload {
        let Some(active) = &self.active else {
            let because = self.because.clone();
            return api::Offload { how: "off".into(), because, ..api::Offload::default() };
        };
        let arrived = Iface::all().map(|iface| active.account.since_start(iface));
        let (frames, bytes) =
            arrived.fold((0, 0), |sum, (frames, bytes)| (sum.0 + frames, sum.1 + bytes));
        let host = active.account.host();
        api::Offload {
            how: "tc".into(),
            because: None,
            pinned: active.transit.is_pinned(),
            adopted: active.adopted,
            routes: active.mirror.routes(),
            frames,
            bytes,
            sent_frames: host.sent,
            delivered_frames: host.delivered,
        }
    }

    /// Frames, and their bytes, that arrived on an interface and were forwarded inside the kernel; `None` if none can be.
    pub(crate) fn arrived(&self, iface: Iface) -> Option<(u64, u64)> {
        let active = self.active.as_ref()?;
        active.mirror.is_attached(iface).then(|| active.account.since_start(iface))
    }

    /// What the kernel has forwarded to an originator; `None` if it forwards nothing.
    pub(crate) fn sent(&self, originator: Mac) -> Option<RouteCounts> {
        let active = self.active.as_ref()?;
        Some(active.mirror.counts(originator, &active.transit))
    }

    /// A regular end.
    pub(crate) fn stop(self) {
        let Some(active) = self.active else { return };
        if self.keep {
            active.transit.leave();
        } else {
            active.transit.remove();
        }
    }
}

impl Active {
    fn new(transit: Transit, inherited: Inherited, fib: Fib, watch: Watch, now: Instant) -> Self {
        let adopted = inherited.routes.len();
        let inherits = inherited != Inherited::default();
        Self {
            account: Arc::new(Account::new(transit.counted())),
            transit,
            mirror: Mirror::new(fib, watch, inherited),
            renew_at: now,
            inherited_until: inherits.then(|| now + INHERITED_FOR),
            adopted,
        }
    }

    fn follow(&mut self, now: Instant) {
        self.mirror.follow(&mut self.transit);
        if now >= self.renew_at {
            self.renew_at = now + RENEW_EVERY;
            self.mirror.renew(lease(), &mut self.transit);
            let clock = monotonic();
            let ago = |seen| clock.saturating_sub(Duration::from_nanos(seen));
            let seen = self.transit.seen().map(|(client, seen)| (client, ago(seen)));
            self.mirror.note_seen(seen, now);
        }
        if self.inherited_until.is_some_and(|until| now >= until) {
            self.inherited_until = None;
            self.mirror.disinherit(&mut self.transit);
        }
    }
}

/// Until when the maps hold that are renewed now, on the program's clock.
fn lease() -> u64 {
    u64::try_from((monotonic() + LEASE).as_nanos()).unwrap_or(u64::MAX)
}

/// The programs' clock.
fn monotonic() -> Duration {
    let clock = nix::time::ClockId::CLOCK_MONOTONIC;
    clock.now().map_or(Duration::ZERO, Duration::from)
}
