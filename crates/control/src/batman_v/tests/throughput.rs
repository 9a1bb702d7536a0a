//! Sections 5 and 10: samples, smoothing, penalties.

use super::node::{GIGABIT, Node};
use super::*;
use crate::batman_v::Measured;
use crate::batman_v::throughput::{Average, Onward, after_penalties};
use crate::{Event, IfaceSettings};

fn average_of(start: &[u32], then: u32) -> (Average, impl FnMut() -> u32 + use<>) {
    let mut average = Average::default();
    for sample in start {
        average.add(Throughput(*sample));
    }
    let mut moving = average;
    (average, move || {
        moving.add(Throughput(then));
        moving.get().0
    })
}

/// The worked examples of 18.4.
#[test]
fn v_27_v_29_v_30_smoothing_as_in_the_worked_examples() {
    let (average, mut next) = average_of(&[100_000], 540);
    assert_eq!(average.get().0, 100_000, "the first sample counts whole");
    let readings: Vec<_> = (0..5).map(|_| next()).collect();
    assert_eq!(readings, [87_567, 76_689, 67_170, 58_841, 51_553]);
    let (_, mut next) = average_of(&[1000], 10_000);
    let readings: Vec<_> = (0..6).map(|_| next()).collect();
    assert_eq!(readings, [2125, 3109, 3970, 4724, 5383, 5960]);
    for _ in 0..300 {
        next();
    }
    assert_eq!(next(), 9999, "V-29: from below it stops just short");
    let (_, mut next) = average_of(&[20_000], 10_000);
    for _ in 0..300 {
        next();
    }
    assert_eq!(next(), 10_000, "from above it arrives");
}

#[test]
fn v_28_v_30_an_average_without_sample_reads_0_and_one_that_has_decayed_starts_over() {
    assert_eq!(Average::default().get().0, 0);
    let mut zero = Average::default();
    zero.add(Throughput(0));
    zero.add(Throughput(300));
    assert_eq!(zero.get().0, 300, "a first sample of 0 is none");
    for (start, ticks) in [(300, 43), (10_000, 69)] {
        let (_, mut next) = average_of(&[start], 0);
        let reading_0 = (1..).find(|_| next() == 0);
        assert_eq!(reading_0, Some(ticks), "from {start}");
    }
    let mut gone = Average::default();
    gone.add(Throughput(300));
    for _ in 0..200 {
        gone.add(Throughput(0));
    }
    gone.add(Throughput(77));
    assert_eq!(gone.get().0, 77);
}

#[test]
fn v_21_v_22_v_23_v_24_what_a_measurement_counts_as() {
    let wired = |speed| Measured::Wired { speed, full_duplex: true };
    for (measured, sample) in [
        (Measured::Busy, None),
        (Measured::Unknown, Some(10)),
        (Measured::NoStation, Some(0)),
        (Measured::Expected(12_345), Some(123)),
        (Measured::Expected(0), Some(0)),
        (Measured::Bitrate(541), Some(180)),
        (wired(Some(1000)), Some(10_000)),
        (wired(Some(0)), Some(10)),
        (wired(Some(u32::MAX)), Some(10)),
        (wired(None), Some(10)),
        (wired(Some(u32::MAX - 1)), Some(10_000_000)),
    ] {
        assert_eq!(measured.sample(), sample.map(Throughput), "{measured:?}");
    }
    let most = Measured::Expected(u32::MAX).sample().unwrap();
    assert!(u64::from(most.0) * 100 <= u64::from(u32::MAX), "V-H6: kbit/s fit 32 bits");
}

