//! Links that carry less than the MTU of their interfaces says.

use noctule_control::Settings;
use noctule_fib::Counter;
use noctule_sim::{Link, Mesh, NodeId, secs};

/// What passes by the worst of a node's interfaces, as it believes.
fn carries(mesh: &Mesh, node: NodeId) -> u32 {
    let rows = mesh.engine(node).interface_rows();
    rows.iter().map(|row| row.carries).min().expect("an interface")
}

/// How many of `count` frames of full length arrive.
fn arrive(mesh: &mut Mesh, from: NodeId, to: NodeId, count: usize) -> usize {
    let probes: Vec<u64> = (0..count).map(|_| mesh.send(from, to, 1500)).collect();
    mesh.run(secs(1));
    probes.into_iter().filter(|probe| mesh.has(*probe, to)).count()
}

#[test]
fn fwd_113_what_a_link_carries_is_found_out_and_frames_are_cut_to_that() {
    for limit in [1280, 1400, 1404, 1492, 1499] {
        let mut mesh = Mesh::seeded(80);
        let nodes = mesh.chain(2, Link::wired().with_mtu(limit));
        mesh.run(secs(60));
        assert_eq!(carries(&mesh, nodes[0]), limit);
        assert_eq!(carries(&mesh, nodes[1]), limit);
        assert_eq!(arrive(&mut mesh, nodes[0], nodes[1], 20), 20, "{limit}");
    }
}

/// The same link without: every OGM passes, and no long frame.
#[test]
fn without_probing_long_frames_are_lost_on_such_a_link() {
    let settings = Settings { mtu_probing: false, ..Settings::default() };
    let mut mesh = Mesh::with_settings(80, settings);
    // Two fragments of 1,500 bytes are shorter than this; what is cut for nobody is not.
    let nodes = mesh.chain(2, Link::wired().with_mtu(1400));
    mesh.run(secs(60));
    assert_eq!(carries(&mesh, nodes[0]), 1500);
    let probe = mesh.send(nodes[0], nodes[1], 1450);
    mesh.run(secs(1));
    assert!(!mesh.has(probe, nodes[1]));
}

#[test]
fn a_link_that_loses_much_is_not_taken_for_a_short_one() {
    for seed in 90..100 {
        let mut mesh = Mesh::seeded(seed);
        let nodes = mesh.chain(2, Link::wired().losing(30));
        for _ in 0..60 {
            mesh.run(secs(60));
            assert_eq!(carries(&mesh, nodes[0]), 1500, "seed {seed}");
        }
    }
}

#[test]
fn a_link_that_is_mended_or_gets_worse_is_found_out_again() {
    let mut mesh = Mesh::seeded(81);
    let nodes = mesh.chain(2, Link::wired().with_mtu(1400));
    mesh.run(secs(60));
    assert_eq!(carries(&mesh, nodes[0]), 1400);
    mesh.change_links(nodes[0], nodes[1], |link| link.mtu = 1500);
    mesh.run(secs(700));
    assert_eq!(carries(&mesh, nodes[0]), 1500);
    mesh.change_links(nodes[0], nodes[1], |link| link.mtu = 1350);
    mesh.run(secs(700));
    assert_eq!(carries(&mesh, nodes[0]), 1350);
    assert_eq!(arrive(&mut mesh, nodes[1], nodes[0], 20), 20);
}

/// One neighbour behind a narrow tunnel costs the others on that interface nothing.
#[test]
fn fwd_113_a_narrow_neighbour_does_not_make_the_others_narrow() {
    let mut mesh = Mesh::seeded(82);
    let [hub, wide, narrow] = [(); 3].map(|()| mesh.node(1));
    mesh.link((hub, 0), (wide, 0), Link::wired());
    mesh.link((hub, 0), (narrow, 0), Link::wired().with_mtu(1400));
    mesh.run(secs(60));
    assert_eq!(
        (carries(&mesh, hub), carries(&mesh, wide), carries(&mesh, narrow)),
        (1400, 1500, 1400)
    );
    for (to, parts) in [(wide, 0), (narrow, 40)] {
        let before = mesh.counter(hub, Counter::FragTx);
        let probes: Vec<u64> = (0..20).map(|_| mesh.send(hub, to, 1450)).collect();
        mesh.run(secs(1));
        assert_eq!(probes.into_iter().filter(|probe| mesh.has(*probe, to)).count(), 20);
        assert_eq!(mesh.counter(hub, Counter::FragTx) - before, parts);
    }
}
