//! The mesh that is soaked, with the generator at its near end and the sinks at its far end.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

use super::balance::{Balance, Books, REASONS};
use super::usage::Usage;
use crate::bench::chain::as_card;
use crate::bench::generator::{Control, Generator, Path as Way, Traffic};
use crate::bench::sink::Sink;
use crate::lab::{End, FrameSocket, Lab, Set, Skipped};
use crate::node::Node;

/// MTU of the links.
pub(super) const MTU: u32 = 1500;
/// How long a thing may take that must come, on a slow machine.
const LIMIT: Duration = Duration::from_secs(60);
/// When no counter has moved for so long, all is quiet: nodes bring their counters up to date each second.
const QUIET: Duration = Duration::from_millis(2500);
/// How much hosts send to each other in a round, bytes.
const TRANSFER: usize = 1 << 20;
/// How many broadcasts.
const BROADCASTS: u8 = 50;
/// Time for a second copy of the last one to arrive.
const AFTERWARDS: Duration = Duration::from_millis(50);
/// Settings of all nodes.
const SETTINGS: [&str; 3] = ["--orig-interval", "200", "--no-bridge-loop-avoidance"];
/// What the ends run: frames must pass the sinks at the far end on their way to the daemon.
const END: [&str; 4] = ["--backend", "packet", "--offload", "off"];

/// By what frames in transit go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct How {
    /// `packet` or `xdp`.
    pub(super) backend: &'static str,
    /// `off` or `tc`.
    pub(super) offload: &'static str,
}

impl How {
    /// All combinations: an offload goes before the `xdp` backend.
    pub(super) const ALL: [Self; 3] = [
        Self { backend: "packet", offload: "off" },
        Self { backend: "packet", offload: "tc" },
        Self { backend: "xdp", offload: "off" },
    ];
}

impl fmt::Display for How {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "backend {}, offload {}", self.backend, self.offload)
    }
}

/// A generator that runs.
pub(super) struct Source {
    control: Arc<Control>,
    thread: JoinHandle<Result<u64>>,
}

impl Source {
    /// Ends it; says how many frames it has sent.
    pub(super) fn stop(self) -> Result<u64> {
        self.control.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the generator panicked"))?
    }
}

/// The mesh.
pub(super) struct Mesh<'l> {
    lab: &'l Lab,
    how: How,
    nodes: Vec<Node>,
    usage: Vec<Usage>,
    sinks: Vec<Sink>,
}

impl<'l> Mesh<'l> {
    /// Builds and starts it, until hosts at its ends reach each other.
    pub(super) fn start(lab: &'l Lab, program: &Path, how: How) -> Result<Self> {
        let mut nodes = Vec::new();
        for number in 1..=5 {
            let node = Node::new(lab, program, &format!("n{number}"), number)?;
            // Nobody but the nodes speaks on the links. A kernel without IPv6 has no such setting.
            let _ = node.namespace.set_sysctl("net.ipv6.conf.default.disable_ipv6", "1");
            nodes.push(node);
        }
        for (a, b) in [(0, 1), (1, 2), (1, 3), (2, 4), (3, 4)] {
            let [here, there] = nodes.get_disjoint_mut([a, b])?;
            here.link(there, lab, MTU)?;
        }
        as_card(&nodes[1], true)?;
        let mut sinks = Vec::new();
        for link in nodes[4].interfaces() {
            let sink = Sink::new(lab, &nodes[4].namespace, &link);
            sinks.push(sink.map_err(|error| Skipped::because(format!("no sink: {error:#}")))?);
        }
        let usage = nodes.iter().map(|_| Usage::default()).collect();
        let mut mesh = Self { lab, how, nodes, usage, sinks };
        for at in 0..mesh.nodes.len() {
            mesh.run(at)?;
        }
        mesh.check_how()?;
        mesh.first().wait_for_ping(mesh.last().address(), LIMIT)?;
        let tried = mesh.generator(64)?;
        sleep(Duration::from_millis(100));
        let tried = tried.stop();
        tried.map_err(|error| Skipped::because(format!("no generator: {error:#}")))?;
        mesh.hosts_talk()?;
        mesh.settle(&mesh.books()?, 0, false)?;
        Ok(mesh)
    }

