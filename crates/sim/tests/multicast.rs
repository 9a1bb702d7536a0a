//! Who gets frames to groups, over many nodes.

use core::net::IpAddr;
use core::time::Duration;
use noctule_control::{HostMulticast, Input};
use noctule_fib::Counter;
use noctule_sim::{Fault, Link, Mesh, NodeId, secs};

const GROUP: [u8; 4] = [239, 1, 2, 3];

/// These listen, and all others say that they do not. As the daemon, twice a second.
fn look(mesh: &mut Mesh, listeners: &[NodeId], time: Duration) {
    let listening =
        HostMulticast { memberships: vec![IpAddr::from(GROUP)], ..HostMulticast::default() };
    let idle = HostMulticast::default();
    let end = mesh.now() + time;
    while mesh.now() < end {
        for node in mesh.nodes().collect::<Vec<_>>() {
            let host = if listeners.contains(&node) { &listening } else { &idle };
            mesh.input(node, Input::Multicast(host));
        }
        mesh.run(Duration::from_millis(500));
    }
}

/// Sends one frame and returns who got it, and how many payload frames that took: all that a few milliseconds hold.
fn send(mesh: &mut Mesh, from: NodeId) -> (Vec<NodeId>, u64) {
    let sent = |mesh: &Mesh| -> u64 {
        mesh.nodes().map(|node| mesh.counter(node, Counter::McastTx)).sum()
    };
    let before = sent(mesh);
    let probe = mesh.multicast(from, GROUP);
    mesh.run(secs(1));
    let got = mesh.nodes().filter(|node| mesh.has(probe, *node)).collect();
    (got, sent(mesh) - before)
}

#[test]
fn mcast_36_mcast_44_mcast_54_three_of_thirty_and_nobody_else() {
    for seed in 40..44 {
        let mut mesh = Mesh::seeded(seed);
        let nodes = mesh.chain(30, Link::wired());
        let listeners = [nodes[5], nodes[14], nodes[29]];
        look(&mut mesh, &listeners, secs(60));
        let (got, frames) = send(&mut mesh, nodes[14]);
        assert_eq!(got, [nodes[5], nodes[29]], "seed {seed}");
        assert_eq!(frames, 9 + 15, "one frame for each hop, where ways are shared");
        let (got, frames) = send(&mut mesh, nodes[0]);
        assert_eq!((got, frames), (listeners.to_vec(), 29), "seed {seed}");
        // They leave: nobody gets it, and nothing is sent.
        look(&mut mesh, &[], secs(20));
        assert_eq!(send(&mut mesh, nodes[0]), (Vec::new(), 0), "seed {seed}");
        assert_eq!(mesh.faults(), &[] as &[Fault], "seed {seed}");
    }
}

/// MCAST-37, MCAST-39: one node that says nothing of multicast gets everything, and packets are off for all.
#[test]
fn mcast_27_mcast_37_an_old_node_gets_everything() {
    let mut mesh = Mesh::seeded(50);
    let nodes = mesh.chain(6, Link::wired());
    let idle = HostMulticast::default();
    for _ in 0..40 {
        for node in &nodes[..5] {
            mesh.input(*node, Input::Multicast(&idle));
        }
        mesh.run(Duration::from_millis(500));
    }
    let (got, packets) = send(&mut mesh, nodes[0]);
    assert_eq!((got, packets), (vec![nodes[5]], 0));
    // It dies. Its wishes must not outlive it.
    mesh.kill(nodes[5]);
    look(&mut mesh, &[nodes[3]], secs(420));
    let (got, packets) = send(&mut mesh, nodes[0]);
    assert_eq!((got, packets), (vec![nodes[3]], 3), "packets are on again");
    assert_eq!(mesh.faults(), &[] as &[Fault]);
}
