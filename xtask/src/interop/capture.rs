//! Every frame on a node's hard interfaces, both directions, in one pcapng file per scenario.
//!
//! The capture runs inside the guest and needs no capture program: one packet socket per namespace.
//! Each frame carries its direction, so that what a node *sent* can be told apart afterwards. Frames
//! that netem drops on their way out are in no capture.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use nix::sys::socket::{
    AddressFamily, LinkAddr, SockFlag, SockProtocol, SockType, recvfrom, setsockopt, socket,
    sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};

/// Room for what arrives while the capture waits for its turn on the guest's single processor.
const RECEIVE_BUFFER: usize = 32 << 20;
/// How long a capture waits for a frame before it looks whether it has to end, in milliseconds.
const WAIT_MS: i64 = 100;
/// `PACKET_OUTGOING`: the frame was sent by this machine.
const OUTGOING: u8 = 4;

/// A pcapng file that several captures write into. Clones write into the same file.
#[derive(Clone)]
pub(crate) struct Pcapng(Arc<Mutex<Output>>);

struct Output {
    file: BufWriter<File>,
    interfaces: u32,
}

impl Pcapng {
    /// Starts a file.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let file =
            File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        let mut output = Output { file: BufWriter::new(file), interfaces: 0 };
        // Section header: byte order magic, version 1.0, length not stated.
        let mut body = 0x1a2b_3c4d_u32.to_le_bytes().to_vec();
        body.extend([1, 0, 0, 0]);
        body.extend([0xff; 8]);
        output.block(0x0a0d_0d0a, &body)?;
        Ok(Self(Arc::new(Mutex::new(output))))
    }

    /// Adds an interface and returns its number in the file.
    fn interface(&self, name: &str) -> Result<u32> {
        let mut output = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Link type Ethernet, no limit to the frame's length, option 2: the name.
        let mut body = vec![1, 0, 0, 0, 0, 0, 0, 0];
        option(&mut body, 2, name.as_bytes());
        option(&mut body, 0, &[]);
        output.block(1, &body)?;
        output.interfaces += 1;
        Ok(output.interfaces - 1)
    }

    fn frame(&self, interface: u32, outgoing: bool, at: SystemTime, frame: &[u8]) -> Result<()> {
        let micros = at.duration_since(UNIX_EPOCH)?.as_micros() as u64;
        let length = u32::try_from(frame.len())?;
        let mut body = Vec::with_capacity(frame.len() + 40);
        for word in [interface, (micros >> 32) as u32, micros as u32, length, length] {
            body.extend(word.to_le_bytes());
        }
        body.extend(frame);
        body.resize(body.len().next_multiple_of(4), 0);
        // Option 2: direction, 1 = in, 2 = out.
        let direction = if outgoing { 2_u32 } else { 1 };
        option(&mut body, 2, &direction.to_le_bytes());
        option(&mut body, 0, &[]);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).block(6, &body)
    }

    /// Writes what is still held back.
    pub(crate) fn flush(&self) -> Result<()> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).file.flush()?)
    }
}

impl Output {
    fn block(&mut self, kind: u32, body: &[u8]) -> Result<()> {
        let length = u32::try_from(body.len() + 12)?.to_le_bytes();
        self.file.write_all(&kind.to_le_bytes())?;
        self.file.write_all(&length)?;
        self.file.write_all(body)?;
        self.file.write_all(&length)?;
        Ok(())
    }
}

/// Appends a pcapng option, padded to 32 bits.
fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    body.extend(code.to_le_bytes());
    body.extend((value.len() as u16).to_le_bytes());
    body.extend(value);
    body.resize(body.len().next_multiple_of(4), 0);
}

/// A packet socket that hears everything in the namespace that the calling thread is in.
pub(crate) fn listen() -> Result<OwnedFd> {
    let listener =
        socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::EthAll)
            .context("cannot open a packet socket")?;
    setsockopt(&listener, sockopt::RcvBufForce, &RECEIVE_BUFFER)?;
    setsockopt(&listener, sockopt::ReceiveTimeout, &TimeVal::milliseconds(WAIT_MS))?;
    Ok(listener)
}

