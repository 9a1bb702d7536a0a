//! The rules of 08-gateway.md that the engine keeps.

use super::*;
use crate::{Output, Rng};
use noctule_fib::{Counters, Fib, HashKey, Iface, Writer};
use noctule_wire::SeqNo;
use noctule_wire::ogm2::Throughput;
use std::collections::{BTreeMap, VecDeque};

const P: Mac = Mac([2, 0xba, 0, 0, 1, 1]);
const Q: Mac = Mac([2, 0xba, 0, 0, 2, 1]);
const R: Mac = Mac([2, 0xba, 0, 0, 3, 1]);
const STRANGER: Mac = Mac([2, 0xba, 0, 0, 9, 9]);

/// Qualities of routes; 0 stands for an originator without one.
#[derive(Default)]
struct Routes(BTreeMap<Mac, u32>);

impl Routing for Routes {
    fn knows(&self, originator: Mac) -> bool {
        self.0.contains_key(&originator)
    }

    fn router(&self, originator: Mac, _: View) -> Option<NextHop> {
        self.metric(originator).map(|_| NextHop { iface: Iface::new(0).unwrap(), mac: originator })
    }

    fn metric(&self, originator: Mac) -> Option<u32> {
        self.0.get(&originator).copied().filter(|tq| *tq > 0)
    }

    fn originators(&self) -> Vec<Mac> {
        self.0.keys().copied().collect()
    }
}

struct Node {
    part: GatewayChoice,
    routes: Routes,
    settings: Settings,
    now: Instant,
    writer: Writer,
    fib: Fib,
    /// Chosen and before, oldest first.
    events: Vec<(Option<Mac>, Option<Mac>)>,
}

impl Node {
    fn client(class: u32) -> Self {
        let mut node = Self::off();
        node.set(GatewayMode::Client, class);
        node
    }

    fn off() -> Self {
        let writer = Writer::new(HashKey([1, 2]), 0, SeqNo(0));
        let fib = writer.reader();
        Self {
            part: GatewayChoice::default(),
            routes: Routes::default(),
            settings: Settings::default(),
            now: Instant::from_millis(500_000),
            writer,
            fib,
            events: Vec::new(),
        }
    }

    fn with<R>(
        &mut self,
        act: impl FnOnce(&mut GatewayChoice, &mut Context<'_>, &Routes) -> R,
    ) -> R {
        let mut outputs = VecDeque::new();
        let mut ctx = Context {
            now: self.now,
            settings: &self.settings,
            primary: None,
            fib: &mut self.writer,
            counters: &Counters::default(),
            outputs: &mut outputs,
            rng: &mut Rng::new(1),
        };
        let result = act(&mut self.part, &mut ctx, &self.routes);
        for output in outputs {
            let Output::Event(Event::Gateway { chosen, before }) = output else {
                panic!("{output:?}")
            };
            self.events.push((chosen, before));
        }
        result
    }

    fn set(&mut self, mode: GatewayMode, class: u32) {
        self.settings.gateway_mode = mode;
        self.settings.gateway_class = class;
        self.with(|part, ctx, _| part.settings_changed(ctx));
    }

    fn route(&mut self, originator: Mac, tq: u32) {
        self.routes.0.insert(originator, tq);
    }

    fn hear(&mut self, originator: Mac, area: &[u8]) {
        self.with(|part, ctx, routes| part.on_ogm(ctx, routes, originator, area));
    }

    /// A gateway of this quality announces so much.
    fn announce(&mut self, originator: Mac, tq: u32, down: u32) {
        self.route(originator, tq);
        self.hear(originator, &container(down, 20));
    }

    /// Time passes; what is due is done on the way.
    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.part.next_deadline() <= end {
            self.now = self.part.next_deadline().max(self.now);
            self.with(|part, ctx, routes| part.on_deadline(ctx, routes));
        }
        self.now = end;
    }

    fn second(&mut self) {
        self.pass(Duration::from_secs(1));
    }

    fn chosen(&self) -> Option<Mac> {
        let published = self.fib.pin().gateway();
        assert_eq!(published, noctule_fib::Gateway::Client(self.part.chosen), "what is published");
        self.part.chosen
    }

