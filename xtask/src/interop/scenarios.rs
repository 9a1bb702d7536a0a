//! The scenarios, by name.
//!
//! A scenario is a sentence about a small mesh of kernel nodes (K) and Noctule nodes (N). The same
//! play with kernel nodes only is its *baseline*: it shows that what is asked for is what the module
//! itself does.

mod bla;
mod chain;
mod dat;
mod diamond;
mod fragments;
mod gateway;
mod interface_down;
mod isolation;
mod loss;
mod multicast;
mod neighbours;
mod pair;
mod restart;
mod roam;
mod segment;
mod start;
mod tables;
mod tp;
mod two_links;
mod v;
mod vlan;
mod words;

use anyhow::Result;

use super::stage::Stage;

/// A scenario.
pub(crate) struct Scenario {
    /// What it is about, in one word.
    pub(crate) name: &'static str,
    /// The kinds of its nodes, as in `K-N-K`.
    pub(crate) kinds: &'static str,
    /// What it shows, in one line.
    pub(crate) about: &'static str,
    /// About how many seconds it takes: guests are filled by this.
    pub(crate) seconds: u64,
    /// What happens.
    pub(crate) play: fn(&mut Stage) -> Result<()>,
}

impl Scenario {
    /// The name on the command line: `chain/K-N-K`.
    pub(crate) fn full_name(&self) -> String {
        format!("{}/{}", self.name, self.kinds)
    }

    /// The name of its files.
    pub(crate) fn file_name(&self) -> String {
        format!("{}-{}", self.name, self.kinds)
    }

    /// Whom it can be played beside.
    pub(crate) fn company(&self) -> Company {
        match self.name {
            "bla" => Company::Waits,
            "diamond" | "first-broadcast" | "gateway" | "interface-down" | "pair" | "restart"
            | "roam" | "start" | "tp" => Company::Measures,
            _ => Company::Any,
        }
    }

    /// Whether it has kernel nodes only.
    pub(crate) fn is_baseline(&self) -> bool {
        !self.kinds.contains('N')
    }
}

/// Whom a scenario can be played beside: guests share the processors.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Company {
    /// Guests that work as well.
    Any,
    /// Anybody: it hardly uses the processor.
    Waits,
    /// Guests that leave it a processor: it compares the kernel's times and Noctule's.
    Measures,
}

