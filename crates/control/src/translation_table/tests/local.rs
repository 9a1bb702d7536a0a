//! Section 5: the local table.

use super::*;

/// TT-11: keys, CRCs and records name a VLAN in the same way.
#[test]
fn tt_14_the_same_mac_on_two_vlans_is_two_clients() {
    let mut node = Node::up(A);
    node.run(|table, ctx, routing| table.add_vlan(ctx, routing, VLAN_10));
    let tagged = Client::new(X.mac, VLAN_10);
    node.learn(X);
    node.learn_as(tagged, WIFI);
    assert_eq!(node.local_flags(X), Some(ClientFlags::NEW));
    assert_eq!(node.local_flags(tagged), Some(ClientFlags::NEW.or(WIFI)));
    let (ttvn, vlans, changes) = parts(&node.ogm().unwrap());
    assert_eq!(ttvn, 2, "one step, two CRCs");
    let own_10 = client_crc(Client::new(own_mac(A), VLAN_10), NONE);
    let crcs =
        [client_crc(own_client(A), NONE) ^ client_crc(X, NONE), own_10 ^ client_crc(tagged, WIFI)];
    let blocks = [(Vid(0), crcs[0]), (Vid(0x800a), crcs[1])];
    assert_eq!(vlans.iter().map(|vlan| (vlan.vid, vlan.crc)).collect::<Vec<_>>(), blocks);
    assert!(changes.contains(&(0, X)) && changes.contains(&(0x10, tagged)), "TT-41");
}

