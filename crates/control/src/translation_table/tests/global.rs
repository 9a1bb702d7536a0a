//! Section 9: the global table.

use super::*;

const OWN_B: (Client, ClientFlags) = (Client::untagged(Mac([2, 0xba, 0, 0, 0, 0x0b])), NONE);
const OWN_C: (Client, ClientFlags) = (Client::untagged(Mac([2, 0xba, 0, 0, 0, 0x0c])), NONE);

/// A that has heard the tables of B and C, each with its own address and these clients.
fn node(b: &[(Client, ClientFlags)], c: &[(Client, ClientFlags)]) -> Node {
    let mut node = Node::up(A);
    let b = [&[OWN_B], b].concat();
    let c = [&[OWN_C], c].concat();
    node.hear(B, &ogm(1, &b, &rows(&b)));
    node.hear(C, &ogm(1, &c, &rows(&c)));
    assert_eq!(node.sent(), [] as [Vec<u8>; 0]);
    node
}

#[test]
fn tt_59_a_new_originator_starts_from_nothing() {
    let mut node = Node::up(A);
    node.payload(X, B);
    let peer = node.table.global.peer(B).unwrap();
    assert!((peer.ttvn, peer.initialized, peer.last_diff.is_none()) == (Ttvn(0), false, true));
}

/// TT-60 [DEV]: a VLAN record exists while the originator lists clients there, temporary ones not counted.
#[test]
fn tt_60_vlan_records_come_and_go_with_clients() {
    let mut node = Node::up(A);
    node.payload(Y, B);
    assert!(node.table.global.peer(B).unwrap().vlans.is_empty());
    let table = [OWN_B, (Y, NONE)];
    node.hear(B, &ogm(1, &table, &rows(&table)));
    assert_eq!(node.table.global.peer(B).unwrap().vlans.len(), 2);
    node.hear(B, &ogm(2, &[OWN_B], &[change(DEL, Y)]));
    assert_eq!(node.table.global.peer(B).unwrap().vlans.len(), 1);
    assert_eq!(node.sent(), [] as [Vec<u8>; 0], "TT-82: in step after every change");
    node.hear(B, &ogm(2, &table, &[]));
    assert_eq!(node.sent().len(), 1, "TT-82: a record without clients never matches");
}

