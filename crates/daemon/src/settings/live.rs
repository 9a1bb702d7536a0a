//! The settings that a running node can change: one table, from which `noctule set` and the control socket have
//! everything they know. A new setting is one row of [`TABLE`].
//!
//! Names, aliases and ways to write a value are batctl's (MGMT-22, MGMT section 4.1). A value out of its range is refused,
//! where the module would silently take another one.

use super::gateway::{self, MODES};
use super::{LogLevel, nearest};
use crate::api::SettingValue;
use noctule_control::{self as control, GatewayMode, RoutingAlgorithm};
use noctule_fib::Isolation;
use noctule_wire::Vid;
use std::sync::Arc;
use std::time::Duration;

/// What settings are read from and written to.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    /// Of the whole mesh.
    pub(crate) engine: control::Settings,
    pub(crate) log: LogLevel,
    /// Of the mesh interface.
    pub(crate) tap_offload: bool,
    /// Of the hard interface that is meant ([`Scope::Interface`]).
    pub(crate) interface: control::IfaceSettings,
    /// The VLAN that is meant; untagged for the whole mesh.
    pub(crate) vid: Vid,
}

impl Live {
    /// All defaults of a node that runs `algorithm`.
    pub(crate) fn new(algorithm: RoutingAlgorithm) -> Self {
        let engine = control::Settings {
            routing_algorithm: algorithm,
            gateway_class: algorithm.default_class(),
            ..control::Settings::default()
        };
        Self { engine, ..Self::default() }
    }
}

impl Default for Live {
    fn default() -> Self {
        Self {
            engine: control::Settings::default(),
            log: LogLevel::default(),
            tap_offload: true,
            interface: control::IfaceSettings::default(),
            vid: Vid::default(),
        }
    }
}

/// What a setting belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scope {
    /// The whole mesh.
    Mesh,
    /// One hard interface.
    Interface,
    /// One VLAN of the mesh interface.
    Vlan,
}

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    /// batctl's short name; empty if there is none.
    pub(crate) alias: &'static str,
    pub(crate) scope: Scope,
    kind: Kind,
}

/// What values there are, and where they are.
#[derive(Debug)]
enum Kind {
    Switch {
        get: fn(&Live) -> bool,
        set: fn(&mut Live, bool),
    },
    Number {
        min: u64,
        max: fn(&Live) -> u64,
        unit: &'static str,
        get: fn(&Live) -> u64,
        set: fn(&mut Live, u64),
    },
    Word {
        words: &'static [&'static str],
        get: fn(&Live) -> usize,
        set: fn(&mut Live, usize),
    },
    /// Anything else.
    Text {
        values: &'static str,
        get: fn(&Live) -> String,
        /// `false` if it cannot be.
        set: fn(&mut Live, &str) -> bool,
    },
}

/// In the order of the modes.
const GATEWAY_MODES: &[&str] = &["off", "client", "server"];
const LEVELS: &[&str] = &["error", "warn", "info", "debug", "trace"];

