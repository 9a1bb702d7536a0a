//! The tables as an operator sees them (section 13).

use super::BatmanIv;
use crate::interfaces::Interfaces;
use crate::{Metric, NeighbourRow, OriginatorRow};
use noctule_fib::{Iface, View};
use noctule_wire::Instant;

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
