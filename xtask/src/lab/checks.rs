//! `cargo xtask lab`: does the laboratory do what it says, on this machine, for this user?

use std::cell::Cell;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpid};

use super::{
    End, FrameSocket, Lab, Link, Namespace, Netem, Output, Process, Set, Side, Way, Wire, enclose,
    tied, wait_for, wait_until,
};
use crate::cases::{self, Case, cases};

const SOON: Duration = Duration::from_secs(10);
/// A run that builds something and then waits to be killed.
const HOLD: &str = "--hold";
/// A sleep that no other program on earth asks for: how the checks find it again.
const SLEEP: &str = "86399.7531";

const CASES: &[Case] = cases![
    a_link_has_the_settings_asked_for,
    a_bridge_joins_three_namespaces,
    tcp_crosses_a_link,
    a_changed_link_shows_it,
    a_vlan_interface_tags_frames,
    netem_loses_and_delays,
    a_wire_loses_and_delays_in_one_direction,
    an_output_comes_back_with_its_status,
    a_command_that_hangs_is_ended,
    a_process_logs_and_ends_when_told,
    a_dropped_process_takes_its_children_along,
    a_process_outlives_the_thread_that_asked_for_it,
    the_enclosure_is_alone,
    nothing_outlives_a_killed_run,
    nothing_outlives_an_interrupted_run,
    nothing_outlives_a_panic,
];

/// Runs the checks.
pub(crate) fn main(arguments: &[String]) -> Result<ExitCode> {
    if let Side::Outside(code) = enclose(&[])? {
        return Ok(code);
    }
    match arguments {
        [first, how] if first == HOLD => hold(how),
        _ => cases::run(CASES, arguments),
    }
}

/// Two namespaces with addresses 10.0.0.1 and 10.0.0.2 and a link of that MTU.
fn pair(lab: &Lab, mtu: u32) -> Result<(Namespace, Namespace)> {
    let (one, two) = (lab.namespace("one")?, lab.namespace("two")?);
    let here = End { name: "one0", mac: [2, 0, 0, 0, 0, 1] };
    let there = End { name: "two0", mac: [2, 0, 0, 0, 0, 2] };
    lab.veth(&one, &here, &two, &there, mtu)?;
    one.add_address("one0", "10.0.0.1/24")?;
    two.add_address("two0", "10.0.0.2/24")?;
    Ok((one, two))
}

fn a_link_has_the_settings_asked_for() -> Result<()> {
    let lab = Lab::new("check")?;
    let (one, two) = pair(&lab, 1400)?;
    let (here, there): (Link, Link) = (one.link("one0")?, two.link("two0")?);
    ensure!(here.mac == [2, 0, 0, 0, 0, 1] && there.mac == [2, 0, 0, 0, 0, 2]);
    ensure!(here.mtu == 1400 && there.mtu == 1400 && here.kind == "veth");
    for (namespace, link) in [(&one, "one0"), (&two, "two0")] {
        wait_for(SOON, "both ends have a carrier", || {
            ensure!(namespace.link(link)?.running, "{link} has none");
            Ok(())
        })?;
    }
    ensure!(one.find_link("two0")?.is_none(), "a namespace sees the other's link");
    Ok(())
}

fn a_bridge_joins_three_namespaces() -> Result<()> {
    let lab = Lab::new("check")?;
    let switch = lab.namespace("switch")?;
    switch.add_bridge("br0")?;
    switch.set_link("br0", &[Set::Up])?;
    let hosts: Vec<_> = (1..=3_u8)
        .map(|n| {
            let host = lab.namespace(&format!("host{n}"))?;
            let port = format!("port{n}");
            let end = End { name: &port, mac: [2, 0, 0, 0, 1, n] };
            lab.veth(&host, &End { name: "eth0", mac: [2, 0, 0, 0, 2, n] }, &switch, &end, 1500)?;
            switch.set_link(&port, &[Set::Master("br0")])?;
            host.add_address("eth0", &format!("10.0.0.{n}/24"))?;
            Ok(host)
        })
        .collect::<Result<_>>()?;
    ensure!(switch.link("port2")?.master == Some(switch.link("br0")?.index));
    for (from, to) in [(0, 2), (2, 1), (1, 0)] {
        let socket = hosts[to].with(|| UdpSocket::bind("0.0.0.0:7"))?;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        let sender = hosts[from].with(|| UdpSocket::bind("0.0.0.0:0"))?;
        wait_until(SOON, "a datagram crosses the bridge", || {
            // The first may be lost while a port is not forwarding yet.
            sender.send_to(b"hello", format!("10.0.0.{}:7", to + 1)).is_ok()
                && socket.recv(&mut [0; 16]).is_ok()
        })?;
    }
    switch.set_link("port2", &[Set::NoMaster])?;
    ensure!(switch.link("port2")?.master.is_none());
    Ok(())
}

