//! IPv6 neighbour discovery (RFC 4861), as far as a node that answers for others must know it.

use super::{IPV6_ETHERTYPE, multicast::sum};
use crate::ethernet::{Frame, VLAN_ETHERTYPE};
use crate::{Mac, Vid};
use core::net::Ipv6Addr;

const IPV6_HEADER_LEN: usize = 40;
/// Type, code, checksum, flags, target.
const MESSAGE_LEN: usize = 24;
const ICMPV6: u8 = 58;
/// What no router has passed on.
const HOP_LIMIT: u8 = 255;
const ROUTER_ADVERTISEMENT: u8 = 134;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
const SOURCE_LINK_LAYER: u8 = 1;
const TARGET_LINK_LAYER: u8 = 2;
/// Of an Ethernet address as an option, in units of 8 bytes.
const LINK_LAYER_UNITS: u8 = 1;

/// What a message says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Message {
    /// "Who has the target?"
    Solicitation,
    /// "The target is here."
    Advertisement {
        /// It is a router.
        router: bool,
        /// This is an answer.
        solicited: bool,
        /// It goes before what was known; not set by proxies, anycast and addresses that are not yet checked.
        overrides: bool,
    },
    /// "I am a router"; there is no target.
    Router,
}

/// A message of neighbour discovery that a host must believe (RFC 4861 sections 6.1.2, 7.1.1 and 7.1.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Neighbour {
    /// What it says.
    pub message: Message,
    /// Who says it; unspecified while a host checks whether an address is free.
    pub source: Ipv6Addr,
    /// To whom: a host, or the group of those who may have the target.
    pub destination: Ipv6Addr,
    /// Of whom; unspecified in [`Message::Router`].
    pub target: Ipv6Addr,
    /// The source's link-layer address in a solicitation, the target's in an advertisement.
    pub link_layer: Option<Mac>,
    /// It has other options, too: nonces, signatures, what is to come.
    pub others: bool,
}

impl Neighbour {
    /// Bytes of [`Self::advertisement`] with a tag.
    pub const FRAME_LEN_MAX: usize = 18 + IPV6_HEADER_LEN + MESSAGE_LEN + 8;

    /// The message in a frame (ND-01, ND-02). A tag with a VLAN id is skipped, a priority tag is not, as with ARP.
    pub fn find(frame: &[u8]) -> Option<Self> {
        let ethernet = Frame::parse(frame).ok()?;
        let (ethertype, bytes) = match ethernet.vid().id() {
            Some(_) => (ethernet.tag()?.1, ethernet.payload.get(4..)?),
            None => (ethernet.ethertype, ethernet.payload),
        };
        if ethertype != IPV6_ETHERTYPE { None } else { Self::parse(bytes) }
    }

