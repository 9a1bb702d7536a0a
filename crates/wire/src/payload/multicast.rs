//! What a frame to a group is, as far as the choice of its receivers depends on it (MCAST-31 to MCAST-35).

use super::{IPV4_ETHERTYPE, IPV6_ETHERTYPE, IpVersion};
use crate::Discard;
use crate::ethernet::Frame;

const IPV4_HEADER_LEN: usize = 20;
const IPV6_HEADER_LEN: usize = 40;
const IGMP: u8 = 2;
const ICMPV6: u8 = 58;
/// Membership reports of IGMP versions 1, 2 and 3.
const IGMP_REPORTS: [u8; 3] = [0x12, 0x16, 0x22];
/// Listener reports of MLD versions 1 and 2.
const MLD_REPORTS: [u8; 2] = [131, 143];
/// Bytes of the shortest that counts as one: header and one address.
const MLD_LEN: usize = 24;
/// Router and neighbour solicitations and advertisements, and redirects.
const NEIGHBOUR_DISCOVERY: core::ops::RangeInclusive<u8> = 133..=137;
/// The scope of groups that stay on one link.
const SCOPE_LINK: u8 = 2;

/// Who may want a frame to a group.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Audience {
    /// Everybody: it is not IP, tells of listeners, or is of a scope that nobody announces listeners for.
    Everybody,
    /// Those who want this group.
    Listeners(Group),
}

/// A group as far as it decides who wants its frames.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Group {
    /// The IP version of the frame.
    pub version: IpVersion,
    /// Routers pass frames to it on, so they want them (MCAST-34, MCAST-35).
    pub routable: bool,
    /// Bridges cannot learn who listens to it: 224.0.0.0/24 and ff02::1.
    pub unsnoopable: bool,
    /// The frame is IPv6 neighbour discovery.
    pub neighbour_discovery: bool,
}

/// Reads what a frame with a group as its destination is.
///
/// # Errors
/// [`Discard::Truncated`] if an IP header does not fit the frame (MCAST-32).
pub fn audience(frame: &[u8]) -> Result<Audience, Discard> {
    let ethernet = Frame::parse(frame)?;
    match ethernet.ethertype {
        IPV4_ETHERTYPE => ipv4(ethernet.payload),
        IPV6_ETHERTYPE => ipv6(ethernet.payload),
        _ => Ok(Audience::Everybody),
    }
}

fn ipv4(bytes: &[u8]) -> Result<Audience, Discard> {
    let header = bytes.first_chunk::<IPV4_HEADER_LEN>().ok_or(Discard::Truncated)?;
    if is_igmp_report(bytes) {
        return Ok(Audience::Everybody);
    }
    let link_local = header[16..19] == [224, 0, 0];
    Ok(Audience::Listeners(Group {
        version: IpVersion::V4,
        routable: !link_local,
        unsnoopable: link_local,
        neighbour_discovery: false,
    }))
}

/// Whether this is a whole report with both checksums right; padding behind it does not matter (MCAST-33).
fn is_igmp_report(bytes: &[u8]) -> bool {
    let Some(header) = bytes.first_chunk::<IPV4_HEADER_LEN>() else { return false };
    let header_len = usize::from(header[0] & 0x0f) * 4;
    let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if header[0] >> 4 != 4 || header_len < IPV4_HEADER_LEN || header[9] != IGMP {
        return false;
    }
    let (Some(header), Some(igmp)) = (bytes.get(..header_len), bytes.get(header_len..total)) else {
        return false;
    };
    igmp.len() >= 8
        && IGMP_REPORTS.contains(&igmp[0])
        && sum(0, header) == 0xffff
        && sum(0, igmp) == 0xffff
}

fn ipv6(bytes: &[u8]) -> Result<Audience, Discard> {
    let header = bytes.first_chunk::<IPV6_HEADER_LEN>().ok_or(Discard::Truncated)?;
    if is_mld_report(bytes) {
        return Ok(Audience::Everybody);
    }
    let destination = &header[24..40];
    // Also of addresses that are no groups, as the reference does.
    let scope = destination[1] & 0x0f;
    if scope < SCOPE_LINK {
        return Ok(Audience::Everybody);
    }
    let all_nodes = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let icmp_type = bytes.get(IPV6_HEADER_LEN).filter(|_| header[6] == ICMPV6);
    Ok(Audience::Listeners(Group {
        version: IpVersion::V6,
        routable: scope > SCOPE_LINK,
        unsnoopable: destination == all_nodes,
        neighbour_discovery: icmp_type.is_some_and(|kind| NEIGHBOUR_DISCOVERY.contains(kind)),
    }))
}

