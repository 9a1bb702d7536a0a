//! The world: nodes, links, and one queue of things to come.

use crate::link::Link;
use crate::node::{Node, Turn};
use crate::probe::{self, Fault, Watch};
use core::cmp::Reverse;
use core::time::Duration;
use noctule_control::{Input, Rng, Settings};
use noctule_fib::{Counter, Iface, View};
use noctule_wire::{ETHERNET_HEADER_LEN, Instant, Mac, PacketType, Unicast, packet};
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::rc::Rc;

/// A number of seconds, for scenarios that read as sentences.
pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A node of the mesh.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct NodeId(pub(crate) u16);

impl NodeId {
    /// The MAC of its `iface`th interface: `02:ba:00:NN:NN:0I`.
    pub fn mac(self, iface: Iface) -> Mac {
        let [high, low] = self.0.to_be_bytes();
        Mac([0x02, 0xba, 0x00, high, low, 1 + iface.index() as u8])
    }

    /// The MAC of its mesh interface: `02:ba:00:NN:NN:ba`.
    pub fn mesh_mac(self) -> Mac {
        let [high, low] = self.0.to_be_bytes();
        Mac([0x02, 0xba, 0x00, high, low, 0xba])
    }

    /// Its originator address, if its first interface is the primary.
    pub fn originator(self) -> Mac {
        self.mac(Iface::new(0).expect("there is a first interface"))
    }

    fn of(mac: Mac) -> Self {
        Self(u16::from_be_bytes([mac.0[3], mac.0[4]]))
    }
}

/// Seconds as a node's clock would show them: what start values are made of (IV-112, FWD-161).
pub(crate) fn wall_clock(now: Instant) -> u32 {
    1_700_000_000 + u32::try_from(now.as_millis() / 1000).unwrap_or(0)
}

pub(crate) type Port = (NodeId, Iface);

#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Event {
    Arrive { node: NodeId, iface: Iface, frame: Rc<[u8]> },
    Wake(NodeId),
}

/// A simulated mesh.
#[derive(Debug)]
pub struct Mesh {
    now: Instant,
    seed: u64,
    rng: Rng,
    settings: Settings,
    nodes: Vec<Node>,
    /// Directed: who hears what leaves by a port.
    links: BTreeMap<Port, BTreeMap<Port, Link>>,
    /// Ports on a cable that leads out of the simulation.
    pub(crate) outside: BTreeSet<Port>,
    /// What they sent since somebody asked.
    pub(crate) sent_outside: Vec<Rc<[u8]>>,
    queue: BinaryHeap<Reverse<(Instant, u64, Event)>>,
    queued: u64,
    wakes: BTreeMap<NodeId, Instant>,
    watch: Watch,
    probes: u64,
    frames: u64,
    payload_frames: u64,
    /// Which frames on the air are counted, and how many there were.
    pub(crate) counted: Option<(fn(&[u8]) -> bool, u64)>,
    /// What hosts got, of those whose frames somebody wants to see.
    pub(crate) hosts: BTreeMap<NodeId, Vec<Vec<u8>>>,
}

impl Mesh {
    /// An empty world. The same seed and the same calls give the same run.
    pub fn seeded(seed: u64) -> Self {
        Self::with_settings(seed, Settings::default())
    }

    /// The same with settings for all nodes.
    pub fn with_settings(seed: u64, settings: Settings) -> Self {
        Self {
            now: Instant::from_millis(1),
            seed,
            rng: Rng::new(seed),
            settings,
            nodes: Vec::new(),
            links: BTreeMap::new(),
            outside: BTreeSet::new(),
            sent_outside: Vec::new(),
            queue: BinaryHeap::new(),
            queued: 0,
            wakes: BTreeMap::new(),
            watch: Watch::default(),
            probes: 0,
            frames: 0,
            payload_frames: 0,
            counted: None,
            hosts: BTreeMap::new(),
        }
    }

    /// Adds a node with `ifaces` hard interfaces, not linked to anybody.
    pub fn node(&mut self, ifaces: usize) -> NodeId {
        self.node_with(ifaces, false)
    }

