//! The payload as the mesh sees it: ARP, DHCP (FWD-36, GW-45 to GW-51) and checksums, on frames of real programs that
//! the captures hold and on made ones.

mod hex;
mod pcapng;

use etherparse::PacketBuilder;
use hex::{A, B, CLIENT};
use noctule_wire::ethernet::VLAN_ETHERTYPE;
use noctule_wire::payload::arp::{Arp, Operation};
use noctule_wire::payload::dhcp::Dhcp;
use noctule_wire::payload::{IpVersion, Udp, checksum, layer_3};
use noctule_wire::{Discard, Mac};
use pcapng::{FOLDERS, for_each_frame};

const V4: ([u8; 4], [u8; 4]) = ([10, 0, 0, 1], [10, 0, 0, 2]);
const V6: ([u8; 16], [u8; 16]) = ([0xfd; 16], [0xfe; 16]);

fn udp4(ports: (u16, u16), data: &[u8]) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2(A.0, B.0).ipv4(V4.0, V4.1, 64).udp(ports.0, ports.1);
    let mut frame = Vec::new();
    builder.write(&mut frame, data).unwrap();
    frame
}

fn udp6(ports: (u16, u16), data: &[u8]) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2(A.0, B.0).ipv6(V6.0, V6.1, 64).udp(ports.0, ports.1);
    let mut frame = Vec::new();
    builder.write(&mut frame, data).unwrap();
    frame
}

fn tagged(frame: &[u8], tci: [u8; 2]) -> Vec<u8> {
    let [t0, t1] = VLAN_ETHERTYPE.to_be_bytes();
    [&frame[..12], &[t0, t1, tci[0], tci[1]], &frame[12..]].concat()
}

/// The BOOTP fields that name a client.
fn bootp(client: Mac) -> Vec<u8> {
    let mut bytes = vec![2, 1, 6, 0];
    bytes.resize(28, 0);
    bytes.extend(client.0);
    bytes
}

#[test]
fn fwd_36_gw_48_dhcp_by_ports() {
    let to_client = Some(Dhcp::ToClient(CLIENT));
    #[rustfmt::skip]
    let rows = [
        (udp4((68, 67), &[]),                Some(Dhcp::ToServer), "needs nothing beyond the UDP header"),
        (udp4((67, 67), &[]),                Some(Dhcp::ToServer), "a relay: to the server"),
        (udp4((67, 68), &bootp(CLIENT)),     to_client,            "to the client it names"),
        (udp4((67, 4011), &bootp(CLIENT)),   to_client,            "whatever its port"),
        (udp4((67, 68), &bootp(CLIENT)[..33]), None,               "GW-49: ends inside the address"),
        (udp4((67, 68), &bootp(Mac::ZERO)),  None,                 "GW-51: names nobody"),
        (udp4((67, 68), &bootp(Mac::BROADCAST)), None,             "GW-51: names a group"),
        (udp4((547, 546), &bootp(CLIENT)),   None,                 "the other family's port"),
        (udp6((546, 547), &[]),              Some(Dhcp::ToServer), "DHCPv6"),
        (udp6((547, 546), &bootp(CLIENT)),   None,                 "GW-50: DHCPv6 to a client is multicast"),
        (udp6((68, 67), &[]),                None,                 "the other family's port"),
        (udp4((5000, 5000), &bootp(CLIENT)), None,                 "not DHCP"),
    ];
    for (frame, expected, because) in rows {
        assert_eq!(Dhcp::classify(&frame), expected, "{because}");
        let on_vlan = tagged(&frame, [0x00, 0x05]);
        assert_eq!(Dhcp::classify(&on_vlan), expected, "GW-45: on a VLAN, {because}");
        assert_eq!(Dhcp::classify(&tagged(&frame, [0, 0])), expected, "also on VLAN 0");
        assert_eq!(Dhcp::classify(&tagged(&on_vlan, [0, 6])), None, "not behind two tags");
    }
}

#[test]
fn gw_46_gw_47_gw_49_what_is_not_dhcp() {
    let spoiled = |at: usize, byte: u8| {
        let mut frame = udp4((67, 68), &bootp(CLIENT));
        frame[at] = byte;
        Dhcp::classify(&frame)
    };
    assert_eq!(spoiled(14, 0x55), None, "another version");
    assert_eq!(spoiled(14, 0x44), None, "a header length below 20");
    assert_eq!(spoiled(23, 6), None, "TCP");
    assert_eq!(spoiled(21, 1), None, "a later part of a fragmented datagram");
    assert_eq!(spoiled(43, 6), None, "another hardware type");
    assert_eq!(spoiled(44, 16), None, "another hardware address length");
    assert_eq!(spoiled(42, 1), Some(Dhcp::ToClient(CLIENT)), "the operation does not matter");

    let whole = udp4((68, 67), &[]);
    for len in 0..whole.len() {
        assert_eq!(Dhcp::classify(&whole[..len]), None, "GW-48: {len} bytes");
    }
    let mut options = [&whole[..34], &[1, 1, 1, 0], &whole[34..]].concat();
    options[14] = 0x46;
    assert_eq!(Dhcp::classify(&options), Some(Dhcp::ToServer), "IHL 6: 4 bytes of options");

    let mut hop_by_hop = udp6((546, 547), &[]);
    hop_by_hop[20] = 0;
    assert_eq!(Dhcp::classify(&hop_by_hop), None, "GW-47: no extension headers");
}

