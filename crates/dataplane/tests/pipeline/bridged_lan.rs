//! A LAN behind the mesh interface that others are bridged to, too (06-bridge-loop-avoidance.md).

use crate::multicast::{GROUP as MCAST_GROUP, known, packet, v4};
use crate::support::*;
use noctule_dataplane::Hint;
use noctule_fib::{BridgeNews, BridgedLan, Counter, Rival, VidSet};
use noctule_wire::claim::ClaimType;
use noctule_wire::payload::arp::{Arp, Operation};
use noctule_wire::tvlv::translation_table::ClientFlags;
use noctule_wire::unicast::Subtype;
use noctule_wire::{Claim, Client, Discard, Instant, Mac, Vid};
use std::sync::Arc;

const GROUP: u16 = 0x2380;
const NONE: Vid = Vid::UNTAGGED;

/// Ben, bridged to a LAN together with Cara.
pub(crate) fn bridged() -> Ben {
    let mut ben = Ben::default();
    ben.writer.set_backbone(CARA, NONE, true);
    ben.change_lan(|_| ());
    ben
}

pub(crate) trait Lan {
    fn change_lan(&mut self, change: impl FnOnce(&mut BridgedLan));
    fn claim(&mut self, client: Mac, owner: Mac, at: Instant);
    fn say_on_lan(&mut self, now: Instant, claim: Claim) -> Outcome;
}

impl Lan for Ben {
    fn change_lan(&mut self, change: impl FnOnce(&mut BridgedLan)) {
        let mut announced = VidSet::default();
        announced.set(NONE, true);
        let mut lan = BridgedLan { group: GROUP, announced, ..BridgedLan::default() };
        change(&mut lan);
        self.change(|node| node.lan = Some(Arc::new(lan)));
    }

    fn claim(&mut self, client: Mac, owner: Mac, at: Instant) {
        self.writer.set_claim(Client::untagged(client), owner, at);
    }

    fn say_on_lan(&mut self, now: Instant, claim: Claim) -> Outcome {
        self.send(now, &bytes(claim))
    }
}

fn bytes(claim: Claim) -> Vec<u8> {
    let mut bytes = vec![0; claim.wire_len()];
    claim.emit(&mut bytes);
    bytes
}

fn news(news: BridgeNews) -> Vec<Hint> {
    vec![Hint::Bridge(news)]
}

/// A broadcast of Anna's client, with ever new numbers.
pub(crate) fn flooded(seqno: u32, inner: &[u8]) -> Vec<u8> {
    on_air(Mac::BROADCAST, ANNA, &broadcast(50, seqno, ANNA, inner))
}

pub(crate) fn all(source: Mac) -> Vec<u8> {
    hello(Mac::BROADCAST, source)
}

/// BLA-10, BLA-45, BLA-106: the CLAIM goes out before the frame, counted as received.
#[test]
fn bla_10_bla_45_bla_106_a_new_client_of_the_mesh_is_claimed() {
    let mut ben = bridged();
    let inner = all(ANNAS);
    let outcome = ben.receive(ms(0), 0, &flooded(1, &inner));
    let claim = bytes(Claim::claiming(BEN_0, ANNAS, NONE, GROUP));
    assert_eq!(outcome.delivered, [claim.clone(), inner.clone()]);
    assert_eq!(outcome.hints, news(BridgeNews::Claimed(Client::untagged(ANNAS))));
    assert_eq!(outcome.counted(Counter::Rx), 2);
    assert_eq!(outcome.counted(Counter::RxBytes), (claim.len() + inner.len()) as u64);
    // The engine has not published it yet; the next frame does not claim again.
    let outcome = ben.receive(ms(50), 0, &flooded(2, &all(ANNAS)));
    assert_eq!((outcome.delivered.len(), outcome.hints), (1, vec![]));
    // But if it never does, the client is claimed once more.
    let outcome = ben.receive(ms(200), 0, &flooded(3, &all(ANNAS)));
    assert_eq!(outcome.delivered.len(), 2);
}

