//! Why something is as it is: what `noctule why` shows.

use super::rows::is_false;
use super::{Address, ClientFlagsRow};
use serde::{Deserialize, Serialize};

/// A question.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct WhyRequest {
    /// Whom it is about: a client, an originator or a neighbour.
    pub address: Address,
    /// What about it.
    #[serde(default)]
    pub about: WhyAbout,
}

/// What is to be explained.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyAbout {
    /// The way there.
    #[default]
    Route,
    /// Why it is not used as a next hop, or how much it is.
    Neighbor,
    /// Why broadcasts from here do not reach it, or what keeps frames to that group from being flooded.
    Broadcast,
}

/// The answer.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Why {
    /// Of the question.
    pub address: Address,
    /// Of the question.
    pub about: WhyAbout,
    /// Who announces it as a client, one row for each node and VLAN.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<WhyClient>,
    /// The originator that frames to it go to, or that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orig_address: Option<Address>,
    /// How long ago that one was heard of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen_msecs: Option<u64>,
    /// Its possible next hops.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<WhyCandidate>,
    /// Why it is so.
    pub because: Vec<Finding>,
    /// What would change it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub would_change: Vec<Finding>,
    /// The last changes of the route, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<WhyChange>,
}

impl Why {
    /// Nothing known as yet.
    pub(crate) const fn new(address: Address, about: WhyAbout) -> Self {
        Self {
            address,
            about,
            clients: Vec::new(),
            orig_address: None,
            last_seen_msecs: None,
            candidates: Vec::new(),
            because: Vec::new(),
            would_change: Vec::new(),
            changes: Vec::new(),
        }
    }
}

/// One sentence, and where it stands in the protocol pages.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Finding {
    /// A rule like `IV-74`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The sentence, without names.
    pub says: String,
}

impl Finding {
    /// A sentence without a rule.
    pub(crate) fn plain(says: impl Into<String>) -> Self {
        Self { rule: None, says: says.into() }
    }

    /// A sentence with its rule.
    pub(crate) fn new(rule: &str, says: impl Into<String>) -> Self {
        Self { rule: Some(rule.into()), says: says.into() }
    }
}

/// One node's word about a client.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct WhyClient {
    /// Who announces it; this node, if it is `local`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orig_address: Option<Address>,
    /// -1: no VLAN.
    pub tt_vid: i16,
    /// Its flags.
    pub tt_flags: ClientFlagsRow,
    /// Whether frames go there.
    #[serde(default, skip_serializing_if = "is_false")]
    pub best: bool,
    /// How it was learned: `local`, `diff`, `full_table`, `roamed` or `payload`.
    pub how: String,
    /// The rule by which.
    pub rule: String,
    /// How long it has been known as the client of that node; missing for those of this node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_msecs: Option<u64>,
    /// When it last sent something; only for clients of this node that age.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen_msecs: Option<u64>,
}

/// One possible next hop.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct WhyCandidate {
    /// The neighbour.
    pub neigh_address: Address,
    /// The interface to it.
    pub hard_ifname: String,
    /// Whether it is the next hop.
    #[serde(default, skip_serializing_if = "is_false")]
    pub best: bool,
    /// Average quality, 0 to 255; B.A.T.M.A.N. IV.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tq: Option<u8>,
    /// Throughput of the way, kbit/s; B.A.T.M.A.N. V.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throughput: Option<u32>,
    /// How many of the last 64 OGMs of the originator it delivered; B.A.T.M.A.N. IV.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<u32>,
    /// How many of our last 64 OGMs it sent back; B.A.T.M.A.N. IV.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub echoed: Option<u32>,
    /// Throughput of the link to it, kbit/s; B.A.T.M.A.N. V.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_throughput: Option<u32>,
    /// How many OGMs it is ahead of the next hop; negative: behind; B.A.T.M.A.N. V.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ahead: Option<i32>,
    /// When an OGM of the originator last counted that came by it.
    pub last_seen_msecs: u64,
    /// When the neighbour itself was last heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard_msecs: Option<u64>,
}

/// One change of the route.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct WhyChange {
    /// How long ago.
    pub ago_msecs: u64,
    /// The next hop before, if there was one and it is remembered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Address>,
    /// The interface to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_ifname: Option<String>,
    /// The next hop from then on; missing: no way was left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Address>,
    /// The interface to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_ifname: Option<String>,
    /// How good the old way was at that moment: a TQ, or kbit/s.
    pub metric_before: u32,
    /// How good the new one was.
    pub metric: u32,
    /// A word for scripts.
    pub reason: String,
    /// The rule.
    pub rule: String,
    /// The same as a sentence.
    pub says: String,
}
