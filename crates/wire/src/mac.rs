//! Ethernet addresses: of hard interfaces, originators and clients.

use core::fmt;
use core::str::FromStr;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// A MAC address, in transmission order.
#[derive(
    Clone,
    Copy,
    Default,
    Eq,
    Hash,
    Ord,
    PartialEq,
    PartialOrd,
    FromBytes,
    Immutable,
    IntoBytes,
    KnownLayout,
    Unaligned,
)]
#[repr(transparent)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// ff:ff:ff:ff:ff:ff.
    pub const BROADCAST: Self = Self([0xff; 6]);
    /// 00:00:00:00:00:00, the address of nobody.
    pub const ZERO: Self = Self([0; 6]);

    /// Whether this is a group address (multicast or broadcast).
    pub const fn is_group(self) -> bool {
        self.0[0] & 1 != 0
    }

    /// Whether all bytes are zero.
    pub const fn is_zero(self) -> bool {
        matches!(self.0, [0, 0, 0, 0, 0, 0])
    }

    /// Whether a station can have this address: neither a group address nor zero (WIRE-10, WIRE-11).
    pub const fn is_station(self) -> bool {
        !self.is_group() && !self.is_zero()
    }

    /// Whether this is a source address of loop-detection frames, `ba:be:…` (WIRE-108): never learned.
    pub const fn is_loop_detect(self) -> bool {
        self.0[0] == 0xba && self.0[1] == 0xbe
    }

    /// The first 6 bytes of `bytes`, or `None` if there are fewer.
    pub fn from_prefix(bytes: &[u8]) -> Option<Self> {
        bytes.first_chunk::<6>().map(|b| Self(*b))
    }
}

impl From<[u8; 6]> for Mac {
    fn from(bytes: [u8; 6]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not six hexadecimal bytes separated by colons.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a MAC address (expected six hexadecimal bytes like 02:ba:00:00:01:01)")]
pub struct BadMac;

impl FromStr for Mac {
    type Err = BadMac;

    fn from_str(text: &str) -> Result<Self, BadMac> {
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts.next().ok_or(BadMac)?;
            if part.is_empty() || part.len() > 2 || part.starts_with('+') {
                return Err(BadMac);
            }
            *byte = u8::from_str_radix(part, 16).map_err(|_| BadMac)?;
        }
        if parts.next().is_some() { Err(BadMac) } else { Ok(Self(bytes)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let mac = Mac([0x02, 0xba, 0, 0, 0x01, 0xff]);
        assert_eq!(mac.to_string(), "02:ba:00:00:01:ff");
        assert_eq!("02:ba:00:00:01:ff".parse(), Ok(mac));
        assert_eq!("2:BA:0:0:1:fF".parse(), Ok(mac), "as people type it");
        let wrong = ["", "02:ba:00:00:01", "02:ba:00:00:01:ff:00", "02:ba:00:00:01:100", "bat0"];
        for text in
            wrong.into_iter().chain(["02:ba:00:00:01:", "+2:ba:00:00:01:ff", "02-ba-00-00-01-ff"])
        {
            assert_eq!(text.parse::<Mac>(), Err(BadMac), "{text}");
        }
    }

    #[test]
    fn wire_10_who_can_be_a_station() {
        assert!(Mac([2, 0, 0, 0, 0, 1]).is_station());
        assert!(!Mac::ZERO.is_station() && Mac::ZERO.is_zero() && !Mac::ZERO.is_group());
        assert!(!Mac::BROADCAST.is_station() && Mac::BROADCAST.is_group());
        assert!(!Mac([0x33, 0x33, 0, 0, 0, 1]).is_station());
        assert!(Mac([0xba, 0xbe, 1, 2, 3, 4]).is_loop_detect(), "WIRE-108");
    }
}
