//! Processor time of the whole machine, and what one process needs while nobody asks anything of it.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::unistd::{SysconfVar, sysconf};

/// How long all processors together have been busy since the machine started, as `/proc/stat` has it: user, system and
/// interrupt time, without idle time, without waiting for disks, and without what a hypervisor took.
pub(super) fn busy() -> Result<Duration> {
    let text = fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
    let ticks = busy_ticks(&text).context("/proc/stat is odd")?;
    let per_second = sysconf(SysconfVar::CLK_TCK)?.unwrap_or(100);
    Ok(Duration::from_secs_f64(ticks as f64 / per_second as f64))
}

/// The fields user, nice, system, irq and softirq of the first line.
fn busy_ticks(text: &str) -> Option<u64> {
    let mut fields = text.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
    [0, 0, 0, 2, 0].into_iter().map(|left_out| fields.nth(left_out)?.parse::<u64>().ok()).sum()
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
    fn idle_time_is_not_busy_time() {
        let text = "cpu  100 20 3 4000 5000 60000 700000 8000000 9 9\ncpu0 1 2 3 4\n";
        assert_eq!(busy_ticks(text), Some(100 + 20 + 3 + 60_000 + 700_000));
        assert_eq!(busy_ticks("cpu0 1 2 3 4 5 6 7"), None);
        assert_eq!(busy_ticks("cpu  1 2 3"), None);
    }

    #[test]
    fn voluntary_switches_are_found() {
        let text = "Name:\tx\nvoluntary_ctxt_switches:\t42\nnonvoluntary_ctxt_switches:\t7\n";
        assert_eq!(voluntary_switches(text), Some(42));
        assert_eq!(voluntary_switches("Name:\tx\n"), None);
    }
}
