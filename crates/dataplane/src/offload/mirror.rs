//! Copies what the program in the kernel must know from the FIB, change by change.
//!
//! The program forwards what the maps tell it to forward, so a route is in them only if the pipeline would take it: known
//! originator, next hop for this interface of arrival, both interfaces in use. What a daemon left behind that has died is
//! kept for a while: it goes on forwarding until this one knows the mesh itself.

mod host;

pub use host::HostTables;

use super::layout::{Arrival, DEPARTED_MAX, NodeEntry, ROUTES_MAX, Route, RouteCounts, RouteKey};
use noctule_fib::{Fib, Guard, IFACES_MAX, Iface, View, Watch};
use noctule_wire::{Client, Instant, Mac};
use std::collections::{HashMap, HashSet};
use std::io;
use std::time::Duration;

/// Where the mirror writes: the program's maps.
///
/// # Errors
/// Each method fails where the kernel refuses: a full map, no memory.
pub trait Tables: HostTables {
    /// Replaces what is known of this node.
    fn set_node(&mut self, node: NodeEntry) -> io::Result<()>;
    /// Sets or removes an interface of arrival, by its index in the kernel.
    fn set_arrival(&mut self, ifindex: u32, arrival: Option<Arrival>) -> io::Result<()>;
    /// Sets or removes a route.
    fn set_route(&mut self, key: RouteKey, route: Option<Route>) -> io::Result<()>;
    /// Adds or removes a client that has roamed away.
    fn set_departed(&mut self, client: Client, departed: bool) -> io::Result<()>;
    /// Begins to count anew for a route that gets this place.
    fn clear_slot(&mut self, slot: u32) -> io::Result<()>;
    /// What has been counted at this place.
    fn slot_counts(&self, slot: u32) -> RouteCounts;
}

/// What lay in the maps when they were opened.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Inherited {
    /// Interfaces, by their index in the kernel.
    pub arrivals: HashMap<u32, Arrival>,
    /// Routes.
    pub routes: HashMap<RouteKey, Route>,
    /// Clients that had roamed away.
    pub departed: HashSet<Client>,
}

/// The copy: knows what is in the maps, and writes only what differs.
#[derive(Debug)]
pub struct Mirror {
    fib: Fib,
    watch: Watch,
    /// By the interface's number in the mesh, its index in the kernel.
    ifindexes: [Option<u32>; IFACES_MAX],
    /// Whether that has changed.
    moved: bool,
    lease: u64,
    /// Originators of the FIB.
    originators: HashSet<Mac>,
    arrivals: HashMap<u32, Arrival>,
    routes: HashMap<RouteKey, Route>,
    departed: HashSet<Client>,
    inherited: Inherited,
    /// By originator, what was counted at places that it no longer has, less what others counted before at those that it has.
    counted: HashMap<Mac, RouteCounts>,
    host: host::HostMirror,
    /// Places for counting that are free again.
    free: Vec<u32>,
    /// The first that has never been used.
    next_slot: u32,
}

impl Mirror {
    /// A copy of `fib`, of which `watch` tells the changes since it was empty. `inherited` is what the maps hold already.
    pub fn new(fib: Fib, watch: Watch, inherited: Inherited) -> Self {
        let taken: HashSet<u32> = inherited.routes.values().map(|route| route.slot).collect();
        let next_slot = taken.iter().max().map_or(0, |last| last + 1);
        Self {
            fib,
            watch,
            ifindexes: [None; IFACES_MAX],
            moved: false,
            lease: 0,
            originators: HashSet::new(),
            arrivals: HashMap::new(),
            routes: HashMap::new(),
            departed: HashSet::new(),
            inherited,
            counted: HashMap::new(),
            host: host::HostMirror::default(),
            free: (0..next_slot).filter(|slot| !taken.contains(slot)).collect(),
            next_slot,
        }
    }

    /// The interface `iface` of the mesh is this one of the kernel. `was_there` says whether a program was on it that goes by
    /// these maps.
    pub fn attach(
        &mut self,
        iface: Iface,
        ifindex: u32,
        was_there: bool,
        tables: &mut impl Tables,
    ) {
        let was_elsewhere =
            |(index, arrival): (&u32, &Arrival)| (*index == ifindex) != (arrival.place == iface);
        let is_another = !was_there && self.inherited.arrivals.contains_key(&ifindex);
        if is_another || self.inherited.arrivals.iter().any(was_elsewhere) {
            // Numbers and indexes are others now, and with them what each route is for: this is another machine's past, or
            // another life of it.
            self.disinherit(tables);
        }
        self.ifindexes[iface.index()] = Some(ifindex);
        self.moved = true;
    }

