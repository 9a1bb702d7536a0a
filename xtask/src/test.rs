//! `cargo xtask test`: everything that can be checked, in tiers from cheap to real.
//!
//! A tier that cannot run on this machine is skipped with its reason. Under continuous integration
//! (`CI=true`) that counts as a failure, so that a tier cannot fall out of the gate unseen.

mod cargo;
mod job;
mod miri;
mod table;
mod tiers;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::cases::{Counts, slowest};
use crate::lab::{self, Skipped};
use crate::packages;
use crate::{BadUse, paths};
use job::{Job, Outcome};
use table::Row;
use tiers::{Need, TIERS, Tier};

/// What may be said after `test`.
const USAGE: &str = "cargo xtask test [--list] [TIER...]";

/// What the tiers of one run share.
pub(crate) struct Session {
    /// A copy of this program that no build replaces.
    this: paths::Copy,
    /// Whether a skipped tier is a failure.
    strict: bool,
}

/// Runs the tiers that the command line names, else all.
pub(crate) fn main(arguments: &[String]) -> Result<ExitCode> {
    if arguments.iter().any(|word| word == "--list") {
        for tier in TIERS {
            println!("{:13} {}", tier.name, tier.about);
        }
        return Ok(ExitCode::SUCCESS);
    }
    for word in arguments {
        if !TIERS.iter().any(|tier| tier.name == word) {
            return Err(BadUse::because(format!(
                "no tier {word}; `cargo xtask test --list` names them ({USAGE})"
            )));
        }
    }
    lab::end_on_signals()?;
    let strict = std::env::var("CI").is_ok_and(|value| value == "true" || value == "1");
    let session = Session { this: paths::Copy::new()?, strict };
    let rows: Vec<_> = TIERS
        .iter()
        .filter(|tier| arguments.is_empty() || arguments.iter().any(|word| word == tier.name))
        .map(|tier| run(tier, &session))
        .collect();
    table::print(&rows);
    let mut total = Counts::default();
    rows.iter().for_each(|row| total.add(row.outcome.counts));
    println!("\n{}", total.line());
    Ok(if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs one tier and shows a line about it while it runs and after.
fn run(tier: &'static Tier, session: &Session) -> Row {
    let start = Instant::now();
    let outcome = live(tier.name, start, || match missing(tier) {
        Some(reason) => Outcome::skipped(reason, session.strict),
        None => match (tier.run)(&Job::new(tier, session)) {
            Ok(outcome) => outcome.judged(session.strict),
            Err(error) if error.is::<Skipped>() => {
                Outcome::skipped(format!("{error:#}"), session.strict)
            }
            Err(error) => Outcome::failed(format!("{error:#}")),
        },
    });
    let row = Row { name: tier.name, outcome, seconds: start.elapsed().as_secs_f64() };
    println!("{}", row.live_line());
    if row.outcome.took.len() > 1 {
        println!("    {}", slowest(row.outcome.took.clone()));
    }
    row.outcome.failures.iter().for_each(|failure| println!("    {}", indented(failure)));
    row
}

/// The first need of the tier that this machine cannot meet, and what to do about it.
fn missing(tier: &Tier) -> Option<String> {
    tier.needs.iter().find_map(|need| match need {
        Need::Laboratory => lab::check().err().map(|error| format!("{error:#}")),
        Need::Program(program, package) => {
            packages::ensure(&[(program, package)]).err().map(|error| format!("{error:#}"))
        }
        Need::Helpful(program, package) => {
            // The cases that use it say that it is missing.
            let _ = packages::ensure(&[(program, package)]);
            None
        }
    })
}

fn indented(text: &str) -> String {
    text.trim_end().replace('\n', "\n    ")
}

/// Shows the name while `act` runs: on a terminal with the seconds so far, elsewhere once.
fn live<T>(name: &str, start: Instant, act: impl FnOnce() -> T) -> T {
    let terminal = std::io::stdout().is_terminal();
    let show = |text: &str| {
        print!("{text}");
        // A closed pipe ends the run with the next line that matters.
        let _ = std::io::stdout().flush();
    };
    show(&format!("{name:13} "));
    let (done, ended) = channel::<()>();
    thread::scope(|scope| {
        if terminal {
            scope.spawn(move || {
                while let Err(RecvTimeoutError::Timeout) =
                    ended.recv_timeout(Duration::from_secs(1))
                {
                    show(&format!("\r{name:13} running, {} s ", start.elapsed().as_secs()));
                }
                show(&format!("\r\x1b[K{name:13} "));
            });
        }
        let result = act();
        drop(done);
        result
    })
}
