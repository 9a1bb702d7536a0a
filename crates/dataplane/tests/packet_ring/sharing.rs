//! Several workers on one interface: each frame comes to the one that the rule names, once, and in order.

use crate::netns::{isolated, link};
use crate::support::{PATIENCE, Peer, SILENCE, await_carrier, veth};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use noctule_dataplane::packet::{self, PacketSettings, Path, Receiver};
use noctule_dataplane::pipeline::steering::Steer;
use std::os::fd::AsFd;

const WORKERS: usize = 4;
const OUTER: [u8; 14] = [255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 0x43, 0x05];
/// Where a test's number stands: at the end, behind whatever the kernel looks at.
const NUMBER_AT: usize = 130;

/// Frames of many flows and all kinds, each with its number.
fn frames() -> Vec<Vec<u8>> {
    let header = |kind: u8, len: usize| {
        let mut packet = vec![0; len];
        packet[..3].copy_from_slice(&[kind, 15, 50]);
        packet
    };
    let inner = |flow: u8, ethertype: u16, first: u8, protocol: u8| {
        let mut inner = vec![0; 80];
        inner[..12].copy_from_slice(&[2, 0, 0, 0, 1, flow, 2, 0, 0, 0, 2, flow]);
        inner[12..14].copy_from_slice(&ethertype.to_be_bytes());
        inner[14] = first;
        // The protocol of IPv4, and of IPv6.
        (inner[23], inner[20]) = (protocol, if ethertype == 0x86dd { protocol } else { 0 });
        inner[26..34].copy_from_slice(&[10, 0, 0, 1, 10, 0, 0, flow]);
        inner[34..38].copy_from_slice(&[0x9c, flow, 0x13, 0x89]);
        inner
    };
    let mut frames = Vec::new();
    for flow in 0..40u8 {
        let mut parts = header(0x41, 18 + 80);
        parts[4..16].copy_from_slice(&[2, 0xba, 0, 0, 3, 1, 2, 0xba, 0, 0, 1, flow]);
        let mut group = inner(flow, 0x0800, 0x45, 17);
        group[0] = 3;
        let tagged = {
            let mut tagged = inner(flow, 0x0800, 0x45, 6);
            tagged.splice(12..12, [0x81, 0, 0, 7]);
            tagged
        };
        for packet in [
            header(0x01, 14 + 80),
            parts,
            [header(0x40, 10), inner(flow, 0x0800, 0x45, 6)].concat(),
            [header(0x40, 10), inner(flow, 0x0800, 0x45, 17)].concat(),
            [header(0x40, 10), inner(flow, 0x86dd, 0x60, 6)].concat(),
            [header(0x40, 10), inner(flow, 0x86dd, 0x60, 58)].concat(),
            [header(0x40, 10), inner(flow, 0x0806, 0, 0)].concat(),
            [header(0x42, 18), tagged].concat(),
            [header(0x40, 10), group].concat(),
            header(0x43, 60),
        ] {
            frames.push([&OUTER[..], &packet].concat());
        }
    }
    frames
}

fn numbered(frame: &[u8], number: u32) -> Vec<u8> {
    let mut frame = frame.to_vec();
    frame.resize(NUMBER_AT, 0);
    frame.extend(number.to_be_bytes());
    frame
}

fn number_of(frame: &[u8]) -> u32 {
    u32::from_be_bytes(*frame[NUMBER_AT..].first_chunk().unwrap())
}

fn open(name: &str) -> Vec<Path> {
    let settings = PacketSettings { rx_frames: 4096, ..PacketSettings::default() };
    packet::open_shared(link::index(name), 1500, &settings, WORKERS).unwrap()
}

fn receivers(paths: &mut [Path]) -> Vec<&mut Receiver> {
    paths.iter_mut().map(|path| path.receiver.as_mut().expect("this kernel shares")).collect()
}

/// Takes all that has come: for each worker the numbers of its frames.
fn take(receivers: &mut [&mut Receiver], expected: usize) -> Vec<Vec<u32>> {
    let mut taken = vec![Vec::new(); receivers.len()];
    loop {
        for (receiver, taken) in receivers.iter_mut().zip(&mut taken) {
            while let Some(frame) = receiver.next_frame() {
                taken.push(number_of(&frame));
            }
        }
        let limit = if taken.iter().flatten().count() < expected { PATIENCE } else { SILENCE };
        let mut fds: Vec<_> =
            receivers.iter().map(|one| PollFd::new(one.as_fd(), PollFlags::POLLIN)).collect();
        if poll(&mut fds, PollTimeout::try_from(limit).unwrap()).unwrap() == 0 {
            return taken;
        }
    }
}

