//! The `noctule` binary that the real tiers run: built once, as people install it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::{lab, paths};

/// Names the binary to the inner run of an enclosure, and to whoever has built one already.
pub(crate) const VARIABLE: &str = "NOCTULE_PROGRAM";
/// How long the build may take on a slow machine with an empty target folder.
const LIMIT: Duration = Duration::from_secs(1200);

/// Builds `noctule` with the release profile, unless [`VARIABLE`] names one, and returns its path.
///
/// Call it before [`lab::enclose`]: inside there is no network to fetch dependencies from.
pub(crate) fn noctule() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(VARIABLE) {
        return PathBuf::from(path).canonicalize().with_context(|| format!("{VARIABLE} is wrong"));
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = lab::tied(&cargo);
    command
        .args(["build", "--release", "--package", "noctule", "--bin", "noctule"])
        .current_dir(paths::project());
    lab::run(&mut command, LIMIT)?.success().context("noctule does not build")?;
    let path = paths::target().join("release").join("noctule");
    path.canonicalize().with_context(|| format!("the build left no {}", path.display()))
}
