//! Section 16.

use super::node::Node;
use super::*;
use crate::{Metric, NeighbourRow, OriginatorRow};

#[test]
fn v_91_the_originator_table() {
    let mut node = Node::with_interfaces(&[ME, mac(1, 2)]);
    assert_eq!(node.rows(), []);
    node.befriend(0, PEER, 0);
    node.befriend(1, OTHER, 500);
    node.hear(0, PEER, ogm(PEER, 70_000, u32::MAX));
    node.hear(0, PEER, ogm(FAR, 70_000, 5000));
    node.hear(1, OTHER, ogm(FAR, 70_000, 5000));
    node.now += ms(250);
    let row = |originator, index, neighbour, units, best| OriginatorRow {
        originator,
        neighbour,
        iface: iface(index),
        metric: Metric::Throughput(Throughput(units)),
        last_seen: ms(250),
        best,
    };
    assert_eq!(
        node.rows(),
        [row(PEER, 0, PEER, 0, true), row(FAR, 1, OTHER, 500, true), row(FAR, 0, PEER, 0, false),],
        "also without throughput; OTHER has sent no OGM2 of its own"
    );
    let of = |index| node.v.originator_rows_of(node.now, &node.interfaces, iface(index));
    assert_eq!(of(1), [row(PEER, 0, PEER, 0, true)][..0], "only by neighbours of that link");
    assert_eq!(of(0), [row(FAR, 0, PEER, 0, false)][..0]);
}

#[test]
fn v_92_the_neighbour_table() {
    let mut node = Node::with_interfaces(&[ME]);
    node.befriend(0, PEER, 540);
    node.now += ms(320);
    let row = NeighbourRow {
        neighbour: PEER,
        iface: iface(0),
        last_seen: ms(320),
        throughput: Some(Throughput(540)),
    };
    assert_eq!(node.v.neighbour_rows(node.now), [row]);
}
