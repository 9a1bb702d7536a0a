//! What the commands print, on a real mesh (MGMT sections 3 and 4, ICMP-25 to ICMP-34).

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{LIMIT, chain, mac_text, nodes};
use crate::lab::{Output, Set, wait_for};
use crate::node::Node;

/// One sentence on standard error, nothing on standard output, this exit status.
fn one_sentence(output: &Output, code: i32, expected: &str) -> Result<()> {
    let said = output.stderr.trim_end();
    ensure!(output.status.code() == Some(code), "`{}`: {:?}", output.command, output.status);
    ensure!(
        said.starts_with("noctule: ") && said.lines().count() == 1 && said.contains(expected),
        "`{}` said {said:?}, not {expected:?}",
        output.command
    );
    Ok(())
}

/// The keys of an object in the order in which they are written.
fn keys(object: &str) -> Vec<&str> {
    let (mut keys, mut depth) = (Vec::new(), 0);
    let mut parts = object.split('"').enumerate().peekable();
    while let Some((index, part)) = parts.next() {
        if index % 2 == 0 {
            depth += part.matches('{').count();
            depth -= part.matches('}').count().min(depth);
        } else if depth == 1 && parts.peek().is_some_and(|(_, next)| next.starts_with(':')) {
            keys.push(part);
        }
    }
    keys
}

/// Checks the keys of the first row of a JSON table; those of `optional` may be missing.
fn check_keys(node: &Node, words: &[&str], expected: &[&str], optional: &[&str]) -> Result<()> {
    let text = node.ask(&[words, &["--json"]].concat())?;
    ensure!(text.ends_with('\n') && text.lines().count() == 1, "MGMT-31: one line: {text}");
    serde_json::from_str::<Value>(&text).with_context(|| format!("{words:?}: no JSON: {text}"))?;
    let row = text.trim_end().strip_prefix('[').unwrap_or(&text);
    let row = row.split("},{").next().unwrap_or_default();
    let row =
        if row.ends_with('}') || row.ends_with("}]") { row.to_owned() } else { format!("{row}}}") };
    let found = keys(&row);
    let wanted: Vec<&str> = expected
        .iter()
        .copied()
        .filter(|key| found.contains(key) || !optional.contains(key))
        .collect();
    ensure!(found == wanted, "{words:?} --json has the keys {found:?}, not {expected:?}\n{row}");
    Ok(())
}

/// The header line, the column line, and rows of the length of `example`, blank for blank where the example has no letter or digit.
fn check_table(
    node: &Node,
    words: &[&str],
    more: &str,
    columns: &str,
    example: &str,
) -> Result<()> {
    let text = node.ask(words)?;
    let mesh = mac_text(node.namespace.link("bat0")?.mac);
    let mut lines = text.lines();
    let header = lines.next().unwrap_or_default();
    let middle = format!(", MainIF/MAC: e1/{} (bat0/{mesh} BATMAN_IV){more}", node.originator());
    ensure!(
        header.starts_with("[Noctule ") && header.ends_with(']') && header.contains(&middle),
        "MGMT-29: {words:?} has the header {header:?}, without {middle:?}"
    );
    ensure!(lines.next() == Some(columns), "{words:?} has the columns\n{text}");
    let shape = |line: &str| -> String {
        line.chars()
            .map(|c| if c.is_ascii_alphanumeric() || ".*-".contains(c) { ' ' } else { c })
            .collect()
    };
    let mut rows = 0;
    for row in lines {
        rows += 1;
        ensure!(
            shape(row) == shape(example),
            "MGMT-45: {words:?} has the row\n{row}\nnot\n{example}"
        );
    }
    ensure!(rows > 0, "{words:?} has no row");
    let bare = node.ask(&[words, &["-H"]].concat())?;
    ensure!(bare.lines().count() == rows, "-H leaves the header out: {bare}");
    Ok(())
}

