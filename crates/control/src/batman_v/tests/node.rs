//! One node without a mesh: it is fed frames, and its clock is moved.

use super::{Instant, Mac, NextHop, Ogm2, View, at, iface, ms};
use crate::batman_v::{BatmanV, Measured};
use crate::interfaces::Interfaces;
use crate::routing::RoutingEvent;
use crate::{
    Context, Event, IfaceSettings, Link, OriginatorRow, Output, Rng, Routing, RoutingAlgorithm,
    Settings,
};
use noctule_fib::{Counters, HashKey, Iface, Writer};
use noctule_wire::ethernet::Frame;
use noctule_wire::ogm2::Ogm2s;
use noctule_wire::{Discard, Elp, PacketType, SeqNo, packet};
use std::collections::{BTreeMap, VecDeque};

/// A frame that the node sent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) at: Instant,
    pub(super) index: usize,
    pub(super) frame: Vec<u8>,
}

impl Sent {
    pub(super) fn parsed(&self) -> Frame<'_> {
        Frame::parse(&self.frame).unwrap()
    }

    fn is(&self, kind: PacketType) -> bool {
        packet::packet_type(self.parsed().payload) == Ok(kind)
    }

    /// The ELP, if it is one.
    pub(super) fn elp(&self) -> Option<Elp> {
        self.is(PacketType::Elp).then(|| Elp::parse(self.parsed().payload).unwrap())
    }

    /// The records of the frame; none of an ELP.
    pub(super) fn records(&self) -> Vec<Ogm2<'_>> {
        if !self.is(PacketType::Ogm2) {
            return Vec::new();
        }
        Ogm2s::new(self.parsed().payload).map(Result::unwrap).collect()
    }
}

pub(super) struct Node {
    pub(super) v: BatmanV,
    pub(super) interfaces: Interfaces,
    pub(super) settings: Settings,
    pub(super) fib: Writer,
    counters: Counters,
    outputs: VecDeque<Output>,
    rng: Rng,
    pub(super) now: Instant,
    /// What the system says of the links, by interface.
    pub(super) speeds: BTreeMap<usize, Measured>,
    /// Who was asked for.
    pub(super) asked: Vec<(usize, Option<Mac>)>,
    /// TVLV area of own OGM2s; `None`: it cannot be made.
    pub(super) tvlvs: Option<Vec<u8>>,
    pub(super) told: Vec<Event>,
    elps: u32,
}

pub(super) const GIGABIT: Measured = Measured::Wired { speed: Some(1000), full_duplex: true };

impl Node {
    pub(super) fn new() -> Self {
        Self {
            v: BatmanV::new(),
            interfaces: Interfaces::default(),
            settings: Settings {
                routing_algorithm: RoutingAlgorithm::BatmanV,
                ..Settings::default()
            },
            fib: Writer::new(HashKey([1, 2]), 0, SeqNo(0)),
            counters: Counters::default(),
            outputs: VecDeque::new(),
            rng: Rng::new(7),
            now: at(1000),
            speeds: BTreeMap::new(),
            asked: Vec::new(),
            tvlvs: Some(Vec::new()),
            told: Vec::new(),
            elps: 0,
        }
    }

    /// A node with wired interfaces of these addresses, of 1 Gbit/s each.
    pub(super) fn with_interfaces(macs: &[Mac]) -> Self {
        let mut node = Self::new();
        for (index, mac) in macs.iter().enumerate() {
            node.attach(index, Self::link(*mac), IfaceSettings::default());
        }
        node
    }

    pub(super) const fn link(mac: Mac) -> Link {
        Link { mac, mtu: 1500, wifi: false, up: true }
    }