fn tcp_crosses_a_link() -> Result<()> {
    const AMOUNT: u64 = 4 << 20;
    let lab = Lab::new("check")?;
    let (one, two) = pair(&lab, 1500)?;
    let listener = two.with(|| TcpListener::bind("10.0.0.2:5001"))?;
    let received = std::thread::scope(|scope| -> Result<u64> {
        let server = scope.spawn(|| -> Result<u64> {
            let (stream, _) = listener.accept()?;
            Ok(std::io::copy(&mut stream.take(AMOUNT), &mut std::io::sink())?)
        });
        let address = "10.0.0.2:5001".parse()?;
        let mut client = one.with(|| TcpStream::connect_timeout(&address, SOON))?;
        std::io::copy(&mut std::io::repeat(7).take(AMOUNT), &mut client)?;
        client.flush()?;
        server.join().expect("the server does not panic")
    })?;
    ensure!(received == AMOUNT, "{received} of {AMOUNT} bytes arrived");
    let sent = one.link("one0")?;
    ensure!(sent.tx_bytes > AMOUNT && sent.tx_frames > 0, "the link counted {sent:?}");
    Ok(())
}

fn a_changed_link_shows_it() -> Result<()> {
    let lab = Lab::new("check")?;
    let (one, two) = pair(&lab, 1500)?;
    one.set_link("one0", &[Set::Mtu(1280), Set::Mac([2, 0, 0, 0, 0, 9])])?;
    let link = one.link("one0")?;
    ensure!(link.mtu == 1280 && link.mac == [2, 0, 0, 0, 0, 9] && link.up);
    one.set_link("one0", &[Set::Down])?;
    ensure!(!one.link("one0")?.up);
    wait_until(SOON, "the other end loses its carrier", || {
        two.link("two0").is_ok_and(|link| !link.running)
    })?;
    one.set_link("one0", &[Set::Name("renamed0")])?;
    one.set_link("renamed0", &[Set::Up])?;
    one.delete_link("renamed0")?;
    ensure!(one.find_link("renamed0")?.is_none() && two.find_link("two0")?.is_none());
    let (here, there) = (End { name: "a0", mac: [2; 6] }, End { name: "b0", mac: [4; 6] });
    lab.veth(&one, &here, &two, &there, 1500)?;
    one.add_address("a0", "fd00::1/64")?;
    one.with(|| UdpSocket::bind("[fd00::1]:0")).context("an IPv6 address is usable at once")?;
    one.delete_address("a0", "fd00::1/64")?;
    ensure!(one.with(|| UdpSocket::bind("[fd00::1]:0")).is_err());
    one.add_address("a0", "10.7.0.1/24")?;
    one.add_route("10.9.0.0/16", "10.7.0.2".parse()?)?;
    one.set_sysctl("net.ipv4.ip_forward", "1")?;
    let forward = || std::fs::read_to_string("/proc/sys/net/ipv4/ip_forward");
    ensure!(one.with(forward)?.trim() == "1" && two.with(forward)?.trim() == "0");
    let wrong = one.add_address("absent0", "10.0.0.1/24").expect_err("there is no such link");
    ensure!(format!("{wrong:#}").contains("no link absent0"), "{wrong:#}");
    Ok(())
}

fn a_vlan_interface_tags_frames() -> Result<()> {
    let lab = Lab::new("check")?;
    let (one, two) = pair(&lab, 1500)?;
    for (namespace, parent, address) in
        [(&one, "one0", "10.7.0.1/24"), (&two, "two0", "10.7.0.2/24")]
    {
        namespace.add_vlan(parent, "tagged0", 7)?;
        namespace.set_link("tagged0", &[Set::Up])?;
        namespace.add_address("tagged0", address)?;
    }
    ensure!(one.link("tagged0")?.kind == "vlan");
    let sender = one.with(|| UdpSocket::bind("10.7.0.1:0"))?;
    let receiver = two.with(|| UdpSocket::bind("10.7.0.2:7"))?;
    receiver.set_read_timeout(Some(SOON))?;
    sender.send_to(b"x", "10.7.0.2:7")?;
    receiver.recv(&mut [0; 8])?;
    ensure!(two.link("tagged0")?.rx_frames > 0);
    Ok(())
}

