//! The mesh interface as the engine thread sees it: its address, its MTU, and what somebody else changes about it.

use super::Node;
use crate::netlink::{Link, port_vlans};
use noctule_control::Input;
use noctule_dataplane::tap::{Offloads, Tap};
use noctule_fib::VlanSet;
use noctule_wire::{Mac, Vid};
use std::sync::Arc;
use tracing::{info, warn};

/// The mesh interface.
#[derive(Debug)]
pub(crate) struct MeshInterface {
    pub(crate) tap: Arc<Tap>,
    /// Its name, which somebody may change.
    pub(crate) name: String,
    pub(crate) mac: Mac,
    /// Its MTU in bytes, as last set or seen.
    pub(crate) mtu: u32,
    /// What the operator wants its MTU to be (FWD-17).
    pub(crate) wanted_mtu: Option<u32>,
    /// The bridge that it is a port of, as last seen.
    pub(crate) bridge: Option<u32>,
    /// Whether there is a LAN behind it, as the engine was told.
    pub(crate) lan: bool,
    /// The VLANs that the bridge has on it; `None` if they have to be read.
    pub(crate) bridge_vlans: Option<Vec<u16>>,
    /// All VLANs on it, as the engine was told.
    pub(crate) vlans: VlanSet,
}

/// MTU where nobody wants another (FWD-17).
const MTU_DEFAULT: u32 = 1500;

impl MeshInterface {
    pub(crate) fn ifindex(&self) -> u32 {
        self.tap.ifindex()
    }
}

impl Node {
    /// Brings the MTU in line with what the links can carry and the operator wants (FWD-16, FWD-17).
    pub(super) fn adjust_mesh_mtu(&mut self) {
        let Some(max) = self.engine.mesh_mtu_max() else { return };
        let mtu = mesh_mtu(self.mesh.wanted_mtu, max);
        if mtu == self.mesh.mtu {
            return;
        }
        match self.mesh.tap.set_mtu(mtu) {
            Ok(()) => {
                // 1500 is what its users expect, also where nobody has said so.
                let wanted = self.mesh.wanted_mtu.unwrap_or(MTU_DEFAULT);
                if mtu < wanted {
                    warn!(
                        mtu,
                        wanted,
                        "the links cannot carry the MTU that the mesh interface should have"
                    );
                } else {
                    info!(mtu, "mesh interface has another MTU");
                }
                self.mesh.mtu = mtu;
                self.tell_mesh_interface();
            }
            Err(error) => warn!(%error, mtu, "cannot set the MTU of the mesh interface"),
        }
    }

    /// Tells the engine how the mesh interface looks.
    pub(crate) fn tell_mesh_interface(&mut self) {
        let now = self.clock.now();
        self.feed(now, Input::MeshInterface { mac: self.mesh.mac, mtu: self.mesh.mtu });
    }

    /// Finds out which VLANs there are on the mesh interface: those of VLAN devices on top of it, and those that a bridge
    /// has on it as its port (TT-29). Tells the engine if they are others than before.
    pub(crate) fn refresh_vlans(&mut self) {
        self.refresh_lan();
        let ifindex = self.mesh.ifindex();
        let links = self.monitor.links();
        let bridge = links.get(ifindex).and_then(|link| link.master);
        if bridge != self.mesh.bridge {
            self.mesh.bridge = bridge;
            self.mesh.bridge_vlans = None;
        }
        let devices = links.iter().filter(|link| link.parent == Some(ifindex));
        let mut ids: Vec<u16> = devices.filter_map(|link| link.vlan).collect();
        let of_bridge = self.mesh.bridge_vlans.get_or_insert_with(|| match bridge {
            None => Vec::new(),
            Some(_) => port_vlans(ifindex).unwrap_or_else(|error| {
                warn!(%error, "cannot read the VLANs of the bridge");
                Vec::new()
            }),
        });
        ids.extend_from_slice(of_bridge);
        let vlans: VlanSet = ids.into_iter().collect();
        if vlans != self.mesh.vlans {
            let shown: Vec<_> = vlans.iter().filter_map(Vid::id).collect();
            info!(vlans = ?shown, "mesh interface has other VLANs");
            let now = self.clock.now();
            self.feed(now, Input::Vlans(&vlans));
            self.mesh.vlans = vlans;
        }
    }

    /// Finds out whether there is a LAN behind the mesh interface: it, or a device on top of it, is a port of a bridge that
    /// has other ports. Tells the engine if that is news.
    fn refresh_lan(&mut self) {
        let (mesh, links) = (self.mesh.ifindex(), self.monitor.links());
        let is_mesh = |link: &Link| link.index == mesh || link.parent == Some(mesh);
        let bridges: Vec<u32> = links
            .iter()
            .filter(|link| is_mesh(link))
            .filter_map(|link| link.master)
            .filter(|master| links.get(*master).is_none_or(|m| m.kind.as_deref() != Some("vrf")))
            .collect();
        let joins = |link: &Link| link.master.is_some_and(|master| bridges.contains(&master));
        let lan = links.iter().any(|link| !is_mesh(link) && joins(link));
        if lan == self.mesh.lan {
            return;
        }
        self.mesh.lan = lan;
        if lan && self.engine.settings().bridge_loop_avoidance {
            info!(
                "a LAN is bridged to the mesh interface: its broadcasts pass in half a minute, when it is clear which other nodes are bridged to it"
            );
        }
        let now = self.clock.now();
        self.feed(now, Input::Bridged(lan));
    }

