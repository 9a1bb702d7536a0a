//! How the engine thread reaches the workers.

use super::Command;
use crate::wake::Wake;
use crossbeam_channel::Sender;
use noctule_dataplane::link::Path;
use noctule_fib::Iface;

/// One worker.
#[derive(Debug)]
pub(crate) struct WorkerLine {
    pub(crate) commands: Sender<Command>,
    pub(crate) wake: Wake,
}

impl WorkerLine {
    /// Gives a command. The queue has no bound of its own: there is one command for each change of an interface.
    fn send(&self, command: Command) {
        // It can fail only when the worker has ended, and then the process is ending.
        let _ = self.commands.send(command);
        self.wake.wake();
    }
}

/// All of them, the first one first.
#[derive(Debug)]
pub(crate) struct Workers(pub(crate) Vec<WorkerLine>);

impl Workers {
    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Gives a command to the first, who has the caches.
    pub(crate) fn tell_first(&self, command: Command) {
        if let Some(first) = self.0.first() {
            first.send(command);
        }
    }

    /// Gives a command to each.
    pub(crate) fn tell_all(&self, command: impl Fn() -> Command) {
        for line in &self.0 {
            line.send(command());
        }
    }

    /// Hands to each its part of an interface's data path.
    pub(crate) fn attach(&self, iface: Iface, paths: Vec<Path>) {
        for (line, path) in self.0.iter().zip(paths) {
            line.send(Command::Attach { iface, path: Box::new(path) });
        }
    }
}
