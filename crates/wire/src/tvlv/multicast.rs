//! MCAST: which multicast frames a node wants besides those its clients asked for (WIRE-92, WIRE-93).

/// The flags of a node. Unknown bits survive a round trip.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct MulticastFlags(pub u8);

impl MulticastFlags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// Wants all unsnoopable multicast: 224.0.0.0/24 and ff02::1.
    pub const WANT_UNSNOOPABLE: Self = Self(0x01);
    /// Wants all IPv4 multicast.
    pub const WANT_IPV4: Self = Self(0x02);
    /// Wants all IPv6 multicast.
    pub const WANT_IPV6: Self = Self(0x04);
    /// Has no IPv4 multicast router.
    pub const NO_ROUTER_IPV4: Self = Self(0x08);
    /// Has no IPv6 multicast router.
    pub const NO_ROUTER_IPV6: Self = Self(0x10);
    /// Understands packet type 0x05, and all its active hard interfaces have an MTU of at least 1280.
    pub const HAVE_PACKETS: Self = Self(0x20);
    /// What a new originator is taken to be before its first OGM with TVLVs.
    pub const INITIAL: Self = Self(0x08 | 0x10 | 0x20);
    /// What an originator is whose OGM has TVLVs, but not this one: an old node that must get everything.
    pub const ABSENT: Self = Self(0x02 | 0x04 | 0x08 | 0x10);
    /// Bytes of the value as it is sent; any length may arrive.
    pub const LEN: usize = 4;

    /// Reads the value of a container of version 2; an empty one says nothing is wanted (WIRE-92). Who wants all of a
    /// family needs no router of it: the flag for that is added (WIRE-93).
    pub fn parse(value: &[u8]) -> Self {
        let mut flags = value.first().map_or(Self::NONE, |byte| Self(*byte));
        if flags.contains(Self::WANT_IPV4) {
            flags = flags.or(Self::NO_ROUTER_IPV4);
        }
        if flags.contains(Self::WANT_IPV6) {
            flags = flags.or(Self::NO_ROUTER_IPV6);
        }
        flags
    }

    /// The value's bytes.
    pub const fn to_bytes(self) -> [u8; Self::LEN] {
        [self.0, 0, 0, 0]
    }

    /// Whether all bits of `flags` are set.
    pub const fn contains(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// Without the bits of `flags`.
    #[must_use]
    pub const fn without(self, flags: Self) -> Self {
        Self(self.0 & !flags.0)
    }

    /// The bits that are set in either.
    #[must_use]
    pub const fn or(self, flags: Self) -> Self {
        Self(self.0 | flags.0)
    }
}