/// The worked examples of 18.1 and 18.2.
#[test]
fn v_61_v_62_v_63_v_64_penalties() {
    let of = |throughput, onward, iface, hop| {
        after_penalties(Throughput(throughput), onward, iface, hop).0
    };
    let chain = |start, onward| {
        let mut values = vec![start];
        for _ in 0..7 {
            values.push(of(values[values.len() - 1], onward, 0, 30));
        }
        values
    };
    assert_eq!(chain(100_000, Onward::Other)[..4], [100_000, 88_235, 77_854, 68_694]);
    assert_eq!(chain(10_000, Onward::Other)[..4], [10_000, 8823, 7785, 6869]);
    assert_eq!(chain(10, Onward::Other)[..4], [10, 8, 7, 6]);
    assert_eq!(chain(300, Onward::SharedMedium), [300, 150, 75, 37, 18, 9, 7, 6]);
    assert_eq!(chain(10, Onward::SharedMedium)[..4], [10, 8, 7, 6], "not halved, not > 10");
    assert_eq!(of(11, Onward::SharedMedium, 0, 30), 5);
    assert_eq!(of(1000, Onward::Default, 0, 255), 1000, "V-62: no hop follows");
    assert_eq!(of(1000, Onward::Default, 51, 30), 800, "V-61");
    assert_eq!(of(1000, Onward::SharedMedium, 51, 255), 400, "instead of the hop penalty");
    assert_eq!(of(20, Onward::SharedMedium, 128, 0), 9, "halved only if more than 10 is left");
    assert_eq!(of(1000, Onward::Other, 255, 0), 0);
    assert_eq!(of(u32::MAX, Onward::Other, 0, 0), u32::MAX, "no overflow");
}

#[test]
fn v_19_an_override_goes_before_all_and_nothing_is_asked() {
    let mut node = Node::new();
    let settings = IfaceSettings { throughput_override: 540, ..IfaceSettings::default() };
    node.attach(0, Node::link(ME), settings);
    node.speeds.insert(0, Measured::Wired { speed: Some(10), full_duplex: false });
    node.meet(0, PEER, PEER);
    node.run(600);
    assert_eq!(node.speed(0, PEER), Some(540));
    assert_eq!(node.asked, []);
    assert!(node.link_state(0).full_duplex, "the duplex mode was not asked for either");
    node.set(0, |settings| settings.throughput_override = 0);
    node.run(600);
    assert_eq!(node.asked, [(0, None)]);
    assert!(!node.link_state(0).full_duplex);
}

#[test]
fn v_09_v_25_v_26_duplex() {
    let mut node = Node::with_interfaces(&[ME]);
    let wifi = crate::Link { wifi: true, ..Node::link(mac(1, 2)) };
    node.attach(1, wifi, IfaceSettings::default());
    assert!(node.link_state(0).full_duplex && !node.link_state(1).full_duplex);
    let mut tell = |index, measured| {
        node.with(|v, ctx, interfaces| {
            v.measured(ctx, interfaces, iface(index), None, measured);
        });
        node.link_state(index).full_duplex
    };
    assert!(tell(0, Measured::Unknown), "a query that fails changes nothing");
    assert!(!tell(0, Measured::Wired { speed: None, full_duplex: false }));
    assert!(!tell(0, Measured::Busy));
    assert!(tell(0, GIGABIT));
    assert!(!tell(1, GIGABIT), "a radio is never full duplex");
    node.change(0, |link| link.wifi = true);
    assert!(!node.link_state(0).full_duplex);
}

#[test]
fn v_23_an_unknown_speed_is_told_once() {
    let mut node = Node::with_interfaces(&[ME]);
    node.speeds.insert(0, Measured::Unknown);
    node.meet(0, PEER, PEER);
    node.run(3000);
    assert_eq!(node.speed(0, PEER), Some(10));
    let told = node.told.iter().filter(|event| **event == Event::SpeedUnknown(iface(0)));
    assert_eq!(told.count(), 1);
}

#[test]
fn v_95_v_100_a_wired_link_is_measured_once_a_wireless_one_for_each_neighbour() {
    let mut node = Node::with_interfaces(&[ME]);
    let wifi = crate::Link { wifi: true, ..Node::link(mac(1, 2)) };
    node.attach(1, wifi, IfaceSettings::default());
    for index in [0, 1] {
        node.meet(index, PEER, PEER);
        node.meet(index, OTHER, OTHER);
    }
    node.speeds.insert(1, Measured::Bitrate(300));
    node.run(530);
    node.asked.sort();
    assert_eq!(node.asked, [(0, None), (1, Some(PEER)), (1, Some(OTHER))]);
    assert_eq!([node.speed(0, PEER), node.speed(0, OTHER)], [Some(10_000); 2]);
    assert_eq!([node.speed(1, PEER), node.speed(1, OTHER)], [Some(100); 2]);
    node.speeds.insert(1, Measured::Busy);
    node.run(2000);
    assert_eq!(node.speed(1, PEER), Some(100), "V-24: no sample, not 0");
}
