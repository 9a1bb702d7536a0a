//! Who announces a client: a list that nearly always has one element, and then costs no allocation.

use crate::Learned;
use noctule_wire::tvlv::translation_table::ClientFlags;
use noctule_wire::{Mac, Ttvn};

/// One originator's word about a client (section 9.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Announcement {
    /// Who says so.
    pub(super) originator: Mac,
    /// Version of its table when it said so.
    pub(super) ttvn: Ttvn,
    /// The synchronised flags that it gave (TT-09): these, not those of others, enter its CRC (TT-56).
    pub(super) sync: u8,
    /// How it was learned when it was listed.
    pub(super) how: Learned,
    /// When that was, in whole seconds since the caller's origin: an operator needs no more, and the list stays small.
    pub(super) since: u32,
}

impl Announcement {
    /// The synchronised flags as such.
    pub(super) const fn flags(self) -> ClientFlags {
        ClientFlags::from_wire(self.sync)
    }
}

/// The announcements of one client, newest first (TT-62 step 6).
#[derive(Debug)]
pub(super) enum Announcements {
    /// Exactly one.
    One(Announcement),
    /// None or several.
    Many(Vec<Announcement>),
}

impl Announcements {
    /// Nobody.
    pub(super) const EMPTY: Self = Self::Many(Vec::new());

    pub(super) fn as_slice(&self) -> &[Announcement] {
        match self {
            Self::One(only) => core::slice::from_ref(only),
            Self::Many(list) => list,
        }
    }

    fn as_mut_slice(&mut self) -> &mut [Announcement] {
        match self {
            Self::One(only) => core::slice::from_mut(only),
            Self::Many(list) => list,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }

    /// What `originator` says.
    pub(super) fn of(&self, originator: Mac) -> Option<&Announcement> {
        self.as_slice().iter().find(|announcement| announcement.originator == originator)
    }

    /// Puts in front what a new originator says, or takes over in place what a listed one says now. Returns what that
    /// one said before.
    pub(super) fn set(&mut self, new: Announcement) -> Option<Announcement> {
        let listed =
            self.as_mut_slice().iter_mut().find(|listed| listed.originator == new.originator);
        if let Some(listed) = listed {
            return Some(core::mem::replace(listed, new));
        }
        match self {
            Self::Many(list) if list.is_empty() => *self = Self::One(new),
            Self::Many(list) => list.insert(0, new),
            Self::One(only) => *self = Self::Many(vec![new, *only]),
        }
        None
    }

    /// Takes an originator out, and returns what it said.
    pub(super) fn remove(&mut self, originator: Mac) -> Option<Announcement> {
        match self {
            Self::One(only) if only.originator == originator => {
                let removed = *only;
                *self = Self::EMPTY;
                Some(removed)
            }
            Self::One(_) => None,
            Self::Many(list) => {
                let index = list.iter().position(|listed| listed.originator == originator)?;
                let removed = list.remove(index);
                if let [only] = list[..] {
                    *self = Self::One(only);
                }
                Some(removed)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(number: u8, sync: u8) -> Announcement {
        Announcement {
            originator: Mac([2, 0, 0, 0, 0, number]),
            ttvn: Ttvn(1),
            sync,
            how: Learned::Diff,
            since: 0,
        }
    }

    #[test]
    fn tt_62_new_ones_go_in_front_known_ones_stay_in_place() {
        let mut list = Announcements::EMPTY;
        assert_eq!(list.set(by(1, 0)), None);
        assert_eq!(list.set(by(2, 0)), None);
        assert_eq!(list.set(by(3, 0)), None);
        assert_eq!(list.set(by(2, 0x10)), Some(by(2, 0)));
        assert_eq!(list.as_slice(), [by(3, 0), by(2, 0x10), by(1, 0)]);
        assert_eq!(list.remove(by(3, 0).originator), Some(by(3, 0)));
        assert_eq!(list.remove(by(3, 0).originator), None);
        assert_eq!(list.remove(by(2, 0).originator), Some(by(2, 0x10)));
        assert!(matches!(list, Announcements::One(_)), "back to one without allocation");
        assert_eq!(list.remove(by(2, 0).originator), None);
        assert_eq!(list.remove(by(1, 0).originator), Some(by(1, 0)));
        assert!(list.is_empty());
    }
}
