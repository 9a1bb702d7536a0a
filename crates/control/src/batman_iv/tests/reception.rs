//! What is taken from a frame, what from a record, and what an echo counts (6.1, 6.2).

use super::node::{Node, payload};
use super::{Mac, Ogm, OgmFlags, mac, ogm, repeated};
use crate::Link;
use noctule_fib::Counter;
use noctule_wire::Discard;

const ME: Mac = mac(1, 1);
const MY_SECOND: Mac = mac(1, 2);
const PEER: Mac = mac(2, 1);
const FAR: Mac = mac(3, 1);

/// IV-35: each row is refused for its reason, uncounted, and leaves no trace; then the same frame, untouched, counts.
#[test]
fn iv_35_frame_checks() {
    let good = payload(&[ogm(PEER, 1)]);
    let with = |index: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[index] = byte;
        bytes
    };
    #[rustfmt::skip]
    let rows: [(Mac, Mac, Vec<u8>, usize, Discard); 9] = [
        (Mac::BROADCAST,             PEER,                     good[..23].to_vec(), 0, Discard::Truncated),
        (Mac::BROADCAST,             PEER,                     Vec::new(),          0, Discard::Truncated),
        (Mac::BROADCAST,             PEER,                     with(0, 1),          0, Discard::Type),
        (Mac::BROADCAST,             PEER,                     with(1, 14),         0, Discard::Version),
        (ME,                         PEER,                     good.clone(),        0, Discard::Address),
        (Mac([1, 0, 0x5e, 0, 0, 1]), PEER,                     good.clone(),        0, Discard::Address),
        (Mac::BROADCAST,             Mac([3, 0, 0, 0, 0, 1]),  good.clone(),        0, Discard::Address),
        (Mac::BROADCAST,             Mac::ZERO,                good.clone(),        0, Discard::Address),
        (Mac::BROADCAST,             PEER,                     good.clone(),        1, Discard::Inactive),
    ];
    let mut node = Node::with_interfaces(&[ME]);
    node.attach(1, Link { up: false, ..Node::link(MY_SECOND) }, 1);
    for (destination, source, bytes, index, reason) in rows {
        let before = node.discarded(reason);
        node.receive_bytes(index, destination, source, &bytes);
        assert_eq!(node.discarded(reason), before + 1, "{reason:?}");
        assert_eq!((node.iv.len(), node.counters.get(Counter::MgmtRx)), (0, 0), "{reason:?}");
    }
    node.receive_bytes(0, Mac::BROADCAST, PEER, &good);
    assert_eq!(node.iv.len(), 1);
    assert_eq!(node.counters.get(Counter::MgmtRx), 1);
    assert_eq!(node.counters.get(Counter::MgmtRxBytes), 24 + 14);
}

/// IV-03, IV-36: records follow each other, any of them with TVLVs; what does not fit ends the walk, what came before
/// counts. A frame may be longer than 512 bytes.
#[test]
fn iv_03_iv_36_walking_the_records() {
    let tvlvs = [9, 9, 0, 2, 1, 2];
    let three = [
        ogm(PEER, 1),
        Ogm { tvlvs: &tvlvs, ..repeated(FAR, 1, mac(4, 1), 200) },
        repeated(mac(5, 1), 1, mac(4, 1), 200),
    ];
    let good = payload(&three);
    let known = |bytes: &[u8]| {
        let mut node = Node::with_interfaces(&[ME]);
        node.receive_bytes(0, Mac::BROADCAST, PEER, bytes);
        node.iv.len()
    };
    assert_eq!(known(&good), 3);
    for len in 24..good.len() {
        let whole = [24, 24 + 30, 24 + 30 + 24].iter().filter(|end| **end <= len).count();
        assert_eq!(known(&good[..len]), whole, "{len} bytes");
    }
    let mut odd = good.clone();
    odd[24 + 23] = 5;
    assert_eq!(known(&odd), 1, "an odd length ends it");
    let mut beyond = good.clone();
    beyond[24 + 22] = 0xff;
    beyond[24 + 23] = 0xfe;
    assert_eq!(known(&beyond), 1);
    let many: Vec<_> = (0..60).map(|index| repeated(mac(9, index), 1, mac(4, 1), 200)).collect();
    assert_eq!(known(&payload(&many)), 60, "1440 bytes");
}

