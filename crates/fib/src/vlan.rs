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

/// The VLANs in which isolated clients are kept apart (TT-121).
pub type Isolation = VidSet;

/// A set of VLANs; the untagged one counts as one of them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct VidSet {
    untagged: bool,
    tagged: VlanSet,
}

impl VidSet {
    /// Whether this VLAN is in.
    pub fn contains(&self, vid: Vid) -> bool {
        match vid.id() {
            None => self.untagged,
            Some(_) => self.tagged.contains(vid),
        }
    }

    /// Puts it in, or takes it out.
    pub fn set(&mut self, vid: Vid, is_in: bool) {
        let Some(id) = vid.id() else {
            self.untagged = is_in;
            return;
        };
        let (word, bit) = (usize::from(id) / 64 % WORDS, 1 << (id % 64));
        if is_in {
            self.tagged.0[word] |= bit;
        } else {
            self.tagged.0[word] &= !bit;
        }
    }

    /// The tagged VLANs among them, lowest id first.
    pub fn tagged(&self) -> impl Iterator<Item = Vid> + '_ {
        self.tagged.iter()
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

    #[test]
    fn tt_121_each_vlan_has_a_switch_of_its_own_and_so_has_the_untagged_one() {
        let mut isolation = Isolation::default();
        let [untagged, ten, eleven] = [Vid::UNTAGGED, Vid::from_tci(10), Vid::from_tci(11)];
        isolation.set(ten, true);
        assert_eq!(
            [untagged, ten, eleven].map(|vid| isolation.contains(vid)),
            [false, true, false]
        );
        isolation.set(untagged, true);
        isolation.set(ten, false);
        assert_eq!(
            [untagged, ten, eleven].map(|vid| isolation.contains(vid)),
            [true, false, false]
        );
        isolation.set(eleven, true);
        assert_eq!(isolation.tagged().collect::<Vec<_>>(), [eleven]);
    }
}
