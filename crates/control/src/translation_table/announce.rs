//! What originators say about clients: announcements (section 9.2), withdrawals (9.3), and lists of both (TT-77).

use super::TranslationTable;
use super::announcements::Announcement;
use super::limits::{CLIENTS_PER_ORIGINATOR, OVERSIZE_PAUSE, TEMPORARY_SHARE};
use super::local::LocalEntry;
use super::peer::Peer;
use crate::{Context, Learned};
use noctule_wire::tvlv::translation_table::{Change, ClientFlags};
use noctule_wire::{Client, Discard, Instant, Mac, Ttvn};

/// Why an announcement was not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Refused {
    /// One entry more than a bound allows (TT-67).
    Limit,
    /// Payload does not move a client that is announced or ours (TT-103).
    Known,
}

/// Whether a change record may be about this client at all (TT-13, TT-66).
pub(super) const fn is_announceable(client: Client) -> bool {
    client.vid.is_valid() && !client.mac.is_zero() && !matches!(client.mac, Mac::BROADCAST)
}

impl TranslationTable {
    /// One originator announces one client (TT-62). Its books must be open.
    pub(super) fn announce(
        &mut self,
        ctx: &mut Context<'_>,
        client: Client,
        flags: ClientFlags,
        originator: Mac,
        ttvn: Ttvn,
        how: Learned,
    ) -> Result<(), Refused> {
        // It is in our own LAN; whoever said so is right (BLA-90, TT-62 step 1).
        if self.backbones.contains(&(originator, client.vid)) {
            return Ok(());
        }
        let temporary = flags.contains(ClientFlags::TEMP);
        let unicast = !client.mac.is_group();
        if temporary && self.local.get(client).is_some_and(|e| !e.flags.contains(ClientFlags::NEW))
        {
            return Err(Refused::Known);
        }
        // A multicast listener neither roams nor is it learned from payload: those marks are not for it.
        let marks = ClientFlags::ROAM.or(ClientFlags::TEMP);
        let marks = if unicast { flags.and(marks) } else { ClientFlags::NONE };
        let flags_of = |table: &Self| table.global.get(client).map(|entry| entry.flags);
        if temporary && flags_of(self).is_some_and(|known| !known.contains(ClientFlags::TEMP)) {
            return Err(Refused::Known);
        }
        let before =
            self.global.get(client).and_then(|entry| entry.announcements.of(originator).copied());
        let listed = before.is_some();
        if !listed {
            self.make_room(ctx, originator, temporary)?;
        }
        // Looked up anew: who gave way may have been the temporary entry of this very client.
        match flags_of(self) {
            None => self.global.create(ctx.now, client, marks),
            Some(_) if temporary => {
                if !listed {
                    self.global.unlist_all(client);
                }
            }
            Some(known) => {
                if known.contains(ClientFlags::TEMP) {
                    self.global.unlist_all(client);
                    self.global.clear_temporary(client);
                }
                if known.or(marks).contains(ClientFlags::ROAM) {
                    self.global.unlist_all(client);
                    self.global.set_roam(client, None);
                }
            }
        }
        if !(temporary && listed) {
            let sync = flags.and(ClientFlags::SYNC).wire();
            let since = u32::try_from(ctx.now.as_millis() / 1000).unwrap_or(u32::MAX);
            // What it says again was learned before.
            let (how, since) = before
                .filter(|before| before.how != Learned::Payload)
                .map_or((how, since), |before| (before.how, before.since));
            self.global.list(client, Announcement { originator, ttvn, sync, how, since });
        }
        if unicast {
            self.retract_local(client, flags.contains(ClientFlags::ROAM));
        }
        Ok(())
    }

    /// TT-62 step 7: what another node announces is no client of ours any more (TT-65), unless it never ages (TT-27).
    fn retract_local(&mut self, client: Client, roamed: bool) {
        let ours = self.local.get(client);
        if ours.is_some_and(|entry| !entry.flags.contains(ClientFlags::NOPURGE))
            && let Some(flags) = self.local.remove(client, roamed)
        {
            self.global.add_flags(client, flags.and(ClientFlags::WIFI));
        }
    }

