//! `noctule set`: settings of a running node, by batctl's names and aliases (MGMT section 4.1).

use crate::args::Common;
use crate::client::Client;
use crate::{Status, json};
use noctule_daemon::api::{Reply, Request, SettingRow, SettingsRequest};
use std::io::Write;

/// What can be typed.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// The setting, by its name or alias; without it all are listed
    name: Option<String>,
    /// What it is to be; without it, it is printed
    #[arg(allow_negative_numbers = true)]
    value: Option<String>,
    /// What goes with it: gw_mode server DOWN[/UP], gw_mode client CLASS
    #[arg(allow_negative_numbers = true)]
    parameter: Option<String>,
    /// A setting of this hard interface
    #[arg(short = 'i', long, value_name = "NAME")]
    interface: Option<String>,
    /// A setting of this VLAN of the mesh interface
    #[arg(long, value_name = "ID", conflicts_with = "interface")]
    vlan: Option<u16>,
}

/// Changes a setting, or prints one or all.
///
/// # Errors
/// The node does not answer, or refuses.
pub(crate) fn run(common: &Common, args: &Args, out: &mut dyn Write) -> Status {
    let mut client = Client::connect(common)?;
    let Args { name, value, parameter, interface, vlan } = args.clone();
    let (named, changed) = (name.is_some(), value.is_some());
    let request = Request::Settings(SettingsRequest { name, value, parameter, interface, vlan });
    let Reply::Settings(rows) = client.ask(request)?.reply else {
        return Err(client.strange());
    };
    if common.json {
        return json::print(out, &rows);
    }
    for row in rows {
        match (named, changed) {
            // As batctl: what was changed is known to whoever changed it.
            (_, true) => {}
            (true, false) => writeln!(out, "{}", shown(&row))?,
            (false, false) => writeln!(out, "{}", line(&row))?,
        }
    }
    Ok(0)
}

/// A value as batctl prints it.
fn shown(row: &SettingRow) -> String {
    row.shown.clone().unwrap_or_else(|| row.value.to_string())
}

/// One setting in the list of all.
fn line(row: &SettingRow) -> String {
    let place = match (&row.interface, row.vlan) {
        (Some(name), _) => format!("{name} "),
        (None, Some(id)) => format!("vlan {id} "),
        (None, None) => String::new(),
    };
    let alias = if row.alias.is_empty() { String::new() } else { format!(" ({})", row.alias) };
    format!("{place}{}{alias}: {}", row.name, shown(row))
}

#[cfg(test)]
mod tests {
    use super::*;
    use noctule_daemon::api::SettingValue;

    #[test]
    fn mgmt_22_the_list_names_place_alias_and_value() {
        let mut row = SettingRow {
            name: "ap_isolation".into(),
            alias: "ap".into(),
            interface: None,
            vlan: Some(10),
            value: SettingValue::Switch(true),
            default: SettingValue::Switch(false),
            values: String::new(),
            shown: None,
        };
        assert_eq!(line(&row), "vlan 10 ap_isolation (ap): enabled");
        (row.interface, row.vlan) = (Some("wlan0".into()), None);
        row.value = SettingValue::Number(20);
        assert_eq!(line(&row), "wlan0 ap_isolation (ap): 20");
        (row.interface, row.alias) = (None, String::new());
        row.value = SettingValue::Word("debug".into());
        assert_eq!(line(&row), "ap_isolation: debug");
    }
}
