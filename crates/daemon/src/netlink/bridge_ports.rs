//! By which port of a bridge a client came, and what kind of port that is (TT-21): for isolated clients.

use super::Links;
use super::message::{Attributes, Body, LinkHeader, Request, value_16, value_32};
use super::socket::{Datagram, Socket};
use noctule_wire::Mac;
use std::collections::BTreeMap;
use std::io;

/// `struct ndmsg`: family, padding, interface, state, flags, type.
const NEIGHBOUR_HEADER_LEN: usize = 12;
const NEIGHBOUR_INDEX_AT: usize = 4;
const NEIGHBOUR_STATE_AT: usize = 8;
/// `NUD_PERMANENT`: an address of the bridge's own, which lists those of its ports. It has one of them itself, the lowest.
const PERMANENT: u16 = 0x80;
const LINK_ADDRESS: u16 = 2;
const MASTER: u16 = 9;
/// What a bridge says of its port, and whether the port is isolated.
const IFLA_PROTINFO: u16 = 12;
const IFLA_BRPORT_ISOLATED: u16 = 33;
/// Addresses that are remembered, of all bridges together; the rest counts as behind ordinary ports. As many as there can
/// be local clients, and room for those on the other side.
const ADDRESSES_MAX: usize = 65_536;

/// What a port makes of the clients behind it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PortKind {
    /// It is a Wi-Fi device.
    pub wifi: bool,
    /// The bridge keeps it from other isolated ports.
    pub isolated: bool,
}

impl PortKind {
    /// Whether it makes anything of them.
    const fn matters(self) -> bool {
        self.wifi || self.isolated
    }

    const fn or(self, other: Self) -> Self {
        Self { wifi: self.wifi || other.wifi, isolated: self.isolated || other.isolated }
    }
}

/// What the bridges know of clients, as of the last look.
#[derive(Debug, Default)]
pub struct BridgePorts {
    /// By index. Only the devices that are ports now.
    wifi: BTreeMap<u32, bool>,
    matters: bool,
    /// By bridge and address.
    addresses: BTreeMap<(u32, Mac), PortKind>,
}

impl BridgePorts {
    /// What the client with this address in this bridge is; `None` if the bridge does not know it (any more).
    pub fn kind(&self, bridge: u32, mac: Mac) -> Option<PortKind> {
        self.addresses.get(&(bridge, mac)).copied()
    }

    /// Whether there is a port that makes anything of its clients.
    pub const fn matters(&self) -> bool {
        self.matters
    }

