//! Sections 11 and 12: which way, and what is passed on.

use super::node::Node;
use super::*;
use crate::IfaceSettings;
use crate::batman_v::Measured;
use crate::{Reason, Routing};

/// Two neighbours on two links, and a third link with a listener.
fn node() -> Node {
    let mut node = Node::with_interfaces(&[ME, mac(1, 2), mac(1, 3)]);
    node.befriend(0, PEER, 10_000);
    node.befriend(1, OTHER, 10_000);
    node.befriend(2, mac(4, 1), 10_000);
    node.v.next_ogm = None;
    node
}

/// The worked example 18.5.
#[test]
fn v_66_v_67_v_69_v_70_v_71_switching_and_failing_over() {
    let mut node = node();
    let router = |node: &Node| node.router(FAR, View::Default).unwrap().mac;
    node.hear(0, PEER, ogm(FAR, 70_100, 8823));
    node.hear(1, OTHER, ogm(FAR, 70_100, 185));
    for seqno in 70_101..70_105 {
        node.hear(1, OTHER, ogm(FAR, seqno, 185));
        assert_eq!(router(&node), PEER, "lag {}", seqno - 70_100);
        assert_eq!(node.v.metric(FAR), Some(8823), "V-69: it ages");
    }
    node.repeats();
    node.hear(1, OTHER, ogm(FAR, 70_105, 185));
    assert_eq!((router(&node), node.v.metric(FAR)), (OTHER, Some(185)));
    assert_eq!(node.reason(FAR), Some(Reason::Lagging));
    assert!(node.repeats().contains(&(2, Ogm2 { ttl: 48, ..ogm(FAR, 70_105, 163) })), "V-72");
    assert_eq!(node.stored(FAR, View::Default, hop(0, PEER)), Some(8823), "V-70: still listed");
    node.hear(0, PEER, ogm(FAR, 70_106, 8823));
    assert_eq!(router(&node), PEER, "V-71");
    assert_eq!(node.reason(FAR), Some(Reason::Faster));
    node.hear(1, OTHER, ogm(FAR, 70_106, 8823));
    assert_eq!(router(&node), PEER, "equal never switches");
    node.hear(0, PEER, ogm(FAR, 70_107, 1));
    assert_eq!(router(&node), PEER, "V-66: whatever it is now");
    node.hear(1, OTHER, ogm(FAR, 70_107, 2));
    assert_eq!(router(&node), OTHER, "V-67: strictly faster");
}

#[test]
fn v_65_v_74_v_75_v_76_what_is_passed_on() {
    let mut node = node();
    let heard = Ogm2 { flags: 0x5a, ..ogm(FAR, 70_000, 1000) };
    node.hear(0, PEER, heard);
    let onward = Ogm2 { ttl: 48, throughput: Throughput(882), ..heard };
    assert_eq!(node.repeats(), [(1, onward), (2, onward)], "V-75, V-77: not back to the only one");
    node.hear(0, PEER, Ogm2 { ttl: 1, ..ogm(FAR, 70_001, 1000) });
    node.hear(0, PEER, Ogm2 { ttl: 0, ..ogm(FAR, 70_002, 1000) });
    assert_eq!(node.repeats(), [], "V-74");
    node.hear(0, PEER, ogm(FAR, 70_002, 1000));
    assert_eq!(node.repeats(), [], "V-73: that number was dealt with");
    node.hear(0, PEER, Ogm2 { ttl: 2, ..ogm(FAR, 70_003, 1) });
    let onward = Ogm2 { ttl: 1, throughput: Throughput(0), ..ogm(FAR, 70_003, 0) };
    assert_eq!(node.repeats(), [(1, onward), (2, onward)], "V-76");
}

