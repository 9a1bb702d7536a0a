//! The clients of others: entries, the lists of who announces them, and the books kept for each originator
//! (section 9.1).
//!
//! Everything that changes an entry goes through the few primitives here, which keep the live CRCs (TT-56), the counts
//! (TT-60) and each originator's set of clients in step: a diff costs its own length, an originator's removal the
//! number of its clients.

use super::announcements::{Announcement, Announcements};
use super::client_crc;
use super::limits::SURE_CLIENTS;
use super::peer::Peer;
use core::time::Duration;
use noctule_fib::{GlobalClient, Writer};
use noctule_wire::tvlv::translation_table::{Change, ClientFlags};
use noctule_wire::{Client, Instant, Mac, Vid};
use std::collections::{BTreeMap, BTreeSet};

/// A client of other nodes.
#[derive(Debug)]
pub(super) struct Entry {
    /// ROAM, TEMP, and the OR of the synchronised flags in the list.
    pub(super) flags: ClientFlags,
    pub(super) added_at: Instant,
    /// Since when it is ROAM.
    pub(super) roam_at: Instant,
    pub(super) announcements: Announcements,
}

impl Entry {
    /// Whether it counts in the CRCs of those who list it (TT-56).
    pub(super) const fn is_hashed(&self) -> bool {
        self.flags.and(ClientFlags::ROAM.or(ClientFlags::TEMP)).0 == 0
    }
}

/// The global table.
#[derive(Debug, Default)]
pub(super) struct GlobalTable {
    clients: BTreeMap<Client, Entry>,
    peers: BTreeMap<Mac, Peer>,
    births: u64,
    /// Originators that announce more than [`SURE_CLIENTS`], those known longest first (TT-67).
    large: BTreeSet<(u64, Mac)>,
    /// Temporary entries, oldest first (TT-105).
    temporary: BTreeSet<(Instant, Client)>,
    /// Entries that are ROAM, with the time since when.
    roaming: BTreeSet<(Instant, Client)>,
    /// Length of all lists together.
    listings: usize,
    /// VLANs of originators that may have lost their last client. They are taken away only when the whole change is
    /// done: a list that is emptied and filled again must not cost a VLAN its stored CRC.
    emptied: Vec<(Mac, Vid)>,
    /// What the FIB does not know yet.
    unpublished: BTreeSet<Client>,
}

impl GlobalTable {
    pub(super) fn len(&self) -> usize {
        self.clients.len()
    }

    /// Length of all lists together: what grows when many originators announce the same clients.
    pub(super) const fn listings(&self) -> usize {
        self.listings
    }

    pub(super) fn get(&self, client: Client) -> Option<&Entry> {
        self.clients.get(&client)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Client, &Entry)> {
        self.clients.iter().map(|(client, entry)| (*client, entry))
    }

    pub(super) fn peer(&self, originator: Mac) -> Option<&Peer> {
        self.peers.get(&originator)
    }

    pub(super) fn peer_mut(&mut self, originator: Mac) -> Option<&mut Peer> {
        self.peers.get_mut(&originator)
    }

    /// The originator's books, opened if there are none. Only for originators that the routing algorithm knows: that
    /// bounds how many there are.
    pub(super) fn peer_or_new(&mut self, originator: Mac) -> &mut Peer {
        let births = &mut self.births;
        self.peers.entry(originator).or_insert_with(|| {
            *births += 1;
            Peer::new(*births)
        })
    }

    pub(super) fn peers_mut(&mut self) -> impl Iterator<Item = &mut Peer> {
        self.peers.values_mut()
    }

    /// Enters a client that is not there, as yet announced by nobody (TT-62 step 3).
    pub(super) fn create(&mut self, now: Instant, client: Client, flags: ClientFlags) {
        let roam_at = if flags.contains(ClientFlags::ROAM) { now } else { Instant::ZERO };
        if flags.contains(ClientFlags::TEMP) {
            self.temporary.insert((now, client));
        }
        if flags.contains(ClientFlags::ROAM) {
            self.roaming.insert((now, client));
        }
        let announcements = Announcements::EMPTY;
        self.clients.insert(client, Entry { flags, added_at: now, roam_at, announcements });
        self.unpublished.insert(client);
    }

