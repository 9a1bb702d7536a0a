//! What one crafted frame costs a whole mesh: requests for tables must not become a storm (TT-87, TT-98).

use core::time::Duration;
use noctule_control::{Input, Rng};
use noctule_fib::Counter;
use noctule_sim::{Link, Mesh, NodeId, secs};
use noctule_wire::ethernet::mesh_header;
use noctule_wire::tvlv::translation_table::{TranslationTable, TtFlags, VlanBlock};
use noctule_wire::tvlv::{self, Kind};
use noctule_wire::{Client, Mac, Ogm, SeqNo, Ttvn, UnicastTvlv, Vid};

const CLIENTS: u16 = 30;
/// Nodes start to count at this (IV-112); what a forger sends must be ahead of it.
const FIRST_SEQNO: u32 = 1_700_000_000_u32.wrapping_mul(32);

fn client(node: NodeId, number: u16) -> Client {
    let [high, low] = number.to_be_bytes();
    let Mac([.., n0, n1, _]) = node.mesh_mac();
    Client::untagged(Mac([0x02, 0xc1, n0, n1, high, low]))
}

/// 4 times 3 nodes, each with clients, in step; and a forger who speaks as node 0 to node 1.
struct Attack {
    mesh: Mesh,
    nodes: Vec<NodeId>,
    rng: Rng,
    seqno: u32,
    injected: u64,
}

/// What all nodes together have sent.
#[derive(Clone, Copy, Debug)]
struct Sent {
    requests: u64,
    responses: u64,
    frames: u64,
}

impl Attack {
    fn new(seed: u64) -> Self {
        let mut mesh = Mesh::seeded(seed);
        let nodes = mesh.grid(4, 3, Link::wired());
        mesh.run(secs(20));
        for node in &nodes {
            for number in 0..CLIENTS {
                let client = client(*node, number);
                mesh.input(*node, Input::LearnLocal { client, wifi: false, isolated: false });
            }
        }
        mesh.run(secs(20));
        let attack =
            Self { mesh, nodes, rng: Rng::new(seed), seqno: FIRST_SEQNO + 70, injected: 0 };
        attack.assert_tables();
        attack
    }

    /// Everybody has everybody's clients.
    fn assert_tables(&self) {
        for at in &self.nodes {
            let overview = self.mesh.engine(*at).overview();
            assert_eq!(overview.global_clients, (self.nodes.len() - 1) * usize::from(CLIENTS + 1));
            for node in self.nodes.iter().filter(|node| *node != at) {
                let rows = self.mesh.engine(*at).global_rows();
                let of = rows.iter().filter(|row| row.originator == node.originator());
                assert_eq!(of.count(), usize::from(CLIENTS) + 1, "{at:?} of {node:?}");
            }
        }
    }

    fn sent(&self) -> Sent {
        let sum = |counter| self.nodes.iter().map(|node| self.mesh.counter(*node, counter)).sum();
        Sent {
            requests: sum(Counter::TtRequestTx),
            responses: sum(Counter::TtResponseTx),
            frames: self.mesh.frames(),
        }
    }

    fn inject(&mut self, destination: Mac, packet: &[u8]) {
        let mut frame = mesh_header(destination, self.nodes[0].originator()).to_vec();
        frame.extend(packet);
        self.mesh.inject(self.nodes[1], 0, &frame);
        self.injected += 1;
    }

    fn value(&mut self, flags: TtFlags) -> Vec<u8> {
        let crc = self.rng.next_u64() as u32;
        let vlans = [VlanBlock { crc, vid: Vid::UNTAGGED }];
        let mut value = Vec::new();
        TranslationTable::emit(&mut value, flags, Ttvn(self.rng.next_u64() as u8), &vlans, []);
        value
    }

    fn area(&mut self, flags: TtFlags) -> Vec<u8> {
        let (value, mut area) = (self.value(flags), Vec::new());
        tvlv::append(&mut area, Kind::TRANSLATION_TABLE, &value).unwrap();
        area
    }

    /// One frame with an OGM of each of these, who all have other tables than everybody knows.
    fn forge(&mut self, originators: &[Mac]) {
        self.seqno += 1;
        let (mut packet, sender) = (Vec::new(), self.nodes[0].originator());
        for originator in originators {
            let area = self.area(TtFlags::OGM);
            let ogm = Ogm {
                ttl: 49,
                flags: Default::default(),
                seqno: SeqNo(self.seqno),
                originator: *originator,
                previous_sender: if *originator == sender { sender } else { *originator },
                reserved: 0,
                tq: 255,
                tvlvs: &area,
            };
            let start = packet.len();
            packet.resize(start + ogm.wire_len(), 0);
            ogm.emit(&mut packet[start..]);
        }
        self.inject(Mac::BROADCAST, &packet);
    }

    fn unicast(&mut self, to: Mac, from: Mac, flags: TtFlags) {
        let mut area = self.area(flags);
        if self.rng.below(4) == 0 {
            area.extend(self.area(TtFlags::request(true)));
        }
        let unicast = UnicastTvlv::new(to, from, &area);
        let mut packet = vec![0; unicast.wire_len()];
        unicast.emit(&mut packet);
        self.inject(self.nodes[1].originator(), &packet);
    }

    fn originator(&self, number: u32) -> Mac {
        self.nodes[number as usize % self.nodes.len()].originator()
    }

