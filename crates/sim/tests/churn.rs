//! Clients move from node to node, on several VLANs, while links lose frames, break and come back and nodes restart:
//! when all is quiet again, everybody knows where everybody is.

use core::time::Duration;
use noctule_control::{Input, Rng};
use noctule_fib::VlanSet;
use noctule_sim::{Link, Mesh, NodeId, secs};
use noctule_wire::{Client, Mac, Vid};

const CLIENTS: usize = 12;

/// A client that has its place on a VLAN, or on none.
fn client(number: usize) -> Client {
    let vid = [Vid::UNTAGGED, Vid::from_tci(7), Vid::from_tci(4095)][number % 3];
    // Every second MAC is on two VLANs, and each time another client (TT-14).
    Client::new(Mac([0x02, 0xc1, 0, 0, 0, (number / 2) as u8]), vid)
}

fn vlans(mesh: &mut Mesh, node: NodeId) {
    let set: VlanSet = [7, 4095].into_iter().collect();
    mesh.input(node, Input::Vlans(&set));
}

fn speak(mesh: &mut Mesh, node: NodeId, client: Client) {
    mesh.input(node, Input::LearnLocal { client, wifi: false, isolated: false });
}

/// What is wrong with what a node believes.
fn wrong(mesh: &Mesh, places: &[NodeId]) -> Vec<String> {
    let mut wrong = Vec::new();
    for at in mesh.nodes() {
        let rows = mesh.engine(at).global_rows();
        let local = mesh.engine(at).local_rows(mesh.now());
        for (number, place) in places.iter().enumerate() {
            let client = client(number);
            let here = local.iter().any(|row| row.client == client);
            let best: Vec<_> = rows
                .iter()
                .filter(|row| row.client == client)
                .map(|row| (row.originator, row.best))
                .collect();
            let right =
                if at == *place { here } else { !here && best == [(place.originator(), true)] };
            if !right {
                wrong.push(format!("{at:?}: {client:?} of {place:?}: here {here}, {best:?}"));
            }
        }
    }
    wrong
}

#[test]
fn tt_14_tt_65_tt_106_whatever_happens_everybody_is_found_in_the_end() {
    let mut bad = Vec::new();
    for seed in 0..12 {
        let mut rng = Rng::new(seed);
        let mut mesh = Mesh::seeded(7000 + seed);
        let nodes = mesh.ring(5, Link::wired().losing(rng.below(15)));
        for node in &nodes {
            vlans(&mut mesh, *node);
        }
        mesh.run(secs(20));
        let mut places = [nodes[0]; CLIENTS];
        for _ in 0..rng.below(120) + 20 {
            let number = rng.below(CLIENTS as u32) as usize;
            let node = nodes[rng.below(5) as usize];
            match rng.below(20) {
                0 => {
                    let other = nodes[rng.below(5) as usize];
                    mesh.cut(node, other);
                    mesh.run(Duration::from_millis(rng.below(8000).into()));
                    mesh.repair(node, other);
                }
                1 => {
                    mesh.kill(node);
                    mesh.run(Duration::from_millis(rng.below(6000).into()));
                    mesh.restart(node, 2);
                    vlans(&mut mesh, node);
                }
                2..8 => speak(&mut mesh, places[number], client(number)),
                _ => {
                    places[number] = node;
                    speak(&mut mesh, node, client(number));
                }
            }
            mesh.run(Duration::from_millis(rng.below(1500).into()));
        }
        // Each of them says two words more, and then nothing. (After one, the announcement of a node that it has left a
        // moment before may come last, which nobody can tell from a newer one.)
        for _ in 0..2 {
            for (number, place) in places.iter().enumerate() {
                speak(&mut mesh, *place, client(number));
                mesh.run(Duration::from_millis(rng.below(300).into()));
            }
            mesh.run(secs(8));
        }
        let found = mesh.run_until(secs(90), |mesh| wrong(mesh, &places).is_empty());
        assert_eq!(mesh.faults(), &[], "seed {seed}");
        if found.is_none() {
            bad.push((seed, wrong(&mesh, &places)));
        }
    }
    assert!(bad.is_empty(), "{bad:#?}");
}
