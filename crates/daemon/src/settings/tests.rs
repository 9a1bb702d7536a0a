use super::*;
use noctule_wire::ogm2::Throughput;
use noctule_wire::tvlv::gateway::Gateway;
use std::path::Path;

fn with_interface(name: &str) -> Written {
    let interface = WrittenInterface { name: name.into(), ..WrittenInterface::default() };
    Written { interfaces: vec![interface], ..Written::default() }
}

fn sentence_of(written: Written) -> String {
    Config::new(&written).unwrap_err().to_string()
}

/// A file with this content, read; the error sentence without the path.
fn read(content: &[u8]) -> Result<Written, String> {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!(
        "noctule-settings-{}-{}.toml",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    );
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, content).unwrap();
    let result = read_file(&path);
    std::fs::remove_file(&path).unwrap();
    result.map_err(|sentence| {
        let shown = path.display().to_string();
        assert_eq!(sentence.matches(&shown).count(), 1, "{sentence}: names the file once");
        assert!(!sentence.contains('\n'), "{sentence}: one line");
        sentence.replace(&shown, "FILE")
    })
}

/// The defaults of MGMT section 2.1.
#[test]
fn what_is_not_written_has_the_reference_s_default() {
    let config = Config::new(&with_interface("eth0")).unwrap();
    assert_eq!(config.mesh, "bat0");
    assert_eq!(config.socket, Path::new("/run/noctule/bat0.sock"));
    assert_eq!(config.engine.orig_interval, Duration::from_millis(1000));
    assert_eq!(config.engine.hop_penalty, 30);
    assert!(config.engine.aggregation && config.engine.fragmentation && config.tap_offload);
    assert_eq!(
        (config.mtu, config.mesh_mac, config.wait, config.log),
        (None, None, false, LogLevel::Info)
    );
    assert_eq!(config.interfaces[0].engine.hop_penalty, 0);
    assert_eq!((config.rx_frames, config.tx_frames), (512, 256));
}

#[test]
fn a_whole_file_is_read() {
    let text = br#"
mesh = "bat7"
mesh_mac = "02:00:00:00:00:07"
mtu = 1400
socket = "/run/x.sock"
log = "debug"
wait = true
orig_interval = 2000
hop_penalty = 15
aggregation = false
fragmentation = false
mtu_probing = false
clamp_mss = true
tap_offload = false
bridge_loop_avoidance = false
ap_isolation = true
distributed_arp_table = false
neighbour_discovery_cache = false
multicast_mode = false
multicast_fanout = 4
gw_mode = "server"
gateway_bandwidth = "20mbit/5mbit"
gw_sel_class = 3
rx_frames = 64
tx_frames = 32
backend = "xdp"
workers = 4
busy_poll = "auto"
offload = "tc"
offload_keep = true
offload_hosts = true

[[interface]]
name = "wlan0"
hop_penalty = 20

[[interface]]
name = "eth1"

[[vlan]]
id = 10
ap_isolation = true

[[vlan]]
id = 4095
"#;
    let config = Config::new(&read(text).unwrap()).unwrap();
    let mut isolation = Isolation::default();
    isolation.set(Vid::UNTAGGED, true);
    isolation.set(Vid::from_tci(10), true);
    let expected = Config {
        mesh: "bat7".into(),
        mesh_mac: Some(Mac([2, 0, 0, 0, 0, 7])),
        mtu: Some(1400),
        socket: "/run/x.sock".into(),
        socket_given: true,
        log: LogLevel::Debug,
        wait: true,
        engine: control::Settings {
            orig_interval: Duration::from_millis(2000),
            hop_penalty: 15,
            aggregation: false,
            fragmentation: false,
            mtu_probing: false,
            clamp_mss: true,
            bridge_loop_avoidance: false,
            distributed_arp_table: false,
            neighbour_discovery_cache: false,
            multicast_forceflood: true,
            multicast_fanout: 4,
            ap_isolation: Arc::new(isolation),
            gateway_mode: control::GatewayMode::Server,
            gateway_bandwidth: Gateway { down: Throughput(200), up: Throughput(50) },
            gateway_class: 3,
            routing_algorithm: control::RoutingAlgorithm::BatmanIv,
            limits: control::Limits::default(),
        },
        tap_offload: false,
        rx_frames: 64,
        tx_frames: 32,
        backend: BackendChoice::Xdp,
        workers: Some(4),
        busy_poll: BusyPoll::Auto,
        offload: OffloadChoice::Tc,
        offload_keep: true,
        offload_hosts: true,
        interfaces: vec![
            InterfaceConfig {
                name: "wlan0".into(),
                engine: control::IfaceSettings { hop_penalty: 20, ..Default::default() },
            },
            InterfaceConfig { name: "eth1".into(), engine: control::IfaceSettings::default() },
        ],
    };
    assert_eq!(config, expected);
}

