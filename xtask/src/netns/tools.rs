//! The throughput meter and the tools that show frames, on real nodes.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;

use super::{LIMIT, chain};
use crate::lab::{Output, wait_for};
use crate::node::Node;
use crate::packages;

/// Longer than the daemon takes for anything that is not a measurement.
const SOON: Duration = Duration::from_secs(20);

fn routes(nodes: &[Node], from: usize, to: usize) -> Result<()> {
    wait_for(LIMIT, "routes", || {
        nodes[from].route(&nodes[to])?.context("no route there")?;
        nodes[to].route(&nodes[from])?.context("no route back").map(drop)
    })
}

/// How long a test took, milliseconds, and how many bytes arrived.
pub(super) fn measured(output: &Output) -> Result<(u64, u64)> {
    ensure!(output.status.code() == Some(0), "`{}`: {}", output.command, output.stderr);
    let report: Value = serde_json::from_str(&output.stdout)?;
    let number = |key: &str| report[key].as_u64().with_context(|| format!("{key}: {report}"));
    Ok((number("tpmeter_test_time")?, number("tpmeter_bytes")?))
}

/// TP-10, TP-23, TP-43: through a node, both ways; ended early by Ctrl-C and by the death of the tool; afterwards the
/// meter is free again.
pub(super) fn tp_23_tp_43_the_throughput_meter_measures_and_can_be_stopped() -> Result<()> {
    let (_lab, nodes) = chain(&["anna", "ben", "cara"])?;
    routes(&nodes, 0, 2)?;
    for (from, to) in [(0, 2), (2, 0)] {
        let target = nodes[to].originator();
        let (ms, bytes) = measured(&nodes[from].output(&["tp", "-t", "500", "--json", &target])?)?;
        ensure!(ms >= 500 && bytes > 0, "{bytes} bytes in {ms} ms");
        // The other end forgets the test within two seconds (TP-28), and only then takes part in one the other way.
        std::thread::sleep(Duration::from_secs(2));
    }
    let target = nodes[2].originator();
    let tool = |name: &str| {
        let socket = nodes[0].socket().display().to_string();
        let program = nodes[0].program().display().to_string();
        let words = [&program, "--socket", &socket, "tp", "-t", "600000", "--json", &target];
        nodes[0].namespace.spawn(name, &words)
    };
    let sent = || Ok::<u64, anyhow::Error>(nodes[0].namespace.link("e1")?.tx_bytes);
    let flows = |before: u64| {
        wait_for(LIMIT, "the test runs", || {
            let sent = sent()? - before;
            ensure!(sent > 100_000, "{sent} bytes");
            Ok(())
        })
    };
    let before = sent()?;
    let mut stopped = tool("stopped")?;
    flows(before)?;
    stopped.signal(Signal::SIGINT);
    let ended = stopped.wait(SOON)?;
    ensure!(ended.code() == Some(0), "Ctrl-C: {ended}: {}", stopped.log());
    ensure!(stopped.log().contains("\"result\":\"cancelled\""), "{}", stopped.log());
    let before = sent()?;
    let killed = tool("killed")?;
    flows(before)?;
    killed.kill()?;
    wait_for(SOON, "the test of a dead tool ends", || {
        let output = nodes[0].output(&["tp", "-t", "1", &target])?;
        let busy = output.stderr.contains("a test with it is running");
        ensure!(!busy, "{}", output.stderr);
        Ok(())
    })
}

/// TP-06, TP-21: a node that is not there, and one that does not answer: exit status 1 and one sentence, in time.
pub(super) fn tp_06_tp_21_who_does_not_answer_is_told_in_time() -> Result<()> {
    let (_lab, mut nodes) = chain(&["anna", "ben"])?;
    routes(&nodes, 0, 1)?;
    let target = nodes[1].originator();
    let failed = |output: &Output, sentence: &str| {
        let said = output.stderr.trim_end();
        let passed = output.status.code() == Some(1)
            && output.stdout.is_empty()
            && said.lines().count() == 1
            && said.contains(sentence);
        ensure!(passed, "`{}`: {:?}, {said:?}", output.command, output.status);
        Ok(())
    };
    let stranger = nodes[0].output(&["tp", "02:ba:00:00:77:01"])?;
    failed(&stranger, "no route leads there")?;
    nodes[1].daemon()?.signal(Signal::SIGSTOP);
    let begun = Instant::now();
    let silent = nodes[0].output(&["tp", "-t", "1500", &target])?;
    nodes[1].daemon()?.signal(Signal::SIGCONT);
    failed(&silent, "does not answer")?;
    ensure!(begun.elapsed() < SOON, "it took {:?}", begun.elapsed());
    Ok(())
}

/// MGMT-33, MGMT-42: what is captured on an interface is a pcapng file that tshark reads too, and is shown as text.
pub(super) fn mgmt_33_mgmt_42_frames_are_captured_and_shown() -> Result<()> {
    let (lab, nodes) = chain(&["anna", "ben"])?;
    routes(&nodes, 0, 1)?;
    let file = lab.run().join("mesh.pcapng").display().to_string();
    let output = nodes[0].output(&["capture", &file, "-c", "40"])?;
    ensure!(output.status.code() == Some(0), "{}", output.stderr);
    ensure!(output.stdout.starts_with("40 frames of e1 in "), "{}", output.stdout);
    let shown = nodes[0].output(&["td", "-r", &file, "-n", "-p", "1"])?;
    let ogms = shown.stdout.lines().filter(|line| line.contains(": OGM IV via neigh ")).count();
    for node in &nodes {
        let of = format!("BAT {}: OGM IV via neigh ", node.originator());
        ensure!(shown.stdout.contains(&of), "{of} is missing: {}", shown.stdout);
    }
    let others = nodes[0].output(&["td", "-r", &file, "-x", "1"])?;
    ensure!(!others.stdout.contains("OGM IV"), "{}", others.stdout);
    if let Some(tshark) = packages::find("tshark") {
        let seen = read_by_tshark(&nodes[0], &tshark, &file)?;
        ensure!(seen.len() == 40 && seen.iter().all(|(name, _)| name == "e1"), "{seen:?}");
        let numbers = |seqnos: &str| seqnos.split(',').filter(|number| !number.is_empty()).count();
        let theirs: usize = seen.iter().map(|(_, seqnos)| numbers(seqnos)).sum();
        ensure!(theirs == ogms, "tshark sees {theirs} OGMs, we see {ogms}");
    }
    Ok(())
}

/// Interface of each frame, and the sequence numbers of its OGMs.
fn read_by_tshark(node: &Node, tshark: &Path, file: &str) -> Result<Vec<(String, String)>> {
    let tshark = tshark.display().to_string();
    let words = [
        &tshark,
        "-r",
        file,
        "-n",
        "-T",
        "fields",
        "-e",
        "frame.interface_name",
        "-e",
        "batadv.iv_ogm.seq",
    ];
    let text = node.namespace.run(&words, Duration::from_secs(120))?.success()?;
    let row = |line: &str| {
        let (name, seqnos) = line.split_once('\t')?;
        Some((name.to_owned(), seqnos.to_owned()))
    };
    text.lines().map(|line| row(line).with_context(|| line.to_owned())).collect()
}
