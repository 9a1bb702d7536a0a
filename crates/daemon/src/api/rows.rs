//! The rows of the tables, with the keys of `batctl`'s JSON in the order of their attribute numbers (MGMT-31). What
//! `batctl` prints as a flag is `true` or absent.

use super::Address;
use noctule_wire::Vid;
use noctule_wire::tvlv::multicast::MulticastFlags;
use noctule_wire::tvlv::translation_table::ClientFlags;
use serde::{Deserialize, Serialize};

pub(super) fn is_false(flag: &bool) -> bool {
    !*flag
}

/// The mesh interface and its settings: `batctl mesh_json`, as far as this node has what it names.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Mesh {
    /// Version of this program.
    pub version: String,
    /// Routing algorithm.
    pub algo_name: String,
    /// Index of the mesh interface.
    pub mesh_ifindex: u32,
    /// Its name.
    pub mesh_ifname: String,
    /// Its MAC address.
    pub mesh_address: Address,
    /// Index of the primary interface; this and the next two only while it is active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hard_ifindex: Option<u32>,
    /// Name of the primary interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hard_ifname: Option<String>,
    /// Its MAC address: the originator address of this node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hard_address: Option<Address>,
    /// Version of our client table.
    pub tt_ttvn: u8,
    /// What this node wants of multicast; this and the next one once the host has been looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mcast_flags: Option<McastFlagsRow>,
    /// Why it wants that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mcast_flags_priv: Option<McastFlagsPrivRow>,
    /// Names the LAN behind the mesh interface in claim frames; missing without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bla_group: Option<u16>,
    /// Whether OGMs are collected before sending.
    pub aggregated_ogms_enabled: bool,
    /// Whether nodes that are bridged to one LAN share the work.
    #[serde(default)]
    pub bridge_loop_avoidance_enabled: bool,
    /// Whether isolated clients without a VLAN are kept apart.
    #[serde(default)]
    pub ap_isolation_enabled: bool,
    /// Whether ARP requests are answered from the distributed table.
    #[serde(default)]
    pub distributed_arp_table_enabled: bool,
    /// Whether packets above a link's MTU are cut into fragments.
    pub fragmentation_enabled: bool,
    /// What a gateway server announces, downwards, in 100 kbit/s.
    #[serde(default)]
    pub gw_bandwidth_down: u32,
    /// And upwards.
    #[serde(default)]
    pub gw_bandwidth_up: u32,
    /// Part in gateway choice: `off`, `client` or `server`.
    #[serde(default)]
    pub gw_mode: String,
    /// When a gateway client leaves its gateway for a better one.
    #[serde(default)]
    pub gw_sel_class: u32,
    /// What each forwarded OGM loses, of 255.
    pub hop_penalty: u8,
    /// Whether all multicast frames are flooded.
    #[serde(default)]
    pub multicast_forceflood_enabled: bool,
    /// Time between own OGMs, milliseconds.
    pub orig_interval: u64,
    /// Receivers of a multicast frame up to which each gets a unicast copy.
    #[serde(default)]
    pub multicast_fanout: u32,
}

/// The node as a whole, as `noctule status` shows it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Status {
    /// Process id of the daemon.
    pub pid: u32,
    /// Time since its start, milliseconds.
    pub uptime_msecs: u64,
    /// Resident memory, bytes; left out where the system does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// MTU of the mesh interface, bytes.
    pub mesh_mtu: u32,
    /// The originator address, also while the primary interface is down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orig_address: Option<Address>,
    /// Originators known.
    pub originators: usize,
    /// Neighbours heard directly.
    pub neighbors: usize,
    /// Stations of ours, the mesh interface's own address included.
    pub local_clients: usize,
    /// Stations of others.
    pub global_clients: usize,
    /// The LAN that the mesh interface is bridged to; left out without one, and without loop avoidance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lan: Option<LanRow>,
    /// What of the packets in transit the kernel forwards by itself.
    #[serde(default)]
    pub offload: Offload,
    /// The hard interfaces.
    pub interfaces: Vec<HardInterface>,
}

/// The LAN behind the mesh interface.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LanRow {
    /// Other nodes that are bridged to it.
    pub gateways: usize,
    /// How long broadcasts are still held back on the VLAN that waits longest, milliseconds; left out when they pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_msecs: Option<u64>,
}

