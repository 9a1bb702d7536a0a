//! Settings that change while frames run, and isolated clients (MGMT section 4.1, TT-121 to TT-123).

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::bridge::{Client, bridge};
use super::{LIMIT, chain};
use crate::interop::echo::Echo;
use crate::lab::{Set, wait_for};
use crate::node::{Node, wait_for_ping};

/// What `noctule set` prints for one setting.
fn value(node: &Node, words: &[&str]) -> Result<String> {
    Ok(node.ask(&[&["set"], words].concat())?.trim_end().to_owned())
}

pub(super) fn mgmt_12_settings_change_while_frames_run_and_none_is_lost() -> Result<()> {
    let (_lab, nodes) = chain(&["anna", "ben", "cara"])?;
    let (anna, ben, cara) = (&nodes[0], &nodes[1], &nodes[2]);
    anna.wait_for_ping(cara.address(), LIMIT)?;
    let start = Instant::now();
    let stream = anna.ping_stream(cara.address(), Duration::from_millis(2))?;
    // By name and by alias, each way of writing a value; each is what is read back.
    let rows: [(&[&str], &str); 14] = [
        (&["hop_penalty", "5"], "5"),
        (&["hp", "30"], "30"),
        (&["orig_interval", "300"], "300"),
        (&["it", "100"], "100"),
        (&["aggregation", "0"], "disabled"),
        (&["ag", "Enabled"], "enabled"),
        (&["multicast_mode", "0"], "disabled"),
        (&["mff", "0"], "disabled"),
        (&["mo", "3"], "3"),
        (&["mtu_probing", "0"], "disabled"),
        (&["ap", "1"], "enabled"),
        (&["loglevel", "debug"], "debug"),
        (&["fragmentation", "0"], "disabled"),
        (&["f", "1"], "enabled"),
    ];
    for round in 0..3 {
        for (words, expected) in rows {
            for node in [anna, ben, cara] {
                let printed = value(node, words)?;
                ensure!(printed.is_empty(), "a change prints {printed:?} in round {round}");
                let now = value(node, &words[..1])?;
                ensure!(now == expected, "{words:?} on {}: {now}", node.name());
            }
        }
        value(ben, &["hp", "7", "--interface", "e1"])?;
        ensure!(value(ben, &["hop_penalty", "-i", "e1"])? == "7", "of the interface");
        ensure!(value(ben, &["hp"])? == "30", "of the mesh");
    }
    let list = value(ben, &[])?;
    ensure!(list.contains("orig_interval (it): 100\n"), "the list: {list}");
    ensure!(list.contains("e1 hop_penalty (hp): 7"), "the list: {list}");
    let rows: serde_json::Value = serde_json::from_str(&ben.ask(&["set", "it", "--json"])?)?;
    ensure!(rows[0]["value"] == 100 && rows[0]["default"] == 1000, "{rows}");
    let end = Instant::now();
    std::thread::sleep(Duration::from_millis(500));
    let (lost, sent) = stream.stop()?.lost(start, end);
    println!("        {lost} of {sent} pings lost over {} changes", 3 * 14 * 3 + 3);
    ensure!(lost == 0 && sent > 100, "{lost} of {sent} pings were lost");
    refusals(ben)
}

/// What is wrong is told in a sentence and changes nothing.
fn refusals(node: &Node) -> Result<()> {
    let rows: [(&[&str], &str); 7] = [
        (&["hop_penlaty", "3"], "hop_penlaty: no such setting: did you mean \"hop_penalty\"?"),
        (&["hp", "256"], "hop_penalty 256: must be 0 to 255"),
        (&["hp", "-1"], "hop_penalty -1: must be 0 to 255"),
        (&["it", "39"], "orig_interval 39: must be 40 to 2147483647 milliseconds"),
        (&["mark", "1"], "isolation_mark: marks of frames are not seen outside of the kernel"),
        (&["hp", "3", "--interface", "e9"], "e9: not a hard interface of bat0"),
        (&["ap", "1", "--vlan", "10"], "10: no VLAN of bat0: make it with"),
    ];
    for (words, sentence) in rows {
        let output = node.output(&[&["set"], words].concat())?;
        let said = output.stderr.trim_end();
        ensure!(
            !output.status.success() && said.lines().count() == 1 && said.contains(sentence),
            "`{}` said {said:?}",
            output.command
        );
    }
    ensure!(value(node, &["hp"])? == "30" && value(node, &["it"])? == "100", "nothing changed");
    Ok(())
}

/// Whether anybody answers in a second.
fn answers(from: &Client, to: &Client) -> Result<bool> {
    let mut echo = from.namespace.with(|| Echo::open(to.address()))?;
    Ok(echo.ping(56, Duration::from_secs(1))?.is_some())
}

pub(super) fn tt_21_tt_121_clients_behind_isolated_bridge_ports_are_kept_apart() -> Result<()> {
    let (lab, nodes) = chain(&["anna", "ben"])?;
    let names = [("one", 1), ("two", 2), ("three", 3), ("four", 4)];
    let clients: Vec<_> = names
        .iter()
        .map(|(name, number)| Client::new(&lab, name, *number))
        .collect::<Result<_>>()?;
    let [one, two, three, four] = &clients[..] else { unreachable!("four names") };
    for node in &nodes {
        bridge(node)?;
    }
    // One and three are isolated; two and four are not.
    for (client, node) in [(one, 0), (two, 0), (three, 1), (four, 1)] {
        client.plug(&lab, &nodes[node])?;
    }
    nodes[0].namespace.set_link("port1", &[Set::Isolated(true)])?;
    nodes[1].namespace.set_link("port3", &[Set::Isolated(true)])?;
    // Isolation is off: everybody reaches everybody.
    for (from, to) in [(one, three), (one, four), (two, three), (two, four)] {
        wait_for_ping(&from.namespace, to.address(), LIMIT)?;
    }
    let flagged = |asked: &Node, client: &Client, expected: bool| {
        wait_for(LIMIT, "the flag of the client", || {
            let rows = asked.table("transglobal")?;
            let row = rows.iter().find(|row| row["tt_address"] == client.mac_text());
            let row = row.context("the client is not announced")?;
            ensure!(row["tt_flags"]["isolated"] == expected, "{row}");
            Ok(())
        })
    };
    flagged(&nodes[1], one, true)?;
    flagged(&nodes[0], three, true)?;
    flagged(&nodes[1], two, false)?;
    for node in &nodes {
        node.ask(&["set", "ap_isolation", "1"])?;
    }
    ensure!(!answers(one, three)? && !answers(three, one)?, "isolated clients talk");
    for (from, to) in [(one, four), (two, three), (two, four), (four, one), (three, two)] {
        ensure!(answers(from, to)?, "{} gets no answer", from.namespace.name());
    }
    let dropped = nodes[0].counter("drop_isolated")? + nodes[1].counter("drop_isolated")?;
    ensure!(dropped > 0, "nothing was counted");
    // The port is an ordinary one again: so are the clients behind it, though they are silent.
    nodes[0].namespace.set_link("port1", &[Set::Isolated(false)])?;
    flagged(&nodes[1], one, false)?;
    wait_for_ping(&one.namespace, three.address(), LIMIT)?;
    Ok(())
}
