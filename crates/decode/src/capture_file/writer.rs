//! Writing pcapng.

use super::{
    BYTE_ORDER, Epoch, IF_NAME, IF_TSRESOL, INTERFACE, LINKTYPE_ETHERNET, PACKET, SECTION,
};
use std::io::{self, Write};

/// Times are written as nanoseconds.
const NANOSECONDS: u8 = 9;
/// Option `shb_userappl`.
const USER_APPLICATION: u16 = 4;

/// Writes frames of some Ethernet interfaces into a pcapng file.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
}

impl<W: Write> Writer<W> {
    /// Begins a file: by which program, and from which interfaces, each of which gets a block of its own.
    ///
    /// # Errors
    /// Of `out`.
    pub fn new(mut out: W, program: &str, interfaces: &[&str]) -> io::Result<Self> {
        let mut section = Vec::new();
        section.extend(BYTE_ORDER.to_le_bytes());
        section.extend([1, 0, 0, 0]);
        // Its length is not known yet.
        section.extend(u64::MAX.to_le_bytes());
        option(&mut section, USER_APPLICATION, program.as_bytes());
        section.extend([0; 4]);
        block(&mut out, SECTION, &section)?;
        for name in interfaces {
            let mut description = Vec::new();
            description.extend(LINKTYPE_ETHERNET.to_le_bytes());
            description.extend([0; 2]);
            // Frames are not cut.
            description.extend(0_u32.to_le_bytes());
            option(&mut description, IF_NAME, name.as_bytes());
            option(&mut description, IF_TSRESOL, &[NANOSECONDS]);
            description.extend([0; 4]);
            block(&mut out, INTERFACE, &description)?;
        }
        Ok(Self { out })
    }

    /// Adds a frame of an interface, by its place in the list.
    ///
    /// # Errors
    /// Of `out`.
    pub fn frame(&mut self, interface: u32, at: Epoch, frame: &[u8]) -> io::Result<()> {
        let time = u64::try_from(at.as_nanos()).unwrap_or(u64::MAX);
        let len = u32::try_from(frame.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut body = Vec::with_capacity(24 + frame.len());
        for word in [interface, (time >> 32) as u32, time as u32, len, len] {
            body.extend(word.to_le_bytes());
        }
        body.extend_from_slice(frame);
        block(&mut self.out, PACKET, &body)
    }

    /// Hands on what is in buffers.
    ///
    /// # Errors
    /// Of `out`.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// What it writes to.
    pub fn into_inner(self) -> W {
        self.out
    }
}

/// An option, filled up to four bytes.
fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    // Names of interfaces and programs are short.
    let len = u16::try_from(value.len()).unwrap_or(u16::MAX);
    body.extend(code.to_le_bytes());
    body.extend(len.to_le_bytes());
    body.extend(value.iter().take(len.into()));
    body.resize(body.len().next_multiple_of(4), 0);
}

/// A block, filled up to four bytes, with its length at both ends.
fn block(out: &mut impl Write, kind: u32, body: &[u8]) -> io::Result<()> {
    let filled = body.len().next_multiple_of(4);
    let len = u32::try_from(filled + 12).map_err(|_| io::ErrorKind::InvalidInput)?;
    out.write_all(&kind.to_le_bytes())?;
    out.write_all(&len.to_le_bytes())?;
    out.write_all(body)?;
    out.write_all(&[0; 3][..filled - body.len()])?;
    out.write_all(&len.to_le_bytes())
}
