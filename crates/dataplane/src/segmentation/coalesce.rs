//! To the host: segments of a TCP flow that come one after the other become one frame, which the host takes at once.
//!
//! The mesh is not trusted. Segments join only if their headers say the same but for what counts up, if their data follow
//! each other, and if their checksums are right; everything else goes up as it came. Within a flow nothing overtakes:
//! before a frame that does not join, those that wait are written.

use super::segment::{Kind, Segment};
use super::sum::Sum;
use super::{Offload, PSH, TCP_CHECKSUM, TCP_FLAGS, VirtioHeader, field, put};

/// Flows whose segments are collected at the same time. More of them in one batch do without.
pub const TRAINS: usize = 8;
/// An IP datagram has no more bytes, be it joined.
const DATAGRAM_MAX: usize = 65_535;
/// With the Ethernet header and two tags.
const FRAME_MAX: usize = 14 + 8 + DATAGRAM_MAX;

/// What is to be written to the host.
#[derive(Clone, Copy, Debug)]
pub struct ForHost<'f> {
    /// In front of the frame.
    pub header: VirtioHeader,
    /// The frame.
    pub frame: &'f [u8],
    /// How many frames of the mesh it is.
    pub count: u16,
}

/// Segments of one flow, joined in `bytes` behind the headers of the first.
#[derive(Debug)]
struct Train {
    bytes: Vec<u8>,
    /// The first.
    head: Segment,
    /// How many have joined; 0: the place is free.
    count: u16,
    /// Bytes of data in each but the last.
    size: usize,
    /// What the identification of IPv4 grows by from one to the next; known once there are two.
    step: Option<u16>,
    /// When it began, as trains are counted.
    began: u64,
}

/// Collects segments during a batch. Memory for [`TRAINS`] frames of 64 KiB, and each frame costs the same work.
#[derive(Debug)]
pub struct Coalescer {
    trains: Vec<Train>,
    /// Trains that have begun.
    begun: u64,
    /// Those that wait.
    waiting: usize,
}

impl Default for Coalescer {
    fn default() -> Self {
        Self { trains: Vec::with_capacity(TRAINS), begun: 0, waiting: 0 }
    }
}

