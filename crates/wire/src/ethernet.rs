//! Ethernet headers: the outer one on a hard interface (WIRE-01), and the inner one of the payload with its optional
//! 802.1Q tag (FWD-26).

use crate::{Client, Discard, Mac, Vid};

/// Destination, source, ethertype.
pub const ETHERNET_HEADER_LEN: usize = 14;
/// The ethertype of every mesh frame (WIRE-01).
pub const MESH_ETHERTYPE: u16 = 0x4305;
/// 802.1Q customer tag. 802.1ad (`0x88a8`) counts as untagged here, as in the reference (TT-12).
pub const VLAN_ETHERTYPE: u16 = 0x8100;
/// Ethernet header with one 802.1Q tag.
pub const TAGGED_HEADER_LEN: usize = 18;

/// An Ethernet frame, looked at as far as every node must: addresses, ethertype, first VLAN tag.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Frame<'a> {
    /// Receiver.
    pub destination: Mac,
    /// Sender.
    pub source: Mac,
    /// The 2 bytes behind the addresses; [`VLAN_ETHERTYPE`] if the frame is tagged.
    pub ethertype: u16,
    /// What follows the 14-byte header.
    pub payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Reads the header of `bytes`.
    ///
    /// # Errors
    /// [`Discard::Truncated`] below 14 bytes.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Discard> {
        let (header, payload) =
            bytes.split_first_chunk::<ETHERNET_HEADER_LEN>().ok_or(Discard::Truncated)?;
        let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, t0, t1] = *header;
        Ok(Self {
            destination: Mac([d0, d1, d2, d3, d4, d5]),
            source: Mac([s0, s1, s2, s3, s4, s5]),
            ethertype: u16::from_be_bytes([t0, t1]),
            payload,
        })
    }

    /// Control information of the 802.1Q tag and the ethertype behind it, if the frame has one complete tag.
    pub fn tag(&self) -> Option<(u16, u16)> {
        if self.ethertype != VLAN_ETHERTYPE {
            return None;
        }
        let [t0, t1, e0, e1] = *self.payload.first_chunk::<4>()?;
        Some((u16::from_be_bytes([t0, t1]), u16::from_be_bytes([e0, e1])))
    }

    /// The VLAN of the outermost tag (FWD-26, TT-12): only a complete `0x8100` tag counts, id 0 is untagged.
    pub fn vid(&self) -> Vid {
        self.tag().map_or(Vid::UNTAGGED, |(tci, _)| Vid::from_tci(tci))
    }

    /// Whether the frame says it is tagged but ends inside the tag (FWD-27, FWD-120).
    pub fn has_broken_tag(&self) -> bool {
        self.ethertype == VLAN_ETHERTYPE && self.payload.len() < 4
    }

    /// Whether this is a mesh frame, directly or behind one tag (FWD-27).
    pub fn is_mesh(&self) -> bool {
        self.ethertype == MESH_ETHERTYPE
            || self.tag().is_some_and(|(_, inner)| inner == MESH_ETHERTYPE)
    }

    /// The client that sent this frame.
    pub fn source_client(&self) -> Client {
        Client::new(self.source, self.vid())
    }

    /// The client that should get this frame.
    pub fn destination_client(&self) -> Client {
        Client::new(self.destination, self.vid())
    }

    /// 802.1d priority 0 to 7 of the frame, if it shows one (FWD-43): the tag's, else from IPv4's or IPv6's traffic
    /// class. IP behind a tag is not examined.
    pub fn priority(&self) -> Option<u8> {
        match (self.ethertype, self.payload) {
            (VLAN_ETHERTYPE, [tci, _, _, _, ..]) => Some(tci >> 5),
            (0x0800, [_, tos, rest @ ..]) if rest.len() >= 18 => Some(tos >> 5),
            (0x86dd, [first, rest @ ..]) if rest.len() >= 39 => Some((first & 0x0f) >> 1),
            _ => None,
        }
    }
}

/// The 14 bytes of an outer mesh header (WIRE-01).
pub fn mesh_header(destination: Mac, source: Mac) -> [u8; ETHERNET_HEADER_LEN] {
    let mut header = [0; ETHERNET_HEADER_LEN];
    header[..6].copy_from_slice(&destination.0);
    header[6..12].copy_from_slice(&source.0);
    header[12..].copy_from_slice(&MESH_ETHERTYPE.to_be_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(ethertype: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
        bytes.extend(ethertype.to_be_bytes());
        bytes.extend(payload);
        bytes
    }

    #[test]
    fn fwd_26_only_a_complete_outermost_customer_tag_counts() {
        #[rustfmt::skip]
        let rows: [(u16, &[u8], u16, &str); 6] = [
            (0x8100, &[0x00, 0x0a, 0x08, 0x00],             0x800a, "id 10"),
            (0x8100, &[0xe0, 0x00, 0x08, 0x00],             0,      "priority tag"),
            (0x8100, &[0xff, 0xff, 0x81, 0x00, 0, 5, 8, 0], 0x8fff, "the outer of two"),
            (0x8100, &[0x00, 0x0a, 0x08],                   0,      "incomplete"),
            (0x88a8, &[0x00, 0x0a, 0x08, 0x00],             0,      "service tag"),
            (0x0800, &[0x45, 0x0a, 0x08, 0x00],             0,      "none"),
        ];
        for (ethertype, payload, vid, because) in rows {
            let bytes = frame(ethertype, payload);
            assert_eq!(Frame::parse(&bytes).unwrap().vid(), Vid(vid), "{because}");
        }
    }

    #[test]
    fn fwd_27_mesh_in_mesh_is_seen_behind_one_tag() {
        assert!(Frame::parse(&frame(0x4305, &[])).unwrap().is_mesh());
        assert!(Frame::parse(&frame(0x8100, &[0, 1, 0x43, 0x05])).unwrap().is_mesh());
        assert!(!Frame::parse(&frame(0x8100, &[0, 1, 8, 0])).unwrap().is_mesh());
        assert!(Frame::parse(&frame(0x8100, &[0, 1, 8])).unwrap().has_broken_tag());
    }

    #[test]
    fn fwd_43_priority_from_tag_or_ip() {
        let mut ipv4 = [0; 20];
        ipv4[0] = 0x45;
        ipv4[1] = 0xb8;
        assert_eq!(Frame::parse(&frame(0x0800, &ipv4)).unwrap().priority(), Some(5));
        let mut ipv6 = [0; 40];
        ipv6[0] = 0x6e;
        assert_eq!(Frame::parse(&frame(0x86dd, &ipv6)).unwrap().priority(), Some(7));
        assert_eq!(Frame::parse(&frame(0x8100, &[0xa0, 1, 8, 0])).unwrap().priority(), Some(5));
        assert_eq!(Frame::parse(&frame(0x0806, &[0; 28])).unwrap().priority(), None);
    }
}
