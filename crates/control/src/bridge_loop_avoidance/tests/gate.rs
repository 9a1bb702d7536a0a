//! Who is there, and when broadcasts pass.

use super::*;

#[test]
fn bla_01_bla_16_bla_17_a_bridged_node_announces_itself_and_holds_back_broadcasts() {
    let mut a = Gateway::new(A);
    a.with(s(0), |_, _, _, _| ());
    assert!(a.said().is_empty() && a.bla.lan(Instant::ZERO).is_none(), "no LAN, no talk");
    a.start(s(1));
    assert_eq!(a.said(), [Claim::announcing(A, 0, UNTAGGED, 0x22c0)]);
    assert!(a.is_gate_closed(UNTAGGED));
    assert!(!a.is_gate_closed(Vid::from_tci(10)));
}

/// BLA-39, BLA-40, BLA-73: three periods.
#[test]
fn bla_14_bla_39_bla_40_bla_73_the_gate_opens_with_the_third_period() {
    let mut a = Gateway::new(A);
    a.start(s(1));
    assert_eq!(a.bla.backbone_rows(s(2))[0].waits, Some(Duration::from_secs(29)));
    a.run_to(ms(30_999));
    assert!(a.is_gate_closed(UNTAGGED));
    let waits = |a: &Gateway, now| a.bla.backbone_rows(now)[0].waits;
    assert_eq!(waits(&a, ms(30_999)), Some(Duration::from_millis(1)));
    a.run_to(s(31));
    assert!(!a.is_gate_closed(UNTAGGED));
    assert_eq!(waits(&a, s(31)), None);
    let said = a.said();
    assert_eq!(said.len(), 4);
    assert!(said.iter().all(|claim| claim.claim_type == ClaimType::Announce), "BLA-14");
}

/// BLA-06, BLA-38, BLA-42 `[REC]`: a VLAN that comes later closes its own gate only.
#[test]
fn bla_06_bla_38_bla_42_each_vlan_has_its_own_gate() {
    let mut a = Gateway::new(A);
    a.start(s(1));
    a.run_to(s(40));
    a.said();
    let ten = Vid::from_tci(10);
    a.news(s(40), BridgeNews::Traffic(ten));
    a.news(s(40), BridgeNews::Traffic(Vid::from_tci(11)));
    assert_eq!(a.said(), [Claim::announcing(A, 0, ten, 0x22c0)], "VLAN 11 is not there");
    assert!(a.is_gate_closed(ten) && !a.is_gate_closed(UNTAGGED));
    a.run_to(s(75));
    assert!(!a.is_gate_closed(ten));
    let none = VlanSet::default();
    a.with(s(75), |bla, ctx, _, _| bla.set_vlans(ctx, &none));
    assert_eq!(a.crc(A, ten), None);
    assert_eq!(a.crc(A, UNTAGGED), Some(0));
}

/// BLA-26, BLA-32, BLA-34, BLA-35: the typical run of section 16, with the larger group.
#[test]
fn bla_24_bla_26_bla_32_bla_35_two_gateways_find_each_other() {
    let mut a = Gateway::new(A);
    let mut b = Gateway::new(B);
    a.start(s(1));
    b.start(s(1));
    let [hello] = a.said()[..] else { panic!("one announcement") };
    b.frame(s(1), hello);
    assert_eq!(b.bla.group(), Some(0x2380), "the own one is larger");
    assert_eq!(b.changes, [(A, UNTAGGED, true)], "its clients are in our LAN");
    assert!(b.fib.reader().pin().is_backbone(A, UNTAGGED));
    for claim in b.said() {
        a.frame(s(1), claim);
    }
    assert_eq!(a.bla.group(), Some(0x2380), "the larger one is adopted");
    assert_eq!(a.crc(B, UNTAGGED), Some(0));
    assert!(a.said().is_empty(), "CRC 0 is what is known");
}

/// BLA-72: a foreign gateway that is silent for more than 60 s is forgotten, with its claims.
#[test]
fn bla_41_bla_72_a_silent_gateway_is_forgotten() {
    let mut lan = two();
    let now = lan.now;
    let b = &mut lan.gateways[1];
    b.frame(now, Claim::claiming(A, C1, UNTAGGED, 0x2380));
    // A wrong CRC leaves A's entry unsynced.
    b.frame(now, Claim::announcing(A, 0xffff, UNTAGGED, 0x2380));
    assert!(b.is_gate_closed(UNTAGGED));
    b.run_to(now + Duration::from_secs(59));
    assert_eq!(b.crc(A, UNTAGGED), Some(0));
    b.run_to(now + Duration::from_secs(71));
    assert_eq!(b.crc(A, UNTAGGED), None);
    assert!(!b.is_gate_closed(UNTAGGED));
    assert_eq!(b.changes.last(), Some(&(A, UNTAGGED, false)));
    assert!(!b.fib.reader().pin().is_backbone(A, UNTAGGED));
}

