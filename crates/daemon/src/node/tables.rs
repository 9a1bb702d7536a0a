//! The engine's tables as the control socket shows them.

use super::Node;
use super::links::Port;
use crate::api::{self, Reply, ReplyLine, rows::vid_number};
use crate::control_socket::Table;
use crate::settings::mode_name;
use core::time::Duration;
use noctule_fib::Iface;
use noctule_wire::ogm2::Throughput;
use noctule_wire::{Client, Vid};
use std::collections::BTreeSet;
use std::fs;

impl Node {
    /// One table, as of this instant.
    pub(super) fn table(&self, table: &Table) -> ReplyLine {
        let reply = match table {
            Table::Status => Reply::Status(Box::new(self.status())),
            Table::Originators { interface } => match self.originators(interface.as_deref()) {
                Ok(rows) => Reply::Originators(rows),
                Err(sentence) => Reply::Error(sentence),
            },
            Table::Neighbors => Reply::Neighbors(self.neighbors()),
            Table::Translocal => Reply::Translocal(self.translocal()),
            Table::Transglobal => Reply::Transglobal(self.transglobal()),
            Table::McastFlags => Reply::McastFlags(self.mcast_flags()),
            // The worker fills it in.
            Table::DatCache => Reply::DatCache(Vec::new()),
            Table::Claimtable => Reply::Claimtable(self.claimtable()),
            Table::Backbonetable => Reply::Backbonetable(self.backbonetable()),
            Table::NdCache => Reply::NdCache(Vec::new()),
            Table::Gateways => Reply::Gateways(self.gateways()),
            Table::Interfaces => Reply::Interfaces(self.interfaces()),
            Table::Vlans => Reply::Vlans(self.vlans()),
            Table::Why(wanted) => {
                self.why(wanted).map_or_else(Reply::Error, |why| Reply::Why(Box::new(why)))
            }
        };
        ReplyLine { mesh: Some(self.mesh_row()), ..ReplyLine::new(reply) }
    }

    fn mesh_row(&self) -> api::Mesh {
        let overview = self.engine.overview();
        let settings = self.engine.settings();
        let multicast = self.engine.own_multicast();
        // The module has none while its link is down (MGMT section 1.3), and is silent then. Here the others go on, and so
        // do the tables.
        let any_active = self
            .ports
            .iter()
            .any(|port| port.attached.as_ref().is_some_and(|attached| attached.link.has_carrier()));
        let primary = overview
            .primary_iface
            .and_then(|iface| self.ports.get(iface)?.attached.as_ref())
            .filter(|_| any_active);
        api::Mesh {
            version: env!("CARGO_PKG_VERSION").into(),
            algo_name: settings.routing_algorithm.name().into(),
            mesh_ifindex: self.mesh.ifindex(),
            mesh_ifname: self.mesh.name.clone(),
            mesh_address: self.mesh.mac.into(),
            hard_ifindex: primary.map(|attached| attached.link.index),
            hard_ifname: primary.map(|attached| attached.link.name.clone()),
            hard_address: primary.and(overview.primary).map(Into::into),
            tt_ttvn: overview.ttvn.0,
            mcast_flags: multicast.map(|own| own.flags.into()),
            mcast_flags_priv: multicast.map(|own| own.queriers.into()),
            bla_group: self.engine.lan_group(),
            aggregated_ogms_enabled: settings.aggregation,
            bridge_loop_avoidance_enabled: settings.bridge_loop_avoidance,
            ap_isolation_enabled: settings.ap_isolation.contains(Vid::UNTAGGED),
            distributed_arp_table_enabled: settings.distributed_arp_table,
            fragmentation_enabled: settings.fragmentation,
            gw_bandwidth_down: settings.gateway_bandwidth.down.0,
            gw_bandwidth_up: settings.gateway_bandwidth.up.0,
            gw_mode: mode_name(settings.gateway_mode).into(),
            gw_sel_class: settings.gateway_class,
            hop_penalty: settings.hop_penalty,
            multicast_forceflood_enabled: settings.multicast_forceflood,
            orig_interval: u64::try_from(settings.orig_interval.as_millis()).unwrap_or(u64::MAX),
            multicast_fanout: settings.multicast_fanout,
        }
    }