/// BLA-N1: of several gateways that know of each other one claims a client that a frame for all shows; the others
/// leave it to that one, and do it themselves if it did not by the next frame.
#[test]
fn bla_n1_a_gateway_leaves_the_claim_to_the_first_choice() {
    let rival = |gateway| Rival { gateway, vid: NONE, yields: true };
    let lan = |mac| BridgedLan { rivals: Box::new([rival(mac)]), ..BridgedLan::default() };
    let client = Client::untagged(ANNAS);
    let rivals = (0..=255).map(|last| Mac([2, 0xba, 0, 0, 0x77, last]));
    let (weak, strong): (Vec<_>, Vec<_>) =
        rivals.partition(|rival| lan(*rival).is_first_choice(BEN_0, client));
    let mut ben = bridged();
    ben.change_lan(|lan| lan.rivals = Box::new([rival(weak[0])]));
    assert_eq!(ben.receive(ms(0), 0, &flooded(1, &all(ANNAS))).delivered.len(), 2, "it is us");
    let mut ben = bridged();
    ben.change_lan(|lan| lan.rivals = Box::new([rival(strong[0])]));
    for (seqno, at, delivered) in [(1, 0, 0), (2, 99, 0), (3, 100, 2), (4, 101, 1)] {
        let outcome = ben.receive(ms(at), 0, &flooded(seqno, &all(ANNAS)));
        assert_eq!(outcome.delivered.len(), delivered, "{at} ms");
    }
    // A claim that has come to its end is as good as none: both gateways see the client's next frame at the same moment.
    let mut ben = bridged();
    ben.change_lan(|lan| lan.rivals = Box::new([rival(strong[0])]));
    ben.receive(ms(0), 0, &flooded(1, &all(ANNAS)));
    ben.say_on_lan(ms(1), Claim::claiming(strong[0], ANNAS, NONE, GROUP));
    ben.say_on_lan(ms(30_000), Claim::unclaiming(strong[0], ANNAS, NONE, GROUP));
    for (seqno, at, delivered) in [(2, 31_000, 0), (3, 31_099, 0), (4, 31_100, 2)] {
        let outcome = ben.receive(ms(at), 0, &flooded(seqno, &all(ANNAS)));
        assert_eq!(outcome.delivered.len(), delivered, "{at} ms");
    }
    // What is sent to us alone, nobody else can deliver.
    let mut ben = bridged();
    ben.change_lan(|lan| lan.rivals = Box::new([rival(strong[0])]));
    let packet = unicast(50, 20, BEN_0, &hello(BENS, ANNAS));
    assert_eq!(ben.receive(ms(0), 0, &on_air(BEN_0, ANNA, &packet)).delivered.len(), 2);
}

/// BLA-102, BLA-112: without a LAN nothing of this happens.
#[test]
fn bla_102_bla_112_without_a_lan_all_passes() {
    let mut ben = Ben::default();
    ben.writer.set_backbone(ANNA, NONE, true);
    ben.claim(ANNAS, CARA, ms(0));
    let outcome = ben.receive(ms(0), 0, &flooded(1, &all(ANNAS)));
    assert_eq!((outcome.delivered.len(), outcome.hints), (1, vec![]));
    let outcome = ben.say_on_lan(ms(0), Claim::announcing(CARA, 7, NONE, GROUP));
    assert_eq!((outcome.sent.len(), outcome.fate()), (2, (vec![], 2)));
}

#[test]
fn bla_107_bla_108_bla_109_who_delivers() {
    for (owner, unicast_carrier, group, delivered, because) in [
        (BEN_0, false, true, 1, "ours, broadcast"),
        (BEN_0, true, false, 1, "ours, unicast"),
        (CARA, false, true, 0, "another's, broadcast"),
        (CARA, true, true, 0, "another's, a group frame for us alone"),
        (CARA, true, false, 2, "another's, unicast: taken over"),
    ] {
        let mut ben = bridged();
        ben.claim(ANNAS, owner, ms(0));
        let inner = hello(if group { Mac::BROADCAST } else { BENS }, ANNAS);
        let frame = if unicast_carrier {
            on_air(BEN_0, ANNA, &unicast(50, 20, BEN_0, &inner))
        } else {
            flooded(1, &inner)
        };
        let outcome = ben.receive(ms(1), 0, &frame);
        assert_eq!(outcome.delivered.len(), delivered, "{because}");
        let claimed = outcome.hints == news(BridgeNews::Claimed(Client::untagged(ANNAS)));
        assert_eq!(claimed, delivered == 2, "{because}");
        if delivered == 0 {
            assert_eq!(outcome.dropped, [Discard::ForeignClaim], "{because}");
        }
        if owner == BEN_0 {
            let reader = ben.writer.reader();
            let used = reader.pin().claim(Client::untagged(ANNAS)).unwrap().used();
            assert_eq!(used, ms(1), "BLA-107: {because}");
        }
    }
}

