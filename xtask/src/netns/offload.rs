//! What passes a node is forwarded inside the kernel, with a daemon and for a while without.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{LIMIT, QUICK, nodes};
use crate::lab::{FrameSocket, Lab, Skipped, wait_for};
use crate::node::Node;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long packets must pass a node whose daemon was killed.
const WITHOUT_DAEMON: Duration = Duration::from_secs(10);
/// Pings in between.
const EVERY: Duration = Duration::from_millis(20);

/// Three nodes in a row, whose middle one forwards in the kernel if it can.
fn row(how: &[&str]) -> Result<(Lab, Vec<Node>)> {
    let (lab, mut nodes) = nodes(&["anna", "ben", "cara"])?;
    for first in 1..nodes.len() {
        let [one, other] = nodes.get_disjoint_mut([first - 1, first])?;
        one.link(other, &lab, 1500)?;
    }
    for node in &mut nodes {
        node.start(&[&QUICK, how].concat())?;
    }
    nodes[0].wait_for_ping(nodes[2].address(), LIMIT)?;
    Ok((lab, nodes))
}

/// What `noctule status` says of the offload.
fn status(node: &Node) -> Result<Value> {
    let text = node.ask(&["status", "--json"])?;
    let mut status: Value = serde_json::from_str(&text)?;
    Ok(status["offload"].take())
}

fn frames(node: &Node) -> Result<u64> {
    status(node)?["frames"].as_u64().context("no frames")
}

/// Skips the case where the kernel, or this user's rights, allow no program.
fn needs_offload(node: &Node) -> Result<()> {
    let offload = status(node)?;
    if offload["how"] == "off" {
        return Err(Skipped::because(format!("no offload here: {}", offload["because"])));
    }
    Ok(())
}

/// Pings that all must be answered.
fn all_pass(from: &Node, to: &Node, count: u32) -> Result<()> {
    let mut echo = from.echo(to.address())?;
    for number in 0..count {
        echo.ping(56, PATIENCE)?.with_context(|| format!("ping {number} of {count} was lost"))?;
    }
    Ok(())
}

pub(super) fn fwd_72_packets_in_transit_stay_in_the_kernel() -> Result<()> {
    let (_lab, nodes) = row(&["--offload", "tc"])?;
    let [anna, ben, cara] = &nodes[..] else { anyhow::bail!("three nodes") };
    needs_offload(ben)?;
    let (before, forwarded) = (frames(ben)?, ben.counter("forward")?);
    all_pass(anna, cara, 200)?;
    anna.transfer(cara, 1 << 20)?;
    let after = frames(ben)?;
    // Each ping is a frame there and one back, and ten are enough for what the FIB was slow to know.
    ensure!(after - before > 390 + 600, "{} frames in the kernel", after - before);
    wait_for(LIMIT, "the statistics have them, too", || {
        let counted = ben.counter("forward")? + ben.counter("frag_fwd")? - forwarded;
        ensure!(counted >= after - before, "{counted} forwarded, {} in the kernel", after - before);
        Ok(())
    })?;
    let arrived: Vec<u64> =
        ben.table("interfaces")?.iter().filter_map(|row| row["offload_frames"].as_u64()).collect();
    ensure!(arrived.len() == 2 && arrived.iter().all(|frames| *frames > 200), "{arrived:?}");
    ensure!(frames(anna)? == 0 && frames(cara)? == 0, "nothing passes the ends");
    // ICMP of the mesh is a matter of the daemon: each hop must answer, and writes its address.
    let route = anna.ask(&["traceroute", &cara.originator()])?;
    ensure!(route.lines().count() == 3, "two hops and a heading:\n{route}");
    Ok(())
}

/// Frames of each kind that are put on the link.
const INJECTED: u64 = 200;
/// Reasons for which the odd ones of them are dropped.
const REASONS: [&str; 3] = ["drop_ttl_spent", "drop_unknown_originator", "drop_version"];

pub(super) fn every_frame_is_counted_as_forwarded_or_under_its_reason() -> Result<()> {
    ["1", "3"].into_iter().try_for_each(every_frame_is_counted)
}

