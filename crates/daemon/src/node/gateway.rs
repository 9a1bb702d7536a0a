//! Telling the operator that clients get no address because no gateway is chosen (GW-70).

use noctule_fib::Counters;
use noctule_wire::{Discard, Instant};
use std::sync::Arc;
use std::time::Duration;
use tracing::warn;

/// The log says so at most this often.
const EVERY: Duration = Duration::from_secs(60);

/// Watches what the worker drops.
#[derive(Debug)]
pub(crate) struct WithoutGateway {
    worker: Arc<Counters>,
    seen: u64,
    said: Option<Instant>,
}

impl WithoutGateway {
    /// `worker` counts for the data plane.
    pub(crate) const fn new(worker: Arc<Counters>) -> Self {
        Self { worker, seen: 0, said: None }
    }

    /// Looks, and says so if it must. Tells whether it did.
    pub(super) fn look(&mut self, now: Instant) -> bool {
        let dropped = self.worker.discarded(Discard::NoGateway);
        let due = dropped != self.seen && self.said.is_none_or(|said| said.timed_out(now, EVERY));
        if due {
            warn!(
                requests = dropped - self.seen,
                "DHCP requests are dropped, because no gateway is in reach: start one with --gw-mode server, or use --gw-mode off here"
            );
            self.seen = dropped;
            self.said = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gw_70_the_log_tells_once_a_minute() {
        let counters = Arc::new(Counters::default());
        let mut watched = WithoutGateway::new(Arc::clone(&counters));
        let at = |seconds: u64| Instant::from_millis(seconds * 1000);
        assert!(!watched.look(at(1)), "nothing was dropped");
        counters.discard(Discard::NoGateway);
        assert!(watched.look(at(2)));
        assert!(!watched.look(at(100)), "the same one");
        counters.discard(Discard::NoGateway);
        assert!(watched.look(at(101)));
        counters.discard(Discard::NoGateway);
        assert!(!watched.look(at(102)), "too soon");
        assert!(watched.look(at(162)));
    }
}
