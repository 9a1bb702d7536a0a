//! The `xdp` backend: mesh frames of one hard interface over AF_XDP sockets, one for each of its receive queues.
//!
//! A program on the interface (`xdp/bpf/redirect.bpf.c`) sorts what arrives
//! before the kernel makes a packet of it. Data packets of the mesh go into memory that the kernel shares with this process,
//! and are handed out in place; without a copy where the driver can (zero-copy). Everything else goes up as ever: OGMs to the
//! control socket, other traffic to the host, and what is odd to the data socket of the [`packet`] backend, which
//! stays open behind the program and counts what it counts without it.
//!
//! # Decisions
//! * **The packet socket stays.** A frame with a VLAN tag in it, one longer than a chunk, one of a queue without a socket: the
//!   program lets it go up, and it is dropped, counted or used there as in the other backend.
//! * **Devices that take VLAN tags out of the frames are refused** ([`Unsuitable::Tags`]): the tag lies beside the frame then,
//!   where a program does not see it, and a frame of another network would pass for a plain one (IV-35).
//! * **Chunks are whole pages.** A frame and the room that the kernel keeps in front of it fit at every MTU that a driver
//!   accepts together with XDP; at a larger one the interface is refused ([`Unsuitable::Mtu`]).
//! * **Without zero-copy frames leave by `sendmmsg`**, like those of the `packet` backend: the transmit ring costs the kernel
//!   the same copy and a system call for 32 frames, and goes past the queueing discipline, in which people configure what they
//!   need and a frame's priority has its effect.
//! * **A link holds the program**, and the link ends with the process: nothing stays behind, whatever happens to it.
//! * **Who was there first stays.** With another XDP program on the interface there is [`Unsuitable::Occupied`].

mod chunks;
mod device;
mod memory;
mod program;
mod receiver;
mod ring;
mod socket;
mod transmitter;

pub use receiver::{Receiver, RxFrame};
pub use transmitter::Transmitter;

use crate::packet::{self, PacketSettings};
use chunks::{CHUNK_LEN, Chunks, FRAME_LEN_MAX, Memory};
use device::Device;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use noctule_wire::ETHERNET_HEADER_LEN;
use program::Program;
use receiver::Lane;
use ring::{Consumer, Producer};
use socket::{Which, XdpSocket};
use std::sync::Arc;
use std::time::Duration;

/// The largest MTU, bytes: header and one VLAN tag in front.
pub const MTU_MAX: u32 = (FRAME_LEN_MAX - ETHERNET_HEADER_LEN - 4) as u32;
/// Queues that get a socket; what comes by others goes up. `bpf/redirect.bpf.c` has the same number.
const QUEUES_MAX: u32 = 16;
/// Chunks of all queues together that frames are received in: 32 MiB.
const CHUNKS_MAX: u32 = 8192;
/// How often, and after which time, it is looked anew whether an interface has been left.
const FREE_WITHIN: u32 = 15;
const FREE_AFTER: Duration = Duration::from_millis(20);
/// Fewest chunks of a queue.
const CHUNKS_MIN: u32 = 16;

/// How frames come from the interface.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// The driver puts them into our memory.
    ZeroCopy,
    /// The driver runs the program, and the kernel copies.
    Native,
    /// The kernel's own code runs the program and copies: works with every driver, and saves nothing.
    Generic,
}

impl Mode {
    /// As people are told.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ZeroCopy => "zero-copy",
            Self::Native => "native",
            Self::Generic => "generic",
        }
    }
}

/// What is asked of [`Opened::new`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct XdpSettings {
    /// The best that may be used: [`Mode::Generic`] asks for it where the driver could do better.
    pub best: Mode,
    /// The least that is good enough.
    pub least: Mode,
    /// Whether frames leave by the transmit ring also without zero-copy: for measurements and tests.
    pub transmit_ring: bool,
}

impl Default for XdpSettings {
    /// Whatever the interface can do.
    fn default() -> Self {
        Self { best: Mode::ZeroCopy, least: Mode::Generic, transmit_ring: false }
    }
}

