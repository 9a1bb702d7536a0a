//! Fragments: cutting (FWD-113, FWD-114), passing on (FWD-116), putting together (FWD-115 to FWD-119).

use crate::support::*;
use noctule_dataplane::pipeline::{PipelineSettings, egress};
use noctule_fib::{Counter, View};
use noctule_wire::fragment::Split;
use noctule_wire::tvlv::translation_table::ClientFlags;
use noctule_wire::{Discard, Fragment, Mac, Ttvn};
use proptest::prelude::*;

/// Ben's links have an MTU of 1500, and his fragments start at this number.
fn narrow() -> Ben {
    let mut ben = Ben::default();
    ben.change_link(0, |link| link.mtu = 1500);
    ben.change_link(1, |link| link.mtu = 1500);
    ben
}

/// A unicast packet for Ben of `len` bytes, and its inner frame.
fn packet_for_ben(len: usize) -> (Vec<u8>, Vec<u8>) {
    let payload: Vec<u8> = (0..len - 24).map(|n| n as u8).collect();
    let inner = ethernet(BENS, ANNAS, 0x88b5, &payload);
    (unicast(50, 20, BEN_0, &inner), inner)
}

/// Cuts a packet as Anna does, for a link with this MTU.
fn cut(packet: &[u8], mtu: usize, destination: Mac, seqno: u16) -> Vec<Vec<u8>> {
    let parts = Split::new(packet, mtu).unwrap();
    let total = packet.len();
    parts
        .map(|(number, data)| fragment(destination, ANNA, seqno, number, total, data))
        .map(|packet| on_air(BEN_0, ANNA, &packet))
        .collect()
}

/// ICMP payloads of capture j-frag, MTU 1500: the packet's length, then what the reference counts for two requests and two
/// replies in `frag_tx_bytes` and `frag_rx_bytes`.
#[test]
fn fwd_113_fwd_114_the_numbers_of_the_reference() {
    #[rustfmt::skip]
    let rows = [
        // ICMP payload, packet, parts, frag_tx_bytes of two packets, frag_rx_bytes of two packets
        (1472, 1524, 2, 3184, 3128),
        (1449, 1501, 2, 3138, 3082),
        (1448, 1500, 0, 0,    0),
        (1447, 1499, 0, 0,    0),
    ];
    for (payload, packet_len, parts, tx_bytes, rx_bytes) in rows {
        let mut ben = narrow();
        let inner = ethernet(CARAS, BENS, 0x0800, &vec![0x45; payload + 8 + 20]);
        let outcome = ben.send(ms(0), &inner);
        assert_eq!(outcome.sent.len(), parts.max(1), "ICMP payload {payload}");
        assert_eq!(outcome.counted(Counter::FragTx), parts as u64);
        assert_eq!(outcome.counted(Counter::FragTxBytes) * 2, tx_bytes);
        assert_eq!(outcome.counted(Counter::TxBytes), inner.len() as u64);
        let (packet, _) = packet_for_ben(packet_len);
        let mut received = 0;
        for frame in if parts > 0 { cut(&packet, 1500, BEN_0, 1) } else { vec![] } {
            received += ben.receive(ms(0), 0, &frame).counted(Counter::FragRxBytes);
        }
        assert_eq!(received * 2, rx_bytes);
    }
    // A ping of 4000 bytes: IP makes three packets of it, of which two are cut.
    let (mut ben, mut cut, mut bytes) = (narrow(), 0, 0);
    for ip_len in [1500, 1500, 1068] {
        let outcome = ben.send(ms(0), &ethernet(CARAS, BENS, 0x0800, &vec![0x45; ip_len]));
        cut += outcome.counted(Counter::FragTx);
        bytes += outcome.counted(Counter::FragTxBytes);
    }
    assert_eq!((cut, bytes), (4, 3184));
}

