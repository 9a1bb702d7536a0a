//! A small mesh in the guest: its nodes and links, and the sentences that scenarios are made of.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, UdpSocket};
use std::ops::RangeInclusive;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::capture::Pcapng;
use super::node::{Algorithm, Kind, Node, Programs, hard_address};
use super::record::Record;
use crate::lab::{End, Lab, Namespace, Set};
use crate::node::transfer;

/// How often a condition is looked at while it is waited for.
const POLL: Duration = Duration::from_millis(100);
/// How long a quality must stay where it is to count as settled.
const SETTLED: Duration = Duration::from_millis(1500);
/// How many broadcasts prove that broadcasts arrive.
const BROADCASTS: u8 = 30;
/// Where they go.
const BROADCAST_PORT: u16 = 9001;
/// How many bytes a transfer over TCP has: as many as the recorder of frames keeps up with.
const TCP_BYTES: usize = 256 << 10;
/// The MTU of the hard interfaces: an ordinary Ethernet's.
const HARD_MTU: u32 = 1500;

/// A mesh that runs; see [`Stage::mesh`](super::stage::Stage::mesh).
pub(crate) struct Scene<'a> {
    /// Where the scenario says what it does and sees.
    pub(crate) record: &'a mut Record,
    nodes: Vec<Node>,
    /// Held until the mesh goes: the bridge lives in it.
    segment: Option<Namespace>,
}

/// How the nodes are joined.
#[derive(Clone, Copy)]
pub(super) enum Wires<'a> {
    /// By links between two nodes each.
    Links(&'a [(u8, u8)]),
    /// By one Ethernet that all of them hear.
    Segment,
}

impl<'a> Scene<'a> {
    /// Makes the namespaces, links and hard interfaces of a mesh. `kinds` has a letter for each
    /// node, as in `K-N-K`; a node's interfaces count in the order of its links.
    pub(super) fn build(
        record: &'a mut Record,
        lab: &Lab,
        programs: &Programs,
        capture: &Pcapng,
        kinds: &str,
        wires: Wires<'_>,
    ) -> Result<Self> {
        let kinds: Vec<_> = kinds
            .split('-')
            .map(|letter| match letter {
                "K" => Ok(Kind::Kernel),
                "N" => Ok(Kind::Noctule),
                _ => bail!("no kind of node is called {letter}"),
            })
            .collect::<Result<_>>()?;
        let mut interfaces = vec![Vec::new(); kinds.len()];
        let mut cables = Vec::new();
        let mut plug = |node: u8| {
            let taken: &mut Vec<u8> = &mut interfaces[usize::from(node) - 1];
            taken.push(taken.len() as u8 + 1);
            (node, taken.len() as u8)
        };
        match wires {
            Wires::Links(links) => {
                cables.extend(links.iter().map(|&(a, b)| [plug(a), plug(b)]));
            }
            Wires::Segment => (1..=kinds.len() as u8).for_each(|node| _ = plug(node)),
        }
        let mut nodes = Vec::new();
        for ((kind, interfaces), number) in kinds.into_iter().zip(interfaces).zip(1..) {
            let space = lab.namespace(&format!("n{number}"))?;
            // Without IPv6 a link carries nothing but what the mesh sends. A kernel that lacks it
            // lacks the settings too.
            for scope in ["all", "default"] {
                let _ = space.set_sysctl(&format!("net.ipv6.conf.{scope}.disable_ipv6"), "1");
            }
            nodes.push(Node::new(kind, number, interfaces, space, programs.clone()));
        }
        let mut scene = Self { record, nodes, segment: None };
        if matches!(wires, Wires::Segment) {
            scene.segment = Some(scene.lay_segment(lab)?);
        }
        for [(a, i), (b, j)] in cables {
            let (here, there) = (scene.node(a), scene.node(b));
            lab.veth(
                here.space(),
                &End { name: &here.interface(i), mac: hard_address(a, i) },
                there.space(),
                &End { name: &there.interface(j), mac: hard_address(b, j) },
                HARD_MTU,
            )?;
        }
        for node in &mut scene.nodes {
            if node.kind == Kind::Noctule {
                node.record_frames(capture)?;
            }
        }
        Ok(scene)
    }