fn every_frame_is_counted(workers: &str) -> Result<()> {
    // What is rare comes to one worker of several, whose share of the places must hold it all.
    let how = ["--offload", "tc", "--workers", workers, "--rx-frames", "4096"];
    let (_lab, nodes) = row(&how)?;
    let [anna, ben, cara] = &nodes[..] else { anyhow::bail!("three nodes") };
    needs_offload(ben)?;
    let counters = || -> Result<Vec<u64>> {
        let names = ["forward"].into_iter().chain(REASONS);
        names.map(|name| ben.counter(name)).collect()
    };
    let to_cara = || -> Result<u64> {
        let rows = ben.table("originators")?;
        let cara = cara.originator();
        let row = rows.iter().find(|row| row["orig_address"] == *cara && row["best"] == true);
        row.context("no way to cara")?["offload_frames"].as_u64().context("no frames")
    };
    let (before, sent_before) = (counters()?, to_cara()?);
    let socket = FrameSocket::open(&anna.namespace, "e1")?;
    let [to, from, far] = [ben.mac(1), anna.mac(1), cara.mac(1)];
    // A packet type that only its receiver needs to know.
    let frame = |version: u8, ttl: u8, originator: [u8; 6]| {
        let mut frame = [&to[..], &from, &[0x43, 0x05, 0x7f, version, ttl, 0]].concat();
        frame.extend(originator);
        frame.resize(100, 0xa5);
        frame
    };
    let nobody = [2, 0xde, 0xad, 0, 0, 1];
    for _ in 0..INJECTED {
        for odd in [frame(15, 9, far), frame(15, 1, far), frame(15, 9, nobody), frame(14, 9, far)] {
            socket.send(&odd)?;
        }
    }
    wait_for(LIMIT, "all are counted", || {
        let after = counters()?;
        let more: Vec<u64> = after.iter().zip(&before).map(|(now, then)| now - then).collect();
        // What the nodes say to each other may be among the forwarded.
        ensure!(more[0] >= INJECTED && more[0] < INJECTED + 20, "{more:?}");
        ensure!(more[1..].iter().all(|count| *count == INJECTED), "{more:?}");
        Ok(())
    })?;
    let sent = to_cara()? - sent_before;
    ensure!((INJECTED..INJECTED + 20).contains(&sent), "{sent} frames to cara");
    let text = ben.ask(&["statistics", "--originators"])?;
    ensure!(text.lines().count() == 3 && text.contains(&cara.originator()), "{text}");
    Ok(())
}

pub(super) fn packets_in_transit_survive_the_daemon_and_the_next_one_adopts_them() -> Result<()> {
    let (_lab, mut nodes) = row(&["--offload", "tc"])?;
    needs_offload(&nodes[1])?;
    if status(&nodes[1])?["pinned"] != true {
        return Err(Skipped::because("no BPF file system here"));
    }
    all_pass(&nodes[0], &nodes[2], 20)?;
    nodes[1].kill()?;
    let pings = u32::try_from(WITHOUT_DAEMON.as_millis() / EVERY.as_millis())?;
    let mut echo = nodes[0].echo(nodes[2].address())?;
    for number in 0..pings {
        echo.ping(56, PATIENCE)?.with_context(|| format!("ping {number} was lost"))?;
        std::thread::sleep(EVERY);
    }
    // While the next one starts, too.
    let start = Instant::now();
    let stream = nodes[0].ping_stream(nodes[2].address(), EVERY)?;
    nodes[1].start(&[&QUICK[..], &["--offload", "tc"]].concat())?;
    let offload = status(&nodes[1])?;
    ensure!(offload["adopted"].as_u64() >= Some(2), "{offload}");
    wait_for(LIMIT, "the new daemon has routes of its own", || {
        let offload = status(&nodes[1])?;
        ensure!(offload["routes"].as_u64() >= Some(2), "{offload}");
        Ok(())
    })?;
    let end = Instant::now();
    let (lost, sent) = stream.stop()?.lost(start, end);
    ensure!(
        sent > 0 && lost == 0,
        "{lost} of {sent} pings were lost while the next daemon started"
    );
    let before = frames(&nodes[1])?;
    all_pass(&nodes[0], &nodes[2], 50)?;
    ensure!(frames(&nodes[1])? - before >= 90, "the new daemon's kernel forwards");
    Ok(())
}