/// The DHCP of scenario h: udhcpc's requests and dnsmasq's answers.
#[test]
fn fwd_36_real_dhcp() {
    for folder in FOLDERS {
        let (mut to_server, mut to_client, mut other) = (0, 0, 0);
        for_each_frame(folder, |at, _, frame| {
            let Some(inner) = frame.packet.inner() else { return };
            match (Udp::find(inner), Dhcp::classify(inner)) {
                (Some(udp), Some(Dhcp::ToServer)) => {
                    assert_eq!((udp.version, udp.source_port), (IpVersion::V4, 68), "{at}");
                    to_server += 1;
                }
                (Some(udp), Some(Dhcp::ToClient(client))) => {
                    assert_eq!((udp.source_port, udp.destination_port), (67, 68), "{at}");
                    assert_eq!(client, Mac([0x02, 0xc1, 0, 0, 0x02, 0x01]), "{at}");
                    to_client += 1;
                }
                (Some(_), None) => other += 1,
                (None, dhcp) => assert_eq!(dhcp, None, "{at}"),
            }
        });
        assert_eq!((to_server, to_client), (14, 15), "{folder}");
        assert!(other > 50, "{folder}: {other} other datagrams");
    }
}

#[test]
fn dat_65_dat_66_arp_behind_one_tag_with_an_id() {
    let mut frame = [&Mac::BROADCAST.0[..], &CLIENT.0, &[0x08, 0x06]].concat();
    frame.extend([0x00, 0x01, 0x08, 0x00, 6, 4, 0, 1]);
    frame.extend([&CLIENT.0[..], &V4.0, &[0; 6], &V4.1].concat());
    let arp = Arp {
        operation: Operation::Request,
        sender_mac: CLIENT,
        sender_ip: V4.0.into(),
        target_mac: Mac::ZERO,
        target_ip: V4.1.into(),
    };
    assert_eq!(Arp::find(&frame), Some(arp));
    let padded = [&frame[..], &[0; 18]].concat();
    assert_eq!(Arp::find(&padded), Some(arp));
    let on_vlan = tagged(&frame, [0x00, 0x05]);
    assert_eq!(Arp::find(&on_vlan), Some(arp));
    assert_eq!(Arp::find(&tagged(&frame, [0xe0, 0x00])), None, "DAT-66: a priority tag");
    assert_eq!(Arp::find(&tagged(&on_vlan, [0, 6])), None, "two tags");
    for len in 0..frame.len() {
        assert_eq!(Arp::find(&frame[..len]), None, "{len} bytes");
    }
    for (at, byte) in [(12, 0x09), (15, 6), (16, 0x86), (18, 8), (19, 16)] {
        let mut other = frame.clone();
        other[at] = byte;
        other.resize(200, 0);
        assert_eq!(Arp::find(&other), None, "not ARP for IPv4 on Ethernet: byte {at}");
    }
    frame[21] = 9;
    assert_eq!(Arp::find(&frame).unwrap().operation, Operation::Other(9));
}

#[test]
fn fwd_36_layer_3_is_behind_at_most_one_tag() {
    let frame = udp4((1, 2), &[]);
    assert_eq!(layer_3(&frame), Ok((0x0800, &frame[14..])));
    assert_eq!(layer_3(&tagged(&frame, [0, 5])), Ok((0x0800, &frame[14..])));
    assert_eq!(layer_3(&tagged(&frame, [0, 5])[..17]), Err(Discard::Truncated));
    assert_eq!(layer_3(&frame[..13]), Err(Discard::Truncated));
}

/// What kernels and programs have summed, this crate sums to the same; whatever stands in the field before.
#[test]
fn checksums_of_real_frames_are_found_again() {
    for folder in FOLDERS {
        let (mut udp, mut icmpv6) = (0, 0);
        for_each_frame(folder, |at, captured, frame| {
            let Some(inner) = frame.packet.inner() else { return };
            if captured.bytes.len() < captured.len {
                return;
            }
            let mut filled = inner.to_vec();
            if !checksum::fill(&mut filled) {
                return;
            }
            assert_eq!(filled, inner, "{at}");
            // UDP in IPv4, UDP in IPv6, or MLD behind a hop-by-hop header.
            let (field, count) = match (inner[12], inner[20]) {
                (0x08, _) => (34 + 6, &mut udp),
                (_, 17) => (54 + 6, &mut udp),
                _ => (54 + 8 + 2, &mut icmpv6),
            };
            filled[field] ^= 0x5a;
            assert!(checksum::fill(&mut filled));
            assert_eq!(filled, inner, "{at}: spoiled before");
            *count += 1;
        });
        assert!(udp > 100 && icmpv6 > 200, "{folder}: {udp} {icmpv6}");
    }
}