    /// One Ethernet for the first interface of every node: a bridge in a namespace of its own.
    fn lay_segment(&self, lab: &Lab) -> Result<Namespace> {
        let space = lab.namespace("segment")?;
        let _ = space.set_sysctl("net.ipv6.conf.default.disable_ipv6", "1");
        space.add_bridge("sw")?;
        space.set_link("sw", &[Set::Up])?;
        for node in &self.nodes {
            let port = format!("port{}", node.number);
            // The bridge's ends have addresses that belong to no node.
            let mac = [0x02, 0xbb, 0, 0, node.number, 1];
            lab.veth(
                node.space(),
                &End { name: &node.interface(1), mac: hard_address(node.number, 1) },
                &space,
                &End { name: &port, mac },
                HARD_MTU,
            )?;
            space.set_link(&port, &[Set::Master("sw")])?;
        }
        Ok(space)
    }

    /// A node, by its number from 1.
    pub(crate) fn node(&self, number: u8) -> &Node {
        &self.nodes[usize::from(number) - 1]
    }

    /// A node that is to be changed.
    pub(crate) fn node_mut(&mut self, number: u8) -> &mut Node {
        &mut self.nodes[usize::from(number) - 1]
    }

    /// How many nodes there are.
    pub(crate) fn count(&self) -> u8 {
        self.nodes.len() as u8
    }

    /// `n2 (K)`.
    pub(crate) fn title(&self, number: u8) -> String {
        let node = self.node(number);
        format!("{} ({})", node.name(), node.kind.letter())
    }

    /// Sets the originator interval of all nodes that start from here on.
    pub(crate) fn set_interval(&mut self, interval_ms: u32) {
        for node in &mut self.nodes {
            node.settings.interval_ms = interval_ms;
        }
    }

    /// Sets the routing algorithm of all nodes that start from here on.
    pub(crate) fn set_algorithm(&mut self, algorithm: Algorithm) {
        for node in &mut self.nodes {
            node.settings.algorithm = algorithm;
        }
    }

    /// Starts all nodes.
    pub(crate) fn start_all(&mut self) -> Result<()> {
        for number in 1..=self.nodes.len() as u8 {
            self.start(number)?;
        }
        Ok(())
    }

    /// Starts one node.
    pub(crate) fn start(&mut self, number: u8) -> Result<()> {
        self.node_mut(number).start()
    }

    /// Waits until `condition` holds and returns how long that took. A table that cannot be read
    /// yet does not end the waiting.
    pub(crate) fn wait(
        &mut self,
        what: &str,
        limit: Duration,
        mut condition: impl FnMut(&Self) -> Result<bool>,
    ) -> Result<Duration> {
        let since = Instant::now();
        loop {
            let trouble = match condition(self) {
                Ok(true) => return Ok(since.elapsed()),
                Ok(false) => None,
                Err(error) => Some(error),
            };
            self.nobody_died()?;
            if since.elapsed() >= limit {
                self.show_tables();
                let waited = format!("gave up after {} s: {what}", limit.as_secs());
                return match trouble {
                    Some(error) => Err(error.context(waited)),
                    None => bail!(waited),
                };
            }
            sleep(POLL);
        }
    }

    /// Fails if a daemon has ended by itself.
    pub(crate) fn nobody_died(&mut self) -> Result<()> {
        for node in &mut self.nodes {
            if let Some(end) = node.died() {
                bail!("noctule on {} ended by itself: {end}", node.name());
            }
        }
        Ok(())
    }

    /// Waits until every node of `numbers` has a route to every other.
    pub(crate) fn wait_for_routes(&mut self, numbers: &[u8], limit: Duration) -> Result<()> {
        let took = self.wait("not everybody has a route to everybody", limit, |scene| {
            for &from in numbers {
                for &to in numbers {
                    if from != to && scene.node(from).route_to(scene.node(to))?.is_none() {
                        return Ok(false);
                    }
                }
            }
            Ok(true)
        })?;
        self.record.step(format!("everybody has a route to everybody after {}", seconds(took)));
        Ok(())
    }

