//! TT: what a node's clients are (WIRE-94 to WIRE-100).

use crate::checksum::crc32c_raw;
use crate::{Client, Discard, Mac, Ttvn, Vid};

/// What a TT value is for (TT-01, TT-06).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TtKind {
    /// Low nibble 1: in an OGM, with or without changes.
    OgmDiff,
    /// Low nibble 2.
    Request,
    /// Low nibble 4.
    Response,
    /// Consumed without effect.
    Unknown(u8),
}

/// The flags byte of a TT value: kind and the full-table bit (WIRE-95).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TtFlags(pub u8);

impl TtFlags {
    const FULL: u8 = 0x10;
    /// In every OGM, also without changes (TT-05).
    pub const OGM: Self = Self(0x01);

    /// A request for the last changes or for the full table.
    pub const fn request(full: bool) -> Self {
        Self(if full { 0x02 | Self::FULL } else { 0x02 })
    }

    /// An answer with the last changes or with the full table.
    pub const fn response(full: bool) -> Self {
        Self(if full { 0x04 | Self::FULL } else { 0x04 })
    }

    /// The kind in the low nibble.
    pub const fn kind(self) -> TtKind {
        match self.0 & 0x0f {
            1 => TtKind::OgmDiff,
            2 => TtKind::Request,
            4 => TtKind::Response,
            other => TtKind::Unknown(other),
        }
    }

    /// Whether the full table is meant.
    pub const fn is_full(self) -> bool {
        self.0 & Self::FULL != 0
    }
}

/// Flags of a client (TT-08 to TT-10). Only the low byte exists on the wire.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct ClientFlags(pub u16);

impl ClientFlags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// Change record: removal.
    pub const DEL: Self = Self(0x0001);
    /// The client moved to another node.
    pub const ROAM: Self = Self(0x0002);
    /// The client is on Wi-Fi.
    pub const WIFI: Self = Self(0x0010);
    /// The client is isolated.
    pub const ISOLATED: Self = Self(0x0020);
    /// Never ages: the node's own mesh MAC, multicast listeners. Local only.
    pub const NOPURGE: Self = Self(0x0100);
    /// Not committed yet. Local only.
    pub const NEW: Self = Self(0x0200);
    /// Removal queued, not committed yet. Local only.
    pub const PENDING: Self = Self(0x0400);
    /// Learned from payload, not announced yet. Global table only, never on the wire.
    pub const TEMP: Self = Self(0x0800);
    /// The bits that are the same in the whole mesh and enter the CRC (TT-09).
    pub const SYNC: Self = Self(0x00f0);

    /// Whether all bits of `flags` are set.
    pub const fn contains(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// The bits that are set in both.
    #[must_use]
    pub const fn and(self, flags: Self) -> Self {
        Self(self.0 & flags.0)
    }

    /// The bits that are set in either.
    #[must_use]
    pub const fn or(self, flags: Self) -> Self {
        Self(self.0 | flags.0)
    }

    /// Without the bits of `flags`.
    #[must_use]
    pub const fn without(self, flags: Self) -> Self {
        Self(self.0 & !flags.0)
    }

    /// With the bits of `flags` set or cleared.
    #[must_use]
    pub const fn with(self, flags: Self, on: bool) -> Self {
        if on { self.or(flags) } else { self.without(flags) }
    }

    /// The byte on the wire (TT-08).
    pub const fn wire(self) -> u8 {
        self.0.to_le_bytes()[0]
    }

    /// Flags as a peer sent them: the internal bits are clear.
    pub const fn from_wire(byte: u8) -> Self {
        Self(byte as u16)
    }
}

/// What one client adds (by XOR) to the CRC of its VLAN (WIRE-111, TT-52).
pub fn client_crc(client: Client, flags: ClientFlags) -> u32 {
    let [v0, v1] = client.vid.0.to_be_bytes();
    let [a, b, c, d, e, f] = client.mac.0;
    crc32c_raw(0, &[v0, v1, flags.and(ClientFlags::SYNC).wire(), a, b, c, d, e, f])
}

/// One VLAN of a table, with the CRC over its clients (WIRE-96).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct VlanBlock {
    /// XOR of [`client_crc`] over its clients.
    pub crc: u32,
    /// Which VLAN.
    pub vid: Vid,
}

