//! What the tests of the pipeline share: a node in the middle of a chain, an outlet that records, and builders of frames.
//!
//! Ben is the node under test. Anna is his neighbour on link 0, Cara on link 1; Dora is known, but no route leads to her.

use noctule_dataplane::pipeline::PipelineSettings;
use noctule_dataplane::{Hint, Outlet, Pipeline};
use noctule_fib::{
    Announcers, Counter, Counters, GlobalClient, HashKey, Iface, IfaceEntry, Neighbours, NextHop,
    Node, View, Writer,
};
use noctule_wire::ethernet::mesh_header;
use noctule_wire::tvlv::translation_table::ClientFlags;
use noctule_wire::unicast::Subtype;
use noctule_wire::{
    Broadcast, Client, Discard, Fragment, Icmp, Instant, Mac, SeqNo, Ttvn, Unicast, Unicast4Addr,
};
use std::sync::Arc;

pub(crate) const BEN_0: Mac = Mac([2, 0xba, 0, 0, 2, 1]);
pub(crate) const BEN_1: Mac = Mac([2, 0xba, 0, 0, 2, 2]);
pub(crate) const ANNA: Mac = Mac([2, 0xba, 0, 0, 1, 1]);
pub(crate) const CARA: Mac = Mac([2, 0xba, 0, 0, 3, 1]);
pub(crate) const DORA: Mac = Mac([2, 0xba, 0, 0, 4, 1]);
/// Nobody in the mesh.
pub(crate) const EVE: Mac = Mac([2, 0xba, 0, 0, 0xee, 1]);

/// Clients: behind Ben, behind Anna, behind Cara, behind nobody.
pub(crate) const BENS: Mac = Mac([2, 0xc1, 0, 0, 2, 1]);
pub(crate) const ANNAS: Mac = Mac([2, 0xc1, 0, 0, 1, 1]);
pub(crate) const CARAS: Mac = Mac([2, 0xc1, 0, 0, 3, 1]);
pub(crate) const STRANGER: Mac = Mac([2, 0xc1, 0, 0, 9, 9]);

pub(crate) const KEY: HashKey = HashKey([0x5eed_5eed_1234_5678, 0x0bad_cafe_8765_4321]);

pub(crate) fn link(index: usize) -> Iface {
    Iface::new(index).unwrap()
}

pub(crate) fn ms(millis: u64) -> Instant {
    // Not at the origin, so that a test sees what subtracts from `now`.
    Instant::from_millis(1_000_000 + millis)
}

/// What came of one frame.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Outcome {
    /// Interface number, frame.
    pub(crate) sent: Vec<(usize, Vec<u8>)>,
    /// The priority that each of them was sent with.
    pub(crate) priorities: Vec<u8>,
    pub(crate) delivered: Vec<Vec<u8>>,
    pub(crate) punted: Vec<(usize, Vec<u8>)>,
    pub(crate) hints: Vec<Hint>,
    /// To which worker, interface number unless it is the host's, frame.
    pub(crate) passed: Vec<(usize, Option<usize>, Vec<u8>)>,
    /// Reasons that were counted.
    pub(crate) dropped: Vec<Discard>,
    /// Counters that moved, with how far.
    pub(crate) counted: Vec<(Counter, u64)>,
}

impl Outcome {
    pub(crate) fn counted(&self, counter: Counter) -> u64 {
        self.counted.iter().find(|(moved, _)| *moved == counter).map_or(0, |(_, by)| *by)
    }

    /// Why it was dropped, and how much came out nevertheless.
    pub(crate) fn fate(&self) -> (Vec<Discard>, usize) {
        (self.dropped.clone(), self.outputs())
    }

    /// Frames and packets that left the pipeline anywhere.
    pub(crate) fn outputs(&self) -> usize {
        self.sent.len() + self.delivered.len() + self.punted.len()
    }
}

/// Records what the pipeline puts out, and can be told to refuse it.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    pub(crate) outcome: Outcome,
    pub(crate) refuse_sending: Option<Discard>,
    pub(crate) refuse_delivery: Option<Discard>,
    pub(crate) refuse_hints: bool,
    /// How many pieces the last frame was given in.
    pub(crate) pieces: usize,
}

impl Outlet for Recorder {
    fn transmit(&mut self, iface: Iface, priority: u8, parts: &[&[u8]]) -> Result<(), Discard> {
        self.pieces = parts.len();
        if let Some(reason) = self.refuse_sending {
            return Err(reason);
        }
        self.outcome.sent.push((iface.index(), parts.concat()));
        self.outcome.priorities.push(priority);
        Ok(())
    }