    /// Runs an attack of `rounds` rounds and checks what it costs until the mesh has recovered.
    fn run(mut self, what: &str, rounds: u32, round: impl Fn(&mut Self, u32)) -> Sent {
        let (recovery, count) = (secs(60), self.nodes.len() as u64);
        let before = self.sent();
        self.mesh.run(recovery);
        let idle = self.sent();
        assert_eq!(idle.requests, before.requests, "{what}: in step before");
        self.seqno += 60;
        let of = |attack: &Self, node, counter| attack.mesh.counter(node, counter);
        let counters = [
            (Counter::TtRequestTx, Counter::MgmtRx),
            (Counter::TtResponseTx, Counter::TtRequestRx),
        ];
        let node_before: Vec<_> = self
            .nodes
            .iter()
            .map(|node| {
                counters.map(|(out, cause)| (of(&self, *node, out), of(&self, *node, cause)))
            })
            .collect();
        for number in 0..rounds {
            round(&mut self, number);
            self.mesh.run(Duration::from_millis(20));
        }
        self.mesh.run(recovery);
        let after = self.sent();
        for (node, before) in self.nodes.iter().zip(node_before) {
            for ((out, cause), (out_before, cause_before)) in counters.into_iter().zip(before) {
                let out = of(&self, *node, out) - out_before;
                let cause = of(&self, *node, cause) - cause_before;
                assert!(out <= cause, "{what}: {node:?} sent {out} for {cause} received");
            }
        }
        self.mesh.run(recovery);
        assert_eq!(self.sent().requests, after.requests, "{what}: the storm goes on");
        self.assert_tables();
        assert_eq!(self.mesh.faults(), &[]);
        let took = Duration::from_millis(u64::from(rounds) * 20) + recovery;
        let idle_frames = (idle.frames - before.frames) * took.as_millis() as u64 / 60_000;
        let cost = Sent {
            requests: after.requests - idle.requests,
            responses: after.responses - idle.responses,
            frames: (after.frames - idle.frames).saturating_sub(idle_frames),
        };
        // What is injected passes each node once, and so does what is sent because of it. How OGMs are put together in frames
        // is chance: a tenth of the idle traffic is given away for that.
        let most = count * (self.injected + cost.requests + cost.responses) + idle_frames / 10;
        assert!(cost.frames <= most, "{what}: {cost:?}, {most} at most");
        cost
    }
}

/// One frame with OGMs of one node or of ten, all forged: each node that hears it asks for one table at most.
#[test]
fn tt_87_one_crafted_frame_is_no_storm() {
    for others in [1, 10] {
        let cost = Attack::new(5).run("one frame", 1, |attack, _| {
            let names: Vec<_> = (2..2 + others).map(|number| attack.originator(number)).collect();
            attack.forge(&names);
        });
        assert!((1..=12).contains(&cost.requests), "{cost:?}");
        assert!(cost.responses <= cost.requests);
    }
}

/// Ten seconds of forged OGMs, of one node each or of ten: a table is asked for once in three seconds at most.
#[test]
fn tt_86_a_stream_of_forged_ogms_is_bounded() {
    for others in [1, 10] {
        let cost = Attack::new(6).run("a stream", 500, |attack, number| {
            let names: Vec<_> =
                (0..others).map(|other| attack.originator(2 + (number + other) % 10)).collect();
            attack.forge(&names);
        });
        assert!(cost.requests > 12, "{cost:?}");
        assert!(cost.requests <= 12 * 10 * 5, "{cost:?}: every node asks for each of ten tables");
        assert!(cost.responses <= cost.requests);
    }
}

/// Originators that do not exist, in aggregates.
#[test]
fn tt_87_invented_originators_are_bounded() {
    let cost = Attack::new(7).run("invented", 500, |attack, number| {
        let name = |index| Mac([2, 0xee, 0, 0, (number % 10) as u8, index]);
        attack.forge(&(0..14).map(name).collect::<Vec<_>>());
    });
    assert!((128..=12 * (128 + 500)).contains(&cost.requests), "{cost:?}");
    assert_eq!(cost.responses, 0);
}

/// Requests under the names of all, for tables of others and of who gets them; answers that nobody asked for; and both in one
/// packet.
#[test]
fn tt_98_forged_requests_and_answers_are_bounded() {
    let asked = Attack::new(8).run("requests", 500, |attack, number| {
        let (to, from) = (attack.originator(2 + number % 10), attack.originator(number));
        attack.unicast(to, from, TtFlags::request(number % 2 == 0));
    });
    assert!(asked.requests == 0 && (50..=500).contains(&asked.responses), "{asked:?}");
    let asked = Attack::new(9).run("requests to one", 500, |attack, number| {
        attack.unicast(attack.originator(1), attack.originator(number), TtFlags::request(true));
    });
    // Eleven others, one version, once in 250 ms.
    assert!(asked.requests == 0 && (50..=11 * 41).contains(&asked.responses), "{asked:?}");
    let answered = Attack::new(10).run("answers", 500, |attack, number| {
        let (to, from) = (attack.originator(2 + number % 10), attack.originator(number));
        attack.unicast(to, from, TtFlags::response(true));
    });
    assert_eq!((answered.requests, answered.responses), (0, 0));
}
