//! Frames to groups (09-multicast.md sections 6 to 9).

use crate::support::*;
use noctule_fib::{Counter, Multicast};
use noctule_wire::tvlv::translation_table::ClientFlags;
use noctule_wire::{Discard, Mac};

pub(crate) const GROUP: Mac = Mac([0x01, 0, 0x5e, 1, 2, 3]);

/// A frame to an IPv4 group, `len` bytes in all.
pub(crate) fn v4(group: [u8; 4], len: usize) -> Vec<u8> {
    let mut packet = vec![0; len - 14];
    packet[0] = 0x45;
    packet[9] = 17;
    packet[16..20].copy_from_slice(&group);
    let mac = Mac([0x01, 0, 0x5e, group[1] & 0x7f, group[2], group[3]]);
    ethernet(mac, BENS, 0x0800, &packet)
}

/// A frame to an IPv6 group, `len` bytes in all.
fn v6(group: &str, len: usize, icmp_type: Option<u8>) -> Vec<u8> {
    let group: std::net::Ipv6Addr = group.parse().unwrap();
    let mut packet = vec![0; len - 14];
    packet[0] = 0x60;
    packet[6] = icmp_type.map_or(17, |_| 58);
    packet[24..40].copy_from_slice(&group.octets());
    packet[40] = icmp_type.unwrap_or(0);
    let [.., a, b, c, d] = group.octets();
    ethernet(Mac([0x33, 0x33, a, b, c, d]), BENS, 0x86dd, &packet)
}

pub(crate) fn known() -> Multicast {
    Multicast { flood: false, fanout: 16, packets: true, ..Multicast::default() }
}

/// Whoever says so, by number; all of them behind Anna.
fn originators(ben: &mut Ben, count: u8) -> Vec<Mac> {
    let add = |number: u8| {
        let mac = Mac([2, 0xba, 0, 0, 0x40 + number, 1]);
        ben.writer.add_originator(mac);
        let hop = noctule_fib::NextHop { iface: link(0), mac: ANNA };
        ben.writer.set_router(mac, noctule_fib::View::Default, Some(hop));
        mac
    };
    (0..count).map(add).collect()
}

#[derive(Debug, Eq, PartialEq)]
enum Seen {
    Dropped(Discard),
    Packet(usize),
    Unicasts(usize),
    Flooded,
}

fn send(ben: &mut Ben, frame: &[u8]) -> Seen {
    let outcome = ben.send(ms(0), frame);
    let types: Vec<u8> = outcome.sent.iter().map(|(_, frame)| frame[14]).collect();
    match types.first() {
        None => Seen::Dropped(outcome.dropped[0]),
        Some(0x05) => {
            let listed = |frame: &[u8]| usize::from(u16::from_be_bytes([frame[24], frame[25]]));
            Seen::Packet(outcome.sent.iter().map(|(_, frame)| listed(frame)).sum())
        }
        Some(0x40) => Seen::Unicasts(types.len()),
        Some(0x01) => Seen::Flooded,
        Some(other) => panic!("type {other}"),
    }
}

