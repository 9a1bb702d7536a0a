//! The same random frames and tables through the pipeline and through the program, as the kernel runs it.

use super::frames::{IFACES, Rng, change_mesh, change_node, frame, iface, tables};
use super::netns::{isolated, link};
use super::test_run::{self, Ran};
use noctule_dataplane::offload::{Inherited, Mirror, OpenError, Transit};
use noctule_dataplane::pipeline::{Forward, PipelineSettings, Transit as Kind, Verdict};
use noctule_dataplane::{Hint, Outlet, Pipeline};
use noctule_fib::{Counter, Counters, HashKey, Iface, View};
use noctule_wire::{Discard, Fragment, Instant, Mac};
use std::os::fd::AsFd;
use std::sync::Arc;

/// How many frames are compared if nobody says otherwise.
const CASES: usize = 60_000;
/// Set to have more: `NOCTULE_OFFLOAD_CASES=1000000`.
const VARIABLE: &str = "NOCTULE_OFFLOAD_CASES";
/// Frames between two changes of the tables.
const FRAMES: usize = 50;
/// What the program returns.
const UP: i32 = -1;
const REDIRECT: i32 = 7;

/// All that comes out of the pipeline.
#[derive(Debug, Default)]
struct Out {
    sent: Vec<(Iface, u8, Vec<u8>)>,
    others: usize,
}

impl Outlet for Out {
    fn transmit(&mut self, iface: Iface, priority: u8, parts: &[&[u8]]) -> Result<(), Discard> {
        self.sent.push((iface, priority, parts.concat()));
        Ok(())
    }

