//! The `packet` backend: mesh frames of one hard interface over an AF_PACKET socket with a memory-mapped receive ring. It
//! works on every Linux network device without help from its driver.
//!
//! [`open`] gives a [`Receiver`] and a [`Transmitter`] that share one socket, and [`open_control`] a second socket for
//! OGMs alone, which sends with the priority of control traffic (IV-34). The bytes of a received frame are handed out in place,
//! to be rewritten in place; what is sent is gathered from several pieces. There is no allocation after [`open`], and one
//! system call sends a whole batch.
//!
//! # Decisions
//! * **TPACKET_V2 to receive.** V3 hands over whole blocks, and a block that is not full only when a timer fires.
//!   Measured with single frames over veth: V2 adds nothing to a plain `recv` (16 µs from send to reader, p99 55 µs); V3
//!   with its shortest timer of 1 ms adds 0.5 ms in the middle and 1 to 5 ms at worst. A mesh adds that at each hop.
//! * **The socket is bound to ethertype 0x4305 and one interface**, so nothing else is ever copied. Before the bind its
//!   protocol is 0: no frame of another interface can slip in.
//! * **`sendmmsg` to send, no TX ring.** Both cost one system call for a batch, and both were built and measured. A TX
//!   ring hands its slots to the device as they are and takes them back when the kernel calls the frame done. A queueing
//!   discipline that delays frames calls them done when it puts them aside, so the slot is filled anew while its old frame
//!   still waits: with `netem delay 100ms` more than half of the frames that left were copies of later ones, on Linux 6.1
//!   and on 7.2. A frame that a full queue refuses stays at the ring's head and leaves when there is room again, old as it
//!   is; one that the kernel finds bad is skipped without a word. And it is no faster: 1.1 to 1.3 µs a frame by `sendmmsg`
//!   in batches of 32 over veth, 1.3 to 1.5 µs by the ring, because veth copies the slot when it hands the frame over, as
//!   every driver without scatter-gather (most Wi-Fi) makes the kernel do. `sendmmsg` copies once and knows of each frame.
//! * **Control packets have a socket of their own** for the engine's thread, and filters in the kernel sort the frames. In
//!   a large mesh hundreds of frames with OGMs come each second; waking the forwarding thread for each, only to have it
//!   wake the engine, cost as much as all the rest of an idle node.
//! * **The priority of a frame is set on the socket** (`SO_PRIORITY`, FWD-44), where it differs from that of the frame
//!   before; a flush sends one priority after the other, the highest first, so that it changes seven times at most, and not
//!   at all while all traffic is of one kind. A control message for each frame would do without (Linux 6.14), but every
//!   older kernel refuses it, and would have to be served like this all the same.
//! * **`PACKET_QDISC_BYPASS` is off** unless asked for. It saves the queueing discipline's lock, and with it loses what
//!   people configure there: `netem`, shaping, `fq_codel` against bufferbloat, and the software queue in which a Wi-Fi
//!   driver without its own queues keeps frames while the air is busy: with the bypass these frames are dropped.
//! * **`PACKET_IGNORE_OUTGOING` is set** (Linux 4.20); older kernels are covered by looking at each frame's packet type.
//!   (A socket bound to one ethertype is not shown outgoing frames on today's kernels; that is not promised anywhere.)
//! * **A frame that came with a VLAN tag is not a plain mesh frame** (IV-35). The kernel takes the tag out of the bytes;
//!   then either the ring's header says so, or, for a VLAN that has no device here, the kernel even forgets the tag and
//!   leaves the packet type "for another host", whatever the destination. Both are dropped and counted.
//!
//! # When the interface goes away
//! While it is down nothing is received and [`Transmitter::flush`] answers [`LinkError::Down`]; poll(2) reports `POLLERR`
//! until [`Receiver::take_error`] is called. The socket goes on by itself when the interface comes up again. Once it has
//! left the namespace the answer is [`LinkError::Vanished`], for ever: drop both halves. A new MAC changes nothing here;
//! after a new MTU call [`Transmitter::set_mtu`], and open afresh when it exceeds [`Receiver::mtu_max`].

