//! What is said over the control socket: `docs/control-socket.md` as types. The tables have the keys of `batctl`'s JSON
//! (MGMT-31), in its order.

mod events;
mod mac;
mod meter;
pub(crate) mod rows;
mod setting;
mod why;

pub use events::{EventRow, Subscribed};
pub use mac::Address;
pub use meter::{
    METER_DURATION_MS_DEFAULT, METER_DURATION_MS_MAX, MeterEnd, MeterReport, MeterTest,
};
pub use rows::{
    BlaBackbone, BlaClaim, ClientFlagsRow, DatCacheRow, Gateway, GlobalClient, HardInterface,
    LanRow, LocalClient, McastFlags, McastFlagsPrivRow, McastFlagsRow, Mesh, NdCacheRow, Neighbor,
    Offload, Originator, Status, VlanRow,
};

pub use setting::{SettingRow, SettingValue, SettingsRequest};
pub use why::{Finding, Why, WhyAbout, WhyCandidate, WhyChange, WhyClient, WhyRequest};

use serde::{Deserialize, Serialize};

/// Version of the protocol; the first field of every line, both ways.
pub const VERSION: u32 = 1;
/// Longest request line in bytes, the newline included.
pub const REQUEST_LEN_MAX: usize = 4096;
/// Longest time that a request may ask to wait for the answer to a probe, milliseconds.
pub const PROBE_TIMEOUT_MS_MAX: u32 = 60_000;

/// One line to the daemon.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RequestLine {
    /// [`VERSION`].
    pub noctule: u32,
    /// What is wanted.
    #[serde(flatten)]
    pub request: Request,
}

/// What can be wanted.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Request {
    /// The node as a whole.
    Status,
    /// The originator table.
    Originators {
        /// The table of this hard interface, not the default one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        interface: Option<String>,
    },
    /// The neighbour table.
    Neighbors,
    /// Our clients.
    Translocal,
    /// The clients of others.
    Transglobal,
    /// What everybody wants of multicast.
    McastFlags,
    /// The cache of the distributed ARP table.
    DatCache,
    /// Who serves which client of the mesh into the LAN.
    Claimtable,
    /// The nodes that are bridged to the LAN.
    Backbonetable,
    /// The cache of IPv6 neighbours.
    NdCache,
    /// The gateways.
    Gateways,
    /// The hard interfaces.
    Interfaces,
    /// A further hard interface.
    AddInterface {
        /// Its name.
        interface: String,
        /// Whether it may come into being later.
        #[serde(default)]
        wait: bool,
    },
    /// One hard interface less.
    RemoveInterface {
        /// Its name.
        interface: String,
    },
    /// The VLANs of the mesh interface.
    Vlans,
    /// Counters and discard reasons.
    Statistics,
    /// Settings: read, or one changed.
    Settings(SettingsRequest),
    /// From here on everything that happens, until the connection is closed.
    Events,
    /// One echo request; answered when its answer arrives, or at the end of the time-out.
    Probe(Probe),
    /// Why a route is what it is, or why something is not used.
    Why(WhyRequest),
    /// How much passes to a node; answered at the end of the test.
    Throughputmeter(MeterTest),
    /// Enough of the test to that node.
    ThroughputmeterCancel {
        /// The destination of the test.
        destination: Address,
    },
}

/// One echo request to an originator.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Probe {
    /// Which originator; any of its hard interfaces.
    pub destination: Address,
    /// Comes back in the answer.
    pub seqno: u16,
    /// Hops it may go, 1 to 255.
    #[serde(default = "ttl_full")]
    pub ttl: u8,
    /// Whether to record the route.
    #[serde(default)]
    pub record_route: bool,
    /// How long to wait, 1 to [`PROBE_TIMEOUT_MS_MAX`] milliseconds.
    pub timeout_ms: u32,
}

fn ttl_full() -> u8 {
    noctule_wire::TTL_FULL
}

/// One line from the daemon.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ReplyLine {
    /// [`VERSION`].
    pub noctule: u32,
    /// The mesh that tables belong to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mesh: Option<Mesh>,
    /// The answer.
    #[serde(flatten)]
    pub reply: Reply,
}

