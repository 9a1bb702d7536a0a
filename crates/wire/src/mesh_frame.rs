//! Any frame on a hard interface, read as far as this crate understands it and rebuilt to the same bytes.
//!
//! The fast path does not need this: it looks at [`crate::packet::packet_type`] and calls one parser. This is for those
//! who want all of them: tests, dissectors, fuzzers.

use crate::ethernet::{ETHERNET_HEADER_LEN, Frame, MESH_ETHERTYPE, VLAN_ETHERTYPE, mesh_header};
use crate::packet::{COMPAT_VERSION, PacketType, packet_type};
use crate::{
    Broadcast, Coded, Discard, Elp, Fragment, Icmp, Mac, Multicast, Ogm, Ogm2, Ogm2s, Ogms,
    Unicast, Unicast4Addr, UnicastTvlv,
};

/// A mesh frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MeshFrame<'a> {
    /// Outer destination.
    pub destination: Mac,
    /// Outer source: the MAC of the sending hard interface.
    pub source: Mac,
    /// What it carries.
    pub packet: Packet<'a>,
    /// What follows a packet that says how long it is: filler or Ethernet padding (WIRE-13), ignored by receivers. In a
    /// packet without a length of its own padding is part of the payload.
    pub padding: &'a [u8],
}

impl<'a> MeshFrame<'a> {
    /// Reads a whole frame, outer Ethernet header first (WIRE-01).
    ///
    /// # Errors
    /// What [`Packet::parse`] says, or [`Discard::Tagged`] or [`Discard::Type`] if it is not a mesh frame.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Discard> {
        let frame = Frame::parse(bytes)?;
        match frame.ethertype {
            MESH_ETHERTYPE => {}
            VLAN_ETHERTYPE => return Err(Discard::Tagged),
            _ => return Err(Discard::Type),
        }
        let (packet, padding) = Packet::parse(frame.payload)?;
        Ok(Self { destination: frame.destination, source: frame.source, packet, padding })
    }

    /// How many bytes [`Self::emit`] writes.
    pub fn wire_len(&self) -> usize {
        ETHERNET_HEADER_LEN + self.packet.wire_len() + self.padding.len()
    }

    /// Writes the frame over `out`.
    ///
    /// # Panics
    /// If `out` is not [`Self::wire_len`] long: a bug of the caller.
    pub fn emit(&self, out: &mut [u8]) {
        let (outer, rest) = out.split_at_mut(ETHERNET_HEADER_LEN);
        let (packet, padding) = rest.split_at_mut(self.packet.wire_len());
        outer.copy_from_slice(&mesh_header(self.destination, self.source));
        self.packet.emit(packet);
        padding.copy_from_slice(self.padding);
    }
}

