//! One node without a mesh: it is fed frames, and its clock is moved.

use super::{Iface, Instant, Mac, NextHop, Ogm, View, at, iface, ms};
use crate::batman_iv::BatmanIv;
use crate::interfaces::Interfaces;
use crate::routing::RoutingEvent;
use crate::{Context, Event, IfaceSettings, Link, OriginatorRow, Output, Rng, Settings};
use noctule_fib::{Counters, HashKey, Writer};
use noctule_wire::ogm::OgmFlags;
use noctule_wire::{Discard, ETHERNET_HEADER_LEN, Ogms, SeqNo};
use std::collections::{BTreeSet, VecDeque};

/// A frame that a node sent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) at: Instant,
    pub(super) iface: Iface,
    pub(super) frame: Vec<u8>,
}

impl Sent {
    /// What follows the outer header.
    pub(super) fn payload(&self) -> &[u8] {
        &self.frame[ETHERNET_HEADER_LEN..]
    }

    /// The records of the frame.
    pub(super) fn records(&self) -> Vec<Ogm<'_>> {
        Ogms::new(self.payload()).map(Result::unwrap).collect()
    }
}

pub(super) struct Node {
    pub(super) iv: BatmanIv,
    pub(super) interfaces: Interfaces,
    pub(super) settings: Settings,
    pub(super) fib: Writer,
    pub(super) counters: Counters,
    outputs: VecDeque<Output>,
    rng: Rng,
    pub(super) now: Instant,
    /// TVLV area of the primary's OGM; `None`: it cannot be made.
    pub(super) tvlvs: Option<Vec<u8>>,
    /// How often the TVLVs were asked for, and the room that they were given last.
    pub(super) asked: (usize, usize),
    /// Engine events so far.
    pub(super) told: Vec<Event>,
}

