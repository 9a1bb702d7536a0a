//! Starting, refusing to start, and leaving nothing behind.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;

use super::{LIMIT, QUICK, chain, nodes};
use crate::lab::{Lab, Link, Output, Set, Skipped, run, tied, wait_for, wait_until};
use crate::node::{Node, check_tun};

/// The user that owns nothing.
const NOBODY: u32 = 65_534;

/// The links without what only traffic changes.
///
/// The kernel tells the carrier of a new pair a while after both ends are up, and later with other namespaces busy: that
/// is waited for, so that it is no change.
fn links(node: &Node) -> Result<Vec<Link>> {
    let settled = wait_for(LIMIT, "each pair has its carrier", || {
        let links = node.namespace.links()?;
        let waits = links.iter().find(|link| link.kind == "veth" && link.up && !link.running);
        ensure!(waits.is_none(), "{waits:?}");
        Ok(links)
    })?;
    let links = settled.into_iter().map(|link| Link {
        rx_frames: 0,
        tx_frames: 0,
        rx_bytes: 0,
        tx_bytes: 0,
        ..link
    });
    Ok(links.collect())
}

/// What lies in a folder and below.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        }
        found.push(path);
    }
    found.sort();
    Ok(found)
}

/// Exactly one sentence that contains `expected`, and exit status 2.
fn one_sentence(words: &[&str], output: &Output, expected: &str) -> Result<()> {
    let said = output.stderr.trim_end();
    ensure!(output.status.code() == Some(2), "{words:?}: {:?}, {said}", output.status);
    ensure!(said.starts_with("noctule: ") && said.lines().count() == 1, "{words:?}: {said}");
    ensure!(said.contains(expected), "{words:?}: {said:?} does not say {expected:?}");
    ensure!(output.stdout.is_empty(), "{words:?} printed {}", output.stdout);
    Ok(())
}

/// Runs `noctule run` with these words in the node's namespace; it must refuse with one sentence that contains `expected`,
/// exit with 2, and change nothing.
fn refuses(lab: &Lab, node: &Node, words: &[&str], expected: &str) -> Result<()> {
    let before = (links(node)?, files(lab.run())?);
    let output = node.output(&[&["run"], words].concat())?;
    one_sentence(words, &output, expected)?;
    let after = (links(node)?, files(lab.run())?);
    ensure!(after == before, "{words:?} changed {before:?}\nto {after:?}");
    Ok(())
}

pub(super) fn an_unsuitable_interface_is_refused_in_one_sentence() -> Result<()> {
    let (lab, mut nodes) = nodes(&["anna", "ben"])?;
    let [anna, ben] = nodes.get_disjoint_mut([0, 1])?;
    anna.link(ben, &lab, 1500)?;
    anna.link(ben, &lab, 99)?;
    anna.namespace.add_bridge("br0")?;
    let on = |name| ["--interface", name];
    refuses(&lab, anna, &[], "name at least one")?;
    refuses(&lab, anna, &on("wlan7"), "wlan7: no such interface (have: e1, e2, br0)")?;
    refuses(
        &lab,
        anna,
        &["--interface", "e1", "--interface", "wlan7"],
        "wlan7: no such interface",
    )?;
    refuses(&lab, anna, &on("lo"), "lo: the loopback interface")?;
    refuses(&lab, anna, &on("e2"), "e2: its MTU of 99 is below 100")?;
    refuses(
        &lab,
        anna,
        &["--interface", "e1", "--interface", "e1"],
        "e1: the interface is given twice",
    )?;
    refuses(
        &lab,
        anna,
        &["--interface", "e1", "--mesh", "e1"],
        "e1: the mesh interface cannot be",
    )?;
    refuses(&lab, anna, &on("a-name-that-is-too-long"), "1 to 15 bytes")?;
    anna.namespace.set_link("e2", &[Set::Mtu(1500), Set::Master("br0")])?;
    refuses(&lab, anna, &on("e2"), "e2: br0 takes its frames")
}

