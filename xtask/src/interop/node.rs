//! A node under test, of either kind, behind one face.
//!
//! | | kernel node | Noctule node |
//! | --- | --- | --- |
//! | is | the real `batman-adv` in a namespace | the real `noctule` in a namespace |
//! | is made by | `ip link add bat0 type batadv` | `noctule run --mesh bat0` |
//! | shows its tables by | `batctl …_json` | `noctule … --json` |
//!
//! Names and addresses are fixed. Node 3: hard interfaces `n3e1`, `n3e2` with
//! `02:ba:00:00:03:01`, `…:02`, mesh interface `bat0` with `02:ba:00:00:03:ba` and `10.99.0.3`.

mod kernel;
mod noctule;

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;

use super::capture::{Capture, Pcapng, listen};
use super::echo::Echo;
use super::net::{self, Printed};
use super::tables::{
    Gateway, GlobalClient, LocalClient, Neighbor, Originator, Statistics, statistics,
};
use crate::lab::{Namespace, Netem, Set};

/// What a node runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// The kernel module.
    Kernel,
    /// This project's daemon.
    Noctule,
}

impl Kind {
    /// The letter in a scenario's name.
    pub(crate) const fn letter(self) -> char {
        match self {
            Self::Kernel => 'K',
            Self::Noctule => 'N',
        }
    }
}

/// What is set on a node before its first frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Milliseconds between own OGMs. Short ones fill the windows of IV-44 and IV-69 quickly.
    pub(crate) interval_ms: u32,
    /// The hop penalty (FWD-130).
    pub(crate) hop_penalty: u8,
    /// Bridge loop avoidance on kernel nodes. Their default is on; it holds back broadcast for 30 s.
    pub(crate) bridge_loop_avoidance: bool,
    /// The part in gateway choice.
    pub(crate) role: Role,
    /// The routing algorithm.
    pub(crate) algorithm: Algorithm,
}

/// How routes are found.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Algorithm {
    /// By the share of OGMs that arrive.
    #[default]
    BatmanIv,
    /// By the throughput of links.
    BatmanV,
}

/// A node's part in gateway choice.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Role {
    /// None.
    Off,
    /// Chooses a gateway.
    Client,
    /// Is one, with this bandwidth.
    Server(&'static str),
}

impl Role {
    /// The words behind `gw_mode` of `batctl`.
    pub(super) fn words(self) -> Vec<&'static str> {
        match self {
            Self::Off => vec!["off"],
            Self::Client => vec!["client"],
            Self::Server(bandwidth) => vec!["server", bandwidth],
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            interval_ms: 200,
            hop_penalty: 30,
            bridge_loop_avoidance: false,
            role: Role::Off,
            algorithm: Algorithm::BatmanIv,
        }
    }
}

/// The programs that scenarios run inside the guest.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    /// `batctl`.
    pub(crate) batctl: PathBuf,
    /// `noctule`, if the run has Noctule nodes.
    pub(crate) noctule: PathBuf,
    /// Where daemons leave their logs.
    pub(crate) logs: PathBuf,
}

/// A node; see the module's page.
pub(crate) struct Node {
    /// What it runs.
    pub(crate) kind: Kind,
    /// Its number, from 1.
    pub(crate) number: u8,
    /// What is set on it when it starts.
    pub(crate) settings: Settings,
    interfaces: Vec<u8>,
    space: Namespace,
    programs: Programs,
    daemon: Option<noctule::Daemon>,
    capture: Option<Capture>,
}

impl Node {
    /// A node that has hard interfaces already, and does not run yet.
    pub(crate) fn new(
        kind: Kind,
        number: u8,
        interfaces: Vec<u8>,
        space: Namespace,
        programs: Programs,
    ) -> Self {
        let settings = Settings::default();
        let (daemon, capture) = (None, None);
        Self { kind, number, settings, interfaces, space, programs, daemon, capture }
    }

    /// The namespace that the node lives in.
    pub(crate) const fn space(&self) -> &Namespace {
        &self.space
    }

    /// The node's name.
    pub(crate) fn name(&self) -> String {
        format!("n{}", self.number)
    }