/// What of the packets in transit the kernel forwards by itself.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Offload {
    /// How: `tc` or `off`.
    pub how: String,
    /// Why it is off, if it was wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// Whether it goes on if the daemon dies.
    #[serde(default, skip_serializing_if = "is_false")]
    pub pinned: bool,
    /// Routes that were adopted from another daemon when this one started.
    #[serde(default)]
    pub adopted: usize,
    /// Routes that the kernel has of this daemon: one for each originator and interface of arrival.
    #[serde(default)]
    pub routes: usize,
    /// Frames that the kernel has forwarded since this daemon started.
    #[serde(default)]
    pub frames: u64,
    /// Their bytes, outer Ethernet header included.
    #[serde(default)]
    pub bytes: u64,
    /// Frames of hosts here that the kernel has sent into the mesh.
    #[serde(default)]
    pub sent_frames: u64,
    /// Frames that the kernel has handed to hosts here.
    #[serde(default)]
    pub delivered_frames: u64,
}

/// A VLAN of the mesh interface: `batctl vlan_json`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct VlanRow {
    /// Index of the mesh interface.
    pub mesh_ifindex: u32,
    /// Its name.
    pub mesh_ifname: String,
    /// Its id; -1 for what is in none.
    pub vlanid: i16,
    /// Whether isolated clients in it are kept apart.
    pub ap_isolation_enabled: bool,
}

/// An entry of the distributed ARP table's cache: `batctl dat_cache_json`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct DatCacheRow {
    /// Since somebody last spoke of it.
    pub last_seen_msecs: u64,
    /// The address.
    pub dat_cache_ip4address: std::net::Ipv4Addr,
    /// Who has it.
    pub dat_cache_hwaddress: Address,
    /// In which VLAN; -1 for none.
    pub dat_cache_vid: i32,
}

/// Who serves a client of the mesh into the LAN: `batctl bla_claim_json`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct BlaClaim {
    /// Whether this node does.
    #[serde(default, skip_serializing_if = "is_false")]
    pub bla_own: bool,
    /// The client.
    pub bla_address: Address,
    /// In which VLAN; -1 for none.
    pub bla_vid: i16,
    /// The gateway that serves it.
    pub bla_backbone: Address,
    /// CRC over all claims of that gateway.
    pub bla_crc: u16,
}

/// A node that is bridged to the LAN: `batctl bla_backbone_json`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct BlaBackbone {
    /// Since it announced itself.
    pub last_seen_msecs: u64,
    /// Whether it is this node.
    #[serde(default, skip_serializing_if = "is_false")]
    pub bla_own: bool,
    /// On which VLAN; -1 for none.
    pub bla_vid: i16,
    /// Its originator address.
    pub bla_backbone: Address,
    /// CRC over its claims.
    pub bla_crc: u16,
    /// Ours, while it is new: how long broadcasts of this VLAN are still held back, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_msecs: Option<u64>,
}

/// An entry of the cache of IPv6 neighbours: there is no such table in batctl.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct NdCacheRow {
    /// Since it was last confirmed.
    pub last_seen_msecs: u64,
    /// The address.
    pub nd_cache_ip6address: std::net::Ipv6Addr,
    /// Who has it.
    pub nd_cache_hwaddress: Address,
    /// In which VLAN; -1 for none.
    pub nd_cache_vid: i32,
    /// Whether it says that it is a router.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub router: bool,
    /// Whether it is certain enough to be answered for, as long as somebody announces it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub answered: bool,
    /// Whether two stations claim the address.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disputed: bool,
}

/// A hard interface: `batctl hardifs_json`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct HardInterface {
    /// Index of the mesh interface.
    pub mesh_ifindex: u32,
    /// Its name.
    pub mesh_ifname: String,
    /// Index of the hard interface; left out while it does not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hard_ifindex: Option<u32>,
    /// Its name.
    pub hard_ifname: String,
    /// Its MAC address; left out while it does not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hard_address: Option<Address>,
    /// Whether it is used.
    #[serde(default, skip_serializing_if = "is_false")]
    pub active: bool,
    /// Its own hop penalty.
    pub hop_penalty: u8,
    /// Why it is not active: a sentence without the interface's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inactive_because: Option<String>,
    /// Its MTU in bytes; left out while it takes no part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// The longest packet that reaches every neighbour, bytes: the MTU, or less if that was found out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carries: Option<u32>,
    /// By what data comes and goes: `packet`, or `xdp` and how; left out while it takes no part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// Why that is not `xdp`, if it could be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend_because: Option<String>,
    /// Frames that arrived here and were forwarded inside the kernel, since this daemon started; left out while nothing that
    /// arrives here is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offload_frames: Option<u64>,
    /// Their bytes, outer Ethernet header included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offload_bytes: Option<u64>,
}

