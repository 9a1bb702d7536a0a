//! A data-plane worker: one thread that waits for its share of the frames on all hard interfaces and the mesh interface,
//! hands each to its [`Pipeline`] and writes what comes of it. Most nodes have one worker; of several, the kernel chooses who
//! gets a frame, and what belongs to another one is passed on.
//!
//! It owns the rings and never waits for anybody: control packets and hints go to the engine over bounded queues, and
//! what finds no room is counted. Frames are taken and sent in batches; nothing is allocated for a frame.

mod drops;
mod line;
mod linger;
mod outlet;
mod punt;

pub(crate) use line::{WorkerLine, Workers};
pub(crate) use linger::Linger;
pub(crate) use outlet::Peer;
pub(crate) use punt::{Punted, Punts, queue};

use crate::api::{DatCacheRow, NdCacheRow, Reply, ReplyLine};
use crate::clock::{Clock, poll_timeout_ms};
use crate::port::Port;
use crate::wake::Wake;
use crossbeam_channel::{Receiver as Queue, Sender};
use drops::DropsDue;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use noctule_dataplane::link::{FDS_MAX, Path, RxFrame};
use noctule_dataplane::pipeline::Session;
use noctule_dataplane::segmentation::{Segments, VirtioHeader};
use noctule_dataplane::tap::{FRAME_LEN_MAX, Tap, TapError};
use noctule_dataplane::{Hint, Pipeline};
use noctule_fib::{Counters, IFACES_MAX, Iface};
use noctule_wire::payload::checksum;
use noctule_wire::{ETHERNET_HEADER_LEN, Instant};
use outlet::WorkerOutlet;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

/// Frames taken from one interface before the others have their turn. A batch shares one pinning of the tables and one
/// system call for sending.
const BATCH: usize = 64;

/// Batches that are still taken from an interface which leaves: more than the largest ring holds.
const LAST_BATCHES: usize = 256;

/// Batches that are still taken from a ring while another one of the same interface fills already: as many as a ring of the default
/// size holds. More would come from both.
const A_RING: usize = 512 / BATCH;

/// What the engine thread tells the worker.
#[derive(Debug)]
pub(crate) enum Command {
    /// Use this data path for the interface; one that it had before is closed.
    Attach { iface: Iface, path: Box<Path> },
    /// Stop using the interface.
    Detach(Iface),
    /// The interface's MTU changed, bytes.
    Mtu { iface: Iface, mtu: u32 },
    /// Somebody wants to see the cache of the distributed ARP table: the answer, all but the rows, and where it goes.
    DatCache { line: Box<ReplyLine>, answer: Sender<ReplyLine> },
    /// The same for the cache of IPv6 neighbours.
    NdCache { line: Box<ReplyLine>, answer: Sender<ReplyLine> },
    /// End the thread.
    Stop,
}

/// What the worker's thread is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) clock: Clock,
    pub(crate) pipeline: Pipeline,
    pub(crate) counters: Arc<Counters>,
    /// This worker's queue of the mesh interface.
    pub(crate) tap: Arc<Tap>,
    /// Whether it reads what the host sends, and not only writes.
    pub(crate) reads_host: bool,
    /// What other workers pass on.
    pub(crate) passed: Punted<Option<Iface>>,
    pub(crate) workers: Vec<Peer>,
    pub(crate) linger: Linger,
    pub(crate) commands: Queue<Command>,
    /// Wakes this thread.
    pub(crate) wake: Wake,
    /// Wakes the engine thread.
    pub(crate) engine: Wake,
    pub(crate) punts: Punts,
    pub(crate) hints: Sender<Hint>,
    /// Tells the engine thread that the mesh interface was deleted.
    pub(crate) tap_gone: Sender<()>,
}

pub(crate) struct Worker {
    clock: Clock,
    pipeline: Pipeline,
    counters: Arc<Counters>,
    ports: [Option<Port>; IFACES_MAX],
    outlet: WorkerOutlet,
    tap: Arc<Tap>,
    reads_host: bool,
    passed: Punted<Option<Iface>>,
    linger: Linger,
    /// What the host sends is read into this.
    buffer: Vec<u8>,
    /// Frames taken in this round.
    taken: usize,
    commands: Queue<Command>,
    wake: Wake,
    engine: Wake,
    tap_gone: Sender<()>,
    drops_due: DropsDue,
}

/// Fills in the inner frame's checksum where a sender on this machine left that to hardware which is not there (veth):
/// the next hop could not tell such a frame from a damaged one.
fn complete_checksum(frame: &mut RxFrame<'_>) {
    if frame.checksum_not_ready()
        && let Some(packet) = frame.get_mut(ETHERNET_HEADER_LEN..)
    {
        checksum::fill_inner(packet);
    }
}