/// What the reference's first node sends, and what its relay makes of it, byte for byte (capture j-frag, frames 11 to 14).
#[test]
fn fwd_112_fwd_114_fwd_116_the_same_bytes_as_the_reference() {
    let [tail, head, tail_on, head_on] =
        captured(include_str!("../data/fragments-through-a-relay.hex")).try_into().unwrap();
    // Ben in the place of the relay.
    let mut relay = narrow();
    for (frame, expected) in [(&tail, &tail_on), (&head, &head_on)] {
        let outcome = relay.receive(ms(0), 0, frame);
        assert_eq!(outcome.sent, [(1, expected.clone())]);
        let len = frame.len() as u64;
        assert_eq!(outcome.counted, [(Counter::FragFwd, 1), (Counter::FragFwdBytes, len)]);
    }
    // Ben in the place of the first node: the numbers are his, all else is the same.
    let whole = [&head[34..], &tail[34..]].concat();
    let mut first = narrow();
    first.writer = noctule_fib::Writer::new(KEY, 0x5228, noctule_wire::SeqNo(0));
    let mut node = first.node.clone();
    node.primary = Some(ANNA);
    node.ifaces[0].as_mut().unwrap().mac = ANNA;
    first.writer.set_node(node);
    first.writer.add_originator(CARA);
    let hop = noctule_fib::NextHop { iface: link(0), mac: BEN_0 };
    first.writer.set_router(CARA, View::Default, Some(hop));
    first.writer.set_ttvn(CARA, Ttvn(whole[3]));
    first.announce(Mac::from_prefix(&whole[10..]).unwrap(), ClientFlags::NONE, &[CARA]);
    first.pipeline = noctule_dataplane::Pipeline::new(
        first.writer.reader(),
        first.counters.clone(),
        PipelineSettings::new(KEY),
    );
    assert_eq!(first.send(ms(0), &whole[10..]).sent, [(0, tail), (0, head)]);
}

/// A relay cuts what does not fit its next link, under its own address (capture j-frag-smallmtu, frames 11 to 13).
#[test]
fn fwd_113_fwd_114_a_relay_cuts_as_the_reference_does() {
    let [whole, tail, head] =
        captured(include_str!("../data/a-relay-cuts.hex")).try_into().unwrap();
    let mut ben = Ben::default();
    ben.change_link(1, |link| link.mtu = 1400);
    ben.writer.set_ttvn(CARA, Ttvn(2));
    let outcome = ben.receive(ms(0), 0, &whole);
    let without_number = |frame: &[u8]| {
        let mut frame = frame.to_vec();
        frame[14 + 16..14 + 18].fill(0);
        frame
    };
    let sent: Vec<_> = outcome.sent.iter().map(|(_, frame)| without_number(frame)).collect();
    assert_eq!(sent, [without_number(&tail), without_number(&head)]);
    let forwarded = outcome.counted(Counter::ForwardBytes);
    assert_eq!((outcome.counted(Counter::Forward), forwarded), (1, whole.len() as u64));
    assert_eq!(
        (outcome.counted(Counter::FragTx), outcome.counted(Counter::FragTxBytes)),
        (2, 2 * 764)
    );
}

#[test]
fn fwd_113_without_fragmentation_the_packet_leaves_in_one_piece() {
    let mut ben = narrow();
    ben.change(|node| node.fragmentation = false);
    let frame = ethernet(CARAS, BENS, 0x88b5, &[0; 1500]);
    assert_eq!(
        ben.send(ms(0), &frame).sent.len(),
        1,
        "what comes of it is the device's affair (FWD-19)"
    );
}

#[test]
fn fwd_15_fwd_114_at_most_16_parts() {
    for (mtu, total_max) in [(1500, 20160), (1280, 20160), (1279, 20144), (100, 1280)] {
        let mut ben = Ben::default();
        ben.change_link(1, |link| link.mtu = mtu);
        let longest = ethernet(CARAS, BENS, 0x88b5, &vec![0; total_max - 24]);
        let outcome = ben.send(ms(0), &longest);
        assert_eq!((outcome.sent.len(), outcome.dropped.len()), (16, 0), "MTU {mtu}");
        let longer = ethernet(CARAS, BENS, 0x88b5, &vec![0; total_max - 23]);
        let outcome = ben.send(ms(0), &longer);
        assert_eq!(
            (outcome.sent.len(), outcome.dropped.clone()),
            (0, vec![Discard::Fragment]),
            "MTU {mtu}"
        );
        assert_eq!(outcome.counted(Counter::TxDropped), 1);
    }
    let mut ben = Ben::default();
    ben.change_link(1, |link| link.mtu = 20);
    assert_eq!(
        ben.send(ms(0), &hello(CARAS, BENS)).dropped,
        [Discard::Fragment],
        "no room for data"
    );
}