/// Any packet, or an aggregate of OGMs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Packet<'a> {
    /// One or more whole records of algorithm IV: walk them with [`Ogms`]. The first is an OGM.
    Ogms(&'a [u8]),
    /// A flooded frame.
    Broadcast(Broadcast<'a>),
    /// Network coding.
    Coded(Coded<'a>),
    /// Neighbour discovery; its filler counts as padding.
    Elp(Elp),
    /// One or more whole records of algorithm V: walk them with [`Ogm2s`].
    Ogm2s(&'a [u8]),
    /// One frame for several originators.
    Multicast(Multicast<'a>),
    /// A frame for one originator.
    Unicast(Unicast<'a>),
    /// Part of another packet.
    Fragment(Fragment<'a>),
    /// A frame for one originator that names its source.
    Unicast4Addr(Unicast4Addr<'a>),
    /// Ping, traceroute, throughput meter.
    Icmp(Icmp<'a>),
    /// TVLV containers for one originator.
    UnicastTvlv(UnicastTvlv<'a>),
    /// A unicast type this release does not know, forwarded untouched (WIRE-08).
    Unknown(UnknownUnicast<'a>),
}

/// A packet of type `0x45` to `0x7f`: only its TTL and destination are known (WIRE-08).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UnknownUnicast<'a> {
    /// `0x45` to `0x7f`.
    pub packet_type: u8,
    /// Hops it may still go.
    pub ttl: u8,
    /// Byte 3.
    pub byte_3: u8,
    /// Final destination.
    pub destination: Mac,
    /// Whatever follows.
    pub rest: &'a [u8],
}

impl<'a> UnknownUnicast<'a> {
    /// Bytes before the opaque rest.
    pub const HEADER_LEN: usize = 10;

    fn parse(bytes: &'a [u8]) -> Result<Self, Discard> {
        let (&[packet_type, _, ttl, byte_3, a, b, c, d, e, f], rest) = bytes
            .split_first_chunk::<{ UnknownUnicast::HEADER_LEN }>()
            .ok_or(Discard::Truncated)?;
        Ok(Self { packet_type, ttl, byte_3, destination: Mac([a, b, c, d, e, f]), rest })
    }

    fn emit(&self, out: &mut [u8]) {
        let (head, tail) = out.split_at_mut(Self::HEADER_LEN);
        head[..4].copy_from_slice(&[self.packet_type, COMPAT_VERSION, self.ttl, self.byte_3]);
        head[4..].copy_from_slice(&self.destination.0);
        tail.copy_from_slice(self.rest);
    }
}

impl<'a> Packet<'a> {
    /// Reads what follows the outer Ethernet header, and returns it with the padding behind it.
    ///
    /// # Errors
    /// The reason to count: what the parser of its type says; [`Discard::Type`] for unassigned types (WIRE-07).
    pub fn parse(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Discard> {
        let whole: &[u8] = &[];
        Ok(match packet_type(bytes)? {
            PacketType::Ogm => {
                let (_, _, mut rest) = Ogm::take(bytes)?;
                while let Ok((_, _, behind)) = Ogm::take(rest) {
                    rest = behind;
                }
                (Self::Ogms(&bytes[..bytes.len() - rest.len()]), rest)
            }
            PacketType::Ogm2 => {
                let (_, mut rest) = Ogm2::parse(bytes)?;
                while let Ok((_, behind)) = Ogm2::parse(rest) {
                    rest = behind;
                }
                (Self::Ogm2s(&bytes[..bytes.len() - rest.len()]), rest)
            }
            PacketType::Elp => (Self::Elp(Elp::parse(bytes)?), &bytes[Elp::HEADER_LEN..]),
            PacketType::UnicastTvlv => {
                let packet = UnicastTvlv::parse(bytes)?;
                (Self::UnicastTvlv(packet), &bytes[packet.wire_len()..])
            }
            PacketType::Broadcast => (Self::Broadcast(Broadcast::parse(bytes)?), whole),
            PacketType::Coded => (Self::Coded(Coded::parse(bytes)?), whole),
            PacketType::Multicast => (Self::Multicast(Multicast::parse(bytes)?), whole),
            PacketType::Unicast => (Self::Unicast(Unicast::parse(bytes)?), whole),
            PacketType::Fragment => (Self::Fragment(Fragment::parse(bytes)?), whole),
            PacketType::Unicast4Addr => (Self::Unicast4Addr(Unicast4Addr::parse(bytes)?), whole),
            PacketType::Icmp => (Self::Icmp(Icmp::parse(bytes)?), whole),
            PacketType::UnknownUnicast(_) => (Self::Unknown(UnknownUnicast::parse(bytes)?), whole),
            PacketType::Unassigned(_) => return Err(Discard::Type),
        })
    }

    /// Its type.
    pub const fn packet_type(&self) -> PacketType {
        match self {
            Self::Ogms(_) => PacketType::Ogm,
            Self::Broadcast(_) => PacketType::Broadcast,
            Self::Coded(_) => PacketType::Coded,
            Self::Elp(_) => PacketType::Elp,
            Self::Ogm2s(_) => PacketType::Ogm2,
            Self::Multicast(_) => PacketType::Multicast,
            Self::Unicast(_) => PacketType::Unicast,
            Self::Fragment(_) => PacketType::Fragment,
            Self::Unicast4Addr(_) => PacketType::Unicast4Addr,
            Self::Icmp(_) => PacketType::Icmp,
            Self::UnicastTvlv(_) => PacketType::UnicastTvlv,
            Self::Unknown(packet) => PacketType::UnknownUnicast(packet.packet_type),
        }
    }

    /// The inner frame, if it is a packet that carries one. It may be shorter than an Ethernet header.
    pub const fn inner(&self) -> Option<&'a [u8]> {
        match self {
            Self::Broadcast(packet) => Some(packet.inner),
            Self::Multicast(packet) => Some(packet.inner),
            Self::Unicast(packet) => Some(packet.inner),
            Self::Unicast4Addr(packet) => Some(packet.inner),
            _ => None,
        }
    }

    /// The TVLV area of a unicast TVLV or multicast packet; OGMs have one each.
    pub const fn tvlvs(&self) -> Option<&'a [u8]> {
        match self {
            Self::UnicastTvlv(packet) => Some(packet.tvlvs),
            Self::Multicast(packet) => Some(packet.tvlvs),
            _ => None,
        }
    }

    /// The OGMs in it; none for another type.
    pub const fn ogms(&self) -> Ogms<'a> {
        Ogms::new(if let Self::Ogms(records) = self { records } else { &[] })
    }

    /// The OGM2s in it; none for another type.
    pub const fn ogm2s(&self) -> Ogm2s<'a> {
        Ogm2s::new(if let Self::Ogm2s(records) = self { records } else { &[] })
    }

    /// How many bytes [`Self::emit`] writes.
    pub const fn wire_len(&self) -> usize {
        match self {
            Self::Ogms(records) | Self::Ogm2s(records) => records.len(),
            Self::Broadcast(packet) => packet.wire_len(),
            Self::Coded(packet) => packet.wire_len(),
            Self::Elp(_) => Elp::HEADER_LEN,
            Self::Multicast(packet) => packet.wire_len(),
            Self::Unicast(packet) => packet.wire_len(),
            Self::Fragment(packet) => packet.wire_len(),
            Self::Unicast4Addr(packet) => packet.wire_len(),
            Self::Icmp(packet) => packet.wire_len(),
            Self::UnicastTvlv(packet) => packet.wire_len(),
            Self::Unknown(packet) => UnknownUnicast::HEADER_LEN + packet.rest.len(),
        }
    }

    /// Writes the packet over `out`, each field from its value.
    ///
    /// # Panics
    /// If `out` is not [`Self::wire_len`] long: a bug of the caller.
    pub fn emit(&self, out: &mut [u8]) {
        match self {
            Self::Ogms(records) => emit_ogms(records, out),
            Self::Ogm2s(records) => emit_ogm2s(records, out),
            Self::Broadcast(packet) => packet.emit(out),
            Self::Coded(packet) => packet.emit(out),
            Self::Elp(packet) => out.copy_from_slice(&packet.header()),
            Self::Multicast(packet) => packet.emit(out),
            Self::Unicast(packet) => packet.emit(out),
            Self::Fragment(packet) => packet.emit(out),
            Self::Unicast4Addr(packet) => packet.emit(out),
            Self::Icmp(packet) => packet.emit(out),
            Self::UnicastTvlv(packet) => packet.emit(out),
            Self::Unknown(packet) => packet.emit(out),
        }
    }
}

/// Records of another type or version, which receivers skip by their length, are copied as they are.
fn emit_ogms(mut records: &[u8], mut out: &mut [u8]) {
    while let Ok((header, ogm, rest)) = Ogm::take(records) {
        let (here, behind) = out.split_at_mut(ogm.wire_len());
        if header.is_ogm() {
            ogm.emit(here);
        } else {
            here.copy_from_slice(&records[..ogm.wire_len()]);
        }
        (records, out) = (rest, behind);
    }
    out.copy_from_slice(records);
}

fn emit_ogm2s(mut records: &[u8], mut out: &mut [u8]) {
    while let Ok((ogm, rest)) = Ogm2::parse(records) {
        let (here, behind) = out.split_at_mut(ogm.wire_len());
        ogm.emit(here);
        (records, out) = (rest, behind);
    }
    out.copy_from_slice(records);
}
