//! Paths on which each link is narrower than the one before (FWD-113, FWD-116).

use crate::support::*;
use noctule_fib::{Counter, Neighbours, NextHop, View};
use noctule_wire::fragment::Split;
use noctule_wire::{Discard, Fragment};

/// Ben with this MTU on the link to Cara.
fn relay(mtu: u32) -> Ben {
    let mut ben = Ben::default();
    ben.change_link(1, |link| link.mtu = mtu);
    ben
}

fn packet_for_cara(len: usize) -> Vec<u8> {
    let payload: Vec<u8> = (0..len - 24).map(|n| n as u8).collect();
    unicast(33, 30, CARA, &ethernet(CARAS, ANNAS, 0x88b5, &payload))
}

/// The parts that Anna makes of a packet for a link with this MTU.
fn parts_of(packet: &[u8], mtu: usize, seqno: u16) -> Vec<Vec<u8>> {
    Split::new(packet, mtu)
        .unwrap()
        .map(|(number, data)| fragment(CARA, ANNA, seqno, number, packet.len(), data))
        .map(|part| on_air(BEN_0, ANNA, &part))
        .collect()
}

/// Every length and order: no part leaves that does not fit, and what leaves makes up the packet.
#[test]
fn fwd_116_parts_too_long_for_the_next_link_are_merged_and_cut_anew() {
    let lens = [1501, 1502, 1524, 1999, 2000, 2501, 2520, 2521, 2522, 9024, 20160];
    for (len, backwards) in lens.into_iter().flat_map(|len| [(len, false), (len, true)]) {
        for mtu in [1400, 1280, 1279, 1000, 783, 782, 781, 780, 700] {
            if len > (mtu - 20) * 16 {
                continue;
            }
            let mut ben = relay(mtu as u32);
            let packet = packet_for_cara(len);
            let mut parts = parts_of(&packet, 1500, 5);
            let fit = parts.iter().all(|part| part.len() - 14 <= mtu);
            if backwards {
                parts.reverse();
            }
            let mut sent = Vec::new();
            for part in &parts {
                let outcome = ben.receive(ms(0), 0, part);
                assert_eq!(outcome.dropped, [], "{len} over {mtu}");
                sent.extend(outcome.sent);
            }
            assert!(sent.iter().all(|(_, frame)| frame.len() - 14 <= mtu), "{len} over {mtu}");
            let mut pieces: Vec<_> =
                sent.iter().map(|(_, frame)| Fragment::parse(&frame[14..]).unwrap()).collect();
            pieces.sort_by_key(|piece| core::cmp::Reverse(piece.number));
            let mut whole: Vec<u8> = pieces.iter().flat_map(|piece| piece.data).copied().collect();
            let cutter = if fit { ANNA } else { BEN_0 };
            assert!(pieces.iter().all(|piece| piece.originator == cutter), "{len} over {mtu}");
            if !fit {
                assert_eq!(whole[2], 32, "the merged packet was passed on once");
                whole[2] = 33;
            }
            assert_eq!(whole, packet, "{len} over {mtu}");
        }
    }
}

/// 1500, then 1280, then 1000 and less: what each relay sends the next receives.
#[test]
fn fwd_113_fwd_116_a_full_frame_crosses_ever_narrower_links() {
    for mtus in [[1500, 1280, 1000], [1500, 1280, 700], [1500, 700, 300], [1500, 781, 780]] {
        let inner = ethernet(CARAS, BENS, 0x88b5, &[7; 1500]);
        let mut frames: Vec<Vec<u8>> =
            relay(mtus[0]).send(ms(0), &inner).sent.into_iter().map(|(_, frame)| frame).collect();
        for mtu in &mtus[1..] {
            let mut ben = relay(*mtu);
            let mut next = Vec::new();
            for frame in &frames {
                // To the next relay, which knows the one before as Anna.
                let mut frame = frame.clone();
                frame[..6].copy_from_slice(&BEN_0.0);
                frame[6..12].copy_from_slice(&ANNA.0);
                frame[24..30].copy_from_slice(&ANNA.0);
                let outcome = ben.receive(ms(0), 0, &frame);
                assert_eq!(outcome.dropped, [], "{mtus:?}");
                next.extend(outcome.sent.into_iter().map(|(_, frame)| frame));
            }
            assert!(next.iter().all(|frame| frame.len() - 14 <= *mtu as usize), "{mtus:?}");
            frames = next;
        }
        // At Cara, whose part Ben plays: all is for him.
        let mut cara = Ben::default();
        cara.writer.add_originator(CARA);
        cara.change(|node| node.primary = Some(CARA));
        cara.change_link(0, |link| (link.mac, link.neighbours) = (CARA, Neighbours::Many));
        cara.announce(CARAS, noctule_wire::tvlv::translation_table::ClientFlags::NONE, &[]);
        cara.writer.set_own_ttvn(noctule_wire::Ttvn(30));
        let mut delivered = Vec::new();
        for mut frame in frames {
            frame[..6].copy_from_slice(&CARA.0);
            frame[24..30].copy_from_slice(&ANNA.0);
            delivered.extend(cara.receive(ms(0), 0, &frame).delivered);
        }
        assert_eq!(delivered, [inner], "{mtus:?}");
    }
}

/// A node that must not cut has nothing to gain by merging.
#[test]
fn fwd_113_fwd_116_without_fragmentation_parts_go_on_whatever_their_length() {
    let mut ben = relay(700);
    ben.change(|node| node.fragmentation = false);
    let parts = parts_of(&packet_for_cara(1524), 1500, 5);
    assert_eq!(ben.receive(ms(0), 0, &parts[0]).counted(Counter::FragFwd), 1);
}

/// More than 16 parts for the narrow link: lost, and accounted for.
#[test]
fn fwd_114_fwd_116_a_packet_too_long_for_sixteen_parts_is_counted() {
    let mut ben = relay(500);
    let mut dropped = Vec::new();
    for part in parts_of(&packet_for_cara(20160), 1500, 5) {
        let outcome = ben.receive(ms(0), 0, &part);
        assert_eq!(outcome.outputs(), 0);
        dropped.extend(outcome.dropped);
    }
    assert_eq!(dropped, [Discard::Fragment]);
}

/// Merging here must not turn one frame into a ring: what comes back to where it came from is cut once per hop, and its
/// own TTL ends it.
#[test]
fn fwd_84_fwd_116_the_ttl_of_the_merged_packet_ends_it() {
    let mut ben = relay(700);
    let hop = NextHop { iface: link(1), mac: CARA };
    ben.writer.set_router(CARA, View::Arrival(link(0)), Some(hop));
    let mut packet = packet_for_cara(1524);
    packet[2] = 1;
    let mut last = Vec::new();
    for part in parts_of(&packet, 1500, 5) {
        let outcome = ben.receive(ms(0), 0, &part);
        assert_eq!(outcome.outputs(), 0);
        last = outcome.dropped;
    }
    assert_eq!(last, [Discard::TtlSpent]);
}
