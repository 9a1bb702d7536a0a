//! The targets: ratios of medians of one run, each reached or missed.

use std::fmt::Write as _;

use super::chain::Kind;
use super::figures::{Figures, number};
use super::hosts;
use super::transit::{COST, best};

/// Which run a target is judged in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    Here,
    Guest,
    Counted,
}

impl Place {
    const fn name(self) -> &'static str {
        match self {
            Self::Here => "this kernel",
            Self::Guest => "guest",
            Self::Counted => "counted guest",
        }
    }
}

/// What a target compares.
struct Target {
    what: String,
    place: Place,
    /// Noctule's figure.
    ours: Option<f64>,
    /// The other's; 1 where the figure itself is limited.
    other: Option<f64>,
    against: &'static str,
    limit: Limit,
}

/// What a ratio must be.
#[derive(Clone, Copy, Debug)]
enum Limit {
    AtLeast(f64),
    AtMost(f64),
}

impl Limit {
    fn holds(self, ratio: f64) -> bool {
        match self {
            Self::AtLeast(limit) => ratio >= limit,
            Self::AtMost(limit) => ratio <= limit,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtLeast(limit) => format!("≥ {}", number(limit)),
            Self::AtMost(limit) => format!("≤ {}", number(limit)),
        }
    }
}

/// The targets as a table; what was not measured says so.
pub(super) fn table(here: &Figures, guest: &Figures, counted: &Figures) -> String {
    let mut text =
        "| target | against | where | wanted | ratio | |\n| --- | --- | --- | --- | --- | --- |\n"
            .to_owned();
    for target in targets(here, guest, counted) {
        let place = target.place.name();
        let ratio = target.ours.zip(target.other.filter(|other| *other > 0.0));
        let (ratio, verdict) = match ratio.map(|(ours, other)| ours / other) {
            Some(ratio) if target.limit.holds(ratio) => (number(ratio), "reached"),
            Some(ratio) => (number(ratio), "MISSED"),
            None => (String::new(), "not measured"),
        };
        let wanted = target.limit.text();
        let (what, against) = (&target.what, target.against);
        let _ = writeln!(text, "| {what} | {against} | {place} | {wanted} | {ratio} | {verdict} |");
    }
    text
}

fn targets(here: &Figures, guest: &Figures, counted: &Figures) -> Vec<Target> {
    let target = |what: &str, place, ours, other, against, limit| Target {
        what: what.to_owned(),
        place,
        ours,
        other,
        against,
        limit,
    };
    let at = |place| match place {
        Place::Here => here,
        Place::Guest => guest,
        Place::Counted => counted,
    };
    let (user_space, offload) = (Kind::Noctule.name(), Kind::Offload.name());
    let module = Kind::Module.name();
    let mut targets = Vec::new();
    for (ours, other, place, limit) in [
        (Kind::Offload, Kind::Module, Place::Guest, Limit::AtLeast(2.0)),
        (Kind::Noctule, Kind::Module, Place::Guest, Limit::AtLeast(1.0)),
        (Kind::Offload, Kind::Bridge, Place::Here, Limit::AtLeast(1.0)),
    ] {
        let figures = at(place);
        let what = format!("{}: transit, 64 B", ours.name());
        let (ours, against) = (best(figures, ours), best(figures, other));
        targets.push(target(&what, place, ours, against, other.name(), limit));
    }
    let mut compare = |what: &str, ours: &'static str, place, peer: &'static str, limit| {
        let figures = at(place);
        let (figure, other) = (figures.median(what, ours), figures.median(what, peer));
        targets.push(target(&format!("{ours}: {what}"), place, figure, other, peer, limit));
    };
    compare(COST, user_space, Place::Counted, module, Limit::AtMost(2.0));
    compare(&hosts::tcp(1, 1), user_space, Place::Guest, module, Limit::AtLeast(1.5));
    compare(&hosts::tcp(3, 1), offload, Place::Guest, module, Limit::AtLeast(1.5));
    let idle = hosts::round_trip("50", "idle");
    compare(&idle, offload, Place::Guest, module, Limit::AtMost(1.2));
    compare(&idle, user_space, Place::Guest, module, Limit::AtMost(2.0));
    for peer in [Kind::Tinc.name(), Kind::Vpncloud.name()] {
        compare(&hosts::tcp(1, 1), user_space, Place::Here, peer, Limit::AtLeast(3.0));
    }
    targets.push(target(
        hosts::OTHER_WAKE_UPS,
        Place::Here,
        here.median(hosts::OTHER_WAKE_UPS, user_space),
        Some(1.0),
        "a fixed number",
        Limit::AtMost(IDLE_WAKE_UPS),
    ));
    targets
}

/// Wake-ups a second of an idle node beyond its OGMs.
const IDLE_WAKE_UPS: f64 = 10.0;

#[cfg(test)]
mod tests {
    use super::super::transit::rate;
    use super::*;

    #[test]
    fn a_target_is_reached_missed_or_not_measured() {
        let (mut here, mut guest) = (Figures::default(), Figures::default());
        here.add(rate(64, 1, 1), "noctule+ebpf", 150.0);
        here.add(rate(64, 1, 1), "bridge", 100.0);
        // The better of both ways counts.
        here.add(rate(64, 2, 1), "bridge", 200.0);
        guest.add(hosts::tcp(1, 1), "noctule", 30.0);
        guest.add(hosts::tcp(1, 1), "module", 10.0);
        let text = table(&here, &guest, &Figures::default());
        assert!(text.contains(
            "| noctule+ebpf: transit, 64 B | bridge | this kernel | ≥ 1.00 | 0.750 | MISSED |"
        ));
        assert!(text.contains("| module | guest | ≥ 1.50 | 3.00 | reached |"), "{text}");
        assert!(text.contains("| tinc | this kernel | ≥ 3.00 |  | not measured |"), "{text}");
    }
}