pub(super) fn fwd_110_a_route_that_changes_is_followed_in_the_kernel() -> Result<()> {
    let (lab, mut nodes) = nodes(&["anna", "ben", "cara", "dora", "emil"])?;
    for (a, b) in [(0, 1), (1, 2), (1, 3), (2, 4), (3, 4)] {
        let [one, other] = nodes.get_disjoint_mut([a, b])?;
        one.link(other, &lab, 1500)?;
    }
    for node in &mut nodes {
        node.start(&[&QUICK[..], &["--offload", "tc"]].concat())?;
    }
    needs_offload(&nodes[1])?;
    nodes[0].wait_for_ping(nodes[4].address(), LIMIT)?;
    for _ in 0..2 {
        // Both relays are there at the start of each round.
        wait_for(LIMIT, "both relays know the way", || {
            for relay in [2, 3] {
                ensure!(nodes[relay].route(&nodes[4])?.is_some(), "no route");
            }
            Ok(())
        })?;
        let (_, hop) = nodes[1].route(&nodes[4])?.context("no route")?;
        let chosen = if hop == nodes[2].originator() { 2 } else { 3 };
        let other = 5 - chosen;
        nodes[chosen].stop()?;
        wait_for(LIMIT, "the other relay's kernel has the traffic", || {
            let before = (frames(&nodes[1])?, frames(&nodes[other])?);
            all_pass(&nodes[0], &nodes[4], 20)?;
            let after = (frames(&nodes[1])?, frames(&nodes[other])?);
            ensure!(after.0 - before.0 >= 36, "{} frames in ben's kernel", after.0 - before.0);
            ensure!(after.1 - before.1 >= 18, "{} in the relay's", after.1 - before.1);
            Ok(())
        })?;
        nodes[chosen].start(&[&QUICK[..], &["--offload", "tc"]].concat())?;
    }
    Ok(())
}

/// Frames of hosts that a node's kernel has sent and delivered.
fn carried(node: &Node) -> Result<[u64; 2]> {
    let offload = status(node)?;
    let count = |name: &str| offload[name].as_u64().context("no such count");
    Ok([count("sent_frames")?, count("delivered_frames")?])
}

pub(super) fn fwd_46_fwd_120_frames_of_hosts_stay_in_the_kernel() -> Result<()> {
    let (_lab, nodes) = row(&["--offload", "tc", "--offload-hosts"])?;
    let [anna, ben, cara] = &nodes[..] else { anyhow::bail!("three nodes") };
    needs_offload(anna)?;
    for (from, to) in [(anna, ben), (anna, cara)] {
        wait_for(LIMIT, "the tables are in the kernel", || {
            let (before, others) = (carried(from)?, carried(to)?);
            let tx = from.counter("tx")?;
            all_pass(from, to, 50)?;
            let after = carried(from)?;
            ensure!(after[0] - before[0] >= 50 && after[1] - before[1] >= 50, "{after:?}");
            let after = carried(to)?;
            ensure!(after[0] - others[0] >= 50 && after[1] - others[1] >= 50, "{after:?}");
            ensure!(from.counter("tx")? - tx >= 50, "not in the statistics");
            Ok(())
        })?;
    }
    // Segments that the daemon cuts, and answers that the kernel carries: all arrives, and in order enough.
    anna.transfer(cara, 4 << 20)?;
    cara.transfer(anna, 4 << 20)?;
    ensure!(carried(ben)?[0] < 1000, "what only passes is not of hosts");
    Ok(())
}

/// Whether anything of a node is pinned.
fn has_pins(node: &Node) -> Result<bool> {
    let namespace = node.namespace.with(|| std::fs::metadata("/proc/thread-self/ns/net"))?;
    Ok(Path::new(&format!("/sys/fs/bpf/noctule/bat0@{}", namespace.ino())).exists())
}

