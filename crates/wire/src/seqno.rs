//! Numbers that wrap: sequence numbers and translation-table versions (WIRE-14).

/// A 32-bit sequence number, compared modulo 2^32 (WIRE-14).
///
/// Not `Ord`: serial order is not transitive, so `sort` and `max` would be wrong on it.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct SeqNo(pub u32);

impl SeqNo {
    /// How far `self` is ahead of `older`; negative when it is behind.
    pub const fn ahead_of(self, older: Self) -> i32 {
        self.0.wrapping_sub(older.0).cast_signed()
    }

    /// Whether `self` is older than `other`; a distance of exactly 2^31 is neither older nor newer (WIRE-14).
    pub const fn is_before(self, other: Self) -> bool {
        self.0.wrapping_sub(other.0) > 1 << 31
    }

    /// The next number, wrapping.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// The version of a translation table (TTVN), modulo 256.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Ttvn(pub u8);

impl Ttvn {
    /// Whether `self` is older than `other` in serial arithmetic; a distance of exactly 128 is neither (WIRE-14).
    pub const fn is_before(self, other: Self) -> bool {
        self.0.wrapping_sub(other.0) > 128
    }

    /// The next version, wrapping.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }

    /// The version before, wrapping: what frames to a roaming client carry (TT-112).
    #[must_use]
    pub const fn previous(self) -> Self {
        Self(self.0.wrapping_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_14_serial_order() {
        assert!(Ttvn(255).is_before(Ttvn(0)));
        assert!(Ttvn(129).is_before(Ttvn(0)));
        assert!(!Ttvn(128).is_before(Ttvn(0)) && !Ttvn(0).is_before(Ttvn(128)));
        assert_eq!(SeqNo(1).ahead_of(SeqNo(u32::MAX)), 2);
        assert_eq!(SeqNo(u32::MAX).ahead_of(SeqNo(1)), -2);
        assert!(SeqNo(u32::MAX).is_before(SeqNo(0)) && !SeqNo(0).is_before(SeqNo(u32::MAX)));
        let half = SeqNo(1 << 31);
        assert!(half.next().is_before(SeqNo(0)), "a distance of 2^31 + 1");
        assert!(!half.is_before(SeqNo(0)) && !SeqNo(0).is_before(half));
    }
}