#[test]
fn fwd_114_no_primary_no_fragments() {
    let mut ben = narrow();
    ben.change(|node| node.primary = None);
    let outcome = ben.send(ms(0), &ethernet(CARAS, BENS, 0x88b5, &[0; 1500]));
    assert_eq!((outcome.dropped, outcome.sent.len()), (vec![Discard::NoPrimary], 0));
}

#[test]
fn fwd_114_a_part_that_fails_stops_the_rest_and_is_counted_before() {
    let mut ben = narrow();
    ben.out.refuse_sending = Some(Discard::QueueFull);
    let outcome = ben.send(ms(0), &ethernet(CARAS, BENS, 0x88b5, &[0; 1500]));
    assert_eq!((outcome.counted(Counter::FragTx), outcome.dropped), (1, vec![Discard::QueueFull]));
}

#[test]
fn fwd_114_each_packet_takes_the_next_number() {
    let mut ben = narrow();
    for expected in [100u16, 101] {
        for (_, frame) in ben.send(ms(0), &ethernet(CARAS, BENS, 0x88b5, &[0; 1500])).sent {
            assert_eq!(frame[30..32], expected.to_be_bytes());
        }
    }
}

/// The only trace of a priority on the wire is the fragment header, at the source and where a relay cuts (FWD-44).
#[test]
fn fwd_33_fwd_43_fwd_44_the_priority_is_in_the_fragment_header() {
    let mut ip = ipv4(CARAS, BENS, 0xb8);
    ip.resize(1514, 0);
    let mut tagged = ethernet(CARAS, BENS, 0x8100, &[0x60, 0, 8, 0]);
    tagged.resize(1514, 0);
    let arp = ethernet(CARAS, BENS, 0x0806, &[0xff; 1500]);
    for (frame, priority, because) in [(ip, 5, "TOS"), (tagged, 3, "tag"), (arp, 0, "none")] {
        for (_, sent) in narrow().send(ms(0), &frame).sent {
            assert_eq!(sent[17] & 0x0f, priority << 1, "{because}, at the source");
        }
        let passing = on_air(BEN_0, ANNA, &unicast(50, 30, CARA, &frame));
        for (_, sent) in narrow().receive(ms(0), 0, &passing).sent {
            assert_eq!(sent[17] & 0x0f, priority << 1, "{because}, at a relay");
        }
    }
    // Own control packets carry 0, or what their sender says.
    let mut ben = narrow();
    for (priority, expected) in [(0, 0), (7, 14)] {
        ben.out.outcome.sent.clear();
        let packet = [&[0x44, 15, 50, 0], CARA.0.as_slice(), &[0; 1600]].concat();
        let fib = ben.writer.reader();
        let sent = egress::send_to_originator(
            &fib.pin(),
            &ben.counters,
            CARA,
            View::Default,
            priority,
            &packet,
            &mut ben.out,
        );
        assert_eq!(sent, Ok(()));
        assert_eq!(ben.out.outcome.sent.len(), 2);
        assert_eq!(ben.out.outcome.sent[0].1[17] & 0x0f, expected);
    }
}

#[test]
fn fwd_110_egress_tells_why_it_cannot_send() {
    let ben = &mut Ben::default();
    let fib = ben.writer.reader();
    for (destination, expected) in
        [(CARA, Ok(())), (EVE, Err(Discard::UnknownOriginator)), (DORA, Err(Discard::NoRoute))]
    {
        let sent = egress::send_to_originator(
            &fib.pin(),
            &ben.counters,
            destination,
            View::Default,
            0,
            &[0x44, 15, 50],
            &mut ben.out,
        );
        assert_eq!(sent, expected);
    }
    assert_eq!(ben.out.outcome.sent, [(1, on_air(CARA, BEN_1, &[0x44, 15, 50]))]);
}

