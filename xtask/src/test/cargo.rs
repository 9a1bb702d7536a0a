//! Running cargo, and reading what the test programs it starts have printed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::job::{Finished, Job, Outcome};
use crate::cases::Counts;
use crate::lab;

/// The cargo that started this program, else the one in PATH.
pub(crate) fn program() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}

/// A test program or bench: what cargo calls a target.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct TestTarget {
    /// Its package.
    pub(crate) package: String,
    /// Its name: `packet_ring` for `tests/packet_ring.rs`.
    pub(crate) name: String,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
    name: String,
}

/// The targets of a kind in the workspace: `test` (`tests/*.rs`) or `bench`.
pub(crate) fn targets(job: &Job<'_>, kind: &str) -> Result<Vec<TestTarget>> {
    let mut command = job.cargo(&["metadata", "--no-deps", "--format-version=1"]);
    let output = lab::run(&mut command, job.time_left())?.success()?;
    let metadata: Metadata =
        serde_json::from_str(&output).context("odd answer of cargo metadata")?;
    let mut targets = Vec::new();
    for package in metadata.packages {
        for target in package.targets {
            if target.kind == [kind] {
                targets.push(TestTarget { package: package.name.clone(), name: target.name });
            }
        }
    }
    targets.sort();
    Ok(targets)
}

/// Runs `cargo test` with these words and reads the counts.
///
/// Always of the whole workspace: for some of its packages cargo would choose fewer features, and
/// build what they need once more.
pub(crate) fn test(job: &Job<'_>, words: &[&str]) -> Result<Outcome> {
    let mut command = job.cargo(&["test", "--workspace", "--no-fail-fast"]);
    command.args(words);
    if !words.contains(&"--doc") {
        // The output of tests that passed is where they say that they were skipped.
        command.args(["--", "--show-output"]);
    }
    Ok(outcome(&job.run(&mut command)?))
}

/// What came of a `cargo test`.
pub(super) fn outcome(finished: &Finished) -> Outcome {
    let mut outcome = parse(&finished.text);
    let failed = outcome.counts.failed > 0;
    if !finished.success && !failed {
        // It did not build, or a test program died on the way.
        outcome.counts.failed = 1;
    }
    if !finished.success {
        outcome.failures.push(finished.tail());
    } else if failed {
        outcome.failures.push("cargo says success in spite of failed tests".into());
    }
    outcome
}

/// Reads the output of test programs.
///
/// A test that finds that it cannot run prints a line `SKIPPED: REASON` or `SKIPPED NAME: REASON` and
/// returns: it counts as skipped here, although the test program counts it as passed.
fn parse(text: &str) -> Outcome {
    let mut outcome = Outcome::default();
    let (mut showing, mut running) = (None, None);
    let mut skips: BTreeMap<(usize, &str), &str> = BTreeMap::new();
    let mut program = 0;
    for line in text.lines() {
        if let Some(result) = line.strip_prefix("test result: ") {
            outcome.counts.add(counts(result));
            outcome.took.extend(running.map(str::to_owned).zip(seconds(result)));
            (showing, program) = (None, program + 1);
        } else if let Some(name) = test_program(line) {
            running = Some(name);
        } else if let Some(name) = shown_test(line) {
            showing = Some(name);
        } else if let Some((name, result)) =
            line.strip_prefix("test ").and_then(|rest| rest.rsplit_once(" ... "))
        {
            if result.starts_with("FAILED") {
                outcome.failures.push(name.to_owned());
            } else if let Some(reason) = result.strip_prefix("ignored") {
                let reason = reason.trim_start_matches([',', ' ']);
                let reason = if reason.is_empty() { "marked #[ignore]" } else { reason };
                outcome.skips.push(format!("{name}: {reason}"));
            }
        } else if let (Some(said), Some(name)) = (line.strip_prefix("SKIPPED"), showing) {
            let reason = said.split_once(": ").map_or(said, |(_, reason)| reason);
            skips.insert((program, name), reason);
        }
    }
    for ((_, name), reason) in skips {
        outcome.counts.passed = outcome.counts.passed.saturating_sub(1);
        outcome.counts.skipped += 1;
        outcome.skips.push(format!("{name}: {reason}"));
    }
    outcome
}

/// `---- NAME stdout ----`
fn shown_test(line: &str) -> Option<&str> {
    line.strip_prefix("---- ")?.strip_suffix(" stdout ----")
}

/// `     Running tests/reachability.rs (target/debug/deps/reachability-a99fe27a54344594)`, or `   Doc-tests noctule_wire`
fn test_program(line: &str) -> Option<&str> {
    let line = line.trim_start();
    if let Some(package) = line.strip_prefix("Doc-tests ") {
        return Some(package);
    }
    let (_, path) = line.strip_prefix("Running ")?.strip_suffix(')')?.rsplit_once('(')?;
    let file = path.rsplit_once('/').map_or(path, |(_, file)| file);
    Some(file.rsplit_once('-').map_or(file, |(name, _)| name))
}

/// The seconds at the end of such a line as [`counts`] reads.
fn seconds(result: &str) -> Option<f64> {
    result.rsplit_once("finished in ")?.1.trim().strip_suffix('s')?.parse().ok()
}

/// `ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s`
fn counts(result: &str) -> Counts {
    let number = |word: &str| {
        result
            .split(['.', ';'])
            .find_map(|part| part.trim().strip_suffix(word)?.trim().parse().ok())
            .unwrap_or(0)
    };
    Counts { passed: number("passed"), failed: number("failed"), skipped: number("ignored") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
     Running unittests src/lib.rs (target/debug/deps/noctule_wire-a99fe27a54344594)

running 4 tests
test a::works ... ok
test needs_root ... ok
test slow - should panic ... ignored, takes an hour
test broken ... FAILED

successes:

---- a::works stdout ----
skipping is not what it does

---- needs_root stdout ----
SKIPPED needs_root: no right to open a raw socket

successes:
    a::works

failures:

---- broken stdout ----
assertion failed

test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s

   Doc-tests noctule_wire
test result: ok. 7 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s
";

    #[test]
    fn the_output_of_test_programs_is_read() {
        let outcome = parse(TEXT);
        assert_eq!(outcome.counts, Counts { passed: 8, failed: 1, skipped: 2 });
        assert_eq!(outcome.failures, ["broken"]);
        let took = [("noctule_wire".to_owned(), 0.0), ("noctule_wire".to_owned(), 1.2)];
        assert_eq!(outcome.took, took);
        assert_eq!(
            outcome.skips,
            ["slow - should panic: takes an hour", "needs_root: no right to open a raw socket"]
        );
    }
}
