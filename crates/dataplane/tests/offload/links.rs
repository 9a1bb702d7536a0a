//! The program on real interfaces: two pairs of links, and frames that pass from one to the other.

use super::netns::{isolated, link};
use noctule_dataplane::offload::{
    Arrival, Hook, NodeEntry, OpenError, Route, RouteKey, Tables, Transit,
};
use noctule_fib::Iface;
use noctule_wire::{Mac, Ttvn};
use pnet::datalink::{self, Channel, DataLinkReceiver, DataLinkSender};
use std::time::Duration;

pub(crate) const US: [u8; 6] = [2, 0xba, 0, 0, 1, 1];
const FAR: Mac = Mac([2, 0xba, 0, 0, 9, 1]);
pub(crate) const NEXT: Mac = Mac([2, 0xba, 0, 0, 5, 1]);
const OTHER: Mac = Mac([2, 0xba, 0, 0, 5, 2]);
/// How long nothing must come where nothing is expected. What is expected is there before the sender's call returns.
const SILENCE: Duration = Duration::from_millis(200);

fn open(name: &str) -> (Box<dyn DataLinkSender>, Box<dyn DataLinkReceiver>) {
    let interface = datalink::interfaces().into_iter().find(|each| each.name == name).unwrap();
    let config = datalink::Config { read_timeout: Some(SILENCE), ..Default::default() };
    match datalink::channel(&interface, config).unwrap() {
        Channel::Ethernet(sender, receiver) => (sender, receiver),
        _ => panic!("not Ethernet"),
    }
}

/// A unicast packet for [`FAR`].
pub(crate) fn packet() -> Vec<u8> {
    let mut frame = US.to_vec();
    frame.extend([2, 0, 0, 0, 0, 7, 0x43, 0x05, 0x40, 15, 50, 0]);
    frame.extend(FAR.0);
    frame.extend([2, 0xc1, 0, 0, 0, 1, 2, 0xc1, 0, 0, 0, 2, 0x88, 0xb5]);
    frame.resize(100, 0x5a);
    frame
}

/// Fills the maps: what arrives on `from` goes out by `by`, to the neighbour `to`.
pub(crate) fn fill(transit: &mut Transit, from: &str, by: &str, to: Mac) {
    let place = Iface::new(0).unwrap();
    let arrival = Arrival { mac: Mac(US), place };
    transit.set_arrival(link::index(from), Some(arrival)).unwrap();
    let route = Route {
        ifindex: link::index(by),
        carries: 1500,
        slot: 3,
        to,
        from: Mac([2, 0xba, 0, 0, 1, 2]),
        ttvn: Ttvn(0),
    };
    transit.set_route(RouteKey { originator: FAR, place }, Some(route)).unwrap();
    transit.set_node(NodeEntry { lease: u64::MAX, departed: 0 }).unwrap();
}

/// Sends one packet into `near`; whom it reached by `far`.
fn pass(near: &mut dyn DataLinkSender, far: &mut dyn DataLinkReceiver) -> Option<Mac> {
    near.send_to(&packet(), None).unwrap().unwrap();
    loop {
        let Ok(frame) = far.next() else { return None };
        if frame[12..14] == [0x43, 0x05] {
            assert_eq!((frame[16], &frame[18..]), (49, &packet()[18..]), "{frame:02x?}");
            return Mac::from_prefix(frame);
        }
    }
}

/// Loads the program; `None` where that is not allowed.
pub(crate) fn load(hook: Hook) -> Option<Transit> {
    match Transit::open(None) {
        Ok((transit, _)) => Some(transit.by(hook)),
        Err(OpenError::Refused(text)) if !text.contains("not implemented") => panic!("{text}"),
        Err(problem) => {
            println!("SKIPPED: {problem}");
            None
        }
    }
}

fn frames_pass(hook: Hook) {
    link::veth("near", "in");
    link::veth("out", "far");
    link::set_mac("in", US);
    let (mut near, _near) = open("near");
    let (_far, mut far) = open("far");
    let Some(mut transit) = load(hook) else { return };
    fill(&mut transit, "in", "out", NEXT);
    assert_eq!(pass(&mut *near, &mut *far), None, "not attached");
    assert!(!transit.attach(link::index("in"), "in").unwrap());
    assert_eq!(pass(&mut *near, &mut *far), Some(NEXT));
    assert_eq!(transit.counts(Iface::new(0).unwrap()).bytes, 100);
    assert_eq!((transit.slot_counts(3).frames, transit.slot_counts(2).frames), (1, 0));
    // Attached twice is attached once.
    transit.attach(link::index("in"), "in").unwrap();
    assert_eq!(pass(&mut *near, &mut *far), Some(NEXT));
    assert_eq!(transit.slot_counts(3).frames, 2);
    transit.detach(link::index("in"));
    assert_eq!(pass(&mut *near, &mut *far), None, "detached");
    transit.attach(link::index("in"), "in").unwrap();

    // A daemon that dies: a filter stays, a link that is not pinned does not.
    match hook {
        Hook::Best => drop(transit),
        Hook::Filter => transit.leave(),
    }
    let left = pass(&mut *near, &mut *far);
    assert_eq!(left, (hook == Hook::Filter).then_some(NEXT));
    let Some(mut transit) = load(hook) else { return };
    fill(&mut transit, "in", "out", OTHER);
    let was_there = transit.attach(link::index("in"), "in").unwrap();
    assert_eq!(was_there, hook == Hook::Filter);
    assert_eq!(pass(&mut *near, &mut *far), Some(OTHER), "the new one is in the old one's place");
    assert_eq!(transit.slot_counts(3).frames, 1);
    transit.remove();
    assert_eq!(pass(&mut *near, &mut *far), None, "removed");
}

#[test]
fn frames_pass_the_program_on_a_link() {
    isolated("links::frames_pass_the_program_on_a_link", || frames_pass(Hook::Best));
}

#[test]
fn frames_pass_the_program_as_a_filter() {
    isolated("links::frames_pass_the_program_as_a_filter", || frames_pass(Hook::Filter));
}
