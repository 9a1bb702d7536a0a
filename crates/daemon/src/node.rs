//! The engine thread: owns the [`Engine`], its time and everything that reaches it, and carries out what it puts out.
//!
//! It sleeps until one of its deadlines, a control packet, a question of a tool, a change of an interface, or a signal.

mod carry_out;
mod clients;
mod events;
mod gateway;
mod interfaces;
mod links;
mod mesh_interface;
mod meters;
mod multicast;
mod probes;
mod rest;
mod settings;
mod tables;
mod why;

pub(crate) use gateway::WithoutGateway;
pub(crate) use links::Ports;
pub(crate) use mesh_interface::{MeshInterface, derived_mac, locally_administered, offload};
pub(crate) use meters::Meters;
pub(crate) use multicast::PERIOD as MULTICAST_PERIOD;
pub(crate) use probes::Probes;
pub(crate) use rest::Rest;

use crate::api::{Reply, ReplyLine};
use crate::backends::Backends;
use crate::clock::{Clock, poll_timeout_ms};
use crate::control_socket::{Asked, Hub, Question, Table};
use crate::log::Verbosity;
use crate::netlink::{BridgePorts, Monitor, MulticastMonitor, PortKind, Speedometer};
use crate::offload::Offload;
use crate::settings::Config;
use crate::wake::Wake;
use crate::worker::{Command, Punted, Workers};
use crossbeam_channel::Receiver;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signalfd::SignalFd;
use noctule_control::{Engine, Input};
use noctule_dataplane::Hint;
use noctule_fib::{Counters, Fib, IFACES_MAX, Iface};
use noctule_wire::Instant;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

/// Control packets and hints taken before deadlines, interfaces and tools have their turn.
const BATCH: usize = 128;

/// Descriptors that are waited for beside the control sockets: signals, netlink, the other threads.
const OTHERS: usize = 3;
/// How often the kernel is asked for OGMs that found no room, while there is something to do.
const DROPS_EVERY: Duration = Duration::from_secs(1);

/// Why the node ends.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// Somebody wants it to.
    Signal(&'static str),
    /// The mesh interface was deleted by somebody else.
    MeshInterfaceGone,
}

/// The engine thread's belongings.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) clock: Clock,
    pub(crate) config: Config,
    pub(crate) engine: Engine,
    /// For the way out of the engine's own unicast packets.
    pub(crate) fib: Fib,
    /// This thread's.
    pub(crate) counters: Arc<Counters>,
    pub(crate) ports: Ports,
    pub(crate) offload: Offload,
    pub(crate) backends: Backends,
    pub(crate) mesh: MeshInterface,
    pub(crate) workers: Workers,
    pub(crate) punted: Punted,
    pub(crate) hints: Receiver<Hint>,
    pub(crate) questions: Receiver<Asked>,
    pub(crate) probes: Probes,
    pub(crate) meters: Meters,
    pub(crate) verbosity: Verbosity,
    /// Tools that listen to events.
    pub(crate) hub: Hub,
    pub(crate) without_gateway: WithoutGateway,
    /// Wakes this thread.
    pub(crate) wake: Wake,
    pub(crate) signals: SignalFd,
    pub(crate) monitor: Monitor,
    /// Asks how fast links are.
    pub(crate) speedometer: Speedometer,
    pub(crate) multicast: MulticastMonitor,
    /// When to look at the host's multicast memberships next.
    pub(crate) multicast_at: Instant,
    /// Whether the mesh interface was a port of a bridge when last looked at.
    pub(crate) bridged: bool,
    /// By which ports of bridges clients come.
    pub(crate) bridge_ports: BridgePorts,
    /// When the bridges were last looked at.
    pub(crate) bridges_seen: Instant,
    pub(crate) tap_gone: Receiver<()>,
    pub(crate) control_rest: Rest,
    /// What a control packet is copied into while the engine looks at it.
    pub(crate) control_buffer: Vec<u8>,
    /// When the control sockets are asked next what they dropped.
    pub(crate) next_drops: Instant,
    /// When to try again to use an interface that could not be used.
    pub(crate) retry_at: Option<Instant>,
    /// When the log last said that the local table is full.
    pub(crate) table_full_logged: Option<Instant>,
}

impl Node {
    /// Runs until somebody ends it.
    pub(crate) fn run(&mut self) -> End {
        loop {
            self.wake.clear();
            if self.tap_gone.try_recv().is_ok() {
                return End::MeshInterfaceGone;
            }
            let mut more = self.take_control();
            more |= self.take_packets();
            more |= self.take_hints();
            if let Some(end) = self.take_questions() {
                return end;
            }
            let now = self.clock.now();
            if self.engine.next_deadline() <= now {
                self.feed(now, Input::Deadline);
            }
            self.look_at_multicast();
            self.retry_attaching();
            self.offload.follow(now);
            if now >= self.next_drops {
                self.next_drops = now + DROPS_EVERY;
                self.ports.account_drops(&self.counters);
                self.without_gateway.look(now);
            }
            let (signalled, links_changed) = self.wait(more);
            if signalled && let Some(signal) = self.signal() {
                return End::Signal(signal);
            }
            if links_changed && let Some(end) = self.take_link_events() {
                return end;
            }
        }
    }

    /// Ends, and takes out of the kernel what is not to stay.
    pub(crate) fn stop(self) {
        self.offload.stop();
    }

    /// Hands one input to the engine and carries out what comes of it.
    pub(crate) fn feed(&mut self, now: Instant, input: Input<'_>) {
        self.engine.handle(now, input);
        self.carry_out(now);
    }

