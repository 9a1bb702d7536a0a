//! Rules of docs/protocol/01-wire.md and 04-translation-table.md about TVLV containers and their values, one by one, with
//! the cases that neither the page's examples nor the captures have.

mod hex;

use hex::{A, CLIENT, hex};
use noctule_wire::tvlv::gateway::Gateway;
use noctule_wire::tvlv::multicast::MulticastFlags;
use noctule_wire::tvlv::multicast_tracker::MulticastTracker;
use noctule_wire::tvlv::translation_table::{
    ClientFlags, TranslationTable, TtFlags, TtKind, client_crc,
};
use noctule_wire::tvlv::{Container, Containers, Kind, append};
use noctule_wire::{Client, Discard, Vid};

#[test]
fn wire_81_tvlv_11_tvlv_12_the_walk_over_containers() {
    let kind = Kind { container_type: 9, version: 9 };
    let good = |value| Ok(Container { kind, value });
    type Row<'a> = (&'a str, &'a [Result<Container<'a>, Discard>], &'a str);
    #[rustfmt::skip]
    let rows: [Row<'_>; 8] = [
        ("",                                       &[],                                "empty"),
        ("09 09 00",                               &[],                                "3 bytes left over"),
        ("09 09 00 00",                            &[good(&[])],                       "an empty value"),
        ("09 09 00 02 aa bb 01",                   &[good(&[0xaa, 0xbb])],             "1 byte left over"),
        ("09 09 00 04 aa bb",                      &[Err(Discard::Truncated)],         "longer than the rest"),
        ("09 09 00 01 aa 09 09 00 00",             &[Err(Discard::OddLength)],         "odd"),
        ("09 09 00 00 09 09 00 03 aa bb cc 09 09", &[good(&[]), Err(Discard::OddLength)], "those before count"),
        ("09 09 00 00 09 09 ff fe aa bb cc 09 09", &[good(&[]), Err(Discard::Truncated)], "those before count"),
    ];
    for (area, expected, because) in rows {
        let area = hex(area);
        assert_eq!(Containers::new(&area).collect::<Vec<_>>(), expected, "{because}");
    }
}

/// Type and version together select (TVLV-01), order and repetition are the sender's choice (TVLV-06, TVLV-14), an empty
/// value is only a header (TVLV-04), and each value is exactly its own bytes (TVLV-16).
#[test]
fn wire_80_wire_82_wire_83_tvlv_01_tvlv_04_tvlv_06_tvlv_14_tvlv_16_containers() {
    let mut area = Vec::new();
    let old = Kind { version: 1, ..Kind::MULTICAST };
    append(&mut area, Kind::TRANSLATION_TABLE, &[1, 2]).unwrap();
    append(&mut area, old, &[3, 4]).unwrap();
    append(&mut area, Kind::DISTRIBUTED_ARP_TABLE, &[]).unwrap();
    append(&mut area, Kind::TRANSLATION_TABLE, &[5, 6]).unwrap();
    assert_eq!(area, hex("04 01 00 02 01 02 06 01 00 02 03 04 02 01 00 00 04 01 00 02 05 06"));
    let all: Vec<_> = Containers::new(&area).map(Result::unwrap).collect();
    let of = |kind| all.iter().filter(move |c| c.kind == kind).map(|c| c.value).collect::<Vec<_>>();
    assert_eq!(of(Kind::TRANSLATION_TABLE), [[1, 2], [5, 6]], "each in turn");
    assert_eq!(of(Kind::DISTRIBUTED_ARP_TABLE), [[0u8; 0]]);
    assert!(of(Kind::MULTICAST).is_empty(), "version 1 is another kind");
    assert_eq!(of(old), [[3, 4]]);
}

#[test]
fn wire_81_tvlv_02_odd_and_oversized_values_are_never_sent() {
    let mut area = vec![7];
    assert_eq!(append(&mut area, Kind::ROAMING, &[1]), Err(Discard::OddLength));
    assert_eq!(append(&mut area, Kind::ROAMING, &[0; 65_536]), Err(Discard::TooLong));
    assert_eq!(area, [7]);
    assert_eq!(append(&mut area, Kind::ROAMING, &[0; 65_534]), Ok(()));
}

