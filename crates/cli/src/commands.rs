//! The commands, one file each: what can be typed, what is done, what is printed.

pub(crate) mod backbonetable;
pub(crate) mod capture;
pub(crate) mod claimtable;
pub(crate) mod dat_cache;
pub(crate) mod events;
pub(crate) mod gateways;
pub(crate) mod interfaces;
pub(crate) mod mcast_flags;
pub(crate) mod nd_cache;
pub(crate) mod neighbors;
pub(crate) mod originators;
pub(crate) mod ping;
pub(crate) mod routing_algo;
pub(crate) mod run;
pub(crate) mod set;
pub(crate) mod statistics;
pub(crate) mod status;
pub(crate) mod tcpdump;
pub(crate) mod throughputmeter;
pub(crate) mod traceroute;
pub(crate) mod transglobal;
pub(crate) mod translate;
pub(crate) mod translocal;
pub(crate) mod version;
pub(crate) mod vlans;
pub(crate) mod why;

use crate::Status;
use crate::args::{Args, Command};
use std::io::Write;

/// Does what was typed, and prints to `out`.
///
/// # Errors
/// Why it does not.
pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Status {
    let common = &args.common;
    match &args.command {
        Command::Run(args) => run::run(common, args),
        Command::Originators(args) => originators::run(common, args, out),
        Command::Neighbors(args) => neighbors::run(common, args, out),
        Command::Translocal(args) => translocal::run(common, args, out),
        Command::Transglobal(args) => transglobal::run(common, args, out),
        Command::McastFlags(args) => mcast_flags::run(common, args, out),
        Command::DatCache(args) => dat_cache::run(common, args, out),
        Command::Claimtable(args) => claimtable::run(common, args, out),
        Command::Backbonetable(args) => backbonetable::run(common, args, out),
        Command::NdCache(args) => nd_cache::run(common, args, out),
        Command::Gateways(args) => gateways::run(common, args, out),
        Command::Events(args) => events::run(common, args, out),
        Command::Interfaces(args) => interfaces::run(common, args, out),
        Command::Vlans(args) => vlans::run(common, args, out),
        Command::RoutingAlgo(args) => routing_algo::run(common, args, out),
        Command::Translate(args) => translate::run(common, args, out),
        Command::Statistics(args) => statistics::run(common, args, out),
        Command::Set(args) => set::run(common, args, out),
        Command::Ping(args) => ping::run(common, args, out),
        Command::Traceroute(args) => traceroute::run(common, args, out),
        Command::Capture(args) => capture::run(common, args, out),
        Command::Tcpdump(args) => tcpdump::run(args, out),
        Command::Throughputmeter(args) => throughputmeter::run(common, args, out),
        Command::Status(args) => status::run(common, args, out),
        Command::Why(args) => why::run(common, args, out),
        Command::Version(args) => version::run(common, args, out),
    }
}