mod batch;
mod control;
mod error;
mod fanout;
mod filter;
mod frame;
mod layout;
mod listener;
mod mapping;
mod receiver;
mod ring;
mod settings;
mod socket;
mod transmitter;

pub use control::ControlSender;
pub use error::{LinkError, OpenError, PushError, SendError};
pub use listener::Listener;
pub use receiver::{ReceiveCounters, Receiver, RxFrame};
pub use settings::PacketSettings;
pub use transmitter::{Flushed, TransmitCounters, Transmitter};

use layout::RingLayout;
use ring::RxRing;
use socket::PacketSocket;
use std::sync::Arc;

/// Ethernet header in front of the MTU, bytes.
const ETHERNET_HEADER_LEN: usize = noctule_wire::ETHERNET_HEADER_LEN;
/// What a VLAN device's parent may carry beyond its MTU: one tag. Frames of that length are legal on the wire.
const VLAN_TAG_LEN: usize = 4;
/// Slots of a control socket's ring: what twenty neighbours send in a second, in a mesh of 200.
const CONTROL_FRAMES: u32 = 128;
/// The largest MTU that Linux gives an Ethernet device.
const MTU_MAX: u32 = 65_535;
/// Frames with up to this much behind their header are received whatever our own MTU: what fits an 802.11 frame. A
/// neighbour's MTU may be larger than ours, and most drivers hand up what their buffers hold.
const RX_MTU_MIN: u32 = 2304;

/// Opens the data path on the interface with index `ifindex` and the given `mtu` (bytes, as the interface says it).
///
/// The interface may be down; see the module's text. Needs `CAP_NET_RAW` in the network namespace of the calling thread.
///
/// # Errors
/// [`OpenError`]; nothing is left behind.
pub fn open(
    ifindex: u32,
    mtu: u32,
    settings: &PacketSettings,
) -> Result<(Receiver, Transmitter), OpenError> {
    let settings = settings.bounded();
    let tx_frames = settings.tx_frames as usize;
    let filter = settings.control_apart.then(filter::all_but_control);
    let (receiver, shared) = receive(ifindex, mtu, settings.rx_frames, filter, |socket| {
        socket.set_send_buffer(tx_frames, frame_len_max(mtu));
        socket.prepare(settings.qdisc_bypass)
    })?;
    Ok((receiver, Transmitter::new(tx_frames, frame_len_max(mtu), shared)))
}

/// One worker's part of an interface's data path.
#[derive(Debug)]
pub struct Path {
    /// Its share of the frames that arrive; `None`: the first worker has them all.
    pub receiver: Option<Receiver>,
    /// Its way out.
    pub transmitter: Transmitter,
}

/// Opens the data path for `workers` workers: each gets a socket of its own and its share of the frames, by the rule of
/// [`steering`](crate::pipeline::steering). The receive rings have `settings.rx_frames` slots together.
///
/// Where the kernel cannot share the frames (before Linux 4.12; on some later ones not while the interface is down), the
/// first worker receives them all, and the others can only send.
///
/// # Errors
/// [`OpenError`]; nothing is left behind.
pub fn open_shared(
    ifindex: u32,
    mtu: u32,
    settings: &PacketSettings,
    workers: usize,
) -> Result<Vec<Path>, OpenError> {
    if workers > 1
        && let Some(paths) = open_group(ifindex, mtu, settings, workers)?
    {
        return Ok(paths);
    }
    let (receiver, transmitter) = open(ifindex, mtu, settings)?;
    let mut paths = vec![Path { receiver: Some(receiver), transmitter }];
    while paths.len() < workers {
        let transmitter = open_sender(ifindex, mtu, settings)?;
        paths.push(Path { receiver: None, transmitter });
    }
    Ok(paths)
}

