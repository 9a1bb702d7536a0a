//! `noctule mcast_flags`, `mf`: what everybody wants of multicast (MGMT-47).

use crate::args::Common;
use crate::bat_hosts::BatHosts;
use crate::client::Client;
use crate::failure::Outcome;
use crate::table::{self, WithoutPrimary};
use crate::{Status, json};
use noctule_daemon::api::{McastFlags, McastFlagsPrivRow, McastFlagsRow, Mesh, Reply, Request};
use std::io::Write;

/// What can be typed.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    table: table::Options,
}

/// Prints the table.
///
/// # Errors
/// The node does not answer, or has no active interface.
pub(crate) fn run(common: &Common, args: &Args, out: &mut dyn Write) -> Status {
    let mut client = Client::connect(common)?;
    let names = args.table.names();
    table::repeat(&args.table, out, |out| {
        let (mesh, Reply::McastFlags(rows)) = client.table(Request::McastFlags)? else {
            return Err(client.strange());
        };
        if common.json {
            return json::print(out, &rows);
        }
        table::require_active(&mesh, WithoutPrimary::Nothing)?;
        header(out, &args.table, &mesh)?;
        for row in &rows {
            writeln!(out, "{}", line(&names, row))?;
        }
        Ok(0)
    })
}

fn header(out: &mut dyn Write, options: &table::Options, mesh: &Mesh) -> Outcome<()> {
    let own = mesh.mcast_flags.unwrap_or_default();
    let seen = mesh.mcast_flags_priv.unwrap_or_default();
    table::header(out, options, mesh, "", &columns(own, seen))
}

fn columns(own: McastFlagsRow, seen: McastFlagsPrivRow) -> String {
    let pair = |ipv4: bool, ipv6: bool| {
        let letter = |on: bool, letter: char| match (seen.bridged, on) {
            (false, _) => '?',
            (true, true) => letter,
            (true, false) => '.',
        };
        format!("{}/{}", letter(ipv4, '4'), letter(ipv6, '6'))
    };
    let missing = pair(!seen.querier_ipv4_exists, !seen.querier_ipv6_exists);
    let shadowing = pair(seen.querier_ipv4_shadowing, seen.querier_ipv6_shadowing);
    let bridged = if seen.bridged { 'U' } else { '.' };
    let dashes = "-".repeat(43);
    format!(
        "Multicast flags (own flags: [{}])\n\
         * Bridged [U]\t\t\t\t{bridged}\n\
         * No IGMP/MLD Querier [4/6]:\t\t{missing}\n\
         * Shadowing IGMP/MLD Querier [4/6]:\t{shadowing}\n\
         {dashes}\n       Originator Flags",
        letters(own),
    )
}

fn letters(flags: McastFlagsRow) -> String {
    format!(
        "{}{}{}{}{}{}",
        if flags.all_unsnoopables { 'U' } else { '.' },
        if flags.want_all_ipv4 { '4' } else { '.' },
        if flags.want_all_ipv6 { '6' } else { '.' },
        if flags.want_no_rtr_ipv4 { ". " } else { "R4" },
        if flags.want_no_rtr_ipv6 { ". " } else { "R6" },
        if flags.have_mc_ptype_capa { '.' } else { 'P' },
    )
}

fn line(names: &BatHosts, row: &McastFlags) -> String {
    let name = table::station(names, row.orig_address);
    match row.mcast_flags {
        Some(flags) => format!("{name} [{}]", letters(flags)),
        None => format!("{name} -"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use noctule_wire::Mac;
    use noctule_wire::tvlv::multicast::MulticastFlags;

    /// MGMT-47: rows and header, letter for letter.
    #[test]
    fn mgmt_47_the_table_is_batctl_s() {
        for (flags, expected) in [
            (0x38, ".... . ."),
            (0x39, "U... . ."),
            (0x27, "U46R4R6."),
            (0x18, ".... . P"),
            (0x00, "...R4R6P"),
        ] {
            assert_eq!(letters(MulticastFlags(flags).into()), expected, "{flags:#x}");
        }
        let row = |mcast_flags| McastFlags {
            orig_address: Mac([2, 0, 0x5e, 0x30, 0, 3]).into(),
            mcast_flags,
        };
        let names = BatHosts::default();
        let flags = Some(MulticastFlags(0x09).into());
        assert_eq!(line(&names, &row(flags)), "02:00:5e:30:00:03 [U... R6P]");
        assert_eq!(line(&names, &row(None)), "02:00:5e:30:00:03 -");
        let own = MulticastFlags(0x39).into();
        let seen = McastFlagsPrivRow {
            bridged: true,
            querier_ipv4_exists: true,
            querier_ipv6_shadowing: true,
            ..McastFlagsPrivRow::default()
        };
        assert_eq!(
            columns(own, seen),
            "Multicast flags (own flags: [U... . .])\n* Bridged [U]\t\t\t\tU\n\
             * No IGMP/MLD Querier [4/6]:\t\t./6\n* Shadowing IGMP/MLD Querier [4/6]:\t./6\n\
             -------------------------------------------\n       Originator Flags"
        );
        let alone = columns(MulticastFlags(0x38).into(), McastFlagsPrivRow::default());
        assert!(alone.contains("Bridged [U]\t\t\t\t.\n") && alone.contains("\t?/?\n"));
    }
}
