//! Multicast: who listens is known everywhere, each datagram arrives once at each listener and at nobody else, and what
//! that costs on the air beside flooding.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::socket::{LinkAddr, recvfrom, setsockopt, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};

use super::super::capture::listen;
use super::super::scene::{Scene, secs};
use super::super::stage::Stage;

pub(super) const ABOUT: &str = "multicast reaches listeners once and nobody else, on one Ethernet";
pub(super) const ABOUT_CHAIN: &str = "multicast reaches listeners once and nobody else, over hops";
pub(super) const ABOUT_BRIDGE: &str = "listeners behind a bridge, without and with a querier, and all IPv6 neighbours find each other";

/// Datagrams that prove that datagrams arrive.
const DATAGRAMS: u8 = 20;
const PORT: u16 = 9100;
/// In each datagram, in front of its number.
const MARK: &[u8] = b"noctule-mcast-probe-";
const GROUP4: Ipv4Addr = Ipv4Addr::new(239, 1, 2, 3);
const GROUP6: Ipv6Addr = Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 1, 3);
const MDNS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const PATIENCE: Duration = secs(20);
/// `PACKET_OUTGOING`.
const OUTGOING: u8 = 4;

pub(super) fn play(stage: &mut Stage) -> Result<()> {
    let mut scene = stage.segment()?;
    everything(&mut scene)?;
    scene.close()
}

pub(super) fn chain(stage: &mut Stage) -> Result<()> {
    let mut scene = stage.mesh(&[(1, 2), (2, 3), (3, 4)])?;
    everything(&mut scene)?;
    scene.close()
}

/// n1 sends, n2 and n3 listen, n4 does not.
fn everything(scene: &mut Scene<'_>) -> Result<()> {
    begin(scene, &[1, 2, 3, 4])?;
    same_flags(scene, &[1, 2, 3, 4])?;
    // A kernel node drops what it asks a group whose listeners it does not know yet: while it waits for a table that it
    // has asked for, some seconds.
    scene.expect_same_clients("MCAST-15 MCAST-19", &[1, 2, 3, 4], PATIENCE)?;
    neighbours_find_each_other(scene, &[1, 2, 3, 4])?;
    let mut sockets = Vec::new();
    for (at, group) in [(2, GROUP4), (3, GROUP4), (3, MDNS)] {
        sockets.push(join4(scene, at, group, "bat0")?);
    }
    for at in [3, 4] {
        sockets.push(join6(scene, at)?);
    }
    let mac4 = "01:00:5e:01:02:03";
    let mac6 = "33:33:00:01:00:03";
    for (of, mac) in [(2, mac4), (3, mac4), (3, "01:00:5e:00:00:fb"), (3, mac6), (4, mac6)] {
        for at in [1, 2, 3, 4] {
            if at != of {
                wait_for_listener(scene, at, of, mac)?;
            }
        }
    }
    scene.expect_same_clients("MCAST-13 MCAST-17 MCAST-20", &[1, 2, 3, 4], PATIENCE)?;
    let v4 = |group: Ipv4Addr| SocketAddr::from((group, PORT));
    for from in [1, 4] {
        expect(scene, "MCAST-36 MCAST-41", from, v4(GROUP4), &[2, 3])?;
    }
    expect(scene, "MCAST-36 one sends and listens", 2, v4(GROUP4), &[3])?;
    expect(scene, "MCAST-34 224.0.0.0/24", 1, v4(MDNS), &[3])?;
    expect(scene, "MCAST-36", 2, SocketAddr::from((GROUP6, PORT)), &[3, 4])?;
    expect(scene, "MCAST-36 nobody listens", 1, v4(Ipv4Addr::new(239, 9, 9, 9)), &[])?;
    expect(scene, "flooded instead", 1, v4(Ipv4Addr::new(10, 99, 0, 255)), &[2, 3, 4])?;
    drop(sockets);
    for at in [1, 4] {
        scene.wait("the listeners are not withdrawn", PATIENCE, |scene| {
            Ok(![2, 3].iter().any(|of| lists(scene, at, *of, mac4).unwrap_or(true)))
        })?;
    }
    expect(scene, "MCAST-03 nobody listens any more", 1, v4(GROUP4), &[])?;
    Ok(())
}

