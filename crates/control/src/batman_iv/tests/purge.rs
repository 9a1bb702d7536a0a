//! Forgetting (section 10), and passing over what fell silent.

use super::node::Node;
use super::{Mac, Ogm, View, at, hop, iface, mac, ms, ogm, repeated};
use crate::routing::RoutingEvent;
use crate::{Event, Metric, Reason, Routing, Seen, Verdict};
use noctule_fib::Neighbours;

const ME: Mac = mac(1, 1);
const MY_SECOND: Mac = mac(1, 2);
const PEER: Mac = mac(2, 1);
const OTHER: Mac = mac(3, 1);
const FAR: Mac = mac(9, 1);

/// IV-88: forgotten more than 400 s after it was seen last, with the tick of that second; a route lost before, with the
/// 200 s of IV-89.
#[test]
fn iv_88_iv_89_timeouts() {
    let mut node = Node::with_interfaces(&[ME]);
    node.warm(&[(0, PEER)], 100);
    let seen = node.now;
    node.run_until(seen + ms(200_000));
    node.events();
    assert_eq!(node.router(PEER, View::Default), Some(hop(0, PEER)), "not more than 200 s yet");
    node.run_until(seen + ms(201_000));
    assert_eq!(node.router(PEER, View::Default), None);
    assert_eq!(node.reason(PEER), Some(Reason::TimedOut));
    assert_eq!(
        node.events(),
        [RoutingEvent::NeighboursChanged, RoutingEvent::RouteLost(PEER)],
        "IV-75, TT-73"
    );
    assert!(node.told.contains(&Event::RouteChanged { originator: PEER, router: None }));
    node.run_until(seen + ms(400_000));
    assert!(node.iv.knows(PEER));
    node.run_until(seen + ms(401_000));
    assert!(!node.iv.knows(PEER));
    assert_eq!(node.events(), [RoutingEvent::Gone(PEER)]);
    assert_eq!(node.told.last(), Some(&Event::OriginatorGone(PEER)));
    assert!(node.fib.reader().pin().originator(PEER).is_none());
}

/// IV-88: strictly.
#[test]
fn iv_88_strictly_more_than_the_timeout() {
    let mut node = Node::with_interfaces(&[ME]);
    node.hear(0, PEER, ogm(PEER, 1));
    let seen = node.now;
    node.now = seen + ms(400_000);
    node.with(|iv, ctx, interfaces| iv.purge(ctx, interfaces));
    assert_eq!(node.iv.len(), 1);
    node.now = seen + ms(400_000) + core::time::Duration::from_micros(1);
    node.with(|iv, ctx, interfaces| iv.purge(ctx, interfaces));
    assert_eq!(node.iv.len(), 0);
}

/// IV-89, IV-90: an interface that goes down takes its view and its candidates along, at once; the best of the others
/// becomes router, in every view.
#[test]
fn iv_89_iv_90_link_down_moves_routes_at_once() {
    let mut node = Node::with_interfaces(&[ME, MY_SECOND]);
    node.warm(&[(0, PEER), (1, OTHER)], 100);
    for seqno in 1..=5 {
        node.hear(0, PEER, repeated(FAR, seqno, mac(8, 1), 225));
        node.hear(1, OTHER, repeated(FAR, seqno, mac(8, 2), 200));
    }
    let views = [View::Default, View::Arrival(iface(0)), View::Arrival(iface(1))];
    assert_eq!(views.map(|view| node.router(FAR, view)), [Some(hop(0, PEER)); 3]);
    node.change(0, |link| link.up = false);
    assert_eq!(
        views.map(|view| node.router(FAR, view)),
        [Some(hop(1, OTHER)), None, Some(hop(1, OTHER))],
        "the view of the interface is gone, the others moved"
    );
    assert_eq!(node.reason(FAR), Some(Reason::InterfaceDown));
    assert_eq!(node.iv.metric(FAR), Some(200));
    assert_eq!(node.fib.reader().pin().originator(FAR).unwrap().metric(), 200);
    assert_eq!(node.router(PEER, View::Default), None, "the neighbour itself had no other way");
    let events = node.events();
    assert!(
        events.contains(&RoutingEvent::RouteLost(PEER))
            && !events.contains(&RoutingEvent::RouteLost(FAR))
    );
    // Back again: everything is learned anew.
    node.change(0, |link| link.up = true);
    assert_eq!(node.router(FAR, View::Arrival(iface(0))), None);
    node.beat(&[(1, OTHER)], 101);
    node.hear(1, OTHER, repeated(FAR, 6, mac(8, 2), 200));
    assert_eq!(node.router(FAR, View::Arrival(iface(0))), Some(hop(1, OTHER)));
}

