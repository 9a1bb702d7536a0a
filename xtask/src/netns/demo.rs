//! `cargo xtask demo lan`, so that it works on the day that somebody looks.

use anyhow::Result;

use super::program_path;
use crate::demo::lan;
use crate::node::check_tun;

pub(super) fn demo_lan_shows_what_it_says() -> Result<()> {
    check_tun()?;
    lan::show(&program_path()?)
}
