//! Hard interfaces and the mesh interface that change while the node runs.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::{LIMIT, QUICK, chain, mac_text, nodes, replace_address};
use crate::lab::{End, FrameSocket, Set, wait_for};
use crate::node::Node;

/// Waits until `noctule interfaces` says so of a link.
fn wait_for_state(node: &Node, link: &str, state: &str) -> Result<()> {
    let line = format!("{link}: {state}");
    wait_for(LIMIT, &format!("{} says {line}", node.name()), || {
        let text = node.ask(&["interfaces"])?;
        ensure!(text.lines().any(|found| found == line), "{text}");
        Ok(())
    })
}

pub(super) fn a_link_that_goes_down_is_used_again_when_it_is_up() -> Result<()> {
    let (_lab, nodes) = chain(&["anna", "ben"])?;
    let target = nodes[1].address();
    nodes[0].wait_for_ping(target, LIMIT)?;
    for _ in 0..2 {
        // Switched off at ben's end, and so without a carrier at anna's.
        nodes[1].namespace.set_link("e1", &[Set::Down])?;
        wait_for_state(&nodes[1], "e1", "inactive")?;
        wait_for_state(&nodes[0], "e1", "inactive")?;
        ensure!(nodes[0].namespace.link("e1")?.up, "anna's end itself was switched off");
        nodes[1].namespace.set_link("e1", &[Set::Up])?;
        wait_for_state(&nodes[0], "e1", "active")?;
        nodes[0].wait_for_ping(target, LIMIT)?;
    }
    Ok(())
}

pub(super) fn a_primary_interface_that_goes_down_does_not_silence_the_node() -> Result<()> {
    let (lab, mut nodes) = nodes(&["anna", "ben"])?;
    {
        let [one, other] = nodes.get_disjoint_mut([0, 1])?;
        one.link(other, &lab, 1500)?;
        one.link(other, &lab, 1500)?;
    }
    for node in &mut nodes {
        node.start(&QUICK)?;
    }
    let target = nodes[1].address();
    nodes[0].wait_for_ping(target, LIMIT)?;
    nodes[0].namespace.set_link("e1", &[Set::Down])?;
    wait_for_state(&nodes[0], "e1", "inactive")?;
    nodes[0].wait_for_ping(target, LIMIT)?;
    // The tables go on, too.
    for table in ["originators", "neighbors", "translocal", "transglobal"] {
        let text = nodes[0].ask(&[table])?;
        ensure!(
            text.starts_with("[Noctule ") && text.contains("MainIF/MAC: e1/"),
            "{table}: {text}"
        );
    }
    let primary = nodes[0].originator();
    // An old route would carry pings for minutes: ben must hear of that originator after the link went down.
    let down = Instant::now();
    wait_for(LIMIT, "ben still hears of anna's originator address, by the second link", || {
        let rows = nodes[1].table("originators")?;
        let since_down = down.elapsed().as_millis();
        let best = rows
            .iter()
            .find(|row| row["orig_address"] == *primary && row["best"] == true)
            .context("no route")?;
        ensure!(best["hard_ifname"] == "e2", "{rows:?}");
        let age = best["last_seen_msecs"].as_u64().context("a row without an age")?;
        ensure!(u128::from(age) + 100 < since_down, "not heard for {since_down} ms: {rows:?}");
        Ok(())
    })?;
    nodes[1].wait_for_ping(nodes[0].address(), LIMIT)?;
    nodes[0].namespace.set_link("e1", &[Set::Up])?;
    wait_for(LIMIT, "the first link is used again", || {
        let rows = nodes[0].table("neighbors")?;
        ensure!(rows.iter().any(|row| row["hard_ifname"] == "e1"), "{rows:?}");
        Ok(())
    })
}

pub(super) fn a_vanished_interface_is_used_again_when_it_is_back() -> Result<()> {
    let (lab, nodes) = chain(&["anna", "ben"])?;
    let target = nodes[1].address();
    nodes[0].wait_for_ping(target, LIMIT)?;
    nodes[0].namespace.delete_link("e1")?;
    wait_for_state(&nodes[0], "e1", "inactive")?;
    wait_for_state(&nodes[1], "e1", "inactive")?;
    let here = End { name: "e1", mac: nodes[0].mac(9) };
    let there = End { name: "e1", mac: nodes[1].mac(9) };
    lab.veth(&nodes[0].namespace, &here, &nodes[1].namespace, &there, 1400)?;
    nodes[0].wait_for_ping(target, LIMIT)?;
    Ok(())
}