impl VlanBlock {
    /// Bytes on the wire.
    pub const LEN: usize = 8;
}

/// One client that came, changed or went, or one row of a full table (WIRE-97).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Change {
    /// The byte on the wire: internal flags are never set.
    pub flags: ClientFlags,
    /// Who.
    pub client: Client,
}

impl Change {
    /// Bytes on the wire.
    pub const LEN: usize = 12;
}

/// A TT value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TranslationTable<'a> {
    /// Kind and full-table bit.
    pub flags: TtFlags,
    /// Version of the table.
    pub ttvn: Ttvn,
    vlans: &'a [u8],
    changes: &'a [u8],
}

impl<'a> TranslationTable<'a> {
    /// Bytes before the VLAN blocks.
    pub const HEADER_LEN: usize = 4;

    /// Reads the value.
    ///
    /// # Errors
    /// [`Discard::Truncated`] if it is shorter than its header and VLAN blocks (WIRE-100, TT-02).
    pub fn parse(value: &'a [u8]) -> Result<Self, Discard> {
        let (&[flags, ttvn, n0, n1], rest) =
            value.split_first_chunk::<4>().ok_or(Discard::Truncated)?;
        let vlans_len = VlanBlock::LEN * usize::from(u16::from_be_bytes([n0, n1]));
        let (vlans, changes) = rest.split_at_checked(vlans_len).ok_or(Discard::Truncated)?;
        Ok(Self { flags: TtFlags(flags), ttvn: Ttvn(ttvn), vlans, changes })
    }

    /// How many VLAN blocks there are.
    pub const fn vlan_count(&self) -> usize {
        self.vlans.len() / VlanBlock::LEN
    }

    /// The VLAN blocks.
    pub fn vlans(&self) -> impl ExactSizeIterator<Item = VlanBlock> + Clone + use<'a> {
        let (blocks, _) = self.vlans.as_chunks::<{ VlanBlock::LEN }>();
        blocks.iter().map(|&[c0, c1, c2, c3, v0, v1, _, _]| VlanBlock {
            crc: u32::from_be_bytes([c0, c1, c2, c3]),
            vid: Vid(u16::from_be_bytes([v0, v1])),
        })
    }

    /// The change entries; left-over bytes are ignored (TT-02).
    pub fn changes(&self) -> impl ExactSizeIterator<Item = Change> + Clone + use<'a> {
        let (entries, _) = self.changes.as_chunks::<{ Change::LEN }>();
        entries.iter().map(|&[flags, _, _, _, a, b, c, d, e, f, v0, v1]| Change {
            flags: ClientFlags::from_wire(flags),
            client: Client::new(Mac([a, b, c, d, e, f]), Vid(u16::from_be_bytes([v0, v1]))),
        })
    }

    /// Appends a TT *value* (no container header) to `out`.
    ///
    /// # Panics
    /// If there are more than 65535 VLANs: a bug of the caller.
    pub fn emit(
        out: &mut Vec<u8>,
        flags: TtFlags,
        ttvn: Ttvn,
        vlans: &[VlanBlock],
        changes: impl IntoIterator<Item = Change>,
    ) {
        out.extend([flags.0, ttvn.0]);
        out.extend(u16::try_from(vlans.len()).expect("VLANs are bounded").to_be_bytes());
        for vlan in vlans {
            out.extend(vlan.crc.to_be_bytes());
            out.extend(vlan.vid.0.to_be_bytes());
            out.extend([0, 0]);
        }
        for change in changes {
            out.extend([change.flags.wire(), 0, 0, 0]);
            out.extend(change.client.mac.0);
            out.extend(change.client.vid.0.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_111_client_crcs() {
        let client: Mac = "02:11:11:11:11:11".parse().unwrap();
        let other: Mac = "02:22:22:22:22:22".parse().unwrap();
        assert_eq!(client_crc(Client::untagged(client), ClientFlags::NONE), 0x432f_7757);
        assert_eq!(client_crc(Client::new(client, Vid(0x8005)), ClientFlags::WIFI), 0x113d_7750);
        let both = client_crc(Client::untagged(client), ClientFlags::NONE)
            ^ client_crc(Client::untagged(other), ClientFlags::NONE);
        assert_eq!(both, 0xac08_0e4d);
    }
}
