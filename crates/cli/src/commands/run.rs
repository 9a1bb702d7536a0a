//! `noctule run`: a mesh node, in the foreground.

use crate::Status;
use crate::args::Common;
use crate::failure::{Failure, Outcome};
use noctule_daemon::settings::{Config, Written, WrittenInterface, read_file};
use std::path::PathBuf;

/// What can be typed. The same names, with underscores, stand in the file of `--config`.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct Args {
    /// A hard interface, like wlan0; repeat it for more
    #[arg(long = "interface", short = 'i', value_name = "NAME", allow_hyphen_values = false)]
    interfaces: Vec<String>,
    /// Read settings from a TOML file; what stands here goes before what stands there
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Routing algorithm: batman-iv or batman-v; the same in the whole mesh [default: batman-iv]
    #[arg(long, value_name = "NAME")]
    algorithm: Option<String>,
    /// Time between own OGMs in milliseconds, 40 or more [default: 1000]
    #[arg(long, value_name = "MS", allow_negative_numbers = true)]
    orig_interval: Option<i64>,
    /// What each forwarded OGM loses, 0 to 255 [default: 30]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    hop_penalty: Option<i64>,
    /// Collect OGMs before sending [default]
    #[arg(long, overrides_with = "no_aggregation")]
    aggregation: bool,
    /// Send every OGM by itself
    #[arg(long, overrides_with = "aggregation")]
    no_aggregation: bool,
    /// Cut packets above a link's MTU into fragments [default]
    #[arg(long, overrides_with = "no_fragmentation")]
    fragmentation: bool,
    /// Drop packets above a link's MTU
    #[arg(long, overrides_with = "fragmentation")]
    no_fragmentation: bool,
    /// Find out what each link really carries [default]
    #[arg(long, overrides_with = "no_mtu_probing")]
    mtu_probing: bool,
    /// Believe what the interfaces say
    #[arg(long, overrides_with = "mtu_probing")]
    no_mtu_probing: bool,
    /// Keep TCP segments short enough to cross the links in one piece
    #[arg(long, overrides_with = "no_clamp_mss")]
    clamp_mss: bool,
    /// Leave TCP segments as the hosts want them [default]
    #[arg(long, overrides_with = "clamp_mss")]
    no_clamp_mss: bool,
    /// Let the mesh interface do what a network card does for TCP [default]
    #[arg(long, overrides_with = "no_tap_offload")]
    tap_offload: bool,
    /// Let the host cut its TCP segments and compute its checksums itself
    #[arg(long, overrides_with = "tap_offload")]
    no_tap_offload: bool,
    /// Share the work with other nodes that are bridged to the same LAN [default]
    #[arg(long, overrides_with = "no_bridge_loop_avoidance")]
    bridge_loop_avoidance: bool,
    /// Take it that no other node is bridged to the same LAN: broadcasts pass at once
    #[arg(long, overrides_with = "bridge_loop_avoidance")]
    no_bridge_loop_avoidance: bool,
    /// Keep isolated clients without a VLAN apart
    #[arg(long, overrides_with = "no_ap_isolation")]
    ap_isolation: bool,
    /// Let isolated clients talk to each other [default]
    #[arg(long, overrides_with = "ap_isolation")]
    no_ap_isolation: bool,
    /// Answer ARP requests from the distributed ARP table [default]
    #[arg(long, overrides_with = "no_distributed_arp_table")]
    distributed_arp_table: bool,
    /// Flood all ARP requests
    #[arg(long, overrides_with = "distributed_arp_table")]
    no_distributed_arp_table: bool,
    /// Answer IPv6 neighbour solicitations from what was heard [default]
    #[arg(long, overrides_with = "no_neighbour_discovery_cache")]
    neighbour_discovery_cache: bool,
    /// Send all IPv6 neighbour solicitations
    #[arg(long, overrides_with = "neighbour_discovery_cache")]
    no_neighbour_discovery_cache: bool,
    /// Send multicast frames only to those who listen [default]
    #[arg(long, overrides_with = "multicast_forceflood")]
    no_multicast_forceflood: bool,
    /// Flood all multicast frames
    #[arg(long, overrides_with = "no_multicast_forceflood")]
    multicast_forceflood: bool,
    /// Receivers of a multicast frame up to which each gets a unicast copy [default: 16]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    multicast_fanout: Option<i64>,
    /// Part in gateway choice: off, client or server [default: off]
    #[arg(long, visible_alias = "gateway-mode", value_name = "MODE")]
    gw_mode: Option<String>,
    /// What a gateway server announces, like 10mbit/2mbit [default: 10mbit/2mbit]
    #[arg(long, visible_alias = "gateway-bandwidth", value_name = "DOWN[/UP]")]
    gw_bandwidth: Option<String>,
    /// When a gateway client leaves its gateway: 1 or 2 never, 3 for one as good, 4 to 255 for one that is so much better [default: 20]; with batman-v for one that is so much faster, in 100 kbit/s [default: 50]
    #[arg(
        long,
        visible_alias = "gateway-class",
        value_name = "CLASS",
        allow_negative_numbers = true
    )]
    gw_sel_class: Option<i64>,
    /// Address of the mesh interface [default: made from the first hard interface's]
    #[arg(long, value_name = "MAC")]
    mesh_mac: Option<String>,
    /// MTU of the mesh interface in bytes [default: 1500, or less if the links demand it]
    #[arg(long, value_name = "BYTES", allow_negative_numbers = true)]
    mtu: Option<i64>,
    /// Log what is at least this important: error, warn, info, debug, trace [default: info]
    #[arg(long, value_name = "LEVEL")]
    log: Option<String>,
    /// Start although a hard interface does not exist yet
    #[arg(long, overrides_with = "no_wait")]
    wait: bool,
    /// A hard interface that does not exist is an error [default]
    #[arg(long, overrides_with = "wait")]
    no_wait: bool,
    /// Frames in the receive ring of each hard interface, 16 to 16384 [default: 512]
    #[arg(long, value_name = "FRAMES", allow_negative_numbers = true)]
    rx_frames: Option<i64>,
    /// Frames that each hard interface can send at once, 16 to 16384 [default: 256]
    #[arg(long, value_name = "FRAMES", allow_negative_numbers = true)]
    tx_frames: Option<i64>,
    /// Threads of the data plane: auto, or 1 to 64 [default: auto]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    workers: Option<String>,
    /// How long a thread of the data plane looks for more before it sleeps: off, auto, or microseconds [default: off]
    #[arg(long, value_name = "HOW", allow_negative_numbers = true)]
    busy_poll: Option<String>,
    /// Of all commands, and refused by this one
    #[arg(long, hide = true)]
    json: bool,
    /// By what data comes from the hard interfaces and leaves by them: auto, packet, xdp [default: auto]
    #[arg(long, value_name = "HOW")]
    backend: Option<String>,
    /// Whether the kernel forwards packets in transit by itself: auto, off, tc [default: auto]
    #[arg(long, value_name = "HOW")]
    offload: Option<String>,
    /// The kernel goes on forwarding when the node is stopped, until the next one starts or 200 s are over
    #[arg(long, overrides_with = "no_offload_keep")]
    offload_keep: bool,
    /// It does not [default]
    #[arg(long, overrides_with = "offload_keep")]
    no_offload_keep: bool,
    /// The kernel also carries plain unicast between hosts here and the mesh
    #[arg(long, overrides_with = "no_offload_hosts")]
    offload_hosts: bool,
    /// It forwards only what passes [default]
    #[arg(long, overrides_with = "offload_hosts")]
    no_offload_hosts: bool,
}

