//! A plain socket for control traffic of one interface.

use super::ETHERNET_HEADER_LEN;
use super::error::{LinkError, OpenError, SendError};
use super::socket::PacketSocket;
use super::transmitter::{link_error, retried};
use nix::errno::Errno;
use nix::sys::uio::writev;
use std::io::IoSlice;
use std::os::fd::{AsFd, BorrowedFd};

/// `TC_PRIO_CONTROL`: ahead of everything else in the queueing disciplines that look at priorities (IV-34).
const CONTROL_PRIORITY: libc::c_int = 7;

/// Sends control frames (OGMs) by one interface, one system call each, with the priority of control traffic (IV-34). It
/// receives nothing. For the engine's thread: independent of the [`Transmitter`](super::Transmitter), whose frames wait
/// in batches.
#[derive(Debug)]
pub struct ControlSender {
    socket: PacketSocket,
    ifindex: u32,
}

impl AsFd for ControlSender {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl ControlSender {
    /// Opens it on the interface with index `ifindex`, which may be down.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(ifindex: u32) -> Result<Self, OpenError> {
        let socket = PacketSocket::unbound()?;
        socket.set_priority(CONTROL_PRIORITY).map_err(OpenError::system("SO_PRIORITY"))?;
        socket.bind(ifindex, 0)?;
        Ok(Self { socket, ifindex })
    }

    /// The index of the interface.
    pub fn ifindex(&self) -> u32 {
        self.ifindex
    }

    /// Sends one frame, given in pieces that start with the Ethernet header.
    ///
    /// # Errors
    /// [`SendError`]; the frame is lost, the socket is as before.
    pub fn send(&self, parts: &[&[u8]]) -> Result<(), SendError> {
        let len = parts.iter().map(|part| part.len()).sum();
        if len < ETHERNET_HEADER_LEN {
            return Err(SendError::Length { len });
        }
        let pieces: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
        let send = || retried(|| writev(&self.socket, &pieces));
        // An error of a time before the interface came up again is told once, by the next call.
        let outcome = match send() {
            Err(Errno::ENETDOWN) => send(),
            outcome => outcome,
        };
        match outcome {
            Ok(_) => Ok(()),
            Err(Errno::ENETDOWN) => Err(link_error(&self.socket, self.ifindex).into()),
            Err(Errno::ENXIO | Errno::ENODEV) => Err(LinkError::Vanished.into()),
            Err(Errno::EMSGSIZE) => Err(SendError::Length { len }),
            Err(Errno::EAGAIN | Errno::ENOBUFS) => Err(SendError::Busy),
            Err(errno) => Err(SendError::System(errno.into())),
        }
    }
}
