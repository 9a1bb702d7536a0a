//! `noctule why`: what it says of a route is what has happened.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{LIMIT, QUICK, mac_text, nodes};
use crate::lab::wait_for;
use crate::node::Node;

fn why(node: &Node, words: &[&str]) -> Result<Value> {
    let all: Vec<&str> = ["--json", "why"].into_iter().chain(words.iter().copied()).collect();
    Ok(serde_json::from_str(&node.ask(&all)?)?)
}

/// A client behind two relays, one of which falls silent: `why` tells who it is, and the change with its reason.
fn explained(algorithm: &[&str], reasons: &[&str]) -> Result<()> {
    let (lab, mut nodes) = nodes(&["anna", "ben", "cara", "dora"])?;
    for (a, b) in [(0, 1), (0, 2), (1, 3), (2, 3)] {
        let [one, other] = nodes.get_disjoint_mut([a, b])?;
        one.link(other, &lab, 1500)?;
    }
    let settings: Vec<&str> = QUICK.iter().chain(algorithm).copied().collect();
    for node in &mut nodes {
        node.start(&settings)?;
    }
    nodes[0].wait_for_ping(nodes[3].address(), LIMIT)?;
    let client = nodes[3].namespace.link("bat0")?.mac;
    let client = mac_text(client);
    let originator = nodes[3].originator();
    wait_for(LIMIT, "both relays are candidates", || {
        let said = why(&nodes[0], &[&client])?;
        ensure!(said["orig_address"] == *originator, "{said}");
        ensure!(said["clients"][0]["orig_address"] == *originator, "{said}");
        ensure!(said["candidates"].as_array().map(Vec::len) == Some(2), "{said}");
        ensure!(said["because"][0]["rule"].is_string(), "{said}");
        Ok(())
    })?;
    let text = nodes[0].ask(&["why", &client])?;
    for part in ["is a client of", "next hop", "it would change", "last changes"] {
        ensure!(text.contains(part), "{part}:\n{text}");
    }
    println!("{text}");
    let said = why(&nodes[0], &[&originator])?;
    let rows = said["candidates"].as_array().context("no next hops")?;
    let used = rows.iter().find(|row| row["best"] == true).context("none is used")?;
    let hop = used["neigh_address"].as_str().context("no address")?.to_owned();
    let relay = if hop == nodes[1].originator() { 1 } else { 2 };
    nodes[relay].kill()?;
    wait_for(LIMIT, "the change is told", || {
        let said = why(&nodes[0], &[&originator])?;
        let last = &said["changes"][0];
        ensure!(last["from"] == *hop && last["to"] != *hop && last["to"].is_string(), "{said}");
        ensure!(reasons.iter().any(|reason| last["reason"] == **reason), "{last}");
        Ok(())
    })?;
    println!("{}", nodes[0].ask(&["why", &originator])?);
    ensure!(says(&why(&nodes[0], &["--neighbor", &hop])?).contains("leads"), "how much it is used");
    Ok(())
}

/// The sentences of an answer, with their rules.
fn says(answer: &Value) -> String {
    let rows = answer["because"].as_array().cloned().unwrap_or_default();
    rows.iter().map(|row| format!("{} [{}]\n", row["says"], row["rule"])).collect()
}

pub(super) fn iv_73_iv_74_iv_76_a_change_of_the_route_is_explained() -> Result<()> {
    explained(&[], &["silent", "better_tq", "more_echoes"])
}

pub(super) fn v_67_a_change_of_the_route_is_explained() -> Result<()> {
    explained(&["--algorithm", "batman-v"], &["faster", "lagging"])
}

pub(super) fn an_unknown_address_is_told_in_one_sentence() -> Result<()> {
    let (lab, mut nodes) = nodes(&["anna", "ben"])?;
    let [anna, ben] = nodes.get_disjoint_mut([0, 1])?;
    anna.link(ben, &lab, 1500)?;
    anna.start(&QUICK)?;
    let output = anna.output(&["why", "02:00:5e:00:00:99"])?;
    ensure!(output.status.code() == Some(1) && output.stdout.is_empty(), "{output:?}");
    ensure!(output.stderr.lines().count() == 1, "{output:?}");
    ensure!(output.stderr.contains("it is unknown in this mesh"), "{output:?}");
    // Nobody runs at the other end: nobody is a neighbour, and no broadcast leaves.
    let said = says(&why(anna, &["--neighbor", "02:00:5e:00:00:99"])?);
    ensure!(said.contains("it is no neighbour"), "{said}");
    for whom in ["02:00:5e:00:00:99", "ff:ff:ff:ff:ff:ff"] {
        let said = says(&why(anna, &["--broadcast", whom])?);
        ensure!(said.contains("nobody is heard on e1") && said.contains("FWD-86"), "{said}");
    }
    let said = says(&why(anna, &["--broadcast", "01:00:5e:01:02:03"])?);
    ensure!(said.contains("MCAST-36"), "{said}");
    let own = anna.ask(&["why", &anna.originator()])?;
    ensure!(own.contains("it is this node itself"), "{own}");
    Ok(())
}
