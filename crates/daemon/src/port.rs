//! A receiving socket, and what it dropped by itself.

use noctule_dataplane::link::Receiver;
use noctule_fib::Counters;
use noctule_wire::Discard;

/// The receiving side of a hard interface, for data or for control packets.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) receiver: Receiver,
    /// Dropped frames that are in the counters already.
    accounted: [u64; 4],
}

impl Port {
    pub(crate) fn new(receiver: Receiver) -> Self {
        Self { receiver, accounted: [0; 4] }
    }

    /// Adds what was dropped since the last call to the statistics. A system call: for now and then.
    pub(crate) fn account_drops(&mut self, into: &Counters) {
        let _ = self.receiver.read_kernel_drops();
        let counters = self.receiver.counters();
        let reasons = [
            (Discard::QueueFull, counters.kernel_dropped),
            (Discard::Tagged, counters.tagged),
            (Discard::NotForUs, counters.other_host),
            (Discard::Truncated, counters.truncated + counters.malformed),
        ];
        for ((reason, total), accounted) in reasons.into_iter().zip(&mut self.accounted) {
            for _ in *accounted..total {
                into.discard(reason);
            }
            *accounted = total;
        }
    }
}
