//! What comes in, by which way, what does not, and what is counted.

use crate::ends::{
    GENERIC, NATIVE, by_lanes, ethtool, frame, is_silent, linked, open_on, receive, receive_within,
    veth,
};
use crate::netns::{isolated, link};
use crate::support::{HEADER, Peer, SILENCE, await_carrier};
use noctule_dataplane::packet::{self, PacketSettings};
use noctule_dataplane::xdp::XdpSettings;

/// `ETHTOOL_SCHANNELS`: two queues in, two out.
const TWO_QUEUES: [u32; 9] = [0x3d, 0, 0, 0, 0, 2, 2, 0, 0];

/// More frames than the ring has places, so that it goes round.
fn every_length(asked: XdpSettings) {
    let (mut link, mut peer) = linked(asked);
    for (nth, len) in (14..=1514).enumerate() {
        let sent = frame(nth as u32, len);
        peer.send(&sent);
        assert_eq!(receive(&mut link.receiver).as_deref(), Some(&*sent), "{len} bytes");
    }
    let counters = link.receiver.counters();
    // A frame that ends with its header has no type, and goes up.
    assert_eq!((counters.frames, by_lanes(&link.receiver)), (1501, 1500));
    assert_eq!(counters.bytes, (14..=1514).sum::<u64>());
    assert_eq!(counters.truncated + counters.malformed + counters.other_host, 0);
}

#[test]
fn frames_of_every_length_arrive_unchanged() {
    isolated("receiving::frames_of_every_length_arrive_unchanged", || every_length(NATIVE));
}

#[test]
fn frames_of_every_length_arrive_where_the_driver_runs_no_programs() {
    isolated("receiving::frames_of_every_length_arrive_where_the_driver_runs_no_programs", || {
        every_length(GENERIC);
    });
}

#[test]
fn a_frame_may_be_rewritten_in_place_and_forgotten() {
    isolated("receiving::a_frame_may_be_rewritten_in_place_and_forgotten", || {
        let (mut link, mut peer) = linked(NATIVE);
        for nth in 0..1200 {
            peer.send(&frame(nth, 100));
            crate::ends::wait_within(&link.receiver, crate::support::PATIENCE);
            let mut received = link.receiver.next_frame().expect("it was sent");
            received.reverse();
            let mut expected = frame(nth, 100);
            expected.reverse();
            assert_eq!(*received, *expected);
            if nth % 2 == 0 {
                std::mem::forget(received);
            }
        }
        assert_eq!(by_lanes(&link.receiver), 1200);
    });
}

/// OGMs and ELP packets wake the engine alone, and everything that is not of the mesh goes to the host.
#[test]
fn control_packets_and_other_traffic_go_up() {
    isolated("receiving::control_packets_and_other_traffic_go_up", || {
        veth("pa", "pb");
        let settings = PacketSettings { control_apart: true, ..PacketSettings::default() };
        let mut link = open_on("pa", &settings, NATIVE);
        let (mut control, _sender) = packet::open_control(link::index("pa"), 1500).unwrap();
        await_carrier("pa", "pb");
        let (mut peer, mut host) = (Peer::on("pb"), Peer::on("pa"));
        let mut expected = [Vec::new(), Vec::new()];
        for kind in 0..=255_u8 {
            let frame = [&HEADER[..], &[kind, 15, 50, 7]].concat();
            peer.send(&frame);
            expected[usize::from([0, 3, 4].contains(&kind))].push(frame);
        }
        let [for_data, for_control] = expected;
        for frame in for_data {
            assert_eq!(receive(&mut link.receiver), Some(frame));
        }
        for frame in &for_control {
            assert_eq!(crate::support::receive(&mut control).as_ref(), Some(frame));
            assert_eq!(host.receive().as_ref(), Some(frame), "the only ones that the host sees");
        }
        assert!(is_silent(&mut link.receiver) && host.is_silent());
        assert_eq!(by_lanes(&link.receiver), 253);
    });
}

