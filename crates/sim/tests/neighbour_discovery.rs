//! IPv6 neighbour discovery for an hour, with the multicast optimisation and the cache on.

use core::net::{IpAddr, Ipv6Addr};
use core::time::Duration;
use noctule_control::{BridgeMulticast, HostMulticast, Input, Querier, Settings};
use noctule_fib::Counter;
use noctule_sim::{Link, Mesh, NodeId, secs};
use noctule_wire::Mac;
use noctule_wire::payload::checksum;
use noctule_wire::payload::neighbour::{Message, Neighbour, solicited_node};

#[derive(Clone, Copy)]
struct Station {
    node: NodeId,
    mac: Mac,
    ip: Ipv6Addr,
}

impl Station {
    fn new(node: NodeId, number: u8) -> Self {
        let ip = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0x11, number.into());
        Self { node, mac: Mac([2, 0xc1, 0, 0, 1, number]), ip }
    }
}

fn frame(to: (Mac, Ipv6Addr), from: (Mac, Ipv6Addr), icmp: &[u8]) -> Vec<u8> {
    let mut frame = [to.0.0, from.0.0].concat();
    frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, icmp.len() as u8, 58, 255]);
    frame.extend(from.1.octets());
    frame.extend(to.1.octets());
    frame.extend(icmp);
    assert!(checksum::fill(&mut frame));
    frame
}

fn icmp(kind: u8, flags: u8, target: Ipv6Addr, option: Option<(u8, Mac)>) -> Vec<u8> {
    let mut icmp = vec![kind, 0, 0, 0, flags, 0, 0, 0];
    icmp.extend(target.octets());
    if let Some((kind, mac)) = option {
        icmp.extend([kind, 1]);
        icmp.extend(mac.0);
    }
    icmp
}

fn group(ip: Ipv6Addr) -> (Mac, Ipv6Addr) {
    let group = solicited_node(ip);
    let [.., a, b, c, d] = group.octets();
    (Mac([0x33, 0x33, a, b, c, d]), group)
}

fn is_solicitation(frame: &[u8]) -> bool {
    let found = (14..frame.len()).filter(|at| frame.get(at + 12..at + 14) == Some(&[0x86, 0xdd]));
    found.filter_map(|at| Neighbour::find(&frame[at..])).any(|said| said.is_question())
}

/// Hosts answer what they get, as Linux does: without naming the MAC address when one alone has asked. Says whether
/// `asker` has been answered.
fn answer(mesh: &mut Mesh, stations: &[Station], asker: Station, target: Ipv6Addr) -> bool {
    let mut is_answered = false;
    for node in mesh.nodes().collect::<Vec<_>>() {
        for got in mesh.take_host_frames(node) {
            let Some(said) = Neighbour::find(&got) else { continue };
            let (to, from) =
                (Mac::from_prefix(&got).unwrap(), Mac::from_prefix(&got[6..]).unwrap());
            is_answered |= matches!(said.message, Message::Advertisement { solicited: true, .. })
                && said.target == target
                && (node, to) == (asker.node, asker.mac);
            if said.message != Message::Solicitation || said.source.is_unspecified() {
                continue;
            }
            let here = |station: &&Station| station.node == node && station.ip == said.target;
            if let Some(station) = stations.iter().find(here) {
                let option = to.is_group().then_some((2, station.mac));
                let flags = if to.is_group() { 0x60 } else { 0x40 };
                let told = icmp(136, flags, station.ip, option);
                let told = frame((from, said.source), (station.mac, station.ip), &told);
                mesh.send_from_host(node, &told);
            }
        }
    }
    is_answered
}

/// Solicits up to three times, a second apart; which of them was answered.
fn find(
    mesh: &mut Mesh,
    stations: &[Station],
    from: Station,
    to: Station,
    by_group: bool,
) -> Option<u32> {
    let destination = if by_group { group(to.ip) } else { (to.mac, to.ip) };
    let asked = icmp(135, 0, to.ip, Some((1, from.mac)));
    let asked = frame(destination, (from.mac, from.ip), &asked);
    (1..=3).find(|_| {
        mesh.send_from_host(from.node, &asked);
        (0..50).any(|_| {
            let answered = answer(mesh, stations, from, to.ip);
            mesh.run(Duration::from_millis(20));
            answered
        })
    })
}

