//! IPv6 neighbour discovery answered from what was heard (07-distributed-arp-table.md, section 16).

use crate::support::*;
use core::net::Ipv6Addr;
use noctule_dataplane::pipeline::PipelineSettings;
use noctule_fib::{BridgedLan, Counter, Isolation, VidSet};
use noctule_wire::payload::checksum;
use noctule_wire::payload::neighbour::{Message, Neighbour, solicited_node};
use noctule_wire::tvlv::translation_table::ClientFlags;
use noctule_wire::{Client, Discard, Instant, Mac, Vid};
use std::sync::Arc;

const BENS_IP: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
const CARAS_IP: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 3);
const ALL: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const R: u8 = 0x80;
const S: u8 = 0x40;
const O: u8 = 0x20;

fn ben() -> Ben {
    let mut ben = Ben::default();
    ben.change(|node| node.neighbour_discovery = true);
    ben
}

fn group_mac(ip: Ipv6Addr) -> Mac {
    let [.., a, b, c, d] = ip.octets();
    Mac([0x33, 0x33, a, b, c, d])
}

fn frame(to: Mac, from: Mac, source: Ipv6Addr, destination: Ipv6Addr, icmp: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0, 0, icmp.len() as u8, 58, 255];
    packet.extend(source.octets());
    packet.extend(destination.octets());
    packet.extend(icmp);
    let mut frame = ethernet(to, from, 0x86dd, &packet);
    assert!(checksum::fill(&mut frame));
    frame
}

fn message(kind: u8, flags: u8, target: Ipv6Addr, option: Option<Mac>) -> Vec<u8> {
    let mut icmp = vec![kind, 0, 0, 0, flags, 0, 0, 0];
    icmp.extend(target.octets());
    if let Some(mac) = option {
        icmp.extend([if kind == 135 { 1 } else { 2 }, 1]);
        icmp.extend(mac.0);
    }
    icmp
}

/// "Who has it?", to the group.
fn question(from: (Ipv6Addr, Mac), target: Ipv6Addr) -> Vec<u8> {
    let group = solicited_node(target);
    frame(group_mac(group), from.1, from.0, group, &message(135, 0, target, Some(from.1)))
}

/// "Are you still there?", to one host.
fn probe(from: (Ipv6Addr, Mac), to: (Ipv6Addr, Mac)) -> Vec<u8> {
    frame(to.1, from.1, from.0, to.0, &message(135, 0, to.0, Some(from.1)))
}

/// "Is it free?"
fn check(from: Mac, target: Ipv6Addr) -> Vec<u8> {
    let group = solicited_node(target);
    frame(group_mac(group), from, Ipv6Addr::UNSPECIFIED, group, &message(135, 0, target, None))
}

fn says(flags: u8, (ip, mac): (Ipv6Addr, Mac), option: Option<Mac>) -> Vec<u8> {
    if flags & S == 0 {
        frame(group_mac(ALL), mac, ip, ALL, &message(136, flags, ip, option))
    } else {
        frame(BENS, mac, ip, BENS_IP, &message(136, flags, ip, option))
    }
}

fn claims(flags: u8, who: (Ipv6Addr, Mac)) -> Vec<u8> {
    says(flags, who, Some(who.1))
}

/// A frame that Ben gets out of the mesh, from Cara.
fn hears(ben: &mut Ben, at: Instant, inner: &[u8]) -> Outcome {
    let outcome = ben.receive(at, 1, &on_air(BEN_1, CARA, &unicast(50, 20, BEN_0, inner)));
    assert_eq!(outcome.delivered, [inner], "whatever is learned, the host gets it");
    outcome
}

fn asks(ben: &mut Ben, at: Instant) -> Outcome {
    ben.send(at, &question((BENS_IP, BENS), CARAS_IP))
}

fn is_answered(ben: &mut Ben, at: Instant) -> bool {
    let outcome = asks(ben, at);
    assert_eq!(outcome.delivered.is_empty(), !outcome.sent.is_empty(), "{outcome:?}");
    outcome.sent.is_empty()
}

