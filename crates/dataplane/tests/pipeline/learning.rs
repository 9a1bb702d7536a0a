//! Clients learned from payload (FWD-29, FWD-123, TT-16, TT-17, TT-101 to TT-103), and the answer that comes before the
//! engine has published who asked.

use crate::support::*;
use noctule_dataplane::Hint;
use noctule_wire::tvlv::translation_table::ClientFlags;
use noctule_wire::unicast::Subtype;
use noctule_wire::{Client, Discard, Mac, Vid};

fn local(mac: Mac) -> Hint {
    Hint::Local(Client::untagged(mac))
}

fn behind(mac: Mac, originator: Mac) -> Hint {
    Hint::Remote { client: Client::untagged(mac), originator }
}

/// A broadcast of Anna's with this inner source.
fn heard(seqno: u32, source: Mac) -> Vec<u8> {
    on_air(Mac::BROADCAST, ANNA, &broadcast(50, seqno, ANNA, &hello(Mac::BROADCAST, source)))
}

#[test]
fn fwd_29_tt_16_the_source_of_a_host_frame_is_learned() {
    let leaving = ClientFlags::PENDING;
    let roaming = ClientFlags::ROAM;
    #[rustfmt::skip]
    let rows = [
        // source, flags of its local entry => a hint goes out, because
        (STRANGER,                          None,                   true,  "not known"),
        (STRANGER,                          Some(ClientFlags::NONE), false, "known"),
        (STRANGER,                          Some(ClientFlags::NEW), false, "known, not yet announced"),
        (STRANGER,                          Some(leaving),          true,  "it is leaving, and speaks again"),
        (STRANGER,                          Some(roaming),          true,  "it roamed away, and is back"),
        (Mac([3, 0, 0, 0, 0, 1]),           None,                   false, "a group is nobody's address"),
        (Mac::ZERO,                         None,                   false, "nor is zero"),
        (Mac([0xba, 0xbe, 0, 0, 0, 1]),     None,                   false, "loop detection"),
    ];
    for (source, flags, hinted, because) in rows {
        let mut ben = Ben::default();
        if let Some(flags) = flags {
            ben.writer.set_local(Client::untagged(source), flags, ms(0));
        }
        let outcome = ben.send(ms(700), &hello(Mac::BROADCAST, source));
        assert_eq!(outcome.hints, if hinted { vec![local(source)] } else { vec![] }, "{because}");
        assert_eq!(outcome.sent.len(), 2, "the frame goes its way: {because}");
        let stamp = if flags.is_some() && !hinted { Some(ms(700)) } else { flags.map(|_| ms(0)) };
        assert_eq!(ben.writer.local_last_seen(Client::untagged(source)), stamp, "{because}");
    }
}

#[test]
fn tt_17_with_a_full_table_only_known_clients_may_send() {
    let mut ben = Ben::default();
    ben.change(|node| node.local_full = true);
    let outcome = ben.send(ms(0), &hello(Mac::BROADCAST, STRANGER));
    assert_eq!(
        (outcome.dropped, outcome.hints, outcome.sent.len()),
        (vec![Discard::TableFull], vec![], 0)
    );
    assert_eq!(ben.send(ms(0), &hello(Mac::BROADCAST, BENS)).sent.len(), 2);
    ben.writer.set_local(Client::untagged(BENS), ClientFlags::ROAM, ms(0));
    let back = ben.send(ms(0), &hello(Mac::BROADCAST, BENS));
    assert_eq!((back.sent.len(), back.hints), (2, vec![local(BENS)]), "it is in the table");
}

#[test]
fn fwd_29_a_burst_makes_one_hint_and_a_lost_one_is_repeated() {
    let mut ben = Ben::default();
    let mut hints = Vec::new();
    for at in [0, 1, 50, 99, 100, 101, 199, 200] {
        hints.push(ben.send(ms(at), &hello(Mac::BROADCAST, STRANGER)).hints.len());
    }
    assert_eq!(hints, [1, 0, 0, 0, 1, 0, 0, 1]);
    ben.out.refuse_hints = true;
    let outcome = ben.send(ms(300), &hello(Mac::BROADCAST, STRANGER));
    assert_eq!(outcome.dropped, [Discard::QueueFull], "a lost hint is counted");
    assert_eq!(outcome.sent.len(), 2, "but its frame goes out");
}

