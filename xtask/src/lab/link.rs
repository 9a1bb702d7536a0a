//! What the kernel says about a link.

use super::rtnetlink::{attributes, field};

/// Length of `struct ifinfomsg`.
const LINK_HEADER: usize = 16;

/// An interface as it is at the moment of asking.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Link {
    /// Its name.
    pub(crate) name: String,
    /// Its number in its namespace.
    pub(crate) index: u32,
    /// Its hardware address; zero if it has none of six bytes.
    pub(crate) mac: [u8; 6],
    /// Its MTU in bytes.
    pub(crate) mtu: u32,
    /// Somebody switched it on.
    pub(crate) up: bool,
    /// It is on and has a carrier.
    pub(crate) running: bool,
    /// Number of the bridge or other master it belongs to.
    pub(crate) master: Option<u32>,
    /// Kind of virtual link: `veth`, `bridge`, `tun`, …; empty for others.
    pub(crate) kind: String,
    /// Frames received since it was made.
    pub(crate) rx_frames: u64,
    /// Frames sent since it was made.
    pub(crate) tx_frames: u64,
    /// Bytes received since it was made.
    pub(crate) rx_bytes: u64,
    /// Bytes sent since it was made.
    pub(crate) tx_bytes: u64,
    /// Frames that arrived and were dropped before anybody saw them.
    pub(crate) rx_dropped: u64,
    /// Frames that were to be sent and found no room, or nobody at the other end.
    pub(crate) tx_dropped: u64,
}

impl Link {
    /// Reads the body of an `RTM_NEWLINK`.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let flags = i32::from_ne_bytes(field(body, 8)?);
        let mut link = Self {
            index: u32::from_ne_bytes(field(body, 4)?),
            up: flags & libc::IFF_UP != 0,
            running: flags & libc::IFF_RUNNING != 0,
            ..Self::default()
        };
        for (kind, value) in attributes(body, LINK_HEADER) {
            match kind {
                libc::IFLA_IFNAME => link.name = text(value),
                libc::IFLA_ADDRESS => link.mac = value.try_into().unwrap_or_default(),
                libc::IFLA_MTU => link.mtu = field(value, 0).map_or(0, u32::from_ne_bytes),
                libc::IFLA_MASTER => link.master = field(value, 0).map(u32::from_ne_bytes),
                libc::IFLA_LINKINFO => {
                    link.kind = attributes(value, 0)
                        .find(|(kind, _)| *kind == libc::IFLA_INFO_KIND)
                        .map(|(_, value)| text(value))
                        .unwrap_or_default();
                }
                libc::IFLA_STATS64 => {
                    let counter = |at: usize| field(value, at * 8).map_or(0, u64::from_ne_bytes);
                    link.rx_frames = counter(0);
                    link.tx_frames = counter(1);
                    link.rx_bytes = counter(2);
                    link.tx_bytes = counter(3);
                    link.rx_dropped = counter(6);
                    link.tx_dropped = counter(7);
                }
                _ => {}
            }
        }
        Some(link)
    }
}

fn text(value: &[u8]) -> String {
    let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
    String::from_utf8_lossy(&value[..end]).into_owned()
}
