//! Which network interfaces can be hard interfaces (FWD-01, MGMT-09).

use super::link::{Link, Links};
use std::collections::BTreeSet;

/// Smallest MTU of a hard interface, bytes: 68 of IPv4 and 32 of the mesh's largest header (FWD-01).
pub const MTU_MIN: u32 = 100;

/// Why an interface cannot be a hard interface: one sentence that begins with its name and says what to do.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadInterface {
    /// There is none of that name.
    #[error("{name}: no such interface (have: {have})")]
    Missing {
        /// The name that was asked for.
        name: String,
        /// Those there are.
        have: String,
    },
    /// It is a loopback interface.
    #[error("{name}: the loopback interface reaches nobody; name an Ethernet or Wi-Fi interface")]
    Loopback {
        /// Its name.
        name: String,
    },
    /// It is a mesh interface: the node's own, another node's, or the kernel's.
    #[error("{name}: a mesh interface cannot carry a mesh; name an Ethernet or Wi-Fi interface")]
    Mesh {
        /// Its name.
        name: String,
    },
    /// It is stacked on a mesh interface, or bridges one.
    #[error(
        "{name}: it lies on the mesh interface {mesh}; name an Ethernet or Wi-Fi interface below"
    )]
    OnMesh {
        /// Its name.
        name: String,
        /// The mesh interface.
        mesh: String,
    },
    /// It has no Ethernet frames.
    #[error("{name}: not an Ethernet interface (link type {hardware_type}); {advice}")]
    NotEthernet {
        /// Its name.
        name: String,
        /// `ARPHRD_*`.
        hardware_type: u16,
        /// What to do.
        advice: &'static str,
    },
    /// Its address cannot be a station's.
    #[error(
        "{name}: it has no usable address; give it one with `ip link set dev {name} address 02:...`"
    )]
    NoAddress {
        /// Its name.
        name: String,
    },
    /// Its MTU is too small.
    #[error(
        "{name}: its MTU of {mtu} is below {MTU_MIN}; raise it with `ip link set dev {name} mtu 1500`"
    )]
    MtuTooSmall {
        /// Its name.
        name: String,
        /// Bytes.
        mtu: u32,
    },
    /// It is a port of something that takes its frames away before they could be received.
    #[error(
        "{name}: {master} takes its frames; name {master}, or take it out with `ip link set dev {name} nomaster`"
    )]
    Port {
        /// Its name.
        name: String,
        /// What it is a port of.
        master: String,
    },
    /// Another node runs on it.
    #[error(
        "{name}: another noctule carries a mesh on it{meshes}; stop that, or name another interface (a VLAN of this one does)"
    )]
    Held {
        /// Its name.
        name: String,
        /// The other's mesh interface, or those that it can be, in parentheses behind a blank; empty if not known.
        meshes: String,
    },
    /// It is a hard interface of the kernel's own mesh.
    #[error(
        "{name}: it belongs to the kernel's mesh interface {mesh}; take it out with `ip link set dev {name} nomaster`"
    )]
    KernelMesh {
        /// Its name.
        name: String,
        /// The mesh interface.
        mesh: String,
    },
}

impl BadInterface {
    /// Whether it need not be told again after the other one was. Which meshes an interface can belong to changes with
    /// every node that comes and goes, and is no news about that interface.
    pub(crate) fn says_the_same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Held { name, .. }, Self::Held { name: other, .. }) => name == other,
            _ => self == other,
        }
    }
}

