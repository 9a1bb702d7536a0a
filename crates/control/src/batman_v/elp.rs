//! ELP: finding neighbours, and having the links to them measured (sections 4 to 6).

use super::BatmanV;
use super::queue::Queue;
use super::throughput::Measured;
use crate::interfaces::{Interface, Interfaces};
use crate::routing::RoutingEvent;
use crate::{Context, Event, Output};
use core::time::Duration;
use noctule_fib::{Iface, NextHop};
use noctule_wire::ogm2::Throughput;
use noctule_wire::{Discard, Elp, Instant, Mac, SeqNo, ethernet};

/// Half width of the jitter (JITTER), ms.
pub(super) const JITTER_MS: u32 = 20;
/// As far behind a number is a restart (ELP_MAX_AGE).
const WINDOW: i32 = 64;
/// Probes of one wireless neighbour in one tick (PROBES).
const PROBES: usize = 2;
/// No probes if payload went there within this time (PROBE_IDLE).
const PROBE_IDLE: Duration = Duration::from_millis(100);
/// Neighbours on one link that are remembered (V-H2).
const NEIGHBOURS_MAX: usize = 512;
/// New neighbours on one link within a second that are taken in (V-H2).
const NEW_MAX: u32 = 64;
const SECOND: Duration = Duration::from_secs(1);

/// What the algorithm knows of one attached interface (V-05).
#[derive(Debug)]
pub(super) struct LinkState {
    /// Number of the next ELP.
    seqno: SeqNo,
    /// When it leaves.
    pub(super) next_elp: Instant,
    /// Whether both directions go at once (V-09).
    pub(super) full_duplex: bool,
    /// Whether it is wireless.
    wifi: bool,
    /// Whether it was noted already, ahead of the next ELP, how much left to whom.
    looked: bool,
    /// The operator was told already that the speed of this link is unknown (V-23).
    warned: bool,
    pub(super) queue: Queue,
    /// Beginning of the second in which newcomers are counted, and how many there were.
    newcomers: (Instant, u32),
}

impl LinkState {
    pub(super) fn new(ctx: &mut Context<'_>, interface: &Interface, seqno: SeqNo) -> Self {
        Self {
            seqno,
            next_elp: next_elp(ctx, interface.settings.elp_interval),
            full_duplex: !interface.link.wifi,
            wifi: interface.link.wifi,
            looked: false,
            warned: false,
            queue: Queue::new(ctx),
            newcomers: (ctx.now, 0),
        }
    }

    /// The interface looks different.
    pub(super) fn changed(&mut self, interface: &Interface) {
        self.wifi = interface.link.wifi;
        self.full_duplex &= !self.wifi;
    }

    /// When something is to be done: the ELP, or a look at how much leaves to whom shortly before.
    pub(super) fn next_deadline(&self) -> Instant {
        let ahead = if self.wifi && !self.looked { PROBE_IDLE } else { Duration::ZERO };
        (self.next_elp - ahead).min(self.queue.next_deadline())
    }

    /// Whether one more neighbour may come to be in this second.
    fn admits(&mut self, now: Instant) -> bool {
        if self.newcomers.0.timed_out(now, SECOND) {
            self.newcomers = (now, 0);
        }
        self.newcomers.1 += 1;
        self.newcomers.1 <= NEW_MAX
    }
}

/// When the next ELP leaves after one that leaves now (V-10).
pub(super) fn next_elp(ctx: &mut Context<'_>, interval: Duration) -> Instant {
    let jitter = ctx.rng.millis_below(2 * JITTER_MS);
    ctx.now + interval.saturating_sub(Duration::from_millis(u64::from(JITTER_MS))) + jitter
}

impl BatmanV {
    /// The ELP of an interface, if it is due, and what goes with it (V-10 to V-16).
    pub(super) fn tick_elp(&mut self, ctx: &mut Context<'_>, iface: Iface, interface: &Interface) {
        let Some(link) = &mut self.links[iface.index()] else { return };
        if link.wifi && !link.looked && link.next_elp - PROBE_IDLE <= ctx.now {
            link.looked = true;
            for (mac, neighbour) in self.neighbours.of_mut(iface) {
                neighbour.unicasts = ctx.fib.unicasts(NextHop { iface, mac });
            }
        }
        if link.next_elp > ctx.now {
            return;
        }
        link.looked = false;
        link.next_elp = next_elp(ctx, interface.settings.elp_interval);
        let Some(originator) = ctx.primary.filter(|_| interface.active()) else { return };
        let elp = Elp {
            originator,
            seqno: link.seqno,
            interval_ms: u32::try_from(interface.settings.elp_interval.as_millis())
                .unwrap_or(u32::MAX),
        };
        link.seqno = link.seqno.next();
        let (own, wifi) = (interface.link.mac, interface.link.wifi);
        send(ctx, iface, Mac::BROADCAST, own, &elp.to_bytes());
        if wifi {
            for (mac, neighbour) in self.neighbours.of(iface) {
                if ctx.fib.unicasts(NextHop { iface, mac }) == neighbour.unicasts {
                    for _ in 0..PROBES {
                        send(ctx, iface, mac, own, &Elp::probe(originator));
                    }
                }
            }
        }
        let fixed = Throughput(interface.settings.throughput_override);
        if fixed.0 != 0 {
            // Nothing is asked, so nothing is learned of the duplex mode either (V-19).
            self.feed(iface, None, fixed);
        } else if wifi {
            for (mac, _) in self.neighbours.of(iface) {
                ctx.output(Output::Measure { iface, neighbour: Some(mac) });
            }
        } else if self.neighbours.of(iface).next().is_some() {
            ctx.output(Output::Measure { iface, neighbour: None });
        }
    }

