//! Tests of the translation table: a node in a bottle, and one file for each part of 04-translation-table.md.

mod backbones;
mod captures;
mod commit;
mod consistency;
mod cost;
mod crc;
mod global;
mod hostile;
mod learned;
mod limits;
mod local;
mod mesh;
mod request;
mod response;
mod roaming;
mod temporary;

use super::{Disposition, TranslationTable};
use crate::{Context, Event, Output, Rng, Routing, Settings};
use core::cell::Cell;
use core::time::Duration;
use noctule_fib::{Counter, Counters, HashKey, Iface, NextHop, View, Writer};
use noctule_wire::tvlv::translation_table::{
    Change, ClientFlags, TranslationTable as TtValue, TtFlags, VlanBlock, client_crc,
};
use noctule_wire::tvlv::{Containers, Kind};
use noctule_wire::{Client, Discard, Instant, Mac, SeqNo, Ttvn, UnicastTvlv, Vid};
use std::collections::{BTreeMap, VecDeque};

std::thread_local! {
    /// How many client CRCs this thread has computed: what a change costs, without a clock.
    pub(super) static CRCS: Cell<u64> = const { Cell::new(0) };
}

/// What an OGM may carry in most tests.
const ROOM: usize = 1400;
const NONE: ClientFlags = ClientFlags::NONE;
const WIFI: ClientFlags = ClientFlags::WIFI;
const DEL: ClientFlags = ClientFlags::DEL;
const ROAM: ClientFlags = ClientFlags::ROAM;
const VLAN_10: Vid = Vid(0x800a);

/// The nodes and clients of the worked examples (sections 8.1 and 18).
const A: Mac = Mac([2, 0, 0, 0, 0, 0x0a]);
const B: Mac = Mac([2, 0, 0, 0, 0, 0x0b]);
const C: Mac = Mac([2, 0, 0, 0, 0, 0x0c]);
const X: Client = Client::untagged(Mac([2, 0xcc, 0, 0, 0, 1]));
const Y: Client = Client::new(Mac([2, 0xcc, 0, 0, 0, 2]), VLAN_10);
const Z: Client = Client::untagged(Mac([2, 0xcc, 0, 0, 0, 3]));

/// The mesh interface of a node.
fn own_mac(node: Mac) -> Mac {
    let mut mac = node;
    mac.0[1] = 0xba;
    mac
}

fn own_client(node: Mac) -> Client {
    Client::untagged(own_mac(node))
}

/// Clients that nobody else has.
fn client(number: usize) -> Client {
    let [_, _, a, b] = u32::try_from(number).unwrap().to_be_bytes();
    Client::untagged(Mac([2, 0xc1, 0, 0, a, b]))
}

/// Routes as a test wants them.
#[derive(Debug, Default)]
struct FakeRouting {
    /// Known originators; without a metric there is no route.
    originators: BTreeMap<Mac, Option<u32>>,
}

impl Routing for FakeRouting {
    fn knows(&self, originator: Mac) -> bool {
        self.originators.contains_key(&originator)
    }

    fn router(&self, originator: Mac, _view: View) -> Option<NextHop> {
        self.metric(originator)?;
        Some(NextHop { iface: Iface::new(0).unwrap(), mac: originator })
    }

    fn metric(&self, originator: Mac) -> Option<u32> {
        self.originators.get(&originator).copied().flatten()
    }

    fn originators(&self) -> Vec<Mac> {
        self.originators.keys().copied().collect()
    }
}

/// A node with nothing but a translation table.
struct Node {
    mac: Mac,
    table: TranslationTable,
    routing: FakeRouting,
    settings: Settings,
    fib: Writer,
    counters: Counters,
    outputs: VecDeque<Output>,
    rng: Rng,
    now: Instant,
}

