//! `noctule version`.

use crate::Status;
use std::io::Write;

/// What can be typed.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {}

/// Prints the version: of this program, and of the protocol on the wire.
///
/// # Errors
/// Of the writer.
pub(crate) fn run(_: &Args, out: &mut dyn Write) -> Status {
    let compat = noctule_wire::COMPAT_VERSION;
    writeln!(out, "noctule {} [compat version {compat}]", env!("CARGO_PKG_VERSION"))?;
    Ok(0)
}