    /// The name of a hard interface; they count from 1.
    pub(crate) fn interface(&self, index: u8) -> String {
        format!("n{}e{index}", self.number)
    }

    /// The address of a hard interface.
    pub(crate) fn address(&self, index: u8) -> String {
        text(hard_address(self.number, index))
    }

    /// The originator address: that of the first hard interface (FWD-06).
    pub(crate) fn originator(&self) -> String {
        self.address(self.interfaces.first().copied().unwrap_or(1))
    }

    /// The address of the mesh interface, which is the node's first client (FWD-160).
    pub(crate) fn mesh_address(&self) -> String {
        text(self.mesh_mac())
    }

    /// The IP address of the mesh interface.
    pub(crate) fn ip(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 99, 0, self.number)
    }

    /// Records everything on the node's hard interfaces from here on.
    pub(crate) fn record_frames(&mut self, file: &Pcapng) -> Result<()> {
        let interfaces = self
            .interfaces
            .iter()
            .map(|&index| {
                let link = self.space.link(&self.interface(index))?;
                Ok((link.index as usize, link.name))
            })
            .collect::<Result<Vec<_>>>()?;
        let listener = self.space.with(listen)?;
        let capture = Capture::start(file, listener, &interfaces)?;
        self.capture = Some(capture);
        Ok(())
    }

    /// Ends the recording: how many frames were recorded as sent, and how many the interfaces'
    /// own counters say were.
    pub(crate) fn frames_sent(&mut self) -> Result<(u64, u64)> {
        let Some(capture) = self.capture.take() else { return Ok((0, 0)) };
        let recorded = capture.stop().values().map(|counts| counts.sent).sum();
        let mut counted = 0;
        for &index in &self.interfaces {
            counted += self.space.link(&self.interface(index))?.tx_frames;
        }
        Ok((recorded, counted))
    }

    /// Starts the node: from here on it sends.
    pub(crate) fn start(&mut self) -> Result<()> {
        match self.kind {
            Kind::Kernel => kernel::start(self),
            Kind::Noctule => {
                self.daemon = Some(noctule::start(self)?);
                Ok(())
            }
        }
    }

    /// Takes the node away as an administrator would.
    pub(crate) fn stop(&mut self) -> Result<()> {
        match self.daemon.take() {
            Some(daemon) => daemon.stop(self),
            None if self.kind == Kind::Kernel => kernel::stop(self),
            None => Ok(()),
        }
    }

    /// The end of a Noctule node that nobody asked to end: what its log says last.
    pub(crate) fn died(&mut self) -> Option<String> {
        self.daemon.as_mut().and_then(noctule::Daemon::died)
    }

    /// The originator table, one row per candidate (IV-103).
    pub(crate) fn originators(&self) -> Result<Vec<Originator>> {
        self.table("originators_json", "originators")
    }

    /// The neighbour table (IV-105).
    pub(crate) fn neighbors(&self) -> Result<Vec<Neighbor>> {
        self.table("neighbors_json", "neighbors")
    }

    /// The gateway table.
    pub(crate) fn gateways(&self) -> Result<Vec<Gateway>> {
        self.table("gateways_json", "gateways")
    }

    /// The node's own clients.
    pub(crate) fn local_clients(&self) -> Result<Vec<LocalClient>> {
        self.table("transtable_local_json", "translocal")
    }

    /// The other nodes' clients.
    pub(crate) fn global_clients(&self) -> Result<Vec<GlobalClient>> {
        self.table("transtable_global_json", "transglobal")
    }

    /// The node's counters (FWD-140 and the table above it).
    pub(crate) fn statistics(&self) -> Result<Statistics> {
        let text = match self.kind {
            Kind::Kernel => self.batctl(&["statistics"])?.success()?,
            Kind::Noctule => self.noctule(&["statistics", "--all"])?.success()?,
        };
        Ok(statistics(&text))
    }

    /// One counter; a counter that the node does not have counts as zero.
    pub(crate) fn counter(&self, name: &str) -> Result<u64> {
        Ok(self.statistics()?.get(name).copied().unwrap_or(0))
    }

    /// The best route to another node's originator.
    pub(crate) fn route_to(&self, other: &Self) -> Result<Option<Originator>> {
        let address = other.originator();
        let rows = self.originators()?;
        Ok(rows.into_iter().find(|row| row.best && row.orig_address == address))
    }

    /// `batctl` or `noctule`, as the node's administrator would run it.
    pub(crate) fn tool(&self, words: &[&str]) -> Result<Printed> {
        match self.kind {
            Kind::Kernel => self.batctl(words),
            Kind::Noctule => self.noctule(words),
        }
    }

    /// The same without a word that says which mesh is meant.
    pub(crate) fn bare_tool(&self, words: &[&str]) -> Result<Printed> {
        match self.kind {
            Kind::Kernel => net::output(&self.space, &self.programs.batctl, words),
            Kind::Noctule => self.noctule(words),
        }
    }

    /// The name of the tool of [`Self::tool`].
    pub(crate) const fn tool_name(&self) -> &'static str {
        match self.kind {
            Kind::Kernel => "batctl",
            Kind::Noctule => "noctule",
        }
    }

    /// Pings another node's mesh interface once.
    pub(crate) fn ping(&self, other: &Self, payload: usize) -> Result<Option<Duration>> {
        self.echo(other)?.ping(payload, Duration::from_secs(1))
    }

    /// A source of pings to another node's mesh interface.
    pub(crate) fn echo(&self, other: &Self) -> Result<Echo> {
        self.space.with(|| Echo::open(other.ip()))
    }

    /// Loses a share of what the node sends by one interface; 0 ends it.
    pub(crate) fn lose(&self, interface: u8, percent: u8) -> Result<()> {
        let name = self.interface(interface);
        if percent == 0 {
            return self.space.clear_netem(&name);
        }
        self.space.set_netem(&name, &Netem::loss(f64::from(percent)))
    }

    /// The hard interfaces' indices.
    pub(crate) fn interfaces(&self) -> &[u8] {
        &self.interfaces
    }

    /// The time from `since` until a ping passes, or `None` after `limit`.
    pub(crate) fn first_ping(
        &self,
        other: &Self,
        since: Instant,
        limit: Duration,
    ) -> Result<Option<Duration>> {
        let mut echo = self.echo(other)?;
        while since.elapsed() < limit {
            if echo.ping(0, Duration::from_millis(50))?.is_some() {
                return Ok(Some(since.elapsed()));
            }
        }
        Ok(None)
    }

    fn table<T: DeserializeOwned>(&self, batctl: &str, noctule: &str) -> Result<Vec<T>> {
        let printed = match self.kind {
            Kind::Kernel => self.batctl(&[batctl])?,
            Kind::Noctule => self.noctule(&[noctule, "--json"])?,
        };
        // A kernel node without an active primary interface prints "[]" and fails (IV-107).
        let text = if printed.text.trim() == "[]" { printed.text } else { printed.success()? };
        serde_json::from_str(&text)
            .with_context(|| format!("{}: cannot read {noctule}: {text}", self.name()))
    }

    fn batctl(&self, words: &[&str]) -> Result<Printed> {
        let words = [&["meshif", "bat0"], words].concat();
        net::output(&self.space, &self.programs.batctl, &words)
    }

    fn noctule(&self, words: &[&str]) -> Result<Printed> {
        let socket = noctule::socket(self);
        let words = [&["--socket", &socket], words].concat();
        net::output(&self.space, &self.programs.noctule, &words)
    }

    /// Brings the mesh interface up, with its IP address.
    fn configure_mesh_interface(&self) -> Result<()> {
        self.space.set_link("bat0", &[Set::Up])?;
        self.space.add_address("bat0", &format!("{}/24", self.ip()))
    }

    const fn mesh_mac(&self) -> [u8; 6] {
        [0x02, 0xba, 0, 0, self.number, 0xba]
    }
}

/// The address of a hard interface of a node.
pub(crate) const fn hard_address(node: u8, index: u8) -> [u8; 6] {
    [0x02, 0xba, 0, 0, node, index]
}

/// An address as the tools print it.
pub(crate) fn text(address: [u8; 6]) -> String {
    address.map(|byte| format!("{byte:02x}")).join(":")
}
