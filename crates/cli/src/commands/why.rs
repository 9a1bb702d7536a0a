//! `noctule why`: why a route is what it is, or why something is not used, in plain words.

use crate::args::Common;
use crate::bat_hosts::BatHosts;
use crate::client::Client;
use crate::failure::Outcome;
use crate::table::{age, mark};
use crate::{Status, json, target};
use noctule_daemon::api::{
    Address, Finding, Reply, Request, Why, WhyAbout, WhyCandidate, WhyChange, WhyClient, WhyRequest,
};
use noctule_wire::Mac;
use std::io::Write;

/// What can be typed.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// MAC address of a node or client, a name from bat-hosts, or the IP address or host name of a client
    destination: String,
    /// Explain why it is not used as a neighbour, or how much it is
    #[arg(long, conflicts_with = "broadcast")]
    neighbor: bool,
    /// Explain what can keep broadcasts of this node from reaching it; it may be a group
    #[arg(long)]
    broadcast: bool,
    /// Print addresses, not names from bat-hosts
    #[arg(short = 'n')]
    numeric: bool,
}

/// Asks and prints.
///
/// # Errors
/// The node does not answer, or knows nothing of the address.
pub(crate) fn run(common: &Common, args: &Args, out: &mut dyn Write) -> Status {
    let mut client = Client::connect(common)?;
    let hosts = BatHosts::load();
    let group = args.destination.parse().ok().filter(|mac: &Mac| args.broadcast && mac.is_group());
    let mac = group.map_or_else(|| target::mac(&hosts, &args.destination), Ok)?;
    let about = match (args.neighbor, args.broadcast) {
        (true, _) => WhyAbout::Neighbor,
        (_, true) => WhyAbout::Broadcast,
        _ => WhyAbout::Route,
    };
    let wanted = WhyRequest { address: Address(mac), about };
    let (mesh, Reply::Why(why)) = client.table(Request::Why(wanted))? else {
        return Err(client.strange());
    };
    if common.json {
        return json::print(out, &*why);
    }
    let names = if args.numeric { BatHosts::default() } else { hosts };
    Page { names, v: mesh.algo_name == "BATMAN_V" }.print(out, &why)?;
    Ok(0)
}

struct Page {
    names: BatHosts,
    /// B.A.T.M.A.N. V.
    v: bool,
}

impl Page {
    fn print(&self, out: &mut dyn Write, why: &Why) -> Outcome<()> {
        for row in &why.clients {
            writeln!(out, "{}", self.client(why.address, row))?;
        }
        if let Some(originator) = why.orig_address {
            let heard = why.last_seen_msecs.map(seconds);
            let heard = heard.map_or_else(String::new, |heard| format!(", heard of {heard} ago"));
            writeln!(out, "originator {}{heard}", self.names.show(originator.0))?;
        }
        for finding in &why.because {
            writeln!(out, "because {}", sentence(finding))?;
        }
        if !why.candidates.is_empty() {
            let head = if self.v {
                "  next hop               via      Mbit/s       link  OGMs  last OGM    heard"
            } else {
                "  next hop               via   TQ  OGMs/64  echoes/64  last OGM    heard"
            };
            writeln!(out, "{head}")?;
        }
        for row in &why.candidates {
            writeln!(out, "{}", self.candidate(row))?;
        }
        if !why.would_change.is_empty() {
            writeln!(out, "it would change")?;
        }
        for finding in &why.would_change {
            writeln!(out, "  {}", sentence(finding))?;
        }
        if !why.changes.is_empty() {
            writeln!(out, "last changes, newest first")?;
        }
        for row in &why.changes {
            writeln!(out, "{}", self.change(row))?;
        }
        Ok(())
    }

    fn client(&self, address: Address, row: &WhyClient) -> String {
        let who = self.names.show(address.0);
        let vlan = match row.tt_vid {
            -1 => String::new(),
            vid => format!(" on VLAN {vid}"),
        };
        let Some(originator) = row.orig_address else {
            let seen = row.last_seen_msecs.map(seconds);
            let seen =
                seen.map_or_else(String::new, |seen| format!(", which last sent {seen} ago"));
            return format!("{who} is a client of this node{vlan}{seen} [{}]", row.rule);
        };
        let how = match row.how.as_str() {
            "diff" => "from a change of its table",
            "full_table" => "from its whole table",
            "roamed" => "because it roamed there",
            "payload" => "from a frame that came from there",
            other => other,
        };
        let since = row.known_msecs.unwrap_or_default() / 1000;
        let better = if row.best { "" } else { "; another way is better" };
        format!(
            "{who} is a client of {}{vlan}, known for {since} s {how}{better} [{}]",
            self.names.show(originator.0),
            row.rule
        )
    }

    fn candidate(&self, row: &WhyCandidate) -> String {
        let hop = self.names.show(row.neigh_address.0);
        let start = format!("{} {hop:<17} {:>9}", mark(row.best).trim_start(), row.hard_ifname);
        let start = format!("{start:>29}");
        let heard = row.heard_msecs.map_or_else(|| "never".into(), age);
        let last = age(row.last_seen_msecs);
        if self.v {
            let ahead = row.ahead.map_or_else(|| "none".into(), |ahead| format!("{ahead:+}"));
            return format!(
                "{start} {:>11} {:>10} {ahead:>5} {last} {heard}",
                mbit(row.throughput),
                mbit(row.link_throughput)
            );
        }
        let number = |value: Option<u32>| value.unwrap_or_default();
        format!(
            "{start} {:>4} {:>8} {:>10} {last} {heard}",
            row.tq.unwrap_or_default(),
            number(row.received),
            number(row.echoed)
        )
    }

    fn change(&self, row: &WhyChange) -> String {
        let hop = |address: Option<Address>, ifname: &Option<String>| match (address, ifname) {
            (Some(address), Some(ifname)) => format!("{} ({ifname})", self.names.show(address.0)),
            _ => "none".into(),
        };
        let metric = |value| match (self.v, value) {
            (true, value) => format!("{} Mbit/s", mbit(Some(value))),
            (false, value) => format!("TQ {value}"),
        };
        format!(
            "  {} ago: {}, {} -> {}, {}: {} [{}]",
            seconds(row.ago_msecs),
            hop(row.from, &row.from_ifname),
            metric(row.metric_before),
            hop(row.to, &row.to_ifname),
            metric(row.metric),
            row.says,
            row.rule
        )
    }
}

fn sentence(finding: &Finding) -> String {
    match &finding.rule {
        Some(rule) => format!("{} [{rule}]", finding.says),
        None => finding.says.clone(),
    }
}

fn seconds(msecs: u64) -> String {
    format!("{}.{} s", msecs / 1000, msecs % 1000 / 100)
}

/// Kilobits per second as megabits.
fn mbit(kbit: Option<u32>) -> String {
    kbit.map_or_else(|| "-".into(), |kbit| format!("{}.{}", kbit / 1000, kbit % 1000 / 100))
}
