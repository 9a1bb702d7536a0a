//! Outside the guest: which scenario runs when, and what came of it.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::record::{self, Entry, Line};
use super::scenarios::{Company, Scenario};
use super::{GUEST, decode, stage};
use crate::uml::Kernel;
use crate::uml::guest::{Ended, Guest};

/// Guests at a time for scenarios whose checks hold at any speed: each is idle for most of its time.
const WORKING_AT_A_TIME: usize = 3;
/// Guests at a time that compare times. A guest has one processor; more of them would not leave one to each on small machines.
const MEASURING_AT_A_TIME: usize = 2;
/// Guests beside these for scenarios that do little but wait: all of today's.
const WAITING_AT_A_TIME: usize = 4;
/// What a scenario may take beyond its usual time, on a busy machine: a factor and some seconds.
const PATIENCE: (u32, Duration) = (5, Duration::from_secs(60));

/// Everything a run needs.
pub(super) struct Run {
    /// The kernel to boot.
    pub(super) kernel: Kernel,
    /// Where the files of all scenarios go.
    pub(super) folder: PathBuf,
    /// This program, which plays inside the guest.
    pub(super) guest: PathBuf,
    /// `batctl`.
    pub(super) batctl: PathBuf,
    /// `noctule`.
    pub(super) noctule: PathBuf,
    /// How often a measuring scenario repeats; 0 for as often as a test needs.
    pub(super) rounds: u32,
}

/// What came of a scenario.
pub(super) struct Outcome {
    scenario: &'static Scenario,
    entries: Vec<Entry>,
    took: Duration,
}

impl Run {
    /// Plays the scenarios, a guest for each: first those that may play beside any others, then those that measure, beside
    /// those that do little but wait. `finished` is told of each when it ends.
    pub(super) fn play(
        &self,
        asked: &[&'static Scenario],
        finished: &mut dyn FnMut(&Outcome),
    ) -> Vec<Outcome> {
        let mut queue: Vec<_> = asked.to_vec();
        // The longest first, so that none of them runs alone at the end.
        queue.sort_by_key(|scenario| std::cmp::Reverse(scenario.seconds));
        let lane = |company: Company, at_a_time: usize| {
            let of_it = queue.iter().copied().filter(|scenario| scenario.company() == company);
            (Mutex::new(of_it.collect::<VecDeque<_>>()), at_a_time)
        };
        let mut outcomes = Vec::new();
        self.side_by_side(&[lane(Company::Any, WORKING_AT_A_TIME)], &mut outcomes, finished);
        let lanes =
            [lane(Company::Measures, MEASURING_AT_A_TIME), lane(Company::Waits, WAITING_AT_A_TIME)];
        self.side_by_side(&lanes, &mut outcomes, finished);
        outcomes
    }

    /// Plays the queues, each so many guests at a time, until all are empty.
    fn side_by_side(
        &self,
        lanes: &[(Mutex<VecDeque<&'static Scenario>>, usize)],
        outcomes: &mut Vec<Outcome>,
        finished: &mut dyn FnMut(&Outcome),
    ) {
        let (tell, told) = channel();
        thread::scope(|scope| {
            for (queue, at_a_time) in lanes {
                let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                for _ in 0..*at_a_time {
                    let tell = tell.clone();
                    scope.spawn(move || {
                        while let Some(scenario) = next() {
                            let _ = tell.send(self.play_one(scenario));
                        }
                    });
                }
            }
            drop(tell);
            for outcome in told {
                finished(&outcome);
                outcomes.push(outcome);
            }
        });
    }

    fn play_one(&self, scenario: &'static Scenario) -> Outcome {
        let begun = Instant::now();
        let folder = self.folder.join(scenario.file_name());
        let trouble = match self.guest(scenario, &folder) {
            Ok(Ended::Exited(0)) => None,
            Ok(Ended::Exited(status)) => {
                let text = std::fs::read_to_string(folder.join("stderr")).unwrap_or_default();
                Some(format!("the player ended with status {status}: {}", text.trim()))
            }
            Ok(Ended::LimitReached) => Some("the guest was ended at its time limit".to_owned()),
            Ok(Ended::Stopped) => Some("stopped".to_owned()),
            Ok(Ended::Died(console)) => Some(format!("the guest died: {console}")),
            Err(error) => Some(format!("{error:#}")),
        };
        let name = scenario.file_name();
        let mut entries = record::read(&folder, &name);
        let mut add = |line| entries.push(Entry { at: begun.elapsed().as_secs_f64(), line });
        if let Some(trouble) = trouble {
            let what = "the guest runs to its end".to_owned();
            add(Line::Check { what, passed: false, seen: trouble });
        }
        if !scenario.is_baseline() {
            decode::decode(&stage::capture_path(&folder, &name)).into_iter().for_each(add);
        }
        Outcome { scenario, entries, took: begun.elapsed() }
    }

    fn guest(&self, scenario: &Scenario, folder: &std::path::Path) -> Result<Ended> {
        let command = [
            self.guest.clone().into(),
            GUEST.into(),
            folder.into(),
            self.batctl.clone().into(),
            self.noctule.clone().into(),
            self.rounds.to_string().into(),
            scenario.full_name().into(),
        ];
        let usual = Duration::from_secs(scenario.seconds) * self.rounds.max(1);
        let limit = usual * PATIENCE.0 + PATIENCE.1;
        Guest::boot(&self.kernel, folder, &command, limit)?.wait(&|| false)
    }
}

impl Outcome {
    /// Its scenario, and how many seconds it took.
    pub(super) fn took(&self) -> (String, f64) {
        (self.scenario.full_name(), self.took.as_secs_f64())
    }

    /// Whether every check held, and there was one.
    pub(super) fn passed(&self) -> bool {
        self.checks() > 0 && self.verdicts().all(|passed| passed)
    }

    /// How many checks were made.
    pub(super) fn checks(&self) -> usize {
        self.verdicts().count()
    }

    /// The scenario and its first failure, in one line.
    pub(super) fn failure(&self) -> String {
        let first = self.entries.iter().find_map(|entry| match &entry.line {
            Line::Check { what, passed: false, seen } => Some(format!("{what} [{seen}]")),
            _ => None,
        });
        let first = first.unwrap_or_else(|| "nothing was checked".to_owned());
        format!("{}: {first}", self.scenario.full_name()).replace('\n', " | ")
    }

    fn verdicts(&self) -> impl Iterator<Item = bool> {
        self.entries.iter().filter_map(|entry| match entry.line {
            Line::Check { passed, .. } => Some(passed),
            Line::Step(_) | Line::Figure(..) => None,
        })
    }

    /// The scenario as it is printed. Steps are shown on demand, and when a check failed.
    pub(super) fn report(&self, verbose: bool) -> String {
        let verdict = if self.passed() { "passed" } else { "FAILED" };
        let mut text = format!("{} - {}\n", self.scenario.full_name(), self.scenario.about);
        let with_steps = verbose || !self.passed();
        for entry in &self.entries {
            if with_steps || !matches!(entry.line, Line::Step(_)) {
                let _ = writeln!(text, "{entry}");
            }
        }
        let seconds = self.took.as_secs_f64();
        let _ = writeln!(text, "  {verdict}: {} checks in {seconds:.0} s\n", self.checks());
        text
    }
}
