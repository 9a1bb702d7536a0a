//! VLANs of a LAN behind the mesh interface: those that the mesh interface has, and others (BLA-42).

use crate::bridged_lan::{Lan, all, bridged, flooded};
use crate::support::*;
use noctule_wire::tvlv::translation_table::ClientFlags;
use noctule_wire::unicast::Subtype;
use noctule_wire::{Claim, Client, Discard, Mac, Vid};
use std::sync::Arc;

fn tagged(id: u8, destination: Mac, source: Mac) -> Vec<u8> {
    ethernet(destination, source, 0x8100, &[0, id, 0x88, 0xb5, 1, 2, 3, 4])
}

/// BLA-42 `[DEV]`, FWD-30: two gateways of a bridge without VLAN filtering see the tags of each other's frames. On a VLAN
/// that the mesh interface lacks neither is announced, so each would bring the frame into the LAN: none does, whatever
/// carried it, and nobody is claimed.
#[test]
fn bla_42_what_the_mesh_has_on_a_missing_vlan_does_not_enter_the_lan() {
    for (id, there) in [(10, true), (11, false)] {
        let mut ben = bridged();
        ben.change(|node| node.vlans = Arc::new([10].into_iter().collect()));
        let group = tagged(id, Mac::BROADCAST, ANNAS);
        let alone = tagged(id, BENS, ANNAS);
        let by_name = unicast_4addr(BEN_0, ANNA, Subtype::Data, &group);
        for (seqno, packet) in
            [(0, broadcast(50, 1, ANNA, &group)), (1, unicast(50, 20, BEN_0, &alone)), (2, by_name)]
        {
            let to = if seqno == 0 { Mac::BROADCAST } else { BEN_0 };
            let outcome = ben.receive(ms(seqno), 0, &on_air(to, ANNA, &packet));
            let inner = outcome.delivered.last().cloned();
            assert_eq!(inner.is_some(), there, "VLAN {id}, packet {seqno}: {outcome:?}");
            let unknown = outcome.dropped.contains(&Discard::UnknownVlan);
            assert_eq!((unknown, outcome.hints.is_empty()), (!there, !there || seqno > 0));
        }
    }
    // Without a LAN the host sees what it always saw.
    let mut ben = Ben::default();
    let outcome = ben.receive(ms(0), 0, &flooded(1, &tagged(11, Mac::BROADCAST, ANNAS)));
    assert_eq!(outcome.delivered.len(), 1);
}

/// BLA-42 `[DEV]`: the other way nothing passes, not even of a client that the VLAN had when it went (TT-30); claim frames
/// are nobody's business there.
#[test]
fn bla_42_what_the_lan_has_on_a_missing_vlan_does_not_enter_the_mesh() {
    let eleven = Vid::from_tci(11);
    let mut ben = bridged();
    ben.writer.set_local(Client::new(BENS, eleven), ClientFlags::NONE, ms(0));
    for destination in [Mac::BROADCAST, ANNAS] {
        let outcome = ben.send(ms(0), &tagged(11, destination, BENS));
        assert_eq!((outcome.fate(), outcome.hints), ((vec![Discard::UnknownVlan], 0), vec![]));
    }
    let claim = Claim::claiming(CARA, ANNAS, eleven, 0x2380);
    let outcome = ben.say_on_lan(ms(0), claim);
    assert_eq!((outcome.fate(), outcome.hints), ((vec![Discard::ClaimFrame], 0), vec![]));
    assert!(ben.send(ms(0), &all(STRANGER)).dropped.is_empty());
}
