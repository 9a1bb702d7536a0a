//! Settings, in two types: [`Written`] is what somebody typed or put into a file, [`Config`] what a node can run on. Only
//! [`Config::new`] leads from one to the other.
//!
//! Names, units and defaults are those of `batman-adv` (MGMT section 2), as far as this node has the setting. What stands
//! on the command line goes before what stands in the file.

mod file;
mod gateway;
pub(crate) mod live;
mod nearest;
mod threads;

pub use file::read_file;
pub(crate) use gateway::mode_name;
pub use live::setting_words;
pub use nearest::nearest;
pub use threads::{BusyPoll, OneOrOther};

use noctule_control::{self as control, RoutingAlgorithm};
use noctule_fib::Isolation;
use noctule_wire::{Mac, Vid};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Name of the mesh interface where none is given.
pub const MESH_DEFAULT: &str = "bat0";

/// What was written, on the command line or in a file. Nothing is checked yet but the types.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Written {
    /// Name of the mesh interface.
    pub mesh: Option<String>,
    /// Routing algorithm: batman-iv or batman-v.
    pub algorithm: Option<String>,
    /// Its MAC address.
    pub mesh_mac: Option<String>,
    /// Its MTU, bytes.
    pub mtu: Option<i64>,
    /// Path of the control socket.
    pub socket: Option<PathBuf>,
    /// Most talkative level that is logged.
    pub log: Option<String>,
    /// Whether to start although a hard interface does not exist yet.
    pub wait: Option<bool>,
    /// Time between own OGMs, milliseconds.
    pub orig_interval: Option<i64>,
    /// What each forwarded OGM loses, of 255.
    pub hop_penalty: Option<i64>,
    /// Whether OGMs are collected before sending.
    pub aggregation: Option<bool>,
    /// Whether packets above a link's MTU are cut into fragments.
    pub fragmentation: Option<bool>,
    /// Whether to find out what each link really carries.
    pub mtu_probing: Option<bool>,
    /// Whether nodes that are bridged to one LAN share the work.
    pub bridge_loop_avoidance: Option<bool>,
    /// Whether isolated clients without a VLAN are kept apart.
    pub ap_isolation: Option<bool>,
    /// Whether ARP requests are answered from the distributed ARP table.
    pub distributed_arp_table: Option<bool>,
    /// Whether IPv6 neighbour solicitations are answered from what was heard.
    pub neighbour_discovery_cache: Option<bool>,
    /// Whether the mesh interface does what a network card does for TCP.
    pub tap_offload: Option<bool>,
    /// Whether TCP segments are kept short enough to cross the links in one piece.
    pub clamp_mss: Option<bool>,
    /// Whether all multicast frames are flooded.
    pub multicast_forceflood: Option<bool>,
    /// Its opposite, by the name that it had before.
    pub multicast_mode: Option<bool>,
    /// Receivers of a multicast frame up to which each gets a unicast copy.
    pub multicast_fanout: Option<i64>,
    /// Part in gateway choice: off, client or server.
    #[serde(alias = "gateway_mode")]
    pub gw_mode: Option<String>,
    /// What a gateway server announces, like 10mbit/2mbit.
    #[serde(alias = "gateway_bandwidth")]
    pub gw_bandwidth: Option<String>,
    /// When a gateway client leaves its gateway for a better one.
    #[serde(alias = "gateway_class")]
    pub gw_sel_class: Option<i64>,
    /// Frames that each interface's receive ring holds.
    pub rx_frames: Option<i64>,
    /// Frames that each interface can send at once.
    pub tx_frames: Option<i64>,
    /// By what data comes from the hard interfaces and leaves by them: auto, packet or xdp.
    pub backend: Option<String>,
    /// Threads of the data plane: auto, or how many.
    pub workers: Option<OneOrOther>,
    /// How long a worker looks for more before it sleeps: off, auto, or microseconds.
    pub busy_poll: Option<OneOrOther>,
    /// Whether the kernel forwards packets in transit: auto, off or tc.
    pub offload: Option<String>,
    /// Whether it goes on doing so when the daemon is stopped.
    pub offload_keep: Option<bool>,
    /// Whether it carries frames of hosts here, too.
    pub offload_hosts: Option<bool>,
    /// The hard interfaces, in order of their attachment.
    #[serde(rename = "interface")]
    pub interfaces: Vec<WrittenInterface>,
    /// Settings of VLANs, which need not exist yet.
    #[serde(rename = "vlan")]
    pub vlans: Vec<WrittenVlan>,
}

