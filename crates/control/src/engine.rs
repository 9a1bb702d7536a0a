//! The engine: one input in, any number of outputs out.
//!
//! The parts (`interfaces`, `algorithm`, `translation_table`, `icmp`, `throughput_meter`) know nothing of each other; this file takes what
//! one says and tells the others.

mod run;

pub use run::Engine;

use crate::{HostMulticast, IfaceSettings, Measured, MeterRequest, MeterResult, Settings};
use noctule_fib::{BridgeNews, Iface, NextHop, View, VlanSet};
use noctule_wire::{Client, Mac, SeqNo, Vid};

/// A hard interface as the operating system shows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Link {
    /// Its MAC address.
    pub mac: Mac,
    /// Its MTU in bytes, Ethernet header not included.
    pub mtu: u32,
    /// Whether it is, or is stacked on, a wireless device (FWD-11).
    pub wifi: bool,
    /// Whether it is up and has a carrier.
    pub up: bool,
}

/// What can happen to a node. Closed: whoever reads this enum has read every cause.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A hard interface joins the mesh (IV-14).
    Attach {
        /// Its number, free until now.
        iface: Iface,
        /// How it looks.
        link: Link,
        /// Its settings.
        settings: IfaceSettings,
        /// First OGM sequence number; start from the clock (IV-112).
        seqno: u32,
    },
    /// It looks different: up, down, other MAC, other MTU.
    Changed {
        /// Which.
        iface: Iface,
        /// How it looks.
        link: Link,
    },
    /// It leaves the mesh (FWD-10).
    Detach {
        /// Which.
        iface: Iface,
    },
    /// The mesh interface has this MAC address, which is announced as a client (TT-31), and this MTU.
    MeshInterface {
        /// Its address.
        mac: Mac,
        /// Its MTU.
        mtu: u32,
    },
    /// These VLANs are on the mesh interface, and no others (TT-29, TT-31).
    Vlans(&'a VlanSet),
    /// A control packet arrived; `bytes` is the frame with its outer Ethernet header.
    Frame {
        /// Where.
        iface: Iface,
        /// The whole frame.
        bytes: &'a [u8],
    },
    /// A frame from the host side showed a client of ours (TT-16).
    LearnLocal {
        /// Who.
        client: Client,
        /// Whether it came in by a Wi-Fi port.
        wifi: bool,
        /// Whether it is isolated.
        isolated: bool,
    },
    /// A client of ours is behind another kind of port than before (TT-21). It has not sent anything because of that.
    LocalAttributes {
        /// Who.
        client: Client,
        /// Whether it is behind a Wi-Fi port.
        wifi: bool,
        /// Whether it is isolated.
        isolated: bool,
    },
    /// Payload from the mesh showed a client of another node (TT-101).
    LearnRemote {
        /// Who.
        client: Client,
        /// Where.
        originator: Mac,
    },
    /// This is what the host wants of multicast; to be handed in every half second, changed or not.
    Multicast(&'a HostMulticast),
    /// The mesh interface, or a device on top of it, is a port of a bridge; or it is not.
    Bridged(bool),
    /// The data plane has seen or done something about the LAN behind the mesh interface.
    Bridge(BridgeNews),
    /// A tool sends an echo request (ICMP-17 to ICMP-20).
    Probe(Probe),
    /// A tool wants to know how much passes to a node (TP-38); ends with [`Output::MeterResult`].
    MeterStart(MeterRequest),
    /// The tool has had enough of a test (TP-23).
    MeterCancel {
        /// To whom it goes.
        destination: Mac,
    },
    /// The way out did not take an [`Output::MeterMessage`], nor those to the same node behind it (TP-09).
    MeterRefused {
        /// To whom.
        destination: Mac,
        /// Its number.
        seqno: SeqNo,
    },
    /// The operator changes settings.
    Settings(&'a Settings),
    /// The operator changes settings of a hard interface.
    InterfaceSettings {
        /// Which.
        iface: Iface,
        /// All of them.
        settings: IfaceSettings,
    },
    /// How fast a link is: the answer to [`Output::Measure`] (03-batman-v.md section 5).
    Measured {
        /// Our interface.
        iface: Iface,
        /// The neighbour that was asked for; `None`: all on that link.
        neighbour: Option<Mac>,
        /// What the system knows.
        measured: Measured,
    },
    /// The instant of [`Engine::next_deadline`](crate::Engine::next_deadline) has come.
    Deadline,
}

/// An echo request of a tool.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Probe {
    /// Towards which originator.
    pub destination: Mac,
    /// Names the tool.
    pub uid: u8,
    /// Counts its requests.
    pub seqno: u16,
    /// 50 for ping, 1 and up for traceroute.
    pub ttl: u8,
    /// Whether to record the route.
    pub record_route: bool,
}

/// What came back for a tool (ICMP-21).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProbeAnswer {
    /// Names the tool.
    pub uid: u8,
    /// Of the request.
    pub seqno: u16,
    /// Reply, unreachable or TTL exceeded.
    pub message: noctule_wire::icmp::Message,
    /// Who answered.
    pub originator: Mac,
    /// Hops it could still have gone.
    pub ttl: u8,
    /// Length of the answer in bytes.
    pub len: usize,
    /// The recorded route, if one was asked for; empty otherwise.
    pub route: Vec<Mac>,
}