/// BLA-N1: those who were told that the gate is closed learn at once that it is open again.
#[test]
fn bla_n1_a_gate_that_opens_between_two_periods_is_told() {
    let mut lan = two();
    let (now, b) = (lan.now, &mut lan.gateways[1]);
    b.frame(now, Claim::announcing(A, 0x3618, UNTAGGED, 0x2380));
    b.frame(now, Claim::claiming(A, C1, UNTAGGED, 0x2380));
    b.frame(now, Claim::announcing(A, 0x3618, UNTAGGED, 0x2380));
    let marks =
        |b: &mut Gateway| b.sent().iter().filter_map(|claim| claim.mark).collect::<Vec<_>>();
    assert_eq!(marks(b), [], "it was closed for a moment, and nobody knows");
    // Closed over a period.
    let period = b.bla.next_period;
    b.frame(period, Claim::announcing(A, 7, UNTAGGED, 0x2380));
    b.run_to(period);
    assert_eq!(marks(b), [false]);
    for _ in 0..3 {
        b.frame(period, Claim::announcing(A, 0, UNTAGGED, 0x2380));
        b.frame(period, Claim::announcing(A, 7, UNTAGGED, 0x2380));
    }
    assert_eq!(marks(b), [true], "once");
}

/// BLA-66: every six periods one frame for each VLAN, all with the same source.
#[test]
fn bla_66_bla_67_bla_68_rounds_of_loop_detection() {
    let mut a = Gateway::new(A);
    a.start(s(1));
    a.news(s(1), BridgeNews::Traffic(Vid::from_tci(10)));
    a.run_to(s(60));
    assert!(a.said().iter().all(|claim| claim.claim_type != ClaimType::LoopDetect));
    a.run_to(s(61));
    use ClaimType::{Announce, LoopDetect};
    let (none, ten) = (UNTAGGED, Vid::from_tci(10));
    let said = a.said();
    let kinds: Vec<_> = said.iter().map(|claim| (claim.claim_type, claim.vid)).collect();
    assert_eq!(kinds, [(Announce, none), (LoopDetect, none), (Announce, ten), (LoopDetect, ten)]);
    let source = said[1].source;
    assert!(source.is_loop_detect() && said[3].source == source && said[1].sender == A);
    let lan = a.bla.lan(Instant::ZERO).unwrap();
    assert_eq!(lan.loop_detect, Some((source, s(64))));
    a.news(s(61), BridgeNews::Loop(ten));
    assert_eq!(a.outputs.pop_front(), Some(Output::Event(Event::Loop(ten))));
    a.run_to(s(121));
    let next: Vec<_> =
        a.said().into_iter().filter(|claim| claim.claim_type == LoopDetect).collect();
    assert_eq!(next.len(), 2);
    assert_ne!(next[0].source, source, "a new one for each round");
}

/// BLA-18, BLA-82: switched off, nothing is said and all is forgotten without a word; on again it starts anew.
#[test]
fn bla_18_bla_82_the_switch() {
    let mut lan = two();
    let (now, a) = (lan.now, &mut lan.gateways[0]);
    a.claimed(now, C1);
    a.settings.bridge_loop_avoidance = false;
    a.with(now, |_, _, _, _| ());
    assert!(a.kinds().is_empty() && a.bla.lan(Instant::ZERO).is_none() && a.bla.group().is_none());
    assert_eq!((a.owner(C1), a.bla.next_deadline()), (None, Instant::NEVER));
    a.frame(now, Claim::announcing(B, 7, UNTAGGED, 0x2380));
    assert!(a.said().is_empty());
    a.settings.bridge_loop_avoidance = true;
    a.with(now, |_, _, _, _| ());
    assert_eq!(a.said(), [Claim::announcing(A, 0, UNTAGGED, 0x22c0)]);
    assert!(a.is_gate_closed(UNTAGGED));
}

/// BLA-80, BLA-84: another primary interface.
#[test]
fn bla_80_bla_84_another_originator_address_keeps_the_claims() {
    let mut lan = two();
    let (now, a) = (lan.now, &mut lan.gateways[0]);
    a.claimed(now, C1);
    a.said();
    let other = Mac([2, 0, 0, 0, 0, 3]);
    // Somebody has spoken in our new name, also on a VLAN that we do not speak on.
    for vid in [UNTAGGED, Vid::from_tci(10)] {
        a.frame(now, Claim::claiming(other, C2, vid, 0x2380));
    }
    let ten = (A, Vid::from_tci(10));
    a.with(now, |bla, ctx, _, _| {
        bla.table.remove_backbone(ctx, ten);
        bla.stale = true;
    });
    a.said();
    a.own = Some(other);
    a.with(now, |_, _, _, _| ());
    assert_eq!(a.said(), [Claim::announcing(other, 0x3618, UNTAGGED, 0xe341)]);
    assert_eq!((a.owner(C1), a.crc(A, UNTAGGED)), (Some(other), None));
    assert!(!a.is_gate_closed(UNTAGGED));
    assert_eq!(a.bla.table.of(other).map(|(vid, _)| vid).collect::<Vec<_>>(), [UNTAGGED], "only");
    assert_eq!(a.owner(C2), None, "what was said in our new name was a lie");
    a.own = None;
    a.with(now, |_, _, _, _| ());
    assert_eq!((a.owner(C1), a.bla.group()), (None, None), "BLA-11");
    assert!(a.said().is_empty());
}

/// BLA-13, BLA-83: whoever leaves gives up its clients.
#[test]
fn bla_13_bla_83_shutdown_gives_up_the_claims() {
    let mut lan = two();
    let now = lan.now;
    lan.gateways[0].claimed(now, C1);
    lan.gateways[1].frame(now, Claim::claiming(A, C1, UNTAGGED, 0x2380));
    lan.gateways[0].with(now, |bla, ctx, _, _| bla.set_bridged(ctx, false));
    lan.settle();
    assert_eq!(lan.heard.last(), Some(&Claim::unclaiming(A, C1, UNTAGGED, 0x2380)));
    assert_eq!(lan.owner(C1), None);
}
