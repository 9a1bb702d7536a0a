//! Waking a thread that waits in `poll`: an eventfd that is written once, however many have something for the thread.

use nix::sys::eventfd::{EfdFlags, EventFd};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Wakes one thread. Copies wake the same thread.
#[derive(Clone, Debug)]
pub(crate) struct Wake(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    event: EventFd,
    /// Set from the first [`Wake::wake`] until the thread has noticed.
    pending: AtomicBool,
}

impl Wake {
    pub(crate) fn new() -> io::Result<Self> {
        let event = EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?;
        Ok(Self(Arc::new(Inner { event, pending: AtomicBool::new(false) })))
    }

    /// Makes the thread look at its queues. Costs a system call only if nobody did since it last looked.
    pub(crate) fn wake(&self) {
        if !self.0.pending.swap(true, Ordering::AcqRel) {
            // It can fail only when the counter is at its limit, and then the thread wakes anyway.
            let _ = self.0.event.write(1);
        }
    }

    /// The thread has noticed. Call before looking at the queues: whatever is put there afterwards wakes again.
    pub(crate) fn clear(&self) {
        if self.0.pending.load(Ordering::Acquire) {
            let _ = self.0.event.read();
            self.0.pending.store(false, Ordering::Release);
        }
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.event.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    fn is_awake(wake: &Wake) -> bool {
        poll(&mut [PollFd::new(wake.as_fd(), PollFlags::POLLIN)], PollTimeout::ZERO).unwrap() == 1
    }

    #[test]
    fn many_wakes_are_one_and_none_is_lost() {
        let wake = Wake::new().unwrap();
        assert!(!is_awake(&wake));
        wake.wake();
        wake.clone().wake();
        assert!(is_awake(&wake));
        wake.clear();
        assert!(!is_awake(&wake), "both were seen");
        wake.clear();
        wake.wake();
        assert!(is_awake(&wake), "clearing without need takes nothing away");
    }
}