/// n2 has a LAN behind it: first without a querier, then with one.
pub(super) fn bridge(stage: &mut Stage) -> Result<()> {
    let mut scene = stage.segment()?;
    begin(&mut scene, &[1, 2, 3])?;
    for words in [
        "link add br0 type bridge mcast_snooping 1 mcast_query_response_interval 100 mcast_startup_query_interval 100",
        "link add lan2 type veth peer name host2",
        "link set lan2 master br0",
        "link set bat0 master br0",
        "address flush dev bat0",
        "address add 10.99.0.102/24 dev host2",
        "link set br0 up",
        "link set lan2 up",
        "link set host2 up",
    ] {
        ip(&scene, 2, words)?;
    }
    wait_for_flags(&mut scene, "MCAST-10 MCAST-11 bridge without a querier", 2, "U 4 6 R4 R6")?;
    let host = join4(&scene, 2, GROUP4, "host2")?;
    let v4 = SocketAddr::from((GROUP4, PORT));
    for from in [1, 3] {
        expect_at(&mut scene, "MCAST-11 no querier", from, v4, &[(2, "host2")])?;
    }
    let there = [(2, "host2")];
    let mdns = SocketAddr::from((MDNS, PORT));
    expect_at(&mut scene, "MCAST-10 unsnoopable", 1, mdns, &[(2, "host2"), (3, "bat0")])?;
    ip(&scene, 2, "address add 10.99.0.202/24 dev br0")?;
    ip(&scene, 2, "link set br0 type bridge mcast_querier 1")?;
    wait_for_flags(
        &mut scene,
        "MCAST-11 MCAST-12 the bridge is querier for IPv4",
        2,
        "U . 6 . R6",
    )?;
    // The querier has to hear of the host once more.
    for at in [1, 3] {
        wait_for_listener(&mut scene, at, 2, "01:00:5e:01:02:03")?;
        expect_at(&mut scene, "MCAST-16 MCAST-21 with a querier", at, v4, &there)?;
    }
    let nobody = SocketAddr::from((Ipv4Addr::new(239, 9, 9, 9), PORT));
    expect_at(&mut scene, "MCAST-16 MCAST-21 with a querier, no listener", 1, nobody, &[])?;
    drop(host);
    ip(&scene, 2, "link set br0 type bridge mcast_querier 0")?;
    wait_for_flags(&mut scene, "MCAST-24 the querier is gone", 2, "U 4 6 R4 R6")?;
    ip(&scene, 2, "link set bat0 nomaster")?;
    wait_for_flags(&mut scene, "MCAST-09 no bridge any more", 2, ". . . . .")?;
    scene.close()
}

fn begin(scene: &mut Scene<'_>, numbers: &[u8]) -> Result<()> {
    scene.start_all()?;
    for &number in numbers {
        let space = scene.node(number).space();
        let _ = space.set_sysctl("net.ipv6.conf.bat0.accept_dad", "0");
        let _ = space.set_sysctl("net.ipv6.conf.bat0.disable_ipv6", "0");
        space.add_address("bat0", &format!("{}/64", ip6(number)))?;
    }
    scene.wait_for_routes(numbers, secs(30))
}

/// `ip` in a node's namespace.
fn ip(scene: &Scene<'_>, at: u8, words: &str) -> Result<()> {
    let words: Vec<_> = ["ip"].into_iter().chain(words.split_whitespace()).collect();
    scene.node(at).space().run(&words, secs(10))?.success()?;
    Ok(())
}

fn ip6(number: u8) -> Ipv6Addr {
    Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, number.into())
}

/// The letters between the brackets of `own flags: [...]`, and of each originator, as a node prints them.
fn flags(scene: &Scene<'_>, at: u8) -> Result<(String, BTreeMap<String, String>)> {
    let words: &[&str] = &["mcast_flags", "-n"];
    let printed = scene.node(at).tool(words)?.success()?;
    let between = |line: &str| -> Option<String> {
        let (_, rest) = line.rsplit_once('[')?;
        Some(rest.split(']').next()?.to_owned())
    };
    let own = printed.lines().find(|line| line.contains("own flags: ["));
    let own = own.and_then(between).context("no own flags")?;
    let rows = printed.lines().filter_map(|line| {
        let address = line.split_whitespace().next().filter(|word| word.len() == 17)?;
        Some((address.to_owned(), between(line)?))
    });
    Ok((own, rows.collect()))
}

/// What all others know of a node is what it says itself. Older tools print fewer letters.
fn same_flags(scene: &mut Scene<'_>, numbers: &[u8]) -> Result<()> {
    for &of in numbers {
        let (own, _) = flags(scene, of)?;
        let originator = scene.node(of).originator();
        for &at in numbers.iter().filter(|&&at| at != of) {
            let mut seen = String::new();
            let outcome = scene.wait("flags differ", PATIENCE, |scene| {
                seen = flags(scene, at)?.1.get(&originator).cloned().unwrap_or_default();
                Ok(agree(&seen, &own))
            });
            let what = format!(
                "MCAST-01 MGMT-47 {} knows the flags of {}",
                scene.title(at),
                scene.title(of)
            );
            scene.record.check(what, outcome.is_ok(), format!("[{seen}], own [{own}]"));
        }
    }
    Ok(())
}

