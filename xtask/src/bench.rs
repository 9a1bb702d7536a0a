//! `cargo xtask bench`: Noctule beside its peers, on the same topology, in one run and in turn.
//!
//! The outer run fetches and builds what is needed and starts this program again in an enclosure ([`HERE`]), which leaves its
//! samples in a file. Figures depend on the machine, so nothing is judged by tests.

mod chain;
mod figures;
mod generator;
mod processor;
mod table;
mod transit;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::lab::{self, Lab, Side, enclose};
use crate::{BadUse, packages, paths, program};
use chain::{Chain, Kind};
use figures::Figures;
use transit::{LENGTHS, Straight};

/// What may be said after `bench`.
pub(crate) const ARGUMENTS: &str = "[--quick]";
/// The verb with which this program measures inside an enclosure; nobody types it.
pub(crate) const HERE: &str = "bench-here";
/// How long a full run may take.
const LIMIT: Duration = Duration::from_secs(7200);
/// Programs that every run needs, with their Debian packages.
const PROGRAMS: [(&str, &str); 4] =
    [("ip", "iproute2"), ("tc", "iproute2"), ("unshare", "util-linux"), ("mount", "mount")];

/// How much is measured.
#[derive(Clone, Copy, Debug)]
struct Plan {
    quick: bool,
    rounds: usize,
    /// How long a single run of the generator takes.
    time: Duration,
}

impl Plan {
    const fn new(quick: bool) -> Self {
        match quick {
            true => Self { quick, rounds: 2, time: Duration::from_millis(700) },
            false => Self { quick, rounds: 5, time: Duration::from_secs(2) },
        }
    }

    fn lengths(&self) -> &'static [usize] {
        if self.quick { &LENGTHS[..1] } else { &LENGTHS }
    }
}

/// Measures, and prints the tables.
pub(crate) fn main(words: &[String]) -> Result<ExitCode> {
    let mut quick = false;
    for word in words {
        match word.as_str() {
            "--quick" => quick = true,
            other => return Err(BadUse::because(format!("bench takes {ARGUMENTS}, not {other}"))),
        }
    }
    lab::end_on_signals()?;
    packages::ensure(&PROGRAMS)?;
    let noctule = program::noctule()?;
    let this = paths::Copy::new()?;
    let folder = paths::target().join("bench");
    std::fs::create_dir_all(&folder)?;
    let results = folder.join("here.json");
    let mut command = lab::tied(this.path().as_os_str());
    command.arg(HERE).args([&results, &noctule]).args(quick.then_some("--quick"));
    let output = lab::run(&mut command, LIMIT)?;
    print!("{}", output.success()?);
    let figures: Figures = serde_json::from_str(&std::fs::read_to_string(&results)?)?;
    println!("{}\n\n{}", figures.machine, table::medians(&figures));
    println!("{}", table::ratios(&figures, Kind::Noctule.name()));
    for line in &figures.skipped {
        println!("SKIPPED: {line}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs the verb [`HERE`]: `RESULTS NOCTULE [--quick]`.
pub(crate) fn here(words: &[String]) -> Result<ExitCode> {
    if let Side::Outside(code) = enclose(&[])? {
        return Ok(code);
    }
    let [results, noctule, options @ ..] = words else { bail!("too few words") };
    let plan = Plan::new(options.iter().any(|option| option == "--quick"));
    let kinds = [Kind::Noctule, Kind::Bridge, Kind::Redirect];
    let figures = measure(&plan, &kinds, &PathBuf::from(noctule))?;
    std::fs::write(results, serde_json::to_string(&figures)?)
        .with_context(|| format!("cannot write {results}"))?;
    Ok(ExitCode::SUCCESS)
}

/// All rounds on these peers, which take turns in each of them.
fn measure(plan: &Plan, kinds: &[Kind], noctule: &Path) -> Result<Figures> {
    let lab = Lab::new("bench")?;
    let mut figures = Figures { machine: processor::machine(), ..Figures::default() };
    let mut straight = Straight::new(&lab)?;
    let mut chains = Vec::new();
    for &kind in kinds {
        match Chain::start(&lab, noctule, kind) {
            Ok(chain) => chains.push(chain),
            Err(error) => figures.skipped.push(format!("{}: {error:#}", kind.name())),
        }
    }
    for _ in 0..plan.rounds {
        straight.measure(&mut figures, plan.time)?;
        for chain in chains.iter().filter(|chain| chain.kind.has_transit()) {
            transit::measure(&mut figures, chain, &straight, plan.lengths(), plan.time)?;
        }
    }
    Ok(figures)
}
