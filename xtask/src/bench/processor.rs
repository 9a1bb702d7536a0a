//! Processor time of the whole machine, and what one process needs while nobody asks anything of it.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::{Pid, SysconfVar, sysconf};

/// How many there are.
pub(super) fn count() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Watches how busy all processors together are.
///
/// What counts is time that is not idle, not waiting for disks and not taken by a hypervisor: the kernel measures idle time by its
/// clock, while it only guesses by ticks who uses the rest. `/proc/stat` shows it in hundredths of a second.
pub(super) struct Meter {
    begun: Instant,
    elsewhere: Duration,
}

impl Meter {
    /// Begins to watch.
    pub(super) fn start() -> Result<Self> {
        Ok(Self { begun: Instant::now(), elsewhere: elsewhere()?.0 })
    }

    /// Processor time that was used since.
    pub(super) fn busy(&self) -> Result<Duration> {
        let (elsewhere, processors) = elsewhere()?;
        let all = self.begun.elapsed() * processors;
        Ok(all.saturating_sub(elsewhere.saturating_sub(self.elsewhere)))
    }
}

/// Time of all processors that nobody here used since the machine started, and how many they are.
fn elsewhere() -> Result<(Duration, u32)> {
    let text = fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
    let ticks = idle_ticks(&text).context("/proc/stat is odd")?;
    let per_second = sysconf(SysconfVar::CLK_TCK)?.unwrap_or(100);
    let is_one = |line: &&str| line.starts_with("cpu") && !line.starts_with("cpu ");
    let processors = u32::try_from(text.lines().filter(is_one).count())?;
    Ok((Duration::from_secs_f64(ticks as f64 / per_second as f64), processors))
}

/// The fields idle, iowait and steal of the first line.
fn idle_ticks(text: &str) -> Option<u64> {
    let fields = text.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
    let fields: Vec<u64> = fields.map_while(|field| field.parse().ok()).collect();
    [3, 4, 7].into_iter().map(|at| fields.get(at)).sum()
}

/// How long each thread of a process has run since it began, what the kernel did in its name included, by the thread's number.
/// A running thread's own figure is as old as the last tick.
pub(super) fn ran(process: &str) -> Result<BTreeMap<u32, Duration>> {
    Ok(scheduled(process)?.into_iter().map(|(thread, [ran, _])| (thread, ran)).collect())
}

/// The share of the time for which its threads were to run that they waited for a processor, since it began.
pub(crate) fn waited(process: u32) -> Result<f64> {
    let sum = |at: usize, threads: &BTreeMap<u32, [Duration; 2]>| {
        threads.values().map(|times| times[at].as_secs_f64()).sum::<f64>()
    };
    let threads = scheduled(&process.to_string())?;
    let (ran, waited) = (sum(0, &threads), sum(1, &threads));
    Ok(waited / (ran + waited).max(f64::MIN_POSITIVE))
}

/// For how long each thread has run, and has waited for a processor.
fn scheduled(process: &str) -> Result<BTreeMap<u32, [Duration; 2]>> {
    let mut all = BTreeMap::new();
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        let task = task?;
        // One that has ended meanwhile is left out.
        let Ok(text) = fs::read_to_string(task.path().join("schedstat")) else { continue };
        let number = task.file_name().to_string_lossy().parse()?;
        all.insert(number, times(&text).context("no time is counted")?);
    }
    Ok(all)
}

/// The first two fields: nanoseconds.
fn times(schedstat: &str) -> Option<[Duration; 2]> {
    let mut fields = schedstat.split_whitespace();
    let mut next = || Some(Duration::from_nanos(fields.next()?.parse().ok()?));
    Some([next()?, next()?])
}

/// Keeps all threads of a process to processor 0, or lets them run anywhere.
pub(super) fn bind(process: &str, bound: bool) -> Result<()> {
    let mut set = CpuSet::new();
    for number in 0..if bound { 1 } else { CpuSet::count() } {
        set.set(number)?;
    }
    for thread in scheduled(process)?.into_keys() {
        match sched_setaffinity(Pid::from_raw(thread.cast_signed()), &set) {
            // It has ended meanwhile.
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(errno) => return Err(errno).context("cannot bind a thread to a processor"),
        }
    }
    Ok(())
}

/// How often the threads of a process have gone to sleep: they were woken as often.
pub(super) fn wake_ups(process: u32) -> Result<u64> {
    let mut wakes = 0;
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        let status = fs::read_to_string(task?.path().join("status"))?;
        wakes += voluntary_switches(&status).context("no switches are counted")?;
    }
    Ok(wakes)
}

fn voluntary_switches(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line?.trim().parse().ok()
}

/// Kernel, processors and their model, in one line.
pub(super) fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease");
    let processors = read("/proc/cpuinfo");
    let mut models = processors.lines().filter_map(|line| {
        line.strip_prefix("model name").map(|line| line.trim_start_matches([' ', '\t', ':']).trim())
    });
    let model = models.next().unwrap_or("an unknown processor").to_owned();
    format!("Linux {}, {} × {model}", kernel.trim(), 1 + models.count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_here_used_is_idle_time_waiting_and_stolen_time() {
        let text = "cpu  100 20 3 4000 5000 60000 700000 8000000 9 9\ncpu0 1 2 3 4\n";
        assert_eq!(idle_ticks(text), Some(4000 + 5000 + 8_000_000));
        assert_eq!(idle_ticks("cpu0 1 2 3 4 5 6 7 8"), None);
        assert_eq!(idle_ticks("cpu  1 2 3"), None);
    }

    #[test]
    fn processors_cannot_be_busy_for_longer_than_they_are_there() {
        let meter = Meter::start().unwrap();
        std::thread::sleep(Duration::from_millis(20));
        let busy = meter.busy().unwrap();
        assert!(busy <= meter.begun.elapsed() * elsewhere().unwrap().1);
    }

    #[test]
    fn each_thread_has_run_for_some_time() {
        let micros = Duration::from_micros;
        assert_eq!(times("2000 3000 4\n"), Some([micros(2), micros(3)]));
        assert_eq!(times("2000"), None);
        assert!(ran("self").unwrap().len() > 1, "this test runs beside the main thread");
    }

    #[test]
    fn voluntary_switches_are_found() {
        let text = "Name:\tx\nvoluntary_ctxt_switches:\t42\nnonvoluntary_ctxt_switches:\t7\n";
        assert_eq!(voluntary_switches(text), Some(42));
        assert_eq!(voluntary_switches("Name:\tx\n"), None);
    }
}
