//! Originators that are bridged to our own LAN (BLA-35, BLA-90, TT-81, TT-90).

use super::*;

/// Its clients of that VLAN are here, and not there; those of other VLANs are.
#[test]
fn tt_81_bla_35_bla_90_clients_of_a_gateway_of_our_lan_are_not_behind_it() {
    let mut node = Node::up(A);
    node.route(B, Some(200));
    let table = [(X, NONE), (Y, NONE)];
    node.hear(B, &ogm(1, &table, &rows(&table)));
    assert!(node.knows_exactly(B, &table));
    let untagged = Vid::UNTAGGED;
    node.run(|table, ctx, _| table.set_backbone(ctx, B, untagged, true));
    assert_eq!((node.announcers(X), node.announcers(Y)), (vec![], vec![B]));
    node.sent();
    // What we had was not the whole table: it is fetched once, and then its OGMs are in step without X.
    node.wait(secs(4));
    node.hear(B, &ogm(1, &table, &[]));
    assert_eq!(node.sent().len(), 1);
    let answer = value(TtFlags::response(true), 1, &table, &rows(&table));
    node.receive(&tt_packet(A, B, &answer));
    assert_eq!((node.announcers(X), node.announcers(Y)), (vec![], vec![B]));
    for _ in 0..5 {
        node.wait(secs(4));
        node.hear(B, &ogm(1, &table, &[]));
        assert!(node.sent().is_empty(), "in step");
    }
    let with_z = [(X, NONE), (Y, NONE), (Z, NONE)];
    node.hear(B, &ogm(2, &with_z, &[change(NONE, Z)]));
    assert!(node.sent().is_empty() && node.announcers(Z).is_empty(), "BLA-90: silently");
    node.payload(Z, B);
    assert!(node.announcers(Z).is_empty(), "BLA-90: nor is it learned from payload");
    // It has left our LAN: the CRCs differ, and the table is fetched (BLA-90).
    node.run(|table, ctx, _| table.set_backbone(ctx, B, untagged, false));
    node.wait(secs(4));
    node.hear(B, &ogm(2, &with_z, &[]));
    assert_eq!(node.sent().len(), 1);
}

/// TT-90: what we have of it is not its table, so nobody gets it from us.
#[test]
fn tt_90_no_answer_for_a_gateway_of_our_lan() {
    for is_one in [false, true] {
        let mut node = Node::up(A);
        node.route(B, Some(200));
        node.route(C, Some(200));
        node.run(|table, ctx, _| table.set_backbone(ctx, B, Vid::UNTAGGED, is_one));
        let table = [(X, NONE)];
        node.hear(B, &ogm(1, &table, &rows(&table)));
        node.sent();
        let request = value(TtFlags::request(true), 1, &table, &[]);
        let disposition = node.receive(&tt_packet(B, C, &request));
        let expected = if is_one { Disposition::PassOn } else { Disposition::Consumed };
        assert_eq!(disposition, expected);
        assert_eq!(node.sent().len(), usize::from(!is_one));
    }
}
