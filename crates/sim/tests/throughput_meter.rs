//! The throughput meter between two nodes, through others, over links that lose, delay and reorder.

use noctule_control::{Input, MeterOutcome, MeterRequest, MeterResult};
use noctule_sim::{Link, Mesh, NodeId, secs};
use std::time::Duration;

/// Long enough for a first message that gets lost a few times: they leave after 0, 1, 3 and 7 s (TP-21, TP-27).
const TEST: Duration = secs(8);

/// One test over a chain of three nodes with such links.
fn test(seed: u64, link: Link) -> MeterResult {
    let mut mesh = Mesh::seeded(seed);
    let nodes = mesh.chain(3, link);
    let known = |mesh: &mut Mesh| {
        mesh.tq(nodes[0], nodes[2]).is_some() && mesh.tq(nodes[2], nodes[0]).is_some()
    };
    mesh.run_until(secs(60), known).expect("they find each other");
    start(&mut mesh, nodes[0], nodes[2]);
    mesh.run(TEST + secs(1));
    assert_eq!(mesh.faults(), []);
    let results = mesh.meter_results(nodes[0]);
    assert_eq!(results.len(), 1, "seed {seed}");
    results[0]
}

fn start(mesh: &mut Mesh, from: NodeId, to: NodeId) {
    let (destination, duration) = (to.originator(), TEST);
    mesh.input(from, Input::MeterStart(MeterRequest { tool: 1, destination, duration }));
}

/// TP-16 to TP-20: what is lost is sent again, by the third duplicate where possible, and the test does not stall.
#[test]
fn tp_16_tp_20_lost_messages_and_acknowledgements_do_not_end_it() {
    for (percent, least) in [(1, 2_000_000), (5, 30_000), (10, 3_000)] {
        for seed in [1, 2, 3] {
            let link = Link::wired().losing(percent).delayed(Duration::from_millis(2));
            let result = test(seed, link);
            assert_eq!(result.outcome, MeterOutcome::Complete, "seed {seed}, {percent} %");
            assert!(result.bytes >= least, "seed {seed}, {percent} %: {} bytes", result.bytes);
            assert_eq!(result.elapsed, TEST);
        }
    }
}

/// TP-30, TP-31: frames that overtake each other.
#[test]
fn tp_30_reordering_is_no_loss() {
    let link = Link::wired().losing(1).delayed(Duration::from_millis(2));
    let result = test(4, Link { jitter: Duration::from_millis(3), ..link });
    assert_eq!(result.outcome, MeterOutcome::Complete);
    assert!(result.bytes > 200_000, "{} bytes", result.bytes);
}

/// The other end dies during the test: it ends in time, with what had arrived.
#[test]
fn tp_20_a_peer_that_dies_does_not_hold_it_up() {
    let mut mesh = Mesh::seeded(5);
    let link = Link::wired().losing(1).delayed(Duration::from_millis(2));
    let nodes = mesh.chain(2, link);
    mesh.run(secs(10));
    start(&mut mesh, nodes[0], nodes[1]);
    mesh.run(secs(4));
    mesh.kill(nodes[1]);
    mesh.run(TEST);
    let result = mesh.meter_results(nodes[0])[0];
    assert_eq!((result.outcome, result.elapsed), (MeterOutcome::Complete, TEST));
    assert!(result.bytes > 0);
    // And to one that was dead from the start.
    start(&mut mesh, nodes[0], nodes[1]);
    mesh.run(TEST + secs(1));
    let result = mesh.meter_results(nodes[0])[1];
    assert_eq!(result.outcome, MeterOutcome::NoAnswer { answered_by: None });
}
