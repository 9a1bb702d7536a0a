//! From the host into the mesh, and the whole way round.

use crate::tcp::*;
use etherparse::checksum::Sum16BitWords;
use etherparse::{NetSlice, PacketBuilder, SlicedPacket, TransportSlice};
use noctule_dataplane::segmentation::{Offload, Segments, VirtioHeader};
use noctule_wire::Discard;
use proptest::prelude::*;

/// What `etherparse` reads in a frame whose checksums it finds right: sequence number, flags, identification, data.
fn read(frame: &[u8]) -> (u32, u8, u16, Vec<u8>) {
    let packet = SlicedPacket::from_ethernet(frame).unwrap();
    let Some(TransportSlice::Tcp(tcp)) = &packet.transport else { panic!("no TCP") };
    let (header, data) = (tcp.to_header(), tcp.payload());
    let (sum, identification) = match packet.net.unwrap() {
        NetSlice::Ipv4(ip) => {
            let ip = ip.header().to_header();
            assert_eq!(ip.header_checksum, ip.calc_header_checksum());
            (header.calc_checksum_ipv4(&ip, data).unwrap(), ip.identification)
        }
        NetSlice::Ipv6(ip) => {
            let ip = ip.header().to_header();
            (header.calc_checksum_ipv6(&ip, data).unwrap(), 0)
        }
        _ => panic!("no IP"),
    };
    assert_eq!(sum, header.checksum, "of TCP");
    (header.sequence_number, tcp.slice()[13], identification, data.to_vec())
}

fn any_tcp() -> impl Strategy<Value = Tcp> {
    let bytes = prop::collection::vec(any::<u8>(), 1..9000);
    let options = prop::collection::vec(any::<[u8; 4]>(), 0..10);
    (any::<bool>(), 0_usize..3, any::<u32>(), any::<u16>(), any::<bool>(), options, bytes).prop_map(
        |(v6, tags, sequence, identification, pushed, options, payload)| Tcp {
            tags,
            sequence,
            identification,
            flags: if pushed { ACK | PSH } else { ACK },
            options: options.concat(),
            payload,
            ..Tcp::new(v6, 0)
        },
    )
}

proptest! {
    /// Every part is a frame that stands for itself, and together they are what the host sent.
    #[test]
    fn parts_are_right_and_together_the_whole(
        tcp in any_tcp(), size in 100_u16..3000, more in prop::sample::select(vec![0, FIN, CWR, FIN | CWR]),
    ) {
        let tcp = Tcp { flags: tcp.flags | more, ..tcp };
        let (header, frame) = tcp.whole(size);
        let parts = cut(&header, frame, None);
        prop_assert_eq!(parts.len(), tcp.payload.len().div_ceil(size.into()));
        let mut data = Vec::new();
        for (nth, part) in parts.iter().enumerate() {
            let (sequence, flags, identification, bytes) = read(part);
            let last = nth + 1 == parts.len();
            prop_assert_eq!(sequence, tcp.sequence.wrapping_add(data.len() as u32));
            let first_only = if nth == 0 { 0 } else { CWR };
            let last_only = if last { 0 } else { FIN | PSH };
            prop_assert_eq!(flags, tcp.flags & !first_only & !last_only);
            if !tcp.v6 {
                prop_assert_eq!(identification, tcp.identification.wrapping_add(nth as u16));
            }
            prop_assert!(last || bytes.len() == usize::from(size));
            data.extend(bytes);
        }
        prop_assert_eq!(data, tcp.payload);
    }

    /// What has been cut goes up at the other end as the bytes that the host handed down.
    #[test]
    fn cut_and_joined_is_the_same(tcp in any_tcp(), size in 100_u16..3000) {
        let (header, frame) = tcp.whole(size);
        let parts = cut(&header, frame.clone(), None);
        let written = coalesce(&parts);
        if parts.len() == 1 {
            prop_assert_eq!(written, vec![(VirtioHeader::default(), tcp.bytes(), 1)]);
        } else {
            prop_assert_eq!(written, vec![(header, frame, parts.len() as u16)]);
        }
    }

    /// Bytes that a host would never send: none is taken for more than it is.
    #[test]
    fn a_header_that_does_not_fit_its_frame_does_no_harm(
        tcp in any_tcp(),
        header: [u8; 10],
        cut_at in 0_usize..200,
        keep: [bool; 10],
        longest: Option<u16>,
    ) {
        let (right, mut frame) = tcp.whole(1000);
        frame.truncate(cut_at.max(14));
        let mut bytes = right.to_bytes();
        for (at, byte) in header.into_iter().enumerate() {
            if !keep[at] {
                bytes[at] = byte;
            }
        }
        let len = frame.len();
        let header = VirtioHeader::from_bytes(bytes);
        let made = Segments::new(&header, &mut frame, longest.map(usize::from));
        if let Ok(mut segments) = made {
            let mut count = 0;
            while let Some(segment) = segments.next() {
                prop_assert!(segment.len() <= len);
                count += 1;
            }
            prop_assert!(count <= len);
        }
    }
}