    /// Lists an originator (TT-62 step 6). Its books must be open.
    pub(super) fn list(&mut self, client: Client, said: Announcement) {
        let Some(entry) = self.clients.get_mut(&client) else { return };
        let Some(peer) = self.peers.get_mut(&said.originator) else { return };
        match entry.announcements.set(said) {
            None => {
                peer.enter(client, entry, said);
                self.listings += 1;
                if peer.announced() > SURE_CLIENTS {
                    self.large.insert((peer.birth, said.originator));
                }
            }
            Some(before) if entry.is_hashed() => {
                let change = client_crc(client, before.flags()) ^ client_crc(client, said.flags());
                peer.toggle(client, change);
            }
            Some(_) => {}
        }
        entry.merge_sync();
        self.unpublished.insert(client);
    }

    /// Takes an originator out of a list, which may become empty. Returns whether it was listed.
    pub(super) fn unlist(&mut self, client: Client, originator: Mac) -> bool {
        let Some(entry) = self.clients.get_mut(&client) else { return false };
        let Some(said) = entry.announcements.remove(originator) else { return false };
        self.listings -= 1;
        if let Some(peer) = self.peers.get_mut(&originator) {
            if peer.leave(client, entry, said) {
                self.emptied.push((originator, client.vid));
            }
            if peer.announced() <= SURE_CLIENTS {
                self.large.remove(&(peer.birth, originator));
            }
        }
        entry.merge_sync();
        self.unpublished.insert(client);
        true
    }

    /// Empties a list.
    pub(super) fn unlist_all(&mut self, client: Client) {
        let Some(entry) = self.clients.get(&client) else { return };
        let listed: Vec<_> =
            entry.announcements.as_slice().iter().map(|said| said.originator).collect();
        for originator in listed {
            self.unlist(client, originator);
        }
    }

    /// Deletes an entry with its list.
    pub(super) fn forget(&mut self, client: Client) {
        self.unlist_all(client);
        if let Some(entry) = self.clients.remove(&client) {
            self.temporary.remove(&(entry.added_at, client));
            self.roaming.remove(&(entry.roam_at, client));
            self.unpublished.insert(client);
        }
    }

    /// Marks a client as having roamed away since `at`, or takes the mark back (`None`). The stored CRCs stay (TT-61).
    pub(super) fn set_roam(&mut self, client: Client, at: Option<Instant>) {
        let Some(entry) = self.clients.get_mut(&client) else { return };
        let was_hashed = entry.is_hashed();
        self.roaming.remove(&(entry.roam_at, client));
        self.roaming.extend(at.map(|at| (at, client)));
        entry.flags = entry.flags.with(ClientFlags::ROAM, at.is_some());
        entry.roam_at = at.unwrap_or(Instant::ZERO);
        if was_hashed != entry.is_hashed() {
            for said in entry.announcements.as_slice() {
                if let Some(peer) = self.peers.get_mut(&said.originator) {
                    peer.toggle(client, client_crc(client, said.flags()));
                }
            }
        }
        self.unpublished.insert(client);
    }

    /// Makes a temporary entry, whose list must be empty, an ordinary one.
    pub(super) fn clear_temporary(&mut self, client: Client) {
        let Some(entry) = self.clients.get_mut(&client) else { return };
        debug_assert!(entry.announcements.is_empty(), "nobody's books know it as temporary");
        entry.flags = entry.flags.without(ClientFlags::TEMP);
        self.temporary.remove(&(entry.added_at, client));
        self.unpublished.insert(client);
    }

    /// Adds to the flags until the list changes next (TT-62 step 7).
    pub(super) fn add_flags(&mut self, client: Client, flags: ClientFlags) {
        if let Some(entry) = self.clients.get_mut(&client) {
            entry.flags = entry.flags.or(flags);
            self.unpublished.insert(client);
        }
    }

