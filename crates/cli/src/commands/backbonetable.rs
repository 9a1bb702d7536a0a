//! `noctule backbonetable`, `bbt`: the other nodes that are bridged to the LAN (MGMT-29, MGMT-45, MGMT-46).

use super::claimtable::group;
use crate::args::Common;
use crate::bat_hosts::BatHosts;
use crate::client::Client;
use crate::table::{self, WithoutPrimary};
use crate::{Status, json};
use noctule_daemon::api::{BlaBackbone, Reply, Request};
use std::io::Write;

const COLUMNS: &str = "Originator           VID   last seen (CRC   )";

/// What can be typed.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    table: table::Options,
}

/// Prints the table. Our own rows are in the JSON only (MGMT-46).
///
/// # Errors
/// The node does not answer, or has no active interface.
pub(crate) fn run(common: &Common, args: &Args, out: &mut dyn Write) -> Status {
    let mut client = Client::connect(common)?;
    let names = args.table.names();
    table::repeat(&args.table, out, |out| {
        let (mesh, Reply::Backbonetable(rows)) = client.table(Request::Backbonetable)? else {
            return Err(client.strange());
        };
        if common.json {
            return json::print(out, &rows);
        }
        table::require_active(&mesh, WithoutPrimary::Sentence)?;
        table::header(out, &args.table, &mesh, &group(mesh.bla_group), COLUMNS)?;
        for row in rows.iter().filter(|row| !row.bla_own) {
            writeln!(out, "{}", line(&names, row))?;
        }
        if let Some(sentence) = wait(&rows) {
            // Beside the table, which is batctl's. Where stderr is gone nobody can be told.
            out.flush()?;
            let _ = writeln!(std::io::stderr(), "noctule: {sentence}");
        }
        Ok(0)
    })
}

/// This node is new to a LAN, or to a VLAN of it (BLA-17).
fn wait(rows: &[BlaBackbone]) -> Option<String> {
    let waits = rows.iter().filter_map(|row| Some((row.waits_msecs?, row.bla_vid)));
    let (msecs, vid) = waits.max()?;
    let vlan = if vid < 0 { String::new() } else { format!(" on VLAN {vid}") };
    Some(format!(
        "this node is new to the LAN{vlan}: broadcasts pass in {} s",
        msecs.div_ceil(1000)
    ))
}

fn line(names: &BatHosts, row: &BlaBackbone) -> String {
    format!(
        "{} on {:>5} {} (0x{:04x})",
        table::station(names, row.bla_backbone),
        row.bla_vid,
        table::age(row.last_seen_msecs),
        row.bla_crc,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use noctule_wire::Mac;

    #[test]
    fn mgmt_45_mgmt_46_the_row_is_batctl_s() {
        let row = BlaBackbone {
            last_seen_msecs: 3020,
            bla_own: false,
            bla_vid: -1,
            bla_backbone: Mac([2, 0, 0x5e, 0x20, 0, 2]).into(),
            bla_crc: 0x71c4,
            waits_msecs: None,
        };
        assert_eq!(
            line(&BatHosts::default(), &row),
            "02:00:5e:20:00:02 on    -1    3.020s (0x71c4)"
        );
        assert_eq!(wait(&[row]), None);
        let own = |bla_vid, msecs| BlaBackbone { bla_vid, waits_msecs: Some(msecs), ..row };
        let sentence = "this node is new to the LAN on VLAN 10: broadcasts pass in 21 s";
        assert_eq!(wait(&[row, own(-1, 900), own(10, 20_100)]).as_deref(), Some(sentence));
        assert!(wait(&[own(-1, 900)]).unwrap().ends_with("new to the LAN: broadcasts pass in 1 s"));
    }
}
