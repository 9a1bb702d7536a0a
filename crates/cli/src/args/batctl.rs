//! What is typed in the words of `batctl`, in ours (MGMT-14, MGMT section 4): selectors before the command, settings as commands, queries
//! for JSON. Whoever has scripts for the one can use them with the other.

use clap::CommandFactory;
use noctule_daemon::netlink;
use noctule_daemon::settings::setting_words;
use std::ffi::OsString;

/// What a device is to the mesh.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Device {
    /// A mesh interface.
    Mesh,
    /// A VLAN device with this id, above this mesh interface if that is known.
    Vlan(u16, Option<String>),
    /// Any other.
    Hard,
}

/// `batctl`'s queries for JSON: name, alias, our words.
const QUERIES: &[(&str, &str, &str)] = &[
    ("bla_backbone_json", "bbj", "backbonetable"),
    ("bla_claim_json", "clj", "claimtable"),
    ("dat_cache_json", "dcj", "dat_cache"),
    ("gateways_json", "gwj", "gateways"),
    ("hardif_json", "hj", "interfaces"),
    ("hardifs_json", "hj", "interfaces"),
    ("mcast_flags_json", "mfj", "mcast_flags"),
    ("mesh_json", "mj", "status"),
    ("neighbors_json", "nj", "neighbors"),
    ("originators_json", "oj", "originators"),
    ("transtable_global_json", "tgj", "transglobal"),
    ("transtable_local_json", "tlj", "translocal"),
    ("vlan_json", "vj", "vlans"),
];

/// Commands of `batctl` that are not here: name, alias, and what to do in their place.
const ABSENT: &[(&str, &str, &str)] = &[(
    "bisect_iv",
    "bisect_iv",
    "none here: look at \"noctule events\", or at the log with \"noctule set loglevel debug\"",
)];

/// Finds out what a device is.
pub(super) fn device(name: &str) -> Option<Device> {
    let links = netlink::list().ok()?;
    let link = links.named(name)?;
    Some(match link.vlan {
        _ if link.is_mesh() => Device::Mesh,
        Some(id) => {
            let mesh = link.parent.and_then(|index| links.get(index)).filter(|link| link.is_mesh());
            Device::Vlan(id, mesh.map(|mesh| mesh.name.clone()))
        }
        None => Device::Hard,
    })
}

/// Whether a word is a command, here or there (MGMT-15).
fn is_command(word: &str) -> bool {
    let is = |(name, alias): (&str, &str)| word == name || (!alias.is_empty() && word == alias);
    super::Args::command().find_subcommand(word).is_some()
        || setting_words().any(is)
        || QUERIES.iter().chain(ABSENT).any(|(name, alias, _)| is((name, alias)))
}