fn agree(a: &str, b: &str) -> bool {
    let letters = 7.min(a.len()).min(b.len());
    letters >= 5 && a[..letters] == b[..letters]
}

/// The node announces these flags, and all others take them for those; who wants everything needs no router copy
/// (MCAST-29).
fn wait_for_flags(scene: &mut Scene<'_>, rules: &str, of: u8, expected: &str) -> Result<()> {
    let [u, v4, v6, r4, r6] = expected.split(' ').collect::<Vec<_>>()[..] else {
        anyhow::bail!("five flags, not {expected}")
    };
    let letters = |r4: &str, r6: &str| format!("{u}{v4}{v6}{r4:2}{r6:2}").trim_end().to_owned();
    let own = letters(r4, r6);
    let taken = letters(if v4 == "4" { "." } else { r4 }, if v6 == "6" { "." } else { r6 });
    let originator = scene.node(of).originator();
    let mut seen = Vec::new();
    let outcome = scene.wait("flags do not come", secs(40), |scene| {
        seen = vec![flags(scene, of)?.0];
        for at in [1, 3] {
            seen.push(flags(scene, at)?.1.get(&originator).cloned().unwrap_or_default());
        }
        let others = seen.iter().skip(1).all(|seen| seen.starts_with(&taken));
        Ok(seen[0].starts_with(&own) && others)
    });
    let what = format!("{rules}: {} announces [{own}", scene.title(of));
    scene.record.check(what, outcome.is_ok(), seen.join(" "));
    Ok(())
}

fn lists(scene: &Scene<'_>, at: u8, of: u8, mac: &str) -> Result<bool> {
    Ok(scene.clients_at(at, of)?.iter().any(|(listed, _, _)| listed == mac))
}

fn wait_for_listener(scene: &mut Scene<'_>, at: u8, of: u8, mac: &str) -> Result<()> {
    let what = format!("{} does not list {mac} at {}", scene.title(at), scene.title(of));
    scene.wait(&what, PATIENCE, |scene| lists(scene, at, of, mac))?;
    Ok(())
}

fn join4(scene: &Scene<'_>, at: u8, group: Ipv4Addr, device: &str) -> Result<UdpSocket> {
    let address = match device {
        "bat0" => scene.node(at).ip(),
        _ => Ipv4Addr::new(10, 99, 0, 102),
    };
    scene.node(at).space().with(|| {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.join_multicast_v4(&group, &address)?;
        Ok(socket)
    })
}

fn join6(scene: &Scene<'_>, at: u8) -> Result<UdpSocket> {
    let index = scene.node(at).space().link("bat0")?.index;
    scene.node(at).space().with(|| {
        let socket = UdpSocket::bind("[::]:0")?;
        socket.join_multicast_v6(&GROUP6, index)?;
        Ok(socket)
    })
}

/// Everything that goes by in one namespace.
struct Ear {
    fd: OwnedFd,
    names: BTreeMap<usize, String>,
}

/// Marked datagrams by number: delivered by each interface, and sent by hard interfaces.
#[derive(Default)]
struct Heard {
    delivered: BTreeMap<String, BTreeMap<u8, u32>>,
    sent: u32,
}

impl Ear {
    fn open(scene: &Scene<'_>, at: u8) -> Result<Self> {
        let space = scene.node(at).space();
        let names = space.links()?.into_iter().map(|link| (link.index as usize, link.name));
        Ok(Self { names: names.collect(), fd: space.with(listen)? })
    }

    /// Reads until nothing comes any more.
    fn hear(self) -> Result<Heard> {
        let mut heard = Heard::default();
        // What came is in the socket's buffer already; the mesh itself never falls silent.
        let end = Instant::now() + secs(5);
        setsockopt(&self.fd, sockopt::ReceiveTimeout, &TimeVal::microseconds(1000))?;
        let mut buffer = vec![0; 4096];
        while Instant::now() < end
            && let Ok((len, Some(from))) = recvfrom::<LinkAddr>(self.fd.as_raw_fd(), &mut buffer)
        {
            let frame = &buffer[..len.min(buffer.len())];
            let Some(at) = frame.windows(MARK.len()).position(|bytes| bytes == MARK) else {
                continue;
            };
            let Some(&number) = frame.get(at + MARK.len()) else { continue };
            let Some(name) = self.names.get(&from.ifindex()) else { continue };
            let outgoing = from.pkttype() == OUTGOING;
            let hard = name.starts_with('n');
            match (hard, outgoing) {
                (true, true) => heard.sent += 1,
                (false, false) => {
                    *heard.delivered.entry(name.clone()).or_default().entry(number).or_default() +=
                        1;
                }
                _ => {}
            }
        }
        Ok(heard)
    }
}

