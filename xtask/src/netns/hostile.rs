//! Somebody means harm: on a link, at the control socket, or at the other end of the log.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::stat::Mode;

use super::{LIMIT, QUICK, chain, nodes, replace_address};
use crate::lab::{FrameSocket, Lab, Set, wait_for, wait_until};
use crate::node::Node;

const FRAMES: u32 = 10_000;
const MEMORY_MAX: u64 = 16 << 20;
const PATIENCE: Duration = Duration::from_secs(2);
/// What the attacker calls itself.
const ATTACKER: [u8; 6] = [0x02, 0xee, 0, 0, 0, 1];

/// The same numbers in every run (xorshift).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

/// A frame that is wrong in some way: noise, noise with a good beginning, or a real frame with some bytes changed, cut or
/// added.
fn bad_frame(chance: &mut Chance, templates: &[Vec<u8>], victim: [u8; 6]) -> Vec<u8> {
    const TYPES: [u8; 9] = [0, 1, 5, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45];
    let to = if chance.below(2) == 0 { [0xff; 6] } else { victim };
    let mut frame = [&to[..], &ATTACKER, &[0x43, 0x05]].concat();
    if chance.below(3) == 0 {
        let length = chance.below(1500);
        frame.extend((0..length).map(|_| chance.next() as u8));
        if let [packet_type, version, ..] = &mut frame[14..]
            && chance.below(2) == 0
        {
            *packet_type = TYPES[chance.below(TYPES.len())];
            *version = 15;
        }
        return frame;
    }
    let template = &templates[chance.below(templates.len())];
    frame.extend(&template[14..]);
    match chance.below(6) {
        0 => frame.truncate(14 + chance.below(frame.len() - 13)),
        1 => {
            let length = chance.below(1514 - frame.len().min(1500));
            frame.extend((0..length).map(|_| chance.next() as u8));
        }
        _ => {}
    }
    let body = frame.len() - 14;
    for _ in 0..=chance.below(4) {
        if body > 0 {
            let at = 14 + chance.below(body);
            frame[at] = match chance.below(4) {
                0 => 0,
                1 => 0xff,
                2 => frame[at] ^ (1 << chance.below(8)),
                _ => chance.next() as u8,
            };
        }
    }
    frame
}

/// Frames that the hard interfaces of a node received and sent.
fn traffic(node: &Node, links: &[&str]) -> Result<(u64, u64)> {
    let mut sum = (0, 0);
    for link in links {
        let link = node.namespace.link(link)?;
        sum = (sum.0 + link.rx_frames, sum.1 + link.tx_frames);
    }
    Ok(sum)
}

/// All `drop_` counters together, and how many of them are not zero.
fn drops(node: &Node) -> Result<(u64, usize)> {
    let text = node.ask(&["statistics"])?;
    let counts = text.lines().filter_map(|line| {
        line.trim().strip_prefix("drop_")?.split_once(": ")?.1.parse::<u64>().ok()
    });
    let counts: Vec<u64> = counts.filter(|count| *count > 0).collect();
    Ok((counts.iter().sum(), counts.len()))
}

/// Real frames of every kind that a chain of three exchanges, as the one in the middle receives them.
fn recorded(nodes: &[Node]) -> Result<Vec<Vec<u8>>> {
    let mut socket = FrameSocket::open(&nodes[1].namespace, "e1")?;
    let mut echo = nodes[0].echo(nodes[2].address())?;
    let originator = nodes[2].originator();
    let mut frames: Vec<Vec<u8>> = Vec::new();
    let start = Instant::now();
    // Unicast, fragments, ICMP and OGMs, and what else passes meanwhile.
    while start.elapsed() < LIMIT {
        for payload in [56, 1472] {
            echo.ping(payload, PATIENCE)?;
        }
        nodes[0].output(&["ping", "-c", "1", &originator])?;
        while let Some(frame) = socket.try_receive()? {
            let kind = |frame: &[u8]| frame.get(14).copied();
            let same = frames.iter().filter(|known| kind(known) == kind(frame)).count();
            if frame.get(12..14) == Some(&[0x43, 0x05]) && frame.len() > 20 && same < 8 {
                frames.push(frame.to_vec());
            }
        }
        let kinds = [0, 0x40, 0x41, 0x43];
        if kinds.iter().all(|kind| frames.iter().any(|frame| frame[14] == *kind)) {
            return Ok(frames);
        }
    }
    bail!(
        "not every kind of frame was seen: {:?}",
        frames.iter().map(|frame| frame[14]).collect::<Vec<_>>()
    )
}