    /// Reads an IPv6 packet; extension headers make it none of these.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (header, rest) = bytes.split_first_chunk::<IPV6_HEADER_LEN>()?;
        let len = usize::from(u16::from_be_bytes([header[4], header[5]]));
        if header[0] >> 4 != 6 || header[6] != ICMPV6 || header[7] != HOP_LIMIT {
            return None;
        }
        // What lies behind is Ethernet padding.
        let icmp = rest.get(..len)?;
        let (kind, code) = (*icmp.first()?, *icmp.get(1)?);
        let is_one = matches!(kind, ROUTER_ADVERTISEMENT | SOLICITATION | ADVERTISEMENT);
        if !is_one || code != 0 || !is_intact(header, icmp) {
            return None;
        }
        let (source, destination) = (address(header, 8)?, address(header, 24)?);
        if source.is_multicast() {
            return None;
        }
        if kind == ROUTER_ADVERTISEMENT {
            let is_router = icmp.len() >= 16 && source.is_unicast_link_local();
            let (message, target) = (Message::Router, Ipv6Addr::UNSPECIFIED);
            let (link_layer, others) = (None, true);
            let found = Self { message, source, destination, target, link_layer, others };
            return is_router.then_some(found);
        }
        let target = address(icmp, 8)?;
        let flags = *icmp.get(4)?;
        let (message, wanted) = match kind {
            SOLICITATION => (Message::Solicitation, SOURCE_LINK_LAYER),
            ADVERTISEMENT => {
                let [router, solicited, overrides] = [0x80, 0x40, 0x20].map(|bit| flags & bit != 0);
                (Message::Advertisement { router, solicited, overrides }, TARGET_LINK_LAYER)
            }
            _ => return None,
        };
        let Options { link_layer, others } = Options::read(icmp.get(MESSAGE_LEN..)?, wanted)?;
        let found = Self { message, source, destination, target, link_layer, others };
        found.is_valid().then_some(found)
    }

    fn is_valid(&self) -> bool {
        let says_what_it_may = match self.message {
            Message::Solicitation if self.source.is_unspecified() => {
                self.destination == solicited_node(self.target) && self.link_layer.is_none()
            }
            Message::Advertisement { solicited, .. } => {
                !(self.source.is_unspecified() || solicited && self.destination.is_multicast())
            }
            Message::Solicitation | Message::Router => true,
        };
        says_what_it_may && is_host(self.target)
    }

    /// Whether a host looks for a neighbour by its group and says where the answer is to go; not one that checks an
    /// address, and not one that makes sure that a neighbour is still there.
    pub fn is_question(&self) -> bool {
        self.message == Message::Solicitation
            && is_host(self.source)
            && self.link_layer.is_some()
            && self.destination == solicited_node(self.target)
    }

    /// The answer to a solicitation, as a frame to who asked (ND-12): its bytes, of which the first `n` count.
    ///
    /// It does not override: should the target itself say something else, that counts.
    pub fn advertisement(
        &self,
        to: Mac,
        target: Mac,
        router: bool,
        vid: Vid,
    ) -> ([u8; Self::FRAME_LEN_MAX], usize) {
        let mut frame = [0; Self::FRAME_LEN_MAX];
        let mut len = 0;
        let mut put = |bytes: &[u8]| {
            frame[len..len + bytes.len()].copy_from_slice(bytes);
            len += bytes.len();
        };
        put(&to.0);
        put(&target.0);
        if let Some(id) = vid.id() {
            put(&VLAN_ETHERTYPE.to_be_bytes());
            put(&id.to_be_bytes());
        }
        put(&IPV6_ETHERTYPE.to_be_bytes());
        let icmp_len = MESSAGE_LEN + 8;
        put(&[0x60, 0, 0, 0, 0, icmp_len as u8, ICMPV6, HOP_LIMIT]);
        put(&self.target.octets());
        put(&self.source.octets());
        let flags = if router { 0xc0 } else { 0x40 };
        put(&[ADVERTISEMENT, 0, 0, 0, flags, 0, 0, 0]);
        put(&self.target.octets());
        put(&[TARGET_LINK_LAYER, LINK_LAYER_UNITS]);
        put(&target.0);
        let (addresses, icmp) = (len - icmp_len - 32, len - icmp_len);
        let pseudo = icmp_len as u32 + u32::from(ICMPV6);
        let checksum = !sum(pseudo, &frame[addresses..len]);
        frame[icmp + 2..icmp + 4].copy_from_slice(&checksum.to_be_bytes());
        (frame, len)
    }
}

/// Whether a host can have this address.
pub fn is_host(ip: Ipv6Addr) -> bool {
    !ip.is_unspecified() && !ip.is_loopback() && !ip.is_multicast()
}

/// The group of those who may have an address.
pub fn solicited_node(ip: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = ip.octets();
    Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c])
}

struct Options {
    link_layer: Option<Mac>,
    others: bool,
}

impl Options {
    /// `None` if one has no length, or they do not end with the message (RFC 4861 section 4.6).
    fn read(mut bytes: &[u8], wanted: u8) -> Option<Self> {
        let mut found = Self { link_layer: None, others: false };
        while !bytes.is_empty() {
            let (kind, units) = (*bytes.first()?, *bytes.get(1)?);
            if units == 0 {
                return None;
            }
            let (option, rest) = bytes.split_at_checked(usize::from(units) * 8)?;
            if kind == wanted && units == LINK_LAYER_UNITS && found.link_layer.is_none() {
                found.link_layer = Some(Mac::from_prefix(option.get(2..)?)?);
            } else {
                found.others = true;
            }
            bytes = rest;
        }
        Some(found)
    }
}

fn is_intact(header: &[u8; IPV6_HEADER_LEN], icmp: &[u8]) -> bool {
    let pseudo = u32::from(u16::try_from(icmp.len()).unwrap_or(0)) + u32::from(ICMPV6);
    sum(pseudo + u32::from(sum(0, &header[8..])), icmp) == 0xffff
}

fn address(bytes: &[u8], at: usize) -> Option<Ipv6Addr> {
    bytes.get(at..)?.first_chunk::<16>().map(|octets| Ipv6Addr::from(*octets))
}

#[cfg(test)]
mod tests;
