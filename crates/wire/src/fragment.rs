//! Part of a packet that was too long for a link (`0x41`, WIRE-50 to WIRE-55).
//!
//! Number 0 carries the *tail* of the packet, the highest number its *head*: [`Split`] cuts, and whoever merges
//! concatenates from the highest number down (WIRE-52).

use crate::packet::check_type;
use crate::{COMPAT_VERSION, Discard, Mac, PacketType};
use zerocopy::byteorder::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

const HEADER_LEN: usize = 20;

#[derive(FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
struct Header {
    packet_type: u8,
    version: u8,
    ttl: u8,
    number_priority: u8,
    destination: Mac,
    originator: Mac,
    seqno: U16,
    total_size: U16,
}
const _: () = assert!(size_of::<Header>() == Fragment::HEADER_LEN);

/// One fragment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fragment<'a> {
    /// Hops it may still go.
    pub ttl: u8,
    /// 0 to 15; 0 is the tail of the packet.
    pub number: u8,
    /// 802.1d priority 0 to 7.
    pub priority: u8,
    /// Sent as 0, never looked at (WIRE-06).
    pub reserved: bool,
    /// Final destination.
    pub destination: Mac,
    /// The node that *fragmented*, which may be a forwarder.
    pub originator: Mac,
    /// The same in all parts of one packet.
    pub seqno: u16,
    /// Bytes of the whole packet, without any fragment header.
    pub total_size: u16,
    /// This part's bytes.
    pub data: &'a [u8],
}

impl<'a> Fragment<'a> {
    /// Bytes before the data.
    pub const HEADER_LEN: usize = HEADER_LEN;
    /// Parts of one packet (WIRE-53).
    pub const PARTS_MAX: usize = 16;
    /// Bytes of one part, header included (WIRE-53).
    pub const SIZE_MAX: usize = 1280;
    /// Bytes of the largest packet that can be sent in parts: 20160 (WIRE-53).
    pub const TOTAL_MAX: usize = (Self::SIZE_MAX - Self::HEADER_LEN) * Self::PARTS_MAX;

    /// Reads a fragment.
    ///
    /// # Errors
    /// Wrong type or version, or shorter than its header (WIRE-55).
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Discard> {
        check_type(bytes, PacketType::Fragment)?;
        let (header, data) = Header::ref_from_prefix(bytes).map_err(|_| Discard::Truncated)?;
        Ok(Self {
            ttl: header.ttl,
            number: header.number_priority >> 4,
            priority: (header.number_priority >> 1) & 0x07,
            reserved: header.number_priority & 1 != 0,
            destination: header.destination,
            originator: header.originator,
            seqno: header.seqno.get(),
            total_size: header.total_size.get(),
            data,
        })
    }

    /// The header alone, to be written in front of the data.
    pub fn header(&self) -> [u8; HEADER_LEN] {
        debug_assert!(usize::from(self.number) < Self::PARTS_MAX && self.priority < 8);
        let header = Header {
            packet_type: 0x41,
            version: COMPAT_VERSION,
            ttl: self.ttl,
            number_priority: self.number << 4
                | (self.priority & 0x07) << 1
                | u8::from(self.reserved),
            destination: self.destination,
            originator: self.originator,
            seqno: U16::new(self.seqno),
            total_size: U16::new(self.total_size),
        };
        let mut bytes = [0; HEADER_LEN];
        bytes.copy_from_slice(header.as_bytes());
        bytes
    }

    /// How many bytes [`Self::emit`] writes.
    pub const fn wire_len(&self) -> usize {
        Self::HEADER_LEN + self.data.len()
    }

    /// Length of the longest part of the packet that this one is of, header included, as far as one part can tell. All
    /// have the same length, but that which carries the head may be shorter by less than their number (WIRE-53).
    pub fn longest_len(&self) -> usize {
        let len = self.data.len();
        let behind = usize::from(self.number);
        let rest = usize::from(self.total_size).saturating_sub(len);
        // This is the head exactly if equal parts behind it make up the rest.
        let other = rest.checked_div(behind).filter(|other| other * behind == rest).unwrap_or(len);
        let longest = if (len..=len + behind).contains(&other) { other } else { len };
        Self::HEADER_LEN + longest
    }

    /// Writes the fragment over `out`.
    ///
    /// # Panics
    /// If `out` is not [`Self::wire_len`] long: a bug of the caller.
    pub fn emit(&self, out: &mut [u8]) {
        let (head, tail) = out.split_at_mut(Self::HEADER_LEN);
        head.copy_from_slice(&self.header());
        tail.copy_from_slice(self.data);
    }
}

/// Cuts a packet into equal parts, in the order they are sent: number 0, the tail, first (WIRE-52, WIRE-53).
#[derive(Clone, Debug)]
pub struct Split<'a> {
    rest: &'a [u8],
    part_len: usize,
    number: u8,
}

impl<'a> Split<'a> {
    /// Prepares to cut `packet` for a link with this MTU.
    ///
    /// # Errors
    /// [`Discard::Fragment`] if the packet is empty, the MTU leaves no room for data, or more than 16 parts are needed
    /// (FWD-114).
    pub fn new(packet: &'a [u8], mtu: usize) -> Result<Self, Discard> {
        let capacity = mtu.min(Fragment::SIZE_MAX).saturating_sub(Fragment::HEADER_LEN);
        if packet.is_empty() || capacity == 0 || packet.len() > capacity * Fragment::PARTS_MAX {
            return Err(Discard::Fragment);
        }
        let parts = (packet.len() - 1) / capacity + 1;
        Ok(Self { rest: packet, part_len: (packet.len() - 1) / parts + 1, number: 0 })
    }
}

impl<'a> Iterator for Split<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let (rest, part) = self.rest.split_at(self.rest.len().saturating_sub(self.part_len));
        let number = self.number;
        self.rest = rest;
        self.number += 1;
        Some((number, part))
    }
}