pub(super) fn the_address_of_a_hard_interface_changes() -> Result<()> {
    let (_lab, nodes) = chain(&["anna", "ben", "cara"])?;
    let target = nodes[2].address();
    nodes[0].wait_for_ping(target, LIMIT)?;
    let new = nodes[1].mac(77);
    nodes[1].namespace.set_link("e1", &[Set::Mac(new)])?;
    wait_for(LIMIT, "anna knows ben by his new address", || {
        let rows = nodes[0].table("neighbors")?;
        ensure!(rows.iter().any(|row| row["neigh_address"] == mac_text(new)), "{rows:?}");
        let (_, hop) = nodes[0].route(&nodes[2])?.context("no route to cara")?;
        ensure!(hop == mac_text(new), "the route to cara still leads by {hop}");
        Ok(())
    })?;
    nodes[0].wait_for_ping(target, LIMIT)?;
    nodes[0].wait_for_ping(nodes[1].address(), LIMIT)?;
    Ok(())
}

pub(super) fn the_mesh_interface_gets_another_address_and_mtu() -> Result<()> {
    let (_lab, nodes) = chain(&["anna", "ben"])?;
    let target = nodes[1].address();
    nodes[0].wait_for_ping(target, LIMIT)?;
    let old = nodes[0].namespace.link("bat0")?.mac;
    let new = [0x02, 0xaa, 0, 0, 0, 0x42];
    nodes[0].namespace.set_link("bat0", &[Set::Mac(new)])?;
    wait_for(LIMIT, "the new address stands in the place of the old one", || {
        let text = nodes[0].ask(&["status", "--json"])?;
        let status: serde_json::Value = serde_json::from_str(&text)?;
        ensure!(status["mesh_address"] == mac_text(new), "{status}");
        let own = nodes[0].table("translocal")?;
        let find = |rows: &[serde_json::Value], mac| {
            rows.iter().find(|row| row["tt_address"] == mac_text(mac)).cloned()
        };
        let row = find(&own, new).context("the new address is no client of ours")?;
        ensure!(row["tt_flags"]["nopurge"] == true, "the new address would age: {row}");
        let global = nodes[1].table("transglobal")?;
        ensure!(find(&global, new).is_some() && find(&global, old).is_none(), "{global:?}");
        Ok(())
    })?;
    nodes[0].wait_for_ping(target, LIMIT)?;
    nodes[1].wait_for_ping(nodes[0].address(), LIMIT)?;

    for node in &nodes {
        node.namespace.set_link("bat0", &[Set::Mtu(4000)])?;
    }
    wait_for(LIMIT, "packets of 4000 bytes pass", || {
        nodes[0].echo(target)?.ping(3972, Duration::from_secs(1))?.context("lost")
    })?;
    for node in &nodes {
        let mtu = node.namespace.link("bat0")?.mtu;
        ensure!(mtu == 4000, "{} set the user's MTU back to {mtu}", node.name());
    }
    // What the links cannot carry even in 16 fragments is set back.
    nodes[0].namespace.set_link("bat0", &[Set::Mtu(30_000)])?;
    wait_for(LIMIT, "an impossible MTU is set back", || {
        let mtu = nodes[0].namespace.link("bat0")?.mtu;
        ensure!(mtu < 30_000, "bat0 has {mtu}");
        Ok(())
    })?;
    nodes[0].wait_for_ping(target, LIMIT)?;
    Ok(())
}

pub(super) fn a_deleted_mesh_interface_ends_the_node_with_a_sentence() -> Result<()> {
    let (_lab, mut nodes) = chain(&["anna", "ben"])?;
    nodes[0].wait_for_ping(nodes[1].address(), LIMIT)?;
    nodes[0].namespace.delete_link("bat0")?;
    let daemon = nodes[0].daemon()?;
    let status = daemon.wait(LIMIT)?;
    let log = daemon.log();
    let last = log.lines().last().unwrap_or_default();
    ensure!(status.code() == Some(1), "{status}: {last}");
    ensure!(last.starts_with("noctule: bat0 was deleted"), "{last}");
    ensure!(!nodes[0].socket().exists(), "the socket is still there");
    Ok(())
}