pub(super) fn mgmt_29_mgmt_45_the_tables_look_like_batctls() -> Result<()> {
    let (_lab, nodes) = chain(&["anna", "ben", "cara"])?;
    let (anna, cara) = (&nodes[0], &nodes[2]);
    anna.wait_for_ping(cara.address(), LIMIT)?;
    let columns = "   Originator        last-seen (#/255) Nexthop           [outgoingIF]";
    let example = " * 02:00:5e:30:00:03    0.640s   ( 81) 02:00:5e:20:00:02 [        e1]";
    for word in ["originators", "o"] {
        check_table(anna, &[word], "]", columns, example)?;
    }
    let columns = "IF             Neighbor              last-seen";
    for word in ["neighbors", "n"] {
        check_table(anna, &[word], "]", columns, "           e1\t  02:00:5e:20:00:02    0.320s")?;
    }
    let columns = "Client             VID Flags    Last seen (CRC       )";
    let example = "3e:00:5e:aa:00:01   -1 [.P....]   0.000   (0x1f2e3d4c)";
    for word in ["translocal", "tl"] {
        check_table(anna, &[word], ", TTVN: ", columns, example)?;
    }
    let columns = "   Client             VID Flags Last ttvn     Via        ttvn  (CRC       )";
    let example = " * 33:33:00:00:00:01   -1 [....] (  5) 02:00:5e:30:00:03 (  7) (0x1f2e3d4c)";
    for word in ["transglobal", "tg"] {
        check_table(anna, &[word], "]", columns, example)?;
    }
    for word in ["interfaces", "if"] {
        let text = nodes[1].ask(&[word])?;
        ensure!(text == "e1: active\ne2: active\n", "MGMT-28: {text}");
    }
    for word in ["statistics", "s"] {
        let text = anna.ask(&[word, "-a"])?;
        let name = |line: &str| Some(line.strip_prefix('\t')?.split_once(": ")?.0.to_owned());
        let names: Option<Vec<String>> = text.lines().map(name).collect();
        let names = names.with_context(|| format!("not tab, name, colon, value:\n{text}"))?;
        let first = [
            "tx",
            "tx_bytes",
            "tx_dropped",
            "rx",
            "rx_bytes",
            "forward",
            "forward_bytes",
            "mgmt_tx",
        ];
        ensure!(names[..first.len()] == first, "MGMT-39: {names:?}");
    }
    let text = anna.ask(&["status"])?;
    for part in ["bat0", &anna.originator(), "e1 active", "2 originators"] {
        ensure!(text.contains(part), "the status says nothing of {part}:\n{text}");
    }
    Ok(())
}

pub(super) fn mgmt_31_json_has_batctls_keys() -> Result<()> {
    let (_lab, nodes) = chain(&["anna", "ben"])?;
    nodes[0].wait_for_ping(nodes[1].address(), LIMIT)?;
    let anna = &nodes[0];
    let keys = [
        "hard_ifindex",
        "hard_ifname",
        "orig_address",
        "best",
        "last_seen_msecs",
        "neigh_address",
        "tq",
        // Not batctl's: behind its keys, and only where the kernel forwards.
        "offload_frames",
        "offload_bytes",
    ];
    check_keys(anna, &["originators"], &keys, &["best", "offload_frames", "offload_bytes"])?;
    check_keys(
        anna,
        &["neighbors"],
        &["hard_ifindex", "hard_ifname", "last_seen_msecs", "neigh_address"],
        &[],
    )?;
    let own = ["tt_address", "tt_crc32", "tt_vid", "tt_flags", "last_seen_msecs"];
    check_keys(anna, &["translocal"], &own, &["last_seen_msecs"])?;
    let keys = [
        "orig_address",
        "tt_address",
        "tt_ttvn",
        "tt_last_ttvn",
        "tt_crc32",
        "tt_vid",
        "tt_flags",
        "best",
    ];
    check_keys(anna, &["transglobal"], &keys, &["best"])?;
    let flags = &anna.table("transglobal")?[0]["tt_flags"];
    for flag in ["del", "roam", "wifi", "isolated", "nopurge", "new", "pending", "temp"] {
        ensure!(flags[flag].is_boolean() && flags["raw"].is_u64(), "{flags}");
    }
    let keys = [
        "mesh_ifindex",
        "mesh_ifname",
        "hard_ifindex",
        "hard_ifname",
        "hard_address",
        "active",
        "hop_penalty",
        // Not batctl's: behind its keys.
        "mtu",
        "carries",
        "backend",
        // Only if that could be another one.
        "backend_because",
        // Where the kernel forwards.
        "offload_frames",
        "offload_bytes",
    ];
    let optional = ["backend_because", "offload_frames", "offload_bytes"];
    check_keys(anna, &["interfaces"], &keys, &optional)?;
    let keys = ["last_seen_msecs", "dat_cache_ip4address", "dat_cache_hwaddress", "dat_cache_vid"];
    check_keys(anna, &["dat_cache"], &keys, &[])?;
    let status: Value = serde_json::from_str(&anna.ask(&["status", "--json"])?)?;
    for key in [
        "version",
        "algo_name",
        "mesh_ifindex",
        "mesh_ifname",
        "mesh_address",
        "hard_ifname",
        "tt_ttvn",
    ] {
        ensure!(!status[key].is_null(), "mesh_json's {key} is missing: {status}");
    }
    let counters: Value = serde_json::from_str(&anna.ask(&["statistics", "--json"])?)?;
    ensure!(counters["mgmt_tx"].as_u64() > Some(0), "{counters}");
    Ok(())
}

