//! Section 11.4: answers to our requests.

use super::*;

const OWN_B: (Client, ClientFlags) = (Client::untagged(Mac([2, 0xba, 0, 0, 0, 0x0b])), NONE);
const NOTHING: [Vec<u8>; 0] = [];

fn response(full: bool, to: Mac, about: Mac, ttvn: u8, changes: &[Change]) -> Vec<u8> {
    tt_packet(to, about, &value(TtFlags::response(full), ttvn, &[], changes))
}

/// TT-96: a response for somebody else travels on untouched.
#[test]
fn tt_96_responses_for_others_travel_on() {
    let mut node = Node::up(A);
    node.hear(B, &ogm(5, &[OWN_B], &[]));
    node.sent_one();
    let disposition = node.receive(&response(true, C, B, 5, &rows(&[OWN_B])));
    assert_eq!(disposition, Disposition::PassOn);
    assert_eq!(node.table.global_len(), 0);
    assert_eq!(node.counted(Counter::TtResponseRx), 1);
}

/// TT-96: the VLAN records of a response are not looked at.
#[test]
fn tt_96_records_of_a_response_mean_nothing() {
    let mut node = Node::up(A);
    node.hear(B, &ogm(5, &[OWN_B], &[]));
    node.sent_one();
    let odd = value(TtFlags::response(true), 5, &[(Z, NONE), (Y, NONE)], &rows(&[OWN_B]));
    node.receive(&tt_packet(A, B, &odd));
    node.hear(B, &ogm(5, &[OWN_B], &[]));
    assert_eq!(node.sent(), NOTHING);
}

/// TT-97 [DEV]: only what was asked for, while it was asked for.
#[test]
fn tt_97_unsolicited_responses_are_refused() {
    let evil = [(client(1), NONE)];
    let full = |ttvn| response(true, A, B, ttvn, &rows(&evil));
    let diff = |ttvn| response(false, A, B, ttvn, &rows(&evil));
    // In step, nothing asked.
    let mut node = Node::up(A);
    node.hear(B, &ogm(1, &[OWN_B], &rows(&[OWN_B])));
    for packet in [full(1), full(2), diff(2)] {
        assert_eq!(node.receive(&packet), Disposition::Consumed);
    }
    assert!(node.knows_exactly(B, &[OWN_B]));
    assert_eq!(node.discarded(Discard::Unsolicited), 3);

    // Asked for the full table: a diff is not it.
    node.hear(B, &ogm(5, &[OWN_B], &[]));
    node.receive(&diff(2));
    assert!(node.knows_exactly(B, &[OWN_B]));
    // Ten seconds later nothing is awaited any more.
    node.wait(millis(10_001));
    node.receive(&full(5));
    assert!(node.knows_exactly(B, &[OWN_B]));
    node.hear(B, &ogm(5, &[OWN_B], &[]));
    node.wait(millis(10_000));
    node.receive(&full(5));
    assert!(node.knows_exactly(B, &evil), "just in time, and any version is good");
    node.receive(&full(6));
    assert_eq!(node.last_ttvn(B), Ttvn(5), "an answer is accepted once");

    // Asked for a diff: only the next step, and not an empty one.
    let mut node = Node::up(A);
    node.hear(B, &ogm(1, &[OWN_B], &rows(&[OWN_B])));
    node.hear(B, &ogm(2, &[OWN_B, (X, NONE)], &[]));
    for packet in [diff(1), diff(3), response(false, A, B, 2, &[])] {
        node.receive(&packet);
        assert!(node.knows_exactly(B, &[OWN_B]) && node.last_ttvn(B) == Ttvn(1));
    }
    node.receive(&response(false, A, B, 2, &[change(NONE, X)]));
    assert_eq!((node.announcers(X), node.last_ttvn(B)), (vec![B], Ttvn(2)));

    // A full table is a good answer to everything.
    node.hear(B, &ogm(3, &[OWN_B, (X, NONE)], &[]));
    node.receive(&full(9));
    assert!(node.knows_exactly(B, &evil));
}

/// TT-99: a full table that says what we know already does not touch an entry that readers may hold.
#[test]
fn tt_99_a_full_table_is_published_as_a_diff() {
    let mut node = Node::up(A);
    let table: Vec<_> = (0..50).map(|number| (client(number), NONE)).collect();
    node.hear(B, &ogm(1, &table, &rows(&table)));
    let fib = node.fib.reader();
    let before = fib.pin();
    let held: Vec<_> = table
        .iter()
        .map(|(client, _)| core::ptr::from_ref(before.global(*client).unwrap()))
        .collect();
    node.hear(B, &ogm(5, &[&table[1..], &[(X, NONE)]].concat(), &[]));
    node.sent_one();
    let new = [&table[1..], &[(X, NONE)]].concat();
    node.receive(&response(true, A, B, 5, &rows(&new)));
    let after = fib.pin();
    assert!(after.global(table[0].0).is_none() && after.global(X).is_some());
    for ((client, _), held) in table.iter().zip(&held).skip(1) {
        assert!(core::ptr::eq(after.global(*client).unwrap(), *held), "{client:?} was replaced");
    }
}

/// TT-100: a full table of the reference may carry a client that is just roaming away.
#[test]
fn tt_100_a_leaving_client_in_a_full_table() {
    let mut node = Node::up(A);
    let table = [OWN_B, (X, NONE)];
    node.hear(B, &ogm(5, &table, &[]));
    node.sent_one();
    node.receive(&response(true, A, B, 5, &[change(NONE, OWN_B.0), change(ROAM, X)]));
    assert_eq!((node.announcers(X), node.global_flags(X)), (vec![B], Some(ROAM)));
    node.hear(B, &ogm(5, &table, &[]));
    assert_eq!(node.sent().len(), 1, "the CRC differs until the next commit");
    node.wait(secs(100));
    node.hear(B, &ogm(6, &[OWN_B], &[change(DEL.or(ROAM), X)]));
    assert_eq!(node.sent(), NOTHING, "healed");
}
