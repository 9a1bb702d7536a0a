//! `cargo xtask netns`: real nodes on this kernel, in network namespaces.

mod forwarding;
mod start;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::cases::{self, Case, cases};
use crate::lab::{Lab, Side, enclose};
use crate::node::Node;
use crate::program;

/// For whatever must come sooner or later, on a slow machine.
const LIMIT: Duration = Duration::from_secs(60);

const CASES: &[Case] = cases![
    forwarding::two_neighbours_ping_each_other,
    forwarding::fwd_114_packets_of_every_size_cross_two_hops,
    forwarding::tcp_crosses_three_hops,
    forwarding::a_silent_relay_is_replaced,
    forwarding::a_primary_interface_that_goes_down_does_not_silence_the_node,
    forwarding::a_vanished_interface_is_used_again_when_it_is_back,
    forwarding::a_killed_node_is_back_soon,
    forwarding::rubbish_on_a_link_changes_nothing,
    start::bad_use_is_one_sentence_and_changes_nothing,
    start::a_stopped_node_leaves_nothing,
    start::an_idle_node_is_small,
];

/// Runs the cases.
pub(crate) fn main(arguments: &[String]) -> Result<ExitCode> {
    let program = program::noctule()?;
    if let Side::Outside(code) = enclose(&[(program::VARIABLE, program.as_os_str())])? {
        return Ok(code);
    }
    cases::run(CASES, arguments)
}

/// A laboratory, and `names` as nodes that do not run yet.
fn nodes(names: &[&str]) -> Result<(Lab, Vec<Node>)> {
    let lab = Lab::new("netns")?;
    let path = std::env::var_os(program::VARIABLE).context("no program was handed in")?;
    let path = PathBuf::from(path);
    let nodes = names.iter().zip(1..).map(|(name, number)| Node::new(&lab, &path, name, number));
    let nodes = nodes.collect::<Result<_>>()?;
    Ok((lab, nodes))
}

/// The same, linked to a chain and running with an OGM each 200 ms.
fn chain(names: &[&str]) -> Result<(Lab, Vec<Node>)> {
    let (lab, mut nodes) = nodes(names)?;
    for first in 1..nodes.len() {
        let [one, other] = nodes.get_disjoint_mut([first - 1, first])?;
        one.link(other, &lab, 1500)?;
    }
    for node in &mut nodes {
        node.start(&QUICK)?;
    }
    Ok((lab, nodes))
}

/// Settings with which a route is there in a second.
const QUICK: [&str; 2] = ["--orig-interval", "200"];
