//! Which network interfaces can carry a mesh (FWD-01, MGMT-09).

use crate::link_watch::Link;

/// Smallest MTU of a hard interface in bytes (MGMT-09).
const MTU_MIN: u32 = 100;

/// Why the interface cannot carry a mesh, as one sentence with the fix; `None` if it can.
pub(crate) fn unsuitable(link: &Link) -> Option<String> {
    let name = &link.name;
    let problem = if link.is_loopback() {
        "the loopback interface cannot carry a mesh: name an Ethernet or Wi-Fi interface".into()
    } else if link.kind.as_deref() == Some("batadv") {
        "a mesh interface cannot carry another mesh: name an Ethernet or Wi-Fi interface".into()
    } else if !link.is_ethernet() {
        "not an Ethernet interface: name an Ethernet or Wi-Fi interface".into()
    } else if link.mac.is_none_or(|mac| !mac.is_station()) {
        format!("it has no usable address: give it one with \"ip link set {name} address ...\"")
    } else if link.mtu < MTU_MIN {
        format!(
            "its MTU of {} is too small: set it to {MTU_MIN} or more with \"ip link set {name} mtu ...\"",
            link.mtu
        )
    } else if link.master.is_some() {
        // The master takes its frames before anybody else sees them.
        format!(
            "it is a port of a bridge, bond or mesh: take it out with \"ip link set {name} nomaster\""
        )
    } else {
        return None;
    };
    Some(format!("{name}: {problem}"))
}

/// Finds an interface by name and checks it.
///
/// # Errors
/// One sentence with the fix, if it is missing or cannot carry a mesh.
pub(crate) fn find<'l>(links: &'l [Link], name: &str) -> Result<&'l Link, String> {
    let Some(link) = links.iter().find(|link| link.name == name) else {
        return Err(missing(links, name));
    };
    if let Some(problem) = unsuitable(link) {
        return Err(problem);
    }
    // It may also be stacked on a mesh interface, like a VLAN of bat0.
    let mut below = link;
    // The kernel allows 8 levels.
    for _ in 0..8 {
        let Some(parent) =
            below.parent.and_then(|index| links.iter().find(|link| link.index == index))
        else {
            break;
        };
        if parent.kind.as_deref() == Some("batadv") {
            return Err(format!(
                "{name}: it is stacked on the mesh interface {}: name an Ethernet or Wi-Fi interface",
                parent.name
            ));
        }
        below = parent;
    }
    Ok(link)
}

fn missing(links: &[Link], name: &str) -> String {
    let have: Vec<&str> =
        links.iter().filter(|link| !link.is_loopback()).map(|link| link.name.as_str()).collect();
    if have.is_empty() {
        format!("{name}: no such interface (have: none)")
    } else {
        format!("{name}: no such interface (have: {})", have.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use noctule_wire::Mac;

    fn ethernet(index: u32, name: &str) -> Link {
        Link {
            index,
            name: name.into(),
            kind: None,
            hardware_type: libc::ARPHRD_ETHER,
            flags: (libc::IFF_UP | libc::IFF_LOWER_UP) as u32,
            mac: Some(Mac([2, 0, 0, 0, 0, 1])),
            mtu: 1500,
            master: None,
            parent: None,
        }
    }

    /// FWD-01: Ethernet, not loopback, not a mesh interface and not stacked on one. MGMT-09: MTU of 100 or more.
    #[test]
    fn fwd_01_mgmt_09_what_cannot_carry_a_mesh_gets_a_sentence() {
        let loopback = libc::IFF_LOOPBACK as u32;
        #[rustfmt::skip]
        let links = [
            Link { flags: loopback, hardware_type: libc::ARPHRD_LOOPBACK, ..ethernet(1, "lo") },
            ethernet(2, "eth0"),
            Link { kind: Some("batadv".into()), ..ethernet(3, "bat1") },
            Link { parent: Some(3), kind: Some("vlan".into()), ..ethernet(4, "bat1.7") },
            Link { hardware_type: 65534, mac: None, ..ethernet(5, "tun0") },
            Link { mtu: 99, ..ethernet(6, "eth1") },
            Link { mtu: 100, ..ethernet(7, "eth2") },
            Link { master: Some(9), ..ethernet(8, "eth3") },
            Link { mac: Some(Mac::ZERO), ..ethernet(10, "eth4") },
            Link { parent: Some(2), kind: Some("vlan".into()), ..ethernet(11, "eth0.7") },
        ];
        #[rustfmt::skip]
        let rows = [
            ("lo", Some("lo: the loopback interface cannot carry a mesh: name an Ethernet or Wi-Fi interface")),
            ("eth0", None),
            ("bat1", Some("bat1: a mesh interface cannot carry another mesh: name an Ethernet or Wi-Fi interface")),
            ("bat1.7", Some("bat1.7: it is stacked on the mesh interface bat1: name an Ethernet or Wi-Fi interface")),
            ("tun0", Some("tun0: not an Ethernet interface: name an Ethernet or Wi-Fi interface")),
            ("eth1", Some("eth1: its MTU of 99 is too small: set it to 100 or more with \"ip link set eth1 mtu ...\"")),
            ("eth2", None),
            ("eth3", Some("eth3: it is a port of a bridge, bond or mesh: take it out with \"ip link set eth3 nomaster\"")),
            ("eth4", Some("eth4: it has no usable address: give it one with \"ip link set eth4 address ...\"")),
            ("eth0.7", None),
            ("wlan0", Some("wlan0: no such interface (have: eth0, bat1, bat1.7, tun0, eth1, eth2, eth3, eth4, eth0.7)")),
        ];
        for (name, expected) in rows {
            assert_eq!(find(&links, name).err().as_deref(), expected, "{name}");
        }
    }
}
