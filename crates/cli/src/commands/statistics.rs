//! `noctule statistics`, `s`: what was counted, and why frames were dropped (MGMT-36, MGMT-39).

use crate::args::Common;
use crate::client::Client;
use crate::failure::Outcome;
use crate::{Status, json};
use noctule_daemon::api::{Address, Originator, Pairs, Reply, Request, Statistics};
use serde::Serialize;
use std::io::Write;

/// What can be typed.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// Show also the reasons for which nothing was dropped
    #[arg(short = 'a', long)]
    all: bool,
    /// Show for each originator what the kernel has forwarded to it by itself
    #[arg(long, conflicts_with = "all")]
    originators: bool,
}

/// Prints one line for each counter.
///
/// # Errors
/// The node does not answer.
pub(crate) fn run(common: &Common, args: &Args, out: &mut dyn Write) -> Status {
    let mut client = Client::connect(common)?;
    if args.originators {
        let request = Request::Originators { interface: None };
        let Reply::Originators(rows) = client.ask(request)?.reply else {
            return Err(client.strange());
        };
        let rows = offloaded(&rows);
        return if common.json { json::print(out, &rows) } else { print_offloaded(out, &rows) };
    }
    let Reply::Statistics(statistics) = client.ask(Request::Statistics)?.reply else {
        return Err(client.strange());
    };
    let rows = rows(statistics);
    if common.json {
        return json::print(out, &Pairs(rows));
    }
    print(out, &rows, args.all)
}

/// Before the name of a reason.
const DROP: &str = "drop_";

/// The counters in their order, then the reasons, marked as such.
fn rows(statistics: Statistics) -> Vec<(String, u64)> {
    let drops =
        statistics.drops.0.into_iter().map(|(reason, count)| (format!("{DROP}{reason}"), count));
    statistics.counters.0.into_iter().chain(drops).collect()
}

/// The counters as batctl shows them, each of them; of the many reasons those that there were.
fn print(out: &mut dyn Write, rows: &[(String, u64)], all: bool) -> Outcome<u8> {
    for (name, count) in
        rows.iter().filter(|(name, count)| all || *count > 0 || !name.starts_with(DROP))
    {
        writeln!(out, "\t{name}: {count}")?;
    }
    Ok(0)
}

/// What the kernel has forwarded to one originator.
#[derive(Debug, Eq, PartialEq, Serialize)]
struct Offloaded {
    orig_address: Address,
    offload_frames: u64,
    offload_bytes: u64,
}

fn offloaded(rows: &[Originator]) -> Vec<Offloaded> {
    let row = |row: &Originator| {
        Some(Offloaded {
            orig_address: row.orig_address,
            offload_frames: row.offload_frames?,
            offload_bytes: row.offload_bytes?,
        })
    };
    rows.iter().filter_map(row).collect()
}

fn print_offloaded(out: &mut dyn Write, rows: &[Offloaded]) -> Outcome<u8> {
    writeln!(out, "   Originator              frames            bytes")?;
    for Offloaded { orig_address, offload_frames, offload_bytes } in rows {
        writeln!(out, "   {orig_address} {offload_frames:>12} {offload_bytes:>16}")?;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use noctule_wire::Mac;

    #[test]
    fn what_went_to_each_originator_has_a_line() {
        let address = |last| Mac([2, 0, 0x5e, 0x30, 0, last]).into();
        let row = Originator {
            hard_ifindex: 3,
            hard_ifname: "eth0".into(),
            orig_address: address(3),
            best: true,
            last_seen_msecs: 640,
            neigh_address: address(2),
            tq: Some(81),
            throughput: None,
            offload_frames: Some(12),
            offload_bytes: Some(18_000),
        };
        let other =
            Originator { best: false, offload_frames: None, offload_bytes: None, ..row.clone() };
        let mut out = Vec::new();
        print_offloaded(&mut out, &offloaded(&[row, other])).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "   Originator              frames            bytes\n   02:00:5e:30:00:03           12            18000\n"
        );
    }

    /// MGMT-39: tab, name, colon, blank, value; first the counters, then the reasons that there were.
    #[test]
    fn mgmt_39_the_lines_are_batctl_s() {
        let statistics = Statistics {
            counters: Pairs(vec![("tx".into(), 3), ("rx".into(), 0)]),
            drops: Pairs(vec![("truncated".into(), 0), ("version".into(), 2)]),
        };
        let rows = rows(statistics);
        let printed = |all| {
            let mut out = Vec::new();
            print(&mut out, &rows, all).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(printed(false), "\ttx: 3\n\trx: 0\n\tdrop_version: 2\n");
        assert_eq!(printed(true), "\ttx: 3\n\trx: 0\n\tdrop_truncated: 0\n\tdrop_version: 2\n");
    }
}