/// Every setting, mesh first, in the order in which they are shown.
#[rustfmt::skip]
pub(crate) const TABLE: &[Setting] = &[
    Setting { name: "aggregation", alias: "ag", scope: Scope::Mesh, kind: Kind::Switch {
        get: |live| live.engine.aggregation, set: |live, on| live.engine.aggregation = on } },
    Setting { name: "ap_isolation", alias: "ap", scope: Scope::Mesh, kind: AP_ISOLATION },
    Setting { name: "bridge_loop_avoidance", alias: "bl", scope: Scope::Mesh, kind: Kind::Switch {
        get: |live| live.engine.bridge_loop_avoidance, set: |live, on| live.engine.bridge_loop_avoidance = on } },
    Setting { name: "clamp_mss", alias: "", scope: Scope::Mesh, kind: Kind::Switch {
        get: |live| live.engine.clamp_mss, set: |live, on| live.engine.clamp_mss = on } },
    Setting { name: "distributed_arp_table", alias: "dat", scope: Scope::Mesh, kind: Kind::Switch {
        get: |live| live.engine.distributed_arp_table, set: |live, on| live.engine.distributed_arp_table = on } },
    Setting { name: "fragmentation", alias: "f", scope: Scope::Mesh, kind: Kind::Switch {
        get: |live| live.engine.fragmentation, set: |live, on| live.engine.fragmentation = on } },
    Setting { name: "gw_bandwidth", alias: "", scope: Scope::Mesh, kind: Kind::Text {
        values: gateway::BANDWIDTHS,
        get: |live| gateway::written_bandwidth(live.engine.gateway_bandwidth),
        set: |live, text| gateway::bandwidth(text, live.engine.gateway_bandwidth)
            .map(|bandwidth| live.engine.gateway_bandwidth = bandwidth).is_ok() } },
    Setting { name: "gw_mode", alias: "gw", scope: Scope::Mesh, kind: Kind::Word {
        words: GATEWAY_MODES,
        get: |live| live.engine.gateway_mode as usize,
        set: |live, n| live.engine.gateway_mode = MODES[n].1 } },
    Setting { name: "gw_sel_class", alias: "", scope: Scope::Mesh, kind: Kind::Number {
        min: 1, max: |live| live.engine.routing_algorithm.class_max().into(), unit: "",
        get: |live| live.engine.gateway_class.into(), set: |live, n| live.engine.gateway_class = n as u32 } },
    Setting { name: "hop_penalty", alias: "hp", scope: Scope::Mesh, kind: Kind::Number {
        min: 0, max: |_| 255, unit: "",
        get: |live| live.engine.hop_penalty.into(), set: |live, n| live.engine.hop_penalty = n as u8 } },
    Setting { name: "loglevel", alias: "ll", scope: Scope::Mesh, kind: Kind::Word {
        words: LEVELS, get: |live| live.log as usize, set: |live, n| live.log = LogLevel::NAMES[n].1 } },
    Setting { name: "mtu_probing", alias: "", scope: Scope::Mesh, kind: Kind::Switch {
        get: |live| live.engine.mtu_probing, set: |live, on| live.engine.mtu_probing = on } },
    Setting { name: "multicast_fanout", alias: "mo", scope: Scope::Mesh, kind: Kind::Number {
        min: 0, max: |_| u32::MAX as u64, unit: "receivers",
        get: |live| live.engine.multicast_fanout.into(), set: |live, n| live.engine.multicast_fanout = n as u32 } },
    Setting { name: "multicast_forceflood", alias: "mff", scope: Scope::Mesh, kind: Kind::Switch {
        get: |live| live.engine.multicast_forceflood, set: |live, on| live.engine.multicast_forceflood = on } },
    Setting { name: "multicast_mode", alias: "mm", scope: Scope::Mesh, kind: Kind::Switch {
        get: |live| !live.engine.multicast_forceflood, set: |live, on| live.engine.multicast_forceflood = !on } },
    Setting { name: "neighbour_discovery_cache", alias: "", scope: Scope::Mesh, kind: Kind::Switch {
        get: |live| live.engine.neighbour_discovery_cache, set: |live, on| live.engine.neighbour_discovery_cache = on } },
    Setting { name: "orig_interval", alias: "it", scope: Scope::Mesh, kind: Kind::Number {
        min: control::Settings::ORIG_INTERVAL_MIN.as_millis() as u64,
        max: |_| control::Settings::ORIG_INTERVAL_MAX.as_millis() as u64, unit: "milliseconds",
        get: |live| live.engine.orig_interval.as_millis() as u64,
        set: |live, n| live.engine.orig_interval = Duration::from_millis(n) } },
    Setting { name: "elp_interval", alias: "et", scope: Scope::Interface, kind: Kind::Number {
        min: control::IfaceSettings::ELP_INTERVAL_MIN.as_millis() as u64,
        max: |_| control::IfaceSettings::ELP_INTERVAL_MAX.as_millis() as u64, unit: "milliseconds",
        get: |live| live.interface.elp_interval.as_millis() as u64,
        set: |live, n| live.interface.elp_interval = Duration::from_millis(n) } },
    Setting { name: "tap_offload", alias: "", scope: Scope::Mesh, kind: Kind::Switch {
        get: |live| live.tap_offload, set: |live, on| live.tap_offload = on } },
    Setting { name: "hop_penalty", alias: "hp", scope: Scope::Interface, kind: Kind::Number {
        min: 0, max: |_| 255, unit: "",
        get: |live| live.interface.hop_penalty.into(), set: |live, n| live.interface.hop_penalty = n as u8 } },
    Setting { name: "throughput_override", alias: "to", scope: Scope::Interface, kind: Kind::Text {
        values: gateway::OVERRIDES,
        get: |live| gateway::written_override(live.interface.throughput_override),
        set: |live, text| gateway::throughput_override(text)
            .map(|units| live.interface.throughput_override = units).is_ok() } },
    Setting { name: "ap_isolation", alias: "ap", scope: Scope::Vlan, kind: AP_ISOLATION },
];