/// The answer to a request: one field, named like the request.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// To [`Request::Status`].
    Status(Box<Status>),
    /// To [`Request::Originators`].
    Originators(Vec<Originator>),
    /// To [`Request::Neighbors`].
    Neighbors(Vec<Neighbor>),
    /// To [`Request::Translocal`].
    Translocal(Vec<LocalClient>),
    /// To [`Request::Transglobal`].
    Transglobal(Vec<GlobalClient>),
    /// To [`Request::McastFlags`].
    McastFlags(Vec<McastFlags>),
    /// To [`Request::DatCache`].
    DatCache(Vec<DatCacheRow>),
    /// To [`Request::Claimtable`].
    Claimtable(Vec<BlaClaim>),
    /// To [`Request::Backbonetable`].
    Backbonetable(Vec<BlaBackbone>),
    /// To [`Request::NdCache`].
    NdCache(Vec<NdCacheRow>),
    /// To [`Request::Gateways`].
    Gateways(Vec<Gateway>),
    /// To [`Request::Interfaces`], and to [`Request::AddInterface`] and [`Request::RemoveInterface`]: as they are now.
    Interfaces(Vec<HardInterface>),
    /// To [`Request::Vlans`].
    Vlans(Vec<VlanRow>),
    /// To [`Request::Statistics`].
    Statistics(Statistics),
    /// To [`Request::Settings`]: those that were asked for, as they are now.
    Settings(Vec<SettingRow>),
    /// To [`Request::Events`]; then [`Self::Event`] follows as often as something happens.
    Events(Subscribed),
    /// Something happened.
    Event(Box<EventRow>),
    /// To [`Request::Probe`]; nothing if no answer came in time.
    Probe(Option<ProbeAnswer>),
    /// To [`Request::Why`].
    Why(Box<Why>),
    /// To [`Request::Throughputmeter`].
    Throughputmeter(MeterReport),
    /// To [`Request::ThroughputmeterCancel`]: whether a tool of this node waited for such a test.
    ThroughputmeterCancel(bool),
    /// To a request that cannot be carried out: one sentence.
    Error(String),
}

/// Everything that is counted.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Statistics {
    /// By the names that `batctl statistics` uses (MGMT-36), in its order.
    pub counters: Pairs,
    /// What was not used, by reason.
    pub drops: Pairs,
}

/// Numbers with names, in a given order: a JSON object.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Pairs(pub Vec<(String, u64)>);

impl Serialize for Pairs {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> serde::de::Visitor<'de> for InOrder {
            type Value = Pairs;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of numbers")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// What kind of answer came.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerKind {
    /// From the target (0).
    EchoReply,
    /// No route (3): made here, nothing was sent.
    DestinationUnreachable,
    /// From a router on the way (11).
    TtlExceeded,
}

/// The answer to a probe (ICMP-21).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ProbeAnswer {
    /// What it is.
    pub kind: AnswerKind,
    /// Of the request.
    pub seqno: u16,
    /// Who answered.
    pub orig_address: Address,
    /// Hops it could still have gone.
    pub ttl: u8,
    /// Length of the answer in bytes, without Ethernet header.
    pub length: usize,
    /// From sending to receiving, microseconds.
    pub rtt_us: u64,
    /// The recorded route, both ways; left out if none was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub route: Vec<Address>,
}

impl RequestLine {
    /// A request in this version.
    pub const fn new(request: Request) -> Self {
        Self { noctule: VERSION, request }
    }

    /// Reads one line, whoever wrote it.
    ///
    /// # Errors
    /// One sentence for the sender.
    pub fn parse(line: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Version {
            noctule: u32,
        }
        // The version decides how the rest is to be read.
        let Version { noctule } =
            serde_json::from_slice(line).map_err(|error| format!("not a request: {error}"))?;
        if noctule != VERSION {
            return Err(format!("protocol version {noctule} is not supported, only {VERSION}"));
        }
        serde_json::from_slice(line).map_err(|error| format!("not a request: {error}"))
    }
}

impl ReplyLine {
    /// An answer without tables.
    pub const fn new(reply: Reply) -> Self {
        Self { noctule: VERSION, mesh: None, reply }
    }
}

#[cfg(test)]
mod tests;
