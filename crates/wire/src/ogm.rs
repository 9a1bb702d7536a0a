//! OGM: who exists, and how good the way there is (`BATMAN_IV`, WIRE-20 to WIRE-28).
//!
//! ```text
//!  0               1               2               3
//! +---------------+---------------+---------------+---------------+
//! |   type 0x00   |  version 15   |      ttl      |     flags     |
//! |                        sequence number                        |
//! |                  originator (6)               |               |
//! |                                | previous sender (6)          |
//! |   reserved    |      tq       |          tvlv length          |
//! +---------------+---------------+---------------+---------------+
//! ```
//! Several OGMs may follow each other in one frame: [`Ogms`] walks them.

use crate::{COMPAT_VERSION, Discard, Mac, SeqNo};
use zerocopy::byteorder::network_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

#[derive(FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Header {
    packet_type: u8,
    version: u8,
    ttl: u8,
    flags: u8,
    seqno: U32,
    originator: Mac,
    previous_sender: Mac,
    reserved: u8,
    tq: u8,
    tvlv_len: U16,
}
const _: () = assert!(size_of::<Header>() == Ogm::HEADER_LEN);

impl Header {
    /// Whether type and version are those of an OGM; other records are skipped by their length (WIRE-26).
    pub(crate) const fn is_ogm(&self) -> bool {
        self.packet_type == 0x00 && self.version == COMPAT_VERSION
    }
}

/// The flags byte of an OGM (IV-01). Unknown bits survive a round trip.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct OgmFlags(pub u8);

impl OgmFlags {
    /// The sender of this copy does not route by the neighbour it came from.
    pub const NOT_BEST: Self = Self(0x01);
    /// Heard directly from its originator, on the interface this copy leaves by (WIRE-23).
    pub const DIRECT_LINK: Self = Self(0x04);

    /// Whether all bits of `flag` are set.
    pub const fn contains(self, flag: Self) -> bool {
        self.0 & flag.0 == flag.0
    }

    /// With the bits of `flag` set or cleared.
    #[must_use]
    pub const fn with(self, flag: Self, on: bool) -> Self {
        if on { Self(self.0 | flag.0) } else { Self(self.0 & !flag.0) }
    }
}

/// One OGM.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ogm<'a> {
    /// Hops it may still go.
    pub ttl: u8,
    /// Not-best and direct-link marks.
    pub flags: OgmFlags,
    /// Per sending hard interface of the originator.
    pub seqno: SeqNo,
    /// MAC of the *hard interface* that originated it.
    pub originator: Mac,
    /// Outer source of the hop before; the originator in an own OGM.
    pub previous_sender: Mac,
    /// Forwarded unchanged (IV-83), 0 in own OGMs.
    pub reserved: u8,
    /// Transmission quality, 0 to 255.
    pub tq: u8,
    /// Whole, but not yet looked into: see [`crate::tvlv`]. An even number of bytes.
    pub tvlvs: &'a [u8],
}

impl<'a> Ogm<'a> {
    /// Bytes before the TVLVs.
    pub const HEADER_LEN: usize = 24;

    /// Takes one OGM off the front of `bytes` and returns it with what follows. The type and version bytes are the
    /// caller's to judge: [`Ogms`] does.
    ///
    /// # Errors
    /// The reason to count; nothing behind a bad OGM can be trusted (WIRE-25).
    pub(crate) fn take(bytes: &'a [u8]) -> Result<(&'a Header, Self, &'a [u8]), Discard> {
        let (header, rest) = Header::ref_from_prefix(bytes).map_err(|_| Discard::Truncated)?;
        let tvlv_len = usize::from(header.tvlv_len.get());
        if tvlv_len % 2 != 0 {
            return Err(Discard::OddLength);
        }
        let (tvlvs, rest) = rest.split_at_checked(tvlv_len).ok_or(Discard::Truncated)?;
        let ogm = Self {
            ttl: header.ttl,
            flags: OgmFlags(header.flags),
            seqno: SeqNo(header.seqno.get()),
            originator: header.originator,
            previous_sender: header.previous_sender,
            reserved: header.reserved,
            tq: header.tq,
            tvlvs,
        };
        Ok((header, ogm, rest))
    }

    /// How many bytes [`Self::emit`] writes.
    pub const fn wire_len(&self) -> usize {
        Self::HEADER_LEN + self.tvlvs.len()
    }

    /// Writes the OGM over `out`.
    ///
    /// # Panics
    /// If `out` is not [`Self::wire_len`] long or the TVLVs exceed 65535 bytes: bugs of the caller.
    pub fn emit(&self, out: &mut [u8]) {
        let header = Header {
            packet_type: 0x00,
            version: COMPAT_VERSION,
            ttl: self.ttl,
            flags: self.flags.0,
            seqno: U32::new(self.seqno.0),
            originator: self.originator,
            previous_sender: self.previous_sender,
            reserved: self.reserved,
            tq: self.tq,
            tvlv_len: U16::new(u16::try_from(self.tvlvs.len()).expect("TVLVs fit an OGM")),
        };
        let (head, tail) = out.split_at_mut(Self::HEADER_LEN);
        head.copy_from_slice(header.as_bytes());
        tail.copy_from_slice(self.tvlvs);
    }
}

/// Sets or clears the direct-link bit of the OGM that starts `record`, at transmit time (WIRE-23, IV-30).
pub fn set_direct_link(record: &mut [u8], on: bool) {
    if let Some(flags) = record.get_mut(3) {
        *flags = OgmFlags(*flags).with(OgmFlags::DIRECT_LINK, on).0;
    }
}

/// Walks the OGMs of one frame (WIRE-24 to WIRE-26, IV-36).
///
/// Yields `Ok` for each usable OGM. An OGM with another type byte or version is skipped by its length (the reference
/// looks at the version of the first one only; IV-H4). A length that does not fit, or is odd, ends the walk with one
/// `Err`; bytes too few to be an OGM end it silently, as padding does.
#[derive(Clone, Debug)]
pub struct Ogms<'a> {
    rest: &'a [u8],
}

impl<'a> Ogms<'a> {
    /// The OGMs in `bytes`, which is what follows the outer Ethernet header.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl<'a> Iterator for Ogms<'a> {
    type Item = Result<Ogm<'a>, Discard>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.len() < Ogm::HEADER_LEN {
            self.rest = &[];
            return None;
        }
        match Ogm::take(self.rest) {
            Ok((header, ogm, rest)) => {
                self.rest = rest;
                Some(match (header.packet_type, header.version) {
                    (0x00, COMPAT_VERSION) => Ok(ogm),
                    (0x00, _) => Err(Discard::Version),
                    _ => Err(Discard::Type),
                })
            }
            Err(discard) => {
                self.rest = &[];
                Some(Err(discard))
            }
        }
    }
}
