//! Where the pipeline's frames go: into the transmitters of the hard interfaces, to the host, to the engine.

use super::Punts;
use crate::wake::Wake;
use crossbeam_channel::Sender;
use noctule_dataplane::link::Transmitter;
use noctule_dataplane::packet::PushError;
use noctule_dataplane::segmentation::{Coalescer, ForHost};
use noctule_dataplane::tap::{Tap, WriteError};
use noctule_dataplane::{Hint, Outlet};
use noctule_fib::{Counters, IFACES_MAX, Iface};
use noctule_wire::Discard;
use std::sync::Arc;

/// How a worker reaches another one.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    passed: Punts<Option<Iface>>,
    wake: Wake,
    /// Whether it has something new to look at.
    told: bool,
}

impl Peer {
    pub(crate) const fn new(passed: Punts<Option<Iface>>, wake: Wake) -> Self {
        Self { passed, wake, told: false }
    }
}

/// The worker's way out. Frames wait in the transmitters until [`Self::flush`].
#[derive(Debug)]
pub(super) struct WorkerOutlet {
    transmitters: [Option<Transmitter>; IFACES_MAX],
    tap: Arc<Tap>,
    counters: Arc<Counters>,
    punts: Punts,
    hints: Sender<Hint>,
    engine: Wake,
    /// Whether the engine has something new to look at.
    told: bool,
    /// All workers of the node, this one included.
    workers: Vec<Peer>,
    /// TCP segments for the host that wait for others until [`Self::flush_host`].
    coalescer: Coalescer,
}

impl WorkerOutlet {
    pub(super) fn new(
        tap: Arc<Tap>,
        counters: Arc<Counters>,
        punts: Punts,
        hints: Sender<Hint>,
        engine: Wake,
        workers: Vec<Peer>,
    ) -> Self {
        let transmitters = [const { None }; IFACES_MAX];
        Self {
            transmitters,
            tap,
            counters,
            punts,
            hints,
            engine,
            told: false,
            workers,
            coalescer: Coalescer::default(),
        }
    }

    pub(super) fn set_transmitter(&mut self, iface: Iface, transmitter: Option<Transmitter>) {
        self.transmitters[iface.index()] = transmitter;
    }

    pub(super) fn set_mtu(&mut self, iface: Iface, mtu: u32) {
        if let Some(transmitter) = &mut self.transmitters[iface.index()] {
            transmitter.set_mtu(mtu);
        }
    }

    /// Hands to the host what waits for it.
    pub(super) fn flush_host(&mut self) {
        let Self { tap, counters, coalescer, .. } = self;
        coalescer.flush(&mut |it| write(tap, counters, it));
    }

    /// Sends what waits, and wakes the engine and the other workers if they have got something.
    pub(super) fn flush(&mut self) {
        for transmitter in self.transmitters.iter_mut().flatten() {
            if transmitter.waiting() > 0 {
                flush(transmitter, &self.counters);
            }
        }
        if std::mem::take(&mut self.told) {
            self.engine.wake();
        }
        for peer in &mut self.workers {
            if std::mem::take(&mut peer.told) {
                peer.wake.wake();
            }
        }
    }
}

/// Hands to the host what may have been several frames of the mesh; what it does not take is counted.
fn write(tap: &Tap, counters: &Counters, it: ForHost<'_>) {
    match tap.write_offloaded(&it.header, &[it.frame]) {
        // A mesh interface that is down is nobody's loss (FWD-12).
        Ok(()) | Err(WriteError::Down) => {}
        Err(_) => (0..it.count).for_each(|_| counters.discard(Discard::HostBusy)),
    }
}

/// Sends what waits; what the interface refuses is counted.
fn flush(transmitter: &mut Transmitter, counters: &Counters) {
    let refused_before = transmitter.counters().refused;
    // Why the interface carries nothing, netlink tells the engine.
    let _ = transmitter.flush();
    for _ in refused_before..transmitter.counters().refused {
        counters.discard(Discard::TransmitFailed);
    }
}

impl Outlet for WorkerOutlet {
    fn transmit(&mut self, iface: Iface, priority: u8, parts: &[&[u8]]) -> Result<(), Discard> {
        let transmitter = self.transmitters[iface.index()].as_mut().ok_or(Discard::Inactive)?;
        let mut outcome = transmitter.push(priority, parts);
        if outcome == Err(PushError::Full) {
            flush(transmitter, &self.counters);
            outcome = transmitter.push(priority, parts);
        }
        outcome.map_err(|error| match error {
            PushError::Full => Discard::QueueFull,
            PushError::TooLong { .. } => Discard::TooLong,
            PushError::TooShort { .. } => Discard::Malformed,
        })
    }

    fn deliver(&mut self, parts: &[&[u8]]) -> Result<(), Discard> {
        let Self { tap, counters, coalescer, .. } = self;
        if let [frame] = parts
            && tap.offloads()
        {
            coalescer.push(frame, &mut |it| write(tap, counters, it));
            return Ok(());
        }
        // What waits from before it was switched off goes first.
        coalescer.flush(&mut |it| write(tap, counters, it));
        match tap.write_parts(parts) {
            // A mesh interface that is down is nobody's loss (FWD-12).
            Ok(()) | Err(WriteError::Down) => Ok(()),
            Err(_) => Err(Discard::HostBusy),
        }
    }

    fn punt(&mut self, iface: Iface, frame: &[u8]) -> Result<(), Discard> {
        self.told = true;
        self.punts.push(iface, frame)
    }

    fn hint(&mut self, hint: Hint) -> Result<(), Discard> {
        self.told = true;
        self.hints.try_send(hint).map_err(|_| Discard::QueueFull)
    }

    fn pass_on(
        &mut self,
        worker: usize,
        iface: Option<Iface>,
        frame: &[u8],
    ) -> Result<(), Discard> {
        let peer = self.workers.get_mut(worker).ok_or(Discard::QueueFull)?;
        peer.told = true;
        peer.passed.push(iface, frame)
    }
}