    /// The quality of a node's best route to another; 0 without a route.
    pub(crate) fn tq(&self, from: u8, to: u8) -> Result<u8> {
        Ok(self.node(from).route_to(self.node(to))?.map_or(0, |route| route.tq))
    }

    /// Waits until the quality of every pair's route has stayed in `range` for [`SETTLED`]: the
    /// windows have filled then. A value above the range fails: nothing may raise a quality.
    pub(crate) fn expect_tq(
        &mut self,
        rules: &str,
        pairs: &[(u8, u8)],
        range: RangeInclusive<u8>,
        limit: Duration,
    ) -> Result<()> {
        let (low, high) = (*range.start(), *range.end());
        let mut watched: Vec<_> = pairs.iter().map(|_| (Instant::now(), BTreeSet::new())).collect();
        // What did not settle shows in the values seen.
        let _ = self.wait(&format!("no quality of {low}..{high} settles"), limit, |scene| {
            let mut settled = true;
            for (&(from, to), (since, seen)) in pairs.iter().zip(&mut watched) {
                let tq = scene.tq(from, to)?;
                if tq < low {
                    (*since, *seen) = (Instant::now(), BTreeSet::new());
                } else {
                    seen.insert(tq);
                }
                settled &= tq >= low && since.elapsed() >= SETTLED;
            }
            Ok(settled)
        });
        self.nobody_died()?;
        for (&(from, to), (since, seen)) in pairs.iter().zip(&watched) {
            let passed = since.elapsed() >= SETTLED
                && !seen.is_empty()
                && seen.iter().all(|tq| range.contains(tq));
            let seen: Vec<_> = seen.iter().map(u8::to_string).collect();
            let (from, to) = (self.title(from), self.title(to));
            let what = format!("{rules} TQ at {from} for {to} settles in {low}..{high}");
            self.record.check(what, passed, seen.join(", "));
        }
        Ok(())
    }

    /// Waits until a ping passes.
    pub(crate) fn wait_for_ping(&mut self, from: u8, to: u8, limit: Duration) -> Result<Duration> {
        let what = format!("no ping from {} to {} passes", self.title(from), self.title(to));
        self.wait(&what, limit, |scene| Ok(scene.node(from).ping(scene.node(to), 56)?.is_some()))
    }

    /// Pings `count` times; all must be answered.
    pub(crate) fn expect_pings(
        &mut self,
        rules: &str,
        from: u8,
        to: u8,
        payload: usize,
        count: usize,
    ) -> Result<()> {
        let mut echo = self.node(from).echo(self.node(to))?;
        let mut times = Vec::new();
        for _ in 0..count {
            times.extend(echo.ping(payload, Duration::from_secs(2))?);
        }
        times.sort();
        let median = times.get(times.len() / 2).map_or_else(String::new, |time| {
            format!(", median {:.1} ms", time.as_secs_f64() * 1e3)
        });
        self.record.check(
            format!(
                "{rules} {count} pings with {payload} bytes from {} to {} are answered",
                self.title(from),
                self.title(to)
            ),
            times.len() == count,
            format!("{} of {count}{median}", times.len()),
        );
        Ok(())
    }

    /// Sends bytes over TCP to an address of a node; all must arrive as they were.
    pub(crate) fn expect_tcp(&mut self, rules: &str, from: u8, to: u8, address: Ipv4Addr) {
        let (here, there) = (self.node(from).space(), self.node(to).space());
        let arrived = transfer(here, there, address, TCP_BYTES);
        let (from, to) = (self.title(from), self.title(to));
        let what = format!("{rules} {TCP_BYTES} bytes of TCP from {from} to {to} arrive whole");
        let seen = match &arrived {
            Ok(took) => format!("{:.1} s", took.as_secs_f64()),
            Err(error) => format!("{error:#}"),
        };
        self.record.check(what, arrived.is_ok(), seen);
    }

