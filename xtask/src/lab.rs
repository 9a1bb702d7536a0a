//! The network laboratory: namespaces, links and processes for the demo and the real tiers.
//!
//! ```text
//! verb ── enclose() ──► the same program, inside fresh namespaces
//!                        Lab ── namespace("n1") ──► Namespace: links, addresses, netem, closures
//!                                                    └─ spawn(..) ──► Process: log, signals, end
//! ```
//! Works as root and, where the machine allows user namespaces, as an ordinary user. Needs no `ip`
//! and no `tc`. Nothing has a name outside the enclosure, so nothing can be left behind.

pub(crate) mod checks;
pub(crate) mod dhcp;
mod enclosure;
mod frames;
mod link;
mod namespace;
mod netem;
mod process;
mod rtnetlink;
mod wire;

pub(crate) use enclosure::{Side, check, enclose, end_on_signals, separate};
pub(crate) use frames::FrameSocket;
pub(crate) use link::Link;
pub(crate) use namespace::{Namespace, Set};
pub(crate) use netem::Netem;
pub(crate) use process::{Output, Process, run, tied};
pub(crate) use rtnetlink::End;
pub(crate) use wire::{Way, Wire};

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(20);

/// Names, to runs side by side, the folder of its own that each puts its log files into.
pub(crate) const PART: &str = "NOCTULE_LAB_PART";

/// A reason why something cannot be tested here. It is an error until a runner recognises it.
#[derive(Debug)]
pub(crate) struct Skipped(String);

impl Skipped {
    /// The error to return.
    pub(crate) fn because(reason: impl Into<String>) -> anyhow::Error {
        anyhow::Error::new(Self(reason.into()))
    }

    /// Turns the error number with which a kernel without `feature` answers into a reason to skip.
    fn if_errno(error: anyhow::Error, errno: Errno, feature: &str) -> anyhow::Error {
        let missing = error
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.raw_os_error() == Some(errno as i32));
        if missing { Self::because(format!("this kernel has no {feature}")) } else { error }
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for Skipped {}

/// A laboratory: makes namespaces and links, and knows where logs go.
pub(crate) struct Lab {
    logs: PathBuf,
    run: PathBuf,
}

impl Lab {
    /// A laboratory whose log files go to an emptied folder `lab/PREFIX` of the target folder, or to the one below it that
    /// [`PART`] names.
    pub(crate) fn new(prefix: &str) -> Result<Self> {
        let mut logs = crate::paths::target().join("lab").join(prefix);
        logs.extend(std::env::var_os(PART));
        let run = PathBuf::from("/run/lab").join(prefix);
        for folder in [&logs, &run] {
            if folder.exists() {
                fs::remove_dir_all(folder)
                    .with_context(|| format!("cannot empty {}", folder.display()))?;
            }
            fs::create_dir_all(folder)
                .with_context(|| format!("cannot make {}", folder.display()))?;
        }
        Ok(Self { logs, run })
    }

    /// A new namespace; the name is for messages, log files and people.
    pub(crate) fn namespace(&self, name: &str) -> Result<Namespace> {
        Namespace::new(name, self.logs.clone())
    }

    /// A veth pair between two namespaces (or inside one), both ends up.
    pub(crate) fn veth(
        &self,
        here: &Namespace,
        here_end: &End<'_>,
        there: &Namespace,
        there_end: &End<'_>,
        mtu: u32,
    ) -> Result<()> {
        here.add_veth(here_end, there, there_end, mtu)?;
        here.set_link(here_end.name, &[Set::Up])?;
        there.set_link(there_end.name, &[Set::Up])
    }

    /// A link as [`Self::veth`] makes it, with losses and delays that [`Wire::set`] sets: for kernels
    /// without netem, and for links whose two directions differ.
    pub(crate) fn wire(
        &self,
        here: &Namespace,
        here_end: &End<'_>,
        there: &Namespace,
        there_end: &End<'_>,
        mtu: u32,
    ) -> Result<Wire> {
        // Links lose different frames, and each the same ones in every run.
        let name = [here_end.name, there_end.name].concat();
        let seed = name.bytes().fold(0xcbf2_9ce4_8422_2325, |seed: u64, byte| {
            (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Wire::new(self, (here, here_end), (there, there_end), mtu, seed)
    }

    /// The folder of the log files.
    pub(crate) fn logs(&self) -> &Path {
        &self.logs
    }

    /// A folder in memory with a short path, for sockets and configuration files.
    pub(crate) fn run(&self) -> &Path {
        &self.run
    }
}

/// Waits until `condition` holds and returns how long that took.
///
/// # Errors
/// If it does not hold within `limit`; the message names `what`.
pub(crate) fn wait_until(
    limit: Duration,
    what: &str,
    mut condition: impl FnMut() -> bool,
) -> Result<Duration> {
    let start = Instant::now();
    loop {
        if condition() {
            return Ok(start.elapsed());
        }
        if start.elapsed() >= limit {
            bail!("not within {limit:?}: {what}");
        }
        sleep(POLL);
    }
}

/// Tries `attempt` until it succeeds and returns its value.
///
/// # Errors
/// If it does not succeed within `limit`: the last error, with `what` in front.
pub(crate) fn wait_for<T>(
    limit: Duration,
    what: &str,
    mut attempt: impl FnMut() -> Result<T>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        match attempt() {
            Ok(value) => return Ok(value),
            Err(error) if start.elapsed() >= limit => {
                return Err(error.context(format!("not within {limit:?}: {what}")));
            }
            Err(_) => sleep(POLL),
        }
    }
}