    fn deliver(&mut self, parts: &[&[u8]]) -> Result<(), Discard> {
        if let Some(reason) = self.refuse_delivery {
            return Err(reason);
        }
        self.outcome.delivered.push(parts.concat());
        Ok(())
    }

    fn punt(&mut self, iface: Iface, frame: &[u8]) -> Result<(), Discard> {
        self.outcome.punted.push((iface.index(), frame.to_vec()));
        Ok(())
    }

    fn hint(&mut self, hint: Hint) -> Result<(), Discard> {
        if self.refuse_hints {
            return Err(Discard::QueueFull);
        }
        self.outcome.hints.push(hint);
        Ok(())
    }

    fn pass_on(
        &mut self,
        worker: usize,
        iface: Option<Iface>,
        frame: &[u8],
    ) -> Result<(), Discard> {
        self.outcome.passed.push((worker, iface.map(Iface::index), frame.to_vec()));
        Ok(())
    }
}

/// Ben.
pub(crate) struct Ben {
    pub(crate) writer: Writer,
    pub(crate) pipeline: Pipeline,
    pub(crate) counters: Arc<Counters>,
    pub(crate) out: Recorder,
    pub(crate) node: Node,
}

impl Default for Ben {
    fn default() -> Self {
        Self::with(PipelineSettings::new(KEY))
    }
}

impl Ben {
    /// Ben with two wired links of MTU 1532, and the clients above announced.
    pub(crate) fn with(settings: PipelineSettings) -> Self {
        let mut writer = Writer::new(KEY, 100, SeqNo(5000));
        let entry = |mac, address| IfaceEntry {
            mac,
            mtu: 1532,
            active: true,
            wifi: false,
            neighbours: Neighbours::One { address, originator: address },
        };
        let mut node = Node { primary: Some(BEN_0), fragmentation: true, ..Node::default() };
        node.ifaces[0] = Some(entry(BEN_0, ANNA));
        node.ifaces[1] = Some(entry(BEN_1, CARA));
        writer.set_node(node.clone());
        writer.set_own_ttvn(Ttvn(20));
        for (originator, iface, ttvn) in [(ANNA, 0, 10), (CARA, 1, 30)] {
            writer.add_originator(originator);
            writer.set_ttvn(originator, Ttvn(ttvn));
            writer.set_metric(originator, 200);
            for view in [View::Default, View::Arrival(link(0)), View::Arrival(link(1))] {
                let hop = NextHop { iface: link(iface), mac: originator };
                writer.set_router(originator, view, Some(hop));
            }
        }
        writer.add_originator(DORA);
        writer.set_local(Client::untagged(BENS), ClientFlags::NONE, ms(0));
        let counters = Arc::new(Counters::default());
        let pipeline = Pipeline::new(writer.reader(), Arc::clone(&counters), settings);
        let mut ben = Self { writer, pipeline, counters, out: Recorder::default(), node };
        ben.announce(ANNAS, ClientFlags::NONE, &[ANNA]);
        ben.announce(CARAS, ClientFlags::NONE, &[CARA]);
        ben
    }

    pub(crate) fn announce(&mut self, client: Mac, flags: ClientFlags, by: &[Mac]) {
        let announcers: Announcers = by.iter().copied().collect();
        self.writer.set_global(Client::untagged(client), GlobalClient { flags, announcers });
    }

    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Node)) {
        change(&mut self.node);
        self.writer.set_node(self.node.clone());
    }

    pub(crate) fn change_link(&mut self, index: usize, change: impl FnOnce(&mut IfaceEntry)) {
        self.change(|node| change(node.ifaces[index].as_mut().unwrap()));
    }

    /// Cara gets no longer packets than this.
    pub(crate) fn narrow_for_cara(&mut self, carries: u32) {
        let cara = NextHop { iface: link(1), mac: CARA };
        self.change(|node| node.narrow = [(cara, carries)].into());
    }

    pub(crate) fn receive(&mut self, now: Instant, iface: usize, frame: &[u8]) -> Outcome {
        let mut frame = frame.to_vec();
        self.watch(|ben| ben.pipeline.receive(now, link(iface), &mut frame, &mut ben.out))
    }

    pub(crate) fn send(&mut self, now: Instant, frame: &[u8]) -> Outcome {
        self.watch(|ben| ben.pipeline.send(now, frame, &mut ben.out))
    }

    pub(crate) fn on_deadline(&mut self, now: Instant) -> Outcome {
        self.watch(|ben| ben.pipeline.on_deadline(now, &mut ben.out))
    }

    fn watch(&mut self, act: impl FnOnce(&mut Self)) -> Outcome {
        let counts = |ben: &Self| Counter::ALL.iter().map(|c| ben.counters.get(*c)).collect();
        let discards =
            |ben: &Self| Discard::ALL.iter().map(|d| ben.counters.discarded(*d)).collect();
        let before: (Vec<u64>, Vec<u64>) = (counts(self), discards(self));
        self.out.outcome = Outcome::default();
        act(self);
        let mut outcome = core::mem::take(&mut self.out.outcome);
        let after: (Vec<u64>, Vec<u64>) = (counts(self), discards(self));
        for (index, counter) in Counter::ALL.iter().enumerate() {
            if after.0[index] != before.0[index] {
                outcome.counted.push((*counter, after.0[index] - before.0[index]));
            }
        }
        for (index, discard) in Discard::ALL.iter().enumerate() {
            for _ in before.1[index]..after.1[index] {
                outcome.dropped.push(*discard);
            }
        }
        outcome
    }
}

