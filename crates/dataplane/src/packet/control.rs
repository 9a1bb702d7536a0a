//! The sending half of an interface's control socket.

use super::error::{LinkError, OpenError, SendError};
use super::transmitter::{link_error, retried};
use super::{ETHERNET_HEADER_LEN, Shared};
use nix::errno::Errno;
use nix::sys::uio::writev;
use std::cell::Cell;
use std::io::IoSlice;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

/// `TC_PRIO_CONTROL`: ahead of everything else in the queueing disciplines that look at priorities (IV-34).
const CONTROL_PRIORITY: libc::c_int = 7;
/// `TC_PRIO_BESTEFFORT`.
const BULK_PRIORITY: libc::c_int = 0;

/// Sends control frames (OGMs) by one interface, one system call each, with the priority of control traffic (IV-34). For
/// the engine's thread: independent of the [`Transmitter`](super::Transmitter), whose frames wait in batches.
#[derive(Debug)]
pub struct ControlSender {
    shared: Arc<Shared>,
    /// The priority that the socket has.
    priority: Cell<libc::c_int>,
}

impl AsFd for ControlSender {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.socket.as_fd()
    }
}

impl ControlSender {
    pub(super) fn new(shared: Arc<Shared>) -> Result<Self, OpenError> {
        let priority = shared.socket.set_priority(CONTROL_PRIORITY);
        priority.map_err(OpenError::system("SO_PRIORITY"))?;
        Ok(Self { shared, priority: Cell::new(CONTROL_PRIORITY) })
    }

    /// The index of the interface.
    pub fn ifindex(&self) -> u32 {
        self.shared.ifindex
    }

    /// Sends one frame, given in pieces that start with the Ethernet header.
    ///
    /// # Errors
    /// [`SendError`]; the frame is lost, the socket is as before.
    pub fn send(&self, parts: &[&[u8]]) -> Result<(), SendError> {
        self.send_as(CONTROL_PRIORITY, parts)
    }

    /// Sends one frame of the throughput meter: with the priority of ordinary traffic, which it is to be like. Changing
    /// from one priority to the other costs a system call.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn send_bulk(&self, parts: &[&[u8]]) -> Result<(), SendError> {
        self.send_as(BULK_PRIORITY, parts)
    }

    fn send_as(&self, priority: libc::c_int, parts: &[&[u8]]) -> Result<(), SendError> {
        if self.priority.get() != priority && self.shared.socket.set_priority(priority).is_ok() {
            self.priority.set(priority);
        }
        let len = parts.iter().map(|part| part.len()).sum();
        if len < ETHERNET_HEADER_LEN {
            return Err(SendError::Length { len });
        }
        let pieces: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
        let send = || retried(|| writev(&self.shared.socket, &pieces));
        // An error of a time before the interface came up again is told once, by the next call.
        let outcome = match send() {
            Err(Errno::ENETDOWN) => send(),
            outcome => outcome,
        };
        match outcome {
            Ok(_) => Ok(()),
            Err(Errno::ENETDOWN) => {
                Err(link_error(&self.shared.socket, self.shared.ifindex).into())
            }
            Err(Errno::ENXIO | Errno::ENODEV) => Err(LinkError::Vanished.into()),
            Err(Errno::EMSGSIZE) => Err(SendError::Length { len }),
            Err(Errno::EAGAIN | Errno::ENOBUFS) => Err(SendError::Busy),
            Err(errno) => Err(SendError::System(errno.into())),
        }
    }
}
