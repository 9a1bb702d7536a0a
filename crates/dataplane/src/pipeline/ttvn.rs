//! The TTVN check: is the sender's idea of who has a client still right, and if not, who has it (FWD-66 to FWD-68, TT-111
//! to TT-118).

use super::Session;
use noctule_fib::{LocalClient, View};
use noctule_wire::ethernet::Frame;
use noctule_wire::{Client, Discard, Mac, Ttvn};

/// Where a client's frame is to go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Target {
    pub(crate) originator: Mac,
    pub(crate) ttvn: Ttvn,
}

impl Session<'_> {
    /// Checks a unicast packet for `target` with this inner frame; `Some` if it is to be rewritten (FWD-66).
    pub(crate) fn check_ttvn(
        &self,
        target: Target,
        inner: &Frame<'_>,
    ) -> Result<Option<Target>, Discard> {
        if inner.destination.is_group() {
            return Ok(None);
        }
        let client = inner.destination_client();
        if self.has_left(client) {
            return Ok(self.reroute(target, client).ok());
        }
        let current = if self.guard.node().is_mine(target.originator) {
            self.guard.own_ttvn()
        } else {
            self.guard.originator(target.originator).ok_or(Discard::UnknownOriginator)?.ttvn()
        };
        if !target.ttvn.is_before(current) {
            return Ok(None);
        }
        match self.reroute(target, client) {
            Ok(better) => Ok(Some(better)),
            // Nobody better is known than the one it is addressed to anyway: dropping would only lose it (TT-118).
            Err(Unchanged::SameOriginator) => Ok(None),
            // That includes a client of ours that is leaving: its frames do not belong here any more (TT-24).
            Err(Unchanged::NotFound) => Err(Discard::OutdatedTtvn),
        }
    }

    /// Who has the client, if not the originator that the packet is addressed to (FWD-67, TT-117).
    fn reroute(&self, target: Target, client: Client) -> Result<Target, Unchanged> {
        if self.is_ours(client) {
            return self.ourselves().ok_or(Unchanged::NotFound);
        }
        let best = self.locate(client).map_err(|_| Unchanged::NotFound)?;
        if best.originator == target.originator {
            return Err(Unchanged::SameOriginator);
        }
        Ok(best)
    }

    fn ourselves(&self) -> Option<Target> {
        let originator = self.guard.node().primary?;
        Some(Target { originator, ttvn: self.guard.own_ttvn() })
    }

    /// The originator that a client's frames go to, and the last table version known of it (TT-74). While the tables do
    /// not know the client, the originator that it was seen behind a moment ago (TT-103).
    pub(crate) fn locate(&self, client: Client) -> Result<Target, Discard> {
        if let Some(best) = self.guard.best_announcer(client) {
            let originator = best.originator;
            return Ok(Target { originator: originator.mac(), ttvn: originator.ttvn() });
        }
        if self.guard.global(client).is_some_and(|entry| !entry.announcers.as_slice().is_empty()) {
            return Err(Discard::NoRoute);
        }
        let seen_behind =
            self.state.recent.remote.originator(self.now, client).ok_or(Discard::UnknownClient)?;
        let originator = self.guard.originator(seen_behind).ok_or(Discard::UnknownOriginator)?;
        originator.router(View::Default).ok_or(Discard::NoRoute)?;
        Ok(Target { originator: originator.mac(), ttvn: originator.ttvn() })
    }

    /// Whether frames for this client belong here (TT-24), also while the engine has yet to publish it.
    fn is_ours(&self, client: Client) -> bool {
        match self.guard.local(client) {
            Some(local) => {
                local.is_mine() || self.state.recent.local.is_in_flight(self.now, client)
            }
            None => {
                self.guard.global(client).is_none()
                    && self.state.recent.local.originator(self.now, client).is_some()
            }
        }
    }

    /// Whether this is a client of ours that roamed away, and has not come back since.
    fn has_left(&self, client: Client) -> bool {
        self.guard.local(client).is_some_and(LocalClient::has_departed)
            && !self.state.recent.local.is_in_flight(self.now, client)
    }
}

/// Why a packet keeps its destination.
enum Unchanged {
    SameOriginator,
    NotFound,
}
