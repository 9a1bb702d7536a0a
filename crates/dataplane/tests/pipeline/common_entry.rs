//! What every frame from a hard interface passes first (FWD-04, FWD-05, FWD-60 to FWD-62).

use crate::support::*;
use noctule_wire::Discard;

/// A unicast packet for Cara's client, as Anna hands it to Ben.
fn passing() -> Vec<u8> {
    on_air(BEN_0, ANNA, &unicast(50, 30, CARA, &hello(CARAS, ANNAS)))
}

#[test]
fn fwd_60_each_check_has_its_reason() {
    let with = |change: fn(&mut Vec<u8>)| {
        let mut frame = passing();
        change(&mut frame);
        frame
    };
    #[rustfmt::skip]
    let rows = [
        (with(|_| {}),                                  None,                      "as it should be"),
        (with(|f| f.truncate(0)),                       Some(Discard::Truncated), "empty"),
        (with(|f| f.truncate(13)),                      Some(Discard::Truncated), "half an outer header"),
        (with(|f| f.truncate(14)),                      Some(Discard::Truncated), "no packet"),
        (with(|f| f.truncate(15)),                      Some(Discard::Truncated), "type without version"),
        (with(|f| f[15] = 14),                          Some(Discard::Version),   "compat version 14"),
        (with(|f| f[15] = 16),                          Some(Discard::Version),   "compat version 16"),
        (with(|f| f[12..14].copy_from_slice(&[8, 0])),  Some(Discard::Type),      "IPv4 is none of our business"),
        (with(|f| f[12..14].copy_from_slice(&[0x81, 0])), Some(Discard::Tagged),  "tagged: of a VLAN device"),
        (with(|f| f[14] = 0x80),                        Some(Discard::Type),      "an unassigned type"),
        (with(|f| f[14] = 0x06),                        Some(Discard::Type),      "an unassigned type"),
        (with(|f| f[14] = 0x02),                        Some(Discard::Type),      "network coding"),
    ];
    for (frame, reason, because) in rows {
        let mut ben = Ben::default();
        let outcome = ben.receive(ms(0), 0, &frame);
        assert_eq!(outcome.dropped, Vec::from_iter(reason), "{because}");
        assert_eq!(outcome.outputs(), usize::from(reason.is_none()), "{because}");
    }
}

#[test]
fn fwd_04_an_interface_receives_only_while_it_is_active() {
    let mut ben = Ben::default();
    ben.change_link(0, |link| link.active = false);
    assert_eq!(ben.receive(ms(0), 0, &passing()).dropped, [Discard::Inactive]);
    ben.change(|node| node.ifaces[0] = None);
    assert_eq!(ben.receive(ms(0), 0, &passing()).dropped, [Discard::Inactive]);
}

#[test]
fn fwd_04_an_interface_sends_only_while_it_is_active() {
    let mut ben = Ben::default();
    ben.change_link(1, |link| link.active = false);
    assert_eq!(ben.receive(ms(0), 0, &passing()).dropped, [Discard::Inactive]);
    let flooded = ben.send(ms(0), &hello(noctule_wire::Mac::BROADCAST, BENS));
    assert_eq!(flooded.sent.len(), 1, "the other link gets its broadcast");
    assert_eq!(flooded.sent[0].0, 0);
}

/// A packet for any active interface of Ben is his, whichever it arrives on.
#[test]
fn fwd_05_my_mac_is_that_of_any_active_interface() {
    let mut ben = Ben::default();
    let for_ben_1 = on_air(BEN_0, ANNA, &unicast(50, 20, BEN_1, &hello(BENS, ANNAS)));
    assert_eq!(ben.receive(ms(0), 0, &for_ben_1).delivered, [hello(BENS, ANNAS)]);
    ben.change_link(1, |link| link.active = false);
    assert_eq!(ben.receive(ms(0), 0, &for_ben_1).dropped, [Discard::UnknownOriginator]);
}

