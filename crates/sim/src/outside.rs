//! A cable that leads out of the simulation, so that a real node can have simulated neighbours.

use crate::{Mesh, NodeId};
use noctule_fib::Iface;
use noctule_wire::Mac;
use std::rc::Rc;

impl Mesh {
    /// Puts a port on the cable to the outside, in addition to the links it has.
    pub fn connect_outside(&mut self, node: NodeId, iface: usize) {
        let iface = Iface::new(iface).expect("a port");
        self.outside.insert((node, iface));
    }

    /// A frame comes in from the outside, to whichever ports on the cable it is meant for.
    pub fn receive_outside(&mut self, frame: &[u8]) {
        let Some(receiver) = Mac::from_prefix(frame) else { return };
        let meant = |(node, iface): &(NodeId, Iface)| {
            (receiver.is_group() || receiver == node.mac(*iface)).then_some((*node, iface.index()))
        };
        let ports: Vec<_> = self.outside.iter().filter_map(meant).collect();
        for (node, iface) in ports {
            self.inject(node, iface, frame);
        }
    }

    /// What the ports on the cable have sent since the last call, in order.
    pub fn take_outside(&mut self) -> Vec<Rc<[u8]>> {
        core::mem::take(&mut self.sent_outside)
    }
}