fn netem_loses_and_delays() -> Result<()> {
    const FRAMES: u64 = 400;
    const DELAY: Duration = Duration::from_millis(60);
    let lab = Lab::new("check")?;
    let (one, two) = pair(&lab, 1500)?;
    let sender = one.with(|| UdpSocket::bind("10.0.0.1:0"))?;
    let receiver = two.with(|| UdpSocket::bind("10.0.0.2:7"))?;
    receiver.set_read_timeout(Some(SOON))?;
    let send = || sender.send_to(b"x", "10.0.0.2:7");
    // The first datagram teaches both sides the other's address.
    send()?;
    receiver.recv(&mut [0; 8])?;

    one.set_netem("one0", &Netem { delay: DELAY, ..Netem::default() })?;
    let start = Instant::now();
    send()?;
    receiver.recv(&mut [0; 8])?;
    ensure!(start.elapsed() >= DELAY, "a frame took only {:?}", start.elapsed());

    let before = two.link("two0")?.rx_frames;
    one.set_netem("one0", &Netem::loss(50.0))?;
    for _ in 0..FRAMES {
        send()?;
    }
    one.clear_netem("one0")?;
    // What follows them arrives after them.
    sender.send_to(b"end", "10.0.0.2:7")?;
    receiver_sees(&receiver, b"end")?;
    let arrived = two.link("two0")?.rx_frames - before - 1;
    // 400 fair coins: fewer than 120 or more than 280 heads come once in 10^15 tries.
    ensure!((120..=280).contains(&arrived), "{arrived} of {FRAMES} frames arrived");

    let before = two.link("two0")?.rx_frames;
    for _ in 0..FRAMES {
        send()?;
    }
    wait_until(SOON, "every frame arrives without netem", || {
        two.link("two0").is_ok_and(|link| link.rx_frames - before >= FRAMES)
    })?;
    Ok(())
}

/// Receives until this datagram comes.
fn receiver_sees(receiver: &UdpSocket, wanted: &[u8]) -> Result<()> {
    let mut bytes = [0; 8];
    loop {
        let length = receiver.recv(&mut bytes)?;
        if &bytes[..length] == wanted {
            return Ok(());
        }
    }
}

fn a_wire_loses_and_delays_in_one_direction() -> Result<()> {
    const DELAY: Duration = Duration::from_millis(30);
    let lab = Lab::new("check")?;
    let (one, two) = (lab.namespace("one")?, lab.namespace("two")?);
    let here = End { name: "one0", mac: [2, 0, 0, 0, 0, 1] };
    let there = End { name: "two0", mac: [2, 0, 0, 0, 0, 2] };
    for namespace in [&one, &two] {
        // Nobody else speaks on this link.
        namespace.set_sysctl("net.ipv6.conf.default.disable_ipv6", "1")?;
    }
    let wire: Wire = lab.wire(&one, &here, &two, &there, 1500)?;
    let mut one = FrameSocket::open(&one, "one0")?;
    let mut two = FrameSocket::open(&two, "two0")?;
    // Sends frames of full size from one end, and counts those that reach the other: a marked one
    // comes last, over a repaired wire, and overtakes nothing.
    let count = |side: usize, from: &FrameSocket, to: &mut FrameSocket, frames: u8| {
        let before = wire.taken()[side];
        let mut frame = [2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8, 0x43, 0x05, 0].to_vec();
        frame.resize(1514, 0xa5);
        for _ in 0..frames {
            from.send(&frame)?;
        }
        wait_until(SOON, "the wire has taken them", || {
            wire.taken()[side] >= before + u64::from(frames)
        })?;
        wire.repair();
        frame[14] = 1;
        from.send(&frame)?;
        let arrived = Cell::new(0);
        to.receive(SOON, |bytes| {
            arrived.set(arrived.get() + u8::from(bytes.len() == 1514));
            bytes == frame
        })?;
        anyhow::Ok(arrived.get() - 1)
    };
    ensure!(count(0, &one, &mut two, 40)? == 40 && count(1, &two, &mut one, 40)? == 40);
    wire.cut();
    ensure!(count(0, &one, &mut two, 5)? == 0, "a cut wire carries nothing");
    wire.set(Way::There, Netem::loss(100.0));
    ensure!(count(1, &two, &mut one, 20)? == 20, "only one direction is cut");
    wire.set(Way::There, Netem::loss(100.0));
    ensure!(count(0, &one, &mut two, 5)? == 0, "only one direction is cut");
    wire.set(Way::Back, Netem { delay: DELAY, ..Netem::default() });
    let start = Instant::now();
    two.send(&[0x02; 60])?;
    one.receive(SOON, |frame| frame == [0x02; 60])?;
    ensure!(start.elapsed() >= DELAY, "a frame took only {:?}", start.elapsed());
    Ok(())
}