#[test]
fn the_command_line_goes_before_the_file() {
    let file = read(b"mesh = \"bat7\"\nhop_penalty = 15\nwait = true\n[[interface]]\nname = \"wlan0\"\nhop_penalty = 20\n[[interface]]\nname = \"eth1\"\n").unwrap();
    let line = Written { hop_penalty: Some(5), wait: Some(false), ..Written::default() };
    let config = Config::new(&line.or(file.clone())).unwrap();
    assert_eq!((config.mesh.as_str(), config.engine.hop_penalty, config.wait), ("bat7", 5, false));
    assert_eq!(config.interfaces.len(), 2);

    let config = Config::new(&with_interface("wlan0").or(file)).unwrap();
    assert_eq!(config.interfaces.len(), 1, "those of the command line alone");
    assert_eq!(config.interfaces[0].engine.hop_penalty, 20, "with what the file says of them");
}

#[test]
fn every_bad_file_gets_a_sentence_with_its_line() {
    #[rustfmt::skip]
    let rows: [(&[u8], &str); 24] = [
        (b"mesh = \"bat0\"\norig_intervall = 5\n", "FILE line 2: unknown key \"orig_intervall\": did you mean \"orig_interval\"?"),
        (b"[[interface]]\nname = \"eth0\"\nhop-penalty = 5\n", "FILE line 3: unknown key \"hop-penalty\": did you mean \"hop_penalty\"?"),
        (b"[[interfaces]]\nname = \"eth0\"\n", "FILE line 1: unknown key \"interfaces\": did you mean \"interface\"?"),
        (b"[[interface]]\nname = \"eth0\"\ncolour = 1\n", "FILE line 3: unknown key \"colour\": known are name, hop_penalty, elp_interval, throughput_override"),
        (b"\norig_interval = 1\n", "FILE line 2: orig_interval = 1: must be 40 to 2147483647 milliseconds"),
        (b"hop_penalty = 256\n", "FILE line 1: hop_penalty = 256: must be 0 to 255"),
        (b"[[interface]]\nname = \"a\"\n[[interface]]\nname = \"b\"\nhop_penalty = -1\n", "FILE line 5: hop_penalty = -1: must be 0 to 255"),
        (b"mtu = 67\n", "FILE line 1: mtu = 67: must be 68 to 65503 bytes"),
        (b"rx_frames = 0\n", "FILE line 1: rx_frames = 0: must be 16 to 16384 frames"),
        (b"workers = 65\n", "FILE line 1: workers = 65: must be auto, or 1 to 64"),
        (b"workers = \"many\"\n", "FILE line 1: workers = many: must be auto, or 1 to 64"),
        (
            b"busy_poll = 0\n",
            "FILE line 1: busy_poll = 0: must be off, auto, or 1 to 10000 microseconds",
        ),
        (b"offload = \"yes\"\n", "FILE line 1: offload = yes: must be auto, off or tc"),
        (b"log = \"loud\"\n", "FILE line 1: log = loud: must be error, warn, info, debug or trace"),
        (b"mesh = \"\"\n", "FILE line 1: mesh = \"\": the name of an interface has 1 to 15 bytes"),
        (b"#\n[[interface]]\nname = \"a/b\"\n", "FILE line 3: interface = \"a/b\": the name of an interface cannot have '/' in it"),
        (b"mesh_mac = \"02:00\"\n", "FILE line 1: mesh_mac = 02:00: not a MAC address (expected six hexadecimal bytes like 02:ba:00:00:01:01)"),
        (b"mesh_mac = \"03:00:00:00:00:01\"\n", "FILE line 1: mesh_mac = 03:00:00:00:00:01: not the address of one station: the first byte must be even, and not all can be zero"),
        (b"mesh = \"bat0\"\nmesh = \"bat1\"\n", "FILE line 2: duplicate key"),
        (b"mesh = \"bat0\"\n\n\xff\n", "FILE line 3: not UTF-8 text"),
        (b"[[vlan]]\nid = 0\n", "FILE line 2: id = 0: must be 1 to 4095"),
        (b"[[vlan]]\nid = 10\n[[vlan]]\nid = 4096\n", "FILE line 4: id = 4096: must be 1 to 4095"),
        (b"[[vlan]]\nid = 10\n[[vlan]]\nap_isolation = true\nid = 10\n", "FILE line 5: id = 10: the VLAN is given twice: give it once"),
        (b"[[vlan]]\nid = 10\nisolation = true\n", "FILE line 3: unknown key \"isolation\": did you mean \"ap_isolation\"?"),
    ];
    for (content, expected) in rows {
        assert_eq!(read(content).unwrap_err(), expected);
    }
    for (content, start) in [
        (&b"mtu = \"big\"\n"[..], "FILE line 1: mtu: invalid type"),
        (b"wait = 1\n", "FILE line 1: wait: invalid type"),
        (b"[[vlan]]\nid = 1\nap_isolation = 1\n", "FILE line 3: ap_isolation: invalid type"),
        (b"[[vlan]]\nap_isolation = true\n", "FILE line 1: missing field"),
        (
            b"[[interface]]\nname = \"eth0\"\nhop_penalty = \"a\"\n",
            "FILE line 3: hop_penalty: invalid type",
        ),
        (b"\n\nmesh = = 3\n", "FILE line 3: "),
        (b"[[interface]]\nhop_penalty = 3\n", "FILE line 1: missing field"),
        (b"interface = \"eth0\"\n", "FILE line 1: interface: invalid type"),
    ] {
        let sentence = read(content).unwrap_err();
        assert!(sentence.starts_with(start), "{sentence:?} should start with {start:?}");
    }
}