/// A running capture; it ends when dropped.
pub(crate) struct Capture {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    counts: Arc<Mutex<BTreeMap<usize, Counts>>>,
}

/// How many frames a capture saw on one interface.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Frames that left by the interface.
    pub(crate) sent: u64,
    /// Frames that came in.
    pub(crate) received: u64,
}

impl Capture {
    /// Records what `listener` hears on `interfaces`: their indices and names.
    pub(crate) fn start(
        file: &Pcapng,
        listener: OwnedFd,
        interfaces: &[(usize, String)],
    ) -> Result<Self> {
        let mut numbers = BTreeMap::new();
        for (index, name) in interfaces {
            numbers.insert(*index, file.interface(name)?);
        }
        let stop = Arc::new(AtomicBool::new(false));
        let counts = Arc::new(Mutex::new(BTreeMap::new()));
        let (file, ending, counting) = (file.clone(), stop.clone(), counts.clone());
        let thread = std::thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            while let Some(received) = next(&listener, &mut buffer, &ending) {
                let Some((length, index, outgoing)) = received else { continue };
                let Some(&number) = numbers.get(&index) else { continue };
                let at = SystemTime::now();
                // A full disk costs the capture, never the scenario; the counts then differ.
                if file.frame(number, outgoing, at, &buffer[..length]).is_ok() {
                    let mut counts = counting.lock().unwrap_or_else(PoisonError::into_inner);
                    let counts: &mut Counts = counts.entry(index).or_default();
                    *if outgoing { &mut counts.sent } else { &mut counts.received } += 1;
                }
            }
        });
        Ok(Self { stop, thread: Some(thread), counts })
    }

    /// Ends the capture and returns what it saw, by interface index.
    pub(crate) fn stop(mut self) -> BTreeMap<usize, Counts> {
        self.end();
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.end();
    }
}

/// The next frame's length, interface and direction. `None` ends the capture: it was told to and
/// nothing is waiting any more. `Some(None)`: nothing came in time.
fn next(
    listener: &OwnedFd,
    buffer: &mut [u8],
    ending: &AtomicBool,
) -> Option<Option<(usize, usize, bool)>> {
    // What the node sent before the end is in the socket's buffer. Its neighbours go on and may never be silent for
    // long, so from then on nothing is waited for.
    if ending.load(Ordering::Relaxed) {
        let _ = setsockopt(listener, sockopt::ReceiveTimeout, &TimeVal::microseconds(1));
    }
    match recvfrom::<LinkAddr>(listener.as_raw_fd(), buffer) {
        Ok((length, Some(from))) => {
            Some(Some((length.min(buffer.len()), from.ifindex(), from.pkttype() == OUTGOING)))
        }
        Ok((_, None)) => Some(None),
        Err(_) if ending.load(Ordering::Relaxed) => None,
        Err(_) => Some(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of a file with one interface and one outgoing frame of six bytes, by the format's
    /// own rules: every block's length stands at both of its ends and is a multiple of four.
    #[test]
    fn blocks_have_their_lengths_at_both_ends() {
        let path = std::env::temp_dir().join(format!("noctule-capture-{}", std::process::id()));
        let file = Pcapng::create(&path).unwrap();
        let number = file.interface("n1e1").unwrap();
        file.frame(number, true, UNIX_EPOCH, &[1, 2, 3, 4, 5, 6]).unwrap();
        file.flush().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let (mut at, mut kinds) = (0, Vec::new());
        while at < bytes.len() {
            let length = word(at + 4) as usize;
            assert_eq!(length % 4, 0);
            assert_eq!(word(at + length - 4) as usize, length);
            kinds.push(word(at));
            at += length;
        }
        assert_eq!(kinds, [0x0a0d_0d0a, 1, 6]);
    }
}
