//! How long a frame in transit stays in the node: sent on a cable of its own, to a neighbour on the same cable.

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use noctule_sim::CrowdSize;
use noctule_wire::ethernet::mesh_header;
use noctule_wire::{ETHERNET_HEADER_LEN, Mac, Unicast};

use super::crowd::Cable;
use crate::lab::{FrameSocket, Namespace};

/// One frame each.
const PACE: Duration = Duration::from_millis(2);
/// Of the inner frame.
const FRAME_LEN: usize = 100;
/// Where the number of a frame stands, from its end.
const NUMBER_LEN: usize = 8;

/// A neighbour that sends frames to itself by way of the node.
pub(super) struct Transit {
    end: Arc<AtomicBool>,
    probing: Arc<AtomicBool>,
    samples: Arc<Mutex<Vec<Duration>>>,
    thread: JoinHandle<Result<()>>,
}

impl Transit {
    /// A neighbour of the node on the cable `link`, silent but for its OGMs. `node`: the node's address there.
    pub(super) fn start(namespace: &Namespace, link: &str, node: [u8; 6]) -> Result<Self> {
        let mut socket = FrameSocket::open(namespace, link)?;
        let mut cable = Cable::new(1, CrowdSize { originators: 1, neighbours: 1, clients: 1 })?;
        let own = cable.crowd.neighbour(0).context("a crowd has a neighbour")?;
        let end = Arc::new(AtomicBool::new(false));
        let probing = Arc::new(AtomicBool::new(false));
        let samples = Arc::default();
        let line = (Arc::clone(&end), Arc::clone(&probing), Arc::clone(&samples));
        let thread = thread::spawn(move || {
            let (end, probing, samples): (_, _, Arc<Mutex<Vec<Duration>>>) = line;
            let (mut number, mut sent_at) = (0_u64, Instant::now());
            let mut awaited = false;
            while !end.load(Ordering::Relaxed) {
                while let Some(frame) = socket.try_receive()? {
                    let (body, mark) = frame.split_at(frame.len().saturating_sub(NUMBER_LEN));
                    let is_probe = body.get(ETHERNET_HEADER_LEN) == Some(&0x40);
                    if is_probe && mark == number.to_be_bytes() && awaited {
                        awaited = false;
                        let took = sent_at.elapsed();
                        samples.lock().expect("nobody panics with it").push(took);
                    } else {
                        let answers = cable.crowd.answers(frame);
                        for answer in answers {
                            socket.send(&answer)?;
                        }
                    }
                }
                cable.speak(&socket, false)?;
                if probing.load(Ordering::Relaxed) && sent_at.elapsed() >= PACE {
                    number += 1;
                    let probe = probe(own, Mac(node), cable.crowd.ttvn(), number);
                    (sent_at, awaited) = (Instant::now(), true);
                    socket.send(&probe)?;
                }
                let mut ready = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
                poll(&mut ready, PollTimeout::from(1_u8))?;
            }
            Ok(())
        });
        Ok(Self { end, probing, samples, thread })
    }

    /// Sends frames for so long; how long each took that came back.
    pub(super) fn watch(&self, time: Duration) -> Vec<Duration> {
        self.probing.store(true, Ordering::Relaxed);
        thread::sleep(time);
        self.probing.store(false, Ordering::Relaxed);
        // The last one is on its way.
        thread::sleep(10 * PACE);
        std::mem::take(&mut *self.samples.lock().expect("nobody panics with it"))
    }

    /// Ends it.
    pub(super) fn stop(self) -> Result<()> {
        self.end.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow::anyhow!("the neighbour panicked"))?
    }
}

fn probe(own: Mac, node: Mac, ttvn: noctule_wire::Ttvn, number: u64) -> Vec<u8> {
    let mut inner = vec![0; FRAME_LEN];
    inner[..6].copy_from_slice(&own.0);
    inner[6..12].copy_from_slice(&[0x02, 0xce, 0, 0, 0, 1]);
    inner[12..14].copy_from_slice(&[0x88, 0xb5]);
    inner[FRAME_LEN - NUMBER_LEN..].copy_from_slice(&number.to_be_bytes());
    let unicast = Unicast { ttl: 50, ttvn, destination: own, inner: &inner };
    let mut frame = mesh_header(node, own).to_vec();
    frame.extend(unicast.header());
    frame.extend(&inner);
    frame
}

/// The sample that this share of all does not exceed; zero without samples.
pub(super) fn percentile(samples: &mut [Duration], share: f64) -> Duration {
    samples.sort_unstable();
    let index = (samples.len() as f64 * share).ceil() as usize;
    samples.get(index.clamp(1, samples.len().max(1)) - 1).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles() {
        let mut samples: Vec<_> = (1..=1000).rev().map(Duration::from_micros).collect();
        let mut at = |share| percentile(&mut samples, share).as_micros();
        assert_eq!((at(0.5), at(0.99), at(0.999), at(1.0)), (500, 990, 999, 1000));
        assert_eq!(percentile(&mut [], 0.5), Duration::ZERO);
    }
}