/// Sends what the host handed over in one piece, as the frames that it is on the wire; says how many these are.
fn send_segments(
    mut session: Session<'_>,
    header: &VirtioHeader,
    frame: &mut [u8],
    outlet: &mut WorkerOutlet,
) -> usize {
    let longest = if header.is_segmented() { session.whole_up_to(frame) } else { None };
    let mut segments = match Segments::new(header, frame, longest) {
        Ok(segments) => segments,
        Err(reason) => {
            session.refuse(reason);
            return 1;
        }
    };
    let mut count = 0;
    while let Some(segment) = segments.next() {
        session.send(segment, outlet);
        count += 1;
    }
    count
}

impl Worker {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts {
            clock,
            pipeline,
            counters,
            tap,
            reads_host,
            passed,
            workers,
            linger,
            commands,
            wake,
            engine,
            punts,
            hints,
            tap_gone,
        } = parts;
        let outlet = WorkerOutlet::new(
            Arc::clone(&tap),
            Arc::clone(&counters),
            punts,
            hints,
            engine.clone(),
            workers,
        );
        Self {
            clock,
            pipeline,
            counters,
            ports: [const { None }; IFACES_MAX],
            outlet,
            tap,
            reads_host,
            passed,
            linger,
            buffer: vec![0; if reads_host { FRAME_LEN_MAX } else { 0 }],
            taken: 0,
            commands,
            wake,
            engine,
            tap_gone,
            drops_due: DropsDue::new(),
        }
    }

    /// Works until it is told to stop.
    pub(crate) fn run(mut self) {
        loop {
            self.wake.clear();
            while let Ok(command) = self.commands.try_recv() {
                if matches!(command, Command::Stop) {
                    return;
                }
                self.obey(command);
            }
            self.taken = 0;
            let mut more = false;
            for iface in Iface::all() {
                more |= self.receive(iface);
            }
            more |= self.take_passed();
            self.outlet.flush_host();
            more |= self.take_from_host();
            let now = self.clock.now();
            if self.pipeline.next_deadline().is_some_and(|deadline| deadline <= now) {
                self.pipeline.on_deadline(now, &mut self.outlet);
            }
            self.outlet.flush();
            if self.drops_due.is_due(now) {
                self.account_drops();
            }
            if !more && !self.linger.stays(now, self.taken > 0) {
                self.wait();
                self.linger.woke(now, || self.clock.now());
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Attach { iface, path } => {
                let Path { receiver, transmitter } = *path;
                let port = match receiver {
                    Some(receiver) if self.ports[iface.index()].is_some() => {
                        // Both rings have got what came since the new one was opened.
                        self.close_books(iface);
                        let port = Port::in_place_of_another(receiver);
                        self.empty(iface, A_RING);
                        Some(port)
                    }
                    receiver => {
                        self.close_books(iface);
                        receiver.map(Port::new)
                    }
                };
                self.ports[iface.index()] = port;
                self.outlet.set_transmitter(iface, Some(transmitter));
            }
            Command::Detach(iface) => {
                self.empty(iface, LAST_BATCHES);
                self.close_books(iface);
                self.ports[iface.index()] = None;
                self.outlet.set_transmitter(iface, None);
            }
            Command::Mtu { iface, mtu } => self.outlet.set_mtu(iface, mtu),
            Command::DatCache { line, answer } => {
                let now = self.clock.now();
                let rows = self.pipeline.arp_rows(now).map(|(ip, vid, mac, age)| DatCacheRow {
                    last_seen_msecs: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
                    dat_cache_ip4address: ip,
                    dat_cache_hwaddress: mac.into(),
                    dat_cache_vid: vid.id().map_or(-1, i32::from),
                });
                let mut rows: Vec<_> = rows.collect();
                rows.sort_unstable_by_key(|row| (row.dat_cache_vid, row.dat_cache_ip4address));
                // Whoever asked may have gone.
                let _ = answer.try_send(ReplyLine { reply: Reply::DatCache(rows), ..*line });
            }
            Command::NdCache { line, answer } => {
                let now = self.clock.now();
                let rows =
                    self.pipeline.neighbour_rows(now).map(|(ip, vid, known, age)| NdCacheRow {
                        last_seen_msecs: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
                        nd_cache_ip6address: ip,
                        nd_cache_hwaddress: known.mac.into(),
                        nd_cache_vid: vid.id().map_or(-1, i32::from),
                        router: known.router,
                        answered: known.is_certain(),
                        disputed: known.is_disputed(),
                    });
                let mut rows: Vec<_> = rows.collect();
                rows.sort_unstable_by_key(|row| (row.nd_cache_vid, row.nd_cache_ip6address));
                let _ = answer.try_send(ReplyLine { reply: Reply::NdCache(rows), ..*line });
            }
            Command::Stop => {}
        }
    }

    /// Takes a batch from one interface; says whether it may have more.
    fn receive(&mut self, iface: Iface) -> bool {
        let Some(port) = &mut self.ports[iface.index()] else { return false };
        let Some(mut frame) = port.receiver.next_frame() else { return false };
        self.drops_due.frame_taken();
        let mut session = self.pipeline.session(self.clock.now());
        complete_checksum(&mut frame);
        session.receive(iface, &mut frame, &mut self.outlet);
        drop(frame);
        self.taken += 1;
        for _ in 1..BATCH {
            let Some(mut frame) = port.receiver.next_frame() else { return false };
            self.taken += 1;
            complete_checksum(&mut frame);
            session.receive(iface, &mut frame, &mut self.outlet);
        }
        true
    }

    /// Takes a batch of what other workers passed on; says whether there may be more.
    fn take_passed(&mut self) -> bool {
        if self.passed.is_empty() {
            return false;
        }
        let mut session = self.pipeline.session(self.clock.now());
        for _ in 0..BATCH {
            let Some(mut punt) = self.passed.pop() else { return false };
            self.taken += 1;
            match punt.iface {
                Some(iface) => session.receive(iface, &mut punt.frame, &mut self.outlet),
                None => session.send(&punt.frame, &mut self.outlet),
            }
            self.passed.recycle(punt);
        }
        true
    }

    /// Takes a batch from the host; says whether it may have more.
    fn take_from_host(&mut self) -> bool {
        if !self.reads_host {
            return false;
        }
        let mut taken = 0;
        while taken < BATCH {
            match self.tap.read(&mut self.buffer) {
                Ok(Some((len, header))) => {
                    // One pinning for each read: the system call in between takes longer.
                    let session = self.pipeline.session(self.clock.now());
                    let frame = self.buffer.get_mut(..len).unwrap_or_default();
                    taken += send_segments(session, &header, frame, &mut self.outlet);
                    self.taken += 1;
                }
                Ok(None) => return false,
                Err(TapError::Gone) => {
                    self.reads_host = false;
                    let _ = self.tap_gone.try_send(());
                    self.engine.wake();
                    return false;
                }
                // EIO while the mesh interface is down, and whatever else passes by itself; poll tells when to go on.
                Err(_) => return taken > 0,
            }
        }
        true
    }

    /// Waits until there is something to do.
    fn wait(&mut self) {
        let deadline = self.pipeline.next_deadline().unwrap_or(Instant::NEVER);
        let deadline = deadline.min(self.drops_due.deadline());
        let timeout_ms = poll_timeout_ms(self.clock.now(), deadline);
        let mut fds: [PollFd<'_>; IFACES_MAX * FDS_MAX + 2] =
            std::array::from_fn(|_| PollFd::new(self.wake.as_fd(), PollFlags::POLLIN));
        let mut used = 1;
        if self.reads_host {
            fds[used] = PollFd::new(self.tap.fd(), PollFlags::POLLIN);
            used += 1;
        }
        let first_port = used;
        let of_ports = || {
            let ports = self.ports.iter().flatten();
            ports.flat_map(|port| port.receiver.fds().map(move |fd| (&port.receiver, fd)))
        };
        for (_, fd) in of_ports() {
            fds[used] = PollFd::new(fd, PollFlags::POLLIN);
            used += 1;
        }
        let timeout = PollTimeout::try_from(timeout_ms).unwrap_or(PollTimeout::MAX);
        match poll(&mut fds[..used], timeout) {
            Ok(0) | Err(Errno::EINTR) => return,
            Ok(_) => {}
            // Out of memory in the kernel: nothing to do but to go on.
            Err(_) => return std::thread::sleep(Duration::from_millis(1)),
        }
        for ((receiver, _), fd) in of_ports().zip(&fds[first_port..used]) {
            if fd.revents().is_some_and(|events| events.contains(PollFlags::POLLERR)) {
                // What it means for the mesh, netlink tells the engine. Here it only must not wake again.
                receiver.take_error();
            }
        }
    }

    /// Takes what an interface's ring still holds, up to so many batches.
    fn empty(&mut self, iface: Iface, batches: usize) {
        for _ in 0..batches {
            if !self.receive(iface) {
                break;
            }
        }
    }

    /// Adds what an interface's ring has dropped to the statistics, before it is closed.
    fn close_books(&mut self, iface: Iface) {
        if let Some(port) = &mut self.ports[iface.index()] {
            port.account_drops(&self.counters);
        }
    }

    /// Adds what the rings dropped to the statistics.
    fn account_drops(&mut self) {
        for port in self.ports.iter_mut().flatten() {
            port.account_drops(&self.counters);
        }
    }
}
