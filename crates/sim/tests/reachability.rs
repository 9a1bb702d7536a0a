//! Control plane and data plane together, on meshes of all shapes: everybody reaches everybody, nothing runs in circles,
//! nothing arrives twice.

use core::time::Duration;
use noctule_sim::{Link, Mesh, NodeId, secs};

/// Both windows of 64 OGMs are full: until then each hop multiplies with a quality well below 255, and far nodes are out of
/// reach (IV-62).
const CONVERGED: Duration = secs(70);

/// Every pair has a path in the tables, a unicast frame arrives once, a broadcast reaches everybody once.
fn expect_whole(mesh: &mut Mesh, nodes: &[NodeId], lossless: bool) {
    let seed = mesh.seed();
    for from in nodes {
        for to in nodes {
            assert!(mesh.path(*from, *to).is_some(), "seed {seed}: no path {from:?} -> {to:?}");
        }
    }
    let mut sent = Vec::new();
    for (index, from) in nodes.iter().enumerate() {
        // All pairs of a big mesh would only repeat the same: a stride that meets every node as a target.
        for step in [1, 1 + nodes.len() / 3, nodes.len() - 1] {
            let to = nodes[(index + step) % nodes.len()];
            if to != *from {
                sent.push((mesh.send(*from, to, 200), *from, to));
            }
        }
    }
    let shouts: Vec<_> =
        nodes.iter().step_by(1 + nodes.len() / 10).map(|n| (mesh.broadcast(*n), *n)).collect();
    mesh.run(secs(2));
    assert_eq!(mesh.faults(), &[], "seed {seed}");
    if !lossless {
        return;
    }
    for (probe, from, to) in sent {
        assert!(mesh.has(probe, to), "seed {seed}: {probe} from {from:?} did not reach {to:?}");
    }
    for (probe, from) in shouts {
        for node in nodes.iter().filter(|node| **node != from) {
            assert!(
                mesh.has(probe, *node),
                "seed {seed}: broadcast of {from:?} did not reach {node:?}"
            );
        }
    }
}

#[test]
fn a_chain_is_whole() {
    let mut mesh = Mesh::seeded(1);
    let nodes = mesh.chain(8, Link::wired());
    mesh.run(CONVERGED);
    expect_whole(&mut mesh, &nodes, true);
}

#[test]
fn a_ring_is_whole_and_routes_the_other_way_round_a_cut() {
    let mut mesh = Mesh::seeded(2);
    let nodes = mesh.ring(7, Link::wired());
    mesh.run(secs(20));
    expect_whole(&mut mesh, &nodes, true);
    assert_eq!(mesh.path(nodes[0], nodes[2]), Some(vec![nodes[1], nodes[2]]));

    mesh.cut(nodes[0], nodes[1]);
    let took = mesh.run_until(secs(30), |mesh| {
        mesh.path(nodes[0], nodes[2]).is_some_and(|path| path.first() == Some(&nodes[6]))
    });
    assert!(took.is_some(), "no way round the cut within 30 s");
    let probe = mesh.send(nodes[0], nodes[2], 100);
    mesh.run(secs(1));
    assert!(mesh.has(probe, nodes[2]));
    assert_eq!(mesh.faults(), &[]);
}

#[test]
fn a_wireless_grid_is_whole() {
    let mut mesh = Mesh::seeded(3);
    let nodes = mesh.grid(5, 4, Link::wired());
    mesh.run(CONVERGED);
    expect_whole(&mut mesh, &nodes, true);
}

#[test]
fn a_lossy_grid_has_paths_and_no_fault() {
    let mut mesh = Mesh::seeded(4);
    let nodes = mesh.grid(4, 4, Link::wired().losing(20));
    mesh.run(secs(60));
    expect_whole(&mut mesh, &nodes, false);
}

#[test]
fn random_meshes_are_whole() {
    for (seed, count, radius) in [(11, 30, 0.32), (12, 60, 0.24), (13, 100, 0.18)] {
        let mut mesh = Mesh::seeded(seed);
        let nodes = loop {
            if let Some(nodes) = mesh.geometric(count, radius, Link::wired()) {
                break nodes;
            }
        };
        mesh.run(CONVERGED);
        expect_whole(&mut mesh, &nodes, true);
    }
}

#[test]
fn two_hundred_nodes_are_whole() {
    let mut mesh = Mesh::seeded(21);
    let nodes = loop {
        if let Some(nodes) = mesh.geometric(200, 0.12, Link::wired()) {
            break nodes;
        }
    };
    mesh.run(CONVERGED);
    expect_whole(&mut mesh, &nodes, true);
}

#[test]
fn one_way_links_carry_nothing() {
    let mut mesh = Mesh::seeded(5);
    let (a, b) = (mesh.node(1), mesh.node(1));
    mesh.link_one_way((a, 0), (b, 0), Link::wired());
    mesh.run(secs(30));
    assert_eq!(mesh.path(b, a), None, "b hears a, but a does not hear b");
    mesh.link_one_way((b, 0), (a, 0), Link::wired());
    let took =
        mesh.run_until(secs(30), |mesh| mesh.path(b, a).is_some() && mesh.path(a, b).is_some());
    assert!(took.is_some());
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed| {
        let mut mesh = Mesh::seeded(seed);
        mesh.grid(4, 3, Link::wired().losing(10));
        mesh.run(secs(20));
        mesh.frames()
    };
    assert_eq!(run(77), run(77));
    assert_ne!(run(77), run(78));
}
