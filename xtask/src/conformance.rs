//! `cargo xtask conformance`: which test proves which rule of docs/protocol.
//!
//! Writes `docs/conformance.md`. With `--check` it writes nothing and fails if the page is stale. A
//! rule counts as proven by a test that names its ID; whether the test really proves it is the
//! business of the person who wrote the ID there, and of the review.

mod left_out;
mod page;
mod proofs;
mod rules;

use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::{BadUse, paths};
use left_out::LeftOut;
use proofs::Proofs;
use rules::Page;

/// The page that is written, below the project's folder.
const PAGE: &str = "docs/conformance.md";
/// What is left out and why, below the project's folder.
const LEFT_OUT: &str = "docs/left-out.toml";
/// The rules, below the project's folder.
const PROTOCOL: &str = "docs/protocol";

/// Writes or checks the page.
pub(crate) fn main(arguments: &[String]) -> Result<ExitCode> {
    let check = match arguments {
        [] => false,
        [only] if only == "--check" => true,
        _ => return Err(BadUse::because("cargo xtask conformance [--check]")),
    };
    let project = paths::project();
    let pages = Page::read_all(&project.join(PROTOCOL))?;
    let left_out = LeftOut::read(&project.join(LEFT_OUT))?;
    left_out.check(&pages)?;
    let proofs = Proofs::collect(project, &pages)?;
    let text = page::write(&pages, &proofs, &left_out);
    let path = project.join(PAGE);
    if !check {
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        println!("{PAGE}: {}", page::summary(&pages, &proofs, &left_out));
    } else if fs::read_to_string(&path).unwrap_or_default() != text {
        bail!("{PAGE} is stale: run `cargo xtask conformance` and commit the page");
    } else {
        println!("{PAGE} is up to date: {}", page::summary(&pages, &proofs, &left_out));
    }
    Ok(ExitCode::SUCCESS)
}
