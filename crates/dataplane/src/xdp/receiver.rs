//! The receiving half: a socket for each queue, and the packet socket for what the program lets go up.

use super::chunks::Chunks;
use super::program::Program;
use super::ring::{Consumer, Producer};
use super::socket::XdpSocket;
use crate::packet::{self, LinkError, ReceiveCounters};
use nix::sys::epoll::Epoll;
use noctule_wire::ETHERNET_HEADER_LEN;
use noctule_wire::payload::checksum;
use std::io;
use std::ops::{Deref, DerefMut, Range};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

/// Frames that are taken from one queue before the next has its turn.
const TURN: u32 = 64;
/// Chunks that are given back together: the kernel's processor looks at the counter, too.
const GIVEN_BACK_TOGETHER: u32 = 16;

/// One queue of the interface.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) socket: Arc<XdpSocket>,
    pub(super) frames: Consumer<libc::xdp_desc>,
    pub(super) fill: Producer<u64>,
    pub(super) chunks: Chunks,
    /// Chunks that were given back, and that the kernel has not been told of.
    pub(super) untold: u32,
}

impl Lane {
    fn give_back(&mut self, chunk: u64) {
        // There is a place for every chunk of the lane.
        self.fill.put(chunk);
        self.untold += 1;
        if self.untold >= GIVEN_BACK_TOGETHER {
            self.tell();
        }
    }

    pub(super) fn tell(&mut self) {
        if std::mem::take(&mut self.untold) > 0 {
            self.frames.release();
            self.fill.publish();
            if self.fill.needs_wakeup() {
                self.socket.kick_receive();
            }
        }
    }
}

/// A frame that is lent out.
#[derive(Clone, Debug)]
struct Lent {
    lane: usize,
    place: Range<usize>,
    /// What is to be given back.
    chunk: u64,
    checksum_not_ready: bool,
}

/// Receives the mesh frames of one interface; like [`packet::Receiver`], whose counters mean the same.
#[derive(Debug)]
pub struct Receiver {
    /// Dropped first: from then on everything goes up.
    _program: Program,
    lanes: Box<[Lane]>,
    /// What waits for all lanes, if they are several.
    several: Option<Epoll>,
    packet: packet::Receiver,
    /// Whose turn it is: a lane's or, behind the last of them, the packet socket's; and for how many more frames.
    turn: usize,
    left: u32,
    lent: Option<Lent>,
    /// Whether the checksum of the frame that the packet socket lends out is not ready.
    from_packet: bool,
    zero_copy: bool,
    /// What came by the lanes.
    counters: ReceiveCounters,
}

impl Receiver {
    pub(super) fn new(
        program: Program,
        lanes: Box<[Lane]>,
        several: Option<Epoll>,
        packet: packet::Receiver,
        zero_copy: bool,
    ) -> Self {
        Self {
            _program: program,
            lanes,
            several,
            packet,
            turn: 0,
            left: TURN,
            lent: None,
            from_packet: false,
            zero_copy,
            counters: ReceiveCounters::default(),
        }
    }

    /// The index of the interface.
    pub fn ifindex(&self) -> u32 {
        self.packet.ifindex()
    }

    /// The largest MTU, bytes, whose frames fit a chunk.
    pub fn mtu_max(&self) -> u32 {
        self.packet.mtu_max()
    }

    /// What to wait for with poll(2): the packet socket, which tells of errors as well, and what stands for the lanes.
    pub fn fds(&self) -> [BorrowedFd<'_>; 2] {
        let lanes = match (&self.several, &*self.lanes) {
            (Some(several), _) => several.0.as_fd(),
            (None, [lane, ..]) => lane.socket.as_fd(),
            (None, []) => self.packet.as_fd(),
        };
        [self.packet.as_fd(), lanes]
    }