/// IV-35: a tagged frame belongs to another network. VLAN 0 is no VLAN, only a priority: such a frame is plain.
#[test]
fn iv_35_tagged_frames_are_dropped_and_counted() {
    isolated("receiving::iv_35_tagged_frames_are_dropped_and_counted", || {
        let (mut link, mut peer) = linked(NATIVE);
        for (tag, plain) in [
            ([0x81, 0x00, 0x00, 0x05], false),
            ([0x88, 0xa8, 0x00, 0x05], false),
            ([0x81, 0x00, 0xe0, 0x00], true),
        ] {
            let mut tagged = frame(1, 100);
            tagged.splice(12..12, tag);
            let before = link.receiver.counters();
            peer.send(&tagged);
            let expected = plain.then(|| frame(1, 100));
            assert_eq!(receive_within(&mut link.receiver, SILENCE), expected, "{tag:x?}");
            let after = link.receiver.counters();
            let dropped = |counters: packet::ReceiveCounters| counters.tagged + counters.other_host;
            assert_eq!(dropped(after) - dropped(before), u64::from(!plain), "{tag:x?}");
        }
        assert_eq!(by_lanes(&link.receiver), 0);
    });
}

#[test]
fn frames_that_find_no_place_are_counted() {
    isolated("receiving::frames_that_find_no_place_are_counted", || {
        veth("pa", "pb");
        let settings = PacketSettings { rx_frames: 16, ..PacketSettings::default() };
        let mut link = open_on("pa", &settings, NATIVE);
        await_carrier("pa", "pb");
        let mut peer = Peer::on("pb");
        for nth in 0..200 {
            peer.send(&frame(nth, 100));
        }
        let mut received = 0;
        while let Some(bytes) = receive_within(&mut link.receiver, SILENCE) {
            assert_eq!(bytes, frame(received, 100), "the oldest are kept");
            received += 1;
        }
        link.receiver.read_kernel_drops().unwrap();
        assert!(received >= 16);
        assert_eq!(u64::from(received) + link.receiver.counters().kernel_dropped, 200);
        peer.send(&frame(7, 100));
        assert_eq!(receive(&mut link.receiver), Some(frame(7, 100)), "and it goes on");
    });
}

/// The program must not be needed anew when the MTU grows: as long as it fits a chunk, nothing has to be opened.
#[test]
fn a_larger_mtu_needs_no_opening() {
    isolated("receiving::a_larger_mtu_needs_no_opening", || {
        let (mut link, mut peer) = linked(GENERIC);
        for mtu in [2000, 3000, link.receiver.mtu_max()] {
            link::set_mtu("pa", mtu);
            link::set_mtu("pb", mtu);
            link.transmitter.set_mtu(mtu);
            let len = mtu as usize + 14;
            peer.send(&frame(mtu, len));
            assert_eq!(receive(&mut link.receiver), Some(frame(mtu, len)), "{mtu}");
            link.transmitter.push(0, &[&frame(1, len)]).unwrap();
            link.transmitter.flush().unwrap();
            assert_eq!(peer.receive(), Some(frame(1, len)), "{mtu}");
        }
        link::set_mtu("pa", 9000);
        link::set_mtu("pb", 9000);
        peer.send(&frame(1, 9014));
        assert!(is_silent(&mut link.receiver));
        assert_eq!(link.receiver.counters().truncated, 1, "longer ones are counted");
    });
}

#[test]
fn frames_of_all_queues_arrive() {
    isolated("receiving::frames_of_all_queues_arrive", || {
        link::veth("pa", "pb");
        for end in ["pa", "pb"] {
            // A machine with one processor makes links with one queue.
            if std::thread::available_parallelism().is_ok_and(|processors| processors.get() < 2) {
                return println!("SKIPPED: one processor, one queue");
            }
            crate::ends::take_tags(end, false);
            ethtool(end, &mut TWO_QUEUES.clone());
        }
        let mut link = open_on("pa", &PacketSettings::default(), NATIVE);
        await_carrier("pa", "pb");
        let mut peer = Peer::on("pb");
        // The sender's kernel chooses a queue by what it thinks is a flow, and by its processor.
        for nth in 0..500 {
            peer.send(&frame(nth, 100));
            assert_eq!(receive(&mut link.receiver), Some(frame(nth, 100)));
        }
        assert_eq!(by_lanes(&link.receiver), 500, "whatever queue they came by");
    });
}