    fn deliver(&mut self, _: &[&[u8]]) -> Result<(), Discard> {
        self.others += 1;
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

#[derive(Debug, Default, Eq, PartialEq)]
struct Seen {
    packets: u64,
    bytes: u64,
    fragments: u64,
    fragment_bytes: u64,
}

impl Seen {
    fn of_pipeline(counters: &Counters) -> Self {
        Self {
            packets: counters.get(Counter::Forward),
            bytes: counters.get(Counter::ForwardBytes),
            fragments: counters.get(Counter::FragFwd),
            fragment_bytes: counters.get(Counter::FragFwdBytes),
        }
    }

    fn of_program(transit: &Transit) -> Self {
        (0..IFACES).map(|index| transit.counts(iface(index))).fold(
            Self::default(),
            |sum, counts| Self {
                packets: sum.packets + counts.packets,
                bytes: sum.bytes + counts.bytes,
                fragments: sum.fragments + counts.fragments,
                fragment_bytes: sum.fragment_bytes + counts.fragment_bytes,
            },
        )
    }
}

#[test]
fn fwd_72_the_program_does_what_the_pipeline_does() {
    isolated("differential::fwd_72_the_program_does_what_the_pipeline_does", || {
        let (mut transit, inherited) = match Transit::open(None) {
            Ok(opened) => opened,
            Err(OpenError::Refused(text)) if !text.contains("not implemented") => panic!("{text}"),
            Err(problem) => return println!("SKIPPED: {problem}"),
        };
        assert_eq!(inherited, Inherited::default());
        let cases = std::env::var(VARIABLE).ok().and_then(|text| text.parse().ok());
        compare(&mut transit, cases.unwrap_or(CASES));
    });
}

fn compare(transit: &mut Transit, cases: usize) {
    link::veth("a0", "a1");
    link::veth("a2", "a3");
    let indexes = ["a0", "a1", "a2"].map(link::index);
    let mut rng = Rng::new(5);
    let mut fib = tables();
    let watch = fib.watch();
    let reader = fib.reader();
    let mut mirror = Mirror::new(fib.reader(), watch, Inherited::default());
    for (index, ifindex) in indexes.into_iter().enumerate() {
        mirror.attach(iface(index), ifindex, false, transit);
    }
    mirror.renew(u64::MAX, transit);
    let counters = Arc::new(Counters::default());
    let settings = PipelineSettings::new(HashKey([5, 6]));
    let mut pipeline = Pipeline::new(fib.reader(), Arc::clone(&counters), settings);
    let program = transit.program().unwrap().try_clone_to_owned().unwrap();
    let mut expected = Seen::default();
    let (mut forwarded, mut left) = (0, 0);
    for case in 0..cases {
        if case % FRAMES == 0 {
            if case % (FRAMES * 8) == 0 {
                change_node(&mut fib, &mut rng);
            }
            change_mesh(&mut fib, &mut rng);
            mirror.follow(transit);
        }
        let now = Instant::from_millis(case as u64);
        let arrival = rng.below(IFACES);
        let bytes = frame(&mut rng, arrival);
        let about = || format!("case {case}, by {arrival}: {bytes:02x?}");
        let verdict = pipeline.session(now).judge(iface(arrival), &bytes);
        let before = Seen::of_pipeline(&counters);
        let mut out = Out::default();
        pipeline.receive(now, iface(arrival), &mut bytes.clone(), &mut out);
        let after = Seen::of_pipeline(&counters);

        let ran = test_run::run(program.as_fd(), indexes[arrival], 1, &bytes)
            .unwrap_or_else(|error| panic!("{error}: {}", about()));
        match ran.verdict {
            REDIRECT => {
                forwarded += 1;
                let [(_, priority, sent)] = &out.sent[..] else { panic!("{out:?}: {}", about()) };
                let priority = if *priority == 0 { 0 } else { 256 + u32::from(*priority) };
                let same = Ran { verdict: REDIRECT, frame: sent.clone(), priority };
                assert_eq!(ran, same, "{verdict:?}, {}", about());
                assert_eq!(out.others, 0, "{}", about());
                expected = Seen {
                    packets: expected.packets + after.packets - before.packets,
                    bytes: expected.bytes + after.bytes - before.bytes,
                    fragments: expected.fragments + after.fragments - before.fragments,
                    fragment_bytes: expected.fragment_bytes + after.fragment_bytes
                        - before.fragment_bytes,
                };
            }
            UP => {
                assert_eq!(ran.frame, bytes, "not untouched: {}", about());
                let guard = reader.pin();
                if is_plain(&guard, iface(arrival), &bytes, &verdict) {
                    panic!("left to the pipeline, {verdict:?}, {out:?}: {}", about());
                }
                left += 1;
            }
            other => panic!("verdict {other}: {}", about()),
        }
        if case % 97 == 0 {
            let cut_later = test_run::run(program.as_fd(), indexes[arrival], 2, &bytes).unwrap();
            assert_eq!((cut_later.verdict, &cut_later.frame), (UP, &bytes), "{}", about());
        }
    }
    assert_eq!(Seen::of_program(transit), expected);
    println!("{forwarded} frames forwarded, {left} left to the pipeline");
    assert!(
        forwarded > cases / 10,
        "{forwarded} of {cases}: the frames are too odd to tell anything"
    );

    // A daemon that does not renew its lease.
    mirror.renew(1, transit);
    for case in 0..200 {
        let bytes = frame(&mut rng, case % IFACES);
        let ran = test_run::run(program.as_fd(), indexes[case % IFACES], 1, &bytes).unwrap();
        assert_eq!((ran.verdict, ran.frame), (UP, bytes));
    }
}

/// Whether the program must have forwarded this, by the verdict of the pipeline.
fn is_plain(
    guard: &noctule_fib::Guard<'_>,
    arrival: Iface,
    frame: &[u8],
    verdict: &Verdict,
) -> bool {
    let Verdict::Forward(Forward { destination, redirect: None, kind }) = verdict else {
        return false;
    };
    let node = guard.node();
    // Addressed to another of our interfaces.
    if Mac::from_prefix(frame) != node.active(arrival).map(|entry| entry.mac) {
        return false;
    }
    let view = View::Arrival(arrival);
    let carries = guard
        .originator(*destination)
        .and_then(|originator| node.carries(originator.router(view)?));
    let Some(carries) = carries.filter(|_| !node.is_mine(*destination)) else { return false };
    let packet = &frame[14..];
    // Too long: the pipeline cuts it, or hands it to an interface that refuses it.
    if packet.len() > carries as usize {
        return false;
    }
    match kind {
        Kind::Icmp => false,
        // It is taken from the same table whether the one who cut it is known.
        Kind::Fragment => {
            let fragment = Fragment::parse(packet).unwrap();
            let maker = guard.originator(fragment.originator);
            maker.is_some_and(|maker| {
                !node.is_mine(fragment.originator)
                    && maker.router(view).is_some_and(|hop| node.active(hop.iface).is_some())
            }) && fragment.longest_len() <= carries as usize
        }
        // An old table version whose client is where it was (TT-118): the pipeline knows the client, the program does not.
        // And a client of ours that has roamed away, and that nobody has yet.
        Kind::Payload => {
            let version = guard.originator(*destination).map(noctule_fib::Originator::ttvn);
            let offset = if packet[0] == 0x40 { 10 } else { 18 };
            let inner = noctule_wire::ethernet::Frame::parse(&packet[offset..]).unwrap();
            let departed = guard
                .local(inner.destination_client())
                .is_some_and(noctule_fib::LocalClient::has_departed);
            inner.destination.is_group()
                || !departed
                    && version.is_some_and(|known| !noctule_wire::Ttvn(packet[3]).is_before(known))
        }
        Kind::Unknown => true,
    }
}
