//! `cargo xtask interop`: Noctule beside the real `batman-adv`, in user-mode Linux.
//!
//! A guest (see [`crate::uml`]) boots a kernel that has the module; inside it, this same program
//! plays one scenario with kernel nodes and Noctule nodes ([`scenarios`]), and leaves a record and
//! a capture of every frame. Outside, the record is printed, and every frame that a Noctule node
//! sent is decoded by tshark ([`decode`]).
//!
//! The checks name the rules that they prove (IV-108, TT-91, …).

mod capture;
mod decode;
pub(crate) mod echo;
mod lan;
mod net;
pub(crate) mod node;
mod record;
mod run;
mod scenarios;
mod scene;
mod stage;
pub(crate) mod tables;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::cases::{self, Counts};
use crate::uml::{Kernel, Release};
use crate::{BadUse, lab, packages, paths, program};
use node::Programs;
use run::{Outcome, Run};
use scenarios::Scenario;

/// What may be said after `interop`.
pub(crate) const ARGUMENTS: &str =
    "[--kernel 6.1|7.2] [--baseline] [--rounds N] [--verbose] [--list] [SCENARIO...]";
/// What it means.
const USAGE: &str = "\
  SCENARIO    a name (`chain`: all its kinds of nodes) or one kind (`chain/K-N-K`); default: all
  --kernel    only this release of the kernel module; default: all
  --baseline  also the scenarios with kernel nodes only
  --rounds    how often `start` and `diamond` measure each time: 10 or more for figures to quote
  --verbose   also the steps between the figures
  --list      name the scenarios and do nothing";

/// The programs that a run needs, with their Debian packages.
const PROGRAMS: [(&str, &str); 6] = [
    ("batctl", "batctl"),
    ("iperf3", "iperf3"),
    ("ip", "iproute2"),
    ("depmod", "kmod"),
    ("modprobe", "kmod"),
    ("tshark", "tshark"),
];

/// So many take about an hour.
const ROUNDS_MAX: u32 = 100;

/// What the command line asks for.
struct Asked {
    releases: Vec<Release>,
    scenarios: Vec<&'static Scenario>,
    rounds: Option<u32>,
    verbose: bool,
    list: bool,
}

/// Runs `cargo xtask interop`. The last line is the one that `cargo xtask test` reads.
pub(crate) fn main(words: &[String]) -> Result<ExitCode> {
    let asked = parse(words)?;
    if asked.list {
        for scenario in scenarios::all() {
            let kind = if scenario.is_baseline() { " (baseline)" } else { "" };
            println!("{:24} {}{kind}", scenario.full_name(), scenario.about);
        }
        return Ok(ExitCode::SUCCESS);
    }
    lab::end_on_signals()?;
    let noctule = match asked.scenarios.iter().all(|scenario| scenario.is_baseline()) {
        // A baseline has no Noctule nodes: nothing needs to be built.
        true => PathBuf::new(),
        false => program::noctule()?,
    };
    let mut counts = Counts::default();
    for &release in &asked.releases {
        counts.add(play(release, &asked, &noctule));
    }
    println!("{}", counts.line());
    Ok(if counts.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The verb with which this program is started inside a guest; nobody types it.
pub(crate) const GUEST: &str = "interop-guest";

/// Runs the verb [`GUEST`], inside the guest: `FOLDER BATCTL NOCTULE ROUNDS SCENARIO...`; 0 rounds: as many as a test needs.
pub(crate) fn guest(words: &[String]) -> Result<ExitCode> {
    let [folder, batctl, noctule, rounds, names @ ..] = words else { bail!("too few words") };
    let programs = Programs {
        batctl: PathBuf::from(batctl),
        noctule: PathBuf::from(noctule),
        logs: PathBuf::from(folder),
    };
    let rounds = rounds.parse().context("no number of rounds")?;
    stage::play(Path::new(folder), &programs, rounds, names)?;
    Ok(ExitCode::SUCCESS)
}

fn parse(words: &[String]) -> Result<Asked> {
    let mut asked = Asked {
        releases: Release::ALL.to_vec(),
        scenarios: Vec::new(),
        rounds: None,
        verbose: false,
        list: false,
    };
    let mut baseline = false;
    let mut named = false;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--kernel" => {
                let release = words.next().and_then(|name| Release::from_name(name));
                asked.releases = vec![
                    release
                        .ok_or_else(|| BadUse::because("--kernel wants a release: 6.1 or 7.2"))?,
                ];
            }
            "--baseline" => baseline = true,
            "--rounds" => {
                let rounds = words.next().and_then(|word| word.parse().ok());
                let rounds = rounds.filter(|rounds| (1..=ROUNDS_MAX).contains(rounds));
                let wanted = || BadUse::because(format!("--rounds wants 1 to {ROUNDS_MAX}"));
                asked.rounds = Some(rounds.ok_or_else(wanted)?);
            }
            "--verbose" => asked.verbose = true,
            "--list" => asked.list = true,
            option if option.starts_with('-') => {
                return Err(BadUse::because(format!("no option {option}\n{USAGE}")));
            }
            name => {
                named = true;
                let found = scenarios::matching(name);
                if found.is_empty() {
                    return Err(BadUse::because(format!(
                        "no scenario {name}; `cargo xtask interop --list` names them"
                    )));
                }
                asked.scenarios.extend(found);
            }
        }
    }
    if !named {
        let wanted = scenarios::all().iter().filter(|one| baseline || !one.is_baseline());
        asked.scenarios.extend(wanted);
    }
    Ok(asked)
}

