//! Section 13.

use super::node::Node;
use super::*;
use crate::routing::RoutingEvent;
use crate::{Reason, Routing};

#[test]
fn v_81_v_82_candidates_go_after_200_s_and_the_best_of_the_others_follows() {
    let mut node = Node::with_interfaces(&[ME]);
    for (peer, speed) in [(PEER, 1000), (OTHER, 500), (mac(4, 1), 500)] {
        node.befriend(0, peer, speed);
        node.hear(0, peer, ogm(FAR, 70_000, 5000));
    }
    assert_eq!(node.router(FAR, View::Default), Some(hop(0, PEER)));
    for seqno in 0..4 {
        node.run(50_000);
        for peer in [OTHER, mac(4, 1)] {
            node.meet(0, peer, peer);
            node.hear(0, peer, ogm(FAR, 70_001 + seqno, 500));
        }
    }
    assert_eq!(node.router(FAR, View::Default), Some(hop(0, PEER)), "lag of 4, 200 s");
    node.run(1500);
    assert_eq!(node.router(FAR, View::Default), Some(hop(0, mac(4, 1))), "of equals the newest");
    assert_eq!(node.reason(FAR), Some(Reason::TimedOut));
    assert_eq!(node.v.metric(FAR), Some(500));
    assert!(node.v.neighbours.get(hop(0, PEER)).is_none(), "V-35");
}

#[test]
fn v_83_an_originator_heard_by_elp_alone_goes_after_400_s_and_comes_again() {
    let mut node = Node::with_interfaces(&[ME]);
    for _ in 0..399 {
        node.meet(0, PEER, PEER);
        node.run(1000);
    }
    assert!(node.v.knows(PEER));
    assert_eq!(node.speed(0, PEER), Some(10_000));
    node.run(3000);
    assert!(!node.v.knows(PEER));
    assert!(node.events().contains(&RoutingEvent::Gone(PEER)));
    node.meet(0, PEER, PEER);
    assert_eq!(node.speed(0, PEER), Some(0), "its link is measured anew");
}

#[test]
fn v_81_what_used_an_interface_that_is_down_or_gone_is_forgotten() {
    for detach in [false, true] {
        let mut node = Node::with_interfaces(&[ME, mac(1, 2), mac(1, 3)]);
        node.befriend(0, PEER, 500);
        node.befriend(1, OTHER, 1000);
        node.befriend(2, mac(4, 1), 1000);
        node.hear(0, PEER, ogm(FAR, 70_000, 5000));
        node.hear(1, OTHER, ogm(FAR, 70_000, 5000));
        assert_eq!(node.router(FAR, arrival(2)), Some(hop(1, OTHER)));
        if detach {
            node.detach(1);
        } else {
            node.change(1, |link| link.up = false);
        }
        assert_eq!(node.router(FAR, View::Default), Some(hop(0, PEER)));
        assert_eq!(node.router(FAR, arrival(2)), Some(hop(0, PEER)));
        assert_eq!(node.router(FAR, arrival(1)), None);
        assert_eq!(node.reason(FAR), Some(Reason::InterfaceDown));
        assert!(node.v.originators[&FAR].view(arrival(1)).is_none());
        node.events();
        node.change(0, |link| link.up = false);
        assert_eq!(node.router(FAR, View::Default), None);
        assert!(node.events().contains(&RoutingEvent::RouteLost(FAR)));
    }
}

#[test]
fn an_address_that_is_ours_by_now_is_nobody_else_s() {
    let mut node = Node::with_interfaces(&[ME]);
    node.befriend(0, PEER, 500);
    node.hear(0, PEER, ogm(FAR, 70_000, 5000));
    node.attach(1, Node::link(FAR), crate::IfaceSettings::default());
    assert!(!node.v.knows(FAR));
}