pub(super) fn icmp_25_icmp_28_ping_and_traceroute_tell_how_it_went() -> Result<()> {
    let (_lab, mut nodes) = chain(&["anna", "ben", "cara"])?;
    nodes[0].wait_for_ping(nodes[2].address(), LIMIT)?;
    let [ben, cara] = [nodes[1].originator(), nodes[2].originator()];
    let client = mac_text(nodes[2].namespace.link("bat0")?.mac);
    for word in ["ping", "p"] {
        let text = nodes[0].ask(&[word, "-c", "2", "-i", "0.01", &cara])?;
        let lines: Vec<&str> = text.lines().collect();
        ensure!(lines[0] == format!("PING {cara} ({cara}) 20(48) bytes of data"), "{text}");
        let start = format!("20 bytes from {cara} icmp_seq=1 ttl=49 time=");
        ensure!(lines[1].starts_with(&start) && lines[1].ends_with(" ms"), "ICMP-30: {text}");
        ensure!(lines[3] == format!("--- {cara} ping statistics ---"), "{text}");
        ensure!(lines[4] == "2 packets transmitted, 2 received, 0% packet loss", "{text}");
        ensure!(lines[5].starts_with("rtt min/avg/max/mdev = "), "{text}");
    }
    let text = nodes[0].ask(&["ping", "-c", "1", "-R", &cara])?;
    ensure!(
        text.contains("116(144) bytes") && text.contains("RR: \t") && text.contains(&ben),
        "ICMP-31: {text}"
    );
    // The address of a client stands for the node it is behind.
    let text = nodes[0].ask(&["ping", "-c", "1", &client])?;
    ensure!(text.contains(&format!("PING {client} ({cara})")), "ICMP-29: {text}");
    // So does its IP address; ben's, which nobody has asked for yet, the host finds by ARP over the mesh.
    for (node, originator) in [(2, &cara), (1, &ben)] {
        let ip = nodes[node].address().to_string();
        let text = nodes[0].ask(&["ping", "-c", "1", &ip])?;
        ensure!(text.contains(&format!("PING {ip} ({originator})")), "ICMP-29: {text}");
    }
    for word in ["traceroute", "tr"] {
        let text = nodes[0].ask(&[word, &cara])?;
        let lines: Vec<&str> = text.lines().collect();
        ensure!(
            lines[0] == format!("traceroute to {cara} ({cara}), 50 hops max, 20 byte packets"),
            "{text}"
        );
        let hop = |number: u8, mac: &str| format!("{number:>2}: {mac}  ");
        ensure!(lines.len() == 3, "ICMP-34: {text}");
        // A relay answers by its own originator address.
        ensure!(
            lines[1].starts_with(&hop(1, &ben)) && lines[1].ends_with(" ms"),
            "ICMP-34: {text}"
        );
        ensure!(lines[2].starts_with(&hop(2, &cara)), "ICMP-34: {text}");
    }

    let lines: Vec<Value> =
        json_lines(&nodes[0].ask(&["ping", "-c", "2", "-i", "0.1", "--json", &cara])?)?;
    ensure!(lines.len() == 3 && lines[1]["kind"] == "echo_reply", "{lines:?}");
    ensure!(lines[2]["transmitted"] == 2 && lines[2]["received"] == 2, "{lines:?}");
    let lines: Vec<Value> = json_lines(&nodes[0].ask(&["traceroute", "--json", &cara])?)?;
    ensure!(lines.len() == 2, "{lines:?}");
    ensure!(lines[0]["orig_address"] == *ben && lines[0]["reached"] == false, "{lines:?}");
    ensure!(lines[1]["orig_address"] == *cara && lines[1]["reached"] == true, "{lines:?}");
    one_sentence(&nodes[0].output(&["ping", &nodes[0].originator()])?, 1, "that is this node")?;

    let nobody = "02:00:00:00:00:77";
    let lost = nodes[0].output(&["ping", "-c", "1", nobody])?;
    ensure!(lost.status.code() == Some(2), "ICMP-25: {:?} without an answer", lost.status);
    ensure!(
        lost.stdout.contains(&format!("From {nobody}: Destination Host Unreachable (icmp_seq 1)")),
        "{}",
        lost.stdout
    );
    ensure!(
        lost.stdout.contains("1 packets transmitted, 0 received, 100% packet loss"),
        "{}",
        lost.stdout
    );
    let lost = nodes[0].output(&["traceroute", nobody])?;
    ensure!(lost.status.code() == Some(1), "ICMP-28: {:?} without a route", lost.status);
    ensure!(lost.stderr.trim_end().lines().count() == 1, "{}", lost.stderr);
    one_sentence(&nodes[0].output(&["ping"])?, 1, "DESTINATION")?;
    one_sentence(&nodes[0].output(&["ping", "-c", "0", nobody])?, 1, "0")?;
    one_sentence(&nodes[0].output(&["traceroute", "nowhere.invalid"])?, 1, "nowhere.invalid")?;

    // Dead, and the route to it is not given up yet.
    nodes[2].kill()?;
    let silent = nodes[0].output(&["ping", "-c", "1", &cara])?;
    ensure!(silent.status.code() == Some(2), "ICMP-25: {:?} without an answer", silent.status);
    Ok(())
}

