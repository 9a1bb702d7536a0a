//! The network interfaces of this machine, and what changes about them (rtnetlink).

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send,
    socket,
};
use noctule_wire::Mac;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// A network interface, as the kernel describes it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Link {
    pub(crate) index: u32,
    pub(crate) name: String,
    /// Kind of a virtual device: `veth`, `bridge`, `vlan`, `batadv`, `tun`, …
    pub(crate) kind: Option<String>,
    /// `ARPHRD_*`.
    pub(crate) hardware_type: u16,
    /// `IFF_*`.
    pub(crate) flags: u32,
    pub(crate) mac: Option<Mac>,
    /// Bytes.
    pub(crate) mtu: u32,
    /// The bridge, bond or mesh that it is a port of.
    pub(crate) master: Option<u32>,
    /// What it is stacked on.
    pub(crate) parent: Option<u32>,
}

impl Link {
    /// Whether it is up and has a carrier. `IFF_RUNNING` says the same, but up to a second later.
    pub(crate) fn is_running(&self) -> bool {
        let running = (libc::IFF_UP | libc::IFF_LOWER_UP) as u32;
        self.flags & running == running
    }

    pub(crate) fn is_loopback(&self) -> bool {
        self.flags & libc::IFF_LOOPBACK as u32 != 0
    }

    pub(crate) fn is_ethernet(&self) -> bool {
        self.hardware_type == libc::ARPHRD_ETHER && self.mac.is_some()
    }

    /// Whether it is a wireless device (FWD-11).
    pub(crate) fn is_wifi(&self) -> bool {
        let has = |entry: &str| {
            std::path::Path::new("/sys/class/net").join(&self.name).join(entry).exists()
        };
        has("phy80211") || has("wireless")
    }
}

/// What happened to a network interface.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum LinkEvent {
    /// It is there, and looks like this.
    Present(Link),
    /// It is gone.
    Gone { index: u32 },
    /// Events were lost: look at all of them.
    Overrun,
}

/// Tells what changes about the network interfaces of this network namespace.
#[derive(Debug)]
pub(crate) struct Monitor {
    socket: OwnedFd,
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Monitor {
    pub(crate) fn open() -> io::Result<Self> {
        Ok(Self { socket: open(libc::RTMGRP_LINK as u32)? })
    }

    /// What happened since the last call.
    pub(crate) fn events(&mut self) -> io::Result<Vec<LinkEvent>> {
        let mut events = Vec::new();
        let mut buffer = vec![0; 32 * 1024];
        loop {
            match recv(self.socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(len) => {
                    parse(&buffer[..len], &mut events);
                }
                Err(Errno::EAGAIN) => return Ok(events),
                Err(Errno::EINTR) => {}
                Err(Errno::ENOBUFS) => events.push(LinkEvent::Overrun),
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

fn open(groups: u32) -> io::Result<OwnedFd> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )?;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
    Ok(socket)
}

/// All network interfaces.
pub(crate) fn list() -> io::Result<Vec<Link>> {
    let socket = open(0)?;
    let mut request = Vec::new();
    request.extend_from_slice(&32_u32.to_ne_bytes());
    request.extend_from_slice(&libc::RTM_GETLINK.to_ne_bytes());
    request.extend_from_slice(&((libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16).to_ne_bytes());
    request.extend_from_slice(&[0; 24]);
    send(socket.as_raw_fd(), &request, MsgFlags::empty())?;
    let mut events = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let len = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
        if parse(&buffer[..len], &mut events) {
            break;
        }
    }
    Ok(events
        .into_iter()
        .filter_map(|event| match event {
            LinkEvent::Present(link) => Some(link),
            _ => None,
        })
        .collect())
}

fn number_16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes)
}

fn number_32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

/// Reads a datagram of messages; says whether it ends a dump.
fn parse(mut bytes: &[u8], events: &mut Vec<LinkEvent>) -> bool {
    while let (Some(len), Some(kind)) = (number_32(bytes, 0), number_16(bytes, 4)) {
        let Some(body) = bytes.get(16..len as usize) else { break };
        match kind {
            libc::RTM_NEWLINK => events.extend(link(body).map(LinkEvent::Present)),
            libc::RTM_DELLINK => {
                events.extend(number_32(body, 4).map(|index| LinkEvent::Gone { index }));
            }
            3 | 2 => return true,
            _ => {}
        }
        bytes = bytes.get((len as usize).next_multiple_of(4)..).unwrap_or_default();
    }
    false
}

fn attributes(mut bytes: &[u8], mut each: impl FnMut(u16, &[u8])) {
    while let (Some(len), Some(kind)) = (number_16(bytes, 0), number_16(bytes, 2)) {
        let Some(value) = bytes.get(4..usize::from(len)) else { break };
        each(kind & 0x3fff, value);
        bytes = bytes.get(usize::from(len).next_multiple_of(4)..).unwrap_or_default();
    }
}

fn text(value: &[u8]) -> String {
    let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
    String::from_utf8_lossy(&value[..end]).into_owned()
}

fn link(body: &[u8]) -> Option<Link> {
    // AF_BRIDGE messages tell of ports, not of devices.
    if body.first() != Some(&0) {
        return None;
    }
    let mut link = Link {
        index: number_32(body, 4)?,
        name: String::new(),
        kind: None,
        hardware_type: number_16(body, 2)?,
        flags: number_32(body, 8)?,
        mac: None,
        mtu: 0,
        master: None,
        parent: None,
    };
    attributes(body.get(16..)?, |kind, value| match kind {
        libc::IFLA_IFNAME => link.name = text(value),
        libc::IFLA_ADDRESS if value.len() == 6 => link.mac = Mac::from_prefix(value),
        libc::IFLA_MTU => link.mtu = number_32(value, 0).unwrap_or(0),
        libc::IFLA_MASTER => link.master = number_32(value, 0),
        libc::IFLA_LINK => link.parent = number_32(value, 0).filter(|parent| *parent != 0),
        libc::IFLA_LINKINFO => attributes(value, |kind, value| {
            if kind == libc::IFLA_INFO_KIND {
                link.kind = Some(text(value));
            }
        }),
        _ => {}
    });
    Some(link)
}
