//! `noctule ping`, `p`: echo requests to another node (ICMP-17 to ICMP-25, ICMP-30 to ICMP-33).

mod report;

use crate::args::Common;
use crate::bat_hosts::BatHosts;
use crate::client::Client;
use crate::failure::Outcome;
use crate::interrupt::Interrupt;
use crate::{Status, json, table, target};
use noctule_daemon::api::{Probe, ProbeAnswer, Request};
use noctule_wire::{Icmp, Mac, TTL_FULL};
use report::Report;
use serde::Serialize;
use std::io::Write;
use std::time::{Duration, Instant};

/// What can be typed.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// MAC address of a node or client, a name from bat-hosts, or the IP address or host name of a client
    destination: String,
    /// Stop after COUNT requests
    #[arg(short = 'c', value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=0x7fff_ffff))]
    count: Option<u32>,
    /// Wait SECONDS after each answer [default: what is left of the time-out]
    #[arg(short = 'i', value_name = "SECONDS", value_parser = table::seconds)]
    interval: Option<Duration>,
    /// Wait SECONDS for each answer
    #[arg(short = 't', value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=60))]
    timeout: u32,
    /// Record the route
    #[arg(short = 'R')]
    record_route: bool,
    /// Use the address as it is, even if it is a client's
    #[arg(short = 'T')]
    no_translation: bool,
}

/// Pings until there were enough, or until Ctrl-C.
///
/// # Errors
/// The node does not answer, or knows no such destination.
pub(crate) fn run(common: &Common, args: &Args, out: &mut dyn Write) -> Status {
    let mut client = Client::connect(common)?;
    let hosts = BatHosts::load();
    let destination = target::resolve(&mut client, &hosts, &args.destination, args.no_translation)?;
    let interrupt = Interrupt::watch()?;
    let len = if args.record_route { Icmp::RECORD_LEN } else { Icmp::HEADER_LEN };
    let mut report = Report::new(&args.destination, destination, hosts);
    if !common.json {
        report.start(out, len)?;
    }
    out.flush()?;
    let mut left = args.count;
    let mut seqno = 0_u16;
    while left != Some(0) {
        left = left.map(|left| left - 1);
        seqno = seqno.wrapping_add(1);
        let sent = Instant::now();
        let Some(answer) = exchange(&mut client, &interrupt, args, destination, seqno)? else {
            report.sent();
            break;
        };
        report.sent();
        if common.json {
            report.count(answer.as_ref());
            json::print(out, &Json::of(seqno, answer.as_ref()))?;
        } else {
            report.take(out, answer.as_ref())?;
        }
        out.flush()?;
        let timeout = Duration::from_secs(args.timeout.into());
        let pause = args.interval.unwrap_or_else(|| timeout.saturating_sub(sent.elapsed()));
        if left != Some(0) && interrupt.came_within(pause) {
            break;
        }
    }
    if common.json {
        json::print(out, &report.sum())?;
    } else {
        report.end(out)?;
    }
    Ok(report.exit_status())
}

/// One request as a line of JSON.
#[derive(Serialize)]
#[serde(untagged)]
enum Json<'a> {
    /// With the fields of the control socket.
    Answer(&'a ProbeAnswer),
    TimedOut {
        kind: &'static str,
        seqno: u16,
    },
}

impl<'a> Json<'a> {
    fn of(seqno: u16, answer: Option<&'a ProbeAnswer>) -> Self {
        match answer {
            Some(answer) => Self::Answer(answer),
            None => Self::TimedOut { kind: "timed_out", seqno },
        }
    }
}

/// One request and its answer, `Some(None)` if none came in time; nothing if somebody has had enough.
fn exchange(
    client: &mut Client,
    interrupt: &Interrupt,
    args: &Args,
    destination: Mac,
    seqno: u16,
) -> Outcome<Option<Option<ProbeAnswer>>> {
    let timeout = Duration::from_secs(args.timeout.into());
    client.expect_within(timeout)?;
    client.send(Request::Probe(Probe {
        destination: destination.into(),
        seqno,
        ttl: TTL_FULL,
        record_route: args.record_route,
        timeout_ms: args.timeout * 1000,
    }))?;
    if interrupt.came_before(&client) {
        return Ok(None);
    }
    client.receive_answer().map(Some)
}
