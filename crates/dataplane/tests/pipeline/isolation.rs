//! Isolated clients are kept apart (TT-121 to TT-124, FWD-46, FWD-124).

use crate::support::*;
use noctule_fib::Isolation;
use noctule_wire::tvlv::translation_table::ClientFlags;
use noctule_wire::{Client, Discard, Mac, Vid};

const NONE: ClientFlags = ClientFlags::NONE;
const WIFI: ClientFlags = ClientFlags::WIFI;
const ISOLATED: ClientFlags = ClientFlags::ISOLATED;

/// Ben with isolation on or off for untagged frames; his client has the flags `here`, Cara's the flags `there`.
fn ben(on: bool, here: ClientFlags, there: ClientFlags) -> Ben {
    let mut ben = Ben::default();
    ben.writer.set_local(Client::untagged(BENS), here, ms(0));
    ben.announce(CARAS, there, &[CARA]);
    let mut isolation = Isolation::default();
    isolation.set(Vid::UNTAGGED, on);
    // Another VLAN's switch is another matter.
    isolation.set(Vid::from_tci(10), !on);
    ben.change(|node| node.isolation = isolation.into());
    ben
}

const MATRIX: [(bool, ClientFlags, ClientFlags, bool); 9] = [
    (true, WIFI, WIFI, false),
    (true, ISOLATED, ISOLATED, false),
    (true, WIFI.or(ISOLATED), ISOLATED, false),
    (true, WIFI, ISOLATED, true),
    (true, WIFI, NONE, true),
    (true, NONE, WIFI, true),
    (true, NONE, NONE, true),
    (false, WIFI, WIFI, true),
    (false, ISOLATED, ISOLATED, true),
];

#[test]
fn tt_121_fwd_46_a_frame_between_clients_of_one_kind_does_not_enter_the_mesh() {
    for (on, here, there, passes) in MATRIX {
        let outcome = ben(on, here, there).send(ms(0), &hello(CARAS, BENS));
        let expected = if passes { (vec![], 1) } else { (vec![Discard::Isolated], 0) };
        assert_eq!(
            (outcome.dropped, outcome.sent.len()),
            expected,
            "isolation {on}: {here:?} to {there:?}"
        );
    }
}

#[test]
fn tt_122_fwd_124_a_frame_between_clients_of_one_kind_is_not_delivered() {
    for (on, here, there, passes) in MATRIX {
        let packet = unicast(50, 20, BEN_0, &hello(BENS, CARAS));
        let outcome = ben(on, here, there).receive(ms(0), 1, &on_air(BEN_1, CARA, &packet));
        let expected = if passes { (vec![], 1) } else { (vec![Discard::Isolated], 0) };
        assert_eq!(
            (outcome.dropped, outcome.delivered.len()),
            expected,
            "isolation {on}: {there:?} to {here:?}"
        );
    }
}

#[test]
fn tt_123_what_is_for_all_passes_both_ways() {
    let frame = hello(Mac::BROADCAST, BENS);
    assert!(!ben(true, WIFI, WIFI).send(ms(0), &frame).sent.is_empty());
    let packet = broadcast(50, 7, CARA, &hello(Mac::BROADCAST, CARAS));
    let outcome =
        ben(true, ISOLATED, ISOLATED).receive(ms(0), 1, &on_air(Mac::BROADCAST, CARA, &packet));
    assert_eq!(outcome.delivered.len(), 1);
}

/// A client that the engine has yet to take in might be of any kind; only where that matters its frames have to wait.
#[test]
fn tt_121_a_client_nobody_knows_yet_does_not_reach_an_isolated_one() {
    let stranger = Mac([2, 0xc1, 0, 0, 0, 0x77]);
    let dropped = |there| ben(true, NONE, there).send(ms(0), &hello(CARAS, stranger)).dropped;
    assert_eq!(dropped(WIFI), [Discard::Isolated]);
    assert_eq!(dropped(ISOLATED), [Discard::Isolated]);
    assert_eq!(dropped(NONE), []);
    let off = ben(false, NONE, WIFI).send(ms(0), &hello(CARAS, stranger));
    assert_eq!(off.dropped, []);
}

/// TT-124: a source that is known from its payload alone has no flags yet.
#[test]
fn tt_124_a_source_that_is_not_announced_is_not_kept_apart() {
    let packet = unicast(50, 20, BEN_0, &hello(BENS, CARAS));
    let outcome =
        ben(true, WIFI, ClientFlags::TEMP).receive(ms(0), 1, &on_air(BEN_1, CARA, &packet));
    assert_eq!((outcome.dropped, outcome.delivered.len()), (vec![], 1));
}

/// TT-117: who passes a frame on does not ask what kind of client it is for.
#[test]
fn tt_117_a_relay_forwards_between_isolated_clients() {
    let mut ben = ben(true, WIFI, WIFI);
    ben.announce(ANNAS, WIFI, &[ANNA]);
    let packet = unicast(50, 30, CARA, &hello(CARAS, ANNAS));
    let outcome = ben.receive(ms(0), 0, &on_air(BEN_0, ANNA, &packet));
    assert_eq!((outcome.dropped, outcome.sent.len()), (vec![], 1));
}
