//! Why a neighbour is not used, or how much it is.

use super::words::seconds;
use crate::api::{Finding, Why, WhyAbout};
use crate::node::Node;
use noctule_control::{CandidateRow, Seen};
use noctule_fib::NextHop;
use noctule_wire::{Discard, Mac};

/// Fewer OGMs of the last 64 than this come from a link that has just appeared, or is bad.
const HEARD_WELL: u32 = 48;

/// What the neighbour is to all routes of this node.
#[derive(Clone, Copy, Debug, Default)]
struct Use {
    /// Originators that it leads to.
    leads: usize,
    /// Originators for which it is known, but another next hop is used.
    beaten: usize,
}

impl Node {
    pub(super) fn why_neighbor(&self, mac: Mac) -> Result<Why, String> {
        if self.is_own(mac) {
            return Err(format!("{mac}: that is this node"));
        }
        let mut why = Why::new(mac.into(), WhyAbout::Neighbor);
        let now = self.clock.now();
        let heard = self.engine.neighbour_rows(now);
        let links: Vec<NextHop> = heard
            .iter()
            .filter(|row| row.neighbour == mac || self.engine.speaks_as(hop_of(row), mac))
            .map(hop_of)
            .collect();
        if links.is_empty() {
            why.because = self.never_heard();
            return Ok(why);
        }
        let rows = self.engine.originator_rows(now);
        let used = links.iter().fold(Use::default(), |sum, hop| {
            let of = |best| {
                let by = |row: &&noctule_control::OriginatorRow| {
                    row.neighbour == hop.mac && row.iface == hop.iface && row.best == best
                };
                rows.iter().filter(by).count()
            };
            Use { leads: sum.leads + of(true), beaten: sum.beaten + of(false) }
        });
        // The node's own originator tells of its links: it is that address, or one that the neighbour speaks for.
        let originators = std::iter::once(mac).chain(rows.iter().map(|row| row.originator));
        let own = originators
            .filter(|originator| links.iter().any(|hop| self.engine.speaks_as(*hop, *originator)))
            .find_map(|originator| self.engine.route_report(now, originator));
        if let Some(report) = own {
            why.orig_address = Some(report.originator.into());
            for row in report.candidates.iter().filter(|row| links.contains(&row.hop)) {
                why.candidates.push(self.candidate(row));
                let name = self.name(row.hop.iface);
                why.because.extend(link(row, report.is_silent(row), &name));
            }
        }
        why.because.push(usage(used, self.is_v()));
        Ok(why)
    }

    /// What can be the cause when nothing at all is heard of an address.
    fn never_heard(&self) -> Vec<Finding> {
        let own = if self.is_v() { "ELP" } else { "OGM" };
        let mut found = vec![Finding::new(
            if self.is_v() { "V-06" } else { "IV-92" },
            format!("no {own} of it was heard, or none for 200 s: it is no neighbour"),
        )];
        for port in self.ports.iter() {
            if let Some(because) = self.inactive_because(port) {
                let name = self.name(port.iface);
                found.push(Finding::new("FWD-04", format!("{name} is not used: {because}")));
            }
        }
        let counted = |reason: Discard| -> u64 { self.counters.discarded(reason) };
        let other = if self.is_v() { "B.A.T.M.A.N. IV" } else { "B.A.T.M.A.N. V" };
        for (reason, rule, what) in [
            (Discard::Version, "WIRE-03", "another version of the protocol".to_owned()),
            (Discard::Type, "WIRE-02", format!("an unknown type, as those of {other} are here")),
            (Discard::Inactive, "FWD-04", "interfaces that are not used".to_owned()),
        ] {
            let count = counted(reason);
            if count > 0 {
                let says =
                    format!("{count} packets of {what} were dropped since the start, of whomever");
                found.push(Finding::new(rule, says));
            }
        }
        found
    }
}

fn hop_of(row: &noctule_control::NeighbourRow) -> NextHop {
    NextHop { iface: row.iface, mac: row.neighbour }
}

