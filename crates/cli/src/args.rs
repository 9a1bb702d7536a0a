//! The command line as typed. A wrong one gets one sentence and exit status 2.

mod batctl;

use crate::commands::{
    backbonetable, capture, claimtable, dat_cache, events, gateways, interfaces, mcast_flags,
    nd_cache, neighbors, originators, ping, routing_algo, run, set, statistics, status, tcpdump,
    throughputmeter, traceroute, transglobal, translate, translocal, version, vlans, why,
};
use crate::failure::Failure;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser, Subcommand};
use noctule_daemon::settings::check_socket_path;
use std::ffi::OsString;
use std::path::PathBuf;

/// A layer-2 mesh router that needs no kernel module.
#[derive(Debug, Parser)]
#[command(name = "noctule", version)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Common {
    /// Name of the mesh interface [default: bat0]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) mesh: Option<String>,
    /// Path of the control socket [default: /run/noctule/<mesh>.sock]
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
    /// Print JSON, with the keys of batctl where it has them
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a mesh node, in the foreground
    Run(Box<run::Args>),
    /// Show the originator table
    #[command(visible_alias = "o")]
    Originators(originators::Args),
    /// Show the neighbours
    #[command(visible_alias = "n")]
    Neighbors(neighbors::Args),
    /// Show the clients of this node
    #[command(visible_alias = "tl")]
    Translocal(translocal::Args),
    /// Show the clients of the other nodes
    #[command(visible_alias = "tg")]
    Transglobal(transglobal::Args),
    /// Show which multicast frames the nodes want
    #[command(name = "mcast_flags", visible_alias = "mf")]
    McastFlags(mcast_flags::Args),
    /// Show the cache of the distributed ARP table
    #[command(name = "dat_cache", visible_alias = "dc")]
    DatCache(dat_cache::Args),
    /// Show who serves which client of the mesh into the LAN
    #[command(visible_alias = "cl")]
    Claimtable(claimtable::Args),
    /// Show the other nodes that are bridged to the LAN
    #[command(visible_alias = "bbt")]
    Backbonetable(backbonetable::Args),
    /// Show the cache of IPv6 neighbours
    #[command(name = "nd_cache", visible_alias = "ndc")]
    NdCache(nd_cache::Args),
    /// Show the gateways, the chosen one marked
    #[command(visible_alias = "gwl")]
    Gateways(gateways::Args),
    /// Show the hard interfaces, add some or take some out
    #[command(visible_alias = "if", alias = "interface")]
    Interfaces(interfaces::Args),
    /// Show the VLANs and their settings
    #[command(alias = "vlan")]
    Vlans(vlans::Args),
    /// Show the routing algorithms
    #[command(name = "routing_algo", visible_alias = "ra")]
    RoutingAlgo(routing_algo::Args),
    /// Show the counters, and why frames were dropped
    #[command(visible_alias = "s")]
    Statistics(statistics::Args),
    /// Read or change a setting of the running node
    Set(set::Args),
    /// Print what happens in the mesh, as it happens
    #[command(visible_alias = "e", alias = "event")]
    Events(events::Args),
    /// Send echo requests to another node
    #[command(visible_alias = "p")]
    Ping(ping::Args),
    /// Show by which node a client is reached
    #[command(visible_alias = "t")]
    Translate(translate::Args),
    /// Explain the way to a node or client
    Why(why::Args),
    /// Show the way to another node
    #[command(visible_alias = "tr")]
    Traceroute(traceroute::Args),
    /// Show frames of the mesh as text, from interfaces or from a file
    #[command(visible_alias = "td")]
    Tcpdump(tcpdump::Args),
    /// Write frames of the mesh to a file
    Capture(capture::Args),
    /// Measure how much passes to another node
    #[command(visible_alias = "tp")]
    Throughputmeter(throughputmeter::Args),
    /// Show this node in a few lines
    Status(status::Args),
    /// Show the version
    Version(version::Args),
}

/// Reads the command line.
///
/// # Errors
/// The sentence for whoever typed it; help and version are said here.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Args, Failure> {
    let args: Vec<OsString> = args.into_iter().collect();
    let args = batctl::in_our_words(args, batctl::device).map_err(Failure::Usage)?;
    // There exit status 2 means that nobody answered (ICMP-25, ICMP-28).
    let misused = |sentence: String| match command(&args) {
        Some("ping" | "p" | "traceroute" | "tr") => Failure::trouble(sentence),
        _ => Failure::Usage(sentence),
    };
    let parsed = Args::try_parse_from(&args).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => match error.print() {
            Ok(()) => Failure::Said(0),
            Err(error) => Failure::from(error),
        },
        _ => misused(sentence(&error, command(&args))),
    })?;
    match &parsed.common.socket {
        Some(socket) => check_socket_path(socket).map(|()| parsed).map_err(misused),
        None => Ok(parsed),
    }
}

/// The command in what was typed, if there is one.
fn command(args: &[OsString]) -> Option<&str> {
    let mut words = args.iter().skip(1).filter_map(|word| word.to_str());
    while let Some(word) = words.next() {
        match word {
            "--mesh" | "--socket" => drop(words.next()),
            _ if word.starts_with('-') => {}
            _ => return Some(word),
        }
    }
    None
}

/// One sentence out of what may be a page.
fn sentence(error: &clap::Error, command: Option<&str>) -> String {
    let known = command.filter(|word| Args::command().find_subcommand(word).is_some());
    let help = known.map_or_else(
        || "see noctule --help".to_owned(),
        |command| format!("see noctule {command} --help"),
    );
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand
    ) {
        return format!("no command is given: {help}");
    }
    let text = error.to_string();
    // The first paragraph says what is wrong; it can have a list.
    let what: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    let what = what.join(" ");
    let what = what.strip_prefix("error: ").unwrap_or(&what);
    let suggestion =
        [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue]
            .into_iter()
            .find_map(|kind| match error.get(kind)? {
                ContextValue::String(word) => Some(word.clone()),
                // With a command its aliases come too, of which "o" says little.
                ContextValue::Strings(words) => words.iter().max_by_key(|word| word.len()).cloned(),
                _ => None,
            });
    match suggestion {
        Some(word) => format!("{what}: did you mean '{word}'?"),
        None => format!("{what}: {help}"),
    }
}

#[cfg(test)]
mod tests;