pub(super) fn a_vlan_interface_carries_a_mesh_of_its_own() -> Result<()> {
    let (lab, mut nodes) = nodes(&["anna", "ben", "cara"])?;
    let [anna, ben, cara] = nodes.get_disjoint_mut([0, 1, 2])?;
    anna.link(ben, &lab, 1500)?;
    ben.link(cara, &lab, 1500)?;
    for node in [&*anna, &*ben] {
        node.namespace.add_vlan("e1", "e1.7", 7)?;
        node.namespace.set_link("e1.7", &[Set::Up])?;
    }
    anna.start_on(&["e1.7"], &[], &QUICK)?;
    ben.start_on(&["e1.7", "e2"], &[], &QUICK)?;
    cara.start(&QUICK)?;
    anna.wait_for_ping(cara.address(), LIMIT)?;
    anna.transfer(cara, 1 << 20)?;
    anna.stop()?;
    // On the parent, ben's tagged frames are none of anna's business, nor her untagged ones of ben's.
    anna.start(&QUICK)?;
    let sent = || -> Result<u64> { Ok(ben.namespace.link("e1.7")?.tx_frames) };
    let (before, own_before) = (sent()?, anna.counter("mgmt_tx")?);
    wait_for(LIMIT, "each has sent OGMs", || {
        let (theirs, own) = (sent()? - before, anna.counter("mgmt_tx")? - own_before);
        ensure!(theirs >= 20 && own >= 20, "{theirs} by ben, {own} by anna");
        Ok(())
    })?;
    let rows = anna.table("neighbors")?;
    ensure!(rows.is_empty(), "anna took tagged frames: {rows:?}");
    let rows = ben.table("neighbors")?;
    let parent = mac_text(anna.mac(1));
    let fresh = |row: &serde_json::Value| {
        row["neigh_address"] == parent && row["last_seen_msecs"].as_u64() < Some(1000)
    };
    ensure!(!rows.iter().any(fresh), "ben took untagged frames: {rows:?}");
    Ok(())
}

/// FWD-09: two interfaces with one address work badly, and nobody would guess why.
pub(super) fn fwd_09_two_interfaces_with_one_address_are_told() -> Result<()> {
    let (lab, mut nodes) = nodes(&["anna", "ben"])?;
    let [anna, ben] = nodes.get_disjoint_mut([0, 1])?;
    anna.link(ben, &lab, 1500)?;
    anna.link(ben, &lab, 1500)?;
    anna.start(&QUICK)?;
    ensure!(!anna.daemon()?.log().contains("have the same address"), "different addresses");
    let first = anna.mac(1);
    anna.namespace.set_link("e2", &[Set::Down, Set::Mac(first), Set::Up])?;
    wait_for(LIMIT, "the log tells of the twins", || {
        ensure!(anna.daemon()?.log().contains("two interfaces of the mesh have the same address"));
        Ok(())
    })?;
    ben.start(&QUICK)?;
    anna.wait_for_ping(ben.address(), LIMIT).map(|_| ())
}

/// Needs no VLAN device: the tag is put into the frame by hand.
pub(super) fn a_tagged_frame_is_no_mesh_frame() -> Result<()> {
    let (_lab, nodes) = chain(&["anna", "ben"])?;
    nodes[0].wait_for_ping(nodes[1].address(), LIMIT)?;
    let mut socket = FrameSocket::open(&nodes[1].namespace, "e1")?;
    // An OGM of anna's own (the originator address stands behind 8 bytes of header), and from it one of somebody who does
    // not exist.
    let anna = nodes[0].mac(1);
    let mut ogm = socket.receive(LIMIT, |frame| {
        frame.get(12..15) == Some(&[0x43, 0x05, 0])
            && frame.get(6..12) == Some(&anna)
            && frame.get(22..28) == Some(&anna)
    })?;
    let ghost = [0x02, 0xee, 0, 0, 0, 1];
    // Sender, originator and previous sender: all three are anna.
    replace_address(&mut ogm, anna, ghost);
    let tagged = [&ogm[..12], &[0x81, 0, 0, 7], &ogm[12..]].concat();
    let heard = || -> Result<bool> {
        let rows = nodes[0].table("neighbors")?;
        Ok(rows.iter().any(|row| row["neigh_address"] == mac_text(ghost)))
    };
    // The kernel takes the tag out and marks the frame as another host's, if it has no device for that VLAN; then the
    // reason that is counted is that one.
    let refused = || -> Result<u64> {
        Ok(nodes[0].counter("drop_tagged")? + nodes[0].counter("drop_not_for_us")?)
    };
    let before = refused()?;
    let mut sent = 0;
    wait_for(LIMIT, "tagged frames are refused and counted", || {
        socket.send(&tagged)?;
        sent += 1;
        ensure!(refused()? >= before + 10, "{sent} were sent");
        Ok(())
    })?;
    ensure!(!heard()?, "a tagged OGM was taken");
    // The same without the tag is taken: the frame was a good one.
    wait_for(LIMIT, "the untagged OGM is taken", || {
        socket.send(&ogm)?;
        ensure!(heard()?, "not yet");
        Ok(())
    })
}

