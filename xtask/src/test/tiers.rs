//! The tiers, from cheap to real.

use std::time::Duration;

use anyhow::{Result, bail};

use super::cargo::{self, TestTarget};
use super::job::{Job, Outcome};
use super::miri;

/// What a tier cannot do without.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Need {
    /// Network namespaces: root, or user namespaces allowed.
    Laboratory,
    /// A program and the Debian package that has it.
    Program(&'static str, &'static str),
    /// The same, but only some cases need it, which are skipped without.
    Helpful(&'static str, &'static str),
}

/// A tier.
pub(crate) struct Tier {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// What it shows.
    pub(crate) about: &'static str,
    /// What it cannot do without.
    pub(crate) needs: &'static [Need],
    /// How long it may take, building included, on a slow machine.
    pub(crate) limit: Duration,
    /// Runs it.
    pub(crate) run: fn(&Job<'_>) -> Result<Outcome>,
}

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}

/// The tiers in the order they run.
pub(crate) const TIERS: &[Tier] = &[
    Tier {
        name: "format",
        about: "the source is formatted",
        needs: &[],
        limit: minutes(2),
        run: |job| check(job, &["fmt", "--all", "--", "--check", "--color=never"]),
    },
    Tier {
        name: "conformance",
        about: "docs/conformance.md tells the truth",
        needs: &[],
        limit: minutes(1),
        run: |job| Ok(job.run(&mut job.xtask(&["conformance", "--check"]))?.check()),
    },
    Tier {
        name: "lint",
        about: "clippy finds nothing, in any target",
        needs: &[],
        limit: minutes(10),
        run: |job| check(job, &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
    },
    Tier {
        name: "docs",
        about: "the documentation builds without a warning",
        needs: &[],
        limit: minutes(10),
        run: docs,
    },
    Tier {
        name: "unit",
        about: "unit, property and doc tests of every crate; the lock-free tables under Miri where it is there",
        // It builds the programs for the kernel anew, to compare.
        needs: &[Need::Helpful("clang", "clang")],
        limit: minutes(12),
        run: unit,
    },
    Tier {
        name: "captures",
        about: "frames and tables of the real kernel module",
        needs: &[],
        limit: minutes(8),
        run: |job| suite(job, Suite::Captures),
    },
    Tier {
        name: "simulation",
        about: "whole meshes in virtual time",
        needs: &[],
        limit: minutes(12),
        run: |job| suite(job, Suite::Simulation),
    },
    Tier {
        name: "fuzz",
        about: "replay of the fuzz corpora; fuzzing where cargo-fuzz is there",
        needs: &[],
        limit: minutes(20),
        run: |job| job.verb(&["fuzz"]),
    },
    Tier {
        name: "benches",
        about: "every bench runs once",
        needs: &[],
        limit: minutes(8),
        run: benches,
    },
    Tier {
        name: "decode",
        about: "tshark's dissector understands what is built",
        needs: &[Need::Program("tshark", "tshark")],
        limit: minutes(8),
        run: |job| suite(job, Suite::Decode),
    },
    Tier {
        name: "lab",
        about: "the network laboratory does what it says",
        needs: &[Need::Laboratory],
        limit: minutes(3),
        run: |job| job.verb(&["lab"]),
    },
    Tier {
        name: "rings",
        about: "the memory-mapped packet rings on real links",
        needs: &[Need::Laboratory],
        limit: minutes(8),
        run: |job| suite(job, Suite::Rings),
    },
    Tier {
        name: "netns",
        about: "real nodes on this kernel",
        needs: &[
            Need::Laboratory,
            Need::Helpful("dnsmasq", "dnsmasq-base"),
            Need::Helpful("busybox", "busybox"),
            Need::Helpful("arping", "iputils-arping"),
            Need::Helpful("avahi-daemon", "avahi-daemon"),
            Need::Helpful("avahi-browse", "avahi-utils"),
            Need::Helpful("dbus-daemon", "dbus"),
            Need::Helpful("iperf3", "iperf3"),
            Need::Helpful("iperf", "iperf"),
            Need::Helpful("radvd", "radvd"),
        ],
        limit: minutes(15),
        run: |job| job.verb(&["netns"]),
    },
    Tier {
        name: "interop-6.1",
        about: "beside the kernel module of Linux 6.1 (batman-adv 2022.3)",
        needs: &[],
        limit: minutes(20),
        run: |job| job.verb(&["interop", "--kernel", "6.1"]),
    },
    Tier {
        name: "interop-7.2",
        about: "beside the kernel module of Linux 7.2 (batman-adv 2026.2)",
        needs: &[],
        limit: minutes(20),
        run: |job| job.verb(&["interop", "--kernel", "7.2"]),
    },
    Tier {
        name: "wifi",
        about: "real 802.11 code: simulated radios of Linux 7.2, beside the kernel module",
        needs: &[],
        limit: minutes(30),
        run: |job| job.verb(&["wifi"]),
    },
];

/// Which tier a test program belongs to; what no other tier names is a unit test.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Suite {
    Unit,
    Captures,
    Simulation,
    Fuzz,
    Decode,
    Rings,
}