/// IV-90: a zero average is acceptable; of equals the newest candidate is taken.
#[test]
fn iv_90_the_best_of_the_rest() {
    let mut node = Node::with_interfaces(&[ME, MY_SECOND]);
    let third = mac(4, 1);
    node.warm(&[(0, PEER), (1, OTHER), (1, third)], 100);
    for (neighbour, index) in [(PEER, 0), (OTHER, 1), (third, 1)] {
        node.hear(index, neighbour, repeated(FAR, 1, mac(8, index as u8), 200));
    }
    for seqno in 2..=10 {
        node.hear(0, PEER, repeated(FAR, seqno, mac(8, 1), 225));
    }
    assert_eq!(node.average(FAR, View::Default, hop(1, OTHER)), Some(0));
    node.change(0, |link| link.up = false);
    assert_eq!(node.router(FAR, View::Default), Some(hop(1, third)), "both 0, the newer one");
    assert_eq!(node.iv.metric(FAR), Some(0));
    // IV-53: a router whose average is 0 is not yet the best: forwarding starts with the number after the next.
    node.repeats();
    let forwarded = [11, 12].map(|seqno| {
        node.hear(1, third, repeated(FAR, seqno, mac(8, 1), 200));
        node.repeats().len()
    });
    assert_eq!(forwarded, [0, 1]);
}

/// IV-91: a candidate lives by its own records, an originator by anybody's.
#[test]
fn iv_91_what_keeps_alive() {
    let mut node = Node::with_interfaces(&[ME]);
    node.warm(&[(0, PEER), (0, OTHER)], 100);
    node.hear(0, PEER, repeated(FAR, 1, mac(8, 1), 225));
    node.hear(0, OTHER, repeated(FAR, 1, mac(8, 2), 225));
    for second in 1..=250 {
        node.now = at(1000 + 1000 * second as u64);
        node.beat(&[(0, PEER), (0, OTHER)], 100 + second);
        node.hear(0, PEER, repeated(FAR, 1 + second, mac(8, 1), 225));
        node.deadline();
    }
    let hops = |originator: Mac| -> Vec<_> {
        let entry = node.iv.originators.find(originator).unwrap();
        entry.candidates.iter().map(|candidate| candidate.hop).collect()
    };
    assert_eq!(hops(FAR), [hop(0, PEER)], "the other one delivered nothing for 200 s");
    assert_eq!(hops(OTHER), [hop(0, OTHER)], "it is there itself");
    assert_eq!(node.iv.originators.find(FAR).unwrap().last_seen, node.now);
}

