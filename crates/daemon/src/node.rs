//! The engine thread: owns the [`Engine`], its time and everything that reaches it, and carries out what it puts out.
//!
//! It sleeps until one of its deadlines, a control packet, a question of a tool, a change of an interface, or a signal.

mod carry_out;
mod links;
mod mesh_interface;
mod probes;
mod tables;

pub(crate) use links::Ports;
pub(crate) use mesh_interface::{MeshInterface, derived_mac, locally_administered};
pub(crate) use probes::Probes;

use crate::clock::{Clock, poll_timeout_ms};
use crate::control_socket::{Asked, Question};
use crate::netlink::Monitor;
use crate::settings::Config;
use crate::wake::Wake;
use crate::worker::{Command, Punted};
use crossbeam_channel::{Receiver, Sender};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signalfd::SignalFd;
use noctule_control::{Engine, Input};
use noctule_dataplane::Hint;
use noctule_fib::{Counters, Fib};
use noctule_wire::Instant;
use std::os::fd::AsFd;
use std::sync::Arc;

/// Control packets and hints taken before deadlines, interfaces and tools have their turn.
const BATCH: usize = 128;

/// Why the node ends.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// Somebody wants it to.
    Signal(&'static str),
    /// The mesh interface was deleted by somebody else.
    MeshInterfaceGone,
}

/// How the engine thread reaches the worker.
#[derive(Debug)]
pub(crate) struct WorkerLine {
    pub(crate) commands: Sender<Command>,
    pub(crate) wake: Wake,
}

impl WorkerLine {
    /// Gives a command. The queue has no bound of its own: there is one command for each change of an interface.
    pub(crate) fn send(&self, command: Command) {
        // It can fail only when the worker has ended, and then the process is ending.
        let _ = self.commands.send(command);
        self.wake.wake();
    }
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
    pub(crate) mesh: MeshInterface,
    pub(crate) worker: WorkerLine,
    pub(crate) punted: Punted,
    pub(crate) hints: Receiver<Hint>,
    pub(crate) questions: Receiver<Asked>,
    pub(crate) probes: Probes,
    /// Wakes this thread.
    pub(crate) wake: Wake,
    pub(crate) signals: SignalFd,
    pub(crate) monitor: Monitor,
    pub(crate) tap_gone: Receiver<()>,
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
            let mut more = self.take_packets();
            more |= self.take_hints();
            self.take_questions();
            let now = self.clock.now();
            if self.engine.next_deadline() <= now {
                self.feed(now, Input::Deadline);
            }
            self.retry_attaching();
            let (signalled, links_changed) = self.wait(more);
            if signalled && let Some(signal) = self.signal() {
                return End::Signal(signal);
            }
            if links_changed && let Some(end) = self.take_link_events() {
                return end;
            }
        }
    }

    /// Hands one input to the engine and carries out what comes of it.
    pub(crate) fn feed(&mut self, now: Instant, input: Input<'_>) {
        self.engine.handle(now, input);
        self.carry_out(now);
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
            let input = match hint {
                Hint::Local(client) => Input::LearnLocal { client, wifi: false, isolated: false },
                Hint::Remote { client, originator } => Input::LearnRemote { client, originator },
            };
            self.feed(self.clock.now(), input);
        }
        true
    }

    fn take_questions(&mut self) {
        while let Ok(Asked { question, answer }) = self.questions.try_recv() {
            match question {
                Question::Table(table) => {
                    // A tool that has gone meanwhile misses nothing.
                    let _ = answer.try_send(self.table(&table));
                }
                Question::Probe { uid, probe } => self.start_probe(uid, probe, answer),
            }
        }
    }

    /// Waits for something to do, or only looks if there is `more` already. Tells whether a signal came and whether an
    /// interface changed.
    fn wait(&self, more: bool) -> (bool, bool) {
        let deadline = self.engine.next_deadline().min(self.retry_at.unwrap_or(Instant::NEVER));
        let timeout_ms = if more { 0 } else { poll_timeout_ms(self.clock.now(), deadline) };
        let mut fds = [
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.monitor.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.wake.as_fd(), PollFlags::POLLIN),
        ];
        let timeout = PollTimeout::try_from(timeout_ms).unwrap_or(PollTimeout::MAX);
        match poll(&mut fds, timeout) {
            Ok(0) | Err(Errno::EINTR) => (false, false),
            Ok(_) => {
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