    fn listed(&self) -> Vec<(Mac, u32)> {
        self.part
            .rows(&self.routes, |metric| Metric::Tq(metric as u8))
            .iter()
            .map(|row| (row.originator, row.bandwidth.down.0))
            .collect()
    }
}

fn container(down: u32, up: u32) -> Vec<u8> {
    let value = Gateway { down: Throughput(down), up: Throughput(up) }.to_bytes();
    [&[1, 1, 0, 8], &value[..]].concat()
}

#[test]
fn gw_05_only_a_server_announces_and_never_a_zero() {
    let mut settings = Settings::default();
    assert_eq!(own_value(&settings), None);
    settings.gateway_mode = GatewayMode::Client;
    assert_eq!(own_value(&settings), None);
    settings.gateway_mode = GatewayMode::Server;
    assert_eq!(own_value(&settings), Some([0, 0, 0, 100, 0, 0, 0, 20]));
    settings.gateway_bandwidth = Gateway { down: Throughput(0), up: Throughput(0) };
    let raised = own_value(&settings.clone().clamp());
    assert_eq!(raised, Some([0, 0, 0, 1, 0, 0, 0, 1]), "GW-03");
    settings.gateway_class = 0;
    assert_eq!(settings.clamp().gateway_class, 1, "GW-01: class 0 is none");
}

#[test]
fn gw_06_gw_07_gw_10_gw_11_gw_12_gw_13_gw_14_the_table() {
    let mut node = Node::off();
    node.announce(P, 200, 10);
    node.announce(Q, 200, 20);
    assert_eq!(node.listed(), [(Q, 20), (P, 10)], "newest first, in every mode");
    node.announce(P, 200, 30);
    assert_eq!(node.listed(), [(Q, 20), (P, 30)], "another value, the same place");
    node.hear(P, &[]);
    assert_eq!(node.listed().len(), 2, "an OGM without containers says nothing");
    node.hear(P, &[container(40, 20), vec![0xff; 3]].concat());
    assert_eq!(node.listed(), [(Q, 20), (P, 40)], "what cannot be parsed ends the walk");
    node.part.originator_gone(P);
    for (area, because) in [
        (vec![4, 1, 0, 0], "only another container"),
        (container(0, 20), "no bandwidth down"),
        (container(20, 0), "no bandwidth up"),
        (vec![1, 1, 0, 7, 0, 0, 0, 1, 0, 0, 0], "too short"),
        ([&[1, 2], &container(20, 20)[2..]].concat(), "another version"),
    ] {
        node.announce(P, 200, 10);
        assert_eq!(node.listed()[0], (P, 10), "it comes back as a new one");
        node.hear(P, &area);
        assert_eq!(node.listed(), [(Q, 20)], "{because}");
    }
    let long = [&[1, 1, 0, 10], &container(7, 7)[4..], &[0xee; 2]].concat();
    node.hear(P, &long);
    assert_eq!(node.listed()[0], (P, 7), "longer is fine");
    node.hear(STRANGER, &container(9, 9));
    assert_eq!(node.listed().len(), 2, "bounded by the originators that are known");
    node.part.originator_gone(P);
    assert_eq!(node.listed(), [(Q, 20)]);
    node.route(Q, 0);
    assert_eq!(node.listed(), [], "GW-79: without a route it is not shown");
}