/// IV-92, FWD-86, FWD-87: neighbours are the addresses of the candidates on a link.
#[test]
fn iv_92_neighbours_come_and_go_with_candidates() {
    let one = |mac| Neighbours::One { address: mac, originator: mac };
    let mut node = Node::with_interfaces(&[ME, MY_SECOND]);
    assert_eq!(node.iv.neighbours(iface(0)), Neighbours::None);
    node.hear(0, PEER, repeated(FAR, 1, mac(8, 1), 225));
    assert_eq!(
        node.iv.neighbours(iface(0)),
        Neighbours::None,
        "no candidate: it is an unknown neighbour"
    );
    node.hear(0, PEER, ogm(PEER, 1));
    assert_eq!(node.iv.neighbours(iface(0)), one(PEER));
    assert_eq!(node.events(), [RoutingEvent::NeighboursChanged]);
    node.hear(0, PEER, ogm(PEER, 2));
    assert_eq!(node.events(), [], "told once");
    node.hear(0, OTHER, ogm(OTHER, 1));
    assert_eq!(node.iv.neighbours(iface(0)), Neighbours::Many);
    assert_eq!(node.iv.neighbours(iface(1)), Neighbours::None);
    assert_eq!(node.events(), [RoutingEvent::NeighboursChanged]);
    node.change(0, |link| link.up = false);
    assert_eq!(node.iv.neighbours(iface(0)), Neighbours::None);
    assert_eq!(
        node.events().iter().filter(|event| **event == RoutingEvent::NeighboursChanged).count(),
        2
    );
}

/// IV-94, FWD-10: detaching forgets at once what used the interface.
#[test]
fn iv_94_detaching_purges_at_once() {
    let mut node = Node::with_interfaces(&[ME, MY_SECOND]);
    node.warm(&[(0, PEER), (1, OTHER)], 100);
    node.hear(0, PEER, ogm(PEER, 101));
    node.detach(1);
    assert_eq!(node.router(OTHER, View::Default), None);
    assert_eq!(node.router(PEER, View::Arrival(iface(1))), None);
    assert_eq!(node.router(PEER, View::Default), Some(hop(0, PEER)));
    assert_eq!(node.iv.neighbours(iface(1)), Neighbours::None);
    assert!(node.iv.originators.find(PEER).unwrap().view(View::Arrival(iface(1))).is_none());
    // Attached again, the interface starts without any of its former views, and nothing waits for it.
    node.attach(1, Node::link(MY_SECOND), 1);
    assert_eq!(node.echoes(OTHER, 1), 0);
    assert_eq!(node.router(PEER, View::Arrival(iface(1))), None);
    assert_eq!(node.repeats().iter().map(|(index, _)| *index).collect::<Vec<_>>(), [0]);
}

/// A lossy second way, five further OGMs by which would take half a minute: once the first way's neighbour was silent
/// for five and a half intervals, one OGM that came the other way since is enough (beyond IV-76).
#[test]
fn a_silent_router_is_passed_over_for_a_living_way() {
    let mut node = Node::with_interfaces(&[ME]);
    node.warm(&[(0, PEER), (0, OTHER)], 100);
    node.mute();
    for seqno in 1..=5 {
        node.hear(0, PEER, repeated(FAR, seqno, mac(8, 1), 225));
        node.hear(0, OTHER, repeated(FAR, seqno, mac(8, 2), 200));
    }
    let last_word = node.now;
    // The second way goes on for itself, but delivers only one number in six.
    for second in 1..=5 {
        node.run_until(last_word + ms(1000 * second));
        node.beat(&[(0, OTHER)], 100 + second as u32);
        node.mute();
        if second == 3 {
            node.hear(0, OTHER, repeated(FAR, 8, mac(8, 2), 200));
        }
    }
    node.run_until(last_word + ms(5500));
    assert_eq!(node.router(FAR, View::Default), Some(hop(0, PEER)), "not yet");
    node.run_until(last_word + ms(6600));
    assert_eq!(node.router(FAR, View::Default), Some(hop(0, OTHER)));
    assert_eq!(node.router(FAR, View::Arrival(iface(0))), Some(hop(0, OTHER)), "in every view");
    assert_eq!(node.reason(FAR), Some(Reason::Silent));
    assert_eq!(node.iv.metric(FAR), Some(200));
    // The first way comes back: it takes its role by the rules (IV-74).
    node.hear(0, PEER, repeated(FAR, 20, mac(8, 1), 225));
    assert_eq!(node.router(FAR, View::Default), Some(hop(0, PEER)));
}