/// Each play with the kinds of nodes it is played with.
#[rustfmt::skip]
const SCENARIOS: &[Scenario] = &[
    Scenario { name: "pair", kinds: "K-K", seconds: 25, play: pair::play, about: pair::ABOUT },
    Scenario { name: "pair", kinds: "K-N", seconds: 25, play: pair::play, about: pair::ABOUT },
    Scenario { name: "pair", kinds: "N-N", seconds: 25, play: pair::play, about: pair::ABOUT },
    Scenario { name: "chain", kinds: "K-K-K", seconds: 35, play: chain::play, about: chain::ABOUT },
    Scenario { name: "chain", kinds: "N-K-N", seconds: 35, play: chain::play, about: chain::ABOUT },
    Scenario { name: "chain", kinds: "K-N-K", seconds: 35, play: chain::play, about: chain::ABOUT },
    Scenario { name: "segment", kinds: "K-K-K", seconds: 35, play: segment::play, about: segment::ABOUT },
    Scenario { name: "segment", kinds: "K-N-K", seconds: 35, play: segment::play, about: segment::ABOUT },
    Scenario { name: "segment", kinds: "N-K-N", seconds: 35, play: segment::play, about: segment::ABOUT },
    Scenario { name: "diamond", kinds: "K-N-K-N", seconds: 60, play: diamond::play, about: diamond::ABOUT },
    Scenario { name: "v", kinds: "K-K", seconds: 30, play: v::play, about: v::ABOUT },
    Scenario { name: "v", kinds: "K-N", seconds: 30, play: v::play, about: v::ABOUT },
    Scenario { name: "v", kinds: "K-K-K", seconds: 35, play: v::play, about: v::ABOUT },
    Scenario { name: "v", kinds: "K-N-K", seconds: 35, play: v::play, about: v::ABOUT },
    Scenario { name: "v", kinds: "N-K-N", seconds: 35, play: v::play, about: v::ABOUT },
    Scenario { name: "v", kinds: "K-K-K-K", seconds: 60, play: v::play, about: v::ABOUT },
    Scenario { name: "v", kinds: "K-N-K-N", seconds: 60, play: v::play, about: v::ABOUT },
    Scenario { name: "v", kinds: "N-K-N-K", seconds: 60, play: v::play, about: v::ABOUT },
    Scenario { name: "loss", kinds: "K-N", seconds: 75, play: loss::play, about: loss::ABOUT },
    Scenario { name: "two-links", kinds: "K-K", seconds: 40, play: two_links::play, about: two_links::ABOUT },
    Scenario { name: "two-links", kinds: "K-N", seconds: 40, play: two_links::play, about: two_links::ABOUT },
    Scenario { name: "fragments", kinds: "K-K-K", seconds: 30, play: fragments::play, about: fragments::ABOUT },
    Scenario { name: "fragments", kinds: "K-N-K", seconds: 30, play: fragments::play, about: fragments::ABOUT },
    Scenario { name: "fragments", kinds: "N-K-N", seconds: 30, play: fragments::play, about: fragments::ABOUT },
    Scenario { name: "gateway", kinds: "K-K-K-K", seconds: 100, play: gateway::play, about: gateway::ABOUT },
    Scenario { name: "gateway", kinds: "K-N-K-K", seconds: 70, play: gateway::play, about: gateway::ABOUT },
    Scenario { name: "gateway", kinds: "N-K-N-N", seconds: 100, play: gateway::play, about: gateway::ABOUT },
    Scenario { name: "gateway", kinds: "N-N-K-K", seconds: 70, play: gateway::play, about: gateway::ABOUT },
    Scenario { name: "tables", kinds: "K-K-K", seconds: 30, play: tables::play, about: tables::ABOUT },
    Scenario { name: "tables", kinds: "K-N-K", seconds: 30, play: tables::play, about: tables::ABOUT },
    Scenario { name: "tables", kinds: "N-K-N", seconds: 30, play: tables::play, about: tables::ABOUT },
    Scenario { name: "restart", kinds: "K-K-K", seconds: 60, play: restart::play, about: restart::ABOUT },
    Scenario { name: "restart", kinds: "K-N-K", seconds: 60, play: restart::play, about: restart::ABOUT },
    Scenario { name: "restart", kinds: "N-K-K", seconds: 60, play: restart::play, about: restart::ABOUT },
    Scenario { name: "vlan", kinds: "K-K-K", seconds: 40, play: vlan::play, about: vlan::ABOUT },
    Scenario { name: "vlan", kinds: "K-N-K", seconds: 40, play: vlan::play, about: vlan::ABOUT },
    Scenario { name: "vlan", kinds: "N-K-N", seconds: 40, play: vlan::play, about: vlan::ABOUT },
    Scenario { name: "vlan", kinds: "N-N-K", seconds: 40, play: vlan::play, about: vlan::ABOUT },
    Scenario { name: "roam", kinds: "K-N-K", seconds: 100, play: roam::play, about: roam::ABOUT },
    Scenario { name: "dat", kinds: "K-N-K-N", seconds: 90, play: dat::play, about: dat::ABOUT },
    Scenario { name: "dat", kinds: "N-K-N-K", seconds: 90, play: dat::play, about: dat::ABOUT },
    Scenario { name: "bla", kinds: "K-K-K", seconds: 190, play: bla::play, about: bla::ABOUT },
    Scenario { name: "bla", kinds: "K-N-K", seconds: 190, play: bla::play, about: bla::ABOUT },
    Scenario { name: "bla", kinds: "N-K-N", seconds: 190, play: bla::play, about: bla::ABOUT },
    Scenario { name: "bla", kinds: "N-N-N", seconds: 190, play: bla::play, about: bla::ABOUT },
    Scenario { name: "bla", kinds: "N-N-K", seconds: 190, play: bla::play, about: bla::ABOUT },
    Scenario { name: "neighbours", kinds: "K-K-K", seconds: 35, play: neighbours::play, about: neighbours::ABOUT },
    Scenario { name: "neighbours", kinds: "K-N-K", seconds: 35, play: neighbours::play, about: neighbours::ABOUT },
    Scenario { name: "neighbours", kinds: "N-K-N", seconds: 35, play: neighbours::play, about: neighbours::ABOUT },
    Scenario { name: "tp", kinds: "K-K", seconds: 75, play: tp::play, about: tp::ABOUT },
    Scenario { name: "tp", kinds: "K-N", seconds: 75, play: tp::play, about: tp::ABOUT },
    Scenario { name: "tp", kinds: "N-N", seconds: 75, play: tp::play, about: tp::ABOUT },
    Scenario { name: "start", kinds: "K-N", seconds: 40, play: start::play, about: start::ABOUT },
    Scenario { name: "first-broadcast", kinds: "K-N", seconds: 50, play: start::first_broadcast, about: start::ABOUT_BROADCAST },
    Scenario { name: "interface-down", kinds: "K-N", seconds: 70, play: interface_down::play, about: interface_down::ABOUT },
    Scenario { name: "words", kinds: "K-K", seconds: 25, play: words::play, about: words::ABOUT },
    Scenario { name: "words", kinds: "K-N", seconds: 25, play: words::play, about: words::ABOUT },
    Scenario { name: "isolation", kinds: "K-K", seconds: 60, play: isolation::play, about: isolation::ABOUT },
    Scenario { name: "isolation", kinds: "K-N", seconds: 60, play: isolation::play, about: isolation::ABOUT },
    Scenario { name: "isolation", kinds: "N-N", seconds: 60, play: isolation::play, about: isolation::ABOUT },
    Scenario { name: "multicast", kinds: "K-K-K-K", seconds: 60, play: multicast::play, about: multicast::ABOUT },
    Scenario { name: "multicast-chain", kinds: "K-K-K-K", seconds: 60, play: multicast::chain, about: multicast::ABOUT_CHAIN },
    Scenario { name: "multicast", kinds: "K-N-K-N", seconds: 60, play: multicast::play, about: multicast::ABOUT },
    Scenario { name: "multicast-chain", kinds: "K-N-K-N", seconds: 60, play: multicast::chain, about: multicast::ABOUT_CHAIN },
    Scenario { name: "multicast", kinds: "N-K-N-K", seconds: 60, play: multicast::play, about: multicast::ABOUT },
    Scenario { name: "multicast-chain", kinds: "N-K-N-K", seconds: 60, play: multicast::chain, about: multicast::ABOUT_CHAIN },
    Scenario { name: "multicast", kinds: "N-N-N-N", seconds: 60, play: multicast::play, about: multicast::ABOUT },
    Scenario { name: "multicast-chain", kinds: "N-N-N-N", seconds: 60, play: multicast::chain, about: multicast::ABOUT_CHAIN },
    Scenario { name: "multicast-bridge", kinds: "K-K-K", seconds: 60, play: multicast::bridge, about: multicast::ABOUT_BRIDGE },
    Scenario { name: "multicast-bridge", kinds: "K-N-K", seconds: 60, play: multicast::bridge, about: multicast::ABOUT_BRIDGE },
    Scenario { name: "multicast-bridge", kinds: "N-K-N", seconds: 60, play: multicast::bridge, about: multicast::ABOUT_BRIDGE },
];

/// All scenarios.
pub(crate) const fn all() -> &'static [Scenario] {
    SCENARIOS
}

/// A scenario by its full name.
pub(crate) fn find(full_name: &str) -> Option<&'static Scenario> {
    SCENARIOS.iter().find(|scenario| scenario.full_name() == full_name)
}

/// The scenarios that a word on the command line means: one by its full name, else all of that
/// name, baseline included.
pub(crate) fn matching(word: &str) -> Vec<&'static Scenario> {
    SCENARIOS
        .iter()
        .filter(|scenario| scenario.name == word || scenario.full_name() == word)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_distinct_and_found() {
        let names: BTreeSet<_> = all().iter().map(Scenario::full_name).collect();
        assert_eq!(names.len(), all().len());
        assert!(names.iter().all(|name| find(name).is_some()));
        assert_eq!(matching("chain").len(), 3);
        assert_eq!(matching("chain/K-N-K").len(), 1);
        assert!(matching("no such").is_empty());
    }
}