fn known(ben: &Ben, ip: Ipv6Addr) -> Option<Mac> {
    let mut rows = ben.pipeline.neighbour_rows(ms(0));
    rows.find(|row| row.0 == ip && row.1 == Vid::UNTAGGED).map(|row| row.2.mac)
}

/// Ben's host has looked for Cara's client, which answered.
fn ben_who_knows_caras(flags: u8) -> Ben {
    let mut ben = ben();
    assert!(!is_answered(&mut ben, ms(0)), "nobody has heard of it yet");
    hears(&mut ben, ms(1), &claims(flags | S | O, (CARAS_IP, CARAS)));
    ben
}

#[test]
fn nd_11_nd_12_a_resolved_neighbour_is_answered_for_and_nothing_crosses_the_air() {
    for router in [false, true] {
        let mut ben = ben_who_knows_caras(if router { R } else { 0 });
        let outcome = asks(&mut ben, ms(100));
        assert_eq!(outcome.sent, []);
        assert_eq!(outcome.dropped, [Discard::SolicitationAnswered]);
        assert_eq!(outcome.counted(Counter::NdAnswered), 1);
        let [answer] = &outcome.delivered[..] else { panic!("{outcome:?}") };
        assert_eq!(answer[..12], [BENS.0, CARAS.0].concat());
        let said = Neighbour::find(answer).unwrap();
        let expected = Message::Advertisement { router, solicited: true, overrides: false };
        assert_eq!((said.message, said.target), (expected, CARAS_IP));
        assert_eq!((said.source, said.destination), (CARAS_IP, BENS_IP));
        assert_eq!((said.link_layer, said.others), (Some(CARAS), false));
        assert_eq!(ben.on_deadline(ms(1000)).sent, [], "nothing waits either");
    }
}

/// ND-11, BLA-93: a client that another gateway of the LAN serves is that one's to answer for.
#[test]
fn nd_11_bla_93_a_client_of_another_gateway_is_not_answered_for() {
    for (owner, answered) in [(BEN_0, true), (CARA, false)] {
        let mut ben = ben_who_knows_caras(0);
        let mut announced = VidSet::default();
        announced.set(Vid::UNTAGGED, true);
        let lan = BridgedLan { announced, ..BridgedLan::default() };
        ben.change(|node| node.lan = Some(Arc::new(lan)));
        ben.writer.set_claim(Client::untagged(CARAS), owner, ms(2));
        assert_eq!(is_answered(&mut ben, ms(10)), answered);
    }
}

#[test]
fn switched_off_nothing_is_learned_and_nothing_answered() {
    let mut ben = ben_who_knows_caras(0);
    ben.change(|node| node.neighbour_discovery = false);
    assert!(!is_answered(&mut ben, ms(10)));
    let other = (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 9), CARAS);
    hears(&mut ben, ms(11), &claims(S | O, other));
    assert_eq!(ben.pipeline.neighbour_rows(ms(12)).count(), 1);
    ben.change(|node| node.neighbour_discovery = true);
    assert!(is_answered(&mut ben, ms(20)));
}

#[test]
fn nd_04_what_makes_no_entry() {
    let who = (CARAS_IP, CARAS);
    let mut broken = claims(S | O, who);
    broken[60] ^= 1;
    let mut routed = claims(S | O, who);
    routed[14 + 7] = 254;
    let mut signed = message(136, S | O, CARAS_IP, Some(CARAS));
    signed.extend([14, 1, 0, 0, 0, 0, 0, 0]);
    #[rustfmt::skip]
    let rows = [
        ("a question",            question(who, BENS_IP)),
        ("a check",               check(CARAS, CARAS_IP)),
        ("a proxy, or anycast",   claims(S, who)),
        ("no MAC is named",       says(S | O, who, None)),
        ("another MAC is named",  says(S | O, who, Some(ANNAS))),
        ("a broken checksum",     broken),
        ("passed on by a router", routed),
        ("signed",                frame(BENS, CARAS, CARAS_IP, BENS_IP, &signed)),
    ];
    for (what, told) in rows {
        let mut ben = ben();
        hears(&mut ben, ms(0), &told);
        assert_eq!(ben.pipeline.neighbour_rows(ms(0)).count(), 0, "{what}");
    }
    // An unsolicited one does.
    let mut ben = ben();
    hears(&mut ben, ms(0), &claims(O, who));
    assert!(is_answered(&mut ben, ms(1)));
}

