//! Reading pcapng and pcap, whoever wrote it.

use super::{
    BLOCK_LEN_MAX, BYTE_ORDER, Epoch, IF_NAME, IF_TSRESOL, INTERFACE, LINKTYPE_ETHERNET, PACKET,
    SECTION, SIMPLE_PACKET,
};
use std::io::{self, ErrorKind, Read};
use std::time::Duration;

/// Interfaces of one section that are remembered.
const INTERFACES_MAX: usize = 4096;

/// A frame out of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Captured {
    /// Where it was captured, if the file says so.
    pub interface: Option<String>,
    /// When.
    pub at: Epoch,
    /// The frame, as much of it as was kept.
    pub bytes: Vec<u8>,
}

/// Reads the Ethernet frames of a capture file, one after the other.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    order: Order,
    format: Format,
}

#[derive(Clone, Copy, Debug)]
enum Order {
    Little,
    Big,
}

#[derive(Debug)]
enum Format {
    /// With this many units in a second.
    Pcap(u64),
    Pcapng(Vec<Interface>),
}

#[derive(Clone, Debug)]
struct Interface {
    name: Option<String>,
    /// Units of time in a second.
    units: u64,
}

impl Order {
    fn word(self, bytes: &[u8], at: usize) -> io::Result<u32> {
        let four = bytes.get(at..).and_then(|rest| rest.first_chunk()).ok_or_else(cut)?;
        Ok(match self {
            Self::Little => u32::from_le_bytes(*four),
            Self::Big => u32::from_be_bytes(*four),
        })
    }

    fn half(self, bytes: &[u8], at: usize) -> io::Result<u16> {
        let two = bytes.get(at..).and_then(|rest| rest.first_chunk()).ok_or_else(cut)?;
        Ok(match self {
            Self::Little => u16::from_le_bytes(*two),
            Self::Big => u16::from_be_bytes(*two),
        })
    }
}

fn cut() -> io::Error {
    damaged("a block is shorter than what it should hold")
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what.to_owned())
}

impl<R: Read> Reader<R> {
    /// Looks which format it is.
    ///
    /// # Errors
    /// Of `input`; [`ErrorKind::InvalidData`] with a sentence if it is no capture of Ethernet.
    pub fn new(mut input: R) -> io::Result<Self> {
        let mut magic = [0; 4];
        input.read_exact(&mut magic).map_err(|_| damaged("it is neither pcapng nor pcap"))?;
        if u32::from_le_bytes(magic) == SECTION {
            let format = Format::Pcapng(Vec::new());
            let mut reader = Self { input, order: Order::Little, format };
            reader.section()?;
            return Ok(reader);
        }
        let known =
            [(Order::Little, u32::from_le_bytes(magic)), (Order::Big, u32::from_be_bytes(magic))];
        let found = known.into_iter().find_map(|(order, magic)| match magic {
            0xa1b2_c3d4 => Some((order, 1_000_000)),
            0xa1b2_3c4d => Some((order, 1_000_000_000)),
            _ => None,
        });
        let (order, units) = found.ok_or_else(|| damaged("it is neither pcapng nor pcap"))?;
        let mut header = [0; 20];
        input.read_exact(&mut header)?;
        // The upper bits say something about checksums.
        ethernet(order.word(&header, 16)? as u16)?;
        Ok(Self { input, order, format: Format::Pcap(units) })
    }

    /// The next frame; `None` at the end.
    ///
    /// # Errors
    /// Of the input; [`ErrorKind::InvalidData`] with a sentence if the file is damaged.
    pub fn next_frame(&mut self) -> io::Result<Option<Captured>> {
        match self.format {
            Format::Pcap(units) => self.next_of_pcap(units),
            Format::Pcapng(_) => self.next_of_pcapng(),
        }
    }

    fn next_of_pcap(&mut self, units: u64) -> io::Result<Option<Captured>> {
        let mut header = [0; 16];
        if !self.read_or_end(&mut header)? {
            return Ok(None);
        }
        let word = |at| self.order.word(&header, at);
        let (seconds, fraction, len) = (word(0)?, word(4)?, word(8)?);
        if len > BLOCK_LEN_MAX {
            return Err(damaged("a frame is longer than a frame can be"));
        }
        let mut bytes = vec![0; len as usize];
        self.input.read_exact(&mut bytes)?;
        let at = Duration::from_secs(seconds.into()) + time(fraction.into(), units);
        Ok(Some(Captured { interface: None, at, bytes }))
    }

