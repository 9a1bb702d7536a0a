//! The tables an operator sees (section 13).

use super::node::Node;
use super::{Mac, Ogm, iface, mac, ms, ogm, repeated};
use crate::{Link, Metric, OriginatorRow};

const ME: Mac = mac(1, 1);
const PEER: Mac = mac(2, 1);
const OTHER: Mac = mac(3, 1);
const FAR: Mac = mac(9, 1);

/// IV-103: originators whose router has a quality, one row for each candidate, also those with TQ 0.
#[test]
fn iv_103_originator_table() {
    let mut node = Node::with_interfaces(&[ME]);
    node.warm(&[(0, PEER), (0, OTHER)], 100);
    node.hear(0, OTHER, repeated(FAR, 1, mac(8, 2), 100));
    for seqno in 2..=7 {
        node.hear(0, PEER, repeated(FAR, seqno, mac(8, 1), 225));
    }
    node.hear(0, mac(4, 1), ogm(mac(4, 1), 1));
    node.now += ms(250);
    let row = |originator, neighbour, tq, best| OriginatorRow {
        originator,
        neighbour,
        iface: iface(0),
        metric: Metric::Tq(tq),
        last_seen: ms(250),
        best,
    };
    assert_eq!(
        node.rows(),
        [
            row(PEER, PEER, 255, true),
            row(OTHER, OTHER, 255, true),
            row(FAR, PEER, 225, true),
            row(FAR, OTHER, 0, false)
        ],
        "newest candidate first; without the one whose link is not measured"
    );
}

/// IV-104: the table of an interface: its view, its own neighbours.
#[test]
fn iv_104_originator_table_of_an_interface() {
    let mut node = Node::new(1);
    node.attach(0, Link { wifi: true, ..Node::link(ME) }, 1000);
    node.attach(1, Node::link(mac(1, 2)), 2000);
    node.warm(&[(0, PEER), (1, OTHER)], 100);
    for seqno in 1..=5 {
        node.hear(0, PEER, repeated(FAR, seqno, mac(8, 1), 225));
        node.hear(1, OTHER, repeated(FAR, seqno, mac(8, 2), 220));
    }
    let table = |index| {
        let rows = node.iv.originator_rows_of(node.now, &node.interfaces, iface(index));
        rows.iter()
            .map(|row| (row.originator, row.neighbour, row.metric.tq().unwrap(), row.best))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        table(0),
        [(PEER, PEER, 225, true), (FAR, PEER, 198, false)],
        "half-duplex, and by the other link"
    );
    assert_eq!(table(1), [(OTHER, OTHER, 255, true), (FAR, OTHER, 220, false)]);
}

/// IV-105: neighbours and when their own OGM came last.
#[test]
fn iv_105_neighbour_table() {
    let mut node = Node::with_interfaces(&[ME, mac(1, 2)]);
    node.hear(1, PEER, ogm(PEER, 1));
    node.now += ms(300);
    node.hear(0, OTHER, Ogm { ttl: 2, ..ogm(OTHER, 1) });
    node.now += ms(30);
    let rows: Vec<_> = node
        .iv
        .neighbour_rows(node.now)
        .iter()
        .map(|row| (row.neighbour, row.iface, row.last_seen))
        .collect();
    assert_eq!(rows, [(OTHER, iface(0), ms(30)), (PEER, iface(1), ms(330))]);
}

/// IV-107: without an originator address of our own there is no table.
#[test]
fn iv_107_no_table_without_a_primary_interface() {
    let mut node = Node::with_interfaces(&[ME]);
    node.warm(&[(0, PEER)], 100);
    assert_eq!(node.rows().len(), 1);
    node.detach(0);
    assert_eq!(node.rows(), []);
}