    /// The interface is not in the mesh any more.
    pub fn detach(&mut self, iface: Iface) {
        self.ifindexes[iface.index()] = None;
        self.moved = true;
    }

    /// Lets the maps hold until then, nanoseconds of the program's clock.
    pub fn renew(&mut self, lease: u64, tables: &mut impl Tables) {
        self.lease = lease;
        self.write_node(tables);
    }

    /// Forgets what another daemon left, as far as nothing of ours has taken its place.
    pub fn disinherit(&mut self, tables: &mut impl Tables) {
        let Inherited { arrivals, routes, departed } = core::mem::take(&mut self.inherited);
        for (key, route) in routes {
            let _ = tables.set_route(key, None);
            self.free.push(route.slot);
        }
        for ifindex in arrivals.into_keys() {
            let _ = tables.set_arrival(ifindex, None);
        }
        for client in departed {
            let _ = tables.set_departed(client, false);
        }
        self.write_node(tables);
    }

    /// All interfaces that there are have been attached: what was left leads by no others.
    pub fn attached_all(&mut self, tables: &mut impl Tables) {
        let ifindexes = self.ifindexes;
        self.inherited.routes.retain(|key, route| {
            let stays = ifindexes.contains(&Some(route.ifindex));
            if !stays {
                let _ = tables.set_route(*key, None);
                self.free.push(route.slot);
            }
            stays
        });
    }

    /// The mesh interface, by its index in the kernel: a program is on it that carries frames of hosts.
    pub fn attach_host(&mut self, ifindex: u32) {
        self.host.attach(ifindex);
        self.moved = true;
    }

    /// Whether frames of hosts may pass inside the kernel, as things are.
    pub fn carries_hosts(&self) -> bool {
        self.host.is_on()
    }

    /// Clients here that sent frames by way of the kernel: who, and how long ago at `now`. As if the pipeline had seen them.
    pub fn note_seen(&self, seen: impl IntoIterator<Item = (Client, Duration)>, now: Instant) {
        let guard = self.fib.pin();
        for (client, ago) in seen {
            let at = Instant::from_micros(
                now.as_micros().saturating_sub(u64::try_from(ago.as_micros()).unwrap_or(u64::MAX)),
            );
            if let Some(local) = guard.local(client).filter(|local| local.last_seen() < at) {
                local.seen(at);
            }
        }
    }

    /// How many routes the program has that are ours.
    pub fn routes(&self) -> usize {
        self.routes.len()
    }

    /// Whether the program is on this interface.
    pub fn is_attached(&self, iface: Iface) -> bool {
        self.ifindexes[iface.index()].is_some()
    }

    /// What went to `originator` by routes of this mirror, for as long as the tables know it.
    pub fn counts(&self, originator: Mac, tables: &impl Tables) -> RouteCounts {
        let before = self.counted.get(&originator).copied().unwrap_or_default();
        Iface::all()
            .filter_map(|place| self.routes.get(&RouteKey { originator, place }))
            .fold(before, |sum, route| sum.plus(tables.slot_counts(route.slot)))
    }

    /// Copies what has changed since the last call.
    pub fn follow(&mut self, tables: &mut impl Tables) {
        let changes = self.watch.take();
        let moved = core::mem::take(&mut self.moved);
        if changes.is_empty() && !moved {
            return;
        }
        let fib = self.fib.clone();
        let guard = fib.pin();
        self.host.follow(&guard, &changes, moved, &self.ifindexes, tables);
        self.follow_departed(&guard, changes.departed, tables);
        for mac in &changes.originators {
            if guard.originator(*mac).is_some() {
                self.originators.insert(*mac);
            } else {
                self.originators.remove(mac);
            }
        }
        let gone: Vec<Mac> = changes.originators.difference(&self.originators).copied().collect();
        if changes.node || moved {
            // Routes before arrivals: what arrives on a new interface finds its routes, or goes up.
            let former: HashSet<Mac> = self.routes.keys().map(|key| key.originator).collect();
            for originator in former.union(&self.originators.clone()) {
                self.follow_originator(&guard, *originator, tables);
            }
            self.follow_arrivals(&guard, tables);
        } else {
            for originator in changes.originators {
                self.follow_originator(&guard, originator, tables);
            }
        }
        // Their routes are gone by now.
        for originator in gone {
            self.counted.remove(&originator);
        }
    }

    fn follow_departed(
        &mut self,
        guard: &Guard<'_>,
        changed: HashSet<Client>,
        tables: &mut impl Tables,
    ) {
        if changed.is_empty() {
            return;
        }
        for client in changed {
            self.inherited.departed.remove(&client);
            if guard.local(client).is_some_and(noctule_fib::LocalClient::has_departed) {
                self.departed.insert(client);
                // If it finds no room, `write_node` sees to it.
                let _ = tables.set_departed(client, true);
            } else {
                self.departed.remove(&client);
                let _ = tables.set_departed(client, false);
            }
        }
        self.write_node(tables);
    }