#[test]
fn an_unreadable_file_gets_a_sentence() {
    let missing = read_file(Path::new("/nonexistent/noctule.toml")).unwrap_err();
    assert_eq!(missing, "cannot read /nonexistent/noctule.toml: no such file");
    let directory = read_file(&std::env::temp_dir()).unwrap_err();
    assert!(directory.ends_with("it is not a file"), "{directory}");
    let device = read_file(Path::new("/dev/zero")).unwrap_err();
    assert_eq!(device, "cannot read /dev/zero: it is not a file");
    let huge = read(&vec![b'#'; 65_537]).unwrap_err();
    assert_eq!(huge, "cannot read FILE: it is longer than 65536 bytes");
}

#[test]
fn what_does_not_go_together_gets_a_sentence() {
    assert_eq!(
        sentence_of(Written::default()),
        "no hard interface is given: name at least one, like --interface wlan0"
    );
    let mut twice = with_interface("eth0");
    twice.interfaces.extend(with_interface("wlan0").interfaces);
    twice.interfaces.extend(with_interface("eth0").interfaces);
    assert_eq!(sentence_of(twice), "eth0: the interface is given twice: name it once");
    let mut many = Written::default();
    for index in 0..17 {
        many.interfaces.extend(with_interface(&format!("eth{index}")).interfaces);
    }
    assert_eq!(sentence_of(many), "17 hard interfaces are given: 16 is the most a mesh can have");
    assert_eq!(
        sentence_of(with_interface("bat0")),
        "bat0: the mesh interface cannot be one of its own hard interfaces: give it another name with --mesh"
    );
}

