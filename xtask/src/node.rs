//! A real Noctule node in a namespace of the laboratory, for the demo and the `netns` tier.

use std::fs::OpenOptions;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::interop::echo::{Echo, Stream};
use crate::lab::{End, Lab, Namespace, Process, Skipped, wait_until};

/// How long a node may take to start or to answer a question, on a slow machine.
const SOON: Duration = Duration::from_secs(20);
/// How long it may take to end after a signal.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// Names the backend that every node is to use, unless a case chooses one itself; empty: whichever the node takes.
pub(crate) const BACKEND: &str = "NOCTULE_BACKEND";

/// A node: a namespace, its links, and, while it runs, the daemon in it.
pub(crate) struct Node {
    pub(crate) namespace: Namespace,
    number: u8,
    links: u8,
    program: PathBuf,
    socket: PathBuf,
    daemon: Option<Process>,
}

impl Node {
    /// Node `number` (its addresses are made from it), not running yet.
    pub(crate) fn new(lab: &Lab, program: &Path, name: &str, number: u8) -> Result<Self> {
        Ok(Self {
            namespace: lab.namespace(name)?,
            number,
            links: 0,
            program: program.to_path_buf(),
            socket: lab.run().join(format!("{name}.sock")),
            daemon: None,
        })
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        self.namespace.name()
    }

