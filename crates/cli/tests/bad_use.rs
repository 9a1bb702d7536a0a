//! The real binary, used in wrong ways: one sentence on stderr, nothing on stdout, the right exit status, and nothing left
//! behind. What needs no rights runs everywhere; what needs a network namespace is in the harness's tiers.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn noctule(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_noctule")).args(args).stdin(Stdio::null()).output().unwrap()
}

/// A directory of this test's own, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("noctule-cli-{}-{name}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

#[track_caller]
fn assert_refused(output: &Output, code: i32, sentence: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said, format!("noctule: {sentence}\n"));
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(output.stdout.is_empty());
}

#[test]
fn wrong_words_get_one_sentence_and_2() {
    #[rustfmt::skip]
    let rows: [(&[&str], &str); 6] = [
        (&[], "no command is given: see noctule --help"),
        (&["orignators"], "unrecognized subcommand 'orignators': did you mean 'originators'?"),
        (&["o", "--jason"], "unexpected argument '--jason' found: did you mean '--json'?"),
        (&["run"], "no hard interface is given: name at least one, like --interface wlan0"),
        (&["run", "--json", "--interface", "eth0"], "run has nothing to print as JSON: ask the running node with \"noctule status --json\""),
        (&["run", "--interface", "eth0", "--orig-interval", "39"], "--orig-interval 39: must be 40 to 2147483647 milliseconds"),
    ];
    for (args, sentence) in rows {
        assert_refused(&noctule(args), 2, sentence);
    }
}

#[test]
fn wrong_settings_get_one_sentence_and_2() {
    let scratch = Scratch::new("settings");
    let file = scratch.path("noctule.toml");
    fs::write(&file, "mesh = \"bat0\"\n\nhop_penaltie = 3\n").unwrap();
    assert_refused(
        &noctule(&["run", "--config", &file, "--interface", "eth0"]),
        2,
        &format!("{file} line 3: unknown key \"hop_penaltie\": did you mean \"hop_penalty\"?"),
    );
    let pipe = scratch.path("pipe");
    nix::unistd::mkfifo(pipe.as_str(), nix::sys::stat::Mode::S_IRUSR).unwrap();
    for (path, shown) in [(pipe.as_str(), pipe.as_str()), ("/dev/zero", "/dev/zero"), ("/", "/")] {
        assert_refused(
            &noctule(&["run", "--config", path]),
            2,
            &format!("cannot read {shown}: it is not a file"),
        );
    }
    let plain = scratch.path("plain");
    fs::write(&plain, "").unwrap();
    assert_refused(
        &noctule(&["--socket", &plain, "o"]),
        1,
        &format!("{plain} is not a socket: say where the control socket is with --socket"),
    );
    let long = scratch.path(&"s".repeat(108));
    for (words, code) in
        [(&["o"][..], 2), (&["run", "--interface", "eth0"], 2), (&["ping", "02:00:00:00:00:01"], 1)]
    {
        let sentence = format!(
            "the path of the control socket has {} bytes, 107 are the most: choose a shorter one with --socket",
            long.len()
        );
        assert_refused(&noctule(&[&["--socket", &long], words].concat()), code, &sentence);
    }
    let missing = scratch.path("missing.toml");
    assert_refused(
        &noctule(&["run", "--config", &missing]),
        2,
        &format!("cannot read {missing}: no such file"),
    );
    assert_refused(
        &noctule(&["run", "--interface", "a0", "--interface", "a0"]),
        2,
        "a0: the interface is given twice: name it once",
    );
}

/// Without rights the first sentence is about them; with them it is about the interface. Either way nothing is made.
#[test]
fn a_start_that_fails_leaves_nothing() {
    let scratch = Scratch::new("start");
    let socket = scratch.path("run/bat0.sock");
    let output =
        noctule(&["run", "--interface", "no-such-if0", "--mesh", "bat-none", "--socket", &socket]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(
        said.starts_with("noctule: no-such-if0: no such interface (have: ")
            || said.starts_with("noctule: not permitted to use network interfaces (CAP_NET_ADMIN and CAP_NET_RAW missing)"),
        "{said}"
    );
    assert!(!Path::new(&scratch.path("run")).exists(), "nothing was made");
    let interfaces = fs::read_to_string("/proc/net/dev").unwrap_or_default();
    assert!(!interfaces.contains("bat-none"));
}

#[test]
fn without_a_node_there_is_a_sentence_with_the_fix_and_1() {
    let scratch = Scratch::new("none");
    let socket = scratch.path("bat7.sock");
    let sentence = format!(
        "no node is running at {socket}: start one with \"noctule run --mesh bat7 --interface ...\", or say where with --mesh or --socket"
    );
    #[rustfmt::skip]
    let commands: [&[&str]; 9] = [
        &["originators"], &["n"], &["tl"], &["tg"], &["if"], &["s"], &["status"],
        &["ping", "02:00:00:00:00:01"], &["tr", "02:00:00:00:00:01"],
    ];
    for command in commands {
        let args = [&["--mesh", "bat7", "--socket", &socket], command].concat();
        assert_refused(&noctule(&args), 1, &sentence);
    }
    // What a killed node left behind.
    drop(UnixListener::bind(&socket).unwrap());
    assert_refused(&noctule(&["--mesh", "bat7", "--socket", &socket, "o"]), 1, &sentence);
}

/// ICMP-25: with ping and traceroute 2 means that nobody answered, so bad use is 1.
#[test]
fn icmp_25_ping_keeps_2_for_no_answer() {
    for command in ["ping", "traceroute"] {
        assert_eq!(noctule(&[command]).status.code(), Some(1), "{command}");
    }
}

#[test]
fn help_and_version_are_no_errors() {
    for args in [&["--help"][..], &["run", "--help"], &["--version"], &["version"]] {
        let output = noctule(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(!output.stdout.is_empty() && output.stderr.is_empty(), "{args:?}");
    }
}

/// A stand-in for a node that answers every request with the same line.
fn serve_once(socket: &str, answer: String) -> std::thread::JoinHandle<()> {
    let listener = UnixListener::bind(socket).unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut byte = [0];
        while stream.read(&mut byte).unwrap() == 1 && byte != *b"\n" {}
        // The tool may be gone before it has read everything.
        let _ = stream.write_all(answer.as_bytes());
    })
}