fn expect(
    scene: &mut Scene<'_>,
    rules: &str,
    from: u8,
    to: SocketAddr,
    listeners: &[u8],
) -> Result<()> {
    let listeners: Vec<_> = listeners.iter().map(|at| (*at, "bat0")).collect();
    expect_at(scene, rules, from, to, &listeners)
}

/// Sends datagrams from one node; each must arrive exactly once at each of these interfaces and at no other node.
fn expect_at(
    scene: &mut Scene<'_>,
    rules: &str,
    from: u8,
    to: SocketAddr,
    listeners: &[(u8, &str)],
) -> Result<()> {
    let numbers = 1..=scene.count();
    let ears: Vec<_> = numbers.map(|at| Ok((at, Ear::open(scene, at)?))).collect::<Result<_>>()?;
    let index = scene.node(from).space().link("bat0")?.index;
    let sender = scene.node(from).space().with(|| -> Result<UdpSocket> {
        let socket = match to {
            SocketAddr::V4(_) => UdpSocket::bind("0.0.0.0:0")?,
            SocketAddr::V6(_) => UdpSocket::bind("[::]:0")?,
        };
        socket.set_broadcast(true)?;
        setsockopt(&socket, sockopt::BindToDevice, &OsString::from("bat0"))?;
        Ok(socket)
    })?;
    let to = match to {
        SocketAddr::V6(v6) => SocketAddrV6::new(*v6.ip(), v6.port(), 0, index).into(),
        v4 => v4,
    };
    for number in 0..DATAGRAMS {
        let datagram = [MARK, &[number]].concat();
        sender.send_to(&datagram, to)?;
        sleep(Duration::from_millis(20));
    }
    sleep(Duration::from_millis(500));
    let mut on_the_air = 0;
    let mut wrong = Vec::new();
    for (at, ear) in ears {
        let heard = ear.hear()?;
        on_the_air += heard.sent;
        if at == from {
            continue;
        }
        let expected = listeners.iter().find(|(node, _)| *node == at).map(|(_, device)| *device);
        // A bridge and its ports see the frame as well.
        let device = expected.unwrap_or("bat0");
        let counts = heard.delivered.get(device).cloned().unwrap_or_default();
        let once = (0..DATAGRAMS).filter(|number| counts.get(number) == Some(&1)).count();
        let right = match expected {
            Some(_) => once == usize::from(DATAGRAMS),
            None => counts.is_empty(),
        };
        if !right {
            let all: u32 = counts.values().sum();
            wrong.push(format!("{}: {once} once, {all} in all", scene.title(at)));
        }
    }
    let names: Vec<_> = listeners.iter().map(|(at, _)| format!("n{at}")).collect();
    let names = if names.is_empty() { "nobody".to_owned() } else { names.join(", ") };
    let group = to.ip();
    let title = scene.title(from);
    let what = format!("{rules}: {DATAGRAMS} datagrams from {title} to {group} reach {names} once");
    let seen =
        if wrong.is_empty() { format!("{on_the_air} frames sent") } else { wrong.join("; ") };
    scene.record.check(what, wrong.is_empty(), seen);
    let frames = f64::from(on_the_air) / f64::from(DATAGRAMS);
    scene.record.figure(
        format!("frames on the air for a datagram from {title} to {group} for {names}"),
        format!("{frames:.1}"),
    );
    Ok(())
}

/// Neighbour discovery goes to solicited-node groups: a first datagram between all pairs needs it.
fn neighbours_find_each_other(scene: &mut Scene<'_>, numbers: &[u8]) -> Result<()> {
    const ND_PORT: u16 = 9101;
    let mut sockets = BTreeMap::new();
    for &number in numbers {
        let socket = scene.node(number).space().with(|| UdpSocket::bind((ip6(number), ND_PORT)))?;
        socket.set_read_timeout(Some(secs(5)))?;
        sockets.insert(number, socket);
    }
    for &from in numbers {
        for &to in numbers.iter().filter(|&&to| to != from) {
            sockets[&from].send_to(&[from], (ip6(to), ND_PORT))?;
            let mut datagram = [0; 4];
            let arrived = sockets[&to].recv(&mut datagram).is_ok_and(|len| len == 1);
            let what = format!(
                "MCAST-15 IPv6 neighbour discovery from {} to {}",
                scene.title(from),
                scene.title(to)
            );
            scene.record.check(what, arrived && datagram[0] == from, "");
        }
    }
    Ok(())
}