    /// The address of its mesh interface.
    pub(crate) const fn address(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 99, 0, self.number)
    }

    /// The MAC of its `index`th hard interface, from 1.
    pub(crate) const fn mac(&self, index: u8) -> [u8; 6] {
        [0x02, 0xba, 0, 0, self.number, index]
    }

    /// Its originator address.
    pub(crate) fn originator(&self) -> String {
        self.mac(1).map(|byte| format!("{byte:02x}")).join(":")
    }

    /// Links two nodes by a veth pair; returns the names of the two ends, `e1`, `e2`, … in order.
    pub(crate) fn link(&mut self, other: &mut Self, lab: &Lab, mtu: u32) -> Result<[String; 2]> {
        let names = [self.plug(), other.plug()];
        let here = End { name: &names[0], mac: self.mac(self.links) };
        let there = End { name: &names[1], mac: other.mac(other.links) };
        lab.veth(&self.namespace, &here, &other.namespace, &there, mtu)?;
        Ok(names)
    }

    /// Counts one more link and returns its name: for a cable to something that is no node.
    pub(crate) fn plug(&mut self) -> String {
        self.links += 1;
        format!("e{}", self.links)
    }

    /// The names of its links.
    pub(crate) fn interfaces(&self) -> Vec<String> {
        (1..=self.links).map(|link| format!("e{link}")).collect()
    }

    /// Where its control socket is while it runs.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// The program that it runs.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// Starts the daemon on all its links and gives the mesh interface its address.
    pub(crate) fn start(&mut self, extra: &[&str]) -> Result<()> {
        self.start_on(&self.interfaces(), &[], extra)
    }

    /// The same on some interfaces only, through a command that becomes the daemon; none if empty.
    pub(crate) fn start_on(
        &mut self,
        interfaces: &[impl AsRef<str>],
        through: &[&str],
        extra: &[&str],
    ) -> Result<()> {
        let program = self.program.display().to_string();
        let socket = self.socket.display().to_string();
        let run = [program.as_str(), "run", "--mesh", "bat0", "--socket", &socket];
        let hard = interfaces.iter().flat_map(|name| ["--interface", name.as_ref()]);
        let mut words: Vec<&str> =
            through.iter().copied().chain(run).chain(hard).chain(extra.iter().copied()).collect();
        let backend = std::env::var(BACKEND).unwrap_or_default();
        if !backend.is_empty() && !extra.contains(&"--backend") {
            words.extend(["--backend", &backend]);
        }
        if words.ends_with(&["--backend", "xdp"]) {
            for name in interfaces {
                self.leave_tags(name.as_ref())?;
            }
        }
        check_tun()?;
        let mut daemon = self.namespace.spawn("noctule", &words)?;
        let ready = || {
            self.namespace.find_link("bat0").is_ok_and(|link| link.is_some())
                && self.ask(&["status"]).is_ok()
        };
        wait_until(SOON, "the mesh interface appears and the node answers", || {
            !daemon.is_running() || ready()
        })?;
        ensure!(daemon.is_running(), "noctule ended: {}", daemon.log().trim_end());
        self.daemon = Some(daemon);
        self.namespace.add_address("bat0", &format!("{}/24", self.address()))
    }

    /// Lets a link's driver leave VLAN tags in the frames, as AF_XDP must have it.
    pub(crate) fn leave_tags(&self, link: &str) -> Result<()> {
        // A link that does not exist yet has its tags taken when it is there.
        if self.namespace.find_link(link)?.is_some() {
            self.namespace.run(&["ethtool", "-K", link, "rxvlan", "off"], SOON)?.success()?;
        }
        Ok(())
    }

    /// The running daemon.
    pub(crate) fn daemon(&mut self) -> Result<&mut Process> {
        self.daemon.as_mut().context("the node does not run")
    }

    /// Ends the daemon as an operator does, and looks whether it leaves anything.
    pub(crate) fn stop(&mut self) -> Result<()> {
        self.stop_by(Signal::SIGTERM)
    }

    /// The same with another signal.
    pub(crate) fn stop_by(&mut self, signal: Signal) -> Result<()> {
        let mut daemon = self.daemon.take().context("the node does not run")?;
        ensure!(daemon.is_running(), "{} had ended already: {}", self.name(), daemon.log());
        daemon.signal(signal);
        let status = daemon.wait(STOP_LIMIT)?;
        ensure!(status.success(), "{} ended with {status}", self.name());
        ensure!(self.namespace.find_link("bat0")?.is_none(), "{} left its bat0", self.name());
        ensure!(!self.socket.exists(), "{} left its socket", self.name());
        let lock = self.socket.with_extension("sock.lock");
        ensure!(!lock.exists(), "{} left its lock", self.name());
        Ok(())
    }

    /// Ends the daemon as a power cut does.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.daemon.take().context("the node does not run")?.kill()
    }

    /// What `noctule WORDS` prints, asked of this node.
    pub(crate) fn ask(&self, words: &[&str]) -> Result<String> {
        self.output(words)?.success()
    }

    /// How `noctule WORDS`, asked of this node, ends.
    pub(crate) fn output(&self, words: &[&str]) -> Result<crate::lab::Output> {
        let program = self.program.display().to_string();
        let socket = self.socket.display().to_string();
        let all: Vec<&str> = [program.as_str(), "--socket", &socket]
            .into_iter()
            .chain(words.iter().copied())
            .collect();
        self.namespace.run(&all, SOON)
    }

    /// A table as JSON.
    pub(crate) fn table(&self, name: &str) -> Result<Vec<Value>> {
        match serde_json::from_str(&self.ask(&[name, "--json"])?)? {
            Value::Array(rows) => Ok(rows),
            other => bail!("{name} is no table: {other}"),
        }
    }

    /// One counter of `noctule statistics`.
    pub(crate) fn counter(&self, name: &str) -> Result<u64> {
        let text = self.ask(&["statistics", "--all"])?;
        text.lines()
            .find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(": ")?.parse().ok())
            .with_context(|| format!("no counter {name} in\n{text}"))
    }

    /// Quality and next hop of the route to `other`, if there is one.
    pub(crate) fn route(&self, other: &Self) -> Result<Option<(u64, String)>> {
        let rows = self.table("originators")?;
        let row = rows
            .iter()
            .find(|row| row["orig_address"] == *other.originator() && row["best"] == true);
        row.map(|row| {
            let tq = row["tq"].as_u64().context("a row without tq")?;
            let hop = row["neigh_address"].as_str().context("a row without a neighbour")?;
            Ok((tq, hop.to_owned()))
        })
        .transpose()
    }

    /// A source of pings to another node.
    pub(crate) fn echo(&self, to: Ipv4Addr) -> Result<Echo> {
        self.namespace.with(|| Echo::open(to))
    }

    /// A steady stream of pings to another node.
    pub(crate) fn ping_stream(&self, to: Ipv4Addr, interval: Duration) -> Result<Stream> {
        Ok(self.echo(to)?.stream(interval))
    }

    /// Pings until an answer comes; how long that took in all.
    pub(crate) fn wait_for_ping(&self, to: Ipv4Addr, limit: Duration) -> Result<Duration> {
        wait_for_ping(&self.namespace, to, limit)
    }

    /// Sends `bytes` over TCP to another node; how long that took. The receiver checks what arrives.
    pub(crate) fn transfer(&self, to: &Self, bytes: usize) -> Result<Duration> {
        transfer(&self.namespace, &to.namespace, to.address(), bytes)
    }
}

