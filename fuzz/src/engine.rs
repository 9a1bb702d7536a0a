//! The engine: whatever neighbours, hosts, links and tools do, in whatever order.

use noctule_control::{
    Engine, IfaceSettings, Input, Limits, Link, Measured, MeterRequest, Output, Probe,
    RoutingAlgorithm, Settings,
};
use noctule_fib::{Counters, HashKey, Iface, Writer};
use noctule_wire::ethernet::mesh_header;
use noctule_wire::icmp::throughput_meter::ThroughputMeter;
use noctule_wire::ogm2::Ogm2s;
use noctule_wire::{
    Client, ETHERNET_HEADER_LEN, Elp, Icmp, Instant, Mac, Ogms, PacketType, SeqNo, packet,
};
use std::sync::Arc;
use std::time::Duration;

/// The node under test: the addresses of n2 in the captures, so that frames recorded there mean something to it.
const OWN: [Mac; 2] = [Mac([2, 0xba, 0, 0, 2, 1]), Mac([2, 0xba, 0, 0, 2, 2])];
const MESH: Mac = Mac([2, 0xba, 0, 0, 2, 0xba]);
/// Small, so that they are reached.
const LIMITS: Limits = Limits {
    originators: 12,
    candidates: 3,
    global_clients: 24,
    temporary_clients: 6,
    local_clients: 10,
    backbones: 8,
    claims: 32,
};

fn neighbour(number: u8) -> Mac {
    Mac([2, 0xba, 0, 0, [1, 3, 4, 5][usize::from(number & 3)], 1])
}

fn iface(number: u8) -> Iface {
    Iface::new(usize::from(number & 1)).expect("two are few")
}

struct Player {
    engine: Engine,
    now: Instant,
}

impl Player {
    fn new(routing_algorithm: RoutingAlgorithm) -> Self {
        let now = Instant::from_millis(1_000_000);
        let writer = Writer::new(HashKey([1, 2]), 0, SeqNo(0));
        let settings = Settings { routing_algorithm, limits: LIMITS, ..Settings::default() };
        let mut player =
            Self { engine: Engine::new(now, settings, writer, Arc::<Counters>::default(), 7), now };
        player.give(Input::MeshInterface { mac: MESH, mtu: 1500 });
        for (number, mac) in (0..).zip(OWN) {
            let link = Link { mac, mtu: 1500, wifi: number == 1, up: true };
            let settings = IfaceSettings::default();
            player.give(Input::Attach { iface: iface(number), link, settings, seqno: 1000 });
        }
        player
    }

    /// Hands in one input and looks at what comes of it; how many frames and packets that is.
    fn give(&mut self, input: Input<'_>) -> usize {
        self.engine.handle(self.now, input);
        let (mut sent, mut messages) = (0, 0);
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Transmit { frame, .. } => {
                    sent += 1;
                    let body = &frame[ETHERNET_HEADER_LEN..];
                    assert!(body.len() <= 1500, "a frame longer than the link's MTU");
                    check_control(body);
                }
                Output::ToOriginator { packet, .. } => {
                    sent += 1;
                    packet::packet_type(&packet).expect("only good packets leave");
                    assert!(packet.get(2).is_some_and(|ttl| *ttl > 0), "a spent TTL");
                }
                Output::MeterMessage { packet, .. } => {
                    messages += 1;
                    assert_eq!(packet.len(), ThroughputMeter::MESSAGE_LEN);
                    Icmp::parse(&packet).expect("only good packets leave");
                }
                Output::ToHost { .. }
                | Output::Answer(_)
                | Output::MeterResult(_)
                | Output::Event(_)
                | Output::Measure { .. } => {}
            }
        }
        assert!(messages <= 5 * 65, "more than a burst of each test at once");
        let seen = self.engine.overview();
        assert!(seen.originators <= LIMITS.originators);
        assert!(seen.local_clients <= LIMITS.local_clients + 1);
        assert!(seen.global_clients <= LIMITS.global_clients + LIMITS.temporary_clients);
        sent
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        // An engine that is due again at once, for ever, would hang the node.
        for _ in 0..10_000 {
            let next = self.engine.next_deadline();
            if next > end {
                self.now = end;
                return;
            }
            self.now = self.now.max(next);
            self.give(Input::Deadline);
        }
        panic!("the engine never sleeps");
    }

    /// What a neighbour sends; at most one thing may come of it at once, or with B.A.T.M.A.N. V what it is long enough to
    /// push out of the queue of each interface.
    fn hear(&mut self, from: u8, to: Mac, body: &[u8]) {
        let frame = [&mesh_header(to, neighbour(from))[..], body].concat();
        let sent = self.give(Input::Frame { iface: iface(from >> 2), bytes: &frame });
        assert!(sent <= self.most(body), "{sent} frames out for one in");
    }

    fn most(&self, body: &[u8]) -> usize {
        match self.engine.settings().routing_algorithm {
            RoutingAlgorithm::BatmanIv => 1,
            RoutingAlgorithm::BatmanV => OWN.len() * (1 + body.len() / 128),
        }
    }
}

