//! `cargo xtask bench`: Noctule beside its peers, on the same topology, in one run and in turn.
//!
//! The outer run fetches and builds what is needed and starts this program again in an enclosure ([`HERE`]), which leaves its
//! samples in a file. Figures depend on the machine, so nothing is judged by tests.

mod asked;
pub(crate) mod bpf;
pub(crate) mod chain;
mod figures;
pub(crate) mod generator;
mod hosts;
mod plan;
pub(crate) mod processor;
mod profile;
mod report;
pub(crate) mod sink;
mod svg;
mod table;
mod targets;
mod transit;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::lab::{self, Lab, Side, enclose};
use crate::qemu::Kernel;
use crate::qemu::guest::{Clock, RESULTS, Task};
use crate::uml::Release;
use crate::{packages, paths, program};
use asked::Asked;
use chain::{Chain, Kind, Programs};
use figures::Figures;
use plan::{Half, Plan};
use processor::Meter;
use report::Place;
use transit::Straight;

/// What may be said after `bench`.
pub(crate) const ARGUMENTS: &str = "[--quick] [--only transit|hosts] [--counted] [--no-guest] [--kernel 6.1|7.2] [--write] | --profile PEER";
/// The verb with which this program measures inside an enclosure; nobody types it.
pub(crate) const HERE: &str = "bench-here";
/// Tells it to profile one peer.
const PROFILE: &str = "--profile";
/// Asks for the guest that counts instructions alone; tells it that it is in there.
const COUNTED: &str = "--counted";
/// Tells it that it is in the guest.
const IN_GUEST: &str = "--in-guest";
/// Bits a second beside pings under load in the guest, whose emulated processors are slow.
const GUEST_LOAD: &str = "5M";
/// How long the machine is watched before anything is measured.
const BEFORE: Duration = Duration::from_secs(2);
/// How long a full run may take.
const LIMIT: Duration = Duration::from_secs(7200);
/// Programs that every run needs, with their Debian packages.
const PROGRAMS: [(&str, &str); 6] = [
    ("ethtool", "ethtool"),
    ("tc", "iproute2"),
    ("unshare", "util-linux"),
    ("mount", "mount"),
    ("iperf3", "iperf3"),
    ("tincd", "tinc"),
];
/// What the peers in the guest need of its kernel.
const MODULES: &str = "batman-adv veth bridge tun sch_ingress cls_u32 cls_bpf act_mirred";
/// Start-up times of this project's node.
const START_UP: &str = "start-up, ms";

/// Profiles a peer on this kernel, and prints where its time goes.
fn profile(kind: Kind) -> Result<ExitCode> {
    lab::end_on_signals()?;
    packages::ensure(&PROGRAMS)?;
    let noctule = profile::program()?;
    let folder = paths::target().join("bench");
    std::fs::create_dir_all(&folder)?;
    let picture = folder.join(format!("profile-{}.svg", kind.name().replace('+', "-")));
    let this = paths::Copy::new()?;
    let mut command = lab::tied(this.path().as_os_str());
    command.arg(HERE).args([&picture, &noctule]).args([PROFILE, kind.name()]);
    println!("{}", lab::run(&mut command, LIMIT)?.success()?);
    println!("flame graph: {}", picture.display());
    Ok(ExitCode::SUCCESS)
}