fn an_output_comes_back_with_its_status() -> Result<()> {
    let lab = Lab::new("check")?;
    let one = lab.namespace("one")?;
    let good: Output = one.run(&["sh", "-c", "echo out; echo err >&2"], SOON)?;
    ensure!(good.stdout == "out\n" && good.stderr == "err\n" && good.status.success());
    let bad = one.run(&["sh", "-c", "echo why >&2; exit 3"], SOON)?;
    ensure!(bad.status.code() == Some(3));
    let error = bad.success().expect_err("status 3");
    ensure!(error.to_string().contains("why"), "{error:#}");
    let absent = one.run(&["no-such-program-anywhere"], SOON).expect_err("cannot run");
    ensure!(format!("{absent:#}").contains("no-such-program-anywhere"), "{absent:#}");
    Ok(())
}

fn a_command_that_hangs_is_ended() -> Result<()> {
    let lab = Lab::new("check")?;
    let one = lab.namespace("one")?;
    let error = one
        .run(
            &["sh", "-c", &format!("echo before; sleep {SLEEP} & wait")],
            Duration::from_millis(300),
        )
        .expect_err("it hangs");
    let text = format!("{error:#}");
    ensure!(text.contains("did not end") && text.contains("before"), "{text}");
    sleepers_vanish()
}

fn a_process_logs_and_ends_when_told() -> Result<()> {
    let lab = Lab::new("check")?;
    let one = lab.namespace("one")?;
    let polite = "trap 'echo bye; exit 5' TERM; echo hello; while :; do sleep 0.05; done";
    let mut process = one.spawn("polite", &["sh", "-c", polite])?;
    wait_until(SOON, "it says hello", || process.log().contains("hello"))?;
    ensure!(process.is_running());
    ensure!(process.resident_bytes()? > 100_000, "a shell needs more memory");
    process.processor_time()?;
    let logs = lab.logs().join("one-polite.log");
    let status = process.terminate()?;
    ensure!(status.code() == Some(5), "{status}");
    ensure!(std::fs::read_to_string(logs)?.ends_with("bye\n"));

    let mut short = one.spawn("short", &["sh", "-c", "echo broken; exit 1"])?;
    ensure!(short.wait(SOON)?.code() == Some(1));
    let error = short.terminate().expect_err("it ended by itself");
    ensure!(error.to_string().contains("broken"), "{error:#}");

    one.spawn("deaf", &["sh", "-c", &format!("trap '' TERM; exec sleep {SLEEP}")])?.kill()?;
    sleepers_vanish()
}

fn a_dropped_process_takes_its_children_along() -> Result<()> {
    let lab = Lab::new("check")?;
    let one = lab.namespace("one")?;
    let process = one.spawn("family", &["sh", "-c", &format!("sleep {SLEEP} & sleep {SLEEP}")])?;
    wait_until(SOON, "parent and child run", || sleepers().len() == 2)?;
    drop(process);
    sleepers_vanish()
}

fn a_process_outlives_the_thread_that_asked_for_it() -> Result<()> {
    let lab = Lab::new("check")?;
    let one = lab.namespace("one")?;
    let mut process = std::thread::scope(|scope| {
        scope.spawn(|| one.spawn("sleeper", &["sleep", SLEEP])).join().expect("no panic")
    })?;
    // The kernel's signal would come with the thread's end, which was before this line.
    ensure!(process.is_running());
    process.signal(Signal::SIGINT);
    ensure!(process.wait(SOON)?.signal() == Some(libc::SIGINT));
    Ok(())
}