    fn status(&self) -> api::Status {
        let overview = self.engine.overview();
        let now = self.clock.now();
        // The tables have groups, too, that somebody has joined, and a row for each node that announces a client.
        let is_station = |client: &Client| !client.mac.is_group();
        let local = self.engine.local_rows(now).into_iter().map(|row| row.client);
        let global = self.engine.global_rows().into_iter().filter(|row| row.best);
        api::Status {
            pid: std::process::id(),
            uptime_msecs: now.as_millis(),
            memory_bytes: resident_bytes(),
            mesh_mtu: self.mesh.mtu,
            orig_address: overview.primary.map(Into::into),
            originators: overview.originators,
            neighbors: self.engine.neighbour_rows(now).len(),
            local_clients: local.filter(is_station).count(),
            global_clients: global.map(|row| row.client).filter(is_station).count(),
            lan: self.lan(),
            offload: self.offload.row(),
            interfaces: self.interfaces(),
        }
    }

    fn lan(&self) -> Option<api::LanRow> {
        self.engine.lan_group()?;
        let rows = self.engine.backbone_rows(self.clock.now());
        let others: BTreeSet<_> =
            rows.iter().filter(|row| !row.own).map(|row| row.backbone).collect();
        let waits = rows.iter().filter_map(|row| row.waits).max();
        Some(api::LanRow { gateways: others.len(), waits_msecs: waits.map(millis) })
    }

    /// What is in no VLAN first.
    fn vlans(&self) -> Vec<api::VlanRow> {
        let isolation = &self.engine.settings().ap_isolation;
        let row = |vid: Vid| api::VlanRow {
            mesh_ifindex: self.mesh.ifindex(),
            mesh_ifname: self.mesh.name.clone(),
            vlanid: vid_number(vid),
            ap_isolation_enabled: isolation.contains(vid),
        };
        std::iter::once(Vid::UNTAGGED).chain(self.mesh.vlans.iter()).map(row).collect()
    }

    pub(super) fn interfaces(&self) -> Vec<api::HardInterface> {
        let known = self.engine.interface_rows();
        let row = |port: &Port| {
            let known = known.iter().find(|row| row.iface == port.iface);
            let attached = port.attached.as_ref();
            let offloaded = attached.and_then(|_| self.offload.arrived(port.iface));
            api::HardInterface {
                mesh_ifindex: self.mesh.ifindex(),
                mesh_ifname: self.mesh.name.clone(),
                hard_ifindex: attached.map(|attached| attached.link.index),
                hard_ifname: self.name(port.iface),
                hard_address: attached.and_then(|attached| attached.link.mac).map(Into::into),
                active: attached.is_some_and(|attached| attached.link.has_carrier()),
                hop_penalty: port.config.engine.hop_penalty,
                inactive_because: self.inactive_because(port),
                mtu: known.map(|row| row.mtu),
                carries: known.map(|row| row.carries),
                backend: attached.map(|attached| attached.backend.name().into()),
                backend_because: attached.and_then(|attached| self.backend_because(attached)),
                offload_frames: offloaded.map(|(frames, _)| frames),
                offload_bytes: offloaded.map(|(_, bytes)| bytes),
            }
        };
        self.ports.iter().map(row).collect()
    }

    fn originators(&self, interface: Option<&str>) -> Result<Vec<api::Originator>, String> {
        let now = self.clock.now();
        let rows = match interface {
            None => self.engine.originator_rows(now),
            Some(name) => {
                let port = self.ports.iter().find(|port| self.name(port.iface) == name);
                let port = port.ok_or_else(|| self.no_such_port(name))?;
                self.engine.originator_rows_of(now, port.iface)
            }
        };
        let row = |row: noctule_control::OriginatorRow| {
            let offloaded = self.offload.sent(row.originator).filter(|_| row.best);
            api::Originator {
                hard_ifindex: self.ifindex(row.iface),
                hard_ifname: self.name(row.iface),
                orig_address: row.originator.into(),
                best: row.best,
                last_seen_msecs: millis(row.last_seen),
                neigh_address: row.neighbour.into(),
                tq: row.metric.tq(),
                throughput: row.metric.throughput().map(kbit),
                offload_frames: offloaded.map(|counts| counts.frames),
                offload_bytes: offloaded.map(|counts| counts.bytes),
            }
        };
        Ok(rows.into_iter().map(row).collect())
    }