/// What leaves as a frame of its own is whole, and nothing follows it.
fn check_control(body: &[u8]) {
    let len = match packet::packet_type(body).expect("only good packets leave") {
        PacketType::Ogm => {
            Ogms::new(body).map(|ogm| ogm.expect("only good OGMs leave").wire_len()).sum()
        }
        PacketType::Ogm2 => {
            Ogm2s::new(body).map(|ogm| ogm.expect("only good OGM2s leave").wire_len()).sum()
        }
        PacketType::Elp => {
            Elp::parse(body).expect("only good ELPs leave");
            assert!(matches!(body.len(), Elp::SENT_LEN | Elp::PROBE_LEN));
            return;
        }
        // Probes of the link's MTU.
        PacketType::Icmp => return,
        other => panic!("{other:?} leaves unrouted"),
    };
    assert_eq!(body.len(), len, "nothing behind the last one");
}

/// Steps in a row, each behind three bytes: what happens, to whom, and how many bytes belong to it (by four).
///
/// # Panics
/// If the engine panics, sends more than one frame at once because of one, exceeds its limits, sends what no receiver may
/// take, or never sleeps.
pub fn fuzz_engine(data: &[u8]) {
    for algorithm in [RoutingAlgorithm::BatmanIv, RoutingAlgorithm::BatmanV] {
        play(algorithm, data);
    }
}

fn play(algorithm: RoutingAlgorithm, data: &[u8]) {
    let mut player = Player::new(algorithm);
    let mut rest = data;
    while let Some(([what, who, quads], behind)) = rest.split_first_chunk() {
        let (body, behind) = behind.split_at((usize::from(*quads) * 4).min(behind.len()));
        rest = behind;
        let address = |at: usize| {
            let mut bytes = [2, 0xc1, 0, 0, 0, *who];
            if let Some(given) = body.get(at..at + 6) {
                bytes.copy_from_slice(given);
            }
            Mac(bytes)
        };
        match what % 10 {
            0 | 1 => player.hear(*who, Mac::BROADCAST, body),
            2 => player.hear(*who, OWN[usize::from(who >> 2 & 1)], body),
            3 => {
                let sent = player.give(Input::Frame { iface: iface(*who), bytes: body });
                assert!(sent <= player.most(body), "{sent} frames out for one in");
            }
            4 => player.pass(Duration::from_millis(u64::from(*who) * 20)),
            5 => {
                let client = Client::untagged(address(0));
                player.give(Input::LearnLocal { client, wifi: false, isolated: who & 1 != 0 });
            }
            6 => {
                let client = Client::untagged(address(0));
                player.give(Input::LearnRemote { client, originator: neighbour(*who) });
            }
            7 => {
                let mac = OWN[usize::from(who & 1)];
                let mtu = [1500, 576, 100, 9000][usize::from(who >> 2 & 3)];
                let link = Link { mac, mtu: mtu.min(1500), wifi: false, up: who & 2 == 0 };
                player.give(Input::Changed { iface: iface(*who), link });
            }
            8 => {
                let destination = neighbour(*who);
                let probe = Probe { destination, uid: 1, seqno: 1, ttl: *what, record_route: true };
                let sent = player.give(Input::Probe(probe));
                assert!(sent <= 1);
            }
            9 if who & 1 != 0 => {
                let measured = Measured::Expected(u32::from(*what) << (who & 31));
                let neighbour = (who & 2 != 0).then(|| neighbour(*who));
                player.give(Input::Measured { iface: iface(*who >> 2), neighbour, measured });
            }
            9 if who & 2 != 0 => {
                let destination = neighbour(*who >> 2);
                let duration = Duration::from_millis(u64::from(*what) * 100);
                let request = MeterRequest { tool: *who, destination, duration };
                player.give(Input::MeterStart(request));
                if who & 0x80 != 0 {
                    let seqno = ThroughputMeter::FIRST_SEQNO;
                    player.give(Input::MeterRefused { destination, seqno });
                }
                if who & 0x40 != 0 {
                    player.give(Input::MeterCancel { destination });
                }
            }
            _ => player.pass(Duration::from_secs(u64::from(*who))),
        }
    }
    let _ = (
        player.engine.originator_rows(player.now),
        player.engine.local_rows(player.now),
        player.engine.global_rows(),
        player.engine.neighbour_rows(player.now),
    );
}