#[test]
fn fwd_115_the_fragmenting_originator_must_be_known() {
    let frame = on_air(BEN_0, ANNA, &fragment(BEN_0, EVE, 1, 0, 100, &[0; 50]));
    let outcome = Ben::default().receive(ms(0), 0, &frame);
    assert_eq!((outcome.dropped, outcome.counted), (vec![Discard::UnknownOriginator], vec![]));
}

#[test]
fn fwd_116_passed_on_only_if_the_whole_would_not_fit_the_next_link() {
    #[rustfmt::skip]
    let rows = [
        // for, MTU of the next link, total size => passed on, because
        (CARA,  1500, 1501, true,  "too long for the link to Cara"),
        (CARA,  1500, 1500, false, "fits once it is whole"),
        (BEN_0, 1500, 1501, false, "for Ben"),
        (BEN_1, 1500, 1501, false, "for Ben"),
        (DORA,  1500, 1501, false, "no router: kept, in case one appears"),
        (EVE,   1500, 1501, false, "not even known"),
    ];
    for (destination, mtu, total, passed_on, because) in rows {
        let mut ben = Ben::default();
        ben.change_link(1, |link| link.mtu = mtu);
        let frame = on_air(BEN_0, ANNA, &fragment(destination, ANNA, 1, 0, total, b"tail"));
        let outcome = ben.receive(ms(0), 0, &frame);
        assert_eq!(outcome.sent.len(), usize::from(passed_on), "{because}");
        assert_eq!(outcome.counted(Counter::FragFwd), u64::from(passed_on), "{because}");
        assert_eq!(outcome.counted(Counter::FragRx), u64::from(!passed_on), "{because}");
        assert_eq!(ben.pipeline.next_deadline().is_some(), !passed_on, "{because}");
    }
}

/// Whether this node itself cuts packets has nothing to do with it.
#[test]
fn fwd_116_independent_of_the_fragmentation_setting() {
    let mut ben = narrow();
    ben.change(|node| node.fragmentation = false);
    let frame = on_air(BEN_0, ANNA, &fragment(CARA, ANNA, 1, 0, 1501, b"tail"));
    assert_eq!(ben.receive(ms(0), 0, &frame).counted(Counter::FragFwd), 1);
}

#[test]
fn fwd_116_the_ttl_of_a_fragment_counts_only_when_it_is_passed_on() {
    for (ttl, sent) in [(0, None), (1, None), (2, Some(1))] {
        let mut frame = on_air(BEN_0, ANNA, &fragment(CARA, ANNA, 1, 0, 1600, b"tail"));
        frame[16] = ttl;
        let outcome = narrow().receive(ms(0), 0, &frame);
        assert_eq!(outcome.sent.first().map(|(_, frame)| frame[16]), sent);
        assert_eq!(outcome.dropped.is_empty(), sent.is_some());
        let mut frame = on_air(BEN_0, ANNA, &fragment(BEN_0, ANNA, 1, 0, 1600, b"tail"));
        frame[16] = ttl;
        assert_eq!(narrow().receive(ms(0), 0, &frame).counted(Counter::FragRx), 1);
    }
}

/// A relay puts together what fits its next link, and the merged packet goes on with its own TTL.
#[test]
fn fwd_116_fwd_119_a_relay_merges_what_fits() {
    let mut ben = Ben::default();
    let payload = vec![7; 1400];
    let inner = ethernet(CARAS, ANNAS, 0x88b5, &payload);
    let packet = unicast(33, 30, CARA, &inner);
    let parts = cut(&packet, 1300, CARA, 5);
    assert_eq!(ben.receive(ms(0), 0, &parts[0]).outputs(), 0);
    let outcome = ben.receive(ms(0), 0, &parts[1]);
    let mut expected = on_air(CARA, BEN_1, &packet);
    expected[16] = 32;
    assert_eq!(outcome.sent, [(1, expected.clone())]);
    assert_eq!(outcome.counted(Counter::ForwardBytes), expected.len() as u64);
}

