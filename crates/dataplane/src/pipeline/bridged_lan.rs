//! Frames from and for a LAN that other nodes may be bridged into, too: who forwards what
//! (06-bridge-loop-avoidance.md sections 7 to 11).
//!
//! The claims are the engine's. What is decided here between two of its turns, or read from the LAN, stands in
//! [`RecentClients`] for the moment that the engine takes to publish it: the frame behind a CLAIM must find it.

use super::recent::RecentClients;
use super::{Carrier, Session};
use crate::{Hint, Outlet};
use core::time::Duration;
use noctule_fib::{BridgeNews, BridgedLan, ClaimEntry, Counter, Guard};
use noctule_wire::claim::{ClaimType, Recognised, recognise};
use noctule_wire::ethernet::Frame;
use noctule_wire::{Claim, Client, Discard, ETHERNET_HEADER_LEN, Instant, Mac, Vid};

/// A frame of a claimed client from the LAN that is younger than this beside the client's last one from the mesh is that
/// very frame coming back; an older one shows that the client has moved (BLA-116, BLA-117).
const CLAIM_RACE: Duration = Duration::from_millis(100);

/// Who serves a client into the LAN.
#[derive(Clone, Copy, Debug)]
enum Server<'g> {
    Nobody,
    /// We do; the entry is missing while the engine has yet to publish it.
    Us(Option<&'g ClaimEntry>),
    Another,
}

fn server<'g>(
    now: Instant,
    guard: &'g Guard<'_>,
    recent: &RecentClients,
    own: Mac,
    client: Client,
) -> Server<'g> {
    let entry = guard.claim(client);
    match recent.fresh(now, client).or(entry.map(|entry| entry.owner)) {
        None | Some(Mac::ZERO) => Server::Nobody,
        Some(owner) if owner == own => Server::Us(entry.filter(|entry| entry.owner == own)),
        Some(_) => Server::Another,
    }
}