pub(super) fn a_bridge_that_gets_the_mesh_interface_as_a_port_carries_no_mesh() -> Result<()> {
    let (lab, mut nodes) = nodes(&["anna", "ben"])?;
    {
        let [anna, ben] = nodes.get_disjoint_mut([0, 1])?;
        anna.link(ben, &lab, 1500)?;
        anna.namespace.add_bridge("br0")?;
        anna.namespace.set_link("e1", &[Set::Master("br0")])?;
        anna.namespace.set_link("br0", &[Set::Up])?;
        anna.start_on(&["br0"], &[], &QUICK)?;
        ben.start(&QUICK)?;
    }
    let [anna, ben] = [&nodes[0], &nodes[1]];
    anna.wait_for_ping(ben.address(), LIMIT)?;
    // Now its frames would come back to it.
    anna.namespace.set_link("bat0", &[Set::Master("br0")])?;
    wait_for_state(anna, "br0", "inactive")?;
    anna.namespace.set_link("bat0", &[Set::NoMaster])?;
    wait_for_state(anna, "br0", "active")?;
    anna.wait_for_ping(ben.address(), LIMIT)?;
    Ok(())
}

pub(super) fn of_two_nodes_that_wait_for_one_interface_one_gets_it() -> Result<()> {
    let (lab, mut nodes) = nodes(&["anna", "ben"])?;
    let [anna, ben] = nodes.get_disjoint_mut([0, 1])?;
    anna.start_on(&["e1"], &[], &["--wait"])?;
    let program = anna.program().display().to_string();
    let socket = lab.run().join("other.sock").display().to_string();
    let words = ["run", "--mesh", "bat1", "--interface", "e1", "--wait", "--socket", &socket];
    let other = anna.namespace.spawn("other", &[&[program.as_str()][..], &words].concat())?;
    let ask_other = |anna: &Node| -> Result<String> {
        let words = [program.as_str(), "--socket", &socket, "status"];
        anna.namespace.run(&words, LIMIT)?.success()
    };
    wait_for(LIMIT, "the other says that e1 does not exist", || {
        let text = ask_other(anna)?;
        ensure!(text.contains("e1 inactive: it does not exist"), "{text}");
        Ok(())
    })?;
    // Both hear of it in the same instant.
    let veth = [anna.plug(), ben.plug()];
    let ends =
        [(&veth[0], anna.mac(1)), (&veth[1], ben.mac(1))].map(|(name, mac)| End { name, mac });
    lab.veth(&anna.namespace, &ends[0], &ben.namespace, &ends[1], 1500)?;
    let held = "e1 inactive: another noctule carries a mesh on it (bat";
    let mut first_has_it = false;
    wait_for(LIMIT, "one of them has e1, and the other says why it has not", || {
        let texts = [anna.ask(&["status"])?, ask_other(anna)?];
        let active = texts.each_ref().map(|text| text.contains("e1 active"));
        let refused = texts.each_ref().map(|text| text.contains(held));
        ensure!(active[0] != active[1] && active[0] == refused[1], "{texts:?}");
        ensure!(active[1] == refused[0], "{texts:?}");
        first_has_it = active[0];
        Ok(())
    })?;
    // When it is free the other takes it.
    if first_has_it {
        anna.stop()?;
        wait_for(LIMIT, "the other has e1", || {
            let text = ask_other(anna)?;
            ensure!(text.contains("e1 active"), "{text}");
            Ok(())
        })?;
        ensure!(other.terminate()?.success(), "the other failed");
    } else {
        ensure!(other.terminate()?.success(), "the other failed");
        wait_for_state(anna, "e1", "active")?;
    }
    Ok(())
}

