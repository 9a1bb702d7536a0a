//! Isolated clients are kept apart (TT-121, TT-122, FWD-46, FWD-124): both on Wi-Fi, or both marked as isolated. One of
//! each may talk to the other.

use super::Session;
use noctule_wire::ethernet::Frame;
use noctule_wire::tvlv::translation_table::ClientFlags;

/// What makes a client an isolated one.
const KINDS: [ClientFlags; 2] = [ClientFlags::WIFI, ClientFlags::ISOLATED];

impl Session<'_> {
    /// Whether a host frame must not leave: from a client of ours to one elsewhere.
    pub(super) fn are_kept_apart_here(&self, frame: &Frame<'_>) -> bool {
        let (source, destination) = (frame.source_client(), frame.destination_client());
        if !self.guard.node().isolation.contains(destination.vid) {
            return false;
        }
        let Some(there) = self.guard.global(destination) else { return false };
        match self.guard.local(source) {
            Some(here) => are_of_one_kind(here.flags, there.flags),
            // The engine has yet to say what it is. Nothing is lost where that does not matter (TT-121 [DEV]).
            None => KINDS.iter().any(|kind| there.flags.contains(*kind)),
        }
    }

    /// Whether a frame of the mesh must not be delivered: from a client elsewhere to one of ours. What is for a group
    /// passes (TT-123).
    pub(super) fn are_kept_apart_there(&self, frame: &Frame<'_>) -> bool {
        let (source, destination) = (frame.source_client(), frame.destination_client());
        if frame.destination.is_group() || !self.guard.node().isolation.contains(destination.vid) {
            return false;
        }
        let there = self.guard.global(source);
        let here = self.guard.local(destination);
        there.zip(here).is_some_and(|(there, here)| are_of_one_kind(there.flags, here.flags))
    }
}

fn are_of_one_kind(one: ClientFlags, other: ClientFlags) -> bool {
    KINDS.iter().any(|kind| one.contains(*kind) && other.contains(*kind))
}
