//! Which worker a frame belongs to, where a node has several.
//!
//! Most of what comes is payload from one station to another: all that is needed for it are the tables, so any worker may
//! have it, as long as it is the same for a whole flow, whose order has to stay. What a pipeline remembers of other frames
//! is not shared; these go to the worker that remembers:
//!
//! * **The first worker** has all that goes to groups (the windows that tell a second copy, the repetitions, the duplicates
//!   of a LAN), ARP, DHCP and ICMPv6 (the caches of addresses), and whatever is rare.
//! * **Fragments** of what one originator sends to another meet at one worker, where they are put together.
//!
//! The kernel sorts by the same rule ([`packet`](crate::packet)), but nothing depends on that: while an interface comes and
//! goes, its sockets may be in another order. A pipeline that gets what belongs to another one passes it on.
//!
//! A flow is what has the same addresses: MAC, IPv4 or IPv6, and for TCP, which nobody cuts, ports. Packets that are cut
//! and packets that are not keep their order among themselves, not with each other: only the first part of a packet shows
//! its addresses.

use noctule_wire::{Fragment, Unicast, Unicast4Addr};

/// Multiplies each word into the hash: an odd number whose bits are well mixed (2^32 divided by the golden ratio).
pub(crate) const MULTIPLIER: u32 = 0x9e37_79b1;

/// Where things are in an IPv4 or IPv6 packet, and what they say, as far as this file must know. From the start of an
/// Ethernet frame with one header of 14 bytes.
pub(crate) mod at {
    pub(crate) const ETHERTYPE: usize = 12;
    pub(crate) const TAG_LEN: usize = 4;
    pub(crate) const IP: usize = 14;
    pub(crate) const IPV4_FRAGMENT: usize = 20;
    pub(crate) const IPV4_PROTOCOL: usize = 23;
    pub(crate) const IPV4_SOURCE: usize = 26;
    pub(crate) const IPV4_DESTINATION: usize = 30;
    pub(crate) const IPV4_PORTS: usize = 34;
    pub(crate) const IPV6_NEXT: usize = 20;
    /// The last four bytes of it.
    pub(crate) const IPV6_SOURCE: usize = 34;
    pub(crate) const IPV6_DESTINATION: usize = 50;
    pub(crate) const IPV6_PORTS: usize = 54;
    /// The last four bytes of the destination, and of the source.
    pub(crate) const MAC_DESTINATION: usize = 2;
    pub(crate) const MAC_SOURCE: usize = 8;
    /// The last four bytes of both in a fragment's header.
    pub(crate) const PART_DESTINATION: usize = 6;
    pub(crate) const PART_ORIGINATOR: usize = 12;
}
/// Ethertypes, IP protocols and such.
pub(crate) mod is {
    pub(crate) const UNICAST: u8 = 0x40;
    pub(crate) const FRAGMENT: u8 = 0x41;
    pub(crate) const UNICAST_4ADDR: u8 = 0x42;
    pub(crate) const ARP: u16 = 0x0806;
    pub(crate) const TAGGED: u16 = 0x8100;
    pub(crate) const IPV4: u16 = 0x0800;
    pub(crate) const IPV6: u16 = 0x86dd;
    /// Version 4, no options.
    pub(crate) const IPV4_PLAIN: u8 = 0x45;
    /// "More fragments" and the offset.
    pub(crate) const IPV4_CUT: u16 = 0x3fff;
    pub(crate) const TCP: u8 = 6;
    pub(crate) const UDP: u8 = 17;
    pub(crate) const ICMPV6: u8 = 58;
    /// Ports of servers and clients.
    pub(crate) const DHCP: [u16; 2] = [67, 68];
}

/// Bytes in front of the inner frame.
pub(crate) const UNICAST_LEN: usize = Unicast::HEADER_LEN;
/// The same with four addresses.
pub(crate) const UNICAST_4ADDR_LEN: usize = Unicast4Addr::HEADER_LEN;
const _: () = assert!(Fragment::HEADER_LEN == at::PART_ORIGINATOR + 8);

