//! A client that is everywhere at once, and somebody who says so of clients that never moved.

use core::time::Duration;
use noctule_control::Input;
use noctule_fib::{Counter, Iface};
use noctule_sim::{Link, Mesh, NodeId, secs};
use noctule_wire::ethernet::mesh_header;
use noctule_wire::tvlv::roaming::Roaming;
use noctule_wire::tvlv::{self, Kind};
use noctule_wire::{Client, Mac, UnicastTvlv};

fn client(number: u16) -> Client {
    let [high, low] = number.to_be_bytes();
    Client::untagged(Mac([0x02, 0xc1, 0, 0, high, low]))
}

fn speaks(mesh: &mut Mesh, at: NodeId, client: Client) {
    mesh.input(at, Input::LearnLocal { client, wifi: true, isolated: false });
}

/// Behind which node another one finds a client.
fn place(mesh: &Mesh, at: NodeId, client: Client) -> Option<Mac> {
    let rows = mesh.engine(at).global_rows();
    rows.iter().find(|row| row.client == client && row.best).map(|row| row.originator)
}

fn sum(mesh: &Mesh, counter: Counter) -> u64 {
    mesh.nodes().map(|node| mesh.counter(node, counter)).sum()
}

/// TT-107: fifty moves a second of each of twenty clients, for twenty seconds. What that costs is bounded, frames of others pass, and
/// when it is over everybody finds them where they are.
#[test]
fn tt_107_a_storm_of_moves_is_bounded_and_ends() {
    const CLIENTS: u16 = 20;
    let mut mesh = Mesh::seeded(91);
    let nodes = mesh.chain(4, Link::wired());
    mesh.run(secs(30));
    let (before, frames) = (sum(&mesh, Counter::TtRoamAdvTx), mesh.frames());
    let mut lost = 0;
    for step in 0..1000 {
        for number in 0..CLIENTS {
            speaks(&mut mesh, nodes[if step % 2 == 0 { 0 } else { 2 }], client(number));
        }
        let probe = mesh.send(nodes[1], nodes[3], 100);
        mesh.run(Duration::from_millis(20));
        lost += u32::from(!mesh.has(probe, nodes[3]));
    }
    assert_eq!(lost, 0, "frames of others");
    // Five for each client and node in 20 s, and what the edges of that window add.
    let told = sum(&mesh, Counter::TtRoamAdvTx) - before;
    assert!(told > 0 && told <= u64::from(CLIENTS) * 2 * 10, "{told} advertisements");
    let cost = mesh.frames() - frames;
    assert!(cost < 20 * 200 + 1000 * 3, "{cost} frames");
    for number in 0..CLIENTS {
        speaks(&mut mesh, nodes[2], client(number));
    }
    let found = mesh.run_until(secs(60), |mesh| {
        let there = Some(nodes[2].originator());
        let right =
            |at: NodeId| (0..CLIENTS).all(|number| place(mesh, at, client(number)) == there);
        right(nodes[0]) && right(nodes[1]) && right(nodes[3])
    });
    assert!(found.is_some(), "they are not found where they are");
    assert_eq!(mesh.faults(), &[]);
}

/// TT-110: a neighbour says, in another node's name, that clients of node 0 are there now, 5,000 times. Of one source a bounded
/// number counts; whoever speaks is back, and whoever was not named never was away.
#[test]
fn tt_110_forged_moves_are_undone_by_the_clients() {
    const CLIENTS: u16 = 100;
    let mut mesh = Mesh::seeded(92);
    let nodes = mesh.chain(4, Link::wired());
    mesh.run(secs(30));
    for number in 0..CLIENTS {
        speaks(&mut mesh, nodes[0], client(number));
    }
    mesh.run(secs(20));
    let home = Some(nodes[0].originator());
    for round in 0..50 {
        for number in 0..CLIENTS {
            let mut area = Vec::new();
            // Half of them are there, the others are made up.
            let named = if number < 50 { number } else { 1000 + number + round * 100 };
            let value = Roaming { client: client(named) };
            tvlv::append(&mut area, Kind::ROAMING, &value.to_bytes()).expect("it fits");
            let packet = UnicastTvlv::new(nodes[0].originator(), nodes[2].originator(), &area);
            let port = nodes[0].mac(Iface::new(1).expect("there are two"));
            let mut frame = mesh_header(port, nodes[1].originator()).to_vec();
            let start = frame.len();
            frame.resize(start + packet.wire_len(), 0);
            packet.emit(&mut frame[start..]);
            mesh.inject(nodes[0], 1, &frame);
        }
        mesh.run(Duration::from_millis(20));
        assert!((50..CLIENTS).all(|number| place(&mesh, nodes[3], client(number)) == home));
    }
    let taken = mesh.counter(nodes[0], Counter::TtRoamAdvRx);
    // A burst of 512, and what comes to that in a second.
    assert!(taken > 0 && taken < 600, "{taken} of 5000 were believed");
    assert!(mesh.engine(nodes[0]).overview().global_clients < 1000);
    for number in 0..CLIENTS {
        speaks(&mut mesh, nodes[0], client(number));
    }
    let back = mesh.run_until(secs(60), |mesh| {
        (0..CLIENTS).all(|number| place(mesh, nodes[3], client(number)) == home)
    });
    assert!(back.is_some_and(|took| took < secs(30)), "{back:?}");
    let probe = mesh.send(nodes[3], nodes[0], 100);
    mesh.run(secs(1));
    assert!(mesh.has(probe, nodes[0]));
}
