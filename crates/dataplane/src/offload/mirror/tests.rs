mod host;

use super::*;
use crate::offload::layout::{HostEntry, RouteCounts};
use noctule_fib::{HashKey, IfaceEntry, Neighbours, NextHop, Node, Writer};
use noctule_wire::tvlv::translation_table::ClientFlags;
use noctule_wire::{Instant, SeqNo, Ttvn};

/// Maps that are none of the kernel's.
#[derive(Debug, Default)]
struct Maps {
    node: NodeEntry,
    arrivals: HashMap<u32, Arrival>,
    routes: HashMap<RouteKey, Route>,
    departed: HashSet<Client>,
    counts: HashMap<u32, RouteCounts>,
    host: Option<HostEntry>,
    locals: HashSet<Client>,
    remotes: HashMap<Client, Mac>,
    ways: HashMap<Mac, Route>,
    writes: usize,
    room: Option<usize>,
}

impl Maps {
    fn inherited(&self) -> Inherited {
        let Self { arrivals, routes, departed, .. } = self;
        Inherited { arrivals: arrivals.clone(), routes: routes.clone(), departed: departed.clone() }
    }
}

impl HostTables for Maps {
    fn set_host(&mut self, host: HostEntry) -> io::Result<()> {
        self.host = Some(host);
        Ok(())
    }

    fn set_local(&mut self, client: Client, here: bool) -> io::Result<()> {
        if here {
            self.locals.insert(client);
        } else {
            self.locals.remove(&client);
        }
        Ok(())
    }

    fn set_remote(&mut self, client: Client, originator: Option<Mac>) -> io::Result<()> {
        match originator {
            Some(mac) => self.remotes.insert(client, mac),
            None => self.remotes.remove(&client),
        };
        Ok(())
    }

    fn set_way(&mut self, originator: Mac, way: Option<Route>) -> io::Result<()> {
        match way {
            Some(way) => self.ways.insert(originator, way),
            None => self.ways.remove(&originator),
        };
        Ok(())
    }
}

impl Tables for Maps {
    fn set_node(&mut self, node: NodeEntry) -> io::Result<()> {
        self.node = node;
        Ok(())
    }

    fn set_arrival(&mut self, ifindex: u32, arrival: Option<Arrival>) -> io::Result<()> {
        self.writes += 1;
        match arrival {
            Some(arrival) => self.arrivals.insert(ifindex, arrival),
            None => self.arrivals.remove(&ifindex),
        };
        Ok(())
    }

    fn set_route(&mut self, key: RouteKey, route: Option<Route>) -> io::Result<()> {
        self.writes += 1;
        match route {
            Some(_) if self.room.is_some_and(|room| self.routes.len() >= room) => {
                return Err(io::ErrorKind::StorageFull.into());
            }
            Some(route) => self.routes.insert(key, route),
            None => self.routes.remove(&key),
        };
        Ok(())
    }

    fn set_departed(&mut self, client: Client, departed: bool) -> io::Result<()> {
        if departed {
            self.departed.insert(client);
        } else {
            self.departed.remove(&client);
        }
        Ok(())
    }

    fn clear_slot(&mut self, slot: u32) -> io::Result<()> {
        self.counts.insert(slot, RouteCounts::default());
        Ok(())
    }

    fn slot_counts(&self, slot: u32) -> RouteCounts {
        self.counts.get(&slot).copied().unwrap_or_default()
    }
}

fn place(index: usize) -> Iface {
    Iface::new(index).unwrap()
}

const FAR: Mac = Mac([2, 0, 0, 0, 9, 1]);
const OTHER: Mac = Mac([2, 0, 0, 0, 9, 2]);

fn own(index: usize) -> Mac {
    Mac([2, 0, 0, 0, 1, index as u8])
}

fn hop(index: usize) -> NextHop {
    NextHop { iface: place(index), mac: Mac([2, 0, 0, 0, 5, index as u8]) }
}

fn key(originator: Mac, index: usize) -> RouteKey {
    RouteKey { originator, place: place(index) }
}

/// Where what goes to an originator is counted.
fn slots(maps: &Maps, originator: Mac) -> HashSet<u32> {
    let ours = |(key, _): &(&RouteKey, &Route)| key.originator == originator;
    maps.routes.iter().filter(ours).map(|(_, route)| route.slot).collect()
}