pub(super) fn without_a_node_or_an_interface_there_is_a_sentence() -> Result<()> {
    let (lab, mut nodes) = nodes(&["anna", "ben"])?;
    let [anna, ben] = nodes.get_disjoint_mut([0, 1])?;
    anna.link(ben, &lab, 1500)?;
    let commands = [
        "status",
        "originators",
        "neighbors",
        "translocal",
        "transglobal",
        "interfaces",
        "statistics",
    ];
    for command in commands {
        one_sentence(&anna.output(&[command])?, 1, "no node is running at")?;
        one_sentence(&anna.output(&[command, "--json"])?, 1, "no node is running at")?;
    }
    for command in ["ping", "traceroute"] {
        one_sentence(&anna.output(&[command, "02:00:00:00:00:77"])?, 1, "no node is running at")?;
    }
    one_sentence(&anna.output(&["originator"])?, 2, "did you mean 'originators'?")?;
    one_sentence(&anna.output(&["originators", "--jsn"])?, 2, "--json")?;
    one_sentence(&anna.output(&[])?, 2, "no command is given")?;
    let version = anna.output(&["--version"])?;
    ensure!(version.status.success() && version.stdout.starts_with("noctule "), "{version:?}");
    let help = anna.output(&["--help"])?;
    ensure!(help.status.success() && help.stdout.contains("originators"), "{help:?}");

    anna.start(&[])?;
    // MGMT-29: no active primary interface.
    anna.namespace.set_link("e1", &[Set::Down])?;
    wait_for(LIMIT, "no interface is active", || {
        let text = anna.ask(&["interfaces"])?;
        ensure!(text == "e1: inactive\n", "{text}");
        Ok(())
    })?;
    for command in ["originators", "neighbors"] {
        let output = anna.output(&[command])?;
        ensure!(output.status.code() == Some(1) && output.stdout.is_empty(), "MGMT-29: {output:?}");
    }
    for command in ["translocal", "transglobal"] {
        one_sentence(&anna.output(&[command])?, 1, "no hard interface is active")?;
    }
    let killed_socket = anna.socket().to_owned();
    anna.kill()?;
    ensure!(killed_socket.exists(), "SIGKILL leaves the socket");
    one_sentence(&anna.output(&["status"])?, 1, "no node is running at")?;
    Ok(())
}

/// Each line is a value.
fn json_lines(text: &str) -> Result<Vec<Value>> {
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}