pub(super) fn a_taken_mesh_is_refused_in_one_sentence() -> Result<()> {
    let (lab, mut nodes) = nodes(&["anna", "ben"])?;
    let [anna, ben] = nodes.get_disjoint_mut([0, 1])?;
    anna.link(ben, &lab, 1500)?;
    anna.link(ben, &lab, 1500)?;
    let e2 = ["--interface", "e2"];
    refuses(&lab, anna, &["--interface", "e1", "--mesh", "e2"], "e2 exists already")?;
    anna.namespace.add_bridge("bat0")?;
    refuses(&lab, anna, &e2, "bat0 exists already")?;
    anna.namespace.delete_link("bat0")?;
    refuses(&lab, anna, &[&e2[..], &["--mesh", "all"]].concat(), "the kernel keeps this name")?;

    anna.start_on(&["e1"], &[], &[])?;
    refuses(&lab, anna, &e2, "bat0 is the mesh interface of another noctule")?;
    refuses(&lab, anna, &["--interface", "bat0", "--mesh", "bat1"], "another noctule")?;
    // Another mesh, but the control socket of the first.
    refuses(&lab, anna, &[&e2[..], &["--mesh", "bat1"]].concat(), "another noctule (process ")?;
    // A bridge that the mesh interface is a port of lies on the mesh.
    anna.namespace.add_bridge("br0")?;
    anna.namespace.set_link("bat0", &[Set::Master("br0")])?;
    let socket = lab.run().join("other.sock");
    let socket = socket.to_str().context("a path")?;
    let other = ["--mesh", "bat1", "--socket", socket];
    refuses(
        &lab,
        anna,
        &[&["--interface", "br0"], &other[..]].concat(),
        "br0: it lies on the mesh interface bat0",
    )?;
    // Another mesh on the same interface would have the same originator address.
    refuses(
        &lab,
        anna,
        &[&["--interface", "e1"], &other[..]].concat(),
        "e1: another noctule carries a mesh on it (bat0)",
    )?;
    // The refused ones have not hurt the one that runs.
    ben.start(&QUICK)?;
    anna.namespace.set_link("bat0", &[Set::NoMaster])?;
    anna.wait_for_ping(ben.address(), LIMIT)?;
    anna.stop()
}

/// A TAP of another program, which the laboratory cannot make itself.
pub(super) fn a_tap_of_another_program_is_not_taken_over() -> Result<()> {
    check_tun()?;
    let (lab, mut nodes) = nodes(&["anna", "ben"])?;
    let [anna, ben] = nodes.get_disjoint_mut([0, 1])?;
    anna.link(ben, &lab, 1500)?;
    let words = ["ip", "tuntap", "add", "mode", "tap", "name", "bat0"];
    let made = anna
        .namespace
        .run(&words, LIMIT)
        .map_err(|_| Skipped::because("no ip (package iproute2)"))?;
    made.success()?;
    refuses(&lab, anna, &["--interface", "e1"], "bat0 exists already")?;
    ensure!(anna.namespace.find_link("bat0")?.is_some(), "it was removed");
    Ok(())
}