/// Why an interface cannot have the backend, as the end of a sentence that begins with its name.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unsuitable {
    /// The device takes VLAN tags out of the frames.
    #[error("its driver takes VLAN tags out of the frames: \"ethtool -K {name} rxvlan off\"")]
    Tags {
        /// The device.
        name: String,
    },
    /// The frames do not fit a chunk.
    #[error("an MTU of {mtu} is too large, {MTU_MAX} is the most")]
    Mtu {
        /// The interface's, bytes.
        mtu: u32,
    },
    /// Somebody else's program is on the interface, or somebody else's socket on a queue.
    #[error("another XDP program is on it")]
    Occupied,
    /// The driver cannot run the program, and the kernel's own code is not good enough.
    #[error("its driver cannot run XDP programs")]
    NotNative,
    /// The driver cannot do without a copy, and with one is not good enough.
    #[error("its driver cannot do without copies")]
    NotZeroCopy,
    /// The process may not.
    #[error(
        "not permitted to load BPF programs (CAP_BPF, CAP_NET_ADMIN and CAP_NET_RAW are needed)"
    )]
    NotPermitted,
    /// The kernel has no AF_XDP, or an early one.
    #[error("the kernel has no AF_XDP sockets, or is older than 5.9")]
    Kernel,
    /// There is no memory, or none that may be locked.
    #[error("no memory for the frames (see RLIMIT_MEMLOCK)")]
    Memory,
    /// What the kernel said.
    #[error("the kernel refuses: {0}")]
    Refused(String),
}

impl Unsuitable {
    fn of(errno: Errno) -> Self {
        match errno {
            Errno::EPERM | Errno::EACCES => Self::NotPermitted,
            Errno::EAFNOSUPPORT | Errno::ENOPROTOOPT => Self::Kernel,
            Errno::ENOMEM | Errno::ENOBUFS => Self::Memory,
            Errno::EBUSY => Self::Occupied,
            _ => Self::Refused(errno.desc().to_owned()),
        }
    }
}

/// How an interface sends.
#[derive(Debug)]
pub enum Way {
    /// By `sendmmsg`.
    Packet(packet::Transmitter),
    /// By the transmit ring.
    Ring(Box<Transmitter>),
}

/// The sockets and the program, all working: frames come from here on.
#[derive(Debug)]
pub struct Opened {
    program: Program,
    lanes: Box<[Lane]>,
    several: Option<Epoll>,
    transmit: Option<Transmit>,
    mode: Mode,
}

impl Opened {
    /// Opens the backend on the interface with index `ifindex` and the given `mtu` (bytes), with as many frames as the
    /// settings say. The interface may be down. It takes up to 300 ms if somebody else has the interface.
    ///
    /// # Errors
    /// [`Unsuitable`]; nothing is left behind.
    pub fn new(
        ifindex: u32,
        mtu: u32,
        settings: &PacketSettings,
        asked: XdpSettings,
    ) -> Result<Self, Unsuitable> {
        for _ in 0..FREE_WITHIN {
            match Self::try_new(ifindex, mtu, settings, asked) {
                // The kernel frees a queue some time after its socket was closed.
                Err(Unsuitable::Occupied) => std::thread::sleep(FREE_AFTER),
                outcome => return outcome,
            }
        }
        Self::try_new(ifindex, mtu, settings, asked)
    }

