//! The distributed ARP table, frame by frame (07-distributed-arp-table.md).

use crate::support::*;
use noctule_fib::{Counter, DatRing};
use noctule_wire::payload::arp::{Arp, Operation};
use noctule_wire::tvlv::translation_table::ClientFlags;
use noctule_wire::unicast::Subtype;
use noctule_wire::{Client, Discard, Instant, Mac, Unicast4Addr, Vid};
use std::net::Ipv4Addr;
use std::sync::Arc;

pub(crate) const BENS_IP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
pub(crate) const CARAS_IP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);
pub(crate) const ANNAS_IP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub(crate) const UNKNOWN_IP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 99);

/// Ben, with Anna and Cara in the ring.
pub(crate) fn member() -> Ben {
    let mut ben = Ben::default();
    ben.change(|node| node.dat = Some(Arc::new(DatRing::new([ANNA, CARA]))));
    ben
}

pub(crate) fn arp(
    operation: u16,
    to: Mac,
    sender: (Ipv4Addr, Mac),
    target: (Ipv4Addr, Mac),
) -> Vec<u8> {
    let mut packet = vec![0, 1, 8, 0, 6, 4];
    packet.extend(operation.to_be_bytes());
    packet.extend(sender.1.0);
    packet.extend(sender.0.octets());
    packet.extend(target.1.0);
    packet.extend(target.0.octets());
    ethernet(to, sender.1, 0x0806, &packet)
}

pub(crate) fn request(sender: (Ipv4Addr, Mac), target: Ipv4Addr) -> Vec<u8> {
    arp(1, Mac::BROADCAST, sender, (target, Mac::ZERO))
}

pub(crate) fn reply(sender: (Ipv4Addr, Mac), target: (Ipv4Addr, Mac)) -> Vec<u8> {
    arp(2, target.1, sender, target)
}

pub(crate) fn known(ben: &Ben, ip: Ipv4Addr) -> Option<Mac> {
    ben.pipeline.arp_rows(ms(0)).find(|row| row.0 == ip && row.1 == Vid::UNTAGGED).map(|row| row.2)
}

/// The 4-address packets among what was sent: to whom, for what, with which frame.
pub(crate) fn table_packets(outcome: &Outcome) -> Vec<(Mac, Subtype, Vec<u8>)> {
    let parsed = outcome.sent.iter().filter_map(|(_, frame)| {
        let packet = Unicast4Addr::parse(&frame[14..]).ok()?;
        Some((packet.destination, packet.subtype, packet.inner.to_vec()))
    });
    parsed.collect()
}

/// Ben has heard from Cara that Cara's client is there.
pub(crate) fn ben_who_knows_caras() -> Ben {
    let mut ben = member();
    let told = request((CARAS_IP, CARAS), UNKNOWN_IP);
    ben.receive(ms(0), 1, &on_air(Mac::BROADCAST, CARA, &broadcast(50, 1, CARA, &told)));
    assert_eq!(known(&ben, CARAS_IP), Some(CARAS));
    ben
}

#[test]
fn dat_01_dat_02_dat_03_dat_04_only_usable_arp_is_looked_at() {
    let own = (BENS_IP, BENS);
    let mut odd = request(own, CARAS_IP);
    odd[14 + 1] = 6;
    let ip = |a, b, c, d| Ipv4Addr::new(a, b, c, d);
    #[rustfmt::skip]
    let rows = [
        ("another hardware type", odd),
        ("a probe",               request((ip(0, 0, 0, 0), BENS), CARAS_IP)),
        ("loopback",              request(own, ip(127, 0, 0, 1))),
        ("multicast",             request(own, ip(224, 0, 0, 1))),
        ("limited broadcast",     request(own, ip(255, 255, 255, 255))),
        ("group as sender",       arp(1, Mac::BROADCAST, (BENS_IP, Mac::BROADCAST), (CARAS_IP, Mac::ZERO))),
        ("nobody as target",      arp(2, CARAS, own, (CARAS_IP, Mac::ZERO))),
        ("RARP",                  arp(3, Mac::BROADCAST, own, (CARAS_IP, Mac::ZERO))),
        ("too short",             request(own, CARAS_IP)[..41].to_vec()),
    ];
    for (what, mut frame) in rows {
        // Whoever is named in the ARP packet, a station sends the frame.
        frame[6..12].copy_from_slice(&BENS.0);
        let mut ben = member();
        let outcome = ben.send(ms(0), &frame);
        assert_eq!(table_packets(&outcome), [], "{what}");
        assert!(!outcome.sent.is_empty(), "{what}: ordinary traffic");
        assert_eq!(ben.pipeline.arp_rows(ms(0)).count(), 0, "{what}");
    }
}