#[test]
fn v_72_v_73_v_102_a_second_copy() {
    let mut node = node();
    node.hear(0, PEER, ogm(FAR, 70_000, 1000));
    node.repeats();
    // The slower path is first with the next number: not the router.
    node.hear(1, OTHER, ogm(FAR, 70_001, 500));
    let sent = node.repeats();
    assert!(sent.iter().all(|(index, _)| *index == 0), "only where n2 is suppressed: {sent:?}");
    node.hear(0, PEER, ogm(FAR, 70_001, 1000));
    let sent = node.repeats();
    assert!(sent.contains(&(2, Ogm2 { ttl: 48, ..ogm(FAR, 70_001, 882) })), "not fresh, but sent");
    node.hear(0, PEER, ogm(FAR, 70_001, 1000));
    assert_eq!(node.repeats(), [], "once only");
    // A better path found by the second copy: only where nothing was sent yet.
    node.hear(0, PEER, ogm(FAR, 70_002, 1000));
    node.hear(1, OTHER, ogm(FAR, 70_002, 2000));
    let sent = node.repeats();
    assert_eq!(sent.iter().filter(|(index, _)| *index == 2).count(), 1);
    assert!(sent.contains(&(0, Ogm2 { ttl: 48, ..ogm(FAR, 70_002, 1764) })));
}

#[test]
fn v_77_v_78_v_79_suppression() {
    let mut node = Node::with_interfaces(&[ME, mac(1, 2), mac(1, 3), mac(1, 4)]);
    node.befriend(0, PEER, 1000);
    node.befriend_of(1, mac(2, 2), PEER, 1000);
    node.befriend(2, OTHER, 1000);
    node.v.next_ogm = None;
    node.hear(0, PEER, ogm(PEER, 70_000, u32::MAX));
    let where_to = |node: &mut Node| {
        let mut indices: Vec<_> = node.repeats().into_iter().map(|(index, _)| index).collect();
        indices.sort_unstable();
        indices
    };
    assert_eq!(where_to(&mut node), [2], "V-79: not to the other interface of the same node");
    for suppressed in [0, 1, 3] {
        assert!(node.v.originators[&PEER].view(arrival(suppressed)).is_none(), "V-78");
    }
    node.hear(1, mac(2, 2), ogm(FAR, 70_000, 500));
    assert_eq!(where_to(&mut node), [2], "nor what came from that node");
    node.befriend(0, mac(5, 1), 1000);
    node.hear(0, PEER, ogm(PEER, 70_001, u32::MAX));
    assert_eq!(where_to(&mut node), [0, 2], "two: never suppressed");
}

#[test]
fn v_52_v_63_v_64_the_view_of_the_link_that_it_came_by() {
    let mut node = Node::with_interfaces(&[ME, mac(1, 2)]);
    for other in [PEER, OTHER] {
        node.befriend(0, other, 10_000);
    }
    node.befriend(1, mac(4, 1), 10_000);
    node.v.next_ogm = None;
    node.hear(0, PEER, ogm(FAR, 70_000, 3000));
    assert_eq!(node.stored(FAR, View::Default, hop(0, PEER)), Some(3000));
    assert_eq!(node.stored(FAR, arrival(0), hop(0, PEER)), Some(2647), "full duplex");
    let half = Measured::Wired { speed: Some(1000), full_duplex: false };
    node.with(|v, ctx, interfaces| v.measured(ctx, interfaces, iface(0), None, half));
    node.hear(0, PEER, ogm(FAR, 70_001, 3000));
    assert_eq!(node.stored(FAR, arrival(0), hop(0, PEER)), Some(1500), "V-63: not only on wifi");
    assert_eq!(node.stored(FAR, arrival(1), hop(0, PEER)), Some(2647), "V-64");
}

#[test]
fn v_61_the_penalty_of_the_interface() {
    let mut node = Node::new();
    let settings = IfaceSettings { hop_penalty: 51, ..IfaceSettings::default() };
    node.attach(0, Node::link(ME), settings);
    node.befriend(0, PEER, 1000);
    node.hear(0, PEER, ogm(PEER, 70_000, u32::MAX));
    assert_eq!(node.v.metric(PEER), Some(800));
    let fib = node.fib.reader();
    assert_eq!(fib.pin().originator(PEER).unwrap().metric(), 800);
}

#[test]
fn v_84_there_is_no_fallback_to_the_default_view() {
    let mut node = Node::with_interfaces(&[ME, mac(1, 2)]);
    node.befriend(0, PEER, 1000);
    node.hear(0, PEER, ogm(FAR, 70_000, 500));
    assert!(node.router(FAR, View::Default).is_some());
    assert_eq!(node.router(FAR, arrival(1)), None, "suppressed, so not computed");
}
