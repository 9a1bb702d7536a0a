//! Settings that change while frames run, and isolated clients (MGMT section 4.1, TT-121 to TT-123).

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::bridge::{Client, bridge};
use super::{LIMIT, chain, nodes};
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
    let rows: [(&[&str], &str); 26] = [
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
        (&["clamp_mss", "1"], "enabled"),
        (&["tap_offload", "0"], "disabled"),
        (&["tap_offload", "1"], "enabled"),
        (&["dat", "0"], "disabled"),
        (&["distributed_arp_table", "1"], "enabled"),
        (&["gw_mode", "client", "30"], "client (selection class: 30)"),
        (&["gw_sel_class", "20"], "20"),
        (&["gw", "server", "20mbit/5mbit"], "server (announced bw: 20.0/5.0 MBit)"),
        (&["gw_bandwidth", "12345"], "12300kbit/5mbit"),
        (&["gw", "off"], "off"),
        (&["mm", "1"], "enabled"),
        (&["multicast_forceflood", "0"], "disabled"),
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
    println!("        {lost} of {sent} pings lost over {} changes", 3 * 24 * 3 + 3);
    ensure!(lost == 0 && sent > 100, "{lost} of {sent} pings were lost");
    refusals(ben)
}

/// What is wrong is told in a sentence and changes nothing.
fn refusals(node: &Node) -> Result<()> {
    let rows: [(&[&str], &str); 15] = [
        (&["hop_penlaty", "3"], "hop_penlaty: no such setting: did you mean \"hop_penalty\"?"),
        (&["hp", "256"], "hop_penalty 256: must be 0 to 255"),
        (&["hp", "-1"], "hop_penalty -1: must be 0 to 255"),
        (&["it", "39"], "orig_interval 39: must be 40 to 2147483647 milliseconds"),
        (&["mark", "1"], "isolation_mark: marks of frames are not seen outside of the kernel"),
        (&["hp", "3", "--interface", "e9"], "e9: not a hard interface of bat0"),
        (&["ap", "1", "--vlan", "10"], "10: no VLAN of bat0: make it with"),
        (&["hp", "3", "4"], "hop_penalty: takes one value: leave out \"4\""),
        (&["gw", "client", "256"], "gw_sel_class 256: must be 1 to 255"),
        (&["gw", "server", "0mbit"], "gw_bandwidth 0mbit: must be like 10mbit/2mbit"),
        (&["gw", "off", "3"], "gw_mode off: takes nothing behind it: leave out \"3\""),
        (&["gw_bandwidth", "5gbit"], "gw_bandwidth 5gbit: must be like 10mbit/2mbit"),
        (&["nc", "1"], "network_coding: there is none here"),
        (&["bonding"], "bonding: there is none here"),
        (&["loglevel", "batman", "tt"], "loglevel batman: must be error, warn, info, debug or"),
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
    ensure!(value(node, &["gw"])? == "off", "the mode is not changed by what is refused behind it");
    ensure!(value(node, &["gw_bandwidth"])? == "12300kbit/5mbit", "nothing changed");
    Ok(())
}

pub(super) fn mgmt_13_mgmt_14_mgmt_27_batctls_words_work() -> Result<()> {
    let (lab, mut nodes) = nodes(&["anna", "ben"])?;
    {
        let [one, other] = nodes.get_disjoint_mut([0, 1])?;
        one.link(other, &lab, 1500)?;
    }
    let file = nodes[0].socket().with_extension("toml");
    std::fs::write(&file, "[[vlan]]\nid = 20\nap_isolation = true\n")?;
    let file = file.display().to_string();
    nodes[0].start(&["--ap-isolation", "--config", &file, "--gw-mode", "server"])?;
    nodes[1].start(&["--orig-interval", "200"])?;
    let (anna, ben) = (&nodes[0], &nodes[1]);
    // As it was started.
    let text = anna.ask(&["ap_isolation"])?;
    ensure!(text == "enabled\n", "{text}");
    // Each way of batctl to name a device and a mesh; what is changed is read by another way.
    let rows: [(&[&str], &[&str], &str); 9] = [
        (&["meshif", "bat0", "ap", "0"], &["ap_isolation"], "disabled"),
        (&["hardif", "e1", "hp", "4"], &["e1", "hop_penalty"], "4"),
        (&["hardif", "e1", "et", "700"], &["e1", "elp_interval"], "700"),
        (&["-m", "bat0", "it", "250"], &["orig_interval"], "250"),
        (&["gw_mode", "server", "5mbit"], &["gw"], "server (announced bw: 5.0/2.0 MBit)"),
        (&["gw_bandwidth", "6mbit/3mbit"], &["gw"], "server (announced bw: 6.0/3.0 MBit)"),
        (&["gw", "client", "7"], &["gw_mode"], "client (selection class: 7)"),
        (&["routing_algo", "BATMAN_IV"], &["ll"], "info"),
        (&["bat0", "mm", "0"], &["mff"], "enabled"),
    ];
    for (change, read, expected) in rows {
        let printed = anna.ask(change)?;
        ensure!(printed.is_empty(), "{change:?} prints {printed:?}");
        let printed = anna.ask(read)?;
        ensure!(printed.trim_end() == expected, "{read:?} prints {printed:?} after {change:?}");
    }
    let text = anna.ask(&["vlans", "-H"])?;
    ensure!(text == "  -1 disabled\n", "{text}");
    let text = anna.ask(&["routing_algo"])?;
    ensure!(text.contains(" * bat0: BATMAN_IV\n") && text.contains(" => BATMAN_IV\n"), "{text}");
    for (words, start) in [("mj", "{\"version\":"), ("hj", "[{\"mesh_ifindex\":"), ("oj", "[")] {
        let text = anna.ask(&[words])?;
        ensure!(text.starts_with(start) && text.lines().count() == 1, "{words}: {text}");
    }
    let mesh: serde_json::Value = serde_json::from_str(&anna.ask(&["mesh_json"])?)?;
    ensure!(mesh["ap_isolation_enabled"] == false && mesh["gw_bandwidth_up"] == 30, "{mesh}");
    // What a gateway announces changes with the setting.
    anna.ask(&["gw", "server", "8mbit/4mbit"])?;
    ben.ask(&["gw", "client"])?;
    wait_for(LIMIT, "ben hears of the new bandwidth", || {
        let rows = ben.table("gateways")?;
        let row = rows.first().context("no gateway")?;
        ensure!(row["bandwidth_down"] == 80 && row["bandwidth_up"] == 40, "{row}");
        Ok(())
    })?;
    // MGMT-27: who a client is reached by; one that nobody announces is its own.
    let mac = super::mac_text(anna.namespace.link("bat0")?.mac);
    wait_for(LIMIT, "ben knows anna's mesh interface", || {
        let text = ben.ask(&["translate", &mac])?;
        ensure!(text.trim_end() == anna.originator(), "{text}");
        Ok(())
    })?;
    let output = ben.output(&["t", "02:00:00:00:00:77"])?;
    ensure!(output.status.success() && output.stdout == "02:00:00:00:00:77\n", "{output:?}");
    ensure!(output.stderr.contains("02:00:00:00:00:77: nobody announces it"), "{output:?}");
    for known in [&mac, &anna.originator()] {
        let output = ben.output(&["t", known])?;
        ensure!(output.stderr.is_empty(), "{output:?}");
    }
    let rows: [(&[&str], i32, &str); 11] = [
        (&["set", "hp", "1", "-i", "w9"], 1, "w9: not a hard interface of bat0 (has: e1)"),
        (&["vid", "0", "ap", "0"], 2, "vid 0: must be 1 to 4095"),
        (&["if", "create"], 2, "interface create: the mesh interface comes with \"noctule run\""),
        (&["vid", "20", "ap"], 1, "20: no VLAN of bat0: make it with"),
        (&["vlan", "e1", "ap"], 2, "e1: no VLAN device: name one"),
        (&["vid", "11", "ap", "1"], 1, "11: no VLAN of bat0: make it with"),
        (&["vid", "11", "vj"], 1, "11: no VLAN of bat0: make it with"),
        (&["vid", "4096", "ap"], 2, "vid 4096: must be 1 to 4095"),
        (&["hardif", "e9", "hp"], 1, "e9: not a hard interface of bat0"),
        (&["td", "e9"], 1, "e9"),
        (&["ra", "BATMAN_V"], 1, "BATMAN_V: is chosen when a node starts"),
    ];
    for (words, code, sentence) in rows {
        let output = anna.output(words)?;
        let said = output.stderr.trim_end();
        ensure!(
            output.status.code() == Some(code)
                && said.lines().count() == 1
                && said.contains(sentence),
            "`{}` said {said:?}",
            output.command
        );
    }
    Ok(())
}

/// The setting of one VLAN, from the start and while the node runs.
pub(super) fn mgmt_14_mgmt_31_each_vlan_has_its_settings() -> Result<()> {
    let (_lab, mut nodes) = nodes(&["anna"])?;
    let anna = &mut nodes[0];
    let file = anna.socket().with_extension("toml");
    std::fs::write(&file, "[[vlan]]\nid = 20\nap_isolation = true\n")?;
    let file = file.display().to_string();
    anna.start_on(&["e1"], &[], &["--wait", "--config", &file])?;
    for (name, id) in [("bat0.10", 10), ("bat0.20", 20)] {
        anna.namespace.add_vlan("bat0", name, id)?;
    }
    wait_for(LIMIT, "the VLANs are known, with the settings that they were started with", || {
        let text = anna.ask(&["vlans", "-H"])?;
        ensure!(text == "  -1 disabled\n  10 disabled\n  20 enabled\n", "{text}");
        Ok(())
    })?;
    let rows: [(&[&str], &[&str], &str); 2] = [
        (&["vid", "10", "ap_isolation", "1"], &["vlan", "bat0.10", "ap"], "enabled"),
        (&["bat0.20", "ap", "0"], &["bat0", "vid", "20", "ap_isolation"], "disabled"),
    ];
    for (change, read, expected) in rows {
        let printed = anna.ask(change)?;
        ensure!(printed.is_empty(), "{change:?} prints {printed:?}");
        let printed = anna.ask(read)?;
        ensure!(printed.trim_end() == expected, "{read:?} prints {printed:?} after {change:?}");
    }
    let ifindex = anna.table("vlans")?[0]["mesh_ifindex"].to_string();
    let text = anna.ask(&["vid", "10", "vlan_json"])?;
    let expected = format!(
        "{{\"mesh_ifindex\":{ifindex},\"mesh_ifname\":\"bat0\",\"vlanid\":10,\"ap_isolation_enabled\":true}}\n"
    );
    ensure!(text == expected, "vlan_json: {text}");
    anna.stop()
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
