//! Our own clients and their VLANs (section 5): who is there, who leaves, and the CRCs as of the last commit.
//!
//! Between two commits, three things hold for each entry, and [`LocalTable::settle`] sees to it: one that is NEW has an
//! ADD in the change queue, one that is PENDING a DEL, and one whose synchronised flags are not those of the last commit
//! an ADD. With the merging of TT-39 alone, a client that changes its flags and leaves within one interval would
//! vanish from the queue but not from the tables of others.

use super::change_queue::ChangeQueue;
use super::client_crc;
use core::time::Duration;
use noctule_fib::Writer;
use noctule_wire::tvlv::translation_table::{
    Change, ClientFlags, TranslationTable as TtValue, VlanBlock,
};
use noctule_wire::{Client, Instant, UnicastTvlv, Vid, tvlv};
use std::collections::{BTreeMap, BTreeSet};

/// A client of ours (TT-15). It is counted in its VLAN exactly while it is not NEW (TT-37).
#[derive(Clone, Copy, Debug)]
pub(super) struct LocalEntry {
    pub(super) flags: ClientFlags,
    /// When the engine was last told about it; the data plane notes later frames in the FIB.
    last_seen: Instant,
    /// Synchronised flags as of the last commit: what the others know, and what full tables say.
    committed: u8,
}

impl LocalEntry {
    /// Whether it is here, neither leaving nor gone (TT-24).
    pub(super) const fn is_mine(&self) -> bool {
        self.flags.and(ClientFlags::PENDING.or(ClientFlags::ROAM)).0 == 0
    }

    /// What the others know of its flags, unless it is NEW.
    pub(super) const fn committed(&self) -> ClientFlags {
        ClientFlags::from_wire(self.committed)
    }
}

/// A VLAN of ours (section 5.6).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LocalVlan {
    /// CRC as of the last commit.
    pub(super) crc: u32,
    /// Clients as of the last commit (TT-45).
    pub(super) count: u32,
    /// All entries, committed or not.
    entries: u32,
    /// Whether the operator wants it; otherwise it lives until its last client is gone (TT-31).
    configured: bool,
}

/// The local table.
#[derive(Debug)]
pub(super) struct LocalTable {
    entries: BTreeMap<Client, LocalEntry>,
    vlans: BTreeMap<Vid, LocalVlan>,
    pub(super) queue: ChangeQueue,
    /// What the FIB does not know yet.
    unpublished: BTreeSet<Client>,
}

