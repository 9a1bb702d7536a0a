//! A small reader of pcapng files: enough for what `dumpcap` and `mergecap` write on a little-endian machine.

#![allow(dead_code, reason = "each test file uses a part")]

use noctule_wire::{MeshFrame, Ogm};
use std::path::{Path, PathBuf};

const SECTION: u32 = 0x0a0d_0d0a;
const LITTLE_ENDIAN: u32 = 0x1a2b_3c4d;
const INTERFACE: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const ETHERNET: u16 = 1;

/// The captures of Linux 6.1 and of 7.2.
pub(crate) const FOLDERS: [&str; 2] = ["6.1", "7.2"];
/// The capture of frames that are wrong on purpose.
pub(crate) const MALFORMED: &str = "o-malformed";

/// One captured frame.
pub(crate) struct Captured {
    /// Where in its file, from 1, as Wireshark counts.
    pub(crate) number: usize,
    /// What was kept of it.
    pub(crate) bytes: Vec<u8>,
    /// How long it was on the link.
    pub(crate) len: usize,
}

impl Captured {
    /// Whether it is a mesh frame.
    pub(crate) fn is_mesh(&self) -> bool {
        self.bytes.get(12..14) == Some(&[0x43, 0x05])
    }
}

/// Panics if the file is not what this reader understands.
fn read(path: &Path) -> Vec<Captured> {
    let file = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut frames = Vec::new();
    let mut rest = &file[..];
    while !rest.is_empty() {
        let (kind, len) = (u32_at(rest, 0), u32_at(rest, 4) as usize);
        let body = &rest[8..len - 4];
        assert_eq!(u32_at(rest, len - 4) as usize, len, "{}: block length", path.display());
        match kind {
            SECTION => {
                assert_eq!(u32_at(body, 0), LITTLE_ENDIAN, "{}: byte order", path.display());
            }
            INTERFACE => {
                assert_eq!(u16_at(body, 0), ETHERNET, "{}: link type", path.display());
            }
            ENHANCED_PACKET => {
                let (kept, len) = (u32_at(body, 12) as usize, u32_at(body, 16) as usize);
                frames.push(Captured {
                    number: frames.len() + 1,
                    bytes: body[20..20 + kept].to_vec(),
                    len,
                });
            }
            _ => {}
        }
        rest = &rest[len..];
    }
    frames
}

/// All captures of a folder below `tests/captures`, in order of their names: name without extension, and frames.
pub(crate) fn captures(folder: &str) -> Vec<(String, Vec<Captured>)> {
    let files = files(folder);
    assert!(files.len() >= 29, "{folder}: {} captures", files.len());
    let name = |path: &Path| path.file_stem().unwrap().to_string_lossy().into_owned();
    files.iter().map(|path| (name(path), read(path))).collect()
}

/// Every whole mesh frame of a folder, except those of the malformed scenario, with where it is.
pub(crate) fn for_each_frame(folder: &str, mut visit: impl FnMut(&str, &Captured, MeshFrame<'_>)) {
    for (name, frames) in captures(folder).iter().filter(|(name, _)| name != MALFORMED) {
        for captured in frames.iter().filter(|captured| captured.is_mesh()) {
            let frame = MeshFrame::parse(&captured.bytes).expect("all of them parse");
            visit(&format!("{folder}/{name}, frame {}", captured.number), captured, frame);
        }
    }
}

/// The same for each OGM.
pub(crate) fn for_each_ogm(folder: &str, mut visit: impl FnMut(&str, &MeshFrame<'_>, Ogm<'_>)) {
    for_each_frame(folder, |at, _, frame| {
        for ogm in frame.packet.ogms() {
            visit(at, &frame, ogm.expect("all of them are whole"));
        }
    });
}

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures").join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "pcapng"))
        .collect();
    files.sort();
    files
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
