//! Carrying out what the engine puts out: frames, packets that need a route, answers for tools, news for the log.

use super::{Node, Ports};
use noctule_control::{Event, Input, Output};
use noctule_dataplane::packet::SendError;
use noctule_dataplane::pipeline::egress::send_to_originator;
use noctule_dataplane::tap::WriteError;
use noctule_dataplane::{Hint, Outlet};
use noctule_fib::{Counter, Iface, View};
use noctule_wire::{Discard, Instant, Mac};
use std::time::Duration;
use tracing::{debug, info, warn};

/// The log says at most this often that the local table is full.
const TABLE_FULL_EVERY: Duration = Duration::from_secs(60);

impl Node {
    /// Does everything that the engine has put out.
    pub(super) fn carry_out(&mut self, now: Instant) {
        // To whom messages of the throughput meter do not leave at the moment.
        let mut refused = None;
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Transmit { iface, frame } => {
                    self.count(ControlOutlet::urgent(&self.ports).transmit(iface, 0, &[&frame]))
                }
                Output::ToOriginator { destination, view, packet } => {
                    let mut out = ControlOutlet::urgent(&self.ports);
                    self.count(self.to_originator(destination, view, &packet, &mut out));
                }
                Output::MeterMessage { destination, .. } if refused == Some(destination) => {}
                Output::MeterMessage { destination, seqno, packet } => {
                    let mut out = ControlOutlet { ports: &self.ports, bulk: true };
                    if self.to_originator(destination, View::Default, &packet, &mut out).is_err() {
                        refused = Some(destination);
                        self.engine.handle(now, Input::MeterRefused { destination, seqno });
                    }
                }
                Output::MeterResult(result) => self.meters.ended(result),
                Output::Measure { iface, neighbour } => self.measure(now, iface, neighbour),
                Output::ToHost { frame } => self.to_host(&frame),
                Output::Answer(answer) => self.probes.answered(now, answer),
                Output::Event(event) => {
                    self.note(now, event);
                    if matches!(event, Event::LinkMtu { .. }) {
                        self.adjust_mesh_mtu();
                    }
                    self.publish(now, event);
                }
            }
        }
    }

    fn to_originator(
        &self,
        destination: Mac,
        view: View,
        packet: &[u8],
        out: &mut ControlOutlet<'_>,
    ) -> Result<(), Discard> {
        let guard = self.fib.pin();
        send_to_originator(&guard, &self.counters, destination, view, 0, packet, out)
    }

    /// Asks the kernel how fast a link is, and tells the engine.
    fn measure(&mut self, now: Instant, iface: Iface, neighbour: Option<Mac>) {
        let attached = self.ports.get(iface).and_then(|port| port.attached.as_ref());
        let Some(link) = attached.map(|attached| &attached.link) else { return };
        let links = self.monitor.links();
        let measured = match neighbour {
            Some(station) => self.speedometer.station(links.radio_below(link), station),
            None => self.speedometer.wired(link.index),
        };
        self.engine.handle(now, Input::Measured { iface, neighbour, measured });
    }

    /// Claim frames for the LAN. They count as received from the mesh, as in the module (BLA-10).
    fn to_host(&self, frame: &[u8]) {
        self.counters.add_packet(Counter::Rx, Counter::RxBytes, frame.len());
        match self.mesh.tap.write_parts(&[frame]) {
            Ok(()) | Err(WriteError::Down) => {}
            Err(_) => self.counters.discard(Discard::HostBusy),
        }
    }

    fn count(&self, outcome: Result<(), Discard>) {
        if let Err(reason) = outcome {
            self.counters.discard(reason);
        }
    }

    fn note(&mut self, now: Instant, event: Event) {
        let name =
            |iface: Iface| self.ports.get(iface).map_or("", |port| port.config.name.as_str());
        match event {
            Event::InterfaceActive(iface) => info!(interface = name(iface), "interface is used"),
            Event::InterfaceInactive(iface) => {
                info!(interface = name(iface), "interface is not used")
            }
            Event::Primary(Some(originator)) => {
                info!(%originator, "this node is known by this address")
            }
            Event::Primary(None) => info!("this node has no address in the mesh"),
            Event::NeighbourAppeared(hop) => {
                debug!(neighbour = %hop.mac, interface = name(hop.iface), "neighbour appears");
            }
            Event::NeighbourGone(hop) => {
                debug!(neighbour = %hop.mac, interface = name(hop.iface), "neighbour is gone");
            }
            Event::Gateway { chosen: Some(gateway), .. } => info!(%gateway, "gateway is chosen"),
            Event::Gateway { chosen: None, .. } => info!("no gateway is left"),
            Event::OriginatorAppeared(originator) => debug!(%originator, "originator appears"),
            Event::OriginatorGone(originator) => debug!(%originator, "originator is gone"),
            Event::RouteChanged { originator, router: Some(hop) } => {
                debug!(%originator, via = %hop.mac, interface = name(hop.iface), "route changes");
            }
            Event::RouteChanged { originator, router: None } => {
                debug!(%originator, "no route is left")
            }
            Event::SequenceReset(originator) => {
                debug!(%originator, "originator starts its numbers over")
            }
            Event::Loop(vid) => {
                let vlan = vid.id();
                warn!(
                    ?vlan,
                    "a frame sent into the LAN came back by the mesh: another bridge joins the two, or a node without bridge loop avoidance"
                );
            }
            Event::TableFetched(originator) => debug!(%originator, "client table is in step again"),
            Event::LinkMtu { iface, neighbour, mtu, carries } if carries < mtu => warn!(
                interface = name(iface), %neighbour, mtu, carries,
                "the link carries less than its interface says: longer packets are cut"
            ),
            Event::LinkMtu { iface, neighbour, mtu, .. } => {
                info!(interface = name(iface), %neighbour, mtu, "the link carries what its interface says");
            }
            Event::SpeedUnknown(iface) => warn!(
                interface = name(iface),
                "nobody knows how fast this link is: it counts as 1 Mbit/s; say it with \"noctule set throughput_override\""
            ),
            Event::LocalTableFull => {
                let due =
                    self.table_full_logged.is_none_or(|last| last.timed_out(now, TABLE_FULL_EVERY));
                if due {
                    self.table_full_logged = Some(now);
                    warn!(
                        "the table of local clients is full: further clients cannot use the mesh"
                    );
                }
            }
        }
    }
}

