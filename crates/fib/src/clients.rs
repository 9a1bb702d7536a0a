//! Clients: ours, and those that other originators announce.

use core::sync::atomic::{AtomicU32, Ordering};
use noctule_wire::tvlv::translation_table::ClientFlags;
use noctule_wire::{Instant, Mac};

/// The originators that announce a client, newest first (TT-62 step 6). Nearly always one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Announcers {
    /// One originator: no allocation.
    One(Mac),
    /// None or several.
    List(Box<[Mac]>),
}

impl Announcers {
    /// The originators, newest first.
    pub fn as_slice(&self) -> &[Mac] {
        match self {
            Self::One(mac) => core::slice::from_ref(mac),
            Self::List(macs) => macs,
        }
    }
}

impl FromIterator<Mac> for Announcers {
    fn from_iter<I: IntoIterator<Item = Mac>>(macs: I) -> Self {
        let mut macs = macs.into_iter();
        match (macs.next(), macs.next()) {
            (Some(only), None) => Self::One(only),
            (first, second) => Self::List(first.into_iter().chain(second).chain(macs).collect()),
        }
    }
}

/// A client somewhere else in the mesh.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GlobalClient {
    /// ROAM, TEMP, and the OR of what its announcers say (WIFI, ISOLATED).
    pub flags: ClientFlags,
    /// Who announces it.
    pub announcers: Announcers,
}

/// A client behind our mesh interface.
#[derive(Debug)]
pub struct LocalClient {
    /// As in the engine's local table.
    pub flags: ClientFlags,
    last_seen: AtomicU32,
}

/// The clock of [`LocalClient::last_seen`]: 100 ms, which 32 bits hold for 13 years.
const TICK_MICROS: u64 = 100_000;

impl LocalClient {
    pub(crate) fn new(flags: ClientFlags, now: Instant) -> Self {
        let client = Self { flags, last_seen: AtomicU32::new(0) };
        client.seen(now);
        client
    }

    /// Notes that it sent a frame at `now`. Any thread may call this.
    pub fn seen(&self, now: Instant) {
        let tick = u32::try_from(now.as_micros() / TICK_MICROS).unwrap_or(u32::MAX);
        // A store only when the tick has moved on: a shared cache line stays shared under load.
        if self.last_seen.load(Ordering::Relaxed) != tick {
            self.last_seen.store(tick, Ordering::Relaxed);
        }
    }

    /// When it last sent a frame, rounded down to 100 ms.
    pub fn last_seen(&self) -> Instant {
        Instant::from_micros(u64::from(self.last_seen.load(Ordering::Relaxed)) * TICK_MICROS)
    }

    /// Whether it has roamed away: who still sends its frames here is told where it went (FWD-66 step 2).
    pub const fn has_departed(&self) -> bool {
        self.flags.contains(ClientFlags::ROAM)
    }

    /// Whether frames for it belong here: neither leaving nor gone (TT-24).
    pub const fn is_mine(&self) -> bool {
        self.flags.and(ClientFlags::PENDING.or(ClientFlags::ROAM)).0 == 0
    }
}
