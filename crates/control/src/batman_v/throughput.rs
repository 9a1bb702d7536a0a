//! Throughput: what a measurement means, its smoothing, and the penalties (sections 5 and 10). Units of 100 kbit/s.

use noctule_wire::ogm2::Throughput;

/// What the system knows of the speed of a link at one moment (V-20 to V-25, section 17).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Measured {
    /// It could not be asked right now (V-24, V-96).
    Busy,
    /// It does not know.
    Unknown,
    /// Wireless, and nobody with that address is associated (V-21).
    NoStation,
    /// Wireless: what the driver expects to get through, kbit/s.
    Expected(u32),
    /// Wireless: rate of the last frames sent, units of 100 kbit/s.
    Bitrate(u32),
    /// Wired: link settings.
    Wired {
        /// Mbit/s; `None` if the driver does not know.
        speed: Option<u32>,
        /// Whether both directions go at once; also `false` if the driver does not know (V-25).
        full_duplex: bool,
    },
}

/// Fastest link that is believed (V-H6): 1 Tbit/s. Sums of it in kbit/s still fit 32 bits.
const THROUGHPUT_MAX: u32 = 10_000_000;

impl Measured {
    /// The sample that it makes; `None`: none at all.
    pub(super) fn sample(self) -> Option<Throughput> {
        let value = match self {
            Self::Busy => return None,
            Self::NoStation => 0,
            Self::Expected(kbit) => kbit / 100,
            Self::Bitrate(rate) => rate / 3,
            Self::Wired { speed: Some(speed), .. } if speed != 0 && speed != u32::MAX => {
                speed.saturating_mul(10)
            }
            Self::Unknown | Self::Wired { .. } => Throughput::DEFAULT.0,
        };
        Some(Throughput(value.min(THROUGHPUT_MAX)))
    }

    /// Whether the default stands in for something better.
    pub(super) fn is_default(self) -> bool {
        match self {
            Self::Unknown => true,
            Self::Wired { speed, .. } => speed.is_none_or(|speed| matches!(speed, 0 | u32::MAX)),
            _ => false,
        }
    }
}

/// A smoothed throughput: exponentially weighted moving average with 10 fraction bits and weight 1/8 (V-27 to V-30).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Average(u64);

impl Average {
    const FRACTION_BITS: u32 = 10;
    const WEIGHT_BITS: u32 = 3;

    /// Takes a sample in. One that has decayed to nothing starts over (V-28).
    pub(super) fn add(&mut self, sample: Throughput) {
        let sample = u64::from(sample.0) << Self::FRACTION_BITS;
        self.0 = if self.0 == 0 {
            sample
        } else {
            ((self.0 << Self::WEIGHT_BITS) - self.0 + sample) >> Self::WEIGHT_BITS
        };
    }

    /// The average; 0 without a sample.
    pub(super) fn get(self) -> Throughput {
        Throughput(u32::try_from(self.0 >> Self::FRACTION_BITS).unwrap_or(u32::MAX))
    }
}

/// What is left of a throughput after a penalty, of which 255 is everything.
fn less(throughput: Throughput, penalty: u8) -> Throughput {
    let left = u64::from(throughput.0) * u64::from(u8::MAX - penalty) / u64::from(u8::MAX);
    Throughput(u32::try_from(left).unwrap_or(u32::MAX))
}

/// How the way to where a record comes from is seen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Onward {
    /// For traffic that starts here: no hop follows (V-62).
    Default,
    /// For traffic that comes in by the very link it leaves by, on which only one speaks at a time (V-63).
    SharedMedium,
    /// For traffic that comes in elsewhere (V-64).
    Other,
}

/// What one view stores of a record (V-61 to V-64).
pub(super) fn after_penalties(
    throughput: Throughput,
    onward: Onward,
    iface_penalty: u8,
    hop_penalty: u8,
) -> Throughput {
    let here = less(throughput, iface_penalty);
    match onward {
        Onward::Default => here,
        Onward::SharedMedium if here > Throughput::DEFAULT => Throughput(here.0 / 2),
        Onward::SharedMedium | Onward::Other => less(here, hop_penalty),
    }
}