/// Who is to have a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Steer {
    /// The first worker.
    First,
    /// Any, but the same for all frames with this number.
    Flow(u32),
    /// The one that this number leads to: what it belongs to is kept there.
    Parts(u32),
}

impl Steer {
    /// The number of the worker, of `count`.
    pub const fn worker(self, count: usize) -> usize {
        match self {
            Self::First => 0,
            Self::Flow(hash) | Self::Parts(hash) => {
                hash as usize % if count == 0 { 1 } else { count }
            }
        }
    }

    /// Of a packet of the mesh, its type byte first.
    pub fn packet(packet: &[u8]) -> Self {
        let inner = match packet.first() {
            Some(&is::UNICAST) => UNICAST_LEN,
            Some(&is::UNICAST_4ADDR) => UNICAST_4ADDR_LEN,
            Some(&is::FRAGMENT) => return parts(packet).unwrap_or(Self::First),
            _ => return Self::First,
        };
        packet.get(inner..).map_or(Self::First, Self::frame)
    }

    /// Of an Ethernet frame of a station.
    pub fn frame(frame: &[u8]) -> Self {
        // What is too short to be looked at is rare.
        flow(frame).unwrap_or(Self::First)
    }
}

fn parts(packet: &[u8]) -> Option<Steer> {
    let mut hash = 0;
    mix(&mut hash, word(packet, at::PART_DESTINATION)?);
    mix(&mut hash, word(packet, at::PART_ORIGINATOR)?);
    Some(Steer::Parts(finish(hash)))
}

/// `None`: for the first worker.
fn flow(mut frame: &[u8]) -> Option<Steer> {
    if frame.first()? & 1 != 0 {
        return None;
    }
    let mut hash = 0;
    mix(&mut hash, word(frame, at::MAC_DESTINATION)?);
    mix(&mut hash, word(frame, at::MAC_SOURCE)?);
    if half(frame, at::ETHERTYPE)? == is::TAGGED {
        frame = frame.get(at::TAG_LEN..)?;
    }
    match half(frame, at::ETHERTYPE)? {
        is::ARP => return None,
        is::IPV4 if *frame.get(at::IP)? == is::IPV4_PLAIN => {
            mix(&mut hash, word(frame, at::IPV4_SOURCE)?);
            mix(&mut hash, word(frame, at::IPV4_DESTINATION)?);
            let protocol = *frame.get(at::IPV4_PROTOCOL)?;
            let is_whole = half(frame, at::IPV4_FRAGMENT)? & is::IPV4_CUT == 0;
            if is_whole && protocol == is::TCP {
                mix(&mut hash, word(frame, at::IPV4_PORTS)?);
            } else if is_whole && protocol == is::UDP {
                // DHCP talks from one of its ports.
                if is::DHCP.contains(&half(frame, at::IPV4_PORTS)?) {
                    return None;
                }
            }
        }
        is::IPV6 => {
            let next = *frame.get(at::IPV6_NEXT)?;
            if next == is::ICMPV6 {
                return None;
            }
            mix(&mut hash, word(frame, at::IPV6_SOURCE)?);
            mix(&mut hash, word(frame, at::IPV6_DESTINATION)?);
            if next == is::TCP {
                mix(&mut hash, word(frame, at::IPV6_PORTS)?);
            }
        }
        _ => {}
    }
    Some(Steer::Flow(finish(hash)))
}

fn mix(hash: &mut u32, word: u32) {
    *hash = (*hash ^ word).wrapping_mul(MULTIPLIER);
}

/// The lower bits, which choose the worker, depend on all.
const fn finish(hash: u32) -> u32 {
    hash ^ hash >> 16
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|word| u32::from_be_bytes(*word))
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|half| u16::from_be_bytes(*half))
}
