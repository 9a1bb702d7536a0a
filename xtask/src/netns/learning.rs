//! Many clients at once: all that speak are announced, and who makes up addresses fills a table and no more.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::thread::sleep;
use std::time::Duration;

use super::hostile::Chance;
use super::{LIMIT, QUICK, nodes};
use crate::lab::{FrameSocket, wait_for};
use crate::node::Node;

/// As many as one node can announce where links carry 1500 bytes are 1677 (TT-35); its own address is one of them.
const CLIENTS: u32 = 1600;
/// What made-up addresses may cost, bytes: the tables of what can be announced, not of what was made up.
const GROWTH_MAX: u64 = 4 << 20;

/// A broadcast of a client: an ARP-less frame of a type that nobody handles.
fn broadcast_of(client: [u8; 6]) -> Vec<u8> {
    let mut frame = [&[0xff; 6][..], &client, &[0x88, 0xb5]].concat();
    frame.resize(60, 0);
    frame
}

fn client(number: u32) -> [u8; 6] {
    let [a, b, c, d] = number.to_be_bytes();
    [0x06, 0x5e, a, b, c, d]
}

/// Resident memory, bytes.
fn memory(node: &Node) -> Result<u64> {
    let status: Value = serde_json::from_str(&node.ask(&["status", "--json"])?)?;
    status["memory_bytes"].as_u64().context("no memory_bytes")
}

/// How many of the clients made by [`client`] `node` knows elsewhere.
fn known(node: &Node) -> Result<usize> {
    let rows = node.table("transglobal")?;
    let ours =
        |row: &&Value| row["tt_address"].as_str().is_some_and(|mac| mac.starts_with("06:5e:"));
    Ok(rows.iter().filter(ours).count())
}

pub(super) fn tt_35_all_clients_that_speak_in_one_second_are_announced() -> Result<()> {
    let (lab, mut nodes) = nodes(&["anna", "ben"])?;
    let [anna, ben] = nodes.get_disjoint_mut([0, 1])?;
    anna.link(ben, &lab, 1500)?;
    anna.start(&[])?;
    ben.start(&[])?;
    anna.wait_for_ping(ben.address(), LIMIT)?;
    let socket = FrameSocket::open(&anna.namespace, "bat0")?;
    // Each says one thing, in twenty bursts.
    for number in 0..CLIENTS {
        socket.send(&broadcast_of(client(number)))?;
        if number % 80 == 79 {
            sleep(Duration::from_millis(50));
        }
    }
    wait_for(LIMIT, "ben knows all of anna's clients", || {
        let known = known(ben)?;
        ensure!(known == CLIENTS as usize, "{known} of {CLIENTS}");
        Ok(())
    })?;
    ensure!(anna.counter("drop_table_full")? == 0, "a client was refused");
    Ok(())
}

pub(super) fn tt_17_a_million_made_up_clients_fill_a_table_and_no_more() -> Result<()> {
    let (lab, mut nodes) = nodes(&["anna", "ben"])?;
    let [anna, ben] = nodes.get_disjoint_mut([0, 1])?;
    anna.link(ben, &lab, 1500)?;
    anna.start(&QUICK)?;
    ben.start(&QUICK)?;
    anna.wait_for_ping(ben.address(), LIMIT)?;
    let before = [memory(anna)?, memory(ben)?];
    let socket = FrameSocket::open(&anna.namespace, "bat0")?;
    let mut chance = Chance(11);
    for number in 0..1_000_000_u32 {
        let made_up = (chance.next() as u32) | 0x8000_0000;
        socket.send(&broadcast_of(client(made_up)))?;
        // The pings go on all the while.
        if number % 250_000 == 0 {
            anna.wait_for_ping(ben.address(), LIMIT)?;
        }
    }
    let after = [memory(anna)?, memory(ben)?];
    for (name, (before, after)) in ["anna", "ben"].iter().zip(before.into_iter().zip(after)) {
        ensure!(after < before + GROWTH_MAX, "{name} grew from {before} to {after} bytes");
    }
    ensure!(anna.counter("drop_table_full")? > 0, "nobody was refused");
    let status: Value = serde_json::from_str(&anna.ask(&["status", "--json"])?)?;
    let clients = status["local_clients"].as_u64().context("no local_clients")?;
    ensure!((100..=1677).contains(&clients), "{clients} clients");
    anna.wait_for_ping(ben.address(), LIMIT)?;
    Ok(())
}
