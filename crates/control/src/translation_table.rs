//! Client announcement: who is behind which node (04-translation-table.md).
//!
//! Each node keeps a *local* table of the clients behind its mesh interface and announces every change with its OGMs;
//! from what the others announce it builds the *global* table. Version numbers and CRCs tell whether a copy is in step;
//! if not, the table is requested.
//!
//! Both tables are the engine's own. What the data plane needs of them is published into the FIB at the end of each
//! call, entry by entry, and before the version that belongs to it.

mod announce;
mod announcements;
mod change_queue;
mod commit;
mod consistency;
mod global;
mod housekeeping;
mod limits;
mod listeners;
mod local;
mod peer;
mod request;
mod response;
mod roaming;
mod rows;
#[cfg(test)]
mod tests;

use crate::{Context, Learned, Output, Routing};
use commit::Announced;
use global::GlobalTable;
use limits::{AnswerLimit, ROAM_ACCEPTED_MAX, ROAM_SENT_MAX, RequestLimit, RoamWindows};
use local::LocalTable;
use noctule_fib::View;
use noctule_wire::tvlv::{self, Kind, translation_table as tt};
use noctule_wire::{Client, Discard, Instant, Mac, Ttvn, UnicastTvlv};

/// Originators that are bridged to our own LAN, and on which VLAN.
type Backbones = std::collections::BTreeSet<(Mac, noctule_wire::Vid)>;

/// What becomes of a unicast TVLV packet after a handler has seen it (TVLV-26).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Disposition {
    /// It ends here.
    Consumed,
    /// It goes on towards its destination.
    PassOn,
}

/// The longest packet there is while fragments are on and no link is below MTU 1280: 16 times 1260 bytes (section 5.9).
const PACKET_LIMIT_DEFAULT: usize = 20_160;
/// MTU of the mesh interface until it is known.
const MESH_MTU_DEFAULT: u32 = 1500;

/// The local and the global table, and everything that keeps them in step with the mesh.
#[derive(Debug)]
pub(crate) struct TranslationTable {
    local: LocalTable,
    announced: Announced,
    global: GlobalTable,
    /// Originators whose clients of a VLAN are in our own LAN (TT-81).
    backbones: Backbones,
    mesh_mac: Option<Mac>,
    mesh_mtu: u32,
    /// `S` of section 5.9.
    packet_limit: usize,
    /// Whether the operator has been told that the local table is full.
    full_told: bool,
    requests: RequestLimit,
    answers: AnswerLimit,
    /// Groups that we announce (MCAST-17).
    listeners: std::collections::BTreeSet<Mac>,
    roams_sent: RoamWindows,
    roams_accepted: RoamWindows,
    next_housekeeping: Instant,
}

impl TranslationTable {
    /// Empty tables, version 0, VID 0 (TT-29, TT-43).
    pub(crate) fn new() -> Self {
        Self {
            local: LocalTable::new(),
            announced: Announced::default(),
            global: GlobalTable::default(),
            backbones: Backbones::default(),
            mesh_mac: None,
            mesh_mtu: MESH_MTU_DEFAULT,
            packet_limit: PACKET_LIMIT_DEFAULT,
            full_told: false,
            requests: RequestLimit::new(),
            answers: AnswerLimit::new(),
            listeners: std::collections::BTreeSet::new(),
            roams_sent: RoamWindows::new(ROAM_SENT_MAX),
            roams_accepted: RoamWindows::new(ROAM_ACCEPTED_MAX),
            next_housekeeping: Instant::ZERO,
        }
    }

    /// The mesh interface has this MAC address, which becomes a client on every VLAN (TT-31, TT-32), and this MTU.
    pub(crate) fn set_mesh_interface(
        &mut self,
        ctx: &mut Context<'_>,
        routing: &dyn Routing,
        mac: Mac,
        mtu: u32,
    ) {
        self.mesh_mtu = mtu;
        let old = self.mesh_mac.replace(mac);
        if old == Some(mac) {
            return;
        }
        for vid in self.local.configured() {
            if let Some(old) = old {
                self.retract_own(Client::new(old, vid));
            }
            self.learn(ctx, routing, Client::new(mac, vid), false, false);
        }
        self.publish(ctx);
    }

    /// A client was seen on the host side (section 5.3). Returns whether it is in the table: if not, its frames are not
    /// to be sent (TT-17).
    pub(crate) fn learn_local(
        &mut self,
        ctx: &mut Context<'_>,
        routing: &dyn Routing,
        client: Client,
        wifi: bool,
        isolated: bool,
    ) -> bool {
        if !client.mac.is_station() || client.mac.is_loop_detect() {
            return false;
        }
        let known = self.learn(ctx, routing, client, wifi, isolated);
        if !known {
            ctx.discard(Discard::TableFull);
        }
        self.publish(ctx);
        known
    }

    /// A client of ours is behind another kind of port (TT-21). Nothing happens to one that is gone or going.
    pub(crate) fn set_local_attributes(
        &mut self,
        ctx: &mut Context<'_>,
        client: Client,
        wifi: bool,
        isolated: bool,
    ) {
        let stays = |entry: &local::LocalEntry| !entry.flags.contains(tt::ClientFlags::PENDING);
        if self.local.get(client).is_some_and(stays) {
            self.set_attributes(client, wifi, isolated);
            self.publish(ctx);
        }
    }

