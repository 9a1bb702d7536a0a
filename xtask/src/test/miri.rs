//! The `unsafe` of the lock-free tables under Miri, which interprets each access and knows who may read and free what.

use std::process::Command;

use anyhow::Result;

use super::cargo;
use super::job::{Job, Outcome};
use crate::cases::Counts;
use crate::lab::{run, tied};
use crate::paths;

/// Miri's words.
/// * Of what waits to be freed something is always left when a program ends.
/// * `crossbeam-epoch` finds its threads by a pointer to a part of each: the stricter rules (Stacked Borrows) forbid that. And
///   it keeps pointers as numbers.
const FLAGS: &str = "-Zmiri-ignore-leaks -Zmiri-tree-borrows -Zmiri-permissive-provenance";

/// Tests of the modules that have it, or use such.
const WITH_UNSAFE: [&str; 2] = ["map::", "changes::"];

/// Runs the unit tests of the tables, if Miri is there.
pub(super) fn tables(job: &Job<'_>) -> Result<Outcome> {
    let there = run(&mut nightly(&["--version"]), job.time_left());
    if !there.is_ok_and(|output| output.status.success()) {
        let reason = "noctule-fib under Miri: no such component; \
                      `rustup toolchain install nightly --component miri,rust-src`";
        let counts = Counts { skipped: 1, ..Counts::default() };
        return Ok(Outcome {
            counts,
            failures: Vec::new(),
            skips: vec![reason.into()],
            took: Vec::new(),
        });
    }
    let mut command = nightly(&["test", "--package", "noctule-fib", "--lib", "--"]);
    command.args(WITH_UNSAFE);
    Ok(cargo::outcome(&job.run(command.env("MIRIFLAGS", FLAGS))?))
}

/// `cargo miri` on the nightly toolchain.
fn nightly(words: &[&str]) -> Command {
    // Not the cargo that started this program: only rustup's own knows `+nightly`.
    let mut command = tied("cargo".as_ref());
    command.current_dir(paths::project()).args(["+nightly", "miri"]).args(words);
    command.env("CARGO_TERM_COLOR", "never");
    for inherited in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN", "LD_LIBRARY_PATH"] {
        command.env_remove(inherited);
    }
    command
}
