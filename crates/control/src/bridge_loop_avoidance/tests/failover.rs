//! A gateway that is gone, or has no mesh any more.

use super::*;

const GROUP: u16 = 0x2380;

/// Two gateways, of which A serves both clients.
fn a_serves() -> Lan {
    let mut lan = two();
    let now = lan.now;
    for client in [C1, C2] {
        lan.gateways[0].claimed(now, client);
        lan.gateways[1].frame(now, Claim::claiming(A, client, UNTAGGED, GROUP));
    }
    lan.heard.clear();
    lan
}

/// Whether A still speaks on the LAN, as the module does, or is dead: within 5 s B serves, and the LAN has heard it.
#[test]
fn the_clients_of_a_gateway_that_the_mesh_does_not_hear_are_taken_over() {
    let mut lan = a_serves();
    // Somebody whom nobody in the mesh announces stays where it is.
    let lost = Mac([2, 0xaa, 0, 0, 0, 0x99]);
    let now = lan.now;
    lan.gateways[0].claimed(now, lost);
    lan.gateways[1].frame(now, Claim::claiming(A, lost, UNTAGGED, GROUP));
    lan.run(Duration::from_millis(2500), &[B, NODE]);
    assert_eq!(lan.owner(C1), Some(A), "one lost OGM is nothing");
    lan.run(Duration::from_millis(2500), &[B, NODE]);
    assert_eq!((lan.owner(C1), lan.owner(C2), lan.owner(lost)), (Some(B), Some(B), Some(A)));
    let mut claims = lan.heard.clone();
    claims.retain(|claim| claim.claim_type == ClaimType::Claim);
    assert_eq!(claims, [C1, C2].map(|client| Claim::claiming(B, client, UNTAGGED, GROUP)));
}

/// Each knows whom to leave a client to: those that the mesh hears.
#[test]
fn bla_n1_a_gateway_that_the_mesh_does_not_hear_is_no_rival() {
    let mut lan = two();
    let rivals = |lan: &mut Lan| lan.gateways[1].bla.lan(lan.now).unwrap().rivals.clone();
    let rival = Rival { gateway: A, vid: UNTAGGED, yields: true };
    assert_eq!(*rivals(&mut lan), [rival]);
    lan.run(Duration::from_secs(5), &[B, NODE]);
    assert!(rivals(&mut lan).is_empty());
    lan.run(Duration::from_secs(5), &[A, B, NODE]);
    assert_eq!(*rivals(&mut lan), [rival]);
}

/// A new one holds broadcasts back, so nothing is left to it; one that serves clients when it is heard first is at work.
#[test]
fn bla_n1_a_gateway_that_holds_broadcasts_back_is_no_rival() {
    for (crc, ready) in [(0, false), (0x1234, true)] {
        let mut lan = Lan::of(&[B]);
        lan.gateways[0].start(s(1));
        lan.run(Duration::from_secs(40), &[A, NODE]);
        let now = lan.now;
        lan.gateways[0].frame(now, Claim::announcing(A, crc, UNTAGGED, GROUP));
        let rivals = |lan: &mut Lan| lan.gateways[0].bla.lan(lan.now).unwrap().rivals.len();
        for passed in [5, 35] {
            lan.run(Duration::from_secs(passed), &[A, NODE]);
            assert_eq!(rivals(&mut lan), usize::from(ready || passed > 30), "{crc} {passed}");
        }
        for passes in [false, true, false] {
            let now = lan.now;
            let announcement = Claim::announcing(A, 0, UNTAGGED, GROUP).marked(passes);
            lan.gateways[0].frame(now, announcement);
            assert_eq!(rivals(&mut lan), usize::from(passes), "it says so");
        }
    }
}

/// BLA-39, BLA-47: one whose CLAIM is the first that is heard of it does not wait: waiting begins with an ANNOUNCE.
#[test]
fn bla_n1_bla_47_a_gateway_that_begins_with_a_claim_is_at_work() {
    let mut lan = Lan::of(&[B]);
    lan.gateways[0].start(s(1));
    lan.run(Duration::from_secs(40), &[A, NODE]);
    let now = lan.now;
    lan.gateways[0].frame(now, Claim::claiming(A, C1, UNTAGGED, GROUP));
    lan.run(Duration::from_secs(5), &[A, NODE]);
    let rivals = lan.gateways[0].bla.lan(lan.now).unwrap().rivals.clone();
    assert_eq!(*rivals, [Rival { gateway: A, vid: UNTAGGED, yields: false }]);
}

