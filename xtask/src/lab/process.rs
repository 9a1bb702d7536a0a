//! Processes of the laboratory: each in a process group of its own, none outlives its owner.
//!
//! The kernel ends a process whose *parent thread* has ended (`PR_SET_PDEATHSIG`). A thread of a
//! test may well end before its daemons should, so one thread that lives as long as the program
//! starts them all.
#![expect(unsafe_code, reason = "what runs between fork and exec can only be named in unsafe code")]

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::mem;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use nix::sched::{CloneFlags, setns};
use nix::sys::prctl;
use nix::sys::signal::{SigHandler, SigSet, Signal, killpg, signal};
use nix::unistd::Pid;

/// How often a process that should end is looked at.
const POLL: Duration = Duration::from_millis(5);
/// How long processes have to end by themselves when the whole program ends.
const GRACE: Duration = Duration::from_secs(2);
/// How long a process may take to end after SIGTERM before it counts as a defect.
pub(crate) const STOP_LIMIT: Duration = Duration::from_secs(10);

/// A command that enters the namespace before it becomes the program.
pub(super) fn command_in(namespace: &Arc<OwnedFd>, program: &OsStr) -> Command {
    let namespace = Arc::clone(namespace);
    let mut command = tied(program);
    // SAFETY: the closure makes one system call (setns) on a descriptor that it keeps open itself,
    // and allocates nothing: all of it is allowed between fork and exec.
    unsafe {
        command.pre_exec(move || Ok(setns(&*namespace, CloneFlags::CLONE_NEWNET)?));
    }
    command
}

/// A command that ends with the thread that starts it.
pub(crate) fn tied(program: &OsStr) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).process_group(0);
    // SAFETY: the closure makes system calls (prctl, sigaction, sigprocmask) and allocates nothing:
    // all of it is allowed between fork and exec. It installs no handler.
    unsafe {
        command.pre_exec(|| {
            // Both are inherited: a shell starts background jobs with SIGINT ignored, and the inner
            // run of an enclosure blocks the signals that end it.
            SigSet::empty().thread_set_mask()?;
            for stop in [Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGTERM] {
                signal(stop, SigHandler::SigDfl)?;
            }
            Ok(prctl::set_pdeathsig(Signal::SIGKILL)?)
        });
    }
    command
}

/// The thread that starts processes: jobs go in, each answers for itself.
type Job = Box<dyn FnOnce() + Send>;
static STARTER: LazyLock<Mutex<Sender<Job>>> = LazyLock::new(|| {
    let (sender, jobs) = channel::<Job>();
    thread::Builder::new()
        .name("starter".into())
        .spawn(move || jobs.into_iter().for_each(|job| job()))
        .expect("a thread can be started");
    Mutex::new(sender)
});

/// Starts the command on the starter thread; `command` is left empty.
fn start(command: &mut Command) -> io::Result<Child> {
    let mut command = mem::replace(command, Command::new(""));
    let (answer, answered) = channel();
    let job: Job = Box::new(move || {
        let started = command.spawn().map_err(|error| {
            let program = command.get_program().to_string_lossy();
            io::Error::new(error.kind(), format!("cannot run {program}: {error}"))
        });
        if let Ok(child) = &started {
            GROUPS.lock().unwrap_or_else(PoisonError::into_inner).insert(child.id());
        }
        let _ = answer.send(started);
    });
    let gone = || io::Error::other("the thread that starts processes has ended");
    STARTER.lock().unwrap_or_else(PoisonError::into_inner).send(job).map_err(|_| gone())?;
    answered.recv().map_err(|_| gone())?
}

/// How a command ended and what it printed.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    /// The command, for messages.
    pub(crate) command: String,
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

impl Output {
    /// Standard output, if the command ended well.
    pub(crate) fn success(self) -> Result<String> {
        if self.status.success() {
            return Ok(self.stdout);
        }
        bail!(
            "`{}`: {}\n{}{}",
            self.command,
            self.status,
            self.stdout.trim_end(),
            self.stderr.trim_end()
        )
    }
}

/// Runs a command to its end, whatever its status; what it started itself is ended with it.
///
/// # Errors
/// If it cannot be started or takes longer than `limit`.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<Output> {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let words = words.join(" ");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut group = Group::start(command)?;
    let stdout = group.0.stdout.take().map(collect);
    let stderr = group.0.stderr.take().map(collect);
    let status = group.wait(limit);
    // A grandchild may hold the pipes open; the collectors end with the group.
    group.signal(Signal::SIGKILL);
    let stdout = stdout.map_or_else(String::new, Collector::finish);
    let stderr = stderr.map_or_else(String::new, Collector::finish);
    match status? {
        Some(status) => Ok(Output { command: words, status, stdout, stderr }),
        None => bail!("`{words}` did not end within {limit:?}\n{stdout}{stderr}"),
    }
}

/// Reads a pipe to its end on a thread.
struct Collector(thread::JoinHandle<Vec<u8>>);

fn collect(mut pipe: impl Read + Send + 'static) -> Collector {
    Collector(thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before a failure is still worth showing.
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    }))
}

impl Collector {
    fn finish(self) -> String {
        String::from_utf8_lossy(&self.0.join().unwrap_or_default()).into_owned()
    }
}