impl Session<'_> {
    /// A frame of the host, before anything is learned from it (BLA-111 to BLA-119). A VLAN that the mesh interface lacks
    /// ends here, in either direction: there nobody watches over loops (BLA-42 `[DEV]`).
    ///
    /// # Errors
    /// It must not enter the mesh.
    pub(super) fn lan_to_mesh(
        &mut self,
        frame: &Frame<'_>,
        bytes: &[u8],
        out: &mut impl Outlet,
    ) -> Result<(), Discard> {
        let node = self.guard.node();
        let (Some(lan), Some(own)) = (node.lan.as_deref(), node.primary) else { return Ok(()) };
        match recognise(bytes) {
            Recognised::No => {}
            Recognised::Nested => return Err(Discard::ClaimFrame),
            Recognised::Claim(claim) => {
                if let Some(sender) = claim.gateway().filter(|sender| *sender != own) {
                    self.claim_frame(claim, sender, out);
                    return Err(Discard::ClaimFrame);
                }
            }
        }
        let client = frame.source_client();
        if !node.vlans.contains(client.vid) {
            return Err(Discard::UnknownVlan);
        }
        let to_group = frame.destination.is_group();
        if to_group && lan.gate.contains(client.vid) {
            return Err(Discard::GateClosed);
        }
        let Session { now, guard, state, .. } = self;
        match server(*now, guard, &state.recent.claims, own, client) {
            Server::Nobody => {}
            Server::Us(entry) => {
                let used = entry.map_or(*now, ClaimEntry::used);
                if !used.timed_out(*now, CLAIM_RACE) {
                    return Err(Discard::OwnClaim);
                }
                state.recent.claims.set(*now, client, Mac::ZERO);
                let group = guard.node().lan.as_ref().map_or(0, |lan| lan.group);
                self.emit(Claim::unclaiming(own, client.mac, client.vid, group), out);
                self.tell(BridgeNews::Unclaimed(client), out);
            }
            Server::Another if to_group => return Err(Discard::ForeignClaim),
            Server::Another => {}
        }
        self.passed(client.vid, out);
        Ok(())
    }

    /// A claim frame of another gateway. What the engine will make of it is foreseen here (BLA-24, BLA-25, BLA-30, BLA-31).
    fn claim_frame(&mut self, claim: Claim, sender: Mac, out: &mut impl Outlet) {
        let Session { now, guard, state, .. } = self;
        let node = guard.node();
        let group = node.lan.as_ref().map(|lan| lan.group);
        let accepted = group == Some(claim.group) || guard.originator(sender).is_some();
        if !accepted || !claim.is_plausible() || !node.vlans.contains(claim.vid) {
            return;
        }
        let news = match claim.claim_type {
            ClaimType::Claim => Some((claim.source, sender)),
            ClaimType::Unclaim => Some((claim.sender, Mac::ZERO)),
            _ => None,
        };
        if let Some((client, owner)) = news {
            let client = Client::new(client, claim.vid);
            state.recent.claims.set(*now, client, owner);
            // Whoever it was left to has taken it. When it is free again, it is left to that one again (BLA-N1).
            state.recent.yielded.forget(client);
        }
        self.tell(BridgeNews::Frame(claim), out);
    }

    /// A frame of the mesh for the host (BLA-101 to BLA-109).
    ///
    /// # Errors
    /// It must not enter the LAN.
    pub(super) fn mesh_to_lan(
        &mut self,
        carrier: Carrier,
        frame: &Frame<'_>,
        bytes: &[u8],
        out: &mut impl Outlet,
    ) -> Result<(), Discard> {
        let Session { now, guard, state, .. } = self;
        let node = guard.node();
        let (Some(lan), Some(own)) = (node.lan.as_deref(), node.primary) else { return Ok(()) };
        let client = frame.source_client();
        if let Some((_, until)) = lan.loop_detect.filter(|(mac, _)| *mac == client.mac) {
            if *now <= until {
                self.tell(BridgeNews::Loop(client.vid), out);
            }
            return Err(Discard::LoopDetect);
        }
        // BLA-97: the mesh has no say in who serves whom.
        match recognise(bytes) {
            Recognised::No => {}
            Recognised::Claim(Claim { claim_type: ClaimType::LoopDetect, .. }) => {}
            Recognised::Nested | Recognised::Claim(_) => return Err(Discard::ClaimFrame),
        }
        if !node.vlans.contains(client.vid) {
            return Err(Discard::UnknownVlan);
        }
        // BLA-46: what a packet names its one receiver for passes. MCAST-60: multicast packets count as copies here.
        let is_copy = frame.destination.is_group() && !matches!(carrier, Carrier::Unicast4Addr(_));
        if is_copy && lan.gate.contains(client.vid) {
            return Err(Discard::GateClosed);
        }
        if is_copy && carrier == Carrier::Unicast && state.lan_duplicates.check(*now, None, bytes) {
            return Err(Discard::LanDuplicate);
        }
        match server(*now, guard, &state.recent.claims, own, client) {
            Server::Us(Some(entry)) => entry.use_at(*now),
            Server::Us(None) => {}
            Server::Another if is_copy => return Err(Discard::ForeignClaim),
            // Whoever is to claim it has the frame, too. If nobody does, the engine claims it, or we with the next frame.
            Server::Nobody
                if is_copy
                    && !lan.is_first_choice(own, client)
                    && state
                        .recent
                        .yielded
                        .age(*now, client)
                        .is_none_or(|age| age < CLAIM_RACE) =>
            {
                if state.recent.yielded.age(*now, client).is_none() {
                    state.recent.yielded.set(*now, client, Mac::ZERO);
                    self.tell(BridgeNews::Yielded(client), out);
                }
                return Err(Discard::ForeignClaim);
            }
            // BLA-58: a claim is about a station.
            Server::Nobody | Server::Another if client.mac.is_station() => {
                state.recent.claims.set(*now, client, own);
                let group = lan.group;
                self.emit(Claim::claiming(own, client.mac, client.vid, group), out);
                self.tell(BridgeNews::Claimed(client), out);
            }
            Server::Nobody | Server::Another => {}
        }
        self.passed(client.vid, out);
        Ok(())
    }

    /// Whether a broadcast's originator is bridged to our LAN, where the frame then is already (BLA-50).
    pub(super) fn is_of_our_lan(&self, originator: Mac, inner: &[u8]) -> bool {
        let Some(vid) = self.lan_vid(inner) else { return false };
        self.guard.is_backbone(originator, vid)
    }

    /// Whether a unicast packet comes from a gateway of our LAN (BLA-51). The packet does not say; its last hop may only
    /// have relayed it `[DEV]`: a client that is announced from outside of the LAN is not in there.
    pub(super) fn is_sent_from_our_lan(&self, last_hop: Mac, inner: &[u8]) -> bool {
        let Some(vid) = self.lan_vid(inner) else { return false };
        if !self.guard.is_backbone(last_hop, vid) {
            return false;
        }
        let source = Mac::from_prefix(inner.get(6..).unwrap_or_default()).unwrap_or(Mac::ZERO);
        let announcers = self.guard.global(Client::new(source, vid));
        !announcers.is_some_and(|entry| {
            entry.announcers.as_slice().iter().any(|mac| !self.guard.is_backbone(*mac, vid))
        })
    }

    fn lan_vid(&self, inner: &[u8]) -> Option<Vid> {
        self.guard.node().lan.as_ref()?;
        if inner.len() < ETHERNET_HEADER_LEN {
            return None;
        }
        Frame::parse(inner).ok().map(|frame| frame.vid())
    }

    /// Whether this node may say where a client is: nobody else serves it into the LAN (BLA-93).
    pub(super) fn may_answer_for(&self, client: Client) -> bool {
        let node = self.guard.node();
        let (Some(_), Some(own)) = (node.lan.as_ref(), node.primary) else { return true };
        !matches!(
            server(self.now, &self.guard, &self.state.recent.claims, own, client),
            Server::Another
        )
    }

    /// Something passed on this VLAN, so the others must know of us (BLA-17).
    fn passed(&mut self, vid: Vid, out: &mut impl Outlet) {
        let lan: Option<&BridgedLan> = self.guard.node().lan.as_deref();
        if lan.is_some_and(|lan| !lan.announced.contains(vid))
            && self.state.recent.claims.note(self.now, Client::new(Mac::ZERO, vid), Mac::ZERO)
        {
            self.tell(BridgeNews::Traffic(vid), out);
        }
    }

    fn emit(&self, claim: Claim, out: &mut impl Outlet) {
        let mut bytes = [0; Claim::LEN_MAX];
        let bytes = &mut bytes[..claim.wire_len()];
        claim.emit(bytes);
        self.counters.add_packet(Counter::Rx, Counter::RxBytes, bytes.len());
        if let Err(reason) = out.deliver(&[bytes]) {
            self.counters.discard(reason);
        }
    }

    fn tell(&self, news: BridgeNews, out: &mut impl Outlet) {
        if let Err(reason) = out.hint(Hint::Bridge(news)) {
            self.counters.discard(reason);
        }
    }
}