/// Measures, and prints the tables.
pub(crate) fn main(words: &[String]) -> Result<ExitCode> {
    if let [PROFILE, ..] = &words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        return profile(asked::peer(&words[1..])?);
    }
    let asked = asked::parse(words)?;
    lab::end_on_signals()?;
    packages::ensure(&PROGRAMS)?;
    let noctule = program::noctule()?;
    if asked.only != Some(Half::Transit) {
        build_vpncloud();
    }
    let folder = paths::target().join("bench");
    std::fs::create_dir_all(&folder)?;
    let this = paths::Copy::new()?;
    let here = if asked.counted {
        Figures { machine: "not asked for".to_owned(), ..Figures::default() }
    } else {
        timed("this kernel", || run_here(&asked, this.path(), &noctule, &folder))?
    };
    show("this kernel", &here);
    let guest = |name: &str, clock: Clock, wanted: bool| {
        let figures = match asked.guest.filter(|_| wanted) {
            Some(release) => {
                timed(name, || run_guest(&asked, clock, release, this.path(), &noctule, &folder))
            }
            None => Err(anyhow::anyhow!("not asked for")),
        };
        let figures = figures.unwrap_or_else(|error| {
            let mut none = Figures { machine: "no guest".to_owned(), ..Figures::default() };
            none.skip_if_failed(name, Err(error));
            none
        });
        show(name, &figures);
        figures
    };
    let wall = guest("the guest", Clock::Wall, !asked.counted);
    let wants_transit = asked.only != Some(Half::Hosts);
    let counted = guest("the counted guest", Clock::Instructions, wants_transit);
    println!("{}", targets::table(&here, &wall, &counted));
    if asked.write {
        let command = [&["cargo xtask bench".to_owned()], words].concat().join(" ");
        let places = [
            Place { name: "this kernel", short: "here", figures: &here },
            Place { name: "the guest", short: "guest", figures: &wall },
            Place { name: "the counted guest", short: "counted", figures: &counted },
        ];
        report::write(&paths::project().join("docs"), &command, &places)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Measures somewhere, and says how long it took.
fn timed(place: &str, measure: impl FnOnce() -> Result<Figures>) -> Result<Figures> {
    eprintln!("measuring: {place}");
    let begun = Instant::now();
    let figures = measure();
    eprintln!("that took {} s", begun.elapsed().as_secs());
    figures
}

/// Prints what was measured in one place.
fn show(place: &str, figures: &Figures) {
    println!("On {place}: {}\n", figures.machine);
    if !figures.samples.is_empty() {
        println!("{}", table::medians(figures));
        println!("{}", table::ratios(figures, Kind::Noctule.name()));
    }
    for line in &figures.skipped {
        println!("SKIPPED: {line}\n");
    }
}

/// Measures on this kernel, in an enclosure.
fn run_here(asked: &Asked, this: &Path, noctule: &Path, folder: &Path) -> Result<Figures> {
    let results = folder.join("here.json");
    let mut command = lab::tied(this.as_os_str());
    command.arg(HERE).args([&results, noctule]).args(asked.inner());
    lab::run(&mut command, LIMIT)?.success()?;
    read(&results)
}

/// Measures in a guest.
fn run_guest(
    asked: &Asked,
    clock: Clock,
    release: Release,
    this: &Path,
    noctule: &Path,
    folder: &Path,
) -> Result<Figures> {
    packages::ensure(&[("batctl", "batctl")])?;
    let kernel = Kernel::get(release)?;
    let folder = folder.join("guest");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    let folder = folder.canonicalize()?;
    // The guest sees this machine's files as they were when it first looked: copies stay the same.
    for (from, name) in [(this, "xtask"), (noctule, "noctule")] {
        std::fs::copy(from, folder.join(name)).with_context(|| format!("cannot copy {name}"))?;
    }
    let options = match clock {
        Clock::Wall => asked.inner().join(" "),
        Clock::Instructions => COUNTED.to_owned(),
    };
    let script = format!(
        "CARGO_TARGET_DIR={RESULTS} exec {RESULTS}/xtask {HERE} {RESULTS}/guest.json {RESULTS}/noctule {IN_GUEST} {options}"
    );
    let task = Task { folder: &folder, modules: MODULES, script: &script, limit: LIMIT, clock };
    let ended = kernel.run(&task, &mut |_| ())?.success()?;
    let mut figures = read(&folder.join("guest.json"))?;
    if clock == Clock::Instructions {
        figures.machine.push_str(" Each instruction takes a nanosecond.");
        return Ok(figures);
    }
    let _ = write!(
        figures.machine,
        " Its processors waited for those of this machine for {:.0} % of the time they were to run.",
        ended.waited * 100.0
    );
    Ok(figures)
}

fn read(results: &Path) -> Result<Figures> {
    let text = std::fs::read_to_string(results)
        .with_context(|| format!("no figures in {}", results.display()))?;
    Ok(serde_json::from_str(&text)?)
}

/// Runs the verb [`HERE`]: `RESULTS NOCTULE [--in-guest] [--quick] [transit|hosts]`, or `PICTURE NOCTULE --profile PEER`.
pub(crate) fn here(words: &[String]) -> Result<ExitCode> {
    if let Side::Outside(code) = enclose(&[])? {
        return Ok(code);
    }
    let [results, noctule, options @ ..] = words else { bail!("too few words") };
    let is_set = |name: &str| options.iter().any(|option| option == name);
    let programs = Programs { noctule: PathBuf::from(noctule), vpncloud: vpncloud() };
    if let [PROFILE, name] = options.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        let kind = Kind::from_name(name).context("no such peer")?;
        print!("{}", profile::run(&programs, kind, Path::new(results))?);
        return Ok(ExitCode::SUCCESS);
    }
    let in_guest = is_set(IN_GUEST);
    let mut plan =
        Plan::new(is_set("--quick"), options.iter().find_map(|word| Half::from_name(word)));
    let mut kinds = vec![Kind::Noctule, Kind::Offload, Kind::Bridge, Kind::Redirect];
    if is_set(COUNTED) {
        plan = Plan::counted();
        kinds.push(Kind::Module);
    } else if in_guest {
        kinds.push(Kind::Module);
        plan.load = GUEST_LOAD;
        plan.time *= 2;
        plan.pings /= 2;
    } else {
        kinds.extend([Kind::Tinc, Kind::Vpncloud]);
    }
    if plan.only == Some(Half::Transit) {
        kinds.retain(|kind| kind.has_transit());
    }
    let figures = measure(&plan, &kinds, &programs)?;
    std::fs::write(results, serde_json::to_string(&figures)?)
        .with_context(|| format!("cannot write {results}"))?;
    Ok(ExitCode::SUCCESS)
}

