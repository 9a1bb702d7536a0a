use super::*;
use noctule_wire::Mac;
use noctule_wire::tvlv::translation_table::ClientFlags;

const NEIGHBOUR: Address = Address(Mac([2, 0, 0x5e, 0x20, 0, 2]));
const ORIGINATOR: Address = Address(Mac([2, 0, 0x5e, 0x30, 0, 3]));
const CLIENT: Address = Address(Mac([6, 0, 0x5e, 0x0c, 0, 0x11]));

/// MGMT-31: the examples of the protocol page, key by key. Flags are `true` or absent.
#[test]
fn mgmt_31_rows_have_the_keys_and_the_order_of_batctl() {
    let originator = Originator {
        hard_ifindex: 3,
        hard_ifname: "eth0".into(),
        orig_address: ORIGINATOR,
        best: true,
        last_seen_msecs: 640,
        neigh_address: NEIGHBOUR,
        tq: Some(81),
        throughput: None,
        offload_frames: None,
        offload_bytes: None,
    };
    assert_eq!(
        serde_json::to_string(&originator).unwrap(),
        r#"{"hard_ifindex":3,"hard_ifname":"eth0","orig_address":"02:00:5e:30:00:03","best":true,"last_seen_msecs":640,"neigh_address":"02:00:5e:20:00:02","tq":81}"#
    );
    let other = Originator { best: false, ..originator };
    assert!(!serde_json::to_string(&other).unwrap().contains("best"));

    let neighbor = Neighbor {
        throughput: None,
        hard_ifindex: 3,
        hard_ifname: "eth0".into(),
        last_seen_msecs: 320,
        neigh_address: NEIGHBOUR,
    };
    assert_eq!(
        serde_json::to_string(&neighbor).unwrap(),
        r#"{"hard_ifindex":3,"hard_ifname":"eth0","last_seen_msecs":320,"neigh_address":"02:00:5e:20:00:02"}"#
    );

    let global = GlobalClient {
        orig_address: ORIGINATOR,
        tt_address: CLIENT,
        tt_ttvn: 5,
        tt_last_ttvn: 7,
        tt_crc32: 523_124_044,
        tt_vid: -1,
        tt_flags: ClientFlags::WIFI.into(),
        best: true,
    };
    assert_eq!(
        serde_json::to_string(&global).unwrap(),
        r#"{"orig_address":"02:00:5e:30:00:03","tt_address":"06:00:5e:0c:00:11","tt_ttvn":5,"tt_last_ttvn":7,"tt_crc32":523124044,"tt_vid":-1,"tt_flags":{"del":false,"roam":false,"wifi":true,"isolated":false,"nopurge":false,"new":false,"pending":false,"temp":false,"raw":16},"best":true}"#
    );

    let local = LocalClient {
        tt_address: CLIENT,
        tt_crc32: 523_124_044,
        tt_vid: -1,
        tt_flags: ClientFlags::NOPURGE.into(),
        last_seen_msecs: None,
    };
    let text = serde_json::to_string(&local).unwrap();
    assert!(text.starts_with(
        r#"{"tt_address":"06:00:5e:0c:00:11","tt_crc32":523124044,"tt_vid":-1,"tt_flags":{"#
    ));
    assert!(!text.contains("last_seen_msecs"), "only of clients that age");
    assert!(text.contains(r#""nopurge":true"#) && text.contains(r#""raw":256"#));
}

#[test]
fn mgmt_06_untagged_is_printed_as_minus_one() {
    use noctule_wire::Vid;
    assert_eq!(rows::vid_number(Vid::UNTAGGED), -1);
    assert_eq!(rows::vid_number(Vid::from_tci(10)), 10);
    assert_eq!(rows::vid_number(Vid(0x8fff)), 4095);
}

#[test]
fn lines_read_back_as_what_was_written() {
    let requests = [
        Request::Status,
        Request::Originators { interface: None },
        Request::Originators { interface: Some("wlan0".into()) },
        Request::Probe(Probe {
            destination: ORIGINATOR,
            seqno: 7,
            ttl: 50,
            record_route: true,
            timeout_ms: 1000,
        }),
    ];
    for request in requests {
        let line = RequestLine::new(request);
        let text = serde_json::to_vec(&line).unwrap();
        assert_eq!(RequestLine::parse(&text), Ok(line));
    }
    let statistics = Statistics {
        counters: Pairs(vec![("tx".into(), 3), ("rx".into(), u64::MAX)]),
        drops: Pairs(vec![("truncated".into(), 0)]),
    };
    for reply in [
        Reply::Statistics(statistics),
        Reply::Probe(None),
        Reply::Error("no".into()),
        Reply::Originators(Vec::new()),
    ] {
        let line = ReplyLine::new(reply);
        let text = serde_json::to_string(&line).unwrap();
        assert_eq!(serde_json::from_str::<ReplyLine>(&text).unwrap(), line, "{text}");
    }
}

#[test]
fn a_minimal_probe_has_the_full_ttl() {
    let line = br#"{"noctule":1,"request":"probe","destination":"02:00:5e:30:00:03","seqno":1,"timeout_ms":5}"#;
    let Ok(RequestLine { request: Request::Probe(probe), .. }) = RequestLine::parse(line) else {
        panic!("a probe");
    };
    assert_eq!((probe.ttl, probe.record_route), (50, false));
}

/// MGMT-41: every request is untrusted.
#[test]
fn mgmt_41_whatever_is_not_a_request_gets_one_sentence() {
    let deep = format!(r#"{{"noctule":1,"request":{}"#, "[".repeat(4000));
    #[rustfmt::skip]
    let rows: [(&[u8], &str); 10] = [
        (b"", "EOF"),
        (b"\xff\xfe\x00", "not a request"),
        (b"[1]", "not a request"),
        (br#"{"request":"status"}"#, "missing field `noctule`"),
        (br#"{"noctule":2,"request":"anything"}"#, "version 2 is not supported"),
        (br#"{"noctule":1,"request":"reboot"}"#, "unknown variant `reboot`"),
        (br#"{"noctule":1}"#, "request"),
        (br#"{"noctule":1,"request":"probe","destination":"02:00","seqno":1,"timeout_ms":1}"#, "MAC address"),
        (br#"{"noctule":1,"request":"probe","destination":"02:00:5e:30:00:03","seqno":65536,"timeout_ms":1}"#, "65536"),
        (deep.as_bytes(), "not a request"),
    ];
    for (line, part) in rows {
        let sentence = RequestLine::parse(line).unwrap_err();
        assert!(sentence.contains(part), "{sentence:?} should contain {part:?}");
        assert!(!sentence.contains('\n'));
    }
}
