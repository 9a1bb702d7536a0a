//! Typed, versioned, length-tagged values: what OGMs, unicast TVLV and multicast packets carry (WIRE-80 to WIRE-102).

pub mod gateway;
pub mod multicast;
pub mod multicast_tracker;
pub mod roaming;
pub mod translation_table;

use crate::Discard;

/// Bytes in front of every value: type, version, length.
pub const CONTAINER_HEADER_LEN: usize = 4;

/// A (type, version) pair: both together select a handler (WIRE-82, TVLV-01).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Kind {
    /// First byte of a container.
    pub container_type: u8,
    /// Second byte of a container.
    pub version: u8,
}

impl Kind {
    /// Gateway bandwidth.
    pub const GATEWAY: Self = Self { container_type: 1, version: 1 };
    /// Takes part in the distributed ARP table.
    pub const DISTRIBUTED_ARP_TABLE: Self = Self { container_type: 2, version: 1 };
    /// Network coding, historic.
    pub const NETWORK_CODING: Self = Self { container_type: 3, version: 1 };
    /// Translation table.
    pub const TRANSLATION_TABLE: Self = Self { container_type: 4, version: 1 };
    /// Roaming advertisement.
    pub const ROAMING: Self = Self { container_type: 5, version: 1 };
    /// Multicast flags.
    pub const MULTICAST: Self = Self { container_type: 6, version: 2 };
    /// Destinations of a multicast packet.
    pub const MULTICAST_TRACKER: Self = Self { container_type: 7, version: 1 };
}

/// One container.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Container<'a> {
    /// What it is.
    pub kind: Kind,
    /// Its value, an even number of bytes.
    pub value: &'a [u8],
}

/// Walks the containers of a TVLV area (WIRE-81, TVLV-11).
///
/// Ends silently at fewer than 4 bytes. A length that does not fit or is odd yields one `Err` and ends the walk; the
/// containers before it count (TVLV-12).
#[derive(Clone, Debug)]
pub struct Containers<'a> {
    rest: &'a [u8],
}

impl<'a> Containers<'a> {
    /// The containers in `area`.
    pub const fn new(area: &'a [u8]) -> Self {
        Self { rest: area }
    }
}

impl<'a> Iterator for Containers<'a> {
    type Item = Result<Container<'a>, Discard>;

    fn next(&mut self) -> Option<Self::Item> {
        let (&[container_type, version, l0, l1], rest) =
            self.rest.split_first_chunk::<CONTAINER_HEADER_LEN>()?;
        let len = usize::from(u16::from_be_bytes([l0, l1]));
        self.rest = &[];
        if len % 2 != 0 {
            return Some(Err(Discard::OddLength));
        }
        let Some((value, rest)) = rest.split_at_checked(len) else {
            return Some(Err(Discard::Truncated));
        };
        self.rest = rest;
        Some(Ok(Container { kind: Kind { container_type, version }, value }))
    }
}

/// Appends one container to a TVLV area.
///
/// # Errors
/// [`Discard::TooLong`] if the value is longer than 65535 bytes; [`Discard::OddLength`] if it is odd: never sent
/// (TVLV-02). `area` is unchanged then.
pub fn append(area: &mut Vec<u8>, kind: Kind, value: &[u8]) -> Result<(), Discard> {
    let len = u16::try_from(value.len()).map_err(|_| Discard::TooLong)?;
    if len % 2 != 0 {
        return Err(Discard::OddLength);
    }
    area.extend([kind.container_type, kind.version]);
    area.extend(len.to_be_bytes());
    area.extend(value);
    Ok(())
}
