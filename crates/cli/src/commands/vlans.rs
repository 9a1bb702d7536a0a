//! `noctule vlans`, `vlan`: the VLANs of the mesh interface and their settings (MGMT section 2.3).

use crate::args::Common;
use crate::client::Client;
use crate::failure::Failure;
use crate::table;
use crate::{Status, json};
use noctule_daemon::api::{Reply, Request, VlanRow};
use std::io::Write;

/// What can be typed.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    table: table::Options,
    /// Only this VLAN; with --json as one object, like batctl's vlan_json
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(u16).range(1..=4095))]
    vlan: Option<u16>,
}

/// Prints the table; the row with -1 is what is in no VLAN.
///
/// # Errors
/// The node does not answer, or there is no such VLAN.
pub(crate) fn run(common: &Common, args: &Args, out: &mut dyn Write) -> Status {
    let mut client = Client::connect(common)?;
    table::repeat(&args.table, out, |out| {
        let (mesh, Reply::Vlans(mut rows)) = client.table(Request::Vlans)? else {
            return Err(client.strange());
        };
        if let Some(id) = args.vlan {
            rows.retain(|row| i32::from(row.vlanid) == i32::from(id));
            let Some(row) = rows.first() else {
                let mesh = &mesh.mesh_ifname;
                return Err(Failure::trouble(format!(
                    "{id}: no VLAN of {mesh}: make it with \"ip link add link {mesh} name {mesh}.{id} type vlan id {id}\""
                )));
            };
            if common.json {
                return json::print(out, row);
            }
        }
        if common.json {
            return json::print(out, &rows);
        }
        table::header(out, &args.table, &mesh, "", " VID AP isolation")?;
        for row in &rows {
            writeln!(out, "{}", line(row))?;
        }
        Ok(0)
    })
}

fn line(row: &VlanRow) -> String {
    let isolation = if row.ap_isolation_enabled { "enabled" } else { "disabled" };
    format!("{:>4} {isolation}", row.vlanid)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MGMT section 4.3: the keys of `vlan_json`, in its order.
    #[test]
    fn mgmt_31_mgmt_45_a_vlan_as_line_and_as_object() {
        let row = VlanRow {
            mesh_ifindex: 9,
            mesh_ifname: "bat0".into(),
            vlanid: 10,
            ap_isolation_enabled: false,
        };
        assert_eq!(line(&row), "  10 disabled");
        let mut out = Vec::new();
        json::print(&mut out, &row).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"mesh_ifindex\":9,\"mesh_ifname\":\"bat0\",\"vlanid\":10,\"ap_isolation_enabled\":false}\n"
        );
        let row = VlanRow { vlanid: -1, ap_isolation_enabled: true, ..row };
        assert_eq!(line(&row), "  -1 enabled");
    }
}
