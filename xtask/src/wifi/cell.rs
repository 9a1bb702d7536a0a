//! Nodes on one channel, each with a radio.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::air::{Air, CHANNELS, Radio};
use super::{PATIENCE, beside, programs};
use crate::interop::node::{Algorithm, Kind, Node, hard_address};
use crate::lab::{Lab, Set, wait_until};

/// The name of every network here.
pub(super) const NETWORK: &str = "noctule";
/// The cell that all stations of an IBSS share: given by hand, so that two halves never become two cells.
const CELL: &str = "02:ca:fe:ca:fe:40";
/// How stations of one channel form a network.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Network {
    /// Everybody speaks to everybody in reach, without asking.
    Ibss,
    /// 802.11s, with its own forwarding off.
    Mesh,
}

impl Network {
    /// What `iw` calls interfaces of it.
    const fn kind(self) -> &'static str {
        match self {
            Self::Ibss => "ibss",
            Self::Mesh => "mp",
        }
    }

    /// Makes an interface that is up part of the network, on a channel in MHz.
    pub(super) fn join(self, radio: &Radio, interface: &str, channel: &str) -> Result<()> {
        match self {
            Self::Ibss => {
                let words = ["dev", interface, "ibss", "join", NETWORK, channel, "HT20"];
                radio.iw(&[&words[..], &["fixed-freq", CELL]].concat())?;
            }
            Self::Mesh => {
                radio.iw(&["dev", interface, "mesh", "join", NETWORK, "freq", channel, "HT20"])?;
                radio.iw(&["dev", interface, "set", "mesh_param", "mesh_fwding=0"])?;
            }
        }
        Ok(())
    }

    /// Takes the interface out of the network.
    pub(super) fn leave(self, radio: &Radio, interface: &str) -> Result<()> {
        let word = if self == Self::Mesh { "mesh" } else { "ibss" };
        radio.iw(&["dev", interface, word, "leave"]).map(|_| ())
    }
}

/// Nodes on one channel; they count from 1.
pub(super) struct Cell {
    pub(super) nodes: Vec<Node>,
    pub(super) radios: Vec<Radio>,
    pub(super) network: Network,
    pub(super) lab: Lab,
    /// The radios, those of nobody behind those of the nodes.
    pub(super) air: Air,
}

impl Cell {
    /// Nodes with a radio each, in the network and not running yet. `kinds` has a letter for each, as in `K-N-K`.
    pub(super) fn build(kinds: &str, network: Network) -> Result<Self> {
        Self::build_with(kinds, network, 0)
    }

    /// The same, with more radios for what is no node.
    pub(super) fn build_with(kinds: &str, network: Network, more: usize) -> Result<Self> {
        let mut cell = Self::unconnected(kinds, network, more)?;
        for (index, node) in cell.nodes.iter().enumerate() {
            let radio = cell.air.give(index, node.space())?;
            let name = node.interface(1);
            radio.add_interface(&name, &[network.kind()], hard_address(node.number, 1))?;
            node.space().set_link(&name, &[Set::Up])?;
            network.join(&radio, &name, CHANNELS[0])?;
            cell.radios.push(radio);
        }
        Ok(cell)
    }

    /// Nodes whose radios are still to be given to them.
    pub(super) fn unconnected(kinds: &str, network: Network, more: usize) -> Result<Self> {
        let lab = Lab::new("wifi")?;
        let programs = programs()?;
        let kinds: Vec<_> = kinds
            .split('-')
            .map(|letter| match letter {
                "K" => Ok(Kind::Kernel),
                "N" => Ok(Kind::Noctule),
                _ => bail!("no kind of node is called {letter}"),
            })
            .collect::<Result<_>>()?;
        let air = Air::new(kinds.len() + more)?;
        let mut cell = Self { nodes: Vec::new(), radios: Vec::new(), network, lab, air };
        for (kind, number) in kinds.into_iter().zip(1..) {
            let space = cell.lab.namespace(&format!("n{number}"))?;
            // Without IPv6 a link carries nothing but what the mesh sends.
            for scope in ["all", "default"] {
                let _ = space.set_sysctl(&format!("net.ipv6.conf.{scope}.disable_ipv6"), "1");
            }
            cell.nodes.push(Node::new(kind, number, vec![1], space, programs.clone()));
        }
        Ok(cell)
    }

    /// Only nodes with neighbouring numbers hear each other from now on.
    pub(super) fn make_chain(&self) -> Result<()> {
        for (index, radio) in self.radios.iter().enumerate() {
            // A bit for each pair of neighbours: the one behind, and the one ahead.
            radio.set_groups(1 << index | 1 << (index + 1))?;
        }
        Ok(())
    }

    /// What all nodes run from their start on.
    pub(super) fn set_algorithm(&mut self, algorithm: Algorithm) {
        self.nodes.iter_mut().for_each(|node| node.settings.algorithm = algorithm);
    }

    /// Starts all nodes.
    pub(super) fn start(&mut self) -> Result<()> {
        self.nodes.iter_mut().try_for_each(Node::start)
    }

    /// A node.
    pub(super) fn node(&self, number: usize) -> &Node {
        &self.nodes[number - 1]
    }

    /// A node that is to be changed.
    pub(super) fn node_mut(&mut self, number: usize) -> &mut Node {
        &mut self.nodes[number - 1]
    }

    /// A radio of the node with that number.
    pub(super) fn radio(&self, number: usize) -> &Radio {
        &self.radios[number - 1]
    }

    /// Waits until a node gets answers from another.
    pub(super) fn wait_for_ping(&self, from: usize, to: usize) -> Result<()> {
        let (here, there) = (self.node(from), self.node(to));
        self.wait(&format!("{} reaches {}", here.name(), there.name()), |_| {
            Ok(here.first_ping(there, Instant::now(), Duration::from_secs(1))?.is_some())
        })
    }

    /// Waits until something holds of the cell. If it does not, what the radios and nodes know is printed.
    pub(super) fn wait(&self, what: &str, condition: impl Fn(&Self) -> Result<bool>) -> Result<()> {
        let mut trouble = None;
        let waited = wait_until(PATIENCE, what, || match condition(self) {
            Ok(holds) => holds,
            Err(error) => {
                trouble = Some(error);
                false
            }
        });
        let Err(error) = waited else { return Ok(()) };
        for (radio, node) in self.radios.iter().zip(&self.nodes) {
            let name = node.interface(1);
            for words in [["dev", &name, "info"].as_slice(), &["dev", &name, "station", "dump"]] {
                println!("    {}: {}", node.name(), radio.iw(words).unwrap_or_default().trim_end());
            }
        }
        // The error below counts, not what tables cannot be shown.
        let _ = beside::show(&self.nodes.iter().collect::<Vec<_>>());
        Err(match trouble {
            Some(trouble) => trouble.context(error),
            None => error,
        })
    }

    /// Fails if a daemon has ended by itself.
    pub(super) fn nobody_died(&mut self) -> Result<()> {
        for node in &mut self.nodes {
            if let Some(end) = node.died() {
                bail!("{} ended: {end}", node.name());
            }
        }
        Ok(())
    }

    /// Takes the nodes away as their administrators would.
    pub(super) fn stop(mut self) -> Result<()> {
        self.nobody_died()?;
        self.nodes.iter_mut().try_for_each(Node::stop)
    }
}
