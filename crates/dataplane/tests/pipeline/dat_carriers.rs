//! In which packets ARP and DHCP are looked into, and in which the distributed ARP table sends (07-distributed-arp-table.md).

use crate::dat::*;
use crate::support::*;
use noctule_dataplane::Hint;
use noctule_fib::{Counter, Gateway};
use noctule_wire::tvlv::translation_table::ClientFlags;
use noctule_wire::unicast::Subtype;
use noctule_wire::{Client, Discard, Mac, Ttvn, Unicast4Addr, Vid};
use std::sync::Arc;

fn put_a_tag(tci: u16, frame: &[u8]) -> Vec<u8> {
    [&frame[..12], &[0x81, 0x00], &tci.to_be_bytes(), &frame[12..]].concat()
}

/// Who has an address in any VLAN.
fn known_in(ben: &Ben, vid: Vid, ip: std::net::Ipv4Addr) -> Option<Mac> {
    ben.pipeline.arp_rows(ms(0)).find(|row| row.0 == ip && row.1 == vid).map(|row| row.2)
}

/// A bridge that answers for its stations, say, sends with an address of its own.
#[test]
fn dat_05_who_arp_names_counts_not_who_sends_the_frame() {
    let mut ben = ben_who_knows_caras();
    let mut asked = request((ANNAS_IP, ANNAS), CARAS_IP);
    asked[6..12].copy_from_slice(&STRANGER.0);
    let packet = unicast_4addr(BEN_0, ANNA, Subtype::DatGet, &asked);
    let outcome = ben.receive(ms(0), 0, &on_air(BEN_0, ANNA, &packet));
    assert_eq!(known(&ben, ANNAS_IP), Some(ANNAS));
    let answer = reply((CARAS_IP, CARAS), (ANNAS_IP, ANNAS));
    assert_eq!(table_packets(&outcome), [(ANNA, Subtype::DatCachedReply, answer)]);
    // From the host, too: learned and answered by what ARP says.
    let mut asked = request((BENS_IP, EVE), CARAS_IP);
    asked[6..12].copy_from_slice(&BENS.0);
    let outcome = ben.send(ms(0), &asked);
    assert_eq!(known(&ben, BENS_IP), Some(EVE));
    assert_eq!(outcome.delivered, [reply((CARAS_IP, CARAS), (BENS_IP, EVE))]);
}

#[test]
fn dat_10_switched_off_the_entries_age_out_and_are_no_answers() {
    let mut ben = ben_who_knows_caras();
    let ring = ben.node.dat.clone();
    ben.change(|node| node.dat = None);
    let outcome = ben.send(ms(0), &request((BENS_IP, BENS), CARAS_IP));
    assert_eq!((outcome.sent.len(), outcome.delivered.len()), (2, 0), "flooded, like any frame");
    assert_eq!((known(&ben, CARAS_IP), known(&ben, BENS_IP)), (Some(CARAS), None));
    ben.change(|node| node.dat = ring);
    assert_eq!(ben.send(ms(1), &request((BENS_IP, BENS), CARAS_IP)).delivered.len(), 1);
    ben.change(|node| node.dat = None);
    for seconds in (10..=310).step_by(10) {
        ben.on_deadline(ms(seconds * 1000));
    }
    assert_eq!(ben.pipeline.arp_rows(ms(310_000)).count(), 0);
}