    /// The temporary entry that has been there longest, of one originator or of all.
    pub(super) fn oldest_temporary(&self, of: Option<Mac>) -> Option<Client> {
        let set = match of {
            Some(originator) => &self.peers.get(&originator)?.temporary,
            None => &self.temporary,
        };
        set.first().map(|(_, client)| *client)
    }

    /// Whose time is over: ROAM entries marked, and temporary ones made, longer ago than this (TT-72).
    pub(super) fn expired(&self, now: Instant, roam: Duration, temporary: Duration) -> Vec<Client> {
        let over = |(at, client): &(Instant, Client), timeout| {
            at.timed_out(now, timeout).then_some(*client)
        };
        let roamed = self.roaming.iter().map_while(|entry| over(entry, roam));
        roamed.chain(self.temporary.iter().map_while(|entry| over(entry, temporary))).collect()
    }

    /// How many temporary entries there are.
    pub(super) fn temporary_len(&self) -> usize {
        self.temporary.len()
    }

    /// Makes room in a full table for one more client that `originator` announces: at the expense of the oldest temporary
    /// entry, or else of an originator that has more than it is sure of, the one known shortest. Only who is not sure of
    /// the room must be known longer than that one. Returns who loses a client, `Some(None)` if it is a temporary one,
    /// and `None` if there is no room.
    pub(super) fn evict_for(&mut self, originator: Mac) -> Option<Option<Mac>> {
        if let Some(oldest) = self.oldest_temporary(None) {
            self.forget(oldest);
            return Some(None);
        }
        let newcomer = self.peers.get(&originator)?;
        let (birth, victim) = *self.large.last()?;
        if newcomer.announced() >= SURE_CLIENTS && newcomer.birth >= birth {
            return None;
        }
        // Nobody has a temporary entry: all that it lists is announced.
        let client = *self.peers.get(&victim)?.clients.last()?;
        self.unlist(client, victim);
        self.forget_if_unlisted(client);
        Some(Some(victim))
    }

    /// Takes an originator out of all lists (TT-73).
    pub(super) fn remove_originator(&mut self, originator: Mac) {
        let Some(peer) = self.peers.get_mut(&originator) else { return };
        peer.initialized = false;
        for client in peer.clients.clone() {
            self.unlist(client, originator);
            self.forget_if_unlisted(client);
        }
    }

    /// Takes an originator out of all lists of one VLAN.
    pub(super) fn remove_vlan(&mut self, originator: Mac, vid: Vid) {
        let Some(peer) = self.peers.get_mut(&originator) else { return };
        peer.initialized = false;
        let clients: Vec<_> = peer.clients.iter().copied().filter(|c| c.vid == vid).collect();
        for client in clients {
            self.unlist(client, originator);
            self.forget_if_unlisted(client);
        }
    }

    /// Closes the books of an originator that is gone.
    pub(super) fn remove_peer(&mut self, originator: Mac) {
        self.remove_originator(originator);
        self.peers.remove(&originator);
    }

    /// Deletes an entry that nobody lists.
    pub(super) fn forget_if_unlisted(&mut self, client: Client) {
        if self.get(client).is_some_and(|entry| entry.announcements.is_empty()) {
            self.forget(client);
        }
    }

    /// An originator's table as it announced it (TT-93).
    pub(super) fn full_table(&self, originator: Mac) -> Vec<Change> {
        let Some(peer) = self.peer(originator) else { return Vec::new() };
        peer.clients
            .iter()
            .filter_map(|client| {
                let entry = self.get(*client).filter(|entry| entry.is_hashed())?;
                let said = entry.announcements.of(originator)?;
                Some(Change { flags: said.flags(), client: *client })
            })
            .collect()
    }

