//! What kind of client one of ours is: on Wi-Fi, isolated, or neither (TT-16, TT-21). The module sees by which device a frame
//! came in. Here a frame comes from a bridge, and the bridge is asked.

use super::Node;
use crate::netlink::PortKind;
use noctule_control::Input;
use noctule_wire::tvlv::translation_table::ClientFlags;
use noctule_wire::{Client, Instant, Vid};
use std::time::Duration;
use tracing::debug;

/// New clients have the bridges looked at no more often than this, for there may be many; the others are found by the
/// regular look.
const LOOK_PAUSE: Duration = Duration::from_millis(20);

impl Node {
    /// Looks at the bridges, and tells the engine of clients that are behind another kind of port than before.
    pub(super) fn look_at_clients(&mut self, now: Instant) {
        let mattered = self.bridge_ports.matters();
        self.look_at_bridges(now);
        if !mattered && !self.bridge_ports.matters() {
            return;
        }
        let settled = |flags: ClientFlags| !flags.contains(ClientFlags::PENDING);
        for row in self.engine.local_rows(now) {
            // Whoever the bridge has forgotten is what it was.
            let Some(kind) = self.known_kind(row.client).filter(|_| settled(row.flags)) else {
                continue;
            };
            let PortKind { wifi, isolated } = kind;
            let is =
                [ClientFlags::WIFI, ClientFlags::ISOLATED].map(|flag| row.flags.contains(flag));
            if is != [wifi, isolated] {
                self.feed(now, Input::LocalAttributes { client: row.client, wifi, isolated });
            }
        }
    }

    /// What kind of client one is that has just spoken.
    pub(super) fn kind_of(&mut self, now: Instant, client: Client) -> PortKind {
        if !self.bridge_ports.matters() {
            return PortKind::default();
        }
        let known = self.known_kind(client);
        if known.is_none() && self.bridges_seen.timed_out(now, LOOK_PAUSE) {
            self.look_at_bridges(now);
            return self.known_kind(client).unwrap_or_default();
        }
        known.unwrap_or_default()
    }

    fn known_kind(&self, client: Client) -> Option<PortKind> {
        if client.mac == self.mesh.mac {
            return None;
        }
        self.bridge_ports.kind(self.bridge_of(client.vid)?, client.mac)
    }

    /// The bridge that frames of a VLAN come from: above the VLAN device, or else above the mesh interface.
    fn bridge_of(&self, vid: Vid) -> Option<u32> {
        let (mesh, links) = (self.mesh.ifindex(), self.monitor.links());
        let device = vid.id().and_then(|id| {
            links.iter().find(|link| link.parent == Some(mesh) && link.vlan == Some(id))
        });
        device.and_then(|device| device.master).or_else(|| links.get(mesh)?.master)
    }

    fn look_at_bridges(&mut self, now: Instant) {
        self.bridges_seen = now;
        let (mesh, links) = (self.mesh.ifindex(), self.monitor.links());
        let is_mesh = |index: u32| {
            index == mesh || links.get(index).is_some_and(|link| link.parent == Some(mesh))
        };
        let bridged = links.iter().any(|link| link.master.is_some() && is_mesh(link.index));
        if !bridged && !self.bridge_ports.matters() {
            return;
        }
        if let Err(error) = self.bridge_ports.look(links, is_mesh) {
            debug!(%error, "cannot read the ports of the bridge");
        }
    }
}
