//! Programs that come with Debian packages: found, or installed where that is allowed.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Result, bail};
use nix::unistd::geteuid;

use crate::lab::{self, tied};

/// How long apt may take for all it has to fetch.
const LIMIT: Duration = Duration::from_secs(600);

/// Makes sure that programs are there; each is named with the package that has it.
///
/// # Errors
/// One sentence with what is missing and the command that installs it.
pub(crate) fn ensure(wanted: &[(&str, &str)]) -> Result<()> {
    let packages = missing(wanted);
    if packages.is_empty() {
        return Ok(());
    }
    let list = packages.join(" ");
    if let Err(error) = install(&packages) {
        bail!("missing: {list}; `apt-get install {list}` ({error:#})");
    }
    match missing(wanted)[..] {
        [] => Ok(()),
        [..] => bail!("{list} installed, but a program is still missing"),
    }
}

/// The packages of those programs that are not there.
fn missing<'a>(wanted: &[(&'a str, &'a str)]) -> Vec<&'a str> {
    let absent = wanted.iter().filter(|(program, _)| find(program).is_none());
    let mut packages: Vec<_> = absent.map(|(_, package)| *package).collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

/// Looks a program up in PATH and in the places that an ordinary user's PATH may lack.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

fn install(packages: &[&str]) -> Result<()> {
    if find("apt-get").is_none() {
        bail!("this system has no apt-get");
    }
    static UPDATED: OnceLock<bool> = OnceLock::new();
    let updated = *UPDATED.get_or_init(|| {
        // With old lists an installation may still succeed.
        apt_get(&["update"]).is_ok()
    });
    let words = [&["install", "--no-install-recommends"], packages].concat();
    apt_get(&words).map_err(|error| match updated {
        true => error,
        false => error.context("`apt-get update` failed too"),
    })
}

fn apt_get(words: &[&str]) -> Result<()> {
    let mut command = match geteuid().is_root() {
        true => tied("apt-get".as_ref()),
        false => {
            let mut sudo = tied("sudo".as_ref());
            sudo.args(["--non-interactive", "--preserve-env=DEBIAN_FRONTEND", "apt-get"]);
            sudo
        }
    };
    let options = ["-qq", "--yes", "-o", "Acquire::http::Timeout=30", "-o", "Acquire::Retries=3"];
    command.args(options).args(["-o", "DPkg::Lock::Timeout=120"]).args(words);
    run(command.env("DEBIAN_FRONTEND", "noninteractive"))
}

fn run(command: &mut Command) -> Result<()> {
    let output = lab::run(command, LIMIT)?;
    if !output.status.success() {
        let said = output.stderr.trim().lines().next_back().unwrap_or("no reason given").to_owned();
        bail!("{said}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_needs_no_package() {
        assert!(find("sh").is_some());
        assert_eq!(
            missing(&[("sh", "dash"), ("no-such-program", "b"), ("none-either", "a")]),
            ["a", "b"]
        );
        ensure(&[("sh", "dash")]).unwrap();
    }
}
