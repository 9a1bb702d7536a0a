//! Frames between hosts and the mesh: the same random frames and tables through the pipeline and through the programs.

use super::frames::{
    IFACES, Rng, change_mesh, change_node, client, iface, originator, own, tables,
};
use super::netns::{isolated, link};
use super::test_run;
use noctule_dataplane::offload::{HostTables, Inherited, Mirror, OpenError, Transit};
use noctule_dataplane::pipeline::PipelineSettings;
use noctule_dataplane::{Hint, Outlet, Pipeline};
use noctule_fib::{Counter, Counters, GlobalClient, HashKey, Iface};
use noctule_wire::tvlv::translation_table::ClientFlags;
use noctule_wire::{Client, Discard, Instant, Mac};
use std::os::fd::AsFd;
use std::sync::Arc;

const CASES: usize = 30_000;
const FRAMES: usize = 50;
const UP: i32 = -1;
const REDIRECT: i32 = 7;
/// The mesh interface, in this test.
const HOST: &str = "b0";

#[derive(Debug, Default)]
struct Out {
    sent: Vec<(u8, Vec<u8>)>,
    delivered: Vec<Vec<u8>>,
    others: usize,
}

impl Outlet for Out {
    fn transmit(&mut self, _: Iface, priority: u8, parts: &[&[u8]]) -> Result<(), Discard> {
        self.sent.push((priority, parts.concat()));
        Ok(())
    }

    fn deliver(&mut self, parts: &[&[u8]]) -> Result<(), Discard> {
        self.delivered.push(parts.concat());
        Ok(())
    }

    fn punt(&mut self, _: Iface, _: &[u8]) -> Result<(), Discard> {
        self.others += 1;
        Ok(())
    }

    fn hint(&mut self, _: Hint) -> Result<(), Discard> {
        self.others += 1;
        Ok(())
    }
}

/// A frame from one client to another: mostly IP, mostly plain.
fn host_frame(rng: &mut Rng) -> Vec<u8> {
    let mut frame = client(rng.below(6)).0.to_vec();
    frame.extend(client(rng.below(6)).0);
    if rng.one_in(40) {
        frame[rng.choose(&[0, 6])] |= 1;
    }
    let ports = rng.choose(&[[0, 67], [0, 68], [2, 34], [0x1f, 0x90], [0x1f, 0x90], [0, 80]]);
    match rng.below(20) {
        0 => frame.extend([0x08, 0x06]),
        1 => frame.extend([0x81, 0x00, rng.number() as u8, 5, 0x08, 0x00, 0x45]),
        2 => frame.extend([0x43, 0x05]),
        3..8 => {
            frame.extend([0x86, 0xdd, 0x60 | rng.below(16) as u8, 0, 0, 0, 0, 40]);
            frame.push(rng.choose(&[6, 17, 58, 0, 44]));
            frame.extend([64; 33]);
            frame.extend([0x1f, 0x91]);
            frame.extend(ports);
        }
        _ => {
            frame.extend([0x08, 0x00, rng.choose(&[0x45, 0x45, 0x45, 0x45, 0x45, 0x46])]);
            frame.extend([rng.number() as u8, 0, 40, 1, 2]);
            frame.extend(rng.choose(&[[0, 0], [0x40, 0], [0x40, 0], [0x20, 0], [0, 5]]));
            frame.extend([64, rng.choose(&[1, 6, 17, 17, 50])]);
            frame.extend([10; 10]);
            frame.extend(ports);
            frame.extend([0x1f, 0x91]);
        }
    }
    frame.resize(frame.len() + rng.choose(&[0, 2, 8, 20, 40]), rng.number() as u8);
    // The kernel refuses to run a program on half an IP packet.
    if !rng.one_in(10) {
        frame.resize(frame.len().max(62), 0)
    }
    frame
}

/// A unicast packet with such a frame, as it arrives.
fn mesh_frame(rng: &mut Rng, arrival: usize) -> Vec<u8> {
    let mut frame = own(arrival).0.to_vec();
    frame.extend(originator(rng.below(3)).0);
    frame.extend([0x43, 0x05, rng.choose(&[0x40, 0x40, 0x40, 0x40, 0x42]), 15]);
    frame.extend([rng.choose(&[50, 2, 1, 0]), rng.choose(&[0, 1, 5, 6, 127, 250, 5, 5])]);
    let to =
        if rng.one_in(6) { originator(rng.below(8)) } else { own(rng.below(2) * rng.below(2)) };
    frame.extend(to.0);
    frame.extend(host_frame(rng));
    frame
}

#[test]
fn fwd_46_fwd_120_hosts_and_the_mesh_see_what_the_pipeline_would_send() {
    isolated("host::fwd_46_fwd_120_hosts_and_the_mesh_see_what_the_pipeline_would_send", || {
        match Transit::open(None) {
            Ok((mut transit, _)) => compare(&mut transit),
            Err(OpenError::Refused(text)) if !text.contains("not implemented") => panic!("{text}"),
            Err(problem) => println!("SKIPPED: {problem}"),
        }
    });
}

