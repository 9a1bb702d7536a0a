//! Events of the engine as the control socket tells them (GW-77).

use super::Node;
use crate::api::EventRow;
use noctule_control::Event;
use noctule_fib::NextHop;
use noctule_wire::{Instant, Mac};

impl Node {
    /// Tells the tools that listen, if there are any.
    pub(super) fn publish(&mut self, now: Instant, event: Event) {
        let mut hub = std::mem::take(&mut self.hub);
        hub.publish(|| EventRow {
            uptime_msecs: now.as_millis(),
            mesh: self.mesh.name.clone(),
            ..self.event_row(event)
        });
        self.hub = hub;
    }

    fn event_row(&self, event: Event) -> EventRow {
        let row = |kind: &'static str, action: &'static str| EventRow {
            kind: kind.into(),
            action: action.into(),
            ..EventRow::default()
        };
        let about =
            |kind, action, mac: Mac| EventRow { data: Some(mac.to_string()), ..row(kind, action) };
        let neighbour = |action, hop: NextHop| EventRow {
            hard_ifname: Some(self.name(hop.iface)),
            ..about("neighbor", action, hop.mac)
        };
        match event {
            Event::InterfaceActive(iface) => {
                EventRow { data: Some(self.name(iface)), ..row("hardif", "up") }
            }
            Event::InterfaceInactive(iface) => {
                EventRow { data: Some(self.name(iface)), ..row("hardif", "down") }
            }
            Event::Primary(Some(mac)) => about("primary", "change", mac),
            Event::Primary(None) => row("primary", "del"),
            Event::NeighbourAppeared(hop) => neighbour("add", hop),
            Event::NeighbourGone(hop) => neighbour("del", hop),
            Event::OriginatorAppeared(mac) => about("originator", "add", mac),
            Event::OriginatorGone(mac) => about("originator", "del", mac),
            Event::SequenceReset(mac) => about("originator", "restart", mac),
            Event::RouteChanged { originator, router: Some(hop) } => EventRow {
                router: Some(hop.mac.into()),
                hard_ifname: Some(self.name(hop.iface)),
                ..about("route", "change", originator)
            },
            Event::RouteChanged { originator, router: None } => about("route", "del", originator),
            Event::TableFetched(mac) => about("transtable", "fetched", mac),
            Event::Loop(vid) => EventRow {
                data: Some(vid.id().map_or(-1, i32::from).to_string()),
                ..row("bla", "loopdetect")
            },
            Event::SpeedUnknown(iface) => {
                EventRow { data: Some(self.name(iface)), ..row("hardif", "speed_unknown") }
            }
            Event::LocalTableFull => row("transtable", "full"),
            Event::LinkMtu { iface, neighbour: mac, carries, .. } => {
                EventRow { carries: Some(carries), ..neighbour("mtu", NextHop { iface, mac }) }
            }
            Event::Gateway { chosen, before } => {
                let action = match (chosen, before) {
                    (None, _) => "del",
                    (Some(_), None) => "add",
                    (Some(_), Some(_)) => "change",
                };
                let text = |mac: Mac| mac.to_string();
                EventRow { data: chosen.map(text), prev: before.map(text), ..row("gw", action) }
            }
        }
    }
}
