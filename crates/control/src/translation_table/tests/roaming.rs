//! Section 13, and the sequence of 18.4.

use super::*;

fn table_of_a() -> [(Client, ClientFlags); 2] {
    [(own_client(A), NONE), (X, WIFI)]
}

/// B, and A with the client X, both in step with each other.
fn pair() -> (Node, Node) {
    let (mut a, mut b) = (Node::new(A), Node::new(B));
    a.bring_up();
    b.bring_up();
    let (of_a, of_b) = (a.ogm().unwrap(), b.ogm().unwrap());
    a.hear(B, &of_b);
    b.hear(A, &of_a);
    a.learn_as(X, WIFI);
    b.hear(A, &a.ogm().unwrap());
    assert_eq!((a.sent(), b.sent()), (vec![], vec![]));
    (a, b)
}

/// 18.4 step by step. TT-106, TT-108, TT-109.
#[test]
fn tt_106_a_client_roams() {
    for b_announces_first in [false, true] {
        let (mut a, mut b) = pair();
        let mut c = Node::up(C);
        for node in [&mut a, &mut b] {
            let value = node.run(|table, ctx, _| table.ogm_value(ctx, ROOM)).unwrap();
            let full = value_as_full(node, &value);
            c.hear(node.mac, &value);
            c.receive(&tt_packet(C, node.mac, &full));
        }
        c.sent();
        b.learn_as(X, WIFI);
        assert_eq!(b.global_flags(X), Some(ROAM.or(WIFI)));
        let advertisement = b.sent_one();
        assert_eq!(
            advertisement,
            hex("44 0f 32 00 | 02 00 00 00 00 0a | 02 00 00 00 00 0b | 00 0c 00 00 | 05 01 00 08 |
                 02 cc 00 00 00 01 00 00")
        );
        b.learn_as(X, WIFI);
        assert_eq!(b.sent(), [] as [Vec<u8>; 0], "TT-20: once");

        assert_eq!(a.receive(&advertisement), Disposition::Consumed);
        let leaving = WIFI.or(ROAM).or(ClientFlags::PENDING);
        assert_eq!(a.local_flags(X), Some(leaving));
        assert_eq!(a.announcers(X), [B]);
        assert_eq!(a.global_flags(X), Some(ROAM.or(WIFI)), "TT-62 step 7: inherits WIFI");
        assert_eq!((b.counted(Counter::TtRoamAdvTx), a.counted(Counter::TtRoamAdvRx)), (1, 1));

        let (from_a, from_b) = (a.ogm().unwrap(), b.ogm().unwrap());
        assert_eq!(parts(&from_a).2, [(0x13, X)], "TT-109: DEL|ROAM");
        assert_eq!(parts(&from_b).2, [(0x10, X)]);
        if b_announces_first {
            c.hear(B, &from_b);
            assert_eq!(c.announcers(X), [B, A]);
            c.hear(A, &from_a);
        } else {
            c.hear(A, &from_a);
            assert_eq!((c.announcers(X), c.global_flags(X)), (vec![A], Some(ROAM.or(WIFI))));
            c.hear(B, &from_b);
        }
        assert_eq!((c.announcers(X), c.global_flags(X)), (vec![B], Some(WIFI)));
        a.hear(B, &from_b);
        b.hear(A, &from_a);
        assert_eq!((a.announcers(X), a.global_flags(X)), (vec![B], Some(WIFI)));
        assert_eq!((b.announcers(X), b.local_flags(X)), (vec![], Some(WIFI)));
        assert_eq!((a.sent(), b.sent(), c.sent()), (vec![], vec![], vec![]), "no table asked for");
    }
}

/// The whole table of a node, as an answer to a request.
fn value_as_full(node: &Node, announced: &[u8]) -> Vec<u8> {
    let (ttvn, vlans, _) = parts(announced);
    let mut out = Vec::new();
    let rows = node.table.local.full_table();
    TtValue::emit(&mut out, TtFlags::response(true), Ttvn(ttvn), &vlans, rows);
    out
}

/// 18.4, the advertisement is lost: the announcement heals it, with a plain withdrawal.
#[test]
fn tt_65_a_lost_advertisement_heals() {
    let (mut a, mut b) = pair();
    b.learn_as(X, WIFI);
    b.sent_one();
    a.hear(B, &b.ogm().unwrap());
    assert_eq!(a.local_flags(X), Some(WIFI.or(ClientFlags::PENDING)));
    let withdrawal = a.ogm().unwrap();
    assert_eq!(parts(&withdrawal).2, [(0x11, X)]);
    b.hear(A, &withdrawal);
    assert_eq!((b.announcers(X), b.is_mine(X)), (vec![], true));
    assert_eq!((a.announcers(X), a.sent(), b.sent()), (vec![B], vec![], vec![]));
}

/// TT-20, TT-22: everybody who is listed is told.
#[test]
fn tt_106_every_announcer_is_told() {
    let mut node = Node::up(A);
    node.hear(B, &ogm(1, &[(X, NONE)], &[change(NONE, X)]));
    node.hear(C, &ogm(1, &[(X, NONE)], &[change(NONE, X)]));
    node.learn(X);
    assert_eq!(node.sent(), [roam_packet(C, A, X), roam_packet(B, A, X)]);
    assert_eq!((node.announcers(X), node.global_flags(X)), (vec![C, B], Some(ROAM)), "unchanged");
    node.learn(X);
    assert_eq!(node.sent(), [] as [Vec<u8>; 0]);
}

/// TT-107, and the last but few row of 18.6: a client at two nodes at once.
#[test]
fn tt_107_five_advertisements_in_twenty_seconds() {
    let mut node = Node::up(A);
    let mut sent_at = Vec::new();
    let start = node.now;
    let mut ttvn = 0;
    for second in 0..60 {
        ttvn += 1;
        node.hear(B, &ogm(ttvn, &[(X, NONE)], &[change(NONE, X)]));
        assert_eq!(node.announcers(X), [B]);
        node.learn(X);
        assert!(node.is_mine(X));
        assert_eq!(node.global_flags(X), Some(ROAM), "the tables follow all the same");
        sent_at.extend(node.sent().iter().map(|_| second));
        node.wait(secs(1));
    }
    assert_eq!(node.now.since(start), secs(60));
    assert_eq!(sent_at, [0, 1, 2, 3, 4, 21, 22, 23, 24, 25, 42, 43, 44, 45, 46]);
    assert_eq!(node.discarded(Discard::RateLimited), 45);
    assert!(node.table.global_len() == 1 && node.table.local_len() == 2, "nothing grows");
}

/// TT-107: the same address on two VLANs has two windows, and windows are forgotten.
#[test]
fn tt_107_windows_are_per_mac_and_vid() {
    let mut node = Node::up(A);
    node.run(|table, ctx, routing| table.add_vlan(ctx, routing, VLAN_10));
    let tagged = Client::new(X.mac, VLAN_10);
    for number in 0..6 {
        let originator = Mac([2, 0, 0, 0, 1, number]);
        node.route(originator, Some(255));
        let both = [(X, NONE), (tagged, NONE)];
        node.hear(originator, &ogm(1, &both, &rows(&both)));
    }
    node.learn(X);
    assert_eq!(node.sent().len(), 5, "each addressed originator counts");
    node.learn(tagged);
    assert_eq!(node.sent().len(), 5);
    assert_eq!(node.table.roams_sent.len(), 2);
    node.pass(secs(26));
    assert_eq!(node.table.roams_sent.len(), 0);
}

/// TT-07: transit, too short, unknown source, longer than needed.
#[test]
fn tt_07_roaming_values() {
    let (mut a, _) = pair();
    let value = hex("02 cc 00 00 00 01 00 00");
    let send =
        |a: &mut Node, to, from, value: &[u8]| a.receive(&packet(to, from, Kind::ROAMING, value));
    assert_eq!(send(&mut a, C, B, &value), Disposition::PassOn);
    assert_eq!(send(&mut a, C, B, &value[..2]), Disposition::PassOn, "no length check in transit");
    for len in [0, 2, 4, 6] {
        assert_eq!(send(&mut a, A, B, &value[..len]), Disposition::Consumed);
    }
    let stranger = Mac([2, 0, 0, 0, 0, 0x77]);
    assert_eq!(send(&mut a, A, stranger, &value), Disposition::Consumed);
    assert_eq!(send(&mut a, A, A, &value), Disposition::Consumed);
    assert!(a.is_mine(X));
    assert_eq!((a.announcers(X), a.counted(Counter::TtRoamAdvRx)), (vec![], 0));
    let longer = [&value[..], &[0xff; 4]].concat();
    assert_eq!(send(&mut a, A, B, &longer), Disposition::Consumed);
    assert!(!a.is_mine(X));
}

/// TT-108: what an advertisement does to a client that was ours, and to one that was not.
#[test]
fn tt_108_received_advertisements() {
    let (mut a, _) = pair();
    a.receive(&roam_packet(A, B, X));
    let row = a.table.global_rows(&a.routing).into_iter().find(|row| row.client == X).unwrap();
    assert_eq!((row.originator, row.ttvn), (B, Ttvn(2)), "L(B) + 1");
    a.receive(&roam_packet(A, B, Z));
    assert_eq!((a.announcers(Z), a.global_flags(Z)), (vec![B], Some(ROAM)));
    assert_eq!(parts(&a.ogm().unwrap()).2, [(0x13, X)]);
    // TT-61: B's OGM that does not know of it yet is still in step.
    let mut b = Node::up(B);
    a.hear(B, &b.ogm().unwrap());
    assert_eq!(a.sent(), [] as [Vec<u8>; 0]);
}

/// TT-110: who has no route serves nobody; floods end at a bound, for each source and for each client.
#[test]
fn tt_110_advertisements_are_limited() {
    let (mut a, _) = pair();
    a.route(B, None);
    assert_eq!(a.receive(&roam_packet(A, B, X)), Disposition::Consumed);
    assert!(a.is_mine(X));
    a.route(B, Some(255));
    for number in 0..600 {
        a.receive(&roam_packet(A, B, client(number)));
    }
    assert_eq!(a.counted(Counter::TtRoamAdvRx), 512);
    assert_eq!(a.table.roams_accepted.len(), 512);
    assert_eq!(a.receive(&roam_packet(A, C, X)), Disposition::Consumed);
    assert!(!a.is_mine(X), "another source is not affected");
    a.pass(secs(26));
    assert_eq!(a.table.roams_accepted.len(), 0, "windows that are over are forgotten");

    let mut node = Node::up(A);
    for _ in 0..30 {
        node.learn(X);
        node.sent();
        node.receive(&roam_packet(A, B, X));
    }
    assert_eq!(node.counted(Counter::TtRoamAdvRx), 10);
    node.learn(X);
    assert!(node.is_mine(X), "flapping ends with the client where it sends");
}

/// An advertisement about a client whose table is unknown uses it all the same, and the next announcement wins.
#[test]
fn tt_63_the_announcement_confirms_the_advertisement() {
    let mut node = Node::up(A);
    node.receive(&roam_packet(A, B, X));
    node.hear(B, &ogm(1, &table_of_b(), &rows(&table_of_b())));
    assert_eq!((node.announcers(X), node.global_flags(X)), (vec![B], Some(WIFI)));
    assert_eq!(node.sent(), [] as [Vec<u8>; 0]);
    assert_eq!(table_of_a()[1], table_of_b()[1]);
}

fn table_of_b() -> [(Client, ClientFlags); 2] {
    [(own_client(B), NONE), (X, WIFI)]
}
