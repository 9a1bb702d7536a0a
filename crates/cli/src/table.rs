//! What all tables share: header, names, options, times (MGMT-29, MGMT-30, MGMT-45).

use crate::bat_hosts::BatHosts;
use crate::failure::{Failure, Outcome};
use noctule_daemon::api::{Address, Mesh};
use std::io::{IsTerminal, Write};
use std::time::Duration;

/// Options of every table.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct Options {
    /// Print addresses, not names from bat-hosts
    #[arg(short = 'n')]
    pub(crate) numeric: bool,
    /// Print no header
    #[arg(short = 'H')]
    pub(crate) no_header: bool,
    /// Print again every SECONDS, on a cleared screen [default: 1]
    #[arg(short = 'w', value_name = "SECONDS", num_args = 0..=1, default_missing_value = "1", value_parser = seconds)]
    pub(crate) watch: Option<Duration>,
}

impl Options {
    /// The names to print, if any.
    pub(crate) fn names(&self) -> BatHosts {
        if self.numeric { BatHosts::default() } else { BatHosts::load() }
    }
}

/// A number of seconds that may have a fraction.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    text.parse::<f64>()
        .ok()
        .filter(|seconds| *seconds > 0.0)
        .and_then(|seconds| Duration::try_from_secs_f64(seconds.clamp(0.001, 1e9)).ok())
        .ok_or_else(|| "must be a number of seconds above 0".into())
}

/// Prints a table once, or again and again.
///
/// # Errors
/// Of the table.
pub(crate) fn repeat(
    options: &Options,
    out: &mut dyn Write,
    mut print: impl FnMut(&mut dyn Write) -> Outcome<u8>,
) -> Outcome<u8> {
    let Some(pause) = options.watch else { return print(out) };
    loop {
        // A file or a pipe gets the tables one after the other.
        if std::io::stdout().is_terminal() {
            out.write_all(b"\x1b[2J\x1b[0;0f")?;
        }
        print(out)?;
        out.flush()?;
        std::thread::sleep(pause);
    }
}

/// Prints the two header lines; `more` goes before the closing bracket.
///
/// # Errors
/// Of the writer.
pub(crate) fn header(
    out: &mut dyn Write,
    options: &Options,
    mesh: &Mesh,
    more: &str,
    columns: &str,
) -> Outcome<()> {
    if options.no_header {
        return Ok(());
    }
    let Mesh { version, algo_name, mesh_ifname, mesh_address, hard_ifname, hard_address, .. } =
        mesh;
    let primary_name = hard_ifname.as_deref().unwrap_or_default();
    let primary = hard_address.map_or_else(String::new, |address| address.to_string());
    writeln!(
        out,
        "[Noctule {version}, MainIF/MAC: {primary_name}/{primary} ({mesh_ifname}/{mesh_address} {algo_name}){more}]"
    )?;
    writeln!(out, "{columns}")?;
    Ok(())
}

/// Tables need an active primary interface (MGMT-29). `said` is what the table says without one.
///
/// # Errors
/// There is none.
pub(crate) fn require_active(mesh: &Mesh, said: WithoutPrimary) -> Outcome<()> {
    if mesh.hard_ifname.is_some() {
        return Ok(());
    }
    match said {
        WithoutPrimary::Nothing => Err(Failure::Said(1)),
        WithoutPrimary::Sentence => Err(Failure::trouble(format!(
            "{}: no hard interface is active: set one up with \"ip link set ... up\"",
            mesh.mesh_ifname
        ))),
    }
}

/// What a table says when no primary interface is active.
#[derive(Clone, Copy, Debug)]
pub(crate) enum WithoutPrimary {
    /// `batctl` prints nothing at all.
    Nothing,
    /// One sentence.
    Sentence,
}

/// An address in 17 columns, or its name, right-aligned (MGMT-30).
pub(crate) fn station(names: &BatHosts, address: Address) -> String {
    format!("{:>17}", names.show(address.0))
}

/// The mark of the best row.
pub(crate) const fn mark(best: bool) -> &'static str {
    if best { " *" } else { "  " }
}

/// Milliseconds as `%4i.%03is`.
pub(crate) fn age(msecs: u64) -> String {
    format!("{:>4}.{:03}s", msecs / 1000, msecs % 1000)
}

/// Letters for flags, dots for what is not set.
pub(crate) fn flags(flags: &[(bool, char)]) -> String {
    flags.iter().map(|(set, letter)| if *set { *letter } else { '.' }).collect()
}

/// Which clients to show: those with the address of a station or of a group (MGMT section 4.2).
#[derive(clap::Args, Clone, Copy, Debug, Default)]
pub(crate) struct Kinds {
    /// Unicast addresses only
    #[arg(short = 'u', conflicts_with = "multicast")]
    pub(crate) unicast: bool,
    /// Multicast addresses only
    #[arg(short = 'm')]
    pub(crate) multicast: bool,
}

impl Kinds {
    pub(crate) fn shows(self, address: Address) -> bool {
        let group = address.0.is_group();
        !(self.unicast && group || self.multicast && !group)
    }
}

/// What fits the algorithm of the node.
pub(crate) fn of<'t>(mesh: &Mesh, iv: &'t str, v: &'t str) -> &'t str {
    if mesh.algo_name == "BATMAN_V" { v } else { iv }
}

/// A throughput of units of 100 kbit/s, in Mbit/s, as wide as tables have it.
pub(crate) fn mbit_wide(units: u32) -> String {
    format!("{:>9}.{}", units / 10, units % 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use noctule_wire::Mac;

    #[test]
    fn mgmt_30_a_name_stands_where_the_address_would_right_aligned_in_17_columns() {
        let mut hosts = BatHosts::default();
        hosts.add("02:ba:00:00:01:01 anna\n02:ba:00:00:02:01 a-name-of-23-characters\n");
        let shown = |last: u8| station(&hosts, Mac([2, 0xba, 0, 0, last, 1]).into());
        assert_eq!(shown(1), "             anna");
        assert_eq!(shown(2), "a-name-of-23-characters", "longer ones shift the row");
        assert_eq!(shown(3), "02:ba:00:00:03:01");
        let none = BatHosts::default();
        assert_eq!(station(&none, Mac([2, 0xba, 0, 0, 1, 1]).into()), "02:ba:00:00:01:01", "-n");
    }
}
