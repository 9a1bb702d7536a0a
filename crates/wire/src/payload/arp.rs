//! ARP for IPv4 on Ethernet.

use super::ARP_ETHERTYPE;
use crate::ethernet::{Frame, VLAN_ETHERTYPE};
use crate::{Mac, Vid};
use core::net::Ipv4Addr;
use etherparse::{ArpHardwareId, ArpPacketSlice, EtherType};

/// What an ARP packet does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Operation {
    /// 1: "who has the target address?"
    Request,
    /// 2: "I have the sender address."
    Reply,
    /// Anything else.
    Other(u16),
}

impl From<u16> for Operation {
    fn from(number: u16) -> Self {
        match number {
            1 => Self::Request,
            2 => Self::Reply,
            _ => Self::Other(number),
        }
    }
}

/// The fields of an ARP packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Arp {
    /// Request or reply.
    pub operation: Operation,
    /// Hardware address of who speaks.
    pub sender_mac: Mac,
    /// IPv4 address of who speaks.
    pub sender_ip: Ipv4Addr,
    /// Hardware address of who is spoken to or about; meaningless in a request.
    pub target_mac: Mac,
    /// IPv4 address of who is spoken to or about.
    pub target_ip: Ipv4Addr,
}

impl Arp {
    /// The ARP packet in a frame, if it is one for IPv4 on Ethernet. A tag with a VLAN id is skipped, a priority tag is
    /// not (DAT-65, DAT-66).
    pub fn find(frame: &[u8]) -> Option<Self> {
        let ethernet = Frame::parse(frame).ok()?;
        let (ethertype, bytes) = match ethernet.vid().id() {
            Some(_) => (ethernet.tag()?.1, ethernet.payload.get(4..)?),
            None => (ethernet.ethertype, ethernet.payload),
        };
        if ethertype != ARP_ETHERTYPE { None } else { Self::parse(bytes) }
    }

    /// Reads what follows the Ethernet header.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let arp = ArpPacketSlice::from_slice(bytes).ok()?;
        if arp.hw_addr_type() != ArpHardwareId::ETHERNET || arp.proto_addr_type() != EtherType::IPV4
        {
            return None;
        }
        Some(Self {
            operation: arp.operation().0.into(),
            sender_mac: mac(arp.sender_hw_addr())?,
            sender_ip: ip(arp.sender_protocol_addr())?,
            target_mac: mac(arp.target_hw_addr())?,
            target_ip: ip(arp.target_protocol_addr())?,
        })
    }
}

impl Arp {
    /// Bytes of [`Self::reply_frame`] with a tag.
    pub const FRAME_LEN_MAX: usize = 46;

    /// Whether the distributed ARP table may act on it (DAT-02 to DAT-04): a request or reply between addresses that hosts can
    /// have.
    pub fn is_usable(&self) -> bool {
        let host = |ip: Ipv4Addr| is_host(ip);
        let target_mac = match self.operation {
            Operation::Request => true,
            Operation::Reply => self.target_mac.is_station(),
            Operation::Other(_) => false,
        };
        target_mac && self.sender_mac.is_station() && host(self.sender_ip) && host(self.target_ip)
    }

    /// Whether a station says, unasked and to everybody, that it has an address now: a request for its own (RFC 5227).
    pub fn is_announcement(&self) -> bool {
        self.operation == Operation::Request && self.sender_ip == self.target_ip
    }

    /// The reply as a frame to the target, in a VLAN or none (DAT-25): its bytes, of which the first `n` count.
    pub fn reply_frame(&self, vid: Vid) -> ([u8; Self::FRAME_LEN_MAX], usize) {
        let mut frame = [0; Self::FRAME_LEN_MAX];
        let mut len = 0;
        let mut put = |bytes: &[u8]| {
            frame[len..len + bytes.len()].copy_from_slice(bytes);
            len += bytes.len();
        };
        put(&self.target_mac.0);
        put(&self.sender_mac.0);
        if let Some(id) = vid.id() {
            put(&VLAN_ETHERTYPE.to_be_bytes());
            put(&id.to_be_bytes());
        }
        put(&ARP_ETHERTYPE.to_be_bytes());
        put(&[0, 1, 8, 0, 6, 4, 0, 2]);
        put(&self.sender_mac.0);
        put(&self.sender_ip.octets());
        put(&self.target_mac.0);
        put(&self.target_ip.octets());
        (frame, len)
    }
}

/// Whether a host can have this address, as the distributed ARP table sees it (DAT-02).
pub fn is_host(ip: Ipv4Addr) -> bool {
    !ip.is_unspecified() && !ip.is_loopback() && !ip.is_multicast() && !ip.is_broadcast()
}

fn mac(bytes: &[u8]) -> Option<Mac> {
    <[u8; 6]>::try_from(bytes).ok().map(Mac)
}

fn ip(bytes: &[u8]) -> Option<Ipv4Addr> {
    <[u8; 4]>::try_from(bytes).ok().map(Ipv4Addr::from)
}
