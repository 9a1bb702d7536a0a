//! The TTVN check on the data path (FWD-66 to FWD-68, TT-111 to TT-118). Ben's own version is 20, Anna's 10, Cara's 30.

use crate::support::*;
use noctule_wire::tvlv::translation_table::ClientFlags;
use noctule_wire::{Client, Discard, Mac, Ttvn};

/// What becomes of a packet, and with which version it goes on.
#[derive(Debug, Eq, PartialEq)]
enum Fate {
    Delivered,
    To(Mac, u8),
    Dropped(Discard),
}
use Fate::{Delivered, Dropped, To};

fn fate(ben: &mut Ben, ttvn: u8, originator: Mac, client: Mac) -> Fate {
    let inner = hello(client, STRANGER);
    let packet = unicast(50, ttvn, originator, &inner);
    let outcome = ben.receive(ms(0), 0, &on_air(BEN_0, ANNA, &packet));
    assert_eq!(outcome.outputs() + outcome.dropped.len(), 1, "one fate: {outcome:?}");
    if let Some(reason) = outcome.dropped.first() {
        return Dropped(*reason);
    }
    let Some((_, frame)) = outcome.sent.first() else {
        assert_eq!(outcome.delivered, [inner]);
        return Delivered;
    };
    assert_eq!(frame[14 + 2], 49, "the TTL goes on from where it was (TT-117)");
    assert_eq!(frame[24..], inner, "the payload stays as it is (TT-120)");
    To(Mac::from_prefix(&frame[18..]).unwrap(), frame[17])
}

#[test]
fn fwd_66_tt_116_only_an_older_version_is_looked_into() {
    #[rustfmt::skip]
    let rows = [
        // version, to, client => fate, because
        (30,  CARA,  CARAS,          To(CARA, 30),                           "up to date"),
        (31,  CARA,  CARAS,          To(CARA, 31),                           "the sender knows more than we"),
        (30,  CARA,  STRANGER,       To(CARA, 30),                           "up to date: nobody asks whose client that is"),
        (158, CARA,  STRANGER,       To(CARA, 158),                          "exactly 128 apart is not before (WIRE-14)"),
        (159, CARA,  STRANGER,       Dropped(Discard::OutdatedTtvn),         "129 apart is"),
        (29,  CARA,  STRANGER,       Dropped(Discard::OutdatedTtvn),         "older, and nobody has the client"),
        (29,  CARA,  ANNAS,          To(ANNA, 10),                           "older, and Anna has the client"),
        (29,  CARA,  BENS,           Delivered,                              "older, and Ben has the client"),
        (29,  CARA,  CARAS,          To(CARA, 29),                           "older, but nobody better is known (TT-118, FWD-68)"),
        (29,  CARA,  Mac::BROADCAST, To(CARA, 29),                           "groups are not checked"),
        (20,  BEN_0, STRANGER,       Delivered,                              "for Ben: delivered without asking (TT-119)"),
        (19,  BEN_0, STRANGER,       Dropped(Discard::OutdatedTtvn),         "for Ben, older, and nobody has the client"),
        (19,  BEN_0, BENS,           Delivered,                              "for Ben, older, and he has the client"),
        (19,  BEN_1, BENS,           Delivered,                              "for another interface of Ben's"),
        (19,  BEN_0, CARAS,          To(CARA, 30),                           "for Ben, older, and Cara has the client"),
        (0,   EVE,   CARAS,          Dropped(Discard::UnknownOriginator),    "no version known to compare with"),
    ];
    for (ttvn, originator, client, expected, because) in rows {
        assert_eq!(fate(&mut Ben::default(), ttvn, originator, client), expected, "{because}");
    }
}

/// A group is not checked even if the packet is for an originator that nobody knows: then forwarding finds out.
#[test]
fn fwd_66_tt_114_groups_skip_the_check() {
    let mut ben = Ben::default();
    assert_eq!(fate(&mut ben, 0, EVE, Mac::BROADCAST), Dropped(Discard::UnknownOriginator));
    assert_eq!(fate(&mut ben, 0, BEN_0, Mac::BROADCAST), Delivered);
}

#[test]
fn fwd_66_tt_115_a_client_that_roamed_away_is_redirected_whatever_the_version() {
    let mut ben = Ben::default();
    ben.writer.set_local(Client::untagged(BENS), ClientFlags::ROAM.or(ClientFlags::PENDING), ms(0));
    assert_eq!(fate(&mut ben, 20, BEN_0, BENS), Delivered, "no way known: in any case keep it");
    ben.announce(BENS, ClientFlags::ROAM, &[CARA]);
    assert_eq!(fate(&mut ben, 20, BEN_0, BENS), To(CARA, 30));
    assert_eq!(fate(&mut ben, 19, BEN_0, BENS), To(CARA, 30));
    assert_eq!(fate(&mut ben, 10, ANNA, BENS), To(CARA, 30), "also what is only passing by");
}