/// TT-61: only the originator's own word changes the CRC that its OGMs are compared with.
#[test]
fn tt_61_the_stored_crc_is_a_snapshot() {
    let mut node = node(&[(X, NONE)], &[]);
    let unchanged = ogm(1, &[OWN_B, (X, NONE)], &[]);
    type Step = (&'static str, fn(&mut Node));
    let steps: [Step; 4] = [
        ("X comes to us and is marked ROAM", |node| assert!(node.learn(X))),
        ("payload shows another client", |node| node.payload(Z, B)),
        ("C announces X too", |node| {
            let table = [OWN_C, (X, WIFI)];
            node.hear(C, &ogm(2, &table, &[change(WIFI, X)]));
        }),
        ("C says that X went away", |node| {
            node.hear(C, &ogm(3, &[OWN_C], &[change(DEL, X)]));
        }),
    ];
    for (what, step) in steps {
        step(&mut node);
        node.sent();
        node.hear(B, &unchanged);
        assert_eq!(node.sent(), [] as [Vec<u8>; 0], "{what}");
    }
    assert!(!node.table.global.peer(B).unwrap().is_faithful(), "the live CRC has moved on");
}

/// TT-61: a list that is emptied and filled again in one step costs the VLAN neither its record nor its stored CRC.
#[test]
fn tt_61_re_listing_the_only_client_keeps_the_crc() {
    let mut node = Node::up(A);
    let table = [(X, WIFI)];
    node.hear(B, &ogm(1, &table, &rows(&table)));
    node.receive(&roam_packet(A, B, X));
    assert_eq!((node.announcers(X), node.global_flags(X)), (vec![B], Some(WIFI)));
    node.hear(B, &ogm(1, &table, &[]));
    assert_eq!(node.sent(), [] as [Vec<u8>; 0]);
    let both = [(X, WIFI), (Z, NONE)];
    node.hear(B, &ogm(2, &both, &[change(NONE, Z)]));
    assert_eq!(node.sent(), [] as [Vec<u8>; 0], "what was announced of X is still known");
}

/// TT-62 steps 3 and 6: who announces last stands first, and flags belong to the announcer.
#[test]
fn tt_62_lists_and_flags() {
    let mut node = node(&[(X, WIFI)], &[(X, ClientFlags::ISOLATED)]);
    assert_eq!(node.announcers(X), [C, B]);
    assert_eq!(node.global_flags(X), Some(WIFI.or(ClientFlags::ISOLATED)), "TT-71: OR of both");
    node.hear(B, &ogm(2, &[OWN_B, (X, NONE)], &[change(NONE, X)]));
    assert_eq!(node.announcers(X), [C, B], "overwritten in place");
    assert_eq!(node.global_flags(X), Some(ClientFlags::ISOLATED));
    assert_eq!(node.sent(), [] as [Vec<u8>; 0], "TT-56: each CRC from that originator's flags");
    let rows = node.table.global_rows(&node.routing);
    let of = |mac| *rows.iter().find(|row| row.client == X && row.originator == mac).unwrap();
    assert_eq!((of(B).flags, of(B).ttvn, of(B).last_ttvn), (NONE, Ttvn(2), Ttvn(2)), "TT-71");
    assert_eq!((of(C).flags, of(C).ttvn), (ClientFlags::ISOLATED, Ttvn(1)));
    assert_eq!(of(C).crc, client_crc(OWN_C.0, NONE) ^ client_crc(X, ClientFlags::ISOLATED));
}

/// TT-08, TT-09, TT-10: what a peer's flags byte can set.
#[test]
fn tt_09_all_synchronised_bits_are_kept_and_no_others() {
    let mut node = node(&[], &[]);
    let sent = ClientFlags(0x00fc);
    let table = [OWN_B, (X, sent)];
    node.hear(B, &ogm(2, &table, &[change(sent, X)]));
    assert_eq!(node.global_flags(X), Some(ClientFlags(0xf0)), "TT-10: bits 2 and 3 mean nothing");
    assert_eq!(node.sent(), [] as [Vec<u8>; 0], "the CRC matches with all four bits");
}

/// TT-63: an advertisement for an unknown client leaves it marked, one for a known client moves it.
#[test]
fn tt_63_advertisements() {
    let mut node = node(&[], &[]);
    node.receive(&roam_packet(A, B, X));
    assert_eq!((node.announcers(X), node.global_flags(X)), (vec![B], Some(ROAM)));
    let rows = node.table.global_rows(&node.routing);
    assert_eq!(rows.iter().find(|row| row.client == X).unwrap().ttvn, Ttvn(2), "TT-108: L + 1");

    let mut node = self::node(&[], &[(X, NONE)]);
    node.receive(&roam_packet(A, B, X));
    assert_eq!((node.announcers(X), node.global_flags(X)), (vec![B], Some(NONE)));
}

#[test]
fn tt_64_a_second_announcer_joins_the_list() {
    let node = node(&[(X, NONE)], &[(X, NONE)]);
    assert_eq!(node.announcers(X), [C, B]);
    assert_eq!(node.table.global_len(), 3);
}

/// TT-13, TT-66 [DEV]: records that cannot be about a client are dropped; the rest of the diff counts.
#[test]
fn tt_66_impossible_records_are_dropped() {
    let mut node = node(&[], &[]);
    let bad = [
        Client::untagged(Mac::ZERO),
        Client::untagged(Mac::BROADCAST),
        Client::new(X.mac, Vid(5)),
        Client::new(X.mac, Vid(0x9005)),
    ];
    let multicast = Client::untagged(Mac([0x33, 0x33, 0, 0, 0, 1]));
    let old = Client::new(X.mac, Vid(0x8000));
    let good = [(multicast, NONE), (old, NONE), (Z, NONE)];
    let changes: Vec<_> = bad.iter().map(|bad| change(NONE, *bad)).chain(rows(&good)).collect();
    let table = [&[OWN_B][..], &good].concat();
    node.hear(B, &ogm(2, &table, &changes));
    assert_eq!(node.sent(), [] as [Vec<u8>; 0]);
    assert!(bad.iter().all(|bad| node.announcers(*bad).is_empty()));
    assert!(good.iter().all(|(good, _)| node.announcers(*good) == [B]), "TT-13: 0x8000 is valid");
    assert_eq!(node.discarded(Discard::Malformed), 4);

    node.receive(&roam_packet(A, B, multicast));
    for bad in bad {
        node.receive(&roam_packet(A, B, bad));
        node.payload(bad, B);
    }
    node.payload(Client::untagged(Mac([0x33, 0x33, 0, 0, 0, 2])), B);
    assert_eq!(node.table.global_len(), 5);
    assert_eq!(node.global_flags(multicast), Some(NONE), "no mark on a multicast address");
    assert_eq!(node.discarded(Discard::Malformed), 9);
    assert_eq!(node.counted(Counter::TtRoamAdvRx), 0);
}

/// TT-62 step 3, TT-66: a multicast address never roams, not even by a flag in a change record.
#[test]
fn tt_62_multicast_addresses_keep_no_mark() {
    let mut node = node(&[], &[]);
    let multicast = Client::untagged(Mac([0x33, 0x33, 0, 0, 0, 1]));
    let table = [OWN_B, (multicast, NONE)];
    node.hear(B, &ogm(2, &table, &[change(ROAM, multicast)]));
    assert_eq!((node.announcers(multicast), node.global_flags(multicast)), (vec![B], Some(NONE)));
    assert_eq!(node.sent(), [] as [Vec<u8>; 0]);
}

/// TT-71: whose announcement is gone, its flags are gone.
#[test]
fn tt_71_flags_of_those_who_are_left() {
    let mut node = node(&[(X, WIFI)], &[(X, ClientFlags::ISOLATED)]);
    node.hear(B, &ogm(2, &[OWN_B], &[change(DEL, X)]));
    assert_eq!(node.global_flags(X), Some(ClientFlags::ISOLATED));
}

#[test]
fn tt_68_a_plain_withdrawal_takes_the_originator_out() {
    let mut node = node(&[(X, NONE)], &[(X, NONE)]);
    node.hear(B, &ogm(2, &[OWN_B], &[change(DEL, X), change(DEL, Z)]));
    assert_eq!(node.announcers(X), [C]);
    node.hear(B, &ogm(3, &[OWN_B, (Z, NONE)], &[change(DEL, X), change(NONE, Z)]));
    assert_eq!(node.announcers(X), [C], "not listed: no effect");
    node.hear(C, &ogm(2, &[OWN_C], &[change(DEL, X)]));
    assert_eq!(node.global_flags(X), None);
    assert_eq!(node.sent(), [] as [Vec<u8>; 0]);
}

/// TT-69: it came to us.
#[test]
fn tt_69_roamed_to_us() {
    let mut node = node(&[(X, NONE)], &[(X, NONE)]);
    node.learn(X);
    assert_eq!(node.global_flags(X), Some(ROAM));
    node.hear(B, &ogm(2, &[OWN_B], &[change(DEL.or(ROAM), X)]));
    assert_eq!(node.global_flags(X), None, "with its whole list");
    assert!(node.is_mine(X));
}

/// TT-69 [DEV]: it came to us and has left again for C: the late word of B, where it was before, must not take C's away.
#[test]
fn tt_69_roamed_to_us_and_on() {
    let mut node = node(&[(X, NONE)], &[]);
    node.learn(X);
    node.ogm();
    let of_c = [OWN_C, (X, NONE)];
    node.hear(C, &ogm(2, &of_c, &[change(NONE, X)]));
    assert_eq!((node.announcers(X), node.is_mine(X)), (vec![C], false));
    node.sent();
    node.hear(B, &ogm(2, &[OWN_B], &[change(DEL.or(ROAM), X)]));
    assert_eq!((node.announcers(X), node.global_flags(X)), (vec![C], Some(NONE)));
    node.ogm();
    assert_eq!((node.announcers(X), node.local_flags(X)), (vec![C], None));
}

/// TT-70: it went somewhere else: kept until its new node announces it, if there is no other.
#[test]
fn tt_70_roamed_elsewhere() {
    let mut node = node(&[(X, NONE)], &[(X, NONE)]);
    node.hear(B, &ogm(2, &[OWN_B], &[change(DEL.or(ROAM), X)]));
    assert_eq!((node.announcers(X), node.global_flags(X)), (vec![C], Some(NONE)));
    node.hear(C, &ogm(2, &[OWN_C], &[change(DEL.or(ROAM), X)]));
    assert_eq!((node.announcers(X), node.global_flags(X)), (vec![C], Some(ROAM)));
    assert_eq!(node.sent(), [] as [Vec<u8>; 0], "TT-56: ROAM ones are not in the CRC");
    node.hear(B, &ogm(3, &[OWN_B, (X, NONE)], &[change(NONE, X)]));
    assert_eq!((node.announcers(X), node.global_flags(X)), (vec![B], Some(NONE)));
}

/// 18.6: the client returned to the node that it had left.
#[test]
fn tt_62_an_announcement_ends_roaming() {
    let mut node = node(&[(X, NONE)], &[]);
    node.hear(B, &ogm(2, &[OWN_B], &[change(DEL.or(ROAM), X)]));
    assert_eq!(node.global_flags(X), Some(ROAM));
    node.hear(B, &ogm(3, &[OWN_B, (X, WIFI)], &[change(WIFI, X)]));
    assert_eq!((node.announcers(X), node.global_flags(X)), (vec![B], Some(WIFI)));
    assert_eq!(node.sent(), [] as [Vec<u8>; 0]);
}

/// TT-72: ROAM and temporary entries have 600 s, others no limit.
#[test]
fn tt_72_expiry() {
    let mut node = node(&[(X, NONE), (Y, NONE)], &[]);
    let temporary = client(1);
    node.hear(B, &ogm(2, &[OWN_B, (Y, NONE)], &[change(DEL.or(ROAM), X)]));
    node.payload(temporary, C);
    node.pass(secs(300));
    node.payload(temporary, C);
    node.pass(secs(300));
    assert_eq!(node.global_flags(X), Some(ROAM), "a check exactly at the limit");
    assert_eq!(node.global_flags(temporary), Some(ClientFlags::TEMP));
    node.pass(secs(5));
    assert_eq!(node.global_flags(X), None);
    assert_eq!(node.global_flags(temporary), None, "not refreshed by payload");
    assert_eq!(node.global_flags(Y), Some(NONE));
}

/// TT-73: the route is lost; the version stays.
#[test]
fn tt_73_a_lost_route_drops_the_table() {
    let mut node = node(&[(X, NONE)], &[(X, NONE)]);
    node.payload(Z, B);
    node.run(|table, ctx, _| table.route_lost(ctx, B));
    assert_eq!(node.announcers(X), [C]);
    assert_eq!(node.announcers(Z), []);
    assert_eq!(node.announcers(OWN_B.0), []);
    let peer = node.table.global.peer(B).unwrap();
    assert_eq!((peer.ttvn, peer.initialized), (Ttvn(1), false));
    assert!(peer.last_diff.is_some() && peer.vlans.is_empty() && peer.clients.is_empty());
    node.run(|table, ctx, _| table.originator_gone(ctx, B));
    assert!(node.table.global.peer(B).is_none());
    node.run(|table, ctx, _| table.originator_gone(ctx, C));
    assert_eq!(node.table.global_len(), 0);
}

/// TT-74: the best metric wins; among equals the newest announcement; without a route nobody does.
#[test]
fn tt_74_best_originator() {
    let mut node = node(&[(X, NONE)], &[(X, NONE)]);
    let best = |node: &Node| {
        let rows = node.table.global_rows(&node.routing);
        let best: Vec<_> = rows.iter().filter(|row| row.client == X && row.best).collect();
        let published = node.fib.reader();
        let guard = published.pin();
        let chosen = guard.best_announcer(X).map(|best| best.originator.mac());
        assert_eq!(best.first().map(|row| row.originator), chosen, "the data plane agrees");
        assert!(best.len() <= 1);
        chosen
    };
    #[rustfmt::skip]
    let steps = [
        // metrics of B and C => best, because
        (Some(255), Some(255), Some(C), "of equals the newest announcement"),
        (Some(255), Some(254), Some(B), "better"),
        (Some(200), Some(254), Some(C), "better"),
        (Some(1),   None,      Some(B), "C has no route"),
        (None,      None,      None,    "nobody has"),
    ];
    for (b, c, expected, because) in steps {
        node.route(B, b);
        node.route(C, c);
        assert_eq!(best(&node), expected, "{because}");
    }
}

/// TT-77: the records of a diff are applied in their order.
#[test]
fn tt_77_order_within_a_diff() {
    let mut node = node(&[], &[]);
    let changes = [change(NONE, X), change(DEL, X), change(WIFI, Z), change(NONE, Z)];
    node.hear(B, &ogm(2, &[OWN_B, (Z, NONE)], &changes));
    assert_eq!(node.announcers(X), []);
    assert_eq!(node.global_flags(Z), Some(NONE));
    assert_eq!(node.sent(), [] as [Vec<u8>; 0]);
}

/// Groups have as many announcers as there are listeners, keep no flag of one of them for all, and take nothing from ours.
#[test]
fn mcast_18_a_group_has_many_announcers_and_ours_stays() {
    let group = Client::untagged(Mac([0x01, 0, 0x5e, 1, 2, 3]));
    let odd = WIFI.or(ClientFlags(0x0400));
    let mut node = node(&[(group, NONE)], &[]);
    node.run(|table, ctx, _| table.set_listeners(ctx, &[group.mac].into()));
    let table = [OWN_C, (group, odd)];
    node.hear(C, &ogm(2, &table, &[change(odd, group)]));
    assert_eq!(node.announcers(group), [C, B]);
    assert_eq!(node.global_flags(group).map(|flags| flags.0 & 0x0400), Some(0));
    assert!(node.is_mine(group), "no roaming of groups");
    assert_eq!(
        node.local_flags(group).map(|flags| flags.contains(ClientFlags::NOPURGE)),
        Some(true)
    );
    node.hear(B, &ogm(2, &[OWN_B], &[change(DEL, group)]));
    assert_eq!(node.announcers(group), [C]);
    node.hear(C, &ogm(3, &[OWN_C], &[change(DEL.or(ROAM), group)]));
    assert_eq!(node.announcers(group), [] as [Mac; 0]);
    assert!(node.is_mine(group));
}
