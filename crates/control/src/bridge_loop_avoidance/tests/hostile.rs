//! Anybody on the LAN can say anything.

use super::*;

const GROUP: u16 = 0x2380;

/// BLA-24, BLA-25: another mesh on the same LAN is none of our business, whatever its group is.
#[test]
fn bla_24_bla_25_frames_of_another_mesh() {
    let mut lan = two();
    let (now, a) = (lan.now, &mut lan.gateways[0]);
    a.frame(now, Claim::announcing(STRANGER, 7, UNTAGGED, 0xffff));
    a.frame(now, Claim::claiming(STRANGER, C1, UNTAGGED, 0xffff));
    assert_eq!((a.crc(STRANGER, UNTAGGED), a.owner(C1), a.bla.group()), (None, None, Some(GROUP)));
    assert_eq!(a.discarded(Discard::ClaimFrame), 2);
    // With our group nobody needs to know it.
    a.frame(now, Claim::claiming(STRANGER, C1, UNTAGGED, GROUP));
    assert_eq!(a.owner(C1), Some(STRANGER));
    // A known one with a smaller group is heard, and the group stays.
    a.frame(now, Claim::claiming(B, C2, UNTAGGED, 1));
    assert_eq!((a.owner(C2), a.bla.group()), (Some(B), Some(GROUP)));
    a.frame(now, Claim::announcing(B, 0xf6d9, UNTAGGED, 0xf000));
    assert_eq!(a.bla.group(), Some(0xf000));
}

/// BLA-23: our own words, come back; BLA-27: groups and nobody.
#[test]
fn bla_23_bla_27_frames_that_mean_nothing() {
    let mut lan = two();
    let (now, a) = (lan.now, &mut lan.gateways[0]);
    a.claimed(now, C1);
    let group = Mac([1, 0, 0x5e, 0, 0, 1]);
    for claim in [
        Claim::unclaiming(A, C1, UNTAGGED, GROUP),
        Claim::announcing(A, 7, UNTAGGED, GROUP),
        Claim::claiming(B, group, UNTAGGED, GROUP),
        Claim::claiming(B, Mac::ZERO, UNTAGGED, GROUP),
        Claim::claiming(group, C1, UNTAGGED, GROUP),
        Claim::unclaiming(Mac::ZERO, C1, UNTAGGED, GROUP),
        Claim::announcing(group, 7, UNTAGGED, GROUP),
        Claim { sender: C1, ..Claim::announcing(B, 7, UNTAGGED, GROUP) },
        Claim { claim_type: ClaimType::Unknown(9), ..Claim::claiming(B, C1, UNTAGGED, GROUP) },
    ] {
        a.frame(now, claim);
        assert_eq!(a.owner(C1), Some(A), "{claim:?}");
    }
    assert!(a.said().is_empty());
    assert_eq!(a.bla.table.backbones().count(), 2);
    a.claimed(now, group);
    assert_eq!(a.owner(group), None, "BLA-58");
}

/// BLA-42: a VLAN that the mesh interface does not have closes no gate and makes no entry.
#[test]
fn bla_42_frames_on_ever_new_vlans_do_nothing() {
    let mut lan = two();
    let (now, a) = (lan.now, &mut lan.gateways[0]);
    for id in 1..=4095 {
        let vid = Vid::from_tci(id);
        a.frame(now, Claim::announcing(B, 7, vid, GROUP));
        a.news(now, BridgeNews::Claimed(Client::new(C1, vid)));
    }
    let vids: Vec<_> = a.bla.table.backbones().map(|(mac, vid, _)| (mac, vid)).collect();
    let ten = Vid::from_tci(10);
    assert_eq!(vids, [(A, UNTAGGED), (A, ten), (B, UNTAGGED), (B, ten)]);
    assert!(!a.is_gate_closed(UNTAGGED));
}

/// BLA-07: both tables are bounded; what does not fit is counted, and our own entries always fit.
#[test]
fn bla_07_full_tables_take_nothing_more() {
    let mut lan = two();
    let (now, a) = (lan.now, &mut lan.gateways[0]);
    a.settings.limits = Limits { backbones: 5, claims: 7, ..Limits::default() };
    for number in 0..20 {
        a.frame(now, Claim::announcing(Mac([2, 1, 1, 1, 1, number]), 0, UNTAGGED, GROUP));
        a.frame(now, Claim::claiming(B, Mac([2, 2, 2, 2, 2, number]), UNTAGGED, GROUP));
    }
    assert_eq!((a.bla.table.backbones().count(), a.bla.table.claims().count()), (5, 7));
    assert_eq!(a.discarded(Discard::BridgeTableFull), 17 + 13);
    // Those of the LAN do not take the places of ours, and one that changes hands takes none.
    for number in 0..20 {
        a.claimed(now, Mac([2, 3, 3, 3, 3, number]));
    }
    assert_eq!(a.bla.table.claims().count(), 7 + 7);
    let full = Claim::unclaiming(A, Mac([2, 3, 3, 3, 3, 7]), UNTAGGED, GROUP);
    assert_eq!(a.said().iter().filter(|claim| **claim == full).count(), 1, "others may have it");
    a.frame(now, Claim::claiming(B, Mac([2, 3, 3, 3, 3, 0]), UNTAGGED, GROUP));
    assert_eq!(a.owner(Mac([2, 3, 3, 3, 3, 0])), None, "the latest claim wins, remembered or not");
    assert_eq!(a.bla.table.claims().count(), 7 + 6);
    let third = Mac([2, 1, 1, 1, 1, 0]);
    a.frame(now, Claim::claiming(third, Mac([2, 2, 2, 2, 2, 0]), UNTAGGED, GROUP));
    assert_eq!(a.owner(Mac([2, 2, 2, 2, 2, 0])), Some(third));
    a.news(now, BridgeNews::Traffic(Vid::from_tci(10)));
    assert_eq!(a.crc(A, Vid::from_tci(10)), Some(0));
}

