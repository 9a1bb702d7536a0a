//! Whatever strangers send: no panic, no entry without books, and never more than one frame out for one frame in.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

/// One thing that a stranger, or a client, can do.
#[derive(Clone, Debug)]
enum Act {
    Ogm(usize, Vec<u8>),
    Unicast { to: usize, from: usize, roam: bool, value: Vec<u8> },
    Payload(Client, usize),
    Learn(Client, bool),
    Own,
    RouteLost(usize),
    Gone(usize),
    Pass(u16),
}

const MACS: [Mac; 5] = [A, B, C, Mac::ZERO, Mac::BROADCAST];

/// Few clients, so that the acts meet; some that cannot be.
fn any_client() -> impl Strategy<Value = Client> {
    let mac = prop_oneof![
        8 => (1..6_u8).prop_map(|last| Mac([2, 0xcc, 0, 0, 0, last])),
        1 => Just(own_mac(A)),
        1 => Just(Mac([0x33, 0x33, 0, 0, 0, 1])),
        1 => any::<[u8; 6]>().prop_map(Mac),
        1 => Just(Mac::ZERO),
    ];
    let vid =
        prop_oneof![6 => Just(Vid::UNTAGGED), 2 => Just(VLAN_10), 1 => any::<u16>().prop_map(Vid)];
    (mac, vid).prop_map(|(mac, vid)| Client::new(mac, vid))
}

/// TT values that make sense more or less, and bytes that do not.
fn any_value() -> impl Strategy<Value = Vec<u8>> {
    let flags =
        prop_oneof![Just(0x01), Just(0x02), Just(0x12), Just(0x04), Just(0x14), any::<u8>()];
    let ttvn = prop_oneof![4 => 0..5_u8, 1 => any::<u8>()];
    let block = (any::<u32>(), any::<u16>())
        .prop_map(|(crc, vid)| VlanBlock { crc: crc % 2, vid: Vid(vid & 0x8003) });
    let change = (any::<u8>(), any_client())
        .prop_map(|(flags, client)| Change { flags: ClientFlags::from_wire(flags), client });
    let whole = (flags, ttvn, vec(block, 0..4), vec(change, 0..6)).prop_map(
        |(flags, ttvn, vlans, changes)| {
            let mut out = Vec::new();
            TtValue::emit(&mut out, TtFlags(flags), Ttvn(ttvn), &vlans, changes);
            out
        },
    );
    let whole = whole.boxed();
    prop_oneof![
        6 => whole.clone(),
        1 => (whole, any::<prop::sample::Index>()).prop_map(|(mut value, cut)| {
            value.truncate(cut.index(value.len()) & !1);
            value
        }),
        1 => vec(any::<u16>(), 0..20).prop_map(|words| words.iter().flat_map(|w| w.to_be_bytes()).collect()),
    ]
}

