//! What ping prints (ICMP-30 to ICMP-33), and what it counts.

use crate::bat_hosts::BatHosts;
use noctule_daemon::api::{Address, AnswerKind, ProbeAnswer};
use noctule_wire::{Icmp, Mac};
use serde::Serialize;
use std::io::{self, Write};

/// The tale of one run.
#[derive(Debug)]
pub(super) struct Report {
    /// As typed.
    name: String,
    target: Mac,
    hosts: BatHosts,
    transmitted: u32,
    received: u32,
    /// Round trips in milliseconds.
    min: f64,
    max: f64,
    sum: f64,
    sum_of_squares: f64,
    last_route: Vec<Address>,
}

/// The figures of a run; the keys are those of `ping --json`.
#[derive(Debug, Serialize)]
pub(super) struct Sum {
    transmitted: u32,
    received: u32,
    /// Truncated.
    loss_percent: u64,
    rtt_min_ms: f64,
    rtt_avg_ms: f64,
    rtt_max_ms: f64,
    rtt_mdev_ms: f64,
}

/// An IP and ICMP header of ordinary ping: the figure in parentheses.
const PRETENDED_OVERHEAD: usize = 28;

impl Report {
    pub(super) fn new(name: &str, target: Mac, hosts: BatHosts) -> Self {
        Self {
            name: name.to_owned(),
            target,
            hosts,
            transmitted: 0,
            received: 0,
            min: 0.0,
            max: 0.0,
            sum: 0.0,
            sum_of_squares: 0.0,
            last_route: Vec::new(),
        }
    }

    pub(super) fn start(&self, out: &mut dyn Write, len: usize) -> io::Result<()> {
        let Self { name, target, .. } = self;
        writeln!(out, "PING {name} ({target}) {len}({}) bytes of data", len + PRETENDED_OVERHEAD)
    }

    pub(super) fn sent(&mut self) {
        self.transmitted += 1;
    }

    /// Prints what came, or that nothing did, and counts it.
    pub(super) fn take(
        &mut self,
        out: &mut dyn Write,
        answer: Option<&ProbeAnswer>,
    ) -> io::Result<()> {
        match answer {
            Some(answer) => self.answer(out, answer),
            None => self.timeout(out),
        }
    }

    /// Counts what came, and the milliseconds it took if it was the reply.
    pub(super) fn count(&mut self, answer: Option<&ProbeAnswer>) -> Option<f64> {
        let answer = answer.filter(|answer| answer.kind == AnswerKind::EchoReply)?;
        let rtt = answer.rtt_us as f64 / 1000.0;
        self.received += 1;
        self.min = if self.received == 1 { rtt } else { self.min.min(rtt) };
        self.max = self.max.max(rtt);
        self.sum += rtt;
        self.sum_of_squares += rtt * rtt;
        Some(rtt)
    }