/// IV-37, rows 1 to 6, and IV-H1, IV-H4: one record each behind a good one.
#[test]
fn iv_37_record_filter() {
    let mine = Ogm { ttl: 49, flags: OgmFlags::DIRECT_LINK, previous_sender: ME, ..ogm(ME, 1) };
    #[rustfmt::skip]
    let rows: [(&str, Ogm<'_>, bool, Discard); 8] = [
        ("3: my own OGM",              mine,                                                       false, Discard::Own),
        ("4: my own rebroadcast",      repeated(FAR, 1, ME, 200),                                  false, Discard::Own),
        ("4: of my other interface",   repeated(FAR, 1, MY_SECOND, 200),                           false, Discard::Own),
        ("5: not by its best",         Ogm { flags: OgmFlags::NOT_BEST, ..repeated(FAR, 1, mac(4, 1), 200) }, false, Discard::NotBest),
        ("6: entry made",              repeated(FAR, 1, mac(4, 1), 200),                           true,  Discard::UnknownNeighbour),
        ("H1: group originator",       repeated(Mac([3, 0, 0, 0, 0, 1]), 1, mac(4, 1), 200),       false, Discard::Malformed),
        ("H1: nobody as originator",   repeated(Mac::ZERO, 1, mac(4, 1), 200),                     false, Discard::Malformed),
        ("H1: nobody as last sender",  repeated(FAR, 1, Mac::ZERO, 200),                           false, Discard::Malformed),
    ];
    for (name, record, made, reason) in rows {
        let mut node = Node::with_interfaces(&[ME, MY_SECOND]);
        node.hear(0, PEER, record);
        assert_eq!(node.iv.len() == 1, made, "{name}");
        assert_eq!(node.discarded(reason), 1, "{name}");
    }
    // 1 and H4: other types and versions are skipped by their length, the walk goes on.
    for (index, byte, reason) in [(0, 1, Discard::Type), (1, 9, Discard::Version)] {
        let mut node = Node::with_interfaces(&[ME]);
        let mut bytes = payload(&[
            ogm(PEER, 1),
            Ogm { tvlvs: &[1, 1, 0, 0], ..ogm(FAR, 1) },
            ogm(mac(4, 1), 1),
        ]);
        bytes[24 + index] = byte;
        node.receive_bytes(0, Mac::BROADCAST, PEER, &bytes);
        assert_eq!((node.iv.len(), node.discarded(reason)), (2, 1));
        assert!(!crate::Routing::knows(&node.iv, FAR));
    }
    // 2: from myself, by whichever interface, also by the primary's address while its link is down.
    let mut node = Node::with_interfaces(&[ME, MY_SECOND]);
    node.hear(0, MY_SECOND, ogm(PEER, 1));
    node.change(0, |link| link.up = false);
    node.hear(1, ME, ogm(PEER, 1));
    assert_eq!((node.iv.len(), node.discarded(Discard::Own)), (0, 2));
}

/// Zero padding looks like a type 0 record of version 0: skipped.
#[test]
fn zero_padding_is_no_record() {
    let mut node = Node::with_interfaces(&[ME]);
    let mut bytes = payload(&[ogm(PEER, 1)]);
    bytes.resize(24 + 48, 0);
    node.receive_bytes(0, Mac::BROADCAST, PEER, &bytes);
    assert_eq!(node.iv.len(), 1);
}

/// An echo of the own OGM `seqno` from the peer.
fn echo(seqno: u32) -> Ogm<'static> {
    Ogm { ttl: 49, flags: OgmFlags(5), tq: 0, ..ogm(ME, seqno) }
}

