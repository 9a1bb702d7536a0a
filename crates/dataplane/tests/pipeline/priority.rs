//! The 802.1d priority that each frame leaves with (FWD-33, FWD-43, FWD-44, FWD-97, FWD-115).

use crate::support::*;
use noctule_fib::Neighbours;
use noctule_wire::Mac;
use noctule_wire::unicast::Subtype;

/// Frames of a client and their priority.
fn clients_frames(destination: Mac, source: Mac) -> [(Vec<u8>, u8, &'static str); 6] {
    let mut ipv6 = [0; 40];
    ipv6[0] = 0x6c;
    let tagged_ip = [&[0x20, 0, 8, 0], [0x45, 0xe0].as_slice(), &[0; 18]].concat();
    [
        (ipv4(destination, source, 0xb8), 5, "IPv4, expedited forwarding"),
        (ipv4(destination, source, 0x1f), 0, "IPv4, only lower bits"),
        (ethernet(destination, source, 0x86dd, &ipv6), 6, "IPv6"),
        (ethernet(destination, source, 0x8100, &[0xe0, 0, 8, 6]), 7, "a priority tag"),
        (ethernet(destination, source, 0x8100, &tagged_ip), 1, "the tag, not the IP behind it"),
        (ethernet(destination, source, 0x0806, &[0xff; 28]), 0, "ARP shows none"),
    ]
}

#[test]
fn fwd_33_fwd_43_a_host_frame_leaves_with_its_priority() {
    for (frame, priority, because) in clients_frames(CARAS, BENS) {
        assert_eq!(Ben::default().send(ms(0), &frame).priorities, [priority], "{because}");
    }
    for (frame, priority, because) in clients_frames(Mac::BROADCAST, BENS) {
        let mut ben = Ben::default();
        ben.change_link(1, |link| link.wifi = true);
        assert_eq!(ben.send(ms(0), &frame).priorities, [priority; 2], "{because}");
        assert_eq!(ben.on_deadline(ms(5)).priorities, [priority], "{because}, repeated");
    }
}

#[test]
fn fwd_44_a_frame_in_transit_has_the_priority_of_what_is_inside() {
    for (frame, priority, because) in clients_frames(CARAS, ANNAS) {
        let mut ben = Ben::default();
        let outcome = ben.receive(ms(0), 0, &on_air(BEN_0, ANNA, &unicast(50, 30, CARA, &frame)));
        assert_eq!(outcome.priorities, [priority], "{because}");
        ben.writer.set_ttvn(CARA, noctule_wire::Ttvn(20));
        let four = unicast_4addr(CARA, ANNA, Subtype::Data, &frame);
        let outcome = ben.receive(ms(0), 0, &on_air(BEN_0, ANNA, &four));
        assert_eq!(outcome.priorities, [priority], "{because}, 4-address");
        // The same bytes behind headers that carry no inner frame.
        let unknown = [&[0x55, 15, 50, 0], CARA.0.as_slice(), &frame].concat();
        for packet in [unknown, icmp(8, 50, CARA, ANNA, &frame)] {
            let outcome = ben.receive(ms(0), 0, &on_air(BEN_0, ANNA, &packet));
            assert_eq!(outcome.priorities, [0], "{because}, but not there");
        }
    }
}

#[test]
fn fwd_44_fwd_97_a_broadcast_is_repeated_with_the_priority_of_what_is_inside() {
    for (frame, priority, because) in clients_frames(Mac::BROADCAST, ANNAS) {
        let mut ben = Ben::default();
        ben.change_link(1, |link| (link.wifi, link.neighbours) = (true, Neighbours::Many));
        let packet = on_air(Mac::BROADCAST, ANNA, &broadcast(50, 1, ANNA, &frame));
        assert_eq!(ben.receive(ms(0), 0, &packet).priorities, [priority], "{because}");
        assert_eq!(ben.on_deadline(ms(5)).priorities, [priority], "{because}");
        assert_eq!(ben.on_deadline(ms(10)).priorities, [priority], "{because}");
    }
    let short = on_air(Mac::BROADCAST, ANNA, &broadcast(50, 1, ANNA, &[0x45; 13]));
    assert_eq!(Ben::default().receive(ms(0), 0, &short).priorities, [0], "too short to show any");
}

/// What is cut leaves as urgently as it would have whole, and a part in transit as urgently as its header says.
#[test]
fn fwd_44_fwd_115_parts_have_the_priority_in_their_header() {
    let mut ben = Ben::default();
    ben.change_link(1, |link| link.mtu = 1000);
    let mut long = ipv4(CARAS, BENS, 0xb8);
    long.resize(1400, 0);
    assert_eq!(ben.send(ms(0), &long).priorities, [5, 5]);
    let passing = on_air(BEN_0, ANNA, &unicast(50, 30, CARA, &long));
    assert_eq!(ben.receive(ms(0), 0, &passing).priorities, [5, 5]);
    for priority in 0..8 {
        let mut part = on_air(BEN_0, ANNA, &fragment(CARA, ANNA, 1, 0, 1600, b"part"));
        // The reserved bit is none of the priority's.
        part[17] |= priority << 1 | 1;
        assert_eq!(ben.receive(ms(0), 0, &part).priorities, [priority]);
    }
}

/// Merged at a relay: the priority of the head stands, also where it is 0.
#[test]
fn fwd_43_fwd_115_a_merged_packet_keeps_what_its_head_said() {
    for priority in [0, 3] {
        let mut ben = Ben::default();
        let packet = unicast(50, 30, CARA, &ipv4(CARAS, ANNAS, 0xe0));
        let (head, tail) = packet.split_at(30);
        let part = |number, data, priority: u8| {
            let mut part = fragment(CARA, ANNA, 1, number, packet.len(), data);
            part[3] |= priority << 1;
            on_air(BEN_0, ANNA, &part)
        };
        assert_eq!(ben.receive(ms(0), 0, &part(0, tail, 6)).outputs(), 0);
        let outcome = ben.receive(ms(0), 0, &part(1, head, priority));
        assert_eq!((outcome.sent.len(), outcome.priorities), (1, vec![priority]));
    }
}