pub(super) fn wrong_settings_are_told_in_one_sentence() -> Result<()> {
    let (lab, mut nodes) = nodes(&["anna", "ben"])?;
    let [anna, ben] = nodes.get_disjoint_mut([0, 1])?;
    anna.link(ben, &lab, 1500)?;
    let file = lab.run().join("wrong.toml");
    let path = file.to_str().context("a path")?;
    let config = ["--interface", "e1", "--config", path];
    for (text, expected) in [
        ("mesh = \"bat0\"\nhop_penaltty = 3\n", "line 2"),
        ("mesh = \"bat0\"\nhop_penaltty = 3\n", "hop_penalty"),
        ("[[interface]]\nname = \"e1\"\nhop_penalti = 3\n", "hop_penalty"),
        ("orig_interval = \"often\"\n", "line 1"),
        ("orig_interval = 39\n", "must be 40 to "),
        ("hop_penalty = 256\n", "must be 0 to 255"),
        ("mesh = \"bat0\"\nmesh = \"bat1\"\n", "line 2"),
        ("mesh = \n", "line 1"),
    ] {
        fs::write(&file, text)?;
        refuses(&lab, anna, &config, expected).with_context(|| format!("{text:?}"))?;
    }
    fs::write(&file, b"mesh = \"\xff\"\n")?;
    refuses(&lab, anna, &config, "not UTF-8 text")?;
    fs::write(&file, vec![b'#'; 1 << 20])?;
    refuses(&lab, anna, &config, "longer than")?;
    fs::remove_file(&file)?;
    refuses(&lab, anna, &config, "no such file")?;
    fs::create_dir(&file)?;
    refuses(&lab, anna, &config, "it is not a file")?;
    let on = ["--interface", "e1"];
    refuses(
        &lab,
        anna,
        &[&on[..], &["--orig-interval", "0"]].concat(),
        "--orig-interval 0: must be",
    )?;
    refuses(&lab, anna, &[&on[..], &["--hop-penalty", "x"]].concat(), "--hop-penalty")?;
    refuses(&lab, anna, &[&on[..], &["--mesh-mac", "ff:ff:ff:ff:ff:ff"]].concat(), "--mesh-mac")?;
    refuses(
        &lab,
        anna,
        &[&on[..], &["--log", "loud"]].concat(),
        "must be error, warn, info, debug or trace",
    )?;
    refuses(&lab, anna, &["--interfaces", "e1"], "did you mean '--interface'?")?;
    refuses(&lab, anna, &[&on[..], &["--socket", "/proc/no/bat0.sock"]].concat(), "--socket")?;
    let taken = lab.run().join("precious");
    fs::write(&taken, "data")?;
    let socket = taken.to_str().context("a path")?;
    refuses(&lab, anna, &[&on[..], &["--socket", socket]].concat(), "is not a socket")?;
    ensure!(fs::read(&taken)? == b"data");
    // The same node starts when everything is right.
    anna.start(&QUICK)?;
    anna.stop()
}

/// Waits for the end of a child that [`run`] cannot start.
fn end_of(mut child: Child, command: &str) -> Result<Output> {
    let ended = wait_until(LIMIT, "it ends", || matches!(child.try_wait(), Ok(Some(_))));
    if ended.is_err() {
        let _ = child.kill();
    }
    let output = child.wait_with_output()?;
    ended?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    Ok(Output { command: command.to_owned(), status: output.status, stdout, stderr })
}

pub(super) fn an_ordinary_user_is_told_what_to_do() -> Result<()> {
    let (lab, mut nodes) = nodes(&["anna", "ben"])?;
    let [anna, ben] = nodes.get_disjoint_mut([0, 1])?;
    anna.link(ben, &lab, 1500)?;
    // Nobody may be unable to reach the folder of the build.
    let program = lab.run().join("noctule");
    fs::copy(anna.program(), &program)?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    let unreadable = lab.run().join("secret.toml");
    fs::write(&unreadable, "mesh = \"bat0\"\n")?;
    fs::set_permissions(&unreadable, fs::Permissions::from_mode(0o600))?;
    if run(tied("true".as_ref()).uid(NOBODY).gid(NOBODY), LIMIT).is_err() {
        return Err(Skipped::because(
            "only root can become another user, and a user namespace has one",
        ));
    }
    let before = (links(anna)?, files(lab.run())?);
    let secret = unreadable.to_str().context("a path")?;
    for (words, expected) in [
        (&["run", "--interface", "e1"][..], "not permitted to use network interfaces"),
        (&["run", "--interface", "e1", "--config", secret][..], "no permission"),
    ] {
        // The child of a thread in the namespace is in it; it cannot enter it by itself as nobody.
        let child = anna.namespace.with(|| {
            tied(program.as_os_str())
                .args(words)
                .uid(NOBODY)
                .gid(NOBODY)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .map_err(anyhow::Error::from)
                .and_then(|child| end_of(child, "noctule run"))
        })?;
        one_sentence(words, &child, expected)?;
        ensure!((links(anna)?, files(lab.run())?) == before, "{words:?} changed something");
    }
    // The control socket is its owner's alone.
    anna.start(&[])?;
    let socket = anna.socket().to_str().context("a path")?.to_owned();
    let mut status = tied(program.as_os_str());
    status.args(["--socket", &socket, "status"]).uid(NOBODY).gid(NOBODY);
    let refused = run(&mut status, LIMIT)?;
    ensure!(refused.status.code() == Some(1), "{refused:?}");
    ensure!(refused.stderr.contains("not permitted to use"), "MGMT-41: {}", refused.stderr);
    anna.stop()
}

