//! `noctule dat_cache`, `dc`: who has which address, as far as this node has heard (MGMT section 4.3).

use crate::args::Common;
use crate::bat_hosts::BatHosts;
use crate::client::Client;
use crate::table::{self, WithoutPrimary};
use crate::{Status, json};
use noctule_daemon::api::{DatCacheRow, Reply, Request};
use std::io::Write;

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
        let (mesh, Reply::DatCache(rows)) = client.table(Request::DatCache)? else {
            return Err(client.strange());
        };
        if common.json {
            return json::print(out, &rows);
        }
        table::require_active(&mesh, WithoutPrimary::Sentence)?;
        let title = format!("Distributed ARP Table ({}):", mesh.mesh_ifname);
        let columns = format!("{title}\n          IPv4             MAC        VID   last-seen");
        table::header(out, &args.table, &mesh, "", &columns)?;
        for row in &rows {
            writeln!(out, "{}", line(&names, row))?;
        }
        Ok(0)
    })
}

fn line(names: &BatHosts, row: &DatCacheRow) -> String {
    let seconds = row.last_seen_msecs / 1000;
    format!(
        " * {:>15} {} {:>4} {:>6}:{:02}",
        row.dat_cache_ip4address,
        table::station(names, row.dat_cache_hwaddress),
        row.dat_cache_vid,
        seconds / 60,
        seconds % 60
    )
}
