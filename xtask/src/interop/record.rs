//! What a scenario says: its steps, figures and checks, in the order in which they came about.
//!
//! A record is made inside the guest and read by the program outside, which prints it.

use std::fmt::{self, Display};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// One line of a record.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) enum Line {
    /// What was done.
    Step(String),
    /// Something measured: what, and the value with its unit.
    Figure(String, String),
    /// Something that must hold: the sentence, whether it held, and what was seen.
    Check {
        /// The rule IDs and the sentence.
        what: String,
        /// Whether it held.
        passed: bool,
        /// The values seen.
        seen: String,
    },
}

/// A line with the time at which it was said.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Entry {
    /// Seconds since the scenario's start.
    pub(crate) at: f64,
    /// What was said.
    pub(crate) line: Line,
}

/// The record of one scenario. Each line is written to a file at once, so that it survives a guest
/// that dies.
pub(crate) struct Record {
    start: Instant,
    file: fs::File,
}

impl Record {
    /// Starts a record in `folder`.
    pub(crate) fn create(folder: &Path, scenario: &str) -> Result<Self> {
        let path = path(folder, scenario);
        let file =
            fs::File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { start: Instant::now(), file })
    }

    /// Says what is being done.
    pub(crate) fn step(&mut self, text: impl Display) {
        self.add(Line::Step(text.to_string()));
    }

    /// States a measured value.
    pub(crate) fn figure(&mut self, what: impl Display, value: impl Display) {
        self.add(Line::Figure(what.to_string(), value.to_string()));
    }

    /// States what must hold, and whether it does; returns the latter.
    pub(crate) fn check(&mut self, what: impl Display, passed: bool, seen: impl Display) -> bool {
        self.add(Line::Check { what: what.to_string(), passed, seen: seen.to_string() });
        passed
    }

    fn add(&mut self, line: Line) {
        let entry = Entry { at: self.start.elapsed().as_secs_f64(), line };
        // A record that cannot be written is missed by the reader, who reports it.
        if let Ok(mut text) = serde_json::to_vec(&entry) {
            text.push(b'\n');
            let _ = self.file.write_all(&text);
            let _ = self.file.sync_data();
        }
    }
}

/// Reads the record that a scenario left in `folder`; empty if it never began.
pub(crate) fn read(folder: &Path, scenario: &str) -> Vec<Entry> {
    fs::read_to_string(path(folder, scenario))
        .unwrap_or_default()
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// Where a scenario's record lies.
fn path(folder: &Path, scenario: &str) -> PathBuf {
    folder.join(format!("{scenario}.record"))
}

impl Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = format!("{:6.1} s", self.at);
        match &self.line {
            Line::Step(text) => write!(f, "{at}  {text}"),
            Line::Figure(what, value) => write!(f, "{at}    = {what}: {value}"),
            Line::Check { what, passed, seen } => {
                let verdict = if *passed { "ok  " } else { "FAIL" };
                write!(f, "{at}    {verdict} {what}")?;
                if !seen.is_empty() {
                    write!(f, " [{seen}]")?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_back_as_it_was_said() {
        let folder = std::env::temp_dir().join(format!("noctule-record-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut record = Record::create(&folder, "any").unwrap();
        record.step("a step");
        record.figure("a time", "3 s");
        assert!(record.check("what holds", true, ""));
        assert!(!record.check("what does not", false, "7"));
        let lines: Vec<_> = read(&folder, "any").into_iter().map(|entry| entry.line).collect();
        fs::remove_dir_all(&folder).unwrap();
        let check = |what: &str, passed, seen: &str| Line::Check {
            what: what.to_owned(),
            passed,
            seen: seen.to_owned(),
        };
        assert_eq!(
            lines,
            [
                Line::Step("a step".to_owned()),
                Line::Figure("a time".to_owned(), "3 s".to_owned()),
                check("what holds", true, ""),
                check("what does not", false, "7"),
            ]
        );
    }

    #[test]
    fn a_scenario_that_never_began_has_an_empty_record() {
        assert!(read(Path::new("/nonexistent"), "any").is_empty());
    }
}
