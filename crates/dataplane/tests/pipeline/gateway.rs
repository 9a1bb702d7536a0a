//! DHCP of the host (GW-60 to GW-71, FWD-34, FWD-37).

use crate::support::*;
use noctule_dataplane::Hint;
use noctule_fib::Gateway;
use noctule_wire::tvlv::translation_table::ClientFlags;
use noctule_wire::unicast::Subtype;
use noctule_wire::{Client, Discard, Mac, Ttvn, Unicast4Addr};

/// IPv4 and UDP with these ports, and a BOOTP message for this client.
fn dhcp4(ports: (u16, u16), chaddr: Mac) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 1, 72, 0, 0, 0, 0, 64, 17, 0, 0, 0, 0, 0, 0];
    packet.extend([255; 4]);
    packet.extend(ports.0.to_be_bytes());
    packet.extend(ports.1.to_be_bytes());
    packet.extend([1, 52, 0, 0]);
    packet.extend([1, 1, 6, 0]);
    packet.resize(20 + 8 + 28, 0);
    packet.extend(chaddr.0);
    packet.resize(20 + 8 + 300, 0);
    packet
}

fn dhcp6(ports: (u16, u16)) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0, 0, 24, 17, 1];
    packet.resize(40, 0xfe);
    packet.extend(ports.0.to_be_bytes());
    packet.extend(ports.1.to_be_bytes());
    packet.resize(64, 1);
    packet
}

const SERVERS_V6: Mac = Mac([0x33, 0x33, 0, 1, 0, 2]);

fn discover() -> Vec<u8> {
    ethernet(Mac::BROADCAST, BENS, 0x0800, &dhcp4((68, 67), BENS))
}

fn tagged(frame: &[u8], vlan: u16) -> Vec<u8> {
    [&frame[..12], &[0x81, 0], &vlan.to_be_bytes(), &frame[12..]].concat()
}

fn to_gateway(inner: &[u8]) -> Vec<u8> {
    let packet = Unicast4Addr {
        ttl: 50,
        ttvn: Ttvn(30),
        destination: CARA,
        source: BEN_0,
        subtype: Subtype::Data,
        reserved: 0,
        inner,
    };
    let mut bytes = vec![0; packet.wire_len()];
    packet.emit(&mut bytes);
    on_air(CARA, BEN_1, &bytes)
}

#[test]
fn gw_63_gw_66_a_request_goes_to_the_chosen_gateway_and_stays_as_it_is() {
    let mut ben = Ben::default();
    ben.writer.set_gateway(Gateway::Client(Some(CARA)));
    for (frame, because) in [
        (discover(), "DHCP"),
        (tagged(&discover(), 0), "GW-45: with a priority tag"),
        (ethernet(Mac::BROADCAST, BENS, 0x0800, &dhcp4((67, 67), BENS)), "GW-48: of a relay"),
        (ethernet(SERVERS_V6, BENS, 0x86dd, &dhcp6((546, 547))), "DHCPv6"),
    ] {
        let outcome = ben.send(ms(0), &frame);
        assert_eq!(outcome.sent, [(1, to_gateway(&frame))], "{because}");
        assert_eq!(outcome.dropped, [], "{because}");
    }
}

/// GW-68.
#[test]
fn gw_68_a_request_is_cut_where_it_must_be() {
    let mut ben = Ben::default();
    ben.writer.set_gateway(Gateway::Client(Some(CARA)));
    ben.change_link(1, |link| link.mtu = 300);
    let outcome = ben.send(ms(0), &discover());
    assert_eq!((outcome.sent.len(), outcome.dropped), (2, vec![]));
}

#[test]
fn gw_63_gw_64_requests_that_are_dropped() {
    let mut ben = Ben::default();
    for (gateway, reason) in [
        (Gateway::Client(None), Discard::NoGateway),
        (Gateway::Client(Some(DORA)), Discard::NoRoute),
        (Gateway::Client(Some(EVE)), Discard::UnknownOriginator),
        (Gateway::Server, Discard::ServerHere),
    ] {
        ben.writer.set_gateway(gateway);
        assert_eq!(ben.send(ms(0), &discover()).fate(), (vec![reason], 0), "{gateway:?}");
    }
}