#[derive(Debug, Default)]
struct Hour {
    questions: u32,
    probes: u32,
    first_try: u32,
    lost: u32,
    on_air: u64,
    answered: u64,
}

/// Six nodes in a chain with a bridge each, a station at each, and another one each ten minutes. Every five seconds somebody
/// looks for somebody and later makes sure that it is still there.
fn an_hour(querier: bool, cache: bool) -> Hour {
    let settings = Settings { neighbour_discovery_cache: cache, ..Settings::default() };
    let mut mesh = Mesh::with_settings(90, settings);
    let nodes = mesh.chain(6, Link::wired());
    for node in &nodes {
        mesh.watch_host(*node);
    }
    mesh.count_on_air(is_solicitation);
    let mut stations = Vec::new();
    let mut hour = Hour::default();
    let start = mesh.now();
    let mut round = 0_usize;
    while mesh.now().since(start) < secs(3600) {
        let late = if round == 0 { nodes.len() } else { usize::from(round.is_multiple_of(120)) };
        for _ in 0..late {
            let station = Station::new(nodes[stations.len() * 5 % 6], stations.len() as u8 + 1);
            stations.push(station);
            // It makes sure that nobody has its address.
            let check = icmp(135, 0, station.ip, None);
            let check = frame(group(station.ip), (station.mac, Ipv6Addr::UNSPECIFIED), &check);
            mesh.send_from_host(station.node, &check);
        }
        for step in 0..10 {
            for node in &nodes {
                // Without a querier a bridge forgets who has reported.
                let here = stations.iter().filter(|station| querier && station.node == *node);
                let groups = here.map(|station| IpAddr::from(group(station.ip).1)).collect();
                let querier = Querier { exists: querier, shadowing: false };
                let bridge =
                    Some(BridgeMulticast { groups, querier_ipv4: querier, querier_ipv6: querier });
                let host = HostMulticast { bridge, ..HostMulticast::default() };
                mesh.input(*node, Input::Multicast(&host));
            }
            // Who has come looks for somebody after a second, and is looked for.
            let newest = stations.len() - 1;
            let pair = match step {
                2 if late > 0 && round > 0 => Some((newest, round / 120 % newest)),
                4 if late > 0 && round > 0 => Some((round / 120 * 3 % newest, newest)),
                6 if round > 4 => Some((round % stations.len(), (round * 7 + 1) % stations.len())),
                _ => None,
            };
            let far = |(one, other): &(usize, usize)| stations[*one].node != stations[*other].node;
            if let Some((one, other)) = pair.filter(far) {
                let (one, other) = (stations[one], stations[other]);
                for by_group in [true, false] {
                    let tries = find(&mut mesh, &stations, one, other, by_group);
                    let count = if by_group { &mut hour.questions } else { &mut hour.probes };
                    *count += 1;
                    hour.first_try += u32::from(tries == Some(1));
                    hour.lost += u32::from(tries.is_none());
                }
            }
            mesh.run(Duration::from_millis(500));
        }
        round += 1;
    }
    assert_eq!(mesh.faults(), &[]);
    hour.on_air = mesh.counted_on_air();
    hour.answered = nodes.iter().map(|node| mesh.counter(*node, Counter::NdAnswered)).sum();
    println!("querier {querier}, cache {cache}: {hour:?}");
    hour
}

#[test]
fn mcast_36_nd_11_nd_14_an_hour_with_and_without_a_querier() {
    for querier in [true, false] {
        let hour = an_hour(querier, true);
        let without = an_hour(querier, false);
        for hour in [&hour, &without] {
            assert!(hour.questions > 400 && hour.probes == hour.questions, "{hour:?}");
            assert_eq!(hour.lost, 0, "{hour:?}");
            // The answer to who has just come may be under way before the mesh knows that it is there.
            assert!(hour.first_try + 2 >= hour.questions * 2, "{hour:?}");
        }
        assert!(hour.answered > u64::from(hour.questions) / 2, "{hour:?}");
        assert!(hour.on_air < without.on_air / 2, "{hour:?}, {without:?}");
        assert_eq!(without.answered, 0);
    }
}
