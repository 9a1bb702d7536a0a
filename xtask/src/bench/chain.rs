//! The topology: four nodes in a row, `n1 - n2 - n3 - n4`, each in a namespace of its own, once for each peer.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::generator::{self, Traffic};
use super::processor;
use super::sink::Sink;
use crate::lab::{End, FrameSocket, Lab, Process, Set, wait_for, wait_until};
use crate::node::Node;

/// Nodes in the row.
const LENGTH: u8 = 4;
/// MTU of the links: whatever a peer puts around 1,500 bytes crosses them in one piece.
const MTU: u32 = 1600;
/// How long a command or a mesh may take to be ready.
const SOON: Duration = Duration::from_secs(90);

/// What the nodes of a row run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// The kernel module `batman-adv`.
    Module,
    /// This project, all in user space.
    Noctule,
    /// This project, with packets in transit forwarded inside the kernel.
    Offload,
    /// The kernel's bridge.
    Bridge,
    /// Nothing but a TC rule in n2 that sends what comes in by one link out by the other.
    Redirect,
    /// tinc in switch mode, without encryption.
    Tinc,
    /// vpncloud in switch mode, without encryption: it does not forward for others, so there are two nodes.
    Vpncloud,
}

impl Kind {
    const ALL: [Self; 7] = [
        Self::Module,
        Self::Noctule,
        Self::Offload,
        Self::Bridge,
        Self::Redirect,
        Self::Tinc,
        Self::Vpncloud,
    ];

    /// The one of that name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Its name in tables.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Module => "module",
            Self::Noctule => "noctule",
            Self::Offload => "noctule+ebpf",
            Self::Bridge => "bridge",
            Self::Redirect => "redirect",
            Self::Tinc => "tinc",
            Self::Vpncloud => "vpncloud",
        }
    }

    /// Whether n2 forwards frames that are put on its links from outside: tinc and vpncloud take only sessions of
    /// their own.
    pub(super) const fn has_transit(self) -> bool {
        !matches!(self, Self::Tinc | Self::Vpncloud)
    }

    /// Whether its nodes are those of a mesh, which speak of originators and hops.
    pub(super) const fn is_mesh(self) -> bool {
        matches!(self, Self::Module | Self::Noctule | Self::Offload)
    }

    /// Whether this project's daemon runs on its nodes.
    const fn is_ours(self) -> bool {
        matches!(self, Self::Noctule | Self::Offload)
    }

    /// Nodes in the row.
    const fn length(self) -> u8 {
        if matches!(self, Self::Vpncloud) { 2 } else { LENGTH }
    }

    /// Whether hosts can talk over it.
    pub(super) const fn has_hosts(self) -> bool {
        !matches!(self, Self::Redirect)
    }
}

/// What the peers run.
pub(super) struct Programs {
    /// This project's program.
    pub(super) noctule: PathBuf,
    /// vpncloud's, or why there is none.
    pub(super) vpncloud: Result<PathBuf, String>,
}

/// A row of nodes that run the same.
pub(super) struct Chain {
    pub(super) kind: Kind,
    pub(super) nodes: Vec<Node>,
    daemons: Vec<Process>,
    sink: Option<Sink>,
    /// Process numbers of the nodes' daemons, where they have any.
    processes: Vec<u32>,
}

impl Chain {
    /// Builds the row and starts it, until n1 reaches n4.
    pub(super) fn start(lab: &Lab, programs: &Programs, kind: Kind) -> Result<Self> {
        let mut nodes = Vec::new();
        for number in 1..=kind.length() {
            let node =
                Node::new(lab, &programs.noctule, &format!("{}{number}", kind.name()), number)?;
            // Nobody but the peers speaks on the links. A kernel without IPv6 has no such setting.
            let _ = node.namespace.set_sysctl("net.ipv6.conf.default.disable_ipv6", "1");
            nodes.push(node);
        }
        for at in 1..nodes.len() {
            let [here, there] = nodes.get_disjoint_mut([at - 1, at])?;
            here.link(there, lab, MTU)?;
        }
        let mut chain =
            Self { kind, nodes, daemons: Vec::new(), sink: None, processes: Vec::new() };
        chain.run(lab, programs).with_context(|| format!("cannot start {}", kind.name()))?;
        for number in 1..=chain.nodes.len() {
            let process = chain.daemon(number).map(|daemon| daemon.id());
            chain.processes.extend(process);
        }
        if kind.has_transit() {
            chain.sink = Some(Sink::new(lab, &chain.node(3).namespace, "e1")?);
        }
        if kind.has_hosts() {
            let last = chain.nodes.last().context("no nodes")?;
            chain.node(1).wait_for_ping(last.address(), SOON)?;
        }
        Ok(chain)
    }

