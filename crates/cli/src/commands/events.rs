//! `noctule events`, `e`: what happens in the mesh, one line each, until somebody ends it.

use crate::args::Common;
use crate::bat_hosts::BatHosts;
use crate::client::Client;
use crate::interrupt::Interrupt;
use crate::{Status, json};
use noctule_daemon::api::{Address, EventRow, Reply, Request};
use std::io::Write;

/// What can be typed.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// Print addresses, not names from bat-hosts
    #[arg(short = 'n')]
    numeric: bool,
    /// End after COUNT events
    #[arg(short = 'c', value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
}

/// Prints events as they come.
///
/// # Errors
/// The node does not answer, or ends.
pub(crate) fn run(common: &Common, args: &Args, out: &mut dyn Write) -> Status {
    let interrupt = Interrupt::watch()?;
    let mut client = Client::connect(common)?;
    let Reply::Events(_) = client.ask(Request::Events)?.reply else {
        return Err(client.strange());
    };
    let names = if args.numeric { BatHosts::default() } else { BatHosts::load() };
    let mut left = args.count.unwrap_or(u64::MAX);
    while left > 0 {
        if !client.has_more() && interrupt.came_before(&client) {
            break;
        }
        let Reply::Event(row) = client.receive()?.reply else { return Err(client.strange()) };
        if common.json {
            json::print(out, &*row)?;
        } else {
            writeln!(out, "{}", line(&names, &row))?;
        }
        out.flush()?;
        left -= 1;
    }
    Ok(0)
}

/// Time since the node's start, then what happened.
fn line(names: &BatHosts, row: &EventRow) -> String {
    let EventRow {
        uptime_msecs,
        mesh,
        kind,
        action,
        data,
        prev,
        router,
        hard_ifname,
        carries,
        count,
        ..
    } = row;
    let name = |text: &str| {
        let address = serde_json::from_value::<Address>(text.into());
        address.map_or_else(|_| text.to_owned(), |address| names.show(address.0))
    };
    let mut text =
        format!("{:>6}.{:03} {mesh}: {kind} {action}", uptime_msecs / 1000, uptime_msecs % 1000);
    let further = [
        ("", data.as_deref().map(name)),
        ("was ", prev.as_deref().map(name)),
        ("via ", router.map(|router| names.show(router.0))),
        ("on ", hard_ifname.clone()),
        ("carries ", carries.map(|bytes| bytes.to_string())),
        ("events: ", count.map(|count| count.to_string())),
    ];
    for (word, value) in further {
        if let Some(value) = value {
            text += &format!(" {word}{value}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gw_77_an_event_is_one_line() {
        let row = EventRow {
            seq: 7,
            uptime_msecs: 12_034,
            mesh: "bat0".into(),
            kind: "gw".into(),
            action: "change".into(),
            data: Some("02:00:00:00:00:06".into()),
            prev: Some("02:00:00:00:00:03".into()),
            ..EventRow::default()
        };
        let names = BatHosts::default();
        assert_eq!(
            line(&names, &row),
            "    12.034 bat0: gw change 02:00:00:00:00:06 was 02:00:00:00:00:03"
        );
        let hardif = EventRow {
            kind: "hardif".into(),
            action: "up".into(),
            data: Some("eth0".into()),
            prev: None,
            ..row.clone()
        };
        assert_eq!(line(&names, &hardif), "    12.034 bat0: hardif up eth0");
        let mut out = Vec::new();
        json::print(&mut out, &row).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"seq\":7,\"uptime_msecs\":12034,\"mesh\":\"bat0\",\"type\":\"gw\",\"action\":\"change\",\"data\":\"02:00:00:00:00:06\",\"prev\":\"02:00:00:00:00:03\"}\n"
        );
    }
}
