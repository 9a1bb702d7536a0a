//! One tier's run: the commands it starts, their logs, and what came of it.

use std::cell::Cell;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use super::tiers::Tier;
use super::{Session, cargo};
use crate::cases::{Counts, slowest_of};
use crate::lab::{Process, tied};
use crate::paths;

/// How many lines of a failed command's log are shown.
const TAIL: usize = 60;

/// What came of a tier.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    /// How many of its tests ended how.
    pub(crate) counts: Counts,
    /// What failed: names, or the end of a log.
    pub(crate) failures: Vec<String>,
    /// What was skipped, and why.
    pub(crate) skips: Vec<String>,
    /// Which tests took how many seconds, as far as they say so.
    pub(crate) took: Vec<(String, f64)>,
}

impl Outcome {
    /// The whole tier was skipped; a `strict` run takes that for a failure.
    pub(crate) fn skipped(reason: String, strict: bool) -> Self {
        if strict {
            return Self::failed(format!("skipped, which CI=true does not allow: {reason}"));
        }
        let counts = Counts { skipped: 1, ..Counts::default() };
        Self { counts, skips: vec![reason], ..Self::default() }
    }

    /// The outcome of a tier in which nothing ran is that of a skipped one.
    pub(crate) fn judged(self, strict: bool) -> Self {
        let Counts { passed, failed, skipped } = self.counts;
        if passed + failed > 0 || !strict {
            return self;
        }
        Self::skipped(format!("{skipped} tests skipped: {}", self.skips.join("; ")), strict)
    }

    /// The tier failed as a whole.
    pub(crate) fn failed(reason: String) -> Self {
        let counts = Counts { failed: 1, ..Counts::default() };
        Self { counts, failures: vec![reason], ..Self::default() }
    }

    /// The tier is one check, and it held.
    pub(crate) fn passed() -> Self {
        let counts = Counts { passed: 1, ..Counts::default() };
        Self { counts, ..Self::default() }
    }

    /// Adds what came of another part of the tier.
    pub(crate) fn add(&mut self, other: Self) {
        self.counts.add(other.counts);
        self.failures.extend(other.failures);
        self.skips.extend(other.skips);
        self.took.extend(other.took);
    }
}

/// A command that has ended.
pub(crate) struct Finished {
    /// Whether its exit status was zero.
    pub(crate) success: bool,
    /// All of its output.
    pub(crate) text: String,
    log: PathBuf,
}

impl Finished {
    /// The end of the output and where the rest is.
    pub(crate) fn tail(&self) -> String {
        let lines: Vec<_> = self.text.trim_end().lines().collect();
        let tail = lines[lines.len().saturating_sub(TAIL)..].join("\n");
        format!("{tail}\n(all of it: {})", self.log.display())
    }

    /// The command was one check: it held if the exit status is zero.
    pub(crate) fn check(&self) -> Outcome {
        if self.success { Outcome::passed() } else { Outcome::failed(self.tail()) }
    }
}

/// A tier that runs.
pub(crate) struct Job<'a> {
    /// What all tiers of the run share.
    pub(crate) session: &'a Session,
    tier: &'static Tier,
    deadline: Instant,
    commands: Cell<u32>,
}

impl<'a> Job<'a> {
    pub(super) fn new(tier: &'static Tier, session: &'a Session) -> Self {
        let deadline = Instant::now() + tier.limit;
        Self { session, tier, deadline, commands: Cell::new(0) }
    }

    /// Runs a command of [`Self::cargo`] or [`Self::xtask`] to its end, within what is left of the tier's time.
    pub(crate) fn run(&self, command: &mut Command) -> Result<Finished> {
        let folder = paths::target().join("xtask").join("test");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let number = self.commands.replace(self.commands.get() + 1);
        let log = folder.join(match number {
            0 => format!("{}.log", self.tier.name),
            _ => format!("{}-{number}.log", self.tier.name),
        });
        let mut process = Process::spawn(command, self.tier.name, &log)?;
        let left = self.deadline.saturating_duration_since(Instant::now());
        let status = process.wait(left).map_err(|_| {
            let tail = Finished { success: false, text: process.log(), log: log.clone() }.tail();
            anyhow!("still running after the tier's {} s\n{tail}", self.tier.limit.as_secs())
        })?;
        Ok(Finished { success: status.success(), text: process.log(), log })
    }

    /// This program with another verb.
    pub(crate) fn xtask(&self, words: &[&str]) -> Command {
        let mut command = tied(self.session.this.path().as_os_str());
        command.current_dir(paths::project()).args(words);
        command
    }

    /// Cargo with these words.
    pub(crate) fn cargo(&self, words: &[&str]) -> Command {
        let mut command = tied(cargo::program().as_os_str());
        command.current_dir(paths::project()).args(words).env("CARGO_TERM_COLOR", "never");
        command
    }

    /// Runs a verb that ends with a line of counts; its `FAILED` and `skipped` lines are taken over.
    pub(crate) fn verb(&self, words: &[&str]) -> Result<Outcome> {
        let finished = self.run(&mut self.xtask(words))?;
        let counts = finished.text.lines().rev().find_map(Counts::from_line);
        let lines = |start: &str| -> Vec<String> {
            let lines = finished.text.lines().filter(|line| line.starts_with(start));
            lines.map(|line| words_joined(&line[start.len()..])).collect()
        };
        Ok(match counts {
            Some(counts) if finished.success == (counts.failed == 0) => {
                let took = finished.text.lines().filter_map(slowest_of).flatten().collect();
                let mut outcome =
                    Outcome { counts, failures: Vec::new(), skips: lines("skipped "), took };
                if counts.failed > 0 {
                    outcome.failures = lines("FAILED ");
                    outcome.failures.push(finished.tail());
                }
                outcome
            }
            _ => Outcome::failed(finished.tail()),
        })
    }

    /// How long the tier may still take.
    pub(crate) fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// The text with single spaces.
fn words_joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
