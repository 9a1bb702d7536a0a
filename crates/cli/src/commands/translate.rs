//! `noctule translate`, `t`: the originator by which a client is reached (MGMT-27).

use crate::args::Common;
use crate::bat_hosts::BatHosts;
use crate::client::Client;
use crate::{Status, json, target};
use std::io::Write;

/// What can be typed.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// A MAC address, a name from bat-hosts, or an IP address or host name on this network
    destination: String,
}

/// Prints the address of the originator; a client that nobody announces is its own, and stderr says so.
///
/// # Errors
/// The node does not answer, or the destination cannot be resolved.
pub(crate) fn run(common: &Common, args: &Args, out: &mut dyn Write) -> Status {
    let mut client = Client::connect(common)?;
    let mac = target::mac(&BatHosts::load(), &args.destination)?;
    let originator = target::translate(&mut client, mac)?;
    if originator == mac && !target::is_known(&mut client, mac)? {
        // Exit status and output are batctl's. Where stderr is gone nobody can be told.
        let hint = "nobody announces it: printed as it is";
        let _ = writeln!(std::io::stderr(), "noctule: {mac}: {hint}");
    }
    if common.json {
        let address = noctule_daemon::api::Address(originator);
        return json::print(out, &serde_json::json!({ "orig_address": address }));
    }
    writeln!(out, "{originator}")?;
    Ok(0)
}
