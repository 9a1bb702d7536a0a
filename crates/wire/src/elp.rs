//! ELP: "I am your neighbour" (`BATMAN_V`, `0x03`, WIRE-40 to WIRE-42). Link-local, without TTL, never forwarded.
//!
//! ```text
//!  0               1               2               3
//! +---------------+---------------+---------------+---------------+
//! |   type 0x03   |  version 15   |        originator (6)         |
//! |                                                               |
//! |                        sequence number                        |
//! |                         interval (ms)                         |
//! +---------------+---------------+---------------+---------------+
//! |                 filler 0, not needed on receipt               |
//! +---------------+---------------+---------------+---------------+
//! ```

use crate::packet::check_type;
use crate::{COMPAT_VERSION, Discard, Mac, PacketType, SeqNo};
use zerocopy::byteorder::network_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

#[derive(FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
struct Header {
    packet_type: u8,
    version: u8,
    originator: Mac,
    seqno: U32,
    interval_ms: U32,
}
const _: () = assert!(size_of::<Header>() == Elp::HEADER_LEN);

/// An ELP packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Elp {
    /// Originator address of the sender, not the MAC of the sending interface.
    pub originator: Mac,
    /// Per hard interface of the sender.
    pub seqno: SeqNo,
    /// How often the sender says this, in milliseconds; any value may arrive.
    pub interval_ms: u32,
}

impl Elp {
    /// Bytes a receiver must see.
    pub const HEADER_LEN: usize = 16;
    /// Bytes that are sent: the header and 4 zeros (WIRE-40).
    pub const SENT_LEN: usize = 20;
    /// Bytes of a unicast probe (WIRE-42).
    pub const PROBE_LEN: usize = 200;
    /// The usual interval.
    pub const INTERVAL_MS: u32 = 500;

    /// Reads an ELP packet; bytes from 16 on are ignored (WIRE-40).
    ///
    /// # Errors
    /// Wrong type or version, or shorter than 16 bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, Discard> {
        check_type(bytes, PacketType::Elp)?;
        let (header, _) = Header::ref_from_prefix(bytes).map_err(|_| Discard::Truncated)?;
        Ok(Self {
            originator: header.originator,
            seqno: SeqNo(header.seqno.get()),
            interval_ms: header.interval_ms.get(),
        })
    }

    /// The 16 bytes that carry information.
    pub fn header(&self) -> [u8; Self::HEADER_LEN] {
        let header = Header {
            packet_type: 0x03,
            version: COMPAT_VERSION,
            originator: self.originator,
            seqno: U32::new(self.seqno.0),
            interval_ms: U32::new(self.interval_ms),
        };
        let mut bytes = [0; Self::HEADER_LEN];
        bytes.copy_from_slice(header.as_bytes());
        bytes
    }

    /// The packet as it is sent: the header and 4 zeros.
    pub fn to_bytes(&self) -> [u8; Self::SENT_LEN] {
        let mut bytes = [0; Self::SENT_LEN];
        bytes[..Self::HEADER_LEN].copy_from_slice(&self.header());
        bytes
    }

    /// A unicast probe, which only keeps a Wi-Fi link's rate control busy: receivers drop it (WIRE-42).
    pub fn probe(originator: Mac) -> [u8; Self::PROBE_LEN] {
        let mut bytes = [0; Self::PROBE_LEN];
        let elp = Self { originator, seqno: SeqNo(0), interval_ms: 0 };
        bytes[..Self::HEADER_LEN].copy_from_slice(&elp.header());
        bytes
    }
}
