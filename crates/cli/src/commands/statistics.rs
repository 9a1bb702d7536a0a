//! `noctule statistics`, `s`: what was counted, and why frames were dropped (MGMT-36, MGMT-39).

use crate::args::Common;
use crate::client::Client;
use crate::failure::Outcome;
use crate::{Status, json};
use noctule_daemon::api::{Pairs, Reply, Request, Statistics};
use std::io::Write;

/// What can be typed.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {}

/// Prints one line for each counter.
///
/// # Errors
/// The node does not answer.
pub(crate) fn run(common: &Common, _: &Args, out: &mut dyn Write) -> Status {
    let mut client = Client::connect(common)?;
    let Reply::Statistics(statistics) = client.ask(Request::Statistics)?.reply else {
        return Err(client.strange());
    };
    let rows = rows(statistics);
    if common.json {
        return json::print(out, &Pairs(rows));
    }
    print(out, &rows)
}

/// The counters in their order, then the reasons, marked as such.
fn rows(statistics: Statistics) -> Vec<(String, u64)> {
    let drops =
        statistics.drops.0.into_iter().map(|(reason, count)| (format!("drop_{reason}"), count));
    statistics.counters.0.into_iter().chain(drops).collect()
}

fn print(out: &mut dyn Write, rows: &[(String, u64)]) -> Outcome<u8> {
    for (name, count) in rows {
        writeln!(out, "\t{name}: {count}")?;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MGMT-39: tab, name, colon, blank, value; first the counters, then the reasons.
    #[test]
    fn mgmt_39_the_lines_are_batctl_s() {
        let statistics = Statistics {
            counters: Pairs(vec![("tx".into(), 3), ("tx_bytes".into(), 300)]),
            drops: Pairs(vec![("truncated".into(), 0)]),
        };
        let mut out = Vec::new();
        print(&mut out, &rows(statistics)).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "\ttx: 3\n\ttx_bytes: 300\n\tdrop_truncated: 0\n"
        );
    }
}
