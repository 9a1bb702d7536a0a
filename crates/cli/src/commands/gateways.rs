//! `noctule gateways`, `gwl`: who has an uplink, and which of them was chosen (MGMT-45).

use crate::args::Common;
use crate::bat_hosts::BatHosts;
use crate::client::Client;
use crate::table::{self, WithoutPrimary};
use crate::{Status, json};
use noctule_daemon::api::{Gateway, Reply, Request};
use std::io::Write;

const COLUMNS_V: &str =
    "  Router            ( throughput) Next Hop          [outgoingIf]  Bandwidth";
const COLUMNS: &str = "  Router            ( TQ) Next Hop          [outgoingIf]  Bandwidth";

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
        let (mesh, Reply::Gateways(rows)) = client.table(Request::Gateways)? else {
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

fn line(names: &BatHosts, row: &Gateway) -> String {
    let quality = match (row.tq, row.throughput) {
        (_, Some(units)) => table::mbit_wide(units),
        (tq, None) => format!("{:>3}", tq.unwrap_or(0)),
    };
    let mbit = |units: u32| format!("{}.{}", units / 10, units % 10);
    format!(
        "{} {} ({}) {} [{:>10}]: {}/{} MBit",
        if row.best { '*' } else { ' ' },
        table::station(names, row.orig_address),
        quality,
        table::station(names, row.router),
        row.hard_ifname,
        mbit(row.bandwidth_down),
        mbit(row.bandwidth_up),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use noctule_wire::Mac;

    /// MGMT-45: the row of the protocol page, blank for blank.
    #[test]
    fn mgmt_45_the_row_is_batctl_s() {
        let row = Gateway {
            hard_ifindex: 3,
            hard_ifname: "eth0".into(),
            orig_address: Mac([2, 0, 0x5e, 0x30, 0, 3]).into(),
            best: true,
            tq: Some(228),
            throughput: None,
            bandwidth_up: 20,
            bandwidth_down: 105,
            router: Mac([2, 0, 0x5e, 0x20, 0, 2]).into(),
        };
        let names = BatHosts::default();
        assert_eq!(
            line(&names, &row),
            "* 02:00:5e:30:00:03 (228) 02:00:5e:20:00:02 [      eth0]: 10.5/2.0 MBit"
        );
        assert_eq!(
            line(&names, &Gateway { best: false, tq: Some(9), ..row.clone() }),
            "  02:00:5e:30:00:03 (  9) 02:00:5e:20:00:02 [      eth0]: 10.5/2.0 MBit"
        );
        let fast = Gateway { tq: None, throughput: Some(100), ..row.clone() };
        assert_eq!(
            line(&names, &fast),
            "* 02:00:5e:30:00:03 (       10.0) 02:00:5e:20:00:02 [      eth0]: 10.5/2.0 MBit"
        );
        let mut out = Vec::new();
        json::print(&mut out, &[row]).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "[{\"hard_ifindex\":3,\"hard_ifname\":\"eth0\",\"orig_address\":\"02:00:5e:30:00:03\",\"best\":true,\"tq\":228,\"bandwidth_up\":20,\"bandwidth_down\":105,\"router\":\"02:00:5e:20:00:02\"}]\n"
        );
    }
}
