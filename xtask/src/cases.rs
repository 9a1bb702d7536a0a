//! Runs the cases of a real tier one after the other and says how each ended.
//!
//! A case is a function that fails with an error, skips with [`Skipped`] or ends well. The last line
//! is the one that `cargo xtask test` reads: `N passed, M failed, K skipped`.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, anyhow};

use crate::lab::Skipped;

/// One case.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    /// What it shows, as a sentence in snake case.
    pub(crate) name: &'static str,
    /// Shows it.
    pub(crate) run: fn() -> Result<()>,
}

/// Makes a list of cases from functions; each case has the name of its function.
macro_rules! cases {
    ($($function:path),* $(,)?) => {
        &[$($crate::cases::Case {
            name: $crate::cases::last_word(stringify!($function)),
            run: $function,
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

/// Runs the cases whose names contain one of `wanted` (all, if it is empty).
pub(crate) fn run(cases: &[Case], wanted: &[String]) -> Result<ExitCode> {
    for word in wanted {
        if !cases.iter().any(|case| case.name.contains(word.as_str())) {
            return Err(anyhow!("no case has {word} in its name"));
        }
    }
    let chosen = |case: &&Case| {
        wanted.is_empty() || wanted.iter().any(|word| case.name.contains(word.as_str()))
    };
    let mut counts = Counts::default();
    for case in cases.iter().filter(chosen) {
        let start = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(case.run))
            .unwrap_or_else(|panic| Err(anyhow!("panicked: {}", panic_text(&*panic))));
        let seconds = start.elapsed().as_secs_f64();
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
    println!("{}", counts.line());
    Ok(if counts.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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
}
