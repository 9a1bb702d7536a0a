//! Which of several gateways is the best, and when one is left for another (section 6).

use noctule_wire::Mac;
use noctule_wire::tvlv::gateway::Gateway;

/// Class 1: bandwidth counts too, and what is chosen stays.
const FAST_CONNECTION: u8 = 1;
/// Class 2: only quality counts, and what is chosen stays.
const STABLE_CONNECTION: u8 = 2;
/// Class 3: a gateway that is as good is reason enough for an election.
const FAST_SWITCH: u8 = 3;
/// Below this quality, a tenth, a route carries next to nothing.
const COLLAPSED: u32 = 26;

/// How a gateway with a route stands at the moment of an election.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Standing {
    /// Quality of the route, 0 to 255.
    tq: u32,
    down: u32,
    /// Nothing of it was heard for too long.
    silent: bool,
}

impl Standing {
    pub(super) fn new(tq: u32, bandwidth: Gateway, silent: bool) -> Self {
        Self { tq, down: bandwidth.down.0, silent }
    }

    /// Whether there is no reason to doubt that it can be reached.
    pub(super) fn is_well(self) -> bool {
        !self.silent && self.tq >= COLLAPSED
    }

    /// Whether to leave `other`, which is not well, for this one. Two poor routes must not take turns.
    pub(super) fn rescues_from(self, other: Option<Self>) -> bool {
        self.is_well()
            && other.is_none_or(|other| other.silent || self.tq >= other.tq.saturating_mul(2))
    }

    /// What class 1 compares (GW-30).
    fn score(self) -> u64 {
        (u64::from(self.tq) * u64::from(self.tq) * u64::from(self.down) * 10_000) >> 18
    }
}

/// The best gateway of a list, which starts with the newest (GW-30 to GW-32). Those that are silent count only if all are.
pub(super) fn best(class: u8, list: &[(Mac, Standing)]) -> Option<Mac> {
    best_of(class, list.iter().filter(|(_, standing)| !standing.silent))
        .or_else(|| best_of(class, list.iter()))
}

fn best_of<'l>(class: u8, list: impl Iterator<Item = &'l (Mac, Standing)>) -> Option<Mac> {
    let (mut best, mut top_tq, mut top_score) = (None, 0, 0);
    for (mac, standing) in list {
        let (tq, score) = (standing.tq, standing.score());
        let better = match class {
            FAST_CONNECTION => score > top_score || (score == top_score && tq > top_tq),
            _ => tq > top_tq,
        };
        if better {
            best = Some(*mac);
        }
        // Each by itself, also by those that are not taken (GW-31).
        top_tq = top_tq.max(tq);
        top_score = top_score.max(score);
    }
    best
}

/// Whether the announcement of a gateway is reason to choose anew (GW-33). Without a route the quality is `None`.
pub(super) fn eligible(class: u8, announced: Option<u32>, chosen: Option<u32>) -> bool {
    match (class, announced, chosen) {
        (..=STABLE_CONNECTION, ..) => false,
        (_, _, None) => true,
        (_, None, _) => false,
        (FAST_SWITCH, Some(announced), Some(chosen)) => announced >= chosen,
        (_, Some(announced), Some(chosen)) => announced >= chosen.saturating_add(class.into()),
    }
}