impl Node {
    /// Knows A, B and C by default, with the same metric; its own address is not among them.
    fn new(mac: Mac) -> Self {
        let mut node = Self {
            mac,
            table: TranslationTable::new(),
            routing: FakeRouting::default(),
            settings: Settings::default(),
            fib: Writer::new(HashKey([0x9e37_79b9_7f4a_7c15, 0xbf58_476d_1ce4_e5b9]), 0, SeqNo(0)),
            counters: Counters::default(),
            outputs: VecDeque::new(),
            rng: Rng::new(7),
            now: Instant::from_millis(1_000_000),
        };
        for other in [A, B, C].into_iter().filter(|other| *other != mac) {
            node.route(other, Some(255));
        }
        node
    }

    /// With its mesh interface up and announced: TTVN 1.
    fn up(mac: Mac) -> Self {
        let mut node = Self::new(mac);
        node.bring_up();
        node.ogm().unwrap();
        node
    }

    fn bring_up(&mut self) {
        let mac = own_mac(self.mac);
        self.run(|table, ctx, routing| table.set_mesh_interface(ctx, routing, mac, 1500));
    }

    /// Knows an originator, with a route if there is a metric.
    fn route(&mut self, originator: Mac, metric: Option<u32>) {
        self.routing.originators.insert(originator, metric);
        self.fib.add_originator(originator);
        let hop = metric.map(|_| NextHop { iface: Iface::new(0).unwrap(), mac: originator });
        self.fib.set_router(originator, View::Default, hop);
        self.fib.set_metric(originator, metric.unwrap_or(0));
    }