/// A client that is PENDING, removed and not yet committed, is none of ours: only what carries the current version is
/// delivered, as without any entry.
#[test]
fn fwd_66_tt_116_a_leaving_client_is_not_here() {
    let mut ben = Ben::default();
    ben.writer.set_local(Client::untagged(BENS), ClientFlags::PENDING, ms(0));
    assert_eq!(fate(&mut ben, 19, BEN_0, BENS), Dropped(Discard::OutdatedTtvn));
    assert_eq!(fate(&mut ben, 20, BEN_0, BENS), Delivered, "TT-119");
    assert_eq!(fate(&mut ben, 29, CARA, BENS), Dropped(Discard::OutdatedTtvn));
    assert_eq!(fate(&mut ben, 30, CARA, BENS), To(CARA, 30));
    ben.announce(BENS, ClientFlags::NONE, &[CARA]);
    assert_eq!(fate(&mut ben, 19, BEN_0, BENS), To(CARA, 30));
    ben.send(ms(0), &hello(Mac::BROADCAST, BENS));
    assert_eq!(fate(&mut ben, 19, BEN_0, BENS), Delivered, "it has spoken again");
    ben.writer.set_local(Client::untagged(BENS), ClientFlags::NEW, ms(0));
    assert_eq!(fate(&mut ben, 19, BEN_0, BENS), Delivered, "NEW is one of ours (TT-24)");
}

#[test]
fn fwd_67_the_better_of_two_announcers_gets_it() {
    let mut ben = Ben::default();
    ben.writer.set_metric(ANNA, 100);
    ben.announce(STRANGER, ClientFlags::NONE, &[ANNA, CARA]);
    assert_eq!(fate(&mut ben, 19, BEN_0, STRANGER), To(CARA, 30));
    ben.writer.set_metric(ANNA, 201);
    assert_eq!(fate(&mut ben, 19, BEN_0, STRANGER), To(ANNA, 10));
}

/// The client spoke a moment ago, and the engine has yet to publish it: it is ours already.
#[test]
fn fwd_66_a_new_local_client_counts_while_its_hint_is_in_flight() {
    let mut ben = Ben::default();
    assert_eq!(fate(&mut ben, 19, BEN_0, EVE), Dropped(Discard::OutdatedTtvn));
    ben.send(ms(0), &hello(Mac::BROADCAST, EVE));
    assert_eq!(fate(&mut ben, 19, BEN_0, EVE), Delivered);
    ben.announce(EVE, ClientFlags::NONE, &[CARA]);
    assert_eq!(fate(&mut ben, 19, BEN_0, EVE), To(CARA, 30), "what the tables say counts for more");
}

/// It roamed away, and comes back: its first frame makes it ours before the engine has cleared the flag.
#[test]
fn fwd_66_a_client_that_just_came_back_is_not_sent_away() {
    let mut ben = Ben::default();
    ben.announce(BENS, ClientFlags::NONE, &[CARA]);
    ben.writer.set_local(Client::untagged(BENS), ClientFlags::ROAM, ms(0));
    assert_eq!(fate(&mut ben, 20, BEN_0, BENS), To(CARA, 30));
    ben.send(ms(0), &hello(Mac::BROADCAST, BENS));
    assert_eq!(fate(&mut ben, 20, BEN_0, BENS), Delivered);
    assert_eq!(fate(&mut ben, 19, BEN_0, BENS), Delivered);
}

#[test]
fn fwd_66_the_vlan_is_part_of_who_the_client_is() {
    use noctule_fib::{Announcers, GlobalClient};
    use noctule_wire::Vid;
    let mut ben = Ben::default();
    let tagged = Client::new(CARAS, Vid::from_tci(7));
    let entry = GlobalClient { flags: ClientFlags::NONE, announcers: Announcers::One(ANNA) };
    ben.writer.set_global(tagged, entry);
    ben.writer.set_own_ttvn(Ttvn(21));
    let inner = ethernet(CARAS, STRANGER, 0x8100, &[0, 7, 8, 0, 1, 2, 3]);
    let outcome = ben.receive(ms(0), 0, &on_air(BEN_0, ANNA, &unicast(50, 20, BEN_0, &inner)));
    assert_eq!(outcome.sent[0].1[18..24], ANNA.0, "on VLAN 7 Anna has it");
    assert_eq!(fate(&mut ben, 20, BEN_0, CARAS), To(CARA, 30));
}
