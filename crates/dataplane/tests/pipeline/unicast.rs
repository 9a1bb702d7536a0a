//! Unicast style packets on their way (FWD-65, FWD-71, FWD-72, FWD-74, FWD-76, FWD-110, FWD-112).

use crate::support::*;
use noctule_dataplane::pipeline::{Session, Transit, Verdict};
use noctule_fib::{Counter, NextHop, View};
use noctule_wire::unicast::Subtype;
use noctule_wire::{Discard, Mac};

#[test]
fn fwd_72_fwd_112_a_packet_in_transit_changes_only_ttl_and_outer_header() {
    let inner = hello(CARAS, ANNAS);
    let unknown = [&[0x63, 15, 50, 0x77], CARA.0.as_slice(), b"of the future"].concat();
    let rows = [
        unicast(50, 30, CARA, &inner),
        unicast_4addr(CARA, ANNA, Subtype::DatPut, &hello(STRANGER, ANNAS)),
        unknown,
    ];
    for packet in rows {
        let mut ben = Ben::default();
        // The 4-address builder writes version 20, which is older than Cara's 30: out of the TTVN check's way.
        ben.writer.set_ttvn(CARA, noctule_wire::Ttvn(20));
        let frame = on_air(BEN_0, ANNA, &packet);
        let outcome = ben.receive(ms(0), 0, &frame);
        let mut expected = on_air(CARA, BEN_1, &packet);
        expected[14 + 2] = 49;
        assert_eq!(outcome.sent, [(1, expected)]);
        assert_eq!(ben.out.pieces, 1, "rewritten in place");
        assert_eq!(
            outcome.counted,
            [(Counter::Forward, 1), (Counter::ForwardBytes, frame.len() as u64)]
        );
    }
}

#[test]
fn fwd_72_fwd_84_ttl_is_checked_before_it_is_decremented() {
    for (ttl, goes_on) in [(0, false), (1, false), (2, true), (255, true)] {
        for packet in [
            unicast(ttl, 30, CARA, &hello(CARAS, ANNAS)),
            [&[0x45, 15, ttl, 0], CARA.0.as_slice()].concat(),
        ] {
            let outcome = Ben::default().receive(ms(0), 0, &on_air(BEN_0, ANNA, &packet));
            if goes_on {
                assert_eq!(outcome.sent[0].1[16], ttl - 1, "never 0");
            } else {
                assert_eq!((outcome.dropped, outcome.sent), (vec![Discard::TtlSpent], vec![]));
            }
        }
    }
}

#[test]
fn fwd_71_the_ttl_of_a_packet_for_me_is_not_looked_at() {
    for ttl in [0, 1] {
        let packet = unicast(ttl, 20, BEN_0, &hello(BENS, ANNAS));
        let outcome = Ben::default().receive(ms(0), 0, &on_air(BEN_0, ANNA, &packet));
        assert_eq!(outcome.delivered, [hello(BENS, ANNAS)]);
    }
}

#[test]
fn fwd_72_fwd_110_unknown_originator_and_no_router_have_their_reasons() {
    for (destination, reason) in [(EVE, Discard::UnknownOriginator), (DORA, Discard::NoRoute)] {
        let packet = unicast(50, 0, destination, &hello(STRANGER, ANNAS));
        let outcome = Ben::default().receive(ms(0), 0, &on_air(BEN_0, ANNA, &packet));
        assert_eq!(outcome.fate(), (vec![reason], 0));
        assert_eq!(outcome.counted, [], "nothing counts as forwarded");
    }
}

#[test]
fn fwd_72_only_success_counts_as_forwarded() {
    let mut ben = Ben::default();
    ben.out.refuse_sending = Some(Discard::QueueFull);
    let outcome =
        ben.receive(ms(0), 0, &on_air(BEN_0, ANNA, &unicast(50, 30, CARA, &hello(CARAS, ANNAS))));
    assert_eq!((outcome.dropped, outcome.counted), (vec![Discard::QueueFull], vec![]));
}

