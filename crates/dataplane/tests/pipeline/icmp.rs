//! Mesh ICMP on its way (FWD-80 to FWD-82, FWD-84, ICMP-04 to ICMP-09).

use crate::support::*;
use noctule_wire::{Discard, Mac};

const RECORD: [u8; 96] = [0; 96];

fn echo(message: u8, ttl: u8, destination: Mac, used: u8, rest: &[u8]) -> Vec<u8> {
    let mut packet = icmp(message, ttl, destination, ANNA, rest);
    packet[17] = used;
    on_air(BEN_0, ANNA, &packet)
}

#[test]
fn fwd_82_icmp_08_passing_by_costs_a_ttl_and_is_not_counted() {
    for (message, len) in [(0, 0), (8, 0), (8, 30), (11, 0), (15, 1400), (3, 0), (99, 5)] {
        let frame = echo(message, 2, CARA, 0, &vec![0xa5; len]);
        let outcome = Ben::default().receive(ms(0), 0, &frame);
        let mut expected = on_air(CARA, BEN_1, &frame[14..]);
        expected[16] = 1;
        if len >= 96 && message == 8 {
            continue;
        }
        assert_eq!(outcome.sent, [(1, expected)], "message {message}");
        assert_eq!((outcome.counted, outcome.dropped), (vec![], vec![]), "message {message}");
    }
}

#[test]
fn fwd_80_icmp_05_every_receiver_writes_itself_into_the_record() {
    #[rustfmt::skip]
    let rows = [
        // message, used, bytes behind the header => slot written, because
        (8,  0,  96,  Some(0),  "the first"),
        (0,  15, 96,  Some(15), "the last, in a reply"),
        (8,  3,  120, Some(3),  "longer than needed"),
        (8,  0,  95,  None,     "one byte too short for a record"),
        (11, 0,  96,  None,     "TTL exceeded is carried as it is"),
        (15, 1,  96,  None,     "byte 17 of the throughput meter means something else"),
    ];
    for (message, used, len, slot, because) in rows {
        // In transit; for Ben; its last hop: the record comes first.
        for (ttl, destination, punted) in [(50, CARA, false), (50, BEN_1, true), (1, CARA, true)] {
            let frame = echo(message, ttl, destination, used, &vec![0; len]);
            let outcome = Ben::default().receive(ms(0), 0, &frame);
            let out = if punted { &outcome.punted } else { &outcome.sent };
            let packet = &out[0].1[14..];
            let mut expected = frame[14..].to_vec();
            if let Some(slot) = slot {
                expected[20 + 6 * slot..26 + 6 * slot].copy_from_slice(&BEN_0.0);
                expected[17] += 1;
            }
            if !punted {
                expected[2] -= 1;
            }
            assert_eq!(packet, expected, "{because}");
        }
    }
}

#[test]
fn fwd_80_a_full_record_is_dropped_everywhere() {
    for used in [16, 17, 255] {
        for (ttl, destination) in [(50, CARA), (50, BEN_0), (1, CARA)] {
            let outcome =
                Ben::default().receive(ms(0), 0, &echo(8, ttl, destination, used, &RECORD));
            assert_eq!(
                (outcome.dropped.as_slice(), outcome.outputs()),
                ([Discard::RouteRecordFull].as_slice(), 0)
            );
        }
    }
    let outcome = Ben::default().receive(ms(0), 0, &echo(15, 50, CARA, 16, &RECORD));
    assert_eq!(outcome.sent.len(), 1, "only echoes have a record");
}

/// What is for this node, and what has no hop left, goes to the engine as it came: the TTL is not touched.
#[test]
fn fwd_82_icmp_06_icmp_07_the_engine_gets_mine_and_expired() {
    for (ttl, destination) in [(0, BEN_0), (1, BEN_1), (50, BEN_0), (0, CARA), (1, CARA), (1, EVE)]
    {
        let frame = echo(8, ttl, destination, 0, b"");
        let outcome = Ben::default().receive(ms(0), 0, &frame);
        assert_eq!(outcome.punted, [(0, frame)], "ttl {ttl} to {destination}");
        assert_eq!((outcome.sent, outcome.dropped), (vec![], vec![]));
    }
}

#[test]
fn icmp_08_an_unknown_destination_is_dropped_silently() {
    for (destination, reason) in [(EVE, Discard::UnknownOriginator), (DORA, Discard::NoRoute)] {
        let outcome = Ben::default().receive(ms(0), 0, &echo(8, 50, destination, 0, b""));
        assert_eq!(outcome.fate(), (vec![reason], 0));
    }
}
