//! Telling tools what happens. The engine thread puts events into a bounded queue for each listener and never waits. Who
//! does not read in time loses events and is told how many; who is stuck for longer loses the connection, like any tool
//! that does not read.

use crate::api::{EventRow, Reply, ReplyLine, Subscribed};
use crate::wake::Wake;
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Tools that listen at once; the other connections stay free for questions.
pub(crate) const LISTENERS_MAX: usize = 4;
/// Events that wait for one tool to take them: a few hundred originators may come at once.
pub(crate) const QUEUE_LEN: usize = 1024;

/// Where the events for one tool go.
#[derive(Debug)]
pub(crate) struct Subscriber {
    queue: Sender<EventRow>,
    wake: Wake,
    /// Everything below this number is in the queue, or lost.
    told: Arc<AtomicU64>,
}

/// Where one tool's events come from.
#[derive(Debug)]
pub(super) struct Subscription {
    queue: Receiver<EventRow>,
    wake: Wake,
    told: Arc<AtomicU64>,
    /// Number of the event that the tool is to get next.
    next_seq: u64,
}

/// Both ends of a queue.
pub(super) fn subscription() -> io::Result<(Subscriber, Subscription)> {
    let (sender, queue) = bounded(QUEUE_LEN);
    let wake = Wake::new()?;
    let told = Arc::new(AtomicU64::new(0));
    let subscriber = Subscriber { queue: sender, wake: wake.clone(), told: Arc::clone(&told) };
    Ok((subscriber, Subscription { queue, wake, told, next_seq: 0 }))
}

/// All listeners; belongs to the engine thread.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    listeners: Vec<Subscriber>,
    next_seq: u64,
}

impl Hub {
    /// A tool listens from here on.
    pub(crate) fn subscribe(&mut self, subscriber: Subscriber) -> Reply {
        // The other end goes with its connection.
        self.listeners.retain(|listener| Arc::strong_count(&listener.told) > 1);
        if self.listeners.len() >= LISTENERS_MAX {
            return Reply::Error(format!(
                "{LISTENERS_MAX} tools listen to events already: end one of them"
            ));
        }
        subscriber.told.store(self.next_seq, Ordering::Release);
        self.listeners.push(subscriber);
        Reply::Events(Subscribed { next_seq: self.next_seq })
    }

    /// Tells all listeners. `row` is made only if there is one; it gets its number here.
    pub(crate) fn publish(&mut self, row: impl FnOnce() -> EventRow) {
        let seq = self.next_seq;
        self.next_seq += 1;
        if self.listeners.is_empty() {
            return;
        }
        let row = EventRow { seq, ..row() };
        self.listeners.retain(|listener| listener.tell(&row));
    }
}

impl Subscriber {
    /// Never waits. Whether the other end is still there.
    fn tell(&self, row: &EventRow) -> bool {
        let sent = self.queue.try_send(row.clone());
        self.told.store(row.seq + 1, Ordering::Release);
        self.wake.wake();
        !matches!(sent, Err(TrySendError::Disconnected(_)))
    }
}

impl Subscription {
    /// The tool knows that its first event is this one.
    pub(super) fn from(self, next_seq: u64) -> Self {
        Self { next_seq, ..self }
    }

    /// Hands on events until `write` fails, or the tool leaves.
    pub(super) fn run(mut self, stream: &UnixStream, write: impl Fn(&ReplyLine) -> io::Result<()>) {
        loop {
            self.wake.clear();
            if self.take(&write).is_err() {
                return;
            }
            let mut fds = [
                PollFd::new(self.wake.as_fd(), PollFlags::POLLIN),
                // That it has closed the connection is told unasked; one that has said all it wants to say listens on.
                PollFd::new(stream.as_fd(), PollFlags::empty()),
            ];
            let waited = poll(&mut fds, PollTimeout::NONE);
            if fds[1].any() == Some(true)
                || waited.is_err_and(|errno| errno != nix::errno::Errno::EINTR)
            {
                return;
            }
        }
    }

    /// Takes one event as if it had been written.
    #[cfg(test)]
    pub(super) fn one(&mut self) -> u64 {
        self.next_seq = self.queue.try_recv().unwrap().seq + 1;
        self.next_seq - 1
    }

    /// Everything that is there, and how many are not that should be.
    pub(super) fn take(&mut self, write: impl Fn(&ReplyLine) -> io::Result<()>) -> io::Result<()> {
        let event = |row| write(&ReplyLine::new(Reply::Event(Box::new(row))));
        // Before the queue: what is below this number and not in there found no room.
        let told = self.told.load(Ordering::Acquire);
        while let Ok(row) = self.queue.try_recv() {
            if row.seq > self.next_seq {
                event(missed(&row, self.next_seq..row.seq))?;
            }
            self.next_seq = row.seq + 1;
            event(row)?;
        }
        if told > self.next_seq {
            event(missed(&EventRow::default(), self.next_seq..told))?;
            self.next_seq = told;
        }
        Ok(())
    }
}

/// Stands for events that found no room. It has the number of the first of them.
fn missed(next: &EventRow, range: std::ops::Range<u64>) -> EventRow {
    EventRow {
        seq: range.start,
        uptime_msecs: next.uptime_msecs,
        mesh: next.mesh.clone(),
        kind: "events".into(),
        action: "missed".into(),
        count: Some(range.end - range.start),
        ..EventRow::default()
    }
}
