//! Hosts with a protocol of their own: a scenario writes their frames and reads what they get.

use crate::{Mesh, NodeId};

impl Mesh {
    /// From here on the frames that the host behind `node` gets are kept for [`Self::take_host_frames`].
    pub fn watch_host(&mut self, node: NodeId) {
        self.hosts.entry(node).or_default();
    }

    /// What the host got since somebody asked.
    pub fn take_host_frames(&mut self, node: NodeId) -> Vec<Vec<u8>> {
        self.hosts.get_mut(&node).map(core::mem::take).unwrap_or_default()
    }

    /// The host behind `node` sends this frame.
    pub fn send_from_host(&mut self, node: NodeId, frame: &[u8]) {
        self.host_sends(node, frame);
    }

    /// From here on frames on the air for which this holds are counted.
    pub fn count_on_air(&mut self, is_one: fn(&[u8]) -> bool) {
        self.counted = Some((is_one, 0));
    }

    /// How many there were.
    pub fn counted_on_air(&self) -> u64 {
        self.counted.map_or(0, |(_, count)| count)
    }
}