    /// Ends a change: takes empty VLANs away and tells the FIB what is different now. Readers never see what was only
    /// there on the way (TT-99).
    pub(super) fn publish(&mut self, fib: &mut Writer) {
        for (originator, vid) in core::mem::take(&mut self.emptied) {
            if let Some(peer) = self.peers.get_mut(&originator)
                && peer.vlans.get(&vid).is_some_and(|vlan| vlan.count == 0)
            {
                peer.vlans.remove(&vid);
            }
        }
        if self.unpublished.is_empty() {
            return;
        }
        let reader = fib.reader();
        for client in core::mem::take(&mut self.unpublished) {
            let Some(entry) = self.clients.get(&client) else {
                fib.remove_global(client);
                continue;
            };
            let listed = entry.announcements.as_slice().iter().map(|said| said.originator);
            let new = GlobalClient { flags: entry.flags, announcers: listed.collect() };
            if reader.pin().global(client) != Some(&new) {
                fib.set_global(client, new);
            }
        }
    }

    /// Recomputes from nothing what is kept up to date step by step, and compares (TT-58). For one originator, so that
    /// it costs no more than its table.
    #[cfg(any(test, debug_assertions))]
    pub(super) fn check(&self, originator: Mac) {
        use super::peer::PeerVlan;
        let Some(peer) = self.peer(originator) else { return };
        let mut vlans: BTreeMap<Vid, PeerVlan> = BTreeMap::new();
        for client in &peer.clients {
            let entry = self.get(*client).expect("a listed client has an entry");
            let said = entry.announcements.of(originator).expect("its list has the originator");
            if entry.flags.contains(ClientFlags::TEMP) {
                assert!(peer.temporary.contains(&(entry.added_at, *client)), "{client:?}");
                continue;
            }
            let vlan = vlans.entry(client.vid).or_default();
            vlan.count += 1;
            if entry.is_hashed() {
                vlan.live ^= client_crc(*client, said.flags());
            }
        }
        for (vid, vlan) in peer.vlans.iter().filter(|(_, vlan)| vlan.count > 0) {
            let fresh = vlans.remove(vid).unwrap_or_default();
            assert_eq!((vlan.live, vlan.count), (fresh.live, fresh.count), "{originator} {vid:?}");
        }
        assert!(vlans.is_empty(), "{originator}: a VLAN without books: {vlans:?}");
    }

    /// [`Self::check`] of everybody, and of the totals.
    #[cfg(test)]
    pub(super) fn check_all(&self) {
        let mut listings = 0;
        for (client, entry) in &self.clients {
            assert!(!entry.announcements.is_empty(), "{client:?} is listed by nobody");
            listings += entry.announcements.as_slice().len();
            for said in entry.announcements.as_slice() {
                assert!(self.peers[&said.originator].clients.contains(client), "{client:?}");
            }
            let temporary = entry.flags.contains(ClientFlags::TEMP);
            assert_eq!(temporary, self.temporary.contains(&(entry.added_at, *client)));
            let roaming = entry.flags.contains(ClientFlags::ROAM);
            assert_eq!(roaming, self.roaming.contains(&(entry.roam_at, *client)));
        }
        assert_eq!(listings, self.listings);
        assert_eq!(listings, self.peers.values().map(|peer| peer.clients.len()).sum::<usize>());
        for originator in self.peers.keys() {
            self.check(*originator);
        }
        let large = self.peers.iter().filter(|(_, peer)| peer.announced() > SURE_CLIENTS);
        let large: BTreeSet<_> = large.map(|(mac, peer)| (peer.birth, *mac)).collect();
        assert_eq!(large, self.large);
        assert!(self.unpublished.is_empty() && self.emptied.is_empty());
    }
}

impl Entry {
    /// TT-71: the synchronised flags are those of all who list the client. An empty list keeps what was.
    fn merge_sync(&mut self) {
        let mut said = self.announcements.as_slice().iter().map(|said| said.flags());
        if let Some(first) = said.next() {
            let merged = said.fold(first, ClientFlags::or);
            self.flags = self.flags.without(ClientFlags::SYNC).or(merged);
        }
    }
}
