//! `cargo xtask wifi`: Noctule and the kernel module on real 802.11 code, with radios that the kernel simulates.
//!
//! A guest (see [`crate::qemu`]) boots a stock Debian kernel with `mac80211_hwsim`; inside it, this same program plays the
//! cases. A node is a network namespace with a radio of its own; all radios are in one air, and who hears whom is set for
//! each ([`air`]). Each case prints the tables of kernel nodes and of ours side by side ([`beside`]).

mod access_point;
mod air;
mod beside;
mod broadcast;
mod cell;
mod chain;
mod changes;
mod pair;
mod scripts;
mod throughput;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cases::{self, Case, Counts, cases};
use crate::interop::node::Programs;
use crate::qemu::Kernel;
use crate::qemu::guest::{Clock, RESULTS, Task};
use crate::uml::Release;
use crate::{BadUse, lab, packages, paths, program};

/// What may be said after `wifi`.
pub(crate) const ARGUMENTS: &str = "[--kernel 6.1|7.2] [--all] [--list] [CASE...]";
/// What it means.
const USAGE: &str = "\
  CASE        a part of a case's name; default: the most telling ones
  --all       every case, on every kernel
  --kernel    on this kernel only; default: 7.2
  --list      name the cases and do nothing";
/// The verb with which this program plays inside a guest; nobody types it.
pub(crate) const GUEST: &str = "wifi-guest";

/// Programs of this machine that nodes and radios need, with their packages.
const PROGRAMS: [(&str, &str); 5] = [
    ("batctl", "batctl"),
    ("ip", "iproute2"),
    ("iw", "iw"),
    ("hostapd", "hostapd"),
    ("wpa_supplicant", "wpasupplicant"),
];
/// Modules of the guest's kernel.
const MODULES: &str = "batman-adv veth bridge tun sch_netem";
/// How long a guest may take: it boots, and plays a few minutes, several times slower on a busy machine.
const LIMIT: Duration = Duration::from_secs(1740);
/// For whatever must come sooner or later, in an emulated machine on a busy one.
const PATIENCE: Duration = Duration::from_secs(240);

/// Cases for every run.
const CASES: &[Case] = cases![
    pair::a_kernel_node_and_ours_ping_in_an_ibss,
    pair::a_kernel_node_and_ours_ping_in_an_802_11s_mesh,
    chain::iv_111_ours_relays_between_kernel_nodes_on_one_radio,
    throughput::v_21_throughput_of_a_station_is_what_the_kernel_module_reads,
    broadcast::fwd_11_broadcasts_of_ours_go_three_times_by_radio_and_once_by_cable,
    changes::a_radio_leaves_an_ibss_comes_back_and_changes_its_channel,
    access_point::stations_with_four_addresses_carry_the_mesh_to_our_access_point,
    access_point::fwd_124_clients_of_access_points_are_known_and_kept_apart,
    changes::v_21_a_radio_that_vanishes_while_it_is_asked_harms_nobody,
];

/// Cases that only `--all`, or their name, runs.
const MORE: &[Case] = cases![
    scripts::the_script_makes_an_encrypted_802_11s_mesh,
    pair::two_nodes_of_ours_ping_in_an_ibss,
    pair::two_nodes_of_ours_ping_in_an_802_11s_mesh,
    chain::iv_111_the_kernel_relays_between_ours_on_one_radio,
    chain::iv_111_a_chain_in_an_802_11s_mesh,
    chain::v_63_ours_relays_on_one_radio_at_half_the_throughput,
    chain::v_63_the_kernel_relays_on_one_radio_at_half_the_throughput,
    broadcast::fwd_11_broadcasts_of_the_kernel_go_three_times_by_radio_and_once_by_cable,
    broadcast::broadcasts_of_ours_survive_a_lossy_radio,
    broadcast::broadcasts_of_the_kernel_survive_a_lossy_radio,
    access_point::stations_with_four_addresses_carry_the_mesh_to_the_kernels_access_point,
    scripts::the_script_makes_an_ibss_and_takes_it_down,
    changes::a_radio_leaves_an_802_11s_mesh_comes_back_and_changes_its_channel,
];

/// What the command line asks for.
#[derive(Debug, Eq, PartialEq)]
struct Asked {
    releases: Vec<Release>,
    /// Parts of names; empty: all of [`CASES`].
    wanted: Vec<String>,
    all: bool,
    list: bool,
}

fn parse(words: &[String]) -> Result<Asked> {
    let mut asked = Asked { releases: Vec::new(), wanted: Vec::new(), all: false, list: false };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--all" => asked.all = true,
            "--list" => asked.list = true,
            "--kernel" => {
                let release = words.next().and_then(|name| Release::from_name(name));
                let wanted = || BadUse::because("--kernel wants a release: 6.1 or 7.2");
                asked.releases.push(release.ok_or_else(wanted)?);
            }
            option if option.starts_with('-') => {
                return Err(BadUse::because(format!("no option {option}\n{USAGE}")));
            }
            part if every().any(|case| case.name.contains(part)) => {
                asked.wanted.push(part.to_owned());
            }
            part => {
                let reason = format!("no case {part}; `cargo xtask wifi --list` names them");
                return Err(BadUse::because(reason));
            }
        }
    }
    if asked.releases.is_empty() {
        asked.releases = match asked.all {
            true => Release::ALL.to_vec(),
            false => vec![Release::V7_2],
        };
    }
    Ok(asked)
}