pub(super) fn a_stopped_node_leaves_nothing() -> Result<()> {
    let (lab, mut nodes) = chain(&["anna", "ben"])?;
    nodes[0].wait_for_ping(nodes[1].address(), LIMIT)?;
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        nodes[0].stop_by(signal)?;
        let left = files(lab.run())?;
        let name = nodes[0].name();
        let mine: Vec<_> =
            left.iter().filter(|path| path.display().to_string().contains(name)).collect();
        ensure!(mine.is_empty(), "{signal} left {mine:?}");
        nodes[0].start(&QUICK)?;
        nodes[0].wait_for_ping(nodes[1].address(), LIMIT)?;
    }
    nodes[1].stop()?;
    nodes[0].namespace.set_link("e1", &[Set::Down])?;
    nodes[0].stop()
}

/// Too few descriptors at every point of the start, one after the other.
pub(super) fn a_start_that_fails_half_way_leaves_nothing() -> Result<()> {
    check_tun()?;
    let (lab, mut nodes) = nodes(&["anna", "ben"])?;
    let [anna, ben] = nodes.get_disjoint_mut([0, 1])?;
    anna.link(ben, &lab, 1500)?;
    let program = anna.program().display().to_string();
    let socket = anna.socket().display().to_string();
    let before = (links(anna)?, files(lab.run())?);
    // With 4 the dynamic loader still works; a node with one interface has fewer than 64 open.
    for (failed, descriptors) in (4..64).enumerate() {
        let script = format!("ulimit -n {descriptors}; exec \"$@\"");
        let noctule = [&program, "run", "--socket", &socket, "--interface", "e1"];
        let words = [&["sh", "-c", &script, "sh"][..], &noctule].concat();
        let mut daemon = anna.namespace.spawn("starved", &words)?;
        // It cannot answer a question as long as it has no descriptor for the connection.
        let runs = |log: &str| log.contains("this node is known by this address");
        wait_until(LIMIT, "it runs or ends", || !daemon.is_running() || runs(&daemon.log()))?;
        if daemon.is_running() {
            ensure!(daemon.terminate()?.success());
            println!("        {failed} starts failed; {descriptors} descriptors are enough");
            ensure!(failed >= 5, "the limit was never felt");
            let after = (links(anna)?, files(lab.run())?);
            ensure!(after == before, "the good start left {after:?}");
            return Ok(());
        }
        let (status, log) = (daemon.wait(LIMIT)?, daemon.log());
        let sentences = log.lines().filter(|line| line.starts_with("noctule: ")).count();
        ensure!(status.code() == Some(2) && sentences == 1, "{descriptors}: {status}: {log}");
        let after = (links(anna)?, files(lab.run())?);
        ensure!(after == before, "with {descriptors} descriptors it left {after:?}");
    }
    anyhow::bail!("it never started")
}

pub(super) fn an_idle_node_is_small() -> Result<()> {
    const WATCHED: Duration = Duration::from_secs(10);
    let (lab, mut nodes) = nodes(&["anna", "ben"])?;
    {
        let [anna, ben] = nodes.get_disjoint_mut([0, 1])?;
        anna.link(ben, &lab, 1500)?;
        anna.start(&[])?;
        ben.start(&[])?;
        anna.wait_for_ping(ben.address(), LIMIT)?;
    }
    let mut busy = Duration::ZERO;
    for node in &mut nodes {
        busy += node.daemon()?.processor_time()?;
    }
    std::thread::sleep(WATCHED);
    let (mut after, mut largest) = (Duration::ZERO, 0);
    for node in &mut nodes {
        after += node.daemon()?.processor_time()?;
        largest = largest.max(node.daemon()?.resident_bytes()?);
    }
    println!(
        "        {:.1} MiB resident, {:.2} % of a core for both nodes together, idle",
        largest as f64 / f64::from(1 << 20),
        (after - busy).as_secs_f64() / WATCHED.as_secs_f64() * 100.0
    );
    ensure!(largest <= 8 << 20, "{largest} bytes resident");
    wait_for(LIMIT, "it is still there", || nodes[0].ask(&["status"]).map(|_| ()))
}
