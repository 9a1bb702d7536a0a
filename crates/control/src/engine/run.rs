//! The engine's turn: one input, told to the parts it concerns.

use crate::algorithm::Algorithm;
use crate::bridge_loop_avoidance::BridgeLoopAvoidance;
use crate::distributed_arp_table::DistributedArpTable;
use crate::gateway::GatewayChoice;
use crate::interfaces::Interfaces;
use crate::link_mtu::LinkMtus;
use crate::multicast::Multicast;
use crate::routing::RoutingEvent;
use crate::throughput_meter::ThroughputMeter;
use crate::translation_table::{Disposition, TranslationTable};
use crate::{
    BackboneRow, ClaimRow, Context, Event, GatewayRow, GlobalRow, Input, InterfaceRow, LocalRow,
    MulticastRow, NeighbourRow, OriginatorRow, Output, Overview, OwnMulticast, Rng, RouteReport,
    Routing, Settings, gateway, icmp, tvlv,
};
use noctule_fib::{Counters, Iface, IfaceEntry, NextHop, Node, View, VlanSet, Writer};
use noctule_wire::ethernet::Frame;
use noctule_wire::tvlv::Kind;
use noctule_wire::tvlv::multicast::MulticastFlags;
use noctule_wire::{Discard, Fragment, Instant, Mac, PacketType, UnicastTvlv, packet};
use std::collections::VecDeque;
use std::sync::Arc;

/// The control plane of one node.
///
/// Call [`Self::handle`] with each thing that happens, then [`Self::poll_output`] until it is `None`; hand in
/// [`Input::Deadline`] when [`Self::next_deadline`] has come. What is decided about forwarding appears in the tables that
/// the [`Writer`] writes, not among the outputs.
#[derive(Debug)]
pub struct Engine {
    settings: Settings,
    interfaces: Interfaces,
    routing: Algorithm,
    table: TranslationTable,
    multicast: Multicast,
    link_mtus: LinkMtus,
    dat: DistributedArpTable,
    gateway: GatewayChoice,
    bridge: BridgeLoopAvoidance,
    meter: ThroughputMeter,
    fib: Writer,
    counters: Arc<Counters>,
    outputs: VecDeque<Output>,
    rng: Rng,
    /// MTU of the smallest link when the packet limit was last told to the table.
    packet_limit: usize,
    /// MTU of the mesh interface, bytes.
    mesh_mtu: u32,
    /// VLANs of the mesh interface.
    vlans: Arc<VlanSet>,
    /// What readers of the FIB see of this node.
    published: Node,
}

impl Engine {
    /// A node without interfaces. `fib` is the one writer of its tables, `counters` the calling thread's; `seed` decides
    /// all jitter.
    pub fn new(
        now: Instant,
        settings: Settings,
        fib: Writer,
        counters: Arc<Counters>,
        seed: u64,
    ) -> Self {
        let mut engine = Self {
            routing: Algorithm::new(settings.routing_algorithm),
            settings: settings.clamp(),
            interfaces: Interfaces::default(),
            table: TranslationTable::new(),
            multicast: Multicast::new(),
            link_mtus: LinkMtus::default(),
            dat: DistributedArpTable::default(),
            gateway: GatewayChoice::default(),
            bridge: BridgeLoopAvoidance::new(),
            meter: ThroughputMeter::default(),
            fib,
            counters,
            outputs: VecDeque::new(),
            rng: Rng::new(seed),
            packet_limit: 0,
            mesh_mtu: u32::MAX,
            vlans: Arc::default(),
            published: Node::default(),
        };
        engine.publish_node(now);
        engine.publish_multicast(now);
        engine.settings_changed(now);
        engine
    }

