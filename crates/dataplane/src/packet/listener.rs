//! Listening to an interface without taking part: for tools that show or keep frames.

use super::error::{LinkError, OpenError};
use super::socket::PacketSocket;
use super::transmitter::{link_error, retried};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv, setsockopt, sockopt};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// `ETH_P_ALL`.
const EVERYTHING: u16 = 3;
/// What may wait until it is read, bytes.
const WAITING: usize = 4 << 20;

/// Shows the frames that an interface receives and sends. Its descriptor can be read when one waits.
///
/// The kernel has taken the outermost VLAN tag out of what it received; frames of the mesh have none.
#[derive(Debug)]
pub struct Listener {
    socket: PacketSocket,
    ifindex: u32,
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Listener {
    /// Listens to the interface with this index. (A socket for one ethertype would not be shown what is sent.) Needs
    /// `CAP_NET_RAW`.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(ifindex: u32) -> Result<Self, OpenError> {
        let socket = PacketSocket::unbound()?;
        // Less is no error: then frames are lost earlier where nobody reads.
        if setsockopt(&socket, sockopt::RcvBufForce, &WAITING).is_err() {
            let _ = setsockopt(&socket, sockopt::RcvBuf, &WAITING);
        }
        socket.bind(ifindex, EVERYTHING)?;
        Ok(Self { socket, ifindex })
    }

    /// Copies the next frame into `buffer`, as much of it as fits; `None` if none waits.
    ///
    /// # Errors
    /// [`LinkError`]: the interface is down, which passes, or gone.
    pub fn next_frame(&self, buffer: &mut [u8]) -> Result<Option<usize>, LinkError> {
        match retried(|| recv(self.socket.as_fd().as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT)) {
            Ok(len) => Ok(Some(len)),
            Err(Errno::ENETDOWN | Errno::ENXIO | Errno::ENODEV) => {
                Err(link_error(&self.socket, self.ifindex))
            }
            // Nothing waits, or the kernel has no memory at the moment.
            Err(_) => Ok(None),
        }
    }
}
