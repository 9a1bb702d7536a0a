//! The control socket: lines of JSON over a Unix socket, `docs/control-socket.md` (MGMT-41).
//!
//! One thread takes connections, and each connection has a small thread of its own, a bounded number of them, with
//! time-outs both ways and a bound on the length of a line. So a tool that is stuck holds up nobody but itself. What is
//! asked goes to the engine thread over a bounded queue, and comes back as a finished answer.

mod connection;
mod events;
#[cfg(test)]
mod tests;

use crate::api::{Address, MeterTest, Probe, ReplyLine, SettingsRequest, WhyRequest};
use crate::offload::Account;
use crate::wake::Wake;
use connection::Connection;
use crossbeam_channel::{Sender, TrySendError};
pub(crate) use events::{Hub, Subscriber};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use noctule_fib::Counters;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Tools that are served at once. A further one is told so and sent away.
pub(crate) const CONNECTIONS_MAX: usize = 8;
/// How many questions wait for the engine: one for each connection.
pub(crate) const QUESTIONS_MAX: usize = CONNECTIONS_MAX;
/// How long a connection may rest between two requests, or take to send one.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a tool may leave an answer unread.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// Of a connection's thread; the deepest thing there is the JSON parser, which goes 128 levels deep.
const STACK_LEN: usize = 256 * 1024;

/// What a connection asks the engine thread.
#[derive(Debug)]
pub(crate) enum Question {
    /// A table, or the node as a whole.
    Table(Table),
    /// Read or change settings.
    Settings(SettingsRequest),
    /// A hard interface more.
    AddInterface { name: String, wait: bool },
    /// A hard interface less.
    RemoveInterface { name: String },
    /// From here on tell what happens.
    Events(Subscriber),
    /// Send an echo request; the answer is to come when there is one.
    Probe {
        /// Names the connection.
        uid: u8,
        probe: Probe,
    },
    /// Find out how much passes to a node; the answer is to come when that is known.
    Meter {
        /// Names the connection.
        tool: u8,
        test: MeterTest,
    },
    /// End the test to that node.
    MeterCancel { destination: Address },
}

/// What the engine thread can show.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Table {
    Status,
    Originators { interface: Option<String> },
    Neighbors,
    Translocal,
    Transglobal,
    McastFlags,
    DatCache,
    Claimtable,
    Backbonetable,
    NdCache,
    Gateways,
    Interfaces,
    Vlans,
    Why(WhyRequest),
}

/// A question with the place where its answer goes.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) question: Question,
    /// Has room for one answer. The asker may have gone.
    pub(crate) answer: Sender<ReplyLine>,
}

/// What connections work with.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) questions: Sender<Asked>,
    /// Wakes the engine thread.
    pub(crate) engine: Wake,
    /// To be brought up to date before the counters are read.
    pub(crate) account: Arc<Account>,
    /// Of all threads.
    pub(crate) counters: Vec<Arc<Counters>>,
}

/// The thread that takes connections.
#[derive(Debug)]
pub(crate) struct Acceptor {
    stop: Arc<AtomicBool>,
    wake: Wake,
    thread: Option<JoinHandle<()>>,
}

impl Acceptor {
    /// Serves `listener` until the value is dropped.
    pub(crate) fn start(listener: UnixListener, service: Service) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let stop = Arc::new(AtomicBool::new(false));
        let wake = Wake::new()?;
        let accepting = Accepting {
            listener,
            service,
            wake: wake.clone(),
            stop: Arc::clone(&stop),
            slots: Arc::new(AtomicU8::new(0)),
        };
        let thread = thread::Builder::new()
            .name("control".into())
            .stack_size(64 * 1024)
            .spawn(move || accepting.run())?;
        Ok(Self { stop, wake, thread: Some(thread) })
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.wake.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Accepting {
    listener: UnixListener,
    service: Service,
    wake: Wake,
    stop: Arc<AtomicBool>,
    /// One bit for each connection.
    slots: Arc<AtomicU8>,
}

const _: () = assert!(CONNECTIONS_MAX == u8::BITS as usize);

impl Accepting {
    fn run(self) {
        while !self.stop.load(Ordering::Acquire) {
            match self.listener.accept() {
                Ok((stream, _)) => self.serve(stream),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.wait(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // No file descriptor or no memory left: others may give some back.
                Err(_) => thread::sleep(Duration::from_millis(100)),
            }
        }
    }

    fn wait(&self) {
        let mut fds = [
            PollFd::new(self.listener.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.wake.as_fd(), PollFlags::POLLIN),
        ];
        let _ = poll(&mut fds, PollTimeout::NONE);
    }

    fn serve(&self, stream: UnixStream) {
        let prepared = stream
            .set_nonblocking(false)
            .and_then(|()| stream.set_read_timeout(Some(READ_TIMEOUT)))
            .and_then(|()| stream.set_write_timeout(Some(WRITE_TIMEOUT)));
        if prepared.is_err() {
            return;
        }
        let Some(slot) = Slot::take(&self.slots) else {
            return refuse(stream);
        };
        let connection = Connection::new(stream, self.service.clone(), slot);
        let thread = thread::Builder::new().name("client".into()).stack_size(STACK_LEN);
        // Without a thread there is no service; the closed connection tells.
        let _ = thread.spawn(move || connection.run());
    }
}

/// Tells a tool that there is no place for it.
fn refuse(stream: UnixStream) {
    const SENTENCE: &[u8] =
        b"{\"noctule\":1,\"error\":\"too many tools are connected: try again later\"}\n";
    // The buffer of a new socket has room for a line; waiting for it is not worth anybody's time.
    if stream.set_nonblocking(true).is_ok() {
        let _ = (&stream).write_all(SENTENCE);
    }
}

/// One of the places for connections; free again when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Arc<AtomicU8>,
    /// Its number, below [`CONNECTIONS_MAX`].
    number: u8,
}

impl Slot {
    fn take(slots: &Arc<AtomicU8>) -> Option<Self> {
        let free = |taken: u8| {
            let number = taken.trailing_ones();
            (number < u8::BITS).then(|| taken | 1 << number)
        };
        let before = slots.fetch_update(Ordering::AcqRel, Ordering::Acquire, free).ok()?;
        Some(Self { slots: Arc::clone(slots), number: before.trailing_ones() as u8 })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.fetch_and(!(1 << self.number), Ordering::AcqRel);
    }
}

impl Service {
    /// Puts a question to the engine thread.
    ///
    /// # Errors
    /// One sentence for the asker.
    fn ask(&self, asked: Asked) -> Result<(), &'static str> {
        match self.questions.try_send(asked) {
            Ok(()) => {
                self.engine.wake();
                Ok(())
            }
            Err(TrySendError::Full(_)) => Err("the daemon is busy: try again"),
            Err(TrySendError::Disconnected(_)) => Err("the daemon is stopping"),
        }
    }
}