    /// Looks at all bridges. Ports that `is_mesh` names lead into the mesh: who is behind those is no client of ours.
    ///
    /// # Errors
    /// What the kernel said; what was known before stays.
    pub fn look(&mut self, links: &Links, is_mesh: impl Fn(u32) -> bool) -> io::Result<()> {
        let mut isolated = BTreeMap::new();
        let mut request = Request::new(libc::RTM_GETLINK, libc::NLM_F_DUMP, NUMBER);
        request.raw(&[libc::AF_BRIDGE as u8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        dump(request, libc::RTM_NEWLINK, |bytes| isolated.extend(port(bytes)))?;
        let before = std::mem::take(&mut self.wifi);
        let mut kinds = BTreeMap::new();
        for (index, isolated) in isolated.into_iter().filter(|(index, _)| !is_mesh(*index)) {
            let Some(link) = links.get(index) else { continue };
            let wifi = before.get(&index).copied().unwrap_or_else(|| links.is_wireless(link));
            self.wifi.insert(index, wifi);
            kinds.insert(index, PortKind { wifi, isolated });
        }
        let mattered = self.matters;
        self.matters = kinds.values().any(|kind| kind.matters());
        if !mattered && !self.matters {
            self.addresses.clear();
            return Ok(());
        }
        let mut addresses = BTreeMap::<_, PortKind>::new();
        let mut request = Request::new(libc::RTM_GETNEIGH, libc::NLM_F_DUMP, NUMBER);
        let mut header = [0; NEIGHBOUR_HEADER_LEN];
        header[0] = libc::AF_BRIDGE as u8;
        request.raw(&header);
        dump(request, libc::RTM_NEWNEIGH, |bytes| {
            let Some(Address { port, bridge, mac, own }) = address(bytes) else { return };
            let Some(kind) = kinds.get(&port) else { return };
            // This host is behind no port, whichever port lends the bridge its address.
            let kind = if own { PortKind::default() } else { *kind };
            if addresses.len() < ADDRESSES_MAX {
                // Of several VLANs the strictest counts.
                let entry = addresses.entry((bridge, mac)).or_default();
                *entry = entry.or(kind);
            }
        })?;
        self.addresses = addresses;
        Ok(())
    }
}

const NUMBER: u32 = 1;

/// Asks for a list and hands out its messages.
fn dump(request: Request, kind: u16, mut each: impl FnMut(&[u8])) -> io::Result<()> {
    let mut socket = Socket::route(0)?;
    socket.send(request)?;
    loop {
        let messages = match socket.receive(true)? {
            Some(Datagram::Whole(messages)) => messages,
            Some(Datagram::Cut) => return Err(io::Error::from_raw_os_error(libc::ENOBUFS)),
            None => continue,
        };
        for message in messages.filter(|message| message.number == NUMBER) {
            match message.body {
                Body::Content { kind: found, bytes } if found == kind => each(bytes),
                Body::Done => return Ok(()),
                // A kernel without bridges.
                Body::Answer(Err(error)) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {
                    return Ok(());
                }
                Body::Answer(Err(error)) => return Err(error),
                Body::Answer(Ok(())) | Body::Content { .. } => {}
            }
        }
    }
}

/// A port's index, and whether it is isolated.
fn port(bytes: &[u8]) -> Option<(u32, bool)> {
    let (header, mut attributes) = LinkHeader::parse(bytes)?;
    let (_, said) = attributes.find(|(kind, _)| *kind == IFLA_PROTINFO)?;
    let isolated = Attributes(said).find(|(kind, _)| *kind == IFLA_BRPORT_ISOLATED);
    Some((header.index, isolated.is_some_and(|(_, value)| value.first().is_some_and(|v| *v != 0))))
}

/// An address in a bridge's table.
#[derive(Debug, Eq, PartialEq)]
struct Address {
    port: u32,
    bridge: u32,
    mac: Mac,
    /// It is this host's own.
    own: bool,
}

fn address(bytes: &[u8]) -> Option<Address> {
    let (header, attributes) = bytes.split_at_checked(NEIGHBOUR_HEADER_LEN)?;
    let port = value_32(header.get(NEIGHBOUR_INDEX_AT..)?.first_chunk::<4>()?)?;
    let state = value_16(header.get(NEIGHBOUR_STATE_AT..)?.first_chunk::<2>()?)?;
    let (mut bridge, mut mac) = (None, None);
    for (kind, value) in Attributes(attributes) {
        match (kind, value.len()) {
            (LINK_ADDRESS, 6) => mac = Mac::from_prefix(value),
            (MASTER, 4) => bridge = value_32(value),
            _ => {}
        }
    }
    Some(Address { port, bridge: bridge?, mac: mac?, own: state & PERMANENT != 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_addresses_are_read() {
        let mut nested = Request::new(0, 0, 0);
        nested.attribute(1, &[3]);
        nested.attribute(IFLA_BRPORT_ISOLATED, &[1]);
        let mut message = Request::link(libc::RTM_NEWLINK, 0, 0, 5);
        message.attribute(IFLA_PROTINFO, &nested.finish()[16..]);
        let bytes = message.finish();
        assert_eq!(port(&bytes[16..]), Some((5, true)));
        for len in 16..bytes.len() {
            let _ = port(&bytes[16..len]);
        }
        let neighbour = |state: u16| {
            let mut message = Request::new(libc::RTM_NEWNEIGH, 0, 0);
            let mut header = [0; NEIGHBOUR_HEADER_LEN];
            header[4..8].copy_from_slice(&5_u32.to_ne_bytes());
            header[8..10].copy_from_slice(&state.to_ne_bytes());
            message.raw(&header);
            message.attribute(LINK_ADDRESS, &[2, 0xc1, 0, 0, 0, 1]);
            message.attribute(MASTER, &9_u32.to_ne_bytes());
            message.finish()
        };
        let bytes = neighbour(2);
        let learned = Address { port: 5, bridge: 9, mac: Mac([2, 0xc1, 0, 0, 0, 1]), own: false };
        assert_eq!(address(&bytes[16..]), Some(learned));
        assert!(address(&neighbour(PERMANENT)[16..]).is_some_and(|found| found.own));
        for len in 16..bytes.len() {
            let _ = address(&bytes[16..len]);
        }
    }
}