/// Settings of one VLAN as written.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct WrittenVlan {
    /// Its id.
    pub id: i64,
    /// Whether isolated clients in it are kept apart.
    #[serde(default)]
    pub ap_isolation: Option<bool>,
}

/// One hard interface as written.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct WrittenInterface {
    /// Its name.
    pub name: String,
    /// Additional penalty on what arrives here, of 255.
    #[serde(default)]
    pub hop_penalty: Option<i64>,
    /// Time between ELPs, milliseconds.
    #[serde(default)]
    pub elp_interval: Option<i64>,
    /// How fast the link counts as, like 54mbit; 0: as fast as it is.
    #[serde(default)]
    pub throughput_override: Option<String>,
}

/// Routing algorithms by the names that settings have for them.
const ALGORITHMS: &[(&str, RoutingAlgorithm)] =
    &[("batman-iv", RoutingAlgorithm::BatmanIv), ("batman-v", RoutingAlgorithm::BatmanV)];

/// Names of the settings in a file, as [`Written`] has them.
const KEYS: &[&str] = &[
    "mesh",
    "algorithm",
    "mesh_mac",
    "mtu",
    "socket",
    "log",
    "wait",
    "orig_interval",
    "hop_penalty",
    "aggregation",
    "fragmentation",
    "mtu_probing",
    "clamp_mss",
    "tap_offload",
    "bridge_loop_avoidance",
    "ap_isolation",
    "distributed_arp_table",
    "neighbour_discovery_cache",
    "multicast_forceflood",
    "multicast_mode",
    "multicast_fanout",
    "gw_mode",
    "gateway_mode",
    "gw_bandwidth",
    "gateway_bandwidth",
    "gw_sel_class",
    "gateway_class",
    "rx_frames",
    "tx_frames",
    "backend",
    "workers",
    "busy_poll",
    "offload",
    "offload_keep",
    "offload_hosts",
    "interface",
    "vlan",
];
/// Names of the settings of an `[[interface]]`.
const INTERFACE_KEYS: &[&str] = &["name", "hop_penalty", "elp_interval", "throughput_override"];
/// Names of the settings of a `[[vlan]]`.
const VLAN_KEYS: &[&str] = &["id", "ap_isolation"];

/// A setting that a node cannot run on.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{key} = {value}: {problem}")]
pub struct BadSetting {
    /// Which, as a file names it.
    pub key: &'static str,
    /// What was written.
    pub value: String,
    /// What is wrong with it, and what would be right.
    pub problem: String,
    /// Which of the interfaces, if it belongs to one.
    pub interface: Option<usize>,
    /// Which of the VLANs, if it belongs to one.
    pub vlan: Option<usize>,
}

impl BadSetting {
    fn new(key: &'static str, value: impl ToString, problem: impl ToString) -> Self {
        Self {
            key,
            value: value.to_string(),
            problem: problem.to_string(),
            interface: None,
            vlan: None,
        }
    }

    /// The sentence for somebody who used the command line, where the same names have other clothes.
    pub fn on_command_line(&self) -> String {
        format!("--{} {}: {}", self.key.replace('_', "-"), self.value, self.problem)
    }
}

/// What can be logged at most.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum LogLevel {
    /// What may wake somebody, failures.
    Error,
    /// What may wake somebody.
    Warn,
    /// What an operator would tell a colleague.
    #[default]
    Info,
    /// Every change of state.
    Debug,
    /// Single packets.
    Trace,
}