pub(super) fn a_stopped_node_leaves_the_kernel_unless_it_is_to_keep() -> Result<()> {
    let (_lab, mut nodes) = row(&["--offload", "tc"])?;
    needs_offload(&nodes[1])?;
    if status(&nodes[1])?["pinned"] != true {
        return Err(Skipped::because("no BPF file system here"));
    }
    ensure!(has_pins(&nodes[1])?, "no folder");
    nodes[1].stop()?;
    ensure!(!has_pins(&nodes[1])?, "a stopped node left its folder");
    let mut echo = nodes[0].echo(nodes[2].address())?;
    for _ in 0..5 {
        let answer = echo.ping(56, Duration::from_millis(200))?;
        ensure!(answer.is_none(), "a stopped node forwards");
    }
    let keep = [&QUICK[..], &["--offload", "tc", "--offload-keep"]].concat();
    nodes[1].start(&keep)?;
    nodes[0].wait_for_ping(nodes[2].address(), LIMIT)?;
    wait_for(LIMIT, "packets pass in the kernel", || {
        let before = frames(&nodes[1])?;
        all_pass(&nodes[0], &nodes[2], 20)?;
        ensure!(frames(&nodes[1])? - before >= 38, "{} frames", frames(&nodes[1])? - before);
        Ok(())
    })?;
    nodes[1].stop()?;
    all_pass(&nodes[0], &nodes[2], 20)?;
    // What a node left that was to keep, one that does not want it takes out.
    nodes[1].start(&[&QUICK[..], &["--offload", "off"]].concat())?;
    ensure!(!has_pins(&nodes[1])?, "the folder is still there");
    ensure!(status(&nodes[1])?["how"] == "off");
    nodes[0].wait_for_ping(nodes[2].address(), LIMIT)?;
    Ok(())
}

/// Becomes the daemon without the right to load programs.
const WITHOUT_RIGHTS: [&str; 2] = ["setpriv", "--bounding-set=-bpf,-sys_admin"];
/// Becomes the daemon where no BPF file system is.
const WITHOUT_PINS: [&str; 6] =
    ["unshare", "--mount", "sh", "-c", "umount -a -t bpf && exec \"$@\"", "sh"];

pub(super) fn without_rights_or_pins_everything_works() -> Result<()> {
    for (how, through, words, expected) in [
        ("auto", &WITHOUT_RIGHTS[..], " INFO ", "not permitted to load BPF programs"),
        ("tc", &WITHOUT_RIGHTS[..], " WARN ", "not permitted to load BPF programs"),
        ("auto", &WITHOUT_PINS[..], " INFO ", "no BPF file system at /sys/fs/bpf"),
    ] {
        let (_lab, mut nodes) = row(&["--offload", "off"])?;
        ensure!(status(&nodes[1])?["how"] == "off", "it was not wanted");
        nodes[1].stop()?;
        let interfaces = nodes[1].interfaces();
        // An offload that is left to chance would make room for the xdp backend.
        let asked = ["--offload", how, "--backend", "auto"];
        nodes[1].start_on(&interfaces, through, &[&QUICK[..], &asked].concat())?;
        nodes[0].wait_for_ping(nodes[2].address(), LIMIT)?;
        all_pass(&nodes[0], &nodes[2], 20)?;
        let log = nodes[1].daemon()?.log();
        let lines: Vec<_> = log.lines().filter(|line| line.contains(expected)).collect();
        ensure!(lines.len() == 1 && lines[0].contains(words), "{how}: {lines:?} in\n{log}");
        let offload = status(&nodes[1])?;
        let text = nodes[1].ask(&["status"])?;
        if through == WITHOUT_RIGHTS {
            ensure!(offload["how"] == "off" && frames(&nodes[1])? == 0, "{offload}");
            ensure!(text.contains(&format!("\noffload      off: {expected}")), "{text}");
        } else {
            ensure!(offload["how"] == "tc" && frames(&nodes[1])? >= 38, "{offload}");
            ensure!(text.contains("ends with the process"), "{text}");
        }
        nodes[1].stop()?;
    }
    Ok(())
}
