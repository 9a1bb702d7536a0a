//! What the engine can be told. Defaults are those of `batman-adv` (02-batman-iv.md section 1).

use crate::RoutingAlgorithm;
use core::time::Duration;
use noctule_fib::Isolation;
use noctule_wire::Elp;
use noctule_wire::tvlv::gateway::Gateway;
use std::sync::Arc;

/// Settings of the whole mesh interface. All but the first can change at run time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// How routes are found; cannot change while the node lives.
    pub routing_algorithm: RoutingAlgorithm,
    /// Time between own OGMs; 40 ms to 2^31-1 ms, clamped by [`Self::clamp`].
    pub orig_interval: Duration,
    /// What each forwarded OGM loses: TQ · (255 - penalty) / 255.
    pub hop_penalty: u8,
    /// Collect OGMs for up to 100 ms before sending.
    pub aggregation: bool,
    /// Cut packets above a link's MTU into fragments.
    pub fragmentation: bool,
    /// Find out what each link really carries, and cut packets accordingly.
    pub mtu_probing: bool,
    /// Find out which other nodes are bridged into the LAN behind the mesh interface, if there is one, and share the work.
    pub bridge_loop_avoidance: bool,
    /// Take part in the distributed ARP table, and answer ARP requests from it.
    pub distributed_arp_table: bool,
    /// Answer IPv6 neighbour solicitations of hosts here from what was heard.
    pub neighbour_discovery_cache: bool,
    /// Lower the maximum segment size of TCP connections to what crosses the links in one piece.
    pub clamp_mss: bool,
    /// Flood all multicast frames, whoever listens (MCAST-31).
    pub multicast_forceflood: bool,
    /// Up to how many receivers get a unicast copy each before a multicast frame is flooded (MCAST-39).
    pub multicast_fanout: u32,
    /// In which VLANs isolated clients are kept apart (TT-121).
    pub ap_isolation: Arc<Isolation>,
    /// Part in gateway choice.
    pub gateway_mode: GatewayMode,
    /// What a gateway server announces; neither number is 0.
    pub gateway_bandwidth: Gateway,
    /// When a gateway client leaves its gateway for a better one (08-gateway.md section 6): with B.A.T.M.A.N. IV 1 to 255,
    /// with B.A.T.M.A.N. V by how much the other must be faster, units of 100 kbit/s.
    pub gateway_class: u32,
    /// Bounds of the tables.
    pub limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            routing_algorithm: RoutingAlgorithm::default(),
            orig_interval: Duration::from_millis(1000),
            hop_penalty: 30,
            aggregation: true,
            fragmentation: true,
            mtu_probing: true,
            clamp_mss: false,
            bridge_loop_avoidance: true,
            distributed_arp_table: true,
            neighbour_discovery_cache: true,
            multicast_forceflood: false,
            multicast_fanout: 16,
            ap_isolation: Arc::default(),
            gateway_mode: GatewayMode::Off,
            gateway_bandwidth: Gateway::DEFAULT,
            gateway_class: 20,
            limits: Limits::default(),
        }
    }
}

impl Settings {
    /// Shortest OGM interval.
    pub const ORIG_INTERVAL_MIN: Duration = Duration::from_millis(40);
    /// Longest OGM interval.
    pub const ORIG_INTERVAL_MAX: Duration = Duration::from_millis(0x7fff_ffff);

    /// With every value inside its range.
    #[must_use]
    pub fn clamp(mut self) -> Self {
        self.orig_interval =
            self.orig_interval.clamp(Self::ORIG_INTERVAL_MIN, Self::ORIG_INTERVAL_MAX);
        self.gateway_class = self.gateway_class.clamp(1, self.routing_algorithm.class_max());
        // A 0 would say "no gateway" to everybody (GW-03).
        let Gateway { down, up } = &mut self.gateway_bandwidth;
        down.0 = down.0.max(1);
        up.0 = up.0.max(1);
        self
    }
}

/// A node's part in gateway choice (GW-01).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum GatewayMode {
    /// None: DHCP is flooded like any broadcast.
    #[default]
    Off,
    /// Sends the DHCP requests of its clients to the gateway that it has chosen.
    Client,
    /// Announces its uplink and answers DHCP requests.
    Server,
}

/// How much a stranger can make us remember. A neighbour can make us forget, never grow without end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Originators known at once (IV-H2). Each hard interface of each node is one. A quarter is kept for neighbours. At the
    /// limit those make room to which no good route leads, then what a neighbour brought that leads to more than others do;
    /// if all are in use, new ones are ignored.
    pub originators: usize,
    /// Possible next hops remembered per originator (IV-H3). At the limit a better one takes the place of the worst; the
    /// direct link always finds a place.
    pub candidates: usize,
    /// Clients of all other nodes together; one that several announce counts for each (TT-67). Each takes about 165
    /// bytes, tables of the data plane included: 11 MiB when a stranger has filled them. A mesh of 500 nodes with 10,000
    /// clients needs a fifth.
    pub global_clients: usize,
    /// Clients learned from payload, of all nodes together (TT-105).
    pub temporary_clients: usize,
    /// Clients of ours; the size of a full-table response is a second, often lower limit (TT-35).
    pub local_clients: usize,
    /// Gateways of the LAN behind the mesh interface, on all VLANs together (BLA-07).
    pub backbones: usize,
    /// Clients of the mesh that they have claimed (BLA-07).
    pub claims: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            originators: 4096,
            candidates: 64,
            global_clients: 65_536,
            temporary_clients: 8192,
            local_clients: 16_384,
            backbones: 1024,
            claims: 16_384,
        }
    }
}

/// Settings of one hard interface. All can change at run time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct IfaceSettings {
    /// Additional penalty on what arrives here: metric · (255 - penalty) / 255 (IV-63, V-61).
    pub hop_penalty: u8,
    /// Time between ELPs (B.A.T.M.A.N. V); 20 ms to 2^31-1 ms.
    pub elp_interval: Duration,
    /// How fast the link counts as, units of 100 kbit/s (B.A.T.M.A.N. V); 0: as fast as it is (V-19).
    pub throughput_override: u32,
}

impl Default for IfaceSettings {
    fn default() -> Self {
        Self {
            hop_penalty: 0,
            elp_interval: Duration::from_millis(Elp::INTERVAL_MS.into()),
            throughput_override: 0,
        }
    }
}

impl IfaceSettings {
    /// Shortest ELP interval.
    pub const ELP_INTERVAL_MIN: Duration = Duration::from_millis(20);
    /// Longest ELP interval.
    pub const ELP_INTERVAL_MAX: Duration = Duration::from_millis(0x7fff_ffff);

    /// With every value inside its range.
    #[must_use]
    pub fn clamp(mut self) -> Self {
        self.elp_interval = self.elp_interval.clamp(Self::ELP_INTERVAL_MIN, Self::ELP_INTERVAL_MAX);
        self
    }
}
