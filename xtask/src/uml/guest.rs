//! One run of a user-mode-Linux guest: boot, a command as root inside it, its exit status.
//!
//! The guest's root file system is this machine's own (`hostfs`), so the command, its arguments and
//! every file it writes are ordinary files of this machine; `/run` and `/dev/shm` are the guest's
//! own. Files are written with the rights of whoever started the guest. Process 1 is a small script
//! made for the run. Works as an ordinary user.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::Kernel;

/// Guest memory: a dozen nodes with their captures fit easily.
const MEMORY: &str = "mem=512M";
/// What `batman-adv` and the scenarios need; modules that a kernel has built in load as a no-op.
const MODULES: &str = "batman-adv veth bridge 8021q dummy tun sch_netem";
/// How often a running guest is looked at.
const POLL: Duration = Duration::from_millis(100);

/// Ends a guest's process group when its own input ends, which is when this program does: a kernel's
/// helper processes would outlive the kernel.
const WATCHMAN: &str = "read -r _; kill -s KILL -- \"-$0\"";

/// How a guest's run ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The command ran to its end with this exit status.
    Exited(i32),
    /// The limit was reached; the guest was ended.
    LimitReached,
    /// The caller asked for an early end.
    Stopped,
    /// The guest ended by itself before the command did: the last lines of its console.
    Died(String),
}

/// A running guest. Dropping it ends all of its processes; so does the end of this program, of
/// whatever kind: see [`WATCHMAN`].
pub(crate) struct Guest {
    process: Child,
    watchman: Child,
    results: PathBuf,
    deadline: Instant,
    /// The console's input: it never delivers anything, and must not end.
    _console: Option<ChildStdin>,
}

impl Guest {
    /// Boots `kernel` and starts `command` inside it, for `limit` at most.
    ///
    /// `results` is the run's own folder. The command's output appears there as `stdout` and
    /// `stderr`, the kernel's as `console.log`.
    pub(crate) fn boot(
        kernel: &Kernel,
        results: &Path,
        command: &[OsString],
        limit: Duration,
    ) -> Result<Self> {
        if results.exists() {
            fs::remove_dir_all(results)
                .with_context(|| format!("cannot empty {}", results.display()))?;
        }
        fs::create_dir_all(results)
            .with_context(|| format!("cannot make {}", results.display()))?;
        let results = results.canonicalize()?;
        let init = results.join("init.sh");
        fs::write(&init, init_script(kernel, &results, command)?)?;
        let mut permissions = fs::metadata(&init)?.permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
        fs::set_permissions(&init, permissions)?;
        let console = fs::File::create(results.join("console.log"))?;

        let mut start = Command::new(&kernel.binary);
        start
            .args([MEMORY, "rootfstype=hostfs", "rootflags=/", "rw", "quiet", "umid=vm"])
            .arg(joined("init=", &init))
            .arg(joined("uml_dir=", &results))
            .args(["con=null", "con0=fd:0,fd:1", "ssl=null"])
            .stdin(Stdio::piped())
            .stdout(console.try_clone()?)
            .stderr(console)
            // The kernel makes a session of its own, unless it leads its process group already.
            .process_group(0);
        let mut process =
            start.spawn().with_context(|| format!("cannot start {}", kernel.binary.display()))?;
        let watchman = Command::new("sh")
            .args(["-c", WATCHMAN, &process.id().to_string()])
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn();
        match watchman {
            Ok(watchman) => {
                let console = process.stdin.take();
                let deadline = Instant::now() + limit;
                Ok(Self { process, watchman, results, deadline, _console: console })
            }
            Err(error) => {
                end(&mut process);
                Err(error).context("cannot run sh")
            }
        }
    }

    /// Waits for the command's end; `stop` is asked now and then whether to end early.
    pub(crate) fn wait(mut self, stop: &dyn Fn() -> bool) -> Result<Ended> {
        let status = self.results.join("status");
        loop {
            // The script makes this file last, after everything else has reached the host.
            if let Ok(text) = fs::read_to_string(&status) {
                let code = text.trim().parse().context("the guest wrote an odd exit status")?;
                return Ok(Ended::Exited(code));
            }
            if self.process.try_wait()?.is_some() && !status.exists() {
                return Ok(Ended::Died(self.console_tail()));
            }
            if stop() {
                return Ok(Ended::Stopped);
            }
            if Instant::now() >= self.deadline {
                return Ok(Ended::LimitReached);
            }
            sleep(POLL);
        }
    }