    fn run(&mut self, at: usize) -> Result<()> {
        let relay = ["--backend", self.how.backend, "--offload", self.how.offload];
        let how = if (1..=3).contains(&at) { relay } else { END };
        // The node looks at the last two words.
        let [backend, name, offload, what] = how;
        self.nodes[at].start(&[&SETTINGS[..], &[offload, what, backend, name]].concat())
    }

    /// Whether the relays do what they are asked for.
    fn check_how(&self) -> Result<()> {
        let relay = self.relay(0);
        let status: serde_json::Value = serde_json::from_str(&relay.ask(&["status", "--json"])?)?;
        if status["offload"]["how"] != self.how.offload {
            return Err(Skipped::because(format!("no offload: {}", status["offload"]["because"])));
        }
        let rows = relay.table("interfaces")?;
        let backend = rows.first().and_then(|row| row["backend"].as_str()).unwrap_or_default();
        if !backend.starts_with(self.how.backend) {
            return Err(Skipped::because(format!("the backend is {backend}: {}", rows[0])));
        }
        Ok(())
    }

    /// The node of the generator.
    pub(super) fn first(&self) -> &Node {
        &self.nodes[0]
    }

    /// The node of the sinks.
    pub(super) fn last(&self) -> &Node {
        &self.nodes[4]
    }

    /// A node in transit: 0 has the choice, 1 and 2 are the two ways.
    pub(super) fn relay(&self, number: usize) -> &Node {
        &self.nodes[1 + number]
    }

