//! Runs the cases of a real tier and says how each ended: one after the other, or [`side_by_side`].
//!
//! A case is a function that fails with an error, skips with [`Skipped`] or ends well. The last line
//! is the one that `cargo xtask test` reads: `N passed, M failed, K skipped`.

mod side_by_side;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, anyhow};

use crate::lab::Skipped;
pub(crate) use side_by_side::SideBySide;

/// How many are named as the slowest.
const SLOWEST: usize = 5;
/// What the line that names them starts with.
const SLOWEST_ARE: &str = "slowest: ";

/// One case.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    /// What it shows, as a sentence in snake case.
    pub(crate) name: &'static str,
    /// Shows it.
    pub(crate) run: fn() -> Result<()>,
    /// Its place in a run side by side.
    pub(crate) place: Place,
}

/// When a case runs, if cases run side by side.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    /// Beside the others, and before them: it takes long, mostly waiting, and should not be what is left at the end.
    First,
    /// Beside the others.
    Beside,
    /// By itself, after all others: it measures time, or needs the whole processor.
    Alone,
}

/// Makes a list of cases from functions; each case has the name of its function. `=> alone` and
/// `=> first` behind one say its [`Place`].
macro_rules! cases {
    (@place) => { $crate::cases::Place::Beside };
    (@place first) => { $crate::cases::Place::First };
    (@place alone) => { $crate::cases::Place::Alone };
    ($($function:path $(=> $place:ident)?),* $(,)?) => {
        &[$($crate::cases::Case {
            name: $crate::cases::last_word(stringify!($function)),
            run: $function,
            place: $crate::cases::cases!(@place $($place)?),
        }),*]
    };
}
pub(crate) use cases;

/// The part of a path behind its last colon.
pub(crate) const fn last_word(path: &str) -> &str {
    let bytes = path.as_bytes();
    let mut start = bytes.len();
    while start > 0 && bytes[start - 1] != b':' && bytes[start - 1] != b' ' {
        start -= 1;
    }
    path.split_at(start).1
}

/// How many cases ended how.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Counts {
    /// Showed what they should.
    pub(crate) passed: usize,
    /// Did not.
    pub(crate) failed: usize,
    /// Could not be tried here.
    pub(crate) skipped: usize,
}

impl Counts {
    /// The line that both people and [`Self::from_line`] read.
    pub(crate) fn line(self) -> String {
        format!("{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }

    /// Reads such a line; `None` for any other.
    pub(crate) fn from_line(line: &str) -> Option<Self> {
        let mut parts = line.trim().split(", ");
        let mut part = |word: &str| parts.next()?.strip_suffix(word)?.trim_end().parse().ok();
        let counts =
            Self { passed: part("passed")?, failed: part("failed")?, skipped: part("skipped")? };
        parts.next().is_none().then_some(counts)
    }

    /// Adds another count.
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// Runs the cases whose names contain one of `wanted` (all, if it is empty), one after the other. A
/// word that is the whole name of a case means that case only.
pub(crate) fn run(cases: &[Case], wanted: &[String]) -> Result<ExitCode> {
    for word in wanted {
        if !cases.iter().any(|case| case.name.contains(word.as_str())) {
            return Err(anyhow!("no case has {word} in its name"));
        }
    }
    let whole = |word: &str| cases.iter().any(|case| case.name == word);
    let means = |word: &str, name: &str| name == word || !whole(word) && name.contains(word);
    let chosen =
        |case: &&Case| wanted.is_empty() || wanted.iter().any(|word| means(word, case.name));
    let mut counts = Counts::default();
    let mut took = Vec::new();
    for case in cases.iter().filter(chosen) {
        let start = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(case.run))
            .unwrap_or_else(|panic| Err(anyhow!("panicked: {}", panic_text(&*panic))));
        let seconds = start.elapsed().as_secs_f64();
        took.push((case.name.to_owned(), seconds));
        match result {
            Ok(()) => {
                counts.passed += 1;
                println!("ok      {} ({seconds:.1} s)", case.name);
            }
            Err(error) if error.is::<Skipped>() => {
                counts.skipped += 1;
                println!("skipped {}: {error:#}", case.name);
            }
            Err(error) => {
                counts.failed += 1;
                println!("FAILED  {} ({seconds:.1} s): {error:#}", case.name);
            }
        }
    }
    if wanted.is_empty() {
        println!("{}", slowest(took));
    }
    println!("{}", counts.line());
    Ok(if counts.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The line that names those that took longest, with their seconds.
pub(crate) fn slowest(mut took: Vec<(String, f64)>) -> String {
    took.sort_by(|one, other| other.1.total_cmp(&one.1));
    took.truncate(SLOWEST);
    let named: Vec<_> = took.iter().map(|(name, took)| format!("{name} {took:.1} s")).collect();
    format!("{SLOWEST_ARE}{}", named.join(", "))
}

/// Reads such a line; `None` for any other.
pub(crate) fn slowest_of(line: &str) -> Option<Vec<(String, f64)>> {
    let named = line.strip_prefix(SLOWEST_ARE)?.split(", ");
    let one = |text: &str| {
        let (name, seconds) = text.strip_suffix(" s")?.rsplit_once(' ')?;
        Some((name.to_owned(), seconds.parse().ok()?))
    };
    named.map(one).collect()
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text,
        _ => "without a message",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_back() {
        let counts = Counts { passed: 12, failed: 0, skipped: 3 };
        assert_eq!(counts.line(), "12 passed, 0 failed, 3 skipped");
        assert_eq!(Counts::from_line(&counts.line()), Some(counts));
        for other in
            ["", "12 passed", "12 passed, 0 failed, 3 skipped, 1 odd", "a passed, b failed"]
        {
            assert_eq!(Counts::from_line(other), None, "{other}");
        }
    }

    #[test]
    fn a_case_has_the_name_of_its_function() {
        assert_eq!(last_word("checks::links_work"), "links_work");
        assert_eq!(last_word("links_work"), "links_work");
    }

    #[test]
    fn five_are_named_the_slowest_first() {
        let took = (1..=7_u8).map(|number| (format!("c{number}"), f64::from(number))).collect();
        assert_eq!(slowest(took), "slowest: c7 7.0 s, c6 6.0 s, c5 5.0 s, c4 4.0 s, c3 3.0 s");
    }
}