    fn run<R>(
        &mut self,
        call: impl FnOnce(&mut TranslationTable, &mut Context<'_>, &dyn Routing) -> R,
    ) -> R {
        let mut ctx = Context {
            now: self.now,
            settings: &self.settings,
            primary: Some(self.mac),
            fib: &mut self.fib,
            counters: &self.counters,
            outputs: &mut self.outputs,
            rng: &mut self.rng,
        };
        let result = call(&mut self.table, &mut ctx, &self.routing);
        self.table.global.check_all();
        self.check_local();
        self.check_published();
        result
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
    }

    /// Lets `time` pass with housekeeping.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.table.next_deadline() <= end {
            self.now = self.now.max(self.table.next_deadline());
            self.run(|table, ctx, routing| table.on_deadline(ctx, routing));
        }
        self.now = end;
    }

    fn learn(&mut self, client: Client) -> bool {
        self.learn_as(client, NONE)
    }

    fn learn_as(&mut self, client: Client, flags: ClientFlags) -> bool {
        let (wifi, isolated) = (flags.contains(WIFI), flags.contains(ClientFlags::ISOLATED));
        self.run(|table, ctx, routing| table.learn_local(ctx, routing, client, wifi, isolated))
    }

    /// The value of the next own OGM.
    fn ogm(&mut self) -> Option<Vec<u8>> {
        self.run(|table, ctx, _| table.ogm_value(ctx, ROOM))
    }

    /// An OGM of `originator` is received, in a frame of its own.
    fn hear(&mut self, originator: Mac, value: &[u8]) {
        self.hear_frame(&[(originator, value)]);
    }

    /// A frame with several OGMs is received.
    fn hear_frame(&mut self, ogms: &[(Mac, &[u8])]) {
        self.table.frame_heard();
        for (originator, value) in ogms {
            self.run(|table, ctx, routing| table.on_ogm(ctx, routing, *originator, true, value));
        }
    }

    /// Payload shows that `client` is at `originator`.
    fn payload(&mut self, client: Client, originator: Mac) {
        self.run(|table, ctx, routing| table.learn_remote(ctx, routing, client, originator));
    }

    /// A unicast TVLV packet is received.
    fn receive(&mut self, packet: &[u8]) -> Disposition {
        let packet = UnicastTvlv::parse(packet).unwrap();
        let for_me = packet.destination == self.mac;
        let container = Containers::new(packet.tvlvs).next().unwrap().unwrap();
        self.run(|table, ctx, routing| match container.kind {
            Kind::ROAMING => table.on_roaming(ctx, routing, for_me, &packet, container.value),
            _ => table.on_unicast(ctx, routing, for_me, &packet, container.value),
        })
    }

    /// Packets put out since the last call.
    fn sent(&mut self) -> Vec<Vec<u8>> {
        let mut packets = Vec::new();
        self.outputs.retain(|output| {
            let Output::ToOriginator { destination, view, packet } = output else { return true };
            assert_eq!(*view, View::Default);
            assert_eq!(UnicastTvlv::parse(packet).unwrap().destination, *destination);
            packets.push(packet.clone());
            false
        });
        packets
    }

    /// The one packet put out since the last call.
    fn sent_one(&mut self) -> Vec<u8> {
        let mut sent = self.sent();
        assert_eq!(sent.len(), 1, "{sent:?}");
        sent.remove(0)
    }

    fn events(&mut self) -> Vec<Event> {
        let events = self.outputs.iter().filter_map(|output| match output {
            Output::Event(event) => Some(*event),
            _ => None,
        });
        let events = events.collect();
        self.outputs.retain(|output| !matches!(output, Output::Event(_)));
        events
    }

    fn counted(&self, counter: Counter) -> u64 {
        self.counters.get(counter)
    }

    fn discarded(&self, reason: Discard) -> u64 {
        self.counters.discarded(reason)
    }

    /// Who announces `client`, newest first, as the data plane sees it.
    fn announcers(&self, client: Client) -> Vec<Mac> {
        let fib = self.fib.reader();
        let guard = fib.pin();
        guard.global(client).map_or(Vec::new(), |entry| entry.announcers.as_slice().to_vec())
    }

    /// Flags of the global entry, as the data plane sees them.
    fn global_flags(&self, client: Client) -> Option<ClientFlags> {
        self.fib.reader().pin().global(client).map(|entry| entry.flags)
    }

    /// Flags of the local entry, as the data plane sees them.
    fn local_flags(&self, client: Client) -> Option<ClientFlags> {
        self.fib.reader().pin().local(client).map(|entry| entry.flags)
    }

    fn is_mine(&self, client: Client) -> bool {
        self.fib.reader().pin().local(client).is_some_and(|entry| entry.is_mine())
    }

    /// `L(o)`, as the data plane sees it.
    fn last_ttvn(&self, originator: Mac) -> Ttvn {
        self.fib.reader().pin().originator(originator).unwrap().ttvn()
    }

    /// Whether the copy of an originator's table is exactly these clients.
    fn knows_exactly(&self, originator: Mac, clients: &[(Client, ClientFlags)]) -> bool {
        let rows = self.table.global_rows(&self.routing);
        let rows: Vec<_> = rows
            .iter()
            .filter(|row| row.originator == originator)
            .map(|row| (row.client, row.flags))
            .collect();
        rows == clients
    }

    /// What the top of `local.rs` promises, and counts and CRCs of the VLANs, recomputed (TT-58).
    fn check_local(&self) {
        let local = &self.table.local;
        let mut committed: BTreeMap<Vid, (u32, u32)> = BTreeMap::new();
        for (client, entry) in local.iter() {
            let queued = local.queue.contains(client);
            let new = entry.flags.contains(ClientFlags::NEW);
            let pending = entry.flags.contains(ClientFlags::PENDING);
            assert!(!(new && pending), "{client:?}");
            assert!(queued || !(new || pending), "{client:?}: a change that nobody will hear of");
            let flags = entry.flags.and(ClientFlags::SYNC);
            assert!(queued || flags == entry.committed(), "{client:?}: nor of its flags");
            let (count, crc) = committed.entry(client.vid).or_default();
            if !new {
                *count += 1;
                *crc ^= client_crc(client, entry.committed());
            }
        }
        for (vid, (count, crc)) in committed {
            let vlan = local.vlan(vid).unwrap();
            assert_eq!((vlan.count, vlan.crc), (count, crc), "{vid:?}");
        }
    }

    /// The FIB says what the tables say.
    fn check_published(&self) {
        let fib = self.fib.reader();
        let guard = fib.pin();
        for (client, entry) in self.table.global.iter() {
            let published = guard.global(client).expect("published");
            let listed: Vec<_> =
                entry.announcements.as_slice().iter().map(|said| said.originator).collect();
            assert_eq!(published.announcers.as_slice(), listed);
            assert_eq!(published.flags, entry.flags);
        }
        for (client, entry) in self.table.local.iter() {
            assert_eq!(guard.local(client).expect("published").flags, entry.flags);
        }
        assert_eq!(guard.own_ttvn(), self.table.ttvn());
    }
}

