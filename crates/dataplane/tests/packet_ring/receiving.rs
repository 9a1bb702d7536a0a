//! What comes in, what does not, and what is counted.

use crate::netns::{isolated, link};
use crate::support::{
    HEADER, Peer, SILENCE, frame, is_silent, linked, receive, receive_within, veth, wait,
};
use noctule_dataplane::packet::{self, PacketSettings, PushError};
use noctule_dataplane::tap::Tap;
use pnet::datalink;
use std::os::fd::AsRawFd;

const BROADCAST: [u8; 6] = [0xff; 6];

#[test]
fn frames_of_every_length_arrive_unchanged() {
    isolated("receiving::frames_of_every_length_arrive_unchanged", || {
        let (mut receiver, _transmitter, mut peer) = linked();
        // More frames than the ring has slots, so that it goes round twice.
        for (nth, len) in (14..=1514).enumerate() {
            let sent = frame(nth as u32, len);
            peer.send(&sent);
            assert_eq!(receive(&mut receiver).as_deref(), Some(&*sent), "{len} bytes");
        }
        let counters = receiver.counters();
        assert_eq!(counters.frames, 1501);
        assert_eq!(counters.bytes, (14..=1514).sum::<u64>());
        assert_eq!(counters.truncated + counters.malformed + counters.other_host, 0);
    });
}

#[test]
fn a_frame_may_be_rewritten_in_place_and_forgotten() {
    isolated("receiving::a_frame_may_be_rewritten_in_place_and_forgotten", || {
        let (mut receiver, _transmitter, mut peer) = linked();
        for nth in 0..1200 {
            peer.send(&frame(nth, 100));
            wait(&receiver);
            let mut received = receiver.next_frame().expect("it was sent");
            received.reverse();
            let mut expected = frame(nth, 100);
            expected.reverse();
            assert_eq!(*received, *expected);
            if nth % 2 == 0 {
                std::mem::forget(received);
            }
        }
    });
}

#[test]
fn what_is_sent_here_is_not_received_here() {
    isolated("receiving::what_is_sent_here_is_not_received_here", || {
        let (mut receiver, mut transmitter, mut peer) = linked();
        let (_, control) = packet::open_control(receiver.ifindex(), 1500).unwrap();
        transmitter.push(0, &[&frame(1, 100)]).unwrap();
        transmitter.flush().unwrap();
        control.send(&[&frame(2, 100)]).unwrap();
        assert_eq!(peer.receive(), Some(frame(1, 100)));
        assert_eq!(peer.receive(), Some(frame(2, 100)));
        assert!(is_silent(&mut receiver));
        // Nor is anything that is not a mesh frame, or came by another interface.
        let mut other = frame(3, 100);
        other[12..14].copy_from_slice(&[0x08, 0x00]);
        peer.send(&other);
        veth("pc", "pd");
        Peer::on("pd").send(&frame(4, 100));
        peer.send(&frame(5, 100));
        assert_eq!(receive(&mut receiver), Some(frame(5, 100)));
        assert!(is_silent(&mut receiver));
        assert_eq!(receiver.counters().frames, 1);
    });
}

/// OGMs and ELP packets wake the engine alone, everything else the worker alone; runts count as data.
#[test]
fn control_packets_come_by_the_control_socket_and_nothing_else_does() {
    isolated("receiving::control_packets_come_by_the_control_socket_and_nothing_else_does", || {
        veth("pa", "pb");
        let settings = PacketSettings { control_apart: true, ..PacketSettings::default() };
        let (mut data, _transmitter) = packet::open(link::index("pa"), 1500, &settings).unwrap();
        let (mut control, sender) = packet::open_control(link::index("pa"), 1500).unwrap();
        let mut peer = Peer::on("pb");
        let mut expected = [Vec::new(), Vec::new()];
        let with_type = |packet_type: u8| [&HEADER[..], &[packet_type, 15, 50, 7]].concat();
        let frames = (0..=255).map(with_type).chain([HEADER.to_vec()]);
        for frame in frames {
            let is_control = frame.get(14).is_some_and(|kind| [0, 3, 4].contains(kind));
            peer.send(&frame);
            expected[usize::from(is_control)].push(frame);
        }
        let [for_data, for_control] = expected;
        for frame in for_data {
            assert_eq!(receive(&mut data), Some(frame));
        }
        for frame in for_control {
            assert_eq!(receive(&mut control), Some(frame));
        }
        assert!(is_silent(&mut data) && is_silent(&mut control));
        sender.send(&[&frame(1, 100)]).unwrap();
        assert_eq!(peer.receive(), Some(frame(1, 100)));
    });
}