/// DAT-30, DAT-35, DAT-36: an unknown address is asked of its keepers, and the request waits.
#[test]
fn dat_30_dat_35_dat_36_an_unknown_address_is_asked_for_and_flooded_later() {
    let mut ben = member();
    let asked = request((BENS_IP, BENS), UNKNOWN_IP);
    let outcome = ben.send(ms(0), &asked);
    let packets = table_packets(&outcome);
    assert_eq!(packets.len(), 2, "two keepers, no broadcast yet: {outcome:?}");
    assert_eq!(outcome.sent.len(), 2);
    assert!(
        packets.iter().all(|(_, subtype, inner)| *subtype == Subtype::DatGet && *inner == asked)
    );
    assert_eq!(outcome.counted(Counter::DatGetTx), 2);
    assert_eq!(outcome.counted(Counter::Tx), 1);
    assert_eq!(known(&ben, BENS_IP), Some(BENS));
    assert_eq!(ben.on_deadline(ms(249)).sent, []);
    let flooded = ben.on_deadline(ms(250));
    assert_eq!(flooded.sent.len(), 2, "on both links");
    assert!(flooded.sent.iter().all(|(_, frame)| frame.ends_with(&asked)));
}

/// DAT-37: what is known by then is not flooded.
#[test]
fn dat_37_an_answer_in_time_saves_the_flood() {
    let mut ben = member();
    ben.send(ms(0), &request((BENS_IP, BENS), CARAS_IP));
    let answer = reply((CARAS_IP, CARAS), (BENS_IP, BENS));
    let packet = unicast_4addr(BEN_1, CARA, Subtype::DatCachedReply, &answer);
    let outcome = ben.receive(ms(50), 1, &on_air(BEN_1, CARA, &packet));
    assert_eq!(outcome.delivered, [answer.clone()]);
    assert_eq!(outcome.hints, [], "DAT-76");
    let outcome = ben.on_deadline(ms(250));
    assert_eq!((outcome.sent, outcome.dropped), (vec![], vec![]));
    // DAT-43, DAT-44: the second keeper says the same.
    let packet = unicast_4addr(BEN_1, ANNA, Subtype::DatCachedReply, &answer);
    let outcome = ben.receive(ms(60), 1, &on_air(BEN_1, CARA, &packet));
    assert_eq!((outcome.delivered, outcome.dropped), (vec![], vec![Discard::ArpAnswered]));
}

/// DAT-33: answered in the name of a client elsewhere; nothing crosses the air.
#[test]
fn dat_25_dat_33_dat_36_a_known_address_is_answered_here() {
    let mut ben = ben_who_knows_caras();
    let outcome = ben.send(ms(0), &request((BENS_IP, BENS), CARAS_IP));
    assert_eq!(outcome.sent, []);
    assert_eq!(outcome.delivered, [reply((CARAS_IP, CARAS), (BENS_IP, BENS))]);
    assert_eq!((outcome.counted(Counter::Rx), outcome.counted(Counter::RxBytes)), (1, 42));
    assert_eq!(ben.on_deadline(ms(250)).sent, []);
    // A request to one station goes nowhere either.
    let asked = arp(1, CARAS, (BENS_IP, BENS), (CARAS_IP, Mac::ZERO));
    let outcome = ben.send(ms(300), &asked);
    assert_eq!((outcome.sent.len(), outcome.delivered.len()), (0, 1));
    assert_eq!(outcome.dropped, [Discard::ArpAnswered]);
    assert_eq!((outcome.counted(Counter::Tx), outcome.counted(Counter::TxDropped)), (0, 1));
}

