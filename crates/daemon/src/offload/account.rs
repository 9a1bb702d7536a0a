//! What the kernel forwarded, as a part of the statistics.

use noctule_dataplane::offload::{Counted, Counts};
use noctule_fib::{Counter, Counters, IFACES_MAX, Iface};
use std::sync::{Arc, Mutex, PoisonError};

/// Adds what the kernel forwards to counters of its own: when somebody asks for them, so that it costs nothing otherwise.
#[derive(Debug, Default)]
pub(crate) struct Account {
    counted: Option<Counted>,
    /// What was there when this process started.
    before: [Counts; IFACES_MAX],
    /// What is in the counters.
    added: Mutex<[Counts; IFACES_MAX]>,
    counters: Arc<Counters>,
}

impl Account {
    /// From now on.
    pub(super) fn new(counted: Counted) -> Self {
        let mut before = [Counts::default(); IFACES_MAX];
        for (place, before) in Iface::all().zip(&mut before) {
            *before = counted.counts(place);
        }
        Self { counted: Some(counted), before, added: Mutex::new(before), counters: Arc::default() }
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
        for (place, added) in Iface::all().zip(added.iter_mut()) {
            let now = counted.counts(place);
            let add = |counter, now: u64, before: u64| {
                self.counters.add(counter, now.wrapping_sub(before));
            };
            add(Counter::Forward, now.packets, added.packets);
            add(Counter::ForwardBytes, now.bytes, added.bytes);
            add(Counter::FragFwd, now.fragments, added.fragments);
            add(Counter::FragFwdBytes, now.fragment_bytes, added.fragment_bytes);
            *added = now;
        }
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
