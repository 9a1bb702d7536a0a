//! The rules of 09-multicast.md that the engine keeps.

use super::host::group_mac;
use super::*;
use crate::{IfaceSettings, Link, Rng, Settings};
use core::net::IpAddr;
use core::time::Duration;
use noctule_fib::{Counters, Fib, HashKey, Iface, NextHop, View, Writer};
use noctule_wire::{Instant, SeqNo};
use std::collections::VecDeque;

const ANNA: Mac = Mac([2, 0xba, 0, 0, 1, 1]);
const CARA: Mac = Mac([2, 0xba, 0, 0, 3, 1]);

fn groups(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn macs(texts: &[&str]) -> BTreeSet<Mac> {
    groups(texts).into_iter().map(group_mac).collect()
}

fn querier(exists: bool, shadowing: bool) -> Querier {
    Querier { exists, shadowing }
}

fn bridged(ipv4: Querier, ipv6: Querier) -> HostMulticast {
    let bridge = BridgeMulticast { groups: Vec::new(), querier_ipv4: ipv4, querier_ipv6: ipv6 };
    HostMulticast { bridge: Some(bridge), ..HostMulticast::default() }
}

#[test]
fn mcast_06_mcast_07_mcast_08_mcast_09_mcast_10_mcast_11_own_flags() {
    let plain = HostMulticast::default();
    let router = HostMulticast { router_ipv4: true, ..HostMulticast::default() };
    let (none, good, bad) = (querier(false, false), querier(true, false), querier(true, true));
    #[rustfmt::skip]
    let rows = [
        (&plain, true, 0x38, "plain node"),
        (&plain, false, 0x18, "a link below 1280"),
        (&router, true, 0x30, "an IPv4 router"),
        (&bridged(good, good), true, 0x39, "queriers in the mesh"),
        (&bridged(none, none), true, 0x27, "no querier"),
        (&bridged(bad, bad), true, 0x27, "queriers shadow"),
        (&bridged(good, none), true, 0x2d, "only IGMP has one"),
    ];
    for (host, able, expected, because) in rows {
        assert_eq!(host.flags(able, Crowded::default()), MulticastFlags(expected), "{because}");
    }
}

#[test]
fn mcast_13_mcast_14_mcast_15_mcast_16_mcast_19_who_is_announced() {
    let all = [
        "224.0.0.1",
        "224.0.0.251",
        "239.1.2.3",
        "ff01::1",
        "ff02::1",
        "ff02::1:ff00:1",
        "ff05::1:3",
    ];
    let plain = HostMulticast { memberships: groups(&all), ..HostMulticast::default() };
    let expected =
        ["224.0.0.1", "224.0.0.251", "239.1.2.3", "ff02::1", "ff02::1:ff00:1", "ff05::1:3"];
    assert_eq!(plain.listeners(Crowded::default()), macs(&expected));
    let router = HostMulticast { router_ipv4: true, router_ipv6: true, ..plain.clone() };
    let expected = ["224.0.0.1", "224.0.0.251", "ff02::1", "ff02::1:ff00:1"];
    assert_eq!(
        router.listeners(Crowded::default()),
        macs(&expected),
        "a router gets the rest anyway"
    );
    let good = querier(true, false);
    let mut host = HostMulticast { memberships: groups(&all), ..bridged(good, good) };
    host.bridge.as_mut().unwrap().groups = groups(&["239.7.7.7", "ff02::fb", "10.0.0.1"]);
    let expected = ["239.1.2.3", "ff02::1:ff00:1", "ff05::1:3", "239.7.7.7", "ff02::fb"];
    assert_eq!(
        host.listeners(Crowded::default()),
        macs(&expected),
        "U covers 224.0.0.0/24 and ff02::1"
    );
    host.bridge.as_mut().unwrap().querier_ipv4 = Querier::default();
    let expected = ["ff02::1:ff00:1", "ff05::1:3", "ff02::fb"];
    assert_eq!(host.listeners(Crowded::default()), macs(&expected), "4 covers all of IPv4");
    assert_eq!(group_mac("239.129.2.3".parse().unwrap()), Mac([1, 0, 0x5e, 1, 2, 3]));
    let solicited = group_mac("ff02::1:ff12:3456".parse().unwrap());
    assert_eq!(solicited, Mac([0x33, 0x33, 0xff, 0x12, 0x34, 0x56]));
}

/// Knows Anna and Cara.
struct Table;

impl Routing for Table {
    fn knows(&self, originator: Mac) -> bool {
        [ANNA, CARA].contains(&originator)
    }

    fn router(&self, _: Mac, _: View) -> Option<NextHop> {
        None
    }

    fn metric(&self, _: Mac) -> Option<u32> {
        None
    }

    fn originators(&self) -> Vec<Mac> {
        vec![ANNA, CARA]
    }
}

struct Node {
    part: Multicast,
    interfaces: Interfaces,
    writer: Writer,
    fib: Fib,
    settings: Settings,
    counters: Counters,
}

impl Node {
    fn new() -> Self {
        let writer = Writer::new(HashKey([1, 2]), 0, SeqNo(0));
        let mut interfaces = Interfaces::default();
        let mac = Mac([2, 0xba, 0, 0, 2, 1]);
        let link = Link { mac, mtu: 1500, wifi: false, up: true };
        interfaces.attach(Iface::new(0).unwrap(), link, IfaceSettings::default());
        let fib = writer.reader();
        let (part, settings) = (Multicast::new(), Settings::default());
        let counters = Counters::default();
        let mut node = Self { part, interfaces, writer, fib, settings, counters };
        node.look(&HostMulticast::default(), 16);
        node
    }

    /// Returns the groups that are announced.
    fn look(&mut self, host: &HostMulticast, groups_max: usize) -> BTreeSet<Mac> {
        self.part.set_host(&self.counters, &self.interfaces, host, groups_max)
    }

    fn published(&mut self) -> noctule_fib::Multicast {
        let mut ctx = Context {
            now: Instant::ZERO + Duration::from_secs(1),
            settings: &self.settings,
            primary: None,
            fib: &mut self.writer,
            counters: &Counters::default(),
            outputs: &mut VecDeque::new(),
            rng: &mut Rng::new(1),
        };
        self.part.publish(&mut ctx, &self.interfaces);
        self.fib.pin().multicast().clone()
    }

    fn hear(&mut self, originator: Mac, area: &[u8]) -> noctule_fib::Multicast {
        self.part.on_ogm(&Table, originator, area);
        self.published()
    }

    fn flags(&self, originator: Mac) -> Option<Option<MulticastFlags>> {
        let rows = self.part.rows();
        rows.iter().find(|row| row.originator == originator).map(|row| row.flags)
    }
}

fn container(flags: u8) -> Vec<u8> {
    vec![6, 2, 0, 4, flags, 0xff, 0xff, 0xff]
}

#[test]
fn mcast_26_mcast_27_mcast_30_mcast_37_what_others_say() {
    let mut node = Node::new();
    let known = node.published();
    assert!(known.packets && !known.flood && known.fanout == 16, "nobody blocks packets");
    assert!(node.hear(ANNA, &[]).packets, "MCAST-27: an OGM without containers says nothing");
    assert_eq!(node.flags(ANNA), None);
    let known = node.hear(ANNA, &container(0x39));
    assert_eq!((known.want_unsnoopable, known.packets), (1, true));
    assert!(known.want_ipv4.is_empty() && known.routers_ipv4.is_empty());
    let known = node.hear(CARA, &[4, 1, 0, 4, 0, 1, 0, 0]);
    assert_eq!(*known.want_ipv4, [CARA], "an old node wants everything");
    assert!(!known.packets && known.routers_ipv4.is_empty());
    assert_eq!(node.flags(CARA), Some(None));
    let known = node.hear(CARA, &[6, 1, 0, 4, 0x38, 0, 0, 0]);
    assert_eq!(*known.want_ipv6, [CARA], "version 1 is historic");
    let known = node.hear(CARA, &container(0x00));
    assert_eq!((&*known.routers_ipv4, &*known.routers_ipv6), (&[CARA][..], &[CARA][..]));
    assert!(known.want_ipv4.is_empty() && !known.packets);
    node.part.originator_gone(CARA);
    let known = node.published();
    assert!(known.packets && known.routers_ipv4.is_empty(), "it is forgotten altogether");
    let stranger = Mac([2, 0xba, 0, 0, 9, 9]);
    node.hear(stranger, &container(0));
    assert_eq!(node.flags(stranger), None, "bounded by the originators that are known");
}

#[test]
fn mcast_28_mcast_29_odd_values() {
    let mut node = Node::new();
    let known = node.hear(ANNA, &[6, 2, 0, 0]);
    assert_eq!(*known.routers_ipv4, [ANNA], "no flag at all");
    assert!(!known.packets);
    let known = node.hear(ANNA, &container(0x26));
    assert!(known.routers_ipv4.is_empty() && known.routers_ipv6.is_empty(), "no second copy");
    assert_eq!((&*known.want_ipv4, &*known.want_ipv6), (&[ANNA][..], &[ANNA][..]));
    let cut = &container(0x38)[..6];
    node.hear(ANNA, cut);
    assert_eq!(node.flags(ANNA), Some(None), "a container that does not fit is none");
}

#[test]
fn mcast_01_mcast_04_mcast_08_the_own_container() {
    let mut node = Node::new();
    assert_eq!(Multicast::new().own_value(), None, "not before the host was looked at");
    assert_eq!(node.part.own_value(), Some([0x38, 0, 0, 0]));
    node.settings.multicast_forceflood = true;
    assert!(node.published().flood);
    assert_eq!(node.part.own_value(), Some([0x38, 0, 0, 0]), "whatever this node floods itself");
    let iface = Iface::new(0).unwrap();
    let link = node.interfaces.get(iface).unwrap().link;
    node.interfaces.change(iface, Link { mtu: 1279, ..link });
    assert!(!node.published().packets);
    assert_eq!(node.part.own_value(), Some([0x18, 0, 0, 0]), "at once, not with the next look");
    node.interfaces.change(iface, Link { up: false, ..link });
    node.published();
    assert_eq!(node.part.own_value(), Some([0x38, 0, 0, 0]), "no active interface at all");
}

/// What changes on the host changes what the next OGM says, and nothing else does. MCAST-25: a bridge of which nothing is
/// known wants everything.
#[test]
fn mcast_02_mcast_25_the_own_container_follows_the_host() {
    let mut node = Node::new();
    let good = querier(true, false);
    let rows = [
        (HostMulticast::default(), 0x38, "plain"),
        (HostMulticast { router_ipv4: true, ..HostMulticast::default() }, 0x30, "a router"),
        (bridged(Querier::default(), Querier::default()), 0x27, "a bridge that says nothing"),
        (bridged(good, Querier::default()), 0x2d, "an IGMP querier"),
        (bridged(good, good), 0x39, "and one for MLD"),
        (bridged(querier(true, true), good), 0x33, "the first is shadowing"),
        (HostMulticast::default(), 0x38, "plain again"),
    ];
    for (host, flags, what) in rows {
        for _ in 0..2 {
            node.look(&host, 16);
            node.published();
            assert_eq!(node.part.own_value(), Some([flags, 0, 0, 0]), "{what}");
        }
        let queriers = host.bridge.map(|bridge| [bridge.querier_ipv4, bridge.querier_ipv6]);
        assert_eq!(node.part.own().unwrap().queriers, queriers, "{what}");
    }
}

/// `[DEV]`: ever more groups do not fill the table of clients; all of that IP version is wanted instead.
#[test]
fn mcast_17_too_many_groups_are_not_announced_one_by_one() {
    let good = querier(true, false);
    let mut node = Node::new();
    let joined = |ipv4: u8, ipv6: u8| {
        let mut host = bridged(good, good);
        let bridge = host.bridge.as_mut().unwrap();
        bridge.groups.extend((0..ipv4).map(|last| IpAddr::from([239, 1, 2, last])));
        // The same Ethernet address: counts once.
        bridge.groups.extend((0..ipv4).map(|last| IpAddr::from([238, 1, 2, last])));
        bridge.groups.extend(
            (0..ipv6)
                .map(|last| IpAddr::from([0xff, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, last])),
        );
        host
    };
    #[rustfmt::skip]
    let rows = [
        // groups => announced, flags, times that it was too much
        ((16, 16), (32, 0x39), 0, "as many as may be"),
        ((17, 16), (16, 0x33), 1, "one more"),
        ((200, 16), (16, 0x33), 1, "many more"),
        ((13, 16), (16, 0x33), 1, "not back and forth at the limit"),
        ((12, 16), (28, 0x39), 1, "back again"),
        ((12, 17), (12, 0x2d), 2, "IPv6"),
        ((99, 99), (0, 0x27), 3, "both"),
        ((0, 0), (0, 0x39), 3, "all have left"),
    ];
    for ((ipv4, ipv6), (announced, flags), times, what) in rows {
        let host = joined(ipv4, ipv6);
        for _ in 0..2 {
            assert_eq!(node.look(&host, 16).len(), announced, "{what}");
            node.published();
            assert_eq!(node.part.own_value(), Some([flags, 0, 0, 0]), "{what}");
        }
        assert_eq!(node.counters.get(Counter::McastGroupsFull), times, "{what}");
    }
    // The table of clients has become smaller.
    assert_eq!(node.look(&joined(20, 0), 32).len(), 20);
    assert_eq!(node.look(&joined(20, 0), 16).len(), 0);
}
