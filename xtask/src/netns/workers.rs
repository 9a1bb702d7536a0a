//! Nodes with several workers. What each of them does with a frame, the tests of the pipeline show; these show that the kernel
//! shares the frames, and that nothing gets lost on the way between workers.

use std::fs;

use anyhow::{Context, Result, ensure};

use super::LIMIT;
use super::backend::{backend, needs_xdp};
use super::fragments::{chain_of, every_size};
use super::tools::measured;
use crate::lab::{Set, wait_for};
use crate::node::Node;

const HOW: [&str; 4] = ["--workers", "4", "--offload", "off"];
/// One packet for each size, whole and in fragments.
const SIZES: std::ops::RangeInclusive<usize> = 1400..=1500;

/// How many threads of a running node are workers.
fn workers(node: &mut Node) -> Result<usize> {
    let tasks = format!("/proc/{}/task", node.daemon()?.id());
    let mut count = 0;
    for task in fs::read_dir(&tasks).with_context(|| tasks.clone())? {
        let name = fs::read_to_string(task?.path().join("comm"))?;
        count += usize::from(name.starts_with("worker "));
    }
    Ok(count)
}

pub(super) fn several_workers_forward_and_their_statistics_add_up() -> Result<()> {
    let (_lab, mut nodes) = chain_of(&[1500, 1500], &HOW)?;
    for node in &mut nodes {
        let count = workers(node)?;
        ensure!(count == 4, "{} has {count} workers", node.name());
    }
    let count = |node: &Node| -> Result<[u64; 4]> {
        Ok([
            node.counter("forward")?,
            node.counter("frag_fwd")?,
            node.counter("frag_tx")?,
            node.counter("frag_rx")?,
        ])
    };
    let before = [count(&nodes[0])?, count(&nodes[1])?, count(&nodes[2])?];
    every_size(&mut nodes[0].echo(nodes[2].address())?, SIZES)?;
    let after = [count(&nodes[0])?, count(&nodes[1])?, count(&nodes[2])?];
    let grown = |node: usize, counter: usize| after[node][counter] - before[node][counter];
    // Each packet crosses the relay in one piece or in two, there and back.
    let packets = 2 * SIZES.count() as u64;
    let (forwarded, parts) = (grown(1, 0), grown(1, 1));
    println!("        the relay passed {forwarded} packets and {parts} fragments on");
    ensure!(parts > 0 && forwarded > 0 && forwarded + parts / 2 >= packets, "of {packets}");
    ensure!(parts == grown(0, 2) + grown(2, 2), "what was cut is what was passed on");
    ensure!(parts == grown(0, 3) + grown(2, 3), "and what arrived");
    Ok(())
}

/// TP-10: what comes of a test, several workers give to one engine.
pub(super) fn tp_10_the_throughput_meter_measures_nodes_of_several_workers() -> Result<()> {
    let (_lab, nodes) = chain_of(&[1500, 1500], &HOW)?;
    let target = nodes[2].originator();
    let (ms, bytes) = measured(&nodes[0].output(&["tp", "-t", "500", "--json", &target])?)?;
    ensure!(ms >= 500 && bytes > 0, "{bytes} bytes in {ms} ms");
    Ok(())
}

pub(super) fn several_workers_forward_what_comes_by_af_xdp() -> Result<()> {
    let (_lab, mut nodes) = chain_of(&[1500, 9000], &["--workers", "3", "--backend", "xdp"])?;
    needs_xdp(&nodes[1])?;
    ensure!(workers(&mut nodes[1])? == 3, "not three workers");
    let target = nodes[2].address();
    every_size(&mut nodes[0].echo(target)?, SIZES)?;
    nodes[0].transfer(&nodes[2], 4 << 20)?;
    // The interface comes back: with the same sockets, as the program is theirs.
    nodes[1].namespace.set_link("e1", &[Set::Down])?;
    nodes[1].namespace.set_link("e1", &[Set::Up])?;
    wait_for(LIMIT, "the link is used again", || every_size(&mut nodes[0].echo(target)?, SIZES))?;
    needs_xdp(&nodes[1])?;
    // The other one's frames are too long for AF_XDP, and then not: the workers change over.
    let (by, because) = backend(&nodes[1], 1)?;
    let because = because.unwrap_or_default();
    ensure!(by == "packet" && because.starts_with("an MTU of 9000"), "{by}: {because}");
    for (node, link) in [(2, "e1"), (1, "e2")] {
        nodes[node].namespace.set_link(link, &[Set::Mtu(1500)])?;
    }
    wait_for(LIMIT, "data comes by AF_XDP", || {
        let (by, because) = backend(&nodes[1], 1)?;
        ensure!(by.starts_with("xdp"), "{by}: {because:?}");
        Ok(())
    })?;
    wait_for(LIMIT, "the link is used again", || every_size(&mut nodes[0].echo(target)?, SIZES))
}

pub(super) fn several_workers_go_on_after_flaps_and_new_mtus() -> Result<()> {
    let (_lab, nodes) = chain_of(&[1500, 1500], &HOW)?;
    let target = nodes[2].address();
    let all_pass = || -> Result<()> { every_size(&mut nodes[0].echo(target)?, SIZES) };
    for link in ["e1", "e2"] {
        nodes[1].namespace.set_link(link, &[Set::Down])?;
        nodes[1].namespace.set_link(link, &[Set::Up])?;
        wait_for(LIMIT, "the link is used again", all_pass)?;
    }
    // Larger than the rings were made for: all workers get new ones.
    for (node, link) in [(0, "e1"), (1, "e1"), (1, "e2"), (2, "e1")] {
        nodes[node].namespace.set_link(link, &[Set::Mtu(2000)])?;
    }
    wait_for(LIMIT, "whole packets pass", || {
        let cut = nodes[0].counter("frag_tx")?;
        all_pass()?;
        ensure!(nodes[0].counter("frag_tx")? == cut, "still in fragments");
        Ok(())
    })
}
