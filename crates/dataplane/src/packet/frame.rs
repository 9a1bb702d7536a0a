//! What the header of a ring slot says about the frame in it, as plain values: no memory is touched here.

use super::ETHERNET_HEADER_LEN;
use std::ops::Range;

/// Where the kernel puts the first byte of an Ethernet frame in a receive slot: behind the slot header and a
/// `sockaddr_ll`, so that the byte after the Ethernet header is aligned to 16.
///
/// (The kernel reserves at least 16 bytes for the link-layer header.)
pub(super) const RX_DATA_OFFSET: usize =
    (libc::TPACKET2_HDRLEN + 16).next_multiple_of(libc::TPACKET_ALIGNMENT) - ETHERNET_HEADER_LEN;
/// Where the `sockaddr_ll` of a received frame starts in its slot.
const ADDRESS_OFFSET: usize =
    size_of::<libc::tpacket2_hdr>().next_multiple_of(libc::TPACKET_ALIGNMENT);
/// Where the packet type (`sll_pkttype`) is in a receive slot.
pub(super) const PACKET_TYPE_OFFSET: usize =
    ADDRESS_OFFSET + std::mem::offset_of!(libc::sockaddr_ll, sll_pkttype);

/// The fields of `tpacket2_hdr` that matter, and the packet type of the `sockaddr_ll` behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct SlotHeader {
    /// `TP_STATUS_*`.
    pub(super) status: u32,
    /// Length of the frame on the wire, bytes.
    pub(super) len: u32,
    /// How many bytes of it are in the slot.
    pub(super) captured: u32,
    /// Where they start, bytes from the start of the slot.
    pub(super) offset: u16,
    /// `PACKET_HOST`, `PACKET_BROADCAST`, …
    pub(super) packet_type: u8,
}

/// Why a frame in the ring is not handed out. One variant, one counter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Skip {
    /// Our own, on its way out.
    Outgoing,
    /// It came with a VLAN tag.
    Tagged,
    /// Its destination is another station, or it had a tag of a VLAN without a device here.
    OtherHost,
    /// It did not fit the slot.
    Truncated,
    /// Shorter than an Ethernet header, or the header of the slot makes no sense.
    Malformed,
}

impl SlotHeader {
    /// Where the frame is in a slot of `slot_len` bytes, or why nobody wants it.
    pub(super) fn frame(&self, slot_len: usize) -> Result<Range<usize>, Skip> {
        if self.packet_type == libc::PACKET_OUTGOING {
            return Err(Skip::Outgoing);
        }
        if self.status & libc::TP_STATUS_VLAN_VALID != 0 {
            return Err(Skip::Tagged);
        }
        if self.packet_type == libc::PACKET_OTHERHOST {
            return Err(Skip::OtherHost);
        }
        if self.len > self.captured {
            return Err(Skip::Truncated);
        }
        let start = usize::from(self.offset);
        let end = start.saturating_add(self.captured as usize);
        let behind_header = PACKET_TYPE_OFFSET + 1;
        if start < behind_header || end > slot_len || end - start < ETHERNET_HEADER_LEN {
            return Err(Skip::Malformed);
        }
        Ok(start..end)
    }

    /// Whether the transport checksum inside is still to be filled in (`TP_STATUS_CSUMNOTREADY`).
    pub(super) fn checksum_not_ready(&self) -> bool {
        self.status & libc::TP_STATUS_CSUMNOTREADY != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: SlotHeader = SlotHeader {
        status: libc::TP_STATUS_USER,
        len: 60,
        captured: 60,
        offset: RX_DATA_OFFSET as u16,
        packet_type: libc::PACKET_BROADCAST,
    };

    #[test]
    fn offsets_are_those_of_the_kernel() {
        assert_eq!(RX_DATA_OFFSET, 66);
        assert_eq!(PACKET_TYPE_OFFSET, 42);
    }

    /// IV-35: only untagged frames; FWD-62: frames for other stations, seen in promiscuous mode, are dropped.
    #[test]
    fn iv_35_fwd_62_only_plain_frames_for_this_station_are_handed_out() {
        #[rustfmt::skip]
        let rows = [
            (PLAIN, Ok(66..126), "a broadcast"),
            (SlotHeader { packet_type: libc::PACKET_HOST, ..PLAIN }, Ok(66..126), "for us"),
            (SlotHeader { packet_type: libc::PACKET_MULTICAST, ..PLAIN }, Ok(66..126), "for a group"),
            (SlotHeader { packet_type: libc::PACKET_OUTGOING, ..PLAIN }, Err(Skip::Outgoing), "our own"),
            (SlotHeader { packet_type: libc::PACKET_OTHERHOST, ..PLAIN }, Err(Skip::OtherHost), "overheard"),
            (SlotHeader { status: PLAIN.status | libc::TP_STATUS_VLAN_VALID, ..PLAIN }, Err(Skip::Tagged), "tagged"),
            (SlotHeader { status: PLAIN.status | libc::TP_STATUS_CSUMNOTREADY, ..PLAIN }, Ok(66..126), "checksum"),
            (SlotHeader { len: 61, ..PLAIN }, Err(Skip::Truncated), "cut"),
            (SlotHeader { len: 13, captured: 13, ..PLAIN }, Err(Skip::Malformed), "a runt"),
            (SlotHeader { len: 14, captured: 14, ..PLAIN }, Ok(66..80), "a header alone"),
            (SlotHeader { len: 1534, captured: 1534, ..PLAIN }, Ok(66..1600), "to the slot's last byte"),
            (SlotHeader { len: 1535, captured: 1535, ..PLAIN }, Err(Skip::Malformed), "one beyond"),
            (SlotHeader { len: u32::MAX, captured: u32::MAX, ..PLAIN }, Err(Skip::Malformed), "far beyond"),
            (SlotHeader { offset: 42, ..PLAIN }, Err(Skip::Malformed), "inside the slot's own header"),
        ];
        for (header, expected, because) in rows {
            assert_eq!(header.frame(1600), expected, "{because}");
        }
    }
}