#[test]
fn tt_16_group_and_loop_detection_sources_are_not_learned() {
    let mut node = Node::up(A);
    for mac in ["33:33:00:00:00:01", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00", "ba:be:00:00:00:01"]
    {
        assert!(!node.learn(Client::untagged(mac.parse().unwrap())), "{mac}");
    }
    assert_eq!(node.table.local_len(), 1);
    assert!(node.learn(X));
}

/// TT-17, TT-30: without its VLAN a client is refused; the caller drops its frames.
#[test]
fn tt_30_a_client_of_an_unknown_vlan_is_refused() {
    let mut node = Node::up(A);
    assert!(!node.learn(Y));
    assert_eq!(node.local_flags(Y), None);
    node.run(|table, ctx, routing| table.add_vlan(ctx, routing, VLAN_10));
    assert!(node.learn(Y));
}

/// TT-19: leaving and coming back within one interval is invisible.
#[test]
fn tt_19_leave_and_return_within_an_interval() {
    let mut node = Node::up(A);
    node.learn_as(X, WIFI);
    node.ogm();
    node.pass(secs(605));
    assert_eq!(node.local_flags(X), Some(WIFI.or(ClientFlags::PENDING)));
    assert!(!node.is_mine(X), "TT-24");
    node.learn_as(X, WIFI);
    assert_eq!(node.local_flags(X), Some(WIFI));
    assert!(node.is_mine(X));
    let before = node.table.ttvn();
    node.ogm();
    assert_eq!(node.table.ttvn(), before, "nothing to commit");
}

/// TT-19 [DEV]: unless another node has announced it meanwhile. The advertisement may get lost, so the next OGM says whose
/// the client is.
#[test]
fn tt_19_a_client_taken_back_is_announced_again() {
    let mut node = Node::up(A);
    node.learn_as(X, WIFI);
    let table = [(own_client(A), NONE), (X, WIFI)];
    node.ogm();
    node.hear(B, &ogm(1, &[(X, NONE)], &[change(NONE, X)]));
    assert_eq!(node.local_flags(X), Some(WIFI.or(ClientFlags::PENDING)));
    node.learn_as(X, WIFI);
    assert_eq!(node.sent_one(), roam_packet(B, A, X));
    assert_eq!(node.ogm().unwrap(), ogm(3, &table, &[change(WIFI, X)]));
    node.learn_as(X, WIFI);
    assert!(node.table.local.queue.is_empty(), "once");
}

/// TT-21: the flags follow the latest frame, and the change is announced as an ADD.
#[test]
fn tt_21_flags_follow_the_latest_frame() {
    let mut node = Node::up(A);
    node.learn(X);
    node.ogm();
    node.learn_as(X, WIFI);
    assert_eq!(node.local_flags(X), Some(WIFI));
    let (ttvn, vlans, changes) = parts(&node.ogm().unwrap());
    assert_eq!((ttvn, &changes[..]), (3, &[(0x10, X)][..]));
    assert_eq!(vlans[0].crc, 0x366e_8e5f);
    node.learn_as(X, ClientFlags::ISOLATED);
    assert_eq!(parts(&node.ogm().unwrap()).2, [(0x20, X)]);
    node.learn_as(X, ClientFlags::ISOLATED);
    assert!(node.table.local.queue.is_empty(), "nothing new");
}

/// TT-22 [DEV]: roamed away, back before the commit: everything is as before, and the other node is told.
#[test]
fn tt_22_back_before_the_commit() {
    for known_before in [false, true] {
        let mut node = Node::up(A);
        if known_before {
            node.payload(X, B);
            node.hear(B, &ogm(1, &[(X, NONE)], &[change(NONE, X)]));
        }
        node.learn_as(X, WIFI);
        node.ogm();
        node.sent();
        node.receive(&roam_packet(A, B, X));
        let gone = WIFI.or(ROAM).or(ClientFlags::PENDING);
        assert_eq!(node.local_flags(X), Some(gone));
        assert_eq!(node.announcers(X), [B]);
        node.learn_as(X, WIFI);
        assert_eq!(node.local_flags(X), Some(WIFI), "both marks are gone with the first frame");
        assert_eq!(node.sent_one(), roam_packet(B, A, X));
        assert_eq!(node.announcers(X), [], "deleted");
        assert_eq!(parts(&node.ogm().unwrap()).2, [(0x10, X)], "and announced again");
    }
}

/// TT-23, TT-55, TT-92: who leaves stays in CRC and full table until the commit.
#[test]
fn tt_23_removal_is_only_logical_until_the_commit() {
    let mut node = Node::up(A);
    node.learn_as(X, WIFI);
    node.ogm();
    let len = node.table.local.transmit_len();
    node.hear(B, &ogm(1, &[(X, NONE)], &[change(NONE, X)]));
    assert_eq!(node.table.local.transmit_len(), len);
    assert_eq!(node.table.local.vlan_blocks()[0].crc, 0x366e_8e5f);
    assert_eq!(node.table.local.full_table(), rows(&[(own_client(A), NONE), (X, WIFI)]));
    let (_, vlans, changes) = parts(&node.ogm().unwrap());
    assert_eq!((vlans[0].crc, &changes[..]), (0xff03_5dea, &[(0x11, X)][..]), "TT-42");
    assert_eq!(node.local_flags(X), None);
}

#[test]
fn tt_24_new_clients_are_ours() {
    let mut node = Node::up(A);
    node.learn(X);
    assert_eq!(node.local_flags(X), Some(ClientFlags::NEW));
    assert!(node.is_mine(X));
}

/// TT-25: the advertisement arrives after the announcement: the queued DEL becomes DEL|ROAM.
#[test]
fn tt_25_a_second_removal_updates_the_queued_one() {
    let mut node = Node::up(A);
    node.learn_as(X, WIFI);
    node.ogm();
    node.hear(B, &ogm(1, &[(X, WIFI)], &[change(WIFI, X)]));
    node.receive(&roam_packet(A, B, X));
    assert_eq!(node.announcers(X), [B]);
    assert!(!node.global_flags(X).unwrap().contains(ROAM), "18.4: re-listed without the mark");
    assert_eq!(parts(&node.ogm().unwrap()).2, [(0x13, X)]);
}

/// TT-26, TT-65: announced elsewhere, so not ours any more; NEW clients vanish at once.
#[test]
fn tt_65_an_announcement_elsewhere_retracts_the_client() {
    let mut node = Node::up(A);
    node.learn(X);
    node.hear(B, &ogm(1, &[(X, NONE)], &[change(NONE, X)]));
    assert_eq!(node.local_flags(X), None, "never announced: nothing to withdraw");
    assert!(node.table.local.queue.is_empty());
    node.learn(Z);
    node.ogm();
    let table = [(X, NONE), (Z, NONE)];
    node.hear(B, &ogm(2, &table, &[change(NONE, Z)]));
    assert_eq!(node.local_flags(Z), Some(ClientFlags::PENDING), "without ROAM");
    assert_eq!(parts(&node.ogm().unwrap()).2, [(0x01, Z)]);
}

/// TT-27 [DEV]: nobody withdraws the mesh interface's own address for us.
#[test]
fn tt_27_the_own_address_stays() {
    let mut node = Node::up(A);
    let own = own_client(A);
    node.hear(B, &ogm(1, &[(own, NONE)], &[change(NONE, own)]));
    node.receive(&roam_packet(A, B, own));
    assert_eq!(node.local_flags(own), Some(ClientFlags::NOPURGE));
    assert!(node.table.local.queue.is_empty());
    assert_eq!(node.table.ttvn(), Ttvn(1));
}

/// A client whose flags change and who leaves in the same interval is withdrawn: merging an ADD and a DEL (TT-39) must
/// not hide that the others know it.
#[test]
fn tt_39_a_changed_client_that_leaves_is_withdrawn() {
    let mut node = Node::up(A);
    node.learn(X);
    node.ogm();
    node.learn_as(X, WIFI);
    node.hear(B, &ogm(1, &[(X, NONE)], &[change(NONE, X)]));
    assert_eq!(parts(&node.ogm().unwrap()).2, [(0x11, X)]);

    // And one whose flags change, who leaves and comes back, is announced with its new flags.
    node.learn(Z);
    node.ogm();
    node.learn_as(Z, WIFI);
    node.hear(B, &ogm(2, &[(X, NONE), (Z, NONE)], &[change(NONE, Z)]));
    node.learn_as(Z, WIFI);
    assert_eq!(parts(&node.ogm().unwrap()).2, [(0x10, Z)]);
}

/// TT-28, and 18.3: silent clients go 600 to 605 s after their last frame.
#[test]
fn tt_28_silent_clients_are_withdrawn() {
    let mut node = Node::up(A);
    node.learn_as(X, WIFI);
    node.learn(Z);
    node.ogm();
    let start = node.now;
    node.pass(secs(300));
    // The data plane notes frames without asking the engine.
    node.fib.reader().pin().local(Z).unwrap().seen(node.now);
    node.pass(secs(300));
    assert_eq!(node.local_flags(X), Some(WIFI), "not yet");
    node.pass(secs(5));
    assert!(node.now.since(start) <= secs(605));
    assert_eq!(node.local_flags(X), Some(WIFI.or(ClientFlags::PENDING)));
    assert_eq!(node.local_flags(Z), Some(NONE), "seen later");
    assert_eq!(node.local_flags(own_client(A)), Some(ClientFlags::NOPURGE), "never");
    assert_eq!(parts(&node.ogm().unwrap()).2, [(0x11, X)]);
    node.pass(secs(295));
    assert_eq!(node.local_flags(Z), Some(NONE));
    node.pass(secs(10));
    assert_eq!(node.local_flags(Z), Some(ClientFlags::PENDING));
}

/// A republished entry must not look younger than it is.
#[test]
fn tt_28_a_commit_does_not_refresh_a_client() {
    let mut node = Node::up(A);
    node.learn(X);
    let row = |node: &Node| {
        let rows = node.table.local_rows(node.now, &node.fib);
        rows.into_iter().find(|row| row.client == X).unwrap()
    };
    node.wait(secs(60));
    node.ogm();
    assert_eq!(row(&node).last_seen, Some(secs(60)));
    assert_eq!(row(&node).flags, NONE);
    let own = node.table.local_rows(node.now, &node.fib)[0];
    assert_eq!((own.client, own.last_seen), (own_client(A), None));
}

#[test]
fn tt_29_vid_0_is_always_there() {
    let mut node = Node::up(A);
    let priority = Vid(0x8000);
    node.run(|table, ctx, routing| table.add_vlan(ctx, routing, priority));
    assert!(node.table.local.vlan(priority).is_none(), "id 0 is no VLAN");
    node.run(|table, ctx, routing| table.add_vlan(ctx, routing, Vid(0x1005)));
    assert!(node.table.local.vlan(Vid(0x1005)).is_none());
    node.run(|table, ctx, _| table.remove_vlan(ctx, Vid::UNTAGGED));
    assert!(node.learn(X));
    assert_eq!(node.local_flags(own_client(A)), Some(ClientFlags::NOPURGE));
}

#[test]
fn tt_31_a_vlan_lives_until_its_last_client_is_gone() {
    let mut node = Node::up(A);
    let own = Client::new(own_mac(A), VLAN_10);
    node.run(|table, ctx, routing| table.add_vlan(ctx, routing, VLAN_10));
    assert_eq!(node.local_flags(own), Some(ClientFlags::NOPURGE.or(ClientFlags::NEW)));
    node.learn(Y);
    node.ogm();
    node.run(|table, ctx, _| table.remove_vlan(ctx, VLAN_10));
    let (_, vlans, changes) = parts(&node.ogm().unwrap());
    assert_eq!(changes, [(0x01, own)]);
    assert_eq!(vlans.len(), 2, "Y is still there");
    assert!(node.learn(Y), "and goes on");
    node.run(|table, ctx, routing| table.add_vlan(ctx, routing, VLAN_10));
    assert_eq!(node.local_flags(own), Some(ClientFlags::NOPURGE.or(ClientFlags::NEW)), "revived");
    node.run(|table, ctx, _| table.remove_vlan(ctx, VLAN_10));
    node.pass(secs(606));
    let (_, vlans, changes) = parts(&node.ogm().unwrap());
    assert_eq!((vlans.len(), &changes[..]), (1, &[(0x01, Y)][..]));
    assert!(node.table.local.vlan(VLAN_10).is_none());
    assert!(!node.learn(Y));
}

#[test]
fn tt_32_another_mesh_mac_replaces_the_old_one_on_every_vlan() {
    let mut node = Node::up(A);
    node.run(|table, ctx, routing| table.add_vlan(ctx, routing, VLAN_10));
    node.ogm();
    let new = Mac([2, 0xba, 0, 0, 0, 0x99]);
    node.run(|table, ctx, routing| table.set_mesh_interface(ctx, routing, new, 1500));
    let (ttvn, _, changes) = parts(&node.ogm().unwrap());
    let (old_0, old_10) = (own_client(A), Client::new(own_mac(A), VLAN_10));
    let (new_0, new_10) = (Client::untagged(new), Client::new(new, VLAN_10));
    assert_eq!(ttvn, 3, "one step");
    assert_eq!(changes, [(0x01, old_0), (0, new_0), (0x01, old_10), (0, new_10)]);
    assert_eq!(node.local_flags(new_0), Some(ClientFlags::NOPURGE));
    // The old address is an ordinary client if it ever shows up again, be it before it was withdrawn.
    node.learn(old_0);
    assert_eq!(node.local_flags(old_0), Some(ClientFlags::NEW));
    let newer = Mac([2, 0xba, 0, 0, 0, 0x98]);
    node.run(|table, ctx, routing| table.set_mesh_interface(ctx, routing, newer, 1500));
    node.learn(new_0);
    assert_eq!(node.local_flags(new_0), Some(NONE));
}

/// 5.8: the own address is never on Wi-Fi, whatever brings its frames in.
#[test]
fn tt_21_the_own_address_is_not_on_wifi() {
    let mut node = Node::up(A);
    node.learn_as(own_client(A), WIFI);
    assert_eq!(node.local_flags(own_client(A)), Some(ClientFlags::NOPURGE));
    assert!(node.table.local.queue.is_empty());
}

/// TT-32 within one interval: back to the old address, as if nothing had happened.
#[test]
fn tt_32_and_back_again() {
    let mut node = Node::up(A);
    let new = Mac([2, 0xba, 0, 0, 0, 0x99]);
    node.run(|table, ctx, routing| table.set_mesh_interface(ctx, routing, new, 1500));
    node.bring_up();
    assert!(node.table.local.queue.is_empty());
    assert_eq!(node.local_flags(own_client(A)), Some(ClientFlags::NOPURGE));
    assert_eq!(node.local_flags(Client::untagged(new)), None);
}

/// TT-33: nothing is announced before there is a client on VID 0.
#[test]
fn tt_33_never_a_table_without_vlans() {
    let mut node = Node::new(A);
    assert_eq!(node.ogm(), None);
    node.bring_up();
    assert_eq!(parts(&node.ogm().unwrap()).1.len(), 1);
}