    /// Node `number`, from 1.
    pub(super) fn node(&self, number: usize) -> &Node {
        &self.nodes[number - 1]
    }

    /// Process number of the daemon of node `number`, from 1, if it has one.
    pub(super) fn daemon(&mut self, number: usize) -> Option<&mut Process> {
        match self.kind {
            kind if kind.is_ours() => self.nodes.get_mut(number - 1)?.daemon().ok(),
            _ => self.daemons.get_mut(number - 1),
        }
    }

    fn run(&mut self, lab: &Lab, programs: &Programs) -> Result<()> {
        match self.kind {
            Kind::Noctule | Kind::Offload => {
                // `tc` and not `auto`: where the kernel does not take it, there are no figures.
                let how: &[&str] = match self.kind {
                    Kind::Offload => &["--offload", "tc", "--offload-hosts"],
                    _ => &["--offload", "off"],
                };
                for node in &mut self.nodes {
                    node.start(&[&["--no-bridge-loop-avoidance"][..], how].concat())?;
                }
            }
            Kind::Module => {
                for node in &self.nodes {
                    start_module(node)?;
                }
            }
            Kind::Bridge => {
                for node in &self.nodes {
                    node.namespace.add_bridge("bat0")?;
                    for port in node.interfaces() {
                        node.namespace.set_link(&port, &[Set::Master("bat0")])?;
                    }
                    switch_on(node)?;
                }
            }
            Kind::Redirect => {
                let node = self.node(2);
                tc(node, &["qdisc", "add", "dev", "e1", "clsact"])?;
                let all = ["filter", "add", "dev", "e1", "ingress", "protocol", "all"];
                let rule = ["u32", "match", "u32", "0", "0", "action", "mirred", "egress"];
                tc(node, &[&all[..], &rule, &["redirect", "dev", "e2"]].concat())?;
            }
            Kind::Tinc => {
                for number in 1..=self.nodes.len() {
                    let daemon = start_tinc(lab, &self.nodes, number)?;
                    self.daemons.push(daemon);
                }
            }
            Kind::Vpncloud => {
                let program = programs.vpncloud.clone().map_err(anyhow::Error::msg)?;
                for (node, other) in [(1, 2), (2, 1)] {
                    let daemon = start_vpncloud(&program, self.node(node), self.node(other))?;
                    self.daemons.push(daemon);
                }
            }
        }
        Ok(())
    }

    /// Process numbers of the nodes' daemons, from n1 on; none where the nodes have none.
    pub(super) fn processes(&self) -> &[u32] {
        &self.processes
    }

    /// Where the generator's frames end: n3's first link.
    pub(super) fn sink(&self) -> Result<&Sink> {
        self.sink.as_ref().context("it has no transit")
    }

    /// Frames from n1 that n2 forwards to n3.
    pub(super) fn traffic(&self, flows: u8, length: usize) -> Result<Traffic> {
        let (mesh, destination) = (self.node(2).mac(1), self.node(3).mac(1));
        let is_mesh = self.kind.is_mesh();
        let path = generator::Path {
            next_hop: if is_mesh { mesh } else { destination },
            sender: self.node(1).mac(1),
            originator: destination,
            ttvn: if is_mesh { self.ttvn()? } else { 0 },
        };
        Ok(Traffic { path, flows, length })
    }

