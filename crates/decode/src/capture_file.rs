//! Capture files: pcapng is written, pcapng and pcap are read.

mod reader;
mod writer;

pub use reader::{Captured, Reader};
pub use writer::Writer;

use std::time::Duration;

/// Of Ethernet, in both formats.
const LINKTYPE_ETHERNET: u16 = 1;
/// Section header block.
const SECTION: u32 = 0x0a0d_0d0a;
/// Says how the section's numbers are written.
const BYTE_ORDER: u32 = 0x1a2b_3c4d;
/// Interface description block.
const INTERFACE: u32 = 1;
/// Simple packet block.
const SIMPLE_PACKET: u32 = 3;
/// Enhanced packet block.
const PACKET: u32 = 6;
/// Option `if_name`.
const IF_NAME: u16 = 2;
/// Option `if_tsresol`.
const IF_TSRESOL: u16 = 9;
/// The longest block that is read, bytes: far more than a frame takes.
const BLOCK_LEN_MAX: u32 = 1 << 20;

/// Time since the beginning of 1970.
pub type Epoch = Duration;

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn read(bytes: &[u8]) -> std::io::Result<Vec<Captured>> {
        let mut reader = Reader::new(Cursor::new(bytes))?;
        let mut frames = Vec::new();
        while let Some(frame) = reader.next_frame()? {
            frames.push(frame);
        }
        Ok(frames)
    }

    fn written() -> Vec<u8> {
        let mut writer = Writer::new(Vec::new(), "noctule", &["eth0", "wlan0-mesh"]).unwrap();
        let at = Duration::new(1_700_000_000, 123_456_000);
        writer.frame(0, at, &[1; 60]).unwrap();
        writer.frame(1, at + Duration::from_micros(1), &[2; 61]).unwrap();
        writer.into_inner()
    }

    #[test]
    fn what_is_written_is_read() {
        let frames = read(&written()).unwrap();
        let at = Duration::new(1_700_000_000, 123_456_000);
        let expected = [
            Captured { interface: Some("eth0".into()), at, bytes: vec![1; 60] },
            Captured {
                interface: Some("wlan0-mesh".into()),
                at: at + Duration::from_micros(1),
                bytes: vec![2; 61],
            },
        ];
        assert_eq!(frames, expected);
    }

    #[test]
    fn pcap_is_read_in_both_orders_and_resolutions() {
        for (magic, fraction, little) in [
            (0xa1b2_c3d4_u32, 5_u32, true),
            (0xa1b2_c3d4, 5, false),
            (0xa1b2_3c4d, 5_000, true),
            (0xa1b2_3c4d, 5_000, false),
        ] {
            let word = |value: u32| if little { value.to_le_bytes() } else { value.to_be_bytes() };
            let mut bytes = word(magic).to_vec();
            // Major and minor number, in one word.
            bytes.extend(if little { [2, 0, 4, 0] } else { [0, 2, 0, 4] });
            for value in [0, 0, 65_535, 1, 9, fraction, 3, 100] {
                bytes.extend(word(value));
            }
            bytes.extend([7, 8, 9]);
            let at = Duration::new(9, 5_000);
            let expected = [Captured { interface: None, at, bytes: vec![7, 8, 9] }];
            assert_eq!(read(&bytes).unwrap(), expected, "{magic:x} {little}");
        }
    }

    #[test]
    fn what_is_no_capture_is_refused() {
        for bytes in [&b""[..], b"noc", b"no capture at all", &[0; 100]] {
            assert!(read(bytes).is_err(), "{bytes:?}");
        }
        let mut raw_ip = written();
        // The link type in the block behind the section header.
        let section = u32::from_le_bytes(*raw_ip[4..].first_chunk().unwrap()) as usize;
        raw_ip[section + 8] = 101;
        assert!(read(&raw_ip).unwrap_err().to_string().contains("Ethernet"));
    }

    /// Cut anywhere, or changed anywhere: an error or fewer frames, never a panic or a large allocation.
    #[test]
    fn damaged_files_are_refused_or_read_as_far_as_they_go() {
        let whole = written();
        for len in 0..whole.len() {
            if let Ok(frames) = read(&whole[..len]) {
                assert!(frames.len() < 2);
            }
        }
        for at in 0..whole.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                let _ = read(&bytes);
            }
        }
    }
}
