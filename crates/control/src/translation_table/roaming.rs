//! Clients that come to us, and clients that go (sections 5.3 and 13).

use super::announce::is_announceable;
use super::{Disposition, TranslationTable, send};
use crate::{Context, Learned, Routing};
use noctule_fib::{Counter, View};
use noctule_wire::tvlv::Kind;
use noctule_wire::tvlv::roaming::Roaming;
use noctule_wire::tvlv::translation_table::ClientFlags;
use noctule_wire::{Client, Discard, Mac, UnicastTvlv};

/// What is particular to a client (section 4.3).
const ATTRIBUTES: ClientFlags = ClientFlags::WIFI.or(ClientFlags::ISOLATED);

impl TranslationTable {
    /// The learn procedure (TT-19). Returns whether the client is in the local table now.
    pub(super) fn learn(
        &mut self,
        ctx: &mut Context<'_>,
        routing: &dyn Routing,
        client: Client,
        wifi: bool,
        isolated: bool,
    ) -> bool {
        let own = self.mesh_mac == Some(client.mac);
        let mut returned = false;
        if self.local.get(client).is_some() {
            returned = self.local.seen(ctx.now, client);
        } else {
            if self.local.vlan(client.vid).is_none() {
                return false;
            }
            // The node's own address is never refused: without it nobody could speak to the node (TT-33).
            if !own && self.is_full(ctx) {
                self.tell_full(ctx);
                return false;
            }
            self.local.insert(ctx.now, client, ClientFlags::NONE);
        }
        if own {
            self.local.set_flags(client, ClientFlags::NOPURGE, ClientFlags::NOPURGE);
        }
        self.take_over(ctx, routing, client, returned);
        self.set_attributes(client, wifi, isolated);
        true
    }

    /// Says what is particular to a client of ours; another value than before is announced (TT-21, FWD-125).
    pub(super) fn set_attributes(&mut self, client: Client, wifi: bool, isolated: bool) {
        let attributes = ClientFlags::NONE
            .with(ClientFlags::WIFI, wifi && self.mesh_mac != Some(client.mac))
            .with(ClientFlags::ISOLATED, isolated);
        self.local.set_flags(client, ATTRIBUTES, attributes);
    }

    /// 5.3 step 4: whoever announces a client that is here now is told, once (TT-20). One that came back to us before
    /// we withdrew it is advertised although it is marked, and forgotten (TT-22 `[DEV]`).
    ///
    /// The next commit says so again even if we never withdrew it (TT-19 `[DEV]`): advertisements get lost, and two nodes
    /// that both announce a client, each believing that the other has been told, do so until it ages.
    fn take_over(
        &mut self,
        ctx: &mut Context<'_>,
        routing: &dyn Routing,
        client: Client,
        returned: bool,
    ) {
        let Some(entry) = self.global.get(client) else { return };
        if entry.flags.contains(ClientFlags::ROAM) && !returned {
            return;
        }
        let listed: Vec<Mac> =
            entry.announcements.as_slice().iter().map(|said| said.originator).collect();
        for originator in listed {
            self.advertise(ctx, routing, client, originator);
        }
        self.local.announce_again(client);
        if returned {
            self.global.forget(client);
        } else {
            self.global.set_roam(client, Some(ctx.now));
        }
    }

    /// Tells an originator that its client is with us now (TT-106), within the rate of TT-107.
    fn advertise(
        &mut self,
        ctx: &mut Context<'_>,
        routing: &dyn Routing,
        client: Client,
        originator: Mac,
    ) {
        let Some(primary) = ctx.primary else { return };
        if !routing.knows(originator) {
            return;
        }
        if !self.roams_sent.allow(ctx.now, client) {
            return ctx.discard(Discard::RateLimited);
        }
        let value = Roaming { client }.to_bytes();
        if send(ctx, originator, primary, Kind::ROAMING, &value) {
            ctx.counters.add(Counter::TtRoamAdvTx, 1);
        }
    }

    /// The ROAM container of a unicast TVLV packet, at every hop (TT-07, TT-108).
    pub(crate) fn on_roaming(
        &mut self,
        ctx: &mut Context<'_>,
        routing: &dyn Routing,
        for_me: bool,
        packet: &UnicastTvlv<'_>,
        value: &[u8],
    ) -> Disposition {
        if !for_me {
            return Disposition::PassOn;
        }
        match self.accept_roaming(ctx, routing, packet.source, value) {
            Ok(()) => ctx.counters.add(Counter::TtRoamAdvRx, 1),
            Err(reason) => ctx.discard(reason),
        }
        self.publish(ctx);
        Disposition::Consumed
    }

    fn accept_roaming(
        &mut self,
        ctx: &mut Context<'_>,
        routing: &dyn Routing,
        source: Mac,
        value: &[u8],
    ) -> Result<(), Discard> {
        let Roaming { client } = Roaming::parse(value)?;
        if !routing.knows(source) || ctx.primary == Some(source) {
            return Err(Discard::UnknownOriginator);
        }
        if !is_announceable(client) || client.mac.is_group() {
            return Err(Discard::Malformed);
        }
        // TT-110: any node can claim any client. Whoever cannot be reached cannot serve it either.
        if routing.router(source, View::Default).is_none() {
            return Err(Discard::NoRoute);
        }
        let peer = self.global.peer_or_new(source);
        let ttvn = peer.ttvn.next();
        if !peer.roam_tokens.take(ctx.now, 1) || !self.roams_accepted.allow(ctx.now, client) {
            return Err(Discard::RateLimited);
        }
        // An advertisement says nothing of the client's attributes. If it is late, what the announcement before it said
        // stays true: without that our copy would differ from the source's CRC.
        let entry = self.global.get(client);
        let said = entry.and_then(|entry| entry.announcements.of(source));
        let attributes = said.map_or(ClientFlags::NONE, |said| said.flags());
        self.announce(ctx, client, ClientFlags::ROAM.or(attributes), source, ttvn, Learned::Roamed)
            .map_err(|_| Discard::TableFull)
    }
}