pub(super) fn fwd_17_links_too_short_for_the_mesh_interface_are_warned_about() -> Result<()> {
    let (lab, mut nodes) = nodes(&["anna", "ben"])?;
    let [anna, ben] = nodes.get_disjoint_mut([0, 1])?;
    anna.link(ben, &lab, 1000)?;
    anna.start(&["--no-fragmentation"])?;
    let expected = "WARN the links cannot carry the MTU that the mesh interface should have mtu=968 wanted=1500";
    let wait_for_log = |anna: &mut Node, expected: &str| {
        wait_for(LIMIT, "the log has it", || {
            let log = anna.daemon()?.log();
            ensure!(log.contains(expected), "no {expected:?} in {log}");
            Ok(())
        })
    };
    wait_for_log(anna, expected)?;
    // What somebody sets is told, whether it can be or not.
    anna.namespace.set_link("bat0", &[Set::Mtu(900)])?;
    wait_for_log(anna, "INFO somebody set the MTU of the mesh interface from=968 to=900")?;
    anna.namespace.set_link("bat0", &[Set::Mtu(4000)])?;
    wait_for_log(anna, "INFO somebody set the MTU of the mesh interface from=900 to=4000")?;
    wait_for_log(anna, "should have mtu=968 wanted=4000")?;
    anna.stop()
}

/// One sentence on standard error, and exit status 1.
fn refused(node: &Node, words: &[&str], expected: &str) -> Result<()> {
    let output = node.output(words)?;
    let said = output.stderr.trim_end();
    ensure!(
        output.status.code() == Some(1) && said.lines().count() == 1 && said.contains(expected),
        "`{}` said {said:?}, not {expected:?}",
        output.command
    );
    Ok(())
}

pub(super) fn mgmt_09_mgmt_28_interfaces_are_added_and_taken_out_while_frames_run() -> Result<()> {
    const ROUNDS: usize = 5;
    let (lab, mut nodes) = chain(&["anna", "ben"])?;
    let [anna, ben] = nodes.get_disjoint_mut([0, 1])?;
    // The pings go by e1 alone: at ben's, nobody listens on the others.
    for _ in 0..3 {
        anna.link(ben, &lab, 1500)?;
    }
    anna.wait_for_ping(ben.address(), LIMIT)?;
    let start = Instant::now();
    let stream = anna.ping_stream(ben.address(), Duration::from_millis(1))?;
    let listed = |node: &Node, expected: &str| -> Result<()> {
        let text = node.ask(&["interface"])?;
        ensure!(text == expected, "the list is\n{text}not\n{expected}");
        Ok(())
    };
    for _ in 0..ROUNDS {
        let printed = anna.ask(&["interface", "add", "e2", "e3"])?;
        ensure!(printed.is_empty(), "a change prints {printed:?}");
        listed(anna, "e1: active\ne2: active\ne3: active\n")?;
        // As batctl: what is there already stays.
        anna.ask(&["if", "-M", "a", "e3"])?;
        anna.ask(&["set", "hop_penalty", "9", "-i", "e3"])?;
        anna.ask(&["if", "del", "e2"])?;
        listed(anna, "e1: active\ne3: active\n")?;
        // The place that became free is used again.
        anna.ask(&["bat0", "interface", "add", "e4"])?;
        listed(anna, "e1: active\ne4: active\ne3: active\n")?;
        let of_e3 = anna.ask(&["hardif", "e3", "hp"])?;
        ensure!(of_e3 == "9\n", "the hop penalty of e3: {of_e3}");
        let rows = anna.ask(&["interface", "d", "e3", "e4", "--json"])?;
        ensure!(rows.matches("hard_ifname").count() == 1, "{rows}");
        listed(anna, "e1: active\n")?;
    }
    refusals(anna, &["e9", "nowhere"])?;
    listed(anna, "e1: active\n")?;
    let end = Instant::now();
    std::thread::sleep(Duration::from_millis(500));
    let (lost, sent) = stream.stop()?.lost(start, end);
    println!("        {lost} of {sent} pings lost over {} interfaces more or less", ROUNDS * 6);
    ensure!(lost == 0 && sent > 100, "{lost} of {sent} pings were lost");
    // Not before: the bridge takes what is for anna.
    anna.namespace.set_link("bat0", &[Set::Master("br0")])?;
    refused(anna, &["if", "add", "br0"], "br0: it lies on the mesh interface bat0")?;
    anna.namespace.set_link("bat0", &[Set::NoMaster])?;
    anna.namespace.delete_link("br0")?;
    // A mesh by the new link alone, also of the place of the first.
    for node in [&*anna, &*ben] {
        node.ask(&["if", "add", "e2"])?;
    }
    wait_for(LIMIT, "each hears the other on e2", || {
        for node in [&*anna, &*ben] {
            let rows = node.table("neighbors")?;
            ensure!(rows.iter().any(|row| row["hard_ifname"] == "e2"), "{rows:?}");
        }
        Ok(())
    })?;
    for node in [&*anna, &*ben] {
        node.ask(&["if", "del", "e1"])?;
    }
    anna.wait_for_ping(ben.address(), LIMIT)?;
    // Without any the node goes on, and waits.
    let output = anna.output(&["if", "del", "e2"])?;
    ensure!(output.status.success(), "{output:?}");
    ensure!(output.stderr.contains("that was the last hard interface"), "{output:?}");
    listed(anna, "")?;
    let text = anna.ask(&["status"])?;
    ensure!(text.contains("originator   none: there is no hard interface: add one"), "{text}");
    refused(anna, &["if", "del", "e2"], "e2: not a hard interface of bat0 (has: none)")?;
    let output = anna.output(&["if", "add", "late", "--wait"])?;
    ensure!(output.stderr.starts_with("noctule: late: does not exist yet: "), "{output:?}");
    listed(anna, "late: inactive\n")?;
    anna.namespace.set_link("e2", &[Set::Down])?;
    anna.namespace.set_link("e2", &[Set::Name("late")])?;
    anna.namespace.set_link("late", &[Set::Up])?;
    anna.wait_for_ping(ben.address(), LIMIT)?;
    anna.stop()
}

