//! `noctule routing_algo`, `ra`: which routing algorithms there are (MGMT section 4.4).

use crate::args::Common;
use crate::client::Client;
use crate::failure::Failure;
use crate::{Status, json};
use noctule_daemon::api::Request;
use std::io::Write;

/// The only one.
const ALGORITHM: &str = "BATMAN_IV";

/// What can be typed.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// What the next mesh interface is to use: BATMAN_IV
    algorithm: Option<String>,
}

/// Prints which algorithm is used, which will be, and which there are.
///
/// # Errors
/// It is to be another one, or the node that was named does not answer.
pub(crate) fn run(common: &Common, args: &Args, out: &mut dyn Write) -> Status {
    match args.algorithm.as_deref() {
        Some(ALGORITHM) => return Ok(0),
        Some(other) => {
            return Err(Failure::trouble(format!(
                "{other}: must be {ALGORITHM}, the only routing algorithm here"
            )));
        }
        None => {}
    }
    let mesh = match Client::connect(common) {
        Ok(mut client) => client.ask(Request::Status)?.mesh,
        // Nobody has said that one runs.
        Err(_) if common.mesh.is_none() && common.socket.is_none() => None,
        Err(failure) => return Err(failure),
    };
    if common.json {
        return json::print(out, &[serde_json::json!({ "algo_name": ALGORITHM })]);
    }
    if let Some(mesh) = mesh {
        writeln!(out, "Active routing protocol configuration:")?;
        writeln!(out, " * {}: {}\n", mesh.mesh_ifname, mesh.algo_name)?;
    }
    writeln!(out, "Selected routing algorithm (used when next batX interface is created):")?;
    writeln!(out, " => {ALGORITHM}\n")?;
    writeln!(out, "Available routing algorithms:")?;
    writeln!(out, " * {ALGORITHM}")?;
    Ok(0)
}