    /// Sends broadcasts from one node; each must arrive exactly once at each of `to`.
    pub(crate) fn expect_broadcasts(&mut self, rules: &str, from: u8, to: &[u8]) -> Result<()> {
        let sender = self.udp(from, BROADCAST_PORT)?;
        let mut receivers = Vec::new();
        for &number in to {
            let socket = self.udp(number, BROADCAST_PORT)?;
            socket.set_nonblocking(true)?;
            receivers.push((number, socket));
        }
        for number in 0..BROADCASTS {
            sender.send_to(&[number], ("10.99.0.255", BROADCAST_PORT))?;
            sleep(Duration::from_millis(20));
        }
        // A duplicate would come by a longer way; none is longer than this.
        sleep(Duration::from_millis(500));
        for (number, socket) in receivers {
            let mut counts = [0; BROADCASTS as usize];
            let mut datagram = [0; 16];
            while let Ok((1, _)) = socket.recv_from(&mut datagram) {
                counts[usize::from(datagram[0])] += 1;
            }
            let lost = counts.iter().filter(|&&count| count == 0).count();
            let twice = counts.iter().filter(|&&count| count > 1).count();
            self.record.check(
                format!(
                    "{rules} each of {BROADCASTS} broadcasts from {} arrives once at {}",
                    self.title(from),
                    self.title(number)
                ),
                lost == 0 && twice == 0,
                format!("{lost} lost, {twice} more than once"),
            );
        }
        Ok(())
    }

    /// Waits until every node of `numbers` lists exactly the clients that every other has, with the
    /// same CRC for each VLAN.
    pub(crate) fn expect_same_clients(
        &mut self,
        rules: &str,
        numbers: &[u8],
        limit: Duration,
    ) -> Result<()> {
        let mut last = (0, String::new());
        let outcome = self.wait("the client tables differ", limit, |scene| {
            last.0 = 0;
            for &of in numbers {
                let own = scene.own_clients(of)?;
                last.0 += own.len();
                for &at in numbers.iter().filter(|&&at| at != of) {
                    let there = scene.clients_at(at, of)?;
                    if there != own {
                        last.1 = format!(
                            "{} has {own:x?}, {} lists {there:x?}",
                            scene.title(of),
                            scene.title(at)
                        );
                        return Ok(false);
                    }
                }
            }
            Ok(true)
        });
        let passed = outcome.is_ok();
        let seen = if passed { format!("{} clients", last.0) } else { last.1 };
        let names: Vec<_> = numbers.iter().map(|&number| self.title(number)).collect();
        self.record.check(
            format!("{rules} {} list each other's clients with the same CRC", names.join(", ")),
            passed,
            seen,
        );
        Ok(())
    }

    /// A node's own clients as (address, VLAN, CRC).
    pub(crate) fn own_clients(&self, of: u8) -> Result<BTreeSet<(String, i32, u32)>> {
        let clients = self.node(of).local_clients()?;
        Ok(clients.into_iter().map(|row| (row.tt_address, row.tt_vid, row.tt_crc32)).collect())
    }

    /// The clients of node `of` that node `at` lists, as (address, VLAN, CRC).
    pub(crate) fn clients_at(&self, at: u8, of: u8) -> Result<BTreeSet<(String, i32, u32)>> {
        let originator = self.node(of).originator();
        let rows = self.node(at).global_clients()?;
        Ok(rows
            .into_iter()
            .filter(|row| row.orig_address == originator && !row.tt_flags.temp)
            .map(|row| (row.tt_address, row.tt_vid, row.tt_crc32))
            .collect())
    }

    /// Makes a node silent and deaf on some of its links without any link event: everything that it
    /// and the other ends send there is lost.
    pub(crate) fn cut(&self, ends: &[(u8, u8)]) -> Result<()> {
        ends.iter().try_for_each(|&(node, interface)| self.node(node).lose(interface, 100))
    }

