//! A simulated mesh in step with the clock, with some of its nodes on a real cable.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use noctule_control::Input;
use noctule_sim::{Link, Mesh, NodeId};
use noctule_wire::{Client, Mac};

use crate::lab::{FrameSocket, Namespace};

/// One run is like the other.
const SEED: u64 = 7;
/// How far nodes of the unit square hear each other: about ten of two hundred.
const RADIUS: f64 = 0.13;

/// A mesh that runs in a thread of its own.
pub(super) struct Crowd {
    end: Arc<AtomicBool>,
    /// Its result: how late the mesh was at most.
    thread: JoinHandle<Result<Duration>>,
}

impl Crowd {
    /// `count` nodes at random places, the first `neighbours` of them also on the cable `link`, and
    /// `clients` clients among all of them.
    pub(super) fn start(
        namespace: &Namespace,
        link: &str,
        count: usize,
        neighbours: usize,
        clients: usize,
    ) -> Result<Self> {
        let mut socket = FrameSocket::open(namespace, link)?;
        let end = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&end);
        let thread = thread::spawn(move || {
            let mut mesh = mesh(count, neighbours, clients)?;
            let (begun, start) = (Instant::now(), mesh.now());
            let mut late = Duration::ZERO;
            while !ended.load(Ordering::Relaxed) {
                while let Some(frame) = socket.try_receive()? {
                    mesh.receive_outside(frame);
                }
                let due = begun.elapsed();
                let behind = due.saturating_sub(mesh.now().since(start));
                late = late.max(behind);
                mesh.run(behind);
                for frame in mesh.take_outside() {
                    socket.send(&frame).context("the cable takes no frame")?;
                }
                let mut ready = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
                poll(&mut ready, PollTimeout::from(1_u8))?;
            }
            Ok(late)
        });
        Ok(Self { end, thread })
    }

    /// Ends it; returns how late it was at most.
    pub(super) fn stop(self) -> Result<Duration> {
        self.end.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow::anyhow!("the simulated mesh panicked"))?
    }
}

fn mesh(count: usize, neighbours: usize, clients: usize) -> Result<Mesh> {
    let (mut mesh, nodes) = (0..100)
        .find_map(|more| {
            let mut mesh = Mesh::seeded(SEED + more);
            let nodes = mesh.geometric(count, RADIUS, Link::wired())?;
            Some((mesh, nodes))
        })
        .context("no seed gives a connected mesh")?;
    for node in &nodes[..neighbours] {
        mesh.connect_outside(*node, 0);
    }
    for number in 0..clients {
        let client = client(nodes[number % count], number);
        mesh.input(
            nodes[number % count],
            Input::LearnLocal { client, wifi: false, isolated: false },
        );
    }
    Ok(mesh)
}

fn client(node: NodeId, number: usize) -> Client {
    let Mac([.., n0, n1, _]) = node.mesh_mac();
    let [.., high, low] = number.to_be_bytes();
    Client::untagged(Mac([0x02, 0xc1, n0, n1, high, low]))
}
