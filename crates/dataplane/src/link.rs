//! The data path of a hard interface, by whichever backend: a [`Receiver`] and a [`Transmitter`] for each worker, and nobody
//! behind them must know by what frames come and go.
//!
//! By AF_PACKET each worker has its share of the frames, where the kernel can sort them. By AF_XDP the first worker receives
//! them all and passes on what belongs to others, and each worker sends by itself.

use crate::packet::{
    self, Flushed, LinkError, OpenError, PacketSettings, PushError, ReceiveCounters,
    TransmitCounters,
};
use crate::xdp::{self, Mode, Unsuitable, XdpSettings};
use std::io;
use std::ops::{Deref, DerefMut};
use std::os::fd::{AsFd, BorrowedFd};

/// Places for frames that AF_XDP leaves to the packet socket: few come.
const ODD_FRAMES: u32 = 64;
/// Descriptors of one interface that must be waited for.
pub const FDS_MAX: usize = 2;

/// By which backend an interface's frames come and go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Backend {
    /// AF_PACKET.
    Packet,
    /// AF_XDP.
    Xdp(Mode),
}

impl Backend {
    /// As people are told.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Packet => "packet",
            Self::Xdp(Mode::ZeroCopy) => "xdp, zero-copy",
            Self::Xdp(Mode::Native) => "xdp, native",
            Self::Xdp(Mode::Generic) => "xdp, generic",
        }
    }
}

/// One worker's part of a data path.
#[derive(Debug)]
pub struct Path {
    /// Where frames come from; `None`: other workers have them all.
    pub receiver: Option<Receiver>,
    /// Where they leave.
    pub transmitter: Transmitter,
}

impl From<packet::Path> for Path {
    fn from(path: packet::Path) -> Self {
        Self {
            receiver: path.receiver.map(Receiver::Packet),
            transmitter: Transmitter::Packet(path.transmitter),
        }
    }
}

/// An open data path.
#[derive(Debug)]
pub struct Link {
    /// The part of each worker. The first one always receives.
    pub paths: Vec<Path>,
    /// By what.
    pub backend: Backend,
    /// Why not by AF_XDP, where that was asked for.
    pub because: Option<Unsuitable>,
}

impl Link {
    /// The largest MTU, bytes, whose frames are taken.
    pub fn mtu_max(&self) -> u32 {
        let receivers = self.paths.iter().filter_map(|path| path.receiver.as_ref());
        receivers.map(Receiver::mtu_max).min().unwrap_or_default()
    }

    /// Whether the kernel could not sort the frames, and may be able to when the interface has its carrier
    /// ([`packet::open_shared`]).
    pub fn is_unshared(&self) -> bool {
        self.backend == Backend::Packet && self.paths.iter().any(|path| path.receiver.is_none())
    }
}

/// Opens the data path of an interface for so many workers, as [`packet::open_shared`] does; by AF_XDP, where that is asked
/// for and can be done.
///
/// # Errors
/// [`OpenError`]; nothing is left behind.
pub fn open(
    ifindex: u32,
    mtu: u32,
    settings: &PacketSettings,
    xdp: Option<XdpSettings>,
    workers: usize,
) -> Result<Link, OpenError> {
    let opened = xdp.map(|asked| xdp::Opened::new(ifindex, mtu, settings, asked)).transpose();
    let because = match opened {
        Ok(Some(opened)) => return in_front(opened, ifindex, mtu, settings, workers),
        Ok(None) => None,
        Err(reason) => Some(reason),
    };
    let paths = packet::open_shared(ifindex, mtu, settings, workers)?;
    let paths = paths.into_iter().map(Into::into).collect();
    Ok(Link { paths, backend: Backend::Packet, because })
}

fn in_front(
    opened: xdp::Opened,
    ifindex: u32,
    mtu: u32,
    settings: &PacketSettings,
    workers: usize,
) -> Result<Link, OpenError> {
    // A larger MTU, later, must not need the interface's program anew.
    let settings = PacketSettings { rx_frames: settings.rx_frames.min(ODD_FRAMES), ..*settings };
    let (receiver, mut transmitter) = packet::open(ifindex, xdp::MTU_MAX, &settings)?;
    transmitter.set_mtu(mtu);
    let mut others = Vec::new();
    for _ in 1..workers {
        let mut transmitter = packet::open_sender(ifindex, xdp::MTU_MAX, &settings)?;
        transmitter.set_mtu(mtu);
        others.push(Path { receiver: None, transmitter: Transmitter::Packet(transmitter) });
    }
    let backend = Backend::Xdp(opened.mode());
    let (receiver, way) = opened.in_front_of(receiver, transmitter, mtu);
    let transmitter = match way {
        xdp::Way::Packet(transmitter) => Transmitter::Packet(transmitter),
        xdp::Way::Ring(transmitter) => Transmitter::Xdp(transmitter),
    };
    let mut paths = vec![Path { receiver: Some(Receiver::Xdp(receiver)), transmitter }];
    paths.append(&mut others);
    Ok(Link { paths, backend, because: None })
}

