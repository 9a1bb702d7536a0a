//! One frame for several originators (`0x05`, since 2024.0, WIRE-60 to WIRE-64).
//!
//! The destinations are in a TVLV container, [`MulticastTracker`]. A forwarder sends one copy to each next hop and takes
//! the others' destinations out of it: [`Multicast::shrink`].

use crate::packet::check_type;
use crate::tvlv::multicast_tracker::MulticastTracker;
use crate::tvlv::{CONTAINER_HEADER_LEN, Containers, Kind};
use crate::{COMPAT_VERSION, Discard, Mac, PacketType};
use zerocopy::byteorder::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

const HEADER_LEN: usize = 6;

#[derive(FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
struct Header {
    packet_type: u8,
    version: u8,
    ttl: u8,
    reserved: u8,
    tvlv_len: U16,
}
const _: () = assert!(size_of::<Header>() == Multicast::HEADER_LEN);

/// A multicast packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Multicast<'a> {
    /// Hops it may still go.
    pub ttl: u8,
    /// Sent as 0, never looked at (WIRE-06).
    pub reserved: u8,
    /// An even number of bytes; one tracker in practice.
    pub tvlvs: &'a [u8],
    /// The inner frame; may be too short to be delivered.
    pub inner: &'a [u8],
}

impl<'a> Multicast<'a> {
    /// Bytes before the containers.
    pub const HEADER_LEN: usize = HEADER_LEN;
    /// Bytes of the whole packet: it is never fragmented (WIRE-61).
    pub const SIZE_MAX: usize = 1280;

    /// Reads a multicast packet.
    ///
    /// # Errors
    /// Wrong type or version, shorter than it says, or an odd length of the containers (WIRE-60).
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Discard> {
        check_type(bytes, PacketType::Multicast)?;
        let (header, rest) = Header::ref_from_prefix(bytes).map_err(|_| Discard::Truncated)?;
        let tvlv_len = usize::from(header.tvlv_len.get());
        let (tvlvs, inner) = rest.split_at_checked(tvlv_len).ok_or(Discard::Truncated)?;
        if tvlv_len % 2 != 0 {
            return Err(Discard::OddLength);
        }
        Ok(Self { ttl: header.ttl, reserved: header.reserved, tvlvs, inner })
    }

    /// The first list of destinations; `None` if there is none.
    ///
    /// # Errors
    /// The list does not fit its container: drop the packet, do not deliver it (WIRE-102).
    pub fn tracker(&self) -> Option<Result<MulticastTracker<'a>, Discard>> {
        Containers::new(self.tvlvs)
            .map_while(Result::ok)
            .find(|container| container.kind == Kind::MULTICAST_TRACKER)
            .map(|container| MulticastTracker::parse(container.value))
    }

    /// Bytes in front of the inner frame for `count` destinations: always 2 modulo 4 (WIRE-09, WIRE-62).
    pub const fn header_len(count: usize) -> usize {
        HEADER_LEN + CONTAINER_HEADER_LEN + MulticastTracker::value_len(count)
    }

    /// How many bytes [`Self::emit`] writes.
    pub const fn wire_len(&self) -> usize {
        Self::HEADER_LEN + self.tvlvs.len() + self.inner.len()
    }

    /// Writes the packet over `out`.
    ///
    /// # Panics
    /// If `out` is not [`Self::wire_len`] long or the containers exceed 65535 bytes: bugs of the caller.
    pub fn emit(&self, out: &mut [u8]) {
        let header = self.header(self.tvlvs.len());
        let (head, tail) = out.split_at_mut(HEADER_LEN);
        let (tvlvs, inner) = tail.split_at_mut(self.tvlvs.len());
        head.copy_from_slice(header.as_bytes());
        tvlvs.copy_from_slice(self.tvlvs);
        inner.copy_from_slice(self.inner);
    }

    fn header(&self, tvlv_len: usize) -> Header {
        Header {
            packet_type: 0x05,
            version: COMPAT_VERSION,
            ttl: self.ttl,
            reserved: self.reserved,
            tvlv_len: U16::new(u16::try_from(tvlv_len).expect("containers fit a packet")),
        }
    }

    /// Writes a copy to the front of `out` that is only for those destinations that `keep` says yes to, and returns its
    /// length. Other containers and the inner frame stay as they are (WIRE-63, MCAST-54).
    ///
    /// A tracker that loses nobody is copied as it is. Otherwise empty slots and group addresses go too, the padding
    /// follows the new number of destinations, and padding beyond WIRE-62 stays, since the alignment of the inner frame
    /// depends on it.
    ///
    /// # Errors
    /// [`Discard::Truncated`] if a tracker's list does not fit its container.
    ///
    /// # Panics
    /// If `out` is shorter than [`Self::wire_len`], which the copy never exceeds: a bug of the caller.
    pub fn shrink(
        &self,
        out: &mut [u8],
        mut keep: impl FnMut(Mac) -> bool,
    ) -> Result<usize, Discard> {
        let mut writer = Writer { out: &mut *out, at: HEADER_LEN };
        let mut read = 0;
        for container in Containers::new(self.tvlvs).map_while(Result::ok) {
            let end = read + CONTAINER_HEADER_LEN + container.value.len();
            if container.kind == Kind::MULTICAST_TRACKER {
                let tracker = MulticastTracker::parse(container.value)?;
                writer.tracker(&self.tvlvs[read..end], tracker, &mut keep);
            } else {
                writer.write(&self.tvlvs[read..end]);
            }
            read = end;
        }
        writer.write(&self.tvlvs[read..]);
        let tvlv_len = writer.at - HEADER_LEN;
        writer.write(self.inner);
        let len = writer.at;
        out[..HEADER_LEN].copy_from_slice(self.header(tvlv_len).as_bytes());
        Ok(len)
    }
}

struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl Writer<'_> {
    fn write(&mut self, bytes: &[u8]) {
        self.out[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    fn tracker(
        &mut self,
        original: &[u8],
        tracker: MulticastTracker<'_>,
        keep: &mut impl FnMut(Mac) -> bool,
    ) {
        let start = self.at;
        self.at += CONTAINER_HEADER_LEN + 2;
        let mut count = 0;
        for mac in tracker.slots().filter(|mac| mac.is_station() && keep(*mac)) {
            self.write(&mac.0);
            count += 1;
        }
        if count == tracker.slot_count() {
            self.at = start;
            self.write(original);
            return;
        }
        let regular = MulticastTracker::padding_len(tracker.slot_count());
        let surplus = tracker.padding.len().saturating_sub(regular);
        let padding = MulticastTracker::padding_len(count) + surplus;
        self.out[self.at..self.at + padding].fill(0);
        self.at += padding;
        let value_len = self.at - start - CONTAINER_HEADER_LEN;
        let fits = "a shorter list than the one that was read";
        let [v0, v1] = u16::try_from(value_len).expect(fits).to_be_bytes();
        let [n0, n1] = u16::try_from(count).expect(fits).to_be_bytes();
        self.out[start..start + 6].copy_from_slice(&[original[0], original[1], v0, v1, n0, n1]);
    }
}