/// A node with two interfaces in use.
fn node() -> Node {
    let mut node = Node { primary: Some(own(0)), fragmentation: true, ..Node::default() };
    for index in 0..2 {
        node.ifaces[index] = Some(IfaceEntry {
            mac: own(index),
            mtu: 1500,
            active: true,
            wifi: false,
            neighbours: Neighbours::Many,
        });
    }
    node
}

fn know(fib: &mut Writer, originator: Mac, by: usize) {
    fib.add_originator(originator);
    for arrival in 0..2 {
        fib.set_router(originator, View::Arrival(place(arrival)), Some(hop(by)));
    }
}

/// Tables with a node and one originator, and a mirror that has followed.
fn start(maps: &mut Maps) -> (Writer, Mirror) {
    let mut fib = Writer::new(HashKey([1, 2]), 0, SeqNo(0));
    let watch = fib.watch();
    let mut mirror = Mirror::new(fib.reader(), watch, maps.inherited());
    mirror.attach(place(0), 10, true, maps);
    mirror.attach(place(1), 11, true, maps);
    fib.set_node(node());
    (fib, mirror)
}

#[test]
fn fwd_110_each_interface_of_arrival_has_its_route_and_only_changes_are_written() {
    let mut maps = Maps::default();
    let (mut fib, mut mirror) = start(&mut maps);
    fib.add_originator(FAR);
    fib.set_ttvn(FAR, Ttvn(7));
    fib.set_router(FAR, View::Arrival(place(0)), Some(hop(1)));
    fib.set_router(FAR, View::Default, Some(hop(0)));
    mirror.follow(&mut maps);
    let expected =
        Route { ifindex: 11, carries: 1500, slot: 0, to: hop(1).mac, from: own(1), ttvn: Ttvn(7) };
    assert_eq!(maps.routes, HashMap::from([(key(FAR, 0), expected)]));
    assert_eq!(maps.arrivals.len(), 2);
    assert_eq!(slots(&maps, FAR), HashSet::from([0]));

    let writes = maps.writes;
    mirror.follow(&mut maps);
    fib.set_node(node());
    fib.set_metric(FAR, 200);
    mirror.follow(&mut maps);
    assert_eq!(maps.writes, writes, "nothing that the program goes by has changed");

    fib.set_ttvn(FAR, Ttvn(8));
    mirror.follow(&mut maps);
    assert_eq!(maps.routes[&key(FAR, 0)], Route { ttvn: Ttvn(8), ..expected });
    assert_eq!(maps.writes, writes + 1);
}

#[test]
fn what_the_pipeline_would_not_take_is_no_route() {
    let mut maps = Maps::default();
    let (mut fib, mut mirror) = start(&mut maps);
    know(&mut fib, FAR, 1);
    know(&mut fib, own(0), 1);
    mirror.follow(&mut maps);
    assert_eq!(maps.routes.len(), 2, "one of our addresses is nobody to forward to");
    let mut changed = node();
    changed.narrow = [(hop(1), 1404)].into();
    fib.set_node(changed.clone());
    mirror.follow(&mut maps);
    assert!(maps.routes.values().all(|route| route.carries == 1404), "FWD-113: a narrow neighbour");
    changed.ifaces[1].as_mut().unwrap().active = false;
    fib.set_node(changed);
    mirror.follow(&mut maps);
    assert_eq!(maps.routes, HashMap::new(), "FWD-04: the interface is down");
    assert_eq!(maps.arrivals.keys().collect::<Vec<_>>(), [&10]);
    fib.set_node(node());
    mirror.follow(&mut maps);
    assert_eq!(maps.routes.len(), 2);
    mirror.detach(place(0));
    mirror.follow(&mut maps);
    assert_eq!(maps.arrivals.keys().collect::<Vec<_>>(), [&11]);
    assert_eq!(maps.routes.keys().collect::<Vec<_>>(), [&key(FAR, 1)]);
    fib.remove_originator(FAR);
    mirror.follow(&mut maps);
    assert_eq!(maps.routes, HashMap::new());
}

