//! A node that is the kernel's own `batman-adv`.

use anyhow::Result;

use super::{Algorithm, Node, Role};
use crate::lab::Set;

/// Makes the mesh interface and gives it the hard interfaces.
pub(super) fn start(node: &Node) -> Result<()> {
    let algorithm = match node.settings.algorithm {
        Algorithm::BatmanIv => "BATMAN_IV",
        Algorithm::BatmanV => "BATMAN_V",
    };
    node.batctl(&["interface", "create", "routing_algo", algorithm])?.success()?;
    node.space.set_link("bat0", &[Set::Mac(node.mesh_mac())])?;
    let settings = node.settings;
    // Everything that matters from the first frame on is set before the first interface.
    if !settings.bridge_loop_avoidance {
        node.batctl(&["bridge_loop_avoidance", "0"])?.success()?;
    }
    let interval = settings.interval_ms.to_string();
    node.batctl(&["orig_interval", &interval])?.success()?;
    if settings.hop_penalty != 30 {
        node.batctl(&["hop_penalty", &settings.hop_penalty.to_string()])?.success()?;
    }
    if settings.role != Role::Off {
        node.batctl(&[&["gw_mode"], &settings.role.words()[..]].concat())?.success()?;
    }
    for &index in node.interfaces() {
        node.space.set_link(&node.interface(index), &[Set::Master("bat0")])?;
    }
    node.configure_mesh_interface()
}

/// Removes the mesh interface, and with it everything the node knows.
pub(super) fn stop(node: &Node) -> Result<()> {
    node.space.delete_link("bat0")
}