    fn follow_arrivals(&mut self, guard: &Guard<'_>, tables: &mut impl Tables) {
        let wanted: HashMap<u32, Arrival> = Iface::all()
            .filter_map(|place| {
                let ifindex = self.ifindexes[place.index()]?;
                Some((ifindex, Arrival { mac: guard.node().active(place)?.mac, place }))
            })
            .collect();
        let gone: Vec<u32> = self
            .arrivals
            .keys()
            .filter(|ifindex| !wanted.contains_key(*ifindex))
            .copied()
            .collect();
        for ifindex in gone {
            self.arrivals.remove(&ifindex);
            let _ = tables.set_arrival(ifindex, None);
        }
        for (ifindex, arrival) in wanted {
            if self.arrivals.get(&ifindex) != Some(&arrival) {
                self.inherited.arrivals.remove(&ifindex);
                if tables.set_arrival(ifindex, Some(arrival)).is_ok() {
                    self.arrivals.insert(ifindex, arrival);
                }
            }
        }
    }

    fn follow_originator(&mut self, guard: &Guard<'_>, originator: Mac, tables: &mut impl Tables) {
        for place in Iface::all() {
            let key = RouteKey { originator, place };
            let has = self.routes.get(&key).copied();
            let Some(wanted) = self.way(guard, key) else {
                if let Some(route) = self.routes.remove(&key) {
                    let _ = tables.set_route(key, None);
                    self.free_slot(originator, route.slot, tables);
                }
                continue;
            };
            let former = has.map(|route| route.slot).or_else(|| {
                let slot = self.inherited.routes.remove(&key)?.slot;
                // What another daemon's kernel forwarded is not of this one's time.
                let before = self.counted.entry(originator).or_default();
                *before = before.minus(tables.slot_counts(slot));
                Some(slot)
            });
            let Some(slot) = former.or_else(|| self.new_slot(tables)) else { continue };
            let route = Route { slot, ..wanted };
            if has == Some(route) {
                continue;
            }
            if tables.set_route(key, Some(route)).is_ok() {
                self.routes.insert(key, route);
            } else {
                // Better none than one that leads elsewhere.
                let _ = tables.set_route(key, None);
                self.routes.remove(&key);
                self.free_slot(originator, slot, tables);
            }
        }
    }

    /// A route is out of the maps: what it counted stays the originator's.
    fn free_slot(&mut self, originator: Mac, slot: u32, tables: &impl Tables) {
        let counted = self.counted.entry(originator).or_default();
        *counted = counted.plus(tables.slot_counts(slot));
        self.free.push(slot);
    }

    /// The way of what arrives on an interface, without its place for counting.
    fn way(&self, guard: &Guard<'_>, key: RouteKey) -> Option<Route> {
        self.ifindexes[key.place.index()]?;
        guard.node().active(key.place)?;
        way(guard, &self.ifindexes, key.originator, View::Arrival(key.place))
    }

    fn new_slot(&mut self, tables: &mut impl Tables) -> Option<u32> {
        let fresh = || (self.next_slot as usize) < ROUTES_MAX;
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None if fresh() => {
                self.next_slot += 1;
                self.next_slot - 1
            }
            None => return None,
        };
        let _ = tables.clear_slot(slot);
        Some(slot)
    }

    fn write_node(&self, tables: &mut impl Tables) {
        let departed = self.departed.len() + self.inherited.departed.len();
        // The program cannot know all of them: it must not forward at all.
        let lease = if departed > DEPARTED_MAX { 0 } else { self.lease };
        let departed = u32::try_from(departed).unwrap_or(u32::MAX);
        let _ = tables.set_node(NodeEntry { lease, departed });
    }
}

/// The way that the pipeline would take to an originator, without a place for counting.
fn way(
    guard: &Guard<'_>,
    ifindexes: &[Option<u32>; IFACES_MAX],
    originator: Mac,
    view: View,
) -> Option<Route> {
    let node = guard.node();
    if node.is_mine(originator) {
        return None;
    }
    let originator = guard.originator(originator)?;
    let hop = originator.router(view)?;
    Some(Route {
        ifindex: ifindexes[hop.iface.index()]?,
        carries: node.carries(hop)?,
        slot: 0,
        to: hop.mac,
        from: node.active(hop.iface)?.mac,
        ttvn: originator.ttvn(),
    })
}

#[cfg(test)]
mod tests;
