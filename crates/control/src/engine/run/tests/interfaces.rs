//! Hard interfaces come up, change and go (FWD-02, FWD-03, FWD-07, FWD-08), and what their MTU does to the local table
//! (FWD-18).

use super::*;

fn link(mac: Mac, mtu: u32, up: bool) -> Link {
    Link { mac, mtu, wifi: false, up }
}

fn engine(settings: Settings) -> Engine {
    let fib = Writer::new(HashKey([1, 2]), 0, SeqNo(0));
    let mut engine = Engine::new(AT, settings, fib, Arc::default(), 1);
    engine.handle(AT, Input::MeshInterface { mac: mesh_mac(0), mtu: 1500 });
    engine
}

fn attach(engine: &mut Engine, index: usize, link: Link, seqno: u32) {
    let iface = Iface::new(index).unwrap();
    engine.handle(AT, Input::Attach { iface, link, settings: IfaceSettings::default(), seqno });
}

const AT: Instant = Instant::from_millis(1);

/// The events, and the own OGMs as (interface, originator, TTL, sequence number), until `until` is over.
fn live(engine: &mut Engine, until: Instant) -> (Vec<Event>, Vec<(usize, Mac, u8, u32)>) {
    let (mut events, mut ogms) = (Vec::new(), Vec::new());
    loop {
        while let Some(output) = engine.poll_output() {
            match output {
                Output::Event(event) => events.push(event),
                Output::Transmit { iface, frame } => {
                    for ogm in noctule_wire::Ogms::new(&frame[14..]).map(Result::unwrap) {
                        ogms.push((iface.index(), ogm.originator, ogm.ttl, ogm.seqno.0));
                    }
                }
                _ => {}
            }
        }
        let next = engine.next_deadline();
        if next > until {
            return (events, ogms);
        }
        engine.handle(next.max(AT), Input::Deadline);
    }
}

#[test]
fn fwd_02_fwd_03_an_interface_takes_part_while_it_is_up() {
    let mut engine = engine(Settings::default());
    attach(&mut engine, 0, link(mac(0), 1500, false), 100);
    let (events, ogms) = live(&mut engine, Instant::from_millis(2500));
    assert_eq!((events, ogms), (vec![], vec![]), "attached, but down");
    assert_eq!((engine.overview().primary, engine.mesh_mtu_max()), (None, None));
    let at = Instant::from_millis(2500);
    engine.handle(at, Input::Changed { iface: iface(), link: link(mac(0), 1400, true) });
    let (events, ogms) = live(&mut engine, Instant::from_millis(2600));
    assert_eq!(events, [Event::InterfaceActive(iface()), Event::Primary(Some(mac(0)))]);
    assert_eq!(ogms.len(), 1, "its own OGM leaves at once: {ogms:?}");
    assert_eq!((ogms[0].0, ogms[0].1, ogms[0].2), (0, mac(0), 50));
    assert_eq!(engine.mesh_mtu_max(), Some(1260 * 16 - 32), "FWD-16: of the link as it is");
    let at = Instant::from_millis(2600);
    engine.handle(at, Input::Changed { iface: iface(), link: link(mac(0), 1400, false) });
    let (events, ogms) = live(&mut engine, Instant::from_millis(6000));
    assert_eq!((events, ogms), (vec![Event::InterfaceInactive(iface())], vec![]));
    assert_eq!(engine.mesh_mtu_max(), None, "recalculated");
}

#[test]
fn fwd_07_fwd_08_the_originator_address_follows_the_primary_interface() {
    let mut engine = engine(Settings::default());
    attach(&mut engine, 0, link(mac(0), 1500, true), 100);
    attach(&mut engine, 1, link(mac(9), 1500, true), 500);
    let (_, ogms) = live(&mut engine, Instant::from_millis(500));
    let seen = |ogms: &[(usize, Mac, u8, u32)], index: usize, mac: Mac| -> Vec<(u8, u32)> {
        let fits = |ogm: &&(usize, Mac, u8, u32)| (ogm.0, ogm.1) == (index, mac);
        ogms.iter().filter(fits).map(|ogm| (ogm.2, ogm.3)).collect()
    };
    assert_eq!(seen(&ogms, 1, mac(9)), [(2, 500)], "IV-11: a secondary one says so by its TTL");
    assert_eq!(seen(&ogms, 1, mac(0)).len(), 1, "IV-12: and carries the primary's, too");
    // FWD-08, IV-22: another address; the numbers go on.
    let at = Instant::from_millis(500);
    engine.handle(at, Input::Changed { iface: iface(), link: link(mac(5), 1500, true) });
    let (events, ogms) = live(&mut engine, Instant::from_millis(1500));
    assert!(events.contains(&Event::Primary(Some(mac(5)))), "{events:?}");
    assert_eq!(seen(&ogms, 0, mac(5)), [(50, 101)]);
    assert_eq!(seen(&ogms, 0, mac(0)), [], "the old address is not used again");
    // FWD-07: the second one takes over.
    engine.handle(Instant::from_millis(1500), Input::Detach { iface: iface() });
    let (events, ogms) = live(&mut engine, Instant::from_millis(2500));
    assert!(events.contains(&Event::Primary(Some(mac(9)))), "{events:?}");
    let after = seen(&ogms, 1, mac(9));
    assert!(!after.is_empty() && after.iter().all(|(ttl, _)| *ttl == 50), "{ogms:?}");
    assert!(seen(&ogms, 1, mac(5)).is_empty(), "{ogms:?}");
}

/// The table must fit one packet where nothing is fragmented: what does not fit any more is not announced any more, the
/// mesh interface's own address excepted.
#[test]
fn fwd_18_a_smaller_link_shrinks_the_local_table() {
    let settings = Settings { fragmentation: false, ..Settings::default() };
    let mut engine = engine(settings);
    attach(&mut engine, 0, link(mac(0), 1500, true), 100);
    let client = |number: u8| noctule_wire::Client::untagged(Mac([2, 0xc1, 0, 0, 0, number]));
    for number in 0..100 {
        let client = client(number);
        engine.handle(AT, Input::LearnLocal { client, wifi: false, isolated: false });
    }
    let (_, _) = live(&mut engine, Instant::from_millis(1500));
    assert_eq!(engine.overview().local_clients, 101);
    let at = Instant::from_millis(1500);
    engine.handle(at, Input::Changed { iface: iface(), link: link(mac(0), 600, true) });
    let (_, _) = live(&mut engine, Instant::from_millis(4000));
    let rows = engine.local_rows(Instant::from_millis(4000));
    let announced = rows.len();
    // 12 bytes for each client, and some for the headers.
    assert!(announced * 12 < 600, "{announced} clients");
    assert!(rows.iter().any(|row| row.client.mac == mesh_mac(0)), "its own stays");
}