/// The process groups that exist now, for [`end_all`].
static GROUPS: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Ends every process group of this program at once, and whatever it would start from then on.
pub(super) fn end_all() {
    // The starter takes one job at a time: as long as this one runs, nothing new starts.
    let (started, starting) = channel();
    let job: Job = Box::new(move || {
        let _ = started.send(());
        thread::park();
    });
    let sent = STARTER.lock().unwrap_or_else(PoisonError::into_inner).send(job);
    if sent.is_ok() {
        let _ = starting.recv_timeout(Duration::from_secs(1));
    }
    let groups = GROUPS.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let signal_all = |signal: Signal| {
        for &group in &groups {
            let _ = killpg(Pid::from_raw(group.cast_signed()), signal);
        }
    };
    // First in a way that lets them end what they have started in groups of their own.
    signal_all(Signal::SIGTERM);
    let deadline = Instant::now() + GRACE;
    while Instant::now() < deadline && groups.iter().any(|group| runs(*group)) {
        sleep(POLL);
    }
    signal_all(Signal::SIGKILL);
}

/// Whether a process exists and has not ended; one that nobody has waited for yet has.
fn runs(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The state stands behind the name, which is in brackets and may hold anything.
    stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with('Z'))
}

/// A child with its process group, ended on drop.
struct Group(Child);

impl Group {
    /// Starts the command.
    fn start(command: &mut Command) -> io::Result<Self> {
        start(command).map(Self)
    }

    /// Sends a signal to the whole group, also when the child itself has ended already.
    fn signal(&self, signal: Signal) {
        let _ = killpg(Pid::from_raw(self.0.id().cast_signed()), signal);
    }

    /// Waits for the child's end; `None` when the limit is reached.
    fn wait(&mut self, limit: Duration) -> io::Result<Option<ExitStatus>> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.0.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            sleep(POLL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
        let _ = self.0.wait();
        GROUPS.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0.id());
    }
}

/// A process that runs beside the test. Dropping it ends its whole group.
pub(crate) struct Process {
    name: String,
    group: Group,
    log: PathBuf,
}

impl Process {
    /// Starts a command (of [`command_in`] or [`tied`]) with standard output and error in `log`.
    pub(crate) fn spawn(command: &mut Command, name: &str, log: &Path) -> Result<Self> {
        let file = File::create(log).with_context(|| format!("cannot make {}", log.display()))?;
        command.stdout(file.try_clone()?).stderr(file);
        let group = Group::start(command)?;
        Ok(Self { name: name.to_owned(), group, log: log.to_owned() })
    }

    /// Its process number.
    pub(crate) fn id(&self) -> u32 {
        self.group.0.id()
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.group.0.try_wait(), Ok(None))
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// If it does not end within `limit`; it goes on running then.
    pub(crate) fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        match self.group.wait(limit)? {
            Some(status) => Ok(status),
            None => Err(self.defect(&format!("did not end within {limit:?}"))),
        }
    }

    /// Sends a signal to its group.
    pub(crate) fn signal(&self, signal: Signal) {
        self.group.signal(signal);
    }

    /// Asks it to end with SIGTERM, waits, and says how it ended.
    ///
    /// # Errors
    /// If it had ended before, or needs longer than [`STOP_LIMIT`]; it is killed then.
    pub(crate) fn terminate(mut self) -> Result<ExitStatus> {
        if let Some(status) = self.group.0.try_wait()? {
            return Err(self.defect(&format!("had ended already ({status})")));
        }
        self.signal(Signal::SIGTERM);
        self.wait(STOP_LIMIT)
    }

    /// Ends it at once with SIGKILL: the way a power cut looks to its neighbours.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.signal(Signal::SIGKILL);
        let status = self.wait(STOP_LIMIT)?;
        if status.signal() != Some(libc::SIGKILL) {
            return Err(self.defect(&format!("had ended already ({status})")));
        }
        Ok(())
    }

    /// What it has printed until this moment, standard output and error together.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Resident memory in bytes.
    pub(crate) fn resident_bytes(&self) -> Result<u64> {
        let path = format!("/proc/{}/status", self.id());
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        text.lines()
            .find_map(|line| {
                line.strip_prefix("VmRSS:")?.trim().strip_suffix("kB")?.trim().parse().ok()
            })
            .map(|kibibytes: u64| kibibytes * 1024)
            .with_context(|| format!("{path} names no resident memory"))
    }

    /// Processor time that all of its threads have used, as the kernel counts it (in ticks).
    pub(crate) fn processor_time(&self) -> Result<Duration> {
        let path = format!("/proc/{}/stat", self.id());
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        // The second field is the name in brackets and may hold anything; count from behind it.
        let fields = text.rsplit_once(')').map_or("", |(_, fields)| fields);
        let ticks: u64 =
            fields.split_whitespace().skip(11).take(2).flat_map(str::parse::<u64>).sum();
        let per_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK)?.unwrap_or(100);
        Ok(Duration::from_secs_f64(ticks as f64 / per_second as f64))
    }

    /// An error that names the process and shows the end of its log.
    fn defect(&self, what: &str) -> anyhow::Error {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(20)..].join("\n");
        anyhow!("process {} {what}; the end of its log:\n{tail}", self.name)
    }
}