/// All cases there are.
fn every() -> impl Iterator<Item = &'static Case> {
    CASES.iter().chain(MORE)
}

/// Runs `cargo xtask wifi`. The last line is the one that `cargo xtask test` reads.
pub(crate) fn main(words: &[String]) -> Result<ExitCode> {
    let asked = parse(words)?;
    if asked.list {
        for case in every() {
            println!("{}", case.name);
        }
        return Ok(ExitCode::SUCCESS);
    }
    lab::end_on_signals()?;
    let noctule = program::noctule()?;
    let this = paths::Copy::new()?;
    let chosen = every()
        .enumerate()
        .filter(|(index, case)| match asked.wanted[..] {
            [] => asked.all || *index < CASES.len(),
            [..] => asked.wanted.iter().any(|part| case.name.contains(part.as_str())),
        })
        .map(|(_, case)| case.name)
        .collect::<Vec<_>>();
    let mut total = Counts::default();
    for &release in &asked.releases {
        total.add(play(release, &chosen, &noctule, this.path()));
    }
    println!("{}", total.line());
    Ok(if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Plays cases on one kernel, and prints what they say.
fn play(release: Release, chosen: &[&str], noctule: &Path, this: &Path) -> Counts {
    let ready = packages::ensure(&PROGRAMS).and_then(|()| Kernel::get(release));
    let kernel = match ready {
        Ok(kernel) => kernel,
        Err(error) => {
            println!("skipped wifi with Linux {}: {error:#}", release.name());
            return Counts { skipped: chosen.len(), ..Counts::default() };
        }
    };
    println!("Simulated radios of Linux {}: {} cases", kernel.release, chosen.len());
    play_on(&kernel, release, chosen, noctule, this).unwrap_or_else(|error| {
        println!("FAILED  the guest with Linux {}: {error:#}", release.name());
        Counts { failed: 1, ..Counts::default() }
    })
}

fn play_on(
    kernel: &Kernel,
    release: Release,
    chosen: &[&str],
    noctule: &Path,
    this: &Path,
) -> Result<Counts> {
    let folder = paths::target().join("wifi").join(release.name());
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    let folder = folder.canonicalize()?;
    // The guest sees this machine's files as they were when it first looked: copies stay the same.
    for (from, name) in [(this, "xtask"), (noctule, "noctule")] {
        std::fs::copy(from, folder.join(name)).with_context(|| format!("cannot copy {name}"))?;
    }
    println!("Logs: {}\n", folder.display());
    let script = format!(
        "mount -t debugfs debugfs /sys/kernel/debug\n\
         CARGO_TARGET_DIR={RESULTS} exec {RESULTS}/xtask {GUEST} {}",
        chosen.join(" ")
    );
    let task = Task {
        folder: &folder,
        modules: MODULES,
        script: &script,
        limit: LIMIT,
        clock: Clock::Wall,
    };
    let ended = kernel.run(&task, &mut |text| {
        // The line of counts is for this program; the sum of all kernels is printed at the end.
        let lines = text.lines().filter(|line| Counts::from_line(line).is_none());
        lines.for_each(|line| println!("{line}"));
    })?;
    let counts = ended.stdout.lines().rev().find_map(Counts::from_line);
    counts.with_context(|| format!("no end: status {}, {}", ended.status, ended.stderr.trim()))
}

/// Runs the verb [`GUEST`], inside the guest: `CASE...`.
pub(crate) fn guest(names: &[String]) -> Result<ExitCode> {
    let every: Vec<Case> = every().copied().collect();
    cases::run(&every, names)
}

/// What the nodes run.
fn programs() -> Result<Programs> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let batctl = FOUND.get_or_init(|| packages::find("batctl")).clone();
    let noctule = Path::new(RESULTS).join("noctule");
    if !noctule.exists() {
        bail!("not inside a guest");
    }
    Ok(Programs { batctl: batctl.context("batctl is missing")?, noctule, logs: RESULTS.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Asked> {
        parse(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn the_command_line_is_read() {
        assert_eq!(read("").unwrap().releases, [Release::V7_2]);
        assert_eq!(read("--all").unwrap().releases, Release::ALL);
        assert_eq!(read("--all --kernel 6.1").unwrap().releases, [Release::V6_1]);
        assert_eq!(read("ibss").unwrap().wanted, ["ibss"]);
        for bad in ["--kernel", "--kernel 5.10", "--nonsense", "no_such_case"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn no_case_has_a_name_that_is_part_of_another() {
        for case in every() {
            assert_eq!(every().filter(|other| other.name.contains(case.name)).count(), 1);
        }
    }
}
