//! `cargo xtask soak`: full rate in network namespaces while links, routes, clients and daemons come and go.
//!
//! ```text
//!                  n3
//!                /    \
//! generator -> n2      n5 -> sinks
//!                \    /
//!                  n4
//! ```
//! The bench's generator sends unicast in transit as fast as it can, in rounds. In each round something happens, and after it, when
//! all is quiet, the books must balance: each frame has arrived or is in a counter. Nothing here is judged by speed.

mod balance;
mod churn;
mod mesh;
mod usage;

use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::lab::{Lab, Side, Skipped, enclose};
use crate::{BadUse, program};
use churn::Event;
use mesh::{How, Mesh};

/// What may be said after `soak`.
pub(crate) const ARGUMENTS: &str =
    "[--minutes N] [--backend packet|xdp] [--offload off|tc] [--seed N]";
/// Minutes of a run, all combinations together.
const MINUTES: u64 = 10;
/// A seed of those who name none.
const SEED: u64 = 1;
/// How long the mesh may take to carry a ping again after something happened.
const AGAIN: Duration = Duration::from_secs(5);
/// The same in the tier, where the machine may be slow.
const SOMETIME: Duration = Duration::from_secs(60);
/// Lengths of the frames in bytes, Ethernet header included.
const LENGTHS: [usize; 3] = [64, 512, 1400];
/// How long the generator runs before something happens, and after it.
const BURST: Duration = Duration::from_millis(700);

/// The same numbers for the same seed (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of these.
    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[(self.next() % all.len() as u64) as usize]
    }
}

/// When a soak ends.
#[derive(Clone, Copy, Debug)]
enum Until {
    /// After so long.
    Time(Duration),
    /// After each event has happened this often.
    Turns(usize),
}

/// What the command line asks for.
#[derive(Debug, Eq, PartialEq)]
struct Asked {
    minutes: u64,
    seed: u64,
    ways: Vec<How>,
}

impl Asked {
    fn parse(words: &[String]) -> Result<Self> {
        let mut asked = Self { minutes: MINUTES, seed: SEED, ways: How::ALL.to_vec() };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let value = words.next().map_or("", String::as_str);
            let number = || -> Result<u64> {
                let number = value.parse().ok().filter(|number| *number > 0);
                number.ok_or_else(|| BadUse::because(format!("{word} wants a number, not {value}")))
            };
            match (word.as_str(), value) {
                ("--minutes", _) => asked.minutes = number()?,
                ("--seed", _) => asked.seed = number()?,
                ("--backend", "packet" | "xdp") => asked.ways.retain(|how| how.backend == value),
                ("--offload", "off" | "tc") => asked.ways.retain(|how| how.offload == value),
                _ => return Err(BadUse::because(format!("soak takes {ARGUMENTS}"))),
            }
        }
        if asked.ways.is_empty() {
            return Err(BadUse::because("an offload goes before the xdp backend: not both"));
        }
        Ok(asked)
    }
}

