//! Who keeps the distributed ARP table, and which of them an address is kept by (DAT-11 to DAT-15).

use noctule_wire::checksum::{dat_address, dat_key};
use noctule_wire::{Mac, Vid};

/// Nodes that an address is kept by (DAT-14).
pub const DAT_CANDIDATES: usize = 3;

/// The originators that take part, as a ring.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DatRing(Box<[(u16, Mac)]>);

impl DatRing {
    /// The ring of these originators.
    pub fn new(originators: impl IntoIterator<Item = Mac>) -> Self {
        let mut ring: Vec<_> = originators.into_iter().map(|mac| (dat_address(mac), mac)).collect();
        ring.sort_unstable();
        Self(ring.into())
    }

    /// The nodes that an address is kept by, nearest first: at or behind the key, clockwise (DAT-14).
    pub fn candidates(&self, address: [u8; 4], vid: Vid) -> impl Iterator<Item = Mac> + '_ {
        let key = dat_key(address, vid);
        let first = self.0.partition_point(|(place, _)| *place < key);
        let (before, behind) = self.0.split_at(first);
        behind.iter().chain(before).map(|(_, mac)| *mac).take(DAT_CANDIDATES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(last: u8) -> Mac {
        Mac([2, 0, 0, 0, 0, last])
    }

    /// DAT-11 to DAT-14: the worked examples of the page.
    #[test]
    fn dat_11_dat_12_dat_13_dat_14_the_worked_examples() {
        let vlan = |id| Vid::from_tci(id);
        let none = Vid::UNTAGGED;
        #[rustfmt::skip]
        let rows = [
            ([192, 168, 1, 1],    none,     [6, 7, 5]),
            ([192, 168, 1, 1],    vlan(1),  [3, 1, 2]),
            ([192, 168, 1, 100],  none,     [3, 1, 2]),
            ([10, 0, 0, 1],       none,     [7, 5, 3]),
            ([10, 0, 0, 1],       vlan(10), [7, 5, 3]),
            ([10, 20, 6, 243],    none,     [6, 7, 5]),
            ([10, 20, 21, 209],   none,     [4, 6, 7]),
        ];
        let ring = DatRing::new((1..=8).map(mac));
        for (address, vid, expected) in rows {
            let found: Vec<_> = ring.candidates(address, vid).collect();
            assert_eq!(found, expected.map(mac), "{address:?}");
        }
        let key = [192, 168, 1, 1];
        let of = |members: &[Mac]| -> Vec<Mac> {
            DatRing::new(members.iter().copied()).candidates(key, none).collect()
        };
        let twin = Mac([2, 0, 0, 0, 2, 0xb1]);
        let all: Vec<Mac> = (1..=8).map(mac).collect();
        assert_eq!(of(&[&all[..], &[twin]].concat()), [mac(6), twin, mac(7)], "a tie");
        let without_6: Vec<Mac> = all.iter().copied().filter(|m| *m != mac(6)).collect();
        assert_eq!(of(&without_6), [mac(7), mac(5), mac(3)]);
        assert_eq!(of(&all[..2]), [mac(1), mac(2)]);
        assert_eq!(of(&[]), []);
    }
}