/// The table of section 11. Columns: announcers, want-all, want-unsnoopable, routers.
#[test]
fn mcast_31_mcast_36_mcast_37_mcast_39_the_decision_table() {
    #[rustfmt::skip]
    let rows: [(Vec<u8>, [usize; 4], bool, u32, Seen); 19] = [
        (v4([239, 1, 2, 3], 100), [0, 0, 0, 0], true, 16, Seen::Dropped(Discard::NoListener)),
        (v4([239, 1, 2, 3], 100), [2, 0, 5, 0], true, 16, Seen::Packet(2)),
        (v4([239, 1, 2, 3], 1262), [1, 0, 0, 0], true, 16, Seen::Packet(1)),
        (v4([239, 1, 2, 3], 1263), [1, 0, 0, 0], true, 16, Seen::Unicasts(1)),
        (v4([224, 0, 0, 251], 100), [3, 0, 0, 4], true, 16, Seen::Packet(3)),
        (v4([224, 0, 0, 251], 100), [3, 0, 1, 0], true, 16, Seen::Flooded),
        (v6("ff05::1:3", 100, None), [1, 1, 9, 2], true, 16, Seen::Packet(4)),
        (v6("ff02::1:ff00:1", 86, Some(135)), [1, 0, 9, 9], true, 16, Seen::Packet(1)),
        (v6("ff02::1", 86, None), [1, 0, 2, 0], true, 16, Seen::Flooded),
        (v6("ff01::1", 86, None), [1, 1, 1, 1], true, 16, Seen::Flooded),
        (v4([239, 1, 2, 3], 100), [17, 0, 0, 0], false, 16, Seen::Flooded),
        (v4([239, 1, 2, 3], 100), [16, 0, 0, 0], false, 16, Seen::Unicasts(16)),
        (v4([239, 1, 2, 3], 100), [1, 0, 0, 0], false, 0, Seen::Flooded),
        (v4([239, 1, 2, 3], 100), [1, 0, 0, 0], true, 0, Seen::Packet(1)),
        (ethernet(GROUP, BENS, 0x88cc, &[0; 46]), [0, 0, 0, 0], true, 16, Seen::Flooded),
        (ethernet(GROUP, BENS, 0x0800, &[0x45; 19]), [1, 0, 0, 0], true, 16, Seen::Dropped(Discard::Truncated)),
        (ethernet(GROUP, BENS, 0x86dd, &[0x60; 39]), [1, 0, 0, 0], true, 16, Seen::Dropped(Discard::Truncated)),
        (v6("ff02::1:ff00:1", 86, Some(135)), [0, 0, 0, 0], true, 16, Seen::Flooded),
        (v6("ff02::1:ff00:1", 86, Some(128)), [0, 0, 0, 0], true, 16, Seen::Dropped(Discard::NoListener)),
    ];
    for (frame, [tt, all, unsnoopable, routers], packets, fanout, expected) in rows {
        let mut ben = Ben::default();
        let macs = originators(&mut ben, (tt + all + routers) as u8);
        let (announcing, rest) = macs.split_at(tt);
        let (wanting, routing) = rest.split_at(all);
        if !announcing.is_empty() {
            ben.announce(Mac::from_prefix(&frame).unwrap(), ClientFlags::NONE, announcing);
        }
        ben.writer.set_multicast(Multicast {
            fanout,
            packets,
            want_unsnoopable: unsnoopable,
            want_ipv4: wanting.into(),
            want_ipv6: wanting.into(),
            routers_ipv4: routing.into(),
            routers_ipv6: routing.into(),
            ..known()
        });
        let about = format!("{} bytes, {tt} {all} {unsnoopable} {routers}", frame.len());
        assert_eq!(send(&mut ben, &frame), expected, "{about}");
    }
    let mut ben = Ben::default();
    ben.writer.set_multicast(Multicast { flood: true, ..known() });
    assert_eq!(send(&mut ben, &v4([239, 1, 2, 3], 100)), Seen::Flooded, "forceflood");
}

/// MCAST-43 and MCAST-62: one copy each, whatever sets a node is in; counted as one frame, or as dropped.
#[test]
fn mcast_43_mcast_62_mcast_63_once_for_each_node() {
    let mut ben = Ben::default();
    let frame = v4([239, 1, 2, 3], 100);
    ben.announce(GROUP, ClientFlags::NONE, &[ANNA, CARA]);
    let both: Box<[Mac]> = Box::new([ANNA, CARA]);
    ben.writer.set_multicast(Multicast { packets: false, want_ipv4: both, ..known() });
    let outcome = ben.send(ms(0), &frame);
    let expected = [
        (0, on_air(ANNA, BEN_0, &unicast(50, 10, ANNA, &frame))),
        (1, on_air(CARA, BEN_1, &unicast(50, 30, CARA, &frame))),
    ];
    assert_eq!(outcome.sent, expected);
    assert_eq!(outcome.counted, [(Counter::Tx, 1), (Counter::TxBytes, 100)]);
    ben.writer.set_multicast(known());
    ben.announce(GROUP, ClientFlags::NONE, &[]);
    let outcome = ben.send(ms(0), &frame);
    assert_eq!(outcome.counted, [(Counter::TxDropped, 1)]);
}

/// A packet for these destinations, as the page builds it.
pub(crate) fn packet(ttl: u8, destinations: &[Mac], inner: &[u8]) -> Vec<u8> {
    let count = destinations.len() as u8;
    let padding = if count.is_multiple_of(2) { 2 } else { 0 };
    let value = 2 + 6 * count + padding;
    let mut bytes = vec![0x05, 15, ttl, 0, 0, value + 4, 7, 1, 0, value, 0, count];
    destinations.iter().for_each(|mac| bytes.extend(mac.0));
    bytes.extend([0, 0].iter().take(padding.into()));
    bytes.extend(inner);
    bytes
}

