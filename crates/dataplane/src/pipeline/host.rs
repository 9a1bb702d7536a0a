//! Frames from the host into the mesh (FWD-25 to FWD-49).

use super::carry_out::Subject;
use super::egress::Route;
use super::steering::Steer;
use super::{Session, Verdict};
use crate::Outlet;
use noctule_fib::{Counter, View};
use noctule_wire::ethernet::Frame;
use noctule_wire::tvlv::translation_table::ClientFlags;
use noctule_wire::{Client, Discard, Mac, Unicast};

/// Frames of the spanning tree protocol and of Ethernet configuration testing stay in their LAN (FWD-32).
const NEVER_FORWARDED: [Mac; 2] = [Mac([0x01, 0x80, 0xc2, 0, 0, 0]), Mac([0xcf, 0, 0, 0, 0, 0])];

impl Session<'_> {
    /// Takes one frame that the host sends by the mesh interface: as [`Pipeline::send`](super::Pipeline::send).
    pub fn send(&mut self, frame: &[u8], out: &mut impl Outlet) {
        if let Some(worker) = self.state.place.other(|| Steer::frame(frame)) {
            if let Err(reason) = out.pass_on(worker, None, frame) {
                self.refuse(reason);
            }
            return;
        }
        match self.clamped(frame) {
            Some(clamped) => {
                self.send_as_it_is(&clamped, out);
                self.state.clamped = clamped;
            }
            None => self.send_as_it_is(frame, out),
        }
    }

    /// How long a frame of the host to the same receiver may be without being cut into fragments, bytes; `None` if it is
    /// not for one originator alone, or none would be cut (FWD-113). Links behind the first may be narrower.
    pub fn whole_up_to(&self, frame: &[u8]) -> Option<usize> {
        let originator = match self.judge_host(frame) {
            Verdict::Enter { originator, .. } => originator,
            _ => return None,
        };
        let route = Route::find(&self.guard, originator, View::Default).ok()?;
        let fragmentation = self.guard.node().fragmentation;
        fragmentation.then(|| (route.carries as usize).saturating_sub(Unicast::HEADER_LEN))
    }

    /// Counts a frame of the host that could not even be looked at.
    pub fn refuse(&self, reason: Discard) {
        self.counters.add(Counter::TxDropped, 1);
        self.counters.discard(reason);
    }

    fn send_as_it_is(&mut self, frame: &[u8], out: &mut impl Outlet) {
        let sent = self.learn_source(frame, out).and_then(|()| {
            self.host_dhcp(frame, out);
            self.host_neighbour(frame, out)?;
            let verdict = self.judge_host(frame);
            self.carry_out(verdict, Subject::Host(frame), out)
        });
        match sent {
            Ok(()) => self.counters.add_packet(Counter::Tx, Counter::TxBytes, frame.len()),
            Err(reason) => self.refuse(reason),
        }
    }

    /// The checks that come before learning, then learning itself (FWD-25 to FWD-30).
    fn learn_source(&mut self, bytes: &[u8], out: &mut impl Outlet) -> Result<(), Discard> {
        let frame = Frame::parse(bytes)?;
        if frame.is_mesh() {
            return Err(Discard::MeshInMesh);
        }
        if frame.has_broken_tag() {
            return Err(Discard::Truncated);
        }
        self.lan_to_mesh(&frame, bytes, out)?;
        self.learn_local(&frame, out)
    }

    /// What becomes of a host frame whose source has been learned (FWD-32 to FWD-39).
    pub fn judge_host(&self, bytes: &[u8]) -> Verdict {
        let Ok(frame) = Frame::parse(bytes) else { return Verdict::Drop(Discard::Truncated) };
        if NEVER_FORWARDED.contains(&frame.destination) {
            return Verdict::Drop(Discard::Reserved);
        }
        if frame.destination.is_group() {
            return self
                .steer(&frame, bytes)
                .unwrap_or_else(|| self.judge_group(frame.destination, bytes));
        }
        if self.are_kept_apart_here(&frame) {
            return Verdict::Drop(Discard::Isolated);
        }
        self.toward(frame.destination_client())
    }

    /// To the originator behind which a client is.
    pub(super) fn toward(&self, client: Client) -> Verdict {
        match self.locate(client) {
            Err(reason) => Verdict::Drop(reason),
            Ok(target) => {
                // An older version makes the node that the client has left look it up anew (TT-112).
                let roams = self
                    .guard
                    .global(client)
                    .is_some_and(|entry| entry.flags.contains(ClientFlags::ROAM));
                let ttvn = if roams { target.ttvn.previous() } else { target.ttvn };
                Verdict::Enter { originator: target.originator, ttvn }
            }
        }
    }
}