const MESH: &str = r#"{"version":"0.1.0","algo_name":"BATMAN_IV","mesh_ifindex":9,"mesh_ifname":"bat0","mesh_address":"3e:00:5e:aa:00:01","hard_ifindex":3,"hard_ifname":"eth0","hard_address":"02:00:5e:10:00:01","tt_ttvn":2,"aggregated_ogms_enabled":true,"fragmentation_enabled":true,"hop_penalty":30,"orig_interval":1000}"#;
const ROW: &str = r#"{"hard_ifindex":3,"hard_ifname":"eth0","orig_address":"02:00:5e:30:00:03","best":true,"last_seen_msecs":640,"neigh_address":"02:00:5e:20:00:02","tq":81}"#;

/// MGMT-29: both header lines, the columns where scripts look for them; `-H` leaves both out.
#[test]
fn mgmt_29_a_table_as_scripts_expect_it() {
    let scratch = Scratch::new("table");
    let header = "[Noctule 0.1.0, MainIF/MAC: eth0/02:00:5e:10:00:01 (bat0/3e:00:5e:aa:00:01 BATMAN_IV)]\n   Originator        last-seen (#/255) Nexthop           [outgoingIF]\n";
    let row = " * 02:00:5e:30:00:03    0.640s   ( 81) 02:00:5e:20:00:02 [      eth0]\n";
    for (name, options, expected) in [
        ("with", &["-n"][..], format!("{header}{row}")),
        ("without", &["-n", "-H"], row.to_owned()),
        ("hidden", &["-n", "-H", "-t", "0.5"], String::new()),
        ("json", &["--json"], format!("[{ROW}]\n")),
    ] {
        let socket = scratch.path(name);
        let server = serve_once(
            &socket,
            format!("{{\"noctule\":1,\"mesh\":{MESH},\"originators\":[{ROW}]}}\n"),
        );
        let output = noctule(&[&["--socket", &socket, "o"], options].concat());
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{name}");
        assert_eq!((output.status.code(), output.stderr.is_empty()), (Some(0), true), "{name}");
        server.join().unwrap();
    }
}

/// MGMT-29: without an active primary interface the originator table says nothing and fails.
#[test]
fn mgmt_29_no_active_interface_is_a_failure() {
    let scratch = Scratch::new("inactive");
    let inactive = MESH.replace(
        r#""hard_ifindex":3,"hard_ifname":"eth0","hard_address":"02:00:5e:10:00:01","#,
        "",
    );
    for (command, table, said) in [
        ("originators", "originators", ""),
        ("neighbors", "neighbors", ""),
        (
            "translocal",
            "translocal",
            "noctule: bat0: no hard interface is active: set one up with \"ip link set ... up\"\n",
        ),
        (
            "transglobal",
            "transglobal",
            "noctule: bat0: no hard interface is active: set one up with \"ip link set ... up\"\n",
        ),
    ] {
        let socket = scratch.path(command);
        let server =
            serve_once(&socket, format!("{{\"noctule\":1,\"mesh\":{inactive},\"{table}\":[]}}\n"));
        let output = noctule(&["--socket", &socket, command]);
        assert_eq!(output.status.code(), Some(1), "{command}");
        assert!(output.stdout.is_empty());
        assert_eq!(String::from_utf8_lossy(&output.stderr), said, "{command}");
        server.join().unwrap();
    }
}

#[test]
fn what_the_node_refuses_is_said_and_1() {
    let scratch = Scratch::new("refused");
    for (name, answer, said) in [
        (
            "error",
            "{\"noctule\":1,\"error\":\"eth9: not a hard interface of bat0\"}\n",
            "noctule: eth9: not a hard interface of bat0\n".to_owned(),
        ),
        ("version", "{\"noctule\":2,\"statistics\":{}}\n", String::new()),
        ("garbage", "garbage\n", String::new()),
        ("closed", "{\"noctule\":1,", String::new()),
    ] {
        let socket = scratch.path(name);
        let server = serve_once(&socket, answer.to_owned());
        let output = noctule(&["--socket", &socket, "o", "-i", "eth9"]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            (output.status.code(), stderr.lines().count()),
            (Some(1), 1),
            "{name}: {stderr}"
        );
        assert!(said.is_empty() || stderr == said, "{name}: {stderr}");
        server.join().unwrap();
    }
}

/// A reader who has seen enough is no error, whatever is still to come.
#[test]
fn a_closed_pipe_is_no_error() {
    let scratch = Scratch::new("pipe");
    let socket = scratch.path("bat0.sock");
    // More than a pipe holds.
    let rows = vec![ROW; 20_000].join(",");
    let server = serve_once(
        &socket,
        format!("{{\"noctule\":1,\"mesh\":{MESH},\"originators\":[{rows}]}}\n"),
    );
    let mut child = Command::new(env!("CARGO_BIN_EXE_noctule"))
        .args(["--socket", &socket, "o"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 1];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    server.join().unwrap();
}
