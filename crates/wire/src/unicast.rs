//! A client's frame on its way to one originator: unicast (`0x40`) and unicast 4-address (`0x42`), WIRE-45 and WIRE-46.

use crate::packet::check_type;
use crate::{COMPAT_VERSION, Discard, ETHERNET_HEADER_LEN, Mac, PacketType, Ttvn};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

const HEADER_LEN: usize = 10;
const HEADER_LEN_4ADDR: usize = 18;

#[derive(FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
struct Header {
    packet_type: u8,
    version: u8,
    ttl: u8,
    ttvn: u8,
    destination: Mac,
}
const _: () = assert!(size_of::<Header>() == Unicast::HEADER_LEN);

#[derive(FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
struct Header4Addr {
    unicast: Header,
    source: Mac,
    subtype: u8,
    reserved: u8,
}
const _: () = assert!(size_of::<Header4Addr>() == Unicast4Addr::HEADER_LEN);

/// A unicast packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Unicast<'a> {
    /// Hops it may still go.
    pub ttl: u8,
    /// The destination's translation-table version as far as the last writer of this header knew.
    pub ttvn: Ttvn,
    /// Originator address (or any hard interface MAC) of the destination node.
    pub destination: Mac,
    /// The inner frame, at least 14 bytes.
    pub inner: &'a [u8],
}

impl<'a> Unicast<'a> {
    /// Bytes before the inner frame.
    pub const HEADER_LEN: usize = HEADER_LEN;

    /// Reads a unicast packet.
    ///
    /// # Errors
    /// Wrong type or version, or less than an inner Ethernet header (WIRE-45).
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Discard> {
        check_type(bytes, PacketType::Unicast)?;
        let (header, inner) = Header::ref_from_prefix(bytes).map_err(|_| Discard::Truncated)?;
        if inner.len() < ETHERNET_HEADER_LEN {
            return Err(Discard::Truncated);
        }
        Ok(Self {
            ttl: header.ttl,
            ttvn: Ttvn(header.ttvn),
            destination: header.destination,
            inner,
        })
    }

    /// The header alone, to be written in front of the inner frame.
    pub fn header(&self) -> [u8; HEADER_LEN] {
        header(0x40, self.ttl, self.ttvn, self.destination)
    }

    /// How many bytes [`Self::emit`] writes.
    pub const fn wire_len(&self) -> usize {
        Self::HEADER_LEN + self.inner.len()
    }

    /// Writes the packet over `out`.
    ///
    /// # Panics
    /// If `out` is not [`Self::wire_len`] long: a bug of the caller.
    pub fn emit(&self, out: &mut [u8]) {
        let (head, tail) = out.split_at_mut(Self::HEADER_LEN);
        head.copy_from_slice(&self.header());
        tail.copy_from_slice(self.inner);
    }
}

/// What a 4-address packet is for (WIRE-46).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Subtype {
    /// 1: a client's frame; its source can be learned.
    Data,
    /// 2: a question to the distributed ARP table.
    DatGet,
    /// 3: an entry for the distributed ARP table.
    DatPut,
    /// 4: an answer from a cache of the distributed ARP table.
    DatCachedReply,
    /// Handled as a frame whose source is not learned.
    Unknown(u8),
}

impl From<u8> for Subtype {
    fn from(byte: u8) -> Self {
        match byte {
            1 => Self::Data,
            2 => Self::DatGet,
            3 => Self::DatPut,
            4 => Self::DatCachedReply,
            _ => Self::Unknown(byte),
        }
    }
}

impl From<Subtype> for u8 {
    fn from(subtype: Subtype) -> Self {
        match subtype {
            Subtype::Data => 1,
            Subtype::DatGet => 2,
            Subtype::DatPut => 3,
            Subtype::DatCachedReply => 4,
            Subtype::Unknown(byte) => byte,
        }
    }
}

/// A unicast packet that also names the originator it comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Unicast4Addr<'a> {
    /// Hops it may still go.
    pub ttl: u8,
    /// As in [`Unicast::ttvn`].
    pub ttvn: Ttvn,
    /// As in [`Unicast::destination`].
    pub destination: Mac,
    /// Originator address of the source node.
    pub source: Mac,
    /// What it is for.
    pub subtype: Subtype,
    /// Sent as 0, never looked at (WIRE-06).
    pub reserved: u8,
    /// The inner frame, at least 14 bytes.
    pub inner: &'a [u8],
}

impl<'a> Unicast4Addr<'a> {
    /// Bytes before the inner frame.
    pub const HEADER_LEN: usize = HEADER_LEN_4ADDR;

    /// Reads a 4-address packet.
    ///
    /// # Errors
    /// Wrong type or version, or less than an inner Ethernet header (WIRE-45).
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Discard> {
        check_type(bytes, PacketType::Unicast4Addr)?;
        let (header, inner) =
            Header4Addr::ref_from_prefix(bytes).map_err(|_| Discard::Truncated)?;
        if inner.len() < ETHERNET_HEADER_LEN {
            return Err(Discard::Truncated);
        }
        Ok(Self {
            ttl: header.unicast.ttl,
            ttvn: Ttvn(header.unicast.ttvn),
            destination: header.unicast.destination,
            source: header.source,
            subtype: header.subtype.into(),
            reserved: header.reserved,
            inner,
        })
    }

    /// The header alone, to be written in front of the inner frame.
    pub fn header(&self) -> [u8; HEADER_LEN_4ADDR] {
        let mut bytes = [0; HEADER_LEN_4ADDR];
        bytes[..10].copy_from_slice(&header(0x42, self.ttl, self.ttvn, self.destination));
        bytes[10..16].copy_from_slice(&self.source.0);
        bytes[16] = self.subtype.into();
        bytes[17] = self.reserved;
        bytes
    }

    /// How many bytes [`Self::emit`] writes.
    pub const fn wire_len(&self) -> usize {
        Self::HEADER_LEN + self.inner.len()
    }

    /// Writes the packet over `out`.
    ///
    /// # Panics
    /// If `out` is not [`Self::wire_len`] long: a bug of the caller.
    pub fn emit(&self, out: &mut [u8]) {
        let (head, tail) = out.split_at_mut(Self::HEADER_LEN);
        head.copy_from_slice(&self.header());
        tail.copy_from_slice(self.inner);
    }
}

fn header(packet_type: u8, ttl: u8, ttvn: Ttvn, destination: Mac) -> [u8; HEADER_LEN] {
    let header = Header { packet_type, version: COMPAT_VERSION, ttl, ttvn: ttvn.0, destination };
    let mut bytes = [0; HEADER_LEN];
    bytes.copy_from_slice(header.as_bytes());
    bytes
}

/// Sends a unicast or 4-address packet on to another originator, in place (FWD-67, TT-117).
/// Does nothing to a packet shorter than the header.
pub fn redirect(packet: &mut [u8], destination: Mac, ttvn: Ttvn) {
    if let Some(header) = packet.first_chunk_mut::<HEADER_LEN>() {
        header[3] = ttvn.0;
        header[4..].copy_from_slice(&destination.0);
    }
}