impl Coalescer {
    /// Takes a frame for the host. `write` gets what is to be written now, which may be the frame itself, and frames that
    /// have waited.
    pub fn push(&mut self, frame: &[u8], write: &mut impl FnMut(ForHost<'_>)) {
        match Kind::of(frame) {
            Kind::Other => write(alone(frame)),
            Kind::Unclear => {
                self.flush(write);
                write(alone(frame));
            }
            Kind::Alone(segment) => {
                if let Some(place) = self.find(&segment, frame) {
                    self.write(place, write);
                }
                write(alone(frame));
            }
            Kind::Data(segment) => match self.find(&segment, frame) {
                Some(place) => self.join(place, segment, frame, write),
                None => self.begin(segment, frame, write),
            },
        }
    }

    /// Writes all that waits.
    pub fn flush(&mut self, write: &mut impl FnMut(ForHost<'_>)) {
        while self.waiting > 0 {
            let Some(place) = self.oldest() else { return };
            self.write(place, write);
        }
    }

    /// The train of a flow.
    fn find(&self, segment: &Segment, frame: &[u8]) -> Option<usize> {
        if self.waiting == 0 {
            return None;
        }
        let flow = segment.flow(frame);
        self.trains.iter().position(|train| {
            train.count > 0
                && train.head.is_ipv4 == segment.is_ipv4
                && train.head.flow(&train.bytes) == flow
        })
    }

    fn oldest(&self) -> Option<usize> {
        let waiting = self.trains.iter().enumerate().filter(|(_, train)| train.count > 0);
        waiting.min_by_key(|(_, train)| train.began).map(|(place, _)| place)
    }

    fn begin(&mut self, segment: Segment, frame: &[u8], write: &mut impl FnMut(ForHost<'_>)) {
        // Nothing could follow what ends with PSH.
        if segment.is_pushed || frame.len() > FRAME_MAX {
            return write(alone(frame));
        }
        let place = match self.trains.iter().position(|train| train.count == 0) {
            Some(free) => free,
            None if self.trains.len() < TRAINS => {
                self.trains.push(Train::new(segment));
                self.trains.len() - 1
            }
            None => {
                let Some(oldest) = self.oldest() else { return write(alone(frame)) };
                self.write(oldest, write);
                oldest
            }
        };
        let Some(train) = self.trains.get_mut(place) else { return write(alone(frame)) };
        train.bytes.clear();
        train.bytes.extend_from_slice(frame);
        train.head = segment;
        train.count = 1;
        train.size = frame.len() - segment.data;
        train.step = None;
        train.began = self.begun;
        self.begun += 1;
        self.waiting += 1;
    }

    fn join(
        &mut self,
        place: usize,
        segment: Segment,
        frame: &[u8],
        write: &mut impl FnMut(ForHost<'_>),
    ) {
        let Some(train) = self.trains.get_mut(place) else { return };
        match train.take(&segment, frame) {
            Some(is_full) => {
                if is_full {
                    self.write(place, write);
                }
            }
            None => {
                self.write(place, write);
                self.begin(segment, frame, write);
            }
        }
    }

    fn write(&mut self, place: usize, write: &mut impl FnMut(ForHost<'_>)) {
        let Some(train) = self.trains.get_mut(place) else { return };
        write(train.finish());
        train.count = 0;
        self.waiting -= 1;
    }
}

impl Train {
    /// A place for trains.
    fn new(head: Segment) -> Self {
        let bytes = Vec::with_capacity(FRAME_MAX);
        Self { bytes, head, count: 0, size: 0, step: None, began: 0 }
    }

    /// Lets a segment of the same flow join, and says whether it is the last that may; `None` if it does not belong behind
    /// those that wait.
    fn take(&mut self, segment: &Segment, frame: &[u8]) -> Option<bool> {
        let head = &self.head;
        let len = frame.len() - segment.data;
        let next = head.sequence.wrapping_add((self.bytes.len() - head.data) as u32);
        if segment.sequence != next
            || len > self.size
            || self.bytes.len() + len - head.ip > DATAGRAM_MAX
            || !head.is_like(&self.bytes, segment, frame)
        {
            return None;
        }
        let step = match self.step {
            Some(step) => step,
            None => segment.identification.wrapping_sub(head.identification),
        };
        let expected = head.identification.wrapping_add(step.wrapping_mul(self.count));
        let is_usual = step == 1 || step == 0 && segment.is_atomic;
        if segment.identification != expected || !is_usual {
            return None;
        }
        // The first is looked at when there is a second: alone it goes up as it came.
        if self.count == 1 && !head.is_intact(&self.bytes) || !segment.is_intact(frame) {
            return None;
        }
        self.step = Some(step);
        self.bytes.extend_from_slice(frame.get(segment.data..)?);
        self.count += 1;
        if segment.is_pushed
            && let Some([flags]) = field::<1>(&self.bytes, head.tcp + TCP_FLAGS)
        {
            put(&mut self.bytes, head.tcp + TCP_FLAGS, [flags | PSH]);
        }
        Some(segment.is_pushed || len < self.size)
    }

    /// What to write.
    fn finish(&mut self) -> ForHost<'_> {
        if self.count == 1 {
            return alone(&self.bytes);
        }
        let Segment { is_ipv4, ip, tcp, data, .. } = self.head;
        let frame = self.bytes.as_mut_slice();
        let kind = if is_ipv4 {
            put(frame, ip + 2, ((frame.len() - ip) as u16).to_be_bytes());
            put(frame, ip + 10, [0, 0]);
            let sum = !Sum::default().add(frame.get(ip..tcp).unwrap_or_default()).fold();
            put(frame, ip + 10, sum.to_be_bytes());
            Offload::Tcp4
        } else {
            put(frame, ip + 4, ((frame.len() - tcp) as u16).to_be_bytes());
            Offload::Tcp6
        };
        // All sums were right, so the host need not look, and a network card behind the host computes those of the parts.
        let pseudo = self.head.pseudo(frame).fold();
        put(frame, tcp + TCP_CHECKSUM, pseudo.to_be_bytes());
        let header = VirtioHeader::segmented(
            kind,
            self.size as u16,
            data as u16,
            tcp as u16,
            TCP_CHECKSUM as u16,
        );
        ForHost { header, frame: &self.bytes, count: self.count }
    }
}

/// A frame as it came.
fn alone(frame: &[u8]) -> ForHost<'_> {
    ForHost { header: VirtioHeader::default(), frame, count: 1 }
}
