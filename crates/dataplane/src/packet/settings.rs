//! How much memory the `packet` backend takes, and whether it goes past the queueing discipline.

/// Fewest slots of a ring: less than a burst of one aggregated Wi-Fi frame would be lost every time.
const FRAMES_MIN: u32 = 16;
/// Most slots of a ring: at 1,500 bytes this would be 39 MiB, a tenth of a second at 400,000 frames a second.
const FRAMES_MAX: u32 = 16_384;

/// Settings of one interface's data path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PacketSettings {
    /// Slots of the receive ring, 16 to 16,384 (others are brought into that range). Each takes about 2,400 bytes of memory,
    /// or the MTU plus 100 where that is more. A ring gets fewer if it would exceed 32 MiB.
    pub rx_frames: u32,
    /// How many frames can be pushed between two flushes, and how many may wait in the interface's queue; the same range.
    /// Each takes about the MTU plus 20 bytes of memory.
    pub tx_frames: u32,
    /// Whether to go past the queueing discipline (`PACKET_QDISC_BYPASS`). See the module's text before switching it on.
    pub qdisc_bypass: bool,
    /// Whether OGMs and ELP packets are left to a control socket ([`open_control`](super::open_control)) of the same
    /// interface.
    pub control_apart: bool,
}

impl Default for PacketSettings {
    /// 512 frames in (1.2 MiB; 6 ms of a full 1 Gbit/s link), 256 out, through the queueing discipline; all mesh frames.
    fn default() -> Self {
        Self { rx_frames: 512, tx_frames: 256, qdisc_bypass: false, control_apart: false }
    }
}

impl PacketSettings {
    /// The same with each number in its range.
    pub(super) fn bounded(&self) -> Self {
        Self {
            rx_frames: self.rx_frames.clamp(FRAMES_MIN, FRAMES_MAX),
            tx_frames: self.tx_frames.clamp(FRAMES_MIN, FRAMES_MAX),
            ..*self
        }
    }
}