/// Whether every node is asked to use AF_XDP.
pub(crate) fn by_xdp() -> bool {
    std::env::var(BACKEND).is_ok_and(|backend| backend == "xdp")
}

/// Whether somebody who listens on a node's own link hears what comes to it.
///
/// # Errors
/// [`Skipped`] if not: what AF_XDP takes nobody else sees.
pub(crate) fn check_listener() -> Result<()> {
    if by_xdp() {
        return Err(Skipped::because("nobody else hears what a node takes by AF_XDP"));
    }
    Ok(())
}

/// Whether this user can make a mesh interface at all: where the device is root's alone, a user namespace is not enough.
///
/// # Errors
/// [`Skipped`] if not.
pub(crate) fn check_tun() -> Result<()> {
    const DEVICE: &str = "/dev/net/tun";
    match OpenOptions::new().read(true).write(true).open(DEVICE) {
        Ok(_) => Ok(()),
        Err(error) => {
            Err(Skipped::because(format!("cannot open {DEVICE} ({error}): run this as root")))
        }
    }
}

/// Pings from a namespace until an answer comes; how long that took in all.
pub(crate) fn wait_for_ping(from: &Namespace, to: Ipv4Addr, limit: Duration) -> Result<Duration> {
    let start = Instant::now();
    let mut echo = from.with(|| Echo::open(to))?;
    while start.elapsed() < limit {
        if echo.ping(56, Duration::from_millis(200))?.is_some() {
            return Ok(start.elapsed());
        }
    }
    bail!("{} gets no answer from {to} within {limit:?}", from.name())
}

/// Sends `bytes` over TCP between two namespaces; how long that took. The receiver checks what arrives.
pub(crate) fn transfer(
    from: &Namespace,
    to: &Namespace,
    address: impl Into<IpAddr>,
    bytes: usize,
) -> Result<Duration> {
    let address = SocketAddr::from((address.into(), 5201));
    let listener = to.with(|| TcpListener::bind(address))?;
    let receiver = std::thread::spawn(move || -> Result<usize> {
        let (mut stream, _) = listener.accept()?;
        stream.set_read_timeout(Some(SOON))?;
        receive(&mut stream)
    });
    let start = Instant::now();
    let mut stream = from.with(|| TcpStream::connect_timeout(&address, SOON)).context("connect")?;
    stream.set_write_timeout(Some(SOON))?;
    send(&mut stream, bytes)?;
    drop(stream);
    let arrived = receiver.join().map_err(|_| anyhow::anyhow!("the receiver panicked"))??;
    ensure!(arrived == bytes, "{arrived} of {bytes} bytes arrived");
    Ok(start.elapsed())
}

/// The byte at a place of the stream: no period of it divides a segment, so a misplaced one shows.
const fn pattern(at: usize) -> u8 {
    (at % 251) as u8
}

fn send(stream: &mut impl std::io::Write, bytes: usize) -> Result<()> {
    let block: Vec<u8> = (0..251 * 256).map(pattern).collect();
    let mut left = bytes;
    while left > 0 {
        let part = left.min(block.len());
        stream.write_all(&block[..part])?;
        left -= part;
    }
    Ok(())
}

fn receive(stream: &mut impl std::io::Read) -> Result<usize> {
    let (mut buffer, mut at) = ([0; 1 << 16], 0);
    loop {
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            return Ok(at);
        }
        let right = buffer[..length].iter().enumerate().all(|(i, byte)| *byte == pattern(at + i));
        ensure!(right, "the stream was changed on its way, near byte {at}");
        at += length;
    }
}
