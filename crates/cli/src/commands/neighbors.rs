//! `noctule neighbors`, `n`: who is heard directly.

use crate::args::Common;
use crate::bat_hosts::BatHosts;
use crate::client::Client;
use crate::table::{self, WithoutPrimary};
use crate::{Status, json};
use noctule_daemon::api::{Neighbor, Reply, Request};
use std::io::Write;

const COLUMNS_V: &str = "         Neighbor   last-seen      speed           IF";
const COLUMNS: &str = "IF             Neighbor              last-seen";

/// What can be typed.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    table: table::Options,
}

/// Prints the table.
///
/// # Errors
/// The node does not answer, or has no active interface.
pub(crate) fn run(common: &Common, args: &Args, out: &mut dyn Write) -> Status {
    let mut client = Client::connect(common)?;
    let names = args.table.names();
    table::repeat(&args.table, out, |out| {
        let (mesh, Reply::Neighbors(rows)) = client.table(Request::Neighbors)? else {
            return Err(client.strange());
        };
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

fn line(names: &BatHosts, row: &Neighbor) -> String {
    let neighbor = table::station(names, row.neigh_address);
    let age = table::age(row.last_seen_msecs);
    match row.throughput {
        Some(kbit) => {
            format!("{neighbor} {age} ({}) [{:>10}]", table::mbit_wide(kbit / 100), row.hard_ifname)
        }
        None => format!("   {:>10}\t  {neighbor} {age}", row.hard_ifname),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use noctule_wire::Mac;

    /// MGMT-45: the row of the protocol page, blank for blank.
    #[test]
    fn mgmt_45_the_row_is_batctl_s() {
        let row = Neighbor {
            hard_ifindex: 3,
            hard_ifname: "eth0".into(),
            last_seen_msecs: 320,
            neigh_address: Mac([2, 0, 0x5e, 0x20, 0, 2]).into(),
            throughput: None,
        };
        assert_eq!(
            line(&BatHosts::default(), &row),
            "         eth0\t  02:00:5e:20:00:02    0.320s"
        );
        assert_eq!(
            line(&BatHosts::default(), &Neighbor { throughput: Some(54_000), ..row }),
            "02:00:5e:20:00:02    0.320s (       54.0) [      eth0]"
        );
    }
}