impl LogLevel {
    const NAMES: [(&'static str, Self); 5] = [
        ("error", Self::Error),
        ("warn", Self::Warn),
        ("info", Self::Info),
        ("debug", Self::Debug),
        ("trace", Self::Trace),
    ];
}

/// By what data comes from the hard interfaces and leaves by them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum BackendChoice {
    /// By AF_XDP where that is better than AF_PACKET.
    #[default]
    Auto,
    /// By AF_PACKET.
    Packet,
    /// By AF_XDP wherever it can be; where it cannot, that is a warning.
    Xdp,
}

impl BackendChoice {
    const NAMES: [(&'static str, Self); 3] =
        [("auto", Self::Auto), ("packet", Self::Packet), ("xdp", Self::Xdp)];
}

/// Whether the kernel forwards packets in transit.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OffloadChoice {
    /// Where it can.
    #[default]
    Auto,
    /// No.
    Off,
    /// By a TC program; where it cannot, that is a warning.
    Tc,
}

impl OffloadChoice {
    const NAMES: [(&'static str, Self); 3] =
        [("auto", Self::Auto), ("off", Self::Off), ("tc", Self::Tc)];
}

/// What a node runs on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Config {
    /// Name of the mesh interface.
    pub mesh: String,
    /// Its MAC address; `None`: made from the first hard interface's.
    pub mesh_mac: Option<Mac>,
    /// Its MTU in bytes, 68 to 65503; `None`: 1500, or what the links allow if that is less (FWD-17).
    pub mtu: Option<u32>,
    /// Path of the control socket.
    pub socket: PathBuf,
    /// Whether somebody asked for that path.
    pub socket_given: bool,
    /// What is logged at most.
    pub log: LogLevel,
    /// Whether to start although a hard interface does not exist yet.
    pub wait: bool,
    /// What the engine runs on.
    pub engine: control::Settings,
    /// Whether the mesh interface does what a network card does for TCP: cuts segments, computes checksums, joins segments.
    pub tap_offload: bool,
    /// Frames that each interface's receive ring holds.
    pub rx_frames: u32,
    /// Frames that each interface can send at once.
    pub tx_frames: u32,
    /// By what data comes and leaves.
    pub backend: BackendChoice,
    /// Threads of the data plane; `None`: as many as pay here.
    pub workers: Option<u32>,
    /// How long a worker looks for more before it sleeps.
    pub busy_poll: BusyPoll,
    /// Whether the kernel forwards packets in transit.
    pub offload: OffloadChoice,
    /// Whether it goes on doing so when the daemon is stopped.
    pub offload_keep: bool,
    /// Whether it carries frames of hosts here, too.
    pub offload_hosts: bool,
    /// The hard interfaces, one at least, each once.
    pub interfaces: Vec<InterfaceConfig>,
}

/// One hard interface.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InterfaceConfig {
    /// Its name.
    pub name: String,
    /// What the engine knows of it.
    pub engine: control::IfaceSettings,
}

/// Why no [`Config`] could be made.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// One value is wrong.
    #[error("{}", .0.on_command_line())]
    Bad(BadSetting),
    /// No hard interface.
    #[error("no hard interface is given: name at least one, like --interface wlan0")]
    NoInterface,
    /// One is named twice.
    #[error("{0}: the interface is given twice: name it once")]
    Twice(String),
    /// More than there are places for.
    #[error("{0} hard interfaces are given: {max} is the most a mesh can have", max = noctule_fib::IFACES_MAX)]
    TooMany(usize),
    /// A mesh interface cannot be its own hard interface.
    #[error(
        "{0}: the mesh interface cannot be one of its own hard interfaces: give it another name with --mesh"
    )]
    MeshItself(String),
}