/// BLA-07: a gateway that has more claims than find a place cannot be asked until its sum is right. The gate opens, what has
/// a place stays, and it is asked once a minute.
#[test]
fn bla_07_a_gateway_with_too_many_claims_does_not_close_the_gate() {
    let mut lan = Lan::of(&[A, B]);
    for gateway in &mut lan.gateways {
        gateway.start(s(1));
    }
    lan.gateways[0].settings.limits.claims = 3;
    lan.run(Duration::from_secs(35), &[A, B, NODE]);
    let now = lan.now;
    for number in 0..5 {
        lan.gateways[1].claimed(now, Mac([2, 2, 2, 2, 2, number]));
    }
    let mut asked = 0;
    for second in 0..180 {
        lan.run(Duration::from_secs(1), &[A, B, NODE]);
        assert!(!lan.gateways[0].is_gate_closed(UNTAGGED), "{second} s");
        let request = Claim::requesting(A, B, UNTAGGED, GROUP);
        asked += lan.heard.drain(..).filter(|claim| *claim == request).count();
        if second > 12 && second < 90 {
            assert_eq!(lan.gateways[0].bla.table.claims().count(), 3, "{second} s");
        }
    }
    assert!((2..=4).contains(&asked), "{asked}");
}

/// BLA-42 `[DEV]`: whoever forges sums closes a VLAN's gate for 5 s of a minute at most, however that is tried.
#[test]
fn bla_42_forged_sums_close_the_gate_for_a_moment() {
    let silence = |_: u64| vec![];
    let in_turn =
        |tick: u64| vec![Claim::announcing(B, [7, 0][tick as usize % 2], UNTAGGED, GROUP)];
    let ever_new = |tick: u64| {
        let mac = Mac([2, 1, 1, 1, (tick >> 8) as u8, tick as u8]);
        vec![Claim::announcing(mac, 7, UNTAGGED, GROUP)]
    };
    let attacks: [&dyn Fn(u64) -> Vec<Claim>; 3] = [&silence, &in_turn, &ever_new];
    for (which, attack) in attacks.into_iter().enumerate() {
        let mut lan = two();
        let (now, a) = (lan.now, &mut lan.gateways[0]);
        a.frame(now, Claim::announcing(STRANGER, 7, UNTAGGED, GROUP));
        assert!(a.is_gate_closed(UNTAGGED));
        let mut closed = 0;
        for tick in 0..1200 {
            let at = now + Duration::from_millis(tick * 100);
            a.run_to(at);
            for claim in attack(tick) {
                a.frame(at, claim);
            }
            closed += u32::from(a.is_gate_closed(UNTAGGED));
        }
        // Two minutes; what is looked at each half second may be so much late.
        assert!((50..=115).contains(&closed), "attack {which}: {closed} tenths");
        let forced = a.counters.get(noctule_fib::Counter::BlaGateForced);
        assert!((1..=2).contains(&forced), "attack {which}: {forced}");
    }
}

/// BLA-28: requests that are answered, and requests that are sent.
#[test]
fn bla_28_answers_and_requests_have_a_rate() {
    let mut lan = two();
    let (now, a) = (lan.now, &mut lan.gateways[0]);
    a.claimed(now, C1);
    for _ in 0..5 {
        a.frame(now, Claim::requesting(B, A, UNTAGGED, GROUP));
    }
    assert_eq!(a.kinds().len(), 2, "one answer");
    for number in 0..50 {
        a.frame(now, Claim::requesting(Mac([2, 1, 1, 1, 1, number]), A, UNTAGGED, GROUP));
    }
    assert_eq!(a.kinds().len(), 2 * 15, "16 in a second");
    for crc in 1..6 {
        a.frame(now, Claim::announcing(B, crc, UNTAGGED, GROUP));
    }
    assert_eq!(a.said(), [Claim::requesting(A, B, UNTAGGED, GROUP)]);
    let later = now + Duration::from_millis(1001);
    a.frame(later, Claim::announcing(B, 9, UNTAGGED, GROUP));
    a.frame(later, Claim::requesting(B, A, UNTAGGED, GROUP));
    assert_eq!(a.kinds().len(), 3);
    assert_eq!(a.discarded(Discard::RateLimited), 4 + 35 + 4);
}
