//! `noctule interfaces`, `if`: the hard interfaces, one more or one less (MGMT-28).

use crate::args::Common;
use crate::client::Client;
use crate::failure::Failure;
use crate::{Status, json};
use noctule_daemon::api::{HardInterface, Reply, Request};
use std::io::Write;

/// What can be typed.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// Say also what each interface carries, or why it is inactive
    #[arg(short = 'v', long)]
    verbose: bool,
    /// What to do with the interfaces that are named; without it they are listed
    #[arg(value_enum, requires = "names")]
    action: Option<Action>,
    /// The interfaces to add or take out
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// With add: an interface that does not exist yet is used as soon as it does
    #[arg(long)]
    wait: bool,
    /// Of batctl; changes nothing, as the mesh interface is there as long as the node runs
    #[arg(short = 'M', hide = true)]
    manual: bool,
    /// List only this one
    #[arg(long, value_name = "NAME", hide = true, conflicts_with = "action")]
    only: Option<String>,
}

/// What can be done with interfaces.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Eq, PartialEq)]
enum Action {
    /// Add them to the running node
    #[value(alias = "a")]
    Add,
    /// Take them out
    #[value(alias = "d")]
    Del,
}

/// Prints one line for each interface, or changes which there are.
///
/// # Errors
/// The node does not answer, or refuses.
pub(crate) fn run(common: &Common, args: &Args, out: &mut dyn Write) -> Status {
    if args.wait && args.action != Some(Action::Add) {
        return Err(Failure::Usage("--wait belongs to \"noctule interface add NAME\"".into()));
    }
    let mut client = Client::connect(common)?;
    if let Some(action) = args.action {
        return change(common, &mut client, action, args, out);
    }
    let Reply::Interfaces(rows) = client.ask(Request::Interfaces)?.reply else {
        return Err(client.strange());
    };
    if let Some(name) = &args.only {
        // One object, as `batctl hardif_json`.
        let row = rows.iter().find(|row| row.hard_ifname == *name);
        let row = row.ok_or_else(|| {
            let mesh = rows.first().map_or("the mesh", |row| row.mesh_ifname.as_str());
            Failure::trouble(format!("{name}: not a hard interface of {mesh}"))
        })?;
        return json::print(out, row);
    }
    if common.json {
        return json::print(out, &rows);
    }
    for row in &rows {
        let more = if args.verbose { verbose(row) } else { String::new() };
        writeln!(out, "{}{more}", line(row))?;
    }
    Ok(0)
}

/// Adds or takes out one after the other. One that is refused is reported, and the others have their turn.
fn change(
    common: &Common,
    client: &mut Client,
    action: Action,
    args: &Args,
    out: &mut dyn Write,
) -> Status {
    let mut refused = Vec::new();
    let mut left = None;
    for name in &args.names {
        let interface = name.clone();
        let request = match action {
            Action::Add => Request::AddInterface { interface, wait: args.wait },
            Action::Del => Request::RemoveInterface { interface },
        };
        match client.ask(request).map(|line| line.reply) {
            Ok(Reply::Interfaces(rows)) => {
                if args.wait && rows.iter().any(|row| row.hard_ifname == *name && is_missing(row)) {
                    let hint = "does not exist yet: the node uses it as soon as it does";
                    // Where stderr is gone nobody can be told.
                    let _ = writeln!(std::io::stderr(), "noctule: {name}: {hint}");
                }
                left = Some(rows);
            }
            Ok(_) => return Err(client.strange()),
            Err(Failure::Trouble(sentence)) => refused.push(sentence),
            Err(failure) => return Err(failure),
        }
    }
    match left {
        Some(rows) if common.json => drop(json::print(out, &rows)?),
        Some(rows) if rows.is_empty() && action == Action::Del && !args.manual => {
            let hint = "that was the last hard interface, and the node waits for another: \"noctule interface add NAME\"";
            // Where stderr is gone nobody can be told.
            let _ = writeln!(std::io::stderr(), "noctule: {hint}");
        }
        _ => {}
    }
    match refused.split_last() {
        None => Ok(0),
        Some((last, others)) => {
            for sentence in others {
                let _ = writeln!(std::io::stderr(), "noctule: {sentence}");
            }
            Err(Failure::Trouble(last.clone()))
        }
    }
}

/// Whether there is none of that name yet.
fn is_missing(row: &HardInterface) -> bool {
    row.hard_ifindex.is_none() && !row.active
}

/// One interface.
pub(crate) fn line(row: &HardInterface) -> String {
    format!("{}: {}", row.hard_ifname, if row.active { "active" } else { "inactive" })
}

/// What is known beyond the line, behind it.
fn verbose(row: &HardInterface) -> String {
    if row.active { carries(row) + &backend(row) + &offloaded(row) } else { reason(row) }
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

/// By what data comes and goes, behind the line.
fn backend(row: &HardInterface) -> String {
    match (&row.backend, &row.backend_because) {
        (Some(backend), Some(because)) => format!(", by {backend} ({because})"),
        (Some(backend), None) => format!(", by {backend}"),
        _ => String::new(),
    }
}

/// What arrived there and was forwarded inside the kernel, behind the line.
fn offloaded(row: &HardInterface) -> String {
    let Some(frames) = row.offload_frames else { return String::new() };
    format!(", {frames} frames from here were forwarded inside the kernel")
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
            backend: None,
            backend_because: None,
            offload_frames: None,
            offload_bytes: None,
        };
        assert_eq!(line(&row), "eth0: active");
        assert!(carries(&row).starts_with(", MTU 1500, carries 1400: "));
        let row = HardInterface { backend: Some("xdp, native".into()), ..row };
        assert_eq!(backend(&row), ", by xdp, native");
        let backend_because = Some("an MTU is too large".into());
        let row = HardInterface { backend: Some("packet".into()), backend_because, ..row };
        assert_eq!(backend(&row), ", by packet (an MTU is too large)");
        let inactive_because = Some("it is down".into());
        let row = HardInterface { active: false, inactive_because, ..row };
        assert_eq!(line(&row), "eth0: inactive");
        assert_eq!(verbose(&row), ": it is down", "who carries nothing is not asked how much");
    }
}
