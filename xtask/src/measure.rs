//! `cargo xtask measure`: what a node in a large mesh costs, and what multicast costs on the air.
//!
//! A real node on this kernel, in a namespace, is at the edge of a made-up mesh ([`noctule_sim::Crowd`]), whose neighbours
//! lie on one of its cables. On another one a neighbour sends frames to itself, through the node ([`transit`]): how long
//! they take with and without the mesh tells what forwarding feels of it. The figures go into docs/performance.md. They
//! depend on the machine, so nothing is judged here.

mod crowd;
mod multicast;
mod transit;

use std::path::Path;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use noctule_sim::CrowdSize;

use crate::lab::{End, Lab, Namespace, Process, Side, enclose};
use crate::node::Node;
use crate::{BadUse, program};
use crowd::Crowd;
use transit::{Transit, percentile};

/// What may be said after `measure`.
pub(crate) const ARGUMENTS: &str =
    "[multicast | [--quick] [--originators N] [--clients N] [--neighbours N]]";
/// What is measured if nothing else is asked for. Originators without the node itself.
const SIZES: [CrowdSize; 3] = [
    CrowdSize { originators: 200, neighbours: 5, clients: 2000 },
    CrowdSize { originators: 1000, neighbours: 1, clients: 10_000 },
    CrowdSize { originators: 1000, neighbours: 5, clients: 10_000 },
];
/// Until the node knows everybody.
const LIMIT: Duration = Duration::from_secs(90);
/// How long frames in transit are timed with the mesh, and without it.
const TURN: Duration = Duration::from_millis(850);
/// Until OGMs that were sent before a turn have been dealt with.
const SETTLE: Duration = Duration::from_millis(150);
/// Far from the numbers of the made-up nodes.
const NUMBER: u8 = 250;

/// What the command line asks for.
#[derive(Debug, Eq, PartialEq)]
struct Asked {
    sizes: Vec<CrowdSize>,
    /// Until every window of 64 OGMs is full, or less.
    warm_up: Duration,
    /// How long each thing is watched.
    watched: Duration,
}

fn parse(words: &[String]) -> Result<Asked> {
    let mut size = SIZES[SIZES.len() - 1];
    let (mut sized, mut quick) = (false, false);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let place = match word.as_str() {
            "--quick" => {
                quick = true;
                continue;
            }
            "--originators" => &mut size.originators,
            "--clients" => &mut size.clients,
            "--neighbours" => &mut size.neighbours,
            _ => return Err(BadUse::because(format!("measure takes {ARGUMENTS}"))),
        };
        let number = words.next().and_then(|number| number.parse().ok());
        *place = number.ok_or_else(|| BadUse::because(format!("{word} takes a number")))?;
        sized = true;
    }
    if noctule_sim::Crowd::new(noctule_wire::Instant::ZERO, 0, size).is_none() {
        return Err(BadUse::because("no mesh can have this size"));
    }
    let (warm_up, watched) = if quick { (15, 15) } else { (75, 60) };
    Ok(Asked {
        sizes: if sized { vec![size] } else { SIZES.to_vec() },
        warm_up: Duration::from_secs(warm_up),
        watched: Duration::from_secs(watched),
    })
}

