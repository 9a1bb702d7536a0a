//! Why a frame or packet was not used: one list for parsers, pipeline and engine, so that it can be one table of
//! counters.

macro_rules! discards {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Why something that arrived was not used. One variant, one counter, one row of `noctule statistics`.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[repr(u8)]
        pub enum Discard {
            $($(#[$doc])* $name,)*
        }

        impl Discard {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The name in statistics: lower case, words joined by `_`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

discards! {
    /// Shorter than its header, or than one of its length fields says.
    Truncated = "truncated",
    /// Not compat version 15 (WIRE-03).
    Version = "version",
    /// A packet type that this node does not handle (WIRE-07, FWD-74).
    Type = "type",
    /// The outer Ethernet header has an address this packet type must not have (WIRE-10 to WIRE-12).
    Address = "address",
    /// A unicast packet whose outer destination is not one of our active hard interfaces (WIRE-11).
    NotForUs = "not_for_us",
    /// The outer frame carries an 802.1Q tag: it belongs to a VLAN device, not to this interface.
    Tagged = "tagged",
    /// Sent by ourselves and heard back: normal on every link.
    Own = "own",
    /// Arrived on, or would leave by, an interface that is not active (FWD-04).
    Inactive = "inactive",
    /// A length field that must be even is odd (WIRE-25, WIRE-81).
    OddLength = "odd_length",
    /// A field has a value that no sender may use.
    Malformed = "malformed",
    /// The TTL does not allow another hop.
    TtlSpent = "ttl_spent",
    /// The originator it names is not known.
    UnknownOriginator = "unknown_originator",
    /// The originator is known, but no route leads there from here.
    NoRoute = "no_route",
    /// Nobody in the mesh announces this client: unknown unicast is never flooded (TT-111).
    UnknownClient = "unknown_client",
    /// Seen before (broadcast window, fragment number, OGM).
    Duplicate = "duplicate",
    /// A sequence number far outside the window, within 30 s of the last accepted jump (IV-42, FWD-96).
    Protected = "protected",
    /// An outdated TTVN, and the client is not to be found anywhere better (TT-116).
    OutdatedTtvn = "outdated_ttvn",
    /// A fragment that does not belong to what was collected before, or a packet that needs too many (FWD-114, FWD-117).
    Fragment = "fragment",
    /// Parts of a packet whose rest did not come within 10 s (FWD-118).
    FragmentTimeout = "fragment_timeout",
    /// The route record has no free slot (WIRE-68).
    RouteRecordFull = "route_record_full",
    /// A mesh frame inside a mesh frame (FWD-27).
    MeshInMesh = "mesh_in_mesh",
    /// A frame that bridges must not forward, like STP (FWD-32).
    Reserved = "reserved",
    /// This client cannot be announced any more: the local table is full (TT-17).
    TableFull = "table_full",
    /// A queue inside the node had no room.
    QueueFull = "queue_full",
    /// The driver or the kernel did not take the frame.
    TransmitFailed = "transmit_failed",
    /// Longer than the outgoing interface's MTU and of a kind that is never fragmented.
    TooLong = "too_long",
    /// No hard interface is active, so the node has no originator address.
    NoPrimary = "no_primary",
    /// No neighbour on any interface to broadcast to (FWD-86).
    NoNeighbour = "no_neighbour",
    /// The neighbour that sent this is not (yet) known as a usable link (IV-56).
    UnknownNeighbour = "unknown_neighbour",
    /// An OGM whose TQ is 0 (IV-51).
    ZeroTq = "zero_tq",
    /// A record of a way without throughput, or padding (V-47).
    ZeroThroughput = "zero_throughput",
    /// An OGM that came through our own next hop (IV-54), or carries the not-best flag (IV-37).
    NotBest = "not_best",
    /// A request, answer or advertisement above the rate that is allowed (TT-87, TT-98, TT-107).
    RateLimited = "rate_limited",
    /// An answer nobody asked for (TT-97).
    Unsolicited = "unsolicited",
    /// A TVLV container of a type that is not handled (WIRE-82).
    UnknownTvlv = "unknown_tvlv",
    /// The mesh interface did not take the frame.
    HostBusy = "host_busy",
    /// A host frame of a VLAN that is not configured on the mesh interface (FWD-30).
    UnknownVlan = "unknown_vlan",
    /// A host frame to a group that nobody in the mesh listens to (MCAST-36).
    NoListener = "no_listener",
    /// An ARP packet that the distributed ARP table has dealt with (DAT-36, DAT-42, DAT-46).
    ArpAnswered = "arp_answered",
    /// From one isolated client to another, where isolated clients are kept apart (TT-121, TT-122).
    Isolated = "isolated",
    /// A DHCP request while this node, a gateway client, has chosen no gateway (GW-63).
    NoGateway = "no_gateway",
    /// A DHCP request on a gateway server: it is answered here, not in the mesh (GW-64).
    ServerHere = "server_here",
    /// A claim frame: bridge loop avoidance has taken it (BLA-26), or it must not pass (BLA-21, BLA-25, BLA-97).
    ClaimFrame = "claim_frame",
    /// A group frame on a VLAN of a bridged LAN, while this node finds out who else is bridged to it (BLA-38).
    GateClosed = "gate_closed",
    /// Another gateway of the LAN serves this client of the mesh (BLA-108, BLA-118).
    ForeignClaim = "foreign_claim",
    /// A frame of a client of the mesh that came back by the LAN (BLA-117).
    OwnClaim = "own_claim",
    /// From another gateway of our LAN, where the frame is already (BLA-50, BLA-51).
    SameLan = "same_lan",
    /// The same broadcast brought into the mesh by another gateway of its LAN (BLA-62).
    LanDuplicate = "lan_duplicate",
    /// Our own loop detection frame (BLA-67).
    LoopDetect = "loop_detect",
    /// A table of bridge loop avoidance is full (BLA-07).
    BridgeTableFull = "bridge_table_full",
    /// A solicitation of IPv6 neighbour discovery that was answered here, or that the target answers behind this node
    /// (ND-11, ND-13).
    SolicitationAnswered = "solicitation_answered",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_array_indices() {
        for (index, discard) in Discard::ALL.iter().enumerate() {
            assert_eq!(*discard as usize, index);
        }
    }
}
