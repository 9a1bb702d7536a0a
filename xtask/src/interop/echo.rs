//! ICMP echo through the mesh interfaces: single pings, and a steady stream that shows gaps.
//!
//! A process per ping would cost more than the ping inside a guest, so the requests are made here.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, recv, sendto,
    setsockopt, socket, sockopt,
};
use std::os::fd::AsFd;

/// Tells the answers for one socket from those for another in the same namespace.
static NEXT_ID: AtomicU16 = AtomicU16::new(1);

/// A source of echo requests to one address.
pub(crate) struct Echo {
    socket: OwnedFd,
    id: u16,
    to: SockaddrIn,
    seq: u16,
}

impl Echo {
    /// Opens a socket in the namespace that the calling thread is in.
    pub(crate) fn open(to: Ipv4Addr) -> Result<Self> {
        let socket = socket(
            AddressFamily::Inet,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::Icmp,
        )
        .context("cannot open an ICMP socket")?;
        setsockopt(&socket, sockopt::Broadcast, &true)?;
        let [a, b, c, d] = to.octets();
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        Ok(Self { socket, id, to: SockaddrIn::new(a, b, c, d, 0), seq: 0 })
    }

    /// Sends one request with `payload` bytes and returns its sequence number. A host that knows no
    /// way to the address loses the request; that is no error here.
    pub(crate) fn send(&mut self, payload: usize) -> Result<u16> {
        self.seq = self.seq.wrapping_add(1);
        let request = request(self.id, self.seq, payload);
        match sendto(self.socket.as_raw_fd(), &request, &self.to, MsgFlags::empty()) {
            Ok(_)
            | Err(
                Errno::EHOSTUNREACH
                | Errno::ENETUNREACH
                | Errno::ENETDOWN
                | Errno::EAGAIN
                | Errno::ENOBUFS,
            ) => Ok(self.seq),
            Err(errno) => Err(errno).context("cannot send an ICMP echo request"),
        }
    }

    /// Waits until `until` for the next answer; its sequence number and payload length.
    pub(crate) fn answer(&self, until: Instant) -> Result<Option<(u16, usize)>> {
        let mut buffer = [0; 1 << 16];
        loop {
            match recv(self.socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Ok(length) => {
                    if let Some(answer) = answer(&buffer[..length], self.id) {
                        return Ok(Some(answer));
                    }
                    continue;
                }
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                // An earlier request's error, reported late.
                Err(Errno::EHOSTUNREACH | Errno::ENETUNREACH | Errno::EMSGSIZE) => continue,
                Err(errno) => return Err(errno).context("cannot receive ICMP"),
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            let wait =
                PollTimeout::try_from(left.as_millis() as u64 + 1).unwrap_or(PollTimeout::MAX);
            let _ = poll(&mut [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)], wait);
        }
    }

    /// One request and its answer; the round trip time, or `None` after `patience`.
    pub(crate) fn ping(&mut self, payload: usize, patience: Duration) -> Result<Option<Duration>> {
        let sent = Instant::now();
        let seq = self.send(payload)?;
        while let Some((answered, length)) = self.answer(sent + patience)? {
            if answered == seq && length == payload {
                return Ok(Some(sent.elapsed()));
            }
        }
        Ok(None)
    }

    /// Pings each `interval` from a thread of its own until the stream is stopped.
    pub(crate) fn stream(mut self, interval: Duration) -> Stream {
        let stop = Arc::new(AtomicBool::new(false));
        let ending = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut log = Log::default();
            while !ending.load(Ordering::Relaxed) {
                let sent = Instant::now();
                let seq = self.send(STREAM_PAYLOAD)?;
                log.sent.insert(seq, sent);
                while let Some((seq, _)) = self.answer(sent + interval)? {
                    log.answered.entry(seq).or_insert_with(Instant::now);
                }
            }
            // The answers that are still under way.
            while let Some((seq, _)) = self.answer(Instant::now() + LAST_ANSWER)? {
                log.answered.entry(seq).or_insert_with(Instant::now);
            }
            Ok(log)
        });
        Stream { stop, thread: Some(thread) }
    }
}

/// Payload of a stream's requests.
const STREAM_PAYLOAD: usize = 56;
/// How long a stream waits for late answers after its last request.
const LAST_ANSWER: Duration = Duration::from_millis(300);

/// A running stream of pings.
pub(crate) struct Stream {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<Log>>>,
}

