//! Why the default route to an originator is the way it is: its last changes, a bounded number of them, for operators.
//!
//! An originator whose route never changed has one entry, so that a quiet mesh of a thousand costs less than 100 kB.

use core::time::Duration;
use noctule_fib::NextHop;
use noctule_wire::Instant;

/// How many changes of a route are remembered. A route that flaps does so among few next hops: eight show the pattern.
pub(crate) const CHANGES_MAX: usize = 8;

/// Why a route changed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Reason {
    /// There was no next hop: whoever delivers an OGM becomes it (IV-74, V-68).
    First,
    /// Another next hop had the better average (IV-74).
    BetterTq,
    /// Another next hop had the same average, and sent back more of our OGMs (IV-73).
    MoreEchoes,
    /// Another way had the higher throughput (V-67).
    Faster,
    /// The next hop was five OGMs behind another one (V-67).
    Lagging,
    /// Nothing was heard of the next hop for long, and of another one it was (IV-76).
    Silent,
    /// Nothing of the originator came by the next hop for 200 s (IV-89, V-81).
    TimedOut,
    /// The interface of the next hop is not used any more (IV-89, V-81).
    InterfaceDown,
    /// The address of the next hop is our own by now (IV-89, V-81).
    OurAddress,
    /// The list of next hops was full, and this one was the worst (IV-H3).
    Displaced,
    /// Some other next hop was forgotten, and then the best of the rest is taken (IV-90, V-81).
    ChosenAnew,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::First,
        Self::BetterTq,
        Self::MoreEchoes,
        Self::Faster,
        Self::Lagging,
        Self::Silent,
        Self::TimedOut,
        Self::InterfaceDown,
        Self::OurAddress,
        Self::Displaced,
        Self::ChosenAnew,
    ];

    /// A word for scripts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::BetterTq => "better_tq",
            Self::MoreEchoes => "more_echoes",
            Self::Faster => "faster",
            Self::Lagging => "lagging",
            Self::Silent => "silent",
            Self::TimedOut => "timed_out",
            Self::InterfaceDown => "interface_down",
            Self::OurAddress => "our_address",
            Self::Displaced => "displaced",
            Self::ChosenAnew => "chosen_anew",
        }
    }

    /// The rule of the protocol page: of 03-batman-v.md for B.A.T.M.A.N. V (`v`), else of 02-batman-iv.md.
    pub const fn rule(self, v: bool) -> &'static str {
        match self {
            Self::First if v => "V-68",
            Self::First | Self::BetterTq => "IV-74",
            Self::MoreEchoes => "IV-73",
            Self::Faster | Self::Lagging => "V-67",
            Self::Silent => "IV-76",
            Self::Displaced => "IV-H3",
            Self::TimedOut | Self::InterfaceDown | Self::OurAddress | Self::ChosenAnew if v => {
                "V-81"
            }
            Self::TimedOut | Self::InterfaceDown | Self::OurAddress => "IV-89",
            Self::ChosenAnew => "IV-90",
        }
    }
}

/// What led to a change, as far as the new state does not show it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Decided {
    reason: Reason,
    /// How good the old next hop was at that moment; 0 without one.
    before: u32,
}

impl Decided {
    pub(crate) const fn new(reason: Reason, before: u32) -> Self {
        Self { reason, before }
    }
}

/// One change of a default route.
#[derive(Clone, Copy, Debug)]
struct Change {
    at: Instant,
    to: Option<NextHop>,
    metric: u32,
    decided: Decided,
}

/// One change of a default route, as an operator sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ChangeRow {
    /// How long ago.
    pub ago: Duration,
    /// The next hop before; `None`: there was none, or it is forgotten who it was.
    pub from: Option<NextHop>,
    /// The next hop from then on; `None`: no way was left.
    pub to: Option<NextHop>,
    /// How good the old one was at that moment, in the measure of the algorithm; 0 without one.
    pub metric_before: u32,
    /// How good the new one was.
    pub metric: u32,
    /// Why.
    pub reason: Reason,
}

/// The last changes of one default route, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Decisions {
    changes: Vec<Change>,
}

impl Decisions {
    /// A change to `to`, of quality `metric`. The oldest one is forgotten if need be.
    pub(crate) fn push(&mut self, at: Instant, to: Option<NextHop>, metric: u32, decided: Decided) {
        if self.changes.len() >= CHANGES_MAX {
            self.changes.remove(0);
        }
        // Most originators never have a second one: no room ahead of need.
        self.changes.reserve_exact(1);
        self.changes.push(Change { at, to, metric, decided });
    }

    /// What is remembered, newest first.
    pub(crate) fn newest_first(&self, now: Instant) -> Vec<ChangeRow> {
        let befores = core::iter::once(None).chain(self.changes.iter().map(|change| change.to));
        let row = |(change, from): (&Change, Option<NextHop>)| ChangeRow {
            ago: now.since(change.at),
            from,
            to: change.to,
            metric_before: change.decided.before,
            metric: change.metric,
            reason: change.decided.reason,
        };
        let mut rows: Vec<_> = self.changes.iter().zip(befores).map(row).collect();
        rows.reverse();
        rows
    }
}

#[cfg(test)]
mod tests;
