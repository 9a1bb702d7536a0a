//! Section 10: is the copy in step? And the situations of 18.5 and 18.6.

use super::*;

const OWN: (Client, ClientFlags) = (Client::untagged(Mac([2, 0xba, 0, 0, 0, 0x0b])), NONE);
const WITH_X: [(Client, ClientFlags); 2] = [OWN, (X, WIFI)];

/// What an OGM led to.
#[derive(Debug, Eq, PartialEq)]
enum Asked {
    Nothing,
    Diff,
    Full,
}

/// A node that can ask at any time: the time between two OGMs is longer than a request blocks.
fn hear(node: &mut Node, value: &[u8]) -> Asked {
    node.wait(secs(100));
    node.hear(B, value);
    match &node.sent()[..] {
        [] => Asked::Nothing,
        [request] => {
            let sent = UnicastTvlv::parse(request).unwrap();
            assert_eq!((sent.source, sent.destination), (node.mac, B));
            let request = container(request);
            let request = TtValue::parse(&request).unwrap();
            assert_eq!(request.changes().len(), 0);
            let heard = TtValue::parse(value).unwrap();
            assert_eq!(request.ttvn, heard.ttvn, "TT-85: version and records of the OGM");
            assert!(request.vlans().eq(heard.vlans()));
            if request.flags == TtFlags::request(true) {
                Asked::Full
            } else {
                assert_eq!(request.flags, TtFlags::request(false));
                Asked::Diff
            }
        }
        more => panic!("{more:?}"),
    }
}

/// A node with version 1 of B's table: its own address.
fn node() -> Node {
    let mut node = Node::up(A);
    assert_eq!(hear(&mut node, &ogm(1, &[OWN], &rows(&[OWN]))), Asked::Nothing);
    assert_eq!(node.last_ttvn(B), Ttvn(1));
    node
}

/// B's table in some version, fetched in full.
fn node_at(ttvn: u8, table: &[(Client, ClientFlags)]) -> Node {
    let mut node = Node::up(A);
    assert_eq!(hear(&mut node, &ogm(ttvn, table, &[])), Asked::Full);
    answer(&mut node, ttvn, table);
    assert_eq!(hear(&mut node, &ogm(ttvn, table, &[])), Asked::Nothing);
    node
}

fn answer(node: &mut Node, ttvn: u8, table: &[(Client, ClientFlags)]) {
    let full = value(TtFlags::response(true), ttvn, table, &rows(table));
    assert_eq!(node.receive(&tt_packet(A, B, &full)), Disposition::Consumed);
}

/// What happens; an OGM's version, table and changes; what is asked then; and the table afterwards.
type Case<'a> = (&'a str, u8, &'a [Row], &'a [Change], Asked, &'a [Row]);
type Row = (Client, ClientFlags);

/// TT-75: every branch of the decision.
#[test]
fn tt_75_the_decision() {
    let add_x = [change(WIFI, X)];
    #[rustfmt::skip]
    let cases: [Case<'_>; 7] = [
        ("in step",                  1, &[OWN],  &[],    Asked::Nothing, &[OWN]),
        ("repeat: changes ignored",  1, &[OWN],  &add_x, Asked::Nothing, &[OWN]),
        ("one step",                 2, &WITH_X, &add_x, Asked::Nothing, &WITH_X),
        ("one step, changes missed", 2, &WITH_X, &[],    Asked::Diff,    &[OWN]),
        ("one step, wrong CRC",      2, &[OWN],  &add_x, Asked::Full,    &WITH_X),
        ("two steps",                3, &WITH_X, &add_x, Asked::Full,    &[OWN]),
        ("same version, wrong CRC",  1, &WITH_X, &[],    Asked::Full,    &[OWN]),
    ];
    for (what, ttvn, table, changes, asked, afterwards) in cases {
        let mut node = node();
        assert_eq!(hear(&mut node, &ogm(ttvn, table, changes)), asked, "{what}");
        assert!(node.knows_exactly(B, afterwards), "{what}");
    }
}

/// TT-75 for an originator that was never heard of: version 1 is one step, all others need the full table.
#[test]
fn tt_75_a_late_joiner() {
    let mut node = Node::up(A);
    assert_eq!(hear(&mut node, &ogm(2, &WITH_X, &[change(WIFI, X)])), Asked::Full);
    assert_eq!(node.table.global_len(), 0);
    let mut node = Node::up(A);
    assert_eq!(hear(&mut node, &ogm(1, &[OWN], &[])), Asked::Diff);
    assert_eq!(hear(&mut node, &ogm(0, &[OWN], &[])), Asked::Full);
}