    /// The same; `wifi` says what its interfaces are.
    pub fn node_with(&mut self, ifaces: usize, wifi: bool) -> NodeId {
        let id = NodeId(u16::try_from(self.nodes.len()).expect("fewer than 65536 nodes"));
        let node = Node::new(self.now, id, self.rng.next_u64(), self.settings.clone());
        self.nodes.push(node);
        self.boot(id, ifaces, wifi);
        id
    }

    fn boot(&mut self, id: NodeId, ifaces: usize, wifi: bool) {
        let now = self.now;
        let turn = self.nodes[usize::from(id.0)].start(now);
        self.carry_out(id, turn);
        for index in 0..ifaces {
            let iface = Iface::new(index).expect("as many interfaces as a node can have");
            let link = noctule_control::Link { mac: id.mac(iface), mtu: 1500, wifi, up: true };
            let seqno = wall_clock(now).wrapping_mul(32);
            let turn = self.nodes[usize::from(id.0)].attach(now, iface, link, seqno);
            self.carry_out(id, turn);
        }
    }

    /// Links two ports in both directions.
    pub fn link(&mut self, a: (NodeId, usize), b: (NodeId, usize), link: Link) {
        self.link_one_way(a, b, link);
        self.link_one_way(b, a, link);
    }

    /// Links two ports in one direction, or changes that direction.
    pub fn link_one_way(&mut self, from: (NodeId, usize), to: (NodeId, usize), link: Link) {
        let port = |(node, index): (NodeId, usize)| (node, Iface::new(index).expect("a port"));
        self.links.entry(port(from)).or_default().insert(port(to), link);
    }

    /// Changes all links between two nodes, in both directions.
    pub fn change_links(&mut self, a: NodeId, b: NodeId, change: impl Fn(&mut Link)) {
        for ((from, _), targets) in &mut self.links {
            for ((to, _), link) in targets {
                if (*from, *to) == (a, b) || (*from, *to) == (b, a) {
                    change(link);
                }
            }
        }
    }

    /// What an interface says of its speed from now on, Mbit/s; 10,000 if nothing is said.
    pub fn set_speed(&mut self, node: NodeId, iface: usize, mbit: u32) {
        let iface = Iface::new(iface).expect("a node has few interfaces");
        self.nodes[usize::from(node.0)].speeds.insert(iface, mbit);
    }

    /// Cuts all links between two nodes.
    pub fn cut(&mut self, a: NodeId, b: NodeId) {
        self.change_links(a, b, |link| link.connected = false);
    }

    /// Repairs all links between two nodes.
    pub fn repair(&mut self, a: NodeId, b: NodeId) {
        self.change_links(a, b, |link| link.connected = true);
    }

    /// Switches a node off: no carrier loss is seen by anybody, it is just silent.
    pub fn kill(&mut self, node: NodeId) {
        self.nodes[usize::from(node.0)].alive = false;
    }

    /// Switches a node on again, as new: all it knew is gone.
    pub fn restart(&mut self, node: NodeId, ifaces: usize) {
        let fresh = Node::new(self.now, node, self.rng.next_u64(), self.settings.clone());
        self.nodes[usize::from(node.0)] = fresh;
        self.boot(node, ifaces, false);
    }

