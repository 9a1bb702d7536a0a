//! Section 8: CRCs, by the published vectors.

use super::*;

fn crc(clients: &[(Client, ClientFlags)]) -> u32 {
    clients.iter().fold(0, |crc, (client, flags)| crc ^ client_crc(*client, *flags))
}

fn mac(text: &str) -> Mac {
    text.parse().unwrap()
}

/// TT-52, TT-53, TT-57: each row of the worked example.
#[test]
fn tt_52_worked_example() {
    #[rustfmt::skip]
    let rows = [
        (own_client(A),                  NONE,                  0xff03_5dea),
        (X,                              WIFI,                  0xc96d_d3b5),
        (Client::new(own_mac(A), VLAN_10), NONE,                0x8928_a695),
        (Y,                              ClientFlags::ISOLATED, 0x0d16_a225),
    ];
    for (client, flags, expected) in rows {
        assert_eq!(client_crc(client, flags), expected, "{client:?}");
        let internal = ClientFlags(flags.0 | 0xff0f);
        assert_eq!(client_crc(client, internal), expected, "TT-57: only 0xf0 is hashed");
        assert_ne!(client_crc(client, flags.or(ClientFlags(0x40))), expected, "TT-09: bit 6");
        assert_ne!(client_crc(client, flags.or(ClientFlags(0x80))), expected, "TT-09: bit 7");
    }
    assert_eq!(crc(&[(own_client(A), NONE), (X, WIFI)]), 0x366e_8e5f);
}

/// TT-54: vectors from a real deployment, in any order.
#[test]
fn tt_54_real_tables() {
    let tagged = |text| Client::new(mac(text), Vid(0x8000));
    let untagged = |text| Client::untagged(mac(text));
    #[rustfmt::skip]
    let tables: [(&[Client], u32); 4] = [
        (&[tagged("86:1d:e9:cb:b9:62")], 0x6fd1_8cd6),
        (&[tagged("de:36:34:7a:d1:a8")], 0x1d05_a587),
        (&[untagged("dc:9f:db:f1:d7:a9"), untagged("86:1d:e9:cb:b9:62")], 0x22bf_8f1f),
        (&[untagged("a0:f3:c1:ac:6c:4c"), untagged("d2:7a:19:92:a6:82"), untagged("dc:9f:db:f1:d8:a7")],
         0xecf3_8305),
    ];
    for (clients, expected) in tables {
        let mut table: Vec<_> = clients.iter().map(|client| (*client, NONE)).collect();
        assert_eq!(crc(&table), expected);
        table.reverse();
        assert_eq!(crc(&table), expected, "order independent");
    }
    assert_eq!(crc(&[]), 0);
}

/// TT-58: the check is linear; these two pairs cannot be told apart.
#[test]
fn tt_58_equal_crcs_prove_nothing() {
    let at = |last| (Client::untagged(Mac([2, 0, 0, 0, 0, last])), NONE);
    assert_eq!(crc(&[at(0x10), at(0x11)]), 0xf26b_8303);
    assert_eq!(crc(&[at(0x12), at(0x13)]), 0xf26b_8303);
}

/// TT-55, TT-45: own CRCs come from committed clients only, one block for each VLAN that has any.
#[test]
fn tt_55_own_crcs_leave_new_clients_out() {
    let mut node = Node::up(A);
    node.run(|table, ctx, routing| table.add_vlan(ctx, routing, VLAN_10));
    let block = |crc, vid| VlanBlock { crc, vid };
    assert_eq!(node.table.local.vlan_blocks(), [block(0xff03_5dea, Vid::UNTAGGED)], "TT-45");
    node.learn_as(X, WIFI);
    node.learn_as(Y, ClientFlags::ISOLATED);
    assert_eq!(node.table.local.vlan_blocks(), [block(0xff03_5dea, Vid::UNTAGGED)]);
    let (ttvn, vlans, changes) = parts(&node.ogm().unwrap());
    assert_eq!(ttvn, 2, "one step, although two VLANs change");
    assert_eq!(vlans, [block(0x366e_8e5f, Vid::UNTAGGED), block(0x843e_04b0, VLAN_10)]);
    assert_eq!(changes, [(0, Client::new(own_mac(A), VLAN_10)), (0x10, X), (0x20, Y)]);
}
