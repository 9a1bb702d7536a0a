//! The traffic generator: frames of our own making that the kernel itself puts on a cable, as if a network card had received
//! them at the far end.
//!
//! An XDP program is run on live frames (`BPF_PROG_TEST_RUN` with `BPF_F_TEST_XDP_LIVE_FRAMES`, Linux 5.18 and later): it writes
//! each frame's headers and redirects it to the near end of the cable. The far end takes it from its ring in the softirq of the
//! same processor, with NAPI, as a card's driver would. No socket, no system call and no copy is in it.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{Builder, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::{Pid, gettid};
use noctule_wire::{Mac, Ttvn, Unicast};

use super::bpf::{Code, Counter, Helper, Kind, Program, R};
use crate::lab::Namespace;

/// Frames for each call at full speed: many, as a call makes a pool of memory for them.
const CALL: u32 = 4096;
/// Frames for each call at a given rate. A call itself costs as much as some tens of frames, so that shorter bursts would measure
/// calls; a card's ring holds as many.
const BURST: u32 = 256;
/// Index of the loopback link in each namespace.
const LOOPBACK: u32 = 1;
/// How late a burst may be and still be sent: timers are as late as this.
const LATE: Duration = Duration::from_millis(4);
/// Ethertype of mesh frames.
const MESH: [u8; 2] = [0x43, 0x05];
/// Ethertype of the inner frames: for local experiments.
const EXPERIMENT: [u8; 2] = [0x88, 0xb5];
/// Hops that the frames may go.
pub(crate) const TTL: u8 = 50;
/// Bytes 2 to 4 of the inner destination: by them the sink knows the frames.
pub(crate) const MARK: [u8; 3] = [0xbe, 0xbe, 0xbe];
/// Where the inner destination stands in a mesh frame.
const INNER: usize = 14 + Unicast::HEADER_LEN;
/// Where the mark stands.
const MARKED: i16 = INNER as i16 + 2;
/// Where the number of the flow stands: in both inner addresses.
const FLOW: [i16; 2] = [INNER as i16 + 5, INNER as i16 + 11];
/// How many flows "many flows" are: a power of two.
pub(crate) const FLOWS: u8 = 64;

/// Whose frames, and to whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    /// Destination of the outer Ethernet header.
    pub(crate) next_hop: [u8; 6],
    /// Its source.
    pub(crate) sender: [u8; 6],
    /// Originator that the unicast packet is for.
    pub(crate) originator: [u8; 6],
    /// That originator's translation-table version, as the node under test knows it.
    pub(crate) ttvn: u8,
}

/// A unicast mesh frame of `length` bytes, Ethernet header included, that belongs to flow `flow`.
pub(crate) fn frame(path: &Path, flow: u8, length: usize) -> Vec<u8> {
    let mut inner = vec![0x02, 0x00];
    inner.extend(MARK);
    inner.extend([flow, 0x02, 0x00, 0xbe, 0xbe, 0xbf, flow]);
    inner.extend(EXPERIMENT);
    let unicast = Unicast {
        ttl: TTL,
        ttvn: Ttvn(path.ttvn),
        destination: Mac(path.originator),
        inner: &inner,
    };
    let mut frame = [&path.next_hop[..], &path.sender, &MESH, &unicast.header(), &inner].concat();
    frame.resize(length.max(frame.len()), 0xa5);
    frame
}

/// Whether a frame is one of the generator's.
pub(crate) fn is_ours(frame: &[u8]) -> bool {
    frame.get(INNER + 2..INNER + 5) == Some(&MARK[..])
}

/// The frames of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traffic {
    /// Whose frames, and to whom.
    pub(crate) path: Path,
    /// How many flows: one, or [`FLOWS`].
    pub(crate) flows: u8,
    /// Length of each frame in bytes, Ethernet header included.
    pub(crate) length: usize,
}

/// A run while it lasts.
#[derive(Debug, Default)]
pub(crate) struct Control {
    /// Ends it.
    pub(crate) stop: AtomicBool,
    /// The generator's threads, by number.
    pub(crate) threads: Mutex<Vec<u32>>,
}

/// The near end of a cable.
pub(crate) struct Generator {
    namespace: Namespace,
    link: u32,
}

