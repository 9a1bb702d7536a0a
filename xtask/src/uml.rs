//! User-mode-Linux kernels that carry the real `batman-adv` module.
//!
//! A user-mode-Linux kernel is an ordinary program: no virtualisation, no root and no network are
//! needed to boot one, and it starts in about two seconds. Debian ships it as a package, so a
//! kernel is fetched from the package archive this machine already uses (see [`apt`]), unpacked into
//! a cache without being installed, and booted with this machine's own file tree as its root (see
//! [`guest`]).

pub(crate) mod apt;
pub(crate) mod guest;
mod modules;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::packages;

/// A kernel release whose `batman-adv` the project is compared with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Release {
    /// Linux 6.1 of Debian bookworm (reports itself as batman-adv 2022.3).
    V6_1,
    /// Linux 7.2 of Debian sid (batman-adv of 2026.2).
    V7_2,
}

impl Release {
    /// All releases, oldest first.
    pub(crate) const ALL: [Self; 2] = [Self::V6_1, Self::V7_2];

    /// The name used on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::V6_1 => "6.1",
            Self::V7_2 => "7.2",
        }
    }

    /// The Debian suite whose kernel packages are of this release.
    pub(crate) const fn suite(self) -> &'static str {
        match self {
            Self::V6_1 => "bookworm",
            Self::V7_2 => "sid",
        }
    }

    /// Finds a release by its command line name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|release| release.name() == name)
    }
}

/// A kernel that is ready to boot.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    /// What the kernel calls itself, for example `6.1.176`.
    pub(crate) release: String,
    /// The program to run.
    binary: PathBuf,
    /// A folder with `lib/modules/RELEASE` below it, as `modprobe -d` wants it.
    module_tree: PathBuf,
}

impl Kernel {
    /// Finds the kernel on this machine or in the cache, or fetches it.
    ///
    /// # Errors
    /// If it cannot be had here; the message says why in one sentence, so that a caller can report
    /// the scenarios as skipped.
    pub(crate) fn get(asked: Release) -> Result<Self> {
        if std::env::consts::ARCH != "x86_64" {
            bail!("user-mode Linux exists for x86-64 only");
        }
        let cache = cache_folder()?;
        let (binary, modules) = match installed(asked) {
            Some(found) => found,
            None => fetched(asked, &cache)?,
        };
        let release = fs::read_dir(&modules)
            .with_context(|| format!("no kernel modules in {}", modules.display()))?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .max()
            .with_context(|| format!("no kernel modules in {}", modules.display()))?;
        let module_tree = modules::tree(&cache, &modules, &release)?;
        Ok(Self { release, binary, module_tree })
    }
}

/// The folder that keeps kernels and module trees between runs: downloads are tens of megabytes.
pub(crate) fn cache_folder() -> Result<PathBuf> {
    let base = match (std::env::var_os("XDG_CACHE_HOME"), std::env::var_os("HOME")) {
        (Some(cache), _) if !cache.is_empty() => PathBuf::from(cache),
        (_, Some(home)) if !home.is_empty() => PathBuf::from(home).join(".cache"),
        _ => bail!("neither XDG_CACHE_HOME nor HOME is set: no place to keep a kernel"),
    };
    let cache = base.join("noctule").join("uml");
    fs::create_dir_all(&cache).with_context(|| format!("cannot make {}", cache.display()))?;
    Ok(cache)
}

/// The machine's own `user-mode-linux` package, if it is of the release asked for.
fn installed(asked: Release) -> Option<(PathBuf, PathBuf)> {
    let binary = PathBuf::from("/usr/bin/linux.uml");
    let modules = PathBuf::from("/usr/lib/uml/modules");
    let version = version_of(&binary)?;
    let matches = version.starts_with(&format!("{}.", asked.name()));
    (matches && modules.join(version).is_dir()).then_some((binary, modules))
}

/// What the kernel says to `--version`; `None` if it does not run here.
fn version_of(binary: &Path) -> Option<String> {
    let output = Command::new(binary).arg("--version").stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let version = text.trim();
    (output.status.success() && !version.is_empty()).then(|| version.to_owned())
}

/// The kernel from the package archive, unpacked into the cache.
fn fetched(asked: Release, cache: &Path) -> Result<(PathBuf, PathBuf)> {
    let home = cache.join(asked.suite());
    let unpacked = home.join("root");
    let binary = unpacked.join("usr/bin/linux.uml");
    let modules = unpacked.join("usr/lib/uml/modules");
    let complete = home.join("complete");
    let _lock = lock(&cache.join(format!("{}.lock", asked.suite())))?;
    if !complete.exists() {
        let suite = apt::Suite::prepare(asked.suite(), &home.join("apt"))?;
        if unpacked.exists() {
            fs::remove_dir_all(&unpacked)?;
        }
        suite.unpack("user-mode-linux", &unpacked)?;
        if version_of(&binary).is_none() {
            lend_c_library(&suite, &home, &binary)?;
        }
        fs::write(&complete, "")?;
    }
    Ok((binary, modules))
}

/// A kernel of a newer suite may need that suite's C library: it is unpacked beside the kernel, and
/// only the kernel uses it. The guest's programs are this machine's own.
fn lend_c_library(suite: &apt::Suite, home: &Path, binary: &Path) -> Result<()> {
    let libc = home.join("libc");
    if libc.exists() {
        fs::remove_dir_all(&libc)?;
    }
    suite.unpack("libc6", &libc)?;
    let folder = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"]
        .map(|path| libc.join(path))
        .into_iter()
        .find(|folder| folder.join("libc.so.6").exists())
        .context("the libc6 package holds no libc.so.6")?;
    let patchelf = patchelf(suite, home)?;
    let status = Command::new(&patchelf)
        .arg("--set-interpreter")
        .arg(folder.join("ld-linux-x86-64.so.2"))
        .args(["--force-rpath", "--set-rpath"])
        .args([&folder, &binary.to_path_buf()])
        .status()
        .with_context(|| format!("cannot run {}", patchelf.display()))?;
    if !status.success() || version_of(binary).is_none() {
        bail!("the kernel of Debian {} does not start on this machine", suite.name());
    }
    Ok(())
}

/// `patchelf` of this machine, else of the suite that this machine's own package tools can run.
fn patchelf(suite: &apt::Suite, home: &Path) -> Result<PathBuf> {
    if let Some(found) = packages::find("patchelf") {
        return Ok(found);
    }
    let folder = home.join("patchelf");
    let fallback = apt::Suite::prepare(Release::V6_1.suite(), &home.join("apt-patchelf"));
    fallback
        .as_ref()
        .unwrap_or(suite)
        .unpack("patchelf", &folder)
        .context("patchelf is missing; `apt-get install patchelf`")?;
    Ok(folder.join("usr/bin/patchelf"))
}

/// Holds a lock file until dropped: two runs at a time must not unpack into the same folder.
pub(crate) fn lock(path: &Path) -> Result<nix::fcntl::Flock<fs::File>> {
    let file = fs::File::create(path).with_context(|| format!("cannot make {}", path.display()))?;
    nix::fcntl::Flock::lock(file, nix::fcntl::FlockArg::LockExclusive)
        .map_err(|(_, errno)| anyhow::anyhow!("cannot lock {}: {errno}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_found_by_their_names() {
        for release in Release::ALL {
            assert_eq!(Release::from_name(release.name()), Some(release));
        }
        assert_eq!(Release::from_name("5.10"), None);
    }
}