impl Written {
    /// What stands here, or else what stands in `file`. If interfaces are named here, they are the ones to use; their
    /// own settings may still come from the file.
    #[must_use]
    pub fn or(self, file: Self) -> Self {
        let mut from_file: BTreeMap<_, _> = file
            .interfaces
            .iter()
            .map(|interface| (interface.name.clone(), interface.clone()))
            .collect();
        let interfaces = if self.interfaces.is_empty() {
            file.interfaces
        } else {
            let merge = |interface: WrittenInterface| {
                let filed = from_file.remove(&interface.name).unwrap_or_default();
                WrittenInterface {
                    hop_penalty: interface.hop_penalty.or(filed.hop_penalty),
                    elp_interval: interface.elp_interval.or(filed.elp_interval),
                    throughput_override: interface
                        .throughput_override
                        .or(filed.throughput_override),
                    ..interface
                }
            };
            self.interfaces.into_iter().map(merge).collect()
        };
        Self {
            mesh: self.mesh.or(file.mesh),
            algorithm: self.algorithm.or(file.algorithm),
            mesh_mac: self.mesh_mac.or(file.mesh_mac),
            mtu: self.mtu.or(file.mtu),
            socket: self.socket.or(file.socket),
            log: self.log.or(file.log),
            wait: self.wait.or(file.wait),
            orig_interval: self.orig_interval.or(file.orig_interval),
            hop_penalty: self.hop_penalty.or(file.hop_penalty),
            aggregation: self.aggregation.or(file.aggregation),
            fragmentation: self.fragmentation.or(file.fragmentation),
            mtu_probing: self.mtu_probing.or(file.mtu_probing),
            clamp_mss: self.clamp_mss.or(file.clamp_mss),
            tap_offload: self.tap_offload.or(file.tap_offload),
            bridge_loop_avoidance: self.bridge_loop_avoidance.or(file.bridge_loop_avoidance),
            ap_isolation: self.ap_isolation.or(file.ap_isolation),
            distributed_arp_table: self.distributed_arp_table.or(file.distributed_arp_table),
            neighbour_discovery_cache: self
                .neighbour_discovery_cache
                .or(file.neighbour_discovery_cache),
            // Two names of one thing: what is written here under either name goes before the file.
            multicast_mode: if self.multicast_forceflood.is_some() {
                self.multicast_mode
            } else {
                self.multicast_mode.or(file.multicast_mode)
            },
            multicast_forceflood: if self.multicast_mode.is_some() {
                self.multicast_forceflood
            } else {
                self.multicast_forceflood.or(file.multicast_forceflood)
            },
            multicast_fanout: self.multicast_fanout.or(file.multicast_fanout),
            gw_mode: self.gw_mode.or(file.gw_mode),
            gw_bandwidth: self.gw_bandwidth.or(file.gw_bandwidth),
            gw_sel_class: self.gw_sel_class.or(file.gw_sel_class),
            rx_frames: self.rx_frames.or(file.rx_frames),
            tx_frames: self.tx_frames.or(file.tx_frames),
            backend: self.backend.or(file.backend),
            workers: self.workers.or(file.workers),
            busy_poll: self.busy_poll.or(file.busy_poll),
            offload: self.offload.or(file.offload),
            offload_keep: self.offload_keep.or(file.offload_keep),
            offload_hosts: self.offload_hosts.or(file.offload_hosts),
            interfaces,
            // They can be in a file alone.
            vlans: if self.vlans.is_empty() { file.vlans } else { self.vlans },
        }
    }

    /// Checks every value by itself; what must hold between them is checked by [`Config::new`].
    ///
    /// # Errors
    /// The first that is wrong.
    pub fn check(&self) -> Result<(), BadSetting> {
        self.values().map(drop)
    }

