//! `noctule throughputmeter`, `tp`: how much passes to another node (TP-38 to TP-43).

use crate::args::Common;
use crate::bat_hosts::BatHosts;
use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::interrupt::Interrupt;
use crate::{Status, json, target};
use noctule_daemon::api::{
    METER_DURATION_MS_DEFAULT, METER_DURATION_MS_MAX, MeterEnd, MeterReport, MeterTest, Reply,
    Request,
};
use std::io::{self, Write};
use std::time::Duration;

/// What can be typed.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// MAC address of a node or client, a name from bat-hosts, or the IP address or host name of a client
    destination: String,
    /// Measure for MILLISECONDS
    #[arg(short = 't', value_name = "MILLISECONDS", default_value_t = METER_DURATION_MS_DEFAULT, value_parser = clap::value_parser!(u32).range(0..=i64::from(METER_DURATION_MS_MAX)))]
    time: u32,
    /// Print addresses, not names from bat-hosts
    #[arg(short = 'n')]
    numeric: bool,
    /// Use the address as it is, even if it is a client's
    #[arg(short = 'T')]
    no_translation: bool,
}

/// Measures until the time is over, or until Ctrl-C.
///
/// # Errors
/// The node does not answer, knows no such destination, or the other end does not answer.
pub(crate) fn run(common: &Common, args: &Args, out: &mut dyn Write) -> Status {
    let mut client = Client::connect(common)?;
    let hosts = BatHosts::load();
    let destination = target::resolve(&mut client, &hosts, &args.destination, args.no_translation)?;
    let names = if args.numeric { BatHosts::default() } else { hosts };
    let interrupt = Interrupt::watch()?;
    let destination = destination.into();
    // To batctl 0 is its default, too (TP-38).
    let duration_ms = if args.time == 0 { METER_DURATION_MS_DEFAULT } else { args.time };
    client.expect_within(Duration::from_millis(duration_ms.into()))?;
    client.send(Request::Throughputmeter(MeterTest { destination, duration_ms }))?;
    if interrupt.came_before(&client) {
        Client::connect(common)?.ask(Request::ThroughputmeterCancel { destination })?;
    }
    let Reply::Throughputmeter(report) = client.receive()?.reply else {
        return Err(client.strange());
    };
    let measured = judge(&args.destination, &names, &report);
    if common.json {
        json::print(out, &report)?;
    } else if measured.is_ok() {
        print(out, &report)?;
    }
    measured.map(|()| 0)
}

/// Whether it is a measurement; if not, why.
fn judge(name: &str, names: &BatHosts, report: &MeterReport) -> Outcome<()> {
    let because = match (report.result, report.answered_by) {
        (MeterEnd::Complete | MeterEnd::Cancelled, _) => return Ok(()),
        (MeterEnd::Unreachable, _) => "no route leads there, or it fell silent".to_owned(),
        (MeterEnd::NoAnswer, Some(other)) => {
            let other = names.show(other.0);
            format!("{other} answers in its place: measure to that, if it is the same node")
        }
        (MeterEnd::NoAnswer, None) => {
            "does not answer: it is no node of the mesh any more, or takes part in five tests"
                .to_owned()
        }
        (MeterEnd::AlreadyRunning, _) => {
            "a test with it is running, in one direction or the other: try again later".to_owned()
        }
        (MeterEnd::TooMany, _) => {
            "this node takes part in as many tests as it can: try again later".to_owned()
        }
    };
    Err(Failure::trouble(format!("{name}: {because}")))
}

/// The block of TP-42.
fn print(out: &mut dyn Write, report: &MeterReport) -> io::Result<()> {
    let MeterReport { tpmeter_test_time: ms, tpmeter_bytes: bytes, .. } = *report;
    writeln!(out, "Test duration {ms}ms.")?;
    writeln!(out, "Sent {bytes} Bytes.")?;
    writeln!(out, "Throughput: {}", throughput(bytes, ms))
}

/// Bytes a second, with units.
fn throughput(bytes: u64, ms: u64) -> String {
    let Some(speed) = bytes.saturating_mul(1000).checked_div(ms) else { return "inf".to_owned() };
    let scales = [(30, 1e9, "G"), (20, 1e6, "M"), (10, 1e3, "K")];
    for (power, thousands, prefix) in scales {
        let unit = 1_u64 << power;
        if speed > unit {
            let shown = speed as f64 / unit as f64;
            let bits = speed as f64 * 8.0 / thousands;
            return format!("{shown:.2} {prefix}B/s ({bits:.2} {prefix}bps)");
        }
    }
    format!("{speed} Bytes/s ({} bps)", speed * 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use noctule_wire::Mac;

    #[test]
    fn tp_42_the_result_block() {
        let report = MeterReport {
            result: MeterEnd::Complete,
            orig_address: Mac([2; 6]).into(),
            tpmeter_test_time: 10_020,
            tpmeter_bytes: 118_080_000,
            tpmeter_cookie: 1,
            answered_by: None,
        };
        let mut out = Vec::new();
        print(&mut out, &report).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "Test duration 10020ms.\nSent 118080000 Bytes.\nThroughput: 11.24 MB/s (94.28 Mbps)\n"
        );
        let rows = [
            (1024, 1000, "1024 Bytes/s (8192 bps)"),
            (1025, 1000, "1.00 KB/s (8.20 Kbps)"),
            (0, 1000, "0 Bytes/s (0 bps)"),
            (1 << 31, 1000, "2.00 GB/s (17.18 Gbps)"),
            (5, 0, "inf"),
            (u64::MAX, 1, "17179869184.00 GB/s (147573952589.68 Gbps)"),
        ];
        for (bytes, ms, expected) in rows {
            assert_eq!(throughput(bytes, ms), expected);
        }
    }

    #[test]
    fn tp_40_only_the_ends_without_error_are_measurements() {
        let names = BatHosts::default();
        let report = |result, answered_by: Option<Mac>| MeterReport {
            result,
            orig_address: Mac([2; 6]).into(),
            tpmeter_test_time: 10,
            tpmeter_bytes: 0,
            tpmeter_cookie: 1,
            answered_by: answered_by.map(Into::into),
        };
        for end in [MeterEnd::Complete, MeterEnd::Cancelled] {
            assert!(judge("cara", &names, &report(end, None)).is_ok());
        }
        let ends = [
            (MeterEnd::Unreachable, None),
            (MeterEnd::NoAnswer, None),
            (MeterEnd::AlreadyRunning, None),
            (MeterEnd::TooMany, None),
            (MeterEnd::NoAnswer, Some(Mac([9; 6]))),
        ];
        for (end, other) in ends {
            let failure = judge("cara", &names, &report(end, other)).unwrap_err();
            let sentence = failure.sentence().unwrap().to_owned();
            assert!(failure.code() == 1 && sentence.starts_with("cara: "), "{sentence}");
            assert_eq!(sentence.contains("09:09:09:09:09:09"), other.is_some());
        }
    }
}
