//! The control plane of a mesh node: who else is there, which way leads to them, and whose clients are where.
//!
//! Sans-IO. [`Engine`] takes an [`Input`] with the time it happened, publishes what it decides into the
//! [`noctule_fib`] tables, and gives out [`Output`]s to be carried out. It owns no socket, reads no clock and draws its
//! randomness from a seed: a test is a table, a simulation a loop, and a bug replays.

mod algorithm;
mod batman_iv;
mod batman_v;
mod bridge_loop_avoidance;
mod context;
mod decisions;
mod distributed_arp_table;
mod engine;
mod gateway;
mod icmp;
mod interfaces;
mod link_mtu;
mod multicast;
mod rhythm;
mod rng;
mod routing;
mod settings;
mod snapshot;
mod throughput_meter;
mod translation_table;
mod tvlv;

pub use algorithm::RoutingAlgorithm;
pub use batman_v::Measured;
pub use bridge_loop_avoidance::{BackboneRow, ClaimRow};
pub use context::Context;
pub use decisions::{ChangeRow, Reason};
pub use engine::{Engine, Event, Input, Link, Output, Probe, ProbeAnswer};
pub use gateway::GatewayRow;
pub use multicast::{BridgeMulticast, HostMulticast, MulticastRow, OwnMulticast, Querier};
pub use rng::Rng;
pub use routing::{
    CandidateRow, Metric, NeighbourRow, OriginatorRow, RouteReport, Routing, Seen, Verdict,
};
pub use settings::{GatewayMode, IfaceSettings, Limits, Settings};
pub use snapshot::{GlobalRow, InterfaceRow, Learned, LocalRow, Overview};
pub use throughput_meter::{MeterOutcome, MeterRequest, MeterResult};
