//! Several nodes in virtual time: what one sends, those on the same link hear at once.

use super::node::{Node, Sent};
use super::{Instant, Mac, mac, ms};
use crate::Rng;
use noctule_wire::ethernet::Frame;
use std::collections::BTreeMap;

/// One end of a link: number of the node, number of its interface.
pub(super) type End = (usize, usize);

pub(super) struct Mesh {
    pub(super) nodes: Vec<Node>,
    /// From end to end, in one direction; percentage of the frames that get lost.
    links: BTreeMap<(End, End), u32>,
    rng: Rng,
    pub(super) now: Instant,
    /// All frames sent, by the node that sent them.
    pub(super) log: Vec<(usize, Sent)>,
}

impl Mesh {
    pub(super) fn new() -> Self {
        Self {
            nodes: Vec::new(),
            links: BTreeMap::new(),
            rng: Rng::new(99),
            now: Instant::from_millis(1000),
            log: Vec::new(),
        }
    }

    /// A node whose interfaces have addresses of node number `number`, but none of them attached.
    pub(super) fn add(&mut self) -> usize {
        let seed = self.nodes.len() as u64 + 1;
        let mut node = Node::new(seed);
        node.now = self.now;
        node.tvlvs = Some(vec![4, 1, 0, 2, 0, seed as u8]);
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// A node with `interfaces` wired interfaces that join right now.
    pub(super) fn add_attached(&mut self, interfaces: usize) -> usize {
        let node = self.add();
        for index in 0..interfaces {
            self.attach(node, index, false);
        }
        node
    }

    pub(super) fn attach(&mut self, node: usize, index: usize, wifi: bool) {
        let seqno = 0x1000_0000 * (node as u32 + 1) + 0x0100_0000 * index as u32;
        let link = crate::Link { wifi, ..Node::link(address(node, index)) };
        self.nodes[node].now = self.now;
        self.nodes[node].attach(index, link, seqno);
    }

    /// Two ends hear each other.
    pub(super) fn link(&mut self, a: End, b: End) {
        self.lossy(a, b, 0);
        self.lossy(b, a, 0);
    }

    /// `to` hears `from`, but not all of it.
    pub(super) fn lossy(&mut self, from: End, to: End, percent: u32) {
        self.links.insert((from, to), percent);
    }

    /// The ends hear each other no more, and do not know.
    pub(super) fn cut(&mut self, a: End, b: End) {
        self.links.remove(&(a, b));
        self.links.remove(&(b, a));
    }

    /// A node stops, and does not come back.
    pub(super) fn kill(&mut self, node: usize) {
        self.links.retain(|(a, b), _| a.0 != node && b.0 != node);
    }

    pub(super) fn run(&mut self, millis: u64) {
        let end = self.now + ms(millis);
        loop {
            let next = self.nodes.iter().map(|node| node.iv.next_deadline());
            let (at, index) =
                next.enumerate().map(|(index, at)| (at, index)).min().expect("somebody is there");
            if at > end {
                break;
            }
            self.now = self.now.max(at);
            self.nodes[index].now = self.now;
            self.nodes[index].deadline();
            for sent in self.nodes[index].drain() {
                self.deliver(index, &sent);
                self.log.push((index, sent));
            }
        }
        self.now = end;
        for node in &mut self.nodes {
            node.now = end;
        }
    }

    fn deliver(&mut self, from: usize, sent: &Sent) {
        let end = (from, sent.iface.index());
        let frame = Frame::parse(&sent.frame).unwrap();
        assert_eq!(frame.ethertype, noctule_wire::MESH_ETHERTYPE);
        let hearers: Vec<_> = self
            .links
            .range((end, (0, 0))..=(end, (usize::MAX, usize::MAX)))
            .map(|((_, to), percent)| (*to, *percent))
            .collect();
        for ((node, index), percent) in hearers {
            if percent > self.rng.below(100) {
                continue;
            }
            self.nodes[node].now = self.now;
            self.nodes[node].receive_bytes(index, frame.destination, frame.source, frame.payload);
        }
    }

    /// What `node` shows for the primary interface of `of`: average quality of its default route, 0 without one.
    pub(super) fn shown(&self, node: usize, of: usize) -> u8 {
        let rows = self.nodes[node].rows();
        rows.iter()
            .find(|row| row.best && row.originator == address(of, 0))
            .map_or(0, |row| row.metric.tq().unwrap())
    }
}

/// MAC of an interface.
pub(super) fn address(node: usize, index: usize) -> Mac {
    mac(node as u8 + 1, index as u8 + 1)
}