/// What was known before the silence began is no way: two nodes that each lost their own would send to each other.
#[test]
fn old_knowledge_is_no_way_round_a_silent_router() {
    let mut node = Node::with_interfaces(&[ME]);
    node.warm(&[(0, PEER), (0, OTHER)], 100);
    node.mute();
    for seqno in 1..=5 {
        node.hear(0, PEER, repeated(FAR, seqno, mac(8, 1), 225));
        node.hear(0, OTHER, repeated(FAR, seqno, mac(8, 2), 200));
    }
    let last_word = node.now;
    // What PEER said last comes round by OTHER a moment later.
    node.run_until(last_word + ms(120));
    node.hear(0, OTHER, repeated(FAR, 6, mac(8, 2), 200));
    for second in 1..=20 {
        node.run_until(last_word + ms(1000 * second));
        node.beat(&[(0, OTHER)], 100 + second as u32);
        node.mute();
    }
    assert_eq!(node.router(FAR, View::Default), Some(hop(0, PEER)), "as in the reference (IV-77)");
    assert_eq!(
        node.iv.metric(FAR),
        Some(0),
        "but last choice for clients that others announce too"
    );
    assert_eq!(node.fib.reader().pin().originator(FAR).unwrap().metric(), 0);
    assert!(
        node.rows()
            .iter()
            .any(|row| row.originator == FAR && row.best && row.metric == Metric::Tq(225))
    );
    node.hear(0, PEER, repeated(FAR, 30, mac(8, 1), 225));
    let average = node.average(FAR, View::Default, hop(0, PEER)).unwrap();
    assert!(average > 200);
    assert_eq!(node.iv.metric(FAR), Some(u32::from(average)), "back with its next record");
}

/// A way whose own neighbour is silent by now is no better: after a suspension, say, when everybody is.
#[test]
fn a_silent_way_is_no_way_round_another() {
    let mut node = Node::with_interfaces(&[ME]);
    node.warm(&[(0, PEER), (0, OTHER)], 100);
    node.mute();
    for seqno in 1..=5 {
        node.hear(0, PEER, repeated(FAR, seqno, mac(8, 1), 225));
        node.hear(0, OTHER, repeated(FAR, seqno, mac(8, 2), 200));
    }
    node.now += ms(3000);
    node.hear(0, OTHER, repeated(FAR, 6, mac(8, 2), 200));
    node.now += ms(60_000);
    node.deadline();
    assert_eq!(node.router(FAR, View::Default), Some(hop(0, PEER)));
}

/// A neighbour that only answers our OGMs, because its own interval is long, is not silent.
#[test]
fn a_neighbour_with_a_long_interval_is_not_silent() {
    let mut node = Node::with_interfaces(&[ME]);
    node.warm(&[(0, PEER)], 100);
    node.mute();
    for _ in 0..20 {
        node.run(1000);
        node.prepare(0);
        node.mute();
        node.hear_echo(0, PEER, 0);
    }
    assert_eq!(node.iv.metric(PEER), Some(255));
}

/// Everything that was taken is given back: no neighbour, no place, no event is left after all have gone.
#[test]
fn nothing_is_left_behind() {
    let mut node = Node::with_interfaces(&[ME, MY_SECOND]);
    for index in 0..100 {
        let from = mac(50, index);
        node.hear(usize::from(index % 2), from, ogm(from, 1));
        node.hear(usize::from(index % 2), from, Ogm { tq: 0, ..ogm(from, 2) });
    }
    node.run(402_000);
    assert_eq!(node.iv.len(), 0);
    let lost = node.events().iter().any(|event| matches!(event, RoutingEvent::RouteLost(_)));
    assert!(!lost, "nobody had a route");
    assert!(node.iv.neighbours.iter().next().is_none());
    node.hear(0, PEER, ogm(PEER, 1));
    assert_eq!((node.iv.len(), node.iv.originators.places()), (1, 100), "places are used again");
}

