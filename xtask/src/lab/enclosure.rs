//! Where a laboratory may be built: an enclosure of fresh namespaces around the whole run.
//!
//! A verb that needs a laboratory calls [`enclose`]. It runs this program once more as the first
//! process of a new process, mount and network namespace (and, for an ordinary user, of a user
//! namespace in which that user is root). When that process ends, for whatever reason, the kernel
//! ends everything it started and takes away everything it made: there is nothing to clean up, and
//! so nothing that a SIGKILL could prevent.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::{Pid, alarm, getegid, geteuid};

use super::process;
use super::rtnetlink::Route;

/// Tells the inner run that it is one.
pub(super) const MARK: &str = "NOCTULE_LAB";
/// How long the inner run may take to end after a signal before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(15);

/// Which of the two runs this is.
pub(crate) enum Side {
    /// The run inside: go on and build the laboratory.
    Inside,
    /// The run outside, after the inner one has ended; this is the exit code to hand on.
    Outside(ExitCode),
}

/// Puts this run into an enclosure. `environment` is added to the inner run's.
///
/// Call it on the main thread before any other thread starts. What needs the machine's network or
/// the caller's own rights (building, installing packages) comes before; the outer run must not do
/// anything afterwards.
///
/// # Errors
/// If this machine allows it to nobody or not to this user: one sentence that says what to do.
pub(crate) fn enclose(environment: &[(&str, &OsStr)]) -> Result<Side> {
    match std::env::var_os(MARK) {
        Some(_) => settle().map(|()| Side::Inside),
        None => {
            separate()?;
            run_inside(environment).map(|status| Side::Outside(code(status)))
        }
    }
}

/// The exit code that stands for a status, as shells have it.
fn code(status: ExitStatus) -> ExitCode {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

/// Whether [`enclose`] can work here, without doing it; the error says what to do.
pub(crate) fn check() -> Result<()> {
    // A child that only separates itself: this process keeps its namespaces.
    let this = std::env::current_exe()?;
    let output = Command::new(this).arg(crate::CAN_ENCLOSE).stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    bail!("{}", String::from_utf8_lossy(&output.stderr).trim())
}

/// Leaves the namespaces that this process shares with its parent.
pub(crate) fn separate() -> Result<()> {
    let own = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID;
    match unshare(own) {
        Ok(()) => return Ok(()),
        Err(Errno::EPERM) => {}
        Err(error) => bail!("this kernel makes no namespaces: {error}"),
    }
    let (user, group) = (geteuid(), getegid());
    let become_root = || -> io::Result<()> {
        unshare(own | CloneFlags::CLONE_NEWUSER)?;
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("0 {user} 1"))?;
        fs::write("/proc/self/gid_map", format!("0 {group} 1"))
    };
    become_root().map_err(|error| anyhow::anyhow!("{}", advice(&error)))
}

/// One sentence that says why there is no laboratory here and what to do.
fn advice(error: &io::Error) -> String {
    let setting = |path: &str| fs::read_to_string(Path::new("/proc/sys").join(path)).ok();
    let is = |path: &str, value: &str| setting(path).is_some_and(|text| text.trim() == value);
    let lift = if is("kernel/unprivileged_userns_clone", "0") {
        "kernel.unprivileged_userns_clone=1"
    } else if is("kernel/apparmor_restrict_unprivileged_userns", "1") {
        "kernel.apparmor_restrict_unprivileged_userns=0"
    } else if is("user/max_user_namespaces", "0") {
        "user.max_user_namespaces=10000"
    } else if geteuid().is_root() {
        return format!(
            "this container may not make network namespaces ({error}): start it with the \
             capabilities SYS_ADMIN and NET_ADMIN, or run this on the machine itself"
        );
    } else {
        return format!(
            "an ordinary user may not make network namespaces here ({error}): run this as root"
        );
    };
    format!(
        "an ordinary user may not make network namespaces here ({error}): run this as root, or \
         allow it with `sudo sysctl {lift}`"
    )
}

/// Starts the inner run, hands signals on to it, and waits.
fn run_inside(environment: &[(&str, &OsStr)]) -> Result<ExitStatus> {
    // Blocked signals wait until `wait` below takes them; a child starts with none blocked.
    let mut signals = stop_signals();
    signals.add(Signal::SIGCHLD);
    signals.add(Signal::SIGALRM);
    signals.thread_block()?;
    let mut child = Command::new(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .envs(environment.iter().copied())
        .env(MARK, std::process::id().to_string())
        // The inner run sees by the end of its input that this one has gone: see `settle`.
        .stdin(Stdio::piped())
        .spawn()
        .context("cannot start the inner run")?;
    let inner = Pid::from_raw(child.id().cast_signed());
    loop {
        let signal = signals.wait()?;
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        match signal {
            Signal::SIGCHLD => {}
            Signal::SIGALRM => kill(inner, Signal::SIGKILL)?,
            _ => {
                kill(inner, signal)?;
                // Not a thread that sleeps: whoever has left its PID namespace can start none.
                alarm::set(u32::try_from(STOP_LIMIT.as_secs()).unwrap_or(u32::MAX).max(1));
            }
        }
    }
}

fn stop_signals() -> SigSet {
    [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect()
}

/// From now on SIGINT, SIGTERM and SIGHUP end this program together with every process it started.
///
/// Call it on the main thread before any other thread starts.
pub(crate) fn end_on_signals() -> Result<()> {
    // A run that another run of this program has started is tied to that with SIGKILL. From here on
    // it can end what it starts itself, given the chance.
    if prctl::get_pdeathsig()? == Some(Signal::SIGKILL) && std::env::var_os(MARK).is_none() {
        prctl::set_pdeathsig(Signal::SIGTERM)?;
    }
    let signals = stop_signals();
    signals.thread_block()?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        let signal = signals.wait().unwrap_or(Signal::SIGTERM);
        process::end_all();
        eprintln!("\n{signal}: ended, and everything that was made is gone");
        std::process::exit(128 + signal as i32);
    })?;
    Ok(())
}

/// Makes the inner run at home: it ends with the outer one, has a `/proc` and a `/run` of its own.
fn settle() -> Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    // The outer run may have gone before the line above; then its end of the pipe is closed.
    let input = io::stdin();
    let mut ends = [PollFd::new(input.as_fd(), PollFlags::POLLIN)];
    poll(&mut ends, PollTimeout::ZERO)?;
    if ends[0].any().unwrap_or(true) {
        bail!("the outer run has gone");
    }
    end_on_signals()?;
    let nothing: Option<&str> = None;
    mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing)
        .context("cannot make the mounts private")?;
    let plain = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    // In a container that hides parts of /proc a new one is refused; then process numbers seen
    // there are those outside, which costs measurements of memory, and nothing else.
    let _ = mount(Some("proc"), "/proc", Some("proc"), plain | MsFlags::MS_NOEXEC, nothing);
    mount(Some("run"), "/run", Some("tmpfs"), plain, Some("mode=755"))
        .context("cannot mount a private /run")?;
    // What is pinned there outlives the process that pins it, and must not outlive the laboratory. Where this is refused,
    // pinning is too.
    let _ = mount(
        Some("bpf"),
        "/sys/fs/bpf",
        Some("bpf"),
        plain | MsFlags::MS_NOEXEC,
        Some("mode=700"),
    );
    // Programs that talk to themselves expect it; in every namespace it has the number 1.
    Route::open()?
        .change_link(1, libc::IFF_UP, libc::IFF_UP, |message| message)
        .context("cannot switch the loopback interface on")
}
