//! Bytes written as the protocol pages write them.

#![allow(dead_code, reason = "each test file uses a part")]

use noctule_wire::{Mac, MeshFrame};

/// A node's primary interface in the examples of the page.
pub(crate) const A: Mac = Mac([0x02, 0xaa, 0, 0, 0, 1]);
/// Another node.
pub(crate) const B: Mac = Mac([0x02, 0xbb, 0, 0, 0, 1]);
/// The next hop between them.
pub(crate) const C: Mac = Mac([0x02, 0xcc, 0, 0, 0, 1]);
/// A client of A.
pub(crate) const CLIENT: Mac = Mac([0x02, 0x11, 0x11, 0x11, 0x11, 0x11]);
/// Another client.
pub(crate) const OTHER_CLIENT: Mac = Mac([0x02, 0x22, 0x22, 0x22, 0x22, 0x22]);

/// The bytes of a text of hexadecimal numbers of two digits; spaces and line ends do not matter.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    text.split_whitespace()
        .map(|byte| {
            assert_eq!(byte.len(), 2, "{byte}");
            u8::from_str_radix(byte, 16).expect("hexadecimal")
        })
        .collect()
}

/// The bytes of a frame, built over a dirty buffer.
pub(crate) fn rebuild(frame: &MeshFrame<'_>) -> Vec<u8> {
    let mut bytes = vec![0xa5; frame.wire_len()];
    frame.emit(&mut bytes);
    bytes
}