/// Where vpncloud is, or why it is not.
fn vpncloud() -> Result<PathBuf, String> {
    let program = paths::target().join("bench/vpncloud/bin/vpncloud");
    if program.is_file() {
        return Ok(program);
    }
    Err("it could not be built from the package registry".to_owned())
}

/// Builds vpncloud in the target folder, where that is possible and not done yet.
fn build_vpncloud() {
    if vpncloud().is_ok() {
        return;
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = lab::tied(&cargo);
    command.args(["install", "--quiet", "--locked", "vpncloud", "--root"]);
    command.arg(paths::target().join("bench/vpncloud"));
    // What went wrong stands in the report: `vpncloud` above looks for the result.
    let _ = lab::run(&mut command, LIMIT);
}

/// All rounds on these peers, which take turns in each of them.
fn measure(plan: &Plan, kinds: &[Kind], programs: &Programs) -> Result<Figures> {
    let lab = Lab::new("bench")?;
    let meter = Meter::start()?;
    std::thread::sleep(BEFORE);
    let busy = meter.busy()?.as_secs_f64() / BEFORE.as_secs_f64();
    let machine = format!(
        "{}. Before the run other programs used {busy:.2} processors.",
        processor::machine()
    );
    let mut figures = Figures { machine, ..Figures::default() };
    let straight = Straight::new(&lab)?;
    let mut chains = Vec::new();
    for &kind in kinds {
        match Chain::start(&lab, programs, kind) {
            Ok(chain) => chains.push(chain),
            Err(error) => figures.skip_if_failed(kind.name(), Err(error)),
        }
    }
    for round in 0..plan.rounds {
        eprintln!("round {} of {}", round + 1, plan.rounds);
        if plan.wants(Half::Transit) {
            transit_round(&mut figures, &straight, &chains, plan)?;
        }
        if plan.wants(Half::Hosts) {
            for chain in chains.iter().filter(|chain| chain.kind.has_hosts()) {
                let done = hosts::measure(&mut figures, chain, plan);
                figures.skip_if_failed(chain.kind.name(), done);
            }
            let took = chain::start_up(&lab, &programs.noctule, round)?;
            figures.add(START_UP, Kind::Noctule.name(), took.as_secs_f64() * 1e3);
        }
    }
    if plan.wants(Half::Hosts) {
        hosts::watch(&mut figures, &mut chains, plan.idle)?;
    }
    Ok(figures)
}

fn transit_round(
    figures: &mut Figures,
    straight: &Straight,
    chains: &[Chain],
    plan: &Plan,
) -> Result<()> {
    straight.measure(figures, plan)?;
    let mut peaks = Vec::new();
    for chain in chains.iter().filter(|chain| chain.kind.has_transit()) {
        let done = transit::measure(figures, chain, plan);
        figures.skip_if_failed(chain.kind.name(), done.map(|peak| peaks.push((chain, peak))));
    }
    transit::costs(figures, straight, &peaks, plan)
}