/// BLA-46: what comes in a 4-address packet is for us alone (DHCP, ARP), also during the wait and with a foreign claim.
#[test]
fn bla_46_bla_48_gw_72_dat_47_dat_78_what_is_sent_to_us_by_name_passes() {
    let mut ben = bridged();
    ben.change_lan(|lan| lan.gate.set(NONE, true));
    ben.claim(ANNAS, CARA, ms(0));
    for subtype in [Subtype::Data, Subtype::DatGet] {
        let packet = unicast_4addr(BEN_0, ANNA, subtype, &all(ANNAS));
        let outcome = ben.receive(ms(1), 0, &on_air(BEN_0, ANNA, &packet));
        assert!(outcome.delivered.contains(&all(ANNAS)), "{subtype:?} {outcome:?}");
    }
}

/// BLA-38, BLA-104, BLA-114: group frames are held back, both ways, and unicast passes.
#[test]
fn bla_38_bla_104_bla_114_a_closed_gate() {
    let mut ben = bridged();
    ben.change_lan(|lan| lan.gate.set(NONE, true));
    let outcome = ben.receive(ms(0), 0, &flooded(1, &all(ANNAS)));
    assert_eq!((outcome.dropped, outcome.delivered.len()), (vec![Discard::GateClosed], 0));
    assert!(outcome.hints.is_empty());
    let copy = unicast(50, 20, BEN_0, &all(ANNAS));
    let outcome = ben.receive(ms(0), 0, &on_air(BEN_0, ANNA, &copy));
    assert_eq!(outcome.fate(), (vec![Discard::GateClosed], 0));
    assert_eq!(ben.send(ms(0), &all(BENS)).fate(), (vec![Discard::GateClosed], 0));
    assert_eq!(ben.send(ms(0), &hello(ANNAS, BENS)).sent.len(), 1);
    let packet = unicast(50, 20, BEN_0, &hello(BENS, ANNAS));
    assert_eq!(ben.receive(ms(0), 0, &on_air(BEN_0, ANNA, &packet)).delivered.len(), 2);
    // Another VLAN has its own gate (BLA-42).
    ben.change_lan(|lan| lan.gate.set(Vid::from_tci(10), true));
    assert_eq!(ben.send(ms(0), &all(BENS)).sent.len(), 2);
}

/// BLA-115 to BLA-119, BLA-57.
#[test]
fn bla_57_bla_115_bla_116_bla_117_bla_118_bla_119_who_brings_lan_frames_into_the_mesh() {
    for (source, owner, age, to_all, expected, because) in [
        (BENS, None, 0, true, Ok(2), "a station of the LAN"),
        (BENS, None, 0, false, Ok(1), "a station of the LAN"),
        (ANNAS, Some(CARA), 0, true, Err(Discard::ForeignClaim), "another serves it"),
        (ANNAS, Some(BEN_0), 100, true, Err(Discard::OwnClaim), "our own broadcast, come back"),
        (ANNAS, Some(BEN_0), 100, false, Err(Discard::OwnClaim), "a race"),
        (ANNAS, Some(BEN_0), 101, true, Ok(2), "it has moved to the LAN"),
    ] {
        let mut ben = bridged();
        if let Some(owner) = owner {
            ben.claim(source, owner, ms(1000 - age));
        }
        ben.claim(CARAS, CARA, ms(1000));
        let frame = hello(if to_all { Mac::BROADCAST } else { CARAS }, source);
        let outcome = ben.send(ms(1000), &frame);
        match expected {
            Ok(sent) => assert_eq!(outcome.sent.len(), sent, "{because}"),
            Err(reason) => assert_eq!(outcome.fate(), (vec![reason], 0), "{because}"),
        }
        if expected.is_err() {
            assert!(outcome.hints.is_empty(), "TT-128: {because}");
        }
    }
    // A client that another gateway serves may send unicast by us: the claim stays.
    let mut ben = bridged();
    ben.claim(STRANGER, CARA, ms(0));
    let outcome = ben.send(ms(1000), &hello(ANNAS, STRANGER));
    assert_eq!((outcome.sent.len(), outcome.delivered.len()), (1, 0));
}

