//! A network interface as the kernel describes it, and all of them together.

use super::message::{Attributes, LinkHeader, value_16, value_32, value_text};
use super::wireless;
use noctule_wire::Mac;
use noctule_wire::ethernet::VLAN_ETHERTYPE;
use std::collections::BTreeMap;

/// Attribute of a link: a message about its radio, which says nothing of the link itself.
const IFLA_WIRELESS: u16 = libc::IFLA_WIRELESS;
/// What is particular to a VLAN device: its id, and the ethertype of its tags.
const IFLA_VLAN_ID: u16 = 1;
const IFLA_VLAN_PROTOCOL: u16 = 5;
/// How deep devices can be stacked on each other in Linux.
const STACK_MAX: usize = 8;

/// Alias of the mesh interfaces that this program makes, by which a second node knows them.
pub const MESH_ALIAS: &str = "noctule mesh interface";

/// A network interface.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Link {
    /// Interface index, unique in the network namespace at any one time.
    pub index: u32,
    /// Name, which may change.
    pub name: String,
    /// What somebody has written on it (`ip link set ... alias`); mesh interfaces of this program say [`MESH_ALIAS`].
    pub alias: Option<String>,
    /// Kind of a virtual device: `veth`, `bridge`, `vlan`, `batadv`, `tun`, …; `None` for most hardware.
    pub kind: Option<String>,
    /// `ARPHRD_*`.
    pub hardware_type: u16,
    /// `IFF_*`.
    pub flags: u32,
    /// Address, if it has one of 6 bytes.
    pub mac: Option<Mac>,
    /// Bytes.
    pub mtu: u32,
    /// Index of the bridge, bond or mesh that it is a port of.
    pub master: Option<u32>,
    /// 802.1Q id, if it is a VLAN device.
    pub vlan: Option<u16>,
    /// Index of the device that it is stacked on (a VLAN's parent, for instance), if that is in the same network namespace.
    pub parent: Option<u32>,
}

impl Link {
    /// Whether it is switched on.
    pub fn is_up(&self) -> bool {
        self.has(libc::IFF_UP)
    }

    /// Whether it is switched on and carries frames: cable plugged in, radio associated where it must be.
    pub fn is_running(&self) -> bool {
        self.has(libc::IFF_UP) && self.has(libc::IFF_RUNNING)
    }

    /// Whether it is switched on and has a carrier. Unlike [`Self::is_running`] this is true at once, without the second
    /// that the kernel may take to think it over.
    pub fn has_carrier(&self) -> bool {
        self.has(libc::IFF_UP) && self.has(libc::IFF_LOWER_UP)
    }

    /// Whether it is a mesh interface: the kernel module's, or one that a node like this one has made.
    pub fn is_mesh(&self) -> bool {
        self.kind.as_deref() == Some("batadv") || self.alias.as_deref() == Some(MESH_ALIAS)
    }

    /// Whether it is a loopback interface.
    pub fn is_loopback(&self) -> bool {
        self.has(libc::IFF_LOOPBACK)
    }

    /// Whether its frames are Ethernet frames with addresses of 6 bytes.
    pub fn is_ethernet(&self) -> bool {
        self.hardware_type == libc::ARPHRD_ETHER && self.mac.is_some()
    }

    fn has(&self, flag: libc::c_int) -> bool {
        self.flags & flag.cast_unsigned() != 0
    }