    /// Takes one input. Bounded work, no I/O, no clock, and nothing a peer sends makes it fail.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Attach { iface, link, settings, seqno } => {
                if self.interfaces.get(iface).is_some() {
                    return;
                }
                self.reshape(now, iface, |interfaces| {
                    interfaces.attach(iface, link, settings.clamp())
                });
                let (mut ctx, parts) = self.split(now);
                parts.routing.attach(&mut ctx, parts.interfaces, iface, seqno);
            }
            Input::Changed { iface, link } => {
                if self.interfaces.get(iface).is_none_or(|interface| interface.link == link) {
                    return;
                }
                self.reshape(now, iface, |interfaces| interfaces.change(iface, link));
                let (mut ctx, parts) = self.split(now);
                parts.routing.changed(&mut ctx, parts.interfaces, iface);
            }
            Input::Detach { iface } => {
                if self.interfaces.get(iface).is_none() {
                    return;
                }
                self.reshape(now, iface, |interfaces| interfaces.detach(iface));
                let (mut ctx, parts) = self.split(now);
                parts.routing.detach(&mut ctx, parts.interfaces, iface);
                parts.link_mtus.forget(iface);
                if parts.interfaces.iter().next().is_none() {
                    parts.gateway.no_interface(&mut ctx);
                }
            }
            Input::MeshInterface { mac, mtu } => {
                self.mesh_mtu = mtu;
                let (mut ctx, parts) = self.split(now);
                parts.table.set_mesh_interface(&mut ctx, parts.routing, mac, mtu);
            }
            Input::Vlans(vlans) => self.set_vlans(now, vlans),
            Input::Frame { iface, bytes } => self.on_frame(now, iface, bytes),
            Input::LearnLocal { client, wifi, isolated } => {
                let (mut ctx, parts) = self.split(now);
                parts.table.learn_local(&mut ctx, parts.routing, client, wifi, isolated);
            }
            Input::LocalAttributes { client, wifi, isolated } => {
                let (mut ctx, parts) = self.split(now);
                parts.table.set_local_attributes(&mut ctx, client, wifi, isolated);
            }
            Input::LearnRemote { client, originator } => {
                let (mut ctx, parts) = self.split(now);
                parts.table.learn_remote(&mut ctx, parts.routing, client, originator);
            }
            Input::Multicast(host) => {
                let (mut ctx, parts) = self.split(now);
                let groups_max = parts.table.groups_max(&ctx);
                let groups =
                    parts.multicast.set_host(ctx.counters, parts.interfaces, host, groups_max);
                parts.table.set_listeners(&mut ctx, &groups);
            }
            Input::Bridged(bridged) => {
                let (mut ctx, parts) = self.split(now);
                parts.bridge.set_bridged(&mut ctx, bridged);
            }
            Input::Bridge(news) => {
                let vlans = Arc::clone(&self.vlans);
                let (mut ctx, parts) = self.split(now);
                parts.bridge.on_news(&mut ctx, parts.routing, &vlans, news);
            }
            Input::Probe(probe) => {
                let (mut ctx, parts) = self.split(now);
                let exit = parts
                    .routing
                    .router(probe.destination, View::Default)
                    .and_then(|hop| parts.interfaces.get(hop.iface))
                    .map(|interface| interface.link.mac);
                icmp::on_probe(&mut ctx, parts.routing, exit, probe);
            }
            Input::MeterStart(request) => {
                let (mut ctx, parts) = self.split(now);
                parts.meter.start(&mut ctx, parts.routing, request);
            }
            Input::MeterCancel { destination } => {
                let (mut ctx, parts) = self.split(now);
                parts.meter.cancel(&mut ctx, destination);
            }
            Input::MeterRefused { destination, seqno } => {
                self.meter.refused(now, destination, seqno);
            }
            Input::Settings(settings) => {
                // The algorithm is chosen once.
                let routing_algorithm = self.settings.routing_algorithm;
                self.settings = Settings { routing_algorithm, ..settings.clone() }.clamp();
                if !self.settings.mtu_probing {
                    // Nobody would look any more whether what was found still holds.
                    self.link_mtus = LinkMtus::default();
                    for iface in Iface::all() {
                        self.interfaces.set_limit(iface, None);
                    }
                }
                let (mut ctx, parts) = self.split(now);
                parts.routing.settings_changed(&mut ctx, parts.interfaces);
                self.settings_changed(now);
            }
            Input::InterfaceSettings { iface, settings } => {
                self.interfaces.set_settings(iface, settings.clamp());
                let (mut ctx, parts) = self.split(now);
                parts.routing.settings_changed(&mut ctx, parts.interfaces);
            }
            Input::Measured { iface, neighbour, measured } => {
                let (mut ctx, parts) = self.split(now);
                parts.routing.measured(&mut ctx, parts.interfaces, iface, neighbour, measured);
            }
            Input::Deadline => self.on_deadline(now),
        }
        self.drain_parts(now);
        self.tend_bridge(now);
        self.update_packet_limit(now);
        self.publish_node(now);
        self.publish_multicast(now);
    }

    /// The next thing to do, oldest first. Call until `None` after every [`Self::handle`].
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to hand in [`Input::Deadline`]; [`Instant::NEVER`] if nothing is planned.
    pub fn next_deadline(&self) -> Instant {
        self.routing
            .next_deadline()
            .min(self.table.next_deadline())
            .min(self.link_mtus.next_deadline())
            .min(self.gateway.next_deadline())
            .min(self.bridge.next_deadline())
            .min(self.meter.next_deadline())
    }

    /// The settings in force.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The node as a whole.
    pub fn overview(&self) -> Overview {
        Overview {
            primary: self.interfaces.primary_mac(),
            primary_iface: self.interfaces.primary(),
            ttvn: self.table.ttvn(),
            originators: self.routing.len(),
            local_clients: self.table.local_len(),
            global_clients: self.table.global_len(),
        }
    }

    /// The originator table as the default view has it (IV-103).
    pub fn originator_rows(&self, now: Instant) -> Vec<OriginatorRow> {
        self.routing.originator_rows(now, &self.interfaces)
    }

    /// The originator table of one interface's view (IV-104).
    pub fn originator_rows_of(&self, now: Instant, iface: Iface) -> Vec<OriginatorRow> {
        self.routing.originator_rows_of(now, &self.interfaces, iface)
    }

    /// All that decides about the default route to an originator; `None` if it is unknown.
    pub fn route_report(&self, now: Instant, originator: Mac) -> Option<RouteReport> {
        self.routing.route_report(now, &self.settings, originator)
    }

    /// Who is on one link, as flooding knows it (FWD-86).
    pub fn neighbours_on(&self, iface: Iface) -> noctule_fib::Neighbours {
        self.routing.neighbours(iface)
    }

    /// Whether a neighbour is an interface of the node with this originator address, as far as it tells.
    pub fn speaks_as(&self, hop: NextHop, originator: Mac) -> bool {
        self.routing.speaks_as(hop, originator)
    }

    /// The neighbour table (IV-105).
    pub fn neighbour_rows(&self, now: Instant) -> Vec<NeighbourRow> {
        self.routing.neighbour_rows(now)
    }

    /// Our clients.
    pub fn local_rows(&self, now: Instant) -> Vec<LocalRow> {
        self.table.local_rows(now, &self.fib)
    }

    /// The clients of others.
    pub fn global_rows(&self) -> Vec<GlobalRow> {
        self.table.global_rows(&self.routing)
    }

    /// What this node wants of multicast; `None` until the host has been looked at.
    pub fn own_multicast(&self) -> Option<OwnMulticast> {
        self.multicast.own()
    }

    /// What the others want of multicast.
    pub fn multicast_rows(&self) -> Vec<MulticastRow> {
        self.multicast.rows()
    }

    /// The gateways that a route leads to.
    pub fn gateway_rows(&self) -> Vec<GatewayRow> {
        {
            let measure = |metric| self.routing.measure(metric);
            self.gateway.rows(&self.routing, measure)
        }
    }

    /// Who serves which client of the mesh into the LAN behind us.
    pub fn claim_rows(&self) -> Vec<ClaimRow> {
        self.bridge.claim_rows()
    }

    /// The gateways of that LAN, ourselves among them.
    pub fn backbone_rows(&self, now: Instant) -> Vec<BackboneRow> {
        self.bridge.backbone_rows(now)
    }

    /// The name of that LAN in claim frames; `None` without one.
    pub fn lan_group(&self) -> Option<u16> {
        self.bridge.group()
    }

    /// The hard interfaces, in attachment order.
    pub fn interface_rows(&self) -> Vec<InterfaceRow> {
        let primary = self.interfaces.primary();
        let row = |(iface, interface): (Iface, &crate::interfaces::Interface)| InterfaceRow {
            iface,
            mac: interface.link.mac,
            mtu: interface.link.mtu,
            carries: interface.carries(),
            active: interface.active(),
            primary: primary == Some(iface),
            wifi: interface.link.wifi,
            hop_penalty: interface.settings.hop_penalty,
        };
        self.interfaces.iter().map(row).collect()
    }

    /// Largest MTU the mesh interface can have with the links as they are (FWD-16); `None` without an active link.
    pub fn mesh_mtu_max(&self) -> Option<u32> {
        let limit = self.packet_size_max()?;
        Some(
            u32::try_from(limit.saturating_sub(ENCAPSULATION))
                .unwrap_or(u32::MAX)
                .min(MESH_MTU_MAX),
        )
    }

    /// Changes the interfaces, and tells of what that does to the interface itself and to the primary role.
    fn reshape(&mut self, now: Instant, iface: Iface, change: impl FnOnce(&mut Interfaces)) {
        let active_before = self.interfaces.active(iface).is_some();
        let primary_before = self.interfaces.primary_mac();
        change(&mut self.interfaces);
        let active = self.interfaces.active(iface).is_some();
        let primary = self.interfaces.primary_mac();
        // The data plane must know its own addresses before anything is said under them.
        self.publish_node(now);
        let (mut ctx, _) = self.split(now);
        if active != active_before {
            let event = if active { Event::InterfaceActive } else { Event::InterfaceInactive };
            ctx.event(event(iface));
        }
        if primary != primary_before {
            ctx.event(Event::Primary(primary));
        }
    }

    fn set_vlans(&mut self, now: Instant, vlans: &VlanSet) {
        let before = core::mem::replace(&mut self.vlans, Arc::new(vlans.clone()));
        let (mut ctx, parts) = self.split(now);
        parts.bridge.set_vlans(&mut ctx, vlans);
        for vid in before.iter().filter(|vid| !vlans.contains(*vid)) {
            parts.table.remove_vlan(&mut ctx, vid);
        }
        for vid in vlans.iter().filter(|vid| !before.contains(*vid)) {
            parts.table.add_vlan(&mut ctx, parts.routing, vid);
        }
    }

    fn on_frame(&mut self, now: Instant, iface: Iface, bytes: &[u8]) {
        if let Err(discard) = self.try_frame(now, iface, bytes) {
            self.counters.discard(discard);
        }
    }

    fn try_frame(&mut self, now: Instant, iface: Iface, bytes: &[u8]) -> Result<(), Discard> {
        let frame = Frame::parse(bytes)?;
        self.interfaces.active(iface).ok_or(Discard::Inactive)?;
        let packet_type = packet::packet_type(frame.payload)?;
        // The data plane has looked already, but the engine must not depend on who feeds it.
        packet::check_addresses(packet_type, frame.destination, frame.source, |mac| {
            self.interfaces.is_mine(mac)
        })?;
        match packet_type {
            PacketType::Ogm | PacketType::Elp | PacketType::Ogm2 => {
                let (mut ctx, parts) = self.split(now);
                parts.table.frame_heard();
                parts.routing.on_frame(
                    &mut ctx,
                    parts.interfaces,
                    iface,
                    packet_type,
                    frame.destination,
                    frame.source,
                    frame.payload,
                )
            }
            PacketType::UnicastTvlv => self.on_unicast_tvlv(now, iface, frame.payload),
            PacketType::Icmp => {
                let (_, destination) = packet::unicast_style(frame.payload)?;
                let for_me = self.interfaces.is_mine(destination);
                let (mut ctx, parts) = self.split(now);
                if for_me && let Some(icmp) = icmp::metered(frame.payload)? {
                    return parts.meter.on_packet(&mut ctx, parts.routing, &icmp);
                }
                let routing = &*parts.routing;
                let probed = |by, uid, seqno, len| {
                    let speaks_as = |hop| routing.speaks_as(hop, by);
                    parts.link_mtus.answered(speaks_as, uid, seqno, len)
                };
                icmp::on_packet(&mut ctx, routing, for_me, frame.payload, probed);
                Ok(())
            }
            _ => Err(Discard::Type),
        }
    }

    fn on_unicast_tvlv(&mut self, now: Instant, iface: Iface, bytes: &[u8]) -> Result<(), Discard> {
        let tvlv = UnicastTvlv::parse(bytes)?;
        let for_me = self.interfaces.is_mine(tvlv.destination);
        let (mut ctx, parts) = self.split(now);
        let disposition = tvlv::on_unicast(&mut ctx, parts.routing, parts.table, for_me, &tvlv);
        if disposition == Disposition::Consumed || for_me {
            return Ok(());
        }
        if tvlv.ttl < 2 {
            return Err(Discard::TtlSpent);
        }
        if !parts.routing.knows(tvlv.destination) {
            return Err(Discard::UnknownOriginator);
        }
        let mut packet = bytes[..tvlv.wire_len()].to_vec();
        packet::set_ttl(&mut packet, tvlv.ttl - 1);
        ctx.output(Output::ToOriginator {
            destination: tvlv.destination,
            view: View::Arrival(iface),
            packet,
        });
        Ok(())
    }

    fn on_deadline(&mut self, now: Instant) {
        let (mut ctx, parts) = self.split(now);
        let table = &mut *parts.table;
        let multicast = parts.multicast.own_value();
        let gateway = &mut *parts.gateway;
        parts.routing.on_deadline(&mut ctx, parts.interfaces, &mut |ctx, room| {
            own_containers(ctx, table, multicast, room)
        });
        if table.next_deadline() <= now {
            table.on_deadline(&mut ctx, parts.routing);
        }
        if gateway.next_deadline() <= now {
            gateway.on_deadline(&mut ctx, parts.routing);
        }
        if parts.bridge.next_deadline() <= now {
            parts.bridge.on_deadline(&mut ctx, parts.routing);
        }
        if parts.meter.next_deadline() <= now {
            parts.meter.on_deadline(&mut ctx);
        }
        if ctx.settings.mtu_probing {
            parts.link_mtus.on_deadline(&mut ctx, parts.interfaces, parts.routing);
        }
        for iface in Iface::all() {
            self.interfaces.set_limit(iface, self.link_mtus.carries(iface));
        }
    }

    /// Tells the parts what the routing algorithm has noticed.
    fn drain_parts(&mut self, now: Instant) {
        while let Some(event) = self.routing.poll_event() {
            let (mut ctx, parts) = self.split(now);
            match event {
                RoutingEvent::Tvlvs { originator, had_router, area } => {
                    // A first request goes out only when its answer can come back (TT-84).
                    let may_request = had_router
                        && parts
                            .routing
                            .router(originator, View::Default)
                            .is_some_and(|hop| parts.routing.hears_us(hop.mac));
                    tvlv::on_ogm(
                        &mut ctx,
                        parts.routing,
                        parts.table,
                        originator,
                        may_request,
                        &area,
                    );
                    parts.bridge.on_ogm(&ctx, originator);
                    parts.multicast.on_ogm(parts.routing, originator, &area);
                    parts.gateway.on_ogm(&mut ctx, parts.routing, originator, &area);
                    self.dat.on_ogm(&self.routing, originator, &area);
                }
                RoutingEvent::RouteLost(originator) => {
                    parts.table.route_lost(&mut ctx, originator);
                    parts.gateway.route_lost(&mut ctx, parts.routing, originator);
                }
                RoutingEvent::Gone(originator) => {
                    parts.table.originator_gone(&mut ctx, originator);
                    parts.multicast.originator_gone(originator);
                    parts.gateway.originator_gone(originator);
                    self.dat.originator_gone(originator);
                }
                // The node is published after every input anyway.
                RoutingEvent::NeighboursChanged => {}
            }
        }
    }

    /// Starts and stops bridge loop avoidance, and tells the table which originators' clients are in our own LAN.
    fn tend_bridge(&mut self, now: Instant) {
        let (mut ctx, parts) = self.split(now);
        parts.bridge.reconcile(&mut ctx);
        for (originator, vid, is_one) in parts.bridge.take_changes() {
            parts.table.set_backbone(&mut ctx, originator, vid, is_one);
        }
    }

    /// Largest packet that the links can carry, in fragments where that is allowed (FWD-15).
    fn packet_size_max(&self) -> Option<usize> {
        let mtu = usize::try_from(self.interfaces.mtu_min()?).ok()?;
        Some(if self.settings.fragmentation {
            mtu.min(Fragment::SIZE_MAX).saturating_sub(Fragment::HEADER_LEN) * Fragment::PARTS_MAX
        } else {
            mtu
        })
    }

    fn update_packet_limit(&mut self, now: Instant) {
        let Some(limit) = self.packet_size_max().filter(|limit| *limit != self.packet_limit) else {
            return;
        };
        self.packet_limit = limit;
        let (mut ctx, parts) = self.split(now);
        parts.table.set_packet_limit(&mut ctx, limit);
    }

    /// The longest IP packet that crosses our links in one piece, if TCP is to be held to it.
    fn clamp_to(&self) -> Option<u16> {
        if !self.settings.clamp_mss {
            return None;
        }
        let whole = self.interfaces.mtu_min()?.saturating_sub(ENCAPSULATION as u32);
        Some(u16::try_from(whole.min(self.mesh_mtu)).unwrap_or(u16::MAX))
    }

    fn publish_node(&mut self, now: Instant) {
        let (ctx, parts) = self.split(now);
        let local_full = parts.table.is_full(&ctx);
        // Nearly always the same, and empty.
        let narrow = if self.link_mtus.limits().eq(self.published.narrow.iter().copied()) {
            Arc::clone(&self.published.narrow)
        } else {
            self.link_mtus.limits().collect()
        };
        let mut node = Node {
            narrow,
            primary: self.interfaces.primary_mac(),
            fragmentation: self.settings.fragmentation,
            clamp_to: self.clamp_to(),
            dat: self.settings.distributed_arp_table.then(|| self.dat.ring()),
            neighbour_discovery: self.settings.neighbour_discovery_cache,
            local_full,
            vlans: Arc::clone(&self.vlans),
            isolation: Arc::clone(&self.settings.ap_isolation),
            lan: self.bridge.lan(now),
            ..Node::default()
        };
        for (iface, interface) in Iface::all().filter_map(|i| Some((i, self.interfaces.get(i)?))) {
            node.ifaces[iface.index()] = Some(IfaceEntry {
                mac: interface.link.mac,
                mtu: interface.link.mtu,
                active: interface.active(),
                wifi: interface.link.wifi,
                neighbours: self.routing.neighbours(iface),
            });
        }
        if node != self.published {
            self.fib.set_node(node.clone());
            self.published = node;
        }
    }

    fn settings_changed(&mut self, now: Instant) {
        let (mut ctx, parts) = self.split(now);
        parts.gateway.settings_changed(&mut ctx);
    }

    fn publish_multicast(&mut self, now: Instant) {
        let (mut ctx, parts) = self.split(now);
        parts.multicast.publish(&mut ctx, parts.interfaces);
    }

    fn split(&mut self, now: Instant) -> (Context<'_>, Parts<'_>) {
        let ctx = Context {
            now,
            settings: &self.settings,
            primary: self.interfaces.primary_mac(),
            fib: &mut self.fib,
            counters: &self.counters,
            outputs: &mut self.outputs,
            rng: &mut self.rng,
        };
        let parts = Parts {
            interfaces: &self.interfaces,
            routing: &mut self.routing,
            table: &mut self.table,
            multicast: &mut self.multicast,
            link_mtus: &mut self.link_mtus,
            gateway: &mut self.gateway,
            bridge: &mut self.bridge,
            meter: &mut self.meter,
        };
        (ctx, parts)
    }
}