/// The whole would have fit the link to Cara, but the TTVN check sends it back over a narrow one: cut again, with the
/// priority that its head came with.
#[test]
fn fwd_44_a_merged_packet_keeps_the_priority_of_its_head() {
    let mut ben = Ben::default();
    ben.change_link(0, |link| link.mtu = 1000);
    ben.announce(CARAS, ClientFlags::NONE, &[ANNA]);
    ben.writer.set_ttvn(CARA, Ttvn(31));
    let packet = unicast(33, 30, CARA, &ipv4_of(1400));
    let [tail, head]: [Vec<u8>; 2] = cut(&packet, 1300, CARA, 5).try_into().unwrap();
    let with_priority = |mut frame: Vec<u8>, priority: u8| {
        frame[17] |= priority << 1;
        frame
    };
    ben.receive(ms(0), 0, &with_priority(tail, 2));
    let outcome = ben.receive(ms(0), 0, &with_priority(head, 6));
    assert_eq!((outcome.counted(Counter::FragTx), outcome.counted(Counter::Forward)), (2, 1));
    for (_, frame) in &outcome.sent {
        assert_eq!(frame[17] & 0x0f, 6 << 1, "not that of the inner frame");
        assert_eq!(frame[24..30], BEN_0.0, "cut under Ben's own address");
    }
}

/// A client's IPv4 packet with a priority of its own, this long.
fn ipv4_of(len: usize) -> Vec<u8> {
    let mut frame = ipv4(CARAS, ANNAS, 0xa0);
    frame.resize(len, 0);
    frame
}

#[test]
fn fwd_117_any_order_and_only_once() {
    let (packet, inner) = packet_for_ben(3000);
    let parts = cut(&packet, 1000, BEN_0, 9);
    assert_eq!(parts.len(), 4);
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
        let mut ben = Ben::default();
        let mut delivered = Vec::new();
        for index in order {
            delivered.extend(ben.receive(ms(0), 0, &parts[index]).delivered);
        }
        assert_eq!(delivered, [inner.clone()], "{order:?}");
        for part in &parts {
            let late = ben.receive(ms(0), 0, part);
            assert_eq!(late.fate(), (vec![Discard::Duplicate], 0), "a ghost chain");
        }
        assert_eq!(ben.pipeline.next_deadline().map(|due| due > ms(0)), Some(true));
        assert_eq!(ben.on_deadline(ms(11_000)).dropped, [], "nothing was left over");
        assert_eq!(ben.pipeline.next_deadline(), None);
    }
}

#[test]
fn fwd_117_the_same_number_twice_is_dropped() {
    let (packet, inner) = packet_for_ben(1600);
    let parts = cut(&packet, 1000, BEN_0, 9);
    let mut ben = Ben::default();
    ben.receive(ms(0), 0, &parts[0]);
    assert_eq!(ben.receive(ms(0), 0, &parts[0]).dropped, [Discard::Duplicate]);
    assert_eq!(ben.receive(ms(0), 0, &parts[1]).delivered, [inner]);
}

/// Linux loses the first packet of a bucket if its number is 0, because that is also the bucket's first state.
#[test]
fn fwd_117_number_0_is_a_number_like_any_other() {
    let (packet, inner) = packet_for_ben(1600);
    let parts = cut(&packet, 1000, BEN_0, 0);
    let mut ben = Ben::default();
    ben.receive(ms(0), 0, &parts[0]);
    assert_eq!(ben.receive(ms(0), 0, &parts[1]).delivered, [inner]);
}

#[test]
fn fwd_117_eight_buckets_one_packet_each() {
    let (packet, inner) = packet_for_ben(1600);
    let mut ben = Ben::default();
    let parts: Vec<_> = (0..9).map(|seqno| cut(&packet, 1000, BEN_0, seqno)).collect();
    for part in &parts[..8] {
        assert_eq!(ben.receive(ms(0), 0, &part[0]).dropped, []);
    }
    // The ninth takes the place of the first.
    assert_eq!(ben.receive(ms(0), 0, &parts[8][0]).dropped, [Discard::Fragment]);
    for part in &parts[1..] {
        assert_eq!(ben.receive(ms(0), 0, &part[1]).delivered, [inner.clone()]);
    }
    assert_eq!(ben.receive(ms(0), 0, &parts[0][1]).outputs(), 0, "its other half is gone");
}

