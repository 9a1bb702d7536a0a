//! Who gets frames to groups, over many nodes.

use core::net::Ipv4Addr;
use core::time::Duration;
use noctule_control::{HostMulticast, Input, Settings};
use noctule_fib::Counter;
use noctule_sim::{Fault, Link, Mesh, NodeId, secs};

const GROUP: Ipv4Addr = Ipv4Addr::new(239, 1, 2, 3);

/// Says who got one frame, and how many frames that took.
fn send(mesh: &mut Mesh, from: NodeId) -> (Vec<NodeId>, u64) {
    let heard = mesh.tell(from, GROUP);
    (heard.by, heard.frames)
}

#[test]
fn mcast_36_mcast_44_mcast_54_three_of_thirty_and_nobody_else() {
    for seed in 40..44 {
        let mut mesh = Mesh::seeded(seed);
        let nodes = mesh.chain(30, Link::wired());
        let listeners = [nodes[5], nodes[14], nodes[29]];
        mesh.listen(GROUP, &listeners, secs(60));
        let (got, frames) = send(&mut mesh, nodes[14]);
        assert_eq!(got, [nodes[5], nodes[29]], "seed {seed}");
        assert_eq!(frames, 9 + 15, "one frame for each hop, where ways are shared");
        let (got, frames) = send(&mut mesh, nodes[0]);
        assert_eq!((got, frames), (listeners.to_vec(), 29), "seed {seed}");
        // They leave: nobody gets it, and nothing is sent.
        mesh.listen(GROUP, &[], secs(20));
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
    let packets = |mesh: &Mesh| mesh.counter(nodes[0], Counter::McastTx);
    assert_eq!(send(&mut mesh, nodes[0]), (vec![nodes[5]], 5));
    assert_eq!(packets(&mesh), 0, "a unicast packet for each");
    // It dies. Its wishes must not outlive it.
    mesh.kill(nodes[5]);
    mesh.listen(GROUP, &[nodes[3]], secs(420));
    assert_eq!(send(&mut mesh, nodes[0]), (vec![nodes[3]], 3));
    assert_eq!(packets(&mesh), 1, "packets are on again");
    assert_eq!(mesh.faults(), &[] as &[Fault]);
}

/// Beside flooding: in a random mesh of 30 nodes on Wi-Fi, where every broadcast leaves three times.
#[test]
fn mcast_31_mcast_36_flooding_costs_more_and_bothers_everybody() {
    for seed in 60..64 {
        let cost = |flood: bool| {
            let settings = Settings { multicast_forceflood: flood, ..Settings::default() };
            let mut mesh = Mesh::with_settings(seed, settings);
            let nodes = mesh.grid(6, 5, Link::wired());
            let listeners = [nodes[7], nodes[16], nodes[29]];
            mesh.listen(GROUP, &listeners, secs(40));
            let (got, frames) = send(&mut mesh, nodes[0]);
            assert_eq!(mesh.faults(), &[] as &[Fault], "seed {seed}");
            (got.len(), frames)
        };
        let ((few, with), (all, without)) = (cost(false), cost(true));
        assert_eq!((few, all), (3, 29), "seed {seed}");
        assert_eq!(without, 90, "seed {seed}: 30 nodes, three times each");
        // To node 29 it is nine hops, to the others two and six.
        assert!((9..=17).contains(&with), "seed {seed}: {with}");
    }
}