/// Measures, and prints.
pub(crate) fn main(arguments: &[String]) -> Result<ExitCode> {
    if let [what] = arguments
        && what == "multicast"
    {
        multicast::main()?;
        return Ok(ExitCode::SUCCESS);
    }
    let asked = parse(arguments)?;
    let program = program::noctule()?;
    if let Side::Outside(code) = enclose(&[(program::VARIABLE, program.as_os_str())])? {
        return Ok(code);
    }
    let lab = Lab::new("measure")?;
    for (number, size) in asked.sizes.iter().enumerate() {
        in_a_crowd(&lab, &program, &format!("anna{number}"), *size, &asked)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// One node, alone and then in a mesh.
fn in_a_crowd(lab: &Lab, program: &Path, name: &str, size: CrowdSize, asked: &Asked) -> Result<()> {
    let mut node = Node::new(lab, program, name, NUMBER)?;
    let there = lab.namespace(&format!("crowd-of-{name}"))?;
    let mesh = cable(lab, &mut node, &there, "mesh")?;
    let probes = cable(lab, &mut node, &there, "probes")?;
    node.start(&[])?;
    println!("alone, after 10 s:");
    sleep(Duration::from_secs(10));
    watch(&mut node, asked.watched)?;
    let transit = Transit::start(&there, &probes, node.mac(2))?;

    let CrowdSize { originators, neighbours, clients } = size;
    println!(
        "with {originators} originators, {neighbours} of them neighbours that repeat all OGMs, and {clients} clients:"
    );
    let crowd = Crowd::start(&there, &mesh, size)?;
    let begun = Instant::now();
    loop {
        let known = node.table("originators")?.iter().filter(|row| row["best"] == true).count();
        let here = node.table("transglobal")?.len();
        // One originator and its client are on the other cable.
        if (known, here) == (originators + 1, clients + 1) {
            break;
        }
        ensure!(begun.elapsed() < LIMIT, "only {known} originators and {here} clients known");
        sleep(Duration::from_millis(500));
    }
    println!("  everybody and everything is known after {:.1} s", begun.elapsed().as_secs_f64());
    sleep(asked.warm_up);
    watch(&mut node, asked.watched)?;
    // By turns, so that whatever else the machine does is in both.
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..asked.watched.as_secs() {
        for (silent, samples) in [(true, &mut without), (false, &mut with)] {
            crowd.set_silent(silent);
            sleep(SETTLE);
            samples.extend(transit.watch(TURN));
        }
    }
    let late = crowd.stop()?;
    println!("  the made-up mesh was at most {:.0} ms late", late.as_secs_f64() * 1e3);
    compare(&mut without, &mut with)?;
    transit.stop()?;
    node.stop()
}

/// A cable from the node to `there`; returns the name of its end there.
fn cable(lab: &Lab, node: &mut Node, there: &Namespace, name: &str) -> Result<String> {
    let here = node.plug();
    let far = End { name, mac: [0x02, 0xcc, 0, 0, 0, name.len() as u8] };
    let index = node.interfaces().len() as u8;
    let end = End { name: &here, mac: node.mac(index) };
    lab.veth(&node.namespace, &end, there, &far, 1500)?;
    Ok(name.to_owned())
}

/// Prints what frames in transit took without and with a mesh.
fn compare(without: &mut [Duration], with: &mut [Duration]) -> Result<()> {
    ensure!(!without.is_empty() && !with.is_empty(), "no frame came through");
    println!(
        "  frames in transit: {} without OGMs of the mesh, {} with",
        without.len(),
        with.len()
    );
    for (name, share) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)] {
        let [without, with] =
            [&mut *without, &mut *with].map(|all| percentile(all, share).as_secs_f64() * 1e6);
        println!(
            "    {name:5}           {without:7.0} µs without, {with:7.0} µs with, ratio {:.2}",
            with / without
        );
    }
    Ok(())
}

/// Watches a node that nobody talks to, and prints what it used.
fn watch(node: &mut Node, time: Duration) -> Result<()> {
    let heard =
        |node: &Node| Ok::<_, anyhow::Error>((node.counter("mgmt_rx")?, node.counter("mgmt_tx")?));
    let frames = heard(node)?;
    let before = Usage::of(node.daemon()?)?;
    let begun = Instant::now();
    sleep(time);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line() {
        let parse = |line: &str| {
            parse(&line.split_whitespace().map(String::from).collect::<Vec<_>>())
                .map_err(|error| error.to_string())
        };
        assert_eq!(parse("").expect("nothing to say").sizes, SIZES);
        let asked = parse("--quick --originators 50 --clients 60 --neighbours 2").expect("a size");
        assert_eq!(asked.sizes, [CrowdSize { originators: 50, neighbours: 2, clients: 60 }]);
        assert_eq!(asked.watched, Duration::from_secs(15));
        for wrong in ["--originators", "--clients x", "once", "--neighbours 0"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
