//! GW: "I have an uplink of this size" (WIRE-90).

use crate::ogm2::Throughput;

/// A gateway server's bandwidth. Neither number is 0 when it came from [`Self::parse`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Gateway {
    /// Towards the clients.
    pub down: Throughput,
    /// Towards the uplink.
    pub up: Throughput,
}

impl Gateway {
    /// Bytes of the value; more are ignored on receipt.
    pub const LEN: usize = 8;
    /// 10.0 and 2.0 Mbit/s: what the reference announces if nothing is set.
    pub const DEFAULT: Self = Self { down: Throughput(100), up: Throughput(20) };

    /// Reads the value; `None` means "no gateway", the same as no container at all.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let [d0, d1, d2, d3, u0, u1, u2, u3] = *value.first_chunk::<{ Self::LEN }>()?;
        let down = Throughput(u32::from_be_bytes([d0, d1, d2, d3]));
        let up = Throughput(u32::from_be_bytes([u0, u1, u2, u3]));
        (down.0 != 0 && up.0 != 0).then_some(Self { down, up })
    }

    /// The value's bytes.
    pub const fn to_bytes(self) -> [u8; Self::LEN] {
        let [d0, d1, d2, d3] = self.down.0.to_be_bytes();
        let [u0, u1, u2, u3] = self.up.0.to_be_bytes();
        [d0, d1, d2, d3, u0, u1, u2, u3]
    }
}