/// IV-35: a tagged frame belongs to another network. VLAN 0 is no VLAN, only a priority: such a frame is plain.
#[test]
fn iv_35_tagged_frames_are_dropped_and_counted() {
    isolated("receiving::iv_35_tagged_frames_are_dropped_and_counted", || {
        let (mut receiver, _transmitter, mut peer) = linked();
        let own = datalink::interfaces().into_iter().find(|each| each.name == "pa").unwrap();
        let own = own.mac.unwrap().octets();
        for (tag, destination, plain) in [
            ([0x81, 0x00, 0x00, 0x05], BROADCAST, false),
            ([0x81, 0x00, 0x00, 0x05], own, false),
            ([0x88, 0xa8, 0x00, 0x05], BROADCAST, false),
            ([0x81, 0x00, 0xe0, 0x00], BROADCAST, true),
        ] {
            let untagged = frame(1, 100);
            let mut tagged = untagged.clone();
            tagged.splice(12..12, tag);
            tagged[..6].copy_from_slice(&destination);
            let before = receiver.counters();
            peer.send(&tagged);
            // A plain one behind it shows that it has been dealt with.
            peer.send(&frame(2, 60));
            let expected = if plain { vec![untagged, frame(2, 60)] } else { vec![frame(2, 60)] };
            for bytes in expected {
                let received = receive(&mut receiver);
                assert_eq!(received, Some(bytes), "{tag:x?} to {destination:x?}");
            }
            let after = receiver.counters();
            let dropped = |counters: packet::ReceiveCounters| counters.tagged + counters.other_host;
            assert_eq!(dropped(after) - dropped(before), u64::from(!plain), "{tag:x?}");
        }
    });
}

/// FWD-62: frames for other stations, seen in promiscuous mode, are dropped.
#[test]
fn fwd_62_overheard_frames_are_dropped_and_counted() {
    isolated("receiving::fwd_62_overheard_frames_are_dropped_and_counted", || {
        let (mut receiver, _transmitter, mut peer) = linked();
        link::set_promiscuous("pa");
        let mut overheard = frame(1, 100);
        overheard[..6].copy_from_slice(&[2, 0, 0, 0, 0, 99]);
        peer.send(&overheard);
        assert!(is_silent(&mut receiver));
        assert_eq!(receiver.counters().other_host, 1);
    });
}

#[test]
fn frames_that_find_no_slot_are_counted() {
    isolated("receiving::frames_that_find_no_slot_are_counted", || {
        veth("pa", "pb");
        let settings = PacketSettings { rx_frames: 16, ..PacketSettings::default() };
        let (mut receiver, _transmitter) =
            packet::open(link::index("pa"), 1500, &settings).unwrap();
        let mut peer = Peer::on("pb");
        for nth in 0..200 {
            peer.send(&frame(nth, 100));
        }
        let mut received = 0;
        while let Some(bytes) = receive_within(&mut receiver, SILENCE) {
            assert_eq!(bytes, frame(received, 100), "the oldest are kept");
            received += 1;
        }
        receiver.read_kernel_drops().unwrap();
        assert!(received >= 16);
        assert_eq!(u64::from(received) + receiver.counters().kernel_dropped, 200);
        peer.send(&frame(7, 100));
        assert_eq!(receive(&mut receiver), Some(frame(7, 100)), "and it goes on");
    });
}

