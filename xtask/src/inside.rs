//! The verb `inside PROGRAM ARGUMENT...`: a program in an enclosure of its own.
//!
//! Tests that open raw sockets and make links need rights, and must not meet the machine's own
//! links. Cargo starts their programs with this verb.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::BadUse;
use crate::lab::{Side, enclose, tied};

/// Runs the program and hands on how it ended.
pub(crate) fn main(arguments: &[String]) -> Result<ExitCode> {
    let Some((program, arguments)) = arguments.split_first() else {
        return Err(BadUse::because("xtask inside PROGRAM ARGUMENT..."));
    };
    if let Side::Outside(code) = enclose(&[])? {
        return Ok(code);
    }
    // This thread waits to the end, so the program is tied to it without harm.
    let status = tied(program.as_ref())
        .args(arguments)
        .status()
        .with_context(|| format!("cannot run {program}"))?;
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}
