//! `noctule originators`, `o`: who is in the mesh, and by which neighbour.

use crate::args::Common;
use crate::bat_hosts::BatHosts;
use crate::client::Client;
use crate::table::{self, WithoutPrimary};
use crate::{Status, json};
use noctule_daemon::api::{Originator, Reply, Request};
use std::io::Write;
use std::time::Duration;

const COLUMNS_V: &str =
    "   Originator        last-seen ( throughput)  Nexthop           [outgoingIF]";
const COLUMNS: &str = "   Originator        last-seen (#/255) Nexthop           [outgoingIF]";

/// What can be typed.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    table: table::Options,
    /// Hide originators that were not heard for SECONDS
    #[arg(short = 't', value_name = "SECONDS", value_parser = table::seconds)]
    timeout: Option<Duration>,
    /// Show the table of one hard interface, not the default one
    #[arg(short = 'i', value_name = "INTERFACE")]
    interface: Option<String>,
}

/// Prints the table.
///
/// # Errors
/// The node does not answer, or has no active interface.
pub(crate) fn run(common: &Common, args: &Args, out: &mut dyn Write) -> Status {
    let mut client = Client::connect(common)?;
    let names = args.table.names();
    table::repeat(&args.table, out, |out| {
        let request = Request::Originators { interface: args.interface.clone() };
        let (mesh, Reply::Originators(mut rows)) = client.table(request)? else {
            return Err(client.strange());
        };
        if let Some(timeout) = args.timeout {
            rows.retain(|row| u128::from(row.last_seen_msecs) <= timeout.as_millis());
        }
        if common.json {
            return json::print(out, &rows);
        }
        table::require_active(&mesh, WithoutPrimary::Nothing)?;
        table::header(out, &args.table, &mesh, "", table::of(&mesh, COLUMNS, COLUMNS_V))?;
        for row in &rows {
            writeln!(out, "{}", line(&names, row))?;
        }
        Ok(0)
    })
}

fn line(names: &BatHosts, row: &Originator) -> String {
    format!(
        "{} {} {}{} {} [{:>10}]",
        table::mark(row.best),
        table::station(names, row.orig_address),
        table::age(row.last_seen_msecs),
        quality(row),
        table::station(names, row.neigh_address),
        row.hard_ifname,
    )
}

fn quality(row: &Originator) -> String {
    match (row.tq, row.throughput) {
        (_, Some(kbit)) => format!(" ({})", table::mbit_wide(kbit / 100)),
        (tq, None) => format!("   ({:>3})", tq.unwrap_or(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use noctule_wire::Mac;

    /// MGMT-45: the row of the protocol page, blank for blank.
    #[test]
    fn mgmt_45_the_row_is_batctl_s() {
        let row = Originator {
            hard_ifindex: 3,
            hard_ifname: "eth0".into(),
            orig_address: Mac([2, 0, 0x5e, 0x30, 0, 3]).into(),
            best: true,
            last_seen_msecs: 640,
            neigh_address: Mac([2, 0, 0x5e, 0x20, 0, 2]).into(),
            tq: Some(81),
            throughput: None,
            offload_frames: None,
            offload_bytes: None,
        };
        let names = BatHosts::default();
        assert_eq!(
            line(&names, &row),
            " * 02:00:5e:30:00:03    0.640s   ( 81) 02:00:5e:20:00:02 [      eth0]"
        );
        let other =
            Originator { best: false, tq: Some(255), last_seen_msecs: 12_034, ..row.clone() };
        assert_eq!(
            line(&names, &other),
            "   02:00:5e:30:00:03   12.034s   (255) 02:00:5e:20:00:02 [      eth0]"
        );
        let fast = Originator { tq: None, throughput: Some(10_300), ..row };
        assert_eq!(
            line(&names, &fast),
            " * 02:00:5e:30:00:03    0.640s (       10.3) 02:00:5e:20:00:02 [      eth0]"
        );
    }
}
