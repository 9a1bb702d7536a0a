//! Randomness from the system: for the hash key, the engine's seed and tools' names.

use std::fs::File;
use std::io::{self, Read};

/// Random bytes.
///
/// # Errors
/// The system has no random source that can be opened.
pub(crate) fn bytes<const LEN: usize>() -> io::Result<[u8; LEN]> {
    let mut bytes = [0; LEN];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Two random numbers, fit for the key of a hash.
///
/// # Errors
/// As [`bytes`].
pub(crate) fn pair() -> io::Result<[u64; 2]> {
    let bytes: [u8; 16] = bytes()?;
    let number =
        |at: usize| bytes[at..at + 8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    Ok([number(0), number(8)])
}