/// DAT-33 `[DEV]`: what is known of a station that nobody in the mesh has any more is no answer, neither here nor from a
/// keeper, and does not keep the request from being flooded.
#[test]
fn dat_33_dat_37_dat_41_nobody_is_sent_to_a_station_that_is_gone() {
    let mut ben = ben_who_knows_caras();
    ben.writer.remove_global(Client::untagged(CARAS));
    let outcome = ben.send(ms(0), &request((BENS_IP, BENS), CARAS_IP));
    assert_eq!((outcome.delivered.len(), table_packets(&outcome).len()), (0, 2));
    assert_eq!(ben.on_deadline(ms(250)).sent.len(), 2);
    let asked = request((ANNAS_IP, ANNAS), CARAS_IP);
    let packet = unicast_4addr(BEN_0, ANNA, Subtype::DatGet, &asked);
    let outcome = ben.receive(ms(0), 0, &on_air(BEN_0, ANNA, &packet));
    assert_eq!((outcome.delivered, outcome.sent), (vec![asked], vec![]));
}

/// DAT-33 `[DEV]`, DAT-44: what was known of a station that nobody announced is no reason to take its answer, which comes
/// before the announcement, for one that the host has already.
#[test]
fn dat_33_dat_44_the_answer_of_a_station_that_is_not_announced_yet_is_no_duplicate() {
    let mut ben = ben_who_knows_caras();
    ben.writer.remove_global(Client::untagged(CARAS));
    ben.send(ms(0), &request((BENS_IP, BENS), CARAS_IP));
    let answer = reply((CARAS_IP, CARAS), (BENS_IP, BENS));
    let packet = on_air(BEN_1, CARA, &unicast(50, 20, BEN_0, &answer));
    let outcome = ben.receive(ms(50), 1, &packet);
    assert_eq!((outcome.delivered, outcome.dropped), (vec![answer], vec![]));
    let again = ben.receive(ms(60), 1, &packet);
    assert_eq!((again.delivered, again.dropped), (vec![], vec![Discard::ArpAnswered]));
}

/// FWD-39, DAT-30, DAT-38: ARP to one station is looked into whether or not somebody announces that station. A host that
/// checks a neighbour which has got another MAC address asks the old one.
#[test]
fn fwd_39_dat_30_dat_38_arp_to_a_station_that_is_gone_is_looked_into() {
    let mut ben = ben_who_knows_caras();
    let outcome = ben.send(ms(0), &arp(1, STRANGER, (BENS_IP, BENS), (CARAS_IP, Mac::ZERO)));
    assert_eq!(outcome.delivered, [reply((CARAS_IP, CARAS), (BENS_IP, BENS))]);
    assert_eq!((outcome.sent, outcome.dropped), (vec![], vec![Discard::ArpAnswered]));
    let outcome = ben.send(ms(0), &arp(1, STRANGER, (BENS_IP, BENS), (UNKNOWN_IP, Mac::ZERO)));
    assert_eq!(table_packets(&outcome).len(), 2);
    assert_eq!(outcome.dropped, [Discard::ArpAnswered]);
    assert_eq!(known(&ben, BENS_IP), Some(BENS));
    let mut ben = member();
    let outcome = ben.send(ms(0), &reply((BENS_IP, BENS), (UNKNOWN_IP, STRANGER)));
    assert_eq!((table_packets(&outcome).len(), outcome.sent.len()), (4, 4));
    assert_eq!(outcome.dropped, [Discard::UnknownClient]);
    assert_eq!(known(&ben, BENS_IP), Some(BENS));
    // What is no ARP is dropped as before.
    assert_eq!(ben.send(ms(0), &hello(STRANGER, BENS)).fate(), (vec![Discard::UnknownClient], 0));
}

/// DAT-32: a client of ours answers for itself.
#[test]
fn dat_32_clients_of_ours_answer_for_themselves() {
    let mut ben = member();
    ben.writer.set_local(Client::untagged(STRANGER), ClientFlags::NONE, ms(0));
    ben.send(ms(0), &request((BENS_IP, BENS), BENS_IP));
    let outcome = ben.send(ms(0), &request((UNKNOWN_IP, STRANGER), BENS_IP));
    assert_eq!(outcome.outputs(), 0);
    assert_eq!(ben.on_deadline(ms(250)).sent, []);
}

