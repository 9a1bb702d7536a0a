//! Broadcasts in the air: sent three times, as nobody acknowledges them (FWD-11).

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::PATIENCE;
use super::cell::{Cell, Network};
use crate::interop::node::{Node, hard_address};
use crate::lab::{End, FrameSocket, wait_until};

/// The port that test broadcasts go to.
const PORT: u16 = 9001;
/// How many of them are sent.
const COUNT: u32 = 60;
/// Time between them: copies of one must not queue behind another.
const PAUSE: Duration = Duration::from_millis(50);
/// Time for the last copies to arrive.
const REST: Duration = Duration::from_secs(3);

fn socket(node: &Node) -> Result<UdpSocket> {
    node.space().with(|| {
        let socket = UdpSocket::bind(("0.0.0.0", PORT))?;
        socket.set_broadcast(true)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    })
}

/// Listens for broadcasts of node 1 that come from it by one of its interfaces.
struct Listener {
    frames: FrameSocket,
    /// The interface's number.
    index: u8,
    /// Copies of each broadcast, by sequence number.
    counts: BTreeMap<u32, u32>,
}

impl Listener {
    /// On a link of another node.
    fn new(node: &Node, link: &str, index: u8) -> Result<Self> {
        Ok(Self { frames: FrameSocket::open(node.space(), link)?, index, counts: BTreeMap::new() })
    }

    /// Counts what has come.
    fn take(&mut self) -> Result<()> {
        let (sender, originator) = (hard_address(1, self.index), hard_address(1, 1));
        while let Some(frame) = self.frames.try_receive()? {
            // Ethernet header, then type, version, TTL, reserved, sequence number, originator.
            let is_broadcast = frame.get(12..15) == Some(&[0x43, 0x05, 0x01]);
            let is_of_node =
                frame.get(6..12) == Some(&sender) && frame.get(22..28) == Some(&originator);
            if let (true, Some(seqno)) = (is_broadcast && is_of_node, frame.get(18..22)) {
                *self.counts.entry(u32::from_be_bytes(seqno.try_into()?)).or_insert(0) += 1;
            }
        }
        Ok(())
    }

    /// How many came so many times.
    fn came(&self, times: u32) -> usize {
        self.counts.values().filter(|count| **count == times).count()
    }
}

/// Sends the test broadcasts from node 1, and counts copies as they come.
fn send(node: &Node, listeners: &mut [&mut Listener]) -> Result<()> {
    let sender = socket(node)?;
    let mut take = |time: Duration| {
        sleep(time);
        listeners.iter_mut().try_for_each(|listener| listener.take())
    };
    for number in 0..COUNT {
        sender.send_to(&number.to_be_bytes(), ("10.99.0.255", PORT))?;
        take(PAUSE)?;
    }
    take(REST)
}

/// A radio and a cable between the same two nodes.
fn copies_of(kinds: &str) -> Result<()> {
    let mut cell = Cell::build(kinds, Network::Ibss)?;
    cell.start()?;
    let (one, other) = (cell.node(1), cell.node(2));
    let ends = ["cable1", "cable2"];
    cell.lab.veth(
        one.space(),
        &End { name: ends[0], mac: hard_address(1, 2) },
        other.space(),
        &End { name: ends[1], mac: hard_address(2, 2) },
        1500,
    )?;
    for (node, end) in [one, other].into_iter().zip(ends) {
        node.tool(&["interface", "add", end])?.success()?;
    }
    // A node does not send broadcasts where it knows of nobody.
    cell.wait("both ways are known", |cell| Ok(cell.node(1).neighbors()?.len() == 2))?;
    cell.wait_for_ping(1, 2)?;
    let mut air = Listener::new(other, &other.interface(1), 1)?;
    let mut cable = Listener::new(other, ends[1], 2)?;
    send(one, &mut [&mut air, &mut cable])?;
    println!(
        "    {} sends {COUNT} broadcasts: {} by radio, {} of them three times; {} by cable, {} of them once",
        one.tool_name(),
        air.counts.len(),
        air.came(3),
        cable.counts.len(),
        cable.came(1)
    );
    for (listener, times) in [(&air, 3), (&cable, 1)] {
        let count = listener.counts.len();
        let right = count >= COUNT as usize && listener.came(times) == count;
        ensure!(right, "not {times} of each: {:?}", listener.counts);
    }
    cell.stop()
}

pub(super) fn fwd_11_broadcasts_of_ours_go_three_times_by_radio_and_once_by_cable() -> Result<()> {
    copies_of("N-K")
}

pub(super) fn fwd_11_broadcasts_of_the_kernel_go_three_times_by_radio_and_once_by_cable()
-> Result<()> {
    copies_of("K-N")
}

/// A radio that loses three frames of ten: of broadcasts that go three times, three of a hundred.
fn with_losses(kinds: &str) -> Result<()> {
    let mut cell = Cell::build(kinds, Network::Ibss)?;
    cell.start()?;
    cell.wait_for_ping(1, 2)?;
    let (one, other) = (cell.node(1), cell.node(2));
    let receiver = socket(other)?;
    let mut air = Listener::new(other, &other.interface(1), 1)?;
    one.lose(1, 30)?;
    send(one, &mut [&mut air])?;
    one.lose(1, 0)?;
    let mut arrived = 0;
    while receiver.recv(&mut [0; 64]).is_ok() {
        arrived += 1;
    }
    let copies: u32 = air.counts.values().sum();
    println!(
        "    {COUNT} broadcasts of {}: {copies} copies came, {arrived} were delivered",
        one.tool_name()
    );
    ensure!(copies < COUNT * 3 * 9 / 10, "nothing was lost: {copies} copies");
    ensure!(arrived >= COUNT * 8 / 10, "only {arrived} of {COUNT} were delivered");
    ensure!(arrived <= COUNT, "{arrived} of {COUNT} were delivered: some twice");
    wait_until(PATIENCE, "the link is good again", || {
        other.ping(one, 56).is_ok_and(|answer| answer.is_some())
    })?;
    cell.stop()
}

pub(super) fn broadcasts_of_ours_survive_a_lossy_radio() -> Result<()> {
    with_losses("N-K")
}

pub(super) fn broadcasts_of_the_kernel_survive_a_lossy_radio() -> Result<()> {
    with_losses("K-N")
}
