//! From the host into the mesh (FWD-25 to FWD-49, TT-16, TT-17, TT-111, TT-112).

use crate::support::*;
use noctule_fib::Counter;
use noctule_wire::tvlv::translation_table::ClientFlags;
use noctule_wire::{Client, Discard, Mac, Ttvn};

#[test]
fn fwd_48_fwd_49_a_frame_for_a_client_becomes_a_unicast_packet() {
    let mut ben = Ben::default();
    let frame = hello(CARAS, BENS);
    let outcome = ben.send(ms(0), &frame);
    assert_eq!(outcome.sent, [(1, on_air(CARA, BEN_1, &unicast(50, 30, CARA, &frame)))]);
    assert_eq!(outcome.counted, [(Counter::Tx, 1), (Counter::TxBytes, frame.len() as u64)]);
}

/// Without gateways and multicast optimisation every group-addressed frame is flooded, whatever is in it.
#[test]
fn fwd_34_fwd_35_fwd_50_whatever_is_for_a_group_is_flooded() {
    let group = |bytes: [u8; 6]| Mac(bytes);
    let dhcp = |source: u16, destination: u16| {
        let mut packet =
            vec![0x45, 0, 0, 60, 0, 0, 0, 0, 64, 17, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255];
        packet.extend(source.to_be_bytes());
        packet.extend(destination.to_be_bytes());
        packet.resize(60, 1);
        packet
    };
    let rows = [
        (ipv4(group([1, 0, 0x5e, 0, 0, 0xfb]), BENS, 0), "mDNS over IPv4"),
        (ipv4(group([1, 0, 0x5e, 1, 2, 3]), BENS, 0), "a group nobody is known to listen to"),
        (
            ethernet(group([0x33, 0x33, 0xff, 0, 0, 1]), BENS, 0x86dd, &[0x60; 60]),
            "a solicited node",
        ),
        (
            ethernet(group([0x33, 0x33, 0, 0, 0, 1]), BENS, 0x86dd, &[0x60; 20]),
            "half an IPv6 header",
        ),
        (ethernet(Mac::BROADCAST, BENS, 0x0800, &dhcp(68, 67)), "DHCP towards a server"),
        (ethernet(Mac::BROADCAST, BENS, 0x0800, &dhcp(67, 68)), "DHCP towards a client"),
        (ethernet(Mac::BROADCAST, BENS, 0x0806, &[0; 28]), "ARP"),
    ];
    for (frame, because) in rows {
        let outcome = Ben::default().send(ms(0), &frame);
        assert_eq!(
            (outcome.sent.len(), outcome.dropped),
            (2, vec![]),
            "{because}: once by each link"
        );
        for (index, sent) in outcome.sent {
            let from = [BEN_0, BEN_1][index];
            let flooded = broadcast(50, 5001, BEN_0, &frame);
            let expected = on_air(Mac::BROADCAST, from, &flooded);
            assert_eq!((sent.len(), &sent[..16]), (expected.len(), &expected[..16]), "{because}");
            assert_eq!(sent[28..], expected[28..], "{because}: from the originator address on");
        }
    }
}

/// FWD-111: bonding is off. What this node sends goes by the default router alone, however good another one is.
#[test]
fn fwd_111_without_bonding_nothing_alternates() {
    use noctule_fib::{NextHop, View};
    let mut ben = Ben::default();
    let other = NextHop { iface: link(0), mac: ANNA };
    ben.writer.set_router(CARA, View::Arrival(link(1)), Some(other));
    for _ in 0..10 {
        let outcome = ben.send(ms(0), &hello(CARAS, BENS));
        assert_eq!(outcome.sent[0].0, 1);
        assert_eq!(outcome.sent[0].1[..12], [CARA.0, BEN_1.0].concat());
    }
}

