//! Who takes part in the distributed ARP table (DAT-11 to DAT-22). The table itself is kept where ARP passes, in the data
//! plane.

use crate::Routing;
use noctule_fib::DatRing;
use noctule_wire::Mac;
use noctule_wire::tvlv::{Containers, Kind};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The part of the engine.
#[derive(Debug, Default)]
pub(crate) struct DistributedArpTable {
    /// Originators whose last OGM with containers had ours.
    members: BTreeSet<Mac>,
    /// The same as the data plane has it; made anew when `None`.
    ring: Option<Arc<DatRing>>,
}

impl DistributedArpTable {
    /// An OGM of an originator carries these containers (DAT-21). One without any says nothing (DAT-22).
    pub(crate) fn on_ogm(&mut self, routing: &dyn Routing, originator: Mac, area: &[u8]) {
        if area.is_empty() || !routing.knows(originator) {
            return;
        }
        let member = Containers::new(area)
            .map_while(Result::ok)
            .any(|container| container.kind == Kind::DISTRIBUTED_ARP_TABLE);
        let changed =
            if member { self.members.insert(originator) } else { self.members.remove(&originator) };
        if changed {
            self.ring = None;
        }
    }

    /// An originator is forgotten.
    pub(crate) fn originator_gone(&mut self, originator: Mac) {
        if self.members.remove(&originator) {
            self.ring = None;
        }
    }

    /// The ring for the data plane.
    pub(crate) fn ring(&mut self) -> Arc<DatRing> {
        let members = &self.members;
        let make = || Arc::new(DatRing::new(members.iter().copied()));
        Arc::clone(self.ring.get_or_insert_with(make))
    }
}
