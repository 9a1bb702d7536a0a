//! What a bridge does with one of its ports.

use super::IFLA_EXT_MASK;
use super::message::{Attributes, Body, LinkHeader, Request, value_16};
use super::socket::{Datagram, Socket};
use std::io;

/// Tell the VLANs of each port.
const RTEXT_FILTER_BRVLAN: u32 = 1 << 1;
/// What the address family has to say about the link, and one VLAN in it: flags and id, 16 bits each.
const IFLA_AF_SPEC: u16 = 26;
const IFLA_BRIDGE_VLAN_INFO: u16 = 2;

/// The 802.1Q ids of the VLANs that a bridge has on its port with this index; none if it is no port.
///
/// # Errors
/// What the kernel said.
pub fn port_vlans(index: u32) -> io::Result<Vec<u16>> {
    const NUMBER: u32 = 1;
    let mut socket = Socket::route(0)?;
    let mut request = Request::new(libc::RTM_GETLINK, libc::NLM_F_DUMP, NUMBER);
    let mut header = [0; 16];
    header[0] = libc::AF_BRIDGE as u8;
    request.raw(&header);
    request.attribute(IFLA_EXT_MASK, &RTEXT_FILTER_BRVLAN.to_ne_bytes());
    socket.send(request)?;
    let mut vlans = Vec::new();
    loop {
        let messages = match socket.receive(true)? {
            Some(Datagram::Whole(messages)) => messages,
            Some(Datagram::Cut) => return Err(io::Error::from_raw_os_error(libc::ENOBUFS)),
            None => continue,
        };
        for message in messages.filter(|message| message.number == NUMBER) {
            match message.body {
                Body::Content { kind: libc::RTM_NEWLINK, bytes } => {
                    vlans.extend(parse(bytes, index).into_iter().flatten());
                }
                Body::Done => return Ok(vlans),
                // A kernel without bridges.
                Body::Answer(Err(error)) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {
                    return Ok(Vec::new());
                }
                Body::Answer(Err(error)) => return Err(error),
                Body::Answer(Ok(())) | Body::Content { .. } => {}
            }
        }
    }
}

fn parse(bytes: &[u8], index: u32) -> Option<Vec<u16>> {
    let (header, mut attributes) = LinkHeader::parse(bytes)?;
    let (_, family) = attributes.find(|(kind, _)| *kind == IFLA_AF_SPEC)?;
    let ids = Attributes(family)
        .filter(|(kind, _)| *kind == IFLA_BRIDGE_VLAN_INFO)
        .filter_map(|(_, value)| value_16(value.get(2..)?));
    (header.index == index).then(|| ids.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vlans_of_one_port_are_read() {
        let mut family = Request::new(0, 0, 0);
        for id in [1_u16, 10] {
            let value = [6_u16.to_ne_bytes(), id.to_ne_bytes()].concat();
            family.attribute(IFLA_BRIDGE_VLAN_INFO, &value);
        }
        family.attribute(IFLA_BRIDGE_VLAN_INFO, &[6, 0, 1]);
        let mut port = Request::link(libc::RTM_NEWLINK, 0, 0, 5);
        port.attribute(libc::IFLA_IFNAME, b"bat0\0");
        port.attribute(IFLA_AF_SPEC, &family.finish()[16..]);
        let bytes = port.finish();
        assert_eq!(parse(&bytes[16..], 5), Some(vec![1, 10]));
        assert_eq!(parse(&bytes[16..], 6), None);
        for len in 16..bytes.len() {
            let _ = parse(&bytes[16..len], 5);
        }
    }
}
