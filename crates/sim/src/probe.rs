//! Frames with a number, by which the simulator watches the invariants: no unicast loop, no duplicate delivery.

use crate::NodeId;
use noctule_wire::payload::IPV4_ETHERTYPE;
use noctule_wire::{ETHERNET_HEADER_LEN, Mac};
use std::collections::{BTreeMap, BTreeSet};

/// The ethertype of probe frames: for local experiments (IEEE 802).
const ETHERTYPE: u16 = 0x88b5;
const MARK: [u8; 4] = *b"bat!";

/// Something that must never happen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Fault {
    /// A node sent the same unicast frame on twice.
    Loop {
        /// Which frame.
        probe: u64,
        /// Who.
        node: NodeId,
    },
    /// A host got the same frame twice.
    DuplicateDelivery {
        /// Which frame.
        probe: u64,
        /// Who.
        node: NodeId,
    },
    /// A host got a unicast frame that was for somebody else.
    WrongDelivery {
        /// Which frame.
        probe: u64,
        /// Who.
        node: NodeId,
    },
}

/// A frame from `source` to `destination` that carries `number`, `len` bytes behind the Ethernet header.
pub(crate) fn frame(destination: Mac, source: Mac, number: u64, len: usize) -> Vec<u8> {
    let mut frame = Vec::with_capacity(ETHERNET_HEADER_LEN + len);
    frame.extend(destination.0);
    frame.extend(source.0);
    frame.extend(ETHERTYPE.to_be_bytes());
    frame.extend(MARK);
    frame.extend(number.to_be_bytes());
    frame.resize(ETHERNET_HEADER_LEN + len.max(MARK.len() + 8), 0);
    frame
}

/// A frame from `source` to an IPv4 group that carries `number`.
pub(crate) fn group_frame(group: [u8; 4], source: Mac, number: u64) -> Vec<u8> {
    let [a, b, c, d] = group;
    let mut frame = vec![0x01, 0x00, 0x5e, b & 0x7f, c, d];
    frame.extend(source.0);
    frame.extend(IPV4_ETHERTYPE.to_be_bytes());
    // No more of a header than tells group and protocol.
    frame.extend([0x45, 0, 0, 46, 0, 0, 0, 0, 1, 253, 0, 0, 10, 0, 0, 1, a, b, c, d]);
    frame.extend(MARK);
    frame.extend(number.to_be_bytes());
    frame.resize(60, 0);
    frame
}

/// Destination and number of a probe frame.
pub(crate) fn parse(frame: &[u8]) -> Option<(Mac, u64)> {
    let destination = Mac::from_prefix(frame)?;
    let rest = match frame.get(12..)?.split_first_chunk()? {
        (&[0x08, 0x00], rest) => rest.get(20..)?,
        (ethertype, rest) => (*ethertype == ETHERTYPE.to_be_bytes()).then_some(rest)?,
    };
    let rest = rest.strip_prefix(&MARK)?;
    rest.first_chunk().map(|number| (destination, u64::from_be_bytes(*number)))
}

/// What the simulator knows of the probes that are under way.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// Who handed which unicast probe on.
    handed_on: BTreeSet<(u64, NodeId)>,
    /// Who got which probe, and when (µs).
    delivered: BTreeMap<(u64, NodeId), u64>,
    pub(crate) faults: Vec<Fault>,
}

impl Watch {
    /// Node `node` transmits `probe` in a unicast packet.
    pub(crate) fn transmitted(&mut self, node: NodeId, probe: u64) {
        if !self.handed_on.insert((probe, node)) {
            self.faults.push(Fault::Loop { probe, node });
        }
    }

    /// The host behind `node`, whose address is `own`, gets a frame.
    pub(crate) fn delivered(&mut self, node: NodeId, own: Mac, frame: &[u8], at_micros: u64) {
        let Some((destination, probe)) = parse(frame) else { return };
        if destination != own && !destination.is_group() {
            self.faults.push(Fault::WrongDelivery { probe, node });
        } else if self.delivered.insert((probe, node), at_micros).is_some() {
            self.faults.push(Fault::DuplicateDelivery { probe, node });
        }
    }

    pub(crate) fn has(&self, probe: u64, node: NodeId) -> bool {
        self.delivered.contains_key(&(probe, node))
    }
}
