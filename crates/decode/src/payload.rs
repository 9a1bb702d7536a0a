//! Packets that carry frames of hosts, or containers for one node (MGMT-43).

use crate::{Names, head, inner, tvlv};
use noctule_wire::ethernet::Frame;
use noctule_wire::unicast::Subtype;
use noctule_wire::{Broadcast, Coded, Fragment, Multicast, Unicast, Unicast4Addr, UnicastTvlv};
use std::fmt::Write;

/// With two addresses.
pub(crate) fn unicast(outer: &Frame<'_>, packet: &Unicast<'_>, names: Names<'_>) -> String {
    format!(
        "BAT {} > {}: UCAST, ttvn {}, ttl {}, {}",
        names(outer.source),
        names(packet.destination),
        packet.ttvn.0,
        packet.ttl,
        inner::line(packet.inner, names)
    )
}

/// With four addresses.
pub(crate) fn unicast_4addr(
    outer: &Frame<'_>,
    packet: &Unicast4Addr<'_>,
    names: Names<'_>,
) -> String {
    let subtype = match packet.subtype {
        Subtype::Data => "data".to_owned(),
        Subtype::DatGet => "dht_get".to_owned(),
        Subtype::DatPut => "dht_put".to_owned(),
        Subtype::DatCachedReply => "dat_cached_reply".to_owned(),
        Subtype::Unknown(byte) => format!("{byte}"),
    };
    format!(
        "BAT {} > {}: UCAST4, orig {}, subtype {subtype}, ttvn {}, ttl {}, {}",
        names(outer.source),
        names(packet.destination),
        names(packet.source),
        packet.ttvn.0,
        packet.ttl,
        inner::line(packet.inner, names)
    )
}

/// To all.
pub(crate) fn broadcast(outer: &Frame<'_>, packet: &Broadcast<'_>, names: Names<'_>) -> String {
    format!(
        "{}BCAST, orig {}, seq {}, ttl {}, {}",
        head(outer, names),
        names(packet.originator),
        packet.seqno.0,
        packet.ttl,
        inner::line(packet.inner, names)
    )
}

/// To some, who are listed below.
pub(crate) fn multicast(outer: &Frame<'_>, packet: &Multicast<'_>, names: Names<'_>) -> String {
    let mut text = format!(
        "{}MCAST, ttl {}, tvlv_len {}, {}",
        head(outer, names),
        packet.ttl,
        packet.tvlvs.len(),
        inner::line(packet.inner, names)
    );
    tvlv::lines(&mut text, packet.tvlvs, names);
    text
}

/// A part of a packet, of which only its place in the whole is known.
pub(crate) fn fragment(packet: &Fragment<'_>, names: Names<'_>) -> String {
    format!(
        "BAT {} > {}: FRAG, seq {}, no {}, prio {}, total size {}, ttl {}, length {}",
        names(packet.originator),
        names(packet.destination),
        packet.seqno,
        packet.number,
        packet.priority,
        packet.total_size,
        packet.ttl,
        packet.wire_len()
    )
}

/// Two packets in one.
pub(crate) fn coded(outer: &Frame<'_>, packet: &Coded<'_>, names: Names<'_>) -> String {
    let mut text = head(outer, names);
    text.push_str("CODED");
    for half in [&packet.first, &packet.second] {
        let _ = write!(
            text,
            ", {} > {} ttvn {} ttl {} id {:#010x}",
            names(half.source),
            names(half.destination),
            half.ttvn.0,
            half.ttl,
            half.id
        );
    }
    let _ = write!(
        text,
        ", second for {}, coded length {}, length {}",
        names(packet.second_receiver),
        packet.coded_len,
        packet.wire_len()
    );
    text
}

/// Containers for one node.
pub(crate) fn unicast_tvlv(packet: &UnicastTvlv<'_>, names: Names<'_>) -> String {
    let mut text = format!(
        "BAT {} > {}: TVLV, ttl {}, length {}, tvlv_len {}",
        names(packet.source),
        names(packet.destination),
        packet.ttl,
        packet.wire_len(),
        packet.tvlvs.len()
    );
    tvlv::lines(&mut text, packet.tvlvs, names);
    text
}
