//! Whose clients are where, over links that lose frames and nodes that come and go.

use core::time::Duration;
use noctule_control::Input;
use noctule_fib::Counter;
use noctule_sim::{Link, Mesh, NodeId, secs};
use noctule_wire::{Client, Mac};

fn client(node: NodeId, number: u16) -> Client {
    let [high, low] = number.to_be_bytes();
    let Mac([.., n0, n1, _]) = node.mesh_mac();
    Client::untagged(Mac([0x02, 0xc1, n0, n1, high, low]))
}

fn learn(mesh: &mut Mesh, node: NodeId, numbers: core::ops::Range<u16>) {
    for number in numbers {
        mesh.input(
            node,
            Input::LearnLocal { client: client(node, number), wifi: false, isolated: false },
        );
    }
}

/// How many of `numbers` a node finds behind `owner`.
fn found(mesh: &Mesh, at: NodeId, owner: NodeId, numbers: core::ops::Range<u16>) -> usize {
    let rows = mesh.engine(at).global_rows();
    numbers
        .filter(|number| {
            let client = client(owner, *number);
            rows.iter().any(|row| row.client == client && row.originator == owner.originator())
        })
        .count()
}

#[test]
fn tt_46_more_changes_than_an_ogm_holds_arrive_by_request() {
    let mut mesh = Mesh::seeded(61);
    let nodes = mesh.chain(4, Link::wired());
    mesh.run(secs(20));
    learn(&mut mesh, nodes[0], 0..900);
    let took = mesh.run_until(secs(60), |mesh| found(mesh, nodes[3], nodes[0], 0..900) == 900);
    assert!(took.is_some_and(|took| took < secs(20)), "{took:?}");
    assert!(mesh.counter(nodes[3], Counter::FragRx) > 0, "the table is larger than a link's MTU");
}

/// As many as a node on links of 1500 can have (TT-35), all new within one second: their neighbour has them two OGM
/// intervals later.
#[test]
fn tt_35_all_that_speak_in_one_second_are_announced_within_two_intervals() {
    const CLIENTS: u16 = 1600;
    let mut mesh = Mesh::seeded(63);
    let nodes = mesh.chain(2, Link::wired());
    mesh.run(secs(20));
    for burst in 0..20 {
        learn(&mut mesh, nodes[0], burst * 80..(burst + 1) * 80);
        mesh.run(Duration::from_millis(50));
    }
    mesh.run(secs(2));
    assert_eq!(found(&mesh, nodes[1], nodes[0], 0..CLIENTS), usize::from(CLIENTS));
}

#[test]
fn tables_agree_over_links_that_lose_a_fifth() {
    for seed in 70..74 {
        let mut mesh = Mesh::seeded(seed);
        let nodes = mesh.chain(4, Link::wired().losing(20));
        mesh.run(secs(40));
        for round in 0..6 {
            for node in &nodes {
                learn(&mut mesh, *node, round * 10..round * 10 + 10);
            }
            mesh.run(secs(2));
        }
        let agreed = mesh.run_until(secs(120), |mesh| {
            nodes.iter().all(|at| {
                nodes
                    .iter()
                    .filter(|owner| *owner != at)
                    .all(|owner| found(mesh, *at, *owner, 0..60) == 60)
            })
        });
        assert!(agreed.is_some(), "seed {seed}: tables still differ");
    }
}

#[test]
fn a_client_that_moves_is_found_at_its_new_place() {
    let mut mesh = Mesh::seeded(62);
    let nodes = mesh.chain(3, Link::wired());
    mesh.run(secs(20));
    learn(&mut mesh, nodes[0], 0..1);
    mesh.run(secs(5));
    let moved = client(nodes[0], 0);
    mesh.input(nodes[2], Input::LearnLocal { client: moved, wifi: true, isolated: false });
    mesh.run(secs(5));
    let best = |mesh: &Mesh, at: NodeId| {
        let rows = mesh.engine(at).global_rows();
        rows.iter().find(|row| row.client == moved && row.best).map(|row| row.originator)
    };
    for at in &nodes[..2] {
        assert_eq!(best(&mesh, *at), Some(nodes[2].originator()));
    }
    assert!(mesh.engine(nodes[0]).local_rows(mesh.now()).iter().all(|row| row.client != moved));
}

#[test]
fn fwd_119_packets_above_the_mtu_cross_links_of_any_size() {
    let mut mesh = Mesh::seeded(63);
    let nodes = mesh.chain(5, Link::wired());
    mesh.run(secs(30));
    for len in [1448, 1462, 1463, 1500, 4000, 9000, 16000] {
        let probe = mesh.send(nodes[0], nodes[4], len);
        mesh.run(Duration::from_millis(100));
        assert!(mesh.has(probe, nodes[4]), "{len} bytes");
    }
    assert_eq!(mesh.faults(), &[]);
}
