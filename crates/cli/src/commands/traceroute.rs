//! `noctule traceroute`, `tr`: the way to another node, hop by hop (ICMP-26 to ICMP-28, ICMP-34).

use crate::args::Common;
use crate::bat_hosts::BatHosts;
use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::{Status, json, target};
use noctule_daemon::api::{Address, AnswerKind, Probe, ProbeAnswer, Request};
use noctule_wire::{Icmp, Mac};
use serde::Serialize;
use std::io::{self, Write};

/// What can be typed.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// MAC address of a node or client, a name from bat-hosts, or the IP address or host name of a client
    destination: String,
    /// Print addresses, not names from bat-hosts
    #[arg(short = 'n')]
    numeric: bool,
    /// Use the address as it is, even if it is a client's
    #[arg(short = 'T')]
    no_translation: bool,
}

/// ICMP-26.
const HOPS_MAX: u8 = 50;
/// ICMP-26.
const PROBES_PER_HOP: usize = 3;
/// ICMP-26.
const TIMEOUT_MS: u32 = 2000;

/// Walks the hops until the destination answers.
///
/// # Errors
/// The node does not answer, knows no such destination, or no way there.
pub(crate) fn run(common: &Common, args: &Args, out: &mut dyn Write) -> Status {
    let mut client = Client::connect(common)?;
    let hosts = BatHosts::load();
    let destination = target::resolve(&mut client, &hosts, &args.destination, args.no_translation)?;
    let names = if args.numeric { BatHosts::default() } else { hosts };
    let names = (!common.json).then_some(&names);
    walk(&args.destination, destination, names, out, |seqno, ttl| {
        client.send(Request::Probe(Probe {
            destination: destination.into(),
            seqno,
            ttl,
            record_route: false,
            timeout_ms: TIMEOUT_MS,
        }))?;
        client.receive_answer()
    })
}

/// Prints a line for each hop, for people with `names` and as JSON without.
fn walk(
    name: &str,
    destination: Mac,
    names: Option<&BatHosts>,
    out: &mut dyn Write,
    mut probe: impl FnMut(u16, u8) -> Outcome<Option<ProbeAnswer>>,
) -> Outcome<u8> {
    if names.is_some() {
        writeln!(
            out,
            "traceroute to {name} ({destination}), {HOPS_MAX} hops max, {} byte packets",
            Icmp::HEADER_LEN
        )?;
    }
    out.flush()?;
    let mut seqno = 0;
    for ttl in 1..=HOPS_MAX {
        let mut hop = Hop { ttl, ..Hop::default() };
        for time in &mut hop.times_us {
            seqno += 1;
            let Some(answer) = probe(seqno, ttl)? else { continue };
            if answer.kind == AnswerKind::DestinationUnreachable {
                return Err(Failure::trouble(format!("{name}: no route leads there")));
            }
            *time = Some(answer.rtt_us);
            hop.address.get_or_insert(answer.orig_address);
            hop.reached |= answer.kind == AnswerKind::EchoReply;
        }
        match names {
            Some(names) => hop.print(out, names)?,
            None => drop(json::print(out, &hop)?),
        }
        out.flush()?;
        if hop.reached {
            return Ok(0);
        }
    }
    // ICMP-28.
    Ok(2)
}

/// What is known of a hop; the keys are those of `traceroute --json`.
#[derive(Debug, Default, Serialize)]
struct Hop {
    ttl: u8,
    /// Who answered first (ICMP-27).
    #[serde(rename = "orig_address")]
    address: Option<Address>,
    /// Of each probe.
    #[serde(rename = "rtt_us")]
    times_us: [Option<u64>; PROBES_PER_HOP],
    reached: bool,
}

impl Hop {
    fn print(&self, out: &mut dyn Write, names: &BatHosts) -> io::Result<()> {
        let address = match self.address {
            None => "*".into(),
            Some(Address(mac)) => match names.name(mac) {
                Some(name) => format!("{name} ({mac})"),
                None => mac.to_string(),
            },
        };
        write!(out, "{:>2}: {address}", self.ttl)?;
        for time_us in self.times_us {
            match time_us {
                Some(us) => write!(out, "  {:.3} ms", us as f64 / 1000.0)?,
                None => write!(out, "   *")?,
            }
        }
        writeln!(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELAY: Mac = Mac([2, 0, 0x5e, 0x10, 0, 1]);
    const TARGET: Mac = Mac([2, 0, 0x5e, 0x30, 0, 3]);

    fn answer(kind: AnswerKind, from: Mac, rtt_us: u64) -> ProbeAnswer {
        ProbeAnswer {
            kind,
            seqno: 0,
            orig_address: from.into(),
            ttl: 49,
            length: 20,
            rtt_us,
            route: Vec::new(),
        }
    }

    /// ICMP-26, ICMP-27, ICMP-34: three probes a hop, numbers that go on, the example line of the protocol page.
    #[test]
    fn icmp_26_icmp_27_icmp_34_two_hops_and_a_lost_probe() {
        let mut out = Vec::new();
        let mut sent = Vec::new();
        let code = walk("cara", TARGET, Some(&BatHosts::default()), &mut out, |seqno, ttl| {
            sent.push((seqno, ttl));
            Ok(match seqno {
                1 => Some(answer(AnswerKind::TtlExceeded, RELAY, 1204)),
                2 => Some(answer(AnswerKind::TtlExceeded, RELAY, 1180)),
                3 => Some(answer(AnswerKind::TtlExceeded, RELAY, 1166)),
                4 => None,
                _ => Some(answer(AnswerKind::EchoReply, TARGET, 2000)),
            })
        });
        assert_eq!(code.unwrap(), 0);
        assert_eq!(sent, [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2), (6, 2)]);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "traceroute to cara (02:00:5e:30:00:03), 50 hops max, 20 byte packets\n\
             \x20\x31: 02:00:5e:10:00:01  1.204 ms  1.180 ms  1.166 ms\n\
             \x20\x32: 02:00:5e:30:00:03   *  2.000 ms  2.000 ms\n"
        );
    }

    /// One object a line, `null` for what did not come, no header.
    #[test]
    fn as_json_each_hop_is_a_line() {
        let mut out = Vec::new();
        let code = walk("cara", TARGET, None, &mut out, |seqno, _| {
            Ok((seqno > 3).then(|| answer(AnswerKind::EchoReply, TARGET, 2000)))
        });
        assert_eq!(code.unwrap(), 0);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"ttl\":1,\"orig_address\":null,\"rtt_us\":[null,null,null],\"reached\":false}\n\
             {\"ttl\":2,\"orig_address\":\"02:00:5e:30:00:03\",\"rtt_us\":[2000,2000,2000],\"reached\":true}\n"
        );
    }

    /// ICMP-26: 50 hops; ICMP-27: `*` where nobody answered; ICMP-28: 2 when not reached, 1 when there is no route.
    #[test]
    fn icmp_26_icmp_28_nobody_there() {
        let mut out = Vec::new();
        let code = walk("cara", TARGET, Some(&BatHosts::default()), &mut out, |_, _| Ok(None));
        assert_eq!(code.unwrap(), 2);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), 51);
        assert_eq!(text.lines().last(), Some("50: *   *   *   *"));
        let unreachable = |_, _| Ok(Some(answer(AnswerKind::DestinationUnreachable, TARGET, 0)));
        let failure =
            walk("cara", TARGET, Some(&BatHosts::default()), &mut Vec::new(), unreachable)
                .unwrap_err();
        assert_eq!((failure.code(), failure.sentence()), (1, Some("cara: no route leads there")));
    }
}
