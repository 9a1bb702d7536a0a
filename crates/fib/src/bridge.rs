//! What the data plane must know of a LAN behind the mesh interface that other nodes may be bridged into, too
//! (06-bridge-loop-avoidance.md), and what it tells the engine about it.

use crate::VidSet;
use core::sync::atomic::Ordering;
use noctule_wire::{Claim as ClaimFrame, Client, Instant, Mac, Vid};
use portable_atomic::AtomicU64;

/// Bridge loop avoidance, while it works: part of the snapshot of this node.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct BridgedLan {
    /// Names the LAN in claim frames (BLA-01).
    pub group: u16,
    /// VLANs that this node has announced itself on (BLA-17).
    pub announced: VidSet,
    /// VLANs on which group frames are held back (BLA-38, per VLAN: BLA-42 `[REC]`).
    pub gate: VidSet,
    /// Source of our own loop detection frames (BLA-66); until when one that comes back counts as a loop.
    pub loop_detect: Option<(Mac, Instant)>,
}

/// Which gateway serves a client of the mesh into the LAN.
#[derive(Debug)]
pub struct ClaimEntry {
    /// The gateway's originator address; ours, if we do.
    pub owner: Mac,
    /// Microseconds: when the mesh last brought a frame of the client here.
    used: AtomicU64,
}

impl ClaimEntry {
    pub(crate) fn new(owner: Mac, used: Instant) -> Self {
        Self { owner, used: AtomicU64::new(used.as_micros()) }
    }

    /// The mesh brought a frame of the client here. Any thread may call this.
    pub fn use_at(&self, now: Instant) {
        self.used.store(now.as_micros(), Ordering::Relaxed);
    }

    /// When the mesh last did.
    pub fn used(&self) -> Instant {
        Instant::from_micros(self.used.load(Ordering::Relaxed))
    }
}

/// What the data plane has seen or done; for the engine.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum BridgeNews {
    /// A claim frame came from the LAN.
    Frame(ClaimFrame),
    /// The mesh brought a frame of this client, and so we have claimed it (BLA-45, BLA-48).
    Claimed(Client),
    /// The LAN brought a frame of a client that we had claimed: it has moved there (BLA-55).
    Unclaimed(Client),
    /// A frame passed on a VLAN that this node has not announced itself on (BLA-17).
    Traffic(Vid),
    /// Our own loop detection frame came back by the mesh, on this VLAN (BLA-67).
    Loop(Vid),
}