/// BLA-55: UNCLAIM goes to the LAN, and the frame into the mesh; the next one does not say it again.
#[test]
fn bla_55_a_client_that_moved_to_the_lan_is_given_up() {
    let mut ben = bridged();
    ben.claim(ANNAS, BEN_0, ms(0));
    let outcome = ben.send(ms(500), &all(ANNAS));
    assert_eq!(outcome.delivered, [bytes(Claim::unclaiming(BEN_0, ANNAS, NONE, GROUP))]);
    let client = Client::untagged(ANNAS);
    assert_eq!(
        outcome.hints,
        [Hint::Bridge(BridgeNews::Unclaimed(client)), Hint::Local(client)],
        "TT learns it behind us"
    );
    assert_eq!(ben.send(ms(501), &all(ANNAS)).delivered.len(), 0);
}

/// BLA-113, BLA-26, BLA-22, BLA-23: which frames of the LAN are taken.
#[test]
fn bla_21_bla_22_bla_23_bla_26_bla_113_claim_frames_of_the_lan() {
    let claim = Claim::claiming(CARA, STRANGER, NONE, GROUP);
    let unknown = Claim { claim_type: ClaimType::Unknown(5), ..claim };
    for (frame, taken, because) in [
        (claim, true, "CLAIM"),
        (Claim::unclaiming(CARA, STRANGER, NONE, GROUP), true, "UNCLAIM"),
        (Claim::announcing(CARA, 7, NONE, GROUP), true, "ANNOUNCE"),
        (Claim::requesting(CARA, BEN_0, NONE, GROUP), true, "REQUEST"),
        (Claim::loop_detecting(CARA, [1, 2, 3, 4], NONE, GROUP), false, "LOOPDETECT"),
        (unknown, false, "a type that nobody knows"),
        (Claim::announcing(BEN_0, 7, NONE, GROUP), false, "our own, come back"),
    ] {
        let outcome = bridged().say_on_lan(ms(0), frame);
        let told = outcome.hints.contains(&Hint::Bridge(BridgeNews::Frame(frame)));
        assert_eq!(told, taken, "{because}");
        assert_eq!(outcome.sent.is_empty(), taken, "{because}");
        assert_eq!(outcome.dropped.contains(&Discard::ClaimFrame), taken, "{because}");
    }
    // Of another mesh: it ends here, and nobody is told (BLA-25).
    let outcome = bridged().say_on_lan(ms(0), Claim::announcing(EVE, 7, NONE, 0xffff));
    assert_eq!((outcome.fate(), outcome.hints), ((vec![Discard::ClaimFrame], 0), vec![]));
    // Behind two tags.
    let tagged = bytes(Claim::announcing(CARA, 7, Vid::from_tci(10), GROUP));
    let mut nested = tagged[..12].to_vec();
    nested.extend([0x81, 0x00, 0, 10]);
    nested.extend(&tagged[12..]);
    assert_eq!(bridged().send(ms(0), &nested).fate(), (vec![Discard::ClaimFrame], 0));
}

