//! `noctule claimtable`, `cl`: who serves which client of the mesh into the LAN (MGMT-29, MGMT-45).

use crate::args::Common;
use crate::bat_hosts::BatHosts;
use crate::client::Client;
use crate::table::{self, WithoutPrimary};
use crate::{Status, json};
use noctule_daemon::api::{BlaClaim, Reply, Request};
use std::io::Write;

const COLUMNS: &str = "Client               VID      Originator        [o] (CRC   )";

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
        let (mesh, Reply::Claimtable(rows)) = client.table(Request::Claimtable)? else {
            return Err(client.strange());
        };
        if common.json {
            return json::print(out, &rows);
        }
        table::require_active(&mesh, WithoutPrimary::Sentence)?;
        table::header(out, &args.table, &mesh, &group(mesh.bla_group), COLUMNS)?;
        for row in &rows {
            writeln!(out, "{}", line(&names, row))?;
        }
        Ok(0)
    })
}

/// What the header says of the LAN.
pub(super) fn group(group: Option<u16>) -> String {
    format!(", group id: 0x{:04x}", group.unwrap_or(0))
}

fn line(names: &BatHosts, row: &BlaClaim) -> String {
    format!(
        "{} on {:>5} by {} [{}] (0x{:04x})",
        table::station(names, row.bla_address),
        row.bla_vid,
        table::station(names, row.bla_backbone),
        if row.bla_own { '*' } else { ' ' },
        row.bla_crc,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use noctule_wire::Mac;

    /// MGMT-29, MGMT-45: as on the protocol page, and as the module's tables print it.
    #[test]
    fn mgmt_29_mgmt_45_the_row_is_batctl_s() {
        let row = |own| BlaClaim {
            bla_own: own,
            bla_address: Mac([2, 0, 0x5e, 0x30, 0, 2]).into(),
            bla_vid: -1,
            bla_backbone: Mac([2, 0, 0x5e, 0x10, 0, 1]).into(),
            bla_crc: 0x3b21,
        };
        let names = BatHosts::default();
        assert_eq!(
            line(&names, &row(true)),
            "02:00:5e:30:00:02 on    -1 by 02:00:5e:10:00:01 [*] (0x3b21)"
        );
        assert_eq!(
            line(&names, &row(false)),
            "02:00:5e:30:00:02 on    -1 by 02:00:5e:10:00:01 [ ] (0x3b21)"
        );
        assert_eq!(group(Some(0x5a17)), ", group id: 0x5a17");
        assert_eq!(group(None), ", group id: 0x0000");
    }
}
