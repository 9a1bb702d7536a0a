//! MCAST_TRACKER: for whom a multicast packet still is (WIRE-62, WIRE-102).

use crate::{Discard, Mac};

/// The destinations of a multicast packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MulticastTracker<'a> {
    slots: &'a [u8],
    /// What follows the list inside the value: 2 zeros or nothing when the sender keeps to WIRE-62, never looked at.
    pub padding: &'a [u8],
}

impl<'a> MulticastTracker<'a> {
    /// Reads the value.
    ///
    /// # Errors
    /// [`Discard::Truncated`] if it is shorter than 2 bytes or than its list: the whole packet is dropped (WIRE-102).
    pub fn parse(value: &'a [u8]) -> Result<Self, Discard> {
        let (count, rest) = value.split_first_chunk::<2>().ok_or(Discard::Truncated)?;
        let len = 6 * usize::from(u16::from_be_bytes(*count));
        let (slots, padding) = rest.split_at_checked(len).ok_or(Discard::Truncated)?;
        Ok(Self { slots, padding })
    }

    /// How many slots the list has, empty ones included.
    pub const fn slot_count(&self) -> usize {
        self.slots.len() / 6
    }

    /// All slots, as they lie there.
    pub fn slots(&self) -> impl ExactSizeIterator<Item = Mac> + Clone + use<'a> {
        let (slots, _) = self.slots.as_chunks::<6>();
        slots.iter().map(|slot| Mac(*slot))
    }

    /// The originators: slots that are neither empty (zero) nor group addresses (WIRE-102).
    pub fn destinations(&self) -> impl Iterator<Item = Mac> + Clone + use<'a> {
        self.slots().filter(|mac| mac.is_station())
    }

    /// Zero bytes behind a list of `count` destinations: the reverse of what one expects, even has padding, odd has
    /// none, so that the packet's header is always 2 modulo 4 (WIRE-62).
    pub const fn padding_len(count: usize) -> usize {
        if count.is_multiple_of(2) { 2 } else { 0 }
    }

    /// Bytes of the value for `count` destinations.
    pub const fn value_len(count: usize) -> usize {
        2 + 6 * count + Self::padding_len(count)
    }

    /// Appends the value (no container header) for these destinations to `out`.
    ///
    /// # Panics
    /// If there are more than 65535 destinations: a bug of the caller.
    pub fn emit(out: &mut Vec<u8>, destinations: &[Mac]) {
        let count = u16::try_from(destinations.len()).expect("destinations are bounded");
        out.extend(count.to_be_bytes());
        for destination in destinations {
            out.extend(destination.0);
        }
        out.extend([0, 0].iter().take(Self::padding_len(destinations.len())));
    }
}