/// DAT-15, DAT-35: nobody can be asked, so it is flooded at once.
#[test]
fn dat_15_dat_35_without_keepers_requests_are_flooded() {
    for ring in [vec![], vec![DORA, EVE]] {
        let mut ben = Ben::default();
        ben.change(|node| node.dat = Some(Arc::new(DatRing::new(ring))));
        let outcome = ben.send(ms(0), &request((BENS_IP, BENS), UNKNOWN_IP));
        assert_eq!((outcome.sent.len(), table_packets(&outcome).len()), (2, 0));
    }
}

/// DAT-38, DAT-39.
#[test]
fn dat_38_dat_39_replies_are_put_to_the_keepers_and_go_on() {
    let mut ben = member();
    let told = reply((BENS_IP, BENS), (CARAS_IP, CARAS));
    let outcome = ben.send(ms(0), &told);
    let packets = table_packets(&outcome);
    assert_eq!(packets.len(), 4, "two keepers for each of two addresses");
    assert!(
        packets.iter().all(|(_, subtype, inner)| *subtype == Subtype::DatPut && *inner == told)
    );
    assert_eq!(outcome.sent.len(), 5, "and the reply itself");
    assert_eq!(outcome.counted(Counter::DatPutTx), 4);
    assert_eq!((known(&ben, BENS_IP), known(&ben, CARAS_IP)), (Some(BENS), Some(CARAS)));
    // To everybody: flooded as it is.
    let mut ben = member();
    let outcome = ben.send(ms(0), &arp(2, Mac::BROADCAST, (BENS_IP, BENS), (BENS_IP, BENS)));
    assert_eq!((outcome.sent.len(), table_packets(&outcome).len()), (2, 0));
    assert_eq!(known(&ben, BENS_IP), None);
}

/// DAT-40 to DAT-42: a keeper answers the node of the asking client; what it does not know it shows to its own clients.
#[test]
fn dat_40_dat_41_dat_42_a_keeper_answers_or_delivers() {
    let mut ben = ben_who_knows_caras();
    let asked = request((ANNAS_IP, ANNAS), CARAS_IP);
    let packet = unicast_4addr(BEN_0, ANNA, Subtype::DatGet, &asked);
    let outcome = ben.receive(ms(0), 0, &on_air(BEN_0, ANNA, &packet));
    let answer = reply((CARAS_IP, CARAS), (ANNAS_IP, ANNAS));
    assert_eq!(table_packets(&outcome), [(ANNA, Subtype::DatCachedReply, answer)]);
    assert_eq!(
        (outcome.counted(Counter::DatGetRx), outcome.counted(Counter::DatCachedReplyTx)),
        (1, 1)
    );
    assert_eq!(outcome.delivered, Vec::<Vec<u8>>::new());
    assert_eq!(known(&ben, ANNAS_IP), Some(ANNAS));
    // Unknown, or asked by nobody that is known: delivered.
    for asked in [request((ANNAS_IP, ANNAS), UNKNOWN_IP), request((UNKNOWN_IP, STRANGER), CARAS_IP)]
    {
        let packet = unicast_4addr(BEN_0, ANNA, Subtype::DatGet, &asked);
        let outcome = ben.receive(ms(0), 0, &on_air(BEN_0, ANNA, &packet));
        assert_eq!((outcome.delivered, outcome.sent), (vec![asked], vec![]));
    }
}

