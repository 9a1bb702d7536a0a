//! Three nodes in a line, with nothing between them but OGM containers and unicast packets.

use super::*;
use crate::Rng;
use proptest::prelude::*;

const NODES: [Mac; 3] = [A, B, C];
const CLIENTS: usize = 5;

/// Clients whose addresses have nothing in common. CRCs are linear (TT-58): of those that are numbered, two tables easily
/// have the same one, and a restarted node that has used up the same versions is then in step by chance.
fn client(number: usize) -> Client {
    const LAST: [[u8; 3]; CLIENTS] = [
        [0x3b, 0x91, 0x07],
        [0xd4, 0x5e, 0x62],
        [0x08, 0xc7, 0xfd],
        [0xa9, 0x12, 0x38],
        [0x76, 0x2f, 0x50],
    ];
    let [a, b, c] = LAST[number];
    Client::untagged(Mac([2, 0xc1, 0, a, b, c]))
}

/// A - B - C; every OGM reaches everybody, unicast between A and C passes B.
struct Mesh {
    nodes: Vec<Node>,
    /// Where each client is.
    places: Vec<usize>,
    rng: Rng,
    /// How many of 100 deliveries fail.
    loss: u32,
}

impl Mesh {
    fn new(seed: u64, loss: u32) -> Self {
        let nodes = NODES.map(Node::new).into_iter().map(|mut node| {
            node.bring_up();
            node
        });
        Self { nodes: nodes.collect(), places: vec![0; CLIENTS], rng: Rng::new(seed), loss }
    }

    fn lost(&mut self) -> bool {
        self.rng.below(100) < self.loss
    }

    /// A node sends its OGM; the others hear it, or not, in some order.
    fn announce(&mut self, from: usize) {
        let value = self.nodes[from].ogm().unwrap();
        for to in self.shuffled() {
            if to != from && !self.lost() {
                self.nodes[to].hear(NODES[from], &value);
                self.carry();
            }
        }
    }

    /// Carries unicast packets until none is on its way.
    fn carry(&mut self) {
        loop {
            let packets: Vec<_> = (0..NODES.len())
                .flat_map(|at| self.nodes[at].sent().into_iter().map(move |packet| (at, packet)))
                .collect();
            if packets.is_empty() {
                return;
            }
            for (at, packet) in packets {
                self.travel(at, &packet);
            }
        }
    }

    fn travel(&mut self, from: usize, packet: &[u8]) {
        let destination = UnicastTvlv::parse(packet).unwrap().destination;
        let to = NODES.iter().position(|mac| *mac == destination).unwrap();
        let mut at = from;
        while at != to {
            at = if to > at { at + 1 } else { at - 1 };
            if self.lost() {
                return;
            }
            let disposition = self.nodes[at].receive(packet);
            assert!(at != to || disposition == Disposition::Consumed);
            if disposition == Disposition::Consumed {
                return;
            }
        }
    }

    fn shuffled(&mut self) -> Vec<usize> {
        let mut order: Vec<_> = (0..NODES.len()).collect();
        for last in (1..order.len()).rev() {
            let other = self.rng.below(u32::try_from(last).unwrap() + 1) as usize;
            order.swap(last, other);
        }
        order
    }

    /// One interval: everybody sends an OGM, in some order.
    fn interval(&mut self) {
        for from in self.shuffled() {
            self.announce(from);
        }
        for node in &mut self.nodes {
            node.pass(secs(1));
        }
    }

    /// A client sends a frame where it is; a broadcast teaches the others.
    fn send(&mut self, number: usize, broadcast: bool) {
        let at = self.places[number];
        self.nodes[at]
            .learn_as(client(number), NONE.with(WIFI, number.is_multiple_of(2) && at == 1));
        self.carry();
        for to in (0..NODES.len()).filter(|to| broadcast && *to != at) {
            if !self.lost() {
                self.nodes[to].payload(client(number), NODES[at]);
            }
        }
    }

    /// A random misfortune or movement.
    fn happen(&mut self) {
        let number = self.rng.below(CLIENTS as u32) as usize;
        let place = self.rng.below(3) as usize;
        match self.rng.below(16) {
            0 => {
                // The node restarts; the others notice by its OGMs alone.
                let now = self.nodes[place].now;
                self.nodes[place] = Node::new(NODES[place]);
                self.nodes[place].now = now;
                self.nodes[place].bring_up();
            }
            1 => {
                let other = NODES[(place + 1) % 3];
                self.nodes[place].run(|table, ctx, _| table.route_lost(ctx, other));
            }
            2 => {
                let other = NODES[(place + 2) % 3];
                self.nodes[place].run(|table, ctx, _| table.originator_gone(ctx, other));
            }
            3..=7 => {
                self.places[number] = place;
                self.send(number, true);
            }
            _ => {
                let broadcast = self.rng.below(2) == 0;
                self.send(number, broadcast);
            }
        }
    }

