//! `noctule routing_algo`, `ra`: which routing algorithms there are (MGMT section 4.4).

use crate::args::Common;
use crate::client::Client;
use crate::failure::Failure;
use crate::{Status, json};
use noctule_daemon::api::Request;
use std::io::Write;

/// All of them, the default one first.
const ALGORITHMS: [&str; 2] = ["BATMAN_IV", "BATMAN_V"];

/// What can be typed.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// What the next mesh interface is to use
    algorithm: Option<String>,
}

/// Prints which algorithm is used, which will be, and which there are.
///
/// # Errors
/// Another one is asked for, or the node that was named does not answer.
pub(crate) fn run(common: &Common, args: &Args, out: &mut dyn Write) -> Status {
    if args.algorithm.as_deref() == Some(ALGORITHMS[0]) {
        return Ok(0);
    }
    if let Some(wanted) = args.algorithm.as_deref() {
        return Err(Failure::trouble(if ALGORITHMS.contains(&wanted) {
            format!(
                "{wanted}: is chosen when a node starts: noctule run --algorithm {}",
                wanted.to_lowercase().replace('_', "-")
            )
        } else {
            format!("{wanted}: must be BATMAN_IV or BATMAN_V")
        }));
    }
    let mesh = match Client::connect(common) {
        Ok(mut client) => client.ask(Request::Status)?.mesh,
        // Nobody has said that one runs.
        Err(_) if common.mesh.is_none() && common.socket.is_none() => None,
        Err(failure) => return Err(failure),
    };
    if common.json {
        return json::print(out, &ALGORITHMS.map(|name| serde_json::json!({ "algo_name": name })));
    }
    if let Some(mesh) = mesh {
        writeln!(out, "Active routing protocol configuration:")?;
        writeln!(out, " * {}: {}\n", mesh.mesh_ifname, mesh.algo_name)?;
    }
    writeln!(out, "Selected routing algorithm (used when next batX interface is created):")?;
    writeln!(out, " => {}\n", ALGORITHMS[0])?;
    writeln!(out, "Available routing algorithms:")?;
    for name in ALGORITHMS {
        writeln!(out, " * {name}")?;
    }
    Ok(0)
}
