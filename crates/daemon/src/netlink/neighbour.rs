//! The neighbour cache: which MAC address the host knows for an IP address (ARP, IPv6 neighbour discovery).

use super::message::{Attributes, Body, Request};
use super::socket::{Datagram, Socket};
use noctule_wire::Mac;
use std::io;
use std::net::IpAddr;

/// `struct ndmsg`: family, padding, interface, state, flags, type.
const HEADER_LEN: usize = 12;
const STATE_AT: usize = 8;
/// `NDA_DST` and `NDA_LLADDR`.
const DESTINATION: u16 = 1;
const LINK_ADDRESS: u16 = 2;
/// `NUD_INCOMPLETE | NUD_FAILED`: nobody has answered.
const UNANSWERED: u16 = 0x01 | 0x20;

/// The MAC address that the host has in its neighbour cache for `ip`, in the network namespace of the calling thread.
///
/// # Errors
/// What the kernel said.
pub fn neighbour(ip: IpAddr) -> io::Result<Option<Mac>> {
    const NUMBER: u32 = 1;
    let mut socket = Socket::route(0)?;
    let mut request = Request::new(libc::RTM_GETNEIGH, libc::NLM_F_DUMP, NUMBER);
    let family = if ip.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let mut header = [0; HEADER_LEN];
    header[0] = family as u8;
    request.raw(&header);
    socket.send(request)?;
    let mut found = None;
    loop {
        let messages = match socket.receive(true)? {
            Some(Datagram::Whole(messages)) => messages,
            Some(Datagram::Cut) => return Err(io::Error::from_raw_os_error(libc::ENOBUFS)),
            None => continue,
        };
        for message in messages.filter(|message| message.number == NUMBER) {
            match message.body {
                Body::Content { kind: libc::RTM_NEWNEIGH, bytes } => {
                    found = found.or_else(|| parse(bytes).filter(|(of, _)| *of == ip));
                }
                Body::Done => return Ok(found.map(|(_, mac)| mac)),
                Body::Answer(Err(error)) => return Err(error),
                Body::Answer(Ok(())) | Body::Content { .. } => {}
            }
        }
    }
}

/// An entry that somebody has answered for.
fn parse(bytes: &[u8]) -> Option<(IpAddr, Mac)> {
    let (header, attributes) = bytes.split_at_checked(HEADER_LEN)?;
    let state = u16::from_ne_bytes(*header.get(STATE_AT..)?.first_chunk()?);
    let (mut ip, mut mac) = (None, None);
    for (kind, value) in Attributes(attributes) {
        match (kind, value.len()) {
            (DESTINATION, 4) => ip = value.first_chunk::<4>().map(|ip| IpAddr::from(*ip)),
            (DESTINATION, 16) => ip = value.first_chunk::<16>().map(|ip| IpAddr::from(*ip)),
            (LINK_ADDRESS, 6) => mac = Mac::from_prefix(value),
            _ => {}
        }
    }
    (state & UNANSWERED == 0).then_some((ip?, mac?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(state: u16, ip: &[u8], mac: &[u8]) -> Vec<u8> {
        let mut header = [0; HEADER_LEN];
        header[STATE_AT..STATE_AT + 2].copy_from_slice(&state.to_ne_bytes());
        let mut request = Request::new(libc::RTM_NEWNEIGH, 0, 1);
        request.raw(&header);
        request.attribute(DESTINATION, ip);
        request.attribute(LINK_ADDRESS, mac);
        request.finish()[16..].to_vec()
    }

    #[test]
    fn only_answered_entries_count() {
        const REACHABLE: u16 = 0x02;
        let mac = [2, 0, 0, 0, 0, 1];
        let v4 = IpAddr::from([10, 99, 0, 2]);
        assert_eq!(parse(&entry(REACHABLE, &[10, 99, 0, 2], &mac)), Some((v4, Mac(mac))));
        let v6 = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        assert_eq!(parse(&entry(REACHABLE, &v6, &mac)), Some((v6.into(), Mac(mac))));
        for (state, ip, mac) in [(1, 4, 6), (0x20, 4, 6), (REACHABLE, 5, 6), (REACHABLE, 4, 8)] {
            assert_eq!(parse(&entry(state, &vec![10; ip], &vec![2; mac])), None);
        }
        for len in 0..entry(REACHABLE, &v6, &mac).len() {
            let _ = parse(&entry(REACHABLE, &v6, &mac)[..len]);
        }
    }
}