/// Outer Ethernet header and 4-address header: what the mesh interface's MTU must leave room for (WIRE-120).
const ENCAPSULATION: usize = 32;
/// Upper bound of the mesh interface's MTU (WIRE-121).
const MESH_MTU_MAX: u32 = 65_503;

struct Parts<'a> {
    interfaces: &'a Interfaces,
    routing: &'a mut Algorithm,
    table: &'a mut TranslationTable,
    multicast: &'a mut Multicast,
    link_mtus: &'a mut LinkMtus,
    gateway: &'a mut GatewayChoice,
    bridge: &'a mut BridgeLoopAvoidance,
    meter: &'a mut ThroughputMeter,
}

/// The TVLV area of the own OGM that is about to leave (IV-17): the containers of the translation table, as long as there
/// is a table to announce, of gateway choice, of multicast and of the distributed ARP table (DAT-20). `None` if it cannot be
/// built; then no OGM is sent in this round (TVLV-08).
fn own_containers(
    ctx: &mut Context<'_>,
    table: &mut TranslationTable,
    multicast: Option<[u8; MulticastFlags::LEN]>,
    room: usize,
) -> Option<Vec<u8>> {
    const HEADER: usize = noctule_wire::tvlv::CONTAINER_HEADER_LEN;
    let dat = ctx.settings.distributed_arp_table.then_some(&[][..]);
    let gateway = gateway::own_value(ctx.settings);
    let others = [dat, gateway.as_ref().map(|v| &v[..]), multicast.as_ref().map(|v| &v[..])];
    let taken: usize = others.iter().flatten().map(|value| HEADER + value.len()).sum();
    let table = table.ogm_value(ctx, room.saturating_sub(HEADER + taken));
    let [dat, gateway, multicast] = others;
    let containers = [
        gateway.map(|value| (Kind::GATEWAY, value)),
        dat.map(|value| (Kind::DISTRIBUTED_ARP_TABLE, value)),
        table.as_deref().map(|value| (Kind::TRANSLATION_TABLE, value)),
        multicast.map(|value| (Kind::MULTICAST, value)),
    ];
    let mut area = Vec::new();
    for (kind, value) in containers.into_iter().flatten() {
        if let Err(discard) = noctule_wire::tvlv::append(&mut area, kind, value) {
            ctx.discard(discard);
            return None;
        }
    }
    Some(area)
}

#[cfg(test)]
mod tests;
