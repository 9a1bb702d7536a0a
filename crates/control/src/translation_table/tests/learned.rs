//! How and since when a client is known, as operators are told.

use super::*;
use crate::Learned;

fn how(node: &Node, client: Client) -> Option<(Mac, Learned, Instant)> {
    let rows = node.table.global_rows(&node.routing);
    rows.iter().find(|row| row.client == client).map(|row| (row.originator, row.how, row.since))
}

fn second(node: &Node) -> Instant {
    Instant::from_millis(node.now.as_millis() / 1000 * 1000)
}

/// TT-77, TT-101: payload comes first, the announcement makes it certain; what is said again changes nothing.
#[test]
fn tt_77_tt_101_payload_then_a_change_of_the_table() {
    let mut node = Node::up(A);
    node.payload(X, B);
    assert_eq!(how(&node, X), Some((B, Learned::Payload, second(&node))));
    node.pass(secs(5));
    node.hear(B, &ogm(1, &[(X, NONE)], &[change(NONE, X)]));
    let announced = Some((B, Learned::Diff, second(&node)));
    assert_eq!(how(&node, X), announced);
    node.pass(secs(5));
    node.hear(B, &ogm(2, &[(X, WIFI)], &[change(WIFI, X)]));
    assert_eq!(how(&node, X), announced, "other flags, the same client");
}

/// TT-108: who announces a client after its roaming advertisement did not bring anything new.
#[test]
fn tt_108_a_client_that_roamed() {
    let mut node = Node::up(A);
    node.hear(B, &ogm(1, &[(X, NONE)], &[change(NONE, X)]));
    node.hear(C, &ogm(1, &[(Y, NONE)], &[change(NONE, Y)]));
    node.pass(secs(5));
    node.receive(&roam_packet(A, C, X));
    let roamed = Some((C, Learned::Roamed, second(&node)));
    assert_eq!(how(&node, X), roamed);
    node.pass(secs(2));
    node.hear(C, &ogm(2, &[(X, NONE), (Y, NONE)], &[change(NONE, X)]));
    assert_eq!(how(&node, X), roamed);
    assert_eq!(how(&node, Z), None);
}

/// TT-96: the whole table.
#[test]
fn tt_96_a_client_of_the_whole_table() {
    let mut node = Node::up(A);
    let table = [(X, NONE)];
    node.hear(B, &ogm(7, &table, &[]));
    assert_eq!(node.sent().len(), 1, "it is asked for");
    node.receive(&tt_packet(A, B, &value(TtFlags::response(true), 7, &table, &rows(&table))));
    assert_eq!(how(&node, X), Some((B, Learned::FullTable, second(&node))));
}