/// Puts what was typed into our words; what is in them already stays as it is.
///
/// # Errors
/// One sentence.
pub(super) fn in_our_words(
    typed: Vec<OsString>,
    device: impl Fn(&str) -> Option<Device>,
) -> Result<Vec<OsString>, String> {
    // What is no text is a path, or wrong in a way that is told later.
    let Some(words) = typed.iter().map(|word| word.to_str()).collect::<Option<Vec<&str>>>() else {
        return Ok(typed);
    };
    let Some((program, mut rest)) = words.split_first() else { return Ok(typed) };
    let mut before: Vec<String> = vec![(*program).to_owned()];
    let (mut vlan, mut interface): (Option<u16>, Option<String>) = (None, None);
    let command = loop {
        let Some((word, others)) = rest.split_first() else { return Ok(typed) };
        let (word, others): (&str, &[&str]) = (word, others);
        match (word, others.split_first()) {
            ("--mesh" | "--socket", Some((value, others))) => {
                before.extend([word, value].map(str::to_owned));
                rest = others;
            }
            ("-m" | "meshif", Some((name, others))) => {
                before.extend(["--mesh".to_owned(), (*name).to_owned()]);
                rest = others;
            }
            ("vid", Some((id, others))) => {
                // To the module 0 is a VLAN that there never is (MGMT-06).
                let number = id.parse().ok().filter(|number| (1..=4095).contains(number));
                vlan = Some(number.ok_or_else(|| {
                    format!("vid {id}: must be 1 to 4095; what is in no VLAN has the setting of the mesh")
                })?);
                rest = others;
            }
            ("hardif", Some((name, others))) => {
                interface = Some((*name).to_owned());
                rest = others;
            }
            // Of ours, `vlan` is the table.
            ("vlan", Some((name, others))) if !name.starts_with('-') => {
                let Some(Device::Vlan(id, mesh)) = device(name) else {
                    return Err(format!(
                        "{name}: no VLAN device: name one, or give the number with \"vid N\""
                    ));
                };
                vlan = Some(id);
                before.extend(mesh.into_iter().flat_map(|mesh| ["--mesh".to_owned(), mesh]));
                rest = others;
            }
            _ if word.starts_with('-') => {
                before.push(word.to_owned());
                rest = others;
            }
            // A bare device, if what follows can be a command (or a selector) for it.
            (_, Some((next, _))) if !is_command(word) && (is_command(next) || *next == "vid") => {
                match device(word) {
                    None => return Ok(typed),
                    Some(Device::Mesh) => before.extend(["--mesh".to_owned(), word.to_owned()]),
                    Some(Device::Hard) => interface = Some(word.to_owned()),
                    Some(Device::Vlan(id, mesh)) => {
                        vlan = Some(id);
                        before
                            .extend(mesh.into_iter().flat_map(|mesh| ["--mesh".to_owned(), mesh]));
                    }
                }
                rest = others;
            }
            _ => {
                rest = others;
                break word;
            }
        }
    };
    let one = |(name, alias, _): &&(&str, &str, &str)| command == *name || command == *alias;
    if let Some((name, _, sentence)) = ABSENT.iter().find(one) {
        return Err(format!("{name}: {sentence}"));
    }
    if let ("interface" | "interfaces" | "if", Some(action @ ("create" | "c" | "destroy" | "D"))) =
        (command, rest.iter().copied().find(|word| !word.starts_with('-')))
    {
        return Err(format!(
            "interface {action}: the mesh interface comes with \"noctule run\" and goes when that ends"
        ));
    }
    let behind: Vec<String> = rest.iter().map(|word| (*word).to_owned()).collect();
    let context = |takes: [&str; 2]| {
        let mut words = Vec::new();
        for (option, value) in takes.into_iter().zip([&interface, &vlan.map(|id| id.to_string())]) {
            match value {
                Some(_) if option.is_empty() => {
                    return Err(format!(
                        "{command}: not of a single interface or VLAN: leave out the words before it"
                    ));
                }
                Some(value) => words.extend([option.to_owned(), value.clone()]),
                None => {}
            }
        }
        Ok(words)
    };
    let ours: Vec<String> = if let Some((.., table)) = QUERIES.iter().find(one) {
        let context = context(match *table {
            "interfaces" => ["--only", ""],
            "vlans" => ["", "--vlan"],
            _ => ["", ""],
        })?;
        [vec![(*table).to_owned(), "--json".to_owned()], context, behind].concat()
    } else if super::Args::command().find_subcommand(command).is_some() {
        // With `set` and `vlans` the words before do as well as the options behind.
        let context = context(match command {
            "set" => ["--interface", "--vlan"],
            "vlans" | "vlan" => ["", "--vlan"],
            "originators" | "o" => ["-i", ""],
            _ => ["", ""],
        })?;
        [vec![command.to_owned()], context, behind].concat()
    } else if setting_words().any(|(name, alias)| command == name || command == alias) {
        let context = match (&interface, vlan) {
            (Some(name), _) => vec!["--interface".to_owned(), name.clone()],
            (None, Some(id)) => vec!["--vlan".to_owned(), id.to_string()],
            (None, None) => Vec::new(),
        };
        [vec!["set".to_owned(), command.to_owned()], context, behind].concat()
    } else {
        return Ok(typed);
    };
    Ok(before.into_iter().chain(ours).map(OsString::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands for `line`, with some devices that exist.
    fn ours(line: &str) -> Result<String, String> {
        let device = |name: &str| match name {
            "bat0" | "bat7" => Some(Device::Mesh),
            "bat7.10" => Some(Device::Vlan(10, Some("bat7".into()))),
            "br0.10" => Some(Device::Vlan(10, None)),
            // Named like a command: never taken for a device (MGMT-15).
            "eth0" | "o" => Some(Device::Hard),
            _ => None,
        };
        let typed = std::iter::once("noctule").chain(line.split_whitespace()).map(Into::into);
        let words = in_our_words(typed.collect(), device)?;
        let words: Vec<_> = words[1..].iter().map(|word| word.to_str().unwrap()).collect();
        Ok(words.join(" "))
    }

    #[test]
    fn mgmt_14_mgmt_15_mgmt_16_selectors_go_before_the_command() {
        #[rustfmt::skip]
        let rows = [
            ("meshif bat7 o -n", "--mesh bat7 o -n"),
            ("bat7 o", "--mesh bat7 o"),
            ("-m bat7 tl", "--mesh bat7 tl"),
            ("meshif bat7 vid 10 ap 1", "--mesh bat7 set ap --vlan 10 1"),
            ("bat7 vid 10 ap_isolation", "--mesh bat7 set ap_isolation --vlan 10"),
            ("vlan bat7.10 ap enabled", "--mesh bat7 set ap --vlan 10 enabled"),
            ("vlan br0.10 ap", "set ap --vlan 10"),
            ("bat7.10 vlan_json", "--mesh bat7 vlans --json --vlan 10"),
            ("vid 10 vj", "vlans --json --vlan 10"),
            ("hardif eth0 hp 7", "set hp --interface eth0 7"),
            ("eth0 hop_penalty", "set hop_penalty --interface eth0"),
            ("hardif eth0 originators -n", "originators -i eth0 -n"),
            ("hardif eth0 hj", "interfaces --json --only eth0"),
            ("hj", "interfaces --json"),
            ("o o", "o o"),
            ("originatorz", "originatorz"),
            ("eth9 o", "eth9 o"),
            ("vlan", "vlan"),
            ("vlan -H", "vlan -H"),
            ("", ""),
            ("meshif", "meshif"),
        ];
        for (line, expected) in rows {
            assert_eq!(ours(line).as_deref(), Ok(expected), "{line}");
        }
        #[rustfmt::skip]
        let rows = [
            ("vid 4096 ap", "vid 4096: must be 1 to 4095; what is in no VLAN has the setting of the mesh"),
            ("vid 0 ap", "vid 0: must be 1 to 4095; what is in no VLAN has the setting of the mesh"),
            ("vid x ap", "vid x: must be 1 to 4095; what is in no VLAN has the setting of the mesh"),
            ("vlan eth0 ap", "eth0: no VLAN device: name one, or give the number with \"vid N\""),
            ("if create", "interface create: the mesh interface comes with \"noctule run\" and goes when that ends"),
            ("bat0 interface -M D", "interface D: the mesh interface comes with \"noctule run\" and goes when that ends"),
            ("hardif eth0 tl", "tl: not of a single interface or VLAN: leave out the words before it"),
            ("vid 10 mj", "mj: not of a single interface or VLAN: leave out the words before it"),
        ];
        for (line, sentence) in rows {
            assert_eq!(ours(line).as_ref().map_err(String::as_str), Err(sentence), "{line}");
        }
    }

    /// Every command and alias of `batctl -h`, those of bridge loop avoidance apart: it is a command here, or says why not.
    #[test]
    fn mgmt_38_every_word_of_batctl_is_answered() {
        #[rustfmt::skip]
        let words = [
            "aggregation ag", "ap_isolation ap", "bisect_iv bisect_iv", "bonding b", "distributed_arp_table dat",
            "elp_interval et", "event e", "fragmentation f", "gw_mode gw", "hop_penalty hp", "interface if",
            "isolation_mark mark", "loglevel ll", "multicast_fanout mo", "multicast_forceflood mff", "multicast_mode mm",
            "network_coding nc", "orig_interval it", "ping p", "routing_algo ra", "statistics s", "tcpdump td",
            "throughput_override to", "throughputmeter tp", "traceroute tr", "translate t", "dat_cache dc", "gateways gwl",
            "mcast_flags mf", "neighbors n", "originators o", "transglobal tg", "translocal tl", "dat_cache_json dcj",
            "gateways_json gwj", "hardif_json hj", "hardifs_json hj", "mcast_flags_json mfj", "mesh_json mj",
            "bla_backbone_json bbj", "bla_claim_json clj", "backbonetable bbt", "claimtable cl", "bridge_loop_avoidance bl", "neighbors_json nj", "originators_json oj", "transtable_global_json tgj", "transtable_local_json tlj",
            "vlan_json vj",
        ];
        for pair in words {
            let (name, alias) = pair.split_once(' ').unwrap();
            for word in [name, alias] {
                match ours(word) {
                    Ok(ours) => {
                        let first = ours.split(' ').next().unwrap_or_default();
                        let known = super::super::Args::command();
                        assert!(known.find_subcommand(first).is_some(), "{word}: {ours}");
                    }
                    Err(sentence) => {
                        assert!(sentence.starts_with(&format!("{name}: ")), "{sentence}")
                    }
                }
            }
        }
        assert_eq!(ours("it 300").as_deref(), Ok("set it 300"));
        assert_eq!(ours("gw server 5mbit").as_deref(), Ok("set gw server 5mbit"));
        assert_eq!(
            ours("--json --socket x oj -i e1").as_deref(),
            Ok("--json --socket x originators --json -i e1")
        );
    }
}