pub(super) fn bad_frames_are_dropped_counted_and_not_multiplied() -> Result<()> {
    let (lab, mut nodes) = nodes(&["anna", "ben", "cara", "mallory"])?;
    for other in [0, 2, 3] {
        let [ben, other] = nodes.get_disjoint_mut([1, other])?;
        ben.link(other, &lab, 1500)?;
    }
    for node in &mut nodes[..3] {
        node.start(&QUICK)?;
    }
    let target = nodes[2].address();
    nodes[0].wait_for_ping(target, LIMIT)?;
    let mut templates = recorded(&nodes)?;
    for template in &mut templates {
        // Spoofing a real node is an attack that the protocol cannot ward off; this is about the others.
        replace_address(template, nodes[0].mac(1), ATTACKER);
        replace_address(template, nodes[0].namespace.link("bat0")?.mac, ATTACKER);
    }
    let ben = &nodes[1];
    let links: Vec<String> = ben.interfaces();
    let links: Vec<&str> = links.iter().map(String::as_str).collect();
    let victim = ben.mac(3);
    let socket = FrameSocket::open(&nodes[3].namespace, "e1")?;
    let stream = nodes[0].ping_stream(target, Duration::from_millis(50))?;
    let mut chance = Chance(0x2545_f491_4f6c_dd1d);
    let dropped_before = drops(ben)?;
    let resident_before = resident(&mut nodes, 1)?;
    let ben = &nodes[1];
    let (received_before, sent_before) = traffic(ben, &links)?;
    let attacked = Instant::now();
    let mut injected = 0_u32;
    while injected < FRAMES {
        let frame = bad_frame(&mut chance, &templates, victim);
        if frame.len() < 15 || frame.len() > 1514 {
            continue;
        }
        inject(&socket, &frame)?;
        injected += 1;
        if injected.is_multiple_of(64) {
            // Slower than the node's rings drain: lost frames prove nothing.
            sleep(Duration::from_millis(2));
        }
    }
    let over = Instant::now();
    wait_until(LIMIT, "the link has delivered all of them", || {
        traffic(ben, &links)
            .is_ok_and(|(received, _)| received >= received_before + u64::from(FRAMES))
    })?;
    // What the node still sends because of them, it sends within a repeat of its broadcasts.
    sleep(Duration::from_millis(500));
    let (received, sent) = traffic(ben, &links)?;
    let (received, sent) = (received - received_before, sent - sent_before);
    let (dropped, reasons) = drops(ben)?;
    let dropped = dropped - dropped_before.0;
    let log = stream.stop()?;
    let (lost, pings) = log.lost(attacked, over);
    println!(
        "        {FRAMES} bad frames: {dropped} drops for {reasons} reasons, {received} frames in, {sent} out, {lost} of {pings} pings lost"
    );
    ensure!(sent <= received, "{sent} frames were sent for {received} received ones");
    ensure!(dropped >= u64::from(FRAMES) / 2, "only {dropped} drops were counted");
    ensure!(reasons >= 6, "only {reasons} reasons were counted");
    let resident_after = resident(&mut nodes, 1)?;
    ensure!(
        resident_after <= MEMORY_MAX,
        "{resident_after} bytes resident, {resident_before} before"
    );
    // Nothing of it stays: neighbours and routes are those that are there.
    let mut echo = nodes[0].echo(target)?;
    for count in 0..20 {
        echo.ping(1472, PATIENCE)?
            .with_context(|| format!("ping {count} after the attack got lost"))?;
    }
    for node in &mut nodes[..3] {
        ensure!(node.daemon()?.is_running(), "{} has ended", node.name());
    }
    Ok(())
}

/// Sends a frame as soon as the sender's own queue has room, so that every frame counts.
fn inject(socket: &FrameSocket, frame: &[u8]) -> Result<()> {
    wait_for(LIMIT, "the queue has room", || match socket.send(frame) {
        Err(error)
            if error.raw_os_error() == Some(libc::ENOBUFS)
                || error.kind() == ErrorKind::WouldBlock =>
        {
            Err(error.into())
        }
        sent => Ok(sent),
    })?
    .context("cannot inject a frame")
}