    /// Payload showed a client of another node (section 12).
    pub(crate) fn learn_remote(
        &mut self,
        ctx: &mut Context<'_>,
        routing: &dyn Routing,
        client: Client,
        originator: Mac,
    ) {
        let usable = client.mac.is_station()
            && !client.mac.is_loop_detect()
            && client.vid.is_valid()
            && ctx.primary != Some(originator);
        if !usable || !routing.knows(originator) {
            return;
        }
        let ttvn = self.global.peer_or_new(originator).ttvn;
        // Refusal is normal: the client is announced already, or ours (TT-103).
        let _ =
            self.announce(ctx, client, tt::ClientFlags::TEMP, originator, ttvn, Learned::Payload);
        self.publish(ctx);
    }

    /// A VLAN appears on the mesh interface (TT-29, TT-31).
    pub(crate) fn add_vlan(
        &mut self,
        ctx: &mut Context<'_>,
        routing: &dyn Routing,
        vid: noctule_wire::Vid,
    ) {
        if !vid.is_valid() || vid.id() == Some(0) {
            return;
        }
        self.local.configure(vid);
        if let Some(mac) = self.mesh_mac {
            self.learn(ctx, routing, Client::new(mac, vid), false, false);
        }
        self.publish(ctx);
    }

    /// A VLAN disappears from the mesh interface; VID 0 never does (TT-29, TT-31).
    pub(crate) fn remove_vlan(&mut self, ctx: &mut Context<'_>, vid: noctule_wire::Vid) {
        if vid == noctule_wire::Vid::UNTAGGED {
            return;
        }
        if let Some(mac) = self.mesh_mac {
            self.retract_own(Client::new(mac, vid));
        }
        self.local.deconfigure(vid);
        self.publish(ctx);
    }

    /// An originator is, or is no more, bridged to our own LAN. Its clients on that VLAN are not behind it, but here
    /// (BLA-35, BLA-90).
    pub(crate) fn set_backbone(
        &mut self,
        ctx: &mut Context<'_>,
        originator: Mac,
        vid: noctule_wire::Vid,
        is_one: bool,
    ) {
        if is_one {
            self.backbones.insert((originator, vid));
            self.global.remove_vlan(originator, vid);
            self.publish(ctx);
        } else {
            self.backbones.remove(&(originator, vid));
        }
    }

    /// A frame with OGMs has come in; what they say follows by [`Self::on_ogm`].
    pub(crate) fn frame_heard(&mut self) {
        self.requests.frame_heard();
    }

    /// The route to an originator is lost in some view: its clients are forgotten until its table is fetched again
    /// (TT-73).
    pub(crate) fn route_lost(&mut self, ctx: &mut Context<'_>, originator: Mac) {
        self.global.remove_originator(originator);
        self.publish(ctx);
    }

    /// An originator is forgotten, and with it all that is known of its table (TT-73).
    pub(crate) fn originator_gone(&mut self, ctx: &mut Context<'_>, originator: Mac) {
        self.global.remove_peer(originator);
        self.publish(ctx);
    }

    /// Version of our own table.
    pub(crate) const fn ttvn(&self) -> Ttvn {
        self.announced.ttvn
    }

    /// Clients of ours, the mesh interface's own address included.
    pub(crate) fn local_len(&self) -> usize {
        self.local.len()
    }

    /// Clients of others.
    pub(crate) fn global_len(&self) -> usize {
        self.global.len()
    }

    /// Withdraws the mesh interface's own address from a VLAN; from now on it is a client like others.
    fn retract_own(&mut self, client: Client) {
        let nopurge = tt::ClientFlags::NOPURGE;
        self.local.set_flags(client, nopurge, tt::ClientFlags::NONE);
        self.local.remove(client, false);
    }

    /// Ends every call that may have changed something.
    fn publish(&mut self, ctx: &mut Context<'_>) {
        self.local.publish(ctx.fib);
        self.global.publish(ctx.fib);
    }
}

/// What one client adds to the CRC of its VLAN (TT-52).
fn client_crc(client: Client, flags: tt::ClientFlags) -> u32 {
    #[cfg(test)]
    tests::CRCS.with(|count| count.set(count.get() + 1));
    tt::client_crc(client, flags)
}

/// Sends one container to an originator, as control traffic in the default view (TVLV-23).
fn send(ctx: &mut Context<'_>, destination: Mac, source: Mac, kind: Kind, value: &[u8]) -> bool {
    let mut tvlvs = Vec::with_capacity(tvlv::CONTAINER_HEADER_LEN + value.len());
    if tvlv::append(&mut tvlvs, kind, value).is_err() || tvlvs.len() > usize::from(u16::MAX) {
        return false;
    }
    let unicast = UnicastTvlv::new(destination, source, &tvlvs);
    let mut packet = vec![0; unicast.wire_len()];
    unicast.emit(&mut packet);
    ctx.output(Output::ToOriginator { destination, view: View::Default, packet });
    true
}
