//! The sentences: of a route and of its changes.

use crate::api::Finding;
use noctule_control::{Metric, Reason, RouteReport, Seen, Verdict};
use noctule_wire::ogm2::Throughput;
use std::time::Duration;

/// Why the route is what it is. `v`: with B.A.T.M.A.N. V.
pub(super) fn because(report: &RouteReport, v: bool) -> Finding {
    let own = report.chosen().map(|row| measure(row.metric)).unwrap_or_default();
    let other = report.rival().map(|row| measure(row.metric)).unwrap_or_default();
    let by = |iv: &'static str, five: &'static str| if v { five } else { iv };
    match report.verdict() {
        Verdict::NobodyDelivers => Finding::new(
            by("IV-68", "V-68"),
            "there is no next hop: no neighbour delivers its OGMs any more",
        ),
        Verdict::NotBidirectional if v => Finding::new(
            "V-68",
            "there is no next hop: it is heard by ELP, but none of its OGMs has come by any neighbour",
        ),
        Verdict::NotBidirectional => Finding::new(
            "IV-65",
            "there is no next hop: its OGMs arrive, but over no link that is known to work both ways",
        ),
        Verdict::SilentButAlone => Finding::new(
            "IV-77",
            format!(
                "nothing was heard of the next hop for {}, but nobody else delivers it: the route stays, up to 200 s",
                seconds(report.chosen().and_then(|row| row.heard).unwrap_or_default())
            ),
        ),
        Verdict::Only => Finding::new(
            by("IV-74", "V-68"),
            format!("it is the only next hop with a way there ({own})"),
        ),
        Verdict::Best => Finding::new(
            by("IV-74", "V-67"),
            format!("it is the best next hop: {own}; the next one has {other}"),
        ),
        Verdict::Equal => Finding::new(
            by("IV-73", "V-67"),
            format!(
                "another next hop is as good ({own}), but the one that is used stays until one is better"
            ),
        ),
        Verdict::Overtaken => Finding::new(
            by("IV-71", "V-66"),
            format!(
                "it was the best when it was chosen and has {own}; another one has {other} by now, and takes over with the next OGM by it that counts"
            ),
        ),
    }
}

/// What would change the route.
pub(super) fn would_change(report: &RouteReport, v: bool) -> Vec<Finding> {
    let Some(chosen) = report.chosen() else {
        let (rule, says) = match report.candidates.first() {
            Some(_) if !v => {
                ("IV-61", "a neighbour that delivers its OGMs has to send back ours, too")
            }
            _ => ("IV-74", "the next OGM of it that arrives over a usable link makes a route"),
        };
        return vec![Finding::new(if v { "V-68" } else { rule }, says)];
    };
    let own = measure(chosen.metric);
    if v {
        return vec![
            Finding::new("V-67", format!("if another way is faster than {own}")),
            Finding::new(
                "V-67",
                "if another next hop delivers an OGM that is 5 numbers ahead of the last one by this",
            ),
            Finding::new(
                "V-81",
                "if no OGM of it comes by this next hop for 200 s, or the interface goes down",
            ),
        ];
    }
    let mut found = vec![Finding::new(
        "IV-74",
        format!("if another next hop has more than {own} on average over its last 5 OGMs"),
    )];
    if let Seen::Windows { echoed, .. } = chosen.seen {
        found.push(Finding::new(
            "IV-73",
            format!(
                "if another one is as good and has sent back more than {echoed} of our last 64 OGMs"
            ),
        ));
    }
    if report.rival().is_some() {
        found.push(Finding::new("IV-76", "if 5 OGMs in a row come by others only"));
        let limit = report.silent_after.unwrap_or_default();
        found.push(Finding::new(
            "IV-76",
            format!(
                "if nothing is heard of this next hop for {}, and others still deliver",
                seconds(limit)
            ),
        ));
    }
    found.push(Finding::new(
        "IV-89",
        "if no OGM of it comes by this next hop for 200 s, or the interface goes down",
    ));
    found
}

/// Why a route changed.
pub(super) const fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::First => "there was none before",
        Reason::BetterTq => "it had the better TQ on average",
        Reason::MoreEchoes => "it was as good, and sent back more of our OGMs",
        Reason::Faster => "it was the faster way",
        Reason::Lagging => "the old one was 5 or more OGMs behind",
        Reason::Silent => "nothing was heard of the old one any more, and of this one it was",
        Reason::TimedOut => "no OGM came by the old one for 200 s",
        Reason::InterfaceDown => "the interface to the old one was not usable any more",
        Reason::OurAddress => "the address of the old one is our own by now",
        Reason::Displaced => "the list of next hops was full, and the old one was the worst",
        Reason::ChosenAnew => "another next hop was forgotten, and this was the best of the rest",
    }
}

fn measure(metric: Metric) -> String {
    match metric {
        Metric::Tq(tq) => format!("TQ {tq}"),
        Metric::Throughput(Throughput(units)) => format!("{}.{} Mbit/s", units / 10, units % 10),
    }
}

pub(super) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests;