/// A possible next hop towards an originator: `batctl originators_json`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Originator {
    /// Index of the interface it leads over.
    pub hard_ifindex: u32,
    /// Its name.
    pub hard_ifname: String,
    /// Towards whom.
    pub orig_address: Address,
    /// Whether this neighbour is the next hop.
    #[serde(default, skip_serializing_if = "is_false")]
    pub best: bool,
    /// How long ago the originator was heard of, milliseconds.
    pub last_seen_msecs: u64,
    /// The neighbour.
    pub neigh_address: Address,
    /// Average quality by this neighbour, 0 to 255: `BATMAN_IV`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tq: Option<u8>,
    /// Throughput by this neighbour, kbit/s: `BATMAN_V`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throughput: Option<u32>,
    /// Frames to this originator that the kernel has forwarded by itself; only in the row of the next hop, and only where
    /// the kernel forwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offload_frames: Option<u64>,
    /// Their bytes, outer Ethernet header included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offload_bytes: Option<u64>,
}

/// A neighbour: `batctl neighbors_json`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Neighbor {
    /// Index of our interface on that link.
    pub hard_ifindex: u32,
    /// Its name.
    pub hard_ifname: String,
    /// How long ago the neighbour was heard directly, milliseconds.
    pub last_seen_msecs: u64,
    /// The neighbour's interface.
    pub neigh_address: Address,
    /// Speed of the link, kbit/s: `BATMAN_V`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throughput: Option<u32>,
}

/// A gateway that a route leads to: `batctl gateways_json`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Gateway {
    /// Index of the interface it leads over.
    pub hard_ifindex: u32,
    /// Its name.
    pub hard_ifname: String,
    /// The gateway.
    pub orig_address: Address,
    /// Whether it is the chosen one.
    #[serde(default, skip_serializing_if = "is_false")]
    pub best: bool,
    /// Quality of the route, 0 to 255: `BATMAN_IV`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tq: Option<u8>,
    /// Throughput of the route, in 100 kbit/s: `BATMAN_V`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throughput: Option<u32>,
    /// What it announces, upwards, in 100 kbit/s.
    pub bandwidth_up: u32,
    /// And downwards.
    pub bandwidth_down: u32,
    /// The next hop.
    pub router: Address,
}

/// A client of ours: `batctl transtable_local_json`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LocalClient {
    /// Who.
    pub tt_address: Address,
    /// CRC of its VLAN.
    pub tt_crc32: u32,
    /// Its VLAN, -1 for untagged (MGMT-06).
    pub tt_vid: i16,
    /// Flags.
    pub tt_flags: ClientFlagsRow,
    /// How long ago it last sent something, milliseconds; left out for clients that never age.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen_msecs: Option<u64>,
}

/// A client of another node, as one originator announces it: `batctl transtable_global_json`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct GlobalClient {
    /// The originator.
    pub orig_address: Address,
    /// Who.
    pub tt_address: Address,
    /// Version of the originator's table when it announced this.
    pub tt_ttvn: u8,
    /// Last version of its table that we have seen.
    pub tt_last_ttvn: u8,
    /// CRC of the originator's VLAN.
    pub tt_crc32: u32,
    /// Its VLAN, -1 for untagged (MGMT-06).
    pub tt_vid: i16,
    /// Flags.
    pub tt_flags: ClientFlagsRow,
    /// Whether frames to the client go to this originator.
    #[serde(default, skip_serializing_if = "is_false")]
    pub best: bool,
}

/// The flags of a client, one by one and as a number (MGMT-31, "Nested objects").
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct ClientFlagsRow {
    /// Bit 0.
    pub del: bool,
    /// Bit 1: the client moved to another node.
    pub roam: bool,
    /// Bit 4: it is on Wi-Fi.
    pub wifi: bool,
    /// Bit 5: it is isolated.
    pub isolated: bool,
    /// Bit 8: it never ages.
    pub nopurge: bool,
    /// Bit 9: not announced yet.
    pub new: bool,
    /// Bit 10: about to be removed.
    pub pending: bool,
    /// Bit 11: learned from payload, not announced yet.
    pub temp: bool,
    /// All of them.
    pub raw: u16,
}

