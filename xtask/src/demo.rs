//! `cargo xtask demo`: the main job, live, in two screens; `cargo xtask demo lan`: LANs behind the nodes.

pub(crate) mod lan;

use std::path::PathBuf;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::lab::{Lab, Side, enclose, wait_for};
use crate::node::Node;
use crate::{BadUse, program};

/// For whatever must come sooner or later.
const LIMIT: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(1);
const NAMES: [&str; 5] = ["anna", "ben", "cara", "dora", "eli"];

/// Shows it.
pub(crate) fn main(arguments: &[String]) -> Result<ExitCode> {
    let show = match arguments {
        [] => show,
        [word] if word == "lan" => {
            lan::prepare();
            lan::show
        }
        [..] => {
            return Err(BadUse::because(
                "`cargo xtask demo` shows a mesh, `cargo xtask demo lan` two LANs in it",
            ));
        }
    };
    let program = match std::env::var_os(program::VARIABLE) {
        Some(path) => PathBuf::from(path),
        None => {
            crate::lab::check()?;
            println!("Building noctule (once; a few minutes on a small machine) ...");
            program::noctule()?
        }
    };
    if let Side::Outside(code) = enclose(&[(program::VARIABLE, program.as_os_str())])? {
        return Ok(code);
    }
    show(&program)?;
    Ok(ExitCode::SUCCESS)
}

/// A line of what happens.
fn say(start: Instant, text: &str) {
    println!("{:>6.1} s  {text}", start.elapsed().as_secs_f64());
}

fn show(program: &std::path::Path) -> Result<()> {
    let lab = Lab::new("demo")?;
    println!(
        "\nFive nodes, each in a network namespace of its own; every line is a cable with an MTU of 1500.\n\
         Nothing outside of these namespaces is touched, and nothing stays behind.\n\n\
         \x20                       cara\n\
         \x20                      /    \\\n\
         \x20        anna --- ben        dora\n\
         \x20                      \\    /\n\
         \x20                       eli\n"
    );
    let mut nodes = Vec::new();
    for (name, number) in NAMES.into_iter().zip(1..) {
        nodes.push(Node::new(&lab, program, name, number)?);
    }
    for (a, b) in [(0, 1), (1, 2), (2, 3), (1, 4), (4, 3)] {
        let [one, other] = nodes.get_disjoint_mut([a, b])?;
        one.link(other, &lab, 1500)?;
    }
    let start = Instant::now();
    for node in &mut nodes {
        node.start(&[])?;
    }
    say(start, "all five run: noctule run --mesh bat0 --interface e1 ...");
    routes(start, &nodes)?;
    traffic(start, &nodes)?;
    detour(start, &mut nodes)?;
    for node in &mut nodes {
        // The dead relay has nothing left to stop.
        if node.daemon().is_ok() {
            node.stop()?;
        }
    }
    say(start, "all nodes stopped; each removed its bat0. The namespaces end with this program.");
    Ok(())
}

/// The mesh comes up by itself.
fn routes(start: Instant, nodes: &[Node]) -> Result<()> {
    let (anna, dora) = (&nodes[0], &nodes[3]);
    wait_for(LIMIT, "anna has a route to dora", || anna.route(dora)?.context("none yet"))?;
    say(start, "anna has a route to dora, three hops away. Nobody told her.");
    let took = anna.wait_for_ping(dora.address(), LIMIT)?;
    say(
        start,
        &format!("the first ping anna -> dora is answered ({:.1} s of trying)", took.as_secs_f64()),
    );
    sleep(Duration::from_secs(8));
    say(
        start,
        "what anna knows: quality of the way (0 to 255), next hop. It rises for about a minute:",
    );
    println!("\n$ noctule originators");
    print!("{}", anna.ask(&["originators"])?);
    println!();
    Ok(())
}

/// Real traffic: ping, large ping, TCP.
fn traffic(start: Instant, nodes: &[Node]) -> Result<()> {
    let (anna, dora) = (&nodes[0], &nodes[3]);
    let mut echo = anna.echo(dora.address())?;
    let small = echo.ping(56, PATIENCE)?.context("a ping got lost")?;
    say(start, &format!("ping anna -> dora: {:.2} ms there and back", small.as_secs_f64() * 1e3));
    let before = anna.counter("frag_tx")?;
    let large = echo.ping(1472, PATIENCE)?.context("a ping of 1500 bytes got lost")?;
    let parts = anna.counter("frag_tx")? - before;
    ensure!(
        parts >= 2,
        "a packet of 1500 bytes needs fragments on links of 1500, {parts} were sent"
    );
    say(
        start,
        &format!(
            "an IP packet of 1500 bytes and the mesh's header do not fit a link's MTU of 1500:\n          \
             anna cut it into {parts} fragments, dora joined them: {:.2} ms",
            large.as_secs_f64() * 1e3
        ),
    );
    let bytes = 32 << 20;
    let took = anna.transfer(dora, bytes)?;
    let rate = bytes as f64 * 8.0 / took.as_secs_f64() / 1e6;
    say(
        start,
        &format!(
            "TCP anna -> dora: 32 MiB over three hops in {:.1} s, {rate:.0} Mbit/s",
            took.as_secs_f64()
        ),
    );
    println!("\n$ noctule traceroute {}        (dora)", dora.originator());
    print!("{}", anna.ask(&["traceroute", &dora.originator()])?);
    println!();
    Ok(())
}

/// The relay in use dies without a word.
fn detour(start: Instant, nodes: &mut [Node]) -> Result<()> {
    let (target, originator) = (nodes[3].address(), nodes[3].originator());
    let path = |nodes: &[Node]| nodes[0].ask(&["traceroute", &originator]);
    let text = path(nodes)?;
    let relay = if text.contains(&nodes[2].originator()) { 2 } else { 4 };
    let other = 6 - relay;
    let stream = nodes[0].ping_stream(target, Duration::from_millis(100))?;
    sleep(Duration::from_secs(1));
    say(
        start,
        &format!(
            "traffic goes by {}. Its power is cut now (SIGKILL): no link goes down, it is just silent.",
            NAMES[relay]
        ),
    );
    nodes[relay].kill()?;
    let died = Instant::now();
    wait_for(LIMIT, "the route leads by the other relay", || {
        ensure!(path(nodes)?.contains(&nodes[other].originator()), "not yet");
        Ok(())
    })?;
    let mut echo = nodes[0].echo(target)?;
    wait_for(LIMIT, "pings are answered again", || echo.ping(56, PATIENCE)?.context("lost"))?;
    sleep(Duration::from_secs(1));
    let log = stream.stop()?;
    let took = log.recovery(died, 5).context("the pings never came back")?;
    say(
        start,
        &format!(
            "looking back at a ping every 100 ms: the first answer after the cut came {:.1} s after it, by {}.",
            took.as_secs_f64(),
            NAMES[other]
        ),
    );
    println!("\n$ noctule traceroute {originator}        (dora)");
    print!("{}", path(nodes)?);
    println!();
    Ok(())
}