#[test]
fn a_place_for_counting_is_used_again_and_counts_anew() {
    let mut maps = Maps::default();
    let (mut fib, mut mirror) = start(&mut maps);
    know(&mut fib, FAR, 1);
    mirror.follow(&mut maps);
    let used = slots(&maps, FAR);
    assert_eq!(used.len(), 2);
    maps.counts.clear();
    fib.remove_originator(FAR);
    mirror.follow(&mut maps);
    know(&mut fib, OTHER, 1);
    mirror.follow(&mut maps);
    assert_eq!(slots(&maps, OTHER), used);
    assert_eq!(maps.counts.keys().copied().collect::<HashSet<_>>(), used, "counted anew");
    // Another next hop is no other originator.
    maps.counts.clear();
    know(&mut fib, OTHER, 0);
    mirror.follow(&mut maps);
    assert_eq!(slots(&maps, OTHER), used);
    assert!(maps.counts.is_empty());
}

#[test]
fn what_went_to_an_originator_is_counted_over_all_its_routes_and_without_a_dead_daemons() {
    let counts = |frames| RouteCounts { frames, bytes: frames * 100 };
    let mut maps = Maps::default();
    let (mut fib, mut mirror) = start(&mut maps);
    know(&mut fib, FAR, 1);
    mirror.follow(&mut maps);
    maps.counts = HashMap::from([(0, counts(3)), (1, counts(4))]);
    assert_eq!(mirror.counts(FAR, &maps), counts(7));
    assert_eq!(mirror.counts(OTHER, &maps), counts(0));
    // A route that goes leaves what it counted, and the originator that gets its place begins at nothing.
    fib.set_router(FAR, View::Arrival(place(0)), None);
    mirror.follow(&mut maps);
    know(&mut fib, OTHER, 0);
    mirror.follow(&mut maps);
    assert_eq!((mirror.counts(FAR, &maps), mirror.counts(OTHER, &maps)), (counts(7), counts(0)));
    let before = maps.inherited();
    // The next daemon adopts the routes, and counts from there.
    let (mut fib, mut mirror) = start(&mut maps);
    assert_eq!(maps.inherited(), before);
    know(&mut fib, FAR, 1);
    mirror.follow(&mut maps);
    assert_eq!(mirror.counts(FAR, &maps), counts(0));
    let slot = maps.routes[&key(FAR, 1)].slot;
    maps.counts.insert(slot, counts(9));
    assert_eq!(mirror.counts(FAR, &maps), counts(5), "4 were there before");
    fib.remove_originator(FAR);
    mirror.follow(&mut maps);
    assert_eq!(mirror.counts(FAR, &maps), counts(0), "forgotten with the originator");
}

#[test]
fn a_full_map_costs_speed_and_nothing_else() {
    let mut maps = Maps { room: Some(1), ..Maps::default() };
    let (mut fib, mut mirror) = start(&mut maps);
    know(&mut fib, FAR, 1);
    mirror.follow(&mut maps);
    assert_eq!((maps.routes.len(), mirror.routes()), (1, 1));
    // The one that is there does not stay as it was when it cannot be replaced.
    maps.room = Some(0);
    know(&mut fib, FAR, 0);
    mirror.follow(&mut maps);
    assert_eq!((maps.routes.len(), mirror.routes()), (0, 0));
    maps.room = None;
    fib.set_ttvn(FAR, Ttvn(1));
    mirror.follow(&mut maps);
    assert_eq!(slots(&maps, FAR).len(), 2);
}

#[test]
fn fwd_66_clients_that_have_roamed_away_are_told_and_too_many_stop_the_program() {
    let mut maps = Maps::default();
    let (mut fib, mut mirror) = start(&mut maps);
    mirror.renew(1000, &mut maps);
    let client = |number: u32| {
        let [_, a, b, c] = number.to_be_bytes();
        Client::untagged(Mac([2, 0xc1, 0, a, b, c]))
    };
    fib.set_local(client(0), ClientFlags::ROAM, Instant::ZERO);
    fib.set_local(client(1), ClientFlags::default(), Instant::ZERO);
    mirror.follow(&mut maps);
    assert_eq!(maps.departed, HashSet::from([client(0)]));
    assert_eq!(maps.node, NodeEntry { lease: 1000, departed: 1 });
    let many = u32::try_from(DEPARTED_MAX).unwrap();
    for number in 1..=many {
        fib.set_local(client(number), ClientFlags::ROAM, Instant::ZERO);
    }
    mirror.follow(&mut maps);
    assert_eq!(maps.node.lease, 0, "the program cannot know them all");
    fib.remove_local(client(0));
    mirror.follow(&mut maps);
    assert_eq!(maps.node, NodeEntry { lease: 1000, departed: many });
    fib.set_local(client(1), ClientFlags::default(), Instant::ZERO);
    mirror.follow(&mut maps);
    assert_eq!(maps.node.departed, many - 1, "it is back");
}