/// What came in on a link takes that link's table, what starts here the default table, and neither the other's.
#[test]
fn fwd_110_each_arrival_interface_has_its_own_router() {
    let mut ben = Ben::default();
    let by = |iface, mac| Some(NextHop { iface: link(iface), mac });
    ben.writer.set_router(CARA, View::Arrival(link(0)), by(0, DORA));
    ben.writer.set_router(CARA, View::Arrival(link(1)), None);
    let packet = unicast(50, 30, CARA, &hello(CARAS, ANNAS));
    assert_eq!(ben.receive(ms(0), 0, &on_air(BEN_0, ANNA, &packet)).sent[0].1[..6], DORA.0);
    assert_eq!(ben.receive(ms(0), 1, &on_air(BEN_1, ANNA, &packet)).dropped, [Discard::NoRoute]);
    assert_eq!(ben.send(ms(0), &hello(CARAS, BENS)).sent[0].1[..6], CARA.0);
    ben.writer.set_router(CARA, View::Default, None);
    assert_eq!(ben.send(ms(0), &hello(CARAS, BENS)).dropped, [Discard::NoRoute]);
}

#[test]
fn fwd_65_a_short_inner_frame_is_dropped_in_the_middle_of_the_mesh() {
    for inner_len in 0..14 {
        let packet = unicast(50, 30, CARA, &vec![2; inner_len]);
        let outcome = Ben::default().receive(ms(0), 0, &on_air(BEN_0, ANNA, &packet));
        assert_eq!((outcome.dropped, outcome.sent.len()), (vec![Discard::Truncated], 0));
    }
}

#[test]
fn fwd_74_an_unknown_type_for_me_is_never_delivered() {
    for packet_type in [0x45, 0x7f] {
        let packet = [&[packet_type, 15, 50, 0], BEN_0.0.as_slice(), &hello(BENS, ANNAS)].concat();
        let outcome = Ben::default().receive(ms(0), 0, &on_air(BEN_0, ANNA, &packet));
        assert_eq!(outcome.fate(), (vec![Discard::Type], 0));
    }
}

#[test]
fn fwd_76_every_hop_shows_a_unicast_tvlv_to_its_engine() {
    for destination in [BEN_0, CARA, EVE] {
        let packet = [&[0x44, 15, 1, 0], destination.0.as_slice(), &ANNA.0, &[0, 3, 0, 0], b"abc"];
        let frame = on_air(BEN_0, ANNA, &packet.concat());
        let outcome = Ben::default().receive(ms(0), 0, &frame);
        assert_eq!(outcome.punted, [(0, frame.clone())], "as it came, for {destination}");
        assert_eq!(outcome.sent, []);
        // It says that its containers are longer than it is (WIRE-74).
        let outcome = Ben::default().receive(ms(0), 0, &frame[..frame.len() - 1]);
        assert_eq!(outcome.fate(), (vec![Discard::Truncated], 0));
    }
}

/// The verdict alone: whoever asks for it changes nothing, and two sessions agree.
#[test]
fn a_verdict_changes_nothing() {
    let mut ben = Ben::default();
    let frame =
        on_air(Mac::BROADCAST, ANNA, &broadcast(50, 9, ANNA, &hello(Mac::BROADCAST, ANNAS)));
    let judge = |session: Session<'_>| session.judge(link(0), &frame);
    let first = judge(ben.pipeline.session(ms(0)));
    assert!(matches!(first, Verdict::Rebroadcast { originator: ANNA, .. }));
    assert_eq!(
        judge(ben.pipeline.session(ms(0))),
        first,
        "not a duplicate of what was only judged"
    );
    let frame = on_air(BEN_0, ANNA, &unicast(50, 30, CARA, &hello(CARAS, ANNAS)));
    let verdict = ben.pipeline.session(ms(0)).judge(link(0), &frame);
    let Verdict::Forward(forward) = verdict else { panic!("{verdict:?}") };
    assert_eq!(
        (forward.destination, forward.redirect, forward.kind),
        (CARA, None, Transit::Payload)
    );
}
