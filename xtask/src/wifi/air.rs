//! Simulated radios: made by loading `mac80211_hwsim`, given to namespaces, told who hears whom.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::lab::{self, Namespace, Set, tied, wait_until};

/// How long a program that configures a radio may take.
const SOON: Duration = Duration::from_secs(300);
/// Where the kernel lists radios.
const RADIOS: &str = "/sys/class/ieee80211";
/// In MHz: channels 1 and 6, which every regulatory domain allows.
pub(super) const CHANNELS: [&str; 2] = ["2412", "2437"];

/// All radios of a case. They vanish with the next one.
pub(super) struct Air {
    radios: Vec<String>,
}

impl Air {
    /// So many new radios, which all hear each other.
    pub(super) fn new(count: usize) -> Result<Self> {
        modprobe(&["-r", "mac80211_hwsim"])?;
        modprobe(&["mac80211_hwsim", &format!("radios={count}")])?;
        let names = || -> Vec<String> {
            let entries = fs::read_dir(RADIOS).into_iter().flatten().flatten();
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
        };
        wait_until(SOON, "the radios appear", || names().len() == count)?;
        let mut radios = names();
        // phy9 comes before phy10.
        radios.sort_by_key(|name| (name.len(), name.clone()));
        Ok(Self { radios })
    }

    /// Gives a radio (they count from 0) to a namespace. It has no interface yet.
    pub(super) fn give(&self, index: usize, space: &Namespace) -> Result<Radio> {
        let name = self.radios.get(index).context("too few radios")?.clone();
        // The kernel wants to be told a process that is in the namespace.
        let holder = space.spawn("holder", &["sleep", "1000"])?;
        let mut command = tied("iw".as_ref());
        command.args(["phy", &name, "set", "netns", &holder.id().to_string()]);
        lab::run(&mut command, SOON)?.success()?;
        let radio = Radio { name, space: space.clone() };
        for link in space.links()? {
            if link.name.starts_with("wlan") {
                radio.iw(&["dev", &link.name, "del"])?;
            }
        }
        Ok(radio)
    }
}

fn modprobe(words: &[&str]) -> Result<()> {
    let command = std::env::var("MODPROBE").context("not inside a guest")?;
    let mut parts = command.split_whitespace();
    let mut command = tied(parts.next().context("MODPROBE is empty")?.as_ref());
    lab::run(command.args(parts).args(words), SOON)?.success()?;
    Ok(())
}

/// A radio in a namespace.
pub(super) struct Radio {
    name: String,
    space: Namespace,
}

impl Radio {
    /// Runs `iw WORDS` beside the radio.
    pub(super) fn iw(&self, words: &[&str]) -> Result<String> {
        self.space.run(&[&["iw"], words].concat(), SOON)?.success()
    }

    /// Makes an interface of the type that `iw` calls `kind`, down.
    pub(super) fn add_interface(&self, name: &str, kind: &[&str], mac: [u8; 6]) -> Result<()> {
        // By its number: sysfs, which knows the name, shows the radios of another namespace.
        let number = self.name.replace("phy", "phy#");
        let words = [&number, "interface", "add", name, "type"];
        self.iw(&[&words, kind].concat())?;
        self.space.set_link(name, &[Set::Mac(mac)])
    }

    /// Who hears it: radios that share a bit with it.
    pub(super) fn set_groups(&self, bits: u64) -> Result<()> {
        self.debug("group", &bits.to_string())
    }

    /// Writes a file of the simulation's own.
    fn debug(&self, file: &str, value: &str) -> Result<()> {
        let path: PathBuf =
            Path::new("/sys/kernel/debug/ieee80211").join(&self.name).join("hwsim").join(file);
        ensure!(path.exists(), "the simulation has no {}", path.display());
        fs::write(&path, value).with_context(|| format!("cannot write {}", path.display()))
    }
}
