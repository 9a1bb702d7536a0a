//! Broadcasts: sending and repeating (FWD-85 to FWD-89), receiving (FWD-93 to FWD-99), and where numbers start (FWD-161).

use crate::support::*;
use noctule_dataplane::pipeline::PipelineSettings;
use noctule_fib::{Counter, Neighbours};
use noctule_wire::{Discard, Mac};

fn inner() -> Vec<u8> {
    hello(Mac::BROADCAST, ANNAS)
}

/// A broadcast of Anna's as she sends it.
fn annas(ttl: u8, seqno: u32) -> Vec<u8> {
    on_air(Mac::BROADCAST, ANNA, &broadcast(ttl, seqno, ANNA, &inner()))
}

fn one(mac: Mac) -> Neighbours {
    Neighbours::One { address: mac, originator: mac }
}

#[test]
fn fwd_93_who_may_broadcast() {
    let group = Mac([3, 0, 0, 0, 0, 1]);
    let packet = |originator| broadcast(50, 1, originator, &inner());
    #[rustfmt::skip]
    let rows = [
        (on_air(Mac::BROADCAST, ANNA, &packet(ANNA)),  None,                             "Anna's, from Anna"),
        (on_air(Mac::BROADCAST, EVE, &packet(ANNA)),   None,                             "Anna's, by way of Eve"),
        (on_air(BEN_0, ANNA, &packet(ANNA)),           Some(Discard::Address),           "not to everybody"),
        (on_air(group, ANNA, &packet(ANNA)),           Some(Discard::Address),           "to another group"),
        (on_air(Mac::BROADCAST, group, &packet(ANNA)), Some(Discard::Address),           "from a group"),
        (on_air(Mac::BROADCAST, BEN_0, &packet(ANNA)), Some(Discard::Own),               "Ben sent that"),
        (on_air(Mac::BROADCAST, BEN_1, &packet(ANNA)), Some(Discard::Own),               "Ben sent that by his other link"),
        (on_air(Mac::BROADCAST, ANNA, &packet(BEN_0)), Some(Discard::Own),               "Ben's, repeated by Anna"),
        (on_air(Mac::BROADCAST, ANNA, &packet(EVE)),   Some(Discard::UnknownOriginator), "Eve is not known (FWD-95)"),
        (on_air(Mac::BROADCAST, ANNA, &packet(DORA)),  None,                             "Dora is known, if without a route"),
    ];
    for (frame, reason, because) in rows {
        let outcome = Ben::default().receive(ms(0), 0, &frame);
        assert_eq!(outcome.dropped, Vec::from_iter(reason), "{because}");
        assert_eq!(outcome.delivered.len(), usize::from(reason.is_none()), "{because}");
        assert_eq!(outcome.sent.is_empty(), reason.is_some(), "{because}");
    }
}

#[test]
fn fwd_94_the_ttl_comes_before_everything_and_does_not_mark_the_window() {
    let mut ben = Ben::default();
    for ttl in [0, 1] {
        let outcome = ben.receive(ms(0), 0, &annas(ttl, 7));
        assert_eq!(outcome.fate(), (vec![Discard::TtlSpent], 0));
    }
    let outcome = ben.receive(ms(0), 0, &annas(2, 7));
    assert_eq!(
        outcome.sent,
        [(1, on_air(Mac::BROADCAST, BEN_1, &broadcast(1, 7, ANNA, &inner())))]
    );
    assert_eq!(outcome.delivered, [inner()], "the payload is as it was");
    assert_eq!(ben.receive(ms(0), 0, &annas(50, 7)).dropped, [Discard::Duplicate]);
}

#[test]
fn fwd_96_a_number_is_taken_once_by_whatever_link_it_comes() {
    let mut ben = Ben::default();
    assert_eq!(ben.receive(ms(0), 0, &annas(50, 7)).delivered.len(), 1);
    let by_cara = on_air(Mac::BROADCAST, CARA, &broadcast(48, 7, ANNA, &inner()));
    let outcome = ben.receive(ms(0), 1, &by_cara);
    assert_eq!(outcome.fate(), (vec![Discard::Duplicate], 0));
    let hello = hello(Mac::BROADCAST, CARAS);
    let caras_own = on_air(Mac::BROADCAST, CARA, &broadcast(50, 7, CARA, &hello));
    assert_eq!(
        ben.receive(ms(0), 1, &caras_own).delivered.len(),
        1,
        "each originator has its window"
    );
}

