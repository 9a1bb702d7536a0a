//! Why a command fails, and which exit status that is.

use std::io;

/// What a command gives, or why it does not.
pub(crate) type Outcome<T> = Result<T, Failure>;

/// Why a command does not do what it should.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was asked for in a wrong way: exit status 2.
    Usage(String),
    /// It could not be done: exit status 1.
    Trouble(String),
    /// The reader of the output has seen enough: no failure, exit status 0.
    ReaderLeft,
    /// Everything has been said: this exit status.
    Said(u8),
}

impl Failure {
    /// It could not be done.
    pub(crate) fn trouble(sentence: impl Into<String>) -> Self {
        Self::Trouble(sentence.into())
    }

    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Trouble(_) => 1,
            Self::ReaderLeft => 0,
            Self::Said(code) => *code,
        }
    }

    pub(crate) fn sentence(&self) -> Option<&str> {
        match self {
            Self::Usage(sentence) | Self::Trouble(sentence) => Some(sentence),
            Self::ReaderLeft | Self::Said(_) => None,
        }
    }
}

/// Of writing the output.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if crate::reader_left(&error) {
            Self::ReaderLeft
        } else {
            Self::Trouble(format!("cannot write the output: {error}"))
        }
    }
}