    fn timeout(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "Reply from host {} timed out", self.name)
    }

    fn answer(&mut self, out: &mut dyn Write, answer: &ProbeAnswer) -> io::Result<()> {
        let Self { name, .. } = &*self;
        match answer.kind {
            AnswerKind::EchoReply => self.reply(out, answer),
            AnswerKind::DestinationUnreachable => {
                writeln!(
                    out,
                    "From {name}: Destination Host Unreachable (icmp_seq {})",
                    answer.seqno
                )
            }
            AnswerKind::TtlExceeded => {
                writeln!(out, "From {name}: Time to live exceeded (icmp_seq {})", answer.seqno)
            }
        }
    }

    fn reply(&mut self, out: &mut dyn Write, answer: &ProbeAnswer) -> io::Result<()> {
        let rtt = self.count(Some(answer)).unwrap_or_default();
        write!(
            out,
            "{} bytes from {} icmp_seq={} ttl={} time={rtt:.2} ms",
            answer.length, self.name, answer.seqno, answer.ttl
        )?;
        if answer.length == Icmp::RECORD_LEN && !answer.route.is_empty() {
            self.route(out, &answer.route)?;
        }
        writeln!(out)
    }

    fn route(&mut self, out: &mut dyn Write, route: &[Address]) -> io::Result<()> {
        if self.last_route == route {
            return write!(out, "\t(same route)");
        }
        write!(out, "\nRR: ")?;
        for stop in route {
            writeln!(out, "\t{}", self.hosts.show(stop.0))?;
            // It was recorded once, and turned round there.
            if stop.0 == self.target {
                writeln!(out, "\t{}", self.hosts.show(stop.0))?;
            }
        }
        self.last_route = route.to_vec();
        Ok(())
    }

    /// The figures of the run (ICMP-33).
    pub(super) fn sum(&self) -> Sum {
        let Self { transmitted, received, .. } = *self;
        let lost = u64::from(transmitted - received) * 100;
        let count = f64::from(received.max(1));
        let mean = self.sum / count;
        Sum {
            transmitted,
            received,
            loss_percent: lost.checked_div(u64::from(transmitted)).unwrap_or(0),
            rtt_min_ms: self.min,
            rtt_avg_ms: mean,
            rtt_max_ms: self.max,
            // Rounding can make it negative when all are the same.
            rtt_mdev_ms: (self.sum_of_squares / count - mean * mean).max(0.0).sqrt(),
        }
    }

    pub(super) fn end(&self, out: &mut dyn Write) -> io::Result<()> {
        let Sum {
            transmitted,
            received,
            loss_percent,
            rtt_min_ms,
            rtt_avg_ms,
            rtt_max_ms,
            rtt_mdev_ms,
        } = self.sum();
        writeln!(out, "--- {} ping statistics ---", self.name)?;
        writeln!(
            out,
            "{transmitted} packets transmitted, {received} received, {loss_percent}% packet loss"
        )?;
        writeln!(
            out,
            "rtt min/avg/max/mdev = {rtt_min_ms:.3}/{rtt_avg_ms:.3}/{rtt_max_ms:.3}/{rtt_mdev_ms:.3} ms"
        )
    }

    /// ICMP-25.
    pub(super) const fn exit_status(&self) -> u8 {
        if self.received > 0 { 0 } else { 2 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: Mac = Mac([2, 0, 0x5e, 0x10, 0, 1]);

    fn reply(seqno: u16, rtt_us: u64) -> ProbeAnswer {
        ProbeAnswer {
            kind: AnswerKind::EchoReply,
            seqno,
            orig_address: TARGET.into(),
            ttl: 49,
            length: 20,
            rtt_us,
            route: Vec::new(),
        }
    }

    fn report() -> Report {
        Report::new("02:00:5e:10:00:01", TARGET, BatHosts::default())
    }

    fn text(out: Vec<u8>) -> String {
        String::from_utf8(out).unwrap()
    }

    /// ICMP-30, ICMP-33: the example of the protocol page, line for line.
    #[test]
    fn icmp_30_icmp_33_a_run_of_one() {
        let mut out = Vec::new();
        let mut report = report();
        report.start(&mut out, 20).unwrap();
        report.sent();
        report.answer(&mut out, &reply(1, 1940)).unwrap();
        report.end(&mut out).unwrap();
        assert_eq!(
            text(out),
            "PING 02:00:5e:10:00:01 (02:00:5e:10:00:01) 20(48) bytes of data\n\
             20 bytes from 02:00:5e:10:00:01 icmp_seq=1 ttl=49 time=1.94 ms\n\
             --- 02:00:5e:10:00:01 ping statistics ---\n\
             1 packets transmitted, 1 received, 0% packet loss\n\
             rtt min/avg/max/mdev = 1.940/1.940/1.940/0.000 ms\n"
        );
        assert_eq!(report.exit_status(), 0);
    }

    /// ICMP-32: time-outs and errors; ICMP-33: loss is truncated, mdev the root of the variance; ICMP-25: exit status.
    #[test]
    fn icmp_25_icmp_32_icmp_33_losses_and_figures() {
        let mut out = Vec::new();
        let mut report = report();
        report.sent();
        report.timeout(&mut out).unwrap();
        report.sent();
        report
            .answer(
                &mut out,
                &ProbeAnswer { kind: AnswerKind::DestinationUnreachable, ..reply(2, 0) },
            )
            .unwrap();
        report.sent();
        report
            .answer(&mut out, &ProbeAnswer { kind: AnswerKind::TtlExceeded, ..reply(3, 0) })
            .unwrap();
        let said = text(std::mem::take(&mut out));
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines[0], "Reply from host 02:00:5e:10:00:01 timed out");
        assert!(
            lines[1].starts_with("From 02:00:5e:10:00:01:") && lines[1].ends_with("(icmp_seq 2)")
        );
        assert!(
            lines[2].starts_with("From 02:00:5e:10:00:01:") && lines[2].ends_with("(icmp_seq 3)")
        );
        assert_eq!(report.exit_status(), 2, "nobody has answered");
        report.end(&mut out).unwrap();
        assert!(text(std::mem::take(&mut out)).contains("3 packets transmitted, 0 received, 100% packet loss\nrtt min/avg/max/mdev = 0.000/0.000/0.000/0.000 ms\n"));
        for (seqno, rtt_us) in [(4, 1000), (5, 3000), (6, 2000)] {
            report.sent();
            report.answer(&mut out, &reply(seqno, rtt_us)).unwrap();
        }
        report.sent();
        out.clear();
        report.end(&mut out).unwrap();
        assert!(
            text(out).ends_with("7 packets transmitted, 3 received, 57% packet loss\nrtt min/avg/max/mdev = 1.000/2.000/3.000/0.816 ms\n")
        );
        assert_eq!(report.exit_status(), 0);
    }

    /// ICMP-31: the record, with the turning point twice; then a mark as long as it stays the same.
    #[test]
    fn icmp_31_routes_are_printed_once() {
        let stop = |last| Address(Mac([2, 0, 0x5e, 0x20, 0, last]));
        let route = vec![stop(1), TARGET.into(), stop(2), stop(3)];
        let with_route = |seqno, route: &[Address]| ProbeAnswer {
            length: 116,
            route: route.to_vec(),
            ..reply(seqno, 500)
        };
        let mut out = Vec::new();
        let mut report = report();
        report.start(&mut out, 116).unwrap();
        report.answer(&mut out, &with_route(1, &route)).unwrap();
        report.answer(&mut out, &with_route(2, &route)).unwrap();
        report.answer(&mut out, &with_route(3, &route[1..])).unwrap();
        assert_eq!(
            text(out),
            "PING 02:00:5e:10:00:01 (02:00:5e:10:00:01) 116(144) bytes of data\n\
             116 bytes from 02:00:5e:10:00:01 icmp_seq=1 ttl=49 time=0.50 ms\n\
             RR: \t02:00:5e:20:00:01\n\t02:00:5e:10:00:01\n\t02:00:5e:10:00:01\n\t02:00:5e:20:00:02\n\t02:00:5e:20:00:03\n\n\
             116 bytes from 02:00:5e:10:00:01 icmp_seq=2 ttl=49 time=0.50 ms\t(same route)\n\
             116 bytes from 02:00:5e:10:00:01 icmp_seq=3 ttl=49 time=0.50 ms\n\
             RR: \t02:00:5e:10:00:01\n\t02:00:5e:10:00:01\n\t02:00:5e:20:00:02\n\t02:00:5e:20:00:03\n\n"
        );
    }
}
