//! Packages of a Debian suite, had without adding the suite to the machine.
//!
//! `apt-get` runs over a private root (its own source list, lists and cache), so that it needs no
//! rights and changes nothing outside the cache folder. The archive is the one that the machine's
//! own apt sources name; `NOCTULE_DEBIAN_ARCHIVE` names another.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The keys of Debian's archive, as its keyring package installs them.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// A suite whose package lists have been fetched.
pub(crate) struct Suite {
    name: String,
    root: PathBuf,
}

impl Suite {
    /// Makes the private apt root in `root` and fetches the suite's package lists.
    pub(crate) fn prepare(name: &str, root: &Path) -> Result<Self> {
        for tool in ["apt-get", "dpkg-deb"] {
            if crate::packages::find(tool).is_none() {
                bail!("{tool} is missing: packages can be fetched on Debian and its kin only");
            }
        }
        for folder in ["lists/partial", "cache/archives/partial"] {
            let folder = root.join(folder);
            fs::create_dir_all(&folder)
                .with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let suite = Self { name: name.to_owned(), root: root.to_owned() };
        let archives = archives()?;
        if archives.is_empty() {
            bail!(
                "this machine's apt sources name no Debian archive; \
                 set NOCTULE_DEBIAN_ARCHIVE to the address of one"
            );
        }
        // A machine older than the suite may lack the key that signs it: the second try trusts the
        // archive's transport instead.
        for trust in [format!("[signed-by={KEYRING}]"), "[trusted=yes]".to_owned()] {
            for archive in &archives {
                let line = format!("deb {trust} {archive} {name} main\n");
                fs::write(suite.root.join("sources.list"), line)?;
                if suite.update() {
                    return Ok(suite);
                }
            }
        }
        bail!("`apt-get update` for Debian {name} failed");
    }

    /// The suite's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Downloads a package and unpacks its files below `folder`; nothing is installed.
    pub(crate) fn unpack(&self, package: &str, folder: &Path) -> Result<()> {
        let downloads = self.root.join("downloads");
        if downloads.exists() {
            fs::remove_dir_all(&downloads)?;
        }
        fs::create_dir_all(&downloads)?;
        let output = self
            .apt_get()
            .args(["download", package])
            .current_dir(&downloads)
            .output()
            .context("cannot run apt-get")?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
            bail!("could not download {package} of Debian {}: {reason}", self.name);
        }
        let archive = fs::read_dir(&downloads)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
            .with_context(|| format!("apt-get downloaded no file for {package}"))?;
        fs::create_dir_all(folder)?;
        let status = Command::new("dpkg-deb")
            .arg("-x")
            .args([&archive, &folder.to_path_buf()])
            .status()
            .context("cannot run dpkg-deb")?;
        fs::remove_dir_all(&downloads)?;
        if !status.success() {
            bail!("dpkg-deb could not unpack {package}");
        }
        Ok(())
    }

    /// The packages that `package` depends on.
    pub(crate) fn depends(&self, package: &str) -> Result<Vec<String>> {
        let mut command = self.apt("apt-cache");
        let output = command.args(["depends", package]).output().context("cannot run apt-cache")?;
        if !output.status.success() {
            bail!("Debian {} has no {package}", self.name);
        }
        Ok(depends_in(&String::from_utf8_lossy(&output.stdout)))
    }

    /// Fetches the package lists; false if the archive or its signature was refused.
    fn update(&self) -> bool {
        let done =
            self.apt_get().arg("update").output().is_ok_and(|output| output.status.success());
        let listed = fs::read_dir(self.root.join("lists")).is_ok_and(|mut entries| {
            entries.any(|entry| {
                entry.is_ok_and(|entry| entry.file_name().to_string_lossy().contains("Packages"))
            })
        });
        done && listed
    }

    /// `apt-get` over the private root.
    fn apt_get(&self) -> Command {
        self.apt("apt-get")
    }

    /// A program of apt's over the private root.
    fn apt(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let option = |key: &str, path: &Path| format!("{key}={}", path.display());
        command
            .args(["-qq", "-o"])
            .arg(option("Dir::Etc::sourcelist", &self.root.join("sources.list")))
            .args(["-o", "Dir::Etc::sourceparts=-", "-o", "APT::Architectures=amd64", "-o"])
            .arg(option("Dir::State::lists", &self.root.join("lists")))
            .arg("-o")
            .arg(option("Dir::Cache", &self.root.join("cache")))
            // As root apt would switch to a user that may not enter the cache folder.
            .args(["-o", "APT::Sandbox::User=root", "-o", "Acquire::Languages=none"])
            .env("LC_ALL", "C")
            .stdin(Stdio::null());
        command
    }
}

/// The Debian archives that this machine's apt sources name, in order.
fn archives() -> Result<Vec<String>> {
    if let Ok(archive) = std::env::var("NOCTULE_DEBIAN_ARCHIVE") {
        return Ok(vec![archive]);
    }
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    if let Ok(entries) = fs::read_dir("/etc/apt/sources.list.d") {
        let mut parts: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        parts.sort();
        files.extend(parts);
    }
    let mut found = Vec::new();
    for file in files {
        for archive in archives_in(&fs::read_to_string(&file).unwrap_or_default()) {
            if !found.contains(&archive) {
                found.push(archive);
            }
        }
    }
    Ok(found)
}

/// The addresses ending in `/debian` in a source list of either format.
fn archives_in(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| {
            let line = line.trim();
            match line.strip_prefix("URIs:") {
                Some(addresses) => Some(addresses),
                None => line.strip_prefix("deb "),
            }
        })
        .flat_map(str::split_whitespace)
        .map(|word| word.trim_end_matches('/'))
        .filter(|word| word.contains("://") && word.ends_with("/debian"))
        .map(str::to_owned)
        .collect()
}

/// The names behind `Depends:` in what `apt-cache depends` prints.
fn depends_in(text: &str) -> Vec<String> {
    let names = text.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
    names.map(|name| name.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_read() {
        let text = "linux-image-amd64\n  Depends: linux-image-9.9-amd64\n  Recommends: firmware\n";
        assert_eq!(depends_in(text), ["linux-image-9.9-amd64"]);
    }

    #[test]
    fn archives_are_read_from_both_formats() {
        let text = "# deb http://a.invalid/debian old main\n\
            deb [arch=amd64] http://b.invalid/debian/ stable main\n\
            deb http://c.invalid/debian-security stable main\n\
            Types: deb\nURIs: https://d.invalid/debian https://e.invalid/ubuntu\n";
        assert_eq!(archives_in(text), ["http://b.invalid/debian", "https://d.invalid/debian"]);
    }
}