    /// n3's translation-table version as n2 knows it.
    fn ttvn(&self) -> Result<u8> {
        let node = self.node(2);
        let text = match self.kind {
            Kind::Module => {
                let words = ["batctl", "meshif", "bat0", "transtable_global_json"];
                node.namespace.run(&words, SOON)?.success()?
            }
            _ => node.ask(&["transglobal", "--json"])?,
        };
        let rows: Vec<serde_json::Value> = serde_json::from_str(&text)?;
        let originator = self.node(3).originator();
        let row = rows.iter().find(|row| row["orig_address"] == *originator);
        let ttvn = row.context("n2 knows no client of n3")?["tt_last_ttvn"].as_u64();
        u8::try_from(ttvn.context("a row without a version")?).context("an odd version")
    }

    /// Sends one frame and looks whether it arrives as it must: by one hop, or unchanged where there are no hops.
    pub(super) fn check_transit(&self) -> Result<()> {
        // A bridge learns from it where n3 is.
        FrameSocket::open(&self.node(3).namespace, "e1")?.send(&generator::frame(
            &generator::Path {
                next_hop: self.node(1).mac(1),
                sender: self.node(3).mac(1),
                originator: self.node(1).mac(1),
                ttvn: 0,
            },
            0,
            64,
        ))?;
        let mut sink = FrameSocket::open(&self.node(3).namespace, "e1")?;
        let source = FrameSocket::open(&self.node(1).namespace, "e1")?;
        let frame = generator::frame(&self.traffic(1, 64)?.path, 0, 64);
        source.send(&frame)?;
        let arrived = sink
            .receive(SOON, generator::is_ours)
            .with_context(|| format!("{} does not forward", self.kind.name()))?;
        let hops = u8::from(self.kind.is_mesh());
        ensure!(arrived.get(16) == Some(&(generator::TTL - hops)), "wrong TTL: {arrived:02x?}");
        ensure!(arrived.get(20..) == frame.get(20..), "changed on its way: {arrived:02x?}");
        ensure!(arrived[..6] == self.node(3).mac(1), "for somebody else: {arrived:02x?}");
        Ok(())
    }
}

/// Makes a node's first link receive as a network card does, or as virtual cables do without being asked: with a ring and a
/// poll (NAPI) for each of two queues, or for one where there is but one processor.
pub(crate) fn as_card(node: &Node, on: bool) -> Result<()> {
    let set = |words: &[&str]| {
        node.namespace.run(&[&["ethtool"], words].concat(), SOON)?.success().map(drop)
    };
    set(&["-K", "e1", "gro", if on { "on" } else { "off" }])?;
    match processor::count() {
        1 => Ok(()),
        _ => set(&["-L", "e1", "rx", if on { "2" } else { "1" }]),
    }
}

fn tc(node: &Node, words: &[&str]) -> Result<()> {
    node.namespace.run(&[&["tc"], words].concat(), SOON)?.success()?;
    Ok(())
}

/// Switches the interface of the hosts on, with its address.
fn switch_on(node: &Node) -> Result<()> {
    node.namespace.set_link("bat0", &[Set::Up])?;
    node.namespace.add_address("bat0", &format!("{}/24", node.address()))
}

fn start_module(node: &Node) -> Result<()> {
    let run = |words: &[&str]| node.namespace.run(words, SOON)?.success();
    run(&["ip", "link", "add", "bat0", "type", "batadv"])?;
    // It would hold broadcasts back for 30 s.
    run(&["batctl", "meshif", "bat0", "bridge_loop_avoidance", "0"])?;
    for port in node.interfaces() {
        node.namespace.set_link(&port, &[Set::Master("bat0")])?;
    }
    switch_on(node)
}

