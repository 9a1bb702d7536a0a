//! What the mirror tells the kernel about hosts.

use super::*;

#[test]
fn fwd_46_clients_and_ways_are_mirrored_where_there_is_nothing_to_choose() {
    let mut maps = Maps::default();
    let (mut fib, mut mirror) = start(&mut maps);
    mirror.attach_host(20);
    let client = |last| Client::untagged(Mac([2, 0xc1, 0, 0, 0, last]));
    let none = ClientFlags::default();
    let global = |flags, by: &[Mac]| noctule_fib::GlobalClient {
        flags,
        announcers: by.iter().copied().collect(),
    };
    fib.set_own_ttvn(Ttvn(3));
    fib.add_originator(FAR);
    fib.set_ttvn(FAR, Ttvn(7));
    fib.set_router(FAR, View::Default, Some(hop(1)));
    fib.set_local(client(1), none, Instant::ZERO);
    fib.set_local(client(2), ClientFlags::PENDING, Instant::ZERO);
    fib.set_local(Client::new(client(3).mac, noctule_wire::Vid(0x8005)), none, Instant::ZERO);
    fib.set_global(client(11), global(none, &[FAR]));
    fib.set_global(client(12), global(none, &[FAR, OTHER]));
    fib.set_global(client(13), global(ClientFlags::ROAM, &[FAR]));
    mirror.follow(&mut maps);
    assert_eq!(maps.host, Some(HostEntry { ifindex: 20, originator: own(0), ttvn: Ttvn(3) }));
    assert_eq!(maps.locals, [client(1)].into());
    assert_eq!(maps.remotes, [(client(11), FAR)].into());
    let way =
        Route { ifindex: 11, carries: 1500, slot: 0, to: hop(1).mac, from: own(1), ttvn: Ttvn(7) };
    assert_eq!(maps.ways, [(FAR, way)].into());
    // A client that roams goes by way of the daemon, and so does what has no way any more.
    fib.set_global(client(11), global(ClientFlags::ROAM, &[FAR]));
    fib.set_local(client(1), ClientFlags::ROAM, Instant::ZERO);
    fib.set_router(FAR, View::Default, None);
    fib.set_own_ttvn(Ttvn(4));
    mirror.follow(&mut maps);
    assert!(maps.remotes.is_empty() && maps.locals.is_empty() && maps.ways.is_empty());
    assert_eq!(maps.host.map(|host| host.ttvn), Some(Ttvn(4)));
    // Where frames are looked into, none passes.
    assert!(mirror.carries_hosts());
    fib.set_node(Node { clamp_to: Some(1400), ..node() });
    mirror.follow(&mut maps);
    assert_eq!(maps.host, Some(HostEntry::NONE));
    assert!(!mirror.carries_hosts());
}

#[test]
fn tt_16_a_client_that_only_the_kernel_has_seen_does_not_time_out() {
    let mut maps = Maps::default();
    let (mut fib, mut mirror) = start(&mut maps);
    let client = Client::untagged(Mac([2, 0xc1, 0, 0, 0, 1]));
    fib.set_local(client, ClientFlags::default(), Instant::from_millis(1000));
    mirror.follow(&mut maps);
    let now = Instant::from_millis(60_000);
    mirror.note_seen([(client, Duration::from_secs(2))], now);
    assert_eq!(fib.local_last_seen(client), Some(Instant::from_millis(58_000)));
    // What the worker has seen since stands.
    mirror.note_seen([(client, Duration::from_secs(30))], now);
    assert_eq!(fib.local_last_seen(client), Some(Instant::from_millis(58_000)));
}