/// DAT-77: with isolation on, a keeper answers only for clients of its own, and not for those that must not be reached.
#[test]
fn dat_77_isolated_clients_are_not_answered_for() {
    #[rustfmt::skip]
    let rows = [
        ("elsewhere",         (CARAS_IP, CARAS), ClientFlags::NONE, ClientFlags::NONE, false),
        ("here",              (BENS_IP, BENS),   ClientFlags::NONE, ClientFlags::WIFI, true),
        ("here, both on air", (BENS_IP, BENS),   ClientFlags::WIFI, ClientFlags::WIFI, false),
    ];
    for (what, (ip, mac), here, there, answered) in rows {
        let mut ben = member();
        ben.change(|node| {
            node.isolation = {
                let mut isolation = noctule_fib::Isolation::default();
                isolation.set(Vid::UNTAGGED, true);
                Arc::new(isolation)
            }
        });
        ben.writer.set_local(Client::untagged(BENS), here, ms(0));
        ben.announce(ANNAS, there, &[ANNA]);
        let told = reply((ip, mac), (UNKNOWN_IP, STRANGER));
        ben.receive(
            ms(0),
            1,
            &on_air(BEN_1, CARA, &unicast_4addr(BEN_1, CARA, Subtype::DatPut, &told)),
        );
        let asked = request((ANNAS_IP, ANNAS), ip);
        let packet = unicast_4addr(BEN_0, ANNA, Subtype::DatGet, &asked);
        let outcome = ben.receive(ms(0), 0, &on_air(BEN_0, ANNA, &packet));
        let delivered = usize::from(!answered);
        assert_eq!(
            (outcome.delivered.len(), outcome.sent.len()),
            (delivered, 1 - delivered),
            "{what}"
        );
    }
}

/// DAT-42: a broadcast is repeated before it is answered.
#[test]
fn dat_42_a_broadcast_request_is_repeated_and_answered() {
    let mut ben = ben_who_knows_caras();
    let asked = request((ANNAS_IP, ANNAS), CARAS_IP);
    let outcome =
        ben.receive(ms(0), 0, &on_air(Mac::BROADCAST, ANNA, &broadcast(50, 1, ANNA, &asked)));
    assert_eq!(outcome.delivered, Vec::<Vec<u8>>::new());
    assert_eq!((outcome.sent.len(), table_packets(&outcome).len()), (2, 1));
}

/// DAT-46: what is only for the table, or for somebody elsewhere, does not reach the hosts.
#[test]
fn dat_46_entries_for_the_table_are_not_delivered() {
    let put = |sender, target| {
        on_air(BEN_0, ANNA, &unicast_4addr(BEN_0, ANNA, Subtype::DatPut, &reply(sender, target)))
    };
    #[rustfmt::skip]
    let rows = [
        ("for a client elsewhere", (ANNAS_IP, ANNAS), (CARAS_IP, CARAS), false),
        ("in the name of ours",    (BENS_IP, BENS),   (BENS_IP, BENS),   false),
        ("for ours",               (ANNAS_IP, ANNAS), (BENS_IP, BENS),   true),
    ];
    for (what, sender, target, delivered) in rows {
        let mut ben = member();
        let outcome = ben.receive(ms(0), 0, &put(sender, target));
        assert_eq!(outcome.delivered.len(), usize::from(delivered), "{what}");
        assert_eq!(outcome.counted(Counter::DatPutRx), 1, "{what}");
        assert_eq!(known(&ben, sender.0), Some(sender.1), "{what}");
        assert_eq!(known(&ben, target.0), Some(target.1), "{what}");
    }
}

/// A DHCPACK of a server for a client.
pub(crate) fn ack(server: (Ipv4Addr, Mac), client: (Ipv4Addr, Mac), options: &[u8]) -> Vec<u8> {
    let mut bootp = vec![0; 240];
    bootp[..3].copy_from_slice(&[2, 1, 6]);
    bootp[16..20].copy_from_slice(&client.0.octets());
    bootp[28..34].copy_from_slice(&client.1.0);
    bootp[236..].copy_from_slice(&[0x63, 0x82, 0x53, 0x63]);
    bootp.extend(options);
    let builder = etherparse::PacketBuilder::ethernet2(server.1.0, client.1.0)
        .ipv4(server.0.octets(), client.0.octets(), 64)
        .udp(67, 68);
    let mut frame = Vec::new();
    builder.write(&mut frame, &bootp).unwrap();
    frame
}

