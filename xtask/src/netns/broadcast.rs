//! Broadcasts: at once, everywhere, once.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::{LIMIT, QUICK, nodes};
use crate::lab::{FrameSocket, wait_for};
use crate::node::Node;

/// Marks our frames among the others.
const MARK: &[u8; 10] = b"noctule-bc";
/// Behind the last frame, copies may still be under way: repeats come within some ten milliseconds.
const AFTERWARDS: Duration = Duration::from_millis(500);
/// A node sends a broadcast at most so often by each interface (those on Wi-Fi are repeated).
const REPEATS_MAX: u32 = 3;

/// A broadcast frame of the local experimental EtherType from the host side of a node.
fn frame(node: &Node, number: u16) -> Result<Vec<u8>> {
    let mut frame = [0xff; 6].to_vec();
    frame.extend(node.namespace.link("bat0")?.mac);
    frame.extend([0x88, 0xb5]);
    frame.extend(MARK);
    frame.extend(number.to_be_bytes());
    frame.resize(60, 0);
    Ok(frame)
}

/// The number of one of our frames, plain or inside the mesh's headers.
fn number(frame: &[u8]) -> Option<u16> {
    let at = frame.windows(MARK.len()).position(|bytes| bytes == MARK)? + MARK.len();
    Some(u16::from_be_bytes(frame.get(at..at + 2)?.try_into().ok()?))
}

/// Counts our frames by their numbers.
struct Counter {
    place: String,
    socket: FrameSocket,
    seen: BTreeMap<u16, u32>,
}

impl Counter {
    fn open(node: &Node, link: &str) -> Result<Self> {
        let socket = FrameSocket::open(&node.namespace, link)?;
        Ok(Self { place: format!("{} {link}", node.name()), socket, seen: BTreeMap::new() })
    }

    fn take(&mut self) -> Result<()> {
        while let Some(frame) = self.socket.try_receive()? {
            if let Some(number) = number(frame) {
                *self.seen.entry(number).or_default() += 1;
            }
        }
        Ok(())
    }
}

pub(super) fn broadcasts_pass_at_once_after_start() -> Result<()> {
    const TRIES_MAX: u16 = 20;
    let (lab, mut nodes) = nodes(&["anna", "ben"])?;
    let [anna, ben] = nodes.get_disjoint_mut([0, 1])?;
    anna.link(ben, &lab, 1500)?;
    anna.start(&QUICK)?;
    ben.start(&QUICK)?;
    let mut heard = Counter::open(ben, "bat0")?;
    wait_for(LIMIT, "both have a route", || {
        ensure!(anna.route(ben)?.is_some() && ben.route(anna)?.is_some(), "not yet");
        Ok(())
    })?;
    let socket = FrameSocket::open(&anna.namespace, "bat0")?;
    for count in 1..=TRIES_MAX {
        socket.send(&frame(anna, count)?)?;
        let sent = Instant::now();
        // Half an OGM interval between them: what counts is how many it takes, not the time.
        while sent.elapsed() < Duration::from_millis(100) {
            heard.take()?;
            if !heard.seen.is_empty() {
                println!("        broadcast {count} arrives");
                return Ok(());
            }
            sleep(Duration::from_millis(2));
        }
    }
    anyhow::bail!("{TRIES_MAX} broadcasts were lost after both nodes had a route")
}

pub(super) fn a_broadcast_arrives_once_over_a_ring() -> Result<()> {
    once_over_a_ring(&[])
}

/// Both copies of a broadcast that come round may reach other workers first.
pub(super) fn fwd_94_a_broadcast_arrives_once_over_a_ring_of_several_workers() -> Result<()> {
    once_over_a_ring(&["--workers", "4"])
}

fn once_over_a_ring(how: &[&str]) -> Result<()> {
    const FRAMES: u16 = 100;
    let (lab, mut nodes) = nodes(&["anna", "ben", "cara", "dora"])?;
    for (a, b) in [(0, 1), (1, 2), (2, 3), (3, 0)] {
        let [one, other] = nodes.get_disjoint_mut([a, b])?;
        one.link(other, &lab, 1500)?;
    }
    for node in &mut nodes {
        node.start(&[&QUICK, how].concat())?;
    }
    for node in &nodes {
        for other in nodes.iter().filter(|other| other.name() != node.name()) {
            node.wait_for_ping(other.address(), LIMIT)?;
        }
    }
    let on = |links: &[&str]| -> Result<Vec<Counter>> {
        nodes.iter().flat_map(|node| links.iter().map(|link| Counter::open(node, link))).collect()
    };
    let mut hosts = on(&["bat0"])?;
    let mut links = on(&["e1", "e2"])?;
    let socket = FrameSocket::open(&nodes[0].namespace, "bat0")?;
    for number in 0..FRAMES {
        socket.send(&frame(&nodes[0], number)?)?;
        sleep(Duration::from_millis(2));
        for counter in links.iter_mut().chain(&mut hosts) {
            counter.take()?;
        }
    }
    wait_for(LIMIT, "all have arrived everywhere", || {
        for counter in &mut hosts[1..] {
            counter.take()?;
            let count = counter.seen.len();
            ensure!(count == usize::from(FRAMES), "{count} at {}", counter.place);
        }
        Ok(())
    })?;
    sleep(AFTERWARDS);
    for counter in links.iter_mut().chain(&mut hosts) {
        counter.take()?;
    }
    let own = &hosts[0];
    ensure!(own.seen.is_empty(), "{} heard its own broadcasts: {:?}", own.place, own.seen);
    for counter in &hosts[1..] {
        let twice: Vec<_> = counter.seen.iter().filter(|(_, count)| **count != 1).collect();
        ensure!(twice.is_empty(), "{}: number and copies {twice:?}", counter.place);
    }
    for counter in &links {
        let often = counter.seen.iter().find(|(_, count)| **count > REPEATS_MAX);
        ensure!(often.is_none(), "{}: number and copies {often:?}", counter.place);
    }
    Ok(())
}
