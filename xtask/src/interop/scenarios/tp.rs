//! The throughput meter both ways, with TCP on the same path beside it, and the tools that show a path.
//!
//! ```text
//! n1 -- n2        10 Mbit/s each way, 2 ms
//! ```

use std::net::Ipv4Addr;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::super::scene::{Scene, secs};
use super::super::stage::Stage;
use crate::lab::Netem;

pub(super) const ABOUT: &str = "`throughputmeter` shows what the link carries, as iperf3 does; route records; nodes that are not there";

/// What netem lets through.
const RATE_BITS: u64 = 10_000_000;
const DELAY: Duration = Duration::from_millis(2);
/// What must be found of that. The queue of the link is long, and the kernel's own sender has found an eighth of it only:
/// the lower end says that the test goes on, not how well.
const FOUND: std::ops::RangeInclusive<f64> = 0.02..=1.05;
/// How long each measurement takes.
const MEASURED: Duration = secs(6);

pub(super) fn play(stage: &mut Stage) -> Result<()> {
    let mut scene = stage.mesh(&[(1, 2)])?;
    let slow = Netem { delay: DELAY, rate_bits: RATE_BITS, ..Netem::default() };
    for number in [1, 2] {
        let name = scene.node(number).interface(1);
        scene.node(number).space().set_netem(&name, &slow)?;
    }
    scene.start_all()?;
    scene.wait_for_routes(&[1, 2], secs(30))?;
    scene.wait_for_ping(1, 2, secs(30))?;
    for (from, to) in [(1, 2), (2, 1)] {
        measure(&mut scene, from, to)?;
    }
    for (from, to) in [(1, 2), (2, 1)] {
        record_route(&mut scene, from, to)?;
        nobody_there(&mut scene, from)?;
    }
    scene.close()
}

/// The meter, then TCP.
fn measure(scene: &mut Scene<'_>, from: u8, to: u8) -> Result<()> {
    let target = scene.node(to).originator();
    let time = MEASURED.as_millis().to_string();
    let printed = scene.node(from).tool(&["throughputmeter", "-t", &time, &target])?;
    let metered = if printed.status == Some(0) { speed(&printed.text) } else { None };
    let tool = scene.node(from).tool_name();
    let what = format!(
        "TP-10 TP-32 TP-42 `{tool} throughputmeter` from {} to {} is answered",
        scene.title(from),
        scene.title(to)
    );
    let seen = format!("{} {}", printed.text.trim().replace('\n', ", "), printed.complaint.trim());
    scene.record.check(what, metered.is_some(), seen);
    // The receiver forgets the test (TP-28), and the queue of the link drains.
    sleep(secs(3));
    let tcp = tcp(scene, from, to)?;
    let share = metered.unwrap_or_default() / RATE_BITS as f64;
    let what = format!(
        "TP-41 what it finds from {} to {} is what the link carries",
        scene.title(from),
        scene.title(to)
    );
    let seen = format!("{:.0} % of {} Mbit/s", share * 100.0, RATE_BITS / 1_000_000);
    scene.record.check(what, FOUND.contains(&share), seen);
    let what = format!("TCP beside it (iperf3) from {} to {}", scene.title(from), scene.title(to));
    scene.record.figure(what, format!("{:.2} Mbit/s", tcp / 1e6));
    Ok(())
}

/// Bits a second in the block that both tools print.
fn speed(text: &str) -> Option<f64> {
    let number = |start: &str, end: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(start)?.strip_suffix(end));
        line?.trim().parse::<f64>().ok()
    };
    let (ms, bytes) = (number("Test duration ", "ms.")?, number("Sent ", " Bytes.")?);
    (ms > 0.0 && bytes > 0.0).then(|| bytes * 8.0 * 1000.0 / ms)
}

/// What iperf3 receives, bits a second.
fn tcp(scene: &Scene<'_>, from: u8, to: u8) -> Result<f64> {
    let address: Ipv4Addr = scene.node(to).ip();
    let server = scene.node(to).space().spawn("iperf3", &["iperf3", "--server", "--one-off"])?;
    sleep(secs(1));
    let (address, time) = (address.to_string(), MEASURED.as_secs().to_string());
    let client = ["iperf3", "--client", &address, "--time", &time, "--json"];
    let output = scene.node(from).space().run(&client, secs(60))?.success()?;
    drop(server);
    let told: serde_json::Value = serde_json::from_str(&output)?;
    let received = &told["end"]["sum_received"]["bits_per_second"];
    received.as_f64().context("iperf3 says nothing of what was received")
}

/// There and back: our interface, the other's, once more where it turns round, and ours (ICMP-31).
fn record_route(scene: &mut Scene<'_>, from: u8, to: u8) -> Result<()> {
    let (here, there) = (scene.node(from).originator(), scene.node(to).originator());
    let printed = scene.node(from).tool(&["ping", "-R", "-c", "1", &there])?;
    let record: Vec<_> = printed
        .text
        .lines()
        .skip_while(|line| !line.starts_with("RR:"))
        .map(|line| line.trim_start_matches("RR:").trim())
        .take_while(|line| !line.starts_with("---"))
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect();
    let expected = [&here, &there, &there, &here];
    let what = format!(
        "ICMP-05 ICMP-11 ICMP-22 ICMP-31 `{} ping -R` from {} shows the way to {} and back",
        scene.node(from).tool_name(),
        scene.title(from),
        scene.title(to)
    );
    let passed = printed.status == Some(0) && record.iter().eq(expected);
    scene.record.check(what, passed, record.join(" "));
    Ok(())
}

/// A test with a node that does not exist fails at once.
fn nobody_there(scene: &mut Scene<'_>, from: u8) -> Result<()> {
    let printed = scene.node(from).tool(&["tp", "-t", "2000", "02:ba:00:00:77:01"])?;
    let what = format!(
        "TP-06 TP-40 `{} tp` on {} to a node that is not there fails",
        scene.node(from).tool_name(),
        scene.title(from)
    );
    let passed = printed.status == Some(1) && printed.text.is_empty();
    scene.record.check(what, passed, printed.complaint.trim());
    if !passed {
        bail!("it says {:?}", printed.text);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_is_read() {
        let text =
            "Test duration 10020ms.\nSent 118080000 Bytes.\nThroughput: 11.24 MB/s (94.28 Mbps)\n";
        assert_eq!(speed(text).map(f64::round), Some(94_275_449.0));
        assert_eq!(speed("Test duration 10020ms.\nSent 0 Bytes.\n"), None);
        assert_eq!(speed(""), None);
    }
}
