//! What lies between two interfaces, as data.

use core::time::Duration;

/// One direction of a link.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// Of 1,000,000 frames, how many get lost.
    pub loss_ppm: u32,
    /// How long a frame travels.
    pub delay: Duration,
    /// Up to this much is added to the delay, uniformly; frames may overtake each other.
    pub jitter: Duration,
    /// Frames longer than this, Ethernet header not included, are lost.
    pub mtu: u32,
    /// Whether frames pass at all.
    pub connected: bool,
}

impl Link {
    /// No loss, 100 µs.
    pub const fn wired() -> Self {
        Self {
            loss_ppm: 0,
            delay: Duration::from_micros(100),
            jitter: Duration::ZERO,
            mtu: 1500,
            connected: true,
        }
    }

    /// The same with a loss given in percent.
    #[must_use]
    pub const fn losing(self, percent: u32) -> Self {
        Self { loss_ppm: percent * 10_000, ..self }
    }

    /// The same with another delay.
    #[must_use]
    pub const fn delayed(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// The same with another MTU.
    #[must_use]
    pub const fn with_mtu(self, mtu: u32) -> Self {
        Self { mtu, ..self }
    }
}
