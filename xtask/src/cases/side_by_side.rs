//! Cases side by side: each in a process and an enclosure of its own, a few at a time.
//!
//! Cases mostly wait, and share nothing: an enclosure has its own namespaces, `/run`, and BPF file
//! system, and the log files of each go to a folder of its own. What a case prints is shown as one
//! block when it ends.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::channel;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::{Case, Counts, Place, slowest};
use crate::lab::{self, Process, tied};
use crate::paths;

/// How many cases run at a time. They mostly wait: all of them together use less than one processor for a minute.
const AT_A_TIME: usize = 4;
/// No case takes so long on any machine: only one that hangs.
const LIMIT: Duration = Duration::from_secs(600);

/// A run side by side.
pub(crate) struct SideBySide<'a> {
    /// The verb that runs the case that it is given the name of.
    pub(crate) verb: &'static str,
    /// What is added to the environment of each.
    pub(crate) environment: &'a [(&'static str, &'a OsStr)],
}

/// What a case came to.
struct Ended {
    name: &'static str,
    /// All that it printed but its counts.
    text: String,
    counts: Counts,
    took: Duration,
}

impl SideBySide<'_> {
    /// Runs all cases. What was printed, and the exit code, are as of a run one after the other.
    ///
    /// Call it on the main thread before any other thread starts, and outside of an enclosure.
    pub(crate) fn run(&self, cases: &[Case]) -> Result<ExitCode> {
        lab::check()?;
        lab::end_on_signals()?;
        // The file of this program may be replaced by a build while cases run.
        let this = paths::Copy::new()?;
        let folder = paths::target().join("xtask").join(self.verb);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let (alone, beside): (Vec<&Case>, Vec<&Case>) =
            cases.iter().partition(|case| case.place == Place::Alone);
        let (first, rest): (Vec<&Case>, Vec<&Case>) =
            beside.into_iter().partition(|case| case.place == Place::First);
        let mut counts = Counts::default();
        let mut took = Vec::new();
        for (queue, at_a_time) in [([first, rest].concat(), AT_A_TIME), (alone, 1)] {
            let queue = Mutex::new(VecDeque::from(queue));
            let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let (tell, told) = channel();
            thread::scope(|scope| {
                for _ in 0..at_a_time {
                    let (tell, this, folder) = (tell.clone(), this.path(), &folder);
                    scope.spawn(move || {
                        while let Some(case) = next() {
                            let _ = tell.send(self.run_one(case, this, folder));
                        }
                    });
                }
                drop(tell);
                for ended in told {
                    print!("{}", ended.text);
                    counts.add(ended.counts);
                    took.push((ended.name.to_owned(), ended.took.as_secs_f64()));
                }
            });
        }
        println!("{}", slowest(took));
        println!("{}", counts.line());
        Ok(if counts.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Runs one case in a process of its own.
    fn run_one(&self, case: &Case, this: &Path, folder: &Path) -> Ended {
        let begun = Instant::now();
        let log: PathBuf = folder.join(format!("{}.log", case.name));
        let mut command = tied(this.as_os_str());
        command
            .args([self.verb, case.name])
            .current_dir(paths::project())
            .envs(self.environment.iter().copied())
            .env(lab::PART, case.name);
        let ended = Process::spawn(&mut command, case.name, &log).and_then(|mut process| {
            let status = process.wait(LIMIT)?;
            Ok((status, process.log()))
        });
        let took = begun.elapsed();
        let (text, counts) = match ended {
            Ok((status, log)) => match split(&log) {
                (text, Some(counts)) if status.success() == (counts.failed == 0) => (text, counts),
                _ => failed(case.name, took, &format!("{status}\n{}", log.trim_end())),
            },
            Err(error) => failed(case.name, took, &format!("{error:#}")),
        };
        Ended { name: case.name, text, counts, took }
    }
}

/// A case whose process did not get so far as to say how it went.
fn failed(name: &str, took: Duration, why: &str) -> (String, Counts) {
    let text = format!("FAILED  {name} ({:.1} s): {why}\n", took.as_secs_f64());
    (text, Counts { failed: 1, ..Counts::default() })
}

/// What a case printed, without the line of counts at its end, and the counts.
fn split(log: &str) -> (String, Option<Counts>) {
    let mut lines: Vec<&str> = log.lines().collect();
    let counts = lines.iter().rposition(|line| Counts::from_line(line).is_some());
    let counts = counts.and_then(|at| Counts::from_line(lines.remove(at)));
    (lines.iter().flat_map(|line| [line, "\n"]).collect(), counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_says_the_same_as_in_a_row() {
        let (text, counts) =
            split("        3 KiB\nFAILED  x (1.0 s): why\n0 passed, 1 failed, 0 skipped\n");
        assert_eq!(text, "        3 KiB\nFAILED  x (1.0 s): why\n");
        assert_eq!(counts, Some(Counts { passed: 0, failed: 1, skipped: 0 }));
        assert_eq!(split("killed\n"), ("killed\n".to_owned(), None));
    }
}
