//! `noctule`: the one binary that people install. `noctule run` is a mesh node, everything else talks to a running one over
//! its control socket, in the words and tables of `batctl` (MGMT sections 3 and 4).
//!
//! Exit status (MGMT-17, ICMP-25): 0 it worked, 1 it did not, 2 it was asked for in a wrong way, or, with `ping` and
//! `traceroute`, nobody answered. A reader who closes the pipe early is no error.

#![allow(
    rustdoc::broken_intra_doc_links,
    rustdoc::invalid_html_tags,
    reason = "the comments of arguments are the text of --help"
)]

mod args;
mod bat_hosts;
mod client;
mod commands;
mod failure;
mod interrupt;
mod json;
mod listen;
mod table;
mod target;

use failure::{Failure, Outcome};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = match args::parse(std::env::args_os()) {
        Ok(args) => args,
        Err(failure) => return finish(failure),
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let result = commands::run(&args, &mut out);
    let flushed = out.flush().map_err(Failure::from);
    match result.and_then(|code| flushed.map(|()| code)) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => finish(failure),
    }
}

fn finish(failure: Failure) -> ExitCode {
    if let Some(sentence) = failure.sentence() {
        // Where stderr is gone nobody can be told.
        let _ = writeln!(io::stderr(), "noctule: {sentence}");
    }
    ExitCode::from(failure.code())
}

/// Whether a failed write means that the reader has seen enough.
fn reader_left(error: &io::Error) -> bool {
    error.kind() == ErrorKind::BrokenPipe
}

/// What a command returns: the exit status, or why it failed.
pub(crate) type Status = Outcome<u8>;
