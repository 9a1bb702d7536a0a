//! Groups of hosts behind bridges: who joined gets all of a stream, the others none; and somebody who joins ever more of them.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::bridge::{Client, bridge};
use super::hostile::{MEMORY_MAX, inject, resident};
use super::lan::{SOON, program};
use super::{LIMIT, chain};
use crate::lab::{FrameSocket, Lab, Namespace, wait_for};
use crate::node::{Node, wait_for_ping};

/// A group as iperf, the tables and frames name it.
struct Group {
    name: &'static str,
    mac: &'static str,
    /// What iperf needs besides.
    options: &'static [&'static str],
    ethertype: [u8; 2],
    /// Where a frame has the protocol behind IP, and where the group's address.
    protocol_at: usize,
    address_at: usize,
    address: &'static [u8],
}

const GROUP4: Group = Group {
    name: "239.1.2.3",
    mac: "01:00:5e:01:02:03",
    options: &[],
    ethertype: [0x08, 0x00],
    protocol_at: 23,
    address_at: 30,
    address: &[239, 1, 2, 3],
};

const GROUP6: Group = Group {
    name: "ff05::1:3%eth0",
    mac: "33:33:00:01:00:03",
    options: &["--ipv6_domain"],
    ethertype: [0x86, 0xdd],
    protocol_at: 20,
    address_at: 38,
    address: &[0xff, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 3],
};

/// `ip` in a namespace.
fn ip(host: &Namespace, words: &str) -> Result<String> {
    let ip = program("ip", "iproute2")?;
    let words: Vec<&str> = std::iter::once(ip.as_str()).chain(words.split_whitespace()).collect();
    host.run(&words, SOON)?.success()
}

/// One querier in the mesh: the first node's bridge. Returns when no node wants all multicast any more.
fn ask_for_members(nodes: &[Node]) -> Result<()> {
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
            ensure!(own.contains("own flags: [U..."), "{}: {own}", node.name());
        }
        Ok(())
    })
}

/// Whether `asked` knows that somebody behind `node` listens.
fn is_listening(node: &Node, asked: &Node, group: &Group) -> Result<bool> {
    let rows = asked.table("transglobal")?;
    Ok(rows
        .iter()
        .any(|row| row["tt_address"] == *group.mac && row["orig_address"] == *node.originator()))
}