    /// Lets time pass.
    pub fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(Reverse((at, ..))) = self.queue.peek() {
            if *at > end {
                break;
            }
            if let Some(Reverse((at, _, event))) = self.queue.pop() {
                self.now = at;
                self.happen(event);
            }
        }
        self.now = end;
    }

    /// Lets time pass until `condition` holds, at most `limit`; tells how long it took, `None` if it never held.
    /// The condition is looked at every 10 ms.
    pub fn run_until(
        &mut self,
        limit: Duration,
        mut condition: impl FnMut(&mut Self) -> bool,
    ) -> Option<Duration> {
        let start = self.now;
        while self.now.since(start) <= limit {
            if condition(self) {
                return Some(self.now.since(start));
            }
            self.run(Duration::from_millis(10));
        }
        None
    }

    fn happen(&mut self, event: Event) {
        let now = self.now;
        let (id, turn) = match event {
            Event::Arrive { node, iface, frame } => {
                let state = &mut self.nodes[usize::from(node.0)];
                if !state.alive {
                    return;
                }
                (node, state.receive(now, iface, &mut frame.to_vec()))
            }
            Event::Wake(node) => {
                if self.wakes.get(&node).is_some_and(|at| *at <= now) {
                    self.wakes.remove(&node);
                }
                let state = &mut self.nodes[usize::from(node.0)];
                if !state.alive {
                    return;
                }
                (node, state.wake(now))
            }
        };
        self.carry_out(id, turn);
    }

    fn carry_out(&mut self, id: NodeId, turn: Turn) {
        let own = self.nodes[usize::from(id.0)].mesh_mac;
        for frame in &turn.delivered {
            self.watch.delivered(id, own, frame, self.now.as_micros());
        }
        if let Some(frames) = self.hosts.get_mut(&id) {
            frames.extend(turn.delivered);
        }
        for (iface, frame) in turn.sent {
            self.transmit(id, iface, frame);
        }
        let deadline = self.nodes[usize::from(id.0)].next_deadline();
        if deadline < Instant::NEVER && self.wakes.get(&id).is_none_or(|at| *at > deadline) {
            self.wakes.insert(id, deadline);
            self.push(deadline.max(self.now), Event::Wake(id));
        }
    }

    fn push(&mut self, at: Instant, event: Event) {
        self.queued += 1;
        self.queue.push(Reverse((at, self.queued, event)));
    }

    fn transmit(&mut self, from: NodeId, iface: Iface, frame: Vec<u8>) {
        self.frames += 1;
        if let Some((is_one, count)) = &mut self.counted {
            *count += u64::from(is_one(&frame));
        }
        let payload = &frame[ETHERNET_HEADER_LEN..];
        let packet_type = packet::packet_type(payload);
        if matches!(
            packet_type,
            Ok(PacketType::Broadcast
                | PacketType::Fragment
                | PacketType::Multicast
                | PacketType::Unicast
                | PacketType::Unicast4Addr)
        ) {
            self.payload_frames += 1;
        }
        if let Ok(PacketType::Unicast) = packet_type
            && let Ok(unicast) = Unicast::parse(payload)
            && let Some((_, number)) = probe::parse(unicast.inner)
        {
            self.watch.transmitted(from, number);
        }
        let receiver = Mac::from_prefix(&frame).expect("frames have a header");
        let frame: Rc<[u8]> = frame.into();
        if self.outside.contains(&(from, iface)) {
            self.sent_outside.push(Rc::clone(&frame));
        }
        let Some(targets) = self.links.get(&(from, iface)) else { return };
        let mut arrivals = Vec::new();
        for ((node, port), link) in targets {
            let meant = receiver.is_group() || receiver == node.mac(*port);
            let fits = frame.len() - ETHERNET_HEADER_LEN <= link.mtu as usize;
            if !(meant && fits && link.connected) || self.rng.below(1_000_000) < link.loss_ppm {
                continue;
            }
            let jitter_max = u32::try_from(link.jitter.as_micros()).unwrap_or(u32::MAX - 1);
            let jitter = Duration::from_micros(u64::from(self.rng.below(jitter_max + 1)));
            arrivals.push((self.now + link.delay + jitter, *node, *port));
        }
        for (at, node, iface) in arrivals {
            self.push(at, Event::Arrive { node, iface, frame: Rc::clone(&frame) });
        }
    }

    pub(crate) fn rng_below(&mut self, bound: u32) -> u32 {
        self.rng.below(bound)
    }

    /// When it is.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The seed of this run, to be printed with whatever went wrong.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// All nodes.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes.len()).map(|index| NodeId(index as u16))
    }

    /// How many frames were put on links.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// How many of them carried frames of hosts, or parts of such.
    pub fn payload_frames(&self) -> u64 {
        self.payload_frames
    }

    /// The host behind `from` sends one frame of `len` bytes behind the Ethernet header to the host behind `to`; returns
    /// its number.
    pub fn send(&mut self, from: NodeId, to: NodeId, len: usize) -> u64 {
        self.probes += 1;
        let frame = probe::frame(to.mesh_mac(), from.mesh_mac(), self.probes, len);
        self.send_frame(from, &frame)
    }

    /// The host behind `from` sends a broadcast; returns its number.
    pub fn broadcast(&mut self, from: NodeId) -> u64 {
        self.probes += 1;
        let frame = probe::frame(Mac::BROADCAST, from.mesh_mac(), self.probes, 64);
        self.send_frame(from, &frame)
    }

    /// The host behind `from` sends a frame to an IPv4 group; returns its number.
    pub fn multicast(&mut self, from: NodeId, group: [u8; 4]) -> u64 {
        self.probes += 1;
        let frame = probe::group_frame(group, from.mesh_mac(), self.probes);
        self.send_frame(from, &frame)
    }

    /// Sends the probe that was numbered last.
    fn send_frame(&mut self, from: NodeId, frame: &[u8]) -> u64 {
        self.host_sends(from, frame);
        self.probes
    }

    pub(crate) fn host_sends(&mut self, from: NodeId, frame: &[u8]) {
        let now = self.now;
        let turn = self.nodes[usize::from(from.0)].send(now, frame);
        self.carry_out(from, turn);
    }

    /// An input for one node's engine.
    pub fn input(&mut self, node: NodeId, input: Input<'_>) {
        let now = self.now;
        let turn = self.nodes[usize::from(node.0)].engine(now, input);
        self.carry_out(node, turn);
    }

    /// What came of the throughput meter's tests that this node started, oldest first.
    pub fn meter_results(&self, node: NodeId) -> &[noctule_control::MeterResult] {
        &self.nodes[usize::from(node.0)].meter_results
    }

    /// Puts a frame on a port as if it had come from a link: for hostile neighbours.
    pub fn inject(&mut self, node: NodeId, iface: usize, frame: &[u8]) {
        let iface = Iface::new(iface).expect("a port");
        self.push(self.now, Event::Arrive { node, iface, frame: frame.into() });
    }

    /// Whether the host behind `node` got this frame.
    pub fn has(&self, probe: u64, node: NodeId) -> bool {
        self.watch.has(probe, node)
    }

    /// What went wrong so far. Empty in every good run.
    pub fn faults(&self) -> &[Fault] {
        &self.watch.faults
    }

    /// One node's engine, to look at its tables.
    pub fn engine(&self, node: NodeId) -> &noctule_control::Engine {
        &self.nodes[usize::from(node.0)].engine
    }

    /// The sum of one counter over engine and pipeline of a node.
    pub fn counter(&self, node: NodeId, counter: Counter) -> u64 {
        self.nodes[usize::from(node.0)].counters.iter().map(|counters| counters.get(counter)).sum()
    }

    /// Quality of the default route from one node to another, `None` without a route.
    pub fn tq(&self, from: NodeId, to: NodeId) -> Option<u32> {
        let guard = self.nodes[usize::from(from.0)].fib.pin();
        let originator = guard.originator(to.originator())?;
        originator.router(View::Default).map(|_| originator.metric())
    }

    /// The nodes that a unicast packet from `from` to `to` would pass, `to` included; `None` if it would get stuck or run
    /// in a circle.
    pub fn path(&self, from: NodeId, to: NodeId) -> Option<Vec<NodeId>> {
        let (mut at, mut view, mut path) = (from, View::Default, Vec::new());
        while at != to {
            let guard = self.nodes[usize::from(at.0)].fib.pin();
            let hop = guard.originator(to.originator())?.router(view)?;
            let next = NodeId::of(hop.mac);
            if path.len() > self.nodes.len() {
                return None;
            }
            path.push(next);
            view = View::Arrival(Iface::all().find(|iface| next.mac(*iface) == hop.mac)?);
            at = next;
        }
        Some(path)
    }
}