impl Node {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            iv: BatmanIv::new(),
            interfaces: Interfaces::default(),
            settings: Settings::default(),
            fib: Writer::new(HashKey([1, 2]), 0, SeqNo(0)),
            counters: Counters::default(),
            outputs: VecDeque::new(),
            rng: Rng::new(seed),
            now: at(1000),
            tvlvs: Some(Vec::new()),
            asked: (0, 0),
            told: Vec::new(),
        }
    }

    /// A node with wired interfaces of these addresses, numbered from 0, whose sequence numbers start at 1000, 2000, …
    pub(super) fn with_interfaces(macs: &[Mac]) -> Self {
        let mut node = Self::new(1);
        for (index, mac) in macs.iter().enumerate() {
            node.attach(index, Self::link(*mac), 1000 * (index as u32 + 1));
        }
        node
    }

    /// A wired link that is up.
    pub(super) const fn link(mac: Mac) -> Link {
        Link { mac, mtu: 1500, wifi: false, up: true }
    }

    pub(super) fn with<R>(
        &mut self,
        act: impl FnOnce(&mut BatmanIv, &mut Context<'_>, &Interfaces) -> R,
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
        act(&mut self.iv, &mut ctx, &self.interfaces)
    }

    pub(super) fn attach(&mut self, index: usize, link: Link, seqno: u32) {
        self.attach_with(index, link, IfaceSettings::default(), seqno);
    }

    pub(super) fn attach_with(
        &mut self,
        index: usize,
        link: Link,
        settings: IfaceSettings,
        seqno: u32,
    ) {
        self.interfaces.attach(iface(index), link, settings);
        self.with(|iv, ctx, interfaces| iv.attach(ctx, interfaces, iface(index), seqno));
    }

    pub(super) fn detach(&mut self, index: usize) {
        self.interfaces.detach(iface(index));
        self.with(|iv, ctx, interfaces| iv.detach(ctx, interfaces, iface(index)));
    }

    pub(super) fn change(&mut self, index: usize, change: impl FnOnce(&mut Link)) {
        let mut link = self.interfaces.get(iface(index)).unwrap().link;
        change(&mut link);
        self.interfaces.change(iface(index), link);
        self.with(|iv, ctx, interfaces| iv.changed(ctx, interfaces, iface(index)));
    }

    /// A frame of raw bytes arrives.
    pub(super) fn receive_bytes(&mut self, index: usize, to: Mac, from: Mac, bytes: &[u8]) {
        self.with(|iv, ctx, interfaces| {
            iv.on_frame(ctx, interfaces, iface(index), to, from, bytes);
        });
    }

    /// A frame with these records arrives.
    pub(super) fn receive(&mut self, index: usize, from: Mac, ogms: &[Ogm<'_>]) {
        self.receive_bytes(index, Mac::BROADCAST, from, &payload(ogms));
    }

    /// One record arrives.
    pub(super) fn hear(&mut self, index: usize, from: Mac, ogm: Ogm<'_>) {
        self.receive(index, from, &[ogm]);
    }

    /// A neighbour repeats our own OGM that was sent last, or `age` before that, as it does with what it hears directly.
    pub(super) fn hear_echo(&mut self, index: usize, from: Mac, age: u32) {
        let ours = self.interfaces.get(iface(index)).unwrap().link.mac;
        let sent = self.iv.cycles[index].as_ref().unwrap().prepared.0.wrapping_sub(1 + age);
        let flags = OgmFlags::DIRECT_LINK;
        self.hear(index, from, Ogm { ttl: 49, flags, ..super::ogm(ours, sent) });
    }

    /// One second of a perfect link: an own OGM leaves every interface, each neighbour answers it, then says its own OGM.
    pub(super) fn beat(&mut self, neighbours: &[(usize, Mac)], seqno: u32) {
        let ifaces: BTreeSet<_> = neighbours.iter().map(|(index, _)| *index).collect();
        for index in ifaces {
            self.prepare(index);
        }
        for (index, mac) in neighbours {
            self.hear_echo(*index, *mac, 0);
        }
        for (index, mac) in neighbours {
            self.hear(*index, *mac, super::ogm(*mac, seqno));
        }
    }

    /// Neighbours with full windows: 70 beats, the last one with the sequence number `seqno`.
    pub(super) fn warm(&mut self, neighbours: &[(usize, Mac)], seqno: u32) {
        for back in (0..70).rev() {
            self.beat(neighbours, seqno.wrapping_sub(back));
        }
        self.forget_queued();
    }

    /// As if the own OGM of an interface had just left.
    pub(super) fn prepare(&mut self, index: usize) {
        self.with(|iv, ctx, _| iv.prepare(iface(index), ctx.now + ms(1000)));
    }

    /// Drops what waits to be sent, own OGMs aside, and what was reported.
    pub(super) fn forget_queued(&mut self) {
        self.iv.queue = Default::default();
        for cycle in self.iv.cycles.iter_mut().flatten() {
            cycle.riders = Default::default();
        }
        self.outputs.clear();
        self.events();
        self.told.clear();
    }

    /// Own OGMs leave never again by themselves: only what is repeated is seen then.
    pub(super) fn mute(&mut self) {
        for cycle in self.iv.cycles.iter_mut().flatten() {
            cycle.due = Instant::NEVER;
        }
    }

    /// Does what is due at this instant.
    pub(super) fn deadline(&mut self) {
        let (tvlvs, mut asked) = (self.tvlvs.clone(), self.asked);
        self.with(|iv, ctx, interfaces| {
            iv.on_deadline(ctx, interfaces, &mut |_, room| {
                asked = (asked.0 + 1, room);
                tvlvs.clone()
            });
        });
        self.asked = asked;
    }

    /// Lets time pass, and returns what was sent.
    pub(super) fn run_until(&mut self, end: Instant) -> Vec<Sent> {
        let mut sent = self.drain();
        while self.iv.next_deadline() <= end {
            self.now = self.now.max(self.iv.next_deadline());
            self.deadline();
            sent.extend(self.drain());
        }
        self.now = end;
        sent
    }

    pub(super) fn run(&mut self, millis: u64) -> Vec<Sent> {
        self.run_until(self.now + ms(millis))
    }

    /// What is queued right now, as (interface, record), own OGMs aside; the queue is empty then.
    pub(super) fn repeats(&mut self) -> Vec<(usize, Ogm<'static>)> {
        self.mute();
        let sent = self.run(300);
        sent.iter()
            .flat_map(|sent| {
                let records: Vec<_> = sent.records();
                records.into_iter().map(|ogm| (sent.iface.index(), Ogm { tvlvs: &[], ..ogm }))
            })
            .collect()
    }

    pub(super) fn drain(&mut self) -> Vec<Sent> {
        let mut sent = Vec::new();
        while let Some(output) = self.outputs.pop_front() {
            match output {
                Output::Transmit { iface, frame } => sent.push(Sent { at: self.now, iface, frame }),
                Output::Event(event) => self.told.push(event),
                other => panic!("not of this part: {other:?}"),
            }
        }
        sent
    }

    /// What the rest of the engine was told.
    pub(super) fn events(&mut self) -> Vec<RoutingEvent> {
        core::iter::from_fn(|| self.iv.poll_event()).collect()
    }

    pub(super) fn router(&self, originator: Mac, view: View) -> Option<NextHop> {
        let router = crate::Routing::router(&self.iv, originator, view);
        let published = self.fib.reader();
        let guard = published.pin();
        assert_eq!(
            guard.originator(originator).and_then(|originator| originator.router(view)),
            router,
            "readers see what the engine decided"
        );
        router
    }

    /// Why the default route changed last.
    pub(super) fn reason(&self, originator: Mac) -> Option<crate::Reason> {
        let report = self.iv.route_report(self.now, self.settings.orig_interval, originator)?;
        report.changes.first().map(|change| change.reason)
    }

    /// Average quality of a candidate in one view; `None` without state.
    pub(super) fn average(&self, originator: Mac, view: View, hop: NextHop) -> Option<u8> {
        let entry = self.iv.originators.find(originator)?;
        let index = entry.candidate(hop)?;
        Some(entry.view(view)?.delivery(index)?.ring.average())
    }

    /// How many sequence numbers a candidate delivered of the last 64, in one view.
    pub(super) fn received(&self, originator: Mac, view: View, hop: NextHop) -> Option<u32> {
        let entry = self.iv.originators.find(originator)?;
        let index = entry.candidate(hop)?;
        Some(entry.view(view)?.delivery(index)?.received.count())
    }

    pub(super) fn echoes(&self, neighbour: Mac, index: usize) -> u32 {
        self.iv.originators.find(neighbour).map_or(0, |entry| entry.echoes(iface(index)))
    }

    pub(super) fn rows(&self) -> Vec<OriginatorRow> {
        self.iv.originator_rows(self.now, &self.interfaces)
    }

    pub(super) fn discarded(&self, reason: Discard) -> u64 {
        self.counters.discarded(reason)
    }
}

/// Records, one behind the other.
pub(super) fn payload(ogms: &[Ogm<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for ogm in ogms {
        let start = bytes.len();
        bytes.resize(start + ogm.wire_len(), 0);
        ogm.emit(&mut bytes[start..]);
    }
    bytes
}