impl From<ClientFlags> for ClientFlagsRow {
    fn from(flags: ClientFlags) -> Self {
        Self {
            del: flags.contains(ClientFlags::DEL),
            roam: flags.contains(ClientFlags::ROAM),
            wifi: flags.contains(ClientFlags::WIFI),
            isolated: flags.contains(ClientFlags::ISOLATED),
            nopurge: flags.contains(ClientFlags::NOPURGE),
            new: flags.contains(ClientFlags::NEW),
            pending: flags.contains(ClientFlags::PENDING),
            temp: flags.contains(ClientFlags::TEMP),
            raw: flags.0,
        }
    }
}

/// What one originator wants of multicast: `batctl mcast_flags_json`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct McastFlags {
    /// Who.
    pub orig_address: Address,
    /// What it announces; left out if it announces nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mcast_flags: Option<McastFlagsRow>,
}

/// The flags of the MCAST container, one by one and as a number.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct McastFlagsRow {
    /// Bit 0: wants 224.0.0.0/24 and ff02::1.
    pub all_unsnoopables: bool,
    /// Bit 1: wants all IPv4 multicast.
    pub want_all_ipv4: bool,
    /// Bit 2: wants all IPv6 multicast.
    pub want_all_ipv6: bool,
    /// Bit 3: has no IPv4 multicast router.
    pub want_no_rtr_ipv4: bool,
    /// Bit 4: has no IPv6 multicast router.
    pub want_no_rtr_ipv6: bool,
    /// Bit 5: understands multicast packets.
    pub have_mc_ptype_capa: bool,
    /// All of them.
    pub raw: u32,
}

/// What a node sees of its bridge.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct McastFlagsPrivRow {
    /// Bit 0: there is a bridge above the mesh interface; the others count only then.
    pub bridged: bool,
    /// Bit 1: it has an IGMP querier.
    pub querier_ipv4_exists: bool,
    /// Bit 2: it has an MLD querier.
    pub querier_ipv6_exists: bool,
    /// Bit 3: the IGMP querier is not in the mesh.
    pub querier_ipv4_shadowing: bool,
    /// Bit 4: the MLD querier is not in the mesh.
    pub querier_ipv6_shadowing: bool,
    /// All of them.
    pub raw: u32,
}

impl From<MulticastFlags> for McastFlagsRow {
    fn from(flags: MulticastFlags) -> Self {
        Self {
            all_unsnoopables: flags.contains(MulticastFlags::WANT_UNSNOOPABLE),
            want_all_ipv4: flags.contains(MulticastFlags::WANT_IPV4),
            want_all_ipv6: flags.contains(MulticastFlags::WANT_IPV6),
            want_no_rtr_ipv4: flags.contains(MulticastFlags::NO_ROUTER_IPV4),
            want_no_rtr_ipv6: flags.contains(MulticastFlags::NO_ROUTER_IPV6),
            have_mc_ptype_capa: flags.contains(MulticastFlags::HAVE_PACKETS),
            raw: flags.0.into(),
        }
    }
}

impl From<Option<[noctule_control::Querier; 2]>> for McastFlagsPrivRow {
    fn from(queriers: Option<[noctule_control::Querier; 2]>) -> Self {
        let Some([ipv4, ipv6]) = queriers else { return Self::default() };
        let bits = [true, ipv4.exists, ipv6.exists, ipv4.shadowing, ipv6.shadowing];
        Self {
            bridged: true,
            querier_ipv4_exists: ipv4.exists,
            querier_ipv6_exists: ipv6.exists,
            querier_ipv4_shadowing: ipv4.shadowing,
            querier_ipv6_shadowing: ipv6.shadowing,
            raw: (0..).zip(bits).map(|(bit, on)| u32::from(on) << bit).sum(),
        }
    }
}

/// A VLAN as tables print it (MGMT-06).
pub(crate) fn vid_number(vid: Vid) -> i16 {
    // An id has 12 bits.
    vid.id().map_or(-1, |id| id as i16)
}