/// The worked examples of section 13 and of GW-30.
#[test]
fn gw_30_gw_31_gw_32_gw_35_the_best_of_a_list() {
    let best = |class, list: &[(Mac, u32, u32)]| {
        let class = Class::Quality(class);
        let standing = |tq, down| {
            let bandwidth = Gateway { down: Throughput(down), up: Throughput(1) };
            Standing::new(class, tq, bandwidth, false)
        };
        let list: Vec<_> =
            list.iter().map(|(mac, tq, down)| (*mac, standing(*tq, *down))).collect();
        selection::best(class, &list)
    };
    #[rustfmt::skip]
    let rows: &[(u32, &[(Mac, u32, u32)], Option<Mac>, &str)] = &[
        (1, &[(P, 255, 1), (Q, 100, 20), (R, 100, 20)], Some(Q), "a tie is decided against the highest TQ"),
        (1, &[(P, 100, 20), (Q, 255, 1), (R, 255, 100)], Some(R), "the highest score"),
        (1, &[(P, 255, u32::MAX), (Q, 254, u32::MAX)], Some(P), "no overflow"),
        (1, &[(P, 0, 100)], None, "nothing at all"),
        (1, &[(P, 5, 1)], Some(P), "score 0, but a better TQ than none"),
        (2, &[(P, 180, 1000), (Q, 250, 1)], Some(Q), "bandwidth does not count"),
        (20, &[(P, 200, 20), (Q, 200, 20)], Some(P), "of equals the newest"),
        (20, &[(P, 0, 20)], None, "TQ 0 is never chosen"),
        (255, &[(P, 1, 20), (Q, 2, 1)], Some(Q), "the highest TQ"),
    ];
    for (class, list, expected, because) in rows {
        assert_eq!(best(*class, list), *expected, "{because}");
    }
}

#[test]
fn gw_33_eligibility() {
    #[rustfmt::skip]
    let rows = [
        (1, Some(255), Some(10), false, "class 1 never"),
        (2, Some(255), None, false, "class 2 not even without a route"),
        (20, Some(1), None, true, "the chosen one has no route"),
        (20, None, Some(1), false, "the other one has none"),
        (3, Some(200), Some(200), true, "class 3: as good is enough"),
        (3, Some(199), Some(200), false, "worse is not"),
        (20, Some(219), Some(200), false, "19 < 20"),
        (20, Some(220), Some(200), true, "20"),
        (255, Some(255), Some(1), false, "254 < 255"),
    ];
    for (class, announced, chosen, expected, because) in rows {
        let class = Class::Quality(class);
        assert_eq!(selection::eligible(class, announced, chosen), expected, "{because}");
    }
}

/// The worked example 18.7.
#[test]
fn v_87_v_88_gw_40_gw_41_with_v_the_slower_of_path_and_uplink_counts() {
    let class = Class::Throughput(50);
    let best = |list: &[(Mac, u32, u32)]| {
        let standing = |path, down| {
            let bandwidth = Gateway { down: Throughput(down), up: Throughput(1) };
            Standing::new(class, path, bandwidth, false)
        };
        let list: Vec<_> = list.iter().map(|(mac, path, d)| (*mac, standing(*path, *d))).collect();
        selection::best(class, &list)
    };
    assert_eq!(best(&[(P, 8823, 100), (Q, 882, 200)]), Some(Q), "200 of 882 beat 100 of 8823");
    assert_eq!(best(&[(P, 100, 500), (Q, 200, 100)]), Some(P), "of equals the newest");
    assert_eq!(best(&[(P, 0, 100)]), Some(P), "nothing is better than no gateway");
    assert_eq!(best(&[(P, 0, 100), (Q, 1, 100)]), Some(Q), "but anything is better than nothing");
}

#[test]
fn v_89_gw_42_with_v_a_gateway_must_be_faster_by_the_class() {
    let class = Class::Throughput(50);
    #[rustfmt::skip]
    let rows = [
        (Some(200), Some(100), true, "18.7: G2 before G1"),
        (Some(120), Some(100), false, "18.7: G3 not"),
        (Some(150), Some(100), true, "by the class"),
        (Some(149), Some(100), false, "by less"),
        (Some(1), None, true, "the chosen one is gone"),
        (None, None, true, "and so is the other"),
        (None, Some(1), false, "only the other is"),
        (Some(u32::MAX), Some(u32::MAX - 49), false, "no overflow"),
    ];
    for (announced, chosen, expected, because) in rows {
        assert_eq!(selection::eligible(class, announced, chosen), expected, "{because}");
    }
}