impl Suite {
    fn of(target: &TestTarget) -> Self {
        match (target.package.as_str(), target.name.as_str()) {
            ("noctule-sim", _) => Self::Simulation,
            ("noctule-fuzz", _) => Self::Fuzz,
            ("noctule-dataplane", name) if name.contains("ring") => Self::Rings,
            (_, name) if name.starts_with("captur") => Self::Captures,
            (_, name) if name.starts_with("decode") => Self::Decode,
            _ => Self::Unit,
        }
    }
}

fn check(job: &Job<'_>, words: &[&str]) -> Result<Outcome> {
    Ok(job.run(&mut job.cargo(words))?.check())
}

fn docs(job: &Job<'_>) -> Result<Outcome> {
    let mut command = job.cargo(&["doc", "--workspace", "--no-deps", "--document-private-items"]);
    Ok(job.run(command.env("RUSTDOCFLAGS", "-D warnings"))?.check())
}

fn unit(job: &Job<'_>) -> Result<Outcome> {
    let targets = cargo::targets(job, "test")?;
    let programs = programs(&targets, Suite::Unit)?;
    let mut outcome = cargo::test(job, &[&["--lib", "--bins"][..], &programs].concat())?;
    outcome.add(cargo::test(job, &["--doc"])?);
    outcome.add(miri::tables(job)?);
    Ok(outcome)
}

/// Runs the test programs of a suite.
fn suite(job: &Job<'_>, suite: Suite) -> Result<Outcome> {
    let targets = cargo::targets(job, "test")?;
    let words = programs(&targets, suite)?;
    if words.is_empty() {
        return Ok(Outcome::failed("no test program belongs to this tier".into()));
    }
    cargo::test(job, &words)
}

/// Cargo's words for the test programs of a suite. It knows them by their names alone, in all packages.
fn programs(targets: &[TestTarget], suite: Suite) -> Result<Vec<&str>> {
    let mut words = Vec::new();
    for target in targets.iter().filter(|target| Suite::of(target) == suite) {
        let twin = |other: &&TestTarget| other.name == target.name && Suite::of(other) != suite;
        if let Some(other) = targets.iter().find(twin) {
            let packages = [target.package.as_str(), other.package.as_str()].join(" and ");
            bail!("{packages} both have a test program {}, in different tiers", target.name);
        }
        words.extend(["--test", target.name.as_str()]);
    }
    Ok(words)
}

fn benches(job: &Job<'_>) -> Result<Outcome> {
    // Without `--bench` criterion runs each bench once and measures nothing.
    let targets = cargo::targets(job, "bench")?;
    let mut words = vec!["test", "--workspace"];
    words.extend(targets.iter().flat_map(|target| ["--bench", target.name.as_str()]));
    let finished = job.run(&mut job.cargo(&words))?;
    let mut outcome = finished.check();
    if finished.success {
        let ran = finished.text.lines().filter(|line| *line == "Success").count();
        outcome.counts.passed = ran;
        if ran == 0 {
            return Ok(Outcome::failed(format!("no bench ran\n{}", finished.tail())));
        }
    }
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_program_belongs_to_one_suite() {
        let suite = |package: &str, name: &str| {
            Suite::of(&TestTarget { package: package.into(), name: name.into() })
        };
        assert_eq!(suite("noctule-wire", "captures"), Suite::Captures);
        assert_eq!(suite("noctule-wire", "captured_state"), Suite::Captures);
        assert_eq!(suite("noctule-wire", "round_trip"), Suite::Unit);
        assert_eq!(suite("noctule-wire", "decode"), Suite::Decode);
        assert_eq!(suite("noctule-dataplane", "packet_ring"), Suite::Rings);
        assert_eq!(suite("noctule-sim", "captures"), Suite::Simulation);
        assert_eq!(suite("noctule-fuzz", "replay"), Suite::Fuzz);
    }

    #[test]
    fn a_name_in_two_tiers_is_refused() {
        let target = |package: &str, name: &str| TestTarget {
            package: package.to_owned(),
            name: name.to_owned(),
        };
        let mut targets = vec![target("noctule-wire", "rules"), target("noctule-sim", "churn")];
        assert_eq!(programs(&targets, Suite::Unit).unwrap(), ["--test", "rules"]);
        targets.push(target("noctule-control", "churn"));
        assert!(programs(&targets, Suite::Unit).is_err());
        assert!(programs(&targets, Suite::Simulation).is_err());
    }

    #[test]
    fn the_tiers_have_different_names() {
        let mut names: Vec<_> = TIERS.iter().map(|tier| tier.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TIERS.len());
    }
}