#[test]
fn fwd_117_buckets_belong_to_who_fragmented() {
    let (packet, inner) = packet_for_ben(1600);
    let annas = cut(&packet, 1000, BEN_0, 9);
    let caras: Vec<_> = annas
        .iter()
        .map(|frame| {
            let mut frame = frame.clone();
            frame[24..30].copy_from_slice(&CARA.0);
            frame
        })
        .collect();
    let mut ben = Ben::default();
    ben.receive(ms(0), 0, &annas[0]);
    assert_eq!(ben.receive(ms(0), 0, &caras[1]).outputs(), 0);
    assert_eq!(ben.receive(ms(0), 0, &annas[1]).delivered, [inner.clone()]);
    assert_eq!(ben.receive(ms(0), 0, &caras[0]).delivered, [inner]);
}

#[test]
fn fwd_117_inconsistent_parts_discard_the_bucket() {
    let (packet, _) = packet_for_ben(1600);
    let parts = cut(&packet, 1000, BEN_0, 9);
    let part = |number, total, len| {
        on_air(BEN_0, ANNA, &fragment(BEN_0, ANNA, 9, number, total, &vec![0; len]))
    };
    #[rustfmt::skip]
    let rows = [
        (part(1, 1601, 10),   "another total size"),
        (part(1, 1600, 900),  "more than the total: can never complete"),
        (part(1, 1600, 20000), "far more"),
    ];
    for (bad, because) in rows {
        let mut ben = Ben::default();
        ben.receive(ms(0), 0, &parts[0]);
        assert_eq!(ben.receive(ms(0), 0, &bad).dropped, [Discard::Fragment], "{because}");
        let late = ben.receive(ms(0), 0, &parts[1]);
        assert_eq!(late.fate(), (vec![Discard::Duplicate], 0), "{because}");
    }
    for total in [20161, 65535] {
        let mut ben = Ben::default();
        let outcome = ben.receive(ms(0), 0, &part(0, total, 10));
        assert_eq!(outcome.dropped, [Discard::Fragment], "longer than any packet in parts");
        assert_eq!(ben.pipeline.next_deadline(), None);
    }
}

/// The longest packet that can come in parts does come.
#[test]
fn fwd_117_20160_bytes_in_16_parts() {
    let (packet, inner) = packet_for_ben(Fragment::TOTAL_MAX);
    let parts = cut(&packet, 1500, BEN_0, 9);
    assert_eq!(parts.len(), 16);
    let mut ben = Ben::default();
    let delivered: Vec<_> =
        parts.iter().flat_map(|part| ben.receive(ms(0), 0, part).delivered).collect();
    assert_eq!(delivered, [inner]);
}

#[test]
fn fwd_117_numbers_need_not_be_contiguous() {
    let (packet, inner) = packet_for_ben(100);
    let mut ben = Ben::default();
    let part =
        |number, data: &[u8]| on_air(BEN_0, ANNA, &fragment(BEN_0, ANNA, 9, number, 100, data));
    ben.receive(ms(0), 0, &part(3, &packet[60..]));
    assert_eq!(ben.receive(ms(0), 0, &part(12, &packet[..60])).delivered, [inner]);
}

#[test]
fn fwd_118_fwd_150_ten_seconds_after_the_last_part() {
    let (packet, inner) = packet_for_ben(3000);
    let parts = cut(&packet, 1000, BEN_0, 9);
    let mut ben = Ben::default();
    ben.receive(ms(0), 0, &parts[0]);
    ben.receive(ms(4000), 0, &parts[1]);
    // A duplicate is not accepted and refreshes nothing.
    ben.receive(ms(8000), 0, &parts[1]);
    let mut wakes = 0;
    while let Some(due) = ben.pipeline.next_deadline().filter(|due| *due <= ms(14_000)) {
        assert_eq!(ben.on_deadline(due).dropped, [], "at {due:?}");
        wakes += 1;
    }
    assert!(wakes <= 2, "it does not wake for nothing: {wakes}");
    assert_eq!(ben.on_deadline(ms(14_000)).dropped, [], "not at 10 s: strictly later");
    assert_eq!(
        ben.on_deadline(ms(14_001)).dropped,
        [Discard::FragmentTimeout],
        "one packet, one count"
    );
    assert_eq!(ben.pipeline.next_deadline(), None);
    assert_eq!(ben.receive(ms(14_002), 0, &parts[2]).dropped, [Discard::Duplicate], "too late");
    // The next packet in the same bucket is not disturbed.
    let mut delivered = Vec::new();
    for part in cut(&packet, 1000, BEN_0, 17) {
        delivered.extend(ben.receive(ms(14_003), 0, &part).delivered);
    }
    assert_eq!(delivered, [inner]);
}

