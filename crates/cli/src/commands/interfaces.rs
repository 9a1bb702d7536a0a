//! `noctule interfaces`, `if`: the hard interfaces (MGMT-28).

use crate::args::Common;
use crate::client::Client;
use crate::{Status, json};
use noctule_daemon::api::{HardInterface, Reply, Request};
use std::io::Write;

/// What can be typed.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// Say also what each interface carries, or why it is inactive
    #[arg(short = 'v', long)]
    verbose: bool,
}

/// Prints one line for each interface.
///
/// # Errors
/// The node does not answer.
pub(crate) fn run(common: &Common, args: &Args, out: &mut dyn Write) -> Status {
    let mut client = Client::connect(common)?;
    let Reply::Interfaces(rows) = client.ask(Request::Interfaces)?.reply else {
        return Err(client.strange());
    };
    if common.json {
        return json::print(out, &rows);
    }
    for row in &rows {
        let more = if args.verbose { carries(row) + &reason(row) } else { String::new() };
        writeln!(out, "{}{more}", line(row))?;
    }
    Ok(0)
}

/// One interface.
pub(crate) fn line(row: &HardInterface) -> String {
    format!("{}: {}", row.hard_ifname, if row.active { "active" } else { "inactive" })
}

/// What it carries, behind the line.
fn carries(row: &HardInterface) -> String {
    match (row.mtu, row.carries) {
        (Some(mtu), Some(carries)) if carries < mtu => format!(
            ", MTU {mtu}, carries {carries}: longer packets get lost on the way to a neighbour and are cut here"
        ),
        (Some(mtu), _) => format!(", MTU {mtu}, carried as far as is known"),
        _ => String::new(),
    }
}

/// Why it is inactive, behind the line.
fn reason(row: &HardInterface) -> String {
    row.inactive_because.as_ref().map_or_else(String::new, |reason| format!(": {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MGMT-28: name, colon, active or inactive.
    #[test]
    fn mgmt_28_the_line_is_batctl_s() {
        let row = HardInterface {
            mesh_ifindex: 9,
            mesh_ifname: "bat0".into(),
            hard_ifindex: Some(3),
            hard_ifname: "eth0".into(),
            hard_address: None,
            active: true,
            hop_penalty: 0,
            inactive_because: None,
            mtu: Some(1500),
            carries: Some(1400),
        };
        assert_eq!(line(&row), "eth0: active");
        assert!(carries(&row).starts_with(", MTU 1500, carries 1400: "));
        let inactive_because = Some("it is down".into());
        let row = HardInterface { active: false, inactive_because, ..row };
        assert_eq!(line(&row), "eth0: inactive");
        assert_eq!(reason(&row), ": it is down");
    }
}