#[test]
fn dat_50_dat_51_dat_52_dat_53_dat_61_dat_62_leases_are_known_before_anybody_asks() {
    let (server, lease) = ((BENS_IP, BENS), (CARAS_IP, CARAS));
    let mut ben = member();
    let outcome = ben.send(ms(0), &ack(server, lease, &[0, 0, 12, 2, 53, 5, 53, 1, 5, 255]));
    assert_eq!((known(&ben, BENS_IP), known(&ben, CARAS_IP)), (Some(BENS), Some(CARAS)));
    let packets = table_packets(&outcome);
    assert_eq!(packets.len(), 4);
    assert!(packets.iter().all(|(_, subtype, inner)| {
        *subtype == Subtype::DatPut && *inner == reply(lease, server)
    }));
    assert_eq!(outcome.sent.len(), 5, "DAT-64: the lease itself goes on");
    // DAT-63: from the mesh it is learned, and not told on.
    let mut ben = member();
    let told = ack((ANNAS_IP, ANNAS), (BENS_IP, BENS), &[53, 1, 5, 255]);
    let outcome = ben.receive(ms(0), 0, &on_air(BEN_0, ANNA, &unicast(50, 20, BEN_0, &told)));
    assert_eq!((outcome.delivered.len(), outcome.sent.len()), (1, 0));
    assert_eq!((known(&ben, ANNAS_IP), known(&ben, BENS_IP)), (Some(ANNAS), Some(BENS)));
    let nobody = Ipv4Addr::UNSPECIFIED;
    #[rustfmt::skip]
    let rows = [
        ("a DHCPOFFER",            ack(server, lease, &[53, 1, 2, 255])),
        ("the first one counts",   ack(server, lease, &[53, 1, 2, 53, 1, 5, 255])),
        ("no type",                ack(server, lease, &[255])),
        ("only padding",           ack(server, lease, &[0; 20])),
        ("beyond the end",         ack(server, lease, &[12, 200, 53, 1, 5])),
        ("cut",                    ack(server, lease, &[53, 1])),
        ("an answer to INFORM",    ack(server, (nobody, CARAS), &[53, 1, 5, 255])),
        ("nobody's lease",         ack(server, (CARAS_IP, Mac::ZERO), &[53, 1, 5, 255])),
    ];
    for (what, mut frame) in rows {
        frame[..6].copy_from_slice(&CARAS.0);
        frame[6..12].copy_from_slice(&BENS.0);
        let mut ben = member();
        let outcome = ben.send(ms(0), &frame);
        assert_eq!((table_packets(&outcome), outcome.sent.len()), (vec![], 1), "{what}");
        assert_eq!(ben.pipeline.arp_rows(ms(0)).count(), 0, "{what}");
    }
}

/// DAT-06, DAT-65 to DAT-67: one tag with an id counts, and comes back in the answer; a priority tag hides the packet.
#[test]
fn dat_65_dat_66_dat_67_vlans_are_kept_apart() {
    let tagged = |tci: u16, frame: &[u8]| {
        let mut frame = frame.to_vec();
        let [t0, t1] = tci.to_be_bytes();
        frame.splice(12..12, [0x81, 0x00, t0, t1]);
        frame
    };
    let mut ben = member();
    ben.change(|node| node.vlans = Arc::new([7].into_iter().collect()));
    let vid = Vid::from_tci(7);
    ben.writer.set_local(Client::new(BENS, vid), ClientFlags::NONE, ms(0));
    let announcers = [CARA].into_iter().collect();
    let entry = noctule_fib::GlobalClient { flags: ClientFlags::NONE, announcers };
    ben.writer.set_global(Client::new(CARAS, vid), entry);
    let told = tagged(0xe007, &request((CARAS_IP, CARAS), UNKNOWN_IP));
    ben.receive(ms(0), 1, &on_air(Mac::BROADCAST, CARA, &broadcast(50, 1, CARA, &told)));
    assert_eq!(known(&ben, CARAS_IP), None, "not without the tag");
    let outcome = ben.send(ms(0), &tagged(0xa007, &request((BENS_IP, BENS), CARAS_IP)));
    assert_eq!(outcome.delivered, [tagged(7, &reply((CARAS_IP, CARAS), (BENS_IP, BENS)))]);
    let outcome = ben.send(ms(0), &request((BENS_IP, BENS), CARAS_IP));
    assert_eq!(outcome.delivered, Vec::<Vec<u8>>::new());
    let outcome = ben.send(ms(0), &tagged(0x2000, &request((BENS_IP, BENS), UNKNOWN_IP)));
    assert_eq!((outcome.sent.len(), table_packets(&outcome).len()), (2, 0), "priority tag");
}

