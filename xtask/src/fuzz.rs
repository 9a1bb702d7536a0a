//! `cargo xtask fuzz`: every parser against bytes that nobody meant well.
//!
//! The committed corpora are replayed everywhere, by an ordinary test on the stable compiler. Where
//! cargo-fuzz and a nightly toolchain are there, each target is fuzzed for a while too, from its
//! committed corpus; what it finds there is kept in `fuzz/corpus-local`, which is not committed.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cases::Counts;
use crate::lab::{self, run, tied};
use crate::{BadUse, packages, paths};

/// How long each target is fuzzed, in seconds, unless the command line says otherwise.
const SECONDS: u64 = 20;
/// How long building all targets may take.
const BUILD_LIMIT: Duration = Duration::from_secs(900);

/// Replays, and fuzzes if that can be done here.
pub(crate) fn main(arguments: &[String]) -> Result<ExitCode> {
    let asked = Asked::parse(arguments)?;
    lab::end_on_signals()?;
    let folder = paths::project().join("fuzz");
    let targets = asked.targets(&folder)?;
    let mut counts = Counts::default();
    replay(&mut counts)?;
    match cannot_fuzz() {
        Some(reason) => {
            counts.skipped += targets.len();
            println!("skipped fuzzing of {} targets: {reason}", targets.len());
        }
        None => fuzz(&folder, &targets, asked.seconds, &mut counts)?,
    }
    println!("{}", counts.line());
    Ok(if counts.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What the command line asks for.
#[derive(Debug, Eq, PartialEq)]
struct Asked {
    seconds: u64,
    targets: Vec<String>,
}

impl Asked {
    fn parse(arguments: &[String]) -> Result<Self> {
        let mut asked = Self { seconds: SECONDS, targets: Vec::new() };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--seconds" => {
                    let value = words.next().and_then(|value| value.parse().ok());
                    asked.seconds = value
                        .filter(|seconds| *seconds > 0)
                        .ok_or_else(|| BadUse::because("--seconds wants a number above zero"))?;
                }
                option if option.starts_with('-') => {
                    let usage = "cargo xtask fuzz [--seconds N] [TARGET...]";
                    return Err(BadUse::because(format!("no option {option}; {usage}")));
                }
                target => asked.targets.push(target.to_owned()),
            }
        }
        Ok(asked)
    }

    /// The targets to fuzz: those named, else all that have a file.
    fn targets(&self, folder: &Path) -> Result<Vec<String>> {
        let all = targets(folder)?;
        if let Some(absent) = self.targets.iter().find(|target| !all.contains(target)) {
            return Err(BadUse::because(format!("no target {absent}: {}", all.join(", "))));
        }
        Ok(if self.targets.is_empty() { all } else { self.targets.clone() })
    }
}

/// The names of the files in `fuzz_targets`.
fn targets(folder: &Path) -> Result<Vec<String>> {
    let folder = folder.join("fuzz_targets");
    let entries =
        fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut names: Vec<_> = entries
        .flatten()
        .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".rs")?.to_owned()))
        .collect();
    names.sort();
    if names.is_empty() {
        bail!("{} holds no target", folder.display());
    }
    Ok(names)
}

/// Replays the corpora through the same functions on the stable compiler.
fn replay(counts: &mut Counts) -> Result<()> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = tied(&program);
    command
        .current_dir(paths::project())
        // Of the whole workspace, as `cargo xtask test` builds it: see `test::cargo::test`.
        .args(["test", "--workspace", "--test", "replay"])
        .env("CARGO_TERM_COLOR", "never");
    let output = run(&mut command, BUILD_LIMIT)?;
    print!("{}", output.stdout);
    for line in output.stdout.lines().filter_map(|line| line.strip_prefix("test ")) {
        counts.passed += usize::from(line.ends_with(" ... ok"));
        counts.failed += usize::from(line.ends_with(" ... FAILED"));
    }
    if !output.status.success() {
        eprint!("{}", output.stderr);
        counts.failed = counts.failed.max(1);
    } else if counts.passed == 0 {
        bail!("the replay ran no test");
    }
    Ok(())
}

/// Why fuzzing cannot be done here, if so.
fn cannot_fuzz() -> Option<String> {
    if packages::find("cargo-fuzz").is_none() {
        return Some("cargo-fuzz is missing; `cargo install cargo-fuzz`".into());
    }
    if packages::find("c++").is_none() {
        return Some("no C++ compiler; `apt-get install g++`".into());
    }
    let nightly = run(tied("rustc".as_ref()).args(["+nightly", "--version"]), BUILD_LIMIT);
    match nightly {
        Ok(output) if output.status.success() => None,
        _ => Some("no nightly toolchain; `rustup toolchain install nightly`".into()),
    }
}

fn fuzz(folder: &Path, targets: &[String], seconds: u64, counts: &mut Counts) -> Result<()> {
    let host = run(tied("rustc".as_ref()).args(["+nightly", "-vV"]), BUILD_LIMIT)?.success()?;
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).context("no host")?;
    for target in targets {
        let mut build = cargo_fuzz("build", host);
        if let Err(error) = run(build.arg(target), BUILD_LIMIT)?.success() {
            counts.failed += 1;
            println!("FAILED {target} does not build: {error:#}");
            continue;
        }
        let found = folder.join("corpus-local").join(target);
        fs::create_dir_all(&found).with_context(|| format!("cannot make {}", found.display()))?;
        let mut command = cargo_fuzz("run", host);
        command.arg(target).args([&found, &folder.join("corpus").join(target)]).args([
            "--",
            "-rss_limit_mb=1024",
            "-timeout=10",
            &format!("-max_total_time={seconds}"),
        ]);
        // Reading a corpus and writing a crash take their time beside the fuzzing itself.
        let output = run(&mut command, Duration::from_secs(seconds + 120))?;
        if output.status.success() {
            counts.passed += 1;
            let done = output.stderr.lines().rev().find(|line| line.starts_with("Done "));
            println!("ok     {target}: {}", done.unwrap_or("done"));
        } else {
            counts.failed += 1;
            println!("FAILED {target}\n{}", output.stderr);
        }
    }
    Ok(())
}

/// `cargo fuzz` on the nightly toolchain, with a build that is quick and can be debugged.
fn cargo_fuzz(verb: &str, host: &str) -> Command {
    // Not the cargo that started this program: only rustup's own knows `+nightly`.
    let mut command = tied("cargo".as_ref());
    command
        .current_dir(paths::project())
        .args(["+nightly", "fuzz", verb, "--features", "libfuzzer", "--target", host])
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .env("CARGO_PROFILE_RELEASE_STRIP", "none");
    for inherited in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN", "LD_LIBRARY_PATH"] {
        command.env_remove(inherited);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_read() {
        let words = |text: &str| -> Vec<String> { text.split(' ').map(str::to_owned).collect() };
        let asked = Asked::parse(&words("--seconds 5 ogm icmp")).unwrap();
        assert_eq!(asked, Asked { seconds: 5, targets: words("ogm icmp") });
        assert_eq!(Asked::parse(&[]).unwrap().seconds, SECONDS);
        for bad in ["--seconds", "--seconds 0", "--seconds x", "--minutes"] {
            assert!(Asked::parse(&words(bad)).is_err(), "{bad}");
        }
    }
}
