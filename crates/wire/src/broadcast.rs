//! A frame flooded through the whole mesh (`0x01`, WIRE-58).

use crate::packet::check_type;
use crate::{COMPAT_VERSION, Discard, Mac, PacketType, SeqNo};
use zerocopy::byteorder::network_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

const HEADER_LEN: usize = 14;

#[derive(FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
struct Header {
    packet_type: u8,
    version: u8,
    ttl: u8,
    reserved: u8,
    seqno: U32,
    originator: Mac,
}
const _: () = assert!(size_of::<Header>() == Broadcast::HEADER_LEN);

/// A broadcast packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Broadcast<'a> {
    /// Hops it may still go; leaves its source with 49.
    pub ttl: u8,
    /// Sent as 0, never looked at (WIRE-06).
    pub reserved: u8,
    /// One counter per node.
    pub seqno: SeqNo,
    /// Originator address of the source.
    pub originator: Mac,
    /// The inner frame; may be too short to be delivered, and is rebroadcast even then (FWD-99).
    pub inner: &'a [u8],
}

impl<'a> Broadcast<'a> {
    /// Bytes before the inner frame.
    pub const HEADER_LEN: usize = HEADER_LEN;
    /// TTL at the source.
    pub const TTL: u8 = 49;

    /// Reads a broadcast packet.
    ///
    /// # Errors
    /// Wrong type or version, or shorter than its header (FWD-93).
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Discard> {
        check_type(bytes, PacketType::Broadcast)?;
        let (header, inner) = Header::ref_from_prefix(bytes).map_err(|_| Discard::Truncated)?;
        Ok(Self {
            ttl: header.ttl,
            reserved: header.reserved,
            seqno: SeqNo(header.seqno.get()),
            originator: header.originator,
            inner,
        })
    }

    /// The header alone, to be written in front of the inner frame.
    pub fn header(&self) -> [u8; HEADER_LEN] {
        let header = Header {
            packet_type: 0x01,
            version: COMPAT_VERSION,
            ttl: self.ttl,
            reserved: self.reserved,
            seqno: U32::new(self.seqno.0),
            originator: self.originator,
        };
        let mut bytes = [0; HEADER_LEN];
        bytes.copy_from_slice(header.as_bytes());
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
