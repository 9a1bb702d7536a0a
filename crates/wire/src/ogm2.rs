//! OGM2: who exists, and how fast the way there is (`BATMAN_V`, WIRE-34 to WIRE-36).
//!
//! ```text
//!  0               1               2               3
//! +---------------+---------------+---------------+---------------+
//! |   type 0x04   |  version 15   |      ttl      |    flags 0    |
//! |                        sequence number                        |
//! |                  originator (6)               |               |
//! |                               |          tvlv length          |
//! |                 throughput (100 kbit/s units)                 |
//! +---------------+---------------+---------------+---------------+
//! ```
//! Several OGM2s may follow each other in one frame: [`Ogm2s`] walks them.

use crate::{COMPAT_VERSION, Discard, Mac, SeqNo};
use zerocopy::byteorder::network_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

#[derive(FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
struct Header {
    packet_type: u8,
    version: u8,
    ttl: u8,
    flags: u8,
    seqno: U32,
    originator: Mac,
    tvlv_len: U16,
    throughput: U32,
}
const _: () = assert!(size_of::<Header>() == Ogm2::HEADER_LEN);

/// A speed in units of 100 kbit/s, as OGM2s and gateways write it.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Throughput(pub u32);

impl Throughput {
    /// What a node says of the way to itself.
    pub const MAX: Self = Self(u32::MAX);
    /// A link without speed information: 1 Mbit/s.
    pub const DEFAULT: Self = Self(10);
}

/// One OGM2.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ogm2<'a> {
    /// Hops it may still go.
    pub ttl: u8,
    /// Sent as 0; unknown bits survive a round trip.
    pub flags: u8,
    /// One counter per node.
    pub seqno: SeqNo,
    /// Originator address: the MAC of the node's primary hard interface.
    pub originator: Mac,
    /// Of the path so far. 0 is dropped before any state is created: it may be padding (WIRE-36).
    pub throughput: Throughput,
    /// Whole, but not yet looked into: see [`crate::tvlv`]. An even number of bytes.
    pub tvlvs: &'a [u8],
}

impl<'a> Ogm2<'a> {
    /// Bytes before the TVLVs.
    pub const HEADER_LEN: usize = 20;

    /// Takes one OGM2 off the front of `bytes` and returns it with what follows.
    ///
    /// # Errors
    /// The reason to count; nothing behind a bad OGM2 can be trusted (WIRE-35).
    pub fn parse(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Discard> {
        let (header, rest) = Header::ref_from_prefix(bytes).map_err(|_| Discard::Truncated)?;
        if header.packet_type != 0x04 {
            return Err(Discard::Type);
        }
        if header.version != COMPAT_VERSION {
            return Err(Discard::Version);
        }
        let tvlv_len = usize::from(header.tvlv_len.get());
        if tvlv_len % 2 != 0 {
            return Err(Discard::OddLength);
        }
        let (tvlvs, rest) = rest.split_at_checked(tvlv_len).ok_or(Discard::Truncated)?;
        let ogm = Self {
            ttl: header.ttl,
            flags: header.flags,
            seqno: SeqNo(header.seqno.get()),
            originator: header.originator,
            throughput: Throughput(header.throughput.get()),
            tvlvs,
        };
        Ok((ogm, rest))
    }

    /// How many bytes [`Self::emit`] writes.
    pub const fn wire_len(&self) -> usize {
        Self::HEADER_LEN + self.tvlvs.len()
    }

    /// Writes the OGM2 over `out`.
    ///
    /// # Panics
    /// If `out` is not [`Self::wire_len`] long or the TVLVs exceed 65535 bytes: bugs of the caller.
    pub fn emit(&self, out: &mut [u8]) {
        let header = Header {
            packet_type: 0x04,
            version: COMPAT_VERSION,
            ttl: self.ttl,
            flags: self.flags,
            seqno: U32::new(self.seqno.0),
            originator: self.originator,
            tvlv_len: U16::new(u16::try_from(self.tvlvs.len()).expect("TVLVs fit an OGM2")),
            throughput: U32::new(self.throughput.0),
        };
        let (head, tail) = out.split_at_mut(Self::HEADER_LEN);
        head.copy_from_slice(header.as_bytes());
        tail.copy_from_slice(self.tvlvs);
    }
}

/// Walks the OGM2s of one frame (WIRE-35).
///
/// Yields `Ok` for each usable OGM2. A length that does not fit or is odd, another type or another version end the walk
/// with one `Err`. Bytes too few to be an OGM2 end it silently, and so does a header of zeros: both are padding
/// (WIRE-36).
#[derive(Clone, Debug)]
pub struct Ogm2s<'a> {
    rest: &'a [u8],
}

impl<'a> Ogm2s<'a> {
    /// The OGM2s in `bytes`, which is what follows the outer Ethernet header.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl<'a> Iterator for Ogm2s<'a> {
    type Item = Result<Ogm2<'a>, Discard>;

    fn next(&mut self) -> Option<Self::Item> {
        let header = self.rest.first_chunk::<{ Ogm2::HEADER_LEN }>()?;
        if *header == [0; Ogm2::HEADER_LEN] {
            return None;
        }
        match Ogm2::parse(self.rest) {
            Ok((ogm, rest)) => {
                self.rest = rest;
                Some(Ok(ogm))
            }
            Err(discard) => {
                self.rest = &[];
                Some(Err(discard))
            }
        }
    }
}
