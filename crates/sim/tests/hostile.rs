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