#[test]
fn fwd_123_tt_101_who_teaches_whom() {
    let inner = hello(BENS, STRANGER);
    let four = |subtype| on_air(BEN_0, ANNA, &unicast_4addr(BEN_0, ANNA, subtype, &inner));
    let from_eve = on_air(BEN_0, ANNA, &unicast_4addr(BEN_0, EVE, Subtype::Data, &inner));
    #[rustfmt::skip]
    let rows = [
        (heard(1, STRANGER),                                            true,  "a broadcast names its originator"),
        (four(Subtype::Data),                                           true,  "so does a 4-address data packet"),
        (four(Subtype::DatGet),                                         false, "not a question to the DAT"),
        (four(Subtype::DatPut),                                         false, "nor an entry for it"),
        (four(Subtype::DatCachedReply),                                 false, "nor an answer from it"),
        (four(Subtype::Unknown(9)),                                     false, "an unknown subtype is not learned from (WIRE-46)"),
        (from_eve,                                                      false, "the originator must be known"),
        (on_air(BEN_0, ANNA, &unicast(50, 20, BEN_0, &inner)),          false, "plain unicast names nobody"),
        (heard(1, Mac([0xba, 0xbe, 0, 0, 0, 1])),                       false, "loop detection"),
        (heard(1, Mac([3, 0, 0, 0, 0, 1])),                             false, "a group"),
        (heard(1, Mac::ZERO),                                           false, "zero"),
    ];
    for (frame, learned, because) in rows {
        let outcome = Ben::default().receive(ms(0), 0, &frame);
        let expected = if learned { vec![behind(STRANGER, ANNA)] } else { vec![] };
        assert_eq!(outcome.hints, expected, "{because}");
        assert_eq!(outcome.delivered.len(), 1, "{because}");
    }
}

#[test]
fn fwd_123_tt_103_what_is_known_is_not_learned_again() {
    let temporary = ClientFlags::TEMP;
    #[rustfmt::skip]
    let rows: [(_, Option<&[Mac]>, _, bool, &str); 7] = [
        (ClientFlags::NONE, Some(&[CARA]),       None,                    false, "announced by Cara: payload never moves it"),
        (ClientFlags::ROAM, Some(&[CARA]),       None,                    false, "announced, and roaming"),
        (temporary,         Some(&[ANNA]),       None,                    false, "learned from Anna before"),
        (temporary,         Some(&[CARA]),       None,                    true,  "learned from Cara: it moved"),
        (ClientFlags::NONE, None,                Some(ClientFlags::NONE), false, "ours, and announced"),
        (ClientFlags::NONE, None,                Some(ClientFlags::NEW),  true,  "ours, but not yet announced"),
        (ClientFlags::NONE, None,                None,                    true,  "not known"),
    ];
    for (flags, announcers, local, learned, because) in rows {
        let mut ben = Ben::default();
        if let Some(announcers) = announcers {
            ben.announce(STRANGER, flags, announcers);
        }
        if let Some(flags) = local {
            ben.writer.set_local(Client::untagged(STRANGER), flags, ms(0));
        }
        assert_eq!(
            ben.receive(ms(0), 0, &heard(1, STRANGER)).hints.len(),
            usize::from(learned),
            "{because}"
        );
    }
}

