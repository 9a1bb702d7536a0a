//! The bounds themselves, and what happens at them (TT-67, TT-87, TT-98, TT-107).

use super::*;
use crate::translation_table::limits::{
    AnswerLimit, CLIENTS_PER_ORIGINATOR, Errand, Passage, RoamWindows, SURE_CLIENTS, TokenBucket,
};

#[test]
fn tt_87_token_bucket() {
    let at = Instant::from_millis;
    let mut bucket = TokenBucket::new(3, 2);
    let takes: Vec<bool> =
        [0, 0, 0, 0, 499, 500, 999, 1000].map(|ms| bucket.take(at(ms), 1)).to_vec();
    assert_eq!(takes, [true, true, true, false, false, true, false, true]);
    assert!(!bucket.take(at(1_000_000), 4), "never more than the burst");
    assert!(bucket.take(at(1_000_000), 3));
    assert!(!bucket.take(at(999_999), 1), "the clock of an input may lag");
    assert!(!bucket.take(at(1_000_499), 1) && bucket.take(at(1_000_500), 1));
    assert!(bucket.take(Instant::NEVER, 3), "no overflow");
}

#[test]
fn tt_107_windows_are_bounded() {
    let mut windows = RoamWindows::new(5);
    let start = Instant::from_millis(1000);
    let allowed = (0..10_000).filter(|number| windows.allow(start, client(*number))).count();
    assert_eq!((allowed, windows.len()), (4096, 4096));
    assert!(windows.allow(start, client(0)), "those known go on");
    let over = start + millis(20_001);
    assert!(windows.allow(over, client(9_999)));
    assert_eq!(windows.len(), 1, "old ones make room");
}

fn errand(passage: Passage, requester: Mac, ttvn: u8) -> Errand {
    Errand { passage, requester, described: A, ttvn: Ttvn(ttvn) }
}

#[test]
fn tt_98_memory_of_answers_is_bounded() {
    let mut limit = AnswerLimit::new();
    let mac = |number: u16| {
        let [a, b] = number.to_be_bytes();
        Mac([2, 0, 0, 3, a, b])
    };
    let request = |number| errand(Passage::Request, mac(number), 1);
    let now = Instant::from_millis(1000);
    for len in [48, 0] {
        let taken = (0..5000).filter(|n| limit.take(now, request(*n), len)).count();
        assert_eq!((taken, limit.len()), (if len > 0 { 4096 } else { 0 }, 4096));
    }
    let later = now + millis(251);
    assert!(limit.take(later, request(4999), 48));
    assert_eq!(limit.len(), 1);
    assert!(!limit.take(later, request(0), usize::MAX));
}

/// TT-98: each version once in 250 ms, requests and answers apart.
#[test]
fn tt_98_the_same_once_in_250_ms() {
    let mut limit = AnswerLimit::new();
    let start = Instant::from_millis(1000);
    let (request, response) = (Passage::Request, Passage::Response);
    #[rustfmt::skip]
    let steps = [
        // after ms, what, bytes, allowed
        (0,   errand(request, B, 1),  48, true),
        (0,   errand(request, B, 1),  48, false),
        (0,   errand(request, B, 1),  0,  false),
        (0,   errand(response, B, 1), 0,  true),
        (0,   errand(response, B, 1), 0,  false),
        (0,   errand(request, C, 1),  0,  true),
        (250, errand(request, B, 1),  48, false),
        (251, errand(request, B, 1),  48, true),
        (251, errand(request, B, 2),  48, true),
        (251, errand(response, B, 1), 0,  true),
    ];
    for (step, (after, errand, len, allowed)) in steps.into_iter().enumerate() {
        assert_eq!(limit.take(start + millis(after), errand, len), allowed, "step {step}");
    }
}

/// TT-98: one requester gets half the burst and a quarter of the rate, and the others what is left.
#[test]
fn tt_98_nobody_alone_uses_up_the_answers() {
    let (mut limit, start, len) = (AnswerLimit::new(), Instant::from_millis(1000), 20_000);
    let ask = |limit: &mut AnswerLimit, now, from, ttvn| {
        limit.take(now, errand(Passage::Request, from, ttvn), len)
    };
    let mut taken = 0;
    for number in 0..480 {
        let now = start + millis(251 * number);
        taken += if ask(&mut limit, now, B, 1) { len } else { 0 };
    }
    let most = 256 * 1024 + 32 * 1024 * 479 * 251 / 1000;
    assert!((most - len..=most).contains(&taken), "{taken} of {most}");
    let now = start + millis(251 * 479);
    let rest: Vec<_> = (0..20).map(|ttvn| ask(&mut limit, now, C, ttvn)).collect();
    assert_eq!(rest, (0..20).map(|ttvn| ttvn < 13).collect::<Vec<_>>(), "C has its own half");
    assert_eq!(limit.len(), 2);
    limit.expire(now + secs(8));
    assert_eq!(limit.len(), 0, "a bucket that is full again is forgotten");
}