/// DAT-82: a new originator address needs nothing but to be the source: the keepers stay who they are.
#[test]
fn dat_16_dat_82_the_whole_frame_in_one_packet_by_the_best_next_hop() {
    let mut ben = member();
    ben.change(|node| node.vlans = Arc::new([7].into_iter().collect()));
    let mut asked = put_a_tag(0xa007, &request((BENS_IP, BENS), UNKNOWN_IP));
    asked.extend([0xaa; 18]);
    let expected = |source| {
        let packet = |destination, ttvn| {
            let (subtype, inner) = (Subtype::DatGet, &asked[..]);
            let ttvn = Ttvn(ttvn);
            let packet =
                Unicast4Addr { ttl: 50, ttvn, destination, source, subtype, reserved: 0, inner };
            let mut bytes = vec![0; packet.wire_len()];
            packet.emit(&mut bytes);
            bytes
        };
        [(0, on_air(ANNA, BEN_0, &packet(ANNA, 10))), (1, on_air(CARA, BEN_1, &packet(CARA, 30)))]
    };
    let mut outcome = ben.send(ms(0), &asked);
    outcome.sent.sort();
    assert_eq!(outcome.sent, expected(BEN_0));
    ben.change(|node| node.primary = Some(BEN_1));
    let mut outcome = ben.send(ms(1), &asked);
    outcome.sent.sort();
    assert_eq!(outcome.sent, expected(BEN_1));
    // What does not fit is never cut: nobody could be asked, and so it is flooded at once.
    ben.change_link(0, |link| link.mtu = 80);
    ben.change_link(1, |link| link.mtu = 80);
    let outcome = ben.send(ms(2), &asked);
    assert_eq!((table_packets(&outcome).len(), outcome.counted(Counter::DatGetTx)), (0, 0));
    assert_eq!(outcome.counted(Counter::FragTx), 0);
}

/// DAT-27: subtypes that nobody has defined, too. DAT-76: only payload tells where a client is.
#[test]
fn dat_26_dat_27_dat_76_every_carrier_is_looked_into_alike() {
    let told = reply((ANNAS_IP, STRANGER), (BENS_IP, BENS));
    let four = |subtype| on_air(BEN_0, ANNA, &unicast_4addr(BEN_0, ANNA, subtype, &told));
    let flood = on_air(Mac::BROADCAST, ANNA, &broadcast(50, 1, ANNA, &told));
    #[rustfmt::skip]
    let rows = [
        ("payload",  four(Subtype::Data),           true),
        ("get",      four(Subtype::DatGet),         false),
        ("put",      four(Subtype::DatPut),         false),
        ("answer",   four(Subtype::DatCachedReply), false),
        ("unknown",  four(Subtype::from(0x77)),     false),
        ("unicast",  on_air(BEN_0, ANNA, &unicast(50, 20, BEN_0, &told)), false),
        ("flooded",  flood,                         true),
    ];
    for (what, frame, teaches) in rows {
        let mut ben = member();
        let outcome = ben.receive(ms(0), 0, &frame);
        assert_eq!(known(&ben, ANNAS_IP), Some(STRANGER), "{what}");
        assert_eq!(known(&ben, BENS_IP), Some(BENS), "{what}");
        assert_eq!(outcome.delivered, [&told[..]], "{what}");
        let hint = Hint::Remote { client: Client::untagged(STRANGER), originator: ANNA };
        assert_eq!(outcome.hints.contains(&hint), teaches, "{what}");
    }
}

/// DAT-76 `[DEV]`: a question shows where the station is that asks, for it comes from the node that the station is behind. Its
/// answer would be dropped otherwise, if no OGM has announced it yet.
#[test]
fn dat_76_a_question_tells_where_the_station_is_that_asks() {
    let asker = (ANNAS_IP, STRANGER);
    let asked = arp(1, Mac::BROADCAST, asker, (BENS_IP, Mac::ZERO));
    let mut forged = asked.clone();
    forged[6..12].copy_from_slice(&ANNAS.0);
    for (question, subtype, teaches) in [
        (&asked, Subtype::DatGet, true),
        (&forged, Subtype::DatGet, false),
        (&asked, Subtype::DatPut, false),
    ] {
        let mut ben = member();
        let packet = unicast_4addr(BEN_0, ANNA, subtype, question);
        ben.receive(ms(0), 0, &on_air(BEN_0, ANNA, &packet));
        let answered = ben.send(ms(1), &hello(STRANGER, BENS));
        assert_eq!(answered.sent.len(), usize::from(teaches), "{subtype:?}");
        assert_eq!(answered.dropped.is_empty(), teaches, "{subtype:?}");
    }
}