impl Generator {
    /// Of this link.
    pub(crate) fn new(namespace: &Namespace, link: &str) -> Result<Self> {
        Ok(Self { namespace: namespace.clone(), link: namespace.link(link)?.index })
    }

    /// Sends until it is stopped: on the processors 0 to `queues` - 1, each with a flow or with flows of its own; `pace` frames a
    /// second in all, or as many as go. Says how many.
    ///
    /// # Errors
    /// If the kernel has no such thing.
    pub(crate) fn run(
        &self,
        traffic: &Traffic,
        queues: u8,
        pace: Option<f64>,
        control: &Control,
    ) -> Result<u64> {
        let pace = pace.map(|pace| pace / f64::from(queues));
        let counter = Counter::new()?;
        let frame = frame(&traffic.path, 0, traffic.length);
        let program = source(&frame, traffic.flows, self.link, &counter).load(Kind::Xdp)?;
        // A program that hangs nowhere is made known to the kernel's dispatcher for each call, which waits for all processors
        // each time: it hangs on the loopback link, where nobody speaks.
        let _known = self.namespace.with(|| program.hang_as_xdp(LOOPBACK)).context("no XDP")?;
        let run_queue = |queue: u8| {
            self.namespace.with(|| {
                let mut one = CpuSet::new();
                one.set(usize::from(queue))?;
                sched_setaffinity(Pid::from_raw(0), &one)?;
                let number = gettid().as_raw().cast_unsigned();
                control.threads.lock().unwrap_or_else(PoisonError::into_inner).push(number);
                send(&program, &frame, pace, &control.stop)
            })
        };
        std::thread::scope(|scope| {
            let run_queue = &run_queue;
            // Named for whoever takes a profile.
            let spawn = |queue: u8| {
                let thread = Builder::new().name("generator".to_owned());
                thread.spawn_scoped(scope, move || run_queue(queue))
            };
            let threads: Vec<_> = (0..queues).map(spawn).collect::<Result<_, _>>()?;
            threads
                .into_iter()
                .map(|thread| thread.join().map_err(|_| anyhow!("the generator panicked"))?)
                .sum()
        })
    }
}

fn send(program: &Program, frame: &[u8], pace: Option<f64>, stop: &AtomicBool) -> Result<u64> {
    let mut pace = pace.map(Pace::new);
    let mut sent = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        let frames = match &mut pace {
            None => CALL,
            Some(pace) => match pace.due() {
                Ok(frames) => frames,
                Err(wait) => {
                    sleep(wait);
                    continue;
                }
            },
        };
        match program.send(frame, frames) {
            Ok(()) => sent += u64::from(frames),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error).context("the kernel runs no program on live frames"),
        }
    }
    Ok(sent)
}

/// Bursts at a given rate.
struct Pace {
    interval: Duration,
    next: Instant,
}

impl Pace {
    fn new(per_second: f64) -> Self {
        let interval = Duration::from_secs_f64(f64::from(BURST) / per_second.max(1.0));
        Self { interval, next: Instant::now() }
    }

    /// The frames of the burst that is due, or how long it takes until it is. What could not be sent in time, because
    /// somebody else had the processor, is left out: it would come as one long burst that no peer has a ring for.
    fn due(&mut self) -> Result<u32, Duration> {
        let now = Instant::now();
        if now < self.next {
            return Err(self.next - now);
        }
        self.next += self.interval;
        self.next = self.next.max(now.checked_sub(LATE).unwrap_or(now));
        Ok(BURST)
    }
}