    fn try_new(
        ifindex: u32,
        mtu: u32,
        settings: &PacketSettings,
        asked: XdpSettings,
    ) -> Result<Self, Unsuitable> {
        if mtu > MTU_MAX {
            return Err(Unsuitable::Mtu { mtu });
        }
        let device = Device::of(ifindex).map_err(Unsuitable::of)?;
        if device.takes_tags() {
            return Err(Unsuitable::Tags { name: device.name().to_owned() });
        }
        let queues = device.queues().min(QUEUES_MAX);
        let rx = (settings.rx_frames.min(CHUNKS_MAX / queues)).max(CHUNKS_MIN).next_power_of_two();
        let tx = settings.tx_frames.clamp(CHUNKS_MIN, CHUNKS_MAX).next_power_of_two();
        let copy = asked.best != Mode::ZeroCopy;
        let mut lanes = Vec::new();
        let mut transmit = None;
        for queue in 0..queues {
            let (lane, ring) = lane(ifindex, queue, (rx, tx), copy).map_err(Unsuitable::of)?;
            transmit = transmit.or(Some(ring));
            lanes.push(lane);
        }
        let zero_copy = lanes.iter().all(|lane: &Lane| lane.socket.is_zero_copy());
        if asked.least == Mode::ZeroCopy && !zero_copy {
            return Err(Unsuitable::NotZeroCopy);
        }
        let attach = |generic| {
            let sockets = lanes.iter().map(|lane| &*lane.socket);
            Program::attach(ifindex, sockets, generic)
        };
        let native =
            if asked.best == Mode::Generic { Err(Unsuitable::NotNative) } else { attach(false) };
        let (program, mode) = match native {
            Ok(program) => (program, if zero_copy { Mode::ZeroCopy } else { Mode::Native }),
            // Drivers that could have their reasons, like the length of the ring or of the frames.
            Err(Unsuitable::NotNative | Unsuitable::Refused(_)) if asked.least == Mode::Generic => {
                (attach(true)?, Mode::Generic)
            }
            Err(reason) => return Err(reason),
        };
        let several = (lanes.len() > 1).then(|| all_of(&lanes)).transpose();
        let several = several.map_err(Unsuitable::of)?;
        let transmit = transmit.filter(|_| zero_copy || asked.transmit_ring);
        Ok(Self { program, lanes: lanes.into(), several, transmit, mode })
    }

    /// By what frames come.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Both halves, in front of those of the `packet` backend on the same interface, which have been opened for [`MTU_MAX`] and
    /// set to the `mtu` that the interface has.
    pub fn in_front_of(
        self,
        rx: packet::Receiver,
        tx: packet::Transmitter,
        mtu: u32,
    ) -> (Receiver, Way) {
        let Self { program, lanes, several, transmit, mode } = self;
        let zero_copy = mode == Mode::ZeroCopy;
        let way = match (transmit, lanes.first()) {
            (Some((ring, completed, chunks)), Some(lane)) => Way::Ring(Box::new(Transmitter::new(
                (Arc::clone(&lane.socket), zero_copy),
                (ring, completed),
                chunks,
                mtu,
                tx,
            ))),
            _ => Way::Packet(tx),
        };
        (Receiver::new(program, lanes, several, rx, zero_copy), way)
    }
}

/// What is needed to send by a lane's socket.
type Transmit = (Producer<libc::xdp_desc>, Consumer<u64>, Chunks);

/// A bound socket for one queue, with so many chunks to receive and to send.
fn lane(
    ifindex: u32,
    queue: u32,
    (rx, tx): (u32, u32),
    copy: bool,
) -> Result<(Lane, Transmit), Errno> {
    // Only the first queue sends. Its socket must have a completion ring all the same.
    let tx = if queue == 0 { tx } else { CHUNKS_MIN };
    let socket = XdpSocket::unbound()?;
    let sends = if queue == 0 { tx } else { 0 };
    let memory = Memory::new(rx + sends)?;
    socket.register(&memory)?;
    let lens =
        [(Which::Fill, rx), (Which::Completion, tx), (Which::Receive, rx), (Which::Transmit, tx)];
    for (which, len) in lens {
        socket.make_ring(which, len)?;
    }
    let mut fill = Producer::new(socket.places(Which::Fill, rx)?);
    let completed = Consumer::new(socket.places(Which::Completion, tx)?);
    let frames = Consumer::new(socket.frames(Which::Receive, rx)?);
    let ring = Producer::new(socket.frames(Which::Transmit, tx)?);
    let border = rx as usize * CHUNK_LEN;
    #[expect(unsafe_code, reason = "the memory is divided here")]
    // SAFETY: two rows of the new memory that do not overlap; nothing else has any of it.
    let (chunks, for_sending) = unsafe {
        (
            Chunks::new(Arc::clone(&memory), 0..border),
            Chunks::new(Arc::clone(&memory), border..memory.len()),
        )
    };
    for chunk in chunks.starts() {
        fill.put(chunk);
    }
    fill.publish();
    socket.bind(ifindex, queue, copy)?;
    let lane = Lane { socket: Arc::new(socket), frames, fill, chunks, untold: 1 };
    Ok((lane, (ring, completed, for_sending)))
}

/// One descriptor that is readable when any lane is.
fn all_of(lanes: &[Lane]) -> Result<Epoll, Errno> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    for lane in lanes {
        epoll.add(&*lane.socket, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
    }
    Ok(epoll)
}