#[test]
fn gw_20_gw_21_gw_23_gw_25_gw_26_elections_of_a_client() {
    let mut node = Node::client(20);
    node.second();
    assert_eq!((node.chosen(), &node.events[..]), (None, &[][..]));
    node.announce(P, 200, 20);
    node.second();
    assert_eq!(node.chosen(), Some(P), "nothing chosen: looked for every second");
    node.announce(Q, 219, 20);
    node.second();
    assert_eq!(node.chosen(), Some(P), "not better enough");
    node.announce(Q, 225, 20);
    node.announce(R, 240, 20);
    node.announce(Q, 225, 20);
    node.announce(P, 200, 20);
    node.second();
    assert_eq!(node.chosen(), Some(R), "Q called for the election, R wins it");
    assert_eq!(node.events, [(Some(P), None), (Some(R), Some(P))]);
    node.hear(R, &[4, 1, 0, 0]);
    assert_eq!(node.chosen(), Some(R), "GW-12: until the next election");
    node.second();
    assert_eq!(node.chosen(), Some(Q));
}

/// The event sequence of section 13.
#[test]
fn gw_52_gw_75_gw_76_modes_and_their_events() {
    let mut node = Node::client(20);
    node.announce(P, 200, 20);
    node.second();
    node.announce(Q, 240, 20);
    node.second();
    node.hear(Q, &[4, 1, 0, 0]);
    node.announce(P, 200, 20);
    node.second();
    node.set(GatewayMode::Off, 20);
    let expected = [(Some(P), None), (Some(Q), Some(P)), (Some(P), Some(Q)), (None, Some(P))];
    assert_eq!(node.events, expected);
    assert_eq!(node.fib.pin().gateway(), noctule_fib::Gateway::Off);
    assert_eq!(node.part.next_deadline(), Instant::NEVER, "no elections in this mode");
    node.set(GatewayMode::Server, 20);
    assert_eq!(node.fib.pin().gateway(), noctule_fib::Gateway::Server);
    node.announce(P, 200, 20);
    node.pass(Duration::from_secs(2));
    assert_eq!(node.events.len(), 4, "a server chooses nobody");
    node.set(GatewayMode::Client, 20);
    node.pass(Duration::ZERO);
    assert_eq!(node.chosen(), Some(P), "what is known is there at once");
}

#[test]
fn gw_24_gw_43_another_class_is_reason_for_an_election() {
    let mut node = Node::client(2);
    node.announce(P, 180, 20);
    node.second();
    node.announce(Q, 250, 20);
    node.announce(P, 180, 20);
    node.second();
    assert_eq!(node.chosen(), Some(P), "class 2 stays");
    node.settings.gateway_bandwidth.down = Throughput(7);
    node.with(|part, ctx, _| part.settings_changed(ctx));
    node.second();
    assert_eq!(node.chosen(), Some(P), "own bandwidths do not matter");
    node.set(GatewayMode::Client, 1);
    node.pass(Duration::ZERO);
    assert_eq!(node.chosen(), Some(Q), "the best, whatever the class says of leaving");
}

#[test]
fn gw_34_equal_quality_moves_once_to_the_newest() {
    let mut node = Node::client(3);
    node.announce(P, 200, 20);
    node.second();
    node.announce(Q, 200, 20);
    node.second();
    assert_eq!(node.chosen(), Some(Q));
    for _ in 0..3 {
        node.announce(P, 200, 20);
        node.announce(Q, 200, 20);
        node.second();
    }
    assert_eq!((node.chosen(), node.events.len()), (Some(Q), 2));
}

#[test]
fn gw_53_without_interfaces_there_is_no_gateway() {
    let mut node = Node::client(20);
    node.announce(P, 200, 20);
    node.second();
    node.with(|part, ctx, _| part.no_interface(ctx));
    assert_eq!((node.chosen(), node.events.last()), (None, Some(&(None, Some(P)))));
}

/// GW-27 and beyond: the reference would stay for up to 200 s.
#[test]
fn gw_27_a_gateway_without_a_route_is_left_at_once_if_there_is_another() {
    for class in [1, 2, 3, 20] {
        let mut node = Node::client(class);
        node.announce(P, 200, 20);
        node.second();
        node.announce(Q, 100, 20);
        node.route(P, 0);
        node.with(|part, ctx, routes| part.route_lost(ctx, routes, Q));
        assert_eq!(node.chosen(), Some(P), "another one's route");
        node.with(|part, ctx, routes| part.route_lost(ctx, routes, P));
        assert_eq!(node.chosen(), Some(Q), "class {class}");
        node.route(Q, 0);
        node.with(|part, ctx, routes| part.route_lost(ctx, routes, Q));
        assert_eq!(node.chosen(), Some(Q), "nobody is better: it stays");
    }
}

