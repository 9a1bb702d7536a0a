//! The one type that says what becomes of a frame. `judge` decides it and changes nothing; `carry_out` does it.

use super::FanOut;
use noctule_wire::payload::multicast::Group;
use noctule_wire::unicast::Subtype;
use noctule_wire::{Discard, Mac, SeqNo, Ttvn};

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// A unicast style packet goes on towards another originator, rewritten in place (FWD-72).
    Forward(Forward),
    /// The inner frame goes to the host (FWD-69, FWD-120).
    Deliver(Delivery),
    /// A broadcast of another node: repeated on the hard interfaces, then delivered (FWD-97, FWD-98).
    Rebroadcast {
        /// Whose broadcast it is.
        originator: Mac,
        /// Its number.
        seqno: SeqNo,
    },
    /// A fragment is kept until the rest of its packet is there (FWD-116).
    Buffer,
    /// A control packet goes to the engine.
    Punt {
        /// The receiving interface is written into the route record first (FWD-80).
        record_route: bool,
    },
    /// A host frame goes to the originator behind which its receiver is (FWD-48).
    Enter {
        /// That originator.
        originator: Mac,
        /// The table version to write into the header (TT-112).
        ttvn: Ttvn,
    },
    /// A DHCP request of the host goes to the gateway that was chosen (GW-63).
    ToGateway {
        /// The gateway.
        originator: Mac,
        /// Its table version, as last known (GW-66).
        ttvn: Ttvn,
    },
    /// A host frame to a group goes to those who want it (MCAST-36).
    Fan {
        /// What decides who that is.
        group: Group,
        /// How it gets to them.
        form: FanOut,
    },
    /// A multicast packet goes on to its destinations, of which this node may be one (MCAST-54).
    Spread,
    /// A host frame is flooded through the mesh (FWD-38).
    Flood,
    /// Not used, for this reason.
    Drop(Discard),
}

/// How a packet in transit goes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Forward {
    /// The originator it is for, after TTVN check.
    pub destination: Mac,
    /// The table version to write beside a new destination (FWD-67); `None` leaves both as they are.
    pub redirect: Option<Ttvn>,
    /// What kind it is.
    pub kind: Transit,
}

/// What kind of packet is in transit: it decides counters and small duties.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Transit {
    /// Unicast and 4-address: the priority is that of the inner frame (FWD-44). Counted in `forward`.
    Payload,
    /// A unicast type this release does not know (FWD-74). Counted in `forward`.
    Unknown,
    /// Gets a route record entry, is not counted (FWD-80, FWD-82).
    Icmp,
    /// A fragment that goes on as it is (FWD-116). Counted in `frag_fwd`.
    Fragment,
}

/// What is handed to the host.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Delivery {
    /// Where the inner frame begins in the packet: behind 10, 14 or 18 bytes.
    pub offset: usize,
    /// The originator that the inner source is learned from, if the packet names one (FWD-123).
    pub teacher: Option<Mac>,
    /// What it came in.
    pub carrier: Carrier,
}

/// In what kind of packet a frame for the host came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Carrier {
    /// To this node.
    Unicast,
    /// To this node, saying from whom and what for.
    Unicast4Addr(Subtype),
    /// To everybody.
    Broadcast,
    /// To several.
    Multicast,
}
