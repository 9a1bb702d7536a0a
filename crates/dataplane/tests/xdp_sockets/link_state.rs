//! Interfaces that go down, come back, and vanish, and those that cannot have the backend.

use crate::ends::{
    GENERIC, NATIVE, RING, by_lanes, frame, is_silent, linked, open, open_on, receive, take_tags,
    veth, wait_within,
};
use crate::netns::{isolated, link};
use crate::support::{PATIENCE, Peer, SILENCE, await_carrier};
use nix::poll::PollFlags;
use noctule_dataplane::link::{Backend, Receiver};
use noctule_dataplane::packet::{LinkError, OpenError, PacketSettings};
use noctule_dataplane::xdp::{MTU_MAX, Mode, Opened, Unsuitable, XdpSettings};

#[test]
fn a_data_path_survives_down_and_up() {
    isolated("link_state::a_data_path_survives_down_and_up", || {
        let (mut link, mut peer) = linked(RING);
        for round in 0..3 {
            link::set_up("pa", false);
            assert!(wait_within(&link.receiver, PATIENCE).contains(PollFlags::POLLERR));
            assert_eq!(link.receiver.take_error(), Some(LinkError::Down));
            assert_eq!(wait_within(&link.receiver, SILENCE), PollFlags::empty(), "no busy loop");
            link.transmitter.push(0, &[&frame(round, 100)]).unwrap();
            assert_eq!(link.transmitter.flush(), Err(LinkError::Down));
            link::set_up("pa", true);
            await_carrier("pa", "pb");
            link.transmitter.flush().unwrap();
            assert_eq!(peer.receive(), Some(frame(round, 100)), "it waited in the ring");
            peer.send(&frame(400 + round, 100));
            assert_eq!(receive(&mut link.receiver), Some(frame(400 + round, 100)));
        }
        assert_eq!(by_lanes(&link.receiver), 3);
        assert_eq!((link.transmitter.counters().refused, link.transmitter.waiting()), (0, 0));
    });
}

#[test]
fn a_data_path_can_be_opened_while_the_interface_is_down() {
    isolated("link_state::a_data_path_can_be_opened_while_the_interface_is_down", || {
        link::veth("pa", "pb");
        take_tags("pa", false);
        link::set_up("pa", false);
        let mut link = open_on("pa", &PacketSettings::default(), NATIVE);
        assert_eq!(link.receiver.take_error(), Some(LinkError::Down));
        link::set_up("pa", true);
        await_carrier("pa", "pb");
        Peer::on("pb").send(&frame(2, 100));
        assert_eq!(receive(&mut link.receiver), Some(frame(2, 100)));
        assert_eq!(by_lanes(&link.receiver), 1);
    });
}

#[test]
fn a_data_path_tells_that_its_interface_is_gone() {
    isolated("link_state::a_data_path_tells_that_its_interface_is_gone", || {
        let (mut link, mut peer) = linked(RING);
        let ifindex = link::index("pa");
        peer.send(&frame(1, 100));
        assert_eq!(receive(&mut link.receiver), Some(frame(1, 100)));
        link::delete("pb");
        assert!(wait_within(&link.receiver, PATIENCE).contains(PollFlags::POLLERR));
        assert_eq!(link.receiver.take_error(), Some(LinkError::Vanished));
        assert!(is_silent(&mut link.receiver));
        link.transmitter.push(0, &[&frame(1, 100)]).unwrap();
        assert_eq!(link.transmitter.flush(), Err(LinkError::Vanished));
        let again = open(ifindex, 1500, &PacketSettings::default(), Some(NATIVE)).unwrap_err();
        assert!(matches!(again, OpenError::NoSuchInterface(index) if index == ifindex));
        drop(link);
        // Its name comes back.
        let (mut link, mut peer) = linked(NATIVE);
        peer.send(&frame(2, 100));
        assert_eq!(receive(&mut link.receiver), Some(frame(2, 100)));
    });
}

/// Opens the interface, which must not get the backend, and returns the reason. Frames come all the same.
fn refused(mtu: u32, asked: XdpSettings) -> Unsuitable {
    let settings = PacketSettings::default();
    let mut link = open(link::index("pa"), mtu, &settings, Some(asked)).unwrap();
    assert!(link.backend == Backend::Packet && matches!(link.receiver, Receiver::Packet(_)));
    while link.receiver.next_frame().is_some() {}
    Peer::on("pb").send(&frame(1, 100));
    assert_eq!(receive(&mut link.receiver), Some(frame(1, 100)));
    link.because.expect("a reason")
}

#[test]
fn whoever_cannot_have_it_gets_packets_and_a_reason() {
    isolated("link_state::whoever_cannot_have_it_gets_packets_and_a_reason", || {
        veth("pa", "pb");
        assert_eq!(refused(MTU_MAX + 1, NATIVE), Unsuitable::Mtu { mtu: MTU_MAX + 1 });
        let best = XdpSettings { least: Mode::ZeroCopy, ..XdpSettings::default() };
        assert_eq!(refused(1500, best), Unsuitable::NotZeroCopy, "veth copies");
        // IV-35: the tag would lie beside the frame, where no program sees it.
        take_tags("pa", true);
        assert_eq!(refused(1500, NATIVE), Unsuitable::Tags { name: "pa".into() });
        take_tags("pa", false);
        let link = open_on("pa", &PacketSettings::default(), NATIVE);
        drop(link);
        drop(open_on("pa", &PacketSettings::default(), GENERIC));
    });
}

/// Whoever was there first stays, however it was asked for, and when it has gone the place is free.
#[test]
fn another_program_on_the_interface_is_not_replaced() {
    isolated("link_state::another_program_on_the_interface_is_not_replaced", || {
        veth("pa", "pb");
        let settings = PacketSettings::default();
        for (theirs, ours) in [(NATIVE, NATIVE), (NATIVE, GENERIC), (GENERIC, NATIVE)] {
            let mut first = open_on("pa", &settings, theirs);
            let second = Opened::new(link::index("pa"), 1500, &settings, ours).map(drop);
            assert_eq!(second, Err(Unsuitable::Occupied));
            await_carrier("pa", "pb");
            Peer::on("pb").send(&frame(1, 100));
            assert_eq!(receive(&mut first.receiver), Some(frame(1, 100)));
            assert_eq!(by_lanes(&first.receiver), 1);
        }
    });
}