/// Soaks each combination in turn.
pub(crate) fn main(arguments: &[String]) -> Result<ExitCode> {
    let asked = Asked::parse(arguments)?;
    let program = program::noctule()?;
    if let Side::Outside(code) = enclose(&[(program::VARIABLE, OsStr::new(&program))])? {
        return Ok(code);
    }
    println!("seed {}", asked.seed);
    let time = Duration::from_secs(asked.minutes * 60) / u32::try_from(asked.ways.len())?;
    for how in &asked.ways {
        println!("{how}");
        match soak(&program, *how, asked.seed, Until::Time(time), AGAIN) {
            Ok(report) => println!("{how}: {report}"),
            Err(error) if error.is::<Skipped>() => println!("{how}: skipped: {error:#}"),
            Err(error) => return Err(error.context(format!("{how}, seed {}", asked.seed))),
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A short soak: each event once, by the daemon alone and then with the kernel's help, where that can be had.
///
/// # Errors
/// [`Skipped`] where this user or this kernel has no generator.
pub(crate) fn short(program: &Path) -> Result<()> {
    let [by_daemon, by_kernel, _] = How::ALL;
    soak(program, by_daemon, SEED, Until::Turns(1), SOMETIME)?;
    match soak(program, by_kernel, SEED, Until::Turns(1), SOMETIME) {
        Err(error) if !error.is::<Skipped>() => Err(error),
        _ => Ok(()),
    }
}

/// What a soak has seen.
#[derive(Debug, Default)]
struct Report {
    rounds: usize,
    sent: u64,
    arrived: u64,
    counted: u64,
    /// Frames lost without a counter in rounds that may do so.
    excused: u64,
}

impl std::fmt::Display for Report {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { rounds, sent, arrived, counted, excused } = self;
        write!(
            out,
            "{rounds} rounds, {sent} frames sent, {arrived} arrived, {counted} counted as dropped, {excused} lost with a link or a daemon"
        )
    }
}

fn soak(program: &Path, how: How, seed: u64, until: Until, again: Duration) -> Result<Report> {
    let lab = Lab::new("soak")?;
    let mut mesh = Mesh::start(&lab, program, how)?;
    let mut chance = Chance(seed);
    let mut report = Report::default();
    let begun = Instant::now();
    let more = |turns| match until {
        Until::Time(time) => begun.elapsed() < time,
        Until::Turns(wanted) => turns < wanted,
    };
    let mut turns = 0;
    while more(turns) {
        for event in Event::shuffled(&mut chance) {
            let length = chance.of(&LENGTHS);
            round(&mut mesh, event, length, &mut chance, again, &mut report)
                .with_context(|| format!("round {}: {event:?}, {length} bytes", report.rounds))?;
        }
        turns += 1;
    }
    mesh.finish()?;
    Ok(report)
}

fn round(
    mesh: &mut Mesh<'_>,
    event: Event,
    length: usize,
    chance: &mut Chance,
    again: Duration,
    report: &mut Report,
) -> Result<()> {
    let before = mesh.books()?;
    let source = mesh.generator(length)?;
    std::thread::sleep(BURST);
    let happened = event.happen(mesh, chance);
    std::thread::sleep(BURST);
    let sent = source.stop()?;
    happened?;
    event.undo(mesh)?;
    let balance = mesh.settle(&before, sent, event.is_exact())?;
    println!("  {event:?}, {length} bytes: {balance}");
    balance.check(event.is_exact(), event.twice_max())?;
    let took = mesh.first().wait_for_ping(mesh.last().address(), again)?;
    ensure!(took <= again, "the first ping passed after {took:?}");
    mesh.hosts_talk()?;
    mesh.watch_usage()?;
    report.rounds += 1;
    report.sent += sent;
    report.arrived += balance.arrived;
    report.counted += balance.counted();
    report.excused += balance.missing().max(0).cast_unsigned();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Asked> {
        Asked::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn a_command_line_chooses_what_is_soaked() {
        let all = parse("").unwrap();
        assert_eq!((all.minutes, all.ways.len()), (10, 3));
        let one = parse("--minutes 3 --seed 7 --backend packet --offload off").unwrap();
        assert_eq!((one.minutes, one.seed), (3, 7));
        assert_eq!(one.ways, [How { backend: "packet", offload: "off" }]);
        for odd in ["--minutes", "--minutes 0", "--backend tun", "quick", "--seed x"] {
            assert!(parse(odd).is_err(), "{odd}");
        }
        assert!(parse("--backend xdp --offload tc").is_err());
    }

    #[test]
    fn a_seed_repeats_the_order_of_events() {
        let order = |seed| Event::shuffled(&mut Chance(seed));
        assert_eq!(order(5), order(5));
        assert!((1..9).any(|seed| order(seed) != order(5)));
    }
}
