//! What leaves by the transmit ring, in which order, and what is counted.

use crate::ends::{NATIVE, RING, frame, linked, open_on, receive, veth};
use crate::netns::{isolated, link};
use crate::support::{Peer, await_carrier};
use noctule_dataplane::link::{self as path, Backend, Transmitter};
use noctule_dataplane::packet::{LinkError, PacketSettings, PushError};
use noctule_dataplane::xdp::Mode;

#[test]
fn frames_of_every_length_leave_unchanged() {
    isolated("sending::frames_of_every_length_leave_unchanged", || {
        let (mut link, mut peer) = linked(RING);
        let Transmitter::Xdp(out) = &mut link.transmitter else { panic!("by the ring") };
        for len in 14..=1514 {
            let sent = frame(len as u32, len);
            let (head, tail) = sent.split_at(len.min(33));
            out.push(0, &[head, tail]).unwrap();
            out.flush().unwrap();
            assert_eq!(peer.receive().as_deref(), Some(&*sent), "{len} bytes");
        }
        assert_eq!((out.counters().sent, out.counters().refused, out.waiting()), (1501, 0, 0));
        let too_long = Err(PushError::TooLong { len: 1515, max: 1514 });
        assert_eq!(out.push(0, &[&frame(1, 1515)]), too_long);
        assert_eq!(out.push(0, &[&[0; 13]]), Err(PushError::TooShort { len: 13 }));
    });
}

/// FWD-44: frames of one priority stay in order.
#[test]
fn fwd_44_the_highest_priority_leaves_first() {
    isolated("sending::fwd_44_the_highest_priority_leaves_first", || {
        let (mut link, mut peer) = linked(RING);
        let given = [(0, 1), (5, 2), (0, 3), (7, 4), (5, 5), (1, 6)];
        for (priority, nth) in given {
            link.transmitter.push(priority, &[&frame(nth, 60)]).unwrap();
        }
        link.transmitter.flush().unwrap();
        for nth in [4, 2, 5, 6, 1, 3] {
            assert_eq!(peer.receive(), Some(frame(nth, 60)));
        }
    });
}

#[test]
fn what_finds_no_chunk_is_refused_and_nothing_else_is_lost() {
    isolated("sending::what_finds_no_chunk_is_refused_and_nothing_else_is_lost", || {
        veth("pa", "pb");
        let settings = PacketSettings { tx_frames: 16, ..PacketSettings::default() };
        let mut link = open_on("pa", &settings, RING);
        await_carrier("pa", "pb");
        let mut peer = Peer::on("pb");
        for round in 0..10 {
            for nth in 0..16 {
                link.transmitter.push(0, &[&frame(round * 16 + nth, 100)]).unwrap();
            }
            assert_eq!(link.transmitter.push(0, &[&frame(999, 100)]), Err(PushError::Full));
            assert_eq!(link.transmitter.waiting(), 16);
            link.transmitter.flush().unwrap();
            for nth in 0..16 {
                assert_eq!(peer.receive(), Some(frame(round * 16 + nth, 100)));
            }
        }
        assert_eq!(link.transmitter.counters().sent, 160);
    });
}

#[test]
fn without_zero_copy_frames_leave_by_the_packet_socket() {
    isolated("sending::without_zero_copy_frames_leave_by_the_packet_socket", || {
        let (mut link, mut peer) = linked(NATIVE);
        assert!(matches!(link.transmitter, Transmitter::Packet(_)));
        link.transmitter.push(0, &[&frame(1, 100)]).unwrap();
        link.transmitter.flush().unwrap();
        assert_eq!(peer.receive(), Some(frame(1, 100)));
        link::set_up("pa", false);
        link.transmitter.push(0, &[&frame(2, 100)]).unwrap();
        assert_eq!(link.transmitter.flush(), Err(LinkError::Down));
        assert_eq!(link.transmitter.counters().refused, 1);
    });
}

#[test]
fn each_worker_sends_and_the_first_receives() {
    isolated("sending::each_worker_sends_and_the_first_receives", || {
        for asked in [NATIVE, RING] {
            veth("pa", "pb");
            let settings = PacketSettings::default();
            let mut link = path::open(link::index("pa"), 1500, &settings, Some(asked), 3).unwrap();
            await_carrier("pa", "pb");
            let mut peer = Peer::on("pb");
            assert_eq!((link.backend, link.is_unshared()), (Backend::Xdp(Mode::Native), false));
            let receives: Vec<_> = link.paths.iter().map(|path| path.receiver.is_some()).collect();
            assert_eq!(receives, [true, false, false]);
            for (nth, path) in (0..).zip(&mut link.paths) {
                path.transmitter.push(0, &[&frame(nth, 1514)]).unwrap();
                let too_long = path.transmitter.push(0, &[&frame(nth, 1515)]);
                assert_eq!(too_long, Err(PushError::TooLong { len: 1515, max: 1514 }));
                path.transmitter.flush().unwrap();
                assert_eq!(peer.receive(), Some(frame(nth, 1514)));
            }
            peer.send(&frame(9, 100));
            let first = link.paths[0].receiver.as_mut().unwrap();
            assert_eq!(receive(first), Some(frame(9, 100)));
            link::delete("pb");
        }
    });
}