    /// OGMs from all interfaces by turns; says whether there may be more.
    fn take_control(&mut self) -> bool {
        let mut buffer = std::mem::take(&mut self.control_buffer);
        let (mut any, mut more) = (false, false);
        for _ in 0..BATCH {
            any |= more;
            more = false;
            for iface in Iface::all() {
                if self.ports.next_control(iface, &mut buffer) {
                    more = true;
                    self.feed(self.clock.now(), Input::Frame { iface, bytes: &buffer });
                }
            }
            if !more {
                break;
            }
        }
        self.control_buffer = buffer;
        if any || more {
            self.control_rest.taken(self.clock.now());
        }
        more
    }

    fn take_packets(&mut self) -> bool {
        for _ in 0..BATCH {
            let Some(punt) = self.punted.pop() else { return false };
            self.feed(self.clock.now(), Input::Frame { iface: punt.iface, bytes: &punt.frame });
            self.punted.recycle(punt);
        }
        true
    }

    fn take_hints(&mut self) -> bool {
        for _ in 0..BATCH {
            let Ok(hint) = self.hints.try_recv() else { return false };
            let now = self.clock.now();
            let input = match hint {
                Hint::Local(client) => {
                    let PortKind { wifi, isolated } = self.kind_of(now, client);
                    Input::LearnLocal { client, wifi, isolated }
                }
                Hint::Remote { client, originator } => Input::LearnRemote { client, originator },
                Hint::Bridge(news) => Input::Bridge(news),
            };
            self.feed(now, input);
        }
        true
    }

    fn take_questions(&mut self) -> Option<End> {
        while let Ok(Asked { question, answer }) = self.questions.try_recv() {
            match question {
                Question::Table(Table::DatCache) => {
                    let line = Box::new(self.table(&Table::DatCache));
                    self.workers.tell_first(Command::DatCache { line, answer });
                }
                Question::Table(Table::NdCache) => {
                    let line = Box::new(self.table(&Table::NdCache));
                    self.workers.tell_first(Command::NdCache { line, answer });
                }
                Question::Table(table) => {
                    // A tool that has gone meanwhile misses nothing.
                    let _ = answer.try_send(self.table(&table));
                }
                Question::Settings(wanted) => {
                    let reply = self.settings(&wanted).map_or_else(Reply::Error, Reply::Settings);
                    let _ = answer.try_send(ReplyLine::new(reply));
                }
                Question::AddInterface { name, wait } => {
                    // What was made a moment ago is known to whoever asks.
                    if let Some(end) = self.take_link_events() {
                        return Some(end);
                    }
                    let done = self.add_interface(&name, wait);
                    let _ = answer.try_send(self.interfaces_after(done));
                }
                Question::RemoveInterface { name } => {
                    let done = self.remove_interface(&name);
                    let _ = answer.try_send(self.interfaces_after(done));
                }
                Question::Events(subscriber) => {
                    let reply = self.hub.subscribe(subscriber);
                    let _ = answer.try_send(ReplyLine::new(reply));
                }
                Question::Probe { uid, probe } => self.start_probe(uid, probe, answer),
                Question::Meter { tool, test } => self.start_meter(tool, test, answer),
                Question::MeterCancel { destination } => {
                    let reply = Reply::ThroughputmeterCancel(self.cancel_meter(destination));
                    let _ = answer.try_send(ReplyLine::new(reply));
                }
            }
        }
        None
    }

    /// Waits for something to do, or only looks if there is `more` already. Tells whether a signal came and whether an
    /// interface changed.
    fn wait(&self, more: bool) -> (bool, bool) {
        let now = self.clock.now();
        let rest_ends = self.control_rest.ends(now);
        let deadline =
            [Some(self.engine.next_deadline()), Some(self.multicast_at), self.retry_at, rest_ends];
        let deadline = deadline.into_iter().flatten().fold(Instant::NEVER, Instant::min);
        let timeout_ms = if more { 0 } else { poll_timeout_ms(now, deadline) };
        let mut fds: [PollFd<'_>; OTHERS + IFACES_MAX] =
            std::array::from_fn(|_| PollFd::new(self.wake.as_fd(), PollFlags::POLLIN));
        fds[0] = PollFd::new(self.signals.as_fd(), PollFlags::POLLIN);
        fds[1] = PollFd::new(self.monitor.as_fd(), PollFlags::POLLIN);
        let mut used = OTHERS;
        let listened_to = if rest_ends.is_some() { 0 } else { IFACES_MAX };
        for receiver in self.ports.control().take(listened_to) {
            // A control socket is one descriptor.
            let Some(fd) = receiver.fds().next() else { continue };
            fds[used] = PollFd::new(fd, PollFlags::POLLIN);
            used += 1;
        }
        let timeout = PollTimeout::try_from(timeout_ms).unwrap_or(PollTimeout::MAX);
        match poll(&mut fds[..used], timeout) {
            Ok(0) | Err(Errno::EINTR) => (false, false),
            Ok(_) => {
                for (receiver, fd) in self.ports.control().zip(&fds[OTHERS..used]) {
                    if fd.revents().is_some_and(|events| events.contains(PollFlags::POLLERR)) {
                        // What it means for the mesh, netlink tells. Here it only must not wake again.
                        receiver.take_error();
                    }
                }
                let ready = |fd: &PollFd<'_>| fd.any().unwrap_or(true);
                (ready(&fds[0]), ready(&fds[1]))
            }
            // No memory in the kernel: go on, and look at everything.
            Err(_) => {
                std::thread::sleep(std::time::Duration::from_millis(1));
                (true, true)
            }
        }
    }

    fn signal(&mut self) -> Option<&'static str> {
        let info = self.signals.read_signal().ok().flatten()?;
        let number = i32::try_from(info.ssi_signo).ok()?;
        Some(
            nix::sys::signal::Signal::try_from(number).map_or("a signal", |signal| signal.as_str()),
        )
    }
}
