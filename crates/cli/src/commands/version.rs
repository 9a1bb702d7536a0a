//! `noctule version`.

use crate::args::Common;
use crate::{Status, json};
use serde::Serialize;
use std::io::Write;

/// What can be typed.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {}

#[derive(Serialize)]
struct Version {
    version: &'static str,
    compat_version: u8,
}

/// Prints the version: of this program, and of the protocol on the wire.
///
/// # Errors
/// Of the writer.
pub(crate) fn run(common: &Common, _: &Args, out: &mut dyn Write) -> Status {
    let (version, compat_version) = (env!("CARGO_PKG_VERSION"), noctule_wire::COMPAT_VERSION);
    if common.json {
        return json::print(out, &Version { version, compat_version });
    }
    writeln!(out, "noctule {version} [compat version {compat_version}]")?;
    Ok(0)
}
