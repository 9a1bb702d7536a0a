//! Why something is as it is: what the engine knows, in plain words.

mod broadcast;
mod neighbor;
mod words;

use super::Node;
use super::tables::{kbit, millis};
use crate::api::rows::vid_number;
use crate::api::{Address, Finding, Why, WhyAbout, WhyCandidate, WhyChange, WhyClient, WhyRequest};
use noctule_control::{CandidateRow, ChangeRow, Learned, RouteReport, Seen};
use noctule_fib::NextHop;
use noctule_wire::Mac;
use noctule_wire::ogm2::Throughput;

impl Node {
    /// Answers a question.
    ///
    /// # Errors
    /// One sentence.
    pub(super) fn why(&self, wanted: &WhyRequest) -> Result<Why, String> {
        match wanted.about {
            WhyAbout::Route => self.why_route(wanted.address.0),
            WhyAbout::Neighbor => self.why_neighbor(wanted.address.0),
            WhyAbout::Broadcast => Ok(self.why_broadcast(wanted.address.0)),
        }
    }

    fn why_route(&self, mac: Mac) -> Result<Why, String> {
        let now = self.clock.now();
        let clients = self.word_of(mac);
        let here = clients.iter().any(|row| row.how == "local");
        let best = clients.iter().find(|row| row.best).and_then(|row| row.orig_address);
        let mut why = Why { clients, ..Why::new(mac.into(), WhyAbout::Route) };
        if self.is_own(mac) {
            why.because.push(Finding::new("FWD-05", "it is this node itself: no route is needed"));
            return Ok(why);
        }
        if here {
            why.because
                .push(Finding::new("TT-24", "it is a client of this node: no route is needed"));
            return Ok(why);
        }
        let originator = best.map_or(mac, |address| address.0);
        let Some(report) = self.engine.route_report(now, originator) else {
            return self.without_route(why);
        };
        self.explain(&mut why, &report);
        Ok(why)
    }

    /// What is said of an address to which nothing leads.
    fn without_route(&self, mut why: Why) -> Result<Why, String> {
        if why.clients.is_empty() {
            return Err(format!(
                "{}: no node announces it as a client, and no OGM of it was heard: it is unknown in this mesh (or has sent \
                 nothing yet, or was silent too long)",
                why.address
            ));
        }
        why.because.push(Finding::new(
            "TT-74",
            "no route leads to any node that announces it: it cannot be reached",
        ));
        Ok(why)
    }

    fn explain(&self, why: &mut Why, report: &RouteReport) {
        let v = self.is_v();
        why.orig_address = Some(report.originator.into());
        why.last_seen_msecs = Some(millis(report.last_seen));
        why.candidates = report.candidates.iter().map(|row| self.candidate(row)).collect();
        why.because = vec![words::because(report, v)];
        why.would_change = words::would_change(report, v);
        why.changes = report.changes.iter().map(|row| self.change(row, v)).collect();
    }

    /// Who announces the address as a client, this node among them.
    fn word_of(&self, mac: Mac) -> Vec<WhyClient> {
        let now = self.clock.now();
        let local = self.engine.local_rows(now).into_iter().filter(|row| row.client.mac == mac);
        let local = local.map(|row| WhyClient {
            orig_address: None,
            tt_vid: vid_number(row.client.vid),
            tt_flags: row.flags.into(),
            best: true,
            how: "local".into(),
            rule: "TT-16".into(),
            known_msecs: None,
            last_seen_msecs: row.last_seen.map(millis),
        });
        let global = self.engine.global_rows().into_iter().filter(|row| row.client.mac == mac);
        let global = global.map(|row| WhyClient {
            orig_address: Some(row.originator.into()),
            tt_vid: vid_number(row.client.vid),
            tt_flags: row.flags.into(),
            best: row.best,
            how: match row.how {
                Learned::Diff => "diff",
                Learned::FullTable => "full_table",
                Learned::Roamed => "roamed",
                Learned::Payload => "payload",
            }
            .into(),
            rule: row.how.rule().into(),
            known_msecs: Some(millis(now.since(row.since))),
            last_seen_msecs: None,
        });
        local.chain(global).collect()
    }

    fn candidate(&self, row: &CandidateRow) -> WhyCandidate {
        let (received, echoed, link, ahead) = match row.seen {
            Seen::Windows { received, echoed } => (Some(received), Some(echoed), None, None),
            Seen::Link { throughput, ahead, delivers } => {
                (None, None, throughput.map(kbit), delivers.then_some(ahead))
            }
        };
        WhyCandidate {
            neigh_address: row.hop.mac.into(),
            hard_ifname: self.name(row.hop.iface),
            best: row.chosen,
            tq: row.metric.tq(),
            throughput: row.metric.throughput().map(kbit),
            received,
            echoed,
            link_throughput: link,
            ahead,
            last_seen_msecs: millis(row.last_seen),
            heard_msecs: row.heard.map(millis),
        }
    }

    fn change(&self, row: &ChangeRow, v: bool) -> WhyChange {
        let address = |hop: Option<NextHop>| hop.map(|hop| Address(hop.mac));
        let ifname = |hop: Option<NextHop>| hop.map(|hop| self.name(hop.iface));
        let metric = |value| if v { kbit(Throughput(value)) } else { value };
        WhyChange {
            ago_msecs: millis(row.ago),
            from: address(row.from),
            from_ifname: ifname(row.from),
            to: address(row.to),
            to_ifname: ifname(row.to),
            metric_before: metric(row.metric_before),
            metric: metric(row.metric),
            reason: row.reason.name().into(),
            rule: row.reason.rule(v).into(),
            says: words::reason(row.reason).into(),
        }
    }

    fn is_v(&self) -> bool {
        self.engine.settings().routing_algorithm == noctule_control::RoutingAlgorithm::BatmanV
    }

    /// Whether an address is of one of our hard interfaces.
    fn is_own(&self, mac: Mac) -> bool {
        self.engine.overview().primary == Some(mac)
            || self.engine.interface_rows().iter().any(|row| row.mac == mac)
    }
}
