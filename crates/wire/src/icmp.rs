//! Ping, traceroute and throughput meter of the mesh itself (`0x43`, WIRE-66 to WIRE-70).

pub mod throughput_meter;

use crate::packet::check_type;
use crate::{COMPAT_VERSION, Discard, Mac, PacketType};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

#[derive(FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
struct Header {
    packet_type: u8,
    version: u8,
    ttl: u8,
    message: u8,
    destination: Mac,
    originator: Mac,
    uid: u8,
    aux: u8,
    seqno: [u8; 2],
}
const _: () = assert!(size_of::<Header>() == Icmp::HEADER_LEN);

/// What an ICMP packet says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Message {
    /// 0.
    EchoReply,
    /// 3: never on the wire, made locally when there is no route.
    DestinationUnreachable,
    /// 8.
    EchoRequest,
    /// 11.
    TtlExceeded,
    /// 12.
    ParameterProblem,
    /// 15: throughput meter.
    ThroughputMeter,
    /// Forwarded, never answered.
    Unknown(u8),
}

impl From<u8> for Message {
    fn from(byte: u8) -> Self {
        match byte {
            0 => Self::EchoReply,
            3 => Self::DestinationUnreachable,
            8 => Self::EchoRequest,
            11 => Self::TtlExceeded,
            12 => Self::ParameterProblem,
            15 => Self::ThroughputMeter,
            _ => Self::Unknown(byte),
        }
    }
}

impl From<Message> for u8 {
    fn from(message: Message) -> Self {
        match message {
            Message::EchoReply => 0,
            Message::DestinationUnreachable => 3,
            Message::EchoRequest => 8,
            Message::TtlExceeded => 11,
            Message::ParameterProblem => 12,
            Message::ThroughputMeter => 15,
            Message::Unknown(byte) => byte,
        }
    }
}

/// An ICMP packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Icmp<'a> {
    /// Hops it may still go.
    pub ttl: u8,
    /// What it says.
    pub message: Message,
    /// Originator it is for.
    pub destination: Mac,
    /// Originator it comes from.
    pub originator: Mac,
    /// Names the requesting tool, echoed.
    pub uid: u8,
    /// Used slots of a route record, or the throughput meter's subtype, else 0.
    pub aux: u8,
    /// Sequence number in network order, or the throughput meter's session: opaque to routers.
    pub seqno: u16,
    /// What follows the 20 bytes: route record, throughput meter's header, anything; echoed unchanged (WIRE-66).
    pub rest: &'a [u8],
}

impl<'a> Icmp<'a> {
    /// Bytes of a plain echo.
    pub const HEADER_LEN: usize = 20;
    /// Slots of a route record.
    pub const RECORD_SLOTS: usize = 16;
    /// Bytes of an echo with a route record (WIRE-67).
    pub const RECORD_LEN: usize = Self::HEADER_LEN + 6 * Self::RECORD_SLOTS;
    /// Bytes of the throughput meter's header (WIRE-69).
    pub const THROUGHPUT_LEN: usize = 28;

    /// Reads an ICMP packet.
    ///
    /// # Errors
    /// Wrong type or version, or shorter than 20 bytes (ICMP-01).
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Discard> {
        check_type(bytes, PacketType::Icmp)?;
        let (header, rest) = Header::ref_from_prefix(bytes).map_err(|_| Discard::Truncated)?;
        Ok(Self {
            ttl: header.ttl,
            message: header.message.into(),
            destination: header.destination,
            originator: header.originator,
            uid: header.uid,
            aux: header.aux,
            seqno: u16::from_be_bytes(header.seqno),
            rest,
        })
    }

    /// The slots of the route record that are in use, if this is an echo that has one (WIRE-67).
    pub fn route_record(&self) -> Option<impl Iterator<Item = Mac> + use<'a>> {
        let record = self.rest.get(..6 * Self::RECORD_SLOTS)?;
        let used = usize::from(self.aux).min(Self::RECORD_SLOTS);
        matches!(self.message, Message::EchoRequest | Message::EchoReply | Message::TtlExceeded)
            .then(|| record.chunks_exact(6).take(used).filter_map(Mac::from_prefix))
    }

    /// How many bytes [`Self::emit`] writes.
    pub const fn wire_len(&self) -> usize {
        Self::HEADER_LEN + self.rest.len()
    }

    /// Writes the packet over `out`.
    ///
    /// # Panics
    /// If `out` is not [`Self::wire_len`] long: a bug of the caller.
    pub fn emit(&self, out: &mut [u8]) {
        let header = Header {
            packet_type: 0x43,
            version: COMPAT_VERSION,
            ttl: self.ttl,
            message: self.message.into(),
            destination: self.destination,
            originator: self.originator,
            uid: self.uid,
            aux: self.aux,
            seqno: self.seqno.to_be_bytes(),
        };
        let (head, tail) = out.split_at_mut(Self::HEADER_LEN);
        head.copy_from_slice(header.as_bytes());
        tail.copy_from_slice(self.rest);
    }
}

/// Writes `receiver` into the next slot of the route record, if the packet is an echo request or reply of at least 116
/// bytes; other packets stay as they are (ICMP-05, FWD-80).
///
/// # Errors
/// [`Discard::RouteRecordFull`] if 16 slots or more are said to be in use (WIRE-68).
pub fn record_route(packet: &mut [u8], receiver: Mac) -> Result<(), Discard> {
    const MESSAGE: usize = 3;
    const USED: usize = 17;
    if packet.len() < Icmp::RECORD_LEN || !matches!(packet[MESSAGE], 0 | 8) {
        return Ok(());
    }
    let used = usize::from(packet[USED]);
    if used >= Icmp::RECORD_SLOTS {
        return Err(Discard::RouteRecordFull);
    }
    let slot = Icmp::HEADER_LEN + 6 * used;
    packet[slot..slot + 6].copy_from_slice(&receiver.0);
    packet[USED] += 1;
    Ok(())
}
