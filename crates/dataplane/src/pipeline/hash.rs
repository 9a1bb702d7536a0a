//! A keyed hash for tables whose keys come from the air.

use core::hash::{BuildHasher, Hasher};
use noctule_fib::HashKey;

/// Builds hashers that start from the run's secret.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keyed(pub HashKey);

/// Folds each word into the state by a 128-bit product, as the FIB's map does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyedHasher {
    state: u64,
    multiplier: u64,
}

impl BuildHasher for Keyed {
    type Hasher = KeyedHasher;

    fn build_hasher(&self) -> KeyedHasher {
        let HashKey([state, multiplier]) = self.0;
        KeyedHasher { state, multiplier: multiplier | 1 }
    }
}

fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ (product >> 64) as u64
}

impl Hasher for KeyedHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.state = fold(word ^ self.state, self.multiplier) ^ self.multiplier.rotate_left(32);
    }

    fn finish(&self) -> u64 {
        fold(self.state, self.multiplier.rotate_left(17) | 1)
    }
}
