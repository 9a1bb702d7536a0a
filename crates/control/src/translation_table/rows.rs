//! The tables as operators see them (TT-71, MGMT-46).

use super::TranslationTable;
use crate::{GlobalRow, LocalRow, Routing};
use noctule_fib::{View, Writer};
use noctule_wire::tvlv::translation_table::ClientFlags;
use noctule_wire::{Instant, Mac, Ttvn};

impl TranslationTable {
    /// Our clients, in order of their addresses.
    pub(crate) fn local_rows(&self, now: Instant, fib: &Writer) -> Vec<LocalRow> {
        self.local
            .iter()
            .map(|(client, entry)| {
                let ages = !entry.flags.contains(ClientFlags::NOPURGE);
                let seen = self.local.last_seen(fib, client).filter(|_| ages);
                LocalRow {
                    client,
                    flags: entry.flags,
                    last_seen: seen.map(|seen| now.since(seen)),
                    crc: self.local.vlan(client.vid).map_or(0, |vlan| vlan.crc),
                }
            })
            .collect()
    }

    /// The clients of others, one row for each originator that announces one, newest first.
    pub(crate) fn global_rows(&self, routing: &dyn Routing) -> Vec<GlobalRow> {
        let mut rows = Vec::with_capacity(self.global.listings());
        for (client, entry) in self.global.iter() {
            let list = entry.announcements.as_slice();
            let best = best_originator(routing, list.iter().map(|said| said.originator));
            for said in list {
                let peer = self.global.peer(said.originator);
                let vlan = peer.and_then(|peer| peer.vlans.get(&client.vid));
                rows.push(GlobalRow {
                    client,
                    flags: entry.flags.without(ClientFlags::SYNC).or(said.flags()),
                    ttvn: said.ttvn,
                    last_ttvn: peer.map_or(Ttvn(0), |peer| peer.ttvn),
                    originator: said.originator,
                    crc: vlan.map_or(0, |vlan| vlan.stored),
                    best: best == Some(said.originator),
                    how: said.how,
                    since: Instant::from_millis(u64::from(said.since) * 1000),
                });
            }
        }
        rows
    }
}

/// The best way to a client: strictly better metrics win, and among equals the newest announcement (TT-74).
fn best_originator(routing: &dyn Routing, listed: impl Iterator<Item = Mac>) -> Option<Mac> {
    let mut best: Option<(u32, Mac)> = None;
    for originator in listed {
        if routing.router(originator, View::Default).is_none() {
            continue;
        }
        let metric = routing.metric(originator).unwrap_or(0);
        if best.is_none_or(|(best_metric, _)| metric > best_metric) {
            best = Some((metric, originator));
        }
    }
    best.map(|(_, originator)| originator)
}