/// FWD-96: the engine forgot the originator and found it anew; its window starts afresh although it was reset just now.
#[test]
fn fwd_96_a_new_life_has_a_new_window() {
    let mut ben = Ben::default();
    assert_eq!(ben.receive(ms(0), 0, &annas(50, 1 << 30)).dropped, []);
    assert_eq!(ben.receive(ms(1), 0, &annas(50, 7)).dropped, [Discard::Protected]);
    ben.writer.remove_originator(ANNA);
    assert_eq!(ben.receive(ms(2), 0, &annas(50, 7)).dropped, [Discard::UnknownOriginator]);
    ben.writer.add_originator(ANNA);
    assert_eq!(ben.receive(ms(3), 0, &annas(50, 7)).dropped, []);
    assert_eq!(ben.receive(ms(4), 0, &annas(50, 7)).dropped, [Discard::Duplicate]);
}

/// The table of windows is bounded; originators that the engine has forgotten make room, living ones never do.
#[test]
fn fwd_96_forgotten_originators_make_room() {
    let mut settings = PipelineSettings::new(KEY);
    settings.originators = 2;
    let mut ben = Ben::with(settings);
    let by = |originator: Mac, seqno| {
        let hello = hello(Mac::BROADCAST, originator);
        on_air(Mac::BROADCAST, EVE, &broadcast(50, seqno, originator, &hello))
    };
    assert_eq!(ben.receive(ms(0), 0, &by(ANNA, 1)).dropped, []);
    assert_eq!(ben.receive(ms(0), 0, &by(CARA, 1)).dropped, []);
    assert_eq!(ben.receive(ms(0), 0, &by(DORA, 1)).dropped, [Discard::TableFull]);
    ben.writer.remove_originator(ANNA);
    assert_eq!(
        ben.receive(ms(999), 0, &by(DORA, 1)).dropped,
        [Discard::TableFull],
        "once a second"
    );
    assert_eq!(ben.receive(ms(1000), 0, &by(DORA, 1)).dropped, []);
    assert_eq!(ben.receive(ms(1000), 0, &by(CARA, 1)).dropped, [Discard::Duplicate], "Cara stayed");
}

#[test]
fn fwd_86_where_a_copy_is_a_waste() {
    // The neighbours of link 1; who sent the packet into the mesh; whom Ben has it from => a copy leaves by link 1.
    let stranger = Neighbours::One { address: EVE, originator: DORA };
    #[rustfmt::skip]
    let rows = [
        (Neighbours::None, ANNA, ANNA, false, "nobody is there"),
        (Neighbours::Many, ANNA, ANNA, true,  "several are there"),
        (Neighbours::Many, CARA, CARA, true,  "several are there: some may not have heard it"),
        (one(CARA),        ANNA, ANNA, true,  "Cara needs it"),
        (one(CARA),        CARA, ANNA, false, "Cara sent it into the mesh"),
        (one(CARA),        ANNA, CARA, false, "Cara is who it came from"),
        (stranger,         DORA, ANNA, false, "the neighbour's originator sent it (FWD-87)"),
        (stranger,         EVE,  ANNA, true,  "with IV an interface is an originator of its own (FWD-87)"),
        (stranger,         ANNA, EVE,  false, "from that neighbour's interface"),
    ];
    for (neighbours, originator, from, copied, because) in rows {
        let mut ben = Ben::default();
        ben.writer.add_originator(EVE);
        ben.change_link(0, |link| link.neighbours = Neighbours::None);
        ben.change_link(1, |link| link.neighbours = neighbours);
        let frame = on_air(Mac::BROADCAST, from, &broadcast(50, 1, originator, &inner()));
        let outcome = ben.receive(ms(0), 1, &frame);
        assert_eq!(outcome.sent.len(), usize::from(copied), "{because}");
        assert_eq!((outcome.delivered.len(), outcome.dropped.len()), (1, 0), "{because}");
    }
}