/// What cannot be a hard interface is told in one sentence, and the others have their turn.
fn refusals(node: &Node, missing: &[&str; 2]) -> Result<()> {
    let [one, other] = missing;
    refused(node, &["if", "add", one], &format!("{one}: no such interface (have: "))?;
    refused(node, &["if", "add", "lo"], "lo: the loopback interface reaches nobody")?;
    refused(node, &["if", "add", "bat0"], "bat0: a mesh interface cannot carry a mesh")?;
    refused(node, &["if", "add", "a/b"], "the name of an interface cannot have '/' in it")?;
    refused(node, &["if", "add", ""], "the name of an interface has 1 to 15 bytes")?;
    refused(node, &["if", "del", one], &format!("{one}: not a hard interface of bat0 (has: e1)"))?;
    refused(node, &["if", "add", "bat0", "--wait"], "bat0: a mesh interface cannot carry a mesh")?;
    node.namespace.set_link("e2", &[Set::Mtu(99)])?;
    refused(node, &["if", "add", "e2"], "e2: its MTU of 99 is below 100; raise it with")?;
    node.namespace.set_link("e2", &[Set::Mtu(1500)])?;
    node.namespace.add_bridge("br0")?;
    node.namespace.set_link("e2", &[Set::Master("br0")])?;
    refused(node, &["if", "add", "e2"], "e2: br0 takes its frames; name br0, or take it out with")?;
    node.namespace.set_link("e2", &[Set::NoMaster])?;
    // Of several each has its turn, and each that is refused is told.
    let output = node.output(&["if", "add", one, "e3", other])?;
    let said: Vec<_> = output.stderr.lines().collect();
    ensure!(output.status.code() == Some(1) && said.len() == 2, "{output:?}");
    ensure!(said[0].contains(one) && said[1].contains(other), "{said:?}");
    node.ask(&["if", "del", "e3"])?;
    // Another node has it; that one takes it out, and it is free.
    let program = node.program().display().to_string();
    let socket = node.socket().with_extension("other").display().to_string();
    let words = ["run", "--mesh", "bat1", "--interface", "e3", "--socket", &socket];
    let holder = node.namespace.spawn("holder", &[&[program.as_str()][..], &words].concat())?;
    let ask = |words: &[&str]| {
        let all = [&[program.as_str(), "--socket", &socket], words].concat();
        node.namespace.run(&all, LIMIT)
    };
    wait_for(LIMIT, "the other node has e3", || {
        let text = ask(&["status"])?.success()?;
        ensure!(text.contains("e3 active"), "{text}");
        Ok(())
    })?;
    refused(
        node,
        &["if", "add", "e3"],
        "e3: another noctule carries a mesh on it (bat1); stop that",
    )?;
    let of_other = ask(&["if", "add", "e1"])?;
    ensure!(of_other.stderr.contains("e1: another noctule carries a mesh on it"), "{of_other:?}");
    ask(&["if", "del", "e3"])?.success()?;
    node.ask(&["if", "add", "e3"])?;
    node.ask(&["if", "del", "e3"])?;
    ensure!(holder.terminate()?.success(), "the other node failed");
    Ok(())
}
