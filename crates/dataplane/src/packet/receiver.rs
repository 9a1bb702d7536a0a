//! The receiving half of an interface's data path.

use super::Shared;
use super::error::LinkError;
use super::frame::Skip;
use super::ring::{Lent, RxRing};
use super::transmitter::link_error;
use std::io;
use std::ops::{Deref, DerefMut};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

/// What a [`Receiver`] has counted since it was opened. All but `frames`, `bytes` and `checksum_not_ready` are frames that
/// were dropped.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ReceiveCounters {
    /// Frames handed out.
    pub frames: u64,
    /// Their bytes, outer Ethernet header included.
    pub bytes: u64,
    /// Frames handed out whose inner transport checksum was not filled in yet
    /// ([`RxFrame::checksum_not_ready`]).
    pub checksum_not_ready: u64,
    /// Our own on their way out (only on kernels before 4.20).
    pub outgoing: u64,
    /// Frames with a VLAN tag (IV-35).
    pub tagged: u64,
    /// Frames for another station's address (FWD-62), and frames with a tag of a VLAN that has no device here.
    pub other_host: u64,
    /// Frames that did not fit the ring: longer than the MTU that the data path was opened for, and than the longest that
    /// Wi-Fi carries (2304 bytes behind the Ethernet header).
    pub truncated: u64,
    /// Frames shorter than an Ethernet header.
    pub malformed: u64,
    /// Frames that found no free slot, as of the last [`Receiver::read_kernel_drops`].
    pub kernel_dropped: u64,
}

/// Receives the mesh frames of one interface.
///
/// Wait with poll(2) for `POLLIN` on [`AsFd::as_fd`], then call [`Self::next_frame`] until it has none, or until others
/// should have their turn: `POLLIN` stays. On `POLLERR` call [`Self::take_error`].
#[derive(Debug)]
pub struct Receiver {
    ring: RxRing,
    shared: Arc<Shared>,
    counters: ReceiveCounters,
}

impl AsFd for Receiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.socket.as_fd()
    }
}

impl Receiver {
    pub(super) fn new(ring: RxRing, shared: Arc<Shared>) -> Self {
        Self { ring, shared, counters: ReceiveCounters::default() }
    }

    /// The index of the interface.
    pub fn ifindex(&self) -> u32 {
        self.shared.ifindex
    }

    /// The largest MTU, bytes, whose frames fit the ring: that of [`open`](super::open).
    pub fn mtu_max(&self) -> u32 {
        self.shared.mtu_max
    }

    /// The next plain mesh frame, or `None` if there is none at the moment. Frames that are not plain are dropped and
    /// counted; at most one ring full of them at a time, so a flood of them cannot keep the caller here. No system call.
    pub fn next_frame(&mut self) -> Option<RxFrame<'_>> {
        let lent = self.advance()?;
        Some(RxFrame { ring: &mut self.ring, lent })
    }

    /// The same without a borrow: [`Self::lent`] has the bytes, until [`Self::give_back`] or the next frame.
    pub(crate) fn advance(&mut self) -> Option<Lent> {
        for _ in 0..self.ring.len() {
            match self.ring.take()? {
                Ok(lent) => {
                    self.counters.frames += 1;
                    self.counters.bytes += lent.len as u64;
                    self.counters.checksum_not_ready += u64::from(lent.checksum_not_ready);
                    return Some(lent);
                }
                Err(skip) => *self.counters.of(skip) += 1,
            }
        }
        None
    }

    /// The bytes of the frame that is lent out; empty if none is.
    pub(crate) fn lent(&self) -> &[u8] {
        self.ring.lent()
    }

    /// The same, to be changed in place.
    pub(crate) fn lent_mut(&mut self) -> &mut [u8] {
        self.ring.lent_mut()
    }

    /// Gives the lent frame back to the kernel.
    pub(crate) fn give_back(&mut self) {
        self.ring.give_back();
    }

    /// Takes the pending error after `POLLERR`, which ends it: why the interface carries nothing at the moment, or `None`
    /// if there was none.
    pub fn take_error(&self) -> Option<LinkError> {
        match self.shared.socket.take_error() {
            Ok(()) => None,
            Err(_) => Some(link_error(&self.shared.socket, self.shared.ifindex)),
        }
    }

    /// Asks the kernel how many frames found no free slot, and adds them to the counters. A system call: for now and then.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn read_kernel_drops(&mut self) -> io::Result<()> {
        self.counters.kernel_dropped += u64::from(self.shared.socket.dropped_since_last()?);
        Ok(())
    }

    /// What was counted so far.
    pub fn counters(&self) -> ReceiveCounters {
        self.counters
    }
}

impl ReceiveCounters {
    fn of(&mut self, skip: Skip) -> &mut u64 {
        match skip {
            Skip::Outgoing => &mut self.outgoing,
            Skip::Tagged => &mut self.tagged,
            Skip::OtherHost => &mut self.other_host,
            Skip::Truncated => &mut self.truncated,
            Skip::Malformed => &mut self.malformed,
        }
    }
}

/// A received frame, from its outer Ethernet header on, where the kernel put it. It may be changed in place. The slot goes
/// back to the kernel when this value ends.
#[derive(Debug)]
pub struct RxFrame<'a> {
    ring: &'a mut RxRing,
    lent: Lent,
}

impl RxFrame<'_> {
    /// Whether the sender left the checksum of the payload's TCP or UDP header to a card that this frame never passed
    /// (`TP_STATUS_CSUMNOTREADY`; local frames over veth). Handing it on like that makes the receiver drop it.
    pub fn checksum_not_ready(&self) -> bool {
        self.lent.checksum_not_ready
    }
}

impl Deref for RxFrame<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.ring.lent()
    }
}

impl DerefMut for RxFrame<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.ring.lent_mut()
    }
}

impl Drop for RxFrame<'_> {
    fn drop(&mut self) {
        self.ring.give_back();
    }
}