/// ND-03: what a host here says in answer to one elsewhere is heard, too, and each VLAN is its own.
#[test]
fn nd_03_hosts_here_are_heard_and_vlans_are_apart() {
    let mut ben = ben();
    let told = frame(CARAS, BENS, BENS_IP, CARAS_IP, &message(136, S | O, BENS_IP, Some(BENS)));
    assert_eq!(ben.send(ms(0), &told).sent.len(), 1);
    assert_eq!(known(&ben, BENS_IP), Some(BENS));
    let mut ben = ben_who_knows_caras(0);
    let mut tagged = question((BENS_IP, BENS), CARAS_IP);
    tagged.splice(12..12, [0x81, 0, 0, 7]);
    let outcome = ben.send(ms(10), &tagged);
    assert_eq!((outcome.delivered.len(), outcome.counted(Counter::NdAnswered)), (0, 0));
}

#[test]
fn nd_10_probes_checks_and_signed_questions_pass() {
    let nonce = [message(135, 0, CARAS_IP, Some(BENS)), vec![14, 1, 0, 0, 0, 0, 0, 0]].concat();
    let group = solicited_node(CARAS_IP);
    let other = message(135, 0, CARAS_IP, Some(ANNAS));
    #[rustfmt::skip]
    let rows = [
        ("a probe",           probe((BENS_IP, BENS), (CARAS_IP, CARAS))),
        ("a check",           check(BENS, CARAS_IP)),
        ("with a nonce",      frame(group_mac(group), BENS, BENS_IP, group, &nonce)),
        ("answer to another", frame(group_mac(group), BENS, BENS_IP, group, &other)),
    ];
    for (what, asked) in rows {
        let mut ben = ben_who_knows_caras(0);
        let outcome = ben.send(ms(10), &asked);
        assert_eq!((outcome.delivered, outcome.dropped), (vec![], vec![]), "{what}");
        assert!(!outcome.sent.is_empty(), "{what}");
    }
}

/// ND-07: who does not answer a probe, or whose address somebody wants, is asked for in the mesh until it speaks.
#[test]
fn nd_05_nd_07_doubt_makes_questions_pass_until_the_owner_speaks() {
    let caras = (CARAS_IP, CARAS);
    let doubts = [probe((BENS_IP, BENS), caras), check(BENS, CARAS_IP)];
    #[rustfmt::skip]
    let words = [
        ("the answer to a probe", says(S, caras, None)),
        ("a claim",               claims(S | O, caras)),
        ("a defence",             claims(O, caras)),
        ("a question of its own", question(caras, BENS_IP)),
    ];
    for doubt in &doubts {
        for (what, word) in &words {
            let mut ben = ben_who_knows_caras(0);
            ben.send(ms(10), doubt);
            assert!(!is_answered(&mut ben, ms(20)), "{what}");
            assert!(!is_answered(&mut ben, ms(2000)), "{what}");
            hears(&mut ben, ms(2100), word);
            assert!(is_answered(&mut ben, ms(2200)), "{what}");
        }
    }
}

/// ND-05: who says that others may have its address, too, is not answered for, whatever probes it answers.
#[test]
fn nd_05_anycast_and_proxies_are_not_answered_for() {
    let caras = (CARAS_IP, CARAS);
    let mut ben = ben_who_knows_caras(0);
    hears(&mut ben, ms(10), &claims(S, caras));
    assert!(!is_answered(&mut ben, ms(20)));
    hears(&mut ben, ms(30), &says(S, caras, None));
    hears(&mut ben, ms(31), &question(caras, BENS_IP));
    assert!(!is_answered(&mut ben, ms(40)));
    hears(&mut ben, ms(50), &claims(S | O, caras));
    assert!(is_answered(&mut ben, ms(60)));
    // Somebody else's proxy changes nothing.
    hears(&mut ben, ms(70), &claims(S, (CARAS_IP, ANNAS)));
    assert_eq!((known(&ben, CARAS_IP), is_answered(&mut ben, ms(80))), (Some(CARAS), true));
}