#[test]
fn mcast_44_mcast_45_mcast_46_mcast_47_the_origin_sends_one_copy_to_each_next_hop() {
    let mut ben = Ben::default();
    let far = originators(&mut ben, 2);
    let frame = v4([239, 1, 2, 3], 100);
    ben.announce(GROUP, ClientFlags::NONE, &[far[1], CARA, far[0], DORA]);
    ben.writer.set_multicast(known());
    let outcome = ben.send(ms(0), &frame);
    let expected = [
        (1, on_air(CARA, BEN_1, &packet(50, &[CARA], &frame))),
        (0, on_air(ANNA, BEN_0, &packet(50, &far, &frame))),
    ];
    assert_eq!(outcome.sent, expected, "no way leads to Dora");
    assert_eq!(outcome.counted(Counter::McastTx), 2);
    assert_eq!(outcome.counted(Counter::McastTxBytes), 2 * 14 + 18 + 26 + 200);
    assert_eq!(outcome.counted(Counter::McastTxLocal), 1);
    assert_eq!(outcome.counted(Counter::McastTxLocalBytes), 100);
    assert_eq!(outcome.counted(Counter::Tx), 1);
}

#[test]
fn mcast_49_mcast_54_mcast_55_mcast_59_a_relay_splits_and_delivers() {
    let mut ben = Ben::default();
    let far = originators(&mut ben, 2);
    let frame = v4([239, 1, 2, 3], 100);
    let listed = [far[0], BEN_1, Mac::ZERO, CARA, GROUP, far[1], DORA];
    let bytes = on_air(BEN_0, ANNA, &packet(9, &listed, &frame));
    let outcome = ben.receive(ms(0), 0, &bytes);
    let expected = [
        (0, on_air(ANNA, BEN_0, &packet(8, &far, &frame))),
        (1, on_air(CARA, BEN_1, &packet(8, &[CARA], &frame))),
    ];
    assert_eq!(outcome.sent, expected);
    assert_eq!(outcome.delivered, [frame]);
    assert_eq!(outcome.dropped, [Discard::NoRoute], "Dora");
    let counted = |counter| outcome.counted(counter);
    assert_eq!((counted(Counter::McastTx), counted(Counter::McastFwd)), (2, 1));
    assert_eq!((counted(Counter::McastRx), counted(Counter::McastRxLocal)), (1, 1));
    assert_eq!(counted(Counter::McastRxBytes), bytes.len() as u64);
    assert_eq!(counted(Counter::McastFwdBytes), bytes.len() as u64);
    assert_eq!(counted(Counter::McastRxLocalBytes), 100);
}

#[test]
fn mcast_48_mcast_49_mcast_50_mcast_52_mcast_53_what_is_refused() {
    let frame = v4([239, 1, 2, 3], 100);
    let good = packet(9, &[BEN_0, CARA], &frame);
    let mut long_list = good.clone();
    long_list[11] = 200;
    let mut huge_list = good.clone();
    huge_list[10] = 0xff;
    let mut long_tvlvs = good.clone();
    long_tvlvs[4] = 0xff;
    let mut odd = good.clone();
    odd[5] += 1;
    let mut unknown = good.clone();
    unknown[6] = 0x77;
    #[rustfmt::skip]
    let rows = [
        (packet(1, &[BEN_0, CARA], &frame), Discard::TtlSpent),
        (long_list, Discard::Truncated),
        (huge_list, Discard::Truncated),
        (long_tvlvs, Discard::Truncated),
        (odd, Discard::OddLength),
        (unknown, Discard::UnknownTvlv),
        (vec![0x05, 15, 9, 0, 0], Discard::Truncated),
    ];
    let mut ben = Ben::default();
    for (bytes, reason) in rows {
        let outcome = ben.receive(ms(0), 0, &on_air(BEN_0, ANNA, &bytes));
        assert_eq!(outcome.fate(), (vec![reason], 0), "{bytes:02x?}");
        assert_eq!(outcome.counted, [], "{reason:?}");
    }
    for outer in [GROUP, CARA] {
        let outcome = ben.receive(ms(0), 0, &on_air(outer, ANNA, &good));
        assert_eq!(outcome.outputs(), 0);
    }
}

/// MCAST-64: a mesh frame inside is counted, then dropped; half a frame is not even counted.
#[test]
fn mcast_59_mcast_64_what_is_inside_is_checked() {
    let mut ben = Ben::default();
    let inside = ethernet(GROUP, BENS, 0x4305, &[0; 46]);
    let outcome = ben.receive(ms(0), 0, &on_air(BEN_0, ANNA, &packet(9, &[BEN_0], &inside)));
    assert_eq!(outcome.fate(), (vec![Discard::MeshInMesh], 0));
    assert_eq!(outcome.counted(Counter::McastRxLocal), 1);
    let outcome = ben.receive(ms(0), 0, &on_air(BEN_0, ANNA, &packet(9, &[BEN_0], &[0; 13])));
    assert_eq!(outcome.fate(), (vec![Discard::Truncated], 0));
    assert_eq!(outcome.counted(Counter::McastRx), 1);
    assert_eq!(outcome.counted(Counter::McastRxLocal), 0);
}

