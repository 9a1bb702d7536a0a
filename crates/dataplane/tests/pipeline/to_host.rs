//! From the mesh to the host (FWD-69, FWD-98, FWD-120, FWD-121, FWD-126).

use crate::support::*;
use noctule_fib::Counter;
use noctule_wire::unicast::Subtype;
use noctule_wire::{Discard, Mac};

#[test]
fn fwd_69_fwd_98_each_carrier_is_stripped() {
    let for_one = hello(BENS, ANNAS);
    let for_all = hello(Mac::BROADCAST, ANNAS);
    let rows = [
        (BEN_0, unicast(50, 20, BEN_0, &for_one), &for_one),
        (BEN_0, unicast_4addr(BEN_0, ANNA, Subtype::Data, &for_one), &for_one),
        (BEN_0, unicast_4addr(BEN_0, ANNA, Subtype::Unknown(77), &for_one), &for_one),
        (Mac::BROADCAST, broadcast(50, 1, ANNA, &for_all), &for_all),
    ];
    for (to, packet, inner) in rows {
        let outcome = Ben::default().receive(ms(0), 0, &on_air(to, ANNA, &packet));
        assert_eq!(outcome.delivered, [inner.clone()]);
        assert_eq!(outcome.counted, [(Counter::Rx, 1), (Counter::RxBytes, inner.len() as u64)]);
    }
}

#[test]
fn fwd_120_what_the_host_must_not_get() {
    let tagged = |payload: &[u8]| ethernet(BENS, ANNAS, 0x8100, payload);
    #[rustfmt::skip]
    let rows = [
        (ethernet(BENS, ANNAS, 0x0800, &[]),   None,                      "a bare header"),
        (tagged(&[0, 5, 8]),                   Some(Discard::Truncated),  "half a tag"),
        (tagged(&[0, 5, 8, 0]),                None,                      "a tag, of a VLAN that is not configured here (FWD-126)"),
        (ethernet(BENS, ANNAS, 0x4305, &[1]),  Some(Discard::MeshInMesh), "a mesh frame"),
        (tagged(&[0, 5, 0x43, 5]),             Some(Discard::MeshInMesh), "a tagged mesh frame"),
    ];
    for (inner, reason, because) in rows {
        for (to, packet) in [
            (BEN_0, unicast(50, 20, BEN_0, &inner)),
            (Mac::BROADCAST, broadcast(50, 1, ANNA, &inner)),
        ] {
            let outcome = Ben::default().receive(ms(0), 0, &on_air(to, ANNA, &packet));
            assert_eq!(outcome.dropped, Vec::from_iter(reason), "{because}");
            let expected = if reason.is_none() { vec![inner.clone()] } else { vec![] };
            assert_eq!(outcome.delivered, expected, "{because}");
            assert_eq!(outcome.counted(Counter::Rx), u64::from(reason.is_none()), "{because}");
        }
    }
}

#[test]
fn fwd_121_what_the_host_does_not_take_counts_as_received() {
    let mut ben = Ben::default();
    ben.out.refuse_delivery = Some(Discard::HostBusy);
    let packet = unicast(50, 20, BEN_0, &hello(BENS, ANNAS));
    let outcome = ben.receive(ms(0), 0, &on_air(BEN_0, ANNA, &packet));
    assert_eq!(
        (outcome.dropped.as_slice(), outcome.counted(Counter::Rx)),
        ([Discard::HostBusy].as_slice(), 1)
    );
}

/// FWD-70: this node keeps no ARP table, so it answers no question to it: the target itself may. FWD-105: no packet for
/// several receivers is taken without knowing for whom it is.
#[test]
fn fwd_70_fwd_105_questions_go_to_the_host_and_multicast_packets_to_nobody() {
    let arp = ethernet(Mac::BROADCAST, ANNAS, 0x0806, &[0; 46]);
    let question = unicast_4addr(BEN_0, ANNA, Subtype::DatGet, &arp);
    let outcome = Ben::default().receive(ms(0), 0, &on_air(BEN_0, ANNA, &question));
    assert_eq!((outcome.delivered, outcome.sent), (vec![arp.clone()], vec![]));
    // Type 0x05 without a tracker: header, length 0 of TVLVs, a frame.
    let packet = [&[0x05, 15, 50, 0, 0, 0, 0, 0][..], &arp].concat();
    for receiver in [BEN_0, Mac::BROADCAST] {
        let outcome = Ben::default().receive(ms(0), 0, &on_air(receiver, ANNA, &packet));
        assert_eq!((outcome.outputs(), outcome.dropped.len()), (0, 1));
    }
}