    /// The link to the first or the second way, at the node that has the choice.
    pub(super) const fn middle(&self, way: usize) -> &'static str {
        ["e2", "e3"][way]
    }

    /// Makes one of the two ways the worse one, and the other as good as can be.
    pub(super) fn prefer(&self, way: usize) -> Result<()> {
        for (relay, penalty) in [(1 + way, "0"), (2 - way, "150")] {
            self.relay(relay).ask(&["set", "hop_penalty", penalty])?;
        }
        Ok(())
    }

    /// Deletes the link to one of the two ways and makes it anew.
    pub(super) fn remake(&self, way: usize) -> Result<()> {
        let (here, there) = (self.relay(0), self.relay(1 + way));
        let near = End { name: "new", mac: here.mac(2 + u8::try_from(way)?) };
        let far = End { name: "new", mac: there.mac(1) };
        here.namespace.delete_link(self.middle(way))?;
        sleep(super::BURST);
        self.lab.veth(&here.namespace, &near, &there.namespace, &far, MTU)?;
        // The nodes must not see it before it is as AF_XDP must have it.
        for (node, name) in [(here, self.middle(way)), (there, "e1")] {
            if self.how.backend == "xdp" {
                node.leave_tags("new")?;
            }
            node.namespace.set_link("new", &[Set::Down])?;
            node.namespace.set_link("new", &[Set::Name(name)])?;
            node.namespace.set_link(name, &[Set::Up])?;
        }
        Ok(())
    }

    /// Ends the daemon of a node in transit, by a signal that it obeys or by one that it cannot, and starts it again.
    pub(super) fn restart(&mut self, relay: usize, kill: bool) -> Result<()> {
        let at = 1 + relay;
        let node = &mut self.nodes[at];
        if kill {
            node.kill()?
        } else {
            node.stop()?
        }
        self.usage[at] = Usage::default();
        sleep(super::BURST);
        self.run(at)
    }

    /// Starts the generator at full speed, with frames of this length.
    pub(super) fn generator(&self, length: usize) -> Result<Source> {
        let (first, choice, last) = (self.first(), self.relay(0), self.last());
        let rows = choice.table("transglobal")?;
        let row = rows.iter().find(|row| row["orig_address"] == *last.originator());
        let ttvn = row.context("no client of the far end")?["tt_last_ttvn"].as_u64();
        let path = Way {
            next_hop: choice.mac(1),
            sender: first.mac(1),
            originator: last.mac(1),
            ttvn: u8::try_from(ttvn.context("a row without a version")?)?,
        };
        let traffic = Traffic { path, flows: 1, length };
        let generator = Generator::new(&first.namespace, "e1")?;
        let control = Arc::new(Control::default());
        let shared = Arc::clone(&control);
        let thread = std::thread::spawn(move || generator.run(&traffic, 1, None, &shared));
        Ok(Source { control, thread })
    }

    /// Where all counters stand.
    pub(super) fn books(&self) -> Result<Books> {
        let mut books = Books::default();
        for sink in &self.sinks {
            books.arrived += sink.arrived()?;
        }
        for relay in 0..3 {
            let node = self.relay(relay);
            let text = node.ask(&["statistics", "--all"])?;
            for (name, count) in text.lines().filter_map(|line| line.trim().split_once(": ")) {
                if REASONS.contains(&name) {
                    books.dropped.insert((node.name().into(), name.into()), count.parse()?);
                }
            }
        }
        // What a cable loses its two ends count both; and with AF_XDP the receiving one counts what finds no room in the
        // node's ring, too, as the node itself does.
        let by_sender = self.how.backend == "xdp";
        for node in &self.nodes {
            for link in node.namespace.links()?.iter().filter(|link| link.kind == "veth") {
                let place = format!("{}:{}", node.name(), link.name);
                let (reason, count) = match by_sender {
                    true => ("tx_dropped", link.tx_dropped),
                    false => ("rx_dropped", link.rx_dropped),
                };
                books.dropped.insert((place, reason.into()), count);
            }
        }
        Ok(books)
    }

    /// Waits until the books balance; where they need not, until all is quiet.
    pub(super) fn settle(&self, before: &Books, sent: u64, exact: bool) -> Result<Balance> {
        let begun = Instant::now();
        let (mut last, mut since) = (self.books()?, Instant::now());
        loop {
            let balance = Balance::between(before, &last, sent);
            if since.elapsed() >= QUIET || exact && balance.missing() == 0 {
                return Ok(balance);
            }
            ensure!(begun.elapsed() < LIMIT, "it does not get quiet: {balance}");
            sleep(Duration::from_millis(200));
            let now = self.books()?;
            if now != last {
                (last, since) = (now, Instant::now());
            }
        }
    }

    /// Hosts at the ends speak: TCP both ways, whose long segments cross the links in fragments, and broadcasts, each of which
    /// arrives once, though there are two ways.
    pub(super) fn hosts_talk(&self) -> Result<()> {
        let (first, last) = (self.first(), self.last());
        first.transfer(last, TRANSFER)?;
        last.transfer(first, TRANSFER)?;
        let mut listener = FrameSocket::open(&last.namespace, "bat0")?;
        let speaker = FrameSocket::open(&first.namespace, "bat0")?;
        let mut frame = [&[0xff; 6][..], &[0x02, 0xb0, 0, 0, 0, 1, 0x88, 0xb5, 0xb0, 0]].concat();
        frame.resize(60, 0);
        for number in 0..BROADCASTS {
            frame[15] = number;
            speaker.send(&frame)?;
        }
        let mut seen = [0; BROADCASTS as usize];
        let mut look = |limit| -> Result<()> {
            let ours = |frame: &[u8]| frame.get(12..15) == Some(&[0x88, 0xb5, 0xb0]);
            let frame = listener.receive(limit, ours)?;
            let at = frame.get(15).map_or(0, |number| usize::from(*number));
            *seen.get_mut(at).context("a broadcast of nobody")? += 1;
            Ok(())
        };
        for _ in 0..BROADCASTS {
            look(LIMIT).context("a broadcast was lost")?;
        }
        ensure!(look(AFTERWARDS).is_err(), "a broadcast arrived twice");
        ensure!(seen.iter().all(|times| *times == 1), "broadcasts arrived so often: {seen:?}");
        Ok(())
    }

    /// Looks at what the daemons hold.
    pub(super) fn watch_usage(&mut self) -> Result<()> {
        for (node, usage) in self.nodes.iter_mut().zip(&mut self.usage) {
            let name = node.name().to_owned();
            usage.look(&name, node.daemon()?)?;
        }
        Ok(())
    }

    /// Stops all and looks whether anything is left.
    pub(super) fn finish(mut self) -> Result<()> {
        for (node, usage) in self.nodes.iter_mut().zip(&self.usage) {
            let name = node.name().to_owned();
            if let Some(grown) = usage.end(&name, node.daemon()?)? {
                println!("  {name} has {grown} bytes more than when it was warm");
            }
            node.stop()?;
            let words = ["ip", "-details", "link", "show"];
            let links = node.namespace.run(&words, LIMIT)?.success()?;
            ensure!(!links.contains("prog/xdp"), "{name} left an XDP program:\n{links}");
        }
        let pins = Path::new("/sys/fs/bpf/noctule");
        let left = pins.read_dir().map_or(0, Iterator::count);
        ensure!(left == 0, "{left} meshes left something in {}", pins.display());
        Ok(())
    }
}