const fn change(flags: ClientFlags, client: Client) -> Change {
    Change { flags, client }
}

/// A TT value with the right CRCs for a table, and any changes.
fn value(flags: TtFlags, ttvn: u8, table: &[(Client, ClientFlags)], changes: &[Change]) -> Vec<u8> {
    let mut crcs: BTreeMap<Vid, u32> = BTreeMap::new();
    for (client, flags) in table {
        *crcs.entry(client.vid).or_default() ^= client_crc(*client, *flags);
    }
    let vlans: Vec<_> = crcs.into_iter().map(|(vid, crc)| VlanBlock { crc, vid }).collect();
    let mut out = Vec::new();
    TtValue::emit(&mut out, flags, Ttvn(ttvn), &vlans, changes.iter().copied());
    out
}

/// An OGM's TT value.
fn ogm(ttvn: u8, table: &[(Client, ClientFlags)], changes: &[Change]) -> Vec<u8> {
    value(TtFlags::OGM, ttvn, table, changes)
}

/// All of a table, as changes.
fn rows(table: &[(Client, ClientFlags)]) -> Vec<Change> {
    table.iter().map(|(client, flags)| change(*flags, *client)).collect()
}

/// A unicast TVLV packet with one container.
fn packet(destination: Mac, source: Mac, kind: Kind, value: &[u8]) -> Vec<u8> {
    let mut tvlvs = Vec::new();
    noctule_wire::tvlv::append(&mut tvlvs, kind, value).unwrap();
    let unicast = UnicastTvlv::new(destination, source, &tvlvs);
    let mut bytes = vec![0; unicast.wire_len()];
    unicast.emit(&mut bytes);
    bytes
}

fn tt_packet(destination: Mac, source: Mac, value: &[u8]) -> Vec<u8> {
    packet(destination, source, Kind::TRANSLATION_TABLE, value)
}

fn roam_packet(destination: Mac, source: Mac, client: Client) -> Vec<u8> {
    let value = noctule_wire::tvlv::roaming::Roaming { client }.to_bytes();
    packet(destination, source, Kind::ROAMING, &value)
}

/// The one container of a packet.
fn container(packet: &[u8]) -> Vec<u8> {
    let packet = UnicastTvlv::parse(packet).unwrap();
    let containers: Vec<_> = Containers::new(packet.tvlvs).collect();
    let [Ok(only)] = containers[..] else { panic!("TVLV-23: one container, not {containers:?}") };
    only.value.to_vec()
}

/// An OGM container with its header, to compare with bytes of the examples.
fn with_header(value: &[u8]) -> Vec<u8> {
    let mut area = Vec::new();
    noctule_wire::tvlv::append(&mut area, Kind::TRANSLATION_TABLE, value).unwrap();
    area
}

/// Bytes as the examples write them: hex, with blanks and bars.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Version, VLAN blocks and changes of a value.
fn parts(value: &[u8]) -> (u8, Vec<VlanBlock>, Vec<(u8, Client)>) {
    let parsed = TtValue::parse(value).unwrap();
    let changes = parsed.changes().map(|change| (change.flags.wire(), change.client)).collect();
    (parsed.ttvn.0, parsed.vlans().collect(), changes)
}
