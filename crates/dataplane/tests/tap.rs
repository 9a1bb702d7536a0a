//! The mesh interface on a real kernel, in a network namespace that each test makes for itself. The host's side is a raw
//! socket by `pnet`.
#![expect(unsafe_code, reason = "one fork hook in `netns`, a socket option")]

#[expect(dead_code, reason = "other test binaries use the rest")]
mod netns;
#[path = "tap/offloads.rs"]
mod offloads;
#[path = "tap/queues.rs"]
mod queues;
#[expect(dead_code, reason = "the tests of the pure parts use the rest")]
#[path = "segmentation/tcp.rs"]
mod tcp;

use netns::{isolated, link};
use nix::net::if_::if_nametoindex;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use noctule_dataplane::tap::{FRAME_LEN_MAX, Tap, TapError, WriteError};
use noctule_wire::Mac;
use pnet::datalink::{self, Channel, DataLinkReceiver, DataLinkSender};
use std::time::Duration;

/// Ethertype of frames for local experiments: nothing on the host sends or answers it.
const HEADER: [u8; 14] = [255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 0x88, 0xb5];

fn frame(nth: u8, len: usize) -> Vec<u8> {
    let mut frame: Vec<u8> = HEADER.into();
    frame.resize(len, nth);
    frame
}

/// Whether `/dev/net/tun` may be opened; a user namespace does not help where its mode keeps others out.
fn may_open_tun() -> bool {
    let opened = std::fs::OpenOptions::new().read(true).write(true).open("/dev/net/tun");
    if let Err(error) = &opened {
        println!("SKIPPED: /dev/net/tun: {error}; run as root, or let users open it");
    }
    opened.is_ok()
}

fn host(name: &str) -> (Box<dyn DataLinkSender>, Box<dyn DataLinkReceiver>) {
    let interface = datalink::interfaces().into_iter().find(|each| each.name == name).unwrap();
    let config = datalink::Config {
        read_timeout: Some(Duration::from_secs(10)),
        read_buffer_size: 70_000,
        write_buffer_size: 70_000,
        ..Default::default()
    };
    match datalink::channel(&interface, config).unwrap() {
        Channel::Ethernet(sender, receiver) => (sender, receiver),
        _ => panic!("not Ethernet"),
    }
}

/// The next frame of ours that the host sent, waited for.
fn read(tap: &Tap) -> Vec<u8> {
    let mut buffer = vec![0; FRAME_LEN_MAX];
    loop {
        match tap.read(&mut buffer).unwrap() {
            Some((len, _)) if buffer[..len].starts_with(&HEADER) => return buffer[..len].to_vec(),
            Some(_) => {}
            None => {
                let mut fds = [PollFd::new(tap.fd(), PollFlags::POLLIN)];
                assert_eq!(poll(&mut fds, PollTimeout::from(10_000_u16)), Ok(1), "nothing came");
            }
        }
    }
}

/// The next frame of ours that the host received.
fn heard(receiver: &mut dyn DataLinkReceiver) -> Vec<u8> {
    loop {
        let bytes = receiver.next().expect("something comes");
        if bytes.starts_with(&HEADER) {
            return bytes.to_vec();
        }
    }
}

#[test]
fn frames_go_both_ways_unchanged() {
    isolated("frames_go_both_ways_unchanged", || {
        if !may_open_tun() {
            return;
        }
        let tap = Tap::open("bat0").unwrap();
        tap.set_mtu(65_521).unwrap();
        tap.set_up(true).unwrap();
        let (mut sender, mut receiver) = host("bat0");
        for len in [14, 60, 1514, 9014, 65_535] {
            sender.send_to(&frame(1, len), None).unwrap().unwrap();
            assert_eq!(read(&tap), frame(1, len), "{len} bytes from the host");
            let bytes = frame(2, len);
            let (header, rest) = bytes.split_at(14);
            tap.write_parts(&[header, &[], rest]).unwrap();
            assert_eq!(heard(&mut *receiver), frame(2, len), "{len} bytes to the host");
        }
        let bytes = frame(3, 140);
        let many: Vec<&[u8]> = bytes.chunks(10).collect();
        tap.write_parts(&many).unwrap();
        assert_eq!(heard(&mut *receiver), bytes, "in fourteen pieces");
    });
}

#[test]
fn a_name_that_exists_is_refused_and_the_interface_left_alone() {
    isolated("a_name_that_exists_is_refused_and_the_interface_left_alone", || {
        if !may_open_tun() {
            return;
        }
        let first = Tap::open("bat0").unwrap();
        link::veth("va", "vb");
        for name in ["bat0", "va", "lo"] {
            let before = if_nametoindex(name).unwrap();
            let error = Tap::open(name).unwrap_err();
            assert!(matches!(&error, TapError::NameTaken(taken) if taken == name), "{error:?}");
            assert!(error.to_string().starts_with(&format!("{name} exists already: ")));
            assert_eq!(if_nametoindex(name), Ok(before));
        }
        drop(first);
        Tap::open("bat0").expect("free again");
    });
}