#[test]
fn each_frame_comes_to_its_worker_once_and_in_order() {
    isolated("sharing::each_frame_comes_to_its_worker_once_and_in_order", || {
        veth("pa", "pb");
        let mut paths = open("pa");
        let mut receivers = receivers(&mut paths);
        let mut peer = Peer::on("pb");
        let frames = frames();
        let mut expected = vec![Vec::new(); WORKERS];
        for (frame, number) in frames.iter().chain(&frames).zip(0..) {
            let frame = numbered(frame, number);
            expected[Steer::packet(&frame[14..]).worker(WORKERS)].push(number);
            peer.send(&frame);
        }
        assert!(expected.iter().all(|numbers| numbers.len() > 50), "all have something to do");
        assert_eq!(take(&mut receivers, 2 * frames.len()), expected);
    });
}

/// After a flap the kernel puts the sockets into the group anew. Whatever their order is then, each frame comes once, and
/// all frames of a flow to the same one.
#[test]
fn after_a_flap_each_frame_still_comes_once() {
    isolated("sharing::after_a_flap_each_frame_still_comes_once", || {
        veth("pa", "pb");
        let mut paths = open("pa");
        let mut receivers = receivers(&mut paths);
        let mut peer = Peer::on("pb");
        let frames = frames();
        for _ in 0..3 {
            link::set_up("pa", false);
            for receiver in &receivers {
                receiver.take_error();
            }
            link::set_up("pa", true);
            await_carrier("pa", "pb");
            for (frame, number) in frames.iter().zip(0..) {
                peer.send(&numbered(frame, number));
            }
            let taken = take(&mut receivers, frames.len());
            let mut all: Vec<u32> = taken.iter().flatten().copied().collect();
            all.sort_unstable();
            assert_eq!(all, (0..frames.len() as u32).collect::<Vec<_>>());
            for worker in 0..WORKERS {
                // One receiver has all frames of one worker.
                let of_one = |numbers: &&Vec<u32>| {
                    numbers.iter().any(|number| {
                        let frame = numbered(&frames[*number as usize], *number);
                        Steer::packet(&frame[14..]).worker(WORKERS) == worker
                    })
                };
                assert_eq!(taken.iter().filter(of_one).count(), 1, "worker {worker}");
            }
        }
    });
}

/// Opened while the interface is down: if this kernel cannot form a group then, one worker has all, and all can send.
#[test]
fn a_shared_data_path_can_be_opened_while_the_interface_is_down() {
    isolated("sharing::a_shared_data_path_can_be_opened_while_the_interface_is_down", || {
        veth("pa", "pb");
        link::set_up("pa", false);
        let mut paths = open("pa");
        assert_eq!(paths.len(), WORKERS);
        link::set_up("pa", true);
        await_carrier("pa", "pb");
        let mut peer = Peer::on("pb");
        for (path, number) in paths.iter_mut().zip(0..) {
            let frame = numbered(&OUTER, number);
            path.transmitter.push(0, &[&frame]).unwrap();
            path.transmitter.flush().unwrap();
            assert_eq!(peer.receive(), Some(frame));
        }
        let mut receivers: Vec<_> =
            paths.iter_mut().filter_map(|path| path.receiver.as_mut()).collect();
        let frames = frames();
        for (frame, number) in frames.iter().zip(0..) {
            peer.send(&numbered(frame, number));
        }
        let taken = take(&mut receivers, frames.len());
        assert_eq!(taken.iter().flatten().count(), frames.len());
    });
}

/// Two nodes of one interface (or any two programs) do not take each other's frames.
#[test]
fn another_group_on_the_same_interface_gets_its_own_copies() {
    isolated("sharing::another_group_on_the_same_interface_gets_its_own_copies", || {
        veth("pa", "pb");
        let (mut one, mut other) = (open("pa"), open("pa"));
        let mut peer = Peer::on("pb");
        let frames = frames();
        for (frame, number) in frames.iter().zip(0..) {
            peer.send(&numbered(frame, number));
        }
        for paths in [&mut one, &mut other] {
            let taken = take(&mut receivers(paths), frames.len());
            assert_eq!(taken.iter().flatten().count(), frames.len());
        }
    });
}
