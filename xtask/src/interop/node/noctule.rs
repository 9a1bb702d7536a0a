//! A node that is this project's daemon.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Algorithm, Node};

/// How long the daemon may take to make its mesh interface, and to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running `noctule run`. Dropping it kills the process.
pub(super) struct Daemon {
    process: Child,
    log: PathBuf,
}

/// The daemon's control socket.
pub(super) fn socket(node: &Node) -> String {
    format!("/run/noctule-{}.sock", node.name())
}

/// Starts the daemon and gives the mesh interface its addresses.
pub(super) fn start(node: &Node) -> Result<Daemon> {
    let settings = node.settings;
    let log = node.programs.logs.join(format!("{}.log", node.name()));
    let output = File::options().create(true).append(true).open(&log)?;
    let mut command = node.space.command(&node.programs.noctule);
    command
        .args(["run", "--mesh", "bat0", "--socket", &socket(node)])
        .args(["--orig-interval", &settings.interval_ms.to_string()])
        .args(["--hop-penalty", &settings.hop_penalty.to_string()])
        .args(["--mesh-mac", &node.mesh_address()]);
    for (option, word) in ["--gw-mode", "--gw-bandwidth"].into_iter().zip(settings.role.words()) {
        command.args([option, word]);
    }
    if settings.algorithm == Algorithm::BatmanV {
        command.args(["--algorithm", "batman-v"]);
    }
    if !settings.bridge_loop_avoidance {
        command.arg("--no-bridge-loop-avoidance");
    }
    for &index in node.interfaces() {
        command.args(["--interface", &node.interface(index)]);
    }
    let process = command
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()
        .with_context(|| format!("cannot run {}", node.programs.noctule.display()))?;
    let mut daemon = Daemon { process, log };
    let name = node.name();
    let since = Instant::now();
    while node.space.find_link("bat0")?.is_none() {
        if let Some(end) = daemon.died() {
            bail!("noctule on {name} ended at its start: {end}");
        }
        if since.elapsed() > PATIENCE {
            bail!("noctule on {name} made no bat0 within {} s", PATIENCE.as_secs());
        }
        sleep(Duration::from_millis(10));
    }
    node.configure_mesh_interface()?;
    Ok(daemon)
}

impl Daemon {
    /// If the process has ended: how, and the last lines of its log.
    pub(super) fn died(&mut self) -> Option<String> {
        let status = self.process.try_wait().ok()??;
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(5)..].join(" | ");
        Some(format!("{status}; its log ends: {tail}"))
    }

    /// Asks the process to end, and looks whether it leaves what it made.
    pub(super) fn stop(mut self, node: &Node) -> Result<()> {
        let name = node.name();
        if let Some(end) = self.died() {
            bail!("noctule on {name} had ended by itself: {end}");
        }
        kill(Pid::from_raw(self.process.id().cast_signed()), Signal::SIGTERM)?;
        let since = Instant::now();
        let status = loop {
            if let Some(status) = self.process.try_wait()? {
                break status;
            }
            if since.elapsed() > PATIENCE {
                bail!("noctule on {name} does not end on SIGTERM");
            }
            sleep(Duration::from_millis(20));
        };
        if !status.success() {
            bail!("noctule on {name} ended with {status}");
        }
        if node.space.find_link("bat0")?.is_some() {
            bail!("noctule on {name} left its bat0 behind");
        }
        if Path::new(&socket(node)).exists() {
            bail!("noctule on {name} left its socket behind");
        }
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