/// Finds the interface `name` among `links` and checks that it can be a hard interface. `meshes` are the names of mesh
/// interfaces that are known as such, this node's own first of all; those of the kernel module and of other nodes like this
/// one are recognised ([`Link::is_mesh`]).
///
/// # Errors
/// [`BadInterface`].
pub fn check_hard_interface<'l>(
    links: &'l Links,
    name: &str,
    meshes: &[&str],
) -> Result<&'l Link, BadInterface> {
    let is_mesh = |link: &Link| link.is_mesh() || meshes.contains(&link.name.as_str());
    let Some(link) = links.named(name) else {
        return Err(missing(links, name, &is_mesh));
    };
    let name = link.name.clone();
    if link.is_loopback() {
        return Err(BadInterface::Loopback { name });
    }
    if is_mesh(link) {
        return Err(BadInterface::Mesh { name });
    }
    if let Some(mesh) = mesh_below(links, link, &is_mesh) {
        return Err(BadInterface::OnMesh { name, mesh: mesh.name.clone() });
    }
    if !link.is_ethernet() {
        let hardware_type = link.hardware_type;
        let advice = match hardware_type {
            libc::ARPHRD_IEEE80211 | libc::ARPHRD_IEEE80211_RADIOTAP => {
                "take the radio out of monitor mode"
            }
            _ => "name an Ethernet or Wi-Fi interface",
        };
        return Err(BadInterface::NotEthernet { name, hardware_type, advice });
    }
    if !link.mac.is_some_and(|mac| mac.is_station()) {
        return Err(BadInterface::NoAddress { name });
    }
    if link.mtu < MTU_MIN {
        return Err(BadInterface::MtuTooSmall { name, mtu: link.mtu });
    }
    match link.master.map(|index| links.get(index)) {
        Some(Some(master)) if master.kind.as_deref() == Some("batadv") => {
            Err(BadInterface::KernelMesh { name, mesh: master.name.clone() })
        }
        // A routing domain takes IP packets only.
        Some(Some(master)) if master.kind.as_deref() == Some("vrf") => Ok(link),
        Some(master) => {
            let index = link.master.unwrap_or_default();
            let master =
                master.map_or_else(|| format!("interface {index}"), |master| master.name.clone());
            Err(BadInterface::Port { name, master })
        }
        None => Ok(link),
    }
}

/// A mesh interface below `link`: it is stacked on that, or has it as a port, by whatever is in between.
fn mesh_below<'l>(
    links: &'l Links,
    link: &'l Link,
    is_mesh: &impl Fn(&Link) -> bool,
) -> Option<&'l Link> {
    let mut seen = BTreeSet::new();
    let mut below = vec![link];
    while let Some(each) = below.pop() {
        // Two bridges cannot be ports of each other, but what the kernel told in two messages need not fit together.
        if !seen.insert(each.index) {
            continue;
        }
        if is_mesh(each) {
            return Some(each);
        }
        below.extend(links.iter().filter(|port| port.master == Some(each.index)));
        below.extend(each.parent.and_then(|index| links.get(index)));
    }
    None
}

