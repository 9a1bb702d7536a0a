//! `noctule transglobal`, `tg`: the clients of the other nodes.

use crate::args::Common;
use crate::bat_hosts::BatHosts;
use crate::client::Client;
use crate::table::{self, Kinds, WithoutPrimary};
use crate::{Status, json};
use noctule_daemon::api::{GlobalClient, Reply, Request};
use std::io::Write;

const COLUMNS: &str = "   Client             VID Flags Last ttvn     Via        ttvn  (CRC       )";

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
        let (mesh, Reply::Transglobal(mut rows)) = client.table(Request::Transglobal)? else {
            return Err(client.strange());
        };
        rows.retain(|row| args.kinds.shows(row.tt_address));
        if common.json {
            return json::print(out, &rows);
        }
        table::require_active(&mesh, WithoutPrimary::Sentence)?;
        table::header(out, &args.table, &mesh, "", COLUMNS)?;
        for row in &rows {
            writeln!(out, "{}", line(&names, row))?;
        }
        Ok(0)
    })
}

fn line(names: &BatHosts, row: &GlobalClient) -> String {
    let flags = row.tt_flags;
    let letters = table::flags(&[
        (flags.roam, 'R'),
        (flags.wifi, 'W'),
        (flags.isolated, 'I'),
        (flags.temp, 'T'),
    ]);
    format!(
        "{} {} {:>4} [{letters}] ({:>3}) {} ({:>3}) (0x{:08x})",
        table::mark(row.best),
        table::station(names, row.tt_address),
        row.tt_vid,
        row.tt_ttvn,
        table::station(names, row.orig_address),
        row.tt_last_ttvn,
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
        let row = GlobalClient {
            orig_address: Mac([2, 0, 0x5e, 0x30, 0, 3]).into(),
            tt_address: Mac([0x33, 0x33, 0, 0, 0, 1]).into(),
            tt_ttvn: 5,
            tt_last_ttvn: 7,
            tt_crc32: 0x1f2e_3d4c,
            tt_vid: -1,
            tt_flags: ClientFlags::NONE.into(),
            best: true,
        };
        let names = BatHosts::default();
        assert_eq!(
            line(&names, &row),
            " * 33:33:00:00:00:01   -1 [....] (  5) 02:00:5e:30:00:03 (  7) (0x1f2e3d4c)"
        );
        for (flag, letters) in [
            (ClientFlags::ROAM, "[R...]"),
            (ClientFlags::WIFI, "[.W..]"),
            (ClientFlags::ISOLATED, "[..I.]"),
            (ClientFlags::TEMP, "[...T]"),
        ] {
            let row = GlobalClient { tt_flags: flag.into(), best: false, ..row.clone() };
            assert_eq!(
                line(&names, &row),
                format!(
                    "   33:33:00:00:00:01   -1 {letters} (  5) 02:00:5e:30:00:03 (  7) (0x1f2e3d4c)"
                )
            );
        }
    }
}