/// Frames with a datagram to the group that a socket has seen.
fn count(socket: &mut FrameSocket, group: &Group) -> Result<u32> {
    let mut seen = 0;
    let end = group.address_at + group.address.len();
    while let Some(frame) = socket.try_receive()? {
        seen += u32::from(
            frame.get(12..14) == Some(&group.ethertype)
                && frame.get(group.protocol_at) == Some(&17)
                && frame.get(group.address_at..end) == Some(group.address),
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
    for group in [GROUP4, GROUP6] {
        stream(&iperf, &group, &nodes, &sender.namespace, [&near.namespace, &far.namespace])?;
    }
    Ok(())
}

/// From a host behind the first node to one behind the second and one behind the fourth; nobody listens behind the third.
fn stream(
    iperf: &str,
    group: &Group,
    nodes: &[Node],
    sender: &Namespace,
    receivers: [&Namespace; 2],
) -> Result<()> {
    let common = [&["--udp", "--len", "1000"], group.options].concat();
    let listen = [&[iperf, "--server", "--bind", group.name], &common[..]].concat();
    let receivers = [receivers[0].spawn("iperf", &listen)?, receivers[1].spawn("iperf", &listen)?];
    wait_for(LIMIT, "both are announced", || {
        for (node, receiver) in [&nodes[1], &nodes[3]].into_iter().zip(&receivers) {
            let known = is_listening(node, &nodes[0], group)?;
            ensure!(known, "{} announces no listener: {}", node.name(), receiver.log());
        }
        Ok(())
    })?;
    ensure!(!is_listening(&nodes[2], &nodes[0], group)?, "nobody listens behind cara");
    let mut beside = FrameSocket::open(&nodes[2].namespace, "bat0")?;
    let before = [nodes[0].counter("mcast_tx_local")?, nodes[0].counter("tx")?];
    let send = ["--ttl", "8", "--bandwidth", "2m", "--time", "3"];
    let send = [&[iperf, "--client", group.name], &send[..], &common].concat();
    sender.run(&send, SOON)?.success()?;
    for (name, receiver) in ["near", "far"].into_iter().zip(&receivers) {
        // Lost and sent, of the whole stream: a line like `0.00-3.00 sec 734 KBytes ... 0/751 (0%)`.
        let report = wait_for(LIMIT, "iperf's report", || {
            let log = receiver.log();
            let line = log.lines().rfind(|line| line.contains('%') && line.contains("sec"));
            line.map(str::to_owned).with_context(|| log.clone())
        })?;
        let words = report.replace('/', " ");
        let words: Vec<&str> = words.split_whitespace().collect();
        let at = words.iter().position(|word| word.contains('%')).context("no share of loss")?;
        let number = |at: usize| words.get(at).and_then(|word| word.parse::<u32>().ok());
        let numbers = at.checked_sub(2).map(|at| (number(at), number(at + 1)));
        let Some((Some(lost), Some(sent))) = numbers else { bail!("{name}: {report}") };
        println!("        {}, {name}: {lost} of {sent} datagrams lost", group.name);
        ensure!(lost == 0 && sent > 700, "{name}: {report}");
    }
    sleep(Duration::from_millis(200));
    let seen = count(&mut beside, group)?;
    ensure!(seen == 0, "{seen} datagrams came out at cara, where nobody listens");
    let packets = nodes[0].counter("mcast_tx_local")? - before[0];
    let all = nodes[0].counter("tx")? - before[1];
    ensure!(packets > 700, "{packets} of {all} frames went as multicast packets");
    Ok(())
}

/// How many groups somebody joins, of IPv4 and as many of IPv6: as many as a bridge remembers without giving up, of which all
/// would not find a place in the table of clients; then so many that the bridge gives up and snoops no more.
const FLOODS: [u32; 2] = [1900, 20_000];

/// The sum of 16-bit words that IP and ICMP carry.
fn checksum(bytes: &[u8]) -> [u8; 2] {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}

/// An IGMPv2 report of the group `239.a.b.c`.
fn igmp_report(source: [u8; 6], number: u32) -> Vec<u8> {
    let [_, a, b, c] = number.to_be_bytes();
    let group = [239, a, b, c];
    let mut igmp = [&[0x16, 0, 0, 0], group.as_slice()].concat();
    let sum = checksum(&igmp);
    igmp[2..4].copy_from_slice(&sum);
    // With the router alert option.
    let mut ip = vec![0x46, 0xc0, 0, 32, 0, 0, 0, 0, 1, 2, 0, 0, 10, 98, 0, 99];
    ip.extend(group);
    ip.extend([0x94, 4, 0, 0]);
    let sum = checksum(&ip);
    ip[10..12].copy_from_slice(&sum);
    let to = [0x01, 0, 0x5e, a & 0x7f, b, c];
    let mut frame = [&to[..], &source, &[8, 0], &ip, &igmp].concat();
    frame.resize(60, 0);
    frame
}

/// An MLDv1 report of the group `ff05::a:b:c`.
fn mld_report(source: [u8; 6], number: u32) -> Vec<u8> {
    let mut group = [0; 16];
    group[..2].copy_from_slice(&[0xff, 5]);
    group[12..].copy_from_slice(&number.to_be_bytes());
    let mut from = [0; 16];
    from[..2].copy_from_slice(&[0xfe, 0x80]);
    from[15] = 0x99;
    let mut icmp = [&[131, 0, 0, 0, 0, 0, 0, 0], group.as_slice()].concat();
    let pseudo = [&from[..], &group, &[0, 0, 0, 24, 0, 0, 0, 58], &icmp].concat();
    let sum = checksum(&pseudo);
    icmp[2..4].copy_from_slice(&sum);
    let [.., a, b, c, d] = group;
    let to = [0x33, 0x33, a, b, c, d];
    let ip = [0x60, 0, 0, 0, 0, 32, 0, 1];
    // Hop-by-hop options: router alert, and two bytes of padding.
    let options = [58, 0, 5, 2, 0, 0, 1, 0];
    [&to[..], &source, &[0x86, 0xdd], &ip, &from, &group, &options, &icmp].concat()
}

pub(super) fn mcast_17_a_flood_of_memberships_takes_no_place_from_clients() -> Result<()> {
    let (lab, mut nodes) = chain(&["anna", "ben", "cara"])?;
    for node in &nodes {
        bridge(node)?;
    }
    let mallory = host(&lab, "mallory", 1, &nodes[0])?;
    let old = host(&lab, "old", 2, &nodes[0])?;
    let far = host(&lab, "far", 3, &nodes[2])?;
    wait_for_ping(&old.namespace, far.address(), LIMIT)?;
    ask_for_members(&nodes)?;
    let socket = FrameSocket::open(&mallory.namespace, "eth0")?;
    let before = resident(&mut nodes, 0)?;
    for (flood, number) in FLOODS.into_iter().zip(4..) {
        for group in 0..flood {
            for report in [igmp_report, mld_report] {
                inject(&socket, &report([0x06, 0xc1, 0, 0, 0, 0x99], group))?;
            }
            if group.is_multiple_of(64) {
                sleep(Duration::from_millis(2));
            }
        }
        wait_for(LIMIT, "all multicast is wanted instead", || {
            let said = nodes[0].ask(&["mcast_flags", "-n"])?;
            ensure!(said.contains("own flags: [U46"), "{said}");
            ensure!(nodes[0].counter("mcast_groups_full")? > 0, "it was not counted");
            Ok(())
        })?;
        let rows = nodes[2].table("transglobal")?;
        let is_group = |row: &&serde_json::Value| {
            let mac = row["tt_address"].as_str().unwrap_or_default();
            mac.starts_with("01:") || mac.starts_with("33:")
        };
        let groups = rows.iter().filter(is_group).count();
        println!("        {flood} groups of each kind joined: {groups} announced");
        ensure!(groups < 600, "{groups} groups are announced");
        // Who was there before is reached, and who comes now is announced.
        wait_for_ping(&far.namespace, old.address(), LIMIT)?;
        let late = host(&lab, &format!("late{number}"), number, &nodes[0])?;
        wait_for_ping(&late.namespace, far.address(), LIMIT)?;
        wait_for(LIMIT, "it is announced", || late.is_announced_by(&nodes[0], &nodes[2]))?;
    }
    for index in 0..nodes.len() {
        let after = resident(&mut nodes, index)?;
        println!(
            "        {}: {:.1} MiB resident, anna had {:.1} MiB before",
            nodes[index].name(),
            after as f64 / f64::from(1 << 20),
            before as f64 / f64::from(1 << 20)
        );
        ensure!(after <= MEMORY_MAX, "{after} bytes resident");
    }
    Ok(())
}