    fn console_tail(&self) -> String {
        let bytes = fs::read(self.results.join("console.log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // The watchman first: the group's number may belong to somebody else later.
        end(&mut self.watchman);
        end(&mut self.process);
        let _ = fs::remove_dir_all(self.results.join("vm"));
    }
}

/// Ends the process group that a process leads.
fn end(leader: &mut Child) {
    let _ = killpg(Pid::from_raw(leader.id().cast_signed()), Signal::SIGKILL);
    let _ = leader.wait();
}

/// Process 1 of the guest.
fn init_script(kernel: &Kernel, results: &Path, command: &[OsString]) -> Result<Vec<u8>> {
    let modprobe =
        crate::packages::find("modprobe").context("modprobe is missing; `apt-get install kmod`")?;
    let mut script = Vec::new();
    let mut line = |parts: &[&[u8]]| {
        script.extend(parts.concat());
        script.push(b'\n');
    };
    let folder = quoted(std::env::current_dir()?.as_os_str());
    let results = quoted(results.as_os_str());
    line(&[b"#!/bin/sh"]);
    line(&[b"# Process 1 of the guest, made for this run."]);
    line(&[b"export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C"]);
    line(&[b"results=", &results]);
    line(&[b"mount -t proc proc /proc"]);
    line(&[b"mount -t sysfs sys /sys"]);
    line(&[b"mount -t tmpfs -o mode=755 run /run"]);
    line(&[b"mount -t devtmpfs dev /dev 2>/dev/null"]);
    line(&[b"mkdir -p /dev/pts /dev/shm /dev/net /run/netns /run/lock"]);
    line(&[b"mount -t tmpfs shm /dev/shm"]);
    line(&[b"[ -e /dev/fd ] || ln -s /proc/self/fd /dev/fd"]);
    let modprobe = quoted(modprobe.as_os_str());
    let tree = quoted(kernel.module_tree.as_os_str());
    line(&[&modprobe, b" -d ", &tree, b" -a -- ", MODULES.as_bytes(), b" 2>>\"$results/stderr\""]);
    line(&[b"[ -e /dev/net/tun ] || mknod /dev/net/tun c 10 200"]);
    // The program that is started finds its folders where this one does.
    let target = quoted(crate::paths::target().as_os_str());
    line(&[b"export CARGO_TARGET_DIR=", &target]);
    line(&[b"cd ", &folder]);
    let words: Vec<_> = command.iter().map(|word| quoted(word)).collect();
    let output = b" </dev/null >>\"$results/stdout\" 2>>\"$results/stderr\"";
    line(&[&words.join(&b' '), output]);
    line(&[b"echo $? >\"$results/status.new\""]);
    line(&[b"sync"]);
    line(&[b"mv \"$results/status.new\" \"$results/status\""]);
    line(&[b"echo o >/proc/sysrq-trigger"]);
    line(&[b"sleep 60"]);
    Ok(script)
}

/// `prefix` and a path as one command line word.
fn joined(prefix: &str, path: &Path) -> OsString {
    let mut word = OsString::from(prefix);
    word.push(path);
    word
}

/// A word that the shell takes as it is.
fn quoted(word: &OsStr) -> Vec<u8> {
    let mut quoted = vec![b'\''];
    for &byte in word.as_bytes() {
        match byte {
            b'\'' => quoted.extend(b"'\\''"),
            _ => quoted.push(byte),
        }
    }
    quoted.push(b'\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_reach_the_guest_unchanged() {
        for word in ["plain", "two words", "it's", "$(reboot)", ""] {
            let script = [b"printf %s ".to_vec(), quoted(OsStr::new(word))].concat();
            let output =
                Command::new("sh").arg("-c").arg(OsStr::from_bytes(&script)).output().unwrap();
            assert_eq!(output.stdout, word.as_bytes());
        }
    }
}
