//! What goes out, and what is refused.

use crate::netns::{isolated, link};
use crate::support::{Peer, SILENCE, frame, receive, veth};
use noctule_dataplane::packet::{self, Flushed, PacketSettings, PushError, SendError};
use std::time::Duration;

#[test]
fn pushed_frames_arrive_whole_and_in_order() {
    isolated("sending::pushed_frames_arrive_whole_and_in_order", || {
        veth("pa", "pb");
        let mut peer = Peer::on("pb");
        let (_receiver, mut transmitter) =
            packet::open(link::index("pa"), 1500, &PacketSettings::default()).unwrap();
        let mut lens = (14..=1514).step_by(7).chain([1514]).peekable();
        let mut nth = 0;
        while lens.peek().is_some() {
            let batch: Vec<_> = lens.by_ref().take(70).map(|len| frame(nth, len)).collect();
            for bytes in &batch {
                let (header, rest) = bytes.split_at(14);
                let (middle, tail) = rest.split_at(rest.len() / 2);
                transmitter.push(0, &[header, middle, &[], tail]).unwrap();
            }
            assert_eq!(transmitter.waiting() as usize, batch.len());
            let sent = batch.len() as u32;
            assert_eq!(transmitter.flush(), Ok(Flushed { sent, refused: 0 }));
            for bytes in batch {
                assert_eq!(peer.receive().as_deref(), Some(&*bytes));
            }
            nth += 1;
        }
        assert!(peer.is_silent());
        assert_eq!(transmitter.flush(), Ok(Flushed::default()));
    });
}

#[test]
fn frames_of_a_wrong_length_are_refused_and_nothing_breaks() {
    let name = "sending::frames_of_a_wrong_length_are_refused_and_nothing_breaks";
    isolated(name, || {
        let (a, b) = ("pa", "pb");
        veth(a, b);
        let (_receiver, mut transmitter) =
            packet::open(link::index(a), 1500, &PacketSettings::default()).unwrap();
        let mut peer = Peer::on(b);
        let too_long = Err(PushError::TooLong { len: 1515, max: 1514 });
        assert_eq!(transmitter.push(0, &[&frame(1, 1515)]), too_long);
        assert_eq!(transmitter.push(0, &[&[0; 13]]), Err(PushError::TooShort { len: 13 }));
        assert_eq!(transmitter.push(0, &[]), Err(PushError::TooShort { len: 0 }));
        transmitter.set_mtu(1000);
        let too_long = Err(PushError::TooLong { len: 1015, max: 1014 });
        assert_eq!(transmitter.push(0, &[&frame(1, 1015)]), too_long);
        transmitter.set_mtu(1500);

        // The MTU shrinks, and the news has not come yet: the kernel refuses the long one, the others go.
        link::set_mtu(a, 1000);
        for (nth, len) in [(1, 100), (2, 1200), (3, 1014)] {
            transmitter.push(0, &[&frame(nth, len)]).unwrap();
        }
        let flushed = transmitter.flush().unwrap();
        assert_eq!(flushed, Flushed { sent: 2, refused: 1 });
        assert_eq!(peer.receive(), Some(frame(1, 100)));
        assert_eq!(peer.receive(), Some(frame(3, 1014)));
        assert!(peer.is_silent());
    });
}

#[test]
fn pushing_more_than_there_is_room_for_is_refused() {
    isolated("sending::pushing_more_than_there_is_room_for_is_refused", || {
        veth("pa", "pb");
        let settings = PacketSettings { tx_frames: 16, ..PacketSettings::default() };
        let (_receiver, mut transmitter) =
            packet::open(link::index("pa"), 1500, &settings).unwrap();
        let taken = (0..1000).take_while(|nth| transmitter.push(0, &[&frame(*nth, 60)]).is_ok());
        let taken = taken.count();
        assert!((16..64).contains(&taken), "{taken}");
        assert_eq!(transmitter.push(0, &[&frame(1, 60)]), Err(PushError::Full));
        assert_eq!(transmitter.flush().unwrap().sent as usize, taken);
        assert_eq!(transmitter.push(0, &[&frame(1, 60)]), Ok(()));
    });
}

#[test]
fn jumbo_frames_go_through() {
    isolated("sending::jumbo_frames_go_through", || {
        veth("pa", "pb");
        for mtu in [9000, 65_535] {
            link::set_mtu("pa", mtu);
            link::set_mtu("pb", mtu);
            let (mut receiver, mut transmitter) =
                packet::open(link::index("pa"), mtu, &PacketSettings::default()).unwrap();
            let (mut far, _) =
                packet::open(link::index("pb"), mtu, &PacketSettings::default()).unwrap();
            let mut peer = Peer::on("pb");
            let len = mtu as usize + 14;
            transmitter.push(0, &[&frame(1, len)]).unwrap();
            assert_eq!(transmitter.flush(), Ok(Flushed { sent: 1, refused: 0 }));
            assert_eq!(receive(&mut far), Some(frame(1, len)), "{mtu}");
            peer.send(&frame(2, len));
            assert_eq!(receive(&mut receiver), Some(frame(2, len)), "{mtu}");
        }
    });
}