fn any_act() -> impl Strategy<Value = Act> {
    let who = 0..MACS.len();
    prop_oneof![
        6 => (who.clone(), any_value()).prop_map(|(from, value)| Act::Ogm(from, value)),
        6 => (who.clone(), who.clone(), any::<bool>(), any_value(), any_client()).prop_map(
            |(to, from, roam, value, client)| {
                let advertised = noctule_wire::tvlv::roaming::Roaming { client }.to_bytes();
                let value = if roam && from < 3 { advertised.to_vec() } else { value };
                Act::Unicast { to, from, roam, value }
            }
        ),
        2 => (any_client(), who.clone()).prop_map(|(client, from)| Act::Payload(client, from)),
        3 => (any_client(), any::<bool>()).prop_map(|(client, wifi)| Act::Learn(client, wifi)),
        2 => Just(Act::Own),
        1 => who.clone().prop_map(Act::RouteLost),
        1 => who.prop_map(Act::Gone),
        2 => any::<u16>().prop_map(Act::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The harness checks books, counts and CRCs (TT-58) after every call.
    #[test]
    fn tt_58_nothing_upsets_the_books(acts in vec(any_act(), 1..60), room in 0..12_usize) {
        let mut node = Node::up(A);
        if room < 10 {
            node.settings.limits.global_clients = room;
            node.settings.limits.temporary_clients = room / 2;
        }
        node.run(|table, ctx, routing| table.add_vlan(ctx, routing, VLAN_10));
        for act in acts {
            // One frame out for one in; a client that came tells those who announced it, five at most (TT-107).
            let most = match act {
                Act::Learn(..) => 5,
                Act::Ogm(..) | Act::Unicast { .. } => 1,
                _ => 0,
            };
            let mut passed_on = 0;
            match act {
                Act::Ogm(from, value) => node.hear(MACS[from], &value),
                Act::Unicast { to, from, roam, value } => {
                    let kind = if roam { Kind::ROAMING } else { Kind::TRANSLATION_TABLE };
                    let packet = packet(MACS[to], MACS[from], kind, &value);
                    passed_on = usize::from(node.receive(&packet) == Disposition::PassOn);
                }
                Act::Payload(client, from) => node.payload(client, MACS[from]),
                Act::Learn(client, wifi) => {
                    node.learn_as(client, NONE.with(WIFI, wifi));
                }
                Act::Own => drop(node.ogm()),
                Act::RouteLost(who) => node.run(|table, ctx, _| table.route_lost(ctx, MACS[who])),
                Act::Gone(who) => node.run(|table, ctx, _| table.originator_gone(ctx, MACS[who])),
                Act::Pass(ms) => node.pass(millis(u64::from(ms))),
            }
            let out = node.sent().len() + passed_on;
            prop_assert!(out <= most, "{out} frames out");
        }
        let own = node.local_flags(own_client(A));
        prop_assert!(own.is_some_and(|flags| !flags.contains(ClientFlags::PENDING)), "TT-27");
    }

    /// TT-39, TT-44, TT-55: whatever happens between commits, whoever applies every diff has our table and our CRCs.
    #[test]
    fn tt_44_diffs_add_up_to_the_table(acts in vec(any_act(), 1..80)) {
        let mut node = Node::up(A);
        node.run(|table, ctx, routing| table.add_vlan(ctx, routing, VLAN_10));
        let mut copy: BTreeMap<Client, u8> = BTreeMap::from([(own_client(A), 0)]);
        for act in acts {
            match act {
                Act::Ogm(_, value) => node.hear(B, &value),
                Act::Unicast { .. } | Act::RouteLost(_) => drop(node.receive(&roam_packet(A, B, X))),
                Act::Payload(client, from) => node.payload(client, MACS[from]),
                Act::Learn(client, wifi) => drop(node.learn_as(client, NONE.with(WIFI, wifi)).then_some(())),
                Act::Gone(_) => drop(node.learn(X).then_some(())),
                Act::Pass(ms) => node.pass(secs(u64::from(ms) / 64)),
                Act::Own => {
                    let before = node.table.ttvn();
                    let value = node.ogm().unwrap();
                    let (_, vlans, changes) = parts(&value);
                    if node.table.ttvn() != before {
                        for (flags, client) in changes {
                            if flags & 1 == 0 {
                                copy.insert(client, flags & 0xf0);
                            } else {
                                prop_assert!(copy.remove(&client).is_some(), "{client:?} unknown");
                            }
                        }
                    }
                    let mut crcs: BTreeMap<Vid, u32> = BTreeMap::new();
                    for (client, flags) in &copy {
                        *crcs.entry(client.vid).or_default() ^=
                            client_crc(*client, ClientFlags::from_wire(*flags));
                    }
                    let announced = vlans.iter().map(|vlan| (vlan.vid, vlan.crc)).collect();
                    prop_assert_eq!(&crcs, &announced);
                    let full = node.table.local.full_table();
                    let full = full.iter().map(|row| (row.client, row.flags.wire())).collect();
                    prop_assert_eq!(&copy, &full);
                }
            }
        }
    }
}
