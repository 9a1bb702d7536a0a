//! Programs inside the namespaces of a guest, and what an interface has sent.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::lab::Namespace;

/// What a program prints, run in a namespace to its end.
///
/// A table is asked for many times in a scenario, and starting a process is what costs time in a
/// guest: a thread that is in the namespace already starts it in the cheapest way there is.
pub(crate) fn output(space: &Namespace, program: &Path, words: &[&str]) -> Result<Printed> {
    let output = space
        .with(|| Command::new(program).args(words).stdin(Stdio::null()).output())
        .with_context(|| format!("cannot run {}", program.display()))?;
    Ok(Printed {
        status: output.status.code(),
        text: String::from_utf8_lossy(&output.stdout).into_owned(),
        complaint: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// What a program printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Printed {
    /// The exit status; `None` if a signal ended it.
    pub(crate) status: Option<i32>,
    /// Standard output.
    pub(crate) text: String,
    /// Standard error.
    pub(crate) complaint: String,
}

impl Printed {
    /// The text, if the program ended well.
    pub(crate) fn success(self) -> Result<String> {
        if self.status != Some(0) {
            bail!("exit status {:?}: {}", self.status, self.complaint.trim());
        }
        Ok(self.text)
    }
}
