//! Whatever arrives in whatever order, some things hold: no panic, the tables fit each other, readers see what the
//! engine knows, bounds are kept, and frames are well-formed.

use super::node::{Node, payload};
use super::{Mac, Ogm, OgmFlags, SeqNo, View, hop, iface, mac, ms};
use crate::{Link, Routing};
use noctule_wire::Ogms;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// One thing that happens to a node.
#[derive(Clone, Debug)]
enum Step {
    Hear { index: usize, from: u8, records: Vec<(u8, u8, u32, u8, u8, u8)> },
    Bytes { index: usize, from: u8, bytes: Vec<u8> },
    Echo { index: usize, from: u8 },
    Up(usize, bool),
    Detach(usize),
    Attach(usize),
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Few addresses, 1 of them ours, and numbers that hit all branches of a window.
    let seqno = prop_oneof![0..70_u32, Just(65_535), Just(65_536), 1000..1010_u32, any::<u32>()];
    let ttl = prop_oneof![0..4_u8, Just(50)];
    let record = (0..8_u8, 0..8_u8, seqno, ttl, any::<u8>(), any::<u8>());
    let index = 0..3_usize;
    let step = prop_oneof![
        12 => (index.clone(), 0..8_u8, prop::collection::vec(record, 1..5))
            .prop_map(|(index, from, records)| Step::Hear { index, from, records }),
        2 => (index.clone(), 0..8_u8, prop::collection::vec(any::<u8>(), 0..80))
            .prop_map(|(index, from, bytes)| Step::Bytes { index, from, bytes }),
        6 => (index.clone(), 0..8_u8).prop_map(|(index, from)| Step::Echo { index, from }),
        1 => (index.clone(), any::<bool>()).prop_map(|(index, up)| Step::Up(index, up)),
        1 => index.clone().prop_map(Step::Detach),
        1 => index.prop_map(Step::Attach),
        5 => prop_oneof![0..2000_u64, Just(31_000), Just(201_000), Just(401_000)].prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..120)
}

/// Address 0 is ours.
fn address(number: u8) -> Mac {
    if number == 0 { mac(1, 1) } else { mac(10 + number, 1) }
}

fn act(node: &mut Node, step: Step) {
    match step {
        Step::Hear { index, from, records } => {
            let records: Vec<_> = records
                .into_iter()
                .map(|(originator, previous, seqno, ttl, tq, flags)| Ogm {
                    ttl,
                    flags: OgmFlags(flags & 0x05),
                    seqno: SeqNo(seqno),
                    originator: address(originator),
                    previous_sender: address(previous),
                    reserved: 0,
                    tq,
                    tvlvs: if flags & 0x80 == 0 { &[] } else { &[1, 1, 0, 0] },
                })
                .collect();
            node.receive_bytes(index, Mac::BROADCAST, address(from), &payload(&records));
        }
        Step::Bytes { index, from, mut bytes } => {
            if let [packet_type, version, ..] = bytes.as_mut_slice() {
                (*packet_type, *version) = (0, 15);
            }
            node.receive_bytes(index, Mac::BROADCAST, address(from), &bytes);
        }
        Step::Echo { index, from } => {
            if node.iv.cycles[index].is_some() {
                node.hear_echo(index, address(from), 0);
            }
        }
        Step::Up(index, up) => {
            if node.interfaces.get(iface(index)).is_some() {
                node.change(index, |link| link.up = up);
            }
        }
        Step::Detach(index) => {
            if node.interfaces.get(iface(index)).is_some() {
                node.detach(index);
            }
        }
        Step::Attach(index) => {
            if node.interfaces.get(iface(index)).is_none() {
                node.attach(index, Node::link(mac(1, index as u8 + 1)), 1000);
            }
        }
        Step::Wait(millis) => {
            for sent in node.run(millis) {
                let interface = node.interfaces.get(sent.iface).expect("attached");
                assert!(interface.active() && sent.payload().len() <= 1500);
                assert_eq!(sent.frame[6..12], interface.link.mac.0);
                let mut len = 0;
                for ogm in Ogms::new(sent.payload()) {
                    len += ogm.expect("well-formed").wire_len();
                }
                assert_eq!(len, sent.payload().len(), "nothing behind the last record");
            }
        }
    }
}

fn check(node: &mut Node) {
    node.drain();
    node.events();
    let mut references = BTreeMap::new();
    let fib = node.fib.reader();
    let limits = node.settings.limits;
    assert!(node.iv.len() <= limits.originators);
    for originator in node.iv.originators.iter() {
        assert!(originator.candidates.len() <= limits.candidates);
        assert!(originator.mac.is_station() && !node.interfaces.is_mine(originator.mac));
        for candidate in &originator.candidates {
            assert!(node.interfaces.active(candidate.hop.iface).is_some());
            *references.entry(candidate.hop).or_insert(0) += 1;
        }
        for index in 0..3 {
            if node.interfaces.active(iface(index)).is_none() {
                assert!(originator.view(View::Arrival(iface(index))).is_none());
            }
        }
    }
    assert_eq!(
        node.iv.neighbours.iter().map(|(hop, _)| *hop).collect::<Vec<_>>(),
        references.keys().copied().collect::<Vec<_>>()
    );
    for number in 0..8 {
        // `router` compares with what readers see.
        let default = node.router(address(number), View::Default);
        for index in 0..3 {
            node.router(address(number), View::Arrival(iface(index)));
        }
        let guard = fib.pin();
        let published = guard.originator(address(number));
        assert_eq!(published.is_some(), node.iv.knows(address(number)));
        if let Some(published) = published {
            let metric = node.iv.metric(address(number));
            assert_eq!(default.map(|_| published.metric()), metric);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_tables_fit(steps in steps()) {
        let mut node = Node::with_interfaces(&[mac(1, 1), mac(1, 2)]);
        node.attach(2, Link { wifi: true, ..Node::link(mac(1, 3)) }, 1000);
        node.settings.limits.originators = 6;
        node.settings.limits.candidates = 3;
        for step in steps {
            act(&mut node, step);
            check(&mut node);
        }
    }
}

/// The one thing of the above that random numbers rarely do: all of it at once, for long.
#[test]
fn a_long_life_keeps_to_the_bounds() {
    let mut node = Node::with_interfaces(&[mac(1, 1), mac(1, 2)]);
    for round in 0..2000_u32 {
        let from = address((round % 7 + 1) as u8);
        let ogm = Ogm { ttl: 50, ..super::ogm(from, round / 7) };
        node.hear_echo((round % 2) as usize, from, 0);
        node.hear((round % 2) as usize, from, ogm);
        node.now += ms(20);
        if round % 50 == 0 {
            node.deadline();
            check(&mut node);
        }
    }
    assert!(node.router(address(1), View::Default).is_some_and(|router| router.mac == address(1)));
    assert_ne!(node.router(address(2), View::Default), Some(hop(0, address(1))));
}
