//! Who may answer when a node looks for what a link carries.

use super::*;
use noctule_fib::NextHop;

/// Lets node 0 look at its only neighbour until it believes something. The neighbour answers as `as_primary`, behind
/// whoever is in `first`, who answers as well, but only short requests.
fn look(segment: &mut Segment, first: &[Mac], as_primary: Mac) -> u32 {
    let end = segment.now + Duration::from_secs(30);
    while segment.now < end {
        segment.run(Duration::from_millis(10));
        let asked: Vec<_> = core::mem::take(&mut segment.asked);
        for packet in asked {
            let request = Icmp::parse(&packet).unwrap();
            for by in first.iter().filter(|_| request.rest.is_empty()).chain([&as_primary]) {
                let (destination, originator) = (mac(0), *by);
                let message = Message::EchoReply;
                let reply = Icmp { message, destination, originator, ..request };
                let mut packet = vec![0; reply.wire_len()];
                reply.emit(&mut packet);
                segment.hand(0, mac(1), mac(0), &packet);
            }
        }
        segment.settle();
    }
    segment.nodes[0].interface_rows()[0].carries
}

/// Somebody who hears the requests and is faster than the neighbour does not make the link a short one, nor does he make
/// a short one a long one.
#[test]
fn only_the_neighbour_answers_for_itself() {
    let mut segment = Segment::of(2);
    segment.keep_probes = true;
    assert_eq!(look(&mut segment, &[mac(7)], mac(1)), 1500);
    let mut segment = Segment::of(2);
    segment.keep_probes = true;
    assert_eq!(look(&mut segment, &[mac(1)], mac(7)), 1280, "long ones only by a stranger");
}

/// A neighbour that is a second interface of its node answers by the node's originator address (ICMP-10), which it says
/// by sending that one's OGM with its full TTL.
#[test]
fn icmp_10_a_second_interface_answers_by_the_address_of_the_first() {
    let mut segment = Segment::of(2);
    segment.run(Duration::from_secs(5));
    let hop = |node: usize| NextHop { iface: iface(), mac: mac(node) };
    let ogm = |ttl, originator, seqno| {
        let ogm = Ogm {
            ttl,
            flags: noctule_wire::ogm::OgmFlags::default(),
            seqno: SeqNo(seqno),
            originator,
            previous_sender: originator,
            reserved: 0,
            tq: 255,
            tvlvs: &[],
        };
        let mut packet = vec![0; ogm.wire_len()];
        ogm.emit(&mut packet);
        packet
    };
    for seqno in 1..4 {
        segment.hand(0, mac(1), Mac::BROADCAST, &ogm(50, mac(9), seqno));
        segment.hand(0, mac(1), Mac::BROADCAST, &ogm(49, mac(8), seqno));
    }
    let iv = &segment.nodes[0].routing;
    let speaks_as = |node| iv.speaks_as(hop(1), mac(node));
    assert!(speaks_as(1) && speaks_as(9) && !speaks_as(8) && !speaks_as(7));
}
