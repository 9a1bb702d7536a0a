//! Frames of hosts that are odd, and not wrong: VLANs 0 and 4095, stacked tags, jumbo frames, DHCP with any options. Each has one fate, and the frames
//! of others pass as before.

use crate::dat::{ANNAS_IP, BENS_IP, CARAS_IP, ack};
use crate::support::*;
use noctule_dataplane::Hint;
use noctule_fib::DatRing;
use noctule_wire::{Client, Discard, Mac, Vid};
use proptest::prelude::*;
use std::sync::Arc;

/// A broadcast behind these tags: EtherType and control information of each.
fn stacked(tags: &[(u16, u16)], len: usize) -> Vec<u8> {
    let mut frame = [Mac::BROADCAST.0, STRANGER.0].concat();
    for (ethertype, tci) in tags {
        frame.extend(ethertype.to_be_bytes());
        frame.extend(tci.to_be_bytes());
    }
    frame.extend([0x08, 0x00]);
    frame.resize(len, 0x45);
    frame
}

const Q: u16 = 0x8100;
const AD: u16 = 0x88a8;

/// Ben, whose mesh interface has VLAN 7.
fn ben() -> Ben {
    let mut ben = Ben::default();
    ben.change(|node| node.vlans = Arc::new([7].into_iter().collect()));
    ben
}

/// TT-12, TT-29, FWD-30: the outer 802.1Q tag says the VLAN, 0 is none, and no other tag is looked at.
#[test]
fn fwd_30_tt_12_tags_of_the_host() {
    let seven = Some(Vid::from_tci(7));
    let none = Some(Vid::UNTAGGED);
    #[rustfmt::skip]
    let rows: [(&[(u16, u16)], Option<Vid>, &str); 11] = [
        (&[(Q, 0)],                       none,  "VLAN 0: a priority tag"),
        (&[(Q, 0xe000)],                  none,  "VLAN 0 with a priority"),
        (&[(Q, 7)],                       seven, "a VLAN that is there"),
        (&[(Q, 0xf007)],                  seven, "with priority and drop eligibility"),
        (&[(Q, 4095)],                    None,  "VLAN 4095, which nobody can have"),
        (&[(Q, 0xffff)],                  None,  "the same with all bits"),
        (&[(Q, 7), (Q, 4095)],            seven, "stacked: the outer tag counts"),
        (&[(Q, 4095), (Q, 7)],            None,  "stacked the other way round"),
        (&[(Q, 0), (Q, 4095)],            none,  "behind a priority tag"),
        (&[(AD, 7), (Q, 7)],              none,  "802.1ad is payload"),
        (&[(Q, 7); 12],                   seven, "a dozen"),
    ];
    for (tags, vid, what) in rows {
        let mut ben = ben();
        let frame = stacked(tags, 100);
        let outcome = ben.send(ms(0), &frame);
        match vid {
            Some(vid) => {
                let hint = Hint::Local(Client::new(STRANGER, vid));
                assert_eq!((outcome.hints, outcome.dropped), (vec![hint], vec![]), "{what}");
                assert!(outcome.sent.iter().all(|(_, sent)| sent.ends_with(&frame)), "{what}");
                assert_eq!(outcome.sent.len(), 2, "{what}");
            }
            None => {
                assert_eq!(outcome.fate(), (vec![Discard::UnknownVlan], 0), "{what}");
                assert_eq!(outcome.hints, [], "{what}");
            }
        }
        assert_eq!(ben.send(ms(1), &hello(CARAS, BENS)).sent.len(), 1, "{what}");
    }
}

/// FWD-126: from the mesh all of them reach the host as they are; it knows its VLANs itself.
#[test]
fn fwd_126_tags_from_the_mesh() {
    for tags in [&[(Q, 0)][..], &[(Q, 4095)], &[(Q, 4095), (Q, 7)], &[(AD, 4095)], &[(Q, 9); 12]] {
        let mut ben = ben();
        let frame = stacked(tags, 100);
        let packet = broadcast(50, 1, ANNA, &frame);
        let outcome = ben.receive(ms(0), 0, &on_air(Mac::BROADCAST, ANNA, &packet));
        assert_eq!((outcome.delivered, outcome.dropped), (vec![frame], vec![]), "{tags:?}");
        let vid = if tags[0].0 == Q { Vid::from_tci(tags[0].1) } else { Vid::UNTAGGED };
        let client = Client::new(STRANGER, vid);
        assert_eq!(outcome.hints, [Hint::Remote { client, originator: ANNA }], "{tags:?}");
        assert_eq!(ben.send(ms(1), &hello(CARAS, BENS)).sent.len(), 1, "{tags:?}");
    }
}