/// BLA-30, BLA-31: the very next frame finds what the LAN said, before the engine does.
#[test]
fn bla_30_bla_31_a_claim_of_the_lan_holds_from_the_next_frame_on() {
    let mut ben = bridged();
    ben.say_on_lan(ms(0), Claim::claiming(CARA, ANNAS, NONE, GROUP));
    let outcome = ben.receive(ms(0), 0, &flooded(1, &all(ANNAS)));
    assert_eq!((outcome.dropped, outcome.delivered), (vec![Discard::ForeignClaim], vec![]));
    ben.say_on_lan(ms(1), Claim::unclaiming(CARA, ANNAS, NONE, GROUP));
    let outcome = ben.receive(ms(1), 0, &flooded(2, &all(ANNAS)));
    assert_eq!(outcome.delivered.len(), 2, "claimed and delivered");
    ben.say_on_lan(ms(2), Claim::claiming(CARA, ANNAS, NONE, GROUP));
    let outcome = ben.receive(ms(2), 0, &flooded(3, &all(ANNAS)));
    assert_eq!(outcome.dropped, [Discard::ForeignClaim], "the latest wins");
    // What the LAN says of stations that are none does not count (BLA-27).
    let mut ben = bridged();
    ben.say_on_lan(ms(0), Claim::claiming(Mac::BROADCAST, ANNAS, NONE, GROUP));
    assert_eq!(ben.receive(ms(0), 0, &flooded(1, &all(ANNAS))).delivered.len(), 2);
}

/// BLA-50: repeated for the others, but we have it from the LAN.
#[test]
fn bla_50_a_broadcast_of_another_gateway_is_not_delivered() {
    let mut ben = bridged();
    let frame = on_air(Mac::BROADCAST, CARA, &broadcast(50, 1, CARA, &all(STRANGER)));
    let outcome = ben.receive(ms(0), 1, &frame);
    assert_eq!((outcome.sent.len(), outcome.delivered.len()), (1, 0));
    assert_eq!((outcome.dropped, outcome.hints), (vec![Discard::SameLan], vec![]));
    // On another VLAN she is a node like any other (BLA-53 for what is shorter).
    ben.change(|node| node.vlans = Arc::new([10].into_iter().collect()));
    let tagged = ethernet(Mac::BROADCAST, STRANGER, 0x8100, &[0, 10, 0x88, 0xb5, 1, 2, 3, 4]);
    let frame = on_air(Mac::BROADCAST, CARA, &broadcast(50, 2, CARA, &tagged));
    assert!(!ben.receive(ms(0), 1, &frame).delivered.is_empty());
}

/// BLA-51: and so is unicast from there; but what Cara only relays is not hers.
#[test]
fn bla_51_bla_53_unicast_of_another_gateway_is_not_delivered() {
    let mut ben = bridged();
    let receive = |ben: &mut Ben, source: Mac| {
        let packet = unicast(50, 20, BEN_0, &hello(BENS, source));
        ben.receive(ms(0), 1, &on_air(BEN_1, CARA, &packet))
    };
    assert_eq!(receive(&mut ben, STRANGER).fate(), (vec![Discard::SameLan], 0));
    let outcome = receive(&mut ben, ANNAS);
    assert!(outcome.delivered.contains(&hello(BENS, ANNAS)), "of Anna's, relayed by Cara");
    let short = unicast(50, 20, BEN_0, &hello(BENS, STRANGER)[..13]);
    let outcome = ben.receive(ms(0), 1, &on_air(BEN_1, CARA, &short));
    assert_eq!((outcome.delivered.len(), outcome.dropped), (0, vec![Discard::Truncated]));
}

/// BLA-52, BLA-61, BLA-65: the second copy of a LAN's broadcast dies here, with or without a LAN of our own.
#[test]
fn bla_52_bla_61_bla_65_a_broadcast_that_two_gateways_sent_is_one() {
    let mut ben = Ben::default();
    let inner = all(STRANGER);
    let first = on_air(Mac::BROADCAST, ANNA, &broadcast(50, 1, ANNA, &inner));
    let second = on_air(Mac::BROADCAST, CARA, &broadcast(50, 900, CARA, &inner));
    let outcome = ben.receive(ms(0), 0, &first);
    assert_eq!((outcome.sent.len(), outcome.delivered.len()), (1, 1));
    assert_eq!(ben.receive(ms(1), 1, &second).fate(), (vec![Discard::LanDuplicate], 0));
    // Anna's host says the same again.
    let again = on_air(Mac::BROADCAST, ANNA, &broadcast(50, 2, ANNA, &inner));
    assert_eq!(ben.receive(ms(2), 0, &again).delivered.len(), 1);
}