    /// Reads what follows the header of a message. `None` if the message is about something else, or tells only a part.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let (header, attributes) = LinkHeader::parse(body)?;
        if !header.is_about_device {
            return None;
        }
        let (mut name, mut mtu) = (None, None);
        let (mut parent, mut parent_is_elsewhere) = (None, false);
        let mut link = Self {
            index: header.index,
            name: String::new(),
            alias: None,
            kind: None,
            hardware_type: header.hardware_type,
            flags: header.flags,
            mac: None,
            mtu: 0,
            master: None,
            vlan: None,
            parent: None,
        };
        for (kind, value) in attributes {
            match kind {
                IFLA_WIRELESS => return None,
                libc::IFLA_IFNAME => name = Some(value_text(value)),
                libc::IFLA_IFALIAS => link.alias = Some(value_text(value)),
                libc::IFLA_MTU => mtu = value_32(value),
                libc::IFLA_ADDRESS if value.len() == 6 => link.mac = Mac::from_prefix(value),
                libc::IFLA_MASTER => link.master = value_32(value).filter(|index| *index != 0),
                libc::IFLA_LINK => parent = value_32(value).filter(|index| *index != 0),
                libc::IFLA_LINK_NETNSID => parent_is_elsewhere = true,
                libc::IFLA_LINKINFO => {
                    let find = |wanted| {
                        Attributes(value).find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
                    };
                    link.kind = find(libc::IFLA_INFO_KIND).map(value_text);
                    link.vlan = find(libc::IFLA_INFO_DATA)
                        .filter(|_| link.kind.as_deref() == Some("vlan"))
                        .and_then(vlan_id);
                }
                _ => {}
            }
        }
        link.name = name?;
        link.mtu = mtu?;
        // What a veth names is its other end, beside it and not below.
        let is_stacked = link.kind.as_deref() != Some("veth") && !parent_is_elsewhere;
        link.parent = parent.filter(|parent| is_stacked && *parent != link.index);
        Some(link)
    }
}

/// The id of an 802.1Q VLAN device, from what is particular to it; `None` for 802.1ad, whose frames the mesh takes as
/// untagged ones.
fn vlan_id(data: &[u8]) -> Option<u16> {
    let find = |wanted| Attributes(data).find(|(kind, _)| *kind == wanted).map(|(_, value)| value);
    let protocol = find(IFLA_VLAN_PROTOCOL).and_then(|value| value.first_chunk::<2>());
    let is_802_1q = protocol.is_none_or(|protocol| u16::from_be_bytes(*protocol) == VLAN_ETHERTYPE);
    find(IFLA_VLAN_ID).and_then(value_16).filter(|_| is_802_1q)
}

/// All network interfaces of a network namespace, in the order of their indices.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Links(BTreeMap<u32, Link>);

impl Links {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Link> {
        self.0.values()
    }

    /// The one with this index.
    pub fn get(&self, index: u32) -> Option<&Link> {
        self.0.get(&index)
    }

    /// The one of this name.
    pub fn named(&self, name: &str) -> Option<&Link> {
        self.iter().find(|link| link.name == name)
    }

    /// The device itself, the one it is stacked on, and so on down.
    pub fn stack<'l>(&'l self, link: &'l Link) -> impl Iterator<Item = &'l Link> {
        let below = |upper: &&'l Link| upper.parent.and_then(|index| self.get(index));
        std::iter::successors(Some(link), below).take(STACK_MAX + 1)
    }

    /// Index of the wireless device that it is, or is stacked on (V-21).
    pub fn radio_below(&self, link: &Link) -> Option<u32> {
        self.stack(link).find(|link| wireless::is_wireless(link)).map(|link| link.index)
    }

    /// Whether it, or what it is stacked on, is a wireless device (FWD-11). Asks the kernel.
    pub fn is_wireless(&self, link: &Link) -> bool {
        self.stack(link).any(wireless::is_wireless)
    }

    /// Puts in a link or what has become of it; says whether anything is different.
    pub(super) fn insert(&mut self, link: Link) -> bool {
        match self.0.get(&link.index) {
            Some(before) if *before == link => false,
            _ => {
                self.0.insert(link.index, link);
                true
            }
        }
    }

    pub(super) fn remove(&mut self, index: u32) -> Option<Link> {
        self.0.remove(&index)
    }
}

