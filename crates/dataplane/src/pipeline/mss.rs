//! The maximum segment size in TCP handshakes, lowered to what crosses the links in one piece, if the operator wants
//! that. Both ways: what hosts here announce on its way into the mesh, and what those elsewhere announce on its way out.

use super::Session;

const VLAN_TAGS: [[u8; 2]; 2] = [[0x81, 0x00], [0x88, 0xa8]];
const IPV4: [u8; 2] = [0x08, 0x00];
const IPV6: [u8; 2] = [0x86, 0xdd];
const TCP: u8 = 6;
const SYN: u8 = 0x02;
const TCP_HEADER_LEN: usize = 20;
const IPV4_HEADER_LEN: usize = 20;
const IPV6_HEADER_LEN: usize = 40;
/// Kinds of IPv6 extension headers.
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const DESTINATION_OPTIONS: u8 = 60;
/// As many of them as are skipped: each kind once, destination options twice (RFC 8200), and some.
const EXTENSIONS_MAX: usize = 8;
/// Kinds of TCP options.
const END: u8 = 0;
const NOTHING: u8 = 1;
const MAXIMUM_SEGMENT_SIZE: u8 = 2;

impl Session<'_> {
    /// If `frame` is a host's TCP SYN that announces too long segments, what to send in its place, in a buffer that is
    /// to be given back.
    pub(super) fn clamped(&mut self, frame: &[u8]) -> Option<Vec<u8>> {
        let limit = self.guard.node().clamp_to?;
        find(frame, limit)?;
        let mut buffer = core::mem::take(&mut self.state.clamped);
        buffer.clear();
        buffer.extend_from_slice(frame);
        clamp(&mut buffer, limit);
        Some(buffer)
    }

    /// The same in place, for a frame on its way to the host.
    pub(super) fn clamp_in_place(&self, frame: &mut [u8]) {
        if let Some(limit) = self.guard.node().clamp_to {
            clamp(frame, limit);
        }
    }
}

/// Where the segment size of a SYN stands that is too large, and what it should be.
#[derive(Debug, Eq, PartialEq)]
struct Found {
    /// Of the TCP header in the frame.
    tcp: usize,
    /// Of the two bytes in the TCP header.
    at: usize,
    mss: u16,
}

/// Lowers the segment size so that no IP packet gets longer than `limit`, and mends the checksum.
fn clamp(frame: &mut [u8], limit: u16) {
    const CHECKSUM: usize = 16;
    let Some(Found { tcp, at, mss }) = find(frame, limit) else { return };
    let Some(segment) = frame.get_mut(tcp..) else { return };
    let Some(old) = field::<2>(segment, at) else { return };
    let Some(sum) = field::<2>(segment, CHECKSUM) else { return };
    let new = mss.to_be_bytes();
    // One's complement sums do not mind where a 16-bit word starts, as long as both its bytes change places (RFC 1071).
    let word = |bytes: [u8; 2]| {
        let word = u16::from_be_bytes(bytes);
        if at % 2 == 0 { word } else { word.swap_bytes() }
    };
    let sum = updated(u16::from_be_bytes(sum), word(old), word(new)).to_be_bytes();
    if let Some(place) = segment.get_mut(at..at + 2) {
        place.copy_from_slice(&new);
    }
    if let Some(place) = segment.get_mut(CHECKSUM..CHECKSUM + 2) {
        place.copy_from_slice(&sum);
    }
}

/// A checksum after one word has changed (RFC 1624, equation 3).
fn updated(sum: u16, old: u16, new: u16) -> u16 {
    let mut total = u32::from(!sum) + u32::from(!old) + u32::from(new);
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    !(total as u16)
}

/// The `N` bytes at a place, if there are so many.
fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// Where TCP begins behind an IPv6 header and its extension headers. What is authenticated must not be changed, and only
/// the first of several fragments has the header.
fn tcp_in_ipv6(frame: &[u8], ip: usize) -> Option<usize> {
    let [mut kind] = field(frame, ip + 6)?;
    let mut at = ip + IPV6_HEADER_LEN;
    for _ in 0..EXTENSIONS_MAX {
        let len = match kind {
            TCP => return Some(at),
            HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS => {
                let [units] = field(frame, at + 1)?;
                (usize::from(units) + 1) * 8
            }
            FRAGMENT if u16::from_be_bytes(field(frame, at + 2)?) >> 3 == 0 => 8,
            _ => return None,
        };
        [kind] = field(frame, at)?;
        at += len;
    }
    (kind == TCP).then_some(at)
}

