//! The VLANs that there are on the mesh interface.

use noctule_wire::Vid;

/// A set of 802.1Q ids, 0 to 4095; untagged frames are always in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VlanSet([u64; WORDS]);

/// 4096 ids.
const WORDS: usize = 64;

impl Default for VlanSet {
    fn default() -> Self {
        Self([0; WORDS])
    }
}

impl VlanSet {
    /// Whether frames of this VLAN may enter the mesh (TT-30).
    pub fn contains(&self, vid: Vid) -> bool {
        vid.id().is_none_or(|id| self.0[usize::from(id) / 64 % WORDS] >> (id % 64) & 1 != 0)
    }

    /// The VLANs, lowest id first, the untagged one not among them.
    pub fn iter(&self) -> impl Iterator<Item = Vid> + '_ {
        (1..=0x0fff).map(Vid::from_tci).filter(|vid| self.contains(*vid))
    }
}

impl FromIterator<u16> for VlanSet {
    /// Of 802.1Q ids; what is none, and 0, which is no VLAN (TT-29), is left out.
    fn from_iter<I: IntoIterator<Item = u16>>(ids: I) -> Self {
        let mut set = Self::default();
        for id in ids.into_iter().filter(|id| (1..=0x0fff).contains(id)) {
            set.0[usize::from(id) / 64] |= 1 << (id % 64);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tt_29_ids_are_in_or_not_and_zero_is_no_vlan() {
        let set: VlanSet = [0, 1, 64, 4095, 4096, 0xffff].into_iter().collect();
        let ids: Vec<_> = set.iter().filter_map(Vid::id).collect();
        assert_eq!(ids, [1, 64, 4095]);
        assert!(set.contains(Vid::UNTAGGED) && !set.contains(Vid::from_tci(2)));
        assert!(!set.contains(Vid(0x8000)) && !VlanSet::default().contains(Vid::from_tci(1)));
    }
}
