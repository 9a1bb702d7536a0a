//! Checksums that a kernel has not computed, because it expects the network card to.
//!
//! Frames that the kernel itself sent reach a packet socket on a veth or on the mesh interface with
//! `TP_STATUS_CSUMNOTREADY`: the checksum field of TCP or UDP holds only the sum over the pseudo header. Whoever sends
//! such a frame on to another machine must fill it in first, or the receiver drops it.

use super::{IPV4_ETHERTYPE, IPV6_ETHERTYPE, layer_3};
use crate::packet::inner_offset;
use etherparse::checksum::Sum16BitWords;
use etherparse::{IpNumber, IpSlice, Ipv6ExtensionSlice};

const IPV4_CHECKSUM: usize = 10;

/// Computes the TCP, UDP or ICMPv6 checksum of an Ethernet frame anew, and IPv4's own if it is 0; behind at most one
/// 802.1Q tag. Ethernet padding behind the datagram does not count.
///
/// Returns whether the frame has such a checksum. Others stay as they are, and so do parts of fragmented datagrams,
/// jumbograms, and IPv6 with a routing header (whose sum is over another destination).
pub fn fill(frame: &mut [u8]) -> bool {
    let Ok((ethertype, bytes)) = layer_3(frame) else { return false };
    if !matches!(ethertype, IPV4_ETHERTYPE | IPV6_ETHERTYPE) {
        return false;
    }
    let start = frame.len() - bytes.len();
    let Some(sums) = Sums::of(bytes) else { return false };
    if let Some(sum) = sums.ipv4 {
        write(frame, start + IPV4_CHECKSUM, sum);
    }
    write(frame, start + sums.field, sums.transport);
    true
}

/// [`fill`] for the inner frame of a mesh packet (what follows the outer Ethernet header), if it carries one.
pub fn fill_inner(packet: &mut [u8]) -> bool {
    inner_offset(packet).and_then(|offset| packet.get_mut(offset..)).is_some_and(fill)
}

/// Completes a checksum whose place is known, as a virtio header tells it: `start` is where summing begins (to the end
/// of the frame), `offset` where the field lies behind that; the field holds the sum over the pseudo header. Returns
/// false, and changes nothing, if the field is not inside the frame.
pub fn complete(frame: &mut [u8], start: usize, offset: usize) -> bool {
    let Some(field) = start.checked_add(offset) else { return false };
    if field.checked_add(2).is_none_or(|end| end > frame.len()) {
        return false;
    }
    // A sum of 0 would say "no checksum" in UDP; all ones is the same number.
    let sum = Sum16BitWords::new().add_slice(&frame[start..]).to_ones_complement_with_no_zero();
    write(frame, field, sum.to_ne_bytes());
    true
}

fn write(frame: &mut [u8], at: usize, sum: [u8; 2]) {
    if let Some(field) = frame.get_mut(at..at + 2) {
        field.copy_from_slice(&sum);
    }
}

/// Whether the inner frame of a mesh packet has a TCP, UDP or ICMPv6 checksum that somebody left to hardware: its field holds
/// the sum over the pseudo header alone. (A right checksum can be that number by chance; [`fill_inner`] gives the same again.)
pub fn is_unfinished_inner(packet: &[u8]) -> bool {
    inner_offset(packet).and_then(|offset| packet.get(offset..)).is_some_and(is_unfinished)
}

fn is_unfinished(frame: &[u8]) -> bool {
    let Ok((IPV4_ETHERTYPE | IPV6_ETHERTYPE, bytes)) = layer_3(frame) else { return false };
    Summed::of(bytes).is_some_and(|summed| {
        summed.pseudo.ones_complement().to_ne_bytes() == summed.written.map(|byte| !byte)
    })
}

/// What goes into the checksums of one IP datagram, and where the transport's is written.
struct Summed<'a> {
    /// IPv4's own, if it is not filled in.
    ipv4: Option<[u8; 2]>,
    /// The pseudo header.
    pseudo: Sum16BitWords,
    before: &'a [u8],
    /// What the field holds.
    written: [u8; 2],
    behind: &'a [u8],
    field: usize,
}

/// The right sums of one IP datagram, in network order, and where the transport's goes.
struct Sums {
    ipv4: Option<[u8; 2]>,
    field: usize,
    transport: [u8; 2],
}

impl Sums {
    fn of(bytes: &[u8]) -> Option<Self> {
        let Summed { ipv4, pseudo, before, behind, field, .. } = Summed::of(bytes)?;
        let sum = pseudo.add_slice(before).add_slice(behind).to_ones_complement_with_no_zero();
        Some(Self { ipv4, field, transport: sum.to_ne_bytes() })
    }
}

impl<'a> Summed<'a> {
    fn of(bytes: &'a [u8]) -> Option<Self> {
        let ip = IpSlice::from_slice(bytes).ok()?;
        if ip.is_fragmenting_payload() {
            return None;
        }
        let transport = ip.payload().payload;
        let offset_in_transport = match ip.payload_ip_number() {
            IpNumber::TCP => 16,
            IpNumber::UDP => 6,
            IpNumber::IPV6_ICMP => 2,
            _ => return None,
        };
        let (before, rest) = transport.split_at_checked(offset_in_transport)?;
        let (written, behind) = rest.split_first_chunk::<2>()?;
        let len = u32::try_from(transport.len()).ok()?.to_be_bytes();
        let (pseudo, header_len, ipv4) = match &ip {
            IpSlice::Ipv4(ip) => {
                let header = ip.header();
                let authentication = ip.extensions().auth.map_or(0, |auth| auth.slice().len());
                let sum = Sum16BitWords::new()
                    .add_4bytes(header.source())
                    .add_4bytes(header.destination());
                let ipv4 = (header.header_checksum() == 0).then(|| {
                    let sum = Sum16BitWords::new().add_slice(header.slice());
                    sum.ones_complement().to_ne_bytes()
                });
                (sum, header.slice().len() + authentication, ipv4)
            }
            IpSlice::Ipv6(ip) => {
                let header = ip.header();
                let mut extensions = ip.extensions().clone().into_iter();
                let is_routed =
                    extensions.any(|extension| matches!(extension, Ipv6ExtensionSlice::Routing(_)));
                // A length of 0 says that the length is elsewhere: where the datagram ends is not known.
                if is_routed || header.payload_length() == 0 {
                    return None;
                }
                let sum = Sum16BitWords::new()
                    .add_16bytes(header.source())
                    .add_16bytes(header.destination());
                (sum, header.slice().len() + ip.extensions().slice().len(), None)
            }
        };
        let pseudo = pseudo.add_2bytes([0, ip.payload_ip_number().0]).add_4bytes(len);
        let field = header_len + offset_in_transport;
        Some(Self { ipv4, pseudo, before, written: *written, behind, field })
    }
}
