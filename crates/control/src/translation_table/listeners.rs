//! Groups that this node listens to, announced as clients (MCAST-17, MCAST-20).

use super::TranslationTable;
use crate::Context;
use noctule_wire::tvlv::translation_table::{Change, ClientFlags};
use noctule_wire::{Client, Mac};
use std::collections::BTreeSet;

/// Which share of the local table groups of one IP version may take.
const GROUPS_SHARE: usize = 8;
/// So many groups find a place in any case: what an ordinary host joins by itself, twice.
const GROUPS_MIN: usize = 16;

impl TranslationTable {
    /// How many groups of one IP version are announced at most (MCAST-17 `[DEV]`).
    pub(crate) fn groups_max(&self, ctx: &Context<'_>) -> usize {
        let room = (self.packet_limit / Change::LEN).min(ctx.settings.limits.local_clients);
        (room / GROUPS_SHARE).max(GROUPS_MIN)
    }

    /// These are the groups from here on: first the stale ones go, then new ones come (MCAST-03). One that finds no room
    /// is tried again with the next call.
    pub(crate) fn set_listeners(&mut self, ctx: &mut Context<'_>, groups: &BTreeSet<Mac>) {
        let listed: Vec<_> = self.listeners.difference(groups).copied().collect();
        for mac in listed {
            self.listeners.remove(&mac);
            let client = Client::untagged(mac);
            self.local.set_flags(client, ClientFlags::NOPURGE, ClientFlags::NONE);
            self.local.remove(client, false);
        }
        for mac in groups {
            if self.listeners.contains(mac) {
                continue;
            }
            let client = Client::untagged(*mac);
            if self.local.get(client).is_some() {
                // It is on its way out.
                self.local.seen(ctx.now, client);
            } else if self.is_full(ctx) {
                self.tell_full(ctx);
                break;
            } else {
                self.local.insert(ctx.now, client, ClientFlags::NONE);
            }
            self.local.set_flags(client, ClientFlags::NOPURGE, ClientFlags::NOPURGE);
            self.listeners.insert(*mac);
        }
        self.publish(ctx);
    }
}