/// The program: writes the first bytes of `frame` and the number of the flow, which is the processor's or, of many, the next;
/// sends it out by `link`.
///
/// Memory comes back as whoever had the frame left it, so all that a forwarder may change is written anew.
fn source(frame: &[u8], flows: u8, link: u32, counter: &Counter) -> Code {
    const HEAD: i16 = 64;
    let (context, data, end, scratch) = (R(1), R(6), R(3), R(5));
    let mut code = Code::default();
    code.load32(data, context, 0);
    code.load32(end, context, 4);
    code.copy(scratch, data);
    code.add(scratch, HEAD.into());
    code.out_if_above(scratch, end);
    for (at, bytes) in (0..HEAD).step_by(8).zip(frame.chunks_exact(8)) {
        code.set_wide(scratch, bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)));
        code.store64(data, at, scratch);
    }
    if flows > 1 {
        code.find(counter);
        code.load64(scratch, R(0), 0);
        code.add(scratch, 1);
        code.store64(R(0), 0, scratch);
        code.and(scratch, (flows - 1).into());
    } else {
        code.call(Helper::Processor);
        code.copy(scratch, R(0));
    }
    for at in FLOW {
        code.store8(data, at, scratch);
    }
    code.set(R(1), link.cast_signed());
    code.set(R(2), 0);
    code.call(Helper::Redirect);
    code.exit();
    // XDP_ABORTED
    code.out(0);
    code
}

/// A classifier for the far end: counts the generator's frames and drops them; all others go on.
pub(crate) fn sink(counter: &Counter) -> Code {
    let (context, data, end, scratch) = (R(1), R(2), R(3), R(4));
    let mut code = Code::default();
    code.load32(data, context, 76);
    code.load32(end, context, 80);
    code.copy(scratch, data);
    code.add(scratch, MARKED.into());
    code.add(scratch, 4);
    code.out_if_above(scratch, end);
    code.load32(scratch, data, MARKED);
    let [a, b, c] = MARK;
    code.and(scratch, u32::from_ne_bytes([0xff, 0xff, 0xff, 0]));
    code.out_if_not(scratch, u32::from_ne_bytes([a, b, c, 0]));
    code.find(counter);
    code.load64(R(1), R(0), 0);
    code.add(R(1), 1);
    code.store64(R(0), 0, R(1));
    // TC_ACT_SHOT
    code.set(R(0), 2);
    code.exit();
    // TC_ACT_UNSPEC: the next one's turn.
    code.out(-1);
    code
}

#[cfg(test)]
mod tests {
    use super::*;
    use noctule_wire::COMPAT_VERSION;

    const PATH: Path = Path { next_hop: [1; 6], sender: [2; 6], originator: [3; 6], ttvn: 7 };

    #[test]
    fn a_frame_is_a_unicast_packet_of_the_length_asked_for() {
        for length in [64, 512, 1400] {
            let frame = frame(&PATH, 5, length);
            assert_eq!(frame.len(), length);
            assert_eq!(&frame[..14], [1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 0x43, 0x05]);
            let unicast = Unicast::parse(&frame[14..]).unwrap();
            assert_eq!((frame[14], frame[15]), (0x40, COMPAT_VERSION));
            assert_eq!((unicast.ttl, unicast.ttvn), (TTL, Ttvn(7)));
            assert_eq!(unicast.destination, Mac([3; 6]));
            assert!(is_ours(&frame));
        }
    }

    #[test]
    fn other_frames_are_not_ours() {
        assert!(!is_ours(&[0; 64]) && !is_ours(&[0xbe; 20]));
    }

    #[test]
    fn what_is_late_is_left_out() {
        let mut pace = Pace::new(100_000.0);
        assert_eq!(pace.interval, Duration::from_micros(2560));
        assert_eq!(pace.due(), Ok(BURST));
        pace.next -= Duration::from_secs(10);
        let due = std::iter::from_fn(|| pace.due().ok()).take(1000).count();
        assert!(due < 1000, "no more than what is due within a moment");
    }

    #[test]
    fn the_program_writes_the_number_of_the_flow_where_the_frame_has_it() {
        let (one, other) = (frame(&PATH, 1, 64), frame(&PATH, 2, 64));
        let differ = (0..64).filter(|at| one[*at as usize] != other[*at as usize]);
        assert_eq!(differ.collect::<Vec<i16>>(), FLOW);
        assert_eq!(one[MARKED as usize..][..3], MARK);
    }

    #[test]
    fn flows_differ_in_both_inner_addresses() {
        let (one, other) = (frame(&PATH, 1, 64), frame(&PATH, 2, 64));
        assert_ne!(one[INNER..INNER + 6], other[INNER..INNER + 6]);
        assert_ne!(one[INNER + 6..INNER + 12], other[INNER + 6..INNER + 12]);
    }
}
