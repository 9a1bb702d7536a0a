//! What the kernel forwarded, as a part of the statistics.

use noctule_dataplane::offload::{Counted, Counts, HostCounts};
use noctule_fib::{Counter, Counters, IFACES_MAX, Iface};
use noctule_wire::Discard;
use std::sync::{Arc, Mutex, PoisonError};

/// Adds what the kernel forwards to counters of its own: when somebody asks for them, so that it costs nothing otherwise.
#[derive(Debug, Default)]
pub(crate) struct Account {
    counted: Option<Counted>,
    /// What was there when this process started.
    before: [Counts; IFACES_MAX],
    /// What is in the counters.
    added: Mutex<([Counts; IFACES_MAX], HostCounts)>,
    counters: Arc<Counters>,
}

impl Account {
    /// From now on.
    pub(super) fn new(counted: Counted) -> Self {
        let mut before = [Counts::default(); IFACES_MAX];
        for (place, before) in Iface::all().zip(&mut before) {
            *before = counted.counts(place);
        }
        let counted_host = counted.host_counts();
        Self {
            counted: Some(counted),
            before,
            added: Mutex::new((before, counted_host)),
            counters: Arc::default(),
        }
    }

    /// The counters, as of the last call of [`Self::update`].
    pub(crate) fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Brings the counters up to date.
    pub(crate) fn update(&self) {
        let Some(counted) = &self.counted else { return };
        // Whoever holds it is the one thread that adds to the counters.
        let mut added = self.added.lock().unwrap_or_else(PoisonError::into_inner);
        let (arrived, host) = &mut *added;
        let add = |counter, now: u64, before: u64| {
            self.counters.add(counter, now.wrapping_sub(before));
        };
        let now = counted.host_counts();
        add(Counter::Tx, now.sent, host.sent);
        add(Counter::TxBytes, now.sent_bytes, host.sent_bytes);
        add(Counter::Rx, now.delivered, host.delivered);
        add(Counter::RxBytes, now.delivered_bytes, host.delivered_bytes);
        for _ in 0..now.lost.wrapping_sub(host.lost) {
            self.counters.discard(Discard::TransmitFailed);
        }
        *host = now;
        for (place, added) in Iface::all().zip(arrived) {
            let now = counted.counts(place);
            add(Counter::Forward, now.packets, added.packets);
            add(Counter::ForwardBytes, now.bytes, added.bytes);
            add(Counter::FragFwd, now.fragments, added.fragments);
            add(Counter::FragFwdBytes, now.fragment_bytes, added.fragment_bytes);
            *added = now;
        }
    }

    /// What passed between hosts here and the mesh.
    pub(super) fn host(&self) -> HostCounts {
        self.counted.as_ref().map(Counted::host_counts).unwrap_or_default()
    }

    /// Frames and bytes that arrived on an interface and were forwarded, since this process started.
    pub(super) fn since_start(&self, place: Iface) -> (u64, u64) {
        let total = |counts: Counts| {
            let frames = counts.packets.wrapping_add(counts.fragments);
            (frames, counts.bytes.wrapping_add(counts.fragment_bytes))
        };
        let now = self.counted.as_ref().map(|counted| counted.counts(place)).unwrap_or_default();
        let (frames, bytes) = total(now);
        let before = total(self.before.get(place.index()).copied().unwrap_or_default());
        (frames.wrapping_sub(before.0), bytes.wrapping_sub(before.1))
    }
}
