//! Randomness from a seed: jitter, start values. Not for secrets.

use core::time::Duration;

/// A generator of the splitmix64 family: small, seedable, good enough for jitter.
#[derive(Clone, Debug)]
pub struct Rng {
    state: u64,
}

impl Rng {
    /// A generator that always gives the same numbers for the same seed.
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which must not be 0. The bias of the fixed-point product is far below what jitter needs.
    pub fn below(&mut self, bound: u32) -> u32 {
        let product = u64::from(bound) * (self.next_u64() >> 32);
        u32::try_from(product >> 32).unwrap_or(0)
    }

    /// A whole number of milliseconds below `bound_ms`.
    pub fn millis_below(&mut self, bound_ms: u32) -> Duration {
        Duration::from_millis(u64::from(self.below(bound_ms)))
    }
}