/// A client that was left to another gateway, which does nothing, is claimed; one that it claims is not.
#[test]
fn bla_n1_what_nobody_claims_is_claimed_by_the_second_choice() {
    for claimed in [false, true] {
        let mut lan = two();
        let now = lan.now;
        lan.gateways[1].news(now, BridgeNews::Yielded(Client::untagged(C1)));
        if claimed {
            lan.gateways[0].claimed(now, C1);
            lan.gateways[1].frame(now, Claim::claiming(A, C1, UNTAGGED, GROUP));
        }
        lan.run(Duration::from_millis(59), &[A, B, NODE]);
        assert_eq!(lan.owner(C1), claimed.then_some(A));
        lan.run(Duration::from_millis(1), &[A, B, NODE]);
        assert_eq!(lan.owner(C1), Some(if claimed { A } else { B }));
    }
}

/// Whose announcements lack the mark claims whatever it sees.
#[test]
fn bla_n1_a_gateway_without_the_mark_does_not_yield() {
    let mut lan = two();
    let now = lan.now;
    lan.gateways[1].frame(now, Claim::announcing(A, 0, UNTAGGED, GROUP));
    let rivals = lan.gateways[1].bla.lan(now).unwrap().rivals.clone();
    assert_eq!(*rivals, [Rival { gateway: A, vid: UNTAGGED, yields: false }]);
}

/// A gateway that was away itself for long does not take the others' silence for their rhythm.
#[test]
fn a_second_gateway_that_dies_is_missed_as_soon_as_the_first() {
    let mut lan = a_serves();
    lan.run(Duration::from_secs(30), &[B, NODE]);
    assert_eq!(lan.owner(C1), Some(B));
    lan.run(Duration::from_secs(10), &[A, B, NODE]);
    let now = lan.now;
    lan.gateways[0].claimed(now, C1);
    lan.gateways[1].frame(now, Claim::claiming(A, C1, UNTAGGED, GROUP));
    lan.run(Duration::from_secs(5), &[B, NODE]);
    assert_eq!(lan.owner(C1), Some(B));
}

/// A route that the algorithm takes for dead is enough.
#[test]
fn a_gateway_without_a_route_loses_its_clients_at_once() {
    let mut lan = a_serves();
    lan.gateways[1].mesh.0.insert(A, 0);
    lan.run(Duration::from_millis(1500), &[A, B, NODE]);
    assert_eq!(lan.owner(C1), Some(B));
}

/// A gateway whose OGMs were never heard, of a mesh beyond, for instance, is not doubted.
#[test]
fn a_gateway_that_was_never_heard_keeps_its_clients() {
    let mut lan = Lan::of(&[A, B]);
    for gateway in &mut lan.gateways {
        gateway.start(s(1));
        gateway.announced(C1);
    }
    lan.run(Duration::from_secs(35), &[NODE]);
    let now = lan.now;
    lan.gateways[0].claimed(now, C1);
    lan.gateways[1].frame(now, Claim::claiming(A, C1, UNTAGGED, GROUP));
    lan.run(Duration::from_secs(30), &[NODE]);
    assert_eq!(lan.owner(C1), Some(A));
}

/// BLA-13: without a mesh it gives up its clients, for those gateways that do not take over by themselves.
#[test]
fn bla_13_a_gateway_that_does_not_hear_the_mesh_gives_up_its_clients() {
    let mut a = a_serves().gateways.remove(0);
    let now = s(36);
    a.said();
    for metric in a.mesh.0.values_mut() {
        *metric = 0;
    }
    a.run_to(now + Duration::from_secs(6));
    assert_eq!(a.owner(C1), Some(A));
    a.run_to(now + Duration::from_millis(7500));
    assert_eq!((a.owner(C1), a.owner(C2)), (None, None));
    let unclaims = a.said().iter().filter(|claim| claim.claim_type == ClaimType::Unclaim).count();
    assert_eq!(unclaims, 2);
}

/// Three gateways: one heir for each client, and they agree who.
#[test]
fn several_heirs_agree() {
    let third = Mac([2, 0, 0, 0, 0, 4]);
    let mut lan = Lan::of(&[A, B, third]);
    for gateway in &mut lan.gateways {
        gateway.mesh.0.insert(third, 200);
        gateway.start(s(1));
        gateway.announced(C1);
    }
    lan.run(Duration::from_secs(35), &[A, B, third, NODE]);
    let now = lan.now;
    lan.gateways[0].claimed(now, C1);
    for other in [1, 2] {
        let group = lan.gateways[other].bla.group;
        lan.gateways[other].frame(now, Claim::claiming(A, C1, UNTAGGED, group));
    }
    lan.run(Duration::from_secs(6), &[B, third, NODE]);
    let owner = lan.owner(C1);
    assert!([Some(B), Some(third)].contains(&owner), "{owner:?}");
}
