//! Changes of the local table since the last commit (section 6, TT-38 to TT-42).

use noctule_wire::Client;
use noctule_wire::tvlv::translation_table::{Change, ClientFlags};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// One entry for each client at most, in the order in which they were first queued.
#[derive(Debug, Default)]
pub(super) struct ChangeQueue {
    entries: BTreeMap<Client, Queued>,
    /// Never wraps: one step for each change, and there are fewer than 2^64.
    next: u64,
}

#[derive(Clone, Copy, Debug)]
struct Queued {
    order: u64,
    flags: u8,
}

impl Queued {
    const fn removes(self) -> bool {
        self.flags & ClientFlags::DEL.wire() != 0
    }
}

impl ChangeQueue {
    /// Queues that `client` is there, with these flags of its local entry.
    pub(super) fn add(&mut self, client: Client, flags: ClientFlags) {
        self.push(client, flags.without(ClientFlags::DEL).wire());
    }

    /// Queues that `client` is gone. The flags of its local entry travel along (TT-42).
    pub(super) fn del(&mut self, client: Client, flags: ClientFlags) {
        self.push(client, flags.or(ClientFlags::DEL).wire());
    }

    fn push(&mut self, client: Client, flags: u8) {
        let new = Queued { order: self.next, flags };
        match self.entries.entry(client) {
            Entry::Vacant(vacant) => {
                vacant.insert(new);
                self.next += 1;
            }
            Entry::Occupied(old) if old.get().removes() != new.removes() => {
                old.remove();
            }
            Entry::Occupied(mut old) => old.get_mut().flags = flags,
        }
    }

    /// Whether a change of this client is queued.
    pub(super) fn contains(&self, client: Client) -> bool {
        self.entries.contains_key(&client)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Empties the queue, in order.
    pub(super) fn drain(&mut self) -> Box<[Change]> {
        let mut queued: Vec<_> = core::mem::take(&mut self.entries).into_iter().collect();
        queued.sort_by_key(|(_, entry)| entry.order);
        queued
            .into_iter()
            .map(|(client, entry)| Change { flags: ClientFlags::from_wire(entry.flags), client })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use noctule_wire::{Mac, Vid};

    const ADD: u8 = 0;
    const DEL: u8 = 1;
    const DEL_ROAM: u8 = 3;
    const X: Client = Client::untagged(Mac([2, 0xcc, 0, 0, 0, 1]));

    fn queued(events: &[(Client, u8)]) -> Vec<(Client, u8)> {
        let mut queue = ChangeQueue::default();
        for &(client, flags) in events {
            queue.push(client, flags);
        }
        queue.drain().iter().map(|change| (change.client, change.flags.wire())).collect()
    }

    /// TT-38, TT-39, TT-40: the consequences that section 6 lists.
    #[test]
    fn tt_39_consequences_of_merging() {
        assert_eq!(queued(&[(X, ADD), (X, DEL)]), []);
        assert_eq!(queued(&[(X, DEL), (X, ADD)]), []);
        assert_eq!(queued(&[(X, ADD), (X, 0x10)]), [(X, 0x10)], "TT-40: the latest flags");
        assert_eq!(queued(&[(X, DEL), (X, DEL_ROAM)]), [(X, DEL_ROAM)]);
        assert_eq!(queued(&[(X, ADD), (X, DEL), (X, 0x20)]), [(X, 0x20)]);
    }

    #[test]
    fn tt_41_the_same_mac_on_two_vlans_is_two_entries() {
        let tagged = Client::new(X.mac, Vid(0x800a));
        assert_eq!(queued(&[(X, ADD), (tagged, DEL)]), [(X, ADD), (tagged, DEL)]);
    }

    /// TT-38: the order of first queueing is kept, and a change that vanished and came back is the youngest.
    #[test]
    fn tt_38_order_of_insertion() {
        let y = Client::untagged(Mac([2, 0xcc, 0, 0, 0, 0]));
        assert_eq!(queued(&[(X, ADD), (y, ADD), (X, 0x10)]), [(X, 0x10), (y, ADD)]);
        assert_eq!(queued(&[(X, ADD), (y, ADD), (X, DEL), (X, ADD)]), [(y, ADD), (X, ADD)]);
    }

    #[test]
    fn tt_42_a_removal_carries_the_flags_of_the_client() {
        let mut queue = ChangeQueue::default();
        queue.del(X, ClientFlags::WIFI.or(ClientFlags::PENDING));
        assert_eq!(queue.drain()[0].flags.wire(), 0x11);
        queue.del(X, ClientFlags::WIFI.or(ClientFlags::ROAM));
        assert_eq!(queue.drain()[0].flags.wire(), 0x13);
        queue.add(X, ClientFlags::NEW.or(ClientFlags::NOPURGE).or(ClientFlags::ISOLATED));
        assert_eq!(queue.drain()[0].flags, ClientFlags::ISOLATED, "TT-08: only the low byte");
    }
}