fn find(frame: &[u8], limit: u16) -> Option<Found> {
    let mut at = 12;
    while VLAN_TAGS.contains(&field(frame, at)?) {
        at += 4;
    }
    let ip = at + 2;
    let (tcp, overhead) = match field::<2>(frame, at)? {
        IPV4 => {
            let [first] = field(frame, ip)?;
            let fragment = u16::from_be_bytes(field(frame, ip + 6)?);
            // Only the first fragment has the header.
            let header_len = usize::from(first & 0x0f) * 4;
            if first >> 4 != 4
                || header_len < IPV4_HEADER_LEN
                || fragment & 0x1fff != 0
                || field(frame, ip + 9)? != [TCP]
            {
                return None;
            }
            (ip + header_len, IPV4_HEADER_LEN + TCP_HEADER_LEN)
        }
        IPV6 => (tcp_in_ipv6(frame, ip)?, IPV6_HEADER_LEN + TCP_HEADER_LEN),
        _ => return None,
    };
    let [lengths, flags] = field(frame, tcp + 12)?;
    if flags & SYN == 0 {
        return None;
    }
    let mss = limit.saturating_sub(overhead as u16);
    let end = usize::from(lengths >> 4) * 4;
    let mut at = TCP_HEADER_LEN;
    while at < end {
        let [kind] = field(frame, tcp + at)?;
        match kind {
            END => return None,
            NOTHING => at += 1,
            _ => {
                let [len] = field(frame, tcp + at + 1)?;
                if kind == MAXIMUM_SEGMENT_SIZE && len == 4 && at + 4 <= end {
                    let announced = u16::from_be_bytes(field(frame, tcp + at + 2)?);
                    return (announced > mss).then_some(Found { tcp, at: at + 2, mss });
                }
                if len < 2 {
                    return None;
                }
                at += usize::from(len);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::{
        IpHeaders, NetSlice, PacketBuilder, PacketBuilderStep, SlicedPacket, TcpOptionElement,
        TransportSlice,
    };

    /// A SYN over IPv4 or IPv6, with or without a VLAN tag, whose segment size stands behind `before`.
    fn syn(v6: bool, vlan: bool, before: &[TcpOptionElement], mss: Option<u16>) -> Vec<u8> {
        let mut options = before.to_vec();
        options.extend(mss.map(TcpOptionElement::MaximumSegmentSize));
        let link = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
        let ip = if v6 {
            link.ipv6([1; 16], [2; 16], 64)
        } else {
            link.ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
        };
        let mut frame = build(ip, &options);
        if vlan {
            frame.splice(12..12, [0x81, 0x00, 0, 7]);
        }
        frame
    }

    fn build(ip: PacketBuilderStep<IpHeaders>, options: &[TcpOptionElement]) -> Vec<u8> {
        let packet = ip.tcp(4000, 80, 1, 65_000).syn().options(options).unwrap();
        let mut bytes = Vec::new();
        packet.write(&mut bytes, b"").unwrap();
        bytes
    }

    /// The segment size that a SYN announces, and whether its checksum is right.
    fn read(frame: &[u8]) -> (Option<u16>, bool) {
        let packet = SlicedPacket::from_ethernet(frame).unwrap();
        let Some(TransportSlice::Tcp(tcp)) = packet.transport else { panic!("no TCP") };
        let mss = tcp.options_iterator().find_map(|option| match option {
            Ok(TcpOptionElement::MaximumSegmentSize(mss)) => Some(mss),
            _ => None,
        });
        let sum = match packet.net.unwrap() {
            NetSlice::Ipv4(ip) => {
                let ip = ip.header().to_header();
                tcp.to_header().calc_checksum_ipv4(&ip, tcp.payload()).unwrap()
            }
            NetSlice::Ipv6(ip) => {
                let ip = ip.header().to_header();
                tcp.to_header().calc_checksum_ipv6(&ip, tcp.payload()).unwrap()
            }
            _ => panic!("no IP"),
        };
        (mss, sum == tcp.checksum())
    }

    #[test]
    fn what_is_too_long_is_lowered_and_the_checksum_stays_right() {
        let one = [TcpOptionElement::Noop];
        let two =
            [TcpOptionElement::WindowScale(7), TcpOptionElement::SelectiveAcknowledgementPermitted];
        for vlan in [false, true] {
            for (v6, expected) in [(false, 1360), (true, 1340)] {
                for before in [&[][..], &one, &two] {
                    for mss in [expected + 1, 1460, 8960, 65_535] {
                        let mut frame = syn(v6, vlan, before, Some(mss));
                        clamp(&mut frame, 1400);
                        assert_eq!(read(&frame), (Some(expected), true), "{v6} {vlan} {mss}");
                    }
                }
            }
        }
    }

    /// Behind the extension headers that hosts use, and in the first part of a datagram in fragments.
    #[test]
    fn a_syn_behind_ipv6_extension_headers_is_found() {
        #[rustfmt::skip]
        let rows: [(&[(u8, &[u8])], bool, &str); 8] = [
            (&[(0, &[0, 5, 2, 0, 0, 1, 0])],                              true,  "hop by hop"),
            (&[(60, &[1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])],    true,  "destination options, 16 bytes"),
            (&[(0, &[0; 7]), (43, &[0; 7]), (60, &[0; 7])],               true,  "three"),
            (&[(44, &[0, 0, 1, 0, 0, 0, 9])],                             true,  "the first fragment"),
            (&[(44, &[0, 0, 9, 0, 0, 0, 9])],                             false, "another fragment"),
            (&[(51, &[1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1])],                 false, "authenticated: not to be changed"),
            (&[(50, &[0; 7])],                                            false, "encrypted"),
            (&[(60, [0; 7].as_slice()); 9],                               false, "more than anybody sends"),
        ];
        for (headers, found, because) in rows {
            let plain = syn(true, false, &[], Some(1460));
            let mut frame = plain.clone();
            let mut next_at = 14 + 6;
            let mut at = 14 + 40;
            for (kind, bytes) in headers {
                let behind = core::mem::replace(&mut frame[next_at], *kind);
                frame.splice(at..at, [&[behind], *bytes].concat());
                next_at = at;
                at += 1 + bytes.len();
            }
            let before = frame.clone();
            clamp(&mut frame, 1400);
            if found {
                let mut expected = plain.clone();
                clamp(&mut expected, 1400);
                assert_eq!(frame[at..], expected[54..], "{because}");
                assert_eq!(read(&expected), (Some(1340), true));
            } else {
                assert_eq!(frame, before, "{because}");
            }
        }
    }

    /// An option that does not end where the header does is none, and what follows is the host's data.
    #[test]
    fn headers_that_make_no_sense_are_left_alone() {
        let mut cut = syn(false, false, &[], Some(1460));
        let tcp = 14 + 20;
        cut.extend([0x05, 0xb4, 0, 0]);
        cut[tcp + 20..tcp + 24].copy_from_slice(&[NOTHING, NOTHING, MAXIMUM_SEGMENT_SIZE, 4]);
        let mut short = syn(false, false, &[], Some(1460));
        short[14] = 0x40;
        // Were the IP header a TCP header, it would be a SYN with an option where that has its own.
        short[14 + 12..14 + 14].copy_from_slice(&[0x60, SYN]);
        short[14 + 20..14 + 24].copy_from_slice(&[MAXIMUM_SEGMENT_SIZE, 4, 0x05, 0xb4]);
        for frame in [cut, short] {
            let mut clamped = frame.clone();
            clamp(&mut clamped, 1400);
            assert_eq!(clamped, frame);
        }
    }

    #[test]
    fn what_is_short_enough_and_what_is_no_syn_stays_as_it_is() {
        let mut frames = vec![
            syn(false, false, &[], Some(1360)),
            syn(false, false, &[], Some(536)),
            syn(true, true, &[], None),
            vec![],
            vec![0; 14],
        ];
        let mut no_syn = syn(false, false, &[], Some(1460));
        no_syn[14 + 20 + 13] = 0x10;
        frames.push(no_syn);
        let mut fragment = syn(false, false, &[], Some(1460));
        fragment[14 + 7] = 1;
        frames.push(fragment);
        for frame in frames {
            let mut clamped = frame.clone();
            clamp(&mut clamped, 1400);
            assert_eq!(clamped, frame);
        }
    }

    proptest::proptest! {
        /// Cut anywhere, with any bytes changed: no panic, and nothing grows.
        #[test]
        fn hostile_frames_do_no_harm(
            cut in 0_usize..90,
            changes in proptest::collection::vec((0_usize..90, 0_u8..), 0..4),
            v6: bool,
            limit: u16,
        ) {
            let mut frame = syn(v6, true, &[TcpOptionElement::Noop], Some(1460));
            for (at, byte) in changes {
                if let Some(place) = frame.get_mut(at) {
                    *place = byte;
                }
            }
            frame.truncate(cut);
            let len = frame.len();
            clamp(&mut frame, limit);
            proptest::prop_assert_eq!(frame.len(), len);
        }
    }
}
