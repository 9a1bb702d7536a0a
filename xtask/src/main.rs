//! `cargo xtask`: the project's own chores. One file for each verb.

mod bench;
mod cases;
mod conformance;
mod demo;
mod fuzz;
mod interop;
mod lab;
mod measure;
mod netns;
mod node;
mod packages;
mod paths;
mod program;
mod qemu;
mod soak;
mod test;
mod uml;
mod wifi;

use std::fmt;
use std::process::ExitCode;

use anyhow::Result;

/// A verb of the command line.
struct Verb {
    name: &'static str,
    /// What may follow it; empty for the verbs that only other parts of this program use.
    arguments: &'static str,
    /// One line for the help page; empty for the same.
    about: &'static str,
    run: fn(&[String]) -> Result<ExitCode>,
}

/// The verbs, in the order of the help page.
const VERBS: &[Verb] = &[
    Verb {
        name: "demo",
        arguments: "[lan]",
        about: "watch a mesh of five nodes work, in network namespaces; or two LANs in it, with DHCP, mDNS and a phone",
        run: demo::main,
    },
    Verb {
        name: "test",
        arguments: "[--list] [TIER...]",
        about: "run every tier of tests and print a summary",
        run: test::main,
    },
    Verb {
        name: "interop",
        arguments: interop::ARGUMENTS,
        about: "meet the real batman-adv, in user-mode Linux",
        run: interop::main,
    },
    Verb {
        name: "fuzz",
        arguments: "[--seconds N] [TARGET...]",
        about: "replay the fuzz corpora, and fuzz where cargo-fuzz is there",
        run: fuzz::main,
    },
    Verb {
        name: "conformance",
        arguments: "[--check]",
        about: "write docs/conformance.md: which test proves which rule",
        run: conformance::main,
    },
    Verb {
        name: "netns",
        arguments: "[--backend auto|packet|xdp] [CASE...]",
        about: "real nodes on this kernel, in network namespaces",
        run: netns::main,
    },
    Verb {
        name: "measure",
        arguments: measure::ARGUMENTS,
        about: "memory, processor time and latency of a node in a mesh of 1,000, or what multicast costs on the air, for docs/performance.md",
        run: measure::main,
    },
    Verb {
        name: "bench",
        arguments: bench::ARGUMENTS,
        about: "Noctule beside its peers: frames, processor time, TCP, round trips, for docs/performance.md",
        run: bench::main,
    },
    Verb {
        name: "soak",
        arguments: soak::ARGUMENTS,
        about: "full rate for minutes while links, routes, clients and daemons come and go: no frame is lost uncounted, nothing leaks",
        run: soak::main,
    },
    Verb {
        name: "lab",
        arguments: "[CASE...]",
        about: "check the network laboratory that the real tiers use",
        run: lab::checks::main,
    },
    Verb {
        name: "wifi",
        arguments: wifi::ARGUMENTS,
        about: "real 802.11 code: simulated radios in a QEMU guest, beside the kernel module",
        run: wifi::main,
    },
    Verb { name: wifi::GUEST, arguments: "", about: "", run: wifi::guest },
    Verb { name: bench::HERE, arguments: "", about: "", run: bench::here },
    Verb { name: interop::GUEST, arguments: "", about: "", run: interop::guest },
    Verb {
        name: CAN_ENCLOSE,
        arguments: "",
        about: "",
        run: |_| lab::separate().map(|()| ExitCode::SUCCESS),
    },
];

/// Whether an enclosure can be had: asked of a second process of this program.
pub(crate) const CAN_ENCLOSE: &str = "can-enclose";

/// A command line that makes no sense: exit status 2.
#[derive(Debug)]
pub(crate) struct BadUse(String);

impl BadUse {
    /// The error to return.
    pub(crate) fn because(reason: impl Into<String>) -> anyhow::Error {
        anyhow::Error::new(Self(reason.into()))
    }
}

impl fmt::Display for BadUse {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for BadUse {}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (name, arguments) = match words.split_first() {
        Some((name, arguments)) => (name.as_str(), arguments),
        None => ("help", &[][..]),
    };
    if ["help", "--help", "-h"].contains(&name) {
        help();
        return ExitCode::SUCCESS;
    }
    let Some(verb) = VERBS.iter().find(|verb| verb.name == name) else {
        eprintln!("xtask: no verb {name}; see `cargo xtask help`");
        return ExitCode::from(2);
    };
    (verb.run)(arguments).unwrap_or_else(|error| {
        eprintln!("xtask {name}: {error:#}");
        ExitCode::from(if error.is::<BadUse>() { 2 } else { 1 })
    })
}

fn help() {
    println!("cargo xtask VERB\n");
    for verb in VERBS.iter().filter(|verb| !verb.about.is_empty()) {
        println!("  {} {}\n      {}", verb.name, verb.arguments, verb.about);
    }
}