    /// The next plain mesh frame, or `None` if there is none at the moment. No system call, unless the driver waits for
    /// chunks.
    pub fn next_frame(&mut self) -> Option<RxFrame<'_>> {
        self.give_back();
        for _ in 0..=self.lanes.len() + 1 {
            if self.left > 0 {
                self.left -= 1;
                if self.turn == self.lanes.len() {
                    if let Some(lent) = self.packet.advance() {
                        self.from_packet = lent.checksum_not_ready;
                        return Some(RxFrame { receiver: self });
                    }
                } else if self.take() {
                    return Some(RxFrame { receiver: self });
                }
            }
            self.left = TURN;
            self.turn = if self.turn == self.lanes.len() { 0 } else { self.turn + 1 };
        }
        None
    }

    /// Takes a frame from the lane whose turn it is.
    fn take(&mut self) -> bool {
        let Some(lane) = self.lanes.get_mut(self.turn) else { return false };
        loop {
            let Some(frame) = lane.frames.take() else {
                lane.tell();
                return false;
            };
            let chunk = frame.addr & !(super::chunks::CHUNK_LEN as u64 - 1);
            let place = lane.chunks.place(frame.addr, frame.len);
            let Some(place) = place.filter(|place| place.len() > ETHERNET_HEADER_LEN) else {
                self.counters.malformed += 1;
                if lane.chunks.place(chunk, 0).is_some() {
                    lane.give_back(chunk);
                }
                continue;
            };
            self.counters.frames += 1;
            self.counters.bytes += place.len() as u64;
            self.lent = Some(Lent { lane: self.turn, place, chunk, checksum_not_ready: false });
            // What has come over a wire is finished; a driver without zero-copy may be one that has none.
            if !self.zero_copy {
                let packet = self.lent().get(ETHERNET_HEADER_LEN..);
                let unfinished = packet.is_some_and(checksum::is_unfinished_inner);
                self.counters.checksum_not_ready += u64::from(unfinished);
                if let Some(lent) = &mut self.lent {
                    lent.checksum_not_ready = unfinished;
                }
            }
            return true;
        }
    }

    fn give_back(&mut self) {
        if let Some(lent) = self.lent.take()
            && let Some(lane) = self.lanes.get_mut(lent.lane)
        {
            lane.give_back(lent.chunk);
        }
        self.packet.give_back();
    }

    /// The bytes that are lent out: a lane's, or else the packet socket's.
    #[expect(unsafe_code, reason = "frames lie in memory that is shared with the kernel")]
    fn lent(&self) -> &[u8] {
        let Some(lent) = &self.lent else { return self.packet.lent() };
        let Some(lane) = self.lanes.get(lent.lane) else { return &[] };
        // SAFETY: the kernel handed out the place by the receive ring, `take` checked it, and it is the kernel's again after
        // `give_back`, which needs `&mut self`.
        unsafe { lane.chunks.bytes(lent.place.clone()) }
    }

    #[expect(unsafe_code, reason = "frames lie in memory that is shared with the kernel")]
    fn lent_mut(&mut self) -> &mut [u8] {
        let Some(lent) = &self.lent else { return self.packet.lent_mut() };
        let Some(lane) = self.lanes.get_mut(lent.lane) else { return &mut [] };
        // SAFETY: as above.
        unsafe { lane.chunks.bytes_mut(lent.place.clone()) }
    }

    fn checksum_not_ready(&self) -> bool {
        match &self.lent {
            Some(lent) => lent.checksum_not_ready,
            None => self.from_packet,
        }
    }

    /// Takes the pending error after `POLLERR`, which ends it.
    pub fn take_error(&self) -> Option<LinkError> {
        self.packet.take_error()
    }

    /// Asks the kernel how many frames found no place, and adds them to the counters. A few system calls: for now and then.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn read_kernel_drops(&mut self) -> io::Result<()> {
        self.packet.read_kernel_drops()?;
        let mut dropped = 0;
        for lane in &self.lanes {
            dropped += lane.socket.dropped()?;
        }
        self.counters.kernel_dropped = dropped;
        Ok(())
    }

    /// What was counted so far.
    pub fn counters(&self) -> ReceiveCounters {
        let (own, packet) = (self.counters, self.packet.counters());
        ReceiveCounters {
            frames: own.frames + packet.frames,
            bytes: own.bytes + packet.bytes,
            checksum_not_ready: own.checksum_not_ready + packet.checksum_not_ready,
            malformed: own.malformed + packet.malformed,
            kernel_dropped: own.kernel_dropped + packet.kernel_dropped,
            ..packet
        }
    }

    /// How many of these frames came by the AF_XDP sockets.
    pub fn by_lanes(&self) -> u64 {
        self.counters.frames
    }
}

/// A received frame, from its outer Ethernet header on, where the kernel put it. It may be changed in place. Its place goes
/// back to the kernel when this value ends.
#[derive(Debug)]
pub struct RxFrame<'a> {
    receiver: &'a mut Receiver,
}

impl RxFrame<'_> {
    /// Whether the sender left the checksum of the payload to a card that this frame never passed. By the AF_XDP sockets the
    /// kernel does not tell: the frame itself is looked at.
    pub fn checksum_not_ready(&self) -> bool {
        self.receiver.checksum_not_ready()
    }
}

impl Deref for RxFrame<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.receiver.lent()
    }
}

impl DerefMut for RxFrame<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.receiver.lent_mut()
    }
}

impl Drop for RxFrame<'_> {
    fn drop(&mut self) {
        self.receiver.give_back();
    }
}
