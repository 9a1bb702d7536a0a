//! From the host: one frame as the kernel hands it over becomes the frames that a network card would have sent.

use super::sum::Sum;
use super::{
    CWR, FIN, IPV4, IPV4_HEADER_LEN, IPV6, IPV6_HEADER_LEN, Offload, PSH, TCP_CHECKSUM, TCP_FLAGS,
    TCP_HEADER_LEN, TCP_SEQUENCE, UDP_CHECKSUM, UDP_HEADER_LEN, VirtioHeader, field, layer_3,
    number, put,
};
use noctule_wire::Discard;
use noctule_wire::payload::checksum;

/// The longest headers, Ethernet's to TCP's: two VLAN tags, extension headers and all TCP options leave room for more.
const HEADERS_MAX: usize = 256;
/// A TCP segment is not cut finer than this to spare a link its fragments (RFC 9293: every host takes it).
const TCP_DATA_MIN: usize = 536;

/// The frames that one frame of the host becomes, in order: with whole checksums, and right lengths, sequence numbers,
/// flags and IPv4 identifications.
///
/// Each is made inside the buffer of the whole, its headers right before its data: the part before it, which lay there,
/// has been sent. So no data is copied.
#[derive(Debug)]
pub struct Segments<'f> {
    frame: &'f mut [u8],
    /// `None` for a frame that is whole.
    plan: Option<Plan>,
    /// Bytes of data that have been handed out, or 1 for a frame that is whole.
    done: usize,
    /// Parts that have been handed out.
    count: u16,
}

/// How a frame is to be cut.
#[derive(Debug)]
struct Plan {
    headers: [u8; HEADERS_MAX],
    /// Of which so many are used.
    headers_len: usize,
    /// Where the IP header is.
    ip: usize,
    is_ipv4: bool,
    is_tcp: bool,
    /// Where the TCP or UDP header is.
    transport: usize,
    /// Bytes of data in each part but the last.
    size: usize,
    /// The sum over the pseudo header, but for the length.
    pseudo: Sum,
    identification: u16,
    sequence: u32,
    flags: u8,
}

impl<'f> Segments<'f> {
    /// Looks at a frame that the host sent. If it is TCP that is to be cut, and frames longer than `longest` would be cut
    /// again on their way, it is cut so fine that they are not: a sender of TCP does not mind, and fragments cost more.
    ///
    /// # Errors
    /// [`Discard::Malformed`] if the header does not fit the frame, or asks for something that nobody offered.
    pub fn new(
        header: &VirtioHeader,
        frame: &'f mut [u8],
        longest: Option<usize>,
    ) -> Result<Self, Discard> {
        let plan = if header.is_segmented() {
            Some(Plan::new(header, frame, longest).ok_or(Discard::Malformed)?)
        } else {
            if let Some((start, offset)) = header.checksum()
                && !checksum::complete(frame, start, offset)
            {
                return Err(Discard::Malformed);
            }
            None
        };
        Ok(Self { frame, plan, done: 0, count: 0 })
    }

    /// The next frame. Those before it are gone.
    #[expect(clippy::should_implement_trait, reason = "each borrows from the one buffer")]
    pub fn next(&mut self) -> Option<&[u8]> {
        let Some(plan) = &self.plan else {
            let first = self.done == 0;
            self.done = 1;
            return first.then_some(&*self.frame);
        };
        let total = self.frame.len() - plan.headers_len;
        let (start, nth) = (self.done, self.count);
        if start >= total {
            return None;
        }
        let len = plan.size.min(total - start);
        self.done += len;
        self.count += 1;
        let part = self.frame.get_mut(start..start + plan.headers_len + len)?;
        plan.write_headers(part, start, nth, self.done == total);
        Some(part)
    }
}