/// The engine thread's way out: by sockets of its own, which have the priority of control traffic (IV-34) except for what
/// is sent in bulk.
struct ControlOutlet<'p> {
    ports: &'p Ports,
    bulk: bool,
}

impl<'p> ControlOutlet<'p> {
    const fn urgent(ports: &'p Ports) -> Self {
        Self { ports, bulk: false }
    }
}

impl Outlet for ControlOutlet<'_> {
    fn transmit(&mut self, iface: Iface, _: u8, parts: &[&[u8]]) -> Result<(), Discard> {
        let sender = self.ports.sender(iface).ok_or(Discard::Inactive)?;
        let sent = if self.bulk { sender.send_bulk(parts) } else { sender.send(parts) };
        sent.map_err(|error| match error {
            SendError::Link(_) => Discard::Inactive,
            SendError::Length { .. } => Discard::TooLong,
            SendError::Busy => Discard::QueueFull,
            SendError::System(_) => Discard::TransmitFailed,
        })
    }

    fn deliver(&mut self, _: &[&[u8]]) -> Result<(), Discard> {
        // The engine has nothing for the host.
        Err(Discard::HostBusy)
    }

    fn punt(&mut self, _: Iface, _: &[u8]) -> Result<(), Discard> {
        Err(Discard::QueueFull)
    }

    fn hint(&mut self, _: Hint) -> Result<(), Discard> {
        Err(Discard::QueueFull)
    }
}