/// Plays scenarios on one release, and prints them with a summary.
fn play(release: Release, asked: &Asked, noctule: &Path) -> Counts {
    let asked_for = asked.scenarios.len();
    // The file of this program may be replaced by a build while the guests run it.
    let prepared = paths::Copy::new()
        .and_then(|this| Ok((prepare(release, asked.rounds, &this, noctule)?, this)));
    let (run, _this) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            println!("skipped interop with Linux {}: {error:#}", release.name());
            return Counts { skipped: asked_for, ..Counts::default() };
        }
    };
    println!("Noctule beside batman-adv of Linux {}: {asked_for} scenarios", run.kernel.release);
    println!("K is a node with the kernel module, N a node with noctule.");
    println!("Records, captures and logs: {}\n", run.folder.display());
    let mut counts = Counts::default();
    let outcomes = run.play(&asked.scenarios, &mut |outcome: &Outcome| {
        print!("{}", outcome.report(asked.verbose));
        *if outcome.passed() { &mut counts.passed } else { &mut counts.failed } += 1;
    });
    for outcome in outcomes.iter().filter(|outcome| !outcome.passed()) {
        println!("FAILED Linux {} {}", release.name(), outcome.failure());
    }
    let checks: usize = outcomes.iter().map(Outcome::checks).sum();
    println!("{}", cases::slowest(outcomes.iter().map(Outcome::took).collect()));
    println!("Linux {}: {checks} checks in {asked_for} scenarios\n", run.kernel.release);
    counts
}

/// Looks for everything that a run needs. An error is the reason to skip it.
fn prepare(
    release: Release,
    rounds: Option<u32>,
    this: &paths::Copy,
    noctule: &Path,
) -> Result<Run> {
    packages::ensure(&PROGRAMS)?;
    packages::ensure(&crate::lab::dhcp::PROGRAMS)?;
    let batctl = packages::find("batctl").context("batctl is missing")?;
    Ok(Run {
        kernel: Kernel::get(release)?,
        folder: paths::target().join("interop").join(release.name()),
        guest: this.path().to_owned(),
        batctl,
        noctule: noctule.to_owned(),
        rounds: rounds.unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn the_command_line_is_read() {
        let asked = parse(&words("--kernel 7.2 --rounds 10 chain/K-N-K pair")).unwrap();
        assert_eq!((&asked.releases[..], asked.rounds), (&[Release::V7_2][..], Some(10)));
        let names: Vec<_> = asked.scenarios.iter().map(|one| one.full_name()).collect();
        assert_eq!(names, ["chain/K-N-K", "pair/K-K", "pair/K-N", "pair/N-N"]);
    }

    #[test]
    fn without_a_name_the_baseline_is_left_out() {
        assert!(parse(&[]).unwrap().scenarios.iter().all(|one| !one.is_baseline()));
        assert!(parse(&words("--baseline")).unwrap().scenarios.iter().any(|one| one.is_baseline()));
    }

    #[test]
    fn a_bad_command_line_is_refused() {
        for bad in [
            "--kernel",
            "--kernel 5.10",
            "--rounds",
            "--rounds 0",
            "--nonsense",
            "no-such-scenario",
        ] {
            assert!(parse(&words(bad)).is_err(), "{bad}");
        }
    }
}