/// Calls the same method of whichever it is.
macro_rules! either {
    ($which:expr, $backend:ident => $call:expr) => {
        match $which {
            Self::Packet($backend) => $call,
            Self::Xdp($backend) => $call,
        }
    };
}

/// Receives the mesh frames of one interface.
///
/// Wait with poll(2) for `POLLIN` on each of [`Self::fds`], then call [`Self::next_frame`] until it has none, or until others
/// should have their turn: `POLLIN` stays. On `POLLERR` call [`Self::take_error`].
#[derive(Debug)]
pub enum Receiver {
    /// By AF_PACKET.
    Packet(packet::Receiver),
    /// By AF_XDP.
    Xdp(xdp::Receiver),
}

impl Receiver {
    /// The index of the interface.
    pub fn ifindex(&self) -> u32 {
        either!(self, receiver => receiver.ifindex())
    }

    /// The largest MTU, bytes, whose frames it takes.
    pub fn mtu_max(&self) -> u32 {
        either!(self, receiver => receiver.mtu_max())
    }

    /// What to wait for.
    pub fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let (first, second) = match self {
            Self::Packet(receiver) => (receiver.as_fd(), None),
            Self::Xdp(receiver) => {
                let [first, second] = receiver.fds();
                (first, Some(second))
            }
        };
        std::iter::once(first).chain(second)
    }

    /// The next plain mesh frame, or `None` if there is none at the moment.
    pub fn next_frame(&mut self) -> Option<RxFrame<'_>> {
        match self {
            Self::Packet(receiver) => receiver.next_frame().map(RxFrame::Packet),
            Self::Xdp(receiver) => receiver.next_frame().map(RxFrame::Xdp),
        }
    }

    /// Takes the pending error after `POLLERR`, which ends it: why the interface carries nothing at the moment, or `None`
    /// if there was none.
    pub fn take_error(&self) -> Option<LinkError> {
        either!(self, receiver => receiver.take_error())
    }

    /// Asks the kernel how many frames found no place, and adds them to the counters. For now and then.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn read_kernel_drops(&mut self) -> io::Result<()> {
        either!(self, receiver => receiver.read_kernel_drops())
    }

    /// What was counted so far.
    pub fn counters(&self) -> ReceiveCounters {
        either!(self, receiver => receiver.counters())
    }
}

/// A received frame, from its outer Ethernet header on, where the kernel put it. It may be changed in place. Its place goes
/// back to the kernel when this value ends.
#[derive(Debug)]
pub enum RxFrame<'a> {
    /// By AF_PACKET.
    Packet(packet::RxFrame<'a>),
    /// By AF_XDP.
    Xdp(xdp::RxFrame<'a>),
}

impl RxFrame<'_> {
    /// Whether the sender left the checksum of the payload to a card that this frame never passed.
    pub fn checksum_not_ready(&self) -> bool {
        either!(self, frame => frame.checksum_not_ready())
    }
}

impl Deref for RxFrame<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        either!(self, frame => frame)
    }
}

impl DerefMut for RxFrame<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        either!(self, frame => frame)
    }
}

/// Sends mesh frames by one interface: [`Self::push`] any number of times, then [`Self::flush`] once.
///
/// May be used by another thread than its [`Receiver`].
#[derive(Debug)]
pub enum Transmitter {
    /// By `sendmmsg`.
    Packet(packet::Transmitter),
    /// By a transmit ring of AF_XDP.
    Xdp(Box<xdp::Transmitter>),
}

impl Transmitter {
    /// The index of the interface.
    pub fn ifindex(&self) -> u32 {
        either!(self, transmitter => transmitter.ifindex())
    }

    /// Sets the interface's MTU, bytes; one beyond [`Receiver::mtu_max`] is not used until the data path is opened afresh.
    pub fn set_mtu(&mut self, mtu: u32) {
        either!(self, transmitter => transmitter.set_mtu(mtu));
    }

    /// How many frames wait for the next [`Self::flush`].
    pub fn waiting(&self) -> u32 {
        either!(self, transmitter => transmitter.waiting())
    }

    /// Takes one frame, given in pieces that start with the outer Ethernet header. The bytes are copied; no system call.
    /// `priority` is the 802.1d priority, 0 to 7.
    ///
    /// # Errors
    /// [`PushError`]; the frame is not sent, and the caller counts it.
    pub fn push(&mut self, priority: u8, parts: &[&[u8]]) -> Result<(), PushError> {
        either!(self, transmitter => transmitter.push(priority, parts))
    }

    /// Sends what waits, the highest priority first.
    ///
    /// # Errors
    /// The interface is down or gone.
    pub fn flush(&mut self) -> Result<Flushed, LinkError> {
        either!(self, transmitter => transmitter.flush())
    }

    /// What was counted so far.
    pub fn counters(&self) -> TransmitCounters {
        either!(self, transmitter => transmitter.counters())
    }
}
