//! Sections 5.9 and 7, and the byte strings of 18.1 to 18.3.

use super::*;

/// 18.1: boot of A with one client. TT-43, TT-44, TT-49: the commit happens with the OGM that carries it.
#[test]
fn tt_43_boot_with_one_client_byte_by_byte() {
    let mut node = Node::new(A);
    assert_eq!(node.table.ttvn(), Ttvn(0));
    node.bring_up();
    assert_eq!(node.table.ttvn(), Ttvn(0), "TT-49: nothing is committed ahead");
    assert_eq!(
        with_header(&node.ogm().unwrap()),
        hex(
            "04 01 00 18 | 01 01 00 01 | ff 03 5d ea 00 00 00 00 | 00 00 00 00 02 ba 00 00 00 0a 00 00"
        )
    );
    node.learn_as(X, WIFI);
    let with_changes = hex(
        "04 01 00 18 | 01 02 00 01 | 36 6e 8e 5f 00 00 00 00 | 10 00 00 00 02 cc 00 00 00 01 00 00",
    );
    for repeat in 0..4 {
        assert_eq!(with_header(&node.ogm().unwrap()), with_changes, "TT-44: repeat {repeat}");
    }
    let without = hex("04 01 00 0c | 01 02 00 01 | 36 6e 8e 5f 00 00 00 00");
    for _ in 0..3 {
        assert_eq!(with_header(&node.ogm().unwrap()), without, "TT-04, TT-05");
    }
}

/// 18.2 and 18.3: one more client joins, another leaves.
#[test]
fn tt_44_a_newer_commit_replaces_the_changes() {
    let mut node = Node::up(A);
    node.learn_as(X, WIFI);
    node.ogm();
    node.learn(Z);
    let (ttvn, _, changes) = parts(&node.ogm().unwrap());
    assert_eq!((ttvn, changes), (3, vec![(0, Z)]), "only the last step");
    node.pass(secs(590));
    node.learn(Z);
    node.pass(secs(15));
    let (ttvn, vlans, changes) = parts(&node.ogm().unwrap());
    assert_eq!((ttvn, changes), (4, vec![(0x11, X)]));
    assert_eq!(vlans[0].crc, 0xff03_5dea ^ client_crc(Z, NONE));
}

/// 18.3: the container that withdraws X.
#[test]
fn tt_42_leaving_byte_by_byte() {
    let mut node = Node::up(A);
    node.learn_as(X, WIFI);
    node.ogm();
    node.pass(secs(605));
    assert_eq!(
        with_header(&node.ogm().unwrap()),
        hex(
            "04 01 00 18 | 01 03 00 01 | ff 03 5d ea 00 00 00 00 | 11 00 00 00 02 cc 00 00 00 01 00 00"
        )
    );
}

#[test]
fn tt_43_the_version_wraps() {
    let mut node = Node::up(A);
    for number in 0..255 {
        node.learn(client(number));
        node.ogm();
    }
    assert_eq!(node.table.ttvn(), Ttvn(0), "modulo 256");
    assert_eq!(node.fib.reader().pin().own_ttvn(), Ttvn(0));
}

/// TT-50: a restart begins at 0; a change of the primary interface does not.
#[test]
fn tt_50_only_a_restart_begins_anew() {
    let mut node = Node::up(A);
    node.learn(X);
    node.ogm();
    node.mac = B;
    let (ttvn, _, changes) = parts(&node.ogm().unwrap());
    assert_eq!((ttvn, changes), (2, vec![(0, X)]));
    assert_eq!(Node::up(A).table.ttvn(), Ttvn(1));
}

/// TT-46, and the row of 18.6: 130 clients in one interval.
#[test]
fn tt_46_too_many_changes_are_not_announced_one_by_one() {
    let mut node = Node::up(A);
    (0..125).for_each(|number| assert!(node.learn(client(number))));
    let value = node.run(|table, ctx, _| table.ogm_value(ctx, 9000)).unwrap();
    assert_eq!(parts(&value).2.len(), 125, "12 * 125 = 1500 bytes are not above the MTU");
    (125..251).for_each(|number| assert!(node.learn(client(number))));
    let value = node.run(|table, ctx, _| table.ogm_value(ctx, 9000)).unwrap();
    let (ttvn, vlans, changes) = parts(&value);
    assert_eq!((ttvn, changes), (3, vec![]));
    assert!(node.table.local.queue.is_empty(), "emptied all the same");

    let request = tt_packet(A, B, &{
        let mut out = Vec::new();
        TtValue::emit(&mut out, TtFlags::request(false), Ttvn(3), &vlans, []);
        out
    });
    assert_eq!(node.receive(&request), Disposition::Consumed);
    let answer = container(&node.sent_one());
    let answer = TtValue::parse(&answer).unwrap();
    assert!(answer.flags.is_full(), "flags 14");
    assert_eq!(answer.changes().len(), 252);
}