#[test]
fn fwd_123_a_burst_makes_one_hint_for_each_place() {
    let mut ben = Ben::default();
    let mut hints = Vec::new();
    for (seqno, at) in [(1, 0), (2, 99), (3, 100), (4, 150)] {
        hints.push(ben.receive(ms(at), 0, &heard(seqno, STRANGER)).hints.len());
    }
    assert_eq!(hints, [1, 0, 1, 0]);
    let other = ethernet(Mac::BROADCAST, STRANGER, 0x88b5, b"another frame than the one before");
    let from_cara = on_air(Mac::BROADCAST, CARA, &broadcast(50, 1, CARA, &other));
    assert_eq!(
        ben.receive(ms(151), 1, &from_cara).hints,
        [behind(STRANGER, CARA)],
        "it moved: at once"
    );
}

#[test]
fn fwd_123_the_vlan_is_learned_with_the_client() {
    let inner = ethernet(Mac::BROADCAST, STRANGER, 0x8100, &[0x20, 7, 8, 0, 1]);
    let outcome = Ben::default().receive(
        ms(0),
        0,
        &on_air(Mac::BROADCAST, ANNA, &broadcast(50, 1, ANNA, &inner)),
    );
    let client = Client::new(STRANGER, Vid::from_tci(7));
    assert_eq!(outcome.hints, [Hint::Remote { client, originator: ANNA }]);
}

/// An ARP request comes as a broadcast; the answer must not be lost while the engine has yet to learn who asked.
#[test]
fn tt_103_a_client_is_usable_at_once() {
    let mut ben = Ben::default();
    let answer = hello(STRANGER, BENS);
    assert_eq!(ben.send(ms(0), &answer).dropped, [Discard::UnknownClient]);
    ben.receive(ms(0), 0, &heard(1, STRANGER));
    let expected = on_air(ANNA, BEN_0, &unicast(50, 10, ANNA, &answer));
    assert_eq!(ben.send(ms(0), &answer).sent, [(0, expected.clone())]);
    assert_eq!(ben.send(ms(1999), &answer).sent, [(0, expected)]);
    assert_eq!(
        ben.send(ms(2000), &answer).dropped,
        [Discard::UnknownClient],
        "the engine had its time"
    );
}

#[test]
fn tt_103_what_the_tables_say_counts_for_more_than_a_hint() {
    let mut ben = Ben::default();
    ben.receive(ms(0), 0, &heard(1, STRANGER));
    ben.announce(STRANGER, ClientFlags::NONE, &[CARA]);
    assert_eq!(ben.send(ms(0), &hello(STRANGER, BENS)).sent[0].0, 1, "to Cara");
    ben.announce(STRANGER, ClientFlags::NONE, &[DORA]);
    assert_eq!(ben.send(ms(0), &hello(STRANGER, BENS)).dropped, [Discard::NoRoute]);
}

#[test]
fn tt_103_a_hint_about_an_originator_that_has_gone_leads_nowhere() {
    let mut ben = Ben::default();
    ben.receive(ms(0), 0, &heard(1, STRANGER));
    ben.writer.set_router(ANNA, noctule_fib::View::Default, None);
    assert_eq!(ben.send(ms(0), &hello(STRANGER, BENS)).dropped, [Discard::NoRoute]);
    ben.writer.remove_originator(ANNA);
    assert_eq!(ben.send(ms(0), &hello(STRANGER, BENS)).dropped, [Discard::UnknownOriginator]);
}

/// The memory for hints is of fixed size: a flood of sources makes it forget, and nothing else.
#[test]
fn tt_105_a_flood_of_sources_grows_nothing() {
    let mut settings = noctule_dataplane::pipeline::PipelineSettings::new(KEY);
    settings.recent_clients = 16;
    let mut ben = Ben::with(settings);
    for number in 0..2000u32 {
        let [_, _, a, b] = number.to_be_bytes();
        let source = Mac([2, 0xee, 0, 0, a, b]);
        assert_eq!(ben.receive(ms(0), 0, &heard(number + 1, source)).hints.len(), 1);
    }
    let usable = (0..2000u32).filter(|number| {
        let [_, _, a, b] = number.to_be_bytes();
        !ben.send(ms(0), &hello(Mac([2, 0xee, 0, 0, a, b]), BENS)).sent.is_empty()
    });
    assert_eq!(usable.count(), 16);
}
