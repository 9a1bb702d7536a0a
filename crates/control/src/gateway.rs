//! Gateway choice: who has an uplink, and to whom the DHCP requests of our clients go (08-gateway.md).
//!
//! [`table`] remembers who announces what and how regularly, [`selection`] compares, this file decides. The data plane
//! learns the choice as one word ([`noctule_fib::Gateway`]).
//!
//! The reference keeps a gateway that fell silent for up to 200 s (GW-27). This node leaves it as soon as it is *in
//! doubt*, and another one is not: its route is lost or worth next to nothing, or it has been silent for about twice as
//! long as it ever was lately. Nothing of that shows on the wire.

mod selection;
mod table;
#[cfg(test)]
mod tests;

use crate::{Context, Event, GatewayMode, Metric, Routing, RoutingAlgorithm, Settings};
use core::time::Duration;
use noctule_fib::{NextHop, View};
use noctule_wire::tvlv::gateway::Gateway;
use noctule_wire::tvlv::{Containers, Kind};
use noctule_wire::{Instant, Mac};
use selection::{Class, Standing};
use table::Table;

/// Time between two elections (GW-20).
const ELECTION_INTERVAL: Duration = Duration::from_secs(1);

/// One gateway (GW-79).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GatewayRow {
    /// The gateway.
    pub originator: Mac,
    /// Whether it is the chosen one.
    pub best: bool,
    /// How good the route is; what it announces is not counted in (V-93).
    pub metric: Metric,
    /// The neighbour that leads there.
    pub router: NextHop,
    /// What it announces.
    pub bandwidth: Gateway,
}

/// The part of the engine.
#[derive(Debug, Default)]
pub(crate) struct GatewayChoice {
    table: Table,
    /// What the last call of [`Self::settings_changed`] has seen.
    mode: GatewayMode,
    class: Class,
    chosen: Option<Mac>,
    /// An election is due even if the chosen gateway is well (GW-24).
    flag: bool,
    /// `None` unless this node is a client.
    next_election: Option<Instant>,
}

/// The value of the own container (GW-05); `None` unless this node is a server.
pub(crate) fn own_value(settings: &Settings) -> Option<[u8; Gateway::LEN]> {
    (settings.gateway_mode == GatewayMode::Server).then(|| settings.gateway_bandwidth.to_bytes())
}

impl GatewayChoice {
    /// Mode, class or bandwidths may be others (GW-24, GW-52).
    pub(crate) fn settings_changed(&mut self, ctx: &mut Context<'_>) {
        let (mode, class) = (ctx.settings.gateway_mode, Class::of(ctx.settings));
        if (mode, class) == (self.mode, self.class) {
            return;
        }
        self.flag = true;
        if self.mode == GatewayMode::Client && mode != GatewayMode::Client {
            self.choose(ctx, None);
        }
        (self.mode, self.class) = (mode, class);
        self.next_election = (mode == GatewayMode::Client).then_some(ctx.now);
        self.publish(ctx);
    }

    /// The last hard interface is gone (GW-53).
    pub(crate) fn no_interface(&mut self, ctx: &mut Context<'_>) {
        if self.mode == GatewayMode::Client {
            self.choose(ctx, None);
        }
    }

    /// A new OGM of an originator carries these containers (GW-06 to GW-12, GW-25). The table is kept in every mode.
    pub(crate) fn on_ogm(
        &mut self,
        ctx: &mut Context<'_>,
        routing: &dyn Routing,
        originator: Mac,
        area: &[u8],
    ) {
        self.table.heard(originator, ctx.now);
        // With IV one without any container says nothing (GW-07), with V that there is no gateway (V-58).
        let silent =
            area.is_empty() && ctx.settings.routing_algorithm == RoutingAlgorithm::BatmanIv;
        if silent || !routing.knows(originator) {
            return;
        }
        let said = Containers::new(area)
            .map_while(Result::ok)
            .filter(|container| container.kind == Kind::GATEWAY)
            .last();
        let Some(bandwidth) = said.and_then(|container| Gateway::parse(container.value)) else {
            self.originator_gone(originator);
            return;
        };
        self.table.announce(originator, bandwidth, ctx.now, ctx.settings.orig_interval);
        if self.mode != GatewayMode::Client || self.chosen == Some(originator) {
            return;
        }
        self.flag |= self.chosen.is_none_or(|chosen| {
            let merit = |mac| self.merit(routing, mac);
            selection::eligible(self.class, merit(originator), merit(chosen))
        });
    }