/// TT-47 [DEV]: nor are more than fit into an OGM that some link carries.
#[test]
fn tt_47_changes_that_no_link_carries() {
    let mut node = Node::up(A);
    let room = 4 + 8 + 12 * 10;
    (0..10).for_each(|number| assert!(node.learn(client(number))));
    let value = node.run(|table, ctx, _| table.ogm_value(ctx, room)).unwrap();
    assert_eq!((value.len(), parts(&value).2.len()), (room, 10));
    let value = node.run(|table, ctx, _| table.ogm_value(ctx, room - 1)).unwrap();
    assert_eq!(parts(&value).2, [], "the room has shrunk since");
    assert!(node.table.announced.last_diff.is_none(), "requests get the full table");
    (10..21).for_each(|number| assert!(node.learn(client(number))));
    let value = node.run(|table, ctx, _| table.ogm_value(ctx, room)).unwrap();
    assert_eq!((parts(&value).0, parts(&value).2.len()), (3, 0));
    assert!(node.table.announced.last_diff.is_none());
    assert_eq!(node.run(|table, ctx, _| table.ogm_value(ctx, 11)), None, "not even the CRC fits");
}

/// TT-51: the last diff answers requests also when the OGMs no longer carry it.
#[test]
fn tt_51_the_last_diff_stays_usable() {
    let mut node = Node::up(A);
    node.learn(X);
    (0..10).for_each(|_| drop(node.ogm()));
    let (_, vlans, changes) = parts(&node.ogm().unwrap());
    assert_eq!(changes, []);
    let mut request = Vec::new();
    TtValue::emit(&mut request, TtFlags::request(false), Ttvn(2), &vlans, []);
    node.receive(&tt_packet(A, B, &request));
    let answer = container(&node.sent_one());
    assert_eq!(TtValue::parse(&answer).unwrap().flags, TtFlags::response(false));
    assert_eq!(parts(&answer), (2, vlans, vec![(0, X)]));
}

/// TT-35: 1677 clients with fragments, 122 without. [DEV]: NEW ones count.
#[test]
fn tt_35_the_table_is_as_large_as_a_packet() {
    for (limit, expected) in [(20_160, 1677), (1500, 122), (1280, 103)] {
        let mut node = Node::up(A);
        node.run(|table, ctx, _| table.set_packet_limit(ctx, limit));
        let mut refused = 0;
        // The checks after every single step are dear; the last steps are those that matter.
        let settings = node.settings.clone();
        assert_eq!(settings.limits.local_clients, 16_384);
        for number in 0..expected + 3 {
            let mut ctx = Context {
                now: node.now,
                settings: &node.settings,
                primary: Some(A),
                fib: &mut node.fib,
                counters: &node.counters,
                outputs: &mut node.outputs,
                rng: &mut node.rng,
            };
            let known =
                node.table.learn_local(&mut ctx, &node.routing, client(number), false, false);
            refused += usize::from(!known);
            assert_eq!(node.table.is_full(&ctx), number + 2 >= expected);
        }
        assert_eq!((node.table.local_len(), refused), (expected, 4), "own address included");
        assert_eq!(node.discarded(Discard::TableFull), 4, "TT-17");
        assert_eq!(node.events(), [Event::LocalTableFull], "told once");
        assert!(node.learn(client(0)), "known ones are welcome");
        assert!(node.table.local.transmit_len() <= limit);
    }
}

/// TT-33, TT-35: the node's own address is announced also when nobody else finds room.
#[test]
fn tt_35_the_own_address_is_never_refused() {
    let mut node = Node::new(A);
    node.run(|table, ctx, _| table.set_packet_limit(ctx, 40));
    assert!(!node.learn(X));
    node.bring_up();
    assert_eq!(parts(&node.ogm().unwrap()).2, [(0, own_client(A))]);
}