    /// An answer to [`Output::Measure`]: for one neighbour, or for all on a wired link (V-95).
    pub(crate) fn measured(
        &mut self,
        ctx: &mut Context<'_>,
        interfaces: &Interfaces,
        iface: Iface,
        neighbour: Option<Mac>,
        measured: Measured,
    ) {
        let Some(interface) = interfaces.active(iface) else { return };
        let Some(link) = &mut self.links[iface.index()] else { return };
        if let Measured::Wired { full_duplex, .. } = measured {
            link.full_duplex = full_duplex && !interface.link.wifi;
        }
        if measured.is_default() && !interface.link.wifi && !link.warned {
            link.warned = true;
            ctx.event(Event::SpeedUnknown(iface));
        }
        if let Some(sample) = measured.sample() {
            self.feed(iface, neighbour, sample);
        }
    }

    fn feed(&mut self, iface: Iface, neighbour: Option<Mac>, sample: Throughput) {
        for (mac, entry) in self.neighbours.of_mut(iface) {
            if neighbour.is_none_or(|neighbour| neighbour == mac) {
                entry.throughput.add(sample);
            }
        }
    }

    /// A received ELP (V-31 to V-34). Its addresses were checked already.
    ///
    /// # Errors
    /// Why it is not used.
    pub(crate) fn on_elp(
        &mut self,
        ctx: &mut Context<'_>,
        interfaces: &Interfaces,
        iface: Iface,
        from: Mac,
        bytes: &[u8],
    ) -> Result<(), Discard> {
        interfaces.active(iface).ok_or(Discard::Inactive)?;
        let elp = Elp::parse(bytes)?;
        if interfaces.is_mine(from) {
            return Err(Discard::Own);
        }
        ctx.primary.ok_or(Discard::NoPrimary)?;
        if !elp.originator.is_station() {
            return Err(Discard::Malformed);
        }
        if interfaces.is_mine(elp.originator) {
            return Err(Discard::Own);
        }
        let hop = NextHop { iface, mac: from };
        let known = self.neighbours.get(hop).is_some();
        if !known {
            let link = self.links[iface.index()].as_mut().ok_or(Discard::Inactive)?;
            if !link.admits(ctx.now) {
                return Err(Discard::RateLimited);
            }
            if self.neighbours.of(iface).count() >= NEIGHBOURS_MAX {
                return Err(Discard::TableFull);
            }
        }
        self.originator(ctx, elp.originator, true)?;
        if !known {
            self.neighbours.insert(hop, elp.originator, ctx.fib.unicasts(hop), ctx.now);
        }
        if let Err(discard) = self.candidate(ctx, elp.originator, hop) {
            if !known {
                self.neighbours.release(hop);
            }
            return Err(discard);
        }
        if !known {
            ctx.event(Event::NeighbourAppeared(hop));
            self.events.push_back(RoutingEvent::NeighboursChanged);
        }
        let Some(neighbour) = self.neighbours.get_mut(hop) else { return Ok(()) };
        let ahead = elp.seqno.ahead_of(neighbour.latest);
        if -WINDOW < ahead && ahead < 1 {
            return Err(Discard::Duplicate);
        }
        neighbour.last_seen = ctx.now;
        neighbour.latest = elp.seqno;
        neighbour.interval = Duration::from_millis(u64::from(elp.interval_ms));
        if let Some(originator) = self.originators.get_mut(&elp.originator)
            && let Some(candidate) = originator.candidate_mut(hop)
        {
            candidate.last_seen = ctx.now;
        }
        Ok(())
    }
}

/// Hands out an ELP frame; they are not counted (V-17).
fn send(ctx: &mut Context<'_>, iface: Iface, to: Mac, from: Mac, elp: &[u8]) {
    let frame = [&ethernet::mesh_header(to, from)[..], elp].concat();
    ctx.output(Output::Transmit { iface, frame });
}
