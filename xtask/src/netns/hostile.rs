//! Somebody means harm on a link.

use std::io::ErrorKind;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::{LIMIT, QUICK, chain, nodes, replace_address};
use crate::lab::{FrameSocket, wait_for, wait_until};
use crate::node::{Node, check_listener};

const FRAMES: u32 = 10_000;
pub(super) const MEMORY_MAX: u64 = 16 << 20;
const PATIENCE: Duration = Duration::from_secs(2);
/// What the attacker calls itself.
const ATTACKER: [u8; 6] = [0x02, 0xee, 0, 0, 0, 1];

/// The same numbers in every run (xorshift).
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn next(&mut self) -> u64 {
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
    let text = node.ask(&["statistics", "--all"])?;
    let counts = text.lines().filter_map(|line| {
        line.trim().strip_prefix("drop_")?.split_once(": ")?.1.parse::<u64>().ok()
    });
    let counts: Vec<u64> = counts.filter(|count| *count > 0).collect();
    Ok((counts.iter().sum(), counts.len()))
}

/// Real frames of every kind that a chain of three exchanges, as the one in the middle receives them.
fn recorded(nodes: &[Node]) -> Result<Vec<Vec<u8>>> {
    check_listener()?;
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
pub(super) fn inject(socket: &FrameSocket, frame: &[u8]) -> Result<()> {
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

pub(super) fn resident(nodes: &mut [Node], index: usize) -> Result<u64> {
    nodes[index].daemon()?.resident_bytes()
}