    pub(super) fn with<R>(
        &mut self,
        act: impl FnOnce(&mut BatmanV, &mut Context<'_>, &Interfaces) -> R,
    ) -> R {
        let mut ctx = Context {
            now: self.now,
            settings: &self.settings,
            primary: self.interfaces.primary_mac(),
            fib: &mut self.fib,
            counters: &self.counters,
            outputs: &mut self.outputs,
            rng: &mut self.rng,
        };
        act(&mut self.v, &mut ctx, &self.interfaces)
    }

    pub(super) fn attach(&mut self, index: usize, link: Link, settings: IfaceSettings) {
        self.interfaces.attach(iface(index), link, settings);
        let seqno = 1000 * (index as u32 + 1);
        self.with(|v, ctx, interfaces| v.attach(ctx, interfaces, iface(index), seqno));
    }

    pub(super) fn detach(&mut self, index: usize) {
        self.interfaces.detach(iface(index));
        self.with(|v, ctx, interfaces| v.detach(ctx, interfaces, iface(index)));
    }

    pub(super) fn change(&mut self, index: usize, change: impl FnOnce(&mut Link)) {
        let mut link = self.interfaces.get(iface(index)).unwrap().link;
        change(&mut link);
        self.interfaces.change(iface(index), link);
        self.with(|v, ctx, interfaces| v.changed(ctx, interfaces, iface(index)));
    }

    pub(super) fn set(&mut self, index: usize, change: impl FnOnce(&mut IfaceSettings)) {
        let mut settings = self.interfaces.get(iface(index)).unwrap().settings;
        change(&mut settings);
        self.interfaces.set_settings(iface(index), settings);
        self.with(|v, ctx, interfaces| v.settings_changed(ctx, interfaces));
    }

    /// An ELP arrives.
    pub(super) fn hear_elp(
        &mut self,
        index: usize,
        from: Mac,
        originator: Mac,
        seqno: u32,
    ) -> Result<(), Discard> {
        let elp = Elp { originator, seqno: SeqNo(seqno), interval_ms: 500 };
        self.elp_bytes(index, from, &elp.to_bytes())
    }

    pub(super) fn elp_bytes(
        &mut self,
        index: usize,
        from: Mac,
        bytes: &[u8],
    ) -> Result<(), Discard> {
        self.with(|v, ctx, interfaces| v.on_elp(ctx, interfaces, iface(index), from, bytes))
    }

    /// A neighbour says another ELP.
    pub(super) fn meet(&mut self, index: usize, from: Mac, originator: Mac) {
        self.elps += 1;
        self.hear_elp(index, from, originator, self.elps).unwrap();
    }

    /// A neighbour by a link that was measured.
    pub(super) fn befriend(&mut self, index: usize, mac: Mac, units: u32) {
        self.befriend_of(index, mac, mac, units);
    }

    /// The same, of a node with another address.
    pub(super) fn befriend_of(&mut self, index: usize, mac: Mac, originator: Mac, units: u32) {
        self.meet(index, mac, originator);
        let measured = Measured::Expected(units * 100);
        self.with(|v, ctx, interfaces| {
            v.measured(ctx, interfaces, iface(index), Some(mac), measured);
        });
    }

    pub(super) fn ogm_bytes(
        &mut self,
        index: usize,
        from: Mac,
        bytes: &[u8],
    ) -> Result<(), Discard> {
        self.with(|v, ctx, interfaces| v.on_frame(ctx, interfaces, iface(index), from, bytes))
    }

    /// One record arrives in a frame of its own.
    pub(super) fn hear(&mut self, index: usize, from: Mac, ogm: Ogm2<'_>) {
        self.ogm_bytes(index, from, &payload(&[ogm])).unwrap();
    }

    /// Lets time pass, and returns what was sent. Questions about links are answered at once.
    pub(super) fn run(&mut self, millis: u64) -> Vec<Sent> {
        let end = self.now + ms(millis);
        let mut sent = self.drain();
        while self.v.next_deadline() <= end {
            self.now = self.now.max(self.v.next_deadline());
            let tvlvs = self.tvlvs.clone();
            self.with(|v, ctx, interfaces| {
                v.on_deadline(ctx, interfaces, &mut |_, _| tvlvs.clone());
            });
            sent.extend(self.drain());
        }
        self.now = end;
        sent
    }

    pub(super) fn drain(&mut self) -> Vec<Sent> {
        let mut sent = Vec::new();
        while let Some(output) = self.outputs.pop_front() {
            match output {
                Output::Transmit { iface, frame } => {
                    sent.push(Sent { at: self.now, index: iface.index(), frame });
                }
                Output::Measure { iface, neighbour } => {
                    self.asked.push((iface.index(), neighbour));
                    let measured = self.speeds.get(&iface.index()).copied().unwrap_or(GIGABIT);
                    self.with(|v, ctx, interfaces| {
                        v.measured(ctx, interfaces, iface, neighbour, measured);
                    });
                }
                Output::Event(event) => self.told.push(event),
                other => panic!("{other:?}"),
            }
        }
        sent
    }

    /// What leaves within the next 110 ms: number of the interface and record, ELPs and own OGM2s aside.
    pub(super) fn repeats(&mut self) -> Vec<(usize, Ogm2<'static>)> {
        self.v.next_ogm = None;
        let mut sent = self.run(110);
        sent.sort_by_key(|sent| sent.index);
        sent.iter()
            .flat_map(|sent| {
                let records = sent.records();
                records.into_iter().map(|ogm| (sent.index, Ogm2 { tvlvs: &[], ..ogm }))
            })
            .collect()
    }

    pub(super) fn events(&mut self) -> Vec<RoutingEvent> {
        core::iter::from_fn(|| self.v.poll_event()).collect()
    }

    /// Whose TVLVs were handed on.
    pub(super) fn tvlvs_of(&mut self) -> Vec<Mac> {
        let events = self.events();
        let of = |event| match event {
            RoutingEvent::Tvlvs { originator, .. } => Some(originator),
            _ => None,
        };
        events.into_iter().filter_map(of).collect()
    }

    /// The next hop, which readers of the tables must see, too.
    pub(super) fn router(&self, originator: Mac, view: View) -> Option<NextHop> {
        let router = self.v.router(originator, view);
        let fib = self.fib.reader();
        let guard = fib.pin();
        let published = guard.originator(originator).and_then(|entry| entry.router(view));
        assert_eq!(published, router, "readers see what the engine decided");
        router
    }

    /// Why the default route changed last.
    pub(super) fn reason(&self, originator: Mac) -> Option<crate::Reason> {
        let report = self.v.route_report(self.now, originator)?;
        report.changes.first().map(|change| change.reason)
    }

    /// What a view stores of the way by a candidate.
    pub(super) fn stored(&self, originator: Mac, view: View, hop: NextHop) -> Option<u32> {
        Some(self.v.originators.get(&originator)?.path(hop, view)?.throughput.0)
    }

    /// Reading of a link.
    pub(super) fn speed(&self, index: usize, mac: Mac) -> Option<u32> {
        Some(self.v.neighbours.get(super::hop(index, mac))?.throughput.get().0)
    }

    pub(super) fn rows(&self) -> Vec<OriginatorRow> {
        self.v.originator_rows(self.now, &self.interfaces)
    }

    pub(super) fn discarded(&self, reason: Discard) -> u64 {
        self.counters.discarded(reason)
    }

    pub(super) fn counted(&self, counter: noctule_fib::Counter) -> u64 {
        self.counters.get(counter)
    }

    pub(super) fn link_state(&self, index: usize) -> &super::super::elp::LinkState {
        self.v.links[Iface::new(index).unwrap().index()].as_ref().unwrap()
    }
}

/// Records, one behind the other.
pub(super) fn payload(ogms: &[Ogm2<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for ogm in ogms {
        let start = bytes.len();
        bytes.resize(start + ogm.wire_len(), 0);
        ogm.emit(&mut bytes[start..]);
    }
    bytes
}
