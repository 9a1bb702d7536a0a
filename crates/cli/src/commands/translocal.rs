//! `noctule translocal`, `tl`: the clients of this node.

use crate::args::Common;
use crate::bat_hosts::BatHosts;
use crate::client::Client;
use crate::table::{self, Kinds, WithoutPrimary};
use crate::{Status, json};
use noctule_daemon::api::{LocalClient, Reply, Request};
use std::io::Write;

const COLUMNS: &str = "Client             VID Flags    Last seen (CRC       )";

/// What can be typed.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    table: table::Options,
    #[command(flatten)]
    kinds: Kinds,
}

/// Prints the table.
///
/// # Errors
/// The node does not answer, or has no active interface.
pub(crate) fn run(common: &Common, args: &Args, out: &mut dyn Write) -> Status {
    let mut client = Client::connect(common)?;
    let names = args.table.names();
    table::repeat(&args.table, out, |out| {
        let (mesh, Reply::Translocal(mut rows)) = client.table(Request::Translocal)? else {
            return Err(client.strange());
        };
        rows.retain(|row| args.kinds.shows(row.tt_address));
        if common.json {
            return json::print(out, &rows);
        }
        table::require_active(&mesh, WithoutPrimary::Sentence)?;
        table::header(out, &args.table, &mesh, &format!(", TTVN: {}", mesh.tt_ttvn), COLUMNS)?;
        for row in &rows {
            writeln!(out, "{}", line(&names, row))?;
        }
        Ok(0)
    })
}

fn line(names: &BatHosts, row: &LocalClient) -> String {
    let flags = row.tt_flags;
    let letters = table::flags(&[
        (flags.roam, 'R'),
        (flags.nopurge, 'P'),
        (flags.new, 'N'),
        (flags.pending, 'X'),
        (flags.wifi, 'W'),
        (flags.isolated, 'I'),
    ]);
    // Clients that never age have no time; the table shows none as 0.
    let last_seen = row.last_seen_msecs.unwrap_or(0);
    format!(
        "{} {:>4} [{letters}] {:>3}.{:03}   (0x{:08x})",
        table::station(names, row.tt_address),
        row.tt_vid,
        last_seen / 1000,
        last_seen % 1000,
        row.tt_crc32,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use noctule_wire::Mac;
    use noctule_wire::tvlv::translation_table::ClientFlags;

    /// MGMT-45, MGMT-46: the row of the protocol page, blank for blank, and each letter.
    #[test]
    fn mgmt_45_mgmt_46_the_row_is_batctl_s() {
        let row = LocalClient {
            tt_address: Mac([0x3e, 0, 0x5e, 0xaa, 0, 1]).into(),
            tt_crc32: 0x1f2e_3d4c,
            tt_vid: -1,
            tt_flags: ClientFlags::NOPURGE.into(),
            last_seen_msecs: None,
        };
        let names = BatHosts::default();
        assert_eq!(line(&names, &row), "3e:00:5e:aa:00:01   -1 [.P....]   0.000   (0x1f2e3d4c)");
        for (flag, letters) in [
            (ClientFlags::ROAM, "[R.....]"),
            (ClientFlags::NEW, "[..N...]"),
            (ClientFlags::PENDING, "[...X..]"),
            (ClientFlags::WIFI, "[....W.]"),
            (ClientFlags::ISOLATED, "[.....I]"),
        ] {
            let row = LocalClient {
                tt_flags: flag.into(),
                last_seen_msecs: Some(12_345),
                tt_vid: 10,
                ..row.clone()
            };
            assert_eq!(
                line(&names, &row),
                format!("3e:00:5e:aa:00:01   10 {letters}  12.345   (0x1f2e3d4c)")
            );
        }
    }
}