#[test]
fn fwd_86_own_broadcasts_go_where_somebody_is() {
    for (neighbours, copied) in
        [(Neighbours::None, false), (Neighbours::Many, true), (one(CARA), true)]
    {
        let mut ben = Ben::default();
        ben.change_link(0, |link| link.neighbours = Neighbours::None);
        ben.change_link(1, |link| link.neighbours = neighbours);
        let outcome = ben.send(ms(0), &hello(Mac::BROADCAST, BENS));
        assert_eq!(outcome.sent.len(), usize::from(copied));
        assert_eq!(outcome.dropped, if copied { vec![] } else { vec![Discard::NoNeighbour] });
        assert_eq!(outcome.counted(Counter::Tx), 1, "sent all the same (FWD-40)");
    }
}

/// Also out of the link it came in by: others there may not hear who sent it.
#[test]
fn fwd_97_the_receiving_interface_repeats_too() {
    let mut ben = Ben::default();
    ben.change_link(0, |link| link.neighbours = Neighbours::Many);
    let outcome = ben.receive(ms(0), 0, &annas(50, 1));
    assert_eq!(outcome.sent.iter().map(|(iface, _)| *iface).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn fwd_11_fwd_85_fwd_88_wifi_gets_three_copies_5_ms_apart() {
    let mut ben = Ben::default();
    ben.change_link(1, |link| link.wifi = true);
    let first = ben.receive(ms(0), 0, &annas(50, 1));
    assert_eq!(first.sent.len(), 1);
    let mut times = Vec::new();
    while let Some(due) = ben.pipeline.next_deadline() {
        let early = due - core::time::Duration::from_micros(1);
        assert_eq!(ben.on_deadline(early).sent, [], "not before its time");
        let repeated = ben.on_deadline(due);
        assert_eq!(repeated.sent, first.sent, "byte for byte (FWD-88)");
        assert_eq!(repeated.delivered, Vec::<Vec<u8>>::new());
        times.push(due.since(ms(0)).as_millis());
    }
    assert_eq!(times, [5, 10]);
    // The same for what starts here, and once on a wire.
    let first = ben.send(ms(100), &hello(Mac::BROADCAST, BENS));
    assert_eq!(first.sent.len(), 2);
    assert_eq!(ben.on_deadline(ms(105)).sent, first.sent[1..]);
    assert_eq!(ben.on_deadline(ms(110)).sent, first.sent[1..]);
    assert_eq!(ben.pipeline.next_deadline(), None);
}

#[test]
fn fwd_88_a_late_worker_still_keeps_copies_apart() {
    let mut ben = Ben::default();
    ben.change_link(1, |link| link.wifi = true);
    ben.receive(ms(0), 0, &annas(50, 1));
    assert_eq!(ben.on_deadline(ms(500)).sent.len(), 1);
    assert_eq!(ben.pipeline.next_deadline(), Some(ms(505)));
}

#[test]
fn fwd_89_the_queue_has_256_places_and_full_means_busy() {
    let mut ben = Ben::default();
    ben.change_link(0, |link| (link.wifi, link.neighbours) = (true, Neighbours::Many));
    for seqno in 0..PipelineSettings::BROADCAST_QUEUE as u32 {
        assert_eq!(ben.receive(ms(0), 0, &annas(50, seqno + 1)).delivered.len(), 1);
    }
    // A received one: link 0 has its copy, link 1 is not yet served and gets nothing, nor does the host (FWD-97).
    let outcome = ben.receive(ms(0), 0, &annas(50, 257));
    assert_eq!(outcome.dropped, [Discard::QueueFull]);
    assert_eq!(outcome.sent.iter().map(|(iface, _)| *iface).collect::<Vec<_>>(), [0]);
    assert_eq!(outcome.delivered, Vec::<Vec<u8>>::new());
    // An own one counts as sent.
    let outcome = ben.send(ms(0), &hello(Mac::BROADCAST, BENS));
    assert_eq!(
        (outcome.dropped.as_slice(), outcome.sent.len()),
        ([Discard::QueueFull].as_slice(), 1)
    );
    assert_eq!((outcome.counted(Counter::Tx), outcome.counted(Counter::TxDropped)), (1, 0));
    // Two rounds of repetitions make room again.
    assert_eq!(ben.on_deadline(ms(5)).sent.len(), 256);
    assert_eq!(ben.on_deadline(ms(10)).sent.len(), 256);
    assert_eq!(ben.receive(ms(10), 0, &annas(50, 258)).delivered.len(), 1);
}

#[test]
fn fwd_10_copies_from_or_for_an_interface_that_has_gone_are_dropped() {
    let mut queued = Vec::new();
    for gone in [0, 1] {
        let mut ben = Ben::default();
        ben.change_link(1, |link| link.wifi = true);
        ben.receive(ms(0), 0, &annas(50, 1));
        ben.change(|node| node.ifaces[gone] = None);
        queued.push(ben.on_deadline(ms(5)));
        assert_eq!(ben.pipeline.next_deadline(), None, "all repetitions");
    }
    for outcome in queued {
        assert_eq!((outcome.sent.len(), outcome.dropped), (0, vec![Discard::Inactive]));
    }
}

/// A copy carries the MAC that its interface had: after a change of that MAC it would be somebody else's.
#[test]
fn fwd_10_copies_under_an_old_mac_are_dropped() {
    let mut ben = Ben::default();
    ben.change_link(1, |link| link.wifi = true);
    ben.receive(ms(0), 0, &annas(50, 1));
    ben.change_link(1, |link| link.mac = EVE);
    assert_eq!(ben.on_deadline(ms(5)).dropped, [Discard::Inactive]);
}

#[test]
fn fwd_97_without_a_primary_nothing_is_repeated_or_delivered() {
    let mut ben = Ben::default();
    ben.change(|node| node.primary = None);
    let outcome = ben.receive(ms(0), 0, &annas(50, 1));
    assert_eq!(outcome.fate(), (vec![Discard::NoPrimary], 0));
}

#[test]
fn fwd_99_a_short_inner_frame_is_repeated_but_not_delivered() {
    for len in [0, 1, 13] {
        let frame = on_air(Mac::BROADCAST, ANNA, &broadcast(50, 1, ANNA, &inner()[..len]));
        let outcome = Ben::default().receive(ms(0), 0, &frame);
        assert_eq!((outcome.sent.len(), outcome.delivered.len()), (1, 0));
        assert_eq!(outcome.dropped, [Discard::Truncated]);
    }
}

/// A host frame of 1486 bytes is the longest whose broadcast fits a link of 1500: IP packets of 1472 bytes.
#[test]
fn fwd_19_broadcasts_are_never_cut() {
    for (ip_len, fits) in [(1472, true), (1473, false)] {
        let mut ben = Ben::default();
        ben.change_link(0, |link| link.mtu = 1500);
        let frame = ethernet(Mac::BROADCAST, BENS, 0x88b5, &vec![1; ip_len]);
        let outcome = ben.send(ms(0), &frame);
        assert_eq!(outcome.sent.len(), 1 + usize::from(fits), "link 1 takes up to 1532");
        assert_eq!(outcome.dropped, if fits { vec![] } else { vec![Discard::TooLong] });
        assert_eq!(outcome.counted(Counter::FragTx), 0);
    }
}

/// The counter goes on from where the owner of the tables started it, without a gap.
#[test]
fn fwd_161_the_counter_starts_where_the_owner_says() {
    let mut ben = Ben::default();
    for expected in 5000..5003u32 {
        let outcome = ben.send(ms(0), &hello(Mac::BROADCAST, BENS));
        assert_eq!(outcome.sent[0].1[18..22], expected.to_be_bytes());
    }
}