impl Stream {
    /// Ends the stream and returns what it saw.
    pub(crate) fn stop(mut self) -> Result<Log> {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().context("the stream was stopped twice")?;
        thread.join().map_err(|_| anyhow::anyhow!("the ping thread panicked"))?
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// When requests were sent and answered.
#[derive(Default)]
pub(crate) struct Log {
    sent: BTreeMap<u16, Instant>,
    answered: BTreeMap<u16, Instant>,
}

impl Log {
    /// From `event` to when the first unbroken run of `run` answered requests began. `None` if
    /// answers never came back. Zero if no request after the event was lost.
    pub(crate) fn recovery(&self, event: Instant, run: usize) -> Option<Duration> {
        let after: Vec<_> = self.sent.iter().filter(|(_, at)| **at >= event).collect();
        let answered: Vec<_> =
            after.iter().map(|(seq, _)| self.answered.contains_key(seq)).collect();
        let Some(lost) = answered.iter().position(|answered| !answered) else {
            return (after.len() >= run).then_some(Duration::ZERO);
        };
        let runs = answered[lost..].windows(run);
        let found = lost + runs.into_iter().position(|run| run.iter().all(|answered| *answered))?;
        Some(after[found].1.duration_since(event))
    }

    /// How many of the requests sent between two instants were lost.
    pub(crate) fn lost(&self, from: Instant, until: Instant) -> (usize, usize) {
        let between = self.sent.iter().filter(|(_, at)| **at >= from && **at < until);
        let sent: Vec<_> = between.map(|(seq, _)| seq).collect();
        (sent.iter().filter(|seq| !self.answered.contains_key(**seq)).count(), sent.len())
    }
}

/// An ICMP echo request.
fn request(id: u16, seq: u16, payload: usize) -> Vec<u8> {
    let mut packet = vec![8, 0, 0, 0];
    packet.extend(id.to_be_bytes());
    packet.extend(seq.to_be_bytes());
    packet.extend((0..payload).map(|at| at as u8));
    let sum = checksum(&packet);
    packet[2..4].copy_from_slice(&sum.to_be_bytes());
    packet
}

/// The sequence number and payload length, if `packet` (with its IP header) answers socket `id`
/// and carries the payload that the request had.
fn answer(packet: &[u8], id: u16) -> Option<(u16, usize)> {
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let icmp = packet.get(header..)?;
    let (fields, payload) = icmp.split_at_checked(8)?;
    let unchanged = payload.iter().enumerate().all(|(at, &byte)| byte == at as u8);
    let for_me = fields[0] == 0 && u16::from_be_bytes([fields[4], fields[5]]) == id;
    (for_me && unchanged).then_some((u16::from_be_bytes([fields[6], fields[7]]), payload.len()))
}

/// The Internet checksum.
fn checksum(packet: &[u8]) -> u16 {
    let sum: u32 = packet
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)])))
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_with_a_damaged_payload_is_none() {
        let mut packet = vec![0x45; 20];
        packet.extend(request(7, 3, 40));
        assert_eq!(answer(&packet, 7), None, "a request is no answer");
        packet[20] = 0;
        assert_eq!(answer(&packet, 7), Some((3, 40)));
        assert_eq!(answer(&packet, 8), None, "somebody else's");
        packet[50] ^= 1;
        assert_eq!(answer(&packet, 7), None, "damaged");
    }

    #[test]
    fn a_request_has_a_right_checksum() {
        for payload in [0, 1, 56, 1472] {
            assert_eq!(checksum(&request(1, 2, payload)), 0);
        }
    }

    #[test]
    fn recovery_is_the_start_of_the_first_unbroken_run() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut log = Log::default();
        for seq in 0..100_u16 {
            log.sent.insert(seq, at(u64::from(seq) * 100));
            if !(20..50).contains(&seq) && seq != 52 {
                log.answered.insert(seq, at(u64::from(seq) * 100 + 1));
            }
        }
        assert_eq!(log.recovery(at(2000), 2), Some(Duration::from_millis(3000)));
        assert_eq!(log.recovery(at(2000), 3), Some(Duration::from_millis(3300)));
        assert_eq!(log.recovery(at(5300), 3), Some(Duration::ZERO));
        assert_eq!(log.recovery(at(2000), 60), None);
        assert_eq!(log.lost(at(2000), at(5000)), (30, 30));
    }
}