#[test]
fn wire_90_wire_92_wire_93_gateway_and_multicast_values() {
    let gateway = hex("00 00 00 64 00 00 00 14 ff ff");
    assert_eq!(Gateway::parse(&gateway), Some(Gateway::DEFAULT), "longer is fine");
    assert_eq!(Gateway::parse(&gateway[..7]), None);
    assert_eq!(Gateway::parse(&hex("00 00 00 00 00 00 00 14")), None);
    assert_eq!(Gateway::parse(&hex("00 00 00 64 00 00 00 00")), None);

    assert_eq!(MulticastFlags::parse(&[]), MulticastFlags::NONE);
    #[rustfmt::skip]
    let rows = [(0x00, 0x00), (0x20, 0x20), (0x01, 0x01), (0x02, 0x0a), (0x04, 0x14), (0x06, 0x1e), (0xc2, 0xca)];
    for (sent, taken) in rows {
        assert_eq!(MulticastFlags::parse(&[sent]), MulticastFlags(taken), "{sent:#04x}");
    }
    assert_eq!((MulticastFlags::INITIAL.0, MulticastFlags::ABSENT.0), (0x38, 0x1e));
}

#[test]
fn wire_95_wire_98_table_flags() {
    let flags = [TtFlags::OGM, TtFlags::request(false), TtFlags::request(true)];
    assert_eq!(flags.map(|flags| flags.0), [0x01, 0x02, 0x12]);
    assert_eq!([TtFlags::response(false).0, TtFlags::response(true).0], [0x04, 0x14]);
    assert_eq!((TtFlags(0xf2).kind(), TtFlags(0xf2).is_full()), (TtKind::Request, true));
    for low in [0, 3, 5, 8, 15] {
        assert_eq!(TtFlags(low).kind(), TtKind::Unknown(low));
    }
    let internal =
        ClientFlags::NOPURGE.or(ClientFlags::NEW).or(ClientFlags::PENDING).or(ClientFlags::TEMP);
    assert_eq!(internal.wire(), 0, "internal states never leave the node");
    assert_eq!(internal.or(ClientFlags::ISOLATED).or(ClientFlags::DEL).wire(), 0x21);
}

/// Only the synchronised bits enter, and the VLAN with its tag bit, big-endian.
#[test]
fn wire_111_what_enters_the_table_crc() {
    let client = Client::untagged(CLIENT);
    let crc = client_crc(client, ClientFlags::NONE);
    let local = ClientFlags::ROAM.or(ClientFlags::DEL).or(ClientFlags::NEW).or(ClientFlags::TEMP);
    assert_eq!(client_crc(client, local), crc);
    for bit in [0x10, 0x20, 0x40, 0x80] {
        assert_ne!(client_crc(client, ClientFlags(bit)), crc, "{bit:#x}");
    }
    let tagged = client_crc(Client::new(CLIENT, Vid(0x8005)), ClientFlags::NONE);
    assert_ne!(tagged, client_crc(Client::new(CLIENT, Vid(0x0580)), ClientFlags::NONE));
    assert_ne!(tagged, client_crc(Client::new(CLIENT, Vid(0x0005)), ClientFlags::NONE));
}

#[test]
fn wire_99_vids() {
    for vid in [0x0000, 0x8000, 0x8001, 0x8fff] {
        assert!(Vid(vid).is_valid(), "{vid:#06x}");
    }
    for vid in [0x0001, 0x0fff, 0x1000, 0x7fff, 0x9000, 0xc001, 0xffff] {
        assert!(!Vid(vid).is_valid(), "{vid:#06x}");
    }
    assert_eq!((Vid::from_tci(0xe005), Vid::from_tci(0xe000)), (Vid(0x8005), Vid::UNTAGGED));
    assert_eq!((Vid(0x8005).id(), Vid::UNTAGGED.id()), (Some(5), None));
}

#[test]
fn wire_100_the_number_of_vlans_does_not_wrap() {
    let mut value = hex("01 01 20 00"); // 8192 blocks: 65536 bytes, 0 in 16 bits
    value.resize(4 + 65_528, 0);
    assert_eq!(TranslationTable::parse(&value), Err(Discard::Truncated));
    value.resize(4 + 65_536 + 12 + 11, 0);
    let table = TranslationTable::parse(&value).unwrap();
    assert_eq!((table.vlan_count(), table.changes().len()), (8192, 1), "11 bytes are left over");
}

#[test]
fn wire_102_empty_slots_and_group_addresses_are_nobody() {
    let value =
        hex("00 04 00 00 00 00 00 00 02 aa 00 00 00 01 ff ff ff ff ff ff 01 00 5e 00 00 01");
    let tracker = MulticastTracker::parse(&value).unwrap();
    assert_eq!(tracker.slot_count(), 4);
    assert_eq!(tracker.destinations().collect::<Vec<_>>(), [A]);
    assert_eq!(MulticastTracker::parse(&value[..25]), Err(Discard::Truncated));
    assert_eq!(MulticastTracker::parse(&value[..1]), Err(Discard::Truncated));
}
