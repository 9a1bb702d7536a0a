//! A neighbour that sends rubbish: nobody falls, nobody shouts, nobody fills up.

use core::time::Duration;
use noctule_control::Rng;
use noctule_sim::{Link, Mesh, secs};
use noctule_wire::ethernet::mesh_header;
use noctule_wire::{Mac, Ogm, SeqNo};

#[test]
fn rubbish_is_dropped_and_traffic_goes_on() {
    let mut mesh = Mesh::seeded(81);
    let nodes = mesh.chain(3, Link::wired());
    mesh.run(secs(30));
    let (victim, mut rng) = (nodes[1], Rng::new(81));
    let idle_before = mesh.frames();
    mesh.run(secs(10));
    let idle = mesh.frames() - idle_before;
    let before = mesh.frames();
    for round in 0..20_000u32 {
        let destination = if round % 2 == 0 { Mac::BROADCAST } else { victim.originator() };
        let mut frame = mesh_header(destination, Mac([2, 0xee, 0, 0, 0, 1])).to_vec();
        let len = rng.below(160) as usize;
        frame.extend((0..len).map(|_| rng.next_u64() as u8));
        // Half of them get a type that exists and the right version, so that they come further.
        if let [packet_type, version, ..] = &mut frame[14..]
            && rng.below(2) == 0
        {
            *packet_type =
                [0, 1, 3, 4, 5, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45][rng.below(11) as usize];
            *version = 15;
        }
        mesh.inject(victim, 0, &frame);
        if round % 2000 == 0 {
            mesh.run(secs(1));
        }
    }
    mesh.run(Duration::from_millis(10));
    let amplified = (mesh.frames() - before).saturating_sub(idle);
    assert!(amplified < 20_000, "{amplified} frames out for 20000 bad ones in");
    let probe = mesh.send(nodes[0], nodes[2], 100);
    mesh.run(secs(1));
    assert!(mesh.has(probe, nodes[2]));
    assert_eq!(mesh.faults(), &[]);
}

/// IV-H2: invented originators fill a bounded table, and the real mesh stays.
#[test]
fn a_flood_of_invented_originators_is_bounded() {
    let mut mesh = Mesh::seeded(82);
    let nodes = mesh.chain(2, Link::wired());
    mesh.run(secs(30));
    let limit = mesh.engine(nodes[1]).settings().limits.originators;
    for number in 0..20_000u32 {
        let [a, b, c, d] = number.to_be_bytes();
        let invented = Mac([2, 0xdd, a, b, c, d]);
        let ogm = Ogm {
            ttl: 50,
            flags: Default::default(),
            seqno: SeqNo(number),
            originator: invented,
            previous_sender: invented,
            reserved: 0,
            tq: 255,
            tvlvs: &[],
        };
        let mut frame = mesh_header(Mac::BROADCAST, invented).to_vec();
        let mut packet = vec![0; ogm.wire_len()];
        ogm.emit(&mut packet);
        frame.extend(packet);
        mesh.inject(nodes[1], 0, &frame);
        if number % 500 == 0 {
            mesh.run(Duration::from_millis(100));
        }
    }
    mesh.run(secs(2));
    assert!(mesh.engine(nodes[1]).overview().originators <= limit);
    let probe = mesh.send(nodes[0], nodes[1], 100);
    mesh.run(secs(1));
    assert!(mesh.has(probe, nodes[1]), "the real neighbour is still reached");
}

/// How somebody fills the originator table of a node.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Flood {
    /// Each frame comes from another address, and is that address's own OGM.
    Neighbours,
    /// One address that is nobody's neighbour tells of twenty originators in each frame.
    Hearsay,
    /// The same, by a neighbour that takes part in the mesh.
    Liar,
    /// A neighbour and strangers, in turn.
    Both,
}

/// IV-H2: while originators are made up, 500 frames a second, a neighbour that joins and a node behind a neighbour that was there
/// before get their routes within 5 s, and no route that was there before changes.
#[test]
fn iv_h2_a_flood_of_originators_shuts_nobody_out() {
    for flood in [Flood::Neighbours, Flood::Hearsay, Flood::Liar, Flood::Both] {
        let mut mesh = Mesh::seeded(83);
        let nodes = mesh.chain(5, Link::wired());
        let (victim, liar) = (nodes[2], nodes[3]);
        mesh.run(secs(80));
        let routes = |mesh: &Mesh| -> Vec<_> {
            nodes
                .iter()
                .map(|to| mesh.path(victim, *to).map(|path| path.first().copied()))
                .collect()
        };
        let (before, mut number, mut joined) = (routes(&mesh), 0_u32, Vec::new());
        for step in 0..15_000 {
            number += 1;
            let strangers = match flood {
                Flood::Neighbours => true,
                Flood::Hearsay | Flood::Liar => false,
                Flood::Both => number % 2 == 0,
            };
            let invent = |index: u32| {
                let [_, b, c, d] = number.to_be_bytes();
                Mac([2, 0xdd, b, c, d, index as u8])
            };
            let (from, count) = match flood {
                _ if strangers => (invent(0), 1),
                Flood::Hearsay => (Mac([2, 0xcc, 0, 0, 0, 1]), 20),
                _ => (liar.originator(), 20),
            };
            let mut frame = mesh_header(Mac::BROADCAST, from).to_vec();
            for index in 0..count {
                let ogm = Ogm {
                    ttl: 50,
                    flags: Default::default(),
                    seqno: SeqNo(1),
                    originator: invent(index),
                    previous_sender: invent(index),
                    reserved: 0,
                    tq: 255,
                    tvlvs: &[],
                };
                let start = frame.len();
                frame.resize(start + ogm.wire_len(), 0);
                ogm.emit(&mut frame[start..]);
            }
            // The chain goes on by the second interface.
            mesh.inject(victim, usize::from(!strangers), &frame);
            mesh.run(Duration::from_millis(2));
            if step == 10_000 {
                assert!(mesh.engine(victim).overview().originators > 2000, "{flood:?}");
                let neighbour = mesh.node(1);
                mesh.link((victim, 0), (neighbour, 0), Link::wired());
                let behind = mesh.node(1);
                mesh.link((nodes[1], 0), (behind, 0), Link::wired());
                joined = vec![neighbour, behind];
            }
            if step == 12_500 {
                for to in &joined {
                    assert!(mesh.tq(victim, *to).is_some(), "{flood:?}: {to:?} is shut out");
                }
            }
            if step % 250 == 0 {
                assert_eq!(routes(&mesh), before, "{flood:?}: a route changed");
            }
        }
        assert_eq!(mesh.faults(), &[]);
        let [near, far] = joined[..] else { panic!("two joined") };
        let probes = [(near, nodes[4]), (far, near), (nodes[4], far)];
        for (from, to) in probes {
            let probe = mesh.send(from, to, 100);
            mesh.run(secs(1));
            assert!(mesh.has(probe, to), "{flood:?}: {from:?} to {to:?}");
        }
    }
}