#[test]
fn what_a_dead_daemon_left_stays_until_it_is_known_or_dropped() {
    let mut maps = Maps::default();
    let (mut fib, mut first) = start(&mut maps);
    know(&mut fib, FAR, 1);
    know(&mut fib, OTHER, 1);
    let gone = Client::untagged(FAR);
    fib.set_local(gone, ClientFlags::ROAM, Instant::ZERO);
    first.follow(&mut maps);
    drop((fib, first));

    let left = maps.inherited();
    let (mut fib, mut mirror) = start(&mut maps);
    assert_eq!(maps.inherited(), left, "nothing is lost at the start");
    // The interfaces come up one by one.
    let mut down = node();
    down.ifaces[0].as_mut().unwrap().active = false;
    down.ifaces[1].as_mut().unwrap().active = false;
    fib.set_node(down);
    mirror.follow(&mut maps);
    assert_eq!(maps.inherited(), left);
    fib.set_node(node());
    know(&mut fib, FAR, 0);
    mirror.follow(&mut maps);
    assert_eq!(maps.routes[&key(FAR, 0)].to, hop(0).mac, "this one knows better");
    assert_eq!(maps.routes[&key(FAR, 0)].slot, left.routes[&key(FAR, 0)].slot);
    assert_eq!(maps.routes[&key(OTHER, 0)], left.routes[&key(OTHER, 0)]);
    mirror.renew(5, &mut maps);
    assert_eq!(maps.node.departed, 1);
    mirror.disinherit(&mut maps);
    assert_eq!(
        maps.routes.keys().collect::<HashSet<_>>(),
        [key(FAR, 0), key(FAR, 1)].iter().collect()
    );
    assert_eq!((maps.departed.len(), maps.node.departed), (0, 0));
    assert_eq!(maps.arrivals.len(), 2, "they have become ours");
    let before = maps.routes.clone();
    mirror.disinherit(&mut maps);
    assert_eq!(maps.routes, before);
    // What was left is free for others.
    know(&mut fib, OTHER, 1);
    mirror.follow(&mut maps);
    let slots: HashSet<u32> = maps.routes.values().map(|route| route.slot).collect();
    assert_eq!(slots, (0..4).collect());
}

#[test]
fn routes_by_other_numbers_of_interfaces_are_not_adopted() {
    let mut maps = Maps::default();
    let (mut fib, mut first) = start(&mut maps);
    know(&mut fib, FAR, 1);
    first.follow(&mut maps);
    assert_eq!(maps.routes.len(), 2);
    let mut fib = Writer::new(HashKey([1, 2]), 0, SeqNo(0));
    let watch = fib.watch();
    let mut mirror = Mirror::new(fib.reader(), watch, maps.inherited());
    mirror.attach(place(0), 11, true, &mut maps);
    assert_eq!(maps.inherited(), Inherited::default());
}

#[test]
fn what_another_interface_with_the_same_index_left_is_not_adopted() {
    let left = || {
        let mut maps = Maps::default();
        let (mut fib, mut first) = start(&mut maps);
        know(&mut fib, FAR, 1);
        know(&mut fib, OTHER, 0);
        first.follow(&mut maps);
        maps
    };
    let fib = Writer::new(HashKey([1, 2]), 0, SeqNo(0)).reader();
    let mut maps = left();
    let mut mirror = Mirror::new(fib.clone(), Watch::default(), maps.inherited());
    mirror.attach(place(0), 10, true, &mut maps);
    mirror.attach(place(1), 11, false, &mut maps);
    assert_eq!(maps.inherited(), Inherited::default(), "no program was on it");

    let mut maps = left();
    let mut mirror = Mirror::new(fib, Watch::default(), maps.inherited());
    mirror.attach(place(0), 10, true, &mut maps);
    assert_eq!(maps.routes.len(), 4);
    mirror.attached_all(&mut maps);
    assert!(maps.routes.keys().all(|key| key.originator == OTHER), "the other interface is gone");
    assert_eq!(maps.routes.len(), 2);
}
