//! Starting, refusing to start, and leaving nothing behind.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{LIMIT, QUICK, chain, nodes};
use crate::lab::{Set, wait_for};
use crate::node::Node;

/// Runs `noctule run` with these words in the node's namespace; it must refuse with one sentence that contains `expected`,
/// exit with 2, and change no link.
fn refuses(node: &Node, words: &[&str], expected: &str) -> Result<()> {
    let names = || -> Result<Vec<String>> {
        Ok(node
            .namespace
            .links()?
            .into_iter()
            .map(|link| format!("{} {}", link.name, link.mtu))
            .collect())
    };
    let before = names()?;
    let output = node.output(&[&["run"], words].concat())?;
    let said = output.stderr.trim_end();
    ensure!(output.status.code() == Some(2), "{words:?}: {:?}, {said}", output.status);
    ensure!(said.starts_with("noctule: ") && said.lines().count() == 1, "{words:?}: {said}");
    ensure!(said.contains(expected), "{words:?}: {said:?} does not say {expected:?}");
    ensure!(output.stdout.is_empty(), "{words:?} printed {}", output.stdout);
    ensure!(names()? == before, "{words:?} changed the links");
    Ok(())
}

pub(super) fn bad_use_is_one_sentence_and_changes_nothing() -> Result<()> {
    let (lab, mut nodes) = nodes(&["anna", "ben"])?;
    let [anna, ben] = nodes.get_disjoint_mut([0, 1])?;
    anna.link(ben, &lab, 1500)?;
    anna.link(ben, &lab, 99)?;
    refuses(anna, &["--interface", "wlan7"], "wlan7: no such interface")?;
    refuses(anna, &["--interface", "lo"], "lo")?;
    refuses(anna, &["--interface", "e2"], "e2")?;
    refuses(anna, &["--interface", "e1", "--interface", "e1"], "e1")?;
    refuses(anna, &["--interface", "e1", "--mesh", "e2"], "e2")?;
    let file = lab.run().join("wrong.toml");
    fs::write(&file, "mesh = \"bat0\"\nhop_penaltty = 3\n")?;
    let path = file.to_str().context("a path")?;
    refuses(anna, &["--interface", "e1", "--config", path], "hop_penalty")?;
    refuses(anna, &["--interface", "e1", "--config", "/run/lab/none.toml"], "none.toml")?;

    ben.namespace.set_link("e2", &[Set::Mtu(1500)])?;
    ben.start(&[])?;
    refuses(ben, &["--interface", "e1"], "bat0")?;
    refuses(ben, &["--interface", "bat0", "--mesh", "bat1"], "another noctule")?;
    ben.stop()?;
    let silent = anna.output(&["originators"])?;
    ensure!(
        !silent.status.success() && silent.stderr.trim_end().lines().count() == 1,
        "{silent:?}"
    );
    Ok(())
}

pub(super) fn a_stopped_node_leaves_nothing() -> Result<()> {
    let (_lab, mut nodes) = chain(&["anna", "ben"])?;
    nodes[0].wait_for_ping(nodes[1].address(), LIMIT)?;
    for node in &mut nodes {
        node.stop()?;
    }
    nodes[0].start(&QUICK)?;
    nodes[0].namespace.set_link("e1", &[Set::Down])?;
    nodes[0].stop()
}

pub(super) fn an_idle_node_is_small() -> Result<()> {
    let (_lab, mut nodes) = chain(&["anna", "ben"])?;
    nodes[0].wait_for_ping(nodes[1].address(), LIMIT)?;
    let daemon = nodes[0].daemon()?;
    let resident = daemon.resident_bytes()?;
    let busy = daemon.processor_time()?;
    std::thread::sleep(Duration::from_secs(5));
    let busy = daemon.processor_time()? - busy;
    println!(
        "        {:.1} MiB resident, {:.2} % of a core with an OGM each 200 ms",
        resident as f64 / 1048576.0,
        busy.as_secs_f64() / 5.0 * 100.0
    );
    ensure!(resident <= 8 << 20, "{resident} bytes resident");
    wait_for(LIMIT, "it is still there", || nodes[0].ask(&["status"]).map(|_| ()))
}
