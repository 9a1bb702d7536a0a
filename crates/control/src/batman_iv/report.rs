//! The tables as an operator sees them (section 13).

use super::BatmanIv;
use super::neighbour::silent_after;
use super::originator::Candidate;
use crate::interfaces::Interfaces;
use crate::{CandidateRow, Metric, NeighbourRow, OriginatorRow, RouteReport, Seen};
use core::time::Duration;
use noctule_fib::{Iface, View};
use noctule_wire::{Instant, Mac};

impl BatmanIv {
    /// The originator table of the default view (IV-103). Empty while the node has no originator address (IV-107).
    pub(crate) fn originator_rows(
        &self,
        now: Instant,
        interfaces: &Interfaces,
    ) -> Vec<OriginatorRow> {
        self.rows(now, interfaces, View::Default, None)
    }

    /// The originator table for what arrives on `iface`, only with neighbours on that same interface (IV-104).
    pub(crate) fn originator_rows_of(
        &self,
        now: Instant,
        interfaces: &Interfaces,
        iface: Iface,
    ) -> Vec<OriginatorRow> {
        self.rows(now, interfaces, View::Arrival(iface), Some(iface))
    }

    fn rows(
        &self,
        now: Instant,
        interfaces: &Interfaces,
        view: View,
        only: Option<Iface>,
    ) -> Vec<OriginatorRow> {
        let mut rows = Vec::new();
        if interfaces.primary().is_none() {
            return rows;
        }
        for originator in self.originators.iter() {
            let Some(route) = originator.view(view).filter(|route| route.router_average() != 0)
            else {
                continue;
            };
            for (index, candidate) in originator.candidates.iter().enumerate().rev() {
                let Some(delivery) = route.delivery(index) else { continue };
                if only.is_none_or(|iface| candidate.hop.iface == iface) {
                    rows.push(OriginatorRow {
                        originator: originator.mac,
                        neighbour: candidate.hop.mac,
                        iface: candidate.hop.iface,
                        metric: Metric::Tq(delivery.ring.average()),
                        last_seen: now.since(originator.last_seen),
                        best: route.router == Some(index),
                    });
                }
            }
        }
        rows
    }

    /// All that decides about the default route to an originator; `None` if it is unknown.
    pub(crate) fn route_report(
        &self,
        now: Instant,
        orig_interval: Duration,
        mac: Mac,
    ) -> Option<RouteReport> {
        let originator = self.originators.find(mac)?;
        let route = originator.view(View::Default);
        let row = |(index, candidate): (usize, &Candidate)| {
            let delivery =
                route.and_then(|route| route.delivery(index)).copied().unwrap_or_default();
            CandidateRow {
                hop: candidate.hop,
                metric: Metric::Tq(delivery.ring.average()),
                chosen: originator.router(View::Default) == Some(candidate.hop),
                last_seen: now.since(candidate.last_seen),
                heard: self
                    .neighbours
                    .get(candidate.hop)
                    .map(|neighbour| now.since(neighbour.heard)),
                seen: Seen::Windows {
                    received: delivery.received.count(),
                    echoed: self.echoes_of(candidate.hop),
                },
            }
        };
        Some(RouteReport {
            originator: mac,
            last_seen: now.since(originator.last_seen),
            candidates: originator.candidates.iter().enumerate().rev().map(row).collect(),
            silent_after: Some(silent_after(orig_interval)),
            changes: originator.decisions.newest_first(now),
        })
    }

    /// The neighbour table (IV-105).
    pub(crate) fn neighbour_rows(&self, now: Instant) -> Vec<NeighbourRow> {
        self.neighbours
            .iter()
            .map(|(hop, neighbour)| NeighbourRow {
                neighbour: hop.mac,
                iface: hop.iface,
                last_seen: now.since(neighbour.last_seen),
                throughput: None,
            })
            .collect()
    }
}