/// Where the first link would cut frames into fragments, TCP is cut finer in the first place, but never absurdly fine;
/// datagrams keep their size.
#[test]
fn fwd_113_segments_are_cut_so_that_no_link_need_cut_them() {
    let tcp = Tcp::new(false, 14_480);
    let (header, frame) = tcp.whole(1448);
    for (longest, expected) in
        [(None, 1514), (Some(1490), 1490), (Some(1600), 1514), (Some(300), 602)]
    {
        let parts = cut(&header, frame.clone(), longest);
        assert_eq!(parts[0].len(), expected, "{longest:?}");
        let data: Vec<u8> = parts.iter().flat_map(|part| read(part).3).collect();
        assert_eq!(data, tcp.payload);
    }
}

#[test]
fn udp_datagrams_are_cut_at_their_own_size() {
    for v6 in [false, true] {
        let link = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
        let ip = if v6 {
            link.ipv6([1; 16], [2; 16], 64)
        } else {
            link.ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
        };
        let payload: Vec<u8> = (0..2500).map(|at| (at % 251) as u8).collect();
        let mut frame = Vec::new();
        ip.udp(4000, 443).write(&mut frame, &payload).unwrap();
        let at = if v6 { 54 } else { 34 };
        let partial = Sum16BitWords::new()
            .add_slice(&frame[if v6 { 22 } else { 26 }..at])
            .add_4bytes(2508_u32.to_be_bytes())
            .add_2bytes([0, 17])
            .ones_complement();
        frame[at + 6..at + 8].copy_from_slice(&(!partial).to_ne_bytes());
        let header = VirtioHeader::segmented(Offload::Udp, 1200, at as u16 + 8, at as u16, 6);
        let parts = cut(&header, frame, Some(600));
        let mut data = Vec::new();
        for part in &parts {
            let packet = SlicedPacket::from_ethernet(part).unwrap();
            let Some(TransportSlice::Udp(udp)) = &packet.transport else { panic!("no UDP") };
            let sum = match packet.net.as_ref().unwrap() {
                NetSlice::Ipv4(ip) => {
                    let ip = ip.header().to_header();
                    assert_eq!(ip.header_checksum, ip.calc_header_checksum());
                    udp.to_header().calc_checksum_ipv4(&ip, udp.payload()).unwrap()
                }
                NetSlice::Ipv6(ip) => udp
                    .to_header()
                    .calc_checksum_ipv6(&ip.header().to_header(), udp.payload())
                    .unwrap(),
                _ => panic!("no IP"),
            };
            assert_eq!(sum, udp.checksum());
            data.push(udp.payload().to_vec());
        }
        assert_eq!(data.iter().map(Vec::len).collect::<Vec<_>>(), [1200, 1200, 100]);
        assert_eq!(data.concat(), payload);
        // Nothing joins them again: a program must have asked for that.
        assert_eq!(counts(&coalesce(&parts)), [1, 1, 1]);
    }
}

#[test]
fn a_frame_whose_checksum_alone_is_open_is_completed() {
    let tcp = Tcp::new(false, 100);
    let (_, mut frame) = tcp.whole(1448);
    assert_eq!(cut(&VirtioHeader::partial(34, 16), frame.clone(), None), [tcp.bytes()]);
    let len = frame.len() as u16;
    for (start, offset) in [(len - 17, 16), (len, 0), (u16::MAX, u16::MAX)] {
        let outcome = Segments::new(&VirtioHeader::partial(start, offset), &mut frame, None);
        assert_eq!(outcome.err(), Some(Discard::Malformed), "{start} {offset}");
    }
}
