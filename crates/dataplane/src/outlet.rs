//! Where frames and hints leave the pipeline: the one door between "what becomes of a frame" and whoever does the I/O.

use noctule_fib::{BridgeNews, Iface};
use noctule_wire::{Client, Discard, Mac};

/// Something the data plane saw that the engine may want to know. A hint may be lost, a frame may not (the engine learns
/// from the next frame).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Hint {
    /// A frame from the host side has a source that the local table does not hold as ours, or holds as leaving (TT-16).
    Local(Client),
    /// Payload from the mesh shows that `client` is behind `originator`, and the global table does not know (TT-101).
    Remote {
        /// Inner source.
        client: Client,
        /// Who sent it into the mesh.
        originator: Mac,
    },
    /// Something about the LAN behind the mesh interface.
    Bridge(BridgeNews),
}

/// Takes what the pipeline puts out. The daemon writes to rings and the TAP, the simulator to virtual links, a bench to
/// nowhere.
pub trait Outlet {
    /// Sends one frame, given in pieces that start with the outer Ethernet header, by a hard interface. `priority` is the
    /// 802.1d priority of what is inside, 0 to 7, 0 also for what shows none. It is not on the wire: it chooses the queue
    /// that the frame waits in, here and in the air (FWD-44).
    ///
    /// # Errors
    /// The reason to count: [`Discard::QueueFull`], [`Discard::TooLong`], [`Discard::TransmitFailed`].
    fn transmit(&mut self, iface: Iface, priority: u8, parts: &[&[u8]]) -> Result<(), Discard>;

    /// Hands one Ethernet frame to the host by the mesh interface, given in pieces.
    ///
    /// # Errors
    /// The reason to count: [`Discard::HostBusy`].
    fn deliver(&mut self, parts: &[&[u8]]) -> Result<(), Discard>;

    /// Hands a control packet to the engine, with its outer Ethernet header.
    ///
    /// # Errors
    /// [`Discard::QueueFull`].
    fn punt(&mut self, iface: Iface, frame: &[u8]) -> Result<(), Discard>;

    /// Tells the engine about a client. A full queue loses the hint.
    ///
    /// # Errors
    /// [`Discard::QueueFull`].
    fn hint(&mut self, hint: Hint) -> Result<(), Discard>;

    /// Hands a frame to another worker of this node: one from a hard interface with its outer Ethernet header, or, without
    /// `iface`, one of the host. An outlet that is the only one of its node is never asked to.
    ///
    /// # Errors
    /// [`Discard::QueueFull`].
    fn pass_on(
        &mut self,
        worker: usize,
        iface: Option<Iface>,
        frame: &[u8],
    ) -> Result<(), Discard> {
        let _ = (worker, iface, frame);
        Err(Discard::QueueFull)
    }
}