impl LocalTable {
    /// Empty, with VID 0 (TT-29).
    pub(super) fn new() -> Self {
        let mut table = Self {
            entries: BTreeMap::new(),
            vlans: BTreeMap::new(),
            queue: ChangeQueue::default(),
            unpublished: BTreeSet::new(),
        };
        table.configure(Vid::UNTAGGED);
        table
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn get(&self, client: Client) -> Option<&LocalEntry> {
        self.entries.get(&client)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Client, &LocalEntry)> {
        self.entries.iter().map(|(client, entry)| (*client, entry))
    }

    pub(super) fn vlan(&self, vid: Vid) -> Option<&LocalVlan> {
        self.vlans.get(&vid)
    }

    /// The VLANs that the operator wants.
    pub(super) fn configured(&self) -> Vec<Vid> {
        let configured = self.vlans.iter().filter(|(_, vlan)| vlan.configured);
        configured.map(|(vid, _)| *vid).collect()
    }

    /// Makes or revives a VLAN (TT-31).
    pub(super) fn configure(&mut self, vid: Vid) {
        self.vlans.entry(vid).or_default().configured = true;
    }

    /// Lets a VLAN go as soon as it has no client (TT-31).
    pub(super) fn deconfigure(&mut self, vid: Vid) {
        if let Some(vlan) = self.vlans.get_mut(&vid) {
            vlan.configured = false;
        }
        self.drop_vlan_if_unused(vid);
    }

    fn drop_vlan_if_unused(&mut self, vid: Vid) {
        if self.vlans.get(&vid).is_some_and(|vlan| !vlan.configured && vlan.entries == 0) {
            self.vlans.remove(&vid);
        }
    }

    /// Length of the packet that carries the whole table: `T` of section 5.9, with the clients that the next commit
    /// brings (TT-35 `[DEV]`).
    pub(super) fn transmit_len(&self) -> usize {
        UnicastTvlv::HEADER_LEN
            + tvlv::CONTAINER_HEADER_LEN
            + TtValue::HEADER_LEN
            + VlanBlock::LEN * self.vlans.len()
            + Change::LEN * self.entries.len()
    }

    /// When the client was last heard, by the engine or by the data plane.
    pub(super) fn last_seen(&self, fib: &Writer, client: Client) -> Option<Instant> {
        let known = self.entries.get(&client)?.last_seen;
        Some(fib.local_last_seen(client).map_or(known, |seen| seen.max(known)))
    }

    /// A client that is there already was seen again (5.3 step 1). Returns whether it had roamed away.
    pub(super) fn seen(&mut self, now: Instant, client: Client) -> bool {
        let Some(entry) = self.entries.get_mut(&client) else { return false };
        entry.last_seen = now;
        let roamed = entry.flags.contains(ClientFlags::ROAM);
        let pending = entry.flags.contains(ClientFlags::PENDING);
        if !roamed && !pending {
            return false;
        }
        // TT-22 [DEV]: both marks go at once, so no frame for it is sent after it any more.
        entry.flags = entry.flags.without(ClientFlags::PENDING.or(ClientFlags::ROAM));
        let flags = entry.flags;
        if pending {
            self.queue.add(client, flags);
        }
        self.settle(client);
        self.unpublished.insert(client);
        roamed
    }

    /// Enters a client that is not there; its VLAN must be (5.3 steps 2 and 3).
    pub(super) fn insert(&mut self, now: Instant, client: Client, flags: ClientFlags) {
        let Some(vlan) = self.vlans.get_mut(&client.vid) else { return };
        vlan.entries += 1;
        let flags = flags.or(ClientFlags::NEW);
        self.entries.insert(client, LocalEntry { flags, last_seen: now, committed: 0 });
        self.queue.add(client, flags);
        self.unpublished.insert(client);
    }

    /// Sets or clears flags; synchronised ones are announced if they change (5.3 step 5).
    pub(super) fn set_flags(&mut self, client: Client, mask: ClientFlags, flags: ClientFlags) {
        let Some(entry) = self.entries.get_mut(&client) else { return };
        let old = entry.flags;
        entry.flags = old.without(mask).or(flags.and(mask));
        let new = entry.flags;
        if new == old {
            return;
        }
        if new.wire() != old.wire() {
            self.queue.add(client, new);
        }
        self.unpublished.insert(client);
    }

    /// Takes a client out (section 5.4). Returns its flags as they were.
    pub(super) fn remove(&mut self, client: Client, roamed: bool) -> Option<ClientFlags> {
        let entry = self.entries.get_mut(&client)?;
        let before = entry.flags;
        entry.flags = before.with(ClientFlags::ROAM, roamed || before.contains(ClientFlags::ROAM));
        let flags = entry.flags;
        self.queue.del(client, flags);
        if flags.contains(ClientFlags::NEW) {
            debug_assert!(!self.queue.contains(client), "the ADD of a NEW client is cancelled");
            self.delete(client);
        } else {
            entry.flags = flags.or(ClientFlags::PENDING);
            self.settle(client);
        }
        self.unpublished.insert(client);
        Some(before)
    }

    /// Announces with the next commit that the client is here, also if that is known.
    pub(super) fn announce_again(&mut self, client: Client) {
        if let Some(entry) = self.entries.get(&client)
            && !self.queue.contains(client)
        {
            self.queue.add(client, entry.flags);
        }
    }

    /// Queues what merging has swallowed; see the top of this file.
    fn settle(&mut self, client: Client) {
        let Some(entry) = self.entries.get(&client) else { return };
        if self.queue.contains(client) {
            return;
        }
        let flags = entry.flags;
        if flags.contains(ClientFlags::PENDING) {
            self.queue.del(client, flags);
        } else if flags.contains(ClientFlags::NEW)
            || flags.and(ClientFlags::SYNC).wire() != entry.committed
        {
            self.queue.add(client, flags);
        }
    }

    /// Deletes the entry itself. One that was committed leaves count and CRC of its VLAN, so the commit must follow.
    fn delete(&mut self, client: Client) {
        let Some(entry) = self.entries.remove(&client) else { return };
        self.unpublished.insert(client);
        if let Some(vlan) = self.vlans.get_mut(&client.vid) {
            vlan.entries -= 1;
            if !entry.flags.contains(ClientFlags::NEW) {
                vlan.count -= 1;
                vlan.crc ^= client_crc(client, entry.committed());
            }
        }
        self.drop_vlan_if_unused(client.vid);
    }

    /// Deletes everybody who is PENDING, ahead of the commit (TT-36).
    pub(super) fn drop_pending(&mut self) {
        let pending: Vec<_> = self
            .iter()
            .filter(|(_, entry)| entry.flags.contains(ClientFlags::PENDING))
            .map(|(client, _)| client)
            .collect();
        for client in pending {
            self.delete(client);
        }
    }

    /// Removes whoever has been idle for longer than `idle` and may go (TT-28, TT-36). Returns how many.
    pub(super) fn age(&mut self, now: Instant, fib: &Writer, idle: Duration) -> usize {
        let keep = ClientFlags::NOPURGE.or(ClientFlags::PENDING);
        let silent: Vec<_> = self
            .iter()
            .filter(|(_, entry)| entry.flags.and(keep) == ClientFlags::NONE)
            .map(|(client, _)| client)
            .filter(|client| {
                self.last_seen(fib, *client).is_some_and(|seen| seen.timed_out(now, idle))
            })
            .collect();
        for client in &silent {
            self.remove(*client, false);
        }
        silent.len()
    }

    /// Makes the queued changes the table that others know, and returns them (section 7 step 2). Whoever is NEW or
    /// PENDING or has other flags than at the last commit is queued, so nobody else needs to be looked at.
    pub(super) fn commit(&mut self) -> Box<[Change]> {
        let changes = self.queue.drain();
        for change in &changes {
            self.commit_one(change.client);
        }
        changes
    }

    fn commit_one(&mut self, client: Client) {
        let Some(entry) = self.entries.get_mut(&client) else { return };
        if entry.flags.contains(ClientFlags::PENDING) {
            return self.delete(client);
        }
        let Some(vlan) = self.vlans.get_mut(&client.vid) else { return };
        if entry.flags.contains(ClientFlags::NEW) {
            entry.flags = entry.flags.without(ClientFlags::NEW);
            vlan.count += 1;
            self.unpublished.insert(client);
        } else {
            vlan.crc ^= client_crc(client, entry.committed());
        }
        entry.committed = entry.flags.and(ClientFlags::SYNC).wire();
        vlan.crc ^= client_crc(client, entry.flags);
    }

    /// One block for each VLAN that has clients (TT-45).
    pub(super) fn vlan_blocks(&self) -> Vec<VlanBlock> {
        let used = self.vlans.iter().filter(|(_, vlan)| vlan.count > 0);
        used.map(|(vid, vlan)| VlanBlock { crc: vlan.crc, vid: *vid }).collect()
    }

    /// The table as of the last commit: without NEW clients, with PENDING ones, and flags masked to those that enter the
    /// CRC (TT-92, TT-100 `[DEV]`).
    pub(super) fn full_table(&self) -> Vec<Change> {
        let committed = self.iter().filter(|(_, entry)| !entry.flags.contains(ClientFlags::NEW));
        committed.map(|(client, entry)| Change { flags: entry.committed(), client }).collect()
    }

    /// Tells the FIB what has changed.
    pub(super) fn publish(&mut self, fib: &mut Writer) {
        for client in core::mem::take(&mut self.unpublished) {
            match self.entries.get(&client) {
                Some(entry) => fib.set_local(client, entry.flags, entry.last_seen),
                None => fib.remove_local(client),
            }
        }
    }
}
