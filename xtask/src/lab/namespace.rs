//! A network namespace without a name: it exists as long as something holds its descriptor.
//!
//! Nothing on the disk points to it, so the kernel takes it away with all of its links when the last
//! process of the laboratory ends, however that happened.

use std::fs::{self, File};
use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sched::{CloneFlags, setns, unshare};

use super::Skipped;
use super::link::Link;
use super::netem::Netem;
use super::process::{self, Output, Process};
use super::rtnetlink::{
    BRIDGE_PORT_ISOLATED, End, INFO_SLAVE_DATA, INFO_SLAVE_KIND, Message, Route,
};

/// One change of a link.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Set<'a> {
    /// Switch it on.
    Up,
    /// Switch it off.
    Down,
    /// Its MTU in bytes.
    Mtu(u32),
    /// Its hardware address.
    Mac([u8; 6]),
    /// Put it into a bridge of the same namespace.
    Master(&'a str),
    /// Take it out of its bridge.
    NoMaster,
    /// Keep it from other isolated ports of its bridge, or not.
    Isolated(bool),
    /// Another name; most links must be down for it.
    Name(&'a str),
}

/// A namespace of the laboratory. Clones are the same namespace.
#[derive(Clone)]
pub(crate) struct Namespace(Arc<Inner>);

struct Inner {
    name: String,
    descriptor: Arc<OwnedFd>,
    route: Mutex<Route>,
    logs: PathBuf,
}

impl Namespace {
    /// Makes a namespace with its loopback interface up. Logs of its processes go to `logs`.
    pub(super) fn new(name: &str, logs: PathBuf) -> Result<Self> {
        let made = thread::scope(|scope| {
            scope
                .spawn(|| -> io::Result<_> {
                    unshare(CloneFlags::CLONE_NEWNET)?;
                    Ok((OwnedFd::from(File::open("/proc/thread-self/ns/net")?), Route::open()?))
                })
                .join()
                .unwrap_or_else(|panic| resume_unwind(panic))
        });
        let (descriptor, route) = made.context("cannot make a network namespace")?;
        let (descriptor, route) = (Arc::new(descriptor), Mutex::new(route));
        let namespace = Self(Arc::new(Inner { name: name.to_owned(), descriptor, route, logs }));
        namespace.set_link("lo", &[Set::Up])?;
        Ok(namespace)
    }

    /// The name it has in messages and log files.
    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    /// Its descriptor.
    pub(super) fn descriptor(&self) -> &OwnedFd {
        &self.0.descriptor
    }

    /// Runs `act` on a thread of its own inside the namespace; a panic goes through.
    ///
    /// Sockets opened there stay in the namespace for good and may be taken out. Processes started
    /// there with [`Command::spawn`] belong to it too, but see [`Self::spawn`].
    pub(crate) fn with<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            scope
                .spawn(|| {
                    setns(self.descriptor(), CloneFlags::CLONE_NEWNET)
                        .expect("whoever made the namespace may enter it");
                    act()
                })
                .join()
                .unwrap_or_else(|panic| resume_unwind(panic))
        })
    }

    /// A command that will run in the namespace, in a process group of its own, without input, and
    /// that ends when the thread that started it ends: prefer [`Self::run`] and [`Self::spawn`].
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        process::command_in(&self.0.descriptor, program.as_ref())
    }

    /// Runs a command to its end. An exit status other than zero is no error here:
    /// [`Output::success`] makes it one.
    ///
    /// # Errors
    /// If it cannot be started or does not end within `limit`; then it is ended.
    pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(
        &self,
        words: &[S],
        limit: Duration,
    ) -> Result<Output> {
        let (program, arguments) = words.split_first().context("no command")?;
        let mut command = self.command(program);
        command.args(arguments);
        process::run(&mut command, limit).with_context(|| format!("in namespace {}", self.name()))
    }

    /// Starts a process whose output goes to the log file `NAMESPACE-name.log`.
    pub(crate) fn spawn<S: AsRef<std::ffi::OsStr>>(
        &self,
        name: &str,
        words: &[S],
    ) -> Result<Process> {
        let (program, arguments) = words.split_first().context("no command")?;
        let mut command = self.command(program);
        command.args(arguments);
        self.spawn_command(name, &mut command)
    }

    /// Starts a command made by [`Self::command`], for callers that set its environment or folder.
    pub(crate) fn spawn_command(&self, name: &str, command: &mut Command) -> Result<Process> {
        let log = self.0.logs.join(format!("{}-{name}.log", self.name()));
        Process::spawn(command, name, &log).with_context(|| format!("in namespace {}", self.name()))
    }

    /// Changes a link; the changes take place together.
    pub(crate) fn set_link(&self, link: &str, changes: &[Set<'_>]) -> Result<()> {
        let (mut flags, mut change) = (0, 0);
        let mut attributes = Vec::new();
        for set in changes {
            match *set {
                Set::Up => (flags, change) = (libc::IFF_UP, libc::IFF_UP),
                Set::Down => (flags, change) = (0, libc::IFF_UP),
                Set::Mtu(mtu) => attributes.push((libc::IFLA_MTU, mtu.to_ne_bytes().to_vec())),
                Set::Mac(mac) => attributes.push((libc::IFLA_ADDRESS, mac.to_vec())),
                Set::Master(master) => {
                    let index = self.index(master)?;
                    attributes.push((libc::IFLA_MASTER, index.to_ne_bytes().to_vec()));
                }
                Set::NoMaster => attributes.push((libc::IFLA_MASTER, vec![0; 4])),
                Set::Isolated(isolated) => {
                    let bridge = |m: Message| m.attribute(BRIDGE_PORT_ISOLATED, &[isolated.into()]);
                    let info = Message::parts(|parts| {
                        parts.name(INFO_SLAVE_KIND, "bridge").nest(INFO_SLAVE_DATA, bridge)
                    });
                    attributes.push((libc::IFLA_LINKINFO, info));
                }
                Set::Name(name) => {
                    attributes.push((libc::IFLA_IFNAME, [name.as_bytes(), &[0]].concat()));
                }
            }
        }
        self.ask(&format!("set {link}"), |route| {
            let index = index_of(route, link)?;
            route.change_link(index, flags, change, |message| {
                attributes
                    .iter()
                    .fold(message, |message, (kind, value)| message.attribute(*kind, value))
            })
        })
    }

    /// Makes a bridge (without spanning tree), down.
    pub(crate) fn add_bridge(&self, name: &str) -> Result<()> {
        self.ask(&format!("make bridge {name}"), |route| route.add_link("bridge", name))
    }

    /// Makes the interface of VLAN `id` (1 to 4094) on top of `parent`, down.
    ///
    /// # Errors
    /// [`Skipped`] if this kernel has no VLAN interfaces.
    pub(crate) fn add_vlan(&self, parent: &str, name: &str, id: u16) -> Result<()> {
        self.ask(&format!("make VLAN interface {name}"), |route| {
            let parent = index_of(route, parent)?;
            route.add_vlan(parent, name, id)
        })
        .map_err(|error| {
            Skipped::if_errno(error, Errno::EOPNOTSUPP, "VLAN interfaces (module 8021q)")
        })
    }

    /// Makes a veth pair from here to `other`.
    pub(super) fn add_veth(
        &self,
        here: &End<'_>,
        other: &Self,
        there: &End<'_>,
        mtu: u32,
    ) -> Result<()> {
        self.ask(&format!("make link {} to {}", here.name, there.name), |route| {
            route.add_veth(here, there, other.descriptor(), mtu)
        })
    }

    /// Removes a link; of a veth pair both ends vanish.
    pub(crate) fn delete_link(&self, link: &str) -> Result<()> {
        self.ask(&format!("remove {link}"), |route| {
            let index = index_of(route, link)?;
            route.delete_link(index)
        })
    }

    /// Gives a link an address, written `10.0.0.1/24` or `fd00::1/64`.
    pub(crate) fn add_address(&self, link: &str, address: &str) -> Result<()> {
        let (ip, prefix) = network(address)?;
        self.ask(&format!("give {link} the address {address}"), |route| {
            let index = index_of(route, link)?;
            route.add_address(index, ip, prefix)
        })
    }

    /// Takes an address away from a link.
    pub(crate) fn delete_address(&self, link: &str, address: &str) -> Result<()> {
        let (ip, prefix) = network(address)?;
        self.ask(&format!("take the address {address} from {link}"), |route| {
            let index = index_of(route, link)?;
            route.delete_address(index, ip, prefix)
        })
    }

    /// Adds a route to a network, written `0.0.0.0/0` or `10.1.0.0/16`.
    pub(crate) fn add_route(&self, destination: &str, gateway: IpAddr) -> Result<()> {
        let (ip, prefix) = network(destination)?;
        self.ask(&format!("add a route to {destination}"), |route| {
            route.add_route(ip, prefix, gateway)
        })
    }

    /// Sets what becomes of the frames that a link sends; see [`Netem`].
    ///
    /// # Errors
    /// [`Skipped`] if this kernel has no netem.
    pub(crate) fn set_netem(&self, link: &str, netem: &Netem) -> Result<()> {
        self.ask(&format!("set netem on {link}"), |route| {
            let index = index_of(route, link)?;
            netem.set(route, index)
        })
        .map_err(|error| Skipped::if_errno(error, Errno::ENOENT, "netem (module sch_netem)"))
    }

    /// Takes netem off a link.
    pub(crate) fn clear_netem(&self, link: &str) -> Result<()> {
        self.ask(&format!("clear netem on {link}"), |route| {
            let index = index_of(route, link)?;
            route.clear_discipline(index)
        })
    }

    /// The links as they are.
    pub(crate) fn links(&self) -> Result<Vec<Link>> {
        self.ask("list links", Route::links)
    }

    /// A link as it is.
    pub(crate) fn link(&self, name: &str) -> Result<Link> {
        self.find_link(name)?
            .with_context(|| format!("namespace {} has no link {name}", self.name()))
    }

    /// A link as it is, if there is one of that name.
    pub(crate) fn find_link(&self, name: &str) -> Result<Option<Link>> {
        Ok(self.links()?.into_iter().find(|link| link.name == name))
    }

    /// Writes a setting of the namespace: `net.ipv6.conf.all.disable_ipv6`, …. A dot in an
    /// interface's name is written as a slash, as with `sysctl`.
    pub(crate) fn set_sysctl(&self, key: &str, value: &str) -> Result<()> {
        let exchange = |letter| match letter {
            '.' => '/',
            '/' => '.',
            other => other,
        };
        let path: String = key.chars().map(exchange).collect();
        self.with(|| fs::write(PathBuf::from("/proc/sys").join(path), value))
            .with_context(|| format!("cannot set {key} in namespace {}", self.name()))
    }

    fn index(&self, link: &str) -> Result<u32> {
        Ok(self.link(link)?.index)
    }

    fn ask<T>(&self, what: &str, act: impl FnOnce(&mut Route) -> io::Result<T>) -> Result<T> {
        let mut route = self.0.route.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut route).with_context(|| format!("cannot {what} in namespace {}", self.name()))
    }
}

