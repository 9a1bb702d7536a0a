//! Whole engines choose a gateway.

use super::*;
use crate::GatewayMode;
use noctule_fib::Gateway;

/// GW-05, GW-08, GW-10, GW-20: announced by OGMs, chosen, published, withdrawn. GW-79: as the table shows it.
#[test]
fn gw_05_gw_08_gw_20_gw_79_a_client_chooses_the_server_that_it_hears() {
    let mut segment = Segment::of(3);
    let set = |segment: &mut Segment, node: usize, mode: GatewayMode| {
        let settings = Settings { gateway_mode: mode, ..Settings::default() };
        segment.nodes[node].handle(segment.now, Input::Settings(&settings));
    };
    set(&mut segment, 0, GatewayMode::Client);
    set(&mut segment, 1, GatewayMode::Server);
    let published = |segment: &Segment| segment.nodes[0].fib.reader().pin().gateway();
    assert_eq!(published(&segment), Gateway::Client(None));
    segment.run(Duration::from_secs(10));
    assert_eq!(published(&segment), Gateway::Client(Some(mac(1))));
    let rows = segment.nodes[0].gateway_rows();
    let [row] = &rows[..] else { panic!("one gateway: {rows:?}") };
    assert_eq!((row.originator, row.best, row.router.mac), (mac(1), true, mac(1)));
    let route = segment.nodes[0].originator_rows(segment.now);
    let route = route.iter().find(|route| route.best && route.originator == mac(1)).unwrap();
    assert_eq!(row.metric, route.metric);
    assert_eq!(segment.nodes[2].gateway_rows().len(), 1, "also who does not care knows");
    assert_eq!(segment.nodes[1].gateway_rows(), [], "nobody is its own gateway");
    assert_eq!(segment.nodes[1].fib.reader().pin().gateway(), Gateway::Server);
    set(&mut segment, 1, GatewayMode::Off);
    segment.run(Duration::from_secs(3));
    assert_eq!(published(&segment), Gateway::Client(None));
    assert_eq!(segment.nodes[2].gateway_rows(), []);
}

/// The clients' table and the other containers still fit beside the one of gateways.
#[test]
fn gw_05_the_other_containers_stay() {
    let mut segment = Segment::of(2);
    let settings = Settings { gateway_mode: GatewayMode::Server, ..Settings::default() };
    segment.nodes[0].handle(segment.now, Input::Settings(&settings));
    segment.nodes[0].handle(segment.now, Input::Multicast(&crate::HostMulticast::default()));
    segment.run(Duration::from_secs(10));
    let other = &segment.nodes[1];
    assert_eq!(other.gateway_rows().len(), 1);
    assert_eq!(other.multicast_rows().len(), 1);
    assert!(other.global_rows().iter().any(|row| row.client.mac == mesh_mac(0)));
}
