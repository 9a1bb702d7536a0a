use super::*;

const ASKER: Mac = Mac([2, 0, 0, 0, 0, 1]);
const TARGET: Mac = Mac([2, 0, 0, 0, 0, 2]);

fn ip(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

fn packet(source: &str, destination: &str, hop_limit: u8, icmp: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0, 0, icmp.len() as u8, ICMPV6, hop_limit];
    packet.extend(ip(source).octets());
    packet.extend(ip(destination).octets());
    packet.extend(icmp);
    let pseudo = icmp.len() as u32 + 58;
    let checksum = !sum(pseudo, &packet[8..]);
    packet[42..44].copy_from_slice(&checksum.to_be_bytes());
    packet
}

fn message(kind: u8, flags: u8, target: &str, options: &[u8]) -> Vec<u8> {
    let mut icmp = vec![kind, 0, 0, 0, flags, 0, 0, 0];
    icmp.extend(ip(target).octets());
    icmp.extend(options);
    icmp
}

fn option(kind: u8, mac: Mac) -> Vec<u8> {
    [&[kind, 1][..], &mac.0].concat()
}

fn question() -> Vec<u8> {
    packet("fe80::1", "ff02::1:ff00:2", 255, &message(135, 0, "fe80::2", &option(1, ASKER)))
}

#[test]
fn nd_01_what_a_solicitation_and_an_advertisement_say() {
    let found = Neighbour::parse(&question()).unwrap();
    let expected = Neighbour {
        message: Message::Solicitation,
        source: ip("fe80::1"),
        destination: ip("ff02::1:ff00:2"),
        target: ip("fe80::2"),
        link_layer: Some(ASKER),
        others: false,
    };
    assert_eq!(found, expected);
    assert!(found.is_question());
    for (flags, [router, solicited, overrides]) in [
        (0x80, [true, false, false]),
        (0x40, [false, true, false]),
        (0x20, [false, false, true]),
        (0xe0, [true, true, true]),
    ] {
        let icmp = message(136, flags, "fe80::2", &option(2, TARGET));
        let found = Neighbour::parse(&packet("fe80::2", "fe80::1", 255, &icmp)).unwrap();
        assert_eq!(found.message, Message::Advertisement { router, solicited, overrides });
        assert_eq!((found.target, found.link_layer), (ip("fe80::2"), Some(TARGET)));
    }
    // Padding, and a tag.
    let padded = [&question()[..], &[0xff; 9]].concat();
    assert_eq!(Neighbour::parse(&padded), Some(expected));
    let tags: [(&[u8], bool); 3] = [
        (&[0x86, 0xdd], true),
        (&[0x81, 0, 0x60, 7, 0x86, 0xdd], true),
        (&[0x81, 0, 0x60, 0, 0x86, 0xdd], false),
    ];
    for (tag, is_one) in tags {
        let frame = [&[0x33, 0x33, 0xff, 0, 0, 2, 2, 0, 0, 0, 0, 1], tag, &question()].concat();
        assert_eq!(Neighbour::find(&frame).is_some(), is_one, "{tag:x?}");
    }
}