#[test]
fn gw_65_gw_67_an_answer_goes_to_where_the_client_is() {
    let mut ben = Ben::default();
    let answer = |client| ethernet(Mac::BROADCAST, BENS, 0x0800, &dhcp4((67, 68), client));
    for gateway in [Gateway::Client(Some(CARA)), Gateway::Client(None), Gateway::Server] {
        ben.writer.set_gateway(gateway);
        let outcome = ben.send(ms(0), &answer(CARAS));
        let expected = on_air(CARA, BEN_1, &unicast(50, 30, CARA, &answer(CARAS)));
        assert_eq!(outcome.sent, [(1, expected)], "{gateway:?}");
        let fate = |ben: &mut Ben, client| ben.send(ms(0), &answer(client)).fate();
        assert_eq!(fate(&mut ben, STRANGER), (vec![Discard::UnknownClient], 0));
        assert_eq!(fate(&mut ben, BENS), (vec![Discard::UnknownClient], 0), "only on our LAN");
    }
    ben.announce(CARAS, ClientFlags::ISOLATED, &[CARA]);
    assert_eq!(ben.send(ms(0), &answer(CARAS)).sent.len(), 1, "whoever is isolated from whom");
    let elsewhere = ben.send(ms(0), &tagged(&answer(CARAS), 7));
    assert_eq!(elsewhere.sent.len(), 0, "it is a client of another VLAN");
}

/// What is not DHCP, or not for a group, goes its way in every mode; with gateways off so does DHCP.
#[test]
fn gw_60_gw_61_gw_62_gw_69_everything_else_goes_its_usual_way() {
    let others = [
        ethernet(Mac::BROADCAST, BENS, 0x0806, &[0; 28]),
        tagged(&tagged(&discover(), 0), 0),
        ethernet(Mac::BROADCAST, BENS, 0x0800, &dhcp4((67, 68), Mac::BROADCAST)),
        ethernet(SERVERS_V6, BENS, 0x86dd, &dhcp6((547, 546))),
        discover()[..41].to_vec(),
    ];
    for gateway in [Gateway::Client(None), Gateway::Client(Some(CARA)), Gateway::Server] {
        let mut ben = Ben::default();
        ben.writer.set_gateway(gateway);
        for frame in &others {
            let outcome = ben.send(ms(0), frame);
            assert_eq!((outcome.sent.len(), outcome.dropped), (2, vec![]), "flooded: {frame:02x?}");
        }
        let renewal = ethernet(ANNAS, BENS, 0x0800, &dhcp4((68, 67), BENS));
        let expected = on_air(ANNA, BEN_0, &unicast(50, 10, ANNA, &renewal));
        assert_eq!(ben.send(ms(0), &renewal).sent, [(0, expected)]);
    }
    let mut ben = Ben::default();
    assert_eq!(ben.send(ms(0), &discover()).sent.len(), 2, "GW-61");
}

/// GW-71: the request itself tells the server where the client is. GW-73: whatever its own mode is.
#[test]
fn gw_71_gw_73_the_gateway_learns_the_client_with_its_request() {
    let request = ethernet(Mac::BROADCAST, STRANGER, 0x0800, &dhcp4((68, 67), STRANGER));
    for gateway in [Gateway::Off, Gateway::Client(None), Gateway::Server] {
        let mut ben = Ben::default();
        ben.writer.set_gateway(gateway);
        let packet = unicast_4addr(BEN_0, CARA, Subtype::Data, &request);
        let outcome = ben.receive(ms(0), 1, &on_air(BEN_1, CARA, &packet));
        assert_eq!(outcome.delivered, [&request[..]]);
        let client = Client::untagged(STRANGER);
        assert_eq!(outcome.hints, [Hint::Remote { client, originator: CARA }]);
        // The engine has not published it yet, and the answer finds the client nevertheless.
        ben.writer.set_gateway(Gateway::Server);
        let answer = ethernet(Mac::BROADCAST, BENS, 0x0800, &dhcp4((67, 68), STRANGER));
        let expected = on_air(CARA, BEN_1, &unicast(50, 30, CARA, &answer));
        assert_eq!(ben.send(ms(1), &answer).sent, [(1, expected)]);
    }
}