/// Runs a node until a signal ends it.
///
/// # Errors
/// Exit status 2 if nothing was started, 1 if it had to end.
pub(crate) fn run(common: &Common, args: &Args) -> Status {
    if common.json || args.json {
        return Err(Failure::Usage(
            "run has nothing to print as JSON: ask the running node with \"noctule status --json\""
                .into(),
        ));
    }
    let config = config(common, args)?;
    match noctule_daemon::run(config) {
        Ok(()) => Ok(0),
        Err(noctule_daemon::Failure::NotStarted(sentence)) => Err(Failure::Usage(sentence)),
        Err(noctule_daemon::Failure::Ended(sentence)) => Err(Failure::Trouble(sentence)),
    }
}

fn config(common: &Common, args: &Args) -> Outcome<Config> {
    let typed = written(common, args);
    typed.check().map_err(|bad| Failure::Usage(bad.on_command_line()))?;
    let file = match &args.config {
        Some(path) => read_file(path).map_err(Failure::Usage)?,
        None => Written::default(),
    };
    Config::new(&typed.or(file)).map_err(|error| Failure::Usage(error.to_string()))
}

fn written(common: &Common, args: &Args) -> Written {
    let switch = |on: bool, off: bool| match (on, off) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    };
    let args = args.clone();
    Written {
        mesh: common.mesh.clone(),
        algorithm: args.algorithm,
        mesh_mac: args.mesh_mac,
        mtu: args.mtu,
        socket: common.socket.clone(),
        log: args.log,
        wait: switch(args.wait, args.no_wait),
        orig_interval: args.orig_interval,
        hop_penalty: args.hop_penalty,
        aggregation: switch(args.aggregation, args.no_aggregation),
        fragmentation: switch(args.fragmentation, args.no_fragmentation),
        mtu_probing: switch(args.mtu_probing, args.no_mtu_probing),
        clamp_mss: switch(args.clamp_mss, args.no_clamp_mss),
        tap_offload: switch(args.tap_offload, args.no_tap_offload),
        bridge_loop_avoidance: switch(args.bridge_loop_avoidance, args.no_bridge_loop_avoidance),
        ap_isolation: switch(args.ap_isolation, args.no_ap_isolation),
        distributed_arp_table: switch(args.distributed_arp_table, args.no_distributed_arp_table),
        neighbour_discovery_cache: switch(
            args.neighbour_discovery_cache,
            args.no_neighbour_discovery_cache,
        ),
        multicast_forceflood: switch(args.multicast_forceflood, args.no_multicast_forceflood),
        multicast_mode: None,
        multicast_fanout: args.multicast_fanout,
        gw_mode: args.gw_mode,
        gw_bandwidth: args.gw_bandwidth,
        gw_sel_class: args.gw_sel_class,
        rx_frames: args.rx_frames,
        tx_frames: args.tx_frames,
        backend: args.backend,
        workers: args.workers.map(Into::into),
        busy_poll: args.busy_poll.map(Into::into),
        offload: args.offload,
        offload_keep: switch(args.offload_keep, args.no_offload_keep),
        offload_hosts: switch(args.offload_hosts, args.no_offload_hosts),
        interfaces: args
            .interfaces
            .into_iter()
            .map(|name| WrittenInterface { name, ..WrittenInterface::default() })
            .collect(),
        // With settings of their own they stand in a file.
        vlans: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Command, parse};

    fn typed(line: &str) -> Written {
        let words = ["noctule", "run"].into_iter().chain(line.split_whitespace()).map(Into::into);
        let parsed = parse(words).unwrap();
        let Command::Run(args) = &parsed.command else { panic!("run") };
        written(&parsed.common, args)
    }

    #[test]
    fn every_setting_can_be_typed() {
        let interface =
            |name: &str| WrittenInterface { name: name.into(), ..WrittenInterface::default() };
        let expected = Written {
            mesh: Some("bat7".into()),
            algorithm: Some("batman-v".into()),
            mesh_mac: Some("02:00:00:00:00:07".into()),
            mtu: Some(1400),
            socket: Some("/run/x.sock".into()),
            log: Some("debug".into()),
            wait: Some(true),
            orig_interval: Some(2000),
            hop_penalty: Some(-1),
            aggregation: Some(false),
            fragmentation: Some(false),
            mtu_probing: Some(false),
            clamp_mss: Some(true),
            tap_offload: Some(false),
            bridge_loop_avoidance: Some(false),
            ap_isolation: Some(true),
            distributed_arp_table: Some(false),
            neighbour_discovery_cache: Some(false),
            multicast_forceflood: Some(true),
            multicast_mode: None,
            multicast_fanout: Some(4),
            gw_mode: Some("client".into()),
            gw_bandwidth: Some("5mbit".into()),
            gw_sel_class: Some(-3),
            rx_frames: Some(64),
            tx_frames: Some(32),
            backend: Some("xdp".into()),
            workers: Some("4".to_owned().into()),
            busy_poll: Some("50".to_owned().into()),
            offload: Some("tc".into()),
            offload_keep: Some(true),
            offload_hosts: Some(true),
            interfaces: vec![interface("wlan0"), interface("eth1")],
            vlans: Vec::new(),
        };
        assert_eq!(
            typed(
                "--mesh bat7 --interface wlan0 --interface eth1 --algorithm batman-v --mesh-mac 02:00:00:00:00:07 --mtu 1400 --socket /run/x.sock --log debug --wait --orig-interval 2000 --hop-penalty -1 --no-aggregation --no-fragmentation --no-mtu-probing --clamp-mss --no-tap-offload --ap-isolation --no-bridge-loop-avoidance --no-distributed-arp-table --no-neighbour-discovery-cache --multicast-forceflood --multicast-fanout 4 --gw-mode client --gateway-bandwidth 5mbit --gw-sel-class -3 --rx-frames 64 --tx-frames 32 --backend xdp --workers 4 --busy-poll 50 --offload tc --offload-keep --offload-hosts"
            ),
            expected
        );
        assert_eq!(typed(""), Written::default());
    }

    /// `run` prints nothing, so its help has no `--json`, and who types it is told.
    #[test]
    fn json_has_no_meaning_here() {
        use clap::CommandFactory;
        let mut noctule = crate::args::Args::command();
        noctule.build();
        let mut help =
            |name: &str| noctule.find_subcommand_mut(name).unwrap().render_help().to_string();
        assert!(!help("run").contains("--json") && help("status").contains("--json"));
        for line in ["noctule run --json", "noctule --json run"] {
            let parsed = parse(line.split(' ').map(Into::into)).unwrap();
            let Command::Run(args) = &parsed.command else { panic!("run") };
            let Err(failure) = run(&parsed.common, args) else { panic!("{line}") };
            let sentence = failure.sentence().unwrap_or_default();
            assert!(sentence.starts_with("run has nothing to print as JSON"), "{sentence}");
        }
    }

    #[test]
    fn of_a_switch_and_its_opposite_the_last_holds() {
        assert_eq!(typed("--no-wait --wait").wait, Some(true));
        assert_eq!(typed("--wait --no-wait").wait, Some(false));
        assert_eq!(typed("--no-aggregation").aggregation, Some(false));
        assert_eq!(typed("--aggregation --no-aggregation").aggregation, Some(false));
        assert_eq!(typed("--no-fragmentation --fragmentation").fragmentation, Some(true));
    }
}
