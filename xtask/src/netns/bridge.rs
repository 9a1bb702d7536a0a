//! `bat0` in a Linux bridge, with clients behind it.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{LIMIT, chain, mac_text};
use crate::interop::echo::Echo;
use crate::lab::{End, Lab, Namespace, Set, wait_for};
use crate::node::{Node, transfer, wait_for_ping};

/// Puts the node's `bat0` into a bridge.
pub(crate) fn bridge(node: &Node) -> Result<()> {
    node.namespace.add_bridge("br0")?;
    node.namespace.set_link("bat0", &[Set::Master("br0")])?;
    node.namespace.set_link("br0", &[Set::Up])
}

/// A host with one interface.
pub(crate) struct Client {
    pub(crate) namespace: Namespace,
    number: u8,
}

impl Client {
    pub(crate) fn new(lab: &Lab, name: &str, number: u8) -> Result<Self> {
        Ok(Self { namespace: lab.namespace(name)?, number })
    }

    pub(super) fn mac_text(&self) -> String {
        mac_text(self.mac())
    }

    const fn mac(&self) -> [u8; 6] {
        [0x06, 0xc1, 0, 0, 0, self.number]
    }

    pub(crate) const fn address(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 98, 0, self.number)
    }

    /// Connects it to the node's bridge.
    pub(crate) fn plug(&self, lab: &Lab, node: &Node) -> Result<()> {
        let port = format!("port{}", self.number);
        let there = End { name: &port, mac: [0x06, 0xc2, 0, 0, 0, self.number] };
        let here = End { name: "eth0", mac: self.mac() };
        lab.veth(&self.namespace, &here, &node.namespace, &there, 1500)?;
        node.namespace.set_link(&port, &[Set::Master("br0")])?;
        self.namespace.add_address("eth0", &format!("{}/24", self.address()))
    }

    pub(crate) fn unplug(&self) -> Result<()> {
        self.namespace.delete_link("eth0")
    }

    /// Whether the node announces it.
    pub(super) fn is_announced_by(&self, node: &Node, asked: &Node) -> Result<()> {
        let rows = asked.table("transglobal")?;
        let found = rows.iter().any(|row| {
            row["tt_address"] == mac_text(self.mac())
                && row["orig_address"] == *node.originator()
                && row["best"] == true
        });
        ensure!(found, "{} is not behind {}: {rows:?}", self.namespace.name(), node.name());
        Ok(())
    }
}

pub(super) fn clients_behind_bridges_reach_each_other() -> Result<()> {
    let (lab, nodes) = chain(&["anna", "ben", "cara"])?;
    let (left, right) = (Client::new(&lab, "left", 1)?, Client::new(&lab, "right", 2)?);
    for (client, node) in [(&left, &nodes[0]), (&right, &nodes[2])] {
        bridge(node)?;
        client.plug(&lab, node)?;
    }
    wait_for_ping(&left.namespace, right.address(), LIMIT)?;
    wait_for_ping(&right.namespace, left.address(), LIMIT)?;
    wait_for(LIMIT, "each is in the other's table", || {
        right.is_announced_by(&nodes[2], &nodes[0])?;
        left.is_announced_by(&nodes[0], &nodes[2])
    })?;
    let mut echo = left.namespace.with(|| Echo::open(right.address()))?;
    for payload in [1, 1440, 1472] {
        echo.ping(payload, Duration::from_secs(2))?
            .with_context(|| format!("{payload} bytes got lost"))?;
    }
    transfer(&left.namespace, &right.namespace, right.address(), 4 << 20)?;
    transfer(&right.namespace, &left.namespace, left.address(), 4 << 20)?;
    Ok(())
}

pub(super) fn a_client_that_moves_is_reachable_again() -> Result<()> {
    let (lab, nodes) = chain(&["anna", "ben", "cara"])?;
    let (phone, host) = (Client::new(&lab, "phone", 1)?, Client::new(&lab, "host", 2)?);
    for node in &nodes {
        bridge(node)?;
    }
    host.plug(&lab, &nodes[0])?;
    for place in [1, 2, 1] {
        phone.plug(&lab, &nodes[place])?;
        // A client that arrives speaks, and is heard; whoever talks to it then finds it.
        wait_for_ping(&phone.namespace, host.address(), LIMIT)?;
        let took = wait_for_ping(&host.namespace, phone.address(), LIMIT)?;
        println!("        reachable {:.1} s after its first answer", took.as_secs_f64());
        wait_for(LIMIT, "the tables follow", || phone.is_announced_by(&nodes[place], &nodes[0]))?;
        transfer(&host.namespace, &phone.namespace, phone.address(), 1 << 20)?;
        phone.unplug()?;
    }
    Ok(())
}
