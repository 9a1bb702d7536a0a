//! Network coding (`0x02`): two unicast packets, one transmission. Removed from the reference in 2025.4 and never sent
//! here; it is read so that a dissector can name what an old mesh does (WIRE-76).

use crate::packet::check_type;
use crate::{COMPAT_VERSION, Discard, Mac, PacketType, Ttvn};
use zerocopy::byteorder::network_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

#[derive(FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
struct Header {
    packet_type: u8,
    version: u8,
    first_ttl: u8,
    first_ttvn: u8,
    first_source: Mac,
    first_destination: Mac,
    first_id: U32,
    second_ttl: u8,
    second_ttvn: u8,
    second_receiver: Mac,
    second_source: Mac,
    second_destination: Mac,
    second_id: U32,
    coded_len: U16,
}
const _: () = assert!(size_of::<Header>() == Coded::HEADER_LEN);

/// One of the two packets that were coded together. Who shall decode the first is the outer destination address; who
/// shall decode the second stands in [`Coded::second_receiver`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CodedHalf {
    /// Hops it may still go.
    pub ttl: u8,
    /// Of its destination's translation table.
    pub ttvn: Ttvn,
    /// The hop it came from.
    pub source: Mac,
    /// Its final destination.
    pub destination: Mac,
    /// CRC-32C (WIRE-110) of the bytes behind its unicast header.
    pub id: u32,
}

/// A coded packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Coded<'a> {
    /// The packet for the outer destination.
    pub first: CodedHalf,
    /// The packet for [`Self::second_receiver`].
    pub second: CodedHalf,
    /// Next hop of the second packet.
    pub second_receiver: Mac,
    /// How many bytes are the XOR of both.
    pub coded_len: u16,
    /// The XOR of both payloads, and the rest of the longer one.
    pub data: &'a [u8],
}

impl<'a> Coded<'a> {
    /// Bytes before the data.
    pub const HEADER_LEN: usize = 46;

    /// Reads a coded packet.
    ///
    /// # Errors
    /// Wrong type or version, or shorter than its header.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Discard> {
        check_type(bytes, PacketType::Coded)?;
        let (header, data) = Header::ref_from_prefix(bytes).map_err(|_| Discard::Truncated)?;
        Ok(Self {
            first: CodedHalf {
                ttl: header.first_ttl,
                ttvn: Ttvn(header.first_ttvn),
                source: header.first_source,
                destination: header.first_destination,
                id: header.first_id.get(),
            },
            second: CodedHalf {
                ttl: header.second_ttl,
                ttvn: Ttvn(header.second_ttvn),
                source: header.second_source,
                destination: header.second_destination,
                id: header.second_id.get(),
            },
            second_receiver: header.second_receiver,
            coded_len: header.coded_len.get(),
            data,
        })
    }

    /// How many bytes [`Self::emit`] writes.
    pub const fn wire_len(&self) -> usize {
        Self::HEADER_LEN + self.data.len()
    }

    /// Writes the packet over `out`: for tests of dissectors, never onto a link.
    ///
    /// # Panics
    /// If `out` is not [`Self::wire_len`] long: a bug of the caller.
    pub fn emit(&self, out: &mut [u8]) {
        let header = Header {
            packet_type: 0x02,
            version: COMPAT_VERSION,
            first_ttl: self.first.ttl,
            first_ttvn: self.first.ttvn.0,
            first_source: self.first.source,
            first_destination: self.first.destination,
            first_id: U32::new(self.first.id),
            second_ttl: self.second.ttl,
            second_ttvn: self.second.ttvn.0,
            second_receiver: self.second_receiver,
            second_source: self.second.source,
            second_destination: self.second.destination,
            second_id: U32::new(self.second.id),
            coded_len: U16::new(self.coded_len),
        };
        let (head, tail) = out.split_at_mut(Self::HEADER_LEN);
        head.copy_from_slice(header.as_bytes());
        tail.copy_from_slice(self.data);
    }
}