/// Every kind that a kernel leaves open, against an independent computation; padding behind does not count.
#[test]
fn checksums_of_made_frames() {
    let data = b"an odd number of bytes!";
    let mut tcp4 = Vec::new();
    let (from, to) = (A.0, B.0);
    let builder = PacketBuilder::ethernet2(from, to).ipv4(V4.0, V4.1, 64).tcp(1, 2, 3, 4);
    builder.write(&mut tcp4, data).unwrap();
    let mut tcp6 = Vec::new();
    let builder = PacketBuilder::ethernet2(from, to).ipv6(V6.0, V6.1, 64).tcp(1, 2, 3, 4);
    builder.write(&mut tcp6, data).unwrap();
    let (tcp, udp) = (16, 6);
    #[rustfmt::skip]
    let rows = [
        (udp4((1, 2), data), 34 + udp), (tcp4, 34 + tcp),
        (udp6((1, 2), data), 54 + udp), (tcp6, 54 + tcp),
    ];
    for (whole, field) in rows {
        for (whole, tag_len) in [(whole.clone(), 0), (tagged(&whole, [0, 5]), 4)] {
            let padded = [&whole[..], &[0xee; 7]].concat();
            let mut open = padded.clone();
            open[field + tag_len..field + tag_len + 2].fill(0);
            if whole[12 + tag_len] == 0x08 {
                open[24 + tag_len..26 + tag_len].fill(0);
            }
            assert_ne!(open, padded);
            assert!(checksum::fill(&mut open));
            assert_eq!(open, padded);

            let mut packet = vec![0x40, 15, 50, 0, 2, 2, 2, 2, 2, 2];
            packet.extend(&padded);
            let expected = packet.clone();
            packet[10 + field + tag_len] ^= 0xff;
            assert!(checksum::fill_inner(&mut packet), "inside a unicast packet");
            assert_eq!(packet, expected);
        }
    }
}

/// With a virtio header's numbers: the field holds the sum over the pseudo header.
#[test]
fn a_checksum_at_a_known_place_is_completed() {
    let whole = udp4((1, 2), b"payload");
    let mut open = whole.clone();
    let len = u16::try_from(whole.len() - 34).unwrap();
    let words = [[10, 0], [0, 1], [10, 0], [0, 2], [0, 17], len.to_be_bytes()];
    let sum: u32 = words.iter().map(|word| u32::from(u16::from_be_bytes(*word))).sum();
    open[40..42].copy_from_slice(&u16::try_from(sum).unwrap().to_be_bytes());
    let inside = |frame: &[u8]| [&[0x40, 15, 50, 0, 2, 2, 2, 2, 2, 2], frame].concat();
    assert!(checksum::is_unfinished_inner(&inside(&open)));
    assert!(!checksum::is_unfinished_inner(&inside(&whole)));
    assert!(!checksum::is_unfinished_inner(&inside(&whole[..39])), "the field is not inside");
    assert!(checksum::complete(&mut open, 34, 6));
    assert_eq!(open, whole);
    let at_the_end = whole.len() - 34 - 1;
    assert!(!checksum::complete(&mut open, 34, at_the_end), "the field is not inside");
    assert!(!checksum::complete(&mut open, usize::MAX, 6));
    assert_eq!(open, whole);
}

#[test]
fn frames_without_a_checksum_to_fill_stay_as_they_are() {
    let mut fragment = udp4((1, 2), b"payload");
    fragment[20] = 0x20; // more fragments
    let mut sctp = udp4((1, 2), b"payload");
    sctp[23] = 132;
    let mut short = udp4((1, 2), b"payload");
    short.truncate(39);
    let mut routed = udp6((1, 2), b"0123456789abcdef");
    routed[20] = 43; // a routing header: the sum is over another destination
    routed[54..62].copy_from_slice(&[17, 0, 2, 1, 0, 0, 0, 0]);
    let mut jumbo = udp6((1, 2), b"payload");
    jumbo[18..20].fill(0); // the length is said elsewhere
    for frame in [fragment, sctp, short, routed, jumbo, vec![0; 14], vec![0; 3], Vec::new()] {
        let mut filled = frame.clone();
        assert!(!checksum::fill(&mut filled), "{frame:02x?}");
        assert_eq!(filled, frame);
    }
    assert!(!checksum::fill_inner(&mut [0x43; 60]));
}
