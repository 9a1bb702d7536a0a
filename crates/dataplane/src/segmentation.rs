//! What a network card does for a host, done by this process: long TCP segments of the host are cut into frames that
//! fit, checksums that the host left open are computed, and segments of one flow that come in from the mesh go up to the
//! host as one.
//!
//! Pure: bytes in, bytes out. The words for it are those of virtio, in which the kernel speaks to a TAP
//! ([`VirtioHeader`]); [`Segments`] is the way into the mesh, [`Coalescer`] the way out of it.

mod coalesce;
mod cut;
mod segment;
mod sum;
mod virtio_header;

pub use coalesce::{Coalescer, ForHost, TRAINS};
pub use cut::Segments;
pub use virtio_header::{Offload, VirtioHeader};

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const VLAN_TAGS: [u16; 2] = [0x8100, 0x88a8];
const IPV4_HEADER_LEN: usize = 20;
const IPV6_HEADER_LEN: usize = 40;
const TCP: u8 = 6;
const TCP_HEADER_LEN: usize = 20;
const TCP_SEQUENCE: usize = 4;
const TCP_FLAGS: usize = 13;
const TCP_CHECKSUM: usize = 16;
const UDP_HEADER_LEN: usize = 8;
const UDP_CHECKSUM: usize = 6;
const FIN: u8 = 0x01;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;
const CWR: u8 = 0x80;

/// The `N` bytes at a place, if there are so many.
fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// The 16-bit number at a place, if there is one.
fn number(bytes: &[u8], at: usize) -> Option<u16> {
    field(bytes, at).map(u16::from_be_bytes)
}

/// Writes bytes at a place; nothing, if they do not fit in.
fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    if let Some(place) = bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
        *place = value;
    }
}

/// Ethertype of a frame, and where what it announces begins, behind at most two VLAN tags.
fn layer_3(frame: &[u8]) -> Option<(u16, usize)> {
    let mut at = 12;
    let mut ethertype = number(frame, at)?;
    for _ in 0..VLAN_TAGS.len() {
        if VLAN_TAGS.contains(&ethertype) {
            at += 4;
            ethertype = number(frame, at)?;
        }
    }
    Some((ethertype, at + 2))
}