    /// Every value in its range. A new field stops the build here.
    fn values(&self) -> Result<Config, BadSetting> {
        let Self {
            mesh,
            algorithm,
            mesh_mac,
            mtu,
            socket,
            log,
            wait,
            orig_interval,
            hop_penalty,
            aggregation,
            fragmentation,
            mtu_probing,
            clamp_mss,
            tap_offload,
            bridge_loop_avoidance,
            ap_isolation,
            distributed_arp_table,
            neighbour_discovery_cache,
            multicast_forceflood,
            multicast_mode,
            multicast_fanout,
            gw_mode,
            gw_bandwidth,
            gw_sel_class,
            rx_frames,
            tx_frames,
            backend,
            workers,
            busy_poll,
            offload,
            offload_keep,
            offload_hosts,
            interfaces,
            vlans,
        } = self;
        let mesh = mesh.as_deref().unwrap_or(MESH_DEFAULT);
        let mesh = interface_name("mesh", mesh)?;
        if ["all", "default"].contains(&mesh.as_str()) {
            return Err(BadSetting::new(
                "mesh",
                format!("{mesh:?}"),
                "the kernel keeps this name for itself (net.ipv4.conf): choose another",
            ));
        }
        let algorithm =
            algorithm.as_deref().map_or(Ok(RoutingAlgorithm::default()), algorithm_named)?;
        let engine = control::Settings::default();
        let orig_interval_default = engine.orig_interval.as_millis() as i64;
        let orig_interval = in_range(
            "orig_interval",
            orig_interval.unwrap_or(orig_interval_default),
            control::Settings::ORIG_INTERVAL_MIN.as_millis() as i64,
            control::Settings::ORIG_INTERVAL_MAX.as_millis() as i64,
            "milliseconds",
        )?;
        let mut hard = Vec::new();
        for (index, interface) in interfaces.iter().enumerate() {
            let meant =
                interface.meant().map_err(|bad| BadSetting { interface: Some(index), ..bad })?;
            hard.push(meant);
        }
        Ok(Config {
            socket: socket.clone().unwrap_or_else(|| default_socket(&mesh)),
            socket_given: socket.is_some(),
            mesh_mac: mesh_mac.as_deref().map(station_mac).transpose()?,
            mtu: mtu.map(|mtu| in_range("mtu", mtu, 68, 65_503, "bytes")).transpose()?,
            log: log.as_deref().map_or(Ok(LogLevel::default()), log_level)?,
            wait: wait.unwrap_or(false),
            engine: control::Settings {
                orig_interval: Duration::from_millis(u64::from(orig_interval)),
                hop_penalty: penalty(hop_penalty.unwrap_or(engine.hop_penalty.into()))?,
                aggregation: aggregation.unwrap_or(engine.aggregation),
                fragmentation: fragmentation.unwrap_or(engine.fragmentation),
                mtu_probing: mtu_probing.unwrap_or(engine.mtu_probing),
                clamp_mss: clamp_mss.unwrap_or(engine.clamp_mss),
                bridge_loop_avoidance: bridge_loop_avoidance
                    .unwrap_or(engine.bridge_loop_avoidance),
                distributed_arp_table: distributed_arp_table
                    .unwrap_or(engine.distributed_arp_table),
                neighbour_discovery_cache: neighbour_discovery_cache
                    .unwrap_or(engine.neighbour_discovery_cache),
                multicast_forceflood: forceflood(*multicast_forceflood, *multicast_mode)?
                    .unwrap_or(engine.multicast_forceflood),
                multicast_fanout: in_range(
                    "multicast_fanout",
                    multicast_fanout.unwrap_or(engine.multicast_fanout.into()),
                    0,
                    u32::MAX.into(),
                    "receivers",
                )?,
                ap_isolation: Arc::new(isolation(ap_isolation.unwrap_or(false), vlans)?),
                gateway_mode: gw_mode.as_deref().map_or(Ok(engine.gateway_mode), gateway::mode)?,
                gateway_bandwidth: gw_bandwidth
                    .as_deref()
                    .map_or(Ok(engine.gateway_bandwidth), |text| {
                        gateway::bandwidth(text, engine.gateway_bandwidth)
                    })?,
                gateway_class: gw_sel_class.map_or(Ok(algorithm.default_class()), |class| {
                    gateway::class(algorithm, class)
                })?,
                routing_algorithm: algorithm,
                limits: engine.limits,
            },
            tap_offload: tap_offload.unwrap_or(true),
            rx_frames: in_range("rx_frames", rx_frames.unwrap_or(512), 16, 16_384, "frames")?,
            tx_frames: in_range("tx_frames", tx_frames.unwrap_or(256), 16, 16_384, "frames")?,
            backend: backend.as_deref().map_or(Ok(BackendChoice::default()), backend_choice)?,
            workers: workers.as_ref().map_or(Ok(None), threads::workers)?,
            busy_poll: busy_poll.as_ref().map_or(Ok(BusyPoll::default()), threads::busy_poll)?,
            offload: offload.as_deref().map_or(Ok(OffloadChoice::default()), offload_choice)?,
            offload_keep: offload_keep.unwrap_or(false),
            offload_hosts: offload_hosts.unwrap_or(false),
            interfaces: hard,
            mesh,
        })
    }
}