    fn next_of_pcapng(&mut self) -> io::Result<Option<Captured>> {
        loop {
            let mut kind = [0; 4];
            if !self.read_or_end(&mut kind)? {
                return Ok(None);
            }
            // The same in both orders.
            if u32::from_le_bytes(kind) == SECTION {
                self.section()?;
                continue;
            }
            let kind = self.order.word(&kind, 0)?;
            let mut len = [0; 4];
            self.input.read_exact(&mut len)?;
            let body = self.body(self.order.word(&len, 0)?)?;
            match kind {
                INTERFACE => self.interface(&body)?,
                PACKET => return self.packet(&body).map(Some),
                SIMPLE_PACKET => return self.simple_packet(&body).map(Some),
                _ => {}
            }
        }
    }

    /// Behind the type of a section header: which order its numbers have, and no interfaces yet.
    fn section(&mut self) -> io::Result<()> {
        let mut start = [0; 8];
        self.input.read_exact(&mut start)?;
        self.order = match (Order::Little.word(&start, 4)?, Order::Big.word(&start, 4)?) {
            (BYTE_ORDER, _) => Order::Little,
            (_, BYTE_ORDER) => Order::Big,
            _ => return Err(damaged("a section has no byte order")),
        };
        let len = self.order.word(&start, 0)?;
        // Four bytes of the body are read already.
        self.body(len.checked_sub(4).ok_or_else(cut)?)?;
        self.format = Format::Pcapng(Vec::new());
        Ok(())
    }

    /// The rest of a block behind type and length, and the length that is said once more.
    fn body(&mut self, len: u32) -> io::Result<Vec<u8>> {
        if !(12..=BLOCK_LEN_MAX).contains(&len) || !len.is_multiple_of(4) {
            return Err(damaged("a block has a length that no block has"));
        }
        let mut body = vec![0; len as usize - 8];
        self.input.read_exact(&mut body)?;
        body.truncate(len as usize - 12);
        Ok(body)
    }

    fn interface(&mut self, body: &[u8]) -> io::Result<()> {
        ethernet(self.order.half(body, 0)?)?;
        let mut interface = Interface { name: None, units: 1_000_000 };
        let mut at = 8;
        while let (Ok(code), Ok(len)) = (self.order.half(body, at), self.order.half(body, at + 2)) {
            let Some(value) = body.get(at + 4..at + 4 + usize::from(len)) else { break };
            match (code, value) {
                (0, _) => break,
                (IF_NAME, name) => {
                    interface.name = Some(String::from_utf8_lossy(name).into_owned());
                }
                (IF_TSRESOL, [power @ 0..0x80]) => {
                    interface.units = 10_u64.checked_pow((*power).into()).ok_or_else(cut)?;
                }
                (IF_TSRESOL, [power]) => {
                    let shift = u32::from(*power & 0x7f);
                    interface.units = 1_u64.checked_shl(shift).ok_or_else(cut)?;
                }
                _ => {}
            }
            at += 4 + usize::from(len).next_multiple_of(4);
        }
        let Format::Pcapng(interfaces) = &mut self.format else { return Err(cut()) };
        if interfaces.len() >= INTERFACES_MAX {
            return Err(damaged("it has more interfaces than a machine has"));
        }
        interfaces.push(interface);
        Ok(())
    }

    fn described(&self, number: u32) -> io::Result<&Interface> {
        let Format::Pcapng(interfaces) = &self.format else { return Err(cut()) };
        interfaces
            .get(number as usize)
            .ok_or_else(|| damaged("a frame is of an interface that is not described"))
    }

    fn packet(&self, body: &[u8]) -> io::Result<Captured> {
        let word = |at| self.order.word(body, at);
        let interface = self.described(word(0)?)?;
        let units = u64::from(word(4)?) << 32 | u64::from(word(8)?);
        let end = 20 + word(12)? as usize;
        let bytes = body.get(20..end).ok_or_else(cut)?.to_vec();
        Ok(Captured { interface: interface.name.clone(), at: time(units, interface.units), bytes })
    }

    /// Of the first interface, at a time that nobody wrote down.
    fn simple_packet(&self, body: &[u8]) -> io::Result<Captured> {
        let len = self.order.word(body, 0)? as usize;
        let interface = self.described(0)?.name.clone();
        let kept = body.get(4..).ok_or_else(cut)?;
        let bytes = kept.get(..len).unwrap_or(kept).to_vec();
        Ok(Captured { interface, at: Duration::ZERO, bytes })
    }

    /// Fills the buffer; `false` if there is nothing any more.
    fn read_or_end(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        let (first, rest) = buffer.split_at_mut(1);
        match self.input.read_exact(first) {
            Ok(()) => self.input.read_exact(rest).map(|()| true),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn ethernet(link_type: u16) -> io::Result<()> {
    if link_type == LINKTYPE_ETHERNET {
        return Ok(());
    }
    Err(damaged("it has frames of something else than Ethernet"))
}

/// So many units, of which a second has `per_second`.
fn time(units: u64, per_second: u64) -> Duration {
    let rest = u128::from(units % per_second) * 1_000_000_000 / u128::from(per_second);
    Duration::new(units / per_second, u32::try_from(rest).unwrap_or(0))
}