/// A device moves from a neighbour to this node: what was known of its address is no originator any more.
#[test]
fn an_address_that_became_ours_is_forgotten() {
    for attach in [true, false] {
        let mut node = Node::with_interfaces(&[ME]);
        node.warm(&[(0, PEER), (0, OTHER)], 100);
        node.hear(0, PEER, repeated(OTHER, 101, OTHER, 225));
        if attach {
            node.attach(1, Node::link(PEER), 1);
        } else {
            node.change(0, |link| link.mac = PEER);
        }
        assert_eq!(node.iv.originators(), [OTHER]);
        let entry = node.iv.originators.find(OTHER).unwrap();
        assert!(entry.candidates.iter().all(|candidate| candidate.hop == hop(0, OTHER)));
        assert!(node.events().contains(&RoutingEvent::Gone(PEER)));
    }
}

/// IV-89: a next hop whose address is ours by now is none.
#[test]
fn iv_89_a_route_by_an_address_that_became_ours_moves() {
    let mut node = Node::with_interfaces(&[ME]);
    node.warm(&[(0, PEER), (0, OTHER)], 100);
    node.hear(0, PEER, repeated(FAR, 1, mac(8, 1), 225));
    node.hear(0, OTHER, repeated(FAR, 1, mac(8, 2), 200));
    node.attach(1, Node::link(PEER), 1);
    assert_eq!(node.router(FAR, View::Default), Some(hop(0, OTHER)));
    assert_eq!(node.reason(FAR), Some(Reason::OurAddress));
}

/// IV-90: when any candidate goes, the best of the rest is taken, also in place of a router that stays.
#[test]
fn iv_90_a_worse_router_gives_way_when_another_candidate_goes() {
    let mut node = Node::with_interfaces(&[ME, MY_SECOND]);
    let third = mac(4, 1);
    node.warm(&[(0, PEER), (0, OTHER), (1, third)], 100);
    node.hear(0, PEER, repeated(FAR, 1, mac(8, 1), 225));
    node.hear(0, OTHER, repeated(FAR, 1, mac(8, 2), 200));
    node.hear(1, third, repeated(FAR, 1, mac(8, 3), 50));
    for seqno in 2..=4 {
        node.hear(0, PEER, repeated(FAR, seqno, mac(8, 1), 100));
    }
    let verdict = |node: &Node| {
        node.iv.route_report(node.now, node.settings.orig_interval, FAR).unwrap().verdict()
    };
    assert_eq!(verdict(&node), Verdict::Overtaken, "IV-71: until a record of the better one comes");
    node.change(1, |link| link.up = false);
    assert_eq!(node.router(FAR, View::Default), Some(hop(0, OTHER)));
    assert_eq!(node.reason(FAR), Some(Reason::ChosenAnew));
    assert_eq!(verdict(&node), Verdict::Best);
}

/// What is told of a candidate is what its metric is made of, and of a silent one how long it has been.
#[test]
fn iv_06_iv_07_iv_77_the_windows_of_a_next_hop_are_told() {
    let mut node = Node::with_interfaces(&[ME]);
    node.warm(&[(0, PEER)], 100);
    let of =
        |node: &Node| node.iv.route_report(node.now, node.settings.orig_interval, PEER).unwrap();
    let report = of(&node);
    assert_eq!(report.verdict(), Verdict::Only);
    assert_eq!(report.candidates[0].seen, Seen::Windows { received: 64, echoed: 64 });
    node.run(20_000);
    let report = of(&node);
    assert_eq!(report.verdict(), Verdict::SilentButAlone);
    assert!(report.candidates[0].heard >= Some(ms(20_000)));
    assert!(node.iv.route_report(node.now, ms(1000), FAR).is_none(), "nobody has heard of it");
}
