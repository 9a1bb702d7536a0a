//! Why there is no offload, in one line.

use std::io;
use std::path::PathBuf;

/// Why there is no offload.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The process may not.
    #[error("not permitted to load BPF programs (CAP_BPF and CAP_NET_ADMIN are needed)")]
    NotPermitted,
    /// The kernel cannot do it, or what it said.
    #[error("the kernel does not take the program: {0}")]
    Refused(String),
    /// The place for the pins cannot be used.
    #[error("cannot use {}: {error}", .path.display())]
    Pins {
        /// Which place.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

pub(super) fn refused(error: impl std::error::Error + 'static) -> OpenError {
    // EACCES is what the verifier says.
    if has_cause(&error, libc::EPERM) {
        return OpenError::NotPermitted;
    }
    OpenError::Refused(chain(&error))
}

/// Whether this is the system's refusal behind an error.
pub(super) fn has_cause(error: &(dyn std::error::Error + 'static), errno: i32) -> bool {
    let causes = core::iter::successors(Some(error), |error| error.source());
    causes
        .filter_map(|error| error.downcast_ref::<io::Error>()?.raw_os_error())
        .any(|number| number == errno)
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    // The verifier's output is for who changes the program, not for who runs it.
    text.split(". Verifier")
        .next()
        .and_then(|text| text.lines().next())
        .unwrap_or_default()
        .to_owned()
}
