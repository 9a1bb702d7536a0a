//! What happens in the mesh, as the control socket tells it (GW-77).

use super::Address;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The answer to a subscription.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Subscribed {
    /// Number of the event that will be told first. Whoever was there before knows from it what was missed.
    pub next_seq: u64,
}

/// One thing that happened. `type`, `action` and `data` are those of the kernel's uevents where it has them (MGMT-35).
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct EventRow {
    /// Counts the events of this run of the node.
    pub seq: u64,
    /// When it happened, milliseconds since the start of the node.
    pub uptime_msecs: u64,
    /// The mesh interface.
    pub mesh: String,
    /// What it is about.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// What happened to it.
    pub action: Cow<'static, str>,
    /// Which one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// Which one it was before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prev: Option<String>,
    /// The next hop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub router: Option<Address>,
    /// The hard interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hard_ifname: Option<String>,
    /// The longest packet that reaches the neighbour, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carries: Option<u32>,
    /// How many events were not told, because the reader was too slow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}
