//! TCP through mesh interfaces that do what a network card does, and through such that do not: what arrives is the same.

use std::net::Ipv6Addr;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::bridge::{Client, bridge};
use super::{LIMIT, chain};
use crate::lab::{Namespace, Set, wait_for};
use crate::node::{Node, transfer, wait_for_ping};

const BYTES: usize = 4 << 20;
const SOON: Duration = Duration::from_secs(30);

const fn ipv6(number: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xfd00, 0x97, 0, 0, 0, 0, 0, number)
}

/// Gives both an IPv6 address, and waits until they find each other.
fn with_ipv6(one: &Namespace, other: &Namespace, link: &str) -> Result<()> {
    for (namespace, number) in [(one, 1), (other, 2)] {
        namespace.add_address(link, &format!("{}/64", ipv6(number)))?;
    }
    let to = ipv6(2).to_string();
    wait_for(LIMIT, "a ping by IPv6 is answered", || {
        one.run(&["ping", "-6", "-c", "1", "-W", "2", &to], SOON)?.success().map(drop)
    })
}

fn offload(node: &Node, on: bool) -> Result<()> {
    node.ask(&["set", "tap_offload", if on { "1" } else { "0" }]).map(drop)
}

/// Frames that the host and the mesh count on a node, each way: to the mesh, from the mesh.
fn counted(node: &Node) -> Result<[(u64, u64); 2]> {
    let link = node.namespace.link("bat0")?;
    Ok([(link.tx_frames, node.counter("tx")?), (link.rx_frames, node.counter("rx")?)])
}

pub(super) fn tcp_arrives_whole_with_offload_and_without() -> Result<()> {
    let (_lab, nodes) = chain(&["anna", "ben"])?;
    let [anna, ben] = nodes.as_slice() else { unreachable!("two") };
    anna.wait_for_ping(ben.address(), LIMIT)?;
    with_ipv6(&anna.namespace, &ben.namespace, "bat0")?;
    for (here, there) in [(true, true), (true, false), (false, true), (false, false)] {
        offload(anna, here)?;
        offload(ben, there)?;
        let before = (counted(anna)?, counted(ben)?);
        anna.transfer(ben, BYTES)?;
        let after = (counted(anna)?, counted(ben)?);
        // Frames of the mesh for each that the host saw.
        let ratio = |nth: usize, before: [(u64, u64); 2], after: [(u64, u64); 2]| {
            let (host, mesh) = (after[nth].0 - before[nth].0, after[nth].1 - before[nth].1);
            mesh as f64 / host.max(1) as f64
        };
        let sent = ratio(0, before.0, after.0);
        let received = ratio(1, before.1, after.1);
        println!(
            "        offload {here} to {there}: {sent:.1} frames of one of the sender's, {received:.1} in one of the receiver's"
        );
        ensure!(if here { sent > 3.0 } else { sent < 1.1 }, "{sent} frames of one");
        // How many arrive together, nobody can say.
        ensure!(there || received < 1.1, "{received} frames in one");
        ben.transfer(anna, BYTES)?;
        transfer(&anna.namespace, &ben.namespace, ipv6(2), BYTES)?;
        transfer(&ben.namespace, &anna.namespace, ipv6(1), BYTES)?;
    }
    for on in [true, false] {
        for node in [anna, ben] {
            offload(node, on)?;
        }
        // Short segments, and such that only fragments carry.
        for mtu in [300, 1280, 1468, 9000] {
            for node in [anna, ben] {
                node.namespace.set_link("bat0", &[Set::Mtu(mtu)])?;
            }
            anna.transfer(ben, BYTES / 4)?;
            ben.transfer(anna, BYTES / 4)?;
        }
    }
    ensure!(
        anna.counter("drop_malformed")? == 0 && ben.counter("drop_malformed")? == 0,
        "malformed"
    );
    Ok(())
}

pub(super) fn tcp_between_hosts_behind_bridges_arrives_whole() -> Result<()> {
    let (lab, nodes) = chain(&["anna", "ben", "cara"])?;
    let (left, right) = (Client::new(&lab, "left", 1)?, Client::new(&lab, "right", 2)?);
    for (client, node) in [(&left, &nodes[0]), (&right, &nodes[2])] {
        bridge(node)?;
        client.plug(&lab, node)?;
    }
    wait_for_ping(&left.namespace, right.address(), LIMIT)?;
    with_ipv6(&left.namespace, &right.namespace, "eth0")?;
    for on in [true, false] {
        offload(&nodes[0], on)?;
        offload(&nodes[2], on)?;
        let before = counted(&nodes[0])?[0];
        transfer(&left.namespace, &right.namespace, right.address(), BYTES)?;
        let after = counted(&nodes[0])?[0];
        let ratio = (after.1 - before.1) as f64 / (after.0 - before.0).max(1) as f64;
        println!("        offload {on}: {ratio:.1} frames of one of the client's");
        ensure!(if on { ratio > 3.0 } else { ratio < 1.1 }, "{ratio} frames of one");
        transfer(&right.namespace, &left.namespace, left.address(), BYTES)?;
        transfer(&left.namespace, &right.namespace, ipv6(2), BYTES)?;
        transfer(&right.namespace, &left.namespace, ipv6(1), BYTES)?;
    }
    Ok(())
}