#[test]
fn nd_05_a_router_is_not_made_a_host() {
    let mut ben = ben_who_knows_caras(0);
    let router = |ben: &Ben| ben.pipeline.neighbour_rows(ms(0)).next().unwrap().2.router;
    let said = [&[134, 0, 0, 0, 64, 0, 7, 8][..], &[0; 8]].concat();
    hears(&mut ben, ms(10), &frame(group_mac(ALL), ANNAS, CARAS_IP, ALL, &said));
    assert!(!router(&ben), "another station says so");
    hears(&mut ben, ms(10), &frame(group_mac(ALL), CARAS, CARAS_IP, ALL, &said));
    assert!(router(&ben));
    hears(&mut ben, ms(11), &question((CARAS_IP, CARAS), BENS_IP));
    assert!(router(&ben), "a question says nothing of it");
    hears(&mut ben, ms(12), &says(S, (CARAS_IP, CARAS), None));
    assert!(!router(&ben), "an advertisement does");
}

#[test]
fn nd_06_who_is_gone_is_not_answered_for_and_makes_room() {
    let mut ben = ben_who_knows_caras(0);
    ben.writer.remove_global(Client::untagged(CARAS));
    assert!(!is_answered(&mut ben, ms(10)));
    // Its owner comes back with another MAC address: with the first word it is found.
    hears(&mut ben, ms(20), &claims(S | O, (CARAS_IP, ANNAS)));
    assert!(is_answered(&mut ben, ms(30)));
    assert_eq!(known(&ben, CARAS_IP), Some(ANNAS));
    // Or with a question, which does not say whether it is a router.
    ben.writer.remove_global(Client::untagged(ANNAS));
    ben.announce(CARAS, ClientFlags::NONE, &[CARA]);
    hears(&mut ben, ms(40), &question((CARAS_IP, CARAS), BENS_IP));
    assert!(!is_answered(&mut ben, ms(50)));
    hears(&mut ben, ms(60), &claims(R | S | O, (CARAS_IP, CARAS)));
    assert!(is_answered(&mut ben, ms(70)));
}

/// ND-08: a liar makes questions pass; it is never answered for, and the owner is again when it has answered alone.
#[test]
fn nd_08_a_second_claim_is_a_dispute_and_nobody_is_answered_for() {
    let (owner, liar) = ((CARAS_IP, CARAS), (CARAS_IP, ANNAS));
    #[rustfmt::skip]
    let lies = [
        ("unsolicited", claims(O, liar)),
        ("solicited",   claims(S | O, liar)),
        ("nameless",    says(S, liar, None)),
        ("a question",  question(liar, BENS_IP)),
    ];
    for (what, lie) in lies {
        let mut ben = ben_who_knows_caras(0);
        let outcome = hears(&mut ben, ms(1000), &lie);
        assert_eq!(outcome.counted(Counter::NdDisputed), 1, "{what}");
        assert!(!is_answered(&mut ben, ms(1100)), "{what}");
        // It repeats itself, and waits.
        for second in 2..40 {
            hears(&mut ben, ms(second * 1000), &claims(O, liar));
        }
        assert!(!is_answered(&mut ben, ms(40_000)), "{what}: the liar is not believed");
        // The owner answers that question; from ten seconds later it counts again.
        hears(&mut ben, ms(40_001), &claims(S | O, owner));
        assert!(!is_answered(&mut ben, ms(45_000)), "{what}");
        hears(&mut ben, ms(45_001), &claims(S | O, owner));
        assert!(!is_answered(&mut ben, ms(51_000)), "{what}");
        hears(&mut ben, ms(51_001), &claims(S | O, owner));
        assert!(is_answered(&mut ben, ms(51_100)), "{what}");
        assert_eq!(known(&ben, CARAS_IP), Some(CARAS), "{what}");
    }
}