impl Plan {
    /// `None` if the frame is not what its header says.
    fn new(header: &VirtioHeader, frame: &[u8], longest: Option<usize>) -> Option<Self> {
        let (kind, mut size) = header.segmentation()?;
        let (transport, offset) = header.checksum()?;
        let (ethertype, ip) = layer_3(frame)?;
        let is_ipv4 = ethertype == IPV4;
        let is_tcp = kind != Offload::Udp;
        match (kind, ethertype) {
            (Offload::Tcp4 | Offload::Udp, IPV4) => {
                let [first] = field(frame, ip)?;
                let len = usize::from(first & 0x0f) * 4;
                if first >> 4 != 4 || len < IPV4_HEADER_LEN || transport != ip + len {
                    return None;
                }
            }
            // Extension headers may lie between, and stand in each part.
            (Offload::Tcp6 | Offload::Udp, IPV6) => {
                let [first] = field(frame, ip)?;
                if first >> 4 != 6 || transport < ip + IPV6_HEADER_LEN {
                    return None;
                }
            }
            _ => return None,
        }
        let (transport_len, place) = if is_tcp {
            let [lengths] = field(frame, transport + 12)?;
            let len = usize::from(lengths >> 4) * 4;
            (if len < TCP_HEADER_LEN { return None } else { len }, TCP_CHECKSUM)
        } else {
            (UDP_HEADER_LEN, UDP_CHECKSUM)
        };
        let headers_len = transport + transport_len;
        let used = frame.get(..headers_len)?;
        let data = frame.len() - headers_len;
        if offset != place || size == 0 || data == 0 {
            return None;
        }
        // What follows the fixed header of IPv6, or all of IPv4, has a length in 16 bits; so has every part.
        let counted = ip + if is_ipv4 { 0 } else { IPV6_HEADER_LEN };
        u16::try_from(frame.len() - counted).ok()?;
        let mut headers = [0; HEADERS_MAX];
        headers.get_mut(..headers_len)?.copy_from_slice(used);
        if is_tcp && let Some(longest) = longest {
            size = size.min(longest.saturating_sub(headers_len).max(TCP_DATA_MIN));
        }
        // The sum over the pseudo header, with the length of the whole; a part has another one.
        let whole = u16::try_from(frame.len() - transport).ok()?;
        let pseudo =
            Sum::default().add_number(number(frame, transport + place)?).add_number(!whole);
        Some(Self {
            headers,
            headers_len,
            ip,
            is_ipv4,
            is_tcp,
            transport,
            size,
            pseudo,
            identification: number(frame, ip + 4)?,
            sequence: u32::from_be_bytes(field(frame, transport + TCP_SEQUENCE)?),
            flags: if is_tcp { field::<1>(frame, transport + TCP_FLAGS)?[0] } else { 0 },
        })
    }

    /// Writes the headers of the part `nth`, whose data begins at `start` of the whole's, in front of it.
    fn write_headers(&self, part: &mut [u8], start: usize, nth: u16, is_last: bool) {
        let len = part.len();
        if let (Some(to), Some(from)) =
            (part.get_mut(..self.headers_len), self.headers.get(..self.headers_len))
        {
            to.copy_from_slice(from);
        }
        let (ip, transport) = (self.ip, self.transport);
        // None is longer than the whole, whose length is known to fit.
        let transport_len = (len - transport) as u16;
        if self.is_ipv4 {
            put(part, ip + 2, ((len - ip) as u16).to_be_bytes());
            put(part, ip + 4, self.identification.wrapping_add(nth).to_be_bytes());
            put(part, ip + 10, [0, 0]);
            let header = part.get(ip..transport).unwrap_or_default();
            let sum = !Sum::default().add(header).fold();
            put(part, ip + 10, sum.to_be_bytes());
        } else {
            put(part, ip + 4, ((len - ip - IPV6_HEADER_LEN) as u16).to_be_bytes());
        }
        let place = if self.is_tcp {
            let sequence = self.sequence.wrapping_add(start as u32);
            put(part, transport + TCP_SEQUENCE, sequence.to_be_bytes());
            let first = if nth == 0 { 0 } else { CWR };
            let last = if is_last { 0 } else { FIN | PSH };
            put(part, transport + TCP_FLAGS, [self.flags & !(first | last)]);
            TCP_CHECKSUM
        } else {
            put(part, transport + 4, transport_len.to_be_bytes());
            UDP_CHECKSUM
        };
        put(part, transport + place, [0, 0]);
        let bytes = part.get(transport..).unwrap_or_default();
        let sum = !self.pseudo.add_number(transport_len).add(bytes).fold();
        // For UDP zero would say that there is none; for both, all ones is the same number.
        put(part, transport + place, if sum == 0 { 0xffff } else { sum }.to_be_bytes());
    }
}
