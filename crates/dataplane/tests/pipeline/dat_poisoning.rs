//! Who claims an address of somebody else in the distributed ARP table: what comes of it, and where it ends. Nothing in
//! ARP proves who says what; we do as the kernel module does (07-distributed-arp-table.md), within a bounded table.

use crate::support::*;
use noctule_dataplane::pipeline::PipelineSettings;
use noctule_fib::{Counter, DatRing};
use noctule_wire::Mac;
use noctule_wire::payload::arp::{Arp, Operation};
use std::net::Ipv4Addr;
use std::sync::Arc;

const BENS_IP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const CARAS_IP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);

/// Ben, with Anna and Cara in the ring.
fn member(settings: PipelineSettings) -> Ben {
    let mut ben = Ben::with(settings);
    ben.change(|node| node.dat = Some(Arc::new(DatRing::new([ANNA, CARA]))));
    ben
}

fn known(ben: &Ben, ip: Ipv4Addr) -> Option<Mac> {
    ben.pipeline.arp_rows(ms(0)).find(|row| row.0 == ip).map(|row| row.2)
}

fn reply(sender: (Ipv4Addr, Mac), target: (Ipv4Addr, Mac)) -> Vec<u8> {
    let arp = Arp {
        operation: Operation::Reply,
        sender_ip: sender.0,
        sender_mac: sender.1,
        target_ip: target.0,
        target_mac: target.1,
    };
    let (bytes, len) = arp.reply_frame(noctule_wire::Vid::UNTAGGED);
    bytes[..len].to_vec()
}

/// The same fields as a request to everybody.
fn request(sender: (Ipv4Addr, Mac), target: Ipv4Addr) -> Vec<u8> {
    let mut frame = reply(sender, (target, Mac::BROADCAST));
    frame[20..22].copy_from_slice(&[0, 1]);
    frame
}

/// DAT-07: the one who speaks last is believed, and so the owner takes its address back by speaking.
#[test]
fn dat_07_poisoning_lasts_until_the_owner_speaks() {
    let mut ben = member(PipelineSettings::new(KEY));
    let say = |ben: &mut Ben, seqno, mac| {
        let told = request((CARAS_IP, mac), BENS_IP);
        ben.receive(ms(0), 1, &on_air(Mac::BROADCAST, CARA, &broadcast(50, seqno, CARA, &told)));
        known(ben, CARAS_IP)
    };
    assert_eq!(say(&mut ben, 1, CARAS), Some(CARAS));
    assert_eq!(say(&mut ben, 2, STRANGER), Some(STRANGER));
    assert_eq!(say(&mut ben, 3, CARAS), Some(CARAS));
}

/// DAT-30, DAT-40 `[DEV]`: a host that announces its address is heard by all tables and all hosts, whatever they believed.
#[test]
fn dat_30_dat_40_an_announcement_reaches_everybody() {
    let mut ben = member(PipelineSettings::new(KEY));
    let lie = request((BENS_IP, STRANGER), CARAS_IP);
    ben.receive(ms(0), 1, &on_air(Mac::BROADCAST, CARA, &broadcast(50, 1, CARA, &lie)));
    assert_eq!(known(&ben, BENS_IP), Some(STRANGER));
    // Ours: to both links at once, and no question to keepers.
    let said = request((BENS_IP, BENS), BENS_IP);
    let outcome = ben.send(ms(0), &said);
    assert_eq!((outcome.sent.len(), outcome.delivered.len()), (2, 0));
    assert!(outcome.sent.iter().all(|(_, frame)| frame[14] == 0x01 && frame.ends_with(&said)));
    assert_eq!(known(&ben, BENS_IP), Some(BENS));
    // Somebody else's: to the host, and no answer.
    let said = request((CARAS_IP, CARAS), CARAS_IP);
    let outcome =
        ben.receive(ms(0), 1, &on_air(Mac::BROADCAST, CARA, &broadcast(50, 2, CARA, &said)));
    assert_eq!(outcome.delivered, [said]);
    assert_eq!(outcome.sent.len(), 1, "repeated by the other link");
    assert_eq!(known(&ben, CARAS_IP), Some(CARAS));
}

/// DAT-46: a false answer that names a client of ours as its sender, or is for nobody here, reaches no host.
#[test]
fn dat_46_poisoned_answers_for_others_reach_no_host() {
    for (sender, target) in [
        ((CARAS_IP, BENS), (BENS_IP, BENS)),
        ((CARAS_IP, STRANGER), (Ipv4Addr::new(10, 0, 0, 1), ANNAS)),
    ] {
        let mut ben = member(PipelineSettings::new(KEY));
        let packet = unicast(50, 20, BEN_0, &reply(sender, target));
        let outcome = ben.receive(ms(0), 0, &on_air(BEN_0, ANNA, &packet));
        assert_eq!((outcome.delivered.len(), outcome.sent.len()), (0, 0), "{sender:?}");
    }
}

/// DAT-03: nobody can make us answer with an address that would make hosts send to everybody, or to nobody.
#[test]
fn dat_03_poisoning_with_a_group_address_is_not_learned() {
    for mac in [Mac::BROADCAST, Mac([0x01, 0, 0x5e, 0, 0, 1]), Mac::ZERO] {
        let mut ben = member(PipelineSettings::new(KEY));
        let mut told = request((CARAS_IP, mac), BENS_IP);
        told[6..12].copy_from_slice(&CARAS.0);
        ben.receive(ms(0), 1, &on_air(Mac::BROADCAST, CARA, &broadcast(50, 1, CARA, &told)));
        assert_eq!(known(&ben, CARAS_IP), None, "{mac:?}");
    }
}

/// DAT-09: a host that claims ever more addresses fills the cache and no more; what it pushes out is counted.
#[test]
fn dat_09_poisoning_by_flood_is_bounded_and_counted() {
    let mut settings = PipelineSettings::new(KEY);
    settings.arp_entries = 8;
    let mut ben = member(settings);
    let mut evicted = 0;
    for last in 1..=100 {
        let told = reply((Ipv4Addr::new(10, 9, 0, last), BENS), (BENS_IP, CARAS));
        let outcome = ben.send(ms(last.into()), &told);
        evicted += outcome.counted(Counter::DatEvicted);
        assert!(ben.pipeline.arp_rows(ms(0)).count() <= 8);
    }
    // BENS_IP is spoken of each time and so stays.
    assert_eq!((evicted, known(&ben, BENS_IP)), (101 - 8, Some(CARAS)));
}
