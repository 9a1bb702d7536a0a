//! What is inside a client's frame, as far as a node must know: ARP, IP, UDP, DHCP, and the checksums that a kernel has
//! left to the network card. `etherparse` reads the headers; here is what they mean to the mesh.

pub mod arp;
pub mod checksum;
pub mod dhcp;
pub mod multicast;
pub mod neighbour;

use crate::Discard;
use crate::ethernet::{Frame, VLAN_ETHERTYPE};
use etherparse::{IpNumber, Ipv4HeaderSlice, Ipv6HeaderSlice, UdpHeader};

/// Ethertype of ARP.
pub const ARP_ETHERTYPE: u16 = 0x0806;
/// Ethertype of IPv4.
pub const IPV4_ETHERTYPE: u16 = 0x0800;
/// Ethertype of IPv6.
pub const IPV6_ETHERTYPE: u16 = 0x86dd;

/// Ethertype and payload of a frame, behind at most one 802.1Q tag (FWD-36, GW-45).
///
/// # Errors
/// [`Discard::Truncated`] if the frame ends inside its headers.
pub fn layer_3(frame: &[u8]) -> Result<(u16, &[u8]), Discard> {
    let ethernet = Frame::parse(frame)?;
    if ethernet.ethertype != VLAN_ETHERTYPE {
        return Ok((ethernet.ethertype, ethernet.payload));
    }
    let (_, ethertype) = ethernet.tag().ok_or(Discard::Truncated)?;
    Ok((ethertype, &ethernet.payload[4..]))
}

/// The IP version of a datagram.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum IpVersion {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// A UDP datagram; IPv6 extension headers are not skipped (FWD-36).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Udp<'a> {
    /// What carries it.
    pub version: IpVersion,
    /// Where from.
    pub source_port: u16,
    /// Where to.
    pub destination_port: u16,
    /// What follows the UDP header, to the end of the frame: neither length field is trusted (DAT-51).
    pub data: &'a [u8],
}

impl<'a> Udp<'a> {
    /// The UDP datagram in a frame, behind at most one 802.1Q tag, if there is one. Of a fragmented datagram only the
    /// first part counts, since the others have no header.
    pub fn find(frame: &'a [u8]) -> Option<Self> {
        let (ethertype, bytes) = layer_3(frame).ok()?;
        let (version, header_len) = match ethertype {
            IPV4_ETHERTYPE => {
                let ip = Ipv4HeaderSlice::from_slice(bytes).ok()?;
                let is_udp = ip.protocol() == IpNumber::UDP && ip.fragments_offset().value() == 0;
                is_udp.then_some((IpVersion::V4, ip.slice().len()))?
            }
            IPV6_ETHERTYPE => {
                let ip = Ipv6HeaderSlice::from_slice(bytes).ok()?;
                (ip.next_header() == IpNumber::UDP).then_some((IpVersion::V6, ip.slice().len()))?
            }
            _ => return None,
        };
        let (udp, data) = UdpHeader::from_slice(bytes.get(header_len..)?).ok()?;
        let (source_port, destination_port) = (udp.source_port, udp.destination_port);
        Some(Self { version, source_port, destination_port, data })
    }
}