    /// The node ends: other gateways of the LAN are to serve whom it has served (BLA-83).
    pub(crate) fn leave_lan(&mut self) {
        let now = self.clock.now();
        self.feed(now, Input::Bridged(false));
    }

    /// Somebody may have changed the mesh interface.
    pub(super) fn mesh_interface_changed(&mut self, link: &Link) {
        if link.name != self.mesh.name {
            info!(from = %self.mesh.name, to = %link.name, "mesh interface has another name");
            self.mesh.name.clone_from(&link.name);
        }
        let mac = link.mac.filter(|mac| mac.is_station()).unwrap_or(self.mesh.mac);
        let mac_changed = mac != self.mesh.mac;
        if mac_changed {
            info!(from = %self.mesh.mac, to = %mac, "mesh interface has another address");
            self.mesh.mac = mac;
        }
        let mtu_changed = link.mtu != self.mesh.mtu;
        if mtu_changed {
            // Not set here, so it is what an operator wants.
            info!(
                from = self.mesh.mtu,
                to = link.mtu,
                "somebody set the MTU of the mesh interface"
            );
            self.mesh.wanted_mtu = Some(link.mtu);
            self.mesh.mtu = link.mtu;
        }
        if mac_changed || mtu_changed {
            self.tell_mesh_interface();
            self.adjust_mesh_mtu();
        }
    }
}

/// The MTU to use: what is wanted, or 1500, as far as the links allow.
pub(crate) fn mesh_mtu(wanted: Option<u32>, max: u32) -> u32 {
    wanted.unwrap_or(MTU_DEFAULT).min(max)
}

/// An address for the mesh interface that stays the same over restarts: made from a hard interface's address and the
/// mesh's name, locally administered. Two meshes on one interface, or two nodes, do not get the same.
pub(crate) fn derived_mac(hard: Mac, mesh: &str) -> Mac {
    // FNV-1a: stable over releases, which the standard library's hash is not.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in hard.0.iter().chain(mesh.as_bytes()) {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    let mut mac = [0; 6];
    // The lower bits of FNV are the weaker ones.
    mac.copy_from_slice(&(hash ^ (hash >> 32)).to_be_bytes()[2..]);
    locally_administered(mac)
}

/// The bytes as the address of a station that nobody else was given.
pub(crate) fn locally_administered(mut bytes: [u8; 6]) -> Mac {
    bytes[0] = bytes[0] & 0xfc | 0x02;
    // Addresses ba:be:… belong to loop detection (WIRE-108).
    if Mac(bytes).is_loop_detect() {
        bytes[1] ^= 1;
    }
    Mac(bytes)
}

/// Lets the host leave checksums and long segments to us, if that is wanted; without, everything works, slower.
pub(crate) fn offload(tap: &Tap, wanted: bool) {
    match tap.offload(wanted) {
        Ok(Offloads::TcpAndUdp) => {}
        Ok(Offloads::None) if !wanted => {}
        Ok(Offloads::Tcp) => {
            info!("the kernel has no UDP segmentation for the mesh interface: TCP alone is faster");
        }
        Ok(Offloads::None) => {
            warn!("the kernel has no offloads for the mesh interface: TCP is slower")
        }
        Err(error) => warn!(%error, "no offloads for the mesh interface: TCP is slower"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MGMT-11: locally administered. Stable, and different for each mesh and each node.
    #[test]
    fn mgmt_11_addresses_are_stable_and_differ() {
        let mac = derived_mac(Mac([0x00, 0x11, 0x22, 0x33, 0x44, 0x55]), "bat0");
        assert_eq!(mac, Mac([0x22, 0xa4, 0x59, 0x24, 0xdd, 0x97]), "for ever");
        let mut seen = std::collections::BTreeSet::new();
        for last in 0..=255 {
            for mesh in ["bat0", "bat1", "mesh"] {
                let mac = derived_mac(Mac([2, 0xba, 0, 0, 1, last]), mesh);
                assert!(mac.is_station() && mac.0[0] & 2 != 0 && !mac.is_loop_detect());
                assert!(seen.insert(mac));
            }
        }
        assert!(!locally_administered([0xba, 0xbe, 1, 2, 3, 4]).is_loop_detect());
    }

    /// FWD-17: the automatic value never exceeds 1500; what is wanted holds as soon as the links allow it.
    #[test]
    fn fwd_17_mtu_is_what_is_wanted_as_far_as_the_links_allow() {
        #[rustfmt::skip]
        let rows = [
            (None, 20_128, 1500, "with fragments there is room"),
            (None, 1468, 1468, "without fragments"),
            (Some(9000), 20_128, 9000, "wanted"),
            (Some(9000), 1468, 1468, "wanted in vain"),
            (Some(1280), 20_128, 1280, "wanted smaller"),
        ];
        for (wanted, max, expected, because) in rows {
            assert_eq!(mesh_mtu(wanted, max), expected, "{because}");
        }
    }
}
