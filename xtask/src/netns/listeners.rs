//! Whoever listens does not: tools at the control socket, and the receiver of the log.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::stat::Mode;

use super::hostile::{Chance, MEMORY_MAX, resident};
use super::{LIMIT, QUICK, chain, nodes};
use crate::lab::{Lab, Set, wait_for, wait_until};
use crate::node::Node;

fn connect(node: &Node) -> Result<UnixStream> {
    let stream = UnixStream::connect(node.socket())?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    Ok(stream)
}

/// Writes as much as the daemon takes and returns what it answers until it hangs up.
fn conversation(node: &Node, bytes: &[u8]) -> Result<String> {
    let mut stream = connect(node)?;
    match stream.write_all(bytes) {
        Ok(()) => {}
        Err(error)
            if [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset].contains(&error.kind()) => {}
        Err(error) => return Err(error).context("the daemon neither takes it nor hangs up"),
    }
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => return Err(error).context("the daemon does not hang up"),
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

pub(super) fn rubbish_at_the_control_socket_holds_nobody_up() -> Result<()> {
    let (_lab, mut nodes) = chain(&["anna", "ben", "cara"])?;
    let target = nodes[2].address();
    nodes[0].wait_for_ping(target, LIMIT)?;
    let ben = &nodes[1];
    let mut chance = Chance(7);
    let noise: Vec<u8> = (0..3000).map(|_| chance.next() as u8).collect();
    let deep = [b"{\"noctule\":1,\"request\":".to_vec(), vec![b'['; 3000], vec![b'\n']].concat();
    let requests: [&[u8]; 8] = [
        &noise,
        &deep,
        b"\0\0\0\0\n",
        b"{\"noctule\":1}\n",
        b"{\"noctule\":2,\"request\":\"status\"}\n",
        b"{\"noctule\":1,\"request\":\"reboot\"}\n",
        b"{\"noctule\":1,\"request\":\"probe\",\"destination\":\"ff:ff:ff:ff:ff:ff\",\"seqno\":-1,\"timeout_ms\":1e99}\n",
        b"{\"noctule\":1,\"request\":\"originators\",\"interface\":17}\n",
    ];
    for request in requests {
        let answer = conversation(ben, request)?;
        let shown = String::from_utf8_lossy(&request[..request.len().min(60)]).into_owned();
        ensure!(answer.contains("\"error\""), "{shown:?} was answered with {answer:?}");
    }
    let answer = conversation(ben, &vec![b'x'; 1 << 20])?;
    ensure!(answer.contains("at most 4096 bytes"), "a megabyte: {answer:?}");
    // Not read to its end first: the daemon hangs up as soon as it is too long.
    let mut endless = connect(ben)?;
    let block = [b'x'; 1 << 16];
    let taken = (0..256).position(|_| endless.write_all(&block).is_err());
    ensure!(taken.is_some(), "16 MiB without a newline were taken");
    nodes[0].wait_for_ping(target, LIMIT)?;
    ben.ask(&["status"])?;

    // Connections that say nothing take all the places; who comes then is told so, and gets one when they leave.
    let idle: Vec<UnixStream> = (0..8).map(|_| connect(ben)).collect::<Result<_>>()?;
    wait_for(LIMIT, "the ninth is refused", || {
        let refused = ben.output(&["status"])?;
        ensure!(refused.status.code() == Some(1), "{:?}", refused.status);
        ensure!(refused.stderr.trim_end().lines().count() == 1, "{}", refused.stderr);
        Ok(())
    })?;
    nodes[0].wait_for_ping(target, LIMIT)?;
    drop(idle);
    wait_for(LIMIT, "there is room again", || ben.ask(&["status"]))?;
    let resident = resident(&mut nodes, 1)?;
    ensure!(resident <= MEMORY_MAX, "{resident} bytes resident");
    Ok(())
}

pub(super) fn a_control_client_that_never_reads_loses_its_connection() -> Result<()> {
    let (_lab, nodes) = chain(&["anna", "ben", "cara"])?;
    let target = nodes[2].address();
    nodes[0].wait_for_ping(target, LIMIT)?;
    let mut stuck = connect(&nodes[1])?;
    stuck.set_nonblocking(true)?;
    let mut write = || stuck.write(b"{\"noctule\":1,\"request\":\"statistics\"}\n");
    wait_until(LIMIT, "the answers fill the connection", || {
        (0..1000).any(|_| write().is_err_and(|error| error.kind() == ErrorKind::WouldBlock))
    })?;
    nodes[0].wait_for_ping(target, LIMIT)?;
    nodes[1].ask(&["originators"])?;
    wait_until(LIMIT, "the daemon hangs up", || {
        write().is_err_and(|error| {
            [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset].contains(&error.kind())
        })
    })?;
    nodes[1].ask(&["originators"])?;
    Ok(())
}

/// A pipe with a name; the returned end holds it open and reads nothing.
fn pipe(lab: &Lab, name: &str) -> Result<(std::path::PathBuf, File)> {
    let path = lab.run().join(name);
    nix::unistd::mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR)?;
    let end =
        OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(&path)?;
    Ok((path, end))
}

/// Lines that are logged.
const LINES: u32 = 4000;

/// Starts anna with her log going to `log`, lets `receiver` happen to it, and looks whether the node goes on.
fn goes_on_without_its_log(
    log: &Path,
    receiver: impl FnOnce() -> Result<()>,
    nodes: &mut [Node],
) -> Result<()> {
    let [anna, ben] = nodes else { bail!("two nodes are needed") };
    let script = format!("exec \"$@\" 2>{}", log.display());
    anna.start_on(
        &["e1"],
        &["sh", "-c", &script, "sh"],
        &[&QUICK[..], &["--log", "trace"]].concat(),
    )?;
    receiver()?;
    anna.wait_for_ping(ben.address(), LIMIT)?;
    // Far more lines than wait for a receiver anywhere: each change of the address writes one.
    let address = anna.namespace.link("bat0")?.mac;
    for number in 0..LINES / 2 {
        let [.., high, low] = number.to_be_bytes();
        for mac in [[0x02, 0xab, 0, 0, high, low], address] {
            anna.namespace.set_link("bat0", &[Set::Mac(mac)])?;
        }
    }
    for _ in 0..3 {
        for change in [Set::Down, Set::Up] {
            anna.namespace.set_link("e1", &[change])?;
        }
        anna.wait_for_ping(ben.address(), LIMIT)?;
    }
    ben.transfer(anna, 1 << 20)?;
    anna.ask(&["status"])?;
    anna.stop()
}

pub(super) fn a_log_that_nobody_takes_stops_nothing() -> Result<()> {
    let (lab, mut nodes) = nodes(&["anna", "ben"])?;
    {
        let [anna, ben] = nodes.get_disjoint_mut([0, 1])?;
        anna.link(ben, &lab, 1500)?;
        ben.start(&QUICK)?;
    }
    let (path, mut full) = pipe(&lab, "full")?;
    while full.write(&[b'.'; 4096]).is_ok() {}
    goes_on_without_its_log(&path, || Ok(()), &mut nodes).context("a full pipe")?;
    drop(full);

    let (path, end) = pipe(&lab, "gone")?;
    let leave = || {
        drop(end);
        Ok(())
    };
    goes_on_without_its_log(&path, leave, &mut nodes).context("a receiver that leaves")?;
    goes_on_without_its_log(Path::new("/dev/full"), || Ok(()), &mut nodes)
        .context("a full disk")?;
    goes_on_without_its_log(Path::new("&-"), || Ok(()), &mut nodes).context("a closed descriptor")
}
