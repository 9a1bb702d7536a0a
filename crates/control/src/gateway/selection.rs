//! Which of several gateways is the best, and when one is left for another (section 6).

use crate::{RoutingAlgorithm, Settings};
use noctule_wire::Mac;
use noctule_wire::tvlv::gateway::Gateway;

/// Class 1: bandwidth counts too, and what is chosen stays.
const FAST_CONNECTION: u32 = 1;
/// Class 2: only quality counts, and what is chosen stays.
const STABLE_CONNECTION: u32 = 2;
/// Class 3: a gateway that is as good is reason enough for an election.
const FAST_SWITCH: u32 = 3;
/// Below this quality, a tenth, a route carries next to nothing.
const COLLAPSED: u32 = 26;

/// How gateways are compared, and when one is left for another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Class {
    /// B.A.T.M.A.N. IV: by quality, and what the class says (GW-30 to GW-34).
    Quality(u32),
    /// B.A.T.M.A.N. V: by what gets through; the other must be faster by this much (GW-40 to GW-43).
    Throughput(u32),
}

impl Default for Class {
    fn default() -> Self {
        Self::of(&Settings::default())
    }
}

impl Class {
    pub(super) const fn of(settings: &Settings) -> Self {
        let class = settings.gateway_class;
        match settings.routing_algorithm {
            RoutingAlgorithm::BatmanIv => Self::Quality(class),
            RoutingAlgorithm::BatmanV => Self::Throughput(class),
        }
    }

    /// What is compared of a gateway to which a route with this metric leads (V-87).
    pub(super) fn merit(self, metric: u32, bandwidth: Gateway) -> u32 {
        match self {
            Self::Quality(_) => metric,
            Self::Throughput(_) => metric.min(bandwidth.down.0),
        }
    }
}

/// How a gateway with a route stands at the moment of an election.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Standing {
    /// [`Class::merit`].
    merit: u32,
    down: u32,
    /// The route carries next to nothing.
    collapsed: bool,
    /// Nothing of it was heard for too long.
    silent: bool,
}

impl Standing {
    pub(super) fn new(class: Class, metric: u32, bandwidth: Gateway, silent: bool) -> Self {
        let merit = class.merit(metric, bandwidth);
        let collapsed = match class {
            Class::Quality(_) => merit < COLLAPSED,
            Class::Throughput(_) => merit == 0,
        };
        Self { merit, down: bandwidth.down.0, collapsed, silent }
    }

    /// Whether there is no reason to doubt that it can be reached.
    pub(super) fn is_well(self) -> bool {
        !self.silent && !self.collapsed
    }

    /// Whether to leave `other`, which is not well, for this one. Two poor routes must not take turns.
    pub(super) fn rescues_from(self, other: Option<Self>) -> bool {
        self.is_well()
            && other.is_none_or(|other| other.silent || self.merit >= other.merit.saturating_mul(2))
    }

    /// What class 1 compares (GW-30).
    fn score(self) -> u64 {
        let tq = u64::from(self.merit);
        (tq * tq * u64::from(self.down) * 10_000) >> 18
    }
}

/// The best gateway of a list, which starts with the newest (GW-30 to GW-32, GW-41). Those that are silent count only if
/// all are.
pub(super) fn best(class: Class, list: &[(Mac, Standing)]) -> Option<Mac> {
    best_of(class, list.iter().filter(|(_, standing)| !standing.silent))
        .or_else(|| best_of(class, list.iter()))
}

fn best_of<'l>(class: Class, list: impl Iterator<Item = &'l (Mac, Standing)>) -> Option<Mac> {
    let (mut best, mut top, mut top_score) = (None, 0, 0);
    for (mac, standing) in list {
        let merit = standing.merit;
        let better = match class {
            Class::Quality(FAST_CONNECTION) => {
                let score = standing.score();
                let better = score > top_score || (score == top_score && merit > top);
                // Each by itself, also by those that are not taken (GW-31).
                top_score = top_score.max(score);
                better
            }
            Class::Quality(_) => merit > top,
            // Nothing is better than no gateway (V-88).
            Class::Throughput(_) => merit > top || best.is_none(),
        };
        if better {
            best = Some(*mac);
        }
        top = top.max(merit);
    }
    best
}

/// Whether the announcement of a gateway is reason to choose anew (GW-33, GW-42). Without a route there is no merit.
pub(super) fn eligible(class: Class, announced: Option<u32>, chosen: Option<u32>) -> bool {
    if matches!(class, Class::Quality(..=STABLE_CONNECTION)) {
        return false;
    }
    let Some(chosen) = chosen else { return true };
    let Some(announced) = announced else { return false };
    match class {
        Class::Quality(FAST_SWITCH) => announced >= chosen,
        Class::Quality(by) | Class::Throughput(by) => {
            announced.checked_sub(chosen).is_some_and(|more| more >= by)
        }
    }
}
