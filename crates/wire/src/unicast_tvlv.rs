//! TVLV containers for one originator (`0x44`, WIRE-74): table requests and answers, roaming advertisements.

use crate::packet::check_type;
use crate::{COMPAT_VERSION, Discard, Mac, PacketType, TTL_FULL};
use zerocopy::byteorder::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

#[derive(FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
struct Header {
    packet_type: u8,
    version: u8,
    ttl: u8,
    reserved: u8,
    destination: Mac,
    source: Mac,
    tvlv_len: U16,
    align: [u8; 2],
}
const _: () = assert!(size_of::<Header>() == UnicastTvlv::HEADER_LEN);

/// A unicast TVLV packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UnicastTvlv<'a> {
    /// Hops it may still go.
    pub ttl: u8,
    /// Originator it is for.
    pub destination: Mac,
    /// Originator it is about: in an answer given on behalf of another, that other (TT-93).
    pub source: Mac,
    /// Whole, but not yet looked into: see [`crate::tvlv`].
    pub tvlvs: &'a [u8],
}

impl<'a> UnicastTvlv<'a> {
    /// Bytes before the containers.
    pub const HEADER_LEN: usize = 20;

    /// Reads a unicast TVLV packet; bytes behind the containers are padding and ignored.
    ///
    /// # Errors
    /// Wrong type or version, or shorter than it says (WIRE-74).
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Discard> {
        check_type(bytes, PacketType::UnicastTvlv)?;
        let (header, rest) = Header::ref_from_prefix(bytes).map_err(|_| Discard::Truncated)?;
        let tvlvs = rest.get(..usize::from(header.tvlv_len.get())).ok_or(Discard::Truncated)?;
        Ok(Self { ttl: header.ttl, destination: header.destination, source: header.source, tvlvs })
    }

    /// A packet at its source.
    pub const fn new(destination: Mac, source: Mac, tvlvs: &'a [u8]) -> Self {
        Self { ttl: TTL_FULL, destination, source, tvlvs }
    }

    /// How many bytes [`Self::emit`] writes.
    pub const fn wire_len(&self) -> usize {
        Self::HEADER_LEN + self.tvlvs.len()
    }

    /// Writes the packet over `out`.
    ///
    /// # Panics
    /// If `out` is not [`Self::wire_len`] long or the containers exceed 65535 bytes: bugs of the caller.
    pub fn emit(&self, out: &mut [u8]) {
        let header = Header {
            packet_type: 0x44,
            version: COMPAT_VERSION,
            ttl: self.ttl,
            reserved: 0,
            destination: self.destination,
            source: self.source,
            tvlv_len: U16::new(u16::try_from(self.tvlvs.len()).expect("containers fit a packet")),
            align: [0; 2],
        };
        let (head, tail) = out.split_at_mut(Self::HEADER_LEN);
        head.copy_from_slice(header.as_bytes());
        tail.copy_from_slice(self.tvlvs);
    }
}
