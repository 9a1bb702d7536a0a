//! Sections 11.1 to 11.3: requests, and the answers that we give.

use super::*;

const OWN_B: (Client, ClientFlags) = (Client::untagged(Mac([2, 0xba, 0, 0, 0, 0x0b])), NONE);
const NOTHING: [Vec<u8>; 0] = [];

/// A request of `from` for `to`'s table in version `ttvn`, which has these clients.
fn request(full: bool, to: Mac, from: Mac, ttvn: u8, table: &[(Client, ClientFlags)]) -> Vec<u8> {
    tt_packet(to, from, &value(TtFlags::request(full), ttvn, table, &[]))
}

fn response(full: bool, to: Mac, about: Mac, ttvn: u8, changes: &[Change]) -> Vec<u8> {
    tt_packet(to, about, &value(TtFlags::response(full), ttvn, &[], changes))
}

/// 18.5, byte by byte: C asks A, A answers, C has the table.
#[test]
fn tt_85_request_and_answer_byte_by_byte() {
    let mut a = Node::up(A);
    a.learn_as(X, WIFI);
    let heard = a.ogm().unwrap();
    let mut c = Node::up(C);
    c.hear(A, &heard);
    let request = c.sent_one();
    assert_eq!(
        request,
        hex("44 0f 32 00 | 02 00 00 00 00 0a | 02 00 00 00 00 0c | 00 10 00 00 | 04 01 00 0c |
             12 02 00 01 | 36 6e 8e 5f 00 00 00 00")
    );
    assert_eq!(a.receive(&request), Disposition::Consumed, "TT-88");
    let response = a.sent_one();
    assert_eq!(
        response,
        hex("44 0f 32 00 | 02 00 00 00 00 0c | 02 00 00 00 00 0a | 00 28 00 00 | 04 01 00 24 |
             14 02 00 01 | 36 6e 8e 5f 00 00 00 00 | 00 00 00 00 02 ba 00 00 00 0a 00 00 |
             10 00 00 00 02 cc 00 00 00 01 00 00"),
        "TT-92, TT-94"
    );
    assert_eq!(c.receive(&response), Disposition::Consumed);
    assert!(c.knows_exactly(A, &[(own_client(A), NONE), (X, WIFI)]));
    c.hear(A, &a.ogm().unwrap());
    assert_eq!(c.sent(), NOTHING);
    let counts = |node: &Node| {
        use Counter::{TtRequestRx, TtRequestTx, TtResponseRx, TtResponseTx};
        [TtRequestTx, TtRequestRx, TtResponseTx, TtResponseRx].map(|counter| node.counted(counter))
    };
    assert_eq!((counts(&c), counts(&a)), ([1, 0, 0, 1], [0, 1, 1, 0]));
}

/// TT-86: none within 3 s, the first strictly later; not recorded if it was not sent.
#[test]
fn tt_86_one_request_in_three_seconds() {
    let mut node = Node::up(A);
    let stale = ogm(5, &[OWN_B], &[]);
    node.hear(B, &stale);
    assert_eq!(node.sent().len(), 1);
    #[rustfmt::skip]
    let steps = [
        // after ms, requests
        (1000, 0), (1000, 0), (1000, 0), // exactly 3 s
        (1, 1), (2999, 0), (1, 0), (1, 1),
    ];
    for (step, (after, expected)) in steps.into_iter().enumerate() {
        node.wait(millis(after));
        node.hear(B, &stale);
        assert_eq!(node.sent().len(), expected, "step {step}");
    }
    // Another originator has a record of its own.
    node.hear(C, &stale);
    assert_eq!(node.sent().len(), 1);
    // An accepted answer clears it.
    node.receive(&response(true, A, B, 5, &rows(&[OWN_B])));
    node.hear(B, &ogm(6, &[OWN_B], &[]));
    assert_eq!(node.sent().len(), 1, "at once");
}

/// TT-87: many originators out of step at once do not make a storm.
#[test]
fn tt_87_requests_are_limited() {
    let mut node = Node::up(A);
    let many: Vec<_> = (0..200).map(|number| Mac([2, 0, 0, 0, 1, number])).collect();
    for originator in &many {
        node.route(*originator, Some(255));
    }
    for _ in 0..10 {
        for originator in &many {
            node.hear(*originator, &ogm(5, &[OWN_B], &[]));
        }
    }
    assert_eq!(node.sent().len(), 128);
    node.wait(secs(1));
    for originator in &many {
        node.hear(*originator, &ogm(5, &[OWN_B], &[]));
    }
    assert_eq!(node.sent().len(), 64, "a second later: 64 of the 72 that could not be asked");
    assert!(node.discarded(Discard::RateLimited) > 0);
}

/// TT-87: a frame is a crafted one as easily with forty OGMs as with one. Of those in step until now, one is asked.
#[test]
fn tt_87_one_frame_makes_one_request() {
    let mut node = Node::up(A);
    let many: Vec<_> = (0..40).map(|number| Mac([2, 0, 0, 0, 1, number])).collect();
    for originator in &many {
        node.route(*originator, Some(255));
        node.hear(*originator, &ogm(1, &[OWN_B], &rows(&[OWN_B])));
    }
    let forged = ogm(77, &[OWN_B], &[]);
    let frame: Vec<_> = many.iter().map(|originator| (*originator, &forged[..])).collect();
    node.hear_frame(&frame);
    assert_eq!(node.sent().len(), 1);
    assert_eq!(node.discarded(Discard::RateLimited), 39);
    // Their true OGMs follow: nobody else is asked.
    for originator in &many[1..] {
        node.hear(*originator, &ogm(1, &[OWN_B], &[]));
    }
    assert_eq!(node.sent(), NOTHING);
    // If the frame was right, the others follow one by one, as the frames come.
    for round in 0..39 {
        node.hear_frame(&frame);
        assert_eq!(node.sent().len(), 1, "round {round}");
    }
    node.hear_frame(&frame);
    assert_eq!(node.sent(), NOTHING, "all are asked");
}

/// TT-87: a node that has just come up asks all others at once; one that hears of ever new ones asks as often as it hears.
#[test]
fn tt_87_no_more_requests_than_frames_in_the_long_run() {
    let mut node = Node::up(A);
    let stale = ogm(5, &[OWN_B], &[]);
    let names = |from: usize, count: usize| -> Vec<Mac> {
        (from..from + count)
            .map(|number| Mac([2, 0, 0, 1, (number >> 8) as u8, number as u8]))
            .collect()
    };
    let frame = |node: &mut Node, names: &[Mac]| {
        for name in names {
            node.route(*name, Some(255));
        }
        node.hear_frame(&names.iter().map(|name| (*name, &stale[..])).collect::<Vec<_>>());
        node.sent().len()
    };
    assert_eq!(frame(&mut node, &names(0, 46)), 46, "first contact");
    let mut asked = 46;
    for number in 1..100 {
        node.wait(secs(2));
        asked += frame(&mut node, &names(46 * number, 46));
    }
    assert_eq!(asked, 128 + 99, "the first 128, and then one for one");
}

/// An originator whose CRCs never match what it sends is asked less and less often.
#[test]
fn tt_87_fruitless_requests_slow_down() {
    let mut node = Node::up(A);
    let impossible = ogm(5, &[OWN_B, (X, NONE)], &[]);
    let mut asked = Vec::new();
    let start = node.now;
    for _ in 0..1200 {
        node.wait(millis(100));
        node.hear(B, &impossible);
        if !node.sent().is_empty() {
            asked.push(node.now.since(start).as_millis() / 100);
            node.receive(&response(true, A, B, 5, &rows(&[OWN_B])));
        }
    }
    assert_eq!(asked, [1, 2, 3, 33, 93, 213, 453, 753, 1053], "in tenths of a second");
    // As soon as it is in step, all is forgotten.
    node.hear(B, &ogm(5, &[OWN_B], &[]));
    node.wait(secs(31));
    for _ in 0..2 {
        node.hear(B, &impossible);
        assert_eq!(node.sent().len(), 1);
        node.receive(&response(true, A, B, 5, &rows(&[OWN_B])));
    }
}

/// Nor does asking help with one that never answers, unless it was in step before: then the links are bad.
#[test]
fn tt_87_unanswered_requests_slow_down() {
    for known in [false, true] {
        let mut node = Node::up(A);
        if known {
            node.hear(B, &ogm(1, &[OWN_B], &rows(&[OWN_B])));
        }
        let stale = ogm(5, &[OWN_B], &[]);
        let (mut asked, start) = (Vec::new(), node.now);
        for _ in 0..1100 {
            node.pass(millis(100));
            node.hear(B, &stale);
            if !node.sent().is_empty() {
                asked.push(node.now.since(start).as_millis() / 100);
            }
        }
        if known {
            assert_eq!(asked.len(), 1100 / 31 + 1, "every 3 s and the next OGM");
            continue;
        }
        assert_eq!(asked, [1, 32, 63, 94, 154, 274, 514, 814], "in tenths of a second");
        // It answers after all: from then on it is asked as others are.
        node.pass(secs(10));
        node.hear(B, &stale);
        assert_eq!(node.sent().len(), 1);
        node.receive(&response(true, A, B, 5, &rows(&[OWN_B])));
        node.hear(B, &stale);
        for _ in 0..5 {
            node.wait(millis(3001));
            node.hear(B, &ogm(9, &[OWN_B], &[]));
            assert_eq!(node.sent().len(), 1);
        }
    }
}

/// An answer ends the pause, also one that brings only the last changes.
#[test]
fn tt_87_an_answered_diff_request_ends_the_pause() {
    let mut node = Node::up(A);
    for _ in 0..5 {
        node.hear(B, &ogm(1, &[OWN_B], &[]));
        assert_eq!(container(&node.sent_one())[0], 0x02);
        node.wait(secs(9));
    }
    node.receive(&response(false, A, B, 1, &rows(&[OWN_B])));
    assert!(node.knows_exactly(B, &[OWN_B]));
    node.hear(B, &ogm(9, &[OWN_B], &[]));
    assert_eq!(node.sent().len(), 1);
}

/// A node B that has A's table in version 2, with X, in the way given by `by_diff`.
fn transit(by_diff: bool) -> (Node, [(Client, ClientFlags); 2]) {
    let own = (own_client(A), NONE);
    let table = [own, (X, WIFI)];
    let mut node = Node::up(B);
    if by_diff {
        node.hear(A, &ogm(1, &[own], &rows(&[own])));
        node.hear(A, &ogm(2, &table, &[change(WIFI, X)]));
    } else {
        node.hear(A, &ogm(2, &table, &[]));
        node.sent_one();
        node.receive(&response(true, B, A, 2, &rows(&table)));
    }
    assert_eq!(node.sent(), NOTHING);
    (node, table)
}

/// TT-89, TT-93: a node on the way answers if it is provably in step; the source is the originator described.
#[test]
fn tt_93_answers_on_behalf() {
    for (by_diff, ask_full, answer_full) in
        [(true, false, false), (true, true, true), (false, false, true), (false, true, true)]
    {
        let (mut node, table) = transit(by_diff);
        let disposition = node.receive(&request(ask_full, A, C, 2, &table));
        assert_eq!(disposition, Disposition::Consumed);
        let answer = node.sent_one();
        let unicast = UnicastTvlv::parse(&answer).unwrap();
        assert_eq!((unicast.source, unicast.destination), (A, C));
        let expected = value(
            TtFlags::response(answer_full),
            2,
            &table,
            &if answer_full { rows(&table) } else { vec![change(WIFI, X)] },
        );
        assert_eq!(container(&answer), expected);
    }
}

/// TT-89: everything that makes a node pass a request on.
#[test]
fn tt_89_otherwise_the_request_travels_on() {
    let (_, table) = transit(true);
    let stranger = Mac([2, 0, 0, 0, 0, 0x77]);
    let other = [table[0], (Z, NONE)];
    #[rustfmt::skip]
    let cases = [
        ("older version",       request(true, A, C, 1, &table)),
        ("newer version",       request(true, A, C, 3, &table)),
        ("other CRC",           request(true, A, C, 2, &other)),
        ("one VLAN less",       request(true, A, C, 2, &[])),
        ("one VLAN more",       request(true, A, C, 2, &[table[0], table[1], (Y, NONE)])),
        ("unknown requester",   request(true, A, stranger, 2, &table)),
        ("unknown destination", request(true, stranger, C, 2, &table)),
    ];
    for (what, packet) in cases {
        let (mut node, _) = transit(true);
        assert_eq!(node.receive(&packet), Disposition::PassOn, "{what}");
        assert_eq!(node.sent(), NOTHING, "{what}");
    }
}

/// TT-90 [DEV]: never for an originator whose table was not received, nor if the list is no longer what its CRCs
/// describe.
#[test]
fn tt_90_only_whole_tables_are_given() {
    let (mut node, table) = transit(false);
    node.run(|table, ctx, _| table.route_lost(ctx, A));
    assert_eq!(node.receive(&request(true, A, C, 2, &[])), Disposition::PassOn);
    let (mut node, _) = transit(true);
    node.run(|table, ctx, _| table.route_lost(ctx, A));
    assert_eq!(node.receive(&request(false, A, C, 2, &[])), Disposition::PassOn, "a diff is left");
    let (mut node, _) = transit(true);
    node.learn(X);
    node.sent();
    assert_eq!(node.receive(&request(true, A, C, 2, &table)), Disposition::PassOn, "X is with us");
    assert_eq!(node.sent(), NOTHING);
    node.wait(millis(251));
    assert_eq!(node.receive(&request(false, A, C, 2, &table)), Disposition::Consumed);
    assert_eq!(parts(&container(&node.sent_one())).2, [(0x10, X)], "the diff is still the diff");
}

/// TT-91: full or diff, and for whom.
#[test]
fn tt_91_answers_for_the_own_table() {
    let all = [(own_client(A), NONE), (X, WIFI)];
    #[rustfmt::skip]
    let cases = [
        // asked full, version => answered full
        (false, 2, false),
        (true,  2, true),
        (false, 1, true),
        (false, 3, true),
    ];
    for (ask_full, ttvn, answer_full) in cases {
        let mut node = Node::up(A);
        node.learn_as(X, WIFI);
        node.ogm();
        node.receive(&request(ask_full, A, C, ttvn, &all));
        let changes = if answer_full { rows(&all) } else { vec![change(WIFI, X)] };
        let expected = value(TtFlags::response(answer_full), 2, &all, &changes);
        assert_eq!(container(&node.sent_one()), expected, "always version 2");
    }
    let mut node = Node::up(A);
    let stranger = Mac([2, 0, 0, 0, 0, 0x77]);
    assert_eq!(node.receive(&request(true, A, stranger, 1, &[])), Disposition::Consumed);
    assert_eq!(node.sent(), NOTHING);
    assert_eq!(node.discarded(Discard::UnknownOriginator), 1);
}

/// TT-92, TT-100 [DEV]: NEW ones are not in it, leaving ones are; flags are those that enter the CRC.
#[test]
fn tt_92_own_full_table() {
    let mut node = Node::up(A);
    node.learn_as(X, WIFI);
    node.learn(Z);
    let announced = node.ogm().unwrap();
    node.receive(&roam_packet(A, B, X));
    node.learn_as(Z, WIFI);
    node.learn(client(1));
    node.receive(&request(true, A, C, 2, &[]));
    let answer = container(&node.sent_one());
    let (ttvn, vlans, rows) = parts(&answer);
    assert_eq!((ttvn, &vlans), (2, &parts(&announced).1));
    assert_eq!(rows, [(0, own_client(A)), (0x10, X), (0, Z)], "no ROAM; Z as it was announced");
    let crc = rows
        .iter()
        .fold(0, |crc, (flags, client)| crc ^ client_crc(*client, ClientFlags::from_wire(*flags)));
    assert_eq!(crc, vlans[0].crc, "whoever asked is in step at once");
}

/// TT-94: an answer that says nothing is not sent.
#[test]
fn tt_94_no_empty_answers() {
    let mut node = Node::new(A);
    assert_eq!(node.receive(&request(true, A, C, 0, &[])), Disposition::Consumed);
    let mut b = Node::up(B);
    b.hear(A, &ogm(1, &[(X, NONE)], &[change(NONE, X)]));
    b.hear(A, &ogm(2, &[], &[change(DEL, X)]));
    assert_eq!(b.receive(&request(true, A, C, 2, &[])), Disposition::PassOn);
    assert_eq!((node.sent(), b.sent()), (vec![], vec![]));
}

/// TT-95: what does not fit is not answered; on behalf, the request travels on.
#[test]
fn tt_95_answers_that_cannot_be_sent() {
    let (mut b, table) = transit(false);
    let len = 20 + 4 + 4 + 8 + 2 * 12;
    b.run(|table, ctx, _| table.set_packet_limit(ctx, len - 1));
    assert_eq!(b.receive(&request(true, A, C, 2, &table)), Disposition::PassOn);
    b.wait(millis(251));
    b.run(|table, ctx, _| table.set_packet_limit(ctx, len));
    assert_eq!(b.receive(&request(true, A, C, 2, &table)), Disposition::Consumed);
    assert_eq!(b.sent_one().len(), len);

    let mut a = Node::up(A);
    a.run(|table, ctx, _| table.set_packet_limit(ctx, 47));
    assert_eq!(a.receive(&request(true, A, C, 1, &[])), Disposition::Consumed);
    assert_eq!(a.sent(), NOTHING);
}

/// TT-98: one version to one requester once in 250 ms, and no more bytes in total than the link can bear.
#[test]
fn tt_98_answers_are_limited() {
    let mut node = Node::up(A);
    let ask = |node: &mut Node, from| {
        node.receive(&request(true, A, from, 1, &[]));
        node.sent().len()
    };
    assert_eq!((ask(&mut node, B), ask(&mut node, B), ask(&mut node, C)), (1, 0, 1));
    node.wait(millis(250));
    assert_eq!(ask(&mut node, B), 0, "exactly 250 ms");
    node.wait(millis(1));
    assert_eq!(ask(&mut node, B), 1);
    node.learn(X);
    node.ogm();
    assert_eq!(ask(&mut node, B), 1, "another version");

    // 500 clients, 6 kB each time: a forger of many sources gets half a mebibyte, then a trickle.
    (0..500).for_each(|number| assert!(node.learn(client(number))));
    node.ogm();
    node.wait(secs(60));
    let forged: Vec<_> = (0..200).map(|number| Mac([2, 0, 0, 0, 1, number])).collect();
    let mut bytes = 0;
    for requester in &forged {
        node.route(*requester, Some(255));
        node.receive(&request(true, A, *requester, 3, &[]));
        bytes += node.sent().iter().map(Vec::len).sum::<usize>();
    }
    assert!((500_000..=512 * 1024).contains(&bytes), "{bytes}");
    // In transit, too: what is not answered for lack of tokens is not passed on either.
    let (mut b, table) = transit(false);
    assert_eq!(b.receive(&request(true, A, C, 2, &table)), Disposition::Consumed);
    assert_eq!(b.receive(&request(true, A, C, 2, &table)), Disposition::Consumed);
    assert_eq!(b.sent().len(), 1);
}

/// TT-98: where the routes run in a circle, a request or an answer comes round once; one that is asked again later passes.
#[test]
fn tt_98_no_rounds_in_a_circle() {
    let mut node = Node::up(B);
    for packet in [request(true, A, C, 9, &[]), response(true, C, A, 9, &rows(&[OWN_B]))] {
        assert_eq!(node.receive(&packet), Disposition::PassOn);
        node.wait(millis(20));
        assert_eq!(node.receive(&packet), Disposition::Consumed);
        node.wait(millis(231));
        assert_eq!(node.receive(&packet), Disposition::PassOn, "asked again");
    }
    assert_eq!(node.receive(&request(true, A, C, 10, &[])), Disposition::PassOn, "newer");
    assert_eq!(node.discarded(Discard::RateLimited), 2);
    assert_eq!(node.sent(), NOTHING);
}

/// TT-06, TT-03, TT-01: what is neither request nor response is consumed without effect.
#[test]
fn tt_06_other_kinds_are_consumed() {
    let (node, table) = transit(true);
    drop(node);
    for flags in [0x00, 0x01, 0x03, 0x06, 0x11, 0x16, 0x1f, 0x08] {
        for to in [A, B] {
            let (mut node, _) = transit(true);
            let odd = tt_packet(to, C, &value(TtFlags(flags), 2, &table, &[]));
            assert_eq!(node.receive(&odd), Disposition::Consumed, "{flags:#x}");
            assert_eq!(node.sent(), NOTHING);
        }
    }
    let (mut node, _) = transit(true);
    for bad in [&hex("12 02")[..], &hex("12 02 ff ff 00 00 00 00 00 00 00 00")] {
        assert_eq!(node.receive(&tt_packet(A, C, bad)), Disposition::Consumed, "TT-03");
    }
    assert_eq!(node.discarded(Discard::Truncated), 2);
    // TT-06: the high bits besides 0x10 are not part of the kind.
    let odd = tt_packet(A, C, &value(TtFlags(0x12), 2, &table, &[]));
    assert_eq!(node.receive(&odd), Disposition::Consumed);
    assert_eq!(node.sent().len(), 1);
}
