//! `cargo xtask measure`: what a node in a large mesh costs, and what multicast costs on the air.
//!
//! A real node on this kernel, in a namespace, has simulated neighbours: [`crowd`] runs a mesh of engines and pipelines
//! in step with the clock, and some of its ports lie on the node's cable. The figures go into docs/performance.md. They
//! depend on the machine, so nothing is judged here.

mod crowd;
mod multicast;

use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::lab::{End, Lab, Process, Side, enclose};
use crate::node::Node;
use crate::{BadUse, program};
use crowd::Crowd;

/// How many originators the node knows, itself included.
const ORIGINATORS: usize = 200;
/// How many clients they have together.
const CLIENTS: usize = 2000;
/// How many of them are the node's direct neighbours.
const NEIGHBOURS: usize = 4;
/// Until every window of 64 OGMs is full.
const WARM_UP: Duration = Duration::from_secs(75);
/// How long it is watched.
const WATCHED: Duration = Duration::from_secs(60);
/// Until the node knows everybody.
const LIMIT: Duration = Duration::from_secs(90);
/// Far from the numbers of the simulated nodes.
const NUMBER: u8 = 250;

/// Measures, and prints.
pub(crate) fn main(arguments: &[String]) -> Result<ExitCode> {
    match arguments {
        [] => {}
        [what] if what == "multicast" => {
            multicast::main()?;
            return Ok(ExitCode::SUCCESS);
        }
        _ => return Err(BadUse::because("measure takes `multicast` or nothing")),
    }
    let program = program::noctule()?;
    if let Side::Outside(code) = enclose(&[(program::VARIABLE, program.as_os_str())])? {
        return Ok(code);
    }
    let lab = Lab::new("measure")?;
    let mut node = Node::new(&lab, &program, "anna", NUMBER)?;
    let there = lab.namespace("crowd")?;
    let (here, far) = (node.plug(), End { name: "cable", mac: [0x02, 0xcc, 0, 0, 0, 1] });
    let end = End { name: &here, mac: node.mac(1) };
    lab.veth(&node.namespace, &end, &there, &far, 1500)?;
    node.start(&[])?;
    println!("alone, after 10 s:");
    sleep(Duration::from_secs(10));
    watch(&mut node)?;

    println!(
        "with {ORIGINATORS} originators (itself included), {NEIGHBOURS} of them direct neighbours, and {CLIENTS} clients:"
    );
    let crowd = Crowd::start(&there, far.name, ORIGINATORS - 1, NEIGHBOURS, CLIENTS)?;
    let begun = Instant::now();
    loop {
        let known = node.table("originators")?.iter().filter(|row| row["best"] == true).count();
        let clients = node.table("transglobal")?.len();
        // Each simulated node has a mesh interface, which is a client too.
        if known == ORIGINATORS - 1 && clients == CLIENTS + ORIGINATORS - 1 {
            break;
        }
        ensure!(begun.elapsed() < LIMIT, "only {known} originators and {clients} clients known");
        sleep(Duration::from_millis(500));
    }
    println!("  everybody and everything is known after {:.1} s", begun.elapsed().as_secs_f64());
    sleep(WARM_UP);
    watch(&mut node)?;
    let lag = crowd.stop()?;
    println!("  the simulated nodes were at most {:.0} ms late", lag.as_secs_f64() * 1e3);
    node.stop()?;
    Ok(ExitCode::SUCCESS)
}

/// Watches a node that nobody talks to, and prints what it used.
fn watch(node: &mut Node) -> Result<()> {
    let heard =
        |node: &Node| Ok::<_, anyhow::Error>((node.counter("mgmt_rx")?, node.counter("mgmt_tx")?));
    let frames = heard(node)?;
    let before = Usage::of(node.daemon()?)?;
    let begun = Instant::now();
    sleep(WATCHED);
    let took = begun.elapsed().as_secs_f64();
    let after = Usage::of(node.daemon()?)?;
    let later = heard(node)?;
    let memory = node.daemon()?.resident_bytes()?;
    println!("  resident memory   {:.1} MiB", memory as f64 / f64::from(1 << 20));
    println!(
        "  processor time    {:.3} % of a core",
        after.busy.saturating_sub(before.busy) as f64 / 1e9 / took * 100.0
    );
    println!("  wake-ups          {:.1} per second", (after.wakes - before.wakes) as f64 / took);
    println!(
        "  OGM frames        {:.1} per second in, {:.1} out",
        (later.0 - frames.0) as f64 / took,
        (later.1 - frames.1) as f64 / took
    );
    Ok(())
}

/// What all threads of a process have used so far.
struct Usage {
    /// Nanoseconds on a processor.
    busy: u64,
    /// How often a thread went to sleep: it was woken as often.
    wakes: u64,
}

impl Usage {
    fn of(process: &Process) -> Result<Self> {
        let mut usage = Self { busy: 0, wakes: 0 };
        for task in std::fs::read_dir(format!("/proc/{}/task", process.id()))? {
            let task = task?.path();
            let text = std::fs::read_to_string(task.join("schedstat"))?;
            let busy = text.split_whitespace().next().context("an empty schedstat")?;
            usage.busy += busy.parse::<u64>()?;
            let text = std::fs::read_to_string(task.join("status"))?;
            let wakes = text.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            usage.wakes += wakes.context("no switches are counted")?.trim().parse::<u64>()?;
        }
        Ok(usage)
    }
}
