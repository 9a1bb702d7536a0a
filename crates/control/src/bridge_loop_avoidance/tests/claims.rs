//! Who serves whom.

use super::*;

const GROUP: u16 = 0x2380;

#[test]
fn bla_02_bla_03_bla_04_bla_05_the_sums_follow_the_claims() {
    let mut lan = two();
    let (now, a) = (lan.now, &mut lan.gateways[0]);
    a.claimed(now, C1);
    a.claimed(now, C2);
    a.claimed(now, C2);
    assert_eq!(a.crc(A, UNTAGGED), Some(0xc0c1));
    assert!(a.said().is_empty(), "BLA-12: the data plane has said it");
    a.frame(now, Claim::claiming(B, C2, UNTAGGED, GROUP));
    assert_eq!((a.crc(A, UNTAGGED), a.crc(B, UNTAGGED)), (Some(0x3618), Some(0xf6d9)));
    assert_eq!((a.owner(C1), a.owner(C2)), (Some(A), Some(B)));
}

/// BLA-30: the latest claim wins, whoever had the client; BLA-12: nothing is answered.
#[test]
fn bla_12_bla_30_the_latest_claim_wins() {
    let mut lan = two();
    let now = lan.now;
    lan.gateways[0].claimed(now, C1);
    lan.gateways[1].frame(now, Claim::claiming(A, C1, UNTAGGED, GROUP));
    assert_eq!(lan.owner(C1), Some(A));
    let later = now + Duration::from_secs(1);
    lan.gateways[1].claimed(later, C1);
    lan.gateways[0].frame(later, Claim::claiming(B, C1, UNTAGGED, GROUP));
    assert_eq!(lan.owner(C1), Some(B));
    assert!(lan.gateways[0].said().is_empty());
    lan.run(Duration::from_secs(15), &[A, B, NODE]);
    assert_eq!(lan.owner(C1), Some(B));
}

#[test]
fn bla_31_unclaim_deletes_whoever_says_it_and_strange_ones_are_counted() {
    let mut lan = two();
    let (now, a) = (lan.now, &mut lan.gateways[0]);
    let strange = noctule_fib::Counter::BlaStrangeUnclaim;
    a.frame(now, Claim::claiming(B, C1, UNTAGGED, GROUP));
    a.frame(now, Claim::unclaiming(B, C1, UNTAGGED, GROUP));
    assert_eq!((a.owner(C1), a.counters.get(strange)), (None, 0));
    a.claimed(now, C1);
    a.frame(now, Claim::unclaiming(B, C1, UNTAGGED, GROUP));
    assert_eq!((a.owner(C1), a.counters.get(strange)), (None, 1));
}

/// BLA-33, BLA-34, BLA-15, BLA-36: a lost claim is repaired with the next announcement.
#[test]
fn bla_15_bla_33_bla_34_bla_36_a_wrong_sum_is_repaired() {
    let mut lan = two();
    let now = lan.now;
    lan.gateways[0].claimed(now, C1);
    lan.gateways[0].claimed(now, C2);
    // B has not heard the claims.
    lan.heard.clear();
    lan.run(Duration::from_secs(10), &[A, B, NODE]);
    let kinds: Vec<_> = lan.heard.iter().map(|claim| claim.claim_type).collect();
    use ClaimType::{Announce, Claim as Claims, Request};
    let asked = kinds.iter().position(|kind| *kind == Request).expect("B asks");
    assert_eq!(kinds[asked + 1..asked + 4], [Claims, Claims, Announce]);
    assert_eq!((lan.owner(C1), lan.owner(C2)), (Some(A), Some(A)));
    assert!(!lan.gateways[1].is_gate_closed(UNTAGGED));
}

/// BLA-33: until the answer is there the gate of that VLAN is closed.
#[test]
fn bla_33_a_wrong_sum_drops_the_claims_and_closes_the_gate() {
    let mut lan = two();
    let (now, b) = (lan.now, &mut lan.gateways[1]);
    b.frame(now, Claim::claiming(A, C1, UNTAGGED, GROUP));
    b.frame(now, Claim::announcing(A, 0xc0c1, UNTAGGED, GROUP));
    assert_eq!(b.said(), [Claim::requesting(B, A, UNTAGGED, GROUP)]);
    assert_eq!((b.owner(C1), b.crc(A, UNTAGGED)), (None, Some(0)));
    assert!(b.is_gate_closed(UNTAGGED));
    for client in [C1, C2] {
        b.frame(now, Claim::claiming(A, client, UNTAGGED, GROUP));
    }
    assert!(b.is_gate_closed(UNTAGGED));
    b.frame(now, Claim::announcing(A, 0xc0c1, UNTAGGED, GROUP));
    assert!(!b.is_gate_closed(UNTAGGED));
}

/// BLA-28, BLA-33: an answer of which a frame was lost is asked for again a second later, not with the next announcement.
#[test]
fn bla_28_bla_33_an_answer_that_was_not_whole_is_asked_for_again() {
    let mut lan = two();
    let (now, b) = (lan.now, &mut lan.gateways[1]);
    let request = [Claim::requesting(B, A, UNTAGGED, GROUP)];
    for sent in [&request[..], &[]] {
        b.frame(now, Claim::announcing(A, 0xc0c1, UNTAGGED, GROUP));
        assert_eq!(b.said(), sent);
        b.frame(now, Claim::claiming(A, C1, UNTAGGED, GROUP));
    }
    let asked = |b: &mut Gateway| b.said().iter().filter(|claim| **claim == request[0]).count();
    b.run_to(now + Duration::from_secs(1));
    assert_eq!(asked(b), 0);
    b.run_to(now + Duration::from_millis(1600));
    assert_eq!(asked(b), 1);
    for client in [C1, C2] {
        b.frame(now + Duration::from_millis(1600), Claim::claiming(A, client, UNTAGGED, GROUP));
    }
    b.frame(now + Duration::from_millis(1600), Claim::announcing(A, 0xc0c1, UNTAGGED, GROUP));
    assert!(!b.is_gate_closed(UNTAGGED));
    b.run_to(now + Duration::from_millis(2700));
    assert_eq!((asked(b), b.owner(C1), b.owner(C2)), (0, Some(A), Some(A)));
}

