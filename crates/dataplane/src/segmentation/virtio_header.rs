//! The header in front of each frame of a TAP with `IFF_VNET_HDR`: what is left to do with the frame.

const NEEDS_CHECKSUM: u8 = 1;
const GSO_NONE: u8 = 0;
const GSO_TCPV4: u8 = 1;
const GSO_TCPV6: u8 = 4;
const GSO_UDP_L4: u8 = 5;
/// Beside one of TCP: congestion has been answered in this segment (CWR), so only the first part says so.
const GSO_ECN: u8 = 0x80;

/// What a frame longer than the link must be cut into.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Offload {
    /// TCP segments over IPv4.
    Tcp4,
    /// TCP segments over IPv6.
    Tcp6,
    /// UDP datagrams, over either.
    Udp,
}

/// `struct virtio_net_hdr`, in the byte order of this machine. From the kernel, but not checked against the frame: what
/// uses a place in it looks whether the frame is that long.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct VirtioHeader {
    flags: u8,
    gso_type: u8,
    /// Of all headers together, bytes; a hint.
    header_len: u16,
    /// Of the data of each part but the last, bytes.
    gso_size: u16,
    /// Where summing begins, from the start of the frame.
    checksum_start: u16,
    /// Where the checksum is, from there.
    checksum_offset: u16,
}

impl VirtioHeader {
    /// Bytes that it has.
    pub const LEN: usize = 10;

    /// Reads it.
    pub fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        let [flags, gso_type, a, b, c, d, e, f, g, h] = bytes;
        Self {
            flags,
            gso_type,
            header_len: u16::from_ne_bytes([a, b]),
            gso_size: u16::from_ne_bytes([c, d]),
            checksum_start: u16::from_ne_bytes([e, f]),
            checksum_offset: u16::from_ne_bytes([g, h]),
        }
    }

    /// Writes it.
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let [a, b] = self.header_len.to_ne_bytes();
        let [c, d] = self.gso_size.to_ne_bytes();
        let [e, f] = self.checksum_start.to_ne_bytes();
        let [g, h] = self.checksum_offset.to_ne_bytes();
        [self.flags, self.gso_type, a, b, c, d, e, f, g, h]
    }

    /// For a frame that is to be cut: `size` bytes of data in each part, headers of `header_len` bytes, and a transport
    /// header at `start` whose checksum, so far over the pseudo header, is `offset` bytes into it.
    pub fn segmented(kind: Offload, size: u16, header_len: u16, start: u16, offset: u16) -> Self {
        let gso_type = match kind {
            Offload::Tcp4 => GSO_TCPV4,
            Offload::Tcp6 => GSO_TCPV6,
            Offload::Udp => GSO_UDP_L4,
        };
        Self { gso_type, header_len, gso_size: size, ..Self::partial(start, offset) }
    }

    /// For a frame that is whole, but whose checksum is so far over the pseudo header only.
    pub fn partial(start: u16, offset: u16) -> Self {
        Self {
            flags: NEEDS_CHECKSUM,
            checksum_start: start,
            checksum_offset: offset,
            ..Self::default()
        }
    }

    /// Where summing begins and where behind that the checksum goes, if it has to be completed.
    pub fn checksum(&self) -> Option<(usize, usize)> {
        (self.flags & NEEDS_CHECKSUM != 0)
            .then_some((self.checksum_start.into(), self.checksum_offset.into()))
    }

    /// Whether the frame is one that may have to be cut.
    pub fn is_segmented(&self) -> bool {
        self.gso_type & !GSO_ECN != GSO_NONE
    }

    /// What to cut the frame into, and how many bytes of data each part has; `None` if the kind is one that nobody has asked
    /// for.
    pub fn segmentation(&self) -> Option<(Offload, usize)> {
        let kind = match self.gso_type & !GSO_ECN {
            GSO_TCPV4 => Offload::Tcp4,
            GSO_TCPV6 => Offload::Tcp6,
            GSO_UDP_L4 => Offload::Udp,
            _ => return None,
        };
        Some((kind, self.gso_size.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_the_kernel() {
        let header = VirtioHeader::segmented(Offload::Tcp6, 1428, 86, 54, 16);
        let mut bytes = vec![1, 4];
        for number in [86_u16, 1428, 54, 16] {
            bytes.extend(number.to_ne_bytes());
        }
        assert_eq!(header.to_bytes().as_slice(), bytes);
        assert_eq!(VirtioHeader::from_bytes(header.to_bytes()), header);
        assert_eq!(header.checksum(), Some((54, 16)));
        assert_eq!(header.segmentation(), Some((Offload::Tcp6, 1428)));
        assert_eq!(VirtioHeader::default().to_bytes(), [0; 10]);
    }

    /// With the ECN bit they are the same kind; the old UFO (3) and whatever comes later are none that was asked for.
    #[test]
    fn kinds_that_nobody_asked_for_are_told_from_none() {
        let of = |gso_type: u8| VirtioHeader { gso_type, gso_size: 9, ..VirtioHeader::default() };
        #[rustfmt::skip]
        let rows = [
            (0x00, false, None),
            (0x80, false, None),
            (0x01, true, Some((Offload::Tcp4, 9))),
            (0x81, true, Some((Offload::Tcp4, 9))),
            (0x84, true, Some((Offload::Tcp6, 9))),
            (0x05, true, Some((Offload::Udp, 9))),
            (0x03, true, None),
            (0x7f, true, None),
        ];
        for (gso_type, segmented, expected) in rows {
            let header = of(gso_type);
            assert_eq!((header.is_segmented(), header.segmentation()), (segmented, expected));
        }
    }
}
