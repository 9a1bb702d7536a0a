//! Which originator a destination on the command line means (ICMP-29).

use crate::bat_hosts::BatHosts;
use crate::client::Client;
use crate::failure::{Failure, Outcome};
use noctule_daemon::api::{Address, Reply, Request};
use noctule_wire::Mac;

/// The originator that a destination stands for: a name in bat-hosts, the address of an originator, or that of a client,
/// which is looked up in the translation table unless `as_is`.
///
/// # Errors
/// One sentence.
pub(crate) fn resolve(
    client: &mut Client,
    hosts: &BatHosts,
    destination: &str,
    as_is: bool,
) -> Outcome<Mac> {
    let mac = hosts.mac(destination).map_or_else(|| destination.parse(), Ok).map_err(|_| {
        Failure::trouble(format!(
            "{destination}: neither a name in bat-hosts nor a MAC address like 02:ba:00:00:01:01"
        ))
    })?;
    if !mac.is_station() {
        return Err(Failure::trouble(format!("{destination}: not the address of one station")));
    }
    if as_is { Ok(mac) } else { translate(client, mac) }
}

/// The originator that a client is best reached by; an unknown address stays what it is.
fn translate(client: &mut Client, mac: Mac) -> Outcome<Mac> {
    let Reply::Transglobal(rows) = client.ask(Request::Transglobal)?.reply else {
        return Err(client.strange());
    };
    let best = rows.iter().find(|row| row.best && row.tt_address == Address(mac));
    Ok(best.map_or(mac, |row| row.orig_address.0))
}