impl FromIterator<Link> for Links {
    fn from_iter<I: IntoIterator<Item = Link>>(links: I) -> Self {
        Self(links.into_iter().map(|link| (link.index, link)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::{Body, Messages, Request};
    use super::*;

    fn parsed(fill: impl FnOnce(&mut Request)) -> Option<Link> {
        let mut request = Request::link_flags(libc::RTM_NEWLINK, 0, 0, 5, 0x1043, 0);
        request.attribute(libc::IFLA_IFNAME, b"eth0.7\0");
        request.attribute(libc::IFLA_MTU, &1500_u32.to_ne_bytes());
        fill(&mut request);
        let bytes = request.finish();
        match Messages(&bytes).next()?.body {
            Body::Content { bytes, .. } => Link::parse(bytes),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_message_that_tells_only_a_part_is_no_link() {
        assert!(parsed(|_| {}).is_some());
        assert_eq!(parsed(|request| request.attribute(IFLA_WIRELESS, &[0; 8])), None);
        let mut request = Request::link(libc::RTM_NEWLINK, 0, 0, 5);
        request.attribute(libc::IFLA_IFNAME, b"eth0\0");
        assert_eq!(Link::parse(&request.finish()[16..]), None, "no MTU");
        let mut port = Request::link(libc::RTM_NEWLINK, 0, 0, 5).finish();
        port[16] = libc::AF_BRIDGE as u8;
        assert_eq!(Link::parse(&port[16..]), None, "about a bridge's port");
    }

    #[test]
    fn parents_count_only_below_and_in_this_namespace() {
        let parent = |index: u32, kind: &'static [u8], elsewhere: bool| {
            parsed(|request| {
                request.attribute(libc::IFLA_LINK, &index.to_ne_bytes());
                let mut info = Request::new(0, 0, 0);
                info.attribute(libc::IFLA_INFO_KIND, kind);
                request.attribute(libc::IFLA_LINKINFO, &info.finish()[16..]);
                if elsewhere {
                    request.attribute(libc::IFLA_LINK_NETNSID, &[0; 4]);
                }
            })
            .unwrap()
            .parent
        };
        assert_eq!(parent(2, b"vlan\0", false), Some(2));
        assert_eq!(parent(2, b"vlan\0", true), None, "2 is something else here");
        assert_eq!(parent(2, b"veth\0", false), None, "the other end of the cable");
        assert_eq!(parent(5, b"vlan\0", false), None, "itself");
        assert_eq!(parent(0, b"vlan\0", false), None, "none");
    }

    #[test]
    fn vlan_devices_tell_their_id() {
        let vlan = |kind: &'static [u8], protocol: u16| {
            let mut data = Request::new(0, 0, 0);
            data.attribute(IFLA_VLAN_ID, &7_u16.to_ne_bytes());
            data.attribute(IFLA_VLAN_PROTOCOL, &protocol.to_be_bytes());
            let mut info = Request::new(0, 0, 0);
            info.attribute(libc::IFLA_INFO_KIND, kind);
            info.attribute(libc::IFLA_INFO_DATA, &data.finish()[16..]);
            let info = info.finish();
            parsed(|request| request.attribute(libc::IFLA_LINKINFO, &info[16..])).unwrap().vlan
        };
        assert_eq!(vlan(b"vlan\0", 0x8100), Some(7));
        assert_eq!(vlan(b"vlan\0", 0x88a8), None, "802.1ad");
        assert_eq!(vlan(b"macvlan\0", 0x8100), None, "7 means something else there");
    }

    #[test]
    fn a_ring_of_parents_ends() {
        let link = |index, parent| Link {
            index,
            name: format!("v{index}"),
            alias: None,
            kind: Some("vlan".into()),
            hardware_type: libc::ARPHRD_ETHER,
            flags: 0,
            mac: None,
            mtu: 1500,
            master: None,
            vlan: None,
            parent: Some(parent),
        };
        let links: Links = [link(1, 2), link(2, 1)].into_iter().collect();
        assert_eq!(links.stack(links.get(1).unwrap()).count(), STACK_MAX + 1);
    }
}