#[test]
fn fwd_118_what_a_forgotten_originator_left_is_discarded() {
    let (packet, inner) = packet_for_ben(1600);
    let parts = cut(&packet, 1000, BEN_0, 9);
    let mut ben = Ben::default();
    ben.receive(ms(0), 0, &parts[0]);
    ben.writer.remove_originator(ANNA);
    assert_eq!(ben.receive(ms(1), 0, &parts[1]).dropped, [Discard::UnknownOriginator]);
    ben.writer.add_originator(ANNA);
    assert_eq!(
        ben.receive(ms(2), 0, &parts[1]).dropped,
        [Discard::Fragment],
        "the old half is given up"
    );
    assert_eq!(
        ben.receive(ms(3), 0, &parts[0]).delivered,
        [inner],
        "the new life starts from nothing"
    );
}

/// More packets in parts than there is memory for: the oldest goes first.
#[test]
fn fwd_117_memory_is_bounded_and_the_oldest_goes_first() {
    let mut settings = PipelineSettings::new(KEY);
    settings.reassemblies = 3;
    let mut ben = Ben::with(settings);
    let (packet, inner) = packet_for_ben(1600);
    let parts: Vec<_> = (0..4).map(|seqno| cut(&packet, 1000, BEN_0, seqno)).collect();
    for (at, part) in parts.iter().enumerate() {
        let outcome = ben.receive(ms(at as u64), 0, &part[0]);
        assert_eq!(outcome.dropped, if at < 3 { vec![] } else { vec![Discard::QueueFull] });
    }
    assert_eq!(ben.receive(ms(9), 0, &parts[0][1]).dropped, [Discard::Duplicate]);
    for part in &parts[1..] {
        assert_eq!(ben.receive(ms(9), 0, &part[1]).delivered, [inner.clone()]);
    }
}

/// The table of fragmenting originators is bounded, too; what the engine has forgotten makes room.
#[test]
fn fwd_117_the_table_of_originators_is_bounded() {
    let mut settings = PipelineSettings::new(KEY);
    settings.originators = 1;
    let mut ben = Ben::with(settings);
    let part = |originator| on_air(BEN_0, ANNA, &fragment(BEN_0, originator, 1, 0, 100, &[0; 10]));
    assert_eq!(ben.receive(ms(0), 0, &part(ANNA)).dropped, []);
    assert_eq!(ben.receive(ms(0), 0, &part(CARA)).dropped, [Discard::TableFull]);
    ben.writer.remove_originator(ANNA);
    assert_eq!(
        ben.receive(ms(1000), 0, &part(CARA)).dropped,
        [Discard::Fragment],
        "Anna's half is lost"
    );
    assert_eq!(
        ben.receive(ms(1000), 0, &part(CARA)).dropped,
        [Discard::Duplicate],
        "Cara's was taken"
    );
}

#[test]
fn fwd_119_a_fragment_of_a_fragment_is_refused() {
    let mut ben = Ben::default();
    let (packet, _) = packet_for_ben(1600);
    let nested = fragment(BEN_0, ANNA, 77, 0, packet.len(), &packet[800..]);
    let parts = cut(&nested, 600, BEN_0, 9);
    let outcomes: Vec<_> = parts.iter().map(|part| ben.receive(ms(0), 0, part)).collect();
    let last = outcomes.last().unwrap();
    assert_eq!((last.dropped.as_slice(), last.outputs()), ([Discard::Fragment].as_slice(), 0));
    assert_eq!(last.counted(Counter::FragRx), 1, "only the outer part was handed to reassembly");
}

