//! Transmission quality: the arithmetic of sections 7 and 8 (IV-61 to IV-64, IV-69), and the penalty of a hop (IV-83).
//!
//! Whole numbers everywhere, divisions truncate: peers compute the same values.

use super::window::Window;

/// Full quality, and the divisor of every penalty (TQ_MAX).
const TQ_MAX: u32 = 255;

/// How much of what we send arrives at a neighbour, estimated from how many of our OGMs came back, out of as many as we
/// heard of it (IV-61). 0 to 255.
pub(super) const fn own_quality(echoed: u32, received: u32) -> u32 {
    let echoed = if echoed < received { echoed } else { received };
    if echoed == 0 { 0 } else { TQ_MAX * echoed / received }
}

/// What is left for a link of whose OGMs we heard `received` of 64: links that we hear badly are pushed down (IV-62).
pub(super) const fn asymmetry(received: u32) -> u32 {
    const LEN: u32 = Window::LEN.cast_unsigned();
    let missed = LEN.saturating_sub(received);
    TQ_MAX - TQ_MAX * missed * missed * missed / (LEN * LEN * LEN)
}

/// What is left behind an interface with this penalty (IV-63). `half_duplex`: the node's hop penalty if the record may
/// leave by the same wireless interface that it came in by.
pub(super) const fn interface_quality(penalty: u8, half_duplex: Option<u8>) -> u32 {
    let quality = TQ_MAX - penalty as u32;
    match half_duplex {
        Some(hop_penalty) => quality * (TQ_MAX - hop_penalty as u32) / TQ_MAX,
        None => quality,
    }
}

/// Quality of the way a record stands for, our last link included (IV-64): one division at the end.
pub(super) fn record_quality(tq: u8, own: u32, asymmetry: u32, interface: u32) -> u8 {
    let product = u32::from(tq) * own * asymmetry * interface;
    u8::try_from(product / (TQ_MAX * TQ_MAX * TQ_MAX)).unwrap_or(u8::MAX)
}

/// What a forwarded record announces (IV-83, FWD-131).
pub(super) fn after_hop(tq: u8, hop_penalty: u8) -> u8 {
    let product = u32::from(tq) * (TQ_MAX - u32::from(hop_penalty));
    u8::try_from(product / TQ_MAX).unwrap_or(u8::MAX)
}

/// The last five qualities by one way, a zero for each OGM that came by another way only (IV-67 to IV-69).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct TqRing {
    slots: [u8; Self::LEN],
    next: u8,
    average: u8,
}

impl TqRing {
    /// GLOBAL_WIN.
    const LEN: usize = 5;

    /// Overwrites the oldest quality.
    pub(super) fn push(&mut self, tq: u8) {
        self.slots[usize::from(self.next) % Self::LEN] = tq;
        self.next = (self.next + 1) % Self::LEN as u8;
        let (sum, count) = self
            .slots
            .iter()
            .filter(|tq| **tq != 0)
            .fold((0_u16, 0_u16), |(sum, count), tq| (sum + u16::from(*tq), count + 1));
        self.average = sum.checked_div(count).and_then(|tq| u8::try_from(tq).ok()).unwrap_or(0);
    }

    /// Mean of the slots that are not zero; 0 without any: zeros age values out, they do not lower them.
    pub(super) const fn average(&self) -> u8 {
        self.average
    }
}