/// A node that sent 1000..=1069, and a peer it heard once.
fn echo_node() -> Node {
    let mut node = Node::with_interfaces(&[ME, MY_SECOND]);
    node.hear(0, PEER, ogm(PEER, 1));
    for _ in 0..70 {
        node.prepare(0);
    }
    node
}

/// IV-38, IV-39, IV-41: position 0 is the OGM sent last, 63 the oldest that counts; the prepared one and inventions do
/// not; a repetition has no effect. TQ 0 and the not-best flag do not matter.
#[test]
fn iv_38_iv_39_iv_41_echo_positions() {
    #[rustfmt::skip]
    let rows = [
        (1069, 1, "sent last"),
        (1006, 1, "63 before"),
        (1005, 0, "64 before"),
        (1070, 0, "prepared, not sent"),
        (1071, 0, "invented"),
        (1069_u32.wrapping_add(1 << 31), 0, "invented, far"),
    ];
    for (seqno, expected, because) in rows {
        let mut node = echo_node();
        node.hear(0, PEER, echo(seqno));
        assert_eq!(node.echoes(PEER, 0), expected, "{because}");
        node.hear(0, PEER, echo(seqno));
        assert_eq!(node.echoes(PEER, 0), expected, "{because}, again");
    }
    let mut node = echo_node();
    for seqno in 1006..=1069 {
        node.hear(0, PEER, echo(seqno));
    }
    assert_eq!(node.echoes(PEER, 0), 64);
    node.prepare(0);
    assert_eq!(node.echoes(PEER, 0), 63, "until the new echo arrives");
    node.hear(0, PEER, echo(1070));
    assert_eq!(node.echoes(PEER, 0), 64);
}

/// IV-38: what is no echo: without the direct-link flag, of another interface's OGM, heard on another interface.
#[test]
fn iv_38_only_echoes_of_the_receiving_interface_count() {
    let mut node = echo_node();
    node.hear(1, PEER, ogm(PEER, 2));
    node.hear(0, PEER, Ogm { flags: OgmFlags::NOT_BEST, ..echo(1069) });
    node.hear(1, PEER, echo(1999));
    node.hear(0, PEER, Ogm { originator: MY_SECOND, previous_sender: MY_SECOND, ..echo(1069) });
    assert_eq!((node.echoes(PEER, 0), node.echoes(PEER, 1)), (0, 0));
    assert!(!node.iv.has_echoed(PEER));
    node.hear(0, PEER, echo(1069));
    assert_eq!(
        (node.echoes(PEER, 0), node.echoes(PEER, 1)),
        (1, 0),
        "for the link it was heard on"
    );
    assert!(node.iv.has_echoed(PEER), "TT-84");
    node.prepare(0);
    assert_eq!(node.echoes(PEER, 0), 1);
}

/// IV-38: the echo is accounted to the source of the frame, not to the node behind it.
#[test]
fn iv_38_iv_10_the_echo_belongs_to_the_neighbours_interface() {
    let mut node = Node::with_interfaces(&[ME]);
    let second = mac(2, 2);
    node.hear(0, second, Ogm { ttl: 2, ..ogm(second, 1) });
    node.hear(0, second, Ogm { ttl: 50, ..ogm(PEER, 1) });
    node.prepare(0);
    node.hear(0, second, echo(1000));
    assert_eq!((node.echoes(second, 0), node.echoes(PEER, 0)), (1, 0));
}

/// IV-40: before an OGM of the neighbour there is nowhere to count, and no entry is made for who only echoes.
#[test]
fn iv_40_first_echoes_are_lost() {
    let mut node = Node::with_interfaces(&[ME]);
    node.prepare(0);
    node.hear(0, PEER, echo(1000));
    assert_eq!(node.iv.len(), 0);
    node.hear(0, PEER, ogm(PEER, 1));
    assert_eq!(node.echoes(PEER, 0), 0);
    node.hear(0, PEER, echo(1000));
    assert_eq!(node.echoes(PEER, 0), 1);
}