#[test]
fn fwd_61_packets_of_the_algorithms_go_to_the_engine() {
    use noctule_wire::Mac;
    for (packet_type, goes_up) in [(0x00, true), (0x03, true), (0x04, true), (0x05, false)] {
        let mut packet = vec![0; 60];
        packet[..3].copy_from_slice(&[packet_type, 15, 50]);
        let outcome = Ben::default().receive(ms(0), 0, &on_air(Mac::BROADCAST, ANNA, &packet));
        assert_eq!(outcome.punted.len(), usize::from(goes_up), "type {packet_type}");
        assert_eq!(outcome.dropped.len(), usize::from(!goes_up), "type {packet_type}");
    }
}

#[test]
fn fwd_62_unicast_types_must_be_for_this_node_on_the_link() {
    use noctule_wire::Mac;
    let group = Mac([0x03, 0, 0, 0, 0, 1]);
    #[rustfmt::skip]
    let rows = [
        (BEN_0,          ANNA,  None,                    "for this interface"),
        (BEN_1,          ANNA,  None,                    "for another interface of this node"),
        (CARA,           ANNA,  Some(Discard::NotForUs), "for another station, seen in promiscuous mode"),
        (Mac::BROADCAST, ANNA,  Some(Discard::Address),  "broadcast"),
        (group,          ANNA,  Some(Discard::Address),  "multicast"),
        (Mac::ZERO,      ANNA,  Some(Discard::Address),  "to nobody"),
        (BEN_0,          group, Some(Discard::Address),  "from a group"),
    ];
    let packets = [
        unicast(50, 30, CARA, &hello(CARAS, ANNAS)),
        unicast_4addr(CARA, ANNA, noctule_wire::unicast::Subtype::Data, &hello(CARAS, ANNAS)),
        fragment(CARA, ANNA, 1, 0, 2000, b"part"),
        icmp(8, 50, CARA, ANNA, b""),
        [&[0x7f, 15, 50, 0], CARA.0.as_slice(), b"of the future"].concat(),
    ];
    for packet in packets {
        for (to, from, reason, because) in rows {
            let outcome = Ben::default().receive(ms(0), 0, &on_air(to, from, &packet));
            let name = packet[0];
            assert_eq!(outcome.dropped, Vec::from_iter(reason), "{name:#x} {because}");
            assert_eq!(outcome.outputs(), usize::from(reason.is_none()), "{name:#x} {because}");
        }
    }
}

/// Every type has its shortest length; one byte less is dropped, and nothing comes out.
#[test]
fn fwd_62_fwd_65_fwd_76_fwd_80_fwd_93_fwd_115_shorter_than_the_header_is_dropped() {
    use noctule_wire::Mac;
    use noctule_wire::unicast::Subtype;
    let inner = [0x02; 14];
    let tvlv = [&[0x44, 15, 50, 0], CARA.0.as_slice(), &ANNA.0, &[0; 4]].concat();
    let rows = [
        (BEN_0, unicast(50, 30, CARA, &inner), "unicast with an inner header"),
        (BEN_0, unicast_4addr(BEN_0, ANNA, Subtype::Unknown(9), &inner), "4-address"),
        (BEN_0, fragment(CARA, ANNA, 1, 0, 2000, b""), "fragment"),
        (BEN_0, icmp(8, 50, CARA, ANNA, b""), "echo request"),
        (BEN_0, tvlv, "TVLV without containers"),
        (BEN_0, [&[0x45, 15, 50, 0], CARA.0.as_slice()].concat(), "unknown unicast type"),
        (Mac::BROADCAST, broadcast(50, 1, ANNA, b""), "broadcast without a frame"),
    ];
    for (to, packet, because) in rows {
        let whole = Ben::default().receive(ms(0), 0, &on_air(to, ANNA, &packet));
        assert_eq!(whole.outputs(), 1, "{because}: {whole:?}");
        for len in 0..packet.len() {
            let outcome = Ben::default().receive(ms(0), 0, &on_air(to, ANNA, &packet[..len]));
            assert_eq!(outcome.dropped, [Discard::Truncated], "{because}, {len} bytes");
            assert_eq!(outcome.outputs(), 0, "{because}, {len} bytes");
        }
    }
}