#[test]
fn gw_27_a_gateway_in_doubt_is_left_if_another_one_is_well() {
    let mut node = Node::client(2);
    node.announce(P, 200, 20);
    node.pass(Duration::ZERO);
    let beat = |node: &mut Node, millis: u64, who: &[(Mac, u32)]| {
        node.pass(Duration::from_millis(millis));
        for (mac, tq) in who {
            node.announce(*mac, *tq, 20);
        }
    };
    for _ in 0..10 {
        beat(&mut node, 1000, &[(P, 200), (Q, 150)]);
    }
    for _ in 0..3 {
        beat(&mut node, 900, &[(Q, 150)]);
    }
    assert_eq!(node.chosen(), Some(P), "2.7 s of silence happen");
    beat(&mut node, 900, &[(Q, 150)]);
    assert_eq!(node.chosen(), Some(Q), "3.6 s do not, if one second is usual");
    beat(&mut node, 900, &[(P, 200), (Q, 150)]);
    beat(&mut node, 900, &[(P, 200), (Q, 150)]);
    assert_eq!(node.chosen(), Some(Q), "class 2: the new one is kept when the old one comes back");
    // It has been silent before, so its silence says less.
    node.set(GatewayMode::Client, 1);
    beat(&mut node, 900, &[(P, 250), (Q, 150)]);
    assert_eq!(node.chosen(), Some(P));
    for _ in 0..6 {
        beat(&mut node, 900, &[(Q, 150)]);
    }
    assert_eq!(node.chosen(), Some(P), "5.4 s are less than twice 4.5");
    for _ in 0..5 {
        beat(&mut node, 900, &[(Q, 150)]);
    }
    assert_eq!(node.chosen(), Some(Q));
}

#[test]
fn gw_27_a_route_that_carries_next_to_nothing_is_left_for_one_twice_as_good() {
    let mut node = Node::client(2);
    node.announce(P, 200, 20);
    node.second();
    let beat = |node: &mut Node, p: u32, q: u32| {
        node.announce(P, p, 20);
        node.announce(Q, q, 20);
        node.second();
        node.chosen()
    };
    assert_eq!(beat(&mut node, 26, 255), Some(P), "poor, but it works");
    assert_eq!(beat(&mut node, 25, 49), Some(P), "the other one is hardly better");
    assert_eq!(beat(&mut node, 25, 50), Some(Q));
    assert_eq!(beat(&mut node, 49, 25), Some(Q), "no taking turns");
}

#[test]
fn gw_27_all_silent_is_no_reason_to_change() {
    let mut node = Node::client(20);
    node.announce(P, 200, 20);
    node.announce(Q, 150, 20);
    node.second();
    node.announce(P, 200, 20);
    node.announce(Q, 150, 20);
    node.pass(Duration::from_secs(100));
    assert_eq!((node.chosen(), node.events.len()), (Some(P), 1));
}

/// GW-15 `[REC]`: an address is the same gateway, whatever happened between two elections.
#[test]
fn gw_15_a_gateway_that_comes_back_at_once_is_the_same() {
    let mut node = Node::client(20);
    node.announce(P, 200, 20);
    node.pass(Duration::ZERO);
    node.hear(P, &[4, 1, 0, 0]);
    node.announce(P, 200, 20);
    node.second();
    assert_eq!((node.chosen(), node.events.len()), (Some(P), 1));
}

/// Who has no route is not chosen; in an election that was called for, nobody may be.
#[test]
fn gw_22_only_a_gateway_with_a_route_is_chosen() {
    let mut node = Node::client(20);
    node.announce(P, 0, 20);
    node.second();
    assert_eq!(node.chosen(), None);
    node.announce(Q, 10, 20);
    node.announce(P, 0, 20);
    node.second();
    assert_eq!(node.chosen(), Some(Q));
    node.route(Q, 0);
    node.set(GatewayMode::Client, 3);
    node.second();
    assert_eq!(node.chosen(), None);
}
