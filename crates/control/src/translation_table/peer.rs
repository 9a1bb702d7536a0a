//! What is kept for each originator: the version of its table, its VLANs, and which clients it lists (section 9.1).

use super::announcements::Announcement;
use super::client_crc;
use super::global::Entry;
use super::limits::{ROAM_SOURCE_BURST, ROAM_SOURCE_PER_SECOND, TokenBucket};
use noctule_wire::tvlv::translation_table::{Change, ClientFlags, VlanBlock};
use noctule_wire::{Client, Instant, Ttvn, Vid};
use std::collections::{BTreeMap, BTreeSet};

/// A VLAN of an originator (TT-60).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct PeerVlan {
    /// CRC as of the last diff or table of this originator: what its OGMs are compared with (TT-61).
    pub(super) stored: u32,
    /// CRC of what is listed now, always up to date.
    pub(super) live: u32,
    /// Clients listed, those that roam included, temporary ones not (TT-60 `[DEV]`).
    pub(super) count: u32,
}

/// A request that has gone out (TT-86).
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) at: Instant,
    pub(super) full: bool,
}

/// Everything about one originator's table.
#[derive(Debug)]
pub(super) struct Peer {
    /// Counts the originators whose books were ever opened: the lower, the longer it is known.
    pub(super) birth: u64,
    /// `L(o)`: the last version seen (TT-59).
    pub(super) ttvn: Ttvn,
    /// `init(o)`: its table has been received.
    pub(super) initialized: bool,
    pub(super) vlans: BTreeMap<Vid, PeerVlan>,
    /// Clients whose list it is in.
    pub(super) clients: BTreeSet<Client>,
    /// Those of them that are temporary, oldest first (TT-105).
    pub(super) temporary: BTreeSet<(Instant, Client)>,
    /// Its last diff, for requests that are answered on its behalf (TT-78).
    pub(super) last_diff: Option<Box<[Change]>>,
    pub(super) request: Option<Request>,
    /// No request before then (TT-67).
    pub(super) held_until: Instant,
    /// Full tables in a row that did not bring it into step.
    pub(super) fruitless: u8,
    /// Requests in a row that were not answered.
    pub(super) unanswered: u8,
    /// Since when the list is not what the stored CRCs say, although the originator's OGMs say that they are right.
    pub(super) unfaithful_since: Option<Instant>,
    /// It was in step at least once.
    pub(super) confirmed: bool,
    /// A table has come and no OGM since has confirmed it.
    pub(super) unconfirmed: bool,
    /// Roaming advertisements that it may still send (TT-110).
    pub(super) roam_tokens: TokenBucket,
}

impl Peer {
    /// Of an originator that has told nothing yet (TT-59).
    pub(super) fn new(birth: u64) -> Self {
        Self {
            birth,
            ttvn: Ttvn(0),
            initialized: false,
            vlans: BTreeMap::new(),
            clients: BTreeSet::new(),
            temporary: BTreeSet::new(),
            last_diff: None,
            request: None,
            held_until: Instant::ZERO,
            fruitless: 0,
            unanswered: 0,
            unfaithful_since: None,
            confirmed: false,
            unconfirmed: false,
            roam_tokens: TokenBucket::new(ROAM_SOURCE_BURST, ROAM_SOURCE_PER_SECOND),
        }
    }

    /// How many clients it announces.
    pub(super) fn announced(&self) -> usize {
        self.clients.len() - self.temporary.len()
    }

    /// Takes into account that it lists a client, whose entry is `entry`.
    pub(super) fn enter(&mut self, client: Client, entry: &Entry, said: Announcement) {
        self.clients.insert(client);
        if entry.flags.contains(ClientFlags::TEMP) {
            self.temporary.insert((entry.added_at, client));
            return;
        }
        let vlan = self.vlans.entry(client.vid).or_default();
        vlan.count += 1;
        if entry.is_hashed() {
            vlan.live ^= client_crc(client, said.flags());
        }
    }

    /// The reverse of [`Self::enter`]. Returns whether the VLAN may be without clients now.
    pub(super) fn leave(&mut self, client: Client, entry: &Entry, said: Announcement) -> bool {
        self.clients.remove(&client);
        if entry.flags.contains(ClientFlags::TEMP) {
            self.temporary.remove(&(entry.added_at, client));
            return false;
        }
        let Some(vlan) = self.vlans.get_mut(&client.vid) else { return false };
        vlan.count -= 1;
        if entry.is_hashed() {
            vlan.live ^= client_crc(client, said.flags());
        }
        vlan.count == 0
    }

    /// Flips what a listed client adds to the CRC in or out, or from one set of flags to another.
    pub(super) fn toggle(&mut self, client: Client, crc: u32) {
        if let Some(vlan) = self.vlans.get_mut(&client.vid) {
            vlan.live ^= crc;
        }
    }

    /// Takes the CRCs of what is listed now for those to compare with (TT-79). Only after a diff or a table of this
    /// originator itself (TT-61).
    pub(super) fn recompute(&mut self) {
        for vlan in self.vlans.values_mut() {
            vlan.stored = vlan.live;
        }
    }

    /// Whether these VLAN records do not describe what is stored (TT-80). VLANs that `skip` names are not compared (TT-81).
    pub(super) fn mismatch(
        &self,
        records: impl ExactSizeIterator<Item = VlanBlock>,
        skip: impl Fn(Vid) -> bool,
    ) -> bool {
        let differs = |record: VlanBlock| {
            self.vlans.get(&record.vid).is_none_or(|vlan| vlan.stored != record.crc)
        };
        self.vlans.len() > records.len() || { records }
            .any(|record| !skip(record.vid) && differs(record))
    }

    /// Whether what is listed is still what the stored CRCs say: nobody else's word has changed it since.
    pub(super) fn is_faithful(&self) -> bool {
        self.vlans.values().all(|vlan| vlan.stored == vlan.live)
    }

    /// One block for each VLAN (TT-93).
    pub(super) fn vlan_blocks(&self) -> Vec<VlanBlock> {
        let used = self.vlans.iter().filter(|(_, vlan)| vlan.count > 0);
        used.map(|(vid, vlan)| VlanBlock { crc: vlan.stored, vid: *vid }).collect()
    }
}
