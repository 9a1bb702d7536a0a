//! The bounds themselves, and what happens at them (TT-67, TT-87, TT-98, TT-107).

use super::*;
use crate::translation_table::limits::{
    AnswerLimit, CLIENTS_PER_ORIGINATOR, RoamWindows, TokenBucket,
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

#[test]
fn tt_98_memory_of_answers_is_bounded() {
    let mut limit = AnswerLimit::new();
    let mac = |number: u16| {
        let [a, b] = number.to_be_bytes();
        Mac([2, 0, 0, 3, a, b])
    };
    let now = Instant::from_millis(1000);
    let taken = (0..5000).filter(|n| limit.take(now, mac(*n), A, Ttvn(1), 48)).count();
    assert_eq!((taken, limit.len()), (4096, 4096));
    assert!(limit.just_answered(now, mac(0), A, Ttvn(1)));
    assert!(!limit.just_answered(now, mac(0), A, Ttvn(2)));
    assert!(!limit.just_answered(now, mac(0), B, Ttvn(1)));
    let later = now + millis(251);
    assert!(!limit.just_answered(later, mac(0), A, Ttvn(1)));
    assert!(limit.take(later, mac(4999), A, Ttvn(1), 48));
    assert_eq!(limit.len(), 1);
    assert!(!limit.take(later, mac(0), A, Ttvn(1), usize::MAX));
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
