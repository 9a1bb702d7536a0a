//! `noctule status`: this node in a few lines.

use crate::args::Common;
use crate::client::Client;
use crate::failure::Outcome;
use crate::{Status, json};
use noctule_daemon::api::{self, HardInterface, LanRow, Mesh, Offload, Reply, Request};
use serde::Serialize;
use std::io::Write;

/// What can be typed.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {}

/// The keys of `batctl mesh_json`, and behind them those that only this program has.
#[derive(Serialize)]
struct Whole {
    #[serde(flatten)]
    mesh: Mesh,
    #[serde(flatten)]
    status: api::Status,
}

/// Prints the overview.
///
/// # Errors
/// The node does not answer.
pub(crate) fn run(common: &Common, _: &Args, out: &mut dyn Write) -> Status {
    let mut client = Client::connect(common)?;
    let (mesh, Reply::Status(status)) = client.table(Request::Status)? else {
        return Err(client.strange());
    };
    if common.json {
        return json::print(out, &Whole { mesh, status: *status });
    }
    print(out, &mesh, &status)
}

fn print(out: &mut dyn Write, mesh: &Mesh, status: &api::Status) -> Outcome<u8> {
    let Mesh { version, algo_name, mesh_ifname, mesh_address, .. } = mesh;
    writeln!(
        out,
        "Noctule {version}, process {}, up {}",
        status.pid,
        duration(status.uptime_msecs)
    )?;
    writeln!(
        out,
        "mesh         {mesh_ifname}, {mesh_address}, MTU {}, {algo_name}",
        status.mesh_mtu
    )?;
    let originator = match status.orig_address {
        Some(address) => address.to_string(),
        None if status.interfaces.is_empty() => {
            "none: there is no hard interface: add one with \"noctule interface add NAME\"".into()
        }
        None => "none: no hard interface is active".into(),
    };
    writeln!(out, "originator   {originator}")?;
    for (row, title) in
        status.interfaces.iter().zip(["interfaces"].into_iter().chain(std::iter::repeat("")))
    {
        writeln!(out, "{title:<12} {}", interface(row, status.orig_address))?;
    }
    if let Some(lan) = &status.lan {
        writeln!(out, "LAN          {}", bridged(lan))?;
    }
    writeln!(
        out,
        "mesh size    {}, {}, {} here, {} elsewhere",
        counted(status.neighbors, "neighbour"),
        counted(status.originators, "originator"),
        counted(status.local_clients, "client"),
        status.global_clients
    )?;
    if !status.offload.how.is_empty() {
        writeln!(out, "offload      {}", offload(&status.offload))?;
    }
    if let Some(bytes) = status.memory_bytes {
        writeln!(out, "memory       {:.1} MiB", bytes as f64 / f64::from(1 << 20))?;
    }
    Ok(0)
}

/// What the mesh interface is bridged to.
fn bridged(lan: &LanRow) -> String {
    let others = counted(lan.gateways, "other gateway");
    match lan.waits_msecs {
        Some(msecs) => {
            let wait = duration(msecs.div_ceil(1000) * 1000);
            format!("bridged, {others}, its broadcasts pass in {wait}")
        }
        None => format!("bridged, {others}, its broadcasts pass"),
    }
}

fn interface(row: &HardInterface, originator: Option<api::Address>) -> String {
    let state = if row.active { "active" } else { "inactive" };
    let mut text = format!("{} {state}", row.hard_ifname);
    if let Some(address) = row.hard_address {
        text += &format!(", {address}");
        if Some(address) == originator {
            text += ", primary";
        }
    }
    if let Some(reason) = &row.inactive_because {
        text += &format!(": {reason}");
    }
    text
}

/// What the kernel does by itself.
fn offload(row: &Offload) -> String {
    let Offload { how, because, pinned, routes, frames, .. } = row;
    match because {
        Some(because) => format!("{how}: {because}"),
        None if how == "off" => how.clone(),
        None => {
            let routes = counted(*routes, "route");
            let ends = if *pinned { "" } else { ", ends with the process" };
            format!("{how}, {routes}, {frames} frames forwarded in the kernel{ends}")
        }
    }
}

/// So many of a thing.
fn counted(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// A duration as people say it.
fn duration(msecs: u64) -> String {
    let seconds = msecs / 1000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    if days > 0 {
        format!("{days} d {hours} h")
    } else if hours > 0 {
        format!("{hours} h {minutes} min")
    } else if minutes > 0 {
        format!("{minutes} min {} s", seconds % 60)
    } else {
        format!("{seconds} s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        assert_eq!(
            [0, 1, 2].map(|number| counted(number, "client")),
            ["0 clients", "1 client", "2 clients"]
        );
    }

    /// BLA-17: a new gateway holds broadcasts back, and says for how long.
    #[test]
    fn bla_17_the_wait_of_a_new_gateway_is_shown() {
        let lan = LanRow { gateways: 1, waits_msecs: Some(22_001) };
        assert_eq!(bridged(&lan), "bridged, 1 other gateway, its broadcasts pass in 23 s");
        let lan = LanRow { gateways: 0, waits_msecs: None };
        assert_eq!(bridged(&lan), "bridged, 0 other gateways, its broadcasts pass");
    }

    #[test]
    fn an_inactive_interface_comes_with_the_reason() {
        let row = HardInterface {
            mesh_ifindex: 9,
            mesh_ifname: "bat0".into(),
            hard_ifindex: None,
            hard_ifname: "eth0".into(),
            hard_address: None,
            active: false,
            hop_penalty: 0,
            inactive_because: Some("it does not exist".into()),
            mtu: None,
            carries: None,
            backend: None,
            backend_because: None,
            offload_frames: None,
            offload_bytes: None,
        };
        assert_eq!(interface(&row, None), "eth0 inactive: it does not exist");
        let from_before = HardInterface { inactive_because: None, ..row.clone() };
        assert_eq!(interface(&from_before, None), "eth0 inactive");
        assert_eq!(interface(&HardInterface { active: true, ..from_before }, None), "eth0 active");
    }

    #[test]
    fn the_offload_is_told_with_the_reason_if_there_is_none() {
        let off = Offload { how: "off".into(), ..Offload::default() };
        assert_eq!(offload(&off), "off");
        let refused = Offload { because: Some("the kernel is too old".into()), ..off };
        assert_eq!(offload(&refused), "off: the kernel is too old");
        let row =
            Offload { how: "tc".into(), pinned: true, routes: 1, frames: 7, ..Offload::default() };
        assert_eq!(offload(&row), "tc, 1 route, 7 frames forwarded in the kernel");
        let held = Offload { pinned: false, ..row };
        assert!(offload(&held).ends_with(" in the kernel, ends with the process"));
    }

    #[test]
    fn durations_have_two_parts_at_most() {
        #[rustfmt::skip]
        let rows = [
            (999, "0 s"),
            (59_999, "59 s"),
            (61_000, "1 min 1 s"),
            (3_600_000, "1 h 0 min"),
            (90_061_000, "1 d 1 h"),
        ];
        for (msecs, text) in rows {
            assert_eq!(duration(msecs), text);
        }
    }
}
