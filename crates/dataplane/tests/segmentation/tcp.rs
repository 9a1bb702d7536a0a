//! TCP segments to try, and what to do with them.

use etherparse::PacketBuilder;
use etherparse::checksum::Sum16BitWords;
use noctule_dataplane::segmentation::{Coalescer, ForHost, Offload, Segments, VirtioHeader};

/// A TCP segment of any length as a host would send it, with the right checksums.
#[derive(Clone, Debug)]
pub(crate) struct Tcp {
    pub(crate) v6: bool,
    pub(crate) tags: usize,
    pub(crate) port: u16,
    pub(crate) sequence: u32,
    pub(crate) identification: u16,
    pub(crate) flags: u8,
    pub(crate) options: Vec<u8>,
    pub(crate) payload: Vec<u8>,
}

pub(crate) const ACK: u8 = 0x10;
pub(crate) const PSH: u8 = 0x08;
pub(crate) const FIN: u8 = 0x01;
pub(crate) const CWR: u8 = 0x80;

impl Tcp {
    pub(crate) fn new(v6: bool, len: usize) -> Self {
        let payload = (0..len).map(|at| (at % 251) as u8).collect();
        let options = vec![1, 1, 8, 10, 0, 0, 0, 7, 0, 0, 0, 9];
        Self {
            v6,
            tags: 0,
            port: 5201,
            sequence: 1000,
            identification: 7,
            flags: ACK,
            options,
            payload,
        }
    }

    pub(crate) fn headers_len(&self) -> usize {
        self.transport() + 20 + self.options.len()
    }

    pub(crate) fn transport(&self) -> usize {
        14 + 4 * self.tags + if self.v6 { 40 } else { 20 }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let link = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
        let ip = if self.v6 {
            link.ipv6([1; 16], [2; 16], 64)
        } else {
            link.ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
        };
        let tcp = ip.tcp(4000, self.port, self.sequence, 501).ack(77);
        let tcp = tcp.options_raw(&self.options).unwrap();
        let mut frame = Vec::new();
        tcp.write(&mut frame, &self.payload).unwrap();
        for _ in 0..self.tags {
            frame.splice(12..12, [0x81, 0x00, 0x60, 7]);
        }
        if !self.v6 {
            let ip = self.transport() - 20;
            frame[ip + 4..ip + 6].copy_from_slice(&self.identification.to_be_bytes());
        }
        frame[self.transport() + 13] = self.flags;
        mend(&mut frame, self);
        frame
    }

    /// As the kernel hands it over: cut it into parts of `size`.
    pub(crate) fn whole(&self, size: u16) -> (VirtioHeader, Vec<u8>) {
        let mut frame = self.bytes();
        let at = self.transport();
        let partial = self.pseudo(&frame).ones_complement();
        frame[at + 16..at + 18].copy_from_slice(&(!partial).to_ne_bytes());
        let kind = if self.v6 { Offload::Tcp6 } else { Offload::Tcp4 };
        (VirtioHeader::segmented(kind, size, self.headers_len() as u16, at as u16, 16), frame)
    }

    pub(crate) fn pseudo(&self, frame: &[u8]) -> Sum16BitWords {
        let at = self.transport();
        let addresses = if self.v6 { 32 } else { 8 };
        Sum16BitWords::new()
            .add_slice(&frame[at - addresses..at])
            .add_4bytes(((frame.len() - at) as u32).to_be_bytes())
            .add_2bytes([0, 6])
    }
}

/// Makes the checksums right again.
pub(crate) fn mend(frame: &mut [u8], like: &Tcp) {
    let at = like.transport();
    if !like.v6 {
        frame[at - 10..at - 8].fill(0);
        let sum = Sum16BitWords::new().add_slice(&frame[at - 20..at]).ones_complement();
        frame[at - 10..at - 8].copy_from_slice(&sum.to_ne_bytes());
    }
    frame[at + 16..at + 18].fill(0);
    let sum = like.pseudo(frame).add_slice(&frame[at..]).to_ones_complement_with_no_zero();
    frame[at + 16..at + 18].copy_from_slice(&sum.to_ne_bytes());
}

pub(crate) fn cut(
    header: &VirtioHeader,
    mut frame: Vec<u8>,
    longest: Option<usize>,
) -> Vec<Vec<u8>> {
    let mut segments = Segments::new(header, &mut frame, longest).unwrap();
    let mut all = Vec::new();
    while let Some(segment) = segments.next() {
        all.push(segment.to_vec());
    }
    all
}

pub(crate) type Written = Vec<(VirtioHeader, Vec<u8>, u16)>;

pub(crate) fn push(coalescer: &mut Coalescer, frame: &[u8], written: &mut Written) {
    coalescer
        .push(frame, &mut |it: ForHost<'_>| written.push((it.header, it.frame.to_vec(), it.count)));
}

pub(crate) fn flush(coalescer: &mut Coalescer, written: &mut Written) {
    coalescer.flush(&mut |it: ForHost<'_>| written.push((it.header, it.frame.to_vec(), it.count)));
}

pub(crate) fn coalesce(frames: &[Vec<u8>]) -> Written {
    let (mut coalescer, mut written) = (Coalescer::default(), Vec::new());
    for frame in frames {
        push(&mut coalescer, frame, &mut written);
    }
    flush(&mut coalescer, &mut written);
    written
}

pub(crate) fn counts(written: &Written) -> Vec<u16> {
    written.iter().map(|(.., count)| *count).collect()
}
