//! Where the processor time of forwarding goes: a profile of generator and daemon while frames go through at full speed, as a flame
//! graph and a table.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use inferno::collapse::Collapse;
use inferno::collapse::perf::Folder;
use inferno::flamegraph;

use super::chain::{Chain, Kind, Programs};
use super::transit;
use crate::lab::{self, Lab};
use crate::{packages, paths, program};

/// What it needs beside what every run needs.
const PROGRAMS: [(&str, &str); 1] = [("perf", "linux-perf")];
/// How long samples are taken, in seconds.
const SECONDS: &str = "4";
/// Samples a second of each thread that runs.
const SAMPLES: &str = "1999";
/// Rows of the table.
const ROWS: usize = 20;
/// How long a build or the evaluation may take.
const LIMIT: Duration = Duration::from_secs(1800);

/// The program to profile, built like the one that people install, but with its names and with frame pointers.
pub(super) fn program() -> Result<PathBuf> {
    packages::ensure(&PROGRAMS)?;
    if std::env::var_os(program::VARIABLE).is_some() {
        return program::noctule();
    }
    let folder = paths::target().join("bench").join("profiled");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = lab::tied(&cargo);
    command
        .args(["build", "--release", "--package", "noctule", "--bin", "noctule", "--target-dir"])
        .arg(&folder)
        .env("CARGO_PROFILE_RELEASE_STRIP", "none")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only")
        .env("RUSTFLAGS", "-C force-frame-pointers=yes")
        .current_dir(paths::project());
    lab::run(&mut command, LIMIT)?.success().context("noctule does not build")?;
    Ok(folder.join("release").join("noctule").canonicalize()?)
}

/// Profiles one peer, in an enclosure: writes the flame graph to `picture` and returns the table.
pub(super) fn run(programs: &Programs, kind: Kind, picture: &Path) -> Result<String> {
    let lab = Lab::new("profile")?;
    let chain = Chain::start(&lab, programs, kind)?;
    let data = lab.run().join("perf.data");
    transit::at_full_speed(&chain, || record(&chain, &data))?;
    let perf = |words: &[&str]| {
        let mut command = lab::tied("perf".as_ref());
        lab::run(command.args(words).arg(&data), LIMIT)?.success()
    };
    let script = perf(&["script", "-i"])?;
    let mut folded = Vec::new();
    Folder::default().collapse(BufReader::new(script.as_bytes()), &mut folded)?;
    let folded = String::from_utf8(folded)?;
    let mut options = flamegraph::Options::default();
    options.title =
        format!("{}: frames of 64 bytes in transit, one queue, full speed", kind.name());
    options.count_name = "samples".to_owned();
    let file =
        File::create(picture).with_context(|| format!("cannot write {}", picture.display()))?;
    flamegraph::from_lines(&mut options, folded.lines(), file)?;
    Ok(table(&folded))
}

/// Takes samples of this process, whose thread the generator is, and of the daemon in the middle.
fn record(chain: &Chain, data: &Path) -> Result<()> {
    let this = std::process::id();
    let who: Vec<_> = [this].iter().chain(chain.processes().get(1)).map(u32::to_string).collect();
    let mut command = lab::tied("perf".as_ref());
    command
        .args(["record", "-q", "-g", "-e", "cpu-clock", "-F", SAMPLES, "-p", &who.join(",")])
        .arg("-o")
        .arg(data)
        .args(["--", "sleep", SECONDS]);
    lab::run(&mut command, LIMIT)?.success()?;
    Ok(())
}

/// The functions in which most samples were taken themselves, by thread.
fn table(folded: &str) -> String {
    let mut shares: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for line in folded.lines() {
        let Some((stack, count)) = line.rsplit_once(' ') else { continue };
        let Some((thread, frames)) = stack.split_once(';') else { continue };
        let function = frames.rsplit(';').next().unwrap_or(frames);
        *shares.entry((thread, function)).or_default() += count.parse().unwrap_or(0);
    }
    let all: u64 = shares.values().sum();
    let mut rows: Vec<_> = shares.into_iter().collect();
    rows.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut text = "| share of all samples | thread | function |\n| --- | --- | --- |\n".to_owned();
    for ((thread, function), count) in rows.into_iter().take(ROWS) {
        let share = count as f64 / all.max(1) as f64 * 100.0;
        let _ = writeln!(text, "| {share:.1} % | {thread} | `{function}` |");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_has_the_samples_that_were_taken_in_itself() {
        let text = table("worker;a;b 30\nworker;a 60\nxtask;c;b 10\nnonsense\n");
        let rows: Vec<_> = text.lines().skip(2).collect();
        assert_eq!(
            rows,
            ["| 60.0 % | worker | `a` |", "| 30.0 % | worker | `b` |", "| 10.0 % | xtask | `b` |"]
        );
    }
}
