//! What can go wrong at the system's edge, told apart as far as somebody can act on it.

use nix::errno::Errno;
use std::io;

/// Why the data path of an interface could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No right to open raw sockets in this network namespace.
    #[error("raw sockets are not permitted: run as root, or grant CAP_NET_RAW and CAP_NET_ADMIN")]
    NotPermitted,
    /// No interface has this index (any more).
    #[error("no interface has index {0}: it has been removed meanwhile")]
    NoSuchInterface(u32),
    /// The kernel could not find the memory for a ring.
    #[error("no memory for a ring of {bytes} bytes: ask for fewer frames")]
    NoMemory {
        /// What was asked for.
        bytes: usize,
    },
    /// The kernel is built without packet sockets.
    #[error("this kernel has no packet sockets: load the module af_packet (CONFIG_PACKET)")]
    NoPacketSockets,
    /// Anything else.
    #[error("{call} failed: {source}")]
    System {
        /// The system call or socket option.
        call: &'static str,
        /// What it said.
        source: io::Error,
    },
}

impl OpenError {
    /// Names the call that failed.
    pub(super) fn system(call: &'static str) -> impl FnOnce(Errno) -> Self {
        move |errno| match errno {
            Errno::EPERM | Errno::EACCES => Self::NotPermitted,
            _ => Self::System { call, source: errno.into() },
        }
    }
}

/// Why a frame was not taken for sending. The frame is lost; the interface is as before.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PushError {
    /// Nothing has room: [`Transmitter::flush`](super::Transmitter::flush) first; if that has just been done, the
    /// interface is slower than the traffic.
    #[error("no room for another frame before the next flush")]
    Full,
    /// Longer than the interface's MTU and an Ethernet header.
    #[error("frame of {len} bytes, the interface takes {max}")]
    TooLong {
        /// The frame's length with its Ethernet header, bytes.
        len: usize,
        /// The interface's limit, bytes.
        max: usize,
    },
    /// Shorter than an Ethernet header.
    #[error("frame of {len} bytes, shorter than an Ethernet header")]
    TooShort {
        /// The frame's length, bytes.
        len: usize,
    },
}

/// Why an interface carries nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LinkError {
    /// It is down. The socket goes on by itself when it comes up.
    #[error("the interface is down")]
    Down,
    /// It has left this network namespace or exists no more. The socket is of no more use.
    #[error("the interface is gone")]
    Vanished,
}

/// Why a control packet was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The interface carries nothing.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// Longer than the interface's MTU and an Ethernet header, or shorter than the latter.
    #[error("frame of {len} bytes does not fit the interface")]
    Length {
        /// The frame's length with its Ethernet header, bytes.
        len: usize,
    },
    /// The interface's queue or the socket's buffer is full.
    #[error("the interface's queue is full")]
    Busy,
    /// Anything else.
    #[error("sending failed: {0}")]
    System(#[source] io::Error),
}

/// What an error of a sending system call means for the frames that wait.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Refusal {
    /// There is something about the frame that it stands at; the next may go.
    Frame,
    /// The interface's queue, or the device behind it, had no room for that frame.
    Full,
    /// Nothing goes until something that was sent before is out: the socket's send buffer is full.
    Busy,
    /// The interface is down.
    Down,
    /// The interface is gone.
    Vanished,
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::EAGAIN => Self::Busy,
            Errno::ENOBUFS => Self::Full,
            Errno::ENETDOWN => Self::Down,
            Errno::ENXIO | Errno::ENODEV => Self::Vanished,
            // EMSGSIZE (the MTU has just shrunk), and whatever a driver or a filter on the way out (EPERM) comes up with.
            _ => Self::Frame,
        }
    }
}