/// TT-76 [DEV]: the step from 255 to 0 is one step.
#[test]
fn tt_76_versions_wrap() {
    let mut node = node_at(255, &[OWN]);
    assert_eq!(hear(&mut node, &ogm(0, &WITH_X, &[change(WIFI, X)])), Asked::Nothing);
    assert_eq!(node.last_ttvn(B), Ttvn(0));
    assert_eq!(hear(&mut node, &ogm(1, &[OWN], &[change(DEL, X)])), Asked::Nothing);
}

/// TT-78: the last non-empty diff is kept until a full table comes.
#[test]
fn tt_78_the_cached_diff() {
    let mut node = node();
    hear(&mut node, &ogm(2, &WITH_X, &[change(WIFI, X)]));
    let cached = |node: &Node| node.table.global.peer(B).unwrap().last_diff.clone();
    assert_eq!(cached(&node).as_deref(), Some(&[change(WIFI, X)][..]));
    hear(&mut node, &ogm(2, &WITH_X, &[]));
    assert!(cached(&node).is_some());
    assert_eq!(hear(&mut node, &ogm(9, &WITH_X, &[])), Asked::Full);
    answer(&mut node, 9, &WITH_X);
    assert_eq!(cached(&node), None);
    // What is too long to keep must not leave an older one behind.
    let many: Vec<_> = (0..200).map(|number| (client(number), NONE)).collect();
    hear(&mut node, &ogm(10, &[&WITH_X[..], &[(Z, NONE)]].concat(), &[change(NONE, Z)]));
    assert!(cached(&node).is_some());
    let all = [&WITH_X[..], &[(Z, NONE)], &many].concat();
    assert_eq!(hear(&mut node, &ogm(11, &all, &rows(&many))), Asked::Nothing);
    assert_eq!(cached(&node), None);
}

/// TT-79: CRCs are computed, never copied from the OGM.
#[test]
fn tt_79_crcs_are_recomputed() {
    let mut node = node();
    assert_eq!(hear(&mut node, &ogm(2, &[OWN, (Z, NONE)], &[change(WIFI, X)])), Asked::Full);
    assert_eq!(hear(&mut node, &ogm(2, &[OWN, (Z, NONE)], &[])), Asked::Full, "still not");
    assert_eq!(hear(&mut node, &ogm(2, &WITH_X, &[])), Asked::Nothing);
}

/// TT-80, and 18.6: the CRCs that are there match, but we hold one VLAN more.
#[test]
fn tt_80_excess_vlans() {
    let three = [OWN, (Y, NONE), (Client::new(X.mac, Vid(0x8014)), NONE)];
    let mut node = node_at(5, &three);
    assert_eq!(hear(&mut node, &ogm(5, &three[..2], &[])), Asked::Full);
    answer(&mut node, 5, &three[..2]);
    assert_eq!(hear(&mut node, &ogm(5, &three[..2], &[])), Asked::Nothing);
    assert!(node.knows_exactly(B, &three[..2]));
    assert_eq!(hear(&mut node, &ogm(5, &three, &[])), Asked::Full, "and one VLAN less");
}

/// TT-83: versions may be reused after a restart; the CRCs must match in every OGM.
#[test]
fn tt_83_checked_with_every_ogm() {
    let mut node = node_at(3, &WITH_X);
    for _ in 0..3 {
        assert_eq!(hear(&mut node, &ogm(3, &WITH_X, &[])), Asked::Nothing);
    }
    assert_eq!(hear(&mut node, &ogm(3, &[OWN], &[])), Asked::Full);
}