pub(super) fn invented_originators_fill_a_table_and_no_more() -> Result<()> {
    let (_lab, mut nodes) = chain(&["anna", "ben", "cara"])?;
    let target = nodes[2].address();
    nodes[0].wait_for_ping(target, LIMIT)?;
    // An OGM of cara's as ben passes it on, from which those of others are made.
    let ben = nodes[1].mac(1);
    let socket = FrameSocket::open(&nodes[1].namespace, "e1")?;
    let mut listener = FrameSocket::open(&nodes[0].namespace, "e1")?;
    let cara = nodes[2].mac(1);
    let template = listener.receive(LIMIT, |frame| {
        frame.get(12..15) == Some(&[0x43, 0x05, 0])
            && frame.get(6..12) == Some(&ben)
            && frame.get(22..28) == Some(&cara)
    })?;
    let before = resident(&mut nodes, 0)?;
    for number in 0..FRAMES {
        let mut frame = template.clone();
        let [.., high, low] = number.to_be_bytes();
        // As if all of them were behind one unknown neighbour.
        replace_address(&mut frame, ben, ATTACKER);
        replace_address(&mut frame, cara, [0x02, 0xef, 0, 0, high, low]);
        inject(&socket, &frame)?;
        if number.is_multiple_of(64) {
            sleep(Duration::from_millis(2));
        }
    }
    nodes[0].wait_for_ping(target, LIMIT)?;
    let status: serde_json::Value = serde_json::from_str(&nodes[0].ask(&["status", "--json"])?)?;
    let known = status["originators"].as_u64().context("no number of originators")?;
    let after = resident(&mut nodes, 0)?;
    println!(
        "        {FRAMES} invented originators: {known} known, {:.1} MiB resident, {:.1} MiB before",
        after as f64 / f64::from(1 << 20),
        before as f64 / f64::from(1 << 20)
    );
    ensure!(known < 5000, "{known} originators: the table has no bound");
    ensure!(after <= MEMORY_MAX, "{after} bytes resident");
    nodes[0].wait_for_ping(target, LIMIT)?;
    nodes[0].ask(&["originators"])?;
    Ok(())
}

fn resident(nodes: &mut [Node], index: usize) -> Result<u64> {
    nodes[index].daemon()?.resident_bytes()
}

fn connect(node: &Node) -> Result<UnixStream> {
    let stream = UnixStream::connect(node.socket())?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    Ok(stream)
}

