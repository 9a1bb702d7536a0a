//! A stream to a group, from hosts behind bridges to hosts behind bridges: who joined gets all of it, the others none.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::bridge::{Client, bridge};
use super::lan::{SOON, program};
use super::{LIMIT, chain};
use crate::lab::{FrameSocket, Lab, wait_for};
use crate::node::{Node, wait_for_ping};

pub(super) const GROUP: &str = "239.1.2.3";
const GROUP_IP: [u8; 4] = [239, 1, 2, 3];
const GROUP_MAC: &str = "01:00:5e:01:02:03";

/// `ip` in a namespace.
fn ip(host: &crate::lab::Namespace, words: &str) -> Result<String> {
    let ip = program("ip", "iproute2")?;
    let words: Vec<&str> = std::iter::once(ip.as_str()).chain(words.split_whitespace()).collect();
    host.run(&words, SOON)?.success()
}

/// One querier in the mesh: the first node's bridge. Returns when no node wants all IPv4 multicast any more.
pub(super) fn ask_for_members(nodes: &[Node]) -> Result<()> {
    let first = &nodes[0];
    ip(
        &first.namespace,
        "link set br0 type bridge mcast_query_response_interval 100 mcast_startup_query_interval 100",
    )?;
    first.namespace.add_address("br0", "10.98.0.200/24")?;
    ip(&first.namespace, "link set br0 type bridge mcast_querier 1")?;
    wait_for(LIMIT, "everybody knows the querier", || {
        for node in nodes {
            let said = node.ask(&["mcast_flags", "-n"])?;
            let own = said.lines().find(|line| line.contains("own flags: ["));
            let own = own.with_context(|| said.clone())?;
            ensure!(own.contains("own flags: [U."), "{}: {own}", node.name());
        }
        Ok(())
    })
}

/// Whether `asked` knows that somebody behind `node` listens.
pub(super) fn is_listening(node: &Node, asked: &Node) -> Result<bool> {
    let rows = asked.table("transglobal")?;
    Ok(rows
        .iter()
        .any(|row| row["tt_address"] == GROUP_MAC && row["orig_address"] == *node.originator()))
}

/// Frames with a datagram to the group that a socket has seen.
fn count(socket: &mut FrameSocket) -> Result<u32> {
    let mut seen = 0;
    while let Some(frame) = socket.try_receive()? {
        seen += u32::from(
            frame.get(12..14) == Some(&[8, 0])
                && frame.get(23) == Some(&17)
                && frame.get(30..34) == Some(&GROUP_IP),
        );
    }
    Ok(seen)
}

/// A host behind a node's bridge whose multicast leaves by its only interface.
fn host(lab: &Lab, name: &str, number: u8, node: &Node) -> Result<Client> {
    let host = Client::new(lab, name, number)?;
    host.plug(lab, node)?;
    ip(&host.namespace, "route add 239.0.0.0/8 dev eth0")?;
    Ok(host)
}

pub(super) fn mcast_36_a_stream_to_a_group_reaches_who_joined_and_nobody_else() -> Result<()> {
    let iperf = program("iperf", "iperf")?;
    let (lab, nodes) = chain(&["anna", "ben", "cara", "dora"])?;
    for node in &nodes {
        bridge(node)?;
    }
    let sender = host(&lab, "sender", 1, &nodes[0])?;
    let near = host(&lab, "near", 2, &nodes[1])?;
    let idle = host(&lab, "idle", 3, &nodes[2])?;
    let far = host(&lab, "far", 4, &nodes[3])?;
    for other in [&near, &idle, &far] {
        wait_for_ping(&sender.namespace, other.address(), LIMIT)?;
    }
    ask_for_members(&nodes)?;
    let listen = [iperf.as_str(), "--server", "--udp", "--bind", GROUP, "--len", "1000"];
    let receivers =
        [near.namespace.spawn("iperf", &listen)?, far.namespace.spawn("iperf", &listen)?];
    wait_for(LIMIT, "both are announced", || {
        for node in [&nodes[1], &nodes[3]] {
            ensure!(is_listening(node, &nodes[0])?, "{} announces no listener", node.name());
        }
        Ok(())
    })?;
    ensure!(!is_listening(&nodes[2], &nodes[0])?, "nobody listens behind cara");
    let mut beside = FrameSocket::open(&nodes[2].namespace, "bat0")?;
    let before = [nodes[0].counter("mcast_tx_local")?, nodes[0].counter("tx")?];
    let send = [
        iperf.as_str(),
        "--client",
        GROUP,
        "--udp",
        "--ttl",
        "8",
        "--len",
        "1000",
        "--bandwidth",
        "2m",
        "--time",
        "3",
    ];
    sender.namespace.run(&send, SOON)?.success()?;
    for (name, receiver) in ["near", "far"].into_iter().zip(&receivers) {
        // Lost and sent, of the whole stream: a line like `0.00-3.00 sec 734 KBytes ... 0/751 (0%)`.
        let report = wait_for(LIMIT, "iperf's report", || {
            let log = receiver.log();
            let line = log.lines().rfind(|line| line.contains('%'));
            line.map(str::to_owned).with_context(|| log.clone())
        })?;
        let words = report.replace('/', " ");
        let words: Vec<&str> = words.split_whitespace().collect();
        let at = words.iter().position(|word| word.contains('%')).context("no share of loss")?;
        let number = |at: usize| words.get(at).and_then(|word| word.parse::<u32>().ok());
        let numbers = at.checked_sub(2).map(|at| (number(at), number(at + 1)));
        let Some((Some(lost), Some(sent))) = numbers else { bail!("{name}: {report}") };
        println!("        {name}: {lost} of {sent} datagrams lost");
        ensure!(lost == 0 && sent > 700, "{name}: {report}");
    }
    sleep(Duration::from_millis(200));
    let seen = count(&mut beside)?;
    ensure!(seen == 0, "{seen} datagrams came out at cara, where nobody listens");
    let packets = nodes[0].counter("mcast_tx_local")? - before[0];
    let all = nodes[0].counter("tx")? - before[1];
    ensure!(packets > 700, "{packets} of {all} frames went as multicast packets");
    Ok(())
}