fn compare(transit: &mut Transit) {
    link::veth("a0", "a1");
    link::veth("a2", HOST);
    let indexes = ["a0", "a1", "a2"].map(link::index);
    let mut rng = Rng::new(11);
    let mut fib = tables();
    let watch = fib.watch();
    let reader = fib.reader();
    let mut mirror = Mirror::new(fib.reader(), watch, Inherited::default());
    for (index, ifindex) in indexes.into_iter().enumerate() {
        mirror.attach(iface(index), ifindex, false, transit);
    }
    transit.attach_host(HOST).unwrap();
    mirror.attach_host(link::index(HOST));
    mirror.renew(u64::MAX, transit);
    let counters = Arc::new(Counters::default());
    let settings = PipelineSettings::new(HashKey([5, 6]));
    let mut pipeline = Pipeline::new(fib.reader(), Arc::clone(&counters), settings);
    let arrived = transit.program().unwrap().try_clone_to_owned().unwrap();
    let left = transit.host_program().unwrap().try_clone_to_owned().unwrap();
    let (mut sent, mut delivered, mut expected) = (0, 0, [0; 4]);
    let of_pipeline = || {
        [Counter::Tx, Counter::TxBytes, Counter::Rx, Counter::RxBytes].map(|one| counters.get(one))
    };
    for case in 0..CASES {
        if case % FRAMES == 0 {
            if case % (FRAMES * 8) == 0 {
                change_node(&mut fib, &mut rng);
            }
            change_mesh(&mut fib, &mut rng);
            // Most clients are both here and elsewhere, which the programs do not mind.
            for _ in 0..3 {
                let one = Client::untagged(client(rng.below(6)));
                fib.set_local(one, ClientFlags::default(), Instant::ZERO);
                let other = Client::untagged(client(rng.below(6)));
                let announcers = [originator(rng.below(8))].into_iter().collect();
                fib.set_global(other, GlobalClient { flags: ClientFlags::default(), announcers });
            }
            if rng.one_in(4) {
                fib.set_own_ttvn(noctule_wire::Ttvn(rng.choose(&[0, 1, 5, 127, 200])));
            }
            mirror.follow(transit);
        }
        let now = Instant::from_millis(case as u64);
        let from_host = rng.one_in(2);
        let arrival = rng.below(IFACES);
        let bytes = if from_host { host_frame(&mut rng) } else { mesh_frame(&mut rng, arrival) };
        let about = || format!("case {case}, from the host {from_host}: {bytes:02x?}");
        let mut out = Out::default();
        let before = of_pipeline();
        let ran = if from_host {
            pipeline.send(now, &bytes, &mut out);
            test_run::run(left.as_fd(), link::index(HOST), 1, &bytes)
        } else {
            pipeline.receive(now, iface(arrival), &mut bytes.clone(), &mut out);
            test_run::run(arrived.as_fd(), indexes[arrival], 1, &bytes)
        };
        // The kernel refuses to run a program on half an IP packet.
        let Ok(ran) = ran else { continue };
        match ran.verdict {
            REDIRECT if out.delivered.is_empty() => {
                let [(priority, frame)] = &out.sent[..] else { panic!("{out:?}: {}", about()) };
                assert_eq!((&ran.frame, out.others), (frame, 0), "{}", about());
                let priority = if *priority == 0 { 0 } else { 256 + u32::from(*priority) };
                assert_eq!(ran.priority, priority, "{}", about());
                sent += usize::from(from_host);
            }
            REDIRECT => {
                assert_eq!((&out.delivered[..], out.others), (&[ran.frame][..], 0), "{}", about());
                assert!(out.sent.is_empty() && !from_host, "{}", about());
                delivered += 1;
            }
            UP => assert_eq!(ran.frame, bytes, "not untouched: {}", about()),
            other => panic!("verdict {other}: {}", about()),
        }
        if ran.verdict == REDIRECT {
            for (sum, (after, before)) in expected.iter_mut().zip(of_pipeline().iter().zip(before))
            {
                *sum += after - before;
            }
        }
        // What must be cut makes what follows wait, for longer than this test would like.
        let to = Client::untagged(Mac::from_prefix(&bytes).unwrap());
        if let Some(entry) = reader.pin().global(to).filter(|_| from_host && ran.verdict == UP) {
            transit.set_remote(to, entry.announcers.as_slice().first().copied()).unwrap();
        }
    }
    let counted = transit.counted().host_counts();
    let words = [counted.sent, counted.sent_bytes, counted.delivered, counted.delivered_bytes];
    assert_eq!((words, counted.lost), (expected, 0));
    println!("{sent} frames sent, {delivered} delivered");
    assert!(sent > CASES / 60 && delivered > CASES / 100, "{sent} and {delivered} are too few");
    // Frames that are still to be cut.
    for _ in 0..200 {
        let frame = host_frame(&mut rng);
        if let Ok(ran) = test_run::run(left.as_fd(), link::index(HOST), 2, &frame) {
            assert_eq!((ran.verdict, ran.frame), (UP, frame));
        }
    }
    // Whoever sent something has been seen.
    assert!(transit.seen().count() > 0);
}
