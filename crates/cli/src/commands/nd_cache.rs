//! `noctule nd_cache`, `ndc`: who has which IPv6 address, as far as this node has heard (ND-15).

use crate::args::Common;
use crate::bat_hosts::BatHosts;
use crate::client::Client;
use crate::table::{self, WithoutPrimary};
use crate::{Status, json};
use noctule_daemon::api::{NdCacheRow, Reply, Request};
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
        let (mesh, Reply::NdCache(rows)) = client.table(Request::NdCache)? else {
            return Err(client.strange());
        };
        if common.json {
            return json::print(out, &rows);
        }
        table::require_active(&mesh, WithoutPrimary::Sentence)?;
        let title = format!("IPv6 neighbours ({}):", mesh.mesh_ifname);
        let columns = format!("{title}\n   {:>39}        MAC        VID Flags last-seen", "IPv6");
        table::header(out, &args.table, &mesh, "", &columns)?;
        for row in &rows {
            writeln!(out, "{}", line(&names, row))?;
        }
        Ok(0)
    })
}

fn line(names: &BatHosts, row: &NdCacheRow) -> String {
    let seconds = row.last_seen_msecs / 1000;
    let flag = |set: bool, letter: char| if set { letter } else { '.' };
    format!(
        " * {:>39} {} {:>4} [{}{}{}] {:>6}:{:02}",
        row.nd_cache_ip6address.to_string(),
        table::station(names, row.nd_cache_hwaddress),
        row.nd_cache_vid,
        flag(row.answered, 'A'),
        flag(row.router, 'R'),
        flag(row.disputed, 'D'),
        seconds / 60,
        seconds % 60
    )
}
