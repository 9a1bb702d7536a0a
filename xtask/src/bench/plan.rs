//! How much a run measures.

use std::time::Duration;

use super::transit::LENGTHS;

/// Half of what there is to measure.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Half {
    /// Frames that a node forwards for others.
    Transit,
    /// What hosts feel, and what an idle node costs.
    Hosts,
}

impl Half {
    const NAMES: [(&str, Self); 2] = [("transit", Self::Transit), ("hosts", Self::Hosts)];

    /// The half of that name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, half)| *half)
    }

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, half)| *half == self).map_or("", |(name, _)| name)
    }
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// Less of all, for a first look.
    pub(super) quick: bool,
    /// Only this; none: all.
    pub(super) only: Option<Half>,
    /// How often all peers take their turn.
    pub(super) rounds: usize,
    /// How long a single run takes.
    pub(super) time: Duration,
    /// What goes before it and is not counted.
    pub(super) warm_up: Duration,
    /// Pings of each round trip figure.
    pub(super) pings: usize,
    /// What runs beside pings under load, in iperf3's words: bits a second.
    pub(super) load: &'static str,
    /// How long idle nodes are watched.
    pub(super) idle: Duration,
}

impl Plan {
    /// The plan for a quick run or a full one.
    pub(super) const fn new(quick: bool, only: Option<Half>) -> Self {
        match quick {
            true => Self {
                quick,
                only,
                rounds: 3,
                time: Duration::from_millis(700),
                warm_up: Duration::from_millis(200),
                pings: 1000,
                load: "50M",
                idle: Duration::from_secs(10),
            },
            false => Self {
                quick,
                only,
                rounds: 5,
                time: Duration::from_secs(2),
                warm_up: Duration::from_millis(300),
                pings: 5000,
                load: "50M",
                idle: Duration::from_secs(60),
            },
        }
    }

    /// The plan for a guest whose clock counts instructions: it gives nearly the same figures each time.
    pub(super) const fn counted() -> Self {
        let quick = Self::new(true, Some(Half::Transit));
        Self { rounds: 2, time: Duration::from_millis(200), ..quick }
    }

    /// Whether this half is to be measured.
    pub(super) fn wants(&self, half: Half) -> bool {
        self.only.is_none_or(|only| only == half)
    }

    /// Lengths of the frames in transit.
    pub(super) fn lengths(&self) -> &'static [usize] {
        if self.quick { &LENGTHS[..1] } else { &LENGTHS }
    }

    /// TCP streams at a time.
    pub(super) fn streams(&self) -> &'static [usize] {
        if self.quick { &[1] } else { &[1, 4] }
    }
}