const AP_ISOLATION: Kind = Kind::Switch {
    get: |live| live.engine.ap_isolation.contains(live.vid),
    set: |live, on| {
        let isolation: &mut Isolation = Arc::make_mut(&mut live.engine.ap_isolation);
        isolation.set(live.vid, on);
    },
};

/// Settings of batctl that cannot exist here, and what to do in their place.
const ELSEWHERE: [(&str, &str, &str); 4] = [
    (
        "isolation_mark",
        "mark",
        "isolation_mark: marks of frames are not seen outside of the kernel: isolate a port of the bridge above the mesh interface with \"bridge link set dev PORT isolated on\", and its clients are isolated",
    ),
    (
        "network_coding",
        "nc",
        "network_coding: there is none here, nor in batman-adv since 2025.4: leave it out",
    ),
    (
        "bonding",
        "b",
        "bonding: there is none here: the best link carries the traffic, and the next best takes over when it fails",
    ),
    (
        "routing_algo",
        "ra",
        "routing_algo: is chosen when the node starts, with --algorithm: the whole mesh must use the same one",
    ),
];

/// Tables that have a switch of another name.
const SWITCH_OF: [(&str, &str, &str); 3] = [
    ("nd_cache", "ndc", "neighbour_discovery_cache"),
    ("dat_cache", "dc", "distributed_arp_table"),
    ("mcast_flags", "mf", "multicast_mode"),
];

/// Name and alias (empty if there is none) of every setting that `noctule set` knows or has a sentence about.
pub fn setting_words() -> impl Iterator<Item = (&'static str, &'static str)> {
    let here = TABLE.iter().map(|row| (row.name, row.alias));
    here.chain(ELSEWHERE.iter().map(|(name, alias, _)| (*name, *alias)))
}