    fn neighbors(&self) -> Vec<api::Neighbor> {
        let row = |row: noctule_control::NeighbourRow| api::Neighbor {
            hard_ifindex: self.ifindex(row.iface),
            hard_ifname: self.name(row.iface),
            last_seen_msecs: millis(row.last_seen),
            neigh_address: row.neighbour.into(),
            throughput: row.throughput.map(kbit),
        };
        self.engine.neighbour_rows(self.clock.now()).into_iter().map(row).collect()
    }

    fn translocal(&self) -> Vec<api::LocalClient> {
        let row = |row: noctule_control::LocalRow| api::LocalClient {
            tt_address: row.client.mac.into(),
            tt_crc32: row.crc,
            tt_vid: vid_number(row.client.vid),
            tt_flags: row.flags.into(),
            last_seen_msecs: row.last_seen.map(millis),
        };
        self.engine.local_rows(self.clock.now()).into_iter().map(row).collect()
    }

    fn transglobal(&self) -> Vec<api::GlobalClient> {
        let row = |row: noctule_control::GlobalRow| api::GlobalClient {
            orig_address: row.originator.into(),
            tt_address: row.client.mac.into(),
            tt_ttvn: row.ttvn.0,
            tt_last_ttvn: row.last_ttvn.0,
            tt_crc32: row.crc,
            tt_vid: vid_number(row.client.vid),
            tt_flags: row.flags.into(),
            best: row.best,
        };
        self.engine.global_rows().into_iter().map(row).collect()
    }

    fn mcast_flags(&self) -> Vec<api::McastFlags> {
        let row = |row: noctule_control::MulticastRow| api::McastFlags {
            orig_address: row.originator.into(),
            mcast_flags: row.flags.map(Into::into),
        };
        self.engine.multicast_rows().into_iter().map(row).collect()
    }

    fn claimtable(&self) -> Vec<api::BlaClaim> {
        let row = |row: noctule_control::ClaimRow| api::BlaClaim {
            bla_own: row.own,
            bla_address: row.client.mac.into(),
            bla_vid: vid_number(row.client.vid),
            bla_backbone: row.backbone.into(),
            bla_crc: row.crc,
        };
        self.engine.claim_rows().into_iter().map(row).collect()
    }

    fn backbonetable(&self) -> Vec<api::BlaBackbone> {
        let row = |row: noctule_control::BackboneRow| api::BlaBackbone {
            last_seen_msecs: millis(row.last_seen),
            bla_own: row.own,
            bla_vid: vid_number(row.vid),
            bla_backbone: row.backbone.into(),
            bla_crc: row.crc,
            waits_msecs: row.waits.map(millis),
        };
        self.engine.backbone_rows(self.clock.now()).into_iter().map(row).collect()
    }

    fn gateways(&self) -> Vec<api::Gateway> {
        let row = |row: noctule_control::GatewayRow| api::Gateway {
            hard_ifindex: self.ifindex(row.router.iface),
            hard_ifname: self.name(row.router.iface),
            orig_address: row.originator.into(),
            best: row.best,
            tq: row.metric.tq(),
            throughput: row.metric.throughput().map(|Throughput(units)| units),
            bandwidth_up: row.bandwidth.up.0,
            bandwidth_down: row.bandwidth.down.0,
            router: row.router.mac.into(),
        };
        self.engine.gateway_rows().into_iter().map(row).collect()
    }

    /// The name of a hard interface: its own, or the configured one while it does not exist.
    pub(super) fn name(&self, iface: Iface) -> String {
        let Some(port) = self.ports.get(iface) else { return String::new() };
        port.attached.as_ref().map_or(&port.config.name, |attached| &attached.link.name).clone()
    }

    fn ifindex(&self, iface: Iface) -> u32 {
        let attached = self.ports.get(iface).and_then(|port| port.attached.as_ref());
        attached.map_or(0, |attached| attached.link.index)
    }
}

/// As tools are told of links and paths (V-91, V-92).
pub(super) fn kbit(Throughput(units): Throughput) -> u32 {
    units.saturating_mul(100)
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Resident memory of this process.
fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