#[test]
fn the_command_line_s_sentences_use_its_own_names() {
    let bad = Written { orig_interval: Some(39), ..with_interface("eth0") };
    assert_eq!(sentence_of(bad), "--orig-interval 39: must be 40 to 2147483647 milliseconds");
    assert_eq!(
        sentence_of(with_interface("wlan0123456789ab")),
        "--interface \"wlan0123456789ab\": the name of an interface has 1 to 15 bytes"
    );
}

/// What the kernel would refuse with no more than a number is refused here, with the reason. The last two have a byte in
/// them that the kernel takes for a space.
#[test]
fn names_that_linux_does_not_take_are_refused_with_the_reason() {
    let in_it = |c: char| format!("the name of an interface cannot have {c:?} in it");
    let folders = "the kernel keeps folders by the names of interfaces, and this cannot be one";
    let kept = "the kernel keeps this name for itself (net.ipv4.conf): choose another";
    #[rustfmt::skip]
    let rows = [
        ("all", kept.to_owned()),
        ("default", kept.to_owned()),
        (".", folders.to_owned()),
        ("..", folders.to_owned()),
        ("a/b", in_it('/')),
        ("a:b", in_it(':')),
        ("bat%d", in_it('%')),
        ("a b", in_it(' ')),
        ("a\u{b}b", in_it('\u{b}')),
        ("bat0123456789abc", "the name of an interface has 1 to 15 bytes".to_owned()),
        ("à", in_it('à')),
        ("bat\u{420}", in_it('\u{420}')),
    ];
    for (name, problem) in rows {
        let bad = Written { mesh: Some(name.into()), ..with_interface("eth0") };
        assert_eq!(sentence_of(bad), format!("--mesh {name:?}: {problem}"));
    }
    for name in ["...", "bät", "alle"] {
        let good = Written { mesh: Some(name.into()), ..with_interface("eth0") };
        assert_eq!(Config::new(&good).unwrap().mesh, name);
    }
}

/// A key that the list of known keys lacks could not be used; one that it has too much would be accepted and ignored.
#[test]
fn the_list_of_keys_is_that_of_the_type() {
    for key in KEYS {
        let error = toml::from_str::<Written>(&format!("{key} = 1979-05-27\n")).unwrap_err();
        assert!(!error.message().contains("unknown field"), "{key}: {}", error.message());
    }
    let all = toml::from_str::<Written>("no_such_key = 1\n").unwrap_err();
    let named = all.message().matches('`').count() / 2 - 1;
    assert_eq!(named, KEYS.len(), "{}", all.message());
    let all = toml::from_str::<Written>("[[interface]]\nno_such_key = 1\n").unwrap_err();
    let named = all.message().matches('`').count() / 2 - 1;
    assert_eq!(named, INTERFACE_KEYS.len(), "{}", all.message());
    let all = toml::from_str::<Written>("[[vlan]]\nno_such_key = 1\n").unwrap_err();
    let named = all.message().matches('`').count() / 2 - 1;
    assert_eq!(named, VLAN_KEYS.len(), "{}", all.message());
}

#[test]
fn the_operator_s_page_has_every_setting() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operations.md");
    let page = std::fs::read_to_string(path).unwrap();
    for key in KEYS.iter().chain(INTERFACE_KEYS).chain(VLAN_KEYS) {
        assert!(page.contains(&format!("`{key}")) || page.contains(&format!("[[{key}]]")), "{key}");
    }
}
