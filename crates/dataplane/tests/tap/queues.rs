//! Several queues of the mesh interface: what the host sends comes to the worker that the rule names.

use crate::netns::isolated;
use crate::{host, may_open_tun};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use noctule_dataplane::pipeline::steering::Steer;
use noctule_dataplane::tap::{FRAME_LEN_MAX, Tap};

const WORKERS: usize = 4;
/// Where a frame's number stands.
const NUMBER_AT: usize = 100;

/// Frames of stations that nobody else has, of several kinds.
fn frames() -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for flow in 0..60u8 {
        for (first, ethertype, ip, protocol) in [
            (2, 0x0800u16, 0x45, 6),
            (2, 0x0800, 0x45, 17),
            (2, 0x0800, 0x46, 6),
            (2, 0x86dd, 0x60, 6),
            (2, 0x86dd, 0x60, 58),
            (2, 0x88b5, 0, 0),
            (3, 0x88b5, 0, 0),
        ] {
            let mut frame = vec![0; NUMBER_AT];
            frame[..12].copy_from_slice(&[first, 0, 0, 7, 1, flow, 2, 0, 0, 7, 2, flow]);
            frame[12..14].copy_from_slice(&ethertype.to_be_bytes());
            frame[14] = ip;
            (frame[23], frame[20]) = (protocol, if ethertype == 0x86dd { protocol } else { 0 });
            frame[26..34].copy_from_slice(&[10, 0, 0, 1, 10, 0, 0, flow]);
            frame[34..38].copy_from_slice(&[0x9c, flow, 0x13, 0x89]);
            frame.extend((frames.len() as u32).to_be_bytes());
            frames.push(frame);
        }
    }
    frames
}

#[test]
fn each_frame_of_the_host_comes_to_its_worker() {
    isolated("queues::each_frame_of_the_host_comes_to_its_worker", || {
        if !may_open_tun() {
            return;
        }
        let queues = Tap::open_queues("bat0", WORKERS).unwrap();
        if queues.len() == 1 {
            println!("SKIPPED: this kernel, or this user, sorts nothing");
            return;
        }
        let names: Vec<_> = queues.iter().map(|queue| queue.name().unwrap()).collect();
        assert_eq!(names, ["bat0"; WORKERS]);
        queues[0].set_up(true).unwrap();
        let (mut sender, _) = host("bat0");
        let frames = frames();
        let mut expected = vec![Vec::new(); WORKERS];
        let mut taken = expected.clone();
        let mut buffer = vec![0; FRAME_LEN_MAX];
        for (number, frame) in frames.iter().enumerate() {
            expected[Steer::frame(frame).worker(WORKERS)].push(number as u32);
            sender.send_to(frame, None).unwrap().unwrap();
            let mut fds: Vec<_> =
                queues.iter().map(|one| PollFd::new(one.fd(), PollFlags::POLLIN)).collect();
            assert!(poll(&mut fds, PollTimeout::from(10_000_u16)).unwrap() > 0, "nothing came");
            // What the host says by itself is none of ours.
            for (queue, taken) in queues.iter().zip(&mut taken) {
                while let Some((len, _)) = queue.read(&mut buffer).unwrap() {
                    if buffer[..len].get(2..4) == Some(&[0, 7]) {
                        taken
                            .push(u32::from_be_bytes(buffer[NUMBER_AT..][..4].try_into().unwrap()));
                    }
                }
            }
        }
        assert!(expected.iter().all(|numbers| numbers.len() > 20), "all have something to do");
        assert_eq!(taken, expected);
        // What any queue writes, the host gets; and with the last queue the interface goes.
        let (_, mut receiver) = host("bat0");
        for queue in &queues {
            queue.write_parts(&[&frames[5]]).unwrap();
            while receiver.next().expect("it comes") != &frames[5][..] {}
        }
    });
}