/// MCAST-61: however long the list, there is one copy for each neighbour.
#[test]
fn mcast_61_a_long_list_is_no_amplifier() {
    let mut ben = Ben::default();
    let listed: Vec<Mac> = (0..38).map(|at| if at % 2 == 0 { ANNA } else { CARA }).collect();
    let outcome = ben.receive(ms(0), 0, &on_air(BEN_0, ANNA, &packet(9, &listed, &[0; 60])));
    assert_eq!(outcome.sent.len(), 2);
    assert!(outcome.sent.iter().all(|(_, frame)| frame.len() < 14 + 12 + 38 * 6 + 62));
}

/// The walk ends where a container is broken: what was read before stands, and what comes behind is not looked at.
#[test]
fn mcast_51_a_broken_container_ends_the_list() {
    let frame = v4([239, 1, 2, 3], 100);
    let tracker = |mac: Mac| [&[7, 1, 0, 8, 0, 1], mac.0.as_slice()].concat();
    let built = |containers: &[u8]| {
        [&[0x05, 15, 9, 0, 0, containers.len() as u8], containers, &frame].concat()
    };
    #[rustfmt::skip]
    let broken: [(&str, &[u8]); 3] = [
        ("half a header",   &[0x77, 1]),
        ("beyond the end",  &[0x77, 1, 0, 60, 0, 0]),
        ("an odd length",   &[0x77, 1, 0, 1, 0, 0]),
    ];
    for (what, rubbish) in broken {
        let mut ben = Ben::default();
        let bytes = built(&[&tracker(CARA), rubbish].concat());
        let outcome = ben.receive(ms(0), 0, &on_air(BEN_0, ANNA, &bytes));
        let mut expected = bytes.clone();
        expected[2] = 8;
        assert_eq!(outcome.sent, [(1, on_air(CARA, BEN_1, &expected))], "{what}");
        assert_eq!(outcome.dropped, [], "{what}");
        if rubbish.len() > 2 {
            let bytes = built(&[rubbish, &tracker(CARA)].concat());
            let outcome = ben.receive(ms(0), 0, &on_air(BEN_0, ANNA, &bytes));
            assert_eq!(outcome.sent.len(), 0, "{what}");
        }
    }
}

/// MCAST-57: by the way that Ben's own frames go, whichever interface it came by.
#[test]
fn mcast_56_mcast_57_one_copy_for_each_neighbour_whatever_the_interface() {
    let mut ben = Ben::default();
    let far = originators(&mut ben, 2);
    let (here, there) = (link(0), link(1));
    let hop = |iface| Some(noctule_fib::NextHop { iface, mac: CARA });
    let elsewhere = Some(noctule_fib::NextHop { iface: here, mac: ANNA });
    for (mac, own) in [(far[0], here), (far[1], there)] {
        ben.writer.set_router(mac, noctule_fib::View::Default, hop(own));
        ben.writer.set_router(mac, noctule_fib::View::Arrival(here), elsewhere);
    }
    let frame = v4([239, 1, 2, 3], 100);
    let outcome = ben.receive(ms(0), 0, &on_air(BEN_0, ANNA, &packet(9, &far, &frame)));
    assert_eq!(outcome.sent, [(0, on_air(CARA, BEN_0, &packet(8, &far, &frame)))]);
    ben.announce(GROUP, ClientFlags::NONE, &far);
    ben.writer.set_multicast(known());
    let outcome = ben.send(ms(0), &frame);
    assert_eq!(outcome.sent, [(0, on_air(CARA, BEN_0, &packet(50, &far, &frame)))]);
}

/// One neighbour that cannot be served costs the others, and this node's host, nothing. No copy is longer than what came.
#[test]
fn mcast_58_what_fails_for_one_goes_on_for_the_others() {
    let frame = v4([239, 1, 2, 3], 100);
    for count in 1..=6 {
        let mut ben = Ben::default();
        let far = originators(&mut ben, count);
        ben.change_link(0, |link| link.mtu = 100);
        let mut listed = far.clone();
        listed.extend([CARA, BEN_0]);
        let bytes = on_air(BEN_0, ANNA, &packet(9, &listed, &frame));
        let outcome = ben.receive(ms(0), 0, &bytes);
        assert_eq!(outcome.sent, [(1, on_air(CARA, BEN_1, &packet(8, &[CARA], &frame)))]);
        assert_eq!(outcome.delivered, [&frame[..]]);
        assert_eq!(outcome.dropped, [Discard::TooLong], "once, for Anna");
        assert_eq!((outcome.counted(Counter::McastTx), outcome.counted(Counter::McastRx)), (1, 1));
        ben.change_link(0, |link| link.mtu = 1500);
        let outcome = ben.receive(ms(0), 0, &bytes);
        assert_eq!(outcome.sent.len(), 2);
        assert!(outcome.sent.iter().all(|(_, copy)| copy.len() < bytes.len()));
    }
}
