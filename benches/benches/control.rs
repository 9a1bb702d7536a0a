//! What a large mesh costs the engine, I/O aside: processor time for each second of the mesh's life.
//!
//! One simulated node (engine and pipeline) hears the OGMs of a made-up mesh, each originator's from each neighbour once a
//! second, takes them every 20 ms as the daemon does, and repeats what it is to repeat.

use criterion::{Criterion, SamplingMode, criterion_group, criterion_main};
use nix::time::{ClockId, clock_gettime};
use noctule_sim::{Crowd, CrowdSize, Mesh, NodeId, secs};
use std::time::Duration;

/// How often the daemon takes OGMs while many come.
const STEP: Duration = Duration::from_millis(20);
/// Until every window of 64 OGMs is full.
const WARM_UP: u64 = 75;

const SIZES: [CrowdSize; 3] = [size(200, 5, 2000), size(1000, 1, 10_000), size(1000, 5, 10_000)];

const fn size(originators: usize, neighbours: usize, clients: usize) -> CrowdSize {
    CrowdSize { originators, neighbours, clients }
}

struct Listener {
    mesh: Mesh,
    node: NodeId,
    crowd: Crowd,
}

impl Listener {
    fn new(size: CrowdSize, warm_up: u64) -> Self {
        let mut mesh = Mesh::seeded(7);
        let node = mesh.node(1);
        mesh.connect_outside(node, 0);
        let crowd = Crowd::new(mesh.now(), 0, size).expect("a size that can be");
        let mut listener = Self { mesh, node, crowd };
        listener.run(secs(warm_up));
        // Lists of clients are asked for one after the other.
        let mut known = listener.known();
        for _ in warm_up..WARM_UP {
            if known == (size.originators, size.clients) {
                break;
            }
            listener.run(secs(1));
            known = listener.known();
        }
        assert_eq!(known, (size.originators, size.clients), "everybody and everything is known");
        listener
    }

    /// How many originators and clients the node knows.
    fn known(&self) -> (usize, usize) {
        let overview = self.mesh.engine(self.node).overview();
        (overview.originators, overview.global_clients)
    }

    /// Lets time pass; how long the processor worked for the node.
    fn run(&mut self, time: Duration) -> Duration {
        let mut busy = Duration::ZERO;
        let end = self.mesh.now() + time;
        while self.mesh.now() < end {
            while let Some(frame) = self.crowd.frame(self.mesh.now()) {
                self.mesh.receive_outside(&frame);
            }
            let before = worked();
            self.mesh.run(STEP);
            busy += worked().saturating_sub(before);
            for frame in self.mesh.take_outside() {
                for answer in self.crowd.answers(&frame) {
                    self.mesh.receive_outside(&answer);
                }
            }
        }
        busy
    }
}

/// This thread's processor time so far.
fn worked() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("there is such a clock").into()
}

fn control(c: &mut Criterion) {
    // Without `--bench` benches run once and measure nothing.
    let warm_up = if std::env::args().any(|argument| argument == "--bench") { WARM_UP } else { 5 };
    let mut group = c.benchmark_group("a second of control work");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    for size in SIZES {
        let mut listener = Listener::new(size, warm_up);
        let CrowdSize { originators, neighbours, clients } = size;
        let name =
            format!("{originators} originators by {neighbours} neighbours, {clients} clients");
        group.bench_function(name, |b| {
            b.iter_custom(|seconds| listener.run(secs(seconds)));
        });
        assert!(listener.mesh.faults().is_empty(), "{:?}", listener.mesh.faults());
        assert!(listener.mesh.engine(listener.node).overview().originators == originators);
    }
    group.finish();
}

criterion_group!(benches, control);
criterion_main!(benches);