/// A frame of a client.
pub(crate) fn ethernet(destination: Mac, source: Mac, ethertype: u16, payload: &[u8]) -> Vec<u8> {
    [&destination.0, &source.0, ethertype.to_be_bytes().as_slice(), payload].concat()
}

/// A client's IPv4 packet of 20 bytes with this TOS.
pub(crate) fn ipv4(destination: Mac, source: Mac, tos: u8) -> Vec<u8> {
    let mut packet = [0; 46];
    packet[0] = 0x45;
    packet[1] = tos;
    ethernet(destination, source, 0x0800, &packet)
}

/// Some small frame of a client.
pub(crate) fn hello(destination: Mac, source: Mac) -> Vec<u8> {
    ethernet(destination, source, 0x88b5, b"hello, whoever you are, at least 46 bytes long")
}

pub(crate) fn on_air(to: Mac, from: Mac, packet: &[u8]) -> Vec<u8> {
    [&mesh_header(to, from), packet].concat()
}

pub(crate) fn unicast(ttl: u8, ttvn: u8, destination: Mac, inner: &[u8]) -> Vec<u8> {
    let packet = Unicast { ttl, ttvn: Ttvn(ttvn), destination, inner };
    let mut bytes = vec![0; packet.wire_len()];
    packet.emit(&mut bytes);
    bytes
}

pub(crate) fn unicast_4addr(
    destination: Mac,
    source: Mac,
    subtype: Subtype,
    inner: &[u8],
) -> Vec<u8> {
    let ttvn = Ttvn(20);
    let packet = Unicast4Addr { ttl: 50, ttvn, destination, source, subtype, reserved: 0, inner };
    let mut bytes = vec![0; packet.wire_len()];
    packet.emit(&mut bytes);
    bytes
}

pub(crate) fn broadcast(ttl: u8, seqno: u32, originator: Mac, inner: &[u8]) -> Vec<u8> {
    let packet = Broadcast { ttl, reserved: 0, seqno: SeqNo(seqno), originator, inner };
    let mut bytes = vec![0; packet.wire_len()];
    packet.emit(&mut bytes);
    bytes
}

pub(crate) fn icmp(
    message: u8,
    ttl: u8,
    destination: Mac,
    originator: Mac,
    rest: &[u8],
) -> Vec<u8> {
    let message = message.into();
    let packet = Icmp { ttl, message, destination, originator, uid: 7, aux: 0, seqno: 1, rest };
    let mut bytes = vec![0; packet.wire_len()];
    packet.emit(&mut bytes);
    bytes
}

/// A fragment for `destination`, cut by `originator`.
pub(crate) fn fragment(
    destination: Mac,
    originator: Mac,
    seqno: u16,
    number: u8,
    total: usize,
    data: &[u8],
) -> Vec<u8> {
    let packet = Fragment {
        ttl: 50,
        number,
        priority: 0,
        reserved: false,
        destination,
        originator,
        seqno,
        total_size: total as u16,
        data,
    };
    let mut bytes = vec![0; packet.wire_len()];
    packet.emit(&mut bytes);
    bytes
}

/// The frames in a file below `tests/data`.
pub(crate) fn captured(text: &str) -> Vec<Vec<u8>> {
    let byte = |pair: &[u8]| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap();
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.as_bytes().chunks(2).map(byte).collect())
        .collect()
}
