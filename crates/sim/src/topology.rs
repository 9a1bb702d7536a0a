//! Shapes of meshes.

use crate::{Link, Mesh, NodeId};

impl Mesh {
    /// `count` nodes in a row. Each has two interfaces: 0 towards the node before, 1 towards the next. So the originator
    /// address is that of interface 0.
    pub fn chain(&mut self, count: usize, link: Link) -> Vec<NodeId> {
        let nodes: Vec<_> = (0..count).map(|_| self.node(2)).collect();
        for pair in nodes.windows(2) {
            self.link((pair[0], 1), (pair[1], 0), link);
        }
        nodes
    }

    /// The same, closed to a ring.
    pub fn ring(&mut self, count: usize, link: Link) -> Vec<NodeId> {
        let nodes = self.chain(count, link);
        if let (Some(first), Some(last)) = (nodes.first(), nodes.last()) {
            self.link((*last, 1), (*first, 0), link);
        }
        nodes
    }

    /// `columns` times `rows` nodes with one wireless interface each; each hears its up to four neighbours.
    pub fn grid(&mut self, columns: usize, rows: usize, link: Link) -> Vec<NodeId> {
        let nodes: Vec<_> = (0..columns * rows).map(|_| self.node_with(1, true)).collect();
        for (index, node) in nodes.iter().enumerate() {
            if (index + 1) % columns != 0 {
                self.link((*node, 0), (nodes[index + 1], 0), link);
            }
            if let Some(below) = nodes.get(index + columns) {
                self.link((*node, 0), (*below, 0), link);
            }
        }
        nodes
    }

    /// `count` wireless nodes at random places of a unit square; those closer than `radius` hear each other. Returns
    /// `None` if that is not one connected mesh (try another seed).
    pub fn geometric(&mut self, count: usize, radius: f64, link: Link) -> Option<Vec<NodeId>> {
        let mut place = || f64::from(self.rng_below(1 << 20)) / f64::from(1 << 20);
        let places: Vec<(f64, f64)> = (0..count).map(|_| (place(), place())).collect();
        let near = |a: usize, b: usize| {
            let (dx, dy) = (places[a].0 - places[b].0, places[a].1 - places[b].1);
            dx.hypot(dy) < radius
        };
        let mut reached = vec![false; count];
        let mut open = vec![0];
        while let Some(at) = open.pop() {
            if !core::mem::replace(&mut reached[at], true) {
                open.extend((0..count).filter(|other| !reached[*other] && near(at, *other)));
            }
        }
        if reached.contains(&false) {
            return None;
        }
        let nodes: Vec<_> = (0..count).map(|_| self.node_with(1, true)).collect();
        for a in 0..count {
            for b in a + 1..count {
                if near(a, b) {
                    self.link((nodes[a], 0), (nodes[b], 0), link);
                }
            }
        }
        Some(nodes)
    }
}