/// What is wrong with one link, if anything is.
fn link(row: &CandidateRow, silent: bool, name: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    match row.seen {
        Seen::Windows { echoed: 0, .. } => found.push(Finding::new(
            "IV-65",
            format!("on {name} none of our last 64 OGMs came back: it does not hear us, so the link counts for nothing"),
        )),
        Seen::Windows { received, echoed } if echoed < received / 2 => found.push(Finding::new(
            "IV-61",
            format!("on {name} it sent back {echoed} of our last 64 OGMs, and {received} of its own came: it hears us badly"),
        )),
        _ => {}
    }
    if let Seen::Windows { received, .. } = row.seen
        && received < HEARD_WELL
    {
        found.push(Finding::new(
            "IV-62",
            format!("on {name} only {received} of its last 64 OGMs were heard: we hear it badly, or have not for long"),
        ));
    }
    if let Seen::Link { throughput: Some(throughput), .. } = row.seen
        && throughput.0 <= 10
    {
        found.push(Finding::new(
            "V-23",
            format!(
                "on {name} the link counts as 1 Mbit/s or less: its speed is unknown, or it is slow"
            ),
        ));
    }
    if silent {
        let heard = row.heard.unwrap_or_default();
        found.push(Finding::new(
            "IV-76",
            format!("on {name} nothing was heard of it for {}", seconds(heard)),
        ));
    }
    found
}

fn usage(used: Use, v: bool) -> Finding {
    let rule = if v { "V-67" } else { "IV-74" };
    let Use { leads, beaten } = used;
    Finding::new(
        rule,
        match (leads, beaten) {
            (0, 0) => {
                "nothing leads over it: it delivers no originator with any quality".to_owned()
            }
            (0, _) => format!(
                "it could lead to {beaten} originators, but to each of them another next hop is better"
            ),
            (_, 0) => format!("it is used: it leads to {leads} originators"),
            _ => format!(
                "it is used: it leads to {leads} originators, and to {beaten} others another next hop is better"
            ),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use noctule_control::Metric;
    use noctule_fib::Iface;
    use std::time::Duration;

    fn row(received: u32, echoed: u32) -> CandidateRow {
        CandidateRow {
            hop: NextHop { iface: Iface::new(0).unwrap(), mac: Mac([2, 0, 0, 0, 0, 1]) },
            metric: Metric::Tq(1),
            chosen: false,
            last_seen: Duration::ZERO,
            heard: Some(Duration::from_secs(7)),
            seen: Seen::Windows { received, echoed },
        }
    }

    fn rules(row: &CandidateRow, silent: bool) -> Vec<String> {
        link(row, silent, "e1").into_iter().filter_map(|finding| finding.rule).collect()
    }

    #[test]
    fn iv_61_iv_62_iv_65_what_is_wrong_with_a_link() {
        assert_eq!(rules(&row(64, 64), false), [""; 0], "nothing");
        assert_eq!(rules(&row(64, 0), false), ["IV-65"], "one way");
        assert_eq!(rules(&row(64, 20), false), ["IV-61"], "it hears us badly");
        assert_eq!(rules(&row(20, 20), false), ["IV-62"], "we hear it badly");
        assert_eq!(rules(&row(64, 64), true), ["IV-76"], "silent");
    }

    #[test]
    fn v_23_a_link_of_unknown_speed_is_told() {
        use noctule_wire::ogm2::Throughput;
        let of = |units| CandidateRow {
            seen: Seen::Link { throughput: Some(Throughput(units)), ahead: 0, delivers: true },
            ..row(0, 0)
        };
        assert_eq!(rules(&of(10), false), ["V-23"]);
        assert_eq!(rules(&of(1000), false), [""; 0]);
    }

    #[test]
    fn iv_74_how_much_a_neighbour_is_used() {
        let says = |leads, beaten| usage(Use { leads, beaten }, false).says;
        assert!(says(0, 0).starts_with("nothing leads"));
        assert!(says(0, 3).contains("another next hop is better"));
        assert!(says(2, 0).contains("leads to 2 originators"));
        assert!(says(2, 1).contains("1 others"));
    }
}