/// TT-67 [DEV]: no originator gets more clients than its table can have; it is left alone for a minute then.
#[test]
fn tt_67_clients_per_originator() {
    assert_eq!(CLIENTS_PER_ORIGINATOR, 5460);
    let mut node = Node::up(A);
    let too_many: Vec<_> = (0..5461).map(|number| (client(number), NONE)).collect();
    let table = |node: &mut Node, ttvn, clients: &[_]| {
        let changes: Vec<_> = rows(clients);
        let vlans = [VlanBlock { crc: 1, vid: Vid::UNTAGGED }];
        let mut out = Vec::new();
        TtValue::emit(&mut out, TtFlags::OGM, Ttvn(ttvn), &vlans, changes);
        node.hear(B, &out);
    };
    table(&mut node, 1, &too_many[..3000]);
    node.sent();
    table(&mut node, 2, &too_many[3000..]);
    assert_eq!(node.table.global_len(), 5460);
    let peer = node.table.global.peer(B).unwrap();
    assert_eq!((peer.initialized, peer.ttvn), (false, Ttvn(2)));
    assert_eq!(node.sent(), [] as [Vec<u8>; 0]);
    assert_eq!(node.discarded(Discard::TableFull), 1);
    let wrong = ogm(9, &too_many[..1], &[]);
    node.wait(millis(59_999));
    node.hear(B, &wrong);
    assert_eq!(node.sent(), [] as [Vec<u8>; 0], "backs off");
    node.wait(millis(1));
    node.hear(B, &wrong);
    assert_eq!(node.sent().len(), 1);
}

/// TT-67 [DEV]: the table as a whole is bounded, lists included, and frees what originators take with them.
#[test]
fn tt_67_clients_in_total() {
    let mut node = Node::up(A);
    node.settings.limits.global_clients = 10;
    let table: Vec<_> = (0..8).map(|number| (client(number), NONE)).collect();
    node.hear(B, &ogm(1, &table, &rows(&table)));
    node.hear(C, &ogm(1, &table, &rows(&table)));
    assert_eq!(node.table.global.listings(), 10);
    assert_eq!(node.table.global_len(), 8);
    assert!(!node.table.global.peer(C).unwrap().initialized);
    node.payload(X, B);
    node.receive(&roam_packet(A, B, Z));
    assert_eq!((node.announcers(X), node.announcers(Z)), (vec![], vec![]));
    node.run(|table, ctx, _| table.originator_gone(ctx, B));
    assert_eq!(node.table.global_len(), 2);
    node.payload(X, C);
    assert_eq!(node.announcers(X), [C]);
}

/// TT-67: there are no more valid VIDs than an originator may have VLANs, so records with others open no books.
#[test]
fn tt_67_vlans_per_originator() {
    let mut node = Node::up(A);
    let everywhere = |range: core::ops::RangeInclusive<u16>| -> Vec<Change> {
        range.map(|vid| change(NONE, Client::new(X.mac, Vid(vid)))).collect()
    };
    let vlans = [VlanBlock { crc: 1, vid: Vid::UNTAGGED }];
    for (ttvn, range) in
        [0..=0x0fff, 0x1000..=0x1fff, 0x8000..=0x8fff, 0x9000..=0x9fff].into_iter().enumerate()
    {
        let mut out = Vec::new();
        let ttvn = Ttvn(u8::try_from(ttvn).unwrap() + 1);
        TtValue::emit(&mut out, TtFlags::OGM, ttvn, &vlans, everywhere(range));
        node.hear(B, &out);
    }
    assert_eq!(node.table.global.peer(B).unwrap().vlans.len(), 4097);
}

/// Another originator, number `number` of many, with a route.
fn other(node: &mut Node, number: u8) -> Mac {
    let mac = Mac([2, 0, 0, 0, 1, number]);
    node.route(mac, Some(255));
    mac
}

/// So many clients, beginning with number `first`.
fn clients(first: usize, count: usize) -> Vec<(Client, ClientFlags)> {
    (first..first + count).map(|number| (client(number), NONE)).collect()
}

/// How many clients are stored of an originator.
fn stored(node: &Node, originator: Mac) -> usize {
    node.table.global.peer(originator).map_or(0, |peer| peer.clients.len())
}