    /// Makes room for one more in a list, if need be and if there is somebody to give way (TT-67, TT-105).
    fn make_room(
        &mut self,
        ctx: &Context<'_>,
        originator: Mac,
        temporary: bool,
    ) -> Result<(), Refused> {
        let limits = &ctx.settings.limits;
        let full = self.global.listings() >= limits.global_clients;
        if temporary {
            let max = limits.temporary_clients;
            if max == 0 {
                return Err(Refused::Limit);
            }
            let share = (max / TEMPORARY_SHARE).max(1);
            let own = self.global.peer(originator).map_or(0, |peer| peer.temporary.len());
            let oldest = if own >= share {
                self.global.oldest_temporary(Some(originator))
            } else if full || self.global.temporary_len() >= max {
                self.global.oldest_temporary(None)
            } else {
                return Ok(());
            };
            // Nobody who is announced gives way to somebody who is not.
            self.global.forget(oldest.ok_or(Refused::Limit)?);
            return Ok(());
        }
        if self.global.peer(originator).map_or(0, Peer::announced) >= CLIENTS_PER_ORIGINATOR {
            return Err(Refused::Limit);
        }
        if !full {
            return Ok(());
        }
        if let Some(victim) = self.global.evict_for(originator).ok_or(Refused::Limit)? {
            ctx.discard(Discard::TableFull);
            self.overflow(ctx.now, victim);
        }
        Ok(())
    }

    /// An originator has more clients than are stored: its table is not whole, and asking for it again is useless for
    /// some time (TT-67).
    fn overflow(&mut self, now: Instant, originator: Mac) {
        if let Some(peer) = self.global.peer_mut(originator) {
            peer.initialized = false;
            peer.held_until = now + OVERSIZE_PAUSE;
        }
    }

    /// An originator withdraws a client (section 9.3).
    pub(super) fn withdraw(
        &mut self,
        ctx: &Context<'_>,
        client: Client,
        roamed: bool,
        originator: Mac,
    ) {
        let Some(entry) = self.global.get(client) else { return };
        let others =
            entry.announcements.as_slice().iter().any(|said| said.originator != originator);
        if roamed && self.local.get(client).is_some_and(LocalEntry::is_mine) {
            self.global.forget(client);
        } else if roamed && !others {
            self.global.set_roam(client, Some(ctx.now));
        } else {
            self.global.unlist(client, originator);
            self.global.forget_if_unlisted(client);
        }
    }

    /// Applies change records in order, as version `ttvn` of the originator's table (TT-77). Its stored CRCs are
    /// recomputed (TT-79).
    pub(super) fn apply(
        &mut self,
        ctx: &mut Context<'_>,
        originator: Mac,
        ttvn: Ttvn,
        changes: impl Iterator<Item = Change>,
        how: Learned,
    ) {
        let mut outcome = Ok(());
        for change in changes {
            if !is_announceable(change.client) {
                ctx.discard(Discard::Malformed);
                continue;
            }
            if change.flags.contains(ClientFlags::DEL) {
                let roamed = change.flags.contains(ClientFlags::ROAM);
                self.withdraw(ctx, change.client, roamed, originator);
            } else {
                outcome = self.announce(ctx, change.client, change.flags, originator, ttvn, how);
                if outcome.is_err() {
                    break;
                }
            }
        }
        let Some(peer) = self.global.peer_mut(originator) else { return };
        peer.ttvn = ttvn;
        peer.recompute();
        if outcome.is_ok() {
            peer.initialized = true;
        } else {
            ctx.discard(Discard::TableFull);
            self.overflow(ctx.now, originator);
        }
        #[cfg(debug_assertions)]
        self.global.check(originator);
    }
}
