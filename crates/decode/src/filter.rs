//! Which packets are to be shown (MGMT-33).

use noctule_wire::PacketType;

/// Which packets are to be shown; the default is all.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Filter {
    /// Bits of [`Self::BITS`].
    pub types: u16,
    /// Leave out other compat versions.
    pub own_version_only: bool,
}

impl Default for Filter {
    fn default() -> Self {
        Self { types: Self::ALL, own_version_only: false }
    }
}

/// What is no mesh packet.
const OTHER: u16 = 256;

impl Filter {
    /// Every bit.
    pub const ALL: u16 = 2047;
    /// The bits and what they stand for.
    pub const BITS: &'static [(u16, &'static str)] = &[
        (1, "OGM (B.A.T.M.A.N. IV)"),
        (2, "OGM2 (B.A.T.M.A.N. V)"),
        (4, "ELP"),
        (8, "ICMP"),
        (16, "unicast, with two or four addresses"),
        (32, "broadcast"),
        (64, "unicast TVLV"),
        (128, "fragment"),
        (OTHER, "not of the mesh"),
        (512, "network coding"),
        (1024, "multicast"),
    ];

    /// Whether packets of this type are wanted. What no bit stands for is wanted with all.
    pub const fn wants(&self, kind: PacketType) -> bool {
        let bit = match kind {
            PacketType::Ogm => 1,
            PacketType::Ogm2 => 2,
            PacketType::Elp => 4,
            PacketType::Icmp => 8,
            PacketType::Unicast | PacketType::Unicast4Addr => 16,
            PacketType::Broadcast => 32,
            PacketType::UnicastTvlv => 64,
            PacketType::Fragment => 128,
            PacketType::Coded => 512,
            PacketType::Multicast => 1024,
            PacketType::UnknownUnicast(_) | PacketType::Unassigned(_) => {
                return self.types == Self::ALL;
            }
        };
        self.types & bit != 0
    }

    /// Whether frames that are not of the mesh are wanted.
    pub const fn wants_other(&self) -> bool {
        self.types & OTHER != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mgmt_33_each_bit_is_one_kind() {
        let bits: u16 = Filter::BITS.iter().map(|(bit, _)| bit).sum();
        assert_eq!(bits, Filter::ALL);
        let only = |types| Filter { types, own_version_only: false };
        assert!(only(1).wants(PacketType::Ogm) && !only(1).wants(PacketType::Ogm2));
        assert!(only(16).wants(PacketType::Unicast4Addr) && only(16).wants(PacketType::Unicast));
        assert!(only(256).wants_other() && !only(2047 - 256).wants_other());
        assert!(!only(256).wants(PacketType::Icmp) && !only(8).wants(PacketType::Unassigned(9)));
        assert!(Filter::default().wants(PacketType::UnknownUnicast(0x77)));
    }
}
