//! Interfaces that go down, come back, and vanish.

use crate::netns::{isolated, link};
use crate::support::{
    Peer, SILENCE, await_carrier, frame, is_silent, receive, veth, wait, wait_within,
};
use nix::poll::PollFlags;
use noctule_dataplane::packet::{self, Flushed, LinkError, OpenError, PacketSettings, SendError};

#[test]
fn a_data_path_survives_down_and_up() {
    isolated("link_state::a_data_path_survives_down_and_up", || {
        let (a, b) = ("pa", "pb");
        veth(a, b);
        let (mut receiver, mut transmitter) =
            packet::open(link::index(a), 1500, &PacketSettings::default()).unwrap();
        let (_, control) = packet::open_control(link::index(a), 1500).unwrap();
        let mut peer = Peer::on(b);
        for round in 0..3 {
            link::set_up(a, false);
            assert!(wait(&receiver).contains(PollFlags::POLLERR));
            assert_eq!(receiver.take_error(), Some(LinkError::Down));
            assert_eq!(receiver.take_error(), None, "told once");
            assert_eq!(wait_within(&receiver, SILENCE), PollFlags::empty(), "no busy loop");
            for nth in 0..100 {
                transmitter.push(0, &[&frame(nth, 500)]).unwrap();
            }
            assert_eq!(transmitter.flush(), Err(LinkError::Down));
            assert_eq!(transmitter.waiting(), 0);
            let sent = control.send(&[&frame(9, 100)]);
            assert!(matches!(sent, Err(SendError::Link(LinkError::Down))), "{sent:?}");

            link::set_up(a, true);
            await_carrier(a, b);
            // The error of the time before is pending, and must not cost the first frames.
            transmitter.push(0, &[&frame(200 + round, 100)]).unwrap();
            let sent = transmitter.flush();
            assert_eq!(sent, Ok(Flushed { sent: 1, refused: 0 }));
            assert_eq!(peer.receive(), Some(frame(200 + round, 100)), "and nothing older");
            control.send(&[&frame(300, 100)]).unwrap();
            assert_eq!(peer.receive(), Some(frame(300, 100)));
            peer.send(&frame(400 + round, 100));
            assert_eq!(receive(&mut receiver), Some(frame(400 + round, 100)));
        }
        assert_eq!(transmitter.counters().refused, 300);
    });
}

#[test]
fn a_data_path_can_be_opened_while_the_interface_is_down() {
    isolated("link_state::a_data_path_can_be_opened_while_the_interface_is_down", || {
        link::veth("pa", "pb");
        link::set_up("pa", false);
        let (mut receiver, mut transmitter) =
            packet::open(link::index("pa"), 1500, &PacketSettings::default()).unwrap();
        assert_eq!(receiver.take_error(), Some(LinkError::Down));
        transmitter.push(0, &[&frame(1, 100)]).unwrap();
        assert_eq!(transmitter.flush(), Err(LinkError::Down));
        link::set_up("pa", true);
        await_carrier("pa", "pb");
        Peer::on("pb").send(&frame(2, 100));
        assert_eq!(receive(&mut receiver), Some(frame(2, 100)));
    });
}

#[test]
fn a_data_path_tells_that_its_interface_is_gone() {
    isolated("link_state::a_data_path_tells_that_its_interface_is_gone", || {
        veth("pa", "pb");
        let ifindex = link::index("pa");
        let (mut receiver, mut transmitter) =
            packet::open(ifindex, 1500, &PacketSettings::default()).unwrap();
        let (_, control) = packet::open_control(ifindex, 1500).unwrap();
        Peer::on("pb").send(&frame(1, 100));
        link::delete("pb");
        assert!(wait(&receiver).contains(PollFlags::POLLERR));
        assert_eq!(receiver.take_error(), Some(LinkError::Vanished));
        assert_eq!(receive(&mut receiver), Some(frame(1, 100)), "what came before stays");
        assert!(is_silent(&mut receiver));
        transmitter.push(0, &[&frame(1, 100)]).unwrap();
        assert_eq!(transmitter.flush(), Err(LinkError::Vanished));
        let sent = control.send(&[&frame(1, 100)]);
        assert!(matches!(sent, Err(SendError::Link(LinkError::Vanished))), "{sent:?}");
        let again = packet::open(ifindex, 1500, &PacketSettings::default()).unwrap_err();
        assert!(matches!(again, OpenError::NoSuchInterface(index) if index == ifindex));
        let none = packet::open_control(0, 1500).unwrap_err();
        assert!(matches!(none, OpenError::NoSuchInterface(0)));
    });
}
