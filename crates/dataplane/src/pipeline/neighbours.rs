//! Answers to IPv6 neighbour solicitations from what was heard (appendix of 07-distributed-arp-table.md, ND-01 to ND-15).
//!
//! Nothing new goes on the air: who listens learns, and a solicitation that is answered here is not sent. Where there is any
//! doubt it is sent, as it would be without this cache.

mod known;

pub use known::Neighbour;

use super::dat::is_announced;
use super::{Session, cache};
use crate::Outlet;
use core::net::Ipv6Addr;
use core::time::Duration;
use known::Heard;
use noctule_fib::Counter;
use noctule_wire::ethernet::Frame;
use noctule_wire::payload::neighbour::{Message, Neighbour as Discovery, is_host};
use noctule_wire::{Client, Discard, Instant, Mac, Vid};

/// An address in its VLAN.
type Key = (Ipv6Addr, Vid);
/// Who has which address.
pub(super) type Cache = cache::Cache<Key, Neighbour>;

/// A solicitation for a station behind this node that is repeated within this time goes to the mesh: it was not answered
/// (ND-13). Hosts repeat after a second.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

impl Session<'_> {
    /// Looks into a frame of the host: learns, and answers (ND-10 to ND-14).
    ///
    /// # Errors
    /// [`Discard::SolicitationAnswered`]: it need not go anywhere.
    pub(super) fn host_neighbour(
        &mut self,
        frame: &[u8],
        out: &mut impl Outlet,
    ) -> Result<(), Discard> {
        let Some((said, ethernet)) = self.neighbour_discovery(frame) else { return Ok(()) };
        let (vid, asker) = (ethernet.vid(), ethernet.source);
        self.learn_neighbour(&said, asker, vid);
        if said.is_question()
            && !said.others
            && said.link_layer == Some(asker)
            && ethernet.destination.is_group()
            && self.answer_solicitation(&said, asker, vid, out)
        {
            return Err(Discard::SolicitationAnswered);
        }
        self.solicitation_passes(&said, vid);
        Ok(())
    }

    /// Looks into a frame of the mesh that is for the host, too (ND-03).
    pub(super) fn mesh_neighbour(&mut self, inner: &Frame<'_>, bytes: &[u8]) {
        let Some((said, _)) = self.neighbour_discovery(bytes) else { return };
        self.learn_neighbour(&said, inner.source, inner.vid());
        self.solicitation_passes(&said, inner.vid());
    }

    fn neighbour_discovery<'f>(&self, frame: &'f [u8]) -> Option<(Discovery, Frame<'f>)> {
        if !self.guard.node().neighbour_discovery {
            return None;
        }
        Some((Discovery::find(frame)?, Frame::parse(frame).ok()?))
    }

    /// Whether a solicitation needs not go to the mesh.
    fn answer_solicitation(
        &mut self,
        asked: &Discovery,
        asker: Mac,
        vid: Vid,
        out: &mut impl Outlet,
    ) -> bool {
        let key = (asked.target, vid);
        let Some(known) = self.state.neighbours.get(key).filter(Neighbour::is_certain) else {
            return false;
        };
        let client = Client::new(known.mac, vid);
        if known.mac == asker {
            return false;
        }
        if self.is_local(client) {
            // It answers for itself (ND-13).
            let again = known.held.is_some_and(|held| self.now.since(held) < ANSWER_WITHIN);
            let held = (!again).then_some(self.now);
            self.state.neighbours.change(key, |known| known.held = held);
            return !again;
        }
        // BLA-93: another gateway of the LAN serves it, and answers or asks.
        if self.guard.best_announcer(client).is_none() || !self.may_answer_for(client) {
            return false;
        }
        let (bytes, len) = asked.advertisement(asker, known.mac, known.router, vid);
        let answer = &bytes[..len];
        if self.are_apart(answer) {
            return false;
        }
        self.counters.add_packet(Counter::Rx, Counter::RxBytes, len);
        if let Err(reason) = out.deliver(&[answer]) {
            self.counters.discard(reason);
        }
        self.counters.add(Counter::NdAnswered, 1);
        true
    }

    /// Whether the one who asked must not talk to the one who would answer (TT-121): then nothing is said in its name.
    fn are_apart(&self, answer: &[u8]) -> bool {
        Frame::parse(answer).is_ok_and(|frame| {
            let question = Frame { destination: frame.source, source: frame.destination, ..frame };
            self.are_kept_apart_here(&question) || self.are_kept_apart_there(&frame)
        })
    }

    /// What a message from the station `from` tells (ND-03 to ND-08).
    fn learn_neighbour(&mut self, said: &Discovery, from: Mac, vid: Vid) {
        if !from.is_station() {
            return;
        }
        match said.message {
            Message::Router => {
                self.state.neighbours.change((said.source, vid), |known| {
                    known.router |= known.mac == from;
                });
            }
            Message::Solicitation if is_host(said.source) => {
                if said.link_layer == Some(from) {
                    self.heard((said.source, vid), Heard::Asking { mac: from });
                }
            }
            Message::Solicitation => {}
            Message::Advertisement { router, solicited, overrides } => {
                let named = said.link_layer.is_some();
                if said.link_layer.is_some_and(|mac| mac != from) || said.others {
                    return;
                }
                let heard = match (named, overrides) {
                    (true, true) => Heard::Claim { mac: from, router, solicited },
                    (true, false) => Heard::Shared { mac: from },
                    // An answer to one who knew where to ask.
                    (false, _) => Heard::Still { mac: from, router },
                };
                self.heard((said.target, vid), heard);
            }
        }
    }

    fn heard(&mut self, key: Key, heard: Heard) {
        let known = self.state.neighbours.get(key);
        let is_there = |mac| is_announced(&self.guard, Client::new(mac, key.1));
        let Some(next) = known::after(known, heard, self.now, is_there) else { return };
        if next.is_disputed() && known.is_some_and(|known| !known.is_disputed()) {
            self.counters.add(Counter::NdDisputed, 1);
        }
        let evicted = self.state.neighbours.learn(self.now, key, next);
        if evicted > 0 {
            self.counters.add(Counter::NdEvicted, evicted);
        }
    }

    /// A solicitation goes on its way: what comes back decides (ND-07, ND-08, ND-14).
    fn solicitation_passes(&mut self, said: &Discovery, vid: Vid) {
        if said.message == Message::Solicitation {
            let now: Instant = self.now;
            let is_question = said.is_question();
            self.state.neighbours.change((said.target, vid), |known| known.asked(now, is_question));
        }
    }
}
