//! Frames of a mesh as text, in the manner of `batctl tcpdump` (MGMT-33, MGMT-42, MGMT-43), and the files that captures
//! are kept in.
//!
//! Any bytes may come: what no parser takes is shown as what it could be at most. Nothing here does I/O beyond the reader
//! or writer that it is given.

pub mod capture_file;
mod control;
mod filter;
mod icmp;
mod inner;
mod payload;
mod tvlv;

pub use filter::Filter;

use noctule_wire::ethernet::Frame;
use noctule_wire::{COMPAT_VERSION, Mac, Packet, PacketType, packet};
use std::fmt::Write;

/// How an address is shown: as it is, or by a name.
pub type Names<'a> = &'a dyn Fn(Mac) -> String;

/// The records of one frame: a first line each, further ones behind line feeds, none at the end. An OGM frame has one for
/// each OGM (MGMT-42). Empty if the filter wants none of it.
pub fn describe(frame: &[u8], filter: &Filter, names: Names<'_>) -> Vec<String> {
    let Ok(outer) = Frame::parse(frame) else {
        return if filter.wants_other() { vec![short(frame)] } else { Vec::new() };
    };
    if !outer.is_mesh() {
        return if filter.wants_other() { vec![inner::line(frame, names)] } else { Vec::new() };
    }
    let Some(kind) = outer.payload.first().map(|byte| PacketType::from(*byte)) else {
        return if filter.wants_other() { vec![short(frame)] } else { Vec::new() };
    };
    if !filter.wants(kind) {
        return Vec::new();
    }
    match packet::packet_type(outer.payload) {
        Ok(_) => {}
        Err(_) if filter.own_version_only => return Vec::new(),
        Err(_) => return vec![foreign(&outer, names)],
    }
    match Packet::parse(outer.payload) {
        Ok((packet, _)) => records(&outer, &packet, names),
        Err(discard) => {
            let mut line = head(&outer, names);
            let byte = u8::from(kind);
            let _ = write!(line, "type {byte:#04x}, length {}, ", outer.payload.len());
            let _ = write!(line, "cannot be read: {}", discard.name());
            vec![line]
        }
    }
}

/// `BAT A > B: `
fn head(outer: &Frame<'_>, names: Names<'_>) -> String {
    format!("BAT {} > {}: ", names(outer.source), names(outer.destination))
}

fn records(outer: &Frame<'_>, packet: &Packet<'_>, names: Names<'_>) -> Vec<String> {
    match packet {
        Packet::Ogms(_) => packet
            .ogms()
            .map_while(Result::ok)
            .map(|ogm| control::ogm(outer, &ogm, names))
            .collect(),
        Packet::Ogm2s(_) => {
            let ogms = packet.ogm2s().map_while(Result::ok);
            ogms.map(|ogm| control::ogm2(outer, &ogm, names)).collect()
        }
        Packet::Elp(elp) => vec![control::elp(outer, elp, names)],
        Packet::Icmp(icmp) => vec![icmp::line(icmp, names)],
        Packet::Unicast(unicast) => vec![payload::unicast(outer, unicast, names)],
        Packet::Unicast4Addr(unicast) => vec![payload::unicast_4addr(outer, unicast, names)],
        Packet::Broadcast(broadcast) => vec![payload::broadcast(outer, broadcast, names)],
        Packet::Multicast(multicast) => vec![payload::multicast(outer, multicast, names)],
        Packet::Fragment(fragment) => vec![payload::fragment(fragment, names)],
        Packet::Coded(coded) => vec![payload::coded(outer, coded, names)],
        Packet::UnicastTvlv(tvlv) => vec![payload::unicast_tvlv(tvlv, names)],
        Packet::Unknown(unknown) => {
            let mut line = head(outer, names);
            let _ = write!(
                line,
                "unknown unicast type {:#04x}, for {}, ttl {}, length {}",
                unknown.packet_type,
                names(unknown.destination),
                unknown.ttl,
                packet.wire_len()
            );
            vec![line]
        }
    }
}

/// A packet of another compat version, or of no type.
fn foreign(outer: &Frame<'_>, names: Names<'_>) -> String {
    let mut line = head(outer, names);
    let byte = |at: usize| outer.payload.get(at).copied().unwrap_or_default();
    let _ = write!(line, "type {:#04x}, v {}, length {}", byte(0), byte(1), outer.payload.len());
    if byte(1) != COMPAT_VERSION {
        let _ = write!(line, ", not of version {COMPAT_VERSION}");
    }
    line
}

fn short(frame: &[u8]) -> String {
    format!("too short for an Ethernet frame, length {}", frame.len())
}

#[cfg(test)]
mod tests;
