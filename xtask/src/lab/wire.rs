//! A link with losses and delays that this program plays itself.
//!
//! ```text
//! namespace A           hidden namespace            namespace B
//!   n1e1 ═══ veth ═══ here ── this thread ── there ═══ veth ═══ n2e1
//! ```
//! Kernels without netem are common (cloud and container kernels), and a link whose two directions
//! differ is easier to follow in one place. Meant for mesh frames: VLAN tags outside and checksums
//! left to the driver do not survive. Carrier stays up whatever is set, as on a radio.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::frames::FrameSocket;
use super::{End, Lab, Namespace, Netem, Set};

/// How long the thread may sleep when nothing is due: how late it sees its end.
const NAP: Duration = Duration::from_millis(50);
/// Frames under way in one direction; more are lost, as with netem.
const WAITING: usize = 1000;

/// Which frames a setting is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Way {
    /// Those from the first end to the second.
    There,
    /// Those from the second end to the first.
    Back,
    /// All.
    Both,
}

/// The link. It ends when it is dropped: both interfaces stay, but nothing crosses.
pub(crate) struct Wire {
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
    _hidden: Namespace,
}

struct State {
    /// What is done to frames there, and back.
    ways: [Mutex<Netem>; 2],
    /// How many frames have been taken there, and back, the lost ones too.
    taken: [AtomicU64; 2],
    end: AtomicBool,
}

