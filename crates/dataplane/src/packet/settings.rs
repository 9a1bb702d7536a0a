//! How much memory the `packet` backend takes, and which way frames leave.

/// Fewest slots of a ring: less than a burst of one aggregated Wi-Fi frame would be lost every time.
const FRAMES_MIN: u32 = 16;
/// Most slots of a ring: at 1,500 bytes this is 26 MiB, a tenth of a second at 400,000 frames a second.
const FRAMES_MAX: u32 = 16_384;

/// Settings of one interface's data path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PacketSettings {
    /// Slots of the receive ring, 16 to 16,384 (others are brought into that range). Each takes about the MTU plus 100
    /// bytes of memory. A ring of large (jumbo) frames gets fewer, so that it stays below 32 MiB.
    pub rx_frames: u32,
    /// How many frames can be pushed between two flushes, and how many may wait in the interface's queue; range and
    /// memory as for `rx_frames`.
    pub tx_frames: u32,
    /// Which way frames leave.
    pub transmit: TransmitPath,
    /// Whether to go past the queueing discipline (`PACKET_QDISC_BYPASS`). See the module's text before switching it on.
    pub qdisc_bypass: bool,
}

impl Default for PacketSettings {
    /// 512 frames in (0.8 MiB at an MTU of 1,500; 6 ms of a full 1 Gbit/s link), 256 out, through the queueing discipline.
    fn default() -> Self {
        Self {
            rx_frames: 512,
            tx_frames: 256,
            transmit: TransmitPath::default(),
            qdisc_bypass: false,
        }
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

/// Which way a batch of frames leaves. Both take one system call for a batch.
///
/// Measured on this project's reference machine over veth, one thread, frames of 1,514 bytes in batches of 32: `sendmmsg`
/// 1.2 µs a frame, TX ring 1.4 µs. The ring's promise, to spare the kernel's copy, holds only where the driver takes
/// frames in pieces and keeps them until they are sent: veth copies the pieces when it hands the frame over, and a driver
/// without scatter-gather (most Wi-Fi) has them copied into one. Beyond that the ring has traps that `sendmmsg` has not:
/// a frame that the queue refuses stays at the ring's head and is tried again, old as it is; a frame that the kernel
/// finds bad is skipped without a word; kernels before 4.20 let the receiver of a veth see the slot's next content.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum TransmitPath {
    /// Frames are gathered in our own memory and handed over by one `sendmmsg`. Every refusal is known and counted.
    #[default]
    Batch,
    /// Frames are written into a TPACKET_V2 ring that is mapped, and one `send` makes the kernel walk it. May be the
    /// faster way on a wired card with scatter-gather.
    Ring,
}
