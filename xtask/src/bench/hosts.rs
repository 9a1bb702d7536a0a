//! What hosts on the mesh feel: TCP, round trips, broadcasts.

use std::os::fd::AsRawFd;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::socket::{MsgFlags, SockaddrIn, sendto, setsockopt, sockopt};

use super::chain::Chain;
use super::figures::{Figures, percentile};
use super::plan::Plan;
use super::processor;
use crate::lab::{Process, wait_for};
use crate::node::Node;

/// How long a command may take beyond what it measures.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a ping waits for its answer.
const LOST: Duration = Duration::from_secs(1);
/// Payload of a ping in bytes.
const PAYLOAD: usize = 56;
/// Payload of a broadcast datagram in bytes: the frame has 64.
const DATAGRAM: usize = 22;
/// Datagrams under way when a flood ends have arrived after this.
const SETTLE: Duration = Duration::from_millis(200);
/// Port of the streams.
const PORT: &str = "5201";

/// TCP over so many hops by so many streams.
pub(super) fn tcp(hops: usize, streams: usize) -> String {
    let (s, plural) = (if hops == 1 { "" } else { "s" }, if streams == 1 { "" } else { "s" });
    format!("TCP over {hops} hop{s}, {streams} stream{plural}, Mbit/s")
}

/// Round trips between neighbours: `share` is 50, 99 or 99.9, `when` idle or under load.
pub(super) fn round_trip(share: &str, when: &str) -> String {
    format!("round trip over 1 hop, {when}, p{share}, µs")
}
/// Idle, and all who take part on the same processor.
pub(super) const ONE_PROCESSOR: &str = "idle, one processor";
/// Broadcasts of a host that reach the node two hops away.
pub(super) const FLOOD: &str = "broadcasts that arrive over 2 hops, frames/s";
/// Memory of the node in the middle when all is done.
pub(super) const MEMORY: &str = "resident memory of a node, MiB";
/// Wake-ups of a node that nobody asks anything of.
pub(super) const WAKE_UPS: &str = "wake-ups when idle, 1/s";
/// Frames with OGMs that it sends (on all links at a time) and receives meanwhile: each wakes it once.
pub(super) const OGMS: &str = "OGM frames sent and received when idle, 1/s";
/// What it wakes for beyond those.
pub(super) const OTHER_WAKE_UPS: &str = "wake-ups when idle beyond OGMs, 1/s";

/// A round of everything on one peer.
pub(super) fn measure(figures: &mut Figures, chain: &Chain, plan: &Plan) -> Result<()> {
    let name = chain.kind.name();
    for hops in (1..chain.nodes.len()).filter(|hops| !plan.quick || hops % 2 == 1) {
        for &streams in plan.streams() {
            let rate = stream(chain, hops, streams, plan.time)?;
            figures.add(tcp(hops, streams), name, rate);
        }
    }
    round_trips(figures, chain, plan, "idle")?;
    {
        let _load = Load::start(chain, plan)?;
        round_trips(figures, chain, plan, "under load")?;
    }
    bind(chain, true)?;
    let done = round_trips(figures, chain, plan, ONE_PROCESSOR);
    bind(chain, false)?;
    done?;
    if chain.nodes.len() > 2 {
        figures.add(FLOOD, name, flood(chain, plan.time)?);
    }
    Ok(())
}

/// iperf3 waits for one client in the node's namespace.
fn server(chain: &Chain, node: usize) -> Result<Process> {
    let mut command = chain.node(node).namespace.command("iperf3");
    command.args(["-s", "-1", "--forceflush", "-p", PORT]).env("TMPDIR", "/run");
    let server = chain.node(node).namespace.spawn_command("iperf3", &mut command)?;
    wait_for(PATIENCE, "iperf3 listens", || {
        ensure!(server.log().contains("listening"), "not yet: {}", server.log());
        Ok(())
    })?;
    Ok(server)
}

/// Mbit/s that arrive at the node `hops` away from n1.
fn stream(chain: &Chain, hops: usize, streams: usize, time: Duration) -> Result<f64> {
    let _server = server(chain, 1 + hops)?;
    let to = chain.node(1 + hops).address().to_string();
    // iperf3 takes whole seconds.
    let seconds = time.as_secs().max(1).to_string();
    let words = ["-c", &to, "-p", PORT, "-J", "-t", &seconds, "-P", &streams.to_string()];
    let mut command = chain.node(1).namespace.command("iperf3");
    command.args(words).env("TMPDIR", "/run");
    let text = crate::lab::run(&mut command, time + PATIENCE)?.success()?;
    received(&text).with_context(|| format!("iperf3 said {text}"))
}

/// Mbit/s of the sum over the streams of an iperf3 report.
fn received(report: &str) -> Option<f64> {
    let report: serde_json::Value = serde_json::from_str(report).ok()?;
    Some(report["end"]["sum_received"]["bits_per_second"].as_f64()? / 1e6)
}