/// FWD-113, FWD-114: what does not fit into sixteen fragments goes nowhere; broadcasts are never cut.
#[test]
fn fwd_113_fwd_114_jumbo_frames_of_the_host() {
    let jumbo = |to, len| {
        let mut frame = hello(to, BENS);
        frame.resize(len, 0);
        frame
    };
    let mut ben = ben();
    for len in [1500, 9000, 20_000, 30_000, 65_535] {
        let outcome = ben.send(ms(0), &jumbo(CARAS, len));
        if len <= 20_000 {
            assert_eq!(outcome.dropped, [], "{len}");
            assert!(outcome.sent.iter().all(|(_, frame)| frame.len() <= 14 + 1532), "{len}");
        } else {
            assert_eq!(outcome.fate(), (vec![Discard::Fragment], 0), "{len}");
        }
        let outcome = ben.send(ms(0), &jumbo(Mac::BROADCAST, len));
        if len == 1500 {
            assert_eq!(outcome.sent.len(), 2);
        } else {
            assert_eq!(outcome.fate(), (vec![Discard::TooLong; 2], 0), "{len}: on both links");
        }
        assert_eq!(ben.send(ms(1), &hello(CARAS, BENS)).sent.len(), 1);
    }
}

/// A link with jumbo frames before one without: cut for the second, as any.
#[test]
fn fwd_113_jumbo_frames_from_the_mesh() {
    let mut ben = ben();
    let frame = |to| {
        let mut frame = hello(to, ANNAS);
        frame.resize(9000, 0);
        frame
    };
    let outcome =
        ben.receive(ms(0), 0, &on_air(BEN_0, ANNA, &unicast(50, 20, BEN_0, &frame(BENS))));
    assert_eq!((outcome.delivered.len(), outcome.dropped), (1, vec![]));
    let outcome =
        ben.receive(ms(0), 0, &on_air(BEN_0, ANNA, &unicast(50, 30, CARA, &frame(CARAS))));
    assert_eq!(outcome.dropped, []);
    assert!(outcome.sent.len() > 5 && outcome.sent.iter().all(|(_, part)| part.len() <= 14 + 1532));
    assert_eq!(ben.send(ms(1), &hello(CARAS, BENS)).sent.len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// DAT-51 to DAT-53: a server's answer with whatever options goes its way; it teaches two addresses or none.
    #[test]
    fn dat_51_any_dhcp_options(options in prop::collection::vec(
        prop_oneof![Just(53_u8), Just(5), Just(1), Just(0), Just(255), any::<u8>()], 0..80,
    )) {
        let mut ben = ben();
        ben.change(|node| node.dat = Some(Arc::new(DatRing::new([ANNA, CARA]))));
        let frame = ack((BENS_IP, BENS), (CARAS_IP, CARAS), &options);
        let outcome = ben.send(ms(0), &frame);
        let learned = ben.pipeline.arp_rows(ms(0)).count();
        prop_assert!(learned == 0 || learned == 2, "{}", learned);
        prop_assert_eq!((outcome.sent.len(), outcome.dropped), (1 + 2 * learned, vec![]));
        let packet = unicast(50, 20, BEN_0, &ack((ANNAS_IP, ANNAS), (BENS_IP, BENS), &options));
        let outcome = ben.receive(ms(0), 0, &on_air(BEN_0, ANNA, &packet));
        prop_assert_eq!((outcome.delivered.len(), outcome.dropped), (1, vec![]));
        prop_assert_eq!(ben.send(ms(1), &hello(CARAS, BENS)).sent.len(), 1);
    }
}
