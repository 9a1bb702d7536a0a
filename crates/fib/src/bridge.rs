//! What the data plane must know of a LAN behind the mesh interface that other nodes may be bridged into, too
//! (06-bridge-loop-avoidance.md), and what it tells the engine about it.

use crate::VidSet;
use core::sync::atomic::Ordering;
use noctule_wire::checksum::crc32c_raw;
use noctule_wire::{Claim as ClaimFrame, Client, Instant, Mac, Vid};
use portable_atomic::AtomicU64;

/// Another gateway of the LAN.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rival {
    /// Its originator address.
    pub gateway: Mac,
    /// On which VLAN.
    pub vid: Vid,
    /// Whether it leaves a client to the first choice (BLA-N1). The reference does not.
    pub yields: bool,
}

/// Bridge loop avoidance, while it works: part of the snapshot of this node.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct BridgedLan {
    /// Names the LAN in claim frames (BLA-01).
    pub group: u16,
    /// VLANs that this node has announced itself on (BLA-17).
    pub announced: VidSet,
    /// Other gateways that the mesh can hear.
    pub rivals: Box<[Rival]>,
    /// VLANs on which group frames are held back (BLA-38, per VLAN: BLA-42 `[REC]`).
    pub gate: VidSet,
    /// Source of our own loop detection frames (BLA-66); until when one that comes back counts as a loop.
    pub loop_detect: Option<(Mac, Instant)>,
}

impl BridgedLan {
    /// Whether we, `own`, are the one to claim a client that nobody serves, when a frame for all shows it to several gateways
    /// at the same moment (BLA-N1). All who count like this come to the same result, and the LAN gets one copy. The reference
    /// has no such rule: there each claims, and the LAN gets as many; so we leave the client to those who do not yield.
    pub fn is_first_choice(&self, own: Mac, client: Client) -> bool {
        let rank = |gateway: Mac| {
            let seed = crc32c_raw(0x6e6f_6374, &gateway.0);
            (scatter(crc32c_raw(seed, &client.mac.0)), gateway)
        };
        let mut rivals = self.rivals.iter().filter(|rival| rival.vid == client.vid);
        rivals.all(|rival| rival.yields && rank(rival.gateway) < rank(own))
    }
}

/// The CRC alone is linear: among three gateways one would have half of the clients. (The finaliser of MurmurHash3.)
fn scatter(mut sum: u32) -> u32 {
    sum = (sum ^ (sum >> 16)).wrapping_mul(0x85eb_ca6b);
    sum = (sum ^ (sum >> 13)).wrapping_mul(0xc2b2_ae35);
    sum ^ (sum >> 16)
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
    /// This client is left to another gateway; if that one does not claim it, we do (BLA-N1).
    Yielded(Client),
    /// The LAN brought a frame of a client that we had claimed: it has moved there (BLA-55).
    Unclaimed(Client),
    /// A frame passed on a VLAN that this node has not announced itself on (BLA-17).
    Traffic(Vid),
    /// Our own loop detection frame came back by the mesh, on this VLAN (BLA-67).
    Loop(Vid),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gateways_agree_who_is_the_first_choice_and_share_the_clients() {
        let gateways = [1, 2, 3].map(|last| Mac([2, 0xba, 0, 0, last, 1]));
        let mut shares = [0; 3];
        for number in 0..300u16 {
            let [high, low] = number.to_be_bytes();
            let client = Client::untagged(Mac([2, 0xc1, 0, 0, high, low]));
            let chosen: Vec<usize> = (0..3)
                .filter(|which| {
                    let own = gateways[*which];
                    let others = gateways.into_iter().filter(|mac| *mac != own);
                    let rival = |gateway| Rival { gateway, vid: Vid::UNTAGGED, yields: true };
                    let rivals = others.map(rival).collect();
                    let lan = BridgedLan { rivals, ..BridgedLan::default() };
                    lan.is_first_choice(own, client)
                })
                .collect();
            assert_eq!(chosen.len(), 1, "{client:?}");
            shares[chosen[0]] += 1;
        }
        assert!(shares.iter().all(|share| (70..130).contains(share)), "{shares:?}");
        // Who does not count is left all of them.
        let rival = Rival { gateway: gateways[1], vid: Vid::UNTAGGED, yields: false };
        let lan = BridgedLan { rivals: Box::new([rival]), ..BridgedLan::default() };
        assert!((0..50).all(|last| {
            !lan.is_first_choice(gateways[0], Client::untagged(Mac([2, 0, 0, 0, 0, last])))
        }));
        // A rival on another VLAN is none.
        let rival = Rival { gateway: gateways[1], vid: Vid::from_tci(10), yields: false };
        let lan = BridgedLan { rivals: Box::new([rival]), ..BridgedLan::default() };
        assert!((0..50).all(|last| {
            lan.is_first_choice(gateways[0], Client::untagged(Mac([2, 0, 0, 0, 0, last])))
        }));
    }
}