/// TT-67 [DEV]: originators that appear later and fill the table take nothing from those known longer, who go on growing,
/// and nobody is without the few clients that all are sure of.
#[test]
fn tt_67_a_flood_of_tables_leaves_the_mesh_its_clients() {
    let mut node = Node::up(A);
    node.settings.limits.global_clients = 500;
    let of_b = clients(0, 100);
    node.hear(B, &ogm(1, &of_b, &rows(&of_b)));
    let forgers: Vec<_> = (0..4).map(|number| other(&mut node, number)).collect();
    for (forger, first) in forgers.iter().zip([1000, 2000, 3000, 4000]) {
        let table = clients(first, 200);
        node.hear(*forger, &ogm(1, &table, &rows(&table)));
        assert!(node.table.global.listings() <= 500);
    }
    node.sent();
    assert_eq!(stored(&node, B), 100);
    // The two that came first have the room that is left, but for what the others are sure of.
    assert_eq!(
        forgers.iter().map(|forger| stored(&node, *forger)).collect::<Vec<_>>(),
        [200, 168, 16, 16]
    );

    // B grows by 90: it was there first.
    let more = clients(100, 90);
    let all = clients(0, 190);
    node.hear(B, &ogm(2, &all, &rows(&more)));
    assert_eq!((stored(&node, B), node.sent()), (190, vec![]), "and it is in step");
    // C comes late, with few clients: it is sure of them.
    let of_c = clients(500, 16);
    node.hear(C, &ogm(1, &of_c, &rows(&of_c)));
    assert_eq!((stored(&node, C), node.sent()), (16, vec![]));
    assert_eq!(node.announcers(client(515)), [C]);
    assert_eq!(
        forgers.iter().map(|forger| stored(&node, *forger)).collect::<Vec<_>>(),
        [200, 62, 16, 16]
    );
    // Who lost clients is not asked again and again, and not vouched for.
    for forger in &forgers[1..] {
        let peer = node.table.global.peer(*forger).unwrap();
        assert!(!peer.initialized, "not whole");
        node.hear(*forger, &ogm(7, &of_c, &[]));
    }
    assert_eq!(node.sent(), [] as [Vec<u8>; 0]);
    assert!(node.discarded(Discard::TableFull) > 0);
    assert_eq!(node.table.global.listings(), 500);
}

/// TT-67, TT-105: clients that were only seen in payload give way to those that are announced, never the reverse.
#[test]
fn tt_105_temporary_clients_give_way_to_announced_ones() {
    let mut node = Node::up(A);
    node.settings.limits.global_clients = 60;
    for number in 0..60 {
        node.wait(millis(1));
        node.payload(client(number), C);
    }
    assert_eq!(node.table.global.temporary_len(), 60);
    // One of them is the client itself.
    let table = [clients(100, 49), clients(0, 1)].concat();
    node.hear(B, &ogm(1, &table, &rows(&table)));
    assert_eq!((stored(&node, B), node.sent()), (50, vec![]));
    assert_eq!(node.announcers(client(0)), [B]);
    assert_eq!(node.table.global.listings(), 60);
    assert_eq!((node.announcers(client(49)), node.announcers(client(50))), (vec![], vec![C]));
    // Full of announced ones: payload brings nobody in, but a newcomer that is announced finds room.
    let table = clients(0, 1).into_iter().chain(clients(100, 59)).collect::<Vec<_>>();
    node.hear(B, &ogm(2, &table, &rows(&table)));
    assert_eq!((node.table.global.temporary_len(), node.table.global.listings()), (0, 60));
    node.payload(X, C);
    assert_eq!(node.announcers(X), []);
    node.hear(C, &ogm(1, &[(X, NONE)], &[change(NONE, X)]));
    assert_eq!((node.announcers(X), stored(&node, B)), (vec![C], 59));
}

/// TT-105: a share that is used up does not grow by taking over the temporary clients of others.
#[test]
fn tt_105_shares_hold_for_clients_that_move() {
    let mut node = Node::up(A);
    node.settings.limits.temporary_clients = 40;
    for number in 0..10 {
        node.payload(client(number), C);
    }
    for number in 0..30 {
        node.wait(millis(1));
        node.payload(client(number), B);
    }
    assert_eq!(node.table.global.peer(B).unwrap().temporary.len(), 10, "a quarter of 40");
}

/// The defaults hold what every originator is sure of.
#[test]
fn tt_67_the_defaults_keep_what_they_promise() {
    let limits = Settings::default().limits;
    assert!(limits.originators * SURE_CLIENTS <= limits.global_clients);
}