impl Setting {
    /// The row for a name or alias and what it belongs to.
    ///
    /// # Errors
    /// One sentence with the fix.
    pub(crate) fn find(word: &str, scope: Scope) -> Result<&'static Self, String> {
        let named = |row: &&Self| row.name == word || (!word.is_empty() && row.alias == word);
        if let Some(row) = TABLE.iter().filter(named).find(|row| row.scope == scope) {
            return Ok(row);
        }
        if let Some((.., sentence)) =
            ELSEWHERE.iter().find(|(name, alias, _)| [*name, *alias].contains(&word))
        {
            return Err((*sentence).to_owned());
        }
        if let Some(row) = TABLE.iter().find(named) {
            return Err(match (scope, row.scope) {
                (Scope::Interface, _) => {
                    format!("{}: no setting of single interfaces: leave out --interface", row.name)
                }
                (Scope::Vlan, _) => {
                    format!("{}: no setting of single VLANs: leave out --vlan", row.name)
                }
                (Scope::Mesh, Scope::Interface) => {
                    format!(
                        "{}: a setting of single interfaces: name one with --interface",
                        row.name
                    )
                }
                (Scope::Mesh, _) => {
                    format!("{}: a setting of single VLANs: name one with --vlan", row.name)
                }
            });
        }
        if let Some((table, _, switch)) =
            SWITCH_OF.iter().find(|(name, alias, _)| [*name, *alias].contains(&word))
        {
            return Err(format!("{table}: a table, no setting: its switch is \"{switch}\""));
        }
        let names: Vec<_> = TABLE.iter().map(|row| row.name).collect();
        Err(nearest(word, &names).map_or_else(
            || format!("{word}: no such setting: \"noctule set\" lists them"),
            |near| format!("{word}: no such setting: did you mean \"{near}\"?"),
        ))
    }

    /// The value that is in force.
    pub(crate) fn value(&self, live: &Live) -> SettingValue {
        match &self.kind {
            Kind::Switch { get, .. } => SettingValue::Switch(get(live)),
            Kind::Number { get, .. } => SettingValue::Number(get(live)),
            Kind::Text { get, .. } => SettingValue::Word(get(live)),
            Kind::Word { words, get, .. } => {
                SettingValue::Word(words.get(get(live)).copied().unwrap_or_default().to_owned())
            }
        }
    }

    /// What can be written.
    pub(crate) fn values(&self, live: &Live) -> String {
        match &self.kind {
            Kind::Switch { .. } => "0 or 1, disabled or enabled".to_owned(),
            Kind::Number { min, max, unit, .. } => {
                format!("{min} to {} {unit}", max(live)).trim_end().to_owned()
            }
            Kind::Word { words, .. } => match words.split_last() {
                Some((last, others)) => format!("{} or {last}", others.join(", ")),
                None => String::new(),
            },
            Kind::Text { values, .. } => (*values).to_owned(),
        }
    }

    /// How batctl prints the value, if not as it is.
    pub(crate) fn shown(&self, live: &Live) -> Option<String> {
        let control::Settings {
            routing_algorithm,
            gateway_mode,
            gateway_class,
            gateway_bandwidth,
            ..
        } = live.engine;
        (self.name == "gw_mode").then(|| {
            gateway::shown_mode(routing_algorithm, gateway_mode, gateway_class, gateway_bandwidth)
        })?
    }

    /// Takes over what stands behind a value: `gw_mode server 20mbit/5mbit`, `gw_mode client 30`.
    ///
    /// # Errors
    /// One sentence that says what can be written.
    pub(crate) fn write_parameter(&self, live: &mut Live, text: &str) -> Result<(), String> {
        let name = self.name;
        let of = match live.engine.gateway_mode {
            _ if name != "gw_mode" => {
                return Err(format!("{name}: takes one value: leave out {text:?}"));
            }
            GatewayMode::Off => {
                return Err(format!("{name} off: takes nothing behind it: leave out {text:?}"));
            }
            GatewayMode::Client => "gw_sel_class",
            GatewayMode::Server => "gw_bandwidth",
        };
        Self::find(of, Scope::Mesh)?.write(live, text)
    }

    /// Takes over what somebody wrote.
    ///
    /// # Errors
    /// One sentence that says what can be written.
    pub(crate) fn write(&self, live: &mut Live, text: &str) -> Result<(), String> {
        let values = self.values(live);
        let bad = || format!("{} {text}: must be {values}", self.name);
        match &self.kind {
            Kind::Switch { set, .. } => match text.to_ascii_lowercase().as_str() {
                "1" | "enable" | "enabled" => set(live, true),
                "0" | "disable" | "disabled" => set(live, false),
                _ => return Err(bad()),
            },
            Kind::Number { min, max, set, .. } => {
                let number = text.parse().ok().filter(|n| (*min..=max(live)).contains(n));
                set(live, number.ok_or_else(bad)?);
            }
            Kind::Text { set, .. } => {
                if !set(live, text) {
                    return Err(bad());
                }
            }
            Kind::Word { words, set, .. } => {
                set(live, words.iter().position(|word| *word == text).ok_or_else(bad)?);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn mgmt_22_a_value_that_is_written_is_read_again() {
        for row in TABLE {
            let mut live = Live { vid: Vid::from_tci(10), ..Live::default() };
            let (one, other, wrong) = match &row.kind {
                Kind::Switch { .. } => ("Enabled".to_owned(), "0".to_owned(), "maybe".to_owned()),
                Kind::Number { min, max, .. } => {
                    (min.to_string(), max(&live).to_string(), (max(&live) + 1).to_string())
                }
                Kind::Word { words, .. } => {
                    (words[0].to_owned(), words[words.len() - 1].to_owned(), "0".to_owned())
                }
                Kind::Text { .. } if row.scope == Scope::Interface => {
                    ("54mbit".to_owned(), "0".to_owned(), "1mbit/2mbit".to_owned())
                }
                Kind::Text { .. } => {
                    ("1mbit/100kbit".to_owned(), "2mbit".to_owned(), "0mbit".to_owned())
                }
            };
            row.write(&mut live, &one).unwrap();
            let first = row.value(&live);
            row.write(&mut live, &other).unwrap();
            let second = row.value(&live);
            assert_ne!(first, second, "{}", row.name);
            let refusal = row.write(&mut live, &wrong).unwrap_err();
            assert_eq!(refusal, format!("{} {wrong}: must be {}", row.name, row.values(&live)));
            assert_eq!(row.value(&live), second, "{}: nothing has changed", row.name);
            for rubbish in ["", "-1", " 1", "1 ", "99999999999999999999"] {
                row.write(&mut live, rubbish).unwrap_err();
            }
        }
    }

    /// MGMT section 4.1: `gw_mode [off | client [class] | server [down[/up]]]`.
    #[test]
    fn mgmt_13_mgmt_24_gw_mode_takes_what_belongs_to_the_mode() {
        let mode = Setting::find("gw", Scope::Mesh).unwrap();
        let written = |live: &mut Live, words: [&str; 2]| {
            mode.write(live, words[0])?;
            mode.write_parameter(live, words[1])
        };
        let mut live = Live::default();
        written(&mut live, ["client", "30"]).unwrap();
        assert_eq!(mode.shown(&live).unwrap(), "client (selection class: 30)");
        assert_eq!(mode.value(&live), SettingValue::Word("client".into()), "for programs");
        written(&mut live, ["server", "20mbit/5mbit"]).unwrap();
        assert_eq!(mode.shown(&live).unwrap(), "server (announced bw: 20.0/5.0 MBit)");
        written(&mut live, ["server", "30000"]).unwrap();
        assert_eq!(mode.shown(&live).unwrap(), "server (announced bw: 30.0/5.0 MBit)");
        let bandwidths = format!("must be {}", gateway::BANDWIDTHS);
        let rows = [
            ("client", "0", "gw_sel_class 0: must be 1 to 255".to_owned()),
            ("client", "5mbit", "gw_sel_class 5mbit: must be 1 to 255".to_owned()),
            ("server", "10gbit", format!("gw_bandwidth 10gbit: {bandwidths}")),
            ("server", "5mbit/", format!("gw_bandwidth 5mbit/: {bandwidths}")),
            ("off", "5", "gw_mode off: takes nothing behind it: leave out \"5\"".to_owned()),
        ];
        for (word, parameter, sentence) in rows {
            assert_eq!(written(&mut live.clone(), [word, parameter]).unwrap_err(), sentence);
        }
        let hops = Setting::find("hp", Scope::Mesh).unwrap();
        let refusal = hops.write_parameter(&mut live, "7").unwrap_err();
        assert_eq!(refusal, "hop_penalty: takes one value: leave out \"7\"");
    }

    #[test]
    fn names_and_aliases_mean_one_thing_each() {
        for scope in [Scope::Mesh, Scope::Interface, Scope::Vlan] {
            let rows: Vec<_> = TABLE.iter().filter(|row| row.scope == scope).collect();
            let words = rows.iter().flat_map(|row| [row.name, row.alias]);
            let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
            assert_eq!(words.iter().collect::<BTreeSet<_>>().len(), words.len());
            for row in rows {
                assert_eq!(Setting::find(row.name, scope).unwrap().name, row.name);
                if !row.alias.is_empty() {
                    assert_eq!(Setting::find(row.alias, scope).unwrap().name, row.name);
                }
            }
        }
    }

    #[test]
    fn a_word_that_is_no_setting_gets_a_sentence() {
        let rows = [
            (
                "hop_penlaty",
                Scope::Mesh,
                "hop_penlaty: no such setting: did you mean \"hop_penalty\"?",
            ),
            (
                "nd_cache",
                Scope::Mesh,
                "nd_cache: a table, no setting: its switch is \"neighbour_discovery_cache\"",
            ),
            (
                "dc",
                Scope::Mesh,
                "dat_cache: a table, no setting: its switch is \"distributed_arp_table\"",
            ),
            ("colour", Scope::Mesh, "colour: no such setting: \"noctule set\" lists them"),
            ("", Scope::Mesh, ": no such setting: \"noctule set\" lists them"),
            (
                "it",
                Scope::Interface,
                "orig_interval: no setting of single interfaces: leave out --interface",
            ),
            ("it", Scope::Vlan, "orig_interval: no setting of single VLANs: leave out --vlan"),
        ];
        for (word, scope, sentence) in rows {
            assert_eq!(Setting::find(word, scope).unwrap_err(), sentence);
        }
        assert!(Setting::find("mark", Scope::Mesh).unwrap_err().contains("bridge link set dev"));
    }

    /// The page for operators has a row for each.
    #[test]
    fn the_settings_are_documented() {
        let page = include_str!("../../../../docs/operations.md");
        for row in TABLE {
            let alias =
                if row.alias.is_empty() { String::new() } else { format!("`{}`", row.alias) };
            let start = format!("| `{}` | {alias} | {} |", row.name, row.values(&Live::default()));
            assert!(
                page.contains(&start.replace("  ", " ")),
                "docs/operations.md has no row {start}"
            );
        }
    }
}