/// The packet that Linux 6.1 builds for the same frame (capture j-frag-smallmtu, frame 11).
#[test]
fn fwd_48_the_same_bytes_as_the_reference() {
    let captured = captured(include_str!("../data/a-relay-cuts.hex"));
    let mut ben = Ben::default();
    let inner = &captured[0][24..];
    ben.writer.set_ttvn(CARA, Ttvn(2));
    ben.announce(Mac::from_prefix(inner).unwrap(), ClientFlags::NONE, &[CARA]);
    let outcome = ben.send(ms(0), inner);
    assert_eq!(outcome.sent[0].1[14..], captured[0][14..]);
}

#[test]
fn fwd_48_tt_112_frames_for_a_roaming_client_carry_the_version_before() {
    let mut ben = Ben::default();
    for (known, sent) in [(30, 29), (0, 255)] {
        ben.writer.set_ttvn(CARA, Ttvn(known));
        ben.announce(CARAS, ClientFlags::ROAM, &[CARA]);
        assert_eq!(ben.send(ms(0), &hello(CARAS, BENS)).sent[0].1[17], sent);
    }
}

#[test]
fn fwd_46_the_key_is_address_and_vlan() {
    use noctule_fib::{Announcers, GlobalClient};
    use noctule_wire::Vid;
    let mut ben = Ben::default();
    // Announced on VLAN 5 only; untagged and priority-tagged frames do not find it.
    let entry = GlobalClient { flags: ClientFlags::NONE, announcers: Announcers::One(ANNA) };
    ben.writer.set_global(Client::new(STRANGER, Vid::from_tci(5)), entry);
    let priority_tagged = ethernet(STRANGER, BENS, 0x8100, &[0xe0, 0, 8, 0, 1, 2, 3]);
    for frame in [hello(STRANGER, BENS), priority_tagged] {
        assert_eq!(ben.send(ms(0), &frame).dropped, [Discard::UnknownClient]);
    }
    let priority_tagged = ethernet(CARAS, BENS, 0x8100, &[0xe0, 0, 8, 0, 1, 2, 3]);
    let sent = ben.send(ms(0), &priority_tagged).sent;
    assert_eq!(sent[0].1[24..], priority_tagged, "the tag stays in the frame");
}

#[test]
fn fwd_47_tt_74_the_announcer_with_the_best_metric_and_a_router() {
    let mut ben = Ben::default();
    #[rustfmt::skip]
    let rows: [(&[Mac], u32, u32, Option<Mac>, &str); 7] = [
        (&[ANNA, CARA], 100, 200, Some(CARA), "Cara's way is better"),
        (&[ANNA, CARA], 201, 200, Some(ANNA), "Anna's way is better"),
        (&[ANNA, CARA], 200, 200, Some(ANNA), "equal: who announced it last"),
        (&[CARA, ANNA], 200, 200, Some(CARA), "equal: who announced it last"),
        (&[DORA, CARA], 200, 1,   Some(CARA), "no router for Dora"),
        (&[EVE],        200, 200, None,       "Eve is not known"),
        (&[DORA],       200, 200, None,       "no router for Dora"),
    ];
    for (announcers, annas, caras, expected, because) in rows {
        ben.writer.set_metric(ANNA, annas);
        ben.writer.set_metric(CARA, caras);
        ben.announce(STRANGER, ClientFlags::NONE, announcers);
        let outcome = ben.send(ms(0), &hello(STRANGER, BENS));
        let to = outcome.sent.first().and_then(|(_, frame)| Mac::from_prefix(&frame[18..]));
        assert_eq!(to, expected, "{because}");
        if expected.is_none() {
            assert_eq!(outcome.dropped, [Discard::NoRoute], "{because}");
        }
    }
}

/// Unknown unicast is never flooded, and frames between local clients do not enter the mesh.
#[test]
fn fwd_47_tt_111_no_destination_means_drop() {
    for destination in [STRANGER, BENS] {
        let outcome = Ben::default().send(ms(0), &hello(destination, BENS));
        assert_eq!((outcome.dropped, outcome.sent.len()), (vec![Discard::UnknownClient], 0));
        assert_eq!(outcome.counted, [(Counter::TxDropped, 1)]);
    }
}