/// `None`: the kernel cannot share the frames.
fn open_group(
    ifindex: u32,
    mtu: u32,
    settings: &PacketSettings,
    workers: usize,
) -> Result<Option<Vec<Path>>, OpenError> {
    let share = settings.rx_frames / u32::try_from(workers).unwrap_or(u32::MAX);
    let settings = PacketSettings { rx_frames: share, ..*settings }.bounded();
    let tx_frames = settings.tx_frames as usize;
    let program = fanout::program();
    let mut group = None;
    let mut paths = Vec::with_capacity(workers);
    for _ in 0..workers {
        // Until it has joined, a socket gets every frame, also those of the others: it must not keep any.
        let filter = Some(filter::nothing());
        let (receiver, shared) = receive(ifindex, mtu, settings.rx_frames, filter, |socket| {
            socket.set_send_buffer(tx_frames, frame_len_max(mtu));
            socket.prepare(settings.qdisc_bypass)
        })?;
        match shared.socket.join(group, &program)? {
            None => return Ok(None),
            joined => group = joined,
        }
        let filter =
            if settings.control_apart { filter::all_but_control() } else { filter::everything() };
        shared.socket.set_filter(&filter)?;
        let transmitter = Transmitter::new(tx_frames, frame_len_max(mtu), shared);
        paths.push(Path { receiver: Some(receiver), transmitter });
    }
    Ok(Some(paths))
}

/// A socket that receives nothing.
pub(crate) fn open_sender(
    ifindex: u32,
    mtu: u32,
    settings: &PacketSettings,
) -> Result<Transmitter, OpenError> {
    let settings = settings.bounded();
    let tx_frames = settings.tx_frames as usize;
    let socket = PacketSocket::unbound()?;
    socket.set_send_buffer(tx_frames, frame_len_max(mtu));
    socket.prepare(settings.qdisc_bypass)?;
    socket.bind(ifindex, 0)?;
    let shared = Arc::new(Shared { socket, ifindex, mtu_max: mtu.min(MTU_MAX) });
    Ok(Transmitter::new(tx_frames, frame_len_max(mtu), shared))
}

/// Opens a control socket on the interface with index `ifindex` and the given `mtu` (bytes): it receives OGMs and ELP
/// packets, and no other frame. The interface may be down.
///
/// # Errors
/// [`OpenError`]; nothing is left behind.
pub fn open_control(ifindex: u32, mtu: u32) -> Result<(Receiver, ControlSender), OpenError> {
    let filter = Some(filter::control_only());
    let (receiver, shared) =
        receive(ifindex, mtu, CONTROL_FRAMES, filter, |socket| socket.prepare(false))?;
    Ok((receiver, ControlSender::new(shared)?))
}

/// Opens a socket with a receive ring of `frames` slots that frames which pass the filter are put in.
fn receive(
    ifindex: u32,
    mtu: u32,
    frames: u32,
    filter: Option<filter::Program>,
    prepare: impl FnOnce(&PacketSocket) -> Result<(), OpenError>,
) -> Result<(Receiver, Arc<Shared>), OpenError> {
    let slot_len = frame::RX_DATA_OFFSET + frame_len_max(mtu.max(RX_MTU_MIN));
    let layout = RingLayout::plan(slot_len, frames, mapping::page_len());
    let socket = PacketSocket::unbound()?;
    prepare(&socket)?;
    socket.make_ring(&layout)?;
    let slots = mapping::map(&socket, layout).map_err(OpenError::system("mmap"))?;
    if let Some(program) = filter {
        socket.set_filter(&program)?;
    }
    socket.bind(ifindex, noctule_wire::MESH_ETHERTYPE)?;
    let shared = Arc::new(Shared { socket, ifindex, mtu_max: mtu.min(MTU_MAX) });
    Ok((Receiver::new(RxRing::new(slots), Arc::clone(&shared)), shared))
}

/// The longest frame of an interface with this MTU, bytes.
fn frame_len_max(mtu: u32) -> usize {
    ETHERNET_HEADER_LEN + VLAN_TAG_LEN + mtu.min(MTU_MAX) as usize
}

/// What both halves of a data path need for as long as either lives.
#[derive(Debug)]
struct Shared {
    socket: PacketSocket,
    ifindex: u32,
    mtu_max: u32,
}