impl Wire {
    /// Makes the link; both ends are up, and it does nothing to frames yet. The same `seed` loses the
    /// same frames of the same sequence.
    pub(super) fn new(
        lab: &Lab,
        (a, a_end): (&Namespace, &End<'_>),
        (b, b_end): (&Namespace, &End<'_>),
        mtu: u32,
        seed: u64,
    ) -> Result<Self> {
        let hidden = lab.namespace(&format!("{}-{}", a_end.name, b_end.name))?;
        // Nobody but this program speaks here: no neighbour discovery from the hidden ends.
        hidden.set_sysctl("net.ipv6.conf.default.disable_ipv6", "1").or_else(no_ipv6)?;
        let mut sockets = Vec::new();
        for (namespace, end, name) in [(a, a_end, "here"), (b, b_end, "there")] {
            let mac = [0x06, 0, 0, 0, 0, u8::try_from(sockets.len()).unwrap_or(0)];
            lab.veth(namespace, end, &hidden, &End { name, mac }, mtu)?;
            hidden.set_link(name, &[Set::Up])?;
            sockets.push(FrameSocket::open(&hidden, name)?);
        }
        let [here, there]: [FrameSocket; 2] =
            sockets.try_into().ok().context("a wire has two ends")?;
        let state = Arc::new(State {
            ways: [Netem::default(), Netem::default()].map(Mutex::new),
            taken: [AtomicU64::new(0), AtomicU64::new(0)],
            end: AtomicBool::new(false),
        });
        let lanes = [Lane::new(seed), Lane::new(!seed)];
        let carrier = Carrier { sockets: [here, there], lanes, state: Arc::clone(&state) };
        let thread = thread::Builder::new().name("wire".into()).spawn(move || carrier.carry())?;
        Ok(Self { state, thread: Some(thread), _hidden: hidden })
    }

    /// Sets what becomes of frames from now on; those under way are not touched.
    pub(crate) fn set(&self, way: Way, netem: Netem) {
        let [there, back] = &self.state.ways;
        for (lane, other) in [(there, Way::Back), (back, Way::There)] {
            if way != other {
                *lane.lock().unwrap_or_else(PoisonError::into_inner) = netem;
            }
        }
    }

    /// How many frames it has taken from the first end, and from the second, the lost ones too.
    pub(crate) fn taken(&self) -> [u64; 2] {
        self.state.taken.each_ref().map(|taken| taken.load(Ordering::Relaxed))
    }

    /// Loses every frame in both directions.
    pub(crate) fn cut(&self) {
        self.set(Way::Both, Netem::loss(100.0));
    }

    /// Loses and delays nothing any more.
    pub(crate) fn repair(&self) {
        self.set(Way::Both, Netem::default());
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.state.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A kernel without IPv6 has no such setting, and needs none.
fn no_ipv6(error: anyhow::Error) -> Result<()> {
    match error.downcast_ref::<io::Error>() {
        Some(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    }
}

/// What the thread owns.
struct Carrier {
    sockets: [FrameSocket; 2],
    lanes: [Lane; 2],
    state: Arc<State>,
}

impl Carrier {
    fn carry(mut self) {
        while !self.state.end.load(Ordering::Relaxed) {
            let now = Instant::now();
            let due = self.lanes.iter().filter_map(Lane::due).min();
            let nap = due.map_or(NAP, |due| due.saturating_duration_since(now).min(NAP));
            // Rounded up to whole milliseconds by `poll`; a shorter wait is spun through.
            let nap = PollTimeout::from(u8::try_from(nap.as_millis()).unwrap_or(u8::MAX));
            let mut ready = self
                .sockets
                .each_ref()
                .map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN));
            if poll(&mut ready, nap).is_err() {
                continue;
            }
            for side in 0..2 {
                let netem = *self.state.ways[side].lock().unwrap_or_else(PoisonError::into_inner);
                // An error means that the interface is down at this moment: nothing arrives.
                while let Ok(Some(frame)) = self.sockets[side].try_receive() {
                    self.lanes[side].take(Instant::now(), &netem, frame);
                    self.state.taken[side].fetch_add(1, Ordering::Relaxed);
                }
                for frame in self.lanes[side].ready(Instant::now()) {
                    // What the other interface refuses is lost, as on any link.
                    let _ = self.sockets[1 - side].send(&frame);
                }
            }
        }
    }
}

/// One direction: frames under way, in the order in which they are due.
struct Lane {
    under_way: BinaryHeap<Reverse<(Instant, u64, Vec<u8>)>>,
    taken: u64,
    /// When the last frame has left the sender, on a link with a rate.
    free: Option<Instant>,
    random: u64,
}

impl Lane {
    fn new(seed: u64) -> Self {
        // The generator stands still at zero.
        Self { under_way: BinaryHeap::new(), taken: 0, free: None, random: seed | 1 }
    }

    fn due(&self) -> Option<Instant> {
        self.under_way.peek().map(|Reverse((due, _, _))| *due)
    }

    /// Decides what becomes of a frame that is sent at `now`.
    fn take(&mut self, now: Instant, netem: &Netem, frame: &[u8]) {
        let copies = 1 + usize::from(self.chance(netem.duplicate_percent));
        if self.chance(netem.loss_percent) {
            return;
        }
        for _ in 0..copies {
            if self.under_way.len() >= WAITING {
                return;
            }
            let mut due = now;
            if netem.rate_bits > 0 {
                let seconds = frame.len() as f64 * 8.0 / netem.rate_bits as f64;
                due =
                    self.free.map_or(now, |free| free.max(now)) + Duration::from_secs_f64(seconds);
                self.free = Some(due);
            }
            let early = netem.jitter.min(netem.delay);
            let span = (early + netem.jitter).mul_f64(self.unit());
            due += netem.delay - early + span;
            self.taken += 1;
            self.under_way.push(Reverse((due, self.taken, frame.to_vec())));
        }
    }

    /// The frames that are due.
    fn ready(&mut self, now: Instant) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        while self.due().is_some_and(|due| due <= now) {
            frames.extend(self.under_way.pop().map(|Reverse((_, _, frame))| frame));
        }
        frames
    }

    fn chance(&mut self, percent: f64) -> bool {
        self.unit() * 100.0 < percent
    }

    /// The next random number from 0 to below 1 (xorshift64*).
    fn unit(&mut self) -> f64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        let bits = self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11;
        bits as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of 10,000 frames get through.
    fn through(netem: Netem) -> usize {
        let now = Instant::now();
        let mut lane = Lane::new(7);
        (0..10_000)
            .map(|_| {
                lane.take(now, &netem, b"frame");
                lane.ready(now + Duration::from_secs(1)).len()
            })
            .sum()
    }

    #[test]
    fn frames_are_lost_and_repeated_by_chance() {
        assert_eq!(through(Netem::default()), 10_000);
        assert_eq!(through(Netem::loss(100.0)), 0);
        // The seed is fixed, and so is the number: 3,000 but for chance.
        let lost = 10_000 - through(Netem::loss(30.0));
        assert!((2_800..3_200).contains(&lost), "{lost}");
        let twice = through(Netem { duplicate_percent: 10.0, ..Netem::default() }) - 10_000;
        assert!((850..1_150).contains(&twice), "{twice}");
    }

    #[test]
    fn a_delay_keeps_the_order_and_jitter_stays_in_its_bounds() {
        let now = Instant::now();
        let ms = Duration::from_millis;
        let mut lane = Lane::new(1);
        let netem = Netem { delay: ms(10), ..Netem::default() };
        lane.take(now, &netem, b"a");
        lane.take(now, &netem, b"b");
        assert!(lane.ready(now + ms(9)).is_empty());
        assert_eq!(lane.ready(now + ms(10)), [b"a", b"b"]);
        let netem = Netem { delay: ms(10), jitter: ms(4), ..Netem::default() };
        for _ in 0..100 {
            lane.take(now, &netem, b"c");
        }
        assert!(lane.ready(now + ms(6) - Duration::from_nanos(1)).is_empty());
        let early = lane.ready(now + ms(10)).len();
        assert!((20..80).contains(&early), "{early}");
        assert_eq!(lane.ready(now + ms(14)).len(), 100 - early);
    }

    #[test]
    fn a_rate_spaces_frames_out() {
        let now = Instant::now();
        let mut lane = Lane::new(1);
        let netem = Netem { rate_bits: 8_000, ..Netem::default() };
        lane.take(now, &netem, &[0; 1000]);
        lane.take(now, &netem, &[0; 500]);
        assert_eq!(lane.ready(now + Duration::from_millis(1000)).len(), 1);
        assert_eq!(lane.ready(now + Duration::from_millis(1499)).len(), 0);
        assert_eq!(lane.ready(now + Duration::from_millis(1500)).len(), 1);
    }

    #[test]
    fn what_waits_is_bounded() {
        let now = Instant::now();
        let mut lane = Lane::new(1);
        let netem = Netem { delay: Duration::from_secs(1), ..Netem::default() };
        (0..2 * WAITING).for_each(|_| lane.take(now, &netem, b"x"));
        assert_eq!(lane.under_way.len(), WAITING);
    }
}