    /// Ends [`Self::cut`].
    pub(crate) fn mend(&self, ends: &[(u8, u8)]) -> Result<()> {
        ends.iter().try_for_each(|&(node, interface)| self.node(node).lose(interface, 0))
    }

    /// Lets a client appear behind a node: a broadcast frame from `address` enters the mesh
    /// interface as if it came from a bridge.
    pub(crate) fn add_client(&self, number: u8, address: [u8; 6]) -> Result<()> {
        self.node(number).space().with(|| {
            let interface = pnet::datalink::interfaces()
                .into_iter()
                .find(|interface| interface.name == "bat0")
                .context("no bat0")?;
            let channel = pnet::datalink::channel(&interface, pnet::datalink::Config::default())?;
            let pnet::datalink::Channel::Ethernet(mut sender, _) = channel else {
                bail!("bat0 is no Ethernet interface")
            };
            // An experimental EtherType, so that no protocol stack answers.
            let mut frame = [0xff; 6].to_vec();
            frame.extend(address);
            frame.extend([0x88, 0xb5]);
            frame.resize(60, 0);
            sender.send_to(&frame, None).context("nothing sent")??;
            Ok(())
        })
    }

    /// A UDP socket in a node's namespace that may broadcast.
    pub(crate) fn udp(&self, number: u8, port: u16) -> Result<UdpSocket> {
        self.node(number).space().with(|| {
            let socket = UdpSocket::bind(("0.0.0.0", port))?;
            socket.set_broadcast(true)?;
            Ok(socket)
        })
    }

    /// Puts the routes that every node has into the record: the evidence of a failure.
    pub(crate) fn show_tables(&mut self) {
        for at in 0..self.nodes.len() {
            let node = &self.nodes[at];
            let rows = match node.originators() {
                Ok(rows) if rows.is_empty() => "no originators".to_owned(),
                Ok(rows) => rows
                    .iter()
                    .map(|row| {
                        let best = if row.best { "*" } else { "" };
                        let tail = |mac: &str| mac.get(12..).unwrap_or_default().to_owned();
                        let (orig, hop) = (tail(&row.orig_address), tail(&row.neigh_address));
                        format!("{best}{orig} {} by {hop} on {}", row.tq, row.hard_ifname)
                    })
                    .collect::<Vec<_>>()
                    .join(", "),
                Err(error) => format!("{error:#}"),
            };
            let neighbors = node.neighbors().map_or(0, |rows| rows.len());
            let name = self.title(at as u8 + 1);
            self.record.step(format!("table of {name}: {rows}; {neighbors} neighbours"));
        }
    }

    /// Takes the mesh down, and looks at how its daemons end.
    pub(crate) fn close(mut self) -> Result<()> {
        let mut noctules = 0;
        let mut troubles = Vec::new();
        let (mut recorded, mut counted) = (0, 0);
        for node in &mut self.nodes {
            if node.kind == Kind::Noctule {
                noctules += 1;
                if let Err(error) = node.stop() {
                    troubles.push(format!("{error:#}"));
                }
                let (records, counts) = node.frames_sent()?;
                recorded += records;
                counted += counts;
            }
        }
        if noctules > 0 {
            let what = "SIGTERM ends noctule, with its bat0 and its socket";
            self.record.check(what, troubles.is_empty(), troubles.join("; "));
            let what = "the capture holds every frame that noctule sent";
            self.record.check(what, recorded == counted, format!("{recorded} of {counted}"));
        }
        Ok(())
    }
}

/// `1.234 s`.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

/// The middle one of some times; zero if there is none.
pub(crate) fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// `median 1.20 s, 1.00 s to 2.00 s, 3 times`.
pub(crate) fn spread(times: &[Duration]) -> String {
    let [least, most] =
        [times.iter().min(), times.iter().max()].map(|time| time.copied().unwrap_or_default());
    let [middle, least, most] = [median(times), least, most].map(seconds);
    format!("median {middle}, {least} to {most}, {} times", times.len())
}

/// Seconds, for the limits of waits.
pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