fn index_of(route: &mut Route, name: &str) -> io::Result<u32> {
    route
        .links()?
        .into_iter()
        .find(|link| link.name == name)
        .map(|link| link.index)
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no link {name}")))
}

/// Reads `address/prefix`.
fn network(text: &str) -> Result<(IpAddr, u8)> {
    let parsed = text.split_once('/').and_then(|(ip, prefix)| {
        let ip: IpAddr = ip.parse().ok()?;
        let prefix: u8 = prefix.parse().ok()?;
        let longest = if ip.is_ipv4() { 32 } else { 128 };
        (prefix <= longest).then_some((ip, prefix))
    });
    match parsed {
        Some(parsed) => Ok(parsed),
        None => bail!("{text} is no address with a prefix length, such as 10.0.0.1/24"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_needs_a_fitting_prefix_length() {
        assert_eq!(network("10.0.0.1/24").unwrap(), ("10.0.0.1".parse().unwrap(), 24));
        assert_eq!(network("fd00::1/64").unwrap(), ("fd00::1".parse().unwrap(), 64));
        for odd in ["10.0.0.1", "10.0.0.1/33", "fd00::/129", "10.0.0/8", "10.0.0.1/x"] {
            assert!(network(odd).is_err(), "{odd}");
        }
    }
}
