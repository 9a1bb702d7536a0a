//! The throughput meter's header inside a mesh ICMP packet (WIRE-69, WIRE-70).

use super::{Icmp, Message};
use crate::unicast::Unicast;
use crate::{Discard, Mac, SeqNo, TTL_FULL};

/// What a throughput meter packet is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MeterType {
    /// 0: data.
    Message,
    /// 1: what has arrived.
    Acknowledgement,
    /// Ignored.
    Unknown(u8),
}

impl From<u8> for MeterType {
    fn from(byte: u8) -> Self {
        match byte {
            0 => Self::Message,
            1 => Self::Acknowledgement,
            _ => Self::Unknown(byte),
        }
    }
}

impl From<MeterType> for u8 {
    fn from(meter_type: MeterType) -> Self {
        match meter_type {
            MeterType::Message => 0,
            MeterType::Acknowledgement => 1,
            MeterType::Unknown(byte) => byte,
        }
    }
}

/// The throughput meter's part of an ICMP packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ThroughputMeter {
    /// Data or acknowledgement.
    pub meter_type: MeterType,
    /// Names the test, together with the peer: two opaque bytes.
    pub session: [u8; 2],
    /// Number of the first byte of this message, or of the next byte expected.
    pub seqno: SeqNo,
    /// Written by the sender of a message, copied unchanged into the acknowledgement.
    pub timestamp: u32,
}

impl ThroughputMeter {
    /// Bytes behind the common 20 bytes of [`Icmp`].
    pub const REST_LEN: usize = Icmp::THROUGHPUT_LEN - Icmp::HEADER_LEN;
    /// Bytes of a whole message as the reference sends it.
    pub const MESSAGE_LEN: usize = 1486;
    /// Number of the first byte of a test: not far from wrapping, so that wrapping is exercised.
    pub const FIRST_SEQNO: SeqNo = SeqNo(0xffff_f82f);

    /// Reads the header.
    ///
    /// # Errors
    /// [`Discard::Type`] if it is another ICMP message, [`Discard::Truncated`] below 28 bytes.
    pub fn parse(icmp: &Icmp<'_>) -> Result<Self, Discard> {
        if icmp.message != Message::ThroughputMeter {
            return Err(Discard::Type);
        }
        let [s0, s1, s2, s3, t0, t1, t2, t3] =
            *icmp.rest.first_chunk::<{ Self::REST_LEN }>().ok_or(Discard::Truncated)?;
        Ok(Self {
            meter_type: icmp.aux.into(),
            session: icmp.seqno.to_be_bytes(),
            seqno: SeqNo(u32::from_be_bytes([s0, s1, s2, s3])),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
        })
    }

    /// How many bytes of data a message counts for: it stands for a unicast packet of the same length (WIRE-70).
    pub const fn accounted_len(icmp: &Icmp<'_>) -> usize {
        icmp.wire_len() - Unicast::HEADER_LEN
    }

    /// The 8 bytes behind the common header; in a message, filler follows them.
    pub const fn rest(&self) -> [u8; Self::REST_LEN] {
        let [s0, s1, s2, s3] = self.seqno.0.to_be_bytes();
        let [t0, t1, t2, t3] = self.timestamp.to_be_bytes();
        [s0, s1, s2, s3, t0, t1, t2, t3]
    }

    /// The packet at its source, with `rest` being [`Self::rest`] and any filler.
    pub fn icmp<'a>(&self, destination: Mac, originator: Mac, uid: u8, rest: &'a [u8]) -> Icmp<'a> {
        Icmp {
            ttl: TTL_FULL,
            message: Message::ThroughputMeter,
            destination,
            originator,
            uid,
            aux: self.meter_type.into(),
            seqno: u16::from_be_bytes(self.session),
            rest,
        }
    }
}
