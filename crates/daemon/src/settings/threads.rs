//! How many threads the data plane has, and when they sleep.

use super::BadSetting;
use core::fmt;
use serde::Deserialize;
use std::time::Duration;

/// More workers than a router has processors; each takes memory.
const WORKERS_MAX: i64 = 64;
/// Longer than this, microseconds, no worker looks in vain: it is what waking it costs a hundred times over.
const BUSY_POLL_MAX: i64 = 10_000;

/// A word or a number, as somebody wrote it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(untagged)]
pub enum OneOrOther {
    /// A number.
    Number(i64),
    /// A word, or a number in quotes.
    Word(String),
}

impl OneOrOther {
    fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Word(word) => word.parse().ok(),
        }
    }

    fn is(&self, word: &str) -> bool {
        matches!(self, Self::Word(written) if written == word)
    }
}

impl From<String> for OneOrOther {
    fn from(word: String) -> Self {
        Self::Word(word)
    }
}

impl fmt::Display for OneOrOther {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Word(word) => word.fmt(f),
        }
    }
}

/// How long a worker looks for more before it sleeps.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum BusyPoll {
    /// It does not.
    #[default]
    Off,
    /// As long as it pays.
    Auto,
    /// So long.
    For(Duration),
}

/// `None`: auto.
pub(super) fn workers(written: &OneOrOther) -> Result<Option<u32>, BadSetting> {
    if written.is("auto") {
        return Ok(None);
    }
    let number = written.number().filter(|number| (1..=WORKERS_MAX).contains(number));
    number.and_then(|number| u32::try_from(number).ok()).map(Some).ok_or_else(|| {
        BadSetting::new("workers", written, format!("must be auto, or 1 to {WORKERS_MAX}"))
    })
}

pub(super) fn busy_poll(written: &OneOrOther) -> Result<BusyPoll, BadSetting> {
    if written.is("off") {
        return Ok(BusyPoll::Off);
    }
    if written.is("auto") {
        return Ok(BusyPoll::Auto);
    }
    let number = written.number().filter(|number| (1..=BUSY_POLL_MAX).contains(number));
    let micros = number.and_then(|number| u64::try_from(number).ok());
    micros.map(|micros| BusyPoll::For(Duration::from_micros(micros))).ok_or_else(|| {
        let problem = format!("must be off, auto, or 1 to {BUSY_POLL_MAX} microseconds");
        BadSetting::new("busy_poll", written, problem)
    })
}