#[test]
fn nd_01_nd_02_what_a_host_must_not_believe_is_nothing() {
    let own = option(1, ASKER);
    let to_group = "ff02::1:ff00:2";
    let solicit = |target: &str, options: &[u8]| message(135, 0, target, options);
    let mut coded = solicit("fe80::2", &own);
    coded[1] = 1;
    #[rustfmt::skip]
    let rows = [
        ("passed on by a router",    packet("fe80::1", to_group, 254, &solicit("fe80::2", &own))),
        ("from a group",             packet("ff02::1", to_group, 255, &solicit("fe80::2", &own))),
        ("another code",             packet("fe80::1", to_group, 255, &coded)),
        ("a group as target",        packet("fe80::1", to_group, 255, &solicit("ff02::2", &own))),
        ("nobody as target",         packet("fe80::1", to_group, 255, &solicit("::", &own))),
        ("a check that names a MAC", packet("::", to_group, 255, &solicit("fe80::2", &own))),
        ("a check to one host",      packet("::", "fe80::2", 255, &solicit("fe80::2", &[]))),
        ("an option of no length",   packet("fe80::1", to_group, 255, &solicit("fe80::2", &[1, 0, 0, 0, 0, 0, 0, 0]))),
        ("an option that is cut",    packet("fe80::1", to_group, 255, &solicit("fe80::2", &[1, 2, 0, 0, 0, 0, 0, 0]))),
        ("half an option",           packet("fe80::1", to_group, 255, &solicit("fe80::2", &[1]))),
        ("too short",                packet("fe80::1", to_group, 255, &solicit("fe80::2", &[])[..23])),
        ("an answer to all",         packet("fe80::2", "ff02::1", 255, &message(136, 0x60, "fe80::2", &[]))),
        ("an answer of nobody",      packet("::", "fe80::1", 255, &message(136, 0x60, "fe80::2", &[]))),
        ("a redirect",               packet("fe80::2", "fe80::1", 255, &message(137, 0, "fe80::2", &[]))),
    ];
    for (what, bytes) in rows {
        assert_eq!(Neighbour::parse(&bytes), None, "{what}");
    }
    // Each byte of packet is under the checksum, but version, class, flow label and hop limit.
    for at in (4..6).chain(8..72) {
        let mut wrong = question();
        wrong[at] ^= 0x11;
        assert_eq!(Neighbour::parse(&wrong), None, "byte {at}");
    }
    for end in 0..question().len() {
        assert_eq!(Neighbour::parse(&question()[..end]), None);
    }
}

#[test]
fn nd_02_options_that_are_not_known_are_seen() {
    let nonce = [14, 1, 1, 2, 3, 4, 5, 6];
    let options = [&nonce[..], &option(1, ASKER), &option(1, TARGET)].concat();
    let bytes = packet("fe80::1", "ff02::1:ff00:2", 255, &message(135, 0, "fe80::2", &options));
    let found = Neighbour::parse(&bytes).unwrap();
    assert_eq!((found.link_layer, found.others), (Some(ASKER), true));
}

#[test]
fn nd_10_a_check_and_a_probe_are_no_questions() {
    let check = packet("::", "ff02::1:ff00:2", 255, &message(135, 0, "fe80::2", &[]));
    let probe = packet("fe80::1", "fe80::2", 255, &message(135, 0, "fe80::2", &option(1, ASKER)));
    let silent = packet("fe80::1", "ff02::1:ff00:2", 255, &message(135, 0, "fe80::2", &[]));
    for bytes in [check, probe, silent] {
        let found = Neighbour::parse(&bytes).unwrap();
        assert!(!found.is_question(), "{found:?}");
    }
}

/// ND-12: what is made is what is read, and a kernel would believe it.
#[test]
fn nd_12_the_answer() {
    let asked = Neighbour::parse(&question()).unwrap();
    for (vid, router) in [(Vid::UNTAGGED, false), (Vid::from_tci(7), true)] {
        let (frame, len) = asked.advertisement(ASKER, TARGET, router, vid);
        assert_eq!(len, if vid.id().is_some() { 90 } else { 86 });
        let ethernet = Frame::parse(&frame[..len]).unwrap();
        assert_eq!((ethernet.destination, ethernet.source), (ASKER, TARGET));
        assert_eq!(ethernet.vid(), vid);
        let expected = Neighbour {
            message: Message::Advertisement { router, solicited: true, overrides: false },
            source: ip("fe80::2"),
            destination: ip("fe80::1"),
            target: ip("fe80::2"),
            link_layer: Some(TARGET),
            others: false,
        };
        assert_eq!(Neighbour::find(&frame[..len]), Some(expected));
    }
}

#[test]
fn no_length_and_no_byte_is_trusted() {
    let answer = message(136, 0x60, "fe80::2", &option(2, TARGET));
    for bytes in [question(), packet("fe80::2", "fe80::1", 255, &answer)] {
        for at in 0..bytes.len() {
            for value in [0, 1, 0x3a, 0x7f, 0x80, 0xff] {
                let mut changed = bytes.clone();
                changed[at] = value;
                for end in [at, changed.len()] {
                    let _ = Neighbour::parse(&changed[..end]);
                }
            }
        }
    }
}
