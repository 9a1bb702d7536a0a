//! `cargo xtask soak` in short, and a flood without anything else.

use anyhow::{Result, ensure};

use super::{LIMIT, QUICK, nodes, program_path};
use crate::lab::{FrameSocket, wait_for};
use crate::soak;

/// Frames of a flood that is over before the node next asks for what it has lost.
const FLOOD: u32 = 20_000;

pub(super) fn frames_at_full_rate_are_all_counted_whatever_happens() -> Result<()> {
    soak::short(&program_path()?)
}

pub(super) fn each_frame_of_a_short_flood_is_forwarded_or_counted() -> Result<()> {
    let (lab, mut nodes) = nodes(&["anna", "ben", "cara"])?;
    for first in 1..nodes.len() {
        let [one, other] = nodes.get_disjoint_mut([first - 1, first])?;
        one.link(other, &lab, 1500)?;
    }
    for node in &mut nodes {
        // Hosts are silent. A kernel without IPv6 has no such setting.
        let _ = node.namespace.set_sysctl("net.ipv6.conf.default.disable_ipv6", "1");
        node.start(&[&QUICK[..], &["--offload", "off", "--rx-frames", "16"]].concat())?;
    }
    let [anna, ben, cara] = &nodes[..] else { anyhow::bail!("three nodes") };
    anna.wait_for_ping(cara.address(), LIMIT)?;
    let judged =
        || -> Result<[u64; 2]> { Ok([ben.counter("forward")?, ben.counter("drop_queue_full")?]) };
    let before = judged()?;
    let socket = FrameSocket::open(&anna.namespace, "e1")?;
    let mut frame = [&ben.mac(1)[..], &anna.mac(1), &[0x43, 0x05, 0x7f, 15, 9, 0]].concat();
    frame.extend(cara.mac(1));
    frame.resize(100, 0xa5);
    // What the cable does not take, it says.
    let sent = (0..FLOOD).filter(|_| socket.send(&frame).is_ok()).count() as u64;
    ensure!(sent > 0, "the cable takes nothing");
    wait_for(LIMIT, "each frame is forwarded or counted", || {
        let now = judged()?;
        let more = [now[0] - before[0], now[1] - before[1]];
        // What the nodes say to each other may be among them.
        let all = more[0] + more[1];
        ensure!((sent..sent + 20).contains(&all), "{sent} sent, {more:?} forwarded and dropped");
        Ok(())
    })
}
