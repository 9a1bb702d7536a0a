//! A receiving socket, and what it dropped by itself.

use noctule_dataplane::link::Receiver;
use noctule_fib::Counters;
use noctule_wire::Discard;

/// More than the largest ring holds.
const FRAMES_MAX: usize = 1 << 15;

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

    /// In the place of another one of the same interface, which is still open and has had, or counted, all that came until now.
    pub(crate) fn in_place_of_another(receiver: Receiver) -> Self {
        let mut port = Self::new(receiver);
        for _ in 0..FRAMES_MAX {
            if port.receiver.next_frame().is_none() {
                break;
            }
        }
        let _ = port.receiver.read_kernel_drops();
        port.accounted = port.dropped().map(|(_, total)| total);
        port
    }

    /// What was dropped in all.
    fn dropped(&self) -> [(Discard, u64); 4] {
        let counters = self.receiver.counters();
        [
            (Discard::QueueFull, counters.kernel_dropped),
            (Discard::Tagged, counters.tagged),
            (Discard::NotForUs, counters.other_host),
            (Discard::Truncated, counters.truncated + counters.malformed),
        ]
    }

    /// Adds what was dropped since the last call to the statistics. A system call: for now and then.
    pub(crate) fn account_drops(&mut self, into: &Counters) {
        let _ = self.receiver.read_kernel_drops();
        let reasons = self.dropped();
        for ((reason, total), accounted) in reasons.into_iter().zip(&mut self.accounted) {
            for _ in *accounted..total {
                into.discard(reason);
            }
            *accounted = total;
        }
    }
}