/// BLA-63, BLA-105: copies of a group frame that come as unicast.
#[test]
fn bla_63_bla_105_copies_by_unicast_are_compared_too() {
    let mut ben = bridged();
    ben.claim(ANNAS, BEN_0, ms(0));
    let copy = on_air(BEN_0, ANNA, &unicast(50, 20, BEN_0, &all(ANNAS)));
    assert_eq!(ben.receive(ms(0), 0, &copy).delivered.len(), 1);
    assert_eq!(ben.receive(ms(1), 0, &copy).fate(), (vec![Discard::LanDuplicate], 0));
}

/// BLA-67, BLA-103: our own loop detection frame, come back by the mesh.
#[test]
fn bla_67_bla_103_a_loop_is_told_for_3_s() {
    let mut ben = bridged();
    let mine = Claim::loop_detecting(BEN_0, [1, 2, 3, 4], NONE, GROUP);
    let until = ms(3000);
    ben.change_lan(|lan| lan.loop_detect = Some((mine.source, until)));
    let frame = bytes(mine);
    let outcome = ben.receive(ms(3000), 0, &flooded(1, &frame));
    assert_eq!(outcome.hints, news(BridgeNews::Loop(NONE)));
    assert_eq!((outcome.dropped, outcome.delivered), (vec![Discard::LoopDetect], vec![]));
    let outcome = ben.receive(ms(3001), 0, &flooded(2, &frame));
    assert_eq!((outcome.hints, outcome.dropped), (vec![], vec![Discard::LoopDetect]));
    // Another's is a broadcast like any other, and is claimed as such (BLA-58, BLA-69).
    let other = bytes(Claim::loop_detecting(ANNA, [9, 9, 9, 9], NONE, GROUP));
    let outcome = ben.receive(ms(3002), 0, &flooded(3, &other));
    assert_eq!(outcome.delivered.len(), 2);
    assert_eq!(outcome.hints.len(), 1, "no client is learned: {outcome:?}");
    // Not yet chosen: nobody's frame is ours.
    let mut ben = bridged();
    let outcome = ben.receive(ms(0), 0, &flooded(1, &all(Mac::ZERO)));
    assert_eq!(outcome.delivered, [all(Mac::ZERO)], "delivered, and nobody claimed (BLA-58)");
}

/// BLA-97 `[REC]`: the mesh cannot speak for gateways of our LAN.
#[test]
fn bla_97_claim_frames_from_the_mesh_end_here() {
    let mut ben = bridged();
    for claim in [
        Claim::claiming(CARA, STRANGER, NONE, GROUP),
        Claim::unclaiming(CARA, STRANGER, NONE, GROUP),
        Claim::announcing(CARA, 7, NONE, GROUP),
        Claim::requesting(CARA, BEN_0, NONE, GROUP),
    ] {
        let packet = unicast(50, 20, BEN_0, &bytes(claim));
        let outcome = ben.receive(ms(0), 0, &on_air(BEN_0, ANNA, &packet));
        assert_eq!((outcome.fate(), outcome.hints), ((vec![Discard::ClaimFrame], 0), vec![]));
    }
}

/// BLA-17, BLA-44, BLA-54: traffic on a VLAN that is not announced; once, while the engine has yet to hear of it.
#[test]
fn bla_17_bla_44_bla_54_traffic_on_a_new_vlan_is_told() {
    let ten = Vid::from_tci(10);
    let tagged =
        |source: Mac| ethernet(Mac::BROADCAST, source, 0x8100, &[0, 10, 0x88, 0xb5, 1, 2, 3, 4]);
    let mut ben = bridged();
    ben.change(|node| node.vlans = Arc::new([10].into_iter().collect()));
    let outcome = ben.send(ms(0), &tagged(STRANGER));
    assert!(outcome.hints.contains(&Hint::Bridge(BridgeNews::Traffic(ten))), "{outcome:?}");
    let outcome = ben.send(ms(1), &tagged(STRANGER));
    assert!(outcome.hints.is_empty());
    let mut ben = bridged();
    ben.change(|node| node.vlans = Arc::new([10].into_iter().collect()));
    let outcome = ben.receive(ms(0), 0, &flooded(1, &tagged(ANNAS)));
    assert!(outcome.hints.contains(&Hint::Bridge(BridgeNews::Traffic(ten))), "{outcome:?}");
    assert_eq!(
        outcome.delivered[0],
        bytes(Claim::claiming(BEN_0, ANNAS, ten, GROUP)),
        "tagged like the frame"
    );
}

