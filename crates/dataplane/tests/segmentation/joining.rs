//! From the mesh to the host.

use crate::tcp::*;
use noctule_dataplane::segmentation::{TRAINS, VirtioHeader};

/// One change to the second of three segments.
type Change = (&'static str, fn(&mut Tcp, &mut Vec<u8>));

/// The three in a row, the second changed as `change` says and with right checksums again.
fn three(v6: bool, change: impl Fn(&mut Tcp, &mut Vec<u8>)) -> Vec<Vec<u8>> {
    let segment = |nth: u32| {
        let identification = 7 + nth as u16;
        Tcp { sequence: 1000 + 1000 * nth, identification, ..Tcp::new(v6, 1000) }
    };
    let mut second = segment(1);
    let mut bytes = second.bytes();
    change(&mut second, &mut bytes);
    vec![segment(0).bytes(), bytes, segment(2).bytes()]
}

fn rebuilt(change: fn(&mut Tcp)) -> impl Fn(&mut Tcp, &mut Vec<u8>) {
    move |tcp, bytes| {
        change(tcp);
        *bytes = tcp.bytes();
    }
}

/// Whatever is unusual about a segment ends the joining for its flow, and all go up as they came, in order.
#[test]
fn a_segment_that_differs_joins_nothing_and_nothing_overtakes_it() {
    let rows: &[(&str, fn(&mut Tcp))] = &[
        ("FIN", |tcp| tcp.flags |= FIN),
        ("SYN", |tcp| tcp.flags |= 2),
        ("RST", |tcp| tcp.flags |= 4),
        ("URG", |tcp| tcp.flags |= 0x20),
        ("ECE", |tcp| tcp.flags |= 0x40),
        ("CWR", |tcp| tcp.flags |= CWR),
        ("no ACK", |tcp| tcp.flags = 0),
        ("a time stamp", |tcp| tcp.options[7] = 8),
        ("other options", |tcp| tcp.options.truncate(0)),
        ("one byte missing before it", |tcp| tcp.sequence += 1),
        ("an old one", |tcp| tcp.sequence -= 500),
        ("longer than the first", |tcp| tcp.payload.push(1)),
        ("no data", |tcp| tcp.payload.clear()),
        ("a VLAN tag", |tcp| tcp.tags = 1),
    ];
    for (because, change) in rows {
        for v6 in [false, true] {
            let frames = three(v6, rebuilt(*change));
            let written = coalesce(&frames);
            let out: Vec<Vec<u8>> = written.iter().map(|(_, frame, _)| frame.clone()).collect();
            assert!(out == frames, "{because}");
            assert!(written.iter().all(|(header, ..)| *header == VirtioHeader::default()));
        }
    }
    // Bytes in the headers, with right checksums afterwards.
    let rows: &[(&str, usize, bool)] = &[
        ("destination", 0, true),
        ("source", 6, true),
        ("TOS", 15, true),
        ("identification", 19, false),
        ("TTL", 22, false),
        ("hop limit", 21, true),
        ("acknowledgement number", 8, true),
        ("reserved bits", 12, true),
        ("window", 15, true),
        ("urgent pointer", 19, true),
    ];
    for (because, at, in_v6) in rows {
        for v6 in [false, true] {
            if v6 && !in_v6 || !v6 && *because == "hop limit" {
                continue;
            }
            let in_tcp = !["destination", "source", "TOS", "identification", "TTL", "hop limit"]
                .contains(because);
            let frames = three(v6, |tcp, bytes| {
                bytes[if in_tcp { tcp.transport() + at } else { *at }] ^= 0x40;
                mend(bytes, tcp);
            });
            let written = coalesce(&frames);
            let out: Vec<Vec<u8>> = written.iter().map(|(_, frame, _)| frame.clone()).collect();
            assert!(out == frames, "{because}");
        }
    }
}

/// Bytes that no honest sender has sent so.
#[test]
fn broken_segments_join_nothing() {
    let rows: &[Change] = &[
        ("TCP's checksum", |tcp, bytes| bytes[tcp.transport() + 17] ^= 1),
        ("data", |tcp, bytes| bytes[tcp.headers_len() + 5] ^= 1),
        ("IPv4's checksum", |tcp, bytes| bytes[tcp.transport() - 9] ^= 1),
        ("more fragments", |tcp, bytes| {
            bytes[20] ^= 0x20;
            mend(bytes, tcp);
        }),
        ("another fragment", |tcp, bytes| {
            bytes[21] ^= 9;
            mend(bytes, tcp);
        }),
        ("padding", |_, bytes| bytes.push(0)),
        ("shorter than it says", |_, bytes| bytes.truncate(900)),
        ("IPv4 options", |tcp, bytes| {
            bytes[14] = 0x46;
            mend(bytes, tcp);
        }),
        ("TCP header longer than all", |tcp, bytes| {
            bytes.truncate(70);
            bytes[17] = 56;
            mend(bytes, tcp);
        }),
        ("TCP header too short", |tcp, bytes| {
            bytes[tcp.transport() + 12] = 0x40;
            mend(bytes, tcp);
        }),
    ];
    for (because, change) in rows {
        let frames = three(false, change);
        let written = coalesce(&frames);
        let out: Vec<Vec<u8>> = written.iter().map(|(_, frame, _)| frame.clone()).collect();
        assert!(out == frames, "{because}");
    }
    let mut first_broken = three(false, |_, _| {});
    first_broken[0][100] ^= 0x40;
    assert_eq!(counts(&coalesce(&first_broken)), [1, 2], "the others are right");
}

#[test]
fn psh_and_a_short_segment_close_what_has_been_joined() {
    let pushed = three(true, rebuilt(|tcp| tcp.flags |= PSH));
    let written = coalesce(&pushed);
    assert_eq!(counts(&written), [2, 1]);
    assert_eq!(written[0].1[54 + 13], ACK | PSH);
    let short = three(true, rebuilt(|tcp| tcp.payload.truncate(999)));
    assert_eq!(counts(&coalesce(&short)), [2, 1]);
    assert_eq!(counts(&coalesce(&three(true, |_, _| {}))), [3]);
}

/// Linux counts identifications up; others leave them at 0 where a datagram must not be cut (RFC 6864).
#[test]
fn a_constant_identification_is_allowed_where_it_says_nothing() {
    for (atomic, expected) in [(true, vec![3]), (false, vec![1, 1, 1])] {
        let mut frames = three(false, |_, _| {});
        for frame in &mut frames {
            frame[18..20].fill(0);
            frame[20] = if atomic { 0x40 } else { 0 };
            mend(frame, &Tcp::new(false, 1000));
        }
        assert_eq!(counts(&coalesce(&frames)), expected);
        // From one to the other in the middle is no flow of either.
        frames[2][19] = 1;
        mend(&mut frames[2], &Tcp::new(false, 1000));
        assert!(counts(&coalesce(&frames)).len() >= 2);
    }
}

/// An IP datagram ends at 65,535 bytes.
#[test]
fn nothing_grows_beyond_what_ip_can_say() {
    for v6 in [false, true] {
        let frames: Vec<Vec<u8>> = (0..100_u32)
            .map(|nth| Tcp {
                sequence: 1000 * nth,
                identification: nth as u16,
                ..Tcp::new(v6, 1000)
            })
            .map(|tcp| tcp.bytes())
            .collect();
        let written = coalesce(&frames);
        assert_eq!(counts(&written), [65, 35]);
        let again: Vec<Vec<u8>> =
            written.into_iter().flat_map(|(header, frame, _)| cut(&header, frame, None)).collect();
        assert!(again == frames);
    }
}

/// Flows side by side are joined each for itself; one too many displaces the oldest, and none loses anything.
#[test]
fn flows_in_turn_are_kept_apart() {
    for flows in [1, TRAINS, TRAINS + 1, 3 * TRAINS] {
        let mut frames = Vec::new();
        for nth in 0..4_u32 {
            for flow in 0..flows {
                let tcp = Tcp {
                    port: flow as u16,
                    sequence: 1000 * nth,
                    identification: nth as u16,
                    ..Tcp::new(flow % 2 == 0, 1000)
                };
                frames.push(tcp.bytes());
            }
        }
        let written = coalesce(&frames);
        let mut again: Vec<Vec<u8>> = written
            .iter()
            .flat_map(|(header, frame, _)| cut(header, frame.clone(), None))
            .collect();
        if flows <= TRAINS {
            assert_eq!(counts(&written), vec![4; flows]);
        }
        // By flow; within one the order stays.
        let port = |frame: &Vec<u8>| {
            let at = if frame[12] == 0x08 { 36 } else { 56 };
            [frame[at], frame[at + 1]]
        };
        frames.sort_by_key(port);
        again.sort_by_key(port);
        assert!(again == frames);
    }
}