/// What is to be done. Drain after every [`Engine::handle`](crate::Engine::handle).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output {
    /// Send this frame (outer Ethernet header included) by this interface, as control traffic.
    Transmit {
        /// By which.
        iface: Iface,
        /// The whole frame.
        frame: Vec<u8>,
    },
    /// Find out how fast a link is right now, and hand in [`Input::Measured`].
    Measure {
        /// Our interface.
        iface: Iface,
        /// The neighbour on a wireless link; `None`: the interface is wired.
        neighbour: Option<Mac>,
    },
    /// Route this unicast style packet (no outer header) to an originator, in fragments where it must (FWD-72, FWD-113).
    ToOriginator {
        /// To whom.
        destination: Mac,
        /// Which routing table.
        view: View,
        /// From its type byte on.
        packet: Vec<u8>,
    },
    /// Route this message of the throughput meter to an originator, with the priority of ordinary traffic. If that fails,
    /// leave out those to the same originator that wait already, and hand in [`Input::MeterRefused`] (TP-09, TP-11).
    MeterMessage {
        /// To whom.
        destination: Mac,
        /// Its number in the test.
        seqno: SeqNo,
        /// From its type byte on.
        packet: Vec<u8>,
    },
    /// What came of a test, for the tool that asked.
    MeterResult(MeterResult),
    /// Hand this frame to the host by the mesh interface.
    ToHost {
        /// The whole frame.
        frame: Vec<u8>,
    },
    /// Something for the tool that asked.
    Answer(ProbeAnswer),
    /// Something happened that operators want to know.
    Event(Event),
}

/// What a log or an event stream shows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// A hard interface is used from here on.
    InterfaceActive(Iface),
    /// A hard interface is not used until it comes back.
    InterfaceInactive(Iface),
    /// The node is known by this address from here on.
    Primary(Option<Mac>),
    /// A neighbour is heard on one of our links.
    NeighbourAppeared(NextHop),
    /// Nothing leads over it any more.
    NeighbourGone(NextHop),
    /// First word of an originator.
    OriginatorAppeared(Mac),
    /// Nothing heard of it for too long.
    OriginatorGone(Mac),
    /// The default route to an originator changed.
    RouteChanged {
        /// To whom.
        originator: Mac,
        /// By which neighbour; `None`: no way is left.
        router: Option<NextHop>,
    },
    /// An originator starts its numbering over (IV-42): a restart, or somebody playing with sequence numbers.
    SequenceReset(Mac),
    /// Nobody knows how fast this wired link is: it counts as 1 Mbit/s (V-23).
    SpeedUnknown(Iface),
    /// The local table takes no further client.
    LocalTableFull,
    /// What passes to a neighbour is not, or not any more, what the interface's MTU says.
    LinkMtu {
        /// Our interface.
        iface: Iface,
        /// The neighbour's.
        neighbour: Mac,
        /// MTU of our interface, bytes.
        mtu: u32,
        /// The longest packet that passes, bytes.
        carries: u32,
    },
    /// A gateway client has chosen another gateway (GW-23).
    Gateway {
        /// From here on; `None`: there is none.
        chosen: Option<Mac>,
        /// Until now.
        before: Option<Mac>,
    },
    /// A loop: a frame that this node sent into its LAN came back by the mesh, on this VLAN (BLA-67).
    Loop(Vid),
    /// Its translation table is in step again after a request.
    TableFetched(Mac),
}
