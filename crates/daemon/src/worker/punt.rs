//! Frames on their way from one thread to another, control packets to the engine and what a worker has for another one: a
//! bounded queue of buffers that come back to be used again.

use crossbeam_channel::{Receiver, Sender, bounded};
use noctule_fib::Iface;
use noctule_wire::icmp::Message;
use noctule_wire::{Discard, ETHERNET_HEADER_LEN, Icmp};

/// Control packets that wait for the engine: more than 200 originators send in one interval over four neighbours. What
/// comes when it is full is lost, like in the air.
const PUNTS_MAX: usize = 1024;
/// Of these, packets of the throughput meter, which come as fast as a link carries them: they leave room for all others.
const METERED_MAX: usize = PUNTS_MAX / 2;
/// Buffers that grew beyond this, in bytes, are not kept: only full tables of many clients are that long.
const BUFFER_KEPT_MAX: usize = 2048;
/// Buffers that are kept for the next packets.
const BUFFERS_KEPT_MAX: usize = 64;

/// One frame, and where it came in: a hard interface, or, between workers, maybe none.
#[derive(Debug)]
pub(crate) struct Punt<I = Iface> {
    pub(crate) iface: I,
    /// With its outer Ethernet header.
    pub(crate) frame: Vec<u8>,
}

/// The sender's end, of which there can be several.
#[derive(Clone, Debug)]
pub(crate) struct Punts<I = Iface> {
    full: Sender<Punt<I>>,
    empty: Receiver<Vec<u8>>,
}

/// The receiver's end.
#[derive(Debug)]
pub(crate) struct Punted<I = Iface> {
    full: Receiver<Punt<I>>,
    empty: Sender<Vec<u8>>,
}

/// Both ends of a new queue.
pub(crate) fn queue<I>() -> (Punts<I>, Punted<I>) {
    let (full_in, full_out) = bounded(PUNTS_MAX);
    let (empty_in, empty_out) = bounded(BUFFERS_KEPT_MAX);
    (Punts { full: full_in, empty: empty_out }, Punted { full: full_out, empty: empty_in })
}

impl<I> Punts<I> {
    /// Puts in a copy of `frame`. Allocates only while the queue is longer than it has ever been.
    pub(super) fn push(&mut self, iface: I, frame: &[u8]) -> Result<(), Discard> {
        let places = if is_metered(frame) { METERED_MAX } else { PUNTS_MAX };
        if self.full.len() >= places {
            return Err(Discard::QueueFull);
        }
        let mut buffer = self.empty.try_recv().unwrap_or_default();
        buffer.clear();
        buffer.extend_from_slice(frame);
        self.full.try_send(Punt { iface, frame: buffer }).map_err(|_| Discard::QueueFull)
    }
}

/// Whether a frame belongs to a test of the throughput meter.
fn is_metered(frame: &[u8]) -> bool {
    let icmp = frame.get(ETHERNET_HEADER_LEN..).map(Icmp::parse);
    icmp.is_some_and(|icmp| icmp.is_ok_and(|icmp| icmp.message == Message::ThroughputMeter))
}

impl<I> Punted<I> {
    /// Whether none waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.full.is_empty()
    }

    /// The oldest packet that waits.
    pub(crate) fn pop(&self) -> Option<Punt<I>> {
        self.full.try_recv().ok()
    }

    /// Gives back the buffer of a packet that is dealt with.
    pub(crate) fn recycle(&self, punt: Punt<I>) {
        if punt.frame.capacity() <= BUFFER_KEPT_MAX {
            let _ = self.empty.try_send(punt.frame);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn iface() -> Iface {
        Iface::new(1).unwrap()
    }

    #[test]
    fn a_full_queue_refuses_and_loses_nothing_that_it_took() {
        let (mut punts, punted) = queue();
        for number in 0..PUNTS_MAX {
            punts.push(iface(), &number.to_be_bytes()).unwrap();
        }
        assert_eq!(punts.push(iface(), b"one too many"), Err(Discard::QueueFull));
        for number in 0..PUNTS_MAX {
            let punt = punted.pop().unwrap();
            assert_eq!((punt.iface, &punt.frame[..]), (iface(), &number.to_be_bytes()[..]));
            punted.recycle(punt);
        }
        assert!(punted.pop().is_none());
        punts.push(iface(), b"again").unwrap();
    }

    #[test]
    fn a_flood_of_the_throughput_meter_leaves_room_for_others() {
        let (mut punts, _punted) = queue();
        let mut metered = vec![0; ETHERNET_HEADER_LEN];
        metered.extend([0x43, 15, 50, 15]);
        metered.resize(ETHERNET_HEADER_LEN + Icmp::THROUGHPUT_LEN, 0);
        let taken = (0..PUNTS_MAX).filter(|_| punts.push(iface(), &metered).is_ok()).count();
        assert_eq!(taken, METERED_MAX);
        let mut echo = metered.clone();
        echo[ETHERNET_HEADER_LEN + 3] = 8;
        punts.push(iface(), &echo).unwrap();
    }

    #[test]
    fn buffers_come_back_unless_they_have_grown_large() {
        let (mut punts, punted) = queue();
        punts.push(iface(), &[1; 100]).unwrap();
        let punt = punted.pop().unwrap();
        let place = punt.frame.as_ptr();
        punted.recycle(punt);
        punts.push(iface(), &[2; 50]).unwrap();
        let punt = punted.pop().unwrap();
        assert_eq!((punt.frame.as_ptr(), &punt.frame[..]), (place, &[2; 50][..]));
        punted.recycle(punt);
        punts.push(iface(), &[3; BUFFER_KEPT_MAX + 1]).unwrap();
        punted.recycle(punted.pop().unwrap());
        assert!(punts.empty.is_empty(), "the grown buffer is not kept");
    }
}