/// What is handled is not flooded at once; what is not, is.
#[test]
fn dat_31_dat_36_when_a_request_is_handled() {
    #[rustfmt::skip]
    let rows = [
        ("a client here",          BENS_IP,    true,  true),
        ("a client elsewhere",     CARAS_IP,   true,  true),
        ("unknown, keepers",       UNKNOWN_IP, true,  true),
        ("unknown, nobody to ask", UNKNOWN_IP, false, false),
    ];
    for (what, target, keepers, handled) in rows {
        for to in [Mac::BROADCAST, CARAS] {
            let mut ben = ben_who_knows_caras();
            ben.send(ms(0), &request((BENS_IP, BENS), BENS_IP));
            let asker = (std::net::Ipv4Addr::new(10, 0, 0, 50), STRANGER);
            if !keepers {
                let ring = noctule_fib::DatRing::new([DORA]);
                ben.change(|node| node.dat = Some(Arc::new(ring)));
            }
            let outcome = ben.send(ms(0), &arp(1, to, asker, (target, Mac::ZERO)));
            let at_once = outcome.sent.len() - table_packets(&outcome).len();
            let expected = if to == Mac::BROADCAST { 2 } else { 1 };
            assert_eq!(at_once, if handled { 0 } else { expected }, "{what}, {to:?}");
            let dropped = handled && to != Mac::BROADCAST;
            assert_eq!(outcome.counted(Counter::TxDropped), u64::from(dropped), "{what}, {to:?}");
        }
    }
}

#[test]
fn dat_48_nodes_in_the_middle_look_into_nothing() {
    let told = reply((ANNAS_IP, ANNAS), (CARAS_IP, CARAS));
    let lease = ack((ANNAS_IP, ANNAS), (CARAS_IP, CARAS), &[53, 1, 5, 255]);
    for inner in [told, lease] {
        for packet in [
            unicast(50, 30, CARA, &inner),
            unicast_4addr(CARA, ANNA, Subtype::DatPut, &inner).with_ttvn(30),
            unicast_4addr(CARA, ANNA, Subtype::DatGet, &inner).with_ttvn(30),
        ] {
            let mut ben = member();
            let outcome = ben.receive(ms(0), 0, &on_air(BEN_0, ANNA, &packet));
            assert_eq!((outcome.sent.len(), outcome.delivered.len()), (1, 0));
            assert_eq!(ben.pipeline.arp_rows(ms(0)).count(), 0);
            assert_eq!(outcome.counted(Counter::DatPutRx) + outcome.counted(Counter::DatGetRx), 0);
        }
    }
}

/// DAT-79: a gateway mode decides where DHCP goes, not whether it is looked into.
#[test]
fn dat_60_dat_79_leases_in_any_frame_of_the_host() {
    let lease = ack((BENS_IP, BENS), (CARAS_IP, CARAS), &[53, 1, 5, 255]);
    let mut to_all = lease.clone();
    to_all[..6].copy_from_slice(&Mac::BROADCAST.0);
    let vid = Vid::from_tci(7);
    #[rustfmt::skip]
    let rows = [
        ("to the client", lease.clone(),                            Some(Vid::UNTAGGED)),
        ("to everybody",  to_all.clone(),                           Some(Vid::UNTAGGED)),
        ("one tag",       put_a_tag(7, &to_all),                    Some(vid)),
        ("two tags",      put_a_tag(7, &put_a_tag(7, &to_all)),     None),
        ("no IPv4",       put_a_tag(7, &to_all).not_ip(),    None),
    ];
    let modes = [Gateway::Off, Gateway::Client(None), Gateway::Client(Some(ANNA)), Gateway::Server];
    for (what, frame, found) in rows {
        for mode in modes {
            let mut ben = member();
            ben.writer.set_gateway(mode);
            ben.change(|node| node.vlans = Arc::new([7].into_iter().collect()));
            let outcome = ben.send(ms(0), &frame);
            let learned = |ip| {
                let in_vlan = found.and_then(|vid| known_in(&ben, vid, ip));
                (in_vlan, ben.pipeline.arp_rows(ms(0)).count())
            };
            let expected = if found.is_some() { 2 } else { 0 };
            assert_eq!(learned(CARAS_IP), (found.map(|_| CARAS), expected), "{what}, {mode:?}");
            assert_eq!(learned(BENS_IP).0, found.map(|_| BENS), "{what}, {mode:?}");
            assert_eq!(table_packets(&outcome).len(), 2 * expected, "{what}, {mode:?}");
        }
    }
}

