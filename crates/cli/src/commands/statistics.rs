//! `noctule statistics`, `s`: what was counted, and why frames were dropped (MGMT-36, MGMT-39).

use crate::args::Common;
use crate::client::Client;
use crate::failure::Outcome;
use crate::{Status, json};
use noctule_daemon::api::{Pairs, Reply, Request, Statistics};
use std::io::Write;

/// What can be typed.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// Show also the reasons for which nothing was dropped
    #[arg(short = 'a', long)]
    all: bool,
}

/// Prints one line for each counter.
///
/// # Errors
/// The node does not answer.
pub(crate) fn run(common: &Common, args: &Args, out: &mut dyn Write) -> Status {
    let mut client = Client::connect(common)?;
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

#[cfg(test)]
mod tests {
    use super::*;

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