#[test]
fn fwd_25_fwd_27_fwd_32_what_never_enters_the_mesh() {
    let stp = Mac([0x01, 0x80, 0xc2, 0, 0, 0]);
    let lldp = Mac([0x01, 0x80, 0xc2, 0, 0, 0x0e]);
    let ectp = Mac([0xcf, 0, 0, 0, 0, 0]);
    let all = Mac::BROADCAST;
    #[rustfmt::skip]
    let rows = [
        (hello(all, BENS)[..13].to_vec(),                           Some(Discard::Truncated),  "13 bytes"),
        (hello(all, BENS)[..14].to_vec(),                           None,                      "14 bytes"),
        (ethernet(all, BENS, 0x4305, &[1; 40]),                     Some(Discard::MeshInMesh), "a mesh frame"),
        (ethernet(all, BENS, 0x8100, &[0, 5, 0x43, 5, 1, 1]),       Some(Discard::MeshInMesh), "a tagged mesh frame"),
        (ethernet(all, BENS, 0x8100, &[0, 0, 8]),                   Some(Discard::Truncated),  "a tag without its end"),
        (ethernet(all, BENS, 0x8100, &[0, 0, 8, 0]),                None,                      "a priority tag"),
        (hello(stp, BENS),                                          Some(Discard::Reserved),   "STP"),
        (hello(ectp, BENS),                                         Some(Discard::Reserved),   "ECTP"),
        (hello(lldp, BENS),                                         None,                      "exact matches only"),
    ];
    for (frame, reason, because) in rows {
        let outcome = Ben::default().send(ms(0), &frame);
        assert_eq!(outcome.dropped, Vec::from_iter(reason), "{because}");
        assert_eq!(outcome.sent.is_empty(), reason.is_some(), "{because}");
        assert_eq!(outcome.counted(Counter::TxDropped), u64::from(reason.is_some()), "{because}");
        assert_eq!(outcome.counted(Counter::Tx), u64::from(reason.is_none()), "{because}");
    }
}

#[test]
fn fwd_32_the_source_of_an_stp_frame_is_learned_nevertheless() {
    use noctule_dataplane::Hint;
    let outcome = Ben::default().send(ms(0), &hello(Mac([0x01, 0x80, 0xc2, 0, 0, 0]), STRANGER));
    assert_eq!(outcome.hints, [Hint::Local(Client::untagged(STRANGER))]);
    let outcome = Ben::default().send(ms(0), &ethernet(Mac::BROADCAST, STRANGER, 0x4305, &[]));
    assert_eq!(outcome.hints, [], "mesh-in-mesh is dropped before learning");
}

#[test]
fn fwd_30_a_frame_of_an_unknown_vlan_does_not_enter_the_mesh() {
    use noctule_dataplane::Hint;
    use noctule_wire::Vid;
    let tagged = |source| ethernet(Mac::BROADCAST, source, 0x8100, &[0, 9, 8, 0, 1, 2, 3]);
    let outcome = Ben::default().send(ms(0), &tagged(STRANGER));
    assert_eq!((outcome.dropped, outcome.hints), (vec![Discard::UnknownVlan], vec![]));
    // Sources that are not learned are not asked for their VLAN.
    let loop_detect = Mac([0xba, 0xbe, 0, 0, 0, 1]);
    for source in [loop_detect, Mac([3, 0, 0, 0, 0, 1])] {
        assert_eq!(Ben::default().send(ms(0), &tagged(source)).dropped, []);
    }
    // Zero is nobody's address and never learned (TT-66), but no way around a VLAN's border either.
    assert_eq!(
        Ben::default().send(ms(0), &tagged(Mac::ZERO)).fate(),
        (vec![Discard::UnknownVlan], 0)
    );
    // TT-29: once there is such a VLAN, its clients are learned on it.
    let mut ben = Ben::default();
    ben.change(|node| node.vlans = std::sync::Arc::new([9].into_iter().collect()));
    let outcome = ben.send(ms(0), &tagged(STRANGER));
    let client = Client::new(STRANGER, Vid::from_tci(9));
    assert_eq!((outcome.dropped, outcome.hints), (vec![], vec![Hint::Local(client)]));
    assert_eq!(outcome.sent.len(), 2);
    assert_eq!(outcome.sent[0].1[28..], tagged(STRANGER), "the tag stays in the frame");
    // TT-31: it goes, but the clients that it has stay until they age out.
    ben.writer.set_local(client, ClientFlags::NONE, ms(0));
    ben.change(|node| node.vlans = std::sync::Arc::default());
    assert_eq!(ben.send(ms(0), &tagged(STRANGER)).dropped, []);
    assert_eq!(ben.send(ms(0), &tagged(BENS)).dropped, [Discard::UnknownVlan]);
}

