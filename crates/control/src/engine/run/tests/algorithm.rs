//! The routing algorithm of a node.

use super::*;
use crate::{Measured, RoutingAlgorithm};
use noctule_wire::{Discard, Elp, Ogm2, ogm2::Throughput};

fn engine(routing_algorithm: RoutingAlgorithm) -> Engine {
    let settings = Settings { routing_algorithm, ..Settings::default() };
    let fib = Writer::new(HashKey([1, 2]), 0, SeqNo(0));
    let now = Instant::from_millis(1);
    let mut engine = Engine::new(now, settings, fib, Arc::default(), 7);
    let link = Link { mac: mac(0), mtu: 1500, wifi: false, up: true };
    let settings = IfaceSettings::default();
    engine.handle(now, Input::Attach { iface: iface(), link, settings, seqno: 1000 });
    engine
}

fn hear(engine: &mut Engine, millis: u64, packet: &[u8]) {
    let frame = [&mesh_header(Mac::BROADCAST, mac(1))[..], packet].concat();
    let now = Instant::from_millis(millis);
    engine.handle(now, Input::Frame { iface: iface(), bytes: &frame });
}

fn elp() -> [u8; Elp::SENT_LEN] {
    Elp { originator: mac(1), seqno: SeqNo(7), interval_ms: 500 }.to_bytes()
}

#[test]
fn v_31_v_101_packets_of_the_other_algorithm_are_not_looked_at() {
    let mut iv = engine(RoutingAlgorithm::BatmanIv);
    hear(&mut iv, 2, &elp());
    assert_eq!(iv.counters.discarded(Discard::Type), 1);
    let mut v = engine(RoutingAlgorithm::BatmanV);
    hear(&mut v, 2, &[&[0, 15, 50][..], &[0; 40]].concat());
    assert_eq!(v.counters.discarded(Discard::Type), 1);
    hear(&mut v, 2, &elp());
    assert_eq!((v.overview().originators, iv.overview().originators), (1, 0));
}

#[test]
fn the_algorithm_stays_whatever_settings_say() {
    let mut v = engine(RoutingAlgorithm::BatmanV);
    v.handle(Instant::from_millis(2), Input::Settings(&Settings::default()));
    assert_eq!(v.settings().routing_algorithm, RoutingAlgorithm::BatmanV);
    hear(&mut v, 3, &elp());
    assert_eq!(v.overview().originators, 1);
}

/// From the question how fast the link is to the metric that readers see.
#[test]
fn v_12_v_22_v_93_a_measurement_becomes_a_metric() {
    let mut v = engine(RoutingAlgorithm::BatmanV);
    hear(&mut v, 2, &elp());
    let mut asked = Vec::new();
    while v.next_deadline() < Instant::from_millis(600) {
        let now = v.next_deadline();
        v.handle(now, Input::Deadline);
        while let Some(output) = v.poll_output() {
            if let Output::Measure { iface, neighbour } = output {
                asked.push((iface, neighbour));
            }
        }
    }
    assert_eq!(asked, [(iface(), None)]);
    let measured = Measured::Wired { speed: Some(100), full_duplex: true };
    let now = Instant::from_millis(600);
    v.handle(now, Input::Measured { iface: iface(), neighbour: None, measured });
    let gateway = [1, 1, 0, 8, 0, 0, 0, 50, 0, 0, 0, 20];
    let ogm = Ogm2 {
        ttl: 50,
        flags: 0,
        seqno: SeqNo(70_000),
        originator: mac(1),
        throughput: Throughput::MAX,
        tvlvs: &gateway,
    };
    let mut packet = vec![0; ogm.wire_len()];
    ogm.emit(&mut packet);
    hear(&mut v, 601, &packet);
    let rows = v.gateway_rows();
    assert_eq!(rows.len(), 1);
    let path = crate::Metric::Throughput(Throughput(1000));
    assert_eq!(rows[0].metric, path, "V-93: of the path, not what the gateway announces");
    let none = Ogm2 { seqno: SeqNo(70_001), tvlvs: &[], ..ogm };
    let mut packet = vec![0; none.wire_len()];
    none.emit(&mut packet);
    hear(&mut v, 602, &packet);
    assert!(v.gateway_rows().is_empty(), "V-58: no container at all says so, too");
}
