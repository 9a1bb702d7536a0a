//! ROAM: "this client is with me now" (WIRE-101, TT-07).

use crate::{Client, Discard, Mac, Vid};

/// A roaming advertisement's value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Roaming {
    /// Who moved.
    pub client: Client,
}

impl Roaming {
    /// Bytes of the value; more are ignored on receipt.
    pub const LEN: usize = 8;

    /// Reads the value.
    ///
    /// # Errors
    /// [`Discard::Truncated`] below 8 bytes.
    pub fn parse(value: &[u8]) -> Result<Self, Discard> {
        let [a, b, c, d, e, f, v0, v1] = *value.first_chunk::<8>().ok_or(Discard::Truncated)?;
        Ok(Self { client: Client::new(Mac([a, b, c, d, e, f]), Vid(u16::from_be_bytes([v0, v1]))) })
    }

    /// The value's bytes.
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let [a, b, c, d, e, f] = self.client.mac.0;
        let [v0, v1] = self.client.vid.0.to_be_bytes();
        [a, b, c, d, e, f, v0, v1]
    }
}
