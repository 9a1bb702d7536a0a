//! Names for MAC addresses, from the bat-hosts files (MGMT-20).

use noctule_wire::Mac;
use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// Longest name in bytes.
const NAME_LEN_MAX: usize = 49;
/// Longest file that is read, bytes: names for 20,000 addresses.
const FILE_LEN_MAX: u64 = 1 << 20;

/// Names by address and addresses by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct BatHosts {
    names: BTreeMap<Mac, String>,
}

impl BatHosts {
    /// The names in `/etc/bat-hosts`, `~/bat-hosts` and `./bat-hosts`; later definitions win, and the same file is read
    /// once.
    pub(crate) fn load() -> Self {
        let home = env::var_os("HOME").map(|home| Path::new(&home).join("bat-hosts"));
        let places =
            [Some(PathBuf::from("/etc/bat-hosts")), home, Some(PathBuf::from("bat-hosts"))];
        Self::load_from(places.into_iter().flatten())
    }

    fn load_from(places: impl IntoIterator<Item = PathBuf>) -> Self {
        let mut hosts = Self::default();
        let mut read = Vec::new();
        for place in places {
            let Ok(file) = fs::canonicalize(place) else { continue };
            if read.contains(&file)
                || fs::metadata(&file)
                    .map_or(true, |found| found.len() > FILE_LEN_MAX || !found.is_file())
            {
                continue;
            }
            if let Ok(bytes) = fs::read(&file) {
                hosts.add(&String::from_utf8_lossy(&bytes));
            }
            read.push(file);
        }
        hosts
    }

    pub(crate) fn add(&mut self, text: &str) {
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            let (Some(mac), Some(name)) = (words.next(), words.next()) else { continue };
            if let Ok(mac) = mac.parse()
                && name.len() <= NAME_LEN_MAX
            {
                // A name means one address: the one it was given last.
                self.names.retain(|_, other| other != name);
                self.names.insert(mac, name.to_owned());
            }
        }
    }

    /// The address of a name.
    pub(crate) fn mac(&self, name: &str) -> Option<Mac> {
        self.names.iter().find(|(_, known)| *known == name).map(|(mac, _)| *mac)
    }

    /// The name of an address.
    pub(crate) fn name(&self, mac: Mac) -> Option<&str> {
        self.names.get(&mac).map(String::as_str)
    }

    /// The name if there is one, or else the address.
    pub(crate) fn show(&self, mac: Mac) -> String {
        self.name(mac).map_or_else(|| mac.to_string(), str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Mac = Mac([2, 0, 0, 0, 0, 1]);
    const B: Mac = Mac([2, 0, 0, 0, 0, 2]);

    /// MGMT-20: MAC, white space, name; `#` comments; at most 49 characters; later definitions win.
    #[test]
    fn mgmt_20_lines_are_read_and_later_ones_win() {
        let mut hosts = BatHosts::default();
        let long = "n".repeat(50);
        hosts.add(&format!(
            "# nodes\n02:00:00:00:00:01 anna # first\n\n  02:00:00:00:00:02\t ben\nbogus carl\n02:00:00:00:00:03\n02:00:00:00:00:04 {long}\n"
        ));
        assert_eq!((hosts.name(A), hosts.name(B)), (Some("anna"), Some("ben")));
        assert_eq!(hosts.names.len(), 2);
        assert_eq!((hosts.mac("ben"), hosts.mac("carl")), (Some(B), None));
        assert_eq!(hosts.show(Mac([9; 6])), "09:09:09:09:09:09");
        hosts.add("02:00:00:00:00:01 berta\n02:00:00:00:00:01 ben\n");
        assert_eq!((hosts.name(A), hosts.name(B), hosts.mac("anna")), (Some("ben"), None, None));
    }

    /// MGMT-20: the files in order, the same file only once, whatever it is called.
    #[test]
    fn mgmt_20_files_are_read_in_order_and_once() {
        let directory = env::temp_dir().join(format!("noctule-bat-hosts-{}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        let place = |name: &str| directory.join(name);
        fs::write(place("first"), "02:00:00:00:00:01 anna\n").unwrap();
        fs::write(place("second"), "02:00:00:00:00:01 ben\n").unwrap();
        std::os::unix::fs::symlink(place("first"), place("again")).unwrap();
        let hosts = BatHosts::load_from([
            place("first"),
            place("second"),
            place("again"),
            place("missing"),
            directory.clone(),
        ]);
        assert_eq!(hosts.name(A), Some("ben"), "the first file was not read a second time");
        fs::remove_dir_all(&directory).unwrap();
    }
}
