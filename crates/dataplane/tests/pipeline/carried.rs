//! A neighbour that gets less than the MTU says: packets for it are cut to what passes, broadcasts try their luck.

use crate::support::*;
use noctule_fib::{Counter, NextHop, View};
use noctule_wire::{Discard, Mac};

fn ben() -> Ben {
    let mut ben = Ben::default();
    ben.change_link(1, |link| link.mtu = 1500);
    ben.narrow_for_cara(1400);
    ben
}

#[test]
fn fwd_113_what_is_longer_than_the_link_carries_is_cut() {
    for (packet_len, parts) in [(1400, 0), (1401, 2), (1500, 2)] {
        // Ten bytes of unicast header before the host's frame.
        let frame = ethernet(CARAS, BENS, 0x88b5, &vec![1; packet_len - 24]);
        let outcome = ben().send(ms(0), &frame);
        assert_eq!(outcome.counted(Counter::FragTx), parts, "{packet_len}");
        assert!(outcome.sent.iter().all(|(iface, sent)| *iface == 1 && sent.len() <= 14 + 1400));
        assert_eq!(outcome.dropped, []);
    }
}

/// One neighbour behind a narrow tunnel costs the others on that interface nothing.
#[test]
fn fwd_113_other_neighbours_of_the_interface_get_whole_packets() {
    let mut ben = ben();
    let dora = NextHop { iface: link(1), mac: DORA };
    ben.writer.set_router(DORA, View::Default, Some(dora));
    ben.announce(STRANGER, noctule_wire::tvlv::translation_table::ClientFlags::NONE, &[DORA]);
    let outcome = ben.send(ms(0), &ethernet(STRANGER, BENS, 0x88b5, &[1; 1476]));
    assert_eq!((outcome.counted(Counter::FragTx), outcome.sent.len()), (0, 1));
    assert_eq!(outcome.sent[0].1.len(), 14 + 1500);
}

#[test]
fn fwd_19_a_broadcast_goes_as_far_as_the_mtu_allows() {
    for (ip_len, fits) in [(1472, true), (1473, false)] {
        let outcome = ben().send(ms(0), &ethernet(Mac::BROADCAST, BENS, 0x88b5, &vec![1; ip_len]));
        assert_eq!(outcome.dropped, if fits { vec![] } else { vec![Discard::TooLong] });
    }
}