/// Whether this is a whole report behind a hop-by-hop header, with its checksum right (MCAST-33).
fn is_mld_report(bytes: &[u8]) -> bool {
    let Some(header) = bytes.first_chunk::<IPV6_HEADER_LEN>() else { return false };
    let len = usize::from(u16::from_be_bytes([header[4], header[5]]));
    if header[0] >> 4 != 6 || header[6] != 0 {
        return false;
    }
    let Some(payload) = bytes.get(IPV6_HEADER_LEN..IPV6_HEADER_LEN + len) else { return false };
    let [next, units, ..] = payload else { return false };
    let options_len = (usize::from(*units) + 1) * 8;
    let Some(mld) = payload.get(options_len..) else { return false };
    if *next != ICMPV6 || mld.len() < MLD_LEN || !MLD_REPORTS.contains(&mld[0]) {
        return false;
    }
    // A length below 65536 and a protocol number below 256: two words of the pseudo header each.
    let pseudo = u32::from(u16::try_from(mld.len()).unwrap_or(0)) + u32::from(ICMPV6);
    sum(pseudo + u32::from(sum(0, &header[8..40])), mld) == 0xffff
}

/// The one's complement sum of 16-bit words; 0xffff over anything that includes its right checksum.
pub(super) fn sum(start: u32, bytes: &[u8]) -> u16 {
    let (words, rest) = bytes.as_chunks::<2>();
    let total = words
        .iter()
        .fold(u64::from(start), |total, word| total + u64::from(u16::from_be_bytes(*word)));
    let mut total = rest.first().map_or(total, |last| total + (u64::from(*last) << 8));
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    total as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(ethertype: u16, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0x01, 0, 0x5e, 1, 2, 3, 2, 0, 0, 0, 0, 1];
        frame.extend(ethertype.to_be_bytes());
        frame.extend(payload);
        frame
    }

    fn with_checksum(mut bytes: Vec<u8>, at: usize, start: u32) -> Vec<u8> {
        let checksum = !sum(start, &bytes);
        bytes[at..at + 2].copy_from_slice(&checksum.to_be_bytes());
        bytes
    }

    fn ipv4_packet(destination: [u8; 4], protocol: u8, payload: &[u8]) -> Vec<u8> {
        let total = (20 + payload.len()) as u8;
        let mut header = vec![0x45, 0, 0, total, 0, 0, 0, 0, 1, protocol, 0, 0, 10, 0, 0, 1];
        header.extend(destination);
        let mut packet = with_checksum(header, 10, 0);
        packet.extend(payload);
        packet
    }

    fn ipv6_packet(destination: &str, next: u8, payload: &[u8]) -> Vec<u8> {
        let destination: core::net::Ipv6Addr = destination.parse().unwrap();
        let mut packet = vec![0x60, 0, 0, 0, 0, payload.len() as u8, next, 1];
        packet.extend([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        packet.extend(destination.octets());
        packet.extend(payload);
        packet
    }

    /// An MLD message behind a hop-by-hop header with a router alert.
    fn mld(kind: u8) -> Vec<u8> {
        let message = [&[kind, 0, 0, 0, 0, 0, 0, 0][..], &[0; 16]].concat();
        let addresses = &ipv6_packet("ff02::16", 0, &[])[8..40];
        let start = u32::from(sum(0, addresses)) + 24 + 58;
        let message = with_checksum(message, 2, start);
        [&[58, 0, 5, 2, 0, 0, 1, 0][..], &message].concat()
    }

    fn group(version: IpVersion, routable: bool, unsnoopable: bool) -> Audience {
        Audience::Listeners(Group { version, routable, unsnoopable, neighbour_discovery: false })
    }

    #[test]
    fn mcast_31_what_is_not_ip_is_for_everybody() {
        for ethertype in [0x0806, 0x8100, 0x88cc] {
            assert_eq!(audience(&frame(ethertype, &[0; 60])), Ok(Audience::Everybody));
        }
    }

    #[test]
    fn mcast_32_short_ip_is_dropped() {
        for (ethertype, len) in [(IPV4_ETHERTYPE, 20), (IPV6_ETHERTYPE, 40)] {
            assert_eq!(audience(&frame(ethertype, &vec![0; len - 1])), Err(Discard::Truncated));
            assert!(audience(&frame(ethertype, &vec![0; len])).is_ok());
        }
    }

    #[test]
    fn mcast_33_valid_reports_are_for_everybody_and_nothing_else_is() {
        for kind in [0x12, 0x16, 0x22] {
            let igmp = with_checksum(vec![kind, 0, 0, 0, 239, 1, 2, 3], 2, 0);
            let packet = ipv4_packet([239, 1, 2, 3], IGMP, &igmp);
            assert_eq!(audience(&frame(IPV4_ETHERTYPE, &packet)), Ok(Audience::Everybody));
            let padded = [&packet[..], &[0xff; 18]].concat();
            assert_eq!(audience(&frame(IPV4_ETHERTYPE, &padded)), Ok(Audience::Everybody));
            for at in [0, 2, 3, 10, 20, 23] {
                let mut wrong = packet.clone();
                wrong[at] ^= 0x21;
                let expected = group(IpVersion::V4, true, false);
                assert_eq!(audience(&frame(IPV4_ETHERTYPE, &wrong)), Ok(expected), "byte {at}");
            }
        }
        for kind in [0x11, 0x17] {
            let igmp = with_checksum(vec![kind, 0, 0, 0, 239, 1, 2, 3], 2, 0);
            let packet = ipv4_packet([224, 0, 0, 2], IGMP, &igmp);
            let expected = group(IpVersion::V4, false, true);
            assert_eq!(audience(&frame(IPV4_ETHERTYPE, &packet)), Ok(expected), "no report");
        }
        for kind in [131, 143] {
            let packet = ipv6_packet("ff02::16", 0, &mld(kind));
            assert_eq!(audience(&frame(IPV6_ETHERTYPE, &packet)), Ok(Audience::Everybody));
            // Without an address or a record, as seen with Linux 7.2: no message that a host sends.
            let start = u32::from(sum(0, &packet[8..40])) + 8 + 58;
            let stub = with_checksum(vec![kind, 0, 0, 0, 0, 0, 0, 0], 2, start);
            let stub = [&[58, 0, 5, 2, 0, 0, 1, 0][..], &stub].concat();
            let stub = ipv6_packet("ff02::16", 0, &stub);
            let expected = group(IpVersion::V6, false, false);
            assert_eq!(audience(&frame(IPV6_ETHERTYPE, &stub)), Ok(expected), "a stub");
            let mut wrong = packet.clone();
            wrong[60] ^= 1;
            let expected = group(IpVersion::V6, false, false);
            assert_eq!(audience(&frame(IPV6_ETHERTYPE, &wrong)), Ok(expected), "checksum");
            let bare = ipv6_packet("ff02::16", 58, &mld(kind)[8..]);
            assert_eq!(audience(&frame(IPV6_ETHERTYPE, &bare)), Ok(expected), "no hop-by-hop");
        }
        for kind in [130, 132] {
            let packet = ipv6_packet("ff02::16", 0, &mld(kind));
            let expected = group(IpVersion::V6, false, false);
            assert_eq!(audience(&frame(IPV6_ETHERTYPE, &packet)), Ok(expected), "no report");
        }
    }

    #[test]
    fn mcast_34_the_address_decides_for_ipv4() {
        for (destination, routable) in
            [([224, 0, 0, 251], false), ([224, 0, 1, 1], true), ([10, 0, 0, 1], true)]
        {
            let packet = ipv4_packet(destination, 17, &[0; 8]);
            let expected = group(IpVersion::V4, routable, !routable);
            assert_eq!(audience(&frame(IPV4_ETHERTYPE, &packet)), Ok(expected));
        }
    }

    #[test]
    fn mcast_35_the_scope_decides_for_ipv6() {
        #[rustfmt::skip]
        let rows = [
            ("ff01::1", Audience::Everybody),
            ("2001:db8::1", Audience::Everybody),
            ("ff02::1", group(IpVersion::V6, false, true)),
            ("ff02::fb", group(IpVersion::V6, false, false)),
            ("ff02::1:ff00:1", group(IpVersion::V6, false, false)),
            ("ff05::1:3", group(IpVersion::V6, true, false)),
            ("ff3e::8000:1", group(IpVersion::V6, true, false)),
        ];
        for (destination, expected) in rows {
            let packet = ipv6_packet(destination, 17, &[0; 8]);
            assert_eq!(audience(&frame(IPV6_ETHERTYPE, &packet)), Ok(expected), "{destination}");
        }
    }

    #[test]
    fn neighbour_discovery_is_recognised() {
        for (kind, expected) in [(128, false), (133, true), (135, true), (137, true), (138, false)]
        {
            let packet = ipv6_packet("ff02::1:ff00:1", ICMPV6, &[kind, 0, 0, 0, 0, 0, 0, 0]);
            let Ok(Audience::Listeners(group)) = audience(&frame(IPV6_ETHERTYPE, &packet)) else {
                panic!("{kind}")
            };
            assert_eq!(group.neighbour_discovery, expected, "{kind}");
        }
    }

    #[test]
    fn no_length_is_trusted() {
        let packets = [
            frame(IPV6_ETHERTYPE, &ipv6_packet("ff02::16", 0, &mld(143))),
            frame(IPV4_ETHERTYPE, &ipv4_packet([239, 1, 2, 3], IGMP, &[0x22, 0, 0, 0, 0, 0, 0, 0])),
        ];
        for packet in packets {
            for end in 0..packet.len() {
                let _ = audience(&packet[..end]);
            }
            for at in 14..packet.len() {
                for value in [0, 1, 0x7f, 0x80, 0xff] {
                    let mut bytes = packet.clone();
                    bytes[at] = value;
                    let _ = audience(&bytes);
                }
            }
        }
    }
}