fn the_enclosure_is_alone() -> Result<()> {
    ensure!(getpid() == Pid::from_raw(1), "the inner run is process {}", getpid());
    let outer = Namespace::new("outer", std::env::temp_dir())?;
    ensure!(outer.links()?.iter().all(|link| link.name == "lo" || !link.up));
    let here = std::fs::read_to_string("/proc/self/net/dev")?;
    let strangers: Vec<_> = here
        .lines()
        .skip(2)
        .filter_map(|line| Some(line.split_once(':')?.0.trim()))
        // Some kernels make these in every namespace as long as a module is loaded.
        .filter(|name| !["lo", "sit0", "tunl0", "ip6tnl0", "gre0", "gretap0"].contains(name))
        .filter(|name| !name.starts_with("erspan") && !name.starts_with("ip"))
        .collect();
    ensure!(strangers.is_empty(), "links of somebody else: {strangers:?}");
    let lab = Lab::new("check")?;
    ensure!(lab.run().is_dir() && lab.run().starts_with("/run"));
    ensure!(std::fs::read_dir("/run")?.flatten().all(|entry| entry.file_name() == "lab"));
    Ok(())
}

fn nothing_outlives_a_killed_run() -> Result<()> {
    ends_with(HoldEnd::Signal(Signal::SIGKILL))
}

fn nothing_outlives_an_interrupted_run() -> Result<()> {
    ends_with(HoldEnd::Signal(Signal::SIGINT))?;
    ends_with(HoldEnd::Signal(Signal::SIGTERM))
}

fn nothing_outlives_a_panic() -> Result<()> {
    ends_with(HoldEnd::Panic)
}

enum HoldEnd {
    Signal(Signal),
    Panic,
}

/// Starts a run that holds a namespace and a process, lets it end so, and looks for remains.
fn ends_with(end: HoldEnd) -> Result<()> {
    let how = if matches!(end, HoldEnd::Panic) { "panic" } else { "wait" };
    let mut command = tied(std::env::current_exe()?.as_os_str());
    command.args(["lab", HOLD, how]).env_remove(super::enclosure::MARK).stdout(Stdio::piped());
    let mut held = command.stderr(Stdio::null()).spawn()?;
    let mut lines = BufReader::new(held.stdout.take().context("stdout is piped")?).lines();
    let first = lines.next().context("the held run said nothing")??;
    ensure!(first == "holding", "the held run said {first}");
    match end {
        HoldEnd::Signal(signal) => {
            ensure!(sleepers().len() == 1, "one process is held: {:?}", sleepers());
            kill(Pid::from_raw(held.id().cast_signed()), signal)?;
        }
        // It may have ended already: it looked for the held process itself.
        HoldEnd::Panic => {}
    }
    let status = held.wait()?;
    ensure!(!status.success(), "the held run ended with {status}");
    if let HoldEnd::Signal(signal @ (Signal::SIGINT | Signal::SIGTERM)) = end {
        // Not that of a panic on the way out.
        let expected = Some(128 + signal as i32);
        ensure!(status.code() == expected, "after {signal} the held run ended with {status}");
    }
    sleepers_vanish()
}

/// The held run itself.
fn hold(how: &str) -> Result<ExitCode> {
    let lab = Lab::new("hold")?;
    let one = lab.namespace("one")?;
    let _sleeper: Process = one.spawn("sleeper", &["sleep", SLEEP])?;
    wait_until(SOON, "the process runs", || sleepers().len() == 1)?;
    println!("holding");
    match how {
        "panic" => panic!("asked for"),
        _ => std::thread::sleep(Duration::from_secs(60)),
    }
    Ok(ExitCode::SUCCESS)
}

fn sleepers_vanish() -> Result<()> {
    wait_until(SOON, "no process is left behind", || sleepers().is_empty()).map(|_| ())
}

/// The processes that sleep for [`SLEEP`].
fn sleepers() -> Vec<String> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| {
            let words = std::fs::read(format!("/proc/{name}/cmdline")).unwrap_or_default();
            words.split(|byte| *byte == 0).eq([b"sleep".as_slice(), SLEEP.as_bytes(), b""])
        })
        .collect()
}