    /// Everybody has every client where it is, nobody else's, and nobody asks for anything.
    fn assert_converged(&mut self) -> Result<(), TestCaseError> {
        let asked = |mesh: &Self| -> Vec<u64> {
            mesh.nodes.iter().map(|node| node.counted(Counter::TtRequestTx)).collect()
        };
        let before = asked(self);
        (0..6).for_each(|_| self.interval());
        prop_assert_eq!(before, asked(self), "requests in a quiet mesh");
        for (at, node) in self.nodes.iter().enumerate() {
            let mut local: Vec<_> = (0..CLIENTS)
                .filter(|number| self.places[*number] == at)
                .map(client)
                .chain([own_client(NODES[at])])
                .collect();
            local.sort();
            let rows = node.table.local_rows(node.now, &node.fib);
            prop_assert_eq!(rows.iter().map(|row| row.client).collect::<Vec<_>>(), local);
            for number in 0..CLIENTS {
                let place = self.places[number];
                if place != at {
                    let flags = NONE.with(WIFI, number.is_multiple_of(2) && place == 1);
                    let expected = vec![(NODES[place], flags)];
                    prop_assert_eq!(announced(node, client(number)), expected, "at {}", node.mac);
                }
            }
            for other in NODES.into_iter().filter(|other| *other != NODES[at]) {
                prop_assert_eq!(node.announcers(own_client(other)), [other]);
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    /// TT-75, TT-86, TT-106: joins, roams, restarts, lost routes, lost OGMs and lost answers: once it is quiet and every
    /// client has sent something, all tables are right.
    #[test]
    fn tt_75_tables_converge(seed: u64, loss in 0..70_u32, steps in 1..60_usize) {
        let mut mesh = Mesh::new(seed, loss);
        for _ in 0..steps {
            for _ in 0..mesh.rng.below(4) {
                mesh.happen();
            }
            mesh.interval();
        }
        mesh.loss = 0;
        // The windows of TT-107 and the longest pause between requests end.
        (0..65).for_each(|_| mesh.interval());
        for _ in 0..3 {
            (0..CLIENTS).for_each(|number| mesh.send(number, true));
            (0..10).for_each(|_| mesh.interval());
        }
        mesh.assert_converged()?;
    }
}

/// TT-61, TT-65, TT-70, TT-106 (section 24): a roam converges without a single request, in every order of OGMs, with the
/// advertisement at any moment or lost.
#[test]
fn tt_61_a_roam_costs_no_request_in_any_order() {
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for first in orders {
        for second in orders {
            // The advertisement arrives before the OGM of this number; 6: never.
            for advertised in 0..=6 {
                let mut mesh = Mesh::new(1, 0);
                (0..3).for_each(|_| mesh.interval());
                mesh.places = vec![0, 1, 2, 0, 1];
                (0..CLIENTS).for_each(|number| mesh.send(number, false));
                (0..3).for_each(|_| mesh.interval());
                mesh.places[0] = 1;
                mesh.nodes[1].learn_as(client(0), WIFI);
                let advertisement = mesh.nodes[1].sent_one();
                for (number, from) in first.into_iter().chain(second).enumerate() {
                    if number == advertised {
                        mesh.nodes[0].receive(&advertisement);
                    }
                    mesh.announce(from);
                }
                (0..2).for_each(|_| mesh.interval());
                mesh.assert_converged().unwrap();
                for node in &mesh.nodes {
                    assert_eq!(node.counted(Counter::TtRequestTx), 0);
                    assert_eq!(node.global_flags(client(0)).is_some(), node.mac != B);
                }
            }
        }
    }
}

/// TT-75, TT-100: two missed updates cost exactly one full request, answered by the nearest node that is in step.
#[test]
fn tt_89_two_missed_updates_cost_one_request() {
    let mut mesh = Mesh::new(3, 0);
    (0..3).for_each(|_| mesh.interval());
    for number in 0..2 {
        mesh.nodes[0].learn(client(number));
        let value = mesh.nodes[0].ogm().unwrap();
        mesh.nodes[1].hear(A, &value);
    }
    mesh.places = vec![0, 0];
    (0..3).for_each(|_| mesh.interval());
    let counted =
        |counter| -> Vec<u64> { mesh.nodes.iter().map(|node| node.counted(counter)).collect() };
    assert_eq!(counted(Counter::TtRequestTx), [0, 0, 1]);
    assert_eq!(counted(Counter::TtResponseTx), [0, 1, 0], "by B, on behalf of A");
    assert_eq!(counted(Counter::TtRequestRx), [0, 1, 0], "A never sees it");
    let table = [(own_client(A), NONE), (client(0), NONE), (client(1), NONE)];
    assert!(mesh.nodes[2].knows_exactly(A, &sorted(&table)));
}

/// Who announces a client, with the flags that it gives. (What the data plane sees may have WIFI besides, inherited from a
/// local entry: TT-62 step 7.)
fn announced(node: &Node, client: Client) -> Vec<(Mac, ClientFlags)> {
    let rows = node.table.global_rows(&node.routing);
    let rows = rows.iter().filter(|row| row.client == client);
    rows.map(|row| (row.originator, row.flags)).collect()
}

fn sorted(table: &[(Client, ClientFlags)]) -> Vec<(Client, ClientFlags)> {
    let mut table = table.to_vec();
    table.sort_by_key(|(client, _)| *client);
    table
}