#[test]
fn the_interface_lives_as_long_as_its_owner() {
    isolated("the_interface_lives_as_long_as_its_owner", || {
        if !may_open_tun() {
            return;
        }
        let tap = Tap::open("bat0").unwrap();
        assert_eq!(if_nametoindex("bat0"), Ok(tap.ifindex()));
        assert_eq!(tap.name().unwrap(), "bat0");
        drop(tap);
        assert!(if_nametoindex("bat0").is_err());
    });
}

/// MGMT-11: a new mesh has a random, locally administered address.
#[test]
fn mgmt_11_address_mtu_and_state_can_be_set_under_any_name() {
    isolated("mgmt_11_address_mtu_and_state_can_be_set_under_any_name", || {
        if !may_open_tun() {
            return;
        }
        let tap = Tap::open("bat0").unwrap();
        let other = Tap::open("bat1").unwrap();
        let mac = tap.mac().unwrap();
        assert!(mac.is_station() && mac.0[0] & 2 != 0, "{mac}");
        assert_ne!(other.mac().unwrap(), mac);
        assert_eq!(tap.mtu().unwrap(), 1500);
        assert!(!tap.is_up().unwrap());
        link::rename("bat0", "mesh");
        assert_eq!(tap.name().unwrap(), "mesh");

        let wanted = Mac([0x02, 0xba, 0, 0, 1, 0xba]);
        tap.set_mac(wanted).unwrap();
        tap.set_mtu(20_128).unwrap();
        tap.set_up(true).unwrap();
        assert_eq!(tap.mac().unwrap(), wanted);
        assert_eq!(tap.mtu().unwrap(), 20_128);
        assert!(tap.is_up().unwrap());
        let interfaces = datalink::interfaces();
        let seen = interfaces.iter().find(|each| each.name == "mesh").unwrap();
        assert_eq!(seen.mac.unwrap().octets(), wanted.0, "pnet sees it too");
        assert!(seen.is_up());
        let second = Mac([0x02, 0xba, 0, 0, 1, 0xbb]);
        tap.set_mac(second).expect("while it is up, too");
        assert_eq!(tap.mac().unwrap(), second);
        tap.set_up(false).unwrap();
        assert!(!tap.is_up().unwrap());

        for bad in [Mac::ZERO, Mac::BROADCAST] {
            assert!(matches!(
                tap.set_mac(bad),
                Err(TapError::System { call: "SIOCSIFHWADDR", .. })
            ));
        }
        for bad in [0, 67, 65_522, u32::MAX] {
            assert!(matches!(tap.set_mtu(bad), Err(TapError::System { call: "SIOCSIFMTU", .. })));
        }
        assert_eq!((tap.mac().unwrap(), tap.mtu().unwrap()), (second, 20_128));
        assert_eq!(other.mtu().unwrap(), 1500, "the other is as before");
    });
}

/// FWD-12: the mesh does not depend on the mesh interface being up, so a frame for the host is no more than lost.
#[test]
fn fwd_12_a_frame_for_a_host_whose_interface_is_down_is_lost() {
    isolated("fwd_12_a_frame_for_a_host_whose_interface_is_down_is_lost", || {
        if !may_open_tun() {
            return;
        }
        let tap = Tap::open("bat0").unwrap();
        for _ in 0..2 {
            assert!(matches!(tap.write_parts(&[&frame(1, 60)]), Err(WriteError::Down)));
            assert!(matches!(tap.read(&mut [0; FRAME_LEN_MAX]), Ok(None)));
            tap.set_up(true).unwrap();
            tap.write_parts(&[&frame(1, 60)]).unwrap();
            let too_short = tap.write_parts(&[&[0; 13]]);
            assert!(matches!(too_short, Err(WriteError::System(_))), "{too_short:?}");
            tap.set_up(false).unwrap();
        }
    });
}

#[test]
fn an_interface_that_somebody_deleted_is_told() {
    isolated("an_interface_that_somebody_deleted_is_told", || {
        if !may_open_tun() {
            return;
        }
        let tap = Tap::open("bat0").unwrap();
        tap.set_up(true).unwrap();
        link::delete("bat0");
        let mut fds = [PollFd::new(tap.fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::from(10_000_u16)).unwrap();
        assert!(fds[0].revents().unwrap().contains(PollFlags::POLLERR));
        assert!(matches!(tap.read(&mut [0; FRAME_LEN_MAX]), Err(TapError::Gone)));
        assert!(matches!(tap.write_parts(&[&frame(1, 60)]), Err(WriteError::Gone)));
        assert!(matches!(tap.mac(), Err(TapError::Gone)));
        assert!(matches!(tap.set_up(true), Err(TapError::Gone)));
    });
}