/// Starts tinc on node `number`: it calls the node before it, and both trust each other's keys. Data between nodes that are
/// no neighbours goes over those in between, as the others' addresses are of networks that they cannot reach.
fn start_tinc(lab: &Lab, nodes: &[Node], number: usize) -> Result<Process> {
    let folder = |number: usize| -> PathBuf { lab.run().join(format!("tinc{number}")) };
    if number == 1 {
        for at in 1..=nodes.len() {
            tinc_keys(nodes, at, &folder(at))?;
        }
        for at in 1..=nodes.len() {
            for other in (1..=nodes.len()).filter(|other| *other != at) {
                let host = format!("hosts/n{other}");
                fs::copy(folder(other).join(&host), folder(at).join(&host))?;
            }
        }
    }
    let node = &nodes[number - 1];
    // Link `n` is 10.1.n.0/24, .1 towards n1 and .2 towards n4.
    let before = (number > 1).then(|| ("e1", format!("10.1.{}.2/24", number - 1)));
    let after = (number < nodes.len())
        .then(|| (if number > 1 { "e2" } else { "e1" }, format!("10.1.{number}.1/24")));
    for (link, address) in before.into_iter().chain(after) {
        node.namespace.add_address(link, &address)?;
    }
    let folder = folder(number).display().to_string();
    let words = ["tincd", "-c", &folder, "-D", &format!("--pidfile={folder}/pid")];
    let daemon = node.namespace.spawn("tinc", &words)?;
    wait_for(SOON, "tinc makes its interface", || switch_on(node))?;
    Ok(daemon)
}

fn tinc_keys(nodes: &[Node], number: usize, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder.join("hosts"))?;
    let call = match number {
        1 => String::new(),
        _ => format!("ConnectTo = n{}\n", number - 1),
    };
    let text = format!(
        "Name = n{number}\nMode = switch\nDeviceType = tap\nDevice = /dev/net/tun\nInterface = bat0\n\
         AddressFamily = ipv4\n{call}"
    );
    fs::write(folder.join("tinc.conf"), text)?;
    let host = format!(
        "Address = 10.1.{number}.1\nCipher = none\nDigest = none\nMACLength = 0\nCompression = 0\n"
    );
    fs::write(folder.join(format!("hosts/n{number}")), host)?;
    let words = ["tincd", "-c", &folder.display().to_string(), "-K", "2048"];
    nodes[number - 1].namespace.run(&words, SOON)?.success()?;
    Ok(())
}

fn start_vpncloud(program: &Path, node: &Node, other: &Node) -> Result<Process> {
    // Addresses of the cable: 10.2.0.N.
    let cable = |node: &Node| format!("10.2.0.{}", node.address().octets()[3]);
    node.namespace.add_address("e1", &format!("{}/24", cable(node)))?;
    // It asks for its own address on the way to the Internet, and ends without one.
    let gateway: std::net::IpAddr = cable(other).parse()?;
    node.namespace.add_route("0.0.0.0/0", gateway)?;
    let program = program.display().to_string();
    let peer = format!("{}:3210", cable(other));
    let kind = ["--type", "tap", "--mode", "switch", "--device", "bat0"];
    let talk = ["--listen", "3210", "--peer", &peer, "--password", "bench"];
    let plain = ["--algorithm", "plain", "--no-port-forwarding"];
    let words = [&[program.as_str()][..], &kind, &talk, &plain].concat();
    let daemon = node.namespace.spawn("vpncloud", &words)?;
    wait_for(SOON, "vpncloud makes its interface", || switch_on(node))?;
    // It takes a larger one where the cable allows it: as for the others.
    node.namespace.set_link("bat0", &[Set::Mtu(1500)])?;
    Ok(daemon)
}

/// How long a lone node takes from its start until it answers, with its interface there.
pub(super) fn start_up(lab: &Lab, program: &Path, round: usize) -> Result<Duration> {
    let mut node = Node::new(lab, program, &format!("lone{round}"), 9)?;
    let far = lab.namespace(&format!("far{round}"))?;
    let (here, there) = (node.plug(), End { name: "far0", mac: node.mac(9) });
    lab.veth(&node.namespace, &End { name: &here, mac: node.mac(1) }, &far, &there, MTU)?;
    wait_until(SOON, "the link has a carrier", || {
        node.namespace.link(&here).is_ok_and(|link| link.running)
    })?;
    let begun = std::time::Instant::now();
    node.start(&["--no-bridge-loop-avoidance"])?;
    let took = begun.elapsed();
    node.stop()?;
    Ok(took)
}
