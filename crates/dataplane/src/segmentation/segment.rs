//! A TCP segment in a frame of the mesh, as far as others could join it.

use super::sum::Sum;
use super::{
    ACK, IPV4, IPV4_HEADER_LEN, IPV6, IPV6_HEADER_LEN, PSH, TCP, TCP_CHECKSUM, TCP_FLAGS,
    TCP_HEADER_LEN, TCP_SEQUENCE, field, layer_3, number,
};

/// Kinds of IPv6 headers behind which TCP may come, and which no segment that others join has.
const EXTENSIONS: [u8; 5] = [0, 43, 44, 51, 60];
const MORE_FRAGMENTS_AND_OFFSET: u16 = 0x3fff;
const DONT_FRAGMENT: u16 = 0x4000;

/// What a frame is to the [`Coalescer`](super::Coalescer).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// Not TCP.
    Other,
    /// TCP, or perhaps TCP, of which it cannot be said to what flow it belongs: fragments, extension headers, nonsense.
    Unclear,
    /// A segment of a flow that none may join.
    Alone(Segment),
    /// A segment of a flow that others may join.
    Data(Segment),
}

/// Where things are in a frame with TCP: IPv4 without options or IPv6 without extension headers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Segment {
    pub(super) is_ipv4: bool,
    /// Where the IP header is.
    pub(super) ip: usize,
    /// Where the TCP header is.
    pub(super) tcp: usize,
    /// Where the data is, to the end of the frame.
    pub(super) data: usize,
    pub(super) sequence: u32,
    pub(super) identification: u16,
    /// Whether IPv4 says that it must not be cut: then its identification says nothing (RFC 6864).
    pub(super) is_atomic: bool,
    pub(super) is_pushed: bool,
}

impl Kind {
    /// Looks at a frame. Checksums are not looked at.
    pub(super) fn of(frame: &[u8]) -> Self {
        Self::find(frame).unwrap_or(Self::Unclear)
    }

    /// `None` if it ends inside its headers.
    fn find(frame: &[u8]) -> Option<Self> {
        let Some((ethertype, ip)) = layer_3(frame) else { return Some(Self::Other) };
        let (tcp, end, identification, is_atomic) = match ethertype {
            IPV4 => {
                if field(frame, ip + 9)? != [TCP] {
                    return Some(Self::Other);
                }
                let fragment = number(frame, ip + 6)?;
                if field(frame, ip)? != [0x45] || fragment & MORE_FRAGMENTS_AND_OFFSET != 0 {
                    return None;
                }
                let end = ip + usize::from(number(frame, ip + 2)?);
                let is_atomic = fragment & DONT_FRAGMENT != 0;
                (ip + IPV4_HEADER_LEN, end, number(frame, ip + 4)?, is_atomic)
            }
            IPV6 => {
                let [first] = field(frame, ip)?;
                match field::<1>(frame, ip + 6)? {
                    [TCP] => {}
                    [kind] if EXTENSIONS.contains(&kind) => return None,
                    _ => return Some(Self::Other),
                }
                let tcp = ip + IPV6_HEADER_LEN;
                if first >> 4 != 6 {
                    return None;
                }
                (tcp, tcp + usize::from(number(frame, ip + 4)?), 0, true)
            }
            _ => return Some(Self::Other),
        };
        let [lengths, flags] = field(frame, tcp + 12)?;
        let len = usize::from(lengths >> 4) * 4;
        let data = tcp + len;
        if len < TCP_HEADER_LEN || data > end || end > frame.len() {
            return None;
        }
        let segment = Segment {
            is_ipv4: ethertype == IPV4,
            ip,
            tcp,
            data,
            sequence: u32::from_be_bytes(field(frame, tcp + TCP_SEQUENCE)?),
            identification,
            is_atomic,
            is_pushed: flags & PSH != 0,
        };
        // Padding of short frames, and what else is behind the datagram, belongs to no other segment.
        let is_data = data < end && end == frame.len();
        let is_plain = flags & !PSH == ACK && lengths & 0x0f == 0;
        Some(if is_data && is_plain { Self::Data(segment) } else { Self::Alone(segment) })
    }
}

impl Segment {
    /// Between whom the flow is: addresses and ports.
    pub(super) fn flow<'f>(&self, frame: &'f [u8]) -> &'f [u8] {
        let addresses = self.ip + if self.is_ipv4 { 12 } else { 8 };
        frame.get(addresses..self.tcp + 4).unwrap_or_default()
    }

    /// Whether all that the headers of two frames say is the same, but for what must differ from segment to segment: length,
    /// identification, sequence number, checksums and PSH.
    pub(super) fn is_like(&self, mine: &[u8], other: &Self, theirs: &[u8]) -> bool {
        let (ip, tcp) = (self.ip, self.tcp);
        if (self.is_ipv4, ip, self.data) != (other.is_ipv4, other.ip, other.data) {
            return false;
        }
        let same = |from: usize, to: usize| {
            mine.get(from..to).is_some_and(|bytes| theirs.get(from..to) == Some(bytes))
        };
        let same_ip = if self.is_ipv4 {
            same(0, ip + 2) && same(ip + 6, ip + 10) && same(ip + 12, tcp)
        } else {
            same(0, ip + 4) && same(ip + 6, tcp)
        };
        // The flags are ACK and perhaps PSH in both.
        same_ip
            && same(tcp, tcp + TCP_SEQUENCE)
            && same(tcp + 8, tcp + TCP_FLAGS)
            && same(tcp + 14, tcp + TCP_CHECKSUM)
            && same(tcp + 18, self.data)
    }

    /// Whether the checksums of a frame are right.
    pub(super) fn is_intact(&self, frame: &[u8]) -> bool {
        let header = frame.get(self.ip..self.tcp).unwrap_or_default();
        let is_right = |sum: Sum| sum.fold() == 0xffff;
        (!self.is_ipv4 || is_right(Sum::default().add(header)))
            && is_right(self.pseudo(frame).add(frame.get(self.tcp..).unwrap_or_default()))
    }

    /// The sum over the pseudo header of a frame that ends with the datagram.
    pub(super) fn pseudo(&self, frame: &[u8]) -> Sum {
        let addresses = self.ip + if self.is_ipv4 { 12 } else { 8 };
        let len = frame.len() - self.tcp;
        Sum::default()
            .add(frame.get(addresses..self.tcp).unwrap_or_default())
            .add_number(len as u16)
            .add_number(TCP.into())
    }
}
