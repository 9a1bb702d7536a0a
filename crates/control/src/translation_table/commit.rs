//! From queued changes to an announced version (sections 5.9 and 7).

use super::TranslationTable;
use super::limits::SHRINK_IDLE;
use crate::{Context, Event};
use core::time::Duration;
use noctule_wire::Ttvn;
use noctule_wire::tvlv::translation_table::{Change, TranslationTable as TtValue, TtFlags};

/// After the OGM of the commit, this many repeat its changes (TT-44).
const REPEATS: u8 = 3;

/// What this node has announced, or is about to.
#[derive(Debug, Default)]
pub(super) struct Announced {
    /// `vown`. A restart begins at 0 (TT-43, TT-50).
    pub(super) ttvn: Ttvn,
    /// OGMs that may still carry the changes.
    repeats: u8,
    /// The changes that led to this version, unless they were too many (TT-46, TT-51).
    pub(super) last_diff: Option<Box<[Change]>>,
}

impl TranslationTable {
    /// Commits what has changed and returns the TT value for the OGM that is sent now, at most `room` bytes long
    /// (TT-47, TT-49 `[DEV]`: at transmission, not an interval ahead).
    ///
    /// `None` if there is nothing to announce yet, since peers ask forever for a table without VLANs (TT-33), and if not
    /// even the CRCs fit.
    pub(crate) fn ogm_value(&mut self, ctx: &mut Context<'_>, room: usize) -> Option<Vec<u8>> {
        let with_changes = if !self.local.queue.is_empty() {
            self.commit(ctx);
            true
        } else if self.announced.repeats > 0 {
            self.announced.repeats -= 1;
            true
        } else {
            false
        };
        let vlans = self.local.vlan_blocks();
        let changes = match &self.announced.last_diff {
            Some(changes) if with_changes => &changes[..],
            _ => &[],
        };
        if vlans.is_empty() && changes.is_empty() {
            return None;
        }
        let without = TtValue::HEADER_LEN
            + noctule_wire::tvlv::translation_table::VlanBlock::LEN * vlans.len();
        let room = room.min(usize::from(u16::MAX));
        let fits = without + Change::LEN * changes.len() <= room;
        if without > room {
            return None;
        }
        let mut value = Vec::with_capacity(without + Change::LEN * changes.len());
        let sent = if fits { changes } else { &[] };
        TtValue::emit(&mut value, TtFlags::OGM, self.announced.ttvn, &vlans, sent.iter().copied());
        if !fits {
            self.announced.last_diff = None;
        }
        Some(value)
    }

    /// One step of the version (section 7 step 2).
    fn commit(&mut self, ctx: &mut Context<'_>) {
        let changes = self.local.commit();
        self.announced.ttvn = self.announced.ttvn.next();
        self.announced.repeats = REPEATS;
        // TT-46: too many changes are not announced one by one, and requests get the full table.
        let fits = Change::LEN * changes.len() <= self.mesh_mtu as usize;
        self.announced.last_diff = fits.then_some(changes);
        self.publish(ctx);
        ctx.fib.set_own_ttvn(self.announced.ttvn);
        if !self.is_full(ctx) {
            self.full_told = false;
        }
    }

    /// Whether the next new client will be refused (TT-35).
    pub(crate) fn is_full(&self, ctx: &Context<'_>) -> bool {
        self.local.transmit_len() + Change::LEN > self.packet_limit
            || self.local.len() >= ctx.settings.limits.local_clients
    }

    /// Tells the operator once that the table is full.
    pub(super) fn tell_full(&mut self, ctx: &mut Context<'_>) {
        if !self.full_told {
            self.full_told = true;
            ctx.event(Event::LocalTableFull);
        }
    }

    /// The largest packet that can be sent has changed: `S` of section 5.9. If the table does not fit any more, those
    /// who were silent longest go, at once (TT-36).
    pub(crate) fn set_packet_limit(&mut self, ctx: &mut Context<'_>, limit: usize) {
        self.packet_limit = limit;
        let mut idle = SHRINK_IDLE;
        let mut dropped = 0;
        while self.local.transmit_len() > limit && !idle.is_zero() {
            dropped += self.local.age(ctx.now, ctx.fib, idle);
            let before = self.local.len();
            self.local.drop_pending();
            dropped += before - self.local.len();
            idle = Duration::from_millis(u64::try_from(idle.as_millis() / 2).unwrap_or(0));
        }
        if dropped > 0 && !self.local.queue.is_empty() {
            self.commit(ctx);
        }
        self.publish(ctx);
    }
}