/// TT-58, TT-61 [DEV]: B advertises that X came to it, and restarts before it announces that, with the version that it had:
/// its CRC is right, our list is not, and no word of B's will ever say so. It is fetched anew.
#[test]
fn tt_61_a_list_that_strayed_is_fetched() {
    let mut node = node();
    node.hear(C, &ogm(1, &[(X, NONE)], &[change(NONE, X)]));
    node.receive(&roam_packet(A, B, X));
    assert_eq!(node.announcers(X), [B]);
    let again = ogm(1, &[OWN], &[]);
    let start = node.now;
    let mut asked = Vec::new();
    for _ in 0..40 {
        node.wait(secs(1));
        node.hear(B, &again);
        if !node.sent().is_empty() {
            asked.push(node.now.since(start));
            answer(&mut node, 1, &[OWN]);
        }
    }
    assert_eq!(asked, [secs(32)], "strictly more than 30 s after the first such OGM, and once");
    assert!(node.knows_exactly(B, &[OWN]));
    // A moment in which they differ is no reason: Z comes to us, and B withdraws it half a minute later.
    node.hear(B, &ogm(2, &[OWN, (Z, NONE)], &[change(NONE, Z)]));
    node.learn(Z);
    assert_eq!(node.sent_one(), roam_packet(B, A, Z));
    for second in 0..100 {
        node.wait(secs(1));
        let step = [change(DEL.or(ROAM), Z)];
        let gone = second >= 30;
        let table = if gone { &[OWN][..] } else { &[OWN, (Z, NONE)] };
        node.hear(B, &ogm(if gone { 3 } else { 2 }, table, if gone { &step } else { &[] }));
        assert_eq!(node.sent(), [] as [Vec<u8>; 0], "{second}");
    }
}

/// TT-84: an OGM without a route applies its changes; its request waits for a route.
#[test]
fn tt_84_without_a_route_nothing_is_asked() {
    let mut node = Node::up(A);
    node.route(B, None);
    assert_eq!(hear(&mut node, &ogm(1, &[OWN], &rows(&[OWN]))), Asked::Nothing);
    assert!(node.knows_exactly(B, &[OWN]));
    assert_eq!(hear(&mut node, &ogm(7, &WITH_X, &[])), Asked::Nothing);
    assert!(node.table.global.peer(B).unwrap().request.is_none(), "TT-86: not recorded");
    node.route(B, Some(255));
    let value = ogm(7, &WITH_X, &[]);
    node.run(|table, ctx, routing| table.on_ogm(ctx, routing, B, false, &value));
    assert_eq!(node.sent(), [] as [Vec<u8>; 0], "the caller wants this request held back");
    assert_eq!(hear(&mut node, &value), Asked::Full);
}

/// TT-02, TT-03: lengths are checked before use.
#[test]
fn tt_02_impossible_lengths_are_ignored() {
    let mut node = node();
    let good = ogm(2, &WITH_X, &[change(WIFI, X)]);
    for len in 0..12 {
        node.hear(B, &good[..len]);
    }
    let mut vlans = good[..12].to_vec();
    vlans[2..4].copy_from_slice(&[0xff, 0xff]);
    node.hear(B, &vlans);
    // 8 * 0x2000 is 0 in 16 bits.
    vlans[2..4].copy_from_slice(&[0x20, 0x00]);
    node.hear(B, &vlans);
    assert_eq!(node.sent(), [] as [Vec<u8>; 0]);
    assert_eq!(node.discarded(Discard::Truncated), 14);
    assert!(node.knows_exactly(B, &[OWN]));
    // Bytes that are left over are ignored.
    let longer = [&good[..], &[0xaa; 11]].concat();
    assert_eq!(hear(&mut node, &longer), Asked::Nothing);
    assert!(node.knows_exactly(B, &WITH_X));
}

/// TT-05: the flags byte of an OGM is not evaluated.
#[test]
fn tt_05_the_flags_byte_of_an_ogm_means_nothing() {
    let mut node = node();
    let odd = value(TtFlags(0x14), 2, &WITH_X, &[change(WIFI, X)]);
    assert_eq!(hear(&mut node, &odd), Asked::Nothing);
    assert!(node.knows_exactly(B, &WITH_X));
}

/// Our own OGM, heard back, and OGMs of nobody.
#[test]
fn tt_59_only_known_originators_have_books() {
    let mut node = Node::up(A);
    node.hear(A, &ogm(1, &[OWN], &rows(&[OWN])));
    let stranger = Mac([2, 0, 0, 0, 0, 0x77]);
    node.hear(stranger, &ogm(1, &[OWN], &rows(&[OWN])));
    // Somebody was known by the address that is ours now.
    node.route(A, Some(255));
    node.hear(A, &ogm(1, &[OWN], &rows(&[OWN])));
    node.payload(X, A);
    node.receive(&roam_packet(A, A, X));
    assert_eq!(node.table.global_len(), 0);
    assert!(node.table.global.peer(A).is_none() && node.table.global.peer(stranger).is_none());
}

/// 18.6: B restarts and announces version 1 again.
#[test]
fn tt_50_a_restarted_originator_is_fetched() {
    let mut node = node_at(57, &WITH_X);
    assert_eq!(hear(&mut node, &ogm(1, &[OWN], &rows(&[OWN]))), Asked::Full);
    answer(&mut node, 1, &[OWN]);
    assert_eq!(node.last_ttvn(B), Ttvn(1));
    assert_eq!(hear(&mut node, &ogm(1, &[OWN], &[])), Asked::Nothing);
    assert!(node.knows_exactly(B, &[OWN]));
}