/// Writes as much as the daemon takes and returns what it answers until it hangs up.
fn conversation(node: &Node, bytes: &[u8]) -> Result<String> {
    let mut stream = connect(node)?;
    match stream.write_all(bytes) {
        Ok(()) => {}
        Err(error)
            if [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset].contains(&error.kind()) => {}
        Err(error) => return Err(error).context("the daemon neither takes it nor hangs up"),
    }
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => return Err(error).context("the daemon does not hang up"),
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

pub(super) fn rubbish_at_the_control_socket_holds_nobody_up() -> Result<()> {
    let (_lab, mut nodes) = chain(&["anna", "ben", "cara"])?;
    let target = nodes[2].address();
    nodes[0].wait_for_ping(target, LIMIT)?;
    let ben = &nodes[1];
    let mut chance = Chance(7);
    let noise: Vec<u8> = (0..3000).map(|_| chance.next() as u8).collect();
    let deep = [b"{\"noctule\":1,\"request\":".to_vec(), vec![b'['; 3000], vec![b'\n']].concat();
    let requests: [&[u8]; 8] = [
        &noise,
        &deep,
        b"\0\0\0\0\n",
        b"{\"noctule\":1}\n",
        b"{\"noctule\":2,\"request\":\"status\"}\n",
        b"{\"noctule\":1,\"request\":\"reboot\"}\n",
        b"{\"noctule\":1,\"request\":\"probe\",\"destination\":\"ff:ff:ff:ff:ff:ff\",\"seqno\":-1,\"timeout_ms\":1e99}\n",
        b"{\"noctule\":1,\"request\":\"originators\",\"interface\":17}\n",
    ];
    for request in requests {
        let answer = conversation(ben, request)?;
        let shown = String::from_utf8_lossy(&request[..request.len().min(60)]).into_owned();
        ensure!(answer.contains("\"error\""), "{shown:?} was answered with {answer:?}");
    }
    let answer = conversation(ben, &vec![b'x'; 1 << 20])?;
    ensure!(answer.contains("at most 4096 bytes"), "a megabyte: {answer:?}");
    nodes[0].wait_for_ping(target, LIMIT)?;
    ben.ask(&["status"])?;

    // Connections that say nothing take all the places; who comes then is told so, and gets one when they leave.
    let idle: Vec<UnixStream> = (0..8).map(|_| connect(ben)).collect::<Result<_>>()?;
    wait_for(LIMIT, "the ninth is refused", || {
        let refused = ben.output(&["status"])?;
        ensure!(refused.status.code() == Some(1), "{:?}", refused.status);
        ensure!(refused.stderr.trim_end().lines().count() == 1, "{}", refused.stderr);
        Ok(())
    })?;
    nodes[0].wait_for_ping(target, LIMIT)?;
    drop(idle);
    wait_for(LIMIT, "there is room again", || ben.ask(&["status"]))?;
    let resident = resident(&mut nodes, 1)?;
    ensure!(resident <= MEMORY_MAX, "{resident} bytes resident");
    Ok(())
}

pub(super) fn a_control_client_that_never_reads_loses_its_connection() -> Result<()> {
    let (_lab, nodes) = chain(&["anna", "ben", "cara"])?;
    let target = nodes[2].address();
    nodes[0].wait_for_ping(target, LIMIT)?;
    let mut stuck = connect(&nodes[1])?;
    stuck.set_nonblocking(true)?;
    let mut write = || stuck.write(b"{\"noctule\":1,\"request\":\"statistics\"}\n");
    wait_until(LIMIT, "the answers fill the connection", || {
        (0..1000).any(|_| write().is_err_and(|error| error.kind() == ErrorKind::WouldBlock))
    })?;
    nodes[0].wait_for_ping(target, LIMIT)?;
    nodes[1].ask(&["originators"])?;
    wait_until(LIMIT, "the daemon hangs up", || {
        write().is_err_and(|error| {
            [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset].contains(&error.kind())
        })
    })?;
    nodes[1].ask(&["originators"])?;
    Ok(())
}

/// A pipe with a name; the returned end holds it open and reads nothing.
fn pipe(lab: &Lab, name: &str) -> Result<(std::path::PathBuf, File)> {
    let path = lab.run().join(name);
    nix::unistd::mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR)?;
    let end =
        OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(&path)?;
    Ok((path, end))
}

/// Starts anna with her log going to `log`, lets `receiver` happen to it, and looks whether the node goes on.
fn goes_on_without_its_log(
    log: &Path,
    receiver: impl FnOnce() -> Result<()>,
    nodes: &mut [Node],
) -> Result<()> {
    let [anna, ben] = nodes else { bail!("two nodes are needed") };
    let script = format!("exec \"$@\" 2>{}", log.display());
    anna.start_on(
        &["e1"],
        &["sh", "-c", &script, "sh"],
        &[&QUICK[..], &["--log", "trace"]].concat(),
    )?;
    receiver()?;
    anna.wait_for_ping(ben.address(), LIMIT)?;
    // Each change writes to the log.
    for _ in 0..3 {
        for change in [Set::Down, Set::Up] {
            anna.namespace.set_link("e1", &[change])?;
        }
        anna.wait_for_ping(ben.address(), LIMIT)?;
    }
    ben.transfer(anna, 1 << 20)?;
    anna.ask(&["status"])?;
    anna.stop()
}

pub(super) fn a_log_that_nobody_takes_stops_nothing() -> Result<()> {
    let (lab, mut nodes) = nodes(&["anna", "ben"])?;
    {
        let [anna, ben] = nodes.get_disjoint_mut([0, 1])?;
        anna.link(ben, &lab, 1500)?;
        ben.start(&QUICK)?;
    }
    let (path, mut full) = pipe(&lab, "full")?;
    while full.write(&[b'.'; 4096]).is_ok() {}
    goes_on_without_its_log(&path, || Ok(()), &mut nodes).context("a full pipe")?;
    drop(full);

    let (path, end) = pipe(&lab, "gone")?;
    let leave = || {
        drop(end);
        Ok(())
    };
    goes_on_without_its_log(&path, leave, &mut nodes).context("a receiver that leaves")?;
    goes_on_without_its_log(Path::new("/dev/full"), || Ok(()), &mut nodes)
        .context("a full disk")?;
    goes_on_without_its_log(Path::new("&-"), || Ok(()), &mut nodes).context("a closed descriptor")
}
