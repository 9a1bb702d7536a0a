//! Ctrl-C and SIGTERM as something to wait for, so that a command can still say what it has found out.

use crate::failure::{Failure, Outcome};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::SignalFd;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// Signals that end a command; from [`Self::watch`] on they no longer end the process.
#[derive(Debug)]
pub(crate) struct Interrupt(SignalFd);

impl Interrupt {
    /// Takes over SIGINT and SIGTERM.
    ///
    /// # Errors
    /// The system does not let us.
    pub(crate) fn watch() -> Outcome<Self> {
        let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM].into_iter().collect();
        signals
            .thread_block()
            .and_then(|()| SignalFd::new(&signals))
            .map(Self)
            .map_err(|error| Failure::trouble(format!("cannot wait for signals: {error}")))
    }

    /// Waits so long, or until a signal comes; says whether one came.
    pub(crate) fn came_within(&self, time: Duration) -> bool {
        let end = Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
            let waited = poll(&mut fds, timeout(left));
            if fds[0].any() == Some(true) {
                return true;
            }
            if left.is_zero() || waited.is_err() {
                return false;
            }
        }
    }

    /// Waits until `other` can be read or a signal comes; says whether it was the signal.
    pub(crate) fn came_before(&self, other: &impl AsFd) -> bool {
        self.came_before_any([other.as_fd()])
    }

    /// The same with several that can be read.
    pub(crate) fn came_before_any<'a>(
        &'a self,
        others: impl IntoIterator<Item = BorrowedFd<'a>>,
    ) -> bool {
        let ready = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let mut fds = vec![ready(self.0.as_fd())];
        fds.extend(others.into_iter().map(ready));
        loop {
            let waited = poll(&mut fds, PollTimeout::NONE);
            let (signal, others) =
                fds.split_first().map_or((None, &[][..]), |(first, rest)| (first.any(), rest));
            if signal == Some(true) {
                return true;
            }
            if others.iter().any(|fd| fd.any() == Some(true))
                || waited.is_err_and(|errno| errno != nix::errno::Errno::EINTR)
            {
                return false;
            }
        }
    }
}

/// Rounded up, so that the time is over when poll returns; a very long time in pieces.
fn timeout(left: Duration) -> PollTimeout {
    let ms = u32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(u32::MAX);
    PollTimeout::try_from(ms).unwrap_or(PollTimeout::MAX)
}
