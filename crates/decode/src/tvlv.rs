//! Containers: one line each behind a tab, and what they list behind two (MGMT-43).

use crate::Names;
use noctule_wire::tvlv::gateway::Gateway;
use noctule_wire::tvlv::multicast::MulticastFlags;
use noctule_wire::tvlv::multicast_tracker::MulticastTracker;
use noctule_wire::tvlv::roaming::Roaming;
use noctule_wire::tvlv::translation_table::{Change, ClientFlags, TranslationTable, TtKind};
use noctule_wire::tvlv::{Container, Containers, Kind};
use noctule_wire::{Throughput, Vid};
use std::fmt::Write;

/// Appends a line feed and a line for each container of an area.
pub(crate) fn lines(text: &mut String, area: &[u8], names: Names<'_>) {
    for container in Containers::new(area) {
        match container {
            Ok(container) => one(text, &container, names),
            Err(discard) => {
                let _ = write!(text, "\n\tTVLV cannot be read: {}", discard.name());
                return;
            }
        }
    }
}

fn one(text: &mut String, container: &Container<'_>, names: Names<'_>) {
    let Container { kind, value } = *container;
    let name = match kind {
        Kind::GATEWAY => "GWv1",
        Kind::DISTRIBUTED_ARP_TABLE => "DATv1",
        Kind::NETWORK_CODING => "NCv1",
        Kind::TRANSLATION_TABLE => "TTv1",
        Kind::ROAMING => "ROAMv1",
        Kind::MULTICAST => "MCASTv2",
        Kind::MULTICAST_TRACKER => "MCAST TRACKERv1",
        Kind { container_type, version } => {
            let _ =
                write!(text, "\n\tTVLV type {container_type} v{version}, length {}", value.len());
            return;
        }
    };
    let _ = write!(text, "\n\tTVLV {name}: ");
    let read = match kind {
        Kind::GATEWAY => gateway(text, value),
        Kind::DISTRIBUTED_ARP_TABLE | Kind::NETWORK_CODING => {
            text.push_str("enabled");
            Some(())
        }
        Kind::TRANSLATION_TABLE => translation_table(text, value, names),
        Kind::ROAMING => roaming(text, value, names),
        Kind::MULTICAST => {
            multicast(text, value);
            Some(())
        }
        _ => tracker(text, value, names),
    };
    if read.is_none() {
        let _ = write!(text, "cannot be read, length {}", value.len());
    }
}

fn gateway(text: &mut String, value: &[u8]) -> Option<()> {
    let Gateway { down, up } = Gateway::parse(value)?;
    let shown = |Throughput(units): Throughput| format!("{}.{}", units / 10, units % 10);
    let _ = write!(text, "down {} / up {} MBit", shown(down), shown(up));
    Some(())
}

fn translation_table(text: &mut String, value: &[u8], names: Names<'_>) -> Option<()> {
    let table = TranslationTable::parse(value).ok()?;
    let kind = match table.flags.kind() {
        TtKind::OgmDiff => "OGM DIFF".to_owned(),
        TtKind::Request => "TT REQUEST".to_owned(),
        TtKind::Response => "TT RESPONSE".to_owned(),
        TtKind::Unknown(byte) => format!("type {byte}"),
    };
    let full = if table.flags.is_full() { "F" } else { "." };
    let _ = write!(
        text,
        "{kind} [{full}] ttvn={} vlan_num={} entry_num={}",
        table.ttvn.0,
        table.vlan_count(),
        table.changes().len()
    );
    for vlan in table.vlans() {
        let _ = write!(text, "\n\t\tVLAN ID {}, crc {:#010x}", vid(vlan.vid), vlan.crc);
    }
    for Change { flags, client } in table.changes() {
        let sign = if flags.contains(ClientFlags::DEL) { '-' } else { '+' };
        let _ = write!(text, "\n\t\t{sign} {} VLAN ID {}", names(client.mac), vid(client.vid));
        let _ = write!(text, ", flags [{}]", client_flags(flags));
    }
    Some(())
}

fn client_flags(flags: ClientFlags) -> String {
    [(ClientFlags::ROAM, 'R'), (ClientFlags::WIFI, 'W'), (ClientFlags::ISOLATED, 'I')]
        .into_iter()
        .map(|(flag, letter)| if flags.contains(flag) { letter } else { '.' })
        .collect()
}

/// -1 for none, as batctl shows it (MGMT-06).
fn vid(vid: Vid) -> i32 {
    vid.id().map_or(-1, i32::from)
}

fn roaming(text: &mut String, value: &[u8], names: Names<'_>) -> Option<()> {
    let client = Roaming::parse(value).ok()?.client;
    let _ = write!(text, "client {}, VLAN ID {}", names(client.mac), vid(client.vid));
    Some(())
}

fn multicast(text: &mut String, value: &[u8]) {
    let flags = MulticastFlags::parse(value);
    let letters = [
        (MulticastFlags::WANT_UNSNOOPABLE, "U"),
        (MulticastFlags::WANT_IPV4, "4"),
        (MulticastFlags::WANT_IPV6, "6"),
        (MulticastFlags::NO_ROUTER_IPV4, "R4"),
        (MulticastFlags::NO_ROUTER_IPV6, "R6"),
        (MulticastFlags::HAVE_PACKETS, "P"),
    ];
    text.push_str("flags [");
    for (flag, letter) in letters {
        text.push_str(if flags.contains(flag) { letter } else { "." });
    }
    text.push(']');
}

fn tracker(text: &mut String, value: &[u8], names: Names<'_>) -> Option<()> {
    let tracker = MulticastTracker::parse(value).ok()?;
    let _ = write!(text, "num_dests {}", tracker.slot_count());
    for destination in tracker.slots() {
        let _ = write!(text, "\n\t\t{}", names(destination));
    }
    Some(())
}