/// A merged packet passes every check of one that arrives whole, by the address that its head was sent to.
#[test]
fn fwd_119_a_merged_packet_is_checked_like_any_other() {
    let wrong_version = |mut packet: Vec<u8>| {
        packet[1] = 14;
        packet
    };
    let inner = hello(Mac::BROADCAST, ANNAS);
    let ogm = [&[0x00, 15, 50, 0], [0; 60].as_slice()].concat();
    #[rustfmt::skip]
    let rows = [
        (broadcast(50, 1, ANNA, &inner),                          Discard::Address, "a broadcast must come as one"),
        (ogm,                                                     Discard::Address, "so must an OGM"),
        (wrong_version(unicast(50, 20, BEN_0, &inner)),           Discard::Version, "another version"),
        (unicast(50, 20, BEN_0, &inner[..13]),                    Discard::Truncated, "too short inside"),
        (unicast(1, 30, CARA, &hello(CARAS, ANNAS)),              Discard::TtlSpent, "its own TTL counts"),
        (vec![],                                                  Discard::Truncated, "nothing at all"),
    ];
    for (packet, reason, because) in rows {
        let mut ben = Ben::default();
        let half = packet.len() / 2;
        let part = |number, data: &[u8]| {
            on_air(BEN_0, ANNA, &fragment(BEN_0, ANNA, 9, number, packet.len(), data))
        };
        let mut dropped = Vec::new();
        for frame in [part(0, &packet[half..]), part(1, &packet[..half])] {
            let outcome = ben.receive(ms(0), 0, &frame);
            assert_eq!(outcome.outputs(), 0, "{because}");
            dropped.extend(outcome.dropped);
        }
        assert_eq!(dropped[0], reason, "{because}");
    }
}

/// The receiving interface of the whole is that of the last part, the outer header that of the head.
#[test]
fn fwd_119_the_outer_header_of_the_head_and_the_interface_of_the_last() {
    let packet = [&[0x44, 15, 50, 0], BEN_0.0.as_slice(), &ANNA.0, &[0, 4, 0, 0], b"tvlv"].concat();
    let part = |to, from, number, data: &[u8]| {
        on_air(to, from, &fragment(BEN_0, ANNA, 9, number, packet.len(), data))
    };
    let head = part(BEN_0, ANNA, 1, &packet[..10]);
    let tail = part(BEN_1, CARA, 0, &packet[10..]);
    for (first, last, iface) in [((0, &head), (1, &tail), 1), ((1, &tail), (0, &head), 0)] {
        let mut ben = Ben::default();
        ben.receive(ms(0), first.0, first.1);
        let outcome = ben.receive(ms(0), last.0, last.1);
        assert_eq!(outcome.punted, [(iface, on_air(BEN_0, ANNA, &packet))]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Any packet, any MTU: Ben cuts, Cara gets the same bytes, in whatever order the parts arrive.
    #[test]
    fn fwd_114_fwd_117_a_round_trip_at_all_sizes(
        payload in prop::collection::vec(any::<u8>(), 0..20_000),
        mtu in 68u32..3000,
        rotate in 0usize..16,
    ) {
        let mut ben = Ben::default();
        ben.change_link(1, |link| link.mtu = mtu);
        let frame = ethernet(CARAS, BENS, 0x88b5, &payload);
        let sent = ben.send(ms(0), &frame);
        let packet_len = frame.len() + 10;
        let capacity = (mtu.min(1280) - 20) as usize;
        if packet_len > mtu as usize && packet_len > capacity * 16 {
            prop_assert_eq!((sent.dropped, sent.sent.len()), (vec![Discard::Fragment], 0));
            return Ok(());
        }
        let mut parts = sent.sent;
        for (_, part) in &parts {
            prop_assert!(part.len() <= 14 + mtu as usize);
        }
        let count = parts.len();
        parts.rotate_left(rotate % count);
        // Cara, in Ben's clothes: his addresses, and he is the one who fragmented.
        let mut cara = Ben::default();
        cara.change(|node| {
            node.primary = Some(CARA);
            node.ifaces[0].as_mut().unwrap().mac = CARA;
        });
        cara.writer.add_originator(BEN_0);
        cara.writer.set_own_ttvn(Ttvn(30));
        let mut delivered = Vec::new();
        for (_, part) in &parts {
            delivered.extend(cara.receive(ms(0), 0, part).delivered);
        }
        prop_assert_eq!(delivered, vec![frame]);
    }
}
