//! VLAN identifiers as the mesh writes them, and clients, which are keyed by them (WIRE-99, TT-11, TT-14).

use crate::Mac;

/// A VLAN as tables, CRCs and packets name it: 0 is untagged, `0x8000 | id` is tagged (WIRE-99).
///
/// Any 16 bits can be a `Vid`, because old peers announce odd ones; see [`Self::is_valid`].
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Vid(pub u16);

impl Vid {
    /// Frames without an 802.1Q tag, and priority-tagged ones (TT-12).
    pub const UNTAGGED: Self = Self(0);
    const TAGGED: u16 = 0x8000;

    /// The VLAN of an 802.1Q tag's control information; id 0 is a priority tag, hence untagged (TT-12).
    pub const fn from_tci(tci: u16) -> Self {
        match tci & 0x0fff {
            0 => Self::UNTAGGED,
            id => Self(Self::TAGGED | id),
        }
    }

    /// Whether peers may announce it: untagged, or tagged with bits 12 to 14 clear. `0x8000` is valid, since releases
    /// up to 2024.4 announce it (TT-13).
    pub const fn is_valid(self) -> bool {
        self.0 == 0 || self.0 & 0xf000 == Self::TAGGED
    }

    /// The 802.1Q id, `None` for untagged.
    pub const fn id(self) -> Option<u16> {
        if self.0 & Self::TAGGED != 0 { Some(self.0 & 0x0fff) } else { None }
    }
}

/// A client: a MAC address on a VLAN. The same MAC on two VLANs is two clients (TT-14).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Client {
    /// Its address.
    pub mac: Mac,
    /// Where it has that address.
    pub vid: Vid,
}

impl Client {
    /// A client on a VLAN.
    pub const fn new(mac: Mac, vid: Vid) -> Self {
        Self { mac, vid }
    }

    /// A client outside of any VLAN.
    pub const fn untagged(mac: Mac) -> Self {
        Self { mac, vid: Vid::UNTAGGED }
    }
}
