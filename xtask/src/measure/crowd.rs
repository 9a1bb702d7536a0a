//! A made-up mesh on a real cable, in step with the clock.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use noctule_sim::CrowdSize;

use crate::lab::{FrameSocket, Namespace};

/// A mesh that runs in a thread of its own.
pub(super) struct Crowd {
    end: Arc<AtomicBool>,
    silent: Arc<AtomicBool>,
    /// Its result: how late its OGMs were at most.
    thread: JoinHandle<Result<Duration>>,
}

impl Crowd {
    /// A mesh of this size on the cable `link`.
    pub(super) fn start(namespace: &Namespace, link: &str, size: CrowdSize) -> Result<Self> {
        let mut socket = FrameSocket::open(namespace, link)?;
        let mut cable = Cable::new(0, size)?;
        let end = Arc::new(AtomicBool::new(false));
        let silent = Arc::new(AtomicBool::new(false));
        let (ended, is_silent) = (Arc::clone(&end), Arc::clone(&silent));
        let thread = thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                while let Some(frame) = socket.try_receive()? {
                    let answers = cable.crowd.answers(frame);
                    for answer in answers {
                        socket.send(&answer).context("the cable takes no frame")?;
                    }
                }
                cable.speak(&socket, is_silent.load(Ordering::Relaxed))?;
                let mut ready = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
                poll(&mut ready, PollTimeout::from(2_u8))?;
            }
            Ok(cable.late)
        });
        Ok(Self { end, silent, thread })
    }

    /// Whether its OGMs get lost from now on. Whoever loses them for two seconds looks for other ways.
    pub(super) fn set_silent(&self, silent: bool) {
        self.silent.store(silent, Ordering::Relaxed);
    }

    /// Ends it; returns how late it was at most.
    pub(super) fn stop(self) -> Result<Duration> {
        self.end.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow::anyhow!("the made-up mesh panicked"))?
    }
}

/// A mesh and its clock.
pub(super) struct Cable {
    pub(super) crowd: noctule_sim::Crowd,
    begun: Instant,
    late: Duration,
}

impl Cable {
    pub(super) fn new(family: u8, size: CrowdSize) -> Result<Self> {
        let crowd = noctule_sim::Crowd::new(noctule_wire::Instant::ZERO, family, size)
            .context("no mesh can have this size")?;
        Ok(Self { crowd, begun: Instant::now(), late: Duration::ZERO })
    }

    /// Sends what is due, or lets it get lost.
    pub(super) fn speak(&mut self, socket: &FrameSocket, silent: bool) -> Result<()> {
        let now = u64::try_from(self.begun.elapsed().as_micros())?;
        let now = noctule_wire::Instant::from_micros(now);
        self.late = self.late.max(now.since(self.crowd.next_deadline()));
        while let Some(frame) = self.crowd.frame(now) {
            if silent {
                continue;
            }
            socket.send(&frame).context("the cable takes no frame")?;
        }
        Ok(())
    }
}
