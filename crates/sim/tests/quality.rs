//! Link quality as the worked examples of the protocol and the real module show it.

use noctule_control::Settings;
use noctule_sim::{Link, Mesh, secs};

/// The ranges of IV-109: a record between own emission and echo costs up to 4 at each hop.
fn assert_hops(mesh: &Mesh, nodes: &[noctule_sim::NodeId]) {
    for (from, a) in nodes.iter().enumerate() {
        for (to, b) in nodes.iter().enumerate() {
            let range = match from.abs_diff(to) {
                0 => continue,
                1 => 251..=255,
                2 => 217..=225,
                _ => 188..=198,
            };
            let tq = mesh.tq(*a, *b).expect("a route");
            assert!(
                range.contains(&tq),
                "seed {}: {from} -> {to}: TQ {tq}, not in {range:?}",
                mesh.seed()
            );
        }
    }
}

#[test]
fn iv_108_a_converged_chain_shows_255_225_198() {
    for seed in [31, 32, 33] {
        let mut mesh = Mesh::seeded(seed);
        let nodes = mesh.chain(4, Link::wired());
        mesh.run(secs(90));
        assert_hops(&mesh, &nodes);
    }
}

/// Section 14.3: one channel, so each relay pays the half-duplex penalty too.
#[test]
fn iv_111_a_chain_on_one_wifi_channel_shows_255_198_153() {
    let mut mesh = Mesh::seeded(34);
    let nodes = mesh.grid(4, 1, Link::wired());
    mesh.run(secs(90));
    for (hops, most) in [(1, 255), (2, 198), (3, 153)] {
        let tq = mesh.tq(nodes[hops], nodes[0]).expect("a route");
        assert!((most - 12..=most).contains(&tq), "{hops} hops: TQ {tq}, expected up to {most}");
    }
}

#[test]
fn a_lossy_link_shows_what_is_lost() {
    // (loss of both directions in percent, TQ range over seeds): the own direction enters linearly, the other by IV-62.
    for (loss, range) in [(10, 215..=255), (30, 140..=210), (50, 80..=160)] {
        let settings = Settings {
            orig_interval: core::time::Duration::from_millis(200),
            ..Settings::default()
        };
        let mut sum = 0;
        for seed in 40..48 {
            let mut mesh = Mesh::with_settings(seed, settings.clone());
            let nodes = mesh.chain(2, Link::wired().losing(loss));
            mesh.run(secs(40));
            sum += mesh.tq(nodes[0], nodes[1]).expect("a route");
        }
        let mean = sum / 8;
        assert!(range.contains(&mean), "{loss} % loss: mean TQ {mean}, expected {range:?}");
    }
}

/// A router that dies is replaced after five OGMs by the other path (IV-76).
#[test]
fn iv_76_a_diamond_reroutes_after_five_intervals() {
    let mut mesh = Mesh::seeded(50);
    let (a, b, c, d) = (mesh.node(2), mesh.node(2), mesh.node(2), mesh.node(2));
    mesh.link((a, 0), (b, 0), Link::wired());
    mesh.link((a, 1), (c, 0), Link::wired());
    mesh.link((b, 1), (d, 0), Link::wired());
    mesh.link((c, 1), (d, 1), Link::wired());
    mesh.run(secs(70));
    let path = mesh.path(a, d).expect("a route");
    let (relay, other) = if path[0] == b { (b, c) } else { (c, b) };
    mesh.kill(relay);
    let took = mesh
        .run_until(secs(20), |mesh| mesh.path(a, d) == Some(vec![other, d]))
        .expect("the other way is found");
    assert!(took <= secs(8), "took {took:?}");
    let probe = mesh.send(a, d, 100);
    mesh.run(secs(1));
    assert!(mesh.has(probe, d));
}

#[test]
fn iv_112_a_restarted_node_is_back_at_once() {
    let mut mesh = Mesh::seeded(51);
    let nodes = mesh.chain(3, Link::wired());
    mesh.run(secs(60));
    mesh.kill(nodes[2]);
    mesh.run(secs(3));
    mesh.restart(nodes[2], 2);
    let took = mesh.run_until(secs(60), |mesh| {
        let probe = mesh.send(nodes[0], nodes[2], 60);
        mesh.run(core::time::Duration::from_millis(200));
        mesh.has(probe, nodes[2])
    });
    assert!(took.is_some(), "the restarted node stays unreachable");
}