/// BLA-92, MCAST-42, MCAST-44: who is bridged to our LAN has the group's frame already. Nobody else wants it: a skip counts
/// as success.
#[test]
fn bla_92_mcast_42_no_copy_to_gateways_of_our_lan() {
    let mut ben = bridged();
    let frame = v4([239, 1, 2, 3], 100);
    for packets in [false, true] {
        ben.writer.set_multicast(noctule_fib::Multicast { packets, ..known() });
        ben.announce(MCAST_GROUP, ClientFlags::NONE, &[ANNA, CARA]);
        let outcome = ben.send(ms(0), &frame);
        assert_eq!((outcome.sent.len(), outcome.dropped), (1, vec![]));
        assert_eq!(outcome.sent[0].0, 0, "to Anna");
        ben.announce(MCAST_GROUP, ClientFlags::NONE, &[CARA]);
        assert_eq!(ben.send(ms(0), &frame).fate(), (vec![], 0));
    }
}

/// MCAST-60, BLA-49 `[REC]`: of the gateways that are listed in one packet the one that serves the sender delivers.
#[test]
fn bla_49_mcast_60_a_multicast_packet_is_a_copy_like_a_broadcast() {
    for (owner, delivered) in [(BEN_0, 1), (CARA, 0)] {
        let mut ben = bridged();
        ben.claim(ANNAS, owner, ms(0));
        let mut frame = v4([239, 1, 2, 3], 100);
        frame[6..12].copy_from_slice(&ANNAS.0);
        let bytes = packet(50, &[BEN_0, CARA], &frame);
        let outcome = ben.receive(ms(0), 0, &on_air(BEN_0, ANNA, &bytes));
        assert_eq!(outcome.delivered.len(), delivered);
    }
}

/// BLA-93, DAT-34, DAT-45: the gateway that serves a client speaks for it.
#[test]
fn bla_93_dat_34_dat_45_who_answers_arp() {
    let annas_ip = core::net::Ipv4Addr::new(10, 0, 0, 1);
    let bens_ip = core::net::Ipv4Addr::new(10, 0, 0, 2);
    let arp = |operation, from: (Mac, _), to: (Mac, _)| Arp {
        operation,
        sender_mac: from.0,
        sender_ip: from.1,
        target_mac: to.0,
        target_ip: to.1,
    };
    let frame = |arp: Arp, destination: Mac| {
        let (mut bytes, len) = arp.reply_frame(NONE);
        bytes[..6].copy_from_slice(&destination.0);
        bytes[20..22].copy_from_slice(&u16::to_be_bytes(match arp.operation {
            Operation::Request => 1,
            _ => 2,
        }));
        bytes[..len].to_vec()
    };
    for (owner, answered) in [(BEN_0, true), (CARA, false)] {
        let mut ben = bridged();
        ben.change(|node| node.dat = Some(Arc::new(noctule_fib::DatRing::new([ANNA]))));
        ben.claim(ANNAS, owner, ms(0));
        // Learned from what Anna's client says to Ben's.
        let reply = arp(Operation::Reply, (ANNAS, annas_ip), (BENS, bens_ip));
        let packet = unicast(50, 20, BEN_0, &frame(reply, BENS));
        let outcome = ben.receive(ms(1), 0, &on_air(BEN_0, ANNA, &packet));
        assert_eq!(outcome.delivered.len(), usize::from(answered), "DAT-45");
        let request = arp(Operation::Request, (BENS, bens_ip), (Mac::ZERO, annas_ip));
        let outcome = ben.send(ms(500), &frame(request, Mac::BROADCAST));
        assert_eq!(outcome.delivered.len(), usize::from(answered), "DAT-34");
        assert!(outcome.sent.is_empty(), "handled, in both cases: it waits");
    }
}