/// DAT-70, DAT-71: without the table its packets are payload, and requests are flooded.
#[test]
fn dat_70_dat_71_dat_80_switched_off() {
    let mut ben = Ben::default();
    let put = reply((ANNAS_IP, ANNAS), (CARAS_IP, CARAS));
    for (subtype, counter) in
        [(Subtype::DatPut, Some(Counter::DatPutRx)), (Subtype::DatCachedReply, None)]
    {
        let outcome =
            ben.receive(ms(0), 0, &on_air(BEN_0, ANNA, &unicast_4addr(BEN_0, ANNA, subtype, &put)));
        assert_eq!((outcome.delivered.clone(), outcome.hints.clone()), (vec![put.clone()], vec![]));
        assert!(counter.is_none_or(|counter| outcome.counted(counter) == 1));
    }
    let outcome = ben.send(ms(0), &request((BENS_IP, BENS), CARAS_IP));
    assert_eq!(outcome.sent.len(), 2);
    // DAT-71: what waits already is flooded when its time comes.
    let mut ben = ben_who_knows_caras();
    ben.send(ms(0), &request((BENS_IP, BENS), UNKNOWN_IP));
    ben.change(|node| node.dat = None);
    assert_eq!(ben.on_deadline(ms(250)).sent.len(), 2);
}

/// A host that asks for everybody fills half the queue with what waits; the rest is flooded at once, and broadcasts of
/// others pass.
#[test]
fn dat_36_a_scan_does_not_hold_up_the_broadcasts_of_others() {
    let mut ben = member();
    ben.change_link(0, |link| link.wifi = true);
    ben.change_link(1, |link| link.wifi = true);
    let mut at_once = 0;
    for number in 0..1000_u16 {
        let now = ms(u64::from(number) / 2);
        ben.on_deadline(now);
        let [high, low] = number.to_be_bytes();
        let outcome = ben.send(now, &request((BENS_IP, BENS), Ipv4Addr::new(10, 7, high, low)));
        assert_eq!(outcome.dropped, []);
        at_once += usize::from(outcome.sent.len() == 4);
    }
    assert!(at_once > 0);
    let frame =
        on_air(Mac::BROADCAST, ANNA, &broadcast(50, 1, ANNA, &hello(Mac::BROADCAST, ANNAS)));
    let outcome = ben.receive(ms(500), 0, &frame);
    assert_eq!(outcome.delivered.len(), 1, "{:?}", outcome.dropped);
}

/// DAT-08, DAT-81: entries show their age and go after it.
#[test]
fn dat_08_dat_81_rows_have_an_age() {
    let mut ben = ben_who_knows_caras();
    let later = |seconds: u64| -> Instant { ms(seconds * 1000) };
    let ages: Vec<_> = ben.pipeline.arp_rows(later(7)).map(|row| row.3.as_secs()).collect();
    assert_eq!(ages, [7]);
    for seconds in (10..=310).step_by(10) {
        ben.on_deadline(later(seconds));
    }
    assert_eq!(ben.pipeline.arp_rows(later(310)).count(), 0);
    assert_eq!(ben.pipeline.next_deadline(), None, "nothing to wake up for");
}

/// The builder and the reader agree.
#[test]
fn dat_25_replies_read_back() {
    let arp = Arp {
        operation: Operation::Reply,
        sender_mac: CARAS,
        sender_ip: CARAS_IP,
        target_mac: BENS,
        target_ip: BENS_IP,
    };
    for vid in [Vid::UNTAGGED, Vid::from_tci(0x0fff)] {
        let (bytes, len) = arp.reply_frame(vid);
        assert_eq!(Arp::find(&bytes[..len]), Some(arp));
        assert_eq!(len, if vid == Vid::UNTAGGED { 42 } else { 46 });
    }
}
