//! Who listens to a group, and what a frame to it costs.

use crate::{Mesh, NodeId, secs};
use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;
use noctule_control::{HostMulticast, Input};

/// How often a daemon looks at its host.
const LOOK: Duration = Duration::from_millis(500);

/// What came of one frame to a group.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Heard {
    /// The nodes whose hosts got it.
    pub by: Vec<NodeId>,
    /// How many frames with payload were sent on all links, repetitions on Wi-Fi included.
    pub frames: u64,
}

impl Mesh {
    /// Time passes in which these nodes' hosts listen to a group, and all others say that theirs do not.
    pub fn listen(&mut self, group: Ipv4Addr, listeners: &[NodeId], time: Duration) {
        let listening =
            HostMulticast { memberships: vec![IpAddr::V4(group)], ..HostMulticast::default() };
        let idle = HostMulticast::default();
        let end = self.now() + time;
        while self.now() < end {
            for node in self.nodes() {
                let host = if listeners.contains(&node) { &listening } else { &idle };
                self.input(node, Input::Multicast(host));
            }
            self.run(LOOK);
        }
    }

    /// The host behind `from` sends one frame to a group; a second later all is over.
    pub fn tell(&mut self, from: NodeId, group: Ipv4Addr) -> Heard {
        let before = self.payload_frames();
        let probe = self.multicast(from, group.octets());
        self.run(secs(1));
        let by = self.nodes().filter(|node| self.has(probe, *node)).collect();
        Heard { by, frames: self.payload_frames() - before }
    }
}