/// The version in an entry's packet is that of its keeper: an outdated one, with a receiver inside that nobody has, teaches
/// nothing. So senders fill in the newest that they know.
#[test]
fn dat_75_dat_83_an_outdated_version_sends_entries_elsewhere() {
    let told = |to| arp(2, to, (ANNAS_IP, ANNAS), (CARAS_IP, CARAS));
    let put = |ttvn, inner: &[u8]| {
        let packet = unicast_4addr(BEN_0, ANNA, Subtype::DatPut, inner).with_ttvn(ttvn);
        on_air(BEN_0, ANNA, &packet)
    };
    let mut ben = member();
    let outcome = ben.receive(ms(0), 0, &put(20, &told(STRANGER)));
    assert_eq!(outcome.dropped, [Discard::ArpAnswered], "no host needs it");
    assert_eq!(known(&ben, ANNAS_IP), Some(ANNAS));
    let mut ben = member();
    let outcome = ben.receive(ms(0), 0, &put(19, &told(STRANGER)));
    assert_eq!(outcome.fate(), (vec![Discard::OutdatedTtvn], 0));
    assert_eq!((known(&ben, ANNAS_IP), outcome.counted(Counter::DatPutRx)), (None, 0));
    // To whom has the receiver inside, as it is; Ben learns nothing.
    let outcome = ben.receive(ms(0), 0, &put(19, &told(CARAS)));
    assert_eq!(table_packets(&outcome), [(CARA, Subtype::DatPut, told(CARAS))]);
    assert_eq!(known(&ben, ANNAS_IP), None);
    // Requests to everybody are not checked.
    let asked = request((ANNAS_IP, ANNAS), UNKNOWN_IP);
    let packet = unicast_4addr(BEN_0, ANNA, Subtype::DatGet, &asked).with_ttvn(19);
    let outcome = ben.receive(ms(0), 0, &on_air(BEN_0, ANNA, &packet));
    assert_eq!((outcome.delivered, known(&ben, ANNAS_IP)), (vec![asked], Some(ANNAS)));
    // What Ben sends carries what he knows of each keeper.
    ben.writer.set_ttvn(CARA, Ttvn(31));
    ben.announce(CARAS, ClientFlags::NONE, &[CARA]);
    let outcome = ben.send(ms(0), &reply((BENS_IP, BENS), (CARAS_IP, CARAS)));
    for (_, frame) in &outcome.sent {
        let expected = if frame[18..24] == ANNA.0 { 10 } else { 31 };
        assert_eq!(frame[17], expected);
    }
    assert_eq!(table_packets(&outcome).len(), 4);
}

/// Small changes to a packet or frame.
trait Change {
    fn with_ttvn(self, ttvn: u8) -> Self;
    fn not_ip(self) -> Self;
}

impl Change for Vec<u8> {
    fn with_ttvn(mut self, ttvn: u8) -> Self {
        self[3] = ttvn;
        self
    }

    /// Behind a tag.
    fn not_ip(mut self) -> Self {
        self[17] = 0x01;
        self
    }
}