#[test]
fn nd_08_while_both_answer_it_stays_disputed() {
    let (owner, liar) = ((CARAS_IP, CARAS), (CARAS_IP, ANNAS));
    let mut ben = ben_who_knows_caras(0);
    for second in (1..200).step_by(20) {
        hears(&mut ben, ms(second * 1000 + 10), &claims(S | O, owner));
        hears(&mut ben, ms(second * 1000 + 11), &claims(S | O, liar));
        assert!(!is_answered(&mut ben, ms(second * 1000 + 15_000)), "{second}");
    }
}

#[test]
fn nd_09_bounded_and_forgotten() {
    let mut settings = PipelineSettings::new(KEY);
    settings.neighbour_entries = 2;
    let mut ben = Ben::with(settings);
    ben.change(|node| node.neighbour_discovery = true);
    let ip = |last| Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 1, last);
    for last in 1..=4 {
        let outcome = hears(&mut ben, ms(u64::from(last)), &claims(S | O, (ip(last), CARAS)));
        assert_eq!(outcome.counted(Counter::NdEvicted), u64::from(last > 2));
    }
    assert_eq!(
        [1, 2, 3, 4].map(|last| known(&ben, ip(last)).is_some()),
        [false, false, true, true]
    );
    let mut at = 0;
    while let Some(due) = ben.pipeline.next_deadline() {
        at = due.as_millis() - ms(0).as_millis();
        ben.on_deadline(due);
    }
    assert!((300_000..=310_100).contains(&at), "{at}");
    assert_eq!(ben.pipeline.neighbour_rows(ms(at)).count(), 0);
}

/// ND-11: an isolated client is told nothing of another.
#[test]
fn nd_11_isolated_clients_get_no_answer_in_each_others_name() {
    let mut ben = ben_who_knows_caras(0);
    ben.announce(CARAS, ClientFlags::ISOLATED, &[CARA]);
    ben.writer.set_local(Client::untagged(BENS), ClientFlags::ISOLATED, ms(0));
    assert!(is_answered(&mut ben, ms(10)), "isolation is off");
    ben.change(|node| {
        let mut isolation = Isolation::default();
        isolation.set(Vid::UNTAGGED, true);
        node.isolation = Arc::new(isolation);
    });
    assert!(!is_answered(&mut ben, ms(20)));
}

#[test]
fn nd_13_a_client_here_answers_for_itself_or_is_looked_for_elsewhere() {
    const OTHER: (Ipv6Addr, Mac) =
        (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 7), Mac([2, 0xc1, 0, 0, 2, 7]));
    let mut ben = ben();
    ben.writer.set_local(Client::untagged(OTHER.1), ClientFlags::NONE, ms(0));
    ben.send(ms(0), &claims(O, OTHER));
    let asked = question((BENS_IP, BENS), OTHER.0);
    let outcome = ben.send(ms(10), &asked);
    assert_eq!((outcome.sent, outcome.delivered), (vec![], vec![]));
    assert_eq!(outcome.dropped, [Discard::SolicitationAnswered]);
    let outcome = ben.send(ms(1010), &asked);
    assert_eq!((outcome.sent.len(), outcome.delivered.len()), (2, 0), "it did not answer");
    let outcome = ben.send(ms(60_000), &asked);
    assert_eq!(outcome.sent, []);
}

/// ND-14: what comes from the mesh is delivered, never answered.
#[test]
fn nd_14_a_question_from_the_mesh_is_delivered() {
    let mut ben = ben();
    ben.send(ms(0), &claims(O, (BENS_IP, BENS)));
    for _ in 0..2 {
        let outcome = hears(&mut ben, ms(10), &question((CARAS_IP, CARAS), BENS_IP));
        assert_eq!((outcome.sent, outcome.dropped), (vec![], vec![]));
    }
}
