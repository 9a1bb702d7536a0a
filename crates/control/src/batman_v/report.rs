//! The tables as an operator sees them (section 16).

use super::BatmanV;
use super::originator::Candidate;
use crate::interfaces::Interfaces;
use crate::{CandidateRow, Metric, NeighbourRow, OriginatorRow, RouteReport, Seen};
use noctule_fib::{Iface, View};
use noctule_wire::ogm2::Throughput;
use noctule_wire::{Instant, Mac};

impl BatmanV {
    /// The originator table of the default view (V-91). Empty while the node has no originator address.
    pub(crate) fn originator_rows(
        &self,
        now: Instant,
        interfaces: &Interfaces,
    ) -> Vec<OriginatorRow> {
        self.rows(now, interfaces, View::Default, None)
    }

    /// The originator table for what arrives on `iface`, only with neighbours on that same interface (V-91).
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
        for originator in self.originators.values() {
            let Some(router) = originator.router(view) else { continue };
            for candidate in originator.candidates.iter().rev() {
                let Some(path) = candidate.path(view) else { continue };
                if only.is_none_or(|iface| candidate.hop.iface == iface) {
                    rows.push(OriginatorRow {
                        originator: originator.mac,
                        neighbour: candidate.hop.mac,
                        iface: candidate.hop.iface,
                        metric: Metric::Throughput(path.throughput),
                        last_seen: now.since(originator.last_seen),
                        best: router == candidate.hop,
                    });
                }
            }
        }
        rows
    }

    /// All that decides about the default route to an originator; `None` if it is unknown.
    pub(crate) fn route_report(&self, now: Instant, mac: Mac) -> Option<RouteReport> {
        let originator = self.originators.get(&mac)?;
        let router = originator.router(View::Default);
        let newest = router.and_then(|router| originator.path(router, View::Default));
        let row = |candidate: &Candidate| {
            let path = candidate.path(View::Default);
            let neighbour = self.neighbours.get(candidate.hop);
            let ahead = path.zip(newest).map(|(path, of)| path.last_seq.ahead_of(of.last_seq));
            CandidateRow {
                hop: candidate.hop,
                metric: Metric::Throughput(path.map_or(Throughput(0), |path| path.throughput)),
                chosen: router == Some(candidate.hop),
                last_seen: now.since(candidate.last_seen),
                heard: neighbour.map(|neighbour| now.since(neighbour.last_seen)),
                seen: Seen::Link {
                    throughput: neighbour.map(|neighbour| neighbour.throughput.get()),
                    ahead: ahead.unwrap_or(0),
                    delivers: path.is_some(),
                },
            }
        };
        Some(RouteReport {
            originator: mac,
            last_seen: now.since(originator.last_seen),
            candidates: originator.candidates.iter().rev().map(row).collect(),
            silent_after: None,
            changes: originator.decisions.newest_first(now),
        })
    }

    /// The neighbour table (V-92).
    pub(crate) fn neighbour_rows(&self, now: Instant) -> Vec<NeighbourRow> {
        self.neighbours
            .iter()
            .map(|(hop, neighbour)| NeighbourRow {
                neighbour: hop.mac,
                iface: hop.iface,
                last_seen: now.since(neighbour.last_seen),
                throughput: Some(neighbour.throughput.get()),
            })
            .collect()
    }
}