#[test]
fn frames_beyond_the_mtu_it_was_opened_for_are_dropped_and_counted() {
    let name = "receiving::frames_beyond_the_mtu_it_was_opened_for_are_dropped_and_counted";
    isolated(name, || {
        let (mut receiver, _transmitter, mut peer) = linked();
        assert_eq!(receiver.mtu_max(), 1500);
        link::set_mtu("pa", 9000);
        link::set_mtu("pb", 9000);
        peer.send(&frame(1, 9014));
        peer.send(&frame(2, 1514));
        assert_eq!(receive(&mut receiver), Some(frame(2, 1514)));
        assert_eq!(receiver.counters().truncated, 1);
    });
}

/// A neighbour whose MTU is larger sends longer frames than we may, and drivers hand them up: Wi-Fi all that fits the air.
/// The ring has room for them. (A TAP plays the driver; veth compares with its own MTU.)
#[test]
fn frames_of_a_neighbour_with_a_larger_mtu_arrive() {
    isolated("receiving::frames_of_a_neighbour_with_a_larger_mtu_arrive", || {
        let Ok(driver) = Tap::open("radio0") else {
            println!("SKIPPED: /dev/net/tun; run as root, or let users open it");
            return;
        };
        driver.set_up(true).unwrap();
        assert_eq!(driver.mtu().unwrap(), 1500);
        let (mut receiver, mut transmitter) =
            packet::open(driver.ifindex(), 1500, &PacketSettings::default()).unwrap();
        for len in [1514, 1515, 1546, 1574, 2304 + 14, 2304 + 18] {
            driver.write_parts(&[&frame(len, len as usize)]).unwrap();
            assert_eq!(receive(&mut receiver), Some(frame(len, len as usize)), "{len} bytes");
        }
        driver.write_parts(&[&frame(1, 9000)]).unwrap();
        assert!(is_silent(&mut receiver));
        assert_eq!(receiver.counters().truncated, 1, "longer ones are counted");
        let too_long = Err(PushError::TooLong { len: 1515, max: 1514 });
        assert_eq!(transmitter.push(0, &[&frame(1, 1515)]), too_long, "but none is sent");
    });
}

#[test]
fn a_checksum_that_is_not_filled_in_is_told() {
    isolated("receiving::a_checksum_that_is_not_filled_in_is_told", || {
        let (mut receiver, _transmitter, mut peer) = linked();
        peer.send(&frame(1, 100));
        wait(&receiver);
        assert!(!receiver.next_frame().unwrap().checksum_not_ready());

        // A sender that hands over a frame as a local TCP does: with a header that says where the checksum belongs.
        let sender = nix::sys::socket::socket(
            nix::sys::socket::AddressFamily::Packet,
            nix::sys::socket::SockType::Raw,
            nix::sys::socket::SockFlag::empty(),
            None,
        )
        .unwrap();
        let on: libc::c_int = 1;
        let address = libc::sockaddr_ll {
            sll_family: libc::AF_PACKET as u16,
            sll_protocol: 0x4305_u16.to_be(),
            sll_ifindex: link::index("pb") as i32,
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 0,
            sll_addr: [0; 8],
        };
        // SAFETY: both calls read the values that are passed with their sizes, and nothing else.
        let outcomes = unsafe {
            [
                libc::setsockopt(
                    sender.as_raw_fd(),
                    libc::SOL_PACKET,
                    libc::PACKET_VNET_HDR,
                    (&raw const on).cast(),
                    4,
                ),
                libc::bind(
                    sender.as_raw_fd(),
                    (&raw const address).cast(),
                    size_of::<libc::sockaddr_ll>() as u32,
                ),
            ]
        };
        assert_eq!(outcomes, [0, 0]);
        // struct virtio_net_hdr: needs a checksum, no segments, from byte 34, put at byte 34 + 16.
        let mut bytes = vec![1, 0, 0, 0, 0, 0, 34, 0, 16, 0];
        bytes.extend(frame(2, 100));
        nix::unistd::write(&sender, &bytes).unwrap();
        wait(&receiver);
        assert!(receiver.next_frame().unwrap().checksum_not_ready());
        assert_eq!(receiver.counters().checksum_not_ready, 1);
    });
}