/// Keeps whoever takes part in a round trip to one processor, or not: then none has to be woken while the one before still works.
fn bind(chain: &Chain, bound: bool) -> Result<()> {
    let daemons = chain.processes().iter().take(2).map(u32::to_string);
    daemons.chain(["self".to_owned()]).try_for_each(|process| processor::bind(&process, bound))
}

fn round_trips(figures: &mut Figures, chain: &Chain, plan: &Plan, when: &str) -> Result<()> {
    let mut echo = chain.node(1).echo(chain.node(2).address())?;
    let mut times = Vec::new();
    for _ in 0..plan.pings {
        if let Some(took) = echo.ping(PAYLOAD, LOST)? {
            times.push(took.as_secs_f64() * 1e6);
        }
    }
    for (text, share) in [("50", 0.5), ("99", 0.99), ("99.9", 0.999)] {
        let value = percentile(&times, share).context("every ping was lost")?;
        figures.add(round_trip(text, when), chain.kind.name(), value);
    }
    Ok(())
}

/// Datagrams of 1,400 bytes between the two neighbours at the same rate for all peers, until dropped.
struct Load {
    _client: Process,
    _server: Process,
}

impl Load {
    fn start(chain: &Chain, plan: &Plan) -> Result<Self> {
        let server = server(chain, 2)?;
        let to = chain.node(2).address().to_string();
        let mut command = chain.node(1).namespace.command("iperf3");
        command.args(["-c", &to, "-p", PORT, "-u", "-l", "1400", "-t", "600", "-b", plan.load]);
        let client =
            chain.node(1).namespace.spawn_command("load", command.env("TMPDIR", "/run"))?;
        sleep(SETTLE);
        Ok(Self { _client: client, _server: server })
    }
}

/// A host at n1 sends broadcasts as fast as it can; how many a second the hosts at n3 get.
fn flood(chain: &Chain, time: Duration) -> Result<f64> {
    let (from, to) = (&chain.node(1).namespace, &chain.node(3).namespace);
    let socket = from.with(|| std::net::UdpSocket::bind("0.0.0.0:0"))?;
    setsockopt(&socket, sockopt::Broadcast, &true)?;
    let before = to.link("bat0")?.rx_frames;
    let address = SockaddrIn::new(10, 99, 0, 255, 9);
    let begun = std::time::Instant::now();
    while begun.elapsed() < time {
        // What does not fit into a queue is lost, as any broadcast is.
        let _ = sendto(socket.as_raw_fd(), &[0; DATAGRAM], &address, MsgFlags::empty());
    }
    let took = begun.elapsed();
    sleep(SETTLE);
    let arrived = to.link("bat0")?.rx_frames - before;
    Ok(arrived as f64 / took.as_secs_f64())
}

/// What the daemons in the middle cost while nobody asks anything of them, and what memory they have by then.
pub(super) fn watch(figures: &mut Figures, chains: &mut [Chain], time: Duration) -> Result<()> {
    for chain in &mut *chains {
        let name = chain.kind.name();
        if let Some(daemon) = chain.daemon(2) {
            figures.add(MEMORY, name, daemon.resident_bytes()? as f64 / f64::from(1 << 20));
        }
    }
    let count = || -> Result<Vec<_>> {
        let middles = chains.iter().filter_map(|chain| Some((chain, *chain.processes().get(1)?)));
        middles
            .map(|(chain, daemon)| {
                Ok((chain.kind, processor::wake_ups(daemon)?, frames(chain.node(2))?))
            })
            .collect()
    };
    let before = count()?;
    sleep(time);
    for ((kind, wakes, frames), (_, first_wakes, first_frames)) in count()?.into_iter().zip(before)
    {
        let per_second = |now: u64, first: u64| (now - first) as f64 / time.as_secs_f64();
        let wakes = per_second(wakes, first_wakes);
        figures.add(WAKE_UPS, kind.name(), wakes);
        if kind.is_mesh() {
            let ogms = per_second(frames, first_frames);
            figures.add(OGMS, kind.name(), ogms);
            figures.add(OTHER_WAKE_UPS, kind.name(), wakes - ogms);
        }
    }
    Ok(())
}

/// Frames that a node has received, by any link, and sent: what goes out by all links at a time is counted once.
fn frames(node: &Node) -> Result<u64> {
    let (mut received, mut sent) = (0, 0);
    for name in node.interfaces() {
        let link = node.namespace.link(&name)?;
        received += link.rx_frames;
        sent = sent.max(link.tx_frames);
    }
    Ok(received + sent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_received_rate_of_a_report_counts() {
        let report = r#"{"end": {"sum_sent": {"bits_per_second": 9e6},
            "sum_received": {"bits_per_second": 8.5e6}}}"#;
        assert_eq!(received(report), Some(8.5));
        assert_eq!(received(r#"{"error": "unable to connect"}"#), None);
        assert_eq!(received("nothing"), None);
    }

    #[test]
    fn measures_have_names_of_their_own() {
        let mut names: Vec<_> =
            (1..=3).flat_map(|hops| [1, 4].map(|streams| tcp(hops, streams))).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 6);
        assert_eq!(tcp(1, 1), "TCP over 1 hop, 1 stream, Mbit/s");
    }
}
