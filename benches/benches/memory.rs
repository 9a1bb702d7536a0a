//! What a client costs a node in memory, counted by the allocator: `cargo bench -p noctule-benches --bench memory`.
//!
//! * The FIB alone: a writer that is told of so many clients.
//! * A whole node, engine, FIB and pipeline: ten simulated nodes that all hear each other have so many clients together, and
//!   tell each other by OGMs and table answers. What all of them hold more than without clients, by nodes and clients.
//!
//! Both count what is held when all is said and done, not what came and went; what the allocator itself adds to each piece
//! (some 8 to 16 bytes) is not in it.

#![expect(unsafe_code, reason = "an allocator that counts must implement GlobalAlloc")]

use noctule_control::Input;
use noctule_fib::{Announcers, GlobalClient, HashKey, Writer};
use noctule_sim::{Link, Mesh, secs};
use noctule_wire::tvlv::translation_table::ClientFlags;
use noctule_wire::{Client, Instant, Mac, SeqNo};
use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicI64, Ordering};

struct Counting;

static HELD: AtomicI64 = AtomicI64::new(0);

fn count(bytes: i64) {
    HELD.fetch_add(bytes, Ordering::Relaxed);
}

// SAFETY: every call goes to the system allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: the caller keeps `alloc`'s contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as i64));
        // SAFETY: `pointer` came from `System` by the functions here.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as i64 - layout.size() as i64);
        // SAFETY: `pointer` came from `System`, and the caller keeps `realloc`'s contract.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const NODES: usize = 10;

fn mac(number: usize) -> Mac {
    let [.., a, b, c] = number.to_be_bytes();
    Mac([2, 3, 0, a, b, c])
}

/// Runs something and says how many bytes more are held while its result lives.
fn held<T>(make: impl FnOnce() -> T) -> f64 {
    let before = HELD.load(Ordering::Relaxed);
    let made = black_box(make());
    let bytes = HELD.load(Ordering::Relaxed) - before;
    drop(made);
    bytes as f64
}

fn fib(local: bool, count: usize) -> f64 {
    let fill = |count: usize| {
        move || {
            let mut fib = Writer::new(HashKey([1, 2]), 0, SeqNo(0));
            for number in 0..count {
                let client = Client::untagged(mac(number));
                if local {
                    fib.set_local(client, ClientFlags::NONE, Instant::ZERO);
                } else {
                    let announcers = Announcers::One(mac(number % 200));
                    let entry = GlobalClient { flags: ClientFlags::NONE, announcers };
                    fib.set_global(client, entry);
                }
            }
            settle();
            fib
        }
    };
    (held(fill(count)) - held(fill(0))) / count as f64
}

/// A claim in the data plane's table.
fn claims(count: usize) -> f64 {
    let fill = |count: usize| {
        move || {
            let mut fib = Writer::new(HashKey([1, 2]), 0, SeqNo(0));
            for number in 0..count {
                fib.set_claim(Client::untagged(mac(number)), mac(0), Instant::ZERO);
            }
            settle();
            fib
        }
    };
    (held(fill(count)) - held(fill(0))) / count as f64
}

/// Tables that were replaced are freed when nobody can read them any more.
fn settle() {
    let fib = Writer::new(HashKey([3, 4]), 0, SeqNo(0));
    for _ in 0..10_000 {
        drop(fib.reader().pin());
    }
}

fn mesh(count: usize) -> Mesh {
    let mut mesh = Mesh::seeded(1);
    let nodes = mesh.geometric(NODES, 2.0, Link::wired()).expect("all hear each other");
    mesh.run(secs(30));
    for number in 0..count {
        let client = Client::untagged(mac(number));
        let learned = Input::LearnLocal { client, wifi: false, isolated: false };
        mesh.input(nodes[number % NODES], learned);
    }
    mesh.run(secs(60));
    for node in nodes {
        let known = mesh.engine(node).overview();
        let clients = known.local_clients + known.global_clients;
        // Each node's own mesh interface is one, too.
        assert_eq!(clients, count + NODES, "everybody knows everybody");
    }
    settle();
    mesh
}

fn main() {
    // Without `--bench` benches run once and measure nothing.
    let counts: &[usize] = if std::env::args().any(|argument| argument == "--bench") {
        &[1000, 10_000]
    } else {
        &[50]
    };
    println!("bytes held for each client:");
    let nothing = held(|| mesh(0));
    for &count in counts {
        let (local, global) = (fib(true, count), fib(false, count));
        let node = (held(|| mesh(count)) - nothing) / (NODES * count) as f64;
        println!(
            "  {count:6} clients: FIB {local:4.0} (of ours), {global:4.0} (of others); \
             engine {:4.0}; the whole node {node:4.0}",
            node - (local + global * 9.0) / 10.0
        );
        println!("  {count:6} claims: FIB {:4.0}", claims(count));
    }
}