fn missing(links: &Links, name: &str, is_mesh: &impl Fn(&Link) -> bool) -> BadInterface {
    let usable = |link: &&Link| link.is_ethernet() && !link.is_loopback() && !is_mesh(link);
    let have: Vec<&str> = links.iter().filter(usable).map(|link| link.name.as_str()).collect();
    let have = if have.is_empty() { "none".to_owned() } else { have.join(", ") };
    BadInterface::Missing { name: name.to_owned(), have }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::MESH_ALIAS;
    use noctule_wire::Mac;

    fn ethernet(index: u32, name: &str) -> Link {
        Link {
            index,
            name: name.into(),
            alias: None,
            kind: None,
            hardware_type: libc::ARPHRD_ETHER,
            flags: (libc::IFF_UP | libc::IFF_RUNNING) as u32,
            mac: Some(Mac([2, 0, 0, 0, 0, 1])),
            mtu: 1500,
            master: None,
            vlan: None,
            parent: None,
        }
    }

    fn of_kind(kind: &str, link: Link) -> Link {
        Link { kind: Some(kind.into()), ..link }
    }

    /// FWD-01, MGMT-09: Ethernet, not loopback, no mesh interface and nothing on one, MTU of 100 or more; and nothing
    /// whose frames somebody else takes.
    #[test]
    fn fwd_01_mgmt_09_what_cannot_carry_a_mesh_gets_a_sentence_with_the_fix() {
        let radiotap = libc::ARPHRD_IEEE80211_RADIOTAP;
        #[rustfmt::skip]
        let links: Links = [
            Link { flags: libc::IFF_LOOPBACK as u32, mac: Some(Mac::ZERO), hardware_type: libc::ARPHRD_LOOPBACK, ..ethernet(1, "lo") },
            ethernet(2, "eth0"),
            of_kind("batadv", ethernet(3, "bat1")),
            of_kind("vlan", Link { parent: Some(3), ..ethernet(4, "bat1.7") }),
            of_kind("macvlan", Link { parent: Some(4), ..ethernet(5, "mv0") }),
            of_kind("tun", Link { hardware_type: 65_534, mac: None, ..ethernet(6, "tun0") }),
            Link { hardware_type: radiotap, ..ethernet(7, "mon0") },
            Link { mtu: 99, ..ethernet(8, "eth1") },
            Link { mtu: 100, ..ethernet(9, "eth2") },
            Link { mac: Some(Mac::ZERO), ..ethernet(10, "eth3") },
            of_kind("vlan", Link { parent: Some(2), ..ethernet(11, "eth0.7") }),
            of_kind("bridge", ethernet(12, "br0")),
            Link { master: Some(12), ..ethernet(13, "eth4") },
            Link { master: Some(3), ..ethernet(14, "eth5") },
            of_kind("tun", Link { master: Some(15), ..ethernet(16, "bat0") }),
            of_kind("bridge", ethernet(15, "br1")),
            of_kind("vlan", Link { parent: Some(15), ..ethernet(17, "br1.5") }),
            of_kind("vrf", ethernet(18, "red")),
            Link { master: Some(18), ..ethernet(19, "eth6") },
            Link { master: Some(99), ..ethernet(20, "eth7") },
            of_kind("tun", ethernet(21, "tap0")),
            of_kind("tun", Link { alias: Some(MESH_ALIAS.into()), ..ethernet(22, "bat9") }),
            of_kind("tun", Link { alias: Some("guest 7".into()), ..ethernet(23, "tap1") }),
            of_kind("bridge", ethernet(24, "br2")),
            of_kind("bond", Link { master: Some(24), ..ethernet(25, "bond0") }),
            of_kind("vlan", Link { master: Some(25), parent: Some(22), ..ethernet(26, "bat9.3") }),
        ].into_iter().collect();
        #[rustfmt::skip]
        let rows = [
            ("eth0", ""),
            ("eth2", ""),
            ("eth0.7", ""),
            ("br0", ""),
            ("eth6", ""),
            ("tap0", ""),
            ("tap1", ""),
            ("bat9", "bat9: a mesh interface cannot carry a mesh; name an Ethernet or Wi-Fi interface"),
            ("lo", "lo: the loopback interface reaches nobody; name an Ethernet or Wi-Fi interface"),
            ("bat0", "bat0: a mesh interface cannot carry a mesh; name an Ethernet or Wi-Fi interface"),
            ("bat1", "bat1: a mesh interface cannot carry a mesh; name an Ethernet or Wi-Fi interface"),
            ("bat1.7", "bat1.7: it lies on the mesh interface bat1; name an Ethernet or Wi-Fi interface below"),
            ("mv0", "mv0: it lies on the mesh interface bat1; name an Ethernet or Wi-Fi interface below"),
            ("br1", "br1: it lies on the mesh interface bat0; name an Ethernet or Wi-Fi interface below"),
            ("br1.5", "br1.5: it lies on the mesh interface bat0; name an Ethernet or Wi-Fi interface below"),
            ("br2", "br2: it lies on the mesh interface bat9; name an Ethernet or Wi-Fi interface below"),
            ("tun0", "tun0: not an Ethernet interface (link type 65534); name an Ethernet or Wi-Fi interface"),
            ("mon0", "mon0: not an Ethernet interface (link type 803); take the radio out of monitor mode"),
            ("eth1", "eth1: its MTU of 99 is below 100; raise it with `ip link set dev eth1 mtu 1500`"),
            ("eth3", "eth3: it has no usable address; give it one with `ip link set dev eth3 address 02:...`"),
            ("eth4", "eth4: br0 takes its frames; name br0, or take it out with `ip link set dev eth4 nomaster`"),
            ("eth5", "eth5: it belongs to the kernel's mesh interface bat1; take it out with `ip link set dev eth5 nomaster`"),
            ("eth7", "eth7: interface 99 takes its frames; name interface 99, or take it out with `ip link set dev eth7 nomaster`"),
            ("wlan0", "wlan0: no such interface (have: eth0, bat1.7, mv0, eth1, eth2, eth3, eth0.7, br0, eth4, eth5, br1, br1.5, red, eth6, eth7, tap0, tap1, br2, bond0, bat9.3)"),
        ];
        for (name, sentence) in rows {
            let outcome = check_hard_interface(&links, name, &["bat0"]);
            match outcome {
                Ok(link) => assert_eq!((link.name.as_str(), ""), (name, sentence)),
                Err(bad) => assert_eq!(bad.to_string(), sentence, "{name}"),
            }
        }
        let none = check_hard_interface(&Links::default(), "wlan0", &[]).unwrap_err();
        assert_eq!(none.to_string(), "wlan0: no such interface (have: none)");
    }

    #[test]
    fn a_held_interface_is_not_told_again_because_others_come_and_go() {
        let held = |name: &str, meshes: &str| BadInterface::Held {
            name: name.into(),
            meshes: meshes.into(),
        };
        assert!(held("eth0", " (bat1)").says_the_same_as(&held("eth0", " (bat1 or bat2)")));
        assert!(!held("eth0", "").says_the_same_as(&held("eth1", "")));
        assert!(
            !held("eth0", "").says_the_same_as(&BadInterface::Loopback { name: "eth0".into() })
        );
    }
}
