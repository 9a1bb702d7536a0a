//! B.A.T.M.A.N. V in a mesh: values as the worked examples have them, and the way that is faster.

use noctule_control::{RoutingAlgorithm, Settings};
use noctule_sim::{Link, Mesh, NodeId, secs};

fn settings() -> Settings {
    Settings { routing_algorithm: RoutingAlgorithm::BatmanV, ..Settings::default() }
}

/// The metric is a throughput here.
fn throughput(mesh: &Mesh, from: NodeId, to: NodeId) -> Option<u32> {
    mesh.tq(from, to)
}

/// Delivers a packet of each node to each, and no node more than once.
fn assert_all_reach_all(mesh: &mut Mesh) {
    let nodes: Vec<_> = mesh.nodes().collect();
    let mut probes = Vec::new();
    for from in &nodes {
        for to in nodes.iter().filter(|to| *to != from) {
            probes.push((mesh.send(*from, *to, 200), *to));
        }
    }
    mesh.run(secs(1));
    for (probe, to) in probes {
        assert!(mesh.has(probe, to), "seed {}: lost on the way to {to:?}", mesh.seed());
    }
    assert!(mesh.faults().is_empty(), "seed {}: {:?}", mesh.seed(), mesh.faults());
}

/// Section 18.1: a chain of links of 10 Gbit/s, whose values do not jitter.
#[test]
fn v_64_v_65_v_75_a_chain_shows_the_values_of_the_worked_example() {
    for seed in [41, 42, 43] {
        let mut mesh = Mesh::with_settings(seed, settings());
        let nodes = mesh.chain(5, Link::wired());
        mesh.run(secs(20));
        for (from, a) in nodes.iter().enumerate() {
            for (to, b) in nodes.iter().enumerate().filter(|(to, _)| *to != from) {
                let expected = [100_000, 88_235, 77_854, 68_694][from.abs_diff(to) - 1];
                let shown = throughput(&mesh, *a, *b);
                assert_eq!(shown, Some(expected), "seed {seed}: {from} -> {to}");
            }
        }
        assert_all_reach_all(&mut mesh);
    }
}

/// n0 and n1 are linked by 10 Mbit/s, and by way of n2 by 1 Gbit/s.
#[test]
fn v_67_the_fast_detour_wins_and_loses_again_when_its_rate_drops() {
    for seed in [44, 45, 46] {
        let mut mesh = Mesh::with_settings(seed, settings());
        let [n0, n1, n2] = [mesh.node(2), mesh.node(2), mesh.node(2)];
        mesh.link((n0, 0), (n1, 0), Link::wired());
        mesh.link((n0, 1), (n2, 0), Link::wired());
        mesh.link((n2, 1), (n1, 1), Link::wired());
        for (node, iface, mbit) in
            [(n0, 0, 10), (n1, 0, 10), (n0, 1, 1000), (n2, 0, 1000), (n2, 1, 1000), (n1, 1, 1000)]
        {
            mesh.set_speed(node, iface, mbit);
        }
        mesh.run(secs(20));
        assert_eq!(mesh.path(n0, n1), Some(vec![n2, n1]), "seed {seed}");
        assert_eq!(throughput(&mesh, n0, n1), Some(8823), "seed {seed}");
        assert_all_reach_all(&mut mesh);
        mesh.set_speed(n0, 1, 1);
        mesh.set_speed(n2, 0, 1);
        mesh.run(secs(40));
        assert_eq!(mesh.path(n0, n1), Some(vec![n1]), "seed {seed}: after the drop");
        assert_eq!(mesh.path(n1, n0), Some(vec![n0]), "seed {seed}");
        assert_all_reach_all(&mut mesh);
    }
}

#[test]
fn v_70_a_relay_that_dies_is_replaced_after_five_numbers() {
    let mut mesh = Mesh::with_settings(47, settings());
    let [n0, n1, n2, n3] = [mesh.node(2), mesh.node(2), mesh.node(2), mesh.node(2)];
    for (index, relay) in [n1, n2].into_iter().enumerate() {
        mesh.link((n0, index), (relay, 0), Link::wired());
        mesh.link((relay, 1), (n3, index), Link::wired());
    }
    mesh.set_speed(n2, 0, 1000);
    mesh.set_speed(n2, 1, 1000);
    mesh.run(secs(15));
    assert_eq!(mesh.path(n0, n3), Some(vec![n1, n3]));
    mesh.kill(n1);
    mesh.run(secs(8));
    assert_eq!(mesh.path(n0, n3), Some(vec![n2, n3]));
    assert!(mesh.faults().is_empty(), "{:?}", mesh.faults());
}

#[test]
fn v_80_a_grid_stays_free_of_loops_while_links_come_and_go() {
    let mut mesh = Mesh::with_settings(48, settings());
    let nodes = mesh.grid(4, 4, Link::wired().losing(5));
    mesh.run(secs(15));
    for round in 0..12 {
        let (a, b) = (nodes[round], nodes[(round + 1) % 16]);
        mesh.cut(a, b);
        for from in [0, 5, 10] {
            mesh.send(nodes[from], nodes[15 - from], 200);
        }
        mesh.run(secs(3));
        mesh.repair(a, b);
    }
    assert!(mesh.faults().is_empty(), "{:?}", mesh.faults());
    for to in &nodes[1..] {
        assert!(mesh.path(nodes[0], *to).is_some(), "no way to {to:?}");
    }
}
