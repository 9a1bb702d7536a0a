//! Links that delay, lose, repeat and slow down frames: the kernel's `netem` discipline.

use std::io;
use std::time::Duration;

use super::rtnetlink::Route;

/// `TCA_NETEM_RATE`.
const RATE: u16 = 6;
/// `TCA_NETEM_RATE64`.
const RATE64: u16 = 8;
/// `TCA_NETEM_LATENCY64`.
const LATENCY64: u16 = 10;
/// `TCA_NETEM_JITTER64`.
const JITTER64: u16 = 11;
/// Frames that may wait at a time; netem's own default.
const WAITING: u32 = 1000;

/// What becomes of the frames that an interface sends. The default does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Netem {
    /// How long each frame waits.
    pub(crate) delay: Duration,
    /// By how much the delay varies in both directions; frames may overtake each other.
    pub(crate) jitter: Duration,
    /// How many of 100 frames are lost, each by chance of its own.
    pub(crate) loss_percent: f64,
    /// How many of 100 frames are sent twice.
    pub(crate) duplicate_percent: f64,
    /// Bits per second; 0 is as fast as it goes.
    pub(crate) rate_bits: u64,
}

impl Netem {
    /// Loses so many of 100 frames.
    pub(crate) fn loss(percent: f64) -> Self {
        Self { loss_percent: percent, ..Self::default() }
    }

    /// Sets it on the link of that number.
    pub(super) fn set(&self, route: &mut Route, index: u32) -> io::Result<()> {
        // `struct tc_netem_qopt`; the delays follow as attributes, in nanoseconds.
        let words = [0, WAITING, share(self.loss_percent), 0, share(self.duplicate_percent), 0];
        let options = words.map(u32::to_ne_bytes);
        let bytes_per_second = self.rate_bits / 8;
        route.set_discipline(index, "netem", |message| {
            message.nest(libc::TCA_OPTIONS, |message| {
                let message = message
                    .bytes(options.as_flattened())
                    .attribute(LATENCY64, &nanoseconds(self.delay).to_ne_bytes())
                    .attribute(JITTER64, &nanoseconds(self.jitter).to_ne_bytes());
                if bytes_per_second == 0 {
                    return message;
                }
                // `struct tc_netem_rate`: a rate above 32 bits stands in the attribute beside it.
                let short = u32::try_from(bytes_per_second).unwrap_or(u32::MAX);
                let rate = [short, 0, 0, 0].map(u32::to_ne_bytes);
                message
                    .attribute(RATE64, &bytes_per_second.to_ne_bytes())
                    .attribute(RATE, rate.as_flattened())
            })
        })
    }
}

/// A chance in 100 as netem has it: of 2^32 - 1.
fn share(percent: f64) -> u32 {
    (percent.clamp(0.0, 100.0) / 100.0 * f64::from(u32::MAX)).round() as u32
}

fn nanoseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chances_span_the_whole_range() {
        assert_eq!(share(0.0), 0);
        assert_eq!(share(100.0), u32::MAX);
        assert_eq!(share(50.0), 1 << 31);
        assert_eq!(share(250.0), u32::MAX);
    }
}
