//! Clients seen in payload: hints for the engine (FWD-29, FWD-30, FWD-123, TT-16, TT-17, TT-101 to TT-103).

use super::Session;
use crate::{Hint, Outlet};
use noctule_wire::ethernet::Frame;
use noctule_wire::tvlv::translation_table::ClientFlags;
use noctule_wire::{Client, Discard, Mac};

impl Session<'_> {
    /// Learns the source of a host frame.
    ///
    /// # Errors
    /// The frame must not enter the mesh: [`Discard::UnknownVlan`] (FWD-30), [`Discard::TableFull`] (TT-17).
    pub(super) fn learn_local(
        &mut self,
        frame: &Frame<'_>,
        out: &mut impl Outlet,
    ) -> Result<(), Discard> {
        let client = frame.source_client();
        if client.mac.is_group() || client.mac.is_loop_detect() {
            return Ok(());
        }
        if client.mac.is_zero() {
            // The reference announces it, which nobody can want; what its VLAN must be it does not change (FWD-30).
            let there = self.guard.node().vlans.contains(client.vid);
            return if there { Ok(()) } else { Err(Discard::UnknownVlan) };
        }
        match self.guard.local(client) {
            Some(local) if local.is_mine() => {
                local.seen(self.now);
                return Ok(());
            }
            // A VLAN that is gone lives on for the clients that it has (TT-30, TT-31).
            None if !self.guard.node().vlans.contains(client.vid) => {
                return Err(Discard::UnknownVlan);
            }
            None if self.guard.node().local_full => return Err(Discard::TableFull),
            _ => {}
        }
        if self.state.recent.local.note(self.now, client, Mac::ZERO) {
            self.hint(Hint::Local(client), out);
        }
        Ok(())
    }

    /// Learns the source of a frame that `originator` sent into the mesh, if it is news (FWD-123).
    pub(super) fn learn_remote(&mut self, client: Client, originator: Mac, out: &mut impl Outlet) {
        if !client.mac.is_station()
            || client.mac.is_loop_detect()
            || self.guard.originator(originator).is_none()
            || self.is_announced_here(client)
            || self.is_known_behind(client, originator)
        {
            return;
        }
        if self.state.recent.remote.note(self.now, client, originator) {
            self.hint(Hint::Remote { client, originator }, out);
        }
    }

    /// A client of ours that others know of: payload cannot move it (TT-103).
    fn is_announced_here(&self, client: Client) -> bool {
        self.guard.local(client).is_some_and(|local| !local.flags.contains(ClientFlags::NEW))
    }

    /// Announced by anyone, or learned from this very originator before.
    fn is_known_behind(&self, client: Client, originator: Mac) -> bool {
        self.guard.global(client).is_some_and(|entry| {
            !entry.flags.contains(ClientFlags::TEMP)
                || entry.announcers.as_slice().contains(&originator)
        })
    }

    fn hint(&self, hint: Hint, out: &mut impl Outlet) {
        if let Err(reason) = out.hint(hint) {
            self.counters.discard(reason);
        }
    }
}