/// TT-75: an originator whose table was dropped starts over with version 1: its changes are its table.
#[test]
fn tt_75_version_1_of_a_table_that_was_dropped() {
    let mut node = node_at(57, &WITH_X);
    node.run(|table, ctx, _| table.route_lost(ctx, B));
    assert_eq!(hear(&mut node, &ogm(1, &[OWN], &rows(&[OWN]))), Asked::Nothing);
    assert!(node.knows_exactly(B, &[OWN]));
}

/// The data plane gets the version also of an originator that it has come to know only now.
#[test]
fn tt_112_the_version_of_a_new_entry_in_the_fib() {
    let mut node = node_at(9, &[OWN]);
    node.fib.remove_originator(B);
    node.fib.add_originator(B);
    assert_eq!(node.last_ttvn(B), Ttvn(0));
    assert_eq!(hear(&mut node, &ogm(9, &[OWN], &[])), Asked::Nothing);
    assert_eq!(node.last_ttvn(B), Ttvn(9));
}

/// 18.6: B restarts when its version was 0 by wrap: the diff fits by chance, the CRC tells.
#[test]
fn tt_75_a_restart_that_looks_like_one_step() {
    let mut node = node_at(0, &WITH_X);
    assert_eq!(hear(&mut node, &ogm(1, &[OWN], &rows(&[OWN]))), Asked::Full);
    answer(&mut node, 1, &[OWN]);
    assert!(node.knows_exactly(B, &[OWN]));
}

/// 18.6: the route is lost and comes back, with and without a step in between.
#[test]
fn tt_73_route_lost_and_back() {
    let mut node = node_at(9, &WITH_X);
    node.run(|table, ctx, _| table.route_lost(ctx, B));
    assert_eq!(hear(&mut node, &ogm(9, &WITH_X, &[])), Asked::Full);

    let mut node = node_at(9, &[OWN]);
    node.run(|table, ctx, _| table.route_lost(ctx, B));
    assert_eq!(hear(&mut node, &ogm(10, &WITH_X, &[change(WIFI, X)])), Asked::Full);
    assert!(node.knows_exactly(B, &[(X, WIFI)]), "applied to the empty table");
    answer(&mut node, 10, &WITH_X);
    assert!(node.knows_exactly(B, &WITH_X));
}

/// 18.5: two versions missed: one full request, answered, then quiet.
#[test]
fn tt_75_two_missed_updates_cost_one_request() {
    let mut node = node_at(10, &[OWN]);
    let table = [OWN, (X, WIFI), (Z, NONE)];
    assert_eq!(hear(&mut node, &ogm(12, &table, &[change(NONE, Z)])), Asked::Full);
    answer(&mut node, 12, &table);
    for _ in 0..3 {
        assert_eq!(hear(&mut node, &ogm(12, &table, &[])), Asked::Nothing);
    }
    assert_eq!(node.counted(Counter::TtRequestTx), 2, "one for version 10, one for version 12");
    assert_eq!(node.events(), [Event::TableFetched(B); 2]);
}

/// 18.5, the variant: one version missed, all four OGMs with changes lost.
#[test]
fn tt_75_one_missed_update_costs_a_diff_request() {
    let mut node = node_at(10, &[OWN]);
    assert_eq!(hear(&mut node, &ogm(11, &WITH_X, &[])), Asked::Diff);
    let diff = value(TtFlags::response(false), 11, &WITH_X, &[change(WIFI, X)]);
    node.receive(&tt_packet(A, B, &diff));
    assert_eq!(hear(&mut node, &ogm(11, &WITH_X, &[])), Asked::Nothing);
    assert!(node.knows_exactly(B, &WITH_X));
}

/// 18.6: the originator has gone on when it answers; the table is taken as it is.
#[test]
fn tt_96_an_answer_that_is_newer_than_the_ogm() {
    let mut node = Node::up(A);
    assert_eq!(hear(&mut node, &ogm(5, &[OWN], &[])), Asked::Full);
    answer(&mut node, 6, &WITH_X);
    assert_eq!(node.last_ttvn(B), Ttvn(6));
    assert_eq!(hear(&mut node, &ogm(6, &WITH_X, &[change(WIFI, X)])), Asked::Nothing);
}
