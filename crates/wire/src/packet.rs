//! What all packets share: type, version, TTL (WIRE-02 to WIRE-08).

use crate::{Discard, Mac};

/// Byte 1 of every packet (WIRE-02).
pub const COMPAT_VERSION: u8 = 15;
/// TTL of most packets at their source.
pub const TTL_FULL: u8 = 50;

/// Byte 0 of every packet.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum PacketType {
    /// `0x00`: originator message of algorithm IV.
    Ogm,
    /// `0x01`: a flooded frame.
    Broadcast,
    /// `0x02`: network coding, historic: dropped (WIRE-76).
    Coded,
    /// `0x03`: neighbour discovery of algorithm V.
    Elp,
    /// `0x04`: originator message of algorithm V.
    Ogm2,
    /// `0x05`: one frame for several originators.
    Multicast,
    /// `0x40`: a frame for one originator.
    Unicast,
    /// `0x41`: part of another packet.
    Fragment,
    /// `0x42`: a frame for one originator that also names its source originator.
    Unicast4Addr,
    /// `0x43`: ping, traceroute, throughput meter.
    Icmp,
    /// `0x44`: TVLV containers for one originator.
    UnicastTvlv,
    /// `0x45` to `0x7f`: forwarded without being understood (WIRE-08).
    UnknownUnicast(u8),
    /// Anything else: dropped silently (WIRE-07).
    Unassigned(u8),
}

impl From<u8> for PacketType {
    fn from(byte: u8) -> Self {
        match byte {
            0x00 => Self::Ogm,
            0x01 => Self::Broadcast,
            0x02 => Self::Coded,
            0x03 => Self::Elp,
            0x04 => Self::Ogm2,
            0x05 => Self::Multicast,
            0x40 => Self::Unicast,
            0x41 => Self::Fragment,
            0x42 => Self::Unicast4Addr,
            0x43 => Self::Icmp,
            0x44 => Self::UnicastTvlv,
            0x45..=0x7f => Self::UnknownUnicast(byte),
            _ => Self::Unassigned(byte),
        }
    }
}

impl From<PacketType> for u8 {
    fn from(packet_type: PacketType) -> Self {
        match packet_type {
            PacketType::Ogm => 0x00,
            PacketType::Broadcast => 0x01,
            PacketType::Coded => 0x02,
            PacketType::Elp => 0x03,
            PacketType::Ogm2 => 0x04,
            PacketType::Multicast => 0x05,
            PacketType::Unicast => 0x40,
            PacketType::Fragment => 0x41,
            PacketType::Unicast4Addr => 0x42,
            PacketType::Icmp => 0x43,
            PacketType::UnicastTvlv => 0x44,
            PacketType::UnknownUnicast(byte) | PacketType::Unassigned(byte) => byte,
        }
    }
}

/// The type of the packet in `bytes` (what follows the outer Ethernet header).
///
/// # Errors
/// [`Discard::Truncated`] below 2 bytes, [`Discard::Version`] for another compat version (WIRE-03).
pub fn packet_type(bytes: &[u8]) -> Result<PacketType, Discard> {
    match bytes {
        [_, version, ..] if *version != COMPAT_VERSION => Err(Discard::Version),
        [packet_type, _, ..] => Ok(PacketType::from(*packet_type)),
        _ => Err(Discard::Truncated),
    }
}

/// The TTL and the final destination of any packet type of `0x40` to `0x7f`, known or not (WIRE-08).
///
/// # Errors
/// [`Discard::Truncated`] below 10 bytes.
pub fn unicast_style(bytes: &[u8]) -> Result<(u8, Mac), Discard> {
    match bytes {
        [_, _, ttl, _, rest @ ..] => {
            Mac::from_prefix(rest).map(|dest| (*ttl, dest)).ok_or(Discard::Truncated)
        }
        _ => Err(Discard::Truncated),
    }
}

/// Whether a packet of this type may have these outer addresses; `is_own` says whether an address is that of one of the
/// node's active hard interfaces (WIRE-10 to WIRE-12).
///
/// # Errors
/// [`Discard::Address`], [`Discard::NotForUs`], or [`Discard::Type`] for types that are dropped anyway (WIRE-07, WIRE-76).
pub fn check_addresses(
    packet_type: PacketType,
    destination: Mac,
    source: Mac,
    is_own: impl FnOnce(Mac) -> bool,
) -> Result<(), Discard> {
    let addresses_fit = match packet_type {
        PacketType::Ogm | PacketType::Ogm2 | PacketType::Elp => {
            destination == Mac::BROADCAST && source.is_station()
        }
        PacketType::Broadcast => destination == Mac::BROADCAST && !source.is_group(),
        PacketType::Coded | PacketType::Unassigned(_) => return Err(Discard::Type),
        PacketType::Multicast
        | PacketType::Unicast
        | PacketType::Fragment
        | PacketType::Unicast4Addr
        | PacketType::Icmp
        | PacketType::UnicastTvlv
        | PacketType::UnknownUnicast(_) => {
            if !destination.is_station() || source.is_group() {
                return Err(Discard::Address);
            }
            return if is_own(destination) { Ok(()) } else { Err(Discard::NotForUs) };
        }
    };
    if addresses_fit { Ok(()) } else { Err(Discard::Address) }
}

/// Where the inner frame of a packet begins, if it is of a type that carries one and long enough to say.
pub fn inner_offset(packet: &[u8]) -> Option<usize> {
    let offset = match packet_type(packet).ok()? {
        PacketType::Unicast => 10,
        PacketType::Unicast4Addr => 18,
        PacketType::Broadcast => 14,
        PacketType::Multicast => {
            let [l0, l1] = *packet.get(4..)?.first_chunk::<2>()?;
            6 + usize::from(u16::from_be_bytes([l0, l1]))
        }
        _ => return None,
    };
    (offset <= packet.len()).then_some(offset)
}

/// Writes the TTL of a packet in place (WIRE-04). Does nothing to a packet too short to have one.
pub fn set_ttl(packet: &mut [u8], ttl: u8) {
    if let Some(byte) = packet.get_mut(2) {
        *byte = ttl;
    }
}

pub(crate) fn check_type(bytes: &[u8], expected: PacketType) -> Result<(), Discard> {
    if packet_type(bytes)? == expected { Ok(()) } else { Err(Discard::Type) }
}