/// BLA-36: destination and SHA must both be ours.
#[test]
fn bla_36_a_request_for_somebody_else_is_not_answered() {
    let mut lan = two();
    let (now, a) = (lan.now, &mut lan.gateways[0]);
    a.claimed(now, C1);
    let request = Claim::requesting(B, A, UNTAGGED, GROUP);
    a.frame(now, Claim { sender: B, ..request });
    a.frame(now, Claim { destination: STRANGER, sender: STRANGER, ..request });
    assert!(a.said().is_empty());
    a.frame(now, request);
    let claim = Claim::claiming(A, C1, UNTAGGED, GROUP);
    assert_eq!(a.said(), [claim, Claim::announcing(A, 0x3618, UNTAGGED, GROUP)]);
}

/// BLA-55: the data plane has seen the client on the LAN.
#[test]
fn bla_55_a_client_that_moved_to_the_lan_is_nobodys() {
    let mut lan = two();
    let (now, a) = (lan.now, &mut lan.gateways[0]);
    a.claimed(now, C1);
    a.frame(now, Claim::claiming(B, C2, UNTAGGED, GROUP));
    for client in [C1, C2] {
        a.news(now, BridgeNews::Unclaimed(Client::untagged(client)));
    }
    assert_eq!((a.owner(C1), a.owner(C2)), (None, Some(B)), "another's claim stays");
}

/// BLA-71: strictly later than 100 s after the last frame from the mesh, wherever that was seen.
#[test]
fn bla_56_bla_71_claims_of_silent_clients_end() {
    let mut lan = two();
    let (start, a) = (lan.now, &mut lan.gateways[0]);
    a.claimed(start, C1);
    a.claimed(start, C2);
    a.frame(start, Claim::claiming(B, Mac([2, 9, 9, 9, 9, 9]), UNTAGGED, GROUP));
    a.said();
    let seen = start + Duration::from_secs(60);
    a.fib.reader().pin().claim(Client::untagged(C2)).unwrap().use_at(seen);
    a.run_to(start + Duration::from_secs(112));
    assert_eq!((a.owner(C1), a.owner(C2)), (None, Some(A)));
    let unclaims: Vec<_> =
        a.said().into_iter().filter(|claim| claim.claim_type == ClaimType::Unclaim).collect();
    assert_eq!(unclaims, [Claim::unclaiming(A, C1, UNTAGGED, GROUP)]);
    a.run_to(start + Duration::from_secs(172));
    assert_eq!(a.owner(C2), None);
}

/// BLA-98: both claim at once. One of them, and only one, claims again.
#[test]
fn bla_98_of_two_that_claim_at_once_one_keeps_the_client() {
    let mut lan = two();
    let now = lan.now;
    for (gateway, other) in [(0, B), (1, A)] {
        lan.gateways[gateway].claimed(now, C1);
        lan.gateways[gateway].frame(now, Claim::claiming(other, C1, UNTAGGED, GROUP));
    }
    assert_eq!(lan.gateways[0].owner(C1), Some(B), "as the protocol wants");
    assert_eq!(lan.gateways[1].owner(C1), Some(A));
    lan.heard.clear();
    lan.run(Duration::from_secs(1), &[A, B, NODE]);
    assert_eq!(lan.owner(C1), Some(A), "the lower address");
    assert_eq!(lan.heard, [Claim::claiming(A, C1, UNTAGGED, GROUP)]);
    // With one that does not do that, like the module, the other one does.
    let now = lan.now;
    let b = &mut lan.gateways[1];
    b.claimed(now, C2);
    b.frame(now, Claim::claiming(A, C2, UNTAGGED, GROUP));
    b.run_to(now + Duration::from_secs(1));
    assert_eq!(b.owner(C2), Some(B));
    assert_eq!(b.said(), [Claim::claiming(B, C2, UNTAGGED, GROUP)]);
}

/// BLA-96: what tools show.
#[test]
fn bla_96_rows() {
    let mut lan = two();
    let now = lan.now;
    lan.gateways[0].claimed(now, C1);
    lan.gateways[0].frame(now, Claim::claiming(B, C2, UNTAGGED, GROUP));
    let bla = &lan.gateways[0].bla;
    let claims: Vec<_> = bla
        .claim_rows()
        .iter()
        .map(|row| (row.client.mac, row.backbone, row.own, row.crc))
        .collect();
    assert_eq!(claims, [(C1, A, true, 0x3618), (C2, B, false, 0xf6d9)]);
    let rows = bla.backbone_rows(now);
    let backbones: Vec<_> = rows.iter().map(|row| (row.backbone, row.own, row.crc)).collect();
    assert_eq!(backbones, [(A, true, 0x3618), (B, false, 0xf6d9)]);
    assert_eq!(bla.group(), Some(GROUP));
}