/// A queue that lets one frame out in ten seconds is soon full.
#[test]
fn refused_frames_are_lost_counted_and_never_sent_later() {
    isolated("sending::refused_frames_are_lost_counted_and_never_sent_later", || {
        let (a, b) = ("pa", "pb");
        veth(a, b);
        let (_receiver, mut transmitter) =
            packet::open(link::index(a), 1500, &PacketSettings::default()).unwrap();
        let mut peer = Peer::on(b);
        if let Err(error) = link::throttle(a, 10, 2000, 1000) {
            println!("SKIPPED: this kernel has no token bucket filter ({error})");
            return;
        }
        let mut sent = 0;
        for batch in 0..5 {
            for nth in 0..20 {
                transmitter.push(0, &[&frame(batch * 20 + nth, 100)]).unwrap();
            }
            let flushed = transmitter.flush().unwrap();
            assert_eq!(flushed.sent + flushed.refused, 20);
            sent += flushed.sent;
        }
        // 2,000 bytes of tokens and a queue of 1,000 bytes.
        assert!((28..=31).contains(&sent), "{sent}");
        assert_eq!(transmitter.counters().refused, u64::from(100 - sent));
        while let Some(received) = peer.receive_within(SILENCE) {
            assert!(received[17] < 31, "{}", received[17]);
        }
        link::unthrottle(a);
        transmitter.push(0, &[&frame(200, 100)]).unwrap();
        assert_eq!(transmitter.flush(), Ok(Flushed { sent: 1, refused: 0 }));
        assert_eq!(peer.receive(), Some(frame(200, 100)));
        assert!(peer.is_silent());
    });
}

/// What waits in a queue keeps its content while much more is sent: nothing of ours is used again too early.
#[test]
fn frames_that_wait_in_a_queue_keep_their_content() {
    isolated("sending::frames_that_wait_in_a_queue_keep_their_content", || {
        veth("pa", "pb");
        let settings = PacketSettings { rx_frames: 4096, ..PacketSettings::default() };
        let (_receiver, mut transmitter) =
            packet::open(link::index("pa"), 1500, &settings).unwrap();
        let (mut far, _) = packet::open(link::index("pb"), 1500, &settings).unwrap();
        if let Err(error) = link::delay("pa", Duration::from_millis(300)) {
            println!("SKIPPED: this kernel has no netem ({error})");
            return;
        }
        for nth in 0..800 {
            transmitter.push(0, &[&frame(nth, 1000)]).unwrap();
            if nth % 50 == 49 {
                assert_eq!(transmitter.flush(), Ok(Flushed { sent: 50, refused: 0 }));
            }
        }
        for nth in 0..800 {
            assert_eq!(receive(&mut far), Some(frame(nth, 1000)), "frame {nth}");
        }
    });
}

/// FWD-44: a frame's priority reaches the interface's queue. Frames of priority 0 wait there for their turn (one takes
/// 300 ms); one of priority 6 is sent after them and overtakes them.
#[test]
fn fwd_44_the_priority_of_each_frame_reaches_the_queue() {
    isolated("sending::fwd_44_the_priority_of_each_frame_reaches_the_queue", || {
        veth("pa", "pb");
        let (_receiver, mut transmitter) =
            packet::open(link::index("pa"), 1500, &PacketSettings::default()).unwrap();
        let mut peer = Peer::on("pb");
        let queue = link::throttle("pa", 5000, 2000, 100_000)
            .and_then(|()| link::throttle_by_priority("pa"));
        if let Err(error) = queue {
            println!("SKIPPED: this kernel has no token bucket filter ({error})");
            return;
        }
        for (nth, priority) in
            [(0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 6), (7, 0), (8, 6)]
        {
            transmitter.push(priority, &[&frame(nth, 1500)]).unwrap();
            assert_eq!(transmitter.flush(), Ok(Flushed { sent: 1, refused: 0 }));
        }
        let order: Vec<u8> = (0..9).map(|_| peer.receive().unwrap()[17]).collect();
        let place = |nth: u8| order.iter().position(|each| *each == nth).unwrap();
        assert!(place(6) < place(5) && place(8) < place(5), "{order:?}");
        assert!(place(7) > place(5), "and the next without priority has none: {order:?}");
        assert!(place(6) < place(8), "{order:?}");
    });
}

/// IV-34: OGMs go with the priority of control traffic.
#[test]
fn iv_34_control_frames_have_priority_7() {
    isolated("sending::iv_34_control_frames_have_priority_7", || {
        veth("pa", "pb");
        let (_, control) = packet::open_control(link::index("pa"), 1500).unwrap();
        let priority =
            nix::sys::socket::getsockopt(&control, nix::sys::socket::sockopt::Priority).unwrap();
        assert_eq!(priority, 7);
        let mut peer = Peer::on("pb");
        let bytes = frame(1, 1514);
        control.send(&[&bytes[..14], &bytes[14..38], &bytes[38..]]).unwrap();
        assert_eq!(peer.receive(), Some(bytes));
        let too_long = control.send(&[&frame(1, 1515)]);
        assert!(matches!(too_long, Err(SendError::Length { len: 1515 })), "{too_long:?}");
        let too_short = control.send(&[&[0; 13]]);
        assert!(matches!(too_short, Err(SendError::Length { len: 13 })), "{too_short:?}");
        control.send(&[&frame(2, 60)]).unwrap();
        assert_eq!(peer.receive(), Some(frame(2, 60)));
    });
}

#[test]
fn options_that_need_the_kernels_consent_are_accepted() {
    isolated("sending::options_that_need_the_kernels_consent_are_accepted", || {
        veth("pa", "pb");
        let mut peer = Peer::on("pb");
        let settings = PacketSettings { qdisc_bypass: true, ..PacketSettings::default() };
        let (_receiver, mut transmitter) =
            packet::open(link::index("pa"), 1500, &settings).unwrap();
        transmitter.push(0, &[&frame(1, 100)]).unwrap();
        assert_eq!(transmitter.flush(), Ok(Flushed { sent: 1, refused: 0 }));
        assert_eq!(peer.receive(), Some(frame(1, 100)));
    });
}
