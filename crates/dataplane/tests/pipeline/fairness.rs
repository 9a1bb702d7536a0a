//! A flood of parts of packets that never end, and honest pairs between them (FWD-117 `[SEC]`).

use crate::support::*;
use noctule_dataplane::pipeline::PipelineSettings;
use noctule_wire::fragment::Split;
use noctule_wire::{Discard, Mac};

/// Where the flood comes from.
const MALLORY: Mac = Mac([2, 0xba, 0, 0, 0x66, 1]);

fn forged(number: u16) -> Mac {
    let [high, low] = number.to_be_bytes();
    Mac([2, 0xbb, 0, 0, high, low])
}

/// Ben, who knows this many originators beside the others.
fn ben_knowing(originators: u16) -> Ben {
    let mut ben = Ben::with(PipelineSettings::new(KEY));
    for number in 0..originators {
        ben.writer.add_originator(forged(number));
    }
    ben
}

/// 200 honest pairs by way of Anna, each with `between` flood frames from `neighbour` on `iface` between its parts, in the
/// name of `originators` others. Returns how many of them were merged.
fn merged_pairs(iface: usize, neighbour: Mac, originators: u16, between: usize) -> usize {
    let mut ben = ben_knowing(originators);
    let packet = unicast(50, 20, BEN_0, &ethernet(BENS, ANNAS, 0x88b5, &[7; 1500]));
    let to = if iface == 0 { BEN_0 } else { BEN_1 };
    let (mut merged, mut turn) = (0, 0usize);
    for seqno in 0..200 {
        let parts: Vec<_> = Split::new(&packet, 1500).unwrap().collect();
        for (number, data) in parts {
            let part = fragment(BEN_0, ANNA, seqno, number, packet.len(), data);
            merged += ben.receive(ms(0), 0, &on_air(BEN_0, ANNA, &part)).delivered.len();
            for _ in 0..between {
                let sender = forged((turn % usize::from(originators)) as u16);
                let lie = fragment(
                    BEN_0,
                    sender,
                    (turn / usize::from(originators)) as u16,
                    0,
                    20160,
                    b"x",
                );
                assert_eq!(ben.receive(ms(0), iface, &on_air(to, neighbour, &lie)).outputs(), 0);
                turn += 1;
            }
        }
    }
    merged
}

#[test]
fn fwd_117_a_flood_by_way_of_another_neighbour_costs_no_honest_packet() {
    for originators in [1, 32, 1000] {
        assert_eq!(merged_pairs(0, MALLORY, originators, 600), 200, "same link, {originators}");
        assert_eq!(merged_pairs(1, CARA, originators, 600), 200, "other link, {originators}");
    }
}

#[test]
fn fwd_117_a_flood_by_way_of_the_same_neighbour_is_held_to_its_originators() {
    assert_eq!(merged_pairs(0, ANNA, 32, 600), 200, "each of them holds more than one place");
    assert_eq!(merged_pairs(0, ANNA, 1000, 100), 200, "the oldest goes first");
}

/// Another neighbour with many packets in parts at once does not lose them to a flood either, up to its share.
#[test]
fn fwd_117_half_of_the_places_stay_with_the_other_neighbour() {
    let mut ben = ben_knowing(100);
    let lie = |sender, seqno| fragment(BEN_0, sender, seqno, 0, 2000, b"x");
    let mut lost = 0;
    for number in 0..16u16 {
        for seqno in 0..8 {
            ben.receive(ms(0), 0, &on_air(BEN_0, ANNA, &lie(forged(number), seqno)));
        }
    }
    for turn in 0..4000u16 {
        let frame = on_air(BEN_1, CARA, &lie(forged(20 + turn % 80), turn / 80));
        lost += ben.receive(ms(1), 1, &frame).dropped.len();
    }
    assert!(lost > 3000, "the flood pushes out itself: {lost}");
    for number in 0..16u16 {
        for seqno in 0..8 {
            let rest = fragment(BEN_0, forged(number), seqno, 1, 2000, &[0; 1999]);
            let outcome = ben.receive(ms(2), 0, &on_air(BEN_0, ANNA, &rest));
            // What they come to is no packet, but they do come to something: a part given up leaves a duplicate.
            assert_eq!(outcome.dropped, [Discard::Version], "{number}, {seqno}");
        }
    }
    let timed_out = ben.on_deadline(ms(20_000)).dropped;
    assert_eq!(timed_out, vec![Discard::FragmentTimeout; 128], "the bound holds");
}
