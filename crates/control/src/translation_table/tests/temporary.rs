//! Section 12: clients learned from payload.

use super::*;

const TEMP: ClientFlags = ClientFlags::TEMP;

/// TT-101, TT-102: from known originators, of stations, never of ourselves.
#[test]
fn tt_102_who_is_learned_from_payload() {
    let mut node = Node::up(A);
    let stranger = Mac([2, 0, 0, 0, 0, 0x77]);
    let loop_detect = Client::untagged(Mac([0xba, 0xbe, 0, 0, 0, 1]));
    node.payload(X, stranger);
    node.payload(X, A);
    node.payload(loop_detect, B);
    node.payload(Client::untagged(Mac::ZERO), B);
    assert_eq!(node.table.global_len(), 0);
    node.hear(B, &ogm(1, &[(Z, NONE)], &[change(NONE, Z)]));
    node.payload(X, B);
    assert_eq!((node.announcers(X), node.global_flags(X)), (vec![B], Some(TEMP)));
    let rows = node.table.global_rows(&node.routing);
    assert_eq!(rows.iter().find(|row| row.client == X).unwrap().ttvn, Ttvn(1), "TTVN = L(o)");
}

/// TT-103: what payload does to a client that is known already.
#[test]
fn tt_103_payload_moves_nobody_who_is_announced() {
    let mut node = Node::up(A);
    node.hear(B, &ogm(1, &[(X, NONE)], &[change(NONE, X)]));
    node.payload(X, C);
    assert_eq!((node.announcers(X), node.global_flags(X)), (vec![B], Some(NONE)), "announced");
    node.learn(Z);
    node.ogm();
    node.payload(Z, C);
    assert_eq!((node.global_flags(Z), node.is_mine(Z)), (None, true), "ours");
    let new = client(1);
    node.learn(new);
    node.payload(new, C);
    assert_eq!(node.global_flags(new), Some(TEMP), "ours but not announced yet");
    assert_eq!(node.local_flags(new), None);
    assert!(node.table.local.queue.is_empty());
    node.payload(new, B);
    assert_eq!(node.announcers(new), [B], "a temporary entry moves");
    node.payload(new, B);
    assert_eq!(node.announcers(new), [B]);
}

/// TT-104: outside of CRC and of answers on behalf; the first announcement replaces it.
#[test]
fn tt_104_temporary_entries_are_not_announced() {
    let mut node = Node::up(A);
    node.hear(B, &ogm(1, &[(X, NONE)], &[change(NONE, X)]));
    node.payload(Z, B);
    node.hear(B, &ogm(1, &[(X, NONE)], &[]));
    assert_eq!(node.sent(), [] as [Vec<u8>; 0], "in step");
    node.receive(&tt_packet(B, C, &value(TtFlags::request(true), 1, &[(X, NONE)], &[])));
    assert_eq!(parts(&container(&node.sent_one())).2, [(0, X)]);
    node.hear(C, &ogm(1, &[(Z, WIFI)], &[change(WIFI, Z)]));
    assert_eq!((node.announcers(Z), node.global_flags(Z)), (vec![C], Some(WIFI)));
    assert_eq!(node.sent(), [] as [Vec<u8>; 0]);
}

/// 18.6: a withdrawal of a client that is only temporary.
#[test]
fn tt_68_withdrawal_of_a_temporary_client() {
    let mut node = Node::up(A);
    node.hear(B, &ogm(1, &[(X, NONE)], &[change(NONE, X)]));
    node.payload(Z, B);
    node.hear(B, &ogm(2, &[(X, NONE)], &[change(DEL, Z)]));
    assert_eq!(node.global_flags(Z), None);
    assert_eq!(node.sent(), [] as [Vec<u8>; 0]);
}

/// TT-105: a flood of forged sources is bounded, in total and for each originator; the oldest go.
#[test]
fn tt_105_a_flood_evicts_the_oldest() {
    let mut node = Node::up(A);
    node.settings.limits.temporary_clients = 40;
    node.payload(X, C);
    for number in 0..200 {
        node.wait(millis(1));
        node.payload(client(number), B);
        assert!(node.table.global.temporary_len() <= 11);
    }
    assert_eq!(node.announcers(X), [C], "the other originator's share is untouched");
    assert_eq!(node.global_flags(client(189)), None);
    assert_eq!(node.global_flags(client(190)), Some(TEMP), "a quarter of 40");

    for number in 0..8 {
        let originator = Mac([2, 0, 0, 0, 1, number]);
        node.route(originator, Some(255));
        for client in 0..10 {
            node.wait(millis(1));
            node.payload(self::client(1000 + 100 * usize::from(number) + client), originator);
            assert!(node.table.global.temporary_len() <= 40);
        }
    }
    assert_eq!(node.table.global.temporary_len(), 40);
    assert_eq!(node.global_flags(X), None, "oldest of all");

    node.settings.limits.temporary_clients = 0;
    node.payload(Z, B);
    assert_eq!(node.global_flags(Z), None);
}
