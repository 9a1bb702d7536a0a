//! Several gateways that claim one client at the same moment (BLA-N3).

use super::*;

/// The group that both end up with: the larger one.
const GROUP: u16 = 0x2380;
/// A third gateway, without our rules.
const THIRD: Mac = Mac([2, 0, 0, 0, 0, 3]);

/// Each of three has heard the claims of the two others after its own: the client must not be left to nobody.
#[test]
fn bla_n3_of_three_that_claim_at_once_one_keeps_the_client() {
    let mut lan = two();
    let now = lan.now;
    let others = [(0, [B, THIRD]), (1, [A, THIRD])];
    for (gateway, others) in others {
        lan.gateways[gateway].mesh.0.insert(THIRD, 200);
        lan.gateways[gateway].claimed(now, C1);
        for other in others {
            lan.gateways[gateway].frame(now, Claim::claiming(other, C1, UNTAGGED, GROUP));
        }
    }
    assert_eq!((lan.gateways[0].owner(C1), lan.gateways[1].owner(C1)), (Some(THIRD), Some(THIRD)));
    lan.heard.clear();
    lan.run(Duration::from_secs(1), &[A, B, NODE]);
    assert_eq!(lan.owner(C1), Some(A), "the lowest address");
    assert_eq!(lan.heard, [Claim::claiming(A, C1, UNTAGGED, GROUP)]);
}

/// A claim behind the contest, or one that is answered to a request, ends it: that one has the client.
#[test]
fn bla_n3_a_later_claim_stands() {
    let mut lan = two();
    let now = lan.now;
    let a = &mut lan.gateways[0];
    a.claimed(now, C1);
    a.frame(now, Claim::claiming(B, C1, UNTAGGED, GROUP));
    a.frame(now + Duration::from_millis(60), Claim::claiming(B, C1, UNTAGGED, GROUP));
    a.run_to(now + Duration::from_secs(1));
    assert_eq!((a.owner(C1), a.said()), (Some(B), vec![]));
}

/// BLA-48: the other gateway gets the client's unicast frames, so it takes the client over however often it is claimed
/// back. One claim more is enough to know.
#[test]
fn bla_n3_a_client_is_claimed_again_once() {
    let mut lan = two();
    let now = lan.now;
    let b = &mut lan.gateways[1];
    b.claimed(now, C1);
    b.frame(now, Claim::claiming(A, C1, UNTAGGED, GROUP));
    let mut claims = 0;
    for tick in 1..2000 {
        let at = now + Duration::from_millis(tick);
        b.run_to(at);
        for claim in b.said().iter().filter(|claim| claim.claim_type == ClaimType::Claim) {
            assert_eq!(claim.sender, B);
            claims += 1;
            // The next unicast frame of the client.
            b.frame(at + Duration::from_millis(1), Claim::claiming(A, C1, UNTAGGED, GROUP));
        }
    }
    assert_eq!((claims, b.owner(C1)), (1, Some(A)));
}

/// Whoever has moved to the LAN meanwhile is not claimed.
#[test]
fn bla_n3_bla_55_a_client_that_has_moved_to_the_lan_is_not_claimed_again() {
    let mut lan = two();
    let now = lan.now;
    let a = &mut lan.gateways[0];
    a.claimed(now, C1);
    a.frame(now, Claim::claiming(B, C1, UNTAGGED, GROUP));
    a.frame(now + Duration::from_millis(110), Claim::unclaiming(B, C1, UNTAGGED, GROUP));
    a.run_to(now + Duration::from_secs(1));
    assert_eq!((a.owner(C1), a.said()), (None, vec![]));
}

/// BLA-42: nor is one on a VLAN that is gone, which would make us a gateway there for ever.
#[test]
fn bla_n1_bla_42_clients_of_a_vlan_that_is_gone_wait_for_nothing() {
    let mut lan = two();
    let now = lan.now;
    let a = &mut lan.gateways[0];
    a.news(now, BridgeNews::Yielded(Client::new(C1, Vid::from_tci(10))));
    a.vlans = VlanSet::default();
    a.with(now, |bla, ctx, _, vlans| bla.set_vlans(ctx, vlans));
    a.run_to(now + Duration::from_secs(1));
    assert_eq!((a.crc(A, Vid::from_tci(10)), a.kinds()), (None, vec![]));
}
