//! What happens while frames run.

use anyhow::Result;

use super::Chance;
use super::balance::OF_NODES;
use super::mesh::Mesh;
use crate::lab::{FrameSocket, Set};

/// Clients that come at once.
const CLIENTS: u8 = 64;
/// Frames in a ring.
const RING: u64 = 512;
/// MTUs that a link has for a while: a smaller one, which the generator's frames still fit, and one for which its ring is opened afresh.
const MTUS: [u32; 2] = [1420, 2500];

/// One thing that happens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Event {
    /// Nothing.
    Calm,
    /// The other way becomes the better one.
    Route,
    /// Stations come behind the last node.
    Clients,
    /// Somebody changes settings.
    Settings,
    /// A link in the middle goes down and comes back.
    Flap,
    /// The MTU of a link in the middle changes.
    Mtu,
    /// A link in the middle is deleted and made anew.
    Vanish,
    /// A daemon is stopped and started.
    Restart,
    /// A daemon is killed and started.
    Kill,
}

impl Event {
    const ALL: [Self; 9] = [
        Self::Calm,
        Self::Route,
        Self::Clients,
        Self::Settings,
        Self::Flap,
        Self::Mtu,
        Self::Vanish,
        Self::Restart,
        Self::Kill,
    ];

    /// All of them, in an order of chance.
    pub(super) fn shuffled(chance: &mut Chance) -> Vec<Self> {
        let mut left = Self::ALL.to_vec();
        let mut order = Vec::new();
        while !left.is_empty() {
            let next = chance.next() as usize % left.len();
            order.push(left.swap_remove(next));
        }
        order
    }

    /// Whether no frame may be lost without being counted: not so when a link or a daemon goes with what it holds, nor when frames
    /// are cut, which the sink cannot count.
    pub(super) const fn is_exact(self) -> bool {
        matches!(self, Self::Calm | Self::Route | Self::Clients | Self::Settings)
    }

    /// How many frames may be counted twice: those of the nodes themselves, and what two rings of one link hold while the one
    /// takes the place of the other.
    pub(super) const fn twice_max(self) -> u64 {
        match self {
            Self::Mtu => OF_NODES + 2 * RING,
            _ => OF_NODES,
        }
    }

    /// Lets it happen.
    pub(super) fn happen(self, mesh: &mut Mesh<'_>, chance: &mut Chance) -> Result<()> {
        let way = chance.of(&[0, 1]);
        match self {
            Self::Calm => Ok(()),
            Self::Route => mesh.prefer(way),
            Self::Clients => {
                let tap = FrameSocket::open(&mesh.last().namespace, "bat0")?;
                let house = chance.next().to_be_bytes();
                for number in 0..CLIENTS {
                    let mut frame = vec![0xff; 6];
                    frame.extend([0x02, 0xc1, house[0], house[1], house[2], number, 0x88, 0xb5]);
                    frame.resize(60, 0);
                    tap.send(&frame)?;
                }
                Ok(())
            }
            Self::Settings => {
                let relay = mesh.relay(chance.of(&[0, 1, 2]));
                for (name, value) in [("aggregation", "0"), ("hop_penalty", "40")] {
                    relay.ask(&["set", name, value])?;
                }
                for (name, value) in [("aggregation", "1"), ("hop_penalty", "30")] {
                    relay.ask(&["set", name, value])?;
                }
                Ok(())
            }
            Self::Flap => {
                let link = mesh.middle(way);
                let relay = mesh.relay(0);
                relay.namespace.set_link(link, &[Set::Down])?;
                std::thread::sleep(super::BURST);
                relay.namespace.set_link(link, &[Set::Up])
            }
            Self::Mtu => {
                let relay = mesh.relay(1 + way);
                for mtu in MTUS {
                    relay.namespace.set_link("e1", &[Set::Mtu(mtu)])?;
                    std::thread::sleep(super::BURST);
                }
                Ok(())
            }
            Self::Vanish => mesh.remake(way),
            Self::Restart => mesh.restart(chance.of(&[0, 1, 2]), false),
            Self::Kill => mesh.restart(chance.of(&[0, 1, 2]), true),
        }
    }

    /// Puts back what must be as before.
    pub(super) fn undo(self, mesh: &Mesh<'_>) -> Result<()> {
        if self == Self::Mtu {
            for way in [1, 2] {
                mesh.relay(way).namespace.set_link("e1", &[Set::Mtu(super::mesh::MTU)])?;
            }
        }
        Ok(())
    }
}