/// The operator's own bound, below that of the packet.
#[test]
fn tt_35_the_setting_bounds_the_table_too() {
    let mut node = Node::up(A);
    node.settings.limits.local_clients = 3;
    assert!(node.learn(client(0)) && node.learn(client(1)));
    assert!(!node.learn(client(2)));
    assert_eq!(node.table.local_len(), 3);
}

/// TT-36: those who are silent longest go at once, and the others hear of it with the next three OGMs.
#[test]
fn tt_36_a_smaller_packet_size_drops_idle_clients() {
    let mut node = Node::up(A);
    for number in 0..100 {
        node.learn(client(number));
        node.wait(secs(1));
    }
    node.ogm();
    assert_eq!(node.table.ttvn(), Ttvn(2));
    let room_for_60 = 20 + 4 + 4 + 8 + 12 * 60;
    node.run(|table, ctx, _| table.set_packet_limit(ctx, room_for_60));
    assert_eq!(node.table.ttvn(), Ttvn(3), "committed at once");
    // 300, 150 and 75 s leave too many, 37.5 s does not: the last 37 of 100 stay, and the own address.
    assert_eq!(node.table.local_len(), 38);
    assert_eq!(node.local_flags(client(62)), None);
    assert_eq!(node.local_flags(client(63)), Some(NONE));
    for _ in 0..3 {
        assert_eq!(parts(&node.ogm().unwrap()).2.len(), 63, "TT-44: three after such a commit");
    }
    assert_eq!(parts(&node.ogm().unwrap()).2, []);
}

/// TT-36: what never ages alone can be too much; the loop ends all the same.
#[test]
fn tt_36_ends_when_nothing_more_can_go() {
    let mut node = Node::up(A);
    node.learn(X);
    node.ogm();
    node.wait(secs(1));
    node.run(|table, ctx, _| table.set_packet_limit(ctx, 40));
    assert_eq!(node.table.local_len(), 1);
    assert!(node.table.local.transmit_len() > 40);
    assert_eq!(node.table.ttvn(), Ttvn(3));
    node.run(|table, ctx, _| table.set_packet_limit(ctx, 40));
    assert_eq!(node.table.ttvn(), Ttvn(3), "nothing done, nothing committed");
    assert!(!node.learn(X));
}

/// TT-15, TT-37: entries that were never counted are not subtracted. (The harness compares the counts after every step.)
#[test]
fn tt_37_new_clients_are_dropped_uncounted() {
    let mut node = Node::up(A);
    node.learn(X);
    node.ogm();
    node.learn(Z);
    node.wait(secs(301));
    node.run(|table, ctx, _| table.set_packet_limit(ctx, 50));
    assert_eq!(node.table.local_len(), 1);
    assert_eq!(node.table.local.vlan(Vid::UNTAGGED).unwrap().count, 1);
    assert_eq!(parts(&node.ogm().unwrap()).2, [(0x01, X)], "Z was never announced");
    // If only such go, there is nothing to commit.
    node.run(|table, ctx, _| table.set_packet_limit(ctx, 60));
    node.learn(Z);
    let before = node.table.ttvn();
    node.wait(secs(301));
    node.run(|table, ctx, _| table.set_packet_limit(ctx, 50));
    assert_eq!((node.table.local_len(), node.table.ttvn()), (1, before));
}

/// TT-48: no value is ever longer than its length field can say.
#[test]
fn tt_48_never_more_than_65535_bytes() {
    let mut node = Node::up(A);
    node.run(|table, ctx, routing| table.set_mesh_interface(ctx, routing, own_mac(A), 100_000));
    node.run(|table, ctx, _| table.set_packet_limit(ctx, usize::MAX));
    let mut ctx = Context {
        now: node.now,
        settings: &node.settings,
        primary: Some(A),
        fib: &mut node.fib,
        counters: &node.counters,
        outputs: &mut node.outputs,
        rng: &mut node.rng,
    };
    for number in 0..6000 {
        node.table.learn_local(&mut ctx, &node.routing, client(number), false, false);
    }
    let value = node.run(|table, ctx, _| table.ogm_value(ctx, usize::MAX)).unwrap();
    assert_eq!((parts(&value).0, parts(&value).2), (2, vec![]));
    let mut request = Vec::new();
    TtValue::emit(&mut request, TtFlags::request(true), Ttvn(2), &parts(&value).1, []);
    assert_eq!(node.receive(&tt_packet(A, B, &request)), Disposition::Consumed);
    assert_eq!(node.sent(), [] as [Vec<u8>; 0], "TT-95: nor is an answer");
}
