//! `cargo xtask soak` in short.

use anyhow::Result;

use super::program_path;
use crate::soak;

pub(super) fn frames_at_full_rate_are_all_counted_whatever_happens() -> Result<()> {
    soak::short(&program_path()?)
}