#[test]
fn fwd_38_fwd_40_flooding() {
    let mut ben = Ben::default();
    let frame = hello(Mac::BROADCAST, BENS);
    for seqno in [5000, 5001] {
        let outcome = ben.send(ms(0), &frame);
        let packet = broadcast(49, seqno, BEN_0, &frame);
        let expected = [
            (0, on_air(Mac::BROADCAST, BEN_0, &packet)),
            (1, on_air(Mac::BROADCAST, BEN_1, &packet)),
        ];
        assert_eq!(outcome.sent, expected, "one number, all links");
        assert_eq!(outcome.counted, [(Counter::Tx, 1), (Counter::TxBytes, frame.len() as u64)]);
    }
}

#[test]
fn fwd_38_without_a_primary_nothing_is_flooded() {
    let mut ben = Ben::default();
    ben.change(|node| node.primary = None);
    let outcome = ben.send(ms(0), &hello(Mac::BROADCAST, BENS));
    assert_eq!((outcome.dropped, outcome.sent.len()), (vec![Discard::NoPrimary], 0));
    assert_eq!(outcome.counted, [(Counter::TxDropped, 1)]);
}

#[test]
fn fwd_40_flooding_counts_as_sent_even_if_no_interface_took_it() {
    let mut ben = Ben::default();
    ben.out.refuse_sending = Some(Discard::QueueFull);
    let outcome = ben.send(ms(0), &hello(Mac::BROADCAST, BENS));
    assert_eq!(outcome.dropped, [Discard::QueueFull, Discard::QueueFull]);
    assert_eq!((outcome.counted(Counter::Tx), outcome.counted(Counter::TxDropped)), (1, 0));
    // A unicast frame that could not be sent was not sent.
    let outcome = ben.send(ms(0), &hello(CARAS, BENS));
    assert_eq!((outcome.counted(Counter::Tx), outcome.counted(Counter::TxDropped)), (0, 1));
}

/// Groups are flooded, whichever they are: there is no multicast optimisation.
#[test]
fn fwd_38_every_group_is_flooded() {
    for group in [Mac([0x33, 0x33, 0, 0, 0, 0xfb]), Mac([1, 0, 0x5e, 0, 0, 0xfb])] {
        let outcome = Ben::default().send(ms(0), &hello(group, BENS));
        assert_eq!(outcome.sent.len(), 2);
        assert_eq!(outcome.sent[0].1[28..34], group.0, "the inner destination stays");
    }
}

/// FWD-39 without a DAT: unicast is looked up and sent.
#[test]
fn fwd_39_fwd_49_own_packets_use_the_default_view() {
    let mut ben = Ben::default();
    ben.writer.set_router(CARA, noctule_fib::View::Arrival(link(0)), None);
    ben.writer.set_router(CARA, noctule_fib::View::Arrival(link(1)), None);
    assert_eq!(ben.send(ms(0), &hello(CARAS, BENS)).sent.len(), 1);
}
