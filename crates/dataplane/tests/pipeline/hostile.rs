//! Bytes that nobody should send: never a panic, never more than one frame out for a bad frame in, never more memory.
//!
//! Each link has one neighbour here, so that even a broadcast leaves by one link only.

use crate::support::*;
use noctule_fib::{Counter, Iface};
use noctule_wire::unicast::Subtype;
use noctule_wire::{Discard, Mac};
use proptest::prelude::*;

/// One valid frame of each kind.
fn valid() -> Vec<Vec<u8>> {
    let inner = hello(CARAS, ANNAS);
    let tvlv = [&[0x44, 15, 50, 0], BEN_0.0.as_slice(), &ANNA.0, &[0, 4, 0, 0], b"tvlv"].concat();
    vec![
        on_air(BEN_0, ANNA, &unicast(50, 30, CARA, &inner)),
        on_air(BEN_0, ANNA, &unicast(50, 20, BEN_0, &hello(BENS, ANNAS))),
        on_air(BEN_0, ANNA, &unicast_4addr(BEN_0, ANNA, Subtype::Data, &hello(BENS, ANNAS))),
        on_air(Mac::BROADCAST, ANNA, &broadcast(50, 1, ANNA, &hello(Mac::BROADCAST, ANNAS))),
        on_air(BEN_0, ANNA, &icmp(8, 50, CARA, ANNA, &[0; 96])),
        on_air(BEN_0, ANNA, &icmp(8, 50, BEN_0, ANNA, &[0; 96])),
        on_air(BEN_0, ANNA, &tvlv),
        on_air(BEN_0, ANNA, &fragment(BEN_0, ANNA, 9, 1, 120, &inner)),
        on_air(BEN_0, ANNA, &fragment(CARA, ANNA, 9, 0, 2000, &inner)),
        on_air(BEN_0, ANNA, &[&[0x70, 15, 50, 0], CARA.0.as_slice(), &inner].concat()),
        on_air(Mac::BROADCAST, ANNA, &[&[0x00, 15, 50, 0], [7; 40].as_slice()].concat()),
    ]
}

fn check(outcome: &Outcome) -> Result<(), TestCaseError> {
    let good = outcome.dropped.is_empty();
    // A broadcast is both repeated and delivered; no other frame gives more than one.
    let frames = outcome.sent.len() + outcome.punted.len();
    prop_assert!(frames <= 1, "{outcome:?}");
    prop_assert!(outcome.delivered.len() <= 1, "{outcome:?}");
    prop_assert!(good || outcome.delivered.is_empty(), "{outcome:?}");
    prop_assert!(good || outcome.outputs() <= 1, "{outcome:?}");
    prop_assert!(outcome.hints.len() <= 1, "{outcome:?}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn random_bytes_from_the_air(frames in prop::collection::vec(
        (0..Iface::all().count(), prop::collection::vec(any::<u8>(), 0..300)), 1..20,
    )) {
        let mut ben = Ben::default();
        for (iface, frame) in frames {
            let outcome = ben.receive(ms(0), iface, &frame);
            check(&outcome)?;
            prop_assert_eq!(outcome.dropped.len() + outcome.outputs(), 1);
        }
    }

    /// A mesh header in front gets random bytes further.
    #[test]
    fn random_packets(frames in prop::collection::vec(
        (0u8..0x80, prop::collection::vec(any::<u8>(), 0..200), any::<bool>()), 1..20,
    )) {
        let mut ben = Ben::default();
        for (packet_type, rest, broadcast) in frames {
            let to = if broadcast { Mac::BROADCAST } else { BEN_0 };
            let frame = on_air(to, ANNA, &[&[packet_type, 15], rest.as_slice()].concat());
            check(&ben.receive(ms(0), 0, &frame))?;
        }
    }

    /// Valid frames with some bytes changed, cut off or repeated: the most dangerous kind.
    #[test]
    fn mutated_frames(steps in prop::collection::vec(
        (0usize..11, prop::collection::vec((0usize..120, any::<u8>()), 0..4), 0usize..200, 0u64..3000),
        1..40,
    )) {
        let mut ben = Ben::default();
        let frames = valid();
        let mut now = 0;
        for (which, changes, keep, wait) in steps {
            let mut frame = frames[which].clone();
            for (at, byte) in changes {
                if let Some(place) = frame.get_mut(at) {
                    *place = byte;
                }
            }
            frame.truncate(keep);
            now += wait;
            check(&ben.receive(ms(now), which % 2, &frame))?;
            ben.on_deadline(ms(now));
        }
    }

    #[test]
    fn random_bytes_from_the_host(frames in prop::collection::vec(
        prop::collection::vec(any::<u8>(), 0..200), 1..20,
    )) {
        let mut ben = Ben::default();
        for frame in frames {
            let outcome = ben.send(ms(0), &frame);
            prop_assert!(outcome.sent.len() <= 2, "two links");
            prop_assert!(outcome.dropped.is_empty() || outcome.sent.is_empty());
            let counted = outcome.counted(Counter::Tx) + outcome.counted(Counter::TxDropped);
            prop_assert_eq!(counted, 1);
        }
    }
}

/// One reason or one result for each prefix of each valid frame.
#[test]
fn fwd_60_every_prefix_of_a_valid_frame_has_one_fate() {
    for frame in valid() {
        for len in 0..frame.len() {
            let mut ben = Ben::default();
            let outcome = ben.receive(ms(0), 0, &frame[..len]);
            let waits = outcome.counted(Counter::FragRx) == 1;
            assert!(outcome.dropped.len() + outcome.outputs() + usize::from(waits) >= 1, "{len}");
            assert!(outcome.dropped.len() <= 1, "{len}");
        }
    }
}

/// A flood of first parts of packets that never end: memory stays where the settings put it, and time-outs clear it.
#[test]
fn fwd_117_a_flood_of_first_fragments() {
    let mut settings = noctule_dataplane::pipeline::PipelineSettings::new(KEY);
    settings.reassemblies = 8;
    let mut ben = Ben::with(settings);
    let mut given_up = 0;
    for seqno in 0..=u16::MAX {
        let frame = on_air(BEN_0, ANNA, &fragment(BEN_0, ANNA, seqno, 0, 20160, b"x"));
        given_up += ben.receive(ms(u64::from(seqno) / 100), 0, &frame).dropped.len();
    }
    let timed_out = ben.on_deadline(ms(60_000)).dropped;
    assert_eq!(timed_out, vec![Discard::FragmentTimeout; 8]);
    assert_eq!(given_up + timed_out.len(), 65536, "each packet is accounted for");
}
