//! IPv6 hosts that look for each other: what crosses the air, and that they find each other whatever happens.

use std::time::Duration;

use anyhow::{Result, ensure};
use noctule_wire::payload::neighbour::{Message, Neighbour};

use super::bridge::{Client, bridge};
use super::{LIMIT, chain};
use crate::lab::{FrameSocket, Lab, wait_for};
use crate::node::{Node, check_listener, wait_for_ping};

const SOON: Duration = Duration::from_secs(30);

struct Lan {
    nodes: Vec<Node>,
    here: Client,
    there: Client,
    _lab: Lab,
}

impl Lan {
    /// Two hops between two hosts behind bridges.
    fn new() -> Result<Self> {
        let (lab, nodes) = chain(&["anna", "ben", "cara"])?;
        let (here, there) = (Client::new(&lab, "here", 1)?, Client::new(&lab, "there", 2)?);
        for (client, node, ip) in
            [(&here, &nodes[0], "fd00:98::1/64"), (&there, &nodes[2], "fd00:98::2/64")]
        {
            bridge(node)?;
            client.plug(&lab, node)?;
            client.namespace.add_address("eth0", ip)?;
        }
        wait_for_ping(&here.namespace, there.address(), LIMIT)?;
        wait_for(LIMIT, "each is in the other's table", || {
            there.is_announced_by(&nodes[2], &nodes[0])?;
            here.is_announced_by(&nodes[0], &nodes[2])
        })?;
        Ok(Self { nodes, here, there, _lab: lab })
    }

    /// Both look for each other anew, one after the other. How many solicitations cross the links meanwhile.
    fn look(&self) -> Result<usize> {
        let mut sockets = Vec::new();
        for link in self.nodes[1].interfaces() {
            sockets.push(FrameSocket::open(&self.nodes[1].namespace, &link)?);
        }
        for (from, to) in [(&self.here, "fd00:98::2"), (&self.there, "fd00:98::1")] {
            for client in [&self.here, &self.there] {
                let words = ["ip", "-6", "neighbour", "flush", "dev", "eth0"];
                client.namespace.run(&words, SOON)?.success()?;
            }
            ping(from, to)?;
        }
        let mut count = 0;
        for socket in &mut sockets {
            while let Some(frame) = socket.try_receive()? {
                count += usize::from(is_question(frame));
            }
        }
        Ok(count)
    }
}

fn ping(from: &Client, to: &str) -> Result<()> {
    wait_for(LIMIT, "a ping is answered", || {
        from.namespace.run(&["ping", "-6", "-c", "1", "-W", "2", to], SOON)?.success().map(drop)
    })
}

/// Whether somewhere in a mesh frame there is a solicitation to a group for one of the hosts' addresses.
fn is_question(frame: &[u8]) -> bool {
    (14..frame.len())
        .filter(|at| frame.get(at + 12..at + 14) == Some(&[0x86, 0xdd]))
        .filter_map(|at| Neighbour::find(&frame[at..]))
        .any(|said| said.message == Message::Solicitation && said.is_question())
}

pub(super) fn nd_11_nd_15_a_resolved_neighbour_costs_nothing_on_the_air() -> Result<()> {
    check_listener()?;
    let lan = Lan::new()?;
    let first = lan.look()?;
    ensure!(first > 0, "nobody has asked");
    let again = lan.look()?;
    println!("        {first} solicitations on two links at first, {again} when asked again");
    ensure!(again == 0, "{again} solicitations for resolved neighbours");
    for node in [&lan.nodes[0], &lan.nodes[2]] {
        ensure!(node.counter("nd_answered")? > 0, "{} has not answered", node.name());
    }
    let rows = lan.nodes[0].table("nd_cache")?;
    let there = lan.there.mac_text();
    let known = rows.iter().find(|row| row["nd_cache_ip6address"] == "fd00:98::2");
    ensure!(
        known.is_some_and(|row| row["nd_cache_hwaddress"] == *there && row["answered"] == true),
        "{rows:?}"
    );
    let printed = lan.nodes[0].ask(&["nd_cache", "-n"])?;
    ensure!(printed.contains(&format!(" fd00:98::2 {there}   -1 [A..]")), "{printed}");
    lan.nodes[0].ask(&["set", "neighbour_discovery_cache", "0"])?;
    ensure!(lan.look()? > 0, "it is off, and yet nothing was sent");
    Ok(())
}

pub(super) fn nd_06_nd_07_nd_08_a_host_with_another_mac_is_found_again() -> Result<()> {
    let lan = Lan::new()?;
    lan.look()?;
    let host = &lan.there.namespace;
    for words in [
        &["ip", "link", "set", "eth0", "down"][..],
        &["ip", "link", "set", "eth0", "address", "06:c1:00:00:00:77"],
        &["ip", "link", "set", "eth0", "up"],
    ] {
        host.run(words, SOON)?.success()?;
    }
    host.add_address("eth0", "fd00:98::2/64")?;
    let start = std::time::Instant::now();
    // The other side still believes in the old address, until its probes are not answered.
    ping(&lan.here, "fd00:98::2")?;
    println!("        found after {:.1} s", start.elapsed().as_secs_f64());
    wait_for(LIMIT, "the cache follows", || {
        lan.look()?;
        let rows = lan.nodes[0].table("nd_cache")?;
        let known = rows.iter().find(|row| row["nd_cache_ip6address"] == "fd00:98::2");
        ensure!(
            known
                .is_some_and(|row| row["nd_cache_hwaddress"] == "06:c1:00:00:00:77"
                    && row["answered"] == true),
            "{rows:?}"
        );
        Ok(())
    })
}
