//! What a datagram to a group costs on the air, beside flooding: simulated nodes in virtual time, so the figures are the same
//! on every machine.

use std::net::Ipv4Addr;

use anyhow::{Context, Result, ensure};
use noctule_control::Settings;
use noctule_sim::{Link, Mesh, NodeId, secs};

const GROUP: Ipv4Addr = Ipv4Addr::new(239, 1, 2, 3);
const NODES: usize = 30;
const LISTENERS: usize = 3;
/// Meshes of each shape. Others listen in each of them.
const MESHES: u64 = 10;
/// How far nodes of the unit square hear each other: about six of thirty.
const RADIUS: f64 = 0.28;

/// A mesh of a shape.
type Build = fn(u64, Settings) -> Option<(Mesh, Vec<NodeId>)>;

const SHAPES: [(&str, Build); 3] = [
    ("in a row, wired", |seed, settings| {
        let mut mesh = Mesh::with_settings(seed, settings);
        let nodes = mesh.chain(NODES, Link::wired());
        Some((mesh, nodes))
    }),
    ("a grid of 6 by 5, Wi-Fi", |seed, settings| {
        let mut mesh = Mesh::with_settings(seed, settings);
        let nodes = mesh.grid(6, 5, Link::wired());
        Some((mesh, nodes))
    }),
    ("at random places, Wi-Fi", |seed, settings| {
        (0..100).find_map(|more| {
            let mut mesh = Mesh::with_settings(seed * 100 + more, settings.clone());
            let nodes = mesh.geometric(NODES, RADIUS, Link::wired())?;
            Some((mesh, nodes))
        })
    }),
];

/// Sums over all meshes of a shape.
#[derive(Default)]
struct Sum {
    frames: u64,
    hosts: usize,
}

/// Measures, and prints.
pub(super) fn main() -> Result<()> {
    println!(
        "a datagram to {LISTENERS} of {NODES} nodes, means of {MESHES} meshes: frames on all links, hosts that get it"
    );
    for (shape, build) in SHAPES {
        let with = sum(build, false)?;
        let without = sum(build, true)?;
        let mean = |count: u64| count as f64 / MESHES as f64;
        println!(
            "  {shape:26} to listeners {:5.1} frames, {:4.1} hosts; flooded {:5.1} frames, {:4.1} hosts; {:.1} times as many",
            mean(with.frames),
            mean(with.hosts as u64),
            mean(without.frames),
            mean(without.hosts as u64),
            without.frames as f64 / with.frames as f64,
        );
    }
    Ok(())
}

fn sum(build: Build, flood: bool) -> Result<Sum> {
    let mut sum = Sum::default();
    for seed in 1..=MESHES {
        let settings = Settings { multicast_forceflood: flood, ..Settings::default() };
        let (mut mesh, nodes) = build(seed, settings).context("no seed gives one mesh")?;
        // The sender is the first; these are anywhere else.
        let place = |number: usize| nodes[1 + (seed as usize * 7 + number * 11) % (NODES - 1)];
        let listeners: Vec<_> = (0..LISTENERS).map(place).collect();
        mesh.listen(GROUP, &listeners, secs(60));
        let heard = mesh.tell(nodes[0], GROUP);
        let served = listeners.iter().all(|node| heard.by.contains(node));
        ensure!(served, "seed {seed}: not every listener got it: {:?}", heard.by);
        ensure!(mesh.faults().is_empty(), "seed {seed}: {:?}", mesh.faults());
        sum.frames += heard.frames;
        sum.hosts += heard.by.len();
    }
    Ok(sum)
}