/// In which VLANs isolated clients are kept apart.
fn isolation(untagged: bool, vlans: &[WrittenVlan]) -> Result<Isolation, BadSetting> {
    let mut isolation = Isolation::default();
    isolation.set(Vid::UNTAGGED, untagged);
    for (index, vlan) in vlans.iter().enumerate() {
        let bad =
            |problem| BadSetting { vlan: Some(index), ..BadSetting::new("id", vlan.id, problem) };
        let id = u16::try_from(vlan.id).ok().filter(|id| (1..=4095).contains(id));
        let id = id.ok_or_else(|| bad("must be 1 to 4095"))?;
        if vlans[..index].iter().any(|other| other.id == vlan.id) {
            return Err(bad("the VLAN is given twice: give it once"));
        }
        isolation.set(Vid::from_tci(id), vlan.ap_isolation.unwrap_or(false));
    }
    Ok(isolation)
}

/// The two names of one setting, which must not contradict each other.
fn forceflood(forceflood: Option<bool>, mode: Option<bool>) -> Result<Option<bool>, BadSetting> {
    match (forceflood, mode) {
        (Some(flood), Some(mode)) if flood == mode => Err(BadSetting::new(
            "multicast_mode",
            mode,
            format!("multicast_forceflood = {flood} says the opposite: give one of them"),
        )),
        (flood, mode) => Ok(flood.or(mode.map(|mode| !mode))),
    }
}

impl WrittenInterface {
    fn meant(&self) -> Result<InterfaceConfig, BadSetting> {
        let Self { name, hop_penalty, elp_interval, throughput_override } = self;
        let default = control::IfaceSettings::default();
        let elp_interval = in_range(
            "elp_interval",
            elp_interval.unwrap_or(default.elp_interval.as_millis() as i64),
            control::IfaceSettings::ELP_INTERVAL_MIN.as_millis() as i64,
            control::IfaceSettings::ELP_INTERVAL_MAX.as_millis() as i64,
            "milliseconds",
        )?;
        Ok(InterfaceConfig {
            name: interface_name("interface", name)?,
            engine: control::IfaceSettings {
                hop_penalty: penalty(hop_penalty.unwrap_or(0))?,
                elp_interval: Duration::from_millis(u64::from(elp_interval)),
                throughput_override: throughput_override
                    .as_deref()
                    .map_or(Ok(0), gateway::throughput_override)?,
            },
        })
    }
}

impl Config {
    /// What a node can run on, if that is what was written.
    ///
    /// # Errors
    /// One sentence about the first thing that is wrong.
    pub fn new(written: &Written) -> Result<Self, ConfigError> {
        let config = written.values().map_err(ConfigError::Bad)?;
        if config.interfaces.is_empty() {
            return Err(ConfigError::NoInterface);
        }
        if config.interfaces.len() > noctule_fib::IFACES_MAX {
            return Err(ConfigError::TooMany(config.interfaces.len()));
        }
        for (index, interface) in config.interfaces.iter().enumerate() {
            if interface.name == config.mesh {
                return Err(ConfigError::MeshItself(interface.name.clone()));
            }
            if config.interfaces[..index].iter().any(|other| other.name == interface.name) {
                return Err(ConfigError::Twice(interface.name.clone()));
            }
        }
        Ok(config)
    }
}

/// Longest path of a Unix socket, bytes (`sun_path` without its end).
const SOCKET_PATH_LEN_MAX: usize = 107;