    /// An originator is forgotten, or does not want to be a gateway any more (GW-12, GW-13).
    pub(crate) fn originator_gone(&mut self, originator: Mac) {
        if self.table.remove(originator) && self.chosen == Some(originator) {
            self.flag = true;
        }
    }

    /// No way leads to an originator in some view: if it is the chosen gateway, there is no time to lose.
    pub(crate) fn route_lost(
        &mut self,
        ctx: &mut Context<'_>,
        routing: &dyn Routing,
        originator: Mac,
    ) {
        if self.mode == GatewayMode::Client && self.chosen == Some(originator) {
            self.elect(ctx, routing);
        }
    }

    /// When [`Self::on_deadline`] has something to do.
    pub(crate) fn next_deadline(&self) -> Instant {
        self.next_election.unwrap_or(Instant::NEVER)
    }

    /// The election of every second, or of the moment when the chosen gateway is silent for too long.
    pub(crate) fn on_deadline(&mut self, ctx: &mut Context<'_>, routing: &dyn Routing) {
        self.elect(ctx, routing);
        let next = ctx.now + ELECTION_INTERVAL;
        let silent_at = self.chosen.and_then(|chosen| self.table.silent_at(chosen));
        let next = silent_at.filter(|at| *at > ctx.now).map_or(next, |at| next.min(at));
        self.next_election = (self.mode == GatewayMode::Client).then_some(next);
    }

    /// The gateways that a route leads to, the one that came last first.
    pub(crate) fn rows(
        &self,
        routing: &dyn Routing,
        measure: impl Fn(u32) -> Metric,
    ) -> Vec<GatewayRow> {
        let mut rows = Vec::new();
        for (originator, entry) in self.table.newest_first() {
            let Some(router) = routing.router(originator, View::Default) else { continue };
            rows.push(GatewayRow {
                originator,
                best: self.chosen == Some(originator),
                metric: measure(routing.metric(originator).unwrap_or(0)),
                router,
                bandwidth: entry.bandwidth,
            });
        }
        rows
    }

    /// GW-21 to GW-23, and the way out of a gateway in doubt.
    fn elect(&mut self, ctx: &mut Context<'_>, routing: &dyn Routing) {
        let flag = core::mem::take(&mut self.flag);
        let standing = |mac: Mac| {
            let entry = self.table.get(mac)?;
            let silent = entry.silent_at() <= ctx.now;
            Some(Standing::new(self.class, routing.metric(mac)?, entry.bandwidth, silent))
        };
        let best = || {
            let list = self.table.newest_first();
            let list: Vec<_> = list.filter_map(|(mac, _)| Some((mac, standing(mac)?))).collect();
            selection::best(self.class, &list)
        };
        let next = match self.chosen {
            Some(chosen) if !flag => {
                let now = standing(chosen);
                if now.is_some_and(Standing::is_well) {
                    return;
                }
                // In doubt it is kept until there is one without (GW-27).
                best()
                    .filter(|next| standing(*next).is_some_and(|next| next.rescues_from(now)))
                    .or(Some(chosen))
            }
            _ => best(),
        };
        self.choose(ctx, next);
    }

    /// Emits the event first, then lets the choice take effect (GW-23, GW-75).
    fn choose(&mut self, ctx: &mut Context<'_>, next: Option<Mac>) {
        if next == self.chosen {
            return;
        }
        ctx.event(Event::Gateway { chosen: next, before: self.chosen });
        self.chosen = next;
        self.publish(ctx);
    }

    fn publish(&self, ctx: &mut Context<'_>) {
        ctx.fib.set_gateway(match self.mode {
            GatewayMode::Off => noctule_fib::Gateway::Off,
            GatewayMode::Client => noctule_fib::Gateway::Client(self.chosen),
            GatewayMode::Server => noctule_fib::Gateway::Server,
        });
    }

    /// What counts of a gateway when its announcement comes (GW-33, GW-42).
    fn merit(&self, routing: &dyn Routing, mac: Mac) -> Option<u32> {
        let entry = self.table.get(mac)?;
        Some(self.class.merit(routing.metric(mac)?, entry.bandwidth))
    }
}