/// Checks that a socket can have this path.
///
/// # Errors
/// One sentence with the fix.
pub fn check_socket_path(path: &Path) -> Result<(), String> {
    let len = path.as_os_str().len();
    if len > SOCKET_PATH_LEN_MAX {
        return Err(format!(
            "the path of the control socket has {len} bytes, {SOCKET_PATH_LEN_MAX} are the most: choose a shorter one with --socket"
        ));
    }
    Ok(())
}

/// Where the control socket of a mesh is if nobody says otherwise.
pub fn default_socket(mesh: &str) -> PathBuf {
    PathBuf::from(format!("/run/noctule/{mesh}.sock"))
}

fn in_range(
    key: &'static str,
    value: i64,
    min: i64,
    max: i64,
    unit: &str,
) -> Result<u32, BadSetting> {
    u32::try_from(value)
        .ok()
        .filter(|_| (min..=max).contains(&value))
        .ok_or_else(|| BadSetting::new(key, value, format!("must be {min} to {max} {unit}")))
}

fn algorithm_named(text: &str) -> Result<RoutingAlgorithm, BadSetting> {
    let found =
        ALGORITHMS.iter().find(|(name, algorithm)| [*name, algorithm.name()].contains(&text));
    found
        .map(|(_, algorithm)| *algorithm)
        .ok_or_else(|| BadSetting::new("algorithm", text, "must be batman-iv or batman-v"))
}

fn penalty(value: i64) -> Result<u8, BadSetting> {
    u8::try_from(value).map_err(|_| BadSetting::new("hop_penalty", value, "must be 0 to 255"))
}

/// What the kernel accepts as the name of an interface.
pub(crate) fn interface_name(key: &'static str, name: &str) -> Result<String, BadSetting> {
    const LEN_MAX: usize = 15;
    /// The no-break space of Latin-1, which for the kernel is white space wherever it stands, also within a UTF-8 character.
    const SPACE: u8 = 0xa0;
    let bad = |problem: &str| Err(BadSetting::new(key, format!("{name:?}"), problem));
    if name.is_empty() || name.len() > LEN_MAX {
        return bad("the name of an interface has 1 to 15 bytes");
    }
    if name == "." || name == ".." {
        return bad("the kernel keeps folders by the names of interfaces, and this cannot be one");
    }
    let unfit = |c: char| {
        let mut bytes = [0; 4];
        "/:%".contains(c)
            || c.is_whitespace()
            || c.is_control()
            || c.encode_utf8(&mut bytes).as_bytes().contains(&SPACE)
    };
    if let Some(c) = name.chars().find(|c| unfit(*c)) {
        return bad(&format!("the name of an interface cannot have {c:?} in it"));
    }
    Ok(name.to_owned())
}

fn station_mac(text: &str) -> Result<Mac, BadSetting> {
    let bad = |problem: String| BadSetting::new("mesh_mac", text, problem);
    let mac: Mac =
        text.parse().map_err(|error: noctule_wire::mac::BadMac| bad(error.to_string()))?;
    if mac.is_station() {
        Ok(mac)
    } else {
        Err(bad(
            "not the address of one station: the first byte must be even, and not all can be zero"
                .into(),
        ))
    }
}

fn backend_choice(text: &str) -> Result<BackendChoice, BadSetting> {
    let found = BackendChoice::NAMES.iter().find(|(name, _)| *name == text);
    found
        .map(|(_, choice)| *choice)
        .ok_or_else(|| BadSetting::new("backend", text, "must be auto, packet or xdp"))
}

fn offload_choice(text: &str) -> Result<OffloadChoice, BadSetting> {
    let found = OffloadChoice::NAMES.iter().find(|(name, _)| *name == text);
    found
        .map(|(_, choice)| *choice)
        .ok_or_else(|| BadSetting::new("offload", text, "must be auto, off or tc"))
}

fn log_level(text: &str) -> Result<LogLevel, BadSetting> {
    let found = LogLevel::NAMES.iter().find(|(name, _)| *name == text);
    found
        .map(|(_, level)| *level)
        .ok_or_else(|| BadSetting::new("log", text, "must be error, warn, info, debug or trace"))
}

#[cfg(test)]
mod tests;
